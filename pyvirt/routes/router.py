"""
From a procedure to the driver and back: L{Router}.

A router belongs to one connection.  Asked for a procedure it looks up, once, everything that stays the same
(the route, the checks, the driver's method) and keeps a function that does only what differs per call; so a
driver that answers at once costs little more than its own time.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from types import CoroutineType
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from pyvirt.drivers.interfaces.driver import IConnection
from pyvirt.drivers.interfaces.faults import interceptorOf
from pyvirt.drivers.interfaces.older import IOlderCalls
from pyvirt.errors import ErrorCode, InvalidArgument, VirtError, shortage, virtError
from pyvirt.protocols.procedures import Kind, Procedure
from pyvirt.routes.checks import Check, checker
from pyvirt.routes.family import domainOf, function
from pyvirt.routes.kinds import Arguments
from pyvirt.routes.limits import Limit, limiter
from pyvirt.routes.outcomes import Outcome, outcome
from pyvirt.routes.table import SWALLOWED

Handler = Callable[..., Any]
"""Takes the arguments, and the descriptors that came with the call if any; returns the result or a Deferred."""

Permits = Callable[[Procedure, Any], Any]
"""Tells whether the caller may see an object that a procedure lists: a truth value, or a Deferred of one."""

_log = Logger()


class NotRouted(LookupError):
    """The procedure is not the driver's business: whoever holds the session answers it."""


class Router:
    """
    Calls the drivers of one connection by procedures.

    @ivar connection: whose components provide the contracts.
    @ivar readOnly: refuse what could change anything.
    """

    def __init__(
        self,
        connection: IConnection,
        readOnly: bool = False,
        permits: Permits | None = None,
        inDaemon: bool = True,
    ) -> None:
        """
        @param permits: asked for each object in a list, before it is counted or named; None: all are seen.
        @param inDaemon: answer as a daemon does, limits of its replies included; else as the library does
            that opens the driver in its own process.
        """
        self.connection = connection
        self.readOnly = readOnly
        self._permits = permits
        self._inDaemon = inDaemon
        self._handlers: dict[Procedure, Handler] = {}

    def call(self, procedure: Procedure, arguments: Arguments, fds: Sequence[int] = ()) -> Any:
        """
        Do what C{procedure} asks for.

        @param arguments: its arguments in order, as they come off the wire.
        @param fds: descriptors that came with the call; they stay the caller's, and drivers that keep one
            past their answer duplicate it.
        @return: what the procedure's result codec encodes (None where there is no result), in a
            L{StreamAnswer<pyvirt.routes.StreamAnswer>} if the procedure has a stream and in a
            L{DescriptorAnswer<pyvirt.routes.DescriptorAnswer>} if its reply carries descriptors.  At once if
            the driver answers at once, else a Deferred.
        @raise VirtError: it is refused or failed; also what the Deferred fails with.
        @raise NotRouted: the session answers this procedure.
        """
        handler = self._handlers.get(procedure)
        if handler is None:
            handler = self.handler(procedure)
        return handler(arguments, fds) if fds else handler(arguments)

    def check(self, procedure: Procedure, arguments: Arguments, fds: Sequence[int] = ()) -> None:
        """
        Refuse what L{call} would refuse before it touches the driver: limits, read-only, wrong arguments.

        @raise VirtError: it is refused.
        """
        limit = limiter(procedure) if self._inDaemon else None
        check = _joined(limit, checker(procedure, self.readOnly))
        if check is not None:
            check(arguments, fds)

    def handler(self, procedure: Procedure) -> Handler:
        """
        Return what L{call} calls for C{procedure}: a function of the arguments and, optionally, descriptors.

        @raise NotRouted: the session answers this procedure.
        """
        handler = self._handlers.get(procedure)
        if handler is None:
            handler = self._handlers[procedure] = self._make(procedure)
        return handler

    def _make(self, procedure: Procedure) -> Handler:
        if procedure.kind is not Kind.CALL:
            raise NotRouted(f"{procedure.name} cannot be called")
        found = outcome(procedure)
        if found.session is not None:
            raise NotRouted(f"{procedure.name}: {found.session}")
        limit = limiter(procedure) if self._inDaemon else None
        check = _joined(limit, checker(procedure, self.readOnly))
        if found.attribute is not None:
            return _attribute(self.connection, found.attribute, check)
        method = self._method(found)
        if method is None:
            handler = _unsupported(procedure, check)
        else:
            older: Any = None
            if found.route is not None and found.route.method != procedure.name:
                older = self.connection.component(IOlderCalls)
            if IOlderCalls.providedBy(older):
                method = _adapted(method, procedure.name, older)
                handler = self._compile(procedure, found, method, check)
                handler = _reworded(handler, procedure.name, older)
            else:
                handler = self._compile(procedure, found, method, check)
        if found.route is not None and found.route.empty is not None:
            handler = _unlessNone(handler, found.route.empty, check)
        if self._inDaemon and procedure.name in SWALLOWED:
            handler = _fallingBack(handler, None, SWALLOWED[procedure.name])
        interceptor = interceptorOf(self.connection)
        if interceptor is not None:
            name = None if found.route is None else found.route.method
            handler = _checked(interceptor.intercept(procedure.name, name, handler), check)
        return handler

    def _method(self, found: Outcome) -> Callable[..., Any] | None:
        """Find the contract's method on the connection, or None if the driver does not have it."""
        if found.interface is None or found.route is None:
            return None
        component = self.connection.component(found.interface)
        method: Callable[..., Any] | None = getattr(component, found.route.method, None)
        return method

    def _compile(
        self,
        procedure: Procedure,
        found: Outcome,
        method: Callable[..., Any],
        check: Check | None,
    ) -> Handler:
        route = found.route
        assert route is not None
        into, out = route.into, route.out
        if route.lists and self._permits is not None:
            out = _filtered(procedure, self._permits, out)
        if found.fallback is not None:
            method = _fallingBack(method, *found.fallback)
        name = procedure.name

        if into is None and out is None and check is None:

            def direct(arguments: Arguments, fds: Sequence[int] = ()) -> Any:
                try:
                    value = method(*arguments)
                except VirtError:
                    raise
                except Exception:
                    raise _escaped(name) from None
                if type(value) in _WAITING:
                    return _later(value, name)
                return value

            return direct

        def handle(arguments: Arguments, fds: Sequence[int] = ()) -> Any:
            if check is not None:
                check(arguments, fds)
            try:
                value = method(*(arguments if into is None else into(arguments, fds)))
                if type(value) in _WAITING:
                    waiting = _later(value, name, out, arguments)
                    return waiting
                return value if out is None else out(value, arguments)
            except VirtError:
                raise
            except Exception:
                raise _escaped(name) from None

        if route.counted is None:
            return handle
        older: Any = self.connection.component(IOlderCalls)
        if not IOlderCalls.providedBy(older):
            older = None
        return _counting(handle, name, older, *route.counted)


