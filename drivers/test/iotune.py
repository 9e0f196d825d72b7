"""
Limits of a disk's throughput, and the rules between them.
"""

from __future__ import annotations

from typing import Any

from pyvirt import constants as c
from pyvirt.definitions.domain import DomainDefinition
from pyvirt.definitions.domain._disk import IOTune
from pyvirt.definitions.schema import replaced
from pyvirt.drivers.interfaces.values import DomainRef, TypedParam
from pyvirt.drivers.test.devices import diskOf
from pyvirt.drivers.test.parameters import checkParameters
from pyvirt.drivers.test.refusals import (
    IMPACT,
    READING,
    checkFlags,
    invalidArgument,
    unsupportedArgument,
)
from pyvirt.drivers.test.world import World

__all__ = ["BlockIOTune"]

_MAXIMUM = 1000000000000000

_BASES = (
    "total_bytes_sec",
    "read_bytes_sec",
    "write_bytes_sec",
    "total_iops_sec",
    "read_iops_sec",
    "write_iops_sec",
)
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


def _disk(definition: DomainDefinition, path: str) -> Any:
    disk = diskOf(definition, path)
    if disk is None:
        raise invalidArgument(f"disk '{path}' was not found in the domain config")
    return disk


def _checkGiven(given: dict[str, Any]) -> None:
    """Refuse totals beside parts."""
    for suffix in ("_sec", "_sec_max"):
        for what in ("bytes", "iops"):
            if given.get(f"total_{what}{suffix}") and (
                given.get(f"read_{what}{suffix}") or given.get(f"write_{what}{suffix}")
            ):
                raise invalidArgument(
                    f"total and read/write of {what}{suffix} cannot be set at the same time"
                )


def _checkRates(rates: dict[str, Any]) -> None:
    """Refuse what lasts above what may come at once."""
    for name in _BASES:
        if (rates[name] or 0) > (rates[f"{name}_max"] or 0):
            raise invalidArgument(f"{name} cannot be set higher than {name}_max ")


class BlockIOTune:
    """Sets and tells how fast disks may be."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._find = world.domains.find

    def domainGetBlockIoTune(
        self, dom: DomainRef, disk: str | None, flags: int
    ) -> list[TypedParam]:
        """Tell the limits of a disk; 0 is none."""
        checkFlags("testDomainGetBlockIoTune", flags, READING)
        tune = _disk(self._find(dom).one(flags), disk or "").iotune or IOTune()
        return [
            TypedParam(
                name, _TYPES[name], getattr(tune, name) or ("" if name == "group_name" else 0)
            )
            for name in _NAMES
        ]

    def domainSetBlockIoTune(
        self, dom: DomainRef, disk: str, params: list[TypedParam], flags: int
    ) -> None:
        """
        Change the limits of a disk, or of its group.

        Those of one kind are replaced together: total and parts of bytes, of operations.
        """
        checkFlags("testDomainSetBlockIoTune", flags, IMPACT)
        checkParameters(params, _TYPES)
        domain = self._find(dom)
        live, config = domain.impactOfOne(flags)
        definition = domain.definition if live else domain.persistentDefinition
        found = _disk(definition, disk)
        given: dict[str, Any] = {}
        for param in params:
            if param.field != "group_name" and param.value > _MAXIMUM:
                raise unsupportedArgument(
                    f"block I/O throttle limit value must be no more than {_MAXIMUM}"
                )
            given[param.field] = param.value or None
        _checkGiven(given)
        before = found.iotune or IOTune()
        rates = {name: getattr(before, name) for name in _NAMES}
        for suffix in ("", "_max", "_max_length"):
            for what in ("bytes", "iops"):
                names = [f"{kind}_{what}_sec{suffix}" for kind in ("total", "read", "write")]
                if any(name in given for name in names):
                    rates.update((name, given.get(name)) for name in names)
        rates.update(
            (name, given[name]) for name in ("size_iops_sec", "group_name") if name in given
        )
        _checkRates(rates)
        tune = IOTune(**rates)
        group = tune.group_name

        def changed(definition: DomainDefinition) -> DomainDefinition:
            devices = definition.devices
            own = _disk(definition, disk)
            disks = tuple(
                replaced(each, iotune=tune)
                if each is own
                or (group and each.iotune is not None and each.iotune.group_name == group)
                else each
                for each in devices.disks
            )
            return replaced(definition, devices=replaced(devices, disks=disks))

        domain.changeBoth(live, config, changed)
