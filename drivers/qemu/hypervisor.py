"""
One driver at work: L{Hypervisor}, which holds all that connections share.

It knows nothing of connections.  Operations are grouped in components, one class per contract; L{components} says
which.  What happens to guests by themselves comes in through L{happenings}.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface.interface import InterfaceClass

from pyvirt import constants as c
from pyvirt.definitions.domain import DomainDefinition, formatDomain, parseDomain
from pyvirt.definitions.domain._cpu import CPU
from pyvirt.definitions.schema import replaced
from pyvirt.drivers.background import Background
from pyvirt.drivers.cpus.tables import cpuMap
from pyvirt.drivers.events import EventHub
from pyvirt.drivers.interfaces.events import Event, EventKind
from pyvirt.drivers.interfaces.locking import ILockManager
from pyvirt.drivers.interfaces.values import DomainRef
from pyvirt.drivers.qemu.binaries import Binaries, emulatorFor
from pyvirt.drivers.qemu.capabilities import BinaryCapabilities
from pyvirt.drivers.qemu.cgroups import findCgroups
from pyvirt.drivers.qemu.conf import QEMUConfig
from pyvirt.drivers.qemu.defaults import checkPorts
from pyvirt.drivers.qemu.domain import Domain, DomainTable
from pyvirt.drivers.qemu.filewatch import FileWatch
from pyvirt.drivers.qemu.guestlogs import logsOf
from pyvirt.drivers.qemu.hostfacts import physicalBits
from pyvirt.drivers.qemu.layout import Layout
from pyvirt.drivers.qemu.logrotation import LogKeeper, loadLimits
from pyvirt.drivers.qemu.migratable import formatMigratable
from pyvirt.drivers.qemu.migrationdata import hostUUID
from pyvirt.drivers.qemu.refusals import unsupportedConfig
from pyvirt.drivers.qemu.statewords import reasonWord, stateWord
from pyvirt.drivers.qemu.store import Status, Store
from pyvirt.drivers.qemu.taps import NameGiver
from pyvirt.drivers.qemu.texts import Texts
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError
from pyvirt.hooks import Hooks
from pyvirt.locking.plugin import NoLocks
from pyvirt.process import IProcesses, startTime, systemError

if TYPE_CHECKING:
    from pyvirt.drivers.qemu.arriving import Arrival
    from pyvirt.drivers.qemu.leaving import Leaver

__all__ = ["Hypervisor"]

log = Logger()


class Hypervisor(Background):
    """
    One driver: the system's, or a user's own.

    @ivar clock: the reactor: time and connections.
    @ivar connect: opens a conversation: the path of a UNIX socket and a protocol.
    @ivar random: makes up UUIDs, hardware addresses, keys.
    @ivar leaving: guests on their way to other hosts, by UUID; C{arriving}: those that come, by name.
    @ivar migrationErrors: by name, why guests ended that were to come, for those who ask for them later.
    @ivar locks: gives guests leases on what they write to; C{hasLocks}: it is not the one that gives none.
    @ivar companion: returns what does the operations of a contract beside this driver: storage, networks, secrets.
    @ivar tapNames, macvtapNames: name devices of the host that guests' cards end in.
    @ivar texts: definitions as text, for those who ask often.
    @ivar cgroups: what guests can be limited by.
    @ivar owner: user and group of guests' processes, None if they are ours.
    @ivar logs: keeps what guests print from growing without end, once it is started.
    """

    def __init__(
        self,
        *,
        reactor: Any,
        processes: IProcesses,
        layout: Layout,
        config: QEMUConfig,
        privileged: bool,
        connect: Callable[[str, Any], Deferred[Any]],
        random: Callable[[int], bytes] = os.urandom,
        locks: ILockManager | None = None,
        companion: Callable[[InterfaceClass], object | None] = lambda interface: None,
        hooks: Hooks | None = None,
    ) -> None:
        self.clock = reactor
        self.processes = processes
        self.layout = layout
        self.config = config
        self.privileged = privileged
        self.connect = connect
        self.random = random
        self.companion = companion
        self.tapNames = NameGiver("vnet")
        self.macvtapNames = NameGiver("macvtap")
        self.hasLocks = locks is not None
        self.locks: ILockManager = NoLocks() if locks is None else locks
        self.hub = EventHub()
        self.texts = Texts()
        self.store = Store(layout)
        self.domains = DomainTable(reactor, config["max_queued"])
        self.hooks = Hooks(processes, layout.hooks) if hooks is None else hooks
        self.binaries = Binaries(reactor, processes, layout.capabilities, layout.lib)
        self.owner = (config.user, config.group) if privileged else None
        self.leaving: dict[bytes, Leaver] = {}
        self.arriving: dict[str, Arrival] = {}
        self.migrationPorts: set[int] = set()
        self.migrationErrors: dict[str, VirtError] = {}
        self._hostUUID: bytes | None = None
        self.cgroups = findCgroups()
        self.lastID = 0
        self.logs = LogKeeper(
            reactor,
            loadLimits(layout.logLimits),
            self._openLogs,
            lambda written: FileWatch.open(reactor, written),
        )
        super().__init__()
        self.stopping = False

    @property
    def hostUUID(self) -> bytes:
        """What tells this host from another in a migration."""
        if self._hostUUID is None:
            self._hostUUID = hostUUID(self.layout.lib, self.random)
        return self._hostUUID

    def _openLogs(self) -> list[str]:
        """List the logs that running guests and their helpers write to."""
        active = (domain.definition for domain in self.domains if domain.active)
        return [self.layout.log(name) for each in active for name in logsOf(each)]

    # Definitions

    async def parse(self, xml: str) -> DomainDefinition:
        """
        Read the definition of a domain and complete it.

        @raise VirtError: it is wrong, or asks for what there is not.
        """
        # Not loaded where guests are only found again.
        from pyvirt.drivers.qemu.validate import validate

        definition = parseDomain(xml)
        if definition.name in (".", "..") or "\n" in definition.name:
            raise virtError(
                ErrorCode.XML_ERROR, f"name {definition.name!r} is not allowed", ErrorDomain.DOMAIN
            )
        checkPorts(definition.devices.serials)
        definition = await self.completed(definition)
        capabilities = await self.capabilities(definition)
        cpu = definition.cpu
        limited = cpu is not None and cpu.maxphysaddr is not None
        widest = physicalBits() if limited else None
        validate(definition, capabilities, self.config.values, widest)
        return definition

    async def copied(
        self, definition: DomainDefinition, asked: CPU | None = None
    ) -> DomainDefinition:
        """
        Return what of a definition is kept with a moment: nothing that only a running guest has.

        @param asked: the processor that it was started with, if it has become another.
        """
        text = formatMigratable(definition, asked)
        return await self.completed(parseDomain(text))

    async def withUpdatedCPU(self, definition: DomainDefinition) -> DomainDefinition:
        """
        Return a definition as it would be read again, with the processor that this host would give it.

        @raise VirtError: it asks for a processor that is not known.
        """
        from pyvirt.drivers.qemu.capabilities.hostmodel import withHostModel

        definition = await self.completed(parseDomain(formatDomain(definition, secure=True)))
        cpu = definition.cpu
        own = cpu.model if cpu is not None and cpu.mode == "custom" else None
        if cpu is None or (cpu.mode != "host-model" and own is None):
            return definition
        updated = withHostModel(definition, await self.capabilities(definition), cpuMap())
        found = updated.cpu
        if found is None or found.model is None:
            return updated
        # Only a guest that starts must get what was found.
        model = replaced(found.model, fallback="allow" if own is None else own.fallback)
        return replaced(updated, cpu=replaced(found, model=model))

    async def completed(self, definition: DomainDefinition) -> DomainDefinition:
        """
        Fill in what a definition does not say.

        @raise VirtError: it asks for what there is not.
        """
        from pyvirt.drivers.qemu.complete import complete

        handing: frozenset[str] = frozenset()
        if any(nic.type == "network" for nic in definition.devices.interfaces):
            from pyvirt.drivers.qemu.networkports import handingNetworks

            handing = await handingNetworks(self, definition)
        return complete(
            definition,
            await self.capabilities(definition),
            self.random,
            nvramFolder=os.path.join(self.layout.lib, "nvram"),
            handing=handing,
        )

    async def capabilities(self, definition: DomainDefinition) -> BinaryCapabilities:
        """
        Tell what the binary of a domain can do.

        @raise VirtError: there is none, or it does not answer.
        """
        binary = definition.devices.emulator
        if binary is None:
            arch = definition.os.type.arch or "x86_64"
            binary = emulatorFor(arch)
            if not os.path.exists(binary):
                raise unsupportedConfig(f"No emulator found for arch '{arch}'")
        return await self.binaries.of(binary)

    # What others are told

    def tell(self, domain: Domain, event: int, detail: int, ref: DomainRef | None = None) -> None:
        """
        Tell of a domain's life, with C{VIR_DOMAIN_EVENT_*} and its detail.

        @param ref: what it was known by when that happened, if that is not what it is known by now.
        """
        self.tellDomain(domain, c.VIR_DOMAIN_EVENT_ID_LIFECYCLE, event, detail, ref=ref)

    def tellDomain(
        self, domain: Domain, eventID: int, *details: Any, ref: DomainRef | None = None
    ) -> None:
        """Tell of something else about a domain: C{VIR_DOMAIN_EVENT_ID_*}."""
        if ref is None:
            ref = domain.ref
        self.hub.emit(Event(EventKind.DOMAIN, eventID, ref, details), domain.uuid)

    # State

    def setState(self, domain: Domain, state: int, reason: int) -> None:
        """Give a domain another state, and write that down if it runs."""
        domain.state, domain.reason = state, reason
        if domain.active:
            self.saveStatus(domain)

    def keepDefinition(self, domain: Domain) -> None:
        """
        Write what a domain will be where its disks have become something else already.

        Nothing is taken back if there is no room for it: that is logged, and tried again with each change.
        """
        try:
            self.store.saveDefinition(domain.persistentDefinition)
            domain.unwritten = False
        except VirtError as error:
            domain.unwritten = True
            log.error("{name} was not written: {error}", name=domain.name, error=error)

    def saveStatus(self, domain: Domain) -> None:
        """Write down what a restarted daemon must know of a running domain; failing to is logged."""
        if domain.unwritten and domain.persistent:
            self.keepDefinition(domain)
        try:
            self.requireStatus(domain)
        except VirtError as error:
            log.error("the state of {name} was not written: {error}", name=domain.name, error=error)

    def requireStatus(self, domain: Domain) -> None:
        """
        Write down what a restarted daemon must know of a running domain.

        @raise VirtError: it cannot be written.
        """
        guest = domain.guest
        if guest is None or not guest.pid:
            return
        long = domain.jobs.long
        try:
            started = startTime(guest.pid) or 0
        except OSError as problem:
            raise systemError(problem, f"Cannot look at process {guest.pid}") from None
        status = Status(
            state=stateWord(domain.state),
            reason=reasonWord(domain.state, domain.reason),
            pid=guest.pid,
            started=started,
            id=domain.id,
            monitor=os.path.join(guest.folder, "monitor.sock"),
            folder=guest.folder,
            channels=guest.channels,
            vcpuThreads=tuple(guest.vcpuThreads.items()),
            taints=tuple(guest.taints),
            agentTimeout=guest.agentTimeout,
            fakeReboot=guest.fakeReboot,
            job=None if long is None else long.what,
            phase="" if long is None else long.phase,
            flags=0 if long is None else long.flags,
            peer="" if long is None else long.peer,
            taken=tuple(guest.taken),
            overlays=tuple(guest.overlays),
            unbound=tuple(sorted(guest.unbound)),
            lockedBefore=guest.lockedBefore,
            lastNode=guest.lastNode,
            advice=guest.advice,
            volumes=tuple(guest.volumes.items()),
            blockJobs=tuple(each.attributes() for each in guest.blockJobs.values()),
            backup=None if guest.backup is None else guest.backup.written(),
            askedCPU=guest.askedCPU,
            definition=domain.definition,
        )
        self.store.saveStatus(domain.name, status)
