"""
What QEMU, or this QEMU, cannot do: complained of when a domain is defined, not when it is started.

The domain as a whole comes first, then each device; both in libvirt's order, because the first thing wrong decides
the error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyvirt.definitions.domain import check
from pyvirt.definitions.domain._address import DIMMAddress
from pyvirt.definitions.domain._features import HPT
from pyvirt.definitions.domain._top import DomainDefinition
from pyvirt.definitions.kinds import unsupported, xmlError
from pyvirt.drivers.qemu.machine import isQ35, isX86
from pyvirt.drivers.qemu.validatedevices import (
    checkModule,
    checkNumbers,
    checkPanics,
    deviceCheck,
)
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

if TYPE_CHECKING:
    from pyvirt.drivers.qemu.capabilities import BinaryCapabilities

__all__ = ["checkActions", "checkHotplug", "checkTSEG", "validate"]


def refuse(detail: str) -> VirtError:
    """Make the complaint of something that is not supported."""
    error = unsupported(detail)("", None, "")
    error.domain = ErrorDomain.QEMU
    return error


def validate(
    definition: DomainDefinition,
    capabilities: BinaryCapabilities,
    settings: Any = None,
    widest: int | None = None,
) -> None:
    """
    Complain of a completed definition that QEMU cannot run.

    @param settings: keys of qemu.conf with their values.
    @param widest: how many bits the host's physical addresses have, where that is known.
    @raise VirtError: CONFIG_UNSUPPORTED mostly.
    """
    settings = settings or {}
    if "/" in definition.name:
        raise xmlError(f"name {definition.name} cannot contain '/'")
    emulator, kind = definition.devices.emulator, definition.os.type
    if kind.name != "hvm":
        raise refuse(f"Emulator '{emulator}' does not support os type '{kind.name}'")
    if kind.arch not in _arches(capabilities.arch):
        raise refuse(f"Emulator '{emulator}' does not support arch '{kind.arch}'")
    if definition.type not in ("qemu", "kvm") or (
        definition.type == "kvm" and not capabilities.kvm
    ):
        raise refuse(f"Emulator '{emulator}' does not support virt type '{definition.type}'")
    machine = capabilities.machine(kind.machine or "")
    if capabilities.machines and (machine is None or machine.name == "none"):
        raise refuse(f"Emulator '{emulator}' does not support machine type '{kind.machine}'")
    if definition.memtune is not None and definition.memtune.minGuarantee:
        raise refuse("Parameter 'min_guarantee' not supported by QEMU.")
    _tables(definition)
    _boot(definition)
    checkActions(definition)
    _processor(definition, widest)
    _modules(definition)
    _timers(definition)
    _firmware(definition)
    _processors(definition, capabilities)
    _tuning(definition)
    _features(definition)
    _backing(definition)
    _consoles(definition)
    _settings(definition)
    checkPanics(definition)
    checkNumbers(definition)
    _launch(definition)
    check(definition, deviceCheck(definition, capabilities, settings))


def _consoles(definition: DomainDefinition) -> None:
    for console in definition.devices.consoles:
        kind = console.target.type
        if kind in ("sclp", "sclplm"):
            raise refuse(f"{kind}console is not supported in this QEMU binary")
        if kind in ("xen", "lxc", "openvz", "uml"):
            raise refuse(f"unsupported console target type {kind}")


def _arches(own: str) -> tuple[str, ...]:
    """Return the architectures of whose guests a binary runs some."""
    return {"x86_64": ("x86_64", "i686"), "aarch64": ("aarch64", "armv7l")}.get(own, (own,))


def _modules(definition: DomainDefinition) -> None:
    cpu = definition.cpu
    numa = cpu.numa if cpu is not None else None
    if definition.maxMemory is not None and numa is None:
        raise refuse("At least one numa node has to be configured when enabling memory hotplug")
    if definition.maxMemory is None and definition.devices.memories:
        raise refuse("cannot use/hotplug a memory device when domain 'maxMemory' is not defined")
    for memory in definition.devices.memories:
        _module(memory, definition)


def _backing(definition: DomainDefinition) -> None:
    backing = definition.memoryBacking
    if (
        backing is not None
        and backing.hugepages is not None
        and backing.allocation is not None
        and backing.allocation.mode == "ondemand"
    ):
        raise refuse("hugepages are not allowed with memory allocation ondemand")
    if backing is not None and backing.hugepages is not None and backing.source == "anonymous":
        raise refuse("hugepages are not allowed with anonymous memory source")


#: What modules are as devices, and where these are.
_PLUGGED = {
    "dimm": ("pc-dimm", "dimm"),
    "nvdimm": ("pc-dimm", "dimm"),
    "virtio-pmem": ("virtio-pmem", "pci"),
    "virtio-mem": ("virtio-mem", "pci"),
}


def _module(memory: Any, definition: DomainDefinition) -> None:
    """Modules have slots, each its own, and say whose memory they are."""
    numa = definition.cpu.numa if definition.cpu is not None else None
    checkModule(memory, definition)
    if definition.maxMemory is not None and isinstance(memory.address, DIMMAddress):
        slot, slots = memory.address.slot, definition.maxMemory[1]
        if slot >= slots:
            raise refuse(f"memory device slot '{slot}' exceeds slots count '{slots}'")
        if any(
            other is not memory
            and isinstance(other.address, DIMMAddress)
            and other.address.slot == slot
            for other in definition.devices.memories
        ):
            raise refuse(
                f"memory device slot '{slot}' is already being used by another memory device"
            )
    place, known = memory.address, _PLUGGED.get(memory.model)
    if place is not None and known is not None and place.type != known[1]:
        raise refuse(f"only '{known[1]}' addresses are supported for the {known[0]} device")
    if memory.model != "virtio-pmem" and memory.target.node is None and numa is not None:
        raise refuse("target NUMA node needs to be specified for memory device")


def _boot(definition: DomainDefinition) -> None:
    os = definition.os
    if os.bios is not None and os.bios.useserial and not definition.devices.serials:
        raise virtError(
            ErrorCode.XML_ERROR,
            "need at least one serial port to use BIOS serial output",
            ErrorDomain.QEMU,
        )


def _processors(definition: DomainDefinition, capabilities: BinaryCapabilities) -> None:
    vcpu = definition.vcpu
    machine = capabilities.machine(definition.os.type.machine or "")
    most = machine.maxCPUs if machine is not None else 0
    if most and vcpu.maximum > most:
        raise refuse(f"Maximum CPUs greater than specified machine type limit {most}")
    topology = definition.cpu.topology if definition.cpu is not None else None
    if topology is not None:
        product = (
            (topology.sockets or 1)
            * (topology.dies or 1)
            * (topology.cores or 1)
            * (topology.threads or 1)
        )
        if product != vcpu.maximum:
            raise refuse("CPU topology doesn't match maximum vcpu count")
    iommu = definition.devices.iommu
    if vcpu.maximum > 255 and isX86(definition.os.type.arch):
        if not isQ35(definition.os.type.machine or "", definition.os.type.arch):
            raise refuse("more than 255 vCPUs are only supported on q35-based machine types")
        if iommu is None or iommu.driver is None or not iommu.driver.eim:
            raise refuse(
                "more than 255 vCPUs require extended interrupt mode enabled on the iommu device"
            )


def _processor(definition: DomainDefinition, widest: int | None) -> None:
    """Check the guest's processor, and how wide its addresses are."""
    cpu = definition.cpu
    if cpu is not None and cpu.maxphysaddr is not None:
        width = cpu.maxphysaddr
        if width.mode == "passthrough" and width.bits is not None:
            raise refuse(
                "CPU maximum physical address bits number specification cannot be used with "
                "mode='passthrough'"
            )
        if width.mode == "emulate" and width.bits is None:
            raise refuse(
                "if using CPU maximum physical address mode='emulate', bits= must be specified too"
            )
        if width.bits is not None and width.bits > (widest or width.bits):
            raise refuse(
                "The number of virtual CPU address bits cannot exceed the number supported by the "
                "host CPU"
            )
    if cpu is not None and cpu.cache is not None:
        if cpu.cache.mode == "emulate" and cpu.cache.level != 3:
            raise refuse("CPU cache mode 'emulate' can only be used with level='3'")
        if cpu.cache.mode == "passthrough":
            if cpu.mode not in ("host-passthrough", "maximum"):
                raise refuse(
                    "CPU cache mode 'passthrough' can only be used with 'host-passthrough' / "
                    "'maximum' CPUs"
                )
            if cpu.cache.level is not None:
                raise refuse("unsupported CPU cache level for mode 'passthrough'")
        if cpu.cache.mode == "disable" and cpu.cache.level is not None:
            raise refuse("unsupported CPU cache level for mode 'disable'")


