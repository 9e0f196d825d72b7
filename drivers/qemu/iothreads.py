"""
Threads of a guest that do IO: listing, adding, removing and tuning them.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from pyvirt import constants as c
from pyvirt.definitions.domain import DomainDefinition
from pyvirt.definitions.domain._tune import CPUTune, IOThread, IOThreadIds
from pyvirt.definitions.schema import replaced
from pyvirt.drivers.interfaces.values import DomainIOThreadInfo, DomainRef, TypedParam
from pyvirt.drivers.qemu.changing import IMPACT, keepConfig, keepLive
from pyvirt.drivers.qemu.domain import Domain
from pyvirt.drivers.qemu.hypervisor import Hypervisor
from pyvirt.drivers.qemu.pinning import IOThreadPinning
from pyvirt.drivers.qemu.placement import allCPUs, ioThreadIds, ioThreadReplies, placeIOThread
from pyvirt.drivers.qemu.refusals import (
    checkFlags,
    internal,
    invalidArgument,
    operationInvalid,
    unsupportedConfig,
)
from pyvirt.errors import ErrorCode, ErrorDomain, virtError
from pyvirt.params import validateParams

__all__ = ["IOThreadListing", "IOThreads", "threads", "withThreads"]

_LARGEST = (1 << 31) - 1
#: Parameters, their types, and what QEMU calls them.
_TUNING = {
    "poll_max_ns": (c.VIR_TYPED_PARAM_ULLONG, "poll-max-ns"),
    "poll_grow": (c.VIR_TYPED_PARAM_UINT, "poll-grow"),
    "poll_shrink": (c.VIR_TYPED_PARAM_UINT, "poll-shrink"),
    "thread_pool_min": (c.VIR_TYPED_PARAM_INT, "thread-pool-min"),
    "thread_pool_max": (c.VIR_TYPED_PARAM_INT, "thread-pool-max"),
}


def threads(definition: DomainDefinition) -> tuple[IOThread, ...]:
    """Return the threads of a definition, numbered."""
    ids = definition.iothreadids
    if ids is not None and ids.threads:
        return tuple(ids.threads)
    return tuple(IOThread(id=number, counted=True) for number in ioThreadIds(definition))


def withThreads(definition: DomainDefinition, found: tuple[IOThread, ...]) -> DomainDefinition:
    """Return a definition with other threads."""
    return replaced(
        definition,
        iothreads=len(found) or None,
        iothreadids=IOThreadIds(threads=found) if found else None,
    )


def _checkAbsent(definition: DomainDefinition, number: int) -> None:
    if number in ioThreadIds(definition):
        raise invalidArgument(
            f"an IOThread is already using iothread_id '{number}'", ErrorDomain.DOMAIN
        )


def _checkUnused(definition: DomainDefinition, number: int) -> None:
    """Refuse to remove what is not there, or does the IO of a device."""
    if number not in ioThreadIds(definition):
        raise invalidArgument(
            f"cannot find IOThread '{number}' in iothreadids list", ErrorDomain.DOMAIN
        )
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


def _added(definition: DomainDefinition, number: int) -> DomainDefinition:
    return withThreads(definition, (*threads(definition), IOThread(id=number)))


def _removed(definition: DomainDefinition, number: int) -> DomainDefinition:
    found = threads(definition)
    place = [each.id for each in found].index(number)
    # Threads that are counted keep their numbers when one before them goes.
    behind = (replaced(each, counted=False) for each in found[place + 1 :])
    definition = withThreads(definition, (*found[:place], *behind))
    tune = definition.cputune
    if tune is None:
        return definition
    pins = tuple(pin for pin in tune.iothreadpins if pin.iothread != number)
    tune = replaced(tune, iothreadpins=pins)
    return replaced(definition, cputune=None if tune == CPUTune() else tune)


class IOThreadListing:
    """Lists threads that do IO."""

    _hypervisor: Hypervisor
    _find: Callable[[DomainRef], Domain]

    async def domainGetIOThreadInfo(self, dom: DomainRef, flags: int) -> list[DomainIOThreadInfo]:
        """List threads and where they may run."""
        from pyvirt.drivers.qemu.resources import cpuMap

        checkFlags("qemuDomainGetIOThreadInfo", flags, IMPACT)
        domain: Domain = self._find(dom)
        definition = domain.onePlaced(flags)
        live, _ = domain.impact(flags)
        found = []
        if live:
            for number, thread, _said in await ioThreadReplies(domain.checkActive()):
                try:
                    allowed: set[int] = os.sched_getaffinity(thread)
                except OSError:
                    allowed = set(allCPUs())
                found.append(DomainIOThreadInfo(number, cpuMap(allowed)))
            return found
        pins = {pin.iothread: pin.cpuset for pin in getattr(definition.cputune, "iothreadpins", ())}
        for number in ioThreadIds(definition):
            cpus = pins.get(number) or definition.vcpu.cpuset or allCPUs()
            found.append(DomainIOThreadInfo(number, cpuMap(cpus)))
        return found


class IOThreads(IOThreadPinning):
    """Adds, removes and tunes threads that do IO."""

    async def domainAddIOThread(self, dom: DomainRef, iothreadID: int, flags: int) -> None:
        """Add a thread."""
        checkFlags("qemuDomainAddIOThread", flags, IMPACT)
        _checkNumber(iothreadID)
        hypervisor = self._hypervisor
        domain: Domain = self._find(dom)
        async with domain.jobs.change("remoteDispatchDomainAddIOThread"):
            live, config = domain.impact(flags)
            if live:
                _checkAbsent(domain.definition, iothreadID)
            if config:
                _checkAbsent(domain.persistentDefinition, iothreadID)
            if live:
                guest = domain.checkActive()
                alias = f"iothread{iothreadID}"
                await guest.execute("object-add", {"qom-type": "iothread", "id": alias})
                there = {number: thread for number, thread, _ in await ioThreadReplies(guest)}
                if iothreadID not in there:
                    raise internal(f"failed to find new IOThread '{iothreadID}'")
                keepLive(hypervisor, domain, lambda each: _added(each, iothreadID))
                placeIOThread(hypervisor, domain, guest, iothreadID, there[iothreadID])
            if config:
                keepConfig(hypervisor, domain, lambda each: _added(each, iothreadID), onCopy=True)

    async def domainDelIOThread(self, dom: DomainRef, iothreadID: int, flags: int) -> None:
        """Remove a thread that no device needs."""
        checkFlags("qemuDomainDelIOThread", flags, IMPACT)
        _checkNumber(iothreadID)
        hypervisor = self._hypervisor
        domain: Domain = self._find(dom)
        async with domain.jobs.change("remoteDispatchDomainDelIOThread"):
            live, config = domain.impact(flags)
            if live:
                _checkUnused(domain.definition, iothreadID)
            if config:
                _checkUnused(domain.persistentDefinition, iothreadID)
            if live:
                guest = domain.checkActive()
                alias = f"iothread{iothreadID}"
                await guest.execute("object-del", {"id": alias})
                keepLive(hypervisor, domain, lambda each: _removed(each, iothreadID))
                if guest.group is not None:
                    guest.group.removeInner(alias)
            if config:
                keepConfig(hypervisor, domain, lambda each: _removed(each, iothreadID), onCopy=True)

    async def domainSetIOThreadParams(
        self, dom: DomainRef, iothreadID: int, params: list[TypedParam], flags: int
    ) -> None:
        """Tune how a thread waits and how many workers it has."""
        checkFlags("qemuDomainSetIOThreadParams", flags, IMPACT)
        _checkNumber(iothreadID)
        hypervisor = self._hypervisor
        domain: Domain = self._find(dom)
        given = validateParams(params, {name: kind for name, (kind, _) in _TUNING.items()})
        _checkTuning(given)
        async with domain.jobs.change("remoteDispatchDomainSetIOThreadParams"):
            live, config = domain.impact(flags)
            if config:
                stored = _known(domain.persistentDefinition, iothreadID)
                _checkPersistent(given)
                _checkPool(given, stored, live=False)
            if live:
                thread = _known(domain.definition, iothreadID)
                _checkPool(given, thread, live=True)
            if live:
                guest = domain.checkActive()
                for name in _order(given, thread):
                    await guest.execute(
                        "qom-set",
                        {
                            "path": f"/objects/iothread{iothreadID}",
                            "property": _TUNING[name][1],
                            "value": given[name],
                        },
                    )
                keepLive(hypervisor, domain, lambda each: _pooled(each, iothreadID, given))
            if config:
                keepConfig(
                    hypervisor, domain, lambda each: _pooled(each, iothreadID, given), onCopy=True
                )


def _checkPersistent(given: dict[str, int]) -> None:
    if any(name.startswith("poll_") for name in given):
        raise virtError(
            ErrorCode.OPERATION_UNSUPPORTED,
            "configuring persistent polling values is not supported",
            ErrorDomain.QEMU,
        )


def _checkNumber(number: int) -> None:
    if number == 0:
        raise invalidArgument("invalid value of 0 for iothread_id")


def _known(definition: DomainDefinition, number: int) -> IOThread:
    for each in threads(definition):
        if each.id == number:
            return each
    raise invalidArgument(f"cannot find IOThread '{number}' in iothreadids")


def _checkTuning(given: dict[str, int]) -> None:
    for name in ("poll_max_ns", "poll_grow", "poll_shrink"):
        if given.get(name, 0) > _LARGEST:
            raise unsupportedConfig(
                f"{_TUNING[name][1]} ({given[name]}) must be less than or equal to {_LARGEST}"
            )
    least, most = given.get("thread_pool_min"), given.get("thread_pool_max")
    if least is not None and least < -1:
        raise unsupportedConfig(f"thread_pool_min ({least}) must be equal to or greater than -1")
    if most is not None and (most < -1 or most == 0):
        raise unsupportedConfig(f"thread_pool_max ({most}) must be a positive number or -1")


def _checkPool(given: dict[str, int], thread: IOThread, *, live: bool) -> None:
    least, most = given.get("thread_pool_min"), given.get("thread_pool_max")
    if live:
        for name in ("thread_pool_min", "thread_pool_max"):
            if given.get(name, 0) < 0:
                raise operationInvalid(
                    f"{name} ({given[name]}) must be equal to or greater than 0 for live change"
                )
    least = least if least is not None else thread.threadPoolMin
    most = most if most is not None else thread.threadPoolMax
    if most is None:
        # As is kept of what nobody has said.
        most = -1
    if least is not None and least > most:
        raise operationInvalid(
            f"thread_pool_min ({least}) can't be greater than thread_pool_max ({most})"
        )


def _order(given: dict[str, int], thread: IOThread) -> list[str]:
    """Raise the upper bound before the lower one, lower the lower one before the upper one."""
    order = [name for name in _TUNING if name in given]
    if {"thread_pool_min", "thread_pool_max"} <= given.keys():
        order = order[:-2]
        most = thread.threadPoolMax
        upper = given["thread_pool_min"] > (64 if most is None else most)
        pair = ["thread_pool_max", "thread_pool_min"] if upper else [
            "thread_pool_min",
            "thread_pool_max",
        ]  # fmt: skip
        order += pair
    return order


def _pooled(definition: DomainDefinition, number: int, given: dict[str, int]) -> DomainDefinition:
    changes: dict[str, int | None] = {}
    for name, field in (("thread_pool_min", "threadPoolMin"), ("thread_pool_max", "threadPoolMax")):
        if name in given:
            changes[field] = given[name] if given[name] >= 0 else None
    if not changes:
        return definition
    return withThreads(
        definition,
        tuple(
            replaced(each, **changes) if each.id == number else each for each in threads(definition)
        ),
    )
