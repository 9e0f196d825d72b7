"""
What scripts of the administrator hear of guests and networks, what they may forbid and change, and what starts with
the host: on both daemons.
"""

from __future__ import annotations

import re

from tests.interop.qemuworld import World
from tests.interop.test_qemupolicies import SectorCase, guest

HOOKS = "/etc/libvirt/hooks"
LOG = "/var/log/libvirt/hooks.log"
#: A script that writes down what it hears.
_HEARS = '{ echo "== $0 $*"; cat; echo; } >> ' + LOG


#: One that writes down what it is: a process's whole surroundings.
_FACTS = (
    '[ "$2" = prepare ] || exit 0; { pwd; umask; ulimit -a; env | sort; [ -p /dev/stdin ]; echo $?; '
    "ls /proc/self/fd | wc -l; grep -E ^Sig[BIC] /proc/self/status; nice; } >> " + LOG
)


def hook(path: str, body: str) -> str:
    """Return a line that makes a script."""
    return f"!printf '#!/bin/sh\\n{body}\\nexit 0\\n' > {HOOKS}/{path}; chmod 755 {HOOKS}/{path}"


def forbids(path: str, operation: str) -> str:
    """Return a line that makes a script that forbids something."""
    return hook(path, f'[ "$2" = {operation} ] && {{ echo not {operation} >&2; exit 3; }}')


HEARD = f"!cat {LOG}; : > {LOG}"
NAMED = f"!grep == {LOG}; : > {LOG}"
NETWORK = (
    "<n.xml <network><name>n</name><uuid>11111111-2222-3333-4444-555555555556</uuid>"
    "<forward mode='none'/><bridge name='vx0'/><mac address='52:54:00:00:00:01'/>"
    "<ip address='192.168.77.1' netmask='255.255.255.0'/></network>"
)
CARD = (
    "<interface type='network'><source network='n'/><mac address='52:54:00:11:11:11'/></interface>"
)

SESSION = f"""
!mkdir -p {HOOKS}/qemu.d/30-folder
{hook("qemu", _HEARS)}
{hook("qemu.d/20-b", _HEARS)}
{hook("qemu.d/.hidden", _HEARS)}
{hook("qemu.d/15-off", _HEARS)}
!chmod 644 {HOOKS}/qemu.d/15-off
{hook("daemon", _HEARS)}
{hook("network", _HEARS)}
RESTART
{HEARD}
{guest("g")}
{HEARD}
save g FOLDER/saved
{HEARD}
!rm -r {HOOKS}/qemu.d
restore FOLDER/saved
{HEARD}
managedsave g
{NAMED}
start g --paused
{NAMED}
RESTART
{HEARD}
destroy g
{HEARD}
{NETWORK}
net-define FOLDER/n.xml
net-start n
{HEARD}
net-update n add ip-dhcp-host "<host mac='52:54:00:00:00:09' ip='192.168.77.9'/>" --live
{NAMED}
{guest("i", "", CARD, how="create")}
{HEARD}
destroy i
{HEARD}
{forbids("network", "port-created")}
create FOLDER/i.xml
{forbids("network", "stopped")}
net-destroy n
{forbids("network", "start")}
net-start n
net-list --all
{forbids("qemu", "prepare")}
start g
domstate g --reason
{forbids("qemu", "start")}
start g
{forbids("qemu", "started")}
start g
domstate g --reason
{hook("qemu", "kill -9 $$")}
start g
!echo '#!/there/is/none' > {HOOKS}/qemu
start g
!echo 'no script' > {HOOKS}/qemu
start g
{forbids("qemu", "restore")}
restore FOLDER/saved
{hook("qemu", '[ "$2" = restore ] && sed "s,<name>g,<title>hooked</title><name>g,"')}
restore FOLDER/saved
desc g --title
dominfo g
{forbids("qemu", "release")}
destroy g
{hook("qemu", '[ "$2" = restore ] && sed "s/16384/32768/"')}
restore FOLDER/saved
{hook("qemu", '[ "$2" = restore ] && echo nonsense')}
restore FOLDER/saved
!mkdir {HOOKS}/qemu.d
{forbids("qemu", "prepare")}
{hook("qemu.d/1", _HEARS)}
{forbids("qemu.d/2", "prepare")}
!: > {LOG}
start g
{NAMED}
!rm -r {HOOKS}/qemu.d; echo > {HOOKS}/qemu.d
{forbids("qemu", "nothing")}
start g
!rm {HOOKS}/qemu.d {HOOKS}/qemu {HOOKS}/network
RESTART
{hook("qemu", _FACTS)}
start g
destroy g
{HEARD}
!sed -i "s,<name>g<,<title>edited</title><name>g<," /etc/libvirt/qemu/g.xml
!sed "s,>g<,>added<,;/uuid/d;/mac/d" /etc/libvirt/qemu/g.xml > /etc/libvirt/qemu/added.xml
!sed -i "s,</name>,</name><uuid>11111111-2222-3333-4444-555555555557</uuid>," /etc/libvirt/qemu/added.xml
HANGUP
{HEARD}
UNTIL edited | desc g --title
list --all --title
undefine added
{forbids("qemu", "nothing")}
start g
{forbids("qemu", "reconnect")}
RESTART
IS g shut off
domstate g --reason
list --all
"""


