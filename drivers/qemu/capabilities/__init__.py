"""
What a QEMU binary can do, read from what it answers when it is probed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

__all__ = ["PROBES", "BinaryCapabilities", "readCapabilities"]

#: What a binary is asked, in order: QMP commands and their arguments.
PROBES: tuple[tuple[str, Mapping[str, Any] | None], ...] = (
    ("query-version", None),
    ("query-target", None),
    ("query-kvm", None),
    ("query-machines", None),
)


@attrs.frozen(kw_only=True)
class BinaryCapabilities:
    """
    What one binary can do.

    @ivar binary: its path.
    @ivar version: C{major * 1000000 + minor * 1000 + micro}.
    @ivar arch: as libvirt calls it.
    @ivar kvm: whether guests of type C{kvm} run here.
    """

    binary: str
    version: int = 0
    package: str = ""
    arch: str = "x86_64"
    kvm: bool = False


def readCapabilities(binary: str, replies: Mapping[str, Any]) -> BinaryCapabilities:
    """
    Read the replies to L{PROBES}.

    @param replies: by command; one that failed is absent.
    """
    version = replies["query-version"]["qemu"]
    return BinaryCapabilities(
        binary=binary,
        version=version["major"] * 1000000 + version["minor"] * 1000 + version["micro"],
        package=replies["query-version"].get("package", ""),
        arch=replies.get("query-target", {}).get("arch", "x86_64"),
        kvm=bool(replies.get("query-kvm", {}).get("enabled")),
    )
