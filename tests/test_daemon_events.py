"""
Events: registering in three styles, numbers and refusals as libvirtd 9.0.0 has them, and what is sent.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from pyvirt.daemon.eventwire import EventEncoder, byKind, legacyEvents
from pyvirt.drivers.interfaces.events import Event, EventKind, IMonitorEvents, ISecretEvents
from pyvirt.drivers.interfaces.values import NetworkRef, NodeDeviceRef, StoragePoolRef
from pyvirt.protocols.programs.qemu import PROGRAM as QEMU
from pyvirt.protocols.programs.remote import PROGRAM as REMOTE
from tests.daemonfixture import DOMAIN, OTHER, Peer, World, error, internal

TRACKED = error(
    8,
    0,
    "invalid argument: event callback already tracked",
    "invalid argument: %s",
    "event callback already tracked",
)
SUSPENDED = Event(EventKind.DOMAIN, 0, DOMAIN, (3, 0))


class RegistrationTests(SynchronousTestCase):
    """Who may register for what, how often, and under which number."""

    def setUp(self) -> None:
        self.world = World()
        self.peer = self.world.peer().open()

    def test_numbers(self) -> None:
        """Registrations are numbered in order, over all kinds of objects; refusals take no number."""
        call, refused = self.peer.call, self.peer.error
        self.assertEqual(call("connectDomainEventCallbackRegisterAny", 0, None), 0)
        self.assertEqual(refused("connectDomainEventCallbackRegisterAny", 0, None), TRACKED)
        self.assertEqual(call("connectDomainEventCallbackRegisterAny", 0, DOMAIN), 1)
        self.assertEqual(refused("connectDomainEventCallbackRegisterAny", 0, DOMAIN), TRACKED)
        self.assertEqual(call("connectDomainEventCallbackRegisterAny", 0, OTHER), 2)
        self.assertEqual(call("connectDomainEventCallbackRegisterAny", 1, None), 3)
        self.assertEqual(call("connectNetworkEventRegisterAny", 0, None), 4)
        self.assertEqual(refused("connectNetworkEventRegisterAny", 0, None), TRACKED)
        self.assertEqual(call("connectStoragePoolEventRegisterAny", 1, None), 5)
        self.assertEqual(call("connectNodeDeviceEventRegisterAny", 0, None), 6)
        self.assertIsNone(call("connectDomainEventCallbackDeregisterAny", 3))
        self.assertEqual(call("connectDomainEventCallbackRegisterAny", 1, None), 7)

    def test_styles(self) -> None:
        """The styles share one list: each refuses what another has, and the older undo the newest."""
        call, refused = self.peer.call, self.peer.error
        self.assertEqual(call("connectDomainEventRegister"), 0)
        self.assertEqual(refused("connectDomainEventRegister"), TRACKED)
        self.assertEqual(refused("connectDomainEventRegisterAny", 0), TRACKED)
        self.assertEqual(call("connectDomainEventDeregister"), 0)
        self.assertEqual(
            refused("connectDomainEventDeregister"), internal("domain event 0 not registered")
        )
        self.assertIsNone(call("connectDomainEventRegisterAny", 1))
        self.assertEqual(refused("connectDomainEventRegisterAny", 1), TRACKED)
        self.assertIsNone(call("connectDomainEventDeregisterAny", 1))
        self.assertEqual(
            refused("connectDomainEventDeregisterAny", 1),
            internal("domain event 1 not registered"),
        )
        self.assertEqual(call("connectDomainEventCallbackRegisterAny", 0, None), 2)
        self.assertEqual(refused("connectDomainEventRegister"), TRACKED)
        self.assertEqual(call("connectDomainEventDeregister"), 0)
        self.assertEqual(self.world.driver.listeners, [])

    def test_unknownEvents(self) -> None:
        """Events that do not exist are refused; the older style has fewer of them."""
        for name, *more, label, known in (
            ("connectDomainEventRegisterAny", "", 16),
            ("connectDomainEventCallbackRegisterAny", None, "", 27),
            ("connectNetworkEventRegisterAny", None, "network ", 1),
            ("connectStoragePoolEventRegisterAny", None, "storage pool ", 2),
            ("connectNodeDeviceEventRegisterAny", None, "node device ", 2),
            ("connectSecretEventRegisterAny", None, "secret ", 2),
        ):
            for number in (known, known + 1, 9999, -1, 2**31 - 1, -(2**31)):
                self.assertEqual(
                    self.peer.error(name, number, *more),
                    internal(f"unsupported {label}event ID {number}"),
                )
        for number in (16, 77, -1):
            self.assertEqual(
                self.peer.error("connectDomainEventDeregisterAny", number),
                internal(f"unsupported event ID {number}"),
            )

    def test_knownEvents(self) -> None:
        """Every other one is accepted."""
        for number in range(27):
            self.assertEqual(
                self.peer.call("connectDomainEventCallbackRegisterAny", number, None), number
            )
        older = self.world.peer().open()
        for number in range(16):
            self.assertIsNone(older.call("connectDomainEventRegisterAny", number))

    def test_unknownNumbers(self) -> None:
        """Undoing what was never done is refused, in words of the kind; secrets borrow theirs."""
        for name, label in (
            ("connectDomainEventCallbackDeregisterAny", "domain"),
            ("connectNetworkEventDeregisterAny", "network"),
            ("connectStoragePoolEventDeregisterAny", "storage pool"),
            ("connectNodeDeviceEventDeregisterAny", "node device"),
            ("connectSecretEventDeregisterAny", "node device"),
        ):
            for number in (99, -5):
                self.assertEqual(
                    self.peer.error(name, number),
                    internal(f"{label} event callback {number} not registered"),
                )
        self.assertEqual(
            self.peer.error("connectDomainMonitorEventDeregister", 3, program=QEMU),
            internal("qemu monitor event callback 3 not registered"),
        )
        # A number of another kind is as unknown.
        self.peer.call("connectNetworkEventRegisterAny", 0, None)
        self.assertEqual(
            self.peer.error("connectDomainEventCallbackDeregisterAny", 0),
            internal("domain event callback 0 not registered"),
        )

    def test_notSupported(self) -> None:
        """A driver that tells nothing about a kind of object."""
        self.world.driver.connections[-1].lacks |= {ISecretEvents, IMonitorEvents}
        for name, arguments, program, api, domain in (
            (
                "connectSecretEventRegisterAny",
                (0, None),
                REMOTE,
                "virConnectSecretEventRegisterAny",
                30,
            ),
            (
                "connectDomainMonitorEventRegister",
                (None, None, 0),
                QEMU,
                "virConnectDomainQemuMonitorEventRegister",
                0,
            ),
        ):
            self.assertEqual(
                self.peer.error(name, *arguments, program=program),
                error(
                    3,
                    domain,
                    f"this function is not supported by the connection driver: {api}",
                    "this function is not supported by the connection driver: %s",
                    api,
                ),
            )

    def test_ended(self) -> None:
        """Registrations end with the connection, however it ends."""
        for end in (
            lambda peer: peer.call("connectClose"),
            Peer.lose,
            lambda peer: peer.error("connectOpen", "fixture:///again", 0),
        ):
            peer = self.world.peer().open()
            peer.call("connectDomainEventCallbackRegisterAny", 0, None)
            peer.call("connectNetworkEventRegisterAny", 0, None)
            peer.call("connectDomainEventRegisterAny", 1)
            self.assertEqual(len(self.world.driver.listeners), 3)
            end(peer)
            self.assertEqual(self.world.driver.listeners, [])
            self.world.driver.emit(SUSPENDED)


class DeliveryTests(SynchronousTestCase):
    """What is sent."""

    def setUp(self) -> None:
        self.world = World()
        self.peer = self.world.peer().open()

    def told(self, peer: Peer) -> list[tuple[str, tuple[Any, ...]]]:
        """Return the names and bodies of what came, all with the header of a message."""
        found = peer.received()
        for each in found:
            self.assertEqual((each.type, each.serial, each.status), (2, 1, 0))
        return [(each.procedure.name, each.body) for each in found]

    def test_bothStyles(self) -> None:
        """A client of the newer style is told its callback id, one of the older only the event."""
        self.peer.call("connectDomainEventCallbackRegisterAny", 5, None)
        self.peer.call("connectDomainEventCallbackRegisterAny", 0, None)
        older = self.world.peer().open()
        older.call("connectDomainEventRegister")
        self.world.driver.emit(SUSPENDED)
        self.assertEqual(
            self.told(self.peer), [("domainEventCallbackLifecycle", (1, (DOMAIN, 3, 0)))]
        )
        self.assertEqual(self.told(older), [("domainEventLifecycle", (DOMAIN, 3, 0))])

    def test_oneObject(self) -> None:
        """A registration for one object hears of that one only; a client may have both."""
        self.peer.call("connectDomainEventCallbackRegisterAny", 0, None)
        self.peer.call("connectDomainEventCallbackRegisterAny", 0, OTHER)
        self.world.driver.emit(SUSPENDED)
        self.world.driver.emit(SUSPENDED._replace(ref=OTHER))
        self.assertEqual(
            [(number, body[0].name) for _, (number, body) in self.told(self.peer)],
            [(0, "test"), (0, "other"), (1, "other")],
        )

    def test_otherKinds(self) -> None:
        """Networks, pools and devices have messages of their own."""
        network = NetworkRef("default", bytes(16))
        pool = StoragePoolRef("default", bytes(16))
        device = NodeDeviceRef("computer")
        for name, kind, number, ref, details, message in (
            ("Network", EventKind.NETWORK, 0, network, (2, 0), "networkEventLifecycle"),
            ("StoragePool", EventKind.STORAGE_POOL, 0, pool, (2, 0), "storagePoolEventLifecycle"),
            ("StoragePool", EventKind.STORAGE_POOL, 1, pool, (), "storagePoolEventRefresh"),
            ("NodeDevice", EventKind.NODE_DEVICE, 0, device, (0, 0), "nodeDeviceEventLifecycle"),
            ("NodeDevice", EventKind.NODE_DEVICE, 1, device, (), "nodeDeviceEventUpdate"),
        ):
            given = self.peer.call(f"connect{name}EventRegisterAny", number, None)
            self.world.driver.emit(Event(kind, number, ref, details))
            self.assertEqual(self.told(self.peer), [(message, (given, ref, *details))])

    def test_afterTheAnswer(self) -> None:
        """An event that a client's own call caused follows the answer to that call."""
        self.peer.call("connectDomainEventCallbackRegisterAny", 0, None)
        other = self.world.peer().open()
        other.call("connectDomainEventCallbackRegisterAny", 0, None)

        def hostname() -> str:
            self.world.driver.emit(SUSPENDED)
            self.world.driver.emit(SUSPENDED._replace(details=(4, 0)))
            return "host"

        self.world.driver.hostname = hostname
        self.peer.send(self.peer.packet("connectGetHostname") * 2)
        self.world.clock.advance(0)
        self.assertEqual([each.type for each in self.peer.received()], [1, 1, 2, 2, 2, 2])
        self.assertEqual(
            [body[1][1:] for _, body in self.told(other)], [(3, 0), (4, 0), (3, 0), (4, 0)]
        )

    def test_undone(self) -> None:
        """Nothing comes after a registration was undone."""
        number = self.peer.call("connectDomainEventCallbackRegisterAny", 0, None)
        self.peer.call("connectDomainEventCallbackDeregisterAny", number)
        self.world.driver.emit(SUSPENDED)
        self.assertEqual(self.peer.received(), [])

    def test_unencodable(self) -> None:
        """An event that does not fit its message is logged and costs nobody else anything."""
        self.peer.call("connectDomainEventCallbackRegisterAny", 0, None)
        self.world.driver.emit(SUSPENDED._replace(details=("no number", 0)))
        self.world.driver.emit(SUSPENDED)
        self.assertEqual(len(self.told(self.peer)), 1)

    def test_encodedOnce(self) -> None:
        """However many hear of an event, its body is encoded once."""
        family = byKind[EventKind.DOMAIN]
        codec = family.procedures[0].argumentCodec
        encoder = EventEncoder()
        event = SUSPENDED
        one, two = encoder.packet(event, 1), encoder.packet(event, 2)
        self.assertEqual(one[:28], two[:28])
        self.assertEqual((one[28:32], two[28:32]), (b"\0\0\0\1", b"\0\0\0\2"))
        self.assertEqual(one[28:], codec.encode((1, (DOMAIN, 3, 0))))
        self.assertIs(encoder.legacyPacket(event), encoder.legacyPacket(event))
        other = encoder.packet(event._replace(details=(4, 0)), 1)
        self.assertNotEqual(one, other)

    def test_everyDomainEvent(self) -> None:
        """Each message's arguments are what drivers tell, in both styles."""
        encoder = EventEncoder()
        values = {
            "dom": DOMAIN,
            "params": [("x", 1, 5)],
            "local": (0, "::1", "80"),
            "remote": (0, "::1", "81"),
            "subject": [],
        }
        texts = {
            "srcPath", "devAlias", "reason", "authScheme", "path", "oldSrcPath", "newSrcPath",
            "dst", "nsuri", "dev", "alias",
        }  # fmt: skip
        family = byKind[EventKind.DOMAIN]
        for number, procedure in enumerate(family.procedures):
            names = legacyEvents[number].parameters if number < 16 else procedure.parameters[1:]
            textual = texts - ({"reason"} if number not in (6,) else set())
            details = tuple(
                values.get(name, "text" if name in textual else 1) for name in names[1:]
            )
            event = Event(EventKind.DOMAIN, number, DOMAIN, details)
            if number in (11, 12, 14):
                event = event._replace(details=(0,))
            packet = encoder.packet(event, 7)
            decoded, end = procedure.argumentCodec.decode(packet, 28)
            self.assertEqual((decoded[0], end), (7, len(packet)), procedure.name)
            if number < 16:
                packet = encoder.legacyPacket(event)
                decoded, end = legacyEvents[number].argumentCodec.decode(packet, 28)
                self.assertEqual((decoded[0], end), (DOMAIN, len(packet)))
