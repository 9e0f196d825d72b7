"""
What only LXC has, without Deferreds: C{import pyvirt.blocking.lxc as libvirt_lxc}.
"""

from __future__ import annotations

from typing import Any

from pyvirt.blocking._objects import call as _call
from pyvirt.client import lxc as _lxc


def lxcOpenNamespace(domain: Any, flags: int) -> list[int]:
    """Return descriptors of a container's namespaces, which are the caller's to close."""
    found: list[int] = _call(_lxc.lxcOpenNamespace, domain._o, flags)
    return found


def lxcEnterCGroup(domain: Any, flags: int) -> int:
    """Move this process into the control groups of a container on this host; returns 0, or -1: it cannot be done."""
    result: int = _call(_lxc.lxcEnterCGroup, domain._o, flags)
    return result
