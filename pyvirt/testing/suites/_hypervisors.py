"""
What must hold of a hypervisor's own language, of what its monitor tells, and of clients that leave.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

from pyvirt import constants as c
from pyvirt.drivers.interfaces.driver import IClientWatch
from pyvirt.drivers.interfaces.events import Event, IMonitorEvents
from pyvirt.drivers.interfaces.hypervisors import IHypervisorCommands
from pyvirt.drivers.interfaces.lifecycle import IDomainLifecycle
from pyvirt.drivers.interfaces.values import DomainRef
from pyvirt.errors import ErrorCode, VirtError
from pyvirt.testing.suites._domains import DomainSuite
from pyvirt.testing.suites._suite import UNKNOWN_FLAG, Suite

__all__ = ["ClientWatchContract", "HypervisorCommandsContract", "MonitorEventsContract"]


class _RunningSuite(DomainSuite):
    """What suites about running domains have in common."""

    def running(self, name: str = "suite1") -> DomainRef:
        """Return a domain that runs."""
        ref: DomainRef = self.ask(
            "domainCreateWithFlags", self.define(name), 0, interface=IDomainLifecycle
        )
        return ref


class HypervisorCommandsContract(_RunningSuite):
    """
    What only one hypervisor understands: L{IHypervisorCommands}.

    @cvar command: what is said; it changes nothing.
    @cvar answer: what is in the answer, among other things.
    """

    contract = IHypervisorCommands
    command = '{"execute":"query-name"}'
    answer = '"return":'

    def test_command(self) -> None:
        """The monitor's answer comes back as text, as often as it is asked."""
        dom = self.running()
        if not self.has("domainQemuMonitorCommand"):
            return
        for _ in range(2):
            answer = self.ask("domainQemuMonitorCommand", dom, self.command, 0)
            self.assertIn(self.answer, answer)

    def test_descriptors(self) -> None:
        """What goes with a command stays the caller's, and what comes back is open and the caller's too."""
        dom = self.running()
        if not self.has("domainQemuMonitorCommandWithFiles"):
            return
        for files in (0, 1):
            given = [os.open(os.devnull, os.O_RDONLY) for _ in range(files)]
            before = set(os.listdir("/proc/self/fd"))
            answer, found = self.ask(
                "domainQemuMonitorCommandWithFiles", dom, self.command, 0, given
            )
            self.assertIn(self.answer, answer)
            for fd in (*given, *found):
                os.fstat(fd)
                os.close(fd)
            left = set(os.listdir("/proc/self/fd")) - before - {str(fd) for fd in found}
            self.assertEqual(left, set())

    def test_namespaces(self) -> None:
        """Each descriptor is open, and of its own."""
        dom = self.running()
        if not self.has("domainLxcOpenNamespace"):
            return
        found = self.ask("domainLxcOpenNamespace", dom, 0)
        self.assertEqual(len(found), len(set(found)))
        for fd in found:
            os.fstat(fd)
            os.close(fd)

    def test_refused(self) -> None:
        """Unknown flags are refused, and a domain that is not there."""
        dom = self.running()
        for name, more in (
            ("domainQemuMonitorCommand", (self.command,)),
            ("domainLxcOpenNamespace", ()),
        ):
            self.refuses(None, name, dom, *more, UNKNOWN_FLAG)
            self.refuses(ErrorCode.NO_DOMAIN, name, self.nobody(), *more, 0)
        name, more = "domainQemuMonitorCommandWithFiles", (self.command,)
        self.refuses(None, name, dom, *more, UNKNOWN_FLAG, [])
        self.refuses(ErrorCode.NO_DOMAIN, name, self.nobody(), *more, 0, [])

    def test_inactive(self) -> None:
        """Nobody answers for a domain that does not run."""
        dom = self.define("suite1")
        for name, *more in (
            ("domainQemuMonitorCommand", self.command, 0),
            ("domainQemuMonitorCommandWithFiles", self.command, 0, []),
            ("domainLxcOpenNamespace", 0),
        ):
            self.refuses(ErrorCode.OPERATION_INVALID, name, dom, *more)


