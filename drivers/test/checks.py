"""
What makes a definition impossible here: what does anywhere, and what this driver cannot do.
"""

from __future__ import annotations

from pyvirt.definitions import domain
from pyvirt.errors import ErrorCode, ErrorDomain, virtError

__all__ = ["check"]


def check(definition: domain.DomainDefinition) -> None:
    """
    Complain of a definition whose parts contradict each other, or whose images are descriptors.

    @raise VirtError: with the first thing wrong.
    """
    for disk in definition.devices.disks:
        if disk.target is not None and getattr(disk.source, "fdgroup", None) is not None:
            raise virtError(
                ErrorCode.CONFIG_UNSUPPORTED,
                f"driver does not support FD passing for disk '{disk.target.dev}'",
                ErrorDomain.DOMAIN,
            )
    domain.check(definition)
