"""
What is asked of guests that are tuned: lines for virsh, and calls that are made up from a number.
"""

from __future__ import annotations

from typing import Any

from pyvirt import constants as c
from pyvirt.drivers.interfaces.values import DomainRef, TypedParam

from .testdriverpeers import Script, Transcript
from .tuningscripts import Call, _Dice

__all__ = ["DEFINED", "GUEST", "RUNNING", "mixture"]

#: FOLDER is the world's own.
GUEST = """\
<domain type='qemu'>
  <name>g</name>
  <uuid>11111111-2222-3333-4444-555555555555</uuid>
  <memory unit='KiB'>262144</memory>
  <vcpu current='2'>4</vcpu>
  <iothreads>2</iothreads>
  <os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type></os>
  <features><acpi/></features>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw'/>
      <source file='FOLDER/a.img'/><target dev='vda' bus='virtio'/>
    </disk>
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw' iothread='2'/>
      <source file='FOLDER/b.img'/><target dev='vdb' bus='virtio'/>
    </disk>
    <disk type='file' device='cdrom'><target dev='sda' bus='sata'/></disk>
    <channel type='unix'><target type='virtio' name='talk.0'/></channel>
    <interface type='user'><mac address='52:54:00:00:00:01'/></interface>
    <interface type='user'>
      <mac address='52:54:00:00:00:02'/>
      <bandwidth><inbound average='5'/><outbound average='7' peak='9' burst='11'/></bandwidth>
    </interface>
    <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
    <memballoon model='virtio'/>
  </devices>
</domain>
"""

