"""
Features of the hypervisor that a domain asks for or refuses.
"""

from __future__ import annotations

from typing import Any, ClassVar

from pyvirt.definitions.kinds import (
    SWITCH,
    choice,
    integer,
    missingAttribute,
    unsupported,
    xmlError,
)
from pyvirt.definitions.reader import Node
from pyvirt.definitions.schema import (
    Context,
    attribute,
    element,
    elementAttribute,
    present,
    replaced,
    special,
)
from pyvirt.definitions.units import scaled, scaledKiB
from pyvirt.definitions.values import definition
from pyvirt.errors import VirtError

__all__ = ["HYPERV", "Features"]


@definition
class State:
    """A feature whose element alone switches it on."""

    state: bool = attribute(SWITCH, default=True)


@definition
class RequiredState:
    """A feature that must say whether it is on."""

    state: bool = attribute(SWITCH, required=True)


@definition
class APIC:
    """The interrupt controller, and whether it signals the end of interrupts without an exit."""

    eoi: bool | None = attribute(SWITCH)


HYPERV = [
    "relaxed",
    "vapic",
    "spinlocks",
    "vpindex",
    "runtime",
    "synic",
    "stimer",
    "reset",
    "vendor_id",
    "frequencies",
    "reenlightenment",
    "tlbflush",
    "ipi",
    "evmcs",
    "avic",
]


@definition
class STimer(RequiredState):
    """Synthetic timers, and whether they may be direct."""

    direct: RequiredState | None = element(RequiredState)


@definition
class SpinLocks(RequiredState):
    """How often a spin lock is tried."""

    xmlOrder: ClassVar[str] = "state"

    retries: int | None = attribute(integer())

    def settle(self, node: Node, context: Context) -> SpinLocks:
        """Check the number, where it counts."""
        if not self.state:
            return replaced(self, retries=None)
        if self.retries is None:
            raise missingAttribute(node, "retries")
        if self.retries < 0xFFF:
            raise xmlError("HyperV spinlock retry count must be at least 4095")
        return self


@definition
class VendorId(RequiredState):
    """The name of the hypervisor's maker."""

    xmlOrder: ClassVar[str] = "state"

    value: str | None = attribute()

    def settle(self, node: Node, context: Context) -> VendorId:
        """Check the name, where it counts."""
        if not self.state:
            return replaced(self, value=None)
        if self.value is None:
            raise xmlError("missing 'value' attribute for HyperV feature 'vendor_id'")
        if len(self.value.encode()) > 12:
            raise xmlError("HyperV vendor_id value must not be more than 12 characters.")
        if "," in self.value:
            raise xmlError("HyperV vendor_id value is invalid")
        return self


@definition
class HyperV:
    """Enlightenments for guests that know Hyper-V."""

    xmlOpen: ClassVar[bool] = True
    xmlLast: ClassVar[bool] = True

    mode: str = attribute(choice("custom passthrough"), default="custom")
    relaxed: RequiredState | None = element(RequiredState)
    vapic: RequiredState | None = element(RequiredState)
    spinlocks: SpinLocks | None = element(SpinLocks)
    vpindex: RequiredState | None = element(RequiredState)
    runtime: RequiredState | None = element(RequiredState)
    synic: RequiredState | None = element(RequiredState)
    stimer: STimer | None = element(STimer)
    reset: RequiredState | None = element(RequiredState)
    vendorId: VendorId | None = element(VendorId, "vendor_id")
    frequencies: RequiredState | None = element(RequiredState)
    reenlightenment: RequiredState | None = element(RequiredState)
    tlbflush: RequiredState | None = element(RequiredState)
    ipi: RequiredState | None = element(RequiredState)
    evmcs: RequiredState | None = element(RequiredState)
    avic: RequiredState | None = element(RequiredState)

    @classmethod
    def prepare(cls, node: Node, context: Context) -> None:
        """Complain of what nobody knows."""
        for child in node:
            if isinstance(child.tag, str) and child.tag not in HYPERV:
                raise unsupported("unsupported HyperV Enlightenment feature: {text}")(
                    child.tag, child, ""
                )

    def settle(self, node: Node, context: Context) -> HyperV:
        """Passthrough takes all that the host has; nothing else is said."""
        return self


@definition
class DirtyRing(RequiredState):
    """A ring that logs dirty pages, and how many entries it has."""

    xmlOrder: ClassVar[str] = "state"

    size: int | None = attribute(integer())

    def settle(self, node: Node, context: Context) -> DirtyRing:
        """Check the size, where it counts."""
        if not self.state:
            return replaced(self, size=None)
        if self.size is None:
            raise missingAttribute(node, "size")
        if self.size & (self.size - 1) or not 1024 <= self.size <= 65536:
            raise xmlError("dirty ring must be power of 2 and ranges [1024, 65536]")
        return self


