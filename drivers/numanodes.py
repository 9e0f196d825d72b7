"""
On which nodes of the host a domain's memory is to be, in its definition.
"""

from __future__ import annotations

from pyvirt.definitions.domain import DomainDefinition
from pyvirt.definitions.domain._numatune import NUMAMemory, NUMATune
from pyvirt.definitions.schema import replaced
from pyvirt.errors import ErrorCode, ErrorDomain, virtError

__all__ = ["withNodes"]


def withNodes(
    definition: DomainDefinition, mode: str | None, nodes: frozenset[int] | None
) -> DomainDefinition:
    """
    Return a definition with other nodes, or another way of using them; None leaves what it says.

    @raise VirtError: there would be a way and no nodes.
    """
    tune = definition.numatune or NUMATune()
    memory = tune.memory or NUMAMemory()
    if nodes is not None:
        memory = replaced(memory, nodeset=nodes, placement=None)
    elif memory.nodeset is None and memory.placement is None:
        raise virtError(
            ErrorCode.CONFIG_UNSUPPORTED,
            "nodeset for NUMA memory tuning must be set if 'placement' is 'static'",
            ErrorDomain.DOMAIN,
        )
    if mode is not None:
        memory = replaced(memory, mode=mode)
    return replaced(definition, numatune=replaced(tune, memory=memory))
