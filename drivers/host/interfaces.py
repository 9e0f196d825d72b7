"""
Network interfaces of the host, as the system describes them; who configures them does so elsewhere.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from pyvirt import constants as c
from pyvirt.definitions.interface import (
    VLAN,
    Bond,
    Bridge,
    InterfaceDefinition,
    Link,
    formatInterface,
)
from pyvirt.drivers.interfaces.values import InterfaceRef
from pyvirt.drivers.refusals import checkFlags
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

if TYPE_CHECKING:
    from pyvirt.drivers.host.host import Host

__all__ = ["HostInterfaces"]

_DOMAIN = ErrorDomain.INTERFACE
_ACTIVE = c.VIR_CONNECT_LIST_INTERFACES_ACTIVE
_INACTIVE = c.VIR_CONNECT_LIST_INTERFACES_INACTIVE
_STATES = ["unknown", "notpresent", "down", "lowerlayerdown", "testing", "dormant", "up"]


def _missing(detail: str) -> VirtError:
    return virtError(ErrorCode.NO_INTERFACE, detail, _DOMAIN)


class HostInterfaces:
    """Looks at C{/sys/class/net}, which waits for nothing."""

    def __init__(self, host: Host, folder: str = "/sys/class/net") -> None:
        """
        @param folder: where the system describes interfaces.
        """
        self._folder = folder

    def _read(self, name: str, *path: str) -> str | None:
        try:
            with open(os.path.join(self._folder, name, *path), encoding="ascii") as file:
                return file.read(4096).strip()
        except (OSError, ValueError):
            return None

    def _names(self) -> list[str]:
        try:
            found = os.listdir(self._folder)
        except OSError:
            return []
        return sorted(name for name in found if os.path.isdir(os.path.join(self._folder, name)))

    def _named(self, name: str) -> str:
        if "/" in name or name not in self._names():
            raise _missing(f"couldn't find interface named '{name}'")
        return name

    def _ref(self, name: str) -> InterfaceRef:
        return InterfaceRef(name, self._read(name, "address") or "")

    def _up(self, name: str) -> bool:
        return self._read(name, "operstate") == "up"

    def _part(self, name: str) -> bool:
        """Whether an interface is described with the bridge or bond that it is part of."""
        place = os.path.join(self._folder, name)
        return any(
            os.path.exists(os.path.join(place, each)) for each in ("brport", "bonding_slave")
        )

    def connectListAllInterfaces(self, flags: int) -> list[InterfaceRef]:
        """List the interfaces that pass the filters."""
        checkFlags("udevConnectListAllInterfaces", flags, _ACTIVE | _INACTIVE, _DOMAIN)
        return [
            self._ref(name)
            for name in self._names()
            if not self._part(name)
            and (not flags or flags & (_ACTIVE if self._up(name) else _INACTIVE))
        ]

    def interfaceLookupByName(self, name: str) -> InterfaceRef:
        """Find an interface."""
        return self._ref(self._named(name))

    def interfaceLookupByMACString(self, mac: str) -> InterfaceRef:
        """
        Find an interface by its address.

        @raise VirtError: there is none, or more than one.
        """
        found = [
            name
            for name in self._names()
            if (self._read(name, "address") or "").lower() == mac.lower()
        ]
        if not found:
            raise _missing(f"couldn't find interface with MAC address '{mac}'")
        if len(found) > 1:
            raise virtError(
                ErrorCode.MULTIPLE_INTERFACES,
                f"the MAC address '{mac}' matches multiple interfaces",
                _DOMAIN,
            )
        return self._ref(found[0])

    def interfaceIsActive(self, iface: InterfaceRef) -> bool:
        """Whether packets can go through it."""
        return self._up(self._named(iface.name))

    def interfaceGetXMLDesc(self, iface: InterfaceRef, flags: int) -> str:
        """Describe an interface."""
        checkFlags("udevInterfaceGetXMLDesc", flags, c.VIR_INTERFACE_XML_INACTIVE, _DOMAIN)
        return formatInterface(self._described(self._named(iface.name), False))

    def _described(self, name: str, inner: bool) -> InterfaceDefinition:
        mtu = self._read(name, "mtu")
        state = self._read(name, "operstate")
        speed = self._read(name, "speed") if state == "up" else None
        link = Link(
            state=state if state in _STATES else None,
            speed=int(speed) if speed and speed.isdigit() and int(speed) else None,
        )
        found: dict[str, Any] = {"type": "ethernet", "name": name}
        if not inner:
            found["mtu"] = int(mtu) if mtu and mtu.isdigit() else None
        place = os.path.join(self._folder, name)
        if os.path.isdir(os.path.join(place, "bridge")):
            parts = sorted(os.listdir(os.path.join(place, "brif")))
            found["type"] = "bridge"
            found["bridge"] = Bridge(
                stp="on" if self._read(name, "bridge", "stp_state") not in ("0", None) else "off",
                delay=self._read(name, "bridge", "forward_delay"),
                interfaces=tuple(self._described(each, True) for each in parts),
            )
        elif os.path.isdir(os.path.join(place, "bonding")):
            mode = (self._read(name, "bonding", "mode") or "").split()
            parts = sorted((self._read(name, "bonding", "slaves") or "").split())
            found.update(type="bond", link=link)
            found["bond"] = Bond(
                mode=mode[0] if mode else None,
                interfaces=tuple(self._described(each, True) for each in parts),
            )
        else:
            found.update(link=link, mac=self._read(name, "address"))
            device, dot, tag = name.rpartition(".")
            if dot and tag.isdigit() and os.path.exists(f"/proc/net/vlan/{name}"):
                found["type"] = "vlan"
                found["vlan"] = VLAN(tag=tag, device=device)
                found["mac"] = None
        return InterfaceDefinition(**found)
