"""
Every door with every client: UNIX, TCP, TLS, SSH through OpenSSH, SSH to our own listener, and programs.

Both daemons are behind each door that they have.  What is refused is refused in the same words, to clients of
libvirt and to ours, and the daemon's log has the reason.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ed25519
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SkipTest, TestCase

import pyvirt
from pyvirt.tls.issuing import issue, revocations
from tests.certificates import CLIENT, SERVER, Pki, certificate, dump, writePlaces
from tests.interop import clientscript
from tests.interop.support import (
    CHECKOUT,
    Daemon,
    LibvirtDaemon,
    PyvirtDaemon,
    _diesWithParent,
    found,
    freePort,
    requireBinding,
    requireLibvirtd,
    requireVirsh,
    run,
)

HERE = os.path.dirname(os.path.abspath(__file__))
NAMES = """
import sys, libvirt
libvirt.registerErrorHandler(lambda context, error: None, None)
for uri in sys.argv[1:]:
    try:
        conn = libvirt.open(uri)
        print([each.name() for each in conn.listAllDomains()])
        conn.close()
    except libvirt.libvirtError as error:
        print(" ".join(str(error).split()))
"""
OPEN = """
import json, sys, libvirt
sys.path.insert(0, sys.argv[1])
from clientscript import showError
libvirt.registerErrorHandler(lambda context, error: None, None)
found = []
for uri in json.load(sys.stdin):
    try:
        libvirt.open(uri).close()
        found.append("opened")
    except libvirt.libvirtError as error:
        found.append(showError(error))
