"""
The tables of the wire: what L{procedure} and L{event} record on a stub, and L{Program}, which collects them.

A stub is an annotated method that is never called: its annotations are the argument and result types, the
decorator's arguments everything else that the protocol fixes.  Codecs are compiled on first use.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from functools import cache
from types import FunctionType
from typing import Any, NamedTuple, TypeVar, get_args, get_origin, get_type_hints

from twisted.internet.defer import Deferred

from pyvirt.protocols import xdr

_Stub = TypeVar("_Stub", bound=Callable[..., Any])


class Kind(Enum):
    """How a procedure is used."""

    CALL = "call"
    EVENT = "event"
    MESSAGE = "message"


class Direction(Enum):
    """Which way a stream's data goes, seen from the client."""

    READ = "read"
    WRITE = "write"
    BOTH = "read+write"


class Rule(NamedTuple):
    """
    One access rule: the caller needs C{permission} on an C{object}.

    @ivar flags: names of flags the rule depends on, or empty: it always holds.
    @ivar unless: True: the rule holds when none of the flags is given; False: when any is.
    @ivar argument: the name of an argument that must equal the constant named C{value}, or None.
    """

    object: str
    permission: str
    flags: tuple[str, ...] = ()
    unless: bool = False
    argument: str | None = None
    value: str | None = None

    @classmethod
    @cache
    def parse(cls, text: str) -> Rule:
        """
        Read C{object:permission}, optionally followed by C{:FLAG|FLAG}, C{:!FLAG|FLAG} or
        C{:argument=value}.
        """
        target, permission, *condition = text.split(":")
        if not condition:
            return cls(target, permission)
        (condition_,) = condition
        if "=" in condition_:
            argument, value = condition_.split("=")
            return cls(target, permission, argument=argument, value=value)
        unless = condition_.startswith("!")
        return cls(target, permission, tuple(condition_.lstrip("!").split("|")), unless)


class ReadOnly(NamedTuple):
    """
    What a read-only connection may do with a call.

    @ivar allowed: False refuses it always.
    @ivar deniedFlags: bits of the C{flags} argument that refuse it all the same.
    @ivar deniedArguments: argument name to the values that refuse it.
    """

    allowed: bool = False
    deniedFlags: int = 0
    deniedArguments: Mapping[str, tuple[int, ...]] = {}


class Procedure:
    """
    One procedure of a program.

    @ivar name: the stub's name, in the spelling of the C function where there is one.
    @ivar api: the public C function it implements, as error messages name it; None for internal calls.
    @ivar needsAuthentication: False for the calls that a client may make before it is authenticated.
    @ivar fds: C{""}, or which messages carry descriptors: C{"call"}, C{"reply"}, C{"call+reply"}.
    @ivar parameters: names of the arguments, in order.
    """

    __slots__ = (
        *("stub", "name", "number", "kind", "api", "priority", "access", "filters", "readOnly"),
        *("stream", "sparse", "fds", "needsAuthentication", "since", "parameters"),
        *("_types", "_argumentCodec", "_resultCodec"),
    )

    def __init__(
        self,
        stub: Callable[..., Any],
        number: int,
        kind: Kind,
        *,
        api: str | None,
        priority: bool,
        access: tuple[Rule, ...],
        filters: tuple[Rule, ...],
        readOnly: ReadOnly,
        stream: Direction | None,
        sparse: str | None,
        fds: str,
        needsAuthentication: bool,
        since: str | None,
    ) -> None:
        self.stub = stub
        self.name = stub.__name__
        self.number = number
        self.kind = kind
        self.api = api
        self.priority = priority
        self.access = access
        self.filters = filters
        self.readOnly = readOnly
        self.stream = stream
        self.sparse = sparse
        self.fds = fds
        self.needsAuthentication = needsAuthentication
        self.since = since
        self._types: tuple[list[tuple[str, xdr.Type]], xdr.Type | None] | None = None
        self._argumentCodec: xdr.Codec | None = None
        self._resultCodec: xdr.Codec | None = None
        code = stub.__code__
        self.parameters: tuple[str, ...] = code.co_varnames[1 : code.co_argcount]
        # Hundreds of functions that do nothing, each with code of its own, would take much of a daemon's memory.
        if isinstance(stub, FunctionType):
            stub.__code__ = _uncalled.__code__

    def __repr__(self) -> str:
        return f"<Procedure {self.number} {self.name}>"

    def _resolved(self) -> tuple[list[tuple[str, xdr.Type]], xdr.Type | None]:
        """Return types of arguments and result; they are read when somebody asks, as most are never called."""
        if self._types is None:
            hints = get_type_hints(self.stub, include_extras=True)
            result = hints.pop("return", type(None))
            arguments = [(name, xdr.resolve(hints[name])) for name in self.parameters]
            if get_origin(result) is Deferred:
                (result,) = get_args(result)
            self._types = arguments, None if result in (None, type(None)) else xdr.resolve(result)
        return self._types

    @property
    def arguments(self) -> list[tuple[str, xdr.Type]]:
        """Names and types of the arguments."""
        return self._resolved()[0]

    @property
    def result(self) -> xdr.Type | None:
        """
        The result's type or None.

        A struct whose name ends in C{Result} stands for the several values of one result.
        """
        return self._resolved()[1]

    @property
    def argumentCodec(self) -> xdr.Codec:
        """Codec of the arguments, a tuple in order."""
        if self._argumentCodec is None:
            self._argumentCodec = xdr.compileCodec([kind for _, kind in self.arguments], self.name)
        return self._argumentCodec

    @property
    def resultCodec(self) -> xdr.Codec:
        """Codec of the result, a tuple of one value, or of none."""
        if self._resultCodec is None:
            kinds = [] if self.result is None else [self.result]
            self._resultCodec = xdr.compileCodec(kinds, f"{self.name} result")
        return self._resultCodec


