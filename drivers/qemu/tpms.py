"""
TPMs that C{swtpm} plays: their state, made once per domain, and the process that serves a guest.
"""

from __future__ import annotations

import grp
import os
import pwd
import shutil
from typing import TYPE_CHECKING, Any

from twisted.logger import Logger

from pyvirt.definitions.domain import DomainDefinition
from pyvirt.definitions.uuids import formatUUID
from pyvirt.drivers.qemu.files import removeFolder
from pyvirt.drivers.qemu.guest import Guest
from pyvirt.drivers.qemu.guestlogs import GuestLog
from pyvirt.drivers.qemu.helpers import Helper, awaitSocket, startHelper
from pyvirt.drivers.qemu.layout import shortName
from pyvirt.drivers.qemu.refusals import internal, systemFailure
from pyvirt.drivers.qemu.secretvalues import secretValue
from pyvirt.errors import ErrorDomain, VirtError
from pyvirt.folders import makeFolders
from pyvirt.process import Command

if TYPE_CHECKING:
    from pyvirt.drivers.qemu.hypervisor import Hypervisor

__all__ = [
    "emulated",
    "removeState",
    "serverCommand",
    "setupCommands",
    "startTPM",
    "stateFolder",
    "tpmHelper",
]

log = Logger()


def emulated(definition: DomainDefinition) -> Any:
    """Return the TPM of a guest that is played by a process of ours, or None."""
    for tpm in definition.devices.tpms:
        if tpm.backend.type == "emulator":
            return tpm
    return None


def _runFolder(hypervisor: Hypervisor) -> str:
    return os.path.join(hypervisor.layout.run, "swtpm")


def tpmHelper(hypervisor: Hypervisor, definition: DomainDefinition, id: int) -> Helper:
    """Return what serves the TPM of a guest."""
    base = os.path.join(
        _runFolder(hypervisor), f"{shortName(id, definition.name).removeprefix('domain-')}-swtpm"
    )
    return Helper(
        name="swtpm", pidFile=f"{base}.pid", sockets=(f"{base}.sock",), title="TPM Emulator"
    )


def _storage(hypervisor: Hypervisor, definition: DomainDefinition) -> str:
    lib = os.path.dirname(hypervisor.layout.lib)
    if not hypervisor.privileged:
        lib = os.path.join(os.path.dirname(hypervisor.layout.config), "qemu")
    assert definition.uuid is not None
    return os.path.join(lib, "swtpm", formatUUID(definition.uuid))


def stateFolder(hypervisor: Hypervisor, definition: DomainDefinition, tpm: Any) -> str:
    """Return where the state of a TPM is."""
    version = "tpm1.2" if tpm.backend.version == "1.2" else "tpm2"
    return os.path.join(_storage(hypervisor, definition), version)


def removeState(
    hypervisor: Hypervisor,
    definition: DomainDefinition,
    *,
    keep: bool = False,
    remove: bool = False,
) -> None:
    """
    Remove the state of a domain's TPM, unless it is to be kept.

    @param keep, remove: what was asked for; neither: as the definition says.
    """
    tpm = emulated(definition)
    if tpm is None or keep or (tpm.backend.persistent and not remove):
        return
    removeFolder(_storage(hypervisor, definition))


def logFile(hypervisor: Hypervisor, name: str) -> str:
    """Return the file that gets what the processes of a TPM say."""
    folder = (
        os.path.join(os.path.dirname(os.path.dirname(hypervisor.layout.logs)), "swtpm/libvirt/qemu")
        if hypervisor.privileged
        else os.path.join(os.path.dirname(hypervisor.layout.logs), "swtpm")
    )
    return os.path.join(folder, f"{name}-swtpm.log")


def setupCommands(
    tpm: Any,
    folder: str,
    name: str,
    uuid: str,
    logged: str,
    *,
    created: bool,
    privileged: bool = True,
    password: int | None = None,
) -> list[tuple[str, ...]]:
    """
    Return the commands that make, or change, the state of a TPM before its guest starts.

    @param created: its folder has just been made.
    @param password: the descriptor of what the state is encrypted with.
    """
    version = ("--tpm2",) if tpm.backend.version != "1.2" else ()
    secret: tuple[str, ...] = ()
    if password is not None:
        secret = ("--pwdfile-fd", str(password), "--cipher", "aes-256-cbc")
    found: list[tuple[str, ...]] = []
    if created:
        if not privileged:
            found.append(("swtpm_setup", "--create-config-files", "skip-if-exist"))
        found.append(
            (
                *("swtpm_setup", *version, *secret, "--tpm-state", folder),
                *("--vmid", f"{name}:{uuid}", "--logfile", logged, "--createek"),
                *("--create-ek-cert", "--create-platform-cert", "--lock-nvram", "--not-overwrite"),
            )
        )
    banks = tpm.backend.banks
    if version and banks:
        found.append(
            (
                *("swtpm_setup", *version, *secret, "--tpm-state", folder, "--logfile", logged),
                *("--pcr-banks", ",".join(banks), "--reconfigure"),
            )
        )
    return found


def serverCommand(
    tpm: Any, folder: str, socket: str, logged: str, passwords: tuple[int, ...] = ()
) -> tuple[str, ...]:
    """Return the command that serves a TPM at a socket."""
    argv = [
        *("swtpm", "socket", "--ctrl", f"type=unixio,path={socket},mode=0600"),
        *("--tpmstate", f"dir={folder},mode=0600", "--log", f"file={logged}", "--terminate"),
    ]
    if tpm.backend.version != "1.2":
        argv.append("--tpm2")
    if passwords:
        argv += ["--key", f"pwdfd={passwords[0]},mode=aes-256-cbc"]
        argv += ["--migration-key", f"pwdfd={passwords[1]},mode=aes-256-cbc"]
    return tuple(argv)


