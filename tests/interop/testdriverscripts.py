"""
What is done to both test drivers: each function is a script, which calls procedures and nothing else.

A script may use results of its calls only where both sides answer alike; a call that fails returns None.
"""

from __future__ import annotations

import os
import tempfile
from ast import literal_eval
from typing import Any

from pyvirt.drivers.interfaces.values import DomainRef, NetworkRef, StoragePoolRef, TypedParam

from .testdriverpeers import Transcript

__all__ = ["FILES", "KEPT", "SCRIPTS", "domainXML", "everythingOf", "survey"]

TEST_UUID = bytes.fromhex("6695eb01f6a4830479aa97f2502e193f")
OWN_UUID = "11111111-1111-4111-8111-111111111111"
#: Identifiers that are the same on both sides, because scripts choose them or everybody knows them.
KEPT = {
    OWN_UUID,
    "6695eb01-f6a4-8304-79aa-97f2502e193f",
    "dd8fe884-6c02-601e-7551-cca97df1c5df",
    "dfe224cb-28fb-8dd0-c4b2-64eb3f0f4566",
}
GONE = DomainRef("gone", b"\1" * 16, -1)

Run = Transcript


def domainXML(name: str, head: str = "", tail: str = "", vcpu: str = "<vcpu>4</vcpu>") -> str:
    """A small domain."""
    return (
        f"<domain type='test'><name>{name}</name>{head}<memory>1048576</memory>{vcpu}"
        f"<os><type>hvm</type></os>{tail}</domain>"
    )


def uuidElement(text: str = OWN_UUID) -> str:
    return f"<uuid>{text}</uuid>"


def listing(run: Run) -> list[Any]:
    """The names of all domains, sorted by hand, for the order is not promised."""
    found = run.peer.call("connectListAllDomains", 1, 0)[0]
    rows = sorted((ref.name, ref.id) for ref in found)
    run.lines.append(("domains", run.plain(rows)))
    return rows


def filtered(run: Run, procedure: str, *flags: int) -> None:
    """The names that each set of flags lets pass."""
    for flag in flags:
        found = run.peer.call(procedure, 1, flag)[0]
        run.lines.append((f"{procedure} {flag:#x}", sorted(ref.name for ref in found)))
        if procedure != "connectListAllStoragePools":  # which counts all, whatever is asked for
            count = run.peer.call(procedure, 0, flag)
            run.lines.append((f"{procedure} {flag:#x}", list(count)))


def lifecycle(run: Run) -> None:
    dom = run("domainLookupByName", "test")
    for step in (
        "Suspend", "Suspend", "Create", "Resume", "Resume", "Shutdown", "Shutdown", "Suspend",
        "Resume", "Destroy", "Create", "Create", "Suspend", "Shutdown", "Create", "Destroy",
    ):  # fmt: skip
        run(f"domain{step}", dom)
        run("domainGetState", dom, 0)
        run("domainLookupByName", "test")
    run("domainCreate", dom)
    for flags in (0, 1, 2, 3, 4, 8, 16, 31, 32, 1 << 30):
        run("domainReboot", dom, flags)
        run("domainReset", dom, flags)
        run("domainShutdownFlags", dom, flags)
        run("domainCreateWithFlags", dom, flags)
        run("domainDestroyFlags", dom, flags)
        run("domainCreateWithFlags", dom, 0)
        listing(run)
    run("domainLookupByID", 1)
    run("domainLookupByID", dom.id)
    run("domainLookupByID", -1)
    run("domainLookupByUUID", TEST_UUID)
    run("domainLookupByUUID", b"\0" * 16)
    run("domainLookupByName", "")
    run("domainLookupByName", "nobody")
    run("connectListDomains", 100)
    run("connectNumOfDomains")


def actions(run: Run) -> None:
    for action in ("destroy", "restart", "rename-restart", "preserve"):
        tail = f"<on_poweroff>{action}</on_poweroff><on_reboot>{action}</on_reboot>"
        dom = run("domainDefineXML", domainXML(f"with-{action}", "", tail))
        for paused in (False, True):
            for step in (("domainReboot", 0), ("domainReset", 0), ("domainShutdown",)):
                run("domainCreate", dom)
                if paused:
                    run("domainSuspend", dom)
                run(step[0], dom, *step[1:])
                run("domainGetState", dom, 0)
    dom = run("domainCreateXML", domainXML("t1", "", "<on_reboot>destroy</on_reboot>"), 0)
    run("domainReboot", dom, 0)
    run("domainGetState", dom, 0)
    dom = run("domainCreateXML", domainXML("t2", "", "<on_poweroff>restart</on_poweroff>"), 0)
    run("domainShutdown", dom)
    run("domainGetState", dom, 0)
    listing(run)


def definitions(run: Run) -> None:
    own = uuidElement()
    dom = run("domainDefineXML", domainXML("one", own))
    for xml in (
        domainXML("one", own), domainXML("one"), domainXML("two", own), domainXML("test"),
        domainXML("two", uuidElement(OWN_UUID.replace("8", "9"))), "<domain/>", "junk", "<domain", "",
        "<q:domain xmlns:q='u' type='test'><name>q</name><memory>1</memory><os><type>hvm</type></os></q:domain>",
        "<q:foo xmlns:q='u'/>", "<domain xmlns='u'/>",
        "<foo/>", "<domain type='test'/>", "<domain type='zz'><name>x</name></domain>",
        "<domain type='test'><name>x</name></domain>",
        "<domain type='test'><name>x</name><memory>1</memory></domain>",
        "<domain type='test'><name>a/b</name><memory>1</memory><os><type>hvm</type></os></domain>",
        "<domain type='kvm'><name>x</name><memory>1</memory><os><type>hvm</type></os></domain>",
        "<domain type='test'><name>x</name><memory>1</memory><os><type arch='zz'>hvm</type></os></domain>",
        "<domain type='test'><name>x</name><memory>1</memory><os><type>exe</type></os></domain>",
        domainXML("v", "", "", "<vcpu>33</vcpu>"), domainXML("v0", "", "", "<vcpu>0</vcpu>"),
        domainXML("x", uuidElement("zz")),
    ):  # fmt: skip
        run("domainDefineXML", xml)
        run("domainCreateXML", xml, 0)
        listing(run)
    for flags in (0, 2, 4, 16, 1 << 20):
        run("domainDefineXMLFlags", domainXML("one", own), flags)
        run("domainCreateXML", domainXML(f"c{flags}"), flags)
    run("domainDestroy", dom)
    run("domainCreate", dom)
    run("domainDefineXML", domainXML("one", own, "<on_crash>restart</on_crash>"))
    for flags in (0, 2, 3):
        run("domainGetXMLDesc", dom, flags)
    for flags in (4, 8, 1 << 20, 0, 1, 2, 3):
        run("domainUndefineFlags", dom, flags)
    run("domainIsPersistent", dom)
    run("domainGetXMLDesc", dom, 2)
    run("domainUndefine", dom)
    run("domainDefineXML", domainXML("one", own))
    run("domainDestroy", dom)
    run("domainUndefine", dom)
    run("domainUndefine", dom)
    transient = run("domainCreateXML", domainXML("tr", own), 0)
    run("domainCreateXML", domainXML("tr", own), 0)
    run("domainUndefine", transient)
    run("domainSetAutostart", transient, 1)
    run("domainGetAutostart", transient)
    run("domainDefineXML", domainXML("tr", own, "<on_crash>restart</on_crash>"))
    run("domainSetAutostart", transient, 1)
    run("domainGetAutostart", transient)
    run("domainSetAutostart", transient, 0)
    run("domainGetAutostart", transient)
    run("domainShutdown", transient)
    run("domainGetXMLDesc", transient, 0)
    run("domainCreateXML", domainXML("tr", own), 0)
    run("domainGetXMLDesc", transient, 0)
    run("domainGetXMLDesc", transient, 2)
    run("domainDestroy", transient)
    run("domainGetXMLDesc", transient, 0)
    for name in ("test", "tr", "new", "new", "a/b", "", None):
        run("domainRename", transient, name, 0)
    run("domainRename", transient, "newer", 1)
    run("domainRename", run("domainLookupByName", "test"), "newest", 0)
    run("domainRename", GONE, "newest", 0)
    run("domainLookupByName", "tr")
    run("domainLookupByName", "new")
    listing(run)


def filters(run: Run) -> None:
    run("domainDefineXML", domainXML("inactive"))
    paused = run("domainCreateXML", domainXML("paused"), 0)
    run("domainSuspend", paused)
    saved = run("domainDefineXML", domainXML("saved"))
    run("domainCreate", saved)
    run("domainManagedSave", saved, 0)
    auto = run("domainDefineXML", domainXML("auto"))
    run("domainSetAutostart", auto, 1)
    snapped = run("domainDefineXML", domainXML("snapped"))
    run("domainSnapshotCreateXML", snapped, "<domainsnapshot/>", 0)
    flags = [
        0,
        *(1 << bit for bit in range(16)),
        3,
        12,
        0xF0,
        0x30,
        5,
        6,
        9,
        10,
        0x45,
        0xFFFF,
        0x300,
    ]
    filtered(run, "connectListAllDomains", *flags, 0x441, 0x802, 0x1002, 0x2001)
    run("connectListAllDomains", 1, 1 << 16)
    run("connectListAllDomains", 1, 1 << 31)
    for count in (0, 1, 2, 100, 16384, 16385, -1):
        value = run.peer.call("connectNumOfDefinedDomains")
        run.lines.append(("defined", value))
        if count in (0, 16385, -1):
            run("connectListDefinedDomains", count)
            run("connectListDomains", count)
    names = run.peer.call("connectListDefinedDomains", 100)
    run.lines.append(("names", sorted(names)))


