"""
Rules of network filters: what each protocol can be matched by, and what the values may be.

A protocol has a table of attributes, in the order in which they are written.  Of several mistakes in one
element the last in that order is complained of, as libvirt does.
"""

from __future__ import annotations

import itertools
import re
import socket
from collections.abc import Callable

import attrs

from pyvirt.definitions.kinds import escape, number
from pyvirt.definitions.netbits import parseMAC
from pyvirt.definitions.reader import Node
from pyvirt.definitions.values import definition
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["PROTOCOLS", "FilterRule", "Match", "Variable", "readRule", "writeRule"]

_DOMAIN = ErrorDomain.NWFILTER
_VARIABLE = re.compile(r"\$(\w*)(?:\[\s*(@?)([+-]?\d+)\s*\]|\Z)", re.ASCII).match
_MAX_ITERATOR = 1000


def internal(detail: str) -> VirtError:
    """Make an internal error about filters."""
    return virtError(ErrorCode.INTERNAL_ERROR, detail, _DOMAIN)


@attrs.frozen
class Variable:
    """
    The name of something that the one who uses the filter says.

    @ivar index: which of its values, None for each of them.
    @ivar iterator: which of several ways of going through all values.
    """

    name: str
    index: int | None = None
    iterator: int | None = None

    def __str__(self) -> str:
        if self.index is not None:
            return f"${self.name}[{self.index}]"
        if self.iterator is not None:
            return f"${self.name}[@{self.iterator}]"
        return f"${self.name}"


@attrs.frozen
class Match:
    """
    One thing that a packet is looked at for.

    @ivar value: what it must be; numbers are numbers, lists of words are text.
    @ivar text: how it is written.
    @ivar negated: whether it must not be that.
    """

    name: str
    value: int | str | bool | Variable
    text: str
    negated: bool = False


@definition
class FilterRule:
    """
    A rule.

    @ivar priority: rules of lower priority come first, -1000 to 1000.
    @ivar stateful: whether the state of a connection is looked at where nothing else is said.
    @ivar protocol: one of L{PROTOCOLS}, None for any packet.
    """

    action: str
    direction: str
    priority: int = 500
    stateful: bool = True
    protocol: str | None = None
    matches: tuple[Match, ...] = ()


#: Reads text: value and how it is written, or None if it is not allowed.
_Reader = Callable[[str], "tuple[int | str | bool, str] | None"]


def _number(text: str) -> tuple[int, bool] | None:
    """Read a number of 32 bits, decimal or else hexadecimal; negative ones wrap around."""
    for base in (10, 16):
        value = number(text, base, bits=34, signed=True)
        if value is not None and -(1 << 32) < value < 1 << 32:
            return value % (1 << 32), base == 16
    return None


def _uint(
    most: int, *, hexadecimal: bool = True, least: int = 0
) -> Callable[[str], tuple[int, str] | None]:
    """Numbers, that keep the base in which they are written."""

    def read(text: str) -> tuple[int, str] | None:
        found = _number(text)
        if found is None or not least <= found[0] <= most or (found[1] and not hexadecimal):
            return None
        return found[0], f"{found[0]:#x}" if found[1] else str(found[0])

    return read


def _named(names: dict[str, int], most: int, *, least: int = 0, decimal: bool = False) -> _Reader:
    """Numbers that have names, which are written for them."""
    byName = {name.lower(): value for name, value in names.items()}
    byNumber = {value: name for name, value in names.items()}

    def read(text: str) -> tuple[int, str] | None:
        known = byName.get(text.lower())
        if known is not None:
            return known, byNumber[known]
        found = _uint(most, least=least)(text)
        if found is None:
            return None
        name = byNumber.get(found[0])
        return found if name is None and not decimal else (found[0], name or str(found[0]))

    return read


def _mac(text: str) -> tuple[str, str] | None:
    found = parseMAC(text)
    return None if found is None else (found, found)


def _macMask(text: str) -> tuple[str, str] | None:
    found = parseMAC(text)
    if found is None:
        return None
    inverse = ~int(found.replace(":", ""), 16) & 0xFFFFFFFFFFFF
    return None if inverse & (inverse + 1) else (found, found)


def _ipv4(text: str) -> tuple[str, str] | None:
    if not text.isascii() or any(character.isspace() for character in text):
        return None
    try:
        found = socket.inet_ntoa(socket.inet_aton(text))
    except OSError:
        return None
    return found, found


def _ipv6(text: str) -> tuple[str, str] | None:
    try:
        found = socket.inet_ntop(socket.AF_INET6, socket.inet_pton(socket.AF_INET6, text))
    except (OSError, ValueError):
        return None
    return found, found


