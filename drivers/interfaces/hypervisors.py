"""
What only one hypervisor understands.
"""

from __future__ import annotations

from zope.interface import Interface

from pyvirt.drivers.interfaces.values import Answer, DomainRef


class IHypervisorCommands(Interface):
    """What only one hypervisor understands."""

    def domainQemuMonitorCommand(dom: DomainRef, cmd: str, flags: int) -> Answer[str]:
        """
        Say something to QEMU's monitor, and answer what it says.

        @param flags: C{VIR_DOMAIN_QEMU_MONITOR_COMMAND_HMP}: in the monitor's language for people.
        """

    def domainQemuMonitorCommandWithFiles(
        dom: DomainRef, cmd: str, flags: int, fds: list[int]
    ) -> Answer[tuple[str, list[int]]]:
        """
        As L{domainQemuMonitorCommand}, with descriptors both ways.

        @param fds: go with the command; they stay the caller's.
        @return: the answer, and descriptors that came with it, for the caller to close.
        """

    def domainLxcOpenNamespace(dom: DomainRef, flags: int) -> Answer[list[int]]:
        """
        Open the namespaces of a container.

        @param flags: none yet.
        @return: a descriptor for each, for the caller to close.
        """
