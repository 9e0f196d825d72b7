"""
Weights and limits of the host's block devices, as one text for each kind: C{path,value,path,value}.
"""

from __future__ import annotations

import re

from pyvirt.definitions.domain._tune import BlkioDevice
from pyvirt.definitions.kinds import number
from pyvirt.definitions.schema import replaced
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["DEVICE_LIMITS", "deviceText", "mergedDevices", "parseDevices"]

#: Parameters, and the field of a device that each is about.
DEVICE_LIMITS = {
    "device_weight": "weight",
    "device_read_iops_sec": "readIops",
    "device_write_iops_sec": "writeIops",
    "device_read_bytes_sec": "readBytes",
    "device_write_bytes_sec": "writeBytes",
}

_NUMBER = re.compile(r"\s*[+-]?[0-9]+")


def deviceText(devices: tuple[BlkioDevice, ...], field: str) -> str:
    """Write what one kind of limit is for each device that has one."""
    return ",".join(
        f"{device.path},{getattr(device, field)}" for device in devices if getattr(device, field)
    )


def parseDevices(parameter: str, text: str) -> list[tuple[str, int]]:
    """
    Read paths and values.

    @raise VirtError: the text is none.
    """
    if text and text.count(",") % 2 == 0:
        raise _unreadable(parameter, text)
    bits = 64 if parameter.endswith("bytes_sec") else 32
    found: list[tuple[str, int]] = []
    rest = text
    while rest:
        path, _, rest = rest.partition(",")
        digits = _NUMBER.match(rest)
        amount = None if digits is None else number(digits[0], bits=bits)
        if digits is None or amount is None:
            raise _refused(f"invalid value '{rest}' for parameter '{parameter}' of device '{path}'")
        found.append((path, amount))
        rest = rest[digits.end() :]
        if rest and not rest.startswith(","):
            raise _unreadable(parameter, text)
        rest = rest[1:]
    return found


def _unreadable(parameter: str, text: str) -> Exception:
    return _refused(f"unable to parse blkio device '{parameter}' '{text}'")


def _refused(detail: str) -> VirtError:
    return virtError(ErrorCode.INVALID_ARG, detail, ErrorDomain.DOMAIN)


def mergedDevices(
    devices: tuple[BlkioDevice, ...], parameter: str, text: str
) -> tuple[BlkioDevice, ...]:
    """
    Return the devices with new limits of one kind; what is not named stays as it is.

    A 0 takes a limit away; a device that has none any more keeps its place.

    @raise VirtError: the text is none.
    """
    field = DEVICE_LIMITS[parameter]
    merged = {device.path: device for device in devices}
    for path, value in parseDevices(parameter, text):
        if path in merged:
            merged[path] = replaced(merged[path], **{field: value or None})
        elif value:
            merged[path] = BlkioDevice(path=path, **{field: value})
    return tuple(merged.values())
