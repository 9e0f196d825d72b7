"""
Errors about networks.
"""

from __future__ import annotations

from pyvirt.definitions.kinds import (
    xmlError,
)
from pyvirt.definitions.reader import Node, xmlText
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["bad", "detail", "nameOf", "refused", "unknownAddress"]

_DOMAIN = ErrorDomain.NETWORK


def bad(detail: str) -> VirtError:
    """Make the error of a network that says something impossible."""
    return xmlError(detail, _DOMAIN)


def detail(message: str) -> VirtError:
    """Make an error that is only its text."""
    return virtError(ErrorCode.XML_DETAIL, message, _DOMAIN)


def refused(message: str) -> VirtError:
    """Make the error of a configuration that is not supported."""
    return virtError(ErrorCode.CONFIG_UNSUPPORTED, message, _DOMAIN)


def nameOf(node: Node) -> str:
    """Return the name of the network that an element belongs to."""
    for child in node.getroottree().getroot():
        if child.tag == "name":
            return xmlText(child)
    return ""


def unknownAddress(text: str) -> VirtError:
    """Make the error of the system's resolver, which is asked for numbers only."""
    return virtError(
        ErrorCode.SYSTEM_ERROR,
        f"Cannot parse socket address '{text}': Name or service not known",
        ErrorDomain.NONE,
    )