_SCHEDULER = [
    "cpu_shares=0", "cpu_shares=1", "cpu_shares=300000", "cpu_shares=-1", "cpu_shares=500",
    "vcpu_period=5", "vcpu_period=0", "vcpu_period=2000000", "vcpu_period=50000",
    "vcpu_quota=5", "vcpu_quota=0", "vcpu_quota=-1", "vcpu_quota=-7", "vcpu_quota=20000",
    "vcpu_quota=18446744073709551", "vcpu_quota=17592186044416", "vcpu_quota=x",
    "emulator_period=5", "emulator_period=60000", "emulator_quota=30000", "emulator_quota=999",
    "global_quota=5", "global_period=5", "global_period=70000", "global_quota=-3",
    "iothread_period=5", "iothread_quota=5", "iothread_period=80000", "iothread_quota=40000",
    "weight=5", "cap=5",
]  # fmt: skip
_SCHEDULERS = [f"schedinfo g --set {each}{how}" for each in _SCHEDULER for how in ("", " --config")]
_ASKED = """
schedinfo g
schedinfo g --config
memtune g
memtune g --config
blkiotune g
blkiotune g --config
numatune g
numatune g --config
vcpupin g
vcpupin g --config
emulatorpin g
emulatorpin g --config
iothreadinfo g --config
perf g
perf g --config
blkdeviotune g vda
blkdeviotune g vda --config
blkdeviotune g sda --config
blkdeviotune g nope
blkdeviotune g nope --config
domiftune g 52:54:00:00:00:01
domiftune g 52:54:00:00:00:02 --config
domiftune g nope
domlaunchsecinfo g
dumpxml g --xpath //cputune
dumpxml g --xpath //blkiotune
dumpxml g --xpath //memtune
dumpxml g --xpath //numatune
dumpxml g --xpath //iotune
dumpxml g --xpath //iothreadids
dumpxml g --xpath //perf
dumpxml g --xpath //controller
dumpxml g --inactive --xpath //cputune
dumpxml g --inactive --xpath //blkiotune
dumpxml g --inactive --xpath //memtune
dumpxml g --inactive --xpath //numatune
dumpxml g --inactive --xpath //iotune
dumpxml g --inactive --xpath //iothreadids
dumpxml g --inactive --xpath //perf
desc g
desc g --title
metadata g http://x/
"""
_CHANGES = """
schedinfo g --set vcpu_period=50000 vcpu_quota=20000
memtune g --hard-limit 400000
memtune g --soft-limit 300001
memtune g --swap-hard-limit 300000
memtune g --swap-hard-limit 500000
memtune g --hard-limit 600000
memtune g --hard-limit 450000 --swap-hard-limit 700000
memtune g --min-guarantee 5
memtune g --hard-limit -1
memtune g --swap-hard-limit -1 --hard-limit -1
blkiotune g --weight 500
blkiotune g --weight 1
blkiotune g --weight 0
blkiotune g --device-weights /dev/nosuch,500
blkiotune g --device-read-iops-sec /dev/null,500 --config
blkiotune g --device-read-bytes-sec /tmp,500 --config
blkiotune g --device-write-bytes-sec /dev/x,5x
blkiotune g --device-write-bytes-sec /dev/x
blkiotune g --device-write-iops-sec /dev/x,500 --config
blkiotune g --device-write-iops-sec /dev/x,0 --config
blkiotune g --weight 300 --config
numatune g --mode strict
numatune g --mode preferred
numatune g --mode bogus
numatune g --mode 7
numatune g --nodeset 0
numatune g --nodeset x
numatune g --nodeset 0,^0
numatune g --nodeset 99 --config
numatune g --mode interleave --config
numatune g --mode restrictive --nodeset 0
numatune g --mode restrictive --nodeset 0 --config
vcpupin g 0 0
vcpupin g 3 0
vcpupin g 4 0
vcpupin g 9 0 --config
vcpupin g 1 0 --config
vcpupin g 1 999
vcpupin g 0 r
emulatorpin g 0
emulatorpin g 0 --config
iothreadpin g 1 0
iothreadpin g 7 0
iothreadpin g 0 0
iothreadpin g 9 0 --config
iothreadpin g 2 0 --config
iothreadadd g 5
iothreadadd g 1
iothreadadd g 0
iothreadadd g 5 --config
iothreadadd g 1 --config
iothreadset g 9 --poll-max-ns 5
iothreadset g 1 --poll-max-ns 5 --config
iothreadset g 1 --poll-max-ns 9223372036854775808
iothreadset g 1 --poll-grow 2147483648
iothreadset g 1 --poll-shrink 2147483648
iothreadset g 1 --thread-pool-max 0
iothreadset g 1 --thread-pool-min 6
iothreadset g 1 --thread-pool-min 6 --config
iothreadset g 1 --thread-pool-max 20 --config
iothreadset g 1 --thread-pool-min 21 --config
iothreadset g 1 --thread-pool-min 6 --config
iothreadset g 1 --thread-pool-min -1 --config
iothreaddel g 9
iothreaddel g 2
iothreaddel g 2 --config
iothreaddel g 5 --config
iothreaddel g 1 --config
blkdeviotune g vda --group-name foo
blkdeviotune g vda --total-bytes-sec 1000
blkdeviotune g vda --total-bytes-sec 1000 --read-bytes-sec 5
blkdeviotune g vda --total-bytes-sec-max 500
blkdeviotune g vda --total-bytes-sec-max 5000
blkdeviotune g vda --total-bytes-sec-max-length 5
blkdeviotune g vda --read-iops-sec 55 --group-name foo
blkdeviotune g vdb --group-name foo
blkdeviotune g vdb --write-iops-sec 66
blkdeviotune g vda --size-iops-sec 5
blkdeviotune g vda --total-iops-sec-max 5
blkdeviotune g vda --total-iops-sec 50 --config
blkdeviotune g vda --total-bytes-sec 1000000000000001
blkdeviotune g vda --total-bytes-sec-max-length 1000000000000001
blkdeviotune g sda --write-iops-sec 66
blkdeviotune g nope --write-iops-sec 66
blkdeviotune g nope --write-iops-sec 66 --config
domiftune g 52:54:00:00:00:01 --inbound 5
domiftune g 52:54:00:00:00:01 --outbound 5 --config
domiftune g nope --inbound 5
perf g --enable cmt
perf g --enable bogus
perf g --enable cpu_clock,page_faults
perf g --enable cpu_migrations,cmt --config
perf g --disable cpu_migrations --config
domsetlaunchsecstate g --secrethdr FOLDER/g.xml --secret FOLDER/g.xml
desc g --title hello
desc g hello world
desc g --config --title hi
metadata g http://x/ --key k --set "<a/>"
metadata g http://x/ --key k --set "<a"
metadata g http://x/ --config
metadata g http://y/ --key y --set "<b><c/></b>" --config
metadata g http://x/ --remove
send-process-signal g 1 1
"""
_LIVE = """
schedinfo g --live
memtune g --live
memtune g --hard-limit 500000 --live
numatune g --live
blkdeviotune g vda --live
blkdeviotune g vda --live --config --write-iops-sec 5
vcpupin g 0 0 --live
emulatorpin g --live
iothreadinfo g --live
iothreadadd g 4 --live
domiftune g 52:54:00:00:00:02 --live
perf g --live
domdirtyrate-calc g 0
domdirtyrate-calc g 61
domdirtyrate-calc g --mode dirty-ring
guestvcpus g
guestvcpus g --cpulist 0 --enable
guestvcpus g --cpulist x --disable
guestinfo g
guestinfo g --user
domhostname g
domtime g
domfsinfo g
domfstrim g
domfsfreeze g
domfsthaw g
set-user-password g root x
get-user-sshkeys g root
domifaddr g --source agent
qemu-agent-command g '{"execute":"guest-ping"}'
domcontrol g
"""


