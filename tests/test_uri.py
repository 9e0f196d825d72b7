"""
Tests for L{pyvirt.uri} and for what the remote driver makes of a URI.
"""

from __future__ import annotations

import attrs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pyvirt.constants import VIR_CONNECT_RO
from pyvirt.drivers.remote.target import Target, findTarget
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError
from pyvirt.transports.endpoints import Address, clientEndpoint
from pyvirt.uri import URI, parseURI

_WORD = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=8)


class ParseTests(SynchronousTestCase):
    """L{parseURI}."""

    def test_parts(self) -> None:
        """
        Every part of a URI is found and decoded.
        """
        uri = parseURI("qemu+ssh://user@host:2222/system?no_verify=1&name=a%20b#frag")
        self.assertEqual(uri.driver, "qemu")
        self.assertEqual(uri.transport, "ssh")
        self.assertEqual((uri.user, uri.host, uri.port), ("user", "host", 2222))
        self.assertEqual(uri.path, "/system")
        self.assertEqual(uri.parameter("name"), "a b")
        self.assertEqual(uri.fragment, "frag")
        self.assertTrue(uri.isRemote)

    def test_IPv6(self) -> None:
        """
        An IPv6 address stands in brackets, which are no part of it.
        """
        uri = parseURI("test+tcp://[::1]:17/default")
        self.assertEqual((uri.host, uri.port), ("::1", 17))
        self.assertEqual(str(uri), "test+tcp://[::1]:17/default")

    def test_garbage(self) -> None:
        """
        What is no URI is refused in libvirt's words.
        """
        for text in (
            "test://[bad",
            "a b",
            "test:///\xe9",
            "%%",
            "+unix:///default",
            "test+tcp://h:abc/x",
        ):
            error = self.assertRaises(VirtError, parseURI, text)
            self.assertEqual(error.code, ErrorCode.INTERNAL_ERROR)
            self.assertEqual(error.domain, ErrorDomain.URI)
            self.assertEqual(str(error), f"internal error: Unable to parse URI {text}")

    @settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(_WORD, st.booleans(), _WORD, st.lists(st.tuples(_WORD, st.text(max_size=8)), max_size=3))
    def test_roundTrip(
        self, path: str, host: bool, name: str, parameters: list[tuple[str, str]]
    ) -> None:
        """
        What is written is read back the same.
        """
        uri = URI(
            scheme="test+tcp" if host else "test",
            host=name if host else "",
            path=f"/{path}",
            parameters=tuple((each, value.replace("\0", "")) for each, value in parameters),
        )
        self.assertEqual(attrs.evolve(parseURI(str(uri)), text=""), uri)


class TargetTests(SynchronousTestCase):
    """L{findTarget}."""

    def find(self, text: str | None, flags: int = 0, userID: int = 0) -> Target:
        uri = None if text is None else parseURI(text)
        return findTarget(uri, flags, {"XDG_RUNTIME_DIR": "/run/user/5"}, userID)

    def test_stripped(self) -> None:
        """
        The daemon gets the URI without transport, host and what is for this side.
        """
        for text, name in (
            ("test+unix:///default?socket=/s", "test:///default"),
            ("test+tcp://u@h:5/default", "test:///default"),
            (
                "test+unix:///default?foo=bar&socket=/s&no_verify=1&x=a%20b",
                "test:///default?foo=bar&x=a%20b",
            ),
            ("test+unix:///default?knownHosts=x", "test:///default?knownHosts=x"),
            ("test+unix:///default?known_hosts=x&proxy=auto&tls_priority=b", "test:///default"),
            ("remote+unix:///?socket=/s", ""),
            ("test+unix:///default?name=foo:///z", "foo:///z"),
            ("qemu:///system", "qemu:///system"),
        ):
            self.assertEqual(self.find(text).name, name, text)

    def test_sockets(self) -> None:
        """
        The socket is the system's, the read-only one or the user's own.
        """
        for text, flags, userID, path in (
            (None, 0, 0, "/var/run/libvirt/libvirt-sock"),
            ("qemu:///system", 0, 0, "/var/run/libvirt/libvirt-sock"),
            ("qemu:///system", VIR_CONNECT_RO, 0, "/var/run/libvirt/libvirt-sock-ro"),
            ("qemu:///session", 0, 0, "/var/run/libvirt/libvirt-sock"),
            ("qemu:///session", VIR_CONNECT_RO, 5, "/run/user/5/libvirt/libvirt-sock"),
            ("qemu:///system", 0, 5, "/var/run/libvirt/libvirt-sock"),
            ("test+unix:///default", 0, 5, "/run/user/5/libvirt/libvirt-sock"),
            (None, 0, 5, "/run/user/5/libvirt/libvirt-sock"),
            ("qemu:///system?mode=direct", 0, 0, "/var/run/libvirt/virtqemud-sock"),
            ("qemu:///system?socket=/s", VIR_CONNECT_RO, 0, "/s"),
        ):
            target = self.find(text, flags, userID)
            self.assertEqual(target.address, Address(transport="unix", path=path), text)

    def test_hosts(self) -> None:
        """
        A host without a transport means TLS; each transport has its port.
        """
        for text, transport, host, port in (
            ("test://h/default", "tls", "h", 16514),
            ("test+tcp://h/default", "tcp", "h", 16509),
            ("test+tcp:///default", "tcp", "localhost", 16509),
            ("test+tcp://h:5/default", "tcp", "h", 5),
            ("test+ssh://h/default", "ssh", "h", 22),
        ):
            address = self.find(text).address
            self.assertEqual(
                (address.transport, address.host, address.port), (transport, host, port)
            )

    def test_refusals(self) -> None:
        """
        What makes no sense is refused in libvirt's words.
        """
        for text, message in (
            (
                "test+bar:///default",
                "invalid argument: remote_open: transport in URL not recognised "
                "(should be tls|unix|ssh|ext|tcp|libssh2|libssh)",
            ),
            (
                "test+unix://host/default",
                "invalid argument: using unix socket and remote server 'host' is not supported.",
            ),
            ("test+unix:///default?mode=xx", "invalid argument: Unknown remote mode 'xx'"),
            (
                "test+ext:///default",
                "invalid argument: remote_open: for 'ext' transport, command is required",
            ),
        ):
            error = self.assertRaises(VirtError, self.find, text)
            self.assertEqual((str(error), error.code, error.domain), (message, 8, 13))

    def test_missingTransport(self) -> None:
        """
        A transport that is not there is named, with what to use.
        """
        address = Address(transport="carrier-pigeon", host="h", port=1)
        error = self.assertRaises(VirtError, clientEndpoint, None, address, {}, 0)
        self.assertIn("'carrier-pigeon' is not available", str(error))
