"""
Scripts about what domains may use of their host, made up from a number: changes, queries, and the XML they leave.

The same number makes the same script, so that a difference can be looked at again.  Calls are drawn with right
and wrong names, types, flags and values, on domains that run or do not, of all the kinds that matter.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from pyvirt import constants as c
from pyvirt.drivers.interfaces.values import DomainRef, TypedParam

from .testdriverpeers import Script, Transcript

__all__ = ["directed", "mixture"]

Call = tuple[str, tuple[Any, ...]]

_INT, _UINT, _ULLONG = c.VIR_TYPED_PARAM_INT, c.VIR_TYPED_PARAM_UINT, c.VIR_TYPED_PARAM_ULLONG
_BOOLEAN, _STRING = c.VIR_TYPED_PARAM_BOOLEAN, c.VIR_TYPED_PARAM_STRING

_NONE = 9007199254740991
_HUGE = 2**64 - 1


def _devices(disk: str = "", interface: str = "", more: str = "") -> str:
    return f"""<devices>
  <disk type='file'><source file='/a.img'/><target dev='vda'/>{disk}</disk>
  <disk type='file'><source file='/b.img'/><target dev='vdb' bus='virtio'/></disk>
  <disk type='file' device='cdrom'><target dev='hdc'/></disk>
  <interface type='user'><mac address='52:54:00:00:00:01'/></interface>
  <interface type='network'>
    <mac address='52:54:00:00:00:02'/><source network='default'/><target dev='net0'/>{interface}
  </interface>
  <interface type='bridge'>
    <mac address='52:54:00:00:00:03'/><source bridge='br0'/><target dev='net1'/>
  </interface>{more}
</devices>"""


def _domain(name: str, head: str = "", tail: str = "", vcpu: str = "<vcpu>4</vcpu>") -> str:
    return (
        f"<domain type='test'><name>{name}</name><memory>1048576</memory>{vcpu}{head}"
        f"<os><type>hvm</type></os>{tail}</domain>"
    )


_TUNED = """<iothreads>3</iothreads>
<cputune>
  <vcpupin vcpu='0' cpuset='0-1'/><emulatorpin cpuset='3'/><iothreadpin iothread='2' cpuset='5'/>
</cputune>
<blkiotune>
  <weight>300</weight>
  <device><path>/dev/a</path><weight>200</weight><read_iops_sec>5</read_iops_sec></device>
</blkiotune>
<memtune>
  <hard_limit>2000000</hard_limit><soft_limit>1000</soft_limit>
  <swap_hard_limit>3000000</swap_hard_limit><min_guarantee>5</min_guarantee>
