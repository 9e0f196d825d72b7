"""
Words for numbers: states of domains and why they are in them.
"""

from __future__ import annotations

__all__ = ["DOMAIN_STATES", "domainState"]

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
