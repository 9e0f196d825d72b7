"""
The machine and what it is made of: accelerator, processor, memory, cells, threads, firmware.
"""

from __future__ import annotations

from typing import Any

from pyvirt.definitions.units import formatSet
from pyvirt.drivers.qemu.command.arguments import Builder, jsonText
from pyvirt.drivers.qemu.command.memorybackends import backend
from pyvirt.drivers.qemu.machine import isPC, isQ35, isX86

__all__ = [
    "FEATURES",
    "addCPU",
    "addFirmware",
    "addFlash",
    "addIOThreads",
    "addMachine",
    "addMemory",
    "addNUMA",
    "addSMP",
    "addTSEG",
    "pmPrefix",
]


def _flag(name: str, value: bool | None) -> str | None:
    return None if value is None else f"{name}={'on' if value else 'off'}"


def pflash(b: Builder) -> tuple[bool, bool]:
    """Return whether there is a firmware in flash, and whether its variables are apart."""
    loader = b.definition.os.loader
    code = loader is not None and loader.type == "pflash" and loader.path is not None
    nvram = b.definition.os.nvram
    return code, code and nvram is not None and nvram.source is not None


def addFlash(b: Builder) -> None:
    """Add the images of a firmware in flash."""
    code, variables = pflash(b)
    loader, nvram = b.definition.os.loader, b.definition.os.nvram
    if code:
        assert loader is not None
        _flash(b, 0, {"driver": "file", "filename": loader.path}, bool(loader.readonly))
    if variables:
        assert nvram is not None
        from pyvirt.drivers.qemu.command.blockdevs import sourceProps

        _flash(b, 1, sourceProps(nvram.source, {}), False)


def _flash(b: Builder, number: int, source: dict[str, Any], readOnly: bool) -> None:
    name = f"libvirt-pflash{number}"
    b.add(
        "-blockdev",
        jsonText(
            {**source, "node-name": f"{name}-storage", "auto-read-only": True, "discard": "unmap"}
        ),
        "-blockdev",
        jsonText(
            {
                "node-name": f"{name}-format",
                "read-only": readOnly,
                "driver": "raw",
                "file": f"{name}-storage",
            }
        ),
    )


def addMachine(b: Builder) -> None:
    """Add the machine and the accelerator."""
    definition = b.definition
    features = definition.features
    parts: list[str | None] = [b.machine]
    if not (b.arch or "").startswith("s390"):
        parts.append("usb=off")
    if features is not None and features.vmport is not None:
        parts.append(_flag("vmport", features.vmport.state))
    if features is not None and features.smm is not None and isPC(b.machine, b.arch):
        parts.append(_flag("smm", features.smm.state))
    if features is not None and features.ioapic is not None and features.ioapic.driver is not None:
        split = features.ioapic.driver == "qemu"
        parts.append("kernel_irqchip=split" if split else "kernel_irqchip=on")
    dump = definition.memory.dumpCore
    parts.append(
        _flag(
            "dump-guest-core",
            bool(dump if dump is not None else b.host.settings.get("dump_guest_core", False)),
        )
    )
    backing = definition.memoryBacking
    if backing is not None and backing.nosharepages:
        parts.append("mem-merge=off")
    if any(each.model == "nvdimm" for each in definition.devices.memories):
        parts.append("nvdimm=on")
    if features is not None and features.gic is not None and features.gic.version is not None:
        parts.append(f"gic-version={features.gic.version}")
    iommu = definition.devices.iommu
    if iommu is not None and iommu.model == "smmuv3":
        parts.append("iommu=smmuv3")
    if definition.launchSecurity is not None:
        parts.append("confidential-guest-support=lsec0")
    cpu = definition.cpu
    numa = cpu.numa if cpu is not None else None
    if numa is not None and _hmat(numa):
        parts.append("hmat=on")
    machine = b.capabilities.machine(b.machine)
    if machine is not None and machine.defaultRAM is not None and numa is None:
        parts.append(f"memory-backend={machine.defaultRAM}")
    bios = definition.os.bios
    code, variables = pflash(b)
    if code:
        parts.append("pflash0=libvirt-pflash0-format")
    if variables:
        parts.append("pflash1=libvirt-pflash1-format")
    if bios is not None and bios.useserial:
        parts.append("graphics=off")
    b.option("-machine", *parts)
    if definition.type == "kvm":
        ring = None
        kvm = features.kvm if features is not None else None
        if kvm is not None and kvm.dirtyRing is not None and kvm.dirtyRing.state:
            ring = f"dirty-ring-size={kvm.dirtyRing.size}"
        b.option("-accel", "kvm", ring)
    else:
        tcg = features.tcg if features is not None else None
        size = tcg.tbCache if tcg is not None else None
        b.option("-accel", "tcg", f"tb-size={size // 1024}" if size else None)


