"""
Network cards, and what they are connected to.

Tap devices, macvtaps and the like are made by who starts the guest and passed as descriptors; their places are named
C{tap-NAME-N}, C{vhost-NAME-N} and C{vdpa-NAME}, with the alias of the card and the number of the queue.
"""

from __future__ import annotations

from typing import Any

from pyvirt.drivers.qemu.command.arguments import Builder, escaped, jsonText
from pyvirt.drivers.qemu.command.values import place
from pyvirt.drivers.qemu.passed import isPassed
from pyvirt.drivers.qemu.refusals import internal
from pyvirt.errors import ErrorDomain

__all__ = ["addInterfaces", "hostProps", "isTap", "nicProps"]

#: Types of interfaces that end in a tap or macvtap device of the host.
_TAP = ("network", "bridge", "ethernet", "direct")

_MODELS = {
    "virtio": "virtio-net",
    "virtio-transitional": "virtio-net",
    "virtio-non-transitional": "virtio-net",
}


def isTap(nic: Any) -> bool:
    """Return whether a card is connected through a descriptor of the host's."""
    return nic.type in _TAP


def addInterfaces(b: Builder) -> None:
    """Add every network card."""
    for number, nic in enumerate(b.devices.interfaces):
        if b.host.shown and nic.model is None:
            # Shown are plain taps, but of what the guest does not see as a card of some make.
            raise internal("argument key 'driver' must not have null value", ErrorDomain.NONE)
        if isPassed(nic) and not b.host.shown:
            # They come with the devices of the host.
            continue
        if nic.type == "vhostuser":
            _addSocket(b, nic)
        host = hostProps(b, nic)
        if nic.type == "vdpa" and not b.host.shown:
            given, fd = b.newSet(), place(f"vdpa-{nic.alias}")
            b.add("-add-fd", f"set={given},fd={fd},opaque={nic.alias}-vdpa")
            host["vhostdev"] = f"/dev/fdset/{given}"
        b.add("-netdev", jsonText(host))
        b.device(nicProps(b, nic, b.bootIndex("interfaces", number, nic)))


def _addSocket(b: Builder, nic: Any) -> None:
    """Add the socket of a card that another process serves."""
    source = nic.source
    parts: list[str | None] = [
        "socket",
        f"id=char{nic.alias}",
        f"path={escaped(source.path or '')}",
    ]
    if source.mode == "server":
        parts.append("server=on")
    elif source.reconnect is not None and source.reconnect.enabled is not None:
        wait = source.reconnect
        parts.append(f"reconnect={wait.timeout if wait.enabled else 0}")
    b.option("-chardev", *parts)


def queuesOf(nic: Any) -> int:
    """Return the number of queues of a card."""
    if nic.driver is not None and nic.driver.queues and (nic.model or "").startswith("virtio"):
        return int(nic.driver.queues)
    return 1


def wantsVhost(b: Builder, nic: Any) -> bool:
    """Return whether the host's kernel moves the packets."""
    if b.host.vhost is not None:
        return nic.alias in b.host.vhost
    if not isTap(nic) or b.host.shown or b.definition.type != "kvm":
        return bool(
            isTap(nic)
            and not b.host.shown
            and nic.driver is not None
            and nic.driver.name == "vhost"
        )
    if not (nic.model or "").startswith("virtio"):
        return False
    return nic.driver is None or nic.driver.name != "qemu"


def hostProps(b: Builder, nic: Any) -> dict[str, Any]:
    """Return the host's end of a card, as C{-netdev} and C{netdev_add} take it."""
    name = f"host{nic.alias}"
    source = nic.source
    if b.host.shown or isTap(nic):
        return _tap(b, nic, name)
    kind = nic.type
    if kind in ("client", "server", "mcast", "udp"):
        found: dict[str, Any] = {"type": "socket"}
        where = f"{source.address or ''}:{source.port}"
        if kind == "client":
            found["connect"] = where
        elif kind == "server":
            found["listen"] = where
        elif kind == "mcast":
            found["mcast"] = where
        else:
            found["udp"] = where
            if source.local is not None:
                found["localaddr"] = f"{source.local.address or ''}:{source.local.port}"
    elif kind == "vhostuser":
        found = {"type": "vhost-user", "chardev": f"char{nic.alias}"}
        if queuesOf(nic) > 1:
            found["queues"] = queuesOf(nic)
    elif kind == "vdpa":
        found = {"type": "vhost-vdpa", "vhostdev": ""}
    elif kind == "null":
        found = {"type": "null"}
    else:
        found = {"type": "user"}
        for ip in nic.ips:
            family = ip.family or ("ipv6" if ":" in (ip.address or "") else "ipv4")
            if family == "ipv4":
                prefix = "" if ip.prefix is None else f"/{ip.prefix}"
                found["net"] = f"{ip.address}{prefix}"
            else:
                found["ipv6-prefix"] = ip.address
                if ip.prefix is not None:
                    found["ipv6-prefixlen"] = ip.prefix
    found["id"] = name
    return found


