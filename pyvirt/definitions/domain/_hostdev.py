"""
Devices of the host that are given to the guest.
"""

from __future__ import annotations

from typing import Any, ClassVar

from pyvirt.definitions.domain._address import PCIAddress, RomDevice, readInfoLast
from pyvirt.definitions.domain._net import Teaming
from pyvirt.definitions.domain._source import Auth, Host, Initiator
from pyvirt.definitions.kinds import (
    BOOLEAN,
    SWITCH,
    UINT,
    YES,
    choice,
    escape,
    integer,
    internal,
    missingAttribute,
    unsupported,
    xmlError,
)
from pyvirt.definitions.netbits import IPAddress, Route
from pyvirt.definitions.reader import Node, xmlText
from pyvirt.definitions.schema import (
    Context,
    attribute,
    element,
    elements,
    plainReader,
    plainWriter,
    present,
    reader,
    replaced,
    special,
    writer,
)
from pyvirt.definitions.values import definition

__all__ = ["HostDev"]

SUBSYSTEMS = ("usb", "pci", "scsi", "scsi_host", "mdev")
CAPABILITIES = ("storage", "misc", "net")


@definition
class SCSIAddress:
    """A unit of a SCSI host."""

    bus: int = attribute(UINT, required=True)
    target: int = attribute(UINT, required=True)
    unit: int = attribute(integer(bits=64), required=True)


@definition
class HostSource:
    """
    Which device of the host; what counts depends on the mode and the type.

    @ivar missing: a running guest has begun without it.
    @ivar node, path: of a SCSI device of a running guest, the number of its node and its file: only a driver's own
        status has them.
    """

    missing: bool = False
    node: int | None = None
    path: str | None = None
    startupPolicy: str | None = None
    guestReset: str | None = None
    writeFiltering: bool | None = None
    protocol: str | None = None
    name: str | None = None
    wwpn: str | None = None
    vendor: int | None = None
    product: int | None = None
    bus: int | None = None
    device: int | None = None
    pci: PCIAddress | None = None
    adapter: str | None = None
    scsi: SCSIAddress | None = None
    hosts: tuple[Host, ...] = ()
    auth: Auth | None = None
    initiator: Initiator | None = None
    uuid: str | None = None
    block: str | None = None
    char: str | None = None
    interface: str | None = None


def _usbId(node: Node, name: str) -> int:
    text = node.get("id")
    if text is None:
        raise missingAttribute(node, "id")
    return int(integer(base=0, zero=name != "vendor").read(text, node, "id"))


