"""
Connections that heal themselves, with daemons that are killed and started again.
"""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

import pyvirt
from tests.interop.support import Daemon, LibvirtDaemon, PyvirtDaemon

XML = "<domain type='test'><name>new</name><memory>8192</memory><os><type>hvm</type></os></domain>"


class HealingTests(TestCase):
    """The same on both daemons."""

    timeout = 300

    def test_libvirtd(self) -> Deferred[None]:
        """
        A libvirtd that is killed and comes back has its client back: handles, callbacks, waiting calls.
        """
        return Deferred.fromCoroutine(self.killed(LibvirtDaemon))

    def test_pyvirt(self) -> Deferred[None]:
        """
        So has our daemon.
        """
        return Deferred.fromCoroutine(self.killed(PyvirtDaemon))

    async def killed(self, make: type[Daemon]) -> None:
        daemon = make()
        self.addCleanup(daemon.stop)
        told: list[Any] = []
        events: list[Any] = []
        restored: Deferred[None] = Deferred()
        retried: Deferred[None] = Deferred()
        heard: Deferred[None] = Deferred()
        paused: Deferred[None] = Deferred()

        def happened(conn: Any, happening: Any) -> None:
            told.append(happening)
            if isinstance(happening, pyvirt.ConnectionRestored):
                restored.callback(None)
            elif isinstance(happening, pyvirt.ConnectionRetried) and happening.attempt == 2:
                retried.callback(None)

        def event(conn: Any, dom: Any, what: int, detail: int, opaque: Any) -> None:
            events.append((dom.name(), what, detail, opaque))
            if what == pyvirt.VIR_DOMAIN_EVENT_SUSPENDED and not paused.called:
                paused.callback(None)
            if what == pyvirt.VIR_DOMAIN_EVENT_RESUMED:
                heard.callback(None)

        heal = pyvirt.Healing(onChange=happened, firstDelay=0.05, longestDelay=0.2)
        conn = await pyvirt.open(daemon.uri(), reactor=reactor, heal=heal)
        try:
            number = await conn.domainEventRegisterAny(None, 0, event, "o")
            dom = await conn.lookupByName("test")
            await conn.createXML(XML, 0)
            await dom.suspend()
            await paused  # what nobody has told cannot be missed
            daemon.kill()
            try:
                await conn.getHostname()
            except pyvirt.OutcomeUnknown:
                await retried
            else:
                self.fail("a dead daemon answered")
            waiting = conn.lookupByName("test")
            daemon.restart()
            await restored
            self.assertEqual((await waiting).UUID(), dom.UUID())
            back = told[-1]
            self.assertEqual(back.compared, frozenset(("domain", "network", "pool")))
            # The host of libvirt's test driver is gone with its daemon, and new: so is its UUID there.
            changes = {(each.object.name(), each.kind.value) for each in back.changes}
            self.assertIn(("new", "gone"), changes)
            self.assertIn("test", {name for name, _ in changes})
            events.clear()
            again = await conn.lookupByName("test")
            await again.suspend()
            await again.resume()
            await heard
            self.assertEqual([each[1] for each in events], [3, 4])
            await conn.domainEventDeregisterAny(number)
        finally:
            await conn.close()
        self.assertIsInstance(told[0], pyvirt.ConnectionLost)
