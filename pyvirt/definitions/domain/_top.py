"""
A domain as a whole: its general part, and the groups that hold the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar

from lxml import etree

from pyvirt.definitions.domain._clock import Clock
from pyvirt.definitions.domain._os import OS
from pyvirt.definitions.domain._qemu import QEMU_NAMESPACE, QEMUExtras
from pyvirt.definitions.domain._test import TestState
from pyvirt.definitions.kinds import (
    BOOLEAN,
    SWITCH,
    TEXT,
    Kind,
    choice,
    custom,
    escape,
    integer,
    internal,
    number,
    unsupported,
    xmlError,
)
from pyvirt.definitions.metadata import metadataText
from pyvirt.definitions.reader import Node, parseDocument, parseTree, xmlText
from pyvirt.definitions.schema import (
    Context,
    attribute,
    classOf,
    element,
    elements,
    plainWriter,
    reader,
    replaced,
    special,
    writer,
)
from pyvirt.definitions.units import formatSet, parseSet, scaledKiB
from pyvirt.definitions.uuids import formatUUID, parseUUID
from pyvirt.definitions.values import definition
from pyvirt.errors import ErrorCode, ErrorDomain, virtError

if TYPE_CHECKING:
    from pyvirt.definitions.domain._audio import Audio
    from pyvirt.definitions.domain._balloon import MemBalloon
    from pyvirt.definitions.domain._chardev import Channel, Console, Parallel, Serial
    from pyvirt.definitions.domain._controller import Controller
    from pyvirt.definitions.domain._cpu import CPU
    from pyvirt.definitions.domain._disk import Disk
    from pyvirt.definitions.domain._display import Graphics, Input, Sound, Video
    from pyvirt.definitions.domain._features import Features
    from pyvirt.definitions.domain._filesystem import Filesystem
    from pyvirt.definitions.domain._hostdev import HostDev
    from pyvirt.definitions.domain._iommu import IOMMU
    from pyvirt.definitions.domain._memory import MemoryDevice
    from pyvirt.definitions.domain._net import Interface
    from pyvirt.definitions.domain._numatune import NUMATune
    from pyvirt.definitions.domain._os import Resource
    from pyvirt.definitions.domain._redirection import RedirDev, RedirFilter
    from pyvirt.definitions.domain._rng import RNG
    from pyvirt.definitions.domain._security import (
        PM,
        IdMap,
        KeyWrap,
        LaunchSecurity,
        Perf,
        Seclabel,
        SysInfo,
    )
    from pyvirt.definitions.domain._shmem import Shmem
    from pyvirt.definitions.domain._small import NVRAM, Hub, Lease
    from pyvirt.definitions.domain._smartcard import Smartcard
    from pyvirt.definitions.domain._tpm import TPM
    from pyvirt.definitions.domain._tune import (
        BlkioTune,
        CPUTune,
        DefaultIOThread,
        IOThreadIds,
        MemoryBacking,
        MemTune,
    )
    from pyvirt.definitions.domain._vsock import Vsock
    from pyvirt.definitions.domain._watching import Panic, Watchdog

__all__ = [
    "Devices",
    "DomainDefinition",
    "formatDevice",
    "formatDomain",
    "parseDevice",
    "parseDomain",
]


_SINGLE = {
    "watchdog": "watchdog",
    "memballoon": "memory balloon",
    "nvram": "nvram",
    "iommu": "IOMMU",
    "vsock": "vsock",
}


def _later(module: str, name: str) -> Callable[[], type]:
    """
    Name a class whose module is loaded when the first such element is met.

    There are hundreds, and what they are made of is a third of what a daemon needs: most domains have few kinds.
    """

    def load() -> type:
        found: type = getattr(import_module(f"pyvirt.definitions.domain.{module}"), name)
        return found

    return load


def _checkUSB(kids: dict[str, list[Node]]) -> None:
    if "controller" in kids:
        from pyvirt.definitions.domain._controller import checkUSB

        checkUSB(kids)


def _usuallyUSB(item: Input) -> bool:
    return item.bus is None and item.type not in ("mouse", "keyboard", "passthrough", "evdev")


@definition
class Devices:
    """The devices of a domain, each kind in the order of the document."""

    emulator: str | None = element()
    disks: tuple[Disk, ...] = elements(_later("_disk", "Disk"), "disk")
    controllers: tuple[Controller, ...] = elements(
        _later("_controller", "Controller"), "controller"
    )
    usbCheck: None = special(tags="controller", read=lambda node, kids, context: _checkUSB(kids))
    leases: tuple[Lease, ...] = elements(_later("_small", "Lease"), "lease")
    filesystems: tuple[Filesystem, ...] = elements(
        _later("_filesystem", "Filesystem"), "filesystem"
    )
    interfaces: tuple[Interface, ...] = elements(_later("_net", "Interface"), "interface")
    smartcards: tuple[Smartcard, ...] = elements(_later("_smartcard", "Smartcard"), "smartcard")
    serials: tuple[Serial, ...] = elements(_later("_chardev", "Serial"), "serial")
    parallels: tuple[Parallel, ...] = elements(_later("_chardev", "Parallel"), "parallel")
    consoles: tuple[Console, ...] = elements(_later("_chardev", "Console"), "console")
    channels: tuple[Channel, ...] = elements(_later("_chardev", "Channel"), "channel")
    inputs: tuple[Input, ...] = elements(_later("_display", "Input"), "input")
    tpms: tuple[TPM, ...] = elements(_later("_tpm", "TPM"), "tpm")
    graphics: tuple[Graphics, ...] = elements(_later("_display", "Graphics"), "graphics")
    sounds: tuple[Sound, ...] = elements(_later("_display", "Sound"), "sound")
    audios: tuple[Audio, ...] = elements(_later("_audio", "Audio"), "audio")
    videos: tuple[Video, ...] = elements(_later("_display", "Video"), "video")
    hostdevs: tuple[HostDev, ...] = elements(_later("_hostdev", "HostDev"), "hostdev")
    redirdevs: tuple[RedirDev, ...] = elements(_later("_redirection", "RedirDev"), "redirdev")
    redirfilter: RedirFilter | None = element(_later("_redirection", "RedirFilter"))
    hubs: tuple[Hub, ...] = elements(_later("_small", "Hub"), "hub")
    watchdogs: tuple[Watchdog, ...] = elements(_later("_watching", "Watchdog"), "watchdog")
    memballoon: MemBalloon | None = element(_later("_balloon", "MemBalloon"))
    rngs: tuple[RNG, ...] = elements(_later("_rng", "RNG"), "rng")
    nvram: NVRAM | None = element(_later("_small", "NVRAM"))
    panics: tuple[Panic, ...] = elements(_later("_watching", "Panic"), "panic")
    shmems: tuple[Shmem, ...] = elements(_later("_shmem", "Shmem"), "shmem")
    memories: tuple[MemoryDevice, ...] = elements(_later("_memory", "MemoryDevice"), "memory")
    iommu: IOMMU | None = element(_later("_iommu", "IOMMU"))
    vsock: Vsock | None = element(_later("_vsock", "Vsock"))

    xmlReadOrder: ClassVar[str] = (
        "disks controllers usbCheck leases filesystems interfaces smartcards parallels serials consoles "
        "channels inputs graphics sounds audios videos hostdevs watchdogs memballoon rngs tpms "
        "panics shmems nvram hubs redirdevs redirfilter memories iommu vsock"
    )

    def settle(self, node: Node, context: Context) -> Devices:
        """Of some devices there is only one."""
        counts: dict[Any, int] = {}
        for child in node:
            counts[child.tag] = counts.get(child.tag, 0) + 1
        for tag, what in _SINGLE.items():
            if counts.get(tag, 0) > 1:
                complain = custom if tag in ("iommu", "vsock") else internal
                raise complain(f"only a single {what} device is supported")("", node, "")
        if counts.get("redirfilter", 0) > 1:
            raise internal("only one set of redirection filter rule is supported")("", node, "")
        if counts.get("tpm", 0) > 2:
            raise custom(
                "a maximum of two TPM devices is supported, one of them being a TPM Proxy device"
            )("", node, "")
        self._checkUSB()
        if len(self.controllers) > 1:
            from pyvirt.definitions.domain._controller import insertController

            controllers: list[Controller] = []
            for each in self.controllers:
                insertController(controllers, each)
            return replaced(self, controllers=tuple(controllers))
        return self

    @property
    def any(self) -> bool:
        """Whether there is any device."""
        return any(getattr(self, name) for name, _ in _DEVICES.values())

    def _checkUSB(self) -> None:
        """Complain of devices on USB where there is none."""
        if not any(each.type == "usb" and each.model == "none" for each in self.controllers):
            return
        for found, text in (
            (
                any(each.bus == "usb" or _usuallyUSB(each) for each in self.inputs),
                "Can't add USB input device. USB bus is disabled",
            ),
            (
                any(each.type == "usb" for each in self.hostdevs),
                "Can't add host USB device: USB is disabled in this host",
            ),
            (bool(self.hubs), "Can't add USB hub: USB is disabled for this domain"),
        ):
            if found:
                raise virtError(ErrorCode.CONFIG_UNSUPPORTED, text, ErrorDomain.DOMAIN)

    @staticmethod
    def writeElement(value: Any, out: list[str], indent: str, tag: str, context: Context) -> None:
        """Write the element; unlike others it has two tags even where it is empty."""
        mark = len(out)
        plainWriter(Devices)(value, out, indent, tag, context)
        if len(out) == mark + 1:
            out[mark] = f"{indent}<{tag}>\n{indent}</{tag}>\n"


def _readUUID(node: Node, kids: dict[str, list[Node]], context: Context) -> bytes | None:
    found = kids.get("uuid")
    text = xmlText(found[0]) if found else ""
    if not text:
        return None
    value = parseUUID(text)
    if value is None:
        raise virtError(ErrorCode.INTERNAL_ERROR, "malformed uuid element", ErrorDomain.DOMAIN)
    return value


def _writeUUID(value: bytes, out: list[str], indent: str, context: Context) -> None:
    out.append(f"{indent}<uuid>{formatUUID(value)}</uuid>\n")


@definition
class Memory:
    """The memory of the guest, in KiB."""

    amount: int = 0
    dumpCore: bool | None = None

    @classmethod
    def readElement(cls, node: Node, context: Context) -> Memory:
        """Read an amount with its unit."""
        dump = node.get("dumpCore")
        return cls(
            amount=scaledKiB(node, "./memory[1]") or 0,
            dumpCore=None if dump is None else SWITCH.read(dump, node, "dumpCore"),
        )

    @staticmethod
    def writeElement(
        value: Memory, out: list[str], indent: str, tag: str, context: Context
    ) -> None:
        """Write it in KiB."""
        dump = ""
        if value.dumpCore is not None:
            dump = f" dumpCore='{'on' if value.dumpCore else 'off'}'"
        out.append(f"{indent}<memory{dump} unit='KiB'>{value.amount}</memory>\n")


def _readCurrent(node: Node, kids: dict[str, list[Node]], context: Context) -> int | None:
    found = kids.get("currentMemory")
    return scaledKiB(found[0], "./currentMemory[1]") if found else None


def _writeCurrent(value: int, out: list[str], indent: str, context: Context) -> None:
    out.append(f"{indent}<currentMemory unit='KiB'>{value}</currentMemory>\n")


def _readMaximum(node: Node, kids: dict[str, list[Node]], context: Context) -> Any:
    found = kids.get("maxMemory")
    if not found:
        return None
    text = found[0].get("slots")
    slots = 0
    if text:
        value = number(text)
        if value is None:
            raise xmlError("Failed to parse memory slot count")
        slots = value
    return (scaledKiB(found[0], "./maxMemory[1]") or 0, slots)


def _writeMaximum(value: Any, out: list[str], indent: str, context: Context) -> None:
    out.append(f"{indent}<maxMemory slots='{value[1]}' unit='KiB'>{value[0]}</maxMemory>\n")


def _readName(node: Node, kids: dict[str, list[Node]], context: Context) -> str:
    found = kids.get("name")
    name = xmlText(found[0]) if found else ""
    if not name:
        raise virtError(ErrorCode.NO_NAME, None, ErrorDomain.DOMAIN)
    return name


def _writeName(value: str, out: list[str], indent: str, context: Context) -> None:
    out.append(f"{indent}<name>{escape(value)}</name>\n")


def _readGenid(node: Node, kids: dict[str, list[Node]], context: Context) -> str | None:
    """Read the generation's identifier; empty for one that is to be made up."""
    found = kids.get("genid")
    if not found:
        return None
    if len(found) > 1:
        raise xmlError("element 'genid' can only appear once")
    text = xmlText(found[0])
    if not text:
        return ""
    value = parseUUID(text)
    if value is None:
        raise virtError(ErrorCode.INTERNAL_ERROR, "malformed genid element", ErrorDomain.DOMAIN)
    return formatUUID(value)


