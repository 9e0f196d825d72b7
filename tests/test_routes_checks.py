"""
Tests for L{pyvirt.routes.checks} and L{pyvirt.routes.limits}: what is refused before a driver is asked.
"""

from __future__ import annotations

import os
import socket
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from pyvirt import constants as c
from pyvirt.drivers.interfaces.values import DomainRef, TypedParam
from pyvirt.errors import InvalidArgument, OperationDenied, VirtError
from pyvirt.protocols.procedures import Kind, Procedure
from pyvirt.protocols.programs.qemu import PROGRAM as QEMU
from pyvirt.protocols.programs.remote import PROGRAM as REMOTE
from pyvirt.routes import PROGRAMS, check
from pyvirt.routes.checks import READ_ONLY, checker
from pyvirt.routes.checktable import CHECKS
from pyvirt.routes.family import domainOf, function
from pyvirt.routes.limits import LIMITS, limiter

DOMAIN = DomainRef("web1", b"\x01" * 16, 7)


def calls() -> list[Procedure]:
    """Return every procedure that clients may call."""
    return [
        procedure for program in PROGRAMS for procedure in program if procedure.kind is Kind.CALL
    ]


class CheckTests(SynchronousTestCase):
    def refusal(self, name: str, *arguments: Any, **options: Any) -> VirtError:
        """Return what a check raises."""
        error: VirtError = self.assertRaises(
            VirtError, check, REMOTE.byName[name], arguments, **options
        )
        return error

    def test_form(self) -> None:
        """
        A refused argument is reported with the function, the argument as C code names it, and zeros.
        """
        error = self.refusal("domainPinVcpu", DOMAIN, 0, b"")
        self.assertIsInstance(error, InvalidArgument)
        self.assertEqual(
            ("cpumap in virDomainPinVcpu must not be NULL", 20, "virDomainPinVcpu", "cpumap", 0, 0),
            (error.message, error.domain, error.str1, error.str2, error.int1, error.int2),
        )

    def test_passes(self) -> None:
        """
        What is right passes, and most calls are not checked at all.
        """
        check(REMOTE.byName["domainPinVcpu"], (DOMAIN, 0, b"\x01"))
        self.assertIsNone(checker(REMOTE.byName["domainGetInfo"], False))
        self.assertIsNone(checker(REMOTE.byName["domainGetInfo"], True))

    def test_order(self) -> None:
        """
        Of several mistakes the first in the function's order is reported; most ask for permission first.
        """
        both = c.VIR_DOMAIN_VCPU_GUEST | c.VIR_DOMAIN_AFFECT_CONFIG
        self.assertIn("exclusive", str(self.refusal("domainSetVcpusFlags", DOMAIN, 0, both)))
        self.assertIn("zero", str(self.refusal("domainSetVcpusFlags", DOMAIN, 0, 0)))
        denied = self.refusal("domainSetVcpusFlags", DOMAIN, 0, both, readOnly=True)
        self.assertIsInstance(denied, OperationDenied)
        rename = self.refusal("domainRename", DOMAIN, None, 0, readOnly=True)
        self.assertIn("new_name in virDomainRename must not be NULL", str(rename))
        self.assertIsInstance(
            self.refusal("domainRename", DOMAIN, "x", 0, readOnly=True), OperationDenied
        )

    def test_requirement(self) -> None:
        """
        A flag that means nothing without another needs it.
        """
        error = self.refusal("domainGetJobStats", DOMAIN, 2)
        self.assertEqual(
            "Flag 'VIR_DOMAIN_JOB_STATS_COMPLETED' is required by flag "
            "'VIR_DOMAIN_JOB_STATS_KEEP_COMPLETED'",
            str(error),
        )
        check(REMOTE.byName["domainGetJobStats"], (DOMAIN, 3))

    def test_secrets(self) -> None:
        """
        A read-only caller is told when it is for secrets that it is refused.
        """
        error = self.refusal("domainGetXMLDesc", DOMAIN, 1, readOnly=True)
        self.assertEqual("operation forbidden: virDomainGetXMLDesc with secure flag", str(error))

    def test_source(self) -> None:
        """
        A read-only caller is refused what only an agent inside the guest could answer.
        """
        self.refusal("domainInterfaceAddresses", DOMAIN, 1, 0, readOnly=True)
        check(REMOTE.byName["domainInterfaceAddresses"], (DOMAIN, 0, 0), readOnly=True)

    def test_overflow(self) -> None:
        """
        Memory whose bytes do not fit a C number is refused.
        """
        self.assertEqual(82, self.refusal("domainSetMemory", DOMAIN, 2**53).code)

    def test_descriptors(self) -> None:
        """
        Descriptors are checked where they are known.
        """
        one, other = socket.socketpair()
        self.addCleanup(one.close)
        self.addCleanup(other.close)
        null = os.open(os.devnull, os.O_RDONLY)
        self.addCleanup(os.close, null)
        graphics = (DOMAIN, 0, 0)
        check(REMOTE.byName["domainOpenGraphics"], graphics)
        check(REMOTE.byName["domainOpenGraphics"], graphics, fds=[one.fileno()])
        self.assertIn("No FD", str(self.refusal("domainOpenGraphics", *graphics, fds=[])))
        self.assertEqual(
            f"fd {null} must be a socket",
            str(self.refusal("domainOpenGraphics", *graphics, fds=[null])),
        )
        self.assertIn("nfds", str(self.refusal("domainFDAssociate", DOMAIN, "x", 0, fds=[])))

    def test_denyUnlessAllowed(self) -> None:
        """
        Each call that the wire table does not allow a read-only connection is refused, unless something
        else is wrong with it.
        """
        refused = 0
        for procedure in calls():
            if procedure.readOnly.allowed:
                continue
            step = checker(procedure, True)
            assert step is not None, procedure
            arguments = tuple(_Anything() for _ in procedure.parameters)
            items = CHECKS.get(procedure.name, ())
            if READ_ONLY in items and items[0] is not READ_ONLY:
                continue
            error = self.assertRaises(OperationDenied, step, arguments)
            self.assertEqual(
                f"operation forbidden: read only access prevents {function(procedure)}", str(error)
            )
            self.assertEqual(domainOf(procedure), error.domain)
            refused += 1
        self.assertGreater(refused, 150)

    def test_tablesNameCalls(self) -> None:
        """
        The tables of checks and limits name calls.
        """
        names = {procedure.name for procedure in calls()}
        self.assertEqual(set(), set(CHECKS) - names)
        self.assertEqual(set(), set(LIMITS) - names)

    def test_families(self) -> None:
        """
        Errors about a call come from the part of libvirt that the function belongs to.
        """
        cases = {
            "connectListAllNetworks": 19,
            "storagePoolLookupByVolume": 18,
            "connectNumOfStoragePools": 18,
            "nodeListDevices": 22,
            "nodeDeviceLookupByName": 22,
            "connectListDefinedInterfaces": 26,
            "interfaceCreate": 26,
            "domainGetInterfaceParameters": 20,
            "connectListSecrets": 30,
            "nwfilterBindingDelete": 33,
            "domainRevertToSnapshot": 35,
            "domainListAllCheckpoints": 69,
            "nodeGetInfo": 20,
        }
        for name, domain in cases.items():
            self.assertEqual(domain, domainOf(REMOTE.byName[name]), name)
        self.assertEqual(0, domainOf(QEMU.byName["domainMonitorCommand"]))
        self.assertEqual(
            "virDomainMigrateBegin3Params", function(REMOTE.byName["domainMigrateBegin3Params"])
        )


