"""
Events are for those who may see what they are about: every event that there is, in every style of asking for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from pyvirt.daemon.access.objects import Target
from pyvirt.daemon.eventwire import byKind, legacyEvents
from pyvirt.daemon.identity import Identity
from pyvirt.drivers.interfaces.events import Event, EventKind
from pyvirt.drivers.interfaces.values import (
    DomainRef,
    NetworkRef,
    NodeDeviceRef,
    SecretRef,
    StoragePoolRef,
)
from pyvirt.protocols.procedures import Kind, Procedure, Program
from pyvirt.protocols.programs.qemu import PROGRAM as QEMU
from pyvirt.protocols.programs.remote import PROGRAM as REMOTE
from tests.daemonfixture import World
from tests.protocols.oracle import example

REFS: dict[EventKind, tuple[Any, Any]] = {
    EventKind.DOMAIN: (DomainRef("seen", b"s" * 16, 1), DomainRef("hidden", b"h" * 16, 2)),
    EventKind.NETWORK: (NetworkRef("seen", b"s" * 16), NetworkRef("hidden", b"h" * 16)),
    EventKind.STORAGE_POOL: (
        StoragePoolRef("seen", b"s" * 16),
        StoragePoolRef("hidden", b"h" * 16),
    ),
    EventKind.NODE_DEVICE: (NodeDeviceRef("seen"), NodeDeviceRef("hidden")),
    EventKind.SECRET: (SecretRef(b"s" * 16, 2, "seen"), SecretRef(b"h" * 16, 2, "hidden")),
    EventKind.MONITOR: (DomainRef("seen", b"s" * 16, 1), DomainRef("hidden", b"h" * 16, 2)),
}
"""An object of each kind that the client may see, and one that it may not."""


class Sight:
    """
    A policy that lets a client do everything, but see nothing that is called hidden.

    @ivar later: answers wait here, if it is a list.
    """

    def __init__(self) -> None:
        self.later: list[Deferred[bool]] | None = None
        self.asked: list[str] = []
        self._answers: list[bool] = []

    def allows(self, identity: Identity, permission: str, target: Target) -> Any:
        answer = "hidden" not in (target.name or "")
        if "hidden" in (target.name or "") or "seen" in (target.name or ""):
            self.asked.append(f"{target.kind}:{permission}")
        if self.later is None:
            return answer
        waiting: Deferred[bool] = Deferred()
        self.later.append(waiting)
        self._answers.append(answer)
        return waiting

    def answer(self) -> None:
        """Say what was asked, the last question first."""
        assert self.later is not None
        while self.later:
            self.later.pop().callback(self._answers.pop())

    def made(self, identity: Identity, target: Target) -> None:
        """Nothing is remembered."""

    def removed(self, target: Target) -> None:
        """Nothing is remembered."""


class Style(NamedTuple):
    """A way to ask for an event, and the message by which it comes then."""

    program: Program
    call: str
    arguments: tuple[Any, ...]
    message: Procedure


def styles(kind: EventKind, number: int, ref: Any) -> Iterator[Style]:
    """Every way to ask for an event of all objects, or of one."""
    message = byKind[kind].procedures[number]
    if kind is EventKind.MONITOR:
        for one in (None, ref):
            yield Style(QEMU, "connectDomainMonitorEventRegister", (one, None, 0), message)
        return
    name = {
        EventKind.DOMAIN: "connectDomainEventCallbackRegisterAny",
        EventKind.NETWORK: "connectNetworkEventRegisterAny",
        EventKind.STORAGE_POOL: "connectStoragePoolEventRegisterAny",
        EventKind.NODE_DEVICE: "connectNodeDeviceEventRegisterAny",
        EventKind.SECRET: "connectSecretEventRegisterAny",
    }[kind]
    for one in (None, ref):
        yield Style(REMOTE, name, (number, one), message)
    if kind is EventKind.DOMAIN and number < len(legacyEvents):
        yield Style(REMOTE, "connectDomainEventRegisterAny", (number,), legacyEvents[number])
        if number == 0:
            yield Style(REMOTE, "connectDomainEventRegister", (), legacyEvents[0])


def happening(kind: EventKind, number: int, ref: Any) -> Event:
    """An event, with something in each of its parts."""
    values = {name: example(kind) for name, kind in byKind[kind].procedures[number].arguments}
    if "msg" in values:
        details = (values["reason"],) if "reason" in values else tuple(values["msg"])[1:]
    else:
        details = tuple(values.values())[2:]
    return Event(kind, number, ref, details)


class VisibilityTests(SynchronousTestCase):
    """Every kind of object, every event of it."""

    def each(self) -> Iterator[tuple[EventKind, int, bool, Style]]:
        """Iterate over all events, whether about the object that may be seen, and ways to ask for them."""
        for kind, family in byKind.items():
            for number in range(len(family.procedures)):
                for position, ref in enumerate(REFS[kind]):
                    for style in styles(kind, number, ref):
                        yield kind, number, not position, style

    def check(self, later: bool) -> int:
        wrong = []
        count = 0
        for kind, number, seen, style in self.each():
            count += 1
            world = World()
            policy = Sight()
            world.server.access = policy
            peer = world.peer().open()
            peer.call(style.call, *style.arguments, program=style.program)
            policy.asked.clear()
            if later:
                policy.later = []
            shown, hidden = REFS[kind]
            for ref in (hidden, shown, hidden):
                world.driver.emit(happening(kind, number, ref))
            if later:
                world.clock.advance(0)
                self.assertEqual(peer.received(), [], (style, seen))
                policy.answer()
            world.clock.advance(0)
            # Who asked for the events of one object hears of no other.
            narrow = len(style.arguments) > 1 and any(
                each in style.arguments for each in (shown, hidden)
            )
            expected = [style.message] if seen or not narrow else []
            found = peer.received()
            label = f"{kind.value} event {number} by {style.call}, {'seen' if seen else 'hidden'}"
            if [each.procedure for each in found] != expected:
                wrong.append(f"{label}: {[each.procedure for each in found]}, not {expected}")
            if any(b"hidden" in each.packet or b"h" * 16 in each.packet for each in found):
                wrong.append(f"{label}: tells of what may not be seen")
            what = {
                EventKind.STORAGE_POOL: "storage_pool",
                EventKind.NODE_DEVICE: "node_device",
                EventKind.MONITOR: "domain",
            }.get(kind, kind.value)
            if set(policy.asked) != {f"{what}:getattr"}:
                wrong.append(f"{label}: asked {policy.asked}")
            peer.lose()
            if world.driver.listeners:
                wrong.append(f"{label}: is listened for when the client is gone")
        self.assertEqual(wrong, [], "\n".join(wrong))
        return count

    def test_atOnce(self) -> None:
        """
        A client hears of what it may see and not of what it may not, where the policy answers at once.
        """
        self.assertGreater(self.check(False), 150)

    def test_later(self) -> None:
        """
        Nothing is told before the policy has answered, whatever the order in which it does.
        """
        self.assertGreater(self.check(True), 150)

    def test_everyEventIsThere(self) -> None:
        """
        Every message that a daemon may send for an event belongs to one of those above.
        """
        known = {each for family in byKind.values() for each in family.procedures}
        known.update(legacyEvents)
        sent = {each for program in (REMOTE, QEMU) for each in program if each.kind is Kind.EVENT}
        self.assertEqual(
            {each.name for each in sent - known},
            {
                # About the connection itself, which whoever asks has.
                "connectEventConnectionClosed",
                # Younger than the daemon that this one is equal to: no client can ask for them.
                "networkEventCallbackMetadataChange",
                "domainEventNICMACChange",
            },
        )
        self.assertEqual(known - sent, set())
