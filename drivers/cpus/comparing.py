"""
Whether a host can be a given processor, and which processor all of some hosts can be.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from typing import Any

import attrs

from pyvirt.definitions.kinds import xmlError
from pyvirt.definitions.reader import Node, parseTree, xmlText
from pyvirt.drivers.cpus.cpumap import Bits, CPUMap
from pyvirt.drivers.cpus.decoding import Decoded, decode
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["CPUResult", "HostCPU", "baseline", "compare", "parseCPU"]


class CPUResult(enum.IntEnum):
    """What a comparison says, by libvirt's numbers."""

    INCOMPATIBLE = 0
    IDENTICAL = 1
    SUPERSET = 2


@attrs.frozen(kw_only=True)
class HostCPU:
    """
    A processor that is there.

    @ivar features: every feature that it has.
    @ivar signature: family, model and stepping.
    """

    arch: str
    vendor: str | None = None
    features: frozenset[str] = frozenset()
    signature: tuple[int, int, int] = (0, 0, 0)

    @classmethod
    def of(cls, table: CPUMap, found: Decoded, arch: str) -> HostCPU:
        """Make the processor that a model with differences is."""
        own = table.models[found.model].features
        features = (own | set(found.required)) - set(found.disabled)
        return cls(arch=arch, vendor=found.vendor, features=frozenset(features))


@attrs.frozen(kw_only=True)
class _CPU:
    """A processor as a document describes it; features by policy."""

    guest: bool
    arch: str | None
    mode: str | None
    match: str | None
    model: str | None
    fallback: str | None
    vendor: str | None
    features: tuple[tuple[str, str], ...]


_POLICIES = ("force", "require", "optional", "disable", "forbid")


def parseCPU(xml: str, *, host: bool = False) -> _CPU:
    """
    Read a processor.

    @param host: it is that of a host: it has an architecture and no mode.
    @raise VirtError: it is not one.
    """
    node = parseTree(xml, None, label="(CPU_definition)", domain=ErrorDomain.CPU)
    if node.tag != "cpu":
        raise _xml("XML does not contain expected 'cpu' element")
    return _read(node, host)


def _xml(detail: str) -> VirtError:
    return xmlError(detail, ErrorDomain.CPU)


def _read(node: Node, host: bool) -> _CPU:
    mode, match = node.get("mode"), node.get("match")
    guest = not host and (mode is not None or match is not None or node.find("arch") is None)
    arch = node.findtext("arch")
    if host:
        if mode is not None:
            raise virtError(
                ErrorCode.CONFIG_UNSUPPORTED,
                "Attribute mode is only allowed for guest CPU",
                ErrorDomain.CPU,
            )
        if not arch:
            raise _xml("Missing CPU architecture")
    found = node.find("model")
    model = (xmlText(found) if found is not None else "") or None
    features: list[tuple[str, str]] = []
    names: set[str] = set()
    for each in node.findall("feature"):
        name = each.get("name")
        if not name:
            raise _xml("Invalid CPU feature name")
        if name in names:
            raise _xml(f"CPU feature '{name}' specified more than once")
        names.add(name)
        policy = each.get("policy", "require")
        if policy not in _POLICIES:
            raise virtError(
                ErrorCode.CONFIG_UNSUPPORTED, "Invalid CPU feature policy", ErrorDomain.CPU
            )
        features.append((name, policy))
    if model is None and (features or node.find("vendor") is not None) and mode in (None, "custom"):
        raise _xml(
            "Non-empty feature list specified without CPU model"
            if features
            else "CPU vendor specified without CPU model"
        )
    if host and model is None:
        raise _xml("Missing CPU model name")
    return _CPU(
        guest=guest,
        arch=arch,
        mode=mode,
        match=match,
        model=model,
        fallback=found.get("fallback") if found is not None else None,
        vendor=node.findtext("vendor"),
        features=tuple(features),
    )


def _modelFeatures(table: CPUMap, name: str) -> frozenset[str]:
    model = table.models.get(name)
    if model is None:
        raise virtError(ErrorCode.INTERNAL_ERROR, f"Unknown CPU model {name}", ErrorDomain.CPU)
    return model.features


def _known(table: CPUMap, name: str) -> str:
    found = table.known(name)
    if found is None:
        raise virtError(ErrorCode.INTERNAL_ERROR, f"Unknown CPU feature {name}", ErrorDomain.CPU)
    return found


def compare(table: CPUMap, host: HostCPU, cpu: _CPU, *, fail: bool = False) -> CPUResult:
    """
    Tell whether a host can be a processor.

    @param fail: what is incompatible is an error.
    @raise VirtError: CPU_INCOMPATIBLE, or the processor is not known.
    """

    def incompatible(detail: str) -> CPUResult:
        if fail:
            raise virtError(ErrorCode.CPU_INCOMPATIBLE, detail, ErrorDomain.CPU)
        return CPUResult.INCOMPATIBLE

    if (
        cpu.arch is not None
        and cpu.arch != host.arch
        and {cpu.arch, host.arch}
        != {
            "i686",
            "x86_64",
        }
    ):
        return incompatible(f"CPU arch {cpu.arch} does not match host arch")
    if cpu.vendor is not None and cpu.vendor != host.vendor:
        return incompatible(f"host CPU vendor does not match required CPU vendor {cpu.vendor}")
    if cpu.model is None:
        return CPUResult.SUPERSET
    wanted = set(_modelFeatures(table, cpu.model))
    unwanted: list[str] = []
    ignored: set[str] = set()
    for name, policy in cpu.features:
        known = _known(table, name)
        if policy in ("require",):
            wanted.add(known)
        elif policy == "forbid":
            unwanted.append(known)
            wanted.discard(known)
        else:
            wanted.discard(known)
            ignored.add(known)
    order = list(table.features)
    provided = [name for name in order if name in unwanted and name in host.features]
    if provided:
        return incompatible("Host CPU provides forbidden features: " + ", ".join(provided))
    missing = [name for name in order if name in wanted and name not in host.features]
    if missing:
        return incompatible("Host CPU does not provide required features: " + ", ".join(missing))
    extra = [
        name
        for name in order
        if name in host.features and name not in wanted and name not in ignored
    ]
    if not extra:
        return CPUResult.IDENTICAL
    if cpu.guest and cpu.match == "strict":
        return incompatible(
            "Host CPU does not strictly match guest CPU: Extra features: " + ", ".join(extra)
        )
    return CPUResult.SUPERSET


