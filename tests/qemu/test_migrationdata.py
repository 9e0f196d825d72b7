"""
What travels in migrations of QEMU's guests: cookies and addresses.
"""

from __future__ import annotations

import os
import socket

from twisted.trial.unittest import SynchronousTestCase

from pyvirt import constants as c
from pyvirt.drivers.interfaces.values import TypedParam
from pyvirt.drivers.qemu.migrationcookie import Cookie, readCookie
from pyvirt.drivers.qemu.migrationdata import (
    Address,
    asParams,
    checkMigration,
    freePort,
    given,
    hostUUID,
    readAddress,
    withPort,
)
from pyvirt.errors import ErrorCode, VirtError

_REFUSALS = (
    ErrorCode.INTERNAL_ERROR,
    ErrorCode.INVALID_ARG,
    ErrorCode.ARGUMENT_UNSUPPORTED,
    ErrorCode.OPERATION_INVALID,
)
_ENTITY = b'<!DOCTYPE q [<!ENTITY a "b">]>'


class CookieTests(SynchronousTestCase):
    """What the two ends tell each other."""

    def test_roundTrip(self) -> None:
        """A cookie comes back as it was sent, whatever the names."""
        for paused in (True, False):
            cookie = Cookie("a<&'\"b", b"\x01" * 16, b"\x02" * 16, "hôst", paused)
            self.assertEqual(readCookie(cookie.encode()), cookie)
        self.assertIsNone(readCookie(b""))
        self.assertIsNone(readCookie(b"\0"))

    def test_garbage(self) -> None:
        """What is no cookie, or of another kind of host, is refused."""
        whole = Cookie("a", b"\x01" * 16, b"\x02" * 16, "h").encode()
        wrong = [whole[:end] for end in range(1, len(whole) - 2)]
        wrong += [b"\xff" * 40, b"<test-migration/>", b"<qemu-migration/>"]
        wrong += [whole.replace(b"0101", b"zzzz", 1), _ENTITY + whole]
        for data in wrong:
            error = self.assertRaises(VirtError, readCookie, data)
            self.assertEqual(error.code, ErrorCode.INTERNAL_ERROR, data)

    def test_host(self) -> None:
        """A host's number is made up once and kept; a damaged one is made up anew."""
        folder = self.mktemp()
        os.mkdir(folder)
        first = hostUUID(folder, os.urandom)
        self.assertEqual(hostUUID(folder, os.urandom), first)
        with open(os.path.join(folder, "host-uuid"), "w") as file:
            file.write("nonsense")
        self.assertNotEqual(hostUUID(folder, os.urandom), first)


