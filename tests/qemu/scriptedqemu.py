"""
A QEMU in memory, as far as plugging devices into it goes: L{ScriptedQEMU}, and L{PluggedGuest} around it.

It keeps what it has been given, refuses what is there already or is not there, and refuses a command by its number
where a test wants that.
"""

from __future__ import annotations

import functools
import json
import os
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from zope.interface import implementer

from pyvirt import constants as c
from pyvirt.definitions.domain import parseDomain
from pyvirt.drivers.interfaces.events import Event, EventKind
from pyvirt.drivers.interfaces.locking import ILockManager, Launch
from pyvirt.drivers.qemu.complete import complete
from pyvirt.drivers.qemu.conf import QEMUConfig
from pyvirt.drivers.qemu.guest import Guest
from pyvirt.drivers.qemu.hypervisor import Hypervisor
from pyvirt.drivers.qemu.layout import Layout
from pyvirt.drivers.qemu.live import prepareLive
from pyvirt.drivers.qemu.plugging.devices import DomainDevices
from pyvirt.drivers.qemu.qmp import QMPProtocol
from pyvirt.errors import ErrorCode, ErrorDomain, OperationFailed, virtError
from tests.qemu.observations import capabilities

__all__ = ["Ledger", "PluggedGuest", "ScriptedQEMU"]

#: By command that adds: what it adds to, and which argument names it; and the command that removes.
_ADDING = {
    "object-add": ("objects", "id"),
    "blockdev-add": ("nodes", "node-name"),
    "chardev-add": ("chardevs", "id"),
    "netdev_add": ("netdevs", "id"),
    "device_add": ("devices", "id"),
    "getfd": ("fds", "fdname"),
}
_REMOVING = {
    "object-del": ("objects", "id"),
    "blockdev-del": ("nodes", "node-name"),
    "chardev-remove": ("chardevs", "id"),
    "netdev_del": ("netdevs", "id"),
    "closefd": ("fds", "fdname"),
}


class ScriptedQEMU:
    """
    The transport of a monitor's conversation, which answers at once.

    @ivar kept: by kind, the names of what is there.
    @ivar said: the commands that came, in order.
    @ivar sets: by number, what descriptors are called that are sets; C{given}: by name, what was said of what was added.
    @ivar refuse: the number of the command, from now on, that is refused; None: none is.
    @ivar unplug: how a device leaves that is asked to: C{now}, C{first} (told before it is answered), C{later},
        C{never} (the guest says no).
    """

    def __init__(self) -> None:
        self.kept: dict[str, set[str]] = {kind: set() for kind, _ in _ADDING.values()}
        self.said: list[str] = []
        self.refuse: int | None = None
        self.unplug = "now"
        self.sets: dict[int, list[str]] = {}
        self.given: dict[str, dict[str, Any]] = {}
        self.trays: dict[str, bool] = {}
        self.media: dict[str, str | None] = {}
        self.protocol: Any = None
        self.disconnecting = False

    def sendFileDescriptor(self, fd: int) -> None:
        """A descriptor comes with the next command."""

    def loseConnection(self) -> None:
        self.disconnecting = True

    def abortConnection(self) -> None:
        self.disconnecting = True

    def write(self, data: bytes) -> None:
        """Read commands, and answer them."""
        for line in data.splitlines():
            message = json.loads(line)
            name, arguments = message["execute"], message.get("arguments", {})
            self.said.append(name)
            answer: dict[str, Any] = {"id": message["id"]}
            if self.refuse is not None:
                self.refuse -= 1
            if self.refuse == 0:
                self.refuse = None
                answer["error"] = {"class": "GenericError", "desc": "no"}
            else:
                try:
                    answer["return"] = self.do(name, arguments)
                except LookupError as problem:
                    kind = "DeviceNotFound" if name == "device_del" else "GenericError"
                    answer["error"] = {"class": kind, "desc": str(problem)}
            self.tell(answer)
            if name == "device_del" and self.unplug == "now" and "return" in answer:
                self.gone(arguments["id"])

    def tell(self, message: dict[str, Any]) -> None:
        """Say something."""
        self.protocol.dataReceived(json.dumps(message).encode() + b"\r\n")

    def gone(self, alias: str) -> None:
        """The guest lets a device go."""
        self.kept["devices"].discard(alias)
        self.tell({"event": "DEVICE_DELETED", "data": {"path": f"/x/{alias}"}})
        self.tell({"event": "DEVICE_DELETED", "data": {"device": alias, "path": f"/y/{alias}"}})

    def do(self, name: str, arguments: dict[str, Any]) -> Any:
        """Do a command, and return what it returns."""
        if name in _ADDING:
            kind, key = _ADDING[name]
            if arguments[key] in self.kept[kind]:
                raise LookupError(f"Duplicate ID '{arguments[key]}'")
            self.kept[kind].add(arguments[key])
            self.given[arguments[key]] = arguments
            if name == "device_add":
                # A descriptor is its own who uses it.
                self.kept["fds"].clear()
        elif name in _REMOVING:
            kind, key = _REMOVING[name]
            if arguments[key] not in self.kept[kind]:
                raise LookupError(f"'{arguments[key]}' not found")
            self.kept[kind].remove(arguments[key])
        elif name == "device_del":
            alias = arguments["id"]
            if alias not in self.kept["devices"]:
                raise LookupError(f"Device '{alias}' not found")
            if self.unplug == "first":
                self.gone(alias)
            elif self.unplug == "never":
                self.tell({"event": "DEVICE_UNPLUG_GUEST_ERROR", "data": {"device": alias}})
        elif name == "add-fd":
            self.sets.setdefault(arguments["fdset-id"], []).append(arguments["opaque"])
        elif name == "remove-fd":
            if self.sets.pop(arguments["fdset-id"], None) is None:
                raise LookupError("File descriptor named 'fdset-id' not found")
        elif name == "query-fdsets":
            return [
                {"fdset-id": number, "fds": [{"fd": 9, "opaque": each} for each in names]}
                for number, names in self.sets.items()
            ]
        elif name == "query-block":
            return [{"qdev": each, "tray_open": state} for each, state in self.trays.items()]
        elif name in ("blockdev-open-tray", "blockdev-close-tray"):
            self.trays[arguments["id"]] = name == "blockdev-open-tray"
            data = {"id": arguments["id"], "tray-open": name == "blockdev-open-tray"}
            self.tell({"event": "DEVICE_TRAY_MOVED", "data": data})
        elif name == "blockdev-insert-medium":
            self.media[arguments["id"]] = arguments["node-name"]
        elif name == "blockdev-remove-medium":
            self.media[arguments["id"]] = None
        elif name.startswith("query-"):
            return []
        return {}


