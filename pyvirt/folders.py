"""
Where a user's own files lie, by the environment, and what a daemon finds whose root is another folder.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

__all__ = ["cacheFolder", "configFolder", "dataFolder", "makeFolders", "runFolder", "under"]


def under(root: str, path: str) -> str:
    """Return where C{path}, an absolute one, lies for a daemon whose C{/} is C{root}."""
    return path if root == "/" else os.path.join(root, path.lstrip("/"))


def makeFolders(path: str, mode: int = 0o755, above: int = 0o755) -> None:
    """
    Make a folder and those above it that are missing; what is there is left alone.

    @param mode: what it has whatever the umask is, which twistd in the background lets nobody else in by; C{above}:
        what those above it have.
    @raise OSError: one cannot be made.
    """
    if os.path.isdir(path):
        return
    parent = os.path.dirname(path)
    if parent not in ("", path):
        makeFolders(parent, above, above)
    try:
        os.mkdir(path, mode)
    except FileExistsError:
        # Somebody else was faster.
        if not os.path.isdir(path):
            raise
        return
    os.chmod(path, mode)


def configFolder(environment: Mapping[str, str]) -> str:
    """Where a user's configuration and definitions lie."""
    return _of(environment, "XDG_CONFIG_HOME", ".config")


def cacheFolder(environment: Mapping[str, str]) -> str:
    """Where a user's daemon keeps what it can work out again."""
    return _of(environment, "XDG_CACHE_HOME", ".cache")


def dataFolder(environment: Mapping[str, str]) -> str:
    """Where a user's daemon keeps what is neither configuration nor a definition."""
    return _of(environment, "XDG_DATA_HOME", os.path.join(".local", "share"))


def runFolder(environment: Mapping[str, str]) -> str:
    """Where a user's daemon serves; without a runtime folder libvirt takes the cache's."""
    return _of(environment, "XDG_RUNTIME_DIR", ".cache")


def _of(environment: Mapping[str, str], variable: str, fallback: str) -> str:
    # A relative path is to be ignored: XDG Base Directory Specification.
    given = environment.get(variable, "")
    base = given if given.startswith("/") else os.path.join(environment.get("HOME", "/"), fallback)
    return os.path.join(base, "libvirt")