print(json.dumps(found))
"""


def _sshKey(path: str) -> str:
    """Make a key and return its public line."""
    key = ed25519.Ed25519PrivateKey.generate()
    dump(path, key)
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    line: str = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    return line


class OpenSSH:
    """
    A server of OpenSSH on a loopback port, with a configuration and keys of its own.

    @ivar folder: what its users find in front of their C{PATH}, in C{bin}.
    """

    def __init__(
        self,
        world: World,
        *,
        path: str = "/usr/bin:/bin",
        around: Sequence[str] = (),
        **settings: str,
    ) -> None:
        program = found("sshd")
        if program is None:
            raise SkipTest("sshd is not installed (openssh-server)")
        if os.geteuid() == 0:
            os.makedirs("/run/sshd", mode=0o755, exist_ok=True)  # sshd wants it, empty
        self.port = freePort()
        self.folder = tempfile.mkdtemp(prefix="pv-sshd-", dir="/tmp")
        self.bin = os.path.join(self.folder, "bin")
        os.mkdir(self.bin)
        key = os.path.join(self.folder, "hostkey")
        _sshKey(key)
        lines = {
            "Port": str(self.port),
            "ListenAddress": "127.0.0.1",
            "HostKey": key,
            "PidFile": "none",
            "AuthorizedKeysFile": world.authorized,
            "StrictModes": "no",
            "UsePAM": "no",
            "PasswordAuthentication": "no",
            "KbdInteractiveAuthentication": "no",
            "PermitRootLogin": "yes",
            "MaxStartups": "100",
            "SetEnv": f"PATH={self.bin}:{path}".removesuffix(":"),
            **settings,
        }
        config = os.path.join(self.folder, "config")
        with open(config, "w") as file:
            file.writelines(f"{name} {value}\n" for name, value in lines.items())
        self.log = os.path.join(self.folder, "log")
        self._process = subprocess.Popen(
            [*around, program, "-D", "-f", config, "-E", self.log],
            stdin=subprocess.DEVNULL,
            preexec_fn=_diesWithParent,
        )
        end = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 5).close()
                break
            except OSError:
                if time.monotonic() > end or self._process.poll() is not None:
                    with open(self.log) as file:
                        raise AssertionError(f"sshd does not start: {file.read()}") from None
                time.sleep(0.01)

    def script(self, name: str, text: str) -> None:
        """Put a program into the C{PATH} of its users."""
        path = os.path.join(self.bin, name)
        with open(path, "w") as file:
            file.write(f"#!/bin/sh\n{text}\n")
        os.chmod(path, 0o755)

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(10)
        shutil.rmtree(self.folder, ignore_errors=True)


class World:
    """
    Both daemons with all their doors, and what clients need to come in.
    """

    def __init__(self) -> None:
        requireVirsh()
        requireLibvirtd()
        requireBinding()
        self.folder = tempfile.mkdtemp(prefix="pv-doors-", dir="/tmp")
        self.pki = Pki()
        self.places = writePlaces(
            f"{self.folder}/server", ca=self.pki.ca, server=self.pki.server, crl=self.pki.crl
        )
        self.good = self.client("good", ca=self.pki.ca, client=self.pki.client)
        self.key = f"{self.folder}/key"
        self.authorized = f"{self.folder}/authorized"
        with open(self.authorized, "w") as file:
            file.write(_sshKey(self.key) + "\n")
        os.chmod(self.authorized, 0o600)
        self.ssh = self.program(
            "ssh",
            f"exec ssh -F none -o UserKnownHostsFile={self.folder}/known"
            ' -o StrictHostKeyChecking=accept-new -o IdentityAgent=none -o IdentitiesOnly=yes "$@"',
        )
        self.tlsPorts = {each: freePort() for each in ("libvirtd", "pyvirt")}
        self.sshPort = freePort()
        common = [
            f'ca_file = "{self.places["cacert"]}"',
            f'cert_file = "{self.places["servercert"]}"',
            f'key_file = "{self.places["serverkey"]}"',
            f'crl_file = "{self.places["cacrl"]}"',
            'auth_tls = "none"',
            'tls_allowed_dn_list = ["O=Example,*", "CN=[a]*", "CN=?x\\\\*"]',
            'log_outputs = "3:stderr"',
        ]
        tls = lambda label: [*common, f'tls_port = "{self.tlsPorts[label]}"']  # noqa: E731
        self.libvirtd: Daemon = _Libvirtd(tls("libvirtd"))
        self.pyvirt: Daemon = _Pyvirt(
            [
                *tls("pyvirt"),
                "listen_ssh = 1",
                f'ssh_port = "{self.sshPort}"',
                f'ssh_host_key_file = "{self.folder}/hostkey"',
                f'ssh_authorized_keys_file = "{self.authorized}"',
            ]
        )
        self.sshd = OpenSSH(self)

    def client(self, name: str, **what: Any) -> str:
        """Write a client's certificates; return the folder."""
        folder = f"{self.folder}/client-{name}"
        writePlaces(folder, **what)
        return folder

    def program(self, name: str, text: str) -> str:
        """Write a script; return its path."""
        path = f"{self.folder}/{name}"
        with open(path, "w") as file:
            file.write(f"#!/bin/sh\n{text}\n")
        os.chmod(path, 0o755)
        return path

    def tls(self, daemon: Daemon, places: str, host: str = "localhost", more: str = "") -> str:
        """A URI that leads to a daemon over TLS."""
        port = self.tlsPorts[daemon.label]
        return f"test+tls://{host}:{port}/default?pkipath={places}{more}"

    def ours(self) -> str:
        """What our client needs to know a host by."""
        return f"&known_hosts={self.folder}/ours&known_hosts_verify=auto"

    def doors(self, daemon: Daemon) -> Iterator[tuple[str, str, str]]:
        """Iterate over name, URI for libvirt's clients and URI for ours."""
        user = subprocess.run(["id", "-un"], capture_output=True, text=True).stdout.strip()
        yield "unix", daemon.uri(), daemon.uri()
        yield "tcp", daemon.uri(tcp=True), daemon.uri(tcp=True)
        yield "tls", self.tls(daemon, self.good), self.tls(daemon, self.good)
        far = f"keyfile={self.key}&socket={daemon.socketPath}"
        host = f"{user}@127.0.0.1:{self.sshd.port}/default?{far}"
        stock = f"test+ssh://{host}&command={self.ssh}"
        for proxy in ("auto", "netcat"):
            native = f"test+ssh://{host}&proxy={proxy}{self.ours()}"
            # Told to choose, libvirt's clients take a helper that knows of no other socket than the system's.
            more = "&proxy=netcat" if proxy == "netcat" else ""
            yield f"openssh, {proxy}", f"{stock}{more}", native
        yield "openssh by our own ssh program", stock, stock
        program = self.program(f"ext-{daemon.label}", f"exec nc -U {daemon.socketPath}")
        ext = f"test+ext:///default?command={program}"
        yield "ext", ext, ext
        if daemon is self.pyvirt:
            door = f"{user}@127.0.0.1:{self.sshPort}/default?keyfile={self.key}"
            for proxy in ("auto", "native", "netcat"):
                yield (
                    f"ssh door, {proxy}",
                    f"test+ssh://{door}&command={self.ssh}&proxy={proxy}",
                    f"test+libssh2://{door}&proxy={proxy}{self.ours()}",
                )
            known = f"&known_hosts={self.folder}/libssh&known_hosts_verify=auto&sshauth=privkey"
            yield (
                "ssh door, libssh",
                f"test+libssh://{door}{known}",
                f"test+libssh://{door}{self.ours()}",
            )

    def stop(self) -> None:
        """End everything."""
        self.sshd.stop()
        self.libvirtd.stop()
        self.pyvirt.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


