"""
All that is to be in the kernel for one device: chains of frames and packets with their rules.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import attrs

from pyvirt.drivers.host.filters.frames import CHAIN_PROTOCOLS, FRAMES, frameRules
from pyvirt.drivers.host.filters.instances import Instance
from pyvirt.drivers.host.filters.packets import packetRules, versionOf

__all__ = ["PACKET_CHAINS", "Plan", "basicPlan", "dhcpPlan", "isOf", "planOf", "rootOf"]

#: The chains of packets of a device.
PACKET_CHAINS = ("FI", "FO", "HI")

Line = tuple[str, tuple[str, ...]]
"""A chain, and the words of a rule in it."""

_WAYS = {"I": "J", "O": "P"}


@attrs.frozen
class Plan:
    """
    What is to be there for a device.

    @ivar chains: those of frames, in the order in which they are made.
    @ivar frames: their rules.
    @ivar packets: rules of packets by the version of IP, none: no chains either.
    """

    device: str
    chains: tuple[str, ...] = ()
    frames: tuple[Line, ...] = ()
    packets: dict[int, tuple[Line, ...]] = attrs.Factory(dict)


def rootOf(way: str, device: str) -> str:
    """Return the chain that frames of a device go through first."""
    return f"libvirt-{way}-{device}"


def isOf(chain: str, device: str) -> bool:
    """Whether a chain of frames is one of a device, also one that another daemon has not finished."""
    ways = "".join((*_WAYS, *_WAYS.values()))
    if re.fullmatch(f"libvirt-[{ways}]-{re.escape(device)}", chain):
        return True
    kinds = "|".join(("mac", *CHAIN_PROTOCOLS))
    return re.fullmatch(f"[{ways}]-{re.escape(device)}-(?:{kinds}).*", chain) is not None


def _chainWords(name: str) -> tuple[str, ...]:
    for kind, words in CHAIN_PROTOCOLS.items():
        if name.startswith(kind):
            return words
    return ()


def planOf(device: str, instances: Sequence[Instance]) -> Plan:
    """
    Return what is to be there for the rules of a device, given in their order.

    Chains take their place among the rules of the first chain by their priorities.
    """
    frames: list[tuple[Instance, list[Line]]] = []
    inner: dict[tuple[str, str], int] = {}
    ways: dict[str, None] = {}
    for each in instances:
        if each.rule.protocol not in FRAMES:
            continue
        lines: list[Line] = []
        for way, words in frameRules(each):
            ways.setdefault(way)
            if each.chain == "root":
                lines.append((rootOf(way, device), words))
            else:
                inner.setdefault((way, each.chain), each.chainPriority)
                lines.append((f"{way}-{device}-{each.chain}", words))
        frames.append((each, lines))
    waiting = sorted(inner.items(), key=lambda item: (item[1], item[0][0]))
    chains = [rootOf(way, device) for way in sorted(ways)]
    out: list[Line] = []

    def make(way: str, name: str) -> None:
        chain = f"{way}-{device}-{name}"
        chains.append(chain)
        out.append((rootOf(way, device), (*_chainWords(name), "-j", chain)))

    for each, lines in frames:
        while waiting and waiting[0][1] <= each.rule.priority:
            make(*waiting.pop(0)[0])
        out += lines
    for (way, name), _ in waiting:
        make(way, name)
    return Plan(device, tuple(chains), tuple(out), _packets(device, instances))


def _packets(device: str, instances: Iterable[Instance]) -> dict[int, tuple[Line, ...]]:
    found: dict[int, list[Line]] = {}
    for each in instances:
        if each.rule.protocol not in FRAMES:
            lines = found.setdefault(versionOf(each), [])
            lines += [(f"{chain}-{device}", words) for chain, words in packetRules(each)]
    return {version: tuple(lines) for version, lines in found.items()}


def basicPlan(device: str, mac: str) -> Plan:
    """Return what holds while the address of a guest is learnt from what it sends."""
    root = rootOf("I", device)
    lines = (
        (root, ("-s", "!", mac, "-j", "DROP")),
        (root, ("-p", "IPv4", "-j", "ACCEPT")),
        (root, ("-p", "ARP", "-j", "ACCEPT")),
        (root, ("-j", "DROP")),
    )
    return Plan(device, (root,), lines)


def dhcpPlan(device: str, mac: str, servers: Iterable[str]) -> Plan:
    """
    Return what holds while a guest has no address from a DHCP server.

    @param servers: the addresses of those that count, none: all.
    """
    ours, theirs = rootOf("I", device), rootOf("O", device)
    ask = ("-p", "ipv4", "--ip-protocol", "udp", "--ip-sport", "68", "--ip-dport", "67")
    lines: list[Line] = [(ours, ("-s", mac, *ask, "-j", "ACCEPT")), (ours, ("-j", "DROP"))]
    reply = ("--ip-protocol", "udp", "--ip-sport", "67", "--ip-dport", "68", "-j", "ACCEPT")
    senders: list[tuple[str, ...]] = [("--ip-src", each) for each in servers]
    for server in senders or [()]:
        lines += [
            (theirs, ("-d", receiver, "-p", "ipv4", *server, *reply))
            for receiver in (mac, "ff:ff:ff:ff:ff:ff")
        ]
    lines.append((theirs, ("-j", "DROP")))
    return Plan(device, (ours, theirs), tuple(lines))