def _mask(bits: int, read: _Reader) -> _Reader:
    """Lengths of prefixes, given as such or as an address."""

    def readMask(text: str) -> tuple[int, str] | None:
        length = number(text)
        if length is not None:
            return (length, str(length)) if length <= bits else None
        found = read(text)
        if found is None:
            return None
        family = socket.AF_INET if bits == 32 else socket.AF_INET6
        inverse = ~int.from_bytes(socket.inet_pton(family, str(found[0])), "big") & (1 << bits) - 1
        if inverse & (inverse + 1):
            return None
        length = bits - inverse.bit_length()
        return length, str(length)

    return readMask


def _boolean(text: str) -> tuple[bool, str]:
    value = text in ("1", "yes", "true")
    return value, "true" if value else "false"


_SEPARATORS = re.compile("[, ]+").split


def _words(text: str, known: tuple[str, ...]) -> set[str] | None:
    """Split text into words of a list, whatever their case; None if it has others."""
    found = {word.upper() for word in _SEPARATORS(text) if word}
    return found if found.issubset(known) else None


_STATES = ("NEW", "ESTABLISHED", "RELATED", "INVALID", "NONE")
_FLAGS = ("FIN", "SYN", "RST", "PSH", "ACK", "URG")


def _state(text: str) -> tuple[str, str] | None:
    found = _words(text, _STATES)
    if found is None:
        return None
    if "NONE" in found:
        found = {"NONE"}
    written = ",".join(word for word in _STATES if word in found)
    return written, written


def _tcpFlags(text: str) -> tuple[str, str] | None:
    """Read which flags are looked at, and which of them must be set."""
    halves = text.split("/")
    if len(halves) != 2:
        return None
    written = []
    for half in halves:
        found = _words(half, (*_FLAGS, "ALL", "NONE"))
        if found is None:
            return None
        names = [name for name in _FLAGS if name in found]
        everything = "ALL" in found or len(names) == len(_FLAGS)
        written.append("ALL" if everything else ",".join(names) or "NONE")
    return "/".join(written), "/".join(written)


_SET_NAME = re.compile(r"[A-Za-z0-9_.:+ -]{0,31}").fullmatch
_SET_FLAGS = re.compile("(?:src|dst)(?:,(?:src|dst)){0,5}", re.IGNORECASE).fullmatch


def _setName(text: str) -> tuple[str, str] | None:
    return (text, text) if _SET_NAME(text) else None


def _setFlags(text: str) -> tuple[str, str] | None:
    return (text.lower(), text.lower()) if _SET_FLAGS(text) else None


def _comment(text: str) -> tuple[str, str]:
    """No more of it is kept than iptables takes: 256 bytes, of whole characters."""
    kept = text.encode("utf-8", "surrogateescape")[:256].decode("utf-8", "ignore")
    return kept, kept


_UINT8, _UINT16, _UINT32 = _uint(0xFF), _uint(0xFFFF), _uint(0xFFFFFFFF)
_DSCP = _uint(63)
_IPV4_MASK, _IPV6_MASK = _mask(32, _ipv4), _mask(128, _ipv6)
_ETHER = {"arp": 0x806, "rarp": 0x8035, "ipv4": 0x800, "ipv6": 0x86DD, "vlan": 0x8100}
_IP_PROTOCOL = _named(
    {
        "tcp": 6,
        "udp": 17,
        "udplite": 136,
        "esp": 50,
        "ah": 51,
        "icmp": 1,
        "igmp": 2,
        "sctp": 132,
        "icmpv6": 58,
    },
    0xFF,
)
_OPCODE = _named(
    {
        "Request": 1,
        "Reply": 2,
        "Request_Reverse": 3,
        "Reply_Reverse": 4,
        "DRARP_Request": 5,
        "DRARP_Reply": 6,
        "DRARP_Error": 7,
        "InARP_Request": 8,
        "ARP_NAK": 9,
    },
    0xFFFF,
    decimal=True,
)

_Table = dict[str, _Reader]


def _all(names: str, read: _Reader) -> _Table:
    return dict.fromkeys(names.split(), read)


_SOURCE: _Table = {"srcmacaddr": _mac, "srcmacmask": _macMask}
_MACS: _Table = _SOURCE | {"dstmacaddr": _mac, "dstmacmask": _macMask}
_COMMENT: _Table = {"comment": _comment}
_PORTS = _all("srcportstart srcportend dstportstart dstportend", _UINT16)


def _addresses(read: _Reader, mask: _Reader) -> _Table:
    return {"srcipaddr": read, "srcipmask": mask, "dstipaddr": read, "dstipmask": mask}


