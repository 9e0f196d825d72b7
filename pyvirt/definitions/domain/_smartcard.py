"""
Smart cards.
"""

from __future__ import annotations

from typing import Any

from pyvirt.definitions.domain._address import Device, writeInfo
from pyvirt.definitions.domain._chardev import (
    CHAR_TYPES,
    CharSource,
    readCharSource,
    writeCharSource,
)
from pyvirt.definitions.kinds import choice, escape, missingAttribute, unsupported, xmlError
from pyvirt.definitions.reader import Node, xmlText
from pyvirt.definitions.schema import Context, reader
from pyvirt.definitions.values import definition

__all__ = ["Smartcard"]


@definition
class Smartcard(Device):
    """A smart card of the guest."""

    mode: str = "host"
    certificates: tuple[str, ...] = ()
    database: str | None = None
    source: CharSource | None = None

    @classmethod
    def readElement(cls, node: Node, context: Context) -> Smartcard:
        """Read what the mode needs."""
        mode = node.get("mode")
        if mode is None:
            raise missingAttribute(node, "mode")
        mode = choice("host host-certificates passthrough").read(mode, node, "mode")
        certificates: tuple[str, ...] = ()
        database = source = None
        if mode == "host-certificates":
            certificates = tuple(xmlText(c) for c in node if c.tag == "certificate")
            if len(certificates) != 3:
                raise xmlError("host-certificates mode needs exactly three certificates")
            for child in node:
                if child.tag == "database":
                    database = xmlText(child)
                    if not database.startswith("/"):
                        raise xmlError(f"expecting absolute path: {database}")
                    break
        elif mode == "passthrough":
            kind = node.get("type")
            if kind is None:
                raise xmlError("passthrough mode requires a character device type attribute")
            if kind not in CHAR_TYPES:
                raise unsupported("unknown type presented to host for character device: {text}")(
                    kind, node, ""
                )
            source = readCharSource(kind, node, context)
        device = reader(Device)(node, context)
        return cls(
            mode=mode,
            certificates=certificates,
            database=database,
            source=source,
            alias=device.alias,
            acpiIndex=device.acpiIndex,
            address=device.address,
        )

    @staticmethod
    def writeElement(value: Any, out: list[str], indent: str, tag: str, context: Context) -> None:
        """Write it back."""
        head = f"{indent}<{tag} mode='{value.mode}'"
        inner = indent + "  "
        body = [f"{inner}<certificate>{escape(c)}</certificate>\n" for c in value.certificates]
        if value.database is not None:
            body.append(f"{inner}<database>{escape(value.database)}</database>\n")
        if value.source is not None:
            head += f" type='{value.source.type}'"
            writeCharSource(value.source, body, inner, context, labels=False)
        writeInfo(value, body, inner, context)
        if body:
            out.append(head + ">\n")
            out += body
            out.append(f"{indent}</{tag}>\n")
        else:
            out.append(head + "/>\n")
