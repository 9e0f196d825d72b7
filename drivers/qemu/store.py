"""
What a restarted daemon must find again, on disk: definitions, links of autostart, the state of running guests.

Files are written whole: to another name, flushed, renamed.  Documents are libvirt's own, so that its driver finds
ours and ours finds its.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from lxml import etree
from twisted.logger import Logger

from pyvirt.definitions.domain import DomainDefinition, formatDomain, parseDomain
from pyvirt.definitions.domain._cpu import CPU
from pyvirt.definitions.kinds import escape
from pyvirt.definitions.schema import Context, reader, replaced, writer
from pyvirt.definitions.units import formatSet
from pyvirt.definitions.values import definition
from pyvirt.drivers.devicekinds import KINDS
from pyvirt.drivers.filestore import banner, writeWhole
from pyvirt.drivers.qemu.advice import Advice, readAdvice
from pyvirt.drivers.qemu.labels import parsed
from pyvirt.drivers.qemu.layout import Layout
from pyvirt.drivers.qemu.ownership import Taken
from pyvirt.drivers.qemu.refusals import systemFailure
from pyvirt.drivers.qemu.volumes import Volume
from pyvirt.errors import ErrorDomain, VirtError
from pyvirt.folders import makeFolders

__all__ = ["Status", "Store", "writeWhole"]

log = Logger()


@definition
class Status:
    """
    What is known of a running guest.

    @ivar state, reason: in the words of libvirt's documents.
    @ivar pid: its process, and when that started, in ticks since the machine did; 0 where that is not told.
    @ivar definition: what it runs as.
    @ivar askedCPU: the processor that it was started with, if it has become another.
    @ivar volumes: disks that are volumes of pools, by what the guest calls them.
    @ivar unbound: PCI devices that were taken from their drivers.
    @ivar lockedBefore: how many bytes it could lock before it got what needs more, None: it did not.
    @ivar fakeReboot: it is to start again when it has shut down.
    @ivar job: what it is busy with; of a migration also how far that is (C{phase}), what it was asked with
        (C{flags}), and where the destination's daemon is (C{peer}), if this one leads.
    """

    state: str
    reason: str
    pid: int
    started: int
    id: int
    monitor: str
    folder: str
    channels: str
    vcpuThreads: tuple[tuple[int, int], ...]
    taints: tuple[str, ...]
    agentTimeout: int
    fakeReboot: bool
    job: str | None
    phase: str
    flags: int
    peer: str
    taken: tuple[Taken, ...]
    overlays: tuple[str, ...]
    unbound: tuple[str, ...]
    lockedBefore: int | None
    lastNode: int
    advice: Advice | None
    volumes: tuple[tuple[str, Volume], ...]
    blockJobs: tuple[Mapping[str, str], ...]
    backup: str | None
    askedCPU: CPU | None
    definition: DomainDefinition


class Store:
    """The files of one driver."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        # By name, what was written last: what says the same again is not.
        self._written: dict[str, int] = {}
        # And what that says of the domain itself, which stays the same when only its state changes.
        self._said: dict[str, tuple[DomainDefinition, int, str]] = {}

    # Definitions

    def saveDefinition(self, definition: DomainDefinition) -> None:
        """
        Write a definition.

        @raise VirtError: it cannot be written.
        """
        xml = formatDomain(definition, secure=True, inactive=True)
        text = banner("edit", definition.name) + xml
        writeWhole(self.layout.definition(definition.name), text.encode())

    def removeDefinition(self, name: str) -> None:
        """
        Remove a definition, and the link by which it starts with the host.

        @raise VirtError: the definition is there and cannot be removed.
        """
        self._remove(self.layout.autostartLink(name))
        path = self.layout.definition(name)
        try:
            os.unlink(path)
        except FileNotFoundError:
            pass
        except OSError as problem:
            detail = f"cannot remove config {path}"
            raise systemFailure(problem, detail, ErrorDomain.DOMAIN) from None

    def definitions(self) -> Iterator[tuple[str, DomainDefinition]]:
        """Iterate over definitions and their names; those that make no sense are logged and left alone."""
        for name in self._names(self.layout.config):
            try:
                definition = parseDomain(self._read(self.layout.definition(name)))
                if definition.name != name or definition.uuid is None:
                    raise ValueError(f"it is of '{definition.name}'")
            except (OSError, ValueError, VirtError) as problem:
                log.error(
                    "the definition {path} cannot be read: {problem}",
                    path=self.layout.definition(name),
                    problem=problem,
                )
            else:
                yield name, definition

    def setAutostart(self, name: str, on: bool) -> None:
        """
        Make or remove the link by which a domain starts with the host.

        @raise VirtError: it cannot be made.
        """
        link = self.layout.autostartLink(name)
        try:
            if on:
                makeFolders(self.layout.autostart, 0o700)
                self._remove(link)
                os.symlink(self.layout.definition(name), link)
            else:
                self._remove(link)
        except OSError as problem:
            detail = f"Failed to create symlink '{link}' to '{self.layout.definition(name)}'"
            raise systemFailure(problem, detail) from None

    def autostarts(self, name: str) -> bool:
        """Whether a domain starts with the host."""
        return os.path.islink(self.layout.autostartLink(name))

    # Running guests

    def saveStatus(self, name: str, status: Status) -> None:
        """
        Write what is known of a running guest.

        @raise VirtError: it cannot be written.
        """
        out = [f"<domstatus state='{status.state}' reason='{status.reason}' pid='{status.pid}'>\n"]
        out += [f"  <taint flag='{each}'/>\n" for each in status.taints]
        out.append(f"  <monitor path='{escape(status.monitor)}' type='unix'/>\n")
        if status.vcpuThreads:
            out.append("  <vcpus>\n")
            out += [f"    <vcpu id='{vcpu}' pid='{pid}'/>\n" for vcpu, pid in status.vcpuThreads]
            out.append("  </vcpus>\n")
        if status.job is not None:
            more = f" phase='{escape(status.phase)}'" if status.phase else ""
            more += f" flags='{status.flags:#x}'" if status.flags else ""
            more += f" peer='{escape(status.peer)}'" if status.peer else ""
            out.append(f"  <job type='none' async='{escape(status.job)}'{more}/>\n")
        if status.fakeReboot:
            out.append("  <fakereboot/>\n")
        out.append(f"  <libDir path='{escape(status.folder)}'/>\n")
        out.append(f"  <channelTargetDir path='{escape(status.channels)}'/>\n")
        out.append(f"  <agentTimeout>{status.agentTimeout}</agentTimeout>\n")
        out.append(f"  <startTime>{status.started}</startTime>\n")
        out.append(f"  <nodename index='{status.lastNode}'/>\n")
        if status.advice is not None:
            nodes, cpus = map(formatSet, status.advice)
            out.append(f"  <numad nodeset='{nodes}' cpuset='{cpus}'/>\n")
        for target, (where, pool, volume, mode) in status.volumes:
            more = f" mode='{escape(mode)}'" if mode is not None else ""
            out.append(
                f"  <volume target='{escape(target)}' path='{escape(where)}' pool='{escape(pool)}' "
                f"volume='{escape(volume)}'{more}/>\n"
            )
        if status.blockJobs:
            out.append("  <blockjobs active='yes'>\n")
            for each in status.blockJobs:
                words = "".join(f" {name}='{escape(value)}'" for name, value in each.items())
                out.append(f"    <blockjob{words}/>\n")
            out.append("  </blockjobs>\n")
        if status.backup is not None:
            out.append(f"  <backup>{escape(status.backup)}</backup>\n")
        out += [f"  <unbound device='{escape(each)}'/>\n" for each in status.unbound]
        if status.lockedBefore is not None:
            out.append(f"  <originalMemlock>{status.lockedBefore}</originalMemlock>\n")
        if status.askedCPU is not None:
            writer(CPU)(status.askedCPU, out, "  ", "cpu", Context())
        for file in status.taken:
            (user, group), given = file.owner, file.given
            more = "" if given is None else f" given='{given[0]}:{given[1]}'"
            more += " remembered='yes'" if file.remembered else ""
            out.append(
                f"  <owner path='{escape(file.path)}' user='{user}' group='{group}'{more}/>\n"
            )
        out += [f"  <overlay path='{escape(path)}'/>\n" for path in status.overlays]
        out.append(self._domainOf(name, status))
        out.append("</domstatus>\n")
        path, data = self.layout.status(name), (banner("edit", name) + "".join(out)).encode()
        if self._written.get(name) == hash(data) and os.path.exists(path):
            return
        self._written.pop(name, None)
        writeWhole(path, data)
        self._written[name] = hash(data)

    def _domainOf(self, name: str, status: Status) -> str:
        definition, id, text = self._said.get(name, (None, 0, ""))
        if definition is not status.definition or id != status.id:
            xml = formatDomain(status.definition, id=status.id, secure=True, status=True)
            text = "".join(f"  {line}\n" for line in xml.splitlines())
            self._said[name] = status.definition, status.id, text
        return text

    def removeStatus(self, name: str) -> None:
        """Forget a guest that runs no more."""
        self._written.pop(name, None)
        self._said.pop(name, None)
        self._remove(self.layout.status(name))
        self._remove(self.layout.pid(name))

    def statusNames(self) -> list[str]:
        """The names of guests of which something is written, whether it makes sense or not."""
        return self._names(self.layout.run)

    def statuses(self) -> Iterator[tuple[str, Status]]:
        """Iterate over what is known of guests that were running."""
        for name in self._names(self.layout.run):
            path = self.layout.status(name)
            try:
                data = self._read(path)
                self._written[name] = hash(data)
                yield name, readStatus(data)
            except (OSError, ValueError, KeyError, VirtError, etree.XMLSyntaxError) as problem:
                log.error("the state {path} cannot be read: {problem}", path=path, problem=problem)

    # Files

    @staticmethod
    def _names(folder: str) -> list[str]:
        try:
            found = os.listdir(folder)
        except FileNotFoundError:
            return []
        return sorted(
            each[:-4] for each in found if each.endswith(".xml") and not each.startswith(".")
        )

    @staticmethod
    def _read(path: str) -> str:
        with open(path, encoding="utf-8") as file:
            return file.read()

    @staticmethod
    def _remove(path: str) -> None:
        try:
            os.unlink(path)
        except FileNotFoundError:
            pass
        except OSError as problem:
            log.warn("{path} cannot be removed: {problem}", path=path, problem=problem)