class AddressTests(SynchronousTestCase):
    """Where memory is sent to."""

    def test_read(self) -> None:
        """The forms that users write."""
        for uri, address in (
            ("tcp:host:49152", Address(host="host", port=49152)),
            ("tcp://host:49152", Address(host="host", port=49152)),
            ("tcp:host", Address(host="host")),
            ("tcp://host/", Address(host="host")),
            ("tcp:host:0", Address(host="host", port=0)),  # any
            ("tcp:[::1]:1", Address(host="[::1]", port=1)),
            ("unix:///a/b", Address(path="/a/b")),
            ("unix:/a/b", Address(path="/a/b")),
            ("unix:a", Address(path="a")),
            ("unix://a/b", Address(path="/b")),
            ("tcp:host:65536", Address(host="host", port=65536)),
            ("tcp://somebody@host:1/path?a=b#c", Address(host="host", port=1)),
        ):
            self.assertEqual(readAddress(uri), address)
        self.assertEqual(readAddress("unix:///a").qemu, "unix:/a")
        self.assertEqual(readAddress("tcp:[::1]:1").qemu, "tcp:[::1]:1")

    def test_port(self) -> None:
        """A port that was chosen stands where the host ends, if that can be seen."""
        for uri, expected in (
            ("tcp:host", "tcp:host:7"),
            ("tcp:host:0", "tcp:host:0:7"),
            ("tcp://host", "tcp://host:7"),
            ("tcp://[::1]/", "tcp://[::1]:7/"),
            ("tcp://host:0/path?a=b", "tcp://host:7/path?a=b"),
        ):
            self.assertEqual(withPort(uri, 7), expected)

    def test_refused(self) -> None:
        """Anything else is an error that names it; above all what QEMU would run as a program."""
        for uri in (
            "",
            "host",
            "tcp:",
            "tcp:host:4294967297",
            "tcp:host:1,to=5",
            "tcp:host:-1",
            "unix:",
            "unix://a",
            "unix:///a\0b",
            "exec:rm -rf /",
            "fd:3",
            "rdma:host:1",
            "tcp:a b:1x",
            "tcp:host:0:49152",
            "tcp:///x",
            "rdma://host:1",
        ):
            error = self.assertRaises(VirtError, readAddress, uri)
            self.assertIn(error.code, _REFUSALS, uri)
            said = f"tcp://{uri[4:]}" if "parse" in str(error) else uri
            self.assertIn("RDMA" if uri.startswith("rdma://") else said, str(error))

    def test_ports(self) -> None:
        """A port that somebody uses is passed over; when there is none left that is said."""
        with socket.socket() as busy:
            busy.bind(("127.0.0.1", 0))
            busy.listen()
            port = busy.getsockname()[1]
            self.assertRaises(VirtError, freePort, "127.0.0.1", range(port, port + 1), set())
        self.assertEqual(freePort("127.0.0.1", range(port, port + 1), set()), port)
        self.assertRaises(VirtError, freePort, "127.0.0.1", range(port, port + 1), {port})


class ParameterTests(SynchronousTestCase):
    """Flags and parameters."""

    def test_parameters(self) -> None:
        """Known ones by name; unknown ones, wrong types and senseless values are refused."""
        uri = TypedParam(c.VIR_MIGRATE_PARAM_URI, c.VIR_TYPED_PARAM_STRING, "tcp:h")
        self.assertEqual(given([uri]), {c.VIR_MIGRATE_PARAM_URI: "tcp:h"})
        for param in (
            TypedParam("nonsense", c.VIR_TYPED_PARAM_STRING, "x"),
            TypedParam(c.VIR_MIGRATE_PARAM_URI, c.VIR_TYPED_PARAM_INT, 1),
            TypedParam(c.VIR_MIGRATE_PARAM_PARALLEL_CONNECTIONS, c.VIR_TYPED_PARAM_STRING, "3"),
        ):
            self.assertRaises(VirtError, given, [param])

    def test_flags(self) -> None:
        """What is not known here is refused by the function's name."""
        checkMigration("f", c.VIR_MIGRATE_LIVE | c.VIR_MIGRATE_POSTCOPY | c.VIR_MIGRATE_PEER2PEER)
        for flag in (1 << 21, 1 << 30):
            error = self.assertRaises(VirtError, checkMigration, "f", flag)
            self.assertIn(f"(0x{flag:x}) in function f", str(error))

    def test_written(self) -> None:
        """Parameters by name are written as they were read, several of a name too."""
        params = [
            TypedParam(c.VIR_MIGRATE_PARAM_URI, c.VIR_TYPED_PARAM_STRING, "tcp:h"),
            TypedParam(c.VIR_MIGRATE_PARAM_MIGRATE_DISKS, c.VIR_TYPED_PARAM_STRING, "vda"),
            TypedParam(c.VIR_MIGRATE_PARAM_MIGRATE_DISKS, c.VIR_TYPED_PARAM_STRING, "vdb"),
            TypedParam(c.VIR_MIGRATE_PARAM_BANDWIDTH, c.VIR_TYPED_PARAM_ULLONG, 1 << 63),
        ]
        self.assertEqual(asParams(given(params)), params)
