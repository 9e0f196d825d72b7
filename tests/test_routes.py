"""
Tests for L{pyvirt.routes}: that every procedure has one outcome, and what a router makes of calls.
"""

from __future__ import annotations

import errno
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.interface import InterfaceClass, Method

from pyvirt.drivers.interfaces.values import DomainInfo, DomainRef
from pyvirt.errors import ErrorCode, NotSupported, OperationDenied, VirtError, virtError
from pyvirt.protocols.procedures import Kind, Procedure
from pyvirt.protocols.programs.lxc import PROGRAM as LXC
from pyvirt.protocols.programs.qemu import PROGRAM as QEMU
from pyvirt.protocols.programs.remote import PROGRAM as REMOTE
from pyvirt.routes import PROGRAMS, NotRouted, Router, outcome, table
from pyvirt.routes.contracts import interfaces, methods

NUMBERS = ("flags", "nparams", "startCPU")
"""Parameters that routes calculate with."""

DOMAIN = DomainRef("web1", b"\x01" * 16, 7)


def calls() -> list[Procedure]:
    """Return every procedure that clients may call."""
    return [
        procedure for program in PROGRAMS for procedure in program if procedure.kind is Kind.CALL
    ]


class Operations:
    """A driver made of functions: each keyword is an operation."""

    uri = "fake:///there"

    def __init__(self, **operations: Any) -> None:
        for name, operation in operations.items():
            setattr(self, name, operation)

    def component(self, interface: InterfaceClass) -> object:
        """Return this very object, whatever is asked for."""
        return self


def router(readOnly: bool = False, **operations: Any) -> Router:
    """Make a router on L{Operations}."""
    return Router(Operations(**operations), readOnly)  # type: ignore[arg-type]


class TotalityTests(SynchronousTestCase):
    def test_everyCall(self) -> None:
        """
        Each call has exactly one outcome.
        """
        for procedure in calls():
            found = outcome(procedure)
            chosen = [found.route, found.attribute, found.session, found.refused]
            self.assertEqual(1, sum(one is not None for one in chosen), procedure)

    def test_methodsExist(self) -> None:
        """
        Each route's method is in its interface, and takes as many arguments as the route gives.
        """
        for procedure in calls():
            found = outcome(procedure)
            if found.route is None:
                continue
            assert found.interface is not None
            method = found.interface[found.route.method]
            assert isinstance(method, Method)
            given: Any = tuple(f"<{name}>" for name in procedure.parameters)
            if found.route.into is not None:
                numbers = tuple(
                    0 if name in NUMBERS else value
                    for name, value in zip(procedure.parameters, given, strict=True)
                )
                given = found.route.into(numbers, ())
            self.assertEqual(len(method.positional), len(given), procedure)

    def test_everyOperationIsReached(self) -> None:
        """
        Each method of the contracts is the target of some procedure.
        """
        reached = {outcome(p).route.method for p in calls() if outcome(p).route}  # type: ignore[union-attr]
        self.assertEqual(set(), set(methods()) - reached)

    def test_noStaleEntries(self) -> None:
        """
        The tables name calls of their programs and nothing else.
        """
        tables = (
            (REMOTE, table.REMOTE),
            (QEMU, table.QEMU),
            (LXC, table.LXC),
        )
        for program, entries in tables:
            for name in entries:
                self.assertIs(Kind.CALL, program.byName[name].kind)
        names = {procedure.name for procedure in calls()}
        others = {*table.SESSION, *table.REFUSED, *table.CONNECTION, *table.FALLBACKS}
        self.assertEqual(set(), others - names)

    def test_eventsHaveNone(self) -> None:
        """
        What only the daemon sends cannot be routed.
        """
        self.assertRaises(LookupError, outcome, REMOTE.byName["domainEventLifecycle"])
        self.assertRaises(NotRouted, router().handler, REMOTE.byName["domainEventLifecycle"])

    def test_operationsInOneInterface(self) -> None:
        """
        The interfaces of operations are found, none of them empty.
        """
        self.assertGreater(len(interfaces()), 20)
        for interface in interfaces():
            self.assertTrue(interface.names(), interface)


