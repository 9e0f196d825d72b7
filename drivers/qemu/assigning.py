"""
Devices of the host that guests get: found, taken for them, and given back.

Who has which is known by L{AssignedDevices}, which all drivers of the host share.  Devices are taken in libvirt's order:
controllers of NVMe disks, PCI, USB, SCSI, SCSI hosts, mediated devices; what was taken is given back where a later one
cannot be had.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

from pyvirt.definitions.domain import DomainDefinition
from pyvirt.definitions.domain._hostdev import HostDriver
from pyvirt.definitions.schema import replaced
from pyvirt.drivers.assigned.keeper import STUB, AssignedDevices, Holder, Wanted
from pyvirt.drivers.assigned.netconfig import Card
from pyvirt.drivers.assigned.pci import pciName
from pyvirt.drivers.interfaces.inside import IAssignedDevices
from pyvirt.drivers.qemu.hostends import (
    checkAccess,
    checkSCSIHosts,
    findUSB,
    hasNode,
    hasVFIO,
    scsiNode,
)
from pyvirt.drivers.qemu.passed import (
    Passed,
    nvmeSources,
    passedDevices,
    scsiName,
    withPassed,
)
from pyvirt.drivers.qemu.refusals import failed, internal, operationInvalid, unsupportedConfig
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError
from pyvirt.process import systemError

if TYPE_CHECKING:
    from pyvirt.drivers.qemu.guest import Guest
    from pyvirt.drivers.qemu.hypervisor import Hypervisor

__all__ = ["adoptDevices", "assigned", "checkBackends", "giveDevicesBack", "nodesOf", "takeDevices"]

_DRIVER = "QEMU"
_NONE = ErrorDomain.NONE


def assigned(hypervisor: Hypervisor) -> AssignedDevices:
    """
    Return who keeps the devices of this host.

    @raise VirtError: nobody does.
    """
    found = hypervisor.companion(IAssignedDevices)
    if found is None:
        raise unsupportedConfig("host doesn't support passthrough of host PCI devices")
    return cast("AssignedDevices", found)


def holderOf(definition: DomainDefinition) -> Holder:
    """Return how a guest is known as having devices."""
    return Holder(_DRIVER, definition.name)


def checkBackends(passed: Passed) -> Any:
    """
    Choose who hands a device over.

    @return: the device, which says so.
    @raise VirtError: the host cannot hand it over.
    """
    device = passed.device
    if device.type == "pci":
        driver = device.driver.name if device.driver is not None else None
        if driver == "kvm":
            raise unsupportedConfig("host doesn't support legacy PCI passthrough")
        if driver is None or driver == "vfio":
            if not hasVFIO():
                raise unsupportedConfig("host doesn't support passthrough of host PCI devices")
            return replaced(device, driver=HostDriver(name="vfio"))
    return device


# Taking


async def takeDevices(
    hypervisor: Hypervisor,
    definition: DomainDefinition,
    guest: Guest,
    wanted: list[Passed] | None = None,
    *,
    nvmes: Iterable[Any] | None = None,
    boots: bool = False,
) -> DomainDefinition:
    """
    Take devices for a guest.

    @param wanted: which; None: all.
    @param nvmes: images that are NVMe namespaces; None: all, if C{wanted} is None.
    @param boots: it boots, instead of going on where it was.
    @return: the definition with what was found out about them.
    @raise VirtError: one cannot be had; then none is taken.
    """
    if wanted is None:
        wanted = passedDevices(definition)
        nvmes = nvmeSources(definition)
    images = list(nvmes or ())
    if not wanted and not images:
        return definition
    taker = _Taker(hypervisor, definition, guest, boots)
    try:
        await taker.take(wanted, images)
    except BaseException:
        await taker.undo()
        raise
    return taker.definition


class _Taker:
    """Takes devices for one guest, and knows what it has taken."""

    def __init__(
        self, hypervisor: Hypervisor, definition: DomainDefinition, guest: Guest, boots: bool
    ) -> None:
        self.definition = definition
        self._hypervisor = hypervisor
        self._guest = guest
        self._boots = boots
        self._holder = holderOf(definition)
        self._kept: AssignedDevices | None = None
        self._taken: list[Passed] = []
        self._others: list[tuple[str, str]] = []
        self._nvmes: list[str] = []

    @property
    def _keeper(self) -> AssignedDevices:
        if self._kept is None:
            self._kept = assigned(self._hypervisor)
        return self._kept

    async def take(self, wanted: list[Passed], images: list[Any]) -> None:
        if images:
            await self._takeNVMe(images)
        await self._takePCI([each for each in wanted if each.device.type == "pci"])
        for kind, take in (
            ("usb", self._takeUSB),
            ("scsi", self._takeSCSI),
            ("scsi_host", self._takeSCSIHost),
            ("mdev", self._takeMediated),
        ):
            names: list[str] = []
            for each in wanted:
                if each.device.type == kind:
                    take(each, names)

    async def undo(self) -> None:
        for kind, name in self._others:
            self._keeper.drop(kind, name, self._holder)
        names = [pciName(each.device.source.pci) for each in self._taken]
        if names or self._nvmes:
            cards = cardsOf(self._hypervisor, self.definition, self._taken)
            await self._keeper.release(self._holder, [*names, *self._nvmes], cards)

    def _hold(self, kind: str, name: str, shared: bool = False) -> None:
        self._keeper.hold(kind, name, self._holder, shared)
        self._others.append((kind, name))

    def _found(self, passed: Passed, device: Any) -> None:
        self.definition = withPassed(self.definition, passed, device)

    # PCI

    async def _takeNVMe(self, images: list[Any]) -> None:
        wanted: dict[str, Wanted] = {}
        for source in images:
            name = pciName(source.address)
            for holder in self._keeper.holders("nvme", f"{name} {source.namespace}"):
                raise operationInvalid(
                    f"NVMe device already in use by driver {holder.driver} domain {holder.domain}",
                    _NONE,
                )
            wanted[name] = Wanted(name=name, managed=bool(source.managed))
        self._guest.unbound |= _unbound(await self._keeper.take(self._holder, wanted.values(), ()))
        self._nvmes += wanted
        for source in images:
            self._hold("nvme", f"{pciName(source.address)} {source.namespace}")

    async def _takePCI(self, wanted: list[Passed]) -> None:
        if not wanted:
            return
        chosen = []
        for each in wanted:
            device = checkBackends(each)
            self._found(each, device)
            chosen.append(each._replace(device=device))
        pci = [
            Wanted(
                name=pciName(each.device.source.pci),
                managed=bool(each.device.managed),
                stub="pciback" if each.device.driver.name == "xen" else STUB,
            )
            for each in chosen
        ]
        cards = cardsOf(self._hypervisor, self.definition, chosen)
        self._guest.unbound |= _unbound(await self._keeper.take(self._holder, pci, cards))
        self._taken += chosen

    # Others

    def _takeUSB(self, passed: Passed, names: list[str]) -> None:
        device = passed.device
        source = device.source
        policy = source.startupPolicy
        optional = policy == "optional" or (policy == "requisite" and not self._boots)
        found = findUSB(source, optional=optional)
        if found is None:
            self._found(passed, replaced(device, source=replaced(source, missing=True)))
            return
        name = f"{found[0]:03}:{found[1]:03}"
        if name in names:
            raise internal(f"Device {name} is already in use", _NONE)
        names.append(name)
        for holder in self._keeper.holders("usb", name):
            raise operationInvalid(f"USB device {name} is in use by {holder}", _NONE)
        self._hold("usb", name)
        source = replaced(source, bus=found[0], device=found[1])
        self._found(passed, replaced(device, source=source))

    def _takeSCSI(self, passed: Passed, names: list[str]) -> None:
        device = passed.device
        source = device.source
        if source.protocol == "iscsi":
            source = replaced(source, node=self._guest.takeNode())
            self._found(passed, replaced(device, source=source))
            return
        path = scsiNode(source)
        for part in ("vendor", "model"):
            _word(f"/sys/bus/scsi/devices/{scsiName(source)}/{part}")
        name, shared = scsiName(device.source), bool(device.shareable)
        for other in self._keeper.holders("scsi", name).values():
            if not (shared and other):
                how = "shareable" if other else "non-shareable"
                raise operationInvalid(
                    f"SCSI device {name} is already in use by other domain(s) as '{how}'", _NONE
                )
        self._hold("scsi", name, shared)
        source = replaced(source, node=self._guest.takeNode(), path=path)
        self._found(passed, replaced(device, source=source))

    def _takeSCSIHost(self, passed: Passed, names: list[str]) -> None:
        name = passed.device.source.wwpn
        if self._keeper.holders("scsi_host", name):
            raise internal(f"Device {name} is already in use", _NONE)
        self._hold("scsi_host", name)

    def _takeMediated(self, passed: Passed, names: list[str]) -> None:
        if not hasNode():
            raise unsupportedConfig("Mediated host device assignment requires VFIO support")
        device = passed.device
        uuid = device.source.uuid
        path = f"/sys/bus/mdev/devices/{uuid}"
        if not os.path.exists(path):
            raise virtError(ErrorCode.DEVICE_MISSING, f"mediated device '{uuid}' not found", _NONE)
        can = _word(f"{path}/mdev_type/device_api")
        if can != device.model:
            raise virtError(
                ErrorCode.CONFIG_UNSUPPORTED,
                f"invalid device API '{device.model}' for device {path}: device only supports "
                f"'{can}'",
                _NONE,
            )
        for holder in self._keeper.holders("mdev", uuid):
            raise operationInvalid(f"mediated device {path} is in use by {holder}", _NONE)
        self._hold("mdev", uuid)


def _unbound(found: dict[str, bool]) -> set[str]:
    return {name for name, unbind in found.items() if unbind}


def _word(path: str) -> str:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read(64).strip()
    except OSError as problem:
        raise systemError(problem, f"Failed to open file '{path}'", _NONE) from None


def cardsOf(
    hypervisor: Hypervisor, definition: DomainDefinition, passed: Iterable[Passed]
) -> list[Card]:
    """Return what the network cards among devices ask of the functions that they are."""
    return [
        Card(
            name=pciName(each.device.source.pci),
            mac=each.card.mac.address,
            vlan=each.card.vlan,
            port=each.card.virtualport,
            guest=definition.uuid or bytes(16),
            host=hypervisor.hostUUID,
        )
        for each in passed
        if each.card is not None and each.device.type == "pci"
    ]


# Giving back


async def giveDevicesBack(
    hypervisor: Hypervisor,
    definition: DomainDefinition,
    guest: Guest,
    gone: list[Passed] | None = None,
    *,
    nvmes: Iterable[Any] | None = None,
) -> None:
    """
    Give devices back that a guest has no more; what fails is logged.

    @param gone: which; None: all.
    @param nvmes: images that were NVMe namespaces; None: all, if C{gone} is None.
    """
    if gone is None:
        gone = passedDevices(definition)
        nvmes = nvmeSources(definition)
    images = list(nvmes or ())
    if not gone and not images:
        return
    try:
        keeper = assigned(hypervisor)
    except VirtError:
        return
    holder = holderOf(definition)
    names = []
    for source in images:
        keeper.drop("nvme", f"{pciName(source.address)} {source.namespace}", holder)
        names.append(pciName(source.address))
    pci = [each for each in gone if each.device.type == "pci"]
    names += [pciName(each.device.source.pci) for each in pci]
    if names:
        await keeper.release(holder, names, cardsOf(hypervisor, definition, pci))
        guest.unbound -= set(names)
    for kind, name in _otherNames(gone):
        keeper.drop(kind, name, holder)


def _otherNames(passed: Iterable[Passed]) -> list[tuple[str, str]]:
    """Return devices that are not PCI's by their kind and name."""
    found = []
    for each in passed:
        source, kind = each.device.source, each.device.type
        if kind == "usb" and source.bus and source.device:
            found.append((kind, f"{source.bus:03}:{source.device:03}"))
        elif kind == "scsi" and source.protocol != "iscsi":
            found.append((kind, scsiName(source)))
        elif kind == "scsi_host":
            found.append((kind, source.wwpn))
        elif kind == "mdev":
            found.append((kind, source.uuid))
    return found


