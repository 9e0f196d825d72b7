"""
Having the kernel filter as a L{Plan} says: one run of C{ebtables-restore} and C{iptables-restore} each, all or nothing.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from pyvirt.drivers.host.filters.plan import PACKET_CHAINS, Line, Plan, isOf, rootOf
from pyvirt.drivers.host.running import found, run
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError
from pyvirt.process import Finished

if TYPE_CHECKING:
    from pyvirt.drivers.host.host import Host

__all__ = ["enforce", "forget"]

#: How often a change is tried.
_TRIES = 3
_HOOKS = (("PREROUTING", "-i", "I"), ("POSTROUTING", "-o", "O"))
#: Chains that those of all devices are reached from, and where they are reached from.
_BASE = (
    ("FORWARD", "libvirt-in"),
    ("FORWARD", "libvirt-out"),
    ("FORWARD", "libvirt-in-post"),
    ("INPUT", "libvirt-host-in"),
)


def _word(text: str) -> str:
    """Quote a word as the programs read them; no word may begin a line of its own."""
    text = "".join(" " if ord(each) < 32 else each for each in text)
    if text and not set(text) & set(" \t\"'\\#"):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _line(words: tuple[str, ...]) -> str:
    return " ".join(map(_word, words))


def _program(version: int, what: str = "") -> str:
    name = {0: "ebtables", 4: "iptables", 6: "ip6tables"}[version] + what
    return found(f"/usr/sbin/{name}", f"/sbin/{name}")


async def _saved(host: Host, version: int, table: str) -> tuple[list[str], list[str]]:
    """Return the chains of a table, and its rules."""
    said = await run(host, _program(version, "-save"))
    chains, rules, current = [], [], ""
    for line in said.output.decode(errors="replace").splitlines():
        if line.startswith("*"):
            current = line[1:].strip()
        elif current == table and line.startswith(":"):
            chains.append(line[1:].split()[0])
        elif current == table and line.startswith("-A"):
            rules.append(line)
    return chains, rules


async def _restore(host: Host, version: int, table: str, lines: list[str]) -> Finished | None:
    """
    Change a table.

    @return: None, or how it failed; nothing is changed then.
    """
    if not lines:
        return None
    text = "".join(f"{line}\n" for line in [f"*{table}", *lines, "COMMIT"])
    options = ("--noflush",) if version == 0 else ("--noflush", "--wait")
    program = _program(version, "-restore")
    # The kernel refuses what was begun while somebody else changed other rules.
    for _ in range(_TRIES):
        said = await run(host, program, *options, input=text.encode(), failing=False)
        if not said.status:
            return None
    return said


# Frames


async def _enforceFrames(host: Host, plan: Plan) -> Finished | None:
    chains, rules = await _saved(host, 0, "nat")
    old = [each for each in chains if isOf(each, plan.device)]
    if not old and not plan.chains:
        return None
    lines = []
    for rule in rules:
        words = rule.split()
        if words[1] in ("PREROUTING", "POSTROUTING") and words[-1] in old:
            lines.append(f"-D {rule[3:]}")
    lines += [f"-F {each}" for each in old]
    lines += [f":{each} ACCEPT" for each in plan.chains if each not in old]
    lines += [f"-A {chain} {_line(words)}" for chain, words in plan.frames]
    for hook, option, way in _HOOKS:
        root = rootOf(way, plan.device)
        if root in plan.chains:
            lines.append(f"-A {hook} {option} {plan.device} -j {root}")
    lines += [f"-X {each}" for each in old if each not in plan.chains]
    return await _restore(host, 0, "nat", lines)


# Packets


def _links(device: str) -> list[Line]:
    return [
        (
            "libvirt-out",
            (
                "-m",
                "physdev",
                "--physdev-out",
                device,
                "--physdev-is-bridged",
                "-g",
                f"FO-{device}",
            ),
        ),
        ("libvirt-in", ("-m", "physdev", "--physdev-in", device, "-g", f"FI-{device}")),
        ("libvirt-host-in", ("-m", "physdev", "--physdev-in", device, "-g", f"HI-{device}")),
        ("libvirt-in-post", ("-m", "physdev", "--physdev-in", device, "-j", "ACCEPT")),
    ]


def _base(chains: list[str], rules: list[str]) -> list[str]:
    """Return what makes the chains for all devices, and has packets go through them first."""
    lines = [f":{chain} - [0:0]" for _, chain in _BASE if chain not in chains]
    for origin in ("FORWARD", "INPUT"):
        wanted = [f"-A {origin} -j {chain}" for where, chain in _BASE if where == origin]
        there = [rule for rule in rules if rule.startswith(f"-A {origin} ")]
        if there[: len(wanted)] != wanted:
            lines += [f"-D {rule[3:]}" for rule in there if rule in wanted]
            lines += [f"-I {rule[3:]}" for rule in reversed(wanted)]
    return lines


async def _enforcePackets(host: Host, plan: Plan, version: int) -> Finished | None:
    wanted = plan.packets.get(version)
    chains, rules = await _saved(host, version, "filter")
    own = [f"{each}-{plan.device}" for each in PACKET_CHAINS]
    old = [each for each in own if each in chains]
    links = [f"-A {chain} {_line(words)}" for chain, words in _links(plan.device)]
    if wanted is None:
        if not old:
            return None
        lines = [f"-D {each[3:]}" for each in links if each in rules]
        lines += [f"-F {each}" for each in old] + [f"-X {each}" for each in old]
        return await _restore(host, version, "filter", lines)
    lines = _base(chains, rules)
    # Chains that are named are emptied.
    lines += [f":{each} - [0:0]" for each in own]
    lines += [f"-A {chain} {_line(words)}" for chain, words in wanted]
    lines += [each for each in links if each not in rules]
    return await _restore(host, version, "filter", lines)


# Both


async def enforce(host: Host, plan: Plan, before: Plan | None = None) -> None:
    """
    Have the kernel filter as a plan says, whatever it did for the device.

    @param before: what it did, which it does again if it cannot do the other.
    @raise VirtError: it cannot.
    """
    for version in (0, 4, 6):
        if version == 0:
            finished = await _enforceFrames(host, plan)
        else:
            finished = await _enforcePackets(host, plan, version)
        if finished is not None:
            error = await _explained(host, plan, version, finished)
            old = before or Plan(plan.device)
            await _enforceFrames(host, old)
            for each in (4, 6):
                await _enforcePackets(host, old, each)
            raise error


async def forget(host: Host, device: str) -> None:
    """
    Have the kernel filter nothing for a device.

    @raise VirtError: it does not let go of something.
    """
    await enforce(host, Plan(device))


# Which of them it was

_TEMPORARY = {"I": "J", "O": "P", "FI": "FJ", "FO": "FP", "HI": "HJ"}


def _temporary(chain: str) -> str:
    """Return the name that libvirt gives a chain until all is there."""
    head, _, rest = chain.partition("-")
    if head == "libvirt":
        way, _, device = rest.partition("-")
        return f"libvirt-{_TEMPORARY[way]}-{device}"
    return f"{_TEMPORARY[head]}-{rest}"


async def _explained(host: Host, plan: Plan, version: int, finished: Finished) -> VirtError:
    """Find the rule that the kernel does not take by giving it one after the other, in chains that nothing reaches."""
    program = _program(version)
    options = ("--concurrent", "-t", "nat") if version == 0 else ("-w",)
    lines = plan.frames if version == 0 else plan.packets.get(version, ())
    chains = plan.chains if version == 0 else [f"{each}-{plan.device}" for each in PACKET_CHAINS]
    made = [_temporary(each) for each in chains]
    renamed = dict(zip(chains, made, strict=True))
    for each in made:
        await run(host, program, *options, "-N", each, failing=False)
    argv: tuple[str, ...] = (program, *options)
    try:
        for chain, words in lines:
            # Jumps to chains of the device go to the others.
            changed = tuple(renamed.get(word, word) for word in words)
            tried = (program, *options, "-A", renamed[chain], *changed)
            said = await run(host, *tried, failing=False)
            if said.status:
                argv, finished = tried, said
                break
    finally:
        for what in ("-F", "-X"):
            for name in made:
                await run(host, program, *options, what, name, failing=False)
    detail = finished.errors.decode(errors="replace")
    shown = " ".join(map(_quoted, argv))
    return virtError(
        ErrorCode.INTERNAL_ERROR,
        f"Failed to apply firewall rules {shown}: {detail}",
        ErrorDomain.NONE,
    )


def _quoted(word: str) -> str:
    return f"'{word}'" if word == "!" else shlex.quote(word)
