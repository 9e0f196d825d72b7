"""
Changing network interfaces of a running guest: where they are plugged in, limits of traffic, filters, the state of the
link.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyvirt.definitions.domain._net import withBandwidth
from pyvirt.definitions.netbits import Bandwidth
from pyvirt.definitions.schema import replaced
from pyvirt.drivers.devicechanges import checkInterface, withDevice
from pyvirt.drivers.devicematch import findInterface
from pyvirt.drivers.qemu import openvswitch, taps
from pyvirt.drivers.qemu.domain import Domain
from pyvirt.drivers.qemu.guest import Guest
from pyvirt.drivers.qemu.netfilters import bindFilter, unbindFilter
from pyvirt.drivers.qemu.networking import isDirect, plug
from pyvirt.drivers.qemu.networkports import Actual, promise, releasePort
from pyvirt.drivers.qemu.passed import isPassed
from pyvirt.drivers.qemu.qmp import MonitorLost
from pyvirt.drivers.qemu.refusals import failed, operationUnsupported
from pyvirt.drivers.qemu.shaping import reshape
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

if TYPE_CHECKING:
    from pyvirt.drivers.qemu.hypervisor import Hypervisor

__all__ = ["updateInterface"]


async def updateInterface(
    hypervisor: Hypervisor, domain: Domain, guest: Guest, device: Any
) -> None:
    """
    Change an interface of a running guest.

    @param device: what it is to be; its hardware address says which.
    @raise VirtError: it cannot become that; it stays as it was, but for what was changed before.
    """
    random = hypervisor.random
    _checkChangeable(domain, device)
    place, old = checkInterface(domain.definition, device, random, ErrorDomain.QEMU)
    # Networks may give it something else than they did.
    new, actual = await plug(hypervisor, domain.definition, replaced(device, mac=old.mac))
    unused = new
    try:
        _checkThere(domain, guest)
        if _mustReconnect(old, new, actual) or (
            device.tune is not None and device.tune != old.tune
        ):
            raise operationUnsupported(f"unable to change config on '{device.type}' network type")
        elsewhere = _isElsewhere(old, new)
        if (new.bandwidth or _UNLIMITED) != (old.bandwidth or _UNLIMITED):
            promised = old if not elsewhere else None
            limits = await _limit(hypervisor, domain, old, promised, new.bandwidth)
            _checkThere(domain, guest)
            old = withBandwidth(old, limits)
            domain.definition = withDevice(domain.definition, "interfaces", place, old)
        name = _part(old.target, "dev")
        if actual is not None and actual.type == "bridge" and name is not None:
            if new.source.bridge != old.source.bridge:
                _rebridge(old, new, name)
            elif new.portIsolated != old.portIsolated and not openvswitch.isSwitched(new):
                taps.isolatePort(new.source.bridge, name, bool(new.portIsolated))
        if device.filterref != old.filterref:
            reference = await _filter(hypervisor, domain, old, device)
            _checkThere(domain, guest)
            old = _became(domain, place, filterref=reference)
        if new.coalesce != old.coalesce and name is not None and actual is not None:
            frames = None if new.coalesce is None else new.coalesce.frames
            taps.setCoalesce(name, frames or 0)
        if device.linkState != old.linkState:
            await guest.execute("set_link", {"name": old.alias, "up": device.linkState != "down"})
            old = _became(domain, place, linkState=device.linkState)
        if new.vlan != old.vlan and name is not None and openvswitch.isSwitched(new):
            await openvswitch.retag(hypervisor.processes, name, new.vlan)
            _checkThere(domain, guest)
        if elsewhere:
            kept = {field: getattr(old, field) for field in _KEPT}
            domain.definition = withDevice(
                domain.definition, "interfaces", place, replaced(new, **kept)
            )
            unused = old
    finally:
        await releasePort(hypervisor, unused)


#: What an interface keeps that is plugged in elsewhere: what the guest sees of it, and its device.
_KEPT = ("alias", "address", "target", "mac", "model", "boot", "mtu", "linkState", "filterref")
#: What says where it is plugged in and how, but for how much goes through.
_PLACES = ("type", "vlan", "portIsolated", "trustGuestRxFilters", "coalesce", "defined")
#: What guests that are not on the host's own network are connected to.
_TUNNELS = ("server", "client", "mcast", "udp", "internal")


def _mustReconnect(old: Any, new: Any, actual: Actual | None) -> bool:
    """Whether the host's end of an interface would have to be made anew."""
    before = "direct" if isDirect(old) else "bridge" if old.type == "network" else old.type
    kind = new.type if actual is None else actual.type
    if before != kind or (kind in _TUNNELS and new.source != old.source):
        return True
    if kind == "direct":
        return bool((new.source.dev, new.source.mode) != (old.source.dev, old.source.mode))
    if kind != "bridge":
        return False
    moved = new.source.bridge != old.source.bridge
    return bool(new.virtualport != old.virtualport or (moved and openvswitch.isSwitched(new)))


