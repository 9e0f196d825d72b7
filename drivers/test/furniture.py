"""
What else than a domain is on the host of C{test:///default}: a network, an interface, a pool and node devices.

Each function puts one family in its place.
"""

from __future__ import annotations

from functools import cache

from pyvirt.definitions.interface import InterfaceDefinition, parseInterface
from pyvirt.definitions.network import NetworkDefinition, completed, parseNetwork
from pyvirt.definitions.nodecaps import FCHost, Firmware, Hardware, SCSIHost, System
from pyvirt.definitions.nodedev import NodeDeviceDefinition
from pyvirt.definitions.storage import PoolDefinition, completedPool, parsePool
from pyvirt.drivers.test.hostinterfaces import HostInterface
from pyvirt.drivers.test.networks import Networks
from pyvirt.drivers.test.volumes import Storage
from pyvirt.drivers.test.world import World

__all__ = ["devices", "interfaces", "networks", "pools"]

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
        ports=(0, 0) if ports else None,
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


@cache
def _network() -> NetworkDefinition:
    return completed(parseNetwork(NETWORK), random=_nothing)


@cache
def _interface() -> InterfaceDefinition:
    return parseInterface(INTERFACE)


@cache
def _pool() -> PoolDefinition:
    return completedPool(parsePool(POOL), random=_nothing)


def _nothing(count: int) -> bytes:
    raise AssertionError("what is always the same leaves nothing to chance")


def networks(world: World) -> None:
    """Place the network."""
    network = Networks(world).place(_network())
    network.active = network.persistent = True


def interfaces(world: World) -> None:
    """Place the interface of the host."""
    interface = HostInterface(_interface(), active=True)
    world.interfaces[interface.ref.name] = interface


def pools(world: World) -> None:
    """Place the pool."""
    pool = Storage(world).place(_pool())
    pool.active = pool.persistent = True


def devices(world: World) -> None:
    """Place the devices of the host."""
    world.devices.update((device.name, device) for device in DEVICES)