def statistics(run: Run) -> None:
    other = run("domainDefineXML", domainXML("other"))
    paused = run("domainCreateXML", domainXML("paused"), 0)
    run("domainSuspend", paused)
    test = run("domainLookupByName", "test")
    for stats in (0, 1, 2, 3, 512, 1024):
        for flags in (0, 1 << 31):
            found = []
            try:
                found = run.peer.call("connectGetAllDomainStats", [], stats, flags)
            except Exception as error:
                run.lines.append((f"stats {stats} {flags}", str(error)))
            rows = sorted(run.plain(found), key=str)
            run.lines.append((f"stats {stats} {flags}", rows))
            run("connectGetAllDomainStats", [test, other], stats, flags)
    for flags in (1, 2, 4, 8, 16, 32, 64, 128, 256, 1 << 29, 1 << 30):
        run("connectGetAllDomainStats", [test, other, paused], 0, flags)
    run("connectGetAllDomainStats", [GONE, test], 0, 0)
    run("connectGetAllDomainStats", [GONE], 0, 0)


def memory(run: Run) -> None:
    dom = run("domainDefineXML", domainXML("m", uuidElement()))
    for step in range(2):
        for amount in (1024, 1048576, 1048577, 2097152, 0, 1 << 40):
            for flags in range(9):
                run("domainSetMemoryFlags", dom, amount, flags)
                run("domainGetInfo", dom)
            run("domainSetMemory", dom, amount)
            run("domainSetMaxMemory", dom, amount)
            run("domainGetMaxMemory", dom)
            run("domainGetXMLDesc", dom, 0)
            run("domainGetXMLDesc", dom, 2)
        run("domainDefineXML", domainXML("m", uuidElement()))
        if not step:
            run("domainCreate", dom)
    transient = run("domainCreateXML", domainXML("t"), 0)
    for flags in range(8):
        run("domainSetMemoryFlags", transient, 2048, flags)
        run("domainSetVcpusFlags", transient, 2, flags)
    run("domainSetMemory", GONE, 1024)


def processors(run: Run) -> None:
    dom = run("domainDefineXML", domainXML("p", uuidElement()))
    for step in range(2):
        for count in (1, 2, 4, 5, 8, 32, 33, 0):
            for flags in range(9):
                run("domainSetVcpusFlags", dom, count, flags)
                run("domainGetVcpusFlags", dom, flags)
            run("domainSetVcpus", dom, count)
            run("domainGetMaxVcpus", dom)
            run("domainGetXMLDesc", dom, 0)
            run("domainGetXMLDesc", dom, 2)
            run("domainGetVcpus", dom, 32, 2)
        run("domainDefineXML", domainXML("p", uuidElement()))
        if not step:
            run("domainCreate", dom)
    run("domainDestroy", dom)
    run("domainCreate", dom)
    for vcpu in (0, 3, 4, 99, 0xFFFFFFFF):
        for cpumap in (b"\5", b"\0", b"", b"\xff\xff\xff"):
            run("domainPinVcpu", dom, vcpu, cpumap)
            run("domainPinVcpuFlags", dom, vcpu, cpumap, 0)
            run("domainPinVcpuFlags", dom, vcpu, cpumap, 1)
            run("domainGetVcpus", dom, 4, 2)
            run("domainGetVcpuPinInfo", dom, 4, 2, 0)
    for flags in (0, 1, 2, 3, 4):
        for cpumap in (b"\5", b"\0", b"", b"\xff\xff\xff"):
            run("domainPinEmulator", dom, cpumap, flags)
            run("domainGetEmulatorPinInfo", dom, 3, 0)
    run("domainGetXMLDesc", dom, 0)
    run("domainGetXMLDesc", dom, 2)
    run("domainDestroy", dom)
    run("domainPinVcpu", dom, 0, b"\1")
    run("domainSetVcpu", dom, "0", 1, 0)


def typed(kind: int, **values: Any) -> list[TypedParam]:
    """Typed parameters of one type; C{__} in a name stands for a dot."""
    return [TypedParam(name.replace("__", "."), kind, value) for name, value in values.items()]


def tuning(run: Run) -> None:
    test = run("domainLookupByName", "test")
    disks = "<disk type='file'><source file='/x'/><target dev='vda'/></disk>"
    nic = "<interface type='user'><mac address='52:54:00:00:00:01'/></interface>"
    other = run("domainDefineXML", domainXML("o", "", f"<devices>{disks}{nic}</devices>"))
    int32, uint, ullong, boolean, string = 1, 2, 4, 6, 7
    cases: list[tuple[str, tuple[Any, ...], list[TypedParam]]] = []

    def case(name: str, keys: tuple[Any, ...], params: list[TypedParam]) -> None:
        cases.append((name, keys, params))

    for values in (
        {"hard_limit": 1000}, {"soft_limit": 5}, {"swap_hard_limit": 10}, {"swap_hard_limit": 5000},
        {"hard_limit": 9007199254740991}, {"hard_limit": 6000, "swap_hard_limit": 6000},
        {"hard_limit": 7000, "swap_hard_limit": 6000}, {"min_guarantee": 5}, {"foo": 1},
    ):  # fmt: skip
        case("MemoryParameters", (), typed(ullong, **values))
    case("MemoryParameters", (), typed(int32, hard_limit=1))
    case("MemoryParameters", (), typed(ullong, hard_limit=1) * 2)
    case("MemoryParameters", (), [])
    for weight in (100, 500, 5, 0, 100000):
        case("BlkioParameters", (), typed(uint, weight=weight))
    for text in (
        "/dev/sda,300,/dev/sdb,400", "/dev/sda,0", "/dev/sda", "/dev/sda,x", "", "a,1,a,2", ",5",
        "/dev/sdc,-1", "/dev/sda,99999999999",
    ):  # fmt: skip
        for name in ("device_weight", "device_read_iops_sec", "device_write_bytes_sec"):
            case("BlkioParameters", (), typed(string, **{name: text}))
    case("BlkioParameters", (), typed(string, weight="5"))
    case("BlkioParameters", (), typed(uint, zz=5))
    for mode in (0, 1, 2, 3, 4, 9, -1):
        case("NumaParameters", (), typed(int32, numa_mode=mode))
    for nodes in ("0-1", "0", "5", "zz", "", "^0", "0-200", "1,3"):
        case("NumaParameters", (), typed(string, numa_nodeset=nodes))
    case("NumaParameters", (), typed(int32, numa_mode=0) + typed(string, numa_nodeset="0-2"))
    for values in (
        {"total_bytes_sec": 1000}, {"total_bytes_sec": 1000, "read_bytes_sec": 1},
        {"read_iops_sec": 5, "read_iops_sec_max": 10}, {"write_iops_sec_max": 10},
        {"total_bytes_sec": 1000, "total_bytes_sec_max": 2000, "total_bytes_sec_max_length": 3},
        {"total_bytes_sec_max_length": 9}, {"size_iops_sec": 5}, {"total_bytes_sec_max": 5},
        {"total_bytes_sec": 0}, {"write_iops_sec": 1 << 60}, {"read_bytes_sec_max": 70},
        {"total_iops_sec": 1, "total_iops_sec_max": 5}, {"read_iops_sec": 0}, {"foo": 1},
        {"total_iops_sec_max": 7, "read_iops_sec_max": 7},
    ):  # fmt: skip
        case("BlockIoTune", ("vda",), typed(ullong, **values))
    for text in ("group", ""):
        case("BlockIoTune", ("vda",), typed(string, group_name=text))
    case("BlockIoTune", ("zz",), typed(ullong, size_iops_sec=5))
    case("BlockIoTune", ("vda",), typed(uint, size_iops_sec=5))
    for values in (
        {"inbound__average": 100}, {"inbound__peak": 200, "inbound__burst": 300},
        {"outbound__average": 10, "outbound__peak": 20, "outbound__burst": 30},
        {"inbound__floor": 5}, {"inbound__average": 0}, {"outbound__peak": 5},
        {"outbound__average": 0}, {"inbound__average": 0, "outbound__average": 0},
        {"outbound__floor": 5}, {"foo": 1},
    ):  # fmt: skip
        for device in ("testnet0", "aa:bb:cc:dd:ee:ff", "52:54:00:00:00:01", "zz"):
            case("InterfaceParameters", (device,), typed(uint, **values))
    case("SchedulerParametersFlags", (), typed(uint, weight=5))
    case("SchedulerParametersFlags", (), typed(int32, weight=5))
    case("SchedulerParametersFlags", (), typed(uint, foo=5))
    case("PerfEvents", (), typed(boolean, cmt=1, mbml=1))
    case("PerfEvents", (), typed(boolean, cmt=0))
    case("PerfEvents", (), typed(boolean, zz=0))
    case("PerfEvents", (), typed(int32, cmt=0))
    for name, keys, params in cases:
        for dom in (test, other):
            for flags in (0, 1, 2, 3, 4, 8):
                run(f"domainSet{name}", dom, *keys, params, flags)
            for flags in (0, 1, 2):
                counts = () if name == "PerfEvents" else (16 if name != "BlockIoTune" else 20,)
                strings = () if name in ("PerfEvents", "SchedulerParametersFlags") else (4,)
                for string in strings or (0,):
                    run(f"domainGet{name}", dom, *keys, *counts, flags | string)
    for dom in (test, other):
        run("domainGetXMLDesc", dom, 0)
        run("domainGetXMLDesc", dom, 2)
    run("domainSetSchedulerParameters", test, typed(uint, weight=5))
    run("domainSetMemoryParameters", GONE, typed(ullong, hard_limit=1), 0)


