"""
What an agent knows of the system in its guest, as parameters; and the processors that it uses.

The agent's words are a stranger's: everything is checked, and the number of entries is bounded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from pyvirt import constants as c
from pyvirt.definitions.units import formatSet, parseSet
from pyvirt.drivers.interfaces.values import DomainRef, TypedParam
from pyvirt.drivers.qemu.agent import AgentFailed, AgentLate
from pyvirt.drivers.qemu.domain import Domain
from pyvirt.drivers.qemu.refusals import (
    checkFlags,
    internal,
    invalidArgument,
    operationUnsupported,
)
from pyvirt.errors import ErrorDomain, VirtError

__all__ = ["GuestInfo", "Malformed", "diskTargets"]

#: So many parameters travel.
_MOST = 2048
_STRING, _UINT, _INT = c.VIR_TYPED_PARAM_STRING, c.VIR_TYPED_PARAM_UINT, c.VIR_TYPED_PARAM_INT
_ULLONG, _BOOLEAN = c.VIR_TYPED_PARAM_ULLONG, c.VIR_TYPED_PARAM_BOOLEAN
_OS = (
    "id", "name", "pretty-name", "version", "version-id", "machine", "variant", "variant-id",
    "kernel-release", "kernel-version",
)  # fmt: skip
#: So many processors a guest may have.
_CPUS = 4096

Params = list[TypedParam]


def Malformed(detail: str) -> VirtError:
    """Make the error of an agent that does not answer as it should."""
    return internal(detail)


def _text(entry: Any, name: str) -> str | None:
    value = entry.get(name) if isinstance(entry, dict) else None
    return value if isinstance(value, str) else None


def _isInt(value: Any, bits: int) -> bool:
    """Whether a value is a number that fits, of either sign."""
    return type(value) is int and not abs(value) >> bits


def _checkPlace(disk: Any) -> None:
    """Look whether an agent tells all of where a disk is."""
    known = disk if isinstance(disk, dict) else {}
    for name in ("bus", "target", "unit"):
        if not _isInt(known.get(name), 32):
            raise Malformed(f"'{name}' missing")
    if "pci-controller" not in known:
        raise Malformed("'pci-controller' missing")
    for kind, names in (
        ("pci-controller", ("domain", "bus", "slot", "function")),
        ("ccw-address", ("cssid", "ssid", "subchno", "devno")),
    ):
        place = known.get(kind, known)
        for name in names if place is not known else ():
            if not isinstance(place, dict) or not _isInt(place.get(name), 32):
                raise Malformed(f"'{name}' missing")


def usersOf(reply: Any) -> Params:
    """Tell who is logged in."""
    if not isinstance(reply, list):
        raise Malformed("guest-get-users reply was missing return data")
    found: Params = [TypedParam("user.count", _UINT, len(reply))]
    for number, each in enumerate(reply[:_MOST]):
        user = _text(each, "user")
        if user is None:
            raise Malformed("'user' missing in reply of guest-get-users")
        found.append(TypedParam(f"user.{number}.name", _STRING, user))
        domain = _text(each, "domain")
        if domain is not None:
            found.append(TypedParam(f"user.{number}.domain", _STRING, domain))
        when = each.get("login-time")
        if when is None or type(when) not in (int, float):
            raise Malformed("'login-time' missing in reply of guest-get-users")
        found.append(TypedParam(f"user.{number}.login-time", _ULLONG, int(when * 1000) % (1 << 64)))
    return found


def systemOf(reply: Any) -> Params:
    """Tell which system runs."""
    if not isinstance(reply, dict):
        raise Malformed("guest-get-osinfo reply was missing return data")
    return [
        TypedParam(f"os.{name}", _STRING, text)
        for name in _OS
        if (text := _text(reply, name)) is not None
    ]


def zoneOf(reply: Any) -> Params:
    """Tell which time zone the guest is in."""
    if not isinstance(reply, dict):
        raise Malformed("guest-get-timezone reply was missing return data")
    found: Params = []
    name = _text(reply, "zone")
    if name is not None:
        found.append(TypedParam("timezone.name", _STRING, name))
    offset = reply.get("offset")
    if type(offset) is not int or not -(1 << 31) <= offset < 1 << 31:
        raise Malformed("'offset' missing in reply of guest-get-timezone")
    found.append(TypedParam("timezone.offset", _INT, offset))
    return found


def hostnameOf(reply: Any) -> Params:
    """Tell the guest's name."""
    name = _text(reply, "host-name") if isinstance(reply, dict) else None
    if name is None:
        raise Malformed("'host-name' missing in guest-get-host-name reply")
    return [TypedParam("hostname", _STRING, name)]