async def startTPM(
    hypervisor: Hypervisor,
    definition: DomainDefinition,
    guest: Guest,
    guestLog: GuestLog,
    *,
    incoming: bool,
) -> None:
    """
    Start what serves the TPM of a guest, if it has one; its state is made where there is none.

    @param incoming: the guest comes with its state, from another host or a file.
    @raise VirtError: it cannot be; state that was made for it is removed again.
    """
    tpm = emulated(definition)
    if tpm is None:
        return
    binaries = {}
    for name in ("swtpm", "swtpm_setup"):
        path = shutil.which(name)
        if path is None:
            raise internal(f"Unable to find '{name}' binary in $PATH", ErrorDomain.NONE)
        binaries[name] = path
    user, group = _owner(hypervisor)
    folder = stateFolder(hypervisor, definition, tpm)
    logged = logFile(hypervisor, definition.name)
    helper = tpmHelper(hypervisor, definition, guest.id)
    created = not os.path.isdir(folder)
    _folders(hypervisor, folder, logged, (user, group))
    secret = tpm.backend.encryption
    try:
        value = None
        if secret is not None:
            value = await secretValue(hypervisor, "vtpm", secret, None)
        assert definition.uuid is not None
        facts = (tpm, folder, definition.name, formatUUID(definition.uuid), logged)
        await _setUp(hypervisor, facts, created and not incoming, (user, group), value)
    except BaseException:
        if created:
            removeFolder(os.path.dirname(folder))
        raise
    pipes: list[int] = []
    try:
        if value is not None:
            pipes = [_pipe(value), _pipe(value)]
        argv = serverCommand(tpm, folder, helper.sockets[0], logged, tuple(pipes))
        startHelper(
            hypervisor,
            helper,
            Command(
                argv=(binaries["swtpm"], *argv[1:]),
                descriptors=tuple(pipes),
                user=user if hypervisor.privileged else None,
                group=group if hypervisor.privileged else None,
            ),
            None,
            guestLog,
        )
    finally:
        for fd in pipes:
            os.close(fd)
    await awaitSocket(hypervisor, helper, helper.sockets[0])
    if guest.owner is not None:
        os.chown(helper.sockets[0], *guest.owner)


def _pipe(value: bytes) -> int:
    """Return a descriptor from which a value can be read once; it is small enough for a pipe."""
    reading, writing = os.pipe2(os.O_CLOEXEC)
    try:
        os.set_blocking(writing, False)
        if os.write(writing, value) != len(value):
            os.close(reading)
            raise internal("the secret of the TPM is too long")
    finally:
        os.close(writing)
    return reading


def _owner(hypervisor: Hypervisor) -> tuple[int, int]:
    """Return the user and group that TPMs are served by."""
    if not hypervisor.privileged:
        return os.getuid(), os.getgid()
    user, group = str(hypervisor.config["swtpm_user"]), str(hypervisor.config["swtpm_group"])
    try:
        return (
            int(user) if user.isdigit() else pwd.getpwnam(user).pw_uid,
            int(group) if group.isdigit() else grp.getgrnam(group).gr_gid,
        )
    except KeyError:
        return 0, 0


def _folders(hypervisor: Hypervisor, folder: str, logged: str, owner: tuple[int, int]) -> None:
    """Make the folders of a TPM."""
    # QEMU comes to the socket, which is swtpm's.
    shared = (owner if hypervisor.owner is None else hypervisor.owner)[0], owner[1]
    for path, mode, whose in (
        (os.path.dirname(logged), 0o730, owner),
        (_runFolder(hypervisor), 0o770, shared),
        (os.path.dirname(os.path.dirname(folder)), 0o711, None),
        (os.path.dirname(folder), 0o711, None),
        (folder, 0o700, owner),
    ):
        try:
            makeFolders(os.path.dirname(path))
            try:
                os.mkdir(path, mode)
            except FileExistsError:
                continue
            os.chmod(path, mode)
            if whose is not None and hypervisor.privileged:
                os.chown(path, *whose)
        except OSError as problem:
            raise systemFailure(problem, f"Could not create TPM directory {path}") from None


async def _setUp(
    hypervisor: Hypervisor,
    facts: tuple[Any, str, str, str, str],
    created: bool,
    owner: tuple[int, int],
    secret: bytes | None,
) -> None:
    """Make or change the state of a TPM; every command reads the secret from a pipe of its own."""
    count = len(setupCommands(*facts, created=created, privileged=hypervisor.privileged))
    for number in range(count):
        pipe = None if secret is None else _pipe(secret)
        argv = setupCommands(
            *facts, created=created, privileged=hypervisor.privileged, password=pipe
        )[number]
        path = shutil.which(argv[0]) or argv[0]
        try:
            finished = await hypervisor.processes.run(
                Command(
                    argv=(path, *argv[1:]),
                    descriptors=() if pipe is None else (pipe,),
                    user=owner[0] if hypervisor.privileged else None,
                    group=owner[1] if hypervisor.privileged else None,
                    deadline=120.0,
                    statuses=None,
                )
            )
        except VirtError as error:
            raise internal(f"Could not run '{path}': {error}", ErrorDomain.NONE) from None
        finally:
            if pipe is not None:
                os.close(pipe)
        if finished.status:
            raise internal(
                f"Could not run '{path}'. exitstatus: {finished.status}; "
                f"Check error log '{facts[4]}' for details.",
                ErrorDomain.NONE,
            )
