"""
Disks that move with a guest: exported by the destination's QEMU over NBD, written by the source's while the guest runs.

L{serve} and L{precreate} are the destination's side, L{Copying} the source's.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger

from pyvirt import constants as c
from pyvirt.definitions.domain import DomainDefinition
from pyvirt.drivers.qemu.blocks.beginning import busy, capacityOf
from pyvirt.drivers.qemu.blocks.chain import chain, disksOf, pathOf
from pyvirt.drivers.qemu.blocks.jobs import (
    BlockJob,
    concluded,
    forgetJob,
    whenEnded,
    whenReady,
)
from pyvirt.drivers.qemu.domain import Domain
from pyvirt.drivers.qemu.guest import Guest
from pyvirt.drivers.qemu.imagetool import imageTool
from pyvirt.drivers.qemu.migrationcookie import NBD
from pyvirt.drivers.qemu.migrationdata import Address, freePort, readAddress
from pyvirt.drivers.qemu.migrationtls import Encryption
from pyvirt.drivers.qemu.refusals import (
    failed,
    internal,
    invalidArgument,
    systemFailure,
)
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

if TYPE_CHECKING:
    from pyvirt.drivers.qemu.hypervisor import Hypervisor

__all__ = [
    "COPIES",
    "Copying",
    "abandon",
    "capacities",
    "checkChosen",
    "checkDisksAddress",
    "chosen",
    "precreate",
    "readDisksAddress",
    "removePrecreated",
    "serve",
]

log = Logger()

#: Seconds that QEMU may take to be done with a copy that has failed.
_ENDING = 30.0

COPIES = c.VIR_MIGRATE_NON_SHARED_DISK | c.VIR_MIGRATE_NON_SHARED_INC


def checkChosen(definition: DomainDefinition, flags: int, asked: dict[str, Any]) -> None:
    """
    Refuse disks that there are not.

    @raise VirtError: one was named.
    """
    if not flags & COPIES:
        return
    targets = {disk.target.dev for disk in disksOf(definition) if disk.target is not None}
    for name in asked.get(c.VIR_MIGRATE_PARAM_MIGRATE_DISKS) or ():
        if name not in targets:
            raise invalidArgument(f"disk target {name} not found")


def chosen(definition: DomainDefinition, flags: int, asked: dict[str, Any]) -> list[Any]:
    """Return the disks that are copied: those that were named, or all that the guest may write to by itself."""
    if not flags & COPIES:
        return []
    names = asked.get(c.VIR_MIGRATE_PARAM_MIGRATE_DISKS) or None
    found = []
    for disk in disksOf(definition):
        if disk.source is None or disk.source.isEmpty:
            continue
        if names is None:
            wanted = not disk.readonly and not disk.shareable
        else:
            wanted = disk.target.dev in names
        if wanted:
            found.append(disk)
    return found


async def capacities(guest: Guest, disks: Sequence[Any]) -> NBD:
    """
    Tell how large disks are, for the destination.

    @raise VirtError: QEMU does not know.
    """
    sizes = {}
    for disk in disks:
        images = chain(disk)
        if images:
            sizes[disk.target.dev] = await capacityOf(guest, images[0])
    return NBD(None, sizes)


def checkDisksAddress(asked: dict[str, Any], memory: str | None) -> None:
    """
    Refuse addresses that do not fit together.

    @param memory: where the guest's memory goes to, as it was given.
    @raise VirtError: they do not.
    """
    uri = asked.get(c.VIR_MIGRATE_PARAM_DISKS_URI)
    if uri is None and memory is not None and memory.startswith("unix:"):
        raise invalidArgument(
            "NBD URI must be supplied when migration URI uses UNIX transport method"
        )


def readDisksAddress(uri: str) -> Address:
    """
    Read where disks are to be copied to: C{tcp://HOST[:PORT]} or C{unix:///PATH}.

    @raise VirtError: it is neither.
    """
    scheme, colon, rest = uri.partition(":")
    if not colon:
        raise invalidArgument(f"No URI scheme specified: {uri}")
    if not scheme:
        raise internal(f"Unable to parse URI {uri}", ErrorDomain.URI)
    if scheme not in ("tcp", "unix"):
        raise invalidArgument(f"Unsupported scheme in disks URI: {scheme}")
    server = rest.removeprefix("//").partition("/")[0] if rest.startswith("//") else ""
    if scheme == "tcp" and not server:
        raise invalidArgument(f"URI with tcp scheme did not provide a server part: {uri}")
    if scheme == "unix" and not rest.removeprefix("//").removeprefix(server):
        raise invalidArgument("UNIX disks URI does not include path")
    return readAddress(uri)


# The destination


async def precreate(
    hypervisor: Hypervisor, disks: Sequence[Any], sizes: dict[str, int], flags: int
) -> list[str]:
    """
    Make images that are not there, as large as they are at the source and empty.

    @return: the paths of those that were made.
    @raise VirtError: one cannot be made; none is left.
    """
    made: list[str] = []
    try:
        for disk in disks:
            path = pathOf(disk.source)
            if not path.startswith("/") or os.path.exists(path):
                continue
            if getattr(disk.source, "file", None) is None:
                raise internal(f"cannot precreate storage for disk type '{disk.type}'")
            if flags & c.VIR_MIGRATE_NON_SHARED_INC:
                raise virtError(
                    ErrorCode.OPERATION_UNSUPPORTED,
                    "pre-creation of storage targets for incremental storage migration is not "
                    "supported",
                    ErrorDomain.QEMU,
                )
            size = sizes.get(disk.target.dev)
            if size is None:
                raise internal(f"unable to find capacity of disk '{disk.target.dev}'")
            await _make(hypervisor, path, getattr(disk.driver, "type", None) or "raw", size, made)
    except BaseException:
        removePrecreated(made)
        raise
    return made


async def _make(hypervisor: Hypervisor, path: str, format: str, size: int, made: list[str]) -> None:
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        raise virtError(
            ErrorCode.NO_STORAGE_POOL,
            f"no storage pool with matching target path '{folder}'",
            ErrorDomain.STORAGE,
        )
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        made.append(path)
        try:
            if format == "raw":
                os.ftruncate(fd, size)
        finally:
            os.close(fd)
    except OSError as problem:
        raise systemFailure(problem, f"cannot create path '{path}'", ErrorDomain.STORAGE) from None
    if format != "raw":
        await imageTool(hypervisor, "create", "-q", "-f", format, "--", path, str(size))


def removePrecreated(made: list[str]) -> None:
    """Remove images that were made for nothing."""
    while made:
        path = made.pop()
        try:
            os.unlink(path)
        except OSError as problem:
            log.warn("{path} cannot be removed: {problem}", path=path, problem=problem)


async def serve(
    hypervisor: Hypervisor,
    guest: Guest,
    disks: Sequence[Any],
    asked: dict[str, Any],
    listen: str,
    encryption: Encryption | None,
) -> tuple[int | None, int | None]:
    """
    Have QEMU take what is written to disks.

    @param listen: the address to listen at where no other is given.
    @return: the port that the source is told, None if it knows; and the one that is taken here.
    @raise VirtError: it cannot.
    """
    uri = asked.get(c.VIR_MIGRATE_PARAM_DISKS_URI)
    taken: int | None = None
    told: int | None = None
    if uri is not None:
        address = readDisksAddress(uri)
        if address.path is None and not address.port:
            address = address._replace(port=_free(hypervisor, address.host))
            taken = told = address.port
    else:
        port = asked.get(c.VIR_MIGRATE_PARAM_DISKS_PORT) or 0
        if not port:
            port = taken = _free(hypervisor, listen)
        address = Address(host=listen, port=port)
        told = port
    if taken is not None:
        hypervisor.migrationPorts.add(taken)
    try:
        serving: dict[str, Any] = {"addr": _server(address, True)}
        if encryption is not None:
            serving["tls-creds"] = encryption.credentials
        await guest.execute("nbd-server-start", serving)
        for disk in disks:
            image = chain(disk)[0]
            await guest.execute(
                "block-export-add",
                {
                    "type": "nbd",
                    "id": f"libvirt-nbd-{image.formatName}",
                    "node-name": image.formatName,
                    "writable": True,
                    "name": f"drive-{disk.alias}",
                },
            )
    except BaseException:
        if taken is not None:
            hypervisor.migrationPorts.discard(taken)
        raise
    return told, taken


def _free(hypervisor: Hypervisor, host: str) -> int:
    config = hypervisor.config
    ports = range(config["migration_port_min"], config["migration_port_max"] + 1)
    return freePort(host, ports, hypervisor.migrationPorts)


def _server(address: Address, listening: bool) -> dict[str, Any]:
    if address.path is not None:
        unix: dict[str, Any] = {"path": address.path}
        return {"type": "unix", "data": unix} if listening else {"type": "unix", **unix}
    inet: dict[str, Any] = {"host": address.host.strip("[]"), "port": str(address.port)}
    return {"type": "inet", "data": inet} if listening else {"type": "inet", **inet}


# The source


class Copying:
    """
    Disks that are being copied.
    """

    def __init__(self, hypervisor: Hypervisor, domain: Domain, guest: Guest) -> None:
        self._hypervisor = hypervisor
        self._domain = domain
        self._guest = guest
        self._jobs: list[BlockJob] = []
        self._nodes: list[str] = []
        self._sizes: dict[str, int] = {}
        self._encryption: Encryption | None = None
        self._waiting: Deferred[None] | None = None
        self._interrupted = False

    @property
    def any(self) -> bool:
        """Whether there is any."""
        return bool(self._jobs)

    def interrupt(self) -> Deferred[None]:
        """Do not wait any longer for disks to be the same."""
        self._interrupted = True
        if self._waiting is not None:
            _fire(None, self._waiting)
        return succeed(None)

    async def begin(
        self,
        disks: Sequence[Any],
        asked: dict[str, Any],
        cookie: NBD | None,
        memory: Address | None,
        speed: int,
        flags: int,
        encryption: Encryption | None,
    ) -> None:
        """
        Begin to copy, and wait until each is the same on both sides and stays so.

        @param memory: where the guest's memory goes to, None: through the connection of the daemons.
        @param speed: MiB a second.
        Somebody who does not want it any more ends the waiting too (L{interrupt}).

        @raise VirtError: it did not come to that; L{giveUp} follows.
        """
        uri = asked.get(c.VIR_MIGRATE_PARAM_DISKS_URI)
        address = None if uri is None else readDisksAddress(uri)
        if address is None or (address.path is None and not address.port):
            host = address.host if address is not None else (memory.host if memory else "")
            port = cookie.port if cookie is not None else None
            if port is None or not host:
                raise failed("the destination does not say where disks are to be copied to")
            address = Address(host=host, port=port)
        if encryption is not None and address.path is not None:
            raise virtError(
                ErrorCode.OPERATION_UNSUPPORTED,
                "NBD migration with TLS is not supported over UNIX socket",
                ErrorDomain.QEMU,
            )
        self._encryption = encryption
        guest, domain = self._guest, self._domain
        for disk in disks:
            busy(guest, disk)
        for disk in disks:
            await self._mirror(disk, address, speed, flags)
        for job in self._jobs:
            waiting = whenReady(job)
            assert guest.process is not None
            guest.process.whenEnded().addCallback(_fire, waiting)
            self._waiting = waiting
            if not self._interrupted:
                await waiting
            self._waiting = None
            if domain.guest is not guest or guest.monitor is None:
                domain.checkActive()
            if self._interrupted:
                return
            # It may have failed just now, and not be over yet for others.
            if job.state == "running":
                await self._failed(job)
            self.check()

    async def _failed(self, job: BlockJob) -> None:
        """Wait until a job that does not get ready is over."""
        clock = self._hypervisor.clock
        end = clock.seconds() + _ENDING
        while self._guest.blockJobs.get(job.disk) is job and clock.seconds() < end:
            pause: Deferred[None] = Deferred()
            clock.callLater(0.02, pause.callback, None)
            await pause
        if not job.over:
            raise failed(f"migration of disk {job.disk} failed")

    async def _mirror(self, disk: Any, address: Address, speed: int, flags: int) -> None:
        guest, target = self._guest, disk.target.dev
        storage, top = f"migration-{target}-storage", f"migration-{target}-format"
        await guest.execute(
            "blockdev-add",
            {
                "driver": "nbd",
                "server": _server(address, False),
                "export": f"drive-{disk.alias}",
                **({} if self._encryption is None else self._encryption.parameters),
                "node-name": storage,
                "read-only": False,
                "discard": "unmap",
            },
        )
        self._nodes.append(storage)
        await guest.execute(
            "blockdev-add",
            {"node-name": top, "read-only": False, "driver": "raw", "file": storage},
        )
        self._nodes.append(top)
        job = BlockJob(name=f"drive-{disk.alias}", kind="migration", disk=target)
        self._jobs.append(job)
        guest.blockJobs[target] = job
        self._hypervisor.saveStatus(self._domain)
        arguments: dict[str, Any] = {
            "job-id": job.name,
            "device": chain(disk)[0].formatName,
            "target": top,
            "speed": speed << 20,
            "sync": "top" if flags & c.VIR_MIGRATE_NON_SHARED_INC else "full",
            "auto-finalize": True,
            "auto-dismiss": False,
        }
        if flags & c.VIR_MIGRATE_NON_SHARED_SYNCHRONOUS_WRITES:
            arguments["copy-mode"] = "write-blocking"
        try:
            await guest.execute("blockdev-mirror", arguments)
        except BaseException:
            self._jobs.remove(job)
            forgetJob(guest, job)
            raise

    def check(self) -> None:
        """
        See whether all goes well.

        @raise VirtError: a disk could not be copied.
        """
        for job in self._jobs:
            if job.over:
                why = f": {job.problem}" if job.problem else ""
                raise failed(f"migration of disk {job.disk} failed{why}")

    async def progress(self) -> dict[str, int]:
        """Return how far it is: C{done} and C{whole}, in bytes, of all disks."""
        names = {job.name for job in self._jobs}
        for each in await self._guest.execute("query-block-jobs"):
            if isinstance(each, dict) and each.get("device") in names:
                offset, length = each.get("offset"), each.get("len")
                if type(offset) is int and type(length) is int:
                    self._sizes[f"{each['device']} done"] = max(0, offset)
                    self._sizes[f"{each['device']} whole"] = max(0, length)
        return {
            what: sum(value for key, value in self._sizes.items() if key.endswith(what))
            for what in ("done", "whole")
        }

    async def complete(self) -> None:
        """
        End it, now that nothing is written any more.

        @raise VirtError: a disk is not the same over there.
        """
        self.check()
        await self.progress()
        for job in self._jobs:
            waiting = whenEnded(job)
            await self._guest.execute("block-job-cancel", {"device": job.name})
            await self._over(job, waiting)
        await self._close()

    async def _over(self, job: BlockJob, waiting: Deferred[None]) -> None:
        guest = self._guest
        assert guest.process is not None
        guest.process.whenEnded().addCallback(_fire, waiting)
        await waiting
        if self._domain.guest is not guest or guest.monitor is None:
            self._domain.checkActive()
        problem = await concluded(self._hypervisor, self._domain, guest, job)
        if problem is not None and job.state != "aborting":
            raise failed(f"migration of disk {job.disk} failed: {problem}")

    async def giveUp(self) -> None:
        """Let what has not been completed be, as far as the guest still answers."""
        guest = self._guest
        try:
            for job in self._jobs:
                if job.over or self._domain.guest is not guest or guest.monitor is None:
                    continue
                waiting = whenEnded(job)
                job.state = "aborting"
                await guest.execute("block-job-cancel", {"device": job.name, "force": True})
                await self._over(job, waiting)
            await self._close()
        except VirtError as error:
            log.warn("copies of disks were not ended: {error}", error=error)

    async def _close(self) -> None:
        guest = self._guest
        while self._nodes:
            name = self._nodes.pop()
            if guest.monitor is not None:
                try:
                    await guest.execute("blockdev-del", {"node-name": name})
                except VirtError as error:
                    log.debug("{name} is not closed: {error}", name=name, error=error)


def _fire(_: Any, waiting: Deferred[None]) -> None:
    if not waiting.called:
        waiting.callback(None)


async def abandon(hypervisor: Hypervisor, domain: Domain, guest: Guest) -> None:
    """Give up copies that an earlier life of the daemon had begun."""
    copying = Copying(hypervisor, domain, guest)
    for job in list(guest.blockJobs.values()):
        if job.kind == "migration":
            copying._jobs.append(job)
            copying._nodes += [f"migration-{job.disk}-storage", f"migration-{job.disk}-format"]
    await copying.giveUp()
