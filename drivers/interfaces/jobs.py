"""
The one long operation a domain may be busy with.
"""

from __future__ import annotations

from zope.interface import Interface

from pyvirt.drivers.interfaces.values import Answer, DomainRef, JobInfo, JobStats


class IDomainJobs(Interface):
    """The one long operation a domain may be busy with."""

    def domainGetJobInfo(dom: DomainRef) -> Answer[JobInfo]:
        """virDomainGetJobInfo."""

    def domainGetJobStats(dom: DomainRef, flags: int) -> Answer[JobStats]:
        """virDomainGetJobStats."""

    def domainStartDirtyRateCalc(dom: DomainRef, seconds: int, flags: int) -> Answer[None]:
        """virDomainStartDirtyRateCalc."""

    def domainAbortJobFlags(dom: DomainRef, flags: int) -> Answer[None]:
        """virDomainAbortJobFlags."""
