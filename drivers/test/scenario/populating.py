"""
Putting what a scenario's templates say into a world, thousands at a time.

A definition is read once and then copied with another name and UUID; only one that has more than the name to be
filled in is read for each object.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from random import Random
from typing import Any
from xml.sax.saxutils import escape

from pyvirt import constants as c
from pyvirt.definitions.domain import DomainDefinition, completed, formatDomain, parseDomain
from pyvirt.definitions.schema import replaced
from pyvirt.definitions.uuids import formatUUID
from pyvirt.drivers.test.networks import Networks
from pyvirt.drivers.test.pools import Pool
from pyvirt.drivers.test.scenario.model import Scenario, Template
from pyvirt.drivers.test.scenario.values import numbered, wrong
from pyvirt.drivers.test.volumes import Storage
from pyvirt.drivers.test.world import World
from pyvirt.errors import VirtError

__all__ = ["populate", "stateSetter"]

_DOMAIN = """\
<domain type='test'>
  <name>{name}</name>
  <uuid>{uuid}</uuid>
  <memory unit='KiB'>%(memory)d</memory>
  <vcpu>%(vcpus)d</vcpu>
  <os><type>hvm</type></os>
  <devices>
    <disk type='file' device='disk'>
      <source file='/guest/{name}.img'/>
      <target dev='vda' bus='virtio'/>
    </disk>
    <interface type='network'>
      <mac address='{mac}'/>
      <source network='default'/>
    </interface>
  </devices>
</domain>
"""
_NETWORK = """\
<network>
  <name>{name}</name>
  <uuid>{uuid}</uuid>
</network>
"""
_POOL = """\
<pool type='dir'>
  <name>{name}</name>
  <uuid>{uuid}</uuid>
  <target><path>/pools/{name}</path></target>
</pool>
"""
_VOLUME = """\
<volume>
  <name>{name}</name>
  <capacity unit='bytes'>%(capacity)d</capacity>
  <allocation unit='bytes'>0</allocation>