def threads(run: Run) -> None:
    disk = (
        "<devices><disk type='file'><driver name='qemu' type='raw' iothread='2'/>"
        "<source file='/d'/><target dev='vda' bus='virtio'/></disk></devices>"
    )
    plain = run("domainDefineXML", domainXML("plain"))
    some = run("domainDefineXML", domainXML("some", "<iothreads>2</iothreads>", disk))
    for dom in (plain, some):
        for _ in range(2):
            for number in (0, 1, 2, 7):
                for flags in (0, 1, 2, 3, 4):
                    run("domainAddIOThread", dom, number, flags)
                    run("domainGetIOThreadInfo", dom, flags)
                    run("domainPinIOThread", dom, number, b"\5", flags)
                    run("domainPinIOThread", dom, number, b"", flags)
                    for name, value in (("poll_max_ns", 5), ("zz", 1)):
                        params = typed(4, **{name: value})
                        run("domainSetIOThreadParams", dom, number, params, flags)
                    for value in (1, 1 << 31):
                        params = typed(2, poll_grow=value)
                        run("domainSetIOThreadParams", dom, number, params, flags)
            run("domainGetXMLDesc", dom, 0)
            run("domainGetXMLDesc", dom, 2)
            run("domainCreate", dom)
        for number in (0, 2, 1, 7, 7):
            for flags in (0, 1, 2, 3, 4):
                run("domainDelIOThread", dom, number, flags)
        run("domainGetXMLDesc", dom, 0)
        run("domainGetXMLDesc", dom, 2)


def metadata(run: Run) -> None:
    active = run("domainLookupByName", "test")
    inactive = run("domainDefineXML", domainXML("i"))
    for dom in (active, inactive):
        for flags in (0, 1, 2, 3, 4):
            for kind, text, key, uri in (
                (0, "a\nb <&>", None, None), (1, "a\nb", None, None), (1, "title", None, None),
                (2, "<foo a='1'><bar/>text</foo>", "k", "http://a/b"), (2, "<x/>", "l", "http://a/c"),
                (2, "<y><z b='2'/></y>", "k", "http://a/b"), (2, "<foo", "k", "http://a/d"),
                (2, "<foo/>", None, "http://a/b"), (2, "<foo/>", "k", None), (3, "x", "k", "u"),
                (0, "", None, None), (1, "", None, None), (0, "d", "k", None), (0, "d", None, "u"),
                (2, None, None, "http://a/c"), (2, None, None, "http://a/zz"), (0, None, None, None),
                (1, None, None, None), (0, "rest", None, None),
            ):  # fmt: skip
                run("domainSetMetadata", dom, kind, text, key, uri, flags)
                if text is None or kind == 2:
                    run("domainGetXMLDesc", dom, 0)
            for uri in ("http://a/b", "http://a/c", "http://q", "http://q2", "http://none", None):
                for kind in (0, 1, 2):
                    run("domainGetMetadata", dom, kind, uri, flags)
            run("domainGetXMLDesc", dom, 2)
    # Prefixes, namespaces and elements that only some take.
    keys = (
        "",
        " ",
        "a b",
        "xmlx",
        "é",
        "日本",
        "a\u0301",
        "1a",
        "-a",
        "a-b",
        "a:b",
        ":a",
        "<",
        "a&b",
        "a/b",
        "a" * 300,
    )
    uris = ("u", "u v", " ", " u ", "urn:é", "urn:日本", "'", "x" * 300)
    texts = (
        "<a xmlns='q'/>", "<p:a xmlns:p='q'/>", "<a p:b='c' xmlns:p='z'/>", "text", "<a/><b/>", "<!--c--><a/>",
        "<?pi x?><a/>", "<é/>", "<a>&lt;é</a>", "<a><b xmlns='r'/><k:c xmlns:k='s'/></a>", "<a xmlns:k='other'/>",
        "<k:a xmlns:k='other'/>", "<k:b xmlns:k='urn:three'/>", "<a><![CDATA[x<y]]></a>", "<!DOCTYPE a><a/>",
        "<a xml:lang='de'/>", "<a>&nbsp;</a>", "<a xml:space='preserve'> </a>", "<a b='&#10;'/>",
    )  # fmt: skip
    for key, uri, text in (
        *((key, "urn:one", "<a>t</a>") for key in keys),
        *(("k", uri, "<a>t</a>") for uri in uris),
        *(("k", "urn:two", text) for text in texts),
        ("l", "urn:three", "<k:b xmlns:k='urn:three'/>"),
        ("m", "urn:two", "<c/>"),
    ):
        run("domainSetMetadata", inactive, 2, text, key, uri, 0)
        run("domainGetMetadata", inactive, 2, uri, 0)
        run("domainGetXMLDesc", inactive, 0)


def guests(run: Run) -> None:
    test = run("domainLookupByName", "test")
    nics = "".join(
        f"<interface type='network'><source network='{name}'/></interface>"
        for name in ("default", "v4", "v6", "range")
    )
    run(
        "networkDefineXML",
        "<network><name>v4</name><ip address='10.0.0.1' netmask='255.255.0.0'/></network>",
    )
    run(
        "networkDefineXML",
        "<network><name>v6</name><ip family='ipv6' address='fd00::1' prefix='64'/></network>",
    )
    run(
        "networkDefineXML",
        "<network><name>range</name><ip address='10.1.0.1' netmask='255.255.255.0'><dhcp><range start='10.1.0.5' end='10.1.0.9'/></dhcp></ip></network>",
    )
    many = run(
        "domainCreateXML",
        domainXML("many", "", f"<devices>{nics}<interface type='user'/></devices>"),
        0,
    )
    lost = run(
        "domainCreateXML",
        domainXML(
            "lost",
            "",
            "<devices><interface type='network'><source network='gone'/></interface></devices>",
        ),
        0,
    )
    inactive = run("domainDefineXML", domainXML("inactive"))
    for dom in (test, many, lost, inactive, GONE):
        for source in (0, 1, 2, 3, 99):
            run("domainInterfaceAddresses", dom, source, 0)
        run("domainGetHostname", dom, 0)
        run("domainGetTime", dom, 0)
        run("domainSetTime", dom, 5, 6, 0)
        run("domainSetTime", dom, 0, 0, 1)
        run("domainSetTime", dom, 7, 8, 2)
        run("domainGetTime", dom, 0)
        run("domainGetFSInfo", dom, 0)
        for mounts in ([], [], ["/"], ["/boot", "/zz"], ["/", "/boot"]):
            run("domainFSFreeze", dom, mounts, 0)
        for mounts in (["/"], ["/zz"], [], []):
            run("domainFSThaw", dom, mounts, 0)
        for mount in (None, "/", "/zz"):
            run("domainFSTrim", dom, mount, 0, 0)
            run("domainFSTrim", dom, mount, 5, 1)
        for flags in (0, 1, 2):
            run("domainSetUserPassword", dom, "root", "secret", flags)
        run("domainInjectNMI", dom, 0)
        run("domainInjectNMI", dom, 1)
        for codeset in (0, 1, 7, 99):
            run("domainSendKey", dom, codeset, 0, [1, 30, 700], 0)
            run("domainSendKey", dom, codeset, 0, [30], 0)
        for process, signal in ((1, 1), (1, 9), (1, 15), (1, 64), (1, 65), (2, 1), (-1, 9), (0, 0)):
            run("domainSendProcessSignal", dom, process, signal, 0)
        for flags in (0, 1, 2, 3, 4):
            run("domainGetMessages", dom, flags)
        for kind in (0, 1, 2, 3):
            for action in range(8):
                run("domainSetLifecycleAction", dom, kind, action, action % 4)
        for flags in range(4):
            run("domainSetMemoryStatsPeriod", dom, 5, flags)
        run("domainSetMemoryStatsPeriod", dom, 0, 0)
        run("domainSetMemoryStatsPeriod", dom, -1, 0)
        run("domainGetXMLDesc", dom, 0)
        run("domainAttachDevice", dom, "<disk/>")


def saving(run: Run) -> None:
    folder = tempfile.mkdtemp(prefix="pv-")
    path = os.path.join(folder, "saved")
    test = run("domainLookupByName", "test")

    def call(name: str, *arguments: Any) -> Any:
        """Call, and write down the outcome without the folder's name, which differs."""
        mark = len(run.lines)
        value = run(name, *arguments)
        run.lines[mark] = literal_eval(repr(run.lines[mark]).replace(folder, "FOLDER"))
        return value

    call("domainSave", test, path)
    call("domainSave", test, path)
    call("domainSaveImageGetXMLDesc", path, 0)
    call("domainSaveImageGetXMLDesc", path, 1)
    call("domainSaveImageGetXMLDesc", path, 2)
    call("domainRestore", path)
    call("domainRestore", path)
    call("domainGetState", test, 0)
    for flags in (1, 2, 4):
        call("domainSaveFlags", test, path, None, flags)
        call("domainRestoreFlags", path, None, flags)
    call("domainSaveFlags", test, path, "<domain/>", 0)
    call("domainRestoreFlags", path, "<domain/>", 0)
    call("domainSave", test, folder + "/none/x")
    call("domainRestore", folder + "/none/x")
    call("domainRestore", folder)
    call("domainUndefine", test)
    call("domainSave", test, path)
    listing(run)
    for flags in (0, 1, 2, 4, 8):
        call("domainSaveImageDefineXML", path, domainXML("other", uuidElement()), flags)
    call("domainSaveImageDefineXML", path, "<domain/>", 0)
    call("domainSaveImageGetXMLDesc", path, 0)
    call("domainRestore", path)
    listing(run)
    other = run("domainLookupByName", "other")
    for data in (b"TestGuestMagic\0\0\0\0\0", b"x" * 40):
        with open(path, "wb") as file:
            file.write(data)
        call("domainRestore", path)
        call("domainSaveImageGetXMLDesc", path, 0)
    for kind in (0, 1, 9):
        call("domainCoreDumpWithFormat", other, path, kind, 0)
    for flags in (2, 4, 8, 16):
        call("domainCoreDump", other, path, flags)
    call("domainCoreDump", other, folder + "/none/x", 0)
    with open(path, "rb") as file:
        run.lines.append(("dump", file.read()))
    call("domainCoreDump", other, path, 1)
    listing(run)
    dom = run("domainDefineXML", domainXML("managed", uuidElement()))
    for flags in (0, 1, 2, 4, 6, 8):
        run("domainManagedSave", dom, flags)
        run("domainCreate", dom)
        run("domainManagedSave", dom, flags)
        run("domainHasManagedSaveImage", dom, 0)
        run("domainGetState", dom, 0)
        run("domainUndefineFlags", dom, 0)
        run("domainDefineXML", domainXML("managed", uuidElement()))
        run("domainCreate", dom)
        run("domainHasManagedSaveImage", dom, 0)
        run("domainGetState", dom, 0)
        run("domainDestroy", dom)
    run("domainCreate", dom)
    run("domainManagedSave", dom, 0)
    run("domainManagedSaveRemove", dom, 1)
    run("domainManagedSaveRemove", dom, 0)
    run("domainManagedSaveRemove", dom, 0)
    run("domainHasManagedSaveImage", dom, 0)
    run("domainCreate", dom)
    run("domainManagedSave", dom, 0)
    run("domainUndefineFlags", dom, 1)
    transient = run("domainCreateXML", domainXML("tr"), 0)
    run("domainManagedSave", transient, 0)
    os.unlink(path)
    os.rmdir(folder)


