"""
Where a guest's process and its threads run, and how much of the host they get: applied when it starts, and to
threads that come later.

Everything that a definition asks for and the host has no means for is refused; what nobody asks for is never a
reason not to start.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from twisted.logger import Logger

from pyvirt import constants as c
from pyvirt.definitions.domain import DomainDefinition
from pyvirt.definitions.domain._tune import MemTune
from pyvirt.definitions.schema import replaced
from pyvirt.definitions.units import formatSet
from pyvirt.drivers.qemu import cgrouplimits as limits
from pyvirt.drivers.qemu.advice import withAdvice
from pyvirt.drivers.qemu.cgroups import GuestGroup, groupName
from pyvirt.drivers.qemu.deviceaccess import DeviceAccess
from pyvirt.drivers.qemu.devicefilters import filterOf
from pyvirt.drivers.qemu.devicerules import rulesOf
from pyvirt.drivers.qemu.procfs import threadTimes
from pyvirt.drivers.qemu.refusals import systemFailure, unsupportedConfig
from pyvirt.errors import ErrorDomain, VirtError

if TYPE_CHECKING:
    from pyvirt.drivers.qemu.domain import Domain
    from pyvirt.drivers.qemu.guest import Guest
    from pyvirt.drivers.qemu.hypervisor import Hypervisor

__all__ = [
    "adoptGroup",
    "allCPUs",
    "enterGroup",
    "entering",
    "ioThreadIds",
    "makeGroup",
    "placeIOThread",
    "placeThreads",
    "placeVcpu",
    "setAffinity",
]

log = Logger()

_POLICIES = {
    "batch": os.SCHED_BATCH,
    "idle": os.SCHED_IDLE,
    "fifo": os.SCHED_FIFO,
    "rr": os.SCHED_RR,
}
DEFAULT_PARTITION = "/machine"


def allCPUs() -> frozenset[int]:
    """Return the CPUs of the host."""
    return frozenset(range(os.cpu_count() or 1))


def setAffinity(thread: int, cpus: frozenset[int] | set[int]) -> None:
    """
    Say where a thread may run.

    @raise VirtError: the system does not let it.
    """
    try:
        os.sched_setaffinity(thread, cpus)
    except OSError as problem:
        raise systemFailure(
            problem, f"cannot set CPU affinity on process {thread}", ErrorDomain.NONE
        ) from None


def partitionOf(definition: DomainDefinition) -> str:
    """Return the partition that a guest is in."""
    resource = definition.resource
    return (resource.partition if resource is not None else None) or DEFAULT_PARTITION


def _controllers(hypervisor: Hypervisor, group: GuestGroup | None, name: str) -> bool:
    """Whether guests are put under a controller: it is there, and qemu.conf does not leave it out."""
    wanted = hypervisor.config.values.get("cgroup_controllers")
    return (
        group is not None
        and group.has(name)
        and (not isinstance(wanted, list | tuple) or name in wanted)
    )


def makeGroup(hypervisor: Hypervisor, domain: Domain, guest: Guest) -> None:
    """
    Make the group in which a guest that is about to start will be limited.

    @raise VirtError: the host has no means for what the definition asks for.
    """
    definition = domain.definition
    group = None
    if hypervisor.privileged:
        if not partitionOf(definition).startswith("/"):
            raise unsupportedConfig(
                f"Resource partition '{partitionOf(definition)}' must start with '/'"
            )
        # qemu.conf may leave no controller at all: then there is no group either, as with libvirt.
        if hypervisor.config.values.get("cgroup_controllers") not in ([], ()):
            group = GuestGroup.make(
                hypervisor.cgroups, partitionOf(definition), groupName(guest.id, domain.name)
            )
    guest.group = group
    _limitBlocks(hypervisor, domain, group)
    _limitMemory(hypervisor, definition, group)
    _limitCPU(hypervisor, domain, group)
    appid = definition.resource.appid if definition.resource is not None else None
    if group is not None and appid:
        _tellFabric(group, appid)
    if group is not None and _controllers(hypervisor, group, "devices"):
        access = _access(hypervisor, domain, group)
        guest.access = access if access.begin() else None


#: Where the kernel learns what a group's traffic is called on Fibre Channel.
_FABRIC = "/sys/class/fc/fc_udev_device/appid_store"


def _tellFabric(group: GuestGroup, appid: str) -> None:
    text = f"{group.inode():X}:{appid}"
    try:
        with open(_FABRIC, "w") as file:
            file.write(text)
    except OSError as problem:
        raise systemFailure(problem, f"Unable to write '{text}' to '{_FABRIC}'") from None


def _access(hypervisor: Hypervisor, domain: Domain, group: GuestGroup) -> DeviceAccess:
    always = hypervisor.config.values.get("cgroup_device_acl")
    return DeviceAccess(filterOf(group), always, lambda: rulesOf(domain.definition))


#: Enters all the groups that are named before C{--}, then becomes what follows.
_ENTER = 'while [ "$1" != -- ]; do echo 0 2>/dev/null >"$1"; shift; done; shift; exec "$@"'


def entering(guest: Guest) -> tuple[str, ...]:
    """
    Return what has to stand before a guest's command for it to be confined before it opens anything.

    What runs before that, and what it leaves behind, stays outside: it must go on when the guest stands still, and
    would keep the group from being removed.  Where that fails the guest starts all the same: L{enterGroup} says what is
    wrong.

    @raise VirtError: a group inside cannot be made.
    """
    if guest.group is None:
        return ()
    return ("sh", "-c", _ENTER, "sh", *guest.group.entrances(), "--")


def enterGroup(guest: Guest) -> None:
    """
    See to it that a process is in its group.

    @raise VirtError: the kernel does not want that.
    """
    if guest.group is not None:
        guest.group.add(guest.pid)


def adoptGroup(hypervisor: Hypervisor, domain: Domain, guest: Guest) -> None:
    """Find the group of a guest that was started earlier."""
    if hypervisor.privileged:
        guest.group = GuestGroup.adopt(
            hypervisor.cgroups, partitionOf(domain.definition), groupName(guest.id, domain.name)
        )
    if guest.group is not None and guest.group.has("devices"):
        access = _access(hypervisor, domain, guest.group)
        guest.access = access if access.isThere() else None


def _limitBlocks(hypervisor: Hypervisor, domain: Domain, group: GuestGroup | None) -> None:
    tune = domain.definition.blkiotune
    if tune is None or not (tune.weight or tune.devices):
        return
    if group is None or not _controllers(hypervisor, group, "blkio"):
        raise unsupportedConfig("Block I/O tuning is not available on this host")
    if tune.weight:
        limits.setBlockWeight(group, tune.weight)
    devices = []
    for device in tune.devices:
        for field in ("weight", *limits.BLOCK_LIMITS):
            value = getattr(device, field)
            if value and device.path is not None:
                told = limits.setBlockLimit(group, field, device.path, value)
                device = replaced(device, **{field: told or None})
        devices.append(device)
    domain.definition = replaced(
        domain.definition, blkiotune=replaced(tune, devices=tuple(devices))
    )


def _limitMemory(
    hypervisor: Hypervisor, definition: DomainDefinition, group: GuestGroup | None
) -> None:
    tune = definition.memtune or MemTune()
    given = [
        (name, value)
        for name, value in (
            ("hard_limit", tune.hardLimit),
            ("soft_limit", tune.softLimit),
            ("swap_hard_limit", tune.swapHardLimit),
        )
        if value is not None and value != limits.UNLIMITED
    ]
    if not given:
        return
    if group is None or not _controllers(hypervisor, group, "memory"):
        raise unsupportedConfig("Memory cgroup is not available on this host")
    for name, value in given:
        limits.setMemoryLimit(group, name, value)


def _limitCPU(hypervisor: Hypervisor, domain: Domain, group: GuestGroup | None) -> None:
    tune = domain.definition.cputune
    if tune is None:
        return
    if group is None or not _controllers(hypervisor, group, "cpu"):
        if tune.shares is not None:
            raise unsupportedConfig("CPU tuning is not available on this host")
        if tune.globalPeriod or tune.globalQuota:
            raise _noScheduler()
        return
    if tune.shares is not None:
        told = limits.setCPUShares(group, tune.shares)
        if told != tune.shares:
            domain.definition = replaced(domain.definition, cputune=replaced(tune, shares=told))
    limits.setBandwidth(group, tune.globalPeriod or 0, tune.globalQuota or 0)


def _noScheduler() -> VirtError:
    return unsupportedConfig("cgroup cpu is required for scheduler tuning")


# Threads


def ioThreadIds(definition: DomainDefinition) -> list[int]:
    """Return the numbers of a guest's IO threads."""
    ids = definition.iothreadids
    if ids is not None and ids.threads:
        return [thread.id for thread in ids.threads]
    return list(range(1, (definition.iothreads or 0) + 1))


