"""
Where everything that is printed goes: standard output, standard error and the log file.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import BinaryIO

__all__ = ["Output"]

_LEVELS = ("DEBUG", "INFO", "NOTICE", "WARNING", "ERROR")


class Output:
    """
    The streams of a shell.

    Texts may carry bytes that are no UTF-8, as surrogates; they come out as they came in.

    @param debug: debug messages below this level are dropped.
    @param logFile: where errors and debug messages are written too, or None.
    """

    def __init__(
        self,
        out: BinaryIO,
        error: BinaryIO,
        debug: int = 4,
        logFile: str | None = None,
        wallTime: Callable[[], float] = time.time,
    ) -> None:
        self._out = out
        self._error = error
        self._debug = debug
        self._logFile = logFile
        self._wallTime = wallTime

    def write(self, text: str) -> None:
        """Print to standard output."""
        self._out.write(text.encode("utf-8", "surrogateescape"))

    def flush(self) -> None:
        """Have everything printed so far arrive."""
        self._out.flush()
        self._error.flush()

    def report(self, message: str) -> None:
        """Report an error, behind what was printed before."""
        self._out.flush()
        self._error.write(f"error: {message}\n".encode("utf-8", "surrogateescape"))
        self._error.flush()
        self._log(4, message)

    def complain(self, text: str) -> None:
        """Print to standard error as it is."""
        self._out.flush()
        self._error.write(text.encode("utf-8", "surrogateescape"))
        self._error.flush()

    def trace(self, level: int, text: str) -> None:
        """
        Print a debug message.

        @param level: 0 for details to 3 for warnings.
        """
        if level < self._debug:
            return
        self.write(text)
        self._log(level, text)

    def _log(self, level: int, text: str) -> None:
        if self._logFile is None:
            return
        when = time.strftime("%Y.%m.%d %H:%M:%S", time.localtime(self._wallTime()))
        line = f"[{when} virsh {os.getpid()}] {_LEVELS[level]} {text.rstrip(chr(10))}\n"
        try:
            with open(self._logFile, "ab") as stream:
                stream.write(line.encode("utf-8", "surrogateescape"))
        except OSError:
            # A log that cannot be written must not keep commands from working.
            self._logFile = None
