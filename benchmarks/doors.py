"""
What it takes to come in: from connecting to the first answer, door by door; and what a crowd at the doors costs others.

Both daemons stand behind the same doors, with the same certificates and keys, and serve the same stock binding.
"""

from __future__ import annotations

import socket
import statistics
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from OpenSSL import SSL

from benchmarks.raw import RawClient, call
from tests.interop.support import CHECKOUT, Daemon, requireBinding
from tests.interop.test_remote import World

OPENER = """
import sys, time, libvirt
libvirt.registerErrorHandler(lambda context, error: None, None)
uri, count = sys.argv[1], int(sys.argv[2])
def once():
    started = time.perf_counter()
    conn = libvirt.open(uri)
    taken = time.perf_counter() - started
    conn.close()
    return taken
once()
found = sorted(once() for _ in range(count))
print(found[len(found) // 2] * 1000)
"""
CROWD = 16
"""Clients that shake hands at the same time; less than may be unauthenticated at a time."""
CALLS = 400
_EXCHANGED = b"\x00\x00\x00\x0c\x0a\x15"
"""How the packet begins by which a server of SSH says that keys are exchanged."""


class Doors:
    """Both daemons with all doors; made when a measurement asks for it."""

    def __init__(self) -> None:
        self._world: World | None = None

    @property
    def world(self) -> World:
        """The daemons, and what clients need."""
        if self._world is None:
            self._world = World()
        return self._world

    def mine(self, daemon: Daemon) -> Daemon:
        """The one of these daemons that is of the same kind."""
        return self.world.pyvirt if daemon.label == "pyvirt" else self.world.libvirtd

    def opening(self, door: str, count: int) -> Callable[[Daemon], float]:
        """Milliseconds of C{open} through a door: login, open and the first answers; the median."""

        def act(daemon: Daemon) -> float:
            uris = {name: uri for name, uri, _ in self.world.doors(self.mine(daemon))}
            done = subprocess.run(
                [requireBinding(), "-c", OPENER, uris[door], str(count)],
                capture_output=True,
                text=True,
                timeout=120,
            )
            if done.returncode:
                raise RuntimeError(done.stderr)
            return float(done.stdout)

        return act

    def sshDoor(self, daemon: Daemon) -> float:
        """The same by our SSH listener, where libvirtd has an SSH server in front."""
        door = "ssh door, auto" if daemon.label == "pyvirt" else "openssh, netcat"
        return self.opening(door, 5)(daemon)

    def delay(self, crowd: str) -> Callable[[Daemon], float]:
        """Milliseconds that one client's calls take while a crowd is at a door: the worst of a hundred."""

        def act(daemon: Daemon) -> float:
            chosen = self.mine(daemon)
            client = RawClient(chosen.connect())
            try:
                with self.crowd(crowd, chosen):
                    return worst(client)
            finally:
                client.close()

        return act

    @contextmanager
    def crowd(self, kind: str, daemon: Daemon) -> Iterator[None]:
        """Have clients come and go at a door meanwhile."""
        port = self.world.tlsPorts[daemon.label] if kind == "tls" else self.world.sshPort
        if kind == "ssh" and daemon.label != "pyvirt":
            port = self.world.sshd.port
        with flood(kind, str(port)):
            yield

    def stop(self) -> None:
        """End what was started."""
        if self._world is not None:
            self._world.stop()


def worst(client: RawClient, calls: int = CALLS) -> float:
    """The 99th of a hundred of a client's calls, in milliseconds."""
    packet = call("connectGetLibVersion")
    found = []
    for _ in range(calls):
        started = time.perf_counter()
        client.socket.sendall(packet)
        client.packet()
        found.append((time.perf_counter() - started) * 1000)
        time.sleep(0.001)
    return statistics.quantiles(found, n=100)[98]


@contextmanager
def flood(kind: str, *where: str, module: str = "benchmarks.doors") -> Iterator[None]:
    """Have a crowd come and go meanwhile, in a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, kind, *where],
        stdout=subprocess.PIPE,
        cwd=CHECKOUT,
    )
    try:
        assert process.stdout is not None
        process.stdout.readline()
        yield
    finally:
        process.kill()
        process.communicate()


def _crowd(kind: str, port: int) -> None:
    """Begin handshakes at the same moment, again and again, and leave once the server has answered."""
    hello = _tlsHello() if kind == "tls" else _sshHello()
    while True:
        connections: list[socket.socket] = []
        try:
            while len(connections) < CROWD:
                connections += [socket.create_connection(("127.0.0.1", port), 10)]
            for each in connections:
                each.sendall(hello)
            for each in connections:
                _answered(each, kind)
        except OSError:
            pass  # turned away: that is the daemon's right
        finally:
            for each in connections:
                each.close()
        print("round", flush=True)


def _tlsHello() -> bytes:
    """The first words of a TLS client, which make the server sign."""
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_max_proto_version(SSL.TLS1_2_VERSION)
    connection: Any = SSL.Connection(context, None)
    connection.set_connect_state()
    try:
        connection.do_handshake()
    except SSL.WantReadError:
        pass
    hello: bytes = connection.bio_read(1 << 16)
    return hello


def _sshHello() -> bytes:
    """All that an SSH client says until the server has exchanged keys and signed that."""

    def packet(payload: bytes) -> bytes:
        padding = 8 - (len(payload) + 5) % 8
        padding += 8 if padding < 4 else 0
        return struct.pack(">IB", len(payload) + padding + 1, padding) + payload + bytes(padding)

    lists = [
        *(b"curve25519-sha256", b"ssh-ed25519,ecdsa-sha2-nistp256,rsa-sha2-512,rsa-sha2-256"),
        *[b"aes128-ctr,aes256-ctr"] * 2,
        *[b"hmac-sha2-256,hmac-sha2-512"] * 2,
        *[b"none"] * 2,
        *[b""] * 2,
    ]
    words = b"".join(struct.pack(">I", len(each)) + each for each in lists)
    point = X25519PrivateKey.generate().public_key().public_bytes_raw()
    return (
        b"SSH-2.0-crowd\r\n"
        + packet(bytes([20]) + bytes(16) + words + bytes(5))
        + packet(bytes([30]) + struct.pack(">I", len(point)) + point)
    )


def _answered(connection: socket.socket, kind: str) -> None:
    """Wait until a server has answered a hello: of SSH until its keys are exchanged."""
    connection.settimeout(10)
    answer = piece = connection.recv(1 << 16)
    while kind == "ssh" and piece and _EXCHANGED not in answer[-64:]:
        piece = connection.recv(1 << 16)
        answer += piece


if __name__ == "__main__":
    _crowd(sys.argv[1], int(sys.argv[2]))