def readStatus(text: str) -> Status:
    """
    Read what L{Store.saveStatus} wrote.

    @raise ValueError: it makes no sense.
    """
    parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True)
    tree = etree.fromstring(text.encode(), parser)
    domain = tree.find("domain")
    if tree.tag != "domstatus" or domain is None:
        raise ValueError("it is no state of a domain")

    def path(tag: str) -> str:
        found = tree.find(tag)
        return found.get("path", "") if found is not None else ""

    job = tree.find("job")
    cpu = tree.find("cpu")
    return Status(
        state=tree.get("state", "nostate"),
        reason=tree.get("reason", "unknown"),
        pid=int(tree.get("pid", "0")),
        started=int(tree.findtext("startTime") or 0),
        id=int(domain.get("id", "-1")),
        monitor=path("monitor"),
        folder=path("libDir"),
        channels=path("channelTargetDir"),
        vcpuThreads=tuple(
            (int(each.get("id", "0")), int(each.get("pid", "0")))
            for each in tree.iterfind("vcpus/vcpu")
        ),
        taints=tuple(each.get("flag", "") for each in tree.iterfind("taint")),
        agentTimeout=int(tree.findtext("agentTimeout") or -2),
        fakeReboot=tree.find("fakereboot") is not None,
        job=None if job is None else job.get("async"),
        phase="" if job is None else job.get("phase", ""),
        flags=0 if job is None else int(job.get("flags", "0"), 0),
        peer="" if job is None else job.get("peer", ""),
        taken=tuple(
            Taken(
                each.get("path", ""),
                (int(each.get("user", "0")), int(each.get("group", "0"))),
                parsed(given) if (given := each.get("given")) is not None else None,
                each.get("remembered") == "yes",
            )
            for each in tree.iterfind("owner")
        ),
        overlays=tuple(each.get("path", "") for each in tree.iterfind("overlay")),
        lockedBefore=int(said) if (said := tree.findtext("originalMemlock")) else None,
        unbound=tuple(each.get("device", "") for each in tree.iterfind("unbound")),
        lastNode=int(node.get("index", "0")) if (node := tree.find("nodename")) is not None else 0,
        advice=None
        if (numad := tree.find("numad")) is None
        else readAdvice(numad.get("nodeset", ""), numad.get("cpuset", "")),
        volumes=tuple(
            (
                str(each.get("target", "")),
                Volume(
                    each.get("path", ""),
                    each.get("pool", ""),
                    each.get("volume", ""),
                    each.get("mode"),
                ),
            )
            for each in tree.iterfind("volume")
        ),
        blockJobs=tuple(
            {str(k): str(v) for k, v in each.items()}
            for each in tree.iterfind("blockjobs/blockjob")
        ),
        backup=tree.findtext("backup"),
        askedCPU=None if cpu is None else reader(CPU)(cpu, Context(extra=[])),
        definition=_asItRan(
            parseDomain(etree.tostring(domain, encoding="unicode"), inactive=False, status=True),
            domain,
        ),
    )