def readHostSource(mode: str, kind: str, node: Node, context: Context) -> HostSource:
    """Read a source of the given mode and type."""
    kids: dict[str, Node] = {}
    for child in node:
        kids.setdefault(child.tag, child)
    values: dict[str, Any] = {}
    if mode == "capabilities":
        tag, what = {
            "storage": ("block", "<block> element in hostdev storage"),
            "misc": ("char", "<char> element in hostdev character"),
            "net": ("interface", "<interface> element in hostdev net"),
        }[kind]
        text = xmlText(kids[tag]) if tag in kids else ""
        if not text:
            raise xmlError(f"Missing {what} device")
        values[tag] = text
        return HostSource(**values)
    policy = node.get("startupPolicy")
    if policy is not None:
        if kind != "usb":
            raise unsupported("Setting startupPolicy is only allowed for USB devices")("", node, "")
        values["startupPolicy"] = choice("mandatory requisite optional").read(
            policy, node, "startupPolicy"
        )
    if kind == "usb":
        reset = node.get("guestReset")
        if reset is not None:
            values["guestReset"] = choice("off uninitialized on").read(reset, node, "guestReset")
        if "vendor" in kids:
            values["vendor"] = _usbId(kids["vendor"], "vendor")
        if "product" in kids:
            values["product"] = _usbId(kids["product"], "product")
        if "vendor" in kids and "product" not in kids:
            raise internal("missing product")("", node, "")
        if "product" in kids and "vendor" not in kids:
            raise internal("missing vendor")("", node, "")
        if "address" in kids:
            address = kids["address"]
            for name in ("bus", "device"):
                text = address.get(name)
                if text is None:
                    raise missingAttribute(address, name)
                values[name] = integer(base=0).read(text, address, name)
    elif kind == "pci":
        text = node.get("writeFiltering")
        if text is not None:
            values["writeFiltering"] = BOOLEAN.read(text, node, "writeFiltering")
        if "address" in kids:
            values["pci"] = plainReader(PCIAddress)(kids["address"], context)
        else:
            values["pci"] = PCIAddress()
        pci = values["pci"]
        values["pci"] = PCIAddress(
            type=None,  # type: ignore[arg-type]
            domain=pci.domain or 0,
            bus=pci.bus or 0,
            slot=pci.slot or 0,
            function=pci.function or 0,
        )
    elif kind == "scsi":
        if context.status and (node.get("node") or "").isdigit():
            values.update(node=int(node.get("node")), path=node.get("path"))
        protocol = node.get("protocol")
        if protocol is not None:
            protocol = choice(
                "adapter iscsi", error=unsupported("Unknown SCSI subsystem protocol '{text}'")
            ).read(protocol, node, "protocol")
        if protocol == "iscsi":
            name = node.get("name")
            if name is None:
                raise xmlError("missing iSCSI hostdev source path name")
            if "/" not in name:
                name += "/0"
            hosts = tuple(reader(Host)(c, context) for c in node if c.tag == "host")
            if not hosts:
                raise xmlError("missing the host address for the iSCSI hostdev")
            if len(hosts) > 1:
                raise xmlError(
                    "only one source host address may be specified for the iSCSI hostdev"
                )
            values.update(protocol=protocol, name=name, hosts=hosts)
            if "auth" in kids:
                auth = values["auth"] = reader(Auth)(kids["auth"], context)
                secret = auth.secret.type
                if secret not in ("none", "volume", "ceph", "iscsi", "tls", "vtpm"):
                    raise unsupported(f"invalid secret type {secret or '(null)'}")("", node, "")
                if secret != "iscsi":
                    raise internal(f"hostdev invalid secret type '{secret}'")("", node, "")
            if "initiator" in kids:
                values["initiator"] = reader(Initiator)(kids["initiator"], context)
        else:
            if "address" not in kids:
                raise xmlError("'address' must be specified for scsi hostdev source")
            values["scsi"] = reader(SCSIAddress)(kids["address"], context)
            if "adapter" not in kids or kids["adapter"].get("name") is None:
                raise xmlError("'adapter' name must be specified for scsi hostdev source")
            values["adapter"] = kids["adapter"].get("name")
    elif kind == "scsi_host":
        protocol = node.get("protocol")
        if protocol is None:
            raise xmlError("Missing scsi_host subsystem protocol")
        values["protocol"] = choice(
            "vhost", error=unsupported("Unknown scsi_host subsystem protocol '{text}'")
        ).read(protocol, node, "protocol")
        wwpn = node.get("wwpn")
        if wwpn is None:
            raise xmlError("missing vhost-scsi hostdev source wwpn")
        if not wwpn.startswith("naa.") or len(wwpn) != 20:
            raise xmlError("malformed 'wwpn' value")
        values["wwpn"] = wwpn
    elif kind == "mdev":
        if "address" not in kids:
            raise unsupported("Missing <address> element")("", node, "")
        text = kids["address"].get("uuid")
        if text is None:
            raise unsupported("Missing 'uuid' attribute for element <address>")("", node, "")
        from pyvirt.definitions.uuids import formatUUID, parseUUID

        raw = parseUUID(text)
        if raw is None:
            raise internal("Cannot parse uuid attribute of element <address>")("", node, "")
        values["uuid"] = formatUUID(raw)
    return HostSource(**values)


def writeHostSource(value: HostSource, out: list[str], indent: str, context: Context) -> None:
    """Write a source."""
    head = f"{indent}<source"
    inner = indent + "  "
    body: list[str] = []
    if value.startupPolicy is not None:
        head += f" startupPolicy='{value.startupPolicy}'"
    if value.missing and not context.inactive:
        head += " missing='yes'"
    if value.node is not None and context.status:
        head += f" node='{value.node}'"
        if value.path is not None:
            head += f" path='{escape(value.path)}'"
    if value.guestReset is not None:
        head += f" guestReset='{value.guestReset}'"
    if value.writeFiltering is not None:
        head += f" writeFiltering='{'yes' if value.writeFiltering else 'no'}'"
    if value.protocol is not None:
        head += f" protocol='{value.protocol}'"
    if value.name is not None:
        head += f" name='{escape(value.name)}'"
    if value.wwpn is not None:
        head += f" wwpn='{escape(value.wwpn)}'"
    if value.vendor is not None:
        body.append(f"{inner}<vendor id='{value.vendor:#06x}'/>\n")
        body.append(f"{inner}<product id='{value.product or 0:#06x}'/>\n")
    if value.bus or value.device:
        body.append(f"{inner}<address bus='{value.bus}' device='{value.device}'/>\n")
    if value.pci is not None:
        plainWriter(PCIAddress)(value.pci, body, inner, "address", context)
    if value.adapter is not None:
        body.append(f"{inner}<adapter name='{escape(value.adapter)}'/>\n")
    if value.scsi is not None:
        writer(SCSIAddress)(value.scsi, body, inner, "address", context)
    for host in value.hosts:
        writer(Host)(host, body, inner, "host", context)
    if value.auth is not None:
        writer(Auth)(value.auth, body, inner, "auth", context)
    if value.initiator is not None and value.initiator.name is not None:
        writer(Initiator)(value.initiator, body, inner, "initiator", context)
    if value.uuid is not None:
        body.append(f"{inner}<address uuid='{value.uuid}'/>\n")
    for name in ("block", "char", "interface"):
        text = getattr(value, name)
        if text is not None:
            body.append(f"{inner}<{name}>{escape(text)}</{name}>\n")
    if body:
        out.append(head + ">\n")
        out += body
        out.append(f"{indent}</source>\n")
    elif not head.endswith("<source"):
        out.append(head + "/>\n")


