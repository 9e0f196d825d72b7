"""
What C{<qemu:capabilities>} makes of a command line: the names are libvirt's, and without some of the abilities
arguments have the older forms that were in use before QEMU read JSON.
"""

from __future__ import annotations

import json
from typing import Any

from pyvirt.definitions.units import formatSet
from pyvirt.drivers.qemu.command.arguments import escaped
from pyvirt.drivers.qemu.refusals import internal

__all__ = ["checkCapabilities", "withoutCapabilities"]

#: Options whose arguments are JSON as long as QEMU can do that.
_FORMS = {
    "-device": "device.json+hotplug",
    "-netdev": "netdev.json",
    "-object": "object.qapified",
}


def checkCapabilities(extra: Any) -> None:
    """
    Look whether there are such abilities.

    @raise VirtError: INTERNAL_ERROR.
    """
    if not extra.added and not extra.removed:
        return
    from pyvirt.drivers.qemu.capabilitynames import CAPABILITY_NAMES

    for name in (*extra.added, *extra.removed):
        if name not in CAPABILITY_NAMES:
            raise internal(f"invalid qemu namespace capability '{name}'")


def withoutCapabilities(argv: list[str], removed: frozenset[str]) -> list[str]:
    """Return arguments as they are for a QEMU that lacks some abilities."""
    done: list[str] = []
    position = 0
    while position < len(argv):
        word = argv[position]
        if word == "-sandbox" and "seccomp-sandbox" in removed:
            position += 2
            continue
        done.append(word)
        position += 1
        if _FORMS.get(word) in removed and argv[position].startswith("{"):
            done.append(_plain(json.loads(argv[position], strict=False)))
            position += 1
    return done


def _plain(values: dict[str, Any]) -> str:
    """Return properties as names and values between commas; the first is what the thing is."""
    (_, kind), *rest = values.items()
    parts = [str(kind)]
    for name, value in rest:
        if isinstance(value, bool):
            parts.append(f"{name}={'on' if value else 'off'}")
        elif isinstance(value, list):
            spans = formatSet(frozenset(value)).split(",")
            parts += [f"{name}={span}" for span in spans]
        else:
            parts.append(f"{name}={escaped(str(value))}")
    return ",".join(parts)