def adoptDevices(hypervisor: Hypervisor, definition: DomainDefinition, guest: Guest) -> None:
    """Remember what a guest has that was found again."""
    passed, images = passedDevices(definition), nvmeSources(definition)
    if not passed and not images:
        return
    try:
        keeper = assigned(hypervisor)
    except VirtError:
        return
    holder = holderOf(definition)
    wanted = {
        pciName(each.device.source.pci): bool(each.device.managed)
        for each in passed
        if each.device.type == "pci"
    }
    wanted |= {pciName(source.address): bool(source.managed) for source in images}
    keeper.adopt(
        holder,
        [
            Wanted(name=name, managed=managed, unbind=name in guest.unbound)
            for name, managed in wanted.items()
        ],
    )
    for source in images:
        keeper.hold("nvme", f"{pciName(source.address)} {source.namespace}", holder)
    shared = {
        scsiName(each.device.source)
        for each in passed
        if each.device.type == "scsi" and each.device.source.scsi and each.device.shareable
    }
    for kind, name in _otherNames(passed):
        keeper.hold(kind, name, holder, kind == "scsi" and name in shared)


# Their files


def nodesOf(hypervisor: Hypervisor, passed: Iterable[Passed]) -> list[tuple[str, bool]]:
    """
    Return the files by which a guest gets at devices, and whether these remember whose they were.

    @raise VirtError: a device is not there any more.
    """
    found: list[tuple[str, bool]] = []
    for each in passed:
        source, kind = each.device.source, each.device.type
        if kind == "pci":
            bus = assigned(hypervisor).bus
            name = pciName(source.pci)
            bus.check(name)
            found.append((bus.groupNode(name), False))
        elif kind == "usb" and not source.missing:
            found.append((f"/dev/bus/usb/{source.bus:03}/{source.device:03}", True))
        elif kind == "scsi" and source.protocol != "iscsi":
            found.append((scsiNode(source), True))
        elif kind == "scsi_host":
            checkAccess(f"/sys/kernel/config/target/vhost//{source.wwpn}")
            checkSCSIHosts()
            found.append(("/dev/vhost-scsi", True))
        elif kind == "mdev":
            found.append((_mediatedNode(source.uuid), True))
    return found


def _mediatedNode(uuid: str) -> str:
    path = f"/sys/bus/mdev/devices/{uuid}/iommu_group"
    try:
        return f"/dev/vfio/{os.path.basename(os.readlink(path))}"
    except OSError:
        raise failed(f"IOMMU group file {path} does not exist", _NONE) from None
