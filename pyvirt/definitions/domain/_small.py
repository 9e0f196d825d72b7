"""
Devices of few words: watchdogs, balloons, random numbers, panic, shared memory, memory modules and the like.
"""

from __future__ import annotations

from typing import Any, ClassVar

from lxml import etree

from pyvirt.definitions.domain._address import BootDevice, Device, readInfoLast
from pyvirt.definitions.domain._chardev import (
    CHAR_TYPES,
    CharSource,
    readCharSource,
    writeCharSource,
)
from pyvirt.definitions.domain._common import VirtioDriver, VirtioOptions
from pyvirt.definitions.domain._cpu import someKind
from pyvirt.definitions.kinds import (
    BOOLEAN,
    SWITCH,
    UINT_NZ,
    Kind,
    choice,
    custom,
    escape,
    integer,
    internal,
    invalidAttribute,
    missingAttribute,
    number,
    unsupported,
    xmlError,
)
from pyvirt.definitions.reader import Node, xmlText
from pyvirt.definitions.schema import (
    Context,
    attribute,
    element,
    elementAttribute,
    elements,
    plainReader,
    present,
    reader,
    replaced,
    special,
    writer,
)
from pyvirt.definitions.units import scale, scaledKiB
from pyvirt.definitions.uuids import parseUUID
from pyvirt.definitions.values import definition
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = [
    "IOMMU",
    "NVRAM",
    "RNG",
    "TPM",
    "Filesystem",
    "Hub",
    "Lease",
    "MemBalloon",
    "MemoryDevice",
    "Panic",
    "RedirDev",
    "RedirFilter",
    "Shmem",
    "Smartcard",
    "Vsock",
    "Watchdog",
]


@definition
class Watchdog(Device):
    """A timer that acts when the guest no longer answers."""

    model: str | None = attribute(
        choice("i6300esb ib700 diag288", error=unsupported("unknown watchdog model '{text}'")),
        required=True,
        missing=lambda node: internal("watchdog must contain model name")("", node, ""),
    )
    action: str | None = attribute(
        choice(
            "reset shutdown poweroff pause dump none inject-nmi",
            error=unsupported("unknown watchdog action '{text}'"),
        ),
        default="reset",
    )


@definition
class MemBalloon(Device):
    """A device that gives memory back to the host."""

    xmlOrder: ClassVar[str] = (
        "model autodeflate freePageReporting stats alias acpiIndex address driver"
    )

    model: str | None = attribute(
        choice("virtio xen none virtio-transitional virtio-non-transitional"), required=True
    )
    autodeflate: bool | None = attribute(SWITCH)
    freePageReporting: bool | None = attribute(SWITCH)
    stats: int | None = elementAttribute(
        "stats", "period", integer(signed=True, base=0, keepZero=False)
    )
    driver: VirtioDriver | None = element(VirtioDriver)

    @classmethod
    def readElement(cls, node: Node, context: Context) -> MemBalloon:
        """Of a balloon that is none, only that counts."""
        if node.get("model") == "none":
            kept = etree.Element(node.tag, dict(node.items()))
            kept.extend(
                etree.fromstring(etree.tostring(child, with_tail=False))
                for child in node
                if child.tag in ("stats", "driver")
            )
            node = kept
        found: MemBalloon = plainReader(cls)(node, context)
        return found


@definition
class Rate:
    """How many bytes in how many milliseconds."""

    bytes: int | None = attribute(
        integer(keepZero=False, error=custom("invalid RNG rate bytes value"))
    )
    period: int | None = attribute(
        integer(keepZero=False, error=custom("invalid RNG rate period value"))
    )

    def settle(self, node: Node, context: Context) -> Rate | None:
        """A rate of nothing is none."""
        return None if self.bytes is None else self