def snapshots(run: Run) -> None:
    test = run("domainLookupByName", "test")
    disks = (
        "<devices><disk type='file'><source file='/x'/><target dev='vda'/></disk>"
        "<disk type='file' device='cdrom'><target dev='hdc'/></disk></devices>"
    )
    other = run("domainDefineXML", domainXML("o", uuidElement(), disks))

    def take(dom: Any, body: str, flags: int = 0) -> Any:
        snapshot = run(
            "domainSnapshotCreateXML", dom, f"<domainsnapshot>{body}</domainsnapshot>", flags
        )
        if snapshot is not None:
            run("domainSnapshotGetXMLDesc", snapshot, 0)
        run("domainSnapshotCurrent", dom, 0)
        return snapshot

    def names(dom: Any) -> None:
        found = run.peer.call("domainListAllSnapshots", dom, 1, 0)[0]
        run.lines.append(("snapshots", run.plain(sorted(each.name for each in found))))
        run("domainSnapshotNum", dom, 0)
        run("domainHasCurrentSnapshot", dom, 0)
        if found:
            run("domainSnapshotCurrent", dom, 0)

    for dom in (test, other):
        names(dom)
        first = take(dom, "<name>first</name>")
        take(dom, "<name>first</name>")
        take(dom, "<name>no</name><disks><disk name='vda' snapshot='no'/></disks>")
        take(dom, "<name>nodisk</name><disks><disk name='vdz'/></disks>")
        take(dom, "<name>bad</name><disks><disk name='vda' snapshot='foo'/></disks>")
        take(dom, "<name>bad</name><disks><disk/></disks>")
        take(dom, "<name>mem</name><memory snapshot='internal' file='/m'/>")
        take(dom, "<name>mem</name><memory snapshot='external'/>")
        take(dom, "<name>mem</name><memory snapshot='external' file='m'/>")
        second = take(dom, "<name>second</name><description>d &amp; e</description>")
        third = take(dom, "<name>third</name><disks><disk name='vda'/></disks>")
        run("domainRevertToSnapshot", second, 0)
        run("domainGetState", dom, 0)
        fourth = take(dom, "<name>fourth</name><memory snapshot='no'/>")
        run("domainSuspend", dom)
        take(dom, "<name>paused</name>")
        for snapshot in (first, second, third, fourth):
            for flags in (0, 1, 2, 3, 4, 8):
                run("domainRevertToSnapshot", snapshot, flags)
                run("domainGetState", dom, 0)
            run("domainSnapshotGetParent", snapshot, 0)
            run("domainSnapshotIsCurrent", snapshot, 0)
            run("domainSnapshotHasMetadata", snapshot, 0)
            for flags in (1, 2):
                run("domainSnapshotGetXMLDesc", snapshot, flags)
                run("domainSnapshotGetParent", snapshot, flags)
        for flags in [0, *(1 << bit for bit in range(11)), 3, 12, 0x60, 0x300]:
            found = run.peer.call("domainListAllSnapshots", dom, 1, flags)[0]
            run.lines.append((f"all {flags}", run.plain(sorted(each.name for each in found))))
            found = run.peer.call("domainSnapshotListAllChildren", first, 1, flags)[0]
            run.lines.append((f"children {flags}", run.plain(sorted(each.name for each in found))))
            run("domainSnapshotNum", dom, flags)
            run("domainSnapshotNumChildren", first, flags)
        run("domainListAllSnapshots", dom, 1, 1 << 11)
        run("domainSnapshotLookupByName", dom, "second", 0)
        run("domainSnapshotLookupByName", dom, "zz", 0)
        if dom is other:
            run("domainUndefine", other)
        run("domainSnapshotDelete", second, 2)
        run("domainSnapshotDelete", second, 0)
        run("domainSnapshotDelete", second, 0)
        run("domainSnapshotGetXMLDesc", second, 0)
        run("domainRevertToSnapshot", second, 0)
        run("domainSnapshotGetParent", third, 0)
        names(dom)
        run("domainSnapshotDelete", first, 4)
        names(dom)
        fifth = take(dom, "<name>fifth</name>")
        take(dom, "<name>sixth</name>")
        run("domainSnapshotDelete", fifth, 1)
        names(dom)
        run("domainSnapshotDelete", first, 1)
        names(dom)
        run("domainResume", dom)
        for flags in (8, 64, 128, 256, 512, 8 | 64):
            take(dom, f"<name>f{flags}</name>", flags)
            run("domainGetState", dom, 0)
        run("domainCreate", dom)
        for flags in (4, 16, 32, 1024, 2, 3):
            take(dom, f"<name>f{flags}</name>", flags)
        xml = run.peer.call("domainGetXMLDesc", dom, 2)
        for flags in (1, 3):
            take(
                dom,
                f"<name>r{flags}</name><creationTime>5</creationTime><state>shutoff</state>{xml}",
                flags,
            )
            take(
                dom,
                f"<name>q{flags}</name><creationTime>5</creationTime><state>running</state><parent><name>r{flags}</name></parent>{xml}",
                flags,
            )
            take(
                dom,
                f"<name>q{flags}</name><creationTime>6</creationTime><state>running</state>",
                flags,
            )
            take(dom, f"<name>s{flags}</name><state>shutoff</state>{xml}", flags)
            take(dom, f"<name>s{flags}</name><creationTime>5</creationTime>{xml}", flags)
            take(
                dom,
                f"<name>s{flags}</name><creationTime>5</creationTime><state>zz</state>{xml}",
                flags,
            )
            take(
                dom,
                f"<name>s{flags}</name><creationTime>5</creationTime><state>shutoff</state><parent><name>zz</name></parent>{xml}",
                flags,
            )
            take(
                dom,
                f"<name>s{flags}</name><creationTime>5</creationTime><state>shutoff</state><parent><name>s{flags}</name></parent>{xml}",
                flags,
            )
            take(
                dom,
                f"<name>r{flags}</name><creationTime>5</creationTime><state>shutoff</state><parent><name>q{flags}</name></parent>{xml}",
                flags,
            )
            take(dom, f"<creationTime>5</creationTime><state>shutoff</state>{xml}", flags)
        names(dom)
    for xml in ("<x/>", "junk", ""):
        run("domainSnapshotCreateXML", test, xml, 0)
    transient = run("domainCreateXML", domainXML("tr"), 0)
    snapshot = take(transient, "<name>a</name>")
    run("domainRevertToSnapshot", snapshot, 0)
    run("domainDestroy", transient)
    run("domainSnapshotGetXMLDesc", snapshot, 0)
    # What is kept is the definition written and read again.
    disks = "".join(
        f"<disk type='file' device='{kind}'><source file='/{dev}'/><target dev='{dev}'/></disk>"
        for kind, dev in (("disk", "vda"), ("disk", "vdb"), ("cdrom", "hda"))
    )
    vlan = "<vlan trunk='yes'><tag id='5' nativeMode='tagged'/><tag id='5'/></vlan>"
    twice = f"<interface type='bridge'><source bridge='b'/>{vlan}</interface>"
    for number, more in enumerate((disks, twice)):
        dom = run("domainDefineXML", domainXML(f"copied{number}", "", f"<devices>{more}</devices>"))
        snap = run(
            "domainSnapshotCreateXML", dom, "<domainsnapshot><name>copy</name></domainsnapshot>", 0
        )
        run("domainGetXMLDesc", dom, 0)
        if snap is not None:
            run("domainSnapshotGetXMLDesc", snap, 0)
            run("domainRevertToSnapshot", snap, 0)
            run("domainGetXMLDesc", dom, 0)
        run("domainCreate", dom)
        run("domainGetXMLDesc", dom, 2)


