"""
Character devices: the host's end as C{-chardev} takes it, and serial ports, parallel ports, consoles and channels.
"""

from __future__ import annotations

import os
from typing import Any

from pyvirt.definitions.domain._address import VirtioSerialAddress
from pyvirt.definitions.kinds import unsupported
from pyvirt.drivers.qemu.command.arguments import Builder, escaped, jsonText
from pyvirt.drivers.qemu.command.secretobjects import addCertificates
from pyvirt.drivers.qemu.command.values import OpenFile, place
from pyvirt.drivers.qemu.refusals import internal
from pyvirt.errors import ErrorDomain, VirtError

__all__ = ["addChannels", "addConsoles", "addParallels", "addSerials", "addSource"]


def addSource(
    b: Builder, source: Any, name: str, *, spice: str | None = None, path: str | None = None
) -> None:
    """
    Add the host's end of a device.

    @param name: of the end.
    @param spice: what the display calls it, for ends that are channels of SPICE.
    @param path: the socket, where the source names none.
    """
    kind = source.type
    where = source.path if source.path is not None else path
    parts: list[str | None] = []
    if kind in ("null", "vc", "pty", "stdio"):
        parts = [kind, f"id={name}"]
    elif kind == "dev":
        backend = "parallel" if name.startswith("charparallel") else "serial"
        parts = [backend, f"id={name}", f"path={escaped(where or '')}"]
    elif kind == "file":
        parts = ["file", f"id={name}", *_written(b, name, "source", where or "", source.append)]
    elif kind == "pipe":
        parts = ["pipe", f"id={name}", f"path={escaped(where or '')}"]
    elif kind == "udp":
        parts = [
            "udp",
            f"id={name}",
            f"host={source.host or ''}",
            f"port={source.service or ''}",
            f"localaddr={source.bindHost or ''}",
            f"localport={source.bindService or '0'}",
        ]
    elif kind == "tcp":
        tls = None
        if source.tls:
            listens = source.mode == "bind"
            verify = not listens or bool(b.host.settings.get("chardev_tls_x509_verify", True))
            tls = addCertificates(
                b, "chardev", f"obj{name}_tls0", f"{name}-secret0", server=listens, verify=verify
            )
        parts = [
            "socket",
            f"id={name}",
            f"host={source.host or ''}",
            f"port={source.service or ''}",
        ]
        if source.protocol == "telnet":
            parts.append("telnet=on")
        parts += _listening(source)
        if tls is not None:
            parts.append(f"tls-creds={tls}")
    elif kind == "unix":
        end = f"path={escaped(where or '')}"
        if b.host.opensSockets and source.mode == "bind" and where:
            # It may lie where whom the guest runs as may make none.
            opened = OpenFile(name=f"socket-{name}", path=where, flags=0, listens=True)
            b.files.append(opened)
            end = f"fd={place(opened.name)}"
        parts = ["socket", f"id={name}", end, *_listening(source)]
    elif kind == "spicevmc":
        parts = ["spicevmc", f"id={name}", f"name={spice}"]
    elif kind == "spiceport":
        parts = ["spiceport", f"id={name}", f"name={source.channel or ''}"]
    elif kind == "dbus":
        parts = ["dbus", f"id={name}", f"name={source.channel or ''}"]
    elif kind == "qemu-vdagent":
        parts = ["qemu-vdagent", f"id={name}", "name=vdagent"]
        if source.copypaste is not None:
            parts.append(f"clipboard={'on' if source.copypaste else 'off'}")
        if source.mouse is not None:
            parts.append(f"mouse={'on' if source.mouse == 'client' else 'off'}")
    else:
        error = unsupported(f"unsupported chardev '{kind}'")("", None, "")
        error.domain = ErrorDomain.QEMU
        raise error
    if source.log is not None and source.log.file is not None:
        file, *more = _written(b, name, "log", source.log.file, source.log.append)
        parts += [f"logfile={file.removeprefix('path=')}", *(f"log{each}" for each in more)]
    # An empty value stands, where an absent one does not.
    b.add("-chardev", ",".join(part for part in parts if part is not None))


