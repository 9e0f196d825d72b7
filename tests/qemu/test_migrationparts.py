"""
Parts of migrations of QEMU's guests: what cookies say of disks and times, how QEMU is told to migrate, who may say where to.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from pyvirt import constants as c
from pyvirt.drivers.peertopeer import checkPeerURI
from pyvirt.drivers.qemu.leavingchecks import checkTogether, checkWay
from pyvirt.drivers.qemu.migrationcookie import NBD, Cookie, Statistics, readCookie
from pyvirt.drivers.qemu.migrationdata import Address
from pyvirt.drivers.qemu.migrationparams import tuningOf
from pyvirt.drivers.qemu.peertopeer import PeerToPeer
from pyvirt.drivers.qemu.storagecopy import readDisksAddress
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError

_UUID, _HOST = b"\x01" * 16, b"\x02" * 16
_DISK = c.VIR_MIGRATE_NON_SHARED_DISK
#: Not a flag: qemu.conf wants all to be encrypted.
_FORCED = 1 << 40
_TUNNEL = c.VIR_MIGRATE_PEER2PEER | c.VIR_MIGRATE_TUNNELLED


class CookieTests(SynchronousTestCase):
    """What cookies say besides names."""

    def test_roundTrip(self) -> None:
        """Disks, times and what the domain is to be come back as they were sent."""
        numbers = {c.VIR_DOMAIN_JOB_TIME_ELAPSED: 5, c.VIR_DOMAIN_JOB_MEMORY_TOTAL: 1 << 63}
        for more in (
            {"nbd": NBD(None, {"vda": 0, "a<'&": (1 << 64) - 1})},
            {"nbd": NBD(49153)},
            {"statistics": Statistics(1, 2, 3, numbers)},
            {"statistics": Statistics(1, 2, 3, {}, 0)},
            {"persistent": "<domain><name>a&lt;</name></domain>"},
        ):
            values: Any = more
            cookie = Cookie("a", _UUID, _HOST, "h", **values)
            self.assertTrue(cookie.encode().endswith(b"\n\0"))
            self.assertEqual(readCookie(cookie.encode(), "a", _UUID), cookie)

    def test_refused(self) -> None:
        """Numbers that are none, parts that are not known, and other domains are refused."""
        whole = Cookie(
            "a", _UUID, _HOST, "h", nbd=NBD(1, {"vda": 7}), statistics=Statistics(1, 2, 3, {})
        ).encode()
        for old, new in (
            (b"'7'", b"'-7'"),
            (b"'7'", b"'%d'" % (1 << 64)),
            (b"'7'", b"''"),
            (b" capacity='7'", b""),
            (b"target='vda' ", b""),
            (b"port='1'", b"port='65536'"),
            (b"port='1'", b"port='x'"),
            (b"<sent>3<", b"<sent>3.5<"),
            (b"<nbd", b"<feature name='nonsense'/><nbd"),
        ):
            self.assertIn(old, whole)
            data = whole.replace(old, new)
            error = self.assertRaises(VirtError, readCookie, data)
            self.assertEqual(error.code, ErrorCode.INTERNAL_ERROR, data)
        self.assertRaises(VirtError, readCookie, whole, "b", _UUID)
        self.assertRaises(VirtError, readCookie, whole, "a", _HOST)

    def test_params(self) -> None:
        """Times without the network are told where the other end has said how late it was."""
        numbers = {
            c.VIR_DOMAIN_JOB_TIME_ELAPSED: 100,
            c.VIR_DOMAIN_JOB_DOWNTIME: 50,
            c.VIR_DOMAIN_JOB_MEMORY_TOTAL: 7,
            c.VIR_DOMAIN_JOB_DISK_TOTAL: 3,
        }
        params = Statistics(0, 0, 0, numbers, 10).params(c.VIR_DOMAIN_JOB_OPERATION_MIGRATION_IN)
        found = {each.field: each.value for each in params}
        self.assertEqual(found[c.VIR_DOMAIN_JOB_TIME_ELAPSED_NET], 90)
        self.assertEqual(found[c.VIR_DOMAIN_JOB_DOWNTIME_NET], 40)
        self.assertEqual(found[c.VIR_DOMAIN_JOB_DATA_TOTAL], 10)
        for delta in (None, 1000):
            names = {each.field for each in Statistics(0, 0, 0, numbers, delta).params(1)}
            self.assertNotIn(c.VIR_DOMAIN_JOB_TIME_ELAPSED_NET, names)


class TuningTests(SynchronousTestCase):
    """How QEMU is told to migrate."""

    def test_capabilities(self) -> None:
        """Each end is told what concerns it."""
        flags = c.VIR_MIGRATE_AUTO_CONVERGE | c.VIR_MIGRATE_COMPRESSED | c.VIR_MIGRATE_PARALLEL
        asked = {
            c.VIR_MIGRATE_PARAM_AUTO_CONVERGE_INITIAL: 30,
            c.VIR_MIGRATE_PARAM_PARALLEL_CONNECTIONS: 3,
        }
        source = tuningOf(flags, asked, destination=False)
        self.assertEqual(
            source.capabilities,
            {"events", "auto-converge", "xbzrle", "multifd", "pause-before-switchover"},
        )
        self.assertEqual(source.parameters, {"cpu-throttle-initial": 30, "multifd-channels": 3})
        # The destination is not told that the guest is slowed down.
        there = tuningOf(flags & ~c.VIR_MIGRATE_AUTO_CONVERGE, asked, destination=True)
        self.assertEqual(there.capabilities, {"events", "xbzrle", "multifd", "late-block-activate"})
        self.assertEqual(there.parameters, {"multifd-channels": 3})

    def test_refused(self) -> None:
        """What does not go together is refused, in libvirt's words."""
        methods = c.VIR_MIGRATE_PARAM_COMPRESSION
        for flags, asked, words in (
            (0, {methods: ["x"]}, "Unsupported compression method 'x'"),
            (0, {methods: ["mt", "mt"]}, "Compression method 'mt' is specified twice"),
            (0, {c.VIR_MIGRATE_PARAM_COMPRESSION_MT_LEVEL: 1}, "Turn multithread compression on"),
            (0, {c.VIR_MIGRATE_PARAM_PARALLEL_CONNECTIONS: 2}, "Turn parallel migration on"),
            (c.VIR_MIGRATE_ZEROCOPY, {}, "zero-copy is only available for parallel migration"),
            (c.VIR_MIGRATE_OFFLINE, {}, "must be specified with the persistent flag set"),
            (c.VIR_MIGRATE_OFFLINE | _DISK, {}, "cannot handle non-shared storage"),
            (_TUNNEL | c.VIR_MIGRATE_PARALLEL, {}, "mutually exclusive"),
            (_DISK, {c.VIR_MIGRATE_PARAM_DISKS_PORT: 65536}, "nbd port must be in range 0-65535"),
            (_DISK, {c.VIR_MIGRATE_PARAM_DISKS_PORT: -1}, "nbd port must be in range 0-65535"),
            (_TUNNEL, {c.VIR_MIGRATE_PARAM_URI: "tcp:h"}, "migration URI is not supported by"),
            (_TUNNEL, {c.VIR_MIGRATE_PARAM_LISTEN_ADDRESS: "h"}, "listen address is not supported"),
            (c.VIR_MIGRATE_POSTCOPY, {}, "post-copy migration is not supported with non-live"),
            (_FORCED, {}, "allows migration only with VIR_MIGRATE_TLS flag"),
            (_FORCED | c.VIR_MIGRATE_OFFLINE, {}, "allows migration only with VIR_MIGRATE_TLS"),
            (_FORCED | _DISK | c.VIR_MIGRATE_NON_SHARED_INC, {}, "mutually exclusive"),
            (_FORCED | _TUNNEL, {c.VIR_MIGRATE_PARAM_URI: "tcp:h"}, "migration URI is not"),
            (_FORCED | c.VIR_MIGRATE_TLS | c.VIR_MIGRATE_OFFLINE, {}, "must be specified with"),
        ):

            def check(flags: int = flags, asked: dict[str, Any] = asked) -> None:  # type: ignore[assignment]
                host: Any = SimpleNamespace(config={"migrate_tls_force": flags & _FORCED})
                flags &= ~_FORCED
                checkTogether(host, "f", flags, asked)
                checkWay(flags, asked)

            error = self.assertRaises(VirtError, check)
            self.assertIn(words, str(error))

    def test_disksAddress(self) -> None:
        """Addresses that disks go to, and what libvirt says of others."""
        for uri, address in (
            ("tcp://host", Address(host="host")),
            ("tcp://host:0", Address(host="host", port=0)),
            ("tcp://[::1]:5/", Address(host="[::1]", port=5)),
            ("unix:/a/b", Address(path="/a/b")),
        ):
            self.assertEqual(readDisksAddress(uri), address)
        for uri, words in (
            ("nonsense", "No URI scheme specified: nonsense"),
            (":", "Unable to parse URI :"),
            ("http://x", "Unsupported scheme in disks URI: http"),
            ("tcp:host:5", "URI with tcp scheme did not provide a server part: tcp:host:5"),
            ("tcp:///x", "URI with tcp scheme did not provide a server part: tcp:///x"),
            ("tcp://host:x", "Unable to parse URI tcp://host:x"),
            ("unix:", "UNIX disks URI does not include path"),
            ("unix://rel", "UNIX disks URI does not include path"),
        ):
            error = self.assertRaises(VirtError, readDisksAddress, uri)
            self.assertIn(words, str(error), uri)


class TrustTests(SynchronousTestCase):
    """Who may say where the daemon connects to."""

    def test_uri(self) -> None:
        """What would run a program or read a file is for those who have the daemon's rights."""
        for uri in (
            "qemu+ext:///system?command=/bin/evil",
            "qemu+ssh://host/system?command=/bin/evil",
            "qemu+ssh://host/system?Netcat=evil",
            "qemu+ssh://host/system?keyfile=/root/.ssh/id_rsa",
            "qemu+tls://host/system?pkipath=/root",
            "qemu+tls://host/system?authfile=/etc/shadow",
            "qemu+ext://host/system",
        ):
            error = self.assertRaises(VirtError, checkPeerURI, uri, ErrorDomain.QEMU)
            self.assertEqual(error.code, ErrorCode.OPERATION_DENIED, uri)
            moving = PeerToPeer(Any, SimpleNamespace(trusted=False)).migrate(None, uri, {}, 0)
            refused = self.failureResultOf(Deferred.fromCoroutine(moving), VirtError).value
            self.assertEqual(str(refused), str(error))
        checkPeerURI("qemu+tls://host/system?keyalg=x", ErrorDomain.QEMU)
        checkPeerURI("qemu+unix:///system?socket=/run/other", ErrorDomain.QEMU)
