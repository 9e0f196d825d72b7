"""
The log daemon: files that guests write their output to.

Each stub is a procedure: its annotations are what travels, its decorator what else the protocol fixes.
A wire table only grows: lines are added at the end, never edited.
"""

from __future__ import annotations

from typing import Protocol

from twisted.internet.defer import Deferred

from pyvirt.protocols.procedures import Program, procedure
from pyvirt.protocols.structs import LogDomain, LogFilePosition
from pyvirt.protocols.xdr import Int32, UHyper, UInt32, WireString


class Log(Protocol):
    """Program 0x87539319, version 1.  Numbers are never reused; new ones go last."""

    @procedure(1, fds="reply")
    def domainOpenLogFile(
        self, driver: WireString, dom: LogDomain, path: WireString, flags: UInt32
    ) -> Deferred[LogFilePosition]:
        """Domain open log file."""

    @procedure(2)
    def domainGetLogFilePosition(
        self, path: WireString, flags: UInt32
    ) -> Deferred[LogFilePosition]:
        """Domain get log file position."""

    @procedure(3)
    def domainReadLogFile(
        self, path: WireString, pos: LogFilePosition, maxlen: UHyper, flags: UInt32
    ) -> Deferred[WireString]:
        """Domain read log file."""

    @procedure(4)
    def domainAppendLogFile(
        self,
        driver: WireString,
        dom: LogDomain,
        path: WireString,
        message: WireString,
        flags: UInt32,
    ) -> Deferred[Int32]:
        """Domain append log file."""


PROGRAM = Program("log", 0x87539319, 1, Log)
