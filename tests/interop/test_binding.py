"""
The stock Python binding on our daemon and on libvirtd: the same script, the same results, errors and events.

Scripts run in the interpreter that has the binding, one process per side, and print what they see.
"""

from __future__ import annotations

from tests.interop.supersets import METHODS
from tests.interop.support import ComparisonCase

#: What every script starts with.
PROLOGUE = (
    f"SUPERSETS = {set(METHODS)!r}\n"
    + r"""
import inspect, libvirt, sys, time

libvirt.registerErrorHandler(lambda context, error: None, None)
URI = sys.argv[1]

GUEST = '''
<domain type='test'>
  <name>%s</name>
  <uuid>%s</uuid>
  <memory>65536</memory>
  <vcpu current='1'>2</vcpu>
  <os><type>hvm</type></os>
  <devices>
    <disk type='file' device='disk'><source file='/images/one'/><target dev='vda' bus='virtio'/></disk>
    <interface type='network'><mac address='02:00:00:00:00:07'/><source network='default'/><target dev='vnet3'/></interface>
  </devices>
</domain>'''
UUID = "00112233-4455-6677-8899-aabbccddee%02x"
OBJECTS = (
    libvirt.virDomain, libvirt.virNetwork, libvirt.virStoragePool, libvirt.virStorageVol, libvirt.virInterface,
    libvirt.virNodeDevice, libvirt.virSecret, libvirt.virNWFilter, libvirt.virDomainSnapshot,
    libvirt.virDomainCheckpoint, libvirt.virNWFilterBinding, libvirt.virNetworkPort,
)

def seen(value):
    if isinstance(value, libvirt.virStorageVol):
        return "<volume %s %s>" % (value.name(), value.key())
    if isinstance(value, libvirt.virDomain):
        return "<domain %s %s %d>" % (value.name(), value.UUIDString(), value.ID())
    if isinstance(value, OBJECTS):
        name = getattr(value, "name", None) or value.getName
        return "<%s %s>" % (type(value).__name__, name())
    if isinstance(value, libvirt.virStream):
        return "<stream>"
    if isinstance(value, libvirt.virConnect):
        return "<connection>"
    if isinstance(value, list) and all(isinstance(each, (str, int, *OBJECTS)) for each in value):
        return "list(" + ", ".join(sorted(map(seen, value))) + ")"  # no order is promised
    if isinstance(value, (list, tuple)):
        return type(value).__name__ + "(" + ", ".join(map(seen, value)) + ")"
    if isinstance(value, dict):
        return "{" + ", ".join("%r: %s" % (key, seen(value[key])) for key in sorted(value, key=str)) + "}"
    return repr(value)

def attempt(label, function, *arguments, **named):
    if function is None or getattr(function, "__name__", "") in SUPERSETS:
        return
    try:
        print(label, seen(function(*arguments, **named)))
    except libvirt.libvirtError as error:
        print(label, "error", error.err)
    except Exception as error:
        print(label, type(error).__name__, error)
    sys.stdout.flush()
"""
)

