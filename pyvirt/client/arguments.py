"""
What the binding's C layer does to arguments: whole numbers wrap or overflow, wrong types are refused, absent
text is told by the C function's own name for it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from pyvirt.errors import argumentError
from pyvirt.protocols import xdr
from pyvirt.protocols.procedures import Procedure
from pyvirt.routes.family import domainOf, function

__all__ = ["coerce", "descriptors", "fitting", "index", "parseUUID", "requireText", "texts"]

_C_NAMES = {
    "connectCompareCPU": {"xml": "xmlDesc"},
    "connectCompareHypervisorCPU": {"xmlcpu": "xmlCPU"},
    "connectDomainXMLToNative": {"domainXML": "domainXml"},
    "domainBlockCopy": {"path": "disk"},
    "domainBlockJobAbort": {"path": "disk"},
    "domainBlockJobSetSpeed": {"path": "disk"},
    "domainBlockPeek": {"path": "disk"},
    "domainBlockPull": {"path": "disk"},
    "domainBlockRebase": {"path": "disk"},
    "domainBlockStats": {"path": "disk"},
    "domainBlockStatsFlags": {"path": "disk"},
    "domainGetBlockInfo": {"path": "disk"},
    "domainGetBlockJobInfo": {"path": "disk"},
    "domainRename": {"newName": "new_name"},
    "domainRestore": {"from_": "from"},
    "domainRestoreFlags": {"from_": "from"},
    "domainSetVcpu": {"cpumap": "vcpumap"},
    "interfaceLookupByMACString": {"mac": "macstr"},
    "networkCreateXML": {"xml": "xmlDesc"},
    "networkCreateXMLFlags": {"xml": "xmlDesc"},
    "networkPortCreateXML": {"xml": "xmldesc"},
    "nwfilterBindingLookupByPortDev": {"name": "portdev"},
    "nwfilterDefineXML": {"xml": "xmlDesc"},
    "nwfilterDefineXMLFlags": {"xml": "xmlDesc"},
    "storagePoolCreateXML": {"xml": "xmlDesc"},
    "storageVolCreateXML": {"xml": "xmlDesc"},
    "storageVolCreateXMLFrom": {"xml": "xmlDesc"},
}
"""Where the C function calls an argument differently from the wire."""

_TEXT_FIRST = frozenset(
    ("domainAttachDevice", "domainDetachDevice", "networkCreateXML", "nwfilterDefineXML")
)
"""Where absent text is told even to those who may only look."""

_UNCHECKED = frozenset(
    ("domainMonitorCommand", "domainAgentCommand", "domainGetInterfaceParameters")
)
"""Where absent text is found out by the encoder only."""

_RANGES = {"i": (-(1 << 31), (1 << 31) - 1), "q": (-(1 << 63), (1 << 63) - 1)}
_INTS = {"i": (*_RANGES["i"], "int"), "I": (0, (1 << 32) - 1, "unsigned int")}
_LONGS = {"q": _RANGES["q"], "Q": (0, (1 << 64) - 1)}
_MASKS = {"I": (1 << 32) - 1, "Q": (1 << 64) - 1}


def coerce(procedure: Procedure, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """
    Make arguments fit the wire.

    Unsigned numbers keep their lowest bits, as the binding lets them.  None stays: whether it may be there is
    for the checks of the call to say.

    @raise TypeError: an argument has the wrong type.
    @raise OverflowError: a signed number is too large.
    """
    fitting = tuple(map(lambda step, value: step(value), _steps(procedure), arguments))
    if procedure.name in _TEXT_FIRST:
        requireText(procedure, fitting)
    return fitting


@cache
def _steps(procedure: Procedure) -> list[Callable[[Any], Any]]:
    # In C the connection comes first where the wire begins with no object.
    first = 2
    if procedure.arguments and isinstance(procedure.arguments[0][1], xdr.Struct):
        first = 1
    return [
        _step(procedure, first + number, kind)
        for number, (_, kind) in enumerate(procedure.arguments)
    ]


def _step(procedure: Procedure, position: int, kind: xdr.Type) -> Callable[[Any], Any]:
    if isinstance(kind, xdr.Scalar):
        return _number(kind.code)
    if isinstance(kind, xdr.Maybe):
        kind = kind.element
    return _text(procedure, position) if isinstance(kind, xdr.String) else _same


def _same(value: Any) -> Any:
    return value


def _number(code: str) -> Callable[[Any], Any]:
    if code in _MASKS:
        mask = _MASKS[code]
        top = mask.bit_length()

        def wrapped(value: Any) -> int:
            number: int = value.__index__() if hasattr(value, "__index__") else _noInteger(value)
            if number >> 64 not in (0, -1) and top == 64:
                raise OverflowError("Python int too large to convert to C long")
            return number & mask

        return wrapped
    if code in _RANGES:
        low, high = _RANGES[code]

        def ranged(value: Any) -> int:
            number: int = value.__index__() if hasattr(value, "__index__") else _noInteger(value)
            if number > high:
                raise OverflowError("signed integer is greater than maximum")
            if number < low:
                raise OverflowError("signed integer is less than minimum")
            return number

        return ranged
    return float


def _noInteger(value: Any) -> int:
    raise TypeError(f"'{type(value).__name__}' object cannot be interpreted as an integer")


def index(value: Any) -> int:
    """
    Take a whole number.

    @raise TypeError: it is none.
    """
    number: int = value.__index__() if hasattr(value, "__index__") else _noInteger(value)
    return number


def fitting(value: Any, code: str) -> int:
    """
    Take a number that goes into a C structure, in the words of the binding for those that do not.

    @param code: C{i}, C{I}, C{q} or C{Q}, as in L{struct}.
    @raise TypeError: it is no whole number.
    @raise OverflowError: it is out of range.
    """
    if code in "qQ":
        if not isinstance(value, int):
            raise TypeError("an integer is required")
        if code == "Q" and value < 0:
            raise OverflowError("can't convert negative int to unsigned")
        low, high = _LONGS[code]
        if not low <= value <= high:
            raise OverflowError("int too big to convert")
        return int(value)
    number = index(value)
    low, high = _LONGS["q"]
    if not low <= number <= high:
        raise OverflowError("Python int too large to convert to C long")
    low, high, label = _INTS[code]
    if not low <= number <= high:
        raise OverflowError(f"Python int too large to convert to C {label}")
    return number


def texts(value: Any) -> list[str]:
    """
    Take a list of texts; what is no list counts as an empty one, as in the binding.

    @raise TypeError: something in it is no text.
    """
    if not isinstance(value, list):
        return []
    for each in value:
        if not isinstance(each, str):
            raise TypeError("bad argument type for built-in operation")
    return list(value)


def descriptors(value: Any) -> list[int]:
    """
    Take a list of file descriptors.

    @raise TypeError: it is no list, or something in it is no number.
    """
    if not isinstance(value, list):
        raise TypeError("unexpected type")
    return [index(each) for each in value]


def _text(procedure: Procedure, position: int) -> Callable[[Any], str | None]:
    def text(value: Any) -> str | None:
        if value is None or isinstance(value, str):
            return value
        raise TypeError(
            f"{function(procedure)}() argument {position} must be str or None, "
            f"not {type(value).__name__}"
        )

    return text


def requireText(procedure: Procedure, arguments: tuple[Any, ...]) -> None:
    """
    Refuse None where the wire must have text; the checks of the call come before this.

    @raise VirtError: an argument is None (C{INVALID_ARG}).
    """
    if procedure.name in _UNCHECKED:
        return
    for value, (name, kind) in zip(arguments, procedure.arguments, strict=True):
        if value is None and isinstance(kind, xdr.String):
            raise argumentError(
                function(procedure),
                _C_NAMES.get(procedure.name, {}).get(name, name),
                "must not be NULL",
                domainOf(procedure),
            )


def parseUUID(text: str) -> bytes | None:
    """
    Read a UUID as libvirt does: 32 digits, blanks around them, hyphens between bytes.

    @return: 16 bytes, or None if it is no UUID.
    """
    rest = text.strip(" \t\n\r\f\v")
    found = bytearray()
    while len(found) < 16:
        rest = rest.lstrip("-")
        try:
            if len(rest) < 2 or not rest[:2].isalnum():
                return None
            found.append(int(rest[:2], 16))
        except ValueError:
            return None
        rest = rest[2:]
    return bytes(found) if not rest else None
