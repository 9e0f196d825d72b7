"""
What libvirt's test driver refuses and ours does, by stock virsh and the stock binding: that they are satisfied.
"""

from __future__ import annotations

import os
import re
import subprocess

from twisted.trial.unittest import SynchronousTestCase

from tests.interop.support import Outcome, PyvirtDaemon, requireVirsh, runScript, servers, virsh

GUEST = """<domain type='test'><name>web</name><memory>65536</memory><os><type>hvm</type></os><devices>
<disk type='file'><driver name='qemu' type='qcow2'/><source file='/top'/><backingStore type='file'>
<format type='raw'/><source file='/base'/><backingStore/></backingStore><target dev='vda' bus='virtio'/></disk>
<disk type='file' device='cdrom'><source file='/cd'/><target dev='hdc' bus='ide'/></disk>
<interface type='network'><mac address='52:54:00:00:00:07'/><source network='default'/></interface>
<serial type='pty'/><console type='pty'/></devices></domain>"""

SCRIPT = r"""
import libvirt, sys, threading
libvirt.registerErrorHandler(lambda context, error: None, None)
libvirt.virEventRegisterDefaultImpl()
connection = libvirt.open(sys.argv[1])
domain = connection.createXML(sys.argv[2])
"""

CONSOLE = (
    SCRIPT
    + r"""
stream = connection.newStream()
domain.openConsole(None, stream)
def until(text):
    got = b""
    while not got.endswith(text):
        piece = stream.recv(1000)
        assert piece, got
        got += piece
    return got
until(b"login: ")
stream.send(b"me\r")
until(b"$ ")
stream.send(b"echo hello\r")
print(until(b"$ ").decode().splitlines()[-2])
try:
    domain.openConsole(None, connection.newStream())
except libvirt.libvirtError as error:
    print(error)
stream.send(b"poweroff\r")
rest = b""
while True:
    piece = stream.recv(1000)
    if not piece:
        break
stream.finish()
print(len(connection.listAllDomains()))
"""
)

EVENTS = (
    SCRIPT
    + r"""
heard = []
for number in (8, 15, 16, 19, 21):
    connection.domainEventRegisterAny(
        None, number, lambda c, d, *rest, number=number: heard.append((number, *map(str, rest[:-1]))), None)
secretHeard = []
connection.secretEventRegisterAny(None, 0, lambda c, s, *rest: heard.append(("secret", *rest[:-1])), None)
domain.attachDevice("<disk type='file'><source file='/b'/><target dev='vdb' bus='virtio'/></disk>")
domain.detachDeviceAlias("virtio-disk1", 1)
connection.secretDefineXML("<secret/>").undefine()
domain.blockCopy("vda", "<disk type='file'><source file='/copy'/></disk>", {"bandwidth": 1 << 60}, 4)
while len([each for each in heard if each[0] in (8, 16)]) < 2:
    libvirt.virEventRunDefaultImpl()
domain.blockJobAbort("vda", 2)
domain.backupBegin("<domainbackup/>", None)
while not any(each[0] == 21 for each in heard):
    libvirt.virEventRunDefaultImpl()
for each in heard:
    print(*each[:4] if each[0] != 21 else each[:1])
"""
)