#: Every method of a class, called with plain arguments, each on a connection and a state of its own.
EVERY_METHOD = r"""
PLAIN = {"flags": 0, "name": "test", "xml": "<x/>", "xmlDesc": "<x/>", "uuidstr": UUID % 1, "id": 1}

# What waits, blocks, needs an event loop or another connection, tells the time, or is the object's own plumbing.
LEFT_OUT = {
    "c_pointer", "connect", "get_connect", "close", "migrate", "migrate2", "migrate3", "migrateToURI",
    "migrateToURI2", "migrateToURI3", "getTime", "nodeGetCPUStats", "getCPUStats", "getMemoryStats", "getFreeMemory",
    "cpuStats", "info", "vcpus", "getCellsFreeMemory", "getFreePages", "getCPUMap", "blockStats", "blockStatsFlags",
    "interfaceStats", "openConsole", "openChannel", "openGraphics", "openGraphicsFD", "authorizedSSHKeysGet",
    "getConnect", "nodeSuspendForDuration", "free",
}

def plainArguments(function):
    given = []
    for parameter in list(inspect.signature(function).parameters.values()):
        if parameter.default is not inspect.Parameter.empty or parameter.kind not in (
            inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD
        ):
            continue
        given.append(parameter)
    return given

def values(parameter, text):
    name, kind = parameter.name, str(parameter.annotation)
    if name in PLAIN:
        return PLAIN[name]
    if "str" in kind:
        return text
    if "int" in kind:
        return 1
    if "bool" in kind:
        return True
    if "Dict" in kind:
        return {}
    if "List" in kind or "Tuple" in kind:
        return []
    return None

def newHost():
    # A daemon clears a client away some time after it is gone, and test:///default with the last of them: what this
    # defines tells a host that an earlier client has left from one that is new.
    while True:
        connection = libvirt.open(URI)
        if "used" not in connection.listDefinedInterfaces():
            connection.interfaceDefineXML("<interface type='ethernet' name='used'/>")
            return connection
        connection.close()

def everyMethod(cls, get):
    for name in sorted(vars(cls)):
        function = vars(cls)[name]
        if name.startswith("_") or name in LEFT_OUT | SUPERSETS or not inspect.isfunction(function) or "vent" in name:
            continue
        if name.startswith(("register", "unregister", "setKeepAlive")) or "Callback" in name:
            continue
        parameters = plainArguments(function)[1:]
        for text in ("test", "") if parameters else ("",):
            connection = newHost()
            try:
                target = get(connection)
                attempt(
                    "%s.%s %r" % (cls.__name__, name, text),
                    getattr(target, name),
                    *[values(each, text) for each in parameters]
                )
                target = None
            finally:
                connection = None
"""

TARGETS = {
    "virConnect": "lambda connection: connection",
    "virDomain": 'lambda connection: connection.lookupByName("test")',
    "virNetwork": 'lambda connection: connection.networkLookupByName("default")',
    "virStoragePool": 'lambda connection: connection.storagePoolLookupByName("default-pool")',
    "virStorageVol": (
        'lambda connection: connection.storagePoolLookupByName("default-pool").createXML('
        '"<volume><name>v</name><capacity>1000</capacity></volume>")'
    ),
    "virInterface": 'lambda connection: connection.interfaceLookupByName("eth1")',
    "virNodeDevice": 'lambda connection: connection.nodeDeviceLookupByName("scsi_host1")',
    "virDomainSnapshot": (
        'lambda connection: connection.lookupByName("test").snapshotCreateXML('
        '"<domainsnapshot><name>s</name></domainsnapshot>")'
    ),
    "virDomainCheckpoint": (
        'lambda connection: connection.lookupByName("test").checkpointCreateXML('
        '"<domaincheckpoint><name>c</name></domaincheckpoint>")'
    ),
}