@definition
class RNGBackend:
    """
    Where random numbers come from.

    @ivar source: of C{egd}, the character device.
    """

    model: str = "random"
    path: str | None = None
    source: CharSource | None = None

    @classmethod
    def readElement(cls, node: Node, context: Context) -> RNGBackend:
        """Read what the model needs."""
        model = node.get("model")
        if model is None:
            raise xmlError("missing RNG device backend model")
        if model not in ("random", "egd", "builtin"):
            raise unsupported("unknown RNG backend model '{text}'")(model, node, "")
        if model == "random":
            return cls(model=model, path=xmlText(node) or "/dev/random")
        if model == "egd":
            kind = node.get("type")
            if kind is None:
                raise xmlError("missing EGD backend type")
            if kind not in CHAR_TYPES:
                raise unsupported("unknown backend type '{text}' for egd")(kind, node, "")
            return cls(model=model, source=readCharSource(kind, node, context))
        return cls(model=model)

    @staticmethod
    def writeElement(value: Any, out: list[str], indent: str, tag: str, context: Context) -> None:
        """Write it back."""
        head = f"{indent}<{tag} model='{value.model}'"
        if value.source is not None:
            out.append(f"{head} type='{value.source.type}'>\n")
            writeCharSource(value.source, out, indent + "  ", context, labels=False)
            out.append(f"{indent}</{tag}>\n")
        elif value.path is not None:
            out.append(f"{head}>{escape(value.path)}</{tag}>\n")
        else:
            out.append(f"{head}/>\n")


def _checkOne(kids: dict[str, list[Node]]) -> None:
    """There is exactly one back end."""
    if len(kids.get("backend", ())) != 1:
        raise xmlError("only one RNG backend is supported")


@definition
class RNG(Device):
    """A source of random numbers."""

    xmlOrder: ClassVar[str] = "model rate counted backend driver"

    model: str | None = attribute(
        choice(
            "virtio virtio-transitional virtio-non-transitional",
            error=unsupported("unknown RNG model '{text}'"),
        ),
        required=True,
        missing=lambda node: xmlError("missing RNG device model"),
    )
    rate: Rate | None = element(Rate)
    counted: None = special(tags="backend", read=lambda node, kids, context: _checkOne(kids))
    backend: RNGBackend | None = element(RNGBackend)
    driver: VirtioDriver | None = element(VirtioDriver)


@definition
class Panic(Device):
    """A device by which the guest tells that it crashed."""

    xmlOmitEmpty: ClassVar[bool] = True

    model: str | None = attribute(
        choice(
            "default pseries isa hyperv s390",
            error=unsupported("unknown panic model '{text}'"),
            absent="default",
        )
    )


@definition
class ShmemServer:
    """The server of shared memory."""

    path: str | None = attribute()


@definition
class MSI:
    """Message interrupts of shared memory."""

    vectors: int | None = attribute(integer(base=0, keepZero=False))
    ioeventfd: bool | None = attribute(SWITCH)


_ROLES = choice("default master peer", absent="default")


def _readRole(text: str, node: Node, name: str) -> str | None:
    """Read a role; the oldest model has none."""
    model = node.find("model")
    if model is None or model.get("type") in (None, "ivshmem"):
        return None
    found: str | None = _ROLES.read(text, node, name)
    return found


@definition
class Shmem(Device):
    """Memory shared with other guests; the size in bytes."""

    xmlOrder: ClassVar[str] = "name role model size server msi"

    name: str = attribute(
        required=True, missing=lambda node: xmlError("shmem element must contain 'name' attribute")
    )
    role: str | None = attribute(Kind(_readRole))
    model: str | None = elementAttribute(
        "model", "type", choice("ivshmem ivshmem-plain ivshmem-doorbell"), default="ivshmem"
    )
    size: int | None = special(
        tags="size",
        read=lambda node, kids, context: _shmemSize(kids),
        write=lambda value, out, indent, context: out.append(
            f"{indent}<size unit='M'>{value >> 20}</size>\n"
        ),
    )
    server: ShmemServer | None = element(ShmemServer)
    msi: MSI | None = element(MSI)

    @classmethod
    def readElement(cls, node: Node, context: Context) -> Shmem:
        """Read its place and its name last."""
        found: Shmem = readInfoLast(cls, Device, node, context)
        return found

    def settle(self, node: Node, context: Context) -> Shmem:
        """Interrupts need a server; the oldest model has no roles."""
        if self.msi is not None and self.server is None:
            raise xmlError("msi option is only supported with a server")
        return self


def _shmemSize(kids: dict[str, list[Node]]) -> int | None:
    from pyvirt.definitions.units import scaled

    if "size" not in kids:
        return None
    value = scaled(kids["size"][0], "./size[1]", default=1)
    return value or None


