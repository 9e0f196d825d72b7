"""
Typed parameters from dictionaries: by the types that the far side uses, or by those that a call documents.

Source: observed on the binding: names that are not known are refused here, numbers are checked against their
type, and integers of no known type travel as unsigned long.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pyvirt import constants
from pyvirt.client.arguments import fitting
from pyvirt.protocols.structs import TypedParam

__all__ = ["HINTS", "byHints", "byTypes", "needSome"]

INT = constants.VIR_TYPED_PARAM_INT
UINT = constants.VIR_TYPED_PARAM_UINT
LLONG = constants.VIR_TYPED_PARAM_LLONG
ULLONG = constants.VIR_TYPED_PARAM_ULLONG
DOUBLE = constants.VIR_TYPED_PARAM_DOUBLE
BOOLEAN = constants.VIR_TYPED_PARAM_BOOLEAN
STRING = constants.VIR_TYPED_PARAM_STRING

_CODES = {INT: "i", UINT: "I", LLONG: "q", ULLONG: "Q"}


def typed(name: str, type: int, value: Any) -> TypedParam:
    """
    Make a parameter of a known type.

    @raise TypeError: the value cannot be one.
    @raise OverflowError: it is out of the type's range.
    """
    if type == STRING:
        if not isinstance(value, str):
            raise TypeError("bad argument type for built-in operation")
        return TypedParam(name, type, value)
    if type == BOOLEAN:
        return TypedParam(name, type, bool(value))
    if type == DOUBLE:
        return TypedParam(name, type, float(value))
    return TypedParam(name, type, fitting(value, _CODES[type]))


def needSome(values: Mapping[str, Any]) -> None:
    """
    Refuse to set nothing.

    @raise LookupError: there is nothing.
    @raise TypeError: it is no dictionary.
    """
    if not isinstance(values, dict):
        raise TypeError("parameters must be a dictionary")
    if not values:
        raise LookupError("Need non-empty dictionary to set attributes")


def byTypes(values: Mapping[str, Any], known: Iterable[TypedParam]) -> list[TypedParam]:
    """
    Make parameters of C{values}, each with the type that C{known} has for its name.

    @raise LookupError: there are none, or a name is not known.
    """
    needSome(values)
    types = {param[0]: param[1] for param in known}
    found = []
    for name, value in values.items():
        if not isinstance(name, str):
            raise TypeError("bad argument type for built-in operation")
        if name not in types:
            raise LookupError(f'Attribute name "{name}" could not be recognized')
        found.append(typed(name, types[name], value))
    return found


_MIGRATION = {
    "migrate_uri": STRING,
    "destination_name": STRING,
    "destination_xml": STRING,
    "persistent_xml": STRING,
    "bandwidth": ULLONG,
    "graphics_uri": STRING,
    "listen_address": STRING,
    "migrate_disks": STRING,
    "disks_port": INT,
    "disks_uri": STRING,
    "compression": STRING,
    "compression.mt.level": INT,
    "compression.mt.threads": INT,
    "compression.mt.dthreads": INT,
    "compression.xbzrle.cache": ULLONG,
    "auto_converge.initial": INT,
    "auto_converge.increment": INT,
    "bandwidth.postcopy": ULLONG,
    "parallel.connections": INT,
    "compression.zlib.level": INT,
    "compression.zstd.level": INT,
    "tls.destination": STRING,
    "migrate_disks_detect_zeroes": STRING,
    "bandwidth.avail.switchover": ULLONG,
}
_COPY = {"bandwidth": ULLONG, "granularity": UINT, "buf-size": ULLONG}
_IOTHREAD = {
    "poll_max_ns": ULLONG,
    "poll_grow": UINT,
    "poll_shrink": UINT,
    "thread_pool_min": INT,
    "thread_pool_max": INT,
}
_PORT = {
    "inbound.average": UINT,
    "inbound.peak": UINT,
    "inbound.burst": UINT,
    "inbound.floor": UINT,
    "outbound.average": UINT,
    "outbound.peak": UINT,
    "outbound.burst": UINT,
}
_IDENTITY = {
    "user-name": STRING,
    "unix-user-id": ULLONG,
    "group-name": STRING,
    "unix-group-id": ULLONG,
    "process-id": LLONG,
    "process-time": ULLONG,
    "sasl-user-name": STRING,
    "x509-distinguished-name": STRING,
    "selinux-context": STRING,
}
_LAUNCH_SECURITY = {
    "sev-secret-header": STRING,
    "sev-secret": STRING,
    "sev-secret-set-address": ULLONG,
}
_SAVING = {"file": STRING, "dxml": STRING, "image_format": STRING, "parallel.channels": INT}

HINTS: dict[str, dict[str, int]] = {
    "domainBlockCopy": _COPY,
    "domainMigrate": _MIGRATION,
    "domainSetIOThreadParams": _IOTHREAD,
    "networkPortSetParameters": _PORT,
    "connectSetIdentity": _IDENTITY,
    "domainSetLaunchSecurityState": _LAUNCH_SECURITY,
    "domainSaveParams": _SAVING,
    "domainRestoreParams": _SAVING,
}
"""Names and types of the parameters of calls that have no getter."""


def byHints(values: Any, hints: Mapping[str, int], kind: str = "") -> list[TypedParam]:
    """
    Make parameters of C{values}; names without a documented type get one by their value.

    A list of strings becomes one parameter for each.

    @param kind: what messages call them.
    @raise TypeError: C{values} is no dictionary, or a value fits no type.
    """
    if not isinstance(values, dict):
        raise TypeError(f"{kind or 'parameters'} must be a dictionary")
    found = []
    for name, value in values.items():
        if not isinstance(name, str):
            raise TypeError("bad argument type for built-in operation")
        for each in value if isinstance(value, list | tuple) else (value,):
            type = hints.get(name)
            found.append(typed(name, _guess(name, each) if type is None else type, each))
    return found


def _guess(name: str, value: Any) -> int:
    if isinstance(value, bool):
        return BOOLEAN
    if isinstance(value, int):
        if value >> 64 not in (0, -1):
            raise OverflowError("int too big to convert")
        return ULLONG if value >= 0 else LLONG
    if isinstance(value, float):
        return DOUBLE
    if not isinstance(value, str):
        raise TypeError(f'Unknown type of "{name}" field')
    return STRING
