"""
Everyday use of guests: processors and threads that come and go, media, consoles, keys, in our QEMU driver beside
libvirtd's.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable

from tests.interop.qemusessions import SessionCase
from tests.interop.qemuworld import World
from tests.interop.support import requireBinding
from tests.interop.test_qemutuning import split, squeezed
from tests.interop.virshsessions import marked

_BARE = (
    "<domain type='qemu'><name>{}</name><memory>32768</memory>{}"
    "<os><type arch='x86_64' machine='pc'>hvm</type></os><devices>{}</devices></domain>"
)
_LISTED = """
<vcpu current='{}'>5</vcpu><vcpus>
<vcpu id='0' enabled='yes' hotpluggable='no' {}/><vcpu id='1' enabled='no' hotpluggable='yes'/>
<vcpu id='2' enabled='yes' hotpluggable='yes' {}/><vcpu id='3' enabled='{}' hotpluggable='yes' {}/>
<vcpu id='4' enabled='no' hotpluggable='yes'/></vcpus>
"""
_AGENT = "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>"
_DRIVE = """
<disk type='file' device='cdrom'><driver name='qemu' type='raw'/><source file='FOLDER/cd.iso'/>
<target dev='hda' bus='ide'/><readonly/></disk>
"""
_GUESTS = {
    # Guests by the processors that they have.
    "counted": _BARE.format("counted", "<vcpu current='2'>5</vcpu>", ""),
    "full": _BARE.format("full", "<vcpu>5</vcpu>", ""),
    "listed": _BARE.format("listed", _LISTED.format(2, "", "", "no", ""), ""),
    "ordered": _BARE.format(
        "ordered", _LISTED.format(3, "order='1'", "order='3'", "yes", "order='2'"), ""
    ),
    "spoken": _BARE.format("spoken", "<vcpu current='1'>4</vcpu>", _AGENT),
    "driven": _BARE.format("driven", "", _DRIVE),
}
_JOBS = _BARE.format(
    "worked",
    "",
    "<disk type='file'><driver name='qemu' type='qcow2'/><source file='FOLDER/a.qcow2'/>"
    "<target dev='vda'/></disk><disk type='file'><driver name='qemu' type='raw'/>"
    "<source file='FOLDER/b.img'/><target dev='vdb'/></disk>"
    "<graphics type='vnc' port='-1'/>",
)
_HELD = _BARE.format(
    "held",
    "",
    "".join(
        f"<shmem name='pv-{name}'><model type='ivshmem-plain'/><size unit='M'>1</size></shmem>"
        for name in "ab"
    ),
)
_SERVED = _BARE.format(
    "served",
    "",
    "<disk type='network'><driver name='qemu' type='raw'/><source protocol='nbd' name='exp'>"
    "<host transport='unix' socket='FOLDER/nbd'/></source><target dev='vda'/></disk>"
    "<disk type='file'><driver name='qemu' type='qcow2'/><source file='FOLDER/over'/>"
    "<target dev='vdb'/><readonly/></disk>",
)
_GUESTS |= {"worked": _JOBS, "held": _HELD, "served": _SERVED}
_WHERE = 'qemu-monitor-command {} \'{{"execute":"query-hotpluggable-cpus"}}\' --return-value'

_STORED = """
setvcpu counted 0 --disable --config
setvcpu counted 0,9 --enable --config
setvcpu counted 1 --disable --config
setvcpus counted 3 --config
setvcpus counted 4 --config --hotpluggable
setvcpus counted 5 --config
dumpxml counted --xpath //vcpu
setvcpus counted 2 --config
setvcpus counted 1 --config --maximum
setvcpus counted 6 --config --maximum
dumpxml counted --xpath //vcpu
setvcpus counted 6 --config
setvcpu counted 2-5 --disable --config
dumpxml counted --xpath //vcpu
setvcpus full 4 --config --hotpluggable
dumpxml full --xpath //vcpu
setvcpu full 1,3 --disable --config
setvcpu full 3 --disable --config
dumpxml full --xpath //vcpu
"""

_PROCESSORS = f"""
start listed --paused
dumpxml listed --xpath //vcpu
{_WHERE.format("listed")}
setvcpu listed 4 --enable
setvcpu listed 0,2 --disable
setvcpu listed 0,2 --enable
setvcpu listed 1,3 --enable
setvcpu listed 1,2 --disable
shutdown counted --mode acpi,agent
shutdown counted
shutdown listed --mode acpi,agent
setvcpus listed 9 --live --config
setvcpus listed 0 --live
dumpxml listed --xpath //vcpu
start ordered --paused
dumpxml ordered --xpath //vcpu
{_WHERE.format("ordered")}
setvcpu ordered 0,9 --enable
setvcpu ordered 1 --enable
dumpxml ordered --xpath //vcpu
start spoken --paused
setvcpus spoken 3 --live --config --hotpluggable
save spoken FOLDER/saved
restore FOLDER/saved --paused
dumpxml spoken --xpath //vcpu
{_WHERE.format("spoken")}
iothreadadd spoken 6 --config
iothreadadd spoken 6 --config --live
iothreadadd spoken 5
iothreaddel spoken 6 --live --config
iothreaddel spoken 5 --live --config
iothreadset spoken 5 --poll-max-ns 1 --live --config
schedinfo listed --set global_quota=30000
schedinfo listed
reboot spoken --mode agent
"""

_DEVICES = """
start driven --paused
change-media driven hda --eject
domstats driven --block
reset driven
dumpxml driven --xpath //disk
change-media driven hda --eject
change-media driven hda FOLDER/cd.iso --insert
+attach-device driven <console type='pty'><target type='virtio'/></console>
+attach-device driven <console type='pty'><target type='serial'/></console>
+attach-device driven --config <console type='pty'/>
qemu-monitor-command driven '{"execute":"query-status","id":"x"}'
"""

#: Disks that a server has.
_ELSEWHERE = """
start served --paused
dumpxml served --xpath //disk
domblkinfo served vda
domstats served --block --backing
snapshot-create-as served above --disk-only --no-metadata --diskspec vda,file=FOLDER/above --diskspec vdb,snapshot=no
dumpxml served --xpath //disk
blockcommit served vda --active --pivot --wait
create FOLDER/full.xml --pass-fds 0
cpu-stats served --start 99
blockcopy served vda FOLDER/copied --wait --pivot --transient-job
dumpxml served --xpath //disk
destroy served
domblkinfo served vda
"""

_LEAVING = """
start held --paused
save held FOLDER/saved2
dump held FOLDER/core
snapshot-create-as held one
snapshot-create-as held one --memspec FOLDER/memory
start worked --paused
blockcopy worked vda FOLDER/copy.qcow2 --transient-job --bandwidth 1
save worked FOLDER/saved2
managedsave worked
dump worked FOLDER/core
snapshot-create-as worked one
snapshot-create-as worked one --memspec FOLDER/memory --diskspec vda,snapshot=no
checkpoint-create-as worked one
migrate worked qemu+unix:///system
blockresize worked vda 500M
detach-disk worked vda
blockpull worked vda
blockjob worked vda --abort
snapshot-create-as worked one --diskspec vdb,snapshot=no
"""

#: Looks into memory and disks, takes a console away, and connects to a display.
_LOOKS = r"""
import libvirt
libvirt.registerErrorHandler(lambda *_: None, None)
connection = libvirt.open("qemu:///system")
domain = connection.lookupByName("worked")
def show(function, *arguments):
    try:
        print(function(*arguments))
    except libvirt.libvirtError as error:
        print(error, error.get_error_code(), error.get_error_domain())