</memtune>
<numatune><memory mode='interleave' nodeset='0-1,4'/></numatune>
<perf><event name='cmt' enabled='yes'/><event name='mbml' enabled='no'/></perf>"""

_THREADS = "<iothreads>4</iothreads><iothreadids><iothread id='7'/><iothread id='2'/></iothreadids>"
_DOMAINS = (
    _domain("bare"),
    _domain("plain", tail=_devices()),
    _domain(
        "tuned",
        _TUNED,
        _devices(
            "<iotune><total_bytes_sec>1000</total_bytes_sec>"
            "<total_bytes_sec_max>2000</total_bytes_sec_max><group_name>g</group_name>"
            "<total_bytes_sec_max_length>3</total_bytes_sec_max_length></iotune>",
            "<bandwidth><inbound average='100' peak='200' burst='300' floor='50'/>"
            "<outbound average='10'/></bandwidth>",
        ),
    ),
    _domain(
        "threads",
        _THREADS,
        _devices(
            more="<disk type='file'><driver name='qemu' iothread='2'/><source file='/c.img'/>"
            "<target dev='vdc' bus='virtio'/></disk>"
            "<controller type='scsi' index='0' model='virtio-scsi'><driver iothread='7'/>"
            "</controller><memballoon model='none'/>"
        ),
    ),
    _domain("nodes", "<numatune><memory mode='preferred' placement='auto'/></numatune>"),
    _domain(
        "few",
        "<currentMemory>524288</currentMemory><iothreads>2</iothreads>",
        "<devices><memballoon model='virtio'><stats period='7'/></memballoon></devices>",
        "<vcpu cpuset='0-3' current='1'>3</vcpu>",
    ),
)

_BASES = [f"{kind}_{unit}_sec" for kind in ("total", "read", "write") for unit in ("bytes", "iops")]
_RATES = [f"{name}{suffix}" for name in _BASES for suffix in ("", "_max", "_max_length")]
_RATES.append("size_iops_sec")
_LIMITS = ["weight", "read_iops_sec", "write_iops_sec", "read_bytes_sec", "write_bytes_sec"]
_BANDWIDTHS = [f"inbound.{name}" for name in ("average", "peak", "burst", "floor")]
_BANDWIDTHS += [f"outbound.{name}" for name in ("average", "peak", "burst")]
_EVENTS = ["cmt", "mbmt", "mbml", "cpu_cycles", "instructions", "alignment_faults"]
_LISTS = [
    "", "/dev/a,0", "/dev/a,300", "/dev/b,100,/dev/c,200", "/dev/c,7", "/dev/a,4294967295",
    "/dev/d,5,/dev/d,6", "/dev/a", "/dev/a,", ",", ",,", "/dev/a,x", "/dev/a,-1", "/dev/a,1,",
    "/dev/a,4294967296", "/dev/a, 1", "/dev/a,1 ", "/dev/a,0x10", ",5", "/dev/a,5x,/dev/b,3",
    "/dev/a,x,/dev/b,3", "/dev/a,,/dev/b,4",
]  # fmt: skip
_NODES = ["0", "0-1", "1,3", "0-3,^2", "", "x", "200", "16383", "16384", "^0", "0,^0", " 0 "]
_MAPS = [b"\x01", b"\x03", b"\x00", b"\xff", b"\xff\xff", b"\x05\x01", b"\x00\x00", b"\x10" * 3]
_DISKS = ["vda", "vda", "vdb", "hdc", "/a.img", "/guest/diskimage1", "zz", ""]
_INTERFACES = [
    "testnet0", "net0", "net1", "52:54:00:00:00:01", "52:54:00:00:00:02", "AA:BB:CC:DD:EE:FF",
    "zz", "",
]  # fmt: skip


class _Dice:
    """Draws calls."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.chance = self._random.random
        self.pick = self._random.choice
        self.some = self._random.sample
        self._kinds: list[Callable[[DomainRef], Call]] = [
            self.memory,
            self.block,
            self.nodes,
            self.bandwidth,
            self.rates,
            self.rates,
            self.events,
            self.thread,
            self.thread,
            self.pin,
            self.amount,
        ]

    def flags(self, *more: int) -> int:
        return self.pick([0, 0, 0, 0, 1, 1, 2, 2, 2, 3, 4, 8, *more])

    def spoilt(self, params: list[TypedParam]) -> list[TypedParam]:
        """Now and then make a mistake."""
        dice = self.chance()
        if dice < 0.04:
            params.append(TypedParam("bogus", _ULLONG, 1))
        elif dice < 0.08:
            params.append(params[0])
        elif dice < 0.12:
            params[0] = TypedParam(params[0].field, _INT, 1)
        elif dice < 0.14:
            params[0] = TypedParam(params[0].field, _STRING, "x")
        return params

    def drawn(self, names: list[str], most: int, kind: int, values: list[Any]) -> list[TypedParam]:
        count = self.pick(range(1, most + 1))
        return [TypedParam(name, kind, self.pick(values)) for name in self.some(names, count)]

    def change(self, dom: DomainRef) -> Call:
        return self.pick(self._kinds)(dom)

    def memory(self, dom: DomainRef) -> Call:
        names = ["hard_limit", "soft_limit", "swap_hard_limit"]
        values = [0, 1, 5000, 2000000, 4000000, _NONE - 1, _NONE, _NONE + 1, _HUGE]
        params = self.drawn(names, 3, _ULLONG, values)
        return "domainSetMemoryParameters", (dom, self.spoilt(params), self.flags())

    def block(self, dom: DomainRef) -> Call:
        params = self.drawn([f"device_{name}" for name in _LIMITS], 3, _STRING, _LISTS)
        if self.chance() < 0.4:
            params.insert(0, TypedParam("weight", _UINT, self.pick([0, 99, 100, 500, 1001])))
        return "domainSetBlkioParameters", (dom, self.spoilt(params), self.flags())

    def nodes(self, dom: DomainRef) -> Call:
        params = [
            TypedParam("numa_mode", _INT, self.pick([0, 1, 2, 3, 4, -1])),
            TypedParam("numa_nodeset", _STRING, self.pick(_NODES)),
        ]
        params = self.some(params, self.pick([1, 2]))
        return "domainSetNumaParameters", (dom, self.spoilt(params), self.flags())

    def bandwidth(self, dom: DomainRef) -> Call:
        params = self.drawn(_BANDWIDTHS, 4, _UINT, [0, 0, 1, 100, 5000])
        arguments = (dom, self.pick(_INTERFACES), self.spoilt(params), self.flags())
        return "domainSetInterfaceParameters", arguments

    def rates(self, dom: DomainRef) -> Call:
        values = [0, 1, 5, 1000, 2000, 2**63 - 1, _HUGE, 10**15, 10**15 + 1]
        params = self.drawn(_RATES, 5, _ULLONG, values)
        if self.chance() < 0.3:
            params.append(TypedParam("group_name", _STRING, self.pick(["g", "h", ""])))
        return "domainSetBlockIoTune", (
            dom,
            self.pick(_DISKS),
            self.spoilt(params),
            self.flags(),
        )

    def events(self, dom: DomainRef) -> Call:
        params = self.drawn(_EVENTS, 4, _BOOLEAN, [0, 1])
        return "domainSetPerfEvents", (dom, self.spoilt(params), self.flags())

    def thread(self, dom: DomainRef) -> Call:
        number = self.pick([0, 1, 2, 3, 5, 7, 8])
        flags = self.flags()
        dice = self.chance()
        if dice < 0.4:
            return "domainAddIOThread", (dom, number, flags)
        if dice < 0.6:
            return "domainDelIOThread", (dom, number, flags)
        if dice < 0.8:
            return "domainPinIOThread", (dom, number, self.pick(_MAPS), flags)
        polling = [
            TypedParam("poll_max_ns", _ULLONG, self.pick([5, 2**63])),
            TypedParam("poll_grow", _UINT, self.pick([3, 2**31])),
            TypedParam("poll_shrink", _UINT, 2**31 - 1),
            TypedParam("thread_pool_max", _INT, -1),
        ]
        params = self.some(polling, self.pick([1, 2]))
        return "domainSetIOThreadParams", (dom, number, self.spoilt(params), flags)

    def pin(self, dom: DomainRef) -> Call:
        number, cpus = self.pick([0, 1, 2, 3, 9]), self.pick(_MAPS)
        return self.pick(
            [
                ("domainPinVcpuFlags", (dom, number, cpus, self.flags())),
                ("domainPinVcpu", (dom, number, cpus)),
                ("domainPinEmulator", (dom, cpus, self.flags())),
            ]
        )

    def amount(self, dom: DomainRef) -> Call:
        kib = self.pick([1, 1024, 524288, 1048576, 1048577, 4000000])
        vcpus = self.pick([1, 2, 3, 4, 8, 32, 33])
        period = self.pick([0, 1, 100, -1, 2**31 - 1])
        return self.pick(
            [
                ("domainSetVcpusFlags", (dom, vcpus, self.flags(4, 5, 6, 7, 10))),
                ("domainSetMemoryStatsPeriod", (dom, period, self.flags())),
                ("domainSetMemoryFlags", (dom, kib, self.flags(4, 5, 6, 7))),
                ("domainSetMaxMemory", (dom, kib)),
                (
                    "domainSetSchedulerParametersFlags",
                    (dom, self.spoilt([TypedParam("weight", _UINT, 5)]), self.flags()),
                ),
            ]
        )

    def query(self, dom: DomainRef) -> Call:
        flags = self.pick([0, 0, 1, 2, 3, 4, 6, 8])
        disk, interface = self.pick(_DISKS), self.pick(_INTERFACES)
        queries: list[Call] = [
            ("domainGetMemoryParameters", (dom, 16, flags)),
            ("domainGetBlkioParameters", (dom, 16, flags)),
            ("domainGetNumaParameters", (dom, 16, flags)),
            ("domainGetBlockIoTune", (dom, disk, 20, flags)),
            ("domainGetInterfaceParameters", (dom, interface, 7, flags)),
            ("domainGetPerfEvents", (dom, flags)),
            ("domainGetIOThreadInfo", (dom, flags)),
            ("domainGetVcpuPinInfo", (dom, 4, 2, flags)),
            ("domainGetEmulatorPinInfo", (dom, 2, flags)),
            ("domainGetVcpus", (dom, 4, 2)),
            ("domainGetInfo", (dom,)),
            ("domainMemoryStats", (dom, 13, 0)),
            ("domainGetDiskErrors", (dom, 16, 0)),
            ("domainBlockStats", (dom, disk)),
            ("domainGetBlockInfo", (dom, disk, 0)),
            ("domainInterfaceStats", (dom, interface)),
            ("domainGetControlInfo", (dom, 0)),
            ("domainGetSecurityLabel", (dom,)),
            ("connectGetAllDomainStats", ([dom], self.pick([0, 1, 2, 128, 511]), 0)),
        ]
        return self.pick(queries)

    def guest(self, dom: DomainRef) -> Call:
        flags = self.pick([0, 0, 0, 0, 1, 2, 4])
        mounts = self.pick([[], ["/"], ["/boot"], ["/", "/"], ["/x"], ["/", "/x"], [""]])
        seconds = self.pick([0, 1, 5, 9999, 10000, 29999, 30001, 59999, 60000, 2**40])
        guests: list[Call] = [
            ("domainFSFreeze", (dom, mounts, flags)),
            ("domainFSThaw", (dom, mounts, flags)),
            ("domainFSTrim", (dom, self.pick([None, "/", "/x", ""]), 0, flags)),
            ("domainGetTime", (dom, flags)),
            ("domainSetTime", (dom, seconds, self.pick([0, 5, 999999999]), flags)),
            ("domainSetUserPassword", (dom, "root", "secret", flags)),
            ("domainGetHostname", (dom, flags)),
            ("domainGetFSInfo", (dom, flags)),
            ("domainInterfaceAddresses", (dom, self.pick([0, 1, 2, 3]), self.pick([0, 0, 1]))),
            ("domainMemoryPeek", (dom, self.pick([0, 255, 2**64 - 1]), 300, self.pick([1, 2, 3]))),
        ]
        return self.pick(guests)