@definition
class MemorySource:
    """What a memory module is made of."""

    xmlOmitEmpty: ClassVar[bool] = True

    nodemask: frozenset[int] | None = element(someKind("nodemask"))
    pagesize: int | None = special(
        tags="pagesize",
        read=lambda node, kids, context: (
            scaledKiB(kids["pagesize"][0], "./pagesize") if "pagesize" in kids else None
        ),
        write=lambda value, out, indent, context: out.append(
            f"{indent}<pagesize unit='KiB'>{value}</pagesize>\n"
        ),
    )
    path: str | None = element()
    alignsize: int | None = special(
        tags="alignsize",
        read=lambda node, kids, context: (
            scaledKiB(kids["alignsize"][0], "./alignsize") if "alignsize" in kids else None
        ),
        write=lambda value, out, indent, context: out.append(
            f"{indent}<alignsize unit='KiB'>{value}</alignsize>\n"
        ),
    )
    pmem: bool = present()


def _size(tag: str, path: str, required: bool = False, model: str = "") -> Any:
    def read(node: Node, kids: dict[str, list[Node]], context: Context) -> int | None:
        if model and node.getparent().get("model") != model:
            return None
        value = scaledKiB(kids[tag][0], path) if tag in kids else None
        if value is None and required:
            raise xmlError(
                f"missing element or attribute '{path.removesuffix('[1]')}'", ErrorDomain.XML
            )
        return value if required else value or None

    return special(
        tags=tag,
        read=read,
        write=lambda value, out, indent, context: out.append(
            f"{indent}<{tag} unit='KiB'>{value}</{tag}>\n"
        ),
    )


@definition
class Label:
    """The part of an NVDIMM that holds its label, in KiB."""

    xmlOmitEmpty: ClassVar[bool] = True

    size: int | None = _size("size", "./label/size")


@definition
class MemoryTarget:
    """
    What the guest sees of a memory module; sizes in KiB.

    @ivar current: how much of it a running guest has taken.
    """

    size: int | None = _size("size", "./size", True)
    node: int | None = element(integer(error=custom("invalid value of memory device node")))
    label: Label | None = special(
        tags="label",
        read=lambda node, kids, context: (
            reader(Label)(kids["label"][0], context)
            if "label" in kids and node.getparent().get("model") == "nvdimm"
            else None
        ),
        write=lambda value, out, indent, context: writer(Label)(
            value, out, indent, "label", context
        ),
    )
    readonly: bool = present()
    block: int | None = _size("block", "./block", model="virtio-mem")
    requested: int | None = _size("requested", "./requested", model="virtio-mem")
    current: int | None = special(
        tags="current",
        read=lambda node, kids, context: (
            scaledKiB(kids["current"][0], "./current")
            if "current" in kids and node.getparent().get("model") == "virtio-mem"
            else None
        ),
        write=lambda value, out, indent, context: (
            None
            if context.inactive
            else out.append(f"{indent}<current unit='KiB'>{value}</current>\n")
        ),
    )


#: What a module of each model is made of.
MEMORY_SOURCES: dict[str, tuple[str, ...]] = {
    "dimm": ("nodemask", "pagesize"),
    "nvdimm": ("path", "alignsize", "pmem"),
    "virtio-pmem": ("path",),
    "virtio-mem": ("nodemask", "pagesize"),
    "sgx-epc": ("nodemask",),
}


@definition
class MemoryDevice(Device):
    """A memory module."""

    xmlOrder: ClassVar[str] = "model access discard uuid source target"

    model: str = attribute(choice("dimm nvdimm virtio-pmem virtio-mem sgx-epc"), required=True)
    access: str | None = attribute(choice("default shared private", absent="default"))
    discard: bool | None = attribute(BOOLEAN)
    uuid: str | None = element()
    source: MemorySource | None = element(MemorySource)
    target: MemoryTarget | None = element(MemoryTarget)

    @classmethod
    def readElement(cls, node: Node, context: Context) -> MemoryDevice:
        """Read its place and its name last."""
        found: MemoryDevice = readInfoLast(cls, Device, node, context)
        return found

    def settle(self, node: Node, context: Context) -> MemoryDevice:
        """A module has a target."""
        target = self.target
        if target is None:
            raise xmlError("missing <target> element for <memory> device")
        label = target.label.size if target.label is not None else None
        if self.model == "nvdimm":
            if self.uuid is not None and parseUUID(self.uuid) is None:
                raise internal("malformed uuid element")("", node, "")
            if label is not None and label < 128:
                raise xmlError("nvdimm label must be at least 128KiB")
            if (label or 0) >= (target.size or 0):
                raise xmlError("label size must be smaller than NVDIMM size")
        if self.model != "nvdimm":
            target = replaced(target, label=None, readonly=False)
        if self.model == "virtio-mem":
            target = replaced(target, requested=target.requested or 0)
        else:
            target = replaced(target, block=None, requested=None)
        source = self.source
        if source is not None:
            kept = MEMORY_SOURCES[self.model]
            source = MemorySource(**{name: getattr(source, name) for name in kept})
        access = "shared" if self.model == "virtio-pmem" and self.access is None else self.access
        uuid = self.uuid if self.model == "nvdimm" else None
        return replaced(self, access=access, uuid=uuid, source=source, target=target)