def _writeGenid(value: str, out: list[str], indent: str, context: Context) -> None:
    out.append(f"{indent}<genid>{value}</genid>\n")


def _readMetadata(node: Node, kids: dict[str, list[Node]], context: Context) -> str | None:
    found = kids.get("metadata")
    return metadataText(found[0]) if found else None


def _writeMetadata(value: str, out: list[str], indent: str, context: Context) -> None:
    out.append(f"{indent}{value}\n")


@definition
class VCPUs:
    """How many processors there are, now and at most, and where they may run."""

    placement: str | None = "static"
    cpuset: frozenset[int] | None = None
    maximum: int = 1
    current: int | None = None

    @classmethod
    def readElement(cls, node: Node, context: Context) -> VCPUs:
        """Read the counts."""
        maximum = number(xmlText(node))
        if maximum is None:
            raise xmlError("maximum vcpus count must be an integer")
        current = None
        text = node.get("current")
        if text is not None:
            current = integer().read(text, node, "current")
        placement = node.get("placement")
        cpuset = None
        if placement is not None:
            placement = choice("static auto").read(placement, node, "placement")
        if placement != "auto":
            text = node.get("cpuset")
            if text is not None:
                cpuset = parseSet(text, size=16384)
                if cpuset is None:
                    raise virtError(
                        ErrorCode.INVALID_ARG, f"Failed to parse bitmap '{text}'", ErrorDomain.NONE
                    )
                if not cpuset:
                    raise unsupported(f"Invalid value of 'cpuset': {text}")("", node, "")
        if current is not None and maximum < current:
            raise virtError(
                ErrorCode.CONFIG_UNSUPPORTED,
                "maximum vCPU count must not be less than current vCPU count",
                ErrorDomain.DOMAIN,
            )
        return cls(
            placement=placement or "static",
            cpuset=cpuset,
            maximum=maximum,
            current=None if current == maximum else current,
        )

    @staticmethod
    def writeElement(value: VCPUs, out: list[str], indent: str, tag: str, context: Context) -> None:
        """Write the counts."""
        head = f"{indent}<vcpu"
        if value.placement is not None:
            head += f" placement='{value.placement}'"
        if value.cpuset is not None:
            head += f" cpuset='{formatSet(value.cpuset)}'"
        if value.current is not None:
            head += f" current='{value.current}'"
        out.append(f"{head}>{value.maximum}</vcpu>\n")


