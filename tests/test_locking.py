"""
Lock spaces, and the processes that own what is locked.
"""

from __future__ import annotations

import os
import subprocess
import sys

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase, TestCase

from pyvirt.confsyntax import ConfigError
from pyvirt.drivers.interfaces.locking import Guest, ILockManager, Lockable
from pyvirt.errors import ErrorCode, VirtError
from pyvirt.locking.etcdclient import EtcdClient, keyOf
from pyvirt.locking.lockd import LockdManager
from pyvirt.locking.owners import Owners
from pyvirt.locking.plugin import NoLocks, explain, lockManager
from pyvirt.locking.space import AUTOCREATE, SHARED, LockSpaces
from pyvirt.locking.tap import readConfig as readDaemonConfig
from pyvirt.process import Command, Finished, startTime
from pyvirt.testing.contracts import assertContract
from pyvirt.testing.dryrun import DryRun

GUEST = Guest("00112233-4455-6677-8899-aabbccddeeff", "web1", 1, 4242)


class LockSpaceTests(SynchronousTestCase):
    """Resources are files, and held by the system's locks."""

    def setUp(self) -> None:
        self.folder = os.path.abspath(self.mktemp())
        os.makedirs(self.folder)
        self.disk = os.path.join(self.folder, "disk")
        with open(self.disk, "w"):
            pass
        self.spaces = LockSpaces()
        self.direct = self.spaces.find("")
        self.addCleanup(lambda: [self.spaces.releaseOwner(owner) for owner in range(10)])

    def refused(self, code: int, act: object, *arguments: object) -> str:
        """The text of the error that an act ends with."""
        error = self.assertRaises(VirtError, act, *arguments)
        self.assertEqual(error.code, code)
        return str(error)

    def test_exclusive(self) -> None:
        """One owner has it, no second one, nor the first one twice."""
        self.direct.acquire(self.disk, 1, 0)
        for owner in (1, 2):
            for flags in (0, SHARED):
                self.refused(ErrorCode.RESOURCE_BUSY, self.direct.acquire, self.disk, owner, flags)
        self.direct.release(self.disk, 1)
        self.direct.acquire(self.disk, 2, 0)

    def test_shared(self) -> None:
        """Several who share have it until the last one releases."""
        for owner in (1, 2, 2):
            self.direct.acquire(self.disk, owner, SHARED)
        self.direct.release(self.disk, 2)
        self.direct.release(self.disk, 1)
        self.refused(ErrorCode.RESOURCE_BUSY, self.direct.acquire, self.disk, 3, 0)
        self.direct.release(self.disk, 2)
        self.direct.acquire(self.disk, 3, 0)

    def test_release(self) -> None:
        """Only a holder can release."""
        self.refused(ErrorCode.RESOURCE_BUSY, self.direct.release, self.disk, 1)
        self.direct.acquire(self.disk, 1, 0)
        self.assertIn(
            "owner 2 does not hold",
            self.refused(ErrorCode.INTERNAL_ERROR, self.direct.release, self.disk, 2),
        )

    def test_othersLock(self) -> None:
        """What another process has locked the way virtlockd does is busy; it leaves no descriptor behind."""
        before = len(os.listdir("/proc/self/fd"))
        script = "import fcntl,sys; f=open(sys.argv[1],'r+'); fcntl.lockf(f,fcntl.LOCK_EX,1); print(1,flush=True); input()"
        with subprocess.Popen(
            [sys.executable, "-c", script, self.disk],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as other:
            assert other.stdout is not None
            other.stdout.readline()
            self.refused(ErrorCode.RESOURCE_BUSY, self.direct.acquire, self.disk, 1, 0)
            other.kill()
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)
        self.direct.acquire(self.disk, 1, 0)
        with open(self.disk) as file:
            # Closing the file elsewhere in this process does not let the lock go.
            file.read()
        self.assertEqual(self.lockedByUs(), 1)

    def lockedByUs(self) -> int:
        """How many locks the system knows on the disk."""
        inode = f":{os.stat(self.disk).st_ino} "
        with open("/proc/locks") as file:
            return sum(inode in line for line in file)

    def test_autocreate(self) -> None:
        """A file that is made for a lease goes with its last holder."""
        path = os.path.join(self.folder, "lease")
        self.refused(ErrorCode.SYSTEM_ERROR, self.direct.acquire, path, 1, 0)
        self.direct.acquire(path, 1, SHARED | AUTOCREATE)
        self.direct.acquire(path, 2, SHARED | AUTOCREATE)
        self.direct.release(path, 1)
        self.assertTrue(os.path.exists(path))
        self.direct.release(path, 2)
        self.assertFalse(os.path.exists(path))

    def test_folders(self) -> None:
        """A lock space is a folder that is made; names do not lead out of it."""
        path = os.path.join(self.folder, "a", "b")
        self.spaces.create(path)
        self.spaces.create(path)
        self.refused(ErrorCode.INTERNAL_ERROR, self.spaces.create, path, True)
        self.refused(ErrorCode.OPERATION_INVALID, self.spaces.create, "", True)
        self.refused(ErrorCode.INTERNAL_ERROR, self.spaces.create, self.disk)
        self.refused(ErrorCode.INTERNAL_ERROR, self.spaces.find, "/none")
        space = self.spaces.find(path)
        for name in ("../../disk", "..", "x/../y", "a\0b"):
            for act in (space.create, space.delete):
                self.refused(ErrorCode.INVALID_ARG, act, name)
            self.refused(ErrorCode.INVALID_ARG, space.acquire, name, 1, AUTOCREATE)
        space.create("one")
        space.acquire("one", 1, 0)
        self.refused(ErrorCode.RESOURCE_BUSY, space.delete, "one")
        self.refused(ErrorCode.RESOURCE_BUSY, space.create, "one")
        space.release("one", 1)
        space.delete("one")
        space.delete("one")
        self.assertEqual(os.listdir(path), [])

    def test_takenOver(self) -> None:
        """A successor has what living owners held, with the same descriptors or without."""
        self.direct.acquire(self.disk, 1, SHARED)
        self.direct.acquire(self.disk, 2, SHARED)
        path = os.path.join(self.folder, "lease")
        self.direct.acquire(path, 3, AUTOCREATE)
        state = self.spaces.state()
        inherited = LockSpaces()
        self.assertEqual(inherited.restore(state, frozenset([1]), True), [])
        self.assertFalse(os.path.exists(path))
        self.assertTrue(inherited.holds(1))
        self.assertFalse(inherited.holds(2))
        self.refused(ErrorCode.RESOURCE_BUSY, inherited.find("").acquire, self.disk, 5, 0)
        inherited.releaseOwner(1)
        self.spaces = LockSpaces()
        again = LockSpaces()
        self.assertEqual(again.restore(state, frozenset([2]), False), [])
        self.assertTrue(again.holds(2))
        ((owners, problem),) = self.spaces.restore(
            [{**state[0], "resources": [{**state[0]["resources"][0], "flags": 0}]}],
            frozenset([1]),
            False,
        )
        self.assertEqual((owners, problem.code), ([1], ErrorCode.RESOURCE_BUSY))
        again.releaseOwner(2)

    def test_regained(self) -> None:
        """What was taken back after a crash its owner may ask for once more; nobody else, and not again."""
        self.direct.acquire(self.disk, 1, 0)
        state = self.spaces.state()
        self.direct.release(self.disk, 1)
        self.spaces = LockSpaces()
        self.assertEqual(self.spaces.restore(state, frozenset([1]), False), [])
        direct = self.spaces.find("")
        self.refused(ErrorCode.RESOURCE_BUSY, direct.acquire, self.disk, 2, 0)
        self.refused(ErrorCode.RESOURCE_BUSY, direct.acquire, self.disk, 1, SHARED)
        direct.acquire(self.disk, 1, 0)
        self.refused(ErrorCode.RESOURCE_BUSY, direct.acquire, self.disk, 1, 0)
        direct.release(self.disk, 1)
        self.refused(ErrorCode.RESOURCE_BUSY, direct.release, self.disk, 1)

    def test_folderGone(self) -> None:
        """A lock space that cannot be made again costs what was held in it, and nothing else."""
        self.direct.acquire(self.disk, 1, 0)
        (direct,) = self.spaces.state()
        lost = {**direct, "folder": f"{self.disk}/space"}
        self.direct.release(self.disk, 1)
        self.spaces = LockSpaces()
        ((owners, problem),) = self.spaces.restore([lost, direct], frozenset([1]), False)
        self.assertEqual((owners, problem.code), ([1], ErrorCode.SYSTEM_ERROR))
        self.assertTrue(self.spaces.holds(1))


