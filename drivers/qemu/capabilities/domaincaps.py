"""
What a machine of a binary can have, as C{domcapabilities} tells it.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from pyvirt.definitions.kinds import escape
from pyvirt.drivers.cpus.cpumap import CPUMap
from pyvirt.drivers.qemu.capabilities.binary import BinaryCapabilities, Machine
from pyvirt.drivers.qemu.capabilities.hostmodel import hostModel
from pyvirt.drivers.qemu.machine import hasBuiltinIDE, isX86
from pyvirt.errors import ErrorCode, ErrorDomain, virtError

if TYPE_CHECKING:
    from pyvirt.drivers.qemu.firmware import Descriptor

__all__ = ["OLD_FIRMWARES", "checkKind", "domainCapabilities"]


class _Writer:
    """Lines of XML with their indentation."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._depth = 0

    def line(self, text: str) -> None:
        self.lines.append("  " * self._depth + text)

    def open(self, tag: str, attributes: str = "") -> None:
        self.line(f"<{tag}{attributes}>")
        self._depth += 1

    def close(self, tag: str) -> None:
        self._depth -= 1
        self.line(f"</{tag}>")

    def enum(self, name: str, values: Sequence[str]) -> None:
        """Write the values that an attribute may have."""
        if not values:
            self.line(f"<enum name='{name}'/>")
            return
        self.open("enum", f" name='{name}'")
        for value in values:
            self.line(f"<value>{value}</value>")
        self.close("enum")

    def device(self, tag: str, *enums: tuple[str, Sequence[str]], supported: bool = True) -> None:
        """Write one kind of device."""
        if not supported:
            self.line(f"<{tag} supported='no'/>")
            return
        self.open(tag, " supported='yes'")
        for name, values in enums:
            self.enum(name, values)
        self.close(tag)


def _if(capabilities: BinaryCapabilities, pairs: Iterable[tuple[str, str]]) -> list[str]:
    """Return the names whose devices are known."""
    return [name for name, device in pairs if capabilities.has(device)]


def checkKind(capabilities: BinaryCapabilities, machine: str, virtType: str) -> Machine:
    """
    Complain of a kind of guest that a binary cannot run.

    @return: the machine.
    @raise VirtError: INVALID_ARG.
    """
    if virtType != "qemu" and not (virtType == "kvm" and capabilities.kvm):
        accelerator = "kvm" if virtType == "kvm" else "tcg"
        raise virtError(
            ErrorCode.INVALID_ARG,
            f"the accel '{accelerator}' is not supported by '{capabilities.binary}' on this host",
            ErrorDomain.QEMU,
        )
    known = capabilities.machine(machine)
    if known is None or known.name == "none":
        raise virtError(
            ErrorCode.INVALID_ARG,
            f"the machine '{machine}' is not supported by emulator '{capabilities.binary}'",
            ErrorDomain.QEMU,
        )
    return known


def domainCapabilities(
    capabilities: BinaryCapabilities,
    table: CPUMap,
    descriptors: Iterable[Descriptor],
    *,
    machine: str,
    virtType: str = "qemu",
    arch: str | None = None,
    vfio: bool = False,
    loaders: Iterable[str] = (),
) -> str:
    """
    Write the document.

    @param machine: a name or an alias that the binary knows.
    @param descriptors: the firmwares of the host, in the order in which they are tried.
    @param arch: the architecture asked for; None for the binary's own.
    @param vfio: whether the host can hand PCI devices to guests.
    @param loaders: which of L{OLD_FIRMWARES} the host has, which are told of where no descriptor fits.
    """
    known = checkKind(capabilities, machine, virtType)
    name = known.name
    out = _Writer()
    out.open("domainCapabilities")
    out.line(f"<path>{escape(capabilities.binary)}</path>")
    out.line(f"<domain>{virtType}</domain>")
    out.line(f"<machine>{escape(name)}</machine>")
    out.line(f"<arch>{arch or capabilities.arch}</arch>")
    if known.maxCPUs:
        out.line(f"<vcpu max='{known.maxCPUs}'/>")
    out.line("<iothreads supported='yes'/>")
    _writeOS(out, capabilities, descriptors, name, arch, loaders)
    _writeCPU(out, capabilities, table, virtType)
    sources = ["file", "anonymous"]
    if capabilities.has("memory-backend-memfd"):
        sources.append("memfd")
    out.device("memoryBacking", ("sourceType", sources))
    _writeDevices(out, capabilities, name, vfio)
    _writeFeatures(out, capabilities)
    out.close("domainCapabilities")
    return "\n".join(out.lines) + "\n"


