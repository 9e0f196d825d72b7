"""
What a whole domain is busy with: one thing at a time, progressing as the clock of its world does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyvirt import constants as c
from pyvirt.drivers.interfaces.values import DomainRef, JobInfo, JobStats, TypedParam
from pyvirt.drivers.test.domain import Domain
from pyvirt.drivers.test.refusals import checkFlags, operationInvalid, unsupportedArgument
from pyvirt.drivers.test.world import World
from pyvirt.errors import ErrorCode, ErrorDomain, virtError

__all__ = ["Dirtying", "DomainJobs", "Job", "checkFree"]

#: The bits of an answer, to which C{VIR_DOMAIN_JOB_*} names belong.
_NONE = JobInfo(c.VIR_DOMAIN_JOB_NONE, *([0] * 11))

_DIRTY_MODES = (
    c.VIR_DOMAIN_DIRTYRATE_MODE_PAGE_SAMPLING
    | c.VIR_DOMAIN_DIRTYRATE_MODE_DIRTY_BITMAP
    | c.VIR_DOMAIN_DIRTYRATE_MODE_DIRTY_RING
)


class Job:
    """
    A job of a running guest.

    @ivar operation: C{VIR_DOMAIN_JOB_OPERATION_*}.
    @ivar total: bytes there are to move.
    @ivar unit: what is moved: C{memory}, C{disk}, or C{temp} for what a disk keeps aside meanwhile.
    @ivar ended: when it did, in seconds since 1970; None before.
    @ivar error: why it did not succeed, None if it did.
    """

    def __init__(
        self,
        world: World,
        domain: Domain,
        operation: int,
        total: int,
        unit: str,
        seconds: float | None,
        done: Callable[[], None],
        abort: Callable[[], None],
    ) -> None:
        """
        Begin.

        @param seconds: how long it takes; None: until it is ended.
        @param done: called when it has taken that long.
        @param abort: called when somebody wants it to end before.
        """
        self._world = world
        self._domain = domain
        self.operation = operation
        self.total = total
        self.unit = unit
        self.abort = abort
        self.started = world.clock.seconds()
        self.ended: float | None = None
        self.error: str | None = None
        self._seconds = seconds
        domain.extra.job = self
        domain.extra.closing["job"] = self.forget
        self._callOff: Callable[[], None] = lambda: None
        if seconds is not None:
            self._callOff = world.later(seconds, done)

    def forget(self) -> None:
        """Be over, without a word."""
        self._callOff()
        extra = self._domain.extra
        if extra.job is self:
            extra.job = None
        extra.closing.pop("job", None)

    def end(self, error: str | None = None) -> None:
        """Be over, and tell."""
        self.forget()
        self.ended = self._world.clock.seconds()
        self.error = error
        self._domain.extra.completed = self
        self._world.tellDomain(self._domain, c.VIR_DOMAIN_EVENT_ID_JOB_COMPLETED, self.parameters())

    @property
    def elapsed(self) -> int:
        """Milliseconds since it began, at most until it ended."""
        now = self._world.clock.seconds() if self.ended is None else self.ended
        return max(0, int((now - self.started) * 1000))

    @property
    def processed(self) -> int:
        """How many bytes are moved."""
        if self._seconds is None:
            return 0
        if self.ended is not None and self.error is None:
            return self.total
        share = self.elapsed / 1000 / self._seconds if self._seconds else 1.0
        return min(int(self.total * share), self.total)

    def info(self) -> JobInfo:
        """Say how it stands, in the older form."""
        processed = self.processed
        moved = (self.total, processed, self.total - processed)
        none = (0, 0, 0)
        if self.unit == "temp":
            return JobInfo(c.VIR_DOMAIN_JOB_UNBOUNDED, self.elapsed, 0, *none, *none, *none)
        memory, disk = (moved, none) if self.unit == "memory" else (none, moved)
        return JobInfo(c.VIR_DOMAIN_JOB_UNBOUNDED, self.elapsed, 0, *moved, *memory, *disk)

    def parameters(self) -> list[TypedParam]:
        """Say how it stands, or how it ended."""

        def big(name: str, value: int) -> TypedParam:
            return TypedParam(name, c.VIR_TYPED_PARAM_ULLONG, value)

        found = [
            TypedParam(c.VIR_DOMAIN_JOB_OPERATION, c.VIR_TYPED_PARAM_INT, self.operation),
            big(c.VIR_DOMAIN_JOB_TIME_ELAPSED, self.elapsed),
        ]
        processed = self.processed
        rest = self.total - processed
        if self.unit == "temp":
            found += [
                big(c.VIR_DOMAIN_JOB_DISK_TEMP_USED, 0),
                big(c.VIR_DOMAIN_JOB_DISK_TEMP_TOTAL, self.total),
            ]
        elif self.unit == "disk":
            found += [
                big(c.VIR_DOMAIN_JOB_DISK_TOTAL, self.total),
                big(c.VIR_DOMAIN_JOB_DISK_PROCESSED, processed),
                big(c.VIR_DOMAIN_JOB_DISK_REMAINING, rest),
            ]
        else:
            speed = processed * 1000 // self.elapsed if self.elapsed else 0
            found += [
                big(c.VIR_DOMAIN_JOB_DOWNTIME, 0),
                big(c.VIR_DOMAIN_JOB_SETUP_TIME, 0),
                big(c.VIR_DOMAIN_JOB_DATA_TOTAL, self.total),
                big(c.VIR_DOMAIN_JOB_DATA_PROCESSED, processed),
                big(c.VIR_DOMAIN_JOB_DATA_REMAINING, rest),
                big(c.VIR_DOMAIN_JOB_MEMORY_TOTAL, self.total),
                big(c.VIR_DOMAIN_JOB_MEMORY_PROCESSED, processed),
                big(c.VIR_DOMAIN_JOB_MEMORY_REMAINING, rest),
                big(c.VIR_DOMAIN_JOB_MEMORY_BPS, speed),
                big(c.VIR_DOMAIN_JOB_MEMORY_CONSTANT, 0),
                big(c.VIR_DOMAIN_JOB_MEMORY_NORMAL, processed // 4096),
                big(c.VIR_DOMAIN_JOB_MEMORY_NORMAL_BYTES, processed // 4096 * 4096),
                big(c.VIR_DOMAIN_JOB_MEMORY_DIRTY_RATE, 0),
                big(c.VIR_DOMAIN_JOB_MEMORY_ITERATION, 1),
                big(c.VIR_DOMAIN_JOB_MEMORY_PAGE_SIZE, 4096),
            ]
        if self.ended is not None:
            # libvirt counts a job that was cancelled as one that came to a proper end.
            found.append(TypedParam(c.VIR_DOMAIN_JOB_SUCCESS, c.VIR_TYPED_PARAM_BOOLEAN, True))
            if self.error is not None:
                found.append(
                    TypedParam(c.VIR_DOMAIN_JOB_ERRMSG, c.VIR_TYPED_PARAM_STRING, self.error)
                )
        return found


class Dirtying:
    """
    How fast a guest changes its memory: it does not.

    @ivar started: when measuring began, in seconds since 1970.
    @ivar seconds: how long it takes.
    @ivar mode: how it is measured, in words.
    """

    __slots__ = ("mode", "seconds", "started")

    def __init__(self, started: float, seconds: int, mode: str) -> None:
        self.started = started
        self.seconds = seconds
        self.mode = mode

    def parameters(self, now: float) -> list[TypedParam]:
        """Say what bulk statistics say of it."""
        over = now >= self.started + self.seconds
        status = c.VIR_DOMAIN_DIRTYRATE_MEASURED if over else c.VIR_DOMAIN_DIRTYRATE_MEASURING
        found = [
            TypedParam("dirtyrate.calc_status", c.VIR_TYPED_PARAM_INT, status),
            TypedParam("dirtyrate.calc_start_time", c.VIR_TYPED_PARAM_LLONG, int(self.started)),
            TypedParam("dirtyrate.calc_period", c.VIR_TYPED_PARAM_INT, self.seconds),
            TypedParam("dirtyrate.calc_mode", c.VIR_TYPED_PARAM_STRING, self.mode),
        ]
        if over:
            found.append(TypedParam("dirtyrate.megabytes_per_second", c.VIR_TYPED_PARAM_LLONG, 0))
        return found


def checkFree(domain: Domain, function: str) -> None:
    """
    Refuse what must wait for a job; libvirt waits half a minute before it does.

    @raise VirtError: there is one.
    """
    if domain.extra.job is not None:
        raise virtError(
            ErrorCode.OPERATION_TIMEOUT,
            f"cannot acquire state change lock (held by monitor={function})",
            ErrorDomain.NONE,
        )


class DomainJobs:
    """Tells of jobs, and ends them."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._find = world.domains.find

    def domainGetJobInfo(self, dom: DomainRef) -> JobInfo:
        """Tell what a domain is busy with."""
        domain = self._find(dom)
        domain.checkActive()
        job: Job | None = domain.extra.job
        return _NONE if job is None else job.info()

    def domainGetJobStats(self, dom: DomainRef, flags: int) -> JobStats:
        """Tell what a domain is or was busy with; what is over is told once."""
        completed = c.VIR_DOMAIN_JOB_STATS_COMPLETED
        keep = c.VIR_DOMAIN_JOB_STATS_KEEP_COMPLETED
        checkFlags("testDomainGetJobStats", flags, completed | keep)
        domain = self._find(dom)
        extra: Any = domain.extra
        if flags & completed:
            job = extra.completed
            if job is None:
                return JobStats(c.VIR_DOMAIN_JOB_NONE, [])
            if not flags & keep:
                extra.completed = None
            return JobStats(c.VIR_DOMAIN_JOB_COMPLETED, job.parameters())
        domain.checkActive()
        job = extra.job
        if job is None:
            return JobStats(c.VIR_DOMAIN_JOB_NONE, [])
        return JobStats(c.VIR_DOMAIN_JOB_UNBOUNDED, job.parameters())

    def domainAbortJobFlags(self, dom: DomainRef, flags: int) -> None:
        """End what a domain is busy with."""
        checkFlags("testDomainAbortJobFlags", flags, c.VIR_DOMAIN_ABORT_JOB_POSTCOPY)
        domain = self._find(dom)
        domain.checkActive()
        job: Job | None = domain.extra.job
        if job is None:
            raise operationInvalid("no job is active on the domain")
        if flags & c.VIR_DOMAIN_ABORT_JOB_POSTCOPY:
            raise operationInvalid("current job is not outgoing migration in post-copy mode")
        job.abort()

    def domainStartDirtyRateCalc(self, dom: DomainRef, seconds: int, flags: int) -> None:
        """Measure how fast a guest changes its memory."""
        checkFlags("testDomainStartDirtyRateCalc", flags, _DIRTY_MODES)
        if not 1 <= seconds <= 60:
            raise virtError(
                ErrorCode.CONFIG_UNSUPPORTED,
                f"seconds={seconds} is invalid, please choose value within [1, 60].",
                ErrorDomain.TEST,
            )
        domain = self._find(dom)
        domain.checkActive()
        now = self._world.clock.seconds()
        dirtying: Dirtying | None = domain.extra.dirtying
        if dirtying is not None and now < dirtying.started + dirtying.seconds:
            raise unsupportedArgument("the measurement of the dirty rate is still under way")
        mode = "page-sampling"
        if flags & c.VIR_DOMAIN_DIRTYRATE_MODE_DIRTY_BITMAP:
            mode = "dirty-bitmap"
        elif flags & c.VIR_DOMAIN_DIRTYRATE_MODE_DIRTY_RING:
            mode = "dirty-ring"
        domain.extra.dirtying = Dirtying(now, seconds, mode)
        domain.extra.closing["dirtying"] = lambda: setattr(domain.extra, "dirtying", None)
