"""
The model of processor that guests of a binary get when they ask for the host's.
"""

from __future__ import annotations

from pyvirt.definitions.domain import DomainDefinition
from pyvirt.definitions.domain._cpu import CPU, CPUFeature, CPUModel
from pyvirt.definitions.schema import Context, replaced, writer
from pyvirt.drivers.cpus.comparing import HostCPU, compare, parseCPU
from pyvirt.drivers.cpus.cpumap import CPUMap
from pyvirt.drivers.cpus.decoding import Decoded, decode
from pyvirt.drivers.qemu.capabilities.binary import BinaryCapabilities
from pyvirt.errors import ErrorCode, ErrorDomain, virtError

__all__ = ["hostModel", "requireCPU", "withHostModel"]


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
    named = cpu is not None and cpu.model is not None and cpu.model.name
    if (
        cpu is not None
        and table.models
        and (cpu.mode == "host-model" or (named and cpu.mode == "custom"))
    ):
        _checkKnown(cpu, table)
    if cpu is None or not (
        cpu.mode == "host-model" or (cpu.mode == "custom" and cpu.match == "minimum")
    ):
        if cpu is not None and cpu.mode == "custom":
            cpu = _withOthers(_decided(cpu, table, hostModel(table, capabilities)), table)
            return replaced(definition, cpu=cpu)
        if cpu is not None and cpu.mode in ("maximum", "host-passthrough") and table.models:
            for each in cpu.features:
                if table.known(each.name or "") is None:
                    raise virtError(
                        ErrorCode.CONFIG_UNSUPPORTED,
                        f"unknown CPU feature: {each.name}",
                        ErrorDomain.CPU,
                    )
            decided = _decided(cpu, table, hostModel(table, capabilities))
            asked = {each.name: each.policy for each in cpu.features}
            kept = tuple(
                each
                for each in decided.features
                if asked[each.name] != "optional" or each.policy == "require"
            )
            return replaced(definition, cpu=replaced(cpu, features=kept))
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
    return replaced(definition, cpu=_decided(cpu, table, found))


def _featuresOf(table: CPUMap, host: Decoded) -> set[str]:
    model = table.models.get(host.model or "")
    there = set(model.features if model is not None else ())
    return (there | set(host.required)) - set(host.disabled)


def _decided(cpu: CPU, table: CPUMap, host: Decoded | None) -> CPU:
    """Features that are optional are there if the host has them."""
    if all(each.policy != "optional" for each in cpu.features):
        return cpu
    there = set() if host is None else _featuresOf(table, host)
    features = tuple(
        replaced(each, policy="require" if each.name in there else "disable")
        if each.policy == "optional"
        else each
        for each in cpu.features
    )
    return replaced(cpu, features=features)


def _withOthers(cpu: CPU, table: CPUMap) -> CPU:
    """What newer versions of a model no longer have is said not to be there."""
    model = table.models.get((cpu.model.name if cpu.model is not None else None) or "")
    if model is None:
        return cpu
    said = {each.name for each in cpu.features}
    gone = tuple(
        CPUFeature(policy="disable", name=name) for name in model.removed if name not in said
    )
    return replaced(cpu, features=(*cpu.features, *gone)) if gone else cpu


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


def requireCPU(table: CPUMap, binary: BinaryCapabilities, cpu: CPU | None) -> None:
    """
    Complain of a processor that is to be checked, and that a binary cannot give.

    @raise VirtError: CPU_INCOMPATIBLE.
    """
    if cpu is None or cpu.mode != "custom" or cpu.check != "partial" or not table.models:
        return
    found = hostModel(table, binary)
    if found is None:
        return
    out: list[str] = []
    writer(CPU)(cpu, out, "", "cpu", Context())
    compare(table, HostCPU.of(table, found, binary.arch), parseCPU("".join(out)), fail=True)
