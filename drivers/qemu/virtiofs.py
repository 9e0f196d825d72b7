"""
Folders of the host that C{virtiofsd} shares: one process for each, which a guest talks to through a socket.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from pyvirt.definitions.domain import DomainDefinition
from pyvirt.definitions.domain._filesystem import FSBinary
from pyvirt.definitions.schema import replaced
from pyvirt.drivers.qemu.files import listenAt
from pyvirt.drivers.qemu.guest import Guest
from pyvirt.drivers.qemu.guestlogs import GuestLog
from pyvirt.drivers.qemu.helpers import Helper, isRunning, startHelper
from pyvirt.drivers.qemu.layout import shortName
from pyvirt.drivers.qemu.refusals import failed, internal
from pyvirt.drivers.qemu.vhostuser import vhostUserPrograms
from pyvirt.process import Command

if TYPE_CHECKING:
    from pyvirt.drivers.qemu.hypervisor import Hypervisor

__all__ = [
    "chooseShares",
    "served",
    "serverCommand",
    "shareHelpers",
    "startShares",
]


def served(definition: DomainDefinition) -> list[Any]:
    """Return the folders that processes of ours share."""
    return [
        fs
        for fs in definition.devices.filesystems
        if fs.driver is not None
        and fs.driver.type == "virtiofs"
        and fs.source is not None
        and fs.source.socket is None
    ]


def _helper(hypervisor: Hypervisor, definition: DomainDefinition, guest: Guest, fs: Any) -> Helper:
    short = shortName(guest.id, definition.name).removeprefix("domain-")
    return Helper(
        name="virtiofsd",
        title="virtiofsd",
        pidFile=os.path.join(hypervisor.layout.run, f"{short}-{fs.alias}-fs.pid"),
        sockets=(os.path.join(guest.folder, f"{fs.alias}-fs.sock"),),
    )


def shareHelpers(
    hypervisor: Hypervisor, definition: DomainDefinition, guest: Guest
) -> list[Helper]:
    """Return what serves the shared folders of a guest."""
    return [_helper(hypervisor, definition, guest, fs) for fs in served(definition)]


def serverCommand(fs: Any, binary: str, fd: int, *, debug: bool = False) -> tuple[str, ...]:
    """Return the command that shares a folder with whoever connects to a listening descriptor."""
    options = [f"source={(fs.source.dir or '').replace(',', ',,')}"]
    details = fs.binary
    threads = None
    if details is not None:
        if details.cache is not None:
            options.append(f"cache={details.cache}")
        if details.sandbox is not None:
            options.append(f"sandbox={details.sandbox}")
        if details.xattr is not None:
            options.append("xattr" if details.xattr else "no_xattr")
        lock = details.lock
        if lock is not None:
            if lock.flock is not None:
                options.append("flock" if lock.flock else "no_flock")
            if lock.posix is not None:
                options.append("posix_lock" if lock.posix else "no_posix_lock")
        threads = details.threadPool
    argv = [binary, f"--fd={fd}", "-o", ",".join(options)]
    if threads is not None:
        argv.append(f"--thread-pool-size={threads}")
    if debug:
        argv.append("-d")
    return tuple(argv)


def binaryOf(fs: Any) -> str:
    """
    Return the program that shares a folder.

    @raise VirtError: there is none.
    """
    binary = fs.binary.path if fs.binary is not None else None
    if binary is None:
        binary = next(vhostUserPrograms("fs"), None)
    if binary is None:
        raise failed("Unable to find a satisfying virtiofsd")
    return str(binary)


def chooseShares(definition: DomainDefinition) -> DomainDefinition:
    """
    Say who shares folders where the definition does not, and look whether they and what is shared is there.

    @raise VirtError: something is not.
    """
    ours = served(definition)
    filesystems = []
    for fs in definition.devices.filesystems:
        if not any(fs is each for each in ours):
            filesystems.append(fs)
            continue
        binary = binaryOf(fs)
        filesystems.append(replaced(fs, binary=replaced(fs.binary or FSBinary(), path=binary)))
        if not os.access(binary, os.X_OK):
            raise internal(f"virtiofsd binary '{binary}' is not executable")
        folder = (fs.source.dir if fs.source is not None else None) or ""
        if not os.path.isdir(folder):
            raise internal(f"the virtiofs export directory '{folder}' does not exist")
    devices = replaced(definition.devices, filesystems=tuple(filesystems))
    return replaced(definition, devices=devices)


def startShares(
    hypervisor: Hypervisor, definition: DomainDefinition, guest: Guest, guestLog: GuestLog
) -> None:
    """
    Start what serves the shared folders of a guest.

    @raise VirtError: one cannot be.
    """
    for fs in served(definition):
        helper = _helper(hypervisor, definition, guest, fs)
        listening = listenAt(helper.sockets[0], guest.owner)
        try:
            debug = bool(hypervisor.config["virtiofsd_debug"])
            argv = serverCommand(fs, binaryOf(fs), listening.fileno(), debug=debug)
            startHelper(
                hypervisor,
                helper,
                Command(argv=argv, descriptors=(listening.fileno(),)),
                hypervisor.layout.log(f"{definition.name}-{fs.alias}-virtiofsd"),
                guestLog,
            )
        finally:
            listening.close()


def checkServed(hypervisor: Hypervisor, definition: DomainDefinition, guest: Guest) -> None:
    """
    Look whether what serves the shared folders of a guest still does, once the guest is there.

    @raise VirtError: it does not.
    """
    for helper in shareHelpers(hypervisor, definition, guest):
        if not isRunning(helper):
            raise internal("virtiofsd died unexpectedly")