def checkpoints(run: Run) -> None:
    image = "<driver name='qemu' type='{}'/><source file='/{}'/><target dev='{}'/>"
    disks = "".join(
        f"<disk type='file'>{image.format(*each)}</disk>"
        for each in (("qcow2", "x", "vda"), ("qcow2", "y", "vdb"), ("raw", "z", "vdc"))
    )
    empty = "<disk type='file' device='cdrom'><target dev='hdc'/></disk>"
    dom = run("domainDefineXML", domainXML("c", "", f"<devices>{disks}{empty}</devices>"))

    def make(body: str, flags: int = 0) -> Any:
        checkpoint = run(
            "domainCheckpointCreateXML", dom, f"<domaincheckpoint>{body}</domaincheckpoint>", flags
        )
        if checkpoint is not None:
            for xml in (0, 1, 2, 3, 4):
                run("domainCheckpointGetXMLDesc", checkpoint, xml)
        return checkpoint

    def names() -> None:
        found = run.peer.call("domainListAllCheckpoints", dom, 1, 0)[0]
        run.lines.append(("checkpoints", run.plain(sorted(each.name for each in found))))

    make("<name>inactive</name>")
    run("domainCreate", dom)
    first = make("<name>first</name>")
    one = "<disks><disk name='vda'/></disks>"
    second = make(f"<name>second</name><description>d</description>{one}")
    third = make("<name>third</name><disks><disk name='vda' checkpoint='no'/></disks>")
    for body in (
        "<name>first</name>", "<name>b</name><disks><disk name='vda' checkpoint='bitmap' bitmap='bm'/></disks>",
        "<name>e</name><disks><disk name='vdz'/></disks>", "<name>e</name><disks><disk/></disks>",
        "<name>e</name><disks><disk name='vda'/><disk name='vda'/></disks>",
        "<name>e</name><disks><disk name='hdc' checkpoint='bitmap'/></disks>",
        "<name>p</name><disks><disk name='/x'/></disks>", "<name>q</name><foo/>",
    ):  # fmt: skip
        make(body)
    run("domainSnapshotCreateXML", dom, "<domainsnapshot/>", 0)
    for flags in (0, 1, 2, 4, 8, 12, 3):
        found = run.peer.call("domainListAllCheckpoints", dom, 1, flags)[0]
        run.lines.append((f"all {flags}", run.plain(sorted(each.name for each in found))))
        found = run.peer.call("domainCheckpointListAllChildren", first, 1, flags)[0]
        run.lines.append((f"children {flags}", run.plain(sorted(each.name for each in found))))
    run("domainListAllCheckpoints", dom, 1, 16)
    run("domainCheckpointListAllChildren", first, 1, 16)
    for name in ("first", "zz"):
        for flags in (0, 1):
            run("domainCheckpointLookupByName", dom, name, flags)
    for each in (first, second, third):
        run("domainCheckpointGetParent", each, 0)
        run("domainCheckpointGetParent", each, 1)
    for each, flags in ((second, 8), (second, 2), (second, 0), (third, 4), (third, 1), (first, 0)):
        run("domainCheckpointDelete", each, flags)
        names()
    last = make(f"<name>last</name>{one}")
    run("domainCheckpointGetParent", last, 0)
    run("domainCheckpointDelete", last, 1)
    names()
    xml = run.peer.call("domainGetXMLDesc", dom, 2)
    for body in (
        f"<name>re</name><creationTime>5</creationTime>{xml}", f"<name>re</name>{xml}",
        "<name>re2</name><creationTime>5</creationTime>", f"<creationTime>5</creationTime>{xml}",
        f"<name>re3</name><parent><name>re</name></parent><creationTime>5</creationTime>{one}{xml}",
        f"<name>re4</name><parent><name>zz</name></parent><creationTime>5</creationTime>{xml}",
    ):  # fmt: skip
        for flags in (1, 2, 4):
            make(body, flags)
            names()
    run("domainDestroy", dom)
    run("domainUndefine", dom)
    for text in ("<x/>", "junk"):
        run("domainCheckpointCreateXML", run.peer.call("domainLookupByName", "test"), text, 0)


def networkXML(name: str, head: str = "", tail: str = "") -> str:
    return f"<network><name>{name}</name>{head}{tail}</network>"


def networks(run: Run) -> None:
    own = uuidElement()
    default = run("networkLookupByName", "default")
    run("networkLookupByName", "zz")
    run("networkLookupByUUID", default.uuid)
    run("networkLookupByUUID", b"\1" * 16)
    gone = NetworkRef("zz", b"\1" * 16)
    for net in (default, gone):
        for step in (
            "Create", "Undefine", "Destroy", "Destroy", "Create", "Create", "GetBridgeName",
            "GetAutostart", "IsActive", "IsPersistent",
        ):  # fmt: skip
            run(f"network{step}", net)
        for flags in (0, 1, 2):
            run("networkGetXMLDesc", net, flags)
        run("networkSetAutostart", net, 1)
        run("networkGetAutostart", net)
        run("networkSetAutostart", net, 0)
        run("networkGetDHCPLeases", net, None, 1, 0)
        run("networkListAllPorts", net, 1, 0)
    one = run("networkDefineXML", networkXML("one", own))
    run("networkGetBridgeName", one)
    run("networkGetXMLDesc", one, 0)
    for xml in (
        networkXML("one", own, "<domain name='x'/>"), networkXML("one"), networkXML("two", own),
        "<network/>", "junk", "<foo/>", "",
        networkXML("f", "", "<forward mode='nat'/><bridge name='virbr7'/><ip address='1.1.1.1' netmask='255.0.0.0'/>"),
        networkXML("g", "", "<forward mode='zz'/>"), networkXML("h", "", "<ip address='zz'/>"),
    ):  # fmt: skip
        run("networkDefineXML", xml)
        run("networkCreateXML", xml)
        filtered(run, "connectListAllNetworks", 0, 1, 2)
    run("networkGetXMLDesc", one, 0)
    run("networkDefineXML", networkXML("one", own, "<domain name='y'/>"))
    run("networkGetXMLDesc", one, 0)
    run("networkDestroy", one)
    run("networkGetXMLDesc", one, 0)
    run("networkDefineXML", networkXML("one", own, "<domain name='z'/>"))
    run("networkGetXMLDesc", one, 0)
    transient = run("networkCreateXML", networkXML("tr"))
    run("networkIsPersistent", transient)
    run("networkSetAutostart", transient, 1)
    run("networkUndefine", transient)
    filtered(run, "connectListAllNetworks", *range(64))
    run("connectListAllNetworks", 1, 64)
    for number in ("connectNumOfNetworks", "connectNumOfDefinedNetworks"):
        run(number)
    run("networkDestroy", transient)
    run("networkIsActive", transient)
    for flags in (0, 2):
        run(
            "networkDefineXMLFlags",
            networkXML("flags", uuidElement(OWN_UUID.replace("1", "2"))),
            flags,
        )
        run(
            "networkCreateXMLFlags",
            networkXML("flags", uuidElement(OWN_UUID.replace("1", "2"))),
            flags,
        )
    run("networkUndefine", one)
    run("networkUndefine", one)


def updates(run: Run) -> None:
    """Parts of networks, added, changed and taken away."""
    body = (
        "<forward mode='nat'/><bridge name='virbr9'/><ip address='10.0.0.1' netmask='255.255.255.0'>"
        "<dhcp><range start='10.0.0.100' end='10.0.0.200'/><host mac='00:00:00:00:00:01' ip='10.0.0.5'/>"
        "</dhcp></ip><ip family='ipv6' address='fd00::1' prefix='64'/>"
    )
    net = run("networkDefineXML", networkXML("u", "", body))
    bare = run("networkDefineXML", networkXML("bare"))
    routed = run(
        "networkDefineXML",
        networkXML("r", "", "<forward mode='bridge'><interface dev='eth7'/></forward>"),
    )
    documents = {
        1: ["<bridge name='x'/>"], 2: ["<domain name='x'/>"], 3: ["<ip address='1.1.1.1'/>"], 6: ["<forward/>"],
        8: ["<pf dev='x'/>"], 0: ["<x/>"], 13: ["<x/>"],
        4: [
            "<host mac='00:00:00:00:00:01' ip='10.0.0.5'/>", "<host mac='00:00:00:00:00:02' ip='10.0.0.6'/>",
            "<host mac='00:00:00:00:00:03' name='n' ip='10.0.0.7'/>", "<host mac='00:00:00:00:00:02' ip='10.0.0.9'/>",
            "<host name='n2' ip='10.0.0.8'/>", "<host ip='10.0.0.5'/>", "<host mac='zz' ip='10.0.0.5'/>", "<host/>",
            "<host xmlns='u' mac='00:00:00:00:00:04' ip='10.0.0.11'/>", "<x xmlns='u'/>",
            "<host mac='00:00:00:00:00:0a' ip='zz'/>", "<host mac='00:00:00:00:00:0b' ip='11.0.0.5'/>", "<x/>", "junk",
        ],
        5: [
            "<range start='10.0.0.100' end='10.0.0.200'/>", "<range start='10.0.0.20' end='10.0.0.30'/>",
            "<range start='10.0.0.30' end='10.0.0.20'/>", "<range start='11.0.0.1' end='11.0.0.2'/>", "<range/>",
        ],
        7: ["<interface dev='eth7'/>", "<interface dev='eth8'/>", "<interface/>"],
        9: [
            "<portgroup name='a'/>", "<portgroup name='b' default='yes'/>", "<portgroup name='c' default='yes'/>",
            "<portgroup name='a'><bandwidth><inbound average='5'/></bandwidth></portgroup>", "<portgroup/>",
            "<portgroup name='d' default='yes'/>",
        ],
        10: [
            "<host ip='10.0.0.50'><hostname>a</hostname></host>", "<host ip='10.0.0.51'><hostname>b</hostname></host>",
            "<host ip='10.0.0.50'/>", "<host><hostname>a</hostname></host>", "<host ip='10.0.0.50'><hostname>b</hostname></host>", "<host/>",
        ],
        11: ["<txt name='a' value='b'/>", "<txt name='c' value='d'/>", "<txt name='a'/>", "<txt/>"],
        12: [
            "<srv service='s' protocol='tcp' domain='d' target='t' port='1'/>", "<srv service='s' protocol='udp'/>",
            "<srv service='s'/>", "<srv/>", "<srv service='s' protocol='tcp' domain='d'/>",
        ],
    }  # fmt: skip
    for ref in (net, bare, routed):
        for section, texts in documents.items():
            for command in (3, 4, 1, 2, 0, 9):
                for text in texts:
                    run("networkUpdate", ref, command, section, -1, text, 0)
            run("networkGetXMLDesc", ref, 0)
        for index in (0, 1, 2):
            for section in (4, 5):
                run("networkUpdate", ref, 3, section, index, documents[section][1], 0)
        run("networkGetXMLDesc", ref, 0)
    for flags in range(5):
        run("networkUpdate", net, 3, 9, -1, f"<portgroup name='f{flags}'/>", flags)
    run("networkCreate", net)
    for flags in range(5):
        run("networkUpdate", net, 3, 9, -1, f"<portgroup name='g{flags}'/>", flags)
    run("networkGetXMLDesc", net, 0)
    run("networkDestroy", net)
    run("networkGetXMLDesc", net, 0)
    transient = run("networkCreateXML", networkXML("tr"))
    for flags in range(4):
        run("networkUpdate", transient, 3, 9, -1, f"<portgroup name='h{flags}'/>", flags)
    run("networkGetXMLDesc", transient, 0)
    run("networkUpdate", NetworkRef("zz", b"\1" * 16), 3, 9, -1, "<portgroup name='a'/>", 0)