def _bits(table: CPUMap, cpu: _CPU) -> Bits:
    """Return the bits of a processor of a document."""
    assert cpu.model is not None
    found = dict(table.bitsOf(_modelFeatures(table, cpu.model)))
    for name, policy in cpu.features:
        known = _known(table, name)
        for leaf, mask in table.features[known].items():
            if policy in ("disable", "forbid"):
                found[leaf] = found.get(leaf, 0) & ~mask
            else:
                found[leaf] = found.get(leaf, 0) | mask
    return found


def baseline(
    table: CPUMap,
    documents: Sequence[str],
    *,
    hypervisor: bool = False,
    usable: Iterable[str] | None = None,
    blockers: dict[str, tuple[str, ...]] | None = None,
    expand: bool = False,
    migratable: bool = False,
) -> str:
    """
    Return the processor that all of some hosts can be.

    @param documents: one for each host.
    @param hypervisor: for what the hypervisor gives: of C{usable} models, without what C{blockers} tell.
    @param expand: name every feature of the model too.
    @param migratable: leave out features that keep a guest from moving.
    @raise VirtError: there is none, or a document is wrong.
    """
    if not documents:
        raise virtError(ErrorCode.INVALID_ARG, "no CPUs given", ErrorDomain.CPU)
    cpus = [parseCPU(each, host=not hypervisor) for each in documents]
    for number, cpu in enumerate(cpus):
        if cpu.model is None:
            raise virtError(
                ErrorCode.INVALID_ARG,
                f"no CPU model specified at index {number}",
                ErrorDomain.CPU,
            )
    arches = {cpu.arch for cpu in cpus if cpu.arch is not None}
    if len(arches) > 1:
        raise virtError(
            ErrorCode.INTERNAL_ERROR,
            "CPUs are incompatible: architectures differ",
            ErrorDomain.CPU,
        )
    common = _bits(table, cpus[0])
    for cpu in cpus[1:]:
        other = _bits(table, cpu)
        common = {leaf: value & other.get(leaf, 0) for leaf, value in common.items()}
    vendor, told = _vendor(cpus)
    common = {leaf: value for leaf, value in common.items() if value}
    if not common:
        raise virtError(ErrorCode.OPERATION_FAILED, "CPUs are incompatible", ErrorDomain.CPU)
    names = [cpu.model or "" for cpu in cpus]
    found = decode(
        table,
        common,
        vendor,
        (0, 0, 0),
        usable=usable if hypervisor else None,
        blockers=blockers,
        preferred=names[0] if len(names) == 1 else None,
    )
    if found is None:
        raise virtError(
            ErrorCode.INTERNAL_ERROR,
            "Cannot find suitable CPU model for given data",
            ErrorDomain.CPU,
        )
    single = len(names) == 1
    return _text(
        table, found, told, single=single or hypervisor, expand=expand, migratable=migratable
    )


def _vendor(cpus: list[_CPU]) -> tuple[str | None, bool]:
    """Return the vendor of all, and whether a document told it."""
    vendors = {cpu.vendor for cpu in cpus if cpu.vendor is not None}
    if len(vendors) > 1:
        raise virtError(ErrorCode.OPERATION_FAILED, "CPU vendors do not match", ErrorDomain.CPU)
    told = all(cpu.vendor is not None for cpu in cpus)
    vendor = next(iter(vendors), None)
    return vendor, told


def _text(
    table: CPUMap, found: Decoded, told: bool, *, single: bool, expand: bool, migratable: bool
) -> str:
    """Write the processor as guests name it."""
    out = ["<cpu mode='custom' match='exact'>"]
    out.append(f"  <model fallback='{'forbid' if single else 'allow'}'>{found.model}</model>")
    if told and found.vendor is not None:
        out.append(f"  <vendor>{found.vendor}</vendor>")
    required, disabled = list(found.required), list(found.disabled)
    if migratable:
        required = [name for name in required if name not in table.unmigratable]
    if expand:
        own = set(table.models[found.model].features) - set(disabled)
        policies: dict[str, Any] = dict.fromkeys([*own, *required], "require")
        policies |= dict.fromkeys(disabled, "disable")
        pairs = sorted(policies.items())
    else:
        pairs = [(name, "require") for name in required]
        pairs += [(name, "disable") for name in disabled]
    out += [f"  <feature policy='{policy}' name='{name}'/>" for name, policy in pairs]
    out.append("</cpu>")
    return "\n".join(out) + "\n"
