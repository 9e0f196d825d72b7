"""
What cannot be had of a network, whatever it is: looked for when one is defined or created.

The checks are made in libvirtd's order, so that a network with several faults is refused for the same one.
"""

from __future__ import annotations

from typing import Any

from pyvirt.definitions.network import NetworkDefinition
from pyvirt.drivers.host.networks.devices import isVirtualFunction, sysfsName
from pyvirt.drivers.host.networks.network import HOSTED, modeOf, versionOf
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["checkNetwork"]


def checkNetwork(definition: NetworkDefinition) -> None:
    """
    Complain of what a network cannot have.

    @raise VirtError: CONFIG_UNSUPPORTED.
    """
    shared = modeOf(definition) not in HOSTED
    bridged = modeOf(definition) == "bridge" and definition.bridge is not None
    limited = not shared or bool(bridged and definition.bridge and definition.bridge.name)
    if shared:
        _checkParts(definition, limited)
    _checkDevices(definition)
    _checkServices(definition)
    _checkGroups(definition, limited)


def _unsupported(detail: str) -> VirtError:
    return virtError(ErrorCode.CONFIG_UNSUPPORTED, detail, ErrorDomain.NETWORK)


def _checkParts(definition: NetworkDefinition, limited: bool) -> None:
    """A network that has no bridge of its own has nothing that would be the bridge's."""
    dns = definition.dns
    parts = {
        "<mac>": definition.mac,
        "<ip>": definition.ips,
        "<dns>": dns is not None and (dns.txts or dns.hosts or dns.srvs),
        "<domain>": definition.domain is not None and definition.domain.name is not None,
        "network-wide <bandwidth>": None if limited else definition.bandwidth,
    }
    for part, there in parts.items():
        if there:
            raise _unsupported(
                f"Unsupported {part} element in network {definition.name} with forward "
                f"mode='{modeOf(definition)}'"
            )


def _checkDevices(definition: NetworkDefinition) -> None:
    """Devices are given to guests by their addresses, and shared by their names."""
    forward, name = definition.forward, definition.name
    if forward is None:
        return
    hostdev = forward.mode == "hostdev"
    if hostdev and forward.interfaces:
        raise _unsupported(
            f"hostdev network '{name}' lists '{forward.interfaces[0].dev}' in the device pool, "
            "but hostdev networks require all devices to be listed by PCI address, not network "
            "device name"
        )
    for address in forward.addresses:
        if not hostdev:
            raise _unsupported(
                f"network '{name}' has forward mode '{forward.mode}'  but lists a device by PCI "
                "address in the device pool. This is only supported for networks with forward "
                "mode 'hostdev'"
            )
        if not isVirtualFunction(address):
            raise _unsupported(
                f"device '{sysfsName(address)}' in network '{name}' is not an SR-IOV Virtual "
                "Function"
            )


def _checkServices(definition: NetworkDefinition) -> None:
    """Addresses are given out for one address of the host of each family."""
    for version in (4, 6):
        serving = [
            ip
            for ip in definition.ips
            if ip.dhcp and (ip.dhcp.ranges or ip.dhcp.hosts) and versionOf(ip) == version
        ]
        if len(serving) > 1:
            raise _unsupported(
                f"Multiple IPv{version} dhcp sections found -- dhcp is supported only for a "
                f"single IPv{version} address on each network"
            )


def _isSwitch(virtualport: Any) -> bool:
    return virtualport is not None and virtualport.type == "openvswitch"


def _checkGroups(definition: NetworkDefinition, limited: bool) -> None:
    """Groups of ports have names of their own, one is the default; tags are for what can tag."""
    name, mode, groups = definition.name, modeOf(definition), definition.portgroups
    bridged = mode == "bridge"
    tagging = mode in ("hostdev", "passthrough") or (bridged and _isSwitch(definition.virtualport))
    tagged, wrong = definition.vlan is not None, False
    default = None
    for position, group in enumerate(groups):
        if tagged or group.vlan is not None:
            own = group.virtualport
            wrong |= not (tagging if own is None else bridged and _isSwitch(own))
        if group.default:
            if default is not None:
                raise _unsupported(
                    f"network '{name}' has multiple default <portgroup> elements ({default.name} "
                    f"and {group.name}), but only one default is allowed"
                )
            default = group
        if any(other.name == group.name for other in groups[position + 1 :]):
            raise _unsupported(
                f"multiple <portgroup> elements with the same name ({group.name}) in network "
                f"'{name}'"
            )
        if group.bandwidth is not None and not limited:
            raise _unsupported(
                f"Unsupported <bandwidth> element in network '{name}' in portgroup "
                f"'{group.name}' with forward mode='{mode}'"
            )
    # With a default group nobody is plugged in without one, and those have been looked at.
    if wrong or (tagged and not tagging and default is None):
        raise _unsupported(
            f"<vlan> element specified for network {name}, whose type doesn't support vlan "
            "configuration"
        )
