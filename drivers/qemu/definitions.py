"""
What is known of domains: finding them, defining them, their XML, autostart.
"""

from __future__ import annotations

import os
from typing import Any

from twisted.logger import Logger

from pyvirt import constants as c
from pyvirt.definitions.domain import DomainDefinition, formatDomain
from pyvirt.definitions.schema import replaced
from pyvirt.definitions.validation import validate
from pyvirt.drivers.interfaces.values import Answer, DomainRef
from pyvirt.drivers.metadata import checkType, metadataOf, withMetadata
from pyvirt.drivers.qemu.changing import IMPACT, keepConfig, keepLive
from pyvirt.drivers.qemu.domain import Domain
from pyvirt.drivers.qemu.hypervisor import Hypervisor
from pyvirt.drivers.qemu.listing import LIST_FLAGS, domainFilter
from pyvirt.drivers.qemu.migratable import formatMigratable
from pyvirt.drivers.qemu.momentfiles import removeMoments, renameMoments
from pyvirt.drivers.qemu.nativeformat import nativeFormat as writeNative
from pyvirt.drivers.qemu.nativeformat import readNativeFormat
from pyvirt.drivers.qemu.refusals import checkFlags, operationInvalid
from pyvirt.drivers.qemu.saveimage import removeManagedSave
from pyvirt.drivers.qemu.tpms import removeState
from pyvirt.drivers.qemu.variables import variablesPath
from pyvirt.drivers.qemu.volumes import shown
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["DomainDefinitions"]

log = Logger()

_XML_FLAGS = (
    c.VIR_DOMAIN_XML_SECURE
    | c.VIR_DOMAIN_XML_INACTIVE
    | c.VIR_DOMAIN_XML_MIGRATABLE
    | c.VIR_DOMAIN_XML_UPDATE_CPU
)

_TPM, _KEEP_TPM = 32, 64
_UNDEFINE_FLAGS = (
    c.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE
    | c.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
    | c.VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA
    | c.VIR_DOMAIN_UNDEFINE_NVRAM
    | c.VIR_DOMAIN_UNDEFINE_KEEP_NVRAM
    | _TPM
    | _KEEP_TPM
)


def checkMoments(hypervisor: Hypervisor, domain: Domain, flags: int) -> None:
    """
    Keep a domain that does not run from being undefined with what is kept of it, or forget that too.

    @raise VirtError: there is something, and nobody said that it may go.
    """
    if domain.active:
        return
    snapshots, checkpoints = len(domain.snapshots), len(domain.checkpoints)
    if snapshots and not flags & c.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA:
        raise operationInvalid(f"cannot delete inactive domain with {snapshots} snapshots")
    if checkpoints and not flags & c.VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA:
        raise operationInvalid(f"cannot delete inactive domain with {checkpoints} checkpoints")
    if snapshots or checkpoints:
        removeMoments(hypervisor, domain)


