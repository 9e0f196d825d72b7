"""
What the two ends of a migration tell each other from step to step: L{Cookie}, in libvirt's own form.
"""

from __future__ import annotations

import re
from typing import Any

import attrs
from lxml import etree

from pyvirt import constants as c
from pyvirt.definitions.kinds import escape
from pyvirt.definitions.reader import parseTree
from pyvirt.definitions.uuids import formatUUID, parseUUID
from pyvirt.drivers.interfaces.values import TypedParam
from pyvirt.drivers.qemu.refusals import internal
from pyvirt.errors import ErrorDomain, VirtError

__all__ = ["NBD", "Cookie", "Statistics", "readCookie"]

#: Parts that the other end may insist on being understood.  What is said in them is not needed here.
_KNOWN_FEATURES = frozenset(
    ("graphics", "lockstate", "persistent", "network", "nbd", "memory-hotplug", "cpu-hotplug")
)
#: Numbers of a migration that travel, as they are named in jobs.
_NUMBERS = (
    c.VIR_DOMAIN_JOB_TIME_ELAPSED,
    c.VIR_DOMAIN_JOB_DOWNTIME,
    c.VIR_DOMAIN_JOB_SETUP_TIME,
    c.VIR_DOMAIN_JOB_MEMORY_TOTAL,
    c.VIR_DOMAIN_JOB_MEMORY_PROCESSED,
    c.VIR_DOMAIN_JOB_MEMORY_REMAINING,
    c.VIR_DOMAIN_JOB_MEMORY_BPS,
    c.VIR_DOMAIN_JOB_MEMORY_CONSTANT,
    c.VIR_DOMAIN_JOB_MEMORY_NORMAL,
    c.VIR_DOMAIN_JOB_MEMORY_NORMAL_BYTES,
    c.VIR_DOMAIN_JOB_MEMORY_DIRTY_RATE,
    c.VIR_DOMAIN_JOB_MEMORY_ITERATION,
    c.VIR_DOMAIN_JOB_MEMORY_POSTCOPY_REQS,
    c.VIR_DOMAIN_JOB_MEMORY_PAGE_SIZE,
    c.VIR_DOMAIN_JOB_DISK_TOTAL,
    c.VIR_DOMAIN_JOB_DISK_PROCESSED,
    c.VIR_DOMAIN_JOB_DISK_REMAINING,
    c.VIR_DOMAIN_JOB_DISK_BPS,
    c.VIR_DOMAIN_JOB_COMPRESSION_CACHE,
    c.VIR_DOMAIN_JOB_COMPRESSION_BYTES,
    c.VIR_DOMAIN_JOB_COMPRESSION_PAGES,
    c.VIR_DOMAIN_JOB_COMPRESSION_CACHE_MISSES,
    c.VIR_DOMAIN_JOB_COMPRESSION_OVERFLOW,
    c.VIR_DOMAIN_JOB_AUTO_CONVERGE_THROTTLE,
)
_NUMBER = re.compile(r"\d{1,20}")


@attrs.frozen
class NBD:
    """
    Disks that are copied.

    @ivar port: where the destination takes them, None if that is not said, or is no port.
    @ivar disks: by target, their sizes in bytes.
    """

    port: int | None = None
    disks: dict[str, int] = attrs.Factory(dict)


