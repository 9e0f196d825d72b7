"""
Devices of the host that guests have: on a made-up bus whose files are plain ones, with a kernel that moves links.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.trial.unittest import SynchronousTestCase

from pyvirt.definitions.netbits import Tag, VirtualPort, Vlan
from pyvirt.drivers.assigned.functions import (
    Function,
    Links,
    addressMessage,
    functionOf,
    portMessage,
    statisticsOf,
    vlanMessage,
)
from pyvirt.drivers.assigned.keeper import AssignedDevices, Holder, Wanted
from pyvirt.drivers.assigned.netconfig import Card, FunctionKeeper
from pyvirt.drivers.assigned.pci import PCIBus, pciName
from pyvirt.errors import ErrorCode, VirtError

ONE, OTHER = Holder("QEMU", "one"), Holder("QEMU", "other")


def space(kind: int = 0, *, resets: bool = True, power: bool = False) -> bytes:
    """Return what a device is configured by."""
    found = bytearray(256)
    struct.pack_into("<HHHH", found, 0, 0x8086, 0x1234, 0, 0x10)
    found[0x0E] = kind
    found[0x34] = 0x40
    # It can be reset as a function, and keeps nothing where its power is switched.
    found[0x40:0x44] = bytes((0x10, 0x50 if power else 0, 2, 0))
    struct.pack_into("<I", found, 0x44, 1 << 28 if resets else 0)
    if power:
        found[0x50:0x54] = bytes((0x01, 0, 3, 0))
    return bytes(found)


class Machine:
    """
    A made-up C{/sys}, and the kernel behind it.

    @ivar moves: what the kernel has done.
    """

    def __init__(self, top: str) -> None:
        self.sys = top
        self.homes: dict[str, str | None] = {}
        self.moves: list[str] = []
        for driver in ("vfio-pci", "nvme", "igbvf"):
            self.write(f"bus/pci/drivers/{driver}/unbind", b"")
        self.write("bus/pci/drivers_probe", b"")

    def path(self, *parts: str) -> str:
        return os.path.join(self.sys, *parts)

    def write(self, name: str, data: bytes) -> None:
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "wb") as file:
            file.write(data)

    def read(self, name: str) -> bytes:
        with open(self.path(name), "rb") as file:
            return file.read()

    def device(
        self, name: str, driver: str | None, group: int | None, config: bytes | None = None
    ) -> None:
        folder = f"bus/pci/devices/{name}"
        self.write(f"{folder}/config", space() if config is None else config)
        self.write(f"{folder}/driver_override", b"")
        self.homes[name] = driver
        if driver is not None:
            os.symlink(self.path("bus/pci/drivers", driver), self.path(folder, "driver"))
        if group is not None:
            members = self.path(f"kernel/iommu_groups/{group}/devices")
            os.makedirs(members, exist_ok=True)
            os.symlink(self.path(folder), os.path.join(members, name))
            os.symlink(os.path.dirname(members), self.path(folder, "iommu_group"))

    def function(self, name: str, of: str, number: int) -> None:
        os.symlink(f"../{of}", self.path("bus/pci/devices", name, "physfn"))
        os.symlink(f"../{name}", self.path("bus/pci/devices", of, f"virtfn{number}"))

    def settle(self) -> None:
        """Give each device to the driver that is wanted."""
        for name, home in self.homes.items():
            folder = f"bus/pci/devices/{name}"
            link = self.path(folder, "driver")
            wanted = self.read(f"{folder}/driver_override").decode().strip() or home
            now = os.path.basename(os.readlink(link)) if os.path.islink(link) else None
            if now == "vfio-pci" and home is None and not wanted:
                wanted = None
            if now == wanted:
                continue
            if now is not None:
                os.unlink(link)
            if wanted is not None:
                os.symlink(self.path("bus/pci/drivers", wanted), link)
            self.moves.append(f"{name} {now} {wanted}")

    def thread(self, work: Callable[..., Any], *arguments: Any) -> Deferred[Any]:
        """Do what a thread would, and what the kernel does then."""

        def done() -> Any:
            try:
                return work(*arguments)
            finally:
                self.settle()

        return maybeDeferred(done)


class Kernel(Links):
    """Keeps what a device gives its functions."""

    def __init__(self) -> None:
        self.functions: dict[int, Function] = {}

    def look(self, device: str) -> bytes:
        infos = b""
        for number in range(3):
            mac, vlan = self.functions.get(number, Function("00:00:00:00:00:00", 0))
            raw = struct.pack("=HHI32s", 40, 1, number, bytes.fromhex(mac.replace(":", "")))
            raw += struct.pack("=HHIII", 16, 2, number, vlan, 0)
            counts = struct.pack("=HHQ", 12, 2, 1000 + number) + struct.pack("=HHQ", 12, 8, 7)
            raw += struct.pack("=HH", 4 + len(counts), 8) + counts
            infos += struct.pack("=HH", 4 + len(raw), 1) + raw
        return bytes(32) + struct.pack("=HH", 4 + len(infos), 22) + infos

    def configure(self, device: str, number: int, wanted: Function) -> None:
        self.functions[number] = wanted


class AssignedTests(SynchronousTestCase):
    """L{AssignedDevices}."""

    def setUp(self) -> None:
        self.machine = Machine(os.path.abspath(self.mktemp()))
        self.machine.device("0000:0a:00.0", "nvme", 1)
        self.machine.device("0000:0b:00.0", None, 2)
        self.machine.device("0000:0c:00.0", "vfio-pci", 3)
        self.machine.device("0000:0d:00.0", None, 4, space(1))
        self.machine.device("0000:09:00.0", "nvme", 5)
        self.machine.device("0000:09:00.1", None, 5)
        self.machine.device("0000:06:00.0", "nvme", 6)
        self.machine.device("0000:06:10.0", "igbvf", 7)
        self.machine.function("0000:06:10.0", "0000:06:00.0", 0)
        os.makedirs(self.machine.path("bus/pci/devices/0000:06:00.0/net/lo"))
        self.kernel = Kernel()
        self.folder = self.mktemp()
        self.devices = self.keeper()

    def keeper(self) -> AssignedDevices:
        bus = PCIBus(self.machine.sys)
        return AssignedDevices(
            processes=None,
            thread=self.machine.thread,
            functions=FunctionKeeper(bus, self.folder, self.kernel),
            bus=bus,
        )

    def take(self, holder: Holder, *names: str, managed: bool = True, cards: Any = ()) -> Any:
        wanted = [Wanted(name=f"0000:{each}", managed=managed) for each in names]
        return Deferred.fromCoroutine(self.devices.take(holder, wanted, cards))

    def release(self, holder: Holder, *names: str, cards: Any = ()) -> None:
        full = [f"0000:{each}" for each in names]
        self.successResultOf(Deferred.fromCoroutine(self.devices.release(holder, full, cards)))

    def said(self, code: int, waiting: Any) -> str:
        failure = self.failureResultOf(waiting, VirtError)
        self.assertEqual(failure.value.code, code)
        return str(failure.value)

    def moved(self) -> list[str]:
        moves, self.machine.moves = self.machine.moves, []
        return [each.replace("0000:", "") for each in moves]

    def test_managed(self) -> None:
        """A device goes to the driver for guests, to no other guest meanwhile, and back."""
        found = self.successResultOf(self.take(ONE, "0a:00.0"))
        self.assertEqual(found, {"0000:0a:00.0": True})
        self.assertEqual(self.moved(), ["0a:00.0 nvme vfio-pci"])
        for holder in (ONE, OTHER):
            self.assertEqual(
                self.said(ErrorCode.OPERATION_INVALID, self.take(holder, "0a:00.0")),
                "Requested operation is not valid: PCI device 0000:0a:00.0 is in use by driver "
                "QEMU, domain one",
            )
        self.release(OTHER, "0a:00.0")
        self.assertEqual(self.moved(), [])
        self.release(ONE, "0a:00.0")
        self.assertEqual(self.moved(), ["0a:00.0 vfio-pci nvme"])
        self.successResultOf(self.take(OTHER, "0a:00.0"))

    def test_group(self) -> None:
        """What shares a group goes to one guest at a time."""
        self.successResultOf(self.take(ONE, "09:00.0"))
        self.assertIn(
            "PCI device 0000:09:00.0 is in use",
            self.said(ErrorCode.OPERATION_INVALID, self.take(OTHER, "09:00.1")),
        )
        self.successResultOf(self.take(ONE, "09:00.1"))

    def test_together(self) -> None:
        """Where one device cannot be had the others go back."""
        waiting = self.take(ONE, "0a:00.0", "0d:00.0")
        self.assertIn("Non-endpoint PCI devices", self.said(ErrorCode.INTERNAL_ERROR, waiting))
        self.assertEqual(self.moved(), [])
        self.successResultOf(self.take(OTHER, "0a:00.0", "1f:00.0"))
        self.release(OTHER, "0a:00.0", "1f:00.0")
        self.moved()
        devices = [
            Wanted(name="0000:0a:00.0", managed=True),
            Wanted(name="0000:0b:00.0", managed=False),
        ]
        waiting = Deferred.fromCoroutine(self.devices.take(ONE, devices, ()))
        self.assertIn(
            "Unmanaged PCI device 0000:0b:00.0 must be manually detached from the host",
            self.said(ErrorCode.OPERATION_INVALID, waiting),
        )
        self.assertEqual(self.moved(), ["0a:00.0 nvme vfio-pci", "0a:00.0 vfio-pci nvme"])

    def test_twice(self) -> None:
        """A guest has a device once; where it would have it twice it is left as it is."""
        waiting = self.take(ONE, "0a:00.0", "0a:00.0")
        self.assertEqual(
            self.said(ErrorCode.INTERNAL_ERROR, waiting),
            "internal error: Device 0000:0a:00.0 is already in use",
        )
        self.assertEqual(self.moved(), [])
        self.successResultOf(self.take(OTHER, "0a:00.0"))

    def test_unmanaged(self) -> None:
        """What is not managed stays with the driver for guests, and so does what an administrator took."""
        self.successResultOf(self.take(ONE, "0c:00.0", managed=False))
        self.release(ONE, "0c:00.0")
        self.successResultOf(Deferred.fromCoroutine(self.devices.detach("0000:0a:00.0")))
        self.assertEqual(self.moved(), ["0a:00.0 nvme vfio-pci"])
        self.successResultOf(self.take(ONE, "0a:00.0"))
        for work in (self.devices.detach, self.devices.reattach):
            waiting = Deferred.fromCoroutine(work("0000:0a:00.0"))
            self.assertIn("is in use", self.said(ErrorCode.OPERATION_INVALID, waiting))
        waiting = Deferred.fromCoroutine(self.devices.reset("0000:0a:00.0"))
        self.assertIn("Not resetting active device", self.said(ErrorCode.INTERNAL_ERROR, waiting))
        self.release(ONE, "0a:00.0")
        self.assertEqual(self.moved(), [])
        self.successResultOf(Deferred.fromCoroutine(self.devices.reattach("0000:0a:00.0")))
        self.assertEqual(self.moved(), ["0a:00.0 vfio-pci nvme"])

    def test_restart(self) -> None:
        """A daemon that was started in between knows who has what, and gives it back."""
        self.successResultOf(self.take(ONE, "0a:00.0"))
        self.devices = self.keeper()
        self.devices.adopt(ONE, [Wanted(name="0000:0a:00.0", managed=True, unbind=True)])
        self.said(ErrorCode.OPERATION_INVALID, self.take(OTHER, "0a:00.0"))
        self.moved()
        self.release(ONE, "0a:00.0")
        self.assertEqual(self.moved(), ["0a:00.0 vfio-pci nvme"])

    def test_reset(self) -> None:
        """What cannot reset itself has its power switched; where that does not help the bus must have a bridge."""
        self.machine.device("0000:0f:00.0", "nvme", 8, space(resets=False, power=True))
        self.machine.device("0000:10:00.0", "nvme", 9, space(resets=False))
        before = self.machine.read("bus/pci/devices/0000:0f:00.0/config")
        self.successResultOf(Deferred.fromCoroutine(self.devices.reset("0000:0f:00.0")))
        self.assertEqual(self.machine.read("bus/pci/devices/0000:0f:00.0/config"), before)
        waiting = Deferred.fromCoroutine(self.devices.reset("0000:10:00.0"))
        self.assertEqual(
            self.said(ErrorCode.INTERNAL_ERROR, waiting),
            "internal error: Unable to reset PCI device 0000:10:00.0: internal error: Failed to "
            "find parent device for 0000:10:00.0",
        )

    def test_functions(self) -> None:
        """A virtual function has the guest's address and VLAN, and its own again afterwards."""
        self.kernel.functions[0] = Function("02:00:00:00:00:05", 3)
        vlan = Vlan(tags=(Tag(id=42),))
        card = Card(name="0000:06:10.0", mac="52:54:00:00:00:01", vlan=vlan)
        # The device that it is of is one that is there and switched on everywhere.
        self.successResultOf(self.take(ONE, "06:10.0", cards=[card]))
        self.assertEqual(self.kernel.functions[0], Function("52:54:00:00:00:01", 42))
        with open(os.path.join(self.folder, "lo_vf0")) as file:
            self.assertEqual(
                file.read(), '{\n  "adminMac": "02:00:00:00:00:05",\n  "vlanTag": 3\n}\n'
            )
        self.assertEqual(self.devices.statistics("0000:06:10.0"), {"rx_bytes": 1000, "tx_drop": 7})
        self.release(ONE, "06:10.0", cards=[card])
        self.assertEqual(self.kernel.functions[0], Function("02:00:00:00:00:05", 3))
        self.assertEqual(os.listdir(self.folder), [])

    def test_notRestored(self) -> None:
        """What a function cannot be given back does not keep its device from going back, and is logged."""
        card = Card(name="0000:06:10.0", mac="52:54:00:00:00:01")
        path = os.path.join(self.folder, "lo_vf0")
        link = self.machine.path("bus/pci/devices/0000:06:00.0/virtfn0")
        for spoil in (
            lambda: self.write(path, '{"adminMac": "nonsense"}'),
            lambda: self.write(path, '{"mac": "02:00:00:00:00:05", "vlanTag": 99999999999}'),
            lambda: self.write(path, "[1]"),
            lambda: os.rename(path, link),
        ):
            self.successResultOf(self.take(ONE, "06:10.0", cards=[card]))
            self.moved()
            spoil()
            self.release(ONE, "06:10.0", cards=[card])
            self.assertEqual(self.moved(), ["06:10.0 vfio-pci igbvf"])

    def write(self, path: str, text: str) -> None:
        with open(path, "w") as file:
            file.write(text)

    def test_refusedCards(self) -> None:
        """What a function cannot be given is refused, and the device goes back."""
        trunk = Vlan(trunk=True, tags=(Tag(id=1), Tag(id=2)))
        port = VirtualPort(type="802.1Qbg")
        for extra, text in (
            ({"vlan": trunk}, "vlan trunking is not supported by SR-IOV network devices"),
            ({"port": port}, "virtualport type 802.1Qbg is currently not supported"),
        ):
            card = Card(name="0000:06:10.0", mac="52:54:00:00:00:01", **extra)
            waiting = self.take(ONE, "06:10.0", cards=[card])
            self.assertIn(text, self.said(ErrorCode.CONFIG_UNSUPPORTED, waiting))
            self.assertEqual(self.moved(), ["06:10.0 igbvf vfio-pci", "06:10.0 vfio-pci igbvf"])
        card = Card(name="0000:0a:00.0", mac="52:54:00:00:00:01")
        waiting = self.take(ONE, "0a:00.0", cards=[card])
        self.assertIn("Virtual Functions only", self.said(ErrorCode.CONFIG_UNSUPPORTED, waiting))
        self.assertEqual(self.moved(), [])

    def test_others(self) -> None:
        """Of what may be shared there are several holders."""
        self.devices.hold("scsi", "2:0:0:0", ONE, True)
        self.devices.hold("scsi", "2:0:0:0", OTHER, True)
        self.devices.drop("scsi", "2:0:0:0", ONE)
        self.assertEqual(self.devices.holders("scsi", "2:0:0:0"), {OTHER: True})
        self.devices.drop("scsi", "2:0:0:0", OTHER)
        self.assertEqual(self.devices.holders("scsi", "2:0:0:0"), {})


