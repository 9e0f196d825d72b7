"""
Which devices come and go while a guest runs.
"""

from __future__ import annotations

__all__ = ["BUSES", "CHARDEVS", "CONFIG", "LIVE"]

#: Buses of disks that do.
BUSES = ("virtio", "scsi", "usb")

CHARDEVS = ("serials", "parallels", "consoles", "channels")

#: What can be plugged into a running guest, and added to a definition.
LIVE = frozenset(
    [
        "disks",
        "controllers",
        "leases",
        "interfaces",
        "hostdevs",
        "redirdevs",
        *CHARDEVS,
        "rngs",
        "memories",
        "shmems",
        "watchdogs",
        "inputs",
        "vsock",
        "filesystems",
    ]
)
CONFIG = LIVE | {"sounds"}