class _Anything:
    """An argument that nobody may look at before the caller is known to be allowed to ask."""


class LimitTests(SynchronousTestCase):
    def refusal(self, name: str, *arguments: Any) -> tuple[int, int, str]:
        """Return code, domain and text of what a limit refuses."""
        limit = limiter(REMOTE.byName[name])
        assert limit is not None
        error = self.assertRaises(VirtError, limit, arguments)
        return int(error.code), int(error.domain), str(error)

    def test_counts(self) -> None:
        """
        Counts below 0 and beyond what a reply holds are refused by the daemon.
        """
        name = "connectListDomains"
        self.assertEqual((39, 7, "maxids must be non-negative"), self.refusal(name, -1))
        self.assertEqual((39, 7, "maxids > REMOTE_DOMAIN_LIST_MAX"), self.refusal(name, 16385))
        limit = limiter(REMOTE.byName[name])
        assert limit is not None
        limit((0,))
        limit((16384,))

    def test_products(self) -> None:
        """
        So are sizes whose product is too much.
        """
        self.assertEqual(
            (1, 7, "internal error: maxinfo * maplen > REMOTE_CPUMAPS_MAX"),
            self.refusal("domainGetVcpus", DOMAIN, 16384, 513),
        )
        self.assertEqual(
            (1, 7, "internal error: the result won't fit into REMOTE_NODE_MAX_CELLS"),
            self.refusal("nodeGetFreePages", [4, 4], 0, 4294967295, 0),
        )

    def test_longNames(self) -> None:
        """
        A typed parameter's name has at most 79 bytes, counted as they travel.
        """
        limit = limiter(REMOTE.byName["domainSetMemoryParameters"])
        assert limit is not None
        limit((DOMAIN, [TypedParam("w" * 79, 1, 1)], 0))
        for name in ("w" * 80, "\u00e4" * 40):
            code, domain, text = self.refusal(
                "domainSetMemoryParameters", DOMAIN, [TypedParam(name, 1, 1)], 0
            )
            self.assertEqual((1, 0), (code, domain))
            self.assertEqual(f"internal error: parameter {name} too big for destination", text)
