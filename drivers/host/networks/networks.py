"""
Networks of the host: defined on disk, active while their bridge is there.
"""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from twisted.logger import Logger

from pyvirt import constants as c
from pyvirt.definitions.netbits import parseMAC
from pyvirt.definitions.netforward import NAT, PortRange
from pyvirt.definitions.network import NetworkDefinition, completed, formatNetwork, parseNetwork
from pyvirt.definitions.schema import replaced
from pyvirt.definitions.uuids import formatUUID
from pyvirt.definitions.validation import validate
from pyvirt.drivers.filestore import DefinitionFolder, firstSinceBoot, wrapped
from pyvirt.drivers.host.networks import shares
from pyvirt.drivers.host.networks.checking import checkNetwork
from pyvirt.drivers.host.networks.devices import withFunctions
from pyvirt.drivers.host.networks.leases import leases
from pyvirt.drivers.host.networks.network import HOSTED, Network, modeOf, versionOf
from pyvirt.drivers.host.networks.running import Runner
from pyvirt.drivers.interfaces.events import EventKind
from pyvirt.drivers.interfaces.values import NetworkDHCPLease, NetworkRef
from pyvirt.drivers.networkupdate import updated
from pyvirt.drivers.refusals import checkFlags, failed, internal
from pyvirt.drivers.refusals import operationInvalid as invalid
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError
from pyvirt.process import systemError

if TYPE_CHECKING:
    from pyvirt.drivers.host.host import Host

__all__ = ["Networks"]

log = Logger()

_DOMAIN = ErrorDomain.NETWORK
_LIVE, _CONFIG = c.VIR_NETWORK_UPDATE_AFFECT_LIVE, c.VIR_NETWORK_UPDATE_AFFECT_CONFIG
#: Parts of a network of which its name server must be told, and whether it needs another configuration.
_SERVED = {
    c.VIR_NETWORK_SECTION_IP_DHCP_HOST: False,
    c.VIR_NETWORK_SECTION_IP_DHCP_RANGE: True,
    c.VIR_NETWORK_SECTION_DNS_HOST: False,
    c.VIR_NETWORK_SECTION_DNS_TXT: True,
    c.VIR_NETWORK_SECTION_DNS_SRV: True,
}
_LIST_FLAGS = 0x3F
_BRIDGE = re.compile(r"[^\s/:%'\"]{1,15}\Z").match


def _missing(detail: str) -> VirtError:
    return virtError(ErrorCode.NO_NETWORK, detail, _DOMAIN)


_STATUS, _STARTING = "<networkstatus>", "<networkstatus starting='yes'>"


def _running(xml: str) -> tuple[NetworkDefinition, bool]:
    """Read what was written of a running network, and whether it was only being started."""
    return parseNetwork(wrapped(xml, "networkstatus", "network")), _STARTING in xml


def _passes(network: Network, flags: int) -> bool:
    groups = (
        (network.active, "ACTIVE", "INACTIVE"),
        (network.persistent, "PERSISTENT", "TRANSIENT"),
        (network.autostart, "AUTOSTART", "NO_AUTOSTART"),
    )
    for value, yes, no in groups:
        wanted = getattr(c, f"VIR_CONNECT_LIST_NETWORKS_{yes if value else no}")
        other = getattr(c, f"VIR_CONNECT_LIST_NETWORKS_{no if value else yes}")
        if flags & (wanted | other) and not flags & wanted:
            return False
    return True


def _withPorts(definition: NetworkDefinition) -> NetworkDefinition:
    """Say with which ports guests are seen, where addresses are translated and nothing is said."""
    forward = definition.forward
    if forward is None or forward.mode != "nat":
        return definition
    nat = forward.nat or NAT()
    versions = {versionOf(ip) for ip in definition.ips}
    if nat.port is not None or not (4 in versions or (nat.ipv6 and 6 in versions)):
        return definition
    nat = replaced(nat, port=PortRange(start=1024, end=65535))
    return replaced(definition, forward=replaced(forward, nat=nat))


