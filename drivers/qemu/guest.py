"""
One run of a domain: L{Guest}, from the moment its process is started until all of it is gone.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs
from twisted.internet.defer import Deferred, DeferredLock
from twisted.logger import Logger

from pyvirt import constants as c
from pyvirt.definitions.domain._cpu import CPU
from pyvirt.drivers.qemu.qmp import CommandFailed, MonitorLost, QMPProtocol
from pyvirt.drivers.qemu.refusals import notActive
from pyvirt.drivers.qemu.together import allOf

if TYPE_CHECKING:
    from pyvirt.drivers.interfaces.locking import Lockable
    from pyvirt.drivers.qemu.advice import Advice
    from pyvirt.drivers.qemu.agent import AgentProtocol
    from pyvirt.drivers.qemu.blocks.backups import Backup
    from pyvirt.drivers.qemu.blocks.jobs import BlockJob
    from pyvirt.drivers.qemu.capabilities import BinaryCapabilities
    from pyvirt.drivers.qemu.cgroups import GuestGroup
    from pyvirt.drivers.qemu.deviceaccess import DeviceAccess
    from pyvirt.drivers.qemu.ownership import Taken
    from pyvirt.drivers.qemu.volumes import Volume
    from pyvirt.process import IRunning

__all__ = ["Guest", "MigrationLimits"]

log = Logger()


@attrs.frozen(kw_only=True)
class MigrationLimits:
    """Limits of a guest's migrations: milliseconds, MiB a second after the switch (0: none), bytes."""

    downtime: int = 300
    postcopySpeed: int = 0
    cache: int = 64 << 20


