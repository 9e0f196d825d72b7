"""
Where the variables of a guest's firmware are kept.
"""

from __future__ import annotations

from pyvirt.definitions.domain._source import (
    SOURCE_TYPES,
    DiskSource,
    FileSource,
    readSource,
    writeSource,
)
from pyvirt.definitions.kinds import escape, invalidAttribute, xmlError
from pyvirt.definitions.reader import Node, xmlText
from pyvirt.definitions.schema import Context
from pyvirt.definitions.values import definition

__all__ = ["NVRAM"]


@definition
class NVRAM:
    """Where the firmware's variables are kept, and what they start as."""

    template: str | None = None
    source: DiskSource | None = None
    typed: bool = False

    @classmethod
    def readElement(cls, node: Node, context: Context) -> NVRAM:
        """Read a plain path or a source."""
        template = node.get("template")
        kind = node.get("type")
        if kind is None:
            path = xmlText(node)
            if not path:
                return cls(template=template)
            return cls(template=template, source=FileSource(file=path))
        if kind not in SOURCE_TYPES.split():
            raise invalidAttribute(kind, node, "type")
        for child in node:
            if child.tag == "source":
                source = readSource(kind, child, context)
                return cls(template=template, source=source, typed=True)
        raise xmlError("Missing source element with NVRAM type")

    @staticmethod
    def writeElement(value: NVRAM, out: list[str], indent: str, tag: str, context: Context) -> None:
        """Write it back."""
        head = f"{indent}<{tag}"
        if value.template is not None:
            head += f" template='{escape(value.template)}'"
        source = value.source
        if source is None:
            if value.template is not None:
                out.append(f"{head}/>\n")
            return
        if not value.typed:
            path = getattr(source, "file", "") or ""
            out.append(f"{head}>{escape(path)}</{tag}>\n")
            return
        out.append(f"{head} type='{source.sourceType}'>\n")
        writeSource(source, out, indent + "  ", "source", context)
        out.append(f"{indent}</{tag}>\n")
