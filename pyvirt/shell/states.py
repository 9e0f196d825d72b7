"""
Words for numbers: states of domains and why they are in them.
"""

from __future__ import annotations

__all__ = ["DOMAIN_STATES", "domainReason", "domainState"]

DOMAIN_STATES = (
    "no state",
    "running",
    "idle",
    "paused",
    "in shutdown",
    "shut off",
    "crashed",
    "pmsuspended",
)


def domainState(number: int) -> str:
    """Name the state of a domain."""
    return DOMAIN_STATES[number] if 0 <= number < len(DOMAIN_STATES) else "no state"


_REASONS: tuple[tuple[str, ...], ...] = (
    ("unknown",),
    (
        "unknown",
        "booted",
        "migrated",
        "restored",
        "from snapshot",
        "unpaused",
        "migration canceled",
        "save canceled",
        "event wakeup",
        "crashed",
        "post-copy",
        "post-copy failed",
    ),
    ("unknown",),
    (
        "unknown",
        "user",
        "migrating",
        "saving",
        "dumping",
        "I/O error",
        "watchdog",
        "from snapshot",
        "shutting down",
        "creating snapshot",
        "crashed",
        "starting up",
        "post-copy",
        "post-copy failed",
    ),
    ("unknown", "user"),
    (
        "unknown",
        "shutdown",
        "destroyed",
        "crashed",
        "migrated",
        "saved",
        "failed",
        "from snapshot",
        "daemon",
    ),
    ("unknown", "panicked"),
    ("unknown",),
)


def domainReason(state: int, reason: int) -> str:
    """Say why a domain is in its state."""
    reasons = _REASONS[state] if 0 <= state < len(_REASONS) else ()
    return reasons[reason] if 0 <= reason < len(reasons) else "unknown"
