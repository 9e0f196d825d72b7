"""
Snapshots and checkpoints on disk: one file for each, in a folder for each domain.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from twisted.logger import Logger

from pyvirt.definitions.checkpoint import formatCheckpoint, parseCheckpoint
from pyvirt.definitions.snapshot import parseSnapshot
from pyvirt.drivers.checkpoints import Checkpoint
from pyvirt.drivers.filestore import removeUnfinished, writeWhole
from pyvirt.drivers.moments import Moments
from pyvirt.drivers.qemu.refusals import internal, systemFailure
from pyvirt.drivers.snapshots import Snapshot
from pyvirt.errors import VirtError
from pyvirt.folders import makeFolders

if TYPE_CHECKING:
    from pyvirt.drivers.qemu.domain import Domain
    from pyvirt.drivers.qemu.hypervisor import Hypervisor

__all__ = ["loadMoments", "removeMoment", "removeMoments", "renameMoments", "saveMoments"]

log = Logger()

#: By attribute of the domain, the folder.
_FOLDERS = {"snapshots": "snapshot", "checkpoints": "checkpoint"}


def _folder(hypervisor: Hypervisor, kind: str, name: str) -> str:
    return os.path.join(hypervisor.layout.lib, _FOLDERS[kind], name)


def _path(hypervisor: Hypervisor, kind: str, domain: str, name: str) -> str:
    return os.path.join(_folder(hypervisor, kind, domain), f"{name}.xml")


def _written(kind: str, domain: Domain, moment: Any) -> str:
    moments: Any = getattr(domain, kind)
    current = moments.current == moment.name
    if kind == "snapshots":
        return str(moment.written(domain.uuid, secure=True, current=current))
    return formatCheckpoint(moment.whole(), secure=True)


def saveMoments(hypervisor: Hypervisor, domain: Domain, kind: str, *moments: Any) -> None:
    """
    Write moments of a domain.

    @param kind: C{snapshots} or C{checkpoints}.
    @raise VirtError: one cannot be written.
    """
    folder = _folder(hypervisor, kind, domain.name)
    try:
        makeFolders(folder, 0o700)
    except OSError as problem:
        raise systemFailure(
            problem, f"cannot create {_FOLDERS[kind]} directory '{folder}'"
        ) from None
    for moment in moments:
        text = _written(kind, domain, moment)
        writeWhole(_path(hypervisor, kind, domain.name, moment.name), text.encode())


def removeMoment(hypervisor: Hypervisor, domain: Domain, kind: str, name: str) -> None:
    """Remove the file of a moment."""
    try:
        os.unlink(_path(hypervisor, kind, domain.name, name))
    except FileNotFoundError:
        pass
    except OSError as problem:
        log.warn("{name} cannot be removed: {problem}", name=name, problem=problem)
    try:
        # Whatever is in it keeps it.
        os.rmdir(_folder(hypervisor, kind, domain.name))
    except OSError:
        pass


def removeMoments(hypervisor: Hypervisor, domain: Domain) -> None:
    """Forget all snapshots and checkpoints of a domain."""
    for kind in _FOLDERS:
        moments: Any = getattr(domain, kind)
        for moment in list(moments):
            removeMoment(hypervisor, domain, kind, moment.name)
        setattr(domain, kind, Moments())
        try:
            os.rmdir(_folder(hypervisor, kind, domain.name))
        except OSError:
            pass


def renameMoments(hypervisor: Hypervisor, old: str, new: str) -> None:
    """Let what is kept of a domain go with its new name."""
    for kind in _FOLDERS:
        try:
            os.rename(_folder(hypervisor, kind, old), _folder(hypervisor, kind, new))
        except FileNotFoundError:
            pass
        except OSError as problem:
            raise internal(f"failed to rename {_FOLDERS[kind]} directory: {problem}") from None


def loadMoments(hypervisor: Hypervisor, domain: Domain) -> None:
    """Read what is kept of a domain; what makes no sense is logged and left alone."""
    for kind in _FOLDERS:
        folder = _folder(hypervisor, kind, domain.name)
        removeUnfinished(folder)
        try:
            names = sorted(each for each in os.listdir(folder) if each.endswith(".xml"))
        except OSError:
            continue
        moments: Any = Moments()
        for each in names:
            try:
                with open(os.path.join(folder, each), encoding="utf-8") as file:
                    text = file.read()
                moment: Any
                if kind == "snapshots":
                    moment = Snapshot.of(parseSnapshot(text, redefine=True))
                else:
                    moment = Checkpoint.of(parseCheckpoint(text, redefine=True))
                if f"{moment.name}.xml" != each:
                    raise ValueError(f"it is of '{moment.name}'")
                moments.add(moment)
            except (OSError, ValueError, VirtError) as problem:
                log.error("{path} cannot be read: {problem}", path=each, problem=problem)
        _settle(moments)
        setattr(domain, kind, moments)


def _settle(moments: Moments[Any]) -> None:
    """Let those that come after one that is not there come after none, and find the current one."""
    everything = list(moments._byName.values())
    for moment in everything:
        seen = {moment.name}
        above = moment.parent
        while above is not None:
            found = moments.get(above)
            if found is None or above in seen:
                moment.parent = None
                break
            seen.add(above)
            above = found.parent
    for moment in everything:
        if (isinstance(moment, Snapshot) and moment.definition.active) or (
            isinstance(moment, Checkpoint) and moments.isLeaf(moment)
        ):
            moments.current = moment.name