class RouterTests(SynchronousTestCase):
    def test_direct(self) -> None:
        """
        What the driver answers at once is the result.
        """
        info = DomainInfo(1, 2048, 1024, 2, 99)
        routes = router(domainGetInfo=lambda dom: info)
        self.assertIs(info, routes.call(REMOTE.byName["domainGetInfo"], (DOMAIN,)))

    def test_deferred(self) -> None:
        """
        A Deferred passes through and fires with the shaped result.
        """
        waiting: Deferred[list[DomainRef]] = Deferred()
        routes = router(connectListAllDomains=lambda flags: waiting)
        answer = routes.call(REMOTE.byName["connectListDomains"], (10,))
        self.assertNoResult(answer)
        waiting.callback([DOMAIN])
        self.assertEqual([7], self.successResultOf(answer))

    def test_coroutine(self) -> None:
        """
        A coroutine runs as a Deferred.
        """

        async def info(dom: DomainRef) -> DomainInfo:
            return DomainInfo(1, 0, 0, 1, 0)

        answer = router(domainGetInfo=info).call(REMOTE.byName["domainGetInfo"], (DOMAIN,))
        self.assertEqual(1, self.successResultOf(answer).state)

    def test_shortage(self) -> None:
        """
        What the system refuses for want of something is told as that, and no fault of the driver.
        """
        problem = OSError(errno.EMFILE, "Too many open files", "/a")

        def now(dom: DomainRef) -> DomainInfo:
            raise problem

        async def later(dom: DomainRef) -> DomainInfo:
            raise problem

        procedure = REMOTE.byName["domainGetInfo"]
        error = self.assertRaises(VirtError, router(domainGetInfo=now).call, procedure, (DOMAIN,))
        self.assertEqual("Failed to open file '/a': Too many open files", str(error))
        answer = router(domainGetInfo=later).call(procedure, (DOMAIN,))
        self.assertEqual(ErrorCode.SYSTEM_ERROR, self.failureResultOf(answer, VirtError).value.code)
        self.assertEqual([], self.flushLoggedErrors())

    def test_notSupported(self) -> None:
        """
        An operation that the driver lacks is refused in the name of what was called.
        """
        routes = router()
        error = self.assertRaises(
            NotSupported, routes.call, REMOTE.byName["domainDestroy"], (DOMAIN,)
        )
        self.assertEqual(
            "this function is not supported by the connection driver: virDomainDestroy", str(error)
        )
        self.assertEqual(20, error.domain)

    def test_readOnly(self) -> None:
        """
        A read-only connection refuses changes before the driver is asked.
        """
        routes = router(readOnly=True, domainDestroyFlags=self.fail)
        error = self.assertRaises(
            OperationDenied, routes.call, REMOTE.byName["domainDestroy"], (DOMAIN,)
        )
        self.assertEqual(
            "operation forbidden: read only access prevents virDomainDestroy", str(error)
        )

    def test_readOnlyByFlags(self) -> None:
        """
        Some calls are allowed on a read-only connection without certain flags only.
        """
        routes = router(readOnly=True, domainGetXMLDesc=lambda dom, flags: "<domain/>")
        call = REMOTE.byName["domainGetXMLDesc"]
        self.assertEqual("<domain/>", routes.call(call, (DOMAIN, 2)))
        self.assertRaises(OperationDenied, routes.call, call, (DOMAIN, 1))

    def test_session(self) -> None:
        """
        The session's procedures are not routed.
        """
        self.assertRaises(NotRouted, router().call, REMOTE.byName["connectClose"], ())

    def test_uri(self) -> None:
        """
        The connection itself tells its URI.
        """
        self.assertEqual("fake:///there", router().call(REMOTE.byName["connectGetURI"], ()))

    def test_escape(self) -> None:
        """
        What else a driver raises is logged, and callers are told no details of it.
        """

        def broken(dom: DomainRef) -> DomainInfo:
            raise ZeroDivisionError("secret detail")

        routes = router(domainGetInfo=broken)
        error = self.assertRaises(VirtError, routes.call, REMOTE.byName["domainGetInfo"], (DOMAIN,))
        self.assertEqual(1, error.code)
        self.assertNotIn("secret detail", str(error))
        self.assertEqual(1, len(self.flushLoggedErrors(ZeroDivisionError)))

    def test_escapeLater(self) -> None:
        """
        The same holds for what a Deferred fails with.
        """

        async def broken(dom: DomainRef) -> DomainInfo:
            raise ZeroDivisionError("secret detail")

        answer = router(domainGetInfo=broken).call(REMOTE.byName["domainGetInfo"], (DOMAIN,))
        self.assertEqual(1, self.failureResultOf(answer, VirtError).value.code)
        self.assertEqual(1, len(self.flushLoggedErrors(ZeroDivisionError)))

    def test_noCurrentSnapshot(self) -> None:
        """
        That there is no current snapshot is an answer, not an error.
        """

        def none(dom: DomainRef, flags: int) -> Any:
            raise virtError(72, "none", 12)

        call = REMOTE.byName["domainHasCurrentSnapshot"]
        self.assertIs(False, router(domainSnapshotCurrent=none).call(call, (DOMAIN, 0)))
        self.assertIs(True, router(domainSnapshotCurrent=lambda d, f: "x").call(call, (DOMAIN, 0)))

    def test_permits(self) -> None:
        """
        What the caller may not see is neither listed nor counted.
        """
        other = DomainRef("web2", b"\x02" * 16, 8)
        operations = Operations(connectListAllDomains=lambda flags: [DOMAIN, other])
        routes = Router(operations, False, lambda procedure, ref: ref.name == "web2")  # type: ignore[arg-type]
        self.assertEqual(1, routes.call(REMOTE.byName["connectNumOfDomains"], ()))
        self.assertEqual(([other], 1), routes.call(REMOTE.byName["connectListAllDomains"], (1, 0)))