def mixture(seed: int, steps: int = 40) -> Script:
    """Make a script of so many steps."""

    def script(run: Transcript) -> None:
        dice = _Dice(seed)
        doms = [run("domainLookupByName", "test")]
        for xml in dice.some(list(_DOMAINS), 2):
            how = dice.pick(["define", "define", "start", "create"])
            if how == "create":
                doms.append(run("domainCreateXML", xml, 0))
                continue
            doms.append(run("domainDefineXML", xml))
            if how == "start":
                run("domainCreate", doms[-1])
        for _ in range(steps):
            dom = dice.pick(doms)
            draw = dice.pick([dice.change, dice.change, dice.change, dice.query, dice.guest])
            name, arguments = draw(dom)
            run(name, *arguments)
            if draw == dice.change:
                run("domainGetXMLDesc", dom, 0)
                run("domainGetXMLDesc", dom, 2)
            if dice.chance() < 0.03:
                run(dice.pick(["domainSuspend", "domainResume", "domainDestroy"]), dom)

    script.__name__ = f"mixture {seed}"
    return script


def _ullongs(**values: int) -> list[TypedParam]:
    return [TypedParam(name, _ULLONG, value) for name, value in values.items()]


def memoryLimits(run: Transcript) -> None:
    """A limit is held against that of the running domain."""
    given: list[dict[str, int]] = [
        {"hard_limit": 2500},
        {"swap_hard_limit": 2500},
        {"hard_limit": 1500},
        {"hard_limit": _NONE},
        {"hard_limit": _NONE + 1},
        {"swap_hard_limit": _HUGE},
        {"hard_limit": _HUGE},
        {"soft_limit": _NONE + 1},
    ]
    dom = run("domainDefineXML", _domain("limits"))
    for started in (False, True):
        if started:
            dom = run("domainCreateWithFlags", dom, 0)
            limits = _ullongs(hard_limit=1000, swap_hard_limit=2000)
            run("domainSetMemoryParameters", dom, limits, 1)
        for flags in (2, 1):
            for values in given:
                run("domainSetMemoryParameters", dom, _ullongs(**values), flags)
                run("domainGetMemoryParameters", dom, 16, flags)
                run("domainGetXMLDesc", dom, 2)