def checkHotplug(definition: DomainDefinition) -> None:
    """
    Check which processors are there at start, and in which order.

    @raise VirtError: CONFIG_UNSUPPORTED.
    """
    if definition.vcpus is None or not definition.vcpus.vcpus:
        return
    first, *others = definition.vcpus.vcpus
    if not first.enabled:
        raise refuse("vcpu 0 can't be offline")
    if first.hotpluggable:
        raise refuse("vcpu0 can't be hotpluggable")
    if first.order not in (None, 0, 1):
        raise refuse("vcpu0 must be enabled first")
    before = first
    for each in others:
        if each.enabled and bool(each.order) != bool(first.order):
            raise refuse("all vcpus must have either set or unset order")
        if not each.hotpluggable:
            if before.hotpluggable:
                raise refuse(
                    "online non-hotpluggable vcpus need to be ordered prior to hotplugable vcpus"
                )
            if (before.order or 0) > (each.order or 0):
                raise refuse("online non-hotpluggable vcpus must be ordered in ascending order")
        before = each


def checkTSEG(definition: DomainDefinition) -> None:
    """
    Check which machine the memory of the management mode is set aside on.

    @raise VirtError: CONFIG_UNSUPPORTED.
    """
    kind, features = definition.os.type, definition.features
    smm = features.smm if features is not None else None
    if smm is not None and smm.tseg is not None and not isQ35(kind.machine or "", kind.arch):
        raise refuse("SMM TSEG is only supported with q35 machine type")


