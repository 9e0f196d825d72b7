"""
What is on the host of C{test:///default} before anybody changes it.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from pyvirt import constants as c
from pyvirt.definitions.domain import DomainDefinition, check, completed, parseDomain
from pyvirt.definitions.interface import InterfaceDefinition, parseInterface
from pyvirt.definitions.network import NetworkDefinition, parseNetwork
from pyvirt.definitions.network import completed as completedNetwork
from pyvirt.definitions.nodecaps import FCHost, Firmware, Hardware, SCSIHost, System
from pyvirt.definitions.nodedev import NodeDeviceDefinition
from pyvirt.definitions.storage import PoolDefinition, completedPool, parsePool
from pyvirt.drivers.test.hostinterfaces import HostInterface
from pyvirt.drivers.test.networks import Networks
from pyvirt.drivers.test.volumes import Storage
from pyvirt.drivers.test.world import Cell, World

__all__ = ["furnish"]

DOMAIN = """\
<domain type='test'>
  <name>test</name>
  <uuid>6695eb01-f6a4-8304-79aa-97f2502e193f</uuid>
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


NETWORK = """\
<network>
  <name>default</name>
  <uuid>dd8fe884-6c02-601e-7551-cca97df1c5df</uuid>
  <forward mode='nat'/>
  <bridge name='virbr0' stp='on' delay='0'/>
  <ip address='192.168.122.1' netmask='255.255.255.0'>
    <dhcp>
      <range start='192.168.122.2' end='192.168.122.254'/>
    </dhcp>
  </ip>
</network>
"""

INTERFACE = """\
<interface type='ethernet' name='eth1'>
  <start mode='onboot'/>
  <mtu size='1492'/>
  <protocol family='ipv4'>
    <ip address='192.168.0.5' prefix='24'/>
    <route gateway='192.168.0.1'/>
  </protocol>
  <mac address='aa:bb:cc:dd:ee:ff'/>
</interface>
"""

POOL = """\
<pool type='dir'>
  <name>default-pool</name>
  <uuid>dfe224cb-28fb-8dd0-c4b2-64eb3f0f4566</uuid>
  <target>
    <path>/default-pool</path>
  </target>
</pool>
"""

_FABRIC = "2000000043214321"


def _adapter(
    name: str, parent: str, number: int, names: tuple[str, str, str], ports: bool = True
) -> NodeDeviceDefinition:
    wwnn, wwpn, fabric = names
    host = SCSIHost(
        type="scsi_host",
        host=number,
        uniqueID=number - 1,
        fc=FCHost(wwnn=wwnn, wwpn=wwpn, fabric=fabric),
        ports=ports,
    )
    return NodeDeviceDefinition(name=name, parent=parent, capabilities=(host,))


DEVICES = (
    NodeDeviceDefinition(
        name="computer",
        capabilities=(
            System(
                type="system",
                hardware=Hardware(
                    vendor="Libvirt",
                    version="Test driver",
                    serial="123456",
                    uuid="11111111-2222-3333-4444-555555555555",
                ),
                firmware=Firmware(
                    vendor="Libvirt", version="Test Driver", releaseDate="01/22/2007"
                ),
            ),
        ),
    ),
    _adapter("scsi_host1", "computer", 1, ("2000000012341234", "1000000012341234", _FABRIC)),
    _adapter(
        "scsi_host2", "computer", 2, ("2000000056785678", "1000000056785678", "2000000087658765")
    ),
    _adapter(
        "scsi_host11",
        "scsi_host1",
        11,
        ("2000000034563456", "1000000034563456", _FABRIC),
        ports=False,
    ),
)

CELLS = (
    Cell(2097152, ((4, 524288), (2048, 0), (1048576, 0)), tuple(range(8))),
    Cell(4194304, ((8, 524288), (2048, 0), (1048576, 0)), tuple(range(8, 16))),
)


class _Furniture(NamedTuple):
    """What the texts above say."""

    network: NetworkDefinition
    interface: InterfaceDefinition
    pool: PoolDefinition
    domain: DomainDefinition


@cache
def _furniture() -> _Furniture:
    """Read the texts, once: this host is made anew whenever the first client comes, which is on the way of each."""
    domain = completed(parseDomain(DOMAIN), random=_nothing)
    check(domain)
    return _Furniture(
        completedNetwork(parseNetwork(NETWORK), random=_nothing),
        parseInterface(INTERFACE),
        completedPool(parsePool(POOL), random=_nothing),
        domain,
    )


def _nothing(count: int) -> bytes:
    raise AssertionError("what is always the same leaves nothing to chance")


def furnish(world: World) -> None:
    """Put everything in its place."""
    furniture = _furniture()
    world.cells = CELLS
    network = Networks(world).place(furniture.network)
    network.active = network.persistent = True
    interface = HostInterface(furniture.interface, active=True)
    world.interfaces[interface.ref.name] = interface
    pool = Storage(world).place(furniture.pool)
    pool.active = pool.persistent = True
    world.devices.update((device.name, device) for device in DEVICES)
    domain, _ = world.domains.add(furniture.domain)
    domain.persistent = True
    world.start(domain, c.VIR_DOMAIN_RUNNING_UNKNOWN)
