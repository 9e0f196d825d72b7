"""
What hangs off a domain of the test driver that only some ever have.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from pyvirt.drivers.interfaces.values import DomainTime
from pyvirt.drivers.moments import Moments
from pyvirt.drivers.test.domain import GUEST_TIME

__all__ = ["Extra", "Polling"]


@attrs.define
class Polling:
    """
    How an IO thread that was added to a domain polls.

    @ivar longest: nanoseconds that it polls for at most.
    @ivar grow: by what that time is multiplied when it was too short; 0 is the hypervisor's choice.
    @ivar shrink: by what it is divided when it was too long.
    """

    thread: int
    longest: int = 32768
    grow: int = 0
    shrink: int = 0


@attrs.define
class Extra:
    """
    What few domains have.

    @ivar snapshots: its states that can be gone back to.
    @ivar checkpoints: its states that changes are counted from.
    @ivar frozen: the mount points of file systems that are frozen.
    @ivar threads: the IO threads that were added, not those it was defined with; one that was added twice, to
        what runs and to what is defined, is here twice.
    @ivar time: what the guest's clock shows.
    @ivar autostartOnce: whether it is started when the host boots next, and that time only.
    @ivar jobs: what disks are busy with, by target.
    @ivar job: what the whole domain is busy with, None if with nothing.
    @ivar completed: the last such job that ended.
    @ivar sizes: bytes of disks that were resized, by target.
    @ivar migration: limits of migrations, None until one is set.
    @ivar arriving: the definition that comes with a guest that is migrated here.
    @ivar backup: the backup that is under way, None if none is.
    @ivar dirtying: how fast the guest changes its memory, if that was asked for.
    @ivar closing: what is called once when the guest ends, by whoever wants that.
    """

    snapshots: Moments[Any] = attrs.Factory(Moments)
    checkpoints: Moments[Any] = attrs.Factory(Moments)
    frozen: set[str] = attrs.Factory(set)
    threads: list[Polling] = attrs.Factory(list)
    time: DomainTime = GUEST_TIME
    autostartOnce: bool = False
    jobs: dict[str, Any] = attrs.Factory(dict)
    job: Any = None
    completed: Any = None
    sizes: dict[str, int] = attrs.Factory(dict)
    migration: Any = None
    arriving: Any = None
    dirtying: Any = None
    backup: Any = None
    closing: dict[Any, Callable[[], None]] = attrs.Factory(dict)
