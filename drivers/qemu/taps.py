"""
Network devices of the host that guests' cards end in: what the kernel is asked, one thing at a time.

Everything here is a system call that does not wait, but for L{openMacvtap}'s files, which are opened once they exist.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import struct

from pyvirt.drivers.qemu.refusals import operationInvalid, systemFailure
from pyvirt.errors import ErrorDomain, VirtError

__all__ = [
    "NameGiver",
    "addPort",
    "createTap",
    "exists",
    "hardwareAddress",
    "isolatePort",
    "masterOf",
    "mtuOf",
    "openMacvtap",
    "removePort",
    "setCoalesce",
    "setHardwareAddress",
    "setMTU",
    "setOnline",
    "tapAddress",
]

TUN = "/dev/net/tun"

_TUNSETIFF = 0x400454CA
_IFF_TAP, _IFF_NO_PI, _IFF_VNET_HDR, _IFF_MULTI_QUEUE = 0x2, 0x1000, 0x4000, 0x100
_IFF_UP = 1
_SIOCGIFFLAGS, _SIOCSIFFLAGS = 0x8913, 0x8914
_SIOCGIFMTU, _SIOCSIFMTU = 0x8921, 0x8922
_SIOCSIFHWADDR, _SIOCGIFHWADDR = 0x8924, 0x8927
_SIOCETHTOOL = 0x8946
_ETHTOOL_SCOALESCE = 0xF
_SIOCBRADDIF = 0x89A2
_SIOCBRDELIF = 0x89A3
_ARPHRD_ETHER = 1

#: Names of devices are shorter than this, in bytes.
NAME_SIZE = 16


def _failure(problem: OSError, detail: str) -> VirtError:
    return systemFailure(problem, detail, ErrorDomain.NONE)


def _request(name: str, rest: bytes = b"") -> bytes:
    """
    Write an C{ifreq}.

    @raise VirtError: the name is too long.
    """
    raw = os.fsencode(name)
    if len(raw) >= NAME_SIZE:
        raise _failure(OSError(errno.ERANGE, ""), f"Network interface name '{name}' is too long")
    return struct.pack("16s24s", raw, rest)


def _ask(number: int, request: bytes) -> bytes:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        return fcntl.ioctl(handle, number, request)


def exists(name: str) -> bool:
    """Return whether there is a network device of a name."""
    try:
        socket.if_nametoindex(name)
    except OSError:
        return False
    return True


class NameGiver:
    """Gives numbers to devices, each once: a name that was given is not given again soon."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.last = -1

    def fresh(self, wanted: str | None = None) -> str:
        """
        Name a new device.

        @param wanted: what the user wants: a name, or one with C{%d} for the number; a name that could be one of
            ours is not heeded.
        """
        if wanted is None or wanted.startswith(self.prefix):
            wanted = f"{self.prefix}%d"
        if "%d" not in wanted:
            return wanted
        while True:
            self.last += 1
            name = wanted.replace("%d", str(self.last), 1)
            if not exists(name):
                return name

    def reserve(self, name: str | None) -> None:
        """Remember that a device of a guest that was found again has a name."""
        number = (name or "").removeprefix(self.prefix)
        if name != number and number.isascii() and number.isdigit() and len(number) < 10:
            self.last = max(self.last, int(number))


def createTap(
    name: str, queues: int, header: bool, *, existing: bool = False, path: str | None = None
) -> list[int]:
    """
    Make a tap device and open its queues; it is gone when nobody has them open.

    @param header: packets come with a header for virtio.
    @param existing: it is there already, and stays.
    @param path: what makes it instead of the kernel's usual device.
    @raise VirtError: it cannot be made, or the name is taken.
    """
    request = _request(name)
    if not existing and exists(name):
        raise operationInvalid(f"The {name} interface already exists", ErrorDomain.NONE)
    flags = _IFF_TAP | _IFF_NO_PI
    if queues > 1:
        flags |= _IFF_MULTI_QUEUE
    if header:
        flags |= _IFF_VNET_HDR
    request = struct.pack("16sH22s", request[:16], flags, b"")
    opened: list[int] = []
    try:
        for _ in range(queues):
            try:
                opened.append(os.open(path or TUN, os.O_RDWR | os.O_CLOEXEC))
            except OSError as problem:
                detail = f"Unable to open {path or TUN}, is tun module loaded?"
                raise _failure(problem, detail) from None
            try:
                fcntl.ioctl(opened[-1], _TUNSETIFF, request)
            except OSError as problem:
                raise _failure(problem, f"Unable to create tap device {name}") from None
    except VirtError:
        for fd in opened:
            os.close(fd)
        raise
    return opened


def openMacvtap(name: str, queues: int, header: bool) -> list[int]:
    """
    Open the queues of a macvtap device.

    @raise FileNotFoundError: its file is not there yet.
    @raise VirtError: they cannot be opened.
    """
    path = f"/dev/tap{socket.if_nametoindex(name)}"
    flags = _IFF_TAP | _IFF_NO_PI
    if queues > 1:
        flags |= _IFF_MULTI_QUEUE
    if header:
        flags |= _IFF_VNET_HDR
    opened: list[int] = []
    try:
        for _ in range(queues):
            opened.append(os.open(path, os.O_RDWR | os.O_CLOEXEC))
            fcntl.ioctl(opened[-1], _TUNSETIFF, struct.pack("16sH22s", b"", flags, b""))
    except OSError as problem:
        for fd in opened:
            os.close(fd)
        if isinstance(problem, FileNotFoundError):
            raise
        raise _failure(problem, f"cannot open macvtap tap device {path}") from None
    return opened