def _written(b: Builder, name: str, what: str, path: str, append: bool | None) -> list[str]:
    """
    Return the options of a file that a device writes to.

    @param what: C{source} or C{log}.
    """
    if b.host.opensFiles and path:
        # It may lie where whom the guest runs as may not come.
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOCTTY | os.O_NONBLOCK
        flags |= os.O_APPEND if append else os.O_TRUNC
        b.files.append(OpenFile(name=f"{what}-{name}", path=path, flags=flags))
        number, fd = b.newSet(), place(f"{what}-{name}")
        b.add("-add-fd", f"set={number},fd={fd},opaque={name.removeprefix('char')}-{what}")
        return [f"path=/dev/fdset/{number}", "append=on"]
    found = [f"path={escaped(path)}"]
    if append is not None:
        found.append(f"append={'on' if append else 'off'}")
    return found


def _listening(source: Any) -> list[str]:
    if source.mode == "bind":
        return ["server=on", "wait=off"]
    wait = source.reconnect
    if wait is None or wait.enabled is None:
        return []
    return [f"reconnect={wait.timeout if wait.enabled else 0}"]


def addSerials(b: Builder) -> None:
    """Add the serial ports."""
    for port in b.devices.serials:
        name = f"char{port.alias}"
        addSource(b, port.source, name, spice="usbredir")
        values: dict[str, Any] = {
            "driver": port.target.model or "isa-serial",
            "chardev": name,
            "id": port.alias,
        }
        kind = port.target.type
        if kind in ("system-serial", "sclp-serial") and port.target.model in ("pl011", "16550a"):
            # These are part of the machine.
            b.add("-serial", f"chardev:{name}")
            continue
        if kind == "isa-serial":
            values["index"] = port.target.port
        values |= b.address(port)
        b.device(values)


def addParallels(b: Builder) -> None:
    """Add the parallel ports."""
    for port in b.devices.parallels:
        name = f"char{port.alias}"
        addSource(b, port.source, name)
        b.device({"driver": "isa-parallel", "chardev": name, "id": port.alias})


def _portProps(b: Builder, device: Any, driver: str, chardev: str) -> dict[str, Any]:
    """Return the properties of a port of a virtio serial controller."""
    values: dict[str, Any] = {"driver": driver}
    address = device.address
    if address is not None and not isinstance(address, VirtioSerialAddress):
        raise internal("virtio serial device has invalid address type")
    values |= b.address(device)
    values |= {"chardev": chardev, "id": device.alias}
    return values


def addChannels(b: Builder) -> None:
    """Add the channels."""
    for channel in b.devices.channels:
        name = f"char{channel.alias}"
        target = channel.target
        path = None
        if channel.source.type == "unix" and channel.source.path is None:
            place = channel.address
            label = target.name
            if label is None and isinstance(place, VirtioSerialAddress):
                label = f"vioser-{place.controller:02}-{place.bus:02}-{place.port or 0:02}.sock"
            path = f"{b.host.channelFolder}/{label or channel.alias}"
        source = channel.source
        if path is not None:
            from pyvirt.definitions.schema import replaced

            source = replaced(source, mode="bind", path=path)
        addSource(b, source, name, spice="vdagent")
        if target.type == "xen":
            raise VirtError("An error occurred, but the cause is unknown", int1=0, int2=0)
        if target.type == "guestfwd":
            b.add(
                "-netdev",
                jsonText(
                    {
                        "type": "user",
                        "guestfwd": [{"str": f"tcp:{target.address}:{target.port}-chardev:{name}"}],
                        "id": channel.alias,
                    }
                ),
            )
            continue
        values = _portProps(b, channel, "virtserialport", name)
        label = target.name
        if label is None and channel.source.type == "spicevmc":
            label = "com.redhat.spice.0"
        if label is not None:
            values["name"] = label
        b.device(values)


def addConsoles(b: Builder) -> None:
    """Add the consoles that are not serial ports seen again."""
    for console in b.devices.consoles:
        if console.target.type == "serial":
            continue
        name = f"char{console.alias}"
        addSource(b, console.source, name)
        kind = console.target.type
        if kind in ("sclp", "sclplm"):
            driver = "sclpconsole" if kind == "sclp" else "sclplmconsole"
            b.device({"driver": driver, "chardev": name, "id": console.alias})
        else:
            b.device(_portProps(b, console, "virtconsole", name))
