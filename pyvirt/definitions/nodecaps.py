"""
What a device of the host can be: one class for each type of capability, with what is said of it.
"""

from __future__ import annotations

from typing import Any, ClassVar

from pyvirt.definitions.kinds import (
    FILLED,
    UINT_NZ,
    choice,
    escape,
    number,
)
from pyvirt.definitions.nodebase import (
    Capability,
    NewDevice,
    bad,
    internal,
    numberElement,
    requiredNumber,
    unsupported,
)
from pyvirt.definitions.nodepci import PCI, Inner, USBDevice, USBInterface, innerCapabilities
from pyvirt.definitions.reader import Node, xmlText
from pyvirt.definitions.schema import (
    Context,
    attribute,
    element,
    elements,
    reader,
    replaced,
    special,
    writer,
)
from pyvirt.definitions.uuids import formatUUID, parseUUID
from pyvirt.definitions.values import definition

__all__ = ["CAPABILITIES"]


# The computer


@definition
class Hardware:
    """What the maker says of the computer."""

    xmlOpen: ClassVar[bool] = True

    vendor: str | None = element(FILLED)
    version: str | None = element(FILLED)
    serial: str | None = element(FILLED)
    uuid: str | None = element(FILLED)


@definition
class Firmware:
    """What the firmware says of itself."""

    xmlOpen: ClassVar[bool] = True

    vendor: str | None = element(FILLED)
    version: str | None = element(FILLED)
    releaseDate: str | None = element(FILLED, "release_date")


@definition
class System(Capability):
    """The computer."""

    kind: ClassVar[str] = "system"
    xmlOrder: ClassVar[str] = "type product hardware firmware"

    product: str | None = element(FILLED)
    hardware: Hardware = element(Hardware, default=Hardware())
    firmware: Firmware = element(Firmware, default=Firmware())

    def settle(self, node: Node, context: Context) -> System:
        """It has a UUID."""
        text = self.hardware.uuid
        if not text:
            raise internal(f"no system UUID supplied for '{context.extra}'")
        value = parseUUID(text)
        if value is None:
            raise internal(f"malformed uuid element for '{context.extra}'")
        return replaced(self, hardware=replaced(self.hardware, uuid=formatUUID(value)))


# Networks, SCSI and storage

#: What the hardware of a network interface can do, in libvirt's order.
FEATURES = [
    "rx",
    "tx",
    "sg",
    "tso",
    "gso",
    "gro",
    "lro",
    "rxvlan",
    "txvlan",
    "ntuple",
    "rxhash",
    "rdma",
    "txudptnl",
    "switchdev",
]


@definition
class Link:
    """Whether a cable is plugged in, and how fast it is, in Mbit/s."""

    xmlOmitEmpty: ClassVar[bool] = True

    speed: int | None = attribute(UINT_NZ)
    state: str | None = attribute(
        choice("unknown notpresent down lowerlayerdown testing dormant up")
    )


def _readFeatures(node: Node, kids: dict[str, list[Node]], context: Context) -> tuple[str, ...]:
    found = set()
    for child in kids.get("feature", ()):
        name = child.get("name")
        if name is None:
            raise bad("missing network device feature name")
        if name not in FEATURES:
            raise bad(f"unknown network device feature '{name}'")
        found.add(name)
    return tuple(name for name in FEATURES if name in found)


def _readMedium(node: Node, kids: dict[str, list[Node]], context: Context) -> str | None:
    for child in kids.get("capability", ()):
        kind = child.get("type")
        if not kind:
            continue
        if kind not in ("80203", "80211"):
            raise unsupported(f"invalid network type supplied for '{context.extra}'")
        return str(kind)
    return None


