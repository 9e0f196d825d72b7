"""
Limits of guests' memory, the nodes that it comes from, and how guests share the host's disks.
"""

from __future__ import annotations

from collections.abc import Callable

from pyvirt import constants as c
from pyvirt.definitions.domain import DomainDefinition
from pyvirt.definitions.domain._tune import BlkioTune, MemTune
from pyvirt.definitions.schema import replaced
from pyvirt.definitions.units import formatSet, parseSet
from pyvirt.drivers.blkio import DEVICE_LIMITS, deviceText, mergedDevices, parseDevices
from pyvirt.drivers.interfaces.values import DomainRef, TypedParam
from pyvirt.drivers.numanodes import withNodes
from pyvirt.drivers.qemu import cgrouplimits as limits
from pyvirt.drivers.qemu.cgroups import GuestGroup
from pyvirt.drivers.qemu.changing import IMPACT, READING, keepConfig, keepLive
from pyvirt.drivers.qemu.domain import Domain
from pyvirt.drivers.qemu.hypervisor import Hypervisor
from pyvirt.drivers.qemu.placement import ioThreadIds
from pyvirt.drivers.qemu.refusals import (
    checkFlags,
    invalidArgument,
    operationInvalid,
    unsupportedConfig,
)
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError
from pyvirt.params import validateParams

__all__ = ["NO_MEMORY", "MemoryTuning"]

UNLIMITED = limits.UNLIMITED
_FIELDS = {
    "hard_limit": "hardLimit",
    "soft_limit": "softLimit",
    "swap_hard_limit": "swapHardLimit",
}
#: Said of a guest whose memory nothing limits.
NO_MEMORY = "cgroup memory controller is not mounted"
_MODES = ("strict", "preferred", "interleave", "restrictive")
_NODES = 16384


