"""
Devices of a command line other than disks and ports: controllers, cards, displays, input and the like.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from pyvirt.drivers.qemu.native.cards import addCard
from pyvirt.drivers.qemu.native.disks import DISKS, addDisk
from pyvirt.drivers.qemu.native.elements import KNOWN, Parts, add, word
from pyvirt.drivers.qemu.native.ports import addPort, setSource
from pyvirt.drivers.qemu.native.words import Told, isOn, properties

__all__ = ["addDevice"]

_USB = {
    "piix3-usb-uhci": "piix3-uhci",
    "piix4-usb-uhci": "piix4-uhci",
    "usb-ehci": "ehci",
    "ich9-usb-ehci1": "ich9-ehci1",
    "ich9-usb-uhci1": "ich9-uhci1",
    "ich9-usb-uhci2": "ich9-uhci2",
    "ich9-usb-uhci3": "ich9-uhci3",
    "vt82c686b-usb-uhci": "vt82c686b-uhci",
    "pci-ohci": "pci-ohci",
    "nec-usb-xhci": "nec-xhci",
    "qemu-xhci": "qemu-xhci",
}
_PCI = {
    "pci-bridge": "pci-bridge",
    "i82801b11-bridge": "dmi-to-pci-bridge",
    "pcie-root-port": "pcie-root-port",
    "ioh3420": "pcie-root-port",
    "x3130-upstream": "pcie-switch-upstream-port",
    "xio3130-downstream": "pcie-switch-downstream-port",
    "pxb": "pci-expander-bus",
    "pxb-pcie": "pcie-expander-bus",
    "pcie-pci-bridge": "pcie-to-pci-bridge",
}
_SCSI = {
    "virtio-scsi-pci": "virtio-scsi",
    "lsi": "lsilogic",
    "lsi53c895a": "lsilogic",
    "mptsas1068": "lsisas1068",
    "megasas": "lsisas1078",
    "megasas-gen2": "lsisas1078",
    "pvscsi": "vmpvscsi",
    "am53c974": "am53c974",
    "dc-390": "dc390",
}
_INPUTS = {
    "usb-tablet": ("tablet", "usb"),
    "usb-mouse": ("mouse", "usb"),
    "usb-kbd": ("keyboard", "usb"),
    "virtio-tablet-pci": ("tablet", "virtio"),
    "virtio-mouse-pci": ("mouse", "virtio"),
    "virtio-keyboard-pci": ("keyboard", "virtio"),
}
_VIDEOS = {
    "VGA": "vga",
    "cirrus-vga": "cirrus",
    "qxl-vga": "qxl",
    "qxl": "qxl",
    "vmware-svga": "vmvga",
    "virtio-vga": "virtio",
    "virtio-vga-gl": "virtio",
    "virtio-gpu-pci": "virtio",
    "virtio-gpu-gl-pci": "virtio",
    "bochs-display": "bochs",
    "ramfb": "ramfb",
}
_SOUNDS = {
    "intel-hda": "ich6",
    "ich9-intel-hda": "ich9",
    "AC97": "ac97",
    "ES1370": "es1370",
    "sb16": "sb16",
    "usb-audio": "usb",
}
_CODECS = {"hda-duplex": "duplex", "hda-micro": "micro", "hda-output": "output"}
_VARIANT = re.compile(
    r"((?:virtio|vhost-user)-[a-z0-9]+)-(?:pci|device|ccw)(-(?:non-)?transitional)?\Z"
)
_NUMBER = re.compile(r"\d+\Z")


def addDevice(p: Parts, value: str) -> None:
    """Add the device that C{-device} names; what a definition has no words for QEMU gets as it is."""
    props = properties(value, "driver")
    driver = str(props.get("driver", ""))
    found = _VARIANT.match(driver)
    base = found[1] if found is not None else driver
    model = f"virtio{found[2]}" if found is not None and found[2] is not None else None
    place, used, p.used = len(p.devices), p.used, set()
    if (
        str(dict.get(props, "id", "")) not in p.apart
        and _added(p, props, driver, base, model)
        and not _unheeded(p, props)
    ):
        used |= p.used
        p.used = used
        return
    for each in p.devices[place:]:
        p.forget(each)
    for names in (p.buses, p.controllers):
        names.pop(str(props.get("id", "")), None)
    p.used = used
    p.left += ["-device", value]


#: Properties that name what else belongs to a device, and where that is kept.
_PARTS = (
    ("netdev", "netdevs"),
    ("chardev", "chardevs"),
    ("fsdev", "fsdevs"),
    ("tpmdev", "tpmdevs"),
    ("rng", "objects"),
    ("memdev", "objects"),
)


def _unheeded(p: Parts, props: Told) -> set[str]:
    """Return what is said of a device, or of what belongs to it, that its definition does not say."""
    found, waiting = set(), [props]
    for told in waiting:
        found |= told.unread(*KNOWN)
        if not isOn(told.get("wait", "off")):
            found.discard("wait")
        for name, kept in _PARTS:
            part = getattr(p, kept).get(str(dict.get(told, name)))
            if part is not None and part not in waiting:
                waiting.append(part)
    return found


def _added(p: Parts, props: Told, driver: str, base: str, model: str | None) -> bool:
    if "audiodev" in props and not p.sound(str(props["audiodev"])):
        return False
    if base in DISKS:
        return addDisk(p, props, base, model)
    if "netdev" in props:
        return addCard(p, props, driver, base, model)
    if driver in _USB or driver in _PCI or driver in _SCSI or base == "virtio-scsi":
        return _controller(p, props, driver, base, model)
    if addPort(p, props, driver):
        return True
    handler = _OTHERS.get(base)
    if handler is not None:
        return handler(p, props, model)
    if driver in _INPUTS:
        kind, bus = _INPUTS[driver]
        p.device("input", props, type=kind, bus=bus, model=model)
        return True
    if driver in _VIDEOS:
        return _video(p, props, driver)
    if driver in _SOUNDS:
        sound = p.device("sound", props, model=_SOUNDS[driver])
        _audio(p, sound, props)
        return True
    if driver in _CODECS:
        sounds = p.devices.findall("sound")
        if not sounds or props.unread("audiodev", "cad", *KNOWN):
            return False
        props.get("cad")  # follows from their order
        add(sounds[-1], "codec", type=_CODECS[driver])
        _audio(p, sounds[-1], props)
        return True
    return False


def _audio(p: Parts, sound: Any, props: dict[str, Any]) -> None:
    name = str(props.get("audiodev", ""))
    number = name.removeprefix("audio")
    if number.isdigit() and sound.find("audio") is None and len(p.audiodevs) > 1:
        add(sound, "audio", id=number)


def _controller(p: Parts, props: dict[str, Any], driver: str, base: str, model: str | None) -> bool:
    number = _NUMBER.search(str(props.get("id", "")))
    index = number[0] if number is not None else "0"
    if driver in _USB:
        if "masterbus" not in props:
            index = p.numbered("usb", props.get("id", ""))
        found = p.device("controller", props, type="usb", model=_USB[driver])
        if "masterbus" in props:
            bus = re.match(r"usb(\d*)\.0\Z", str(props["masterbus"]))
            index = (bus[1] or "0") if bus is not None else index
            add(found, "master", startport=props.get("firstport", 0))
        found.set("index", index)
        ports = props.get("p2", props.get("ports"))
        if ports is not None:
            found.set("ports", word(ports))
            if dict.get(props, "p3") == ports:
                props.get("p3")
    elif driver in _PCI:
        # Where a name says no number, or one that another has, there is a free one.
        named = str(props.get("id", ""))
        free = p.free("pci", int(number[0]) if number is not None else 1) if named else None
        found = p.device("controller", props, type="pci", index=free, model=_PCI[driver])
        if free is not None:
            single = _PCI[driver] in ("pcie-root-port", "pcie-switch-downstream-port")
            p.buses[named] = str(free), single
        if driver in ("ioh3420", "x3130-upstream", "xio3130-downstream"):
            add(found, "model", name=driver)
        target: dict[str, Any] = {}
        for name, key in (
            ("chassis", "chassis"),
            ("port", "port"),
            ("chassis_nr", "chassisNr"),
            ("bus_nr", "busNr"),
            ("hotplug", "hotplug"),
        ):
            if name in props:
                target[key] = props[name]
        if "port" in target:
            target["port"] = hex(int(str(target["port"]), 0))
        if target or "numa_node" in props:
            made = add(found, "target", **target)
            if "numa_node" in props:
                add(made, "node", props["numa_node"])
    else:
        index = p.numbered("scsi", props.get("id", ""))
        name = model or _SCSI.get(driver, "virtio-scsi")
        found = p.device("controller", props, type="scsi", index=index, model=name)
        told = {
            key: props[said]
            for said, key in (
                ("num_queues", "queues"),
                ("cmd_per_lun", "cmd_per_lun"),
                ("max_sectors", "max_sectors"),
                ("ioeventfd", "ioeventfd"),
            )
            if said in props
        }
        if "iothread" in props:
            told["iothread"] = p.thread(props["iothread"])
            if told["iothread"] is None:
                return False
        if told:
            existing = found.find("driver")
            if existing is None:
                add(found, "driver", **told)
            else:
                for key, said in told.items():
                    existing.set(key, word(said))
    return True


def _serialBus(p: Parts, props: dict[str, Any], model: str | None) -> bool:
    index = p.numbered("virtio-serial", props.get("id", ""))
    ports = int(props["max_ports"]) if "max_ports" in props else None
    p.device(
        "controller",
        props,
        type="virtio-serial",
        index=index,
        ports=ports,
        vectors=props.get("vectors"),
        model=model,
    )
    return True


def _sata(p: Parts, props: dict[str, Any], model: str | None) -> bool:
    index = p.numbered("sata", props.get("id", ""))
    p.device("controller", props, type="sata", index=index)
    return True


def _ccid(p: Parts, props: dict[str, Any], model: str | None) -> bool:
    index = p.numbered("ccid", props.get("id", ""))
    p.device("controller", props, type="ccid", index=index)
    return True


def _video(p: Parts, props: dict[str, Any], driver: str) -> bool:
    video = p.device("video", props)
    model = add(video, "model", type=_VIDEOS[driver])
    if "vgamem_mb" in props:
        name = "vgamem" if driver.startswith("qxl") else "vram"
        model.set(name, str(int(props["vgamem_mb"]) << 10))
    for said, key, shift in (
        ("ram_size", "ram", -10),
        ("vram_size", "vram", -10),
        ("vram64_size_mb", "vram64", 10),
        ("vgamem", "vram", -10),
    ):
        if said in props:
            size = int(str(props[said]).rstrip("kK"))
            if said == "vgamem" and str(props[said])[-1:] in "kK":
                size <<= 10
            model.set(key, str(size >> 10 if shift < 0 else size << 10))
    if "max_outputs" in props:
        model.set("heads", word(props["max_outputs"]))
    if driver.endswith(("-gl", "-gl-pci")) or isOn(props.get("virgl", False)):
        add(model, "acceleration", accel3d="yes")
    if "xres" in props and "yres" in props:
        add(model, "resolution", x=props["xres"], y=props["yres"])
    if "blob" in props:
        model.set("blob", word(isOn(props["blob"])))
    return True


def _balloon(p: Parts, props: dict[str, Any], model: str | None) -> bool:
    balloon = p.device("memballoon", props, model=model or "virtio")
    for said, key in (
        ("deflate-on-oom", "autodeflate"),
        ("free-page-reporting", "freePageReporting"),
    ):
        if said in props:
            balloon.set(key, word(isOn(props[said])))
    return True


def _rng(p: Parts, props: dict[str, Any], model: str | None) -> bool:
    told = p.objects.get(str(props.get("rng", "")), Told())
    kind = {"rng-random": "random", "rng-builtin": "builtin", "rng-egd": "egd"}.get(
        str(told.get("qom-type"))
    )
    if kind is None:
        return False
    rng = p.device("rng", props, model=model or "virtio")
    if "max-bytes" in props:
        add(rng, "rate", bytes=props["max-bytes"], period=props.get("period"))
    backend = add(rng, "backend", told.get("filename"), model=kind)
    return kind != "egd" or setSource(p, backend, str(told.get("chardev", "")))


def _watchdog(name: str) -> Callable[[Parts, dict[str, Any], str | None], bool]:
    def read(p: Parts, props: dict[str, Any], model: str | None) -> bool:
        p.device("watchdog", props, model=name)
        return True

    return read


def _tpm(p: Parts, props: dict[str, Any], model: str | None) -> bool:
    told = p.tpmdevs.get(str(props.get("tpmdev", "")))
    if told is None:
        return False
    kind = told.get("backend")
    p.used.add(str(props["tpmdev"]))
    tpm = p.device("tpm", None, model=props["driver"])
    if kind == "passthrough":
        add(add(tpm, "backend", type="passthrough"), "device", path=told.get("path"))
    elif "path" in (chardev := p.chardevs.get(str(told.get("chardev", "")), Told())):
        p.used.add(str(told["chardev"]))
        backend = add(tpm, "backend", type="external")
        add(backend, "source", type="unix", mode="connect", path=chardev["path"])
    else:
        add(tpm, "backend", type="emulator", version="2.0")
        p.used.add(str(told.get("chardev", "")))
    return True


def _vsock(p: Parts, props: dict[str, Any], model: str | None) -> bool:
    vsock = p.device("vsock", props, model=model or "virtio")
    if props.get("guest-cid"):
        add(vsock, "cid", auto="no", address=props["guest-cid"])
    return True


def _panic(model: str) -> Callable[[Parts, dict[str, Any], str | None], bool]:
    def read(p: Parts, props: dict[str, Any], variant: str | None) -> bool:
        panic = p.device("panic", None, model=model)
        if "ioport" in props:
            add(panic, "address", type="isa", iobase=hex(int(str(props["ioport"]), 0)))
        return True

    return read


def _share(p: Parts, props: dict[str, Any], model: str | None) -> bool:
    told = p.fsdevs.get(str(props.get("fsdev", "")))
    if told is None or told.get("backend") != "local":
        return False
    p.used.add(str(props["fsdev"]))
    fs = p.device("filesystem", props, type="mount", model=model)
    fs.set(
        "accessmode",
        {"none": "squash", "mapped-xattr": "mapped"}.get(
            str(told.get("security_model")), str(told.get("security_model", "passthrough"))
        ),
    )
    for said, key in (("fmode", "fmode"), ("dmode", "dmode"), ("multidevs", "multidevs")):
        if said in told:
            fs.set(key, str(told[said]))
    if told.get("writeout") == "immediate":
        add(fs, "driver", type="path", wrpolicy="immediate")
    add(fs, "source", dir=told.get("path"))
    add(fs, "target", dir=props.get("mount_tag"))
    if isOn(told.get("readonly", "off")):
        add(fs, "readonly")
    return True


def _virtiofs(p: Parts, props: dict[str, Any], model: str | None) -> bool:
    chardev = p.chardevs.get(str(props.get("chardev", "")), Told())
    if "path" not in chardev:
        return False
    p.used.add(str(props["chardev"]))
    fs = p.device("filesystem", props, type="mount")
    add(fs, "driver", type="virtiofs", queue=props.get("queue-size"))
    add(fs, "source", socket=chardev["path"])
    add(fs, "target", dir=props.get("tag"))
    return True


def _hub(p: Parts, props: dict[str, Any], model: str | None) -> bool:
    p.device("hub", props, type="usb")
    return True


def _redirection(p: Parts, props: dict[str, Any], model: str | None) -> bool:
    device = p.device("redirdev", props, bus="usb")
    rules = [rule.split(":") for rule in str(props.get("filter", "")).split("|") if rule]
    if rules and p.devices.find("redirfilter") is None:
        filters = add(p.devices, "redirfilter")
        for rule in rules:
            # What is -1 is any.
            keys = ("class", "vendor", "product", "version")
            told = {key: said for key, said in zip(keys, rule, strict=False) if said != "-1"}
            if "version" in told:
                number = int(told["version"], 0)
                told["version"] = f"{number >> 8:x}.{number & 0xFF:02x}"
            add(filters, "usbdev", **told, allow="yes" if rule[-1] == "1" else "no")
    return setSource(p, device, str(props.get("chardev", "")))


def _inputHost(p: Parts, props: dict[str, Any], model: str | None) -> bool:
    if "evdev" not in props:
        return False
    add(
        p.device("input", props, type="passthrough", bus="virtio", model=model),
        "source",
        evdev=props.get("evdev"),
    )
    return True


def _memory(model: str) -> Callable[[Parts, dict[str, Any], str | None], bool]:
    def read(p: Parts, props: dict[str, Any], variant: str | None) -> bool:
        told = p.objects.get(str(props.get("memdev", "")), Told())
        if "size" not in told:
            return False
        if model == "virtio-mem" and not isOn(dict.get(told, "reserve", True)):
            told.get("reserve")
        size = int(told["size"]) >> 10
        memory = p.device("memory", props if model.startswith("virtio") else None, model=model)
        if isOn(told.get("share", False)) and model == "nvdimm":
            memory.set("access", "shared")
        if "mem-path" in told and model in ("nvdimm", "virtio-pmem"):
            source = add(memory, "source")
            add(source, "path", told["mem-path"])
            if isOn(told.get("pmem", False)):
                add(source, "pmem")
        target = add(memory, "target")
        label = int(props.get("label-size", 0)) >> 10
        add(target, "size", size, unit="KiB")
        if "node" in props:
            add(target, "node", props["node"])
        if label:
            add(add(target, "label"), "size", label, unit="KiB")
        if model == "virtio-mem":
            add(target, "block", int(props["block-size"]) >> 10, unit="KiB")
            add(target, "requested", int(props.get("requested-size", 0)) >> 10, unit="KiB")
        if isOn(props.get("unarmed", False)):
            add(target, "readonly")
        if "slot" in props:
            base = props.get("addr")
            add(
                memory,
                "address",
                type="dimm",
                slot=props["slot"],
                base=None if base is None else hex(int(str(base), 0)),
            )
        return True

    return read


def _shmem(p: Parts, props: dict[str, Any], model: str | None) -> bool:
    told = p.objects.get(str(props.get("memdev", "")), Told())
    path = str(told.get("mem-path", ""))
    if not path.startswith("/dev/shm/") or not isOn(told.get("share", False)):
        return False
    shmem = p.device("shmem", props, name=path.removeprefix("/dev/shm/"))
    add(shmem, "model", type="ivshmem-plain")
    add(shmem, "size", int(told["size"]) >> 20, unit="M")
    return True


def _iommu(p: Parts, props: dict[str, Any], model: str | None) -> bool:
    kind = {"intel-iommu": "intel", "virtio-iommu": "virtio"}[
        str(props["driver"]).removesuffix("-pci")
    ]
    iommu = p.device("iommu", props if kind == "virtio" else None, model=kind)
    told = {}
    for said, key in (
        ("intremap", "intremap"),
        ("caching-mode", "caching_mode"),
        ("eim", "eim"),
        ("device-iotlb", "iotlb"),
        ("aw-bits", "aw_bits"),
    ):
        if said in props:
            told[key] = props[said]
    if told:
        add(iommu, "driver", **told)
    return True


def _genid(p: Parts, props: dict[str, Any], model: str | None) -> bool:
    if set(props) - {"driver", "id", "guid"}:
        return False
    add(p.root, "genid", props.get("guid"))
    return True


def _vmcoreinfo(p: Parts, props: dict[str, Any], model: str | None) -> bool:
    if set(props) - {"driver", "id"}:
        return False
    p.feature("vmcoreinfo", state="on")
    return True


def _hostUSB(p: Parts, props: dict[str, Any], model: str | None) -> bool:
    device = p.device("hostdev", props, mode="subsystem", type="usb", managed="no")
    source = add(device, "source")
    if "vendorid" in props:
        add(source, "vendor", id=f"{int(str(props['vendorid']), 0):#06x}")
        add(source, "product", id=f"{int(str(props.get('productid', 0)), 0):#06x}")
    elif "hostbus" in props:
        add(source, "address", bus=props["hostbus"], device=props.get("hostaddr"))
    else:
        p.devices.remove(device)
        return False
    return True


def _hostPCI(p: Parts, props: dict[str, Any], model: str | None) -> bool:
    found = re.match(
        r"(?:([0-9a-f]{4}):)?([0-9a-f]{2}):([0-9a-f]{2})\.([0-7])\Z", str(props.get("host", ""))
    )
    if found is None:
        return False
    device = p.device("hostdev", props, mode="subsystem", type="pci", managed="no")
    place = {"domain": f"0x{found[1] or '0000'}", "bus": f"0x{found[2]}", "slot": f"0x{found[3]}"}
    add(add(device, "source"), "address", **place, function=f"0x{found[4]}")
    return True


_OTHERS: dict[str, Callable[[Parts, dict[str, Any], str | None], bool]] = {
    "virtio-serial": _serialBus,
    "ahci": _sata,
    "usb-ccid": _ccid,
    "virtio-balloon": _balloon,
    "virtio-rng": _rng,
    "i6300esb": _watchdog("i6300esb"),
    "ib700": _watchdog("ib700"),
    "tpm-tis": _tpm,
    "tpm-crb": _tpm,
    "vhost-vsock-pci": _vsock,
    "pvpanic": _panic("isa"),
    "virtio-9p": _share,
    "vhost-user-fs": _virtiofs,
    "usb-hub": _hub,
    "usb-redir": _redirection,
    "virtio-input-host-pci": _inputHost,
    "pc-dimm": _memory("dimm"),
    "nvdimm": _memory("nvdimm"),
    "virtio-mem": _memory("virtio-mem"),
    "virtio-pmem": _memory("virtio-pmem"),
    "ivshmem-plain": _shmem,
    "intel-iommu": _iommu,
    "virtio-iommu": _iommu,
    "vmgenid": _genid,
    "vmcoreinfo": _vmcoreinfo,
    "usb-host": _hostUSB,
    "vfio-pci": _hostPCI,
}
