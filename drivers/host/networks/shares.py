"""
What a network promises to those plugged into it: the rate of its bridge, and classes of their own for ports with a
C{floor}.

Class 1 is the whole, class 2 is for all ports without one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from pyvirt.definitions.networkport import NetworkPortDefinition
from pyvirt.definitions.schema import replaced
from pyvirt.drivers.host.networks.network import HOSTED, Network, modeOf
from pyvirt.drivers.traffic import (
    limitTraffic,
    plugCommands,
    rateCommand,
    unlimited,
    unplugCommands,
)
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError
from pyvirt.process import Command

if TYPE_CHECKING:
    from pyvirt.drivers.host.host import Host

__all__ = ["begin", "change", "classed", "classes", "end", "floors", "listed", "plug", "unplug"]

_DOMAIN = ErrorDomain.NETWORK
_DEFAULT = 2


async def begin(host: Host, network: Network) -> None:
    """
    Limit what goes through the bridge of a network that starts.

    @raise VirtError: it cannot be limited.
    """
    if network.definition.bandwidth is not None:
        await limitTraffic(
            host.processes, network.bridge, network.definition.bandwidth, classes=True
        )


async def end(host: Host, network: Network) -> None:
    """Take the limits of a bridge away."""
    if network.definition.bandwidth is not None:
        await unlimited(host.processes, network.bridge)


def classes(network: Network) -> set[int]:
    """Return the numbers of classes that are taken."""
    found = {0, 1, 2}
    for port in network.ports.values():
        if port.bandwidth is not None and port.bandwidth.classId is not None:
            found.add(port.bandwidth.classId)
    return found


def classed(port: NetworkPortDefinition) -> bool:
    """Whether a port has a class of its own."""
    return port.bandwidth is not None and port.bandwidth.classId is not None


def listed(numbers: Iterable[int]) -> str:
    """Write numbers as ranges, such as C{0-2,5}."""
    runs: list[list[int]] = []
    for each in sorted(numbers):
        if runs and runs[-1][-1] == each - 1:
            runs[-1].append(each)
        else:
            runs.append([each])
    return ",".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)


def floors(network: Network, besides: bytes | None = None) -> int:
    """Return what is promised to all ports together, or to all but one."""
    return sum(
        port.bandwidth.inbound.floor or 0
        for port in network.ports.values()
        if port.uuid != besides
        and port.bandwidth is not None
        and port.bandwidth.classId is not None
        and port.bandwidth.inbound is not None
    )


def _inbound(limits: Any) -> Any:
    inbound = None if limits is None else limits.inbound
    return inbound if inbound is not None and inbound.floor else None


def _checked(network: Network, mac: str, limits: Any, before: int) -> Any:
    """
    Find what the bridge's ports get together, where something is to be promised to one.

    @param before: what is promised to the others.
    @return: None: nothing is to be promised.
    @raise VirtError: there is not so much.
    """
    inbound = _inbound(limits)
    if inbound is None:
        return None
    if modeOf(network.definition) not in HOSTED:
        raise _unsupported(
            mac,
            "'floor' is only supported for interface type 'network' with forward type 'nat', "
            "'route', 'open' or none",
        )
    own = network.definition.bandwidth
    whole = None if own is None else own.inbound
    name = network.ref.name
    if whole is None:
        raise _unsupported(mac, f"network '{name}' has no inbound QoS set")
    total = before + inbound.floor
    for word in ("peak", "average"):
        most = getattr(whole, word)
        if most:
            if total > most:
                raise virtError(
                    ErrorCode.OPERATION_INVALID,
                    f"Cannot plug '{mac}' interface into '{network.bridge}' because new combined "
                    f"inbound floor={total} would overcommit {word}={most} on network '{name}'",
                    _DOMAIN,
                )
            break
    return whole


def _unsupported(mac: str, why: str) -> VirtError:
    return virtError(
        ErrorCode.OPERATION_UNSUPPORTED,
        f"Invalid use of 'floor' on interface with MAC address {mac} - {why}",
        _DOMAIN,
    )


async def _run(host: Host, commands: list[tuple[str, ...]]) -> None:
    for argv in commands:
        await host.processes.run(Command(argv=argv))


def _rest(network: Network, whole: Any, promised: int) -> tuple[str, ...]:
    """Return the command that leaves what is not promised to those without a class."""
    most = whole.peak or whole.average or 0
    return rateCommand(network.bridge, whole, _DEFAULT, most - promised)


async def plug(host: Host, network: Network, port: NetworkPortDefinition) -> NetworkPortDefinition:
    """
    Give a new port a class of its own, if something is promised to it.

    @return: the port with the number of its class.
    @raise VirtError: there is not so much to be had, or it cannot be had.
    """
    before = floors(network, port.uuid)
    whole = _checked(network, port.mac, port.bandwidth, before)
    if whole is None:
        return port
    inbound = _inbound(port.bandwidth)
    taken = classes(network)
    number = next(each for each in range(3, len(taken) + 4) if each not in taken)
    # Taken before anything waits: another port may be plugged in meanwhile.
    made = replaced(port, bandwidth=replaced(port.bandwidth, classId=number))
    network.ports[port.uuid] = made
    try:
        await _run(host, plugCommands(network.bridge, whole, port.mac, inbound, number))
        await _run(host, [_rest(network, whole, floors(network))])
    except BaseException:
        network.ports.pop(port.uuid, None)
        raise
    return made


async def unplug(host: Host, network: Network, port: NetworkPortDefinition) -> None:
    """
    Take the class of a port away that is no more.

    @raise VirtError: it cannot be taken away.
    """
    own = network.definition.bandwidth
    number = None if port.bandwidth is None else port.bandwidth.classId
    if number is None or own is None or own.inbound is None:
        return
    await _run(host, unplugCommands(network.bridge, number))
    promised = floors(network, port.uuid)
    await _run(host, [_rest(network, own.inbound, promised)])


async def change(
    host: Host, network: Network, port: NetworkPortDefinition, limits: Any
) -> NetworkPortDefinition:
    """
    Change what a port gets and may send.

    @param limits: a C{Bandwidth}.
    @return: the port as it is then.
    @raise VirtError: there is not so much to be had; the port stays as it is.
    """
    number = None if port.bandwidth is None else port.bandwidth.classId
    whole = _checked(network, port.mac, limits, floors(network, port.uuid))
    wanted = replaced(port, bandwidth=limits)
    if whole is None:
        await unplug(host, network, port)
        return wanted
    if number is None:
        return await plug(host, network, wanted)
    made = replaced(port, bandwidth=replaced(limits, classId=number))
    floor = limits.inbound.floor
    if port.bandwidth is not None and _inbound(port.bandwidth).floor == floor:
        return made
    promised = floors(network, port.uuid) + floor
    await _run(host, [rateCommand(network.bridge, whole, number, floor)])
    await _run(host, [_rest(network, whole, promised)])
    return made
