"""
Who has made which object, for grants of what is one's own.  It is kept in a file, to be found again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable

from twisted.logger import Logger

from pyvirt.daemon.access.objects import Target

__all__ = ["Owners", "writeWhole"]

log = Logger()


def writeWhole(path: str, data: bytes, mode: int = 0o600) -> None:
    """Replace a file by a new one at once, after the new one is on the disk."""
    temporary = f"{path}.new"
    try:
        os.unlink(temporary)
    except FileNotFoundError:
        pass
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.rename(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _key(target: Target) -> str | None:
    name = target.uuid or target.name
    return None if name is None else f"{target.driver}:{target.kind}:{name}"


class Owners:
    """
    Who has made what.

    @ivar path: the file, None: nothing is kept.
    """

    def __init__(self, path: str | None) -> None:
        self.path = path
        self._owners: dict[str, str] = {}
        if path is None:
            return
        try:
            with open(path, "rb") as file:
                found = json.load(file)
            self._owners = {str(key): str(value) for key, value in found.items()}
        except FileNotFoundError:
            pass
        except (OSError, ValueError, AttributeError) as problem:
            # Nobody owns anything then: less is allowed, not more.
            log.error("{path} cannot be read: {problem}", path=path, problem=problem)

    def ownerOf(self, target: Target) -> str | None:
        """Who has made an object; None: nobody knows."""
        key = _key(target)
        return None if key is None else self._owners.get(key)

    def made(self, subjects: Iterable[str], target: Target) -> None:
        """Somebody, known as any of C{subjects}, has made an object that had no owner."""
        key = _key(target)
        named = sorted(each for each in subjects if not each.startswith(("anyone", "group:")))
        if key is None or not named or key in self._owners:
            return
        # A login says more than the user of the process that it came from.
        for prefix in ("sasl:", "certificate:", "key:", "ssh:", "user:"):
            owner = [each for each in named if each.startswith(prefix)]
            if owner:
                self._owners[key] = owner[-1]
                self._save()
                return

    def removed(self, target: Target) -> None:
        """An object is no more."""
        key = _key(target)
        if key is not None and self._owners.pop(key, None) is not None:
            self._save()

    def _save(self) -> None:
        if self.path is None:
            return
        try:
            os.makedirs(os.path.dirname(self.path), mode=0o700, exist_ok=True)
            writeWhole(self.path, json.dumps(self._owners, indent=1, sort_keys=True).encode())
        except OSError as problem:
            log.error("{path} cannot be written: {problem}", path=self.path, problem=problem)
