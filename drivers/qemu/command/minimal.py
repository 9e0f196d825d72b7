"""
A command line for the simplest guests: kernel and initrd, memory, serial ports, disks of files.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pyvirt.definitions.uuids import formatUUID
from pyvirt.drivers.qemu.command.values import CommandLine, HostSettings, place

if TYPE_CHECKING:
    from pyvirt.definitions.domain import DomainDefinition
    from pyvirt.drivers.qemu.capabilities import BinaryCapabilities

__all__ = ["minimalCommandLine"]


def minimalCommandLine(
    definition: DomainDefinition, capabilities: BinaryCapabilities, host: HostSettings
) -> CommandLine:
    """Write the command line."""
    assert definition.uuid is not None
    devices = definition.devices
    accel = "kvm" if definition.type == "kvm" else "tcg"
    machine = definition.os.type.machine or "pc"
    argv: list[str] = [
        devices.emulator or capabilities.binary,
        *("-name", f"guest={definition.name.replace(',', ',,')},debug-threads=on"),
        "-S",
        *("-machine", f"{machine},usb=off,dump-guest-core=off"),
        *("-accel", accel),
        *("-m", str(definition.memory.amount // 1024)),
        *("-smp", f"{definition.vcpu.maximum},sockets={definition.vcpu.maximum},cores=1,threads=1"),
        *("-uuid", formatUUID(definition.uuid)),
        *("-display", "none"),
        "-no-user-config",
        "-nodefaults",
        *("-chardev", f"socket,id=charmonitor,fd={place('monitor')},server=on,wait=off"),
        *("-mon", "chardev=charmonitor,id=monitor,mode=control"),
        *("-rtc", "base=utc"),
        "-no-shutdown",
        *("-boot", "strict=on"),
    ]
    os = definition.os
    for option, value in (("-kernel", os.kernel), ("-initrd", os.initrd), ("-append", os.cmdline)):
        if value:
            argv += [option, value]
    for number, disk in enumerate(devices.disks):
        path = getattr(disk.source, "file", None)
        if not path:
            continue
        file: dict[str, Any] = {
            "driver": "file",
            "filename": path,
            "node-name": f"libvirt-{number + 1}-storage",
            "auto-read-only": True,
            "discard": "unmap",
        }
        format = (disk.driver.type if disk.driver else None) or "raw"
        node: dict[str, Any] = {
            "node-name": f"libvirt-{number + 1}-format",
            "read-only": False,
            "driver": format,
            "file": f"libvirt-{number + 1}-storage",
        }
        argv += ["-blockdev", json.dumps(file), "-blockdev", json.dumps(node)]
        device = {
            "driver": "virtio-blk-pci",
            "drive": node["node-name"],
            "id": f"virtio-disk{number}",
        }
        argv += ["-device", json.dumps(device)]
    for number, serial in enumerate(devices.serials):
        source = serial.source
        kind = source.type if source is not None else "pty"
        backend = {"pty": "pty", "null": "null"}.get(kind, "null")
        if source is not None and kind == "file" and source.path:
            backend = f"file,path={source.path}"
        argv += ["-chardev", f"{backend},id=charserial{number}"]
        argv += [
            "-device",
            json.dumps(
                {"driver": "isa-serial", "chardev": f"charserial{number}", "id": f"serial{number}"}
            ),
        ]
    if host.sandbox:
        argv += [
            "-sandbox",
            "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
        ]
    argv += ["-msg", "timestamp=on"]
    if host.incoming is not None:
        argv += ["-incoming", host.incoming]
    return CommandLine(argv=tuple(argv))
