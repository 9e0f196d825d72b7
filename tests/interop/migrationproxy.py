"""
What stands between two daemons of a migration, and does harm at a chosen moment: L{Proxy}.
"""

from __future__ import annotations

import os
import socket
import struct
import threading

__all__ = ["FINISH", "PREPARE", "PREPARE_TUNNEL", "Proxy"]

PREPARE, PREPARE_TUNNEL, FINISH = 303, 304, 306
CALL, REPLY, STREAM = 0, 1, 3


class Proxy:
    """
    Passes packets on between those who connect to a UNIX socket and a daemon's, until one comes that it waits for.

    @ivar reached: set when that has come; everything behind it waits until L{go} or L{cut}.
    """

    def __init__(self, path: str, target: str, number: int, kind: int, count: int = 1) -> None:
        """
        @param number: of the procedure.
        @param kind: C{CALL}, C{REPLY} or C{STREAM}.
        @param count: how many such packets it takes.
        """
        self.reached = threading.Event()
        self._released = threading.Event()
        self._wanted = (number, kind)
        self._count = count
        self._target = target
        self._harmless = False
        self._sockets: list[socket.socket] = []
        self._lock = threading.Lock()
        if os.path.exists(path):
            os.unlink(path)
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(path)
        self._listening.listen()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def go(self) -> None:
        """Pass on what waits, and all that comes later."""
        self._harmless = True
        self._released.set()

    def cut(self) -> None:
        """Cut all connections; those that are made later are left alone."""
        self._harmless = True
        self._close()
        self._released.set()

    def stop(self) -> None:
        """End it."""
        self.cut()
        try:
            self._listening.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._listening.close()
        for each in self._threads:
            each.join(30)

    def _close(self) -> None:
        with self._lock:
            for each in self._sockets:
                try:
                    each.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                break
            daemon = socket.socket(socket.AF_UNIX)
            try:
                daemon.connect(self._target)
            except OSError:
                client.close()
                daemon.close()
                continue
            with self._lock:
                self._sockets += [client, daemon]
            ended = [2]
            for one, other in ((client, daemon), (daemon, client)):
                pump = threading.Thread(target=self._pump, args=(one, other, ended), daemon=True)
                self._threads.append(pump)
                pump.start()

    def _pump(self, one: socket.socket, other: socket.socket, ended: list[int]) -> None:
        try:
            while True:
                head = self._read(one, 4)
                packet = head + self._read(one, struct.unpack(">I", head)[0] - 4)
                number, kind = struct.unpack(">II", packet[12:20])
                if (number, kind) == self._wanted and not self._harmless:
                    self._count -= 1
                    if self._count <= 0:
                        self.reached.set()
                        self._released.wait(120)
                other.sendall(packet)
        except (OSError, EOFError):
            pass
        for each in (one, other):
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        with self._lock:
            ended[0] -= 1
            if not ended[0]:
                for each in (one, other):
                    if each in self._sockets:
                        self._sockets.remove(each)
                    each.close()

    def _read(self, source: socket.socket, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            got = source.recv(size - len(data))
            if not got:
                raise EOFError
            data += got
        return bytes(data)
