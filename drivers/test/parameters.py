"""
Typed parameters as functions take them: known names, the right types, each once.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from pyvirt import constants as c
from pyvirt.drivers.interfaces.values import TypedParam
from pyvirt.errors import ErrorCode, ErrorDomain, virtError

__all__ = ["checkParameters"]

_TYPES = {
    c.VIR_TYPED_PARAM_INT: "int",
    c.VIR_TYPED_PARAM_UINT: "uint",
    c.VIR_TYPED_PARAM_LLONG: "llong",
    c.VIR_TYPED_PARAM_ULLONG: "ullong",
    c.VIR_TYPED_PARAM_DOUBLE: "double",
    c.VIR_TYPED_PARAM_BOOLEAN: "boolean",
    c.VIR_TYPED_PARAM_STRING: "string",
}


def checkParameters(
    params: list[TypedParam], known: Mapping[str, int], repeatable: Collection[str] = ()
) -> None:
    """
    Refuse parameters that a function does not take.

    @param known: the type of each that it takes: C{VIR_TYPED_PARAM_*}.
    @param repeatable: names that may come more than once.
    """
    byName = sorted(params, key=lambda param: param.field)
    last = None
    for param in byName:
        name = param.field
        kind = known.get(name)
        if kind is None:
            continue
        if name == last and name not in repeatable:
            raise virtError(
                ErrorCode.INVALID_ARG,
                f"parameter '{name}' occurs multiple times",
                ErrorDomain.NONE,
            )
        if param.type != kind:
            raise virtError(
                ErrorCode.INVALID_ARG,
                f"invalid type '{_TYPES.get(param.type, '(unknown)')}' for parameter '{name}', "
                f"expected '{_TYPES[kind]}'",
                ErrorDomain.NONE,
            )
        last = name
    for param in byName:
        if param.field not in known:
            raise virtError(
                ErrorCode.ARGUMENT_UNSUPPORTED,
                f"parameter '{param.field}' not supported",
                ErrorDomain.NONE,
            )
