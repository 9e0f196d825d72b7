"""
What a command is, how it ended, and the errors of those that went wrong; see L{pyvirt.process}.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Mapping
from typing import NamedTuple

import attrs

from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["Command", "Finished", "commandError", "systemError"]

#: What commands inherit of our environment, where it is set.
INHERITED = ("LD_PRELOAD", "LD_LIBRARY_PATH", "PATH", "HOME", "USER", "LOGNAME", "TMPDIR")


@attrs.frozen(kw_only=True)
class Command:
    """
    What is run.

    @ivar argv: the program, looked up in C{PATH} if it has no slash, and its arguments.
    @ivar prefix: a program that becomes it in the end, with all rights that we have.
    @ivar environment: what is set besides C{LC_ALL=C} and what everything inherits (L{INHERITED}).
    @ivar passed: further names that are inherited, where they are set.
    @ivar folder: where it runs.
    @ivar input: what it can read, of any size.
    @ivar source: a descriptor of ours that it reads instead.
    @ivar sink: a descriptor of ours that gets what it prints; its errors come as usual.
    @ivar merged: what it says on both streams comes as one, in the order in which it is said.
    @ivar descriptors: of ours that it gets, under their own numbers.
    @ivar user, group: numbers; None: ours.  C{groups}: further ones.
    @ivar dropCapabilities: take all capabilities away, even from root, but for C{keptCapabilities}, which any user
        keeps: names such as C{sys_rawio}.
    @ivar noNewPrivileges: it and what it runs can never gain rights.
    @ivar limits: C{prlimit}'s options, such as C{("--nofile=8192",)}.
    @ivar umask: of its files; None: ours.
    @ivar outputLimit: the most that it may say on each of both streams, in bytes.
    @ivar clipped: what it says beyond that is dropped, and it goes on; otherwise it is killed.
    @ivar deadline: seconds after which it is killed; None: never.
    @ivar statuses: those that mean success; None: any.
    @ivar pidFile: where its number is written, of one that is left running.  It has the file open and locked as
        long as it runs, so that nobody else gets it.
    @ivar hidden: words that are not shown to anybody who reads logs.
    @ivar hook: called in the new process before anything else is done there; what it raises keeps the program from
        running.  It makes starting cost the more the larger we are, and must not touch the reactor or take a lock.
    @ivar handshake: one that is left running becomes its program when it is told to, by C{proceed} of L{IRunning}.
    @ivar log: a descriptor of ours that gets what one that is left running says; None: nothing does.
    """

    argv: tuple[str, ...]
    prefix: tuple[str, ...] = ()
    environment: Mapping[str, str] = attrs.Factory(dict)
    passed: tuple[str, ...] = ()
    folder: str = "/"
    input: bytes = b""
    source: int | None = None
    sink: int | None = None
    merged: bool = False
    descriptors: tuple[int, ...] = ()
    user: int | None = None
    group: int | None = None
    groups: tuple[int, ...] = ()
    dropCapabilities: bool = False
    keptCapabilities: tuple[str, ...] = ()
    noNewPrivileges: bool = False
    limits: tuple[str, ...] = ()
    umask: int | None = None
    outputLimit: int = 4 << 20
    clipped: bool = False
    deadline: float | None = 60.0
    statuses: frozenset[int] | None = frozenset([0])
    pidFile: str | None = None
    hook: Callable[[], None] | None = None
    handshake: bool = False
    log: int | None = None
    hidden: frozenset[str] = frozenset()

    def wrapped(self) -> tuple[str, ...]:
        """Return the whole command line, with what gives rights away before the program."""
        argv = self.argv
        if self.limits:
            argv = ("prlimit", *self.limits, "--", *argv)
        options: list[str] = []
        if self.user is not None:
            options += ["--reuid", str(self.user)]
        if self.group is not None:
            options += ["--regid", str(self.group)]
        if self.groups:
            options += ["--groups", ",".join(map(str, self.groups))]
        elif self.user is not None or self.group is not None:
            options.append("--clear-groups")
        if self.dropCapabilities:
            kept = "".join(f",+{name}" for name in self.keptCapabilities)
            options += [f"--inh-caps=-all{kept}", f"--bounding-set=-all{kept}"]
            if kept:
                options.append(f"--ambient-caps=-all{kept}")
        if self.noNewPrivileges:
            options.append("--no-new-privs")
        if options:
            argv = ("setpriv", *options, "--", *argv)
        return self.prefix + argv

    def wholeEnvironment(self, ours: Mapping[str, str]) -> dict[str, str]:
        """Return the environment it runs in."""
        found = {"LC_ALL": "C"}
        found.update((name, ours[name]) for name in (*INHERITED, *self.passed) if name in ours)
        found.update(self.environment)
        return found

    def shown(self) -> str:
        """Write it as one would type it in a shell."""
        words = [f"{name}={shlex.quote(value)}" for name, value in self.environment.items()]
        words += ["***" if word in self.hidden else shlex.quote(word) for word in self.wrapped()]
        text = " ".join(words)
        return f"(cd {shlex.quote(self.folder)}; {text})" if self.folder != "/" else text

    def named(self) -> str:
        """Write it as errors name it."""
        return " ".join(
            ["LC_ALL=C", *(f"{n}={v}" for n, v in self.environment.items()), *self.argv]
        )


class Finished(NamedTuple):
    """How a command ended: its exit status, or minus the signal that ended it; what it said on both streams."""

    status: int
    output: bytes
    errors: bytes


def commandError(command: Command, finished: Finished, domain: int = ErrorDomain.NONE) -> VirtError:
    """Make the error of a command that ended as it should not."""
    if finished.status < 0:
        how = f"fatal signal {-finished.status}"
    else:
        how = f"exit status {finished.status}"
    said = finished.errors.decode(errors="replace")
    return virtError(
        ErrorCode.INTERNAL_ERROR,
        f"Child process ({' '.join(command.argv)}) unexpected {how}"
        + (f": {said}" if said else ""),
        domain,
    )


def systemError(problem: BaseException, detail: str, domain: int = ErrorDomain.NONE) -> VirtError:
    """Make the error of something that the system refused."""
    number = getattr(problem, "errno", None)
    why = os.strerror(number) if isinstance(number, int) else str(problem)
    return virtError(
        ErrorCode.SYSTEM_ERROR,
        f"{detail}: {why}",
        domain,
        int1=number if isinstance(number, int) else -1,
    )
