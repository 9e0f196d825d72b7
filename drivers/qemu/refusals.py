"""
What the QEMU driver says when it refuses: libvirt's texts, codes and reporting parts, made in one place.
"""

from __future__ import annotations

from pyvirt.errors import ErrorCode, ErrorDomain, InvalidArgument, VirtError, virtError

__all__ = [
    "alreadyRunning",
    "checkFlags",
    "exclusiveFlags",
    "failed",
    "internal",
    "invalidArgument",
    "notActive",
    "operationInvalid",
    "operationUnsupported",
    "systemFailure",
    "unsupportedArgument",
    "unsupportedConfig",
]


def checkFlags(function: str, flags: int, allowed: int = 0, domain: int = ErrorDomain.QEMU) -> None:
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


def exclusiveFlags(
    function: str,
    flags: int,
    one: tuple[str, int],
    other: tuple[str, int],
    domain: int = ErrorDomain.QEMU,
) -> None:
    """Refuse two flags that exclude each other, given by name and value."""
    if flags & one[1] and flags & other[1]:
        raise InvalidArgument(
            f"Flags '{one[0]}' and '{other[0]}' are mutually exclusive",
            domain=domain,
            str1=function,
            str2="flags",
            int1=0,
            int2=0,
        )


def internal(detail: str, domain: int = ErrorDomain.QEMU) -> VirtError:
    """Make an internal error."""
    return virtError(ErrorCode.INTERNAL_ERROR, detail, domain)


def invalidArgument(detail: str, domain: int = ErrorDomain.QEMU) -> VirtError:
    """Make the error of an argument that makes no sense here."""
    return virtError(ErrorCode.INVALID_ARG, detail, domain)


def unsupportedArgument(detail: str) -> VirtError:
    """Make the error of an argument that cannot be honoured."""
    return virtError(ErrorCode.ARGUMENT_UNSUPPORTED, detail, ErrorDomain.QEMU)


def unsupportedConfig(detail: str, domain: int = ErrorDomain.QEMU) -> VirtError:
    """Make the error of a definition that cannot be honoured."""
    return virtError(ErrorCode.CONFIG_UNSUPPORTED, detail, domain)


def operationInvalid(detail: str, domain: int = ErrorDomain.QEMU) -> VirtError:
    """Make the error of an operation that the domain's state does not allow."""
    return virtError(ErrorCode.OPERATION_INVALID, detail, domain)


def operationUnsupported(detail: str) -> VirtError:
    """Make the error of an operation that there is not for a domain like this."""
    return virtError(ErrorCode.OPERATION_UNSUPPORTED, detail, ErrorDomain.QEMU)


def failed(detail: str, domain: int = ErrorDomain.QEMU) -> VirtError:
    """Make the error of an operation that was tried in vain."""
    return virtError(ErrorCode.OPERATION_FAILED, detail, domain)


def notActive() -> VirtError:
    """Make the error of an operation that only a running domain takes."""
    return operationInvalid("domain is not running", ErrorDomain.DOMAIN)


def alreadyRunning() -> VirtError:
    """Make the error of starting what runs."""
    return operationInvalid("domain is already running")


def systemFailure(problem: OSError, detail: str, domain: int = ErrorDomain.QEMU) -> VirtError:
    """Make the error of something that the system refused."""
    from pyvirt.process import systemError

    return systemError(problem, detail, domain)
