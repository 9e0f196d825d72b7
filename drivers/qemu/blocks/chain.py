"""
The images that a disk is made of: the one in use, and those below that it was made from.

An image below the top is one that the definition names, or one that a header names; the latter is never part of what
the domain will be.  In a running guest each image has a number, from which the names of its nodes come.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence
from typing import Any

import attrs

from pyvirt.definitions.domain import DomainDefinition
from pyvirt.definitions.domain._disk import BackingFormat, BackingStore, DiskDriver
from pyvirt.definitions.domain._source import (
    DirSource,
    DiskSource,
    NetworkSource,
    NVMeSource,
)
from pyvirt.definitions.schema import replaced
from pyvirt.drivers.assigned.pci import pciName
from pyvirt.drivers.imageheaders import HEADER, ImageHeader, probedFormat, readHeader
from pyvirt.drivers.qemu.blocks.backingstrings import backingSource
from pyvirt.drivers.qemu.command.blockdevs import Node
from pyvirt.drivers.qemu.fdgroups import Groups, groupOf
from pyvirt.drivers.qemu.refusals import (
    invalidArgument,
    operationInvalid,
    systemFailure,
    unsupportedConfig,
)
from pyvirt.errors import ErrorDomain, VirtError

__all__ = [
    "NOBODY",
    "Image",
    "below",
    "chain",
    "chainsDetected",
    "diskNamed",
    "disksOf",
    "ends",
    "find",
    "goingOn",
    "headerOf",
    "localPath",
    "opened",
    "pathOf",
    "prepared",
    "readStart",
    "relativeName",
    "withChain",
    "withDisk",
]

#: Formats that may lie over others.
LAYERED = frozenset(("qcow2", "qcow", "qed", "vmdk", "cow"))
NOBODY: Groups = {}
#: What may be said of a disk instead of its source.
_OUTSIDE = ("auth", "encryption")
#: Nobody has more images above each other; QEMU would not open them.
DEPTH = 200


@attrs.frozen
class Image:
    """
    An image: where it is, its format, its number in a running guest.

    @ivar detected: nobody named it but the header of the image above.
    """

    source: DiskSource
    format: str
    index: int | None = None
    detected: bool = False

    @property
    def path(self) -> str:
        """Where it is on the host, in words."""
        return pathOf(self.source)

    @property
    def formatName(self) -> str:
        """The node that knows the format."""
        return f"libvirt-{self.index}-format"

    @property
    def storageName(self) -> str:
        """The node that reads and writes."""
        return f"libvirt-{self.index}-storage"

    @property
    def encrypted(self) -> bool:
        """Whether QEMU itself encrypts it."""
        encryption = self.source.encryption
        return encryption is not None and encryption.engine != "librbd"

    def node(self, readOnly: bool, last: bool = False) -> Node:
        """Return it as the command line takes it."""
        return Node(
            source=self.source,
            format=self.format,
            number=self.index or 0,
            readOnly=readOnly,
            encryption=self.source.encryption,
            auth=self.source.auth,
            last=last,
        )


def pathOf(source: Any) -> str:
    """Say where a source is, in words; "" if nowhere."""
    for name in ("file", "dev", "dir", "name", "volume"):
        found = getattr(source, name, None)
        if found:
            return str(found)
    return ""


def chain(disk: Any) -> list[Image]:
    """Return the images of a disk as far as its definition tells, the one in use first."""
    if disk.source is None or disk.source.isEmpty:
        return []
    driver = disk.driver
    form = (driver.type if driver is not None else None) or "raw"
    source = disk.source
    for name in _OUTSIDE:
        # Older definitions say of the disk what is said of its image today.
        if getattr(disk, name) is not None:
            source = replaced(source, **{name: getattr(disk, name)})
    return [Image(source, form, source.index), *below(disk.backingStore)]


def below(store: BackingStore | None) -> list[Image]:
    """Return the images that lie below another."""
    found = []
    while store is not None and store.source is not None:
        kind = store.format.type if store.format is not None else None
        found.append(Image(store.source, kind or "raw", store.index, store.detected))
        store = store.backingStore
    return found


def withChain(disk: Any, images: Sequence[Image]) -> Any:
    """Return a disk that is made of other images, which are then known to be all."""
    top = images[0]
    for name in _OUTSIDE:
        if getattr(disk, name) is not None:
            disk = replaced(disk, **{name: getattr(top.source, name)})
            top = attrs.evolve(top, source=replaced(top.source, **{name: None}))
    driver = disk.driver or DiskDriver()
    if driver.type != top.format:
        driver = replaced(driver, type=top.format)
    return replaced(
        disk,
        type=top.source.sourceType,
        source=replaced(top.source, index=top.index),
        driver=driver,
        backingStore=stores(images[1:]),
    )


def goingOn(disk: Any, images: Sequence[Image]) -> Any:
    """As L{withChain}, of a running guest: where nobody knows what its last image is laid over, nobody does then."""
    done = withChain(disk, images)
    if not ends(disk.backingStore) and chain(disk)[-1].index == images[-1].index:
        done = replaced(done, backingStore=opened(done.backingStore))
    return done


def ends(store: BackingStore | None) -> bool:
    """Whether it is said that there is nothing below the last image that is named."""
    while store is not None and store.source is not None:
        store = store.backingStore
    return store is not None


def stores(images: Sequence[Image]) -> BackingStore:
    """Return images as what lies below another."""
    store = BackingStore()
    for image in reversed(images):
        store = BackingStore(
            source=replaced(image.source, index=None),
            format=BackingFormat(type=image.format),
            backingStore=store,
            index=image.index,
            detected=image.detected,
        )
    return store


def disksOf(definition: DomainDefinition) -> tuple[Any, ...]:
    """Return the disks of a domain, each of which has a target."""
    return definition.devices.disks


def withDisk(definition: DomainDefinition, disk: Any) -> DomainDefinition:
    """Return a definition with one disk replaced, which is known by its target."""
    disks = tuple(
        disk if each.target.dev == disk.target.dev else each for each in disksOf(definition)
    )
    return replaced(definition, devices=replaced(definition.devices, disks=disks))


def diskNamed(definition: DomainDefinition, name: str) -> Any:
    """Find a disk by its target or by the path of its source; None: there is none."""
    for disk in disksOf(definition):
        if disk.target.dev == name:
            return disk
    if name.startswith("/"):
        for disk in definition.devices.disks:
            if disk.source is not None and pathOf(disk.source) == name:
                return disk
    return None


def split(name: str) -> tuple[str, int | None]:
    """Take the number off a name as C{vda[3]}."""
    if name.endswith("]"):
        target, _, number = name[:-1].rpartition("[")
        if target and number.isascii() and number.isdigit() and len(number) < 10:
            return target, int(number)
    return name, None


def find(images: Sequence[Image], name: str, target: str, above: int | None = None) -> int:
    """
    Find an image of a disk by its number as in C{vda[1]}, or by a path that leads to it.

    @param name: a path that is not absolute is seen from the image above.
    @param above: a place in the chain below which it has to be; None: anywhere.
    @return: its place.
    @raise VirtError: there is no such image.
    """
    wanted, number = split(name)
    if number is not None and wanted != target:
        detail = f"requested target '{wanted}' does not match target '{target}'"
        raise invalidArgument(detail, ErrorDomain.STORAGE)
    for place, image in enumerate(images):
        if above is not None and place <= above:
            continue
        if number is not None:
            if image.index == number:
                return place
        elif image.path == name or _leadsTo(name, images[place - 1] if place else None, image):
            return place
    if number is not None:
        detail = f"could not find backing store index '{number}' in chain for '{target}'"
        raise invalidArgument(detail, ErrorDomain.STORAGE)
    if above is not None:
        upper = (images[above].path if images else "") or "<null>"
        detail = f"could not find image '{name}' beneath '{upper}' in chain for '{target}'"
    else:
        detail = f"could not find image '{name}' in chain for '{target}'"
    raise invalidArgument(detail, ErrorDomain.STORAGE)


def relativeName(images: Sequence[Image], top: int, base: int) -> str:
    """
    Return by what name an image would name another one below it, out of the names in the headers between them.

    @param top, base: places of the first image of those between, and of the one that is to be named.
    @raise VirtError: one of the names says where an image is, not where it is from there.
    """
    path = ""
    for place in range(top, base + 1):
        above = images[place - 1]
        try:
            name = headerOf(above.source, above.format).backing
        except OSError:
            name = None
        if not name or name.startswith("/") or ":" in name.partition("/")[0]:
            raise operationInvalid("can't keep relative backing relationship")
        path = os.path.join(os.path.dirname(path), name)
    return path


def _leadsTo(name: str, above: Image | None, image: Image) -> bool:
    """Whether a path leads to the file of an image, seen from the folder of the one above."""
    path = localPath(image.source)
    if not path:
        return False
    folder = os.path.dirname(above.path) if above is not None and localPath(above.source) else "."
    try:
        return os.path.samefile(os.path.join(folder, name), path)
    except (OSError, ValueError):
        return False


# What headers tell


def readStart(source: Any) -> bytes:
    """
    Read the first bytes of an image on this host.

    @raise OSError: it cannot be read.
    """
    fd = os.open(localPath(source) or "", os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    try:
        return os.pread(fd, HEADER, 0)
    finally:
        os.close(fd)


def headerOf(source: Any, format: str, groups: Groups = NOBODY) -> ImageHeader:
    """
    Read the header of an image on this host; elsewhere there is none to be read.

    @param format: C{auto}: find out.
    @param groups: descriptors that images are given as.
    @raise OSError: it cannot be read.
    """
    group = groups.get(getattr(source, "fdgroup", None) or "")
    if group is not None:
        data = os.pread(group.fds[0], HEADER, 0)
        return readHeader(data, probedFormat(data) if format == "auto" else format)
    path = getattr(source, "file", None) or getattr(source, "dev", None)
    if not path or not path.startswith("/"):
        return ImageHeader(format="raw" if format == "auto" else format)
    data = readStart(source)
    return readHeader(data, probedFormat(data) if format == "auto" else format)


def chainsDetected(
    definition: DomainDefinition,
    take: Callable[[], int],
    ids: tuple[int, int] = (0, 0),
    missing: Callable[[Any, VirtError], Any] | None = None,
    groups: Groups = NOBODY,
) -> DomainDefinition:
    """
    Give every image of a guest that is to start its number, and add those images that headers name.

    @param take: C{()} to the next number.
    @param ids: user and group of the guest, for errors.
    @param groups: descriptors that images are given as.
    @param missing: is told of a disk whose images are not there and why, and returns what becomes of it: another
        disk, or None: it is left out; or raises. Without it, that is an error.
    @raise VirtError: an image that another needs is missing, or says nothing of its format.
    """
    disks: list[Any] = []
    # What definitions name is numbered first, of all disks.
    named: list[tuple[Any, list[Image], bool]] = []
    for disk in reversed(definition.devices.disks):
        if disk.source is None or disk.source.isEmpty:
            take()
            named.append((disk, [], True))
        else:
            images, terminated = _named(disk)
            numbered = [attrs.evolve(image, index=take()) for image in images]
            named.append((disk, numbered, terminated))
    for disk, images, terminated in named:
        if not images:
            if disk.driver is not None and disk.driver.type == "raw":
                # What is not there has no format.
                disk = replaced(disk, driver=replaced(disk.driver, type=None))
            disks.insert(0, disk)
            continue
        try:
            disk = _detected(disk, images, terminated, take, ids, groups)
        except VirtError as problem:
            if missing is None:
                raise
            disk = missing(disk, problem)
            if disk is None:
                continue
        disks.insert(0, disk)
    return replaced(definition, devices=replaced(definition.devices, disks=tuple(disks)))


def _named(disk: Any) -> tuple[list[Image], bool]:
    """Return the images that a definition names, and whether it says that nothing lies below them."""
    images = chain(disk)
    store, terminated = disk.backingStore, False
    while store is not None:
        terminated = store.source is None
        store = store.backingStore
    if any(image.detected for image in images):
        # What was found for an earlier run may be something else by now.
        images, terminated = [image for image in images if not image.detected], False
    return images, terminated


def _detected(
    disk: Any,
    images: list[Image],
    terminated: bool,
    take: Callable[[], int],
    ids: tuple[int, int],
    groups: Groups,
) -> Any:
    known = True
    _checkNamed(disk, images, terminated, ids, groups)
    if not terminated:
        known = detectBelow(images, ids, groups)
    images = [
        image if image.index is not None else attrs.evolve(image, index=take()) for image in images
    ]
    images = [attrs.evolve(image, source=prepared(image.source)) for image in images]
    done = withChain(disk, images)
    if known:
        return done
    if len(images) == 1:
        return replaced(done, backingStore=None)
    return replaced(done, backingStore=opened(done.backingStore))


def prepared(source: Any) -> Any:
    """
    Say of a source that a guest is to open what holds where nobody says it: a server is spoken to without TLS, and QEMU
    itself decrypts.
    """
    encryption = source.encryption
    if encryption is not None and encryption.engine is None:
        source = replaced(source, encryption=replaced(encryption, engine="qemu"))
    if isinstance(source, NetworkSource) and source.protocol in ("nbd", "vxhs"):
        return replaced(source, tls=bool(source.tls))
    return source


def _checkNamed(
    disk: Any, images: Sequence[Image], terminated: bool, ids: tuple[int, int], groups: Groups
) -> None:
    """
    Look whether the images that a definition names are there.

    @raise VirtError: one is not.
    """
    for place, image in enumerate(images):
        if groupOf(image.source, groups) is not None and (place or not image.source.startupPolicy):
            continue
        if isinstance(image.source, NVMeSource):
            config = f"/sys/bus/pci/devices/{pciName(image.source.address)}/config"
            try:
                os.stat(config)
            except OSError as problem:
                detail = (
                    f"Device {pciName(image.source.address)} not found: could not access {config}"
                )
                raise systemFailure(problem, detail, ErrorDomain.NONE) from None
        path = localPath(image.source)
        alone = not place and image.format not in LAYERED
        if not path or (terminated and not alone and place == len(images) - 1):
            # Below the last one there is nothing: nobody looks into it.
            continue
        try:
            os.stat(path)
        except OSError as problem:
            what = f"storage file '{path}'"
            if place and (terminated or place < len(images) - 1):
                what = f"backing file '{path}' of storage file '{images[0].path}'"
            if not alone:
                # It is looked at with the eyes of the guest.
                what += f" (as uid:{ids[0]}, gid:{ids[1]})"
            raise systemFailure(problem, f"Cannot access {what}", ErrorDomain.STORAGE) from None


def localPath(source: Any) -> str | None:
    """Return the file, device or folder of this host that a source is; None: it is elsewhere."""
    for name in ("file", "dev", "dir"):
        path = getattr(source, name, None)
        if path:
            return str(path)
    return None


def opened(store: BackingStore | None) -> BackingStore | None:
    """Return a chain without the mark that nothing is below it."""
    if store is None or store.source is None:
        return None
    return replaced(store, backingStore=opened(store.backingStore))


def detectBelow(
    images: list[Image], ids: tuple[int, int] = (0, 0), groups: Groups = NOBODY
) -> bool:
    """
    Add to a chain the images that the header of its last one names, and theirs.

    @return: whether the end of the chain is known.
    @raise VirtError: as L{chainsDetected}.
    """
    first = images[-1].path
    while images[-1].format in LAYERED:
        last = images[-1]
        if isinstance(last.source, NetworkSource):
            # QEMU alone looks into images elsewhere.
            return False
        try:
            header = headerOf(last.source, last.format, groups)
        except OSError as problem:
            if os.path.exists(last.path):
                detail = f"cannot read header '{last.path}'"
                raise systemFailure(problem, detail, ErrorDomain.STORAGE) from None
            if len(images) == 1 and not last.detected:
                # Whoever starts the guest complains in other words.
                return True
            detail = (
                f"Cannot access backing file '{last.path}' of storage file '{first}' "
                f"(as uid:{ids[0]}, gid:{ids[1]})"
            )
            raise systemFailure(problem, detail, ErrorDomain.STORAGE) from None
        if header.backing is None:
            return True
        source = backingSource(header.backing, last.path)
        if source is None:
            return False
        if isinstance(source, DirSource):
            raise unsupportedConfig("storage type 'dir' requires use of storage format 'fat'")
        if len(images) > DEPTH or any(image.path == pathOf(source) for image in images):
            raise systemFailure(
                OSError(errno.ELOOP, os.strerror(errno.ELOOP)),
                f"backing store for {images[0].path} is self-referential",
                ErrorDomain.STORAGE,
            )
        # What is encrypted below others nobody opens without being told.
        form = "raw" if header.backingFormat == "luks" else header.backingFormat
        if form is None:
            try:
                form = headerOf(source, "auto").format
            except OSError:
                form = "raw"
            if form != "raw":
                raise operationInvalid(
                    f"format of backing image '{header.backing}' of image '{last.path}' was not "
                    "specified in the image metadata "
                    "(See https://libvirt.org/kbase/backing_chains.html for troubleshooting)",
                    ErrorDomain.STORAGE,
                )
        images.append(Image(source, form, None, True))
        if form == "raw" and not isinstance(source, NetworkSource):
            try:
                os.stat(pathOf(source))
            except OSError as problem:
                detail = (
                    f"Cannot access backing file '{pathOf(source)}' of storage file "
                    f"'{first}' (as uid:{ids[0]}, gid:{ids[1]})"
                )
                raise systemFailure(problem, detail, ErrorDomain.STORAGE) from None
    return not isinstance(images[-1].source, NetworkSource)