@definition
class Net(Capability):
    """A network interface."""

    kind: ClassVar[str] = "net"
    xmlOrder: ClassVar[str] = "type interface address link features medium"
    xmlReadOrder: ClassVar[str] = "interface address features link"

    interface: str | None = element(FILLED)
    address: str | None = element(FILLED)
    link: Link | None = element(Link)
    features: tuple[str, ...] = special(
        tags="feature",
        read=_readFeatures,
        write=lambda value, out, indent, context: out.extend(
            f"{indent}<feature name='{name}'/>\n" for name in value
        ),
        default=(),
    )
    medium: str | None = special(
        tags="capability",
        read=_readMedium,
        write=lambda value, out, indent, context: out.append(
            f"{indent}<capability type='{value}'/>\n"
        ),
    )

    @classmethod
    def prepare(cls, node: Node, context: Context) -> None:
        """It has a name."""
        found = node.find("interface")
        if found is None or not xmlText(found):
            raise internal(f"no network interface supplied for '{context.extra}'")


@definition
class FCHost:
    """The names of a port of a fibre channel."""

    wwnn: str | None = element(FILLED)
    wwpn: str | None = element(FILLED)
    fabric: str | None = element(FILLED, "fabric_wwn")


@definition
class SCSIHost(Capability):
    """
    A SCSI host.

    @ivar uniqueID: None where not said.
    @ivar ports: where virtual ports can be made on it, how many at most, and how many there are: these
        numbers are found, and never read.
    """

    kind: ClassVar[str] = "scsi_host"
    xmlOrder: ClassVar[str] = "type host uniqueID fc ports"

    host: int = special(
        tags="host",
        read=lambda node, kids, context: _readHost(kids, context),
        write=lambda value, out, indent, context: out.append(f"{indent}<host>{value}</host>\n"),
    )
    uniqueID: int | None = special(
        tags="unique_id",
        read=lambda node, kids, context: _readUnique(kids, context),
        write=lambda value, out, indent, context: out.append(
            f"{indent}<unique_id>{value}</unique_id>\n"
        ),
    )
    fc: FCHost | None = special(
        tags="capability",
        read=lambda node, kids, context: _readFC(kids, context),
        write=lambda value, out, indent, context: _writeFC(value, out, indent, context),
    )
    ports: tuple[int, int] | None = special(
        tags="capability",
        read=lambda node, kids, context: (
            (0, 0)
            if any(child.get("type") == "vport_ops" for child in kids.get("capability", ()))
            else None
        ),
        write=lambda value, out, indent, context: out.append(
            f"{indent}<capability type='vport_ops'>\n{indent}  <max_vports>{value[0]}</max_vports>\n"
            f"{indent}  <vports>{value[1]}</vports>\n{indent}</capability>\n"
        ),
    )


def _readHost(kids: dict[str, list[Node]], context: Context) -> int:
    """Read the number of a host; that of a new one is not known yet."""
    if isinstance(context.extra, NewDevice):
        return 0
    return requiredNumber("SCSI host ID", kids, "host", context)


def _readUnique(kids: dict[str, list[Node]], context: Context) -> int | None:
    if isinstance(context.extra, NewDevice):
        return 0
    text = xmlText(kids["unique_id"][0]) if "unique_id" in kids else ""
    if not text:
        return None
    value = number(text, signed=True)
    if value is None:
        raise internal(f"invalid unique_id supplied for '{context.extra}'")
    return value if value >= 0 else None


def _readFC(kids: dict[str, list[Node]], context: Context) -> FCHost | None:
    found = None
    for child in kids.get("capability", ()):
        kind = child.get("type")
        if kind is None:
            raise internal(f"missing SCSI host capability type for '{context.extra}'")
        if kind == "vport_ops":
            continue
        if kind != "fc_host":
            raise internal(f"unknown SCSI host capability type '{kind}' for '{context.extra}'")
        found = reader(FCHost)(child, context)
        made = context.extra.worldWideName if isinstance(context.extra, NewDevice) else None
        for name in ("wwnn", "wwpn"):
            if getattr(found, name) is None and made is not None:
                found = replaced(found, **{name: made()})
            if getattr(found, name) is None:
                raise internal(
                    f"no {name.upper()} supplied for '{context.extra}', and auto-generation failed"
                )
    return found


def _writeFC(value: FCHost, out: list[str], indent: str, context: Context) -> None:
    mark = len(out)
    writer(FCHost)(value, out, indent, "capability", context)
    out[mark] = f"{indent}<capability type='fc_host'>\n"


