"""
A script of the stock Python binding that calls every method and function with arguments that fit and with any others.

It is given the methods, as C{METHODS} finds them in the stock binding, on standard input.  Each is called on a host of
its own, which a file describes.
"""

from __future__ import annotations

__all__ = ["HOST", "METHODS", "SCRIPT"]

#: Prints the binding's classes, their methods, parameters and defaults.
METHODS = r"""
import inspect, json, libvirt
found = {}
for name, cls in [("", libvirt), *sorted(vars(libvirt).items())]:
    if name and (not inspect.isclass(cls) or not name.startswith("vir")):
        continue
    for member, function in sorted(vars(cls).items()):
        if member.startswith("__") or not inspect.isfunction(function):
            continue
        parameters = list(inspect.signature(function).parameters.values())[bool(name):]
        found.setdefault(name, {})[member] = [
            [each.name, str(each.annotation), each.default is each.empty] for each in parameters
        ]
print(json.dumps(found))
"""

SCRIPT = r"""
import json, libvirt, os, random, sys

FOUND = json.load(sys.stdin)
URI, FOLDER, SHARE = sys.argv[1:4]
libvirt.registerErrorHandler(lambda context, error: None, None)

# These wait, end the process, or are about how the classes are made.
LEFT_OUT = {
    "c_pointer", "virEventRunDefaultImpl", "_dispatchDomainEventCallbacks", "createLinux", "free",
    "virEventInvokeFreeCallback", "overload", "_eventInvokeHandleCallback", "_eventInvokeTimeoutCallback", "_o",
}
# What ends the process in C, and what is open at a number that differs.
UNTRIED = {("openAuth", "auth"), ("migrate3", "dconn"), ("baselineHypervisorCPU", "xmlCPUs"),
           ("baselineHypervisorCPU", "flags"), ("migrate3", "params"), ("migrate3", "flags"), ("openAuth", "flags"),
           ("openGraphics", "fd")}
# What these return passes with time: only its shape is compared.
PASSING = {
    "getTime", "info", "cpuStats", "getCPUStats", "vcpus", "blockStats", "blockStatsFlags", "interfaceStats",
    "memoryStats", "getAllDomainStats", "domainListGetStats", "getMemoryStats", "getFreeMemory", "getInfo",
    "getCellsFreeMemory", "getFreePages", "getCPUMap", "jobInfo", "jobStats", "blockJobInfo", "getHostname", "getURI",
    "virEventAddHandle", "screenshot", "getSysinfo", "allocPages",
}
GUEST = '''<domain type='test'><name>extra</name><uuid>00000000-0000-0000-0000-0000000000aa</uuid><memory>8192</memory>
<os><type>hvm</type></os></domain>'''
DISK = "<disk type='file' device='disk'><source file='/x'/><target dev='vdz' bus='virtio'/></disk>"
FILTER = "<filter name='f1'><rule action='drop' direction='in'/></filter>"
BINDING = "<filterbinding><owner><name>o</name><uuid>00000000-0000-0000-0000-0000000000ab</uuid></owner><portdev name='tap9'/><mac address='02:00:00:00:00:01'/><filterref filter='f1'/></filterbinding>"
SECRET = "<secret><uuid>00000000-0000-0000-0000-0000000000ac</uuid><usage type='ceph'><name>u</name></usage></secret>"
PORT = "<networkport><uuid>00000000-0000-0000-0000-0000000000ad</uuid><owner><name>o</name><uuid>00000000-0000-0000-0000-0000000000ab</uuid></owner><mac address='02:00:00:00:00:02'/></networkport>"
NET = "<network><name>other</name><uuid>00000000-0000-0000-0000-0000000000ae</uuid><ip address='10.1.1.1' netmask='255.255.255.0'/></network>"
POOL = "<pool type='dir'><name>otherpool</name><uuid>00000000-0000-0000-0000-0000000000af</uuid><target><path>/otherpool</path></target></pool>"
VOLUME = "<volume><name>vol%s</name><capacity>5000</capacity></volume>"
INTERFACE = "<interface type='ethernet' name='eth5'/>"
NODE = "<device><parent>scsi_host1</parent><capability type='scsi_host'><capability type='fc_host'><wwnn>1111222233334444</wwnn><wwpn>4444333322221111</wwpn></capability></capability></device>"


def quietly(function, *arguments):
    try:
        return function(*arguments)
    except Exception:
        return None


def subject(kind, conn):
    '''An object of a class, made anew where it must be.'''
    dom = quietly(conn.lookupByName, "test") or quietly(conn.createXML, GUEST.replace("extra", "test"))
    if kind == "virDomain":
        if not dom.isActive():
            dom.create()
        return dom
    if kind == "virDomainSnapshot":
        return quietly(dom.snapshotLookupByName, "s") or dom.snapshotCreateXML("<domainsnapshot><name>s</name></domainsnapshot>")
    if kind == "virDomainCheckpoint":
        return quietly(dom.checkpointLookupByName, "c") or quietly(
            dom.checkpointCreateXML, "<domaincheckpoint><name>c</name></domaincheckpoint>")
    if kind in ("virNetwork", "virNetworkPort"):
        net = quietly(conn.networkLookupByName, "other") or conn.networkDefineXML(NET)
        if not net.isActive():
            net.create()
        if kind == "virNetwork":
            return net
        return quietly(net.portLookupByUUIDString, "00000000-0000-0000-0000-0000000000ad") or quietly(net.portCreateXML, PORT)
    if kind in ("virStoragePool", "virStorageVol"):
        pool = quietly(conn.storagePoolLookupByName, "otherpool") or conn.storagePoolDefineXML(POOL)
        if not pool.isActive():
            pool.create()
        if kind == "virStoragePool":
            return pool
        return quietly(pool.storageVolLookupByName, "vol") or pool.createXML(VOLUME % "")
    if kind == "virInterface":
        found = quietly(conn.interfaceLookupByName, "eth5") or conn.interfaceDefineXML(INTERFACE)
        return found
    if kind == "virNodeDevice":
        return conn.nodeDeviceLookupByName("computer")
    if kind == "virSecret":
        return quietly(conn.secretLookupByUsage, 2, "u") or quietly(conn.secretDefineXML, SECRET)
    if kind == "virNWFilter":
        return quietly(conn.nwfilterLookupByName, "f1") or quietly(conn.nwfilterDefineXML, FILTER)
    if kind == "virNWFilterBinding":
        quietly(conn.nwfilterDefineXML, FILTER)
        return quietly(conn.nwfilterBindingLookupByPortDev, "tap9") or quietly(conn.nwfilterBindingCreateXML, BINDING)
    if kind == "virStream":
        return conn.newStream(0)
    return conn


NAMED = {
    "flags": 0, "uri": "test:///default", "duri": "test:///default", "dconnuri": "test:///default", "dname": "x",
    "cpumap": (True, False), "vcpu": 0, "nvcpus": 1, "memory": 4096, "target": 0, "timeout": 0, "interval": 60, "count": 5,
    "nkeycodes": 2, "keycodes": [30, 31], "codeset": 0, "holdtime": 0, "disk": "vda", "path": "vda", "device": "vda",
    "mountpoints": ["/"], "types": 0, "user": "root", "keys": ["k"], "models": ["a"], "event": 0, "eventID": 0,
    "startPage": 0, "startCell": 0, "cellCount": 1, "maxCells": 1, "pageSizes": [4], "pageCounts": {4: 1},
    "state": 1, "rfd": 1, "files": [], "fds": [], "idx": 0, "screen": 0,
    "opaque": None, "type": 0, "uuid": b"\0" * 16, "usageType": 2, "dxml": GUEST, "domainXml": GUEST, "size": 16,
    "offset": 0, "length": 8, "nbytes": 8, "bandwidth": 1, "newName": "renamed", "metadata": None, "key": "k",
    "statsflags": 0, "iothread_id": 1, "iothread_val": 1, "seconds": 1, "nseconds": 0, "section": 4, "command": 2,
    "parentIndex": -1, "arch": "x86_64", "signum": 15, "pid_value": 1, "emulator": None, "machine": None,
    "virttype": None, "cert": "x", "duration": 60,
    "minimum": 0, "cpuNum": 0, "cellNum": 0, "cacheSize": 4096, "source": 0, "action": 0, "algorithm": 0, "period": 1,
    "downtime": 100, "srcSpec": None, "cpumap_": None, "start": 0, "streamflags": 0, "dumpformat": 0, "value": b"x",
    "fd": 0, "events": 1, "watch": 1, "timer": 1, "capacity": 6000, "driverName": None, "mac": "02:00:00:00:00:07",
    "params": {"a": 1}, "nvram": 1, "cpus": "0", "wwnn": "1", "wwpn": "1", "bandwidth_": 1, "lifecycle": 0, "type_": 0,
    "callbackID": 0, "data": b"x",
    "xmlCPUs": ["<cpu><arch>x86_64</arch><model>qemu64</model></cpu>"], "auth": [[], lambda wanted, data: 0, None], "threshold": 10, "to": "/nowhere/file", "from_": "/nowhere/file", "frm": "/nowhere/file",
}


def fitting(parameter, kind, member, conn, spare):
    name, annotation, _ = parameter
    if kind == "" and name == "name":
        return URI
    if "xml" in name.lower() and name != "xmlCPUs":
        for word, text in (
            ("heckpoint", "<domaincheckpoint><name>c2</name></domaincheckpoint>"),
            ("napshot", "<domainsnapshot><name>s2</name></domainsnapshot>"),
            ("NWFilterBinding", BINDING), ("nwfilterBinding", BINDING), ("nwfilter", FILTER), ("networkPort", PORT),
            ("portCreate", PORT), ("network", NET), ("storagePool", POOL), ("ecret", SECRET), ("interface", INTERFACE),
            ("nodeDevice", NODE), ("Device", DISK), ("CPU", "<cpu><model>x</model></cpu>"),
        ):
            if word in member:
                return text
        return {"virStoragePool": VOLUME % "2", "virDomain": GUEST, "virConnect": GUEST}.get(kind, "<x/>")
    owners = {"dconn": "virConnect", "clonevol": "virStorageVol", "st": "virStream", "stream": "virStream",
              "snap": "virDomainSnapshot", "checkpoint": "virDomainCheckpoint", "pool": "virStoragePool"}
    if name in owners:
        return subject(owners[name], conn)
    if name in ("dom", "net", "dev", "secret") and "vent" in member:
        return None
    for cls in ("virDomainSnapshot", "virDomainCheckpoint", "virStorageVol", "virStoragePool", "virStream", "virConnect"):
        if cls in annotation:
            return subject(cls, conn)
    if "virDomain" in annotation or name in ("dom", "domain"):
        return [subject("virDomain", conn)] if "List" in annotation else subject("virDomain", conn)
    if name in ("cb", "callback", "handler", "holeHandler", "skipHandler", "f") or "Callable" in annotation:
        return lambda *given: 0
    if name == "list":
        return [subject("virDomain", conn)]
    if name == "pages":
        return [4] if member == "getFreePages" else {4: 1}
    if kind == "" and name.startswith(("add", "update", "remove")):
        return lambda *given: 0
    if member == "setGuestVcpus":
        return {"cpumap": "0"}.get(name, NAMED.get(name))
    if name in NAMED:
        return NAMED[name]
    if name == "name" or "ame" in name:
        return {"virDomain": "s", "virConnect": "test"}.get(kind, "vol")
    if "Dict" in annotation:
        return {}
    if "int" in annotation:
        return 1
    if "List" in annotation:
        return []
    return "test"


class Odd:
    def __repr__(self):
        return "<odd>"


ODD = [None, 3, -1, 2**31, 2**32, 2**63, 2**64, -2**63 - 1, True, 1.5, "x", "", "a\0b", "\xe9", "\udc80", b"x", [], [1], ["x"], [None], (True,),
       (), {}, {"a": 1}, {"a": "b"}, {"a": 1.5}, {"a": 2**64}, {"a": None}, {1: 2}, {"a": [1]}, {"a": True}, Odd()]


def shape(value, depth=0):
    if isinstance(value, (list, tuple)) and depth < 4:
        return "%s(%s)" % (type(value).__name__, ", ".join(shape(each, depth + 1) for each in value))
    if isinstance(value, dict):
        return "{%s}" % ", ".join("%s: %s" % (key, shape(value[key], depth + 1)) for key in sorted(value, key=str))
    return type(value).__name__


def seen(value):
    if type(value).__name__.startswith("vir"):
        name = getattr(value, "name", None) or getattr(value, "getName", None) or getattr(value, "portDev", None)
        try:
            return "<%s %s>" % (type(value).__name__, name() if name else "")
        except Exception as error:
            return "<%s %s>" % (type(value).__name__, type(error).__name__)
    if isinstance(value, list):
        return "list(%s)" % ", ".join(sorted(map(seen, value)))
    if isinstance(value, tuple):
        return "tuple(%s)" % ", ".join(map(seen, value))
    if isinstance(value, dict):
        return "{%s}" % ", ".join("%r: %s" % (key, seen(value[key])) for key in sorted(value, key=str))
    return repr(value)


def show(value):
    # Standard output takes no surrogates; handlers are made anew.
    text = repr(value)
    return "<function>" if callable(value) and not isinstance(value, Odd) else text[:30].encode("ascii", "backslashreplace").decode()


def act(label, member, function, arguments, named={}):
    try:
        value = function(*arguments, **named)
        text = shape(value) if member in PASSING else seen(value)
    except libvirt.libvirtError as error:
        text = "libvirtError %s %s" % (error, error.err)
    except BaseException as error:
        text = "%s %s" % (type(error).__name__, error)
    print(label, "->", text.encode("ascii", "backslashreplace").decode(), flush=True)


def method(kind, member, parameters):
    if not kind:
        conn = None
        function = getattr(libvirt, member)
    else:
        conn = libvirt.open(URI)

    def fit():
        return [fitting(each, kind, member, conn, None) for each in parameters]

    def call(label, change, named={}):
        if kind:
            owner = subject(kind, conn) if kind != "virConnect" else conn
            if owner is None:
                return
            target = getattr(owner, member)
        else:
            target = function
        given = fit()
        change(given)
        act("%s.%s %s" % (kind, member, label), member, target, given, named)

    call("fitting", lambda given: None)
    call("nothing", lambda given: given.clear())
    call("more", lambda given: given.append(1))
    call("named", lambda given: None, {"nonsense": 1})
    for number, parameter in enumerate(parameters):
        if (member, parameter[0]) in UNTRIED:
            continue
        chosen = random.Random(f"{kind}.{member}.{parameter[0]}").sample(ODD, max(1, int(len(ODD) * float(SHARE))))
        for odd in chosen:
            def change(given):
                given[number] = odd
            call("%s=%s" % (parameter[0], show(odd)), change)


os.chdir(FOLDER)
for kind in FOUND:
    sys.stdout.flush()
    child = os.fork()
    if not child:
        if kind:
            libvirt.virEventRegisterDefaultImpl()
        for member, parameters in FOUND[kind].items():
            if member in LEFT_OUT or member.startswith("_") or (not kind and member == "registerErrorHandler"):
                continue
            try:
                method(kind, member, parameters)
            except BaseException as error:
                print("%s.%s: %s %s" % (kind, member, type(error).__name__, error), flush=True)
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        print("%s ended badly" % kind, flush=True)
"""


