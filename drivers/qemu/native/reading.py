"""
A command line as the definition that would give it: what has no place in a definition goes along as it is.
"""

from __future__ import annotations

import os
import re
import shutil
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

from pyvirt.drivers.qemu.native.devices import addDevice
from pyvirt.drivers.qemu.native.disks import addDrive
from pyvirt.drivers.qemu.native.displays import addDisplay, addSpice, addVNC
from pyvirt.drivers.qemu.native.elements import FORMS, MONITOR, Parts, add, soundKind, soundName
from pyvirt.drivers.qemu.native.machine import MACHINE
from pyvirt.drivers.qemu.native.words import Words, properties, split
from pyvirt.drivers.qemu.refusals import invalidArgument
from pyvirt.errors import VirtError

__all__ = ["readNative"]

_QEMU = "http://libvirt.org/schemas/domain/qemu/1.0"
#: Variables that every guest is started with.
_USUAL = {
    "LC_ALL",
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "TMPDIR",
    "XDG_DATA_HOME",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "QEMU_AUDIO_DRV",
    "LD_PRELOAD",
    "LD_LIBRARY_PATH",
}
_ARCHITECTURES = {"kvm": "x86_64", "qemu-kvm": "x86_64"}


#: Options that say of something how it is called, by what else they name first and where that is kept.
_NAMED = {
    "-object": ("qom-type", "objects"),
    "-blockdev": ("driver", "nodes"),
    "-netdev": ("type", "netdevs"),
    "-chardev": ("backend", "chardevs"),
    "-fsdev": ("backend", "fsdevs"),
    "-tpmdev": ("backend", "tpmdevs"),
    "-audiodev": ("driver", "audiodevs"),
}


def readNative(text: str) -> str:
    """
    Write the definition of a command line.

    @param text: as a shell takes it: variables, the program, its options.
    @raise VirtError: INVALID_ARG: it makes no sense.
    """
    words = split(text)
    apart: set[str] = set()
    p = _read(words, apart)
    for _ in range(_DEEPEST):
        more = p.wanted() - apart
        if not more:
            break
        apart |= more
        p = _read(words, apart)
    _finish(p, words)
    return tostring(p.root, encoding="unicode")


#: So deep controllers that stay arguments may lie below each other.
_DEEPEST = 8


def _read(words: Words, apart: set[str]) -> Parts:
    """Read all options, but for C{apart}: names of controllers that stay arguments."""
    p = Parts(apart)
    _remember(p, words)
    _system(p, words)
    for name, value in words.options:
        try:
            _option(p, name, value)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as problem:
            # A number that is none, or a list where one value is expected.
            raise invalidArgument(
                f"'{name} {(value or '')[:200]}' makes no sense: {problem}"
            ) from None
    return p


def _remember(p: Parts, words: Words) -> None:
    """Take down what other options refer to."""
    for option, value in words.options:
        if option in _NAMED and value is not None:
            first, key = _NAMED[option]
            told = properties(value, first)
            name = str(told.get("node-name" if option == "-blockdev" else "id", ""))
            getattr(p, key)[name] = told
            p.texts[option, name] = value
        elif option == "-drive" and value is not None:
            told = properties(value, "file")
            if told.get("if") == "none":
                name = str(told.get("id", ""))
                p.drives[name] = told
                p.texts[option, name] = value


def _system(p: Parts, words: Words) -> None:
    """Say what system it is, by the program's name."""
    name = os.path.basename(words.program)
    found = re.match(r"qemu-system-(\w+)\Z", name)
    arch = found[1] if found is not None else _ARCHITECTURES.get(name, "x86_64")
    kind = add(p.section("os"), "type", "hvm", arch={"i386": "i686"}.get(arch, arch))
    del kind
    if name in _ARCHITECTURES:
        p.root.set("type", "kvm")


def _option(p: Parts, name: str, value: str | None) -> None:
    said = value or ""
    if name in MACHINE and name != "-display":
        MACHINE[name](p, said)
    elif name == "-device":
        addDevice(p, said)
    elif name == "-drive":
        addDrive(p, said)
    elif name in ("-hda", "-hdb", "-hdc", "-hdd"):
        addDrive(p, f"file={said.replace(',', ',,')},index={'abcd'.index(name[-1])}")
    elif name in ("-fda", "-fdb"):
        addDrive(p, f"file={said.replace(',', ',,')},if=floppy,index={'ab'.index(name[-1])}")
    elif name == "-cdrom":
        addDrive(p, f"file={said.replace(',', ',,')},media=cdrom,index=2")
    elif name == "-vnc":
        addVNC(p, said)
    elif name == "-spice":
        addSpice(p, said)
    elif name == "-display":
        addDisplay(p, said)
    elif name == "-k":
        for graphics in p.devices.findall("graphics"):
            graphics.set("keymap", said)
    elif name == "-watchdog-action":
        for watchdog in p.devices.findall("watchdog"):
            watchdog.set("action", {"inject-nmi": "inject-nmi"}.get(said, said))
    elif name == "-serial" and said == "pty":
        p.device("serial", None, type="pty")
    elif name == "-usbdevice" and said in ("tablet", "mouse", "keyboard"):
        p.device("input", None, type=said, bus="usb")
    elif name == "-usb":
        p.usb = True
    else:
        p.left += [name] if value is None else [name, value]


