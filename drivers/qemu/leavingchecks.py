"""
What may leave this host, and how: what is looked at before a guest is sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyvirt import constants as c
from pyvirt.definitions.domain import DomainDefinition
from pyvirt.drivers.qemu.domain import Domain
from pyvirt.drivers.qemu.migrationdata import FASTEST_FOLLOWING
from pyvirt.drivers.qemu.migrationparams import tuningOf
from pyvirt.drivers.qemu.migrationtls import checkForced
from pyvirt.drivers.qemu.refusals import (
    exclusiveFlags,
    invalidArgument,
    operationInvalid,
    unsupportedArgument,
)
from pyvirt.drivers.qemu.sharedfiles import isShared
from pyvirt.drivers.qemu.storagecopy import COPIES, checkChosen, checkDisksAddress, chosen
from pyvirt.errors import ErrorCode, ErrorDomain, virtError

if TYPE_CHECKING:
    from pyvirt.drivers.qemu.hypervisor import Hypervisor

__all__ = ["checkLeaving", "checkMovable", "checkSafe", "checkTogether"]

_MEMORY_SAFE = ("none", "directsync")


def checkTogether(
    hypervisor: Hypervisor,
    function: str,
    flags: int,
    asked: dict[str, Any],
    *,
    destination: bool | None = False,
) -> None:
    """
    Refuse flags and parameters that do not go together.

    @param destination: which end it is; what is about the source's way of sending is not told to the other.  None:
        how memory is sent is looked at in a later step.
    @raise VirtError: they do not.
    """
    exclusiveFlags(
        function,
        flags,
        ("VIR_MIGRATE_NON_SHARED_DISK", c.VIR_MIGRATE_NON_SHARED_DISK),
        ("VIR_MIGRATE_NON_SHARED_INC", c.VIR_MIGRATE_NON_SHARED_INC),
    )
    exclusiveFlags(
        function,
        flags,
        ("VIR_MIGRATE_TUNNELLED", c.VIR_MIGRATE_TUNNELLED),
        ("VIR_MIGRATE_PARALLEL", c.VIR_MIGRATE_PARALLEL),
    )
    if not destination:
        checkForced(hypervisor, flags)
    if flags & c.VIR_MIGRATE_OFFLINE:
        if flags & COPIES:
            raise operationInvalid("offline migration cannot handle non-shared storage")
        if not flags & c.VIR_MIGRATE_PERSIST_DEST:
            raise operationInvalid(
                "offline migration must be specified with the persistent flag set"
            )
        if flags & c.VIR_MIGRATE_TUNNELLED:
            raise operationInvalid("tunnelled offline migration does not make sense")
    if flags & c.VIR_MIGRATE_NON_SHARED_SYNCHRONOUS_WRITES and not flags & COPIES:
        raise unsupportedArgument(
            "VIR_MIGRATE_NON_SHARED_SYNCHRONOUS_WRITES is supported only with "
            "VIR_MIGRATE_NON_SHARED_DISK or VIR_MIGRATE_NON_SHARED_INC"
        )
    # What the other daemon is told it refuses itself, after what is wrong with the guest here.
    leads = flags & c.VIR_MIGRATE_PEER2PEER and not destination
    if (
        flags & COPIES
        and not leads
        and not 0 <= (asked.get(c.VIR_MIGRATE_PARAM_DISKS_PORT) or 0) <= 65535
    ):
        raise invalidArgument("nbd port must be in range 0-65535")
    if asked.get(c.VIR_MIGRATE_PARAM_DISKS_URI) and asked.get(c.VIR_MIGRATE_PARAM_DISKS_PORT):
        raise invalidArgument(
            "Both port and URI requested for disk migration while being mutually exclusive"
        )
    if flags & c.VIR_MIGRATE_POSTCOPY_RESUME and not flags & c.VIR_MIGRATE_POSTCOPY:
        raise unsupportedArgument(
            "resuming failed post-copy migration requires post-copy to be enabled"
        )
    if leads and flags & COPIES:
        checkDisksAddress(asked, asked.get(c.VIR_MIGRATE_PARAM_URI))
    following = c.VIR_MIGRATE_PARAM_BANDWIDTH_POSTCOPY
    if not destination and asked.get(following, 0) > FASTEST_FOLLOWING:
        raise virtError(
            ErrorCode.OVERFLOW,
            f"migration parameter '{following}' must be less than {FASTEST_FOLLOWING + 1}",
            ErrorDomain.QEMU,
        )
    if destination is not None:
        tuningOf(flags, asked, destination=destination)


def checkWay(flags: int, asked: dict[str, Any]) -> None:
    """
    Refuse ways to send memory that do not go together.

    @raise VirtError: they do not.
    """
    if flags & c.VIR_MIGRATE_POSTCOPY:
        if not flags & c.VIR_MIGRATE_LIVE or flags & c.VIR_MIGRATE_PAUSED:
            raise unsupportedArgument(
                "post-copy migration is not supported with non-live or paused migration"
            )
        if flags & c.VIR_MIGRATE_TUNNELLED:
            raise unsupportedArgument("post-copy is not supported with tunnelled migration")
    if flags & c.VIR_MIGRATE_TUNNELLED:
        if asked.get(c.VIR_MIGRATE_PARAM_URI):
            raise unsupportedArgument("migration URI is not supported by tunnelled migration")
        if asked.get(c.VIR_MIGRATE_PARAM_LISTEN_ADDRESS):
            raise unsupportedArgument("listen address is not supported by tunnelled migration")
        if asked.get(c.VIR_MIGRATE_PARAM_DISKS_PORT):
            raise unsupportedArgument("disks port is not supported by tunnelled migration")
        if asked.get(c.VIR_MIGRATE_PARAM_DISKS_URI):
            raise unsupportedArgument("disks URI is not supported by tunnelled migration")


async def checkLeaving(domain: Domain) -> None:
    """
    Refuse to have a running guest leave, be it for a file, when something holds it here.

    @raise VirtError: something does.
    """
    guest = domain.checkActive()
    reply = await guest.execute("query-migrate")
    reasons = reply.get("blocked-reasons") if isinstance(reply, dict) else None
    if isinstance(reasons, list) and reasons:
        raise operationInvalid(f"cannot migrate domain: {'; '.join(map(str, reasons))}")
    if any(job.kind != "migration" for job in guest.blockJobs.values()):
        raise operationInvalid("domain has active block job")
    if any(disk.transient is not None for disk in domain.definition.devices.disks):
        raise operationInvalid("migration with transient disk is not supported")


async def checkMovable(
    domain: Domain, definition: DomainDefinition, flags: int, asked: dict[str, Any]
) -> None:
    """
    Refuse guests that have something here which cannot go with them, or not in the way that is asked for.

    @raise VirtError: this one has.
    """
    snapshots = len(list(domain.snapshots))
    if snapshots:
        raise operationInvalid(f"cannot migrate domain with {snapshots} snapshots")
    if domain.active and not flags & c.VIR_MIGRATE_OFFLINE:
        await checkLeaving(domain)
    if not flags & (c.VIR_MIGRATE_UNSAFE | c.VIR_MIGRATE_OFFLINE):
        checkSafe(definition, chosen(definition, flags, asked))
    checkChosen(definition, flags, asked)
    if flags & c.VIR_MIGRATE_TUNNELLED and chosen(definition, flags, asked):
        raise unsupportedArgument(
            "migration of non-shared storage is not supported by tunnelled migration"
        )
    checkWay(flags, asked)


def checkSafe(definition: DomainDefinition, copied: list[Any]) -> None:
    """
    Refuse what may corrupt data.

    @param copied: disks that come along.
    @raise VirtError: a disk is not seen by the other host, or not as this one leaves it.
    """
    for disk in definition.devices.disks:
        source: Any = disk.source
        if disk.readonly or source is None or any(disk is each for each in copied):
            continue
        safe = getattr(disk.driver, "cache", None) in _MEMORY_SAFE
        path = getattr(source, "file", None)
        if path:
            if isShared(path):
                continue
            text = "Migration without shared storage is unsafe"
        elif getattr(source, "dev", None) and not safe:
            text = (
                "Migration may lead to data corruption if disks use cache other than none or "
                "directsync"
            )
        else:
            continue
        raise virtError(ErrorCode.MIGRATE_UNSAFE, text, ErrorDomain.QEMU)
