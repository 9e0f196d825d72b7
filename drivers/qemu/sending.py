"""
A guest's memory, and its disks, on their way to another host: L{send}.
"""

from __future__ import annotations

import os
import resource
import socket
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from pyvirt import constants as c
from pyvirt.drivers.interfaces.streams import IStreamSink
from pyvirt.drivers.qemu.jobstatistics import jobParams
from pyvirt.drivers.qemu.lockedmemory import setLockLimit
from pyvirt.drivers.qemu.memorystream import canceled, follow
from pyvirt.drivers.qemu.migrationcookie import Cookie, Statistics
from pyvirt.drivers.qemu.migrationdata import FASTEST, FASTEST_FOLLOWING, Address
from pyvirt.drivers.qemu.migrationparams import remembered, tuningOf
from pyvirt.drivers.qemu.migrationtls import Encryption, sendEncrypted
from pyvirt.drivers.qemu.qmp import CommandFailed
from pyvirt.drivers.qemu.refusals import failed, systemFailure
from pyvirt.drivers.qemu.storagecopy import Copying, chosen
from pyvirt.drivers.qemu.tunnel import Outlet, startOutlet
from pyvirt.errors import ErrorDomain, VirtError

if TYPE_CHECKING:
    from pyvirt.drivers.qemu.domain import Domain
    from pyvirt.drivers.qemu.guest import Guest
    from pyvirt.drivers.qemu.hypervisor import Hypervisor
    from pyvirt.drivers.qemu.leaving import Leaver

__all__ = ["looking", "send", "statisticsOf"]

log = Logger()

#: Seconds within which the destination's QEMU must take a connection.
_CONNECTING = 30.0
_WHAT = "migration out job"


async def send(
    hypervisor: Hypervisor,
    leaver: Leaver,
    asked: dict[str, Any],
    cookie: Cookie | None,
    where: Address | IStreamSink,
) -> None:
    """
    Send a guest, and leave it paused when all of it has been sent, or, with post-copy, what it needs to go on there.

    @param where: what the destination's QEMU listens at, or a stream to its daemon.
    @raise VirtError: it does not get there; it is as it was here, but perhaps paused.
    """
    domain, guest, job, flags = leaver.domain, leaver.guest, leaver.job, leaver.flags
    assert job is not None
    address = where if isinstance(where, Address) else None
    speed = min(asked.get(c.VIR_MIGRATE_PARAM_BANDWIDTH) or domain.migrationSpeed, FASTEST)
    hypervisor.saveStatus(domain)
    tuning = tuningOf(flags, asked, destination=False)
    leaver.before = await remembered(guest)
    await tuning.apply(guest)
    encryption: Encryption | None = None
    if flags & c.VIR_MIGRATE_TLS:
        encryption = await sendEncrypted(hypervisor, guest, asked, address)
    await guest.execute("migrate-set-parameters", _parameters(leaver, asked, speed, tuning))
    copying = leaver.copying = Copying(hypervisor, domain, guest)
    job.cancel = copying.interrupt
    disks = chosen(domain.definition, flags, asked)
    if disks:
        nbd = None if cookie is None else cookie.nbd
        await copying.begin(disks, asked, nbd, address, speed, flags, encryption)
    if job.aborted:
        raise job.problem or canceled("migration out" if disks else _WHAT)
    guest.pausedReason = c.VIR_DOMAIN_PAUSED_MIGRATION
    if not flags & c.VIR_MIGRATE_LIVE and domain.state == c.VIR_DOMAIN_RUNNING:
        leaver.paused = True
        await guest.execute("stop")
        guest.pausedReason = c.VIR_DOMAIN_PAUSED_MIGRATION
    locked: tuple[int, int] | None = None
    if flags & c.VIR_MIGRATE_ZEROCOPY:
        locked = _mayLock(domain, guest)
    outlet: Outlet | None = None
    # If it fails late, QEMU lets the guest go on by itself.
    guest.runningReason = c.VIR_DOMAIN_RUNNING_MIGRATION_CANCELED
    finished: Deferred[str] = Deferred()
    guest.migrated = finished
    try:
        if address is not None:
            await _connect(hypervisor, leaver, address)
        else:
            assert not isinstance(where, Address)
            outlet, theirs = startOutlet(hypervisor.clock, where)
            try:
                await _migrateInto(leaver, theirs)
            finally:
                os.close(theirs)
            outlet.over.addErrback(_broken, leaver)

        async def switch() -> None:
            await copying.complete()
            await guest.execute("migrate-continue", {"state": "pre-switchover"})

        def check() -> None:
            copying.check()
            if (
                flags & c.VIR_MIGRATE_ABORT_ON_ERROR
                and domain.state == c.VIR_DOMAIN_PAUSED
                and domain.reason == c.VIR_DOMAIN_PAUSED_IOERROR
            ):
                raise failed("migration out job: failed due to I/O error")

        def cancel() -> Deferred[Any]:
            if outlet is not None:
                # QEMU may be stuck in writing, and hear nothing until it fails to.
                outlet.giveUp(canceled(_WHAT))
            return guest.execute("migrate_cancel")

        word = await follow(
            hypervisor,
            domain,
            guest,
            job,
            finished,
            _WHAT,
            switch=switch,
            check=check,
            cancel=cancel,
        )
        if word == "postcopy-active":
            leaver.follows = True
            hypervisor.setState(domain, c.VIR_DOMAIN_PAUSED, c.VIR_DOMAIN_PAUSED_POSTCOPY)
            hypervisor.tell(
                domain, c.VIR_DOMAIN_EVENT_SUSPENDED, c.VIR_DOMAIN_EVENT_SUSPENDED_POSTCOPY
            )
        elif outlet is not None:
            await outlet.over
            if job.problem is not None:
                raise job.problem
    except VirtError as error:
        if outlet is not None:
            outlet.giveUp(error)
        if domain.guest is not guest or guest.monitor is None:
            raise failed("domain is not running") from None
        raise job.problem or error from None
    finally:
        if not leaver.follows:
            job.look = None
        if locked is not None:
            _limitLocked(guest, locked)


