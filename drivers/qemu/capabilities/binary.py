"""
The values that say what one QEMU binary can do; they go into a cache as JSON and come back the same.
"""

from __future__ import annotations

from typing import Any

import attrs

__all__ = ["BinaryCapabilities", "CPUDefinition", "Machine"]


@attrs.frozen(kw_only=True)
class Machine:
    """
    A type of machine.

    @ivar alias: another name of it, as C{pc} is of the newest.
    @ivar defaultCPU: the model that a guest gets that names none, without the architecture's suffix.
    @ivar defaultRAM: what the memory of the machine is called, for machines that take a back end of it.
    """

    name: str
    alias: str | None = None
    maxCPUs: int = 0
    hotplugCPUs: bool = False
    isDefault: bool = False
    numaMemory: bool = False
    deprecated: bool = False
    defaultCPU: str | None = None
    defaultRAM: str | None = None


@attrs.frozen(kw_only=True)
class CPUDefinition:
    """
    A model of processor.

    @ivar blockers: the features that the host lacks; None where that is unknown.
    @ivar typename: what QEMU's objects call it.
    """

    name: str
    typename: str | None = None
    blockers: tuple[str, ...] | None = None
    deprecated: bool = False


@attrs.frozen(kw_only=True)
class BinaryCapabilities:
    """
    What one binary can do.

    @ivar binary: its path.
    @ivar version: C{major * 1000000 + minor * 1000 + micro}.
    @ivar arch: as libvirt calls it.
    @ivar kvm: whether guests of type C{kvm} run here.
    @ivar machines: in QEMU's order.
    @ivar types: the types of objects, devices among them, that it knows.
    @ivar commands: the commands of its monitor.
    @ivar events: the events of its monitor.
    @ivar options: option of the command line and its parameter, as C{machine.smm}.
    @ivar props: by type of device, the names of its properties, for those that were asked.
    @ivar expansion: of the model C{max} or C{host}, every property.
    """

    binary: str
    version: int = 0
    package: str = ""
    arch: str = "x86_64"
    kvm: bool = False
    machines: tuple[Machine, ...] = ()
    types: frozenset[str] = frozenset()
    commands: frozenset[str] = frozenset()
    events: frozenset[str] = frozenset()
    options: frozenset[str] = frozenset()
    enums: frozenset[str] = frozenset()
    cpus: tuple[CPUDefinition, ...] = ()
    tpmModels: tuple[str, ...] = ()
    tpmTypes: tuple[str, ...] = ()
    expansion: dict[str, Any] = attrs.field(factory=dict)

    def has(self, name: str) -> bool:
        """Return whether a type of object or device is known."""
        return name in self.types

    def machine(self, name: str) -> Machine | None:
        """Return the machine of a name or an alias."""
        for each in self.machines:
            if each.name == name:
                return each
        for each in self.machines:
            if each.alias == name:
                return each
        return None

    def defaultMachine(self) -> str | None:
        """Return the machine that guests get that name none."""
        for each in self.machines:
            if each.isDefault:
                return each.alias or each.name
        return self.machines[0].name if self.machines else None

    def toJSON(self) -> dict[str, Any]:
        """Return plain values, for a cache."""
        found: dict[str, Any] = {}
        for field in attrs.fields(type(self)):
            value = getattr(self, field.name)
            if isinstance(value, frozenset):
                value = sorted(value)
            elif field.name in ("machines", "cpus"):
                value = [attrs.asdict(each) for each in value]
            elif isinstance(value, tuple):
                value = list(value)
            found[field.name] = value
        return found

    @classmethod
    def fromJSON(cls, values: dict[str, Any]) -> BinaryCapabilities:
        """
        Take back what L{toJSON} returned.

        @raise Exception: C{KeyError}, C{TypeError} or C{ValueError} for anything else.
        """
        made = dict(values)
        made["machines"] = tuple(Machine(**each) for each in made["machines"])
        made["cpus"] = tuple(
            CPUDefinition(
                **{
                    **each,
                    "blockers": None if each["blockers"] is None else tuple(each["blockers"]),
                }
            )
            for each in made["cpus"]
        )
        for name in ("types", "commands", "events", "options", "enums"):
            made[name] = frozenset(made[name])
        for name in ("tpmModels", "tpmTypes"):
            made[name] = tuple(made[name])
        return cls(**made)
