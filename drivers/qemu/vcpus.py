"""
Processors that come to running guests and leave them.

QEMU tells which processors can be plugged; each of them, which may be several of the guest's, is a device by the
name C{vcpuN}, after its first one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyvirt.definitions.domain import DomainDefinition
from pyvirt.definitions.domain._top import VCPU, VCPUList
from pyvirt.definitions.schema import replaced
from pyvirt.drivers.qemu.domain import Domain
from pyvirt.drivers.qemu.guest import Guest
from pyvirt.drivers.qemu.placement import placeVcpu
from pyvirt.drivers.qemu.plugging.detaching import waitGone
from pyvirt.drivers.qemu.refusals import (
    failed,
    invalidArgument,
    operationUnsupported,
    unsupportedConfig,
)

if TYPE_CHECKING:
    from pyvirt.drivers.qemu.hypervisor import Hypervisor

__all__ = [
    "checkCount",
    "each",
    "plugCount",
    "plugFirst",
    "plugSet",
    "storedCount",
    "storedMaximum",
    "storedSet",
    "vcpuGone",
]


def each(definition: DomainDefinition) -> list[VCPU]:
    """Return every processor, there or not, whether or not the definition lists them."""
    vcpu = definition.vcpu
    if definition.vcpus is not None and definition.vcpus.vcpus:
        return list(definition.vcpus.vcpus)
    current = vcpu.maximum if vcpu.current is None else vcpu.current
    return [
        VCPU(
            id=number,
            enabled=number < current,
            # What is there from the start stays, as some guests need it.
            hotpluggable=number >= current,
            order=number + 1 if number < current else None,
        )
        for number in range(vcpu.maximum)
    ]


def _with(definition: DomainDefinition, vcpus: list[VCPU]) -> DomainDefinition:
    count = sum(one.enabled for one in vcpus)
    vcpu = replaced(definition.vcpu, current=None if count == len(vcpus) else count)
    return replaced(definition, vcpu=vcpu, vcpus=VCPUList(vcpus=tuple(vcpus)))


async def _entities(guest: Guest) -> list[dict[str, Any]]:
    """Return what QEMU can plug, in the order of the guest's processors: type, properties, number, whether there."""
    reply = await guest.execute("query-hotpluggable-cpus")
    known = [one for one in reply if isinstance(one, dict) and isinstance(one.get("props"), dict)]
    names = ("node-id", "socket-id", "die-id", "cluster-id", "core-id", "thread-id")

    def order(one: dict[str, Any]) -> list[int]:
        # The node follows from the others.
        return [int(one["props"].get(name, -1)) for name in names[1:]]

    return sorted(known, key=order)


async def _plug(hypervisor: Hypervisor, domain: Domain, guest: Guest, wanted: set[int]) -> None:
    """Plug processors in, those with the lowest numbers first."""
    entities = await _entities(guest)
    first = 0
    for one in entities:
        count = int(one.get("vcpus-count", 1))
        numbers = set(range(first, first + count))
        if numbers & wanted and "qom-path" not in one:
            arguments = {"driver": str(one.get("type")), "id": f"vcpu{first}", **one["props"]}
            await guest.execute("device_add", arguments)
            await _learn(hypervisor, domain, guest, numbers, True)
        first += count


async def plugFirst(guest: Guest, definition: DomainDefinition) -> DomainDefinition:
    """
    Plug in what is to be there from the start but may be plugged out, before the guest's CPUs run for the first time.

    @return: the definition, which says in which order its processors came.
    """
    listed = definition.vcpus.vcpus if definition.vcpus is not None else ()
    there = sorted(
        (one for one in listed if one.enabled),
        key=lambda one: (bool(one.hotpluggable), one.order or 0, one.id or 0),
    )
    waiting = {one.id for one in there if one.hotpluggable}
    if waiting:
        found: dict[int, dict[str, Any]] = {}
        first = 0
        for entity in await _entities(guest):
            found[first] = entity
            first += int(entity.get("vcpus-count", 1))
        for one in there:
            entity = found.get(one.id or 0, {})
            if one.id in waiting and entity and "qom-path" not in entity:
                arguments = {"driver": str(entity.get("type")), "id": f"vcpu{one.id}"}
                await guest.execute("device_add", {**arguments, **entity["props"]})
    if not there or any(one.order for one in there):
        return definition
    orders = {one.id: number for number, one in enumerate(there, 1)}
    return _with(definition, [replaced(one, order=orders.get(one.id)) for one in listed])


async def _learn(
    hypervisor: Hypervisor, domain: Domain, guest: Guest, numbers: set[int], there: bool
) -> None:
    """Some processors have come, or have gone."""
    reply = await guest.execute("query-cpus-fast")
    guest.vcpuThreads = {
        int(cpu["cpu-index"]): int(cpu["thread-id"])
        for cpu in reply
        if isinstance(cpu, dict) and "thread-id" in cpu and "cpu-index" in cpu
    }
    for number in sorted(numbers):
        if number in guest.vcpuThreads:
            placeVcpu(hypervisor, domain, guest, number, guest.vcpuThreads[number])
        elif guest.group is not None:
            guest.group.removeInner(f"vcpu{number}")
    vcpus = each(domain.definition)
    last = max((one.order or 0 for one in vcpus), default=0)
    done = []
    for one in vcpus:
        if one.id in numbers and one.enabled != there:
            last += 1
            one = replaced(one, enabled=there, hotpluggable=True, order=last if there else None)
        done.append(one)
    domain.definition = _with(domain.definition, done)
    hypervisor.saveStatus(domain)


