"""
Running commands as libvirt's drivers do, whose errors end as the command's own words do.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pyvirt.drivers.refusals import internal
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError
from pyvirt.process import Command, Finished

if TYPE_CHECKING:
    from pyvirt.drivers.host.host import Host

__all__ = ["commandFailed", "found", "run"]


def found(*places: str) -> str:
    """
    Return where a program is: the first of the usual places where it is, or C{PATH}'s; the first place if nowhere.
    """
    for place in places:
        if os.access(place, os.X_OK):
            return place
    for place in places:
        elsewhere = shutil.which(os.path.basename(place))
        if elsewhere is not None:
            return elsewhere
    return places[0]


async def run(host: Host, *argv: str, failing: bool = True, **details: Any) -> Finished:
    """
    Run a command to its end.

    @param failing: whether a status other than 0 is an error.
    @param details: further fields of L{Command}.
    @raise VirtError: it is not there, or ends as it should not.
    """
    details.setdefault("deadline", None)
    if "/" not in argv[0] and shutil.which(argv[0]) is None:
        raise virtError(
            ErrorCode.SYSTEM_ERROR,
            f"Cannot find '{argv[0]}' in path: No such file or directory",
            ErrorDomain.NONE,
            int1=errno.ENOENT,
        )
    if "/" in argv[0] and not os.access(argv[0], os.X_OK):
        finished = Finished(
            127,
            b"",
            f"libvirt:  error : cannot execute binary {argv[0]}: No such file or directory\n".encode(),
        )
    else:
        finished = await host.processes.run(Command(argv=argv, statuses=None, **details))
    if finished.status and failing:
        raise commandFailed(argv, finished, details.get("environment"))
    return finished


#: What libvirt puts in quotes, where it shows command lines.
_SPECIAL = frozenset("\r\t\n !\"#$&'()*;<>?[\\]^`{|}~")


def _quoted(word: str) -> str:
    if word and not _SPECIAL.intersection(word):
        return word
    return "'" + word.replace("'", "'\\''") + "'"


def commandFailed(
    argv: tuple[str, ...], finished: Finished, environment: Mapping[str, str] | None = None
) -> VirtError:
    """
    Make the error of a command that ended as it should not.

    @param environment: what was set for it.
    """
    if finished.status < 0:
        how = f"fatal signal {-finished.status}"
    else:
        how = f"exit status {finished.status}"
    said = finished.errors.decode(errors="replace")
    settings = [f"{name}={_quoted(value)}" for name, value in (environment or {}).items()]
    words = " ".join([*settings, *map(_quoted, argv)])
    said = f": {said}" if said else ""
    return internal(f"Child process ({words}) unexpected {how}{said}", ErrorDomain.NONE)