def _hmat(numa: Any) -> bool:
    links = numa.interconnects
    return any(cell.caches for cell in numa.cells) or (
        links is not None and bool(links.latencies or links.bandwidths)
    )


#: Enlightenments in the order in which they stand.
_HYPERV = (
    "relaxed",
    "vapic",
    "spinlocks",
    "vpindex",
    "runtime",
    "synic",
    "stimer",
    "reset",
    "vendorId",
    "frequencies",
    "reenlightenment",
    "tlbflush",
    "ipi",
    "evmcs",
    "avic",
)


def addCPU(b: Builder) -> None:
    """Add the processor with its features, and those of the hypervisor that it shows."""
    definition = b.definition
    cpu = definition.cpu
    parts: list[str] = []
    if cpu is not None and (cpu.mode is not None or cpu.model is not None):
        if cpu.mode == "host-passthrough":
            parts.append("host")
        elif cpu.mode == "maximum":
            parts.append("max")
        elif cpu.model is not None and cpu.model.name is not None:
            parts.append(cpu.model.name)
        if cpu.migratable is not None and cpu.mode in ("host-passthrough", "maximum"):
            parts.append(f"migratable={'on' if cpu.migratable else 'off'}")
        if cpu.model is not None and cpu.model.vendor_id is not None:
            parts.append(f"vendor={cpu.model.vendor_id}")
        for feature in cpu.features:
            if feature.policy in ("force", "require", "optional"):
                parts.append(f"{qemuFeature(feature.name or '')}=on")
            else:
                parts.append(f"{qemuFeature(feature.name or '')}=off")
    model = bool(parts)
    for timer in definition.clock.timers:
        if timer.name == "kvmclock" and timer.present is not None:
            parts.append(f"kvmclock={'on' if timer.present else 'off'}")
        elif timer.name == "hypervclock" and timer.present:
            parts.append("hv-time=on")
        elif timer.name == "tsc" and timer.frequency:
            parts.append(f"tsc-frequency={timer.frequency}")
    features = definition.features
    if features is not None:
        parts += _featureParts(features)
    if any(panic.model == "hyperv" for panic in definition.devices.panics):
        parts.append("hv-crash")
    if cpu is not None and cpu.cache is not None:
        cache = cpu.cache
        if cache.mode == "emulate":
            parts.append("l3-cache=on")
        elif cache.mode == "passthrough":
            parts += ["host-cache-info=on", "l3-cache=off"]
        else:
            if cpu.mode in ("host-passthrough", "maximum"):
                parts.append("host-cache-info=off")
            parts.append("l3-cache=off")
    if cpu is not None and cpu.maxphysaddr is not None:
        if cpu.maxphysaddr.mode == "passthrough":
            parts.append("host-phys-bits=on")
        elif cpu.maxphysaddr.bits:
            parts.append(f"phys-bits={cpu.maxphysaddr.bits}")
    if parts and not model:
        parts.insert(0, "qemu32" if b.arch == "i686" else "qemu64")
    if parts:
        b.option("-cpu", *parts)


def _featureParts(features: Any) -> list[str]:
    parts: list[str] = []
    if features.apic is not None and features.apic.eoi is not None:
        parts.append(f"kvm-pv-eoi={'on' if features.apic.eoi else 'off'}")
    if features.pvspinlock is not None:
        parts.append(f"kvm-pv-unhalt={'on' if features.pvspinlock.state else 'off'}")
    hyperv = features.hyperv
    if hyperv is not None:
        if hyperv.mode == "passthrough":
            parts.append("hv-passthrough=on")
        for name in _HYPERV:
            value = getattr(hyperv, name)
            if value is None or not value.state:
                continue
            if name == "spinlocks":
                parts.append(f"hv-spinlocks={value.retries:#x}")
            elif name == "vendorId":
                parts.append(f"hv-vendor-id={value.value}")
            else:
                parts.append(f"hv-{name}=on")
            if name == "stimer" and value.direct is not None and value.direct.state:
                parts.append("hv-stimer-direct=on")
    kvm = features.kvm
    if kvm is not None:
        for name, text in (
            ("hidden", "kvm=off"),
            ("hintDedicated", "kvm-hint-dedicated=on"),
            ("pollControl", "kvm-poll-control=on"),
            ("pvIPI", "kvm-pv-ipi=off"),
        ):
            value = getattr(kvm, name)
            if value is None:
                continue
            if value.state if name != "pvIPI" else not value.state:
                parts.append(text)
    if features.pmu is not None:
        parts.append(f"pmu={'on' if features.pmu.state else 'off'}")
    return parts


