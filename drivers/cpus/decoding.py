"""
Which model a processor is, and by which features it differs from it.
"""

from __future__ import annotations

from collections.abc import Iterable

from pyvirt.definitions.values import definition
from pyvirt.drivers.cpus.cpumap import Bits, CPUMap, Model

__all__ = ["Decoded", "decode"]


@definition
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
    def _punished(self) -> int:
        # Libvirt counts features off its list while it goes through the list, and so sees half of these.
        return (len(self.disabled) + 1) // 2

    @property
    def penalty(self) -> int:
        """How bad it is what the model has and the processor lacks: each feature is worse than the one before."""
        count = self._punished
        return 2 * count + count * (count - 1) // 2

    def betterThan(self, other: Decoded) -> bool:
        """Tell whether this model is closer to the processor than another."""
        mine, theirs = self._added, other._added
        return (mine + self.penalty, -mine) < (theirs + other.penalty, -theirs)

    @property
    def _added(self) -> int:
        return len(self.required) + len(self.disabled) - self._punished


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
    preferred: Iterable[str] = (),
) -> Decoded | None:
    """
    Find the model that a processor is closest to.

    @param bits: what the processor answers.
    @param signature: family, model and stepping.
    @param usable: the models to choose from; None for all.
    @param blockers: by model, the features that the hypervisor says are missing.
    @param preferred: models to take where they have to be told less that they lack; a single one, whatever it takes.
    @param host: the processor is the host's own: models that it lacks something of are out.
    """
    names = None if usable is None else set(usable)
    favourites = set(preferred)
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
        if favourites == {model.name}:
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
        if candidate.betterThan(best) or (
            model.name in favourites and candidate.penalty < best.penalty
        ):
            best, bestModel = candidate, model
    return best


def _candidate(
    table: CPUMap, model: Model, bits: Bits, vendor: str | None, blockers: Iterable[str]
) -> Decoded:
    own = table.bitsOfModel(model.name)
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