#: Features of other architectures than PCs.
_ELSEWHERE = (
    ("gic", "gic"),
    ("hpt", "hpt"),
    ("htm", "htm"),
    ("nestedHV", "nested-hv"),
    ("ccfAssist", "ccf-assist"),
    ("cfpc", "cfpc"),
    ("sbbc", "sbbc"),
    ("ibs", "ibs"),
)


def _features(definition: DomainDefinition) -> None:
    features = definition.features
    if features is None:
        return
    arch, machine = definition.os.type.arch, definition.os.type.machine or ""
    for name, called in _ELSEWHERE:
        value = getattr(features, name)
        if value is None or value == HPT() or not isX86(arch):
            continue
        raise refuse(
            f"The '{called}' feature is not supported for architecture '{arch}' or machine type "
            f"'{machine}'"
        )
    if features.smm is not None:
        if features.smm.tseg is not None and features.smm.tseg % (1 << 20):
            raise refuse("SMM TSEG size must be divisible by 1 MiB")
        if not isX86(arch):
            raise refuse(
                f"The 'smm' feature is not supported for architecture '{arch}' or machine type "
                f"'{machine}'"
            )
    if features.tcg is not None and features.tcg.tbCache:
        if definition.type != "qemu":
            raise refuse(
                "TCG features are incompatible with domain type '" + str(definition.type) + "'"
            )
        if features.tcg.tbCache % 1024:
            raise refuse("tb-cache size must be an integer multiple of MiB")


