"""
Who a client says it speaks for, when a daemon in front of this one passes a caller's identity on.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from pyvirt import constants
from pyvirt.errors import ErrorCode, virtError

__all__ = ["checkIdentity"]

_NAMES = ("", "int", "uint", "llong", "ullong", "double", "boolean", "string")
_LLONG, _ULLONG, _STRING = 3, 4, 7
_TYPES = {
    constants.VIR_CONNECT_IDENTITY_USER_NAME: _STRING,
    constants.VIR_CONNECT_IDENTITY_UNIX_USER_ID: _ULLONG,
    constants.VIR_CONNECT_IDENTITY_GROUP_NAME: _STRING,
    constants.VIR_CONNECT_IDENTITY_UNIX_GROUP_ID: _ULLONG,
    constants.VIR_CONNECT_IDENTITY_PROCESS_ID: _LLONG,
    constants.VIR_CONNECT_IDENTITY_PROCESS_TIME: _ULLONG,
    constants.VIR_CONNECT_IDENTITY_SASL_USER_NAME: _STRING,
    constants.VIR_CONNECT_IDENTITY_X509_DISTINGUISHED_NAME: _STRING,
    constants.VIR_CONNECT_IDENTITY_SELINUX_CONTEXT: _STRING,
}


def checkIdentity(parameters: Sequence[tuple[str, int, Any]]) -> dict[str, Any]:
    """
    Check the parameters of an identity and return them by name.

    @raise VirtError: one is unknown, has the wrong type or comes twice.
    """
    names = sorted(parameters, key=lambda each: each[0])
    for one, other in pairwise(names):
        if one[0] == other[0]:
            raise virtError(ErrorCode.INVALID_ARG, f"parameter '{one[0]}' occurs multiple times")
    for field, kind, _ in parameters:
        expected = _TYPES.get(field)
        if expected is None:
            raise virtError(ErrorCode.ARGUMENT_UNSUPPORTED, f"parameter '{field}' not supported")
        if kind != expected:
            raise virtError(
                ErrorCode.INVALID_ARG,
                f"invalid type '{_NAMES[kind]}' for parameter '{field}',"
                f" expected '{_NAMES[expected]}'",
            )
    return {field: value for field, _, value in parameters}
