"""
The stubs of the wire, callable: L{Calls} has one method for each procedure, made on first use.

Its type is that of the stubs themselves, so a type checker compares every call with the wire table.  What a
client checks before it sends is checked here, and whatever the answer is, it comes as a C{Deferred}.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred, TimeoutError, fail, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from pyvirt.client.arguments import coerce, requireText
from pyvirt.drivers.interfaces.calling import ICaller
from pyvirt.errors import ErrorCode, ErrorDomain, RPCError, VirtError, virtError
from pyvirt.protocols.procedures import Procedure, Program
from pyvirt.protocols.xdr import XDRError
from pyvirt.routes.checks import Check, checker

__all__ = ["Calls"]


def _unfit() -> VirtError:
    """Make the error of arguments that no message can carry."""
    text = "Unable to encode message payload"
    return RPCError(text, domain=ErrorDomain.RPC, str1="%s", str2=text)


class Calls:
    """
    The procedures of one program on one connection.

    @ivar caller: who answers.
    @ivar deadline: seconds that an answer may take, or None: as long as the connection lasts.
    """

    def __init__(
        self,
        caller: ICaller,
        program: Program,
        clock: IReactorTime,
        readOnly: bool | None,
        deadline: float | None = None,
    ) -> None:
        """
        @param readOnly: what the connection may do, for the checks made here; None: the caller checks.
        """
        self.caller = caller
        self.program = program
        self.clock = clock
        self.readOnly = readOnly
        self.deadline = deadline

    def withDeadline(self, deadline: float | None) -> Calls:
        """Return the same procedures with another deadline."""
        return Calls(self.caller, self.program, self.clock, self.readOnly, deadline)

    def __getattr__(self, name: str) -> Callable[..., Deferred[Any]]:
        procedure = self.program.byName.get(name)
        if procedure is None:
            raise AttributeError(name)
        method = self._make(procedure)
        setattr(self, name, method)
        return method

    def _make(self, procedure: Procedure) -> Callable[..., Deferred[Any]]:
        send, program = self.caller.call, self.program
        check = self._checker(procedure)

        def call(*arguments: Any) -> Deferred[Any]:
            try:
                if check is not None:
                    check(arguments)
            except (VirtError, TypeError):
                return coerced(arguments)
            try:
                answer = send(program, procedure, arguments)
            except VirtError:
                return fail()
            except (XDRError, TypeError):
                return coerced(arguments)
            return answer if answer.__class__ is Deferred else succeed(answer)

        def coerced(arguments: tuple[Any, ...]) -> Deferred[Any]:
            """What does not fit the wire as it is may fit as the binding would pass it."""
            try:
                fitting = coerce(procedure, arguments)
                if check is not None:
                    check(fitting)
                requireText(procedure, fitting)
                answer = send(program, procedure, fitting)
            except VirtError:
                return fail()
            except XDRError:
                return fail(_unfit())
            return answer if answer.__class__ is Deferred else succeed(answer)

        return call if self.deadline is None else self._limited(procedure, call)

    def _checker(self, procedure: Procedure) -> Check | None:
        return None if self.readOnly is None else checker(procedure, self.readOnly)

    def withDescriptors(
        self, procedure: Procedure, arguments: tuple[Any, ...], fds: Sequence[int]
    ) -> Deferred[Any]:
        """Call a procedure whose call carries descriptors."""

        def call() -> Deferred[Any]:
            try:
                check = self._checker(procedure)
                fitting = coerce(procedure, arguments)
                if check is not None:
                    check(fitting, fds)
                requireText(procedure, fitting)
                answer = self.caller.call(self.program, procedure, fitting, fds)
            except VirtError:
                return fail()
            return answer if isinstance(answer, Deferred) else succeed(answer)

        return self._limited(procedure, call)()

    def openStream(self, procedure: Procedure, arguments: tuple[Any, ...]) -> Deferred[Any]:
        """Call a procedure with a stream; see L{ICaller.openStream}."""

        def call() -> Deferred[Any]:
            try:
                check = self._checker(procedure)
                fitting = coerce(procedure, arguments)
                if check is not None:
                    check(fitting)
                requireText(procedure, fitting)
                answer = self.caller.openStream(self.program, procedure, fitting)
            except VirtError:
                return fail()
            return answer if isinstance(answer, Deferred) else succeed(answer)

        return self._limited(procedure, call)()

    def _limited(
        self, procedure: Procedure, call: Callable[..., Deferred[Any]]
    ) -> Callable[..., Deferred[Any]]:
        deadline, clock = self.deadline, self.clock
        if deadline is None:
            return call

        def expired(failure: Failure, seconds: float) -> Any:
            failure.trap(TimeoutError)
            raise virtError(
                ErrorCode.OPERATION_TIMEOUT,
                f"no answer to {procedure.api or procedure.name} within {seconds:g} seconds",
                ErrorDomain.RPC,
            )

        def limited(*arguments: Any) -> Deferred[Any]:
            answer = call(*arguments)
            if not answer.called:
                answer.addTimeout(deadline, clock)
                answer.addErrback(
                    lambda failure: (
                        expired(failure, deadline) if failure.check(TimeoutError) else failure
                    )
                )
            return answer

        return limited
