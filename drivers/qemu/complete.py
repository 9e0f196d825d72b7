"""
Filling in what a definition leaves open, as libvirt's QEMU driver does.

The steps follow libvirt's order, because the first thing wrong decides the error.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING, Any

from pyvirt.definitions.domain import DomainDefinition, steps
from pyvirt.definitions.domain._controller import Controller
from pyvirt.definitions.domain._cpu import CPU, CPUModel
from pyvirt.definitions.domain._nvram import NVRAM
from pyvirt.definitions.domain._os import Firmware, FirmwareFeature
from pyvirt.definitions.domain._source import FileSource
from pyvirt.definitions.kinds import unsupported, xmlError
from pyvirt.definitions.schema import replaced
from pyvirt.definitions.uuids import formatUUID
from pyvirt.drivers.qemu.addresses import assignAddresses
from pyvirt.drivers.qemu.channelpaths import withoutDefaultPath
from pyvirt.drivers.qemu.defaults import completeDevices
from pyvirt.drivers.qemu.implicit import builtinControllers, impliedDevices
from pyvirt.drivers.qemu.refusals import invalidArgument, unsupportedConfig
from pyvirt.drivers.qemu.validate import checkHotplug, checkTSEG

if TYPE_CHECKING:
    from pyvirt.drivers.qemu.capabilities import BinaryCapabilities

__all__ = ["complete"]

#: Where variables of firmwares are kept for guests that name no place.
NVRAM_FOLDER = "/var/lib/libvirt/qemu/nvram"


def complete(
    definition: DomainDefinition,
    capabilities: BinaryCapabilities,
    random: Callable[[int], bytes] = os.urandom,
    *,
    nvramFolder: str = NVRAM_FOLDER,
    security: str = "none",
    handing: Collection[str] = (),
) -> DomainDefinition:
    """
    Fill in what a definition leaves open: defaults of the machine, controllers, addresses.

    @param random: the source of UUIDs and hardware addresses.
    @param nvramFolder: where variables of firmwares are kept for guests that name no place.
    @param security: the model of security of the host.
    @param handing: networks that give guests devices of the host.
    @raise VirtError: it asks for what cannot be.
    """
    if definition.bootloader is not None or definition.bootloaderArgs is not None:
        raise unsupportedConfig("bootloader is not supported by QEMU")
    definition = _general(definition, capabilities, random)
    machine = definition.os.type.machine or ""
    arch = definition.os.type.arch
    devices = definition.devices
    hosts = steps.hostdevs(devices)
    controllers = steps.numberedControllers(devices.controllers, hosts)
    channels = tuple(map(withoutDefaultPath, devices.channels))
    devices = replaced(devices, controllers=controllers, hostdevs=hosts, channels=channels)
    devices = builtinControllers(devices, machine, arch, capabilities)
    definition = replaced(definition, devices=devices)
    definition = _firmware(_firmwareFeatures(definition), nvramFolder)
    definition = _processor(definition, capabilities)
    checkHotplug(definition)
    checkTSEG(definition)
    definition = _cells(definition)
    definition = completeDevices(definition, capabilities, random, handing)
    steps.checkInit(definition)
    definition = _fromCells(definition)
    definition = replaced(definition, **steps.memory(definition))
    _checkControllers(definition.devices.controllers)
    steps.checkPanics(definition.devices)
    definition = _boot(definition)
    steps.checkTimers(definition)
    definition = impliedDevices(definition, capabilities)
    labels = tuple(_labelled(each, security) for each in definition.seclabels)
    definition = replaced(definition, seclabels=labels)
    return assignAddresses(definition, capabilities)


def _firmwareFeatures(definition: DomainDefinition) -> DomainDefinition:
    """Keys are enrolled for firmwares that check signatures."""
    os = definition.os
    if os.firmware is None or os.firmwareFeatures is None:
        return definition
    features = {each.name: each for each in os.firmwareFeatures.features}
    if "enrolled-keys" not in features or not features["enrolled-keys"].enabled:
        return definition
    features.setdefault("secure-boot", FirmwareFeature(enabled=True, name="secure-boot"))
    chosen = Firmware(features=tuple(features[name] for name in sorted(features)))
    return replaced(definition, os=replaced(os, firmwareFeatures=chosen))


def _labelled(label: Any, security: str) -> Any:
    """A label of no model is of the host's; without any model nothing is labelled."""
    if label.model is not None:
        return label
    if label.type == "dynamic" and security == "none":
        return replaced(label, type="none", model=security, relabel=None)
    return replaced(label, model=security) if label.type == "none" else label


def _checkControllers(controllers: Iterable[Controller]) -> None:
    """
    Complain of two controllers in one place.

    @raise VirtError: XML_ERROR.
    """
    seen: set[tuple[str, int | None]] = set()
    for each in controllers:
        place = (each.type, each.index)
        if each.type != "usb" and place in seen:
            raise xmlError(f"Multiple '{each.type}' controllers with index '{each.index}'")
        seen.add(place)


def _refuse(detail: str) -> Exception:
    return unsupported(detail)("", None, "")


