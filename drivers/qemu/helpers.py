"""
Processes that serve one guest: started before it, ended with it, found again by their pid files.

What serves a guest follows from its running definition (L{servers}), so nothing about it needs to be written down but
the number of each process, in its pid file, together with when that started.
"""

from __future__ import annotations

import os
import shlex
import signal
from typing import TYPE_CHECKING

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger

from pyvirt.definitions.values import definition
from pyvirt.drivers.qemu.guestlogs import GuestLog
from pyvirt.drivers.qemu.refusals import internal
from pyvirt.folders import makeFolders
from pyvirt.process import Command, startTime, systemError

if TYPE_CHECKING:
    from pyvirt.drivers.qemu.hypervisor import Hypervisor

__all__ = ["Helper", "awaitSocket", "endHelper", "startHelper"]

log = Logger()

#: Seconds that a helper has to end when it is told to; and that its socket may take to appear.
_GRACE, _APPEARING, _STEP = 5.0, 30.0, 0.02


@definition
class Helper:
    """
    A process that serves a guest.

    @ivar name: what errors call it.
    @ivar pidFile: where its number is while it runs.
    @ivar sockets: files that go with it.
    @ivar title: what the guest's log calls it; None: it is not told there.
    """

    name: str
    pidFile: str
    sockets: tuple[str, ...] = ()
    title: str | None = None


def startHelper(
    hypervisor: Hypervisor,
    helper: Helper,
    command: Command,
    log: str | None,
    guestLog: GuestLog,
) -> int:
    """
    Start a helper.

    @param log: the file that gets what it says; None: nothing does.
    @param guestLog: gets how it was started.
    @return: its number.
    @raise VirtError: it cannot be started.
    """
    makeFolders(os.path.dirname(helper.pidFile))
    if helper.title is not None:
        guestLog.say(f"Starting external device: {helper.title}\n{shlex.join(command.argv)}")
    opened: GuestLog | None = None
    if log is not None:
        opened = GuestLog(log, hypervisor.logs.limits)
        hypervisor.logs.follow(log)
    try:
        running = hypervisor.processes.start(
            attrs.evolve(command, pidFile=helper.pidFile, log=None if opened is None else opened.fd)
        )
    finally:
        if opened is not None:
            opened.close()
    pid: int = running.pid
    # Its start is kept beside it, so that another process with its number is never taken for it.
    try:
        with open(f"{helper.pidFile}.start", "w", encoding="ascii") as file:
            file.write(str(startTime(pid) or 0))
    except OSError as problem:
        # Nobody would find it again.
        running.kill(signal.SIGKILL)
        raise systemError(problem, f"cannot write file '{helper.pidFile}.start'") from None
    # That it ends is looked for when that matters; it is still our child, which must be waited for.
    running.whenEnded()
    return pid


def number(helper: Helper) -> tuple[int, int] | None:
    """Return the number of a helper's process and when that started, or None."""
    try:
        with open(helper.pidFile, encoding="ascii") as file:
            pid = int(file.read(32))
        with open(f"{helper.pidFile}.start", encoding="ascii") as file:
            return pid, int(file.read(32))
    except (OSError, ValueError):
        return None


def isRunning(helper: Helper) -> bool:
    """Return whether a helper's process is there."""
    found = number(helper)
    return found is not None and startTime(found[0]) == found[1]


def isListening(path: str, table: str = "/proc/net/unix") -> bool:
    """
    Return whether somebody listens at a socket.

    Connecting would tell too, but what serves one guest takes whoever comes first for it.
    """
    if not os.path.exists(path):
        return False
    try:
        with open(table, "rb") as file:
            rows = [line.split(None, 7) for line in file]
    except OSError:
        return True
    name = os.fsencode(path)
    # Bit 16 of the flags: it accepts connections.
    return any(
        len(row) == 8 and row[7].rstrip(b"\n") == name and int(row[3], 16) & 0x10000
        for row in rows[1:]
    )


async def awaitSocket(hypervisor: Hypervisor, helper: Helper, path: str) -> None:
    """
    Wait until a helper listens.

    @raise VirtError: it has ended, or takes too long.
    """
    end = hypervisor.clock.seconds() + _APPEARING
    while not isListening(path):
        if not isRunning(helper):
            raise internal(f"{helper.name} died unexpectedly")
        if hypervisor.clock.seconds() > end:
            raise internal(f"{helper.name} died and reported: it does not listen at {path}")
        waiting: Deferred[None] = deferLater(hypervisor.clock, _STEP)
        await waiting


async def endHelper(hypervisor: Hypervisor, helper: Helper) -> None:
    """End a helper, if it is there, and remove its files."""
    found = number(helper)
    if found is not None:
        running = hypervisor.processes.adopt(found[0], found[1] or None)
        if running is not None:
            await _end(hypervisor, running)
    for path in (helper.pidFile, f"{helper.pidFile}.start", *helper.sockets):
        try:
            os.unlink(path)
        except FileNotFoundError:
            pass
        except OSError as problem:
            log.warn("{path} cannot be removed: {problem}", path=path, problem=problem)


async def _end(hypervisor: Hypervisor, running: object) -> None:
    for how in (signal.SIGTERM, signal.SIGKILL):
        running.kill(how)  # type: ignore[attr-defined]
        ended: Deferred[object] = running.whenEnded()  # type: ignore[attr-defined]
        timer = hypervisor.clock.callLater(_GRACE, ended.cancel)
        try:
            await ended
        except Exception:
            continue
        finally:
            if timer.active():
                timer.cancel()
        return
