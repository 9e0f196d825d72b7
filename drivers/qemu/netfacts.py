"""
What the system knows of the traffic of guests' interfaces.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyvirt.drivers.assigned.pci import pciName
from pyvirt.drivers.interfaces.values import InterfaceStats
from pyvirt.drivers.qemu.assigning import assigned
from pyvirt.drivers.qemu.refusals import internal
from pyvirt.errors import ErrorDomain

if TYPE_CHECKING:
    from pyvirt.drivers.qemu.hypervisor import Hypervisor

__all__ = ["interfaceCounters", "passedCounters"]


def passedCounters(hypervisor: Hypervisor, nic: Any) -> InterfaceStats:
    """
    Tell the traffic of a card that is a function of a device of the host, as that counts it.

    @raise VirtError: it does not say.
    """
    found = assigned(hypervisor).statistics(pciName(nic.source.pci))
    names = ("bytes", "packets", "errs", "drop")
    # Of errors it knows nothing.
    counts = {f"{way}_errs": -1 for way in ("rx", "tx")} | found
    return InterfaceStats(
        *(counts.get(f"{way}_{name}", -1) for way in ("rx", "tx") for name in names)
    )


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
