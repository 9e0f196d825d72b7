"""
Disks of a command line: the device that the guest sees, and the images behind it.
"""

from __future__ import annotations

import re
from typing import Any
from xml.etree.ElementTree import Element

from pyvirt.definitions.domain._disk import FORMATS
from pyvirt.drivers.qemu.native.elements import Parts, add, virtioOptions, word
from pyvirt.drivers.qemu.native.words import Told, isOn, properties

__all__ = ["DISKS", "addDisk", "addDrive"]

#: What a disk is on, by the driver of its device, and what it is.
DISKS = {
    "virtio-blk": ("virtio", "disk"),
    "scsi-hd": ("scsi", "disk"),
    "scsi-cd": ("scsi", "cdrom"),
    "scsi-disk": ("scsi", "disk"),
    "scsi-block": ("scsi", "lun"),
    "ide-hd": ("ide", "disk"),
    "ide-cd": ("ide", "cdrom"),
    "ide-drive": ("ide", "disk"),
    "usb-storage": ("usb", "disk"),
    "floppy": ("fdc", "floppy"),
    "vhost-user-blk": ("virtio", "disk"),
}
_PREFIX = {
    "virtio": "vd",
    "scsi": "sd",
    "sata": "sd",
    "usb": "sd",
    "ide": "hd",
    "fdc": "fd",
    "sd": "sd",
}
_CACHES = {
    (True, False, True): "none",
    (True, False, False): "directsync",
    (False, False, True): "writeback",
    (False, False, False): "writethrough",
    (False, True, True): "unsafe",
}
_PROTOCOLS = {"nbd", "rbd", "iscsi", "http", "https", "ftp", "ftps", "ssh", "gluster", "nfs"}


def addDisk(p: Parts, props: dict[str, Any], base: str, model: str | None) -> bool:
    """
    Add the disk that a device is.

    @param base: the driver, a key of L{DISKS}.
    @param model: C{virtio-transitional} and its like.
    @return: whether it could be told in a definition.
    """
    bus, kind = DISKS[base]
    if bus == "ide" and "unit" not in props:
        bus = "sata"  # each of its drives has a bus of its own
    if isOn(props.get("scsi", False)) and bus == "virtio":
        kind = "lun"
    thread = p.thread(props.get("iothread"))
    images = _images(p, props)
    if images is None or (thread is None and "iothread" in props):
        return False
    disk = add(p.devices, "disk", type="file", device=kind, model=model)
    drive: dict[str, Any] = images[0][1] if images else {}
    driver = add(disk, "driver", name="qemu", type=images[0][0] if images else None)
    if images:
        if images[0][0] is None:
            driver.set("type", "raw")
        _behaviour(driver, drive, props)
        _put(p, disk, images)
    else:
        disk.remove(driver)
    if "chardev" in props:
        chardev = p.chardevs.get(str(props["chardev"]), Told())
        p.used.add(str(props["chardev"]))
        disk.set("type", "vhostuser")
        source = add(disk, "source", type="unix", path=chardev.get("path"))
        if "reconnect" in chardev:
            add(source, "reconnect", enabled="yes", timeout=chardev["reconnect"])
    if thread is not None:
        _driver(disk).set("iothread", thread)
    virtioOptions(disk, props)
    place = _place(p, disk, bus, props)
    target = add(disk, "target", dev=_target(p, bus, props, place), bus=bus)
    if isOn(props.get("removable", False)):
        target.set("removable", "on")
    if "rotation_rate" in props:
        target.set("rotation_rate", word(props["rotation_rate"]))
    if kind == "cdrom" or isOn(drive.get("read-only", drive.get("readonly", False))):
        add(disk, "readonly")
    if isOn(props.get("share-rw", False)):
        add(disk, "shareable")
    if "serial" in props:
        add(disk, "serial", str(props["serial"]).replace("\\ ", " ").replace("\\\\", "\\"))
    if "wwn" in props:
        add(disk, "wwn", f"{int(str(props['wwn']), 0):016x}")
    for name in ("vendor", "product"):
        if name in props:
            add(disk, name, props[name])
    if "cyls" in props:
        values = {"cyls": props["cyls"], "heads": props.get("heads"), "secs": props.get("secs")}
        add(disk, "geometry", **values, trans=props.get("bios-chs-trans"))
    sizes = {
        name: props[name] for name in ("logical_block_size", "physical_block_size") if name in props
    }
    if sizes:
        add(disk, "blockio", **sizes)
    if bus != "sata" and not any(name in props for name in ("unit", "scsi-id", "lun")):
        p.address(disk, props)
    elif str(props.get("id", "")).startswith("ua-"):
        add(disk, "alias", name=props["id"])
    if disk.find("boot") is None and props.get("bootindex") is not None:
        add(disk, "boot", order=props["bootindex"])
    return True