@definition
class VCPU:
    """One processor: whether it is there, may be plugged, and in which order."""

    id: int | None = attribute(integer(), required=True)
    enabled: bool = attribute(BOOLEAN, required=True)
    hotpluggable: bool | None = attribute(BOOLEAN)
    order: int | None = attribute(integer(keepZero=False))


@definition
class VCPUList:
    """Every processor by itself."""

    vcpus: tuple[VCPU, ...] = elements(VCPU, "vcpu")


OS_TYPES = frozenset(["hvm", "xen", "linux", "exe", "uml", "xenpvh"])


def checkType(kids: dict[str, list[Node]]) -> None:
    """Complain of a guest that is of no type, or of one that nobody knows."""
    for child in kids.get("os", [()])[0]:
        if child.tag == "type":
            text = xmlText(child)
            if text:
                if text not in OS_TYPES:
                    raise unsupported("unknown OS type '{text}'")(text, child, "")
                arch = child.get("arch")
                if arch and arch not in ARCHITECTURES:
                    raise unsupported("Unknown architecture {text}")(arch, child, "")
                return
            break
    if "bootloader" not in kids or not xmlText(kids["bootloader"][0]):
        raise xmlError("an os <type> must be specified")


ARCHITECTURES = frozenset(
    [
        "alpha",
        "armv6l",
        "armv7l",
        "armv7b",
        "aarch64",
        "cris",
        "i686",
        "ia64",
        "lm32",
        "m68k",
        "microblaze",
        "microblazeel",
        "mips",
        "mipsel",
        "mips64",
        "mips64el",
        "or32",
        "parisc",
        "parisc64",
        "ppc",
        "ppc64",
        "ppc64le",
        "ppcemb",
        "riscv32",
        "riscv64",
        "s390",
        "s390x",
        "sh4",
        "sh4eb",
        "sparc",
        "sparc64",
        "unicore32",
        "x86_64",
        "xtensa",
        "xtensaeb",
    ]
)

