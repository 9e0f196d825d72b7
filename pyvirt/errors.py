"""
One exception for every failure of libvirt, here or at the peer: L{VirtError}.

An error carries what travels on the wire: code, domain, level, message and the pieces the message was
made of.  Code that raises names the code and the detail (L{virtError}); the text is made in libvirt's own
form from L{pyvirt.errorcodes.MESSAGES}.  Failures that callers commonly tell apart have a class of their
own; any other code is a plain L{VirtError} that keeps its number.
"""

from __future__ import annotations

import errno
import os
from typing import Any, ClassVar

from pyvirt.errorcodes import MESSAGES, ErrorCode, ErrorDomain

__all__ = [
    "AuthenticationFailed",
    "CallFailed",
    "ErrorCode",
    "ErrorDomain",
    "InternalError",
    "InvalidArgument",
    "NoSuchDomain",
    "NotSupported",
    "OperationDenied",
    "OperationFailed",
    "OperationInvalid",
    "OutcomeUnknown",
    "RPCError",
    "VirtError",
    "argumentError",
    "shortage",
    "virtError",
]

LEVEL_WARNING = 1
LEVEL_ERROR = 2


class VirtError(Exception):
    """
    An operation failed, here or in the daemon: the same class either way.

    @ivar code: the number that travels on the wire, an L{ErrorCode} where it is a known one.
    @ivar domain: the part of libvirt that reports it (L{ErrorDomain}).
    @ivar message: the whole sentence, formatted.
    @ivar level: 1 for a warning, 2 for an error.
    @ivar str1: usually the form of the message (C{"internal error: %s"}).
    @ivar str2: usually the detail put into it, or None.
    @ivar int1: -1, or 0 from checks of arguments.
    @ivar dom: the domain that the error is about as C{(name, uuid, id)}, or None.
    @ivar net: the network that the error is about as C{(name, uuid)}, or None.
    """

    code: int = ErrorCode.INTERNAL_ERROR
    byCode: ClassVar[dict[int, type[VirtError]]] = {}

    def __init_subclass__(cls) -> None:
        if "code" in vars(cls) and VirtError.byCode.setdefault(cls.code, cls) is not cls:
            raise TypeError(f"{cls.__name__}: code {cls.code} is taken")

    def __init__(
        self,
        message: str | None,
        *,
        code: int | None = None,
        domain: int = ErrorDomain.NONE,
        level: int = LEVEL_ERROR,
        str1: str | None = None,
        str2: str | None = None,
        str3: str | None = None,
        int1: int = -1,
        int2: int = -1,
        dom: Any = None,
        net: Any = None,
    ) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code
        self.message = message
        self.domain = domain
        self.level = level
        self.str1 = str1
        self.str2 = str2
        self.str3 = str3
        self.int1 = int1
        self.int2 = int2
        self.dom = dom
        self.net = net

    def __str__(self) -> str:
        return self.message or ""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.message!r}, code={int(self.code)}, domain={int(self.domain)})"

    # The binding's accessors, so that handlers written for it work here.

    def get_error_code(self) -> int:
        """Return the number of the error (C{VIR_ERR_*})."""
        return int(self.code)

    def get_error_domain(self) -> int:
        """Return the number of the reporting part (C{VIR_FROM_*})."""
        return int(self.domain)

    def get_error_message(self) -> str | None:
        """Return the whole message."""
        return self.message

    def get_error_level(self) -> int:
        """Return 1 for a warning, 2 for an error."""
        return self.level

    def get_str1(self) -> str | None:
        """Return the first piece of the message, usually its form."""
        return self.str1

    def get_str2(self) -> str | None:
        """Return the second piece of the message, usually the detail."""
        return self.str2

    def get_str3(self) -> str | None:
        """Return the third piece of the message."""
        return self.str3

    def get_int1(self) -> int:
        """Return the first extra number."""
        return self.int1

    def get_int2(self) -> int:
        """Return the second extra number."""
        return self.int2


class InternalError(VirtError):
    """Something that should not happen did; or a driver raised what no caller can be told."""

    code = ErrorCode.INTERNAL_ERROR


class NotSupported(VirtError):
    """The driver of this connection does not provide the operation."""

    code = ErrorCode.NO_SUPPORT


class InvalidArgument(VirtError):
    """An argument is out of its range, absent, or not allowed with another."""

    code = ErrorCode.INVALID_ARG


class OperationFailed(VirtError):
    """The operation was tried and did not succeed."""

    code = ErrorCode.OPERATION_FAILED


class OperationDenied(VirtError):
    """The connection is read-only."""

    code = ErrorCode.OPERATION_DENIED


class AccessDenied(VirtError):
    """A policy forbids the operation to this caller."""

    code = ErrorCode.ACCESS_DENIED


