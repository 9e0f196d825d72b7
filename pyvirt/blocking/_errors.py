"""
Errors as the C binding has them: one exception class, a last error per thread, a handler or a line on stderr.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from pyvirt.errorcodes import DOMAIN_LABELS, ErrorCode, ErrorDomain
from pyvirt.errors import CallFailed, VirtError, virtError

__all__ = [
    "errors",
    "latest",
    "libvirtError",
    "reported",
    "virGetLastError",
    "virGetLastErrorCode",
    "virGetLastErrorDomain",
    "virGetLastErrorMessage",
    "virResetLastError",
]

ErrorTuple = tuple[int, int, str | None, int, str | None, str | None, str | None, int, int]
"""Code, domain, message, level, three strings and two numbers."""

_T = TypeVar("_T")

Handler = Callable[[Any, ErrorTuple], Any]


class _Errors(threading.local):
    """
    What a thread knows of errors.

    @ivar last: the error of its last call that failed, until the next call.
    """

    last: ErrorTuple | None = None


errors = _Errors()

latest: WeakKeyDictionary[Any, ErrorTuple] = WeakKeyDictionary()
"""Connections of the client, to the last error of their calls, kept through calls that succeed."""

_handler: tuple[Handler, Any] | None = None


class libvirtError(VirtError):
    """
    A call failed.  As in the C binding it takes the thread's last error, and C{defmsg} where there is none.

    @ivar err: code, domain, message, level, str1, str2, str3, int1, int2; None: no error of libvirt's.
    """

    def __init__(self, defmsg: str | None) -> None:
        err = errors.last
        self.err = err
        if err is None:
            super().__init__(defmsg)
        else:
            code, domain, message, level, str1, str2, str3, int1, int2 = err
            super().__init__(
                message,
                code=code,
                domain=domain,
                level=level,
                str1=str1,
                str2=str2,
                str3=str3,
                int1=int1,
                int2=int2,
            )

    __str__ = Exception.__str__

    def __repr__(self) -> str:
        return Exception.__repr__(self)

    def __reduce__(self) -> Any:
        return _rebuilt, (self.message, self.err)

    def _part(self, number: int) -> Any:
        return None if self.err is None else self.err[number]

    def get_error_code(self) -> Any:
        """Return the number of the error (C{VIR_ERR_*}), None where libvirt said nothing."""
        return self._part(0)

    def get_error_domain(self) -> Any:
        """Return the number of the reporting part (C{VIR_FROM_*})."""
        return self._part(1)

    def get_error_message(self) -> Any:
        """Return libvirt's message."""
        return self._part(2)

    def get_error_level(self) -> Any:
        """Return 1 for a warning, 2 for an error."""
        return self._part(3)

    def get_str1(self) -> Any:
        """Return the first piece of the message."""
        return self._part(4)

    def get_str2(self) -> Any:
        """Return the second piece of the message."""
        return self._part(5)

    def get_str3(self) -> Any:
        """Return the third piece of the message."""
        return self._part(6)

    def get_int1(self) -> Any:
        """Return the first extra number."""
        return self._part(7)

    def get_int2(self) -> Any:
        """Return the second extra number."""
        return self._part(8)


# What tracebacks print is what scripts and people look for.
libvirtError.__module__ = "libvirt"


def _rebuilt(message: str | None, err: ErrorTuple | None) -> libvirtError:
    former, errors.last = errors.last, err
    try:
        return libvirtError(message)
    finally:
        errors.last = former


def reported(error: VirtError, former: ErrorTuple | None = None) -> libvirtError:
    """
    Make the exception of a failure: it becomes the last error, and is told to the handler or printed.

    @param former: the last error before the call; a failure without words of its own repeats it.
    """
    if isinstance(error, CallFailed):
        errors.last = former
        return libvirtError(error.message)
    errors.last = (
        int(error.code),
        int(error.domain),
        error.message,
        error.level,
        error.str1,
        error.str2,
        error.str3,
        error.int1,
        error.int2,
    )
    _tell(errors.last)
    return libvirtError(error.message)


def _tell(err: ErrorTuple) -> None:
    if _handler is not None:
        function, context = _handler
        try:
            function(context, err)
        except Exception as problem:
            problem.__context__ = None
            traceback.print_exc()
        return
    level = {0: "", 1: "warning", 2: "error"}.get(err[3], "")
    label = DOMAIN_LABELS.get(err[1], "")
    text = f"libvirt: {label} {level} : "
    if err[:2] == (ErrorCode.XML_DETAIL, ErrorDomain.XML) and err[7]:
        text += f"line {err[7]}: {err[2] or ''}"  # which libvirt ends as it is
    else:
        text += (err[2] or "").rstrip("\n") + "\n"
    # Straight to the descriptor, as from C: what stands in for sys.stderr does not get it.
    with contextlib.suppress(Exception):
        sys.stderr.flush()
    with contextlib.suppress(OSError):
        os.write(2, text.encode("utf-8", "surrogateescape"))


def registerErrorHandler(
    f: Callable[
        [
            _T,
            tuple[int, int, str | None, int, str | None, str | None, str | None, int, int],
        ],
        object,
    ]
    | None,
    ctx: _T,
) -> int:
    """
    Have C{f(ctx, error)} called for each error, in the thread whose call failed; nothing is printed then.

    @param f: None: print errors on stderr, as at first.
    @return: 1.
    """
    global _handler
    _handler = None if f is None else (f, ctx)
    return 1


def virGetLastError() -> ErrorTuple | None:
    """Return the error of this thread's last call, None if it did not fail."""
    return errors.last


def virGetLastErrorMessage() -> str:
    """Return the message of this thread's last error."""
    return "no error" if errors.last is None else errors.last[2] or "unknown error"


def virGetLastErrorCode() -> int:
    """Return the number of this thread's last error, 0 if there is none."""
    return 0 if errors.last is None else errors.last[0]


def virGetLastErrorDomain() -> int:
    """Return who reported this thread's last error, 0 if there is none."""
    return 0 if errors.last is None else errors.last[1]


def virResetLastError() -> None:
    """Forget this thread's last error."""
    errors.last = None


def invalidConnection(function: str, domain: int = ErrorDomain.DOMAIN) -> libvirtError:
    """Report that a closed connection was used."""
    return reported(virtError(ErrorCode.INVALID_CONN, function, domain))
