"""
The classes that definitions are made of: frozen, slotted, with keyword arguments only.

To C{attrs} they are classes of its own, so that C{attrs.fields} and C{attrs.evolve} take them.  But it compiles
half a dozen methods for each class when that is imported, and there are hundreds, of which a program uses
few: here comparison, hash and representation are shared, and a constructor is compiled when it is first called.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any, NamedTuple, TypeVar, dataclass_transform

import attrs
from attrs.exceptions import FrozenInstanceError

__all__ = ["Field", "definition"]

_Class = TypeVar("_Class", bound=type)
_FIELDS = "__attrs_attrs__"
_SAID = "_said"
"""Where a class has what it says of its fields, inherited ones too: name to kind and default or L{Field}."""


class Field(NamedTuple):
    """What a class says of a field: its default and what others want to know of it."""

    default: Any
    metadata: dict[str, Any]


@dataclass_transform(kw_only_default=True, frozen_default=True)
def definition(cls: _Class) -> _Class:
    """Make a class a frozen, slotted one with a constructor that takes its annotated fields by name."""
    space = dict(vars(cls))
    inherited: dict[str, tuple[Any, Any]] = {}
    for base in reversed(cls.__mro__[1:]):
        inherited |= vars(base).get(_SAID, {})
    own = {
        name: (kind, space.pop(name, attrs.NOTHING))
        for name, kind in space.get("__annotations__", {}).items()
        if not str(kind).startswith(("ClassVar", "typing.ClassVar"))
    }
    fields = {name: each for name, each in inherited.items() if name not in own} | own
    for name in ("__dict__", "__weakref__"):
        space.pop(name, None)
    space["__slots__"] = tuple(name for name in own if name not in inherited)
    space[_SAID] = fields
    space[_FIELDS] = _LaterFields()
    space["_valuesOf"] = staticmethod(_firstValues)
    space["__init__"] = _firstInit
    space["__setattr__"] = _refuse
    space["__delattr__"] = _refuse
    space["__reduce__"] = _reduce
    if "__eq__" not in space:
        space["__eq__"] = _equal
    if "__hash__" not in vars(cls) or space["__hash__"] is None:
        space["__hash__"] = _hash
    if "__repr__" not in space:
        space["__repr__"] = _represent
    made: _Class = type(cls)(cls.__name__, cls.__bases__, space)
    return made


def _attribute(name: str, kind: Any, given: Any) -> Any:
    metadata: dict[str, Any] = {}
    if isinstance(given, Field):
        given, metadata = given
    return attrs.Attribute(  # type: ignore[call-arg]
        name=name,
        default=given,
        validator=None,
        repr=True,
        cmp=None,
        hash=None,
        init=True,
        inherited=False,
        metadata=metadata,
        type=kind,
        kw_only=True,
        eq=True,
        eq_key=None,
        order=True,
        order_key=None,
        on_setattr=None,
        alias=name,
    )


class _LaterFields:
    """Stands for the fields that C{attrs} wants to see, until somebody looks at them: most never are."""

    def __get__(self, instance: object, cls: type) -> Any:
        owner = _owner(cls)
        fields = tuple(_attribute(name, *said) for name, said in vars(owner)[_SAID].items())
        setattr(owner, _FIELDS, fields)
        return fields


def _owner(cls: type) -> type:
    """Return the class that L{definition} made: it may have been derived from, as open forms are."""
    return next(each for each in cls.__mro__ if _SAID in vars(each))


def _firstValues(value: Any) -> Any:
    """Make the function that returns all values of an instance, and call it."""
    cls: Any = _owner(type(value))
    names = tuple(vars(cls)[_SAID])
    get: Callable[[Any], Any] = attrgetter(*names) if names else lambda value: ()
    cls._valuesOf = staticmethod(get)
    return get(value)


def _refuse(self: Any, *_: Any) -> None:
    raise FrozenInstanceError


def _equal(self: Any, other: Any) -> Any:
    if other.__class__ is not self.__class__:
        return NotImplemented
    return bool(self._valuesOf(self) == self._valuesOf(other))


def _hash(self: Any) -> int:
    return hash(self._valuesOf(self))


def _represent(self: Any) -> str:
    parts = (f"{name}={getattr(self, name)!r}" for name in getattr(self, _SAID))
    return f"{type(self).__qualname__}({', '.join(parts)})"


def _reduce(self: Any) -> Any:
    values = {name: getattr(self, name) for name in getattr(self, _SAID)}
    return _made, (type(self), values)


def _made(cls: type, values: dict[str, Any]) -> Any:
    return cls(**values)


def _firstInit(self: Any, **given: Any) -> None:
    """Compile the constructor of a class, and call it."""
    cls = _owner(type(self))
    constructor = _compileInit(cls)
    setattr(cls, "__init__", constructor)  # noqa: B010
    constructor(self, **given)


def _compileInit(cls: Any) -> Any:
    space: dict[str, Any] = {"N": attrs.NOTHING}
    parameters = ["self"]
    lines = []
    for each in getattr(cls, _FIELDS):
        space[f"S_{each.name}"] = getattr(cls, each.name).__set__
        if len(parameters) == 1:
            parameters.append("*")
        if each.default is attrs.NOTHING:
            parameters.append(each.name)
            value = each.name
        elif isinstance(each.default, attrs.Factory):  # type: ignore[arg-type]
            space[f"D_{each.name}"] = each.default.factory
            parameters.append(f"{each.name}=N")
            value = f"D_{each.name}() if {each.name} is N else {each.name}"
        else:
            space[f"D_{each.name}"] = each.default
            parameters.append(f"{each.name}=D_{each.name}")
            value = each.name
        lines.append(f" S_{each.name}(self, {value})")
    source = f"def __init__({', '.join(parameters)}):\n" + ("\n".join(lines) or " pass")
    exec(compile(source, f"<constructor of {cls.__name__}>", "exec"), space)
    return space["__init__"]
