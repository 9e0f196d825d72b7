"""
The ways in which a procedure's arguments and answer differ from the contract's: one small maker for each.

A L{Route} names the contract method and holds two pure functions: C{into} turns the procedure's arguments
into the method's, C{out} turns the method's answer into the procedure's result.  Here live the quirks of the
C interface (counts, sizes, buffers, two-step queries), so that no driver ever meets them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from pyvirt.constants import (
    VIR_TYPED_PARAM_STRING,
    VIR_TYPED_PARAM_STRING_OKAY,
    VIR_TYPED_PARAM_ULLONG,
)
from pyvirt.drivers.interfaces.values import TypedParam
from pyvirt.errors import ErrorCode, ErrorDomain, virtError

Arguments = tuple[Any, ...]
Into = Callable[[Arguments, Sequence[int]], Sequence[Any]]
Out = Callable[[Any, Arguments], Any]


class StreamAnswer(NamedTuple):
    """
    What a procedure with a stream answers: its result (None if it has none) and the stream.

    @ivar stream: the driver's end: an C{IStreamSource} if the client reads, an C{IStreamSink} if it writes,
        an C{IStreamDuplex} for both.
    """

    value: Any
    stream: Any


class DescriptorAnswer(NamedTuple):
    """What a procedure whose reply carries descriptors answers: its result, and descriptors to pass on and close."""

    value: Any
    fds: Sequence[int]


class Route(NamedTuple):
    """
    How a procedure reaches a driver.

    @ivar method: the contract's method.
    @ivar into: makes its arguments from the procedure's and the descriptors that came; None: the same.
    @ivar out: makes the result from its answer and the procedure's arguments; None: the same.
    @ivar lists: the answer is a list of objects (or of what L{pyvirt.routes.router.subject} knows to be about
        an object), from which those that the caller may not see are taken out first.
    @ivar counted: of a getter in two steps that may be asked how many parameters there are before it is known
        whose they are: where that 0 stands among the arguments, and how many there are, None: the driver may know.
    @ivar empty: the argument that says how much is wanted, where 0 is answered without asking a driver.
    """

    method: str
    into: Into | None = None
    out: Out | None = None
    lists: bool = False
    counted: tuple[int, int | None] | None = None
    empty: int | None = None


def first(*more: Any) -> Into:
    """The procedure's arguments, followed by constants."""
    return lambda arguments, fds: (*arguments, *more)


def drop(*positions: int) -> Into:
    """The procedure's arguments without those at C{positions}."""
    return lambda arguments, fds: [
        value for index, value in enumerate(arguments) if index not in positions
    ]


def constant(*values: Any) -> Into:
    """Constants, whatever the arguments."""
    return lambda arguments, fds: values


def withDescriptors(arguments: Arguments, fds: Sequence[int]) -> Sequence[Any]:
    """The procedure's arguments, followed by the descriptors that came with the call."""
    return (*arguments, list(fds))


def nothing(value: Any, arguments: Arguments) -> None:
    """The procedure has no result, whatever the contract's method tells."""


def counted(value: Any, arguments: Arguments) -> tuple[Any, int]:
    """A list, and how long it is."""
    return value, len(value)


def howMany(value: Any, arguments: Arguments) -> int:
    """Only the length of the list."""
    return len(value)


def limited(position: int) -> Out:
    """At most as many items as the argument at C{position} allows."""
    return lambda value, arguments: value[: arguments[position]]


def names(position: int) -> Out:
    """The names of the objects, at most as many as the argument at C{position} allows."""
    return lambda value, arguments: [ref.name for ref in value[: arguments[position]]]


def listAll(method: str, position: int) -> Route:
    """
    A list of everything, where C{position} is the argument that says whether it is wanted at all.

    Without it only the number is told.
    """
    return Route(
        method,
        drop(position),
        lambda value, arguments: (value if arguments[position] else [], len(value)),
        lists=True,
    )


