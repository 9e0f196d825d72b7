"""
Lock spaces: named resources, each a file whose first byte is locked while somebody holds it.

A lock space is a folder, its resources are files in it; in the one without a path, the direct lock space, a
resource's name is the path of any file.  Locks are the system's, on one byte, so they hold against whoever locks
the same file the same way: libvirt's virtlockd does, on this host or on another that shares the file system.
They belong to the open file, not to the process: they can be handed to a successor, and outlive a mistake such as
closing the same file elsewhere.  Everything here blocks, as file systems do.

Words and codes of errors are those of virtlockd 9.0.0, as observed.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from collections import Counter
from collections.abc import Iterator
from typing import Any

import attrs

from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["AUTOCREATE", "SHARED", "LockSpace", "LockSpaces", "Resource"]

#: Flags of acquiring: others may hold the resource too, if they say so as well; make the file, and remove it behind
#: the last holder.
SHARED = 1
AUTOCREATE = 2

_FLOCK = "hhqqi4x"
_LOCKSPACE = ErrorDomain.LOCKSPACE


def _busy(name: str, state: str) -> VirtError:
    text = f"Lockspace resource '{name}' is {state}"
    return virtError(ErrorCode.RESOURCE_BUSY, text, _LOCKSPACE)


def _failed(text: str, problem: OSError, domain: int = _LOCKSPACE) -> VirtError:
    words = f"{text}: {problem.strerror}"
    return VirtError(
        words,
        code=ErrorCode.SYSTEM_ERROR,
        domain=domain,
        str1="%s",
        str2=words,
        int1=problem.errno or 0,
    )


def _lock(fd: int, kind: int) -> bool:
    """Lock, change the lock of or unlock an open file; return False when somebody else's lock is in the way."""
    try:
        fcntl.fcntl(fd, fcntl.F_OFD_SETLK, struct.pack(_FLOCK, kind, os.SEEK_SET, 0, 1, 0))
    except OSError as problem:
        if problem.errno in (errno.EACCES, errno.EAGAIN):
            return False
        raise
    return True


@attrs.define(kw_only=True)
class Resource:
    """
    A resource that somebody holds.

    @ivar fd: its open file, which has the lock.
    @ivar owners: process ids of the holders, and how often each of them holds it.
    @ivar regained: those for whom it was taken back after a crash.  They may think that they have lost it, or have let
        it go, and ask for it once more.
    """

    name: str
    path: str
    fd: int
    flags: int
    owners: Counter[int]
    regained: set[int] = attrs.field(factory=set)

    @classmethod
    def acquire(cls, name: str, path: str, flags: int, owner: int) -> Resource:
        """
        Open and lock the file.

        @raise VirtError: it cannot be opened, or somebody else has locked it.
        """
        while True:
            how = os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if flags & AUTOCREATE else 0)
            try:
                fd = os.open(path, how, 0o600)
            except OSError as problem:
                what = "open/create" if flags & AUTOCREATE else "open"
                raise _failed(f"Unable to {what} resource {path}", problem) from None
            try:
                locked = _lock(fd, fcntl.F_RDLCK if flags & SHARED else fcntl.F_WRLCK)
                if not locked:
                    raise _busy(name, "locked")
                # Its last holder may have removed the file between our opening and locking it.
                current = not flags & AUTOCREATE or _isAt(fd, path)
            except OSError as problem:
                os.close(fd)
                raise _failed(f"Unable to lock resource {path}", problem) from None
            except BaseException:
                os.close(fd)
                raise
            if current:
                return cls(name=name, path=path, fd=fd, flags=flags, owners=Counter([owner]))
            os.close(fd)

    def free(self) -> None:
        """Unlock it, and remove a file that was made for it and that nobody else uses."""
        try:
            alone = not self.flags & SHARED or _lock(self.fd, fcntl.F_WRLCK)
            if self.flags & AUTOCREATE and alone and _isAt(self.fd, self.path):
                os.unlink(self.path)
        except OSError:
            pass  # the lock ends all the same
        finally:
            os.close(self.fd)


def _isAt(fd: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), os.stat(path))
    except FileNotFoundError:
        return False


