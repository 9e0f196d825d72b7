"""
The daemon's own messages: which event each one is, and how its values are read.

Source: the wire tables; a message by callback id starts with the id.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyvirt import constants
from pyvirt.drivers.interfaces.events import Event, EventKind
from pyvirt.protocols.message import PAYLOAD
from pyvirt.protocols.procedures import Procedure, Program
from pyvirt.protocols.programs import QEMU, REMOTE

__all__ = ["LEGACY", "MESSAGES", "REGISTRATION", "Registering", "read", "readLegacy"]

_DOMAIN = {
    "domainEventCallbackLifecycle": "LIFECYCLE",
    "domainEventCallbackReboot": "REBOOT",
    "domainEventCallbackRTCChange": "RTC_CHANGE",
    "domainEventCallbackWatchdog": "WATCHDOG",
    "domainEventCallbackIOError": "IO_ERROR",
    "domainEventCallbackGraphics": "GRAPHICS",
    "domainEventCallbackIOErrorReason": "IO_ERROR_REASON",
    "domainEventCallbackControlError": "CONTROL_ERROR",
    "domainEventCallbackBlockJob": "BLOCK_JOB",
    "domainEventCallbackDiskChange": "DISK_CHANGE",
    "domainEventCallbackTrayChange": "TRAY_CHANGE",
    "domainEventCallbackPmwakeup": "PMWAKEUP",
    "domainEventCallbackPmsuspend": "PMSUSPEND",
    "domainEventCallbackBalloonChange": "BALLOON_CHANGE",
    "domainEventCallbackPmsuspendDisk": "PMSUSPEND_DISK",
    "domainEventCallbackDeviceRemoved": "DEVICE_REMOVED",
    "domainEventBlockJob2": "BLOCK_JOB_2",
    "domainEventCallbackTunable": "TUNABLE",
    "domainEventCallbackAgentLifecycle": "AGENT_LIFECYCLE",
    "domainEventCallbackDeviceAdded": "DEVICE_ADDED",
    "domainEventCallbackMigrationIteration": "MIGRATION_ITERATION",
    "domainEventCallbackJobCompleted": "JOB_COMPLETED",
    "domainEventCallbackDeviceRemovalFailed": "DEVICE_REMOVAL_FAILED",
    "domainEventCallbackMetadataChange": "METADATA_CHANGE",
    "domainEventBlockThreshold": "BLOCK_THRESHOLD",
    "domainEventMemoryFailure": "MEMORY_FAILURE",
    "domainEventMemoryDeviceSizeChange": "MEMORY_DEVICE_SIZE_CHANGE",
    "domainEventNICMACChange": "NIC_MAC_CHANGE",
}
_OTHERS = {
    "networkEventLifecycle": (EventKind.NETWORK, "VIR_NETWORK_EVENT_ID_LIFECYCLE"),
    "networkEventCallbackMetadataChange": (
        EventKind.NETWORK,
        "VIR_NETWORK_EVENT_ID_METADATA_CHANGE",
    ),
    "storagePoolEventLifecycle": (
        EventKind.STORAGE_POOL,
        "VIR_STORAGE_POOL_EVENT_ID_LIFECYCLE",
    ),
    "storagePoolEventRefresh": (EventKind.STORAGE_POOL, "VIR_STORAGE_POOL_EVENT_ID_REFRESH"),
    "nodeDeviceEventLifecycle": (EventKind.NODE_DEVICE, "VIR_NODE_DEVICE_EVENT_ID_LIFECYCLE"),
    "nodeDeviceEventUpdate": (EventKind.NODE_DEVICE, "VIR_NODE_DEVICE_EVENT_ID_UPDATE"),
    "secretEventLifecycle": (EventKind.SECRET, "VIR_SECRET_EVENT_ID_LIFECYCLE"),
    "secretEventValueChanged": (EventKind.SECRET, "VIR_SECRET_EVENT_ID_VALUE_CHANGED"),
}


class Registering:
    """
    How to register for a kind of event.

    @ivar register: called with the event's number and the object or None; answers the callback's id.
    @ivar deregister: called with the callback's id.
    """

    def __init__(self, program: Program, register: str, deregister: str) -> None:
        self.program = program
        self.register = program.byName[register]
        self.deregister = program.byName[deregister]


REGISTRATION = {
    EventKind.DOMAIN: Registering(
        REMOTE, "connectDomainEventCallbackRegisterAny", "connectDomainEventCallbackDeregisterAny"
    ),
    EventKind.NETWORK: Registering(
        REMOTE, "connectNetworkEventRegisterAny", "connectNetworkEventDeregisterAny"
    ),
    EventKind.STORAGE_POOL: Registering(
        REMOTE, "connectStoragePoolEventRegisterAny", "connectStoragePoolEventDeregisterAny"
    ),
    EventKind.NODE_DEVICE: Registering(
        REMOTE, "connectNodeDeviceEventRegisterAny", "connectNodeDeviceEventDeregisterAny"
    ),
    EventKind.SECRET: Registering(
        REMOTE, "connectSecretEventRegisterAny", "connectSecretEventDeregisterAny"
    ),
    EventKind.MONITOR: Registering(
        QEMU, "connectDomainMonitorEventRegister", "connectDomainMonitorEventDeregister"
    ),
}

_LEGACY = frozenset(label for label in list(_DOMAIN.values())[:16])
"""Events that daemons told before callbacks had numbers: those have no number in front."""

Shape = Callable[[tuple[Any, ...]], tuple[Any, tuple[Any, ...]]]


def _flat(values: tuple[Any, ...]) -> tuple[Any, tuple[Any, ...]]:
    return values[1], values[2:]


def _nested(values: tuple[Any, ...]) -> tuple[Any, tuple[Any, ...]]:
    body = values[1]
    return body[0], tuple(body[1:])


def _reasonFirst(values: tuple[Any, ...]) -> tuple[Any, tuple[Any, ...]]:
    return values[2][0], (values[1],)


def _monitor(values: tuple[Any, ...]) -> tuple[Any, tuple[Any, ...]]:
    _, ref, event, seconds, micros, details = values
    return ref, (event, seconds, micros, details)


def _shape(procedure: Procedure) -> Shape:
    names = procedure.parameters
    if names[-1] != "msg":
        return _flat
    return _reasonFirst if names[1] == "reason" else _nested


def _table() -> dict[tuple[int, int], tuple[EventKind, int, Procedure, Shape]]:
    table = {}
    found = [
        (REMOTE.byName[name], EventKind.DOMAIN, f"VIR_DOMAIN_EVENT_ID_{label}")
        for name, label in _DOMAIN.items()
    ]
    found += [(REMOTE.byName[name], kind, label) for name, (kind, label) in _OTHERS.items()]
    for procedure, kind, label in found:
        table[REMOTE.number, procedure.number] = (
            kind,
            int(getattr(constants, label)),
            procedure,
            _shape(procedure),
        )
    monitor = QEMU.byName["domainMonitorEvent"]
    table[QEMU.number, monitor.number] = (EventKind.MONITOR, 0, monitor, _monitor)
    return table


MESSAGES = _table()
"""Numbers of program and message to what it is."""


CLOSED = REMOTE.byName["connectEventConnectionClosed"].number
"""The message that the daemon's own connection to a hypervisor ended; it carries the reason."""


