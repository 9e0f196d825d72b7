"""
Programs that serve devices of guests (vhost-user), as the host describes them in files.
"""

from __future__ import annotations

import glob
import json
import os
from collections.abc import Iterator

__all__ = ["vhostUserPrograms"]

#: Where such programs are described; a later folder hides files of the same name in an earlier one.
_FOLDERS = ("/usr/share/qemu/vhost-user", "/etc/qemu/vhost-user")


def vhostUserPrograms(kind: str, folders: tuple[str, ...] = _FOLDERS) -> Iterator[str]:
    """
    Iterate over the programs that serve devices of a kind, those first that the host prefers.

    @param kind: C{fs} or C{gpu}.
    """
    names: dict[str, str] = {}
    for folder in folders:
        for path in glob.glob(os.path.join(glob.escape(folder), "*.json")):
            names[os.path.basename(path)] = path
    for name in sorted(names):
        try:
            with open(names[name], encoding="utf-8") as file:
                value = json.load(file)
            if value["type"] == kind:
                yield str(value["binary"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
