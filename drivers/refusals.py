"""
What drivers of the host say when they refuse: libvirt's texts, codes and reporting parts, made in one place.
"""

from __future__ import annotations

from pyvirt.errors import ErrorCode, InvalidArgument, VirtError, virtError

__all__ = [
    "checkFlags",
    "exclusiveFlags",
    "failed",
    "internal",
    "invalidArgument",
    "operationInvalid",
]


def _aboutFlags(function: str, detail: str, domain: int) -> VirtError:
    return InvalidArgument(detail, domain=domain, str1=function, str2="flags", int1=0, int2=0)


def checkFlags(function: str, flags: int, allowed: int, domain: int) -> None:
    """
    Refuse flags that a function does not know.

    @param function: as libvirt's own driver calls it, for the text names it.
    @param domain: C{ErrorDomain} of the driver.
    """
    unknown = flags & ~allowed
    if unknown:
        detail = f"unsupported flags (0x{unknown & 0xFFFFFFFF:x}) in function {function}"
        raise _aboutFlags(function, detail, domain)


def exclusiveFlags(
    function: str, flags: int, one: tuple[str, int], other: tuple[str, int], domain: int
) -> None:
    """Refuse two flags that exclude each other, given by name and value."""
    if flags & one[1] and flags & other[1]:
        detail = f"Flags '{one[0]}' and '{other[0]}' are mutually exclusive"
        raise _aboutFlags(function, detail, domain)


def internal(detail: str, domain: int) -> VirtError:
    """Make an internal error."""
    return virtError(ErrorCode.INTERNAL_ERROR, detail, domain)


def invalidArgument(detail: str, domain: int) -> VirtError:
    """Make the error of an argument that makes no sense here."""
    return virtError(ErrorCode.INVALID_ARG, detail, domain)


def operationInvalid(detail: str, domain: int) -> VirtError:
    """Make the error of an operation that the object's state does not allow."""
    return virtError(ErrorCode.OPERATION_INVALID, detail, domain)


def failed(detail: str, domain: int) -> VirtError:
    """Make the error of an operation that was tried in vain."""
    return virtError(ErrorCode.OPERATION_FAILED, detail, domain)
