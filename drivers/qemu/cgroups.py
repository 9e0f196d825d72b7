"""
Groups of processes in which the kernel counts and limits what guests use: L{Cgroups} and L{GuestGroup}.

Both forms of the kernel's interface are served, also side by side: hierarchies for one controller each (version 1),
and the one for all of them (version 2).  Each guest has a group in C{/machine}, or in the partition that it names,
with a group inside for each of its threads and one for the emulator.  Where no controller is mounted, or nobody lets
us make groups, guests go without.

Side by side, version 2 is preferred for what it has.  It has no controllers for used time and for devices: the first is
counted in every group, and the second is a program for the kernel, where those are allowed.

Source: the kernel's documentation, "Control Groups version 1" and "Control Group v2".
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Mapping

import attrs
from twisted.logger import Logger

from pyvirt.definitions.values import definition
from pyvirt.drivers.qemu.bpf import canFilter
from pyvirt.drivers.qemu.refusals import systemFailure
from pyvirt.errors import ErrorDomain

__all__ = ["CONTROLLERS", "Cgroups", "GuestGroup", "findCgroups", "groupName", "partitionPath"]

log = Logger()

#: Controllers that guests are put under.
CONTROLLERS = ("cpu", "cpuacct", "cpuset", "memory", "blkio", "freezer", "devices")
#: What version 2 calls them, where it does not call them the same.
_UNIFIED = {"blkio": "io"}
#: Controllers of which each thread has a group of its own.
_THREADED = ("cpu", "cpuacct", "cpuset")
#: Those without which nothing of threads can be said.
_PLACED = ("cpu", "cpuset")
#: What every group of version 2 has, and nobody switches on.
_EVERYWHERE = ("cpuacct", "devices")
_LONGEST_NAME = 64
_OCTAL = re.compile(r"\\([0-7]{3})")
#: Partitions at the top that keep their names.
_FIXED = ("machine", "system", "user")
_RESERVED = re.compile(r"^([_.]|cgroup\.|tasks$|notify_on_release$|release_agent$)")


def groupName(id: int, name: str) -> str:
    """Name the group of one run of a guest: as a machine may be called, in at most 64 letters."""
    machine, skips = f"qemu-{id}-", True
    for letter in name:
        if len(machine) >= _LONGEST_NAME:
            break
        # Of dots and dashes side by side the first stays.
        stop = letter in ".-"
        if (stop and not skips) or (letter.isascii() and letter.isalnum()):
            machine += letter
        skips = stop
    return _escaped(machine.rstrip("-.") + ".libvirt-qemu")


def partitionPath(partition: str) -> str:
    """Return the path of a partition: its parts are marked as such, unless they have a mark of their own."""
    parts = []
    for number, part in enumerate(each for each in partition.split("/") if each):
        if "." not in part and not (number == 0 and part in _FIXED):
            part += ".partition"
        parts.append(_escaped(part))
    return "/".join(parts)


def _escaped(part: str) -> str:
    """Keep a name from meaning something to the kernel."""
    head = part.partition(".")[0]
    if _RESERVED.match(part) or ("." in part and head in CONTROLLERS):
        return "_" + part
    return part


#: Of a hierarchy in which nothing can be made.
_FORBIDDEN = (errno.EACCES, errno.EROFS, errno.EPERM)


@definition
class Cgroups:
    """
    What is mounted on this host.

    @ivar mounts: by controller, where its hierarchy (version 1) is.
    @ivar unified: where the hierarchy of version 2 is, None if it is not mounted, or has nothing for us.
    @ivar controllers: those that version 2 has, in our words.
    """

    mounts: Mapping[str, str] = attrs.Factory(dict)
    unified: str | None = None
    controllers: frozenset[str] = frozenset()

    def base(self, controller: str) -> str | None:
        """Return where a controller's groups are, None if it is not there."""
        if controller in self.mounts:
            return self.mounts[controller]
        return self.unified if controller in self.controllers else None

    def roots(self) -> list[str]:
        """List all hierarchies in which guests have groups, each once, that of version 2 first."""
        found = [] if self.unified is None else [self.unified]
        return list(dict.fromkeys([*found, *self.mounts.values()]))


def findCgroups(mounts: str = "/proc/self/mounts") -> Cgroups:
    """
    Find out what is mounted.

    @param mounts: a table as C{/proc/mounts} is.
    """
    found: dict[str, str] = {}
    unified: str | None = None
    try:
        with open(mounts, encoding="utf-8", errors="surrogateescape") as file:
            rows = [line.split() for line in file]
    except OSError:
        rows = []
    for row in rows:
        if len(row) < 4:
            continue
        place = _OCTAL.sub(lambda match: chr(int(match[1], 8)), row[1])
        if row[2] == "cgroup2":
            unified = place
        elif row[2] == "cgroup":
            # What is mounted last is what is seen.
            found |= {name: place for name in CONTROLLERS if name in row[3].split(",")}
    controllers: set[str] = set()
    if unified is not None:
        there = _read(os.path.join(unified, "cgroup.controllers")).split()
        if there:
            controllers = {name for name in CONTROLLERS if _UNIFIED.get(name, name) in there}
            controllers.add("cpuacct")
            if canFilter(unified):
                controllers.add("devices")
        else:
            # Systemd keeps track of processes by it, and has all controllers elsewhere.
            unified = None
    found = {name: place for name, place in found.items() if name not in controllers}
    return Cgroups(mounts=found, unified=unified, controllers=frozenset(controllers))


