"""
Devices of a host that has everything (L{tests.interop.madeuphost}), shown by libvirtd and by our daemon; and mediated
devices and virtual ports, with a made-up C{mdevctl}.
"""

from __future__ import annotations

import os
import re

from tests.interop import madeuphost
from tests.interop.hostsessions import HostSessions
from tests.interop.qemuworld import LibvirtWorld, PyvirtWorld, World

_FAKE = "11111111-2222-3333-4444-0000000000"
_SHARED = "_0000_00_02_0"


def _name(end: str, parent: str = _SHARED) -> str:
    return f"mdev_{_FAKE}{end}{parent}".replace("-", "_")


#: Makes the system's description of itself, which takes the place of the real one but for groups and processors.
_MAKE = f"""
!python3 {madeuphost.__file__} FOLDER/sys /run/udev/data
!cd FOLDER/sys && mkdir -p fs/cgroup devices/system kernel/mm && for each in fs/cgroup devices/system kernel/mm; do mount --rbind /sys/$each $each; done; mount --rbind FOLDER/sys /sys
!mkdir -p FOLDER/bin FOLDER/mdevctl.d && touch /run/udev/control && cp {os.path.dirname(madeuphost.__file__)}/madeupmdevctl.py FOLDER/bin/mdevctl && chmod +x FOLDER/bin/mdevctl
!mkdir -p /etc/mdevctl.d && mount --bind FOLDER/mdevctl.d /etc/mdevctl.d
RESTART
"""

_KINDS = """
system pci usb_device usb net scsi_host scsi_target scsi storage fc_host vports scsi_generic drm mdev_types mdev ccw
css vdpa ap_card ap_queue ap_matrix vpd mdev,drm
"""
_LISTS = "\n".join(f"nodedev-list --cap {kind}" for kind in _KINDS.split())
_LOOKS = f"""
nodedev-list
nodedev-list --tree
{_LISTS}
!virsh "$(for device in $(virsh nodedev-list); do echo "nodedev-dumpxml $device; nodedev-info $device;"; done)"
nodedev-dumpxml 2000000000000005,1000000000000005
nodedev-dumpxml 2000000000000007,1000000000000005
"""

_PART = "<device><parent>{}</parent><capability type='mdev'>{}</capability></device>"
_PORT = "<device><parent{}<capability type='scsi_host'>{}</capability></device>"
_FC = "<capability type='fc_host'>{}</capability>"
_WWN = "<wwnn>2000000000000005</wwnn><wwpn>1000000000000005</wwpn>"
_DOCUMENTS = {
    "one": _PART.format(
        "pci_0000_00_02_0",
        f"<type id='one'/><uuid>{_FAKE}d1</uuid><attr name='a' value='5'/><attr name='b' value='c d'/>",
    ),
    "two": _PART.format("ap_matrix", f"<type id='all'/><uuid>{_FAKE}d2</uuid>"),
    "three": _PART.format("css_0_0_0001", f"<type id='io'/><uuid>{_FAKE}d3</uuid>"),
    "none": _PART.format("pci_0000_00_02_0", f"<type id='none'/><uuid>{_FAKE}d4</uuid>"),
    "net": _PART.format("net_wl9_aa_bb_cc_00_00_09", "<type id='x'/>"),
    "nowhere": _PART.format("nope", "<type id='x'/>"),
    "p1": _PORT.format(">scsi_host6</parent>", _FC.format(_WWN)),
    "p2": _PORT.format(">scsi_host5</parent>", ""),
    "p3": _PORT.format(" wwnn='2000000000000006' wwpn='1000000000000006'/>", _FC.format(_WWN)),
    "p4": _PORT.format(">computer</parent>", _FC.format("")),
    "p5": _PORT.format(" fabric_wwn='3000000000000006'/>", _FC.format(_WWN)),
    "p6": _PORT.format(">scsi_host5</parent>", _FC.format(_WWN)),
}
_ONE, _TWO, _THREE = _name("d1"), _name("d2", "_matrix"), _name("d3", "_0_0_0001")
_ACTS = "\n".join(f"<{name}.xml {xml}" for name, xml in _DOCUMENTS.items()) + (
    f"""
nodedev-define FOLDER/one.xml
nodedev-define FOLDER/one.xml
nodedev-define FOLDER/two.xml
nodedev-define FOLDER/three.xml
nodedev-define FOLDER/none.xml
nodedev-define FOLDER/net.xml
nodedev-define FOLDER/nowhere.xml
nodedev-define FOLDER/p1.xml
RESTART
nodedev-list --inactive
nodedev-list --all --cap mdev
nodedev-dumpxml {_ONE}
nodedev-dumpxml {_TWO}
nodedev-dumpxml {_THREE}
nodedev-destroy {_TWO}
nodedev-autostart {_ONE}
nodedev-info {_ONE}
nodedev-start {_ONE}
!{{wait}} {_ONE}
nodedev-start {_ONE}
nodedev-dumpxml {_ONE}
nodedev-autostart --disable {_ONE}
nodedev-info {_ONE}
nodedev-start {_name("d4")}
nodedev-info {_ONE}
nodedev-destroy {_ONE}
!{{gone}} {_ONE}
nodedev-info {_ONE}
nodedev-undefine {_ONE}
nodedev-create FOLDER/one.xml
!{{wait}} {_ONE}
nodedev-create FOLDER/one.xml
nodedev-create FOLDER/none.xml
nodedev-create FOLDER/net.xml
nodedev-create FOLDER/nowhere.xml
nodedev-autostart {_ONE}
nodedev-undefine {_ONE}
nodedev-autostart computer
nodedev-start computer
nodedev-undefine computer
nodedev-destroy computer
nodedev-create FOLDER/p1.xml
nodedev-create FOLDER/p2.xml
nodedev-create FOLDER/p3.xml
nodedev-create FOLDER/p4.xml
nodedev-create FOLDER/p5.xml
nodedev-destroy scsi_host6
nodedev-destroy scsi_host0
nodedev-destroy scsi_0_0_0_0
!cat /sys/class/fc_host/host5/vport_create
!grep -v "'list'" /run/mdevctl.log
""".replace("{wait}", "until virsh nodedev-list | grep -q").replace(
        "{gone}", "while virsh nodedev-list | grep -q"
    )
)
_ACTS = re.sub(r"(?m)^!(until|while) (.*)$", r"!\1 \2; do sleep 0.05; done", _ACTS)


class _MadeUp(World):
    """A host whose libvirtd takes a folder for what the system says, and finds C{mdevctl} in another."""

    def environment(self) -> dict[str, str]:
        return {
            **super().environment(),
            "SYSTEMD_DEVICE_VERIFY_SYSFS": "0",
            "PATH": f"{self.folder}/bin:{os.environ['PATH']}",
        }


class _MadeUpLibvirt(_MadeUp, LibvirtWorld):
    pass


class _MadeUpPyvirt(_MadeUp, PyvirtWorld):
    pass


class MadeUpHostTests(HostSessions):
    """A host that has everything."""

    kinds = (_MadeUpLibvirt, _MadeUpPyvirt)

    def test_session(self) -> None:
        """Devices of every kind are shown alike; mediated ones are defined, made, found again and forgotten."""
        self.compare(re.sub(r"\n+", "\n", _MAKE + _LOOKS + _ACTS))
