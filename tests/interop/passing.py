"""
A session about devices of the host that guests get, on a host that has some.

There are none such here, so files stand for what the system would say: PCI devices in groups, one of them at the driver
for guests already, USB and SCSI devices.  L{KERNEL} moves devices between drivers before it lets a write to
C{drivers_probe} through.  L{EMULATOR} is QEMU, but for devices that it would have to open.
"""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["EMULATOR", "KERNEL", "MACHINE", "PASSED"]

MACHINE = r"""
import os, stat, struct, subprocess, sys
F, D, P = sys.argv[1], "/sys/devices/breakpoint", "/sys/bus/pci"
def mount(*words): subprocess.run(["mount", *words], check=True)
def put(path, data=b""):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file: file.write(data if isinstance(data, bytes) else data.encode())
def node(path, major, minor):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(major, minor))
def overlay(place, name):
    for part in "uw": os.makedirs(f"{F}/up/{name}{part}")
    mount("-t", "overlay", "overlay", "-o", f"lowerdir={place},upperdir={F}/up/{name}u,workdir={F}/up/{name}w", place)
for folder in ("dev", "up", "home"): os.makedirs(f"{F}/{folder}")
mount("-t", "tmpfs", "tmpfs", F + "/up")
mount("--rbind", "/dev", F + "/dev")
mount("-t", "tmpfs", "tmpfs", "/dev")
for name in os.listdir(F + "/dev"):
    there, here = f"{F}/dev/{name}", f"/dev/{name}"
    mode = os.lstat(there)
    if stat.S_ISLNK(mode.st_mode): os.symlink(os.readlink(there), here)
    elif stat.S_ISDIR(mode.st_mode):
        os.mkdir(here)
        mount("--rbind", there, here)
    elif stat.S_ISCHR(mode.st_mode) or stat.S_ISBLK(mode.st_mode):
        os.mknod(here, mode.st_mode, mode.st_rdev)
        os.chmod(here, mode.st_mode & 0o7777)
node("/dev/vfio/vfio", 10, 196)
mount("-t", "tmpfs", "tmpfs", "/sys/kernel/iommu_groups")
real = {name: os.path.realpath(f"{P}/devices/{name}") for name in os.listdir(P + "/devices")}
overlay("/sys/bus", "b")
mount("-t", "tmpfs", "tmpfs", P)
mount("-t", "tmpfs", "tmpfs", D)
os.makedirs(P + "/devices")
for name, place in real.items(): os.symlink(place, f"{P}/devices/{name}")
put(P + "/drivers_probe")
for driver in ("vfio-pci", "nvme", "snd"): put(f"{P}/drivers/{driver}/unbind")
def device(name, driver, group, kind=0, resets=True, power=False):
    config = bytearray(4096)
    struct.pack_into("<HHHH", config, 0, 0x8086, 0x1234, 0x406, 0x10)
    config[0x0B], config[0x0E], config[0x34] = 2, kind, 0x40
    config[0x40:0x44] = bytes((0x10, 0x80 if power else 0, 2, 0))
    struct.pack_into("<I", config, 0x44, 1 << 28 if resets else 0)
    if power: config[0x80:0x84] = bytes((1, 0, 3, 0))
    folder = f"{D}/{name}"
    put(folder + "/config", bytes(config))
    for key, value in dict(vendor="0x8086", device="0x1234", subsystem_vendor="0x8086", subsystem_device="0x0001", **{"class": "0x020000"}).items(): put(f"{folder}/{key}", value + "\n")
    put(folder + "/driver_override", "(null)\n")
    put(folder + "/resource", "0x0 0x0 0x0\n" * 13)
    put(folder + "/uevent", f"PCI_CLASS=20000\nPCI_ID=8086:1234\nPCI_SUBSYS_ID=8086:0001\nPCI_SLOT_NAME={name}\n")
    os.symlink(folder, f"{P}/devices/{name}")
    os.symlink(P, folder + "/subsystem")
    if driver: os.symlink(f"{P}/drivers/{driver}", folder + "/driver")
    put(f"{F}/home/{name}", driver)
    if group:
        members = f"/sys/kernel/iommu_groups/{group}/devices"
        os.makedirs(members, exist_ok=True)
        os.symlink(folder, f"{members}/{name}")
        os.symlink(os.path.dirname(members), folder + "/iommu_group")
        if not os.path.exists(f"/dev/vfio/{group}"): node(f"/dev/vfio/{group}", 240, group)
device("0000:0a:00.0", "nvme", 21)
device("0000:0b:00.0", "", 22, resets=False)
device("0000:0c:00.0", "vfio-pci", 23)
device("0000:0d:00.0", "", 24, kind=1)
device("0000:0f:00.0", "nvme", 25, resets=False, power=True)
device("0000:09:00.0", "snd", 20)
device("0000:09:00.1", "", 20)
# Files that everybody may open: who opens them is not asked.
for number, (vendor, product) in enumerate((("046d", "c00c"), ("0781", "5567"), ("0781", "5567")), 2):
    for key, value in dict(idVendor=vendor, idProduct=product, busnum=1, devnum=number).items():
        put(f"{F}/usb/1-{number}/{key}", f"{value}\n")
    node(f"/dev/bus/usb/001/00{number}", 1, 7)
os.makedirs("/sys/bus/usb")
os.symlink(F + "/usb", "/sys/bus/usb/devices")
for unit in range(2):
    os.makedirs(f"/sys/bus/scsi/devices/2:0:0:{unit}/scsi_generic/sg{unit}")
    os.makedirs(f"/sys/bus/scsi/devices/2:0:0:{unit}/block/sd{unit}")
    for key in ("vendor", "model"): put(f"/sys/bus/scsi/devices/2:0:0:{unit}/{key}", "one\n")
    node(f"/dev/sg{unit}", 1, 7)
"""

