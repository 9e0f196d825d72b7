"""
What C{dnsmasq} is told about a network.

Source: its manual page, and the files that libvirtd writes.
"""

from __future__ import annotations

import os
from typing import Any

from pyvirt.definitions.network import IP, NetworkDefinition
from pyvirt.drivers.host.networks.network import modeOf, networkOf, versionOf
from pyvirt.errors import ErrorCode, ErrorDomain, virtError

__all__ = ["addressFile", "configuration", "fileNames", "hostFile", "needed"]

_HEADING = """\
##WARNING:  THIS IS AN AUTO-GENERATED FILE. CHANGES TO IT ARE LIKELY TO BE
##OVERWRITTEN AND LOST.  Changes to this configuration should be made using:
##    virsh net-edit {}
## or other application using the libvirt API.
##
## dnsmasq conf file created by libvirt
"""


def needed(definition: NetworkDefinition) -> bool:
    """Whether a network has a name server: it has an address, and names or addresses to give."""
    if not definition.ips:
        return False
    if definition.dns is None or definition.dns.enable is not False:
        return True
    return any(ip.dhcp and (ip.dhcp.ranges or ip.dhcp.hosts) for ip in definition.ips)


def _lease(lease: Any) -> str:
    if lease is None:
        return ""
    if not lease.expiry:
        return ",infinite"
    unit = {"seconds": "s", "hours": "h"}.get(lease.unit or "minutes", "m")
    return f",{lease.expiry}" if unit == "s" else f",{lease.expiry}{unit}"


