"""
Saving guests to files and letting them go on, where users name the file and where the driver keeps it.
"""

from __future__ import annotations

import os
import textwrap

import attrs

from pyvirt import constants as c
from pyvirt.definitions.domain import formatDomain
from pyvirt.drivers.interfaces.values import DomainRef, TypedParam
from pyvirt.drivers.qemu import ending, starting
from pyvirt.drivers.qemu.domain import Domain
from pyvirt.drivers.qemu.dumping import DomainDumping
from pyvirt.drivers.qemu.hookscripts import rewritten
from pyvirt.drivers.qemu.hypervisor import Hypervisor
from pyvirt.drivers.qemu.leavingchecks import checkLeaving
from pyvirt.drivers.qemu.memoryfiles import (
    MemoryFile,
    compressionFor,
    createFile,
    dropCache,
    finish,
    writeHead,
)
from pyvirt.drivers.qemu.memorystream import flush, writeMemory
from pyvirt.drivers.qemu.migratable import checkStable, formatMigratable
from pyvirt.drivers.qemu.refusals import (
    checkFlags,
    exclusiveFlags,
    invalidArgument,
    operationInvalid,
    systemFailure,
    unsupportedConfig,
)
from pyvirt.drivers.qemu.restoring import restore
from pyvirt.drivers.qemu.saveimage import (
    FIXED,
    SaveImage,
    openImage,
    readImage,
    removeManagedSave,
    runtimeFacts,
    writeHeader,
)
from pyvirt.drivers.qemu.taints import taint
from pyvirt.drivers.qemu.volumes import shown
from pyvirt.errors import ErrorDomain, VirtError
from pyvirt.params import validateParams

__all__ = ["DomainLifecycleAndFiles", "saveTo"]

_RUNNING, _PAUSED = c.VIR_DOMAIN_SAVE_RUNNING, c.VIR_DOMAIN_SAVE_PAUSED
_SAVE_FLAGS = c.VIR_DOMAIN_SAVE_BYPASS_CACHE | _RUNNING | _PAUSED


def _exclusive(function: str, flags: int) -> None:
    exclusiveFlags(
        function,
        flags,
        ("VIR_DOMAIN_SAVE_RUNNING", _RUNNING),
        ("VIR_DOMAIN_SAVE_PAUSED", _PAUSED),
    )


async def saveTo(
    hypervisor: Hypervisor,
    domain: Domain,
    path: str,
    flags: int,
    *,
    changed: str | None = None,
    what: str,
) -> None:
    """
    Save a guest to a file and end it.

    @param changed: the definition to save instead of its own.
    @param what: is doing it, for those who wait for the domain.
    @raise VirtError: it could not be saved; it goes on, and there is no file that was not there before.
    """
    compression = compressionFor(hypervisor, "save")
    async with domain.jobs.longer(what, c.VIR_DOMAIN_JOB_OPERATION_SAVE) as job:
        guest = domain.checkActive()
        await checkLeaving(domain)
        hypervisor.saveStatus(domain)
        ran = domain.state == c.VIR_DOMAIN_RUNNING
        if ran:
            guest.pausedReason = c.VIR_DOMAIN_PAUSED_SAVE
            await guest.execute("stop")
        file: MemoryFile | None = None
        try:
            # Where volumes are is found again when it is restored.
            definition = shown(domain.definition, guest.volumes)
            if changed is not None:
                wanted = await hypervisor.parse(changed)
                checkStable(definition, wanted, guest.askedCPU)
                definition = wanted
            xml = formatMigratable(definition, guest.askedCPU if changed is None else None)
            file = await createFile(hypervisor, path, job, "domain save job")
            fd = file.fd
            goesOn = ran if not flags & (_RUNNING | _PAUSED) else bool(flags & _RUNNING)
            facts = textwrap.indent(runtimeFacts(domain), "  ")
            image = SaveImage(
                xml=xml,
                ran=goesOn,
                compression=compression,
                length=0,
                extra=f"<cookie>\n{facts}\n</cookie>\n\0".encode(),
            )
            try:
                what = "domain save job"
                begin = await writeHead(hypervisor, fd, image, job, what, whole=False)
            except OSError as problem:
                raise systemFailure(
                    problem, f"failed to write header to domain save file '{path}'"
                ) from None
            await writeMemory(hypervisor, domain, guest, job, fd, compression, "domain save job")
            try:
                await finish(hypervisor, fd, False)
                image = attrs.evolve(image, length=begin - FIXED)
                await writeHead(hypervisor, fd, image, job, what, whole=True)
                await finish(hypervisor, fd, bool(flags & c.VIR_DOMAIN_SAVE_BYPASS_CACHE))
            except OSError as problem:
                raise systemFailure(problem, f"unable to close {path}") from None
        except BaseException:
            if file is not None:
                file.discard()
            if ran and domain.guest is guest and guest.monitor is not None:
                await starting.goOn(hypervisor, domain, guest, c.VIR_DOMAIN_RUNNING_SAVE_CANCELED)
            raise
        finally:
            if file is not None:
                os.close(file.fd)
        await ending.stop(hypervisor, domain, guest, c.VIR_DOMAIN_SHUTOFF_SAVED)
        hypervisor.tell(domain, c.VIR_DOMAIN_EVENT_STOPPED, c.VIR_DOMAIN_EVENT_STOPPED_SAVED)
    ending.forget(hypervisor, domain)