class OwnerTests(TestCase):
    """Owners are watched until they end."""

    def test_ended(self) -> Deferred[int]:
        """The end of a process is told once; another's number is not mistaken for it."""
        ended: Deferred[int] = Deferred()
        owners = Owners(reactor, ended.callback)  # type: ignore[arg-type]
        with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as child:
            self.assertTrue(owners.watch(child.pid))
            self.assertTrue(owners.watch(child.pid))
            self.assertEqual(owners.known, {child.pid: startTime(child.pid)})
            owners.kill(child.pid)
        self.addCleanup(owners.stop)
        return ended.addCallback(lambda pid: self.assertEqual((pid, owners.known), (child.pid, {})))

    def test_nobody(self) -> None:
        """What is no living process is not watched."""
        owners = Owners(reactor, lambda pid: None)  # type: ignore[arg-type]
        for pid in (0, -1, 1 << 31, (1 << 32) - 1, 1 << 22):
            self.assertFalse(owners.watch(pid), pid)
        owners.forget(5)
        owners.kill(5)
        self.assertEqual(owners.known, {})


class PluginTests(SynchronousTestCase):
    """Lock managers, their configurations and their complaints."""

    def setUp(self) -> None:
        self.root = os.path.abspath(self.mktemp())
        os.makedirs(os.path.join(self.root, "etc/libvirt"))

    def configure(self, name: str, text: str) -> str:
        """Write a configuration file."""
        path = os.path.join(self.root, "etc/libvirt", name)
        with open(path, "w") as file:
            file.write(text)
        return path

    def make(self, name: str | None) -> object:
        """Make a lock manager by name."""
        return lockManager(name, reactor, self.root, True, "qemu")

    def test_contracts(self) -> None:
        """All that come with us keep the contract."""
        for name in (None, "none", "lockd", "etcd"):
            assertContract(ILockManager, type(self.make(name)))

    def test_unknown(self) -> None:
        """An unknown name is an error that tells the known ones."""
        error = self.assertRaises(LookupError, self.make, "nonsense")
        self.assertIn("etcd, lockd, none", str(error))

    def test_none(self) -> None:
        """The manager of no locks changes nothing."""
        manager = NoLocks()
        disk = Lockable("/x")
        self.assertEqual(manager.launch(GUEST, [disk]).prefix, ())
        self.assertIsNone(manager.acquire(GUEST, [disk]))
        self.assertIsNone(manager.release(GUEST, [disk]))

    def test_wrongKeys(self) -> None:
        """An unknown key, or a value of the wrong type, is an error with its line."""
        for name, text, words in (
            ("lockd", "\nnonsense = 1\n", "qemu-lockd.conf:2: unknown key nonsense"),
            ("lockd", "auto_disk_leases = 2\n", "qemu-lockd.conf:1: auto_disk_leases is 0 or 1"),
            ("lockd", "file_lockspace_dir = 5\n", ":1: file_lockspace_dir must be a str"),
            ("etcd", 'endpoints = "http://x"\n', ":1: endpoints must be a list"),
            ("etcd", "endpoints = [5]\n", ":1: endpoints must be a list of strings"),
            ("etcd", 'endpoints = ["ftp://x"]\n', "'ftp://x' is no http or https URL"),
            ("etcd", "endpoints = []\n", "there are no endpoints"),
            ("etcd", "ttl = 1\n", "ttl is from 5 to 3600 seconds"),
            ("etcd", 'endpoints = ["https://x"]\nca = "/absent"\n', "No such file"),
        ):
            path = self.configure(f"qemu-{name}.conf", text)
            error = self.assertRaises(ConfigError, self.make, name)
            self.assertIn(words, str(error), text)
            os.unlink(path)

    def test_daemonConfig(self) -> None:
        """The lock daemon reads virtlockd's keys, and no others."""
        path = self.configure("virtlockd.conf", 'max_clients = 70\nlog_filters = "1:x"\n')
        self.assertEqual(readDaemonConfig(path, True).maxClients, 70)
        self.assertEqual(readDaemonConfig("/absent", False).maxClients, 1024)
        self.assertRaises(ConfigError, readDaemonConfig, "/absent", True)
        for text in ("max_clients = 0", 'max_clients = "x"', "nonsense = 1", "listen_tls = 0"):
            self.assertRaises(
                ConfigError, readDaemonConfig, self.configure("virtlockd.conf", text), True
            )

    def test_leases(self) -> None:
        """What is asked of the lock daemon depends on the configuration."""
        disks = [Lockable("/a"), Lockable("/b", shared=True), Lockable("/space", key="k")]
        manager = LockdManager(reactor, "/socket")
        self.assertEqual(manager.leases(disks), [("", "/a", 0), ("", "/b", 1), ("/space", "k", 0)])
        manager = LockdManager(reactor, "/socket", folder="/leases")
        (first, second, _) = manager.leases(disks)
        self.assertEqual((first[0], len(first[1]), first[2], second[2]), ("/leases", 64, 2, 3))
        manager = LockdManager(reactor, "/socket", automatic=False)
        self.assertEqual(manager.leases(disks), [("/space", "k", 0)])
        error = self.assertRaises(VirtError, manager.leases, disks[:2])
        self.assertEqual(error.code, ErrorCode.CONFIG_UNSUPPORTED)
        self.assertEqual(manager.leases([]), [])
        self.assertEqual(manager.leases(disks[1:2]), [])
        named = Lockable("/leases", key="k", space="s")
        self.assertEqual(manager.leases([named]), [("/leases/s", "k", 0)])
        error = self.assertRaises(
            VirtError, manager.leases, [Lockable("/space", key="k", offset=512)]
        )
        self.assertEqual(error.code, ErrorCode.INTERNAL_ERROR)

    def test_devices(self) -> None:
        """Leases on volumes of LVM and on SCSI disks are named after what they are."""

        def answer(command: Command) -> Finished:
            path = command.argv[-1]
            if command.argv[0] == "/sbin/lvs":
                return (
                    Finished(0, b"  ab-cd\n", b"") if path == "/dev/lv" else Finished(5, b"", b"")
                )
            return Finished(0, b"3600\n" if path == "/dev/sda" else b"", b"")

        processes = DryRun(answer)
        manager = LockdManager(
            reactor,
            "/socket",
            folder="/files",
            lvmFolder="/lvm",
            scsiFolder="/scsi",
            processes=processes,
        )
        disks = [Lockable(each) for each in ("/dev/lv", "/dev/sda", "/dev/other", "/a")]
        disks.append(Lockable("/dev/space", key="k"))
        names = self.successResultOf(Deferred.fromCoroutine(manager._names(disks)))
        self.assertEqual(names, {"/dev/lv": ("/lvm", "ab-cd"), "/dev/sda": ("/scsi", "3600")})
        self.assertEqual(len(processes.commands), 5)
        leases = manager.leases(disks, names)
        self.assertEqual(
            [each[0] for each in leases], ["/lvm", "/scsi", "/files", "/files", "/dev/space"]
        )

    def test_explain(self) -> None:
        """The launcher's complaint is found among other output; what only looks like one is not."""
        line = b'pyvirt-lock-error {"code": 87, "domain": 51, "text": "resource busy: x"}\n'
        error = explain(b"warning\n" + line)
        assert error is not None
        self.assertEqual((error.code, error.domain, str(error)), (87, 51, "resource busy: x"))
        for wrong in (
            b"",
            b"pyvirt-lock-error",
            b"pyvirt-lock-error {}\n",
            b"pyvirt-lock-error {\n",
            b'pyvirt-lock-error {"code": "x", "domain": 1, "text": "t"}',
            b"x" + line,
        ):
            self.assertIsNone(explain(wrong))

    def test_keys(self) -> None:
        """Names of any kind make keys of one kind."""
        client = EtcdClient(["http://127.0.0.1:1"], prefix="/p")
        self.assertEqual(client.prefix, "/p")
        for name in ("/a", "/\udcff", "", "x" * 10000):
            self.assertEqual(len(keyOf("/p", name)), 3 + 64)