async def placeThreads(hypervisor: Hypervisor, domain: Domain, guest: Guest) -> None:
    """
    Place the threads of a guest whose monitor answers.

    @raise VirtError: the host has no means for what the definition asks for.
    """
    definition = withAdvice(domain.definition, guest.advice)
    tune = definition.cputune
    _placeEmulator(hypervisor, domain, guest)
    threads = await ioThreads(guest) if ioThreadIds(definition) else {}
    for number in ioThreadIds(definition):
        if number in threads:
            placeIOThread(hypervisor, domain, guest, number, threads[number])
    numbers = set(guest.vcpuThreads.values())
    if len(numbers) == len(guest.vcpuThreads):
        for vcpu, thread in sorted(guest.vcpuThreads.items()):
            placeVcpu(hypervisor, domain, guest, vcpu, thread)
    elif tune is not None and tune.vcpupins:
        # One thread runs all processors.
        for thread in numbers:
            setAffinity(thread, _everywhere(definition))


async def ioThreads(guest: Guest) -> dict[int, int]:
    """Ask a guest for its IO threads: by number, the thread."""
    return {number: thread for number, thread, _ in await ioThreadReplies(guest)}


async def ioThreadReplies(guest: Guest) -> list[tuple[int, int, dict[str, Any]]]:
    """Ask a guest for its IO threads: number, thread and all else that it says, in its order."""
    found = []
    reply = await guest.execute("query-iothreads")
    for each in reply if isinstance(reply, list) else ():
        if not isinstance(each, dict) or type(each.get("thread-id")) is not int:
            continue
        digits = str(each.get("id", "")).removeprefix("iothread")
        if digits.isdecimal() and each["id"] != digits:
            found.append((int(digits), each["thread-id"], each))
    return found


