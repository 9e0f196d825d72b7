"""
Finding out the address of a guest from what it sends, or from what a DHCP server gives it.

Packets of the device are seen, never touched; the kernel hands over only those that may tell something.
"""

from __future__ import annotations

import ctypes
import socket
import struct
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.interfaces import IReadDescriptor
from twisted.logger import Logger
from zope.interface import implementer

from pyvirt.drivers.host.filters.learnt import FOREVER, LearntLease

__all__ = ["Learner", "leaseIn", "senderIn"]

log = Logger()

_ALL, _ARP, _IPV4, _UDP = 0x0003, 0x0806, 0x0800, 17
_ATTACH_FILTER = 26  # SO_ATTACH_FILTER
#: The most packets that are looked at in one go.
_BURST = 64
_COOKIE = b"\x63\x82\x53\x63"
_ACK, _NAK, _RELEASE = 5, 6, 7

#: ARP and IPv4, and replies of DHCP servers: load, compare and return, as the kernel's filters of sockets read it.
_ADDRESSED = (
    (0x28, 0, 0, 12),
    (0x15, 1, 0, _ARP),
    (0x15, 0, 1, _IPV4),
    (0x06, 0, 0, 0xFFFF),
    (0x06, 0, 0, 0),
)
_REPLIES = (
    (0x28, 0, 0, 12),
    (0x15, 0, 8, _IPV4),
    (0x30, 0, 0, 23),
    (0x15, 0, 6, _UDP),
    (0x28, 0, 0, 20),
    (0x45, 4, 0, 0x1FFF),
    (0xB1, 0, 0, 14),
    (0x48, 0, 0, 16),
    (0x15, 0, 1, 68),
    (0x06, 0, 0, 0xFFFF),
    (0x06, 0, 0, 0),
)


def _usable(raw: bytes) -> str:
    """Return an address that a guest may have, or nothing."""
    first = raw[0]
    if raw == bytes(4) or first == 127 or first >= 224:
        return ""
    return socket.inet_ntoa(raw)


def senderIn(frame: bytes, mac: bytes) -> str:
    """Return the address that a guest says it has, empty: it says none."""
    if len(frame) < 34 or frame[6:12] != mac:
        return ""
    kind = int.from_bytes(frame[12:14], "big")
    if kind == _ARP and len(frame) >= 42 and frame[14:20] == b"\x00\x01\x08\x00\x06\x04":
        return _usable(frame[28:32]) if frame[22:28] == mac else ""
    if kind == _IPV4:
        return _usable(frame[26:30])
    return ""


def serverOf(frame: bytes) -> str:
    """Return the address of who sent a packet that L{leaseIn} makes sense of."""
    return socket.inet_ntoa(frame[26:30])


def leaseIn(frame: bytes, mac: bytes, servers: Sequence[str] = ()) -> tuple[str, int] | None:
    """
    Read what a DHCP server answers to a guest.

    @param servers: those that count, none: all.
    @return: the address, empty where it is refused, and for how long it is lent, in seconds; None: it is something
        else.
    """
    if len(frame) < 34 or int.from_bytes(frame[12:14], "big") != _IPV4 or frame[23] != _UDP:
        return None
    start = 14 + (frame[14] & 0xF) * 4
    ports, body = frame[start : start + 4], frame[start + 8 :]
    if ports != b"\x00\x43\x00\x44" or len(body) < 240 or body[236:240] != _COOKIE:
        return None
    if body[0] != 2 or body[28:34] != mac:
        return None
    if servers and serverOf(frame) not in servers:
        return None
    options, at = {}, 240
    while at + 1 < len(body) and body[at] != 255:
        if body[at] == 0:
            at += 1
            continue
        size = body[at + 1]
        options[body[at]] = body[at + 2 : at + 2 + size]
        at += 2 + size
    kind = options.get(53, b"")
    if kind == bytes([_NAK]):
        return "", 0
    if kind != bytes([_ACK]):
        return None
    address, lease = _usable(body[16:20]), options.get(51, b"")
    if not address:
        return None
    return address, int.from_bytes(lease, "big") if len(lease) == 4 else FOREVER


@implementer(IReadDescriptor)
class Learner:
    """
    Watches a device until somebody L{stop}s it.

    @ivar how: C{any} or C{dhcp}: only what servers say counts.
    @ivar lease: what the guest was given last, None: nothing.
    """

    def __init__(
        self,
        reactor: Any,
        device: str,
        mac: str,
        how: str,
        servers: Sequence[str],
        learnt: Callable[[tuple[str, ...]], object],
    ) -> None:
        """
        @param learnt: is told the addresses of the guest, none: it has none any more.
        """
        self.how = how
        self._reactor = reactor
        self._device = device
        self._mac = bytes.fromhex(mac.replace(":", ""))
        self._servers = tuple(servers)
        self._learnt = learnt
        self._socket: socket.socket | None = None
        self._ending: Any = None
        self.lease: LearntLease | None = None

    def start(self) -> None:
        """Begin; that it cannot be done is logged."""
        try:
            opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            try:
                opened.setblocking(False)
                program = _REPLIES if self.how == "dhcp" else _ADDRESSED
                words = b"".join(struct.pack("HBBI", *each) for each in program)
                memory = ctypes.create_string_buffer(words)
                filtering = struct.pack("HL", len(program), ctypes.addressof(memory))
                opened.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, filtering)
                opened.bind((self._device, _ALL))
            except BaseException:
                opened.close()
                raise
        except OSError as problem:
            log.error(
                "the address behind {device} cannot be found out: {problem}",
                device=self._device,
                problem=problem,
            )
            return
        self._socket = opened
        self._reactor.addReader(self)

    def resume(self, lease: LearntLease) -> None:
        """Go on with what an earlier life has found out, until it ends."""
        self.lease = lease
        if lease.until != FOREVER:
            left = max(0.0, lease.until - self._reactor.seconds())
            self._ending = self._reactor.callLater(left, self._ended)

    def _ended(self) -> None:
        self.lease = None
        self._learnt(())

    def stop(self) -> None:
        """Watch no more."""
        if self._ending is not None and self._ending.active():
            self._ending.cancel()
        opened, self._socket = self._socket, None
        if opened is not None:
            self._reactor.removeReader(self)
            opened.close()

    def fileno(self) -> int:
        """What the reactor watches."""
        return -1 if self._socket is None else self._socket.fileno()

    def logPrefix(self) -> str:
        """What it is called in logs."""
        return f"learner of {self._device}"

    def connectionLost(self, reason: Any) -> None:
        """The reactor ends."""
        self.stop()

    def doRead(self) -> None:
        """Look at what there is."""
        for _ in range(_BURST):
            if self._socket is None:
                return
            try:
                frame = self._socket.recv(2048)
            except BlockingIOError:
                return
            except OSError as problem:
                # The device is down or gone; it says so once.
                log.debug("{device}: {problem}", device=self._device, problem=problem)
                return
            self._seen(frame)

    def _seen(self, frame: bytes) -> None:
        lease = leaseIn(frame, self._mac, self._servers)
        if lease is not None:
            address, seconds = lease
            if self._ending is not None and self._ending.active():
                self._ending.cancel()
            self._ending = None
            self.lease = None
            if self.how == "dhcp" and address:
                until = FOREVER
                if seconds != FOREVER:
                    until = min(int(self._reactor.seconds()) + seconds, FOREVER - 1)
                self.resume(LearntLease(until, address, serverOf(frame)))
            self._learnt((address,) if address else ())
        elif self.how == "any":
            address = senderIn(frame, self._mac)
            if address:
                self._learnt((address,))
