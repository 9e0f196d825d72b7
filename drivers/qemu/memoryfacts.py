"""
What is known of a guest's memory.
"""

from __future__ import annotations

from typing import Any

from pyvirt import constants as c
from pyvirt.drivers.qemu.balloon import balloonPath
from pyvirt.drivers.qemu.domain import Domain
from pyvirt.drivers.qemu.guest import Guest
from pyvirt.drivers.qemu.procfs import residentKiB
from pyvirt.drivers.qemu.qmp import CommandFailed

__all__ = ["TAGS", "memoryStatistics"]

#: By name in bulk statistics, the tag of each.
TAGS = {
    "swap_in": c.VIR_DOMAIN_MEMORY_STAT_SWAP_IN,
    "swap_out": c.VIR_DOMAIN_MEMORY_STAT_SWAP_OUT,
    "major_fault": c.VIR_DOMAIN_MEMORY_STAT_MAJOR_FAULT,
    "minor_fault": c.VIR_DOMAIN_MEMORY_STAT_MINOR_FAULT,
    "unused": c.VIR_DOMAIN_MEMORY_STAT_UNUSED,
    "available": c.VIR_DOMAIN_MEMORY_STAT_AVAILABLE,
    "usable": c.VIR_DOMAIN_MEMORY_STAT_USABLE,
    "last-update": c.VIR_DOMAIN_MEMORY_STAT_LAST_UPDATE,
    "disk_caches": c.VIR_DOMAIN_MEMORY_STAT_DISK_CACHES,
    "hugetlb_pgalloc": c.VIR_DOMAIN_MEMORY_STAT_HUGETLB_PGALLOC,
    "hugetlb_pgfail": c.VIR_DOMAIN_MEMORY_STAT_HUGETLB_PGFAIL,
    "rss": c.VIR_DOMAIN_MEMORY_STAT_RSS,
}

#: What the guest tells, with whether it is in bytes.
_TOLD = (
    ("stat-swap-in", "swap_in", True),
    ("stat-swap-out", "swap_out", True),
    ("stat-major-faults", "major_fault", False),
    ("stat-minor-faults", "minor_fault", False),
    ("stat-free-memory", "unused", True),
    ("stat-total-memory", "available", True),
    ("stat-available-memory", "usable", True),
    ("stat-disk-caches", "disk_caches", True),
    ("stat-htlb-pgalloc", "hugetlb_pgalloc", False),
    ("stat-htlb-pgfail", "hugetlb_pgfail", False),
)


async def memoryStatistics(domain: Domain, guest: Guest) -> dict[int, int]:
    """Tell what is known, by C{VIR_DOMAIN_MEMORY_STAT_*}; sizes in KiB."""
    definition = domain.definition
    current = definition.currentMemory
    found = {
        c.VIR_DOMAIN_MEMORY_STAT_ACTUAL_BALLOON: (
            definition.memory.amount if current is None else current
        )
    }
    balloon = definition.devices.memballoon
    if balloon is not None and balloon.model not in (None, "none"):
        path = await balloonPath(guest)
        questions: list[tuple[str, dict[str, Any] | None]] = [("query-balloon", None)]
        if path is not None:
            questions.append(("qom-get", {"path": path, "property": "guest-stats"}))
        reply, *told = await guest.askAll(*questions)
        if isinstance(reply, CommandFailed):
            raise reply
        actual = reply.get("actual") if isinstance(reply, dict) else None
        if type(actual) is int and actual >= 0:
            found[c.VIR_DOMAIN_MEMORY_STAT_ACTUAL_BALLOON] = actual // 1024
        for each in told:
            found.update(_told(each))
    found[c.VIR_DOMAIN_MEMORY_STAT_RSS] = residentKiB(guest.pid)
    return found


def _told(reply: Any) -> dict[int, int]:
    """Read what a guest has told its balloon; nothing, if there is none to be asked."""
    stats: Any = reply.get("stats") if isinstance(reply, dict) else None
    found: dict[int, int] = {}
    for theirs, ours, inBytes in _TOLD:
        value = stats.get(theirs) if isinstance(stats, dict) else None
        # What a guest does not tell is the largest number there is.
        if type(value) is int and 0 <= value < (1 << 64) - 1:
            found[TAGS[ours]] = value // 1024 if inBytes else value
    updated = reply.get("last-update") if isinstance(reply, dict) else None
    if type(updated) is int and updated >= 0:
        found[TAGS["last-update"]] = updated
    return {tag: found[tag] for tag in TAGS.values() if tag in found}
