"""
QEMU, or the agent in the guest, goes wrong in the middle of everything that can be asked of a running guest.

The operations are those of the driver's contracts, so that none is left out: each says here what it is called with
(L{CALLS}).  It is called once on a guest that is well, which tells the commands that it gives; then once for each of
these and each fault.  Every call ends, with an error that says what it was; the domain can be changed by others; no
descriptor, timer, file or process is left when the guest is gone.
"""

from __future__ import annotations

import gc
import inspect
import json
import os
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.interface import Method

from pyvirt import constants as c
from pyvirt.drivers.interfaces.backup import IDomainBackup
from pyvirt.drivers.interfaces.blockjobs import IDomainBlockJobs
from pyvirt.drivers.interfaces.checkpoints import IDomainCheckpoints
from pyvirt.drivers.interfaces.consoles import IDomainConsoles
from pyvirt.drivers.interfaces.definition import IDomainDefinition
from pyvirt.drivers.interfaces.devices import IDomainDevices
from pyvirt.drivers.interfaces.guestagent import IDomainGuestAgent
from pyvirt.drivers.interfaces.hypervisors import IHypervisorCommands
from pyvirt.drivers.interfaces.jobs import IDomainJobs
from pyvirt.drivers.interfaces.lifecycle import IDomainLifecycle
from pyvirt.drivers.interfaces.migration import IDomainMigration
from pyvirt.drivers.interfaces.resources import IDomainResources
from pyvirt.drivers.interfaces.snapshots import IDomainSnapshots
from pyvirt.drivers.interfaces.statistics import IDomainStatistics
from pyvirt.drivers.interfaces.tuning import IDomainTuning
from pyvirt.drivers.interfaces.values import TypedParam
from pyvirt.drivers.qemu.agent import AgentProtocol
from pyvirt.drivers.qemu.components import componentClass
from pyvirt.drivers.qemu.driver import QEMUConnection
from pyvirt.drivers.qemu.ending import monitorLost
from pyvirt.drivers.qemu.live import setChannelState
from pyvirt.errors import VirtError
from tests.qemu.scriptedqemu import PluggedGuest, ScriptedQEMU

FAMILIES = (
    IDomainLifecycle,
    IDomainDefinition,
    IDomainResources,
    IDomainTuning,
    IDomainStatistics,
    IDomainConsoles,
    IDomainGuestAgent,
    IDomainJobs,
    IDomainMigration,
    IHypervisorCommands,
    IDomainDevices,
    IDomainBlockJobs,
    IDomainSnapshots,
    IDomainCheckpoints,
    IDomainBackup,
)

XML = """<domain type='qemu'><name>g</name><uuid>11111111-2222-3333-4444-555555555555</uuid>
<memory unit='MiB'>64</memory><vcpu current='1'>4</vcpu><iothreads>1</iothreads>
<os><type arch='x86_64' machine='pc-i440fx-7.2'>hvm</type></os><features><acpi/></features>
<devices><emulator>/usr/bin/qemu-system-x86_64</emulator>
<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='FOLDER/a.qcow2'/>
<target dev='vda' bus='virtio'/></disk>
<disk type='file' device='cdrom'><target dev='sdc' bus='sata'/><readonly/></disk>
<controller type='usb' model='none'/><controller type='sata' index='0'/>
<controller type='virtio-serial' index='0'/>
<interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/></interface>
<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>
<graphics type='vnc' port='5999' listen='127.0.0.1' passwd='abc'/><video><model type='vga'/></video>
<memballoon model='virtio'/></devices></domain>"""

LIVE = c.VIR_DOMAIN_AFFECT_LIVE
_DISK = (
    "<disk type='file' device='{}'><driver name='qemu' type='raw'/><source file='FOLDER/b.raw'/>"
    "<target dev='{}' bus='{}'/></disk>"
)
_NIC = (
    "<interface type='user'><mac address='52:54:00:00:00:0{}'/><model type='virtio'/></interface>"
)
_RNG = "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>"
_CHANNEL = "<channel type='pty'><target type='virtio' name='x'/></channel>"
_SNAPSHOT = (
    "<domainsnapshot><name>s</name>{}<disks><disk name='vda' snapshot='external'>"
    "<source file='FOLDER/s.qcow2'/></disk><disk name='sdc' snapshot='no'/></disks></domainsnapshot>"
)
_VNC = "<graphics type='vnc' port='5999' listen='127.0.0.1' passwd='{}'><listen type='address' address='127.0.0.1'/></graphics>"