def _timers(definition: DomainDefinition) -> None:
    for timer in definition.clock.timers:
        name = timer.name
        if name == "platform":
            raise refuse(f"unsupported timer type (name) '{name}'")
        if name == "rtc":
            if timer.track == "boot":
                raise refuse("unsupported rtc timer track 'boot'")
            if timer.tickpolicy in ("merge", "discard"):
                raise refuse(f"unsupported rtc timer tickpolicy '{timer.tickpolicy}'")
        elif name == "pit" and timer.tickpolicy == "merge":
            raise refuse(f"unsupported pit tickpolicy '{timer.tickpolicy}'")
        elif name == "armvtimer" or (
            name in ("tsc", "kvmclock", "hypervclock") and not isX86(definition.os.type.arch)
        ):
            kind = definition.os.type
            raise refuse(
                f"Configuring the '{name}' timer is not supported for "
                f"virtType={definition.type} arch={kind.arch} machine={kind.machine} guests"
            )


def checkActions(definition: DomainDefinition) -> None:
    """
    Look whether what is to happen at the end of a guest can be done.

    @raise VirtError: it cannot.
    """
    actions = (definition.onPoweroff, definition.onReboot)
    if "preserve" in actions:
        raise refuse(
            "qemu driver doesn't support the 'preserve' action for 'on_reboot'/'on_poweroff'"
        )
    if "rename-restart" in (*actions, definition.onCrash):
        raise refuse(
            "qemu driver doesn't support the 'rename-restart' action for "
            "'on_reboot'/'on_poweroff'/'on_crash'"
        )
    if definition.onReboot == "destroy" and definition.onPoweroff == "restart":
        raise refuse(
            "qemu driver doesn't support 'onReboot' set to 'destroy and 'onPoweroff' set to 'reboot'"
        )


def _tables(definition: DomainDefinition) -> None:
    """Firmwares of the newer kind are told of the machine by ACPI."""
    os, features = definition.os, definition.features
    newer = os.firmware == "efi" or (os.loader is not None and os.loader.type == "pflash")
    if newer and isX86(os.type.arch) and (features is None or not features.acpi):
        raise refuse("UEFI requires ACPI on this architecture")


def _firmware(definition: DomainDefinition) -> None:
    os = definition.os
    features = definition.features
    loader = os.loader
    machine, arch = os.type.machine or "", os.type.arch
    if loader is not None and loader.secure:
        if not isQ35(machine, arch):
            raise refuse("Secure boot is supported with q35 machine types only")
        if arch != "x86_64":
            raise refuse("Secure boot is supported for x86_64 architecture only")
        chosen = os.firmware is not None
        if not chosen and (features is None or features.smm is None or not features.smm.state):
            raise refuse("Secure boot requires SMM feature enabled")


def _tuning(definition: DomainDefinition) -> None:
    """What is shared out among guests can be shared out by QEMU's driver."""
    tune = definition.cputune
    if tune is not None and (tune.cachetunes or tune.memorytunes) and definition.type != "kvm":
        raise refuse("cachetune is only supported for KVM domains")


def _settings(definition: DomainDefinition) -> None:
    """Names of settings that firmwares read are of the user's part."""
    for info in definition.sysinfos:
        if info.type != "fwcfg":
            continue
        for name, _, _ in info.entries:
            if not name.startswith("opt/"):
                raise refuse("Invalid firmware name")
            if name.startswith(("opt/ovmf/", "opt/org.qemu/")):
                raise refuse("That firmware name is reserved")


def _launch(definition: DomainDefinition) -> None:
    launch = definition.launchSecurity
    if launch is None:
        return
    name = {"sev": "SEV", "s390-pv": "S390 PV"}.get(launch.type or "", str(launch.type))
    raise refuse(f"{name} launch security is not supported with this QEMU binary")