def _layer3(read: _Reader, mask: _Reader, extra: _Table) -> _Table:
    """Return what all protocols over IP have; the end of a range of senders is never one of IPv6."""
    return (
        {"srcmacaddr": _mac}
        | _addresses(read, mask)
        | {"srcipfrom": read, "srcipto": read, "dstipfrom": read, "dstipto": _ipv4}
        | {"dscp": _DSCP, "connlimit-above": _uint(0xFFFF, hexadecimal=False)}
        | {"state": _state, "ipset": _setName, "ipsetflags": _setFlags}
        | extra
        | _COMMENT
    )


def _stp() -> _Table:
    table = _SOURCE | _all("type flags", _UINT8)
    for bridge in ("root", "sender"):
        table |= _all(f"{bridge}-priority {bridge}-priority-hi", _UINT16)
        table |= {f"{bridge}-address": _mac, f"{bridge}-address-mask": _macMask}
        if bridge == "root":
            table |= _all("root-cost root-cost-hi", _UINT32)
    for what in ("port", "age", "max-age", "hello-time", "forward-delay"):
        table |= _all(f"{what} {what}-hi", _UINT16)
    return table | _COMMENT


def _arp() -> _Table:
    return (
        _MACS
        | {"hwtype": _UINT16, "protocoltype": _UINT16, "opcode": _OPCODE}
        | _all("arpsrcmacaddr arpdstmacaddr", _mac)
        | _all("arpsrcipaddr arpdstipaddr", _ipv4)
        | {"gratuitous": _boolean}
        | _COMMENT
    )


_INSIDE: dict[str, _Table] = {
    "tcp": _PORTS | {"flags": _tcpFlags},
    "udp": _PORTS,
    "udplite": {},
    "esp": {},
    "ah": {},
    "sctp": _PORTS,
    "icmp": _all("type code", _UINT8),
    "igmp": {},
    "all": {},
}

#: What each protocol can be matched by.
PROTOCOLS: dict[str, _Table] = {
    "mac": _MACS | {"protocolid": _named(_ETHER, 0xFFFF, least=0x600)} | _COMMENT,
    "vlan": _MACS
    | {"vlanid": _uint(4095), "encap-protocol": _named(_ETHER, 0xFFFF, least=0x3C)}
    | _COMMENT,
    "stp": _stp(),
    "arp": _arp(),
    "rarp": _arp(),
    "ip": _MACS
    | _addresses(_ipv4, _IPV4_MASK)
    | {"protocol": _IP_PROTOCOL}
    | _PORTS
    | {"dscp": _DSCP}
    | _COMMENT,
    "ipv6": _MACS
    | _addresses(_ipv6, _IPV6_MASK)
    | {"protocol": _IP_PROTOCOL}
    | _PORTS
    | _all("type typeend code codeend", _UINT8)
    | _COMMENT,
    **{name: _layer3(_ipv4, _IPV4_MASK, extra) for name, extra in _INSIDE.items()},
    "icmpv6": _layer3(_ipv6, _IPV6_MASK, _INSIDE["icmp"]),
    **{
        f"{name}-ipv6": _layer3(_ipv6, _IPV6_MASK, _INSIDE[name] if name != "tcp" else _PORTS)
        for name in ("tcp", "udp", "udplite", "esp", "ah", "sctp", "all")
    },
}

#: Protocols that have ports, as their numbers.
_WITH_PORTS = (6, 17, 33, 132)


def _variable(text: str) -> Variable | None:
    found = _VARIABLE(text)
    if found is None:
        return None
    name, at, digits = found.groups()
    if digits is None:
        return Variable(name)
    index = number(digits, bits=34, signed=True)
    if index is None or not -(1 << 32) < index < 1 << 32:
        return None
    index %= 1 << 32
    if not at:
        return Variable(name, index=index)
    return Variable(name, iterator=index) if index <= _MAX_ITERATOR else None


def _match(name: str, text: str, negated: bool, read: _Reader) -> Match:
    """
    Read what one thing must be.

    @raise VirtError: it cannot be that.
    """
    if text.startswith("$"):
        variable = _variable(text)
        if variable is not None:
            return Match(name, variable, str(variable), negated)
        found = None
    else:
        found = read(text)
    if found is None:
        raise internal(f"{name} has illegal value {text}")
    return Match(name, *found, negated)


def _matches(node: Node, table: _Table) -> dict[str, Match]:
    negated = node.get("match") == "no"
    found: dict[str, Match] = {}
    mistake: VirtError | None = None
    for name, read in table.items():
        text = node.get(name)
        if text is not None:
            try:
                found[name] = _match(name, text, negated, read)
            except VirtError as error:
                mistake = error
    if mistake is not None:
        raise mistake
    return found


