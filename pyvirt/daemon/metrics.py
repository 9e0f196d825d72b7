"""
Numbers for Prometheus: calls and how long they took, by procedure; clients, queues, refusals, events, bytes.

Most of it is read where it is counted anyway, when somebody asks.  What has to be measured per call is measured by
sessions of a kind of their own, which are only there when the configuration wants it.
"""

from __future__ import annotations

import struct
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator
from time import perf_counter
from typing import TYPE_CHECKING, Any

import attrs
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from twisted.internet.defer import Deferred
from twisted.web.pages import notFound
from twisted.web.resource import Resource
from twisted.web.server import Site

from pyvirt.daemon.calls import PROGRAMS
from pyvirt.daemon.session import Session
from pyvirt.errors import ErrorCode, VirtError
from pyvirt.protocols.message import MessageType

if TYPE_CHECKING:
    from pyvirt.daemon.server import Server

__all__ = ["MeasuredSession", "Metrics", "metricsSite"]

BUCKETS = (0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0)
"""Upper bounds of latency, in seconds."""

_KEY = struct.Struct(">III")
_CALLS = (int(MessageType.CALL), int(MessageType.CALL_WITH_FDS))
_REASONS = {
    int(ErrorCode.ACCESS_DENIED): "access denied",
    int(ErrorCode.OPERATION_DENIED): "read-only connection",
    int(ErrorCode.AUTH_FAILED): "authentication failed",
    int(ErrorCode.AUTH_CANCELLED): "authentication cancelled",
    int(ErrorCode.AUTH_UNAVAILABLE): "authentication unavailable",
    int(ErrorCode.NO_SUPPORT): "not supported",
}


class Latency:
    """How long the calls of one procedure took."""

    __slots__ = ("buckets", "count", "sum")

    def __init__(self) -> None:
        self.count = 0
        self.sum = 0.0
        self.buckets = [0] * (len(BUCKETS) + 1)

    def add(self, seconds: float) -> None:
        self.count += 1
        self.sum += seconds
        self.buckets[bisect_left(BUCKETS, seconds)] += 1

    def cumulative(self) -> list[tuple[str, float]]:
        """Bounds and how many took no longer."""
        total = 0
        found: list[tuple[str, float]] = []
        for bound, count in zip((*map(str, BUCKETS), "+Inf"), self.buckets, strict=True):
            total += count
            found.append((bound, total))
        return found


class Metrics(Collector):
    """
    What is known about a daemon, for a registry.

    @ivar latencies: by the words of a call's header that name program, version and procedure.
    """

    def __init__(self, servers: Iterable[Server]) -> None:
        self.servers = tuple(servers)
        self.latencies: dict[bytes, Latency] = {}
        self.errors: Counter[int] = Counter()
        self.events = 0
        self.received = 0
        self.sent = 0

    def latency(self, key: bytes) -> Latency:
        """Find where to add for a key of L{latencies} that is not there yet."""
        program, _, number = _KEY.unpack(key)
        known = PROGRAMS.get(program)
        if known is None or number not in known.procedures:
            return Latency()  # whatever clients make up must not fill the memory
        return self.latencies.setdefault(_KEY.pack(program, known.version, number), Latency())

    def collect(self) -> Iterator[Metric]:
        """Tell all numbers."""
        yield from self._calls()
        yield from self._servers()

    def _calls(self) -> Iterator[Metric]:
        latency = HistogramMetricFamily(
            "pyvirt_call_seconds",
            "Time from a call's arrival to its answer.",
            labels=("program", "procedure"),
        )
        for key, each in sorted(self.latencies.items()):
            program, _, number = _KEY.unpack(key)
            known = PROGRAMS[program]
            latency.add_metric(
                (known.name, known.procedures[number].name), each.cumulative(), each.sum
            )
        yield latency
        errors = CounterMetricFamily(
            "pyvirt_errors", "Calls that were answered with an error.", labels=("code",)
        )
        refusals = CounterMetricFamily(
            "pyvirt_refusals", "What was refused, and why.", labels=("reason",)
        )
        for code, count in sorted(self.errors.items()):
            errors.add_metric((str(code),), count)
            if code in _REASONS:
                refusals.add_metric((_REASONS[code],), count)
        for name, reason in (
            ("refused", "too many clients"),
            ("unauthenticated", "authentication took too long"),
            ("unverified", "certificate"),
            ("broken", "broken protocol"),
            ("silent", "no answer to keepalives"),
            ("slow", "does not read"),
        ):
            total = sum(getattr(each.counters, name, 0) for each in self.servers)
            refusals.add_metric((reason,), total)
        yield errors
        yield refusals
        for name, text, value in (
            ("pyvirt_events", "Events sent to clients.", self.events),
            ("pyvirt_received_bytes", "Bytes that came from clients.", self.received),
            ("pyvirt_sent_bytes", "Bytes that went to clients.", self.sent),
        ):
            yield CounterMetricFamily(name, text, value=value)

    def _servers(self) -> Iterator[Metric]:
        clients = GaugeMetricFamily(
            "pyvirt_clients",
            "Connected clients.",
            labels=("server", "transport", "state"),
        )
        handshakes = GaugeMetricFamily(
            "pyvirt_handshakes_waiting",
            "Handshakes whose next step waits for its turn.",
            labels=("server",),
        )
        busy = GaugeMetricFamily("pyvirt_calls_in_progress", "Calls at work.", labels=("server",))
        queued = GaugeMetricFamily("pyvirt_calls_queued", "Calls that wait.", labels=("server",))
        limits = GaugeMetricFamily("pyvirt_limit", "Limits.", labels=("server", "name"))
        counters = CounterMetricFamily(
            "pyvirt_sessions", "What sessions met with.", labels=("server", "what")
        )
        for each in self.servers:
            states = Counter(
                (
                    session.identity.transport or "memory",
                    "authenticated" if session.authenticated else "anonymous",
                )
                for session in each.sessions
            )
            states.update((one.identity.transport, "shaking hands") for one in each.arrivals)
            for (transport, state), count in sorted(states.items()):
                clients.add_metric((each.name, transport, state), count)
            handshakes.add_metric((each.name,), each.turns.waiting)
            busy.add_metric((each.name,), each.workers.busy)
            queued.add_metric((each.name,), each.workers.queued)
            limits.add_metric((each.name, "clients"), each.limits.clients)
            limits.add_metric((each.name, "anonymous clients"), each.limits.anonymousClients)
            limits.add_metric((each.name, "calls in progress"), each.workers.maximum)
            for name, value in attrs.asdict(each.counters).items():
                counters.add_metric((each.name, name), value)
        yield clients
        yield handshakes
        yield busy
        yield queued
        yield limits
        yield counters


