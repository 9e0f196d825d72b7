"""
What a crowd that logs in with wrong passwords, again and again, costs who is inside.

Both daemons have the same users.  What the crowd says costs itself nothing: no password is hashed at its end.
"""

from __future__ import annotations

import base64
import os
import shutil
import socket
import ssl
import sys
import tempfile
from collections.abc import Callable
from typing import Any

from benchmarks.doors import CROWD, flood, worst
from benchmarks.raw import RawClient, call
from pyvirt.protocols.message import PAYLOAD, Status, unpackHeader
from pyvirt.protocols.programs.remote import PROGRAM as REMOTE
from tests.certificates import Pki, writePlaces
from tests.interop.support import Daemon
from tests.interop.test_sasl import SASLLibvirtDaemon, SASLPyvirtDaemon


class _Open:
    """Who only looks needs no login: those who are inside."""

    def settings(self) -> list[str]:
        """As others."""
        lines = super().settings()  # type: ignore[misc]
        return [
            'auth_unix_ro = "none"' if line.startswith("auth_unix_ro") else line for line in lines
        ]


class _Libvirtd(_Open, SASLLibvirtDaemon):
    pass


class _Pyvirt(_Open, SASLPyvirtDaemon):
    pass


class Logins:
    """Both daemons with passwords; made when a measurement asks for them."""

    def __init__(self) -> None:
        self._daemons: dict[str, Daemon] = {}
        self._folder = ""

    def _mine(self, daemon: Daemon) -> Daemon:
        if not self._daemons:
            self._folder = tempfile.mkdtemp(prefix="pv-logins-", dir="/tmp")
            pki = Pki()
            places = writePlaces(self._folder, ca=pki.ca, server=pki.server, client=pki.client)
            for path in places.values():
                os.chmod(path, 0o600)
            _Libvirtd.places = _Pyvirt.places = places
            self._daemons = {"libvirtd": _Libvirtd(), "pyvirt": _Pyvirt()}
        return self._daemons[daemon.label]

    def delay(self, mechanism: str) -> Callable[[Daemon], float]:
        """Milliseconds that one client's calls take while a crowd logs in in vain: the worst of a hundred."""

        def act(daemon: Daemon) -> float:
            chosen: Any = self._mine(daemon)
            client = RawClient(chosen.connect(readOnly=True), readOnly=True)
            where = (
                [chosen.socketPath] if mechanism == "SCRAM" else [str(chosen.tlsPort), self._folder]
            )
            try:
                with flood(mechanism, *where, module="benchmarks.logins"):
                    return worst(client)
            finally:
                client.close()

        return act

    def stop(self) -> None:
        """End what was started."""
        for each in self._daemons.values():
            each.stop()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)


def _connect(mechanism: str, where: list[str]) -> socket.socket:
    if mechanism == "SCRAM":
        plain = socket.socket(socket.AF_UNIX)
        plain.settimeout(30)
        plain.connect(where[0])
        return plain
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(f"{where[1]}/clientcert.pem", f"{where[1]}/clientkey.pem")
    inside = context.wrap_socket(socket.create_connection(("127.0.0.1", int(where[0])), 30))
    inside.recv(1)
    return inside


def _answer(connection: socket.socket, name: str) -> Any:
    data = b""
    while len(data) < 4 or len(data) < int.from_bytes(data[:4], "big"):
        piece = connection.recv(1 << 16)
        if not piece:
            raise EOFError("the daemon hung up")
        data += piece
    if unpackHeader(data)[6] != Status.OK:
        return None
    values, _ = REMOTE.byName[name].resultCodec.decode(data, PAYLOAD)
    return values[0]


def _crowd(mechanism: str, where: list[str]) -> None:
    """Log in in vain at the same moment, a few times, and come again."""
    while True:
        connections: list[socket.socket] = []
        try:
            while len(connections) < CROWD:
                connections.append(_connect(mechanism, where))
            for _ in range(4):
                _attempt(mechanism, connections)
                print("round", flush=True)
        except (OSError, EOFError):
            pass  # turned away: that is the daemon's right
        finally:
            for each in connections:
                each.close()


def _attempt(mechanism: str, connections: list[socket.socket]) -> None:
    def ask(name: str, arguments: list[tuple[Any, ...]]) -> list[Any]:
        for each, given in zip(connections, arguments, strict=True):
            each.sendall(call(name, *given))
        return [_answer(each, name) for each in connections]

    count = len(connections)
    ask("authSASLInit", [()] * count)
    if mechanism == "PLAIN":
        failed = ask("authSASLStart", [("PLAIN", 0, b"\0joe\0wrong")] * count)
    else:
        first = b"n,,n=joe,r=fyko+d2lbbFgONRv9qkxdawL"
        replies = ask("authSASLStart", [("SCRAM-SHA-256", 0, first)] * count)
        proof = base64.b64encode(bytes(32)).decode()
        finals = []
        for _, _, said in replies:
            nonce = bytes(said).rstrip(b"\0").decode().split(",")[0]
            finals.append((0, f"c=biws,{nonce},p={proof}".encode()))
        failed = ask("authSASLStep", finals)
    if any(each is not None for each in failed):
        raise AssertionError("a wrong password was right")


if __name__ == "__main__":
    _crowd(sys.argv[1], sys.argv[2:])