</volume>
"""
_FIELD = re.compile(r"\{(name|uuid|mac|n)\}")

#: States by their names: the number, and the reason for it.
STATES = {
    "running": (c.VIR_DOMAIN_RUNNING, c.VIR_DOMAIN_RUNNING_BOOTED),
    "paused": (c.VIR_DOMAIN_PAUSED, c.VIR_DOMAIN_PAUSED_USER),
    "shutoff": (c.VIR_DOMAIN_SHUTOFF, c.VIR_DOMAIN_SHUTOFF_UNKNOWN),
    "crashed": (c.VIR_DOMAIN_CRASHED, c.VIR_DOMAIN_CRASHED_PANICKED),
    "pmsuspended": (c.VIR_DOMAIN_PMSUSPENDED, c.VIR_DOMAIN_PMSUSPENDED_UNKNOWN),
}


def _mac(n: int) -> str:
    return "52:54:00:" + ":".join(f"{each:02x}" for each in n.to_bytes(4, "big")[1:])


def _filled(xml: str, name: str, n: int, uuid: bytes) -> str:
    values = {
        "name": escape(name),
        "n": str(n),
        "uuid": formatUUID(uuid),
        "mac": _mac(n),
    }
    return _FIELD.sub(lambda match: values[match[1]], xml)


def stateSetter(template: Template, random: Random) -> Callable[[], str]:
    """Return what draws a state for each object of a template."""
    states = [state for state, _ in template.states]
    if len(states) == 1:
        return lambda: states[0]
    weights = [weight for _, weight in template.states]
    return lambda: random.choices(states, weights)[0]


class _Populating:
    """Puts objects into a world."""

    def __init__(self, world: World, random: Random) -> None:
        self._world = world
        self._random = random

    def _names(self, template: Template, taken: Any) -> Iterator[tuple[int, str]]:
        for n in range(template.first, template.first + template.count):
            name = numbered(template.name, n)
            if name in taken:
                raise wrong(template.kind, f"there is more than one '{name}'")
            yield n, name

    def domains(self, template: Template) -> None:
        """Make domains."""
        world, table = self._world, self._world.domains
        xml = template.xml or _DOMAIN % {"memory": template.memory, "vcpus": template.vcpus}
        each = template.xml is not None and _varies(xml)
        state = stateSetter(template, self._random)
        read: DomainDefinition | None = None
        for n in range(template.first, template.first + template.count):
            name = numbered(template.name, n)
            if table.named(name) is not None:
                raise wrong("domains", f"there is more than one '{name}'")
            uuid = world.random(16)
            if read is None or each:
                definition = read = self._settled(_filled(xml, name, n, uuid))
                if definition.name != name:
                    raise wrong(
                        "domains", f"the name in the definition of '{name}' is not {{name}}"
                    )
            else:
                definition = replaced(read, name=name, uuid=uuid)
                if template.xml is None:
                    definition = self._plain(definition, name, n)
            self._add(template, definition, state())

    @staticmethod
    def _plain(definition: DomainDefinition, name: str, n: int) -> DomainDefinition:
        """Give a copy of the plain domain a disk and an address of its own."""
        devices = definition.devices
        (disk,), (interface,) = devices.disks, devices.interfaces
        disk = replaced(disk, source=replaced(disk.source, file=f"/guest/{name}.img"))
        interface = replaced(interface, mac=replaced(interface.mac, address=_mac(n)))
        return replaced(
            definition, devices=replaced(devices, disks=(disk,), interfaces=(interface,))
        )

    def _settled(self, xml: str) -> DomainDefinition:
        """Read a definition as it is when it was written and read again."""
        definition = self._world.parse(xml)
        return completed(
            parseDomain(formatDomain(definition, secure=True, inactive=True)),
            random=self._world.random,
        )

    def _add(self, template: Template, definition: DomainDefinition, state: str) -> None:
        world = self._world
        domain, _ = world.domains.add(definition)
        domain.persistent = not template.transient
        domain.autostart = template.autostart
        if state != "shutoff":
            if domain.persistent:
                domain.pending = definition
            world.number(domain)
        domain.state, domain.reason = STATES[state]

    def networks(self, template: Template) -> None:
        """Make networks."""
        networks = Networks(self._world)
        state = stateSetter(template, self._random)
        for n, name in self._names(template, self._world.networks):
            network = networks.add(
                _filled(template.xml or _NETWORK, name, n, self._world.random(16))
            )
            network.active = state() == "active"
            network.persistent = True
            network.autostart = template.autostart

    def pools(self, template: Template) -> None:
        """Make pools and their volumes."""
        storage = Storage(self._world)
        state = stateSetter(template, self._random)
        for n, name in self._names(template, self._world.pools):
            pool = storage.add(_filled(template.xml or _POOL, name, n, self._world.random(16)))
            pool.active = state() == "active"
            pool.persistent = True
            pool.autostart = template.autostart
            for each in template.volumes:
                self._volumes(storage, pool, each)

    def _volumes(self, storage: Storage, pool: Pool, template: Template) -> None:
        xml = template.xml or _VOLUME % {"capacity": template.capacity}
        for n, name in self._names(template, pool.volumes):
            storage.make(pool, _filled(xml, name, n, b"\0" * 16))


def _varies(xml: str) -> bool:
    """Whether more than its name and its UUID differ from one object to the next."""
    inside = xml.replace("<name>{name}</name>", "", 1).replace("<uuid>{uuid}</uuid>", "", 1)
    return _FIELD.search(inside) is not None


def populate(world: World, scenario: Scenario, random: Random) -> None:
    """
    Make everything that a scenario's templates say.

    @raise VirtError: a definition is wrong, or two objects would be the same.
    """
    populating = _Populating(world, random)
    for number, template in enumerate(scenario.templates):
        try:
            getattr(populating, template.kind)(template)
        except VirtError as error:
            if error.str2 and str(error.str2).startswith("scenario: "):
                raise
            raise wrong(f"{template.kind} '{template.name}' ({number + 1})", str(error)) from None