class MonitorEventsContract(_RunningSuite):
    """
    What a hypervisor's monitor tells: L{IMonitorEvents}.

    @cvar monitorEvent: what L{provoke} has the monitor tell, in capitals.
    """

    contract = IMonitorEvents
    required = ("monitorEventSubscribe",)
    monitorEvent = "STOP"

    def provoke(self, dom: DomainRef) -> None:
        """Have the monitor of a running domain tell its event."""
        self.ask("domainSuspend", dom, interface=IDomainLifecycle)
        self.ask("domainResume", dom, interface=IDomainLifecycle)

    def listen(
        self, event: str | None = None, flags: int = 0, dom: DomainRef | None = None
    ) -> list[Event]:
        """Return what fills with the events that are asked for, until the test is over."""
        heard: list[Event] = []
        subscription = self.ask("monitorEventSubscribe", dom, event, flags, heard.append)
        self.addCleanup(lambda: self.wait(subscription.cancel()))
        return heard

    def names(self, heard: list[Event]) -> list[str]:
        """Return which of the events are the suite's own."""
        return [event.details[0] for event in heard if event.details[0] == self.monitorEvent]

    def test_told(self) -> None:
        """An event has its domain, its name, the time, and what more there is as an object in JSON."""
        dom, heard = self.running(), self.listen()
        self.provoke(dom)
        self.happens(lambda: self.names(heard), "the monitor tells")
        for event in heard:
            name, seconds, micros, details = event.details
            self.assertEqual(event.ref.uuid, dom.uuid)
            self.assertRegex(name, r"^\S+$")
            self.assertGreaterEqual(seconds, 0)
            self.assertIn(micros, range(1_000_000))
            if details is not None:
                self.assertIsInstance(json.loads(details), dict)

    def test_names(self) -> None:
        """Only events are told whose names are asked for: as they are, by a pattern, in whatever case."""
        regex = c.VIR_CONNECT_DOMAIN_QEMU_MONITOR_EVENT_REGISTER_REGEX
        nocase = c.VIR_CONNECT_DOMAIN_QEMU_MONITOR_EVENT_REGISTER_NOCASE
        name = self.monitorEvent
        pattern = f"^{name[0]}.*{name[-1]}$"
        wanted = [
            self.listen(*asked)
            for asked in (
                (name, 0),
                (name.lower(), nocase),
                (pattern, regex),
                (name[1:-1], regex),
                (pattern.lower(), regex | nocase),
            )
        ]
        others = [
            self.listen(*asked)
            for asked in (
                (name.lower(), 0),
                (pattern, 0),
                (f"{name}X", nocase),
                (pattern.lower(), regex),
                ("", 0),
            )
        ]
        self.provoke(self.running())
        self.happens(lambda: all(map(self.names, wanted)), "all are told who asked")
        self.assertEqual([self.names(heard) for heard in wanted], [[name]] * len(wanted))
        self.assertEqual(others, [[] for _ in others])

    def test_domain(self) -> None:
        """Of one domain is told what is its own."""
        one = self.running("suite1")
        heard = self.listen(dom=one)
        silent = self.listen(dom=self.nobody())
        self.provoke(one)
        self.happens(lambda: self.names(heard), "the monitor tells")
        self.assertEqual(silent, [])

    def test_cancel(self) -> None:
        """Who has cancelled hears no more; others do."""
        dom, kept = self.running(), self.listen()
        heard: list[Event] = []
        subscription = self.ask("monitorEventSubscribe", None, None, 0, heard.append)
        self.wait(subscription.cancel())
        self.provoke(dom)
        self.happens(lambda: self.names(kept), "the monitor tells")
        self.assertEqual(heard, [])

    def test_refused(self) -> None:
        """Unknown flags and patterns that are none are refused, and nothing is told then."""
        heard: list[Event] = []
        regex = c.VIR_CONNECT_DOMAIN_QEMU_MONITOR_EVENT_REGISTER_REGEX
        self.refuses(None, "monitorEventSubscribe", None, None, UNKNOWN_FLAG, heard.append)
        self.refuses(None, "monitorEventSubscribe", None, "(", regex, heard.append)
        dom, kept = self.running(), self.listen()
        self.provoke(dom)
        self.happens(lambda: self.names(kept), "the monitor tells")
        self.assertEqual(heard, [])


class ClientWatchContract(Suite):
    """What a connection does whose client leaves in the middle of something: L{IClientWatch}."""

    contract = IClientWatch
    required = ("clientGone",)

    def begin(self) -> tuple[Any, Callable[[], None]] | None:
        """
        Begin an operation that lasts.

        @return: its answer, and what lets it come to an end; None: there is none that a test can hold up.
        """
        return None

    def test_nothingBegun(self) -> None:
        """Where nothing is under way nothing happens, however often it is said; the connection closes."""
        for _ in range(2):
            self.assertIsNone(self.ask("clientGone"))
        self.wait(self.connection.close())

    def test_begun(self) -> None:
        """What is under way comes to an end, well or not, and the connection closes behind it."""
        begun = self.begin()
        if begun is None:
            return
        answer, release = begun
        self.assertIsNone(self.ask("clientGone"))
        release()
        try:
            self.wait(answer)
        except VirtError:
            pass  # it was given up
        self.assertIsNone(self.ask("clientGone"))
        self.wait(self.connection.close())
