"""
How guests share the host: memory, processors, nodes, weights.  What is set is written down and nothing more.
"""

from __future__ import annotations

from pyvirt import constants as c
from pyvirt.definitions.domain import DomainDefinition
from pyvirt.definitions.domain._numatune import NUMATune
from pyvirt.definitions.domain._tune import BlkioTune, MemTune
from pyvirt.definitions.netbits import Bandwidth, Limits
from pyvirt.definitions.schema import replaced
from pyvirt.definitions.units import formatSet, parseSet
from pyvirt.drivers.blkio import DEVICE_LIMITS, deviceText, mergedDevices
from pyvirt.drivers.devicenames import interfaceOf
from pyvirt.drivers.interfaces.values import (
    DomainRef,
    SchedulerType,
    SecurityLabel,
    TypedParam,
)
from pyvirt.drivers.numanodes import withNodes
from pyvirt.drivers.test.iotune import BlockIOTune
from pyvirt.drivers.test.refusals import (
    IMPACT,
    READING,
    checkFlags,
    invalidArgument,
    operationInvalid,
)
from pyvirt.errors import ErrorDomain, VirtError
from pyvirt.params import validateParams

__all__ = ["DomainTuning"]

#: A limit of memory that is none, in KiB.
UNLIMITED = 9007199254740991

_MEMORY = {
    "hard_limit": "hardLimit",
    "soft_limit": "softLimit",
    "swap_hard_limit": "swapHardLimit",
}
#: So many nodes a set can name.
_NODES = 16384
_MODES = ("strict", "preferred", "interleave", "restrictive")
_BANDWIDTH = tuple(
    (f"{direction}.{name}", direction, name)
    for direction in ("inbound", "outbound")
    for name in ("average", "peak", "burst", "floor")
    if (direction, name) != ("outbound", "floor")
)


def _ullong(name: str, value: int) -> TypedParam:
    return TypedParam(name, c.VIR_TYPED_PARAM_ULLONG, value)


