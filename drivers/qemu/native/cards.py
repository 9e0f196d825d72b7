"""
Network cards of a command line, with the host's ends of them.
"""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element

from pyvirt.drivers.qemu.native.elements import KNOWN, Parts, add, word
from pyvirt.drivers.qemu.native.words import Told, isOn

__all__ = ["addCard"]

#: What is heeded of tap devices.
_TAP = ("script", "downscript", "ifname", "queues", "sndbuf")
_DRIVER = (
    ("rx_queue_size", "rx_queue_size"),
    ("tx_queue_size", "tx_queue_size"),
    ("ioeventfd", "ioeventfd"),
    ("event_idx", "event_idx"),
    ("rss", "rss"),
    ("hash", "rss_hash_report"),
)
_HOST = (
    ("csum", "csum"),
    ("gso", "gso"),
    ("host_tso4", "tso4"),
    ("host_tso6", "tso6"),
    ("host_ecn", "ecn"),
    ("host_ufo", "ufo"),
    ("mrg_rxbuf", "mrg_rxbuf"),
)
_GUEST = (
    ("guest_csum", "csum"),
    ("guest_tso4", "tso4"),
    ("guest_tso6", "tso6"),
    ("guest_ecn", "ecn"),
    ("guest_ufo", "ufo"),
)


def addCard(p: Parts, props: Told, driver: str, base: str, model: str | None) -> bool:
    """
    Add the network card that a device is.

    @return: whether it could be told in a definition.
    """
    netdev = p.netdevs.get(str(props["netdev"]))
    end = _endOf(netdev) if netdev is not None else None
    if netdev is None or end is None:
        return False
    kind, source = end
    p.used.add(str(props["netdev"]))
    nic = p.device("interface", props, type=kind)
    if "mac" in props:
        add(nic, "mac", address=props["mac"])
    if kind == "vhostuser":
        _serve(p, nic, str(netdev.get("chardev")))
    elif source:
        made = add(nic, "source", **source)
        if "localaddr" in netdev:
            address, _, port = str(netdev["localaddr"]).rpartition(":")
            add(made, "local", address=address or None, port=port)
    if kind == "ethernet":
        for name in ("script", "downscript"):
            if netdev.get(name) not in (None, "no", ""):
                add(nic, name, path=netdev[name])
        if "ifname" in netdev:
            add(nic, "target", dev=netdev["ifname"])
    if kind == "user":
        _addresses(nic, netdev)
    name = {"virtio-net": "virtio"}.get(base, driver)
    add(nic, "model", type=model if model is not None else name)
    _drive(nic, props, netdev)
    if "host_mtu" in props:
        add(nic, "mtu", size=props["host_mtu"])
    if "sndbuf" in netdev:
        add(add(nic, "tune"), "sndbuf", netdev["sndbuf"])
    return True


def _endOf(netdev: Told) -> tuple[str, dict[str, Any]] | None:
    """Return what a card is connected to: its type and the attributes of its source; None: definitions do not have it."""
    kind = netdev.get("type")
    if kind == "tap":
        return None if netdev.unread(*_TAP, *KNOWN) else ("ethernet", {})
    if kind == "user":
        return "user", {}
    if kind == "socket":
        where = next((key for key in ("connect", "listen", "mcast", "udp") if key in netdev), None)
        if where is None:
            return None
        address, _, port = str(netdev[where]).rpartition(":")
        name = {"connect": "client", "listen": "server"}.get(where, where)
        return name, {"address": address or None, "port": port}
    if kind == "bridge":
        return "bridge", {"bridge": netdev.get("br", "br0")}
    return ("vhostuser", {}) if kind == "vhost-user" else None


def _serve(p: Parts, nic: Element, name: str) -> None:
    """Say by what socket a program serves a card."""
    chardev = p.chardevs.get(name, Told())
    p.used.add(name)
    mode = "server" if isOn(chardev.get("server", "off")) else "client"
    source = add(nic, "source", type="unix", path=chardev.get("path"), mode=mode)
    if "reconnect" in chardev:
        on = str(chardev["reconnect"]) != "0"
        timeout = chardev["reconnect"] if on else None
        add(source, "reconnect", enabled="yes" if on else "no", timeout=timeout)


def _addresses(nic: Element, netdev: Told) -> None:
    """Say which addresses a card is offered."""
    if "net" in netdev:
        address, _, prefix = str(netdev["net"]).partition("/")
        add(nic, "ip", family="ipv4", address=address, prefix=prefix or None)
    if "ipv6-prefix" in netdev:
        address, length = netdev["ipv6-prefix"], netdev.get("ipv6-prefixlen")
        add(nic, "ip", family="ipv6", address=address, prefix=length)


def _drive(nic: Element, props: Told, netdev: Told) -> None:
    """Say how packets come and go."""
    told = {key: props[said] for said, key in _DRIVER if said in props}
    if "tx" in props:
        told["txmode"] = {"bh": "iothread"}.get(str(props["tx"]), props["tx"])
    if "vhost" in netdev and not isOn(netdev["vhost"]):
        told["name"] = "qemu"
    queues = netdev.get("queues", str(netdev["fds"]).count(":") + 1 if "fds" in netdev else None)
    if queues is not None and str(queues) != "1":
        told["queues"] = queues
        if isOn(props.get("mq", False)):
            props.get("vectors")  # follows from how many there are
    ends = [
        (end, {key: props[said] for said, key in names if said in props})
        for end, names in (("host", _HOST), ("guest", _GUEST))
    ]
    element = nic.find("driver")
    if element is None and (told or any(found for _, found in ends)):
        element = add(nic, "driver")
    if element is not None:
        for key, value in told.items():
            element.set(key, word(value))
        for end, found in ends:
            if found:
                add(element, end, **found)