def blockDevices(run: Transcript) -> None:
    """Devices keep the places they got with their first limit, and lists are read to the letter."""
    for steps in (
        ["weight /a,5,/b,6", "weight /a,0", "weight /a,7"],
        ["weight /a,5,/b,6", "read_iops_sec /a,4", "weight /a,0", "weight /a,7"],
        ["weight /a,0", "weight /b,5", "weight /a,7"],
        ["weight /b,5,/a,0,/c,5", "weight /a,7"],
        ["weight /b,5", "read_iops_sec /a,0", "weight /c,4", "weight /a,7"],
    ):
        dom = run("domainDefineXML", _domain("devices"))
        for step in steps:
            name, text = step.split(" ")
            params = [TypedParam(f"device_{name}", _STRING, text)]
            run("domainSetBlkioParameters", dom, params, 2)
            run("domainGetXMLDesc", dom, 2)
            run("domainGetBlkioParameters", dom, 16, 6)
        run("domainUndefine", dom)
    dom = run("domainDefineXML", _domain("devices"))
    for text in _LISTS:
        for name in ("weight", "write_bytes_sec"):
            params = [TypedParam(f"device_{name}", _STRING, text)]
            run("domainSetBlkioParameters", dom, params, 2)
            run("domainGetBlkioParameters", dom, 16, 6)