def _writeOS(
    out: _Writer,
    capabilities: BinaryCapabilities,
    descriptors: Iterable[Descriptor],
    machine: str,
    arch: str | None,
    loaders: Iterable[str],
) -> None:
    """Write which firmwares there are for guests of an architecture."""
    arch = {"i686": "i386"}.get(arch or capabilities.arch, arch or capabilities.arch)
    fitting = [
        each
        for each in descriptors
        if any(
            target == arch and any(fnmatch.fnmatchcase(machine, pattern) for pattern in patterns)
            for target, patterns in each.targets
        )
    ]
    kinds = {
        {"uefi": "efi", "bios": "bios"}.get(kind, "")
        for each in fitting
        for kind in each.interfaces
    }
    out.open("os", " supported='yes'")
    out.enum("firmware", [kind for kind in ("bios", "efi") if kind in kinds])
    out.open("loader", " supported='yes'")
    paths = list(dict.fromkeys(each.path for each in fitting))
    if not paths and isX86(capabilities.arch):
        paths = list(loaders)
    for path in paths:
        out.line(f"<value>{escape(path)}</value>")
    out.enum("type", ["rom", "pflash"])
    out.enum("readonly", ["yes", "no"])
    secure = isX86(capabilities.arch) and any("requires-smm" in each.features for each in fitting)
    out.enum("secure", ["yes", "no"] if secure else ["no"])
    out.close("loader")
    out.close("os")


#: What libvirt looks for where no descriptor fits.
OLD_FIRMWARES = ("/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_CODE.secboot.fd")


def _writeCPU(out: _Writer, capabilities: BinaryCapabilities, table: CPUMap, virtType: str) -> None:
    """Write the modes and models of processors."""
    out.open("cpu")
    if virtType == "kvm":
        out.open("mode", " name='host-passthrough' supported='yes'")
        out.enum("hostPassthroughMigratable", ["on", "off"])
        out.close("mode")
    else:
        out.line("<mode name='host-passthrough' supported='no'/>")
    out.open("mode", " name='maximum' supported='yes'")
    out.enum("maximumMigratable", ["on", "off"])
    out.close("mode")
    found = hostModel(table, capabilities)
    if found is None:
        out.line("<mode name='host-model' supported='no'/>")
    else:
        out.open("mode", " name='host-model' supported='yes'")
        out.line(f"<model fallback='forbid'>{found.model}</model>")
        if found.vendor is not None:
            out.line(f"<vendor>{found.vendor}</vendor>")
        for policy, names in (("require", found.required), ("disable", found.disabled)):
            for name in names:
                out.line(f"<feature policy='{policy}' name='{name}'/>")
        out.close("mode")
    models = [each for each in capabilities.cpus if each.name in table.models]
    if not table.models:
        models = list(capabilities.cpus)
    out.open("mode", " name='custom' supported='yes'")
    for each in models:
        usable = "unknown" if each.blockers is None else ("no" if each.blockers else "yes")
        model = table.models.get(each.name)
        vendor = (model.vendor if model is not None else None) or "unknown"
        deprecated = " deprecated='yes'" if each.deprecated else ""
        out.line(f"<model usable='{usable}'{deprecated} vendor='{vendor}'>{each.name}</model>")
    out.close("mode")
    out.close("cpu")