#: Features that QEMU calls otherwise than libvirt.
FEATURES = {
    "cmp_legacy": "cmp-legacy",
    "ds_cpl": "ds-cpl",
    "fxsr_opt": "fxsr-opt",
    "kvm_pv_eoi": "kvm-pv-eoi",
    "kvm_pv_unhalt": "kvm-pv-unhalt",
    "lahf_lm": "lahf-lm",
    "nodeid_msr": "nodeid-msr",
    "pclmuldq": "pclmulqdq",
    "perfctr_core": "perfctr-core",
    "perfctr_nb": "perfctr-nb",
    "tsc_adjust": "tsc-adjust",
}


def qemuFeature(name: str) -> str:
    """Return what QEMU calls a feature of a processor."""
    return FEATURES.get(name, name)


def addTSEG(b: Builder) -> None:
    """Add the size of the memory that only the firmware sees."""
    features = b.definition.features
    if features is not None and features.smm is not None and features.smm.tseg is not None:
        b.add("-global", f"mch.extended-tseg-mbytes={features.smm.tseg >> 20}")


def addFirmware(b: Builder) -> None:
    """Add what guards the firmware, and the firmware that is not in flash."""
    loader = b.definition.os.loader
    if loader is None:
        return
    if loader.secure and loader.type == "pflash":
        b.add("-global", "driver=cfi.pflash01,property=secure,value=on")
    if loader.type == "rom" and loader.path is not None:
        b.add("-bios", loader.path)


def initialMemory(definition: Any) -> int:
    """Return the memory that a guest has at start, in KiB: all but what is plugged in."""
    plugged = sum(
        each.target.size or 0 for each in definition.devices.memories if each.target is not None
    )
    numa = definition.cpu.numa if definition.cpu is not None else None
    if numa is not None:
        return sum(map(cellSize, numa.cells))
    return int(definition.memory.amount - plugged)


