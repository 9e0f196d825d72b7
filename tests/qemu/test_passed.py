"""
Devices of the host that guests get: their order, their names, what they need to lock, what the status file keeps.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pyvirt.definitions.domain import DomainDefinition, formatDomain, parseDomain
from pyvirt.definitions.domain._net import NetDefined
from pyvirt.definitions.schema import replaced
from pyvirt.drivers.devicematch import sameHostDevice
from pyvirt.drivers.qemu.aliases import cardsNamedAnew, withAliases
from pyvirt.drivers.qemu.cgrouplimits import UNLIMITED
from pyvirt.drivers.qemu.complete import complete
from pyvirt.drivers.qemu.lockedmemory import lockLimit
from pyvirt.drivers.qemu.passed import passedDevices
from tests.qemu.observations import capabilities

MIB = 1 << 20
PCI = (
    "<hostdev mode='subsystem' type='pci' managed='yes'><source><address domain='0' bus='{}' "
    "slot='0' function='0'/></source></hostdev>"
)
CARD = (
    "<interface type='hostdev' managed='yes'><mac address='52:54:00:00:00:01'/><source>"
    "<address type='pci' domain='0' bus='6' slot='0x10' function='0'/></source></interface>"
)
NETWORK = (
    "<interface type='network'><mac address='52:54:00:00:00:03'/><source network='n'/></interface>"
)
USER = "<interface type='user'><mac address='52:54:00:00:00:08'/></interface>"
MEDIATED = (
    "<hostdev mode='subsystem' type='mdev' model='vfio-pci'><source>"
    "<address uuid='11111111-aaaa-4444-8888-00000000000{}'/></source></hostdev>"
)


def guest(inner: str, more: str = "") -> DomainDefinition:
    """Return a guest of 64 MiB."""
    return parseDomain(
        f"<domain type='qemu'><name>g</name><memory unit='MiB'>64</memory>{more}<os>"
        f"<type arch='x86_64' machine='pc-q35-7.2'>hvm</type></os><devices>{inner}</devices></domain>"
    )


def chosen(definition: DomainDefinition) -> DomainDefinition:
    """Return a guest whose first card's network has chosen a device."""
    nic = definition.devices.interfaces[0]
    address = guest(CARD).devices.interfaces[0].source.pci  # type: ignore[union-attr]
    assert nic.source is not None and address is not None
    source = replaced(nic.source, pci=replaced(address, function=4), portid="1" * 8)
    nic = replaced(nic, source=source, defined=NetDefined(actual="hostdev", managed=True))
    interfaces = (nic, *definition.devices.interfaces[1:])
    return replaced(definition, devices=replaced(definition.devices, interfaces=interfaces))


class PassedTests(SynchronousTestCase):
    """L{passedDevices} and what follows from it."""

    def test_order(self) -> None:
        """QEMU gets what networks chose last; names follow the cards."""
        plain = withAliases(guest(NETWORK + USER + PCI.format(10) + CARD))
        definition = cardsNamedAnew(chosen(plain))
        self.assertEqual(
            [each.device.alias for each in passedDevices(definition)],
            ["hostdev1", "hostdev2", "hostdev0"],
        )
        self.assertEqual(definition.devices.interfaces[1].alias, "net0")
        self.assertTrue(all(each.device.managed for each in passedDevices(definition)))

    def test_written(self) -> None:
        """Clients see a card of the device's kind; the status file keeps whose it is; the definition is as it was."""
        definition = chosen(guest(NETWORK))
        live = formatDomain(definition, id=1)
        self.assertIn("<interface type='hostdev' managed='yes'>", live)
        self.assertIn("<driver name='vfio'/>", live)
        self.assertNotIn("network=", live)
        kept = parseDomain(formatDomain(definition, id=1, status=True), inactive=False, status=True)
        self.assertEqual(kept.devices.interfaces, definition.devices.interfaces)
        defined = formatDomain(definition, inactive=True)
        self.assertIn("<source network='n'", defined)
        self.assertNotIn("<address", defined)

    def test_noMake(self) -> None:
        """A card whose network gives guests devices of the host is of no make, and is plugged in as such a device."""
        definition = guest(NETWORK)
        (plain,) = complete(definition, capabilities()).devices.interfaces
        (handed,) = complete(definition, capabilities(), handing=("n",)).devices.interfaces
        self.assertEqual((plain.model, handed.model), ("rtl8139", None))
        # Behind a port of its own, not on the bus of old cards.
        self.assertEqual((plain.address.slot, handed.address.slot), (1, 0))

    def test_locked(self) -> None:
        """What guests may lock: their memory once, or for each device where an IOMMU is between."""
        iommu = "<iommu model='intel'/>"
        for inner, more, expected in (
            ("", "", None),
            (PCI.format(10) + PCI.format(11), "", (64 + 1024) * MIB),
            (PCI.format(10) + PCI.format(11) + iommu, "", (128 + 1024) * MIB),
            (MEDIATED.format(1) + MEDIATED.format(2) + iommu, "", (128 + 1024) * MIB),
            (CARD, "", (64 + 1024) * MIB),
            (PCI.format(10), "<memoryBacking><locked/></memoryBacking>", UNLIMITED),
            ("", "<memoryBacking><locked/></memoryBacking>", UNLIMITED),
            (
                PCI.format(10),
                "<memtune><hard_limit unit='MiB'>1500</hard_limit></memtune>",
                1500 * MIB,
            ),
        ):
            self.assertEqual(lockLimit(guest(inner, more)), expected, inner + more)

    def test_same(self) -> None:
        """A USB device is told by its place where that is said, else by its make."""

        def usb(inner: str) -> object:
            text = f"<hostdev mode='subsystem' type='usb'><source>{inner}</source></hostdev>"
            return guest(text).devices.hostdevs[0]

        make, place = "<vendor id='0x46d'/><product id='0xc00c'/>", "<address bus='1' device='2'/>"
        found = usb(make + place)
        self.assertTrue(sameHostDevice(usb(make), found))
        self.assertTrue(sameHostDevice(usb(place), found))
        self.assertFalse(sameHostDevice(usb("<address bus='1' device='3'/>"), found))
        self.assertFalse(sameHostDevice(usb(place), usb(make)))