class DomainDefinitions:
    """Finds domains and answers for what is known of them."""

    def __init__(self, hypervisor: Hypervisor, connection: Any) -> None:
        self._hypervisor = hypervisor
        self._domains = hypervisor.domains
        self._find = hypervisor.domains.find

    def connectListAllDomains(self, flags: int) -> list[DomainRef]:
        """List the domains that pass the filters, in no promised order."""
        checkFlags("qemuConnectListAllDomains", flags, LIST_FLAGS)
        test = domainFilter(flags)
        if test is None:
            return [domain.ref for domain in self._domains]
        return [domain.ref for domain in self._domains if test(domain)]

    def domainLookupByID(self, id: int) -> DomainRef:
        """Find a running domain."""
        return self._domains.byID(id).ref

    def domainLookupByName(self, name: str) -> DomainRef:
        """Find a domain."""
        return self._domains.byName(name).ref

    def domainLookupByUUID(self, uuid: bytes) -> DomainRef:
        """Find a domain."""
        return self._domains.byUUID(uuid).ref

    def domainGetXMLDesc(self, dom: DomainRef, flags: int) -> Answer[str]:
        """
        Write a domain's definition: what it is, or with C{VIR_DOMAIN_XML_INACTIVE} what it will be.

        With C{VIR_DOMAIN_XML_UPDATE_CPU} its processor is the one that it would get on this host.
        """
        checkFlags("qemuDomainGetXMLDesc", flags, _XML_FLAGS)
        domain = self._find(dom)
        inactive = bool(flags & c.VIR_DOMAIN_XML_INACTIVE)
        secure = bool(flags & c.VIR_DOMAIN_XML_SECURE)
        definition = domain.definition
        if inactive:
            definition = domain.pending or domain.lastDefined or definition
        running = domain.guest is not None and definition is domain.definition
        if domain.guest is not None and running:
            definition = shown(definition, domain.guest.volumes)
        # That of a running guest is it already.
        if flags & c.VIR_DOMAIN_XML_UPDATE_CPU and (inactive or not domain.active):
            return self._withUpdatedCPU(definition, flags)
        if flags & c.VIR_DOMAIN_XML_MIGRATABLE:
            asked = None
            if domain.guest is not None and running:
                asked = domain.guest.askedCPU
            return formatMigratable(definition, asked)
        id = None if inactive else domain.id
        return self._hypervisor.texts.of(
            definition, id=id, secure=secure, inactive=inactive, numbered=running
        )

    async def _withUpdatedCPU(self, definition: DomainDefinition, flags: int) -> str:
        definition = await self._hypervisor.withUpdatedCPU(definition)
        if flags & c.VIR_DOMAIN_XML_MIGRATABLE:
            return formatMigratable(definition)
        secure = bool(flags & c.VIR_DOMAIN_XML_SECURE)
        inactive = bool(flags & c.VIR_DOMAIN_XML_INACTIVE)
        return formatDomain(definition, secure=secure, inactive=inactive)

    def domainGetMetadata(self, dom: DomainRef, type: int, uri: str | None, flags: int) -> str:
        """Tell the title, the description, or an application's element."""
        checkFlags("virDomainObjGetMetadata", flags, IMPACT, ErrorDomain.DOMAIN)
        domain = self._find(dom)
        checkType(type)
        return metadataOf(domain.one(flags), type, uri)

    async def domainSetMetadata(
        self,
        dom: DomainRef,
        type: int,
        metadata: str | None,
        key: str | None,
        uri: str | None,
        flags: int,
    ) -> None:
        """Change the title, the description, or an application's element; None takes it away."""
        checkFlags("qemuDomainSetMetadata", flags, IMPACT)
        hypervisor = self._hypervisor
        domain = self._find(dom)
        async with domain.jobs.change("remoteDispatchDomainSetMetadata"):
            live, config = domain.impact(flags)
            checkType(type)
            if live:
                keepLive(
                    hypervisor, domain, lambda each: withMetadata(each, type, metadata, key, uri)
                )
            if config:
                keepConfig(
                    hypervisor, domain, lambda each: withMetadata(each, type, metadata, key, uri)
                )
            hypervisor.tellDomain(domain, c.VIR_DOMAIN_EVENT_ID_METADATA_CHANGE, type, uri)

    async def domainDefineXMLFlags(self, xml: str, flags: int) -> DomainRef:
        """Define a domain, or redefine one with the same name and UUID."""
        checkFlags("qemuDomainDefineXMLFlags", flags, c.VIR_DOMAIN_DEFINE_VALIDATE)
        if flags & c.VIR_DOMAIN_DEFINE_VALIDATE:
            validate("domain", xml)
        hypervisor = self._hypervisor
        definition = await hypervisor.parse(xml)
        known = self._domains.check(definition)
        hypervisor.store.saveDefinition(definition)
        domain = known if known is not None else self._domains.add(definition)
        added = not domain.persistent and domain.lastDefined is None
        if domain.active:
            domain.pending, domain.lastDefined = definition, None
        else:
            domain.definition = definition
        domain.persistent = True
        domain.removed = False
        hypervisor.tell(
            domain,
            c.VIR_DOMAIN_EVENT_DEFINED,
            c.VIR_DOMAIN_EVENT_DEFINED_ADDED if added else c.VIR_DOMAIN_EVENT_DEFINED_UPDATED,
        )
        return domain.ref

    async def connectDomainXMLToNative(self, nativeFormat: str, domainXML: str, flags: int) -> str:
        """Write the command line of a definition."""
        checkFlags("qemuConnectDomainXMLToNative", flags, 0)
        return await writeNative(self._hypervisor, nativeFormat, domainXML)

    async def connectDomainXMLFromNative(
        self, nativeFormat: str, nativeConfig: str, flags: int
    ) -> str:
        """Write the definition of a command line."""
        checkFlags("qemuConnectDomainXMLFromNative", flags, 0)
        return await readNativeFormat(self._hypervisor, nativeFormat, nativeConfig)

    def domainGetOSType(self, dom: DomainRef) -> str:
        """Tell what kind of system boots."""
        return self._find(dom).definition.os.type.name or "hvm"

    def domainGetAutostart(self, dom: DomainRef) -> bool:
        """Whether the domain is started with the host."""
        return self._find(dom).autostart

    def domainSetAutostart(self, dom: DomainRef, autostart: bool) -> None:
        """Say whether the domain is started with the host."""
        domain = self._find(dom)
        if not domain.persistent:
            raise operationInvalid("cannot set autostart for transient domain")
        if domain.autostart != bool(autostart):
            self._hypervisor.store.setAutostart(domain.name, bool(autostart))
            domain.autostart = bool(autostart)

    def domainIsPersistent(self, dom: DomainRef) -> bool:
        """Whether it stays when it stops."""
        return self._find(dom).persistent

    def domainIsUpdated(self, dom: DomainRef) -> bool:
        """Whether what runs was changed."""
        return self._find(dom).updated

    async def domainUndefineFlags(self, dom: DomainRef, flags: int) -> None:
        """Forget a definition, and the domain if it does not run."""
        checkFlags("qemuDomainUndefineFlags", flags, _UNDEFINE_FLAGS)
        hypervisor = self._hypervisor
        domain = self._find(dom)
        if flags & c.VIR_DOMAIN_UNDEFINE_NVRAM and flags & c.VIR_DOMAIN_UNDEFINE_KEEP_NVRAM:
            raise operationInvalid("cannot both keep and delete nvram")
        if flags & _TPM and flags & _KEEP_TPM:
            raise operationInvalid("cannot both keep and delete TPM")
        async with domain.jobs.change("remoteDispatchDomainUndefineFlags"):
            domain = self._find(dom)
            if not domain.persistent:
                raise operationInvalid("cannot undefine transient domain")
            if domain.managedSave:
                if not flags & c.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE:
                    raise operationInvalid(
                        "Refusing to undefine while domain managed save image exists"
                    )
                removeManagedSave(hypervisor, domain)
            checkMoments(hypervisor, domain, flags)
            self._checkVariables(domain, flags)
            hypervisor.store.removeDefinition(domain.name)
            domain.persistent = False
            domain.autostart = False
            if domain.active:
                domain.lastDefined, domain.pending = domain.pending, None
                hypervisor.saveStatus(domain)
            else:
                removeState(
                    hypervisor,
                    domain.definition,
                    keep=bool(flags & _KEEP_TPM),
                    remove=bool(flags & _TPM),
                )
                self._domains.remove(domain)
            hypervisor.tell(
                domain, c.VIR_DOMAIN_EVENT_UNDEFINED, c.VIR_DOMAIN_EVENT_UNDEFINED_REMOVED
            )

    @staticmethod
    def _checkVariables(domain: Domain, flags: int) -> None:
        """Keep or remove the variables of the guest's firmware, as its owner says."""
        path = variablesPath(domain.persistentDefinition)
        if not path or not os.path.exists(path):
            return
        if flags & c.VIR_DOMAIN_UNDEFINE_NVRAM:
            try:
                os.unlink(path)
            except OSError as problem:
                from pyvirt.drivers.qemu.refusals import systemFailure

                raise systemFailure(problem, f"failed to remove nvram: {path}") from None
        elif not flags & c.VIR_DOMAIN_UNDEFINE_KEEP_NVRAM:
            raise operationInvalid("cannot undefine domain with nvram")

    async def domainRename(self, dom: DomainRef, newName: str | None, flags: int) -> int:
        """Give an inactive domain another name, which must be free."""
        checkFlags("qemuDomainRename", flags)
        hypervisor = self._hypervisor
        domain = self._find(dom)
        assert newName is not None
        if "/" in newName or newName in (".", ".."):
            raise virtError(
                ErrorCode.XML_ERROR, f"name {newName} cannot contain '/'", ErrorDomain.QEMU
            )
        async with domain.jobs.change("remoteDispatchDomainRename"):
            domain = self._find(dom)
            if domain.active:
                raise operationInvalid("cannot rename active domain")
            if not domain.persistent:
                raise operationInvalid("cannot rename a transient domain")
            if newName == domain.name:
                raise operationInvalid("Can't rename domain to itself", ErrorDomain.DOMAIN)
            if self._domains.named(newName) is not None:
                raise operationInvalid(
                    f"domain with name '{newName}' already exists", ErrorDomain.DOMAIN
                )
            if domain.managedSave:
                raise operationInvalid("domain with a managed saved state can't be renamed")
            before, oldName = domain.ref, domain.name
            renamed = replaced(domain.definition, name=newName)
            hypervisor.store.saveDefinition(renamed)
            if domain.autostart:
                hypervisor.store.setAutostart(newName, True)
            renameMoments(hypervisor, oldName, newName)
            domain.definition = renamed
            self._domains.rename(domain, newName)
            try:
                hypervisor.store.removeDefinition(oldName)
            except VirtError as error:
                log.error("{name} may come back: {error}", name=oldName, error=error)
        for ref, event, detail in (
            (before, c.VIR_DOMAIN_EVENT_UNDEFINED, c.VIR_DOMAIN_EVENT_UNDEFINED_RENAMED),
            (domain.ref, c.VIR_DOMAIN_EVENT_DEFINED, c.VIR_DOMAIN_EVENT_DEFINED_RENAMED),
        ):
            hypervisor.tell(domain, event, detail, ref)
        return 0