async def _unplug(hypervisor: Hypervisor, domain: Domain, guest: Guest, number: int) -> None:
    """Take a processor away, with those that QEMU knows as one with it."""
    alias = f"vcpu{number}"
    word = await waitGone(hypervisor, guest, alias)
    if word == "gone":
        await _learn(hypervisor, domain, guest, {number}, False)
    else:
        raise failed("vcpu unplug request timed out" if word is None else "vcpu unplug was refused")


async def vcpuGone(hypervisor: Hypervisor, domain: Domain, guest: Guest, alias: str) -> None:
    """A device has gone that may be a processor which took its time."""
    number = alias.removeprefix("vcpu")
    if alias.startswith("vcpu") and number.isascii() and number.isdigit():
        await _learn(hypervisor, domain, guest, {int(number)}, False)


def checkCount(definition: DomainDefinition, count: int, which: str) -> None:
    """
    Refuse more processors than there can be.

    @param which: C{live} or C{persistent}.
    """
    if count > definition.vcpu.maximum:
        raise invalidArgument(
            f"requested vcpus is greater than max allowable vcpus for the {which} domain: "
            f"{count} > {definition.vcpu.maximum}"
        )


async def plugCount(hypervisor: Hypervisor, domain: Domain, guest: Guest, count: int) -> None:
    """
    Have a running guest have so many processors.

    @raise VirtError: it cannot have so few.
    """
    vcpus = each(domain.definition)
    current = sum(one.enabled for one in vcpus)
    if count > current:
        free = [int(one.id or 0) for one in vcpus if not one.enabled]
        await _plug(hypervisor, domain, guest, set(free[: count - current]))
        return
    going = [int(one.id or 0) for one in vcpus if one.enabled and one.hotpluggable]
    if len(going) < current - count:
        raise unsupportedConfig(
            "failed to find appropriate hotpluggable vcpus to reach the desired target vcpu count"
        )
    for number in list(reversed(going))[: current - count]:
        await _unplug(hypervisor, domain, guest, number)


async def plugSet(
    hypervisor: Hypervisor, domain: Domain, guest: Guest, numbers: set[int], state: bool
) -> None:
    """
    Plug certain processors into a running guest, or take them away.

    @raise VirtError: one is not there, or stays.
    """
    vcpus = {one.id or 0: one for one in each(domain.definition)}
    _checkThere(vcpus, numbers, "live")
    for number in sorted(numbers):
        if vcpus[number].enabled == state:
            raise invalidArgument(f"vcpu '{number}' is already in requested state")
    if len(numbers) > 1:
        # Each is a device of its own.
        raise operationUnsupported("only one hotpluggable entity can be selected")
    for number in numbers:
        if state:
            await _plug(hypervisor, domain, guest, numbers)
        elif not vcpus[number].hotpluggable:
            raise operationUnsupported(f"vcpu '{number}' can't be unplugged")
        else:
            await _unplug(hypervisor, domain, guest, number)


def _checkThere(vcpus: dict[int, VCPU], numbers: set[int], which: str) -> None:
    for number in sorted(numbers):
        if number not in vcpus:
            raise invalidArgument(f"vcpu {number} is not present in {which} config")


def storedMaximum(definition: DomainDefinition, maximum: int) -> DomainDefinition:
    """Return a definition that can have so many processors; those that it has stay, as far as there is room."""
    vcpu = definition.vcpu
    current = vcpu.maximum if vcpu.current is None else vcpu.current
    if definition.vcpus is None or not definition.vcpus.vcpus:
        now = None if current >= maximum else current
        return replaced(definition, vcpu=replaced(vcpu, maximum=maximum, current=now))
    vcpus = list(definition.vcpus.vcpus)[:maximum]
    vcpus += [VCPU(id=number, enabled=False) for number in range(len(vcpus), maximum)]
    return _with(replaced(definition, vcpu=replaced(vcpu, maximum=maximum)), vcpus)


def storedCount(definition: DomainDefinition, count: int, hotpluggable: bool) -> DomainDefinition:
    """Return a definition with so many processors; the list of them, where there is one, follows."""
    vcpus = each(definition)
    current = sum(one.enabled for one in vcpus)
    if definition.vcpus is None and not (hotpluggable and count > current):
        maximum = definition.vcpu.maximum
        vcpu = replaced(definition.vcpu, current=None if count == maximum else count)
        return replaced(definition, vcpu=vcpu)
    done: list[VCPU] = list(vcpus)
    if count > current:
        for place, one in enumerate(done):
            hotpluggable = hotpluggable or bool(one.enabled and one.hotpluggable)
            if count > current and not one.enabled:
                # Those that stay come first: behind one that may go, all may.
                done[place] = replaced(one, enabled=True, hotpluggable=hotpluggable)
                current += 1
    else:
        for place in reversed(range(len(done))):
            if count < current and done[place].enabled and place:
                done[place] = replaced(done[place], enabled=False, hotpluggable=True)
                current -= 1
    return _with(definition, [replaced(one, order=None) for one in done])


def storedSet(definition: DomainDefinition, numbers: set[int], state: bool) -> DomainDefinition:
    """
    Return a definition with certain processors there, or not.

    @raise VirtError: one cannot be.
    """
    vcpus = {one.id or 0: one for one in each(definition)}
    _checkThere(vcpus, numbers, "persistent")
    first = min(numbers, default=0)
    if first == 0:
        raise invalidArgument("vCPU '0' can't be modified")
    for number, one in vcpus.items():
        if number > first and number not in numbers and one.enabled and not one.hotpluggable:
            raise invalidArgument(
                f"vcpu '{first}' can't be modified as it is followed by non-hotpluggable "
                "online vcpus"
            )
    done = [
        replaced(
            one,
            enabled=state if number in numbers else one.enabled,
            hotpluggable=True if number in numbers else one.hotpluggable,
            order=None,
        )
        for number, one in vcpus.items()
    ]
    return _with(definition, done)