LIFECYCLE = "destroy restart rename-restart preserve coredump-destroy coredump-restart"
DOMAIN_TYPES = [
    "qemu",
    "kqemu",
    "kvm",
    "xen",
    "lxc",
    "uml",
    "openvz",
    "test",
    "vmware",
    "hyperv",
    "vbox",
    "phyp",
    "parallels",
    "bhyve",
    "vz",
    "none",
    "hvf",
]


def _action(name: str, default: str, words: str = LIFECYCLE) -> Any:
    """A field of what is done at the end of a life."""
    return element(
        choice(words, error=unsupported(f"unknown {name} action: {{text}}")), name, default=default
    )


def _readTitle(text: str, node: Node, name: str) -> str:
    if "\n" in text:
        raise xmlError("Domain title can't contain newlines")
    return text


_TYPES = choice(DOMAIN_TYPES, error=unsupported("invalid domain type {text}"))


def _noType(node: Node) -> Exception:
    return virtError(ErrorCode.INTERNAL_ERROR, "missing domain type attribute", ErrorDomain.DOMAIN)


def _readType(text: str, node: Node, name: str) -> str | None:
    if not text:
        raise _noType(node)
    found: str | None = _TYPES.read(text, node, name)
    return found


def _checkSome(node: Node) -> None:
    """Complain of a domain without processors, as libvirt does: cells begin with the first."""
    if number((node.findtext("vcpu") or "1").strip()) == 0:
        raise virtError(
            ErrorCode.INTERNAL_ERROR,
            "CPU IDs in <numa> exceed the <vcpu> count",
            ErrorDomain.DOMAIN,
        )