#: The host of these calls: what C{test:///default} has, near enough.
HOST = """
<node>
  <domain type='test'>
    <name>test</name>
    <uuid>30112233-4455-6677-8899-aabbccddeeff</uuid>
    <memory>524288</memory>
    <vcpu current='1'>2</vcpu>
    <os><type>hvm</type></os>
    <devices>
      <disk type='file' device='disk'><source file='/images/one'/><target dev='vda' bus='virtio'/></disk>
      <interface type='network'>
        <mac address='02:00:00:00:00:07'/><source network='default'/><target dev='vnet3'/>
      </interface>
    </devices>
  </domain>
  <network>
    <name>default</name>
    <uuid>32112233-4455-6677-8899-aabbccddeeff</uuid>
    <ip address='10.9.8.1' netmask='255.255.255.0'/>
  </network>
  <pool type='dir'>
    <name>spare</name>
    <uuid>33112233-4455-6677-8899-aabbccddeeff</uuid>
    <target><path>/spare</path></target>
  </pool>
  <device>
    <name>computer</name>
    <capability type='system'>
      <hardware>
        <vendor>v</vendor><version>1</version><serial>s</serial>
        <uuid>c7a5fdbd-edaf-9455-926a-d65c16db1809</uuid>
      </hardware>
    </capability>
  </device>
  <device>
    <name>scsi_host1</name>
    <parent>computer</parent>
    <capability type='scsi_host'>
      <host>1</host>
      <capability type='fc_host'>
        <wwnn>2000000012341234</wwnn><wwpn>1000000012341234</wwpn><fabric_wwn>2000000043214321</fabric_wwn>
      </capability>
      <capability type='vport_ops'><max_vports>127</max_vports><vports>1</vports></capability>
    </capability>
  </device>
</node>
"""