def _adapted(method: Callable[..., Any], name: str, older: Any) -> Callable[..., Any]:
    """Call the newer method with what the older call means to this driver."""
    return lambda *arguments: method(*older.adapted(name, arguments))


def _reworded(handler: Handler, name: str, older: Any) -> Handler:
    """Let the driver say errors of the method that an older procedure shares as the older function would."""

    def failed(failure: Failure, arguments: Arguments) -> Any:
        if isinstance(failure.value, VirtError):
            raise older.reword(name, arguments, failure.value)
        return failure

    def handle(arguments: Arguments, fds: Sequence[int] = ()) -> Any:
        try:
            answer = handler(arguments, fds)
        except VirtError as error:
            raise older.reword(name, arguments, error) from None
        return answer.addErrback(failed, arguments) if type(answer) is Deferred else answer

    return handle


def _checked(handler: Handler, check: Check | None) -> Handler:
    """Check first: what is refused anyhow is not for whoever injects faults."""
    if check is None:
        return handler

    def handle(arguments: Arguments, fds: Sequence[int] = ()) -> Any:
        check(arguments, fds)
        return handler(arguments, fds)

    return handle


def _counting(handle: Handler, name: str, older: Any, position: int, known: int | None) -> Handler:
    """
    Say how many parameters there are of what is not there, if that is all that is asked.

    @param older: may know a number whatever failed.
    @param known: how many there are of a device that is not found; None: the driver looks for what it is about.
    """

    def number(error: VirtError) -> int | None:
        found: int | None = None if older is None else older.count(name, error)
        if found is None and isinstance(error, InvalidArgument) and error.int1 != 0:
            return known  # the search for the device failed, and not a check of arguments
        return found

    def trapped(failure: Failure) -> Any:
        found = number(failure.value) if isinstance(failure.value, VirtError) else None
        return failure if found is None else ([], found)

    def count(arguments: Arguments, fds: Sequence[int] = ()) -> Any:
        if arguments[position] != 0:
            return handle(arguments, fds)
        try:
            answer = handle(arguments, fds)
        except VirtError as error:
            found = number(error)
            if found is None:
                raise
            return [], found
        return answer.addErrback(trapped) if type(answer) is Deferred else answer

    return count