class MemoryTuning:
    """Sets and tells limits of memory, nodes and weights of disks."""

    _hypervisor: Hypervisor
    _find: Callable[[DomainRef], Domain]

    def _checkTunable(self, what: str) -> None:
        if not self._hypervisor.privileged:
            raise virtError(
                ErrorCode.OPERATION_UNSUPPORTED,
                f"{what} is not available in session mode",
                ErrorDomain.QEMU,
            )

    @staticmethod
    def _group(domain: Domain, controller: str, what: str) -> GuestGroup:
        group = domain.checkActive().group
        if group is None or not group.has(controller):
            raise operationInvalid(f"{what} isn't mounted" if controller == "blkio" else what)
        return group

    # Memory

    def domainGetMemoryParameters(self, dom: DomainRef, flags: int) -> list[TypedParam]:
        """Tell the limits of memory, in KiB."""
        checkFlags("qemuDomainGetMemoryParameters", flags, READING)
        domain = self._find(dom)
        self._checkTunable("Memory tuning")
        definition = domain.one(flags)
        live, _ = domain.impact(flags)
        tune = definition.memtune or MemTune()
        found = []
        for name, field in _FIELDS.items():
            if live:
                group = self._group(domain, "memory", NO_MEMORY)
                value: int | None = limits.memoryLimit(group, name)
            else:
                value = getattr(tune, field)
            found.append(
                TypedParam(name, c.VIR_TYPED_PARAM_ULLONG, UNLIMITED if value is None else value)
            )
        return found

    async def domainSetMemoryParameters(
        self, dom: DomainRef, params: list[TypedParam], flags: int
    ) -> None:
        """Change the limits of memory."""
        checkFlags("qemuDomainSetMemoryParameters", flags, IMPACT)
        given: dict[str, int] = validateParams(
            params, dict.fromkeys(_FIELDS, c.VIR_TYPED_PARAM_ULLONG)
        )
        hypervisor = self._hypervisor
        domain = self._find(dom)
        self._checkTunable("Memory tuning")
        async with domain.jobs.change("remoteDispatchDomainSetMemoryParameters"):
            live, config = domain.impact(flags)
            group = None
            if live:
                group = self._group(domain, "memory", NO_MEMORY)
            now = domain.definition.memtune or MemTune()
            if "hard_limit" in given or "swap_hard_limit" in given:
                hard = given.get("hard_limit", now.hardLimit)
                swap = given.get("swap_hard_limit", now.swapHardLimit)
                if (UNLIMITED if hard is None else hard) > (UNLIMITED if swap is None else swap):
                    raise invalidArgument(
                        "memory hard_limit tunable value must be lower than or equal to "
                        "swap_hard_limit",
                        ErrorDomain.DOMAIN,
                    )
            if group is not None:
                self._limitMemory(domain, group, given)
            if config:
                fields = {_FIELDS[name]: value for name, value in given.items()}
                keepConfig(hypervisor, domain, lambda definition: _withMemory(definition, fields))

    def _limitMemory(self, domain: Domain, group: GuestGroup, given: dict[str, int]) -> None:
        """Set limits in an order in which none is ever above another that bounds it."""
        order = ["soft_limit", "swap_hard_limit", "hard_limit"]
        before = (domain.definition.memtune or MemTune()).hardLimit
        if given.get("hard_limit", 0) < (UNLIMITED if before is None else before):
            order = ["soft_limit", "hard_limit", "swap_hard_limit"]
        try:
            for name in order:
                if name in given:
                    limits.setMemoryLimit(group, name, given[name])
                    domain.definition = _withMemory(domain.definition, {_FIELDS[name]: given[name]})
        finally:
            self._hypervisor.saveStatus(domain)

    # Nodes

    def domainGetNumaParameters(self, dom: DomainRef, flags: int) -> list[TypedParam]:
        """Tell which nodes memory comes from, and how strictly."""
        checkFlags("qemuDomainGetNumaParameters", flags, READING)
        definition = self._find(dom).onePlaced(flags)
        memory = definition.numatune.memory if definition.numatune is not None else None
        mode = _MODES.index(memory.mode) if memory is not None and memory.mode in _MODES else 0
        nodes = "" if memory is None or memory.nodeset is None else formatSet(memory.nodeset)
        return [
            TypedParam("numa_mode", c.VIR_TYPED_PARAM_INT, mode),
            TypedParam("numa_nodeset", c.VIR_TYPED_PARAM_STRING, nodes),
        ]

    async def domainSetNumaParameters(
        self, dom: DomainRef, params: list[TypedParam], flags: int
    ) -> None:
        """Change which nodes memory comes from."""
        checkFlags("qemuDomainSetNumaParameters", flags, IMPACT)
        validateParams(
            params,
            {"numa_mode": c.VIR_TYPED_PARAM_INT, "numa_nodeset": c.VIR_TYPED_PARAM_STRING},
        )
        hypervisor = self._hypervisor
        domain = self._find(dom)
        mode: str | None = None
        nodes: frozenset[int] | None = None
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
        async with domain.jobs.change("remoteDispatchDomainSetNumaParameters"):
            live, config = domain.impact(flags)
            if live:
                group = self._group(domain, "cpuset", "cgroup cpuset controller is not mounted")
                tune = domain.definition.numatune
                there = tune.memory if tune is not None else None
                now = None if there is None else there.mode or "strict"
                if mode is not None and now is not None and mode != now:
                    raise operationInvalid("can't change numatune mode for running domain")
                if mode == "strict":
                    if nodes != (None if there is None else there.nodeset):
                        raise operationInvalid(
                            "can't change nodeset for strict mode for running domain"
                        )
                    # All stays as it is.
                    return
                if nodes is not None:
                    if now is not None and now != "restrictive":
                        raise operationInvalid(
                            "change of nodeset for running domain requires restrictive numa mode"
                        )
                    self._bind(domain, group, nodes)
                keepLive(hypervisor, domain, lambda each: withNodes(each, mode, nodes))
            if config:
                keepConfig(hypervisor, domain, lambda each: withNodes(each, mode, nodes))

    @staticmethod
    def _bind(domain: Domain, group: GuestGroup, nodes: frozenset[int]) -> None:
        import os

        for node in sorted(nodes):
            if not os.path.isdir(f"/sys/devices/system/node/node{node}"):
                raise unsupportedConfig(f"NUMA node {node} is unavailable", ErrorDomain.NONE)
        guest = domain.checkActive()
        inner = ["emulator", *(f"vcpu{number}" for number in sorted(guest.vcpuThreads))]
        inner += [f"iothread{number}" for number in ioThreadIds(domain.definition)]
        for each in inner:
            limits.setNodes(group, formatSet(nodes), each)

    # Disks

    def domainGetBlkioParameters(self, dom: DomainRef, flags: int) -> list[TypedParam]:
        """Tell the weights and limits of block IO."""
        checkFlags("qemuDomainGetBlkioParameters", flags, READING)
        domain = self._find(dom)
        self._checkTunable("Block I/O tuning")
        tune = domain.one(flags).blkiotune or BlkioTune()
        live, _ = domain.impact(flags)
        weight = tune.weight or 0
        if live:
            weight = limits.blockWeight(self._group(domain, "blkio", "blkio cgroup"))
        return [
            TypedParam("weight", c.VIR_TYPED_PARAM_UINT, weight),
            *(
                TypedParam(name, c.VIR_TYPED_PARAM_STRING, deviceText(tune.devices, field))
                for name, field in DEVICE_LIMITS.items()
            ),
        ]

    async def domainSetBlkioParameters(
        self, dom: DomainRef, params: list[TypedParam], flags: int
    ) -> None:
        """
        Change weights and limits of block IO.

        What is refused is reported when all that is not refused is done, as libvirt does.
        """
        checkFlags("qemuDomainSetBlkioParameters", flags, IMPACT)
        validateParams(
            params,
            {
                "weight": c.VIR_TYPED_PARAM_UINT,
                **dict.fromkeys(DEVICE_LIMITS, c.VIR_TYPED_PARAM_STRING),
            },
        )
        hypervisor = self._hypervisor
        domain = self._find(dom)
        self._checkTunable("Block I/O tuning")
        async with domain.jobs.change("remoteDispatchDomainSetBlkioParameters"):
            live, config = domain.impact(flags)
            refused: list[VirtError] = []
            if live:
                group = self._group(domain, "blkio", "blkio cgroup")
                tune = domain.definition.blkiotune or BlkioTune()
                for param in params:
                    try:
                        tune = self._limitBlocks(group, tune, param)
                    except VirtError as error:
                        refused.append(error)
                keepLive(hypervisor, domain, lambda each: replaced(each, blkiotune=tune))
            if config and not refused:
                wanted = domain.persistentDefinition.blkiotune or BlkioTune()
                for param in params:
                    try:
                        wanted = _withBlocks(wanted, param)
                    except VirtError as error:
                        refused.append(error)
                keepConfig(hypervisor, domain, lambda each: replaced(each, blkiotune=wanted))
            if refused:
                raise refused[-1]

    @staticmethod
    def _limitBlocks(group: GuestGroup, tune: BlkioTune, param: TypedParam) -> BlkioTune:
        if param.field == "weight":
            return replaced(tune, weight=limits.setBlockWeight(group, param.value) or None)
        field = DEVICE_LIMITS[param.field]
        told = []
        for path, value in parseDevices(param.field, param.value):
            told.append((path, limits.setBlockLimit(group, field, path, value)))
        text = ",".join(f"{path},{value}" for path, value in told)
        return replaced(tune, devices=mergedDevices(tune.devices, param.field, text))


def _withMemory(definition: DomainDefinition, fields: dict[str, int]) -> DomainDefinition:
    changes = {field: None if value == UNLIMITED else value for field, value in fields.items()}
    return replaced(definition, memtune=replaced(definition.memtune or MemTune(), **changes))


def _withBlocks(tune: BlkioTune, param: TypedParam) -> BlkioTune:
    if param.field == "weight":
        return replaced(tune, weight=param.value or None)
    return replaced(tune, devices=mergedDevices(tune.devices, param.field, param.value))
