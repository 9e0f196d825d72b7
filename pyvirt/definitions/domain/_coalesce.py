"""
How many packets a network card may let wait before it interrupts.
"""

from __future__ import annotations

from typing import Any

from pyvirt.definitions.kinds import number
from pyvirt.definitions.reader import Node
from pyvirt.definitions.schema import Context
from pyvirt.definitions.values import definition
from pyvirt.errors import ErrorCode, ErrorDomain, virtError

__all__ = ["Coalesce"]


@definition
class Coalesce:
    """How interrupts are put together."""

    frames: int | None = None

    @classmethod
    def readElement(cls, node: Node, context: Context) -> Coalesce | None:
        """Read the one number there is."""
        for rx in node:
            if rx.tag != "rx":
                continue
            for frames in rx:
                if frames.tag == "frames" and frames.get("max") is not None:
                    text = frames.get("max")
                    value = number(text, bits=64)
                    if value is None:
                        raise virtError(
                            ErrorCode.XML_DETAIL,
                            f"cannot parse value '{text}' for coalesce parameter",
                            ErrorDomain.DOMAIN,
                        )
                    if value > 0xFFFFFFFF:
                        raise virtError(
                            ErrorCode.OVERFLOW,
                            f"value '{value}' is too big for coalesce parameter, maximum is "
                            "'4294967295'",
                            ErrorDomain.DOMAIN,
                        )
                    return cls(frames=value or None)
        return cls()

    @staticmethod
    def writeElement(value: Any, out: list[str], indent: str, tag: str, context: Context) -> None:
        """Write it back."""
        if value.frames is not None:
            out.append(
                f"{indent}<{tag}>\n{indent}  <rx>\n{indent}    <frames max='{value.frames}'/>\n"
                f"{indent}  </rx>\n{indent}</{tag}>\n"
            )
