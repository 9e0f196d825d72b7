"""
Starting and stopping networks: the bridge, its addresses, the rules, the name server.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import re
import shlex
import signal
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from twisted.logger import Logger

from pyvirt.definitions.network import NetworkDefinition
from pyvirt.drivers.filestore import removeFile, writeWhole
from pyvirt.drivers.host.networks import dnsmasq, firewall, leasehelper, shares
from pyvirt.drivers.host.networks.macmap import noteGuest
from pyvirt.drivers.host.networks.network import (
    HOSTED,
    Network,
    isWhole,
    modeOf,
    networkOf,
    versionOf,
)
from pyvirt.drivers.host.running import commandFailed, found, run
from pyvirt.drivers.refusals import internal
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError
from pyvirt.folders import makeFolders
from pyvirt.process import startTime, systemError

if TYPE_CHECKING:
    from pyvirt.drivers.host.host import Host

__all__ = ["Runner"]

log = Logger()

_DOMAIN = ErrorDomain.NETWORK


def _ip() -> str:
    return found("/usr/sbin/ip", "/sbin/ip", "/bin/ip", "/usr/bin/ip")


def _setting(path: str, value: str, required: bool = True) -> None:
    """Write to C{/proc/sys}, which waits for nothing."""
    place = f"/proc/sys/net/{path}"
    try:
        with open(place, "w") as file:
            file.write(value)
    except FileNotFoundError:
        if required and os.path.isdir(f"/proc/sys/net/{path.split('/')[0]}"):
            log.info("there is no {place}", place=place)
    except OSError as problem:
        raise systemError(problem, f"cannot write to {place}", _DOMAIN) from None


def _setMTU(name: str, mtu: int) -> None:
    """
    Set the size of the largest packet of a device, in bytes.

    @raise VirtError: it cannot be.
    """
    try:
        with open(f"/sys/class/net/{name}/mtu", "w", encoding="ascii") as file:
            file.write(str(mtu))
    except OSError as problem:
        detail = f"Cannot set interface MTU on '{name}'"
        raise systemError(problem, detail, ErrorDomain.NONE) from None


def _filterVLANs(network: Network) -> None:
    """
    Have the bridge look at VLANs where its table of addresses is written and not learnt.

    @raise VirtError: the kernel has no such bridges.
    """
    bridge = network.definition.bridge
    if bridge is None or bridge.macTableManager != "libvirt":
        return
    path = f"/sys/class/net/{bridge.name}/bridge/vlan_filtering"
    if not os.path.exists(path):
        problem = OSError(errno.EINVAL, "")
        detail = f"Unable to set bridge {bridge.name} vlan_filtering via ioctl"
        raise systemError(problem, detail, ErrorDomain.NONE)
    try:
        with open(path, "w", encoding="ascii") as file:
            file.write("1")
    except OSError as problem:
        detail = f"Unable to set bridge {bridge.name} vlan_filtering"
        raise systemError(problem, detail, ErrorDomain.NONE) from None


def _place(address: str | None, width: str | int) -> tuple[int, int] | None:
    """Return where an IPv4 network is, and its mask; None: it is another's."""
    try:
        mask = int(ipaddress.IPv4Network(f"0.0.0.0/{width}").netmask)
    except ValueError:
        try:
            mask = int(ipaddress.IPv4Address(width))
        except ValueError:
            return None
    try:
        return int(ipaddress.IPv4Address(address or "")) & mask, mask
    except ValueError:
        return None


def _hostRoutes() -> Iterator[tuple[tuple[int, int], str]]:
    """Iterate over the networks that the host has a way to, with their masks, and the devices."""
    try:
        with open("/proc/net/route", encoding="ascii", errors="replace") as file:
            lines = file.read().splitlines()[1:]
    except OSError:
        return
    for line in reversed(lines):
        words = line.split()
        if len(words) >= 8:
            goal, mask = (
                int.from_bytes(bytes.fromhex(word), "little") for word in (words[1], words[7])
            )
            yield (goal & mask, mask), words[0]