@definition
class HostDriver:
    """Who passes a PCI device through."""

    xmlOmitEmpty: ClassVar[bool] = True

    name: str | None = attribute(choice("kvm vfio xen"))


@definition
class HostDev(RomDevice):
    """A device of the host."""

    xmlOrder: ClassVar[str] = (
        "mode type managed sgio rawio model display ramfb driver source ips routes teaming "
        "readonly shareable boot alias rom acpiIndex address"
    )

    mode: str | None = attribute(
        choice("subsystem capabilities", error=unsupported("unknown hostdev mode '{text}'")),
        default="subsystem",
    )
    type: str | None = attribute()
    managed: bool | None = attribute(YES)
    sgio: str | None = attribute(choice("filtered unfiltered"))
    rawio: bool | None = attribute(BOOLEAN)
    model: str | None = attribute()
    display: bool | None = attribute(SWITCH)
    ramfb: bool | None = attribute(SWITCH)
    driver: HostDriver | None = element(HostDriver)
    source: HostSource = special(
        tags="source",
        write=lambda value, out, indent, context: writeHostSource(value, out, indent, context),
        read=lambda node, kids, context: None,
    )
    teaming: Teaming | None = element(Teaming)
    ips: tuple[IPAddress, ...] = elements(IPAddress, "ip")
    routes: tuple[Route, ...] = elements(Route, "route")
    readonly: bool = present()
    shareable: bool = present()

    @staticmethod
    def writeElement(value: Any, out: list[str], indent: str, tag: str, context: Context) -> None:
        """Write the device; it has two tags even where it is empty."""
        mark = len(out)
        plainWriter(HostDev)(value, out, indent, tag, context)
        if out[mark].endswith("/>\n"):
            out[mark] = out[mark][:-3] + f">\n{indent}</{tag}>\n"

    @classmethod
    def readElement(cls, node: Node, context: Context) -> HostDev:
        """Read its place in the guest last."""
        found: HostDev = readInfoLast(cls, RomDevice, node, context)
        return found

    def settle(self, node: Node, context: Context) -> HostDev:
        """Read the source by mode and type; drop what other types have."""
        kind = self.type
        mode = self.mode or "subsystem"
        if kind is None:
            raise xmlError("missing source address type")
        known = SUBSYSTEMS if mode == "subsystem" else CAPABILITIES
        if kind not in known:
            raise unsupported("unknown host device source address type '{text}'")(kind, node, "")
        sources = [child for child in node if child.tag == "source"]
        if not sources:
            raise xmlError("Missing <source> element in hostdev device")
        if kind != "scsi" and self.sgio is not None:
            raise xmlError("sgio is only supported for scsi host device")
        if kind != "scsi" and self.rawio is not None:
            raise xmlError("rawio is only supported for scsi host device")
        if kind not in ("mdev", "scsi_host") and self.model is not None:
            raise xmlError("'model' attribute in <hostdev> is only supported when type='mdev'")
        if kind == "mdev" and mode == "subsystem":
            if self.model is None:
                raise missingAttribute(node, "model")
            choice("vfio-pci vfio-ccw vfio-ap").read(self.model, node, "model")
        if kind == "scsi_host" and self.model is not None:
            choice("virtio virtio-transitional virtio-non-transitional").read(
                self.model, node, "model"
            )
        source = readHostSource(mode, kind, sources[0], context)
        teaming = self.teaming
        if teaming is not None:
            if teaming.type == "persistent":
                raise unsupported("teaming hostdev devices must have type='transient'")(
                    "", node, ""
                )
            if teaming.type == "transient" and teaming.persistent is None:
                raise unsupported(
                    "missing required persistent attribute in hostdev teaming element"
                )("", node, "")
        changes: dict[str, Any] = {"source": source}
        if kind != "scsi":
            changes.update(readonly=False, shareable=False)
        if mode == "subsystem":
            changes["managed"] = bool(self.managed)
        else:
            changes["managed"] = None
        return replaced(self, **changes)
