"""
Who a client says it speaks for, when a daemon in front of this one passes a caller's identity on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyvirt import constants as c
from pyvirt.drivers.interfaces.values import TypedParam
from pyvirt.params import validateParams

__all__ = ["checkIdentity"]

_TYPES = {
    c.VIR_CONNECT_IDENTITY_USER_NAME: c.VIR_TYPED_PARAM_STRING,
    c.VIR_CONNECT_IDENTITY_UNIX_USER_ID: c.VIR_TYPED_PARAM_ULLONG,
    c.VIR_CONNECT_IDENTITY_GROUP_NAME: c.VIR_TYPED_PARAM_STRING,
    c.VIR_CONNECT_IDENTITY_UNIX_GROUP_ID: c.VIR_TYPED_PARAM_ULLONG,
    c.VIR_CONNECT_IDENTITY_PROCESS_ID: c.VIR_TYPED_PARAM_LLONG,
    c.VIR_CONNECT_IDENTITY_PROCESS_TIME: c.VIR_TYPED_PARAM_ULLONG,
    c.VIR_CONNECT_IDENTITY_SASL_USER_NAME: c.VIR_TYPED_PARAM_STRING,
    c.VIR_CONNECT_IDENTITY_X509_DISTINGUISHED_NAME: c.VIR_TYPED_PARAM_STRING,
    c.VIR_CONNECT_IDENTITY_SELINUX_CONTEXT: c.VIR_TYPED_PARAM_STRING,
}


def checkIdentity(parameters: Sequence[TypedParam]) -> dict[str, Any]:
    """
    Check the parameters of an identity and return them by name.

    @raise VirtError: as L{validateParams} does.
    """
    return validateParams(parameters, _TYPES)
