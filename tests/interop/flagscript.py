"""
A script of the stock Python binding that calls every method that takes flags with flags that no function knows.

Which flags are refused tells which are known, and the name of the function who refuses them.  It is given the name of a
domain that runs and a folder.
"""

from __future__ import annotations

__all__ = ["SCRIPT"]

SCRIPT = r"""
import inspect, libvirt, os, sys

libvirt.registerErrorHandler(lambda context, error: None, None)
conn = libvirt.open("qemu:///system")
running, folder = sys.argv[1:]
GUEST = '''<domain type='qemu'><name>off</name><uuid>a0f0e4ba-6a0c-4a7c-9d4c-3b0a4f4c1aff</uuid><memory>65536</memory>
<os><type>hvm</type></os><devices><disk type='file' device='disk'><driver name='qemu' type='qcow2'/>
<source file='%s/off.qcow2'/><target dev='vda' bus='virtio'/></disk></devices></domain>''' % folder
NETWORK = "<network><name>quiet</name><uuid>a0f0e4ba-6a0c-4a7c-9d4c-3b0a4f4c1afe</uuid></network>"
POOL = '''<pool type='dir'><name>flags</name><uuid>a0f0e4ba-6a0c-4a7c-9d4c-3b0a4f4c1afd</uuid>
<target><path>%s/flags</path></target></pool>''' % folder
VOLUME = "<volume><name>v</name><capacity>4096</capacity></volume>"
SECRET = "<secret><uuid>a0f0e4ba-6a0c-4a7c-9d4c-3b0a4f4c1afc</uuid><usage type='ceph'><name>u</name></usage></secret>"
FILTER = "<filter name='drops'><uuid>a0f0e4ba-6a0c-4a7c-9d4c-3b0a4f4c1afb</uuid><rule action='drop' direction='in'/></filter>"

os.makedirs(folder + "/flags", exist_ok=True)
os.system("qemu-img create -q -f qcow2 %s/off.qcow2 1M" % folder)
off = conn.defineXML(GUEST)
pool = conn.storagePoolCreateXML(POOL)
objects = {
    "conn": conn, "running": conn.lookupByName(running), "off": off, "network": conn.networkDefineXML(NETWORK),
    "pool": pool, "volume": pool.createXML(VOLUME), "secret": conn.secretDefineXML(SECRET),
    "filter": conn.nwfilterDefineXML(FILTER), "interface": conn.interfaceLookupByName("lo"),
    "device": conn.nodeDeviceLookupByName("computer"), "stream": conn.newStream(),
    "snapshot": off.snapshotCreateXML("<domainsnapshot><name>s</name></domainsnapshot>"),
}
# These end the script in C, are not calls, or have a flag more than libvirtd 9.0.0.
LEFT_OUT = {"domainXMLFromNative", "openGraphics", "migrate", "migrate2", "migrate3", "migrateToURI", ("device", "XMLDesc")}
WORDS = '''alias arch base cap dconnuri destxml dev device dev_name dname domainXml driverName duri emulator emulatorbin key mac
    machine metadata miguri mountPoint name nativeConfig nativeFormat new_name password snap source srcSpec type uri user
    virttype wwnn wwpn xmlCPU dxml'''
PROCESSOR = "<cpu><arch>x86_64</arch><model>qemu64</model></cpu>"
FITTING = {
    **dict.fromkeys(WORDS.split(), "zz"), "disk": "vda", "xml": GUEST, "xmlDesc": GUEST, "xmldesc": GUEST, "path": "vda",
    "top": "zz", "to": "/x/y", "file": "/x/y", "frm": "/x/y", "size": 16, "params": {"x": 1}, "keycodes": [28], "nkeycodes": 1,
    "files": [], "mountpoints": None, "doms": [objects["running"]], "xmlCPUs": [PROCESSOR], "stream": objects["stream"],
    "st": objects["stream"], "clonevol": objects["volume"], "cpumap": (True,), "vcpumap": (True,), "backupXML": "<x/>",
    "checkpointXML": "<x/>", "pages": [4], "keys": [], "dconn": conn, "types": 0, "value": "x", "time": {"seconds": 1},
}

OWN = {
    "metadata": {"type": 2}, "setMetadata": {"type": 0}, "interfaceAddresses": {"source": 0},
    "setLifecycleAction": {"type": 0}, "setVcpu": {"vcpumap": "0"}, "setGuestVcpus": {"cpumap": "0"},
    "delIOThread": {"iothread_id": 1}, "setMemoryFlags": {"memory": 65536}, "sendProcessSignal": {"pid_value": 1},
    "blockCommit": {"base": None}, "getFreePages": {"pages": [4], "cellCount": 1},
}

def called(label, each, name, parameters, flags):
    values = {**{word: FITTING.get(word, 0) for word in parameters}, **OWN.get(name, {}), "flags": flags}
    try:
        answer = "answers %s" % (getattr(each, name)(**values) is None)
    except libvirt.libvirtError as error:
        answer = "%s %s %s %s" % (error.get_error_code(), error.get_error_domain(), error.get_error_level(), error)
    except Exception as error:
        answer = type(error).__name__
    print(label, name, hex(flags), answer)

for label, each in objects.items():
    for name, function in sorted(inspect.getmembers(type(each), inspect.isfunction)):
        parameters = dict(list(inspect.signature(function).parameters.items())[1:])
        if name.startswith("_") or "flags" not in parameters or {name, (label, name)} & LEFT_OUT:
            continue
        for flags in (0x7FFFFFFF, 0x7FFFFFFD, 0x40000000):
            called(label, each, name, parameters, flags)
objects["snapshot"].delete()
for each in ("secret", "filter", "network", "off"):
    objects[each].undefine()
pool.destroy()
"""
