"""
One long operation on a disk, progressing as the clock of its world does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyvirt import constants as c
from pyvirt.drivers.devicenames import pathOf
from pyvirt.drivers.test.domain import Domain
from pyvirt.drivers.test.refusals import operationInvalid
from pyvirt.drivers.test.world import World
from pyvirt.errors import ErrorCode, ErrorDomain, virtError

__all__ = ["SECONDS", "TIB", "BlockJob", "checkIdle", "checkNoBlockJobs"]

#: How long a job takes that has no limit of its speed.
SECONDS = 1.0
#: What every disk holds until it is resized.
TIB = 1 << 40


class BlockJob:
    """
    A job of one disk of a running guest.

    It is over when all is processed; one that keeps a copy up to date is then ready, and stays until it is ended.

    @ivar kind: C{VIR_DOMAIN_BLOCK_JOB_TYPE_*}.
    @ivar name: the target of the disk.
    @ivar bandwidth: bytes a second at most; 0: no limit.
    @ivar ready: whether a copy is complete.
    @ivar shallow: whether a copy is of the image in use alone.
    """

    def __init__(
        self,
        world: World,
        domain: Domain,
        kind: int,
        name: str,
        bandwidth: int,
        *,
        keeps: bool,
        done: Callable[[], None],
    ) -> None:
        """
        Begin.

        @param keeps: whether it goes on when all is processed.
        @param done: called when all is processed, before that is told.
        """
        self._world = world
        self._domain = domain
        self.kind = kind
        self.name = name
        self.bandwidth = bandwidth
        self.ready = False
        self.shallow = False
        self._keeps = keeps
        self._done = done
        self.total = domain.diskSize(name, TIB)
        self._before = 0.0
        self._since = world.clock.seconds()
        domain.extra.jobs[name] = self
        domain.extra.closing["block", name] = self.forget
        self._callOff = world.later(self._rest(), self._complete)

    def _rate(self) -> float:
        return self.bandwidth or max(self.total, 1) / SECONDS

    def _rest(self) -> float:
        return (self.total - self._before) / self._rate()

    @property
    def processed(self) -> int:
        """How many bytes are done; all of them only when it is over or ready."""
        if self.ready:
            return self.total
        passed = self._world.clock.seconds() - self._since
        return max(0, min(int(self._before + passed * self._rate()), self.total - 1))

    def limit(self, bandwidth: int) -> None:
        """Go on at another speed."""
        now = self._world.clock.seconds()
        self._before = min(self._before + (now - self._since) * self._rate(), float(self.total))
        self._since = now
        self.bandwidth = bandwidth
        if not self.ready:
            self._callOff()
            self._callOff = self._world.later(self._rest(), self._complete)

    def _complete(self) -> None:
        if self._keeps:
            self.ready = True
            self._done()
            self.tell(c.VIR_DOMAIN_BLOCK_JOB_READY)
            return
        self.forget()
        self._done()
        self.tell(c.VIR_DOMAIN_BLOCK_JOB_COMPLETED)

    def forget(self) -> None:
        """Be over; nobody is told."""
        self._callOff()
        extra = self._domain.extra
        if extra.jobs.get(self.name) is self:
            del extra.jobs[self.name]
        extra.closing.pop(("block", self.name), None)

    def tell(self, status: int) -> None:
        """Tell how it stands, with C{VIR_DOMAIN_BLOCK_JOB_*}."""
        disk: Any = None
        for each in self._domain.definition.devices.disks:
            if each.target is not None and each.target.dev == self.name:
                disk = each
        path = (pathOf(disk) if disk is not None else None) or ""
        for event, subject in (
            (c.VIR_DOMAIN_EVENT_ID_BLOCK_JOB, path),
            (c.VIR_DOMAIN_EVENT_ID_BLOCK_JOB_2, self.name),
        ):
            self._world.tellDomain(self._domain, event, subject, self.kind, status)


_COPIES = frozenset((c.VIR_DOMAIN_BLOCK_JOB_TYPE_COPY, c.VIR_DOMAIN_BLOCK_JOB_TYPE_ACTIVE_COMMIT))


def checkIdle(domain: Domain, name: str) -> None:
    """
    Refuse what a disk cannot do that is busy.

    @raise VirtError: it has a job.
    """
    job = domain.jobs.get(name)
    if job is not None:
        code = ErrorCode.BLOCK_COPY_ACTIVE
        if job.kind not in _COPIES:
            code = ErrorCode.OPERATION_UNSUPPORTED
        raise virtError(code, f"disk '{name}' already in active block job", ErrorDomain.TEST)


def checkNoBlockJobs(domain: Domain) -> None:
    """
    Refuse what a guest cannot do while one of its disks is busy.

    @raise VirtError: one is.
    """
    if domain.jobs:
        raise operationInvalid("domain has active block job")