def _int(name: str, value: int) -> TypedParam:
    return TypedParam(name, c.VIR_TYPED_PARAM_INT, value)


def _ullong(name: str, value: int) -> TypedParam:
    return TypedParam(name, c.VIR_TYPED_PARAM_ULLONG, value)


#: What operations are called with, besides the domain: several ways for some.  C{None}: they ask neither QEMU nor the
#: agent, or are not of a running guest; tests of other modules are about them.
CALLS: dict[str, list[tuple[Any, ...]] | None] = {
    "domainAttachDeviceFlags": [
        (_DISK.format("disk", "vdb", "virtio"), LIVE),
        (_NIC.format(2), LIVE),
        (_RNG, LIVE),
        (_CHANNEL, LIVE),
    ],
    "domainDetachDeviceFlags": [(_NIC.format(1), LIVE), (_RNG, LIVE)],
    "domainDetachDeviceAlias": [("net0", LIVE)],
    "domainUpdateDeviceFlags": [
        (_DISK.format("cdrom", "sdc", "sata"), LIVE),
        (_NIC.format(1).replace("<model", "<link state='down'/><model"), LIVE),
        (_VNC.format("new"), LIVE),
    ],
    "domainBlockResize": [("vda", 4096, 0)],
    "domainBlockPeek": None,
    "domainMemoryPeek": [(0, 16, c.VIR_MEMORY_PHYSICAL)],
    "domainPinIOThread": None,
    "domainAddIOThread": [(7, LIVE)],
    "domainDelIOThread": [(1, LIVE)],
    "domainSetIOThreadParams": [(1, [_ullong("poll_max_ns", 1000)], LIVE)],
    "domainFDAssociate": None,
    "domainSaveFlags": [("FOLDER/save", None, 0)],
    "domainSaveParams": [([TypedParam("file", c.VIR_TYPED_PARAM_STRING, "FOLDER/save")], 0)],
    "domainManagedSave": [(0,)],
    "domainCoreDumpWithFormat": [
        ("FOLDER/dump", 0, 0),
        ("FOLDER/dump", 0, c.VIR_DUMP_MEMORY_ONLY),
        ("FOLDER/dump", 0, c.VIR_DUMP_MEMORY_ONLY | c.VIR_DUMP_RESET),
    ],
    "domainCreateWithFlags": None,
    "domainSendKey": [(0, 0, [30], 0)],
    "domainSendProcessSignal": None,
    "domainSetLifecycleAction": [
        (c.VIR_DOMAIN_LIFECYCLE_REBOOT, c.VIR_DOMAIN_LIFECYCLE_ACTION_DESTROY, LIVE)
    ],
    "domainPMSuspendForDuration": [(c.VIR_NODE_SUSPEND_TARGET_MEM, 0, 0)],
    "domainManagedSaveDefineXML": None,
    "domainShutdownFlags": [
        (c.VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN,),
        (c.VIR_DOMAIN_SHUTDOWN_GUEST_AGENT,),
    ],
    "domainReboot": [(c.VIR_DOMAIN_REBOOT_ACPI_POWER_BTN,), (c.VIR_DOMAIN_REBOOT_GUEST_AGENT,)],
    "domainSetVcpusFlags": [
        (2, LIVE),
        (1, c.VIR_DOMAIN_VCPU_GUEST),
    ],
    "domainGetVcpusFlags": [(c.VIR_DOMAIN_VCPU_GUEST,)],
    "domainSetVcpu": [("1", 1, LIVE)],
    "domainSetMemoryFlags": [(32768, LIVE)],
    "domainPinVcpuFlags": None,
    "domainPinEmulator": None,
    "domainSetBlockIoTune": [("vda", [_ullong("total_bytes_sec", 1000000)], LIVE)],
    "domainGetBlockIoTune": [("vda", LIVE)],
    "domainBlockStats": [("vda",)],
    "domainBlockStatsFlags": [("vda", 0)],
    "domainGetBlockInfo": [("vda", 0)],
    "domainSetMemoryStatsPeriod": [(5, LIVE)],
    "domainInterfaceStats": None,
    "domainGetCPUStats": None,
    "domainSetPerfEvents": None,
    "domainOpenConsole": None,
    "domainOpenChannel": None,
    "domainScreenshot": [(0, 0)],
    "domainOpenGraphics": None,
    "domainOpenGraphicsFD": [(0, 0)],
    "domainFSTrim": [(None, 0, 0)],
    "domainFSFreeze": [([], 0)],
    "domainFSThaw": [([], 0)],
    "domainSetTime": [(5, 0, 0)],
    "domainInterfaceAddresses": [(c.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT, 0)],
    "domainSetUserPassword": [("root", "secret", 0)],
    "domainSetGuestVcpus": [("0", 1, 0)],
    "domainGetGuestInfo": [(0, 0)],
    "domainAgentSetResponseTimeout": None,
    "domainAuthorizedSSHKeysGet": [("root", 0)],
    "domainAuthorizedSSHKeysSet": [("root", ["ssh-rsa AAAA"], 0)],
    "domainQemuAgentCommand": [('{"execute":"guest-ping"}', 5, 0)],
    "domainStartDirtyRateCalc": [(1, 0)],
    "domainMigrateSetMaxDowntime": [(100, 0)],
    "domainMigrateSetMaxSpeed": [(100, 0)],
    "domainMigrateSetCompressionCache": [(1 << 26, 0)],
    "domainMigrateBegin3Params": None,
    "domainMigratePerform3Params": None,
    "domainMigrateConfirm3Params": None,
    "domainMigrateStartPostCopy": None,
    "domainQemuMonitorCommand": [('{"execute":"query-status"}', 0), ("info status", 1)],
    "domainQemuMonitorCommandWithFiles": [('{"execute":"query-status"}', 0, [])],
    "domainLxcOpenNamespace": None,
    "domainBlockJobAbort": None,
    "domainGetBlockJobInfo": None,
    "domainBlockJobSetSpeed": None,
    "domainBlockPull": [("vda", 0, 0)],
    "domainBlockRebase": [("vda", None, 0, 0)],
    "domainBlockCommit": None,
    "domainBlockCopy": [
        (
            "vda",
            "<disk type='file'><source file='FOLDER/copy'/><driver type='raw'/></disk>",
            [],
            c.VIR_DOMAIN_BLOCK_COPY_TRANSIENT_JOB,
        )
    ],
    "domainSetBlockThreshold": [("vda", 100, 0)],
    "domainSnapshotCreateXML": [
        (_SNAPSHOT.format(""), c.VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY),
        (_SNAPSHOT.format("<memory snapshot='external' file='FOLDER/memory'/>"), 0),
        ("<domainsnapshot><name>i</name></domainsnapshot>", 0),
        (
            _SNAPSHOT.format(""),
            c.VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY | c.VIR_DOMAIN_SNAPSHOT_CREATE_QUIESCE,
        ),
    ],
    "domainSnapshotLookupByName": None,
    "domainCheckpointCreateXML": [("<domaincheckpoint><name>k</name></domaincheckpoint>", 0)],
    "domainCheckpointLookupByName": None,
    "domainBackupBegin": [
        (
            "<domainbackup><disks><disk name='vda' type='file'><target file='FOLDER/backup'/>"
            "<driver type='raw'/></disk></disks></domainbackup>",
            None,
            0,
        ),
        (
            "<domainbackup><disks><disk name='vda' type='file'><target file='FOLDER/backup'/>"
            "<driver type='raw'/></disk></disks></domainbackup>",
            "<domaincheckpoint><name>k</name></domaincheckpoint>",
            0,
        ),
        (
            "<domainbackup mode='pull'><server transport='unix' socket='FOLDER/nbd'/><disks>"
            "<disk name='vda' type='file'><scratch file='FOLDER/scratch'/></disk></disks></domainbackup>",
            None,
            0,
        ),
    ],
    "domainSetMetadata": None,
    "domainGetMetadata": None,
    "domainRename": None,
    "domainSetMemoryParameters": None,
    "domainSetBlkioParameters": None,
    "domainSetSchedulerParametersFlags": None,
    "domainSetNumaParameters": None,
    "domainSetInterfaceParameters": None,
    "domainGetInterfaceParameters": None,
    "domainSetLaunchSecurityState": None,
    "domainSetThrottleGroup": None,
    "domainDelThrottleGroup": None,
    "domainSetAutostart": None,
    "domainSetAutostartOnce": None,
}

