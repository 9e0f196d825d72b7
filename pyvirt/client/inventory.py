"""
What is on a host, as far as a healing connection has to know: which domains, networks and pools, in which state.

A list is taken when a connection has been made, and kept by the events of their lives from then on, so that what is
known when the connection is lost is what was true then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred, DeferredList

from pyvirt import constants as c
from pyvirt.client.healing import ChangeKind
from pyvirt.client.shapes import dictionary
from pyvirt.drivers.interfaces.calling import ICaller
from pyvirt.drivers.interfaces.events import Event, EventKind
from pyvirt.errors import ErrorCode, VirtError
from pyvirt.protocols.programs import REMOTE

__all__ = ["KINDS", "Difference", "Inventory", "answered"]

KINDS = {EventKind.DOMAIN: "domain", EventKind.NETWORK: "network", EventKind.STORAGE_POOL: "pool"}
"""What is known, and what it is called."""

_INACTIVE = frozenset((c.VIR_DOMAIN_SHUTOFF, c.VIR_DOMAIN_CRASHED))
_DOMAIN_STATES = {
    c.VIR_DOMAIN_EVENT_STARTED: c.VIR_DOMAIN_RUNNING,
    c.VIR_DOMAIN_EVENT_SUSPENDED: c.VIR_DOMAIN_PAUSED,
    c.VIR_DOMAIN_EVENT_RESUMED: c.VIR_DOMAIN_RUNNING,
    c.VIR_DOMAIN_EVENT_SHUTDOWN: c.VIR_DOMAIN_SHUTDOWN,
    c.VIR_DOMAIN_EVENT_PMSUSPENDED: c.VIR_DOMAIN_PMSUSPENDED,
    c.VIR_DOMAIN_EVENT_CRASHED: c.VIR_DOMAIN_CRASHED,
}
_OTHER_STATES = {c.VIR_NETWORK_EVENT_STARTED: 1, c.VIR_STORAGE_POOL_EVENT_STARTED: 1}
_DEFINED, _UNDEFINED = c.VIR_DOMAIN_EVENT_DEFINED, c.VIR_DOMAIN_EVENT_UNDEFINED
_STOPPED = {
    EventKind.DOMAIN: c.VIR_DOMAIN_EVENT_STOPPED,
    EventKind.NETWORK: c.VIR_NETWORK_EVENT_STOPPED,
    EventKind.STORAGE_POOL: c.VIR_STORAGE_POOL_EVENT_STOPPED,
}
_LISTS = {
    EventKind.NETWORK: (
        "connectListAllNetworks",
        c.VIR_CONNECT_LIST_NETWORKS_ACTIVE,
        c.VIR_CONNECT_LIST_NETWORKS_PERSISTENT,
    ),
    EventKind.STORAGE_POOL: (
        "connectListAllStoragePools",
        c.VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE,
        c.VIR_CONNECT_LIST_STORAGE_POOLS_PERSISTENT,
    ),
}
_CANNOT = frozenset((ErrorCode.NO_SUPPORT, ErrorCode.ACCESS_DENIED, ErrorCode.OPERATION_DENIED))


def _cannot(error: VirtError) -> bool:
    """Whether an error says that something is not to be had here, at no time."""
    if error.code == ErrorCode.RPC:
        return str(error).startswith("unknown procedure")  # an older daemon
    return error.code in _CANNOT


class _Known(NamedTuple):
    """
    An object.

    @ivar state: a domain's; of others whether it is active.
    """

    ref: Any
    state: int
    persistent: bool


_Objects = dict[bytes, _Known]


class Difference(NamedTuple):
    """One object then and now; see L{pyvirt.client.healing.Change}."""

    eventKind: EventKind
    kind: ChangeKind
    ref: Any
    before: int | None
    now: int | None


async def answered(answer: Any) -> Any:
    """Wait for what may be an answer already."""
    return await answer if isinstance(answer, Deferred) else answer


class Inventory:
    """
    What is known of a host.

    @ivar objects: by UUID; a kind that the host does not tell of is absent.
    """

    def __init__(self) -> None:
        self.objects: dict[EventKind, _Objects] = {}
        # Events that come while a list is on its way.
        self._meanwhile: list[tuple[EventKind, Event]] | None = None

    def listener(self, kind: EventKind) -> Callable[[Event], None]:
        """Make what hears the life of one kind of objects."""

        def heard(event: Event) -> None:
            if self._meanwhile is not None:
                self._meanwhile.append((kind, event))
            else:
                self._follow(kind, event)

        return heard

    def expect(self) -> None:
        """A list is about to be taken: what is heard from now on comes on top of it."""
        self._meanwhile = []

    async def take(self, caller: ICaller) -> tuple[list[Difference], frozenset[str]]:
        """
        List everything anew.

        @return: what differs from what was known, and which kinds could be compared.
        @raise VirtError: the connection was lost, or a list failed for a reason that may pass.
        """
        found: dict[EventKind, _Objects] = {}
        for kind in KINDS:
            try:
                found[kind] = await _list(caller, kind)
            except VirtError as error:
                if not _cannot(error):
                    raise
        differences = [
            each
            for kind, objects in found.items()
            if kind in self.objects
            for each in _differences(kind, self.objects[kind], objects)
        ]
        compared = frozenset(KINDS[kind] for kind in found if kind in self.objects)
        self.objects = found
        meanwhile, self._meanwhile = self._meanwhile or [], None
        for kind, event in meanwhile:
            self._follow(kind, event)
        return differences, compared

    def _follow(self, kind: EventKind, event: Event) -> None:
        """Take in what an event says."""
        objects = self.objects.get(kind)
        if objects is None:
            return
        ref, what = event.ref, event.details[0]
        uuid = ref[1]
        known = objects.get(uuid)
        domain = kind is EventKind.DOMAIN
        stopped = c.VIR_DOMAIN_SHUTOFF if domain else 0
        if what == _DEFINED:
            objects[uuid] = _Known(ref, stopped if known is None else known.state, True)
        elif what == _UNDEFINED:
            if known is None or known.state == 0 or (domain and known.state in _INACTIVE):
                objects.pop(uuid, None)
            else:
                objects[uuid] = known._replace(persistent=False)
        elif what == _STOPPED[kind]:
            if known is not None and known.persistent:
                objects[uuid] = _Known(ref, stopped, True)
            else:
                objects.pop(uuid, None)
        else:
            state = (_DOMAIN_STATES if domain else _OTHER_STATES).get(what)
            if state is not None:
                objects[uuid] = _Known(ref, state, known is not None and known.persistent)


def _ask(caller: ICaller, name: str, *arguments: Any) -> Any:
    return answered(caller.call(REMOTE, REMOTE.byName[name], arguments))


async def _refs(caller: ICaller, name: str, flags: int) -> list[Any]:
    answer: Any = await _ask(caller, name, 1, flags)
    return list(answer[0])


async def _list(caller: ICaller, kind: EventKind) -> _Objects:
    if kind is EventKind.DOMAIN:
        states = await _domainStates(caller)
        kept = await _refs(caller, "connectListAllDomains", c.VIR_CONNECT_LIST_DOMAINS_PERSISTENT)
    else:
        name, active, persistent = _LISTS[kind]
        states = [(ref, 0) for ref in await _refs(caller, name, 0)]
        states += [(ref, 1) for ref in await _refs(caller, name, active)]
        kept = await _refs(caller, name, persistent)
    persistents = {ref[1] for ref in kept}
    return {ref[1]: _Known(ref, state, ref[1] in persistents) for ref, state in states}


async def _domainStates(caller: ICaller) -> list[tuple[Any, int]]:
    try:
        records = await _ask(caller, "connectGetAllDomainStats", [], c.VIR_DOMAIN_STATS_STATE, 0)
        return [(each[0], dictionary(each[1])["state.state"]) for each in records]
    except (VirtError, KeyError) as error:
        if isinstance(error, VirtError) and not _cannot(error):
            raise
    refs = await _refs(caller, "connectListAllDomains", 0)
    asked = [Deferred.fromCoroutine(_ask(caller, "domainGetState", ref, 0)) for ref in refs]
    found = []
    for ref, (well, answer) in zip(
        refs, await DeferredList(asked, consumeErrors=True), strict=True
    ):
        if well:
            found.append((ref, answer[0]))
        elif not answer.check(VirtError) or answer.value.code != ErrorCode.NO_DOMAIN:
            answer.raiseException()
    return found


def _differences(kind: EventKind, before: _Objects, now: _Objects) -> Iterator[Difference]:
    for uuid, old in before.items():
        new = now.get(uuid)
        if new is None:
            yield Difference(kind, ChangeKind.GONE, old.ref, old.state, None)
            continue
        if old.state != new.state:
            how = ChangeKind.STATE
        elif (
            old.ref[2:] != new.ref[2:]
            and kind is EventKind.DOMAIN
            and -1
            not in (
                old.ref[2],
                new.ref[2],
            )
        ):
            how = ChangeKind.RESTARTED
        elif old.ref[0] != new.ref[0]:
            how = ChangeKind.RENAMED
        else:
            continue
        yield Difference(kind, how, new.ref, old.state, new.state)
    for uuid, new in now.items():
        if uuid not in before:
            yield Difference(kind, ChangeKind.APPEARED, new.ref, None, new.state)
