"""
Addresses that name servers have lent, as C{dnsmasq} writes them down.
"""

from __future__ import annotations

from typing import Any

from pyvirt import constants as c
from pyvirt.definitions.netbits import parseMAC
from pyvirt.definitions.network import NetworkDefinition
from pyvirt.drivers.host.networks.network import networkOf
from pyvirt.drivers.interfaces.values import NetworkDHCPLease

__all__ = ["leases"]

#: The most of a file that is read, in bytes.
_MOST = 16 << 20


def leases(
    path: str, definition: NetworkDefinition, bridge: str, now: float
) -> list[NetworkDHCPLease]:
    """
    Read what is lent now.

    @param path: the file that C{dnsmasq} keeps.
    """
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = file.read(_MOST).splitlines()
    except OSError:
        return []
    prefixes: dict[int, list[Any]] = {4: [], 6: []}
    for ip in definition.ips:
        found = networkOf(ip)
        prefixes[found.version].append(found.network)
    out = []
    for line in lines:
        words = line.split()
        if len(words) < 5 or words[0] == "duid":
            continue
        try:
            expiry = int(words[0])
        except ValueError:
            continue
        if expiry and expiry < now:
            continue
        version = 6 if ":" in words[2] else 4
        networks = prefixes[version]
        mac: str | None = parseMAC(words[1])
        iaid = None
        if version == 6:
            iaid, mac = words[1].lstrip("T"), _macOf(words[4])
        kind = c.VIR_IP_ADDR_TYPE_IPV6 if version == 6 else c.VIR_IP_ADDR_TYPE_IPV4
        out.append(
            NetworkDHCPLease(
                bridge,
                expiry,
                kind,
                mac,
                iaid,
                words[2],
                networks[0].prefixlen if networks else 0,
                None if words[3] == "*" else words[3],
                None if words[4] == "*" else words[4],
            )
        )
    return out


def _macOf(duid: str) -> str | None:
    """Return the hardware address in a DUID that has one."""
    octets = duid.split(":")
    if octets[:4] == ["00", "01", "00", "01"] and len(octets) == 14:
        return ":".join(octets[8:])
    if octets[:4] == ["00", "03", "00", "01"] and len(octets) == 10:
        return ":".join(octets[4:])
    return None
