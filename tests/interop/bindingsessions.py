"""
A script of the stock Python binding that makes its own session up: any method of any object, with values that fit and
values that do not, on whatever earlier calls have returned.

It is given the seed; with the same answers it makes the same calls.  Events that the calls cause are delivered behind
each call.
"""

from __future__ import annotations

from tests.interop.test_binding import PROLOGUE

__all__ = ["SCRIPT"]

SCRIPT = (
    PROLOGUE
    + r"""
import os, random

rng = random.Random(int(sys.argv[2]))
LENGTH = int(sys.argv[3])

# Waits, needs an event loop or another connection, tells the time, or is the binding's own plumbing; what the test driver
# of libvirt lacks is in SUPERSETS.
LEFT_OUT = set('''
    c_pointer connect get_connect getConnect close
    UUID
    getTime setTime nodeGetCPUStats getCPUStats getMemoryStats getFreeMemory cpuStats info vcpus getCellsFreeMemory
    getFreePages getCPUMap blockStats blockStatsFlags interfaceStats openConsole openChannel openGraphics
    openGraphicsFD authorizedSSHKeysGet nodeSuspendForDuration free setKeepAlive allocPages
    FDAssociate upload download
    nodeDeviceCreateXML nodeDeviceDefineXML domainListGetStats getAllDomainStats memoryStats
    listAllDevices blockIoTune
'''.split())
LEFT_WORDS = ("vent", "allback", "ecret", "WFilter", "nwfilter", "Stream", "stream")

FILES = {}
for name in os.listdir("."):
    if name.endswith(".xml"):
        with open(name) as file:
            FILES[name] = file.read()
XMLS = [*FILES.values(), "", "<x/>", GUEST % ("web2", UUID % 2), "<volume><name>v</name><capacity>5000</capacity></volume>"]
WORDS = ["test", "web1", "small", "tray", "v", "default", "lab", "default-pool", "images", "eth1", "eth7", "computer",
         "scsi_host1", "first", "one", "disk1.img", "/default-pool/disk1.img", "vda", "vnet0", "nonsense", "", "x/y",
         "aa:bb:cc:dd:ee:ff", UUID % 1, UUID % 2, "6695eb01-f6a4-8304-79aa-97f2502e193f", "urn:a"]
NUMBERS = [0, 0, 0, 1, 1, 2, 3, 4, 5, 8, 16, 64, 1000, 65536, -1, 2**31 - 1, 2**32 - 1, 2**63 - 1]
FLAGS = [0, 0, 0, 0, 1, 2, 3, 4, 8, 16, 32, 64, 128, 256, 1024, 2**30, -1]

pool = {}

def keep(value, depth=0):
    if isinstance(value, (list, tuple)) and depth < 2:
        for each in sorted(value, key=seen)[:3] if isinstance(value, list) else value:
            keep(each, depth + 1)
    elif isinstance(value, (*OBJECTS, libvirt.virConnect)):
        known = pool.setdefault(type(value).__name__, [])
        known.append(value)
        if len(known) > 6:
            known.pop(rng.randrange(len(known)))

def argument(parameter, method):
    name, kind = parameter.name, str(parameter.annotation)
    if parameter.default is not inspect.Parameter.empty and rng.random() < 0.5:
        return parameter.default
    if name == "flags":
        return rng.choice(FLAGS)
    if "xml" in name.lower() or (name == "path" and "efine" in method):
        return rng.choice(XMLS)
    for cls in OBJECTS:
        if cls.__name__ in kind and pool.get(cls.__name__):
            return rng.choice(pool[cls.__name__])
    if "List" in kind and "Domain" in kind:
        return list(pool.get("virDomain", []))[:2]
    if "str" in kind:
        return rng.choice(WORDS)
    if "int" in kind:
        return rng.choice(NUMBERS)
    if "bool" in kind:
        return rng.choice([True, False])
    if "Dict" in kind:
        return rng.choice([{}, {}, {"weight": 5}, {"cpu_shares": 10}, {"hard_limit": 100000}, {"nonsense": 1},
                           {"total_bytes_sec": 1000}, {"inbound.average": 5}, {"numa_nodeset": "0"}, {"cmt": True},
                           {"poll_max_ns": 5}])
    if "List" in kind or "Tuple" in kind:
        return rng.choice([[], [1], [True, False], (True,), ["/x"]])
    return None

METHODS = {}
for cls in (libvirt.virConnect, *OBJECTS):
    METHODS[cls.__name__] = [
        name
        for name, function in sorted(vars(cls).items())
        if inspect.isfunction(function) and not name.startswith(("_", "register", "unregister"))
        and name not in LEFT_OUT | SUPERSETS and not any(word in name for word in LEFT_WORDS)
    ]

libvirt.virEventRegisterDefaultImpl()
connection = libvirt.open(URI)
keep(connection)
def lifecycle(connection, domain, event, detail, opaque):
    print("    event", domain.name(), domain.UUIDString(), event, detail)
def named(kind):
    return lambda connection, source, *rest: print("   ", kind, source.name(), rest[:-1])
connection.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, lifecycle, None)
for number in (1, 5, 10, 13, 17, 19, 22):
    connection.domainEventRegisterAny(None, number, named("domain event %d" % number), None)
connection.networkEventRegisterAny(None, 0, named("network event"), None)
connection.storagePoolEventRegisterAny(None, 0, named("pool event"), None)
connection.storagePoolEventRegisterAny(None, 1, named("pool refreshed"), None)
def drain():
    # The answer to a call comes behind the events that earlier calls caused.
    connection.getLibVersion()
    done = []
    libvirt.virEventAddTimeout(0, lambda timer, opaque: done.append(timer), None)
    while not done:
        libvirt.virEventRunDefaultImpl()
    libvirt.virEventRemoveTimeout(done[0])
for function, name in ((connection.defineXML, "guest.xml"), (connection.defineXML, "minimal.xml"),
                       (connection.defineXML, "tray.xml"), (connection.networkDefineXML, "network.xml"),
                       (connection.interfaceDefineXML, "interface.xml"), (connection.storagePoolDefineXML, "pool.xml")):
    keep(function(FILES[name], *[0] * (function.__name__ in ("interfaceDefineXML", "storagePoolDefineXML"))))
keep(connection.lookupByName("test").snapshotCreateXML(FILES["snapshot.xml"], 0))
keep(connection.storagePoolLookupByName("default-pool").createXML(FILES["volume.xml"], 0))
keep([connection.lookupByName("test"), connection.networkLookupByName("default"),
      connection.storagePoolLookupByName("default-pool"), connection.interfaceLookupByName("eth1"),
      connection.nodeDeviceLookupByName("computer")])
for turn in range(LENGTH):
    cls = rng.choice([each for each in sorted(pool) for _ in range(3 if each == "virDomain" else 1)])
    target = rng.choice(pool[cls])
    name = rng.choice(METHODS[cls])
    function = getattr(target, name)
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        continue
    arguments = [argument(each, name) for each in parameters]
    label = "%d %s.%s(%s)" % (turn, seen(target), name, ", ".join(seen(each)[:60] for each in arguments))
    result = []
    attempt(label, lambda: result.append(function(*arguments)) or result[0])
    for each in result:
        keep(each)
    drain()
"""
)
