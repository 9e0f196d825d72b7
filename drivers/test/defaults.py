"""
What is on the host of C{test:///default} before anybody changes it: its domain, and where the rest is.
"""

from __future__ import annotations

from functools import cache

from pyvirt import constants as c
from pyvirt.definitions.domain import DomainDefinition, completed, parseDomain
from pyvirt.definitions.uuids import formatUUID
from pyvirt.drivers.test.domain import Domain
from pyvirt.drivers.test.world import Cell, World

__all__ = ["furnish"]

_UUID = bytes.fromhex("6695eb01f6a4830479aa97f2502e193f")

DOMAIN = f"""\
<domain type='test'>
  <name>test</name>
  <uuid>{formatUUID(_UUID)}</uuid>
  <memory unit='KiB'>8388608</memory>
  <currentMemory unit='KiB'>2097152</currentMemory>
  <vcpu placement='static'>2</vcpu>
  <os>
    <type arch='i686'>hvm</type>
    <boot dev='hd'/>
  </os>
  <devices>
    <disk type='file' device='disk'>
      <source file='/guest/diskimage1'/>
      <target dev='vda' bus='virtio'/>
      <address type='pci' domain='0x0000' bus='0x01' slot='0x00' function='0x0'/>
    </disk>
    <interface type='network'>
      <mac address='aa:bb:cc:dd:ee:ff'/>
      <source network='default'/>
      <target dev='testnet0'/>
      <address type='pci' domain='0x0000' bus='0x00' slot='0x01' function='0x0'/>
    </interface>
    <memballoon model='virtio'>
      <address type='pci' domain='0x0000' bus='0x00' slot='0x02' function='0x0'/>
    </memballoon>
  </devices>
</domain>
"""


CELLS = (
    Cell(2097152, ((4, 524288), (2048, 0), (1048576, 0)), tuple(range(8))),
    Cell(4194304, ((8, 524288), (2048, 0), (1048576, 0)), tuple(range(8, 16))),
)


@cache
def _domain() -> DomainDefinition:
    """Read the text, once, when somebody looks at the domain: few do, and its devices are much to load."""
    return completed(parseDomain(DOMAIN), random=_nothing)


def _nothing(count: int) -> bytes:
    raise AssertionError("what is always the same leaves nothing to chance")


def furnish(world: World) -> None:
    """Put the domain in its place, and say who does so with all else when somebody looks for it."""
    world.cells = CELLS
    world.furnish("pyvirt.drivers.test.furniture")
    domain = Domain("test", _UUID, _domain)
    world.domains.place(domain)
    domain.persistent = True
    world.start(domain, c.VIR_DOMAIN_RUNNING_UNKNOWN)
