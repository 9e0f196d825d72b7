"""
Guests coming to life, pausing, saving, ending.
"""

from __future__ import annotations

from zope.interface import Interface

from pyvirt.drivers.interfaces.values import (
    Answer,
    ControlInfo,
    DomainInfo,
    DomainRef,
    DomainState,
    TypedParam,
)


class IDomainLifecycle(Interface):
    """Guests coming to life, pausing, saving, ending."""

    def domainCreateXML(xmlDesc: str, flags: int, fds: list[int]) -> Answer[DomainRef]:
        """
        Start a transient domain, or one that is defined with the same name and UUID with another
        definition this once.

        @param xmlDesc: a C{<domain>} document.
        @param flags: bitwise-OR of C{VIR_DOMAIN_START_*}.
        @param fds: descriptors for an init process; they stay the caller's, and what keeps one
            duplicates it.
        @return: fires when the guest's CPUs run, or could run if it starts paused; the reference
            has its new id.
        @raise OperationInvalid: it is active already.
        """

    def domainGetInfo(dom: DomainRef) -> Answer[DomainInfo]:
        """Tell a domain's state, memory and CPUs, without asking anything that may take long."""

    def domainReboot(dom: DomainRef, flags: int) -> Answer[None]:
        """
        Ask a guest to restart.  It answers when the guest was asked.

        @param flags: bitwise-OR of C{VIR_DOMAIN_REBOOT_*}: the ways to ask; 0: the driver's
            choice.
        @raise OperationInvalid: it is inactive.
        """

    def domainResume(dom: DomainRef) -> Answer[None]:
        """
        Let a paused guest run again.

        @raise OperationInvalid: it is inactive.
        """

    def domainSuspend(dom: DomainRef) -> Answer[None]:
        """
        Pause a guest: its CPUs stop, its memory stays.

        @raise OperationInvalid: it is inactive.
        """

    def domainIsActive(dom: DomainRef) -> Answer[bool]:
        """Whether the domain runs or is paused."""

    def domainManagedSave(dom: DomainRef, flags: int) -> Answer[None]:
        """
        Save a guest's memory where the driver keeps it and end the guest; its next start restores
        it.

        @param flags: bitwise-OR of C{VIR_DOMAIN_SAVE_*}; C{RUNNING} and C{PAUSED} exclude each
            other.
        @return: fires when the file is complete.
        """

    def domainHasManagedSaveImage(dom: DomainRef, flags: int) -> Answer[bool]:
        """
        Whether L{domainManagedSave} left something to restore.

        @param flags: none yet.
        """

    def domainManagedSaveRemove(dom: DomainRef, flags: int) -> Answer[None]:
        """
        Remove what L{domainManagedSave} left; the next start boots.

        @param flags: none yet.
        """

    def domainCreateWithFlags(dom: DomainRef, flags: int, fds: list[int]) -> Answer[DomainRef]:
        """
        Start a domain that is defined.

        @param flags: bitwise-OR of C{VIR_DOMAIN_START_*}.
        @param fds: as in L{domainCreateXML}.
        @return: as L{domainCreateXML}.
        @raise OperationInvalid: it is active already.
        """

    def domainInjectNMI(dom: DomainRef, flags: int) -> Answer[None]:
        """
        Interrupt a guest as a debugging switch does.

        @param flags: none yet.
        """

    def domainGetState(dom: DomainRef, flags: int) -> Answer[DomainState]:
        """
        Tell a domain's state and why it is in it.

        @param flags: none yet.
        """

    def domainSendKey(
        dom: DomainRef, codeset: int, holdtime: int, keycodes: list[int], flags: int
    ) -> Answer[None]:
        """
        Press keys all at once, and release them.

        @param codeset: C{VIR_KEYCODE_SET_*}: what the numbers mean.
        @param holdtime: milliseconds between press and release.
        @param keycodes: 1 to 16.
        @param flags: none yet.
        """

    def domainGetControlInfo(dom: DomainRef, flags: int) -> Answer[ControlInfo]:
        """
        Tell whether the hypervisor can be talked to about a guest just now.

        @param flags: none yet.
        """

    def domainSaveFlags(dom: DomainRef, to: str, dxml: str | None, flags: int) -> Answer[None]:
        """
        Save a guest's memory to a file and end the guest.

        @param to: an absolute path.
        @param dxml: the definition to save instead of its own, compatible with it; None: its own.
        @param flags: bitwise-OR of C{VIR_DOMAIN_SAVE_*}; C{RUNNING} and C{PAUSED} exclude each
            other.
        @return: fires when the file is complete.
        """

    def domainRestoreFlags(from_: str, dxml: str | None, flags: int) -> Answer[None]:
        """
        Start the guest that L{domainSaveFlags} saved.

        @param from_: an absolute path.
        @param dxml: the definition to start instead of the saved one; None: the saved one.
        @param flags: as L{domainSaveFlags}: in which state it goes on; neither: in the one it was
            saved in.
        """

    def domainDestroyFlags(dom: DomainRef, flags: int) -> Answer[None]:
        """
        End a guest at once, as pulling the plug does.

        @param flags: bitwise-OR of C{VIR_DOMAIN_DESTROY_*}.
        @raise OperationInvalid: it is inactive.
        """

    def domainSaveImageGetXMLDesc(file: str, flags: int) -> Answer[str]:
        """
        Describe the guest in a file that L{domainSaveFlags} wrote.

        @param flags: C{VIR_DOMAIN_SAVE_IMAGE_XML_SECURE}: with secrets.
        """

    def domainSaveImageDefineXML(file: str, dxml: str, flags: int) -> Answer[None]:
        """
        Change the definition in a file that L{domainSaveFlags} wrote.

        @param dxml: one that is compatible with the saved memory.
        @param flags: as L{domainSaveFlags}.
        """

    def domainReset(dom: DomainRef, flags: int) -> Answer[None]:
        """
        Restart a guest at once, as the reset button does.

        @param flags: none yet.
        @raise OperationInvalid: it is inactive.
        """

    def domainShutdownFlags(dom: DomainRef, flags: int) -> Answer[None]:
        """
        Ask a guest to end.  It answers when the guest was asked; the guest may refuse.

        @param flags: bitwise-OR of C{VIR_DOMAIN_SHUTDOWN_*}: the ways to ask; 0: the driver's
            choice.
        @raise OperationInvalid: it is inactive.
        """

    def domainPMSuspendForDuration(
        dom: DomainRef, target: int, duration: int, flags: int
    ) -> Answer[None]:
        """
        Ask a guest to sleep.

        @param target: C{VIR_NODE_SUSPEND_TARGET_*}.
        @param duration: seconds after which it wakes; 0: when it is told to.
        @param flags: none yet.
        """

    def domainPMWakeup(dom: DomainRef, flags: int) -> Answer[None]:
        """
        Wake a guest that sleeps.

        @param flags: none yet.
        """

    def domainSendProcessSignal(
        dom: DomainRef, pidValue: int, signum: int, flags: int
    ) -> Answer[None]:
        """
        Send a signal to a process inside a guest.

        @param pidValue: its number as the guest sees it; never 0, below 0: a group.
        @param signum: C{VIR_DOMAIN_PROCESS_SIGNAL_*}.
        @param flags: none yet.
        """

    def domainCoreDumpWithFormat(
        dom: DomainRef, to: str, dumpformat: int, flags: int
    ) -> Answer[None]:
        """
        Write a guest's memory to a file for debuggers.

        @param to: an absolute path.
        @param dumpformat: C{VIR_DOMAIN_CORE_DUMP_FORMAT_*}.
        @param flags: bitwise-OR of C{VIR_DUMP_*}: what becomes of the guest; C{CRASH}, C{LIVE} and
            C{RESET} exclude each other.
        @return: fires when the file is complete.
        """

    def domainManagedSaveGetXMLDesc(dom: DomainRef, flags: int) -> Answer[str]:
        """
        Describe the guest that L{domainManagedSave} saved.

        @param flags: C{VIR_DOMAIN_SAVE_IMAGE_XML_SECURE}: with secrets, which read-only callers
            may not ask for.
        """

    def domainManagedSaveDefineXML(dom: DomainRef, dxml: str | None, flags: int) -> Answer[None]:
        """
        Change the definition of the guest that L{domainManagedSave} saved.

        @param dxml: one that is compatible with the saved memory; None: only the state in C{flags}
            changes.
        @param flags: as L{domainManagedSave}.
        """

    def domainSetLifecycleAction(
        dom: DomainRef, type: int, action: int, flags: int
    ) -> Answer[None]:
        """
        Say what happens when a guest powers off, reboots or crashes.

        @param type: C{VIR_DOMAIN_LIFECYCLE_*}, 0 to 2.
        @param action: C{VIR_DOMAIN_LIFECYCLE_ACTION_*}, 0 to 5; not each goes with each C{type}.
        @param flags: bitwise-OR of C{VIR_DOMAIN_AFFECT_*}.
        """

    def domainGetMessages(dom: DomainRef, flags: int) -> Answer[list[str]]:
        """
        Tell what is wrong with a domain, in sentences for people.

        @param flags: bitwise-OR of C{VIR_DOMAIN_MESSAGE_*}; 0: all kinds.
        @return: empty: nothing is.
        """

    def domainSaveParams(dom: DomainRef, params: list[TypedParam], flags: int) -> Answer[None]:
        """
        Save a guest as L{domainSaveFlags} does.

        @param params: C{VIR_DOMAIN_SAVE_PARAM_*}; without a file as L{domainManagedSave} does.
        @param flags: as L{domainSaveFlags}.
        """

    def domainRestoreParams(params: list[TypedParam], flags: int) -> Answer[None]:
        """
        Start the guest that L{domainSaveParams} saved to a file.

        @param params: C{VIR_DOMAIN_SAVE_PARAM_*}.
        @param flags: as L{domainRestoreFlags}.
        """