@definition
class IOMMUDriver:
    """Options of the IOMMU."""

    xmlOmitEmpty: ClassVar[bool] = True

    intremap: bool | None = attribute(SWITCH)
    caching_mode: bool | None = attribute(SWITCH)
    eim: bool | None = attribute(SWITCH)
    iotlb: bool | None = attribute(SWITCH)
    aw_bits: int | None = attribute(UINT_NZ)


@definition
class IOMMU(Device):
    """The guest's IOMMU."""

    xmlOrder: ClassVar[str] = "model driver"

    model: str = attribute(choice("intel smmuv3 virtio"), required=True)
    driver: IOMMUDriver | None = element(IOMMUDriver)


@definition
class CID:
    """The number by which host and guest reach each other."""

    xmlOmitEmpty: ClassVar[bool] = True

    auto: bool | None = attribute(BOOLEAN)
    address: int | None = attribute(integer(zero=False))


@definition
class Vsock(Device):
    """A socket between host and guest."""

    xmlOrder: ClassVar[str] = "model cid alias acpiIndex address driver"

    model: str | None = attribute(
        choice("default virtio virtio-transitional virtio-non-transitional", absent="default")
    )
    cid: CID | None = element(CID)
    driver: VirtioDriver | None = element(VirtioDriver)


@definition
class Hub(Device):
    """A USB hub."""

    type: str = attribute(
        choice("usb", error=unsupported("unknown hub device type '{text}'")),
        required=True,
        missing=lambda node: internal("missing hub device type")("", node, ""),
    )


@definition
class NVRAM(Device):
    """Memory that POWER guests keep."""

    @staticmethod
    def writeElement(value: Any, out: list[str], indent: str, tag: str, context: Context) -> None:
        """Write the element, which has two tags even where it is empty."""
        body: list[str] = []
        writeInfo(value, body, indent + "  ", context)
        out.append(f"{indent}<{tag}>\n")
        out += body
        out.append(f"{indent}</{tag}>\n")


@definition
class LeaseTarget:
    """The file of a lease."""

    path: str | None = attribute()
    offset: int | None = attribute(integer(bits=64, keepZero=False))


@definition
class Lease:
    """A lease that the lock manager holds for the guest."""

    lockspace: str | None = element()
    key: str | None = element()
    target: LeaseTarget | None = element(LeaseTarget)

    def settle(self, node: Node, context: Context) -> Lease:
        """A lease has a space, a key and a file."""
        if self.key is None:
            raise xmlError("Missing 'key' element for lease")
        if self.target is None:
            raise xmlError("Missing 'target' element for lease")
        if self.target.path is None:
            raise xmlError("Missing 'path' attribute to 'target' element for lease")
        if not self.lockspace:
            raise VirtError("An error occurred, but the cause is unknown", int1=0, int2=0)
        return self


@definition
class RedirDev(BootDevice):
    """A USB device that comes from the person at the display."""

    bus: str = "usb"
    source: CharSource = CharSource()

    @classmethod
    def readElement(cls, node: Node, context: Context) -> RedirDev:
        """Read the host's end and the rest."""
        bus = node.get("bus")
        if bus is not None and bus != "usb":
            raise unsupported("unknown redirdev bus '{text}'")(bus, node, "")
        kind = node.get("type")
        if kind is None:
            raise internal("missing type in redirdev")("", node, "")
        if kind not in CHAR_TYPES:
            raise unsupported("unknown redirdev character device type '{text}'")(kind, node, "")
        source = readCharSource(kind, node, context)
        if kind == "spicevmc":
            source = replaced(source, type="spicevmc")
        device = reader(BootDevice)(node, context)
        if device.address is not None and device.address.type != "usb":
            raise xmlError("Invalid address for a USB device")
        return cls(
            source=source,
            boot=device.boot,
            alias=device.alias,
            acpiIndex=device.acpiIndex,
            address=device.address,
        )

    @staticmethod
    def writeElement(value: Any, out: list[str], indent: str, tag: str, context: Context) -> None:
        """Write it back."""
        head = f"{indent}<{tag} bus='{value.bus}' type='{value.source.type}'"
        body: list[str] = []
        writeCharSource(value.source, body, indent + "  ", context)
        writeInfo(value, body, indent + "  ", context)
        # It has two tags even where it is empty.
        out.append(head + ">\n")
        out += body
        out.append(f"{indent}</{tag}>\n")


