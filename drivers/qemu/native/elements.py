"""
What a definition is put together from while a command line is read.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from itertools import pairwise
from typing import Any
from xml.etree.ElementTree import Element, SubElement

from pyvirt.definitions.domain._audio import AUDIO_OPTIONS
from pyvirt.drivers.qemu.native.words import Told, isOn, properties

__all__ = [
    "FORMS",
    "KNOWN",
    "MONITOR",
    "THREAD",
    "Parts",
    "add",
    "soundKind",
    "soundName",
    "virtioOptions",
    "word",
]

_BUS = re.compile(r"(?:pci|pcie)\.(\d+)\Z")
#: What libvirt's own names of controllers begin with, and those that users may choose.
_OURS = re.compile(
    r"(?:(?:pcie?\.\d+|(?:usb|scsi|virtio-serial|ide|sata|ccid|sound|fdc|spapr-vio)\d*)(?:\.|\Z)|ua-)"
)
_PLACE = re.compile(r"(?:0x)?([0-9a-fA-F]+)(?:\.(?:0x)?([0-7]))?\Z")


#: What libvirt's own way to QEMU is called.
MONITOR = "charmonitor"


#: What is heeded of each way that sound goes: of how, and of the form of what goes.
_WAYS = {"mixingEngine", "fixedSettings", "voices", "bufferLength"}
FORMS = ("frequency", "channels", "format")
#: What QEMU calls otherwise than definitions, of sound.
_SOUNDS = {"try-mmap": "tryMMap", "server": "serverName"}


def soundKind(told: Mapping[str, Any]) -> str:
    """Return what definitions call what is behind some sound of the host."""
    kind = str(told.get("driver"))
    return {"pa": "pulseaudio", "wav": "file"}.get(kind, kind)


def soundName(name: str) -> str:
    """Return what definitions call an option of sound."""
    first, *rest = name.split("-")
    return _SOUNDS.get(name) or first + "".join(word.capitalize() for word in rest)


#: What need not be asked for: names; what each device has that is described as this one is; descriptors, which are
#: nobody's any more.
KNOWN = (
    *("id", "driver", "backend", "qom-type", "type", "bus", "addr", "port", "device_id"),
    *("fd", "fds", "vhost", "vhostfd", "vhostfds", "mux"),
)
#: What is heeded of a thread for input and output.
THREAD = {"qom-type", "id", "thread-pool-min", "thread-pool-max"}


def word(value: Any) -> str:
    """Write a value as definitions have it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value)


def add(parent: Element, tag: str, text: Any = None, **values: Any) -> Element:
    """Add an element; attributes that are None are left out."""
    told = {name: word(value) for name, value in values.items() if value is not None}
    made = SubElement(parent, tag, told)
    if text is not None:
        made.text = str(text)
    return made


