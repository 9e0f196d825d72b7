"""
Time as the guest sees it.
"""

from __future__ import annotations

from typing import Any, ClassVar

from pyvirt.definitions.kinds import (
    BOOLEAN,
    FILLED,
    ULONG_NZ,
    Kind,
    choice,
    internal,
    number,
    unsupported,
    xmlError,
)
from pyvirt.definitions.reader import Node
from pyvirt.definitions.schema import Context, attribute, element, elements, replaced
from pyvirt.definitions.values import definition

__all__ = ["CatchUp", "Clock", "Timer"]


@definition
class CatchUp:
    """How lost ticks are made up for."""

    xmlOmitEmpty: ClassVar[bool] = True

    threshold: int | None = attribute(ULONG_NZ)
    slew: int | None = attribute(ULONG_NZ)
    limit: int | None = attribute(ULONG_NZ)


@definition
class Timer:
    """A timer, and what becomes of ticks that the guest missed."""

    xmlOrder: ClassVar[str] = "name present tickpolicy track frequency mode catchup"

    name: str = attribute(
        choice("platform pit rtc hpet tsc kvmclock hypervclock armvtimer"), required=True
    )
    present: bool | None = attribute(BOOLEAN)
    tickpolicy: str | None = attribute(choice("delay catchup merge discard"))
    track: str | None = attribute(choice("boot guest wall realtime"))
    frequency: int | None = attribute(ULONG_NZ)
    mode: str | None = attribute(choice("auto native emulate paravirt smpsafe"))
    catchup: CatchUp | None = element(CatchUp)


@definition
class Clock:
    """What the guest's clock starts from."""

    xmlReadOrder: ClassVar[str] = "offset"

    offset: str | None = attribute(
        choice(
            "utc localtime variable timezone absolute",
            error=unsupported("unknown clock offset '{text}'"),
            empty=True,
        ),
        default="utc",
    )
    adjustment: str | None = attribute()
    basis: str | None = attribute(
        choice("utc localtime", error=unsupported("unknown clock basis '{text}'"), empty=True)
    )
    timezone: str | None = attribute(FILLED)
    start: int | None = attribute(
        Kind(
            lambda text, node, name: (
                number(text, bits=64) if node.get("offset") == "absolute" else None
            )
        )
    )
    timers: tuple[Timer, ...] = elements(Timer, "timer")

    def settle(self, node: Node, context: Context) -> Clock:
        """Keep what belongs to the offset."""
        kind = self.offset or "utc"
        changes: dict[str, Any] = {
            "offset": kind,
            "adjustment": None,
            "basis": None,
            "timezone": None,
            "start": None,
        }
        adjustment = self.adjustment
        if kind in ("utc", "localtime"):
            if adjustment:
                if adjustment == "reset":
                    changes["adjustment"] = "reset"
                else:
                    value = _adjustment(adjustment)
                    changes.update(offset="variable", adjustment=str(value), basis=kind)
        elif kind == "variable":
            value = number(adjustment or "", bits=64, signed=True) or 0
            changes.update(adjustment=str(value), basis=self.basis or "utc")
        elif kind == "timezone":
            if self.timezone is None:
                raise internal("missing 'timezone' attribute for clock with offset='timezone'")(
                    "", node, ""
                )
            changes["timezone"] = self.timezone
        elif kind == "absolute":
            if self.start is None:
                raise internal("missing 'start' attribute for clock with offset='absolute'")(
                    "", node, ""
                )
            changes["start"] = self.start
        return replaced(self, **changes)


def _adjustment(text: str) -> int:
    value = number(text, bits=64, signed=True)
    if value is None:
        raise xmlError(f"unknown clock adjustment '{text}'")
    return value