def writeInfo(value: Any, out: list[str], indent: str, context: Context) -> None:
    """Write what any device may have, without an element around it."""
    inside: list[str] = []
    cls = BootDevice if isinstance(value, BootDevice) else Device
    writer(cls)(value, inside, indent[2:], "x", context)
    if len(inside) > 1:
        out += inside[1:-1]


@definition
class RedirUSB:
    """A rule of the filter; None matches anything."""

    cls: int | None = None
    vendor: int | None = None
    product: int | None = None
    version: str | None = None
    allow: bool = False

    @classmethod
    def readElement(cls, node: Node, context: Context) -> RedirUSB:
        """Read the numbers, of any base; -1 is anything."""
        found: dict[str, int | None] = {}
        for name, label, top in (
            ("class", "USB Class code", 0xFF),
            ("vendor", "USB vendor ID", 0xFFFF),
            ("product", "USB product ID", 0xFFFF),
        ):
            text = node.get(name)
            if text is None:
                found[name] = None
                continue
            value = number(text, 0, signed=True)
            if value is None:
                raise invalidAttribute(text, node, name, "integer value")
            if value != -1 and value & ~top:
                raise internal(f"Invalid {label} 0x{value & 0xFFFFFFFF:x}")(text, node, "")
            found[name] = None if value == -1 else value
        version = node.get("version")
        if version == "-1":
            version = None
        if version is not None:
            major, dot, minor = version.partition(".")
            one, two = number(major), number(minor)
            if not dot or one is None or two is None:
                raise xmlError(f"Cannot parse USB device version {version}")
            version = f"{_bcd(one)}.{_bcd(two):02d}"
        allow = node.get("allow")
        if allow is None:
            raise missingAttribute(node, "allow")
        return cls(
            cls=found["class"],
            vendor=found["vendor"],
            product=found["product"],
            version=version,
            allow=BOOLEAN.read(allow, node, "allow"),
        )

    @staticmethod
    def writeElement(value: Any, out: list[str], indent: str, tag: str, context: Context) -> None:
        """Write the rule."""
        head = f"{indent}<{tag}"
        if value.cls is not None:
            head += f" class='0x{value.cls:02X}'"
        if value.vendor is not None:
            head += f" vendor='0x{value.vendor:04X}'"
        if value.product is not None:
            head += f" product='0x{value.product:04X}'"
        if value.version is not None:
            head += f" version='{value.version}'"
        out.append(f"{head} allow='{'yes' if value.allow else 'no'}'/>\n")


def _bcd(value: int) -> int:
    return value


def _cannotParse(label: str, text: str) -> Exception:
    return virtError(ErrorCode.INTERNAL_ERROR, f"Cannot parse {label} '{text}'", ErrorDomain.DOMAIN)


@definition
class RedirFilter:
    """Which USB devices may be redirected."""

    xmlOmitEmpty: ClassVar[bool] = True

    rules: tuple[RedirUSB, ...] = elements(RedirUSB, "usbdev")


@definition
class TPMBackend:
    """What stands behind a TPM."""

    type: str = "passthrough"
    version: str | None = None
    persistent: bool = False
    device: str | None = None
    encryption: str | None = None
    banks: tuple[str, ...] = ()
    source: CharSource | None = None


BANKS = ("sha1", "sha256", "sha384", "sha512")


@definition
class TPM(Device):
    """A trusted platform module."""

    model: str | None = attribute(choice("tpm-tis tpm-crb tpm-spapr spapr-tpm-proxy"))
    backend: TPMBackend = special(
        tags="backend",
        read=lambda node, kids, context: _readTPMBackend(node, kids, context),
        write=lambda value, out, indent, context: _writeTPMBackend(value, out, indent, context),
    )


