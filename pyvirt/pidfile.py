"""
The pid file: whoever holds its lock is the daemon.

The lock is of the kind libvirtd takes (POSIX, on the first byte), so the two see each other.  It ends with the
process, however that ends; a file left behind is no obstacle.
"""

from __future__ import annotations

import fcntl
import os

from pyvirt.folders import makeFolders

__all__ = ["PidFile", "PidFileError"]


class PidFileError(Exception):
    """Another daemon holds the file, or it cannot be written."""


class PidFile:
    """A pid file claimed by this process."""

    def __init__(self, path: str, fd: int) -> None:
        self.path = path
        self._fd = fd

    @classmethod
    def claim(cls, path: str) -> PidFile:
        """
        Lock the file and write our pid into it.

        @raise PidFileError: someone else has it; says who.
        """
        try:
            makeFolders(os.path.dirname(path))
            while True:
                fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
                try:
                    fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 1)
                    # The holder may have removed the file between our opening and locking it.
                    try:
                        current = os.stat(path)
                    except FileNotFoundError:
                        os.close(fd)
                        continue
                    if os.path.samestat(current, os.fstat(fd)):
                        break
                    os.close(fd)
                except (BlockingIOError, PermissionError):
                    holder = os.read(fd, 32).decode("ascii", "replace").strip()
                    os.close(fd)
                    who = f" (pid {holder})" if holder.isdigit() else ""
                    raise PidFileError(
                        f"Failed to acquire pid file '{path}': another daemon is running{who}"
                    ) from None
            os.ftruncate(fd, 0)
            os.write(fd, b"%d\n" % os.getpid())
        except OSError as problem:
            raise PidFileError(
                f"Failed to open pid file '{path}': {problem.strerror or problem}"
            ) from None
        return cls(path, fd)

    def release(self) -> None:
        """Remove the file and let go of the lock; a no-op the second time."""
        if self._fd >= 0:
            try:
                if os.path.samestat(os.stat(self.path), os.fstat(self._fd)):
                    os.unlink(self.path)
            except OSError:
                pass
            os.close(self._fd)
            self._fd = -1
