"""
The host's end of guests' network cards: made before QEMU starts, handed over as descriptors, gone with the guest.

A tap device is there as long as somebody has it open, so it ends with QEMU whatever happens to us; what does not go
by itself (macvtap devices, ports of networks, what scripts have done) is taken back by L{disconnect}.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger

from pyvirt.definitions.domain import DomainDefinition
from pyvirt.definitions.domain._net import Interface, NetTarget
from pyvirt.definitions.schema import replaced
from pyvirt.drivers.qemu import openvswitch, taps
from pyvirt.drivers.qemu.aliases import cardsNamedAnew
from pyvirt.drivers.qemu.bridging import plugTap
from pyvirt.drivers.qemu.command.nets import isTap, queuesOf
from pyvirt.drivers.qemu.netchecks import checkDirect, checkPort
from pyvirt.drivers.qemu.netfilters import bindFilter, unbindFilter
from pyvirt.drivers.qemu.networkports import Actual, findActual, releasePort
from pyvirt.drivers.qemu.passed import isPassed
from pyvirt.drivers.qemu.refusals import internal, systemFailure, unsupportedConfig
from pyvirt.drivers.qemu.shaping import shape, unshape
from pyvirt.drivers.qemu.store import writeWhole
from pyvirt.drivers.traffic import plainQueue
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError
from pyvirt.process import Command, Finished

if TYPE_CHECKING:
    from pyvirt.drivers.qemu.domain import Domain
    from pyvirt.drivers.qemu.hypervisor import Hypervisor

__all__ = [
    "Connections",
    "closeAll",
    "connect",
    "connectAll",
    "disconnect",
    "disconnectAll",
    "plug",
    "plugAll",
    "reserveNames",
    "switchDirect",
]

log = Logger()

#: How often, and in which steps, the file of a macvtap device is waited for, in seconds.
_TRIES, _STEP = 100, 0.05


@attrs.define
class Connections:
    """
    Descriptors for cards, by what the command line calls their places; L{closeAll} closes them.

    @ivar vhost: aliases of the cards whose packets the host's kernel moves.
    """

    numbers: dict[str, int] = attrs.Factory(dict)
    vhost: set[str] = attrs.Factory(set)

    def keep(self, form: str, descriptors: Iterable[int]) -> None:
        """Remember the descriptors of several queues."""
        for number, fd in enumerate(descriptors):
            self.numbers[f"{form}-{number}"] = fd


def closeAll(connections: Connections) -> None:
    """Close all descriptors: QEMU has its own, or there is none."""
    numbers, connections.numbers = connections.numbers, {}
    for fd in numbers.values():
        os.close(fd)


def _became(domain: Domain, number: int, made: Any) -> None:
    """One card of a guest is another now."""
    devices = domain.definition.devices
    interfaces = list(devices.interfaces)
    interfaces[number] = made
    devices = replaced(devices, interfaces=tuple(interfaces))
    domain.definition = replaced(domain.definition, devices=devices)


async def plugAll(hypervisor: Hypervisor, domain: Domain) -> list[Actual | None]:
    """
    Get every card of a guest its port of a network; C{domain.definition} tells at any time which there are.

    @return: what each is connected to.
    @raise VirtError: one cannot be had.  The caller takes the others back.
    """
    found: list[Actual | None] = []
    for number, nic in enumerate(domain.definition.devices.interfaces):
        plugged, actual = await plug(hypervisor, domain.definition, nic)
        if plugged is not nic:
            _became(domain, number, plugged)
        found.append(actual)
    if any(actual is not None and actual.type == "hostdev" for actual in found):
        domain.definition = cardsNamedAnew(domain.definition)
    return found


async def connectAll(
    hypervisor: Hypervisor,
    domain: Domain,
    plugged: list[Actual | None],
    connections: Connections,
) -> DomainDefinition:
    """
    Make the host's end of every card of a guest; C{domain.definition} tells at any time what there is.

    @param plugged: what each is connected to.
    @return: the definition with the names of devices.
    @raise VirtError: one cannot be made.  The caller takes the others back.
    """
    for number, actual in enumerate(plugged):
        nic = domain.definition.devices.interfaces[number]
        made = await connect(hypervisor, domain.definition, nic, actual, connections)
        if made is not nic:
            _became(domain, number, made)
    return domain.definition


async def plug(
    hypervisor: Hypervisor, definition: DomainDefinition, nic: Any
) -> tuple[Any, Actual | None]:
    """
    Find what a card is connected to, if that needs anything of the host; a network gets a port for it.

    @return: the card as the network has it; and what it is connected to.
    @raise VirtError: as of L{findActual}, or the card is not for that.
    """
    checkPort(nic)
    if not isTap(nic):
        return nic, None
    actual = await findActual(hypervisor, definition, nic)
    if actual.source is not None:
        nic = replaced(nic, source=actual.source, **actual.changes)
    return nic, actual


async def connect(
    hypervisor: Hypervisor,
    definition: DomainDefinition,
    nic: Any,
    actual: Actual | None,
    connections: Connections,
) -> Any:
    """
    Make the host's end of one card.

    @param definition: of the running guest.
    @param actual: what it is connected to.
    @return: the card with the name of its device.
    @raise VirtError: it cannot be made; nothing is left of it.
    """
    if nic.type == "vdpa":
        path = nic.source.dev or ""
        try:
            connections.numbers[f"vdpa-{nic.alias}"] = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except OSError as problem:
            raise systemFailure(problem, f"Unable to open '{path}' for vdpa device") from None
        return nic
    if actual is None or isPassed(nic):
        return nic
    made = nic
    fds: list[int] = []
    try:
        if actual.type == "direct":
            checkDirect(nic, actual)
            name, fds = await _macvtap(hypervisor, nic, actual)
        elif actual.type == "bridge":
            name, fds = await _bridged(hypervisor, definition, nic, actual)
        else:
            name, fds = await _ethernet(hypervisor, nic)
        target = nic.target or NetTarget()
        made = replaced(made, target=replaced(target, dev=name))
        connections.keep(f"tap-{nic.alias}", fds)
        fds = []
        await bindFilter(hypervisor, definition, made)
        await _tune(hypervisor, definition, made, actual, name)
        openVhost(definition, nic, connections)
    except BaseException:
        for fd in fds:
            os.close(fd)
        # Its device is going, limits and all.
        await disconnect(hypervisor, definition, replaced(made, bandwidth=None))
        raise
    return made


def isManaged(nic: Any) -> bool:
    """Return whether the device of a card is ours to make."""
    return nic.type != "ethernet" or nic.target is None or nic.target.managed is not False


def isDirect(nic: Any) -> bool:
    """Return whether a card of a running guest shares a device of the host."""
    source = nic.source
    return nic.type == "direct" or (
        nic.type == "network" and source is not None and source.dev is not None
    )


def openVhost(definition: DomainDefinition, nic: Any, connections: Connections) -> None:
    """
    Open the kernel's end of a card, if the kernel is to move its packets and can.

    @raise VirtError: it must and cannot.
    """
    if definition.type != "kvm" or not (nic.model or "").startswith("virtio"):
        return
    name = nic.driver.name if nic.driver is not None else None
    if name == "qemu":
        return
    path = (nic.backend.vhost if nic.backend is not None else None) or "/dev/vhost-net"
    opened: list[int] = []
    try:
        while len(opened) < queuesOf(nic):
            opened.append(os.open(path, os.O_RDWR | os.O_CLOEXEC))
    except OSError:
        for fd in opened:
            os.close(fd)
        if name == "vhost":
            raise unsupportedConfig(
                "vhost-net was requested for an interface, but is unavailable"
            ) from None
        return
    connections.keep(f"vhost-{nic.alias}", opened)
    connections.vhost.add(nic.alias)


def tapPath(nic: Any) -> str | None:
    """Return the device that makes the tap of a card, if the definition names one."""
    return nic.backend.tap if nic.backend is not None else None


def isVirtio(nic: Any) -> bool:
    """Return whether packets of a card come with a header."""
    return (nic.model or "").startswith("virtio")


async def _bridged(
    hypervisor: Hypervisor, definition: DomainDefinition, nic: Any, actual: Actual
) -> tuple[str, list[int]]:
    """Make a tap device that is a port of a bridge."""
    bridge = actual.device
    name = hypervisor.tapNames.fresh(nic.target.dev if nic.target is not None else None)
    fds = taps.createTap(name, queuesOf(nic), isVirtio(nic), path=tapPath(nic))
    try:
        taps.setHardwareAddress(name, taps.tapAddress(nic.mac.address))
        await plugTap(hypervisor, definition, nic, bridge, name)
        taps.setOnline(name, True)
    except BaseException:
        for fd in fds:
            os.close(fd)
        raise
    return name, fds


async def _ethernet(hypervisor: Hypervisor, nic: Any) -> tuple[str, list[int]]:
    """Make a tap device that a script, or the administrator, connects."""
    wanted = nic.target.dev if nic.target is not None else None
    if not isManaged(nic):
        if wanted is None:
            raise internal("target dev must be supplied when managed='no'")
        if not taps.exists(wanted):
            raise internal("target managed='no' but specified dev doesn't exist")
        try:
            return wanted, taps.openMacvtap(wanted, queuesOf(nic), isVirtio(nic))
        except FileNotFoundError:
            fds = taps.createTap(
                wanted, queuesOf(nic), isVirtio(nic), existing=True, path=tapPath(nic)
            )
            return wanted, fds
    name = hypervisor.tapNames.fresh(wanted)
    fds = taps.createTap(name, queuesOf(nic), isVirtio(nic), path=tapPath(nic))
    try:
        taps.setHardwareAddress(name, taps.tapAddress(nic.mac.address))
        taps.setOnline(name, True)
        if nic.source is not None:
            for argv in addressCommands(name, nic.source.ips, nic.source.routes):
                await hypervisor.processes.run(Command(argv=argv))
        if nic.script is not None:
            await runScript(hypervisor, nic.script, name)
    except BaseException:
        for fd in fds:
            os.close(fd)
        raise
    return name, fds


async def tryScript(hypervisor: Hypervisor, nic: Any) -> None:
    """
    Have a card's script connect a device that is not kept: a command line that is only shown has it done, as libvirtd's.

    @raise VirtError: there can be no such device, or the script failed.
    """
    shown = Interface(type="ethernet", mac=nic.mac, model=nic.model, script=nic.script)
    _, fds = await _ethernet(hypervisor, shown)
    for fd in fds:
        os.close(fd)


def addressCommands(name: str, ips: Iterable[Any], routes: Iterable[Any]) -> list[tuple[str, ...]]:
    """Return the commands that give a device of the host its addresses and routes."""
    found: list[tuple[str, ...]] = []
    for ip in ips:
        prefix = "" if ip.prefix is None else f"/{ip.prefix}"
        if ip.peer is not None:
            words = [ip.address, "peer", f"{ip.peer}{prefix}"]
        else:
            words = [f"{ip.address}{prefix}"]
        found.append(("ip", "address", "add", *words, "dev", name))
    for route in routes:
        goal = route.address or "default"
        if route.netmask is not None:
            goal += f"/{route.netmask}"
        elif route.prefix is not None:
            goal += f"/{route.prefix}"
        metric = () if route.metric is None else ("metric", str(route.metric))
        found.append(("ip", "route", "add", goal, "via", route.gateway, "dev", name, *metric))
    return found


async def runScript(hypervisor: Hypervisor, path: str, name: str) -> None:
    """
    Run a script of the user for a device.

    @raise VirtError: it failed.
    """
    command = Command(argv=(path, name), statuses=None)
    try:
        finished = await hypervisor.processes.run(command)
    except VirtError as error:
        if "cannot execute binary" not in str(error):
            raise
        # As the process would say that is to become it.
        status = 126 if error.int1 == errno.EACCES else 127
        finished = Finished(status, b"", f"libvirt:  error : {error}\n".encode())
    if finished.status == 0:
        return
    words = " ".join(
        f"{key}={value}" for key, value in command.wholeEnvironment(os.environ).items()
    )
    how = (
        f"fatal signal {-finished.status}"
        if finished.status < 0
        else f"exit status {finished.status}"
    )
    said = finished.errors.decode(errors="replace")
    raise internal(
        f"Child process ({words} {path} {name}) unexpected {how}" + (f": {said}" if said else ""),
        ErrorDomain.NONE,
    )


async def _macvtap(hypervisor: Hypervisor, nic: Any, actual: Actual) -> tuple[str, list[int]]:
    """Make a device that shares another of the host's."""
    lower, mode = actual.device, actual.mode or "vepa"
    if mode == "passthrough":
        old = taps.hardwareAddress(lower)
        writeWhole(savedAddress(hypervisor, lower), json.dumps({"mac": old}).encode())
        taps.setHardwareAddress(lower, nic.mac.address)
    try:
        if not taps.exists(lower):
            raise systemFailure(
                OSError(19, ""), f"Unable to get index for interface {lower}", ErrorDomain.NONE
            )
        name = hypervisor.macvtapNames.fresh(nic.target.dev if nic.target is not None else None)
        if taps.exists(name):
            raise systemFailure(OSError(17, ""), f"Unable to create {name} device")
        try:
            await hypervisor.processes.run(
                Command(
                    argv=(
                        *("ip", "link", "add", "link", lower, "name", name),
                        *("address", nic.mac.address, "type", "macvtap"),
                        *("mode", "passthru" if mode == "passthrough" else mode),
                    )
                )
            )
        except VirtError as problem:
            why = (problem.message or "").rpartition("RTNETLINK answers: ")
            if not why[1]:
                raise
            raise virtError(
                ErrorCode.SYSTEM_ERROR,
                f"error creating macvtap interface {name}@{lower} ({nic.mac.address}): "
                + why[2].strip(),
                ErrorDomain.NONE,
            ) from None
    except BaseException:
        restoreAddress(hypervisor, lower)
        raise
    try:
        for left in reversed(range(_TRIES)):
            try:
                return name, taps.openMacvtap(name, queuesOf(nic), isVirtio(nic))
            except FileNotFoundError as problem:
                if not left:
                    raise systemFailure(problem, "macvtap device does not come up") from None
            waiting: Deferred[None] = deferLater(hypervisor.clock, _STEP)
            await waiting
        raise AssertionError("the last try has ended")
    except BaseException:
        await _removeMacvtap(hypervisor, name)
        restoreAddress(hypervisor, lower)
        raise


