"""
What a scenario says, as values: L{Scenario} and its parts.

docs/testing-your-tool.md describes the same words for those who write scenarios.
"""

from __future__ import annotations

from typing import Any

import attrs

from pyvirt.drivers.interfaces.faults import CallNames
from pyvirt.drivers.test.scenario.values import Duration, Patterns

__all__ = ["ACTIONS", "Change", "Fault", "Job", "Latency", "Scenario", "Storm", "Template"]

ACTIONS = ("error", "delay", "hang", "disconnect", "cut", "garble", "noise", "freeze")
"""What a fault can do to a call."""


@attrs.frozen(kw_only=True)
class Template:
    """
    Objects of one kind, made from one pattern.

    @ivar kind: C{domains}, C{networks}, C{pools} or C{volumes}.
    @ivar name: the name, C{{n}} standing for the number.
    @ivar count: how many; they are numbered from C{first}.
    @ivar states: which states, and their weights.
    @ivar xml: the definition, C{{name}}, C{{n}} and C{{uuid}} being replaced; None: a plain one.
    @ivar memory: KiB.
    @ivar capacity: bytes.
    @ivar volumes: in each pool.
    """

    kind: str
    name: str
    count: int = 1
    first: int = 1
    states: tuple[tuple[str, float], ...] = (("running", 1.0),)
    autostart: bool = False
    transient: bool = False
    xml: str | None = None
    memory: int = 524288
    vcpus: int = 1
    capacity: int = 1 << 30
    volumes: tuple[Template, ...] = ()


@attrs.frozen(kw_only=True)
class Latency:
    """How long calls take; the first that fits a call is its latency."""

    calls: Patterns | None = None
    objects: Patterns | None = None
    time: Duration


@attrs.frozen(kw_only=True)
class Fault:
    """
    What goes wrong with some calls; the first that strikes a call is what happens to it.

    @ivar name: what it is armed and disarmed by.
    @ivar action: one of L{ACTIONS}.
    @ivar skip: calls that it lets pass first.
    @ivar times: how often it strikes; None: always.
    @ivar probability: that it strikes a call that it fits.
    @ivar after: whether what was asked for has been done when it strikes.
    @ivar time: how long the call waits first.
    @ivar detail: of an error: what its message says, None: the code's own text.
    @ivar text: of an error: the whole message, whatever the code.
    @ivar share: of C{cut}: how much of the reply is sent.
    """

    name: str
    calls: Patterns | None = None
    objects: Patterns | None = None
    action: str = "error"
    code: int = 1
    domain: int = 12
    detail: str | None = None
    text: str | None = None
    skip: int = 0
    times: int | None = None
    probability: float = 1.0
    after: bool = False
    time: Duration | None = None
    armed: bool = True
    share: float = 0.5


@attrs.frozen(kw_only=True)
class Job:
    """
    Calls that are long operations of a domain: they can be watched and aborted.

    @ivar time: how long they take.
    @ivar total: bytes that they have to do with.
    @ivar failAt: how far they come before they fail, 0 to 1; None: they do not.
    @ivar probability: that one fails, where C{failAt} says how far it comes.
    """

    calls: Patterns
    objects: Patterns | None = None
    time: Duration
    total: int = 1 << 30
    failAt: float | None = None
    probability: float = 1.0
    code: int = 9
    text: str | None = None


@attrs.frozen(kw_only=True)
class Storm:
    """
    Events that are told though nothing has changed.

    @ivar events: which, in turn: C{lifecycle:stopped:crashed}, C{reboot}, C{network-lifecycle:started}.
    @ivar objects: about which, in turn.
    @ivar at: when it begins; None: when it is asked for by name.
    @ivar rate: events in a second.
    @ivar count: how many.
    @ivar burst: how many at a time.
    """

    name: str
    events: tuple[Any, ...]
    objects: Patterns | None = None
    at: Duration | None = None
    rate: float = 100.0
    count: int = 100
    burst: int = 1


@attrs.frozen(kw_only=True)
class Change:
    """
    What happens by itself.

    @ivar kind: C{domain}, C{network} or C{pool}.
    @ivar action: what happens to them, or C{arm}, C{disarm}, C{storm} with the name in C{target}.
    @ivar at: when; where times differ, for each object that there is at the beginning.
    @ivar every: again and again after that; None: once.
    @ivar times: how often at most, where it is again and again.
    """

    action: str
    kind: str = "domain"
    objects: Patterns | None = None
    target: str | None = None
    at: Duration
    every: Duration | None = None
    times: int | None = None


@attrs.frozen(kw_only=True)
class Scenario:
    """
    A world and what happens in it.

    @ivar seed: of everything that is drawn or made up.
    @ivar base: what there is before templates: C{default}, C{empty} or the path of a host's file.
    @ivar keep: whether the world outlives its last connection.
    @ivar virtual: whether its time stands still until it is moved.
    @ivar start: of virtual time, seconds since 1970.
    @ivar callNames: tells what calls there are, for faults that are added later; None: not known.
    """

    callNames: CallNames | None = attrs.field(default=None, eq=False, repr=False)
    seed: int = 0
    base: str = "default"
    keep: bool = False
    virtual: bool = False
    start: float = 0.0
    templates: tuple[Template, ...] = ()
    latencies: tuple[Latency, ...] = ()
    faults: tuple[Fault, ...] = ()
    jobs: tuple[Job, ...] = ()
    storms: tuple[Storm, ...] = ()
    changes: tuple[Change, ...] = ()
