"""
Makes a description of a host that has everything, as Linux shows it in C{/sys}: PCI devices with functions, bridges and
makers' data, USB and SCSI devices, disks, fibre channels, channel devices, cryptographic cards, mediated devices.

Run as a program with two folders: that of C{/sys}, and that of what udev knows.
"""

from __future__ import annotations

import os
import struct
import sys
from collections.abc import Sequence

ROOT, UDEV = sys.argv[1:3] if __name__ == "__main__" else ("", "")
_BUS = "pci0000:00/"
_PORT = _BUS + "0000:00:01.0/0000:01:00."


def _write(path: str, data: str | bytes = "") -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data if isinstance(data, bytes) else (data + "\n").encode())


def _link(path: str, target: str) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if not os.path.lexists(path):
        os.symlink(os.path.relpath(target, os.path.dirname(path)), path)


def _device(
    path: str,
    subsystem: str,
    uevent: Sequence[str] = (),
    home: str = "bus",
    driver: str = "",
    **files: str | bytes,
) -> str:
    """Describe a device in its place and in the list of its kind; return the place."""
    place = f"{ROOT}/devices/{path}"
    name = os.path.basename(place)
    _write(f"{place}/uevent", "\n".join(uevent))
    if subsystem:
        folder = f"{ROOT}/{home}/{subsystem}"
        listed = f"{folder}/devices" if home == "bus" else folder
        os.makedirs(listed, exist_ok=True)
        _link(f"{place}/subsystem", folder)
        _link(f"{listed}/{name}", place)
    if driver:
        folder = f"{ROOT}/bus/{subsystem}/drivers/{driver}"
        os.makedirs(folder, exist_ok=True)
        _link(f"{place}/driver", folder)
    for file, data in files.items():
        _write(f"{place}/{file}", data)
    return place


def _known(name: str, *lines: str) -> None:
    _write(f"{UDEV}/{name}", "\n".join(lines))


def _config(size: int, header: int = 0, link: tuple[int, int, int] | None = None) -> bytes:
    data = bytearray(size)
    data[14] = header
    if link is not None:
        data[6], data[0x34] = 0x10, 0x40
        kind, can, does = link
        struct.pack_into("<BBHIHHIHH", data, 0x40, 0x10, 0, kind << 4 | 2, 0, 0, 0, can, 0, does)
    return bytes(data)


def _pci(
    path: str, ids: tuple[int, int, int], driver: str = "", group: int = 0, **files: str | bytes
) -> str:
    vendor, product, kind = ids
    name = os.path.basename(path)
    place = _device(
        path,
        "pci",
        [f"PCI_CLASS={kind:X}", f"PCI_ID={vendor:04X}:{product:04X}", f"PCI_SLOT_NAME={name}"],
        driver=driver,
        **{
            "vendor": f"{vendor:#06x}",
            "device": f"{product:#06x}",
            "class": f"{kind:#08x}",
            "numa_node": "-1",
            "config": _config(256),
            **files,
        },
    )
    _link(f"{place}/iommu_group", f"{ROOT}/kernel/iommu_groups/{group}")
    _link(f"{ROOT}/kernel/iommu_groups/{group}/devices/{name}", place)
    return place


def _block(path: str, number: str, size: str = "2048", block: str = "512", below: str = "") -> str:
    major, minor = number.split(":")
    uevent = [f"MAJOR={major}", f"MINOR={minor}", f"DEVNAME={os.path.basename(path)}"]
    place = _device(path, "block", [*uevent, "DEVTYPE=disk"], "class", dev=number, size=size)
    _write(f"{place}/queue/logical_block_size", block)
    if below:
        _link(f"{place}/device", f"{ROOT}/devices/{below}")
    return place