#: Commands that come when all is done; that they fail takes nothing back.
FINISHING = ("cont", "system_reset", "guest-fsfreeze-thaw")
#: Files that operations make, and take back when they fail.
MADE = ("save", "dump", "memory", "s.qcow2", "copy", "backup", "scratch", "nbd")

FAULTS = ("die", "hang", "nonsense", "refuse", "wrong")


class FaultyQEMU(ScriptedQEMU):
    """
    A QEMU in memory that goes wrong at a command.

    @ivar countdown: at which command, from now on; None: it does not.
    @ivar struckAt: the command at which it did.
    @ivar fault: what happens: C{die}, C{hang}, C{nonsense}, C{refuse}, C{wrong} (an answer of another kind).
    """

    def __init__(self) -> None:
        super().__init__()
        self.countdown: int | None = None
        self.fault = ""
        self.struckAt = ""
        self.jobs: dict[str, str] = {}
        self.files: list[int] = []

    def sendFileDescriptor(self, fd: int) -> None:
        pass

    def write(self, data: bytes) -> None:
        for line in data.splitlines():
            if not self.struck(json.loads(line)):
                super().write(line)

    def struck(self, message: dict[str, Any]) -> bool:
        """Whether it goes wrong now."""
        if self.countdown is None:
            return False
        self.countdown -= 1
        if self.countdown:
            return False
        self.countdown = None
        self.said.append(message["execute"])
        self.struckAt = message["execute"]
        if self.fault == "die":
            self.protocol.connectionLost(Failure(ConnectionDone()))
        elif self.fault == "nonsense":
            self.protocol.dataReceived(b"\x00\xff]{{\r\n")
        elif self.fault == "refuse":
            error = {"class": "GenericError", "desc": "no"}
            self.tell({"error": error, "id": message["id"]})
        elif self.fault == "wrong":
            self.tell({"return": 17, "id": message["id"]})
        return True

    def do(self, name: str, arguments: dict[str, Any]) -> Any:
        if name == "query-status":
            return {"status": "running", "running": True, "singlestep": False}
        if name == "stop":
            self.event("STOP")
        elif name == "cont":
            self.event("RESUME")
        elif name == "migrate":
            self.event("MIGRATION", status="completed")
        elif name == "query-migrate":
            return {"status": "completed", "ram": {"total": 1, "transferred": 1, "remaining": 0}}
        elif name == "query-dump":
            return {"status": "completed", "completed": 1, "total": 1}
        elif name == "query-balloon":
            return {"actual": 64 << 20}
        elif name == "human-monitor-command":
            return ""
        elif name == "blockdev-create":
            self.jobs[arguments["job-id"]] = "concluded"
            self.event("JOB_STATUS_CHANGE", id=arguments["job-id"], status="concluded")
        elif name == "block-job-cancel":
            self.jobs[arguments["device"]] = "concluded"
            self.event("JOB_STATUS_CHANGE", id=arguments["device"], status="concluded")
        elif name == "query-iothreads":
            there = sorted(each for each in self.kept["objects"] if each.startswith("iothread"))
            return [
                {
                    "id": each,
                    "thread-id": os.getpid(),
                    "poll-max-ns": 0,
                    "poll-grow": 0,
                    "poll-shrink": 0,
                }
                for each in there
            ]
        elif name == "qom-list":
            return [{"name": "balloon0", "type": "child<virtio-balloon-pci>"}]
        elif name == "query-jobs":
            return [
                {"id": id, "status": status, "type": "create"} for id, status in self.jobs.items()
            ]
        elif name == "job-dismiss":
            self.jobs.pop(arguments["id"], None)
        elif name == "query-named-block-nodes":
            return [
                {
                    "node-name": each,
                    "image": {"virtual-size": 1 << 20, "filename": "x", "format": "raw"},
                }
                for each in ("libvirt-1-format", "libvirt-2-format")
            ]
        elif name == "query-vnc":
            return {"enabled": True}
        elif name == "query-hotpluggable-cpus":
            return [
                {
                    "type": "qemu64-x86_64-cpu",
                    "vcpus-count": 1,
                    "props": {"socket-id": number, "core-id": 0, "thread-id": 0},
                    **({"qom-path": "/machine/unattached/device[0]"} if not number else {}),
                }
                for number in range(4)
            ]
        elif name == "query-cpus-fast":
            there = [
                0,
                *sorted(int(each[4:]) for each in self.kept["devices"] if each[:4] == "vcpu"),
            ]
            return [
                {
                    "cpu-index": each,
                    "thread-id": os.getpid(),
                    "qom-path": f"/machine/peripheral/vcpu{each}",
                    "target": "x86_64",
                    "props": {"socket-id": each, "core-id": 0, "thread-id": 0},
                }
                for each in there
            ]
        elif name == "query-block":
            found = super().do(name, arguments)
            return [
                *found,
                {
                    "qdev": "/machine/peripheral/virtio-disk0/virtio-backend",
                    "device": "",
                    "inserted": {
                        "image": {"virtual-size": 1 << 20, "actual-size": 1, "filename": "x"}
                    },
                },
            ]
        elif name in ("screendump", "pmemsave", "memsave"):
            with open(arguments["filename"], "wb") as file:
                file.write(b"P6\n1 1\n255\n" + b"\0" * 16)
        return super().do(name, arguments)

    def event(self, name: str, **data: Any) -> None:
        """Something happens."""
        self.tell({"event": name, "data": data, "timestamp": {"seconds": 1, "microseconds": 0}})


