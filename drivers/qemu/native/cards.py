"""
Network cards of a command line, with the host's ends of them.
"""

from __future__ import annotations

from typing import Any

from pyvirt.drivers.qemu.native.elements import KNOWN, Parts, add, word
from pyvirt.drivers.qemu.native.words import Told, isOn

__all__ = ["addCard"]

#: What is heeded of tap devices.
_TAP = ("script", "downscript", "ifname", "queues", "sndbuf")
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


def addCard(p: Parts, props: dict[str, Any], driver: str, base: str, model: str | None) -> bool:
    netdev = p.netdevs.get(str(props["netdev"]))
    if netdev is None:
        return False
    kind = netdev.get("type")
    values: dict[str, Any] = {}
    chardev = None
    if kind == "tap":
        type_ = "ethernet"
        if netdev.unread(*_TAP, *KNOWN):
            return False
    elif kind == "user":
        type_ = "user"
    elif kind == "socket":
        where = next((key for key in ("connect", "listen", "mcast", "udp") if key in netdev), None)
        if where is None:
            return False
        type_ = {"connect": "client", "listen": "server"}.get(where, where)
        address, _, port = str(netdev[where]).rpartition(":")
        values = {"address": address or None, "port": port}
    elif kind == "bridge":
        type_, values = "bridge", {"bridge": netdev.get("br", "br0")}
    elif kind == "vhost-user":
        type_, chardev = "vhostuser", p.chardevs.get(str(netdev.get("chardev")), Told())
        server = isOn(chardev.get("server", "off"))
        values = {
            "type": "unix",
            "path": chardev.get("path"),
            "mode": "server" if server else "client",
        }
        p.used.add(str(netdev.get("chardev")))
    else:
        return False
    p.used.add(str(props["netdev"]))
    nic = p.device("interface", props, type=type_)
    if "mac" in props:
        add(nic, "mac", address=props["mac"])
    if kind == "tap":
        if netdev.get("script") not in (None, "no", ""):
            add(nic, "script", path=netdev["script"])
        if netdev.get("downscript") not in (None, "no", ""):
            add(nic, "downscript", path=netdev["downscript"])
        if "ifname" in netdev:
            add(nic, "target", dev=netdev["ifname"])
    if values:
        source = add(nic, "source", **values)
        if kind == "socket" and "localaddr" in netdev:
            address, _, port = str(netdev["localaddr"]).rpartition(":")
            add(source, "local", address=address or None, port=port)
        if chardev and "reconnect" in chardev:
            on = str(chardev["reconnect"]) != "0"
            add(
                source,
                "reconnect",
                enabled="yes" if on else "no",
                timeout=chardev["reconnect"] if on else None,
            )
    if kind == "user":
        if "net" in netdev:
            address, _, prefix = str(netdev["net"]).partition("/")
            add(nic, "ip", family="ipv4", address=address, prefix=prefix or None)
        if "ipv6-prefix" in netdev:
            add(
                nic,
                "ip",
                family="ipv6",
                address=netdev["ipv6-prefix"],
                prefix=netdev.get("ipv6-prefixlen"),
            )
    name = {"virtio-net": "virtio"}.get(base, driver)
    add(nic, "model", type=model if model is not None else name)
    told: dict[str, Any] = {}
    for said, key in (
        ("rx_queue_size", "rx_queue_size"),
        ("tx_queue_size", "tx_queue_size"),
        ("ioeventfd", "ioeventfd"),
        ("event_idx", "event_idx"),
        ("rss", "rss"),
        ("hash", "rss_hash_report"),
    ):
        if said in props:
            told[key] = props[said]
    if "tx" in props:
        told["txmode"] = {"bh": "iothread"}.get(str(props["tx"]), props["tx"])
    queues = netdev.get("queues", str(netdev["fds"]).count(":") + 1 if "fds" in netdev else None)
    if queues is not None and str(queues) != "1":
        told["queues"] = queues
        if isOn(props.get("mq", False)):
            props.get("vectors")  # follows from how many there are
    element = nic.find("driver")
    if told:
        if element is None:
            element = add(nic, "driver")
        for key, value in told.items():
            element.set(key, word(value))
    for end, names in (("host", _HOST), ("guest", _GUEST)):
        found = {key: props[said] for said, key in names if said in props}
        if found:
            if element is None:
                element = add(nic, "driver")
            add(element, end, **found)
    if "host_mtu" in props:
        add(nic, "mtu", size=props["host_mtu"])
    if "sndbuf" in netdev:
        add(add(nic, "tune"), "sndbuf", netdev["sndbuf"])
    return True
