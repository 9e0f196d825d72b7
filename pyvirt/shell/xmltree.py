"""
Reading definitions that a daemon sent: nothing outside of them is loaded, whatever they refer to.
"""

from __future__ import annotations

from typing import Any

from lxml import etree

__all__ = ["readTree"]


def readTree(text: str) -> Any:
    """Give the root element of a definition."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    return etree.fromstring(text.encode("utf-8", "surrogateescape"), parser)