def _makersData() -> bytes:
    def group(tag: int, fields: Sequence[tuple[str, bytes]], rest: bytes) -> bytes:
        body = b"".join(key.encode() + bytes([len(text)]) + text for key, text in fields) + rest
        return bytes([tag]) + struct.pack("<H", len(body)) + body

    read = [("PN", b"P-1"), ("EC", b"A1"), ("SN", b"S1"), ("MN", b"M"), ("V0", b"v"), ("VA", b"x")]
    start = b"\x82" + struct.pack("<H", 8) + b"Card <x>" + group(0x90, read, b"RV\2\0\0")[:-2]
    write = group(0x91, [("YA", b"tag"), ("V1", b"v1"), ("Y1", b"sys")], b"RW\2\0\0")
    return start + bytes([-sum(start) & 0xFF, 0]) + write + b"\x78"


def _types(place: str, **kinds: tuple[str, str, str]) -> None:
    """Say what mediated devices a device can be shared as: name, interface and how many of each kind."""
    for kind, said in kinds.items():
        folder = f"{place}/mdev_supported_types/{kind}"
        for file, text in zip(("name", "device_api", "available_instances"), said, strict=True):
            if text:
                _write(f"{folder}/{file}", text)
    _link(f"{ROOT}/class/mdev_bus/{os.path.basename(place)}", place)


def _mdev(parent: str, uuid: str, kind: str, group: int) -> None:
    place = _device(f"{parent}/{uuid}", "mdev", driver="vfio_mdev")
    _link(f"{place}/mdev_type", f"{ROOT}/devices/{parent}/mdev_supported_types/{kind}")
    os.makedirs(f"{ROOT}/kernel/iommu_groups/{group}", exist_ok=True)
    _link(f"{place}/iommu_group", f"{ROOT}/kernel/iommu_groups/{group}")


def _scsi(parent: str, address: str, kind: int = 0, disk: str = "", generic: str = "") -> None:
    """Describe a SCSI device, with the host and the target that it is on."""
    host = f"host{address.split(':')[0]}"
    place = f"{parent}/{host}"
    _device(place, "scsi", ["DEVTYPE=scsi_host"])
    _device(f"{place}/scsi_host/{host}", "scsi_host", (), "class", unique_id=host[4:])
    place += "/target" + address.rsplit(":", 1)[0]
    _device(place, "scsi", ["DEVTYPE=scsi_target"])
    place += f"/{address}"
    files = {"type": str(kind), "model": "DISK   ", "vendor": "ATA    "}
    _device(place, "scsi", ["DEVTYPE=scsi_device"], driver="sd", **files)
    if generic:
        uevent = ["MAJOR=21", f"MINOR={generic[2:]}", f"DEVNAME={generic}"]
        _device(f"{place}/scsi_generic/{generic}", "scsi_generic", uevent, "class", dev="21:0")
    if disk:
        number = f"{11 if disk.startswith('sr') else 8}:{16 * (ord(disk[2]) - 97) & 0xFF}"
        drive = _block(f"{place}/block/{disk}", number, below=place)
        _write(f"{drive}/removable", "0" if disk in ("sda", "src") else "1")


