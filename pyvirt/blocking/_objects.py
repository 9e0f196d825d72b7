"""
The classes of the blocking face, made from those of the client: same methods, parameters and defaults.

L{generate} writes a small method for each of a client's class; it calls the client's in the reactor's thread and
waits.  Handles in what goes in and comes out are exchanged for those of the other face where the client's
annotations say that there may be some.
"""

from __future__ import annotations

import contextlib
import inspect
import os
import re
import sys
import types
from collections.abc import Callable
from typing import Any, ClassVar

from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from pyvirt.blocking._checking import converter, suspicion
from pyvirt.blocking._errors import errors, latest, libvirtError, reported
from pyvirt.blocking._eventloop import loop
from pyvirt.blocking._formats import FORMATS
from pyvirt.blocking._reactor import thread
from pyvirt.client.connect import Connect
from pyvirt.client.domain import Domain
from pyvirt.client.handle import Handle
from pyvirt.client.stream import Stream
from pyvirt.errors import VirtError

__all__ = ["CLASSES", "Link", "Object", "call", "generate", "unwrap", "wrap"]

_HANDLES = re.compile(
    r"\b(Connect|Domain|DomainCheckpoint|DomainSnapshot|Interface|NWFilter|NWFilterBinding|Network"
    r"|NetworkPort|NodeDevice|Secret|StoragePool|StorageVol|Stream|Any|Handle|_\w)\b"
)
"""Annotations of what may hold handles."""

_ONE = re.compile(
    r"(Connect|Domain|DomainCheckpoint|DomainSnapshot|Interface|NWFilter|NWFilterBinding|Network"
    r"|NetworkPort|NodeDevice|Secret|StoragePool|StorageVol|Stream)( \| None)?"
)
"""Annotations of one handle."""

CLASSES: dict[type, type[Object]] = {}
"""Classes of handles of the client, to those of this face."""


def call(function: Callable[..., Any], *arguments: Any) -> Any:
    """
    Call a function of the client in the reactor's thread and wait for its result.

    @raise libvirtError: it failed; the error was told to the handler or printed.
    """
    former, errors.last = errors.last, None
    try:
        return thread.call(function, *arguments)
    except VirtError as error:
        problem = reported(error, former)
        if arguments and errors.last is not None:
            owner = getattr(arguments[0], "_conn", arguments[0])
            if isinstance(owner, Connect):
                latest[owner] = errors.last
    except (TypeError, ValueError, OverflowError):
        errors.last = former  # nothing was called
        raise
    try:
        raise problem
    finally:
        del problem  # it knows this frame, and with it would wait for the collector


class Link:
    """
    What keeps a connection open: its handles, objects and registered callbacks each hold it.

    As with the C library, closing a connection leaves it open for those that are left.

    @ivar isHeard: an event loop was registered when it opened.
    """

    inner: Any = None  # of a copy that was not finished, too

    def __init__(self, inner: Any, isHeard: bool) -> None:
        self.inner = inner
        self.isHeard = isHeard
        OPEN[id(self)] = inner

    def others(self) -> int:
        """Return how many hold it beside the caller's one variable."""
        return sys.getrefcount(self) - _OWN_REFERENCES

    def close(self) -> None:
        """Close for good."""
        inner, self.inner = self.inner, None
        if inner is None or OPEN.pop(id(self), None) is None:
            return
        if sys.is_finalizing():
            return
        try:
            if thread.isCurrent or thread.reactor is None:
                inner.close()
            else:
                thread.call(inner.close)
        finally:
            if self.isHeard:
                loop.detach()

    def __del__(self) -> None:
        self.close()


OPEN: dict[int, Any] = {}
"""The connections that are open."""


def _forked() -> None:
    """In a forked child: the parent's connections are not ours, and what is called on them fails."""
    connections = list(OPEN.values())
    OPEN.clear()
    for each in connections:
        protocol = getattr(each._session.connection, "protocol", None)
        if protocol is not None:
            with contextlib.suppress(Exception):
                os.close(protocol.transport.fileno())
            with contextlib.suppress(Exception):
                protocol.connectionLost(Failure(ConnectionDone()))


os.register_at_fork(after_in_child=_forked)


def _ownReferences() -> int:
    class Probe:
        def count(self) -> int:
            return sys.getrefcount(self)

    link = Probe()
    return link.count()


