#!/usr/bin/env -S python3 -IS
"""
What C{dnsmasq} runs for each address that it lends: the addresses are written down for everybody who asks.

It is run as a program by itself, with nothing but Python's own library, and is called as C{dnsmasq}'s manual says of
C{dhcp-script}.  The file is C{BRIDGE.status}, an array of JSON, as libvirt's own helper writes it: either finds what the
other has written, and so does libvirt's module for looking up names of guests.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["FOLDER", "LeaseError", "main", "told"]

#: The variable that says where the files are.
FOLDER = "PYVIRT_LEASES"
_MOST = 16 << 20


class LeaseError(Exception):
    """What was lent cannot be read or written down."""


def _read(path: str) -> list[dict[str, Any]]:
    """
    Return what is written down; what is no JSON at all is nothing.

    @raise LeaseError: it is something else.
    """
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read(_MOST)
    except FileNotFoundError:
        return []
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return []
    if not isinstance(found, list):
        raise LeaseError("couldn't fetch array of leases")
    if not all(isinstance(each, dict) for each in found):
        raise LeaseError("failed to parse json")
    return found


def _write(path: str, leases: Sequence[Mapping[str, Any]]) -> None:
    text = json.dumps(leases, indent=2, ensure_ascii=False) if leases else "[\n\n]"
    # What is no text, as in JSON and in arguments there may be, must not keep others from being written down.
    with open(f"{path}.new", "w", encoding="utf-8", errors="replace") as file:
        file.write(text + "\n")
    os.chmod(f"{path}.new", 0o644)
    os.replace(f"{path}.new", path)


def _lease(
    address: str, device: str, name: str | None, environment: Mapping[str, str]
) -> dict[str, Any] | None:
    """Return what is written down of an address, None: it is not known whose it is."""
    iaid = environment.get("DNSMASQ_IAID")
    mac = environment.get("DNSMASQ_MAC") if iaid else device
    if not mac:
        return None
    try:
        expiry = int(environment.get("DNSMASQ_LEASE_EXPIRES", "0"))
    except ValueError:
        raise LeaseError("Unable to convert lease expiry time to long long") from None
    said = {
        "iaid": iaid,
        "ip-address": address,
        "mac-address": mac,
        "hostname": name or environment.get("DNSMASQ_OLD_HOSTNAME"),
        "client-id": device if iaid else environment.get("DNSMASQ_CLIENT_ID"),
        "server-duid": environment.get("DNSMASQ_SERVER_DUID") if iaid else None,
    }
    return {**{key: value for key, value in said.items() if value}, "expiry-time": expiry}


def _lines(leases: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what C{dnsmasq} would have in a file of its own."""
    out: list[str] = []
    for six in (False, True):
        for each in leases:
            address = str(each.get("ip-address", ""))
            if (":" in address) != six:
                continue
            if six and not any(line.startswith("duid ") for line in out):
                out.append(f"duid {each.get('server-duid', '')}")
            whose = each.get("iaid") if six else each.get("mac-address")
            name, client = each.get("hostname") or "*", each.get("client-id") or "*"
            out.append(f"{each.get('expiry-time', 0)} {whose} {address} {name} {client}")
    return out


def told(path: str, words: Sequence[str], environment: Mapping[str, str]) -> list[str]:
    """
    Write down what C{dnsmasq} tells.

    @param path: where leases are written down.
    @param words: what happens, to which device, with which address, and what it is called.
    @return: lines that C{dnsmasq} reads, when it asks what has been lent.
    @raise LeaseError: it is not known what that means, or the file makes no sense.
    """
    action = words[0]
    if action not in ("add", "old", "del", "init"):
        raise LeaseError(f"Unsupported action: {action}")
    leases = _read(path)
    if action == "init":
        if not os.path.exists(path):
            open(path, "a").close()
        return _lines(leases)
    device, address = words[1], words[2]
    kept: list[dict[str, Any]] = [each for each in leases if each.get("ip-address") != address]
    if action != "del":
        lease = _lease(address, device, words[3] if len(words) > 3 else None, environment)
        if lease is not None:
            kept.append(lease)
    _write(path, kept)
    return []


def main(words: Sequence[str], environment: Mapping[str, str]) -> int:
    """
    Do what C{dnsmasq} asks for.

    @param words: what C{dnsmasq} says.
    @return: the status of the program.
    """
    folder = environment.get(FOLDER)
    bridge = environment.get("DNSMASQ_INTERFACE") or environment.get("VIR_BRIDGE_NAME")
    few = 1 if words[:1] == ["init"] else 3
    if len(words) < few or not folder or not bridge or "/" in bridge:
        print(
            "what was lent, and by which bridge, and where that is kept, is not said",
            file=sys.stderr,
        )
        return 1
    try:
        lines = told(os.path.join(folder, f"{bridge}.status"), words, environment)
    except (LeaseError, OSError) as problem:
        print(problem, file=sys.stderr)
        return 1
    for line in lines:
        print(line.encode(errors="replace").decode())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