def _pciDevices() -> None:
    _pci(_BUS + "0000:00:00.0", (0x8086, 0x1237, 0x60000))
    link = (4, 0x01000102, 0x0101)
    bridge = {"config": _config(4096, 1, link), "numa_node": "0"}
    _pci(_BUS + "0000:00:01.0", (0x8086, 0x7000, 0x60400), "pcieport", 1, **bridge)
    files = {"config": _config(4096, 0, (0, 0x0A012483, 0x82)), "sriov_totalvfs": "7"}
    card = _pci(_PORT + "0", (0x8086, 0x10FB, 0x20000), "ixgbe", 2, **files)
    for number in (0, 1):
        path = f"{_BUS}0000:00:01.0/0000:01:10.{number}"
        function = _pci(path, (0x8086, 0x10ED, 0x20000), "ixgbevf", 3)
        _link(f"{card}/virtfn{number}", function)
        _link(f"{function}/physfn", card)
    _pci(_PORT + "1", (0x15B3, 0x101D, 0x20000), "mlx5_core", 4, vpd=_makersData(), **files)
    for number, name in enumerate(("enp1s0", "enp1s1")):
        uevent = [f"INTERFACE={name}", f"IFINDEX={number + 20}"]
        files = {"address": f"aa:bb:cc:00:00:0{number}", "operstate": "down"}
        _device(f"{_PORT}{number}/net/{name}", "net", uevent, "class", **files)
    for name, kind in (("br9", "bridge"), ("wl9", "wlan")):
        uevent = [f"INTERFACE={name}", "IFINDEX=30", f"DEVTYPE={kind}"]
        files = {"address": "aa:bb:cc:00:00:09", "operstate": "dormant"}
        _device(f"virtual/net/{name}", "net", uevent, "class", **files)
    shared = _BUS + "0000:00:02.0"
    place = _pci(shared, (0x8086, 0x3E92, 0x30000), "i915", 5, config=_config(4096, 0, (9, 0, 0)))
    _types(place, one=("A <b>", "vfio-pci", "1"), two=("", "vfio-pci", "2"))
    _mdev(shared, "11111111-2222-3333-4444-0000000000a1", "one", 9)
    for name, minor in (("card0", 0), ("controlD64", 64), ("renderD128", 128)):
        uevent = ["MAJOR=226", f"MINOR={minor}", f"DEVNAME=dri/{name}", "DEVTYPE=drm_minor"]
        _device(f"{shared}/drm/{name}", "drm", uevent, "class")
    place = _pci(_BUS + "0000:00:02.1", (0x8086, 0x3E93, 0x30000), "", 6)
    _types(place, odd=("says too little", "", ""))
    _pci(_BUS + "0000:00:1d.0", (0x144D, 0xA808, 0x10802), "nvme", 8)
    nvme = _BUS + "0000:00:1d.0/nvme/nvme0"
    _device(nvme, "nvme", (), "class", model="NVMe Disk")
    _block(f"{nvme}/nvme0n1", "259:0", "4194304", "4096", nvme)
    _known("b259:0", "E:ID_SERIAL=NVMe Disk_1", "S:disk/by-id/nvme-x", "S:disk/by-id/a")


def _scsiDevices() -> None:
    _pci(_BUS + "0000:00:1f.2", (0x8086, 0x7010, 0x10601), "ahci", 6)
    parent = _BUS + "0000:00:1f.2/ata1"
    _scsi(parent, "0:0:0:0", 0, "sda", "sg0")
    _known("b8:0", "S:disk/by-path/x", "E:ID_TYPE=disk", "E:ID_BUS=ata", "E:ID_SERIAL=QM 1")
    _scsi(parent, "0:0:0:1", 0, "sdb", "sg1")
    _scsi(parent, "1:0:0:0", 5, "sra")
    _known("b11:0", "E:ID_CDROM=1", "E:ID_TYPE=cd", "E:ID_CDROM_MEDIA=1", "E:ID_FS_LABEL=L")
    _scsi(parent, "1:0:1:0", 5, "srb")
    _known("b11:16", "E:ID_CDROM=1")
    _scsi(parent, "1:0:3:0", 5, "src")
    _known("b11:32", "E:ID_CDROM=1", "E:ID_CDROM_MEDIA=1")
    for number, kind in enumerate((1, 2, 3, 4, 6, 7, 8, 12, 13, 14, 17, 30, 99)):
        _scsi(parent, f"1:0:2:{number}", kind)
    fibre = _BUS + "0000:00:1e.0"
    _pci(fibre, (0x1077, 0x2532, 0xC0400), "qla2xxx", 7)
    ports = {"max_npiv_vports": "127", "npiv_vports_inuse": "3", "vport_create": ""}
    for host, files in (("5", ports), ("6", {})):
        _scsi(fibre, f"{host}:0:0:0", 0)
        names = {
            key: f"0x{each}00000000000000{host}"
            for key, each in (("port_name", 1), ("node_name", 2), ("fabric_name", 3))
        }
        path = f"{fibre}/host{host}/fc_host/host{host}"
        _device(path, "fc_host", (), "class", **names, **files)
    port = f"{fibre}/host5/rport-5:0-1"
    path = f"{port}/fc_remote_ports/rport-5:0-1"
    _device(path, "fc_remote_ports", (), "class", port_name="0x500000000000000a")
    _device(f"{port}/target5:0:1", "scsi", ["DEVTYPE=scsi_target"])
    _device(f"{port}/target5:0:1/5:0:1:3", "scsi", ["DEVTYPE=scsi_device"], type="0")