class SupersetTests(SynchronousTestCase):
    """On the daemon that all tests share."""

    def setUp(self) -> None:
        requireVirsh()
        self.daemon = servers().pyvirt
        self.daemon.quiet()

    def shell(self, *lines: str) -> Outcome:
        path = os.path.join(self.daemon.folder, "web.xml")
        with open(path, "w") as file:
            file.write(GUEST)
        text = "".join(f"{line}\n" for line in ("define web.xml", *lines))
        return virsh(self.daemon.uri(), input=text, cwd=self.daemon.folder)

    def fine(self, *lines: str) -> str:
        """Type lines that all succeed; return what is printed."""
        outcome = self.shell(*lines)
        progress = re.compile(r"\r[\w ]+: \[ *\d+ %\] *")
        self.assertEqual((progress.sub("", outcome.stderr).strip(), outcome.status), ("", 0))
        return outcome.stdout

    def test_devices(self) -> None:
        """
        C{virsh} attaches, lists, changes and detaches devices, live and for later.
        """
        printed = self.fine(
            "start web",
            "attach-disk web /images/b vdb --live --config",
            "domblklist web",
            "detach-disk web vdb --live",
            "domblklist web",
            "domblklist web --inactive",
            "attach-interface web network default --mac 52:54:00:00:00:09 --live",
            "domiflist web",
            "domif-setlink web 52:54:00:00:00:07 down",
            "domif-getlink web 52:54:00:00:00:07",
            "detach-interface web network --mac 52:54:00:00:00:09 --live",
            "change-media web hdc --eject --live",
            "change-media web hdc /images/other.iso --insert --live",
            "detach-device-alias web virtio-disk0 --live",
            "domblklist web",
        )
        for text in (
            "Disk attached successfully",
            "Disk detached successfully",
            "Interface attached successfully",
            "Interface detached successfully",
            "52:54:00:00:00:07 down",
            "Successfully ejected media.",
            "Successfully inserted media.",
            "/images/other.iso",
        ):
            self.assertIn(text, printed)
        self.assertEqual(len(re.findall(r"vdb +/images/b", printed)), 2)

    def test_secretsAndFilters(self) -> None:
        """
        C{virsh} keeps a secret and a filter.
        """
        uuid = "00112233-4455-6677-8899-aabbccddeeff"
        for name, text in (
            (
                "s.xml",
                f"<secret><uuid>{uuid}</uuid><usage type='ceph'><name>n</name></usage></secret>",
            ),
            ("f.xml", f"<filter name='f'><uuid>{uuid}</uuid></filter>"),
            ("value", "word"),
        ):
            with open(os.path.join(self.daemon.folder, name), "w") as file:
                file.write(text)
        printed = self.fine(
            "secret-define s.xml",
            f"secret-set-value {uuid} --file value --plain",
            f"secret-get-value {uuid} --plain",
            "secret-list",
            f"secret-undefine {uuid}",
            "nwfilter-define f.xml",
            "nwfilter-list",
            "nwfilter-dumpxml f",
            "nwfilter-undefine f",
            "nwfilter-binding-list",
        )
        for text in ("word", "ceph", f" {uuid}   f", "<filter name='f'"):
            self.assertIn(text, printed)

    def test_jobs(self) -> None:
        """
        C{virsh} waits for copies, commits, pulls and backups, and ends them.
        """
        copy = "blockcopy web vda /copy --transient-job"
        printed = self.fine(
            "start web",
            f"{copy} --bandwidth 8796093022207 --wait --pivot",
            f"{copy} --bandwidth 1",
            "blockjob web vda --info",
            "blockjob web vda --bandwidth 5",
            "blockjob web vda --abort",
            "blockjob web vda --info",
            "blockpull web vda --wait",
            "backup-begin web",
            "domjobinfo web",
            "domjobabort web",
            "domjobinfo web",
            "domjobinfo web --completed",
        )
        for text in (
            "Successfully pivoted",
            "Bandwidth limit: 1048576 bytes/s (1.000 MiB/s)",
            "No current block job for vda",
            "Pull complete",
            "Backup started",
            "Operation:        Backup",
            "Job type:         None",
        ):
            self.assertIn(text, printed)

    def test_volumes(self) -> None:
        """
        What C{virsh} uploads it downloads again, holes included.
        """
        folder = self.daemon.folder
        data = b"begin" + bytes(300000) + os.urandom(100000) + bytes(600000 - 5)
        with open(os.path.join(folder, "up"), "wb") as file:
            file.write(data)
        self.fine(
            f"vol-create-as default-pool bytes {len(data)}",
            "vol-upload bytes up --pool default-pool --sparse",
            "vol-download bytes down --pool default-pool",
            "vol-download bytes sparse --pool default-pool --sparse",
            "vol-clone bytes copy --pool default-pool",
            "vol-download copy copied --pool default-pool",
            "vol-wipe bytes --pool default-pool",
            "vol-download bytes wiped --pool default-pool",
        )
        for name, expected in (
            ("down", data),
            ("sparse", data),
            ("copied", data),
            ("wiped", bytes(len(data))),
        ):
            with open(os.path.join(folder, name), "rb") as file:
                self.assertEqual(file.read(), expected, name)

    def script(self, text: str) -> list[str]:
        outcome = runScript(text, self.daemon.uri(), GUEST)
        self.assertEqual((outcome.stderr, outcome.status), ("", 0))
        return outcome.stdout.splitlines()

    def test_console(self) -> None:
        """
        A guest behind a console answers the binding's stream, is one client's alone, and ends it with itself.
        """
        self.assertEqual(
            self.script(CONSOLE),
            ["hello", "operation failed: Active console session exists for this domain", "1"],
        )

    def test_events(self) -> None:
        """
        Devices, secrets, block jobs and backups are told of to the binding.
        """
        printed = self.script(EVENTS)
        self.assertEqual(
            printed,
            [
                "19 virtio-disk1",
                "15 virtio-disk1",
                "secret 0 0",
                "secret 1 0",
                "8 /top 2 3",
                "16 vda 2 3",
                "8 /copy 2 0",
                "16 vda 2 0",
                "8 /copy 5 0",
                "16 vda 5 0",
                "21",
            ],
        )


