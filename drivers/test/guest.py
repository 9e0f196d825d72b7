"""
What an agent in a guest would tell: every guest that runs has one, and they all tell the same.
"""

from __future__ import annotations

import ipaddress

from pyvirt import constants as c
from pyvirt.drivers.interfaces.values import (
    DomainFSInfo,
    DomainInterface,
    DomainIPAddr,
    DomainRef,
    DomainTime,
)
from pyvirt.drivers.test.domain import Domain
from pyvirt.drivers.test.networks import Networks
from pyvirt.drivers.test.refusals import (
    checkFlags,
    operationInvalid,
    signed,
    unsupportedArgument,
)
from pyvirt.drivers.test.world import World

__all__ = ["DomainGuestAgent"]

_MOUNTS = ("/", "/boot")


def _addressIn(networks: Networks, name: str, offset: int) -> list[DomainIPAddr]:
    """
    Make up an address in a network: so far behind the first that it gives, or its own.

    @raise VirtError: there is no such network.
    """
    ips = networks.named(name).definition.ips
    if not ips:
        return []
    ip = ips[0]
    start = ip.address
    if ip.dhcp is not None and ip.dhcp.ranges and ip.dhcp.ranges[0].start is not None:
        start = ip.dhcp.ranges[0].start
    own = ipaddress.ip_address(ip.address or "0.0.0.0")
    address = ipaddress.ip_address(start or "0.0.0.0") + offset
    if ip.prefix is not None:
        prefix = ip.prefix
    elif ip.netmask is not None:
        prefix = ipaddress.ip_network(f"0.0.0.0/{ip.netmask}").prefixlen
    else:
        prefix = own.max_prefixlen if own.version == 4 else 64
    kind = c.VIR_IP_ADDR_TYPE_IPV4 if own.version == 4 else c.VIR_IP_ADDR_TYPE_IPV6
    return [DomainIPAddr(kind, str(address), prefix)]


class DomainGuestAgent:
    """Answers for agents."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._networks = Networks(world)

    def _running(self, dom: DomainRef) -> Domain:
        domain = self._world.domains.find(dom)
        domain.checkActive()
        return domain

    def domainGetHostname(self, dom: DomainRef, flags: int) -> str:
        """Tell the guest's name: that of the domain, and what it is."""
        checkFlags("testDomainGetHostname", flags)
        return f"{self._running(dom).name}host"

    def domainGetTime(self, dom: DomainRef, flags: int) -> DomainTime:
        """Tell the guest's clock, which stands still."""
        checkFlags("testDomainGetTime", flags)
        domain = self._world.domains.find(dom)
        if domain.state != c.VIR_DOMAIN_RUNNING:
            raise operationInvalid("domain is not running")
        return domain.extra.time

    def domainSetTime(self, dom: DomainRef, seconds: int, nseconds: int, flags: int) -> None:
        """Set the guest's clock."""
        checkFlags("testDomainSetTime", flags, c.VIR_DOMAIN_TIME_SYNC)
        self._running(dom).extra.time = DomainTime(seconds, nseconds)

    def domainGetFSInfo(self, dom: DomainRef, flags: int) -> list[DomainFSInfo]:
        """Tell of two file systems on the first hard disk, if there is one."""
        checkFlags("testDomainGetFSInfo", flags)
        devices = self._running(dom).definition.devices
        name = next(
            (
                each.target.dev
                for each in devices.disks
                if each.device in (None, "disk") and each.target is not None
            ),
            None,
        )
        if name is None:
            return []
        return [
            DomainFSInfo(mount, f"{name}{number}", "ext4", [name])
            for number, mount in enumerate(_MOUNTS, 1)
        ]

    def _mounts(self, names: list[str]) -> list[str]:
        for name in names:
            if name not in _MOUNTS:
                raise operationInvalid(f"mount point not found: {name}")
        return names or list(_MOUNTS)

    def domainFSFreeze(self, dom: DomainRef, mountpoints: list[str], flags: int) -> int:
        """Freeze file systems, and tell how many were not frozen before."""
        checkFlags("testDomainFSFreeze", flags)
        frozen = self._running(dom).extra.frozen
        before = len(frozen)
        frozen.update(self._mounts(mountpoints))
        return len(frozen) - before

    def domainFSThaw(self, dom: DomainRef, mountpoints: list[str], flags: int) -> int:
        """Thaw file systems, and tell how many were frozen."""
        checkFlags("testDomainFSThaw", flags)
        frozen = self._running(dom).extra.frozen
        before = len(frozen)
        frozen.difference_update(self._mounts(mountpoints))
        return before - len(frozen)

    def domainFSTrim(
        self, dom: DomainRef, mountPoint: str | None, minimum: int, flags: int
    ) -> None:
        """Trim a file system, of which nothing is seen."""
        checkFlags("testDomainFSTrim", flags)
        self._running(dom)
        if mountPoint is not None:
            self._mounts([mountPoint])

    def domainSetUserPassword(
        self, dom: DomainRef, user: str | None, password: str | None, flags: int
    ) -> None:
        """Take any password of any user."""
        checkFlags("testDomainSetUserPassword", flags, c.VIR_DOMAIN_PASSWORD_ENCRYPTED)
        self._running(dom)

    def domainInterfaceAddresses(
        self, dom: DomainRef, source: int, flags: int
    ) -> list[DomainInterface]:
        """Tell an address of each interface, made up of its network and the domain's number."""
        checkFlags("testDomainInterfaceAddresses", flags)
        if not 0 <= source <= c.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_ARP:
            raise unsupportedArgument(f"Unknown IP address data source {signed(source)}")
        domain = self._running(dom)
        found = []
        for number, interface in enumerate(domain.definition.devices.interfaces):
            if interface.type == "network":
                network = interface.source.network if interface.source is not None else ""
                offset = 20 * (domain.id - 1) + number + 1
                addresses = _addressIn(self._networks, network or "", offset)
            else:
                addresses = [DomainIPAddr(c.VIR_IP_ADDR_TYPE_IPV4, f"192.168.0.{1 + number}", 24)]
            found.append(
                DomainInterface(
                    (interface.target.dev if interface.target is not None else None) or "",
                    interface.mac.address if interface.mac is not None else None,
                    addresses,
                )
            )
        return found
