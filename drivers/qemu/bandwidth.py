"""
Limits of a device's traffic, which C{tc} of iproute2 sets.
"""

from __future__ import annotations

from typing import Any

from pyvirt.process import Command, IProcesses

__all__ = ["limitTraffic", "plainQueue", "trafficCommands"]

#: The size of packets that shares of traffic are worked out for, in bytes.
_PACKET = 1500


def trafficCommands(name: str, limits: Any, *, swapped: bool = False) -> list[tuple[str, ...]]:
    """
    Return the commands that limit what goes through a device.

    @param limits: a C{Bandwidth}, in KiB a second and KiB: inbound is what the guest gets.
    @param swapped: the device is the guest's own end: what it sends leaves the device.
    """
    down, up = (limits.outbound, limits.inbound) if swapped else (limits.inbound, limits.outbound)
    found: list[tuple[str, ...]] = []
    device = ("dev", name)
    if down is not None and down.average:
        found.append(
            ("tc", "qdisc", "add", *device, *["root", "handle", "1:", "htb", "default", "1"])
        )
        words = f"parent 1: classid 1:1 htb rate {down.average}kbps"
        if down.peak:
            words += f" ceil {down.peak}kbps"
        if down.burst:
            words += f" burst {down.burst}kb"
        words += f" quantum {max(1, down.average * 1024 // 8 // _PACKET)}"
        found.append(("tc", "class", "add", *device, *words.split()))
        found.append(
            (
                "tc",
                "qdisc",
                "add",
                *device,
                *["parent", "1:1", "handle", "2:", "sfq", "perturb", "10"],
            )
        )
        words = "parent 1:0 protocol all prio 1 handle 1 fw flowid 1"
        found.append(("tc", "filter", "add", *device, *words.split()))
    if up is not None and up.average:
        found.append(("tc", "qdisc", "add", *device, "ingress"))
        words = (
            f"parent ffff: protocol all u32 match u32 0 0 police rate {up.average}kbps "
            f"burst {up.burst or up.average}kb mtu 64kb drop flowid :1"
        )
        found.append(("tc", "filter", "add", *device, *words.split()))
    return found


async def plainQueue(processes: IProcesses, name: str) -> None:
    """Have a device pass packets on at once, where that can be had: what it would gain from a queue it has."""
    await _tried(processes, ("tc", "qdisc", "add", "dev", name, "root", "handle", "0:", "noqueue"))


async def limitTraffic(
    processes: IProcesses, name: str, limits: Any, *, swapped: bool = False
) -> None:
    """
    Limit what goes through a device, in place of any limits that it has; see L{trafficCommands}.

    @raise VirtError: it cannot be limited; it has no limits then.
    """
    await _clear(processes, name)
    try:
        for argv in trafficCommands(name, limits, swapped=swapped):
            await processes.run(Command(argv=argv))
    except BaseException:
        await _clear(processes, name)
        raise


async def _clear(processes: IProcesses, name: str) -> None:
    for what in ("root", "ingress"):
        await _tried(processes, ("tc", "qdisc", "del", "dev", name, what))


async def _tried(processes: IProcesses, argv: tuple[str, ...]) -> None:
    from pyvirt.errors import VirtError

    try:
        await processes.run(Command(argv=argv, statuses=None))
    except VirtError:
        # There is no tc: only limits need it.
        pass
