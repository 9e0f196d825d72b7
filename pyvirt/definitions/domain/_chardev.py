"""
Character devices: serial and parallel ports, consoles, channels, and the host's end of each.

The host's end (L{CharSource}) is spread over the attributes and elements of the device itself, and which of
them count depends on its type; so it has a reader and writer of its own.  Devices with such an end that are
not ports (smart cards, random number generators, redirected devices, TPM backends) use it too.
"""

from __future__ import annotations

from typing import Any, ClassVar

from pyvirt.definitions.domain._address import Device
from pyvirt.definitions.domain._common import DeviceLabel
from pyvirt.definitions.kinds import (
    BOOLEAN,
    SWITCH,
    choice,
    escape,
    integer,
    internal,
    missingAttribute,
    number,
    unsupported,
    xmlError,
)
from pyvirt.definitions.netbits import canonical, familyOf
from pyvirt.definitions.reader import Node
from pyvirt.definitions.schema import (
    Context,
    attribute,
    reader,
    replaced,
    writer,
)
from pyvirt.definitions.values import definition
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["Channel", "CharSource", "Console", "Parallel", "Reconnect", "Serial"]

CHAR_TYPES = frozenset(
    [
        "null",
        "vc",
        "pty",
        "dev",
        "file",
        "pipe",
        "stdio",
        "udp",
        "tcp",
        "unix",
        "spicevmc",
        "spiceport",
        "nmdm",
        "qemu-vdagent",
        "dbus",
    ]
)
PROTOCOLS = choice("raw telnet telnets tls", error=unsupported("Unknown protocol '{text}'"))


@definition
class Reconnect:
    """Whether and after how many seconds a lost connection is made again."""

    xmlOmitEmpty: ClassVar[bool] = True

    enabled: bool | None = attribute(BOOLEAN)
    timeout: int | None = attribute(integer())

    def settle(self, node: Node, context: Context) -> Reconnect:
        """A timeout means something only where reconnecting is on."""
        if not self.enabled:
            return replaced(self, timeout=None)
        if self.timeout is None:
            from pyvirt.definitions.kinds import missingAttribute

            raise missingAttribute(node, "timeout")
        return self


@definition
class Log:
    """A file that gets a copy of everything."""

    file: str | None = attribute()
    append: bool | None = attribute(SWITCH)

    def settle(self, node: Node, context: Context) -> Log | None:
        """Without a file there is no copy."""
        return None if self.file is None else self


@definition
class CharSource:
    """
    The host's end of a character device.

    @ivar mode: C{bind} or C{connect}.
    @ivar host, service: where to connect to, or to listen on.
    @ivar bindHost, bindService: of C{udp}, where to listen.
    """

    type: str = "pty"
    path: str | None = None
    append: bool | None = None
    mode: str | None = None
    host: str | None = None
    service: str | None = None
    bindHost: str | None = None
    bindService: str | None = None
    tls: bool | None = None
    protocol: str | None = None
    channel: str | None = None
    master: str | None = None
    slave: str | None = None
    reconnect: Reconnect | None = None
    log: Log | None = None
    copypaste: bool | None = None
    mouse: str | None = None
    labels: tuple[DeviceLabel, ...] = ()

    @classmethod
    def readElement(cls, node: Node, context: Context) -> CharSource:
        """Read the end of a device that names its type."""
        kind = node.get("type")
        if kind is None:
            kind = "pty"
        if kind not in CHAR_TYPES:
            raise unknownType(kind)
        return readCharSource(kind, node, context)


def unknownType(kind: str) -> VirtError:
    """Make the error of a host's end of a type that nobody knows."""
    return virtError(
        ErrorCode.CONFIG_UNSUPPORTED,
        f"unknown type presented to host for character device: {kind}",
        ErrorDomain.DOMAIN,
    )


_MODE = choice("connect bind", error=internal("Unknown source mode '{text}'"))
_MODES = choice("bind connect")
_MOUSE = choice("server client")


def readCharSource(kind: str, node: Node, context: Context) -> CharSource:
    """Read the end that an element describes, as one of the given type."""
    sources: list[Node] = []
    logs: list[Node] = []
    protocols: list[Node] = []
    values: dict[str, Any] = {}
    for child in node:
        tag = child.tag
        if tag == "source":
            sources.append(child)
        elif tag == "log":
            logs.append(child)
        elif tag == "protocol":
            protocols.append(child)
    if len(sources) > (2 if kind == "udp" else 1):
        if kind == "udp":
            raise xmlError("only two source elements are allowed for character device")
        raise xmlError("only one source element is allowed for character device")
    if len(sources) == 1 or sources:
        for source in sources:
            _readOneSource(kind, source, values, context)
    if len(logs) > 1:
        raise xmlError("only one log element is allowed for character device")
    if logs:
        values["log"] = reader(Log)(logs[0], context)
    if len(protocols) > 1:
        raise xmlError("only one protocol element is allowed for character device")
    if protocols and kind == "tcp":
        text = protocols[0].get("type")
        if text is not None:
            values["protocol"] = PROTOCOLS.read(text, protocols[0], "type")
    return CharSource(type=kind, **values)


