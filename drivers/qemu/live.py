"""
Definitions of running guests: what is decided when a guest starts, and what is learnt from it.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pyvirt.definitions.domain import DomainDefinition
from pyvirt.definitions.domain._address import DIMMAddress, VirtioSerialAddress
from pyvirt.definitions.domain._display import Listen
from pyvirt.definitions.domain._os import Resource
from pyvirt.definitions.schema import replaced
from pyvirt.drivers.qemu.aliases import withAliases
from pyvirt.drivers.qemu.blocks.chain import NOBODY, chainsDetected
from pyvirt.drivers.qemu.busdisplays import busAddress
from pyvirt.drivers.qemu.command.displays import autoSocket
from pyvirt.drivers.qemu.fdgroups import Groups
from pyvirt.drivers.qemu.guest import Guest
from pyvirt.drivers.qemu.refusals import internal, unsupportedConfig
from pyvirt.drivers.qemu.volumes import mayBeMissing
from pyvirt.errors import VirtError

if TYPE_CHECKING:
    from pyvirt.drivers.qemu.hypervisor import Hypervisor

__all__ = [
    "channelPlaced",
    "encrypting",
    "encryptingAll",
    "learnChardevs",
    "learnDrives",
    "learnMemories",
    "prepareLive",
    "releasePorts",
    "setChannelState",
    "setMemorySize",
    "setTray",
    "takenMemory",
    "uncached",
]

#: Groups of devices that have an end on the host.
_CHARDEVS = ("serials", "parallels", "channels", "consoles")


def aligned(definition: DomainDefinition) -> DomainDefinition:
    """Give a guest whole mebibytes of memory, each cell too, and modules of twice that."""

    def up(size: int, step: int) -> int:
        return -(-size // step) * step

    devices, cpu = definition.devices, definition.cpu
    plugged = 0
    changes: dict[str, Any] = {}
    modules = []
    for each in devices.memories:
        assert each.target is not None
        plugged += each.target.size or 0
        size = up(each.target.size or 0, 2048)
        modules.append(replaced(each, target=replaced(each.target, size=size)))
    total = up(definition.memory.amount - plugged, 1024)
    if cpu is not None and cpu.numa is not None:
        cells = tuple(replaced(each, memory=up(each.memory, 1024)) for each in cpu.numa.cells)
        total = sum(each.memory for each in cells)
        changes["cpu"] = replaced(cpu, numa=replaced(cpu.numa, cells=cells))
    for module in modules:
        assert module.target is not None
        total += module.target.size or 0
    if total == definition.memory.amount:
        return definition
    if definition.currentMemory in (None, definition.memory.amount):
        changes["currentMemory"] = total
    return replaced(
        definition,
        memory=replaced(definition.memory, amount=total),
        devices=replaced(devices, memories=tuple(modules)),
        **changes,
    )


def prepareLive(
    hypervisor: Hypervisor,
    definition: DomainDefinition,
    guest: Guest,
    *,
    boots: bool = True,
    left: list[Any] | None = None,
    groups: Groups = NOBODY,
) -> DomainDefinition:
    """
    Decide what only a running guest has: names of devices, sockets of channels, ports of displays.

    @param boots: it starts from nothing; else its memory comes from elsewhere.
    @param groups: descriptors that images are given as.
    @param left: gets the disks whose images are not there and which may be missing: a drive is empty then, a disk is
        left out.
    @raise VirtError: there is no port left, or an image is missing that must be there.
    """

    def missing(disk: Any, problem: VirtError) -> Any:
        if not mayBeMissing(disk, boots):
            raise problem
        if left is not None:
            left.append(disk)
        if disk.device in ("cdrom", "floppy"):
            driver = disk.driver and replaced(disk.driver, type=None)
            return replaced(disk, source=None, backingStore=None, driver=driver)
        return None

    definition = aligned(withAliases(definition))
    if hypervisor.privileged:
        definition = inPartition(definition)
    definition = encryptingAll(definition, hypervisor.config.values)
    definition = chainsDetected(
        definition, guest.takeNode, guest.owner or hypervisor.owner or (0, 0), missing, groups
    )
    devices = definition.devices
    channels = tuple(channelPlaced(channel, guest) for channel in devices.channels)
    displays = tuple(
        _withPorts(hypervisor, definition.name, each, guest) for each in devices.graphics
    )
    disks = tuple(uncached(disk) for disk in devices.disks)
    devices = replaced(devices, disks=disks, channels=channels, graphics=displays)
    return replaced(definition, devices=devices)


def uncached(disk: Any) -> Any:
    """See to it that what one guest writes to a disk that it shares the others read."""
    driver = disk.driver
    if not disk.shareable or disk.readonly or driver is None or driver.cache is not None:
        return disk
    return replaced(disk, driver=replaced(driver, cache="none"))


def channelPlaced(channel: Any, guest: Guest) -> Any:
    """Decide where the socket of a channel lies that names no place."""
    source = channel.source
    if source.type != "unix" or source.path is not None:
        return channel
    name = channel.target.name
    if name is None:
        place = channel.address
        if not isinstance(place, VirtioSerialAddress):
            place = VirtioSerialAddress()
        name = f"vioser-{place.controller:02}-{place.bus:02}-{place.port:02}.sock"
    path = os.path.join(guest.channels, name.replace("/", "_"))
    return replaced(channel, source=replaced(source, path=path, mode="bind"))


def encrypting(device: Any, settings: Mapping[str, Any]) -> Any:
    """
    Decide whether a connection is encrypted of which nobody says that.

    @param device: one with an end on the host, or a generator of random numbers.
    @param settings: keys of qemu.conf with their values.
    """
    if hasattr(device, "backend"):
        return replaced(device, backend=encrypting(device.backend, settings))
    source = getattr(device, "source", None)
    if getattr(source, "type", None) != "tcp" or getattr(source, "tls", False) is not None:
        return device
    return replaced(device, source=replaced(source, tls=bool(settings["chardev_tls"])))


def encryptingAll(definition: DomainDefinition, settings: Mapping[str, Any]) -> DomainDefinition:
    """As L{encrypting}, of all devices of a guest."""
    devices = definition.devices
    changes = {
        group: tuple(encrypting(each, settings) for each in getattr(devices, group))
        for group in (*_CHARDEVS, "smartcards", "redirdevs", "rngs")
        if getattr(devices, group)
    }
    return replaced(definition, devices=replaced(devices, **changes)) if changes else definition


def inPartition(definition: DomainDefinition) -> DomainDefinition:
    """Say in which group of processes a guest is, where there are any."""
    if definition.resource is not None:
        return definition
    try:
        with open("/proc/mounts") as file:
            kinds = {line.split()[2] for line in file}
    except (OSError, IndexError):
        return definition
    if not kinds & {"cgroup", "cgroup2"}:
        return definition
    return replaced(definition, resource=Resource(partition="/machine"))


def named(definition: DomainDefinition) -> DomainDefinition:
    """Give every device of a guest that is found again the name that QEMU calls it by."""
    definition = withAliases(definition)
    # Of buses that are not there libvirt reads no name either.
    controllers = tuple(
        replaced(each, alias=None) if (each.type, each.model) == ("usb", "none") else each
        for each in definition.devices.controllers
    )
    return replaced(definition, devices=replaced(definition.devices, controllers=controllers))


# Ports of displays


def _withSocket(display: Any, guest: Guest) -> Any:
    """Say at which socket a display is reached that nobody named."""
    first = display.listens[0]
    if first.socket is not None:
        return display
    path = os.path.join(guest.folder, f"{display.type}.sock")
    listens = (replaced(first, socket=path), *display.listens[1:])
    return replaced(display, listens=listens)


def _withPorts(hypervisor: Hypervisor, name: str, display: Any, guest: Guest) -> Any:
    if display.type == "dbus" and not display.p2p and display.address is None:
        return replaced(display, address=busAddress(hypervisor, name, guest.id))
    listen = display.listens[0].type if display.listens else "address"
    if listen == "socket" and display.type in ("vnc", "spice"):
        return _withSocket(display, guest)
    if display.type not in ("vnc", "spice") or listen not in ("address", "network"):
        return display
    config = hypervisor.config
    if listen == "address" and autoSocket(display, config.values):
        # A socket has no ports.
        changed = replaced(
            display,
            listens=(Listen(type="socket", fromConfig=True), *display.listens[1:]),
            port=None,
            tlsPort=None,
            autoport=None,
            websocket=None,
        )
        return _withSocket(changed, guest)
    if listen == "address" and display.listens and display.listens[0].address is None:
        # What listens where nobody says where listens where the configuration says.
        first = replaced(
            display.listens[0],
            address=config[f"{display.type}_listen"] or "127.0.0.1",
            fromConfig=True,
        )
        display = replaced(display, listens=(first, *display.listens[1:]))
    least, most = config["remote_display_port_min"], config["remote_display_port_max"]
    if display.type == "vnc":
        changes: dict[str, Any] = {}
        if display.port in (None, -1):
            changes.update(port=_free(hypervisor, guest, least, most), autoport=True)
        if display.websocket == -1:
            changes["websocket"] = _free(
                hypervisor,
                guest,
                config["remote_websocket_port_min"],
                config["remote_websocket_port_max"],
            )
        return replaced(display, **changes) if changes else display
    changes = {}
    if display.port in (None, -1) and (display.autoport or display.port is not None):
        changes["port"] = _free(hypervisor, guest, least, most)
    if display.tlsPort == -1 and display.autoport is False and not config["spice_tls"]:
        raise unsupportedConfig(_NO_TLS)
    if display.autoport and display.defaultMode == "secure" and not config["spice_tls"]:
        raise unsupportedConfig(_NO_TLS)
    if display.tlsPort == -1 and config["spice_tls"]:
        changes["tlsPort"] = _free(hypervisor, guest, least, most)
    return replaced(display, **changes) if changes else display


_NO_TLS = "Auto allocation of spice TLS port requested but spice TLS is disabled in qemu.conf"


def _ports(hypervisor: Hypervisor) -> dict[int, Guest]:
    found: dict[int, Guest] | None = getattr(hypervisor, "ports", None)
    if found is None:
        found = {}
        hypervisor.ports = found  # type: ignore[attr-defined]
    return found


def _free(hypervisor: Hypervisor, guest: Guest, least: int, most: int) -> int:
    taken = _ports(hypervisor)
    for port in range(least, most + 1):
        if port in taken:
            continue
        try:
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(("0.0.0.0", port))
        except OSError:
            continue
        taken[port] = guest
        return port
    raise internal(f"Unable to find an unused port in range 'display' ({least}-{most})")


def reclaimPorts(hypervisor: Hypervisor, definition: DomainDefinition, guest: Guest) -> None:
    """Take the ports of a guest that was found again."""
    for display in definition.devices.graphics:
        for port in (display.port, display.tlsPort, display.websocket):
            if port is not None and port > 0:
                _ports(hypervisor)[port] = guest


def releasePorts(hypervisor: Hypervisor, guest: Guest) -> None:
    """Let others have the ports of a guest that is gone."""
    taken = _ports(hypervisor)
    for port in [port for port, holder in taken.items() if holder is guest]:
        del taken[port]


# What is learnt


def learnChardevs(
    definition: DomainDefinition, reply: Any, *, states: bool = True
) -> DomainDefinition:
    """
    Put the terminals that QEMU has opened into the definition.

    @param reply: to C{query-chardev}.
    @param states: and whether somebody in the guest has opened channels.
    """
    paths: dict[str, str] = {}
    opened: dict[str, bool] = {}
    for each in reply if isinstance(reply, list) else ():
        if isinstance(each, dict) and isinstance(each.get("label"), str):
            name = str(each.get("filename", ""))
            if name.startswith("pty:"):
                paths[each["label"]] = name[4:]
            if "frontend-open" in each:
                opened[each["label"]] = bool(each["frontend-open"])
    changes: dict[str, Any] = {}
    for group in _CHARDEVS:
        found = []
        for device in getattr(definition.devices, group):
            path = paths.get(f"char{device.alias}")
            if path is not None and device.source.type == "pty":
                device = replaced(device, source=replaced(device.source, path=path))
            if states and group == "channels" and device.target.type == "virtio":
                word = "connected" if opened.get(f"char{device.alias}") else "disconnected"
                device = replaced(device, target=replaced(device.target, state=word))
            found.append(device)
        changes[group] = tuple(found)
    return replaced(definition, devices=replaced(definition.devices, **changes))


def learnMemories(definition: DomainDefinition, reply: Any) -> DomainDefinition:
    """
    Put into the definition where memory lies that was plugged in, and how much of it the guest has taken.

    @param reply: to C{query-memory-devices}.
    """
    places: dict[str, int] = {}
    sizes: dict[str, int] = {}
    for each in reply if isinstance(reply, list) else ():
        data = each.get("data") if isinstance(each, dict) else None
        if isinstance(data, dict):
            for found, name in ((places, "addr"), (sizes, "size")):
                if type(data.get(name)) is int and data[name] >= 0:
                    found[str(data.get("id"))] = data[name]
    memories = []
    for memory in definition.devices.memories:
        base = places.get(memory.alias or "")
        if base is not None and isinstance(memory.address, DIMMAddress):
            memory = replaced(memory, address=replaced(memory.address, base=base))
        size = sizes.get(memory.alias or "")
        if size is not None and memory.model == "virtio-mem":
            memory = replaced(memory, target=replaced(memory.target, current=-(-size // 1024)))
        memories.append(memory)
    return replaced(definition, devices=replaced(definition.devices, memories=tuple(memories)))


def setMemorySize(
    definition: DomainDefinition, alias: str, size: int
) -> tuple[DomainDefinition, bool]:
    """
    Put into the definition how much of a module a guest has taken.

    @param size: in bytes.
    @return: and whether there is that module.
    """
    if all(each.alias != alias for each in definition.devices.memories):
        return definition, False
    changed = learnMemories(definition, [{"data": {"id": alias, "size": size}}])
    current = definition.currentMemory
    if current is not None:
        current += takenMemory(changed) - takenMemory(definition)
    return replaced(changed, currentMemory=current), True


def takenMemory(definition: DomainDefinition) -> int:
    """Return how much memory a guest has taken of modules of which it need not take all, in KiB."""
    return sum(
        each.target.current or 0 for each in definition.devices.memories if each.target is not None
    )


def learnDrives(definition: DomainDefinition, reply: Any) -> DomainDefinition:
    """
    Put into the definition which drives are empty, and which trays are open.

    @param reply: to C{query-block}.
    """
    drives: dict[str, dict[str, Any]] = {}
    for each in reply if isinstance(reply, list) else ():
        if isinstance(each, dict) and each.get("removable"):
            qdev = str(each.get("qdev", "")).removeprefix("/machine/peripheral/").partition("/")[0]
            drives[qdev or str(each.get("device", ""))] = each
    disks = []
    for disk in definition.devices.disks:
        drive = drives.get(disk.alias or "")
        if drive is not None:
            if "inserted" not in drive and disk.source is not None:
                driver = disk.driver and replaced(disk.driver, type=None)
                disk = replaced(disk, type="file", source=None, backingStore=None, driver=driver)
            if disk.target is not None:
                tray = "open" if drive.get("tray_open") else None
                disk = replaced(disk, target=replaced(disk.target, tray=tray))
        disks.append(disk)
    return replaced(definition, devices=replaced(definition.devices, disks=tuple(disks)))


def setTray(definition: DomainDefinition, alias: str, isOpen: bool) -> DomainDefinition:
    """Say that the tray of a drive has been opened or closed."""
    disks = tuple(
        replaced(disk, target=replaced(disk.target, tray="open" if isOpen else None))
        if disk.alias == alias
        else disk
        for disk in definition.devices.disks
    )
    return replaced(definition, devices=replaced(definition.devices, disks=disks))


def setChannelState(
    definition: DomainDefinition, alias: str, connected: bool
) -> tuple[DomainDefinition, bool, bool]:
    """
    Say that somebody in the guest opened or closed a channel.

    @return: the definition, whether it changed, and whether the channel is the agent's.
    """
    word = "connected" if connected else "disconnected"
    channels = list(definition.devices.channels)
    for number, channel in enumerate(channels):
        if channel.alias != alias:
            continue
        isAgent = channel.target.name == "org.qemu.guest_agent.0"
        if channel.target.state == word:
            return definition, False, isAgent
        channels[number] = replaced(channel, target=replaced(channel.target, state=word))
        devices = replaced(definition.devices, channels=tuple(channels))
        return replaced(definition, devices=devices), True, isAgent
    return definition, False, False
