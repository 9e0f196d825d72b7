"""
Everyday use of guests: processors and threads that come and go, media, consoles, keys, in our QEMU driver beside
libvirtd's.
"""

from __future__ import annotations

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

    kinds = (0, 17, 18)

    def prepare(self, world: World) -> None:
        with open(f"{world.folder}/cd.iso", "wb") as file:
            file.truncate(1 << 20)
        world.write("keys.py", _KEYS)
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
        keys = world.run([requireBinding(), f"{world.folder}/keys.py"])
        said.append(f"$ keys\n{keys.stdout}{keys.stderr}")
        return [_steady(each) for each in said], told

    def test_use(self) -> None:
        """
        Processors stored and plugged, threads, media taken out and seen so after a reset, consoles, and keys.
        """
        self.compare(_STORED + _PROCESSORS + _DEVICES)