def _behaviour(driver: Element, drive: dict[str, Any], props: dict[str, Any]) -> None:
    """Say how an image is read and written."""
    cache = drive.get("cache")
    if isinstance(cache, dict):
        wce = isOn(props.get("write-cache", "on"))
        found = _CACHES.get(
            (isOn(cache.get("direct", False)), isOn(cache.get("no-flush", False)), wce)
        )
        if found is not None:
            driver.set("cache", found)
    elif cache is not None:
        driver.set("cache", str(cache))
    if "werror" in props:
        policy = str(props["werror"])
        driver.set("error_policy", "enospace" if policy == "enospc" else policy)
        if props.get("rerror") not in (None, policy):
            driver.set("rerror_policy", str(props["rerror"]))
    elif "rerror" in props:
        driver.set("rerror_policy", str(props["rerror"]))
    for name, told in (
        ("io", drive.get("aio")),
        ("discard", drive.get("format-discard")),
        ("detect_zeroes", drive.get("detect-zeroes")),
        ("copy_on_read", drive.get("copy-on-read")),
        ("ioeventfd", props.get("ioeventfd")),
        ("event_idx", props.get("event_idx")),
        ("queues", props.get("num-queues")),
        ("queue_size", props.get("queue-size")),
    ):
        if told is not None:
            driver.set(name, word(told))


#: What is heeded of a drive that a device names, and of a node of an image besides where that is.
_DRIVE = ("if", "id", "file", "format", "cache", "aio", "discard", "detect-zeroes", "readonly")
_NODE = (
    *("node-name", "file", "backing", "read-only", "auto-read-only", "discard", "format-discard"),
    *("detect-zeroes", "copy-on-read", "cache", "aio", "cache-size", "pr-manager"),
    "pr-manager-path",
)


def _images(p: Parts, props: dict[str, Any]) -> list[tuple[str | None, dict[str, Any]]] | None:
    """
    Return the images of a disk, the upper ones first: their format, and what is told of them.

    @return: None if one is of a kind that definitions do not have.
    """
    name = props.get("drive")
    if name is None:
        return []
    drive = p.drives.get(str(name))
    if drive is not None:
        p.used.add(str(name))
        if "file" not in drive:
            return []
        if drive.unread(*_DRIVE) or _PLACE.match(str(drive["file"])):
            return None
        told = {**drive, "filename": drive["file"], "driver": "file"}
        if "discard" in drive:
            told["format-discard"] = drive["discard"]
        return [(drive.get("format"), told)]
    found: list[tuple[str | None, dict[str, Any]]] = []
    node: Any = str(name)
    used: set[str] = set()
    copying = None
    while node is not None and len(found) < 200:
        if str(node) in used:
            return None
        known = p.nodes.get(str(node))
        if known is None:
            return None
        told = known
        used.add(str(node))
        if told.get("driver") == "copy-on-read":
            if set(told) - {"driver", "node-name", "file", "discard"}:
                return None
            copying, node = "on", told.get("file")
            continue
        lower = told.get("file")
        if lower is None:
            # It is opened without anybody who knows a format.
            storage, form = told, None
        else:
            storage, form = p.nodes.get(str(lower), Told()), str(told.get("driver"))
            used.add(str(lower))
        both = Told({**told, **storage, "read-only": dict.get(told, "read-only", False)})
        if "pr-manager" in storage:
            helper = p.objects.get(str(storage["pr-manager"]), Told())
            both["pr-manager-path"] = str(helper.get("path", ""))
        both["format-discard"] = told.get("discard") if lower is not None else None
        both["detect-zeroes"] = told.get("detect-zeroes")
        both["copy-on-read"] = copying
        if (
            (form is not None and form not in FORMATS.split())
            or _source(both) is None
            or both.unread(*_NODE)
        ):
            return None
        both["cache-size"] = dict.get(told, "cache-size")
        found.append((form, both))
        node = told.get("backing")
    p.used |= used
    return found


