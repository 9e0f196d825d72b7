"""
Threads of a domain that do IO, and looking into its memory.
"""

from __future__ import annotations

from pyvirt import constants as c
from pyvirt.definitions.domain import DomainDefinition
from pyvirt.definitions.domain._tune import CPUTune, IOThread, IOThreadIds, IOThreadPin
from pyvirt.definitions.schema import replaced
from pyvirt.drivers.interfaces.values import DomainRef, TypedParam
from pyvirt.drivers.test.cpumaps import bits
from pyvirt.drivers.test.domain import Domain
from pyvirt.drivers.test.extra import Polling
from pyvirt.drivers.test.refusals import IMPACT, checkFlags, invalidArgument
from pyvirt.drivers.test.world import World
from pyvirt.errors import ErrorDomain, VirtError
from pyvirt.params import validateParams

__all__ = ["DomainDevices", "threadNumbers"]

_POLLING = {
    "poll_max_ns": (c.VIR_TYPED_PARAM_ULLONG, "longest"),
    "poll_grow": (c.VIR_TYPED_PARAM_UINT, "grow"),
    "poll_shrink": (c.VIR_TYPED_PARAM_UINT, "shrink"),
}


def threadNumbers(definition: DomainDefinition) -> list[int]:
    """Return the numbers of a domain's threads: those it names, then the lowest that are free."""
    ids = definition.iothreadids
    if ids is not None and ids.threads:
        return [thread.id for thread in ids.threads]
    return list(range(1, (definition.iothreads or 0) + 1))


def _withThreads(definition: DomainDefinition, threads: tuple[IOThread, ...]) -> DomainDefinition:
    return replaced(
        definition,
        iothreads=len(threads) or None,
        iothreadids=IOThreadIds(threads=threads) if threads else None,
    )


def _threads(definition: DomainDefinition) -> tuple[IOThread, ...]:
    ids = definition.iothreadids
    if ids is not None and ids.threads:
        return tuple(ids.threads)
    return tuple(IOThread(id=number, counted=True) for number in threadNumbers(definition))


def _checkUnused(definition: DomainDefinition, number: int) -> None:
    """Refuse if a thread does the IO of a device."""
    for disk in definition.devices.disks:
        if disk.driver is not None and disk.driver.iothread == number:
            name = disk.target.dev if disk.target is not None else ""
            raise invalidArgument(
                f"cannot remove IOThread {number} since it is being used by disk '{name}'",
                ErrorDomain.DOMAIN,
            )
    for controller in definition.devices.controllers:
        if controller.driver is not None and controller.driver.iothread == number:
            raise invalidArgument(
                f"cannot remove IOThread '{number}' since it is being used by controller",
                ErrorDomain.DOMAIN,
            )


def _withPins(definition: DomainDefinition, pins: tuple[IOThreadPin, ...]) -> DomainDefinition:
    tune = replaced(definition.cputune or CPUTune(), iothreadpins=pins)
    return replaced(definition, cputune=None if tune == CPUTune() else tune)


def _polling(domain: Domain, number: int) -> Polling | None:
    return next((each for each in domain.threads if each.thread == number), None)


