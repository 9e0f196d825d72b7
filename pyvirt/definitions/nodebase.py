"""
What all capabilities of devices of the host have in common.

Numbers that a device must have are complained of by the name of the device, which the context carries.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from pyvirt.definitions.kinds import (
    escape,
    number,
    xmlError,
)
from pyvirt.definitions.reader import Node, xmlText
from pyvirt.definitions.schema import (
    Context,
    attribute,
    special,
)
from pyvirt.definitions.values import definition
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = [
    "Capability",
    "Identity",
    "NewDevice",
    "bad",
    "firstElements",
    "identityElement",
    "internal",
    "numberElement",
    "requiredNumber",
    "unsupported",
]

_DOMAIN = ErrorDomain.NODEDEV


def bad(detail: str) -> VirtError:
    """Make the error of a device that says something impossible."""
    return xmlError(detail, _DOMAIN)


def internal(detail: str) -> VirtError:
    """Make an internal error, as most complaints about devices are."""
    return virtError(ErrorCode.INTERNAL_ERROR, detail, _DOMAIN)


def unsupported(detail: str) -> VirtError:
    """Make the error of a configuration that is not supported."""
    return virtError(ErrorCode.CONFIG_UNSUPPORTED, detail, _DOMAIN)


class NewDevice(str):
    """
    What complaints call a device that is to be made: it has no name yet.

    @ivar worldWideName: makes up a name of a port that has none; None: it has to have one.
    """

    worldWideName: Callable[[], str] | None = None


@definition
class Capability:
    """
    What a device is.

    @cvar kind: the word of libvirt for it.
    """

    kind: ClassVar[str] = ""
    xmlOpen: ClassVar[bool] = True

    type: str | None = attribute()


def numberElement(
    what: str,
    tag: str,
    *,
    base: int = 10,
    bits: int = 32,
    optional: bool = False,
    form: str = "",
    refusal: str = "internal",
    maximum: int | None = None,
) -> Any:
    """
    A number in an element of its own.

    @param what: how complaints call it; with C{refusal="unsupported"} another form of them is used.
    """

    def read(node: Node, kids: dict[str, list[Node]], context: Context) -> int | None:
        text = xmlText(kids[tag][0]) if tag in kids else ""
        if not text:
            if optional:
                return None
            if refusal == "unsupported":
                raise unsupported(f"missing {what} value for '{context.extra}'")
            raise internal(f"no {what} supplied for '{context.extra}'")
        value = number(text, base, bits=bits)
        if value is None:
            if refusal == "unsupported":
                raise unsupported(f"invalid {what} value '{text}' for '{context.extra}'")
            raise internal(f"invalid {what} supplied for '{context.extra}'")
        if maximum is not None and value > maximum:
            raise unsupported(f"{what} value '{text}' is out of range for '{context.extra}'")
        return value

    return special(
        tags=tag,
        read=read,
        write=lambda value, out, indent, context: out.append(
            f"{indent}<{tag}>{format(value, form)}</{tag}>\n"
        ),
    )


@definition
class Identity:
    """The number of a maker or a product, and its name."""

    id: int = 0
    name: str | None = None


def requiredNumber(what: str, kids: dict[str, list[Node]], tag: str, context: Context) -> int:
    """Read a number that has to be there, from an element of its own."""
    text = xmlText(kids[tag][0]) if tag in kids else ""
    if not text:
        raise internal(f"no {what} supplied for '{context.extra}'")
    value = number(text)
    if value is None:
        raise internal(f"invalid {what} supplied for '{context.extra}'")
    return value


def identityElement(what: str, tag: str, blank: str = "") -> Any:
    """
    The number and name of a maker or a product, in an element of its own.

    @param what: how complaints call it.
    @param blank: what stands before the end of an element without a name.
    """

    def read(node: Node, kids: dict[str, list[Node]], context: Context) -> Identity:
        text = kids[tag][0].get("id") if tag in kids else None
        if not text:
            raise internal(f"no {what} supplied for '{context.extra}'")
        value = number(text, 16)
        if value is None:
            raise internal(f"invalid {what} supplied for '{context.extra}'")
        return Identity(id=value, name=xmlText(kids[tag][0]) or None)

    def write(value: Identity, out: list[str], indent: str, context: Context) -> None:
        head = f"{indent}<{tag} id='0x{value.id:04x}'"
        if value.name:
            out.append(f"{head}>{escape(value.name)}</{tag}>\n")
        else:
            out.append(f"{head}{blank}/>\n")

    return special(tags=tag, read=read, write=write)


def firstElements(node: Node) -> dict[str, Node]:
    """Return the first element of each name inside."""
    found: dict[str, Node] = {}
    for child in node:
        found.setdefault(child.tag, child)
    return found
