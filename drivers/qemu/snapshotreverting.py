"""
Going back to snapshots: those that are kept inside of images.
"""

from __future__ import annotations

from twisted.logger import Logger

from pyvirt import constants as c
from pyvirt.definitions.domain import DomainDefinition
from pyvirt.drivers.qemu import ending, starting
from pyvirt.drivers.qemu.blocks.chain import disksOf, pathOf
from pyvirt.drivers.qemu.domain import Domain
from pyvirt.drivers.qemu.hypervisor import Hypervisor
from pyvirt.drivers.qemu.imagetool import imageTool
from pyvirt.drivers.qemu.momentfiles import saveMoments
from pyvirt.drivers.qemu.refusals import (
    exclusiveFlags,
    failed,
    operationInvalid,
    unsupportedConfig,
)
from pyvirt.drivers.snapshots import Snapshot
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["revert"]

log = Logger()

_RUNNING = c.VIR_DOMAIN_SNAPSHOT_REVERT_RUNNING
_PAUSED = c.VIR_DOMAIN_SNAPSHOT_REVERT_PAUSED


async def revert(hypervisor: Hypervisor, domain: Domain, snapshot: Snapshot, flags: int) -> None:
    """
    Go back to a snapshot; the caller holds the domain.

    @param flags: C{VIR_DOMAIN_SNAPSHOT_REVERT_*}.
    @raise VirtError: it cannot be done.
    """
    exclusiveFlags(
        "qemuSnapshotRevert",
        flags,
        ("VIR_DOMAIN_SNAPSHOT_REVERT_RUNNING", _RUNNING),
        ("VIR_DOMAIN_SNAPSHOT_REVERT_PAUSED", _PAUSED),
    )
    if domain.guest is not None and domain.guest.blockJobs:
        raise operationInvalid("domain has active block job")
    ran = snapshot.state in ("running", "paused")
    if not domain.persistent and not ran and not flags & (_RUNNING | _PAUSED):
        raise operationInvalid(
            "transient domain needs to request run or pause to revert to inactive snapshot"
        )
    if snapshot.state == "disk-snapshot" or snapshot.external:
        raise unsupportedConfig("revert to external snapshot not supported yet")
    force = flags & c.VIR_DOMAIN_SNAPSHOT_REVERT_FORCE
    if not force and snapshot.domain is None:
        raise _risky(f"snapshot '{snapshot.name}' lacks domain '{domain.name}' rollback info")
    live = snapshot.domain or domain.persistentDefinition
    kept = snapshot.inactive or live
    if domain.active:
        guest = domain.checkActive()
        await ending.stopQuietly(hypervisor, domain, guest, c.VIR_DOMAIN_SHUTOFF_FROM_SNAPSHOT)
        hypervisor.tell(
            domain, c.VIR_DOMAIN_EVENT_STOPPED, c.VIR_DOMAIN_EVENT_STOPPED_FROM_SNAPSHOT
        )
    paused = bool(flags & _PAUSED) or (snapshot.state == "paused" and not flags & _RUNNING)
    if ran:
        await _running(hypervisor, domain, snapshot, live, kept, paused)
    else:
        await _offline(hypervisor, domain, snapshot, live, kept, flags, paused)
    _current(hypervisor, domain, snapshot)
    if domain.persistent:
        hypervisor.store.saveDefinition(domain.persistentDefinition)
        hypervisor.tell(
            domain, c.VIR_DOMAIN_EVENT_DEFINED, c.VIR_DOMAIN_EVENT_DEFINED_FROM_SNAPSHOT
        )


async def _running(
    hypervisor: Hypervisor,
    domain: Domain,
    snapshot: Snapshot,
    live: DomainDefinition,
    kept: DomainDefinition,
    paused: bool,
) -> None:
    """Start the guest with the memory of the snapshot."""
    before = domain.definition
    domain.definition = kept
    try:
        guest = await starting.start(hypervisor, domain, definition=live)
    except BaseException:
        domain.definition = before
        raise
    try:
        said = str(await guest.hmp(f'loadvm "{snapshot.name}"', timeout=None)).strip()
        if said:
            raise failed(f"Failed to load snapshot: {said}")
        hypervisor.tell(
            domain, c.VIR_DOMAIN_EVENT_STARTED, c.VIR_DOMAIN_EVENT_STARTED_FROM_SNAPSHOT
        )
        if paused:
            hypervisor.setState(domain, c.VIR_DOMAIN_PAUSED, c.VIR_DOMAIN_PAUSED_FROM_SNAPSHOT)
            hypervisor.tell(
                domain,
                c.VIR_DOMAIN_EVENT_SUSPENDED,
                c.VIR_DOMAIN_EVENT_SUSPENDED_FROM_SNAPSHOT,
            )
        else:
            await starting.goOn(hypervisor, domain, guest, c.VIR_DOMAIN_RUNNING_FROM_SNAPSHOT)
    except VirtError:
        if domain.guest is guest:
            await ending.stop(hypervisor, domain, guest, c.VIR_DOMAIN_SHUTOFF_FAILED)
        raise


async def _offline(
    hypervisor: Hypervisor,
    domain: Domain,
    snapshot: Snapshot,
    live: DomainDefinition,
    kept: DomainDefinition,
    flags: int,
    paused: bool,
) -> None:
    """Take the disks back, and start the guest only if that is asked for."""
    wanted = {disk.name for disk in snapshot.disks if disk.snapshot == "internal"}
    for disk in disksOf(live):
        if disk.target.dev in wanted and disk.source is not None:
            await imageTool(hypervisor, "snapshot", "-a", snapshot.name, pathOf(disk.source))
    domain.definition = kept
    if not flags & (_RUNNING | _PAUSED):
        return
    guest = await starting.start(hypervisor, domain)
    if paused:
        hypervisor.setState(domain, c.VIR_DOMAIN_PAUSED, c.VIR_DOMAIN_PAUSED_FROM_SNAPSHOT)
    else:
        await starting.goOn(hypervisor, domain, guest, c.VIR_DOMAIN_RUNNING_BOOTED)
    hypervisor.tell(domain, c.VIR_DOMAIN_EVENT_STARTED, c.VIR_DOMAIN_EVENT_STARTED_FROM_SNAPSHOT)
    if paused:
        hypervisor.tell(
            domain, c.VIR_DOMAIN_EVENT_SUSPENDED, c.VIR_DOMAIN_EVENT_SUSPENDED_FROM_SNAPSHOT
        )


def _current(hypervisor: Hypervisor, domain: Domain, snapshot: Snapshot) -> None:
    moments = domain.snapshots
    before = moments.get(moments.current) if moments.current is not None else None
    moments.current = snapshot.name
    changed = [snapshot] if before is None or before is snapshot else [before, snapshot]
    saveMoments(hypervisor, domain, "snapshots", *changed)


def _risky(detail: str) -> VirtError:
    return virtError(ErrorCode.SNAPSHOT_REVERT_RISKY, f"{detail}", ErrorDomain.QEMU)
