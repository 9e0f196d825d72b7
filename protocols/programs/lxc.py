"""
What only the LXC driver can do.

Each stub is a procedure: its annotations are what travels, its decorator what else the protocol fixes.
A wire table only grows: lines are added at the end, never edited.
"""

from __future__ import annotations

from typing import Protocol

from twisted.internet.defer import Deferred

from pyvirt.protocols.procedures import Program, procedure
from pyvirt.protocols.structs import DomainRef
from pyvirt.protocols.xdr import UInt32


class LXC(Protocol):
    """Program 0x00068000, version 1.  Numbers are never reused; new ones go last."""

    @procedure(
        1,
        api="virDomainLxcOpenNamespace",
        access="domain:open_namespace",
        fds="reply",
        since="1.0.2",
    )
    def domainOpenNamespace(self, dom: DomainRef, flags: UInt32) -> Deferred[None]:
        """virDomainLxcOpenNamespace."""


PROGRAM = Program("lxc", 0x00068000, 1, LXC)
