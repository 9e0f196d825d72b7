"""
Addresses that name servers have lent, as L{leasehelper} writes them down.
"""

from __future__ import annotations

import json
from typing import Any

from pyvirt import constants as c
from pyvirt.definitions.netbits import parseMAC
from pyvirt.definitions.network import NetworkDefinition
from pyvirt.drivers.host.networks.network import networkOf
from pyvirt.drivers.interfaces.values import NetworkDHCPLease
from pyvirt.drivers.refusals import internal
from pyvirt.errors import ErrorDomain

__all__ = ["leases"]

_DOMAIN = ErrorDomain.NETWORK
#: The most of a file that is read, in bytes.
_MOST = 16 << 20
_NUMBER = 1 << 63


def leases(
    path: str, definition: NetworkDefinition, bridge: str, now: float, mac: str | None = None
) -> list[NetworkDHCPLease]:
    """
    Read what is lent now.

    @param path: the file with what was lent.
    @param mac: the one guest that is asked for, None: all.
    @raise VirtError: the file makes no sense.
    """
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read(_MOST)
    except OSError:
        return []
    if not text:
        return []
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise internal(f"invalid json in file: {path}", _DOMAIN) from None
    if not isinstance(found, list):
        raise internal("Malformed lease_entries array", _DOMAIN)
    prefixes: dict[int, int] = {}
    for ip in definition.ips:
        network = networkOf(ip).network
        prefixes.setdefault(network.version, network.prefixlen)
    return [
        lease
        for each in found
        if (lease := _lease(each if isinstance(each, dict) else {}, bridge, prefixes, now, mac))
    ]


def _text(entry: dict[str, Any], name: str) -> str | None:
    value = entry.get(name)
    # In JSON there may be halves of characters, which cannot be told to anybody.
    return value.encode(errors="replace").decode() if isinstance(value, str) else None


def _lease(
    entry: dict[str, Any], bridge: str, prefixes: dict[int, int], now: float, wanted: str | None
) -> NetworkDHCPLease | None:
    """Read one lease; one that is over, or another's, is none."""
    mac = _text(entry, "mac-address")
    if mac is None:
        raise internal("found lease without mac-address", _DOMAIN)
    if wanted is not None and parseMAC(mac) != wanted:
        return None
    expiry = entry.get("expiry-time")
    if isinstance(expiry, bool) or not isinstance(expiry, int) or not -_NUMBER <= expiry < _NUMBER:
        raise internal("found lease without expiry-time", _DOMAIN)
    if 0 < expiry < now:
        return None
    address = _text(entry, "ip-address")
    if address is None:
        raise internal("found lease without ip-address", _DOMAIN)
    version = 6 if ":" in address else 4
    return NetworkDHCPLease(
        bridge,
        expiry,
        c.VIR_IP_ADDR_TYPE_IPV6 if version == 6 else c.VIR_IP_ADDR_TYPE_IPV4,
        mac,
        _text(entry, "iaid"),
        address,
        prefixes.get(version, 0),
        _text(entry, "hostname"),
        _text(entry, "client-id"),
    )