def _followed(protocol: str) -> dict[str, str]:
    """Return which of a protocol's attributes are negated where another is, as libvirt has it."""
    names = PROTOCOLS[protocol]
    found = {name: name.removesuffix("-hi") for name in names if name.endswith("-hi")}
    found |= {name: name.removesuffix("-mask") for name in names if name.endswith("-mask")}
    ends = ["srcipmask:srcipaddr", "dstipmask:dstipaddr", "srcipto:srcipfrom", "dstipto:dstipfrom"]
    ends += [f"{end}:srcportstart" for end in ("srcportend", "dstportstart", "dstportend")]
    ends += ["typeend:type", "code:type", "codeend:type"]
    if protocol in ("mac", "vlan", "stp"):
        ends += ["srcmacmask:srcmacaddr", "dstmacmask:dstmacaddr"]
    found |= {end: start for end, start in (pair.split(":") for pair in ends) if end in names}
    return found


_FOLLOWED = {protocol: _followed(protocol) for protocol in PROTOCOLS}


def _settled(protocol: str, found: dict[str, Match]) -> dict[str, Match]:
    """Complain of ports where there are none, make flags of sets up, and negate pairs together."""
    if protocol in ("ip", "ipv6") and not found.keys().isdisjoint(_PORTS):
        number = found["protocol"].value if "protocol" in found else None
        if number not in _WITH_PORTS:
            raise internal(
                f"{'IP' if protocol == 'ip' else 'IPv6'} rule with port specification requires "
                "protocol specification with protocol to be either one of tcp(6), udp(17), "
                "dccp(33), or sctp(132)"
            )
    if "ipset" in PROTOCOLS[protocol] and not protocol.startswith("all"):
        # As libvirt has it: flags of a set are made up, and a set that comes with flags is dropped.
        if "ipset" in found and "ipsetflags" not in found:
            found["ipsetflags"] = Match("ipsetflags", "src", "src")
        else:
            found.pop("ipset", None)
            found.pop("ipsetflags", None)
    for name, start in _FOLLOWED[protocol].items():
        if name in found:
            negated = start in found and found[start].negated
            if negated != found[name].negated:
                found[name] = attrs.evolve(found[name], negated=negated)
    return found


_ACTIONS = ("drop", "accept", "reject", "return", "continue")
_DIRECTIONS = ("in", "out", "inout")


def readRule(node: Node) -> FilterRule:
    """
    Read a rule.

    @raise VirtError: as libvirt says it.
    """
    words = []
    for name in ("action", "direction"):
        text = node.get(name)
        if text is None:
            raise internal(f"rule node requires {name} attribute")
        if text not in (_ACTIONS if name == "action" else _DIRECTIONS):
            raise virtError(
                ErrorCode.CONFIG_UNSUPPORTED, f"unknown rule {name} attribute value", _DOMAIN
            )
        words.append(text)
    priority = number(node.get("priority") or "", signed=True)
    protocol: str | None = None
    found: dict[str, Match] = {}
    for child in node:
        # The first protocol that is known counts, with all elements of its name.
        if child.tag in PROTOCOLS and protocol in (None, child.tag):
            protocol = str(child.tag)
            found |= _matches(child, PROTOCOLS[protocol])
    if protocol is not None:
        found = _settled(protocol, found)
    order = PROTOCOLS[protocol] if protocol is not None else ()
    return FilterRule(
        action=words[0],
        direction=words[1],
        priority=priority if priority is not None and -1000 <= priority <= 1000 else 500,
        stateful=(node.get("statematch") or "").lower() not in ("0", "false"),
        protocol=protocol,
        matches=tuple(found[name] for name in order if name in found),
    )


def writeRule(rule: FilterRule, out: list[str], indent: str) -> None:
    """Write a rule in libvirt's canonical form."""
    head = (
        f"{indent}<rule action='{rule.action}' direction='{rule.direction}' "
        f"priority='{rule.priority}'{'' if rule.stateful else ' statematch=' + chr(39) + 'false' + chr(39)}"
    )
    if rule.protocol is None:
        out.append(f"{head}/>\n")
        return
    out.append(f"{head}>\n")
    if not rule.matches:
        out.append(f"{indent}  <{rule.protocol}/>\n")
    for negated, group in itertools.groupby(rule.matches, key=lambda match: match.negated):
        inside = "".join(f" {match.name}='{escape(match.text)}'" for match in group)
        no = " match='no'" if negated else ""
        out.append(f"{indent}  <{rule.protocol}{no}{inside}/>\n")
    out.append(f"{indent}</rule>\n")
