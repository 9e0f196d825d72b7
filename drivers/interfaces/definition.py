"""
What is known of domains: finding them, their definitions, autostart, metadata.
"""

from __future__ import annotations

from zope.interface import Interface

from pyvirt.drivers.interfaces.values import Answer, DomainRef


class IDomainDefinition(Interface):
    """What is known of domains: finding them, their definitions, autostart, metadata."""

    def domainGetXMLDesc(dom: DomainRef, flags: int) -> Answer[str]:
        """
        Describe a domain.

        @param flags: bitwise-OR of C{VIR_DOMAIN_XML_*}.  Secrets only with C{SECURE}, which
            read-only callers may not give; with C{INACTIVE} what it will be at its next start.
        @return: a C{<domain>} document.  Source: domain XML reference.
        """

    def domainGetAutostart(dom: DomainRef) -> Answer[bool]:
        """Whether the domain starts with the host."""

    def domainGetOSType(dom: DomainRef) -> Answer[str]:
        """Tell what kind of system boots, such as C{hvm} or C{exe}."""

    def domainLookupByID(id: int) -> Answer[DomainRef]:
        """
        Find an active domain by its id, 0 or more.

        @raise NoSuchDomain: no active domain has it.
        """

    def domainLookupByName(name: str) -> Answer[DomainRef]:
        """
        Find a domain by its name.

        @raise NoSuchDomain: there is none.
        """

    def domainLookupByUUID(uuid: bytes) -> Answer[DomainRef]:
        """
        Find a domain by its UUID, 16 bytes.

        @raise NoSuchDomain: there is none.
        """

    def domainSetAutostart(dom: DomainRef, autostart: bool) -> Answer[None]:
        """
        Say whether the domain starts with the host.

        @param autostart: true or false; numbers other than 0 are true.
        @raise OperationInvalid: it is transient.
        """

    def connectDomainXMLFromNative(nativeFormat: str, nativeConfig: str, flags: int) -> Answer[str]:
        """
        Translate a hypervisor's own description of a guest.

        @param nativeFormat: which form it has, such as C{qemu-argv}.
        @param flags: none yet.
        @return: a C{<domain>} document.
        """

    def connectDomainXMLToNative(nativeFormat: str, domainXML: str, flags: int) -> Answer[str]:
        """
        Translate a domain into the hypervisor's own description.

        @param nativeFormat: which form is wanted, such as C{qemu-argv}.
        @param flags: none yet.
        """

    def domainIsPersistent(dom: DomainRef) -> Answer[bool]:
        """Whether the domain stays defined while it is inactive."""

    def domainIsUpdated(dom: DomainRef) -> Answer[bool]:
        """Whether the domain's definition was changed since it started."""

    def domainUndefineFlags(dom: DomainRef, flags: int) -> Answer[None]:
        """
        Forget a domain's definition.  An active domain becomes transient and goes on.

        @param flags: bitwise-OR of C{VIR_DOMAIN_UNDEFINE_*}: what else is removed or kept.
        @raise OperationInvalid: something hangs on it that C{flags} does not mention, or it is
            transient.
        """

    def domainSetMetadata(
        dom: DomainRef,
        type: int,
        metadata: str | None,
        key: str | None,
        uri: str | None,
        flags: int,
    ) -> Answer[None]:
        """
        Change what people and programs note about a domain.

        @param type: C{VIR_DOMAIN_METADATA_*}; others are refused here.
        @param metadata: the text, or for C{ELEMENT} an XML element; None removes it.  A title has
            no line breaks.
        @param key: prefix of the element's namespace; None except for C{ELEMENT}.
        @param uri: the element's namespace; None except for C{ELEMENT}.
        @param flags: bitwise-OR of C{VIR_DOMAIN_AFFECT_*}.
        """

    def domainGetMetadata(dom: DomainRef, type: int, uri: str | None, flags: int) -> Answer[str]:
        """
        Tell what is noted about a domain; parameters are as in L{domainSetMetadata}.

        @raise VirtError: C{NO_DOMAIN_METADATA}: nothing is.
        """

    def connectListAllDomains(flags: int) -> Answer[list[DomainRef]]:
        """
        List domains.

        @param flags: bitwise-OR of C{VIR_CONNECT_LIST_DOMAINS_*}: within a group (active or not,
            persistent or not, by state, managed save, autostart, snapshots, checkpoints) any may
            fit, of each group that is mentioned one must.  0: all.
        @return: in any order; at most 16384.
        """

    def domainDefineXMLFlags(xml: str, flags: int) -> Answer[DomainRef]:
        """
        Define a domain, or redefine the one with the same name and UUID.

        @param xml: a C{<domain>} document.  What it leaves out gets the driver's defaults.
        @param flags: bitwise-OR of C{VIR_DOMAIN_DEFINE_*}.
        @raise OperationFailed: another domain has the name or the UUID.
        """

    def domainRename(dom: DomainRef, newName: str | None, flags: int) -> Answer[int]:
        """
        Give an inactive domain another name.

        @param newName: not empty.
        @param flags: none yet.
        @return: 0.
        @raise OperationInvalid: it is active or transient, or the name is taken.
        """

    def domainGetAutostartOnce(dom: DomainRef) -> Answer[bool]:
        """Whether the domain starts when the host boots next, and that time only."""

    def domainSetAutostartOnce(dom: DomainRef, autostart: bool) -> Answer[None]:
        """Say whether the domain starts when the host boots next, and that time only."""