def _uncalled() -> None:
    """What a stub does: nothing, for it is never called."""


_NEVER = ReadOnly(False)
_ALWAYS = ReadOnly(True)


def procedure(
    number: int,
    *,
    api: str | None = None,
    priority: bool = False,
    access: tuple[str, ...] | str = (),
    filters: tuple[str, ...] | str = (),
    readOnly: bool | ReadOnly = False,
    stream: str | None = None,
    sparse: str | None = None,
    fds: str = "",
    needsAuthentication: bool = True,
    since: str | None = None,
    kind: Kind = Kind.CALL,
) -> Callable[[_Stub], _Stub]:
    """
    Record what the protocol fixes about a call.

    @param priority: it may be served by the workers kept for calls that cannot block.
    @param access: rules in the notation of L{Rule.parse}; every one must pass.
    @param filters: rules applied to each listed object or event.
    @param readOnly: whether a read-only connection may call it; deny unless allowed.
    @param sparse: the flag that allows holes in the stream.
    """

    def record(stub: _Stub) -> _Stub:
        # Instead of the function, which nobody calls: an attribute would give each a dictionary.
        found: Any = Procedure(
            stub,
            number,
            kind,
            api=api,
            priority=priority,
            access=_rules(access),
            filters=_rules(filters),
            readOnly=(
                readOnly if isinstance(readOnly, ReadOnly) else _ALWAYS if readOnly else _NEVER
            ),
            stream=Direction(stream) if stream else None,
            sparse=sparse,
            fds=fds,
            needsAuthentication=needsAuthentication,
            since=since,
        )
        made: _Stub = found
        return made

    return record


@cache
def _rules(written: tuple[str, ...] | str) -> tuple[Rule, ...]:
    return tuple(map(Rule.parse, (written,) if isinstance(written, str) else written))


def event(number: int, *, since: str | None = None) -> Callable[[_Stub], _Stub]:
    """Record a message that only the daemon sends; as a call it does not exist."""
    return procedure(number, since=since, kind=Kind.EVENT)


class Program:
    """
    One RPC program: its numbers and its procedures.

    @ivar name: short name, as in the golden listing.
    @ivar procedures: number to L{Procedure}.
    @ivar byName: stub name to L{Procedure}.
    """

    def __init__(self, name: str, number: int, version: int, stubs: type) -> None:
        self.name = name
        self.number = number
        self.version = version
        self.procedures: dict[int, Procedure] = {}
        self.byName: dict[str, Procedure] = {}
        for found in vars(stubs).values():
            if isinstance(found, Procedure):
                if found.number in self.procedures:
                    raise TypeError(f"{name}: number {found.number} is used twice")
                self.procedures[found.number] = found
                self.byName[found.name] = found

    def __iter__(self) -> Iterator[Procedure]:
        return iter(self.procedures.values())

    def __repr__(self) -> str:
        return f"<Program {self.name} 0x{self.number:08x}.{self.version}>"