def groups(run: Transcript) -> None:
    """Disks of one group are changed one by one."""
    dom = run("domainDefineXML", _domain("groups", tail=_devices()))
    for disk, group, values in (
        ("vda", "g", {"total_bytes_sec": 1000, "total_bytes_sec_max": 2000}),
        ("vdb", "g", {}),
        ("vdb", None, {"total_iops_sec_max": 3000}),
        ("vda", "h", {"total_bytes_sec": 0, "total_bytes_sec_max_length": 5}),
        ("vda", None, {"total_bytes_sec": 3000}),
        ("hdc", "g", {"read_iops_sec_max": 7}),
        ("vdb", "", {"read_iops_sec_max": 7}),
        ("vdb", "", {"total_iops_sec_max": 0, "read_iops_sec_max": 7}),
    ):
        params = _ullongs(**values)
        if group is not None:
            params.append(TypedParam("group_name", _STRING, group))
        run("domainSetBlockIoTune", dom, disk, params, 2)
        run("domainGetXMLDesc", dom, 2)
        run("domainGetBlockIoTune", dom, disk, 20, 2)
    dom = run("domainCreateWithFlags", dom, 0)
    run("domainGetXMLDesc", dom, 2)


def threads(run: Transcript) -> None:
    """Threads that nobody numbered are counted until one is pinned or one before them goes."""
    dom = run("domainDefineXML", _domain("counted", "<iothreads>3</iothreads>"))
    steps: list[Call] = [
        ("domainAddIOThread", (7, 2)),
        ("domainAddIOThread", (5, 2)),
        ("domainDelIOThread", (5, 2)),
        ("domainDelIOThread", (7, 2)),
        ("domainDelIOThread", (3, 2)),
        ("domainPinIOThread", (2, b"\3", 2)),
        ("domainAddIOThread", (3, 2)),
        ("domainDelIOThread", (1, 2)),
        ("domainPinIOThread", (3, b"\1", 2)),
        ("domainPinIOThread", (2, b"\1", 2)),
    ]
    for name, arguments in steps:
        run(name, dom, *arguments)
        run("domainGetXMLDesc", dom, 2)
        run("domainGetIOThreadInfo", dom, 2)