def _readTPMBackend(node: Node, kids: dict[str, list[Node]], context: Context) -> TPMBackend:
    found = kids.get("backend", [])
    if len(found) > 1:
        raise xmlError("only one TPM backend is supported")
    if not found:
        raise xmlError("missing TPM device backend")
    node = found[0]
    kind = node.get("type")
    if kind is None:
        raise missingAttribute(node, "type")
    kind = choice("passthrough emulator external").read(kind, node, "type")
    children: dict[str, Node] = {}
    for child in node:
        children.setdefault(child.tag, child)
    if kind == "passthrough":
        device = children["device"].get("path") if "device" in children else None
        return TPMBackend(type=kind, device=device or "/dev/tpm0")
    if kind == "external":
        source = children.get("source")
        if source is None or source.get("type") is None:
            raise xmlError("missing external TPM backend type")
        inner = source.get("type")
        if inner not in CHAR_TYPES:
            raise unsupported("unknown backend type '{text}' for external TPM")(inner, source, "")
        return TPMBackend(type=kind, source=_flatSource(inner, source, context))
    version = node.get("version")
    if version is not None:
        version = choice("default 1.2 2.0", absent="default").read(version, node, "version")
    persistent = node.get("persistent_state")
    if persistent is not None and persistent not in ("yes", "no"):
        raise internal("Invalid persistent_state value, either 'yes' or 'no'")("", node, "")
    secret = None
    if "encryption" in children:
        secret = children["encryption"].get("secret")
        if secret is not None:
            from pyvirt.definitions.uuids import formatUUID, parseUUID

            raw = parseUUID(secret)
            if raw is None:
                raise internal("Unable to parse secret uuid '{text}'")(secret, node, "")
            secret = formatUUID(raw)
    banks: list[str] = []
    if "active_pcr_banks" in children:
        for child in children["active_pcr_banks"]:
            if not isinstance(child.tag, str):
                continue
            if child.tag not in BANKS:
                raise unsupported("Unsupported PCR banks '{text}'")(child.tag, child, "")
            banks.append(child.tag)
    return TPMBackend(
        type=kind,
        version=version,
        persistent=persistent == "yes",
        encryption=secret,
        banks=tuple(bank for bank in BANKS if bank in banks),
    )


def _flatSource(kind: str, node: Node, context: Context) -> CharSource:
    """Read a source whose attributes stand on the element itself."""
    from pyvirt.definitions.domain._chardev import _readOneSource

    values: dict[str, Any] = {}
    _readOneSource(kind, node, values, context)
    return CharSource(type=kind, **values)


def _writeTPMBackend(value: TPMBackend, out: list[str], indent: str, context: Context) -> None:
    head = f"{indent}<backend type='{value.type}'"
    inner = indent + "  "
    body: list[str] = []
    if value.type == "passthrough":
        if value.device is not None:
            body.append(f"{inner}<device path='{escape(value.device)}'/>\n")
    elif value.type == "external":
        source = value.source
        assert source is not None
        line = f"{inner}<source type='{source.type}'"
        if source.mode is not None:
            line += f" mode='{source.mode}'"
        if source.path is not None:
            line += f" path='{escape(source.path)}'"
        body.append(line + "/>\n")
    else:
        if value.version is not None:
            head += f" version='{value.version}'"
        if value.persistent:
            head += " persistent_state='yes'"
        if value.encryption is not None:
            body.append(f"{inner}<encryption secret='{value.encryption}'/>\n")
        if value.banks:
            body.append(f"{inner}<active_pcr_banks>\n")
            body += [f"{inner}  <{bank}/>\n" for bank in value.banks]
            body.append(f"{inner}</active_pcr_banks>\n")
    if body:
        out.append(head + ">\n")
        out += body
        out.append(f"{indent}</backend>\n")
    else:
        out.append(head + "/>\n")