async def _removeMacvtap(hypervisor: Hypervisor, name: str) -> None:
    if not taps.exists(name):
        return
    try:
        await hypervisor.processes.run(Command(argv=("ip", "link", "delete", name)))
    except VirtError as error:
        log.warn("{name} cannot be removed: {error}", name=name, error=error)


def savedAddress(hypervisor: Hypervisor, device: str) -> str:
    """Return where the own address of a device is kept while a guest's takes its place."""
    return os.path.join(hypervisor.layout.run, device.replace("/", "_"))


def restoreAddress(hypervisor: Hypervisor, device: str) -> None:
    """Give a device its own address again, if a guest's took its place."""
    path = savedAddress(hypervisor, device)
    try:
        with open(path, encoding="ascii") as file:
            mac = str(json.load(file)["mac"])
        os.unlink(path)
        taps.setHardwareAddress(device, mac)
    except FileNotFoundError:
        pass
    except (OSError, ValueError, KeyError, TypeError, VirtError) as problem:
        log.warn("{device} keeps another's address: {problem}", device=device, problem=problem)


async def _tune(
    hypervisor: Hypervisor, definition: DomainDefinition, nic: Any, actual: Actual, name: str
) -> None:
    """Set what can be set of every device."""
    if nic.mtu is not None and actual.type != "bridge" and isManaged(nic):
        taps.setMTU(name, nic.mtu)
    coalesce = nic.coalesce
    if coalesce is not None and coalesce.frames is not None and actual.type == "bridge":
        taps.setCoalesce(name, coalesce.frames)
    await plainQueue(hypervisor.processes, name)
    limits = nic.bandwidth
    if limits is not None:
        swapped = actual.type == "direct"
        await shape(hypervisor.processes, definition, nic, name, limits, swapped=swapped)


