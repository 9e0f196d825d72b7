"""
qemu.conf: what is refused, in libvirtd's words; what is passed over; what each key makes of a guest.
"""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pyvirt.confsyntax import ConfigError
from pyvirt.drivers.qemu import conf
from pyvirt.drivers.qemu.conf import QEMUConfig, readQEMUConfig
from pyvirt.drivers.qemu.confchecks import settledOnHost
from pyvirt.drivers.qemu.jobs import Jobs
from pyvirt.errors import ErrorCode, VirtError

#: Lines, and what libvirtd 9.0.0 says of them.
REFUSED = """
namespaces = [ "foo" ] => Unknown namespace: foo
namespaces = "mount" => expected a string list for 'namespaces' parameter
nvram = [ 1 ] => expected a string list for 'nvram' parameter
stdio_handler = "foo" => Unknown stdio handler foo
sched_core = "foo" => Unknown sched_core value foo
security_driver = "foo" => Security driver foo not found
security_driver = "selinux" => Security driver selinux not enabled
security_driver = [ "none", "none" ] => Duplicate security driver none
security_driver = 1 => expected a string or string list for 'security_driver' parameter
security_require_confined = 1 => Security driver "none" cannot create confined guests
cgroup_controllers = [ "cpu", "pids" ] => Unknown cgroup controller 'pids'
cgroup_controllers = "cpu" => expected a string list for 'cgroup_controllers' parameter
max_core = "1000" => Unknown core size '1000'
max_core = -1 => expected an unsigned integer for 'max_core' parameter
max_core = [ "x" ] => expected an unsigned integer for 'max_core' parameter
max_queued = -1 => expected an unsigned integer for 'max_queued' parameter
max_files = 4294967296 => value for 'max_files' parameter must be in range 0:4294967295
keepalive_interval = 2147483648 => value for 'keepalive_interval' parameter must be in range -2147483648:2147483647
keepalive_interval = "5" => expected an integer for 'keepalive_interval' parameter
seccomp_sandbox = 99999999999 => value for 'seccomp_sandbox' parameter must be in range -2147483648:2147483647
remote_display_port_min = 5000 => remote_display_port_min: port must be greater than or equal to 5900
remote_display_port_max = 70000 => remote_display_port_max: port must be between the minimal port and 65535
remote_websocket_port_min = 0 => remote_websocket_port_min: port must be greater than or equal to 5700
migration_port_min = 0 => migration_port_min: port must be greater than 0
migration_port_min = 70000 => migration_port_max: port must be between the minimal port 70000 and 65535
migration_host = "localhost.localdomain" => migration_host must not be the address of the local machine: localhost.localdomain
migration_host = "[::1]" => migration_host must not be the address of the local machine: ::1
allow_disk_format_probing = 1 => allow_disk_format_probing is no longer supported
user = "nosuch" => Failed to parse user 'nosuch'
user = "+" => Failed to parse user ''
user = "+99999999999" => Failed to parse user '99999999999'
user = 107 => expected a string for 'user' parameter
group = "nosuch" => Failed to parse group 'nosuch'
swtpm_user = "nosuch" => Failed to parse user 'nosuch'
swtpm_group = "" => Failed to parse group ''
vnc_tls = 5 => value for 'vnc_tls' parameter must be 0 or 1
vnc_tls = "yes" => expected a bool for 'vnc_tls' parameter
vnc_listen = [ "a" ] => expected a string for 'vnc_listen' parameter
vnc_listen "a" => expecting an assignment
vnc_listen = "a => unterminated string
vnc_listen = "a" "b" => expecting a separator
vnc_tls_x509_cert_dir = "/nosuch" => vnc_tls_x509_cert_dir directory '/nosuch' does not exist
default_tls_x509_cert_dir = "" => default_tls_x509_cert_dir directory '' does not exist
hugetlbfs_mount = "" => cannot determine filesystem for '': No such file or directory
hugetlbfs_mount = "/proc" => not a hugetlbfs mount: '/proc'
hugetlbfs_mount = 1 => expected a string or string list for 'hugetlbfs_mount' parameter
auto_dump_path = "/proc/nope" => Failed to create dump dir /proc/nope: No such file or directory
"""


def read(text: str) -> QEMUConfig:
    """Read a file, with root for its user unless it says otherwise."""
    return settledOnHost(readQEMUConfig(text, "qemu.conf"), "qemu.conf")


