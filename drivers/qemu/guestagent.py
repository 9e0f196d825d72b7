"""
What an agent inside the guest can tell or do.

None of this holds the domain's job: an agent that does not answer costs its caller a deadline, and nobody else
anything.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pyvirt import constants as c
from pyvirt.drivers.interfaces.values import (
    DomainFSInfo,
    DomainInterface,
    DomainIPAddr,
    DomainRef,
    DomainTime,
)
from pyvirt.drivers.qemu.agent import BROKEN, AgentProtocol, unresponsive
from pyvirt.drivers.qemu.connecting import agentChannel
from pyvirt.drivers.qemu.domain import Domain
from pyvirt.drivers.qemu.guestinfo import (
    GuestInfo,
    fileSystems,
    hostnameOf,
    interfaces,
    processorsOf,
    useProcessors,
)
from pyvirt.drivers.qemu.hypervisor import Hypervisor
from pyvirt.drivers.qemu.jsontexts import readJSON
from pyvirt.drivers.qemu.machine import isX86
from pyvirt.drivers.qemu.networkports import leased
from pyvirt.drivers.qemu.refusals import (
    checkFlags,
    internal,
    invalidArgument,
    operationInvalid,
    operationUnsupported,
    unsupportedArgument,
)
from pyvirt.drivers.qemu.taints import taint
from pyvirt.errors import ErrorCode, ErrorDomain, InvalidArgument, VirtError, virtError

__all__ = ["DomainGuestAgent", "agentOf", "ask"]

_BLOCK = c.VIR_DOMAIN_QEMU_AGENT_COMMAND_BLOCK
_DEFAULT = c.VIR_DOMAIN_QEMU_AGENT_COMMAND_DEFAULT
#: Seconds for what asks for no deadline of its own: an agent may freeze file systems for long, but not for ever.
LONGEST = 60.0


def agentOf(domain: Domain) -> AgentProtocol:
    """
    Return the way to the agent of a running domain.

    @raise VirtError: there is none.
    """
    if domain.state != c.VIR_DOMAIN_RUNNING:
        raise operationInvalid("domain is not running")
    guest = domain.checkActive()
    if domain.state != c.VIR_DOMAIN_RUNNING:
        raise operationInvalid("domain is not running")
    channel = agentChannel(domain.definition)
    if channel is None:
        raise unsupportedArgument("QEMU guest agent is not configured")
    if guest.agent is None or channel.target.state != "connected":
        raise unresponsive("QEMU guest agent is not connected")
    if guest.agent.broken:
        raise unresponsive(BROKEN)
    return guest.agent


async def ask(
    domain: Domain,
    command: str,
    arguments: Mapping[str, Any] | None = None,
    *,
    awaits: str | None = None,
) -> Any:
    """
    Have the agent do something, within the time it is given.

    @param awaits: as in L{AgentProtocol.execute}.
    @raise VirtError: it does not.
    """
    agent = agentOf(domain)
    guest = domain.checkActive()
    timeout: float = guest.agentTimeout
    return await agent.execute(
        command, arguments, timeout=LONGEST if timeout < 0 else timeout or 1, awaits=awaits
    )


async def setVcpus(domain: Domain, count: int) -> None:
    """
    Have the agent put so many of a guest's processors to use.

    @raise VirtError: there are not so many, or some cannot be left idle.
    """
    agentOf(domain)
    enabled = domain.definition.vcpu.current or domain.definition.vcpu.maximum
    if count > enabled:
        raise invalidArgument(
            "requested vcpu count is greater than the count of enabled vcpus in the domain: "
            f"{count} > {enabled}"
        )
    known = await processorsOf(domain)
    online = sum(each.online for each in known)
    if not all(each.online or each.removable for each in known):
        raise internal("Invalid data provided by guest agent")
    changed = set()
    for each in known:
        if online == count:
            break
        # The first processor is left alone, whatever the agent says of it.
        if each.online == (count > online) or (
            each.online and not (each.removable and each.number)
        ):
            continue
        changed.add(each)
        online += -1 if each.online else 1
    if online < count:
        raise internal("guest agent reports less cpu than requested")
    if online > count:
        raise internal("Cannot offline enough CPUs")
    if changed:
        await useProcessors(
            domain,
            [
                {"logical-id": each.number, "online": not each.online}
                for each in known
                if each in changed
            ],
        )


class DomainGuestAgent(GuestInfo):
    """Asks agents."""

    def __init__(self, hypervisor: Hypervisor, connection: Any) -> None:
        self._hypervisor = hypervisor
        self._find = hypervisor.domains.find
        self._running = hypervisor.domains.running

    async def _ask(
        self, dom: DomainRef, command: str, arguments: Mapping[str, Any] | None = None
    ) -> Any:
        domain = self._find(dom)
        return await ask(domain, command, arguments)

    async def domainQemuAgentCommand(
        self, dom: DomainRef, cmd: str, timeout: int, flags: int
    ) -> str | None:
        """Say something to the agent."""
        checkFlags("qemuDomainQemuAgentCommand", flags)
        domain, _ = self._running(dom)
        agent = agentOf(domain)
        message = readJSON(cmd)
        if timeout < _BLOCK:
            raise invalidArgument(
                f"guest agent timeout '{timeout}' is less than the minimum '{_BLOCK}'"
            )
        taint(self._hypervisor, domain, "custom-ga-command")
        limit: float | None = timeout
        if timeout == _BLOCK:
            limit = None
        elif timeout == _DEFAULT:
            limit = 5.0
        reply = await agent.pass_(message, timeout=limit)
        return None if reply is None else json.dumps(reply, separators=(",", ":"))

    def domainAgentSetResponseTimeout(self, dom: DomainRef, timeout: int, flags: int) -> int:
        """Say how long the agent may take."""
        checkFlags("qemuDomainAgentSetResponseTimeout", flags)
        domain = self._find(dom)
        if timeout < _BLOCK:
            raise invalidArgument(
                f"guest agent timeout '{timeout}' is less than the minimum '{_BLOCK}'"
            )
        domain.agentTimeout = timeout
        if domain.guest is not None:
            domain.guest.agentTimeout = timeout
            self._hypervisor.saveStatus(domain)
        return 0

    async def domainGetHostname(self, dom: DomainRef, flags: int) -> str:
        """Tell the guest's name as it knows it."""
        lease, agent = c.VIR_DOMAIN_GET_HOSTNAME_LEASE, c.VIR_DOMAIN_GET_HOSTNAME_AGENT
        checkFlags("qemuDomainGetHostname", flags, lease | agent)
        if flags & lease and flags & agent:
            raise InvalidArgument(
                "Flags 'VIR_DOMAIN_GET_HOSTNAME_LEASE' and 'VIR_DOMAIN_GET_HOSTNAME_AGENT' are "
                "mutually exclusive",
                domain=ErrorDomain.QEMU,
                str1="qemuDomainGetHostname",
                str2="ctl",
                int1=0,
                int2=0,
            )
        noName = virtError(
            ErrorCode.NO_HOSTNAME, f"no hostname found for domain {dom.name}", ErrorDomain.QEMU
        )
        if flags & lease:
            domain, _ = self._running(dom)
            for _, leases in await leased(self._hypervisor, domain.definition):
                for each in leases:
                    if each.hostname is not None:
                        return each.hostname
            raise noName
        domain, _ = self._running(dom)
        agentOf(domain)
        try:
            name = hostnameOf(await ask(domain, "guest-get-host-name"))[0].value
        except VirtError:
            raise noName from None
        return str(name)

    async def domainGetTime(self, dom: DomainRef, flags: int) -> DomainTime:
        """Tell the guest's clock."""
        checkFlags("qemuDomainGetTime", flags)
        self._running(dom)
        reply = await self._ask(dom, "guest-get-time")
        if type(reply) is not int or abs(reply) >> 64:
            raise internal("malformed return value")
        reply %= 1 << 64
        return DomainTime(reply // 10**9, reply % 10**9)

    async def domainSetTime(self, dom: DomainRef, seconds: int, nseconds: int, flags: int) -> None:
        """Set the guest's clock."""
        checkFlags("qemuDomainSetTime", flags, c.VIR_DOMAIN_TIME_SYNC)
        domain = self._find(dom)
        if not domain.active:
            # Libvirt looks first whether QEMU can be told of it, which it knows of running guests only.
            raise operationUnsupported(
                "cannot set time: qemu doesn't support rtc-reset-reinjection command"
            )
        agentOf(domain)
        arguments = None
        if not flags & c.VIR_DOMAIN_TIME_SYNC:
            if abs(seconds) > (1 << 63) // 10**9:
                raise invalidArgument(f"Time '{seconds}' is too big for guest agent")
            arguments = {"time": seconds * 10**9 + nseconds}
        await self._ask(dom, "guest-set-time", arguments)
        if isX86(domain.definition.os.type.arch) and domain.guest is not None:
            # What the guest has slept through must not come in after that.
            await domain.guest.execute("rtc-reset-reinjection")

    async def domainFSTrim(
        self, dom: DomainRef, mountPoint: str | None, minimum: int, flags: int
    ) -> None:
        """Let the guest give back unused blocks."""
        checkFlags("qemuDomainFSTrim", flags)
        if mountPoint is not None:
            raise unsupportedArgument("Specifying mount point is not supported for now")
        await self._ask(dom, "guest-fstrim", {"minimum": minimum})

    async def domainFSFreeze(self, dom: DomainRef, mountpoints: list[str], flags: int) -> int:
        """Let the guest write everything out and then write nothing."""
        checkFlags("qemuDomainFSFreeze", flags)
        self._running(dom)
        if mountpoints:
            reply = await self._ask(
                dom, "guest-fsfreeze-freeze-list", {"mountpoints": list(mountpoints)}
            )
        else:
            reply = await self._ask(dom, "guest-fsfreeze-freeze")
        if type(reply) is not int or abs(reply) >> 31:
            raise internal("malformed return value")
        return reply

    async def domainFSThaw(self, dom: DomainRef, mountpoints: list[str], flags: int) -> int:
        """Let the guest write again."""
        checkFlags("qemuDomainFSThaw", flags)
        if mountpoints:
            raise unsupportedArgument("specifying mountpoints is not supported")
        self._running(dom)
        reply = await self._ask(dom, "guest-fsfreeze-thaw")
        if type(reply) is not int or abs(reply) >> 31:
            raise internal("malformed return value")
        return reply

    async def domainGetFSInfo(self, dom: DomainRef, flags: int) -> list[DomainFSInfo]:
        """List the guest's file systems."""
        checkFlags("qemuDomainGetFSInfo", flags)
        domain, _ = self._running(dom)
        reply = await ask(domain, "guest-get-fsinfo")
        return [
            DomainFSInfo(
                each["mountpoint"],
                each["name"],
                each["type"],
                self._targets(domain, each["disk"]),
            )
            for each in fileSystems(reply)[:256]
        ]

    @staticmethod
    def _targets(domain: Domain, disks: Any) -> list[str]:
        """Find the disks that a file system of the guest is on."""
        found = []
        for each in disks if isinstance(disks, list) else ():
            serial = each.get("serial") if isinstance(each, dict) else None
            place = each.get("pci-controller") if isinstance(each, dict) else None
            for disk in domain.definition.devices.disks:
                address = disk.address
                if disk.target is None or disk.target.dev is None:
                    continue
                same = serial is not None and disk.serial == serial
                if isinstance(place, dict) and getattr(address, "type", None) == "pci":
                    same = same or all(
                        getattr(address, name, None) == place.get(name)
                        for name in ("domain", "bus", "slot", "function")
                    )
                if same:
                    found.append(disk.target.dev)
        return found[:256]

    async def domainInterfaceAddresses(
        self, dom: DomainRef, source: int, flags: int
    ) -> list[DomainInterface]:
        """List the guest's interfaces."""
        checkFlags("qemuDomainInterfaceAddresses", flags)
        domain, _ = self._running(dom)
        if source == c.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_LEASE:
            return [
                DomainInterface(
                    nic.target.dev,
                    nic.mac.address,
                    [DomainIPAddr(each.type, each.ipaddr, each.prefix) for each in leases],
                )
                for nic, leases in await leased(self._hypervisor, domain.definition)
            ]
        if source == c.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_ARP:
            return self._neighbours(dom)
        if source != c.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT:
            raise unsupportedArgument(f"Unknown IP address data source {source}")
        reply = await self._ask(dom, "guest-network-get-interfaces")
        return [
            DomainInterface(
                name,
                mac,
                [
                    DomainIPAddr(
                        c.VIR_IP_ADDR_TYPE_IPV6 if kind == "ipv6" else c.VIR_IP_ADDR_TYPE_IPV4,
                        text,
                        prefix,
                    )
                    for kind, text, prefix in addresses
                ],
            )
            for name, mac, addresses in interfaces(reply)
        ]

    def _neighbours(self, dom: DomainRef) -> list[DomainInterface]:
        """Find addresses of the guest's interfaces among the host's neighbours."""
        domain, _ = self._running(dom)
        try:
            with open("/proc/net/arp", encoding="ascii", errors="replace") as file:
                rows = [line.split() for line in file.readlines()[1:]]
        except OSError:
            rows = []
        found = []
        for interface in domain.definition.devices.interfaces:
            mac = interface.mac.address if interface.mac is not None else None
            name = interface.target.dev if interface.target is not None else None
            if mac is None or name is None:
                continue
            addresses = [
                DomainIPAddr(c.VIR_IP_ADDR_TYPE_IPV4, row[0], 0)
                for row in rows
                if len(row) >= 4 and row[3].lower() == mac.lower()
            ]
            if addresses:
                found.append(DomainInterface(name, mac, addresses))
        return found

    async def domainSetUserPassword(
        self, dom: DomainRef, user: str | None, password: str | None, flags: int
    ) -> None:
        """Change a password inside the guest."""
        from base64 import b64encode

        checkFlags("qemuDomainSetUserPassword", flags, c.VIR_DOMAIN_PASSWORD_ENCRYPTED)
        self._running(dom)
        arguments = {
            "crypted": bool(flags & c.VIR_DOMAIN_PASSWORD_ENCRYPTED),
            "username": user,
            "password": b64encode((password or "").encode()).decode(),
        }
        await self._ask(dom, "guest-set-user-password", arguments)

    async def domainAuthorizedSSHKeysGet(self, dom: DomainRef, user: str, flags: int) -> list[str]:
        """List the keys that let a user of the guest in."""
        checkFlags("qemuDomainAuthorizedSSHKeysGet", flags)
        reply = await self._ask(dom, "guest-ssh-get-authorized-keys", {"username": user})
        keys = reply.get("keys") if isinstance(reply, dict) else None
        if not isinstance(keys, list):
            raise internal("qemu agent didn't return an array of keys")
        if not all(isinstance(each, str) for each in keys):
            raise internal("JSON string array contains non-string element")
        return keys[:2048]

    async def domainAuthorizedSSHKeysSet(
        self, dom: DomainRef, user: str, keys: list[str], flags: int
    ) -> None:
        """Change the keys that let a user of the guest in."""
        append = c.VIR_DOMAIN_AUTHORIZED_SSH_KEYS_SET_APPEND
        remove = c.VIR_DOMAIN_AUTHORIZED_SSH_KEYS_SET_REMOVE
        checkFlags("qemuDomainAuthorizedSSHKeysSet", flags, append | remove)
        arguments: dict[str, Any] = {"username": user, "keys": list(keys)}
        if flags & remove:
            await self._ask(dom, "guest-ssh-remove-authorized-keys", arguments)
        else:
            arguments["reset"] = not flags & append
            await self._ask(dom, "guest-ssh-add-authorized-keys", arguments)