def _lines(text: str) -> list[str]:
    return text.strip().splitlines()


#: Lines for a domain that does not run, and for one that does.
DEFINED = [
    *_lines(_ASKED), *_SCHEDULERS, *_lines(_CHANGES), *_lines(_LIVE), *_lines(_ASKED), "dominfo g",
]  # fmt: skip
RUNNING = [*DEFINED, "iothreadset g 1 --poll-max-ns 5 --poll-grow 3 --poll-shrink 4",
    "iothreadset g 1 --thread-pool-min 5 --thread-pool-max 10",
    "iothreadset g 1 --thread-pool-min 50", "iothreadset g 1 --thread-pool-min -1",
    "iothreadset g 1 --thread-pool-max -1", "iothreadset g 1 --thread-pool-max 7",
    "domstats g --iothread", "iothreaddel g 1", "iothreaddel g 2", "iothreadinfo g",
    "domdirtyrate-calc g 1", "domjobinfo g",
    *_lines(_ASKED)]  # fmt: skip

_UINT, _ULLONG, _INT = c.VIR_TYPED_PARAM_UINT, c.VIR_TYPED_PARAM_ULLONG, c.VIR_TYPED_PARAM_INT
_LLONG, _STRING = c.VIR_TYPED_PARAM_LLONG, c.VIR_TYPED_PARAM_STRING
_NONE = 9007199254740991
_RATES = [
    f"{kind}_{unit}_sec{suffix}"
    for kind in ("total", "read", "write")
    for unit in ("bytes", "iops")
    for suffix in ("", "_max", "_max_length")
]