LIFECYCLE = r"""
connection = libvirt.open(URI)
domain = connection.defineXML(GUEST % ("web1", UUID % 1))
print(seen(domain))
for name, arguments in [
    ("isActive", ()), ("isPersistent", ()), ("isUpdated", ()), ("create", ()), ("create", ()), ("ID", ()),
    ("state", ()), ("suspend", ()), ("state", ()), ("suspend", ()), ("resume", ()), ("state", ()), ("resume", ()),
    ("autostart", ()), ("setAutostart", (1,)), ("autostart", ()), ("setAutostart", (7,)),
    ("maxMemory", ()), ("setMaxMemory", (1000,)), ("setMemory", (32768,)), ("setMemory", (99999999,)),
    ("setMemoryFlags", (1024, 2)), ("setMemoryFlags", (1024, 64)), ("maxVcpus", ()), ("setVcpus", (2,)),
    ("setVcpus", (0,)), ("setVcpus", (9,)), ("setVcpusFlags", (1, 2)), ("vcpusFlags", (2,)), ("vcpusFlags", (1,)),
    ("vcpusFlags", (6,)), ("vcpuPinInfo", ()), ("pinVcpu", (0, (True, False))), ("vcpuPinInfo", ()),
    ("emulatorPinInfo", ()), ("schedulerType", ()), ("schedulerParameters", ()),
    ("setSchedulerParameters", ({"weight": 77},)), ("schedulerParameters", ()),
    ("setSchedulerParameters", ({"nonsense": 77},)), ("setSchedulerParameters", ({},)),
    ("memoryParameters", ()), ("setMemoryParameters", ({"hard_limit": 100000},)), ("memoryParameters", ()),
    ("blkioParameters", ()), ("numaParameters", ()), ("interfaceParameters", ("vnet3",)),
    ("interfaceParameters", ("nonsense",)), ("blockIoTune", ("vda",)), ("blockIoTune", ("nonsense",)),
    ("setBlockIoTune", ("vda", {"total_bytes_sec": 5000})), ("blockIoTune", ("vda",)), ("blockInfo", ("vda",)),
    ("blockInfo", ("nonsense",)), ("metadata", (0, None)), ("setMetadata", (0, "words", None, None)),
    ("metadata", (0, None)), ("setMetadata", (1, "a title", None, None)), ("metadata", (1, None)),
    ("setMetadata", (1, "two\nlines", None, None)), ("setMetadata", (2, "<x/>", "k", "urn:a")),
    ("metadata", (2, "urn:a")), ("metadata", (2, "urn:b")), ("metadata", (7, None)), ("hasManagedSaveImage", ()),
    ("managedSave", ()), ("hasManagedSaveImage", ()), ("isActive", ()), ("create", ()), ("state", ()),
    ("hasManagedSaveImage", ()), ("shutdown", ()), ("state", ()), ("shutdown", ()), ("reboot", ()), ("reset", ()),
    ("createWithFlags", (1,)), ("state", ()), ("createWithFlags", (4096,)), ("destroyFlags", (1,)), ("destroy", ()),
    ("ID", ()), ("rename", ("web2",)), ("rename", ("test",)), ("rename", ("",)), ("rename", ("a/b",)), ("name", ()),
    ("XMLDesc", ()), ("XMLDesc", (2,)), ("XMLDesc", (1024,)), ("OSType", ()), ("hostname", ()),
    ("snapshotNum", ()), ("snapshotListNames", ()), ("hasCurrentSnapshot", ()), ("snapshotCurrent", ()),
    ("snapshotLookupByName", ("nonsense",)), ("listAllSnapshots", ()), ("listAllCheckpoints", ()),
    ("addIOThread", (3, 2)), ("ioThreadInfo", (2,)), ("delIOThread", (3, 2)), ("delIOThread", (3, 2)),
    ("setUserPassword", ("root", "secret")), ("fsFreeze", ()), ("fsThaw", ()), ("fsInfo", ()), ("guestVcpus", ()),
    ("interfaceAddresses", (0,)), ("securityLabel", ()), ("controlInfo", ()), ("diskErrors", ()), ("jobInfo", ()),
    ("undefineFlags", (64,)), ("undefine", ()), ("undefine", ()), ("isActive", ()), ("XMLDesc", ()), ("create", ()),
]:
    attempt("%s%r" % (name, arguments), getattr(domain, name), *arguments)
"""

