"""
A real daemon for tests of programs in any language: L{DaemonProcess}.

It runs as a process of its own, serves the test driver on a UNIX socket in a folder of its own, and ends with the
test.  Nothing here needs a reactor::

    with DaemonProcess(scenario="scenario.toml", testDriverFor=["qemu"]) as daemon:
        subprocess.run(["virsh", "-c", daemon.uri("qemu:///system"), "list"], check=True)
        daemon.advance(30)
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any
from urllib.parse import quote

from lxml import etree

from pyvirt.errors import VirtError
from pyvirt.protocols.message import PAYLOAD, MessageType, Status, decodeError, pack, unpackHeader
from pyvirt.protocols.programs.remote import PROGRAM

__all__ = ["DaemonProcess"]

START = 30.0
"""Seconds that the daemon has to start, and to answer."""


class DaemonProcess:
    """
    A daemon in a process of its own.

    @ivar folder: its folder, removed when it ends.
    @ivar socketPath: where it listens; with C{-ro} behind it, for looking only.
    """

    def __init__(
        self,
        scenario: str | os.PathLike[str] | None = None,
        *,
        testDriverFor: Sequence[str] = (),
        settings: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """
        Describe a daemon; L{start} starts it.

        @param scenario: what C{test:///default} is: TOML text or the path of a file.
        @param testDriverFor: other drivers that the test driver answers for.
        @param settings: further lines of its configuration file.
        @param environment: further variables.
        """
        self._scenario = None if scenario is None else os.fspath(scenario)
        self._schemes = list(testDriverFor)
        self._settings = list(settings)
        self._environment = dict(environment or {})
        self._process: subprocess.Popen[bytes] | None = None
        self.folder = ""
        self.socketPath = ""

    def __enter__(self) -> DaemonProcess:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """
        Start it; return once it answers.

        @raise RuntimeError: it ended, or does not answer; what it printed is in the text.
        """
        # Addresses of UNIX sockets are short.
        self.folder = tempfile.mkdtemp(prefix="pyvirt-", dir="/tmp")
        self.socketPath = os.path.join(self.folder, "libvirt-sock")
        arguments = ["--config", self._file("daemon.conf", "\n".join(self._lines()) + "\n")]
        if self._scenario is not None:
            path = os.path.abspath(self._scenario)
            if "\n" in self._scenario or "=" in self._scenario:
                path = self._file("scenario.toml", self._scenario)
            arguments += ["--scenario", path]
        if self._schemes:
            arguments += ["--test-driver-for", ",".join(self._schemes)]
        path = os.pathsep.join(each for each in sys.path if each)
        with open(os.path.join(self.folder, "output"), "wb") as output:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    *("-c", "from twisted.scripts.twistd import run; run()"),
                    *("--nodaemon", "--pidfile=", "pyvirt", *arguments),
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env={**os.environ, "PYTHONPATH": path, **self._environment},
            )
        end = time.monotonic() + START
        while True:
            try:
                self._ask(None)
                return
            except OSError:
                if self._process.poll() is None and time.monotonic() < end:
                    time.sleep(0.01)
                    continue
            log = self.log()
            self.stop()
            raise RuntimeError(f"the daemon does not answer: {log}")

    def _lines(self) -> list[str]:
        return [
            "listen_tls = 0",
            f'unix_sock_dir = "{self.folder}"',
            'auth_unix_rw = "none"',
            'auth_unix_ro = "none"',
            *self._settings,
        ]

    def _file(self, name: str, text: str) -> str:
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def stop(self) -> None:
        """End it, and remove its folder."""
        process, self._process = self._process, None
        if process is not None and process.poll() is None:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def log(self) -> str:
        """Return what it has printed."""
        with open(os.path.join(self.folder, "output"), errors="replace") as file:
            return file.read()

    def uri(self, uri: str = "test:///default", *, readOnly: bool = False) -> str:
        """
        Return the URI by which a client reaches what is C{uri} in the daemon.

        @param uri: C{test:///default}, or C{qemu:///system} if the test driver answers for it.
        @param readOnly: by the socket for looking only.
        """
        scheme, _, rest = uri.partition("://")
        path, _, query = rest.partition("?")
        socketPath = self.socketPath + ("-ro" if readOnly else "")
        both = f"socket={socketPath}" + (f"&{query}" if query else "")
        return f"{scheme}+unix://{path}?{both}"

    # Directing a scenario

    def advance(self, seconds: float, uri: str = "test:///default") -> None:
        """
        Move the virtual time of a world.

        @raise VirtError: its time is real.
        """
        self.direct(uri, advance=f"{seconds:f}")

    def arm(self, fault: str, uri: str = "test:///default") -> None:
        """Let a fault of the scenario strike."""
        self.direct(uri, arm=fault)

    def disarm(self, fault: str, uri: str = "test:///default") -> None:
        """Let a fault of the scenario strike no more."""
        self.direct(uri, disarm=fault)

    def storm(self, name: str, uri: str = "test:///default") -> None:
        """Begin a storm of events that the scenario names."""
        self.direct(uri, storm=name)

    def direct(self, uri: str = "test:///default", **controls: str) -> None:
        """
        Do something with a world, by opening its URI with further parameters, as any client can.

        @raise VirtError: it cannot be done.
        """
        more = "&".join(f"{name}={quote(value, safe='')}" for name, value in controls.items())
        self._ask(uri + ("&" if "?" in uri else "?") + more)

    def status(self, uri: str = "test:///default") -> dict[str, Any]:
        """
        Tell what the scenario of a world has done so far.

        @return: C{time} in seconds, C{events} told by storms, and C{faults}: by name whether each is C{armed}, how
            many calls it has C{seen} and how many it C{struck}.
        """
        root = etree.fromstring(str(self._ask(f"{uri}{'&' if '?' in uri else '?'}report=1", True)))
        return {
            "time": float(root.findtext("time", "0")),
            "events": int(root.findtext("events", "0")),
            "faults": {
                str(each.get("name")): {
                    "armed": each.get("armed") == "yes",
                    "seen": int(each.get("seen", "0")),
                    "struck": int(each.get("struck", "0")),
                }
                for each in root.findall("fault")
            },
        }

    def _ask(self, uri: str | None, report: bool = False) -> object:
        """Open a URI and close it again; None: see whether anybody answers.  Return the report if asked for."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(START)
            connection.connect(self.socketPath)
            if uri is None:
                self._call(connection, 1, "authList", ())
                return None
            self._call(connection, 1, "connectOpen", (uri, 0))
            found = self._call(connection, 2, "connectGetCapabilities", ()) if report else None
            self._call(connection, 3, "connectClose", ())
            return found

    @staticmethod
    def _call(
        connection: socket.socket, serial: int, name: str, arguments: tuple[object, ...]
    ) -> object:
        procedure = PROGRAM.byName[name]
        payload = procedure.argumentCodec.encode(arguments)
        connection.sendall(
            pack(
                PROGRAM.number,
                PROGRAM.version,
                procedure.number,
                MessageType.CALL,
                serial,
                Status.OK,
                payload,
            )
        )
        length = int.from_bytes(_read(connection, 4), "big")
        packet = length.to_bytes(4, "big") + _read(connection, length - 4)
        if len(packet) < PAYLOAD:
            raise ConnectionError("the daemon answers with something else")
        if unpackHeader(packet)[6] != Status.OK:
            error: VirtError = decodeError(packet)
            raise error
        values, _ = procedure.resultCodec.decode(packet, PAYLOAD)
        return values[0] if values else None


def _read(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = connection.recv(size - len(data))
        if not more:
            raise ConnectionError("the daemon hung up")
        data += more
    return data