KVM = ["hidden", "hint-dedicated", "poll-control", "pv-ipi", "dirty-ring"]


@definition
class KVMFeatures:
    """What KVM shows to the guest."""

    xmlOpen: ClassVar[bool] = True
    xmlLast: ClassVar[bool] = True

    hidden: RequiredState | None = element(RequiredState)
    hintDedicated: RequiredState | None = element(RequiredState, "hint-dedicated")
    pollControl: RequiredState | None = element(RequiredState, "poll-control")
    pvIPI: RequiredState | None = element(RequiredState, "pv-ipi")
    dirtyRing: DirtyRing | None = element(DirtyRing, "dirty-ring")

    @classmethod
    def prepare(cls, node: Node, context: Context) -> None:
        """Complain of what nobody knows."""
        for child in node:
            if isinstance(child.tag, str) and child.tag not in KVM:
                raise unsupported("unsupported KVM feature: {text}")(child.tag, child, "")


@definition
class Passthrough(RequiredState):
    """How Xen passes devices through."""

    xmlOrder: ClassVar[str] = "state"

    mode: str | None = attribute(choice("default sync_pt share_pt", absent="default"))

    def settle(self, node: Node, context: Context) -> Passthrough:
        """A mode counts only where it is on."""
        return self if self.state else replaced(self, mode=None)


@definition
class XenFeatures:
    """What Xen does for the guest."""

    xmlOpen: ClassVar[bool] = True
    xmlLast: ClassVar[bool] = True

    e820Host: RequiredState | None = element(RequiredState, "e820_host")
    passthrough: Passthrough | None = element(Passthrough)

    @classmethod
    def prepare(cls, node: Node, context: Context) -> None:
        """Complain of what nobody knows."""
        for child in node:
            if isinstance(child.tag, str) and child.tag not in ("e820_host", "passthrough"):
                raise unsupported("unsupported Xen feature: {text}")(child.tag, child, "")


CAPABILITIES = [
    "audit_control",
    "audit_write",
    "block_suspend",
    "chown",
    "dac_override",
    "dac_read_search",
    "fowner",
    "fsetid",
    "ipc_lock",
    "ipc_owner",
    "kill",
    "lease",
    "linux_immutable",
    "mac_admin",
    "mac_override",
    "mknod",
    "net_admin",
    "net_bind_service",
    "net_broadcast",
    "net_raw",
    "setgid",
    "setfcap",
    "setpcap",
    "setuid",
    "sys_admin",
    "sys_boot",
    "sys_chroot",
    "sys_module",
    "sys_nice",
    "sys_pacct",
    "sys_ptrace",
    "sys_rawio",
    "sys_resource",
    "sys_time",
    "sys_tty_config",
    "syslog",
    "wake_alarm",
]


@definition
class Capabilities:
    """
    What a container's root may do.

    @ivar states: C{(capability, on)} pairs in libvirt's order.
    """

    policy: str = attribute(choice("default allow deny"), default="default")
    states: tuple[tuple[str, bool], ...] = special(
        read=lambda node, kids, context: _readCapabilities(node),
        write=lambda value, out, indent, context: out.extend(
            f"{indent}<{name} state='{'on' if on else 'off'}'/>\n" for name, on in value
        ),
        default=(),
    )

    xmlOmitEmpty: ClassVar[bool] = True

    @staticmethod
    def writeElement(value: Any, out: list[str], indent: str, tag: str, context: Context) -> None:
        """Write the element unless it says nothing."""
        if value.policy == "default" and not value.states:
            return
        if not value.states:
            out.append(f"{indent}<{tag} policy='{value.policy}'/>\n")
            return
        out.append(f"{indent}<{tag} policy='{value.policy}'>\n")
        out.extend(
            f"{indent}  <{name} state='{'on' if on else 'off'}'/>\n" for name, on in value.states
        )
        out.append(f"{indent}</{tag}>\n")


def _readCapabilities(node: Node) -> tuple[tuple[str, bool], ...]:
    found: dict[str, bool] = {}
    for child in node:
        if not isinstance(child.tag, str):
            continue
        if child.tag not in CAPABILITIES:
            raise unsupported("unexpected capability feature '{text}'")(child.tag, child, "")
        text = child.get("state")
        found[child.tag] = True if text is None else SWITCH.read(text, child, "state")
    return tuple((name, found[name]) for name in CAPABILITIES if name in found)


@definition
class GIC:
    """The interrupt controller of ARM."""

    version: str | None = attribute(choice("host 2 3 4"))


_TSEG_PATH = "string(./features/smm/tseg)"


