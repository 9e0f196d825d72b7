"""
Limits of interfaces' traffic, kept by the kernel where the interface has an end on the host.

What the guest receives is what the host sends into that end, and is shaped; what the guest sends is policed.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from pyvirt import constants as c
from pyvirt.definitions.domain import DomainDefinition
from pyvirt.definitions.netbits import Bandwidth, Limits
from pyvirt.definitions.schema import replaced
from pyvirt.drivers.devicenames import interfaceOf
from pyvirt.drivers.interfaces.values import DomainRef, TypedParam
from pyvirt.drivers.qemu.changing import IMPACT, READING, keepConfig, keepLive
from pyvirt.drivers.qemu.domain import Domain
from pyvirt.drivers.qemu.hypervisor import Hypervisor
from pyvirt.drivers.qemu.refusals import checkFlags, unsupportedConfig
from pyvirt.params import validateParams
from pyvirt.process import Command, IProcesses

__all__ = ["InterfaceTuning", "limitTraffic", "trafficCommands"]

_BANDWIDTH = tuple(
    (f"{direction}.{name}", direction, name)
    for direction in ("inbound", "outbound")
    for name in ("average", "peak", "burst", "floor")
    if (direction, name) != ("outbound", "floor")
)
#: Kinds of interfaces that have an end on the host.
_SHAPED = ("network", "bridge", "ethernet", "direct")


def trafficCommands(device: str, bandwidth: Bandwidth | None) -> list[tuple[list[str], bool]]:
    """
    Return the commands that give an interface its limits, and whether each must succeed.

    @param device: its end on the host.
    """
    found: list[tuple[list[str], bool]] = [
        (["tc", "qdisc", "del", "dev", device, "root"], False),
        (["tc", "qdisc", "del", "dev", device, "ingress"], False),
    ]
    inbound = bandwidth.inbound if bandwidth is not None else None
    outbound = bandwidth.outbound if bandwidth is not None else None
    if inbound is not None and inbound.average:
        shape = ["rate", f"{inbound.average}kbps"]
        if inbound.peak:
            shape += ["ceil", f"{inbound.peak}kbps"]
        if inbound.burst:
            shape += ["burst", f"{inbound.burst}kb"]
        dev = ["dev", device]
        tails = [
            ["qdisc", "add", *dev, "root", "handle", "1:", "htb", "default", "1"],
            ["class", "add", *dev, "parent", "1:", "classid", "1:1", "htb", *shape],
            ["qdisc", "add", *dev, "parent", "1:1", "handle", "2:", "sfq", "perturb", "10"],
            [
                *("filter", "add", *dev, "parent", "1:0", "protocol", "all"),
                *("prio", "1", "handle", "1", "fw", "flowid", "1"),
            ],
        ]
        found += [(["tc", *tail], True) for tail in tails]
    if outbound is not None and outbound.average:
        burst = outbound.burst or outbound.average
        found.append((["tc", "qdisc", "add", "dev", device, "ingress"], True))
        police = ["rate", f"{outbound.average}kbps", "burst", f"{burst}kb", "mtu", "64kb"]
        found.append(
            (
                [
                    *("tc", "filter", "add", "dev", device, "parent", "ffff:", "protocol", "all"),
                    *("u32", "match", "u32", "0", "0", "police", *police, "drop", "flowid", ":1"),
                ],
                True,
            )
        )
    return found


async def limitTraffic(processes: IProcesses, device: str, bandwidth: Bandwidth | None) -> None:
    """
    Limit the traffic of an interface's end on the host.

    @raise VirtError: the kernel does not want that.
    """
    for argv, needed in trafficCommands(device, bandwidth):
        statuses = frozenset([0]) if needed else None
        await processes.run(Command(argv=tuple(argv), deadline=30.0, statuses=statuses))


class InterfaceTuning:
    """Sets and tells how fast interfaces may be."""

    _hypervisor: Hypervisor
    _find: Callable[[DomainRef], Domain]

    def domainGetInterfaceParameters(
        self, dom: DomainRef, device: str, flags: int
    ) -> list[TypedParam]:
        """Tell the bounds of an interface's traffic, in KiB."""
        checkFlags("qemuDomainGetInterfaceParameters", flags, READING)
        bandwidth = interfaceOf(self._find(dom).one(flags), device).bandwidth
        found = []
        for full, direction, name in _BANDWIDTH:
            limits = getattr(bandwidth, direction, None)
            value = getattr(limits, name, None) or 0
            found.append(TypedParam(full, c.VIR_TYPED_PARAM_UINT, value))
        return found

    async def domainSetInterfaceParameters(
        self, dom: DomainRef, device: str, params: list[TypedParam], flags: int
    ) -> None:
        """
        Change the bounds of an interface's traffic.

        Those of one direction are replaced together, or taken away, by its average or floor.
        """
        checkFlags("qemuDomainSetInterfaceParameters", flags, IMPACT)
        validateParams(params, {full: c.VIR_TYPED_PARAM_UINT for full, _, _ in _BANDWIDTH})
        given: dict[str, int] = {param.field: param.value for param in params}
        hypervisor = self._hypervisor
        domain = self._find(dom)
        async with domain.jobs.change("remoteDispatchDomainSetInterfaceParameters"):
            live, config = domain.impact(flags)
            wanted = []
            if config:
                wanted.append(interfaceOf(domain.persistentDefinition, device))
            running = interfaceOf(domain.definition, device) if live else None
            if running is not None:
                wanted.append(running)
            for interface in wanted:
                if interface.type not in _SHAPED:
                    raise unsupportedConfig(
                        f"setting bandwidth on interfaces of type '{interface.type}' "
                        "is not implemented yet"
                    )
            if running is not None:
                bandwidth = _changed(running.bandwidth, given)
                name = running.target.dev if running.target is not None else None
                if name and os.path.exists(f"/sys/class/net/{name}"):
                    await limitTraffic(hypervisor.processes, name, bandwidth)
                keepLive(hypervisor, domain, lambda each: _with(each, device, given))
            if config:
                keepConfig(hypervisor, domain, lambda each: _with(each, device, given))


def _changed(old: Bandwidth | None, given: dict[str, int]) -> Bandwidth:
    bandwidth = old or Bandwidth()
    for direction in ("inbound", "outbound"):
        fresh = {
            name: given[full] or None
            for full, which, name in _BANDWIDTH
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


def _with(definition: DomainDefinition, device: str, given: dict[str, int]) -> DomainDefinition:
    interface = interfaceOf(definition, device)
    fixed = replaced(interface, bandwidth=_changed(interface.bandwidth, given))
    devices = definition.devices
    interfaces = tuple(fixed if each is interface else each for each in devices.interfaces)
    return replaced(definition, devices=replaced(devices, interfaces=interfaces))