@definition
class RemotePort:
    """The other end of a fibre channel."""

    rport: str | None = element(FILLED)
    wwpn: str | None = element(FILLED)


@definition
class SCSITarget(Capability):
    """A SCSI target."""

    kind: ClassVar[str] = "scsi_target"
    xmlOrder: ClassVar[str] = "type target port"

    target: str | None = element(FILLED)
    port: RemotePort | None = special(
        tags="capability",
        read=lambda node, kids, context: _readPort(kids, context),
        write=lambda value, out, indent, context: out.append(
            f"{indent}<capability type='fc_remote_port'>\n"
            f"{indent}  <rport>{escape(value.rport)}</rport>\n"
            f"{indent}  <wwpn>{escape(value.wwpn)}</wwpn>\n{indent}</capability>\n"
        ),
    )

    @classmethod
    def prepare(cls, node: Node, context: Context) -> None:
        """It has a name."""
        found = node.find("target")
        if found is None or not xmlText(found):
            raise internal(f"no target name supplied for '{context.extra}'")


def _readPort(kids: dict[str, list[Node]], context: Context) -> RemotePort | None:
    found = None
    for child in kids.get("capability", ()):
        kind = child.get("type")
        if kind is None:
            raise internal(f"missing type for SCSI target capability for '{context.extra}'")
        if kind != "fc_remote_port":
            raise internal(f"unknown SCSI target capability type '{kind}' for '{context.extra}'")
        found = reader(RemotePort)(child, context)
        if found.rport is None:
            raise internal(f"missing rport name for '{context.extra}'")
        if found.wwpn is None:
            raise internal(f"missing wwpn identifier for '{context.extra}'")
    return found


@definition
class SCSI(Capability):
    """A SCSI device."""

    kind: ClassVar[str] = "scsi"
    xmlOrder: ClassVar[str] = "type host bus target lun scsiType"

    host: int = numberElement("SCSI host ID", "host")
    bus: int = numberElement("SCSI bus ID", "bus")
    target: int = numberElement("SCSI target ID", "target")
    lun: int = numberElement("SCSI LUN ID", "lun")
    scsiType: str | None = element(FILLED, "type")


@definition
class Media:
    """
    What lies in a drive; the size in bytes.

    @ivar blockSize: in bytes; found out, never read, as C{blocks}: how many there are.
    """

    available: bool
    size: int
    label: str | None = None
    blockSize: int | None = None
    blocks: int | None = None


@definition
class Storage(Capability):
    """
    A disk; the size in bytes, None where only its media have one.

    @ivar blockSize: in bytes; found out, never read, as C{blocks}: how many there are.
    """

    kind: ClassVar[str] = "storage"
    xmlOrder: ClassVar[str] = (
        "type block bus driveType model vendor serial size blockSize blocks media hotpluggable"
    )
    xmlReadOrder: ClassVar[str] = "media hotpluggable size"

    block: str | None = element(FILLED)
    bus: str | None = element(FILLED)
    driveType: str | None = element(FILLED, "drive_type")
    model: str | None = element(FILLED)
    vendor: str | None = element(FILLED)
    serial: str | None = element(FILLED)
    media: Media | None = special(
        tags="capability",
        read=lambda node, kids, context: _readMedia(kids, context),
        write=lambda value, out, indent, context: _writeMedia(value, out, indent),
    )
    hotpluggable: bool = special(
        tags="capability",
        read=lambda node, kids, context: any(
            child.get("type") == "hotpluggable" for child in kids.get("capability", ())
        ),
        write=lambda value, out, indent, context: out.append(
            f"{indent}<capability type='hotpluggable'/>\n"
        ),
        default=False,
    )
    size: int | None = special(
        tags="size capability",
        read=lambda node, kids, context: _readSize(kids, context),
        write=lambda value, out, indent, context: out.append(f"{indent}<size>{value}</size>\n"),
    )
    blockSize: int | None = special(
        write=lambda value, out, indent, context: out.append(
            f"{indent}<logical_block_size>{value}</logical_block_size>\n"
        ),
    )
    blocks: int | None = special(
        write=lambda value, out, indent, context: out.append(
            f"{indent}<num_blocks>{value}</num_blocks>\n"
        ),
    )

    @classmethod
    def prepare(cls, node: Node, context: Context) -> None:
        """It has a path."""
        found = node.find("block")
        if found is None or not xmlText(found):
            raise internal(f"no block device path supplied for '{context.extra}'")