class ConfTests(SynchronousTestCase):
    """What a file says."""

    def test_refused(self) -> None:
        """What libvirtd does not start with is refused with its words, and with the line."""
        for line in REFUSED.strip().splitlines():
            text, said = line.split(" => ")
            error = self.assertRaises(ConfigError, read, f"# first\n{text}\n")
            self.assertEqual((error.problem, error.line), (said, 2), text)

    def test_passedOver(self) -> None:
        """What libvirtd passes over without a word does not keep the driver from starting, and is told of."""
        config = read(
            "no_such_key = 1\nmac_filter = 1\nno_other = [ 1, [ 2 ] ]\nnvram = [ 'foo' ]\n"
        )
        self.assertEqual(
            config.warnings,
            (
                "qemu.conf:1: unknown key 'no_such_key' is passed over",
                "qemu.conf:2: 'mac_filter' makes no difference here",
                "qemu.conf:3: unknown key 'no_other' is passed over",
            ),
        )
        self.assertEqual(read("mac_filter = 0\npasst = ''").warnings[0][:11], "qemu.conf:2")
        self.assertEqual(
            read("keepalive_interval = -5\nseccomp_sandbox = -2")["keepalive_interval"], -5
        )

    def test_identities(self) -> None:
        """A user is a name or a number, with a plus sign a number; never the number that means nobody."""
        for text, number in (("root", 0), ("+107", 107), ("107", 107), ("4294967294", 0xFFFFFFFE)):
            self.assertEqual(read(f"user = '{text}'\ngroup = '+12'").user, number)
            self.assertEqual(conf.groupNumber(text), number)
        for text in ("-1", "+4294967295", "4294967295", "", "+x", "0x10", "a\0b", "\udcff", " 1"):
            self.assertRaises(ValueError, conf.userNumber, text)

    def test_certificates(self) -> None:
        """What is said of all users of certificates holds for each of which nothing else is said."""
        config = read("")
        verify = [
            config[f"{kind}_tls_x509_verify"] for kind in ("vnc", "chardev", "migrate", "backup")
        ]
        self.assertEqual(verify, [False, True, True, True])
        config = read("default_tls_x509_verify = 0\nchardev_tls_x509_verify = 1\n")
        verify = [
            config[f"{kind}_tls_x509_verify"] for kind in ("vnc", "chardev", "migrate", "backup")
        ]
        self.assertEqual(verify, [False, True, False, False])
        config = read("default_tls_x509_secret_uuid = 'a'\nnbd_tls_x509_secret_uuid = 'b'")
        secrets = [config[f"{kind}_tls_x509_secret_uuid"] for kind in ("vnc", "nbd", "spice")]
        self.assertEqual(secrets, ["a", "b", None])
        config = read("default_tls_x509_secret_uuid = 'a'\nvnc_tls_x509_cert_dir = '/tmp'")
        secrets = [config[f"{kind}_tls_x509_secret_uuid"] for kind in ("vnc", "nbd")]
        self.assertEqual(secrets, [None, "a"])
        config = settledOnHost(
            readQEMUConfig("default_tls_x509_cert_dir = '/d'", "f"),
            "f",
            exists=lambda path: path in ("/d", "/etc/pki/libvirt-vnc"),
        )
        folders = [config[f"{kind}_tls_x509_cert_dir"] for kind in ("vnc", "nbd")]
        self.assertEqual(folders, ["/etc/pki/libvirt-vnc", "/d"])

    @settings(max_examples=80, deadline=None)
    @given(
        st.lists(
            st.tuples(
                st.sampled_from(
                    sorted({*conf._STRINGS, *conf._SWITCHES, *conf._NUMBERS, *conf._SIGNED})
                    + sorted({*conf._LISTS, *conf._MIXED, "x"})
                ),
                st.one_of(
                    st.integers(-(1 << 70), 1 << 70).map(str),
                    st.text(max_size=12).map(lambda text: f'"{text}"'),
                    st.text(max_size=12),
                    st.lists(st.text(max_size=5).map(lambda text: f"'{text}'"), max_size=3).map(
                        lambda each: f"[ {', '.join(each)} ]"
                    ),
                ),
            ),
            max_size=5,
        )
    )
    def test_anything(self, lines: list[tuple[str, str]]) -> None:
        """Whatever stands there, it is read, or refused with a line and a word of the file."""
        text = "".join(f"{name} = {value}\n" for name, value in lines)
        try:
            config = readQEMUConfig(text, "f")
        except ConfigError as error:
            self.assertTrue(re.match(r"f:\d+: .|f: .", str(error)), str(error))
            self.assertLessEqual(len(str(error)), 200)
        else:
            self.assertGreaterEqual(config.user, 0)
            self.assertLess(config.user, 0xFFFFFFFF)


class QueueTests(SynchronousTestCase):
    """C{max_queued}."""

    def test_most(self) -> None:
        """So many changes are made or wait; the next one is refused at once."""
        jobs = Jobs(Clock(), 2)
        going: Deferred[None] = Deferred()

        async def change(name: str) -> str:
            async with jobs.change(name):
                await going
            return name

        first, second = (Deferred.fromCoroutine(change(name)) for name in "ab")
        error = self.failureResultOf(Deferred.fromCoroutine(change("c")), VirtError).value
        self.assertEqual(
            (error.code, str(error)),
            (
                ErrorCode.OPERATION_FAILED,
                "operation failed: cannot acquire state change lock due to max_queued limit",
            ),
        )
        going.callback(None)
        self.assertEqual([self.successResultOf(each) for each in (first, second)], ["a", "b"])
        self.successResultOf(Deferred.fromCoroutine(change("d")))

    def test_open(self) -> None:
        """Changes are made during an operation that is open, other operations and what goes alone wait for its end."""
        jobs, made = Jobs(Clock()), []

        async def change(name: str, alone: bool = False) -> None:
            async with jobs.change(name, alone=alone):
                made.append(name)

        async def longer() -> None:
            async with jobs.longer("longer", 1):
                made.append("longer")

        job = self.successResultOf(Deferred.fromCoroutine(jobs.begin("backup", 1)))
        waiting = [
            Deferred.fromCoroutine(each) for each in (longer(), change("alone", True), change("a"))
        ]
        self.assertEqual((made, jobs.free), ([], False))
        jobs.open(job)
        self.successResultOf(Deferred.fromCoroutine(change("b")))
        self.assertEqual((made, jobs.free), (["a", "b"], False))
        jobs.finish(job)
        self.assertEqual(made, ["a", "b", "longer", "alone"])
        self.assertTrue(jobs.free)
        for each in waiting:
            self.successResultOf(each)
