"""
Limits of a device's traffic, which C{tc} of iproute2 sets.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pyvirt.definitions.netbits import Bandwidth, Limits
from pyvirt.definitions.schema import replaced
from pyvirt.drivers.interfaces.values import TypedParam
from pyvirt.process import Command, IProcesses

__all__ = [
    "BANDWIDTH",
    "bandwidthOf",
    "bandwidthParams",
    "limitTraffic",
    "plainQueue",
    "plugCommands",
    "rateCommand",
    "trafficCommands",
    "unlimited",
    "unplugCommands",
]

#: The parameters of limits: their names, each with its direction and what it is of it.
BANDWIDTH: dict[str, tuple[str, str]] = {
    f"{direction}.{name}": (direction, name)
    for direction in ("inbound", "outbound")
    for name in ("average", "peak", "burst", "floor")
    if (direction, name) != ("outbound", "floor")
}

#: The size of packets that shares of traffic are worked out for, in bytes.
_PACKET = 1500


def bandwidthParams(bandwidth: Bandwidth | None, kind: int) -> list[TypedParam]:
    """
    Tell limits, in KiB a second and KiB; 0: none.

    @param kind: the type of the parameters.
    """
    found = []
    for full, (direction, name) in BANDWIDTH.items():
        limits = getattr(bandwidth, direction, None)
        found.append(TypedParam(full, kind, getattr(limits, name, None) or 0))
    return found


def bandwidthOf(old: Bandwidth | None, given: Mapping[str, int]) -> Bandwidth:
    """
    Return limits that were changed by parameters.

    Those of one direction are replaced together, or taken away, by its average or floor.
    """
    bandwidth = old or Bandwidth()
    for direction in ("inbound", "outbound"):
        fresh = {
            name: given[full] or None
            for full, (which, name) in BANDWIDTH.items()
            if which == direction and full in given
        }
        if not fresh:
            continue
        limits: Limits | None = None
        if fresh.get("average") or fresh.get("floor"):
            limits = replaced(Limits(), **fresh)
        elif "average" not in fresh and "floor" not in fresh:
            limits = getattr(bandwidth, direction)
        bandwidth = replaced(bandwidth, **{direction: limits})
    return bandwidth


def _share(average: int | None) -> int:
    """Return what a class may send at once when there is more to be had, in packets."""
    return max(1, (average or 0) * 1024 // 8 // _PACKET)


def trafficCommands(
    name: str, limits: Any, *, swapped: bool = False, classes: bool = False
) -> list[tuple[str, ...]]:
    """
    Return the commands that limit what goes through a device.

    @param limits: a C{Bandwidth}, in KiB a second and KiB: inbound is what the guest gets.
    @param swapped: the device is the guest's own end: what it sends leaves the device.
    @param classes: it is a bridge, some of whose ports will have classes of their own (L{plugCommands}).
    """
    down, up = (limits.outbound, limits.inbound) if swapped else (limits.inbound, limits.outbound)
    found: list[str] = []
    if down is not None and down.average:
        leaf = 2 if classes else 1
        found.append(f"qdisc add dev {name} root handle 1: htb default {leaf}")
        rate = f"htb rate {down.average}kbps"
        share = f" quantum {_share(down.average)}"
        if classes:
            ceiling = f" ceil {down.peak or down.average}kbps"
            found.append(f"class add dev {name} parent 1: classid 1:1 {rate}{ceiling}{share}")
        words = f"parent 1:{leaf - 1 or ''} classid 1:{leaf} {rate}"
        if down.peak:
            words += f" ceil {down.peak}kbps"
        if down.burst:
            words += f" burst {down.burst}kb"
        found.append(f"class add dev {name} {words}{share}")
        found.append(f"qdisc add dev {name} parent 1:{leaf} handle 2: sfq perturb 10")
        found.append(f"filter add dev {name} parent 1:0 protocol all prio 1 handle 1 fw flowid 1")
    if up is not None and up.average:
        found.append(f"qdisc add dev {name} ingress")
        found.append(
            f"filter add dev {name} parent ffff: protocol all u32 match u32 0 0 police "
            f"rate {up.average}kbps burst {up.burst or up.average}kb mtu 64kb drop flowid :1"
        )
    return [("tc", *each.split()) for each in found]


def plugCommands(
    bridge: str, whole: Any, mac: str, limits: Any, number: int
) -> list[tuple[str, ...]]:
    """
    Return the commands that give a port of a bridge a class of its own, with the rate that is promised to it.

    @param whole: what the bridge's ports get together, a C{Limits}.
    @param limits: what the port gets.
    @param number: of the class.
    """
    octets = mac.replace(":", "")
    found = (
        f"class add dev {bridge} parent 1:1 classid 1:{number:x} htb rate {limits.floor}kbps "
        f"ceil {whole.peak or whole.average}kbps quantum {_share(limits.average)}",
        f"qdisc add dev {bridge} parent 1:{number:x} handle {number:x}: sfq perturb 10",
        f"filter add dev {bridge} protocol ip prio 2 handle {_handle(number)} u32 "
        f"match u16 0x0800 0xffff at -2 match u32 0x{octets[4:]} 0xffffffff at -12 "
        f"match u16 0x{octets[:4]} 0xffff at -14 flowid 1:{number:x}",
    )
    return [("tc", *each.split()) for each in found]


def unplugCommands(bridge: str, number: int) -> list[tuple[str, ...]]:
    """Return the commands that take a class away."""
    found = (
        f"qdisc del dev {bridge} handle {number:x}:",
        f"filter del dev {bridge} prio 2 handle {_handle(number)} u32",
        f"class del dev {bridge} classid 1:{number:x}",
    )
    return [("tc", *each.split()) for each in found]


def rateCommand(bridge: str, whole: Any, number: int, rate: int) -> tuple[str, ...]:
    """Return the command that changes what is promised to a class; 2 is that of all others together."""
    words = (
        f"class change dev {bridge} classid 1:{number:x} htb rate {rate}kbps "
        f"ceil {whole.peak or whole.average}kbps quantum {_share(whole.average)}"
    )
    return ("tc", *words.split())


def _handle(number: int) -> str:
    return f"800::{800 + number}"


async def plainQueue(processes: IProcesses, name: str) -> None:
    """Have a device pass packets on at once, where that can be had: what it would gain from a queue it has."""
    await _tried(processes, ("tc", "qdisc", "add", "dev", name, "root", "handle", "0:", "noqueue"))


async def limitTraffic(
    processes: IProcesses, name: str, limits: Any, *, swapped: bool = False, classes: bool = False
) -> None:
    """
    Limit what goes through a device, in place of any limits that it has; see L{trafficCommands}.

    @raise VirtError: it cannot be limited; it has no limits then.
    """
    await unlimited(processes, name)
    try:
        for argv in trafficCommands(name, limits, swapped=swapped, classes=classes):
            await processes.run(Command(argv=argv))
    except BaseException:
        await unlimited(processes, name)
        raise


async def unlimited(processes: IProcesses, name: str) -> None:
    """Take all limits away from a device."""
    for what in ("root", "ingress"):
        await _tried(processes, ("tc", "qdisc", "del", "dev", name, what))


async def _tried(processes: IProcesses, argv: tuple[str, ...]) -> None:
    from pyvirt.errors import VirtError

    try:
        await processes.run(Command(argv=argv, statuses=None))
    except VirtError:
        # There is no tc: only limits need it.
        pass