def _mayLock(domain: Domain, guest: Guest) -> tuple[int, int] | None:
    """
    Have QEMU's process lock all of the guest's memory if it likes.

    @return: what the limits were, None if they are high enough.
    @raise VirtError: the system does not allow that.
    """
    definition = domain.definition
    tune = definition.memtune
    wanted = (tune.hardLimit if tune is not None else None) or definition.memory.amount
    size = int(wanted) << 10
    try:
        before = resource.prlimit(guest.pid, resource.RLIMIT_MEMLOCK)
    except OSError as problem:
        detail = f"cannot get locked memory limit of process {guest.pid}"
        raise systemFailure(problem, detail, ErrorDomain.NONE) from None
    if before[1] == resource.RLIM_INFINITY or before[0] >= size:
        return None
    return setLockLimit(guest.pid, size)


def _limitLocked(guest: Guest, limits: tuple[int, int]) -> None:
    try:
        resource.prlimit(guest.pid, resource.RLIMIT_MEMLOCK, limits)
    except OSError as problem:
        log.debug("{pid}: {problem}", pid=guest.pid, problem=problem)


def _parameters(leaver: Leaver, asked: dict[str, Any], speed: int, tuning: Any) -> dict[str, Any]:
    limits = leaver.guest.migration
    values: dict[str, Any] = {
        "max-bandwidth": speed << 20,
        "downtime-limit": limits.downtime,
        "xbzrle-cache-size": limits.cache,
        **tuning.parameters,
    }
    postcopy = asked.get(c.VIR_MIGRATE_PARAM_BANDWIDTH_POSTCOPY) or limits.postcopySpeed
    if postcopy:
        values["max-postcopy-bandwidth"] = min(postcopy, FASTEST_FOLLOWING) << 20
    return values


