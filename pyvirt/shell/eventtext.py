"""
Domain events as text: one function per kind, taking what the client's callbacks are given after the domain.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

__all__ = ["DOMAIN_EVENTS", "EventKind"]


class EventKind(NamedTuple):
    """
    A kind of domain event.

    @ivar text: makes the lines of an event from the domain's name and the event's details.
    """

    name: str
    text: Callable[..., str]


_LIFECYCLE = (
    ("Defined", ("Added", "Updated", "Renamed", "Snapshot")),
    ("Undefined", ("Removed", "Renamed")),
    ("Started", ("Booted", "Migrated", "Restored", "Snapshot", "Event wakeup")),
    (
        "Suspended",
        (
            "Paused",
            "Migrated",
            "I/O Error",
            "Watchdog",
            "Restored",
            "Snapshot",
            "API error",
            "Post-copy",
            "Post-copy Error",
        ),
    ),
    ("Resumed", ("Unpaused", "Migrated", "Snapshot", "Post-copy", "Post-copy Error")),
    ("Stopped", ("Shutdown", "Destroyed", "Crashed", "Migrated", "Saved", "Failed", "Snapshot")),
    (
        "Shutdown",
        ("Finished", "Finished after guest request", "Finished after host request"),
    ),
    ("PMSuspended", ("Memory", "Disk")),
    ("Crashed", ("Panicked", "Crashloaded")),
)
_WATCHDOG = ("none", "pause", "reset", "poweroff", "shutdown", "debug", "inject-nmi")
_IO_ERROR = ("none", "pause", "report")
_GRAPHICS_PHASE = ("connect", "initialize", "disconnect")
_ADDRESS = ("IPv4", "IPv6", "unix")
_BLOCK_JOB = (
    "Unknown job",
    "Block Pull",
    "Block Copy",
    "Block Commit",
    "Active Block Commit",
    "Backup",
)
_BLOCK_JOB_STATUS = ("completed", "failed", "canceled", "ready")
_DISK_CHANGE = ("changed", "dropped")
_TRAY = ("opened", "closed")
_AGENT_STATE = ("unknown", "connected", "disconnected")
_AGENT_REASON = ("unknown", "domain started", "channel event")
_METADATA = ("description", "title", "element")
_MEMORY_RECIPIENT = ("hypervisor", "guest")
_MEMORY_ACTION = ("ignore", "inject", "fatal", "reset")
ACTION_REQUIRED, RECURSIVE = 1, 2


def _word(words: tuple[str, ...], number: int) -> str:
    return words[number] if 0 <= number < len(words) else "unknown"


def _null(text: str | None) -> str:
    return "<null>" if text is None else text


def _plain(kind: str) -> Callable[..., str]:
    return lambda name, *details: f"event '{kind}' for domain '{name}'\n"


def _lifecycle(name: str, event: int, detail: int) -> str:
    word, details = _LIFECYCLE[event] if 0 <= event < len(_LIFECYCLE) else ("unknown", ())
    return f"event 'lifecycle' for domain '{name}': {word} {_word(details, detail)}\n"


def _rtcChange(name: str, offset: int) -> str:
    return f"event 'rtc-change' for domain '{name}': {offset}\n"


def _watchdog(name: str, action: int) -> str:
    return f"event 'watchdog' for domain '{name}': {_word(_WATCHDOG, action)}\n"


def _ioError(name: str, source: str, device: str, action: int) -> str:
    return f"event 'io-error' for domain '{name}': {source} ({device}) {_word(_IO_ERROR, action)}\n"


def _ioErrorReason(name: str, source: str, device: str, action: int, reason: str) -> str:
    return (
        f"event 'io-error-reason' for domain '{name}': {source} ({device}) "
        f"{_word(_IO_ERROR, action)} due to {reason}\n"
    )


def _graphics(
    name: str,
    phase: int,
    local: dict[str, Any],
    remote: dict[str, Any],
    scheme: str,
    subject: list[tuple[str, str]],
) -> str:
    def address(parts: dict[str, Any]) -> str:
        return f"[{_word(_ADDRESS, parts['family'])} {parts['node']} {parts['service']}]"

    line = (
        f"event 'graphics' for domain '{name}': {_word(_GRAPHICS_PHASE, phase)} "
        f"local{address(local)} remote{address(remote)} {scheme}"
    )
    return line + "".join(f"\n\t{kind}={value}" for kind, value in subject) + "\n"


def _blockJob(kind: str) -> Callable[..., str]:
    def text(name: str, disk: str, job: int, status: int) -> str:
        return (
            f"event '{kind}' for domain '{name}': {_word(_BLOCK_JOB, job)} for {disk} "
            f"{_word(_BLOCK_JOB_STATUS, status)}\n"
        )

    return text


def _diskChange(name: str, old: str | None, new: str | None, device: str, reason: int) -> str:
    return (
        f"event 'disk-change' for domain '{name}' disk {device}: {_null(old)} -> {_null(new)}: "
        f"{_word(_DISK_CHANGE, reason)}\n"
    )


def _trayChange(name: str, device: str, reason: int) -> str:
    return f"event 'tray-change' for domain '{name}' disk {device}: {_word(_TRAY, reason)}\n"


def _balloonChange(name: str, actual: int) -> str:
    return f"event 'balloon-change' for domain '{name}': {actual}KiB\n"


def _device(kind: str) -> Callable[..., str]:
    return lambda name, device: f"event '{kind}' for domain '{name}': {device}\n"


def _parameters(kind: str) -> Callable[..., str]:
    def text(name: str, parameters: dict[str, Any]) -> str:
        lines = "".join(f"\t{field}: {_value(value)}\n" for field, value in parameters.items())
        return f"event '{kind}' for domain '{name}':\n{lines}"

    return text


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:f}"
    return str(value)


def _agent(name: str, state: int, reason: int) -> str:
    return (
        f"event 'agent-lifecycle' for domain '{name}': state: '{_word(_AGENT_STATE, state)}' "
        f"reason: '{_word(_AGENT_REASON, reason)}'\n"
    )


def _migrationIteration(name: str, iteration: int) -> str:
    return f"event 'migration-iteration' for domain '{name}': iteration: '{iteration}'\n"


def _metadataChange(name: str, kind: int, uri: str | None) -> str:
    return (
        f"event 'metadata-change' for domain '{name}': type {_word(_METADATA, kind)}, "
        f"uri {_null(uri)}\n"
    )


def _blockThreshold(name: str, device: str, path: str | None, threshold: int, excess: int) -> str:
    return (
        f"event 'block-threshold' for domain '{name}': dev: {device}({_null(path)}) "
        f"{threshold} {excess}\n"
    )


def _memoryFailure(name: str, recipient: int, action: int, flags: int) -> str:
    return (
        f"event 'memory-failure' for domain '{name}':\n"
        f"recipient: {_word(_MEMORY_RECIPIENT, recipient)}\n"
        f"action: {_word(_MEMORY_ACTION, action)}\n"
        f"flags:\n\taction required: {int(bool(flags & ACTION_REQUIRED))}\n"
        f"\trecursive: {int(bool(flags & RECURSIVE))}\n"
    )


def _memorySize(name: str, alias: str, size: int) -> str:
    return f"event 'memory-device-size-change' for domain '{name}':\nalias: {alias}\nsize: {size}\n"


#: All kinds; the index is the number under which a kind is registered.
DOMAIN_EVENTS: tuple[EventKind, ...] = (
    EventKind("lifecycle", _lifecycle),
    EventKind("reboot", _plain("reboot")),
    EventKind("rtc-change", _rtcChange),
    EventKind("watchdog", _watchdog),
    EventKind("io-error", _ioError),
    EventKind("graphics", _graphics),
    EventKind("io-error-reason", _ioErrorReason),
    EventKind("control-error", _plain("control-error")),
    EventKind("block-job", _blockJob("block-job")),
    EventKind("disk-change", _diskChange),
    EventKind("tray-change", _trayChange),
    EventKind("pm-wakeup", _plain("pm-wakeup")),
    EventKind("pm-suspend", _plain("pm-suspend")),
    EventKind("balloon-change", _balloonChange),
    EventKind("pm-suspend-disk", _plain("pm-suspend-disk")),
    EventKind("device-removed", _device("device-removed")),
    EventKind("block-job-2", _blockJob("block-job-2")),
    EventKind("tunable", _parameters("tunable")),
    EventKind("agent-lifecycle", _agent),
    EventKind("device-added", _device("device-added")),
    EventKind("migration-iteration", _migrationIteration),
    EventKind("job-completed", _parameters("job-completed")),
    EventKind("device-removal-failed", _device("device-removal-failed")),
    EventKind("metadata-change", _metadataChange),
    EventKind("block-threshold", _blockThreshold),
    EventKind("memory-failure", _memoryFailure),
    EventKind("memory-device-size-change", _memorySize),
)