KERNEL = r"""
import ctypes, os, struct, sys
F, P = sys.argv[1], "/sys/bus/pci"
libc = ctypes.CDLL(None, use_errno=True)
asked = libc.fanotify_init(4, os.O_RDONLY | os.O_CLOEXEC)
assert libc.fanotify_mark(asked, 1, ctypes.c_uint64(0x10000), -100, (P + "/drivers_probe").encode()) == 0
def settle():
    for name in sorted(os.listdir(F + "/home")):
        folder = f"{P}/devices/{name}"
        wanted = open(folder + "/driver_override").read().strip().replace("(null)", "")
        home = open(f"{F}/home/{name}").read()
        try: now = os.path.basename(os.readlink(folder + "/driver"))
        except OSError: now = ""
        wanted = wanted or home
        if wanted == now: continue
        with open(F + "/moves", "a") as file: file.write(f"{name} {now or '-'} {wanted or '-'}\n")
        if now: os.unlink(folder + "/driver")
        if wanted: os.symlink(f"{P}/drivers/{wanted}", folder + "/driver")
open(F + "/ready", "w").close()
while True:
    for length, _, _, _, _, fd, pid in struct.iter_unpack("<IBBHQii", os.read(asked, 24)):
        if pid != os.getpid(): settle()
        os.write(asked, struct.pack("<iI", fd, 1))
        os.close(fd)
"""

EMULATOR = r"""#!/usr/bin/python3 -S
import json, os, sys
words = sys.argv[1:]
for place, word in enumerate(words):
    if word not in ("-device", "-blockdev") or not words[place + 1].startswith("{"): continue
    said = json.loads(words[place + 1])
    kept = {key: said[key] for key in ("id", "bus", "addr", "port") if key in said}
    with open("FOLDER/asked", "a") as file:
        if said["driver"] in ("vfio-pci", "usb-host", "scsi-generic", "host_device"): file.write(words[place + 1] + "\n")
    made = {"vfio-pci": {"driver": "pci-testdev", **kept}, "usb-host": {"driver": "usb-tablet", **kept}, "scsi-generic": {**said, "driver": "scsi-hd"}, "host_device": {"driver": "null-co", "node-name": said.get("node-name")}}
    words[place + 1] = json.dumps(made.get(said["driver"], said))
os.execv("/usr/bin/qemu-system-x86_64", ["qemu", *words])
"""


def _guest(name: str, inner: str) -> str:
    return (
        f"<{name}.xml <domain type='qemu'><name>{name}</name><memory unit='MiB'>32</memory><os>"
        "<type arch='x86_64' machine='pc-i440fx-7.2'>hvm</type></os><devices>"
        f"<emulator>FOLDER/emulator</emulator>{inner}<memballoon model='none'/></devices></domain>"
    )


