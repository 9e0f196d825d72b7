"""
Scripts of the kind that people write for the stock Python binding, separated by lines of C{####}.

Each begins with C{libvirt} imported and C{URI}; what it prints is compared, so nothing that depends on time or
on the order of hash tables may be in it.
"""

SCRIPTS = r"""
conn = libvirt.open(URI)
print(conn.getType(), conn.getHostname() != "", conn.isAlive(), conn.isSecure(), conn.isEncrypted())
print(conn.getLibVersion() > 0, conn.getURI().startswith("test+unix"))
for dom in conn.listAllDomains():
    print(dom.name(), dom.ID(), dom.UUIDString(), dom.info()[:4], dom.OSType(), bool(dom.isActive()))
conn.close()
####
conn = libvirt.open(URI)
try:
    conn.lookupByName("missing")
except libvirt.libvirtError as error:
    print(error, repr(error), error.err, error.args)
    print(error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN, error.get_error_domain(), error.get_error_level())
    print(error.get_error_message(), error.get_str1(), error.get_str2(), error.get_str3(), error.get_int1(), error.get_int2())
print(libvirt.virGetLastErrorMessage(), libvirt.virGetLastErrorCode(), libvirt.virGetLastErrorDomain())
libvirt.virResetLastError()
print(libvirt.virGetLastError(), libvirt.virGetLastErrorMessage(), conn.virConnGetLastError())
####
seen = []
libvirt.registerErrorHandler(lambda context, error: seen.append((context, type(error).__name__, error[0], error[2])), "mine")
conn = libvirt.open(URI)
for name in ("a", "b"):
    try:
        conn.networkLookupByName(name)
    except libvirt.libvirtError as error:
        print("caught", error)
print(seen)
libvirt.registerErrorHandler(None, None)
try:
    conn.storagePoolLookupByName("c")
except libvirt.libvirtError as error:
    print("caught", error)
####
import threading
conn = libvirt.open(URI)
found = []
def work(number):
    own = libvirt.open(URI)
    for _ in range(20):
        found.append((number, own.lookupByName("test").name(), conn.numOfDomains()))
    own.close()
threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
for each in threads: each.start()
for each in threads: each.join()
print(len(found), sorted(set(found)))
####
import threading
conn = libvirt.open(URI)
def fails():
    try:
        conn.lookupByName("in a thread")
    except libvirt.libvirtError:
        print("thread", libvirt.virGetLastErrorCode())
libvirt.virResetLastError()
thread = threading.Thread(target=fails)
thread.start(); thread.join()
print("main", libvirt.virGetLastErrorCode())
####
import threading
stop, happened, ready = threading.Event(), [], threading.Event()
def run():
    while not stop.is_set():
        libvirt.virEventRunDefaultImpl()
thread = threading.Thread(target=run, daemon=True)
thread.start()
conn = libvirt.open(URI)
def lifecycle(conn, dom, event, detail, opaque):
    happened.append((dom.name(), event, detail, opaque, threading.current_thread() is thread))
    if event == libvirt.VIR_DOMAIN_EVENT_UNDEFINED:
        ready.set()
number = conn.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, lifecycle, "opaque")
print(number)
dom = conn.lookupByName("test")
dom.suspend(); dom.resume(); dom.destroy(); dom.create(); dom.destroy(); dom.undefine()
print(ready.wait(20))
conn.domainEventDeregisterAny(number)
stop.set()
libvirt.virEventAddTimeout(0, lambda timer, opaque: libvirt.virEventRemoveTimeout(timer), None)
thread.join(10)
for each in happened: print(each)
####
conn = libvirt.open(URI)
names = []
conn.domainEventRegister(lambda conn, dom, event, detail, opaque: names.append((dom.name(), event, detail, opaque)), 5)
conn.networkEventRegisterAny(None, 0, lambda conn, net, event, detail, opaque: names.append((net.name(), event, detail)), None)
conn.lookupByName("test").destroy()
conn.networkLookupByName("default").destroy()
while len(names) < 2:
    libvirt.virEventRunDefaultImpl()
print(sorted(names, key=str))
print(conn.close())
####
conn = libvirt.open(URI)
f = lambda *arguments: None
print(conn.domainEventRegisterAny(None, 0, f, None))
for eventID, callback in ((0, f), (0, lambda *a: None)):
    try:
        conn.domainEventRegisterAny(None, eventID, callback, None)
    except libvirt.libvirtError as error:
        print(error)
dom = conn.lookupByName("test")
print(conn.domainEventRegisterAny(dom, 0, f, None), conn.domainEventRegisterAny(None, 1, f, None))
conn.domainEventDeregisterAny(0)
try:
    conn.domainEventDeregisterAny(0)
except libvirt.libvirtError as error:
    print(error)
####
conn = libvirt.open(URI)
print(conn.registerCloseCallback(lambda conn, reason, opaque: print(reason, opaque), None))
try:
    conn.registerCloseCallback(print, None)
except libvirt.libvirtError as error:
    print(error)
print(conn.unregisterCloseCallback())
try:
    conn.unregisterCloseCallback()
except libvirt.libvirtError as error:
    print(error)
print(conn.close())
####
import os
happened = []
reading, writing = os.pipe()
def readable(watch, fd, events, opaque):
    happened.append((fd == reading, events, opaque, os.read(fd, 10)))
    libvirt.virEventRemoveHandle(watch)
watch = libvirt.virEventAddHandle(reading, libvirt.VIR_EVENT_HANDLE_READABLE, readable, "data")
os.write(writing, b"hello")
while not happened:
    libvirt.virEventRunDefaultImpl()
print(happened)
ticks = []
def tick(timer, opaque):
    ticks.append(opaque)
    if len(ticks) == 3:
        libvirt.virEventRemoveTimeout(timer)
libvirt.virEventAddTimeout(5, tick, "tick")
while len(ticks) < 3:
    libvirt.virEventRunDefaultImpl()
print(ticks)
for bad in (libvirt.virEventRemoveHandle, libvirt.virEventRemoveTimeout):
    try:
        bad(9999)
    except libvirt.libvirtError as error:
        print(error)
####
conn = libvirt.open(URI)
dom = conn.lookupByName("test")
print(conn.close(), dom.name(), dom.info()[0], dom.isActive())
for call in (conn.getType, conn.listAllDomains, conn.isAlive, conn.close, conn.getURI, conn.numOfNetworks, conn.newStream):
    try:
        call()
    except libvirt.libvirtError as error:
        print(error, error.get_error_domain())
dom = None
with libvirt.open(URI) as conn:
    print(conn.numOfDomains())
####
conn = libvirt.openReadOnly(URI)
dom = conn.lookupByName("test")
for call, arguments in ((dom.destroy, ()), (dom.setMemory, (1000,)), (conn.defineXML, ("<x/>",)), (dom.XMLDesc, (1,)), (dom.create, ())):
    try:
        print(type(call(*arguments)).__name__)
    except libvirt.libvirtError as error:
        print(error)
####
conn = libvirt.open(URI)
for call, arguments in (
    (conn.lookupByName, (5,)), (conn.lookupByName, ()), (conn.lookupByID, ("x",)), (conn.lookupByUUID, (b"1",)),
    (conn.defineXML, (b"x",)), (conn.getInfo, (1,)), (conn.lookupByName, (None,)), (conn.setKeepAlive, ("a", 1)),
    (conn.networkLookupByName, (1.5,)), (conn.storagePoolDefineXML, (1,)), (conn.getMaxVcpus, (3,)),
):
    try:
        call(*arguments)
    except Exception as error:
        print(type(error).__name__, error)
####
import csv, sys as _sys
conn = libvirt.open(URI)
XML = "<domain type='test'><name>g%d</name><uuid>00000000-0000-0000-0000-0000000000%02d</uuid><memory>%d</memory><os><type>hvm</type></os></domain>"
for number in range(5):
    conn.createXML(XML % (number, number + 10, 8192 * (number + 1)), 0)
out = csv.writer(_sys.stdout)
stats = conn.getAllDomainStats(libvirt.VIR_DOMAIN_STATS_STATE, libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_RUNNING)
for dom, record in sorted(stats, key=lambda each: each[0].name()):
    out.writerow([dom.name(), dom.maxMemory(), *["%s=%s" % each for each in sorted(record.items())]])
picked = [dom for dom, _ in stats if dom.name() in ("g1", "g3")]
print(sorted(dom.name() for dom, _ in conn.domainListGetStats(picked, libvirt.VIR_DOMAIN_STATS_STATE)))
try:
    conn.domainListGetStats([], 0)
except libvirt.libvirtError as error:
    print(error)
####
conn = libvirt.open(URI)
dom = conn.lookupByName("test")
parts = []
stream = conn.newStream()
print(dom.screenshot(stream, 0))
stream.recvAll(lambda stream, data, opaque: opaque.append(len(data)), parts)
print(sum(parts), stream.finish())
stream = conn.newStream()
dom.screenshot(stream, 0)
print(stream.recv(8), stream.abort())
stream = conn.newStream()
dom.screenshot(stream, 0)
try:
    stream.recvAll(lambda *arguments: -1, None)
except RuntimeError as error:
    print(error)
stream = conn.newStream()
for call in (lambda: stream.recv(1), lambda: stream.send(b"x"), stream.finish, lambda: stream.recvHole()):
    try:
        call()
    except libvirt.libvirtError as error:
        print(error)
print(stream.abort(), libvirt.virStorageVol.streamBufSize)
####
conn = libvirt.open(URI)
dom = conn.lookupByName("test")
stream = conn.newStream(libvirt.VIR_STREAM_NONBLOCK)
dom.screenshot(stream, 0)
data = []
def readable(stream, events, opaque):
    got = stream.recv(4096)
    if got == -2:
        return
    if got:
        opaque.append(got)
    else:
        stream.eventRemoveCallback()
        opaque.append(None)
stream.eventAddCallback(libvirt.VIR_STREAM_EVENT_READABLE, readable, data)
while not data or data[-1] is not None:
    libvirt.virEventRunDefaultImpl()
print(len(b"".join(data[:-1])), stream.finish())
####
conn = libvirt.open(URI)
pool = conn.storagePoolLookupByName("default-pool")
print(pool.info(), pool.isActive(), pool.numOfVolumes())
vol = pool.createXML("<volume><name>disk</name><capacity unit='MiB'>10</capacity></volume>")
print(vol.name(), vol.path(), vol.info(), vol.connect() is conn, [each.name() for each in pool.listAllVolumes()])
print(vol.XMLDesc())
for call in (vol.upload, vol.download):
    try:
        call(conn.newStream(), 0, 0)
    except libvirt.libvirtError as error:
        print(error)
print(vol.storagePoolLookupByVolume().name(), vol.delete())
####
conn = libvirt.open(URI)
dom = conn.lookupByName("test")
snapshot = dom.snapshotCreateXML("<domainsnapshot><name>one</name></domainsnapshot>")
child = dom.snapshotCreateXML("<domainsnapshot><name>two</name></domainsnapshot>")
print(snapshot.getName(), child.getParent().getName(), child.getDomain() is dom, child.getConnect() is conn)
print([each.getName() for each in snapshot.listAllChildren()], dom.snapshotListNames(), dom.hasCurrentSnapshot())
print(dom.revertToSnapshot(snapshot), child.delete(), dom.snapshotNum())
try:
    dom.snapshotLookupByName("two")
except libvirt.libvirtError as error:
    print(error)
####
conn = libvirt.open(URI)
dom = conn.lookupByName("test")
print(dom.schedulerType(), dom.schedulerParameters(), dom.memoryParameters(), dom.blkioParameters())
for call, value in ((dom.setSchedulerParameters, {"weight": 5}), (dom.setSchedulerParameters, {"x": 1}),
                    (dom.setSchedulerParameters, {}), (dom.setMemoryParameters, {"hard_limit": "x"}),
                    (dom.setMemoryParameters, {"hard_limit": 4096})):
    try:
        print(call(value))
    except Exception as error:
        print(type(error).__name__, error)
print(dom.vcpus()[1][:1], dom.pinVcpu(0, (True, False)), dom.vcpuPinInfo()[0][:2], dom.emulatorPinInfo()[:2])
####
conn = libvirt.open(URI)
net = conn.networkLookupByName("default")
print(net.name(), net.UUIDString(), net.bridgeName(), net.isActive(), net.autostart(), net.isPersistent())
print(net.XMLDesc())
print(net.destroy(), net.isActive(), net.create(), net.setAutostart(1), net.autostart())
print(conn.listNetworks(), conn.listDefinedNetworks(), conn.numOfNetworks())
####
conn = libvirt.open(URI)
for iface in conn.listAllInterfaces():
    print(iface.name(), iface.MACString(), iface.isActive())
for dev in sorted(conn.listAllDevices(), key=lambda each: each.name()):
    print(dev.name(), dev.parent(), dev.listCaps())
print(conn.changeBegin(), conn.changeRollback())
####
conn = libvirt.open(URI)
XML = "<domain type='test'><name>%s</name><uuid>%s</uuid><memory>8192</memory><os><type>hvm</type></os></domain>"
dom = conn.defineXML(XML % ("web", "11111111-2222-3333-4444-555555555555"))
print(dom.ID(), dom.create(), dom.ID() > 0, dom.state(), dom.destroy(), dom.ID(), dom.state())
print(conn.lookupByUUIDString("11111111-2222-3333-4444-555555555555").name(), dom.UUID().hex(), dom.rename("other"))
print(dom.name(), dom.undefine())
for bad in ("", "<domain/>", "not xml", XML % ("web", "x"), XML % ("test", "11111111-2222-3333-4444-555555555555")):
    try:
        print(conn.defineXML(bad).name())
    except libvirt.libvirtError as error:
        print(error.get_error_code(), error)
####
for uri in ("nope:///x", "test+unix:///default?socket=/nonexistent/socket", "test+foo:///default", "test://[x", "x y"):
    try:
        libvirt.open(uri)
    except libvirt.libvirtError as error:
        print(error.err)
print(libvirt.virInitialize(), libvirt.getVersion() > 0)
####
conn = libvirt.openAuth(URI, [[libvirt.VIR_CRED_AUTHNAME, libvirt.VIR_CRED_PASSPHRASE], lambda credentials, data: 0, None], 0)
print(conn.getType())
conn = libvirt.openAuth(URI, [[], None, None], libvirt.VIR_CONNECT_RO)
try:
    conn.lookupByName("test").destroy()
except libvirt.libvirtError as error:
    print(error)
####
conn = libvirt.open(URI)
dom = conn.lookupByName("test")
print(type(conn), type(dom), type(conn.newStream()), bool(conn), bool(dom), hash(dom) == hash(dom), dom == dom)
print(repr(dom).split(" at ")[0], repr(conn).split(" at ")[0], dom._conn is conn, dom.connect() is conn)
print(conn.lookupByName("test") == dom, isinstance(dom, libvirt.virDomain), libvirt.virDomain.__name__)
####
import inspect
for cls in (libvirt.virNetwork, libvirt.virStoragePool, libvirt.virStream, libvirt.virStorageVol, libvirt.virSecret):
    for name, function in sorted(vars(cls).items()):
        # What came after 9.0.0 is in one only.
        if not name.startswith("_") and inspect.isfunction(function) and not name.lower().endswith("metadata"):
            print(cls.__name__, name, [(each.name, each.default) for each in inspect.signature(function).parameters.values() if each.default is not each.empty])
####
import logging
log = logging.getLogger("monitor")
STATES = {value: name for name, value in vars(libvirt).items() if name.startswith("VIR_DOMAIN_") and name in (
    "VIR_DOMAIN_RUNNING", "VIR_DOMAIN_PAUSED", "VIR_DOMAIN_SHUTOFF")}
conn = libvirt.open(URI)
dom = conn.lookupByName("test")
for action in (dom.suspend, dom.suspend, dom.resume, dom.shutdown, dom.shutdown, dom.create, dom.reboot, dom.destroy):
    try:
        action()
        print(action.__name__, STATES.get(dom.state()[0]))
    except libvirt.libvirtError as error:
        print(action.__name__, error.get_error_code(), error)
####
import os, sys as _sys
conn = libvirt.open(URI)
_sys.stdout.flush()
child = os.fork()
if not child:
    own = libvirt.open(URI)
    os.write(1, ("child %s\n" % own.getType()).encode())
    os._exit(0)
print(os.waitpid(child, 0)[1], conn.getType())
####
import concurrent.futures
conn = libvirt.open(URI)
with concurrent.futures.ThreadPoolExecutor(4) as pool:
    print(list(pool.map(lambda name: conn.lookupByName(name).ID(), ["test"] * 8)))
    def failing(name):
        try:
            return conn.lookupByName(name)
        except libvirt.libvirtError as error:
            return str(error)
    print(list(pool.map(failing, "abc")))
####
conn = libvirt.open(URI)
dom = conn.lookupByName("test")
print(dom.setMetadata(libvirt.VIR_DOMAIN_METADATA_DESCRIPTION, "text", None, None), dom.metadata(0, None))
print(dom.setMetadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, "<a b='c'/>", "k", "urn:x"), dom.metadata(2, "urn:x"))
try:
    dom.metadata(2, "urn:none")
except libvirt.libvirtError as error:
    print(error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN_METADATA, error)
####
import pickle, copy
try:
    libvirt.open(URI).lookupByName("gone")
except libvirt.libvirtError as error:
    kept = error
print(kept, kept.err[0], str(kept), isinstance(kept, Exception))
print(libvirt.libvirtError("own words").err is not None)
libvirt.virResetLastError()
print(libvirt.libvirtError("own words"), libvirt.libvirtError("own words").get_error_code())
####
conn = libvirt.open(URI)
print(conn.getInfo()[:1], conn.getMaxVcpus(None), conn.getCPUModelNames("x86_64")[:2], conn.getVersion())
print(conn.getCapabilities()[:20], conn.getCellsFreeMemory(0, 1), conn.getFreePages([4], 0, 1))
print(conn.setKeepAlive(5, 3), conn.compareCPU("<cpu><arch>x86_64</arch><model>qemu64</model></cpu>", 0))
####
conn = libvirt.open(URI)
with conn as inner:
    print(inner is conn, inner.isAlive())
try:
    print(conn.isAlive())
except libvirt.libvirtError as error:
    print(error)
try:
    with libvirt.open(URI) as another:
        raise ValueError("mine")
except ValueError as error:
    print("kept", error)
try:
    print(another.getType())
except libvirt.libvirtError as error:
    print(error, error.get_error_code(), error.get_error_domain(), error.get_error_level())
try:
    print(another.close())
except libvirt.libvirtError as error:
    print(error)
####
libvirt.virEventRegisterDefaultImpl()
import os, time
r, w = os.pipe()
told = []
def readable(watch, fd, events, opaque):
    told.append((fd == r, events, opaque, os.read(fd, 10)))
watch = libvirt.virEventAddHandle(r, libvirt.VIR_EVENT_HANDLE_READABLE, readable, {"k": 1})
os.write(w, b"one")
while len(told) < 1:
    libvirt.virEventRunDefaultImpl()
libvirt.virEventUpdateHandle(watch, 0)
os.write(w, b"two")
ticks = []
def tick(timer, opaque):
    ticks.append(opaque)
    if len(ticks) == 3:
        libvirt.virEventUpdateTimeout(timer, -1)
timer = libvirt.virEventAddTimeout(1, tick, "t")
while len(ticks) < 3:
    libvirt.virEventRunDefaultImpl()
print(told, ticks)
libvirt.virEventUpdateHandle(watch, libvirt.VIR_EVENT_HANDLE_READABLE)
while len(told) < 2:
    libvirt.virEventRunDefaultImpl()
print(told[1])
print(libvirt.virEventRemoveTimeout(timer), libvirt.virEventRemoveHandle(watch))
for function, argument in ((libvirt.virEventRemoveHandle, watch), (libvirt.virEventRemoveTimeout, timer), (libvirt.virEventRemoveHandle, -1), (libvirt.virEventRemoveTimeout, 5000)):
    try:
        print(function(argument))
    except Exception as error:
        print(type(error).__name__, error)
####
conn = libvirt.open(URI)
pool = conn.storagePoolLookupByName("default-pool")
vol = pool.createXML("<volume><name>v</name><capacity>4096</capacity></volume>", 0)
print(vol.name(), vol.key(), vol.path(), vol.info(), vol.storagePoolLookupByVolume().name())
print(pool.listVolumes(), pool.numOfVolumes(), [each.name() for each in pool.listAllVolumes()])
for function, arguments in ((pool.createXML, ("<volume><name>v</name><capacity>1</capacity></volume>",)), (pool.createXML, ("<volume/>", 0)), (vol.resize, (-1,)), (vol.resize, (1 << 70,)), (vol.resize, (0, 0)), (vol.wipePattern, (99, 0)), (vol.delete, (1 << 9,)), (pool.storageVolLookupByName, ("w",)), (pool.createXMLFrom, ("<volume><name>w</name><capacity>4096</capacity></volume>", vol, 0)), (pool.createXMLFrom, ("<volume/>", None, 0))):
    try:
        found = function(*arguments)
        print(function.__name__, found.name() if hasattr(found, "name") else found)
    except Exception as error:
        print(function.__name__, type(error).__name__, error)
print(sorted(pool.listVolumes()))
print(vol.delete(0))
try:
    print(vol.info())
except libvirt.libvirtError as error:
    print(error)
####
conn = libvirt.open(URI)
net = conn.networkLookupByName("default")
print(net.name(), net.UUIDString(), net.bridgeName(), net.isActive(), net.isPersistent(), net.autostart(), net.connect() is conn)
def attempt(what, function, *arguments):
    try:
        print(what, function(*arguments))
    except Exception as error:
        print(what, type(error).__name__, error)
attempt("leases", net.DHCPLeases)
attempt("leases", net.DHCPLeases, "52:54:00:00:00:01")
attempt("leases", net.DHCPLeases, "nonsense")
attempt("update", net.update, 4, 4, -1, "<host mac='52:54:00:00:00:02' ip='192.168.122.5'/>", 0)
attempt("update", net.update, 99, 99, 0, "", 0)
attempt("update", net.update, 3, 4, -1, None, 0)
attempt("ports", net.listAllPorts)
attempt("port", net.portLookupByUUIDString, "00000000-0000-0000-0000-000000000000")
attempt("port", lambda: net.portCreateXML("<networkport><owner><uuid>16170e54-d7da-4e4f-a7b5-6c4f5d5bb4dc</uuid><name>x</name></owner><mac address='52:54:00:00:00:09'/><plug type='network' bridge='virbr0'/></networkport>").network().name())
attempt("ports", lambda: len(net.listAllPorts()))
port = net.listAllPorts()[0]
print(type(port).__name__, sorted(vars(port)), port.parameters(), len(port.UUIDString()))
attempt("params", port.setParameters, {"inbound.average": 100})
attempt("params", port.parameters)
attempt("params", port.setParameters, {"bogus": 1})
attempt("delete", port.delete)
attempt("delete", port.delete)
attempt("destroy", net.destroy)
attempt("destroy", net.destroy)
attempt("meta", net.metadata, 0, None) if hasattr(net, "metadata") else print("none")
attempt("undefine", net.undefine)
attempt("name", net.name)
attempt("xml", net.XMLDesc)
####
conn = libvirt.open(URI)
dom = conn.lookupByName("test")
closed = []
print(conn.registerCloseCallback(lambda conn, reason, opaque: closed.append((reason, opaque)), "o"))
try:
    print(conn.registerCloseCallback(lambda *a: None, None))
except Exception as error:
    print(type(error).__name__, error)
print(conn.unregisterCloseCallback())
try:
    print(conn.unregisterCloseCallback())
except Exception as error:
    print(type(error).__name__, error)
for arguments in ((None, None), (5, None)):
    try:
        print(conn.registerCloseCallback(*arguments))
    except Exception as error:
        print(type(error).__name__, error)
for arguments in ((5, 3), (0, 0), (-1, 0), ("a", 1), (1 << 40, 1), (5, -1), (1,), ()):
    try:
        print(conn.setKeepAlive(*arguments))
    except Exception as error:
        print(type(error).__name__, error)
print(closed, conn.close() >= 0)
####
conn = libvirt.open(URI)
dom = conn.lookupByName("test")
del conn
print(dom.info()[0], dom.connect().getType())
conn = dom.connect()
del dom
print(conn.numOfDomains(), conn.close())
####
def attempt(what, function, *arguments, **named):
    try:
        print(what, function(*arguments, **named))
    except Exception as error:
        print(what, type(error).__name__, error)
    sys.stdout.flush()
import sys
conn = libvirt.open(URI)
dom = conn.lookupByName("test")
for keys, n in (([1], 1), ([1, 2], 1), ([1], 2), ([], 0), (["a"], 1), ([1] * 17, 17), ([1] * 17, 1), ([1] * 16, 16), ((1, 2), 2), (None, 1), (5, 1), ([-1], 1), ([1 << 40], 1), ([1.5], 1), ([True], 1), ([None], 1), ("ab", 2), ({1: 1}, 1)):
    attempt((str(keys), n), dom.sendKey, 0, 0, keys, n)
attempt("codeset", dom.sendKey, 99, 0, [1], 1)
attempt("hold", dom.sendKey, 0, -1, [1], 1)
####
def attempt(what, function, *arguments, **named):
    try:
        print(what, function(*arguments, **named))
    except Exception as error:
        print(what, type(error).__name__, error)
    sys.stdout.flush()
import sys
conn = libvirt.open(URI)
dom = conn.lookupByName("test")
net = conn.networkLookupByName("default")
pool = conn.storagePoolLookupByName("default-pool")
vol = pool.createXML("<volume><name>v</name><capacity>4096</capacity></volume>", 0)
stream = conn.newStream()
attempt("revert", dom.revertToSnapshot, dom)
attempt("revert", dom.revertToSnapshot, net)
attempt("revert", dom.revertToSnapshot, conn)
attempt("clone", pool.createXMLFrom, "<volume><name>w</name><capacity>4096</capacity></volume>", dom, 0)
attempt("clone", pool.createXMLFrom, "<volume><name>w</name><capacity>4096</capacity></volume>", pool, 0)
attempt("screenshot", dom.screenshot, dom, 0)
attempt("screenshot", dom.screenshot, net, 0)
attempt("upload", vol.upload, dom, 0, 0, 0)
attempt("download", vol.download, None, 0, 0, 0)
attempt("console", dom.openConsole, None, dom, 0)
attempt("console", dom.openConsole, None, None, 0)
attempt("channel", dom.openChannel, None, conn, 0)
attempt("stats", conn.domainListGetStats, [net])
attempt("stats", conn.domainListGetStats, [conn])
attempt("stats", conn.domainListGetStats, [5])
attempt("stats", conn.domainListGetStats, ["x"])
attempt("event", conn.domainEventRegisterAny, net, 0, lambda *a: None, None)
attempt("event", conn.networkEventRegisterAny, dom, 0, lambda *a: None, None)
attempt("event", conn.storagePoolEventRegisterAny, 5, 0, lambda *a: None, None)
attempt("migrate", dom.migrate, dom, 0, None, None, 0)
attempt("fd", dom.snapshotLookupByName, dom)
attempt("redefine", dom.snapshotCreateXML, dom, 0)
attempt("lookup", conn.lookupByName, dom)
attempt("backup", dom.backupBegin, dom)
attempt("update", dom.updateDeviceFlags, net)
####
def attempt(what, function, *arguments, **named):
    try:
        print(what, function(*arguments, **named))
    except Exception as error:
        print(what, type(error).__name__, error)
    sys.stdout.flush()
import sys
conn = libvirt.open(URI)
dom = conn.lookupByName("test")
snap = dom.snapshotCreateXML("<domainsnapshot><name>s</name></domainsnapshot>")
attempt("lookup", lambda: dom.snapshotLookupByName("s").getName())
attempt("lookup", dom.snapshotLookupByName, "")
attempt("list", dom.snapshotListNames, 1 << 20)
attempt("num", dom.snapshotNum, 1 << 20)
attempt("all", dom.listAllSnapshots, 1 << 20)
attempt("roots", lambda: [each.getName() for each in dom.listAllSnapshots(1)])
attempt("xml", lambda: snap.getXMLDesc(0)[:18])
attempt("xml", snap.getXMLDesc, 1 << 20)
attempt("delete", snap.delete, 1 << 20)
attempt("children", snap.listAllChildren, 0)
attempt("revert", dom.revertToSnapshot, snap, 1 << 20)
attempt("revert", dom.revertToSnapshot, snap, 3)
attempt("create", dom.snapshotCreateXML, "<domainsnapshot><name>s</name></domainsnapshot>")
attempt("create", dom.snapshotCreateXML, "", 0)
attempt("create", dom.snapshotCreateXML, None, 0)
attempt("redefine", dom.snapshotCreateXML, "<domainsnapshot><name>q</name></domainsnapshot>", 1)
attempt("halt", lambda: dom.snapshotCreateXML("<domainsnapshot><name>h</name></domainsnapshot>", libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_HALT).getName())
print(dom.state())
attempt("current", lambda: dom.snapshotCurrent().getName())
attempt("has", dom.hasCurrentSnapshot)
attempt("undefine", dom.undefine)
attempt("undefine", dom.undefineFlags, 2)
attempt("name", snap.getName)
attempt("xml", snap.getXMLDesc)
cp = None
attempt("cp", dom.checkpointCreateXML, "<domaincheckpoint/>", 0)
####
def attempt(what, function, *arguments, **named):
    try:
        print(what, function(*arguments, **named))
    except Exception as error:
        print(what, type(error).__name__, error)
    sys.stdout.flush()
import sys
conn = libvirt.open(URI)
dom = conn.lookupByName("test")
class Handler:
    def __init__(self): self.seen = []
    def __call__(self, ctx, err): self.seen.append(err[2])
handler = Handler()
print(libvirt.registerErrorHandler(handler, None))
attempt("x", conn.lookupByName, "x")
print(handler.seen)
for f in (None,):
    attempt(f, libvirt.registerErrorHandler, f, None)
    attempt("y", conn.lookupByName, "y")
attempt("args", libvirt.registerErrorHandler, handler)
print(libvirt.virGetLastError() is not None, conn.virConnGetLastError(), conn.virConnResetLastError())
print(libvirt.virGetLastErrorDomain(), libvirt.virGetLastErrorCode())
####
conn = libvirt.open(URI)
dom = conn.lookupByName("test")
net = conn.networkLookupByName("default")
values = ("x", None, 1.5, True, -1, 1<<31, 1<<32, 1<<40, 1<<63, 1<<64, 1<<70, -(1<<40), -(1<<63), -(1<<70), [1], b"1")
def attempt(what, f, *a):
    for v in values:
        try:
            r = f(v)
        except libvirt.libvirtError as e: r = "libvirtError"
        except Exception as e: r = type(e).__name__+" "+str(e)
        print(what, repr(v), r)
attempt("uint", lambda v: dom.blockCopy("vda", "<disk/>", {"granularity": v}, 0))
attempt("ullong", lambda v: dom.blockCopy("vda", "<disk/>", {"bandwidth": v}, 0))
attempt("int", lambda v: dom.migrateToURI3(None, {"disks_port": v}, 0))
attempt("llong", lambda v: conn.setIdentity({"process-id": v}, 0))
attempt("string", lambda v: dom.migrateToURI3(None, {"destination_name": v}, 0))
attempt("guess", lambda v: dom.migrateToURI3(None, {"nonsense": v}, 0))
attempt("u2", lambda v: dom.setBlockIoTune("vda", {"total_bytes_sec": v}))
attempt("u3", lambda v: dom.setMemoryParameters({"hard_limit": v}))
attempt("time", lambda v: dom.setTime({"seconds": v}))
attempt("nsec", lambda v: dom.setTime({"nseconds": v}))
attempt("alloc", lambda v: conn.allocPages({4: v}, 0, 1, 0))
attempt("free", lambda v: conn.getFreePages([v], 0, 1))
attempt("pin", lambda v: dom.pinVcpu(0, (v,)))
attempt("cells", lambda v: conn.getCellsFreeMemory(0, v))
attempt("size", lambda v: conn.allocPages({v: 1}, 0, 1, 0) if not isinstance(v, list) else None)
####
conn = libvirt.open(URI)
for each in (conn.lookupByName("test"), conn.networkLookupByName("default"), conn.storagePoolLookupByName("default-pool")):
    print([(each.setAutostart(value), each.autostart()) for value in (5, 0, -1, True)])
own = conn.defineXML("<domain type='test'><name>q</name><memory>65536</memory><os><type>hvm</type></os><devices>"
                     "<disk type='file'><source file='/a'/><target dev='vda'/></disk></devices></domain>")
own.create()
for disks in ("<disk name='/a' checkpoint='bitmap'/>", "<disk name='/a'/><disk name='/a'/>", "<disk name='zz' checkpoint='no'/>"):
    for time, flags in ((0, 1), (5, 1), (5, 0)):
        try:
            made = own.checkpointCreateXML(
                "<domaincheckpoint><name>n</name><creationTime>%d</creationTime><disks>%s</disks></domaincheckpoint>" % (time, disks), flags)
            text = made.getXMLDesc(2)
            print(text if flags else text.count("bitmap"))
            made.delete()
        except libvirt.libvirtError as error: print(error)
####
# What is wrong with the arguments is said before what is missing; no loop is registered, unlike virEventRegister's.
conn = libvirt.open(URI)
dom, net = conn.lookupByName("test"), conn.networkLookupByName("default")
def attempt(f, *a):
    try: print(f(*a))
    except libvirt.libvirtError as error: print(error.err)
for subject, number in ((net, 0), (None, 99), (None, 0), (dom, 0)):
    attempt(conn.domainEventRegisterAny, subject, number, print, None)
attempt(conn.domainEventRegisterAny, None, 0, None, None)
for subject in (dom, net, None):
    attempt(conn.networkEventRegisterAny, subject, 0, print, None)
    attempt(conn.storagePoolEventRegisterAny, subject, 0, print, None)
for name in ("a/b", "/"):
    attempt(conn.networkDefineXML, "<network><name>%s</name></network>" % name)
    attempt(conn.defineXML, "<domain type='test'><name>%s</name><memory>1</memory><os><type>hvm</type></os></domain>" % name)
####
import asyncio, sys
sys.path.append("/usr/lib/python3/dist-packages")
# virEventRegisterImpl is called by this:
import libvirtaio
async def main():
    impl = libvirtaio.virEventRegisterAsyncIOImpl(asyncio.get_running_loop())
    conn, happened = libvirt.open(URI), asyncio.Queue()
    conn.domainEventRegisterAny(None, 0, lambda conn, dom, *rest: happened.put_nowait((dom.name(), rest)), "o")
    conn.lookupByName("test").suspend()
    print(await happened.get(), impl.is_idle())
    conn.domainEventDeregisterAny(0)
    print(conn.close())
    await impl.drain()
    print(impl.is_idle())
asyncio.run(main())
####
import os
out = []
r, w = os.pipe(); os.write(w, b"abcdefgh")
names = {}
def h(watch, fd, ev, o): out.append(o)
def tick(tm, o): out.append(o)
a = libvirt.virEventAddTimeout(0, tick, "t1"); b = libvirt.virEventAddHandle(r, 1, h, "h1"); c = libvirt.virEventAddTimeout(0, tick, "t2"); d = libvirt.virEventAddHandle(w, 2, h, "h2")
def run():
    out.clear(); libvirt.virEventRunDefaultImpl(); print(out)
run(); run()
libvirt.virEventUpdateTimeout(a, 0); run()
libvirt.virEventUpdateHandle(b, 1); run()
libvirt.virEventUpdateHandle(b, 0); run()
libvirt.virEventUpdateHandle(b, 1); run()
libvirt.virEventUpdateTimeout(c, -1); run()
libvirt.virEventUpdateTimeout(c, 0); run()
libvirt.virEventUpdateHandle(d, 3); run(); libvirt.virEventUpdateHandle(d, 2); run()
####
# removal by an earlier callback in the same iteration
import os
out = []; ids = {}
def first(tm, o):
    out.append("first"); libvirt.virEventRemoveTimeout(ids["b"]); libvirt.virEventUpdateTimeout(ids["c"], -1)
    libvirt.virEventRemoveTimeout(tm)
ids["a"] = libvirt.virEventAddTimeout(0, first, None); ids["b"] = libvirt.virEventAddTimeout(0, lambda *a: out.append("b"), None); ids["c"] = libvirt.virEventAddTimeout(0, lambda *a: out.append("c"), None); ids["d"] = libvirt.virEventAddTimeout(0, lambda *a: out.append("d"), None)
libvirt.virEventRunDefaultImpl(); print(out)
####
import libvirt_qemu
conn = libvirt.open(URI)
for other in (conn, conn.networkLookupByName("default")):
    for call in (lambda: libvirt_qemu.qemuMonitorCommand(other, "x", 0), lambda: libvirt_qemu.qemuAgentCommand(other, "x", 0, 0)):
        try: call()
        except libvirt.libvirtError as error: print(error.err)
""".strip("\n").split("\n####\n")
"""The scripts."""
