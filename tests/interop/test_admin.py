"""
Stock C{virt-admin} on libvirtd and on pyvirt: the same words, the same errors, the same effect.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Any

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from pyvirt.drivers.interfaces.values import TypedParam
from pyvirt.protocols import message
from pyvirt.protocols.procedures import Program
from pyvirt.protocols.programs.admin import PROGRAM as ADMIN
from pyvirt.protocols.programs.remote import PROGRAM as REMOTE
from pyvirt.protocols.structs import AdminServer
from tests.interop.support import (
    Daemon,
    LibvirtDaemon,
    Outcome,
    PyvirtDaemon,
    difference,
    found,
    normalised,
    requireLibvirtd,
    run,
)


def requireVirtAdmin() -> str:
    """Return the path of virt-admin, or skip."""
    path = found("virt-admin")
    if path is None:
        raise SkipTest("virt-admin is not installed (libvirt-clients)")
    return path


def adminPath(daemon: Daemon) -> str:
    """The daemon's socket for administrators."""
    return os.path.join(daemon.folder, "libvirt-admin-sock")


def virtAdmin(daemon: Daemon, *arguments: str, input: str = "") -> Outcome:
    """Run virt-admin."""
    uri = f"libvirtd:///system?socket={adminPath(daemon)}"
    return run([requireVirtAdmin(), "-c", uri, *arguments], input)


class RawCaller:
    """Calls procedures over a socket, one at a time, and keeps errors as they are."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.serial = 0

    def ask(self, program: Program, name: str, *arguments: Any) -> Any:
        """Call; return the result, or the parts of the error."""
        procedure = program.byName[name]
        self.serial += 1
        payload = procedure.argumentCodec.encode(arguments)
        self.connection.sendall(
            message.pack(
                program.number, program.version, procedure.number, 0, self.serial, 0, payload
            )
        )
        packet = self._read(4)
        packet += self._read(int.from_bytes(packet, "big") - 4)
        if message.unpackHeader(packet)[6]:
            error = message.decodeError(packet)
            return (
                *(int(error.code), int(error.domain), error.level, error.message),
                *(error.str1, error.str2, error.int1, error.int2),
            )
        values, _ = procedure.resultCodec.decode(packet, message.PAYLOAD)
        return values[0] if values else None

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self.connection.recv(size - len(data))
            if not more:
                raise ConnectionError("it hung up")
            data += more
        return data

    def close(self) -> None:
        self.connection.close()


def connectAdmin(daemon: Daemon) -> RawCaller:
    """Open a raw connection to the administrators' socket."""
    import socket

    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(30)
    connection.connect(adminPath(daemon))
    return RawCaller(connection)


def accepted(daemon: Daemon, **how: bool) -> RawCaller:
    """Open a raw connection, and wait until the daemon has accepted it."""
    caller = RawCaller(daemon.connect(**how))
    caller.ask(REMOTE, "authList")
    return caller


_PASSING = [
    # A thread that has just answered somebody else is not always back by the time it is counted.
    # Where none was back in time, libvirtd starts one more.
    (re.compile(r"(?m)^((?:free|n)Workers +: )\d+$"), r"\1<some>"),
    (re.compile(r"(?m)^(unix_process_id: )\d+$"), r"\1<pid>"),
    (re.compile(r"(?m)^(sock_addr +: 127\.0\.0\.1:)\d+$"), r"\1<port>"),
    (re.compile(r"(?m)^ (\d+) +(admin|libvirtd)$"), r" \2"),
    (re.compile(r"(?m)^( |id +: )\d+ *(unix|tcp|$)"), r"\1<id> \2"),
]

_WORKERS = re.compile(r"(field='(?:free|n)Workers', type=\d+, value=)\d+")


def settled(outcome: Outcome, daemon: Daemon) -> Outcome:
    """Replace what must differ, and sort what has no order."""
    out = normalised(outcome.stdout, daemon)
    for pattern, replacement in _PASSING:
        out = pattern.sub(replacement, out)
    if out.startswith(" Id   Name"):  # servers come in the order of a hash table
        out = "\n".join(sorted(out.splitlines()))
    return Outcome(out, normalised(outcome.stderr, daemon), outcome.status)