def _others() -> None:
    root = _BUS + "0000:00:14.0/usb1"
    _pci(_BUS + "0000:00:14.0", (0x8086, 0xA36D, 0xC0330), "xhci_hcd", 10)
    for path, number in ((root, 1), (f"{root}/1-1", 2)):
        files = {"idVendor": "0627", "idProduct": "0001", "busnum": "1", "devnum": str(number)}
        uevent = ["MAJOR=189", f"MINOR={number - 1}", f"DEVNAME=bus/usb/001/00{number}"]
        uevent += ["DEVTYPE=usb_device", "BUSNUM=001", f"DEVNUM=00{number}"]
        _device(path, "usb", uevent, driver="usb", **files)
    known = ["E:ID_VENDOR_ID=0627", "E:ID_MODEL_ID=0001", "E:ID_VENDOR_FROM_DATABASE=V"]
    _known("c189:1", *known, "E:ID_MODEL_FROM_DATABASE=M")
    parts = dict.fromkeys(("bInterfaceClass", "bInterfaceSubClass", "bInterfaceProtocol"), "03")
    uevent = ["DEVTYPE=usb_interface", "INTERFACE=3/3/3"]
    _device(f"{root}/1-1/1-1:1.0", "usb", uevent, bInterfaceNumber="00", **parts)
    for number, name in enumerate(
        ("loop0", "dm-0", "md0", "zram0", "fd0", "mmcblk0", "dasda", "xvda", "vda", "nbd0")
    ):
        _block(f"virtual/block/{name}", f"{number}:1")
    _known("b4:1", "E:ID_TYPE=floppy", "E:ID_DRIVE_FLOPPY=1")
    _known("b5:1", "E:ID_DRIVE_FLASH_SD=1", "E:ID_SERIAL=0xabc")
    for number, driver in enumerate(("io_subchannel", "vfio_ccw", "chsc_subchannel")):
        files = {"dev_busid": "0.0.1001" if driver == "vfio_ccw" else "none"}
        _device(f"css0/0.0.000{number}", "css", [f"DRIVER={driver}"], driver=driver, **files)
    for number, online in enumerate("10"):
        _device(f"css0/0.0.0000/0.0.100{number}", "ccw", online=online)
    _types(f"{ROOT}/devices/css0/0.0.0001", io=("I/O", "vfio-ccw", "1"))
    _device("ap/card1a", "ap", ["DEVTYPE=ap_card"], driver="cex4card")
    _device("ap/card1a/1a.00ab", "ap", ["DEVTYPE=ap_queue"], driver="vfio_ap")
    place = _device("vfio_ap/matrix", "matrix", (), driver="vfio_ap")
    _types(place, all=("All of it", "vfio-ap", "65536"))
    _mdev("vfio_ap/matrix", "11111111-2222-3333-4444-0000000000b1", "all", 19)
    _device("platform/sim/vdpa1", "vdpa")
    files = {"product_name": "P  <1>", "sys_vendor": "V&", "product_serial": "S", "bios_date": "x"}
    uuid = "11111111-aaaa-bbbb-cccc-dddddddddddd"
    _device("virtual/dmi/id", "dmi", (), "class", product_uuid=uuid, **files)


if __name__ == "__main__":
    _pciDevices()
    _scsiDevices()
    _others()
