"""
Writing a domain to files: saved states, managed ones, dumps; and reading its memory.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from pyvirt.client.deferring import deferred
from pyvirt.client.domainlifecycle import DomainLifecycle
from pyvirt.client.handle import absolutePath
from pyvirt.client.params import HINTS, byHints
from pyvirt.client.shapes import number, zero

__all__ = ["DomainSaving"]


class DomainSaving(DomainLifecycle):
    """Saved states, dumps."""

    __slots__ = ()

    def save(self, to: str) -> Deferred[int]:
        """Write its state to a file of the host and end it.  Fires with 0."""
        return self._remote.domainSave(self._ref, absolutePath(to)).addCallback(self._stopped)

    def saveFlags(self, to: str, dxml: str | None = None, flags: int = 0) -> Deferred[int]:
        """As L{save}; C{dxml} replaces parts of the definition; C{flags}: C{VIR_DOMAIN_SAVE_*}."""
        return self._remote.domainSaveFlags(self._ref, absolutePath(to), dxml, flags).addCallback(
            self._stopped
        )

    @deferred
    async def saveParams(self, params: dict[str, Any], flags: int = 0) -> int:
        """As L{saveFlags}, with C{VIR_DOMAIN_SAVE_PARAM_*}.  Fires with 0."""
        known = byHints(params, HINTS["domainSaveParams"], "Save params")
        await self._remote.domainSaveParams(self._ref, known, flags)
        return self._stopped(None)

    def managedSave(self, flags: int = 0) -> Deferred[int]:
        """Save it where the daemon will find it at the next start, and end it.  Fires with 0."""
        return self._remote.domainManagedSave(self._ref, flags).addCallback(self._stopped)

    def hasManagedSaveImage(self, flags: int = 0) -> Deferred[int]:
        """Fire with 1 if the next start restores what L{managedSave} wrote, else 0."""
        return self._remote.domainHasManagedSaveImage(self._ref, flags).addCallback(number)

    def managedSaveRemove(self, flags: int = 0) -> Deferred[int]:
        """Delete what L{managedSave} wrote.  Fires with 0."""
        return self._remote.domainManagedSaveRemove(self._ref, flags).addCallback(zero)

    def managedSaveGetXMLDesc(self, flags: int = 0) -> Deferred[str]:
        """Fire with the definition in what L{managedSave} wrote."""
        return self._remote.domainManagedSaveGetXMLDesc(self._ref, flags)

    def managedSaveDefineXML(self, dxml: str, flags: int = 0) -> Deferred[int]:
        """Replace the definition in what L{managedSave} wrote.  Fires with 0."""
        return self._remote.domainManagedSaveDefineXML(self._ref, dxml, flags).addCallback(zero)

    def coreDump(self, to: str, flags: int = 0) -> Deferred[int]:
        """Write its memory to a file of the host: C{VIR_DUMP_*}.  Fires with 0."""
        return self._remote.domainCoreDump(self._ref, absolutePath(to), flags).addCallback(zero)

    def coreDumpWithFormat(self, to: str, dumpformat: int, flags: int = 0) -> Deferred[int]:
        """As L{coreDump}, in C{VIR_DOMAIN_CORE_DUMP_FORMAT_*}."""
        return self._remote.domainCoreDumpWithFormat(
            self._ref, absolutePath(to), dumpformat, flags
        ).addCallback(zero)

    @deferred
    async def memoryPeek(self, start: int, size: int, flags: int = 0) -> bytes:
        """Fire with bytes of its memory: C{VIR_MEMORY_VIRTUAL} or C{VIR_MEMORY_PHYSICAL}."""
        self._conn._session.checkPeek("memory", size)
        return await self._remote.domainMemoryPeek(self._ref, start, size, flags)