class GuestGroup:
    """
    The group of one guest.

    @ivar path: its path below each hierarchy.
    """

    def __init__(self, host: Cgroups, path: str) -> None:
        self.host = host
        self.path = path
        self._there: set[str] = set()

    @classmethod
    def make(cls, host: Cgroups, partition: str, name: str) -> GuestGroup | None:
        """
        Make the group of a guest.

        @param partition: which one it is in; C{/machine} is made, others must be there.
        @return: None if there are no groups here.
        @raise VirtError: the partition is not there, or the group cannot be made in it.
        """
        group = cls(host, os.path.join(partitionPath(partition), name))
        if not host.roots():
            return None
        try:
            for root in host.roots():
                try:
                    group._make(root, partition == "/machine")
                except OSError as problem:
                    if root != host.mounts.get("devices") or problem.errno not in _FORBIDDEN:
                        raise
                    # What limits guests works without what confines them.
                    log.warn("guests are not confined to their devices: {problem}", problem=problem)
        except OSError as problem:
            group.remove()
            if partition == "/machine" and problem.errno in _FORBIDDEN:
                log.debug("guests have no groups: {problem}", problem=problem)
                return None
            place = problem.filename or ""
            unified = bool(host.unified and place.startswith(host.unified))
            what = f"{'v2' if unified else 'v1'} cgroup '{place}'"
            if problem.errno == errno.ENOENT and not unified:
                root = next((each for each in host.roots() if place.startswith(each)), place)
                what = f"v1 controller {os.path.basename(root)} for group"
            raise systemFailure(problem, f"Failed to create {what}", ErrorDomain.CGROUP) from None
        return group

    @classmethod
    def adopt(cls, host: Cgroups, partition: str, name: str) -> GuestGroup | None:
        """Find the group of a guest that was started earlier; None if it has none."""
        group = cls(host, os.path.join(partitionPath(partition), name))
        for root in host.roots():
            if os.path.isdir(os.path.join(root, group.path)):
                group._there.add(root)
        return group if group._there else None

    def inode(self) -> int:
        """Return the number by which the kernel tells this group from others."""
        return os.stat(os.path.join(min(self._there), self.path)).st_ino

    def _make(self, root: str, anywhere: bool) -> None:
        parts = self.path.split("/")
        place = root
        for number, part in enumerate(parts):
            parent, place = place, os.path.join(place, part)
            if not os.path.isdir(place):
                if number < len(parts) - 1 and not anywhere:
                    raise self._noPartition(root, place)
                try:
                    os.mkdir(place, 0o755)
                except FileExistsError:
                    pass
            self._inherit(root, parent, place)
        self._there.add(root)

    def _noPartition(self, root: str, place: str) -> Exception:
        """Make the error of a partition, or one above it, that is not there."""
        problem = FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), place)
        if root != self.host.unified:
            return problem
        above = os.path.join(root, os.path.dirname(os.path.dirname(self.path)))
        if os.path.isdir(above):
            problem.filename += "/"
            return problem
        detail = f"Unable to read from '{above}/cgroup.controllers'"
        return systemFailure(problem, detail, ErrorDomain.NONE)

    def _inherit(self, root: str, parent: str, place: str) -> None:
        """Give a new group what it does not have by itself."""
        if root == self.host.unified:
            wanted = [
                f"+{_UNIFIED.get(name, name)}"
                for name in CONTROLLERS
                if name in self.host.controllers and name not in _EVERYWHERE
            ]
            for each in wanted:
                _try(os.path.join(parent, "cgroup.subtree_control"), each)
            return
        if root == self.host.mounts.get("cpuset"):
            for file in ("cpuset.cpus", "cpuset.mems"):
                path = os.path.join(place, file)
                if not _read(path).strip():
                    _try(path, _read(os.path.join(parent, file)).strip())

    def has(self, controller: str) -> bool:
        """Whether a controller limits this guest."""
        base = self.host.base(controller)
        return base is not None and base in self._there

    def isUnified(self, controller: str) -> bool:
        """Whether a controller is that of version 2."""
        return controller in self.host.controllers

    def file(self, controller: str, name: str, inner: str = "") -> str:
        """
        Return the path of one of a group's files.

        @param inner: the group of a thread inside, such as C{vcpu0}.
        """
        return os.path.join(self.host.base(controller) or "", self.path, inner, name)

    def exists(self, controller: str, name: str, inner: str = "") -> bool:
        """Whether a group has a file."""
        return self.has(controller) and os.path.exists(self.file(controller, name, inner))

    def read(self, controller: str, name: str, inner: str = "") -> str:
        """
        Read one of a group's files.

        @raise VirtError: it cannot be read.
        """
        path = self.file(controller, name, inner)
        try:
            with open(path, encoding="ascii", errors="replace") as file:
                return file.read().strip()
        except OSError as problem:
            raise systemFailure(
                problem, f"Unable to read from '{path}'", ErrorDomain.NONE
            ) from None

    def write(self, controller: str, name: str, value: object, inner: str = "") -> None:
        """
        Write one of a group's files.

        @raise VirtError: the kernel does not want that.
        """
        path = self.file(controller, name, inner)
        try:
            fd = os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC)
            try:
                os.write(fd, str(value).encode())
            finally:
                os.close(fd)
        except OSError as problem:
            raise systemFailure(
                problem, f"Unable to write to '{path}'", ErrorDomain.CGROUP
            ) from None

    def entrances(self) -> list[str]:
        """
        Return the files through which a process enters the group, one in each hierarchy.

        @raise VirtError: a group inside cannot be made.
        """
        found = []
        for root in self._there:
            threaded = root in self._threadedRoots()
            if threaded:
                self.makeInner("emulator", root)
            found.append(
                os.path.join(root, self.path, "emulator" if threaded else "", "cgroup.procs")
            )
        return found

    def add(self, pid: int) -> None:
        """
        Put a process into the group, with all its threads.

        @raise VirtError: the kernel does not want that.
        """
        for place in self.entrances():
            try:
                with open(place, "w", encoding="ascii") as file:
                    file.write(str(pid))
            except OSError as problem:
                raise systemFailure(
                    problem, f"Unable to write to '{place}'", ErrorDomain.CGROUP
                ) from None

    def makeInner(self, inner: str, root: str | None = None) -> None:
        """Make the group of one thread, or of the emulator, where that can be."""
        for each in [root] if root is not None else self._threadedRoots():
            place = os.path.join(each, self.path, inner)
            parent = os.path.dirname(place)
            try:
                os.makedirs(place, 0o755, exist_ok=True)
            except OSError as problem:
                raise systemFailure(
                    problem, f"Failed to create cgroup '{place}'", ErrorDomain.CGROUP
                ) from None
            if each == self.host.unified:
                _try(os.path.join(place, "cgroup.type"), "threaded")
                for name in _PLACED:
                    if name in self.host.controllers:
                        _try(os.path.join(parent, "cgroup.subtree_control"), f"+{name}")
            else:
                self._inherit(each, parent, place)

    def addThread(self, inner: str, thread: int) -> None:
        """Put one thread into a group of its own; what the kernel refuses is logged."""
        self.makeInner(inner)
        for root in self._threadedRoots():
            name = "cgroup.threads" if root == self.host.unified else "tasks"
            _try(os.path.join(root, self.path, inner, name), str(thread))

    def addProcess(self, inner: str, pid: int) -> None:
        """Put all threads of a process into a group inside; what the kernel refuses is logged."""
        self.makeInner(inner)
        for root in self._threadedRoots():
            _try(os.path.join(root, self.path, inner, "cgroup.procs"), str(pid))

    def _threadedRoots(self) -> list[str]:
        if not any(self.has(name) for name in _PLACED):
            return []
        wanted = {self.host.base(name) for name in _THREADED} | {self.host.unified}
        return [root for root in self.host.roots() if root in wanted and root in self._there]

    def removeInner(self, inner: str) -> None:
        """Remove the group of a thread that is gone."""
        for root in self._threadedRoots():
            _remove(os.path.join(root, self.path, inner))

    def remove(self) -> bool:
        """
        Remove the group, once its processes are gone.

        @return: whether some are still there, so that it stays; whatever else keeps it is logged.
        """
        return True in [_remove(os.path.join(root, self.path)) for root in self.host.roots()]


def _remove(place: str) -> bool:
    """Remove a group with all inside; return whether there are still processes."""
    try:
        inner = [entry.path for entry in os.scandir(place) if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return False
    busy = True in [_remove(each) for each in inner]
    try:
        os.rmdir(place)
    except OSError as problem:
        if problem.errno == errno.EBUSY:
            return True
        log.warn("the group {place} stays: {problem}", place=place, problem=problem)
    return busy


def _read(path: str) -> str:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def _try(path: str, value: str) -> None:
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, value.encode())
        finally:
            os.close(fd)
    except OSError as problem:
        log.debug("{path} is not {value}: {problem}", path=path, value=value, problem=problem)
