"""
Hook scripts: programs of the administrator that hear of what happens, and may refuse it.

Each driver has one, C{/etc/libvirt/hooks/DRIVER}, and any number in C{DRIVER.d}, run after it in order of their
names.  They get four arguments (the object, what is done to it, which part of that, and something more, C{-} where
there is nothing) and the object's definition as input.

Source: libvirt's documentation, "Hooks for specific system management".
"""

from __future__ import annotations

import errno
import os
import shlex
from collections.abc import Mapping

from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError
from pyvirt.process import Command, Finished, IProcesses

__all__ = ["Hooks"]

#: Seconds that one script may take.
DEADLINE = 300.0


class Hooks:
    """The hook scripts of this machine."""

    def __init__(
        self, processes: IProcesses, folder: str, environment: Mapping[str, str] | None = None
    ) -> None:
        """
        @param folder: C{/etc/libvirt/hooks}.
        @param environment: ours; None: that of the process.
        """
        self._processes = processes
        self._environment = os.environ if environment is None else environment
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
                statuses=None,
            )
            try:
                finished = await self._processes.run(command)
            except VirtError as error:
                if error.code != ErrorCode.SYSTEM_ERROR:
                    raise _failed(error.message or "") from None
                finished = _unrunnable(error)
            if finished.status:
                raise _failed(self._explained(command, finished))
            said = finished.output.decode(errors="replace")
            if said.strip():
                printed = given = said
        return printed

    def _explained(self, command: Command, finished: Finished) -> str:
        """Say how a script ended: with the environment that it had, as libvirt does."""
        environment = command.wholeEnvironment(self._environment)
        words = [f"{name}={shlex.quote(value)}" for name, value in environment.items()]
        words += map(shlex.quote, command.argv)
        how = f"exit status {finished.status}"
        if finished.status < 0:
            how = f"fatal signal {-finished.status}"
        said = finished.errors.decode(errors="replace")
        text = f"internal error: Child process ({' '.join(words)}) unexpected {how}"
        return f"{text}: {said}" if said else text


def _failed(detail: str) -> VirtError:
    return virtError(ErrorCode.HOOK_SCRIPT_FAILED, detail, ErrorDomain.HOOK)


def _unrunnable(error: VirtError) -> Finished:
    """Make of a script that cannot be run one that has ended, with the status that shells have for that."""
    detail = error.message or ""
    status = 127 if detail.endswith(os.strerror(errno.ENOENT)) else 126
    return Finished(status, b"", f"libvirt:  error : {detail}\n".encode())