def polling(run: Transcript) -> None:
    """Statistics tell how threads poll that were added, twice those that were added twice."""
    dom = run("domainDefineXML", _domain("polling", "<iothreads>2</iothreads>"))
    dom = run("domainCreateWithFlags", dom, 0)
    for number, flags in ((7, 2), (7, 1), (8, 1)):
        run("domainAddIOThread", dom, number, flags)
    polled = [*_ullongs(poll_max_ns=5), TypedParam("poll_grow", _UINT, 6)]
    for number in (1, 7, 8, 9):
        run("domainSetIOThreadParams", dom, number, polled, 1)
        for stats in (0, 1, 128, 129, 2):
            run("connectGetAllDomainStats", [dom], stats, 0)
    for number, flags in ((7, 1), (7, 2), (8, 1)):
        run("domainDelIOThread", dom, number, flags)
        run("connectGetAllDomainStats", [dom], 128, 0)
    run("connectGetAllDomainStats", [dom], 511, 1 << 31)


def control(run: Transcript) -> None:
    """A guest's clock says how its control is doing."""
    dom = run("domainLookupByName", "test")
    for seconds in (
        0, 1, 9999, 10000, 29999, 30000, 30001, 30002, 30003, 30004, 59999, 60000, 2**32 + 1, -1,
    ):  # fmt: skip
        run("domainSetTime", dom, seconds, 0, 0)
        run("domainGetTime", dom, 0)
        run("domainGetControlInfo", dom, 0)


def written(run: Transcript) -> None:
    """What a domain will be is its definition written and read again, when it is started."""
    names = ["sda", "vda", "hda", "vdb", "sdb", "hdb"]
    disks = "".join(
        f"<disk type='file'><source file='/{name}'/><target dev='{name}'/></disk>" for name in names
    )
    dom = run("domainDefineXML", _domain("written", tail=f"<devices>{disks}</devices>"))
    run("domainSetMemoryParameters", dom, _ullongs(swap_hard_limit=_HUGE), 2)
    dom = run("domainCreateWithFlags", dom, 0)
    for flags in (1, 2):
        run("domainGetMemoryParameters", dom, 16, flags)
    for flags in (0, 2):
        run("domainGetXMLDesc", dom, flags)
    run("domainDestroy", dom)
    run("domainGetXMLDesc", dom, 0)
    dom = run("domainDefineXML", _domain("broken", tail=_devices()))
    bounds = [TypedParam("inbound.peak", _UINT, 5), TypedParam("inbound.floor", _UINT, 5)]
    run("domainSetInterfaceParameters", dom, "net1", bounds, 2)
    run("domainGetXMLDesc", dom, 2)
    run("domainCreate", dom)
    run("domainGetState", dom, 0)
    run("domainLookupByName", "broken")


directed: list[Script] = [memoryLimits, blockDevices, groups, threads, polling, control, written]
