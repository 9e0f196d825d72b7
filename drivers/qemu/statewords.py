"""
States and reasons in the words of libvirt's documents, and back.
"""

from __future__ import annotations

from pyvirt import constants as c

__all__ = ["reasonNumber", "reasonWord", "stateNumber", "stateWord"]

_STATES = [
    "nostate",
    "running",
    "blocked",
    "paused",
    "shutdown",
    "shutoff",
    "crashed",
    "pmsuspended",
]

_REASONS: dict[int, list[str]] = {
    c.VIR_DOMAIN_NOSTATE: ["unknown"],
    c.VIR_DOMAIN_RUNNING: [
        "unknown",
        "booted",
        "migrated",
        "restored",
        "from-snapshot",
        "unpaused",
        "migration-canceled",
        "save-canceled",
        "wakeup",
        "crashed",
        "post-copy",
        "post-copy-failed",
    ],
    c.VIR_DOMAIN_BLOCKED: ["unknown"],
    c.VIR_DOMAIN_PAUSED: [
        "unknown",
        "user",
        "migration",
        "save",
        "dump",
        "ioerror",
        "watchdog",
        "from-snapshot",
        "shutdown",
        "snapshot",
        "panicked",
        "starting-up",
        "post-copy",
        "post-copy-failed",
        "api-error",
    ],
    c.VIR_DOMAIN_SHUTDOWN: ["unknown", "user"],
    c.VIR_DOMAIN_SHUTOFF: [
        "unknown",
        "shutdown",
        "destroyed",
        "crashed",
        "migrated",
        "saved",
        "failed",
        "from-snapshot",
        "daemon",
    ],
    c.VIR_DOMAIN_CRASHED: ["unknown", "panicked"],
    c.VIR_DOMAIN_PMSUSPENDED: ["unknown"],
}


def stateWord(state: int) -> str:
    """Name a state."""
    return _STATES[state] if 0 <= state < len(_STATES) else "nostate"


def reasonWord(state: int, reason: int) -> str:
    """Name a reason."""
    words = _REASONS.get(state, [])
    return words[reason] if 0 <= reason < len(words) else "unknown"


def stateNumber(word: str) -> int:
    """Find a state; unknown ones are C{VIR_DOMAIN_NOSTATE}."""
    return _STATES.index(word) if word in _STATES else 0


def reasonNumber(state: int, word: str) -> int:
    """Find a reason; unknown ones are 0."""
    words = _REASONS.get(state, [])
    return words.index(word) if word in words else 0