class DomainTuning(BlockIOTune):
    """Sets and tells parameters."""

    def domainGetSchedulerType(self, dom: DomainRef) -> SchedulerType:
        """There is one scheduler, with one parameter."""
        return SchedulerType("fair", 1)

    def domainGetSchedulerParametersFlags(self, dom: DomainRef, flags: int) -> list[TypedParam]:
        """Every guest has the same weight."""
        checkFlags("testDomainGetSchedulerParametersFlags", flags)
        self._find(dom)
        return [TypedParam("weight", c.VIR_TYPED_PARAM_UINT, 50)]

    def domainSetSchedulerParametersFlags(
        self, dom: DomainRef, params: list[TypedParam], flags: int
    ) -> None:
        """Take a weight, which changes nothing."""
        checkFlags("testDomainSetSchedulerParametersFlags", flags)
        validateParams(params, {"weight": c.VIR_TYPED_PARAM_UINT})
        self._find(dom)

    def domainGetSecurityLabel(self, dom: DomainRef) -> SecurityLabel:
        """A guest that runs has a label, the same as all others."""
        if self._find(dom).active:
            return SecurityLabel(b"libvirt-test", 1)
        return SecurityLabel(b"", 0)

    def domainGetLaunchSecurityInfo(self, dom: DomainRef, flags: int) -> list[TypedParam]:
        """Nothing is known of how a guest was launched."""
        checkFlags("testDomainGetLaunchSecurityInfo", flags)
        return []

    def domainGetMemoryParameters(self, dom: DomainRef, flags: int) -> list[TypedParam]:
        """Tell the limits of memory, in KiB."""
        checkFlags("testDomainGetMemoryParameters", flags, READING)
        tune = self._find(dom).one(flags).memtune or MemTune()
        return [
            _ullong(name, UNLIMITED if value is None else value)
            for name, value in ((name, getattr(tune, field)) for name, field in _MEMORY.items())
        ]

    def domainSetMemoryParameters(
        self, dom: DomainRef, params: list[TypedParam], flags: int
    ) -> None:
        """Change the limits of memory."""
        checkFlags("testDomainSetMemoryParameters", flags, IMPACT)
        validateParams(params, dict.fromkeys(_MEMORY, c.VIR_TYPED_PARAM_ULLONG))
        given = {
            _MEMORY[param.field]: None if param.value == UNLIMITED else param.value
            for param in params
        }
        domain = self._find(dom)
        live, config = domain.impactOfOne(flags)

        if "hardLimit" in given or "swapHardLimit" in given:
            # The limit that is not given is that of the running domain, even if its definition is changed.
            tune = replaced(domain.definition.memtune or MemTune(), **given)
            hard = UNLIMITED if tune.hardLimit is None else tune.hardLimit
            swap = UNLIMITED if tune.swapHardLimit is None else tune.swapHardLimit
            if hard > swap:
                raise invalidArgument(
                    "memory hard_limit tunable value must be lower than or equal to swap_hard_limit"
                )

        def changed(definition: DomainDefinition) -> DomainDefinition:
            tune = replaced(definition.memtune or MemTune(), **given)
            return replaced(definition, memtune=tune)

        domain.changeBoth(live, config, changed)

    def domainGetBlkioParameters(self, dom: DomainRef, flags: int) -> list[TypedParam]:
        """Tell the weights and limits of block IO."""
        checkFlags("testDomainGetBlkioParameters", flags, READING)
        tune = self._find(dom).one(flags).blkiotune or BlkioTune()
        return [
            TypedParam("weight", c.VIR_TYPED_PARAM_UINT, tune.weight or 0),
            *(
                TypedParam(name, c.VIR_TYPED_PARAM_STRING, deviceText(tune.devices, field))
                for name, field in DEVICE_LIMITS.items()
            ),
        ]

    def domainSetBlkioParameters(
        self, dom: DomainRef, params: list[TypedParam], flags: int
    ) -> None:
        """
        Change weights and limits of block IO.

        A text that is no list of limits is refused, yet all that is not refused is done.
        """
        checkFlags("testDomainSetBlkioParameters", flags, IMPACT)
        validateParams(
            params,
            {
                "weight": c.VIR_TYPED_PARAM_UINT,
                **dict.fromkeys(DEVICE_LIMITS, c.VIR_TYPED_PARAM_STRING),
            },
        )
        domain = self._find(dom)
        live, config = domain.impactOfOne(flags)
        refused: VirtError | None = None

        def changed(definition: DomainDefinition) -> DomainDefinition:
            nonlocal refused
            tune = definition.blkiotune or BlkioTune()
            for param in params:
                if param.field == "weight":
                    tune = replaced(tune, weight=param.value or None)
                    continue
                try:
                    devices = mergedDevices(tune.devices, param.field, param.value)
                except VirtError as error:
                    refused = error
                else:
                    tune = replaced(tune, devices=devices)
            return replaced(definition, blkiotune=tune)

        domain.changeBoth(live, config, changed)
        if refused is not None:
            raise refused

    def domainGetNumaParameters(self, dom: DomainRef, flags: int) -> list[TypedParam]:
        """Tell which nodes memory comes from, and how strictly."""
        checkFlags("testDomainGetNumaParameters", flags, READING)
        tune = self._find(dom).one(flags).numatune
        memory = None if tune is None else tune.memory
        mode = _MODES.index(memory.mode) if memory is not None and memory.mode in _MODES else 0
        nodes = "" if memory is None or memory.nodeset is None else formatSet(memory.nodeset)
        return [
            TypedParam("numa_mode", c.VIR_TYPED_PARAM_INT, mode),
            TypedParam("numa_nodeset", c.VIR_TYPED_PARAM_STRING, nodes),
        ]

    def domainSetNumaParameters(self, dom: DomainRef, params: list[TypedParam], flags: int) -> None:
        """Change which nodes memory comes from; how strictly only while the guest does not run."""
        checkFlags("testDomainSetNumaParameters", flags, IMPACT)
        validateParams(
            params,
            {"numa_mode": c.VIR_TYPED_PARAM_INT, "numa_nodeset": c.VIR_TYPED_PARAM_STRING},
        )
        mode: str | None = None
        nodes: frozenset[int] | None = None
        domain = self._find(dom)
        live, config = domain.impactOfOne(flags)
        for param in params:
            if param.field == "numa_mode":
                if not 0 <= param.value < len(_MODES):
                    raise invalidArgument(f"unsupported numatune mode: '{param.value}'")
                mode = _MODES[param.value]
            else:
                nodes = parseSet(param.value, size=_NODES)
                if nodes is None:
                    raise invalidArgument(
                        f"Failed to parse bitmap '{param.value}'", ErrorDomain.NONE
                    )
                if not nodes:
                    raise operationInvalid(f"Invalid nodeset of 'numatune': {param.value}")

        def changed(definition: DomainDefinition) -> DomainDefinition:
            tune = definition.numatune or NUMATune()
            if live and mode is not None and tune.memory and mode != tune.memory.mode:
                raise operationInvalid("can't change numatune mode for running domain")
            return withNodes(definition, mode, nodes)

        domain.changeBoth(live, config, changed)

    def domainGetInterfaceParameters(
        self, dom: DomainRef, device: str, flags: int
    ) -> list[TypedParam]:
        """Tell the bounds of an interface's traffic, in KiB."""
        checkFlags("testDomainGetInterfaceParameters", flags, READING)
        bandwidth = interfaceOf(self._find(dom).one(flags), device).bandwidth
        found = []
        for full, direction, name in _BANDWIDTH:
            limits = getattr(bandwidth, direction, None)
            found.append(TypedParam(full, c.VIR_TYPED_PARAM_UINT, getattr(limits, name, None) or 0))
        return found

    def domainSetInterfaceParameters(
        self, dom: DomainRef, device: str, params: list[TypedParam], flags: int
    ) -> None:
        """
        Change the bounds of an interface's traffic.

        Those of one direction are replaced together, or taken away, by its average or floor; peak and burst alone
        change nothing.
        """
        checkFlags("testDomainSetInterfaceParameters", flags, IMPACT)
        validateParams(params, {full: c.VIR_TYPED_PARAM_UINT for full, _, _ in _BANDWIDTH})
        given = {param.field: param.value for param in params}
        domain = self._find(dom)
        live, config = domain.impactOfOne(flags)

        def changed(definition: DomainDefinition) -> DomainDefinition:
            interface = interfaceOf(definition, device)
            bandwidth = interface.bandwidth or Bandwidth()
            for direction in ("inbound", "outbound"):
                fresh = {
                    name: given[full] or None
                    for full, which, name in _BANDWIDTH
                    if which == direction and full in given
                }
                if not fresh:
                    continue
                old = getattr(bandwidth, direction)
                limits: Limits | None = None
                if fresh.get("average") or fresh.get("floor"):
                    limits = replaced(Limits(), **fresh)
                elif "average" not in fresh and "floor" not in fresh:
                    limits = old
                bandwidth = replaced(bandwidth, **{direction: limits})
            fixed = replaced(interface, bandwidth=bandwidth)
            devices = definition.devices
            return replaced(
                definition,
                devices=replaced(
                    devices,
                    interfaces=tuple(
                        fixed if each is interface else each for each in devices.interfaces
                    ),
                ),
            )

        domain.changeBoth(live, config, changed)
