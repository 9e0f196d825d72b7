"""
Which model a processor is, and by which features it differs from it.
"""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from pyvirt.definitions.domain import DomainDefinition
from pyvirt.definitions.domain._cpu import CPU, CPUFeature, CPUModel
from pyvirt.definitions.schema import replaced
from pyvirt.drivers.qemu.capabilities.binary import BinaryCapabilities
from pyvirt.drivers.qemu.capabilities.cpumap import Bits, CPUMap, Model
from pyvirt.errors import ErrorCode, ErrorDomain, virtError

__all__ = ["Decoded", "decode", "hostModel", "withHostModel"]


@attrs.frozen(kw_only=True)
class Decoded:
    """
    A processor as a model with differences.

    @ivar required: features that it has beyond the model, in the order of the tables.
    @ivar disabled: features of the model that it lacks.
    """

    model: str
    vendor: str | None
    required: tuple[str, ...] = ()
    disabled: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """How many differences there are."""
        return len(self.required) + len(self.disabled)


def _without(bits: Bits, other: Bits) -> Bits:
    found: Bits = {}
    for leaf, value in bits.items():
        rest = value & ~other.get(leaf, 0)
        if rest:
            found[leaf] = rest
    return found


def _has(model: Model, signature: tuple[int, int, int]) -> bool:
    family, number, stepping = signature
    return any(
        each[0] == family and each[1] == number and (each[2] is None or stepping in each[2])
        for each in model.signatures
    )


def decode(
    table: CPUMap,
    bits: Bits,
    vendor: str | None,
    signature: tuple[int, int, int],
    *,
    usable: Iterable[str] | None = None,
    blockers: dict[str, tuple[str, ...]] | None = None,
    host: bool = False,
    preferred: str | None = None,
) -> Decoded | None:
    """
    Find the model that a processor is closest to.

    @param bits: what the processor answers.
    @param signature: family, model and stepping.
    @param usable: the models to choose from; None for all.
    @param blockers: by model, the features that the hypervisor says are missing.
    @param preferred: the model to take if it can be, however far off.
    @param host: the processor is the host's own: models that it lacks something of are out.
    """
    names = None if usable is None else set(usable)
    best: Decoded | None = None
    bestModel: Model | None = None
    for model in reversed(table.models.values()):
        if names is not None and model.name not in names:
            continue
        if (host and not model.host) or (not host and not model.guest):
            continue
        if model.vendor is not None and vendor is not None and model.vendor != vendor:
            continue
        candidate = _candidate(table, model, bits, vendor, (blockers or {}).get(model.name, ()))
        if host and candidate.disabled:
            continue
        if model.name == preferred:
            return candidate
        if best is None or bestModel is None:
            best, bestModel = candidate, model
            continue
        mine, theirs = _has(model, signature), _has(bestModel, signature)
        if theirs and not mine:
            continue
        if mine and not theirs:
            best, bestModel = candidate, model
            continue
        if best.count > candidate.count:
            best, bestModel = candidate, model
    return best


def _candidate(
    table: CPUMap, model: Model, bits: Bits, vendor: str | None, blockers: Iterable[str]
) -> Decoded:
    own = table.bitsOf(model.features)
    blocked = [name for each in blockers if (name := table.known(each)) is not None]
    missing = _without(own, bits)
    extra = _without(bits, own)
    for name in blocked:
        # What the hypervisor blocks is off, whatever the table says of the model.
        for leaf, mask in table.features[name].items():
            missing[leaf] = missing.get(leaf, 0) | mask
            extra[leaf] = extra.get(leaf, 0) & ~mask
    required = table.featuresIn(extra)
    disabled = table.featuresIn(missing)
    disabled += [name for name in model.removed if name not in required and name not in disabled]
    return Decoded(
        model=model.name,
        vendor=vendor,
        required=tuple(required),
        disabled=tuple(disabled),
    )


def _checkKnown(cpu: CPU, table: CPUMap) -> None:
    """Complain of models and features that nobody knows."""
    if cpu.model is not None and cpu.model.name not in table.models:
        raise virtError(
            ErrorCode.INTERNAL_ERROR, f"Unknown CPU model {cpu.model.name}", ErrorDomain.CPU
        )
    for each in cpu.features:
        if each.name not in table.features:
            raise virtError(
                ErrorCode.CONFIG_UNSUPPORTED,
                f"unknown CPU feature: {each.name}",
                ErrorDomain.CPU,
            )


def withHostModel(
    definition: DomainDefinition, capabilities: BinaryCapabilities, table: CPUMap
) -> DomainDefinition:
    """
    Name the model of a guest that asks for the host's, or for no less than one.

    @raise VirtError: CONFIG_UNSUPPORTED: no model of the host is known.
    """
    cpu = definition.cpu
    if cpu is not None and cpu.mode == "custom" and table.models:
        _checkKnown(cpu, table)
    if cpu is None or not (
        cpu.mode == "host-model" or (cpu.mode == "custom" and cpu.match == "minimum")
    ):
        return definition
    found = hostModel(table, capabilities)
    if found is None:
        raise virtError(
            ErrorCode.CONFIG_UNSUPPORTED,
            f"CPU mode '{cpu.mode}' for {capabilities.arch} {definition.type} domain on "
            f"{capabilities.arch} host is not supported by hypervisor",
            ErrorDomain.QEMU,
        )
    features = {
        **{name: CPUFeature(policy="require", name=name) for name in found.required},
        **{name: CPUFeature(policy="disable", name=name) for name in found.disabled},
    }
    if cpu.mode == "host-model":
        for each in cpu.features:
            features[each.name or ""] = each
    vendor = cpu.model.vendor_id if cpu.model is not None else None
    cpu = replaced(
        cpu,
        mode="custom",
        match="exact",
        vendor=found.vendor if cpu.mode == "host-model" else cpu.vendor,
        model=CPUModel(name=found.model, fallback="forbid", vendor_id=vendor),
        features=tuple(features.values()),
    )
    return replaced(definition, cpu=cpu)


def hostModel(table: CPUMap, capabilities: BinaryCapabilities) -> Decoded | None:
    """
    Return what guests of a binary get that ask for the host's model.

    It comes from what QEMU says of its richest model, not from the host itself.
    """
    props = capabilities.expansion
    if not props or not table.models:
        return None
    names = [
        name
        for each, value in props.items()
        if value is True and (name := table.known(each)) is not None
    ]
    bits = table.bitsOf(names)
    vendor = table.vendors.get(str(props.get("vendor", "")))
    signature = (
        int(props.get("family", 0)),
        int(props.get("model", 0)),
        int(props.get("stepping", 0)),
    )
    return decode(
        table,
        bits,
        vendor,
        signature,
        usable=[each.name for each in capabilities.cpus],
        blockers={each.name: each.blockers or () for each in capabilities.cpus},
    )