class DomainDevices:
    """Adds, places and removes threads."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._find = world.domains.find

    def domainPinIOThread(
        self, dom: DomainRef, iothreadsID: int, cpumap: bytes, flags: int
    ) -> None:
        """Say where a thread may run."""
        checkFlags("testDomainPinIOThread", flags, IMPACT)
        domain = self._find(dom)
        live, config = domain.impactOfOne(flags)
        allowed = bits(cpumap)
        if not allowed:
            raise invalidArgument("Empty iothread cpumap list for pinning")

        def changed(definition: DomainDefinition) -> DomainDefinition:
            if iothreadsID not in threadNumbers(definition):
                raise invalidArgument(f"iothreadid {iothreadsID} not found")
            old = definition.cputune.iothreadpins if definition.cputune is not None else ()
            pins = [pin for pin in old if pin.iothread != iothreadsID]
            pins.append(IOThreadPin(iothread=iothreadsID, cpuset=allowed))
            order = threadNumbers(definition)
            pins.sort(key=lambda pin: order.index(pin.iothread))
            threads = tuple(
                replaced(each, counted=False) if each.id == iothreadsID else each
                for each in _threads(definition)
            )
            return _withPins(_withThreads(definition, threads), tuple(pins))

        domain.changeBoth(live, config, changed)

    def domainAddIOThread(self, dom: DomainRef, iothreadID: int, flags: int) -> None:
        """Add a thread."""
        checkFlags("testDomainAddIOThread", flags, IMPACT)
        if iothreadID == 0:
            raise invalidArgument("invalid value of 0 for iothread_id")
        domain = self._find(dom)
        live, config = domain.impactOfOne(flags)

        def changed(definition: DomainDefinition) -> DomainDefinition:
            if iothreadID in threadNumbers(definition):
                raise invalidArgument(
                    f"an IOThread is already using iothread_id '{iothreadID}'", ErrorDomain.DOMAIN
                )
            return _withThreads(definition, (*_threads(definition), IOThread(id=iothreadID)))

        domain.changeBoth(live, config, changed)
        domain.extra.threads.append(Polling(iothreadID))

    def domainDelIOThread(self, dom: DomainRef, iothreadID: int, flags: int) -> None:
        """Remove a thread that no device needs."""
        checkFlags("testDomainDelIOThread", flags, IMPACT)
        if iothreadID == 0:
            raise invalidArgument("invalid value of 0 for iothread_id")
        domain = self._find(dom)
        live, config = domain.impactOfOne(flags)

        def changed(definition: DomainDefinition) -> DomainDefinition:
            if iothreadID not in threadNumbers(definition):
                raise invalidArgument(
                    f"cannot find IOThread '{iothreadID}' in iothreadids list", ErrorDomain.DOMAIN
                )
            _checkUnused(definition, iothreadID)
            threads = _threads(definition)
            place = threadNumbers(definition).index(iothreadID)
            # Threads that are counted keep their numbers when one before them goes.
            behind = (replaced(each, counted=False) for each in threads[place + 1 :])
            definition = _withThreads(definition, (*threads[:place], *behind))
            old = definition.cputune.iothreadpins if definition.cputune is not None else ()
            pins = tuple(pin for pin in old if pin.iothread != iothreadID)
            return _withPins(definition, pins) if len(pins) < len(old) else definition

        domain.changeBoth(live, config, changed)
        polling = _polling(domain, iothreadID)
        if polling is not None:
            domain.extra.threads.remove(polling)

    def domainSetIOThreadParams(
        self, dom: DomainRef, iothreadID: int, params: list[TypedParam], flags: int
    ) -> None:
        """Set how a thread that was added to a domain polls, which statistics tell."""
        checkFlags("testDomainSetIOThreadParams", flags, c.VIR_DOMAIN_AFFECT_LIVE)
        if iothreadID == 0:
            raise invalidArgument("invalid value of 0 for iothread_id")
        domain = self._find(dom)
        if iothreadID not in threadNumbers(domain.one(flags)):
            raise invalidArgument(f"cannot find IOThread '{iothreadID}' in iothreadids")
        polling = _polling(domain, iothreadID)
        if polling is None:
            raise VirtError("An error occurred, but the cause is unknown", int1=0, int2=0)
        given = validateParams(params, {name: kind for name, (kind, _) in _POLLING.items()})
        for name, value in given.items():
            setattr(polling, _POLLING[name][1], value)

    def domainMemoryPeek(self, dom: DomainRef, offset: int, size: int, flags: int) -> bytes:
        """Look into the memory of a running guest, which holds the low bytes of its addresses."""
        if flags not in (c.VIR_MEMORY_VIRTUAL, c.VIR_MEMORY_PHYSICAL):
            checkFlags("testDomainMemoryPeek", flags, c.VIR_MEMORY_VIRTUAL | c.VIR_MEMORY_PHYSICAL)
            raise invalidArgument(
                "flags parameter must be VIR_MEMORY_VIRTUAL or VIR_MEMORY_PHYSICAL"
            )
        self._find(dom).checkActive()
        first = offset & 0xFF
        return (_BYTES * ((first + size) // 256 + 1))[first : first + size]


_BYTES = bytes(range(256))
