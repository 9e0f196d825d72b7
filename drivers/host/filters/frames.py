"""
Rules about frames, as C{ebtables} is told them.
"""

from __future__ import annotations

from collections.abc import Iterator

from pyvirt.drivers.host.filters.instances import Instance, internal

__all__ = ["CHAIN_PROTOCOLS", "FRAMES", "frameRules"]

#: Protocols whose rules are about frames.
FRAMES = (None, "mac", "vlan", "stp", "arp", "rarp", "ip", "ipv6")

#: What packets go into a chain whose name begins so.
CHAIN_PROTOCOLS = {
    "ipv4": ("-p", "0x0800"),
    "ipv6": ("-p", "0x86dd"),
    "arp": ("-p", "0x0806"),
    "rarp": ("-p", "0x8035"),
    "vlan": ("-p", "0x8100"),
    "stp": ("-d", "01:80:c2:00:00:00"),
}

_TARGETS = {
    "drop": "DROP",
    "reject": "DROP",
    "accept": "ACCEPT",
    "return": "RETURN",
    "continue": "CONTINUE",
}


class _Words:
    """Collects the words of one rule."""

    def __init__(self, instance: Instance, swapped: bool) -> None:
        self.words: list[str] = []
        self.values = instance.values
        self.negated = {match.name for match in instance.rule.matches if match.negated}
        self.swapped = swapped

    def say(self, option: str, name: str, text: str | None = None) -> None:
        """Tell one thing, if it is looked for."""
        value = self.values.get(name)
        if value is None:
            return
        no = ("!",) if name in self.negated else ()
        self.words += (option, *no, str(value) if text is None else text)

    def both(self, option: str, what: str, pattern: str, mask: str | None = None) -> None:
        """Tell about sender and receiver, which change places in the other direction."""
        for end, other in (("src", "dst"), ("dst", "src")):
            seen = other if self.swapped else end
            name = what.format(end)
            value = self.values.get(name)
            if value is None:
                continue
            text = str(value)
            width = None if mask is None else self.values.get(mask.format(end))
            if width is not None:
                text += f"/{width}"
            self.say(
                option.format({"src": "source", "dst": "destination"}[seen], seen),
                name,
                pattern.format(text),
            )

    def macs(self) -> None:
        """Tell the hardware addresses of a frame."""
        for end, option in (("src", "-s"), ("dst", "-d")):
            if self.swapped:
                option = "-d" if option == "-s" else "-s"
            value = self.values.get(f"{end}macaddr")
            mask = self.values.get(f"{end}macmask")
            self.say(option, f"{end}macaddr", f"{value}/{mask}" if mask is not None else None)

    def span(self, option: str, name: str, end: str) -> None:
        """Tell a number or the two ends of a range."""
        last = self.values.get(end)
        self.say(option, name, None if last is None else f"{self.values.get(name)}:{last}")

    def ports(self, option: str) -> None:
        """Tell the ports of both sides."""
        for end, other in (("src", "dst"), ("dst", "src")):
            seen = other if self.swapped else end
            word = {"src": "source", "dst": "destination"}[seen]
            self.span(option.format(word), f"{end}portstart", f"{end}portend")


def _mac(words: _Words) -> None:
    words.macs()
    value = words.values.get("protocolid")
    if isinstance(value, int):
        words.say("-p", "protocolid", f"{value:#x}")


def _vlan(words: _Words) -> None:
    words.macs()
    words.words += ("-p", "0x8100")
    words.say("--vlan-id", "vlanid")
    words.say("--vlan-encap", "encap-protocol")


_STP = (
    ("--stp-type", "type"),
    ("--stp-flags", "flags"),
    ("--stp-root-pri", "root-priority"),
    ("--stp-root-addr", "root-address"),
    ("--stp-root-cost", "root-cost"),
    ("--stp-sender-prio", "sender-priority"),
    ("--stp-sender-addr", "sender-address"),
    ("--stp-port", "port"),
    ("--stp-msg-age", "age"),
    ("--stp-max-age", "max-age"),
    ("--stp-hello-time", "hello-time"),
    ("--stp-forward-delay", "forward-delay"),
)


def _stp(words: _Words) -> None:
    words.macs()
    words.words += CHAIN_PROTOCOLS["stp"]
    for option, name in _STP:
        mask = words.values.get(f"{name}-mask")
        if name.endswith("address"):
            words.say(option, name, None if mask is None else f"{words.values.get(name)}/{mask}")
        else:
            words.span(option, name, f"{name}-hi")


def _arp(words: _Words, number: str) -> None:
    words.macs()
    words.words += ("-p", number)
    words.say("--arp-htype", "hwtype")
    words.say("--arp-opcode", "opcode")
    value = words.values.get("protocoltype")
    words.say("--arp-ptype", "protocoltype", f"{value:#x}" if isinstance(value, int) else None)
    words.both("--arp-ip-{1}", "arp{}ipaddr", "{}/32")
    words.both("--arp-mac-{1}", "arp{}macaddr", "{}")
    if words.values.get("gratuitous") is True:
        words.words += ("!",) if "gratuitous" in words.negated else ()
        words.words.append("--arp-gratuitous")


def _ip(words: _Words) -> None:
    words.macs()
    words.words += ("-p", "ipv4")
    words.both("--ip-{0}", "{}ipaddr", "{}", "{}ipmask")
    words.say("--ip-protocol", "protocol")
    words.ports("--ip-{}-port")
    value = words.values.get("dscp")
    words.say("--ip-tos", "dscp", f"{value:#x}" if isinstance(value, int) else None)


def _ipv6(words: _Words) -> None:
    words.macs()
    words.words += ("-p", "ipv6")
    words.both("--ip6-{0}", "{}ipaddr", "{}", "{}ipmask")
    words.say("--ip6-protocol", "protocol")
    words.ports("--ip6-{}-port")
    spans = []
    for name in ("type", "code"):
        first = words.values.get(name)
        last = words.values.get(f"{name}end", first)
        spans.append(f"{0 if first is None else first}:{255 if last is None else last}")
    if "type" in words.values or "code" in words.values:
        named = "type" if "type" in words.values else "code"
        words.say("--ip6-icmp-type", named, "/".join(spans))


def frameRules(instance: Instance) -> Iterator[tuple[str, tuple[str, ...]]]:
    """
    Iterate over what a rule becomes.

    @return: C{I} for what comes from the guest or C{O} for what goes to it, and the words.
    @raise VirtError: the rule makes no sense in that direction.
    """
    rule = instance.rule
    ways = {"in": (("O", False),), "out": (("I", False),), "inout": (("I", True), ("O", False))}
    for way, swapped in ways[rule.direction]:
        words = _Words(instance, swapped)
        protocol = rule.protocol
        if protocol == "mac":
            _mac(words)
        elif protocol == "vlan":
            _vlan(words)
        elif protocol == "stp":
            if swapped and "srcmacaddr" in instance.values:
                raise internal(
                    f"STP filtering in {rule.direction} direction with source MAC address set is "
                    "not supported"
                )
            _stp(words)
        elif protocol == "arp":
            _arp(words, "0x806")
        elif protocol == "rarp":
            _arp(words, "0x8035")
        elif protocol == "ip":
            _ip(words)
        elif protocol == "ipv6":
            _ipv6(words)
        yield way, (*words.words, "-j", _TARGETS[rule.action])