@attrs.frozen
class Statistics:
    """
    How the guest was sent.

    @ivar started, stopped, sent: when, in milliseconds since 1970.
    @ivar delta: by how much the clock of the destination was ahead when it got this, network included.
    @ivar numbers: what jobs are told, by name.
    """

    started: int
    stopped: int
    sent: int
    numbers: dict[str, int]
    delta: int | None = None

    def params(self, operation: int) -> list[TypedParam]:
        """Write it as parameters of a job that is over."""
        kind = c.VIR_TYPED_PARAM_ULLONG
        out = [TypedParam(c.VIR_DOMAIN_JOB_OPERATION, c.VIR_TYPED_PARAM_INT, operation)]
        values = dict(self.numbers)
        elapsed = values.pop(c.VIR_DOMAIN_JOB_TIME_ELAPSED, 0)
        downtime = values.pop(c.VIR_DOMAIN_JOB_DOWNTIME, None)
        out.append(TypedParam(c.VIR_DOMAIN_JOB_TIME_ELAPSED, kind, elapsed))
        if self.delta is not None and elapsed > self.delta:
            out.append(TypedParam(c.VIR_DOMAIN_JOB_TIME_ELAPSED_NET, kind, elapsed - self.delta))
        if downtime is not None:
            out.append(TypedParam(c.VIR_DOMAIN_JOB_DOWNTIME, kind, downtime))
            if self.delta is not None and downtime > self.delta:
                out.append(TypedParam(c.VIR_DOMAIN_JOB_DOWNTIME_NET, kind, downtime - self.delta))
        setup = values.pop(c.VIR_DOMAIN_JOB_SETUP_TIME, None)
        if setup is not None:
            out.append(TypedParam(c.VIR_DOMAIN_JOB_SETUP_TIME, kind, setup))
        for name, memory, disk in (
            (
                c.VIR_DOMAIN_JOB_DATA_TOTAL,
                c.VIR_DOMAIN_JOB_MEMORY_TOTAL,
                c.VIR_DOMAIN_JOB_DISK_TOTAL,
            ),
            (
                c.VIR_DOMAIN_JOB_DATA_PROCESSED,
                c.VIR_DOMAIN_JOB_MEMORY_PROCESSED,
                c.VIR_DOMAIN_JOB_DISK_PROCESSED,
            ),
            (
                c.VIR_DOMAIN_JOB_DATA_REMAINING,
                c.VIR_DOMAIN_JOB_MEMORY_REMAINING,
                c.VIR_DOMAIN_JOB_DISK_REMAINING,
            ),
        ):
            out.append(TypedParam(name, kind, values.get(memory, 0) + values.get(disk, 0)))
        disks = bool(values.get(c.VIR_DOMAIN_JOB_DISK_TOTAL))
        throttle = values.pop(c.VIR_DOMAIN_JOB_AUTO_CONVERGE_THROTTLE, 0)
        out += [
            TypedParam(name, kind, value)
            for name, value in values.items()
            if disks or not name.startswith("disk_")
        ]
        if 0 < throttle <= 100:
            name = c.VIR_DOMAIN_JOB_AUTO_CONVERGE_THROTTLE
            out.append(TypedParam(name, c.VIR_TYPED_PARAM_INT, throttle))
        return out


@attrs.frozen
class Cookie:
    """
    What one end tells the other.

    @ivar paused: the guest is to stay paused, for it was paused before.
    @ivar persistent: what the domain is to be when it is started again, as a document.
    """

    name: str
    uuid: bytes
    host: bytes
    hostname: str
    paused: bool = False
    nbd: NBD | None = None
    statistics: Statistics | None = None
    persistent: str | None = None

    def encode(self) -> bytes:
        """Write it as it travels."""
        lines = [
            "<qemu-migration>",
            f"  <name>{escape(self.name)}</name>",
            f"  <uuid>{formatUUID(self.uuid)}</uuid>",
            f"  <hostname>{escape(self.hostname)}</hostname>",
            f"  <hostuuid>{formatUUID(self.host)}</hostuuid>",
        ]
        if self.paused:
            lines.append("  <paused/>")
        if self.nbd is not None:
            port = "" if self.nbd.port is None else f" port='{self.nbd.port}'"
            if self.nbd.disks:
                lines.append(f"  <nbd{port}>")
                lines += [
                    f"    <disk target='{escape(target)}' capacity='{size}'/>"
                    for target, size in self.nbd.disks.items()
                ]
                lines.append("  </nbd>")
            else:
                lines.append(f"  <nbd{port}/>")
        found = self.statistics
        if found is not None:
            lines.append("  <statistics>")
            for name in ("started", "stopped", "sent", "delta"):
                value = getattr(found, name)
                if value is not None:
                    lines.append(f"    <{name}>{value}</{name}>")
            lines += [f"    <{name}>{value}</{name}>" for name, value in found.numbers.items()]
            lines.append("  </statistics>")
        if self.persistent is not None:
            lines.append(self.persistent.rstrip("\n"))
        lines.append("</qemu-migration>\n")
        # libvirt's own end insists on the byte that ends strings in C.
        return "\n".join(lines).encode() + b"\0"