def fileSystems(reply: Any) -> list[dict[str, Any]]:
    """
    Read which file systems are mounted: those that were mounted last first, as the guest tells them the other way.

    @raise VirtError: the agent does not tell all of one.
    """
    if not isinstance(reply, list):
        raise Malformed("Malformed guest-get-fsinfo data array")
    for each in reply[:_MOST]:
        for name in ("mountpoint", "name", "type"):
            if _text(each, name) is None:
                raise Malformed(f"'{name}' missing in reply of guest-get-fsinfo")
        for name in ("used-bytes", "total-bytes"):
            if name in each and not _isInt(each[name], 63):
                raise Malformed(f"Error getting '{name}' in reply of guest-get-fsinfo")
        if "disk" not in each:
            raise Malformed("'disk' missing in reply of guest-get-fsinfo")
        if not isinstance(each["disk"], list):
            raise Malformed("Malformed guest-get-fsinfo 'disk' data array")
        for disk in each["disk"]:
            _checkPlace(disk)
    return reply[:_MOST][::-1]


def fileSystemsOf(reply: Any, domain: Domain) -> Params:
    """Tell which file systems are mounted, and on which disks they are."""
    entries = fileSystems(reply)
    found: Params = [TypedParam("fs.count", _UINT, len(entries))] if entries else []
    for number, each in enumerate(entries):
        head = f"fs.{number}."
        for name, key in (("name", "name"), ("mountpoint", "mountpoint"), ("fstype", "type")):
            found.append(TypedParam(head + name, _STRING, each[key]))
        for name in ("total-bytes", "used-bytes"):
            value = each.get(name, -1)
            if value != -1:
                found.append(TypedParam(head + name, _ULLONG, value % (1 << 64)))
        disks = each["disk"]
        found.append(TypedParam(head + "disk.count", _UINT, len(disks)))
        for place, disk in enumerate(disks[:_MOST]):
            inner = f"{head}disk.{place}."
            target = diskTargets(domain, disk)
            if target is not None:
                found.append(TypedParam(inner + "alias", _STRING, target))
            for name, key in (("serial", "serial"), ("device", "dev")):
                text = _text(disk, key) if isinstance(disk, dict) else None
                if text is not None:
                    found.append(TypedParam(inner + name, _STRING, text))
    return found


def disksOf(reply: Any, domain: Domain) -> Params:
    """Tell which disks the guest sees."""
    if not isinstance(reply, list):
        raise Malformed("qemu agent didn't return an array of disks")
    entries = reply[:_MOST]
    found: Params = [TypedParam("disk.count", _UINT, len(entries))]
    for number, each in enumerate(entries):
        head = f"disk.{number}."
        name = _text(each, "name")
        if name is None:
            raise Malformed("'name' missing in reply of guest-get-disks")
        partition = each.get("partition")
        if not isinstance(partition, bool):
            raise Malformed("'partition' missing in reply of guest-get-disks")
        found.append(TypedParam(head + "name", _STRING, name))
        found.append(TypedParam(head + "partition", _BOOLEAN, partition))
        needed = each.get("dependencies")
        if isinstance(needed, list) and needed:
            found.append(TypedParam(head + "dependency.count", _UINT, len(needed)))
            if not all(isinstance(text, str) for text in needed):
                raise Malformed("JSON string array contains non-string element")
            found += [
                TypedParam(f"{head}dependency.{place}.name", _STRING, text)
                for place, text in enumerate(needed[:_MOST])
            ]
        address = each.get("address")
        if address is not None:
            _checkPlace(address)
            serial = _text(address, "serial")
            if serial is not None:
                found.append(TypedParam(head + "serial", _STRING, serial))
            target = diskTargets(domain, address)
            if target is not None:
                found.append(TypedParam(head + "alias", _STRING, target))
        alias = _text(each, "alias")
        if alias is not None:
            found.append(TypedParam(head + "guest_alias", _STRING, alias))
    return found