@definition
class Smartcard(Device):
    """A smart card of the guest."""

    mode: str = "host"
    certificates: tuple[str, ...] = ()
    database: str | None = None
    source: CharSource | None = None

    @classmethod
    def readElement(cls, node: Node, context: Context) -> Smartcard:
        """Read what the mode needs."""
        mode = node.get("mode")
        if mode is None:
            raise missingAttribute(node, "mode")
        mode = choice("host host-certificates passthrough").read(mode, node, "mode")
        certificates: tuple[str, ...] = ()
        database = source = None
        if mode == "host-certificates":
            certificates = tuple(xmlText(c) for c in node if c.tag == "certificate")
            if len(certificates) != 3:
                raise xmlError("host-certificates mode needs exactly three certificates")
            for child in node:
                if child.tag == "database":
                    database = xmlText(child)
                    if not database.startswith("/"):
                        raise xmlError(f"expecting absolute path: {database}")
                    break
        elif mode == "passthrough":
            kind = node.get("type")
            if kind is None:
                raise xmlError("passthrough mode requires a character device type attribute")
            if kind not in CHAR_TYPES:
                raise unsupported("unknown type presented to host for character device: {text}")(
                    kind, node, ""
                )
            source = readCharSource(kind, node, context)
        device = reader(Device)(node, context)
        return cls(
            mode=mode,
            certificates=certificates,
            database=database,
            source=source,
            alias=device.alias,
            acpiIndex=device.acpiIndex,
            address=device.address,
        )

    @staticmethod
    def writeElement(value: Any, out: list[str], indent: str, tag: str, context: Context) -> None:
        """Write it back."""
        head = f"{indent}<{tag} mode='{value.mode}'"
        inner = indent + "  "
        body = [f"{inner}<certificate>{escape(c)}</certificate>\n" for c in value.certificates]
        if value.database is not None:
            body.append(f"{inner}<database>{escape(value.database)}</database>\n")
        if value.source is not None:
            head += f" type='{value.source.type}'"
            writeCharSource(value.source, body, inner, context, labels=False)
        writeInfo(value, body, inner, context)
        if body:
            out.append(head + ">\n")
            out += body
            out.append(f"{indent}</{tag}>\n")
        else:
            out.append(head + "/>\n")


def _readQueue(text: str, node: Node, name: str) -> int | None:
    """Read the size of a queue, which one driver has; a negative number is taken for none."""
    if node.get("type") != "virtiofs" or not text:
        return None
    value = number(text, bits=64, signed=True)
    if value is None:
        raise xmlError(f"cannot parse queue size '{text}' for virtiofs")
    return value & 0xFFFFFFFFFFFFFFFF or None


@definition
class FSDriver(VirtioOptions):
    """How a folder reaches the guest."""

    xmlOmitEmpty: ClassVar[bool] = True
    xmlOrder: ClassVar[str] = "type format wrpolicy queue"

    type: str | None = attribute(
        choice("default path handle loop nbd ploop virtiofs mtp", absent="default")
    )
    name: str | None = None
    format: str | None = attribute(
        choice(
            "none raw dir bochs cloop dmg iso vpc vdi fat vhd ploop cow qcow qcow2 qed vmdk",
            error=unsupported("unknown driver format value '{text}'"),
            absent="none",
        )
    )
    wrpolicy: str | None = attribute(choice("default immediate", absent="default"))
    queue: int | None = attribute(Kind(_readQueue))

    def settle(self, node: Node, context: Context) -> FSDriver:
        """Without a type its attributes do not count."""
        if self.type is None and (self.format is not None or self.wrpolicy is not None):
            return replaced(self, format=None, wrpolicy=None)
        return self


def _readPool(text: str, node: Node, name: str) -> int | None:
    """Read how many threads there are; -1 leaves it open."""
    value: int = integer(
        signed=True, error=custom("cannot parse thread pool size '{text}' for virtiofs")
    ).read(text, node, name)
    return None if value == -1 else value


@definition
class FSLock:
    """Which locks reach the host."""

    xmlOmitEmpty: ClassVar[bool] = True

    posix: bool | None = attribute(SWITCH)
    flock: bool | None = attribute(SWITCH)


@definition
class FSBinary:
    """The server of virtiofs."""

    xmlOmitEmpty: ClassVar[bool] = True

    xmlReadOrder: ClassVar[str] = "threadPool path xattr lock cache sandbox"

    path: str | None = attribute()
    xattr: bool | None = attribute(SWITCH)
    cache: str | None = elementAttribute(
        "cache", "mode", choice("default none always", absent="default")
    )
    sandbox: str | None = elementAttribute(
        "sandbox", "mode", choice("default namespace chroot", absent="default")
    )
    lock: FSLock | None = element(FSLock)
    threadPool: int | None = elementAttribute(
        "thread_pool",
        "size",
        Kind(_readPool),
    )


@definition
class FSSource:
    """What is given to the guest; which attributes count depends on the type."""

    dir: str | None = attribute()
    file: str | None = attribute()
    dev: str | None = attribute()
    name: str | None = attribute()
    socket: str | None = attribute()
    usage: int | None = attribute(Kind(lambda text, node, name: _ramUsage(text, node)))
    units: str | None = attribute()
    pool: str | None = attribute()
    volume: str | None = attribute()