def _checkModels(node: Node) -> None:
    """
    Complain of a label of no security model, unless it is left to the host whose model that is.

    The host of the test driver has none.
    """
    labels = node.findall("seclabel")
    if all(each.get("model") for each in labels):
        return
    if len(labels) > 1:
        raise xmlError("missing security model when using multiple labels")
    kind = labels[0].get("type")
    left = kind == "none" or (kind == "dynamic" and labels[0].find("baselabel") is None)
    if node.get("type") != "test" and not left:
        raise xmlError("missing security model in domain seclabel")


@definition
class DomainDefinition:
    """
    A domain.

    @ivar uuid: 16 bytes, or None before one is made up.
    @ivar memory: what the guest is given at start, in KiB with C{dumpCore}.
    @ivar currentMemory: KiB, or None for all of it.
    @ivar maxMemory: C{(KiB, slots)} for plugging memory in, or None.
    @ivar metadata: the whole metadata element as text.
    @ivar test: how the test driver finds it in a file, None where it is not said.
    @ivar qemu: what is handed to QEMU itself.
    """

    xmlReadOrder: ClassVar[str] = (
        "name uuid genid title description type osCheck seclabels labelled memory maxMemory "
        "currentMemory blkiotune memtune memoryBacking vcpu vcpus iothreads iothreadids "
        "defaultiothread cputune cpu processors numatune resource bootloader bootloaderArgs os idmap features "
        "clock onPoweroff onReboot onCrash onLockfailure pm perf devices sysinfos"
    )

    type: str | None = attribute(
        Kind(_readType),
        required=True,
        missing=_noType,
    )
    name: str = special(tags="name", read=_readName, write=_writeName)
    uuid: bytes | None = special(tags="uuid", read=_readUUID, write=_writeUUID)
    genid: str | None = special(tags="genid", read=_readGenid, write=_writeGenid)
    title: str | None = element(Kind(_readTitle, escape))
    description: str | None = element()
    metadata: str | None = special(tags="metadata", read=_readMetadata, write=_writeMetadata)
    maxMemory: Any = special(tags="maxMemory", read=_readMaximum, write=_writeMaximum)
    memory: Memory = element(Memory, default=Memory())
    currentMemory: int | None = special(
        tags="currentMemory", read=_readCurrent, write=_writeCurrent
    )
    blkiotune: BlkioTune | None = element(_later("_tune", "BlkioTune"))
    memtune: MemTune | None = element(_later("_tune", "MemTune"))
    memoryBacking: MemoryBacking | None = element(_later("_tune", "MemoryBacking"))
    vcpu: VCPUs = element(VCPUs, default=VCPUs())
    vcpus: VCPUList | None = element(VCPUList)
    iothreads: int | None = element(
        integer(keepZero=False, error=custom("invalid iothreads count '{text}'"))
    )
    iothreadids: IOThreadIds | None = element(_later("_tune", "IOThreadIds"))
    defaultiothread: DefaultIOThread | None = element(_later("_tune", "DefaultIOThread"))
    cputune: CPUTune | None = element(_later("_tune", "CPUTune"))
    numatune: NUMATune | None = element(_later("_numatune", "NUMATune"))
    resource: Resource | None = element(_later("_os", "Resource"))
    sysinfos: tuple[SysInfo, ...] = elements(_later("_security", "SysInfo"), "sysinfo")
    bootloader: str | None = element()
    bootloaderArgs: str | None = element(TEXT, "bootloader_args")
    osCheck: None = special(tags="os bootloader", read=lambda node, kids, context: checkType(kids))
    os: OS = element(OS, default=OS())
    idmap: IdMap | None = element(_later("_security", "IdMap"))
    features: Features | None = element(_later("_features", "Features"))
    cpu: CPU | None = element(_later("_cpu", "CPU"))
    processors: None = special(read=lambda node, kids, context: _checkSome(node))
    clock: Clock = element(Clock, default=Clock())
    onPoweroff: str = _action("on_poweroff", "destroy")
    onReboot: str = _action("on_reboot", "restart")
    onCrash: str = _action("on_crash", "destroy")
    onLockfailure: str | None = element(
        choice(
            "default poweroff restart pause ignore",
            error=unsupported("unknown on_lockfailure action: {text}"),
            absent="default",
        ),
        "on_lockfailure",
    )
    pm: PM | None = element(_later("_security", "PM"))
    perf: Perf | None = element(_later("_security", "Perf"))
    devices: Devices = element(Devices, default=Devices())
    seclabels: tuple[Seclabel, ...] = elements(_later("_security", "Seclabel"), "seclabel")
    labelled: None = special(read=lambda node, kids, context: _checkModels(node))
    keywrap: KeyWrap | None = element(_later("_security", "KeyWrap"))
    launchSecurity: LaunchSecurity | None = element(_later("_security", "LaunchSecurity"))
    test: TestState | None = None
    qemu: QEMUExtras | None = None

    def settle(self, node: Node, context: Context) -> DomainDefinition:
        """Check what only the whole can tell; take the UUID that the firmware tells."""
        if self.vcpus is not None:
            for vcpu in self.vcpus.vcpus:
                if (vcpu.id or 0) >= self.vcpu.maximum:
                    raise xmlError(f"vcpu id '{vcpu.id}' is out of range of maximum vcpu count")
        self._checkLabels(node)
        uuid = self.uuid
        for info in self.sysinfos:
            told = dict(dict(info.groups).get("system", ())).get("uuid")
            if told is not None:
                value = parseUUID(told)
                if uuid is None:
                    uuid = value
                elif value != uuid:
                    raise virtError(
                        ErrorCode.XML_DETAIL,
                        "UUID mismatch between <uuid> and <sysinfo>",
                        ErrorDomain.DOMAIN,
                    )
        test = TestState.read(node)
        if context.extra:
            raise context.extra[0]
        for event, action in (("poweroff", self.onPoweroff), ("reboot", self.onReboot)):
            if action.startswith("coredump"):
                raise unsupported(f"Lifecycle event '{event}' doesn't support '{action}' action")(
                    "", node, ""
                )
        return replaced(self, uuid=uuid, test=test, qemu=QEMUExtras.read(node))

    def _checkLabels(self, node: Node) -> None:
        """Refuse labels of disks where the domain's are not applied."""
        unlabelled = {label.model for label in self.seclabels if label.relabel is not True}
        for disk in self.devices.disks if unlabelled else ():
            for label in disk.source.labels if disk.source is not None else ():
                if label.model in unlabelled:
                    raise unsupported(
                        "label overrides require relabeling to be enabled at the domain level"
                    )("", node, "")

    @property
    def id(self) -> int | None:
        """A definition has no id: it is given when the domain runs."""
        return None


