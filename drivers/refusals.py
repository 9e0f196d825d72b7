"""
What drivers say when they refuse: libvirt's texts, codes and reporting parts, made in one place.

The functions are told whose refusal it is; a driver that has a reporting part of its own keeps its L{Refusals}.
"""

from __future__ import annotations

import attrs

from pyvirt.errors import ErrorCode, ErrorDomain, InvalidArgument, VirtError, virtError

__all__ = [
    "Refusals",
    "checkFlags",
    "exclusiveFlags",
    "failed",
    "flagsOf",
    "internal",
    "invalidArgument",
    "notRunning",
    "operationInvalid",
]


def _aboutFlags(function: str, detail: str, domain: int) -> VirtError:
    return InvalidArgument(detail, domain=domain, str1=function, str2="flags", int1=0, int2=0)


def flagsOf(error: VirtError, function: str, domain: int) -> VirtError:
    """Return a complaint about flags as C{function} says it, and any other error as it is."""
    if error.str2 != "flags" or not error.str1:
        return error
    return _aboutFlags(function, str(error).replace(error.str1, function), domain)


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


def notRunning() -> VirtError:
    """Make the error of an operation that only a running domain takes."""
    return operationInvalid("domain is not running", ErrorDomain.DOMAIN)


@attrs.frozen
class Refusals:
    """
    Refusals of one driver, whose they are unless another part is named.

    @ivar domain: C{ErrorDomain} of the driver.
    """

    domain: int

    def checkFlags(
        self, function: str, flags: int, allowed: int = 0, domain: int | None = None
    ) -> None:
        """Refuse flags that a function does not know; C{function} is what libvirt's driver calls it."""
        checkFlags(function, flags, allowed, self._of(domain))

    def exclusiveFlags(
        self,
        function: str,
        flags: int,
        one: tuple[str, int],
        other: tuple[str, int],
        domain: int | None = None,
    ) -> None:
        """Refuse two flags that exclude each other, given by name and value."""
        exclusiveFlags(function, flags, one, other, self._of(domain))

    def internal(self, detail: str, domain: int | None = None) -> VirtError:
        """Make an internal error."""
        return internal(detail, self._of(domain))

    def invalidArgument(self, detail: str, domain: int | None = None) -> VirtError:
        """Make the error of an argument that makes no sense here."""
        return invalidArgument(detail, self._of(domain))

    def unsupportedArgument(self, detail: str, domain: int | None = None) -> VirtError:
        """Make the error of an argument that cannot be honoured."""
        return virtError(ErrorCode.ARGUMENT_UNSUPPORTED, detail, self._of(domain))

    def unsupportedConfig(self, detail: str, domain: int | None = None) -> VirtError:
        """Make the error of a definition that cannot be honoured."""
        return virtError(ErrorCode.CONFIG_UNSUPPORTED, detail, self._of(domain))

    def operationInvalid(self, detail: str, domain: int | None = None) -> VirtError:
        """Make the error of an operation that the domain's state does not allow."""
        return operationInvalid(detail, self._of(domain))

    def operationUnsupported(self, detail: str, domain: int | None = None) -> VirtError:
        """Make the error of an operation that there is not for a domain or a device like this."""
        return virtError(ErrorCode.OPERATION_UNSUPPORTED, detail, self._of(domain))

    def failed(self, detail: str, domain: int | None = None) -> VirtError:
        """Make the error of an operation that was tried in vain."""
        return failed(detail, self._of(domain))

    def _of(self, domain: int | None) -> int:
        return self.domain if domain is None else domain