def _asItRan(definition: DomainDefinition, tree: Any) -> DomainDefinition:
    """
    Give devices the names that they are known to QEMU by, which definitions that people write cannot choose.

    Names of devices that came later do not follow from their places.
    """
    disks = []
    for disk in definition.devices.disks:
        if disk.source is not None and disk.source.isEmpty and disk.driver is not None:
            # Nothing is left of a medium that was taken out.
            disk = replaced(disk, source=None, driver=replaced(disk.driver, type=None))
        disks.append(disk)
    devices = replaced(definition.devices, disks=tuple(disks))
    definition = replaced(definition, devices=devices)
    changes: dict[str, Any] = {}
    for kind, (tag, _) in KINDS.items():
        kept = getattr(definition.devices, kind)
        each = kept if isinstance(kept, tuple) else () if kept is None else (kept,)
        nodes = tree.findall(f"devices/{tag}")
        if kind == "controllers":
            # They are put in the order of their numbers when they are read.
            places = {(one.type, str(one.index)): place for place, one in enumerate(each)}
            nodes.sort(key=lambda node: places.get((node.get("type"), node.get("index")), -1))
        if not each or len(nodes) != len(each) or not hasattr(each[0], "alias"):
            continue
        named = []
        for device, node in zip(each, nodes, strict=True):
            alias = node.find("alias")
            name = alias.get("name") if alias is not None else None
            named.append(device if name is None else replaced(device, alias=name))
        changes[kind] = tuple(named) if isinstance(kept, tuple) else named[0]
    return replaced(definition, devices=replaced(definition.devices, **changes))
