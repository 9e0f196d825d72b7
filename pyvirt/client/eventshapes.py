"""
What callbacks are called with, between the object and C{opaque}: the Python binding's shapes.

 - domains: lifecycle C{event, detail}; reboot, control error nothing; RTC change C{offset}; watchdog
   C{action}; IO error C{path, alias, action}, with reason C{reason} too; graphics C{phase, local, remote,
   authScheme, subject}; block job C{disk, type, status}; disk change C{old, new, alias, reason}; tray change
   C{alias, reason}; wakeup and suspend C{reason}; balloon change C{KiB}; device removed, added, removal
   failed C{alias}; tunable and job completed C{params}, a dictionary; agent lifecycle C{state, reason};
   migration iteration C{iteration}; metadata change C{type, uri}; block threshold C{device, path, threshold,
   excess}; memory failure C{recipient, action, flags}; memory device size C{alias, size}; NIC's address
   C{alias, old, new};
 - networks, pools, devices, secrets: lifecycle C{event, detail}; a network's metadata C{type, uri}; refresh,
   update, value changed nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from pyvirt import constants
from pyvirt.client.shapes import dictionary
from pyvirt.drivers.interfaces.events import EventKind

__all__ = ["SHAPES", "VariedCallback"]

_C = TypeVar("_C", contravariant=True)
_O = TypeVar("_O", contravariant=True)


class VariedCallback(Protocol[_C, _O]):
    """A callback for events whose number only the running program knows: it takes whatever the details are."""

    # With Any mypy would take every callback for one of these.
    def __call__(self, conn: _C, obj: _O, /, *details: object) -> object:
        """Hear of an event; C{opaque} is last."""


Shape = Callable[[tuple[Any, ...]], tuple[Any, ...]]


def _same(details: tuple[Any, ...]) -> tuple[Any, ...]:
    return details


def _params(details: tuple[Any, ...]) -> tuple[Any, ...]:
    return (dictionary(details[0]),)


def _address(address: Any) -> dict[str, Any]:
    return {"family": address[0], "node": address[1], "service": address[2]}


def _graphics(details: tuple[Any, ...]) -> tuple[Any, ...]:
    phase, local, remote, scheme, subject = details
    identities = [(each[0], each[1]) for each in subject]
    return phase, _address(local), _address(remote), scheme, identities


SHAPES: dict[tuple[EventKind, int], Shape] = {
    **{
        (EventKind.DOMAIN, number): _same
        for number in range(constants.VIR_DOMAIN_EVENT_ID_NIC_MAC_CHANGE + 1)
    },
    (EventKind.DOMAIN, constants.VIR_DOMAIN_EVENT_ID_GRAPHICS): _graphics,
    (EventKind.DOMAIN, constants.VIR_DOMAIN_EVENT_ID_TUNABLE): _params,
    (EventKind.DOMAIN, constants.VIR_DOMAIN_EVENT_ID_JOB_COMPLETED): _params,
    (EventKind.NETWORK, constants.VIR_NETWORK_EVENT_ID_LIFECYCLE): _same,
    (EventKind.NETWORK, constants.VIR_NETWORK_EVENT_ID_METADATA_CHANGE): _same,
    (EventKind.STORAGE_POOL, constants.VIR_STORAGE_POOL_EVENT_ID_LIFECYCLE): _same,
    (EventKind.STORAGE_POOL, constants.VIR_STORAGE_POOL_EVENT_ID_REFRESH): _same,
    (EventKind.NODE_DEVICE, constants.VIR_NODE_DEVICE_EVENT_ID_LIFECYCLE): _same,
    (EventKind.NODE_DEVICE, constants.VIR_NODE_DEVICE_EVENT_ID_UPDATE): _same,
    (EventKind.SECRET, constants.VIR_SECRET_EVENT_ID_LIFECYCLE): _same,
    (EventKind.SECRET, constants.VIR_SECRET_EVENT_ID_VALUE_CHANGED): _same,
}
"""Kind and number of an event to what makes the callback's arguments."""
