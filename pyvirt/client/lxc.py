"""
What only LXC has: the functions of the binding's C{libvirt_lxc}.
"""

from __future__ import annotations

import os
import re
from typing import Any

from pyvirt.client.deferring import deferred
from pyvirt.client.domain import Domain
from pyvirt.protocols.programs import LXC

__all__ = ["lxcEnterCGroup", "lxcOpenNamespace"]


@deferred
async def lxcOpenNamespace(domain: Domain, flags: int) -> list[int]:
    """
    Open the namespaces of a container.

    @return: fires with descriptors for C{setns}, which are the caller's to close.
    """
    answer: Any = await domain.connect()._stubs.lxcCalls.withDescriptors(
        LXC.byName["domainOpenNamespace"], (domain._ref, flags), []
    )
    return list(answer[1])


@deferred
async def lxcEnterCGroup(domain: Domain, flags: int) -> int:
    """
    Move this process into the control groups of a container, which must run on this host.

    @return: fires with 0; with -1 if that cannot be done or the connection is read-only: like the binding's, this
        call does not raise.
    """
    session = domain.connect()._session
    if session.readOnly or flags or domain.ID() <= 0:
        return -1
    try:
        for folder in controlGroups(_read(f"/proc/{domain.ID()}/cgroup"), _read("/proc/mounts")):
            with open(os.path.join(folder, "cgroup.procs"), "w") as file:
                file.write(str(os.getpid()))
    except OSError:
        return -1
    return 0


def _read(path: str) -> str:
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        return file.read()


def controlGroups(membership: str, mounts: str) -> list[str]:
    """
    Find the folders of a process's control groups.

    @param membership: its C{/proc/PID/cgroup}.
    @param mounts: C{/proc/mounts}.
    """
    places: dict[str, str] = {}
    for line in mounts.splitlines():
        fields = line.split()
        if len(fields) < 4 or fields[2] not in ("cgroup", "cgroup2"):
            continue
        where = re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), fields[1])
        for name in fields[3].split(",") if fields[2] == "cgroup" else [""]:
            places.setdefault(name, where)
    found: list[str] = []
    for line in membership.splitlines():
        _, controllers, path = line.split(":", 2)
        for name in controllers.split(","):
            place = places.get(name)
            if place is None:
                continue
            folder = os.path.join(place, path.lstrip("/"))
            if folder not in found:
                found.append(folder)
    return found
