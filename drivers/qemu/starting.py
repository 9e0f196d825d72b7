"""
Bringing a guest to life: L{start}.  Whatever fails on the way, nothing is left behind.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import attrs
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from pyvirt import constants as c
from pyvirt.definitions.domain import DomainDefinition
from pyvirt.definitions.schema import replaced
from pyvirt.drivers.cpus.tables import cpuMap
from pyvirt.drivers.interfaces.locking import Launch
from pyvirt.drivers.qemu import ending, hostends, locks, networking, serving
from pyvirt.drivers.qemu.advice import adviceFor, withAdvice
from pyvirt.drivers.qemu.assigning import takeDevices
from pyvirt.drivers.qemu.blocks.chain import chain, localPath, pathOf
from pyvirt.drivers.qemu.capabilities.hostmodel import requireCPU, withHostModel
from pyvirt.drivers.qemu.cgrouplimits import UNLIMITED
from pyvirt.drivers.qemu.changing import copied
from pyvirt.drivers.qemu.command.building import commandLine
from pyvirt.drivers.qemu.command.values import HostSettings
from pyvirt.drivers.qemu.conf import QEMUConfig
from pyvirt.drivers.qemu.connecting import connectMonitor, learn
from pyvirt.drivers.qemu.domain import Domain
from pyvirt.drivers.qemu.fdgroups import Groups, duplicates
from pyvirt.drivers.qemu.files import listenAt, makeFolder, makeOutputs, openFile
from pyvirt.drivers.qemu.firmware import chooseFirmware
from pyvirt.drivers.qemu.gpuservers import chooseGPUs
from pyvirt.drivers.qemu.guest import Guest
from pyvirt.drivers.qemu.guestlogs import GuestLog
from pyvirt.drivers.qemu.hookscripts import announce
from pyvirt.drivers.qemu.hostfacts import firmwares
from pyvirt.drivers.qemu.labels import labelled, ownerOf
from pyvirt.drivers.qemu.live import prepareLive, releasePorts
from pyvirt.drivers.qemu.lockedmemory import checkLockLimit, lockLimit
from pyvirt.drivers.qemu.networkports import listenOnNetworks
from pyvirt.drivers.qemu.ownership import recipient, takeNodes, takeOver
from pyvirt.drivers.qemu.passed import passedDevices
from pyvirt.drivers.qemu.perfevents import openEvents
from pyvirt.drivers.qemu.placement import enterGroup, entering, makeGroup, placeThreads
from pyvirt.drivers.qemu.qmp import MonitorLost
from pyvirt.drivers.qemu.refusals import internal, systemFailure, unsupportedConfig
from pyvirt.drivers.qemu.secretvalues import secretPlaces
from pyvirt.drivers.qemu.taints import findTaints
from pyvirt.drivers.qemu.variables import makeVariables
from pyvirt.drivers.qemu.virtiofs import checkServed
from pyvirt.drivers.qemu.volumes import volumesOf, withVolumes
from pyvirt.errors import ErrorDomain
from pyvirt.process import Command

if TYPE_CHECKING:
    from pyvirt.drivers.qemu.hypervisor import Hypervisor

__all__ = ["goOn", "start"]

log = Logger()


async def start(
    hypervisor: Hypervisor,
    domain: Domain,
    *,
    definition: DomainDefinition | None = None,
    incoming: int | None = None,
    incomingURI: str | None = None,
    autodestroy: Any = None,
    resetVariables: bool = False,
    toldLater: bool = False,
) -> Guest:
    """
    Start a domain's process, talk to it, and leave its CPUs stopped.

    The caller holds the domain's job, knows that it does not run, and lets it go on (L{goOn}) or ends it.

    @param definition: what it is this once; None: what it is defined as.
    @param incoming: a descriptor from which its memory comes; None: it boots.
    @param incomingURI: instead of that, where C{-incoming} listens.
    @param autodestroy: the connection with which it ends.
    @param resetVariables: the firmware forgets what it remembered.
    @param toldLater: whoever calls tells scripts that it was started.
    @raise VirtError: it could not be started; all is as it was.
    """
    kept = domain.definition
    boots = incoming is None and incomingURI is None
    left: list[Any] = []
    try:
        base = await withVolumes(hypervisor, definition or kept, boots=boots, left=left)
    finally:
        tellMissing(hypervisor, domain, left)
    volumes = volumesOf(definition or kept, base)
    capabilities = await hypervisor.capabilities(base)
    hypervisor.lastID += 1
    id = hypervisor.lastID
    layout = hypervisor.layout
    guest = Guest(
        id, layout.guestFolder(id, domain.name), layout.channelFolder(id, domain.name), capabilities
    )
    guest.autodestroy = autodestroy
    guest.volumes = volumes
    guest.agentTimeout = domain.agentTimeout
    descriptors = firmwares()
    try:
        base = chooseFirmware(
            withHostModel(base, capabilities, cpuMap()),
            descriptors,
            nvramFolder=os.path.join(layout.lib, "nvram"),
        )
        requireCPU(cpuMap(), capabilities, base.cpu)
        guest.advice = await adviceFor(hypervisor.processes, base)
        guest.owner = ownerOf(base, hypervisor.owner)
        live = labelled(
            prepareLive(hypervisor, base, guest, boots=boots, left=left, groups=domain.fdGroups),
            hypervisor.owner,
            bool(hypervisor.config["security_default_confined"]),
        )
    except BaseException:
        releasePorts(hypervisor, guest)
        domain.reason = c.VIR_DOMAIN_SHUTOFF_FAILED
        raise
    finally:
        tellMissing(hypervisor, domain, left)
    if domain.persistent and domain.pending is None:
        domain.pending = copied(kept)
    domain.definition = live
    findTaints(hypervisor, live, guest)
    domain.guest = guest
    hypervisor.domains.identify(domain, id)
    domain.state, domain.reason = c.VIR_DOMAIN_PAUSED, c.VIR_DOMAIN_PAUSED_STARTING_UP
    guestLog: GuestLog | None = None
    try:
        await announce(hypervisor, domain, "prepare", definition or kept)
        owner = guest.owner
        makeFolder(guest.folder, owner, 0o750)
        makeFolder(guest.channels, owner, 0o750)
        checkShares(live)
        checkFiles(hypervisor, live)
        live, programs = await chooseGPUs(hypervisor, hostends.chooseDevices(live))
        live = await listenOnNetworks(hypervisor, live)
        domain.definition = live
        writeKey(hypervisor, guest)
        makeVariables(live, descriptors, owner, reset=resetVariables)
        if live.os.loader is not None and live.os.loader.path:
            hostends.checkAccess(live.os.loader.path)
        plugged = await networking.plugAll(hypervisor, domain)
        live = await takeDevices(hypervisor, domain.definition, guest, boots=boots)
        domain.definition = live
        # Libvirt opens these for the command line, before it gives the guest any file; what is plugged in, after.
        hostends.checkShown(live)
        makeOutputs(live)
        guest.recipient = recipient(hypervisor, guest, live)
        if guest.recipient is not None:
            remembers = bool(hypervisor.config["remember_owner"])
            takeOver(live, guest.recipient, remembers, guest.taken)
        takeNodes(hypervisor, guest, passedDevices(live))
        guestLog = GuestLog(layout.log(domain.name), hypervisor.logs.limits)
        hypervisor.logs.follow(guestLog.path)
        # A guest that comes from another host gets its leases when it has come.
        how = await locks.launch(hypervisor, domain, guest, live, incomingURI is None)
        connections = networking.Connections()
        try:
            domain.definition, vsock = hostends.openVsock(live)
            connections.numbers.update(vsock)
            connections.numbers.update(hostends.openSCSIHosts(live))
            connections.numbers.update(duplicates(domain.fdGroups, live))
            connections.numbers |= await serving.startServers(
                hypervisor,
                domain.definition,
                guest,
                guestLog,
                programs,
                incoming=incoming is not None or incomingURI is not None,
            )
            live = await networking.connectAll(hypervisor, domain, plugged, connections)
            unplaced = replaced(live, resource=base.resource)
            await announce(hypervisor, domain, "start", unplaced)
            checkLockLimit(domain.definition)
            makeGroup(hypervisor, domain, guest)
            serving.placeServers(hypervisor, domain.definition, guest)
            live = domain.definition
            await spawn(
                hypervisor, domain, guest, live, guestLog, incoming, incomingURI, how, connections
            )
        finally:
            networking.closeAll(connections)
        if not how.prefix:
            enterGroup(guest)
        openEvents(domain.definition, guest)
        # Without this nobody would find the guest again.
        hypervisor.requireStatus(domain)
        await converse(hypervisor, domain, guest, guestLog)
        if how.prefix:
            # Before it answers the process may be what gets its leases still.
            enterGroup(guest)
        checkServed(hypervisor, live, guest)
        domain.definition = await learn(hypervisor, domain, guest)
        await placeThreads(hypervisor, domain, guest)
        if boots and any(disk.transient is not None for disk in live.devices.disks):
            from pyvirt.drivers.qemu.transientdisks import layOver

            await layOver(hypervisor, domain, guest)
        hypervisor.saveStatus(domain)
        if not toldLater:
            await announce(hypervisor, domain, "started", domain.definition)
    except BaseException as problem:
        if isinstance(problem, MonitorLost) and not problem.nonsense and guest.monitor is not None:
            assert guestLog is not None
            problem = unexpectedEnd(hypervisor, guestLog)
        await ending.undo(hypervisor, domain, guest, kept)
        raise problem
    finally:
        if guestLog is not None:
            guestLog.close()
    guest.starting = False
    return guest


def tellMissing(hypervisor: Hypervisor, domain: Domain, left: list[Any]) -> None:
    """Tell of disks that a guest starts without, once."""
    while left:
        disk = left.pop(0)
        change = (
            c.VIR_DOMAIN_EVENT_DISK_CHANGE_MISSING_ON_START
            if disk.device in ("cdrom", "floppy")
            else c.VIR_DOMAIN_EVENT_DISK_DROP_MISSING_ON_START
        )
        hypervisor.tellDomain(
            domain,
            c.VIR_DOMAIN_EVENT_ID_DISK_CHANGE,
            # Where a volume would be nobody knows.
            *(None if disk.type == "volume" else pathOf(disk.source), None, disk.alias, change),
        )


async def goOn(hypervisor: Hypervisor, domain: Domain, guest: Guest, reason: int) -> None:
    """
    Let a guest's CPUs run.

    @param reason: C{VIR_DOMAIN_RUNNING_*}.
    """
    await locks.lease(hypervisor, domain, guest)
    guest.runningReason = reason
    await guest.execute("cont", timeout=60.0)
    if domain.guest is guest and domain.state == c.VIR_DOMAIN_PAUSED:
        # QEMU tells of it before it answers, unless it ran already.
        hypervisor.setState(domain, c.VIR_DOMAIN_RUNNING, reason)


def checkShares(definition: DomainDefinition) -> None:
    """
    Refuse shares of caches and of the memory's speed, which are not set here.

    @raise VirtError: CONFIG_UNSUPPORTED: there is one.
    """
    tune = definition.cputune
    if tune is not None and (tune.cachetunes or tune.memorytunes):
        raise unsupportedConfig(
            "Resource control is not supported on this host", ErrorDomain.RESCTRL
        )


def checkFiles(hypervisor: Hypervisor, definition: DomainDefinition) -> None:
    """
    Look whether what a guest opens is there.

    @raise VirtError: something is not.
    """
    for disk in definition.devices.disks:
        for image in chain(disk):
            path = localPath(image.source)
            if path is not None and getattr(image.source, "fdgroup", None) is None:
                hostends.checkAccess(path)
    os_ = definition.os
    paths = [os_.kernel, os_.initrd, os_.dtb, os_.acpiTable]
    for info in definition.sysinfos:
        if info.type == "fwcfg":
            paths += [file for _, _, file in info.entries]
    for path in paths:
        if path:
            try:
                os.stat(path)
            except OSError as problem:
                raise systemFailure(
                    problem, f"unable to stat: {path}", ErrorDomain.SECURITY
                ) from None


def writeKey(hypervisor: Hypervisor, guest: Guest) -> None:
    """Write the key that secrets of this run are wrapped with."""
    path = os.path.join(guest.folder, "master-key.aes")
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        try:
            os.write(fd, hypervisor.random(32))
            if guest.owner is not None:
                os.fchown(fd, *guest.owner)
        finally:
            os.close(fd)
    except OSError as problem:
        raise systemFailure(problem, f"failed to write master key file '{path}'") from None


def hostSettings(
    hypervisor: Hypervisor,
    guest: Guest,
    incoming: str | None = None,
    vhost: Collection[str] | None = None,
    groups: Groups | None = None,
) -> HostSettings:
    """Tell the command line what it depends on besides the guest."""
    return HostSettings(
        id=guest.id,
        privileged=hypervisor.privileged,
        guestFolder=guest.folder,
        channelFolder=guest.channels,
        runFolder=hypervisor.layout.run,
        incoming=incoming,
        vhost=None if vhost is None else frozenset(vhost),
        sandbox=hypervisor.config["seccomp_sandbox"] != 0,
        groups={} if groups is None else groups,
        settings={
            **hypervisor.config.values,
            "hugetlbfs_mounts": hostends.hugePageMounts(hypervisor.config.values),
            "host_nodes": hostends.hostNodes(),
        },
    )


async def spawn(
    hypervisor: Hypervisor,
    domain: Domain,
    guest: Guest,
    live: DomainDefinition,
    guestLog: GuestLog,
    incoming: int | None,
    incomingURI: str | None,
    how: Launch,
    connections: networking.Connections,
) -> None:
    """Start the process, with the descriptors it needs and no other."""
    config = hypervisor.config
    opened: list[int] = []
    numbers: dict[str, int] = dict(connections.numbers)
    source = "defer" if incoming is not None else incomingURI
    settings = hostSettings(hypervisor, guest, source, connections.vhost, domain.fdGroups)
    opens = hypervisor.privileged
    settings = attrs.evolve(settings, opensFiles=opens, opensSockets=opens)
    placed = withAdvice(live, guest.advice)
    line = commandLine(placed, guest.capabilities, settings, hypervisor.clock.seconds())
    secrets = await secretPlaces(hypervisor, guest, line.secrets)
    monitor = listenAt(os.path.join(guest.folder, "monitor.sock"), guest.owner)
    try:
        numbers["monitor"] = monitor.fileno()
        for each in line.files:
            if each.name in numbers:
                continue
            if each.listens:
                fd = listenAt(each.path, guest.owner, 0o775).detach()
                opened.append(fd)
                numbers[each.name] = fd
                continue
            fd = openFile(each)
            opened.append(fd)
            numbers[each.name] = fd
        try:
            argv = line.placed({**numbers, **secrets})
        except KeyError as missing:
            raise unsupportedConfig(
                f"there is nothing to pass as {missing} to this guest"
            ) from None
        for folder in line.folders:
            makeFolder(folder, guest.owner)
        limits = []
        for key, name in (("max_processes", "nproc"), ("max_files", "nofile")):
            if config[key]:
                # As libvirt has it: what QEMU may open itself, and one that it has from the start.
                limits.append(f"--{name}={config[key] + (name == 'nofile')}")
        core = config["max_core"]
        limits.append(f"--core={core or 0}")
        locked = lockLimit(live)
        if locked is not None:
            limits.append(f"--memlock={'unlimited' if locked == UNLIMITED else locked}")
        descriptors = [monitor.fileno(), *opened, *connections.numbers.values()]
        if incoming is not None:
            descriptors.append(incoming)
        environment = {
            "HOME": guest.folder,
            "XDG_DATA_HOME": os.path.join(guest.folder, ".local/share"),
            "XDG_CACHE_HOME": os.path.join(guest.folder, ".cache"),
            "XDG_CONFIG_HOME": os.path.join(guest.folder, ".config"),
            **line.environment,
        }
        user, group = guest.owner or (0, 0)
        command = Command(
            argv=argv,
            prefix=how.prefix + entering(guest),
            environment={**environment, **how.environment},
            descriptors=tuple(descriptors),
            user=user or None,
            group=group or None,
            groups=supplementary(user, group) if user else (),
            dropCapabilities=hypervisor.privileged and dropsCapabilities(config, user),
            keptCapabilities=("sys_rawio",) if _rawIO(live) else (),
            limits=tuple(limits),
            umask=0o002,
            pidFile=hypervisor.layout.pid(domain.name),
            log=guestLog.fd,
        )
        version = guest.capabilities.version
        guestLog.header(
            f"{version // 1000000}.{version // 1000 % 1000}.{version % 1000}",
            guest.capabilities.package,
            command.wholeEnvironment(os.environ),
            attrs.evolve(command, prefix=()).wrapped(),
        )
        running = hypervisor.processes.start(command)
    finally:
        monitor.close()
        for fd in opened:
            os.close(fd)
    guest.process = running
    guest.pid = running.pid
    running.whenEnded().addCallback(lambda status: ending.processEnded(hypervisor, domain, guest))


def dropsCapabilities(config: QEMUConfig, user: int) -> bool:
    """
    Return whether guests run without any capability.

    Root keeps them, as with libvirt, unless the administrator says otherwise: files of others, and shared folders in
    passthrough mode, need them.
    """
    cleared = bool(config["clear_emulator_capabilities"])
    return cleared and (user != 0 or "clear_emulator_capabilities" in config.lines)


def _rawIO(definition: DomainDefinition) -> bool:
    """Return whether a guest may send commands to devices of the host that only who has that right may send."""
    devices: Any = definition.devices
    return any(each.rawio for each in (*devices.disks, *devices.hostdevs))


def supplementary(user: int, group: int) -> tuple[int, ...]:
    """Return the groups that a user is in, among them the one that is its first here."""
    import pwd

    try:
        entry = pwd.getpwuid(user)
        return tuple(sorted({group, *os.getgrouplist(entry.pw_name, entry.pw_gid)}))
    except (KeyError, OSError):
        return (group,)


async def converse(
    hypervisor: Hypervisor, domain: Domain, guest: Guest, guestLog: GuestLog
) -> None:
    """
    Begin the conversation with a guest that has just been started.

    @raise VirtError: it is gone, with what it printed; or it does not answer.
    """
    assert guest.process is not None
    ended: Deferred[int | None] = guest.process.whenEnded()
    try:
        await connectMonitor(hypervisor, domain, guest)
    except MonitorLost as lost:
        if lost.nonsense:
            raise
        # It hung up, so it is ending: wait until all that it prints is there.
        ended.addTimeout(5.0, hypervisor.clock, onTimeoutCancel=lambda result, _: None)
        await ended
        hypervisor.tellDomain(domain, c.VIR_DOMAIN_EVENT_ID_CONTROL_ERROR)
        raise unexpectedEnd(hypervisor, guestLog) from None
    finally:
        if not ended.called:
            ended.addErrback(lambda _: None)
            ended.cancel()


def said(hypervisor: Hypervisor, domain: Domain) -> str:
    """Return the last lines that a guest's QEMU has printed, before it is logged that it ended."""
    try:
        with open(hypervisor.layout.log(domain.name), "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - 2048))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    return "\n".join(line for line in lines[-4:] if "qemu" in line and not line.startswith("-"))


def unexpectedEnd(hypervisor: Hypervisor, guestLog: GuestLog) -> Exception:
    """Make the error of a guest that ended when nobody wanted it to, with what it printed."""
    refused = hypervisor.locks.explain(guestLog.said().encode())
    if refused is not None:
        return refused
    said = "\n".join(
        line for line in guestLog.said().splitlines() if "char device redirected to" not in line
    )
    detail = "qemu unexpectedly closed the monitor"
    return internal(f"{detail}: {said}" if said else detail)