class MeasuredSession(Session):
    """A session that measures."""

    _began = 0.0
    _waits = False
    _key = b""

    def __init__(self, server: Server, auth: str, readOnly: bool) -> None:
        super().__init__(server, auth, readOnly)
        assert server.metrics is not None
        self.metrics = server.metrics
        self._latencies = self.metrics.latencies

    def packetReceived(self, packet: bytes, fds: list[int]) -> None:
        if packet[19] not in _CALLS:
            super().packetReceived(packet, fds)
            return
        self._waits = False
        self._key = key = packet[4:16]
        self._began = began = perf_counter()
        super().packetReceived(packet, fds)
        if not self._waits:
            found = self._latencies.get(key) or self.metrics.latency(key)
            # As Latency.add does, without a call.
            seconds = perf_counter() - began
            found.count += 1
            found.sum += seconds
            found.buckets[bisect_left(BUCKETS, seconds)] += 1

    def _wait(
        self,
        program: Any,
        call: Any,
        serial: int,
        result: Deferred[Any],
        fds: list[int],
        queued: bool = False,
    ) -> None:
        self._waits = True
        began = self._began
        found = self._latencies.get(self._key) or self.metrics.latency(self._key)

        def done(outcome: Any) -> Any:
            found.add(perf_counter() - began)
            return outcome

        super()._wait(program, call, serial, result.addBoth(done), fds, queued)

    def replyError(
        self, program: int, version: int, number: int, serial: int, error: VirtError
    ) -> None:
        self.metrics.errors[int(error.code)] += 1
        super().replyError(program, version, number, serial, error)

    def sendEvent(self, packet: bytes) -> None:
        self.metrics.events += 1
        super().sendEvent(packet)

    def dataReceived(self, data: bytes) -> None:
        self.metrics.received += len(data)
        super().dataReceived(data)

    def _write(self, data: bytes) -> None:
        self.metrics.sent += len(data)
        super()._write(data)


class _Page(Resource):
    isLeaf = True

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__()
        self._registry = registry

    def render_GET(self, request: Any) -> bytes:
        request.setHeader(b"content-type", b"text/plain; version=0.0.4; charset=utf-8")
        return generate_latest(self._registry)


class _Root(Resource):
    def getChild(self, path: bytes, request: Any) -> Any:
        return notFound()


def metricsSite(metrics: Metrics) -> Any:
    """Make a web server of one page, C{/metrics}."""
    registry = CollectorRegistry()
    registry.register(metrics)
    root = _Root()
    root.putChild(b"metrics", _Page(registry))
    site = Site(root, timeout=30)
    site.displayTracebacks = False
    site.noisy = False
    return site
