"""
Ports of Open vSwitch, which C{ovs-vsctl} makes and removes.
"""

from __future__ import annotations

from typing import Any

from pyvirt.definitions.domain import DomainDefinition
from pyvirt.definitions.uuids import formatUUID
from pyvirt.drivers.qemu.refusals import internal
from pyvirt.errors import ErrorDomain, VirtError
from pyvirt.process import Command, IProcesses

__all__ = ["addPort", "portCommand", "removePort", "switchOf"]

_HEAD = ("ovs-vsctl", "--timeout=5", "--", "--if-exists", "del-port")


def portCommand(
    definition: DomainDefinition, bridge: str, name: str, nic: Any, port: Any
) -> tuple[str, ...]:
    """Return the command that makes a port for a card."""
    words: list[str] = [*_HEAD, name, "--", "add-port", bridge, name]
    vlan = nic.vlan
    if vlan is not None and vlan.tags:
        modes = {each.nativeMode for each in vlan.tags if each.nativeMode}
        if modes:
            native = next(each for each in vlan.tags if each.nativeMode)
            words += [f"vlan_mode=native-{native.nativeMode}", f"tag={native.id}"]
        if vlan.trunk or len(vlan.tags) > 1:
            words.append("trunk=" + ",".join(str(each.id) for each in vlan.tags))
        elif not modes:
            words.append(f"tag={vlan.tags[0].id}")
    parameters = port.parameters
    facts = [("attached-mac", nic.mac.address)]
    if parameters is not None and parameters.interfaceid is not None:
        facts.append(("iface-id", parameters.interfaceid))
    facts.append(("vm-id", formatUUID(definition.uuid or bytes(16))))
    if parameters is not None and parameters.profileid:
        facts.append(("port-profile", parameters.profileid))
    facts.append(("iface-status", "active"))
    for key, value in facts:
        quoted = value if key == "iface-status" else f'"{value}"'
        words += ["--", "set", "Interface", name, f"external-ids:{key}={quoted}"]
    return tuple(words)


async def addPort(
    processes: IProcesses,
    definition: DomainDefinition,
    bridge: str,
    name: str,
    nic: Any,
    port: Any,
) -> None:
    """
    Plug a device into a switch.

    @raise VirtError: it cannot be.
    """
    try:
        await processes.run(Command(argv=portCommand(definition, bridge, name, nic, port)))
    except VirtError:
        raise internal(
            f"Unable to add port {name} to OVS bridge {bridge}", ErrorDomain.NONE
        ) from None


async def removePort(processes: IProcesses, name: str) -> None:
    """
    Unplug a device.

    @raise VirtError: it cannot be.
    """
    await processes.run(Command(argv=(*_HEAD, name)))


async def switchOf(processes: IProcesses, name: str) -> str | None:
    """
    Return which switch a device is a port of; None: none.

    @raise VirtError: it cannot be asked.
    """
    command = Command(argv=("ovs-vsctl", "--timeout=5", "iface-to-br", name))
    done = await processes.run(command)
    return done.output.decode(errors="replace").strip() or None