def legacyCount(method: str, *flags: int) -> Route:
    """How many of a list there are."""
    return Route(method, constant(*flags), howMany, lists=True)


def legacyNames(method: str, *flags: int) -> Route:
    """The names in a list, for a procedure with one argument: how many fit."""
    return Route(method, constant(*flags), names(0), lists=True)


def readable(params: list[TypedParam], flags: int) -> list[TypedParam]:
    """Leave strings out for callers that did not say they know of them."""
    if flags & VIR_TYPED_PARAM_STRING_OKAY:
        return params
    return [param for param in params if param.type != VIR_TYPED_PARAM_STRING]


def withStrings(arguments: Arguments, fds: Sequence[int] = ()) -> list[Any]:
    """The procedure's arguments, with the word in C{flags}, the last, that strings are known."""
    return [*arguments[:-1], arguments[-1] | VIR_TYPED_PARAM_STRING_OKAY]


def typedGetter(method: str, position: int, known: int | None = None) -> Route:
    """
    Typed parameters in two steps: with 0 at C{position} how many there are, else at most that many.

    @param known: how many there are of a device that does not exist: libvirt looks for it in the second step.

    Drivers may always answer with strings, and are told so; callers that did not say in C{flags} that they know
    of them do not get them.
    """

    def into(arguments: Arguments, fds: Sequence[int]) -> Sequence[Any]:
        own = withStrings(arguments)
        del own[position]
        return own

    def out(value: list[TypedParam], arguments: Arguments) -> tuple[list[TypedParam], int]:
        count = arguments[position]
        if count == 0:
            return [], len(value)
        return readable(value[:count], arguments[-1]), 0

    return Route(method, into, out, counted=(position, known))


def statisticGetter(method: str, position: int) -> Route:
    """As L{typedGetter}, for lists whose items are not typed parameters."""

    def out(value: list[Any], arguments: Arguments) -> tuple[list[Any], int]:
        count = arguments[position]
        return ([], len(value)) if count == 0 else (value[:count], 0)

    return Route(method, drop(position), out)


def fit(cpumap: bytes, length: int) -> bytes:
    """Cut or fill a bit map of CPUs to C{length} bytes."""
    return cpumap[:length].ljust(length, b"\0")


def fitAll(cpumaps: Sequence[bytes], count: int, length: int) -> bytes:
    """Lay C{count} bit maps of C{length} bytes side by side; those that are not there are empty."""
    return b"".join([fit(cpumap, length) for cpumap in cpumaps[:count]]).ljust(
        count * length, b"\0"
    )


CPUMAPS_MAX = 8388608


def oneMap(value: bytes, arguments: Arguments) -> tuple[bytes, int]:
    """One bit map, as long as the second argument says, and that it is one."""
    length = arguments[1]
    if length > CPUMAPS_MAX:
        raise virtError(ErrorCode.RPC, "Unable to encode message payload", ErrorDomain.RPC)
    return fit(value, length), 1


def characters(text: str | bytes, size: int | None = None) -> bytes:
    """
    Text as an array of characters, with the NUL that C code expects.

    @param size: the array has exactly this size; text that is longer is cut.
    """
    data = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
    data = data.split(b"\0", 1)[0]
    if size is None:
        return data + b"\0"
    return data[: size - 1].ljust(size, b"\0")


def stream(method: str) -> Route:
    """The method answers with a stream alone."""
    return Route(method, None, lambda value, arguments: StreamAnswer(None, value))


def streamAfter(method: str) -> Route:
    """The method answers with a result and a stream."""
    return Route(method, None, lambda value, arguments: StreamAnswer(*value))


def parameters(**wanted: str | int | None) -> list[TypedParam]:
    """Make typed parameters of those that are given: strings as such, numbers as unsigned 64 bits, 0 left out."""
    return [
        TypedParam(name, VIR_TYPED_PARAM_STRING, value)
        if isinstance(value, str)
        else TypedParam(name, VIR_TYPED_PARAM_ULLONG, value)
        for name, value in wanted.items()
        if value
    ]