def poolXML(
    name: str, head: str = "", path: str | None = None, kind: str = "dir", source: str = ""
) -> str:
    return (
        f"<pool type='{kind}'><name>{name}</name>{head}{source}"
        f"<target><path>{path or '/' + name}</path></target></pool>"
    )


def volumeXML(name: str, capacity: int, more: str = "") -> str:
    return f"<volume><name>{name}</name><capacity>{capacity}</capacity>{more}</volume>"


def pools(run: Run) -> None:
    own = uuidElement()
    default = run("storagePoolLookupByName", "default-pool")
    run("storagePoolLookupByName", "zz")
    run("storagePoolLookupByUUID", default.uuid)
    run("storagePoolLookupByUUID", b"\1" * 16)
    gone = StoragePoolRef("zz", b"\1" * 16)
    for pool in (default, gone):
        for _ in range(2):
            for step in ("Create", "Build", "Delete", "Refresh"):
                for flags in (0, 1):
                    run(f"storagePool{step}", pool, flags)
            for step in (
                "Undefine", "GetInfo", "GetAutostart", "IsActive", "IsPersistent", "Destroy",
                "Destroy",
            ):  # fmt: skip
                run(f"storagePool{step}", pool)
            run("storagePoolGetXMLDesc", pool, 0)
            run("storagePoolGetXMLDesc", pool, 1)
            run("storagePoolListAllVolumes", pool, 1, 0)
            run("storagePoolSetAutostart", pool, 1)
            run("storagePoolGetAutostart", pool)
            run("storagePoolSetAutostart", pool, 0)
            run("storageVolCreateXML", pool, volumeXML("v", 5), 0)
            run("storageVolLookupByName", pool, "v")
        run("storagePoolCreate", pool, 0)
    one = run("storagePoolDefineXML", poolXML("one", own), 0)
    run("storagePoolGetXMLDesc", one, 0)
    run("storagePoolGetInfo", one)
    for xml in (
        poolXML("one", own), poolXML("one"), poolXML("two", own), poolXML("two", "", "/one"),
        poolXML("one", "", "/other"), "<pool/>", "<pool type='zz'/>", "junk", "<foo/>", "",
    ):  # fmt: skip
        run("storagePoolDefineXML", xml, 0)
        run("storagePoolCreateXML", xml, 0)
        filtered(run, "connectListAllStoragePools", 0, 1, 2, 4, 8)
    run("storagePoolDestroy", one)
    transient = run("storagePoolCreateXML", poolXML("tr"), 0)
    run("storagePoolIsPersistent", transient)
    run("storagePoolSetAutostart", transient, 1)
    run("storagePoolGetAutostart", transient)
    run("storagePoolUndefine", transient)
    for flags in (1, 2, 4):
        run("storagePoolDefineXML", poolXML("fl"), flags) if flags != 1 else None
        run("storagePoolCreateXML", poolXML("fl"), flags)
    kinds = {
        "fs": "<source><device path='/dev/sda'/></source>",
        "netfs": "<source><host name='h'/><dir path='/d'/></source>",
        "logical": "<source><device path='/dev/sdb'/></source>",
        "disk": "<source><device path='/dev/sdc'/></source>",
        "iscsi": "<source><host name='h'/><device path='iqn'/></source>",
        "scsi": "<source><adapter type='scsi_host' name='scsi_host5'/></source>",
        "mpath": "",
        "rbd": "<source><name>r</name><host name='a'/></source>",
        "gluster": "<source><name>r</name><host name='a'/></source>",
        "zfs": "<source><name>zz</name></source>",
        "vstorage": "<source><name>zz</name></source>",
    }
    for kind, source in kinds.items():
        pool = run("storagePoolDefineXML", poolXML(kind, "", None, kind, source), 0)
        if pool is not None:
            run("storagePoolGetXMLDesc", pool, 0)
            run("storagePoolCreate", pool, 0)
            volume = run("storageVolCreateXML", pool, volumeXML("v", 1000), 0)
            run("storageVolGetXMLDesc", volume, 0)
            run("storageVolGetInfo", volume)
        run("storagePoolDefineXML", poolXML(kind + "2", "", None, kind, source), 0)
    filtered(run, "connectListAllStoragePools", *(1 << bit for bit in range(20)), 3, 12, 48, 0xC0)
    run("connectListAllStoragePools", 1, 1 << 20)
    for number in ("connectNumOfStoragePools", "connectNumOfDefinedStoragePools"):
        run(number)
    for kind in ("logical", "netfs", "dir", "iscsi", "gluster", "zz"):
        for spec in (None, "<source><host name='hh'/></source>", "junk", "<x/>"):
            run("connectFindStoragePoolSources", kind, spec, 0)
    run("connectFindStoragePoolSources", "logical", None, 1)


def volumes(run: Run) -> None:
    pool = run("storagePoolLookupByName", "default-pool")
    first = run("storageVolCreateXML", pool, volumeXML("first", 1000), 0)
    for xml in (
        volumeXML("first", 1000), volumeXML("big", 1 << 60), volumeXML("thin", 1 << 50, "<allocation>5</allocation>"),
        volumeXML("more", 100, "<allocation>500</allocation>"), "<volume><name>x</name></volume>",
        volumeXML("path", 7, "<target><path>/zz</path><format type='qcow2'/></target>"),
        "<volume/>", "junk", "<foo/>", volumeXML("", 5), volumeXML("fmt", 5, "<target><format type='zz'/></target>"),
        volumeXML("back", 9, "<backingStore><path>/b</path><format type='raw'/></backingStore>"),
    ):  # fmt: skip
        volume = run("storageVolCreateXML", pool, xml, 0)
        if volume is not None:
            run("storageVolGetXMLDesc", volume, 0)
        run("storagePoolGetInfo", pool)
    for flags in (1, 2, 8):
        run("storageVolCreateXML", pool, volumeXML(f"f{flags}", 5), flags)
        run("storageVolCreateXMLFrom", pool, volumeXML(f"g{flags}", 5), first, flags)
    run("storageVolCreateXMLFrom", pool, volumeXML("clone", 5), first, 0)
    run("storageVolCreateXMLFrom", pool, volumeXML("clone", 5), first, 0)
    run("storageVolCreateXMLFrom", pool, volumeXML("clone2", 5), first._replace(name="zz"), 0)
    for key in ("/default-pool/first", "/zz", "first", ""):
        run("storageVolLookupByKey", key)
        run("storageVolLookupByPath", key)
        run("storageVolLookupByName", pool, key)
    for volume in (first, first._replace(name="zz"), first._replace(pool="zz")):
        run("storageVolGetInfo", volume)
        run("storageVolGetInfoFlags", volume, 1)
        run("storageVolGetPath", volume)
        run("storageVolGetXMLDesc", volume, 0)
        run("storageVolGetXMLDesc", volume, 1)
        run("storagePoolLookupByVolume", volume)
        run("storageVolResize", volume, 5, 0)
        run("storageVolWipe", volume, 0)
        run("storageVolDelete", volume, 1)
        run("storageVolDelete", volume, 0)
    run("storagePoolNumOfVolumes", pool)
    run("storagePoolGetInfo", pool)
    run("storagePoolDestroy", pool)
    run("storageVolLookupByKey", "/default-pool/clone")
    run("storageVolGetInfo", first._replace(name="clone"))
    run("storagePoolCreate", pool, 0)
    run("storagePoolNumOfVolumes", pool)
    run("storageVolLookupByKey", "/default-pool/clone")


def formats(run: Run) -> None:
    """Volumes of pools of each kind."""
    host, name, path = "<host name='h'/>", "<name>n</name>", "<device path='/d'/>"
    kinds = {
        "dir": "", "disk": path, "fs": "<device path='/e'/>", "gluster": host + name + "<dir path='/'/>", "iscsi": host + path,
        "iscsi-direct": host + "<device path='i'/><initiator><iqn name='q'/></initiator>", "logical": name, "mpath": "",
        "netfs": host + "<dir path='/'/>", "rbd": host + name, "scsi": "<adapter type='scsi_host' name='scsi_host1'/>",
        "sheepdog": host + name, "vstorage": name, "zfs": name,
    }  # fmt: skip
    for kind, source in kinds.items():
        pool = run(
            "storagePoolCreateXML",
            poolXML(f"p-{kind}", "", None, kind, f"<source>{source}</source>"),
            0,
        )
        assert pool is not None, kind
        for number, word in enumerate(
            ("raw", "qcow2", "none", "linux", "extended", "dir", "bogus", "")
        ):
            said = f"<format type='{word}'/>"
            for where, more in (
                ("own", f"<target>{said}</target>"),
                ("below", f"<backingStore><path>/b</path>{said}</backingStore>"),
                ("unsaid", "<backingStore><path>/b</path></backingStore>"),
            ):
                volume = run("storageVolCreateXML", pool, volumeXML(f"{where}{number}", 5, more), 0)
                if volume is not None:
                    run("storageVolGetInfo", volume)
                    run("storageVolGetXMLDesc", volume, 0)


