"""
What the first bytes of an image say: its format, how large the guest sees it, what it is laid over.

Bytes of an image are the guest's to write, so nothing here is trusted: a format is looked for only to show it, or
where nothing says one; who opens an image takes the format from the definition or from the image above.

Source: the documents "qcow2 image format", "QED image file format" and "VMDK" of QEMU and its makers.
"""

from __future__ import annotations

import struct

import attrs

__all__ = ["HEADER", "ImageHeader", "luksOffset", "probedFormat", "readHeader"]

#: As much as has to be read of an image, in bytes.
HEADER = 65536

_BACKING_FORMAT = 0xE2792ACA


@attrs.frozen(kw_only=True)
class ImageHeader:
    """
    What an image says of itself.

    @ivar capacity: as the guest sees it, in bytes; None where the header does not tell.
    @ivar backing: what it is laid over, in its own words; None: nothing.
    @ivar backingFormat: the format of that; None: it does not say.
    @ivar version: of qcow2: C{0.10} or C{1.1}; None of others.
    @ivar clusterSize: in bytes, None where there is none.
    @ivar lazyRefcounts, extendedL2: features of newer qcow2 images.
    @ivar encryption: how it is encrypted: C{luks} or C{qcow}; None: it is not.
    """

    format: str
    capacity: int | None = None
    backing: str | None = None
    backingFormat: str | None = None
    version: str | None = None
    clusterSize: int | None = None
    lazyRefcounts: bool = False
    extendedL2: bool = False
    encryption: str | None = None


def probedFormat(data: bytes) -> str:
    """Guess a format from the first bytes; what is not known is raw."""
    if data[:4] == b"QFI\xfb" and len(data) >= 8:
        version = int.from_bytes(data[4:8], "big")
        if version == 1:
            return "qcow"
        return "qcow2" if version in (2, 3) else "raw"
    if data[:4] == b"QED\0":
        return "qed"
    if data[:4] in (b"KDMV", b"COWD"):
        return "vmdk"
    if data[:8] == b"conectix":
        return "vpc"
    if data[:8] == b"vhdxfile":
        return "vhd"
    if data[64:68] == b"\x7f\x10\xda\xbe":
        return "vdi"
    if data[:16] in (b"WithoutFreeSpace", b"WithouFreSpacExt"):
        return "ploop"
    return "raw"


def readHeader(data: bytes, format: str) -> ImageHeader:
    """
    Read the header of an image whose format is known.

    @return: with nothing but the format where the bytes are not of it.
    """
    try:
        if format in ("qcow2", "qcow"):
            return _qcow(data, format)
        if format == "qed":
            return _qed(data)
        if format == "vdi" and data[64:68] == b"\x7f\x10\xda\xbe":
            return ImageHeader(format=format, capacity=struct.unpack_from("<Q", data, 0x170)[0])
        if format == "vmdk" and data[:4] == b"KDMV":
            return ImageHeader(format=format, capacity=struct.unpack_from("<Q", data, 12)[0] * 512)
        if format == "vpc" and data[:8] == b"conectix":
            return ImageHeader(format=format, capacity=struct.unpack_from(">Q", data, 48)[0])
        if format == "raw" and data[:6] == b"LUKS\xba\xbe":
            return ImageHeader(format=format, encryption="luks")
    except struct.error:
        pass
    return ImageHeader(format=format)


def luksOffset(data: bytes) -> int:
    """Return where the data begins behind a LUKS header, in bytes; 0 where that is not told."""
    if data[:6] != b"LUKS\xba\xbe" or len(data) < 108 or data[6:8] != b"\0\1":
        return 0
    return int.from_bytes(data[104:108], "big") * 512


def _name(data: bytes, offset: int, size: int) -> str | None:
    """Read the name of what an image is laid over; what lies outside of the bytes is no name."""
    if not offset or not size or size > 1023 or offset + size > len(data):
        return None
    return data[offset : offset + size].decode(errors="surrogateescape").partition("\0")[0] or None


def _qcow(data: bytes, format: str) -> ImageHeader:
    magic, version, offset, size = struct.unpack_from(">4sIQI", data)
    if magic != b"QFI\xfb" or (version == 1) != (format == "qcow") or version not in (1, 2, 3):
        return ImageHeader(format=format)
    (capacity,) = struct.unpack_from(">Q", data, 24)
    backing = _name(data, offset, size)
    form = None
    if version > 1 and backing is not None:
        form = _extension(data, version, offset)
    (crypt,) = struct.unpack_from(">I", data, 32 if version > 1 else 36)
    found = ImageHeader(
        format=format,
        capacity=capacity,
        backing=backing,
        backingFormat=form,
        encryption={1: "qcow", 2: "luks"}.get(crypt),
    )
    if format != "qcow2":
        return found
    (bits,) = struct.unpack_from(">I", data, 20)
    compatible = incompatible = 0
    if version == 3:
        incompatible, compatible = struct.unpack_from(">QQ", data, 72)
    return attrs.evolve(
        found,
        version="1.1" if version == 3 else "0.10",
        clusterSize=1 << bits if 9 <= bits <= 30 else None,
        lazyRefcounts=bool(compatible & 1),
        extendedL2=bool(incompatible & 16),
    )


def _extension(data: bytes, version: int, end: int) -> str | None:
    place = 72
    if version == 3:
        (place,) = struct.unpack_from(">I", data, 100)
    while place + 8 <= min(end, len(data)):
        kind, length = struct.unpack_from(">II", data, place)
        place += 8
        if kind == 0 or place + length > len(data):
            return None
        if kind == _BACKING_FORMAT:
            return data[place : place + length].decode(errors="replace").rstrip("\0") or None
        place += (length + 7) // 8 * 8
    return None


def _qed(data: bytes) -> ImageHeader:
    if data[:4] != b"QED\0":
        return ImageHeader(format="qed")
    features, _, _, _, capacity, offset, size = struct.unpack_from("<QQQQQII", data, 16)
    backing = _name(data, offset, size) if features & 1 else None
    form = "raw" if backing is not None and features & 4 else None
    return ImageHeader(format="qed", capacity=capacity, backing=backing, backingFormat=form)