LOOKUPS = r"""
connection = libvirt.open(URI)
for name, arguments in [
    ("lookupByName", ("test",)), ("lookupByName", ("",)), ("lookupByName", ("nonsense",)), ("lookupByID", (1,)),
    ("lookupByID", (2,)), ("lookupByID", (-1,)), ("lookupByID", (2**31 - 1,)), ("lookupByUUIDString", (UUID % 9,)),
    ("lookupByUUIDString", ("nonsense",)), ("lookupByUUID", (b"\0" * 16,)),
    ("lookupByUUIDString", ("6695eb01-f6a4-8304-79aa-97f2502e193f",)),
    ("networkLookupByName", ("default",)), ("networkLookupByName", ("x" * 300,)),
    ("storagePoolLookupByName", ("default-pool",)), ("storagePoolLookupByName", ("nonsense",)),
    ("storagePoolLookupByTargetPath", ("/default-pool",)), ("storagePoolLookupByTargetPath", ("/nonsense",)),
    ("storageVolLookupByKey", ("nonsense",)), ("storageVolLookupByPath", ("/nonsense",)),
    ("interfaceLookupByName", ("eth1",)), ("interfaceLookupByName", ("nonsense",)),
    ("interfaceLookupByMACString", ("aa:bb:cc:dd:ee:ff",)), ("interfaceLookupByMACString", ("nonsense",)),
    ("nodeDeviceLookupByName", ("computer",)), ("nodeDeviceLookupByName", ("nonsense",)),
    ("nodeDeviceLookupSCSIHostByWWN", ("2000000012341234", "1000000012341234")),
    ("secretLookupByUUIDString", (UUID % 9,)), ("nwfilterLookupByName", ("nonsense",)),
    ("listDomainsID", ()), ("listDefinedDomains", ()), ("numOfDomains", ()), ("numOfDefinedDomains", ()),
    ("listNetworks", ()), ("listDefinedNetworks", ()), ("listStoragePools", ()), ("listInterfaces", ()),
    ("listDefinedInterfaces", ()), ("listDevices", (None,)), ("listDevices", ("scsi_host",)), ("listSecrets", ()),
    ("listNWFilters", ()), ("numOfNetworks", ()), ("numOfDevices", (None,)),
    *[("listAllDomains", (1 << bit,)) for bit in range(16)],
    *[("listAllNetworks", (1 << bit,)) for bit in range(8)],
    *[("listAllStoragePools", (1 << bit,)) for bit in range(20)],
    *[("listAllInterfaces", (1 << bit,)) for bit in range(3)],
    *[("listAllDevices", (1 << bit,)) for bit in range(22)],
    *[("getAllDomainStats", (1 << bit,)) for bit in range(12) if bit != 1],
    *[("getAllDomainStats", (0, 1 << bit)) for bit in range(8)],
    ("getMaxVcpus", (None,)), ("getMaxVcpus", ("test",)), ("getMaxVcpus", ("",)), ("getType", ()), ("getVersion", ()),
    ("getLibVersion", ()), ("getHostname", ()), ("getURI", ()), ("isAlive", ()), ("isEncrypted", ()),
    ("isSecure", ()), ("getInfo", ()), ("getSysinfo", ()), ("getCapabilities", ()), ("getDomainCapabilities", ()),
    ("getCPUModelNames", ("x86_64",)), ("compareCPU", ("<cpu/>",)), ("baselineCPU", ([],)),
    ("baselineCPU", (["<cpu><arch>x86_64</arch><model>core2duo</model></cpu>"],)),
    ("findStoragePoolSources", ("dir", None)), ("domainXMLToNative", ("x", "<x/>")), ("restore", ("/nonsense",)),
    ("saveImageGetXMLDesc", ("/nonsense",)), ("changeBegin", ()), ("changeBegin", ()), ("changeRollback", ()),
    ("changeCommit", ()), ("newStream", ()), ("getMemoryParameters", ()), ("interfaceDefineXML", ("<interface/>",)),
    ("createXML", ("",)), ("createXML", ("<domain/>",)), ("createXML", ("<domain type='test'/>",)),
    ("createXML", ("<domain type='test'><name>x</name></domain>",)), ("defineXML", ("nonsense",)),
    ("defineXMLFlags", (GUEST % ("a", UUID % 2), 64)), ("createXML", (GUEST % ("a", UUID % 2), 1 << 9)),
    ("defineXML", (GUEST % ("test", UUID % 3),)),
    ("defineXML", (GUEST % ("other", "6695eb01-f6a4-8304-79aa-97f2502e193f"),)),
]:
    attempt("%s%r" % (name, arguments), getattr(connection, name), *arguments)
"""

