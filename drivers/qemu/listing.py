"""
Which domains a list has: L{domainFilter}.
"""

from __future__ import annotations

from collections.abc import Callable

from pyvirt import constants as c
from pyvirt.drivers.qemu.domain import Domain

__all__ = ["LIST_FLAGS", "domainFilter"]

Test = Callable[[Domain], bool]

_SHOWN = (c.VIR_DOMAIN_RUNNING, c.VIR_DOMAIN_PAUSED, c.VIR_DOMAIN_SHUTOFF)

#: Groups of filters: a domain passes a group if any of the group's flags that are given lets it.
_GROUPS: tuple[dict[int, Test], ...] = (
    {
        c.VIR_CONNECT_LIST_DOMAINS_ACTIVE: lambda domain: domain.active,
        c.VIR_CONNECT_LIST_DOMAINS_INACTIVE: lambda domain: not domain.active,
    },
    {
        c.VIR_CONNECT_LIST_DOMAINS_PERSISTENT: lambda domain: domain.persistent,
        c.VIR_CONNECT_LIST_DOMAINS_TRANSIENT: lambda domain: not domain.persistent,
    },
    {
        c.VIR_CONNECT_LIST_DOMAINS_RUNNING: lambda domain: domain.state == c.VIR_DOMAIN_RUNNING,
        c.VIR_CONNECT_LIST_DOMAINS_PAUSED: lambda domain: domain.state == c.VIR_DOMAIN_PAUSED,
        c.VIR_CONNECT_LIST_DOMAINS_SHUTOFF: lambda domain: domain.state == c.VIR_DOMAIN_SHUTOFF,
        c.VIR_CONNECT_LIST_DOMAINS_OTHER: lambda domain: domain.state not in _SHOWN,
    },
    {
        c.VIR_CONNECT_LIST_DOMAINS_MANAGEDSAVE: lambda domain: domain.managedSave,
        c.VIR_CONNECT_LIST_DOMAINS_NO_MANAGEDSAVE: lambda domain: not domain.managedSave,
    },
    {
        c.VIR_CONNECT_LIST_DOMAINS_AUTOSTART: lambda domain: domain.autostart,
        c.VIR_CONNECT_LIST_DOMAINS_NO_AUTOSTART: lambda domain: not domain.autostart,
    },
    {
        c.VIR_CONNECT_LIST_DOMAINS_HAS_SNAPSHOT: lambda domain: False,
        c.VIR_CONNECT_LIST_DOMAINS_NO_SNAPSHOT: lambda domain: True,
    },
    {
        c.VIR_CONNECT_LIST_DOMAINS_HAS_CHECKPOINT: lambda domain: False,
        c.VIR_CONNECT_LIST_DOMAINS_NO_CHECKPOINT: lambda domain: True,
    },
)

#: All flags that the filters know.
LIST_FLAGS = sum(flag for group in _GROUPS for flag in group)


def domainFilter(flags: int) -> Test | None:
    """
    Make the test that C{VIR_CONNECT_LIST_DOMAINS_*} ask for.

    @return: None if every domain passes.
    """
    groups: list[list[Test]] = []
    for group in _GROUPS:
        given = [test for flag, test in group.items() if flags & flag]
        if given and len(given) < len(group):
            groups.append(given)
    if not groups:
        return None
    return lambda domain: all(any(test(domain) for test in group) for group in groups)