def _unaddressed(address: str, bridge: str) -> VirtError:
    """Make the error of an address that a bridge does not get."""
    interface = ipaddress.ip_interface(address)
    broad = f" bcast {interface.network.broadcast_address}" if interface.version == 4 else ""
    return virtError(
        ErrorCode.SYSTEM_ERROR,
        f"Failed to add IP address {address}{broad} to {bridge}",
        ErrorDomain.NONE,
    )


class Runner:
    """Starts and stops networks of one host."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._folder = host.layout.dnsmasq

    def _pidFile(self, network: Network) -> str:
        return os.path.join(self._host.layout.networkState, f"{network.ref.name}.pid")

    def _base(self, network: Network) -> str:
        return os.path.join(self._folder, network.ref.name)

    def stillRuns(self, network: Network) -> bool:
        """Whether a network that an earlier life started is still there."""
        mode = modeOf(network.definition)
        if mode not in HOSTED and not (mode == "bridge" and network.bridge):
            return True
        return bool(network.bridge) and os.path.isdir(f"/sys/class/net/{network.bridge}")

    async def again(self, network: Network) -> None:
        """Watch over the name server of a network that an earlier life started, or start one."""
        if modeOf(network.definition) not in HOSTED or not dnsmasq.needed(network.definition):
            return
        network.server = self._adopted(network)
        if network.server is None:
            await self.serve(network)
        else:
            self._leaseScript()  # Python and we may be elsewhere now than when it was started

    async def start(self, network: Network, begins: Callable[[], None]) -> None:
        """
        Start a network.

        @param begins: called before anything is made, to write down that something may be there.
        @raise VirtError: it cannot be; nothing of it is left.
        """
        if modeOf(network.definition) not in HOSTED:
            if network.bridge:
                await shares.begin(self._host, network)
                try:
                    _filterVLANs(network)
                except BaseException:
                    await shares.end(self._host, network)
                    raise
            return
        self._checkRoutes(network)
        bridge = network.bridge
        if os.path.exists(f"/sys/class/net/{bridge}"):
            problem = FileExistsError(17, "")
            raise systemError(
                problem, f"error creating bridge interface {bridge}", ErrorDomain.NONE
            )
        self._checkZone(network)
        begins()
        try:
            await self._bridge(network)
            for version in (4, 6) if firewall.ruled(network.definition) else ():
                wanted = firewall.rules(network.definition, bridge, version)
                await firewall.add(self._host, version, wanted)
            await self.serve(network)
            await shares.begin(self._host, network)
        except BaseException:
            await self.stop(network)
            raise

    async def stop(self, network: Network) -> None:
        """Stop a network; what cannot be taken back is logged."""
        bridge = network.bridge
        if bridge:
            await shares.end(self._host, network)
        if modeOf(network.definition) not in HOSTED:
            return
        await self._endServer(network)
        for version in (4, 6):
            unwanted = firewall.rules(network.definition, bridge, version)
            try:
                await firewall.remove(self._host, version, unwanted)
            except VirtError as error:
                log.warn("{error}", error=error)
        if os.path.isdir(f"/sys/class/net/{bridge}/bridge"):
            try:
                await run(self._host, _ip(), "link", "delete", bridge, "type", "bridge")
            except VirtError as error:
                log.warn("{error}", error=error)

    def forget(self, network: Network) -> None:
        """Remove what name servers keep of a network that is no more."""
        for path in dnsmasq.fileNames(self._folder, network.ref.name, network.bridge):
            removeFile(path)

    # Bridges

    def _checkRoutes(self, network: Network) -> None:
        """Refuse networks, and routes, that packets go to by another way already."""
        taken = dict(_hostRoutes())
        definition = network.definition
        for ip in definition.ips:
            net = _place(ip.address, ip.netmask or networkOf(ip).network.prefixlen)
            if net in taken:
                raise internal(f"Network is already in use by interface {taken[net]}", _DOMAIN)
        for route in definition.routes:
            net = _place(route.address, route.netmask or route.prefix or 0)
            if net in taken:
                raise internal(
                    f"Route address '{route.address}' conflicts with IP address for '{taken[net]}'",
                    _DOMAIN,
                )

    def _checkZone(self, network: Network) -> None:
        """Refuse zones: those are firewalld's, which is not asked."""
        bridge = network.definition.bridge
        if bridge is not None and bridge.zone and modeOf(network.definition) != "open":
            raise internal(
                f"zone {bridge.zone} requested for network {network.ref.name} but firewalld is "
                "not active",
                _DOMAIN,
            )

    async def _bridge(self, network: Network) -> None:
        definition, name = network.definition, network.bridge
        for ip in definition.ips:
            if not isWhole(ip):
                raise internal(
                    f"bridge '{name}' has an invalid netmask or IP address", ErrorDomain.NETWORK
                )
        bridge = definition.bridge
        assert bridge is not None
        mac = f" address {definition.mac}" if definition.mac else ""
        delay = (bridge.delay or 0) * 100
        stp = 0 if bridge.stp == "off" else 1
        if stp:
            delay = min(max(delay, 200), 3000)
        await self._batch(
            [f"link add name {name}{mac} type bridge forward_delay {delay} stp_state {stp}"]
        )
        if definition.mtu:
            _setMTU(name, definition.mtu)
        _filterVLANs(network)
        six = any(versionOf(ip) == 6 for ip in definition.ips)
        if not six and not definition.ipv6:
            _setting(f"ipv6/conf/{name}/disable_ipv6", "1")
        else:
            _setting(f"ipv6/conf/{name}/disable_ipv6", "0")
        _setting(f"ipv6/conf/{name}/accept_ra", "0")
        _setting(f"ipv6/conf/{name}/autoconf", "0")
        lines = []
        for ip in definition.ips:
            address = networkOf(ip)
            broad = (
                " broadcast +" if address.version == 4 and address.network.prefixlen < 31 else ""
            )
            lines.append(f"address add {address}{broad} dev {name}")
        lines.append(f"link set dev {name} up")
        for route in definition.routes:
            width = route.prefix if route.prefix is not None else route.netmask or ""
            metric = f" metric {route.metric or 1}"
            family = "-6 " if ":" in (route.address or "") else ""
            lines.append(
                f"{family}route add {route.address}/{width} via {route.gateway} dev {name}{metric}"
            )
        await self._batch(lines)
        if modeOf(definition) != "none":
            if any(versionOf(ip) == 4 for ip in definition.ips):
                _setting("ipv4/ip_forward", "1")
            if six:
                _setting("ipv6/conf/all/forwarding", "1")

    async def _batch(self, lines: list[str]) -> None:
        text = "".join(f"{line}\n" for line in lines).encode()
        argv = (_ip(), "-batch", "-")
        done = await run(self._host, *argv, input=text, deadline=60.0, failing=False)
        if done.status:
            # Which of the lines it was is the last that is said.
            failed = re.search(rb"Command failed -:(\d+)\s*\Z", done.errors)
            line = lines[int(failed[1]) - 1 : int(failed[1])] if failed else []
            words = line[0].split() if line else []
            if words[:2] == ["address", "add"]:
                raise _unaddressed(words[2], words[-1])
            raise commandFailed(argv, done)

    # Name servers

    def _write(self, network: Network) -> None:
        makeFolders(self._folder)  # name servers, who are no root, read there again
        definition, base = network.definition, self._base(network)
        text = dnsmasq.configuration(definition, network.bridge, self._pidFile(network), base)
        writeWhole(f"{base}.conf", text.encode())
        self._writeHosts(network)

    def _writeHosts(self, network: Network) -> None:
        base = self._base(network)
        writeWhole(f"{base}.hostsfile", dnsmasq.hostFile(network.definition).encode(), 0o644)
        writeWhole(f"{base}.addnhosts", dnsmasq.addressFile(network.definition).encode(), 0o644)

    async def serve(self, network: Network) -> None:
        """
        Start the name server of a network, if it has one.

        @raise VirtError: it does not start.
        """
        if not dnsmasq.needed(network.definition):
            return
        self._write(network)
        program = found("/usr/sbin/dnsmasq", "/sbin/dnsmasq")
        # It goes into the background by itself once it serves.
        conf = f"--conf-file={self._base(network)}.conf"
        script = f"--dhcp-script={self._leaseScript()}"
        names = {"VIR_BRIDGE_NAME": network.bridge, leasehelper.FOLDER: self._folder}
        more: Any = {"environment": names, "deadline": 60.0}
        await run(self._host, program, conf, "--leasefile-ro", script, **more)
        network.server = self._adopted(network)
        if network.server is None:
            raise internal(f"dnsmasq of network '{network.ref.name}' ended at once", _DOMAIN)

    def _leaseScript(self) -> str:
        """
        Write what name servers run when they lend an address, and return where that is.

        Where nothing is run from that folder it is the helper itself, by whichever Python is found then.
        """
        makeFolders(self._folder)
        if os.statvfs(self._folder).f_flag & os.ST_NOEXEC:
            return leasehelper.__file__
        path = os.path.join(self._folder, ".leasehelper")
        words = shlex.join((sys.executable, "-I", "-S", leasehelper.__file__))
        kept = f"{leasehelper.FOLDER}={shlex.quote(self._folder)}"
        text = f'#!/bin/sh\n{kept} exec {words} "$@"\n'
        writeWhole(path, text.encode(), 0o755)
        return path

    def _adopted(self, network: Network) -> Any:
        """Find the name server of a network by the file with its number."""
        try:
            with open(self._pidFile(network)) as file:
                pid = int(file.read(32))
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                words = file.read(65536).split(b"\0")
        except (OSError, ValueError):
            return None
        # The number may be another's by now.
        if f"--conf-file={self._base(network)}.conf".encode() not in words:
            return None
        return self._host.processes.adopt(pid, startTime(pid))

    async def _endServer(self, network: Network) -> None:
        server, network.server = network.server, None
        if server is None:
            server = self._adopted(network)
        if server is not None:
            ended = server.whenEnded()
            server.kill(signal.SIGTERM)
            late = self._host.clock.callLater(10, server.kill, signal.SIGKILL)
            await ended
            if late.active():
                late.cancel()
        removeFile(self._pidFile(network))

    async def reruled(self, network: Network, before: NetworkDefinition) -> None:
        """
        Have other rules for a running network that has changed, where they are others.

        @raise VirtError: they cannot be had.
        """
        definition, bridge = network.definition, network.bridge
        if modeOf(definition) not in HOSTED:
            return
        for version in (4, 6):
            old = firewall.rules(before, bridge, version)
            new = firewall.rules(definition, bridge, version)
            if old != new:
                await firewall.remove(self._host, version, old)
                await firewall.add(self._host, version, new)

    async def refresh(self, network: Network) -> None:
        """
        Give a running network again what somebody may have taken away, and let its name server read its lists again.

        @raise VirtError: it cannot have them.
        """
        definition = network.definition
        if modeOf(definition) not in HOSTED:
            return
        for version in (4, 6):
            rules = firewall.rules(definition, network.bridge, version)
            if rules:
                await firewall.remove(self._host, version, rules)
                await firewall.add(self._host, version, rules)
        if not dnsmasq.needed(definition):
            return
        self.letGo(network)
        network.server = self._adopted(network)
        if network.server is None:
            await self.serve(network)
        else:
            await self.changed(network, False)

    async def changed(self, network: Network, anew: bool) -> None:
        """
        Let the name server of a running network know of changes.

        @param anew: they need another configuration, not only other lists of hosts.
        """
        if modeOf(network.definition) not in HOSTED:
            return
        if anew or network.server is None or not dnsmasq.needed(network.definition):
            await self._endServer(network)
            await self.serve(network)
        else:
            self._writeHosts(network)
            network.server.kill(signal.SIGHUP)

    def note(self, network: Network, name: str, mac: str, here: bool) -> None:
        """Write down which guest has a hardware address in a network, where its names can be asked for."""
        if modeOf(network.definition) in HOSTED and dnsmasq.needed(network.definition):
            noteGuest(self._folder, network.bridge, name, mac, here)

    def letGo(self, network: Network) -> None:
        """Watch over the name server no more; the network goes on."""
        if network.server is not None:
            network.server.forget()
            network.server = None
