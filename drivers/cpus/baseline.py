"""
Which processor all of some hosts can be, or can give their guests.

Hosts of x86 have the features in common that all of them have, named by the closest model; those of POWER have
to be of one model, and those of ARM are taken to be what the first one is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pyvirt.definitions.hostcpu import parseHostCPU
from pyvirt.definitions.kinds import escape
from pyvirt.drivers.cpus.comparing import DescribedCPU, knownFeature, modelFeatures, parseCPU
from pyvirt.drivers.cpus.cpumap import Bits, CPUMap
from pyvirt.drivers.cpus.decoding import Decoded, decode
from pyvirt.drivers.cpus.tables import cpuMap
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["baseline", "hypervisorBaseline"]

_X86 = ("x86_64", "i686")
_POWER = ("ppc64", "ppc64le")
_ARM = ("aarch64", "armv6l", "armv7b", "armv7l")
_S390 = ("s390", "s390x")


def _error(code: int, detail: str) -> VirtError:
    return virtError(code, detail, ErrorDomain.CPU)


def baseline(documents: Sequence[str], *, expand: bool = False, migratable: bool = False) -> str:
    """
    Return the processor that all of some hosts can be, as guests name it.

    @param documents: one for each host.
    @param expand: name every feature of the model too.
    @param migratable: leave out features that keep a guest from moving.
    @raise VirtError: there is none, a document is wrong, or nothing is known of the architecture.
    """
    cpus = [_ofHost(each) for each in _some(documents)]
    arch = cpus[0].arch or ""
    if arch in _X86:
        return _x86(cpuMap(), cpus, expand=expand, migratable=migratable)
    if arch in _POWER:
        return _power(cpuMap("ppc64"), cpus)
    if arch in _ARM:
        return _document(cpus[0].model or "", "allow")
    raise _error(
        ErrorCode.NO_SUPPORT,
        f"cannot compute baseline CPU of {arch} architecture"
        if arch in _S390
        else f"'{arch}' architecture is not supported by CPU driver",
    )


def hypervisorBaseline(
    table: CPUMap,
    documents: Sequence[str],
    *,
    usable: Iterable[str],
    blockers: dict[str, tuple[str, ...]],
    expand: bool = False,
    migratable: bool = False,
) -> str:
    """
    Return the processor that guests can be given on all of some hosts.

    @param documents: one for each host: what the hypervisor gives there.
    @param usable: the models that the hypervisor has.
    @param blockers: by model, the features that keep it from being used.
    @raise VirtError: there is none, or a document is wrong.
    """
    cpus = [parseCPU(each) for each in _some(documents)]
    for number, cpu in enumerate(cpus):
        if cpu.model is None:
            raise _error(ErrorCode.INVALID_ARG, f"no CPU model specified at index {number}")
    return _x86(
        table,
        cpus,
        hypervisor=True,
        usable=usable,
        blockers=blockers,
        expand=expand,
        migratable=migratable,
    )


def modelNames(arch: str) -> list[str]:
    """
    List the models known for an architecture; none where any is taken.

    @raise VirtError: NO_SUPPORT: nothing is known of it.
    """
    if arch in _X86:
        return list(cpuMap().models)
    if arch in _POWER:
        return list(cpuMap("ppc64").models)
    if arch in _ARM or arch in _S390:
        return []
    raise _error(ErrorCode.NO_SUPPORT, f"'{arch}' architecture is not supported by CPU driver")


def _some(documents: Sequence[str]) -> Sequence[str]:
    if not documents:
        raise _error(ErrorCode.INVALID_ARG, "no CPUs given")
    return documents


def _ofHost(document: str) -> DescribedCPU:
    cpu = parseHostCPU(document)
    return DescribedCPU(
        guest=False,
        arch=cpu.arch,
        mode=None,
        match=None,
        model=cpu.model,
        fallback=None,
        vendor=cpu.vendor,
        features=tuple((each.name or "", "require") for each in cpu.features),
    )


def _bits(table: CPUMap, cpu: DescribedCPU) -> Bits:
    """Return the bits of a processor of a document."""
    assert cpu.model is not None
    found = dict(table.bitsOf(modelFeatures(table, cpu.model)))
    for name, policy in cpu.features:
        known = knownFeature(table, name)
        for leaf, mask in table.features[known].items():
            if policy == "optional":
                # What may be missing cannot be counted on.
                continue
            if policy in ("disable", "forbid"):
                found[leaf] = found.get(leaf, 0) & ~mask
            else:
                found[leaf] = found.get(leaf, 0) | mask
    return found


def _x86(
    table: CPUMap,
    cpus: list[DescribedCPU],
    *,
    hypervisor: bool = False,
    usable: Iterable[str] | None = None,
    blockers: dict[str, tuple[str, ...]] | None = None,
    expand: bool,
    migratable: bool,
) -> str:
    vendor, told = cpus[0].vendor, True
    common = _bits(table, cpus[0])
    if vendor is None:
        told = False
    else:
        _checkVendor(table, vendor)
    for cpu in cpus[1:]:
        other = _bits(table, cpu)
        told = told and cpu.vendor is not None
        own = _vendorOf(table, cpu)
        if vendor is not None and own is not None and own != vendor:
            raise _error(ErrorCode.OPERATION_FAILED, "CPU vendors do not match")
        vendor = vendor or own
        common = {leaf: value & other.get(leaf, 0) for leaf, value in common.items()}
    common = {leaf: value for leaf, value in common.items() if value}
    if not common:
        raise _error(ErrorCode.OPERATION_FAILED, "CPUs are incompatible")
    names = {cpu.model or "" for cpu in cpus}
    found = decode(
        table,
        common,
        vendor,
        (0, 0, 0),
        usable=usable,
        blockers=blockers,
        preferred=names,
    )
    if found is None:
        raise _error(ErrorCode.INTERNAL_ERROR, "Cannot find suitable CPU model for given data")
    fallback = "forbid" if hypervisor or names == {found.model} else "allow"
    return _document(
        found.model,
        fallback,
        found.vendor if told else None,
        _features(table, found, expand=expand, migratable=migratable),
    )


def _checkVendor(table: CPUMap, name: str) -> None:
    if name not in table.vendors.values():
        raise _error(ErrorCode.OPERATION_FAILED, f"Unknown CPU vendor {name}")


def _vendorOf(table: CPUMap, cpu: DescribedCPU) -> str | None:
    """Return the vendor that a processor tells, or its model has; they have to be one."""
    own = table.models[cpu.model or ""].vendor
    if cpu.vendor is None:
        return own
    if own is not None and own != cpu.vendor:
        raise _error(
            ErrorCode.OPERATION_FAILED,
            f"CPU vendor {own} of model {cpu.model} differs from vendor {cpu.vendor}",
        )
    _checkVendor(table, cpu.vendor)
    return cpu.vendor


def _power(table: CPUMap, cpus: list[DescribedCPU]) -> str:
    """Return the model that all hosts are of."""
    modelFeatures(table, cpus[0].model or "")
    for cpu in cpus:
        if cpu.model != cpus[0].model:
            raise _error(ErrorCode.OPERATION_FAILED, "CPUs are incompatible")
        if cpu.vendor is not None:
            _checkVendor(table, cpu.vendor)
            _vendorOf(table, cpu)
    return _document(cpus[0].model or "", "forbid")


def _features(
    table: CPUMap, found: Decoded, *, expand: bool, migratable: bool
) -> list[tuple[str, str]]:
    """List policies and names."""
    required, disabled = list(found.required), list(found.disabled)
    if migratable:
        required = [name for name in required if name not in table.unmigratable]
    if expand:
        own = set(table.models[found.model].features) - set(disabled)
        policies: dict[str, Any] = dict.fromkeys([*own, *required], "require")
        policies |= dict.fromkeys(disabled, "disable")
        return [(policy, name) for name, policy in sorted(policies.items())]
    return [("require", name) for name in required] + [("disable", name) for name in disabled]


def _document(
    model: str, fallback: str, vendor: str | None = None, features: Iterable[tuple[str, str]] = ()
) -> str:
    out = ["<cpu mode='custom' match='exact'>"]
    out.append(f"  <model fallback='{fallback}'>{escape(model)}</model>")
    if vendor is not None:
        out.append(f"  <vendor>{escape(vendor)}</vendor>")
    out += [f"  <feature policy='{policy}' name='{name}'/>" for policy, name in features]
    out.append("</cpu>")
    return "\n".join(out) + "\n"