def readCookie(data: bytes, name: str | None = None, uuid: bytes | None = None) -> Cookie | None:
    """
    Read what the other end told, None if it told nothing.

    @param name: the domain that it must be about; C{uuid} likewise; None: any.
    @raise VirtError: it is no cookie, of another domain, or insists on what is not known here.
    """
    text = data.decode("utf-8", "replace").rstrip("\0")
    if not text:
        return None
    try:
        root = parseTree(text, None, label="(qemu_migration_cookie)", domain=ErrorDomain.QEMU)
    except VirtError as error:
        raise internal(f"malformed migration cookie: {error.message}") from None
    if root.tag != "qemu-migration":
        raise internal(f"migration cookie of another kind of host: '{root.tag}'")

    def value(tag: str) -> str:
        found = root.find(tag)
        if found is None or not found.text:
            raise internal(f"missing {tag} element in migration data")
        return str(found.text)

    theirs = value("name")
    if name is not None and theirs != name:
        raise internal(f"Incoming cookie data had unexpected name {theirs} vs {name}")
    itsUUID, host = parseUUID(value("uuid")), parseUUID(value("hostuuid"))
    if itsUUID is None:
        raise internal("malformed uuid element in migration data")
    if uuid is not None and itsUUID != uuid:
        raise internal(
            f"Incoming cookie data had unexpected UUID {formatUUID(itsUUID)} vs {formatUUID(uuid)}"
        )
    if host is None:
        raise internal("malformed hostuuid element in migration data")
    for each in root.findall("feature"):
        if each.get("name") not in _KNOWN_FEATURES:
            raise internal(f"Unknown migration cookie feature {each.get('name')}")
    persistent = root.find("domain")
    return Cookie(
        theirs,
        itsUUID,
        host,
        value("hostname"),
        root.find("paused") is not None,
        _nbd(root),
        _statistics(root),
        None if persistent is None else etree.tostring(persistent, encoding="unicode"),
    )


def _count(text: Any, what: str) -> int:
    if not isinstance(text, str) or not _NUMBER.fullmatch(text) or int(text) >= 1 << 64:
        raise internal(f"malformed {what} in migration data: '{text}'")
    return int(text)


def _nbd(root: Any) -> NBD | None:
    element = root.find("nbd")
    if element is None:
        return None
    text = element.get("port")
    port = None
    if text is not None:
        port = _count(text, "nbd port")
        if port > 65535:
            raise internal(f"Malformed nbd port '{text}'")
    disks: dict[str, int] = {}
    for each in element.findall("disk"):
        target = each.get("target")
        if not target:
            raise internal("Malformed disk target")
        disks[target] = _count(each.get("capacity"), "disk capacity")
    return NBD(port or None, disks)


def _statistics(root: Any) -> Statistics | None:
    element = root.find("statistics")
    if element is None:
        return None

    def number(name: str) -> int | None:
        found = element.find(name)
        return None if found is None else _count(found.text, name)

    started, stopped, sent = (number(each) or 0 for each in ("started", "stopped", "sent"))
    numbers = {name: value for name in _NUMBERS if (value := number(name)) is not None}
    return Statistics(started, stopped, sent, numbers, number("delta"))