class LockSpace:
    """
    One lock space.

    @ivar folder: where its resources are; empty: anywhere, named by their paths.
    @ivar resources: those that are held, by name.
    """

    def __init__(self, folder: str = "") -> None:
        """
        @raise VirtError: the folder is none, or cannot be made.
        """
        self.folder = folder
        self.resources: dict[str, Resource] = {}
        if not folder:
            return
        if os.path.exists(folder) and not os.path.isdir(folder):
            raise virtError(
                ErrorCode.INTERNAL_ERROR,
                f"Lockspace location {folder} exists, but is not a directory",
                _LOCKSPACE,
            )
        try:
            os.makedirs(folder, mode=0o700, exist_ok=True)
        except OSError as problem:
            raise _failed(f"Unable to create lockspace {folder}", problem) from None

    def path(self, name: str) -> str:
        """
        Where a resource's file is.

        @raise VirtError: the name leads out of the folder.
        """
        if not self.folder:
            return name
        if ".." in name.split("/") or "\0" in name:
            raise virtError(ErrorCode.INVALID_ARG, f"resource name '{name}'", _LOCKSPACE)
        return f"{self.folder}/{name}"

    def create(self, name: str) -> None:
        """
        Make a resource's file.

        @raise VirtError: it is held, or cannot be made.
        """
        path = self.path(name)
        if name in self.resources:
            raise _busy(name, "locked")
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
        except OSError as problem:
            raise _failed(f"cannot create file '{path}'", problem, ErrorDomain.NONE) from None

    def delete(self, name: str) -> None:
        """
        Remove a resource's file, if it is there.

        @raise VirtError: it is held, or cannot be removed.
        """
        path = self.path(name)
        if name in self.resources:
            raise _busy(name, "locked")
        try:
            os.unlink(path)
        except FileNotFoundError:
            pass
        except OSError as problem:
            raise _failed(f"Unable to delete lockspace resource {path}", problem) from None

    def acquire(self, name: str, owner: int, flags: int) -> None:
        """
        Give a resource to C{owner}.

        @raise VirtError: somebody holds it and not both would share it, or its file cannot be opened.
        """
        held = self.resources.get(name)
        if held is None:
            self.resources[name] = Resource.acquire(name, self.path(name), flags, owner)
        elif owner in held.regained and not (held.flags ^ flags) & SHARED:
            held.regained.discard(owner)
            held.owners[owner] = 1
        elif held.flags & flags & SHARED:
            held.owners[owner] += 1
        else:
            raise _busy(name, "locked")

    def release(self, name: str, owner: int) -> None:
        """
        Take a resource back, once for each time it was given.

        @raise VirtError: nobody holds it, or C{owner} does not.
        """
        held = self.resources.get(name)
        if held is None:
            raise _busy(name, "not locked")
        if not held.owners[owner]:
            raise virtError(
                ErrorCode.INTERNAL_ERROR,
                f"owner {owner} does not hold the resource lock",
                _LOCKSPACE,
            )
        self._take(held, owner, 1)

    def releaseOwner(self, owner: int) -> int:
        """Take back all that an owner has; return how many resources that was."""
        held = [each for each in self.resources.values() if each.owners[owner]]
        for each in held:
            self._take(each, owner, each.owners[owner])
        return len(held)

    def _take(self, held: Resource, owner: int, times: int) -> None:
        held.owners[owner] -= times
        held.regained.discard(owner)
        held.owners = +held.owners
        if not held.owners:
            del self.resources[held.name]
            held.free()


class LockSpaces:
    """All lock spaces of a daemon; the direct one is there from the beginning."""

    def __init__(self) -> None:
        self._spaces = {"": LockSpace()}

    def __iter__(self) -> Iterator[LockSpace]:
        return iter(self._spaces.values())

    def create(self, path: str, fresh: bool = False) -> None:
        """
        Make a lock space, if it is not there.

        @param fresh: one that is there is an error.
        @raise VirtError: see there, or the folder cannot be made.
        """
        if path not in self._spaces:
            self._spaces[path] = LockSpace(path)
        elif fresh and not path:
            raise virtError(
                ErrorCode.OPERATION_INVALID,
                "the default lockspace already exists",
                ErrorDomain.RPC,
            )
        elif fresh:
            raise virtError(
                ErrorCode.INTERNAL_ERROR,
                f"Lockspace for path {path} already exists",
                ErrorDomain.RPC,
            )

    def find(self, path: str) -> LockSpace:
        """
        Find a lock space.

        @raise VirtError: there is none.
        """
        found = self._spaces.get(path)
        if found is None:
            raise virtError(
                ErrorCode.INTERNAL_ERROR,
                f"Lockspace for path {path} does not exist",
                ErrorDomain.RPC,
            )
        return found

    def releaseOwner(self, owner: int) -> int:
        """Take back all that an owner has, everywhere; return how many resources that was."""
        return sum(each.releaseOwner(owner) for each in self)

    def holds(self, owner: int) -> bool:
        """Whether an owner has anything."""
        return any(held.owners[owner] for each in self for held in each.resources.values())

    # What a successor needs to know

    def state(self) -> list[dict[str, Any]]:
        """Describe all spaces and what is held in them; descriptors by number."""
        return [
            {
                "folder": each.folder,
                "resources": [
                    {
                        "name": held.name,
                        "fd": held.fd,
                        "flags": held.flags,
                        "owners": sorted(held.owners.elements()),
                        "regained": sorted(held.regained),
                    }
                    for held in each.resources.values()
                ],
            }
            for each in self
        ]

    def restore(
        self, state: list[dict[str, Any]], alive: frozenset[int], inherited: bool
    ) -> list[tuple[list[int], VirtError]]:
        """
        Take over from a predecessor.

        @param alive: owners that still live; what only others held is let go.
        @param inherited: whether its descriptors are ours; else files are opened and locked again.
        @return: owners whose resource cannot be locked again, and why.
        """
        lost: list[tuple[list[int], VirtError]] = []
        for described in state:
            folder = described["folder"]
            try:
                self.create(folder)
            except VirtError as problem:
                # The others are to have theirs all the same.
                lost += [
                    ([owner for owner in each["owners"] if owner in alive], problem)
                    for each in described["resources"]
                ]
                continue
            space = self._spaces[folder]
            for each in described["resources"]:
                owners = [owner for owner in each["owners"] if owner in alive]
                name, flags = each["name"], each["flags"]
                if inherited:
                    os.set_inheritable(each["fd"], False)
                    held = Resource(
                        name=name,
                        path=space.path(name),
                        fd=each["fd"],
                        flags=flags,
                        owners=Counter(owners),
                        regained=set(each.get("regained", ())) & alive,
                    )
                    if not owners:
                        held.free()
                        continue
                elif owners:
                    try:
                        held = Resource.acquire(name, space.path(name), flags, owners[0])
                    except VirtError as problem:
                        lost.append((owners, problem))
                        continue
                    held.owners = Counter(owners)
                    held.regained = set(owners)
                else:
                    continue
                space.resources[name] = held
        return lost
