"""
Calls in a scenario: late, refused, unanswered, or a long operation that can be watched.
"""

from __future__ import annotations

from collections.abc import Sequence
from inspect import isawaitable
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred
from zope.interface import implementer

from pyvirt import constants as c
from pyvirt.definitions.identity import identify
from pyvirt.drivers.interfaces.events import (
    IDomainEvents,
    INetworkEvents,
    INodeDeviceEvents,
    ISecretEvents,
    IStoragePoolEvents,
    Listener,
)
from pyvirt.drivers.interfaces.faults import Breakage, BrokenReply, Handler, IInterceptor
from pyvirt.drivers.interfaces.values import DomainRef, JobInfo, JobStats, TypedParam
from pyvirt.drivers.test.refusals import checkFlags, operationInvalid
from pyvirt.drivers.test.scenario.model import ACTIONS, Fault, Job, Latency
from pyvirt.drivers.test.scenario.running import FaultState, Running
from pyvirt.drivers.test.scenario.values import Patterns
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["Interceptor", "ScenarioEvents", "ScenarioJobs", "faultError", "objectNames"]

_NOISE = 64


def faultError(fault: Fault) -> VirtError:
    """Make the error that a fault answers with."""
    error = virtError(fault.code, fault.detail, fault.domain)
    if fault.text is None:
        return error
    cls = VirtError.byCode.get(fault.code, VirtError)
    return cls(fault.text, code=fault.code, domain=fault.domain, str1="%s", str2=fault.text)


def objectNames(running: Running, procedure: str, arguments: Sequence[Any]) -> tuple[str, ...]:
    """
    Return what the object of a call is called: its name, and C{OWNER/NAME} if it belongs to another.

    @return: nothing if the call is about no object.
    """
    if not arguments:
        return ()
    first = arguments[0]
    name = getattr(first, "name", None)
    if isinstance(name, str):
        owner = getattr(first, "pool", None) or getattr(getattr(first, "dom", None), "name", None)
        return (name,) if owner is None else (name, f"{owner}/{name}")
    if isinstance(first, str):
        if first.lstrip().startswith("<"):
            found = identify(first).name
            return () if found is None else (found,)
        return (first,)
    world = running.world
    if isinstance(first, bytes):
        domain = world.domains.identified(first)
        if domain is not None:
            return (domain.name,)
        tables: tuple[Any, ...] = (world.networks, world.pools)
        return tuple(
            each.ref.name for table in tables for each in table.values() if each.ref.uuid == first
        )
    if procedure == "domainLookupByID" and isinstance(first, int):
        return tuple(domain.name for domain in world.domains if domain.id == first and first > 0)
    return ()


class _Work(NamedTuple):
    """A long operation that a call is: what the scenario says of it, the domain, what kind it is."""

    job: Job
    dom: DomainRef
    operation: int


def _operation(procedure: str) -> int:
    """Return the C{VIR_DOMAIN_JOB_OPERATION_*} of a procedure."""
    return next((number for word, number in _OPERATIONS if word in procedure), 0)


_OPERATIONS = (
    ("Save", c.VIR_DOMAIN_JOB_OPERATION_SAVE),
    ("CoreDump", c.VIR_DOMAIN_JOB_OPERATION_DUMP),
    ("Migrate", c.VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT),
    ("Backup", c.VIR_DOMAIN_JOB_OPERATION_BACKUP),
    ("Snapshot", c.VIR_DOMAIN_JOB_OPERATION_SNAPSHOT),
    ("Create", c.VIR_DOMAIN_JOB_OPERATION_START),
)


class BusyDomain:
    """
    A long operation of a domain.

    @ivar operation: C{VIR_DOMAIN_JOB_OPERATION_*}.
    @ivar began: the world's time when it did.
    @ivar time: how long it takes.
    @ivar waiting: fires when it is over.
    """

    def __init__(self, job: Job, operation: int, began: float, time: float) -> None:
        self.job = job
        self.operation = operation
        self.began = began
        self.time = time
        self.waiting: Deferred[None] = Deferred()

    def info(self, now: float) -> JobInfo:
        """Say how far it is."""
        elapsed = max(now - self.began, 0.0)
        done = min(elapsed / self.time, 1.0) if self.time else 1.0
        total = self.job.total
        processed = int(total * done)
        sizes = (total, processed, total - processed)
        return JobInfo(
            c.VIR_DOMAIN_JOB_BOUNDED,
            int(elapsed * 1000),
            int(max(self.time - elapsed, 0.0) * 1000),
            *sizes,
            *sizes,
            0,
            0,
            0,
        )