class _TLS:
    def settings(self) -> list[str]:
        """As others, and TLS."""
        return ["listen_tls = 1", *super().settings()[1:]]  # type: ignore[misc]


class _Libvirtd(_TLS, LibvirtDaemon):
    pass


class _Pyvirt(_TLS, PyvirtDaemon):
    pass


_worlds: list[World] = []


def world() -> World:
    """The world that the tests of this process share."""
    import atexit

    if not _worlds:
        _worlds.append(World())
        atexit.register(_worlds[0].stop)
    return _worlds[0]


async def names(uri: str) -> str:
    """What our client finds, in the form of the binding's script."""
    try:
        conn = await pyvirt.open(uri)
    except pyvirt.VirtError as error:
        return str(error)
    try:
        return str([each.name() for each in await conn.listAllDomains()])
    except pyvirt.VirtError as error:
        return str(error)
    finally:
        await conn.close()


_PORT = re.compile(r"(127\.0\.0\.\d:)\d+")


class DoorTests(TestCase):
    """Every door, every client, both daemons."""

    timeout = 300

    def test_matrix(self) -> Deferred[None]:
        """
        Each client comes in by each door of each daemon.
        """
        return Deferred.fromCoroutine(self._matrix())

    async def _matrix(self) -> None:
        here = world()
        wrong = []
        for daemon in (here.libvirtd, here.pyvirt):
            doors = list(here.doors(daemon))
            stock = run([requireBinding(), "-c", NAMES, *(each[1] for each in doors)])
            lines = stock.stdout.splitlines()
            if len(lines) != len(doors):
                self.fail(stock.stderr)
            for (name, uri, ours), byBinding in zip(doors, lines, strict=True):
                listed = run([requireVirsh(), "-c", uri, "list", "--all", "--name"])
                for client, seen in (
                    ("virsh", listed.stdout.strip() or listed.stderr),
                    ("binding", byBinding),
                    ("pyvirt", await names(ours)),
                ):
                    if seen not in ("test", "['test']"):
                        wrong.append(f"{daemon.label}, {name}, {client}: {seen}")
        if wrong:
            self.fail("\n".join(wrong))

    def test_readOnly(self) -> None:
        """
        A read-only connection through the SSH door is one.
        """
        here = world()
        for name, uri, _ in here.doors(here.pyvirt):
            if name.startswith("ssh door"):
                done = run([requireVirsh(), "--readonly", "-c", uri, "suspend", "test"])
                self.assertIn("read only access prevents virDomainSuspend", done.stderr, name)

    def test_nothingElse(self) -> None:
        """
        An ssh program gets no shell, no terminal, no forwarding and no other command from the SSH door.
        """
        here = world()
        user = subprocess.run(["id", "-un"], capture_output=True, text=True).stdout.strip()
        base = [here.ssh, "-i", here.key, "-p", str(here.sshPort), "-l", user]
        for arguments in (
            ["127.0.0.1"],
            ["-tt", "127.0.0.1"],
            ["127.0.0.1", "id"],
            ["127.0.0.1", "sh -c 'virt-ssh-helper x; id'"],
            ["-N", "-o", "ExitOnForwardFailure=yes", "-R", "0:localhost:1", "127.0.0.1"],
            ["-W", "localhost:22", "127.0.0.1"],
            ["-s", "127.0.0.1", "sftp"],
        ):
            done = run([*base, *arguments])
            self.assertNotEqual(done.status, 0, arguments)
            self.assertEqual(done.stdout, "", arguments)
            self.assertTrue(done.stderr, arguments)
        self.assertIn(
            "gives connections to libvirt's clients", run([*base, "127.0.0.1", "id"]).stderr
        )

    def test_farEnds(self) -> Deferred[None]:
        """
        Our client takes what the far end has: virt-ssh-helper, our own helper, forwarding, netcat, and says so
        if there is nothing.
        """
        return Deferred.fromCoroutine(self._farEnds())

    async def _farEnds(self) -> None:
        here = world()
        user = subprocess.run(["id", "-un"], capture_output=True, text=True).stdout.strip()
        path = here.pyvirt.socketPath

        def tools(far: OpenSSH, *wanted: str) -> None:
            for each in wanted:
                os.symlink(found(each) or "", os.path.join(far.bin, each))

        carry = (
            "import socket; from pyvirt.transports.sshhelper import carry;"
            f"s = socket.socket(socket.AF_UNIX); s.connect({path!r}); carry(0, 1, s)"
        )
        for helper, forwarding, more, expected in (
            ("virt-ssh-helper", "no", "", "['test']"),
            ("pyvirt-ssh-helper", "no", "", "['test']"),
            (None, "yes", f"&socket={path}", "['test']"),
            (None, "no", f"&socket={path}", "['test']"),
            (None, "no", "&proxy=native", "Cannot recv data: "),
            # Nothing at all: each way is named, and why it is none.
            (None, "no", "&netcat=absent", "pyvirt-ssh-helper: "),
            (None, "no", "&netcat=absent", "forwarding of the daemon's socket: "),
            (None, "no", "&netcat=absent", "absent: not found"),
            (None, "yes", "&socket=/no/such/socket", "/no/such/socket"),
            (None, "no", "&proxy=netcat&socket=/no/such/socket", "/no/such/socket"),
        ):
            far = OpenSSH(here, path="", AllowStreamLocalForwarding=forwarding)
            try:
                tools(far, "sh", "which", "grep", "nc")
                if helper == "virt-ssh-helper":
                    far.script(helper, f"exec nc -U {path}")
                elif helper is not None:
                    far.script(
                        helper,
                        f"PYTHONPATH={shlex.quote(CHECKOUT)} exec {sys.executable} -c {shlex.quote(carry)}",
                    )
                outcome = await names(
                    f"test+ssh://{user}@127.0.0.1:{far.port}/default?keyfile={here.key}"
                    f"&known_hosts={far.folder}/known&known_hosts_verify=auto{more}"
                )
                self.assertIn(expected, outcome, str((helper, forwarding, more, outcome)))
            finally:
                far.stop()


