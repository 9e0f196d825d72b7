"""
Leases in an etcd store, for hosts that share storage but no file system with locks.

Each guest has a lease of its own there, and a L{guard<pyvirt.locking.etcdguard>} that keeps it alive and kills the
guest if the store is lost for too long.  Configuration, C{/etc/libvirt/qemu-etcd.conf}: C{endpoints}, a list of
URLs; C{ttl}, seconds after which the leases of a host that is gone are free (10; at least 5); C{prefix} of all keys;
C{timeout} of one request in seconds; C{ca}, C{certificate}, C{key}, files for https; C{user} and C{password_file}, where
the store wants to know who asks.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from zope.interface import implementer

from pyvirt.confsyntax import ConfigError
from pyvirt.drivers.interfaces.locking import (
    Guest,
    ILockManager,
    ILockManagerFactory,
    Launch,
    Lockable,
)
from pyvirt.errors import ErrorCode, ErrorDomain, OperationFailed, VirtError, virtError
from pyvirt.locking import etcdguard, plugin
from pyvirt.locking.etcdclient import EtcdError, Fresh, Held

__all__ = ["EtcdManager", "factory"]


def _resources(resources: Sequence[Lockable]) -> list[tuple[str, bool]]:
    return [(_name(each), each.shared) for each in resources]


def _name(each: Lockable) -> str:
    if each.key is None:
        return each.path
    space = f"\0{each.space}" if each.space else ""
    return f"{each.path}\0{each.key}\0{each.offset}{space}"


#: What the guard writes down of a guest's lease.
_KEPT = ("lease", "guest", "started", "guard", "guardStarted")


def _failed(text: str) -> VirtError:
    return OperationFailed(f"operation failed: {text}", domain=ErrorDomain.LOCKING)


@implementer(ILockManager)
class EtcdManager:
    """Leases in etcd."""

    def __init__(self, reactor: Any, folder: str, options: dict[str, Any]) -> None:
        """
        @param folder: where what is known of the guests' leases is kept.
        @param options: of the store, as L{etcdguard.client} takes them, and C{ttl}.
        @raise ValueError: they make no sense.
        """
        self._reactor = reactor
        self._folder = folder
        self._options = options
        self._store = etcdguard.client(options)

    def _stateFile(self, guest: Guest) -> str:
        return os.path.join(self._folder, f"{guest.uuid}.json")

    def _found(self, guest: Guest) -> dict[str, Any]:
        try:
            with open(self._stateFile(guest)) as file:
                found: dict[str, Any] = json.load(file)
        except FileNotFoundError:
            found = {}
        except (OSError, ValueError) as problem:
            raise _failed(f"cannot read '{self._stateFile(guest)}': {problem}") from None
        if not isinstance(found, dict) or not all(type(found.get(each)) is int for each in _KEPT):
            raise _failed(f"guest '{guest.name}' has no lease in the lock store")
        return found

    def launch(self, guest: Guest, resources: Sequence[Lockable]) -> Launch:
        os.makedirs(self._folder, mode=0o700, exist_ok=True)
        return plugin.launch(
            "etcd",
            {
                **self._options,
                "state": self._stateFile(guest),
                "resources": _resources(resources),
                "value": json.dumps(
                    {"uuid": guest.uuid, "name": guest.name, "host": socket.gethostname()}
                ),
            },
        )

    def explain(self, output: bytes) -> VirtError | None:
        return plugin.explain(output)

    def acquire(self, guest: Guest, resources: Sequence[Lockable]) -> Deferred[None]:
        return self._do(self._acquire, guest, resources)

    def _acquire(self, guest: Guest, resources: Sequence[Lockable]) -> None:
        if resources:
            value = json.dumps(
                {"uuid": guest.uuid, "name": guest.name, "host": socket.gethostname()}
            )
            lease, wanted = self._found(guest)["lease"], _resources(resources)
            try:
                self._store.acquire(lease, wanted, value)
            except Fresh:
                self._store.settle(self._options["ttl"])
                self._store.acquire(lease, wanted, value)

    def release(self, guest: Guest, resources: Sequence[Lockable]) -> Deferred[None]:
        return self._do(self._release, guest, resources)

    def _release(self, guest: Guest, resources: Sequence[Lockable]) -> None:
        if os.path.exists(self._stateFile(guest)):
            self._store.release(self._found(guest)["lease"], _resources(resources))

    def adopt(self, guest: Guest) -> Deferred[None]:
        """If the guard is gone there is a new one, in time or not: it finds out."""
        return self._do(self._adopt, guest)

    def _adopt(self, guest: Guest) -> None:
        if not os.path.exists(self._stateFile(guest)):
            return
        found = self._found(guest)
        if etcdguard.startTime(found["guard"]) == found["guardStarted"] != 0:
            return
        options = {**self._options, "state": self._stateFile(guest), "found": found}
        # It leaves its parent at once.
        try:
            subprocess.run(
                [sys.executable, "-I", "-S", etcdguard.__file__, json.dumps(options)],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=True,
                timeout=30,
            )
        except (OSError, subprocess.SubprocessError) as problem:
            raise _failed(f"cannot start the guard of '{guest.name}': {problem}") from None

    def _do(self, function: Any, *arguments: Any) -> Deferred[None]:
        """The store's client blocks, and so do files."""

        def work() -> None:
            try:
                function(*arguments)
            except Held as held:
                raise virtError(
                    ErrorCode.RESOURCE_BUSY,
                    f"Lockspace resource '{str(held).partition(chr(0))[0]}' is locked",
                    ErrorDomain.LOCKSPACE,
                ) from None
            except EtcdError as problem:
                raise _failed(f"cannot reach the lock store: {problem}") from None

        return deferToThreadPool(self._reactor, self._reactor.getThreadPool(), work)


@implementer(ILockManagerFactory)
class _Factory:
    name = "etcd"

    def make(self, reactor: Any, root: str, privileged: bool, driver: str) -> EtcdManager:
        from pyvirt.locking.tap import runFolder

        found = plugin.readConfig(
            root,
            driver,
            self.name,
            {
                "endpoints": list,
                "prefix": str,
                "ttl": int,
                "timeout": int,
                "ca": str,
                "certificate": str,
                "key": str,
                "user": str,
                "password_file": str,
            },
        )
        file = os.path.join(root, "etc/libvirt", f"{driver}-{self.name}.conf")
        options = {
            "endpoints": ["http://127.0.0.1:2379"],
            "prefix": "/pyvirt/locks",
            "ttl": 10,
            "timeout": 5,
            **found,
        }
        if not 5 <= options["ttl"] <= 3600:
            raise ConfigError(file, 0, "ttl is from 5 to 3600 seconds")
        folder = runFolder(0 if privileged else os.geteuid() or 1, os.environ)
        try:
            return EtcdManager(
                reactor, os.path.join(root, folder.lstrip("/"), f"{driver}-leases"), options
            )
        except (ValueError, OSError) as problem:
            raise ConfigError(file, 0, str(problem)) from None


factory = _Factory()
