"""
Plugging devices into running guests.  Whatever QEMU refuses on the way, nothing is left behind: no node, no back end,
no lease, and files are whose they were.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

import attrs
from twisted.logger import Logger

from pyvirt import constants as c
from pyvirt.definitions.domain import DomainDefinition
from pyvirt.definitions.domain._address import PCIAddress
from pyvirt.definitions.kinds import xmlError
from pyvirt.definitions.schema import replaced
from pyvirt.drivers.devicechanges import withDevice
from pyvirt.drivers.devicekinds import everyDevice
from pyvirt.drivers.qemu import locks
from pyvirt.drivers.qemu.assigning import giveDevicesBack, nodesOf, takeDevices
from pyvirt.drivers.qemu.blocks.chain import chain, chainsDetected
from pyvirt.drivers.qemu.command.afterwards import afterwards
from pyvirt.drivers.qemu.command.nets import isTap
from pyvirt.drivers.qemu.devicerules import Rules, rulesOf
from pyvirt.drivers.qemu.domain import Domain
from pyvirt.drivers.qemu.fdgroups import duplicates
from pyvirt.drivers.qemu.files import makeOutputs
from pyvirt.drivers.qemu.guest import Guest
from pyvirt.drivers.qemu.hostends import openSCSIHosts
from pyvirt.drivers.qemu.live import (
    channelPlaced,
    encrypting,
    learnChardevs,
    learnMemories,
    uncached,
)
from pyvirt.drivers.qemu.lockedmemory import moveLockLimit
from pyvirt.drivers.qemu.networking import Connections, closeAll, connect, disconnect, plug
from pyvirt.drivers.qemu.networkports import Actual, releasePort
from pyvirt.drivers.qemu.ownership import (
    Taken,
    giveNodesBack,
    giveSomeBack,
    takeNodes,
    takeOver,
    untake,
)
from pyvirt.drivers.qemu.passed import (
    Passed,
    hostDevice,
    isPassed,
    nvmeSources,
    passedDevices,
)
from pyvirt.drivers.qemu.plugging.commands import Step, plugSteps
from pyvirt.drivers.qemu.plugging.doing import run, takeBack
from pyvirt.drivers.qemu.plugging.fitting import (
    checkAdded,
    checkCompatible,
    checkLive,
    consoleOf,
    fitted,
    newAlias,
    there,
    withPorts,
)
from pyvirt.drivers.qemu.plugging.hostside import checkHost
from pyvirt.drivers.qemu.plugging.kinds import CHARDEVS
from pyvirt.drivers.qemu.qmp import MonitorLost
from pyvirt.drivers.qemu.refusals import (
    internal,
)
from pyvirt.drivers.qemu.starting import hostSettings
from pyvirt.drivers.qemu.volumes import placed, remember
from pyvirt.errors import ErrorDomain, VirtError

if TYPE_CHECKING:
    from pyvirt.drivers.qemu.hypervisor import Hypervisor

__all__ = [
    "access",
    "alone",
    "attachLive",
    "deviceRules",
    "freeSet",
    "handed",
    "letNodesGo",
    "numbered",
    "placeOf",
]

log = Logger()


async def attachLive(
    hypervisor: Hypervisor, domain: Domain, guest: Guest, kind: str, device: Any
) -> None:
    """
    Plug a device into a running guest, and tell of it.

    The caller holds the domain's job.

    @param kind: the attribute that keeps such devices.
    @raise VirtError: it cannot be; all is as it was.
    """
    base = domain.definition
    checkCompatible(base, kind, device)
    checkAdded(base, kind, device)
    if kind == "disks" and there(base.devices, kind, device):
        # What is wrong with its images libvirt says first.
        _imagesOf(hypervisor, domain, guest, await placed(hypervisor, uncached(device)))
    checkLive(base, kind, channelPlaced(device, guest) if kind == "channels" else device)
    asked = getattr(device, "address", None)
    if isinstance(asked, PCIAddress) and asked.function:
        raise internal(
            "Only PCI device addresses with function=0 are supported", ErrorDomain.DOMAIN
        )
    if isinstance(asked, PCIAddress):
        _checkBus(base, asked)
    if kind == "leases":
        await _lease(hypervisor, domain, guest, device)
        return
    if kind == "disks":
        asked = uncached(device)
        device = await placed(hypervisor, asked)
        remember(guest, asked, device)
    actual = None
    if kind == "interfaces":
        device, actual = await plug(hypervisor, base, device)
    try:
        await _attach(hypervisor, domain, guest, kind, device, actual)
    except BaseException:
        if kind == "interfaces":
            await releasePort(hypervisor, device)
        raise


async def _attach(
    hypervisor: Hypervisor,
    domain: Domain,
    guest: Guest,
    kind: str,
    device: Any,
    actual: Actual | None,
) -> None:
    """
    Plug in what has its port of a network, and the volumes that it is.

    @raise VirtError: it cannot be; all is as it was.
    """
    base, settings = domain.definition, hypervisor.config.values
    # Its socket is named before it has an address, as libvirt does.
    socket = channelPlaced(device, guest).source if kind == "channels" else None
    changed, place = fitted(base, kind, device, guest.capabilities, hypervisor.random)
    if kind == "consoles":
        had = [each.target.port for each in base.devices.consoles]
        changed = withPorts(changed, had, device, place)
    changed, controllers = _needed(base, changed, kind)
    kept = getattr(changed.devices, kind)
    device = kept[place] if isinstance(kept, tuple) else kept
    if device.alias is None:
        device = replaced(device, alias=newAlias(changed, kind, device))
    if socket is not None:
        device = replaced(device, source=socket)
    if getattr(device, "source", None) is not None:
        device = encrypting(device, settings)
    checkHost(kind, device)
    if kind == "disks":
        # Images are looked into before anything is plugged in for the disk.
        _detected(hypervisor, domain, guest, device, lambda: 0)
    missing = _missingController(controllers, device)
    if kind == "memories" and device.model == "virtio-mem":
        device = replaced(device, target=replaced(device.target, current=0))
    added: list[Step] = []
    passed, images = handed(kind, place, device)
    taken, took = passed, False
    try:
        if passed or images:
            changed = withDevice(changed, kind, place, device)
            changed = await takeDevices(hypervisor, changed, guest, passed, nvmes=images)
            took = True
        if passed:
            device = getattr(changed.devices, kind)[place]
            taken = handed(kind, place, device)[0]
        for each in controllers if missing is None else ():
            steps = _steps(hypervisor, guest, changed, "controllers", each)
            await run(hypervisor, guest, steps, added)
        if kind == "disks":
            device = numbered(hypervisor, domain, guest, device)
        if missing is not None:
            # Its images have been numbered by then, as libvirt's have.
            raise missing
        changed = withDevice(changed, kind, place, device)
        async with (
            access(hypervisor, domain, guest, kind, device),
            _connected(hypervisor, domain, changed, kind, device, actual) as (device, connections),
        ):
            with _lockable(domain, guest, kind, device):
                device = await _plugged(
                    hypervisor, domain, guest, changed, kind, device, connections, added
                )
                # Here, so that all that was made for it is taken back.
                if domain.guest is not guest:
                    raise MonitorLost()
    except BaseException:
        await takeBack(guest, added)
        if took:
            # Whoever cleared up after a guest that is gone did not know of them.
            await giveDevicesBack(hypervisor, changed, guest, taken, nvmes=images)
        if domain.guest is guest and kind == "disks":
            # Numbers of images that were taken are not given again.
            hypervisor.saveStatus(domain)
        raise
    domain.definition = _joined(domain.definition, changed, kind, place, device, controllers)
    domain.updated = True
    await _afterwards(guest, domain, kind, device)
    hypervisor.saveStatus(domain)
    alias = f"mem{device.alias}" if kind == "memories" else device.alias
    hypervisor.tellDomain(domain, c.VIR_DOMAIN_EVENT_ID_DEVICE_ADDED, alias)


async def _plugged(
    hypervisor: Hypervisor,
    domain: Domain,
    guest: Guest,
    changed: DomainDefinition,
    kind: str,
    device: Any,
    connections: Connections,
    added: list[Step],
) -> Any:
    """
    Have QEMU plug a device in that has all it needs of the host.

    @param changed: the definition, with the device.
    @param added: gets what has been done.
    @return: the device as it is then.
    """
    if kind == "disks" and device.transient is not None:
        from pyvirt.drivers.qemu.transientdisks import plugOverlaid

        return await plugOverlaid(hypervisor, domain, guest, changed, device)
    host = hostSettings(hypervisor, guest, None, connections.vhost, domain.fdGroups)
    opens = hypervisor.privileged and kind in CHARDEVS and _writes(device)
    if opens or any(name.startswith(("fd:", "vdpa-")) for name in connections.numbers):
        host = attrs.evolve(host, opensFiles=opens, firstSet=await freeSet(guest))
    steps = plugSteps(changed, kind, device, guest.capabilities, host, connections.numbers)
    await run(hypervisor, guest, steps, added)
    return device


def handed(kind: str, place: int, device: Any) -> tuple[list[Passed], list[Any]]:
    """Return what there is of the host in a device: a device that is handed over, NVMe namespaces that disks are."""
    if kind == "disks":
        return [], nvmeSources(alone(device))
    if kind == "hostdevs" and device.mode == "subsystem":
        return [Passed(kind, place, device, None)], []
    if kind == "interfaces" and isPassed(device):
        return [Passed(kind, place, hostDevice(device), device)], []
    return [], []


def _steps(
    hypervisor: Hypervisor, guest: Guest, definition: DomainDefinition, kind: str, device: Any
) -> list[Step]:
    return plugSteps(definition, kind, device, guest.capabilities, hostSettings(hypervisor, guest))


# What it needs


def _needed(
    base: DomainDefinition, changed: DomainDefinition, kind: str
) -> tuple[DomainDefinition, list[Any]]:
    """
    Return the controllers that a device brings along, and a definition in which they have names.

    @raise VirtError: what is there has no room, and more cannot be plugged in.
    """
    before = {(each.type, each.index) for each in base.devices.controllers}
    if len(changed.devices.hubs) > len(base.devices.hubs) + (kind == "hubs"):
        raise internal("No free USB ports", ErrorDomain.DOMAIN)
    if kind == "controllers":
        return changed, []
    found: list[Any] = []
    done: list[Any] = []
    models = [each.model for each in base.devices.controllers if each.type == "scsi"]
    for each in changed.devices.controllers:
        if (each.type, each.index) in before:
            done.append(each)
            continue
        if each.type == "pci":
            raise internal("No more available PCI slots", ErrorDomain.DOMAIN)
        if each.type == "scsi" and models:
            each = replaced(each, model=models[0])
        each = replaced(each, alias=each.alias or newAlias(changed, "controllers", each))
        found.append(each)
        # It stands with those of its kind.
        alike = [place for place, other in enumerate(done) if other.type == each.type]
        done.insert(alike[-1] + 1 if alike else len(done), each)
    devices = replaced(changed.devices, controllers=tuple(done))
    return replaced(changed, devices=devices), found


def _checkBus(base: DomainDefinition, place: PCIAddress) -> None:
    """
    Refuse a place on a bus that is not there, or on which devices stay.

    @raise VirtError: XML_ERROR.
    """
    last = max(
        (each.index or 0 for each in base.devices.controllers if each.type == "pci"), default=0
    )
    bus = place.bus or 0
    where = f"{place.domain or 0:04x}:{bus:02x}:{place.slot or 0:02x}.{place.function or 0}"
    if bus > last:
        raise xmlError(f"Invalid PCI address {where}. Only PCI buses up to {last} are available")
    if any(each.model == "pcie-root" and not bus for each in base.devices.controllers):
        raise xmlError(
            f"The device at PCI address {where} requires hotplug capability, but the PCI "
            "controller with index='0' doesn't support hotplug"
        )


def _missingController(controllers: list[Any], device: Any) -> VirtError | None:
    """Return what is wrong if a device needs a controller that cannot be plugged in."""
    for each in controllers:
        if each.type in ("sata", "fdc", "ccid"):
            index = getattr(device.address, "controller", each.index)
            return internal(
                f"Could not find {each.type} controller with index {index} required for device"
            )
    return None


def alone(disk: Any) -> DomainDefinition:
    """Return a definition that has one disk and nothing else."""
    definition = DomainDefinition(name="-", type="qemu")
    return replaced(definition, devices=replaced(definition.devices, disks=(disk,)))


def _writes(port: Any) -> bool:
    """Whether a port writes to a file."""
    return port.source.type == "file" or port.source.log is not None


async def freeSet(guest: Guest) -> int:
    """Return the first number that is free for a set of descriptors in a running guest."""
    reply = await guest.execute("query-fdsets")
    sets = reply if isinstance(reply, list) else ()
    used = [each.get("fdset-id") for each in sets if isinstance(each, dict)]
    return max((each + 1 for each in used if type(each) is int), default=0)


def _imagesOf(hypervisor: Hypervisor, domain: Domain, guest: Guest, disk: Any) -> Any:
    """
    Return the images of a disk, those included that only headers name.

    @raise VirtError: one that another needs is missing.
    """
    if disk.source is None or disk.source.isEmpty:
        return ()
    owner = guest.owner or hypervisor.owner or (0, 0)
    found = chainsDetected(alone(disk), lambda: 0, owner, groups=domain.fdGroups)
    return chain(found.devices.disks[0])


def numbered(hypervisor: Hypervisor, domain: Domain, guest: Guest, disk: Any) -> Any:
    """
    Give the images of a disk their numbers, those included that only headers name.

    @raise VirtError: one that another needs is missing.
    """
    if disk.source is None or disk.source.isEmpty:
        guest.takeNode()
        return disk
    for image in chain(_detected(hypervisor, domain, guest, disk, lambda: 0)):
        if image.detected:
            # libvirt numbers these twice.
            guest.takeNode()
    return _detected(hypervisor, domain, guest, disk, guest.takeNode)


def _detected(
    hypervisor: Hypervisor, domain: Domain, guest: Guest, disk: Any, number: Callable[[], int]
) -> Any:
    if disk.source is None or disk.source.isEmpty:
        return disk
    owner, groups = guest.owner or hypervisor.owner or (0, 0), domain.fdGroups
    (done,) = chainsDetected(alone(disk), number, owner, groups=groups).devices.disks
    return done


@asynccontextmanager
async def _connected(
    hypervisor: Hypervisor,
    domain: Domain,
    definition: DomainDefinition,
    kind: str,
    device: Any,
    actual: Actual | None,
) -> AsyncIterator[tuple[Any, Connections]]:
    """
    Make the host's end of a network card, as it is when a guest starts; it is taken back if what follows fails. Get the
    descriptors ready that images of a disk are.

    @raise VirtError: it cannot be made.
    """
    connections = Connections()
    if kind != "interfaces":
        try:
            if kind == "disks":
                connections.numbers.update(duplicates(domain.fdGroups, alone(device)))
            elif kind == "hostdevs":
                devices = replaced(definition.devices, hostdevs=(device,))
                single = replaced(definition, devices=devices)
                connections.numbers.update(openSCSIHosts(single))
            yield device, connections
        finally:
            closeAll(connections)
        return
    made = await connect(hypervisor, definition, device, actual, connections)
    try:
        yield made, connections
    except BaseException:
        if isTap(made):
            await disconnect(hypervisor, domain.definition, made)
        raise
    finally:
        closeAll(connections)


def letNodesGo(hypervisor: Hypervisor, domain: Domain, guest: Guest, passed: list[Passed]) -> None:
    """Give the files of devices back that nothing else of the guest is in the group of."""
    try:
        gone = {path for path, _ in nodesOf(hypervisor, passed)}
        kept = {path for path, _ in nodesOf(hypervisor, passedDevices(domain.definition))}
    except VirtError as error:
        log.debug("{error}", error=error)
        return
    giveNodesBack(guest, gone - kept)


def deviceRules(guest: Guest, kind: str, device: Any) -> Rules:
    """Return which devices of the host one of a guest's devices needs to open, if the kernel looks at that."""
    alone = DomainDefinition(name="-", type="qemu")
    if guest.access is None or not isinstance(getattr(alone.devices, kind), tuple):
        return {}
    return rulesOf(replaced(alone, devices=replaced(alone.devices, **{kind: (device,)})))


