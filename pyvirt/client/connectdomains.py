"""
Domains: finding, listing, defining, creating, restoring them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, fail

from pyvirt.client.arguments import descriptors
from pyvirt.client.connectbase import ConnectBase
from pyvirt.client.deferring import deferred
from pyvirt.client.domain import Domain
from pyvirt.client.handle import absolutePath
from pyvirt.client.params import HINTS, byHints
from pyvirt.client.shapes import dictionary, making, makingAll, zero
from pyvirt.client.uuids import uuidArgument, uuidBytes
from pyvirt.errors import CallFailed, ErrorCode, ErrorDomain, VirtError, virtError
from pyvirt.protocols.programs import REMOTE

if TYPE_CHECKING:
    from pyvirt.protocols.structs import DomainRef

__all__ = ["ConnectDomains"]


class ConnectDomains(ConnectBase):
    """What a connection does with domains."""

    def lookupByID(self, id: int) -> Deferred[Domain]:
        """Fire with the active domain that has this id."""
        return self._remote.domainLookupByID(id).addCallback(making(Domain, self._connect))

    def lookupByName(self, name: str) -> Deferred[Domain]:
        """
        Fire with the domain of this name.

        @raise NoSuchDomain: there is none.
        """
        return self._remote.domainLookupByName(name).addCallback(making(Domain, self._connect))

    def lookupByUUID(self, uuid: bytes) -> Deferred[Domain]:
        """Fire with the domain that has this UUID of 16 bytes."""
        try:
            data = uuidBytes(uuid, "virDomainLookupByUUID")
        except VirtError:
            return fail()
        return self._remote.domainLookupByUUID(data).addCallback(making(Domain, self._connect))

    def lookupByUUIDString(self, uuidstr: str) -> Deferred[Domain]:
        """
        Fire with the domain that has this UUID.

        @param uuidstr: 32 digits; hyphens and blanks around them do not count.
        """
        function = "virDomainLookupByUUIDString"
        try:
            uuid = uuidArgument(uuidstr, function, ErrorDomain.DOMAIN)
        except VirtError as error:
            if uuidstr is not None:
                error = VirtError(
                    "Invalid UUID",
                    code=error.code,
                    domain=error.domain,
                    str1=function,
                    str2="uuidstr",
                    int1=0,
                    int2=0,
                )
            return fail(error)
        return self._remote.domainLookupByUUID(uuid).addCallback(making(Domain, self._connect))

    def createXML(self, xmlDesc: str, flags: int = 0) -> Deferred[Domain]:
        """
        Boot a domain that is gone once it stops; C{flags}: C{VIR_DOMAIN_START_*}.

        Fires with it.
        """
        return self._remote.domainCreateXML(xmlDesc, flags).addCallback(
            making(Domain, self._connect)
        )

    def createLinux(self, xmlDesc: str, flags: int = 0) -> Deferred[Domain]:
        """As L{createXML}, by its old name."""
        return self._remote.domainCreateXML(xmlDesc, flags).addCallback(
            making(Domain, self._connect)
        )

    def defineXML(self, xml: str) -> Deferred[Domain]:
        """Define a domain, or redefine the one with this UUID and name.  Fires with it."""
        return self._remote.domainDefineXML(xml).addCallback(making(Domain, self._connect))

    def defineXMLFlags(self, xml: str, flags: int = 0) -> Deferred[Domain]:
        """As L{defineXML}, with C{VIR_DOMAIN_DEFINE_*}."""
        return self._remote.domainDefineXMLFlags(xml, flags).addCallback(
            making(Domain, self._connect)
        )

    def listAllDomains(self, flags: int = 0) -> Deferred[list[Domain]]:
        """Fire with every domain that C{flags} (C{VIR_CONNECT_LIST_DOMAINS_*}) select; 0: all."""
        return self._remote.connectListAllDomains(1, flags).addCallback(
            makingAll(Domain, self._connect)
        )

    def numOfDomains(self) -> Deferred[int]:
        """Fire with how many domains are active."""
        return self._remote.connectNumOfDomains()

    def numOfDefinedDomains(self) -> Deferred[int]:
        """Fire with how many domains are defined and not active."""
        return self._remote.connectNumOfDefinedDomains()

    @deferred
    async def listDomainsID(self) -> list[int]:
        """Fire with the ids of the active domains."""
        count = await self._remote.connectNumOfDomains()
        return list(await self._remote.connectListDomains(count)) if count else []

    @deferred
    async def listDefinedDomains(self) -> list[str]:
        """Fire with the names of the domains that are defined and not active."""
        count = await self._remote.connectNumOfDefinedDomains()
        return list(await self._remote.connectListDefinedDomains(count)) if count else []

    def restore(self, frm: str) -> Deferred[int]:
        """Start a domain from what L{Domain.save} wrote.  Fires with 0."""
        return self._remote.domainRestore(absolutePath(frm)).addCallback(zero)

    def restoreFlags(self, frm: str, dxml: str | None = None, flags: int = 0) -> Deferred[int]:
        """As L{restore}; C{dxml} replaces parts of the definition."""
        return self._remote.domainRestoreFlags(absolutePath(frm), dxml, flags).addCallback(zero)

    def saveImageGetXMLDesc(self, file: str, flags: int = 0) -> Deferred[str]:
        """Fire with the definition in a saved image."""
        return self._remote.domainSaveImageGetXMLDesc(absolutePath(file), flags)

    def saveImageDefineXML(self, file: str, dxml: str, flags: int = 0) -> Deferred[int]:
        """Replace the definition in a saved image.  Fires with 0."""
        return self._remote.domainSaveImageDefineXML(absolutePath(file), dxml, flags).addCallback(
            zero
        )

    def domainXMLFromNative(
        self, nativeFormat: str, nativeConfig: str, flags: int = 0
    ) -> Deferred[str]:
        """Fire with the XML of a hypervisor's own configuration."""
        return self._remote.connectDomainXMLFromNative(nativeFormat, nativeConfig, flags)

    def domainXMLToNative(self, nativeFormat: str, domainXml: str, flags: int = 0) -> Deferred[str]:
        """Fire with a hypervisor's own configuration for a definition."""
        return self._remote.connectDomainXMLToNative(nativeFormat, domainXml, flags)

    @deferred
    async def restoreParams(self, params: dict[str, Any], flags: int = 0) -> int:
        """As L{restoreFlags}, with C{VIR_DOMAIN_SAVE_PARAM_*}.  Fires with 0."""
        known = byHints(params, HINTS["domainRestoreParams"], "Restore params")
        await self._remote.domainRestoreParams(known, flags)
        return 0

    def createXMLWithFiles(
        self, xmlDesc: str, files: Sequence[int], flags: int = 0
    ) -> Deferred[Domain]:
        """As L{createXML}, handing open descriptors to the guest's first process."""
        calls = self._stubs.calls
        return calls.withDescriptors(
            REMOTE.byName["domainCreateXMLWithFiles"], (xmlDesc, flags), descriptors(files)
        ).addCallback(making(Domain, self._connect))

    def getAllDomainStats(
        self, stats: int = 0, flags: int = 0
    ) -> Deferred[list[tuple[Domain, dict[str, Any]]]]:
        """
        Fire with domains and their statistics by name.

        @param stats: C{VIR_DOMAIN_STATS_*}; 0: all.
        @param flags: C{VIR_CONNECT_GET_ALL_DOMAINS_STATS_*}.
        """
        return self._remote.connectGetAllDomainStats([], stats, flags).addCallback(self._records)

    def domainListGetStats(
        self, doms: Sequence[Domain], stats: int = 0, flags: int = 0
    ) -> Deferred[list[tuple[Domain, dict[str, Any]]]]:
        """As L{getAllDomainStats}, for these domains."""
        refs: list[DomainRef] = []
        for dom in doms:
            if not isinstance(dom, Domain):
                return fail(CallFailed("domain list contains non-domain elements"))
            refs.append(dom._ref)
        if not refs:
            return fail(
                virtError(
                    ErrorCode.INVALID_ARG,
                    "doms array in virDomainListGetStats must contain at least one domain",
                    ErrorDomain.DOMAIN,
                )
            )
        return self._remote.connectGetAllDomainStats(refs, stats, flags).addCallback(self._records)

    def _records(self, records: Sequence[Any]) -> list[tuple[Domain, dict[str, Any]]]:
        connect = self._connect
        return [(Domain(connect, each[0]), dictionary(each[1])) for each in records]
