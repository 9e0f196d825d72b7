"""
Files of saved guests: a header, the guest's definition, its memory as QEMU writes it.

The form is that of libvirt's driver, so that each restores what the other has saved: a magic, then 32-bit numbers
with the least byte first (version, length of the definition with its padding, whether the guest ran, how its memory
is compressed, where in the definition's part further facts begin), zeros up to 92 bytes, the definition.
"""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING

import attrs
from twisted.logger import Logger

from pyvirt.definitions.domain import formatDomain
from pyvirt.drivers.qemu.refusals import failed, systemFailure
from pyvirt.errors import OperationFailed

if TYPE_CHECKING:
    from pyvirt.drivers.qemu.domain import Domain
    from pyvirt.drivers.qemu.hypervisor import Hypervisor

__all__ = [
    "COMPRESSIONS",
    "FIXED",
    "SaveImage",
    "headOf",
    "readImage",
    "removeManagedSave",
    "runtimeFacts",
    "writeHeader",
]

log = Logger()

#: What comes before the definition, in bytes.
FIXED = 92
_HEADER = struct.Struct("<16s5I56x")
_SWAPPED = struct.Struct(">16s5I56x")
_WHOLE = b"LibvirtQemudSave"
_PART = b"LibvirtQemudPart"
_VERSION = 2
#: The definition is padded to this, so that it can be changed without moving the memory.
_ROOM = 64 << 10
_LONGEST = 16 << 20

#: How memory may be compressed, in the order of their numbers.
COMPRESSIONS = ("raw", "gzip", "bzip2", "xz", "lzop", "zstd")


class NoImage(OperationFailed):
    """What is in a file is no saved guest, or one whose saving was never finished."""

    def __init__(self, detail: str) -> None:
        made = failed(detail)
        super().__init__(made.message, domain=made.domain, str1=made.str1, str2=made.str2)


@attrs.frozen(kw_only=True)
class SaveImage:
    """
    What is in the head of a file.

    @ivar ran: whether the guest ran when it was saved.
    @ivar compression: one of L{COMPRESSIONS}, or a number that is none of theirs.
    @ivar length: of the definition's part; the memory begins after it.
    @ivar extra: what follows the definition in its part.
    """

    xml: str
    ran: bool
    compression: str
    length: int
    extra: bytes = b""

    @property
    def memoryAt(self) -> int:
        """Where the memory begins."""
        return _HEADER.size + self.length


def writeHeader(fd: int, image: SaveImage, *, whole: bool) -> int:
    """
    Write the head of a file at its beginning.

    @param whole: the memory is there too.
    @return: where the memory begins, which is where the file is then.
    @raise OSError: it cannot be written.
    @raise VirtError: the definition does not fit where the memory is already there.
    """
    data = memoryview(headOf(image, whole=whole))
    at = 0
    while at < len(data):
        at += os.pwrite(fd, data[at:], at)
    os.lseek(fd, len(data), os.SEEK_SET)
    return len(data)


def headOf(image: SaveImage, *, whole: bool) -> bytes:
    """
    Return the head of a file; what is before the definition is its first L{FIXED} bytes.

    @raise VirtError: the definition does not fit where the memory is already there.
    """
    body = image.xml.encode() + b"\0"
    cookie = 0
    if image.extra:
        cookie = len(body)
        body += image.extra
    length = image.length or len(body) + _ROOM
    if len(body) > length:
        raise failed("new xml too large to fit in file")
    head = _HEADER.pack(
        _WHOLE if whole else _PART,
        _VERSION,
        length,
        int(image.ran),
        int(image.compression)
        if image.compression not in COMPRESSIONS
        else COMPRESSIONS.index(image.compression),
        cookie,
    )
    return head + body.ljust(length, b"\0")


def readImage(fd: int) -> SaveImage:
    """
    Read the head of a file.

    @raise NoImage: it is no such file, or one that was never finished.
    @raise VirtError: it is one, and cannot be read.
    """
    try:
        head = os.pread(fd, _HEADER.size, 0)
    except OSError:
        head = b""
    if len(head) < _HEADER.size:
        raise NoImage("failed to read qemu header")
    magic, version, length, ran, compressed, cookie = _HEADER.unpack(head)
    if magic not in (_WHOLE, _PART):
        raise NoImage("image magic is incorrect")
    if version > _VERSION:
        # Perhaps a host of the other kind has written it.
        magic, version, length, ran, compressed, cookie = _SWAPPED.unpack(head)
    if version > _VERSION:
        (shown,) = struct.unpack("<i", struct.pack("<I", version))
        raise failed(f"image version is not supported ({shown} > {_VERSION})")
    if not length:
        raise failed(f"invalid header data length: {length}")
    if magic == _PART:
        raise NoImage("save image is incomplete")
    room = cookie if 0 < cookie <= length else length
    try:
        body = os.pread(fd, min(length, _LONGEST), _HEADER.size)
    except OSError:
        body = b""
    if len(body) < room:
        raise failed("failed to read domain XML")
    if len(body) < length:
        raise failed("failed to read cookie")
    try:
        text = body[:room].split(b"\0", 1)[0].decode()
    except UnicodeDecodeError:
        raise failed("failed to read domain XML") from None
    extra = b""
    if 0 < cookie < length:
        extra = body[cookie:].split(b"\0", 1)[0] + b"\0"
    known = compressed < len(COMPRESSIONS)
    return SaveImage(
        xml=text,
        ran=bool(ran),
        compression=COMPRESSIONS[compressed] if known else str(compressed),
        length=length,
        extra=extra,
    )


def runtimeFacts(domain: Domain) -> str:
    """Describe what a guest is restored with besides its definition: its processor as it is, for one."""
    text = formatDomain(domain.definition, id=domain.id)
    begin, end = text.find("  <cpu "), text.find("  </cpu>\n")
    cpu = ""
    if begin >= 0 and end >= 0:
        lines = text[begin : end + len("  </cpu>\n")].splitlines()
        cpu = "".join(f"{line[2:]}\n" for line in lines)
    return f"{cpu}<slirpHelper/>"


def openImage(path: str, *, write: bool = False) -> int:
    """
    Open a file of a saved guest.

    @raise VirtError: it cannot be opened.
    """
    # A pipe is none, and nobody waits for who writes to it.
    flags = (os.O_RDWR if write else os.O_RDONLY) | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    try:
        fd = os.open(path, flags)
        os.set_blocking(fd, True)
        return fd
    except OSError as problem:
        raise systemFailure(problem, f"Failed to open file '{path}'") from None


def removeManagedSave(hypervisor: Hypervisor, domain: Domain) -> None:
    """
    Remove what a domain was saved to where the driver keeps it.

    @raise VirtError: it cannot be removed.
    """
    path = hypervisor.layout.managedSave(domain.name)
    try:
        os.unlink(path)
    except FileNotFoundError as problem:
        if not domain.managedSave:
            raise systemFailure(problem, f"Failed to remove managed save file '{path}'") from None
    except OSError as problem:
        raise systemFailure(problem, f"Failed to remove managed save file '{path}'") from None
    domain.managedSave = False
