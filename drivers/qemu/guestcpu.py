"""
What a guest's processor has become: the features that QEMU added to what was asked for, and those it left out.
"""

from __future__ import annotations

from typing import Any

from pyvirt.definitions.domain._cpu import CPU, CPUFeature, CPUModel
from pyvirt.definitions.schema import replaced
from pyvirt.drivers.cpus.cpumap import Bits, CPUMap
from pyvirt.drivers.cpus.tables import cpuMap
from pyvirt.drivers.qemu.guest import Guest
from pyvirt.drivers.qemu.qmp import CommandFailed
from pyvirt.drivers.qemu.refusals import unsupportedConfig
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["asked", "learnt", "readWords"]


async def asked(cpu: CPU, guest: Guest, path: str) -> CPU:
    """
    Ask QEMU what a processor has, and say it in its definition.

    @param cpu: the processor as it was asked for; of one without a model only what it is to have is looked at.
    @param path: what QEMU knows the processor by.
    @return: as given, if there are no tables of features, or QEMU has no words for them.
    @raise VirtError: OPERATION_FAILED: it is to be exactly as asked for, and is not; CONFIG_UNSUPPORTED: its clock is
        to be invariant, and is not.
    """
    table = cpuMap()
    modelled = cpu.mode == "custom" and cpu.model is not None and cpu.model.name in table.models
    if not modelled and not any(each.policy == "require" for each in cpu.features):
        return cpu
    words = []
    for name in ("feature-words", "filtered-features"):
        try:
            words.append(await guest.execute("qom-get", {"path": path, "property": name}))
        except CommandFailed:
            # Processors of other architectures.
            return cpu
    enabled, disabled = readWords(words[0]), readWords(words[1])
    lacking = _lacking(cpu, table, enabled)
    if "invtsc" in lacking:
        raise unsupportedConfig("host doesn't support invariant TSC")
    if modelled:
        return learnt(cpu, table, enabled, disabled)
    if cpu.check == "full" and lacking:
        raise _otherwise([], lacking)
    return cpu


def _lacking(cpu: CPU, table: CPUMap, enabled: Bits) -> list[str]:
    """Return which features a processor is to have and has not."""
    wanted = {each.name for each in cpu.features if each.policy == "require"}
    # Features behind MSRs are not among what QEMU tells of here.
    return [
        name
        for name, own in table.features.items()
        if name in wanted
        and own
        and all(leaf[0] != "msr" for leaf in own)
        and not _has(enabled, own)
    ]


def _otherwise(extra: list[str], missing: list[str]) -> VirtError:
    words = [
        f"{kind} features: {','.join(names)}"
        for kind, names in (("extra", extra), ("missing", missing))
        if names
    ]
    return virtError(
        ErrorCode.OPERATION_FAILED,
        f"guest CPU doesn't match specification: {', '.join(words)}",
        ErrorDomain.CPU,
    )


def readWords(reply: Any) -> Bits:
    """Read features as QEMU lists them; what makes no sense is passed over."""
    found: Bits = {}
    for each in reply if isinstance(reply, list) else ():
        if isinstance(each, dict):
            leaf, index = each.get("cpuid-input-eax"), each.get("cpuid-input-ecx", 0)
            register, bits = each.get("cpuid-register"), each.get("features")
            if isinstance(leaf, int) and isinstance(register, str) and isinstance(bits, int):
                found[leaf, index, register.lower()] = bits
    return found


def learnt(cpu: CPU, table: CPUMap, enabled: Bits, disabled: Bits) -> CPU:
    """
    Say what a processor has.

    @param enabled: the bits that it has.
    @param disabled: the bits that were asked for, and that it could not get.
    @raise VirtError: OPERATION_FAILED: it is to be exactly as asked for, and is not.
    """
    assert cpu.model is not None
    model = table.bitsOf(table.models[cpu.model.name or ""].features)
    for each in cpu.features:
        for leaf, bits in table.features.get(each.name or "", {}).items():
            if each.policy in ("disable", "forbid"):
                model[leaf] = model.get(leaf, 0) & ~bits
            else:
                model[leaf] = model.get(leaf, 0) | bits
    extra, missing = [], []
    features = {each.name: each for each in cpu.features}
    for name, own in table.features.items():
        # Features behind MSRs are not among what QEMU tells of here.
        if not own or any(leaf[0] == "msr" for leaf in own):
            continue
        expected = _has(model, own)
        if not expected and _has(enabled, own):
            extra.append(name)
            features[name] = CPUFeature(policy="require", name=name)
        if _has(disabled, own) or (expected and not _has(enabled, own)):
            missing.append(name)
            features[name] = CPUFeature(policy="disable", name=name)
    if cpu.check == "full" and (extra or missing):
        raise _otherwise(extra, missing)
    return replaced(
        cpu,
        check="full",
        model=CPUModel(name=cpu.model.name, fallback="forbid", vendor_id=cpu.model.vendor_id),
        features=tuple(features.values()),
    )


def _has(bits: Bits, own: Bits) -> bool:
    return all(bits.get(leaf, 0) & mask == mask for leaf, mask in own.items())
