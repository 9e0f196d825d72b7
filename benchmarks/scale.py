"""
Large numbers: ten thousand domains defined, started and listed, a storm of events, and the memory both take.

Each measurement has a daemon of its own, so that what it holds is what the work has left.
"""

from __future__ import annotations

import selectors
import time
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.raw import RawClient, call, subscribers
from pyvirt.protocols.message import MessageType, decodeError, unpackHeader
from tests.interop.support import Daemon

__all__ = ["DOMAINS", "EVENTS", "SUBSCRIBERS", "Scale"]

DOMAINS = 10000
EVENTS = 100000
SUBSCRIBERS = 50

#: How many domains take part in a storm: each has one change under way at a time.
_ACTORS = 16

_GUEST = """<domain type='test'><name>guest-{}</name><memory>524288</memory><vcpu>2</vcpu><os><type>hvm</type></os>
<devices><disk type='file'><driver name='qemu' type='qcow2'/><source file='/images/{}'/><target dev='vda' bus='virtio'/>
</disk><interface type='network'><source network='default'/><model type='virtio'/></interface></devices></domain>"""


def many(client: RawClient, name: str, arguments: Sequence[tuple[Any, ...]]) -> None:
    """Make calls, one after the other, as a program does that waits for each."""
    for packet in [call(name, *each) for each in arguments]:
        client.socket.sendall(packet)
        reply = client.packet()
        if unpackHeader(reply)[6]:
            raise decodeError(reply)


def _storm(client: RawClient, clients: Sequence[RawClient], events: int) -> float:
    """
    Suspend and resume domains until there were so many events, and everybody has heard of all.

    @return: events delivered per second, all subscribers together.
    """
    client.create([f"actor-{number:02}" for number in range(_ACTORS)])
    domains = [client.ask("domainLookupByName", f"actor-{n:02}") for n in range(_ACTORS)]
    # What the start of each told, and the lengths of the two events, which are the same for all.
    size = 0
    first = domains[0]
    client.ask("domainSuspend", first)
    client.ask("domainResume", first)
    for each in clients:
        for _ in range(_ACTORS):
            each.packet()
        size = len(each.packet()) + len(each.packet())
    changes = [
        (call("domainSuspend", domain, serial=n), call("domainResume", domain, serial=n))
        for n, domain in enumerate(domains)
    ]
    left = [events // _ACTORS // 2 * 2] * _ACTORS
    total = sum(left)
    missing = {each.socket.fileno(): size * total // 2 for each in clients}
    selector = selectors.DefaultSelector()
    for each in clients:
        selector.register(each.socket, selectors.EVENT_READ)
    selector.register(client.socket, selectors.EVENT_READ)
    started = time.perf_counter()
    client.socket.sendall(b"".join(pair[0] for pair in changes))
    left = [each - 1 for each in left]
    pending = b""
    while missing:
        ready = selector.select(60)
        if not ready:
            raise TimeoutError(f"{len(missing)} subscribers wait for events")
        for key, _ in ready:
            data = key.fileobj.recv(1 << 18)  # type: ignore[union-attr]
            if not data:
                raise EOFError("the daemon hung up")
            if key.fileobj is client.socket:
                pending += data
                again = []
                while len(pending) >= 28:
                    length = int.from_bytes(pending[:4], "big")
                    header = unpackHeader(pending[:length])
                    pending = pending[length:]
                    if header[4] == MessageType.REPLY and left[header[5]]:
                        again.append(changes[header[5]][left[header[5]] % 2 == 1])
                        left[header[5]] -= 1
                client.socket.sendall(b"".join(again))
                continue
            missing[key.fd] -= len(data)
            if missing[key.fd] <= 0:
                selector.unregister(key.fileobj)
                del missing[key.fd]
    elapsed = time.perf_counter() - started
    selector.close()
    return total * len(clients) / elapsed


class Scale:
    """
    The measurements; memory is that of the daemon in which the work before was done.

    @ivar settings: lines of the daemons' configuration.
    @ivar events: how many a storm has.
    """

    def __init__(self, settings: Sequence[str]) -> None:
        self.settings = settings
        self.events = EVENTS // 10
        self._memory: dict[tuple[str, str], float] = {}

    def _on(self, daemon: Daemon, work: Callable[[Daemon], float]) -> float:
        fresh = type(daemon)(self.settings)
        try:
            return work(fresh)
        finally:
            fresh.stop()

    def domains(self, daemon: Daemon) -> float:
        """Define, start and list many domains; domains per second, seen by a client that waits for each answer."""

        def work(fresh: Daemon) -> float:
            client = RawClient(fresh.connect())
            try:
                started = time.perf_counter()
                many(client, "domainDefineXML", [(_GUEST.format(n, n),) for n in range(DOMAINS)])
                found, _ = client.results("connectListAllDomains", 1, 0)
                many(client, "domainCreate", [(ref,) for ref in found if ref.id == -1])
                found, count = client.results("connectListAllDomains", 1, 1)
                elapsed = time.perf_counter() - started
                if count != DOMAINS + 1:
                    raise ValueError(f"{count} domains run")
                self._memory[fresh.label, "domains"] = float(fresh.memory())
                return DOMAINS / elapsed
            finally:
                client.close()

        return self._on(daemon, work)

    def storm(self, daemon: Daemon) -> float:
        """Tell many events to many; deliveries per second."""

        def work(fresh: Daemon) -> float:
            client = RawClient(fresh.connect())
            try:
                before = fresh.memory()
                connections = [fresh.connect() for _ in range(SUBSCRIBERS)]
                with subscribers(connections) as clients:
                    rate = _storm(client, clients, self.events)
                peak = fresh.peak()
                self._memory[fresh.label, "storm"] = float(max(peak - before, 1))
                self._memory[fresh.label, "storm, all"] = float(peak)
                return rate
            finally:
                client.close()

        return self._on(daemon, work)

    def memory(self, what: str) -> Callable[[Daemon], float]:
        """KiB that the daemon took when it had done that, or that a storm added at its worst."""

        def told(daemon: Daemon) -> float:
            if (daemon.label, what) not in self._memory:
                getattr(self, what.partition(",")[0])(daemon)
            return self._memory[daemon.label, what]

        return told
