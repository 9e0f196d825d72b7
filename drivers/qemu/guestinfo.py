"""
What an agent knows of the system in its guest, as parameters; and the processors that it uses.

The agent's words are a stranger's: everything is checked, and the number of entries is bounded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pyvirt import constants as c
from pyvirt.definitions.units import formatSet, parseSet
from pyvirt.drivers.interfaces.values import DomainRef, TypedParam
from pyvirt.drivers.qemu.agent import AgentFailed
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


def _text(entry: Mapping[str, Any], name: str) -> str | None:
    value = entry.get(name)
    return value if isinstance(value, str) else None


def _entries(reply: Any, what: str) -> list[dict[str, Any]]:
    if not isinstance(reply, list):
        raise Malformed(f"{what} reply was missing return data")
    if not all(isinstance(each, dict) for each in reply):
        raise Malformed(f"array element missing in {what} return value")
    return reply[:_MOST]


def usersOf(reply: Any) -> Params:
    """Tell who is logged in."""
    if not isinstance(reply, list):
        raise Malformed("guest-get-users reply was missing return data")
    found: Params = [TypedParam("user.count", _UINT, len(reply))]
    for number, each in enumerate(reply[:_MOST]):
        if not isinstance(each, dict):
            raise Malformed("guest-get-users reply missing return data")
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
        found.append(
            TypedParam(f"user.{number}.login-time", _ULLONG, max(0, int(when * 1000)) % (1 << 64))
        )
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
        raise Malformed("'host-name' missing in reply of guest-get-host-name")
    return [TypedParam("hostname", _STRING, name)]


def fileSystemsOf(reply: Any, domain: Domain) -> Params:
    """Tell which file systems are mounted, and on which disks they are."""
    # The guest tells what was mounted last first.
    entries = _entries(reply, "guest-get-fsinfo")[::-1]
    found: Params = [TypedParam("fs.count", _UINT, len(entries))]
    for number, each in enumerate(entries):
        head = f"fs.{number}."
        for name, key in (("name", "name"), ("mountpoint", "mountpoint"), ("fstype", "type")):
            text = _text(each, key)
            if text is None:
                raise Malformed(f"'{key}' missing in reply of guest-get-fsinfo")
            found.append(TypedParam(head + name, _STRING, text))
        for name in ("total-bytes", "used-bytes"):
            value = each.get(name)
            if type(value) is int and 0 <= value < 1 << 64:
                found.append(TypedParam(head + name, _ULLONG, value))
        disks = each.get("disk")
        if not isinstance(disks, list):
            raise Malformed("'disk' missing in reply of guest-get-fsinfo")
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
    entries = _entries(reply, "guest-get-disks")
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
            found += [
                TypedParam(f"{head}dependency.{place}.name", _STRING, text)
                for place, text in enumerate(needed[:_MOST])
                if isinstance(text, str)
            ]
        address = each.get("address")
        if isinstance(address, dict):
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


def interfacesOf(reply: Any) -> Params:
    """Tell which interfaces the guest sees, and their addresses."""
    entries = _entries(reply, "guest-network-get-interfaces")
    found: Params = [TypedParam("if.count", _UINT, len(entries))]
    for number, each in enumerate(entries):
        head = f"if.{number}."
        name = _text(each, "name")
        if name is None:
            raise Malformed("qemu agent didn't provide 'name' field")
        found.append(TypedParam(head + "name", _STRING, name))
        mac = _text(each, "hardware-address")
        found.append(TypedParam(head + "hwaddr", _STRING, mac or ""))
        addresses = each.get("ip-addresses")
        if not isinstance(addresses, list):
            addresses = []
        found.append(TypedParam(head + "addr.count", _UINT, len(addresses)))
        for place, address in enumerate(addresses[:_MOST]):
            inner = f"{head}addr.{place}."
            if not isinstance(address, dict):
                raise Malformed("qemu agent didn't provide an address")
            kind, text = _text(address, "ip-address-type"), _text(address, "ip-address")
            prefix = address.get("prefix")
            if kind is None or text is None or type(prefix) is not int:
                raise Malformed("malformed 'ip-address' in reply of the agent")
            found.append(TypedParam(inner + "type", _STRING, kind))
            found.append(TypedParam(inner + "addr", _STRING, text))
            found.append(TypedParam(inner + "prefix", _UINT, max(0, prefix) % (1 << 32)))
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
            found += read(reply, domain) if ofDomain else read(reply)
        if len(found) > _MOST:
            raise Malformed(f"Too many parameters '{len(found)}' for limit '{_MOST}'")
        return found

    async def domainGetGuestVcpus(self, dom: DomainRef, flags: int) -> Params:
        """Tell which processors the guest uses."""
        checkFlags("qemuDomainGetGuestVcpus", flags)
        domain = self._find(dom)
        there, online, removable = await self._processors(domain)
        return [
            TypedParam("vcpus", _STRING, formatSet(frozenset(there))),
            TypedParam("online", _STRING, formatSet(frozenset(online))),
            TypedParam("offlinable", _STRING, formatSet(frozenset(removable))),
        ]

    @staticmethod
    async def _processors(domain: Domain) -> tuple[set[int], set[int], set[int]]:
        from pyvirt.drivers.qemu.guestagent import ask

        reply = await ask(domain, "guest-get-vcpus")
        there: set[int] = set()
        online: set[int] = set()
        removable: set[int] = set()
        if not isinstance(reply, list):
            raise Malformed("guest-get-vcpus reply was missing return data")
        for each in reply:
            number = each.get("logical-id") if isinstance(each, dict) else None
            if type(number) is not int or not 0 <= number < _CPUS:
                raise Malformed("'logical-id' missing in reply of guest-get-vcpus")
            there.add(number)
            isOnline = each.get("online")
            if not isinstance(isOnline, bool):
                raise Malformed("'online' missing in reply of guest-get-vcpus")
            if isOnline:
                online.add(number)
            if each.get("can-offline"):
                removable.add(number)
        return there, online, removable

    async def domainSetGuestVcpus(
        self, dom: DomainRef, cpumap: str, state: int, flags: int
    ) -> None:
        """Let the guest use processors or not."""
        from pyvirt.drivers.qemu.guestagent import ask

        checkFlags("qemuDomainSetGuestVcpus", flags)
        if state not in (0, 1):
            raise invalidArgument("unsupported state value")
        wanted = parseSet(cpumap, size=16384)
        if wanted is None:
            raise invalidArgument(f"Failed to parse bitmap '{cpumap}'", ErrorDomain.NONE)
        domain = self._find(dom)
        there, _online, removable = await self._processors(domain)
        for number in sorted(wanted):
            if number not in there:
                missing = formatSet(wanted - there)
                raise invalidArgument(f"guest is missing vCPUs '{missing}'")
            if not state and number not in removable:
                raise operationUnsupported(f"vCPU '{number}' is not offlinable")
        changes = [{"logical-id": number, "online": bool(state)} for number in sorted(wanted)]
        while changes:
            done = await ask(domain, "guest-set-vcpus", {"vcpus": changes})
            if type(done) is not int or not 0 < done <= len(changes):
                raise Malformed("failed to set state of cpus via guest agent")
            changes = changes[done:]
