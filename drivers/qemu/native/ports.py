"""
Ports of a command line: serial and parallel ports, consoles, channels, and what each is joined to on the host.
"""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element

from pyvirt.drivers.qemu.native.elements import Parts, add
from pyvirt.drivers.qemu.native.words import isOn

__all__ = ["addPort", "setSource"]

_KINDS = {
    "virtconsole": ("console", "virtio"),
    "isa-serial": ("serial", "isa-serial"),
    "pci-serial": ("serial", "pci-serial"),
    "usb-serial": ("serial", "usb-serial"),
    "isa-debugcon": ("serial", "isa-debug"),
    "isa-parallel": ("parallel", None),
}


def setSource(p: Parts, device: Element, chardev: str) -> bool:
    """
    Say what a device is joined to on the host.

    @return: whether a definition has words for it.
    """
    told = p.chardevs.get(chardev)
    if told is None:
        return False
    kind = told.get("backend")
    values: dict[str, Any] = {}
    if kind in ("pty", "null", "vc"):
        device.set("type", kind)
    elif kind in ("file", "pipe"):
        device.set("type", kind)
        append = told.get("append") if kind == "file" else None
        values = {"path": told.get("path"), "append": append}
    elif kind in ("tty", "serial", "parallel", "parport"):
        device.set("type", "dev")
        values = {"path": told.get("path")}
    elif kind == "stdio":
        device.set("type", "stdio")
    elif kind == "udp":
        device.set("type", "udp")
        if told.get("localport") not in (None, "0") or told.get("localaddr"):
            bound = add(device, "source", mode="bind", host=told.get("localaddr") or None)
            bound.set("service", str(told.get("localport", "0")))
        values = {"mode": "connect", "host": told.get("host") or None, "service": told.get("port")}
    elif kind == "socket":
        server = isOn(told.get("server", "off"))
        values = {"mode": "bind" if server else "connect"}
        if "path" in told:
            device.set("type", "unix")
            values["path"] = told["path"]
        else:
            device.set("type", "tcp")
            values |= {"host": told.get("host"), "service": told.get("port")}
            if "tls-creds" in told:
                values["tls"] = "yes"
    elif kind == "spicevmc" and told.get("name") in ("vdagent", "usbredir", "smartcard"):
        device.set("type", "spicevmc")
    elif kind == "spiceport":
        device.set("type", "spiceport")
        values = {"channel": told.get("name")}
    elif kind == "dbus":
        device.set("type", "dbus")
        values = {"channel": told.get("name")}
    elif kind == "qemu-vdagent" and told.get("name") == "vdagent":
        device.set("type", "qemu-vdagent")
    else:
        return False
    p.used.add(chardev)
    values = {name: said for name, said in values.items() if said is not None}
    source = add(device, "source", **values) if values or kind == "qemu-vdagent" else None
    if kind == "qemu-vdagent" and source is not None:
        if "clipboard" in told:
            add(source, "clipboard", copypaste="yes" if isOn(told["clipboard"]) else "no")
        if "mouse" in told:
            add(source, "mouse", mode="client" if isOn(told["mouse"]) else "server")
    if "reconnect" in told and source is not None:
        enabled = str(told["reconnect"]) != "0"
        add(
            source,
            "reconnect",
            enabled="yes" if enabled else "no",
            timeout=told["reconnect"] if enabled else None,
        )
    if kind == "socket" and "path" not in told:
        add(device, "protocol", type="telnet" if isOn(told.get("telnet", "off")) else "raw")
    if "logfile" in told:
        add(device, "log", file=told["logfile"], append=told.get("logappend"))
    return True


def addPort(p: Parts, props: dict[str, Any], driver: str) -> bool:
    """
    Add the port that a device is.

    @return: whether it could be told in a definition.
    """
    chardev = str(props.get("chardev", ""))
    if driver == "virtserialport":
        name = str(props.get("name", ""))
        device = Element("channel")
        if not setSource(p, device, chardev):
            return False
        add(device, "target", type="virtio", name=name or None)
    elif driver in _KINDS:
        tag, target = _KINDS[driver]
        device = Element(tag)
        if not setSource(p, device, chardev):
            return False
        number = str(props.get("id", ""))[len(tag) :]
        port = str(props["index"]) if "index" in props else number if number.isdigit() else None
        port = None if tag == "console" else port
        made = add(device, "target", type=target, port=port)
        if tag == "serial":
            add(made, "model", name=driver)
    else:
        return False
    p.devices.append(device)
    bus = str(props.get("bus", ""))
    if driver in ("virtserialport", "virtconsole") and ("nr" in props or bus):
        where = {"controller": p.on(props, "virtio-serial") or 0, "bus": 0, "port": props.get("nr")}
        add(device, "address", type="virtio-serial", **where)
    elif "iobase" in props and "irq" in props:
        add(
            device,
            "address",
            type="isa",
            iobase=hex(int(str(props["iobase"]), 0)),
            irq=hex(int(str(props["irq"]), 0)),
        )
    else:
        p.address(device, props)
        return True
    if str(props.get("id", "")).startswith("ua-"):
        add(device, "alias", name=props["id"])
    return True