for flags in range(5):
    show(domain.memoryPeek, 0xFFFF0, 16, flags)
show(domain.memoryPeek, 1 << 40, 16, 1)
show(domain.memoryPeek, 0, 0, 1)
for disk, offset in (("vda", 0), ("vdb", 8), ("vdb", (1 << 20) - 2), ("vdb", 1 << 40), ("x", 0)):
    show(domain.blockPeek, disk, offset, 4)
show(domain.blockPeek, "vdb", 0, 4, 1)
print(domain.openGraphicsFD(0, 1) > 0)
"""

#: Opens consoles, takes them from one another, and leaves them in every way.
_LINES = r"""
import libvirt, os, re
libvirt.registerErrorHandler(lambda *_: None, None)
connection = libvirt.open("qemu:///system")
domain = connection.createXML(XML, libvirt.VIR_DOMAIN_START_PAUSED)
first = re.search("<serial type='pty'>.*?path='/dev(.*?)'", domain.XMLDesc(), re.S)[1]
lock = "/var/lock/LCK.." + first.replace("/", "_")
def show(function, *arguments):
    try:
        found = function(*arguments)
        print(found if type(found) in (bytes, int, str) else "done")
        return found
    except libvirt.libvirtError as error:
        text = re.sub(r"process \d+", "process N", str(error).replace(lock, "LOCK"))
        print(re.sub(r"pts.\d+", "pts", text), error.get_error_code(), error.get_error_domain())
