"""
Tables of many small classes, without what each of them would keep to itself.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import Any, ForwardRef

__all__ = ["lighten"]


def lighten(namespace: Mapping[str, Any]) -> None:
    """
    Let a module's named tuples share what is the same in all.

    Annotations stay the text that they are written in, which C{typing.get_type_hints} reads as well: each is a compiled
    L{ForwardRef} otherwise.  Methods that C{collections.namedtuple} makes for each class, and that work alike for
    all, become one each.  In modules of hundreds of small classes that is half of their memory.

    @param namespace: the module's C{globals()}, at its end.
    """
    for kind in list(namespace.values()):
        if (
            isinstance(kind, type)
            and issubclass(kind, tuple)
            and hasattr(kind, "_fields")
            and kind.__module__ == namespace["__name__"]
        ):
            texts = {
                name: each.__forward_arg__ if isinstance(each, ForwardRef) else each
                for name, each in kind.__annotations__.items()
            }
            kind.__annotations__ = texts
            kind.__new__.__annotations__ = texts
            for name, shared in _SHARED.items():
                if getattr(vars(kind).get(name), "__module__", None) == "collections":
                    setattr(kind, name, shared)


_UNEXPECTED = TypeError if sys.version_info >= (3, 13) else ValueError
"""What a named tuple raises where fields are named that it does not have."""


def _make(cls: Any, iterable: Iterable[Any]) -> Any:
    """Make a new tuple of its class from a sequence or iterable."""
    made = tuple.__new__(cls, iterable)
    if len(made) != len(cls._fields):
        raise TypeError(f"Expected {len(cls._fields)} arguments, got {len(made)}")
    return made


def _replace(self: Any, /, **values: Any) -> Any:
    """Return a new tuple of its class with other values in some fields."""
    made = self._make(map(values.pop, self._fields, self))
    if values:
        raise _UNEXPECTED(f"Got unexpected field names: {list(values)!r}")
    return made


def _asDict(self: Any) -> dict[str, Any]:
    """Return a new dictionary of fields and values."""
    return dict(zip(self._fields, self, strict=True))


def _represent(self: Any) -> str:
    inside = ", ".join(f"{name}={value!r}" for name, value in zip(self._fields, self, strict=True))
    return f"{type(self).__name__}({inside})"


def _arguments(self: Any) -> tuple[Any, ...]:
    return tuple(self)


_SHARED = {
    "_make": classmethod(_make),
    "_replace": _replace,
    "__replace__": _replace,
    "_asdict": _asDict,
    "__repr__": _represent,
    "__getnewargs__": _arguments,
}
