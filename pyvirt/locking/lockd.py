"""
Leases that a lock daemon holds: libvirt's virtlockd, or C{twistd pyvirt-lockd}.

The guest's process asks for its leases itself, before it becomes the guest, and its connection stays open: when
the guest ends, however it does, the daemon knows.  What changes later this side asks for, in the guest's name.

Configuration, C{/etc/libvirt/qemu-lockd.conf}, has libvirt's keys: C{auto_disk_leases} (1: each writable disk gets
a lease), C{require_lease_for_disks} (a guest with writable disks and no lease is refused), C{file_lockspace_dir}
(leases are files there, named after the disk's path, instead of the disk itself), C{lvm_lockspace_dir} and
C{scsi_lockspace_dir} (so they are for what is below C{/dev} and is a volume of LVM or a SCSI disk, named after what it
is, which is the same on each host).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import UNIXClientEndpoint
from twisted.internet.protocol import Factory
from zope.interface import implementer

from pyvirt.drivers.interfaces.locking import (
    Guest,
    ILockManager,
    ILockManagerFactory,
    Launch,
    Lockable,
)
from pyvirt.errors import ConfigUnsupported, ErrorCode, ErrorDomain, VirtError, virtError
from pyvirt.locking import plugin
from pyvirt.locking.space import AUTOCREATE, SHARED
from pyvirt.process import Command, IProcesses, Processes
from pyvirt.protocols.procedures import Procedure
from pyvirt.protocols.programs.lock import PROGRAM
from pyvirt.protocols.rpc import RPCClient
from pyvirt.protocols.structs import LockOwner

__all__ = ["LockdManager", "factory"]

#: Seconds within which the daemon must answer.
TIMEOUT = 30.0

_PROCEDURES: dict[str, Procedure] = {each.name: each for each in PROGRAM.procedures.values()}

#: A lease as the daemon knows it: lock space, name, flags.
Lease = tuple[str, str, int]

#: What tells the names of devices, which their paths follow.
_LVM = ("/sbin/lvs", "--noheadings", "--unbuffered", "--nosuffix", "--options", "uuid")
_SCSI = ("/lib/udev/scsi_id", "--replace-whitespace", "--whitelisted", "--device")


def _early(code: int, text: str) -> VirtError:
    """Make the error of a guest that could not even ask: libvirt passes on what its process has said."""
    kind = "internal error" if code == ErrorCode.INTERNAL_ERROR else "unsupported configuration"
    said = f"Process exited prior to exec: libvirt: Lock Driver error : {kind}: {text}"
    return virtError(ErrorCode.INTERNAL_ERROR, said, ErrorDomain.QEMU)


@implementer(ILockManager)
class LockdManager:
    """Leases of a lock daemon on this host."""

    def __init__(
        self,
        reactor: Any,
        socket: str,
        *,
        automatic: bool = True,
        required: bool | None = None,
        folder: str = "",
        lvmFolder: str = "",
        scsiFolder: str = "",
        processes: IProcesses | None = None,
    ) -> None:
        """
        @param socket: the daemon's.
        @param automatic: whether disks get leases that the definition does not name.
        @param required: whether writable disks without a lease are refused; None: unless they get them.
        @param folder: where leases of disks are; empty: the disks' own files are locked.
        @param lvmFolder: where those of LVM's volumes are, and C{scsiFolder} those of SCSI disks; empty: as of others.
        @param processes: runs what tells what a device is; None: on this machine.
        """
        self._reactor = reactor
        self._socket = socket
        self._automatic = automatic
        self._required = not automatic if required is None else required
        self._folder = folder
        self._named = ((lvmFolder, _LVM), (scsiFolder, _SCSI))
        self._processes = processes or Processes(reactor)

    async def _names(self, resources: Sequence[Lockable]) -> dict[str, tuple[str, str]]:
        """Find devices that have names of their own: path to lock space and name."""
        found = {}
        for each in resources:
            if each.key is not None or not self._automatic or not each.path.startswith("/dev"):
                continue
            for folder, command in self._named:
                name = await self._name((*command, each.path)) if folder else ""
                if name:
                    found[each.path] = (folder, name)
                    break
        return found

    async def _name(self, argv: tuple[str, ...]) -> str:
        answer = await self._processes.run(Command(argv=argv, statuses=None, deadline=TIMEOUT))
        if answer.status:
            return ""
        return answer.output.decode(errors="replace").strip().partition("\n")[0].rstrip()

    def leases(
        self, resources: Sequence[Lockable], names: Mapping[str, tuple[str, str]] | None = None
    ) -> list[Lease]:
        """
        Say what to ask for.

        @param names: of devices that have some, lock space and name.
        @raise VirtError: disks have no lease but must, or a named lease is none for this manager.
        """
        found: list[Lease] = []
        for each in resources:
            flags = SHARED if each.shared else 0
            if each.key is not None:
                if each.offset:
                    raise virtError(
                        ErrorCode.INTERNAL_ERROR,
                        "Offset must be zero for this lock manager",
                        ErrorDomain.LOCKING,
                    )
                # As libvirt's own driver has it.
                where = f"{each.path}/{each.space}" if each.space else each.path
                found.append((where, each.key, flags))
            elif not self._automatic:
                continue
            elif names and each.path in names:
                found.append((*names[each.path], flags | AUTOCREATE))
            elif self._folder:
                name = hashlib.sha256(os.fsencode(each.path)).hexdigest()
                found.append((self._folder, name, flags | AUTOCREATE))
            else:
                found.append(("", each.path, flags))
        if self._required and not found and any(not each.shared for each in resources):
            text = "Read/write, exclusive access, disks were present, but no leases specified"
            raise ConfigUnsupported(
                f"unsupported configuration: {text}",
                domain=ErrorDomain.LOCKING,
                str1="unsupported configuration: %s",
                str2=text,
            )
        return found

    async def _prepare(self, resources: Sequence[Lockable]) -> list[Lease]:
        """Say what to ask for, and see to it that the folders are there."""
        leases = self.leases(resources, await self._names(resources))
        # Those that are asked for do not exist before the lock daemon knows of them.
        ours = {self._folder, *(folder for folder, _ in self._named)} - {""}
        folders = sorted({space for space, _, _ in leases} & ours)
        if folders:
            client = await self._connect()
            try:
                for each in folders:
                    await self._ask(client, "createLockspace", each)
            finally:
                client.transport.loseConnection()
        return leases

    def launch(self, guest: Guest, resources: Sequence[Lockable]) -> Deferred[Launch]:
        return Deferred.fromCoroutine(self._launch(guest, resources))

    async def _launch(self, guest: Guest, resources: Sequence[Lockable]) -> Launch:
        try:
            leases = await self._prepare(resources)
        except VirtError as problem:
            if problem.domain != ErrorDomain.LOCKING:
                raise
            raise _early(problem.code, problem.str2 or str(problem)) from None
        return plugin.launch(
            "lockd",
            {
                "socket": self._socket,
                "timeout": TIMEOUT,
                "uuid": guest.uuid,
                "name": guest.name,
                "id": max(guest.id, 1),
                "leases": leases,
            },
        )

    def explain(self, output: bytes) -> VirtError | None:
        return plugin.explain(output)

    def acquire(self, guest: Guest, resources: Sequence[Lockable]) -> Deferred[None]:
        return Deferred.fromCoroutine(self._acquire(guest, resources))

    async def _acquire(self, guest: Guest, resources: Sequence[Lockable]) -> None:
        leases = await self._prepare(resources)
        if not leases:
            return
        client = await self._registered(guest)
        held: list[Lease] = []
        try:
            for each in leases:
                await self._ask(client, "acquireResource", *each)
                held.append(each)
        except BaseException:
            for space, name, _ in reversed(held):
                await self._ask(client, "releaseResource", space, name, 0)
            raise
        finally:
            client.transport.loseConnection()

    def release(self, guest: Guest, resources: Sequence[Lockable]) -> Deferred[None]:
        return Deferred.fromCoroutine(self._release(guest, resources))

    async def _release(self, guest: Guest, resources: Sequence[Lockable]) -> None:
        leases = self.leases(resources, await self._names(resources))
        if not leases:
            return
        client = await self._registered(guest)
        try:
            for space, name, _ in leases:
                try:
                    await self._ask(client, "releaseResource", space, name, 0)
                except VirtError as problem:
                    if problem.domain != ErrorDomain.LOCKSPACE:
                        raise  # else it did not hold this one
        finally:
            client.transport.loseConnection()

    def adopt(self, guest: Guest) -> None:
        """Its leases hang on a connection of its own."""

    async def _registered(self, guest: Guest) -> RPCClient:
        client = await self._connect()
        owner = LockOwner(
            bytes.fromhex(guest.uuid.replace("-", "")),
            guest.name,
            max(guest.id, 1),
            guest.pid,
        )
        try:
            await self._ask(client, "register", owner, 0)
        except BaseException:
            client.transport.loseConnection()
            raise
        return client

    async def _connect(self) -> RPCClient:
        endpoint = UNIXClientEndpoint(self._reactor, self._socket, timeout=TIMEOUT)
        made: Factory = Factory.forProtocol(lambda: RPCClient(self._reactor))
        try:
            client: RPCClient = await endpoint.connect(made)
        except Exception as problem:
            number = getattr(problem, "osError", None)
            reason = os.strerror(number) if isinstance(number, int) else str(problem)
            text = f"Failed to connect socket to '{self._socket}': {reason}"
            raise VirtError(
                text, code=ErrorCode.SYSTEM_ERROR, domain=ErrorDomain.RPC, str1="%s", str2=text
            ) from None
        return client

    async def _ask(self, client: RPCClient, name: str, *arguments: Any) -> None:
        answer: Deferred[Any] = client.call(PROGRAM, _PROCEDURES[name], arguments)
        await answer.addTimeout(TIMEOUT, self._reactor)


@implementer(ILockManagerFactory)
class _Factory:
    name = "lockd"

    def make(self, reactor: Any, root: str, privileged: bool, driver: str) -> LockdManager:
        from pyvirt.locking.tap import runFolder

        found = plugin.readConfig(
            root,
            driver,
            self.name,
            {
                "auto_disk_leases": bool,
                "require_lease_for_disks": bool,
                "file_lockspace_dir": str,
                "lvm_lockspace_dir": str,
                "scsi_lockspace_dir": str,
            },
        )
        folder = runFolder(0 if privileged else os.geteuid() or 1, os.environ)
        return LockdManager(
            reactor,
            os.path.join(root, folder.lstrip("/"), "virtlockd-sock"),
            automatic=found.get("auto_disk_leases", True),
            required=found.get("require_lease_for_disks"),
            folder=found.get("file_lockspace_dir", ""),
            lvmFolder=found.get("lvm_lockspace_dir", ""),
            scsiFolder=found.get("scsi_lockspace_dir", ""),
        )


factory = _Factory()