class Networks:
    """Defines, starts and stops networks."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._names: dict[str, Network] = {}
        self._folder = DefinitionFolder(host.layout.networks, "net-edit")
        self._state = DefinitionFolder(host.layout.networkState, "net-edit")
        self._runner = Runner(host)

    # What is on disk

    async def load(self) -> None:
        """Read definitions, find again what is active, start what starts with the host."""
        self._folder.make()
        self._state.make()
        for _, (definition, starting) in self._state.load(_running):
            network = Network(definition)
            if starting:
                await self._cleared(network)
            elif self._runner.stillRuns(network):
                network.active = True
                self._loadPorts(network)
                self._names[network.ref.name] = network
            else:
                self._state.remove(network.ref.name)
                self._dropPorts(network)
        self._read()
        for network in self._names.values():
            if network.active:
                try:
                    await self._runner.again(network)
                except VirtError as error:
                    log.error("network {name}: {error}", name=network.ref.name, error=error)
        if firstSinceBoot(self._state.path):
            await self._autostart()

    def _read(self) -> None:
        """Take over what files define; what is wrong there is logged, and what is just being changed stays as it is."""
        for name, definition in self._folder.load(parseNetwork):
            path, known = self._folder.file(name), self._names.get(name)
            if definition.name != name:
                log.error("{path} is of another network", path=path)
                continue
            if known is not None and known.lock.locked:
                continue
            try:
                bridge = definition.bridge
                hosted = modeOf(definition) in HOSTED
                if definition.uuid is None or (
                    hosted and (definition.mac is None or bridge is None or not bridge.name)
                ):
                    definition = self._finished(definition, known)
                network, _ = self._add(definition, False)
            except VirtError as problem:
                log.error("{path} is left out: {problem}", path=path, problem=problem)
                continue
            if network.active:
                network.pending = definition
            else:
                network.definition = definition
            network.persistent = True
            network.autostart = self._folder.autostarts(name)

    async def reload(self) -> None:
        """
        Read what others have written, and start what is marked; what they have removed stays.

        What somebody has taken away from running networks, rules of the firewall and name servers, comes back.
        """
        self._read()
        for network in list(self._names.values()):
            try:
                async with self._locked(network):
                    if network.active:
                        await self._runner.refresh(network)
            except VirtError as error:
                log.error("network {name}: {error}", name=network.ref.name, error=error)
        await self._autostart()

    async def _cleared(self, network: Network) -> None:
        """Take away what was made of a network when the daemon that started it was killed."""
        name = network.ref.name
        try:
            await self._runner.stop(network)
        except VirtError as error:
            log.error("network {name}: {error}", name=name, error=error)
        if not os.path.exists(self._folder.file(name)):
            self._runner.forget(network)
        self._state.remove(name)

    def _finished(self, definition: NetworkDefinition, known: Network | None) -> NetworkDefinition:
        """
        Say once and for all what a file leaves open, as those do that come with packages.

        @param known: the network of that name that is active already.
        """
        if known is not None and definition.uuid is None:
            definition = replaced(definition, uuid=known.ref.uuid)
        definition = self._settled(completed(definition, random=self._host.random))
        self._folder.save(definition.name, formatNetwork(definition))
        return definition

    async def _autostart(self) -> None:
        """Start what is marked; nobody is told."""
        for network in list(self._names.values()):
            if network.autostart and not network.active:
                try:
                    async with self._locked(network):
                        if not network.active:
                            await self._start(network)
                except VirtError as error:
                    log.error("network {name}: {error}", name=network.ref.name, error=error)

    async def unload(self) -> None:
        """Let go of networks, which go on."""
        for network in self._names.values():
            self._runner.letGo(network)

    def _loadPorts(self, network: Network) -> None:
        """Find again what is plugged into a network."""

    def _dropPorts(self, network: Network) -> None:
        """A network is active no more: nothing is plugged in."""

    # Finding

    def named(self, name: str) -> Network:
        """
        Find a network.

        @raise NoSuchNetwork: there is none.
        """
        network = self._names.get(name)
        if network is None:
            raise _missing(f"no network with matching name '{name}'")
        return network

    def _find(self, ref: NetworkRef) -> Network:
        for network in self._names.values():
            if network.ref.uuid == ref.uuid:
                return network
        raise _missing(f"no network with matching uuid '{formatUUID(ref.uuid)}' ({ref.name})")

    @asynccontextmanager
    async def _locked(self, network: Network) -> AsyncIterator[None]:
        await network.lock.acquire()
        try:
            if network.gone:
                raise _missing(f"no network with matching name '{network.ref.name}'")
            yield
        finally:
            network.lock.release()

    def _tell(self, network: Network, event: int) -> None:
        lifecycle = c.VIR_NETWORK_EVENT_ID_LIFECYCLE
        self._host.tell(EventKind.NETWORK, lifecycle, network.ref, network.ref.uuid, event, 0)

    # Defining

    def _parsed(self, xml: str, checked: int) -> NetworkDefinition:
        if checked:
            validate("network", xml)
        return self._settled(completed(parseNetwork(xml), random=self._host.random))

    def _settled(self, definition: NetworkDefinition) -> NetworkDefinition:
        """
        Give a definition its bridge and address, if it has to have them.

        @raise VirtError: it cannot have them.
        """
        name = definition.name
        if "\n" in name or name in (".", ".."):
            raise virtError(ErrorCode.XML_ERROR, f"name {name!r} is not allowed", _DOMAIN)
        if modeOf(definition) not in HOSTED:
            checkNetwork(definition)
            return definition
        bridge = definition.bridge
        assert bridge is not None
        given = bridge.name
        if given and "%d" not in given:
            if not _BRIDGE(given) or given in (".", ".."):
                raise virtError(ErrorCode.XML_ERROR, f"bridge name '{given}' is not valid", _DOMAIN)
            taken = next((each for each in self._bridges(name) if each == given), None)
            if taken is not None:
                raise internal(f"bridge name '{given}' already in use.", _DOMAIN)
        else:
            bridge = replaced(bridge, name=self._freeBridge(given or "virbr%d", name))
        mac = definition.mac
        if mac is None:
            octets = self._host.random(3)
            mac = "52:54:00:" + ":".join(f"{each:02x}" for each in octets)
        checkNetwork(definition)
        return replaced(definition, bridge=bridge, mac=mac)

    def _bridges(self, other: str) -> Iterator[str]:
        """Iterate over the bridges of all networks but one."""
        for network in self._names.values():
            if network.ref.name != other:
                for each in (network.definition, network.pending):
                    if each is not None and each.bridge is not None and each.bridge.name:
                        yield each.bridge.name

    def _freeBridge(self, pattern: str, name: str) -> str:
        taken = set(self._bridges(name))
        for number in range(257):
            found = pattern.replace("%d", str(number), 1)
            if (
                found not in taken
                and _BRIDGE(found)
                and not os.path.exists(f"/sys/class/net/{found}")
            ):
                return found
        raise internal("Bridge generation exceeded max id 256", _DOMAIN)

    def _add(self, definition: NetworkDefinition, live: bool) -> tuple[Network, bool]:
        """
        Find the network of a definition, or add it.

        @return: the network, and whether it is new.
        """
        assert definition.uuid is not None
        for network in self._names.values():
            if network.ref.uuid == definition.uuid:
                if network.ref.name != definition.name:
                    raise failed(
                        f"network '{network.ref.name}' is already defined with uuid "
                        f"{formatUUID(definition.uuid)}",
                        _DOMAIN,
                    )
                if live and network.active:
                    raise invalid(f"network is already active as '{network.ref.name}'", _DOMAIN)
                return network, False
        taken = self._names.get(definition.name)
        if taken is not None:
            raise failed(
                f"network '{definition.name}' already exists with uuid {formatUUID(taken.ref.uuid)}",
                _DOMAIN,
            )
        network = self._names[definition.name] = Network(definition)
        return network, True

    def _remove(self, network: Network) -> None:
        network.gone = True
        if self._names.get(network.ref.name) is network:
            del self._names[network.ref.name]
        self._runner.forget(network)

    def networkDefineXMLFlags(self, xml: str, flags: int) -> NetworkRef:
        """Define a network."""
        checkFlags("networkDefineXMLFlags", flags, c.VIR_NETWORK_DEFINE_VALIDATE, _DOMAIN)
        definition = self._parsed(xml, flags)
        network, new = self._add(definition, False)
        try:
            self._folder.save(network.ref.name, formatNetwork(definition))
        except BaseException:
            if new:
                self._remove(network)
            raise
        network.persistent = True
        if network.active:
            network.pending = definition
        else:
            network.definition = definition
        self._tell(network, c.VIR_NETWORK_EVENT_DEFINED)
        return network.ref

    def networkUndefine(self, net: NetworkRef) -> None:
        """Forget a definition; an active network is gone when it stops."""
        network = self._find(net)
        if not network.persistent:
            raise invalid("can't undefine transient network", _DOMAIN)
        try:
            self._folder.erase(network.ref.name)
        except OSError as problem:
            detail = f"cannot remove config file '{self._folder.file(network.ref.name)}'"
            raise systemError(problem, detail, _DOMAIN) from None
        network.persistent = network.autostart = False
        network.pending = None
        if not network.active:
            self._remove(network)
        self._tell(network, c.VIR_NETWORK_EVENT_UNDEFINED)

    def networkSetAutostart(self, net: NetworkRef, autostart: bool) -> None:
        """Say whether a network that is defined is started with the host."""
        network = self._find(net)
        if not network.persistent:
            raise invalid("cannot set autostart for transient network", _DOMAIN)
        if network.autostart == bool(autostart):
            return
        self._folder.setAutostart(network.ref.name, bool(autostart), _DOMAIN)
        network.autostart = bool(autostart)

    # Starting and stopping

    def _saveState(self, network: Network, head: str = _STATUS) -> None:
        inner = "".join(f"  {line}\n" for line in formatNetwork(network.definition).splitlines())
        taken, promised = shares.listed(shares.classes(network)), shares.floors(network)
        own = f"  <class_id bitmap='{taken}'/>\n  <floor sum='{promised}'/>\n"
        self._state.save(network.ref.name, f"{head}\n{own}{inner}</networkstatus>")

    async def _hook(
        self, network: Network, operation: str, part: str, port: str | None = None
    ) -> None:
        """Let the administrator's scripts hear of a network, and of a port of it."""
        if self._host.hooks.present("network"):
            inner = "".join(
                f"  {line}\n" for line in (network.describe() + (port or "")).splitlines()
            )
            xml = f"<hookData>\n{inner}</hookData>"
            await self._host.hooks.call("network", network.ref.name, operation, part, "-", xml)

    async def _start(self, network: Network) -> None:
        before, definition = network.pending, network.definition
        if network.persistent and before is None:
            network.pending = definition
        network.definition = _withPorts(definition)
        try:
            network.definition = withFunctions(network.definition)
            await self._hook(network, "start", "begin")
            await self._runner.start(network, lambda: self._saveState(network, _STARTING))
            try:
                await self._hook(network, "started", "begin")
                self._saveState(network)
            except BaseException:
                await self._runner.stop(network)
                raise
        except BaseException:
            network.pending, network.definition = before, definition
            self._state.remove(network.ref.name)
            raise
        network.active = True

    async def networkCreate(self, net: NetworkRef) -> None:
        """Start a network."""
        network = self._find(net)
        async with self._locked(network):
            if network.active:
                raise invalid("network is already active", _DOMAIN)
            await self._start(network)
            self._tell(network, c.VIR_NETWORK_EVENT_STARTED)

    async def networkCreateXMLFlags(self, xml: str, flags: int) -> NetworkRef:
        """Start a network that is gone when it stops, unless it is defined too."""
        checkFlags("networkCreateXMLFlags", flags, c.VIR_NETWORK_CREATE_VALIDATE, _DOMAIN)
        definition = self._parsed(xml, flags)
        network, new = self._add(definition, True)
        try:
            async with self._locked(network):
                if network.active:
                    raise invalid("network is already active", _DOMAIN)
                old = network.definition
                if network.persistent:
                    network.pending = old
                network.definition = definition
                try:
                    await self._start(network)
                except BaseException:
                    network.definition, network.pending = old, None
                    raise
        except BaseException:
            if new:
                self._remove(network)
            raise
        self._tell(network, c.VIR_NETWORK_EVENT_STARTED)
        return network.ref

    async def networkDestroy(self, net: NetworkRef) -> None:
        """Stop a network."""
        network = self._find(net)
        async with self._locked(network):
            if not network.active:
                raise invalid(f"network '{network.ref.name}' is not active", _DOMAIN)
            await self._runner.stop(network)
            self._state.remove(network.ref.name)
            self._dropPorts(network)
            network.active = False
            try:
                await self._hook(network, "stopped", "end")
            except VirtError as error:
                log.warn("{error}", error=error)
            if network.pending is not None:
                network.definition, network.pending = network.pending, None
            if not network.persistent:
                self._remove(network)
            self._tell(network, c.VIR_NETWORK_EVENT_STOPPED)

    async def networkUpdate(
        self,
        net: NetworkRef,
        command: int,
        section: int,
        parentIndex: int,
        xml: str,
        flags: int,
    ) -> None:
        """Change one part of what a network is, of what it was told to be, or of both."""
        checkFlags("networkUpdate", flags, _LIVE | _CONFIG, _DOMAIN)
        network = self._find(net)
        async with self._locked(network):
            if not flags:
                flags = _LIVE if network.active else _CONFIG
            if flags & _LIVE and not network.active:
                raise invalid("network is not running", _DOMAIN)
            if flags & _CONFIG and not network.persistent:
                raise invalid("cannot change persistent config of a transient network", _DOMAIN)
            part = (command, section, parentIndex, xml)
            told = network.pending or network.definition
            wanted = updated(told, *part) if flags & _CONFIG else told
            now = updated(network.definition, *part) if flags & _LIVE else network.definition
            if flags & _CONFIG:
                self._folder.save(network.ref.name, formatNetwork(wanted))
                if network.active:
                    network.pending = wanted
                else:
                    network.definition = wanted
            if flags & _LIVE:
                old, network.definition = network.definition, now
                try:
                    network.countAnew()
                    if section in _SERVED:
                        await self._runner.changed(network, _SERVED[section])
                    await self._runner.reruled(network, old)
                    await self._hook(network, "updated", "begin")
                except BaseException:
                    network.definition = old
                    raise
                finally:
                    self._saveState(network)

    # Telling

    def connectListAllNetworks(self, flags: int) -> list[NetworkRef]:
        """List the networks that pass the filters."""
        checkFlags("networkConnectListAllNetworks", flags, _LIST_FLAGS, _DOMAIN)
        return [network.ref for network in self._names.values() if _passes(network, flags)]

    def networkLookupByName(self, name: str) -> NetworkRef:
        """Find a network."""
        return self.named(name).ref

    def networkLookupByUUID(self, uuid: bytes) -> NetworkRef:
        """Find a network."""
        for network in self._names.values():
            if network.ref.uuid == uuid:
                return network.ref
        raise _missing(f"no network with matching uuid '{formatUUID(uuid)}'")

    def networkGetXMLDesc(self, net: NetworkRef, flags: int) -> str:
        """Write a network's definition."""
        checkFlags("networkGetXMLDesc", flags, c.VIR_NETWORK_XML_INACTIVE, _DOMAIN)
        network = self._find(net)
        if flags & c.VIR_NETWORK_XML_INACTIVE and network.pending is not None:
            return formatNetwork(network.pending)
        return network.describe()

    def networkGetBridgeName(self, net: NetworkRef) -> str:
        """Tell the bridge that guests are plugged into."""
        network = self._find(net)
        if not network.bridge:
            raise internal(f"network '{network.ref.name}' does not have a bridge name.", _DOMAIN)
        return network.bridge

    def networkGetAutostart(self, net: NetworkRef) -> bool:
        """Whether the network is started with the host."""
        return self._find(net).autostart

    def networkIsActive(self, net: NetworkRef) -> bool:
        """Whether it is started."""
        return self._find(net).active

    def networkIsPersistent(self, net: NetworkRef) -> bool:
        """Whether it stays when it stops."""
        return self._find(net).persistent

    async def networkGetDHCPLeases(
        self, net: NetworkRef, mac: str | None, flags: int
    ) -> list[NetworkDHCPLease]:
        """List the addresses that a network has lent."""
        checkFlags("networkGetDHCPLeases", flags, 0, _DOMAIN)
        network = self._find(net)
        wanted = None if mac is None else parseMAC(mac)
        if mac is not None and wanted is None:
            raise virtError(ErrorCode.INVALID_MAC, mac, _DOMAIN)
        path = os.path.join(self._host.layout.dnsmasq, f"{network.bridge}.status")
        now = self._host.clock.seconds()
        found: list[NetworkDHCPLease] = await self._host.thread(
            leases, path, network.definition, network.bridge, now, wanted
        )
        return found
