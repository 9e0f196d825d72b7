"""
Descriptor passing over UNIX sockets, in libvirt's way.

A message that carries descriptors starts its payload with their count; behind the packet follow as many
single bytes, each with one descriptor attached.  Twisted attaches queued descriptors to whatever byte goes
out next, so everything written before must be on its way first: L{sendDescriptors} waits for the buffer to
drain, and later packets wait behind it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from twisted.internet.interfaces import IPullProducer, IUNIXTransport
from zope.interface import implementer

if TYPE_CHECKING:
    from pyvirt.protocols.packets import PacketProtocol

__all__ = ["canCarryDescriptors", "sendDescriptors"]


def canCarryDescriptors(transport: object) -> bool:
    """Whether C{transport} is a UNIX socket."""
    return bool(IUNIXTransport.providedBy(transport))


def sendDescriptors(protocol: PacketProtocol, packet: bytes, fds: list[int]) -> None:
    """
    Write C{packet}, then C{fds} one by one.

    They are duplicated, so that the caller may close its own at once.

    @raise TypeError: the transport cannot carry descriptors.
    """
    transport = protocol.transport
    if not canCarryDescriptors(transport):
        raise TypeError("descriptors travel over UNIX sockets only")
    sender = DescriptorSender(protocol, [os.dup(each) for each in fds])
    protocol.writeNow(packet)
    sender.start()


@implementer(IPullProducer)
class DescriptorSender:
    """Attach descriptors to bytes of their own once the transport has nothing left to write."""

    def __init__(self, protocol: PacketProtocol, fds: list[int]) -> None:
        self.protocol = protocol
        self.fds = fds
        self.attached = False

    def start(self) -> None:
        """Take the place of the protocol as producer until the descriptors are gone."""
        self.protocol.holdOutput(self)
        transport = self.protocol.transport
        transport.unregisterProducer()
        transport.registerProducer(self, False)

    def resumeProducing(self) -> None:
        transport = self.protocol.transport
        if transport.dataBuffer or transport._tempDataBuffer:
            return
        if not self.attached:
            self.attached = True
            for fd in self.fds:
                transport.sendFileDescriptor(fd)
            transport.write(b"\0" * len(self.fds))
            if self.fds:
                return
        transport.unregisterProducer()
        self.close()
        self.protocol.releaseOutput()

    def stopProducing(self) -> None:
        self.close()

    def close(self) -> None:
        """Close our copies."""
        fds, self.fds = self.fds, []
        for fd in fds:
            os.close(fd)