class FaultyAgent:
    """The transport of a conversation with an agent in memory, which counts with the QEMU of its guest."""

    def __init__(self, qemu: FaultyQEMU) -> None:
        self.qemu = qemu
        self.protocol: Any = None

    def loseConnection(self) -> None:
        """It hangs up."""

    def write(self, data: bytes) -> None:
        message = json.loads(data.lstrip(b"\xff"))
        name = message["execute"]
        qemu = self.qemu
        if qemu.countdown is not None:
            qemu.countdown -= 1
            if not qemu.countdown:
                qemu.countdown = None
                qemu.said.append(name)
                qemu.struckAt = name
                if qemu.fault == "die":
                    self.protocol.connectionLost(Failure(ConnectionDone()))
                elif qemu.fault == "nonsense":
                    self.protocol.dataReceived(b"\x00]{{\n")
                elif qemu.fault == "refuse":
                    self.tell({"error": {"class": "GenericError", "desc": "no"}})
                elif qemu.fault == "wrong":
                    self.tell({"return": "17"})
                return
        qemu.said.append(name)
        if name == "guest-sync-delimited":
            self.tell({"return": message["arguments"]["id"]})
        elif name == "guest-get-vcpus":
            cpus = [{"logical-id": 0, "online": True, "can-offline": True}]
            self.tell({"return": cpus})
        elif name == "guest-get-time":
            self.tell({"return": 5000000000})
        elif name in ("guest-fsfreeze-freeze", "guest-fsfreeze-thaw", "guest-set-vcpus"):
            self.tell({"return": 1})
        elif name == "guest-get-osinfo":
            self.tell({"return": {"id": "x"}})
        elif name == "guest-get-timezone":
            self.tell({"return": {"offset": 0}})
        elif name == "guest-get-host-name":
            self.tell({"return": {"host-name": "x"}})
        elif name == "guest-ssh-get-authorized-keys":
            self.tell({"return": {"keys": ["a"]}})
        elif name.startswith(("guest-get-", "guest-network")):
            self.tell({"return": []})
        else:
            self.tell({"return": {}})

    def tell(self, message: dict[str, Any]) -> None:
        """Answer."""
        self.protocol.dataReceived(b"\xff" + json.dumps(message).encode() + b"\n")


