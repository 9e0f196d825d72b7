"""
Conversations with guests: their monitors, and the agents inside.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import ClientCreator
from twisted.logger import Logger

from pyvirt import constants as c
from pyvirt.definitions.domain import DomainDefinition
from pyvirt.definitions.schema import replaced
from pyvirt.drivers.qemu import ending, happenings
from pyvirt.drivers.qemu.agent import AgentProtocol
from pyvirt.drivers.qemu.command.afterwards import afterwards
from pyvirt.drivers.qemu.domain import Domain
from pyvirt.drivers.qemu.guest import Guest
from pyvirt.drivers.qemu.guestcpu import asked
from pyvirt.drivers.qemu.live import learnChardevs, learnDrives, learnMemories, takenMemory
from pyvirt.drivers.qemu.qmp import CommandFailed, MonitorLost, QMPProtocol
from pyvirt.errors import VirtError

if TYPE_CHECKING:
    from pyvirt.drivers.qemu.hypervisor import Hypervisor

__all__ = [
    "connectAgent",
    "connectMonitor",
    "connectorFor",
    "learn",
    "refreshDrives",
    "setPassword",
]

log = Logger()

AGENT = "org.qemu.guest_agent.0"


def connectorFor(reactor: Any) -> Any:
    """Return what opens conversations through UNIX sockets, however long their paths are."""

    def connect(path: str, protocol: Any) -> Deferred[Any]:
        folder = os.open(os.path.dirname(path), os.O_PATH | os.O_DIRECTORY)
        short = path
        if len(os.fsencode(path)) > 100:
            short = f"/proc/self/fd/{folder}/{os.path.basename(path)}"
        # Endpoints do the same, and load OpenSSL for those that are encrypted.
        connecting: Deferred[Any] = ClientCreator(reactor, lambda: protocol).connectUNIX(
            short, timeout=10
        )

        def over(result: Any) -> Any:
            os.close(folder)
            return result

        connecting.addBoth(over)
        return connecting

    return connect


async def connectMonitor(hypervisor: Hypervisor, domain: Domain, guest: Guest) -> None:
    """
    Begin the conversation with a guest's monitor.

    @raise MonitorLost: it is gone, or makes no sense.
    """
    path = os.path.join(guest.folder, "monitor.sock")

    def event(happened: Any) -> None:
        happenings.happened(hypervisor, domain, guest, happened)

    def lost(error: VirtError | None) -> None:
        if error is not None:
            guest.broken = True
        ending.monitorLost(hypervisor, domain, guest, error)

    protocol = QMPProtocol(hypervisor.clock, event=event, lost=lost)
    try:
        await hypervisor.connect(path, protocol)
    except Exception as problem:
        raise MonitorLost(f"failed to connect to monitor socket: {problem}") from None
    guest.monitor = protocol
    await protocol.negotiate(answering(domain.definition))


def answering(definition: DomainDefinition) -> float:
    """
    Return how many seconds QEMU may take until its monitor answers.

    It goes through all memory first that is locked, filled at once or in huge pages.
    """
    backing = definition.memoryBacking
    filled = backing is not None and (
        backing.locked or backing.hugepages is not None or backing.allocation is not None
    )
    return 30.0 + (10.0 * definition.memory.amount / (1 << 20) if filled else 0.0)


async def learn(hypervisor: Hypervisor, domain: Domain, guest: Guest) -> DomainDefinition:
    """
    Ask a guest what only it knows, once it runs: where its consoles are, which threads are its CPUs.

    @return: its definition with what was learnt.
    """
    from pyvirt.drivers.qemu.vcpus import plugFirst

    definition = domain.definition
    chardevs = await guest.execute("query-chardev")
    definition = learnChardevs(definition, chardevs)
    tellAgent(hypervisor, domain, definition)
    definition = await plugFirst(guest, definition)
    cpus = await guest.execute("query-cpus-fast")
    definition = await _learnCPU(guest, definition, cpus)
    guest.vcpuThreads = {
        cpu["cpu-index"]: cpu["thread-id"]
        for cpu in (cpus if isinstance(cpus, list) else ())
        if isinstance(cpu, dict)
        and type(cpu.get("thread-id")) is int
        and type(cpu.get("cpu-index")) is int
    }
    try:
        await guest.execute(
            "migrate-set-capabilities",
            {"capabilities": [{"capability": "events", "state": True}]},
        )
    except CommandFailed as error:
        log.debug("{error}", error=error)
    if definition.onReboot == "destroy" and "set-action" in guest.capabilities.commands:
        await guest.execute("set-action", {"reboot": "shutdown"})
    for name, arguments in afterwards(definition):
        await guest.execute(name, arguments)
    definition = await learnTaken(guest, definition)
    await _passwords(guest, definition, hypervisor.config.values)
    await _balloon(guest, definition)
    definition = await learnBalloon(guest, definition)
    blocks = await guest.execute("query-block")
    definition = learnDrives(definition, blocks)
    await connectAgent(hypervisor, domain, guest)
    return definition


async def learnTaken(guest: Guest, definition: DomainDefinition) -> DomainDefinition:
    """Ask where modules of memory lie, and how much of them the guest has taken."""
    if not definition.devices.memories:
        return definition
    return learnMemories(definition, await guest.execute("query-memory-devices"))


async def learnBalloon(guest: Guest, definition: DomainDefinition) -> DomainDefinition:
    """Ask how much memory a guest has that takes more, or less, as it is asked to."""
    balloon = definition.devices.memballoon
    if balloon is None or balloon.model == "none":
        return definition
    if all(each.model != "virtio-mem" for each in definition.devices.memories):
        # Others have what they were given until they tell.
        return definition
    reply = await guest.execute("query-balloon")
    actual = reply.get("actual") if isinstance(reply, dict) else None
    if type(actual) is not int or actual < 0:
        return definition
    return replaced(definition, currentMemory=actual // 1024 + takenMemory(definition))


def tellAgent(hypervisor: Hypervisor, domain: Domain, definition: DomainDefinition) -> None:
    """Tell whether the agent of a guest that has been started is there."""
    channel = agentChannel(definition)
    if channel is not None and channel.target.state is not None:
        hypervisor.tellDomain(
            domain,
            c.VIR_DOMAIN_EVENT_ID_AGENT_LIFECYCLE,
            c.VIR_CONNECT_DOMAIN_EVENT_AGENT_LIFECYCLE_STATE_CONNECTED
            if channel.target.state == "connected"
            else c.VIR_CONNECT_DOMAIN_EVENT_AGENT_LIFECYCLE_STATE_DISCONNECTED,
            c.VIR_CONNECT_DOMAIN_EVENT_AGENT_LIFECYCLE_REASON_DOMAIN_STARTED,
        )


async def refreshDrives(hypervisor: Hypervisor, domain: Domain, guest: Guest) -> None:
    """Look into a guest's drives once more, as what moves there when it resets is not told."""
    if not domain.definition.devices.disks:
        return
    try:
        blocks = await guest.execute("query-block")
    except VirtError as error:
        # Guests may end instead.
        log.debug("{name} does not tell of its drives: {error}", name=domain.name, error=error)
        return
    if domain.guest is guest:
        domain.definition = learnDrives(domain.definition, blocks)
        hypervisor.saveStatus(domain)


