"""
Sources of random numbers.
"""

from __future__ import annotations

from typing import Any, ClassVar

from pyvirt.definitions.domain._address import Device
from pyvirt.definitions.domain._chardev import (
    CHAR_TYPES,
    CharSource,
    readCharSource,
    writeCharSource,
)
from pyvirt.definitions.domain._common import VirtioDriver
from pyvirt.definitions.kinds import choice, custom, escape, integer, unsupported, xmlError
from pyvirt.definitions.reader import Node, xmlText
from pyvirt.definitions.schema import Context, attribute, element, special
from pyvirt.definitions.values import definition

__all__ = ["RNG", "RNGBackend", "Rate"]


@definition
class Rate:
    """How many bytes in how many milliseconds."""

    bytes: int | None = attribute(
        integer(keepZero=False, error=custom("invalid RNG rate bytes value"))
    )
    period: int | None = attribute(
        integer(keepZero=False, error=custom("invalid RNG rate period value"))
    )

    def settle(self, node: Node, context: Context) -> Rate | None:
        """A rate of nothing is none."""
        return None if self.bytes is None else self


@definition
class RNGBackend:
    """
    Where random numbers come from.

    @ivar source: of C{egd}, the character device.
    """

    model: str = "random"
    path: str | None = None
    source: CharSource | None = None

    @classmethod
    def readElement(cls, node: Node, context: Context) -> RNGBackend:
        """Read what the model needs."""
        model = node.get("model")
        if model is None:
            raise xmlError("missing RNG device backend model")
        if model not in ("random", "egd", "builtin"):
            raise unsupported("unknown RNG backend model '{text}'")(model, node, "")
        if model == "random":
            return cls(model=model, path=xmlText(node) or "/dev/random")
        if model == "egd":
            kind = node.get("type")
            if kind is None:
                raise xmlError("missing EGD backend type")
            if kind not in CHAR_TYPES:
                raise unsupported("unknown backend type '{text}' for egd")(kind, node, "")
            return cls(model=model, source=readCharSource(kind, node, context))
        return cls(model=model)

    @staticmethod
    def writeElement(value: Any, out: list[str], indent: str, tag: str, context: Context) -> None:
        """Write it back."""
        head = f"{indent}<{tag} model='{value.model}'"
        if value.source is not None:
            out.append(f"{head} type='{value.source.type}'>\n")
            writeCharSource(value.source, out, indent + "  ", context, labels=False)
            out.append(f"{indent}</{tag}>\n")
        elif value.path is not None:
            out.append(f"{head}>{escape(value.path)}</{tag}>\n")
        else:
            out.append(f"{head}/>\n")


def _checkOne(kids: dict[str, list[Node]]) -> None:
    """There is exactly one back end."""
    if len(kids.get("backend", ())) != 1:
        raise xmlError("only one RNG backend is supported")


@definition
class RNG(Device):
    """A source of random numbers."""

    xmlOrder: ClassVar[str] = "model rate counted backend driver"

    model: str | None = attribute(
        choice(
            "virtio virtio-transitional virtio-non-transitional",
            error=unsupported("unknown RNG model '{text}'"),
        ),
        required=True,
        missing=lambda node: xmlError("missing RNG device model"),
    )
    rate: Rate | None = element(Rate)
    counted: None = special(tags="backend", read=lambda node, kids, context: _checkOne(kids))
    backend: RNGBackend | None = element(RNGBackend)
    driver: VirtioDriver | None = element(VirtioDriver)