def _legacyTable() -> dict[int, tuple[int, Procedure]]:
    table = {}
    for name, label in _DOMAIN.items():
        procedure = REMOTE.byName.get(name.replace("Callback", ""))
        if label in _LEGACY and procedure is not None:
            table[procedure.number] = (
                int(getattr(constants, f"VIR_DOMAIN_EVENT_ID_{label}")),
                procedure,
            )
    return table


LEGACY = _legacyTable()
"""Numbers of messages of daemons that know no numbers of callbacks, all about domains."""

LEGACY_REGISTER = REMOTE.byName["connectDomainEventRegisterAny"]
LEGACY_DEREGISTER = REMOTE.byName["connectDomainEventDeregisterAny"]

_WITH_REASON = frozenset(
    getattr(constants, f"VIR_DOMAIN_EVENT_ID_{label}")
    for label in ("PMWAKEUP", "PMSUSPEND", "PMSUSPEND_DISK")
)


def readLegacy(program: int, number: int, packet: bytes) -> Event | None:
    """
    Read a message that is for everybody who hears an event.

    @return: the event; None for a message that is none such.
    @raise XDRError: it is garbled.
    """
    found = LEGACY.get(number) if program == REMOTE.number else None
    if found is None:
        return None
    eventID, procedure = found
    values, _ = procedure.argumentCodec.decode(packet, PAYLOAD)
    # There these tell no reason; callbacks hear of one all the same.
    details = (0,) if eventID in _WITH_REASON else tuple(values[1:])
    return Event(EventKind.DOMAIN, eventID, values[0], details)


def read(program: int, number: int, packet: bytes) -> tuple[int, Event] | None:
    """
    Read a message.

    @return: the callback id it is for, and the event; None for a message that is no event.
    @raise XDRError: it is garbled.
    """
    found = MESSAGES.get((program, number))
    if found is None:
        return None
    kind, eventID, procedure, shape = found
    values, _ = procedure.argumentCodec.decode(packet, PAYLOAD)
    ref, details = shape(values)
    return values[0], Event(kind, eventID, ref, details)