def cellSize(cell: Any) -> int:
    """Return how much memory a cell gets, in KiB: whole mebibytes."""
    return -(-int(cell.memory) // 1024) * 1024


def addMemory(b: Builder) -> None:
    """Add the memory of the machine."""
    definition = b.definition
    amount = initialMemory(definition)
    if definition.maxMemory is not None:
        maximum, slots = definition.maxMemory
        rounded = -(-amount // 1024) * 1024
        b.option("-m", f"size={rounded}k", f"slots={slots}", f"maxmem={maximum}k")
    else:
        amount = -(-amount // 1024) * 1024
        b.add("-m", str(amount // 1024))
    cpu = definition.cpu
    machine = b.capabilities.machine(b.machine)
    ram = machine.defaultRAM if machine is not None else None
    if (cpu is None or cpu.numa is None) and ram is not None:
        b.add("-object", jsonText(backend(b, ram, amount * 1024, system=True)))
    locked = definition.memoryBacking is not None and definition.memoryBacking.locked
    b.add("-overcommit", f"mem-lock={'on' if locked else 'off'}")


def addSMP(b: Builder) -> None:
    """Add the number of processors and how they are grouped."""
    vcpu = b.definition.vcpu
    current = vcpu.current if vcpu.current is not None else vcpu.maximum
    if b.definition.vcpus is not None:
        current = (
            sum(1 for each in b.definition.vcpus.vcpus if each.enabled and not each.hotpluggable)
            or current
        )
    parts: list[str | None] = [str(current)]
    if current != vcpu.maximum:
        parts.append(f"maxcpus={vcpu.maximum}")
    topology = b.definition.cpu.topology if b.definition.cpu is not None else None
    if topology is not None:
        parts.append(f"sockets={topology.sockets}")
        if isX86(b.arch):
            parts.append(f"dies={topology.dies}")
        parts += [f"cores={topology.cores}", f"threads={topology.threads}"]
    else:
        parts += [f"sockets={vcpu.maximum}", "cores=1", "threads=1"]
    b.option("-smp", *parts)


def addIOThreads(b: Builder) -> None:
    """Add the threads that serve disks."""
    ids = b.definition.iothreadids
    threads = list(ids.threads) if ids is not None else []
    known = {each.id for each in threads}
    number = 1
    from pyvirt.definitions.domain._tune import DefaultIOThread, IOThread

    while len(threads) < (b.definition.iothreads or 0):
        if number not in known:
            threads.append(IOThread(id=number))
        number += 1
    for each in threads:
        b.object(
            "iothread",
            f"iothread{each.id}",
            thread_pool_min=each.threadPoolMin,
            thread_pool_max=each.threadPoolMax,
        )
    default = b.definition.defaultiothread
    if default is not None and default != DefaultIOThread():
        b.object(
            "main-loop",
            "main-loop",
            thread_pool_min=default.threadPoolMin,
            thread_pool_max=default.threadPoolMax,
        )


_LEVELS = {None: "memory", 0: "memory", 1: "first-level", 2: "second-level", 3: "third-level"}


#: What of a back end of memory says that it is nothing special.
_PLAIN = {"qom-type", "id", "size", "host-nodes", "policy"}


def addNUMA(b: Builder) -> None:
    """Add the cells, how far they are from each other, and how fast."""
    cpu = b.definition.cpu
    numa = cpu.numa if cpu is not None else None
    if numa is None:
        return
    hmat = _hmat(numa)
    withCPUs = [cell for cell in numa.cells if cell.cpus]
    machine = b.capabilities.machine(b.machine)
    backends = {
        cell.id: backend(b, f"ram-node{cell.id}", cellSize(cell) * 1024, cell=cell)
        for cell in numa.cells
    }
    # Machines of old take plain memory without a back end, where none of it is special.
    plain = (
        (machine is not None and machine.numaMemory)
        and not hmat
        and all(set(each) <= _PLAIN for each in backends.values())
        and not (b.definition.numatune is not None and b.definition.numatune.memnodes)
    )
    for cell in numa.cells:
        name = f"ram-node{cell.id}"
        if not plain:
            b.add("-object", jsonText(backends[cell.id]))
        parts: list[str | None] = ["node", f"nodeid={cell.id}"]
        if cell.cpus:
            parts += [f"cpus={part}" for part in formatSet(cell.cpus).split(",")]
        if hmat:
            starter = cell if cell.cpus else (withCPUs[0] if withCPUs else cell)
            parts.append(f"initiator={_initiator(numa, cell, starter)}")
        parts.append(f"mem={cellSize(cell) // 1024}" if plain else f"memdev={name}")
        b.option("-numa", *parts)
    for cell in numa.cells:
        if cell.distances is None and not any(other.distances for other in numa.cells):
            continue
        known = {each.id: each.value for each in cell.distances.siblings} if cell.distances else {}
        for other in numa.cells:
            value = known.get(other.id, 10 if other.id == cell.id else 20)
            b.option("-numa", "dist", f"src={cell.id}", f"dst={other.id}", f"val={value}")
    if hmat:
        _addHMAT(b, numa)


def _initiator(numa: Any, cell: Any, fallback: Any) -> Any:
    return cell.id if cell.cpus else fallback.id


def _addHMAT(b: Builder, numa: Any) -> None:
    links = numa.interconnects
    for kind, group in (
        ("latency", links.latencies if links is not None else ()),
        ("bandwidth", links.bandwidths if links is not None else ()),
    ):
        for link in group:
            value = str(link.value) if kind == "latency" else f"{link.value}K"
            b.option(
                "-numa",
                "hmat-lb",
                f"initiator={link.initiator}",
                f"target={link.target}",
                f"hierarchy={_LEVELS.get(link.cache, 'memory')}",
                f"data-type={link.type}-{kind}",
                f"{kind}={value}",
            )
    for cell in numa.cells:
        for cache in cell.caches:
            associativity = {"direct": "direct", "full": "complex"}.get(cache.associativity, "none")
            policy = {"writeback": "write-back", "writethrough": "write-through"}.get(
                cache.policy, "none"
            )
            b.option(
                "-numa",
                "hmat-cache",
                f"node-id={cell.id}",
                f"size={cache.size.value}K",
                f"level={cache.level}",
                f"associativity={associativity}",
                f"policy={policy}",
                f"line={cache.line.value}",
            )


def pmPrefix(b: Builder) -> str:
    """Return what QEMU calls the chip that puts the machine to sleep."""
    return "ICH9-LPC" if isQ35(b.machine, b.arch) else "PIIX4_PM"