class MigrationTests(SynchronousTestCase):
    """Two daemons."""

    def setUp(self) -> None:
        requireVirsh()
        self.daemons = servers().pyvirt, PyvirtDaemon()
        self.addCleanup(self.daemons[1].stop)
        self.daemons[0].quiet()
        for daemon in self.daemons:
            with open(os.path.join(daemon.folder, "web.xml"), "w") as file:
                file.write(GUEST)

    def shell(self, *lines: str) -> Outcome:
        source = self.daemons[0]
        text = "".join(f"{line}\n" for line in lines)
        return virsh(source.uri(), input=text, cwd=source.folder)

    def test_migrate(self) -> None:
        """
        C{virsh migrate} moves a guest, running or not, to a host that somebody else is connected to.
        """
        # The world at the far end lasts only while there is a connection to it, which virsh's own is.
        to = self.daemons[1].uri()
        outcome = self.shell(
            "define web.xml",
            "start web",
            f"migrate web {to} --live --persistent --undefinesource --verbose",
            "list --all",
            "define web.xml",
            f"migrate web {to} --offline --persistent",
            "domstate web",
            "start web",
            f"migrate web {to} --suspend",
            "domstate web --reason",
            f"migrate test {to} --live",
            "domstate test",
        )
        self.assertIn("Migration: [100 %]", outcome.stderr)
        self.assertIn("shut off (migrated)", outcome.stdout)
        self.assertIn(
            "error: Requested operation is not valid: domain 'test' is already active",
            outcome.stderr,
        )
        self.assertEqual(outcome.stdout.split()[-3:], ["running", "virsh", "#"], outcome.stdout)

    def test_peerToPeer(self) -> None:
        """
        C{virsh migrate --p2p} has the daemon move a guest, and says what libvirt says when there is nowhere to go.
        """
        here, to = self.daemons[0].uri(), self.daemons[1].uri()
        # As above, somebody else has to be there.
        staying = subprocess.Popen(
            [requireVirsh(), "-c", to],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.addCleanup(staying.communicate)
        assert staying.stdin is not None
        assert staying.stdout is not None
        staying.stdin.write("uri\n")
        staying.stdin.flush()
        for line in staying.stdout:
            if to in line:
                break
        # virsh may have to be run again: nothing must be left of it at the far end.
        outcome = self.shell(
            f"connect {to}",
            "destroy web",
            f"connect {here}",
            "create web.xml",
            "migrate web test+tcp://127.0.0.1:1/default --p2p",
            "migrate web test+unix:///default?socket=/no/where --p2p",
            f"migrate web {to} --p2p --tunnelled",
            "domstate web",
            f"migrate web {to} --p2p --live --verbose",
            "domstate web",
            f"connect {to}",
            "domstate web --reason",
        )
        self.assertIn("running (migrated)", outcome.stdout)
        errors = [line for line in outcome.stderr.splitlines() if line.startswith("error: ")]
        self.assertEqual(
            [line for line in errors if "failed to get domain" not in line][-3:],
            [
                "error: unable to connect to server at '127.0.0.1:1': Connection refused",
                "error: Failed to connect socket to '/no/where': No such file or directory",
                "error: argument unsupported: tunnelled migration is not supported: this guest has no memory to send",
            ],
            outcome.stderr,
        )
        self.assertIn("error: failed to get domain 'web'", outcome.stderr)
        self.assertEqual(outcome.stdout.split().count("running"), 2, outcome.stdout)
