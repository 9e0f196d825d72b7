"""
Typed parameters as drivers get them: L{validateParams} refuses what a setter does not know.

Source of the order of the checks and of the texts: observed on libvirtd 9.0.0.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from pyvirt import constants as c
from pyvirt.drivers.interfaces.values import TypedParam
from pyvirt.errors import ErrorCode, virtError

__all__ = ["TYPE_NAMES", "validateParams"]

TYPE_NAMES: Final[Mapping[int, str]] = {
    c.VIR_TYPED_PARAM_INT: "int",
    c.VIR_TYPED_PARAM_UINT: "uint",
    c.VIR_TYPED_PARAM_LLONG: "llong",
    c.VIR_TYPED_PARAM_ULLONG: "ullong",
    c.VIR_TYPED_PARAM_DOUBLE: "double",
    c.VIR_TYPED_PARAM_BOOLEAN: "boolean",
    c.VIR_TYPED_PARAM_STRING: "string",
}
"""What messages call the types C{VIR_TYPED_PARAM_*}."""


def validateParams(
    params: Iterable[TypedParam], known: Mapping[str, int], multiple: Collection[str] = ()
) -> dict[str, Any]:
    """
    Check that each parameter is known, has the right type and is given once.

    They are looked at in the order of their names, and those of one name in the order given, so that several
    mistakes are reported as libvirt would: the first one.

    @param known: the names a setter accepts, to their C{VIR_TYPED_PARAM_*}.
    @param multiple: those of them that may be given several times.
    @return: the values by name, in the order given; for names in C{multiple} a list of values.
    @raise VirtError: C{ARGUMENT_UNSUPPORTED} for an unknown name, C{INVALID_ARG} for a wrong type or a
        repetition.
    """
    given = list(params)
    last = None
    for param in sorted(given, key=_order):
        name = param.field
        expected = known.get(name)
        if expected is None:
            raise virtError(ErrorCode.ARGUMENT_UNSUPPORTED, f"parameter '{name}' not supported")
        if name == last and name not in multiple:
            raise virtError(ErrorCode.INVALID_ARG, f"parameter '{name}' occurs multiple times")
        if param.type != expected:
            raise virtError(
                ErrorCode.INVALID_ARG,
                f"invalid type '{TYPE_NAMES.get(param.type, 'unknown')}' for parameter '{name}', "
                f"expected '{TYPE_NAMES[expected]}'",
            )
        last = name
    found: dict[str, Any] = {}
    for param in given:
        if param.field in multiple:
            found.setdefault(param.field, []).append(param.value)
        else:
            found[param.field] = param.value
    return found


def _order(param: TypedParam) -> bytes:
    """By the bytes of the name, as C compares."""
    return param.field.encode("utf-8", "surrogateescape")
