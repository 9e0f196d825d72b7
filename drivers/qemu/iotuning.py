"""
Limits of disks' throughput, and the rules between them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyvirt import constants as c
from pyvirt.definitions.domain import DomainDefinition
from pyvirt.definitions.domain._disk import IOTune
from pyvirt.definitions.schema import replaced
from pyvirt.drivers.interfaces.values import DomainRef, TypedParam
from pyvirt.drivers.qemu.blocks.chain import diskNamed
from pyvirt.drivers.qemu.changing import IMPACT, READING, Tunables, keepConfig, keepLive
from pyvirt.drivers.qemu.command.afterwards import LIMITS, deviceId, throttle
from pyvirt.drivers.qemu.domain import Domain
from pyvirt.drivers.qemu.hypervisor import Hypervisor
from pyvirt.drivers.qemu.refusals import (
    checkFlags,
    internal,
    invalidArgument,
    unsupportedArgument,
    unsupportedConfig,
)
from pyvirt.params import validateParams

__all__ = ["BlockIOTuning", "merged"]

_MAXIMUM = 1000000000000000
_KINDS = ("total", "read", "write")
_BASES = tuple(name for name, _ in LIMITS)
#: Every parameter in the order in which they are told.
_NAMES = (
    *_BASES,
    *(f"{name}_max" for name in _BASES),
    "size_iops_sec",
    "group_name",
    *(f"{name}_max_length" for name in _BASES),
)
_TYPES = {
    name: c.VIR_TYPED_PARAM_STRING if name == "group_name" else c.VIR_TYPED_PARAM_ULLONG
    for name in _NAMES
}
#: Limits that are set together: who sets one of them sets them all.
_FAMILIES = {
    name: tuple(f"{kind}_{what}{suffix}" for kind in _KINDS)
    for what in ("bytes", "iops")
    for suffix in ("_sec", "_sec_max")
    for name in (f"{kind}_{what}{suffix}" for kind in _KINDS)
}


def merged(given: dict[str, Any], old: IOTune) -> IOTune:
    """
    Return limits with others.

    @param given: what is set, by the names of parameters; 0 for no limit.
    @param old: what holds where nothing is set.
    """
    covered = {each for name in given for each in _FAMILIES.get(name, ())}
    rates: dict[str, Any] = {}
    for name in (*_BASES, *(f"{name}_max" for name in _BASES)):
        rates[name] = given.get(name, 0) if name in covered else getattr(old, name) or 0
    rates["size_iops_sec"] = given.get("size_iops_sec", old.size_iops_sec or 0)
    rates["group_name"] = given.get("group_name", old.group_name)
    for what in ("bytes", "iops"):
        lengths = [f"{kind}_{what}_sec_max_length" for kind in _KINDS]
        isSet = any(name in given for name in lengths)
        for name in lengths:
            value, before = given.get(name, 0), getattr(old, name) or 0
            if not isSet:
                value = before
            elif before and not value:
                # Where there is a limit there is a length, and no length is one second.
                base = name.removesuffix("_max_length")
                value = 1 if rates[base] or rates[f"{base}_max"] else 0
            rates[name] = value
    return IOTune(**{name: value or None for name, value in rates.items()})


def _checkTotals(given: dict[str, Any]) -> None:
    for suffix in ("_sec", "_sec_max"):
        for what in ("bytes", "iops"):
            if given.get(f"total_{what}{suffix}") and (
                given.get(f"read_{what}{suffix}") or given.get(f"write_{what}{suffix}")
            ):
                raise invalidArgument(
                    f"total and read/write of {what}{suffix} cannot be set at the same time"
                )


def _checkBursts(tune: IOTune) -> None:
    """Refuse bursts that QEMU would refuse."""
    for name in _BASES:
        burst, limit = getattr(tune, f"{name}_max") or 0, getattr(tune, name) or 0
        if burst and not limit:
            raise unsupportedConfig(f"cannot reset '{name}' when '{name}_max' is set")
        if burst and burst < limit:
            raise unsupportedConfig(f"value '{name}_max' cannot be smaller than '{name}'")


def _limited(tune: IOTune) -> bool:
    return any(getattr(tune, name) for name in _NAMES if name != "group_name")


class BlockIOTuning:
    """Sets and tells how fast disks may be."""

    _hypervisor: Hypervisor
    _find: Callable[[DomainRef], Domain]

    async def domainGetBlockIoTune(
        self, dom: DomainRef, disk: str | None, flags: int
    ) -> list[TypedParam]:
        """Tell the limits of a disk; 0 is none."""
        checkFlags("qemuDomainGetBlockIoTune", flags, READING)
        domain = self._find(dom)
        definition = domain.one(flags)
        live, _ = domain.impact(flags)
        if disk is None:
            # The caller only wants to know how many there are.
            return [TypedParam(name, _TYPES[name], _plain(name, None)) for name in _NAMES]
        found = diskNamed(definition, disk)
        if found is None:
            where = "not found in domain" if live else "was not found in the domain config"
            raise invalidArgument(f"disk '{disk}' {where}")
        if live:
            tune = await self._told(domain, found)
        else:
            tune = found.iotune or IOTune()
        return [
            TypedParam(name, _TYPES[name], _plain(name, getattr(tune, name))) for name in _NAMES
        ]

    @staticmethod
    async def _told(domain: Domain, disk: Any) -> IOTune:
        """Ask QEMU for the limits of a disk."""
        reply = await domain.checkActive().execute("query-block")
        wanted = deviceId(disk)
        for each in reply if isinstance(reply, list) else ():
            if not isinstance(each, dict) or wanted not in (each.get("qdev"), each.get("device")):
                continue
            inserted = each.get("inserted")
            if not isinstance(inserted, dict):
                raise internal("block_io_throttle inserted entry was not in expected format")
            found: dict[str, Any] = {"size_iops_sec": inserted.get("iops_size")}
            for name, key in LIMITS:
                found[name] = inserted.get(key)
                found[f"{name}_max"] = inserted.get(f"{key}_max")
                found[f"{name}_max_length"] = inserted.get(f"{key}_max_length")
            found = {
                name: value if type(value) is int and value > 0 else None
                for name, value in found.items()
            }
            group = inserted.get("group")
            return IOTune(group_name=group if isinstance(group, str) else None, **found)
        raise internal(f"cannot find throttling info for device '{wanted}'")

    async def domainSetBlockIoTune(
        self, dom: DomainRef, disk: str, params: list[TypedParam], flags: int
    ) -> None:
        """Change the limits of a disk and of all in its group."""
        checkFlags("qemuDomainSetBlockIoTune", flags, IMPACT)
        validateParams(params, _TYPES)
        hypervisor = self._hypervisor
        domain = self._find(dom)
        async with domain.jobs.change("remoteDispatchDomainSetBlockIoTune"):
            live, config = domain.impact(flags)
            given: dict[str, Any] = {}
            told = Tunables()
            for param in params:
                if param.field != "group_name" and param.value > _MAXIMUM:
                    raise unsupportedArgument(
                        f"block I/O throttle limit value must be no more than {_MAXIMUM}"
                    )
                given[param.field] = param.value
                told.add(f"blkdeviotune.{param.field}", param.value, param.type)
            _checkTotals(given)
            if live:
                await self._limit(domain, disk, given, told)
            if config:
                found = diskNamed(domain.persistentDefinition, disk)
                if found is None:
                    raise invalidArgument(f"missing persistent configuration for disk '{disk}'")
                tune = _wanted(domain.persistentDefinition, found, given)
                keepConfig(hypervisor, domain, lambda each: _withLimits(each, disk, tune))

    async def _limit(
        self, domain: Domain, disk: str, given: dict[str, Any], told: Tunables
    ) -> None:
        found = diskNamed(domain.definition, disk)
        if found is None:
            raise invalidArgument(f"disk '{disk}' not found in domain")
        tune = _wanted(domain.definition, found, given)
        _checkBursts(tune)
        if found.source is not None and not found.source.isEmpty:
            await domain.checkActive().execute("block_set_io_throttle", throttle(found, tune))
        keepLive(self._hypervisor, domain, lambda each: _withLimits(each, disk, tune))
        everything = Tunables()
        everything.add("blkdeviotune.disk", found.target.dev, c.VIR_TYPED_PARAM_STRING)
        everything.extend(told)
        everything.tell(self._hypervisor, domain)


def _plain(name: str, value: Any) -> Any:
    if name == "group_name":
        return value or ""
    return value or 0


def _wanted(definition: DomainDefinition, disk: Any, given: dict[str, Any]) -> IOTune:
    """Return what the limits of a disk become."""
    own = old = disk.iotune or IOTune()
    group = given.get("group_name")
    if group and group != old.group_name:
        for other in definition.devices.disks:
            if other.iotune is not None and other.iotune.group_name == group:
                old = other.iotune
                break
    tune = merged(given, old)
    if _limited(tune):
        return tune
    if tune.group_name and tune.group_name != own.group_name:
        raise unsupportedConfig(
            "creating a new group/updating existing with all tune parameters zero is not supported"
        )
    # Without limits it leaves its group.
    return IOTune()


def _withLimits(definition: DomainDefinition, disk: str, tune: IOTune) -> DomainDefinition:
    """Give a disk limits, and those that share its group."""
    own = diskNamed(definition, disk)
    disks = []
    for each in definition.devices.disks:
        if each is own or (
            tune.group_name
            and each.iotune is not None
            and each.iotune.group_name == tune.group_name
        ):
            each = replaced(each, iotune=tune)
        disks.append(each)
    return replaced(definition, devices=replaced(definition.devices, disks=tuple(disks)))
