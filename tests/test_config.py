"""
The configuration file: its syntax, every key of it, and errors that say where they are.
"""

from __future__ import annotations

import grp
import os
from typing import Any

import attrs
from twisted.trial.unittest import SynchronousTestCase

from pyvirt.confsyntax import Entry, parse
from pyvirt.daemon.config import KEYS, Config, ConfigError, loadConfig, readConfig
from pyvirt.daemon.paths import Paths, defaultConfigFile

LENS = [
    "listen_tls",
    "listen_tcp",
    "tls_port",
    "tcp_port",
    "listen_addr",
    "unix_sock_group",
    "unix_sock_ro_perms",
    "unix_sock_rw_perms",
    "unix_sock_admin_perms",
    "unix_sock_dir",
    "auth_unix_ro",
    "auth_unix_rw",
    "auth_tcp",
    "auth_tls",
    "tcp_min_ssf",
    "key_file",
    "cert_file",
    "ca_file",
    "crl_file",
    "tls_no_verify_certificate",
    "tls_no_sanity_certificate",
    "tls_allowed_dn_list",
    "tls_priority",
    "sasl_allowed_username_list",
    "access_drivers",
    "access_policy_file",
    "sasl_passwd_file",
    "metrics_address",
    "metrics_socket",
    "sasl_mechanisms",
    "min_workers",
    "max_workers",
    "max_clients",
    "max_queued_clients",
    "max_anonymous_clients",
    "max_client_requests",
    "prio_workers",
    "admin_min_workers",
    "admin_max_workers",
    "admin_max_clients",
    "admin_max_queued_clients",
    "admin_max_client_requests",
    "log_level",
    "log_filters",
    "log_outputs",
    "audit_level",
    "audit_logging",
    "keepalive_interval",
    "keepalive_count",
    "keepalive_required",
    "admin_keepalive_interval",
    "admin_keepalive_count",
    "admin_keepalive_required",
    "host_uuid",
    "host_uuid_source",
    "ovs_timeout",
]
"""The keys that libvirtd's file may have, as its editors' grammar lists them."""


def refusal(text: str, **how: Any) -> tuple[int, str]:
    """Return the line and the problem for which a configuration is refused."""
    try:
        readConfig(text, "daemon.conf", **how)
    except ConfigError as problem:
        assert str(problem).startswith(f"daemon.conf:{problem.line}: "), str(problem)
        return problem.line, problem.problem
    raise AssertionError(f"accepted: {text!r}")


class SyntaxTests(SynchronousTestCase):
    """What a file may look like."""

    def test_values(self) -> None:
        """Numbers, three kinds of strings, lists; comments and blank lines between."""
        text = (
            "# a comment\n\n"
            'one = "text" # more\n'
            "two='single \"quoted\"'\n"
            "three=-17\n"
            "\tfour = +4\n"
            'five = """long\n# no comment\n"""\n'
            'six = [ "a", \'b\',\n  "c", ]\n'
            "seven = []; eight = 8\n"
            "nine=9"
        )
        self.assertEqual(
            parse(text, "f"),
            [
                Entry("one", "text", 3),
                Entry("two", 'single "quoted"', 4),
                Entry("three", -17, 5),
                Entry("four", 4, 6),
                Entry("five", "long\n# no comment\n", 7),
                Entry("six", ["a", "b", "c"], 10),
                Entry("seven", [], 12),
                Entry("eight", 8, 12),
                Entry("nine", 9, 13),
            ],
        )

    def test_empty(self) -> None:
        """A file may say nothing; a line may end as elsewhere."""
        for text in ("", "\n\n", "# only\n#comments", "   "):
            self.assertEqual(parse(text, "f"), [])
        self.assertEqual(parse("a=1\r\nb=2\r\n", "f"), [Entry("a", 1, 1), Entry("b", 2, 2)])

    def test_errors(self) -> None:
        """What breaks the syntax is told with its line."""
        for text, line, problem in (
            ("x=1\nmax_clients\n", 2, "expecting an assignment"),
            ("a-b=1", 1, "expecting an assignment"),
            ("x\n=1", 1, "expecting an assignment"),
            ("\n\nmax_clients=\n", 3, "expecting a value"),
            ("x=word", 1, "expecting a value"),
            ("x=1 2", 1, "expecting a separator"),
            ("x=0x10", 1, "expecting a separator"),
            ('x="a" y=1', 1, "expecting a separator"),
            ("=5", 1, "expecting a name"),
            ("3x=1", 1, "expecting a name"),
            ("[section]", 1, "expecting a name"),
            ("x=-", 1, "unterminated number"),
            ("x=+\n", 1, "unterminated number"),
            ('x="abc\n', 1, "unterminated string"),
            ("x='abc", 1, "unterminated string"),
            ('x="""abc"" ', 1, "unterminated string"),
            ('\nx=["a"\n', 3, "list is not closed with ]"),
            ('x=["a" "b"]', 1, "expecting a separator in list"),
            ("x=" + "[" * 100, 1, "lists are nested too deeply"),
            ("x=" + "9" * 5000, 1, "the number is too long"),
            ("x=\ufeff", 1, "expecting a value"),
        ):
            with self.assertRaises(ConfigError) as caught:
                parse(text, "some.conf")
            self.assertEqual(str(caught.exception), f"some.conf:{line}: {problem}", text)