def line(name, flags=0, owner=connection):
    stream = owner.newStream()
    show(owner.lookupByName(domain.name()).openConsole, name, stream, flags)
    return stream
for name in ("serial2", "parallel0", "console1", "channel0", "nope", ""):
    line(name)
one = line(None)
with open(lock) as file:
    print(os.path.getsize(lock), re.fullmatch(r" *\d+\n", file.read()) is not None)
for name, flags in (("serial0", 0), ("console0", 0), (None, 2), ("serial1", 0), (None, 4)):
    line(name, flags)
two = line("serial0", 1)
show(one.recv, 8)
show(two.send, b"x")
show(two.finish)
print(os.path.exists(lock))
for text in ("%10d\n" % os.getpid(), "1\n", "999999999\n", "-1\n", "odd", ""):
    with open(lock, "w") as file:
        file.write(text)
    show(line("console0").abort)
    print(os.path.exists(lock))
if os.path.exists(lock):
    os.unlink(lock)
other = libvirt.open("qemu:///system")
line("serial0", 0, other)
other.close()
while os.path.exists(lock):
    pass
child = os.fork()
if not child:
    other = libvirt.open("qemu:///system")
    line("serial0", 0, other)
    os.kill(os.getpid(), 9)
os.waitpid(child, 0)
while os.path.exists(lock):
    pass
three = line("serial0")
domain.destroy()
show(three.recv, 8)
show(three.finish)
print(os.path.exists(lock))
"""
_LINED = _BARE.format(
    "lined",
    "",
    "<serial type='pty'/><serial type='pty'/><serial type='null'/><parallel type='null'/>"
    "<console type='pty'/><console type='pty'><target type='virtio'/></console>"
    "<channel type='pty'><target type='virtio' name='x'/></channel>",
)

#: Images that are descriptors, for as long as whoever gave them stays; and what is written into the header of an overlay.
_GIVEN = r"""
import libvirt, os, re, subprocess
libvirt.registerErrorHandler(lambda *_: None, None)
connection = libvirt.open("qemu:///system")
def show(what, *arguments):
    try:
        found = what(*arguments)
        print(found if isinstance(found, (int, str)) else "done")
    except libvirt.libvirtError as error:
        print(error.get_error_code(), error.get_error_domain(), error)
