"""
A host in folders of the test's own.
"""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.task import Clock

from pyvirt.drivers.host.host import Host
from pyvirt.drivers.host.layout import HostLayout

__all__ = ["makeHost"]


def makeHost(root: str, processes: Any = None, reactor: Any = None) -> Host:
    """Make a host whose places are all under C{root}."""
    os.makedirs(root, exist_ok=True)
    return Host(
        reactor=reactor or Clock(),
        processes=processes,
        layout=HostLayout.of(os.path.abspath(root), True, {}),
        privileged=True,
    )