EVENTS = r"""
libvirt.virEventRegisterDefaultImpl()
connection = libvirt.open(URI)
happened = []

def recorder(kind):
    def callback(connection, subject, *details):
        happened.append("%s %s %s" % (kind, subject.name() if subject else None, seen(details[:-1])))
    return callback

for number in range(26):
    attempt("register %d" % number, connection.domainEventRegisterAny, None, number, recorder("domain %d" % number), 0)
for number in range(3):
    attempt("network %d" % number, connection.networkEventRegisterAny, None, number, recorder("network"), 0)
    attempt("pool %d" % number, connection.storagePoolEventRegisterAny, None, number, recorder("pool"), 0)
    attempt("device %d" % number, connection.nodeDeviceEventRegisterAny, None, number, recorder("device"), 0)
    attempt("secret %d" % number, connection.secretEventRegisterAny, None, number, recorder("secret"), 0)

def settle():
    # A call that answers comes behind the events of the calls before it.
    connection.getLibVersion()
    still = 0
    timer = libvirt.virEventAddTimeout(20, lambda *_: None, None)
    while still < 3:
        before = len(happened)
        libvirt.virEventRunDefaultImpl()
        still = still + 1 if len(happened) == before else 0
    libvirt.virEventRemoveTimeout(timer)
    for line in happened:
        print("   ", line)
    happened.clear()

def step(label, function, *arguments):
    attempt(label, function, *arguments)
    settle()

settle()
step("define", connection.defineXML, GUEST % ("web1", UUID % 1))
domain = connection.lookupByName("web1")
step("define again", connection.defineXML, GUEST % ("web1", UUID % 1))
for name, arguments in [
    ("create", ()), ("suspend", ()), ("resume", ()), ("setMemory", (1000,)), ("reboot", ()), ("reset", ()),
    ("setMetadata", (1, "title", None, None)), ("setMetadata", (2, "<x/>", "k", "urn:a")), ("setVcpus", (2,)),
    ("managedSave", ()), ("create", ()), ("shutdown", ()), ("createWithFlags", (1,)), ("destroy", ()),
    ("rename", ("web2",)), ("setAutostart", (1,)), ("addIOThread", (1, 2)), ("attachDevice", ("<disk/>",)),
    ("snapshotCreateXML", ("<domainsnapshot><name>s</name></domainsnapshot>",)), ("undefine", ()), ("undefineFlags", (2,)),
]:
    step("%s%r" % (name, arguments), getattr(domain, name), *arguments)
step("create", connection.createXML, GUEST % ("web3", UUID % 3))
step("create paused", connection.createXML, GUEST % ("web4", UUID % 4), 1)
step("destroy", connection.lookupByName("web3").destroy)
network = connection.networkLookupByName("default")
for name in ("destroy", "create", "destroy", "undefine"):
    step("network " + name, getattr(network, name))
step("network define", connection.networkDefineXML, "<network><name>lab</name></network>")
step("network create", connection.networkCreateXML, "<network><name>lab2</name></network>")
pool = connection.storagePoolLookupByName("default-pool")
for name in ("refresh", "destroy", "create", "destroy", "build", "delete", "undefine"):
    step("pool " + name, getattr(pool, name))
step("pool define", connection.storagePoolDefineXML, "<pool type='dir'><name>p</name><target><path>/p</path></target></pool>")
step("device destroy", connection.nodeDeviceLookupByName("scsi_host1").destroy)
step("save", connection.lookupByName("test").save, "saved")
step("restore", connection.restore, "saved")
for number in range(12):
    attempt("deregister %d" % number, connection.domainEventDeregisterAny, number)
step("after", connection.lookupByName("test").suspend)
"""

READ_ONLY = r"""
for path in (URI, URI + "-ro"):
    connection = libvirt.openReadOnly(path)
    domain = connection.lookupByName("test")
    for name, arguments in [
        ("XMLDesc", ()), ("XMLDesc", (1,)), ("suspend", ()), ("destroy", ()), ("undefine", ()), ("setMemory", (5,)),
        ("state", ()), ("setMetadata", (1, "x", None, None)), ("snapshotNum", ()), ("interfaceAddresses", (0,)),
        ("interfaceAddresses", (1,)), ("hostname", ()), ("fsInfo", ()), ("setAutostart", (1,)),
    ]:
        attempt("%s%r" % (name, arguments), getattr(domain, name), *arguments)
    attempt("define", connection.defineXML, GUEST % ("web1", UUID % 1))
    attempt("create", connection.createXML, GUEST % ("web1", UUID % 1))
    attempt("network", connection.networkLookupByName("default").destroy)
    attempt("listAllDomains", connection.listAllDomains)
    connection = domain = None
"""

STREAMS = r"""
connection = libvirt.open(URI)
domain = connection.lookupByName("test")
for screen in (0, 1, 99):
    stream = connection.newStream()
    attempt("screenshot %d" % screen, domain.screenshot, stream, screen)
    try:
        received = bytearray()
        stream.recvAll(lambda stream, data, into: into.extend(data), received)
        print(len(received), bytes(received[:8]), sum(received))
        stream.finish()
    except libvirt.libvirtError as error:
        print(error.err)
stream = connection.newStream()
attempt("screenshot", domain.screenshot, stream, 0)
attempt("recv", lambda: len(stream.recv(100)))
attempt("abort", stream.abort)
attempt("recv", stream.recv, 100)
pool = connection.storagePoolLookupByName("default-pool")
volume = pool.createXML("<volume><name>v</name><capacity>100000</capacity></volume>")
for name in ("upload", "download"):
    stream = connection.newStream()
    attempt(name, getattr(volume, name), stream, 0, 0, 0)
attempt("console", domain.openConsole, None, connection.newStream(), 0)
attempt("channel", domain.openChannel, None, connection.newStream(), 0)
attempt("send", connection.newStream().send, b"x")
"""