def _tap(b: Builder, nic: Any, name: str) -> dict[str, Any]:
    count = 1 if b.host.shown else queuesOf(nic)
    taps = [place(f"tap-{nic.alias}-{number}") for number in range(count)]
    found: dict[str, Any] = {"type": "tap"}
    if count > 1:
        found["fds"] = ":".join(taps)
    else:
        found["fd"] = taps[0]
    if wantsVhost(b, nic):
        found["vhost"] = True
        ends = [place(f"vhost-{nic.alias}-{number}") for number in range(count)]
        if count > 1:
            found["vhostfds"] = ":".join(ends)
        else:
            found["vhostfd"] = ends[0]
    if nic.tune is not None and nic.tune.sndbuf is not None and not b.host.shown:
        found["sndbuf"] = nic.tune.sndbuf
    found["id"] = name
    return found


#: Offloads of the host and of the guest, by what QEMU calls them.
_HOST = (
    ("csum", "csum"),
    ("gso", "gso"),
    ("tso4", "host_tso4"),
    ("tso6", "host_tso6"),
    ("ecn", "host_ecn"),
    ("ufo", "host_ufo"),
    ("mrg_rxbuf", "mrg_rxbuf"),
)
_GUEST = (
    ("csum", "guest_csum"),
    ("tso4", "guest_tso4"),
    ("tso6", "guest_tso6"),
    ("ecn", "guest_ecn"),
    ("ufo", "guest_ufo"),
)


def nicProps(b: Builder, nic: Any, boot: int | None) -> dict[str, Any]:
    """Return the guest's end of a card."""
    virtio = nic.model in _MODELS
    driver = nic.driver if not b.host.shown else None
    if virtio:
        values = b.virtio("virtio-net", nic)
        if b.host.shown:
            values = {"driver": values["driver"]}
    else:
        values = {"driver": nic.model}
    if virtio and driver is not None:
        if driver.txmode is not None:
            values["tx"] = "bh" if driver.txmode == "iothread" else driver.txmode
        if driver.ioeventfd is not None:
            values["ioeventfd"] = driver.ioeventfd
        if driver.event_idx is not None:
            values["event_idx"] = driver.event_idx
        for offloads, names in ((driver.host, _HOST), (driver.guest, _GUEST)):
            for name, key in names:
                value = getattr(offloads, name) if offloads is not None else None
                if value is not None:
                    values[key] = value
        if driver.queues and queuesOf(nic) > 1:
            if values["driver"].endswith("-ccw"):
                values["mq"] = True
            else:
                values |= {"mq": True, "vectors": 2 * queuesOf(nic) + 2}
        if driver.rx_queue_size is not None:
            values["rx_queue_size"] = driver.rx_queue_size
        if driver.tx_queue_size is not None:
            values["tx_queue_size"] = driver.tx_queue_size
        if driver.rss is not None:
            values["rss"] = driver.rss
        if driver.rss_hash_report is not None:
            values["hash"] = driver.rss_hash_report
    if virtio and not b.host.shown:
        if nic.mtu is not None:
            values["host_mtu"] = nic.mtu
        if nic.teaming is not None and nic.teaming.type == "persistent":
            values["failover"] = True
    values |= {"netdev": f"host{nic.alias}", "id": nic.alias, "mac": nic.mac.address}
    if boot is not None:
        values["bootindex"] = boot
    values |= b.address(nic)
    return values | romProps(nic)


def romProps(device: Any) -> dict[str, Any]:
    """Return what is said of the option ROM of a device."""
    rom = device.rom
    values: dict[str, Any] = {}
    if rom is None:
        return values
    if rom.enabled is False:
        return {"romfile": ""}
    if rom.bar is not None:
        values["rombar"] = 1 if rom.bar else 0
    if rom.file is not None:
        values["romfile"] = rom.file
    return values
