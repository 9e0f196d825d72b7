"""
Virtual functions of network devices: the address and the VLAN that the device gives them, asked of and told to the kernel.

Messages are C{rtnetlink}'s; what they mean are pure functions, L{Links} sends them.

Source: the kernel's C{if_link.h}, C{rtnetlink(7)}.
"""

from __future__ import annotations

import errno
import itertools
import os
import socket
import struct
from collections.abc import Iterator
from typing import NamedTuple

from pyvirt.drivers.refusals import internal
from pyvirt.errors import ErrorDomain
from pyvirt.process import systemError

__all__ = ["Function", "Links", "PortReply", "functionOf", "portMessage", "statisticsOf"]

_DOMAIN = ErrorDomain.NONE

_GETLINK, _SETLINK, _ERROR, _REQUEST, _ACK = 18, 19, 2, 1, 4
_IFNAME, _FUNCTIONS, _PORTS, _MASK = 3, 22, 24, 29
_NESTED = 0x8000
_INFO, _MAC, _VLAN, _STATS = 1, 1, 2, 8
_PORT, _PORT_VF, _PROFILE, _INSTANCE, _HOST, _REQUESTED, _RESPONSE = 1, 1, 2, 4, 5, 6, 7
#: What is asked for besides what every answer has: what is known of virtual functions.
_WITH_FUNCTIONS = 1
_COUNTERS = {
    0: "rx_packets",
    1: "tx_packets",
    2: "rx_bytes",
    3: "tx_bytes",
    7: "rx_drop",
    8: "tx_drop",
}
_numbers = itertools.count(1)


class Function(NamedTuple):
    """
    What a device gives one of its virtual functions.

    @ivar mac: in hexadecimal with colons.
    @ivar vlan: 0: none.
    """

    mac: str
    vlan: int


class PortReply(NamedTuple):
    """What a switch has answered for a port; None: it does not say."""

    response: int | None


def _attribute(kind: int, data: bytes) -> bytes:
    return struct.pack("=HH", len(data) + 4, kind) + data + b"\0" * (-len(data) % 4)


def attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Iterate over attributes and their kinds; what makes no sense ends it."""
    while len(data) >= 4:
        size, kind = struct.unpack_from("=HH", data)
        if not 4 <= size <= len(data):
            return
        yield kind & 0x3FFF, data[4:size]
        data = data[size + 3 & ~3 :]


def _message(kind: int, flags: int, index: int, body: bytes) -> bytes:
    link = struct.pack("=BxHiII", socket.AF_UNSPEC, 0, index, 0, 0)
    size = 16 + len(link) + len(body)
    return struct.pack("=IHHII", size, kind, flags, next(_numbers), 0) + link + body


def _functions(kind: int, data: bytes) -> bytes:
    info = _attribute(_INFO | _NESTED, _attribute(kind, data))
    return _attribute(_FUNCTIONS | _NESTED, info)


def _rawAddress(mac: str) -> bytes:
    return bytes.fromhex(mac.replace(":", ""))


def addressMessage(device: str, number: int, mac: str) -> bytes:
    """Return what sets the address of a virtual function."""
    data = struct.pack("=I32s", number, _rawAddress(mac))
    body = _attribute(_IFNAME, device.encode() + b"\0") + _functions(_MAC, data)
    return _message(_SETLINK, _REQUEST | _ACK, -1, body)


def vlanMessage(device: str, number: int, vlan: int) -> bytes:
    """Return what sets the VLAN of a virtual function."""
    data = struct.pack("=III", number, vlan, 0)
    body = _attribute(_IFNAME, device.encode() + b"\0") + _functions(_VLAN, data)
    return _message(_SETLINK, _REQUEST | _ACK, -1, body)


def portMessage(
    index: int, number: int, mac: str, profile: str, instance: bytes, host: bytes, request: int
) -> bytes:
    """
    Return what asks a switch (802.1Qbh) for a port of a virtual function.

    @param index: the number of the device.
    @param instance: UUID of the guest; C{host}: that of the host.
    @param request: what is asked for: 1 before it is there, 2 to have it, 3 to have it no more.
    """
    data = struct.pack("=I32s", number, _rawAddress(mac))
    port = (
        _attribute(_PROFILE, profile.encode() + b"\0")
        + _attribute(_INSTANCE, instance)
        + _attribute(_HOST, host)
        + _attribute(_PORT_VF, struct.pack("=I", number))
        + _attribute(_REQUESTED, struct.pack("=B", request))
    )
    ports = _attribute(_PORTS | _NESTED, _attribute(_PORT | _NESTED, port))
    return _message(_SETLINK, _REQUEST | _ACK, index, _functions(_MAC, data) + ports)


def _found(reply: bytes, number: int) -> dict[int, bytes] | None:
    """
    Return what an answer says of a virtual function.

    @raise VirtError: it says nothing of virtual functions.
    """
    for kind, data in attributes(reply[32:]):
        if kind != _FUNCTIONS:
            continue
        for _, info in attributes(data):
            fields = dict(attributes(info))
            mac = fields.get(_MAC, b"")
            if len(mac) >= 10 and struct.unpack_from("=I", mac)[0] == number:
                return fields
        return None
    raise internal("missing IFLA_VF_INFO in netlink response", _DOMAIN)


def _missing(number: int) -> Exception:
    return internal(f"couldn't find IFLA_VF_INFO for VF {number} in netlink response", _DOMAIN)


def functionOf(reply: bytes, number: int) -> Function:
    """
    Return what a device gives a virtual function.

    @param reply: the kernel's answer.
    @raise VirtError: it does not say.
    """
    fields = _found(reply, number)
    if fields is None:
        raise _missing(number)
    vlan = fields.get(_VLAN, b"")
    tag = struct.unpack_from("=I", vlan, 4)[0] if len(vlan) >= 8 else 0
    return Function(":".join(f"{each:02x}" for each in fields[_MAC][4:10]), tag)


def statisticsOf(reply: bytes, number: int) -> dict[str, int]:
    """
    Return what a virtual function has sent and got, by the names of libvirt's statistics.

    @raise VirtError: the kernel does not say.
    """
    fields = _found(reply, number)
    if fields is None or _STATS not in fields:
        raise _missing(number)
    return {
        _COUNTERS[kind]: int.from_bytes(data[:8], "little")
        for kind, data in attributes(fields[_STATS])
        if kind in _COUNTERS
    }


def portReply(reply: bytes, number: int) -> PortReply:
    """
    Return what a switch has answered for the port of a virtual function.

    @raise VirtError: the device has no such ports.
    """
    for kind, data in attributes(reply[32:]):
        if kind != _PORTS:
            continue
        for _, port in attributes(data):
            fields = dict(attributes(port))
            place = fields.get(_PORT_VF, b"")
            if len(place) == 4 and struct.unpack("=I", place)[0] == number:
                said = fields.get(_RESPONSE, b"")
                return PortReply(struct.unpack("=H", said)[0] if len(said) == 2 else None)
        raise internal("Could not find netlink response with expected parameters", _DOMAIN)
    raise internal("IFLA_VF_PORTS is missing", _DOMAIN)


class Links:
    """Asks the kernel about network devices, and tells it; each waits for the answer, which takes no time."""

    def _ask(self, message: bytes) -> bytes:
        """
        Send a message, and return the answer.

        @raise OSError: the kernel refuses.
        """
        with socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE
        ) as link:
            link.bind((0, 0))
            link.settimeout(5.0)
            link.send(message)
            reply = link.recv(1 << 18)
        if len(reply) < 20:
            raise OSError(errno.EBADMSG, os.strerror(errno.EBADMSG))
        if struct.unpack_from("=IH", reply)[1] == _ERROR:
            (code,) = struct.unpack_from("=i", reply, 16)
            if code:
                raise OSError(-code, os.strerror(-code))
        return reply

    def look(self, device: str) -> bytes:
        """
        Return what the kernel says of a device and its virtual functions.

        @raise VirtError: it says nothing.
        """
        body = _attribute(_IFNAME, device.encode() + b"\0")
        body += _attribute(_MASK, struct.pack("=I", _WITH_FUNCTIONS))
        try:
            return self._ask(_message(_GETLINK, _REQUEST, 0, body))
        except OSError as problem:
            detail = f"error dumping {device} (0) interface"
            raise systemError(problem, detail, _DOMAIN) from None

    def configure(self, device: str, number: int, wanted: Function) -> None:
        """
        Say what a device gives a virtual function.

        @raise VirtError: the kernel refuses.
        """
        mac, vlan = wanted
        try:
            self._ask(addressMessage(device, number, mac))
        except OSError as problem:
            detail = f"Cannot set interface MAC to {mac} for ifname {device} vf {number}"
            raise systemError(problem, detail, _DOMAIN) from None
        try:
            self._ask(vlanMessage(device, number, vlan))
        except OSError as problem:
            detail = f"Cannot set interface vlanid to {vlan} for ifname {device} vf {number}"
            raise systemError(problem, detail, _DOMAIN) from None

    def port(
        self,
        device: str,
        number: int,
        mac: str,
        profile: str,
        instance: bytes,
        host: bytes,
        request: int,
    ) -> None:
        """
        Ask a switch for a port of a virtual function; what it answers is in what L{look} returns.

        @raise VirtError: the kernel refuses.
        """
        index = 0
        try:
            index = socket.if_nametoindex(device)
            self._ask(portMessage(index, number, mac, profile, instance, host, request))
        except OSError as problem:
            detail = f"error during virtual port configuration of ifindex {index}"
            raise systemError(problem, detail, _DOMAIN) from None