HOST_FILE = r"""
import os
path = URI.replace("/default", os.path.abspath("host.xml"))
connection = libvirt.open(path)
print(connection.getURI(), seen(sorted(d.name() for d in connection.listAllDomains())), connection.getInfo())
for each in sorted(connection.listAllDomains(), key=lambda d: d.name()):
    print(each.XMLDesc())
for each in connection.listAllNetworks() + connection.listAllStoragePools():
    print(each.XMLDesc())
other = libvirt.open(path)
connection.lookupByName("alpha").destroy()
print(other.lookupByName("alpha").isActive(), connection.lookupByName("alpha").isActive())
for wrong in ("/nonsense.xml", os.path.abspath("guest.xml"), os.path.abspath("broken.xml"), "", "/"):
    attempt("open", libvirt.open, URI.replace("/default", wrong))
attempt("open", libvirt.open, URI.replace("test+", "nonsense+"))
attempt("open", libvirt.open, URI.replace("test+", "qemu+").replace("/default", "/system"))
attempt("open", libvirt.open, URI + "-missing")
"""


class BindingTests(ComparisonCase):
    """The same scripts on both sides."""

    def script(self, text: str, least: int) -> None:
        """
        Compare a script that ends well.

        @param least: how many lines it prints at least, so that a script which broke early is noticed.
        """
        outcome = self.compareScript(PROLOGUE + text)
        self.assertEqual((outcome.status, outcome.stderr), (0, ""))
        self.assertGreaterEqual(outcome.stdout.count("\n") + 1, least)

    def everyMethod(self, name: str, least: int) -> None:
        """Compare all methods of a class of the binding."""
        self.script(EVERY_METHOD + f"everyMethod(libvirt.{name}, {TARGETS[name]})\n", least)

    def test_lookups(self) -> None:
        """Lookups, lists by every single flag, host calls and refused definitions."""
        self.script(LOOKUPS, 150)

    def test_lifecycle(self) -> None:
        """A hundred calls in the life of one domain, most of them twice too often."""
        self.script(LIFECYCLE, 100)

    def test_events(self) -> None:
        """Every event that changes cause, in order, behind the call that caused it."""
        self.script(EVENTS, 100)

    def test_readOnly(self) -> None:
        """What C{openReadOnly} may do."""
        self.script(READ_ONLY, 30)

    def test_streams(self) -> None:
        """Screenshots to the byte; streams given up; streams refused."""
        self.script(STREAMS, 12)

    def test_hostFile(self) -> None:
        """C{test:///path.xml}: the host described by a file, private to each connection; and what cannot be opened."""
        self.script(HOST_FILE, 20)

    def test_everyMethodOfConnections(self) -> None:
        """Each method with plain arguments."""
        self.everyMethod("virConnect", 100)

    def test_everyMethodOfDomains(self) -> None:
        """Each method with plain arguments."""
        self.everyMethod("virDomain", 150)

    def test_everyMethodOfNetworks(self) -> None:
        """Each method with plain arguments."""
        self.everyMethod("virNetwork", 20)

    def test_everyMethodOfPools(self) -> None:
        """Each method with plain arguments."""
        self.everyMethod("virStoragePool", 20)

    def test_everyMethodOfVolumes(self) -> None:
        """Each method with plain arguments."""
        self.everyMethod("virStorageVol", 8)

    def test_everyMethodOfInterfaces(self) -> None:
        """Each method with plain arguments."""
        self.everyMethod("virInterface", 5)

    def test_everyMethodOfNodeDevices(self) -> None:
        """Each method with plain arguments."""
        self.everyMethod("virNodeDevice", 10)

    def test_everyMethodOfSnapshots(self) -> None:
        """Each method with plain arguments."""
        self.everyMethod("virDomainSnapshot", 10)