def _ramUsage(text: str, node: Node) -> int:
    """Read the size of a file system in memory, in KiB."""
    value = number(text, bits=64)
    if value is None:
        raise xmlError(f"cannot parse usage '{text}' for RAM filesystem")
    return scale(value, node.get("units"), 1024) // 1024


FS_SOURCES = {
    "mount": ("dir", "socket"),
    "bind": ("dir",),
    "block": ("dev",),
    "file": ("file",),
    "template": ("name",),
    "ram": ("usage",),
    "volume": ("pool", "volume"),
}


def _mode(name: str) -> Any:
    def read(text: str, node: Node, attr: str) -> int | None:
        value: int = integer(base=8).read(text, node, attr)
        if value > 0o777:
            raise xmlError(f"invalid {name}: '0{value:o}'")
        return value or None

    return attribute(Kind(read, lambda value: f"{value:04o}"))


@definition
class Filesystem(BootDevice):
    """A folder of the host in the guest."""

    xmlOrder: ClassVar[str] = (
        "type accessmode model multidevs fmode dmode driver binary source target readonly "
        "boot alias acpiIndex address spaceHardLimit spaceSoftLimit"
    )

    type: str | None = attribute(
        choice("mount block file template ram bind volume"), default="mount"
    )
    accessmode: str | None = attribute(choice("passthrough mapped squash", empty=True))
    fmode: int | None = _mode("fmode")
    dmode: int | None = _mode("dmode")
    model: str | None = attribute(
        choice("default virtio virtio-transitional virtio-non-transitional", absent="default")
    )
    multidevs: str | None = attribute(choice("default remap forbid warn", absent="default"))
    driver: FSDriver | None = element(FSDriver)
    binary: FSBinary | None = special(
        tags="binary driver",
        read=lambda node, kids, context: (
            reader(FSBinary)(kids["binary"][0], context)
            if "binary" in kids and kids.get("driver", [{}])[0].get("type") == "virtiofs"
            else None
        ),
        write=lambda value, out, indent, context: writer(FSBinary)(
            value, out, indent, "binary", context
        ),
    )
    source: FSSource | None = element(FSSource)
    target: str | None = elementAttribute("target", "dir")
    readonly: bool = present()
    spaceHardLimit: int | None = special(
        tags="space_hard_limit",
        read=lambda node, kids, context: _space(kids, "space_hard_limit"),
        write=lambda value, out, indent, context: out.append(
            f"{indent}<space_hard_limit unit='bytes'>{value}</space_hard_limit>\n"
        ),
    )
    spaceSoftLimit: int | None = special(
        tags="space_soft_limit",
        read=lambda node, kids, context: _space(kids, "space_soft_limit"),
        write=lambda value, out, indent, context: out.append(
            f"{indent}<space_soft_limit unit='bytes'>{value}</space_soft_limit>\n"
        ),
    )

    @classmethod
    def readElement(cls, node: Node, context: Context) -> Filesystem:
        """Read its place and its name last."""
        found: Filesystem = readInfoLast(cls, BootDevice, node, context)
        return found

    def settle(self, node: Node, context: Context) -> Filesystem:
        """Keep what the type has."""
        source = self.source
        changes: dict[str, Any] = {}
        if source is None and self.type == "ram":
            raise xmlError("missing 'usage' attribute for RAM filesystem")
        if source is not None:
            kept = FS_SOURCES[self.type or "mount"]
            source = FSSource(**{name: getattr(source, name) for name in kept})
            if self.type == "ram" and source.usage is None:
                raise xmlError("missing 'usage' attribute for RAM filesystem")
            if self.type == "ram":
                source = replaced(source, units="KiB")
            changes["source"] = source
        if self.type != "volume" and (source is None or source == FSSource()):
            raise virtError(ErrorCode.NO_SOURCE, self.target or None, ErrorDomain.DOMAIN)
        if self.accessmode is None and (source is None or source.socket is None):
            changes["accessmode"] = "passthrough"
        return replaced(self, **changes)


def _space(kids: dict[str, list[Node]], tag: str) -> int | None:
    from pyvirt.definitions.units import scaled

    if tag not in kids:
        return None
    return scaled(kids[tag][0], f"./{tag}[1]", default=1) or None
