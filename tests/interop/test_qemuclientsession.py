"""
A guest's life by our own client, on both daemons: what it returns, what it raises and what it is told is the same.
"""

from __future__ import annotations

import os
import re
import sys

from twisted.trial.unittest import SynchronousTestCase

from tests.interop.qemuworld import LibvirtWorld, PyvirtWorld, World, guestFiles
from tests.interop.support import CHECKOUT

SCRIPT = r"""
import re
import sys

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater, react

import pyvirt
from pyvirt import constants as c

folder, kernel, initrd = sys.argv[1:]
XML = f'''
<domain type='qemu'><name>g</name><uuid>a0f0e4ba-6a0c-4a7c-9d4c-3b0a4f4c1a07</uuid>
<memory>131072</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type><kernel>{kernel}</kernel><initrd>{initrd}</initrd>
<cmdline>console=ttyS0 quiet</cmdline></os><features><acpi/></features>
<devices><disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{folder}/a.qcow2'/>
<target dev='vda' bus='virtio'/></disk><serial type='pty'/><graphics type='vnc' port='-1'/></devices></domain>'''
DISK = f'''<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{folder}/b.img'/>
<target dev='vdb' bus='virtio'/></disk>'''


class Console:
    # A console that is opened before what is to be seen on it happens.

    def __init__(self, conn, domain):
        self.stream = conn.newStream()
        self.text = b""
        self.opening = domain.openConsole(None, self.stream, c.VIR_DOMAIN_CONSOLE_FORCE)

    async def ticks(self, more=0):
        # The number that the guest comes to after the first that is seen.
        await self.opening
        while True:
            found = [int(each) for each in re.findall(rb"tick (\d+)\r", self.text)]
            if found and found[-1] >= found[0] + more:
                await self.stream.abort()
                return found[-1] if more else found[0]
            data = await self.stream.recv(4096)
            if not data:
                raise SystemExit(f"the console ended: {self.text}")
            self.text += data


async def main(reactor):
    conn = await pyvirt.open("qemu:///system")
    events = []
    waiting = []

    def hear(conn, domain, event, detail, opaque):
        events.append((domain.name(), event, detail))
        if event == c.VIR_DOMAIN_EVENT_UNDEFINED:
            waiting.pop().callback(None)

    async def say(what, answer):
        try:
            value = await answer
        except pyvirt.libvirtError as error:
            value = (error.get_error_code(), error.get_error_domain(), error.get_error_level(), str(error))
        if isinstance(value, pyvirt.Domain):
            value = value.name()
        elif isinstance(value, pyvirt.DomainSnapshot):
            value = value.getName()
        print(what, value)

    async def until(state):
        while (await domain.state())[0] != state:
            await deferLater(reactor, 0.2)

    await conn.domainEventRegisterAny(None, c.VIR_DOMAIN_EVENT_ID_LIFECYCLE, hear, None)
    domain = await conn.defineXML(XML)
    await say("start", domain.create())
    await say("start again", domain.create())
    await say("state", domain.state())
    await Console(conn, domain).ticks(1)
    await say("attach", domain.attachDeviceFlags(DISK, c.VIR_DOMAIN_AFFECT_LIVE))
    await say("attach again", domain.attachDeviceFlags(DISK, c.VIR_DOMAIN_AFFECT_LIVE))
    await say("block", domain.blockInfo("vdb"))
    await say("no block", domain.blockInfo("vdz"))
    await say("statistics", domain.blockStats("vdz"))
    await say("detach", domain.detachDeviceFlags(DISK, c.VIR_DOMAIN_AFFECT_LIVE))
    # The guest has to let go of it, and may be slower than who asks for it waits.
    while "vdb" in await domain.XMLDesc(0):
        await deferLater(reactor, 0.2)
    await say("suspend", domain.suspend())
    await say("suspend again", domain.suspend())
    await say("state", domain.state())
    await say("snapshot", domain.snapshotCreateXML("<domainsnapshot><name>s</name></domainsnapshot>"))
    await say("snapshot again", domain.snapshotCreateXML("<domainsnapshot><name>s</name></domainsnapshot>"))
    console = Console(conn, domain)
    await console.opening
    await say("resume", domain.resume())
    two = await console.ticks(3)
    await say("revert", domain.revertToSnapshot(await domain.snapshotLookupByName("s")))
    await say("state", domain.state())
    console = Console(conn, domain)
    await console.opening
    await say("resume", domain.resume())
    three = await console.ticks()
    print("back", three < two)
    picture = conn.newStream()
    await say("screenshot", domain.screenshot(picture, 0))
    shot = b""
    while len(shot) < 4:
        shot += await picture.recv(1 << 16)
    print("picture", shot[:4])
    await picture.abort()
    await say("save", domain.save(folder + "/saved"))
    await say("state", domain.state())
    await say("restore", conn.restore(folder + "/nothing"))
    await say("restore", conn.restore(folder + "/saved"))
    await say("restore", conn.restore(folder + "/saved"))
    await say("state", domain.state())
    four = await Console(conn, domain).ticks()
    print("on", four >= three)
    await say("managed", domain.managedSave())
    await say("has", domain.hasManagedSaveImage())
    await say("start", domain.create())
    five = await Console(conn, domain).ticks(1)
    print("on", five > four)
    await say("shutdown", domain.shutdown())
    await until(c.VIR_DOMAIN_SHUTOFF)
    await say("state", domain.state())
    await say("undefine", domain.undefine())
    gone = Deferred()
    waiting.append(gone)
    gone.addTimeout(120, reactor)
    await say("undefine", domain.undefineFlags(c.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA))
    await say("gone", conn.lookupByName("g"))
    await say("gone", domain.create())
    # Events come in their order, so none is missing when the last is there.
    await gone
    for event in events:
        print("event", *event)
    await conn.close()


react(lambda reactor: Deferred.fromCoroutine(main(reactor)))
"""


class ClientSessionTests(SynchronousTestCase):
    """One script, two daemons."""

    maxDiff = None

    def session(self, world: World) -> list[str]:
        """Run the script in a world."""
        self.addCleanup(world.stop)
        os.makedirs(world.folder + "/run/lock")  # where consoles are locked
        command = ["qemu-img", "create", "-q", "-f", "qcow2", f"{world.folder}/a.qcow2", "8M"]
        self.assertEqual(world.run(command).status, 0)
        with open(f"{world.folder}/b.img", "wb") as file:
            file.truncate(1 << 20)
        outcome = world.run(
            [
                *("env", f"PYTHONPATH={CHECKOUT}", "PYVIRT_WITHOUT_DRIVERS=host qemu"),
                *(sys.executable, "-c", SCRIPT, world.folder, *guestFiles()),
            ],
            deadline=600.0,
        )
        self.assertEqual(outcome.status, 0, f"{outcome.stdout}{outcome.stderr}{world.log()}")
        text = re.sub(r"(?m)^(block) \[.*\]$", r"\1 <sizes>", outcome.stdout)
        return text.replace(world.folder, "<folder>").splitlines()

    def test_life(self) -> None:
        """Every answer, error and event."""
        theirs, ours = (self.session(kind()) for kind in (LibvirtWorld, PyvirtWorld))
        self.assertEqual(theirs, ours)
        self.assertIn("back True", ours)
        self.assertEqual(ours.count("on True"), 2)
        self.assertIn("picture b'\\x89PNG'", ours)
