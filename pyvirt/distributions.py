"""
Whether anybody extends us: the entry points of installed distributions, looked for without loading what reads them.

C{importlib.metadata} is half a megabyte of a daemon, and most have no driver that is not ours.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable

__all__ = ["mayOffer"]

_OWN = "pyvirt-"
_LARGEST = 1 << 20
"""Bytes of a file of entry points that are looked at; who has more is taken to offer something."""


def mayOffer(group: str, path: Iterable[str] | None = None) -> bool:
    """
    Say whether a distribution besides our own may offer entry points of a group.

    It may as well where there is something that only C{importlib.metadata} knows how to look into, as an archive.

    @param path: the folders that are looked through; None: those that modules are imported from.
    """
    for folder in sys.path if path is None else path:
        try:
            names = os.listdir(folder or ".")
        except NotADirectoryError:
            return True
        except OSError:
            continue
        for name in names:
            # In the folder of an egg it has no name before that.
            if not name.lower().endswith((".dist-info", "egg-info")) or name.startswith(_OWN):
                continue
            try:
                with open(os.path.join(folder, name, "entry_points.txt"), "rb") as file:
                    text = file.read(_LARGEST)
            except OSError:
                continue
            if len(text) == _LARGEST or group.encode() in text:
                return True
    return False
