"""
Descriptors that clients give to domains under names, for images that definitions refer to by those names.

They are duplicated when they come, and closed when others come under the same name, when the connection that they came
over closes, or when the domain is gone.  A running guest has duplicates of its own.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import attrs

from pyvirt import constants as c
from pyvirt.drivers.qemu.refusals import checkFlags, failed, invalidArgument, systemFailure
from pyvirt.errors import VirtError

if TYPE_CHECKING:
    from pyvirt.definitions.domain import DomainDefinition
    from pyvirt.drivers.qemu.domain import Domain

__all__ = [
    "MOST",
    "Anybody",
    "FDGroup",
    "Groups",
    "associate",
    "drop",
    "duplicates",
    "groupOf",
    "unassociated",
]

#: As many descriptors a domain has at most, under all names.
MOST = 256


@attrs.frozen(eq=False)
class FDGroup:
    """
    Descriptors under one name.

    @ivar writable: what a single descriptor is of may be written, whatever the disk says.
    @ivar connection: the one that they came over.
    """

    fds: tuple[int, ...]
    writable: bool = False
    connection: Any = None

    def close(self) -> None:
        """Close the duplicates."""
        for fd in self.fds:
            os.close(fd)


Groups = Mapping[str, FDGroup]


class Anybody(dict[str, FDGroup]):
    """Descriptors of any name, where they matter no more: there are none."""

    def get(self, name: str, default: Any = None) -> Any:
        """Return that there is such a name."""
        return FDGroup(())


def unassociated(name: str) -> VirtError:
    """Make the error of a name under which there are no descriptors."""
    return invalidArgument(f"file descriptor group '{name}' was not associated with the domain")


def groupOf(source: Any, groups: Groups) -> FDGroup | None:
    """
    Return the descriptors that an image is given as, None if it is a file that the guest opens itself.

    @raise VirtError: there are none under the name that it has.
    """
    name = getattr(source, "fdgroup", None)
    if name is None:
        return None
    found = groups.get(name)
    if found is None:
        raise unassociated(name)
    return found


def associate(domain: Domain, connection: Any, name: str, fds: list[int], flags: int) -> None:
    """
    Keep descriptors under a name, in place of those that are there.

    @param fds: they stay the caller's.
    @raise VirtError: there are too many.
    """
    checkFlags(
        "qemuDomainFDAssociate",
        flags,
        c.VIR_DOMAIN_FD_ASSOCIATE_SECLABEL_RESTORE | c.VIR_DOMAIN_FD_ASSOCIATE_SECLABEL_WRITABLE,
    )
    others = sum(len(group.fds) for key, group in domain.fdGroups.items() if key != name)
    if others + len(fds) > MOST:
        raise failed(
            f"{others + len(fds)} file descriptors for domain '{domain.name}' are more than {MOST}"
        )
    mine = _duplicated(fds)
    before = domain.fdGroups.get(name)
    writable = bool(flags & c.VIR_DOMAIN_FD_ASSOCIATE_SECLABEL_WRITABLE)
    domain.fdGroups[name] = FDGroup(mine, writable, connection)
    if before is not None:
        before.close()


def drop(domain: Domain, connection: Any = None) -> None:
    """
    Close the descriptors of a domain.

    @param connection: those that came over it; None: all.
    """
    for name, group in list(domain.fdGroups.items()):
        if connection is None or group.connection is connection:
            del domain.fdGroups[name]
            group.close()


def _names(definition: DomainDefinition) -> Iterator[str]:
    from pyvirt.drivers.qemu.blocks.chain import chain

    for disk in definition.devices.disks:
        for image in chain(disk):
            name = getattr(image.source, "fdgroup", None)
            if name is not None:
                yield name


def duplicates(groups: Groups, definition: DomainDefinition) -> dict[str, int]:
    """
    Duplicate the descriptors of a definition's images, for whoever passes them to a guest and closes them then.

    @return: by their names, which are those of their places in arguments: C{fd:GROUP:NUMBER}.
    @raise VirtError: one is not there, or cannot be duplicated.
    """
    names: list[str] = []
    fds: list[int] = []
    for name in dict.fromkeys(_names(definition)):
        group = groups.get(name)
        if group is None:
            raise unassociated(name)
        names += [f"fd:{name}:{number}" for number in range(len(group.fds))]
        fds += group.fds
    return dict(zip(names, _duplicated(fds), strict=True))


def _duplicated(fds: list[int]) -> tuple[int, ...]:
    """
    Duplicate descriptors.

    @raise VirtError: one cannot be; nothing is left of the others.
    """
    made: list[int] = []
    with ExitStack() as undone:
        for fd in fds:
            try:
                new = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 0)
            except OSError as problem:
                raise systemFailure(problem, "Unable to duplicate a file descriptor") from None
            undone.callback(os.close, new)
            made.append(new)
        undone.pop_all()
    return tuple(made)
