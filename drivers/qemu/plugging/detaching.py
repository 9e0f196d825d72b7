"""
Devices that leave running guests: asked to, they go when the guest lets them, and all that belongs to them goes after.

Whoever asks waits a while for the guest; one that takes longer is told of by an event when it does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from pyvirt import constants as c
from pyvirt.definitions.domain import DomainDefinition
from pyvirt.definitions.schema import replaced
from pyvirt.drivers.devicechanges import withDevice
from pyvirt.drivers.devicekinds import label
from pyvirt.drivers.devicematch import findDevice, sameHostDevice
from pyvirt.drivers.qemu import locks
from pyvirt.drivers.qemu.assigning import giveDevicesBack
from pyvirt.drivers.qemu.blocks.beginning import busy
from pyvirt.drivers.qemu.blocks.chain import chain
from pyvirt.drivers.qemu.command.nets import isTap
from pyvirt.drivers.qemu.domain import Domain
from pyvirt.drivers.qemu.fdgroups import Anybody
from pyvirt.drivers.qemu.guest import Guest
from pyvirt.drivers.qemu.happenings import handles
from pyvirt.drivers.qemu.lockedmemory import moveLockLimit
from pyvirt.drivers.qemu.networking import disconnect
from pyvirt.drivers.qemu.ownership import giveBack, ownedFiles
from pyvirt.drivers.qemu.passed import passedDevices
from pyvirt.drivers.qemu.plugging.attaching import (
    deviceRules,
    handed,
    letNodesGo,
    placeOf,
)
from pyvirt.drivers.qemu.plugging.commands import Anything, plugSteps, unplugSteps
from pyvirt.drivers.qemu.plugging.kinds import BUSES, CHARDEVS, LIVE
from pyvirt.drivers.qemu.qmp import CommandFailed, MonitorEvent, MonitorLost
from pyvirt.drivers.qemu.refusals import (
    failed,
    internal,
    operationUnsupported,
)
from pyvirt.drivers.qemu.starting import hostSettings
from pyvirt.errors import ErrorDomain, VirtError

if TYPE_CHECKING:
    from pyvirt.drivers.qemu.hypervisor import Hypervisor

__all__ = [
    "checkDetachable",
    "closeBackEnds",
    "detachLive",
    "letGo",
    "removed",
    "waitGone",
]

log = Logger()

#: Seconds that whoever takes a device away waits for the guest.
PATIENCE = 5.0


def checkDetachable(kind: str, live: bool = True) -> None:
    """
    Refuse kinds of devices that stay.

    @raise VirtError: such a device stays.
    """
    if live and kind not in LIVE:
        raise operationUnsupported(f"live detach of device '{label(kind)}' is not supported")
    if not live and kind not in LIVE and kind != "sounds":
        raise operationUnsupported(f"persistent detach of device '{label(kind)}' is not supported")


async def detachLive(
    hypervisor: Hypervisor,
    domain: Domain,
    guest: Guest,
    kind: str,
    wanted: Any,
    *,
    known: bool = False,
) -> None:
    """
    Take a device away from a running guest.

    The caller holds the domain's job.

    @param wanted: as much of it as tells it from others.
    @param known: it is one of the guest's own, and nobody waits until it has gone.
    @raise VirtError: there is none, it stays, or the guest keeps it.
    """
    checkDetachable(kind)
    if kind == "controllers" and wanted.type != "scsi":
        raise operationUnsupported(f"'{wanted.type}' controller cannot be hot unplugged.")
    definition = domain.definition
    place, device = 0, wanted
    card = None if known or kind != "hostdevs" else _cardOf(definition, wanted)
    if card is not None:
        kind, (place, device) = "interfaces", card
    elif not known:
        place, device = findDevice(
            definition.devices, kind, wanted, True, ErrorDomain.QEMU, strict=True
        )
    if kind == "leases":
        await _release(hypervisor, domain, guest, place, device)
        return
    _checkFree(definition, guest, kind, device)
    if kind == "channels" and device.target.type == "guestfwd":
        # It is no device of its own.
        await removed(hypervisor, domain, guest, device.alias)
        return
    if known:
        await _ask(hypervisor, domain, guest, device.alias)
        return
    await _askAway(hypervisor, domain, guest, device.alias)


def _cardOf(definition: DomainDefinition, wanted: Any) -> tuple[int, Any] | None:
    """Find the network card that is a device of the host."""
    for each in passedDevices(definition):
        if each.card is not None and sameHostDevice(wanted, each.device):
            return each.place, each.card
    return None


def _checkFree(definition: DomainDefinition, guest: Guest, kind: str, device: Any) -> None:
    """
    Refuse devices that are in use, or part of the machine.

    @raise VirtError: it is one.
    """
    if kind == "disks":
        bus = device.target.bus
        if device.device in ("cdrom", "floppy") and bus not in ("usb", "scsi", "virtio"):
            raise operationUnsupported(f"disk device type '{device.device}' cannot be detached")
        if bus not in BUSES:
            raise operationUnsupported("This type of disk cannot be hot unplugged")
        busy(guest, device)
    elif kind == "inputs" and device.bus not in ("usb", "virtio") and device.type != "evdev":
        raise operationUnsupported(f"input device on bus '{device.bus}' cannot be detached")
    elif kind == "controllers" and _used(definition, device):
        raise failed("device cannot be detached: device is busy")


def _used(definition: DomainDefinition, controller: Any) -> bool:
    """Whether other devices sit on a SCSI controller."""
    devices: Any = definition.devices
    for each in (*devices.disks, *devices.hostdevs):
        bus = getattr(getattr(each, "target", None), "bus", None) or getattr(each, "type", None)
        index = getattr(each.address, "controller", None)
        if bus == "scsi" and index == (controller.index or 0):
            return True
    return False


async def _ask(hypervisor: Hypervisor, domain: Domain, guest: Guest, alias: str) -> None:
    """Ask QEMU to let a device go, and wait for nothing; one that QEMU does not know is gone."""
    try:
        await guest.execute("device_del", {"id": alias})
    except CommandFailed as error:
        if error.kind != "DeviceNotFound":
            raise
        await removed(hypervisor, domain, guest, alias)


async def _askAway(hypervisor: Hypervisor, domain: Domain, guest: Guest, alias: str) -> None:
    """Ask QEMU to let a device go, and wait a while for the guest to."""
    word = await waitGone(hypervisor, guest, alias)
    if word == "gone":
        await removed(hypervisor, domain, guest, alias)
    elif word == "kept":
        raise failed("unplug of device was rejected by the guest")


async def _waitFor(hypervisor: Hypervisor, waiting: Deferred[str]) -> str | None:
    """Return what became of a device that was asked to go; None: nothing yet."""

    def giveUp() -> None:
        if not waiting.called:
            waiting.callback("")

    late = hypervisor.clock.callLater(PATIENCE, giveUp)
    try:
        return await waiting or None
    finally:
        if late.active():
            late.cancel()


async def waitGone(hypervisor: Hypervisor, guest: Guest, alias: str) -> str | None:
    """
    Ask QEMU to let a device go, and wait a while.

    @return: C{gone}, C{kept}, or None: nothing was heard yet.
    @raise VirtError: QEMU refuses.
    """
    waiting: Deferred[str] = Deferred()
    guest.unplugging[alias] = waiting
    try:
        await guest.execute("device_del", {"id": alias})
        return await _waitFor(hypervisor, waiting)
    except CommandFailed as error:
        if error.kind == "DeviceNotFound":
            return "gone"
        raise
    finally:
        guest.unplugging.pop(alias, None)
        # Where the command failed nobody listens to how the guest ended.
        waiting.addErrback(lambda _: None)


async def removed(hypervisor: Hypervisor, domain: Domain, guest: Guest, alias: str) -> None:
    """A device is gone from the guest: close and release all that belongs to it, and tell of it."""
    found = placeOf(domain.definition, alias)
    if found is None:
        return
    kind, place, device = found
    await closeBackEnds(hypervisor, domain, guest, kind, device)
    found = placeOf(domain.definition, alias)
    if found is None or domain.guest is not guest:
        return
    kind, place, device = found
    domain.definition = _without(domain.definition, kind, place, device)
    domain.updated = True
    await letGo(hypervisor, domain, guest, kind, device)
    passed, images = handed(kind, place, device)
    if passed or images:
        letNodesGo(hypervisor, domain, guest, passed)
        await giveDevicesBack(hypervisor, domain.definition, guest, passed, nvmes=images)
    if kind == "interfaces" and isTap(device):
        await disconnect(hypervisor, domain.definition, device)
    hypervisor.saveStatus(domain)
    hypervisor.tellDomain(domain, c.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED, alias)


def _without(definition: DomainDefinition, kind: str, place: int, device: Any) -> DomainDefinition:
    changed = withDevice(definition, kind, place, None)
    if kind == "serials" and place == 0 and changed.devices.consoles:
        first = changed.devices.consoles[0]
        if first.target.type == "serial":
            changed = withDevice(changed, "consoles", 0, None)
    if kind == "memories":
        size = device.target.size or 0
        current = changed.currentMemory
        amount = max(changed.memory.amount - size, 0)
        changed = replaced(
            changed,
            memory=replaced(changed.memory, amount=amount),
            currentMemory=None if current is None else max(min(current, amount), 0),
        )
    return changed


async def closeBackEnds(
    hypervisor: Hypervisor, domain: Domain, guest: Guest, kind: str, device: Any
) -> None:
    """Have QEMU close the back ends of a device that it has no more; what fails is logged."""
    try:
        steps = plugSteps(
            domain.definition,
            kind,
            device,
            guest.capabilities,
            hostSettings(hypervisor, guest, groups=Anybody()),
            Anything(),
        )
    except VirtError as error:
        log.warn("back ends of {alias} are left: {error}", alias=device.alias, error=error)
        return
    for name, arguments in unplugSteps(steps):
        try:
            await guest.execute(name, arguments)
        except MonitorLost:
            raise
        except VirtError as error:
            log.debug("{name} failed: {error}", name=name, error=error)
    names: list[str] = []
    if kind == "disks":
        images = chain(device)
        names = [each.storageName for each in images if getattr(each.source, "fdgroup", None)]
    elif kind == "interfaces" and device.type == "vdpa":
        names = [f"{device.alias}-vdpa"]
    elif kind in CHARDEVS:
        if device.source.type == "file":
            names.append(f"{device.alias}-source")
        if device.source.log is not None:
            names.append(f"{device.alias}-log")
    await _dropDescriptors(guest, device, names)


async def _dropDescriptors(guest: Guest, device: Any, names: list[str]) -> None:
    """
    Have QEMU close the descriptors that it was given for a device.

    @param names: what it knows them by, but for numbers at their end.
    """
    if not names:
        return
    try:
        reply = await guest.execute("query-fdsets")
        for each in reply if isinstance(reply, list) else ():
            fds = each.get("fds") if isinstance(each, dict) else None
            said = [str(fd.get("opaque")) for fd in fds or () if isinstance(fd, dict)]
            if any(opaque.rstrip("0123456789") in names for opaque in said):
                await guest.execute("remove-fd", {"fdset-id": each.get("fdset-id")})
    except VirtError as error:
        log.debug("descriptors of {disk} are left: {error}", disk=device.alias, error=error)


async def letGo(
    hypervisor: Hypervisor, domain: Domain, guest: Guest, kind: str, device: Any
) -> None:
    """Let the leases, files and devices of the host go that nothing else of the guest uses."""
    if guest.access is not None:
        guest.access.revoke(deviceRules(guest, kind, device))
    try:
        moveLockLimit(guest, domain.definition)
    except VirtError as error:
        log.warn("{error}", error=error)
    if kind not in ("disks", *CHARDEVS):
        return
    alone = DomainDefinition(name=domain.name, type="qemu")
    alone = replaced(alone, devices=replaced(alone.devices, **{kind: (device,)}))
    still = set(locks.lockable(domain.definition))
    if not any(lock in still for lock in locks.lockable(alone)):
        await locks.releaseSome(hypervisor, domain, guest, alone)
    used = {each.path for each in ownedFiles(domain.definition)}
    paths = {each.path for each in ownedFiles(alone)} - used
    back = [each for each in guest.taken if each.path in paths]
    guest.taken = [each for each in guest.taken if each.path not in paths]
    giveBack(back, guest.owner)
    if kind == "disks":
        guest.dropOverlays([each.path for each in chain(device)])


async def _release(
    hypervisor: Hypervisor, domain: Domain, guest: Guest, place: int, device: Any
) -> None:
    alone = DomainDefinition(name=domain.name, type="qemu")
    alone = replaced(alone, devices=replaced(alone.devices, leases=(device,)))
    domain.definition = withDevice(domain.definition, "leases", place, None)
    domain.updated = True
    await locks.releaseSome(hypervisor, domain, guest, alone)
    hypervisor.saveStatus(domain)


# What QEMU tells


@handles("DEVICE_DELETED")
def _deleted(hypervisor: Hypervisor, domain: Domain, guest: Guest, event: MonitorEvent) -> None:
    alias = event.data.get("device")
    if not isinstance(alias, str):
        return
    waiting = guest.unplugging.get(alias)
    if waiting is not None and not waiting.called:
        waiting.callback("gone")
    elif waiting is None and not guest.starting:
        hypervisor.later(_late(hypervisor, domain, guest, alias))


async def _late(hypervisor: Hypervisor, domain: Domain, guest: Guest, alias: str) -> None:
    """A device has gone that nobody waits for any more."""
    async with domain.jobs.change("deviceDeleted", within=True):
        if domain.guest is not guest:
            return
        if placeOf(domain.definition, alias) is None:
            from pyvirt.drivers.qemu.vcpus import vcpuGone

            await vcpuGone(hypervisor, domain, guest, alias)
            return
        await removed(hypervisor, domain, guest, alias)


def _kept(hypervisor: Hypervisor, domain: Domain, guest: Guest, event: MonitorEvent) -> None:
    alias = event.data.get("device")
    if not isinstance(alias, str):
        return
    waiting = guest.unplugging.get(alias)
    if waiting is not None and not waiting.called:
        waiting.callback("kept")
    hypervisor.tellDomain(domain, c.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVAL_FAILED, alias)


handles("DEVICE_UNPLUG_GUEST_ERROR")(_kept)


@handles("MEM_UNPLUG_ERROR")
def _memoryKept(hypervisor: Hypervisor, domain: Domain, guest: Guest, event: MonitorEvent) -> None:
    # QEMU says the same of every kind of device besides, where it knows that event.
    if "DEVICE_UNPLUG_GUEST_ERROR" not in guest.capabilities.events:
        _kept(hypervisor, domain, guest, event)


def gone(alias: str) -> VirtError:
    """Make the error of a name that no device has."""
    return internal(f"no device found with alias {alias}", ErrorDomain.DOMAIN)
