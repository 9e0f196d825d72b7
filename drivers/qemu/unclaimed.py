"""
What a starting daemon has to do though nothing is defined: end what it knows nothing of, and remember that it was here.

Guests that were started in the moment before their daemon died: their processes are there, and nothing is written of
them.  Nobody was told that they run, and their CPUs never did; so they are ended.
"""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Collection

from twisted.logger import Logger

__all__ = ["endUnclaimed"]

log = Logger()


def endUnclaimed(folder: str, known: Collection[str]) -> None:
    """
    End what runs for a driver that does not know of it.

    @param folder: where the driver keeps the folders of its guests, which their command lines name.
    @param known: names of which something is written; whoever wrote it, their guests are left alone.
    """
    key = re.compile(
        rb'"file":"' + re.escape(os.fsencode(folder)) + rb"/domain-\d+-[^/]+/master-key\.aes\""
    )
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            # What another container runs has the same names and is none of ours.
            if os.readlink(f"/proc/{entry}/ns/mnt") != os.readlink("/proc/self/ns/mnt"):
                continue
            with open(f"/proc/{entry}/cmdline", "rb") as file:
                words = file.read().split(b"\0")
        except OSError:
            continue
        if not any(key.search(word) for word in words):
            continue
        found = next(
            (match for word in words if (match := re.match(rb"guest=((?:[^,]|,,)+)", word))), None
        )
        name = None if found is None else os.fsdecode(found[1].replace(b",,", b","))
        if name is None or name in known:
            continue
        log.warn("{name} was being started: ending it", name=name)
        try:
            os.kill(int(entry), signal.SIGKILL)
        except OSError as problem:
            log.warn("{name} cannot be ended: {problem}", name=name, problem=problem)