def _unlessNone(handler: Handler, position: int, check: Check | None) -> Handler:
    """Answer with nothing where nothing is asked for, as libvirt's public function does."""

    def handle(arguments: Arguments, fds: Sequence[int] = ()) -> Any:
        if arguments[position] != 0:
            return handler(arguments, fds)
        if check is not None:
            check(arguments, fds)
        return []

    return handle


def _joined(limit: Limit | None, check: Check | None) -> Check | None:
    """Make one check of what the daemon refuses and what the public function refuses, in this order."""
    if limit is None or check is None:
        return check if limit is None else lambda arguments, fds=None: limit(arguments)

    def both(arguments: Arguments, fds: Sequence[int] | None = None) -> None:
        limit(arguments)
        check(arguments, fds)

    return both


_WAITING = frozenset((Deferred, CoroutineType))


def _later(
    value: Any,
    name: str,
    out: Callable[[Any, Arguments], Any] | None = None,
    arguments: Arguments = (),
) -> Deferred[Any]:
    """Make a Deferred of a driver's promise, which fires with the procedure's result."""
    waiting: Deferred[Any] = value if type(value) is Deferred else Deferred.fromCoroutine(value)
    if out is not None:
        waiting.addCallback(out, arguments)
    waiting.addErrback(_failed, name)
    return waiting


def _failed(failure: Failure, name: str) -> Any:
    if isinstance(failure.value, VirtError | CancelledError):
        return failure
    error = shortage(failure.value)
    if error is not None:
        _log.error("{procedure}: {error}", procedure=name, error=error)
        raise error
    _log.failure("A driver failed in {procedure}", failure, procedure=name)
    raise virtError(ErrorCode.INTERNAL_ERROR, f"the driver failed in {name}")


def _escaped(name: str) -> VirtError:
    """Log what is being handled, and make the error that callers are told instead."""
    error = shortage(sys.exc_info()[1])
    if error is not None:
        _log.error("{procedure}: {error}", procedure=name, error=error)
        return error
    _log.failure("A driver failed in {procedure}", procedure=name)
    return virtError(ErrorCode.INTERNAL_ERROR, f"the driver failed in {name}")


def _unsupported(procedure: Procedure, check: Check | None) -> Handler:
    """What answers for a driver that lacks the operation; arguments are still checked first."""
    name, domain = function(procedure), domainOf(procedure)

    def refuse(arguments: Arguments, fds: Sequence[int] = ()) -> Any:
        if check is not None:
            check(arguments, fds)
        raise virtError(ErrorCode.NO_SUPPORT, name, domain)

    return refuse


def _attribute(connection: IConnection, name: str, check: Check | None) -> Handler:
    """What answers from the connection itself."""

    def answer(arguments: Arguments, fds: Sequence[int] = ()) -> Any:
        if check is not None:
            check(arguments, fds)
        value = getattr(connection, name)
        return value() if callable(value) else value

    return answer


def _fallingBack(method: Callable[..., Any], code: int | None, value: Any) -> Callable[..., Any]:
    """Take the error C{code} of C{method}, None: any error, for the answer C{value}."""

    def trapped(failure: Failure) -> Any:
        if isinstance(failure.value, VirtError) and code in (None, failure.value.code):
            return value
        return failure

    def call(*arguments: Any) -> Any:
        try:
            answer = method(*arguments)
        except VirtError as error:
            if code not in (None, error.code):
                raise
            return value
        if type(answer) in _WAITING:
            waiting: Deferred[Any] = (
                answer if type(answer) is Deferred else Deferred.fromCoroutine(answer)
            )
            return waiting.addErrback(trapped)
        return answer

    return call


def subject(item: Any) -> Any:
    """Return the object that an item of a list is about: itself, or the domain of a record of statistics."""
    return item.dom if hasattr(item, "params") else item


def _filtered(
    procedure: Procedure, permits: Permits, out: Callable[[Any, Arguments], Any] | None
) -> Callable[[Any, Arguments], Any]:
    """Take out of a list what the caller may not see, before anything else is done with it."""

    def sift(value: Sequence[Any], arguments: Arguments) -> Any:
        answers = [permits(procedure, subject(item)) for item in value]
        if any(type(each) is Deferred for each in answers):
            return Deferred.fromCoroutine(siftLater(value, answers, arguments))
        seen = [item for item, answer in zip(value, answers, strict=True) if answer]
        return seen if out is None else out(seen, arguments)

    async def siftLater(value: Sequence[Any], answers: Sequence[Any], arguments: Arguments) -> Any:
        seen = []
        for item, answer in zip(value, answers, strict=True):
            if await answer if type(answer) is Deferred else answer:
                seen.append(item)
        return seen if out is None else out(seen, arguments)

    return sift