def joinGroups(node: Node) -> None:
    """
    Move what stands in a second group of a kind into the first.

    libvirt finds most things by their path, whichever of several groups they stand in; what it says of the
    group itself is that of the first.
    """
    first: dict[str, Node] = {}
    for child in list(node):
        tag = child.tag
        if tag not in _GROUPS:
            continue
        if tag not in first:
            first[tag] = child
        elif tag == "cpu":
            joinGroups(first[tag])
            for cells in child.findall("numa"):
                target = first[tag].find("numa")
                if target is None:
                    first[tag].append(cells)
                else:
                    target.extend(list(cells))
            node.remove(child)
        else:
            first[tag].extend(list(child))
            node.remove(child)


#: Groups of which there is one, though there may be several elements.
_GROUPS = frozenset(
    [
        "devices",
        "os",
        "features",
        "cputune",
        "memtune",
        "blkiotune",
        "memoryBacking",
        "pm",
        "perf",
        "idmap",
        "keywrap",
        "numa",
        "cpu",
    ]
)


def parseDomain(xml: str, *, inactive: bool = True, status: bool = False) -> DomainDefinition:
    """
    Parse a definition and check what can be checked without knowing the driver.

    @param status: it comes from what a driver keeps of a running domain, not from a user.

    @raise VirtError: XML_DETAIL for text that is not well formed, and what libvirt says of the rest.
    """
    node = parseDocument("domain", xml)
    joinGroups(node)
    context = Context(inactive=inactive, status=status, extra=[])
    found: DomainDefinition = reader(DomainDefinition)(node, context)
    return found


