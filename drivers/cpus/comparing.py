"""
Whether a host can be a given processor.
"""

from __future__ import annotations

import enum

import attrs

from pyvirt.definitions.domain._top import ARCHITECTURES
from pyvirt.definitions.kinds import xmlError
from pyvirt.definitions.reader import Node, localName, parseTree, xmlText
from pyvirt.drivers.cpus.cpumap import CPUMap
from pyvirt.drivers.cpus.decoding import Decoded
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = [
    "CPUResult",
    "DescribedCPU",
    "HostCPU",
    "compare",
    "knownFeature",
    "modelFeatures",
    "parseCPU",
]


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
class DescribedCPU:
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


def parseCPU(xml: str) -> DescribedCPU:
    """
    Read a processor, of a host or of a guest.

    @raise VirtError: it is not one.
    """
    node = parseTree(xml, None, label="(CPU_definition)", domain=ErrorDomain.CPU)
    if localName(node) != "cpu":
        raise _xml("XML does not contain expected 'cpu' element")
    return _read(node)


def _xml(detail: str) -> VirtError:
    return xmlError(detail, ErrorDomain.CPU)


def _read(node: Node) -> DescribedCPU:
    mode, match = node.get("mode"), node.get("match")
    guest = mode is not None or match is not None or node.find("arch") is None
    arch = node.findtext("arch")
    if arch is not None and arch not in ARCHITECTURES:
        raise virtError(
            ErrorCode.CONFIG_UNSUPPORTED, f"Unknown architecture {arch}", ErrorDomain.CPU
        )
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
    return DescribedCPU(
        guest=guest,
        arch=arch,
        mode=mode,
        match=match,
        model=model,
        fallback=found.get("fallback") if found is not None else None,
        vendor=node.findtext("vendor"),
        features=tuple(features),
    )


def modelFeatures(table: CPUMap, name: str) -> frozenset[str]:
    model = table.models.get(name)
    if model is None:
        raise virtError(ErrorCode.INTERNAL_ERROR, f"Unknown CPU model {name}", ErrorDomain.CPU)
    return model.features


def knownFeature(table: CPUMap, name: str) -> str:
    if name not in table.features:
        raise virtError(ErrorCode.INTERNAL_ERROR, f"Unknown CPU feature {name}", ErrorDomain.CPU)
    return name


def compare(table: CPUMap, host: HostCPU, cpu: DescribedCPU, *, fail: bool = False) -> CPUResult:
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
    wanted = set(modelFeatures(table, cpu.model))
    unwanted: list[str] = []
    ignored: set[str] = set()
    for name, policy in cpu.features:
        known = knownFeature(table, name)
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