def _everywhere(definition: DomainDefinition) -> frozenset[int]:
    return definition.vcpu.cpuset or allCPUs()


def _placeEmulator(hypervisor: Hypervisor, domain: Domain, guest: Guest) -> None:
    definition = domain.definition
    tune = definition.cputune
    pin = getattr(tune, "emulatorpin", None)
    _place(
        hypervisor,
        domain,
        guest,
        "emulator",
        guest.pid,
        getattr(pin, "cpuset", None),
        getattr(tune, "emulatorPeriod", None),
        getattr(tune, "emulatorQuota", None),
        getattr(tune, "emulatorsched", None),
    )


def placeVcpu(hypervisor: Hypervisor, domain: Domain, guest: Guest, vcpu: int, thread: int) -> None:
    """Place the thread of a processor."""
    tune = domain.definition.cputune
    pins = {pin.vcpu: pin.cpuset for pin in getattr(tune, "vcpupins", ())}
    scheds = [each for each in getattr(tune, "vcpuscheds", ()) if vcpu in (each.vcpus or ())]
    _place(
        hypervisor,
        domain,
        guest,
        f"vcpu{vcpu}",
        thread,
        pins.get(vcpu),
        getattr(tune, "period", None),
        getattr(tune, "quota", None),
        scheds[0] if scheds else None,
    )


def placeIOThread(
    hypervisor: Hypervisor, domain: Domain, guest: Guest, number: int, thread: int
) -> None:
    """Place a thread that does IO."""
    tune = domain.definition.cputune
    pins = {pin.iothread: pin.cpuset for pin in getattr(tune, "iothreadpins", ())}
    scheds = [
        each for each in getattr(tune, "iothreadscheds", ()) if number in (each.iothreads or ())
    ]
    _place(
        hypervisor,
        domain,
        guest,
        f"iothread{number}",
        thread,
        pins.get(number),
        getattr(tune, "iothreadPeriod", None),
        getattr(tune, "iothreadQuota", None),
        scheds[0] if scheds else None,
    )


def _place(
    hypervisor: Hypervisor,
    domain: Domain,
    guest: Guest,
    inner: str,
    thread: int,
    cpus: frozenset[int] | None,
    period: int | None,
    quota: int | None,
    sched: Any,
) -> None:
    definition = withAdvice(domain.definition, guest.advice)
    group = guest.group
    wanted = cpus or definition.vcpu.cpuset
    if (period or quota) and not _controllers(hypervisor, group, "cpu"):
        raise _noScheduler()
    if group is not None:
        group.makeInner(inner)
        if group.has("cpuset"):
            if wanted:
                limits.setCPUs(group, formatSet(wanted), inner)
            nodes = boundNodes(definition)
            if nodes:
                limits.setNodes(group, formatSet(nodes), inner)
        if group.has("cpu"):
            limits.setBandwidth(group, period or 0, quota or 0, inner)
        if inner != "emulator":
            group.addThread(inner, thread)
    if wanted:
        if inner == "emulator":
            for each in _threadsOf(guest.pid):
                setAffinity(each, wanted)
        else:
            setAffinity(thread, wanted)
    elif inner != "emulator" and _pinned(definition):
        # It was born where the emulator is, and may run anywhere.
        setAffinity(thread, allCPUs())
    if sched is not None:
        _schedule(thread, sched)


def _pinned(definition: DomainDefinition) -> bool:
    return getattr(definition.cputune, "emulatorpin", None) is not None


def _threadsOf(pid: int) -> list[int]:
    try:
        return [int(each) for each in os.listdir(f"/proc/{pid}/task")]
    except OSError:
        return []


def boundNodes(definition: DomainDefinition) -> frozenset[int] | None:
    """Return the nodes that all of a guest's memory must come from, None if there are none such."""
    memory = definition.numatune.memory if definition.numatune is not None else None
    if memory is None or (memory.mode or "strict") not in ("strict", "restrictive"):
        return None
    return memory.nodeset


def _schedule(thread: int, sched: Any) -> None:
    """Have a thread scheduled as its definition says."""
    priority = sched.priority or 0
    try:
        os.sched_setscheduler(thread, _POLICIES[sched.scheduler], os.sched_param(priority))
    except OSError as problem:
        raise systemFailure(
            problem, f"Cannot set scheduler parameters for pid {thread}", ErrorDomain.NONE
        ) from None


def isOnline(guest: Guest, vcpu: int) -> bool:
    """Whether a processor is plugged in."""
    thread = guest.vcpuThreads.get(vcpu)
    return thread is not None and threadTimes(guest.pid, thread) is not None


#: For those who tell of changes.
TUNABLE = c.VIR_DOMAIN_EVENT_ID_TUNABLE
