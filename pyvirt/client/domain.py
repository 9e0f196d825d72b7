"""
A domain: a guest, running or not.
"""

from __future__ import annotations

from pyvirt.client.domainblock import DomainBlock
from pyvirt.client.domaindefinition import DomainDefinition
from pyvirt.client.domainguest import DomainGuest
from pyvirt.client.domainlifecycle import DomainLifecycle
from pyvirt.client.domainmigration import DomainMigration
from pyvirt.client.domainresources import DomainResources
from pyvirt.client.domainsaving import DomainSaving
from pyvirt.client.domainsnapshots import DomainSnapshots
from pyvirt.client.domainstatistics import DomainStatistics

__all__ = ["Domain"]


class Domain(
    DomainStatistics,
    DomainBlock,
    DomainGuest,
    DomainMigration,
    DomainResources,
    DomainDefinition,
    DomainSaving,
    DomainSnapshots,
    DomainLifecycle,
):
    """
    A guest, running or not.

    A handle keeps the domain's name and UUID; its id is what was known when the handle last started or
    stopped the domain itself.
    """

    __slots__ = ()