def _readOneSource(kind: str, node: Node, values: dict[str, Any], context: Context) -> None:
    """Add what a C{source} element says to C{values}."""
    get = node.get
    if kind in ("file", "pty", "dev", "pipe", "unix"):
        # The terminal is found when the domain starts: only a running one has a path.
        if get("path") is not None and not (kind == "pty" and context.inactive):
            values["path"] = get("path")
        if kind == "file" and get("append") is not None:
            values["append"] = SWITCH.read(get("append"), node, "append")
    mode = get("mode")
    if kind in ("unix", "tcp", "udp") and mode is not None:
        mode = _MODES.read(mode, node, "mode")
    if kind == "unix":
        values["mode"] = mode or "connect"
    elif kind == "udp":
        if mode == "bind":
            values["bindHost"], values["bindService"] = get("host"), get("service")
        elif values.get("host") is None and values.get("service") is None:
            values["host"], values["service"] = get("host"), get("service")
    elif kind == "tcp":
        values["mode"] = mode or "connect"
        values["host"], values["service"] = get("host"), get("service")
        if get("tls") is not None:
            values["tls"] = BOOLEAN.read(get("tls"), node, "tls")
    elif kind in ("spiceport", "dbus"):
        values["channel"] = get("channel")
    elif kind == "nmdm":
        values["master"], values["slave"] = get("master"), get("slave")
    labels = []
    for child in node:
        if kind == "qemu-vdagent" and child.tag in ("clipboard", "mouse"):
            name = "copypaste" if child.tag == "clipboard" else "mode"
            text = child.get(name)
            if text is None:
                raise missingAttribute(child, name)
            if name == "copypaste":
                values["copypaste"] = BOOLEAN.read(text, child, name)
            else:
                values["mouse"] = _MOUSE.read(text, child, name)
        if child.tag == "seclabel":
            labels.append(reader(DeviceLabel)(child, context))
        elif child.tag == "reconnect" and kind in ("unix", "tcp"):
            values["reconnect"] = reader(Reconnect)(child, context)
    if labels:
        values["labels"] = tuple(labels)


#: Types whose host's end is a file, which can have labels.
_LABELLED = ("pty", "dev", "file", "pipe", "unix")


def writeCharSource(
    value: CharSource, out: list[str], indent: str, context: Context, labels: bool = True
) -> None:
    """
    Write the elements of a host's end.

    @param labels: whether the device is one whose labels are told.
    """
    kind = value.type
    text = ""
    extra: list[str] = []
    if kind in ("pty", "dev", "file", "pipe"):
        if value.path and not (kind == "pty" and context.inactive):
            text = f" path='{escape(value.path)}'"
            if value.append is not None:
                text += f" append='{'on' if value.append else 'off'}'"
    elif kind == "nmdm":
        if value.master is not None or value.slave is not None:
            text = f" master='{escape(value.master or '')}' slave='{escape(value.slave or '')}'"
    elif kind == "udp":
        if value.bindHost is not None or value.bindService is not None:
            bind = "<source mode='bind'"
            if value.bindHost is not None:
                bind += f" host='{escape(value.bindHost)}'"
            if value.bindService is not None:
                bind += f" service='{escape(value.bindService)}'"
            out.append(f"{indent}{bind}/>\n")
        if value.host is not None or value.service is not None:
            text = " mode='connect'"
            if value.host is not None:
                text += f" host='{escape(value.host)}'"
            if value.service is not None:
                text += f" service='{escape(value.service)}'"
    elif kind == "tcp":
        text = f" mode='{value.mode or 'connect'}' host='{escape(value.host or '')}' service='{escape(value.service or '')}'"
        if value.tls is not None:
            text += f" tls='{'yes' if value.tls else 'no'}'"
    elif kind == "unix":
        if value.path:
            text = f" mode='{value.mode or 'connect'}' path='{escape(value.path)}'"
    elif kind in ("spiceport", "dbus"):
        if value.channel is not None or kind == "spiceport":
            text = f" channel='{escape(value.channel or '')}'"
    elif kind == "qemu-vdagent" and (value.copypaste is not None or value.mouse is not None):
        out.append(f"{indent}<source>\n")
        if value.copypaste is not None:
            words = "yes" if value.copypaste else "no"
            out.append(f"{indent}  <clipboard copypaste='{words}'/>\n")
        if value.mouse is not None:
            out.append(f"{indent}  <mouse mode='{value.mouse}'/>\n")
        out.append(f"{indent}</source>\n")
    if kind in ("tcp", "unix") and value.reconnect is not None and text:
        writer(Reconnect)(value.reconnect, extra, indent + "  ", "reconnect", context)
    for label in value.labels if labels and kind in _LABELLED else ():
        writer(DeviceLabel)(label, extra, indent + "  ", "seclabel", context)
    if text:
        if extra:
            out.append(f"{indent}<source{text}>\n")
            out += extra
            out.append(f"{indent}</source>\n")
        else:
            out.append(f"{indent}<source{text}/>\n")
    if kind == "tcp":
        out.append(f"{indent}<protocol type='{value.protocol or 'raw'}'/>\n")
    if value.log is not None:
        writer(Log)(value.log, out, indent, "log", context)