def _readMedia(kids: dict[str, list[Node]], context: Context) -> Media | None:
    found = None
    for child in kids.get("capability", ()):
        kind = child.get("type")
        if kind is None:
            raise internal(f"missing storage capability type for '{context.extra}'")
        if kind == "hotpluggable":
            continue
        if kind != "removable":
            raise internal(f"unknown storage capability type '{kind}' for '{context.extra}'")
        inside = {each.tag: xmlText(each) for each in child if isinstance(each.tag, str)}
        text = inside.get("media_size")
        if not text:
            raise internal(f"no removable media size supplied for '{context.extra}'")
        size = number(text, bits=64)
        if size is None:
            raise internal(f"invalid removable media size supplied for '{context.extra}'")
        available = number(inside.get("media_available") or "0") or 0
        found = Media(available=bool(available), size=size, label=inside.get("media_label") or None)
    return found


def _writeMedia(value: Media, out: list[str], indent: str) -> None:
    out.append(f"{indent}<capability type='removable'>\n")
    out.append(f"{indent}  <media_available>{int(value.available)}</media_available>\n")
    out.append(f"{indent}  <media_size>{value.size}</media_size>\n")
    if value.label is not None:
        out.append(f"{indent}  <media_label>{escape(value.label)}</media_label>\n")
    if value.blockSize is not None:
        out.append(f"{indent}  <logical_block_size>{value.blockSize}</logical_block_size>\n")
    if value.blocks is not None:
        out.append(f"{indent}  <num_blocks>{value.blocks}</num_blocks>\n")
    out.append(f"{indent}</capability>\n")


def _readSize(kids: dict[str, list[Node]], context: Context) -> int | None:
    if any(child.get("type") == "removable" for child in kids.get("capability", ())):
        return None
    text = xmlText(kids["size"][0]) if "size" in kids else ""
    if not text:
        raise internal(f"no size supplied for '{context.extra}'")
    value = number(text, bits=64)
    if value is None:
        raise internal(f"invalid size supplied for '{context.extra}'")
    return value


# The rest


@definition
class DRM(Capability):
    """A node of a graphics device."""

    kind: ClassVar[str] = "drm"

    drmType: str | None = element(FILLED, "type")

    def settle(self, node: Node, context: Context) -> DRM:
        """It is of a known type."""
        if self.drmType not in ("primary", "control", "render"):
            raise unsupported(
                f"unknown drm type '{self.drmType or '(null)'}' for '{context.extra}'"
            )
        return self


def _hex(what: str, form: str, base: int = 0, maximum: int | None = None) -> Any:
    return numberElement(what, what, base=base, form=form, refusal="unsupported", maximum=maximum)


@definition
class CCWPlace:
    """A place among the channel devices."""

    cssid: int = _hex("cssid", "#x")
    ssid: int = _hex("ssid", "#x")
    devno: int = _hex("devno", "#06x", 16)


@definition
class CCW(Capability):
    """A channel device."""

    kind: ClassVar[str] = "ccw"
    xmlOrder: ClassVar[str] = "type cssid ssid devno"

    cssid: int = _hex("cssid", "#x")
    ssid: int = _hex("ssid", "#x")
    devno: int = _hex("devno", "#06x", 16)


@definition
class CSS(CCW):
    """A subchannel, and the device behind it."""

    kind: ClassVar[str] = "css"
    xmlOrder: ClassVar[str] = "type cssid ssid devno channel inner"

    channel: CCWPlace | None = element(CCWPlace, "channel_dev_addr")
    inner: tuple[Inner, ...] = innerCapabilities("mdev_types")


@definition
class APCard(Capability):
    """A cryptographic card."""

    kind: ClassVar[str] = "ap_card"

    adapter: int = _hex("ap-adapter", "#04x", maximum=255)


