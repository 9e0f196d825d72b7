"""
What is known of domains: finding them, their definitions, autostart, metadata.
"""

from __future__ import annotations

from zope.interface import Interface

from pyvirt.drivers.interfaces.values import Answer, DomainRef


class IDomainDefinition(Interface):
    """What is known of domains: finding them, their definitions, autostart, metadata."""

    def domainGetXMLDesc(dom: DomainRef, flags: int) -> Answer[str]:
        """virDomainGetXMLDesc."""

    def domainGetAutostart(dom: DomainRef) -> Answer[bool]:
        """virDomainGetAutostart."""

    def domainGetOSType(dom: DomainRef) -> Answer[str]:
        """virDomainGetOSType."""

    def domainLookupByID(id: int) -> Answer[DomainRef]:
        """virDomainLookupByID."""

    def domainLookupByName(name: str) -> Answer[DomainRef]:
        """virDomainLookupByName."""

    def domainLookupByUUID(uuid: bytes) -> Answer[DomainRef]:
        """virDomainLookupByUUID."""

    def domainSetAutostart(dom: DomainRef, autostart: bool) -> Answer[None]:
        """virDomainSetAutostart."""

    def connectDomainXMLFromNative(nativeFormat: str, nativeConfig: str, flags: int) -> Answer[str]:
        """virConnectDomainXMLFromNative."""

    def connectDomainXMLToNative(nativeFormat: str, domainXML: str, flags: int) -> Answer[str]:
        """virConnectDomainXMLToNative."""

    def domainIsPersistent(dom: DomainRef) -> Answer[bool]:
        """virDomainIsPersistent."""

    def domainIsUpdated(dom: DomainRef) -> Answer[bool]:
        """virDomainIsUpdated."""

    def domainUndefineFlags(dom: DomainRef, flags: int) -> Answer[None]:
        """virDomainUndefineFlags."""

    def domainSetMetadata(
        dom: DomainRef,
        type: int,
        metadata: str | None,
        key: str | None,
        uri: str | None,
        flags: int,
    ) -> Answer[None]:
        """virDomainSetMetadata."""

    def domainGetMetadata(dom: DomainRef, type: int, uri: str | None, flags: int) -> Answer[str]:
        """virDomainGetMetadata."""

    def connectListAllDomains(flags: int) -> Answer[list[DomainRef]]:
        """virConnectListAllDomains."""

    def domainDefineXMLFlags(xml: str, flags: int) -> Answer[DomainRef]:
        """virDomainDefineXMLFlags."""

    def domainRename(dom: DomainRef, newName: str | None, flags: int) -> Answer[int]:
        """virDomainRename."""

    def domainGetAutostartOnce(dom: DomainRef) -> Answer[bool]:
        """domainGetAutostartOnce."""

    def domainSetAutostartOnce(dom: DomainRef, autostart: bool) -> Answer[None]:
        """domainSetAutostartOnce."""