def tapAddress(mac: str) -> str:
    """Return the address of the host's end of a card: a bridge is never to take it for its own."""
    first, _, rest = mac.partition(":")
    return f"{'fa' if first == 'fe' else 'fe'}:{rest}"


def setHardwareAddress(name: str, mac: str) -> None:
    """
    Give a device its address.

    @raise VirtError: it cannot be given.
    """
    raw = struct.pack("H6s", _ARPHRD_ETHER, bytes.fromhex(mac.replace(":", "")))
    try:
        _ask(_SIOCSIFHWADDR, _request(name, raw))
    except OSError as problem:
        raise _failure(problem, f"Cannot set interface MAC to {mac} on '{name}'") from None


def hardwareAddress(name: str) -> str:
    """
    Return the address of a device.

    @raise VirtError: there is none such.
    """
    try:
        raw = _ask(_SIOCGIFHWADDR, _request(name))[18:24]
    except OSError as problem:
        raise _failure(problem, f"Cannot get interface MAC on '{name}'") from None
    return ":".join(f"{each:02x}" for each in raw)


def mtuOf(name: str) -> int:
    """
    Return the size of the largest packet of a device, in bytes.

    @raise VirtError: there is none such.
    """
    try:
        found: int = struct.unpack_from("i", _ask(_SIOCGIFMTU, _request(name)), 16)[0]
    except OSError as problem:
        raise _failure(problem, f"Cannot get interface MTU on '{name}'") from None
    return found


def setMTU(name: str, mtu: int) -> None:
    """
    Set the size of the largest packet of a device, in bytes.

    @raise VirtError: it cannot be.
    """
    try:
        _ask(_SIOCSIFMTU, _request(name, struct.pack("i", mtu)))
    except OSError as problem:
        raise _failure(problem, f"Cannot set interface MTU on '{name}'") from None


def setOnline(name: str, on: bool) -> None:
    """
    Switch a device on or off.

    @raise VirtError: it cannot be.
    """
    request = _request(name)
    try:
        flags: int = struct.unpack_from("H", _ask(_SIOCGIFFLAGS, request), 16)[0]
    except OSError as problem:
        raise _failure(problem, f"Cannot get interface flags on '{name}'") from None
    wanted = flags | _IFF_UP if on else flags & ~_IFF_UP
    if wanted == flags:
        return
    try:
        _ask(_SIOCSIFFLAGS, _request(name, struct.pack("H", wanted)))
    except OSError as problem:
        raise _failure(problem, f"Cannot set interface flags on '{name}'") from None


def addPort(bridge: str, name: str) -> None:
    """
    Plug a device into a bridge.

    @raise VirtError: it cannot be.
    """
    try:
        _askBridge(_SIOCBRADDIF, bridge, name)
    except OSError as problem:
        raise _failure(problem, f"Unable to add bridge {bridge} port {name}") from None


def removePort(bridge: str, name: str) -> None:
    """
    Unplug a device from a bridge.

    @raise VirtError: it cannot be.
    """
    try:
        _askBridge(_SIOCBRDELIF, bridge, name)
    except OSError as problem:
        raise _failure(problem, f"Unable to remove bridge {bridge} port {name}") from None


def _askBridge(number: int, bridge: str, name: str) -> None:
    request = _request(bridge)
    index = socket.if_nametoindex(name)
    _ask(number, struct.pack("16si20s", request[:16], index, b""))


def masterOf(name: str) -> str | None:
    """Return what a device is a port of; None: nothing, or there is no such device."""
    try:
        return os.path.basename(os.readlink(f"/sys/class/net/{name}/master"))
    except OSError:
        return None


def isolatePort(bridge: str, name: str, isolated: bool = True) -> None:
    """
    Keep a port of a bridge from talking to other such ports, or let it.

    @raise VirtError: it cannot be.
    """
    try:
        with open(f"/sys/class/net/{name}/brport/isolated", "w", encoding="ascii") as file:
            file.write(f"{isolated:d}")
    except OSError as problem:
        detail = f"Unable to set bridge {bridge} port {name} isolated to {isolated:d}"
        raise _failure(problem, detail) from None


def setCoalesce(name: str, frames: int) -> None:
    """
    Say how many packets a device may gather before it tells of them.

    @raise VirtError: it cannot.
    """
    import ctypes

    asked = struct.pack("=23I", _ETHTOOL_SCOALESCE, 0, frames, *([0] * 20))
    buffer = ctypes.create_string_buffer(asked, len(asked))
    try:
        _ask(_SIOCETHTOOL, _request(name, struct.pack("P", ctypes.addressof(buffer))))
    except OSError as problem:
        raise _failure(problem, f"Cannot set coalesce info on '{name}'") from None