def _source(told: dict[str, Any]) -> tuple[str, Element] | None:
    """Return the type of a source and its element; None if there is none in a definition."""
    driver = told.get("driver")
    source = Element("source")
    if driver == "file":
        source.set("file", str(told.get("filename", "")))
        return "file", source
    if driver in ("host_device", "host_cdrom"):
        source.set("dev", str(told.get("filename", "")))
        helper = told.get("pr-manager-path")
        if helper is not None and "/domain-" in helper:
            add(source, "reservations", managed="yes")
        elif helper is not None:
            made = add(source, "reservations", managed="no")
            add(made, "source", type="unix", path=helper, mode="client")
        return "block", source
    if driver == "nvme":
        place = re.match(
            r"([0-9a-f]{4}):([0-9a-f]{2}):([0-9a-f]{2})\.([0-7])\Z", str(told.get("device"))
        )
        if place is None:
            return None
        source.attrib.update(type="pci", managed="no", namespace=word(told.get("namespace")))
        where = {"domain": f"0x{place[1]}", "bus": f"0x{place[2]}", "slot": f"0x{place[3]}"}
        add(source, "address", **where, function=f"0x{place[4]}")
        return "nvme", source
    if driver == "vvfat":
        source.set("dir", str(told.get("dir", "")))
        return "dir", source
    if driver in _PROTOCOLS and "key-secret" not in told and "password-secret" not in told:
        return _network(source, str(driver), told)
    return None


def _network(source: Element, kind: str, told: dict[str, Any]) -> tuple[str, Element] | None:
    source.set("protocol", kind)
    servers = told.get("server") or []
    hosts = [servers] if isinstance(servers, dict) else list(servers)
    if kind == "nbd":
        if "export" in told:
            source.set("name", str(told["export"]))
        if "tls-creds" in told:
            return None
    elif kind == "rbd":
        source.set("name", f"{told.get('pool')}/{told.get('image')}")
        if "snapshot" in told:
            add(source, "snapshot", name=told["snapshot"])
        if "conf" in told:
            add(source, "config", file=told["conf"])
    elif kind == "iscsi":
        name, _, port = str(told.get("portal", "")).rpartition(":")
        source.set("name", f"{told.get('target')}/{told.get('lun', 0)}")
        add(source, "host", name=name, port=port)
        if "initiator-name" in told:
            add(add(source, "initiator"), "iqn", name=told["initiator-name"])
    elif kind in ("http", "https", "ftp", "ftps"):
        found = re.match(
            r"[a-z]+://(?:\[([^\]]+)\]|([^/:]+))(?::(\d+))?/?(.*)\Z", str(told.get("url", ""))
        )
        if found is None or "cookie-secret" in told:
            return None
        path, question, query = found[4].partition("?")
        source.set("name", path)
        if question:
            source.set("query", query)
        add(source, "host", name=found[1] or found[2], port=found[3])
        if "sslverify" in told:
            add(source, "ssl", verify="yes" if isOn(told["sslverify"]) else "no")
        if "timeout" in told:
            add(source, "timeout", seconds=told["timeout"])
        if "readahead" in told:
            add(source, "readahead", size=told["readahead"])
    elif kind == "gluster":
        source.set("name", f"{told.get('volume')}/{told.get('path')}")
    elif kind in ("ssh", "nfs"):
        if "user" in told and kind == "ssh":
            return None
        source.set("name", str(told.get("path", "")))
    for host in hosts:
        if "path" in host:
            add(source, "host", transport="unix", socket=host["path"])
        else:
            add(source, "host", name=host.get("host"), port=host.get("port"))
    return "network", source


def _put(p: Parts, disk: Element, images: list[tuple[str | None, dict[str, Any]]]) -> None:
    """Add the images of a disk; where the last has nothing below it that is said too."""
    parent = disk
    for number, (form, told) in enumerate(images):
        found = _source(told)
        if found is None:
            return
        kind, source = found
        if number:
            parent = add(parent, "backingStore", type=kind)
            add(parent, "format", type=form or "raw")
        else:
            disk.set("type", kind)
        parent.append(source)
        if told.get("cache-size") is not None:
            cache = add(_driver(parent), "metadata_cache")
            add(cache, "max_size", told["cache-size"], unit="bytes")
    if len(images) > 1:
        add(parent, "backingStore")


