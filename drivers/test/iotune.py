"""
Limits of a disk's throughput, and the rules between them.
"""

from __future__ import annotations

from typing import Any

from pyvirt import constants as c
from pyvirt.definitions.domain import DomainDefinition
from pyvirt.definitions.domain._disk import IOTune
from pyvirt.definitions.schema import replaced
from pyvirt.drivers.devicenames import diskOf
from pyvirt.drivers.interfaces.values import DomainRef, TypedParam
from pyvirt.drivers.test.refusals import (
    IMPACT,
    READING,
    checkFlags,
    invalidArgument,
    unsupportedArgument,
)
from pyvirt.drivers.test.world import World
from pyvirt.params import validateParams

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
        found = diskOf(self._find(dom).one(flags), disk or "")
        if found is None:
            raise invalidArgument(f"disk '{disk or ''}' was not found in the domain config")
        tune = found.iotune or IOTune()
        return [
            TypedParam(
                name, _TYPES[name], getattr(tune, name) or ("" if name == "group_name" else 0)
            )
            for name in _NAMES
        ]

    def domainSetBlockIoTune(
        self, dom: DomainRef, disk: str, params: list[TypedParam], flags: int
    ) -> None:
        """Change the limits of a disk, but not of others in its group; what is not named stays as it is."""
        checkFlags("testDomainSetBlockIoTune", flags, IMPACT)
        validateParams(params, _TYPES)
        domain = self._find(dom)
        live, config = domain.impactOfOne(flags)
        definition = domain.definition if live else domain.persistentDefinition
        found = diskOf(definition, disk)
        if found is None:
            raise invalidArgument(f"missing persistent configuration for disk '{disk}'")
        given: dict[str, Any] = {}
        for param in params:
            if param.field != "group_name" and param.value > _MAXIMUM:
                raise unsupportedArgument(
                    f"block I/O throttle limit value must be no more than {_MAXIMUM}"
                )
            given[param.field] = param.value if param.field == "group_name" else param.value or None
        before = found.iotune or IOTune()
        rates = {name: getattr(before, name) for name in _NAMES}
        rates.update(given)
        _checkGiven(rates)
        _checkRates(rates)
        tune = IOTune(**rates)

        def changed(definition: DomainDefinition) -> DomainDefinition:
            devices = definition.devices
            own = diskOf(definition, disk)
            disks = tuple(
                replaced(each, iotune=tune) if each is own else each for each in devices.disks
            )
            return replaced(definition, devices=replaced(devices, disks=disks))

        domain.changeBoth(live, config, changed)
