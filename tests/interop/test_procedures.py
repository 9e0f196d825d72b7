"""
Every call with absent, zero, negative, huge and contradictory arguments, said to libvirtd and to a L{Router}.

What the public functions and the daemon check is the same whatever the driver, so a router without a driver must
refuse exactly what libvirtd refuses, in the same words; what libvirtd lets through to its test driver must get as
far as "not supported" here.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.interface import InterfaceClass

from pyvirt.errors import ErrorCode, ErrorDomain, NotSupported, VirtError
from pyvirt.protocols.procedures import Kind, Procedure, Program
from pyvirt.protocols.structs import DomainRef, TypedParam
from pyvirt.routes import PROGRAMS, Router, outcome
from pyvirt.routes.family import function
from tests.interop.prober import Arguments, Prober, attempts, references
from tests.interop.supersets import isSuperset
from tests.interop.support import LibvirtDaemon, requireLibvirtd, servers

FIRST_UNKNOWN = 444
"""The first procedure that libvirtd 9.0.0 does not know."""


HOST = """
<node>
  <domain type="test">
    <name>test</name><memory>8388608</memory><vcpu>2</vcpu><os><type>hvm</type></os>
  </domain>
  <network><name>default</name><bridge name="virbr0"/></network>
  <interface type="ethernet" name="eth1"><mac address="aa:bb:cc:dd:ee:ff"/></interface>
  <pool type="dir"><name>default-pool</name><target><path>/default-pool</path></target></pool>
  <device><name>computer</name><capability type="system"><hardware><uuid>00000000-0000-0000-0000-000000000001</uuid></hardware><firmware/></capability></device>