class KeyTests(SynchronousTestCase):
    """Every key, its type and its range."""

    def test_everyKey(self) -> None:
        """Every key of libvirtd's own file is known."""
        self.assertEqual([each for each in LENS if each not in KEYS], [])

    def test_defaults(self) -> None:
        """An empty file gives libvirtd's defaults, but for what is not there yet."""
        config = readConfig("", "f")
        self.assertEqual(attrs.evolve(config, file=None), Config())
        self.assertEqual(
            (config.maxClients, config.maxQueuedClients, config.maxAnonymousClients),
            (5000, 1000, 20),
        )
        self.assertEqual((config.maxClientRequests, config.tcpPort), (5, 16509))
        self.assertEqual((config.keepaliveInterval, config.keepaliveCount), (5, 5))
        self.assertEqual((config.listenTCP, config.listenTLS), (False, False))

    def test_unknownKey(self) -> None:
        """A key that nobody knows is an error, with what was perhaps meant."""
        self.assertEqual(
            refusal("\n# x\nmax_client = 5\n"),
            (3, "unknown key 'max_client'; did you mean 'max_clients'?"),
        )
        self.assertEqual(refusal("zzz=1"), (1, "unknown key 'zzz'"))

    def test_types(self) -> None:
        """A value of the wrong type is told with its line, in libvirtd's words."""
        for line, problem in (
            ('max_clients="x"', "expected an unsigned integer for 'max_clients' parameter"),
            ("max_clients=-1", "expected an unsigned integer for 'max_clients' parameter"),
            ("unix_sock_group=5", "expected a string for 'unix_sock_group' parameter"),
            ("tcp_port=5", "expected a string for 'tcp_port' parameter"),
            ("auth_tcp=5", "expected a string for 'auth_tcp' parameter"),
            ('access_drivers="x"', "expected a string list for 'access_drivers' parameter"),
            ("access_drivers=[ 1 ]", "expected a string list for 'access_drivers' parameter"),
            ('keepalive_interval="5"', "expected an integer for 'keepalive_interval' parameter"),
            ("listen_tcp=5", "value for 'listen_tcp' parameter must be 0 or 1"),
            ("audit_logging=2", "value for 'audit_logging' parameter must be 0 or 1"),
            (
                "max_clients=5000000000",
                "value for 'max_clients' parameter must be in range 0:4294967295",
            ),
            (
                "keepalive_interval=-3000000000",
                "value for 'keepalive_interval' parameter must be in range -2147483648:2147483647",
            ),
        ):
            self.assertEqual(refusal(f"\n{line}\n"), (2, problem))

    def test_everyKeyHasAType(self) -> None:
        """No key takes both a string and a number, and none takes a nested list."""
        for key in KEYS:
            refused = 0
            for value in ('"no such thing"', "-77777777777", '[["x"]]'):
                try:
                    readConfig(f"{key}={value}", "f")
                except ConfigError as problem:
                    self.assertEqual(problem.line, 1)
                    refused += 1
            self.assertGreaterEqual(refused, 2, key)

    def test_ranges(self) -> None:
        """Values of the right type that mean nothing."""
        for line, problem in (
            ('auth_unix_rw="bogus"', "auth_unix_rw: unsupported auth bogus"),
            ('unix_sock_rw_perms="abc"', "Failed to parse mode 'abc' of 'unix_sock_rw_perms'"),
            ('unix_sock_ro_perms="9999"', "Failed to parse mode '9999' of 'unix_sock_ro_perms'"),
            ('unix_sock_group="nosuchgroup"', "Failed to parse group 'nosuchgroup'"),
            ('tcp_port="abc"', "'abc' for 'tcp_port' is no TCP port"),
            ('tcp_port="65536"', "'65536' for 'tcp_port' is no TCP port"),
            ('host_uuid="abc"', "invalid host UUID: abc"),
            ('host_uuid="00000000-0000-0000-0000-000000000000"', None),
            ('host_uuid_source="zz"', "invalid UUID source: zz"),
            ("tcp_min_ssf=4", "minimum SSF levels lower than 112 are not supported"),
            ("log_level=9", "Failed to set logging priority, argument '9' is invalid"),
            ('log_filters="x"', "Malformed format for filter 'x'"),
            ('log_filters="7:x"', "Invalid priority '7' for filter '7:x'"),
            ('log_outputs="9:stderr"', "Invalid log priority '9' for log output '9:stderr'"),
            ('log_outputs="1:foo"', "Invalid log destination 'foo' for log output '1:foo'"),
            ('log_outputs="1"', "Malformed format for log output '1'"),
            (
                'log_outputs="1:file"',
                "Log output '1:file' does not meet the format requirements for destination type 'file'",
            ),
            ('log_outputs="1:file:x"', "the file of log output '1:file:x' is no absolute path"),
            ('unix_sock_dir="run"', "'run' for 'unix_sock_dir' is no absolute path"),
            ("max_workers=0", "'max_workers' must be greater than 0"),
            ("max_clients=0", "value for 'max_clients' parameter must be greater than 0"),
            ('access_drivers=["x"]', "Cannot find security driver 'x'"),
        ):
            where, found = refusal(f"# first\n{line}\n")
            self.assertEqual(where, 2, line)
            if problem is not None:
                self.assertEqual(found, problem)

    def test_values(self) -> None:
        """Values become what the daemon works with."""
        group = grp.getgrgid(os.getgid()).gr_name
        config = readConfig(
            f'unix_sock_group="{group}"\nunix_sock_rw_perms="0770"\nunix_sock_dir="/x"\n'
            'listen_tcp=1\nauth_tcp="none"\ntcp_port="0"\nlisten_addr="::1"\n'
            'log_outputs="1:file:/var/log/x 3:stderr 4:syslog:me"\nlog_filters="1:rpc 4:+util"\n'
            'access_drivers=["none"]\nkeepalive_interval=-1\n'
            'host_uuid="8a5cb1f0-2d4b-4b9e-a2a0-111111111111"\n',
            "f",
        )
        self.assertEqual(config.unixSockGroup, os.getgid())
        self.assertEqual((config.unixSockRWPerms, config.unixSockDir), (0o770, "/x"))
        self.assertEqual((config.tcpPort, config.listenAddr), (0, "::1"))
        self.assertEqual(
            config.logOutputs, ((1, "file", "/var/log/x"), (3, "stderr", ""), (4, "syslog", "me"))
        )
        self.assertEqual(config.logFilters, ((1, "*rpc*"), (4, "*util*")))
        self.assertEqual(config.keepaliveInterval, -1)
        self.assertEqual(str(config.hostUUID), "8a5cb1f0-2d4b-4b9e-a2a0-111111111111")

    def test_together(self) -> None:
        """Values that contradict each other, and demands that cannot be met."""
        for text, line, part in (
            ("x_=1", 1, "unknown key"),
            ("\nmax_clients=3", 2, "must not be less than max_anonymous_clients (20)"),
            ("max_anonymous_clients=6000", 1, "max_clients (5000) must not be less"),
            ('auth_unix_ro="sasl"\nsasl_mechanisms=[]', 2, 'auth_unix_ro = "sasl" needs some'),
            ('listen_tcp=1\nauth_tcp="polkit"', 2, "polkit knows local processes only"),
            ('sasl_mechanisms=["MD5"]', 1, "there is no mechanism 'MD5'"),
            ('listen_tls=1\n\ntls_priority="X"', 3, "Failed to set TLS session priority to X"),
            ('access_drivers=["policy"]', 1, 'access driver "policy" needs access_policy_file'),
        ):
            where, problem = refusal(text)
            self.assertEqual(where, line)
            self.assertIn(part, problem)

    def test_remarks(self) -> None:
        """What acts on nothing, or was set before, is accepted and remarked on with its line."""
        config = readConfig("ovs_timeout=4\n\nmax_requests=2\novs_timeout=9\n", "f")
        self.assertEqual(config.ovsTimeout, 4)
        self.assertEqual(
            config.remarks,
            (
                "f:1: 'ovs_timeout' is accepted but has no effect: no driver of this daemon uses it"
                " yet",
                "f:3: 'max_requests' is accepted but has no effect: libvirtd has retired this key",
                "f:4: 'ovs_timeout' is set in line 1 already; ignored",
            ),
        )
        active = readConfig("max_clients=400\nkeepalive_count=3\nlisten_tls=0\n", "f")
        self.assertEqual(active.remarks, ())


