"""
Guests that leave for a daemon of which this one is the client: L{PeerToPeer}, QEMU's side of L{pyvirt.drivers.peertopeer}.
"""

from __future__ import annotations

from typing import Any

from pyvirt import constants as c
from pyvirt.drivers.interfaces.streams import IStreamSink
from pyvirt.drivers.interfaces.values import DomainRef, MigrationBegun
from pyvirt.drivers.peertopeer import Leader, checkPeerURI
from pyvirt.drivers.qemu.domain import Domain
from pyvirt.drivers.qemu.leaving import Leaver, Leaving
from pyvirt.drivers.qemu.leavingchecks import checkMovable
from pyvirt.drivers.qemu.memorystream import canceled
from pyvirt.drivers.qemu.migrationcookie import readCookie
from pyvirt.drivers.qemu.migrationdata import asParams
from pyvirt.drivers.qemu.refusals import invalidArgument
from pyvirt.drivers.refusals import Refusals
from pyvirt.errors import ErrorDomain, VirtError

__all__ = ["PeerToPeer"]


class PeerToPeer(Leaving):
    """Leads migrations."""

    async def migrate(
        self, domain: Domain, dconnuri: str | None, asked: dict[str, Any], flags: int
    ) -> None:
        """
        Move a guest.

        @param dconnuri: where the destination's daemon is reached from here.
        @raise VirtError: it goes on here, if it went on.
        """
        if not dconnuri:
            raise invalidArgument("no URI of the destination was given")
        if not getattr(self._connection, "trusted", True):
            checkPeerURI(dconnuri, ErrorDomain.QEMU)
        hypervisor = self._hypervisor
        config = hypervisor.config
        leader = Leader(
            hypervisor.clock,
            Refusals(ErrorDomain.QEMU),
            (config["keepalive_interval"], config["keepalive_count"]),
            lambda: hypervisor.stopping,
        )
        params = asParams(asked)
        if flags & c.VIR_MIGRATE_OFFLINE:
            await leader.lead(_Going(self, domain, None, asked), dconnuri, params, flags)
            return
        again = bool(flags & c.VIR_MIGRATE_POSTCOPY_RESUME)
        if again:
            leaver = self._broken(domain)
        else:
            leaver = await self._hold(domain, domain.checkActive(), flags, None)
        leaver.peer = dconnuri
        self._callOff(leaver)
        leaver.busy = True
        try:
            if not again:
                await checkMovable(domain, domain.definition, flags, asked)
            await leader.lead(_Going(self, domain, leaver, asked), dconnuri, params, flags)
        finally:
            leaver.busy = False
            if leaver.held is not None and not leaver.sent:
                await self._givenUp(leaver)
            if not leaver.kept or not leaver.half:
                await self._forget(leaver)


class _Going:
    """
    One migration's steps.

    @ivar leaver: the guest, None of a domain that does not run.
    """

    def __init__(
        self, steps: PeerToPeer, domain: Domain, leaver: Leaver | None, asked: dict[str, Any]
    ) -> None:
        self._steps = steps
        self._domain = domain
        self._leaver = leaver
        self._asked = asked
        self._flags = 0

    @property
    def ref(self) -> DomainRef:
        """The domain."""
        return self._domain.ref

    @property
    def paused(self) -> bool:
        """Whether it stands still."""
        return self._domain.active and self._domain.state == c.VIR_DOMAIN_PAUSED

    async def begin(self, flags: int) -> MigrationBegun:
        """Describe it to the destination."""
        self._flags = flags
        if flags & c.VIR_MIGRATE_POSTCOPY_RESUME:
            leaver = self._leaver
            assert leaver is not None
            leaver.busy = False  # it is this one's own
            try:
                return self._steps._beginAgain(self._domain)
            finally:
                leaver.busy = True
        return await self._steps._begin(self._domain, self._asked, flags)

    def goesOn(self) -> None:
        """
        See whether it is still wanted.

        @raise VirtError: it is not.
        """
        leaver = self._leaver
        job = None if leaver is None else leaver.job
        if leaver is None or job is None:
            return
        if leaver.domain.guest is not leaver.guest:
            leaver.domain.checkActive()
        if job.aborted:
            raise job.problem or canceled("migration out job")

    async def perform(self, cookie: bytes, where: str | IStreamSink | None) -> bytes:
        """Send it."""
        leaver, steps = self._leaver, self._steps
        if leaver is None:
            return b""
        assert where is not None
        read = readCookie(cookie, uuid=self._domain.uuid)
        if isinstance(where, str):
            address = steps._addressOf(where, self._flags, self._asked, leaver)
            if self._flags & c.VIR_MIGRATE_POSTCOPY_RESUME:
                await steps._performAgain(leaver, address)
                return steps._cookie(self._domain, statistics=leaver.statistics).encode()
            return (await steps._perform(leaver, self._asked, read, address)).encode()
        return (await steps._perform(leaver, self._asked, read, where)).encode()

    async def giveUp(self) -> bool:
        """Let it go on here, for it was not sent."""
        leaver = self._leaver
        if leaver is None:
            return True
        await self._steps._givenUp(leaver)
        return self._domain.guest is leaver.guest

    async def confirm(self, cookie: bytes, flags: int, cancelled: bool) -> None:
        """Let it go, or go on here."""
        if self._leaver is not None:
            answer = readCookie(cookie) if cookie else None
            await self._steps._confirm(self._leaver, answer, flags, cancelled)
        elif not cancelled:
            self._steps._removed(self._domain, flags)

    def lost(self, error: VirtError) -> None:
        """The destination is gone."""
        if self._leaver is not None:
            self._leaver.fail(error)
