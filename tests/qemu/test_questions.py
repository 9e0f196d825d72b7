"""
What is said to QEMU at the same time, and what waits.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from pyvirt.drivers.qemu.guest import Guest
from pyvirt.drivers.qemu.qmp import QUESTIONS, CommandFailed, MonitorLost, QMPProtocol
from tests.qemu.observations import capabilities


class QuestionTests(SynchronousTestCase):
    """Questions go together, changes alone, everything in order."""

    def setUp(self) -> None:
        self.transport = StringTransport()
        self.clock = Clock()
        self.qmp = QMPProtocol(self.clock)
        self.qmp.makeConnection(self.transport)

    def said(self) -> list[str]:
        """The commands that came since the last look."""
        lines = self.transport.value().splitlines()
        self.transport.clear()
        messages = [json.loads(line) for line in lines]
        self.ids = [message["id"] for message in messages]
        return [message["execute"] for message in messages]

    def answer(self, id: str | None, **reply: Any) -> None:
        """Say something as QEMU."""
        message = reply if id is None else {**reply, "id": id}
        self.qmp.dataReceived(json.dumps(message).encode() + b"\r\n")

    def ask(self, *commands: str) -> list[Deferred[Any]]:
        return [self.qmp.execute(command) for command in commands]

    def test_together(self) -> None:
        """Questions are asked in one breath, and each gets its own answer."""
        asked = self.ask("query-version", "qom-get", "query-status")
        self.assertEqual(self.said(), ["query-version", "qom-get", "query-status"])
        for number, id in enumerate(self.ids):
            self.assertNoResult(asked[number])
            self.answer(id, **{"return": number})
            self.assertEqual(self.successResultOf(asked[number]), number)

    def test_changesAlone(self) -> None:
        """A change waits for the questions before it, and what comes after it waits for the change."""
        self.ask("query-block", "stop", "query-status", "query-cpus-fast", "cont")
        self.assertEqual(self.said(), ["query-block"])
        self.answer(self.ids[0], **{"return": []})
        self.assertEqual(self.said(), ["stop"])
        self.answer(self.ids[0], **{"return": {}})
        self.assertEqual(self.said(), ["query-status", "query-cpus-fast"])
        one, other = self.ids
        self.answer(one, **{"return": {}})
        self.assertEqual(self.said(), [])
        self.answer(other, **{"return": {}})
        self.assertEqual(self.said(), ["cont"])

    def test_atMost(self) -> None:
        """No more are asked than QEMU queues; each answer makes room for another."""
        self.ask(*["query-block"] * (QUESTIONS + 2))
        self.assertEqual(len(self.said()), QUESTIONS)
        first = self.ids[0]
        self.answer(first, **{"return": []})
        self.assertEqual(len(self.said()), 1)

    def test_descriptor(self) -> None:
        """What carries a descriptor goes alone, whatever it is called."""
        self.ask("query-block")
        self.qmp.execute("query-fdsets", fds=[0])
        self.assertEqual(self.said(), ["query-block"])

    def test_refusedWithoutNumber(self) -> None:
        """A refusal that has no number is that of the oldest."""
        one, other = self.ask("query-block", "query-blockstats")
        self.said()
        self.answer(None, error={"class": "GenericError", "desc": "no"})
        self.failureResultOf(one, CommandFailed)
        self.assertNoResult(other)
        self.answer(self.ids[1], **{"return": []})
        self.assertEqual(self.successResultOf(other), [])

    def test_nobodyWaits(self) -> None:
        """A question that nobody waits for any more is not asked, and does not hold up the next."""
        self.ask("stop")
        given, kept = self.ask("query-block", "query-status")
        self.said()
        given.cancel()
        self.failureResultOf(given)
        self.answer(self.ids[0], **{"return": {}})
        self.assertEqual(self.said(), ["query-status"])
        self.assertNoResult(kept)

    def test_late(self) -> None:
        """An answer that comes after its deadline is not taken for the next one's."""
        one = self.qmp.execute("query-block", timeout=5.0)
        other = self.qmp.execute("query-status", timeout=60.0)
        self.said()
        self.clock.advance(6.0)
        self.failureResultOf(one)
        self.answer(self.ids[0], **{"return": "late"})
        self.assertNoResult(other)
        self.answer(self.ids[1], **{"return": "right"})
        self.assertEqual(self.successResultOf(other), "right")

    def guest(self) -> Guest:
        guest = Guest(1, "/nowhere", "/nowhere", capabilities())
        guest.monitor = self.qmp
        return guest

    def test_askAll(self) -> None:
        """A guest is asked several things at once; what it refuses is told in its place."""
        asked = Deferred.fromCoroutine(self.guest().askAll(("query-a", None), ("query-b", None)))
        self.assertEqual(self.said(), ["query-a", "query-b"])
        self.answer(self.ids[0], error={"class": "CommandNotFound", "desc": "no"})
        self.answer(self.ids[1], **{"return": 1})
        refused, answer = self.successResultOf(asked)
        self.assertIsInstance(refused, CommandFailed)
        self.assertEqual(answer, 1)

    def test_askAllOfOneThatGoes(self) -> None:
        """If the guest goes, all that was asked fails at once, and no failure is left over."""
        asked = Deferred.fromCoroutine(self.guest().askAll(("query-a", None), ("query-b", None)))
        self.qmp.close()
        self.failureResultOf(asked, MonitorLost)