def _defined(name: str, devices: str) -> str:
    return "\n".join(guest(name, "", devices).splitlines()[:2])


POOL = "<pool type='dir'><name>p</name><target><path>/var/lib/libvirt/p</path></target></pool>"
DISK = "<disk type='volume'><driver type='raw'/><source pool='p' volume='s'/><target dev='hdb'/></disk>"
LINKS = "!ls -l /etc/libvirt/qemu/autostart | sed '/total/d;s/.* \\([a-z]*\\.xml\\)/\\1/'"

AUTOSTART = f"""
!mkdir -p /var/lib/libvirt/p; cp /var/lib/libvirt/images/sector /var/lib/libvirt/p/s
<p.xml {POOL}
pool-define FOLDER/p.xml
pool-autostart p
pool-start p
{NETWORK}
net-define FOLDER/n.xml
net-autostart n
{_defined("d", CARD + DISK)}
{_defined("b", CARD.replace("'n'", "'nope'"))}
{_defined("m", "")}
{_defined("x", "")}
autostart d
autostart d
autostart b
autostart m
autostart x
autostart x --disable
autostart x --disable
start m
managedsave m
start x
undefine x
autostart x
destroy x
list --all --autostart --name
{LINKS}
!rm -f /run/libvirt/*/autostarted
RESTART
IS d running
IS m restored
domstate b --reason
net-list --all
pool-list --all
!find /run/libvirt -name autostarted -printf '%p %m\\n' | sort
destroy d
RESTART
domstate d --reason
domstate m --reason
undefine d
{LINKS}
"""


class QEMUHookTests(SectorCase):
    """Scripts hear the same at the same time, and guests start with the host alike."""

    @staticmethod
    def squeezed(command: str, text: str) -> str:
        """Take out what differs from run to run, and from daemon to daemon in a processor that was restored."""
        for pattern, replacement in (
            (r"(?s)  <cpu .*?</cpu>\n", ""),
            (r"<controller type='usb' index='0' model='none'>.*?</controller>", ""),
            (r"(?s)<controller type='usb' index='0' model='none'(/>|>.*?</controller>)\n", ""),
            (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UUID"),
            (r"(?m)^(CPU time:) .*$", r"\1 N"),
        ):
            text = re.sub(pattern, replacement, text)
        return text

    def prepare(self, world: World) -> None:
        super().prepare(world)
        world.write("var/log/libvirt/hooks.log", "")

    def _said(self, world: World, line: str) -> str:
        if line != "HANGUP":
            return super()._said(world, line)
        world.run(["sh", "-c", f"kill -HUP $(cat {world.folder}/libvirtd.pid)"])
        log = f"{world.folder}{LOG}"

        def heard() -> bool:
            with open(log) as file:
                return file.read().endswith("SIGHUP\n\n")

        world._wait(heard, "the hangup")
        return line

    def lines(self, script: str) -> None:
        """Compare a session that has empty lines."""
        self.compare("\n".join(line for line in script.splitlines() if line))

    def test_hooks(self) -> None:
        """Scripts hear of starts, ends, saved guests and daemons that come back; what they refuse does not happen."""
        self.lines(SESSION)

    def test_autostart(self) -> None:
        """Once since the host booted guests start, after the networks and pools they need, saved ones where they were."""
        self.lines(AUTOSTART)