@implementer(ILockManager)
class Ledger:
    """
    A lock manager that only remembers.

    @ivar held: the paths that are leased.
    @ivar taken: a path that somebody else has.
    @ivar lost: how many of its next answers do not arrive.
    """

    def __init__(self) -> None:
        self.held: set[str] = set()
        self.taken: str | None = None
        self.lost = 0

    def _answer(self) -> None:
        if self.lost:
            self.lost -= 1
            raise OperationFailed("operation failed: no answer", domain=ErrorDomain.LOCKING)

    def launch(self, guest: Any, resources: Any) -> Launch:
        return Launch()

    def explain(self, output: bytes) -> None:
        return None

    def acquire(self, guest: Any, resources: Any) -> None:
        for each in resources:
            if each.path == self.taken:
                raise virtError(
                    ErrorCode.RESOURCE_BUSY, f"'{each.path}' is locked", ErrorDomain.LOCKING
                )
            self.held.add(each.path)
        self._answer()

    def release(self, guest: Any, resources: Any) -> None:
        self._answer()
        for each in resources:
            self.held.discard(each.path)

    def adopt(self, guest: Any) -> None:
        """Nothing is to be done."""


_binary = functools.cache(capabilities)


@functools.cache
def _completed(xml: str) -> Any:
    return complete(parseDomain(xml), _binary(), lambda count: b"\x01" * count)


class PluggedGuest:
    """
    A running guest on a QEMU in memory.

    @ivar qemu: the QEMU; C{locks}: its leases; C{domain}: the domain; C{guest}: its run.
    @ivar told: the events that were told: number and details.
    """

    qemuClass: Any = ScriptedQEMU

    def __init__(self, folder: str, xml: str, owner: tuple[int, int]) -> None:
        self.clock = Clock()
        self.locks = Ledger()
        self.qemu = self.qemuClass()
        self.hypervisor = Hypervisor(
            reactor=self.clock,
            processes=None,  # type: ignore[arg-type]
            layout=Layout.of(folder, True, {}),
            config=QEMUConfig(user=owner[0], group=owner[1]),
            privileged=True,
            connect=lambda path, protocol: Deferred(),
            locks=self.locks,
        )
        binary = _binary()
        definition = _completed(xml)
        self.domain = self.hypervisor.domains.add(definition)
        self.guest = Guest(1, f"{folder}/domain-1", f"{folder}/channels", binary)
        self.guest.starting = False
        self.guest.owner = self.guest.recipient = owner
        self.guest.leased = True
        self.guest.pid = os.getpid()
        self.domain.guest = self.guest
        self.hypervisor.domains.identify(self.domain, 1)
        self.domain.definition = prepareLive(self.hypervisor, definition, self.guest)
        self.hypervisor.layout.make(None)

        def happened(event: Any) -> None:
            from pyvirt.drivers.qemu.happenings import happened

            happened(self.hypervisor, self.domain, self.guest, event)

        protocol = QMPProtocol(self.clock, event=happened)
        self.qemu.protocol = protocol
        protocol.makeConnection(self.qemu)
        self.guest.monitor = protocol
        self.devices = DomainDevices(self.hypervisor, None)
        self.told: list[tuple[Any, ...]] = []
        for number in (
            c.VIR_DOMAIN_EVENT_ID_TRAY_CHANGE,
            c.VIR_DOMAIN_EVENT_ID_DEVICE_ADDED,
            c.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED,
            c.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVAL_FAILED,
            c.VIR_DOMAIN_EVENT_ID_MEMORY_DEVICE_SIZE_CHANGE,
        ):
            self.hypervisor.hub.subscribe(EventKind.DOMAIN, number, None, self._hear)

    def _hear(self, event: Event) -> None:
        self.told.append((event.id, *event.details))

    def attach(self, xml: str) -> Deferred[None]:
        """Plug a device in."""
        return self._run(self.devices.domainAttachDeviceFlags, xml)

    def detach(self, xml: str) -> Deferred[None]:
        """Take a device away."""
        return self._run(self.devices.domainDetachDeviceFlags, xml)

    def update(self, xml: str) -> Deferred[None]:
        """Change a device."""
        return self._run(self.devices.domainUpdateDeviceFlags, xml)

    def _run(self, operation: Any, xml: str) -> Deferred[None]:
        live = c.VIR_DOMAIN_AFFECT_LIVE
        return Deferred.fromCoroutine(operation(self.domain.ref, xml, live))

    def state(self) -> Any:
        """Return all that a device that was refused must leave as it was."""
        kept = {kind: frozenset(names) for kind, names in self.qemu.kept.items()}
        return kept, frozenset(self.locks.held), tuple(self.guest.taken), self.domain.definition
