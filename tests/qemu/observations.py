"""
Observations of libvirtd 9.0.0's QEMU driver with QEMU 7.2 on PCs: how it completes documents, and with which
arguments it would start them.

Texts and arguments are kept as differences from those of the plainest guest.
"""

from __future__ import annotations

import difflib
import json
import pathlib
import re
from typing import Any, NamedTuple

from pyvirt.drivers.qemu.capabilities import BinaryCapabilities
from pyvirt.drivers.qemu.command.values import HostSettings

HERE = pathlib.Path(__file__).parent

Difference = list[list[Any]]


def difference(base: list[str], other: list[str]) -> Difference:
    """Return what to replace in one list to get the other: C{[from, to, lines]} each."""
    matcher = difflib.SequenceMatcher(None, base, other, autojunk=False)
    return [
        [start, end, other[first:last]]
        for tag, start, end, first, last in matcher.get_opcodes()
        if tag != "equal"
    ]


def applied(base: list[str], changes: Difference) -> list[str]:
    """Return the other list."""
    found = list(base)
    for start, end, lines in reversed(changes):
        found[start:end] = lines
    return found


class Case(NamedTuple):
    """
    One document and what libvirtd said.

    @ivar defined: what it made of it, or None.
    @ivar error: C{[code, domain, message]} where it refused.
    @ivar argv: the arguments, the program first, or None.
    """

    name: str
    xml: str
    defined: str | None
    error: list[Any] | None
    argv: list[str] | None
    environment: dict[str, str]
    argvError: list[Any] | None


def cases() -> list[Case]:
    """Return all of them."""
    loaded = json.loads((HERE / "observed.json").read_text("utf-8"))
    xml, defined, argv = loaded["base"]
    found = []
    for name, each in loaded["cases"].items():
        found.append(
            Case(
                name,
                "\n".join(applied(xml, each["xml"])),
                "\n".join(applied(defined, each["defined"])) if "defined" in each else None,
                each.get("error"),
                applied(argv, each["argv"]) if "argv" in each else None,
                each.get("environment", {}),
                each.get("argvError"),
            )
        )
    return found


def capabilities() -> BinaryCapabilities:
    """Return what the binary of the observations can do."""
    return BinaryCapabilities.fromJSON(json.loads((HERE / "capabilities.json").read_text("utf-8")))


def settings(name: str) -> HostSettings:
    """Return the settings under which arguments were observed."""
    base, short = "/var/lib/libvirt/qemu", f"-1-{name[:20]}"
    return HostSettings(
        guestFolder=f"{base}/domain-{short}",
        channelFolder=f"{base}/channel/target/domain-{short}",
        shown=True,
    )


_MASKS = (
    (re.compile(r'"fd":"[^"]*"'), '"fd":"N"'),
    (re.compile(r'"data":"[^"]*"'), '"data":"DATA"'),
    (re.compile(r'"iv":"[^"]*"'), '"iv":"IV"'),
    (re.compile(r"base=20\d\d-[^,]*"), "base=TIME"),
)


def masked(argv: list[str] | tuple[str, ...]) -> list[str]:
    """Replace what differs each time: descriptors, encrypted secrets, the time."""
    found = []
    for word in argv:
        for pattern, text in _MASKS:
            word = pattern.sub(text, word)
        found.append(word)
    return found