class FileTests(SynchronousTestCase):
    """Where it is read from."""

    def test_missing(self) -> None:
        """The file of the default may be absent, one that was named must not."""
        path = self.mktemp()
        self.assertEqual(loadConfig(path, required=False), Config())
        with self.assertRaises(ConfigError) as caught:
            loadConfig(path, required=True)
        self.assertEqual(str(caught.exception), f"{path}: there is no such file")

    def test_unreadable(self) -> None:
        """A folder or bytes that are no text are refused by name."""
        folder = self.mktemp()
        os.mkdir(folder)
        with self.assertRaises(ConfigError) as caught:
            loadConfig(folder, required=False)
        self.assertIn("directory", str(caught.exception))
        path = os.path.join(folder, "conf")
        with open(path, "wb") as file:
            file.write(b"\xff\xfe")
        with self.assertRaises(ConfigError) as caught:
            loadConfig(path, required=False)
        self.assertEqual(str(caught.exception), f"{path}: it is no UTF-8 text")

    def test_defaultFile(self) -> None:
        """The system's daemon reads libvirtd's file, a user's own that user's."""
        self.assertEqual(defaultConfigFile("/", False, {}), "/etc/libvirt/libvirtd.conf")
        self.assertEqual(defaultConfigFile("/r", False, {}), "/r/etc/libvirt/libvirtd.conf")
        home = {"HOME": "/home/joe"}
        self.assertEqual(
            defaultConfigFile("/", True, home), "/home/joe/.config/libvirt/libvirtd.conf"
        )
        self.assertEqual(
            defaultConfigFile("/", True, {**home, "XDG_CONFIG_HOME": "/c"}),
            "/c/libvirt/libvirtd.conf",
        )


