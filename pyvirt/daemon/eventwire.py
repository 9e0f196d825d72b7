"""
How events travel: which message carries which event, and its bytes, made once however many hear of it.

A message to a client that registered by callback id is the id and then the event; so all subscribers share
one body, and only the four bytes of the id differ.  Messages of the older style are the same bytes for all.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, NamedTuple

from pyvirt import constants
from pyvirt.drivers.interfaces.events import Event, EventKind
from pyvirt.protocols.message import PAYLOAD, MessageType, Status, packHeader
from pyvirt.protocols.procedures import Procedure, Program
from pyvirt.protocols.programs.qemu import PROGRAM as QEMU
from pyvirt.protocols.programs.remote import PROGRAM as REMOTE

__all__ = ["EventEncoder", "EventFamily", "byKind", "legacyEvents"]

_ID = struct.Struct(">i").pack
_SERIAL = 1  # libvirtd numbers every message it sends on its own so

_DOMAIN = (
    ("LIFECYCLE", "domainEventLifecycle", "domainEventCallbackLifecycle"),
    ("REBOOT", "domainEventReboot", "domainEventCallbackReboot"),
    ("RTC_CHANGE", "domainEventRTCChange", "domainEventCallbackRTCChange"),
    ("WATCHDOG", "domainEventWatchdog", "domainEventCallbackWatchdog"),
    ("IO_ERROR", "domainEventIOError", "domainEventCallbackIOError"),
    ("GRAPHICS", "domainEventGraphics", "domainEventCallbackGraphics"),
    ("IO_ERROR_REASON", "domainEventIOErrorReason", "domainEventCallbackIOErrorReason"),
    ("CONTROL_ERROR", "domainEventControlError", "domainEventCallbackControlError"),
    ("BLOCK_JOB", "domainEventBlockJob", "domainEventCallbackBlockJob"),
    ("DISK_CHANGE", "domainEventDiskChange", "domainEventCallbackDiskChange"),
    ("TRAY_CHANGE", "domainEventTrayChange", "domainEventCallbackTrayChange"),
    ("PMWAKEUP", "domainEventPmwakeup", "domainEventCallbackPmwakeup"),
    ("PMSUSPEND", "domainEventPmsuspend", "domainEventCallbackPmsuspend"),
    ("BALLOON_CHANGE", "domainEventBalloonChange", "domainEventCallbackBalloonChange"),
    ("PMSUSPEND_DISK", "domainEventPmsuspendDisk", "domainEventCallbackPmsuspendDisk"),
    ("DEVICE_REMOVED", "domainEventDeviceRemoved", "domainEventCallbackDeviceRemoved"),
    ("BLOCK_JOB_2", None, "domainEventBlockJob2"),
    ("TUNABLE", None, "domainEventCallbackTunable"),
    ("AGENT_LIFECYCLE", None, "domainEventCallbackAgentLifecycle"),
    ("DEVICE_ADDED", None, "domainEventCallbackDeviceAdded"),
    ("MIGRATION_ITERATION", None, "domainEventCallbackMigrationIteration"),
    ("JOB_COMPLETED", None, "domainEventCallbackJobCompleted"),
    ("DEVICE_REMOVAL_FAILED", None, "domainEventCallbackDeviceRemovalFailed"),
    ("METADATA_CHANGE", None, "domainEventCallbackMetadataChange"),
    ("BLOCK_THRESHOLD", None, "domainEventBlockThreshold"),
    ("MEMORY_FAILURE", None, "domainEventMemoryFailure"),
    ("MEMORY_DEVICE_SIZE_CHANGE", None, "domainEventMemoryDeviceSizeChange"),
)


class EventFamily(NamedTuple):
    """
    The events of one kind of object.

    @ivar label: how messages call them.
    @ivar unknown: how a refused deregistration calls them; libvirtd's own words, slips included.
    @ivar api: the C function that registers, for "not supported".
    @ivar domain: the error domain of the latter.
    @ivar procedures: event number to message; its length is how many there are.
    """

    label: str
    unknown: str
    api: str
    domain: int
    program: Program
    procedures: tuple[Procedure, ...]


def _id(name: str) -> int:
    number: int = getattr(constants, name)
    return number


def _inOrder(prefix: str, names: tuple[tuple[str, str], ...]) -> tuple[Procedure, ...]:
    found = {_id(prefix + name): REMOTE.byName[procedure] for name, procedure in names}
    return tuple(found[each] for each in range(len(found)))


byKind: dict[EventKind, EventFamily] = {
    EventKind.DOMAIN: EventFamily(
        "",
        "domain event",
        "virConnectDomainEventRegisterAny",
        20,
        REMOTE,
        _inOrder("VIR_DOMAIN_EVENT_ID_", tuple((name, each) for name, _, each in _DOMAIN)),
    ),
    EventKind.NETWORK: EventFamily(
        "network ",
        "network event",
        "virConnectNetworkEventRegisterAny",
        19,
        REMOTE,
        _inOrder("VIR_NETWORK_EVENT_ID_", (("LIFECYCLE", "networkEventLifecycle"),)),
    ),
    EventKind.STORAGE_POOL: EventFamily(
        "storage pool ",
        "storage pool event",
        "virConnectStoragePoolEventRegisterAny",
        18,
        REMOTE,
        _inOrder(
            "VIR_STORAGE_POOL_EVENT_ID_",
            (("LIFECYCLE", "storagePoolEventLifecycle"), ("REFRESH", "storagePoolEventRefresh")),
        ),
    ),
    EventKind.NODE_DEVICE: EventFamily(
        "node device ",
        "node device event",
        "virConnectNodeDeviceEventRegisterAny",
        22,
        REMOTE,
        _inOrder(
            "VIR_NODE_DEVICE_EVENT_ID_",
            (("LIFECYCLE", "nodeDeviceEventLifecycle"), ("UPDATE", "nodeDeviceEventUpdate")),
        ),
    ),
    EventKind.SECRET: EventFamily(
        "secret ",
        "node device event",
        "virConnectSecretEventRegisterAny",
        30,
        REMOTE,
        _inOrder(
            "VIR_SECRET_EVENT_ID_",
            (("LIFECYCLE", "secretEventLifecycle"), ("VALUE_CHANGED", "secretEventValueChanged")),
        ),
    ),
    EventKind.MONITOR: EventFamily(
        "",
        "qemu monitor event",
        "virConnectDomainQemuMonitorEventRegister",
        0,
        QEMU,
        (QEMU.byName["domainMonitorEvent"],),
    ),
}
"""Everything that can be registered for, by kind of object."""

legacyEvents: tuple[Procedure, ...] = tuple(
    REMOTE.byName[name] for _, name, _ in _DOMAIN if name is not None
)
"""The messages of the older style: event number to message."""

_legacyByID = {
    _id("VIR_DOMAIN_EVENT_ID_" + label): REMOTE.byName[name]
    for label, name, _ in _DOMAIN
    if name is not None
}
assert list(_legacyByID.values()) == list(legacyEvents)

_Reshape = Callable[[Event], tuple[Any, ...]]


def _flat(event: Event) -> tuple[Any, ...]:
    return (event.ref, *event.details)


def _refOnly(event: Event) -> tuple[Any, ...]:
    return (event.ref,)


def _inMessage(event: Event) -> tuple[Any, ...]:
    return ((event.ref, *event.details),)


def _reasonFirst(event: Event) -> tuple[Any, ...]:
    return (event.details[0] if event.details else 0, (event.ref,))


def _reshape(procedure: Procedure) -> _Reshape:
    names = procedure.parameters
    if names[-1] != "msg":
        return _refOnly if names == ("dom",) else _flat
    return _reasonFirst if names[1] == "reason" else _inMessage


class EventEncoder:
    """
    Makes messages of events.

    The last event's bytes are kept: subscribers are called one after the other with the same event.
    """

    def __init__(self) -> None:
        self._shapes: dict[Procedure, _Reshape] = {}
        self._event: Event | None = None
        self._withID: tuple[bytes, bytes] | None = None
        self._without: bytes | None = None

    def _turnTo(self, event: Event) -> None:
        if event is not self._event:
            self._event = event
            self._withID = self._without = None

    def packet(self, event: Event, callbackID: int) -> bytes:
        """
        Make the message for a subscriber with an id.

        @raise XDRError: the event's values do not fit its message.
        """
        self._turnTo(event)
        parts = self._withID
        if parts is None:
            family = byKind[event.kind]
            procedure = family.procedures[event.id]
            shape = self._shapes.get(procedure)
            if shape is None:
                shape = self._shapes[procedure] = _reshape(procedure)
            payload = procedure.argumentCodec.encode((0, *shape(event)))
            header = _header(family.program, procedure, len(payload))
            parts = self._withID = (header, payload[4:])
        return parts[0] + _ID(callbackID) + parts[1]

    def legacyPacket(self, event: Event) -> bytes:
        """
        Make the message for subscribers without ids.

        @raise XDRError: the event's values do not fit its message.
        """
        self._turnTo(event)
        packet = self._without
        if packet is None:
            procedure = legacyEvents[event.id]
            shape = self._shapes.get(procedure)
            if shape is None:
                shape = self._shapes[procedure] = _reshape(procedure)
            payload = procedure.argumentCodec.encode(shape(event))
            packet = self._without = _header(REMOTE, procedure, len(payload)) + payload
        return packet


def _header(program: Program, procedure: Procedure, size: int) -> bytes:
    return packHeader(
        PAYLOAD + size,
        program.number,
        program.version,
        procedure.number,
        MessageType.MESSAGE,
        _SERIAL,
        Status.OK,
    )