class Parts:
    """
    What is known of a guest, and what the command line has said of things that are used elsewhere.

    @ivar root: the definition; C{devices}: its devices.
    @ivar objects, nodes, drives, chardevs, netdevs, fsdevs, tpmdevs, audiodevs: by name, what the command line says.
    @ivar texts: the same as it is written, by option and name.
    @ivar left: arguments that a definition has no words for, which QEMU gets as they are.
    @ivar used: names of what is part of the definition; C{targets}: names that disks have.
    @ivar usb: the machine has USB without a device that says so; C{nvdimm}: it takes memory that lasts.
    @ivar buses: by the name of a PCI controller, its number, and whether it has room for one device only.
    @ivar apart: names of controllers that stay arguments, as something does that is on them.
    @ivar controllers: of others the number, by name.
    """

    def __init__(self, apart: Collection[str] = ()) -> None:
        self.apart = apart
        self.root = Element("domain", {"type": "qemu"})
        self.devices = Element("devices")
        self.objects: dict[str, Told] = {}
        self.nodes: dict[str, Told] = {}
        self.drives: dict[str, Told] = {}
        self.chardevs: dict[str, Told] = {}
        self.netdevs: dict[str, Told] = {}
        self.fsdevs: dict[str, Told] = {}
        self.tpmdevs: dict[str, Told] = {}
        self.audiodevs: dict[str, Told] = {}
        self.texts: dict[tuple[str, str], str] = {}
        self.left: list[str] = []
        self.used: set[str] = set()
        self.targets: dict[str, tuple[str, int]] = {}
        self.buses: dict[str, tuple[str, bool]] = {}
        self.controllers: dict[str, str] = {}
        self._numbers: dict[str, set[int]] = {}
        self._next: dict[str, int] = {}
        self.usb = False
        self.nvdimm = False

    def forget(self, device: Element) -> None:
        """Take a device away again that is not told whole."""
        self.devices.remove(device)
        if device.tag == "disk":
            name = str(device.find("target").get("dev"))  # type: ignore[union-attr]
            kind, number = self.targets.pop(name)
            self._numbers[kind].discard(number)
            self._next.pop(kind, None)

    def sound(self, name: str) -> bool:
        """Return whether definitions can say all of some sound of the host."""
        if not name.startswith("audio") or not name.removeprefix("audio").isdigit():
            return False
        told = self.audiodevs.get(name, Told())
        whole, ways = AUDIO_OPTIONS.get(soundKind(told), ((), ()))
        for said, value in told.items():
            if said in ("in", "out") and isinstance(value, dict):
                if {soundName(each) for each in value} - _WAYS - {*ways, *FORMS}:
                    return False
            elif soundName(said) not in ("id", "driver", "timerPeriod", *whole):
                return False
        return True

    def thread(self, name: Any) -> str | None:
        """Return the number of a thread for input and output that definitions can name, or None."""
        told = self.objects.get(str(name))
        number = str(name).removeprefix("iothread")
        if told is None or set(told) - THREAD or number == name or not number.isdigit():
            return None
        return number

    def rest(self, option: str, told: Told, *known: str) -> None:
        """
        Leave what nobody has asked for of an option, which may be there more than once.

        @param known: what need not be asked for.
        """
        left = [
            f"{name}={word(told[name]).replace(',', ',,')}"
            for name in told
            if name in told.unread(*known)
        ]
        if left:
            self.left += [option, ",".join(left)]

    def section(self, tag: str) -> Element:
        """Return a part of the definition that is there once."""
        found = self.root.find(tag)
        return found if found is not None else SubElement(self.root, tag)

    def bios(self) -> Element:
        """Return how the firmware behaves."""
        system = self.section("os")
        found = system.find("bios")
        return found if found is not None else add(system, "bios")

    def feature(self, name: str, **values: Any) -> Element:
        """Switch a feature of the machine on."""
        features = self.section("features")
        found = features.find(name)
        return found if found is not None else add(features, name, **values)

    def device(self, tag: str, props: Mapping[str, Any] | None = None, **values: Any) -> Element:
        """Add a device, with the address that its properties name."""
        made = add(self.devices, tag, **values)
        if props is not None:
            self.address(made, props)
            virtioOptions(made, props)
        return made

    def address(self, device: Element, props: Mapping[str, Any]) -> None:
        """Say where a device is, and what it is called if that is the user's name."""
        name = str(props.get("id", ""))
        if name.startswith("ua-"):
            add(device, "alias", name=name)
        if props.get("bootindex") is not None:
            add(device, "boot", order=props["bootindex"])
        if "acpi-index" in props:
            add(device, "acpi", index=props["acpi-index"])
        if "romfile" in props or "rombar" in props:
            file, bar = props.get("romfile"), props.get("rombar")
            shown = None if bar is None else "off" if str(bar) == "0" else "on"
            if file == "":
                add(device, "rom", enabled="no")
            else:
                add(device, "rom", bar=shown, file=file)
        bus, place = str(props.get("bus", "")), props.get("addr")
        if place is not None and (found := _PLACE.match(str(place))) is not None:
            if (index := self._bus(bus)) is None:
                _lose(props, "bus")
                return
            values: dict[str, Any] = {"type": "pci", "domain": "0x0000", "bus": f"{index:#04x}"}
            values["slot"] = f"0x{int(found[1], 16):02x}"
            values["function"] = f"0x{found[2] or 0}"
            if isOn(props.get("multifunction", False)):
                values["multifunction"] = "on"
            add(device, "address", **values)
        elif place is not None:
            _lose(props, "addr")
        elif bus in self.buses:
            only, single = self.buses[bus]
            if not single:
                _lose(props, "bus")
                return
            where = {"domain": "0x0000", "bus": f"{int(only):#04x}", "slot": "0x00"}
            add(device, "address", type="pci", **where, function="0x0")
        elif props.get("port") is not None and (number := self.on(props, "usb")) is not None:
            add(device, "address", type="usb", bus=number, port=props["port"])
        elif bus and bus not in self.controllers and not _OURS.match(bus):
            _lose(props, "bus")
        elif self._bus(bus) or self.controllers.get(bus.rpartition(".")[0], "0") != "0":
            # It is on no default one, and where on it is not said.
            _lose(props, "bus")

    def numbered(self, kind: str, name: Any) -> str:
        """Return the number of a controller, which its name ends with; or the next one, if another has that."""
        digits = re.search(r"\d+\Z", str(name))
        number = str(self.free(kind, int(digits[0]) if digits is not None else 0))
        self.controllers[str(name)] = number
        return number

    def wanted(self) -> set[str]:
        """Return controllers that something which stays an argument is on by a name that they do not keep."""
        found = set()
        for option, value in pairwise(self.left):
            if option == "-device":
                bus = str(dict.get(properties(value, "driver"), "bus", ""))
                name = bus if bus in self.buses else bus.rpartition(".")[0]
                known = name in self.buses or name in self.controllers
                if known and not _OURS.match(f"{name}."):
                    found.add(name)
        return found

    def free(self, kind: str, number: int) -> int:
        """Return a number that nothing else of its kind has: the one that is wished for, or the next one."""
        taken = self._numbers.setdefault(kind, set())
        if number in taken:
            number = self._next.get(kind, 0)
            while number in taken:
                number += 1
            self._next[kind] = number + 1
        taken.add(number)
        return number

    def on(self, props: Mapping[str, Any], *names: str) -> str | None:
        """
        Return the number of the controller that a device is on, None: it does not say so, or it is none that is known,
        and then it is not kept.

        @param names: what libvirt's names of such controllers begin with.
        """
        bus = str(props.get("bus", ""))
        name = bus.rpartition(".")[0] or bus
        if not name or name in self.controllers:
            return self.controllers.get(name)
        found = re.match(rf"(?:{'|'.join(names)})(\d*)\Z", name)
        if found is None:
            _lose(props, "bus")
            return None
        return found[1] or "0"

    def _bus(self, name: str) -> int | None:
        """Return the number of a PCI bus, None: it is none that definitions have."""
        if name in self.buses:
            return int(self.buses[name][0])
        number = _BUS.match(name)
        return int(number[1]) if number is not None else 0 if not name else None


def _lose(props: Mapping[str, Any], name: str) -> None:
    if isinstance(props, Told):
        props.lost.add(name)


def virtioOptions(device: Element, props: Mapping[str, Any]) -> None:
    """Say how a virtio device talks to its driver."""
    found = {
        name: word(isOn(props[key]))
        for key, name in (
            ("iommu_platform", "iommu"),
            ("ats", "ats"),
            ("packed", "packed"),
            ("page-per-vq", "page_per_vq"),
        )
        if key in props
    }
    if found:
        driver = device.find("driver")
        if driver is None:
            driver = add(device, "driver")
        for name, value in found.items():
            driver.set(name, value)
