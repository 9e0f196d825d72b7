"""
The frame of the suites: how a driver is asked, waited for, listened to and expected to refuse.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from inspect import iscoroutine
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from zope.interface.interface import InterfaceClass

from pyvirt.drivers.interfaces.events import Event
from pyvirt.errors import VirtError
from pyvirt.testing.contracts import assertContract

if TYPE_CHECKING:
    from twisted.trial.unittest import SynchronousTestCase as _Case
else:
    _Case = object

__all__ = ["NOBODY", "UNKNOWN_FLAG", "Suite"]

NOBODY = b"\xff" * 16
UNKNOWN_FLAG = 1 << 30


class Suite(_Case):
    """
    What the suites have in common.

    @cvar contract: what the suite is about.
    @cvar required: operations that the driver says it has, by name; a test fails if one is absent.
    @cvar lenient: operations that the driver, unlike the contract, does not refuse; whether it does is not looked at.
    """

    contract: InterfaceClass
    required: tuple[str, ...] = ()
    lenient: tuple[str, ...] = ()

    def makeConnection(self) -> Any:
        """Return a new connection of the driver under test, or a promise of it."""
        raise NotImplementedError("a suite needs makeConnection")

    def pump(self) -> None:
        """Let something happen, where answers wait; called until one has come."""

    def setUp(self) -> None:
        super().setUp()
        self.connection: Any = self.wait(self.makeConnection())
        self.addCleanup(lambda: self.wait(self.connection.close()))

    def wait(self, answer: Any) -> Any:
        """Return what a driver's answer is in the end, or raise what it fails with."""
        if iscoroutine(answer):
            answer = Deferred.fromCoroutine(answer)
        if not isinstance(answer, Deferred):
            return answer
        settled: list[Any] = []
        answer.addBoth(settled.append)
        for _ in range(10_000):
            if settled:
                break
            self.pump()
        else:
            self.fail("the driver does not answer; does the suite need a pump?")
        if isinstance(settled[0], Failure):
            settled[0].raiseException()
        return settled[0]

    def has(self, *names: str, interface: InterfaceClass | None = None) -> bool:
        """Whether the driver has all of some operations."""
        component = self.connection.component(interface or self.contract)
        return all(hasattr(component, name) for name in names)

    def ask(self, name: str, *arguments: Any, interface: InterfaceClass | None = None) -> Any:
        """Do an operation."""
        component = self.connection.component(interface or self.contract)
        return self.wait(getattr(component, name)(*arguments))

    def refuses(
        self,
        code: int | None,
        name: str,
        *arguments: Any,
        interface: InterfaceClass | None = None,
    ) -> None:
        """Check that an operation fails, with an error's code unless None; one that is left out is passed over."""
        if name in self.lenient or not self.has(name, interface=interface):
            return
        try:
            answer = self.ask(name, *arguments, interface=interface)
        except VirtError as error:
            if code is not None:
                self.assertEqual(error.code, code, f"{name}: {error!r}")
        else:
            self.fail(f"{name}{arguments!r} answers {answer!r}")

    def hear(
        self, interface: InterfaceClass, name: str, eventID: int, ref: Any = None
    ) -> list[Event] | None:
        """
        Subscribe to an event until the test is over.

        @param name: the operation that subscribes.
        @return: what fills with events; None: the driver does not tell of them.
        """
        if not self.has(name, interface=interface):
            return None
        heard: list[Event] = []
        subscription = self.ask(name, eventID, ref, heard.append, interface=interface)
        self.addCleanup(lambda: self.wait(subscription.cancel()))
        return heard

    def happens(self, condition: Callable[[], Any], what: str) -> None:
        """Let things happen until a condition holds; fail when it never does."""
        for _ in range(10_000):
            if condition():
                return
            self.pump()
        self.fail(f"it never comes to this: {what}")

    def assertOrder(self, told: Sequence[Any], order: Sequence[Any]) -> None:
        """Check that of what was told those things that C{order} has came once each and in that order."""
        self.assertEqual([each for each in told if each in order], list(order))

    def tries(self, *operations: tuple[Any, ...], interface: InterfaceClass | None = None) -> None:
        """Do operations, each a name and its arguments, that may fail or not be there: to clean up."""
        for name, *arguments in operations:
            if self.has(name, interface=interface):
                try:
                    self.ask(name, *arguments, interface=interface)
                except VirtError:
                    pass

    def test_contract(self) -> None:
        """What provides the operations takes exactly what the contract says, and has what was promised."""
        component = self.connection.component(self.contract)
        if component is None:
            self.fail(f"the connection does not provide {self.contract.__name__}")
        assertContract(self.contract, type(component))
        self.assertEqual([name for name in self.required if not hasattr(component, name)], [])
