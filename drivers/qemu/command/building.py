"""
The command line as a whole: which options there are, in which order.
"""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any

from pyvirt.definitions.domain import steps
from pyvirt.definitions.domain._net import Interface
from pyvirt.definitions.schema import replaced
from pyvirt.definitions.uuids import formatUUID
from pyvirt.drivers.qemu.addresses import assignAddresses
from pyvirt.drivers.qemu.aliases import withAliases
from pyvirt.drivers.qemu.command import devices, machineoptions
from pyvirt.drivers.qemu.command.arguments import Builder, escaped, jsonText
from pyvirt.drivers.qemu.command.chardevs import (
    addChannels,
    addConsoles,
    addParallels,
    addSerials,
)
from pyvirt.drivers.qemu.command.controllers import addControllers, addGlobals
from pyvirt.drivers.qemu.command.disks import addDisks, addFloppyController, addReservations
from pyvirt.drivers.qemu.command.displays import addAudio, addGraphics, addSounds, addVideos
from pyvirt.drivers.qemu.command.hostdevs import addHostDevices
from pyvirt.drivers.qemu.command.nets import addInterfaces
from pyvirt.drivers.qemu.command.overrides import checkCapabilities, withoutCapabilities
from pyvirt.drivers.qemu.command.startchecks import checkStart
from pyvirt.drivers.qemu.command.values import CommandLine, HostSettings, place
from pyvirt.drivers.qemu.machine import isX86
from pyvirt.drivers.qemu.refusals import unsupportedConfig
from pyvirt.errors import ErrorCode, ErrorDomain, virtError

if TYPE_CHECKING:
    from pyvirt.definitions.domain import DomainDefinition
    from pyvirt.drivers.qemu.capabilities import BinaryCapabilities

__all__ = ["commandLine"]

SANDBOX = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"


def commandLine(
    definition: DomainDefinition,
    capabilities: BinaryCapabilities,
    host: HostSettings,
    now: float = 0.0,
) -> CommandLine:
    """
    Write the command line of a guest.

    @param definition: completed: every device has its address.  Aliases are given where there are none.
    @param now: the time, in seconds since 1970, that clocks with an offset start from.
    @raise VirtError: what the binary cannot do.
    """
    if host.shown:
        definition = _exported(definition, capabilities)
    definition = withAliases(definition)
    b = Builder(definition=definition, capabilities=capabilities, host=host)
    extra = definition.qemu
    if extra is not None:
        checkCapabilities(extra)
        b.overrides = extra.overridden()
    b.bootIndexes = _bootIndexes(definition)
    checkStart(b)
    _addHead(b)
    addReservations(b)
    machineoptions.addFlash(b)
    machineoptions.addMachine(b)
    machineoptions.addTSEG(b)
    machineoptions.addCPU(b)
    machineoptions.addFirmware(b)
    machineoptions.addMemory(b)
    machineoptions.addSMP(b)
    machineoptions.addIOThreads(b)
    machineoptions.addNUMA(b)
    assert definition.uuid is not None
    b.add("-uuid", formatUUID(definition.uuid))
    _addSMBIOS(b)
    if definition.genid:
        b.device({"driver": "vmgenid", "guid": definition.genid, "id": "vmgenid0"})
    if not definition.devices.graphics:
        b.add("-display", "none")
    b.add("-no-user-config", "-nodefaults")
    _addMonitor(b)
    _addClock(b)
    if (
        definition.onReboot == "destroy"
        and definition.onPoweroff == "destroy"
        and not _setsAction(b)
    ):
        b.add("-no-reboot")
    b.add("-no-shutdown")
    if isX86(b.arch) and (definition.features is None or not definition.features.acpi):
        b.add("-no-acpi")
    _addPM(b)
    _addBoot(b)
    devices.addIOMMU(b)
    addGlobals(b)
    addControllers(b)
    addFloppyController(b)
    devices.addMemories(b)
    devices.addHubs(b)
    # Card readers may hang from a hub.
    addControllers(b, ("ccid",))
    addDisks(b)
    devices.addFilesystems(b)
    # libvirt opens what ports write to before it comes to cards, which shows in the numbers.
    ports = b.apart(addSerials, addParallels, addChannels, addConsoles)
    addInterfaces(b)
    devices.addSmartcards(b)
    b.add(*ports)
    devices.addTPMs(b)
    devices.addInputs(b)
    addAudio(b)
    addGraphics(b)
    addVideos(b)
    addSounds(b)
    devices.addWatchdogs(b)
    devices.addRedirections(b)
    addHostDevices(b)
    if host.incoming is not None:
        b.add("-incoming", host.incoming)
    devices.addBalloon(b)
    devices.addRNGs(b)
    if definition.devices.nvram is not None and definition.devices.nvram.address is not None:
        b.add("-global", f"spapr-nvram.reg={definition.devices.nvram.address.reg:#x}")
    features = definition.features
    if features is not None and features.vmcoreinfo is not None and features.vmcoreinfo.state:
        b.device({"driver": "vmcoreinfo"})
    if extra is not None:
        b.add(*extra.arguments)
        b.environment.update({name: value or "" for name, value in extra.environment})
    b.add("-sandbox", SANDBOX if host.sandbox else "off")
    devices.addPanics(b)
    devices.addShmems(b)
    devices.addVsock(b)
    if host.settings.get("log_timestamp", True):
        b.add("-msg", "timestamp=on")
    if extra is not None and extra.removed:
        b.argv = withoutCapabilities(b.argv, frozenset(extra.removed))
    argv = [definition.devices.emulator or capabilities.binary, *b.argv]
    if definition.clock.offset == "timezone" and definition.clock.timezone is not None:
        b.environment["TZ"] = definition.clock.timezone
    clock = definition.clock
    if clock.offset in ("variable", "absolute"):
        start = datetime.datetime.fromtimestamp(_clockStart(clock, now), datetime.UTC)
        argv = [word.replace("\1START\1", start.strftime("%Y-%m-%dT%H:%M:%S")) for word in argv]
    return CommandLine(
        argv=tuple(argv),
        environment=b.environment,
        files=tuple(b.files),
        secrets=tuple(b.secrets),
        folders=tuple(dict.fromkeys(b.folders)),
    )


