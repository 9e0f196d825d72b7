"""
The machine of a command line: processors, memory, firmware, clock, and how it starts and ends.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from math import prod
from typing import Any

from pyvirt.definitions.domain._security import SMBIOS
from pyvirt.drivers.qemu.command.machineoptions import FEATURES
from pyvirt.drivers.qemu.native.elements import MONITOR, THREAD, Parts, add
from pyvirt.drivers.qemu.native.words import Told, isOn, parts, properties

__all__ = ["MACHINE"]

_IGNORED = {
    "usb",
    "dump-guest-core",
    "memory-backend",
    "graphics",
    "nvdimm",
    "accel",
    "type",
}
_STATES = {"vmport": "vmport", "smm": "smm", "i8042": "ps2"}
_HYPERV = {
    "hv-relaxed": "relaxed",
    "hv-vapic": "vapic",
    "hv-vpindex": "vpindex",
    "hv-runtime": "runtime",
    "hv-synic": "synic",
    "hv-reset": "reset",
    "hv-frequencies": "frequencies",
    "hv-reenlightenment": "reenlightenment",
    "hv-tlbflush": "tlbflush",
    "hv-ipi": "ipi",
    "hv-evmcs": "evmcs",
    "hv-avic": "avic",
}
_BOOTS = {"a": "fd", "c": "hd", "d": "cdrom", "n": "network"}
_SYSINFO = {"0": "bios", "1": "system", "2": "baseBoard", "3": "chassis", "11": "oemStrings"}


def _name(p: Parts, value: str) -> None:
    told = properties(value, "guest")
    add(p.root, "name", told.get("guest") or "unnamed")
    p.rest("-name", told, "debug-threads")


def _uuid(p: Parts, value: str) -> None:
    add(p.root, "uuid", value)


def _machine(p: Parts, value: str) -> None:
    told = properties(value, "type")
    system = p.section("os")
    kind = system.find("type")
    if kind is None:
        kind = add(system, "type", "hvm")
    if told.get("type"):
        kind.set("machine", told["type"])
    _accelerated(p, told.get("accel"))
    p.usb = p.usb or isOn(told.get("usb", "off"))
    p.nvdimm = p.nvdimm or isOn(told.get("nvdimm", "off"))
    left = []
    for name, said in told.items():
        if name in _IGNORED:
            continue
        if name in _STATES:
            p.feature(_STATES[name], state=said)
        elif name == "kernel_irqchip":
            p.feature("ioapic", driver="qemu" if said == "split" else "kvm")
        elif name == "hmat" and not isOn(said):
            continue
        elif name == "mem-merge":
            if not isOn(said):
                add(p.section("memoryBacking"), "nosharepages")
        elif name == "hpet":
            add(_clock(p), "timer", name="hpet", present="yes" if isOn(said) else "no")
        elif name == "pcspk-audiodev":
            p.device("sound", model="pcspk")
        elif name in ("pflash0", "pflash1") and _flash(p, name, str(said)):
            continue
        else:
            left.append(f"{name}={str(said).replace(',', ',,')}")
    loader = system.find("loader")
    if "pflash0" in told and "pflash1" not in told and loader is not None:
        loader.set("stateless", "yes")
    if told.get("graphics") == "off":
        p.bios().set("useserial", "yes")
    if left:
        p.left += ["-machine", ",".join(left)]
    if isOn(told.get("dump-guest-core", "off")):
        p.section("memory").set("dumpCore", "on")
    memory = told.get("memory-backend")
    if memory is not None and set(p.objects.get(memory, ())) - _MEMORY:
        p.left += ["-machine", f"memory-backend={memory}"]
    elif memory is not None:
        _backing(p, p.objects.get(memory, Told()))
        _policy(p, p.objects.get(memory, Told()), None)


def _accelerated(p: Parts, said: str | None) -> None:
    if said is not None and said.split(":")[0] == "kvm":
        p.root.set("type", "kvm")


def _accel(p: Parts, value: str) -> None:
    told = properties(value, "accel")
    _accelerated(p, told["accel"])
    if "tb-size" in told:
        add(p.feature("tcg"), "tb-cache", told["tb-size"], unit="MiB")
    if told.unread():
        p.left += ["-accel", value]


def _kvm(p: Parts, value: str) -> None:
    p.root.set("type", "kvm")


#: What is heeded of the image of a flash chip.
_CHIP = {"driver", "node-name", "file", "filename", "read-only", "auto-read-only", "discard"}


def _flash(p: Parts, name: str, node: str) -> bool:
    """
    A flash chip is firmware, or its variables.

    @return: whether a definition can say all of its image.
    """
    path, writable = "", False
    seen: set[str] = set()
    while node in p.nodes and node not in seen:
        seen.add(node)
        told = p.nodes[node]
        writable = writable or ("read-only" in told and not isOn(told["read-only"]))
        path = str(told.get("filename") or path)
        node = str(told.get("file") or "")
    if any(
        set(p.nodes[each]) - _CHIP or p.nodes[each]["driver"] not in ("raw", "qcow2", "file")
        for each in seen
    ):
        return False
    p.used |= seen
    system = p.section("os")
    if name == "pflash0":
        add(system, "loader", path, type="pflash", readonly="no" if writable else "yes")
    else:
        add(system, "nvram", path)
    return True


def _backing(p: Parts, told: dict[str, Any]) -> None:
    """Say where the memory comes from."""
    kind, path = told.get("qom-type"), str(told.get("mem-path") or "")
    if kind in (None, "memory-backend-ram") and not {"prealloc", "prealloc-threads"} & set(told):
        return
    backing = p.section("memoryBacking")
    if backing.find("source") is not None or backing.find("hugepages") is not None:
        return
    huge = told.get("hugetlb") or "hugepages" in path
    if kind == "memory-backend-memfd":
        add(backing, "source", type="memfd")
    elif kind == "memory-backend-file" and not huge:
        add(backing, "source", type="file")
    if huge:
        pages = add(backing, "hugepages")
        if told.get("hugetlbsize"):
            add(pages, "page", size=int(told["hugetlbsize"]) >> 10, unit="KiB")
    if isOn(told.get("share", False)):
        add(backing, "access", mode="shared")
    if isOn(told.get("discard-data", False)):
        add(backing, "discard")
    if not huge and {"prealloc", "prealloc-threads"} & set(told):
        mode = "immediate" if isOn(told.get("prealloc", False)) else None
        add(backing, "allocation", mode=mode, threads=told.get("prealloc-threads"))


def _size(text: str) -> int:
    """Return an amount of memory in KiB; without a unit it is told in MiB."""
    found = re.match(r"(\d+)([bkmgtBKMGT]?)\Z", text)
    if found is None:
        return 0
    unit = {"": 20, "b": 0, "k": 10, "m": 20, "g": 30, "t": 40}[found[2].lower()]
    return (int(found[1]) << unit) >> 10


def _memory(p: Parts, value: str) -> None:
    told = properties(value, "size")
    p.section("memory").text = str(_size(str(told.get("size", "128"))))
    p.section("memory").set("unit", "KiB")
    if told.get("maxmem") is not None:
        most = p.section("maxMemory")
        most.text, slots = str(_size(str(told["maxmem"]))), told.get("slots")
        most.set("unit", "KiB")
        if slots is not None:
            most.set("slots", str(slots))
    p.rest("-m", told)


def _overcommit(p: Parts, value: str) -> None:
    told = properties(value)
    if isOn(told.get("mem-lock", "off")):
        add(p.section("memoryBacking"), "locked")
    p.rest("-overcommit", told)


def _smp(p: Parts, value: str) -> None:
    told = properties(value, "cpus")
    count, most = told.get("cpus") or "1", told.get("maxcpus")
    vcpu = add(p.root, "vcpu", most or count)
    if most is not None and most != count:
        vcpu.set("current", str(count))
    names = ("sockets", "dies", "cores", "threads")
    found = {name: told[name] for name in names if name in told}
    # As many sockets as processors is what there is where nothing is said.
    if found and (found.get("sockets") != (most or count) or "dies" in found):
        for name in ("cores", "threads"):
            found.setdefault(name, "1")
        inside = prod(int(found.get(name, 1)) for name in names[1:])
        found.setdefault("sockets", str(max(1, int(most or count) // max(1, inside))))
        add(p.section("cpu"), "topology", **found)
    p.rest("-smp", told, *names)


def _cpu(p: Parts, value: str) -> None:
    ours = {theirs: name for name, theirs in FEATURES.items()}
    model, *said = parts(value)
    cpu = p.section("cpu")
    if model == "host":
        cpu.set("mode", "host-passthrough")
    elif model == "max":
        cpu.set("mode", "maximum")
    else:
        cpu.set("mode", "custom")
        cpu.set("match", "exact")
        cpu.set("check", "none")
        add(cpu, "model", model, fallback="forbid")
    for each in said:
        name, equals, state = each.partition("=")
        if not equals:
            state = "off" if each.startswith("-") else "on"
            name = each.lstrip("+-")
        name = name.replace("_", "-") if name.startswith("hv_") else name
        _cpuProperty(p, name, state, ours.get(name, name))


def _cpuProperty(p: Parts, name: str, state: str, ours: str) -> None:
    cpu = p.section("cpu")
    if name == "migratable":
        cpu.set("migratable", state)
    elif name == "kvm":
        if not isOn(state):
            add(p.feature("kvm"), "hidden", state="on")
    elif name == "kvm-hint-dedicated":
        add(p.feature("kvm"), "hint-dedicated", state=state)
    elif name == "kvm-poll-control":
        add(p.feature("kvm"), "poll-control", state=state)
    elif name == "pmu":
        p.feature("pmu", state=state)
    elif name == "kvm-pv-eoi" or name == "kvm_pv_eoi":
        p.feature("apic").set("eoi", state)
    elif name == "kvm-pv-unhalt" or name == "kvm_pv_unhalt":
        p.feature("pvspinlock", state=state)
    elif name == "phys-bits":
        add(cpu, "maxphysaddr", mode="emulate", bits=state)
    elif name == "host-phys-bits":
        add(cpu, "maxphysaddr", mode="passthrough")
    elif name == "l3-cache":
        add(
            cpu,
            "cache",
            **({"level": 3, "mode": "emulate"} if isOn(state) else {"mode": "disable"}),
        )
    elif name == "host-cache-info":
        if isOn(state):
            add(cpu, "cache", mode="passthrough")
    elif name == "vendor":
        model = cpu.find("model")
        if model is not None:
            model.set("vendor_id", state)
    elif name == "tsc-frequency":
        add(_clock(p), "timer", name="tsc", frequency=state)
    elif name == "kvmclock":
        add(_clock(p), "timer", name="kvmclock", present="yes" if isOn(state) else "no")
    elif name == "hv-time":
        add(_clock(p), "timer", name="hypervclock", present="yes")
    elif name == "hv-spinlocks":
        add(p.feature("hyperv"), "spinlocks", state="on", retries=int(state, 0))
    elif name == "hv-vendor-id":
        add(p.feature("hyperv"), "vendor_id", state="on", value=state)
    elif name == "hv-stimer":
        add(p.feature("hyperv"), "stimer", state="on")
    elif name == "hv-stimer-direct":
        stimer = p.feature("hyperv").find("stimer")
        if stimer is not None:
            add(stimer, "direct", state="on")
    elif name == "hv-passthrough":
        p.feature("hyperv").set("mode", "passthrough")
    elif name in _HYPERV:
        add(p.feature("hyperv"), _HYPERV[name], state=state)
    elif name == "hv-crash":
        p.device("panic", None, model="hyperv")
    elif name.startswith("hv-"):
        p.left += ["-global", f"cpu.{name}={state}"]
    else:
        add(cpu, "feature", policy="require" if isOn(state) else "disable", name=ours)


def _clock(p: Parts) -> Any:
    clock = p.section("clock")
    if "offset" not in clock.attrib:
        clock.set("offset", "utc")
    return clock


def _rtc(p: Parts, value: str) -> None:
    told = properties(value)
    base = told.get("base", "utc")
    clock = p.section("clock")
    if base in ("utc", "localtime"):
        clock.set("offset", base)
    else:
        import datetime

        try:
            when = datetime.datetime.fromisoformat(base).replace(tzinfo=datetime.UTC)
        except ValueError:
            clock.set("offset", "utc")
            p.left += ["-rtc", f"base={base.replace(',', ',,')}"]
        else:
            clock.set("offset", "absolute")
            clock.set("start", str(int(when.timestamp())))
    if "driftfix" in told or "clock" in told:
        track = {"vm": "guest", "host": "wall", "rt": "realtime"}.get(told.get("clock", ""))
        policy = {"slew": "catchup", "none": "delay"}.get(told.get("driftfix", ""))
        add(clock, "timer", name="rtc", track=track, tickpolicy=policy)
    p.rest("-rtc", told)


def _noHPET(p: Parts, value: str) -> None:
    add(_clock(p), "timer", name="hpet", present="no")


def _global(p: Parts, value: str) -> None:
    name, _, said = value.partition("=")
    if name.endswith((".disable_s3", ".disable_s4")):
        what = "suspend-to-mem" if name.endswith("3") else "suspend-to-disk"
        add(p.section("pm"), what, enabled="no" if said == "1" else "yes")
    elif value == "driver=cfi.pflash01,property=secure,value=on":
        loader = p.section("os").find("loader")
        if loader is not None:
            loader.set("secure", "yes")
    elif name == "kvm-pit.lost_tick_policy":
        add(_clock(p), "timer", name="pit", tickpolicy=said)
    else:
        p.left += ["-global", value]


def _noACPI(p: Parts, value: str) -> None:
    features = p.section("features")
    features.set("acpi", "no")  # taken out again in the end


def _noReboot(p: Parts, value: str) -> None:
    add(p.root, "on_reboot", "destroy")


def _boot(p: Parts, value: str) -> None:
    told = properties(value, "order")
    system = p.section("os")
    for letter in dict.get(told, "order", ""):
        if letter in _BOOTS:
            add(system, "boot", dev=_BOOTS[letter])
    if set(dict.get(told, "order", "")) <= set(_BOOTS):
        told.seen.add("order")
    if "menu" in told:
        menu = add(system, "bootmenu", enable="yes" if isOn(told["menu"]) else "no")
        if "splash-time" in told:
            menu.set("timeout", told["splash-time"])
    if "reboot-timeout" in told:
        p.bios().set("rebootTimeout", told["reboot-timeout"])
    p.rest("-boot", told, "strict")


def _path(tag: str) -> Callable[[Parts, str], None]:
    def read(p: Parts, value: str) -> None:
        add(p.section("os"), tag, value)

    return read


def _bios(p: Parts, value: str) -> None:
    add(p.section("os"), "loader", value, type="rom")


def _acpiTable(p: Parts, value: str) -> None:
    told = properties(value)
    if told.get("sig") == "SLIC" and "file" in told and not told.unread():
        add(add(p.section("os"), "acpi"), "table", told["file"], type="slic")
    else:
        p.left += ["-acpitable", value]


def _smbios(p: Parts, value: str) -> None:
    told = [part.partition("=")[::2] for part in parts(value)]
    kind = next((said for name, said in told if name == "type"), "")
    group = _SYSINFO.get(kind, "")
    # The two that libvirt has other names for.
    known = {"type", *SMBIOS.get(group, ()), *(("value",) if kind == "11" else ("loc_pfx",))}
    info = p.root.find("sysinfo[@type='smbios']")
    twice = info is not None and info.find(group) is not None and group != "baseBoard"
    if not group or twice or any(name not in known for name, _ in told):
        p.left += ["-smbios", value]
        return
    if info is None:
        info = add(p.root, "sysinfo", type="smbios")
        add(p.section("os"), "smbios", mode="sysinfo")
    block = add(info, group)
    for name, said in told:
        if name == "type":
            continue
        if kind == "11":
            add(block, "entry", said)
        else:
            name = {"loc_pfx": "location"}.get(name, name)
            add(block, "entry", said, name=name)


def _fwcfg(p: Parts, value: str) -> None:
    told = properties(value)
    if "name" not in told or told.unread("string", "file"):
        p.left += ["-fw_cfg", value]
        return
    info = p.root.find("sysinfo[@type='fwcfg']")
    if info is None:
        info = add(p.root, "sysinfo", type="fwcfg")
    add(info, "entry", told.get("string"), name=told["name"], file=told.get("file"))


def _policy(p: Parts, told: dict[str, Any], cell: str | None) -> None:
    """Say which nodes of the host memory comes from."""
    nodes = told.get("host-nodes")
    mode = {"bind": "strict", "preferred": "preferred", "interleave": "interleave"}.get(
        str(told.get("policy"))
    )
    if mode is None or not isinstance(nodes, list):
        return
    where = ",".join(map(str, nodes))
    tune = p.section("numatune")
    if cell is None:
        add(tune, "memory", mode=mode, nodeset=where)
    else:
        add(tune, "memnode", cellid=cell, mode=mode, nodeset=where)


#: What is heeded of a node of a guest, and of the memory that it has.
_CELL = {"nodeid", "cpus", "mem", "memdev"}
_MEMORY = {
    *("qom-type", "id", "size", "prealloc", "prealloc-threads", "mem-path", "hugetlb", "share"),
    *(
        "hugetlbsize",
        "discard-data",
        "host-nodes",
        "policy",
        "x-use-canonical-path-for-ramblock-id",
    ),
}


def _numa(p: Parts, value: str) -> None:
    kind, *rest = parts(value)
    told: dict[str, list[str]] = {}
    for part in rest:
        name, _, said = part.partition("=")
        told.setdefault(name, []).append(said)
    memory = p.objects.get(told.get("memdev", [""])[0], Told())
    if kind == "node" and not set(told) - _CELL and not set(memory) - _MEMORY:
        cpu = p.section("cpu")
        numa = cpu.find("numa")
        if numa is None:
            numa = add(cpu, "numa")
        size = int(memory["size"]) >> 10 if "size" in memory else _size(told.get("mem", ["0"])[0])
        cpus = ",".join(told.get("cpus", []))
        number = told.get("nodeid", [str(len(numa))])[0]
        add(numa, "cell", id=number, cpus=cpus or None, memory=size, unit="KiB")
        _backing(p, memory)
        _policy(p, memory, number)
        return
    if kind == "dist" and not set(told) - {"src", "dst", "val"}:
        source, other, far = (told[name][0] for name in ("src", "dst", "val"))
        cell = p.root.find(f"cpu/numa/cell[@id='{source}']") if source.isdigit() else None
        if cell is not None:
            distances = cell.find("distances")
            if distances is None:
                distances = add(cell, "distances")
            add(distances, "sibling", id=other, value=far)
            return
    p.left += ["-numa", value]


def _ioThreads(p: Parts, value: str) -> None:
    told = properties(value, "qom-type")
    kind, name = str(told.get("qom-type")), str(told.get("id", ""))
    if kind == "iothread" and (number := p.thread(name)) is not None:
        ids = p.section("iothreadids")
        pool = {
            f"thread_pool_{end}": told[f"thread-pool-{end}"]
            for end in ("min", "max")
            if f"thread-pool-{end}" in told
        }
        add(ids, "iothread", id=number, **pool)
        p.section("iothreads").text = str(len(ids))
    elif kind == "main-loop" and not set(told) - THREAD:
        threads = add(p.root, "defaultiothread")
        for end in ("min", "max"):
            if f"thread-pool-{end}" in told:
                threads.set(f"thread_pool_{end}", str(told[f"thread-pool-{end}"]))
    elif kind == "input-linux":
        p.device("input", type="evdev").append(_source(told))
    elif kind.startswith(
        ("memory-backend-", "rng-", "secret", "tls-creds-", "pr-manager", "throttle")
    ):
        return
    else:
        p.left += ["-object", value]


def _source(told: dict[str, Any]) -> Any:
    from xml.etree.ElementTree import Element

    values = {"dev": str(told.get("evdev", ""))}
    if isOn(told.get("grab_all", False)):
        values["grab"] = "all"
    if "repeat" in told:
        values["repeat"] = "on" if isOn(told["repeat"]) else "off"
    if "grab-toggle" in told:
        values["grabToggle"] = str(told["grab-toggle"])
    return Element("source", values)


def _monitor(p: Parts, value: str) -> None:
    """libvirt's own way to QEMU each guest has."""
    if properties(value, "chardev").get("chardev") != MONITOR:
        p.left += ["-mon", value]


