"""
Targets of iSCSI: pools of type C{iscsi}, whose volumes are the units of a target that this host is logged in to.

All is done by C{iscsiadm}, with the command lines that libvirtd runs.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from twisted.logger import Logger

from pyvirt import constants as c
from pyvirt.definitions.poolsource import PoolSource
from pyvirt.definitions.storage import PoolDefinition
from pyvirt.definitions.uuids import parseUUID
from pyvirt.drivers.host.running import commandFailed, found, run
from pyvirt.drivers.host.storage.backends import Listing
from pyvirt.drivers.host.storage.devices import settled
from pyvirt.drivers.host.storage.pool import Pool
from pyvirt.drivers.host.storage.scsi import Devices, units
from pyvirt.drivers.interfaces.inside import ISecretValues
from pyvirt.drivers.refusals import failed, internal
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError
from pyvirt.process import Finished, systemError

if TYPE_CHECKING:
    from pyvirt.drivers.host.host import Host

__all__ = ["ISCSI", "checkOneHost", "targets"]

log = Logger()

_DOMAIN = ErrorDomain.STORAGE
_PORT = 3260

_SESSION = re.compile(r"tcp:\s+\[(\S+)\]\s+\S+:\S+\s+(\S+)(?:\s.*)?", re.ASCII)
_TARGET = re.compile(r"\s*(\S+)\s+(\S+)\s*", re.ASCII)


class _Place(NamedTuple):
    """
    Where a target is.

    @ivar portal: address and port of who serves it.
    @ivar initiator: as whom this host speaks to it; None: as it always does.
    """

    portal: str
    target: str
    initiator: str | None


def _program() -> str:
    return found("/usr/bin/iscsiadm")


async def _run(host: Host, *words: str, failing: bool = True, **details: Any) -> Finished:
    return await run(host, _program(), *words, failing=failing, **details)


def checkOneHost(source: PoolSource) -> None:
    """
    Look whether it is known who is to be asked.

    @raise VirtError: it is not one host.
    """
    if len(source.hosts) != 1:
        raise virtError(
            ErrorCode.CONFIG_UNSUPPORTED, "Expected exactly 1 host for the storage pool", _DOMAIN
        )


def _portal(source: PoolSource) -> str:
    """
    Return who serves a target.

    @raise VirtError: it is not one host, or has no name.
    """
    checkOneHost(source)
    name, port = source.hosts[0].name, source.hosts[0].port or _PORT
    if not name:
        raise internal("missing source host", _DOMAIN)
    return f"[{name}]:{port},1" if ":" in name else f"{name}:{port},1"


def _initiator(source: PoolSource) -> str | None:
    return None if source.initiator is None else source.initiator.iqn


async def _interface(host: Host, initiator: str) -> str | None:
    """
    Find the interface of C{iscsiadm} that speaks as an initiator.

    @raise VirtError: C{iscsiadm} fails, or says what nobody understands.
    """
    said = await _run(host, "--mode", "iface")
    for line in said.output.decode(errors="replace").splitlines():
        name, blank, rest = line.partition(" ")
        fields = rest.split(",", 4)
        if not blank or len(fields) != 5:
            raise internal(f"malformed output of {_program()}: {line}", ErrorDomain.NONE)
        if fields[4] == initiator:
            return name
    return None


async def _madeInterface(host: Host, place: _Place) -> str:
    """
    Let there be an interface that speaks as the initiator of a target.

    @raise VirtError: there is none then.
    """
    initiator = place.initiator or ""
    name = await _interface(host, initiator)
    if name is not None:
        return name
    name = f"libvirt-iface-{int.from_bytes(host.random(4), 'big'):08x}"
    iface = ("--mode", "iface", "--interface", name)
    value = ("--name", "iface.initiatorname", "--value", initiator)
    # Whether these did something shows in what there is then.
    await _run(host, *iface, "--op", "new", failing=False)
    await _run(host, *iface, "--op", "update", *value, failing=False)
    if await _interface(host, initiator) != name:
        log.error("{program} made no interface for {iqn}", program=_program(), iqn=initiator)
        raise VirtError("An error occurred, but the cause is unknown", int1=0, int2=0)
    discovery = ("--mode", "discovery", "--type", "sendtargets", "--portal", place.portal)
    # So the interface gets known to the target; that it tells others too does not matter.
    await _run(host, *discovery, "--interface", name, failing=False)
    return name


async def targets(host: Host, source: PoolSource) -> tuple[str, int, list[str]]:
    """
    Ask who serves targets which there are.

    @return: the server, its port, and the targets.
    @raise VirtError: it does not say.
    """
    portal = _portal(source)
    initiator = _initiator(source)
    words = ["--mode", "discovery", "--type", "sendtargets", "--portal", portal]
    words += ["--op", "nonpersistent"]
    if initiator is not None:
        name = await _interface(host, initiator)
        if name is None:
            raise failed(f"no iSCSI interface defined for IQN {initiator}", ErrorDomain.NONE)
        words += ["--interface", name]
    said = await _run(host, *words)
    told = []
    for line in said.output.decode(errors="replace").splitlines():
        matched = _TARGET.fullmatch(line)
        if matched is not None:
            told.append(matched[2])
    server = source.hosts[0]
    return server.name or "", server.port or _PORT, told


class ISCSI(Devices):
    """The units of a target."""

    def _place(self, definition: PoolDefinition) -> _Place:
        source = definition.source
        portal = _portal(source)
        if len(source.devices) != 1 or not source.devices[0].path:
            raise internal("missing source device", _DOMAIN)
        return _Place(portal, source.devices[0].path, _initiator(source))

    async def _session(self, target: str) -> tuple[str | None, str]:
        """
        Look whether this host is logged in to a target.

        @return: by which session, and what C{iscsiadm} complained of.
        """
        said = await _run(self._host, "--mode", "session", failing=False)
        # Without any it ends as if it had failed.
        if not said.status:
            for line in said.output.decode(errors="replace").splitlines():
                matched = _SESSION.fullmatch(line)
                if matched is not None and matched[2] == target:
                    return matched[1], ""
        return None, said.errors.decode(errors="replace")

    async def running(self, pool: Pool) -> bool:
        """Whether this host is logged in."""
        place = self._place(pool.definition)
        return (await self._session(place.target))[0] is not None

    async def _node(self, place: _Place, *words: str, naming: str = "--targetname") -> Finished:
        node = ("--mode", "node", "--portal", place.portal, naming, place.target)
        return await _run(self._host, *node, *words, failing=False)

    async def _log(self, place: _Place, how: str) -> None:
        """Log in or out."""
        words = [how]
        if place.initiator is not None:
            words += ["--interface", await _madeInterface(self._host, place)]
        ended = await self._node(place, *words)
        if ended.status:
            node = ("--mode", "node", "--portal", place.portal, "--targetname", place.target)
            raise commandFailed((_program(), *node, *words), ended)

    async def start(self, pool: Pool) -> None:
        """Log in, where this host is not."""
        place = self._place(pool.definition)
        if (await self._session(place.target))[0] is not None:
            return
        ended = await self._node(place, "--op", "new")
        if ended.status:
            raise internal(
                f"{_program()} failed new mode for target '{place.target}' "
                f"with status '{ended.status}'",
                ErrorDomain.NONE,
            )
        await self._authenticate(pool.definition, place)
        await self._log(place, "--login")

    async def _authenticate(self, definition: PoolDefinition, place: _Place) -> None:
        """Tell C{iscsiadm} who logs in, where anybody cares."""
        auth = definition.source.auth
        if auth is None:
            return
        if auth.type != "chap":
            raise virtError(
                ErrorCode.XML_ERROR, "iscsi pool only supports 'chap' auth type", _DOMAIN
            )
        secret: Any = auth.secret
        uuid = None if secret is None or secret.uuid is None else parseUUID(secret.uuid)
        usage = "" if secret is None else secret.usage or ""
        values: Any = self._host.component(ISecretValues)
        value = values.secretValue(uuid, c.VIR_SECRET_USAGE_TYPE_ISCSI, usage)
        # A word of a command line ends before the first zero.
        password = os.fsdecode(value.split(b"\0", 1)[0])
        for name, text in (
            ("authmethod", "CHAP"),
            ("username", auth.username or ""),
            ("password", password),
        ):
            hidden = frozenset([text]) if name == "password" else frozenset()
            node = ("--mode", "node", "--portal", place.portal, "--target", place.target)
            words = ("--op", "update", "--name", f"node.session.auth.{name}", "--value", text)
            ended = await _run(self._host, *node, *words, failing=False, hidden=hidden)
            if ended.status:
                log.warn(
                    "{name} of {target} is not set: {why}",
                    name=name,
                    target=place.target,
                    why=ended.errors.decode(errors="replace"),
                )

    async def stop(self, pool: Pool) -> None:
        """Log out, where this host is logged in."""
        place = self._place(pool.definition)
        if (await self._session(place.target))[0] is not None:
            await self._log(place, "--logout")

    async def listing(self, pool: Pool) -> Listing:
        """Let the session look for units."""
        target = self._place(pool.definition).target
        session, why = await self._session(target)
        if session is None or "/" in session or session.startswith("."):
            raise internal(f"cannot find iscsiadm session: {why}", _DOMAIN)
        await _run(self._host, "--mode", "session", "-r", session, "-R")
        await settled(self._host)
        place = f"/sys/class/iscsi_session/session{session}/device"
        number = await self._host.thread(_hostOf, place)
        return await self.described(await self._host.thread(units, number, pool.path))


def _hostOf(place: str) -> int:
    """
    In a thread: return the number of the SCSI host of a session.

    @raise VirtError: the kernel shows none.
    """
    try:
        names = os.listdir(place)
    except OSError as problem:
        raise systemError(problem, f"cannot open directory '{place}'", _DOMAIN) from None
    for name in sorted(names):
        if name.startswith("target"):
            matched = re.match(r"target(\d{1,9}):", name, re.ASCII)
            if matched is None:
                raise internal(f"Failed to parse target '{name}'", _DOMAIN)
            return int(matched[1])
    raise internal(f"Failed to get host number for iSCSI session with path '{place}'", _DOMAIN)