class SSHLoginTests(TestCase):
    """Every way to log in to a real server."""

    timeout = 300

    def setUp(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="pv-login-", dir="/tmp")
        self.addCleanup(shutil.rmtree, self.folder)
        self.user = subprocess.run(["id", "-un"], capture_output=True, text=True).stdout.strip()

    def answer(self, said: dict[str, str]) -> Any:
        """Who answers questions, by a word in them; and what was asked."""
        asked: list[str] = []

        def callback(wanted: Any, opaque: Any) -> int:
            for each in wanted:
                asked.append(each[1])
                each[4] = next((text for word, text in said.items() if word in each[1]), None)
            return 0

        return asked, [[5, 7, 4], callback, None]

    async def comes(self, port: int, auth: Any, **parameters: str) -> str:
        """Connect and list."""
        here = world()
        joined = "&".join(f"{name}={value}" for name, value in parameters.items())
        uri = f"test+ssh://{self.user}@127.0.0.1:{port}/default?socket={here.pyvirt.socketPath}&{joined}"
        try:
            conn = await pyvirt.openAuth(uri, auth, 0)
        except pyvirt.VirtError as error:
            return str(error)
        try:
            return str([each.name() for each in await conn.listAllDomains()])
        finally:
            await conn.close()

    def test_keys(self) -> Deferred[None]:
        """
        Keys of every kind, with a passphrase that is asked for, and those of an agent.
        """
        return Deferred.fromCoroutine(self._keys())

    async def _keys(self) -> None:
        here = world()
        keygen, agent, add = (found(each) for each in ("ssh-keygen", "ssh-agent", "ssh-add"))
        if keygen is None or agent is None or add is None:
            raise SkipTest("ssh-keygen, ssh-agent and ssh-add are not installed (openssh-client)")
        known = {"known_hosts": f"{self.folder}/known", "known_hosts_verify": "auto"}
        place = f"{self.folder}/agent"
        agents = subprocess.Popen(
            [agent, "-D", "-a", place], stdout=subprocess.DEVNULL, preexec_fn=_diesWithParent
        )
        self.addCleanup(agents.wait)
        self.addCleanup(agents.terminate)
        far = OpenSSH(here, AuthorizedKeysFile=f"{self.folder}/authorized")
        self.addCleanup(far.stop)
        wrong = []
        for kind, passphrase in (("ed25519", ""), ("rsa", "sesame"), ("ecdsa", "sesame")):
            path = f"{self.folder}/{kind}"
            subprocess.run([keygen, "-q", "-t", kind, "-N", passphrase, "-f", path], check=True)
            with open(f"{path}.pub") as file, open(f"{self.folder}/authorized", "w") as out:
                out.write(file.read())
            asked, auth = self.answer({path: passphrase})
            for given, expected in (
                (auth, "['test']"),
                (None, "its passphrase is not known" if passphrase else "['test']"),
                (self.answer({path: "wrong"})[1], "is wrong" if passphrase else "['test']"),
            ):
                outcome = await self.comes(
                    far.port, given, sshauth="privkey", keyfile=path, **known
                )
                if expected not in outcome:
                    wrong.append(f"{kind} {given is None}: {outcome}")
            if bool(asked) != bool(passphrase):
                wrong.append(f"{kind}: asked {asked}")
            if not passphrase:
                subprocess.run([keygen, "-q", "-p", "-N", "", "-f", path], check=True)
            else:
                subprocess.run(
                    [keygen, "-q", "-p", "-P", passphrase, "-N", "", "-f", path], check=True
                )
            before = os.environ.get("SSH_AUTH_SOCK")
            os.environ["SSH_AUTH_SOCK"] = place
            try:
                end = time.monotonic() + 60
                while not os.path.exists(place) and time.monotonic() < end:
                    time.sleep(0.01)
                outcome = await self.comes(far.port, None, sshauth="agent", **known)
                if "does not let" not in outcome:
                    wrong.append(f"{kind}, agent without it: {outcome}")
                subprocess.run([add, "-q", path], check=True, capture_output=True)
                outcome = await self.comes(far.port, None, sshauth="agent", **known)
                if outcome != "['test']":
                    wrong.append(f"{kind}, agent: {outcome}")
            finally:
                del os.environ["SSH_AUTH_SOCK"]
                if before is not None:
                    os.environ["SSH_AUTH_SOCK"] = before
        self.assertEqual(wrong, [], "\n".join(wrong))

    def test_passwords(self) -> Deferred[None]:
        """
        A password, as such or as the answer to a question, is asked for and let in; a wrong one is not.
        """
        return Deferred.fromCoroutine(self._passwords())

    async def _passwords(self) -> None:
        here = world()
        if os.geteuid() != 0 or found("unshare") is None or found("openssl") is None:
            raise SkipTest("only root can have a password for a moment")
        shadow = f"{self.folder}/shadow"
        done = subprocess.run(
            ["openssl", "passwd", "-6", "sesame"], capture_output=True, text=True, check=True
        )
        with open(shadow, "w") as file:
            file.write(f"root:{done.stdout.strip()}:19000:0:99999:7:::\n")
        os.chmod(shadow, 0o600)
        # Its own view of the passwords, which ends with it.
        around = ["unshare", "-m", "--propagation", "private", "sh", "-c"]
        around += [f'mount --bind {shadow} /etc/shadow && exec "$@"', "sh"]
        if subprocess.run([*around, "true"], capture_output=True).returncode:
            raise SkipTest("there are no mount namespaces to be had")
        far = OpenSSH(
            here,
            around=around,
            PasswordAuthentication="yes",
            KbdInteractiveAuthentication="yes",
            UsePAM="yes",
            AuthorizedKeysFile="none",
        )
        self.addCleanup(far.stop)
        known = {"known_hosts": f"{self.folder}/known", "no_verify": "1"}
        wrong = []
        for method in ("password", "keyboard-interactive"):
            for said, expected in (
                ({"assword": "sesame"}, "['test']"),
                ({"assword": "wrong"}, "does not let 'root' in: it offers"),
                ({}, "does not let 'root' in: it offers"),
            ):
                asked, auth = self.answer(said)
                outcome = await self.comes(far.port, auth, sshauth=method, **known)
                if expected not in outcome or not asked:
                    wrong.append(f"{method} {said}: {outcome} {asked}")
        _, auth = self.answer({"assword": "sesame"})
        outcome = await self.comes(
            far.port, auth, sshauth="agent,privkey,password", no_tty="1", **known
        )
        if "does not let" not in outcome:
            wrong.append(f"asked for all that: {outcome}")
        outcome = await self.comes(far.port, auth, **known)
        if outcome != "['test']":
            wrong.append(f"every method: {outcome}")
        self.assertEqual(wrong, [], "\n".join(wrong))
        with open(far.log) as file:
            self.assertIn("Accepted keyboard-interactive", file.read())