def _finish(p: Parts, words: Words) -> None:
    """Put together what was found, and what has to be there."""
    root = p.root
    if root.find("name") is None:
        add(root, "name", "unnamed")
    if root.find("memory") is None:
        add(root, "memory", 128, unit="MiB")
    features = p.section("features")
    if features.attrib.pop("acpi", None) is None:
        features.insert(0, Element("acpi"))
    if root.find("on_reboot") is not None:
        add(root, "on_poweroff", "destroy")
    _audio(p)
    keymap = next((said for name, said in words.options if name == "-k"), None)
    for graphics in p.devices.findall("graphics"):
        if keymap is not None and graphics.get("type") in ("vnc", "spice"):
            graphics.set("keymap", keymap)
    if p.devices.find("memballoon") is None:
        add(p.devices, "memballoon", model="none")
    if p.nvdimm and p.devices.find("memory[@model='nvdimm']") is None:
        p.left += ["-machine", "nvdimm=on"]
    if not p.usb and not _usesUSB(p.devices):
        add(p.devices, "controller", type="usb", model="none")
    shown = p.devices.find("graphics") is not None and p.devices.find("video") is None
    if shown and any(name == "-nodefaults" for name, _ in words.options):
        add(add(p.devices, "video"), "model", type="none")
    # By its name alone it is the usual one, unless a shell would find it.
    program = shutil.which(words.program) or words.program
    if program.startswith("/"):
        p.devices.insert(0, _text("emulator", program))
    root.append(p.devices)
    _referred(p)
    variables = [(name, said) for name, said in words.environment if name not in _USUAL]
    if p.left or variables:
        extra = SubElement(root, f"{{{_QEMU}}}commandline")
        for word in p.left:
            SubElement(extra, f"{{{_QEMU}}}arg", {"value": word})
        for name, said in variables:
            SubElement(extra, f"{{{_QEMU}}}env", {"name": name, "value": said})


def _usesUSB(devices: Element) -> bool:
    """Return whether there is anything on USB, or a controller for it."""
    return any(
        each.get("bus") == "usb"
        or (each.tag in ("controller", "hub", "hostdev") and each.get("type") == "usb")
        for each in devices.iter()
    )


def _text(tag: str, text: str) -> Element:
    made = Element(tag)
    made.text = text
    return made


def _audio(p: Parts) -> None:
    for name, told in p.audiodevs.items():
        if not p.sound(name):
            continue
        number = name.removeprefix("audio")
        audio = add(p.devices, "audio", id=number, type=soundKind(told))
        for said, value in told.items():
            if said in ("in", "out") and isinstance(value, dict):
                _direction(audio, {"in": "input", "out": "output"}[said], value)
            elif said not in ("id", "driver"):
                audio.set(soundName(said), _yes(value))


def _yes(value: Any) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _direction(audio: Element, tag: str, told: dict[str, Any]) -> None:
    """Say how sound goes in, or out."""
    made = add(audio, tag)
    settings = {}
    for said, value in told.items():
        if said in FORMS:
            settings[said] = value
        else:
            made.set(soundName(said), _yes(value))
    if settings:
        add(made, "settings", **settings)


def _referred(p: Parts) -> None:
    """Let what is left as it is bring along what it refers to; and keep what nothing refers to, but for objects."""
    named: set[str] = set()
    byName: dict[str, list[str]] = {}
    for (_, name), text in p.texts.items():
        byName.setdefault(name, []).append(text)
    waiting = [word for word in p.left if not word.startswith("-")]
    while waiting:
        word = waiting.pop()
        try:
            told: dict[str, Any] = properties(word, "driver")
        except VirtError:
            continue
        for said in map(str, told.values()):
            if said not in named:
                named.add(said)
                waiting += byName.get(said, ())
    brought: list[str] = []
    left = set(p.left)
    for (option, name), text in p.texts.items():
        kept = name in p.used or name == MONITOR
        if option == "-audiodev":
            kept = p.sound(name)
        kept = kept or text in left
        if not kept and (name in named or option != "-object"):
            brought += [option, text]
    p.left[:0] = brought