def formatDomain(
    definition: DomainDefinition,
    *,
    id: int | None = None,
    secure: bool = False,
    inactive: bool = False,
    migratable: bool = False,
    status: bool = False,
    numbered: bool = False,
) -> str:
    """
    Write a definition in libvirt's canonical form.

    @param id: the number of a running domain; what has none is written as one that does not run.
    @param secure: whether passwords are written.
    @param inactive: whether to leave out what only a running domain has.
    @param status: whether to write what only the driver is to know.
    @param numbered: whether to write the numbers of images in spite of C{inactive}: those of a domain that will be
        nothing else than what it is.
    """
    out: list[str] = []
    context = Context(
        inactive=inactive or ((id is None or id < 0) and not status),
        secure=secure,
        migratable=migratable,
        status=status,
        numbered=numbered or not inactive,
    )
    writer(DomainDefinition)(definition, out, "", "domain", context)
    if id is not None and id >= 0:
        out[0] = out[0].replace("'>", f"' id='{id}'>", 1) if "' xmlns" not in out[0] else out[0]
    if definition.qemu is not None:
        out[0] = out[0].replace("'>", f"' xmlns:qemu='{QEMU_NAMESPACE}'>", 1)
        end = out.pop()
        definition.qemu.write(out, "  ")
        out.append(end)
    return "".join(out)


