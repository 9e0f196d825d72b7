"""
Options of migrations between two libvirtds and between two of our daemons: what is said, done and told is the same.

The guest stands still, so each takes little time; it goes, is looked for at both ends, and is forgotten again.
"""

from __future__ import annotations

import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from cryptography.hazmat.primitives import serialization

from pyvirt.tls.issuing import authority
from tests.certificates import CLIENT, SERVER, certificate
from tests.interop.migrationpairs import ADDRESSES, UUID, connectHosts
from tests.interop.qemusessions import LISTENER
from tests.interop.qemuworld import _QEMU_CONF, LibvirtWorld, PyvirtWorld, World
from tests.interop.support import requireBinding
from tests.interop.test_qemupeertopeer import PeerCase

#: What is typed: C{DST} is the other daemon, C{MEM} or C{TCP} where memory goes, C{@} a command at the other end; C{PKI}
#: is where certificates are, and C{!} a command of the shell.
_CASES = (
    "migrate guest DST --live --persistent --undefinesource MEM",
    "migrate guest DST --live MEM --dname neu --persistent --persistent-xml FOLDER/more.xml;"
    " @dumpxml neu --inactive; @dumpxml neu --inactive --migratable; @dumpxml neu",
    f"migrate guest DST --live --migrateuri tcp:{ADDRESSES[1]}:65536;"
    " migrate guest DST --live --postcopy-bandwidth 17592186044416;"
    " migrate guest DST --live --postcopy-resume;"
    " migrate guest DST --live --p2p --compressed --comp-methods zstd --parallel-connections 2;"
    f" undefine guest; migrate guest DST --live --persistent --migrateuri tcp://{ADDRESSES[1]}/path;"
    " @dumpxml guest --inactive",
    "migrate guest DST --live MEM --compressed; domjobinfo guest --completed",
    "migrate guest DST --live MEM --compressed --comp-methods mt --comp-mt-level 30;"
    " migrate guest DST --live MEM --comp-mt-level 3;"
    " migrate guest DST --live MEM --auto-converge-initial 30;"
    " migrate guest DST --live MEM --parallel --parallel-connections 0;"
    " migrate guest DST --live MEM --persistent --persistent-xml FOLDER/broken.xml;"
    " migrate guest DST --live MEM --xml FOLDER/more.xml;"
    " migrate guest DST --live MEM --zerocopy --parallel",
    "migrate-getspeed guest; migrate-setspeed guest 9; destroy guest; migrate-getspeed guest;"
    " migrate-setspeed guest 8; migrate-setspeed guest 7 --postcopy; start guest; migrate-getspeed guest;"
    " migrate-setspeed guest 17592186044416 --postcopy; migrate-setspeed guest 17592186044415 --postcopy;"
    " migrate-getspeed guest --postcopy; domjobabort guest --postcopy; migrate guest DST --live TCP:0;"
    " migrate-compcache guest --size 1; migrate-compcache guest",
    "destroy guest; migrate guest DST --offline --persistent --undefinesource"
    " --persistent-xml FOLDER/more.xml; @dumpxml guest",
    # Encrypted: with keys that do not open, in a tunnel, without a name, to somebody else, to somebody of yesterday.
    "migrate guest DST --live --unsafe --tls TCP; @secret-define FOLDER/secret.xml;"
    f" @secret-set-value {UUID} --base64 eHg=; migrate guest DST --live --unsafe --tls TCP;"
    f" @secret-set-value {UUID} --base64 c2VjcmV0; migrate guest DST --live --unsafe --tls TCP;"
    f" secret-define FOLDER/secret.xml; secret-set-value {UUID} --base64 c2VjcmV0;"
    " migrate guest DST --live --unsafe --tls --p2p --tunnelled; migrate guest DST --live --unsafe --tls MEM;"
    " migrate guest DST --live --tls TCP --copy-storage-all --tls-destination elsewhere;"
    " @!cp PKI-old/server-* PKI-there; migrate guest DST --live --unsafe --tls TCP; @!cp PKI/server-* PKI-there;"
    " migrate guest DST --live --tls MEM --tls-destination localhost --copy-storage-all --disks-uri unix://FOLDER/x;"
    ' qemu-monitor-command guest {"execute":"query-migrate-parameters"};'
    " migrate guest DST --live --tls TCP --copy-storage-all --compressed --comp-methods mt --comp-mt-level 3;"
    ' @qemu-monitor-command guest {"execute":"query-migrate-parameters"}',
)


_SECRET = (
    f"<secret private='yes'><uuid>{UUID}</uuid><usage type='tls'><name>key</name></usage></secret>"
)
_DISK = """<disk type='file' device='disk'><driver name='qemu' type='raw'/>
    <source file='/var/lib/libvirt/images/disk.raw'/><target dev='vda' bus='virtio'/></disk>"""
_MARK = (
    "<domain type='qemu'><name>mark</name><memory>1024</memory><os><type>hvm</type></os></domain>"
)

#: What differs from time to time.
_CHANGING = re.compile(
    r"""/tmp/pv-\w+-\w+(/\w+-pki-\w+)?|process \d+| id='\d+'|"id": *"libvirt-\d+\""""
)


_TUNNELLED = re.compile(
    "error: (internal error: failed to convert virJSONValue to yajl data"
    "|operation failed: job 'migration out' failed: TLS handshake failed: .*)"
)


