"""
A domain's life: what it is called, whether it runs, starting and stopping it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from twisted.internet.defer import Deferred

from pyvirt.client.arguments import descriptors
from pyvirt.client.deferring import deferred
from pyvirt.client.handle import Handle
from pyvirt.client.shapes import listOf, nameUUID, number, zero
from pyvirt.protocols.programs import REMOTE

if TYPE_CHECKING:
    from pyvirt.protocols.structs import DomainRef

__all__ = ["DomainLifecycle"]

_D = TypeVar("_D", bound="DomainLifecycle")


class DomainLifecycle(Handle):
    """Identity, state, start and stop."""

    __slots__ = ()

    _ref: DomainRef

    def deadline(self: _D, seconds: float | None) -> _D:
        """
        Return this domain with a deadline for the answer to each call.

        A call whose deadline passes fails with C{VIR_ERR_OPERATION_TIMEOUT}; what it asked for may still happen.

        @param seconds: None: no deadline.
        """
        return type(self)(self._conn.deadline(seconds), self._ref)

    def name(self) -> str:
        """Return the name."""
        return self._ref[0]

    def UUID(self) -> bytes:
        """Return the UUID, 16 bytes."""
        return self._ref[1]

    def UUIDString(self) -> str:
        """Return the UUID as text, 36 characters, lower case."""
        return nameUUID(self._ref[1])

    def ID(self) -> int:
        """Return the id that the domain had when this handle heard of it; -1: it did not run."""
        return self._ref[2]

    def _setID(self, id: int) -> None:
        name, uuid, _ = self._ref
        self._ref = type(self._ref)(name, uuid, id)

    def _stopped(self, nothing: object) -> int:
        self._setID(-1)
        return 0

    def _started(self, ref: Any) -> int:
        self._setID(ref[2])
        return 0

    def OSType(self) -> Deferred[str]:
        """Fire with the type of guest: C{hvm}, C{exe} ..."""
        return self._remote.domainGetOSType(self._ref)

    def isActive(self) -> Deferred[int]:
        """Fire with 1 if it runs, else 0."""
        return self._remote.domainIsActive(self._ref).addCallback(number)

    def isPersistent(self) -> Deferred[int]:
        """Fire with 1 if it is defined, 0 if it is gone once it stops."""
        return self._remote.domainIsPersistent(self._ref).addCallback(number)

    def isUpdated(self) -> Deferred[int]:
        """Fire with 1 if the definition for its next start differs from how it runs, else 0."""
        return self._remote.domainIsUpdated(self._ref).addCallback(number)

    def autostart(self) -> Deferred[int]:
        """Fire with 1 if it is started with the host, else 0."""
        return self._remote.domainGetAutostart(self._ref).addCallback(number)

    def setAutostart(self, autostart: int) -> Deferred[int]:
        """Have it started with the host, or not.  Fires with 0."""
        return self._remote.domainSetAutostart(self._ref, autostart).addCallback(zero)

    def autostartOnce(self) -> Deferred[int]:
        """Fire with 1 if it is started with the host the next time, else 0."""
        return self._remote.domainGetAutostartOnce(self._ref).addCallback(number)

    def setAutostartOnce(self, autostart: int) -> Deferred[int]:
        """Have it started with the host the next time only, or not.  Fires with 0."""
        return self._remote.domainSetAutostartOnce(self._ref, autostart).addCallback(zero)

    def info(self) -> Deferred[list[int]]:
        """
        Fire with state (C{VIR_DOMAIN_*}), most and current memory in KiB, vcpus, CPU time in nanoseconds.
        """
        return self._remote.domainGetInfo(self._ref).addCallback(listOf)

    def state(self, flags: int = 0) -> Deferred[list[int]]:
        """Fire with the state (C{VIR_DOMAIN_*}) and its reason."""
        return self._remote.domainGetState(self._ref, flags).addCallback(listOf)

    def controlInfo(self, flags: int = 0) -> Deferred[list[int]]:
        """
        Fire with the state of the hypervisor's control interface (C{VIR_DOMAIN_CONTROL_*}), details of an
        error, and since how many milliseconds.
        """
        return self._remote.domainGetControlInfo(self._ref, flags).addCallback(listOf)

    @deferred
    async def create(self) -> int:
        """
        Start it.  Fires with 0.

        @raise OperationInvalid: it runs.
        """
        await self._remote.domainCreate(self._ref)
        # Nothing else tells the new id.
        return self._started(await self._remote.domainLookupByUUID(self._ref[1]))

    def createWithFlags(self, flags: int = 0) -> Deferred[int]:
        """Start it, with C{VIR_DOMAIN_START_*}.  Fires with 0."""
        return self._remote.domainCreateWithFlags(self._ref, flags).addCallback(self._started)

    def createWithFiles(self, files: Sequence[int], flags: int = 0) -> Deferred[int]:
        """As L{createWithFlags}, handing open descriptors to the guest's first process."""
        calls = self._conn._stubs.calls
        return calls.withDescriptors(
            REMOTE.byName["domainCreateWithFiles"], (self._ref, flags), descriptors(files)
        ).addCallback(self._started)

    def suspend(self) -> Deferred[int]:
        """Stop its vcpus; its memory stays.  Fires with 0."""
        return self._remote.domainSuspend(self._ref).addCallback(zero)

    def resume(self) -> Deferred[int]:
        """Let its vcpus go on.  Fires with 0."""
        return self._remote.domainResume(self._ref).addCallback(zero)

    def shutdown(self) -> Deferred[int]:
        """Ask the guest to shut down, which it may ignore.  Fires with 0 once it is asked."""
        return self._remote.domainShutdown(self._ref).addCallback(zero)

    def shutdownFlags(self, flags: int = 0) -> Deferred[int]:
        """As L{shutdown}, with the ways to ask: C{VIR_DOMAIN_SHUTDOWN_*}."""
        return self._remote.domainShutdownFlags(self._ref, flags).addCallback(zero)

    def reboot(self, flags: int = 0) -> Deferred[int]:
        """Ask the guest to boot again; C{flags}: C{VIR_DOMAIN_REBOOT_*}.  Fires with 0 once it is asked."""
        return self._remote.domainReboot(self._ref, flags).addCallback(zero)

    def reset(self, flags: int = 0) -> Deferred[int]:
        """Reset it, without the guest's leave.  Fires with 0."""
        return self._remote.domainReset(self._ref, flags).addCallback(zero)

    def destroy(self) -> Deferred[int]:
        """End it at once.  Fires with 0."""
        return self._remote.domainDestroy(self._ref).addCallback(self._stopped)

    def destroyFlags(self, flags: int = 0) -> Deferred[int]:
        """End it, with C{VIR_DOMAIN_DESTROY_*}.  Fires with 0."""
        return self._remote.domainDestroyFlags(self._ref, flags).addCallback(self._stopped)

    def undefine(self) -> Deferred[int]:
        """Forget its definition; it is gone once it stops.  Fires with 0."""
        return self._remote.domainUndefine(self._ref).addCallback(zero)

    def undefineFlags(self, flags: int = 0) -> Deferred[int]:
        """As L{undefine}, with what else to delete: C{VIR_DOMAIN_UNDEFINE_*}."""
        return self._remote.domainUndefineFlags(self._ref, flags).addCallback(zero)

    def pMSuspendForDuration(self, target: int, duration: int, flags: int = 0) -> Deferred[int]:
        """
        Have the guest suspend itself (C{VIR_NODE_SUSPEND_TARGET_*}).  Fires with 0.

        @param duration: seconds; 0: until it is woken.
        """
        return self._remote.domainPMSuspendForDuration(
            self._ref, target, duration, flags
        ).addCallback(zero)

    def pMWakeup(self, flags: int = 0) -> Deferred[int]:
        """Wake a guest that suspended itself.  Fires with 0."""
        return self._remote.domainPMWakeup(self._ref, flags).addCallback(zero)

    def injectNMI(self, flags: int = 0) -> Deferred[int]:
        """Send the guest a non-maskable interrupt.  Fires with 0."""
        return self._remote.domainInjectNMI(self._ref, flags).addCallback(zero)

    def setLifecycleAction(self, type: int, action: int, flags: int = 0) -> Deferred[int]:
        """Choose what happens (C{VIR_DOMAIN_LIFECYCLE_ACTION_*}) when it powers off, boots again or crashes.  Fires with 0."""
        return self._remote.domainSetLifecycleAction(self._ref, type, action, flags).addCallback(
            zero
        )
