"""
What cannot be had of a guest's card, by what it is connected to.
"""

from __future__ import annotations

import os
from typing import Any

from pyvirt.drivers.qemu.networkports import Actual
from pyvirt.drivers.qemu.refusals import internal, unsupportedConfig
from pyvirt.errors import ErrorDomain

__all__ = ["checkDirect", "checkPort"]


#: Types of cards whose end on the host a script may set up, or for which none is run.
_SCRIPTED = ("bridge", "network", "ethernet", "direct", "hostdev", "vdpa")


def checkPort(nic: Any) -> None:
    """
    Complain of what cannot be had of a kind of connection.

    @raise VirtError: CONFIG_UNSUPPORTED.
    """
    port = nic.virtualport.type if nic.virtualport is not None else None
    if nic.vlan is not None and nic.type not in ("hostdev", "network"):
        direct = nic.type == "direct" and nic.source.mode == "passthrough"
        if port != "openvswitch" and not direct:
            mac = nic.mac.address if nic.mac is not None else ""
            raise unsupportedConfig(
                f"interface {mac} - vlan tag not supported for this connection type",
                ErrorDomain.DOMAIN,
            )
    several = nic.driver is not None and (nic.driver.queues or 0) > 1
    if several and nic.type not in ("network", "bridge", "direct", "ethernet", "vhostuser", "vdpa"):
        mac = nic.mac.address if nic.mac is not None else ""
        raise unsupportedConfig(
            f"interface {mac} - multiqueue is not supported for network interfaces of type "
            f"{nic.type}"
        )
    tap = nic.backend is not None and nic.backend.tap is not None
    if tap and nic.type not in ("network", "bridge", "ethernet"):
        mac = nic.mac.address if nic.mac is not None else ""
        raise unsupportedConfig(
            f"interface {mac} - custom tap device path is not supported for network interfaces of "
            f"type {nic.type}"
        )
    if nic.script is not None and nic.type not in _SCRIPTED:
        raise unsupportedConfig(f"scripts are not supported on interfaces of type {nic.type}")


def checkDirect(nic: Any, actual: Actual) -> None:
    """
    Complain of what a device that shares another cannot have.

    @raise VirtError: there is no switch that would take its requests, or its device cannot tag what it sends.
    """
    port = nic.virtualport.type if nic.virtualport is not None else None
    if port == "802.1Qbh":
        raise internal("sending of PortProfileRequest failed.", ErrorDomain.NONE)
    if port == "802.1Qbg":
        raise unsupportedConfig(f"virtual ports of type '{port}' are not supported")
    if nic.vlan is not None and actual.mode == "passthrough":
        if os.path.lexists(f"/sys/class/net/{actual.device}/device/physfn"):
            raise unsupportedConfig("virtual functions do not tag here what they send")
        raise unsupportedConfig(
            f"vlan can only be set for SR-IOV VFs, but {actual.device} is not a VF"
        )