class OptionTests(PeerCase):
    """Both pairs are asked the same."""

    def setUp(self) -> None:
        super().setUp()
        self.authority = authority("CN=authority")

    def test_alike(self) -> None:
        """Outputs, states and what is told of the guest's life, at both ends."""
        pairs = [
            [_Host(self, self.host(kind, end)) for end in ("here", "there")]
            for kind in (LibvirtWorld, PyvirtWorld)
        ]
        for pair in pairs:
            connectHosts([each.world for each in pair])
        with ThreadPoolExecutor(2) as pool:
            waiting = [
                pool.submit(lambda hosts: [self.seen(*hosts, each) for each in _CASES], hosts)
                for hosts in pairs
            ]
            found = [each.result() for each in waiting]
        for case, expected, actual in zip(_CASES, *found, strict=True):
            self.assertEqual(actual, expected, case)

    def host(self, kind: type[World], end: str) -> World:
        """Start a host that has certificates."""
        base = self.path(f"{kind.label}-pki")
        folder = f"{base}-{end}"
        for place, old in ((folder, False), (base, False), (f"{base}-old", True)):
            self.writeCertificates(place, old)
        conf = f'migrate_tls_x509_cert_dir = "{folder}"\nmigrate_tls_x509_secret_uuid = "{UUID}"\n'
        world = kind(_QEMU_CONF + conf)
        self.addCleanup(world.stop)
        os.makedirs(os.path.join(world.folder, "var/lib/libvirt/images"), exist_ok=True)
        with open(os.path.join(world.folder, "var/lib/libvirt/images/disk.raw"), "wb") as file:
            file.truncate(1 << 20)
        world.write("secret.xml", _SECRET)
        return world

    def writeCertificates(self, folder: str, old: bool) -> None:
        """Write what QEMU shows to others, with locked keys."""
        os.makedirs(folder, exist_ok=True)
        end = -1 if old else 365
        for name, purpose in (("server", SERVER), ("client", CLIENT)):
            made = certificate(
                self.authority, "CN=host", purposes=[purpose], hosts=ADDRESSES, start=-30, end=end
            )
            locked = made.key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.BestAvailableEncryption(b"secret"),
            )
            for path, data in (
                (f"{name}-cert.pem", made.certificatePEM),
                (f"{name}-key.pem", locked),
                ("ca-cert.pem", self.authority.certificatePEM),
            ):
                with open(os.path.join(folder, path), "wb") as file:
                    file.write(data)

    def seen(self, here: _Host, there: _Host, case: str) -> list[Any]:
        """Do what a case says with a guest that runs, and return what was to be seen."""
        self.define(here.world, _DISK if "--copy-storage" in case else "")
        with open(os.path.join(here.world.folder, "guest.xml")) as file:
            text = file.read()
        rng = "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>"
        rng += "<graphics type='vnc' passwd='abc'/>"
        here.world.write("more.xml", text.replace("<devices>", f"<devices>{rng}"))
        here.world.write("broken.xml", "<domain")
        out: list[Any] = []
        for line in case.split(";"):
            words = line.strip().removeprefix("@")
            words = words.replace("DST", self.uri(self.socketOf(there.world)))
            words = words.replace("TCP", f"--migrateuri tcp:{ADDRESSES[1]}")
            words = words.replace("PKI", self.path(f"{here.world.label}-pki"))
            words = words.replace("MEM", f"--migrateuri unix://{self.path(here.world.label)}")
            world = (there if line.strip().startswith("@") else here).world
            if words.startswith("!"):
                done = world.run(["sh", "-c", words[1:]])
            else:
                done = world.virsh(*words.replace("FOLDER", world.folder).split())
            errors = plain(done.stderr)
            if "--tunnelled" in line:
                # Of what QEMU ends with and what the daemon cannot ask it any more, either comes first.
                errors = _TUNNELLED.sub("error: <handshake>", errors)
            out.append((line, done.status, plain(done.stdout), errors))
        for host in (here, there):
            out.append(self.state(host.world))
            out.append(sorted(host.world.virsh("list", "--all", "--name").stdout.split()))
        out += [host.told() for host in (here, there)]
        for host in (here, there):
            for name in ("guest", "neu"):
                host.world.virsh("destroy", name)
                host.world.virsh("undefine", name)
            host.told()
        return out


def plain(text: str) -> str:
    """What does not differ from time to time."""
    lines = []
    for line in text.splitlines():
        if re.match(r"[A-Z][\w /]*: +[\d.]+ ", line):  # a number of a job
            line = line.split(":")[0]
            if line in ("Dirty rate", "Memory bandwidth", "Time elapsed w/o network"):
                continue
        lines.append(_CHANGING.sub("", line))
    return "\n".join(lines)


class _Host:
    """A host, and what it tells of its guests."""

    def __init__(self, test: OptionTests, world: World) -> None:
        self.test, self.world = test, world
        self._seen = self._marks = 0
        self._path = os.path.join(world.folder, "events")
        with open(self._path, "wb") as file:
            listener = subprocess.Popen(
                world.inside([requireBinding(), "-c", LISTENER.replace("KINDS", "(0,)")]),
                stdout=file,
                stderr=subprocess.DEVNULL,
            )
        test.addCleanup(listener.wait)
        test.addCleanup(listener.kill)
        test.until(lambda: "ready" in self._lines(), lambda: f"listening to {world.label}")
        self.told()

    def _lines(self) -> list[str]:
        with open(self._path) as file:
            return file.read().splitlines()

    def told(self) -> list[str]:
        """Return what it has told since this was asked last."""
        path = self.world.write("mark.xml", _MARK)
        self.world.virsh("define", path)
        self.world.virsh("undefine", "mark")
        self._marks += 1

        def marked() -> bool:
            return sum(line.startswith("0 mark") for line in self._lines()) >= 2 * self._marks

        self.test.until(marked, lambda: f"an event of {self.world.label}")
        lines = self._lines()
        new, self._seen = lines[self._seen :], len(lines)
        return [line for line in new if not line.startswith(("0 mark", "ready"))]
