"""
Metadata of domains: a title, a description, and elements that applications keep.
"""

from __future__ import annotations

from pyvirt import constants as c
from pyvirt.drivers.interfaces.values import DomainRef
from pyvirt.drivers.metadata import checkType, metadataOf, withMetadata
from pyvirt.drivers.test.definition import DomainDefinitions
from pyvirt.drivers.test.refusals import IMPACT, checkFlags

__all__ = ["DomainDefinitionsAndMetadata"]


class DomainDefinitionsAndMetadata(DomainDefinitions):
    """What is known of domains, with what applications add to it."""

    def domainGetMetadata(self, dom: DomainRef, type: int, uri: str | None, flags: int) -> str:
        """Tell the title, the description, or an application's element."""
        checkFlags("testDomainGetMetadata", flags, IMPACT)
        domain = self._find(dom)
        checkType(type)
        return metadataOf(domain.one(flags), type, uri)

    def domainSetMetadata(
        self,
        dom: DomainRef,
        type: int,
        metadata: str | None,
        key: str | None,
        uri: str | None,
        flags: int,
    ) -> None:
        """Change the title, the description, or an application's element; None takes it away."""
        checkFlags("testDomainSetMetadata", flags, IMPACT)
        domain = self._find(dom)
        live, config = domain.impact(flags)
        checkType(type)
        domain.changeBoth(
            live, config, lambda definition: withMetadata(definition, type, metadata, key, uri)
        )
        self._world.tellDomain(domain, c.VIR_DOMAIN_EVENT_ID_METADATA_CHANGE, type, uri)
