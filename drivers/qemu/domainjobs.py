"""
The long operation that a domain is busy with: how far it is, and giving it up.
"""

from __future__ import annotations

from typing import Any

from pyvirt import constants as c
from pyvirt.drivers.interfaces.values import DomainRef, JobInfo, JobStats
from pyvirt.drivers.qemu.domain import Domain
from pyvirt.drivers.qemu.hypervisor import Hypervisor
from pyvirt.drivers.qemu.jobs import LongJob
from pyvirt.drivers.qemu.jobstatistics import jobInfo, jobParams
from pyvirt.drivers.qemu.refusals import (
    checkFlags,
    operationInvalid,
    operationUnsupported,
    unsupportedConfig,
)

__all__ = ["DomainJobs"]


class DomainJobs:
    """Answers for what domains are busy with."""

    def __init__(self, hypervisor: Hypervisor, connection: Any) -> None:
        self._hypervisor = hypervisor
        self._find = hypervisor.domains.find
        self._running = hypervisor.domains.running

    async def _look(self, domain: Domain, job: LongJob) -> tuple[dict[str, Any], int]:
        guest = domain.guest
        if job.operation == c.VIR_DOMAIN_JOB_OPERATION_MIGRATION_IN:
            raise operationUnsupported("migration statistics are available only on the source host")
        if guest is not None and job.look is not None:
            job.statistics = await job.look()
        elif guest is not None and job.cancel is not None:
            status = await guest.execute("query-migrate")
            if isinstance(status, dict):
                job.statistics = status
        return job.statistics, int((self._hypervisor.clock.seconds() - job.started) * 1000)

    async def domainGetJobInfo(self, dom: DomainRef) -> JobInfo:
        """Tell what a domain is busy with."""
        domain, _ = self._running(dom)
        job = domain.jobs.long
        if job is None:
            return jobInfo(c.VIR_DOMAIN_JOB_NONE, {}, 0)
        statistics, elapsed = await self._look(domain, job)
        return jobInfo(c.VIR_DOMAIN_JOB_UNBOUNDED, statistics, elapsed)

    async def domainGetJobStats(self, dom: DomainRef, flags: int) -> JobStats:
        """Tell all that is known of what a domain is, or was, busy with."""
        completed, keep = c.VIR_DOMAIN_JOB_STATS_COMPLETED, c.VIR_DOMAIN_JOB_STATS_KEEP_COMPLETED
        checkFlags("qemuDomainGetJobStats", flags, completed | keep)
        domain = self._find(dom)
        if flags & completed:
            done = domain.jobs.completed
            if done is None:
                return JobStats(c.VIR_DOMAIN_JOB_NONE, [])
            if not flags & keep:
                domain.jobs.completed = None
            job = LongJob("", done["operation"], 0.0)
            params = done.get("params") or jobParams(job, done["statistics"], done["elapsed"])
            return JobStats(c.VIR_DOMAIN_JOB_COMPLETED, params)
        domain.checkActive()
        running = domain.jobs.long
        if running is None:
            return JobStats(c.VIR_DOMAIN_JOB_NONE, [])
        statistics, elapsed = await self._look(domain, running)
        return JobStats(c.VIR_DOMAIN_JOB_UNBOUNDED, jobParams(running, statistics, elapsed))

    async def domainStartDirtyRateCalc(self, dom: DomainRef, seconds: int, flags: int) -> None:
        """Begin to measure how fast a guest changes its memory."""
        bitmap, ring = (
            c.VIR_DOMAIN_DIRTYRATE_MODE_DIRTY_BITMAP,
            c.VIR_DOMAIN_DIRTYRATE_MODE_DIRTY_RING,
        )
        checkFlags(
            "qemuDomainStartDirtyRateCalc",
            flags,
            c.VIR_DOMAIN_DIRTYRATE_MODE_PAGE_SAMPLING | bitmap | ring,
        )
        if not 1 <= seconds <= 60:
            raise unsupportedConfig(
                f"seconds={seconds} is invalid, please choose value within [1, 60]."
            )
        domain = self._find(dom)
        async with domain.jobs.change("remoteDispatchDomainStartDirtyRateCalc"):
            guest = domain.checkActive()
            mode = "page-sampling"
            kvm = getattr(domain.definition.features, "kvm", None)
            hasRing = getattr(kvm, "dirtyRing", None) is not None
            if flags & bitmap:
                mode = "dirty-bitmap"
                if hasRing:
                    raise operationUnsupported(
                        "dirty-bitmap calculation mode requires dirty-ring feature disabled."
                    )
            elif flags & ring:
                mode = "dirty-ring"
                if not hasRing:
                    raise operationUnsupported(
                        "dirty-ring calculation mode requires dirty-ring feature enabled."
                    )
            await guest.execute("calc-dirty-rate", {"calc-time": seconds, "mode": mode})

    async def domainAbortJobFlags(self, dom: DomainRef, flags: int) -> None:
        """Give up what a domain is busy with."""
        checkFlags("qemuDomainAbortJobFlags", flags, c.VIR_DOMAIN_ABORT_JOB_POSTCOPY)
        domain, _ = self._running(dom)
        job = domain.jobs.long
        coming = job is not None and job.operation == c.VIR_DOMAIN_JOB_OPERATION_MIGRATION_IN
        leaver = self._hypervisor.leaving.get(domain.uuid)
        following = leaver is not None and leaver.follows
        if flags & c.VIR_DOMAIN_ABORT_JOB_POSTCOPY:
            if leaver is None or not following:
                raise operationInvalid("current job is not outgoing migration in post-copy mode")
            await leaver.guest.execute("migrate-pause")
            return
        if job is None or coming:
            raise operationInvalid("no job is active on the domain")
        if following:
            raise operationInvalid("cannot abort migration in post-copy mode")
        if job.cancel is None:
            raise operationInvalid(f"cannot abort {job.what} job")
        job.aborted = True
        await job.cancel()
