"""
What reaches into the guest: its agent, keyboard, console, screen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred, fail

from pyvirt.client.arguments import fitting, texts
from pyvirt.client.deferring import deferred
from pyvirt.client.domainresources import DomainResources
from pyvirt.client.params import HINTS, byHints
from pyvirt.client.shapes import dictionary, listOf, zero
from pyvirt.client.stream import Stream
from pyvirt.errors import CallFailed, ErrorCode, ErrorDomain, argumentError, virtError
from pyvirt.protocols.programs import REMOTE

__all__ = ["DomainGuest"]

KEYCODES_MAX = 16


class DomainGuest(DomainResources):
    """The guest's agent, keyboard, console, screen."""

    __slots__ = ()

    def hostname(self, flags: int = 0) -> Deferred[str]:
        """Fire with the guest's own name: C{VIR_DOMAIN_GET_HOSTNAME_*}."""
        return self._remote.domainGetHostname(self._ref, flags)

    def agentSetResponseTimeout(self, timeout: int, flags: int = 0) -> Deferred[int]:
        """Limit how long the guest's agent may take, in seconds or C{VIR_DOMAIN_AGENT_RESPONSE_TIMEOUT_*}."""
        return self._remote.domainAgentSetResponseTimeout(self._ref, timeout, flags)

    def setUserPassword(self, user: str, password: str, flags: int = 0) -> Deferred[int]:
        """Change a user's password in the guest.  Fires with 0."""
        return self._remote.domainSetUserPassword(self._ref, user, password, flags).addCallback(
            zero
        )

    def authorizedSSHKeysGet(self, user: str, flags: int = 0) -> Deferred[list[str]]:
        """Fire with the SSH keys that may log in as a user of the guest."""
        return self._remote.domainAuthorizedSSHKeysGet(self._ref, user, flags).addCallback(listOf)

    def fSTrim(self, mountPoint: str | None, minimum: int, flags: int = 0) -> Deferred[int]:
        """Have the guest give back unused blocks, C{minimum} bytes each at least; None: everywhere.  Fires with 0."""
        return self._remote.domainFSTrim(self._ref, mountPoint, minimum, flags).addCallback(zero)

    def sendProcessSignal(self, pid_value: int, signum: int, flags: int = 0) -> Deferred[int]:
        """Signal a process of the guest: C{VIR_DOMAIN_PROCESS_SIGNAL_*}.  Fires with 0."""
        return self._remote.domainSendProcessSignal(
            self._ref, pid_value, signum, flags
        ).addCallback(zero)

    def setGuestVcpus(self, cpumap: str, state: int, flags: int = 0) -> Deferred[int]:
        """Have the guest use vcpus (C{state} 1) or not (0), by a list such as C{1,3-4}.  Fires with 0."""
        return self._remote.domainSetGuestVcpus(self._ref, cpumap, state, flags).addCallback(zero)

    def graphicsReload(self, type: int, flags: int = 0) -> Deferred[int]:
        """Have a graphical console read its certificates again: C{VIR_DOMAIN_GRAPHICS_RELOAD_TYPE_*}.  Fires with 0."""
        return self._remote.domainGraphicsReload(self._ref, type, flags).addCallback(zero)

    def authorizedSSHKeysSet(
        self, user: str, keys: Sequence[str] | None = None, flags: int = 0
    ) -> Deferred[int]:
        """Change the SSH keys that may log in as a user of the guest.  Fires with 0."""
        return self._remote.domainAuthorizedSSHKeysSet(
            self._ref, user, texts(keys), flags
        ).addCallback(zero)

    @deferred
    async def guestVcpus(self, flags: int = 0) -> dict[str, Any]:
        """Fire with what the guest says of its vcpus, by name."""
        return dictionary(await self._remote.domainGetGuestVcpus(self._ref, flags))

    @deferred
    async def guestInfo(self, types: int = 0, flags: int = 0) -> dict[str, Any]:
        """Fire with what the guest's agent tells by name; C{types}: C{VIR_DOMAIN_GUEST_INFO_*}, 0: all."""
        return dictionary(await self._remote.domainGetGuestInfo(self._ref, types, flags))

    def fsInfo(self, flags: int = 0) -> Deferred[list[tuple[str, str, str, list[str]]]]:
        """Fire with the guest's file systems: mount point, device in the guest, type, our names of the disks."""
        return self._remote.domainGetFSInfo(self._ref, flags).addCallback(_fileSystems)

    def fsFreeze(self, mountpoints: list[str] | None = None, flags: int = 0) -> Deferred[int]:
        """Stop writing to the guest's file systems; None: all.  Fires with how many were frozen."""
        return self._remote.domainFSFreeze(self._ref, texts(mountpoints), flags)

    def fsThaw(self, mountpoints: list[str] | None = None, flags: int = 0) -> Deferred[int]:
        """Undo L{fsFreeze}.  Fires with how many file systems were thawed."""
        return self._remote.domainFSThaw(self._ref, texts(mountpoints), flags)

    @deferred
    async def getTime(self, flags: int = 0) -> dict[str, int]:
        """Fire with the guest's clock: C{seconds} since 1970 and C{nseconds}."""
        seconds, nseconds = await self._remote.domainGetTime(self._ref, flags)
        return {"seconds": seconds, "nseconds": nseconds}

    def setTime(self, time: dict[str, int] | None = None, flags: int = 0) -> Deferred[int]:
        """
        Set the guest's clock.  Fires with 0.

        @param time: C{seconds} and, if wanted, C{nseconds}; None needs flags: C{VIR_DOMAIN_TIME_*}.
        @raise LookupError: a name is missing or not known.
        """
        seconds = nseconds = 0
        if time is None:
            if not flags:
                raise TypeError("time must be a dictionary or None with flags set")
        else:
            if not isinstance(time, dict):
                raise TypeError("time must be a dictionary or None with flags set")
            if "seconds" not in time:
                raise LookupError("Dictionary must contains 'seconds'")
            if not time.keys() <= {"seconds", "nseconds"}:
                raise LookupError("Dictionary contains unknown key")
            seconds = fitting(time["seconds"], "q")
            nseconds = fitting(time.get("nseconds", 0), "I")
        return self._remote.domainSetTime(self._ref, seconds, nseconds, flags).addCallback(zero)

    @deferred
    async def interfaceAddresses(self, source: int, flags: int = 0) -> dict[str, dict[str, Any]]:
        """
        Fire with network interfaces: C{hwaddr}, and C{addrs} with C{addr}, C{prefix} and C{type}.

        @param source: who is asked: C{VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_*}.
        """
        found = await self._remote.domainInterfaceAddresses(self._ref, source, flags)
        return {
            name: {
                "addrs": [
                    {"addr": addr, "prefix": prefix, "type": kind} for kind, addr, prefix in addrs
                ]
                or None,
                "hwaddr": hwaddr,
            }
            for name, hwaddr, addrs in found
        }

    def sendKey(
        self, codeset: int, holdtime: int, keycodes: list[int], nkeycodes: int, flags: int = 0
    ) -> Deferred[int]:
        """
        Press keys together for C{holdtime} milliseconds.  Fires with 0.

        @param codeset: C{VIR_KEYCODE_SET_*}.
        @param nkeycodes: how many there are, 16 at most.
        """
        if not isinstance(keycodes, list) or len(keycodes) != nkeycodes or nkeycodes > KEYCODES_MAX:
            return fail(CallFailed("virDomainSendKey() failed"))
        if not nkeycodes:
            return self._conn._refused(
                "domainSendKey", "nkeycodes", "must be greater than zero", ErrorDomain.DOMAIN
            )
        try:
            keys = [fitting(each, "I") for each in keycodes]
        except (TypeError, OverflowError):
            return fail()
        return self._remote.domainSendKey(self._ref, codeset, holdtime, keys, flags).addCallback(
            zero
        )

    @deferred
    async def setLaunchSecurityState(self, params: dict[str, Any], flags: int = 0) -> int:
        """Give a confidential guest its secret: C{VIR_DOMAIN_LAUNCH_SECURITY_*}.  Fires with 0."""
        known = byHints(
            params, HINTS["domainSetLaunchSecurityState"], "Launch security state params"
        )
        await self._remote.domainSetLaunchSecurityState(self._ref, known, flags)
        return 0

    def openConsole(self, dev_name: str | None, st: Stream, flags: int = 0) -> Deferred[int]:
        """
        Connect a stream to a console: C{VIR_DOMAIN_CONSOLE_*}.  Fires with 0.

        @param dev_name: the console's alias; None: the first one.
        """
        return self._open("domainOpenConsole", (self._ref, dev_name, flags), st).addCallback(zero)

    def openChannel(self, name: str | None, st: Stream, flags: int = 0) -> Deferred[int]:
        """Connect a stream to a channel, by its name or alias; None: the first one.  Fires with 0."""
        return self._open("domainOpenChannel", (self._ref, name, flags), st).addCallback(zero)

    def screenshot(self, stream: Stream, screen: int, flags: int = 0) -> Deferred[str]:
        """Fire with the type of picture that a stream then brings, such as C{image/png}."""
        return self._open("domainScreenshot", (self._ref, screen, flags), stream)

    def _open(self, name: str, arguments: tuple[Any, ...], stream: Stream | None) -> Deferred[Any]:
        procedure = REMOTE.byName[name]
        if stream is None:
            return fail(virtError(ErrorCode.INVALID_STREAM, procedure.api, ErrorDomain.STREAMS))
        return stream._open(self._conn._stubs.calls, procedure, arguments)

    def openGraphics(self, idx: int, fd: int, flags: int = 0) -> Deferred[int]:
        """Connect a socket of the caller's to a graphical console.  Fires with 0."""
        if fd < 0:
            return fail(
                argumentError(
                    "virDomainOpenGraphics", "fd", "must be zero or greater", ErrorDomain.DOMAIN
                )
            )
        return self._conn._stubs.calls.withDescriptors(
            REMOTE.byName["domainOpenGraphics"], (self._ref, idx, flags), [fd]
        ).addCallback(zero)

    @deferred
    async def openGraphicsFD(self, idx: int, flags: int = 0) -> int:
        """Fire with a descriptor connected to a graphical console; it is the caller's to close."""
        answer: Any = await self._conn._stubs.calls.withDescriptors(
            REMOTE.byName["domainOpenGraphicsFD"], (self._ref, idx, flags), []
        )
        fds: list[int] = answer[1]
        if not fds:
            raise virtError(
                ErrorCode.INTERNAL_ERROR,
                "no file descriptor received",
                ErrorDomain.REMOTE,
            )
        return fds[0]


def _fileSystems(result: Any) -> list[tuple[str, str, str, list[str]]]:
    return [(each[0], each[1], each[2], list(each[3])) for each in result[0]]