def _writeDevices(out: _Writer, capabilities: BinaryCapabilities, machine: str, vfio: bool) -> None:
    """Write the devices that there are."""
    arch = capabilities.arch
    virtio = ["virtio", "virtio-transitional", "virtio-non-transitional"]
    out.open("devices")
    buses = []
    if hasBuiltinIDE(machine, arch):
        buses.append("ide")
    if isX86(arch):
        buses.append("fdc")
    buses += ["scsi", "virtio"]
    if capabilities.has("usb-storage"):
        buses.append("usb")
    if capabilities.has("ich9-ahci") or capabilities.has("ahci"):
        buses.append("sata")
    out.device(
        "disk",
        ("diskDevice", ["disk", "cdrom", "floppy", "lun"]),
        ("bus", buses),
        ("model", virtio),
    )
    displays = ["sdl", "vnc"]
    if "spice" in capabilities.options:
        displays.append("spice")
    displays += ["egl-headless"]
    if "chardev.dbus" in capabilities.enums or capabilities.has("chardev-dbus"):
        displays.append("dbus")
    out.device("graphics", ("type", displays))
    videos = _if(
        capabilities,
        (
            ("vga", "VGA"),
            ("cirrus", "cirrus-vga"),
            ("vmvga", "vmware-svga"),
            ("qxl", "qxl"),
            ("virtio", "virtio-gpu-pci"),
        ),
    )
    videos.append("none")
    videos += _if(capabilities, (("bochs", "bochs-display"), ("ramfb", "ramfb")))
    out.device("video", ("modelType", videos))
    subsystems = ["usb", "pci", "scsi"]
    out.device(
        "hostdev",
        ("mode", ["subsystem"]),
        ("startupPolicy", ["default", "mandatory", "requisite", "optional"]),
        ("subsysType", subsystems),
        ("capsType", []),
        ("pciBackend", ["default", "vfio"] if vfio else []),
    )
    backends = _if(
        capabilities,
        (("random", "rng-random"), ("egd", "rng-egd"), ("builtin", "rng-builtin")),
    )
    out.device("rng", ("model", virtio), ("backendModel", backends))
    drivers = ["path", "handle"]
    if capabilities.has("vhost-user-fs-device"):
        drivers.append("virtiofs")
    out.device("filesystem", ("driverType", drivers))
    models = [
        each
        for each in ("tpm-tis", "tpm-crb", "tpm-spapr", "spapr-tpm-proxy")
        if each in capabilities.tpmModels
    ]
    if models:
        kinds: list[str] = [
            each for each in ("passthrough", "emulator") if each in capabilities.tpmTypes
        ]
        if "emulator" in kinds:
            kinds.append("external")
        out.device(
            "tpm",
            ("model", models),
            ("backendModel", kinds),
            ("backendVersion", ["1.2", "2.0"]),
        )
    else:
        out.device("tpm", supported=False)
    out.device("redirdev", ("bus", ["usb"]), supported=capabilities.has("usb-redir"))
    channels = ["pty", "unix"]
    if "spice" in capabilities.options:
        channels.append("spicevmc")
    out.device("channel", ("type", channels))
    out.close("devices")


def _writeFeatures(out: _Writer, capabilities: BinaryCapabilities) -> None:
    """Write what else there is."""
    out.open("features")
    out.line("<gic supported='no'/>")
    for tag, there in (
        ("vmcoreinfo", capabilities.has("vmcoreinfo")),
        ("genid", capabilities.has("vmgenid")),
        ("backingStoreInput", True),
        ("backup", True),
        ("sev", False),
        ("sgx", False),
    ):
        out.line(f"<{tag} supported='{'yes' if there else 'no'}'/>")
    if isX86(capabilities.arch):
        found = [
            name
            for name, prop in _HYPERV
            if prop in ("spinlocks", "vendor-id")
            or capabilities.expansion.get(f"hv-{prop}") is True
        ]
        out.open("hyperv", " supported='yes'")
        out.enum("features", found)
        out.close("hyperv")
    out.close("features")


#: Enlightenments and the properties of a processor that they are.
_HYPERV = (
    ("relaxed", "relaxed"),
    ("vapic", "vapic"),
    ("spinlocks", "spinlocks"),
    ("vpindex", "vpindex"),
    ("runtime", "runtime"),
    ("synic", "synic"),
    ("stimer", "stimer"),
    ("reset", "reset"),
    ("vendor_id", "vendor-id"),
    ("frequencies", "frequencies"),
    ("reenlightenment", "reenlightenment"),
    ("tlbflush", "tlbflush"),
    ("ipi", "ipi"),
    ("evmcs", "evmcs"),
    ("avic", "avic"),
)
