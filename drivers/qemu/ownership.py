"""
Whose the files of guests are: given to whom a guest runs as, and given back to whose they were.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from twisted.logger import Logger

from pyvirt.definitions.domain import DomainDefinition
from pyvirt.drivers.qemu.blocks.chain import Image, chain, localPath
from pyvirt.drivers.qemu.files import portEnds
from pyvirt.drivers.qemu.labels import imageOwner, relabels
from pyvirt.drivers.qemu.ownermemory import forget, moveMemory, recall, remember
from pyvirt.drivers.qemu.refusals import operationInvalid, systemFailure
from pyvirt.drivers.qemu.sharedfiles import isShared
from pyvirt.drivers.qemu.variables import variablesPath
from pyvirt.errors import ErrorDomain, VirtError

if TYPE_CHECKING:
    from pyvirt.drivers.qemu.guest import Guest
    from pyvirt.drivers.qemu.hypervisor import Hypervisor
    from pyvirt.drivers.qemu.passed import Passed

__all__ = [
    "Taken",
    "claimFile",
    "completed",
    "disown",
    "giveAllBack",
    "giveBack",
    "giveNodesBack",
    "giveSomeBack",
    "letFileGo",
    "moveOwner",
    "ownedFiles",
    "recipient",
    "takeNodes",
    "takeOver",
    "untake",
]

log = Logger()

Owner = tuple[int, int]


class Taken(NamedTuple):
    """
    A file that a guest has got, and that is given back.

    @ivar owner: whose it was.
    @ivar given: who has got it; None: whom guests run as.
    @ivar remembered: the file knows whose it was, and how many use it.
    """

    path: str
    owner: Owner
    given: Owner | None = None
    remembered: bool = False


class Owned(NamedTuple):
    """
    A file of the host that a guest opens.

    @ivar back: whether its old owner gets it back.
    @ivar label: whom it is given to; None: whom the guest runs as.
    """

    path: str
    back: bool
    label: Owner | None = None


def ownedFiles(definition: DomainDefinition) -> Iterator[Owned]:
    """Iterate over files of the host that a guest opens and that are given to it."""
    for disk in definition.devices.disks:
        shared = bool(getattr(disk, "readonly", None) or getattr(disk, "shareable", None))
        inherited: tuple[Any, ...] = ()
        for number, image in enumerate(chain(disk)):
            labels = image.source.labels or inherited
            if number == 0:
                inherited = labels
            given, label = imageOwner(labels)
            path = getattr(image.source, "file", None) or getattr(image.source, "dev", None)
            if path and given and getattr(image.source, "fdgroup", None) is None:
                # What lies below others may be below those of other guests, too.
                yield Owned(path, not shared and number == 0, label)
    os_ = definition.os
    for path in (os_.kernel, os_.initrd, os_.dtb):
        if path:
            yield Owned(path, True)
    path = variablesPath(definition)
    if path and os.path.exists(path):
        yield Owned(path, True)
    for source in portEnds(definition):
        given, label = imageOwner(source.labels)
        if given and source.type in ("file", "dev") and os.path.exists(source.path or ""):
            yield Owned(source.path, True, label)


def recipient(hypervisor: Hypervisor, guest: Guest, definition: DomainDefinition) -> Owner | None:
    """Return whom the files of a guest are given to; None: they stay whose they are."""
    owner = guest.owner
    return owner if hypervisor.config["dynamic_ownership"] and relabels(definition) else None


def _take(path: str, wanted: Owner, back: bool, remembers: bool, taken: list[Taken]) -> None:
    """
    Give one file to a guest.

    @param back: whether it goes back.
    @param remembers: whether it is remembered whose files were; else they are root's in the end.
    @raise VirtError: it is not there, cannot be given, or another guest runs as somebody else.
    """
    try:
        found = os.stat(path)
    except OSError as problem:
        raise systemFailure(problem, f"unable to stat: {path}", ErrorDomain.SECURITY) from None
    owner = (found.st_uid, found.st_gid)
    count = remember(path, owner) if back and remembers else None
    if count is not None:
        taken.append(Taken(path, owner, wanted, True))
        if count > 1 and owner != wanted:
            taken.pop()
            recall(path)
            raise operationInvalid(
                f"Setting different DAC user or group on {path} which is already in use",
                ErrorDomain.SECURITY,
            )
    elif back and not remembers:
        taken.append(Taken(path, (0, 0), wanted))
    if owner == wanted:
        return
    try:
        os.chown(path, *wanted)
    except OSError as problem:
        detail = f"unable to set user and group to '{wanted[0]}:{wanted[1]}' on '{path}'"
        raise systemFailure(problem, detail, ErrorDomain.SECURITY) from None
    if back and remembers and count is None:
        taken.append(Taken(path, owner, wanted))


def takeOver(
    definition: DomainDefinition, owner: Owner, remembers: bool, taken: list[Taken]
) -> None:
    """
    Give the files of a guest to the user it runs as.

    @param remembers: C{remember_owner} of qemu.conf.
    @param taken: gets those that go back.
    @raise VirtError: one is not there, cannot be given, or is used by a guest that runs as somebody else.
    """
    for path, back, label in ownedFiles(definition):
        _take(path, label or owner, back, remembers, taken)


def takeNodes(hypervisor: Hypervisor, guest: Guest, passed: Iterable[Passed]) -> None:
    """
    Give a guest the files by which it gets at devices of the host.

    @raise VirtError: one is not there, or cannot be given.
    """
    from pyvirt.drivers.qemu.assigning import nodesOf

    known = {each.path for each in guest.taken}
    for path, remembers in nodesOf(hypervisor, passed):
        if guest.recipient is None or path in known:
            continue
        known.add(path)
        remembers = remembers and bool(hypervisor.config["remember_owner"])
        _take(path, guest.recipient, True, remembers, guest.taken)


def giveNodesBack(guest: Guest, paths: Iterable[str]) -> None:
    """Give files back by which a guest got at devices of the host that it has no more."""
    gone = set(paths)
    giveBack(_pop(guest, lambda each: each.path in gone), guest.owner)


def claimFile(hypervisor: Hypervisor, guest: Guest, path: str) -> None:
    """
    Give a running guest a file that it is about to write to, until L{letFileGo} is told of it.

    @raise VirtError: as of L{takeOver}.
    """
    if guest.recipient is None:
        return
    before = list(guest.taken)
    remembers = bool(hypervisor.config["remember_owner"])
    _take(path, guest.recipient, True, remembers, guest.taken)
    if len(guest.taken) == len(before):
        # It has it already: each use of it is let go by itself.
        guest.taken += [each for each in before if each.path == path][-1:]


def completed(taken: Iterable[Taken], definition: DomainDefinition) -> list[Taken]:
    """
    Say of files to whom they were given where the status file, which an older daemon wrote, does not.

    @param definition: what they were given for.
    """
    found = list(taken)
    if all(each.given is not None for each in found):
        return found
    try:
        labels = {each.path: each.label for each in ownedFiles(definition)}
    except VirtError as error:
        log.warn("files may keep their owners: {error}", error=error)
        return found
    return [
        each if each.given is not None else each._replace(given=labels.get(each.path))
        for each in found
    ]


def giveBack(taken: list[Taken], owner: Owner | None) -> None:
    """
    Give files back to those whose they were, unless others use them, or somebody else has them by now.

    @param owner: whom guests run as.
    """
    for each in taken:
        back = each.owner
        try:
            if each.remembered:
                recalled = recall(each.path)
                if recalled is not None and recalled.left:
                    continue
                back = recalled.owner or back if recalled is not None else back
            found = os.stat(each.path)
            if (found.st_uid, found.st_gid) == (each.given or owner):
                os.chown(each.path, *back)
        except (OSError, VirtError) as problem:
            log.warn("{path} cannot be given back: {problem}", path=each.path, problem=problem)
    taken.clear()


def giveAllBack(
    guest: Guest,
    definition: DomainDefinition,
    *,
    moved: bool = False,
    isShared: Callable[[str], bool] = isShared,
) -> None:
    """
    Give all files of a guest back that has ended.

    @param moved: it goes on on another host, which goes on using what both see.

    What its disks know of others that use them is forgotten then, as with libvirtd: nobody else writes to them, so it is
    left from guests that nobody has seen end.  Unlike there, they go back to those whose they were.
    """
    if moved:
        _pop(guest, lambda each: isShared(each.path))
    disks = {
        each.path
        for each in guest.taken
        if each.remembered and not guest.starting and not guest.leaving
    }
    given = {each.path: each.given or guest.owner for each in guest.taken}
    giveBack(guest.taken, guest.owner)
    for disk in definition.devices.disks if disks else ():
        path = localPath(disk.source) if disk.source is not None else None
        if path in disks:
            shared = disk.shareable or disk.readonly
            _giveForgotten(path, None if shared else given[path])


def _giveForgotten(path: str, given: Owner | None) -> None:
    """
    Let a file forget who uses it.

    @param given: who has got it, and has it no more; None: others may use it.
    """
    try:
        recalled = recall(path)
        while recalled is not None and recalled.left:
            recalled = recall(path)
        if recalled is not None and recalled.owner is not None and given is not None:
            found = os.stat(path)
            if (found.st_uid, found.st_gid) == given:
                os.chown(path, *recalled.owner)
    except (OSError, VirtError) as problem:
        log.warn("{path} cannot be given back: {problem}", path=path, problem=problem)
    forget(path)


def _pop(guest: Guest, wanted: Callable[[Taken], bool]) -> list[Taken]:
    found = [each for each in guest.taken if wanted(each)]
    guest.taken = [each for each in guest.taken if not wanted(each)]
    return found


def _popOne(guest: Guest, path: str | None) -> Taken | None:
    """Take note that a guest uses a file once less."""
    for place in reversed(range(len(guest.taken))):
        if guest.taken[place].path == path:
            return guest.taken.pop(place)
    return None


def untake(guest: Guest, some: Iterable[Taken]) -> list[Taken]:
    """
    Note that a guest has some files once less; whose they are is as it was.

    @return: those that it had: where it has ended meanwhile all are given back.
    """
    return [each for each in some if _popOne(guest, each.path) is not None]


def letFileGo(guest: Guest, path: str | None) -> None:
    """Give a file back that a guest uses once less; what it still uses stays with it."""
    entry = _popOne(guest, path)
    if entry is not None:
        giveSomeBack(guest, [entry])


def giveSomeBack(guest: Guest, some: list[Taken]) -> None:
    """Give files back that a guest which goes on had got besides those that it has; what it still uses stays with it."""
    used = {each.path for each in guest.taken}
    giveBack([each for each in some if each.remembered or each.path not in used], guest.owner)


def disown(guest: Guest, image: Image) -> None:
    """Let an image of which nobody remembers whose it was be root's once the guest writes to it no more."""
    path = localPath(image.source)
    if guest.recipient is not None and path is not None:
        guest.taken.append(Taken(path, (0, 0)))


def moveOwner(guest: Guest, image: Image, target: Image) -> None:
    """
    Let an image that takes the place of another be given back to whose that one was.

    The other one stays with the guest, below the new one.
    """
    path = localPath(target.source)
    entry = _popOne(guest, localPath(image.source)) if path is not None else None
    if path is None or entry is None:
        return
    other = _popOne(guest, path)
    moved = entry.remembered and moveMemory(entry.path, path)
    if not moved:
        for each in (entry, other):
            if each is not None and each.remembered:
                recall(each.path)
    guest.taken.append(entry._replace(path=path, remembered=moved))
