"""
The lock daemon: leases on resources in lock spaces.

Each stub is a procedure: its annotations are what travels, its decorator what else the protocol fixes.
A wire table only grows: lines are added at the end, never edited.
"""

from __future__ import annotations

from typing import Annotated, Protocol

from twisted.internet.defer import Deferred

from pyvirt.protocols.procedures import Program, procedure
from pyvirt.protocols.structs import LockOwner
from pyvirt.protocols.xdr import String, UInt32


class Lock(Protocol):
    """Program 0x0ea7beef, version 1.  Numbers are never reused; new ones go last."""

    @procedure(1)
    def register(self, owner: LockOwner, flags: UInt32) -> Deferred[None]:
        """Register."""

    @procedure(2)
    def restrict(self, flags: UInt32) -> Deferred[None]:
        """Restrict."""

    @procedure(3)
    def new(self, path: Annotated[str, String(65536)], flags: UInt32) -> Deferred[None]:
        """New."""

    @procedure(4)
    def createResource(
        self,
        path: Annotated[str, String(65536)],
        name: Annotated[str, String(65536)],
        flags: UInt32,
    ) -> Deferred[None]:
        """Create resource."""

    @procedure(5)
    def deleteResource(
        self,
        path: Annotated[str, String(65536)],
        name: Annotated[str, String(65536)],
        flags: UInt32,
    ) -> Deferred[None]:
        """Delete resource."""

    @procedure(6)
    def acquireResource(
        self,
        path: Annotated[str, String(65536)],
        name: Annotated[str, String(65536)],
        flags: UInt32,
    ) -> Deferred[None]:
        """Acquire resource."""

    @procedure(7)
    def releaseResource(
        self,
        path: Annotated[str, String(65536)],
        name: Annotated[str, String(65536)],
        flags: UInt32,
    ) -> Deferred[None]:
        """Release resource."""

    @procedure(8)
    def createLockspace(self, path: Annotated[str, String(65536)]) -> Deferred[None]:
        """Create lockspace."""


PROGRAM = Program("lock", 0x0EA7BEEF, 1, Lock)
