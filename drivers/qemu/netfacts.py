"""
What the system knows of the traffic of guests' interfaces.
"""

from __future__ import annotations

from pyvirt.drivers.interfaces.values import InterfaceStats
from pyvirt.drivers.qemu.refusals import internal
from pyvirt.errors import ErrorDomain

__all__ = ["interfaceCounters"]


def interfaceCounters(name: str) -> InterfaceStats:
    """
    Tell the traffic of an interface of the host, seen from the guest: what the one sends the other receives.

    @raise VirtError: there is none such.
    """
    try:
        with open("/proc/net/dev", encoding="ascii", errors="replace") as file:
            for line in file:
                found, colon, rest = line.partition(":")
                if colon and found.strip() == name:
                    numbers = [int(each) for each in rest.split()]
                    received, sent = numbers[:4], numbers[8:12]
                    return InterfaceStats(*sent, *received)
    except (OSError, ValueError):
        pass
    raise internal("/proc/net/dev: Interface not found", ErrorDomain.NONE)
