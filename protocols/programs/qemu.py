"""
What only the QEMU driver can do.

Each stub is a procedure: its annotations are what travels, its decorator what else the protocol fixes.
A wire table only grows: lines are added at the end, never edited.
"""

from __future__ import annotations

from typing import Protocol

from twisted.internet.defer import Deferred

from pyvirt.protocols.procedures import Program, event, procedure
from pyvirt.protocols.structs import DomainRef
from pyvirt.protocols.xdr import Hyper, Int32, UInt32, WireString


class QEMU(Protocol):
    """Program 0x20008087, version 1.  Numbers are never reused; new ones go last."""

    @procedure(1, api="virDomainQemuMonitorCommand", access="domain:write", since="0.8.3")
    def domainMonitorCommand(
        self, dom: DomainRef, cmd: WireString, flags: UInt32
    ) -> Deferred[WireString]:
        """virDomainQemuMonitorCommand."""

    @procedure(2, api="virDomainQemuAttach", access=("domain:start", "domain:write"), since="0.9.4")
    def domainAttach(self, pidValue: UInt32, flags: UInt32) -> Deferred[DomainRef]:
        """virDomainQemuAttach."""

    @procedure(3, api="virDomainQemuAgentCommand", access="domain:write", since="0.10.0")
    def domainAgentCommand(
        self, dom: DomainRef, cmd: WireString, timeout: Int32, flags: UInt32
    ) -> Deferred[WireString | None]:
        """virDomainQemuAgentCommand."""

    @procedure(
        4,
        api="virConnectDomainQemuMonitorEventRegister",
        priority=True,
        access=("connect:search_domains", "connect:write"),
        filters="domain:getattr",
        since="1.2.3",
    )
    def connectDomainMonitorEventRegister(
        self, dom: DomainRef | None, event: WireString | None, flags: UInt32
    ) -> Deferred[Int32]:
        """virConnectDomainQemuMonitorEventRegister."""

    @procedure(
        5,
        api="virConnectDomainQemuMonitorEventDeregister",
        priority=True,
        access="connect:write",
        readOnly=True,
        since="1.2.3",
    )
    def connectDomainMonitorEventDeregister(self, callbackID: Int32) -> Deferred[None]:
        """virConnectDomainQemuMonitorEventDeregister."""

    @event(6)
    def domainMonitorEvent(
        self,
        callbackID: Int32,
        dom: DomainRef,
        event: WireString,
        seconds: Hyper,
        micros: UInt32,
        details: WireString | None,
    ) -> None:
        """Sent by the daemon."""

    @procedure(
        7,
        api="virDomainQemuMonitorCommandWithFiles",
        access="domain:write",
        fds="call+reply",
        since="8.2.0",
    )
    def domainMonitorCommandWithFiles(
        self, dom: DomainRef, cmd: WireString, flags: UInt32
    ) -> Deferred[WireString]:
        """virDomainQemuMonitorCommandWithFiles."""


PROGRAM = Program("qemu", 0x20008087, 1, QEMU)
