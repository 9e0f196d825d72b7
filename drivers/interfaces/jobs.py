"""
The one long operation a domain may be busy with.
"""

from __future__ import annotations

from zope.interface import Interface

from pyvirt.drivers.interfaces.values import Answer, DomainRef, JobInfo, JobStats


class IDomainJobs(Interface):
    """The one long operation a domain may be busy with."""

    def domainGetJobInfo(dom: DomainRef) -> Answer[JobInfo]:
        """
        Tell what a domain is busy with and how far it is; type C{VIR_DOMAIN_JOB_NONE}: nothing.
        """

    def domainGetJobStats(dom: DomainRef, flags: int) -> Answer[JobStats]:
        """
        As L{domainGetJobInfo}, with all that is known (C{VIR_DOMAIN_JOB_*}).

        @param flags: C{VIR_DOMAIN_JOB_STATS_COMPLETED}: about the last one that ended; with
            C{KEEP_COMPLETED} too it can be asked again.
        @return: at most 64 parameters.
        """

    def domainStartDirtyRateCalc(dom: DomainRef, seconds: int, flags: int) -> Answer[None]:
        """
        Start to measure how fast a guest changes its memory; statistics tell the outcome.

        @param seconds: how long, 1 to 60.
        @param flags: C{VIR_DOMAIN_DIRTYRATE_MODE_*}; C{DIRTY_BITMAP} and C{DIRTY_RING} exclude
            each other.
        """

    def domainAbortJobFlags(dom: DomainRef, flags: int) -> Answer[None]:
        """
        Give up what a domain is busy with.

        @param flags: C{VIR_DOMAIN_ABORT_JOB_POSTCOPY}: even if that loses the guest.
        @raise OperationInvalid: it is not busy, or cannot stop.
        """