class PathTests(SynchronousTestCase):
    """Where the daemon keeps its files."""

    def test_system(self) -> None:
        """The system's daemon is where libvirtd is."""
        paths = Paths.of(Config(), environment={})
        self.assertEqual(paths.socket, "/run/libvirt/libvirt-sock")
        self.assertEqual(paths.readOnlySocket, "/run/libvirt/libvirt-sock-ro")
        self.assertEqual(paths.pidFile, "/run/libvirtd.pid")

    def test_session(self) -> None:
        """A user's own is in that user's runtime folder and has no read-only socket."""
        paths = Paths.of(Config(), session=True, environment={"XDG_RUNTIME_DIR": "/run/user/7"})
        self.assertEqual(paths.socket, "/run/user/7/libvirt/libvirt-sock")
        self.assertIsNone(paths.readOnlySocket)
        self.assertEqual(paths.pidFile, "/run/user/7/libvirt/libvirtd.pid")
        paths = Paths.of(Config(), session=True, environment={"HOME": "/home/joe"})
        self.assertEqual(paths.socket, "/home/joe/.cache/libvirt/libvirt-sock")

    def test_moved(self) -> None:
        """With its sockets the pid file moves, unless it is named."""
        config = Config(unixSockDir="/d")
        paths = Paths.of(config, environment={})
        self.assertEqual((paths.socket, paths.pidFile), ("/d/libvirt-sock", "/d/libvirtd.pid"))
        self.assertEqual(Paths.of(config, pidFile="/p", environment={}).pidFile, "/p")

    def test_root(self) -> None:
        """With a root folder everything lies beneath it."""
        for config, session in (
            (Config(), False),
            (Config(unixSockDir="/d"), False),
            (Config(), True),
        ):
            paths = Paths.of(
                config, root="/r", session=session, pidFile="/p", environment={"HOME": "/home/joe"}
            )
            for path in (paths.socket, paths.readOnlySocket or "/r/", paths.pidFile):
                self.assertTrue(path.startswith("/r/"), path)
