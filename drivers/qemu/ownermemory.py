"""
Whose files were before guests got them, kept with the files themselves: in extended attributes, as libvirtd does.

A file that several guests use is given back when the last of them ends, whichever daemon started which of them.  What
was written before the host booted last says nothing: its guests are gone.

Source: attributes of files that guests of libvirtd 9.0.0 use.
"""

from __future__ import annotations

import errno
import os
import time
from functools import cache
from typing import NamedTuple

from twisted.logger import Logger

from pyvirt.drivers.qemu.labels import parsed
from pyvirt.drivers.qemu.refusals import internal
from pyvirt.errors import ErrorDomain, VirtError

__all__ = ["Recalled", "forget", "moveMemory", "recall", "remember"]

log = Logger()

Owner = tuple[int, int]

_PREFIX = "trusted.libvirt.security."
#: Whose a file was, how many use it, and when the host had booted by then, in seconds since 1970.
_OWNER, _COUNT, _BOOT = _PREFIX + "dac", _PREFIX + "ref_dac", _PREFIX + "timestamp_dac"
_ALL = (_OWNER, _COUNT, _BOOT)

#: By how many seconds what two programs take for the time of booting may differ: some round, and clocks are set.
_JITTER = 2


class Recalled(NamedTuple):
    """
    What a file remembers when a guest is done with it.

    @ivar left: how many others still use it.
    @ivar owner: whose it was, once none does; None: it makes no sense.
    """

    left: int
    owner: Owner | None


@cache
def bootTime() -> int:
    """Return when the host booted, in seconds since 1970."""
    with open("/proc/uptime", encoding="ascii") as file:
        return int(time.time() - float(file.read().split()[0]))


def _get(path: str, name: str) -> str | None:
    """
    Read an attribute, None if a file has not got it.

    @raise OSError: files there have none.
    """
    try:
        return os.getxattr(path, name).decode(errors="replace")
    except OSError as problem:
        if problem.errno == errno.ENODATA:
            return None
        raise


def _drop(path: str) -> None:
    for name in _ALL:
        try:
            os.removexattr(path, name)
        except OSError as problem:
            if problem.errno != errno.ENODATA:
                raise


def _count(path: str) -> int:
    """
    Return how many use a file, forgetting what is from before the host booted.

    @raise OSError: files there have no attributes.
    @raise VirtError: INTERNAL_ERROR: it makes no sense.
    """
    count = _get(path, _COUNT)
    stamp = _get(path, _BOOT)
    if count is None and stamp is None and _get(path, _OWNER) is None:
        return 0
    recent = stamp is not None and len(stamp) < 20 and stamp.isascii() and stamp.isdigit()
    if not recent or abs(int(stamp or "0") - bootTime()) > _JITTER:
        log.warn("{path} remembers an owner from before the host booted", path=path)
        _drop(path)
        return 0
    if count is None:
        return 0
    if len(count) > 10 or not (count.isascii() and count.isdigit()) or int(count) >= 1 << 32:
        raise internal(f"malformed refcount {count} on {path}", ErrorDomain.SECURITY)
    return int(count)


def remember(path: str, owner: Owner) -> int | None:
    """
    Let a file know that one more guest uses it.

    @param owner: whose it is, which is kept unless others use it already.
    @return: how many use it now; None: nothing can be kept there.
    @raise VirtError: INTERNAL_ERROR: what it knows makes no sense.
    """
    try:
        count = _count(path) + 1
        try:
            if count == 1:
                os.setxattr(path, _OWNER, b"+%d:+%d" % owner)
                os.setxattr(path, _BOOT, b"%d" % bootTime())
            os.setxattr(path, _COUNT, b"%d" % count)
        except OSError:
            if count == 1:
                _drop(path)
            raise
    except OSError as problem:
        log.debug("{path} cannot remember its owner: {problem}", path=path, problem=problem)
        return None
    return count


def recall(path: str) -> Recalled | None:
    """
    Let a file know that a guest uses it no more.

    @return: None: it knows of none.
    @raise VirtError: INTERNAL_ERROR: what it knows makes no sense.
    """
    try:
        count = _count(path)
        if not count:
            return None
        if count > 1:
            os.setxattr(path, _COUNT, b"%d" % (count - 1))
            return Recalled(count - 1, None)
        label = _get(path, _OWNER) or ""
        _drop(path)
    except OSError as problem:
        log.debug("{path} does not remember its owner: {problem}", path=path, problem=problem)
        return None
    try:
        return Recalled(0, parsed(label))
    except VirtError as error:
        log.warn("{path}: {error}", path=path, error=error)
        return Recalled(0, None)


def forget(path: str) -> None:
    """Let a file forget all that it knows."""
    try:
        _drop(path)
    except OSError as problem:
        log.debug("{path} keeps what it knows: {problem}", path=path, problem=problem)


def moveMemory(path: str, target: str) -> bool:
    """
    Let another file have what one knows, and this one forget it.

    @return: whether that could be done.
    """
    try:
        values = [(name, os.getxattr(path, name)) for name in _ALL]
        for name, value in values:
            os.setxattr(target, name, value)
        _drop(path)
    except OSError as problem:
        log.debug("{path} keeps what it knows: {problem}", path=path, problem=problem)
        return False
    return True