class Guest:
    """
    One run of a domain.

    @ivar folder: its private folder; C{channels}: where sockets of its channels lie.
    @ivar process: its process, None before it is started.
    @ivar monitor: the conversation with it, None before there is one.
    @ivar agent: the conversation with the agent inside, None if there is none.
    @ivar agentTimeout: seconds, or C{VIR_DOMAIN_AGENT_RESPONSE_TIMEOUT_*}.
    @ivar vcpuThreads: by number of the virtual CPU, the thread that runs it.
    @ivar pausedReason, runningReason: C{VIR_DOMAIN_PAUSED_*} and C{VIR_DOMAIN_RUNNING_*} that hold once QEMU says
        that it has stopped, or goes on.
    @ivar stoppedAt: when QEMU stopped last, in seconds since 1970; 0: never.
    @ivar volumes: disks that are volumes of pools, by what the guest calls them.
    @ivar fakeReboot: it is to start again when it has shut down.
    @ivar quietResets: how many resets are to come that nobody is told of.
    @ivar wasShutDown: it said that it has shut down.
    @ivar dying: somebody ends it, and tells what that was; C{fell}: nobody did, it is gone by itself.
    @ivar broken: its monitor makes no sense any more.
    @ivar autodestroy: the connection with which it ends, None if it does not.
    @ivar migration: limits of its migrations.
    @ivar askedCPU: the processor that it was started with, if QEMU made another of it.
    @ivar balloon: where QEMU keeps the balloon, None while that is not known.
    @ivar thresholds: somebody may wait for an image to be written so far.
    @ivar leased: it has its leases; C{leasing}: held while that changes.
    @ivar holds: what it has leases on while it has any; C{owed}: what could not be given back.
    @ivar leaving: it is being moved to another host.
    @ivar lastNode: the number of the image that came last.
    @ivar blockJobs: by target of the disk, what QEMU is doing to disks.
    @ivar jobWaits: by name, jobs of QEMU that somebody waits for.
    @ivar backup: the backup under way, None if none is.
    @ivar dumpProblem: what QEMU said of the last dump, None if it complained of nothing.
    @ivar unplugging: by name, devices whose going somebody waits for.
    @ivar group: where the kernel counts and limits what it uses, None if it does not.
    @ivar access: which devices of the host it may open; None: the kernel keeps it from none.
    @ivar perf: by event that is counted, the descriptor that tells it.
    @ivar owner: user and group that it runs as; None: that is not ours to choose.
    @ivar recipient: whom its files are given to; None: they stay whose they are.
    @ivar taken: files that are given back when it is gone.
    @ivar overlays: files that what its transient disks write goes to, removed when it is gone.
    @ivar unbound: PCI devices that were taken from their drivers.
    """

    def __init__(
        self, id: int, folder: str, channels: str, capabilities: BinaryCapabilities
    ) -> None:
        self.id = id
        self.folder = folder
        self.channels = channels
        self.capabilities = capabilities
        self.process: IRunning | None = None
        self.pid = 0
        self.monitor: QMPProtocol | None = None
        self.agent: AgentProtocol | None = None
        self.agentTimeout = c.VIR_DOMAIN_AGENT_RESPONSE_TIMEOUT_BLOCK
        self.vcpuThreads: dict[int, int] = {}
        self.pausedReason = c.VIR_DOMAIN_PAUSED_UNKNOWN
        self.runningReason = c.VIR_DOMAIN_RUNNING_UNPAUSED
        self.stoppedAt = 0.0
        self.fakeReboot = False
        self.wasShutDown = False
        self.dying = False
        self.fell = False
        self.broken = False
        self.starting = True
        self.askedCPU: CPU | None = None
        self.autodestroy: Any = None
        self.migrated: Deferred[str] | None = None
        self.taints: list[str] = []
        self.balloon: str | None = None
        self.thresholds = False
        self.leased = False
        self.holds: list[Lockable] = []
        self.owed: list[Lockable] = []
        self.leaving = False
        self.migration = MigrationLimits()
        self.leasing = DeferredLock()
        self.owner: tuple[int, int] | None = None
        self.recipient: tuple[int, int] | None = None
        self.taken: list[Taken] = []
        self.overlays: list[str] = []
        self.quietResets = 0
        self.unbound: set[str] = set()
        self.group: GuestGroup | None = None
        self.access: DeviceAccess | None = None
        self.lockedBefore: int | None = None
        self.advice: Advice | None = None
        self.perf: dict[str, int] = {}
        self.volumes: dict[str, Volume] = {}
        self.lastNode = 0
        self.blockJobs: dict[str, BlockJob] = {}
        self.jobWaits: dict[str, Deferred[None]] = {}
        self.unplugging: dict[str, Deferred[str]] = {}
        self.backup: Backup | None = None
        self.dumpProblem: str | None = None

    def dropOverlays(self, paths: Sequence[str]) -> None:
        """Remove what transient disks have written; paths of other files are passed over."""
        for path in [each for each in self.overlays if each in paths]:
            self.overlays.remove(path)
            try:
                os.unlink(path)
            except FileNotFoundError:
                pass
            except OSError as problem:
                log.error("{path} is left: {problem}", path=path, problem=problem)

    def takeNode(self) -> int:
        """Take the next number for an image."""
        self.lastNode += 1
        return self.lastNode

    def execute(
        self,
        command: str,
        arguments: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = 30.0,
        fds: Sequence[int] = (),
    ) -> Deferred[Any]:
        """
        Have QEMU do something; see L{QMPProtocol.execute}.

        @raise VirtError: there is no conversation.
        """
        if self.monitor is None:
            if self.broken:
                raise MonitorLost()
            raise notActive()
        return self.monitor.execute(command, arguments, timeout=timeout, fds=fds)

    async def askAll(self, *questions: tuple[str, Mapping[str, Any] | None]) -> list[Any]:
        """
        Ask QEMU several things in one breath.

        @return: what it says to each; for one that it refuses, the L{CommandFailed} itself.
        @raise VirtError: there is no conversation, or it ends.
        """
        return await allOf(self._ask(*each) for each in questions)

    async def _ask(self, command: str, arguments: Mapping[str, Any] | None) -> Any:
        try:
            return await self.execute(command, arguments)
        except CommandFailed as refused:
            return refused

    def hmp(self, line: str, *, timeout: float | None = 30.0) -> Deferred[Any]:
        """Say a line to the monitor for people; fires with what it prints."""
        return self.execute("human-monitor-command", {"command-line": line}, timeout=timeout)
