"""
C{start}: run a domain that is defined.
"""

from __future__ import annotations

import os
import re
import sys
from typing import Any

from pyvirt.errors import ErrorCode, VirtError
from pyvirt.shell.command import Command, CommandError, DomainCommand
from pyvirt.shell.options import data, flag, string

__all__ = ["COMMANDS"]

FORCE_BOOT = 8


class Start(DomainCommand):
    """C{start}: boot a domain, or continue it from where it was saved."""

    name = "start"
    brief = "start a (previously defined) inactive domain"
    description = (
        "Start a domain, either from the last managedsave\n"
        "    state, or via a fresh boot if no managedsave state\n"
        "    is present."
    )
    options = (
        data("domain", "name of the inactive domain"),
        flag("console", "attach to console after creation"),
        flag("paused", "leave the guest paused after creation"),
        flag("autodestroy", "automatically destroy the guest when virsh disconnects"),
        flag("bypass-cache", "avoid file system cache when loading"),
        flag("force-boot", "force fresh boot by discarding any managed save"),
        string("pass-fds", "pass file descriptors N,M,... to the guest"),
        flag("reset-nvram", "re-initialize NVRAM from its pristine template"),
    )
    byId = False

    async def run(self) -> None:
        domain = await self.domain()
        if domain.ID() >= 0:
            raise CommandError("Domain is already active")
        files = passedFiles(self)
        flags = self.flags(paused=1, autodestroy=2, bypass_cache=4, force_boot=8, reset_nvram=32)
        if not flags & FORCE_BOOT or not await self._forceBoot(domain, files, flags):
            await self._create(domain, files, flags & ~FORCE_BOOT)
        self.tell(f"Domain '{domain.name()}' started")
        if self.given("console"):
            attachConsole(self)

    async def _forceBoot(self, domain: Any, files: list[int], flags: int) -> bool:
        """
        Start afresh.

        @return: False if the peer does not know how to; what was saved is removed then.
        """
        try:
            await (domain.createWithFiles(files, flags) if files else domain.createWithFlags(flags))
            return True
        except VirtError as error:
            if error.code not in (ErrorCode.NO_SUPPORT, ErrorCode.INVALID_ARG):
                raise
        try:
            saved = await domain.hasManagedSaveImage(0)
        except VirtError:
            return False
        if saved:
            await domain.managedSaveRemove(0)
        return False

    async def _create(self, domain: Any, files: list[int], flags: int) -> None:
        try:
            if files:
                await domain.createWithFiles(files, flags)
            elif flags:
                await domain.createWithFlags(flags)
            else:
                await domain.create()
        except VirtError as error:
            raise CommandError(f"Failed to start domain '{domain.name()}'") from error
        except OSError as error:
            raise CommandError(
                f"Failed to start domain '{domain.name()}'",
                f"Cannot duplicate FD {_unusable(files)}: {error.strerror}",
            ) from None


def passedFiles(command: Command) -> list[int]:
    """
    Read the descriptors of C{--pass-fds}.

    @raise CommandError: one is no number.
    """
    try:
        text = command.text("pass-fds")
    except CommandError:
        return []
    if text is None:
        return []
    files = []
    for word in text.split(","):
        match = re.match(r"\s*([+-]?\d+)\Z", word, re.ASCII)
        if match is None or abs(int(match[1])) >= 1 << 31:
            raise CommandError(f"Unable to parse FD number '{word}'")
        files.append(int(match[1]))
    return files


def _unusable(files: list[int]) -> int:
    """Find the descriptor that is not open."""
    for number in files:
        try:
            os.fstat(number)
        except OSError:
            return number
    return files[-1]


def attachConsole(command: Command) -> None:
    """
    Attach the terminal to the console of a domain.

    @raise CommandError: always so far: without a terminal it is refused as virsh refuses it, and with one
        there is no console to attach to.
    """
    if not sys.stdin.isatty():
        raise CommandError("Cannot run interactive console without a controlling TTY")
    raise CommandError("Interactive consoles are not available here")


COMMANDS: tuple[type[Command], ...] = (Start,)