@contextmanager
def _allowed(guest: Guest, rules: Rules) -> Iterator[None]:
    if guest.access is not None:
        guest.access.allow(rules)
    try:
        yield
    except BaseException:
        if guest.access is not None and guest.monitor is not None:
            guest.access.revoke(rules)
        raise


@contextmanager
def _lockable(domain: Domain, guest: Guest, kind: str, device: Any) -> Iterator[None]:
    """Let QEMU lock as much memory as it will need to with a device."""
    if kind not in ("hostdevs", "interfaces", "memories"):
        yield
        return
    now = domain.definition
    place = len(getattr(now.devices, kind))
    moveLockLimit(guest, _joined(now, now, kind, place, device, []))
    try:
        yield
    except BaseException:
        if guest.monitor is not None:
            moveLockLimit(guest, domain.definition)
        raise


@asynccontextmanager
async def access(
    hypervisor: Hypervisor, domain: Domain, guest: Guest, kind: str, device: Any
) -> AsyncIterator[None]:
    """
    Let a guest have the files of a device: leases first, then ownership, then the right to open devices of the host;
    all are undone if what follows fails.

    @raise VirtError: somebody else has a lease, or a file cannot be given.
    """
    rules = deviceRules(guest, kind, device)
    if kind not in ("disks", *CHARDEVS):
        passed = handed(kind, 0, device)[0]
        try:
            takeNodes(hypervisor, guest, passed)
            with _allowed(guest, rules):
                yield
        except BaseException:
            letNodesGo(hypervisor, domain, guest, passed)
            raise
        return
    alone = DomainDefinition(name=domain.name, type="qemu")
    alone = replaced(alone, devices=replaced(alone.devices, **{kind: (device,)}))
    leased = await locks.acquireMore(hypervisor, domain, guest, alone)
    taken: list[Taken] = []
    known = False
    try:
        makeOutputs(alone)
        if guest.recipient is not None:
            takeOver(alone, guest.recipient, bool(hypervisor.config["remember_owner"]), taken)
        if taken:
            # Whoever finds the guest again, should we end now, gives them back with the rest.
            known = True
            guest.taken += taken
            hypervisor.saveStatus(domain)
        with _allowed(guest, rules):
            yield
    except BaseException:
        giveSomeBack(guest, untake(guest, taken) if known else taken)
        if leased:
            await locks.releaseSome(hypervisor, domain, guest, alone)
        raise