</node>
"""
"""What each connection starts with; a host from a file is not shared, so no call changes what others see."""


class NoDriver:
    """A connection whose driver can do nothing."""

    uri = "nothing:///"

    def component(self, interface: InterfaceClass) -> None:
        """Return None."""

    def isSecure(self) -> bool:
        """Return True."""
        return True


def summary(error: VirtError | None) -> tuple[Any, ...] | None:
    """Return what must be equal of an error."""
    if error is None:
        return None
    message = re.sub(r"\bfd \d+ ", "fd N ", error.message or "")
    return (
        int(error.code),
        int(error.domain),
        message,
        error.level,
        error.str1,
        error.str2,
        error.str3,
        error.int1,
        error.int2,
    )


def isCheck(procedure: Procedure, error: VirtError) -> bool:
    """Whether C{error} comes from the daemon or the public function, and not from the test driver."""
    if error.code == ErrorCode.OPERATION_DENIED:
        return True
    if error.domain == ErrorDomain.RPC:
        # An answer that cannot be encoded, or a driver that fails without a word, was asked.
        return error.str1 is not None and error.str2 != "Unable to encode message payload"
    if error.str1 == function(procedure):
        return True
    if error.code == ErrorCode.NO_SUPPORT:
        return error.domain != ErrorDomain.TEST
    detail = error.str2 or ""
    return detail.startswith(("input too large: ", "invalid lifecycle ")) or detail.endswith(
        " too big for destination"
    )


def routed() -> Iterator[tuple[Program, Procedure]]:
    """Yield the calls that reach drivers and that libvirtd 9.0.0 knows."""
    for program in PROGRAMS:
        for procedure in program:
            if procedure.kind is not Kind.CALL or procedure.number >= FIRST_UNKNOWN:
                continue
            found = outcome(procedure)
            if found.session is None and found.attribute is None:
                yield program, procedure


def isBroken(procedure: Procedure, arguments: Arguments) -> bool:
    """Whether libvirtd 9.0.0 is known to crash on it, or to multiply beyond 32 bits."""
    if procedure.name in ("domainSnapshotListNames", "domainSnapshotListChildrenNames"):
        return bool(arguments[1] == 0)
    return procedure.name == "nodeGetFreePages" and len(arguments[0]) * arguments[2] >= 1 << 32


class CheckTests(SynchronousTestCase):
    def setUp(self) -> None:
        requireLibvirtd()
        self.daemon = LibvirtDaemon()
        self.addCleanup(self.daemon.stop)
        self.host = os.path.join(self.daemon.folder, "procedures.xml")
        with open(self.host, "w") as file:
            file.write(HOST)

    def open(self, readOnly: bool = False) -> Prober:
        return Prober(self.daemon.connect(readOnly=readOnly), f"test://{self.host}")

    def prober(self, readOnly: bool = False) -> Prober:
        prober = self.open(readOnly)
        self.addCleanup(prober.close)
        return prober

    def compare(
        self,
        router: Router,
        prober: Prober,
        program: Program,
        procedure: Procedure,
        arguments: Arguments,
        fds: tuple[int, ...] = (),
    ) -> str | None:
        """Make one call on both sides; return what differs, or None."""
        answer = prober.call(program, procedure, arguments, fds)
        theirs = answer.error
        for fd in answer.fds:
            os.close(fd)
        try:
            result = router.call(procedure, arguments, fds)
        except VirtError as error:
            ours = error
        else:
            if theirs is None and answer.result == result:
                return None
            return f"{procedure.name}{arguments!r:.200}: no driver, and yet an answer"
        if theirs is not None and isCheck(procedure, theirs):
            if summary(theirs) == summary(ours):
                return None
        elif isinstance(ours, NotSupported):
            return None
        return f"{procedure.name}{arguments!r:.200}\n  {summary(theirs)}\n  {summary(ours)}"

    def compareAll(self, readOnly: bool) -> None:
        """Make every attempt at every call."""
        router = Router(NoDriver(), readOnly)  # type: ignore[arg-type]
        different: list[str] = []
        tried = 0
        for program, procedure in routed():
            prober = self.open(readOnly)
            known = references(prober)
            for arguments in attempts(procedure, known):
                if isBroken(procedure, arguments):
                    continue
                tried += 1
                found = self.compare(router, prober, program, procedure, arguments)
                if found is not None:
                    different.append(found)
            prober.close()
        self.assertGreater(tried, 10000)
        if different:
            self.fail(f"{len(different)} of {tried} differ\n" + "\n".join(different[:40]))

    def test_readWrite(self) -> None:
        """
        On a read-write connection the same calls are refused, in the same words.
        """
        self.compareAll(readOnly=False)

    def test_readOnly(self) -> None:
        """
        On a read-only connection too.
        """
        self.compareAll(readOnly=True)

    def test_descriptors(self) -> None:
        """
        What comes with descriptors is checked the same way: none, the wrong kind, too many.
        """
        one, other = socket.socketpair()
        self.addCleanup(one.close)
        self.addCleanup(other.close)
        null = os.open(os.devnull, os.O_RDONLY)
        self.addCleanup(os.close, null)
        calls = [
            (program, procedure)
            for program, procedure in routed()
            if procedure.name in ("domainOpenGraphics", "domainFDAssociate")
        ]
        self.assertEqual(2, len(calls))
        different = []
        for readOnly in (False, True):
            router = Router(NoDriver(), readOnly)  # type: ignore[arg-type]
            prober = self.prober(readOnly)
            domain = references(prober)[DomainRef]
            for program, procedure in calls:
                arguments = (domain, "name" if "name" in procedure.parameters else 0, 0)
                for fds in ((), (null,), (one.fileno(),), (null, one.fileno())):
                    found = self.compare(router, prober, program, procedure, arguments, fds)
                    different += [] if found is None else [f"{fds}: {found}"]
        self.assertEqual([], different)

    def test_details(self) -> None:
        """
        The same holds at the edges: limits that are not powers of two, combinations of three arguments.
        """
        prober = self.prober()
        router = Router(NoDriver())  # type: ignore[arg-type]
        byName = {procedure.name: (program, procedure) for program, procedure in routed()}
        domain = references(prober)[DomainRef]
        cases: list[tuple[str, Arguments]] = []
        for name in ("domainSetMemory", "domainSetMaxMemory"):
            cases += [(name, (domain, size)) for size in (2**53 - 2, 2**53 - 1, 2**53)]
        for nparams, start, ncpus in (
            *((0, -1, 0), (0, -1, 1), (0, -2, 1), (0, 0, 0), (0, 5, 0), (1, 0, 0), (3, 5, 0)),
            *((16, 0, 128), (17, 0, 200), (16, 0, 129), (3, -1, 2), (3, -1, 200)),
        ):
            cases.append(("domainGetCPUStats", (domain, nparams, start, ncpus, 0)))
        for pages, cells in (([], 0), ([4], 1024), ([4], 1025), ([4, 4], 513), ([], 2000)):
            cases.append(("nodeGetFreePages", (pages, 0, cells, 0)))
        for sizes, counts, cells in (([], [], 0), ([4], [], 0), ([4], [4], 0), ([], [4], 1)):
            cases.append(("nodeAllocPages", (sizes, counts, 0, cells, 0)))
        for kind in range(4):
            for text in (None, "a", "a\nb"):
                for key in (None, "key"):
                    for uri in (None, "uri"):
                        cases.append(("domainSetMetadata", (domain, kind, text, key, uri, 0)))
        for base in (None, "base"):
            for flags in range(128):
                cases.append(("domainBlockRebase", (domain, "vda", base, 0, flags)))
        for action in range(8):
            cases.append(("domainSetLifecycleAction", (domain, 0, action, 0)))
        for codeset in range(12):
            cases.append(("domainSendKey", (domain, codeset, 0, [1], 0)))
        for keys in ([], ["key"]):
            for flags in range(8):
                cases.append(("domainAuthorizedSSHKeysSet", (domain, "user", keys, flags)))
        for size in (79, 80, 81):
            param = TypedParam("w" * size, 1, 1)
            cases.append(("domainSetMemoryParameters", (domain, [param], 0)))
            cases.append(("domainSetBlockIoTune", (domain, "vda", [param], 0)))
            cases.append(("domainMigrateBegin3Params", (domain, [param], 0)))
            cases.append(("nodeSetMemoryParameters", ([param], 0)))
        found = [
            self.compare(router, prober, *byName[name], arguments) for name, arguments in cases
        ]
        self.assertEqual([], [each for each in found if each is not None])


UNTRIED = ("connectOpen", "connectClose", "authPolkit")
"""Calls after which a connection is another one, or whose answer depends on the host's policy."""


