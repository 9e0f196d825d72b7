"""
What the test driver says when it refuses: libvirt's texts, codes and reporting parts, made in one place.
"""

from __future__ import annotations

from pyvirt import constants as c
from pyvirt.errors import ErrorCode, ErrorDomain, InvalidArgument, VirtError, virtError

__all__ = [
    "IMPACT",
    "READING",
    "checkFlags",
    "exclusiveFlags",
    "failed",
    "internal",
    "invalidArgument",
    "notRunning",
    "operationInvalid",
    "signed",
    "unsupportedArgument",
]

#: The flags by which a change or a query picks the running domain or its definition.
IMPACT = c.VIR_DOMAIN_AFFECT_LIVE | c.VIR_DOMAIN_AFFECT_CONFIG
#: Those flags, and the one by which callers say that they know of parameters that are strings.
READING = IMPACT | c.VIR_TYPED_PARAM_STRING_OKAY


def checkFlags(function: str, flags: int, allowed: int = 0, domain: int = ErrorDomain.TEST) -> None:
    """
    Refuse flags that a function does not know.

    @param function: as libvirt's own driver calls it, for the text names it.
    """
    unknown = flags & ~allowed
    if unknown:
        raise InvalidArgument(
            f"unsupported flags (0x{unknown & 0xFFFFFFFF:x}) in function {function}",
            domain=domain,
            str1=function,
            str2="flags",
            int1=0,
            int2=0,
        )


def exclusiveFlags(function: str, flags: int, one: str, other: str, domain: int) -> None:
    """Refuse two flags that exclude each other, by the names of their constants."""
    if flags & getattr(c, one) and flags & getattr(c, other):
        raise InvalidArgument(
            f"Flags '{one}' and '{other}' are mutually exclusive",
            domain=domain,
            str1=function,
            str2="flags",
            int1=0,
            int2=0,
        )


def signed(number: int) -> int:
    """See a 32-bit number as libvirt's texts print it: as a signed one."""
    return number - (1 << 32) if number >= 1 << 31 else number


def internal(detail: str, domain: int = ErrorDomain.TEST) -> VirtError:
    """Make an internal error."""
    return virtError(ErrorCode.INTERNAL_ERROR, detail, domain)


def invalidArgument(detail: str, domain: int = ErrorDomain.TEST) -> VirtError:
    """Make the error of an argument that makes no sense here."""
    return virtError(ErrorCode.INVALID_ARG, detail, domain)


def unsupportedArgument(detail: str, domain: int = ErrorDomain.TEST) -> VirtError:
    """Make the error of an argument that the driver cannot honour."""
    return virtError(ErrorCode.ARGUMENT_UNSUPPORTED, detail, domain)


def operationInvalid(detail: str, domain: int = ErrorDomain.TEST) -> VirtError:
    """Make the error of an operation that the object's state does not allow."""
    return virtError(ErrorCode.OPERATION_INVALID, detail, domain)


def failed(detail: str, domain: int = ErrorDomain.TEST) -> VirtError:
    """Make the error of an operation that was tried in vain."""
    return virtError(ErrorCode.OPERATION_FAILED, detail, domain)


def notRunning() -> VirtError:
    """Make the error of an operation that only a running domain takes."""
    return operationInvalid("domain is not running", ErrorDomain.DOMAIN)