class MessageTests(SynchronousTestCase):
    """What is told to the kernel: as libvirtd 9.0.0 was seen to tell it."""

    def test_sent(self) -> None:
        """The messages for an address, a VLAN and a port."""
        self.assertEqual(
            addressMessage("pf0", 0, "52:54:00:00:00:01")[32:].hex(),
            "0800030070663000300016802c00018028000100000000005254000000010000"
            "000000000000000000000000000000000000000000000000",
        )
        self.assertEqual(
            vlanMessage("pf0", 1, 7)[32:].hex(),
            "0800030070663000180016801400018010000200010000000700000000000000",
        )
        guest = bytes.fromhex("11111111222233334444555555555567")
        host = bytes.fromhex("0ef4ce3ab5094b22b1af28c3e803c2c6")
        self.assertEqual(
            portMessage(2, 0, "52:54:00:00:00:01", "x", guest, host, 2)[32:].hex(),
            "300016802c0001802800010000000000525400000001000000000000000000000000000000000000"
            "0000000000000000480018804400018006000200780000001400040011111111222233334444"
            "555555555567140005000ef4ce3ab5094b22b1af28c3e803c2c6080001000000000005000600"
            "02000000",
        )

    def test_read(self) -> None:
        """What is not in an answer is complained of, whatever the answer is cut down to."""
        reply = Kernel().look("pf0")
        self.assertEqual(functionOf(reply, 2), Function("00:00:00:00:00:00", 0))
        self.assertEqual(statisticsOf(reply, 1), {"rx_bytes": 1001, "tx_drop": 7})
        error = self.assertRaises(VirtError, functionOf, reply, 3)
        self.assertIn("couldn't find IFLA_VF_INFO for VF 3", str(error))
        error = self.assertRaises(VirtError, functionOf, reply[:32], 0)
        self.assertIn("missing IFLA_VF_INFO", str(error))
        for size in range(len(reply)):
            try:
                functionOf(reply[:size], 2)
            except VirtError:
                continue

    def test_name(self) -> None:
        """Devices are called as the kernel calls them."""
        self.assertEqual(pciName(None), "0000:00:00.0")