@definition
class Target:
    """
    The guest's end of a port.

    @ivar type: what kind of port or channel.
    @ivar model: of a serial port, the chip.
    @ivar name: of a virtio channel, the name of the port.
    @ivar address: of a guestfwd channel, the IPv4 address.
    """

    type: str | None = None
    port: int | None = None
    model: str | None = None
    name: str | None = None
    state: str | None = None
    address: str | None = None


#: Which type of target a channel of SPICE may have.  libvirt compares the numbers of types, which each device has its own of.
_SPICE_TARGETS = {"channel": "virtio", "console": "xen", "serial": "usb-serial"}


class CharDevice:
    """What reading and writing of the four kinds of port have in common."""

    @classmethod
    def readElement(cls, node: Node, context: Context) -> Any:
        """Read the host's end, the guest's end and the rest."""
        kind = node.get("type")
        if kind is not None and kind not in CHAR_TYPES:
            raise unknownType(kind)
        found = None
        for child in node:
            if child.tag == "target":
                found = child
                break
        target = cls.readTarget(found, node, context)  # type: ignore[attr-defined]
        source = CharSource.readElement(node, context)
        if source.type == "spicevmc" and target.type != _SPICE_TARGETS.get(node.tag):
            raise unsupported("spicevmc device type only supports virtio")("", node, "")
        device = reader(Device)(node, context)
        values = {name: getattr(device, name) for name in ("alias", "acpiIndex", "address")}
        return cls(source=source, target=target, **values)  # type: ignore[call-arg]

    @staticmethod
    def writeElement(value: Any, out: list[str], indent: str, tag: str, context: Context) -> None:
        """Write the device."""
        inner = indent + "  "
        head = f"{indent}<{tag} type='{value.source.type}'"
        source = value.source
        first = tag == "console" and not value.target.port
        if first and source.type == "pty" and source.path and not context.inactive:
            head += f" tty='{escape(source.path)}'"
        out.append(f"{head}>\n")
        writeCharSource(value.source, out, inner, context)
        value.writeTarget(out, inner, context)
        _writeDevice(value, out, inner, context)
        out.append(f"{indent}</{tag}>\n")


def _writeDevice(value: Any, out: list[str], indent: str, context: Context) -> None:
    """Write the elements that any device has."""
    if value.alias is not None:
        out.append(f"{indent}<alias name='{escape(value.alias)}'/>\n")
    if value.acpiIndex is not None:
        out.append(f"{indent}<acpi index='{value.acpiIndex}'/>\n")
    if value.address is not None:
        value.address.writeElement(value.address, out, indent, "address", context)


SERIAL_MODELS = choice(
    "isa-serial usb-serial pci-serial spapr-vty pl011 sclpconsole sclplmconsole 16550a isa-debugcon",
    error=unsupported("unknown target model '{text}' specified for character device"),
)
SERIAL_TYPES = [
    "isa-serial",
    "usb-serial",
    "pci-serial",
    "spapr-vio-serial",
    "system-serial",
    "sclp-serial",
    "isa-debug",
]
CONSOLE_TYPES = ["serial", "xen", "uml", "virtio", "lxc", "openvz", "sclp", "sclplm"]
CHANNEL_TYPES = ["guestfwd", "virtio", "xen"]


def _port(node: Node) -> int | None:
    text = node.get("port")
    if text is None:
        return None
    value = number(text, signed=True)
    if value is None:
        raise xmlError(f"Invalid port number: {text}")
    return None if value < 0 else value