class _Liar:
    """A server in a thread: for each connection it says something, by TLS or instead of it, and leaves."""

    def __init__(self, places: dict[str, str], cases: Sequence[tuple[str, bytes]]) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(places["servercert"], places["serverkey"])
        self._context.maximum_version = ssl.TLSVersion.TLSv1_2
        self._cases = cases
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> _Liar:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        # What is still to be accepted is refused from now on, and the thread ends.
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(60)

    def _serve(self) -> None:
        for kind, said in self._cases:
            try:
                accepted, _ = self._listening.accept()
            except OSError:
                return
            accepted.settimeout(60)
            try:
                if kind == "tls":
                    accepted = self._context.wrap_socket(accepted, server_side=True)
                else:
                    accepted.recv(1 << 16)
                accepted.sendall(said)
                if kind == "raw":
                    accepted.shutdown(socket.SHUT_WR)
                if said or kind == "raw":
                    # The client has read that once it says something or leaves.
                    accepted.recv(1 << 16)
            except OSError:
                pass
            accepted.close()


class RefusalTests(TestCase):
    """What is refused, in whose words."""

    timeout = 300

    def _clients(self) -> dict[str, str]:
        here = world()
        pki = here.pki
        return {
            "none": here.client("none", ca=pki.ca),
            "stranger": here.client("stranger", ca=pki.ca, client=pki.stranger),
            "revoked": here.client("revoked", ca=pki.ca, client=pki.revoked),
            "expired": here.client("expired", ca=pki.ca, client=pki.expired),
            "early": here.client("early", ca=pki.ca, client=pki.early),
            "purpose": here.client(
                "purpose",
                ca=pki.ca,
                client=certificate(pki.ca, "O=Example,CN=p", purposes=[SERVER]),
            ),
            "bob": here.client("bob", ca=pki.ca, client=certificate(pki.ca, "CN=bob")),
            "brackets": here.client(
                "brackets", ca=pki.ca, client=certificate(pki.ca, "CN=alice", purposes=[CLIENT])
            ),
            "literal": here.client("literal", ca=pki.ca, client=certificate(pki.ca, "CN=[a]lice")),
            "authority": here.client("authority", ca=pki.otherCA),
            "server": here.client(
                "server",
                ca=pki.ca,
                client=pki.client,
                crl=revocations(pki.ca, [pki.server.certificate]),
            ),
            "mallory": here.client(
                "mallory",
                ca=pki.ca,
                client=issue(pki.ca, "O=Evil,O=Example,CN=m", purposes=["client"]),
            ),
            "empty": here.client("empty"),
        }

    def test_certificates(self) -> Deferred[None]:
        """
        Both daemons and both clients refuse the same certificates, with the same errors.
        """
        return Deferred.fromCoroutine(self._certificates())

    async def _certificates(self) -> None:
        here = world()
        wrong = []
        outcomes: dict[str, list[Any]] = {}
        clients = self._clients()
        for daemon in (here.libvirtd, here.pyvirt):
            uris = [here.tls(daemon, each) for each in clients.values()]
            uris += [here.tls(daemon, each, more="&no_sanity=1") for each in clients.values()]
            uris += [
                here.tls(daemon, here.good, host="127.0.0.1"),
                here.tls(daemon, here.good, host="127.0.0.2"),
                here.tls(daemon, here.good, more="&tls_priority=NORMAL:-VERS-TLS1.3"),
                here.tls(daemon, here.good, more="&tls_priority=BOGUS"),
                *(
                    here.tls(daemon, here.good, more=f"&{each}")
                    for each in (
                        *(
                            "no_verify=x",
                            "no_verify=",
                            "no_verify=-1",
                            "no_sanity=x",
                            "no_tty=%201",
                        ),
                        *("no_tty=1x", "no_verify=4294967296", "tls_priority=", "mode=x", "mode="),
                        *("proxy=x", "proxy=", "proxy=x&mode=x", "proxy=x&no_tty=x", "mode=direct"),
                        *("unknown=1", "name=", "name=qemu:///system", "socket=/x", "auth=none"),
                    )
                ),
                here.tls(daemon, "relative/folder"),
                here.tls(daemon, ""),
                here.tls(daemon, clients["authority"], more="&no_verify=1"),
            ]
            done = run([requireBinding(), "-c", OPEN, HERE], json.dumps(uris))
            theirs = json.loads(done.stdout)
            for uri, other in zip(uris, theirs, strict=True):
                try:
                    conn = await pyvirt.open(uri)
                    mine: Any = "opened"
                    await conn.close()
                except pyvirt.VirtError as error:
                    mine = json.loads(json.dumps(clientscript.showError(error)))
                if mine != other:
                    wrong.append(f"{daemon.label} {uri}\n  client:  {mine}\n  binding: {other}")
            outcomes[daemon.label] = json.loads(_PORT.sub(r"\1<port>", json.dumps(theirs)))
        for uri, one, other in zip(uris, *outcomes.values(), strict=True):
            if one != other:
                wrong.append(f"{uri}\n  libvirtd: {one}\n  pyvirt:   {other}")
        if wrong:
            self.fail(f"{len(wrong)} differ\n" + "\n".join(wrong))
        log = here.pyvirt.log()
        for reason in (
            "No certificate was found.",
            "The certificate has been revoked.",
            "The certificate has expired.",
            "The certificate is not yet activated.",
            "tls_allowed_dn_list",
        ):
            self.assertIn(reason, log)

    def test_handshakes(self) -> Deferred[None]:
        """
        Whatever a server does instead of a handshake, or behind it, our client's error is libvirt's.
        """
        return Deferred.fromCoroutine(self._handshakes())

    async def _handshakes(self) -> None:
        here = world()
        numbers = (0, 10, 20, 40, 42, 44, 45, 46, 48, 70, 71, 80, 90, 110, 112, 116, 120, 200)
        cases: list[tuple[str, bytes]] = [
            ("raw", b""),
            ("raw", b"HTTP/1.0 400 Bad\r\n\r\n"),
            ("raw", bytes(range(100, 150))),
            ("raw", b"\x16\x03\x03"),
            *(("raw", b"\x15\x03\x03\x00\x02\x02" + bytes([each])) for each in numbers),
            *(("tls", each) for each in (b"", b"\0", b"\1", b"hello")),
        ]
        with _Liar(here.places, cases * 2) as liar:
            uris = [f"test+tls://localhost:{liar.port}/default?pkipath={here.good}" for _ in cases]
            done = run([requireBinding(), "-c", OPEN, HERE], json.dumps(uris))
            theirs = json.loads(done.stdout)
            wrong = []
            for case, uri, other in zip(cases, uris, theirs, strict=True):
                with self.assertRaises(pyvirt.VirtError) as caught:
                    await pyvirt.open(uri)
                mine = json.loads(json.dumps(clientscript.showError(caught.exception)))
                if mine != other:
                    wrong.append(f"{case}\n  client:  {mine}\n  binding: {other}")
        self.assertEqual(wrong, [], "\n".join(wrong))

    def test_reload(self) -> None:
        """
        An administrator has the certificates read again, and then others are refused.
        """
        here = world()
        admin = found("virt-admin")
        if admin is None:
            raise SkipTest("virt-admin is not installed (libvirt-clients)")
        one = here.client(
            "soon", ca=here.pki.ca, client=issue(here.pki.ca, "O=Example,CN=s", purposes=["client"])
        )
        uri = here.tls(here.pyvirt, one)
        from cryptography import x509

        with open(f"{one}/clientcert.pem", "rb") as file:
            revoked = x509.load_pem_x509_certificate(file.read())
        with open(here.places["cacrl"], "rb") as file:
            before = file.read()
        try:
            self.assertEqual(run([requireVirsh(), "-c", uri, "list"]).status, 0)
            with open(here.places["cacrl"], "wb") as file:
                file.write(revocations(here.pki.ca, [here.pki.revoked.certificate, revoked]))
            command = [
                admin,
                *("-c", f"libvirtd:///system?socket={here.pyvirt.folder}/libvirt-admin-sock"),
                *("server-update-tls", "libvirtd"),
            ]
            done = run(command)
            self.assertEqual(done.status, 0, done.stderr)
            self.assertIn("Unable to read TLS", run([requireVirsh(), "-c", uri, "list"]).stderr)
        finally:
            with open(here.places["cacrl"], "wb") as file:
                file.write(before)
            run(command)