class AdminCase(SynchronousTestCase):
    """Two daemons of the test's own: what administrators change is theirs alone."""

    def setUp(self) -> None:
        requireLibvirtd()
        requireVirtAdmin()
        settings = ['log_outputs="3:stderr"']
        self.daemons: list[Daemon] = []
        for kind in (LibvirtDaemon, PyvirtDaemon):
            daemon = kind(settings)
            self.addCleanup(daemon.stop)
            self.daemons.append(daemon)

    def compare(self, lines: Sequence[Sequence[str]]) -> None:
        """Give each command line to virt-admin on both sides."""
        wrong = []
        for line in lines:
            expected, actual = (settled(virtAdmin(each, *line), each) for each in self.daemons)
            text = difference(expected, actual)
            if text:
                wrong.append(f"virt-admin {' '.join(line)}\n{text}")
        self.assertEqual(wrong, [], "\n\n".join(wrong))


class VirtAdminTests(AdminCase):
    """The program as administrators use it."""

    def test_commands(self) -> None:
        """Every command that looks, with what it says when there is nothing to look at."""
        for each in self.daemons:
            self.addCleanup(accepted(each).close)
        self.compare(
            [
                ["uri"],
                ["version"],
                ["connect"],
                ["srv-list"],
                ["server-list"],
                *(["srv-threadpool-info", name] for name in ("libvirtd", "admin", "nope")),
                *(["srv-clients-list", name] for name in ("libvirtd", "admin", "nope")),
                *(["srv-clients-info", name] for name in ("libvirtd", "admin", "nope")),
                ["client-info", "libvirtd", "9999"],
                ["client-info", "nope", "1"],
                ["client-disconnect", "libvirtd", "9999"],
                ["client-disconnect", "nope", "1"],
                ["daemon-log-filters"],
                ["daemon-log-outputs"],
                ["srv-update-tls", "libvirtd"],
                ["srv-update-tls", "nope"],
                ["daemon-timeout", "--timeout", "0"],
                ["daemon-timeout", "--timeout", "100000"],
            ]
        )

    def test_settings(self) -> None:
        """Limits and the log are changed, and every refusal has libvirtd's words."""
        pool, clients = ["srv-threadpool-set", "libvirtd"], ["srv-clients-set", "libvirtd"]
        info = [["srv-threadpool-info", "libvirtd"]]
        limits = [["srv-clients-info", "libvirtd"]]
        filters, outputs = "daemon-log-filters", "daemon-log-outputs"
        folder = self.mktemp()
        os.makedirs(folder)
        self.compare(
            [
                [*pool],
                [*pool, "--max-workers", "3"],
                [*pool, "--min-workers", "30", "--max-workers", "40"],
                *info,
                [*pool, "--max-workers", "10"],
                [*pool, "--min-workers", "1"],
                [*pool, "--max-workers", "10", "--priority-workers", "7"],
                *info,
                [*pool, "--max-workers", "0"],
                ["srv-threadpool-set", "nope", "--max-workers", "50"],
                [*clients],
                [*clients, "--max-clients", "10"],
                [*clients, "--max-unauth-clients", "6000"],
                [*clients, "--max-clients", "10", "--max-unauth-clients", "3"],
                *limits,
                [*clients, "--max-unauth-clients", "0"],
                [*clients, "--max-clients", "20"],
                *limits,
                ["srv-clients-set", "nope", "--max-clients", "50"],
                [filters, "--filters", "1:qemu 2:*rpc 3:+util"],
                [filters],
                *([filters, "--filters", each] for each in ("5:x", "x", "1:", "1:a 9:b", "a:1")),
                [filters],
                [filters, "--filters", ""],
                [filters],
                [outputs, "--outputs", f"1:file:{os.path.abspath(folder)}/log 4:stderr"],
                [outputs],
                *(
                    [outputs, "--outputs", each]
                    for each in (
                        *("9:what", "1", "1:", "1:foo", "1:file", "1:stderr:x", "1:syslog"),
                        *("1:journald:", "1:file:/nonexistent/log", "0:stderr", "3:file:/a:b"),
                    )
                ),
                [outputs],
                [outputs, "--outputs", "4:stderr 2:stderr"],
                [outputs],
                [outputs, "--outputs", ""],
                [outputs],
            ]
        )

    def test_manual(self) -> None:
        """Every command of the manual with what can be wrong about its arguments, in one shell on each side."""
        self.compareShell(
            """
            help; help monitor; help management; help server-list; help client-info; help nope
            version; version --daemon; echo a --xml <; cd /; pwd; uri; server-list x; nope
            client-list; client-list libvirtd --nope; client-list nope; client-list admin
            client-info; client-info libvirtd; client-info libvirtd -1; client-info libvirtd x
            client-info libvirtd 99999999999999999999; client-disconnect libvirtd -1
            server-threadpool-set libvirtd --min-workers x
            server-threadpool-set libvirtd --max-workers 4294967296
            server-threadpool-set libvirtd --max-workers 4294967295; server-threadpool-info libvirtd
            server-threadpool-set libvirtd --max-workers -1
            server-threadpool-set libvirtd --priority-workers x; server-threadpool-info libvirtd
            server-threadpool-set libvirtd --min-workers 0; server-threadpool-info libvirtd
            server-threadpool-set admin --max-workers 30; server-threadpool-info admin
            server-clients-set libvirtd --max-clients -5; server-clients-set libvirtd --max-clients 0
            server-clients-info libvirtd; server-clients-set libvirtd --max-clients 4294967295
            server-clients-info libvirtd; server-clients-set libvirtd --max-unauth-clients -1
            server-clients-set libvirtd --max-unauth-clients 4294967296
            server-clients-set admin --max-clients 9; server-clients-info admin
            server-clients-set admin --max-clients 1 --max-unauth-clients 1; server-clients-info admin
            server-clients-set admin --max-clients 100
            server-update-tls; server-update-tls admin; daemon-timeout; daemon-timeout --timeout -1
            daemon-timeout --timeout 4294967295; daemon-timeout --timeout 4294967296
            daemon-timeout --timeout x; daemon-timeout --timeout 0
            daemon-log-filters --filters 1:*; daemon-log-filters
            daemon-log-filters --filters " "; daemon-log-filters
            daemon-log-filters --filters "2:util 2:util 1:util"; daemon-log-filters
            daemon-log-filters --filters 1:[a; daemon-log-filters --filters 1:ü; daemon-log-filters
            daemon-log-filters --filters +1:a; daemon-log-filters --filters 02:b; daemon-log-filters
            daemon-log-filters --filters "1 :a"; daemon-log-filters --filters -1:a
            daemon-log-filters --filters 0x1:a; daemon-log-filters --filters 99999999999:a
            daemon-log-filters --filters ""; daemon-log-filters
            daemon-log-outputs --outputs "1:syslog:x 2:stderr"; daemon-log-outputs
            daemon-log-outputs --outputs 1:file:relative/x; daemon-log-outputs --outputs 1:file:
            daemon-log-outputs --outputs 1:syslog:; daemon-log-outputs --outputs 1:file:/tmp
            daemon-log-outputs; daemon-log-outputs --outputs 1:file:/dev/full; daemon-log-outputs
            daemon-log-outputs --outputs "+3:stderr 04:stderr"; daemon-log-outputs
            connect libvirtd:///nope; connect foo:///system; connect bogus
            """
        )

    def compareShell(self, text: str) -> None:
        """Give commands to a shell of virt-admin on both sides."""
        commands = [each.strip() for line in text.splitlines() for each in line.split(";")]
        said = "\n".join(filter(None, commands)) + "\n"
        expected, actual = (settled(virtAdmin(each, input=said), each) for each in self.daemons)
        self.assertEqual(difference(expected, actual), "")

    def test_clients(self) -> None:
        """Clients are listed and described as they are; one is disconnected."""
        outcomes = []
        for daemon in self.daemons:
            daemon.quiet()
            doors = [
                accepted(daemon),
                accepted(daemon, readOnly=True),
                accepted(daemon, tcp=True),
            ]
            for each in doors:
                self.addCleanup(each.close)
            listed = virtAdmin(daemon, "srv-clients-list", "libvirtd").stdout
            numbers = re.findall(r"(?m)^ (\d+) ", listed)
            text = "".join(f"client-info libvirtd {number}\n" for number in numbers)
            text += f"client-disconnect libvirtd {numbers[1]}\nsrv-clients-list libvirtd\n"
            shell = virtAdmin(daemon, input=text)
            self.assertEqual(doors[1].connection.recv(1), b"")
            again = re.sub(r"Client '\d+'", "Client '<id>'", settled(shell, daemon).stdout)
            outcomes.append(
                Outcome(
                    settled(Outcome(listed, "", 0), daemon).stdout + again,
                    shell.stderr,
                    shell.status,
                )
            )
        self.assertEqual(difference(*outcomes), "")

    def test_raw(self) -> None:
        """What virt-admin never sends: flags, parameters of all kinds, wrong names."""
        answers = []
        server = AdminServer("libvirtd")
        for daemon in self.daemons:
            caller = connectAdmin(daemon)
            self.addCleanup(caller.close)
            found = [caller.ask(ADMIN, "connectOpen", flags) for flags in (0, 1, 0)]
            found += [caller.ask(ADMIN, "connectLookupServer", each, 9) for each in ("admin", "")]
            for name in (
                *("serverGetThreadpoolParameters", "serverGetClientLimits"),
                *("serverUpdateTLSFiles",),
            ):
                found += [
                    caller.ask(ADMIN, name, AdminServer(each), flags)
                    for each, flags in (("libvirtd", 0), ("libvirtd", 3), ("x", 0))
                ]
            for name, good in (
                ("serverSetThreadpoolParameters", "minWorkers"),
                ("serverSetClientLimits", "nclients_max"),
            ):
                for parameters in (
                    [],
                    [TypedParam("nWorkers", 2, 3)],
                    [TypedParam("nclients", 2, 3)],
                    [TypedParam(good, 4, 3)],
                    [TypedParam(good, 2, 20)] * 2,
                    [TypedParam("zz", 7, "x"), TypedParam(good, 2, 20)],
                    [TypedParam("minWorkers", 2, 0xFFFFFFFF)],
                    [TypedParam("nclients_unauth_max", 2, 0xFFFFFFFF)],
                ):
                    found += [
                        caller.ask(ADMIN, name, AdminServer(each), parameters, flags)
                        for each, flags in (("libvirtd", 0), ("libvirtd", 1), ("x", 0))
                    ]
            for name in ("connectSetLoggingFilters", "connectSetLoggingOutputs"):
                found += [caller.ask(ADMIN, name, None, flags) for flags in (0, 1)]
            found += [
                caller.ask(ADMIN, name, server, *rest)
                for name, rest in (
                    ("serverListClients", (0, 1)),
                    ("serverLookupClient", (1 << 63, 0)),
                    ("serverLookupClient", (1, 1)),
                )
            ]
            answers.append([_WORKERS.sub(r"\1<some>", repr(each)) for each in found])
        self.assertEqual(answers[0], answers[1])

    def test_strangers(self) -> None:
        """Another user than root is shown the door, whatever the socket's mode."""
        if os.geteuid() != 0:
            raise SkipTest("only root can be another user")
        outcomes = []
        for daemon in self.daemons:
            os.chmod(daemon.folder, 0o755)
            os.chmod(adminPath(daemon), 0o777)
            uri = f"libvirtd:///system?socket={adminPath(daemon)}"
            command = ["setpriv", "--reuid=65534", "--clear-groups", requireVirtAdmin(), "-c", uri]
            outcome = run([*command, "srv-list"])
            # It may die of SIGPIPE, if libvirtd is quicker than its first call.
            outcomes.append((outcome.stdout, outcome.status in (1, -13)))
            self.assertIn("Disallowing client", daemon.log())
        self.assertEqual(outcomes, [("", True)] * 2)
