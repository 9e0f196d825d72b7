"""
Commands that look at one domain.
"""

from __future__ import annotations

from typing import Any

from pyvirt.errors import ErrorCode, VirtError
from pyvirt.shell.command import Command, CommandError, DomainCommand
from pyvirt.shell.options import DOMAIN
from pyvirt.shell.states import domainState

__all__ = ["COMMANDS"]

#: What maximum memory is when there is no limit.
UNLIMITED = (1 << 32) - 1


class DomainInformation(DomainCommand):
    """C{dominfo}: the basics of a domain."""

    name = "dominfo"
    brief = "domain information"
    description = "Returns basic information about the domain."
    options = (DOMAIN,)

    async def run(self) -> None:
        domain = await self.domain()
        identity = domain.ID()
        self._field("Id:", identity if identity >= 0 else "-")
        self._field("Name:", domain.name())
        self._field("UUID:", domain.UUIDString())
        self._field("OS Type:", await _orNone(domain.OSType()))
        failure = await self._resources(domain)
        await self._settings(domain)
        await self._security(domain)
        await self._messages(domain)
        if failure is not None:
            raise failure

    def _field(self, title: str, value: object) -> None:
        if value is not None:
            self.print(f"{title:<15} {value}")

    async def _resources(self, domain: Any) -> VirtError | None:
        try:
            state, maximum, used, processors, time = await domain.info()
        except VirtError as error:
            return error
        self._field("State:", domainState(state))
        self._field("CPU(s):", processors)
        if time:
            self._field("CPU time:", f"{time / 1e9:.1f}s")
        self._field("Max memory:", "no limit" if maximum == UNLIMITED else f"{maximum} KiB")
        self._field("Used memory:", f"{used} KiB")
        return None

    async def _settings(self, domain: Any) -> None:
        persistent = await _orNone(domain.isPersistent())
        self.session.trace(
            0, f"Domain persistent flag value: {-1 if persistent is None else int(persistent)}\n"
        )
        self._field("Persistent:", _answer(persistent))
        autostart = await _orNone(domain.autostart())
        if autostart is not None:
            self._field("Autostart:", "enable" if autostart else "disable")
        self._field("Managed save:", _answer(await _orNone(domain.hasManagedSaveImage(0))))

    async def _security(self, domain: Any) -> None:
        try:
            model, doi = await self.connection.getSecurityModel()
        except VirtError as error:
            if error.code != ErrorCode.NO_SUPPORT:
                raise
            return
        if not model:
            return
        self._field("Security model:", model)
        self._field("Security DOI:", doi)
        try:
            label, enforcing = await domain.securityLabel()
        except VirtError as error:
            raise CommandError from error
        if label:
            mode = "enforcing" if enforcing else "permissive"
            self._field("Security label:", f"{label} ({mode})")

    async def _messages(self, domain: Any) -> None:
        messages = await _orNone(domain.messages(0)) or []
        for at, message in enumerate(messages):
            self._field("" if at else "Messages:", message)


async def _orNone(answer: Any) -> Any:
    """Wait for an answer; None if it cannot be had."""
    try:
        return await answer
    except VirtError:
        return None


def _answer(value: object) -> str:
    if value is None:
        return "unknown"
    return "yes" if value else "no"


COMMANDS: tuple[type[Command], ...] = (DomainInformation,)
