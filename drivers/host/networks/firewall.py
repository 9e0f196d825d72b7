"""
Rules of networks, in the chains in which libvirtd has its own, so that either removes what the other has made.

All rules of one family change with one run of C{iptables-restore}, which makes all of them or none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyvirt.definitions.network import NetworkDefinition
from pyvirt.drivers.host.networks.network import modeOf, networkOf, versionOf
from pyvirt.drivers.host.running import found, run

if TYPE_CHECKING:
    from pyvirt.drivers.host.host import Host

__all__ = ["Rule", "add", "remove", "rules"]

Rule = tuple[str, str, str]
"""A table, a chain, and what the rule says."""

#: The chains that our own are reached from.
_CHAINS = (
    ("filter", "INPUT", "LIBVIRT_INP"),
    ("filter", "FORWARD", "LIBVIRT_FWO"),
    ("filter", "FORWARD", "LIBVIRT_FWI"),
    ("filter", "FORWARD", "LIBVIRT_FWX"),
    ("filter", "OUTPUT", "LIBVIRT_OUT"),
    ("nat", "POSTROUTING", "LIBVIRT_PRT"),
    ("mangle", "POSTROUTING", "LIBVIRT_PRT"),
)


def ruled(definition: NetworkDefinition) -> bool:
    """Whether a network has rules at all, and chains are made for them."""
    return modeOf(definition) != "open"


def rules(definition: NetworkDefinition, bridge: str, version: int) -> list[Rule]:
    """Return the rules of a network for IPv4 or IPv6, in the order in which they are to be."""
    mode = modeOf(definition)
    ips = [ip for ip in definition.ips if versionOf(ip) == version]
    if not ruled(definition) or (version == 6 and not ips and not definition.ipv6):
        return []
    refuse = "icmp-port-unreachable" if version == 4 else "icmp6-port-unreachable"
    out: list[Rule] = []
    dhcp = any(ip.dhcp and (ip.dhcp.ranges or ip.dhcp.hosts) for ip in ips)
    if version == 4 and dhcp:
        out.append(
            (
                "mangle",
                "LIBVIRT_PRT",
                f"-o {bridge} -p udp -m udp --dport 68 -j CHECKSUM --checksum-fill",
            )
        )
    # As libvirtd puts each before those that are there, the last address comes first.
    for ip in reversed(ips) if mode in ("nat", "route") else ():
        out += _forwarding(definition, bridge, str(networkOf(ip).network), version)
    out += [
        ("filter", "LIBVIRT_FWI", f"-o {bridge} -j REJECT --reject-with {refuse}"),
        ("filter", "LIBVIRT_FWO", f"-i {bridge} -j REJECT --reject-with {refuse}"),
        ("filter", "LIBVIRT_FWX", f"-i {bridge} -o {bridge} -j ACCEPT"),
    ]
    if version == 6:
        if not ips:
            return out
        served = [("udp", 547, 546), ("udp", 53, 53), ("tcp", 53, 53)]
    else:
        served = [("udp", 53, 53), ("tcp", 53, 53), ("udp", 67, 68), ("tcp", 67, 68)]
        if any(ip.tftp for ip in ips):
            served.insert(0, ("udp", 69, 69))
    for protocol, ours, theirs in served:
        for chain, way, port in (("INP", "-i", ours), ("OUT", "-o", theirs)):
            words = f"{way} {bridge} -p {protocol} -m {protocol} --dport {port} -j ACCEPT"
            out.append(("filter", f"LIBVIRT_{chain}", words))
    return out


def _forwarding(
    definition: NetworkDefinition, bridge: str, network: str, version: int
) -> list[Rule]:
    forward = definition.forward
    assert forward is not None
    nat = forward.nat
    masked = forward.mode == "nat" and (version == 4 or bool(nat is not None and nat.ipv6))
    dev = forward.dev
    inwards = f"-d {network}" + (f" -i {dev}" if dev else "") + f" -o {bridge}"
    outwards = f"-s {network} -i {bridge}" + (f" -o {dev}" if dev else "")
    state = " -m conntrack --ctstate RELATED,ESTABLISHED" if masked else ""
    out: list[Rule] = [
        ("filter", "LIBVIRT_FWI", f"{inwards}{state} -j ACCEPT"),
        ("filter", "LIBVIRT_FWO", f"{outwards} -j ACCEPT"),
    ]
    if not masked:
        return out
    away = f" -o {dev}" if dev else ""
    quiet = ("224.0.0.0/24", "255.255.255.255/32") if version == 4 else ("ff02::/16",)
    out += [("nat", "LIBVIRT_PRT", f"-s {network} -d {each}{away} -j RETURN") for each in quiet]
    ports = None if nat is None else nat.port
    start, end = (1024, 65535) if ports is None else (ports.start, ports.end)
    addresses = None if nat is None or version == 6 else nat.address
    for protocol in ("tcp", "udp", ""):
        words = f"-s {network} ! -d {network}{away}"
        if protocol:
            words += f" -p {protocol}"
        if addresses is not None:
            span = f"{addresses.start}-{addresses.end}"
            if protocol:
                span += f":{start}-{end}"
            words += f" -j SNAT --to-source {span}"
        else:
            words += " -j MASQUERADE" + (f" --to-ports {start}-{end}" if protocol else "")
        out.append(("nat", "LIBVIRT_PRT", words))
    return out


def _program(version: int, what: str) -> str:
    name = f"{'iptables' if version == 4 else 'ip6tables'}-{what}"
    return found(f"/usr/sbin/{name}", f"/sbin/{name}")


def _script(lines: list[tuple[str, str]]) -> bytes:
    out = []
    for table in ("mangle", "filter", "nat"):
        inner = [line for name, line in lines if name == table]
        if inner:
            out += [f"*{table}", *inner, "COMMIT"]
    return "".join(f"{line}\n" for line in out).encode()


async def _present(host: Host, version: int) -> list[tuple[str, str]]:
    """Return what there is: each line with its table."""
    said = await run(host, _program(version, "save"))
    out, table = [], ""
    for line in said.output.decode(errors="replace").splitlines():
        if line.startswith("*"):
            table = line[1:]
        elif line.startswith((":", "-A")):
            out.append((table, line))
    return out


async def add(host: Host, version: int, wanted: list[Rule]) -> None:
    """
    Put rules before those that are there, and make the chains for them if they are not there.

    @raise VirtError: they cannot be made, and none is.
    """
    present = await _present(host, version)
    lines: list[tuple[str, str]] = []
    for table, origin, chain in _CHAINS:
        if not any(where == table and line.startswith(f":{chain} ") for where, line in present):
            lines.append((table, f":{chain} - [0:0]"))
        if (table, f"-A {origin} -j {chain}") not in present:
            lines.append((table, f"-I {origin} -j {chain}"))
    lines += [(table, f"-I {chain} {words}") for table, chain, words in reversed(wanted)]
    if lines:
        restore = _program(version, "restore")
        await run(host, restore, "--noflush", "--wait", input=_script(lines))


async def remove(host: Host, version: int, unwanted: list[Rule]) -> None:
    """
    Remove those of some rules that are there.

    @raise VirtError: they cannot be removed.
    """
    if not unwanted:
        return
    present = set(await _present(host, version))
    lines = [
        (table, f"-D {chain} {words}")
        for table, chain, words in unwanted
        if (table, f"-A {chain} {words}") in present
    ]
    if lines:
        restore = _program(version, "restore")
        await run(host, restore, "--noflush", "--wait", input=_script(lines))
