"""
Images coming to a running guest and leaving it: nodes that are added and removed, files that are made.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from pyvirt.drivers.qemu.blocks.backingstrings import backingString
from pyvirt.drivers.qemu.blocks.chain import Image, localPath
from pyvirt.drivers.qemu.command.blockdevs import Node, Options
from pyvirt.drivers.qemu.command.disks import optionsOf
from pyvirt.drivers.qemu.command.values import HostSettings
from pyvirt.drivers.qemu.devicerules import BOTH, READ, imageRules
from pyvirt.drivers.qemu.guest import Guest
from pyvirt.drivers.qemu.ownership import claimFile, letFileGo
from pyvirt.drivers.qemu.plugging.commands import Step, imageSteps
from pyvirt.drivers.qemu.plugging.doing import run, takeBack
from pyvirt.drivers.qemu.refusals import failed, operationUnsupported, systemFailure
from pyvirt.drivers.qemu.secretvalues import secretPlaces

if TYPE_CHECKING:
    from pyvirt.drivers.qemu.hypervisor import Hypervisor

__all__ = [
    "NewImage",
    "addChain",
    "addImage",
    "askSecrets",
    "dropImages",
    "removeImages",
    "waitForJob",
]

log = Logger()

#: Formats that QEMU makes images of, and what it calls them.
_MADE = {
    "qcow": "qcow",
    "qcow2": "qcow2",
    "qed": "qed",
    "vmdk": "vmdk",
    "vdi": "vdi",
    "vhd": "vhdx",
    "vpc": "vpc",
    "ploop": "parallels",
}
#: Images that are made like those below them have clusters of this size where nothing says another.
CLUSTER = 65536


async def addImage(
    hypervisor: Hypervisor,
    guest: Guest,
    image: Image,
    disk: Any,
    *,
    readOnly: bool,
    below: str | None = None,
    last: bool = False,
) -> None:
    """
    Have QEMU open an image.

    One that it writes to is the guest's until its file is let go.

    @param below: the node of the image that it is laid over.
    @param last: QEMU is to lay it over nothing, whatever its header says.
    @raise VirtError: it does not open; nothing of it is left.
    """
    claimed = None if readOnly else localPath(image.source)
    if claimed is not None:
        claimFile(hypervisor, guest, claimed)
    added: list[Step] = []
    try:
        if guest.access is not None:
            guest.access.allow(imageRules(image, READ if readOnly else BOTH))
        steps = _steps(hypervisor, guest, image.node(readOnly, last), below, disk)
        await run(hypervisor, guest, steps, added)
    except BaseException:
        if guest.monitor is not None:
            await takeBack(guest, added)
        _revoke(guest, image)
        letFileGo(guest, claimed)
        raise


def _steps(
    hypervisor: Hypervisor, guest: Guest, node: Node, below: str | None, disk: Any
) -> list[Step]:
    options = Options() if disk is None else optionsOf(disk)
    host = HostSettings(settings=hypervisor.config.values)
    return imageSteps(node, below, options, guest.capabilities, host)


async def askSecrets(hypervisor: Hypervisor, guest: Guest, image: Image) -> None:
    """
    Ask for the secrets that it takes to open an image.

    @raise VirtError: one is not there.
    """
    for step in _steps(hypervisor, guest, image.node(False), None, None):
        await secretPlaces(hypervisor, guest, step.secrets)


async def addChain(
    hypervisor: Hypervisor, guest: Guest, image: Image, lower: Sequence[Image], disk: Any
) -> None:
    """
    Have QEMU open what an image is laid over, and lay it over that.

    @param lower: the images below, the upper ones first.
    @raise VirtError: one does not open; nothing of them is left.
    """
    added: list[Image] = []
    try:
        over: str | None = None
        for each in reversed(lower):
            await addImage(
                hypervisor, guest, each, disk, readOnly=True, below=over, last=over is None
            )
            added.insert(0, each)
            over = each.formatName
        action = {
            "type": "blockdev-snapshot",
            "data": {"node": over, "overlay": image.formatName},
        }
        await guest.execute("transaction", {"actions": [action]})
    except BaseException:
        if guest.monitor is not None:
            await removeImages(hypervisor, guest, *added)
        raise


async def removeImages(hypervisor: Hypervisor, guest: Guest, *images: Image) -> None:
    """
    Have QEMU close images that nothing uses any more, the upper ones first, and forget their secrets; what fails is
    logged.
    """
    for image in images:
        steps = _steps(hypervisor, guest, image.node(True), None, None)
        await takeBack(guest, steps)
        _revoke(guest, image)


async def dropImages(hypervisor: Hypervisor, guest: Guest, *images: Image) -> None:
    """Have QEMU close images that it wrote to, and give their files back."""
    await removeImages(hypervisor, guest, *images)
    for image in images:
        letFileGo(guest, localPath(image.source))


def _revoke(guest: Guest, image: Image) -> None:
    """Keep a guest from opening an image again."""
    if guest.access is not None:
        guest.access.revoke(imageRules(image, BOTH))


def waitForJob(guest: Guest, name: str) -> Deferred[None]:
    """Return a Deferred that fires once a job of QEMU has nothing left to do."""
    waiting: Deferred[None] = Deferred()
    guest.jobWaits[name] = waiting
    return waiting


async def _run(guest: Guest, name: str, options: dict[str, Any]) -> None:
    """
    Have QEMU make an image, and wait until it is made.

    @raise VirtError: it could not be made.
    """
    done = waitForJob(guest, name)
    try:
        await guest.execute("blockdev-create", {"job-id": name, "options": options})
        await done
        problem = None
        for each in await guest.execute("query-jobs"):
            if isinstance(each, dict) and each.get("id") == name:
                problem = each.get("error")
        await guest.execute("job-dismiss", {"id": name})
    finally:
        guest.jobWaits.pop(name, None)
        # Where the command failed nobody listens to how the guest ended.
        done.addErrback(lambda _: None)
    if problem is not None:
        raise failed(f"failed to format image: '{problem}'")


class NewImage:
    """
    An image that is made for a running guest, and taken back if what it is made for fails.

    @ivar image: what it is.
    """

    def __init__(
        self, hypervisor: Hypervisor, guest: Guest, image: Image, complaint: str | None = None
    ) -> None:
        """
        @param complaint: what is said where its file cannot be made.
        """
        self._hypervisor = hypervisor
        self._guest = guest
        self.image = image
        self._complaint = complaint
        self._made = False
        self._claimed: str | None = None
        self._open: list[Step] = []

    def claim(self, mode: int = 0o600) -> None:
        """
        Make an empty file where the image will be, or take one that is there.

        @raise VirtError: it cannot be made.
        """
        path = getattr(self.image.source, "file", None)
        if not path:
            return
        try:
            try:
                fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
                self._made = True
            except FileExistsError:
                fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            os.close(fd)
        except OSError as problem:
            self.forget()
            detail = self._complaint or f"failed to create image file '{path}'"
            raise systemFailure(problem, detail) from None

    async def make(
        self,
        disk: Any,
        size: int,
        *,
        over: Image | None = None,
        reuse: bool = False,
        below: str | None = None,
        last: bool = True,
        lease: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """
        Make the image and have QEMU open it.

        @param size: as the guest sees it, in bytes.
        @param over: what its header says it is laid over.
        @param reuse: it is there and is as it should be.
        @param below: the node that it is laid over in QEMU; None with C{last}: none.
        @param lease: gets its lease, once there is a file and before anything is written to it.
        @raise VirtError: it could not be made; nothing of it is left.
        """
        hypervisor, guest = self._hypervisor, self._guest
        try:
            if not reuse:
                self.claim()
            if lease is not None:
                await lease()
            path = localPath(self.image.source)
            if path is not None:
                claimFile(self._hypervisor, guest, path)
                self._claimed = path
            if self.image.index is None:
                self.image = attrs.evolve(self.image, index=guest.takeNode())
            image = self.image
            if guest.access is not None:
                guest.access.allow(imageRules(image, BOTH))
            steps = _steps(
                hypervisor, guest, image.node(False, last and below is None), below, disk
            )
            if not reuse and image.format == "raw":
                path = getattr(image.source, "file", None)
                if path:
                    create = {"driver": "file", "filename": path, "size": size}
                    await _run(guest, f"create-{image.storageName}", create)
            await run(hypervisor, guest, steps[:-1], self._open)
            if not reuse and (image.format != "raw" or image.encrypted):
                options = creation(image, size, over, steps[-1].arguments)
                await _run(guest, f"create-{image.formatName}", options)
            await run(hypervisor, guest, steps[-1:], self._open)
        except BaseException:
            await self.undo()
            raise

    async def undo(self) -> None:
        """Close it, and remove its file if it was made here."""
        if self._guest.monitor is not None:
            await takeBack(self._guest, self._open)
            _revoke(self._guest, self.image)
            letFileGo(self._guest, self._claimed)
        self._open, self._claimed = [], None
        self.forget()

    def forget(self) -> None:
        """Remove its file if it was made here."""
        if self._made:
            self._made = False
            try:
                os.unlink(self.image.path)
            except OSError:
                pass


def creation(
    image: Image, size: int, over: Image | None, opened: Mapping[str, Any]
) -> dict[str, Any]:
    """
    Return what C{blockdev-create} is told to make an image.

    @param over: what its header says it is laid over.
    @param opened: what C{blockdev-add} will be told of its format, for what is secret.
    @raise VirtError: QEMU does not make images of that format in a running guest.
    """
    driver = _MADE.get(image.format)
    options: dict[str, Any] = {"driver": driver, "file": image.storageName, "size": size}
    if image.encrypted and image.format == "raw":
        options["driver"] = "luks"
        return options | {"key-secret": opened["key-secret"], **_cipher(image)}
    if image.encrypted:
        # Whether it can be is said by QEMU.
        options["encrypt"] = {**opened["encrypt"], **_cipher(image)}
    if image.format == "qcow2":
        options["cluster-size"] = CLUSTER
    elif driver is None:
        raise operationUnsupported(f"can't create storage format '{image.format}'")
    if over is not None:
        options["backing-file"] = backingString(over.source)
        if image.format in ("qcow2", "qed", "qcow"):
            options["backing-fmt"] = over.format
    return options


def _cipher(image: Image) -> dict[str, Any]:
    """Return how an image is to be encrypted, as far as its definition says."""
    encryption = image.source.encryption
    if encryption is None or encryption.cipher is None:
        return {}
    cipher, vectors = encryption.cipher, encryption.ivgen
    found = {
        "cipher-alg": f"{cipher.name}-{cipher.size or 0}",
        "cipher-mode": cipher.mode,
        "hash-alg": cipher.hash,
        "ivgen-alg": vectors.name if vectors is not None else None,
        "ivgen-hash-alg": vectors.hash if vectors is not None else None,
    }
    return {key: value for key, value in found.items() if value is not None}
