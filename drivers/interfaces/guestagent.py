"""
What an agent inside the guest can tell or do.
"""

from __future__ import annotations

from zope.interface import Interface

from pyvirt.drivers.interfaces.values import (
    Answer,
    DomainFSInfo,
    DomainInterface,
    DomainRef,
    DomainTime,
    TypedParam,
)


class IDomainGuestAgent(Interface):
    """What an agent inside the guest can tell or do."""

    def domainGetHostname(dom: DomainRef, flags: int) -> Answer[str]:
        """
        Tell a guest's name as it knows it.

        @param flags: C{VIR_DOMAIN_GET_HOSTNAME_LEASE} or C{AGENT}: whom to ask; 0: the driver's
            choice.
        @raise VirtError: C{NO_HOSTNAME}: nobody knows it.
        """

    def domainFSTrim(
        dom: DomainRef, mountPoint: str | None, minimum: int, flags: int
    ) -> Answer[None]:
        """
        Let a guest give back unused blocks of its disks.

        @param mountPoint: one file system; None: all.
        @param minimum: smallest run of bytes that is worth it.
        @param flags: none yet.
        """

    def domainFSFreeze(dom: DomainRef, mountpoints: list[str], flags: int) -> Answer[int]:
        """
        Let a guest write everything out and then write nothing.

        @param mountpoints: these file systems, at most 256; empty: all.
        @param flags: none yet.
        @return: how many are frozen now.
        """

    def domainFSThaw(dom: DomainRef, mountpoints: list[str], flags: int) -> Answer[int]:
        """
        Let a guest write again; parameters are as in L{domainFSFreeze}.

        @return: how many were frozen.
        """

    def domainGetTime(dom: DomainRef, flags: int) -> Answer[DomainTime]:
        """
        Tell a guest's clock.

        @param flags: none yet.
        """

    def domainSetTime(dom: DomainRef, seconds: int, nseconds: int, flags: int) -> Answer[None]:
        """
        Set a guest's clock.

        @param seconds: since 1970, UTC.
        @param nseconds: 0 to 999999999.
        @param flags: C{VIR_DOMAIN_TIME_SYNC}: to the guest's own hardware clock, whatever the
            numbers are.
        """

    def domainGetFSInfo(dom: DomainRef, flags: int) -> Answer[list[DomainFSInfo]]:
        """
        List a guest's file systems, at most 256.

        @param flags: none yet.
        """

    def domainInterfaceAddresses(
        dom: DomainRef, source: int, flags: int
    ) -> Answer[list[DomainInterface]]:
        """
        List a guest's interfaces and their addresses, at most 2048 each.

        @param source: C{VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_*}; read-only callers may not ask the
            agent.
        @param flags: none yet.
        @raise VirtError: C{ARGUMENT_UNSUPPORTED}: there is no such source.
        """

    def domainSetUserPassword(
        dom: DomainRef, user: str | None, password: str | None, flags: int
    ) -> Answer[None]:
        """
        Change a password inside a guest.

        @param user: not None.
        @param password: not None.
        @param flags: C{VIR_DOMAIN_PASSWORD_ENCRYPTED}: it is encrypted already, as the guest wants
            it.
        """

    def domainGetGuestVcpus(dom: DomainRef, flags: int) -> Answer[list[TypedParam]]:
        """
        Tell which of its virtual CPUs a guest uses, can use, can stop using (lists of numbers by
        name).

        @param flags: none yet.
        @return: at most 64 parameters.
        """

    def domainSetGuestVcpus(dom: DomainRef, cpumap: str, state: int, flags: int) -> Answer[None]:
        """
        Let a guest use virtual CPUs or not.

        @param cpumap: numbers and ranges, such as C{1-3,5}.
        @param state: 1: use them, 0: do not.
        @param flags: none yet.
        """

    def domainGetGuestInfo(dom: DomainRef, types: int, flags: int) -> Answer[list[TypedParam]]:
        """
        Tell what is known inside a guest about users, system, file systems, addresses.

        @param types: bitwise-OR of C{VIR_DOMAIN_GUEST_INFO_*}; 0: all that the agent knows.
        @param flags: none yet.
        @return: at most 2048 parameters.
        """

    def domainAgentSetResponseTimeout(dom: DomainRef, timeout: int, flags: int) -> Answer[int]:
        """
        Say how long the agent may take to answer from now on.

        @param timeout: seconds, 0: not at all, or C{VIR_DOMAIN_AGENT_RESPONSE_TIMEOUT_*} (-2 for
            ever, -1 default).
        @param flags: none yet.
        @return: 0.
        """

    def domainAuthorizedSSHKeysGet(dom: DomainRef, user: str, flags: int) -> Answer[list[str]]:
        """
        List the keys that let a user of the guest in.

        @param flags: none yet.
        @return: at most 2048.
        """

    def domainAuthorizedSSHKeysSet(
        dom: DomainRef, user: str, keys: list[str], flags: int
    ) -> Answer[None]:
        """
        Change the keys that let a user of the guest in.

        @param keys: at most 2048; not empty with a flag.
        @param flags: C{VIR_DOMAIN_AUTHORIZED_SSH_KEYS_SET_APPEND} or C{REMOVE}; 0: exactly these.
        """

    def domainQemuAgentCommand(
        dom: DomainRef, cmd: str, timeout: int, flags: int
    ) -> Answer[str | None]:
        """
        Say something to the guest agent, and answer what it says.

        @param timeout: seconds, or C{VIR_DOMAIN_QEMU_AGENT_COMMAND_*}: -2 for ever, -1 default, 0
            do not wait.
        @param flags: none yet.
        @return: None if nothing was waited for.
        """