@definition
class APQueue(Capability):
    """A queue of a cryptographic card."""

    kind: ClassVar[str] = "ap_queue"
    xmlOrder: ClassVar[str] = "type adapter domain"

    adapter: int = _hex("ap-adapter", "#04x", maximum=255)
    domain: int = _hex("ap-domain", "#06x", maximum=255)


@definition
class APMatrix(Capability):
    """All queues of cryptographic cards."""

    kind: ClassVar[str] = "ap_matrix"

    inner: tuple[Inner, ...] = innerCapabilities("mdev_types")


@definition
class MdevAttribute:
    """A setting of a mediated device."""

    name: str | None = attribute()
    value: str | None = attribute()


@definition
class Mdev(Capability):
    """
    A mediated device.

    @ivar parentAddress: of the device that it is a part of; found out, never read.
    """

    kind: ClassVar[str] = "mdev"
    xmlOrder: ClassVar[str] = "type typeID uuid parentAddress iommuGroup attributes"
    xmlReadOrder: ClassVar[str] = "typeID uuid iommuGroup"

    typeID: str = special(
        tags="type",
        read=lambda node, kids, context: _readTypeID(kids, context),
        write=lambda value, out, indent, context: out.append(
            f"{indent}<type id='{escape(value)}'/>\n"
        ),
    )
    uuid: str | None = special(
        tags="uuid",
        read=lambda node, kids, context: _readMdevUUID(kids),
        write=lambda value, out, indent, context: out.append(f"{indent}<uuid>{value}</uuid>\n"),
    )
    parentAddress: str | None = special(
        write=lambda value, out, indent, context: out.append(
            f"{indent}<parent_addr>{escape(value)}</parent_addr>\n"
        ),
    )
    iommuGroup: int = special(
        tags="iommuGroup",
        read=lambda node, kids, context: _readGroup(kids, context),
        write=lambda value, out, indent, context: out.append(
            f"{indent}<iommuGroup number='{value}'/>\n"
        ),
    )
    attributes: tuple[MdevAttribute, ...] = elements(MdevAttribute, "attr")

    def settle(self, node: Node, context: Context) -> Mdev:
        """A setting has a name and a value."""
        kept = tuple(
            each for each in self.attributes if each.name is not None and each.value is not None
        )
        return replaced(self, attributes=kept)


def _readTypeID(kids: dict[str, list[Node]], context: Context) -> str:
    text = kids["type"][0].get("id") if "type" in kids else None
    if not text:
        raise unsupported(f"missing type id attribute for '{context.extra}'")
    return str(text)


def _readMdevUUID(kids: dict[str, list[Node]]) -> str | None:
    text = xmlText(kids["uuid"][0]) if "uuid" in kids else ""
    if not text:
        return None
    value = parseUUID(text)
    if value is None:
        raise internal(f"Invalid uuid '{text}' for new mdev device")
    return formatUUID(value)


def _readGroup(kids: dict[str, list[Node]], context: Context) -> int:
    text = kids["iommuGroup"][0].get("number") if "iommuGroup" in kids else None
    if not text:
        return 0
    value = number(text)
    if value is None:
        raise internal(f"invalid iommuGroup number attribute for '{context.extra}'")
    return value


@definition
class SCSIGeneric(Capability):
    """A file through which SCSI commands are sent; found, and never read."""

    kind: ClassVar[str] = "scsi_generic"

    char: str | None = element(FILLED)


@definition
class VDPA(Capability):
    """A virtio device that hardware serves; found, and never read."""

    kind: ClassVar[str] = "vdpa"

    chardev: str | None = element(FILLED)


#: The classes of those that can be read, by libvirt's words.
CAPABILITIES: dict[str, type[Capability]] = {
    cls.kind: cls
    for cls in (
        System,
        PCI,
        USBDevice,
        USBInterface,
        Net,
        SCSIHost,
        SCSITarget,
        SCSI,
        Storage,
        DRM,
        Mdev,
        CCW,
        CSS,
        APCard,
        APQueue,
        APMatrix,
    )
}
