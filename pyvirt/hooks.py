"""
Hook scripts: programs of the administrator that hear of what happens, and may refuse it.

Each driver has one, C{/etc/libvirt/hooks/DRIVER}, and any number in C{DRIVER.d}, run after it in order of their
names.  They get four arguments (the object, what is done to it, which part of that, and something more, C{-} where
there is nothing) and the object's definition as input.  As with libvirtd a driver that had no script when the daemon
started, or was last asked to read its configuration again, is not asked.

Source: libvirt's documentation, "Hooks for specific system management".
"""

from __future__ import annotations

import errno
import os
import shlex
from collections.abc import Mapping

from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError
from pyvirt.process import Command, Finished, IProcesses, systemError

__all__ = ["Hooks"]

#: Seconds that one script may take.
DEADLINE = 300.0

#: The drivers that have scripts.
DRIVERS = ("daemon", "network", "qemu")

#: What is kept of what one says, in bytes: more than any document may have.
_LIMIT = (4 << 20) + 1

#: What of a script's output counts as nothing.
_BLANKS = " \t\n\r\f"


class Hooks:
    """The hook scripts of this machine."""

    def __init__(
        self, processes: IProcesses, folder: str, environment: Mapping[str, str] | None = None
    ) -> None:
        """
        Look which drivers have scripts.

        @param folder: C{/etc/libvirt/hooks}.
        @param environment: ours; None: that of the process.
        """
        self._processes = processes
        self._environment = os.environ if environment is None else environment
        self._folder = folder
        self.look()

    def look(self) -> None:
        """Look again which drivers have scripts: one that has none now is not asked until the next look."""
        self._having = frozenset(filter(self._has, DRIVERS))

    def _has(self, driver: str) -> bool:
        try:
            return _isRunnable(self._main(driver)) or bool(self._further(driver))
        except VirtError:
            return False

    def _main(self, driver: str) -> str:
        return os.path.join(self._folder, driver)

    def _further(self, driver: str) -> list[str]:
        """
        Return the scripts that a driver has besides its main one, in order.

        @raise VirtError: C{SYSTEM_ERROR}: their folder cannot be read; that there is none is no mistake.
        """
        folder = f"{self._main(driver)}.d"
        try:
            names = os.listdir(folder)
        except FileNotFoundError:
            return []
        except OSError as problem:
            raise systemError(problem, f"cannot open directory '{folder}'") from None
        paths = [os.path.join(folder, name) for name in sorted(names, key=os.fsencode)]
        return list(filter(_isRunnable, paths))

    def present(self, driver: str) -> bool:
        """Whether a driver had any at the last L{look}; what costs to tell them need not be made if not."""
        return driver in self._having

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

        All are run, also after one that fails.  Those in the folder are looked up once the main one has ended.

        @param object: the name of what it is about; C{-} for the daemon.
        @return: what the last of them printed, None if nothing.
        @raise VirtError: C{HOOK_SCRIPT_FAILED}: one did not end with 0; the last such one is told of.
        """
        if not self.present(driver):
            return None
        printed: str | None = None
        failure: VirtError | None = None

        async def run(path: str) -> None:
            nonlocal printed, failure
            argv = (path, object, operation, part, extra or "-")
            try:
                printed = await self._run(argv, input if printed is None else printed) or printed
            except VirtError as error:
                failure = error

        main = self._main(driver)
        if _isRunnable(main):
            await run(main)
        for path in self._further(driver):
            await run(path)
        if failure is not None:
            raise failure
        return printed

    async def _run(self, argv: tuple[str, ...], input: str | None) -> str | None:
        """Run one script, and return what it printed, None if that is nothing but blanks."""
        command = Command(
            argv=argv,
            input=(input or "").encode("utf-8", "surrogateescape"),
            deadline=DEADLINE,
            outputLimit=_LIMIT,
            clipped=True,
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
        said = _text(finished.output)
        return said if said.strip(_BLANKS) else None

    def _explained(self, command: Command, finished: Finished) -> str:
        """Say how a script ended: with the environment that it had, as libvirt does."""
        environment = command.wholeEnvironment(self._environment)
        words = [f"{name}={shlex.quote(value)}" for name, value in environment.items()]
        words += map(shlex.quote, command.argv)
        how = f"exit status {finished.status}"
        if finished.status < 0:
            how = f"fatal signal {-finished.status}"
        said = _text(finished.errors)
        text = f"internal error: Child process ({' '.join(words)}) unexpected {how}"
        return f"{text}: {said}" if said else text


def _isRunnable(path: str) -> bool:
    return os.path.isfile(path) and os.access(path, os.X_OK)


def _text(said: bytes) -> str:
    """Return what a script has said, of which nobody looks at what comes after a NUL."""
    return said.partition(b"\0")[0].decode("utf-8", "surrogateescape")


def _failed(detail: str) -> VirtError:
    return virtError(ErrorCode.HOOK_SCRIPT_FAILED, detail, ErrorDomain.HOOK)


def _unrunnable(error: VirtError) -> Finished:
    """Make of a script that cannot be run one that has ended, with the status that shells have for that."""
    detail = error.message or ""
    status = 127 if detail.endswith(os.strerror(errno.ENOENT)) else 126
    return Finished(status, b"", f"libvirt:  error : {detail}\n".encode())