@implementer(IInterceptor)
class Interceptor:
    """Stands before the calls of one connection."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self._waiting: dict[Deferred[Any], None] = {}

    def intercept(self, procedure: str, method: str | None, handler: Handler) -> Handler:
        """Find out what concerns a procedure, once, and do that for each call."""
        api = f"vir{procedure[:1].upper()}{procedure[1:]}"
        names = tuple(dict.fromkeys((procedure, *([method] if method else ()), api)))
        return self._before(names, handler, ACTIONS)

    def subscribing(self, names: tuple[str, ...], handler: Handler) -> Handler:
        """As L{intercept}, for registering for events; that breaks no connection."""
        return self._before(names, handler, ("error", "delay", "hang"))

    def _before(
        self, names: tuple[str, ...], handler: Handler, actions: tuple[str, ...]
    ) -> Handler:
        """
        Return what is called in the place of C{handler}.

        @param names: what the call is called; the first is its procedure.
        @param actions: faults that can strike it.
        """
        running = self._running
        procedure = names[0]
        # Opening is a call like any other, but who wants it to fail says so.
        explicit = procedure == "connectOpen"

        def concerns(calls: Patterns | None) -> bool:
            if explicit:
                return calls is not None and calls.names(*names)
            return calls is None or calls.match(*names)

        latencies = [each for each in running.scenario.latencies if concerns(each.calls)]
        jobs = any(each.calls.match(*names) for each in running.scenario.jobs)
        faults: list[FaultState] = []
        version = -1

        def call(arguments: Any, fds: Sequence[int] = ()) -> Any:
            nonlocal version
            if version != running.version:
                version = running.version
                faults[:] = [each for each in running.faults.values() if concerns(each.fault.calls)]
            if not (latencies or faults or jobs):
                return handler(arguments, fds) if fds else handler(arguments)
            objects = objectNames(running, procedure, arguments)
            late = next((each for each in latencies if _about(each, objects)), None)
            struck = next((each for each in faults if each.strikes(objects, running.random)), None)
            job = running.firstJob(names, objects) if jobs else None
            if late is None and struck is None and job is None:
                return handler(arguments, fds) if fds else handler(arguments)

            def act() -> Any:
                return handler(arguments, fds) if fds else handler(arguments)

            subject = arguments[0] if arguments else None
            fault = None if struck is None else struck.fault
            work = None
            if job is not None and isinstance(subject, DomainRef):
                work = _Work(job, subject, _operation(procedure))
            return self._start(self._call(act, late, fault, work), work is not None)

        return call

    def abandoned(self) -> None:
        """The client is gone."""
        for each in list(self._waiting):
            each.cancel()

    def _start(self, coroutine: Any, works: bool) -> Deferred[Any]:
        waiting: Deferred[Any] = Deferred.fromCoroutine(coroutine)
        # Operations under way go on without the client that asked for them.
        if not waiting.called and not works:
            self._waiting[waiting] = None

            def over(result: Any) -> Any:
                self._waiting.pop(waiting, None)
                return result

            waiting.addBoth(over)
        return waiting

    async def _call(
        self, act: Any, late: Latency | None, fault: Fault | None, work: _Work | None
    ) -> Any:
        running = self._running
        if late is not None:
            await self._pause(late.time.draw(running.random))
        if fault is not None and fault.time is not None:
            await self._pause(fault.time.draw(running.random))
        if work is not None:
            await self._work(*work)
        if fault is None or fault.action == "delay":
            return await _settled(act())
        if fault.action in ("cut", "garble"):
            value = await _settled(act())
            if fault.action == "garble":
                return BrokenReply(None, Breakage.GARBLED, running.random.randbytes(_NOISE))
            return BrokenReply(value, Breakage.CUT, share=fault.share)
        if fault.after:
            await _settled(act())
        if fault.action == "error":
            raise faultError(fault)
        if fault.action == "hang":
            never: Deferred[None] = Deferred()
            await never
        if fault.action == "freeze":
            return BrokenReply(None, Breakage.SILENCE)
        if fault.action == "noise":
            return BrokenReply(None, Breakage.NOISE, b"\xff" + running.random.randbytes(_NOISE - 1))
        return BrokenReply(None, Breakage.CLOSED)

    async def _pause(self, seconds: float) -> None:
        if seconds <= 0:
            return
        over: Deferred[None] = Deferred()
        timer = self._running.world.clock.callLater(seconds, over.callback, None)
        try:
            await over
        finally:
            if timer.active():
                timer.cancel()

    async def _work(self, job: Job, dom: DomainRef, operation: int) -> None:
        """Be busy with a domain for as long as a job takes."""
        running = self._running
        if dom.uuid in running.jobs:
            raise virtError(
                ErrorCode.OPERATION_TIMEOUT,
                "cannot acquire state change lock",
                ErrorDomain.TEST,
            )
        running.world.domains.find(dom)
        time = job.time.draw(running.random)
        fails = job.failAt is not None and (
            job.probability >= 1 or running.random.random() < job.probability
        )
        busy = running.jobs[dom.uuid] = BusyDomain(job, operation, running.time, time)
        wait = time * (job.failAt or 0.0) if fails else time
        timer = running.world.clock.callLater(wait, busy.waiting.callback, None)
        try:
            await busy.waiting
        finally:
            del running.jobs[dom.uuid]
            if timer.active():
                timer.cancel()
        if fails:
            if job.text is not None:
                raise faultError(Fault(name="", code=job.code, text=job.text))
            raise virtError(job.code, "job failed", ErrorDomain.TEST)


def _about(latency: Latency, objects: tuple[str, ...]) -> bool:
    return latency.objects is None or latency.objects.match(*objects)


async def _settled(answer: Any) -> Any:
    return await answer if isawaitable(answer) else answer


@implementer(IDomainEvents, INetworkEvents, IStoragePoolEvents, INodeDeviceEvents, ISecretEvents)
class ScenarioEvents:
    """Registering for events, which can fail like any call."""

    def __init__(self, interceptor: Interceptor, inner: Any) -> None:
        self._interceptor = interceptor
        self._inner = inner
        self._methods: dict[str, Any] = {}

    def _subscribe(self, method: str, *names: str) -> Any:
        found = self._methods.get(method)
        if found is None:
            inner = getattr(self._inner, method)
            found = self._methods[method] = self._interceptor.subscribing(
                (*names, f"vir{names[0][:1].upper()}{names[0][1:]}", method),
                lambda arguments: inner(arguments[1], arguments[0], arguments[2]),
            )
        return found

    def domainEventSubscribe(self, eventID: int, dom: Any, listener: Listener) -> Any:
        """Hear of domains."""
        call = self._subscribe(
            "domainEventSubscribe",
            "connectDomainEventRegisterAny",
            "connectDomainEventCallbackRegisterAny",
            "connectDomainEventRegister",
        )
        return call((dom, eventID, listener))

    def networkEventSubscribe(self, eventID: int, net: Any, listener: Listener) -> Any:
        """Hear of networks."""
        call = self._subscribe("networkEventSubscribe", "connectNetworkEventRegisterAny")
        return call((net, eventID, listener))

    def storagePoolEventSubscribe(self, eventID: int, pool: Any, listener: Listener) -> Any:
        """Hear of storage pools."""
        call = self._subscribe("storagePoolEventSubscribe", "connectStoragePoolEventRegisterAny")
        return call((pool, eventID, listener))

    def nodeDeviceEventSubscribe(self, eventID: int, dev: Any, listener: Listener) -> Any:
        """Hear of devices of the host."""
        call = self._subscribe("nodeDeviceEventSubscribe", "connectNodeDeviceEventRegisterAny")
        return call((dev, eventID, listener))

    def secretEventSubscribe(self, eventID: int, secret: Any, listener: Listener) -> Any:
        """Hear of secrets."""
        call = self._subscribe("secretEventSubscribe", "connectSecretEventRegisterAny")
        return call((secret, eventID, listener))


class ScenarioJobs:
    """
    What domains are busy with, where a scenario says that operations take time.

    What the world's own jobs are is asked of C{inner}, if it has any.
    """

    def __init__(self, running: Running, inner: Any) -> None:
        self._running = running
        self._inner = inner

    def domainGetJobInfo(self, dom: DomainRef) -> Any:
        """How far a domain is with what it is busy with."""
        busy = self._running.jobs.get(dom.uuid)
        if busy is not None:
            return busy.info(self._running.time)
        if hasattr(self._inner, "domainGetJobInfo"):
            return self._inner.domainGetJobInfo(dom)
        self._running.world.domains.find(dom)
        return JobInfo(c.VIR_DOMAIN_JOB_NONE, *[0] * 11)

    def domainGetJobStats(self, dom: DomainRef, flags: int) -> Any:
        """The same, as parameters."""
        busy = self._running.jobs.get(dom.uuid)
        if busy is None or flags & c.VIR_DOMAIN_JOB_STATS_COMPLETED:
            if hasattr(self._inner, "domainGetJobStats"):
                return self._inner.domainGetJobStats(dom, flags)
            self._running.world.domains.find(dom)
            return JobStats(c.VIR_DOMAIN_JOB_NONE, [])
        info = busy.info(self._running.time)
        params = [TypedParam(c.VIR_DOMAIN_JOB_OPERATION, c.VIR_TYPED_PARAM_INT, busy.operation)]
        params += [
            TypedParam(name, c.VIR_TYPED_PARAM_ULLONG, value)
            for name, value in zip(_STATS, info[1:9], strict=True)
        ]
        return JobStats(info.type, params)

    def domainAbortJobFlags(self, dom: DomainRef, flags: int) -> Any:
        """End what a domain is busy with; whoever asked for it is told that it was canceled."""
        busy = self._running.jobs.get(dom.uuid)
        if busy is not None:
            checkFlags("testDomainAbortJobFlags", flags)
            busy.waiting.errback(
                virtError(ErrorCode.OPERATION_ABORTED, "canceled by client", ErrorDomain.TEST)
            )
            return None
        if hasattr(self._inner, "domainAbortJobFlags"):
            return self._inner.domainAbortJobFlags(dom, flags)
        self._running.world.domains.find(dom)
        raise operationInvalid("no job is active on the domain")

    def domainStartDirtyRateCalc(self, dom: DomainRef, seconds: int, flags: int) -> Any:
        """Measure how fast a guest changes its memory, which has nothing to do with other jobs."""
        return self._inner.domainStartDirtyRateCalc(dom, seconds, flags)


_STATS = (
    "time_elapsed",
    "time_remaining",
    "data_total",
    "data_processed",
    "data_remaining",
    "memory_total",
    "memory_processed",
    "memory_remaining",
)