@definition
class Serial(CharDevice, Device):
    """A serial port."""

    source: CharSource = CharSource()
    target: Target = Target()

    @classmethod
    def readTarget(cls, node: Node | None, parent: Node, context: Context) -> Target:
        """Read the guest's end."""
        if node is None:
            return Target()
        kind = node.get("type")
        if kind is not None and kind not in SERIAL_TYPES:
            raise unsupported("unknown target type '{text}' specified for character device")(
                kind, node, "type"
            )
        port = _port(node)
        model = None
        for child in node:
            if child.tag == "model":
                model = child.get("name")
                if model is not None:
                    model = SERIAL_MODELS.read(model, child, "name")
                break
        return Target(type=kind, port=port, model=model)

    def writeTarget(self, out: list[str], indent: str, context: Context) -> None:
        """Write the guest's end."""
        target = self.target
        head = f"{indent}<target"
        if target.type is not None:
            head += f" type='{target.type}'"
        if target.port is not None and target.port >= 0:
            head += f" port='{target.port}'"
        if target.model is not None:
            out.append(f"{head}>\n{indent}  <model name='{target.model}'/>\n{indent}</target>\n")
        else:
            out.append(f"{head}/>\n")


@definition
class Parallel(CharDevice, Device):
    """A parallel port."""

    source: CharSource = CharSource()
    target: Target = Target()

    @classmethod
    def readTarget(cls, node: Node | None, parent: Node, context: Context) -> Target:
        """Read the guest's end."""
        return Target() if node is None else Target(port=_port(node))

    def writeTarget(self, out: list[str], indent: str, context: Context) -> None:
        """Write the guest's end."""
        port = self.target.port
        out.append(
            f"{indent}<target port='{port}'/>\n" if port is not None else f"{indent}<target/>\n"
        )


@definition
class Console(CharDevice, Device):
    """A console: the main interaction with the guest."""

    source: CharSource = CharSource()
    target: Target = Target()

    @classmethod
    def readTarget(cls, node: Node | None, parent: Node, context: Context) -> Target:
        """Read the guest's end."""
        if node is None:
            return Target()
        kind = node.get("type")
        if kind is not None and kind not in CONSOLE_TYPES:
            raise unsupported("unknown target type '{text}' specified for character device")(
                kind, node, "type"
            )
        return Target(type=kind, port=_port(node))

    def writeTarget(self, out: list[str], indent: str, context: Context) -> None:
        """Write the guest's end."""
        target = self.target
        head = f"{indent}<target"
        if target.type is not None:
            head += f" type='{target.type}'"
        if target.port is not None:
            head += f" port='{target.port}'"
        out.append(f"{head}/>\n")


@definition
class Channel(CharDevice, Device):
    """A private channel between host and guest."""

    source: CharSource = CharSource()
    target: Target = Target()

    @classmethod
    def readTarget(cls, node: Node | None, parent: Node, context: Context) -> Target:
        """Read the guest's end, which a channel must have."""
        if node is None:
            raise xmlError("target type must be specified for channel device")
        kind = node.get("type", "(null)")
        if kind not in CHANNEL_TYPES:
            raise unsupported("unknown target type '{text}' specified for character device")(
                kind, node, "type"
            )
        if kind == "guestfwd":
            address, port = node.get("address"), node.get("port")
            if address is None:
                raise xmlError("guestfwd channel does not define a target address")
            family = familyOf(address)
            if family is None:
                raise virtError(
                    ErrorCode.SYSTEM_ERROR,
                    f"Cannot parse socket address '{address}': Name or service not known",
                    ErrorDomain.NONE,
                )
            if family != "ipv4":
                raise unsupported("guestfwd channel only supports IPv4 addresses")("", node, "")
            if port is None:
                raise missingAttribute(node, "port")
            value = integer().read(port, node, "port")
            return Target(type=kind, address=canonical(address), port=value & 0xFFFF)
        state = None if context.inactive else node.get("state")
        return Target(type=kind, name=node.get("name"), state=state)

    def writeTarget(self, out: list[str], indent: str, context: Context) -> None:
        """Write the guest's end."""
        target = self.target
        head = f"{indent}<target type='{target.type}'"
        if target.type == "guestfwd":
            head += f" address='{target.address}' port='{target.port}'"
        elif target.name is not None:
            head += f" name='{escape(target.name)}'"
        if target.state is not None and not context.inactive:
            head += f" state='{target.state}'"
        out.append(f"{head}/>\n")