def _nothing(p: Parts, value: str) -> None:
    """What is there for every guest, or is read where it is used."""


#: Options that are read where they are used, or that every guest has.
_ELSEWHERE = (
    "-S -no-user-config -nodefaults -nodefconfig -no-shutdown -msg -chardev -blockdev -netdev "
    "-fsdev -tpmdev -audiodev -pidfile -daemonize -incoming -nographic -add-fd"
)

#: What an option says of the machine.
MACHINE: dict[str, Callable[[Parts, str], None]] = {
    "-name": _name,
    "-uuid": _uuid,
    "-machine": _machine,
    "-M": _machine,
    "-accel": _accel,
    "-enable-kvm": _kvm,
    "-cpu": _cpu,
    "-m": _memory,
    "-overcommit": _overcommit,
    "-smp": _smp,
    "-rtc": _rtc,
    "-no-hpet": _noHPET,
    "-global": _global,
    "-no-acpi": _noACPI,
    "-no-reboot": _noReboot,
    "-boot": _boot,
    "-kernel": _path("kernel"),
    "-initrd": _path("initrd"),
    "-append": _path("cmdline"),
    "-dtb": _path("dtb"),
    "-bios": _bios,
    "-acpitable": _acpiTable,
    "-smbios": _smbios,
    "-fw_cfg": _fwcfg,
    "-numa": _numa,
    "-object": _ioThreads,
    "-mon": _monitor,
    "-sandbox": _nothing,
    **dict.fromkeys(_ELSEWHERE.split(), _nothing),
}
