"""
Rules about packets, as C{iptables} and C{ip6tables} are told them.

A device has three chains: what its guest sends to others (C{FI}), what it gets from others (C{FO}), and what it sends
to the host (C{HI}).
"""

from __future__ import annotations

from collections.abc import Iterator

from pyvirt.drivers.host.filters.instances import Instance

__all__ = ["packetRules", "versionOf"]

_TARGETS = {
    "drop": "DROP",
    "accept": "ACCEPT",
    "reject": "REJECT",
    "return": "RETURN",
    "continue": "CONTINUE",
}
#: The chains, each with whether it sees what the guest sends.
_CHAINS = (("FI", True), ("FO", False), ("HI", True))
_FIRST, _LATER = "NEW,ESTABLISHED", "ESTABLISHED"


def versionOf(instance: Instance) -> int:
    """Return which packets a rule is about: 4 or 6."""
    protocol = instance.rule.protocol or ""
    return 6 if protocol.endswith("v6") else 4


class _Words:
    def __init__(self, instance: Instance) -> None:
        self.words: list[str] = []
        self.values = instance.values
        self.negated = {match.name for match in instance.rule.matches if match.negated}

    def say(self, option: str, name: str, text: str, module: str = "") -> None:
        """Tell one thing."""
        if module:
            self.words += ("-m", module)
        if name in self.negated:
            self.words.append("!")
        self.words += (option, text)


def _addresses(words: _Words, swapped: bool) -> None:
    values = words.values
    for end, other in (("src", "dst"), ("dst", "src")):
        seen = other if swapped else end
        word = "--source" if seen == "src" else "--destination"
        address, mask = values.get(f"{end}ipaddr"), values.get(f"{end}ipmask")
        if address is not None:
            width = "" if mask is None else f"/{mask}"
            words.say(word, f"{end}ipaddr", f"{address}{width}")
        elif f"{end}ipfrom" in values:
            last = values.get(f"{end}ipto")
            span = f"{values[f'{end}ipfrom']}" + (f"-{last}" if last is not None else "")
            words.say(f"--{seen}-range", f"{end}ipfrom", span, "iprange")


def _ports(words: _Words, swapped: bool) -> None:
    values = words.values
    for end, other in (("src", "dst"), ("dst", "src")):
        seen = other if swapped else end
        first, last = values.get(f"{end}portstart"), values.get(f"{end}portend")
        if first is not None:
            span = f"{first}" + (f":{last}" if last is not None else "")
            words.say(f"--{seen[0]}port", f"{end}portstart", span)


def _one(
    instance: Instance, swapped: bool, state: str, way: str, target: str
) -> tuple[str, ...] | None:
    """
    Write one rule.

    @param swapped: packets go the other way than the rule says.
    @param state: of the connection, empty: any.
    @param way: which of its packets are meant, empty: all.
    @return: None: packets of that way cannot be told.
    """
    rule, values = instance.rule, instance.values
    protocol = (rule.protocol or "all").removesuffix("-ipv6")
    words = _Words(instance)
    words.words += ("-p", protocol)
    if "srcmacaddr" in values and not swapped:
        words.say("--mac-source", "srcmacaddr", str(values["srcmacaddr"]), "mac")
    _addresses(words, swapped)
    if "dscp" in values:
        words.say("--dscp", "dscp", str(values["dscp"]), "dscp")
    limited = "connlimit-above" in values
    if limited and swapped:
        return None
    if "flags" in values:
        if "flags" in words.negated:
            words.words.append("!")
        mask, _, flags = str(values["flags"]).partition("/")
        words.words += ("--tcp-flags", mask, flags)
    _ports(words, swapped)
    typed = protocol in ("icmp", "icmpv6") and "type" in values
    if typed:
        if swapped or rule.direction == "inout":
            return None
        code = values.get("code")
        text = f"{values['type']}" + (f"/{code}" if code is not None else "")
        words.say(f"--{protocol}-type", "type", text)
    if state and not limited:
        words.words += ("-m", "conntrack", "--ctstate", state)
        if way and not typed:
            words.words += ("-m", "conntrack", "--ctdir", way)
    if limited:
        words.say(
            "--connlimit-above", "connlimit-above", str(values["connlimit-above"]), "connlimit"
        )
    if "ipset" in values:
        words.words += ("-m", "set")
        if "ipset" in words.negated:
            words.words.append("!")
        flags = str(values.get("ipsetflags", "src"))
        if swapped:
            flags = ",".join("dst" if each == "src" else "src" for each in flags.split(","))
        words.words += ("--match-set", str(values["ipset"]), flags)
    if "comment" in values:
        words.words += ("-m", "comment", "--comment", str(values["comment"]))
    return (*words.words, "-j", target)


def packetRules(instance: Instance) -> Iterator[tuple[str, tuple[str, ...]]]:
    """
    Iterate over what a rule becomes: the chain, and the words.

    A rule that lets packets of one way pass lets those pass that answer them, unless it says otherwise.
    """
    rule = instance.rule
    own = instance.values.get("state")
    for chain, sends in _CHAINS:
        swapped = sends if rule.direction in ("in", "inout") else not sends
        # What the guest may send is still looked at on its way to others.
        target = _TARGETS[rule.action]
        if rule.action == "accept" and sends:
            target = "RETURN"
        state = way = ""
        if own is not None:
            if swapped and rule.direction != "inout":
                continue
            state = "" if own == "NONE" else str(own)
        elif rule.action == "accept" and rule.stateful and rule.direction != "inout":
            state, way = (_LATER, "Reply") if swapped else (_FIRST, "Original")
        words = _one(instance, swapped, state, way, target)
        if words is not None:
            yield chain, words