def _exported(definition: DomainDefinition, capabilities: BinaryCapabilities) -> DomainDefinition:
    """Return what is shown where nothing is started: all networks become plain taps."""
    interfaces = tuple(
        Interface(type="ethernet", mac=nic.mac, model=nic.model)
        for nic in definition.devices.interfaces
    )
    if any(nic.model is None for nic in interfaces):
        # What is a device of the host has no chip of its own.
        raise virtError(
            ErrorCode.INTERNAL_ERROR,
            "argument key 'driver' must not have null value",
            ErrorDomain.NONE,
        )
    definition = replaced(definition, devices=replaced(definition.devices, interfaces=interfaces))
    return assignAddresses(definition, capabilities)


def _setsAction(b: Builder) -> bool:
    """Return whether what happens at a reboot is told through the monitor."""
    return "set-action" in b.capabilities.commands


def _addHead(b: Builder) -> None:
    """Add the name, and the key that secrets are encrypted with."""
    b.add("-name", f"guest={escaped(b.definition.name)},debug-threads=on")
    extra = b.definition.qemu
    behavior = extra.deprecation if extra is not None else None
    behavior = behavior or str(b.host.settings.get("deprecation_behavior", "none"))
    if behavior in _DEPRECATED:
        _addDeprecation(b, behavior)
    if b.host.freezeCPU:
        b.add("-S")
    b.add(
        "-object",
        jsonText(
            {
                "qom-type": "secret",
                "id": "masterKey0",
                "format": "raw",
                "file": f"{b.host.guestFolder}/master-key.aes",
            }
        ),
    )


#: What QEMU does with commands that are going away; None: what it would do anyway.
_DEPRECATED = {"omit": None, "reject": "reject", "crash": "crash"}


def _addDeprecation(b: Builder, behavior: str) -> None:
    """Tell QEMU what to do about commands that are going away."""
    policy = {"deprecated-output": "hide", "deprecated-input": _DEPRECATED[behavior]}
    b.add("-compat", jsonText({key: value for key, value in policy.items() if value}))


def _addMonitor(b: Builder) -> None:
    if b.host.shown:
        where = f"path={escaped(b.host.guestFolder)}/monitor.sock"
    else:
        where = f"fd={place('monitor')}"
    b.add("-chardev", f"socket,id=charmonitor,{where},server=on,wait=off")
    b.add("-mon", "chardev=charmonitor,id=monitor,mode=control")


def _clockStart(clock: Any, now: float) -> float:
    if clock.offset == "absolute":
        return float(clock.start or 0)
    return now + int(clock.adjustment or 0)


def _addClock(b: Builder) -> None:
    """Add the clock and the timers."""
    clock = b.definition.clock
    parts: list[str | None] = []
    if clock.offset in ("variable", "absolute"):
        parts.append("base=\1START\1")
    else:
        parts.append("base=utc" if clock.offset == "utc" else "base=localtime")
    for timer in clock.timers:
        if timer.name == "rtc":
            if timer.track is not None:
                parts.append(
                    {
                        "boot": None,
                        "guest": "clock=vm",
                        "wall": "clock=host",
                        "realtime": "clock=rt",
                    }[timer.track]
                )
            if timer.tickpolicy == "catchup":
                parts.append("driftfix=slew")
    b.option("-rtc", *parts)
    for timer in clock.timers:
        if timer.name == "pit" and timer.tickpolicy in (None, "delay", "discard"):
            if b.capabilities.has("kvm-pit"):
                policy = timer.tickpolicy or "delay"
                b.add("-global", f"kvm-pit.lost_tick_policy={policy}")
        elif timer.name == "hpet" and timer.present is False:
            b.add("-no-hpet")


