"""
Reading what the system says in C{/sys} and what udev has noted down.

What is not there, or is nonsense, is None: devices come and go at any time.
"""

from __future__ import annotations

import os
import re

__all__ = ["linked", "number", "properties", "read", "safe"]


def read(*path: str) -> str | None:
    """Return what a file says, without blanks around it."""
    try:
        with open(os.path.join(*path), encoding="utf-8", errors="replace") as file:
            return file.read(4096).strip()
    except OSError:
        return None


def number(*path: str, base: int = 16) -> int | None:
    """Return the number that a file says."""
    try:
        return int(read(*path) or "", base)
    except ValueError:
        return None


def linked(*path: str) -> str | None:
    """Return the name of what a link leads to."""
    try:
        return os.path.basename(os.readlink(os.path.join(*path)))
    except OSError:
        return None


def safe(name: str) -> str:
    """Return a name as names of devices have it."""
    return re.sub(r"[^A-Za-z0-9]", "_", name)


def _identity(place: str, kernel: dict[str, str]) -> str:
    """Return what udev calls its file about a device."""
    if "MAJOR" in kernel and "MINOR" in kernel:
        kind = "b" if linked(place, "subsystem") == "block" else "c"
        return f"{kind}{kernel['MAJOR']}:{kernel['MINOR']}"
    if "IFINDEX" in kernel:
        return f"n{kernel['IFINDEX']}"
    return f"+{linked(place, 'subsystem')}:{os.path.basename(place)}"


def properties(place: str, udev: str) -> tuple[dict[str, str], tuple[str, ...]]:
    """
    Return what the kernel and udev say of a device, and the other names of its file, sorted.

    @param udev: where udev keeps what it knows.
    """
    found = {}
    for line in (read(place, "uevent") or "").splitlines():
        key, mark, value = line.partition("=")
        if mark:
            found[key] = value
    links = []
    for line in (read(udev, _identity(place, found)) or "").splitlines():
        if line.startswith("E:") and "=" in line:
            key, _, value = line[2:].partition("=")
            found[key] = value
        elif line.startswith("S:"):
            links.append(f"/dev/{line[2:]}")
    return found, tuple(sorted(links))
