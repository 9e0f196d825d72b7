"""
Files that other hosts see, too.
"""

from __future__ import annotations

import os

__all__ = ["isShared"]

#: Kinds of file systems that other hosts see as this one does.
_SHARED = frozenset(
    (
        "nfs",
        "nfs4",
        "gfs",
        "gfs2",
        "ocfs2",
        "afs",
        "cifs",
        "smb3",
        "ceph",
        "gpfs",
        "acfs",
        "lustre",
        "fuse.glusterfs",
        "fuse.quobyte",
    )
)


def isShared(path: str, mounts: str = "/proc/self/mountinfo") -> bool:
    """
    Say whether a file lies in a file system that other hosts see too.

    @param mounts: a table as C{/proc/self/mountinfo} is.
    """
    real = os.path.realpath(path)
    best, kind = -1, ""
    try:
        with open(mounts, errors="surrogateescape") as file:
            for line in file:
                fields = line.split()
                place = _unescaped(fields[4])
                prefix = place if place.endswith("/") else place + "/"
                if (real.startswith(prefix) or real == place) and len(place) >= best:
                    best, kind = len(place), fields[fields.index("-") + 1]
    except (OSError, IndexError, ValueError):
        return False
    return kind in _SHARED


def _unescaped(text: str) -> str:
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, character)
    return text
