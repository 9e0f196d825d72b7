"""
Models and features of x86 processors, as libvirt's own tables describe them.

The tables come with an installed libvirt; who calls this reads their files and hands over the text.  Without them
there are no models but those that QEMU names, and no model can be found for a host.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import attrs
from lxml import etree

from pyvirt.definitions.values import definition

__all__ = ["CPUMap", "Model", "readMap"]

#: By leaf (and register or MSR), the bits that are set.
Bits = dict[tuple[Any, ...], int]

_REGISTERS = ("eax", "ebx", "ecx", "edx")


@definition
class Model:
    """
    A model of processor.

    @ivar removed: features that newer versions of the model no longer have, which are always said.
    @ivar signatures: C{(family, model, steppings)}; None for any stepping.
    """

    name: str
    vendor: str | None = None
    host: bool = True
    guest: bool = True
    signatures: tuple[tuple[int, int, frozenset[int] | None], ...] = ()
    features: frozenset[str] = frozenset()
    removed: tuple[str, ...] = ()


@attrs.define
class CPUMap:
    """
    All models and features of one architecture.

    @ivar features: in the order of the tables, what each is in the answers of the processor.
    @ivar aliases: what QEMU calls some features, and what they are called here.
    @ivar linux: the same for what Linux calls some features.
    @ivar vendors: by the twelve letters that the processor says.
    """

    features: dict[str, Bits] = attrs.Factory(dict)
    aliases: dict[str, str] = attrs.Factory(dict)
    linux: dict[str, str] = attrs.Factory(dict)
    vendors: dict[str, str] = attrs.Factory(dict)
    models: dict[str, Model] = attrs.Factory(dict)
    unmigratable: set[str] = attrs.Factory(set)
    _places: dict[tuple[Any, ...], list[tuple[int, str, int]]] = attrs.field(
        factory=dict, init=False, eq=False
    )
    _ofModels: dict[str, Bits] = attrs.field(factory=dict, init=False, eq=False)
    _spellings: dict[str, str] = attrs.field(factory=dict, init=False, eq=False)

    def known(self, name: str) -> str | None:
        """Return what a feature is called here, or None for one that nobody knows."""
        if name in self.features:
            return name
        return self.aliases.get(name) or self.linux.get(name)

    def bitsOf(self, features: Iterable[str]) -> Bits:
        """Return the bits of all the features."""
        found: Bits = {}
        for name in features:
            for leaf, bits in self.features.get(name, {}).items():
                found[leaf] = found.get(leaf, 0) | bits
        return found

    def bitsOfModel(self, name: str) -> Bits:
        """Return the bits of a model's features, for looking at only."""
        found = self._ofModels.get(name)
        if found is None:
            found = self._ofModels[name] = self.bitsOf(self.models[name].features)
        return found

    def featuresIn(self, bits: Bits) -> list[str]:
        """Return the features all of whose bits are there, in the order of the tables."""
        places = self._places
        if not places:
            # Most features are one bit, and most questions are about few leaves.
            for number, (name, own) in enumerate(self.features.items()):
                for leaf, mask in own.items():
                    places.setdefault(leaf, []).append((number, name, mask))
                    break
        found = [
            (number, name)
            for leaf, there in bits.items()
            for number, name, mask in places.get(leaf, ())
            if there & mask == mask and self._areIn(name, bits)
        ]
        return [name for _, name in sorted(found)]

    def _areIn(self, name: str, bits: Bits) -> bool:
        own = self.features[name]
        return len(own) == 1 or all(bits.get(leaf, 0) & mask == mask for leaf, mask in own.items())

    def spelled(self, name: str) -> str | None:
        """Return the feature with the same letters and digits, for Linux joins the parts of a name otherwise."""
        if not self._spellings:
            self._spellings.update((_joined(each), each) for each in self.features)
        return self._spellings.get(_joined(name))


def _joined(name: str) -> str:
    return "".join(filter(str.isalnum, name))


def readMap(read: Callable[[str], bytes | None], arch: str = "x86") -> CPUMap:
    """
    Read the tables.

    @param read: C{(file name)} to its content, or None where there is no such file.
    """
    found = CPUMap()
    index = read("index.xml")
    if index is None:
        return found
    for group in _tree(index):
        if group.get("name") != arch:
            continue
        for item in group:
            if item.tag != "include":
                _read(found, item)
                continue
            text = read(item.get("filename", ""))
            if text is not None:
                for each in _tree(text):
                    _read(found, each)
    return found


def _tree(text: bytes) -> Iterable[Any]:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True)
    return etree.fromstring(text, parser)


def _number(text: str | None) -> int:
    return int(text or "0", 0)


def _read(found: CPUMap, node: Any) -> None:
    if node.tag == "vendor":
        found.vendors[node.get("string", node.get("name"))] = node.get("name")
    elif node.tag == "feature":
        _readFeature(found, node)
    elif node.tag == "model":
        _readModel(found, node)


def _readFeature(found: CPUMap, node: Any) -> None:
    name = node.get("name")
    bits: Bits = {}
    for child in node:
        if child.tag == "cpuid":
            leaf = (_number(child.get("eax_in")), _number(child.get("ecx_in")))
            for register in _REGISTERS:
                value = _number(child.get(register))
                if value:
                    bits[(*leaf, register)] = bits.get((*leaf, register), 0) | value
        elif child.tag == "msr":
            for register in ("eax", "edx"):
                value = _number(child.get(register))
                if value:
                    bits[("msr", _number(child.get("index")), register)] = value
        elif child.tag == "alias":
            names = found.aliases if child.get("source") == "qemu" else found.linux
            names[child.get("name")] = name
    found.features[name] = bits
    if node.get("migratable") == "no":
        found.unmigratable.add(name)


def _readModel(found: CPUMap, node: Any) -> None:
    features: set[str] = set()
    removed: list[str] = []
    values: dict[str, Any] = {}
    signatures: list[tuple[int, int, frozenset[int] | None]] = []
    for child in node:
        if child.tag == "model":
            base = found.models.get(child.get("name"))
            if base is not None:
                features |= base.features
                values.setdefault("vendor", base.vendor)
                signatures += base.signatures
                removed += base.removed
        elif child.tag == "feature":
            if child.get("removed") == "yes":
                removed.append(child.get("name"))
            else:
                features.add(child.get("name"))
        elif child.tag == "vendor":
            values["vendor"] = child.get("name")
        elif child.tag == "decode":
            values["host"] = child.get("host") == "on"
            values["guest"] = child.get("guest") == "on"
        elif child.tag == "signature":
            signatures.append(
                (
                    _number(child.get("family")),
                    _number(child.get("model")),
                    _steppings(child.get("stepping")),
                )
            )
    name = node.get("name")
    found.models[name] = Model(
        name=name,
        features=frozenset(features - set(removed)),
        removed=tuple(removed),
        signatures=tuple(signatures),
        **values,
    )


def _steppings(text: str | None) -> frozenset[int] | None:
    if text is None:
        return None
    found: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        found |= set(range(int(first), int(last or first) + 1))
    return frozenset(found)