class SessionTests(SynchronousTestCase):
    """What the daemon answers itself, said to libvirtd and to pyvirt."""

    def compareAll(self, readOnly: bool) -> None:
        """Make every attempt at every call that belongs to the session."""
        different = []
        for program in PROGRAMS:
            for procedure in program:
                if procedure.kind is not Kind.CALL or procedure.name in UNTRIED:
                    continue
                found = outcome(procedure)
                if found.session is None and found.attribute is None:
                    continue
                probers = [Prober(daemon.connect(readOnly=readOnly)) for daemon in servers()]
                known = references(probers[0])
                for arguments in attempts(procedure, known):
                    theirs, ours = (
                        prober.call(program, procedure, arguments) for prober in probers
                    )
                    if theirs.error is not None and isSuperset(procedure.name, theirs.error.code):
                        continue
                    if summary(theirs.error) != summary(ours.error) or theirs.result != ours.result:
                        different.append(f"{procedure.name}{arguments!r:.200} {theirs} {ours}")
                for prober in probers:
                    prober.close()
        self.assertEqual([], different[:20])

    def test_readWrite(self) -> None:
        """
        Registrations, features and identities are taken and refused alike.
        """
        self.compareAll(readOnly=False)

    def test_readOnly(self) -> None:
        """
        So they are on a read-only connection.
        """
        self.compareAll(readOnly=True)