# What follows


def _joined(
    current: DomainDefinition,
    changed: DomainDefinition,
    kind: str,
    place: int,
    device: Any,
    controllers: list[Any],
) -> DomainDefinition:
    """Put what was plugged in into the definition of the guest, which may have changed meanwhile."""
    devices: Any = current.devices
    fields: dict[str, Any] = {}
    if controllers:
        known = {(each.type, each.index): each for each in (*devices.controllers, *controllers)}
        fields["controllers"] = tuple(
            known[each.type, each.index] for each in changed.devices.controllers
        )
    kept = getattr(devices, kind)
    fields[kind] = (*kept[:place], device, *kept[place:]) if isinstance(kept, tuple) else device
    if kind == "serials" and not devices.serials and not devices.consoles:
        # The first serial port is the first console too.
        fields["consoles"] = (consoleOf(device),)
    current = replaced(current, devices=replaced(devices, **fields))
    if kind == "memories":
        size = device.target.size or 0
        before = current.memory.amount
        now = current.currentMemory
        current = replaced(
            current,
            memory=replaced(current.memory, amount=before + size),
            currentMemory=None if now is None else now + size,
        )
    return current


async def _afterwards(guest: Guest, domain: Domain, kind: str, device: Any) -> None:
    """Say what can only be said of a device that is there, and learn what only QEMU knows of it."""
    alone = replaced(domain.definition.devices, disks=(), interfaces=())
    if kind in ("disks", "interfaces"):
        alone = replaced(alone, **{kind: (device,)})
    for name, arguments in afterwards(replaced(domain.definition, devices=alone)):
        await _quietly(guest, name, arguments)
    if kind in CHARDEVS:
        reply = await _quietly(guest, "query-chardev", None)
        domain.definition = learnChardevs(domain.definition, reply, states=False)
    elif kind == "memories":
        reply = await _quietly(guest, "query-memory-devices", None)
        domain.definition = learnMemories(domain.definition, reply)


async def _quietly(guest: Guest, name: str, arguments: dict[str, Any] | None) -> Any:
    try:
        return await guest.execute(name, arguments)
    except VirtError as error:
        log.warn("{name} failed: {error}", name=name, error=error)
        return None


async def _lease(hypervisor: Hypervisor, domain: Domain, guest: Guest, device: Any) -> None:
    alone = DomainDefinition(name=domain.name, type="qemu")
    alone = replaced(alone, devices=replaced(alone.devices, leases=(device,)))
    await locks.acquireMore(hypervisor, domain, guest, alone)
    devices = domain.definition.devices
    devices = replaced(devices, leases=(*devices.leases, device))
    domain.definition = replaced(domain.definition, devices=devices)
    domain.updated = True
    hypervisor.saveStatus(domain)


def placeOf(definition: DomainDefinition, alias: str) -> tuple[str, int, Any] | None:
    """Find a device by its name; a console that is a serial port seen again is not meant."""
    for kind, place, device in everyDevice(definition):
        if kind == "consoles" and device.target.type == "serial":
            continue
        if getattr(device, "alias", None) == alias:
            return kind, place, device
    return None