def _broken(failure: Any, leaver: Leaver) -> None:
    """The destination takes no more: do not wait for QEMU to notice."""
    error = failure.value
    leaver.fail(error if isinstance(error, VirtError) else failed(str(error)))


async def _connect(hypervisor: Hypervisor, leaver: Leaver, address: Address) -> None:
    """
    Connect to the destination's QEMU, and have ours write there.

    @raise VirtError: it does not listen.
    """
    guest, reactor = leaver.guest, hypervisor.clock
    pool = getattr(reactor, "getThreadPool", None)
    if leaver.flags & c.VIR_MIGRATE_PARALLEL or pool is None:
        # QEMU makes as many connections as it wants.
        await guest.execute("migrate", {"uri": address.qemu, "detach": True})
        leaver.begun = True
        return
    fd = await deferToThreadPool(reactor, pool(), connected, address)
    try:
        await _migrateInto(leaver, fd)
    finally:
        os.close(fd)


def connected(address: Address) -> int:
    """
    Connect, which may take long.

    @return: a descriptor, the caller's.
    @raise VirtError: nobody listens.
    """
    try:
        if address.path is not None:
            opened = socket.socket(socket.AF_UNIX)
            try:
                opened.settimeout(_CONNECTING)
                opened.connect(address.path)
            except BaseException:
                opened.close()
                raise
        else:
            opened = socket.create_connection(
                (address.host.strip("[]"), (address.port or 0) & 0xFFFF), timeout=_CONNECTING
            )
    except socket.gaierror as problem:
        raise systemFailureOf(
            f"Unable to resolve address '{address.host}' service '{address.port}': {problem.strerror}"
        ) from None
    except OSError as problem:
        detail = (
            f"Failed to connect socket to '{address.path}'"
            if address.path is not None
            else f"unable to connect to server at '{address.host.strip('[]')}:{address.port}'"
        )
        raise systemFailure(problem, detail, ErrorDomain.RPC) from None
    opened.setblocking(True)
    return opened.detach()


def systemFailureOf(detail: str) -> VirtError:
    """Make the error of something that the system refused without a number."""
    from pyvirt.errors import ErrorCode, virtError

    return virtError(ErrorCode.SYSTEM_ERROR, detail, ErrorDomain.RPC)


async def _migrateInto(leaver: Leaver, fd: int) -> None:
    guest = leaver.guest
    await guest.execute("getfd", {"fdname": "migrate"}, fds=[fd])
    try:
        await guest.execute("migrate", {"uri": "fd:migrate", "detach": True})
    except CommandFailed:
        try:
            await guest.execute("closefd", {"fdname": "migrate"})
        except VirtError:
            pass
        raise
    leaver.begun = True


def looking(leaver: Leaver) -> Any:
    """Return what asks how far disks and memory are; what QEMU says of an earlier migration is left out."""

    async def look() -> dict[str, Any]:
        guest, copying = leaver.guest, leaver.copying
        found: dict[str, Any] = {}
        if leaver.begun:
            status = await guest.execute("query-migrate")
            found = dict(status) if isinstance(status, dict) else {}
        if copying is not None and copying.any:
            found["disks"] = await copying.progress()
        return found

    return look


async def statisticsOf(hypervisor: Hypervisor, leaver: Leaver) -> Statistics:
    """Tell how a guest was sent."""
    job = leaver.job
    assert job is not None
    now = int(hypervisor.clock.seconds() * 1000)
    started = int(job.started * 1000)
    stopped = int(leaver.guest.stoppedAt * 1000) or now
    numbers = {
        each.field: each.value
        for each in jobParams(None, job.statistics, now - started)
        if isinstance(each.value, int)
    }
    numbers[c.VIR_DOMAIN_JOB_DOWNTIME] = max(0, now - stopped)
    for name in ("data_total", "data_processed", "data_remaining"):
        numbers.pop(name, None)
    return Statistics(started, stopped, now, numbers)