class World(PluggedGuest):
    """A running guest, a connection to its hypervisor, and an agent."""

    qemuClass = FaultyQEMU

    def __init__(self, folder: str) -> None:
        # Folders are used again, for making and removing them is most of the work; files are not.
        os.makedirs(folder, exist_ok=True)
        for kept, _, files in os.walk(folder):
            for each in files:
                os.unlink(os.path.join(kept, each))
        self.folder = folder
        with open(f"{folder}/a.qcow2", "wb") as image:
            # A header that names no image below, and a size.
            image.write(b"QFI\xfb\0\0\0\3" + b"\0" * 16 + (1 << 20).to_bytes(8, "big"))
            image.truncate(1 << 16)
        with open(f"{folder}/b.raw", "wb") as image:
            image.truncate(1 << 16)
        super().__init__(folder, XML.replace("FOLDER", folder), (os.getuid(), os.getgid()))
        self.domain.persistent = True
        self.domain.state, self.domain.reason = c.VIR_DOMAIN_RUNNING, c.VIR_DOMAIN_RUNNING_BOOTED
        self.domain.pending = self.domain.definition
        self.guest.vcpuThreads = {0: os.getpid()}
        self.qemu.kept["objects"].add("iothread1")
        hypervisor: Any = self.hypervisor
        hypervisor.binaries = self
        self.connection = QEMUConnection("qemu:///system", hypervisor)
        os.makedirs(self.guest.folder, exist_ok=True)
        os.makedirs(self.guest.channels, exist_ok=True)
        self.guest.agent = AgentProtocol(self.clock, random=lambda: 5)
        agent = FaultyAgent(self.qemu)
        agent.protocol = self.guest.agent
        self.guest.agent.makeConnection(agent)  # type: ignore[arg-type]
        channels = self.domain.definition.devices.channels
        self.domain.definition = setChannelState(self.domain.definition, channels[0].alias, True)[0]

        def lost(error: VirtError | None) -> None:
            self.guest.broken = error is not None
            monitorLost(hypervisor, self.domain, self.guest, error)

        self.qemu.protocol._lost = lost

    async def of(self, binary: str) -> Any:
        """What the binary can do is known."""
        return self.guest.capabilities

    def call(self, family: Any, name: str, arguments: tuple[Any, ...]) -> list[Any]:
        """Begin an operation; the list gets its result or its failure."""
        component: Any = self.connection.component(family)
        filled = [
            each.replace("FOLDER", self.folder) if isinstance(each, str) else each
            for each in arguments
        ]
        filled = [
            [TypedParam(*(_at(word, self.folder) for word in item)) for item in each]
            if isinstance(each, list) and each and isinstance(each[0], TypedParam)
            else each
            for each in filled
        ]
        result: list[Any] = []

        async def work() -> Any:
            found = getattr(component, name)(self.domain.ref, *filled)
            return await found if inspect.isawaitable(found) else found

        Deferred.fromCoroutine(work()).addBoth(result.append)
        return result

    def wait(self, result: list[Any]) -> None:
        """Let time pass until it ends, or a quarter of an hour."""
        for _ in range(900):
            if result:
                return
            self.clock.advance(1.0)

    def end(self) -> list[Any]:
        """Have the guest destroyed by somebody else, if it is still there."""
        self.qemu.countdown = None
        result: list[Any] = []
        if self.domain.active:
            result = self.call(IDomainLifecycle, "domainDestroyFlags", (0,))
            self.wait(result)
        return result