@definition
class SMM(State):
    """System management mode, and how much memory it gets, in bytes."""

    tseg: int | None = special(
        tags="tseg",
        read=lambda node, kids, context: (
            scaled(kids["tseg"][0], _TSEG_PATH, default=1024 * 1024) if "tseg" in kids else None
        ),
        write=lambda value, out, indent, context: out.append(_tsegText(value, indent)),
    )

    def settle(self, node: Node, context: Context) -> SMM:
        """A size counts only where it is on."""
        return self if self.state else replaced(self, tseg=None)


def _tsegText(value: int, indent: str) -> str:
    size, unit = pretty(value)
    return f"{indent}<tseg unit='{unit}'>{size}</tseg>\n"


def pretty(value: int) -> tuple[int, str]:
    """Return a size with the largest unit that leaves no remainder."""
    unit = "B"
    for next_ in ("KiB", "MiB", "GiB", "TiB", "PiB", "EiB"):
        if value == 0 or value % 1024:
            break
        value //= 1024
        unit = next_
    return value, unit


@definition
class IOAPIC:
    """Who does the IO interrupt controller."""

    driver: str | None = attribute(choice("kvm qemu"))


def _pageSize(node: Node) -> int | None:
    """Read a size in KiB."""
    try:
        return scaledKiB(node, "./features/hpt/maxpagesize")
    except VirtError:
        raise unsupported("Unable to parse HPT maxpagesize setting")("", node, "") from None


@definition
class HPT:
    """The page table of POWER guests."""

    xmlOmitEmpty: ClassVar[bool] = True

    resizing: str | None = attribute(choice("none enabled disabled required", absent="none"))
    maxpagesize: int | None = special(
        tags="maxpagesize",
        read=lambda node, kids, context: (
            _pageSize(kids["maxpagesize"][0]) if "maxpagesize" in kids else None
        ),
        write=lambda value, out, indent, context: out.append(
            f"{indent}<maxpagesize unit='KiB'>{value}</maxpagesize>\n"
        ),
    )


@definition
class MSRs:
    """What becomes of reads and writes of unknown registers."""

    unknown: str | None = attribute(choice("ignore fault"), required=True)


@definition
class TCG:
    """Options of the emulator, sizes in KiB."""

    xmlOmitEmpty: ClassVar[bool] = True

    tbCache: int | None = special(
        tags="tb-cache",
        read=lambda node, kids, context: (
            scaledKiB(kids["tb-cache"][0], "./tb-cache") or None if "tb-cache" in kids else None
        ),
        write=lambda value, out, indent, context: out.append(
            f"{indent}<tb-cache unit='KiB'>{value}</tb-cache>\n"
        ),
    )


def _valued(name: str, words: str) -> Any:
    return elementAttribute(name, "value", choice(words))


FEATURES = [
    "acpi",
    "apic",
    "pae",
    "hap",
    "viridian",
    "privnet",
    "hyperv",
    "kvm",
    "pvspinlock",
    "capabilities",
    "pmu",
    "vmport",
    "gic",
    "smm",
    "ioapic",
    "hpt",
    "vmcoreinfo",
    "htm",
    "nested-hv",
    "msrs",
    "ccf-assist",
    "xen",
    "cfpc",
    "sbbc",
    "ibs",
    "tcg",
]


@definition
class Features:
    """The features element."""

    acpi: bool = present()
    apic: APIC | None = element(APIC)
    pae: bool = present()
    hap: State | None = element(State)
    viridian: bool = present()
    privnet: bool = present()
    hyperv: HyperV | None = element(HyperV)
    kvm: KVMFeatures | None = element(KVMFeatures)
    pvspinlock: State | None = element(State)
    capabilities: Capabilities | None = element(Capabilities)
    pmu: State | None = element(State)
    vmport: State | None = element(State)
    gic: GIC | None = element(GIC)
    smm: SMM | None = element(SMM)
    ioapic: IOAPIC | None = element(IOAPIC)
    hpt: HPT | None = element(HPT)
    vmcoreinfo: State | None = element(State)
    htm: RequiredState | None = element(RequiredState)
    nestedHV: RequiredState | None = element(RequiredState, "nested-hv")
    msrs: MSRs | None = element(MSRs)
    ccfAssist: RequiredState | None = element(RequiredState, "ccf-assist")
    xen: XenFeatures | None = element(XenFeatures)
    cfpc: str | None = _valued("cfpc", "broken workaround fixed")
    sbbc: str | None = _valued("sbbc", "broken workaround fixed")
    ibs: str | None = _valued("ibs", "broken workaround fixed-ibs fixed-ccd fixed-na")
    tcg: TCG | None = element(TCG)

    xmlOmitEmpty: ClassVar[bool] = True
    xmlLast: ClassVar[bool] = True

    @classmethod
    def prepare(cls, node: Node, context: Context) -> None:
        """Complain of features that nobody knows."""
        for child in node:
            if isinstance(child.tag, str) and child.tag not in FEATURES:
                raise unsupported("unexpected feature '{text}'")(child.tag, child, "")