async def _learnCPU(guest: Guest, definition: DomainDefinition, cpus: Any) -> DomainDefinition:
    """Say in the definition what the processor has become."""
    first = cpus[0] if isinstance(cpus, list) and cpus else None
    path = first.get("qom-path") if isinstance(first, dict) else None
    if definition.cpu is None or not isinstance(path, str):
        return definition
    cpu = await asked(definition.cpu, guest, path)
    if cpu.features != definition.cpu.features:
        guest.askedCPU = replaced(definition.cpu, model=cpu.model)
    return replaced(definition, cpu=cpu)


async def _passwords(
    guest: Guest, definition: DomainDefinition, settings: Mapping[str, Any]
) -> None:
    """Set the passwords of displays; a display that has one lets nobody in until then."""
    for display in definition.devices.graphics:
        if display.type not in ("vnc", "spice"):
            continue
        if display.passwd is None:
            default = settings.get(f"{display.type}_password")
            if default is None:
                continue
            display = replaced(display, passwd=default, passwdValidTo=None)
        await setPassword(guest, display)


async def setPassword(guest: Guest, display: Any) -> None:
    """
    Give a display its password, and say until when it holds.

    @raise VirtError: QEMU refuses.
    """
    arguments = {"protocol": display.type, "password": display.passwd}
    if display.type == "spice":
        arguments["connected"] = display.connected or "keep"
    await guest.execute("set_password", arguments)
    when = "never"
    if display.passwdValidTo is not None:
        when = _seconds(display.passwdValidTo)
    await guest.execute("expire_password", {"protocol": display.type, "time": when})


def _seconds(text: str) -> str:
    from datetime import datetime

    try:
        return str(int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()))
    except ValueError:
        return "now"


async def _balloon(guest: Guest, definition: DomainDefinition) -> None:
    balloon = definition.devices.memballoon
    if balloon is None or balloon.model == "none":
        return
    current = definition.currentMemory
    if current is not None and current < definition.memory.amount:
        await guest.execute("balloon", {"value": current * 1024})
    stats = getattr(balloon, "stats", None)
    if stats:
        from pyvirt.drivers.qemu.balloon import setPeriod

        try:
            await setPeriod(guest, int(stats))
        except CommandFailed as error:
            log.debug("{error}", error=error)


async def connectAgent(hypervisor: Hypervisor, domain: Domain, guest: Guest) -> None:
    """Begin the conversation with the agent inside a guest, where it has a channel for one."""
    path = agentPath(domain.definition)
    if path is None or guest.agent is not None:
        return

    def lost() -> None:
        # The guest may have opened its channel again before this end noticed that it was closed.
        if guest.agent is agent:
            guest.agent = None

    agent = AgentProtocol(hypervisor.clock, lost=lost)
    try:
        await hypervisor.connect(path, agent)
    except Exception as problem:
        log.warn("no way to the agent of {name}: {problem}", name=domain.name, problem=problem)
    else:
        if guest.agent is None:
            guest.agent = agent
        else:
            # Meanwhile there is another conversation; QEMU has one at a time.
            agent.close()


def agentChannel(definition: DomainDefinition) -> Any:
    """Find the channel on which an agent listens, or None."""
    for channel in definition.devices.channels:
        if channel.target.type == "virtio" and channel.target.name == AGENT:
            return channel
    return None


def agentPath(definition: DomainDefinition) -> str | None:
    """Return the socket of the agent's channel, None if there is none."""
    channel = agentChannel(definition)
    if channel is None or channel.source.type != "unix":
        return None
    path: str | None = channel.source.path
    return path