def interfaces(run: Run) -> None:
    eth1 = run("interfaceLookupByName", "eth1")
    run("interfaceLookupByName", "zz")
    for mac in ("aa:bb:cc:dd:ee:ff", "AA:BB:CC:DD:EE:FF", "00:00:00:00:00:00", "zz", ""):
        run("interfaceLookupByMACString", mac)
    xml = "<interface type='ethernet' name='{}'><start mode='none'/><mac address='{}'/></interface>"
    for iface in (eth1, eth1._replace(name="zz")):
        for flags in (0, 1):
            run("interfaceGetXMLDesc", iface, flags)
            run("interfaceCreate", iface, flags)
            run("interfaceDestroy", iface, flags)
            run("interfaceDestroy", iface, flags)
            run("interfaceIsActive", iface)
            run("interfaceCreate", iface, flags)
    for step in ("Commit", "Rollback", "Begin", "Begin"):
        run(f"interfaceChange{step}", 0)
        run(f"interfaceChange{step}", 1)
    nine = run("interfaceDefineXML", xml.format("eth9", "00:11:22:33:44:55"), 0)
    run("interfaceIsActive", nine)
    run("interfaceDefineXML", xml.format("eth9", "00:11:22:33:44:66"), 0)
    run("interfaceDefineXML", xml.format("eth9", "00:11:22:33:44:66"), 2)
    run("interfaceUndefine", eth1)
    run("interfaceUndefine", eth1)
    filtered(run, "connectListAllInterfaces", 0, 1, 2, 3)
    run("interfaceChangeRollback", 0)
    filtered(run, "connectListAllInterfaces", 0, 1, 2, 3)
    run("interfaceChangeBegin", 0)
    run("interfaceDefineXML", xml.format("eth9", "aa:bb:cc:dd:ee:ff"), 0)
    run("interfaceChangeCommit", 0)
    run("interfaceChangeCommit", 0)
    filtered(run, "connectListAllInterfaces", 0, 1, 2, 3)
    run("connectListAllInterfaces", 1, 4)
    run("interfaceLookupByMACString", "aa:bb:cc:dd:ee:ff")
    run("interfaceCreate", nine, 0)
    run("interfaceDefineXML", xml.format("eth9", "aa:bb:cc:dd:ee:00"), 0)
    run("interfaceIsActive", nine)
    for bad in ("<x/>", "junk", "<interface/>", "<interface type='zz' name='a'/>"):
        run("interfaceDefineXML", bad, 0)
    for number in ("connectNumOfInterfaces", "connectNumOfDefinedInterfaces"):
        run(number)


def devices(run: Run) -> None:
    filtered(run, "connectListAllNodeDevices", 0, *(1 << bit for bit in range(22)))
    run("connectListAllNodeDevices", 1, 1 << 22)
    for cap in (None, "system", "scsi_host", "fc_host", "vports", "pci", "zz"):
        run("nodeNumOfDevices", cap, 0)
        found = run.peer.call("nodeListDevices", cap, 100, 0)
        run.lines.append((f"devices {cap}", sorted(found)))
    port = (
        "<device><parent{}>{}</parent><capability type='scsi_host'><capability type='fc_host'>"
        "{}</capability></capability></device>"
    )
    names = "<wwnn>2000000056785679</wwnn><wwpn>1000000056785679</wwpn>"
    run("nodeDeviceCreateXML", port.format("", "scsi_host2", ""), 0)
    for attributes, parent in (
        ("", "scsi_host2"), ("", "zz"), ("", "computer"), ("", ""),
        (" wwnn='2000000012341234' wwpn='1000000012341234'", ""),
        (" fabric_wwn='2000000043214321'", ""), (" fabric_wwn='1'", ""),
    ):  # fmt: skip
        run("nodeDeviceCreateXML", port.format(attributes, parent, names), 0)
    for xml in (
        "<device/>", "<device><capability/></device>", "<device><capability type='zz'/></device>",
        "<device><name>a</name><capability type='scsi_host'/></device>", "junk", "<x/>",
        "<device><name>a</name><capability type='system'/></device>",
        "<device><parent>scsi_host1</parent><capability type='scsi_host'><capability type='zz'/></capability></device>",
    ):  # fmt: skip
        run("nodeDeviceCreateXML", xml, 0)
    run("nodeDeviceCreateXML", port.format("", "scsi_host2", names), 2)
    for name in ("computer", "scsi_host1", "scsi_host11", "scsi_host12", "zz"):
        run("nodeDeviceLookupByName", name)
        for flags in (0, 1):
            run("nodeDeviceGetXMLDesc", name, flags)
        run("nodeDeviceGetParent", name)
        run("nodeDeviceNumOfCaps", name)
        run("nodeDeviceListCaps", name, 5)
        for other in ("ReAttach", "Reset", "Dettach", "IsActive", "IsPersistent", "GetAutostart"):
            run(f"nodeDevice{other}", name)
    for name in ("scsi_host12", "scsi_host12", "scsi_host11", "computer", "scsi_host1"):
        run("nodeDeviceDestroy", name)
        filtered(run, "connectListAllNodeDevices", 0)
    run("nodeDeviceCreateXML", port.format("", "scsi_host2", names), 0)


def queries(run: Run) -> None:
    for name in (
        "connectGetType", "connectGetVersion", "connectGetCapabilities", "connectGetHostname",
        "nodeGetInfo", "connectGetLibVersion", "nodeGetFreeMemory", "nodeGetSecurityModel",
        "connectNumOfDomains", "connectNumOfDefinedDomains", "connectIsSecure",
    ):  # fmt: skip
        run(name)
    for kind in (None, "test", "x"):
        run("connectGetMaxVcpus", kind)
    for cells in ((0, 1), (0, 5), (1, 1), (2, 1), (-1, 1), (0, 0)):
        run("nodeGetCellsFreeMemory", *cells)
    for flags in (0, 1):
        run("connectGetSysinfo", flags)
        run("nodeGetCPUStats", -1, 4, flags)
        for wanted in ((0, 0), (1, 1), (1, 0), (0, 1)):
            run("nodeGetCPUMap", *wanted, flags)
    for cpu in (-1, 0, 5, 100):
        for count in (0, 1, 4, 16, 17):
            run("nodeGetCPUStats", cpu, count, 0)
    for arch in ("x86_64", "i686", "ppc64", "s390x", "ppc", "zz", ""):
        for wanted in (0, 1):
            run("connectGetCPUModelNames", arch, wanted, 0)
    run("connectGetDomainCapabilities", None, None, None, None, 0)
    run("nodeGetMemoryStats", 0, -1, 0)
    run("nodeGetMemoryParameters", 0, 0)
    run("nodeSuspendForDuration", 0, 60, 0)
    for pages in ([4], [4, 2048]):
        run("nodeGetFreePages", pages, 0, 1, 0)
    named = "<cpu><arch>x86_64</arch><model>Nehalem</model><feature name='vmx'/></cpu>"
    for documents in ([named], ["<cpu/>"], ["junk"], ["<x/>"], []):
        run("connectBaselineCPU", documents, 0)
    run("connectCompareCPU", "<cpu/>", 0)


def counts(run: Run) -> None:
    """Ask only for numbers, in older and newer ways, of what is there and what is not."""
    test = run("domainLookupByName", "test")
    off = run("domainDefineXML", domainXML("off"))
    snap = run(
        "domainSnapshotCreateXML", test, "<domainsnapshot><name>s</name></domainsnapshot>", 0
    )
    for dom in (test, GONE, off):
        for flags in (0, 1, 2, 1 << 20):
            run("domainHasCurrentSnapshot", dom, flags)
            run("domainSnapshotNum", dom, flags)
            run("domainSnapshotListNames", dom, 5, flags)
            run("domainGetSchedulerParametersFlags", dom, 0, flags)
            run("domainGetInterfaceParameters", dom, "zz", 0, flags)
            for name in ("Memory", "Blkio", "Numa"):
                for given in (flags, flags | 4, 3):
                    run(f"domainGet{name}Parameters", dom, 0, given)
            for disk in ("vda", "zz"):
                run("domainGetBlockIoTune", dom, disk, 0, flags)
                run("domainBlockStatsFlags", dom, disk, 0, flags)
        for wanted in ((0, 0), (0, 1), (1, 0), (1, 1)):
            run("domainMemoryStats", dom, *wanted)
    for flags in (0, 1, 2, 8, 1 << 20):
        run("domainSnapshotNumChildren", snap, flags)
        run("domainSnapshotListChildrenNames", snap, 5, flags)
    pool = run("storagePoolLookupByName", "default-pool")
    for change in ("storagePoolDestroy", "storagePoolUndefine"):
        run(change, pool)
        run("storagePoolNumOfVolumes", pool)
        run("storagePoolListVolumes", pool, 5)