def _general(
    definition: DomainDefinition, capabilities: BinaryCapabilities, random: Callable[[int], bytes]
) -> DomainDefinition:
    """Name, machine, memory, processors."""
    changes: dict[str, Any] = {}
    if definition.uuid is None:
        changes["uuid"] = steps.randomUUID(random)
    if definition.genid == "":
        changes["genid"] = formatUUID(steps.randomUUID(random))
    changes.update(steps.processors(definition))
    changes.update(steps.threads(definition))
    kind = definition.os.type
    if not kind.arch:
        # Where none is said it is the host's, and a host of 64 bits runs guests of 32 bits too.
        kind = replaced(kind, arch={"i686": "x86_64"}.get(capabilities.arch, capabilities.arch))
    if not kind.machine and definition.type == "kvm" and not capabilities.kvm:
        raise invalidArgument(f"could not get preferred machine for {capabilities.binary} type=kvm")
    name = kind.machine or capabilities.defaultMachine() or ""
    machine = capabilities.machine(name)
    kind = replaced(kind, machine=machine.name if machine is not None else name)
    changes["os"] = replaced(definition.os, type=kind)
    devices = definition.devices
    if devices.emulator is None:
        changes["devices"] = replaced(devices, emulator=capabilities.binary)
    return replaced(definition, **changes)


def _fromCells(definition: DomainDefinition) -> DomainDefinition:
    """Where there are cells, the memory is theirs and that of the devices."""
    cpu = definition.cpu
    if cpu is None or cpu.numa is None:
        return definition
    plugged = sum(
        each.target.size or 0 for each in definition.devices.memories if each.target is not None
    )
    amount = sum(cell.memory for cell in cpu.numa.cells) + plugged
    if amount == plugged:
        return definition
    return replaced(definition, memory=replaced(definition.memory, amount=amount))


def _firmware(definition: DomainDefinition, folder: str) -> DomainDefinition:
    """A firmware that is only read keeps its variables somewhere else."""
    os = definition.os
    loader = os.loader
    if (
        loader is None
        or loader.type != "pflash"
        or not loader.readonly
        or loader.stateless
        or os.firmware is not None
    ):
        return definition
    nvram = os.nvram or NVRAM()
    if nvram.source is not None:
        return definition
    source = FileSource(file=f"{folder}/{definition.name}_VARS.fd")
    return replaced(definition, os=replaced(os, nvram=replaced(nvram, source=source)))


def _processor(definition: DomainDefinition, capabilities: BinaryCapabilities) -> DomainDefinition:
    """Name the machine's own model where none is named; say how the model is checked."""
    cpu = definition.cpu or CPU()
    if cpu.mode is None and cpu.model is None:
        machine = capabilities.machine(definition.os.type.machine or "")
        name = machine.defaultCPU if machine is not None else None
        if definition.type == "kvm" and name in ("qemu32", "qemu64"):
            name = {"qemu64": "qemu64", "qemu32": "qemu32"}[name]
        if name is None:
            return definition
        cpu = replaced(cpu, model=CPUModel(name=name, fallback="forbid"))
        if name == "host":
            cpu = replaced(cpu, mode="host-passthrough", model=None)
        elif name == "max":
            cpu = replaced(cpu, mode="maximum", model=None)
        else:
            cpu = replaced(cpu, mode="custom", match="exact")
        cpu = replaced(cpu, check="none")
        return replaced(definition, cpu=cpu)
    if cpu.check is None:
        if cpu.mode in ("host-passthrough", "maximum"):
            cpu = replaced(cpu, check="none")
        elif cpu.mode == "custom":
            strict = cpu.model is not None and definition.type == "kvm"
            cpu = replaced(cpu, check="partial" if strict else "none")
        elif cpu.mode == "host-model":
            cpu = replaced(cpu, check="partial")
    if cpu.mode in ("host-passthrough",) and cpu.migratable is None:
        cpu = replaced(cpu, migratable=True)
    return replaced(definition, cpu=cpu)


def _cells(definition: DomainDefinition) -> DomainDefinition:
    """Processors that no cell has are those of the first."""
    cpu = definition.cpu or CPU()
    numa = cpu.numa
    if numa is None:
        return definition
    taken: set[int] = set()
    for cell in numa.cells:
        taken |= cell.cpus or set()
    rest = set(range(definition.vcpu.maximum)) - taken
    if rest and definition.os.type.arch is not None:
        first = numa.cells[0]
        cells = (
            replaced(first, cpus=frozenset((first.cpus or frozenset()) | rest)),
            *numa.cells[1:],
        )
        return replaced(definition, cpu=replaced(cpu, numa=replaced(numa, cells=cells)))
    return definition


def _boot(definition: DomainDefinition) -> DomainDefinition:
    """Where nothing else is said, the guest boots from its disk."""
    devices = definition.devices
    os = definition.os
    if os.type.name != "hvm":
        return definition
    steps.checkBootOrder(devices)
    byDevice = steps.bootsByDevice(devices)
    if os.boot and byDevice:
        raise _refuse("per-device boot elements cannot be used together with os/boot elements")
    if not os.boot and not byDevice:
        return replaced(definition, os=replaced(os, boot=("hd",)))
    return definition
