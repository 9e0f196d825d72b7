"""
What only one hypervisor understands.
"""

from __future__ import annotations

from zope.interface import Interface

from pyvirt.drivers.interfaces.values import Answer, DomainRef


class IHypervisorCommands(Interface):
    """What only one hypervisor understands."""

    def domainQemuMonitorCommand(dom: DomainRef, cmd: str, flags: int) -> Answer[str]:
        """virDomainQemuMonitorCommand."""

    def domainQemuMonitorCommandWithFiles(
        dom: DomainRef, cmd: str, flags: int, fds: list[int]
    ) -> Answer[tuple[str, list[int]]]:
        """virDomainQemuMonitorCommandWithFiles."""

    def domainLxcOpenNamespace(dom: DomainRef, flags: int) -> Answer[list[int]]:
        """virDomainLxcOpenNamespace."""
