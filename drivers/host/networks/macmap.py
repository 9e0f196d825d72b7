"""
Which guest has which hardware addresses in a network, in C{BRIDGE.macs}.

Only others read it: libvirt's module for looking up names of guests, which finds their addresses by these.
"""

from __future__ import annotations

import json
import os

from twisted.logger import Logger

from pyvirt.drivers.filestore import writeWhole
from pyvirt.errors import VirtError

__all__ = ["noteGuest"]

log = Logger()

_MOST = 16 << 20


def _read(path: str) -> dict[str, list[str]]:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            entries = json.loads(file.read(_MOST))
        return {
            str(each["domain"]): [str(mac) for mac in each["macs"]]
            for each in entries
            if isinstance(each["macs"], list)
        }
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as problem:
        log.warn("{path} is written anew: {problem}", path=path, problem=problem)
        return {}


def noteGuest(folder: str, bridge: str, name: str, mac: str, here: bool) -> None:
    """
    Write down that a guest has an address, or has it no more; that it cannot be is logged.

    @param folder: the one of name servers.
    @param name: of the guest.
    @param here: whether it has it.
    """
    path = os.path.join(folder, f"{bridge}.macs")
    known = _read(path)
    macs = [each for each in known.get(name, ()) if each != mac]
    if here:
        macs.append(mac)
    known[name] = macs
    entries = [{"domain": each, "macs": macs} for each, macs in known.items() if macs]
    text = json.dumps(entries, indent=2, ensure_ascii=False) if entries else "[\n\n]"
    try:
        # In JSON there may be what is no text.
        writeWhole(path, f"{text}\n".encode(errors="replace"), 0o644)
    except (OSError, VirtError) as problem:
        log.warn("{path}: {problem}", path=path, problem=problem)
