"""
Connections that heal themselves: how they are asked to (L{Healing}), and what they tell.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Any

import attrs

from pyvirt.errors import VirtError

if TYPE_CHECKING:
    from pyvirt.client.connect import Connect
    from pyvirt.client.domain import Domain
    from pyvirt.client.network import Network
    from pyvirt.client.storage import StoragePool

__all__ = [
    "Change",
    "ChangeKind",
    "ConnectionGivenUp",
    "ConnectionLost",
    "ConnectionRestored",
    "ConnectionRetried",
    "Happening",
    "Healing",
    "WhileAway",
]


class WhileAway(Enum):
    """What becomes of a call that is made while the connection is away."""

    WAIT = "wait"
    """It waits until the connection is back or given up, or its own deadline has passed."""

    FAIL = "fail"
    """It fails at once with L{NotConnected<pyvirt.errors.NotConnected>}."""


class ChangeKind(Enum):
    """How an object differs from what was known before the connection was lost."""

    APPEARED = "appeared"
    GONE = "gone"
    STATE = "state"
    """Its state is another."""

    RESTARTED = "restarted"
    """It is active, as it was, but it was stopped and started meanwhile: its id is another."""

    RENAMED = "renamed"
    """Its name is another, its state is not."""


@attrs.frozen
class Change:
    """
    What became of one domain, network or storage pool.

    @ivar kind: how it differs.
    @ivar object: its handle.
    @ivar before: its state when the connection was lost, None: it was not there.  Of a domain
        C{VIR_DOMAIN_RUNNING} and so on; of a network or pool 1 if it was active, else 0.
    @ivar now: its state, None: it is not there any more.
    """

    kind: ChangeKind
    object: Domain | Network | StoragePool
    before: int | None
    now: int | None


@attrs.frozen
class ConnectionLost:
    """
    The connection is away.

    @ivar reason: C{VIR_CONNECT_CLOSE_REASON_*}.
    """

    reason: int


@attrs.frozen
class ConnectionRetried:
    """
    The next attempt is due.

    @ivar attempt: its number since the connection was lost, from 1.
    @ivar delay: seconds until it begins.
    @ivar error: why the one before it failed; None: it is the first.
    """

    attempt: int
    delay: float
    error: Exception | None


@attrs.frozen
class ConnectionRestored:
    """
    The connection is back; told before any event that happens from now on.

    @ivar attempts: how many it took.
    @ivar away: seconds from its loss to now.
    @ivar changes: what became of domains, networks and pools meanwhile.
    @ivar compared: whether each of C{"domain"}, C{"network"} and C{"pool"} could be compared at all.
    @ivar silenced: registrations of events that the daemon refused to make again, with its error.
    """

    attempts: int
    away: float
    changes: tuple[Change, ...]
    compared: frozenset[str]
    silenced: tuple[VirtError, ...] = ()


@attrs.frozen
class ConnectionGivenUp:
    """
    No further attempt is made; every call fails from now on.

    @ivar error: why the last attempt failed; None: the time was over before there was one.
    """

    error: Exception | None


Happening = ConnectionLost | ConnectionRetried | ConnectionRestored | ConnectionGivenUp


def _positive(instance: Any, attribute: Any, value: Any) -> None:
    if value is not None and not value > 0:
        raise ValueError(f"{attribute.name} must be greater than zero, not {value!r}")


def _least1(instance: Any, attribute: Any, value: Any) -> None:
    if value is not None and not value >= 1:
        raise ValueError(f"{attribute.name} must be at least 1, not {value!r}")


def _fraction(instance: Any, attribute: Any, value: Any) -> None:
    if not 0 <= value <= 1:
        raise ValueError(f"{attribute.name} must be from 0 to 1, not {value!r}")


@attrs.frozen(kw_only=True)
class Healing:
    """
    How a connection heals itself.

    @ivar onChange: called with the connection and what happened, one of L{Happening}, in the order of events;
        may return a C{Deferred} or coroutine, which the next event then waits for.
    @ivar firstDelay: seconds before the first attempt.
    @ivar factor: how many times longer the delay before each further attempt is.
    @ivar longestDelay: seconds between attempts at most.
    @ivar jitter: which part of a delay is left to chance: 0.5 makes 10 seconds 5 to 10.
    @ivar attempts: how many are made before the connection is given up; None: any number.
    @ivar patience: seconds without a connection after which it is given up; None: any time.
    @ivar attemptTimeout: seconds that one attempt may take, with all that belongs to it.
    @ivar keepalive: seconds of silence before a ping, and pings without an answer, after which the daemon is dead;
        None: as C{setKeepAlive} says.
    @ivar whileAway: what becomes of calls made while the connection is away.
    @ivar waitingLimit: how many of them may wait; more fail at once.
    @ivar compare: whether domains, networks and pools are remembered, to tell what became of them.  It costs a list
        of all at every connection, and events of their lives.
    @ivar random: chance, from 0 to 1.
    """

    onChange: Callable[[Connect, Happening], Any] | None = None
    firstDelay: float = attrs.field(default=0.5, validator=_positive)
    factor: float = attrs.field(default=2.0, validator=_least1)
    longestDelay: float = attrs.field(default=60.0, validator=_positive)
    jitter: float = attrs.field(default=0.5, validator=_fraction)
    attempts: int | None = attrs.field(default=None, validator=_least1)
    patience: float | None = attrs.field(default=None, validator=_positive)
    attemptTimeout: float = attrs.field(default=30.0, validator=_positive)
    keepalive: tuple[int, int] | None = (5, 5)
    whileAway: WhileAway = WhileAway.WAIT
    waitingLimit: int = attrs.field(default=1000, validator=_least1)
    compare: bool = True
    random: Callable[[], float] = random.random
