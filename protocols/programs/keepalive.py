"""
Two messages that show that the peer is alive.

Each stub is a procedure: its annotations are what travels, its decorator what else the protocol fixes.
A wire table only grows: lines are added at the end, never edited.
"""

from __future__ import annotations

from typing import Protocol

from twisted.internet.defer import Deferred

from pyvirt.protocols.procedures import Kind, Program, procedure


class Keepalive(Protocol):
    """Program 0x6b656570, version 1.  Numbers are never reused; new ones go last."""

    @procedure(1, kind=Kind.MESSAGE)
    def ping(self) -> Deferred[None]:
        """Ping."""

    @procedure(2, kind=Kind.MESSAGE)
    def pong(self) -> Deferred[None]:
        """Pong."""


PROGRAM = Program("keepalive", 0x6B656570, 1, Keepalive)
