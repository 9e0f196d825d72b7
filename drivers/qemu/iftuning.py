"""
Limits of interfaces' traffic, kept by the kernel where the interface has an end on the host.

What the guest receives is what the host sends into that end, and is shaped; what the guest sends is policed.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from pyvirt import constants as c
from pyvirt.definitions.domain import DomainDefinition
from pyvirt.definitions.domain._net import withBandwidth
from pyvirt.definitions.schema import replaced
from pyvirt.drivers.devicenames import interfaceOf
from pyvirt.drivers.interfaces.values import DomainRef, TypedParam
from pyvirt.drivers.qemu.changing import IMPACT, READING, keepConfig, keepLive
from pyvirt.drivers.qemu.domain import Domain
from pyvirt.drivers.qemu.hypervisor import Hypervisor
from pyvirt.drivers.qemu.networking import isDirect
from pyvirt.drivers.qemu.networkports import promise
from pyvirt.drivers.qemu.passed import isPassed
from pyvirt.drivers.qemu.refusals import checkFlags, unsupportedConfig
from pyvirt.drivers.qemu.shaping import reshape
from pyvirt.drivers.traffic import BANDWIDTH, bandwidthOf, bandwidthParams
from pyvirt.params import validateParams

__all__ = ["InterfaceTuning"]

#: Kinds of interfaces that have an end on the host.
_SHAPED = ("network", "bridge", "ethernet", "direct")


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
        return bandwidthParams(bandwidth, c.VIR_TYPED_PARAM_UINT)

    async def domainSetInterfaceParameters(
        self, dom: DomainRef, device: str, params: list[TypedParam], flags: int
    ) -> None:
        """
        Change the bounds of an interface's traffic.

        Those of one direction are replaced together, or taken away, by its average or floor.
        """
        checkFlags("qemuDomainSetInterfaceParameters", flags, IMPACT)
        validateParams(params, dict.fromkeys(BANDWIDTH, c.VIR_TYPED_PARAM_UINT))
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
                kind = "hostdev" if isPassed(interface) else interface.type
                if kind not in _SHAPED:
                    raise unsupportedConfig(
                        f"setting bandwidth on interfaces of type '{kind}' is not implemented yet"
                    )
            if running is not None:
                bandwidth = bandwidthOf(running.bandwidth, given)
                await promise(hypervisor, running, bandwidth)
                name = running.target.dev if running.target is not None else None
                if name and os.path.exists(f"/sys/class/net/{name}"):
                    await reshape(
                        hypervisor.processes,
                        domain.definition,
                        running,
                        name,
                        bandwidth,
                        swapped=isDirect(running),
                    )
                keepLive(hypervisor, domain, lambda each: _with(each, device, given))
            if config:
                keepConfig(hypervisor, domain, lambda each: _with(each, device, given))


def _with(definition: DomainDefinition, device: str, given: dict[str, int]) -> DomainDefinition:
    interface = interfaceOf(definition, device)
    fixed = withBandwidth(interface, bandwidthOf(interface.bandwidth, given))
    devices = definition.devices
    interfaces = tuple(fixed if each is interface else each for each in devices.interfaces)
    return replaced(definition, devices=replaced(devices, interfaces=interfaces))
