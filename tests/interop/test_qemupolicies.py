"""
What becomes of guests that power off, reset, crash, sleep and are watched, on both daemons, events included.

The guest is one sector (L{sectorguest}), so that it boots in a moment.
"""

from __future__ import annotations

import itertools
import os
import time

from tests.interop.qemusessions import IMAGES, SessionCase
from tests.interop.qemuworld import World
from tests.interop.sectorguest import sector

#: How long a guest may take to do something: emulated, on a busy machine.
DEADLINE = 120.0


def guest(
    name: str, policies: str = "", devices: str = "<panic model='isa'/>", how: str = "define"
) -> str:
    """Return lines that start a guest and wait until it is up."""
    xml = (
        f"<domain type='qemu'><name>{name}</name><memory unit='MiB'>16</memory><vcpu>1</vcpu>"
        "<os><type arch='x86_64' machine='pc'>hvm</type></os><features><acpi/></features>"
        f"{policies}<devices><controller type='usb' model='none'/>"
        "<disk type='file' device='disk'><driver name='qemu' type='raw'/>"
        f"<source file='{IMAGES}/sector'/><target dev='hda' bus='ide'/><shareable/></disk>"
        f"<serial type='file'><source path='{IMAGES}/serial-{name}' append='on'/></serial>"
        f"<memballoon model='none'/>{devices}</devices></domain>"
    )
    start = f"start {name}\n" if how == "define" else ""
    return f"<{name}.xml {xml}\n{how} FOLDER/{name}.xml\n{start}UP {name} 1\n"


class SectorCase(SessionCase):
    """
    Sessions with guests of one sector.

      - C{UP g 2}: wait until the guest C{g} has started for the second time;
      - C{IS g paused}: wait until its state, or the error instead of it, has that word.
    """

    kinds = (0, 1, 3, 11, 12, 14)

    def prepare(self, world: World) -> None:
        path = f"{world.folder}{IMAGES}/sector"
        with open(path, "wb") as file:
            file.write(sector())
        os.chmod(path, 0o666)

    @staticmethod
    def steady(events: list[str]) -> list[str]:
        # How often a BIOS resets itself is a matter of time, and whether a panic stops CPUs before or after it is told.
        resets = zip(["", *events], events, strict=False)
        told = [each for before, each in resets if each != before or each[:2] != "1 "]
        return [
            each
            for each, after in itertools.zip_longest(told, told[1:], fillvalue="")
            if not (each.endswith(" 3 0") and after == each[:-3] + "8 0")
        ]

    def _said(self, world: World, line: str) -> str:
        word, _, rest = line.partition(" ")
        if word not in ("UP", "IS"):
            return super()._said(world, line)
        name, wanted = rest.split(" ", 1)
        end = time.monotonic() + DEADLINE
        while time.monotonic() < end:
            if word == "UP":
                found = str(self._starts(world, name))
                reached = int(found) >= int(wanted)
            else:
                outcome = world.virsh("domstate", name, "--reason")
                found = outcome.stdout + outcome.stderr
                reached = wanted in found
            if reached:
                return f"$ {line}\n{found}"
            time.sleep(0.05)
        raise AssertionError(f"{world.label}: {line}: {found}")

    def _starts(self, world: World, name: str) -> int:
        """Return how often a guest has started."""
        try:
            with open(f"{world.folder}{IMAGES}/serial-{name}") as file:
                return file.read().count("up")
        except FileNotFoundError:
            return 0


def _actions() -> str:
    """Change what happens, in every way."""
    lines = []
    for what in ("poweroff", "reboot", "crash"):
        for how in ("destroy", "restart", "rename-restart", "preserve", "coredump-restart"):
            lines += [f"set-lifecycle-action a {what} {how} {where}" for where in ("", "--config")]
    return "\n".join(lines)


ENDS = f"""
{guest("a", "<on_poweroff>restart</on_poweroff>")}
send-key a KEY_P
UP a 2
shutdown a
UP a 3
reboot a
UP a 4
domstate a --reason
{_actions()}
!virsh -c qemu:///system dumpxml a | grep -e on_ -e sector -e cache
!virsh -c qemu:///system dumpxml --inactive a | grep -e on_ -e sector -e cache
set-lifecycle-action a poweroff destroy --config --live
set-lifecycle-action a reboot destroy
set-lifecycle-action a poweroff restart
reset a
IS a shut off
start a
UP a 5
set-lifecycle-action a poweroff restart --live
set-lifecycle-action a crash preserve --live
send-key a KEY_P
UP a 6
domstate a --reason
send-key a KEY_C
IS a crashed
domcontrol a
shutdown a
resume a
domstate a --reason
reset a
UP a 7
domstate a --reason
destroy a
set-lifecycle-action a crash preserve --live
{guest("b", "<on_reboot>destroy</on_reboot>")}
reboot b
IS b shut off
start b
UP b 2
reset b
IS b shut off
{guest("c", "<on_crash>coredump-restart</on_crash>")}
send-key c KEY_C
UP c 2
domstate c --reason
{guest("d", "<on_crash>destroy</on_crash>", how="create")}
send-key d KEY_C
IS d failed
{guest("e", "<on_crash>coredump-destroy</on_crash>")}
send-key e KEY_C
IS e shut off
!ls /var/lib/libvirt/qemu/dump | sed 's/-20.*//;s/^[0-9]*-/N-/'; stat -c '%a %U' /var/lib/libvirt/qemu/dump/*
list --all
"""

WATCHED = "\n".join(
    f"""
{guest(f"w{action[0]}", "", f"<watchdog model='ib700' action='{action}'/>")}
send-key w{action[0]} KEY_W
{then}
domstate w{action[0]} --reason
resume w{action[0]}
domstate w{action[0]} --reason
destroy w{action[0]}
"""
    for action, then in (
        ("reset", "UP wr 2"),
        ("pause", "IS wp paused"),
        ("dump", "IS wd unpaused\n!ls /var/lib/libvirt/qemu/dump | grep -c -e -wd-20"),
    )
)

ASLEEP = f"""
{guest("s", "<pm><suspend-to-mem enabled='yes'/><suspend-to-disk enabled='yes'/></pm>")}
send-key s KEY_S
IS s pmsuspended
suspend s
resume s
shutdown s
domcontrol s
dompmwakeup s
IS s running
UP s 2
dompmwakeup s
dompmsuspend s mem
destroy s
{guest("t")}
send-key t KEY_D
IS t shut off
dompmwakeup t
"""


class QEMUPolicyTests(SectorCase):
    """The same becomes of guests, and the same is told of it."""

    def test_ends(self) -> None:
        """Guests that power off, reset, crash, are watched and sleep end, stay or start again as their definitions say."""
        lines = (ENDS + WATCHED + ASLEEP).splitlines()
        self.compare("\n".join(line for line in lines if line))