_OWN_REFERENCES = _ownReferences()


class Object:
    """
    A handle.

    @ivar _o: the client's handle.
    @ivar _conn: the connection.
    """

    _o: Any
    _conn: Any
    _link: Link | None

    def __init__(self, conn: Any, _obj: Any = None) -> None:
        if not isinstance(_obj, Handle | Stream):
            raise Exception(f"Expected a wrapped C Object but got {type(_obj)}")
        self._conn = conn
        self._o = _obj
        self._link = conn._link

    def connect(self) -> Any:
        """Return the connection."""
        return self._conn

    def c_pointer(self) -> int:
        """Return a number that tells this handle from others."""
        return id(self._o)


class DomainBase(Object):
    """What a domain answers with None where it fails, as with the C binding; the error is told all the same."""

    def guestVcpus(self, flags: int = 0) -> Any:
        """Return what the guest's agent knows of its CPUs; None: it cannot be known."""
        return self._orNone(Domain.guestVcpus, flags)

    def migrateGetMaxDowntime(self, flags: int = 0) -> Any:
        """Return how long a migration may stop the guest, in milliseconds; None: it cannot be known."""
        return self._orNone(Domain.migrateGetMaxDowntime, flags)

    def migrateGetCompressionCache(self, flags: int = 0) -> Any:
        """Return the size of the cache for compressed migration, in bytes; None: it cannot be known."""
        return self._orNone(Domain.migrateGetCompressionCache, flags)

    def _orNone(self, function: Callable[..., Any], flags: int) -> Any:
        try:
            return call(function, self._o, flags)
        except libvirtError:
            return None


class DomainPart(Object):
    """A handle of something that belongs to a domain."""

    _parent: ClassVar[str] = "_dom"

    def __init__(self, dom: Any, _obj: Any = None) -> None:
        super().__init__(dom._conn, _obj)
        self._link = dom._link
        self._dom = dom

    def domain(self) -> Any:
        """Return the domain."""
        return self._dom

    def getDomain(self) -> Any:
        """Return the domain."""
        return self._dom

    def getConnect(self) -> Any:
        """Return the connection."""
        return self._conn


class NetworkPart(Object):
    """A handle of something that belongs to a network."""

    def __init__(self, net: Any, _obj: Any = None) -> None:
        super().__init__(net._conn, _obj)
        self._link = net._link
        self._net = net

    def network(self) -> Any:
        """Return the network."""
        return self._net


def wrap(parent: Any, value: Any) -> Any:
    """Exchange the client's handles in C{value}, which C{parent} gave, for those of this face."""
    cls = CLASSES.get(value.__class__)
    if cls is not None:
        if issubclass(cls, DomainPart):
            owner = getattr(parent, "_dom", parent)
        elif issubclass(cls, NetworkPart):
            owner = getattr(parent, "_net", parent)
        else:
            owner = parent._conn
        made = cls(owner, value)
        made._link = parent._link
        return made
    if value.__class__ is list:
        return [wrap(parent, each) for each in value]
    if value.__class__ is tuple:
        return tuple([wrap(parent, each) for each in value])
    if value.__class__ is dict:
        return {name: wrap(parent, each) for name, each in value.items()}
    return value


def unwrap(value: Any) -> Any:
    """The other way round."""
    if isinstance(value, Object):
        return value._o
    if value.__class__ is list or value.__class__ is tuple:
        return value.__class__([unwrap(each) for each in value])
    return value


def talks(function: Any) -> bool:
    """Whether a method of the client returns a C{Deferred}."""
    returns = str(inspect.signature(function).return_annotation)
    wrapped = getattr(function, "__wrapped__", None)
    return returns.startswith("Deferred") or inspect.iscoroutinefunction(wrapped)