#: Elements inside of C{devices} that a device may be given as by itself, and where they are kept.
_DEVICES: dict[str, tuple[str, Any]] = {
    "disk": ("disks", _later("_disk", "Disk")),
    "controller": ("controllers", _later("_controller", "Controller")),
    "lease": ("leases", _later("_small", "Lease")),
    "filesystem": ("filesystems", _later("_filesystem", "Filesystem")),
    "interface": ("interfaces", _later("_net", "Interface")),
    "smartcard": ("smartcards", _later("_smartcard", "Smartcard")),
    "serial": ("serials", _later("_chardev", "Serial")),
    "parallel": ("parallels", _later("_chardev", "Parallel")),
    "console": ("consoles", _later("_chardev", "Console")),
    "channel": ("channels", _later("_chardev", "Channel")),
    "input": ("inputs", _later("_display", "Input")),
    "tpm": ("tpms", _later("_tpm", "TPM")),
    "graphics": ("graphics", _later("_display", "Graphics")),
    "sound": ("sounds", _later("_display", "Sound")),
    "audio": ("audios", _later("_audio", "Audio")),
    "video": ("videos", _later("_display", "Video")),
    "hostdev": ("hostdevs", _later("_hostdev", "HostDev")),
    "redirdev": ("redirdevs", _later("_redirection", "RedirDev")),
    "hub": ("hubs", _later("_small", "Hub")),
    "watchdog": ("watchdogs", _later("_watching", "Watchdog")),
    "memballoon": ("memballoon", _later("_balloon", "MemBalloon")),
    "rng": ("rngs", _later("_rng", "RNG")),
    "nvram": ("nvram", _later("_small", "NVRAM")),
    "panic": ("panics", _later("_watching", "Panic")),
    "shmem": ("shmems", _later("_shmem", "Shmem")),
    "memory": ("memories", _later("_memory", "MemoryDevice")),
    "iommu": ("iommu", _later("_iommu", "IOMMU")),
    "vsock": ("vsock", _later("_vsock", "Vsock")),
}


def parseDevice(xml: str) -> tuple[str, Any]:
    """
    Parse a device given by itself, as for plugging it in.

    @return: the attribute of L{Devices} that such devices are kept in, and the device.
    """
    node = parseTree(xml, None, label="(device_definition)", domain=ErrorDomain.DOMAIN)
    known = _DEVICES.get(node.tag)
    if known is None:
        raise virtError(
            ErrorCode.CONFIG_UNSUPPORTED, f"unknown device type '{node.tag}'", ErrorDomain.DOMAIN
        )
    name, kind = known
    # Some readers look at the element around.
    etree.Element("devices").append(node)
    return name, reader(classOf(kind))(node, Context())


def formatDevice(name: str, device: Any, *, secure: bool = False) -> str:
    """
    Write one device by itself.

    @param name: the attribute of L{Devices} that it is kept in, as L{parseDevice} gives it.
    """
    tag = next(tag for tag, (kept, _) in _DEVICES.items() if kept == name)
    out: list[str] = []
    writer(classOf(_DEVICES[tag][1]))(device, out, "", tag, Context(secure=secure))
    return "".join(out)
