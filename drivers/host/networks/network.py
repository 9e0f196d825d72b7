"""
What is known of a network.
"""

from __future__ import annotations

import ipaddress
from typing import Any

from twisted.internet.defer import DeferredLock

from pyvirt.definitions.network import IP, NetworkDefinition, formatNetwork
from pyvirt.definitions.networkport import NetworkPortDefinition
from pyvirt.drivers.interfaces.values import NetworkRef
from pyvirt.drivers.refusals import internal
from pyvirt.errors import ErrorDomain, VirtError

__all__ = ["HOSTED", "Network", "isWhole", "modeOf", "networkOf", "versionOf"]

#: Modes of networks that have a bridge made for them.
HOSTED = ("none", "nat", "route", "open")


def modeOf(definition: NetworkDefinition) -> str:
    """How a network is connected to the outside; C{none}: it is not."""
    forward = definition.forward
    return "none" if forward is None else forward.mode or "none"


def networkOf(ip: IP) -> ipaddress.IPv4Interface | ipaddress.IPv6Interface:
    """
    Return an address of the host with its network.

    @raise VirtError: its mask is none.
    """
    width: Any = ip.prefix if ip.prefix is not None else ip.netmask
    if width is None:
        address = ipaddress.ip_address(ip.address or "")
        if address.version == 6:
            width = 64
        else:
            first = int(str(ip.address).split(".")[0])
            width = 8 if first < 128 else 16 if first < 192 else 24 if first < 224 else 32
    try:
        return ipaddress.ip_interface(f"{ip.address}/{width}")
    except ValueError:
        raise internal(
            f"network address '{ip.address}' has an invalid netmask or prefix", ErrorDomain.NETWORK
        ) from None


def isWhole(ip: IP) -> bool:
    """Return whether an address of the host has a mask that is one."""
    try:
        networkOf(ip)
    except VirtError:
        return False
    return True


def versionOf(ip: IP) -> int:
    """Tell which version of IP an address of the host is of, 4 or 6."""
    return 6 if ":" in (ip.address or "") else 4


class Network:
    """
    A network.

    @ivar definition: what it is; redefining an active one changes only C{pending}.
    @ivar server: its name server, something with a C{pid}, while one runs.
    @ivar ports: what is plugged in, by UUID.
    @ivar connections: how many are told to be plugged in.  Once an active network is changed they count anew, as
        libvirtd's do, so those that were there before are below zero when they have gone.
    @ivar uses: how many of them share each device of the host, by name; see L{devices.countedName}.
    @ivar lock: held by whoever starts, stops or changes it and waits meanwhile.
    @ivar gone: it is no more; who waited for the lock finds out.
    """

    __slots__ = (
        "active",
        "autostart",
        "connections",
        "definition",
        "gone",
        "lock",
        "pending",
        "persistent",
        "ports",
        "ref",
        "server",
        "uses",
    )

    def __init__(self, definition: NetworkDefinition) -> None:
        assert definition.uuid is not None
        self.definition = definition
        self.pending: NetworkDefinition | None = None
        self.active = False
        self.persistent = False
        self.autostart = False
        self.gone = False
        self.server: Any = None
        self.ports: dict[bytes, NetworkPortDefinition] = {}
        self.connections = 0
        self.uses: dict[str, int] = {}
        self.lock = DeferredLock()
        self.ref = NetworkRef(definition.name, definition.uuid)

    def count(self, device: str | None, more: int) -> None:
        """
        Count a guest that comes or goes.

        @param device: the device that it has, None: none of its own.
        @param more: 1, or -1.
        """
        self.connections += more
        if device is not None:
            self.uses[device] = self.uses.get(device, 0) + more

    def countAnew(self) -> None:
        """Count nobody."""
        self.connections = 0
        self.uses.clear()

    def describe(self) -> str:
        """Write what it is now, and how many are plugged in."""
        return formatNetwork(self.definition, connections=self.connections, uses=self.uses)

    @property
    def bridge(self) -> str:
        """The bridge that guests are plugged into; empty: there is none."""
        bridge = self.definition.bridge
        return "" if bridge is None else bridge.name or ""