# Taking back


async def disconnectAll(hypervisor: Hypervisor, definition: DomainDefinition) -> None:
    """Take back what was made for the cards of a guest that is gone; that something cannot be is logged."""
    for nic in definition.devices.interfaces:
        if isTap(nic):
            await disconnect(hypervisor, definition, nic)


async def disconnect(hypervisor: Hypervisor, definition: DomainDefinition, nic: Any) -> None:
    """Take back what was made for a card that nobody uses any more."""
    name = nic.target.dev if nic.target is not None else None
    source = nic.source
    try:
        if isDirect(nic):
            if name is not None and name.startswith("macvtap"):
                await _removeMacvtap(hypervisor, name)
            restoreAddress(hypervisor, source.dev)
        elif nic.type == "ethernet":
            if name is not None and nic.downscript is not None:
                await runScript(hypervisor, nic.downscript, name)
        else:
            if name is not None and nic.bandwidth is not None:
                await unshape(hypervisor.processes, definition, nic, name)
            if name is not None and openvswitch.isSwitched(nic):
                await openvswitch.removePort(hypervisor.processes, name)
    except VirtError as error:
        log.warn("{name}: {error}", name=name, error=error)
    await unbindFilter(hypervisor, nic)
    await releasePort(hypervisor, nic)


def reserveNames(hypervisor: Hypervisor, definition: DomainDefinition) -> None:
    """Remember the names of devices of a guest that was found again."""
    for nic in definition.devices.interfaces:
        name = nic.target.dev if nic.target is not None else None
        hypervisor.tapNames.reserve(name)
        hypervisor.macvtapNames.reserve(name)


def switchDirect(definition: DomainDefinition, on: bool) -> None:
    """
    Switch on or off what shares devices of the host: a guest that does not run must not answer for its address.
    """
    for nic in definition.devices.interfaces:
        name = nic.target.dev if nic.target is not None else None
        if name is not None and isDirect(nic):
            try:
                if on and nic.source is not None:
                    # What is shared must be on too; that it is may have other reasons, so it stays.
                    taps.setOnline(nic.source.dev or "", True)
                taps.setOnline(name, on)
            except VirtError as error:
                log.warn("{error}", error=error)