def _driver(disk: Element) -> Element:
    found = disk.find("driver")
    return found if found is not None else add(disk, "driver")


def _place(p: Parts, disk: Element, bus: str, props: dict[str, Any]) -> int | None:
    """Say where a disk is among the drives of its controller; return which it is."""
    where = str(props.get("bus", ""))
    if bus in ("ide", "fdc") and "unit" in props:
        found = re.match(r"(?:ua-)?[a-z]+(\d*)\.(\d+)\Z", where)
        number, unit = int(found[2]) if found is not None else 0, int(props["unit"])
        add(disk, "address", type="drive", controller=0, bus=number, target=0, unit=unit)
        return number * 2 + unit
    if bus == "sata":
        found = re.match(r"[^.]+\.(\d+)\Z", where)
        controller = int(p.on(props, "ide", "sata", "ahci") or 0)
        unit = int(found[1]) if found is not None else 0
        add(disk, "address", type="drive", controller=controller, bus=0, target=0, unit=unit)
        return controller * 6 + unit
    if bus == "scsi" and "scsi-id" in props:
        controller, target = int(p.on(props, "scsi") or 0), int(props["scsi-id"])
        values: dict[str, Any] = {"controller": controller, "bus": props.get("channel", 0)}
        values |= (
            {"target": target, "unit": props["lun"]}
            if "lun" in props
            else {"target": 0, "unit": target}
        )
        add(disk, "address", type="drive", **values)
        return None if "lun" in props and target else controller * 7 + int(values["unit"])
    if bus == "scsi":
        p.on(props, "scsi")
    return None


def _target(p: Parts, bus: str, props: dict[str, Any], place: int | None) -> str:
    """Name a disk as the guest may: by its own name, by its place, or as the next one."""
    named = re.match(r"(?:virtio|usb)-disk(\d+)\Z", str(props.get("id", "")))
    number = int(named[1]) if named is not None else place if place is not None else 0
    number = p.free(_PREFIX[bus], number)
    name = _PREFIX[bus] + _letters(number)
    p.targets[name] = _PREFIX[bus], number
    return name


def _letters(number: int) -> str:
    """Count as disks are counted: a, b, ... z, aa, ab."""
    found = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        found = chr(ord("a") + rest) + found
    return found


#: What is heeded of a disk that is told with its device.
_TYPED = ("file", "format", "media", "index", "cache", "aio", "discard", "readonly", "serial")


#: What is no file but a place that QEMU finds in its own way: C{nbd://h/x}.
_PLACE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


def addDrive(p: Parts, value: str) -> None:
    """Add a disk that is told with its device in one option; one without a device is read where that is."""
    told = properties(value, "file")
    kind = told.get("if", "ide")
    if kind == "none":
        return
    elsewhere = _PLACE.match(str(told.get("file", ""))) is not None
    if kind not in ("ide", "scsi", "virtio", "floppy", "sd") or told.unread(*_TYPED) or elsewhere:
        p.left += ["-drive", value]
        return
    bus = {"floppy": "fdc"}.get(kind, kind)
    media = "floppy" if bus == "fdc" else told.get("media", "disk")
    disk = add(p.devices, "disk", type="file", device=media)
    if "file" in told:
        if str(told["file"]).startswith("/dev/"):
            disk.set("type", "block")
        driver = add(disk, "driver", name="qemu", type=told.get("format", "raw"))
        for name, said in (("cache", "cache"), ("io", "aio"), ("discard", "discard")):
            if said in told:
                driver.set(name, told[said])
        key = "dev" if disk.get("type") == "block" else "file"
        add(disk, "source", **{key: told["file"]})
    number = int(told["index"]) if str(told.get("index", "")).isdigit() else None
    if number is None:
        number = 2 if bus == "ide" and media == "cdrom" else 0
    add(disk, "target", dev=_target(p, bus, {}, number), bus=bus)
    if media == "cdrom" or isOn(told.get("readonly", "off")):
        add(disk, "readonly")
    if "serial" in told:
        add(disk, "serial", told["serial"])