XML = (
    "<domain type='qemu'><name>given</name><uuid>11111111-2222-3333-4444-666666666666</uuid>"
    "<memory>32768</memory><os><type arch='x86_64' machine='pc'>hvm</type></os><devices>"
    "<disk type='file'><driver name='qemu' type='raw'/><source file='/nowhere' fdgroup='one'/>"
    "<target dev='vda'/></disk></devices></domain>"
)
domain = connection.defineXML(XML)
file = os.open("FOLDER/given.img", os.O_RDWR | os.O_CREAT)
os.truncate(file, 1 << 20)
PAUSED = libvirt.VIR_DOMAIN_START_PAUSED
show(connection.domainXMLToNative, "qemu-argv", XML)
show(domain.createWithFlags, PAUSED)
show(domain.FDAssociate, "one", [], 0)
show(domain.FDAssociate, "one", [file], 4)
show(domain.FDAssociate, "one", [file], 2)
show(domain.createWithFlags, PAUSED)
show(domain.XMLDesc)
show(domain.blockInfo, "vda")
show(domain.blockPeek, "vda", 0, 4, 0)
SNAPSHOT = (
    "<domainsnapshot><name>s</name><disks><disk name='vda'><source file='FOLDER/given'/></disk>"
    "</disks></domainsnapshot>"
)
show(domain.snapshotCreateXML, SNAPSHOT, libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY)
show(domain.XMLDesc)
show(domain.destroy)
with open("/var/log/libvirt/qemu/given.log") as log:
    for line in log:
        if line.startswith(("-add-fd", "-blockdev")):
            print(re.sub("fd=[0-9]+", "fd=N", line.strip()))
domain = connection.defineXML(XML)
connection.close()
domain = libvirt.open("qemu:///system").lookupByName("given")
show(domain.createWithFlags, PAUSED)
above = subprocess.run(["qemu-img", "info", "FOLDER/above"], capture_output=True, text=True)
print(re.findall("(?m)^backing.*", above.stdout))
"""

#: Clients that are killed in the middle of what they do.
_GONE = r"""
import libvirt, os, select, time
libvirt.registerErrorHandler(lambda *_: None, None)
connection = libvirt.open("qemu:///system")
def vanishing(work, seen):
    child = os.fork()
    if not child:
        try:
            work(libvirt.open("qemu:///system"))
        finally:
            os._exit(0)
    seen()
    os.kill(child, 9)
    os.waitpid(child, 0)
def until(true):
    end = time.monotonic() + 60
    while not true() and time.monotonic() < end:
        time.sleep(0.01)
    print(true())
domain = connection.defineXML(XML)
domain.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)
path = "FOLDER/dump"
os.mkfifo(path)
pipe = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
vanishing(
    lambda mine: mine.lookupByName("lined").coreDump(path),
    lambda: print(select.select([pipe], [], [], 60)[0] == [pipe]))
print(domain.state())
total = 0
while select.select([pipe], [], [], 60)[0]:
    data = os.read(pipe, 1 << 20)
    if not data:
        break
    total += len(data)
os.close(pipe)
print(total > 0, os.path.exists(path))
until(lambda: domain.state()[0] == 3 and not domain.jobInfo()[0])
domain.destroy()
domain.undefine()
pool = connection.storagePoolCreateXML(
    "<pool type='dir'><name>gone</name><target><path>FOLDER/gone</path></target></pool>", 1)
for delete in (True, False):
    pool.createXML("<volume><name>v</name><capacity>9000000</capacity></volume>")
    ready, done = os.pipe()
    def upload(mine):
        stream = mine.newStream()
        mine.storagePoolLookupByName("gone").storageVolLookupByName("v").upload(stream, 0, 0)
        stream.sendAll(lambda stream, size, left: left.pop() if left else b"", [b"x" * 65536])
        os.write(done, b"x")
        time.sleep(60)
    def look():
        os.read(ready, 1)
        volume = pool.storageVolLookupByName("v")
        print(volume.resize(10000000), volume.wipe(0), delete and volume.delete())
    vanishing(upload, look)
    print(pool.listVolumes(), pool.refresh())
print(pool.storageVolLookupByName("v").delete(), pool.destroy())
"""

#: Every key of every set of codes.
_KEYS = r"""
import libvirt
libvirt.registerErrorHandler(lambda *_: None, None)
domain = libvirt.open("qemu:///system").lookupByName("driven")
for codes in range(11):
    found = []
    for key in (*range(0x180), *range(0xE000, 0xE080)):
        try:
            domain.sendKey(codes, 0, [key], 1)
        except libvirt.libvirtError as error:
            found.append(key)
            said = str(error)
    print(codes, found, said)