def interfaces(reply: Any) -> list[tuple[str, str | None, list[tuple[str, str, int]]]]:
    """
    Read which interfaces the guest sees: of each its name, MAC address, and kind, text and prefix of its addresses.

    What the guest calls C{eth0:1} are more addresses of C{eth0}.

    @raise VirtError: the agent does not tell all of one.
    """
    if not isinstance(reply, list):
        raise Malformed("qemu agent didn't return an array of interfaces")
    found: dict[str, tuple[str, str | None, list[tuple[str, str, int]]]] = {}
    for each in reply[:_MOST]:
        name = _text(each, "name")
        if name is None:
            raise Malformed("qemu agent didn't provide 'name' field")
        first = name.partition(":")[0]
        known = found.setdefault(first, (first, _text(each, "hardware-address"), []))
        if "ip-addresses" not in each:
            continue
        addresses = each["ip-addresses"]
        if not isinstance(addresses, list):
            raise Malformed("Malformed ip-addresses array")
        for address in addresses[: _MOST - len(known[2])]:
            kind, text = _text(address, "ip-address-type"), _text(address, "ip-address")
            if kind is None:
                raise Malformed(
                    f"qemu agent didn't provide 'ip-address-type' field for interface '{name}'"
                )
            if kind not in ("ipv4", "ipv6"):
                raise Malformed(f"unknown ip address type '{kind}'")
            if text is None:
                raise Malformed(
                    f"qemu agent didn't provide 'ip-address' field for interface '{name}'"
                )
            prefix = address.get("prefix")
            if not _isInt(prefix, 32):
                raise Malformed("malformed 'prefix' field")
            known[2].append((kind, text, prefix % (1 << 32)))
    return list(found.values())


def interfacesOf(reply: Any) -> Params:
    """Tell which interfaces the guest sees, and their addresses."""
    entries = interfaces(reply)
    found: Params = [TypedParam("if.count", _UINT, len(entries))] if entries else []
    for number, (name, mac, addresses) in enumerate(entries):
        head = f"if.{number}."
        found.append(TypedParam(head + "name", _STRING, name))
        found.append(TypedParam(head + "hwaddr", _STRING, mac or ""))
        found.append(TypedParam(head + "addr.count", _UINT, len(addresses)))
        for place, (kind, text, prefix) in enumerate(addresses):
            inner = f"{head}addr.{place}."
            found.append(TypedParam(inner + "type", _STRING, kind))
            found.append(TypedParam(inner + "addr", _STRING, text))
            found.append(TypedParam(inner + "prefix", _UINT, prefix))
    return found


def diskTargets(domain: Domain, address: Any) -> str | None:
    """Find the disk that a guest sees at an address, by its serial number and place; None: no one."""
    if not isinstance(address, dict):
        return None
    place = address.get("pci-controller")
    if not isinstance(place, dict):
        return None
    for disk in domain.definition.devices.disks:
        there = disk.address
        if disk.target is None or disk.target.dev is None:
            continue
        if getattr(there, "type", None) == "pci":
            if all(
                (getattr(there, name, None) or 0) == place.get(name)
                for name in ("domain", "bus", "slot", "function")
            ):
                return str(disk.target.dev)
        elif getattr(there, "type", None) == "drive":
            if disk.target.bus != address.get("bus-type") or any(
                (getattr(there, name, None) or 0) != address.get(name)
                for name in ("bus", "target", "unit")
            ):
                continue
            if _controllerAt(domain, disk, place):
                return str(disk.target.dev)
    return None


def _controllerAt(domain: Domain, disk: Any, place: Mapping[str, Any]) -> bool:
    """Whether the controller of a disk is at a place on the guest's PCI buses."""
    for controller in domain.definition.devices.controllers:
        kind = "scsi" if disk.target.bus == "scsi" else disk.target.bus
        if controller.type != kind or (controller.index or 0) != (disk.address.controller or 0):
            continue
        there = controller.address
        return getattr(there, "type", None) == "pci" and all(
            (getattr(there, name, None) or 0) == place.get(name)
            for name in ("domain", "bus", "slot", "function")
        )
    return False


#: What is asked for, with which command, and what makes parameters of the answer.
_QUESTIONS: tuple[tuple[int, str, Callable[..., Params], bool], ...] = (
    (c.VIR_DOMAIN_GUEST_INFO_USERS, "guest-get-users", usersOf, False),
    (c.VIR_DOMAIN_GUEST_INFO_OS, "guest-get-osinfo", systemOf, False),
    (c.VIR_DOMAIN_GUEST_INFO_TIMEZONE, "guest-get-timezone", zoneOf, False),
    (c.VIR_DOMAIN_GUEST_INFO_HOSTNAME, "guest-get-host-name", hostnameOf, False),
    (c.VIR_DOMAIN_GUEST_INFO_FILESYSTEM, "guest-get-fsinfo", fileSystemsOf, True),
    (c.VIR_DOMAIN_GUEST_INFO_DISKS, "guest-get-disks", disksOf, True),
    (c.VIR_DOMAIN_GUEST_INFO_INTERFACES, "guest-network-get-interfaces", interfacesOf, False),
)
_ALL = sum(kind for kind, *_ in _QUESTIONS)