def every(run: Run, dom: DomainRef) -> None:
    """Ask everything of a domain."""
    for name in (
        "Info", "MaxMemory", "MaxVcpus", "OSType", "Autostart", "SchedulerType", "SecurityLabel",
        "SecurityLabelList", "JobInfo",
    ):  # fmt: skip
        run(f"domainGet{name}", dom)
    for name in ("IsActive", "IsPersistent", "IsUpdated", "AbortJob"):
        run(f"domain{name}", dom)
    for name in (
        "GetState", "GetControlInfo", "HasManagedSaveImage", "GetHostname", "GetFSInfo",
        "GetMessages", "SnapshotCurrent", "GetLaunchSecurityInfo", "GetGuestVcpus", "GetTime",
        "ManagedSaveGetXMLDesc", "GetJobStats",
    ):  # fmt: skip
        for flags in (0, 1, 8):
            run(f"domain{name}", dom, flags)
    for flags in (0, 1, 2, 3, 8, 9, 16):
        run("domainGetXMLDesc", dom, flags)
    for flags in range(9):
        run("domainGetVcpusFlags", dom, flags)
        run("domainGetPerfEvents", dom, flags)
    for sizes in ((4, 2), (4, 1), (2, 1), (0, 0), (32, 4)):
        run("domainGetVcpus", dom, *sizes)
    for flags in range(5):
        run("domainGetVcpuPinInfo", dom, 4, 2, flags)
        run("domainGetEmulatorPinInfo", dom, 2, flags)
        run("domainGetIOThreadInfo", dom, flags)
        for name in ("Memory", "Blkio", "Numa"):
            for count in (2, 16, 17):
                run(f"domainGet{name}Parameters", dom, count, flags)
        run("domainGetSchedulerParametersFlags", dom, 16, flags)
        for disk in ("vda", "/guest/diskimage1", "zz", None, ""):
            run("domainGetBlockIoTune", dom, disk, 20, flags)
        for device in ("testnet0", "aa:bb:cc:dd:ee:ff", "zz", ""):
            run("domainGetInterfaceParameters", dom, device, 7, flags)
        for kind in (0, 1, 2, 3, -1):
            for uri in (None, "http://x"):
                run("domainGetMetadata", dom, kind, uri, flags)
    run("domainGetSchedulerParameters", dom, 1)
    for disk in ("vda", "/guest/diskimage1", "zz", ""):
        run("domainBlockStats", dom, disk)
        run("domainBlockStatsFlags", dom, disk, 0, 0)
        run("domainGetBlockInfo", dom, disk, 0)
        run("domainGetBlockInfo", dom, disk, 1)
    for device in ("testnet0", "AA:BB:CC:DD:EE:FF", "zz", ""):
        run("domainInterfaceStats", dom, device)
    for wanted in ((13, 0), (3, 0), (1024, 0), (1025, 0), (13, 1)):
        run("domainMemoryStats", dom, *wanted)
    for wanted in ((0, 0), (5, 0), (5, 1), (256, 0), (257, 0)):
        run("domainGetDiskErrors", dom, *wanted)
    for wanted in (
        (0, -1, 1, 0), (3, -1, 1, 0), (2, 0, 2, 0), (0, 0, 1, 0), (0, 0, 0, 0), (2, 0, 1, 0),
        (2, 1, 1, 0), (2, 1, 5, 0), (2, 2, 1, 0), (1, 0, 2, 0), (2, 0, 0, 0), (2, 0, 2, 1),
        (2, -2, 1, 0), (3, -1, 2, 0),
    ):  # fmt: skip
        run("domainGetCPUStats", dom, *wanted)
    for source in range(5):
        run("domainInterfaceAddresses", dom, source, 0)
    run("domainInterfaceAddresses", dom, 0, 1)
    for wanted in (
        (0, 15, 1),
        (0, 15, 2),
        (0, 15, 0),
        (0, 15, 3),
        (0, 15, 4),
        (0, 0, 1),
        (300, 4, 2),
    ):
        run("domainMemoryPeek", dom, *wanted)
    run("domainListAllSnapshots", dom, 1, 0)
    run("domainListAllCheckpoints", dom, 1, 0)
    run("domainGetBlockJobInfo", dom, "vda", 0)
    run("domainScreenshot", dom, 0, 1)


def ofRunning(run: Run) -> None:
    every(run, run("domainLookupByName", "test"))


def ofInactive(run: Run) -> None:
    every(run, run("domainDefineXML", domainXML("inactive")))


def ofMissing(run: Run) -> None:
    every(run, GONE)


def ofPaused(run: Run) -> None:
    dom = run("domainLookupByName", "test")
    run("domainSuspend", dom)
    every(run, dom)


def ofTransient(run: Run) -> None:
    disk = "<disk type='file'><source file='/guest/diskimage1'/><target dev='vda'/></disk>"
    tail = f"<devices>{disk}<interface type='user'/></devices>"
    every(run, run("domainCreateXML", domainXML("transient", "", tail), 0))


everythingOf = (queries, ofRunning, ofPaused, ofTransient, ofInactive, ofMissing)

_FOUND = (
    ("Domains", "domainGetXMLDesc", (0, 2)),
    ("Networks", "networkGetXMLDesc", (0,)),
    ("StoragePools", "storagePoolGetXMLDesc", (0,)),
    ("Interfaces", "interfaceGetXMLDesc", (0,)),
    ("NodeDevices", "nodeDeviceGetXMLDesc", (0,)),
)


def survey(run: Run) -> None:
    """Look at everything on a host."""
    run("nodeGetInfo")
    run("connectGetCapabilities")
    for kind, describe, flags in _FOUND:
        for ref in sorted(run.peer.call(f"connectListAll{kind}", 1, 0)[0]):
            for flag in flags:
                run(describe, ref.name if kind == "NodeDevices" else ref, flag)
            if kind == "Domains":
                run("domainGetState", ref, 0)
                run("domainIsPersistent", ref)
                run("domainHasManagedSaveImage", ref, 0)
                for snapshot in sorted(run.peer.call("domainListAllSnapshots", ref, 1, 0)[0]):
                    run("domainSnapshotGetXMLDesc", snapshot, 0)
                    run("domainSnapshotIsCurrent", snapshot, 0)
            elif kind == "Networks":
                run("networkIsActive", ref)
                run("networkIsPersistent", ref)
            elif kind == "StoragePools":
                run("storagePoolGetInfo", ref)
                run("storagePoolIsPersistent", ref)
                run("storagePoolListAllVolumes", ref, 1, 0)
            elif kind == "Interfaces":
                run("interfaceIsActive", ref)


def _stateful(more: str) -> str:
    return (
        "<node><domain type='test' xmlns:test='http://libvirt.org/schemas/domain/test/1.0'>"
        f"<name>a</name><memory>8192</memory><os><type>hvm</type></os>{more}</domain></node>"
    )


_STATES = (
    "<test:runstate>9</test:runstate>",
    "<test:runstate>x</test:runstate>",
    "<test:runstate>0</test:runstate>",
    "<test:runstate>2</test:runstate>",
    "<test:runstate>4</test:runstate>",
    "<test:runstate>6</test:runstate>",
    "<test:runstate>7</test:runstate>",
    "<test:runstate>1</test:runstate><test:hasmanagedsave>1</test:hasmanagedsave>",
    "<test:runstate>5</test:runstate><test:transient/>",
    "<test:transient/><test:hasmanagedsave/>",
    "<test:foo/>",
    "<test:domainsnapshot><name>s1</name></test:domainsnapshot>",
    "<test:domainsnapshot><name>s1</name><state>running</state><creationTime>5</creationTime></test:domainsnapshot><test:domainsnapshot><name>s2</name><parent><name>s1</name></parent><state>running</state><creationTime>5</creationTime><active>1</active></test:domainsnapshot>",
)

_HOSTS = (
    "<foo/>",
    "",
    "<node>",
    "<node><domain/></node>",
    "<node><domain file='/nonexist'/></node>",
    "<node><network/></node>",
    "<node><pool/></node>",
    "<node><interface/></node>",
    "<node><device/></node>",
    "<node><cpu><nodes>x</nodes></cpu></node>",
    "<node><cpu><nodes>-1</nodes></cpu></node>",
    "<node><cpu><model>012345678901234567890123456789012345678901234567890</model></cpu></node>",
    "<node><memory>x</memory></node>",
    "<node><memory>0</memory></node>",
    "<node><cpu><active>0</active></cpu></node>",
    "<node><cpu><mhz>x</mhz></cpu></node>",
    "<node><pool type='dir'><name>p</name><target><path>/p</path></target><volume/></pool></node>",
    """\
<node>
  <cpu><mhz>6000</mhz><model>i986</model><active>50</active><nodes>4</nodes><sockets>4</sockets><cores>4</cores><threads>2</threads></cpu>
  <memory>8192000</memory>
  <domain type='test' xmlns:test='http://libvirt.org/schemas/domain/test/1.0'><name>fv0</name><memory>8192</memory><os><type>hvm</type></os><test:runstate>5</test:runstate></domain>
  <domain type='test' xmlns:test='http://libvirt.org/schemas/domain/test/1.0'><name>fp</name><memory>8192</memory><os><type>hvm</type></os><test:runstate>3</test:runstate></domain>
  <domain type='test' xmlns:test='http://libvirt.org/schemas/domain/test/1.0'><name>fms</name><memory>8192</memory><os><type>hvm</type></os><test:runstate>5</test:runstate><test:hasmanagedsave>1</test:hasmanagedsave></domain>
  <domain type='test' xmlns:test='http://libvirt.org/schemas/domain/test/1.0'><name>ftr</name><memory>8192</memory><os><type>hvm</type></os><test:transient/></domain>
  <domain type='test' xmlns:test='http://libvirt.org/schemas/domain/test/1.0'><name>fsn</name><memory>8192</memory><os><type>hvm</type></os><test:domainsnapshot><name>s1</name><description>d</description><state>running</state><creationTime>1272917631</creationTime><active>1</active></test:domainsnapshot></domain>
  <domain type='test'><name>plain</name><memory>8192</memory><os><type>hvm</type></os></domain>
  <network><name>n1</name></network>
  <network><name>n2</name><forward mode='route'/><ip address='1.1.1.1' netmask='255.0.0.0'/></network>
  <interface type='ethernet' name='e0'><mac address='00:00:00:00:00:01'/></interface>
  <pool type='dir'><name>p1</name><target><path>/p1</path></target><volume><name>v1</name><capacity>1000</capacity></volume></pool>
  <device><name>scsi_host5</name><parent>computer</parent><capability type='scsi_host'><host>5</host></capability></device>
</node>
""",
)
_SPACES = (
    "<node xmlns='u'/>",
    "<q:node xmlns:q='u'><memory>5</memory></q:node>",
    "<q:nodes xmlns:q='u'/>",
    f"<node><pool type='dir'><name>p</name>{uuidElement()}<target><path>/p</path></target><volume><name>v</name>"
    "<capacity unit='TiB'>1</capacity></volume></pool></node>",
)

#: Descriptions of whole hosts, right and wrong.
FILES = (*_HOSTS, *_SPACES, *map(_stateful, _STATES))


SCRIPTS = (
    counts,
    lifecycle,
    actions,
    definitions,
    filters,
    statistics,
    memory,
    processors,
    tuning,
    threads,
    metadata,
    guests,
    saving,
    snapshots,
    checkpoints,
    networks,
    updates,
    pools,
    volumes,
    formats,
    interfaces,
    devices,
)
