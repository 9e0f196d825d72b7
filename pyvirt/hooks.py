"""
Hook scripts: programs of the administrator that hear of what happens, and may refuse it.

Each driver has one, C{/etc/libvirt/hooks/DRIVER}, and any number in C{DRIVER.d}, run after it in order of their
names.  They get four arguments (the object, what is done to it, which part of that, and something more, C{-} where
there is nothing) and the object's definition as input.

Source: libvirt's documentation, "Hooks for specific system management".
"""

from __future__ import annotations

import os

from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError
from pyvirt.process import Command, IProcesses

__all__ = ["Hooks"]

#: Seconds that one script may take.
DEADLINE = 300.0


class Hooks:
    """The hook scripts of this machine."""

    def __init__(self, processes: IProcesses, folder: str) -> None:
        """
        @param folder: C{/etc/libvirt/hooks}.
        """
        self._processes = processes
        self._folder = folder

    def scripts(self, driver: str) -> list[str]:
        """Return the scripts of a driver that can be run, in order."""
        main = os.path.join(self._folder, driver)
        found = [main]
        try:
            found += sorted(os.path.join(f"{main}.d", name) for name in os.listdir(f"{main}.d"))
        except OSError:
            pass
        return [path for path in found if os.path.isfile(path) and os.access(path, os.X_OK)]

    def present(self, driver: str) -> bool:
        """Whether a driver has any; what costs to tell them need not be made if not."""
        return bool(self.scripts(driver))

    async def call(
        self,
        driver: str,
        object: str,
        operation: str,
        part: str = "begin",
        extra: str | None = None,
        input: str | None = None,
    ) -> str | None:
        """
        Run the scripts of a driver; each gets as input what the one before has printed, if it has.

        @param object: the name of what it is about; C{-} for the daemon.
        @return: what the last of them printed, None if nothing.
        @raise VirtError: C{HOOK_SCRIPT_FAILED}: one did not end with 0.
        """
        given = input
        printed: str | None = None
        for path in self.scripts(driver):
            command = Command(
                argv=(path, object, operation, part, extra or "-"),
                input=(given or "").encode(),
                deadline=DEADLINE,
            )
            try:
                finished = await self._processes.run(command)
            except VirtError as error:
                raise virtError(
                    ErrorCode.HOOK_SCRIPT_FAILED, error.message or "", ErrorDomain.HOOK
                ) from None
            said = finished.output.decode(errors="replace")
            if said.strip():
                printed = given = said
        return printed