def _at(value: Any, folder: str) -> Any:
    return value.replace("FOLDER", folder) if isinstance(value, str) else value


def operations() -> list[tuple[Any, str, tuple[Any, ...]]]:
    """Return what there is to be asked of a running guest: the contract, its method, and what it is called with."""
    found: list[tuple[Any, str, tuple[Any, ...]]] = []
    for family in FAMILIES:
        for name in sorted(family):
            method = family[name]
            if not hasattr(componentClass(family), name):
                continue
            if not isinstance(method, Method) or method.positional[:1] != ("dom",):
                continue
            if name in CALLS:
                found += [(family, name, each) for each in CALLS[name] or ()]
            else:
                # Without a line of its own it is called with no flags, and nothing else will do.
                assert set(method.positional) <= {"dom", "flags"}, f"{name} needs a line in CALLS"
                found.append((family, name, (0,) * (len(method.positional) - 1)))
    return found


class DuringTests(SynchronousTestCase):
    """Each operation, each of its commands, each fault."""

    def descriptors(self) -> int:
        return len(os.listdir("/proc/self/fd"))

    def check(self, family: Any, name: str, arguments: tuple[Any, ...], fault: str, at: int) -> str:
        """Have one thing go wrong; return what is wrong with how that ended, "" if nothing is."""
        opened = self.descriptors()
        world = World(self.folder)
        world.qemu.countdown, world.qemu.fault = at, fault
        world.qemu.said.clear()
        result = world.call(family, name, arguments)
        world.wait(result)
        if not result:
            # Nobody knows how long some things may take: they end with the guest.
            ended = world.end()
            if not result:
                return f"never ends: {world.qemu.said} {ended}"
        outcome = result[0]
        wrong: list[str] = []
        if isinstance(outcome, Failure):
            if not isinstance(outcome.value, VirtError):
                wrong.append(outcome.getTraceback()[-900:])
            elif not outcome.value.message:
                wrong.append("says nothing")
        wrong += ["logged: " + each.getTraceback()[-900:] for each in self.flushLoggedErrors()]
        domain = world.domain
        if fault == "die" and domain.active and not world.qemu.struckAt.startswith("guest-"):
            wrong.append("the guest is still there")
        if domain.jobs.holder is not None:
            wrong.append(f"held by {domain.jobs.holder}")
        if domain.jobs.long is not None and "Backup" not in name:
            wrong.append(f"long job {domain.jobs.long.what}")
        ended = world.end()
        if domain.active:
            wrong.append(f"cannot be destroyed: {ended}")
        elif domain.jobs.long is not None:
            wrong.append(f"long job {domain.jobs.long.what} of a guest that is gone")
        for _ in range(3):
            world.clock.advance(60)
        if world.clock.getDelayedCalls():
            wrong.append(f"timers: {[str(each) for each in world.clock.getDelayedCalls()]}")
        layout = world.hypervisor.layout
        gone = [world.guest.folder, world.guest.channels, layout.status("g")]
        failed = isinstance(outcome, Failure)
        if failed:
            # What could not go on after it was done has still been done.
            made = () if world.qemu.struckAt in FINISHING else MADE
            gone += [f"{self.folder}/{each}" for each in made] + [layout.managedSave("g")]
        wrong += [f"left {each}" for each in gone if os.path.exists(each)]
        if failed and (list(domain.snapshots) or list(domain.checkpoints)):
            wrong.append("left a moment")
        if failed and self.descriptors() > opened:
            gc.collect()
            if self.descriptors() > opened:
                wrong.append("left descriptors")
        return "; ".join(wrong)

    def test_everything(self) -> None:
        """Whatever happens, each call ends, says why, and leaves nothing."""
        self.folder = os.path.abspath(self.mktemp())
        problems = []
        silent = []
        for family, name, arguments in operations():
            world = World(self.folder)
            world.qemu.said.clear()
            result = world.call(family, name, arguments)
            world.wait(result)
            said = list(world.qemu.said)
            if name in CALLS and not said:
                silent.append(f"{name}{arguments}: {result}")
            if name in CALLS and isinstance(result[0], Failure):
                problems.append(
                    f"{name} {arguments} of a guest that is well: {result[0].getErrorMessage()} {said}"
                )
            world.end()
            for at in range(1, len(said) + 1):
                for fault in FAULTS:
                    wrong = self.check(family, name, arguments, fault, at)
                    if wrong:
                        problems.append(f"{name}{arguments} {fault} at {said[at - 1]}: {wrong}")
        self.assertEqual(silent, [])
        self.assertEqual(problems, [], "\n".join(problems))
