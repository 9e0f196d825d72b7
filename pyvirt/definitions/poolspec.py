"""
The source of a pool standing alone: what those who look for pools are told about where to look.
"""

from __future__ import annotations

from lxml import etree

from pyvirt.definitions.poolsource import PoolSource
from pyvirt.definitions.reader import parseTree
from pyvirt.definitions.schema import Context, reader
from pyvirt.definitions.storage import TYPES
from pyvirt.errors import ErrorCode, ErrorDomain, virtError

__all__ = ["parsePoolSource"]


def parsePoolSource(xml: str, kind: str) -> PoolSource:
    """
    Parse the C{source} element of a pool.

    @param kind: the type of pool, which decides what is kept of it.
    @raise VirtError: as libvirt says it; also where there is no such type.
    """
    domain = ErrorDomain.STORAGE
    node = parseTree(xml, "source", label="(storage_source_specification)", domain=domain)
    if kind not in TYPES.split():
        raise virtError(ErrorCode.INTERNAL_ERROR, "missing backend for pool type -1", domain)
    # What a source may hold is asked of the pool around it.
    pool = etree.Element("pool", type=kind)
    pool.append(node)
    found: PoolSource = reader(PoolSource)(node, Context())
    return found
