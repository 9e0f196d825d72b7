"""
Tests for the contracts of drivers: that they are well made, and that L{assertContract} sees who breaks them.
"""

from __future__ import annotations

import inspect
import re
from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from zope.interface import Interface, implementer
from zope.interface.interface import InterfaceClass, Method

from pyvirt import constants
from pyvirt.drivers.interfaces.driver import IConnection, IDriverFactory
from pyvirt.errors import ErrorCode
from pyvirt.routes.contracts import interfaces, methods
from pyvirt.testing.contracts import assertContract


class IThing(Interface):
    """A contract to break."""

    def turn(angle: int, speed: int = 3) -> None:
        """Turn it."""

    def stopTurning(flags: int) -> None:
        """Stop it."""


def declared(cls: type) -> type:
    """Declare L{IThing}, out of sight of type checkers, which would object to what follows."""
    implementer(IThing)(cls)
    return cls


class AssertContractTests(SynchronousTestCase):
    def refusal(self, cls: type, complete: bool = False, interface: Any = IThing) -> str:
        return str(self.assertRaises(AssertionError, assertContract, interface, cls, complete))

    def test_kept(self) -> None:
        """
        A class that takes exactly what the contract says passes, coroutines and static methods too.
        """

        @declared
        class Thing:
            async def turn(self, angle: int, speed: int = 3) -> None:
                """Turn it."""

            @staticmethod
            def stopTurning(flags: int) -> None:
                """Stop it."""

        assertContract(IThing, Thing, complete=True)

    def test_leftOut(self) -> None:
        """
        An operation may be left out, unless the contract is one that must be complete.
        """

        @declared
        class Thing:
            def turn(self, angle: int, speed: int = 3) -> None:
                """Turn it."""

        assertContract(IThing, Thing)
        self.assertIn("stopTurning is missing", self.refusal(Thing, complete=True))

    def test_nothing(self) -> None:
        """
        A class without any of the operations does not keep the contract.
        """

        @declared
        class Thing:
            pass

        self.assertIn("no method of IThing", self.refusal(Thing))

    def test_undeclared(self) -> None:
        """
        A class must declare what it implements.
        """

        class Thing:
            def turn(self, angle: int, speed: int = 3) -> None:
                """Turn it."""

        self.assertIn("does not declare IThing", self.refusal(Thing))

    def test_signatures(self) -> None:
        """
        Other names, another order, other defaults and parameters that hide are all seen.
        """

        def names(self: Any, degrees: int, speed: int = 3) -> None: ...
        def order(self: Any, speed: int, angle: int = 3) -> None: ...
        def default(self: Any, angle: int, speed: int = 4) -> None: ...
        def noDefault(self: Any, angle: int, speed: int) -> None: ...
        def extra(self: Any, angle: int, speed: int = 3, colour: str = "") -> None: ...
        def keyword(self: Any, angle: int, *, speed: int = 3) -> None: ...
        def variable(self: Any, *args: int) -> None: ...
        def positional(self: Any, angle: int, /, speed: int = 3) -> None: ...

        for wrong in (names, order, default, noDefault, extra, keyword, variable, positional):
            cls = declared(type("Thing", (), {"turn": wrong}))
            self.assertIn("should be turn(angle, speed=3)", self.refusal(cls), wrong.__name__)

    def test_notAMethod(self) -> None:
        """
        What cannot be called is no method.
        """

        @declared
        class Thing:
            turn = property(lambda self: None)
            stopTurning = 5

        message = self.refusal(Thing)
        self.assertIn("turn is not a method", message)
        self.assertIn("stopTurning is not a method", message)

    def test_misspelt(self) -> None:
        """
        A method with almost the name of one that is left out is reported.
        """

        @declared
        class Thing:
            def turn(self, angle: int, speed: int = 3) -> None:
                """Turn it."""

            def stopTurnings(self, flags: int) -> None:
                """Stop it."""

        self.assertIn("meant to be stopTurning?", self.refusal(Thing))


class ContractTests(SynchronousTestCase):
    """Tests for the contracts themselves."""

    def operations(self) -> list[tuple[InterfaceClass, str, Method]]:
        found = []
        for interface in interfaces():
            for name, member in interface.namesAndDescriptions():
                assert isinstance(member, Method)
                found.append((interface, str(name), member))
        return found

    def test_plain(self) -> None:
        """
        Operations take parameters by position, without defaults; descriptors come last.
        """
        for interface, name, method in self.operations():
            where = f"{interface.__name__}.{name}"
            self.assertEqual({}, dict(method.optional), where)
            self.assertIsNone(method.varargs, where)
            self.assertIsNone(method.kwargs, where)
            if "fds" in method.positional:
                self.assertEqual("fds", method.positional[-1], where)

    def test_described(self) -> None:
        """
        Each operation says what it does, and explains parameters that it has.
        """
        for interface, name, method in self.operations():
            where = f"{interface.__name__}.{name}"
            text = inspect.cleandoc(method.__doc__ or "")
            self.assertGreater(len(text), 20, where)
            self.assertTrue(text.split("\n\n")[0].strip().endswith("."), where)
            for parameter in re.findall(r"@param (\w+):", text):
                self.assertIn(parameter, method.positional, where)

    def test_namesInTexts(self) -> None:
        """
        The constants and errors that the contracts mention exist.
        """
        known = [name for name in vars(constants) if name.startswith("VIR_")]
        wrong = []
        for interface, name, method in self.operations():
            text = method.__doc__ or ""
            where = f"{interface.__name__}.{name}"
            for constant in re.findall(r"VIR_[A-Z0-9_]*\*?", text):
                if constant.endswith("*"):
                    fits = any(each.startswith(constant[:-1]) for each in known)
                else:
                    fits = constant in known
                wrong += [] if fits else [f"{where}: {constant}"]
            for code in re.findall(r"@raise VirtError: C\{(\w+)\}", text):
                wrong += [] if code in ErrorCode.__members__ else [f"{where}: {code}"]
            for other in re.findall(r"L\{(\w+)\}", text):
                wrong += [] if other in methods() else [f"{where}: {other}"]
        self.assertEqual([], wrong)


class TestDriverTests(SynchronousTestCase):
    """Tests for what the test driver promises."""

    def test_components(self) -> None:
        """
        Each class of the test driver takes exactly what the contracts say.
        """
        from pyvirt.drivers.test.components import COMPONENTS, componentClass

        self.assertGreater(len(COMPONENTS), 5)
        for interface in COMPONENTS:
            assertContract(interface, componentClass(interface))

    def test_connection(self) -> None:
        """
        So do its factory and its connection, which leave nothing out.
        """
        from pyvirt.drivers.test.driver import TestConnection, TestDriver

        assertContract(IConnection, TestConnection, complete=True)
        assertContract(IDriverFactory, TestDriver, complete=True)