class DomainLifecycleAndFiles(DomainDumping):
    """Saves and restores guests, besides all that has to do with their lives."""

    async def domainSaveFlags(self, dom: DomainRef, to: str, dxml: str | None, flags: int) -> None:
        """Save a guest to a file and end it."""
        checkFlags("qemuDomainSaveFlags", flags, _SAVE_FLAGS)
        _exclusive("qemuDomainSaveFlags", flags)
        domain, _ = self._running(dom)
        await saveTo(
            self._hypervisor, domain, to, flags, changed=dxml, what="remoteDispatchDomainSaveFlags"
        )

    async def domainSaveParams(self, dom: DomainRef, params: list[TypedParam], flags: int) -> None:
        """As L{domainSaveFlags}; without a file as L{domainManagedSave}."""
        checkFlags("qemuDomainSaveParams", flags, _SAVE_FLAGS)
        values = validateParams(
            params,
            {"file": c.VIR_TYPED_PARAM_STRING, "dxml": c.VIR_TYPED_PARAM_STRING},
        )
        if "file" not in values:
            if "dxml" in values:
                raise unsupportedConfig(
                    "xml modification unsupported for managed save", ErrorDomain.QEMU
                )
            await self.domainManagedSave(dom, flags)
        else:
            await self.domainSaveFlags(dom, values["file"], values.get("dxml"), flags)

    async def domainRestoreFlags(self, from_: str, dxml: str | None, flags: int) -> None:
        """Start the guest that is in a file."""
        checkFlags("qemuDomainRestoreInternal", flags, _SAVE_FLAGS | 8)
        _exclusive("qemuDomainRestoreInternal", flags)
        hypervisor = self._hypervisor
        fd = openImage(from_)
        try:
            image = readImage(fd)
            definition = await hypervisor.parse(image.xml)
            if dxml is not None:
                wanted = await hypervisor.parse(dxml)
                checkStable(definition, wanted)
                definition = wanted
            changed = await rewritten(hypervisor, "restore", definition, dxml or image.xml)
            definition = changed or definition
            domains = hypervisor.domains
            domain = domains.check(definition, mustBeInactive=True) or domains.add(definition)
            async with domain.jobs.change("remoteDispatchDomainRestoreFlags"):
                if domain.active:
                    raise operationInvalid(
                        f"domain '{domain.name}' is already active", ErrorDomain.DOMAIN
                    )
                runs = image.ran if not flags & (_RUNNING | _PAUSED) else bool(flags & _RUNNING)
                try:
                    await restore(hypervisor, domain, definition, image, fd, not runs)
                    if flags & c.VIR_DOMAIN_SAVE_BYPASS_CACHE:
                        dropCache(fd)
                    if changed is not None:
                        taint(hypervisor, domain, "hook-script")
                except VirtError:
                    ending.forget(hypervisor, domain)
                    raise
        finally:
            os.close(fd)

    async def domainRestoreParams(self, params: list[TypedParam], flags: int) -> None:
        """As L{domainRestoreFlags}."""
        values = validateParams(
            params,
            {"file": c.VIR_TYPED_PARAM_STRING, "dxml": c.VIR_TYPED_PARAM_STRING},
        )
        if "file" not in values:
            raise invalidArgument("missing path to restore from")
        await self.domainRestoreFlags(values["file"], values.get("dxml"), flags)

    async def domainSaveImageGetXMLDesc(self, file: str, flags: int) -> str:
        """Describe the guest in a file."""
        checkFlags("qemuDomainSaveImageGetXMLDesc", flags, c.VIR_DOMAIN_SAVE_IMAGE_XML_SECURE)
        return await self._describe(file, bool(flags & c.VIR_DOMAIN_SAVE_IMAGE_XML_SECURE))

    async def _describe(self, path: str, secure: bool) -> str:
        fd = openImage(path)
        try:
            image = readImage(fd)
        finally:
            os.close(fd)
        return formatDomain(await self._hypervisor.parse(image.xml), secure=secure, inactive=True)

    async def domainSaveImageDefineXML(self, file: str, dxml: str, flags: int) -> None:
        """Change the definition in a file."""
        checkFlags("qemuDomainSaveImageDefineXML", flags, _RUNNING | _PAUSED)
        _exclusive("qemuDomainSaveImageDefineXML", flags)
        await self._redefine(file, dxml, flags)

    async def _redefine(self, path: str, dxml: str | None, flags: int) -> None:
        hypervisor = self._hypervisor
        fd = openImage(path, write=True)
        try:
            image = readImage(fd)
            xml = image.xml
            if dxml is not None:
                old = await hypervisor.parse(image.xml)
                new = await hypervisor.parse(dxml)
                checkStable(old, new)
                xml = formatMigratable(new)
            ran = image.ran if not flags & (_RUNNING | _PAUSED) else bool(flags & _RUNNING)
            changed = SaveImage(
                xml=xml,
                ran=ran,
                compression=image.compression,
                length=image.length,
                extra=image.extra,
            )
            try:
                writeHeader(fd, changed, whole=True)
                await flush(hypervisor, fd)
            except OSError as problem:
                raise systemFailure(
                    problem, f"failed to write header to domain save file '{path}'"
                ) from None
        finally:
            os.close(fd)

    # Where the driver keeps it

    async def domainManagedSave(self, dom: DomainRef, flags: int) -> None:
        """Save a guest where its next start finds it."""
        checkFlags("qemuDomainManagedSave", flags, _SAVE_FLAGS)
        _exclusive("qemuDomainManagedSave", flags)
        domain, _ = self._running(dom)
        if not domain.persistent:
            raise operationInvalid("cannot do managed save for transient domain")
        hypervisor = self._hypervisor
        path = hypervisor.layout.managedSave(domain.name)
        await saveTo(hypervisor, domain, path, flags, what="remoteDispatchDomainManagedSave")
        domain.managedSave = True

    def domainHasManagedSaveImage(self, dom: DomainRef, flags: int) -> bool:
        """Whether there is something to restore."""
        checkFlags("qemuDomainHasManagedSaveImage", flags)
        return self._find(dom).managedSave

    async def domainManagedSaveRemove(self, dom: DomainRef, flags: int) -> None:
        """Remove what was saved; the next start boots."""
        checkFlags("qemuDomainManagedSaveRemove", flags)
        domain = self._find(dom)
        async with domain.jobs.change("remoteDispatchDomainManagedSaveRemove"):
            removeManagedSave(self._hypervisor, self._find(dom))

    async def domainManagedSaveGetXMLDesc(self, dom: DomainRef, flags: int) -> str:
        """Describe the guest that was saved."""
        checkFlags("qemuDomainManagedSaveGetXMLDesc", flags, c.VIR_DOMAIN_SAVE_IMAGE_XML_SECURE)
        secure = bool(flags & c.VIR_DOMAIN_SAVE_IMAGE_XML_SECURE)
        return await self._describe(self._managed(dom), secure)

    def _managed(self, dom: DomainRef) -> str:
        domain = self._find(dom)
        if not domain.managedSave:
            raise operationInvalid("domain does not have managed save image")
        return self._hypervisor.layout.managedSave(domain.name)

    async def domainManagedSaveDefineXML(
        self, dom: DomainRef, dxml: str | None, flags: int
    ) -> None:
        """Change the definition of the guest that was saved."""
        path = self._managed(dom)
        checkFlags("qemuDomainSaveImageDefineXML", flags, _RUNNING | _PAUSED)
        _exclusive("qemuDomainSaveImageDefineXML", flags)
        await self._redefine(path, dxml, flags)