def _pci(place: str, managed: str = "yes") -> str:
    bus, _, function = place.partition(".")
    return (
        f"<hostdev mode='subsystem' type='pci' managed='{managed}'><source><address domain='0' "
        f"bus='0x{bus}' slot='0' function='{function or 0}'/></source></hostdev>"
    )


def _usb(inner: str, policy: str = "") -> str:
    return f"<hostdev mode='subsystem' type='usb'><source{policy}>{inner}</source></hostdev>"


def _scsi(unit: int, more: str = "") -> str:
    return (
        "<hostdev mode='subsystem' type='scsi'><source><adapter name='scsi_host2'/>"
        f"<address bus='0' target='0' unit='{unit}'/></source>{more}</hostdev>"
    )


_MAKE, _OTHER = (
    "<vendor id='0x046d'/><product id='0xc00c'/>",
    "<vendor id='0x781'/><product id='0x5567'/>",
)
_CARD = "<interface type='hostdev'><source><address type='pci' domain='0' bus='0x0a' slot='0' function='0'/></source></interface>"
_STATE = "!cat FOLDER/m/moves; rm FOLDER/m/moves; ls -ln /dev/bus/usb/001 | cut -c1-20; cat FOLDER/asked; rm -f FOLDER/asked"


def _lines() -> Iterator[str]:
    yield "!python3 FOLDER/machine.py FOLDER/m"
    yield "!python3 FOLDER/kernel.py FOLDER/m < /dev/null > FOLDER/kernel.log 2>&1 & while [ ! -e FOLDER/m/ready ]; do sleep 0.05; done"
    yield "RESTART"
    yield "nodedev-list pci"
    for name, works in {
        "0a_00_0": "detach detach reset reattach reattach",
        "0b_00_0": "reset detach reset reattach",
        "0c_00_0": "reset reattach detach",
        "0d_00_0": "reset detach reattach",
        "0f_00_0": "reset",
    }.items():
        for work in works.split():
            yield f"nodedev-{work} pci_0000_{name}"
    yield "nodedev-detach pci_0000_0a_00_0 --driver kvm"
    yield "nodedev-detach pci_0000_0a_00_0 --driver xen"
    yield _STATE
    # Whether they may lock memory depends on the machine; all else is done before and after.
    for number, inner in enumerate(
        (
            _pci("0a"),
            _pci("0a") + _pci("0b", "no"),
            _pci("0c", "no"),
            _pci("0a") + _pci("0d"),
            _pci("09") + _pci("09.1"),
            _pci("0a") + _pci("0a"),
            _pci("0a").replace("</hostdev>", "<driver name='kvm'/></hostdev>"),
            _CARD,
            _pci("0a") + _usb("<vendor id='0x1'/><product id='0x2'/>"),
        )
    ):
        yield _guest(f"p{number}", inner)
        yield f"define FOLDER/p{number}.xml"
        yield f"start p{number}"
        yield _STATE
        if inner != _CARD:
            # libvirtd may crash over cards that are devices of the host.
            yield (
                f"!virsh -c qemu:///system domxml-to-native qemu-argv --domain p{number} 2>&1 "
                "| grep error: ; true"
            )
        yield f"undefine p{number}"
    for name, inner in {
        "u": _usb(_MAKE) + _scsi(0),
        "v": _usb(_MAKE),
        "w": _scsi(0, "<shareable/>"),
        "x": _usb(_OTHER),
        "y": _usb("<address bus='1' device='3'/>") + _scsi(1, "<shareable/>"),
        "z": _usb("<vendor id='0x1'/><product id='0x2'/>", " startupPolicy='optional'")
        + _scsi(1, "<shareable/>"),
    }.items():
        yield _guest(name, inner)
        yield f"define FOLDER/{name}.xml"
        yield f"start {name}"
        yield f"dumpxml {name} --xpath //hostdev"
        yield _STATE
    yield "RESTART"
    for name, inner in {"h1": _usb(_MAKE), "h2": _usb("<address bus='1' device='9'/>")}.items():
        yield f"<{name}.xml {inner}"
        for domain in "uz":
            yield f"attach-device {domain} FOLDER/{name}.xml"
        yield f"detach-device y FOLDER/{name}.xml"
    yield "start v"
    yield "destroy u"
    yield "start v"
    yield "start w"
    for name in "vwyz":
        yield f"destroy {name}"
    yield _STATE


PASSED = "\n".join(_lines()) + "\n"