class RPCError(VirtError):
    """The conversation with the peer failed."""

    code = ErrorCode.RPC


class OutcomeUnknown(RPCError):
    """
    The connection broke before the answer came: the operation may or may not have happened.

    It travels and compares as L{RPCError}; the class tells callers that retrying may repeat a change.
    """


class NotConnected(VirtError):
    """
    A connection that heals itself is away, or was given up: nothing was sent, so nothing has happened.
    """


class CallFailed(VirtError):
    """A call failed in the library itself, without an error of libvirt's that would say why."""


class NoSuchDomain(VirtError):
    """No domain has the name, UUID or id that was asked for."""

    code = ErrorCode.NO_DOMAIN


class NoSuchNetwork(VirtError):
    """No network has the name or UUID that was asked for."""

    code = ErrorCode.NO_NETWORK


class NoSuchStoragePool(VirtError):
    """No storage pool has the name or UUID that was asked for."""

    code = ErrorCode.NO_STORAGE_POOL


class NoSuchStorageVol(VirtError):
    """No storage volume has the name, key or path that was asked for."""

    code = ErrorCode.NO_STORAGE_VOL


class NoSuchInterface(VirtError):
    """No host interface has the name or address that was asked for."""

    code = ErrorCode.NO_INTERFACE


class NoSuchNodeDevice(VirtError):
    """No node device has the name that was asked for."""

    code = ErrorCode.NO_NODE_DEVICE


class AuthenticationFailed(VirtError):
    """The peer did not accept who we say we are."""

    code = ErrorCode.AUTH_FAILED


class OperationInvalid(VirtError):
    """The object is not in a state that allows the operation."""

    code = ErrorCode.OPERATION_INVALID


class ConfigUnsupported(VirtError):
    """The definition asks for something the driver cannot do."""

    code = ErrorCode.CONFIG_UNSUPPORTED


class ArgumentUnsupported(VirtError):
    """An argument is valid but the driver cannot honour it."""

    code = ErrorCode.ARGUMENT_UNSUPPORTED


class XMLError(VirtError):
    """A definition is well-formed but says something impossible."""

    code = ErrorCode.XML_ERROR


class OperationTimeout(VirtError):
    """A deadline passed before the operation finished."""

    code = ErrorCode.OPERATION_TIMEOUT


class ResourceBusy(VirtError):
    """Something else is using what the operation needs."""

    code = ErrorCode.RESOURCE_BUSY


class NoConnect(VirtError):
    """No driver accepts the URI."""

    code = ErrorCode.NO_CONNECT


def virtError(
    code: int, detail: str | None = None, domain: int = ErrorDomain.NONE, **extra: Any
) -> VirtError:
    """
    Make the error of C{code} with libvirt's text for it, as code anywhere in libvirt reports it.

    @param detail: what goes into the text; None uses the bare text.
    @param extra: further attributes of L{VirtError} (C{str3}, C{int1}, C{dom} ...).
    @return: an instance of the code's own class where it has one.
    """
    bare, form = MESSAGES.get(code, ("error", "error: %s"))
    cls = VirtError.byCode.get(code, VirtError)
    if detail is None:
        extra.setdefault("str1", bare)
        return cls(bare, code=code, domain=domain, **extra)
    extra.setdefault("str1", form)
    extra.setdefault("str2", detail)
    return cls(form.replace("%s", detail), code=code, domain=domain, **extra)


#: What the system refuses when there is too little of something, which is no fault of whoever asked for it.
_SHORTAGES = (
    *(errno.EMFILE, errno.ENFILE, errno.ENOMEM),
    *(errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO),
)


def shortage(problem: BaseException | None) -> VirtError | None:
    """Make the error of what the system refused for want of something, None: it was something else."""
    if not isinstance(problem, OSError) or problem.errno not in _SHORTAGES:
        return None
    text = os.strerror(problem.errno)
    if problem.filename is not None:
        text = f"Failed to open file '{problem.filename}': {text}"
    return virtError(ErrorCode.SYSTEM_ERROR, text, int1=problem.errno)


def argumentError(function: str, argument: str, problem: str, domain: int) -> VirtError:
    """
    Make the error of a failed check of an argument: C{"<argument> in <function> <problem>"}.

    These carry the function and the argument as C{str1} and C{str2}, and zeros as numbers.

    @param problem: such as C{"must not be NULL"} or C{"must be greater than zero"}.
    """
    return InvalidArgument(
        f"{argument} in {function} {problem}",
        domain=domain,
        str1=function,
        str2=argument,
        int1=0,
        int2=0,
    )


# Fill the registry: every class above names its own code, the base the default one.
VirtError.byCode.setdefault(ErrorCode.INTERNAL_ERROR, InternalError)