"""


def _steady(text: str) -> str:
    """Leave out times, and what an image takes on the host's disk."""
    return re.sub(r"(?m)^ *block\.\d+\.(physical|\w+\.times)=.*\n", "", text)


class QEMUUseTests(SessionCase):
    """Both daemons do the same with guests that are paused."""

    kinds = (0, 5, 8, 17, 18)

    @staticmethod
    def steady(events: list[str]) -> list[str]:
        return [re.sub(r"/tmp/pv-world-\w+", "FOLDER", each) for each in events]

    def prepare(self, world: World) -> None:
        for name in ("cd.iso", "b.img"):
            with open(f"{world.folder}/{name}", "wb") as file:
                file.write(bytes(1 << 20))
        world.write("keys.py", _KEYS)
        world.write("looks.py", _LOOKS)
        world.write("lines.py", _LINES.replace("XML,", f"{_LINED!r},"))
        gone = _GONE.replace("XML)", f"{_LINED!r})").replace("FOLDER", world.folder)
        world.write("gone.py", gone)
        os.makedirs(world.folder + "/run/lock")  # where terminals are locked
        world.write("given.py", _GIVEN.replace("FOLDER", world.folder))
        world.run(["qemu-img", "create", "-q", "-f", "qcow2", f"{world.folder}/a.qcow2", "400M"])
        writing = ["qemu-io", "-c", "write -P 1 0 100M", f"{world.folder}/a.qcow2"]
        self.assertEqual(world.run(writing).status, 0)
        server = f"nbd+unix:///exp?socket={world.folder}/nbd"
        over = ["qemu-img", "create", "-q", "-f", "qcow2", "-b", server, "-F", "raw", "-u"]
        self.assertEqual(world.run([*over, f"{world.folder}/over", "1M"]).status, 0)
        with open(f"{world.folder}/served.img", "wb") as file:
            file.truncate(1 << 20)
        serving = ["qemu-nbd", "--fork", "-t", "-e", "9", "-f", "raw", "-x", "exp"]
        serving += ["-k", f"{world.folder}/nbd", f"{world.folder}/served.img"]
        self.assertEqual(world.run(serving).status, 0)
        for name, xml in _GUESTS.items():
            world.write(f"{name}.xml", xml.replace("FOLDER", world.folder))

    def session(self, world: World, script: str) -> tuple[list[str], Callable[[], list[str]]]:
        """As L{SessionCase.session}, of lines that one virsh reads."""
        said, told = super().session(world, "")
        lines = [f"define FOLDER/{name}.xml" for name in _GUESTS]
        for line in script.strip().splitlines():
            if line.startswith("+"):
                words, _, document = line[1:].partition(" <")
                path = world.write(f"device{len(lines)}.xml", f"<{document}")
                line = f"{words} --file {path}"
            lines.append(line)
        text = marked([line.replace("FOLDER", world.folder) for line in lines])
        outcome = world.virsh(input=text)
        parts = [split(squeezed(each, world)) for each in (outcome.stdout, outcome.stderr)]
        for number, line in enumerate(lines):
            found = [each for part in parts for each in part.get(number, ["?"])]
            said.append("\n".join([f"$ {line}", *found]).replace(world.folder, "FOLDER"))
        for name in ("keys", "looks", "lines", "given", "gone"):
            outcome = world.run([requireBinding(), f"{world.folder}/{name}.py"])
            text = f"$ {name}\n{outcome.stdout}{outcome.stderr}"
            said.append(re.sub(r"\n+", "\n", text.replace(world.folder, "FOLDER")))
        return [_steady(each) for each in said], told

    def test_use(self) -> None:
        """
        Processors stored and plugged, threads, media taken out and seen so after a reset, consoles and who has them,
        clients that are killed, keys, what holds guests that are to leave for a file, what is in memory and disks,
        disks of servers, and disks that are descriptors.
        """
        self.compare(_STORED + _PROCESSORS + _DEVICES + _ELSEWHERE + _LEAVING)