class _Guest(_Dice):
    """Draws calls for a guest of QEMU."""

    def change(self, dom: DomainRef) -> Call:
        return self.pick(
            [self.memory, self.block, self.nodes, self.bandwidth, self.rates, self.rates,
             self.thread, self.pin, self.times, self.times]
        )(dom)  # fmt: skip

    def memory(self, dom: DomainRef) -> Call:
        values = [300000, 400000, 2000000, 4000000, _NONE - 1, _NONE, _NONE + 1, 2**64 - 1]
        params = self.drawn(["hard_limit", "soft_limit", "swap_hard_limit"], 3, _ULLONG, values)
        return "domainSetMemoryParameters", (dom, self.spoilt(params), self.flags())

    def block(self, dom: DomainRef) -> Call:
        # A device without a name is written to disk, and libvirtd holds the domain for ever when it reads that.
        while True:
            found = super().block(dom)
            texts = [param.value for param in found[1][1] if isinstance(param.value, str)]
            if not any(text.startswith(",") or ",," in text for text in texts):
                return found

    def rates(self, dom: DomainRef) -> Call:
        values = [0, 0, 1, 5, 1000, 2000, 4000, 10**15, 10**15 + 1]
        params = self.drawn([*_RATES, "size_iops_sec"], 4, _ULLONG, values)
        if self.chance() < 0.4:
            params.append(TypedParam("group_name", _STRING, self.pick(["g", "h"])))
        disk = self.pick(["vda", "vda", "vdb", "vdb", "nope"])
        return "domainSetBlockIoTune", (dom, disk, self.spoilt(params), self.flags())

    def bandwidth(self, dom: DomainRef) -> Call:
        name, arguments = super().bandwidth(dom)
        return name, (dom, self.pick(["52:54:00:00:00:01", "zz", ""]), *arguments[2:])

    def times(self, dom: DomainRef) -> Call:
        who = self.pick(["vcpu", "emulator", "global", "iothread"])
        params = [
            TypedParam("cpu_shares", _ULLONG, self.pick([0, 1, 2, 1024, 262144, 262145])),
            TypedParam(f"{who}_period", _ULLONG, self.pick([0, 999, 1000, 10**6, 10**6 + 1])),
            TypedParam(f"{who}_quota", _LLONG, self.pick([0, -1, 999, 1000, 10**5, 2**44])),
        ]
        params = self.some(params, self.pick([1, 2, 3]))
        return "domainSetSchedulerParametersFlags", (dom, self.spoilt(params), self.flags())

    def query(self, dom: DomainRef) -> Call:
        flags = self.pick([0, 0, 1, 2, 3, 4, 6, 8])
        queries: list[Call] = [
            ("domainGetMemoryParameters", (dom, self.pick([0, 2, 16]), flags)),
            ("domainGetBlkioParameters", (dom, self.pick([3, 16]), flags)),
            ("domainGetNumaParameters", (dom, self.pick([0, 1, 16]), flags)),
            ("domainGetBlockIoTune", (dom, self.pick(["vda", "vdb", "zz"]), 20, flags)),
            ("domainGetInterfaceParameters", (dom, self.pick(["52:54:00:00:00:02", ""]), 7, flags)),
            ("domainGetSchedulerParametersFlags", (dom, self.pick([1, 2, 5, 9]), flags)),
            ("domainGetSchedulerType", (dom,)),
            ("domainGetPerfEvents", (dom, flags)),
            ("domainGetIOThreadInfo", (dom, flags & 2)),
            ("domainGetVcpuPinInfo", (dom, 4, 1, flags)),
            ("domainGetEmulatorPinInfo", (dom, 1, flags)),
            ("domainGetMessages", (dom, flags)),
            ("domainGetSecurityLabel", (dom,)),
            ("domainGetSecurityLabelList", (dom,)),
            ("domainGetLaunchSecurityInfo", (dom, flags)),
            ("domainGetMetadata", (dom, self.pick([0, 1, 2, 3]), "http://x/", flags)),
            ("domainGetGuestInfo", (dom, self.pick([0, 1, 127, 128, 4096]), flags & 1)),
            ("domainGetGuestVcpus", (dom, flags & 1)),
            ("domainSetGuestVcpus", (dom, self.pick(["0", "0-1", "x", ""]), 1, flags & 1)),
            ("nodeGetSecurityModel", ()),
            ("domainFSFreeze", (dom, self.pick([[], ["/"]]), flags & 1)),
            ("domainFSThaw", (dom, self.pick([[], ["/"]]), flags & 1)),
            ("domainFSTrim", (dom, self.pick([None, "/"]), 0, flags & 1)),
            ("domainGetTime", (dom, flags & 1)),
            ("domainSetTime", (dom, self.pick([5, 1 << 40]), 0, flags & 3)),
            ("domainSetUserPassword", (dom, "root", "secret", flags & 3)),
            ("domainGetHostname", (dom, flags & 7)),
            ("domainGetFSInfo", (dom, flags & 1)),
            ("domainInterfaceAddresses", (dom, self.pick([0, 1, 3]), flags & 1)),
            ("domainAuthorizedSSHKeysGet", (dom, "root", flags & 1)),
            ("domainAuthorizedSSHKeysSet", (dom, "root", ["a", "b"], flags & 7)),
            ("domainAgentSetResponseTimeout", (dom, self.pick([-3, -2, -1, 0, 5]), flags & 1)),
            ("domainStartDirtyRateCalc", (dom, self.pick([0, 61, -1]), flags)),
            ("domainGetControlInfo", (dom, flags & 1)),
        ]
        return self.pick(queries)

    def told(self, dom: DomainRef) -> Call:
        """Change what applications keep."""
        text = self.pick([None, "", "a", "<a/>", "<a"])
        kind = self.pick([0, 1, 2, 2, 3])
        key: Any = self.pick(["k", "k", None])
        return "domainSetMetadata", (dom, kind, text, key, "http://x/", self.flags(), 0)[:6]


def mixture(seed: int, steps: int = 60) -> Script:
    """Make a script of so many calls for the domain C{g}."""

    def script(run: Transcript) -> None:
        dice = _Guest(seed)
        dom = run("domainLookupByName", "g")
        for _ in range(steps):
            draw = dice.pick([dice.change, dice.change, dice.query, dice.told])
            name, arguments = draw(dom)
            run(name, *arguments)
            if draw == dice.change:
                run("domainGetXMLDesc", dom, 2)

    script.__name__ = f"mixture {seed}"
    return script