def pointerDomain(ip: IP) -> str:
    """
    Return the domain in which names of a network's addresses are asked for.

    @raise VirtError: there is none that is of this network alone.
    """
    found = networkOf(ip)
    step, base = (8, 10) if found.version == 4 else (4, 16)
    prefix = found.network.prefixlen
    if prefix % step or not prefix:
        raise virtError(
            ErrorCode.CONFIG_UNSUPPORTED,
            f"PTR domain for {'IPv4' if base == 10 else 'IPv6'} network with prefix {prefix} cannot "
            "be automatically created",
            ErrorDomain.NETWORK,
        )
    octets = found.network.network_address.packed[: (prefix + 7) // 8]
    if base == 10:
        return ".".join([*(str(each) for each in reversed(octets)), "in-addr", "arpa"])
    digits = "".join(f"{each:02x}" for each in octets)[: prefix // 4]
    return ".".join([*reversed(digits), "ip6", "arpa"])


def _safe(text: str | None) -> str:
    """A value must not begin a line of its own."""
    return (text or "").replace("\n", " ").replace("\r", " ")


def configuration(definition: NetworkDefinition, bridge: str, pidFile: str, base: str) -> str:
    """
    Write the configuration.

    @param base: where the files of the network are, without what their names end in.
    """
    dns, mode = definition.dns, modeOf(definition)
    out = ["strict-order"]
    forwarders = () if dns is None else dns.forwarders
    for each in forwarders:
        inner = f"/{_safe(each.domain)}/" if each.domain else ""
        out.append(f"server={inner}{each.addr or '#'}")
    if any(not each.domain for each in forwarders):
        out.append("no-resolv")
    if dns is not None and dns.enable is False:
        out.append("port=0")
    domain = definition.domain
    if domain is not None and domain.name is not None:
        if domain.localOnly:
            out.append(f"local=/{_safe(domain.name)}/")
        out += [f"domain={_safe(domain.name)}", "expand-hosts"]
    if dns is not None and dns.forwardPlainNames is False:
        out.append("domain-needed")
        if domain is None or not domain.name or domain.localOnly is not False:
            out.append("local=//")
    named = dns is None or dns.enable is not False
    if named:
        out += [f"local=/{pointerDomain(ip)}/" for ip in definition.ips if ip.localPtr]
    out += [f"pid-file={pidFile}", "except-interface=lo", "bind-dynamic", f"interface={bridge}"]
    if mode == "none":
        out += ["dhcp-option=3", "no-resolv", "ra-param=*,0,0"]
    if dns is not None:
        out += [f"txt-record={_safe(each.name)},{_safe(each.value)}" for each in dns.txts]
        for srv in dns.srvs:
            words = f"srv-host=_{_safe(srv.service)}._{_safe(srv.protocol)}"
            if srv.domain:
                words += f".{_safe(srv.domain)}"
            if srv.target and srv.target != ".":
                words += f",{_safe(srv.target)}"
                numbers = [srv.port, srv.priority, srv.weight]
                while numbers and numbers[-1] is None:
                    numbers.pop()
                if numbers and numbers[0] is None:
                    numbers[0] = 1
                words += "".join(f",{number or 0}" for number in numbers)
            out.append(words)
    out += _addresses(definition, mode)
    most = sum(_count(each) for ip in definition.ips if ip.dhcp for each in ip.dhcp.ranges)
    if any(ip.dhcp and (ip.dhcp.ranges or ip.dhcp.hosts) for ip in definition.ips):
        if most:
            out.append(f"dhcp-lease-max={most}")
        out.append(f"dhcp-hostsfile={base}.hostsfile")
    if named:
        out.append(f"addn-hosts={base}.addnhosts")
    if definition.mtu:
        out.append(f"dhcp-option=option:mtu,{definition.mtu}")
    six = [ip for ip in definition.ips if versionOf(ip) == 6]
    if any(ip.dhcp and (ip.dhcp.ranges or ip.dhcp.hosts) for ip in six):
        out.append("enable-ra")
    else:
        out += [f"dhcp-range={networkOf(ip).ip},ra-only" for ip in six]
    # What the administrator says to it is passed on as it is.
    out += definition.options
    return _HEADING.format(definition.name) + "\n".join(out) + "\n"


def _addresses(definition: NetworkDefinition, mode: str) -> list[str]:
    out: list[str] = []
    for ip in sorted(definition.ips, key=lambda ip: versionOf(ip)):
        found = networkOf(ip)
        width = str(found.netmask) if found.version == 4 else str(found.network.prefixlen)
        if ip.tftp:
            out += ["enable-tftp", f"tftp-root={_safe(ip.tftp)}"]
        dhcp = ip.dhcp
        if dhcp is None or not (dhcp.ranges or dhcp.hosts):
            continue
        for each in dhcp.ranges:
            out.append(f"dhcp-range={each.start},{each.end},{width}{_lease(each.lease)}")
        if not dhcp.ranges:
            more = f",{width}" if found.version == 6 else ""
            out.append(f"dhcp-range={found.ip},static{more}")
        if found.version == 4:
            out += ["dhcp-no-override", "dhcp-authoritative"]
            if dhcp.bootp is not None and dhcp.bootp.file is not None:
                server = f",,{_safe(dhcp.bootp.server)}" if dhcp.bootp.server else ""
                out.append(f"dhcp-boot={_safe(dhcp.bootp.file)}{server}")
    return out


def _count(each: Any) -> int:
    import ipaddress

    start, end = int(ipaddress.ip_address(each.start)), int(ipaddress.ip_address(each.end))
    return min(end - start + 1, (1 << 31) - 1)


def hostFile(definition: NetworkDefinition) -> str:
    """Write the file of guests that always get the same address."""
    out = []
    for ip in definition.ips:
        version = versionOf(ip)
        for host in ip.dhcp.hosts if ip.dhcp else ():
            words = []
            if version == 6:
                if host.id:
                    words.append(f"id:{_safe(host.id)}")
                if host.name:
                    words.append(_safe(host.name))
                if host.ip:
                    words.append(f"[{host.ip}]")
            else:
                order = (host.mac, host.ip, host.name) if host.mac else (host.name, host.ip)
                words += [_safe(each) for each in order if each]
            out.append(",".join(words) + _lease(host.lease))
    return "".join(f"{line}\n" for line in out)


def addressFile(definition: NetworkDefinition) -> str:
    """Write the file of names that do not come from guests."""
    hosts = () if definition.dns is None else definition.dns.hosts
    return "".join(
        f"{host.ip}\t" + "".join(f"{_safe(name)}\t" for name in host.hostnames) + "\n"
        for host in hosts
    )


def fileNames(folder: str, name: str, bridge: str) -> tuple[str, ...]:
    """Return the files of a network in the folder of name servers."""
    names = [f"{name}.{ending}" for ending in ("conf", "hostsfile", "addnhosts")]
    names += [f"{bridge}.{ending}" for ending in ("status", "macs") if bridge]
    return tuple(os.path.join(folder, each) for each in names)
