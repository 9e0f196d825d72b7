"""
Commands that change whether and how a domain runs.
"""

from __future__ import annotations

from pyvirt.errors import VirtError
from pyvirt.shell.command import Command, CommandError, DomainCommand
from pyvirt.shell.options import DOMAIN, flag

__all__ = ["COMMANDS"]


class Destroy(DomainCommand):
    """C{destroy}: stop a domain at once."""

    name = "destroy"
    brief = "destroy (stop) a domain"
    description = "Forcefully stop a given domain, but leave its resources intact."
    options = (
        DOMAIN,
        flag("graceful", "terminate gracefully"),
        flag("remove-logs", "remove domain logs"),
    )

    async def run(self) -> None:
        domain = await self.domain()
        flags = self.flags(graceful=1, remove_logs=2)
        try:
            await (domain.destroyFlags(flags) if flags else domain.destroy())
        except VirtError as error:
            raise CommandError(f"Failed to destroy domain '{self.typed}'") from error
        self.tell(f"Domain '{self.typed}' destroyed")


COMMANDS: tuple[type[Command], ...] = (Destroy,)
