"""
Lock managers by name, and the one that locks nothing.

C{none} is always there; others are entry points of the group C{pyvirt.lockmanagers}.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from typing import Any

from zope.interface import implementer

from pyvirt.confsyntax import ConfigError, Entry, parse
from pyvirt.drivers.interfaces.locking import Guest, ILockManagerFactory, Launch, Lockable
from pyvirt.drivers.interfaces.locking import ILockManager as ILockManager
from pyvirt.errors import VirtError
from pyvirt.locking import launcher

__all__ = ["NoLocks", "explain", "launch", "lockManager", "noLocks", "readConfig"]


@implementer(ILockManager)
class NoLocks:
    """Nothing is locked: what is told about disks is believed."""

    def launch(self, guest: Guest, resources: Sequence[Lockable]) -> Launch:
        return Launch()

    def explain(self, output: bytes) -> Exception | None:
        return None

    def acquire(self, guest: Guest, resources: Sequence[Lockable]) -> None:
        """Everybody may have everything."""

    def release(self, guest: Guest, resources: Sequence[Lockable]) -> None:
        """Nobody held it."""

    def adopt(self, guest: Guest) -> None:
        """It has nothing."""


@implementer(ILockManagerFactory)
class _NoLocksFactory:
    name = "none"

    def make(self, reactor: Any, root: str, privileged: bool, driver: str) -> NoLocks:
        return NoLocks()


noLocks = _NoLocksFactory()


def lockManager(
    name: str | None, reactor: Any, root: str, privileged: bool, driver: str
) -> ILockManager:
    """
    Make the lock manager of a driver.

    @param name: as its configuration has it; None: nothing is locked.
    @raise LookupError: there is no such plugin; tells which there are.
    @raise ConfigError: its configuration is wrong.
    """
    if name in (None, "none", "nop"):
        return noLocks.make(reactor, root, privileged, driver)
    from importlib.metadata import entry_points

    found = {each.name: each for each in entry_points(group="pyvirt.lockmanagers")}
    if name not in found:
        known = ", ".join(sorted(["none", *found]))
        raise LookupError(f"there is no lock manager '{name}', only: {known}")
    factory: ILockManagerFactory = found[name].load()
    manager: ILockManager = factory.make(reactor, root, privileged, driver)
    return manager


def readConfig(root: str, driver: str, name: str, keys: dict[str, type]) -> dict[str, Any]:
    """
    Read a lock manager's configuration, if there is one.

    @param keys: its keys and the types of their values: C{bool} is 0 or 1, C{list} one of strings.
    @raise ConfigError: a key is unknown or its value of another type; with its line.
    """
    file = os.path.join(root, "etc/libvirt", f"{driver}-{name}.conf")
    try:
        with open(file, encoding="utf-8") as opened:
            text = opened.read()
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as problem:
        raise ConfigError(file, 0, str(problem)) from None
    return {entry.name: _value(file, entry, keys) for entry in parse(text, file)}


def _value(file: str, entry: Entry, keys: dict[str, type]) -> Any:
    kind, value = keys.get(entry.name), entry.value
    if kind is None:
        raise ConfigError(file, entry.line, f"unknown key {entry.name}")
    if kind is bool:
        if value not in (0, 1):
            raise ConfigError(file, entry.line, f"{entry.name} is 0 or 1")
        return bool(value)
    if not isinstance(value, kind):
        raise ConfigError(file, entry.line, f"{entry.name} must be a {kind.__name__}")
    if isinstance(value, list) and not all(isinstance(each, str) for each in value):
        raise ConfigError(file, entry.line, f"{entry.name} must be a list of strings")
    return value


def launch(how: str, options: dict[str, Any]) -> Launch:
    """Make what the launcher is called with."""
    program = os.path.abspath(launcher.__file__)
    return Launch((sys.executable, "-I", "-S", program, how, json.dumps(options), "--"))


def explain(output: bytes) -> VirtError | None:
    """Read the launcher's complaint, if there is one."""
    for line in output.decode("utf-8", "replace").splitlines():
        if line.startswith(launcher.MARK):
            try:
                error = json.loads(line[len(launcher.MARK) :])
                code, domain, text = int(error["code"]), int(error["domain"]), str(error["text"])
            except (ValueError, KeyError, TypeError):
                continue
            cls = VirtError.byCode.get(code, VirtError)
            return cls(text, code=code, domain=domain, str1="%s", str2=text)
    return None