def generate(
    cls: type, name: str, base: type, *, leave: frozenset[str] = frozenset(), guard: str = ""
) -> type:
    """
    Make the class of this face for one of the client's.

    @param name: the binding's.
    @param base: what is written by hand: its methods stay.
    @param leave: methods that have no counterpart here.
    @param guard: a method that is called with each method's name first.
    """
    lines: list[str] = []
    space: dict[str, Any] = {"call": call, "wrap": wrap, "unwrap": unwrap}
    made = []
    formats = FORMATS.get(name, {})
    for member, function in inspect.getmembers(cls, inspect.isfunction):
        if member.startswith("_") or member in leave:
            continue
        written = getattr(base, member, None) if not hasattr(object, member) else None
        if written is None:
            lines += _method(name, member, function, None, space, guard)
            made.append(member)
        elif member in formats:
            lines += _method(name, member, function, written, space, "")
            made.append(member)
    exec(compile("\n".join(lines), f"<{name} of pyvirt.blocking>", "exec"), space)
    # What scripts print of a class names the module that they know.
    members: dict[str, Any] = {"__module__": "libvirt", "__doc__": cls.__doc__}
    for member in made:
        method = space[member]
        method.__qualname__ = f"{name}.{member}"
        method.__module__ = "libvirt"
        method.__doc__ = getattr(cls, member).__doc__
        method.__signature__ = signature(getattr(cls, member))
        members[member] = method
    for each in base.__mro__[:-1]:  # also for those who look into the class itself
        for member, value in vars(each).items():
            if inspect.isfunction(value) and member != "__init__" and member not in members:
                members[member] = _named(value, name) if member[0] != "_" else value
    result = type(name, (base,), members)
    CLASSES[cls] = result
    return result


def _named(function: Any, name: str) -> Any:
    """A method written for several classes, as one of the class C{name}, which messages then tell."""
    copied = types.FunctionType(
        function.__code__,
        function.__globals__,
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    copied.__dict__.update(function.__dict__)
    copied.__kwdefaults__ = function.__kwdefaults__
    copied.__annotations__ = function.__annotations__
    copied.__doc__ = function.__doc__
    copied.__module__ = "libvirt"
    copied.__qualname__ = f"{name}.{function.__name__}"
    return copied


def signature(function: Any) -> inspect.Signature:
    """The signature of a method without its Deferred and without what only the client has."""
    found = inspect.signature(function)
    kept = [each for each in found.parameters.values() if each.kind is not each.KEYWORD_ONLY]
    returns = str(found.return_annotation)
    if returns.startswith("Deferred["):
        returns = returns[len("Deferred[") : -1]
    return found.replace(parameters=kept, return_annotation=returns)


def _method(
    cls: str, member: str, function: Any, written: Any, space: dict[str, Any], guard: str
) -> list[str]:
    """Write a method: handles are exchanged first, then numbers and text are checked, then it is called."""
    found = signature(function)
    letters, cFunction = FORMATS.get(cls, {}).get(member, ("", ""))
    names, declared, handles, checks = [], [], [], []
    parameters = list(found.parameters.values())[1:]
    for number, each in enumerate(parameters):
        annotation, name = str(each.annotation), each.name
        letter = letters[number] if letters else "O"
        if written is not None:
            names.append(name)
        elif one := _ONE.fullmatch(annotation):
            handles.append(f"    {name}_o = None if {name} is None else {name}._o")
            # In C another kind of handle is none.
            handles.append(f"    if {name}_o.__class__.__name__ != {one[1]!r}: {name}_o = None")
            names.append(f"{name}_o")
        elif letter == "O" and _HANDLES.search(annotation):
            names.append(f"unwrap({name})")
        else:
            names.append(name)
        if letter != "O":
            convert = f"_{member}_{name}_"
            label = cFunction or f"{cls}{member[0].upper()}{member[1:]}"
            space[convert] = converter(letter, label, number + 2)
            checks.append(f"    if {suspicion(letter, name)}: {name} = {convert}({name})")
        if each.default is each.empty:
            declared.append(name)
        else:
            space[f"_{member}_{name}"] = each.default
            declared.append(f"{name}=_{member}_{name}")
    space[f"_{member}"] = function if written is None else written
    given = ", ".join(["self._o" if written is None else "self", *names])
    if written is not None or not talks(function):
        act = f"_{member}({given})"
    else:
        act = f"call(_{member}, {given})"
        if _HANDLES.search(str(found.return_annotation)):
            act = f"wrap(self, {act})"
    lines = [f"def {member}({', '.join(['self', *declared])}):", *handles, *checks]
    if guard:
        lines.append(f"    if self._o is None: self.{guard}({member!r})")
    lines.append(f"    return {act}")
    return lines
