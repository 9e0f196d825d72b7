"""
A daemon that offers less: as one of an older release would, or without certain procedures and features.

Numbers of procedures only grow, so an older daemon has those before the first of a later release; of the others it says
that they are unknown, as they all do.
"""

from __future__ import annotations

import copy
from collections.abc import Collection
from typing import Any

from pyvirt.daemon.calls import OWN, PROGRAMS
from pyvirt.daemon.server import Server
from pyvirt.protocols.procedures import Program
from pyvirt.protocols.programs import REMOTE

__all__ = ["FEATURES", "offerLess"]

FEATURES = {
    4: "0.7.2",  # peer to peer migration
    5: "0.7.2",  # direct migration
    6: "0.9.2",  # migration in five steps
    7: "0.9.4",  # a domain is protected while it is migrated
    8: "0.9.7",  # descriptors are passed
    9: "0.9.8",  # typed parameters may be strings
    10: "0.9.8",  # keepalive
    11: "1.0.0",  # definitions for migration
    12: "1.0.1",  # offline migration
    13: "1.1.0",  # migration with typed parameters
    14: "1.2.1",  # events by number of the callback
    15: "1.3.2",  # the loss of the hypervisor is told
    16: "7.2.0",  # arguments of network updates in their order
}
"""Features that clients ask for, and the release that brought them."""


def release(text: str) -> tuple[int, ...]:
    """Read a release's number."""
    return tuple(int(part) for part in text.split("."))


def number(text: str) -> int:
    """Return a release's number as libvirt counts: a million, a thousand, one."""
    parts = (*release(text), 0, 0)
    return parts[0] * 1_000_000 + parts[1] * 1000 + parts[2]


def _limited(program: Program, version: str | None, without: Collection[str]) -> Program:
    first = max(program.procedures) + 1
    if version is not None:
        known = release(version)
        # Those without a release of their own came with their neighbours.
        first = min(
            (each.number for each in program if each.since and release(each.since) > known),
            default=first,
        )
    limited = copy.copy(program)
    limited.procedures = {
        each.number: each for each in program if each.number < first and each.name not in without
    }
    limited.byName = {each.name: each for each in limited.procedures.values()}
    return limited


def offerLess(
    server: Server,
    version: str | None = None,
    without: Collection[str] = (),
    lacking: Collection[int] = (),
) -> None:
    """
    Have a server offer less from now on, or all of it again.

    @param version: the release that it is of, such as C{1.0.5}; None: today's.
    @param without: names of procedures that it does not know.
    @param lacking: numbers of features that it does not have, C{VIR_DRV_FEATURE_*}.
    @raise ValueError: there is no such procedure, or the release has no number.
    """
    for name in without:
        if not any(name in program.byName for program in PROGRAMS.values()):
            raise ValueError(f"there is no procedure {name!r}")
    unknown = set(lacking)
    if version is not None:
        unknown |= {each for each, since in FEATURES.items() if release(since) > release(version)}
    answer = OWN[REMOTE.byName["connectSupportsFeature"]]

    def supports(session: Any, arguments: tuple[Any, ...]) -> Any:
        return False if arguments[0] in unknown else answer(session, arguments)

    own = {**OWN, REMOTE.byName["connectSupportsFeature"]: supports}
    if version is not None:
        mine = number(version)
        own[REMOTE.byName["connectGetLibVersion"]] = lambda session, arguments: mine
    server.programs = {
        each: _limited(program, version, without) for each, program in PROGRAMS.items()
    }
    server.own = own
    # What was called before may be unknown now.
    server.forgetCalls()
