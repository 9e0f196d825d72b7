"""
Ports of Open vSwitch, which C{ovs-vsctl} makes, limits and removes.

Source: what libvirtd 9.0.0 calls C{ovs-vsctl} with.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from twisted.logger import Logger

from pyvirt.definitions.domain import DomainDefinition
from pyvirt.definitions.netbits import Bandwidth
from pyvirt.definitions.uuids import formatUUID
from pyvirt.drivers.qemu.refusals import internal
from pyvirt.errors import ErrorDomain, VirtError
from pyvirt.process import Command, IProcesses

__all__ = ["addPort", "freePort", "isSwitched", "limitPort", "portCommand", "removePort", "retag"]

log = Logger()

_PROGRAM = ("ovs-vsctl", "--timeout=5")


def isSwitched(nic: Any) -> bool:
    """Whether a card is plugged into a switch."""
    port = nic.virtualport
    return nic.type in ("network", "bridge") and port is not None and port.type == "openvswitch"


def portCommand(
    definition: DomainDefinition, bridge: str, name: str, nic: Any, port: Any
) -> tuple[str, ...]:
    """Return the command that makes a port for a card."""
    words: list[str] = [*_PROGRAM, "--", "--may-exist", "add-port", bridge, name]
    words += _tags(nic.vlan)
    parameters = port.parameters
    facts = [("attached-mac", nic.mac.address)]
    if parameters is not None and parameters.interfaceid is not None:
        facts.append(("iface-id", parameters.interfaceid))
    facts.append(("vm-id", formatUUID(definition.uuid or bytes(16))))
    if parameters is not None and parameters.profileid:
        facts += [("port-profile", parameters.profileid), ("ifname", name)]
    facts.append(("iface-status", "active"))
    for key, value in facts:
        quoted = value if key == "iface-status" else f'"{value}"'
        words += ["--", "set", "Interface", name, f"external-ids:{key}={quoted}"]
    return tuple(words)


def _tags(vlan: Any) -> Iterator[str]:
    """Iterate over what a port is to be so that its packets have the tags of a C{<vlan>}, or none."""
    if vlan is None or not vlan.tags:
        return
    native = next((each for each in vlan.tags if each.nativeMode), None)
    if native is not None:
        yield f"vlan_mode=native-{native.nativeMode}"
        yield f"tag={native.id}"
    if vlan.trunk or len(vlan.tags) > 1:
        yield "trunk=" + ",".join(str(each.id) for each in vlan.tags)
    elif native is None:
        yield f"tag={vlan.tags[0].id}"


async def retag(processes: IProcesses, name: str, vlan: Any) -> None:
    """
    Have the packets of a port other tags, or none.

    @raise VirtError: they cannot.
    """
    words: list[str] = []
    for column in ("tag", "trunk", "vlan_mode"):
        words += ["--", "--if-exists", "clear", "Port", name, column]
    tags = list(_tags(vlan))
    if tags:
        words += ["--", "--if-exists", "set", "Port", name, *tags]
    await _run(processes, *words, complaint=f"Unable to set vlan configuration on port {name}")


async def addPort(
    processes: IProcesses,
    definition: DomainDefinition,
    bridge: str,
    name: str,
    nic: Any,
    port: Any,
) -> None:
    """
    Plug a device into a switch, if it is not there already.

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
    await processes.run(Command(argv=(*_PROGRAM, "--", "--if-exists", "del-port", name)))


async def limitPort(
    processes: IProcesses, definition: DomainDefinition, name: str, bandwidth: Bandwidth
) -> None:
    """
    Have the switch limit what goes through a port, in place of any limits that it has.

    What the guest gets waits in a queue of the port; what it sends beyond its limit is dropped.

    @param bandwidth: in KiB a second and KiB.
    @raise VirtError: it cannot be.
    """
    whose = (
        f'external-ids:vm-id="{formatUUID(definition.uuid or bytes(16))}"',
        f'external-ids:ifname="{name}"',
    )
    queue, quality = [await _found(processes, table, whose) for table in ("queue", "qos")]
    down, up = bandwidth.inbound, bandwidth.outbound
    if down is None or not down.average:
        if quality:
            await _run(processes, "remove", "port", name, "qos", quality)
            await _run(processes, "destroy", "qos", quality)
        if queue:
            await _run(processes, "destroy", "queue", queue)
    else:
        limits = [f"other_config:min-rate={down.average * 8000}"]
        if down.burst:
            limits.append(f"other_config:burst={down.burst * 8192}")
        if down.peak:
            limits.append(f"other_config:max-rate={down.peak * 8000}")
        if queue and quality:
            for table, row in (("queue", queue), ("qos", quality)):
                complaint = f"Unable to set {table} configuration on port {name}"
                await _run(processes, "set", table, row, *limits, *whose, complaint=complaint)
        else:
            await _run(
                processes,
                *("set", "port", name, "qos=@qos1", *whose),
                *("--", "--id=@qos1", "create", "qos", "type=linux-htb", *limits),
                *("queues:0=@queue0", *whose),
                *("--", "--id=@queue0", "create", "queue", *limits, *whose),
                complaint=f"Unable to create and set qos configuration on port {name}",
            )
    words = ["ingress_policing_rate=0", "ingress_policing_burst=0"]
    if up is not None and up.average:
        words = [f"ingress_policing_rate={up.average * 8}"]
        if up.burst:
            words.append(f"ingress_policing_burst={up.burst * 8}")
    complaint = f"Unable to set vlan configuration on port {name}"
    await _run(processes, "set", "Interface", name, *words, complaint=complaint)


async def freePort(processes: IProcesses, definition: DomainDefinition, name: str) -> None:
    """Have the switch limit a port no more that is going; that it cannot be is logged."""
    try:
        await limitPort(processes, definition, name, Bandwidth())
    except VirtError as error:
        log.warn("{error}", error=error)


async def _found(processes: IProcesses, table: str, whose: tuple[str, ...]) -> str | None:
    """Return the row of a table that was made for a port, None if there is none."""
    words = ("--no-heading", "--columns=_uuid", "find", table, *whose)
    try:
        done = await processes.run(Command(argv=(*_PROGRAM, *words)))
    except VirtError:
        return None
    rows = done.output.decode(errors="replace").split()
    return rows[0] if rows else None


async def _run(processes: IProcesses, *words: str, complaint: str | None = None) -> None:
    """
    Have a table changed.

    @param complaint: what is said where it cannot be; None: that is logged.
    """
    try:
        await processes.run(Command(argv=(*_PROGRAM, *words)))
    except VirtError as error:
        if complaint is not None:
            raise internal(complaint, ErrorDomain.NONE) from None
        log.warn("{error}", error=error)