def _addPM(b: Builder) -> None:
    pm = b.definition.pm
    if pm is None:
        return
    chip = machineoptions.pmPrefix(b)
    for name, value in (("disable_s3", pm.suspendToMem), ("disable_s4", pm.suspendToDisk)):
        if value is not None:
            b.add("-global", f"{chip}.{name}={0 if value else 1}")


def _addBoot(b: Builder) -> None:
    """Add what the firmware does first, and a kernel that is booted without it."""
    os = b.definition.os
    parts: list[str | None] = []
    if os.bootmenu is not None and os.bootmenu.enable is not None:
        parts.append(f"menu={'on' if os.bootmenu.enable else 'off'}")
        if os.bootmenu.enable and os.bootmenu.timeout is not None:
            parts.append(f"splash-time={os.bootmenu.timeout}")
    if os.bios is not None and os.bios.rebootTimeout is not None:
        parts.append(f"reboot-timeout={os.bios.rebootTimeout}")
    parts.append("strict=on")
    b.option("-boot", *parts)
    for option, value in (
        ("-kernel", os.kernel),
        ("-initrd", os.initrd),
        ("-append", os.cmdline),
        ("-dtb", os.dtb),
    ):
        if value:
            b.add(option, value)
    if os.acpiTable is not None:
        b.add("-acpitable", f"sig=SLIC,file={escaped(os.acpiTable)}")


def _bootIndexes(definition: DomainDefinition) -> dict[tuple[str, int], int]:
    """
    Turn the order of kinds of devices into one of devices.

    Of each kind the first device counts.
    """
    found: dict[tuple[str, int], int] = {}
    if steps.bootsByDevice(definition.devices):
        return found
    place = 0
    for kind in definition.os.boot:
        place += 1
        if kind == "network":
            for number, _nic in enumerate(definition.devices.interfaces):
                found[("interfaces", number)] = place
                break
            continue
        wanted = {"hd": ("disk", "lun"), "cdrom": ("cdrom",), "fd": ("floppy",)}[kind]
        for number, disk in enumerate(definition.devices.disks):
            if disk.device in wanted and ("disks", number) not in found:
                found[("disks", number)] = place
                break
    return found


def _field(name: str, value: str | None) -> str | None:
    return None if value is None else f"{name}={escaped(value)}"


#: Types of SMBIOS tables and what their entries are called on the command line.
_TABLES: dict[str, tuple[int, tuple[tuple[str, str], ...]]] = {
    "bios": (
        0,
        (("vendor", "vendor"), ("version", "version"), ("date", "date"), ("release", "release")),
    ),
    "system": (
        1,
        (
            ("manufacturer", "manufacturer"),
            ("product", "product"),
            ("version", "version"),
            ("serial", "serial"),
            ("uuid", "uuid"),
            ("sku", "sku"),
            ("family", "family"),
        ),
    ),
    "baseBoard": (
        2,
        (
            ("manufacturer", "manufacturer"),
            ("product", "product"),
            ("version", "version"),
            ("serial", "serial"),
            ("asset", "asset"),
            ("location", "location"),
        ),
    ),
    "chassis": (
        3,
        (
            ("manufacturer", "manufacturer"),
            ("version", "version"),
            ("serial", "serial"),
            ("asset", "asset"),
            ("sku", "sku"),
        ),
    ),
}


def _addSMBIOS(b: Builder) -> None:
    """Add what the guest is told of the machine's maker, and data for the firmware."""
    definition = b.definition
    if definition.os.smbios == "sysinfo":
        for info in definition.sysinfos:
            if info.type == "smbios":
                _addTables(b, info)
    for info in definition.sysinfos:
        if info.type == "fwcfg":
            for entry in info.entries:
                name, value, file = entry
                what = f"string={value}" if value else f"file={escaped(file or '')}"
                b.option("-fw_cfg", f"name={escaped(name)}", what)


def _addTables(b: Builder, info: Any) -> None:
    groups: list[tuple[str, Any]] = list(info.groups)
    if sum(group == "baseBoard" for group, _ in groups) > 1:
        raise unsupportedConfig(
            "qemu does not support more than one entry to Type 2 in SMBIOS table"
        )
    for wanted in ("bios", "system", "baseBoard", "chassis", "oemStrings"):
        for group, entries in groups:
            if group != wanted:
                continue
            if group == "oemStrings":
                b.option(
                    "-smbios",
                    "type=11",
                    *(
                        f"value={escaped(each[1] if isinstance(each, tuple) else each)}"
                        for each in entries
                    ),
                )
                continue
            number, names = _TABLES[group]
            values = dict(entries)
            parts: list[str | None] = [f"type={number}"]
            for name, key in names:
                value = values.get(name)
                if group in ("baseBoard", "chassis") and name == "manufacturer" and value is None:
                    parts.append("manufacturer=")
                else:
                    parts.append(_field(key, value))
            if len(parts) > 1:
                b.option("-smbios", *parts)
