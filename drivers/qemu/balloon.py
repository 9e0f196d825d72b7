"""
The balloon: how a guest's memory is asked for and told.
"""

from __future__ import annotations

from typing import Any

from pyvirt.drivers.qemu.guest import Guest

__all__ = ["balloonPath", "setPeriod"]


async def balloonPath(guest: Guest) -> str | None:
    """Find where QEMU keeps the balloon, None if there is none.  It stays there as long as the guest runs."""
    if guest.balloon is not None:
        return guest.balloon
    for folder in ("/machine/peripheral", "/machine/peripheral-anon"):
        for each in await guest.execute("qom-list", {"path": folder}):
            if isinstance(each, dict) and str(each.get("type", "")).startswith(
                "child<virtio-balloon"
            ):
                guest.balloon = f"{folder}/{each['name']}"
                return guest.balloon
    return None


async def setPeriod(guest: Guest, seconds: int) -> bool:
    """Say how often the balloon asks the guest; fires with whether there is one."""
    path = await balloonPath(guest)
    if path is None:
        return False
    arguments: dict[str, Any] = {
        "path": path,
        "property": "guest-stats-polling-interval",
        "value": seconds,
    }
    await guest.execute("qom-set", arguments)
    return True