class Processor(NamedTuple):
    """A processor that a guest sees."""

    number: int
    online: bool
    removable: bool


async def processorsOf(domain: Domain) -> list[Processor]:
    """
    Ask which processors a guest sees.

    @raise VirtError: the agent does not tell all of one.
    """
    from pyvirt.drivers.qemu.guestagent import ask

    reply = await ask(domain, "guest-get-vcpus")
    if not isinstance(reply, list):
        raise Malformed("guest-get-vcpus reply was missing return data")
    found = []
    for each in reply:
        number: Any = each.get("logical-id") if isinstance(each, dict) else None
        if not _isInt(number, 32):
            raise Malformed("'logical-id' missing in reply of guest-get-vcpus")
        online = each.get("online")
        if not isinstance(online, bool):
            raise Malformed("'online' missing in reply of guest-get-vcpus")
        removable = each.get("can-offline")
        if not isinstance(removable, bool):
            raise Malformed("'can-offline' missing in reply of guest-get-vcpus")
        if not 0 <= number < _CPUS:
            raise Malformed("'logical-id' missing in reply of guest-get-vcpus")
        found.append(Processor(number, online, removable))
    return found


async def useProcessors(domain: Domain, changes: list[dict[str, Any]]) -> None:
    """
    Have a guest use processors or not; it may do a part at a time.

    @raise VirtError: it does not do it.
    """
    from pyvirt.drivers.qemu.guestagent import ask

    while changes:
        done = await ask(domain, "guest-set-vcpus", {"vcpus": changes})
        if type(done) is not int or not 0 < done <= len(changes):
            raise Malformed("guest agent returned malformed or invalid return value")
        changes = changes[done:]


class GuestInfo:
    """Asks agents about the system that they run in."""

    _find: Callable[[DomainRef], Domain]

    async def domainGetGuestInfo(self, dom: DomainRef, types: int, flags: int) -> Params:
        """Tell what is known inside a guest."""
        from pyvirt.drivers.qemu.guestagent import agentOf, ask

        checkFlags("qemuDomainGetGuestInfo", flags)
        unknown = types & ~_ALL
        if unknown:
            raise invalidArgument(f"unsupported guest information types '0x{unknown:x}'")
        domain = self._find(dom)
        agentOf(domain)
        found: Params = []
        for kind, command, read, ofDomain in _QUESTIONS:
            if types and not types & kind:
                continue
            try:
                reply = await ask(domain, command)
            except AgentFailed as problem:
                if types or problem.kind not in ("CommandNotFound", "CommandDisabled"):
                    raise
                # Nobody asked for this in particular.
                continue
            except AgentLate:
                # Of an agent that is there but does not answer nothing is known.
                continue
            found += read(reply, domain) if ofDomain else read(reply)
        if len(found) > _MOST:
            raise Malformed(f"Too many parameters '{len(found)}' for limit '{_MOST}'")
        return found

    async def domainGetGuestVcpus(self, dom: DomainRef, flags: int) -> Params:
        """Tell which processors the guest uses."""
        checkFlags("qemuDomainGetGuestVcpus", flags)
        domain = self._find(dom)
        known = await processorsOf(domain)
        return [
            TypedParam(name, _STRING, formatSet(frozenset(numbers)))
            for name, numbers in (
                ("vcpus", [each.number for each in known]),
                ("online", [each.number for each in known if each.online]),
                ("offlinable", [each.number for each in known if each.removable]),
            )
        ]

    async def domainSetGuestVcpus(
        self, dom: DomainRef, cpumap: str, state: int, flags: int
    ) -> None:
        """Let the guest use processors or not."""
        checkFlags("qemuDomainSetGuestVcpus", flags)
        if state not in (0, 1):
            raise invalidArgument("unsupported state value")
        wanted = parseSet(cpumap, size=16384)
        if wanted is None:
            raise invalidArgument(f"Failed to parse bitmap '{cpumap}'", ErrorDomain.NONE)
        domain = self._find(dom)
        known = await processorsOf(domain)
        there = {each.number for each in known}
        removable = {each.number for each in known if each.removable}
        for number in sorted(wanted):
            if number not in there:
                missing = formatSet(wanted - there)
                raise invalidArgument(f"guest is missing vCPUs '{missing}'")
            if not state and number not in removable:
                raise operationUnsupported(f"vCPU '{number}' is not offlinable")
        changes = [{"logical-id": number, "online": bool(state)} for number in sorted(wanted)]
        await useProcessors(domain, changes)