def _isElsewhere(old: Any, new: Any) -> bool:
    """Whether an interface is plugged in differently than it was."""
    if any(getattr(new, field) != getattr(old, field) for field in _PLACES):
        return True
    if old.source is None or new.source is None or old.type not in ("network", "bridge"):
        return False
    return bool(replaced(new.source, portid=None) != replaced(old.source, portid=None))


def _rebridge(old: Any, new: Any, name: str) -> None:
    """
    Plug an interface into another bridge.

    @raise VirtError: it cannot be; it is in the old one.
    """
    before, bridge = old.source.bridge, new.source.bridge
    if not taps.exists(bridge):
        raise failed(f"bridge {bridge} doesn't exist")
    master = taps.masterOf(name)
    if master is not None:
        taps.removePort(master, name)
    try:
        taps.addPort(bridge, name)
        if new.portIsolated:
            taps.isolatePort(bridge, name)
    except BaseException:
        if master is not None:
            taps.addPort(before, name)
        raise


def _checkThere(domain: Domain, guest: Guest) -> None:
    """
    Look whether a guest is still the domain's run: if it has ended, the definition is no longer what it ran as.

    @raise MonitorLost: it has ended.
    """
    if domain.guest is not guest:
        raise MonitorLost()


def _checkChangeable(domain: Domain, device: Any) -> None:
    """
    Refuse to change a card that is a device of the host.

    @raise VirtError: OPERATION_UNSUPPORTED.
    """
    interfaces: Any = domain.definition.devices.interfaces
    if isPassed(interfaces[findInterface(interfaces, device)]):
        raise operationUnsupported("cannot change config of 'hostdev' network interface type")


def _became(domain: Domain, place: int, **changes: Any) -> Any:
    """Change what is known of an interface, and return it."""
    interfaces: Any = domain.definition.devices.interfaces
    changed = replaced(interfaces[place], **changes)
    domain.definition = withDevice(domain.definition, "interfaces", place, changed)
    return changed


async def _limit(
    hypervisor: Hypervisor, domain: Domain, old: Any, promised: Any, limits: Any
) -> Any:
    """
    Limit the traffic of an interface, or limit it no more.

    @param promised: whose network is to hear of it, None: it has.
    @return: the limits.
    """
    name = _part(old.target, "dev")
    if name is None:
        if limits is None:
            return None
        raise operationUnsupported(
            "Unable to set bandwidth for interface because device name is unknown"
        )
    wanted = limits or _UNLIMITED
    if promised is not None:
        await promise(hypervisor, promised, wanted)
    await reshape(hypervisor.processes, domain.definition, old, name, wanted, swapped=isDirect(old))
    return limits


async def _filter(hypervisor: Hypervisor, domain: Domain, old: Any, device: Any) -> Any:
    """
    Have another filter in force for an interface.

    @return: its reference.
    @raise VirtError: OPERATION_FAILED: the old one is in force.
    """
    new = replaced(old, filterref=device.filterref)
    await unbindFilter(hypervisor, old)
    try:
        await bindFilter(hypervisor, domain.definition, new)
    except VirtError:
        await bindFilter(hypervisor, domain.definition, old)
        raise virtError(
            ErrorCode.OPERATION_FAILED,
            f"failed to add new filter rules to '{_part(old.target, 'dev')}' - attempting to "
            "restore old rules",
            ErrorDomain.QEMU,
        ) from None
    return device.filterref


def _part(value: Any, name: str) -> Any:
    return None if value is None else getattr(value, name)


_UNLIMITED = Bandwidth()
