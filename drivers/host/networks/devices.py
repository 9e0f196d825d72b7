"""
Devices of the host that networks give to guests or share among them: which there are, and which is next.

A network may name a device that has virtual functions of its own; they are found when it starts, and are its devices
as long as it is active.
"""

from __future__ import annotations

import os
import re
from typing import Any

from pyvirt.definitions.domain._address import PCIAddress
from pyvirt.definitions.network import ForwardInterface, NetworkDefinition
from pyvirt.definitions.networkport import NetworkPortDefinition
from pyvirt.definitions.schema import replaced
from pyvirt.drivers.host.networks.network import Network
from pyvirt.drivers.refusals import internal
from pyvirt.errors import ErrorDomain

__all__ = [
    "countedName",
    "deviceOf",
    "isVirtualFunction",
    "nextDevice",
    "sysfsName",
    "withFunctions",
]

_DOMAIN = ErrorDomain.NETWORK
_DEVICES, _NETWORKS = "/sys/bus/pci/devices", "/sys/class/net"
_ADDRESS = re.compile(r"([0-9a-f]{4,8}):([0-9a-f]{2}):([0-9a-f]{2})\.([0-7])\Z").match
_FUNCTION = re.compile(r"virtfn([0-9]+)\Z").match


def sysfsName(address: PCIAddress) -> str:
    """Return where the system describes a PCI device."""
    place = f"{address.domain or 0:04x}:{address.bus or 0:02x}:{address.slot or 0:02x}"
    return f"{_DEVICES}/{place}.{address.function or 0}"


def isVirtualFunction(address: PCIAddress) -> bool:
    """Return whether a PCI device is a virtual function of another that is there."""
    return os.path.lexists(f"{sysfsName(address)}/physfn")


def _functions(device: str) -> list[str]:
    """Return where the system describes the virtual functions of a network device, in their order."""
    folder = f"{_NETWORKS}/{device}/device"
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    found = sorted((int(match[1]), name) for name in names if (match := _FUNCTION(name)))
    return [os.path.realpath(os.path.join(folder, name)) for _, name in found]


def _networkNames(folder: str) -> list[str]:
    """Return the network devices of a PCI device, often none: other drivers have none."""
    try:
        return sorted(os.listdir(os.path.join(folder, "net")))
    except OSError:
        return []


def withFunctions(definition: NetworkDefinition) -> NetworkDefinition:
    """
    Say which devices a network has that names only the one whose functions they are.

    @raise VirtError: it has none that are of use.
    """
    forward = definition.forward
    if forward is None or forward.pf is None or forward.interfaces or forward.addresses:
        return definition
    folders = _functions(forward.pf)
    if forward.mode == "hostdev":
        found = [_ADDRESS(os.path.basename(folder)) for folder in folders]
        addresses = [
            PCIAddress(
                type="pci",
                domain=int(match[1], 16),
                bus=int(match[2], 16),
                slot=int(match[3], 16),
                function=int(match[4]),
            )
            for match in found
            if match is not None
        ]
        forward, there = replaced(forward, addresses=tuple(addresses)), bool(addresses)
    else:
        names = [_networkNames(folder)[:1] for folder in folders]
        interfaces = tuple(ForwardInterface(dev=name) for each in names for name in each)
        forward, there = replaced(forward, interfaces=interfaces), bool(interfaces)
    if not there:
        raise internal(f"No usable Vf's present on SRIOV PF {forward.pf}", _DOMAIN)
    return replaced(definition, forward=forward)


def deviceOf(port: NetworkPortDefinition) -> str | None:
    """Return what is counted of a port: the device of the host that it has, None where it has none of its own."""
    plug = port.plug
    if plug is None:
        return None
    return sysfsName(plug.address) if plug.address is not None else plug.dev


def countedName(device: ForwardInterface | PCIAddress) -> str:
    """Return the name by which guests in a device are counted."""
    return sysfsName(device) if isinstance(device, PCIAddress) else device.dev or ""


def nextDevice(network: Network, exclusive: bool) -> Any:
    """
    Return the device of a network that has the fewest guests, the first of several.

    @param exclusive: only one that has none will do.
    @return: a L{ForwardInterface} or a L{PCIAddress}.
    @raise VirtError: there is none.
    """
    forward = network.definition.forward
    devices: tuple[Any, ...] = ()
    if forward is not None:
        devices = forward.interfaces or forward.addresses
    if not exclusive:
        return min(devices, key=lambda each: network.uses.get(countedName(each), 0))
    # Where counts were lost there still are not two guests in what is for one.
    taken = {deviceOf(port) for port in network.ports.values()}
    for device in devices:
        name = countedName(device)
        if not network.uses.get(name) and name not in taken:
            return device
    raise internal(
        f"network '{network.ref.name}' requires exclusive access to interfaces, but none are "
        "available",
        _DOMAIN,
    )
