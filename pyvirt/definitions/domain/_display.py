"""
What a person in front of the guest meets: graphics, video, sound, audio back ends, input.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar

from pyvirt.definitions.domain._address import Device
from pyvirt.definitions.domain._common import VirtioDriver
from pyvirt.definitions.kinds import (
    BOOLEAN,
    FILLED,
    SWITCH,
    YES,
    Kind,
    choice,
    custom,
    escape,
    integer,
    internal,
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
    plainWriter,
    reader,
    replaced,
    special,
    writer,
)
from pyvirt.definitions.values import definition
from pyvirt.errors import ErrorCode

__all__ = ["Graphics", "Input", "Listen", "Sound", "Video", "VideoModel"]


@definition
class InputSource:
    """The event device of the host that a guest's input comes from."""

    evdev: str | None = attribute()
    dev: str | None = attribute()
    grab: str | None = attribute(choice("default all", absent="default"))
    grabToggle: str | None = attribute(
        choice(
            "default ctrl-ctrl alt-alt shift-shift meta-meta scrolllock ctrl-scrolllock",
            absent="default",
        )
    )
    repeat: bool | None = attribute(SWITCH)


@definition
class Input(Device):
    """A mouse, tablet, keyboard or other source of input."""

    xmlOrder: ClassVar[str] = "type bus model driver source alias acpiIndex address"

    type: str = attribute(
        choice(
            "mouse tablet keyboard passthrough evdev",
            error=unsupported("unknown input device type '{text}'"),
        ),
        required=True,
        missing=lambda node: internal("missing input device type")("", node, ""),
    )
    model: str | None = attribute(
        choice(
            "default virtio virtio-transitional virtio-non-transitional",
            error=unsupported("unknown input model '{text}'"),
            absent="default",
        )
    )
    bus: str | None = attribute(
        choice(
            "default ps2 usb xen parallels virtio none",
            error=unsupported("unknown input bus type '{text}'"),
            absent="default",
        )
    )
    driver: VirtioDriver | None = element(VirtioDriver)
    source: InputSource | None = element(InputSource)

    def settle(self, node: Node, context: Context) -> Input:
        """An evdev device has a path; who names no bus gets the one that is usual in such a machine."""
        source = self.source
        if self.type not in ("evdev", "passthrough"):
            source = None
        elif source is not None and (source.dev if self.type == "evdev" else source.evdev) is None:
            raise xmlError("Missing evdev path for input device")
        bus = self.bus
        if bus is None:
            bus = _usualBus(self.type, *_machine(node))
        if bus == "usb" and self.address is not None and self.address.type != "usb":
            raise xmlError("Invalid address for a USB device")
        return replaced(self, bus=bus, source=source)

    @staticmethod
    def writeElement(value: Input, out: list[str], indent: str, tag: str, context: Context) -> None:
        """Write it; a keyboard that machines have anyway is no news to other hosts, and no bus is not said."""
        if context.migratable and value.type == "keyboard" and value.bus in ("ps2", "xen"):
            return
        if value.bus == "none":
            value = replaced(value, bus=None)
        plainWriter(Input)(value, out, indent, tag, context)


def _machine(node: Node) -> tuple[str, str]:
    """Return what kind of guest a device is in, and for which architecture; a device by itself is in a PC."""
    domain = node.getparent()
    while domain is not None and domain.tag != "domain":
        domain = domain.getparent()
    found = None if domain is None else domain.find("os/type")
    if found is None:
        return "hvm", "x86_64"
    return xmlText(found), found.get("arch") or "x86_64"


def _usualBus(kind: str, guest: str, arch: str) -> str | None:
    if guest in ("xen", "xenpvh"):
        return "xen"
    if guest != "hvm":
        return None
    if kind in ("mouse", "keyboard") and arch in ("x86_64", "i686"):
        return "ps2"
    if kind == "passthrough" or arch in ("s390", "s390x"):
        return "virtio"
    return None if kind == "evdev" else "usb"


@definition
class Listen:
    """
    Where a display server listens.

    @ivar fromConfig: the address is the configuration's; only what is kept of running domains says so.
    """

    type: str = attribute(choice("address network socket none"), required=True)
    address: str | None = attribute(FILLED)
    network: str | None = attribute(FILLED)
    socket: str | None = attribute(FILLED)
    fromConfig: bool = special(
        default=False,
        read=lambda node, kids, context: context.status and node.get("fromConfig") == "1",
    )


@definition
class SpiceChannel:
    """Whether a channel of SPICE must be secure."""

    name: str | None = attribute(
        choice("main display inputs cursor playback record smartcard usbredir"), required=True
    )
    mode: str | None = attribute(choice("any secure insecure"), required=True)


@definition
class GL:
    """Whether rendering is accelerated, and on which node."""

    enable: bool | None = attribute(BOOLEAN)

    @classmethod
    def prepare(cls, node: Node, context: Context) -> None:
        """Say whether it is on, except where it always is."""
        if node.getparent().get("type") != "egl-headless" and node.get("enable") is None:
            raise missingAttribute(node, "enable")

    rendernode: str | None = attribute()


def _port(message: str) -> Kind:
    return integer(signed=True, error=internal(message))


_VALID_TO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\Z").match


def _readValidTo(text: str, node: Node, name: str) -> str:
    if not _VALID_TO(text):
        raise internal(f"cannot parse password validity time '{text}', expect YYYY-MM-DDTHH:MM:SS")(
            "", node, ""
        )
    return text


def _readAutoport(text: str, node: Node, name: str) -> bool | None:
    """Read whether ports are chosen; only one type of server is strict about it."""
    if node.get("type") == "spice":
        BOOLEAN.read(text, node, name)
    return {"yes": True, "no": False}.get(text)


@definition
class Graphics(Device):
    """
    A display server or window.

    @ivar port: the port asked for; -1 for any, None for none said.
    """

    xmlReadOrder: ClassVar[str] = "type"

    type: str = attribute(choice("sdl vnc rdp desktop spice egl-headless dbus"), required=True)
    port: int | None = attribute(Kind(lambda text, node, name: _readPort(text, node)))
    tlsPort: int | None = attribute(integer(signed=True))
    autoport: bool | None = attribute(Kind(_readAutoport, BOOLEAN.write))
    websocket: int | None = attribute(integer(signed=True))
    websocketGenerated: bool | None = attribute(BOOLEAN)
    listen: str | None = attribute(FILLED)
    socket: str | None = attribute(FILLED)
    keymap: str | None = attribute()
    sharePolicy: str | None = attribute(
        choice("default allow-exclusive force-shared ignore", absent="default")
    )
    powerControl: bool | None = attribute(BOOLEAN)
    passwd: str | None = attribute()
    passwdValidTo: str | None = attribute(
        Kind(
            lambda text, node, name: (
                None if node.get("passwd") is None else _readValidTo(text, node, name)
            ),
            escape,
        )
    )
    connected: str | None = attribute(
        choice(
            "default fail disconnect keep",
            error=internal("unknown connected value {text}"),
            absent="default",
        )
    )
    display: str | None = attribute()
    xauth: str | None = attribute()
    fullscreen: bool | None = attribute(BOOLEAN)
    replaceUser: bool | None = attribute(YES)
    multiUser: bool | None = attribute(YES)
    defaultMode: str | None = attribute(choice("any secure insecure", absent="any"))
    p2p: bool | None = attribute(BOOLEAN)
    address: Any = attribute()
    listens: tuple[Listen, ...] = elements(Listen, "listen")
    channels: tuple[SpiceChannel, ...] = elements(SpiceChannel, "channel")
    image: str | None = elementAttribute(
        "image", "compression", choice("auto_glz auto_lz quic glz lz off"), required=True
    )
    jpeg: str | None = elementAttribute(
        "jpeg", "compression", choice("auto never always"), required=True
    )
    zlib: str | None = elementAttribute(
        "zlib", "compression", choice("auto never always"), required=True
    )
    playback: bool | None = elementAttribute("playback", "compression", SWITCH, required=True)
    streaming: str | None = elementAttribute(
        "streaming", "mode", choice("filter all off"), required=True
    )
    mouse: str | None = elementAttribute("mouse", "mode", choice("server client"), required=True)
    clipboard: bool | None = elementAttribute("clipboard", "copypaste", BOOLEAN, required=True)
    filetransfer: bool | None = elementAttribute("filetransfer", "enable", BOOLEAN, required=True)
    gl: GL | None = element(GL)
    audio: int | None = elementAttribute("audio", "id", integer(zero=False), required=True)

    def settle(self, node: Node, context: Context) -> Graphics:
        """Bring the listens and the old attributes together."""
        return settleGraphics(self, node, context)

    @staticmethod
    def writeElement(value: Any, out: list[str], indent: str, tag: str, context: Context) -> None:
        """Write what belongs to the type."""
        writeGraphics(value, out, indent, tag, context)


def _readPort(text: str, node: Node) -> int:
    kind = node.get("type")
    value = number(text, signed=True)
    if value is None:
        if kind in ("vnc", "rdp"):
            raise internal(f"cannot parse {kind} port {{text}}")(text, node, "port")
        raise integer(signed=True).read(text, node, "port")
    return value


def refuse(detail: str) -> Exception:
    """Make the error of a configuration that is not supported."""
    return unsupported(detail)("", None, "")


def settleGraphics(graphics: Graphics, node: Node, context: Context) -> Graphics:
    """Complete the listens; drop what the type does not have."""
    kind = graphics.type
    changes: dict[str, Any] = {}
    if kind == "vnc" and graphics.passwd is not None and graphics.connected not in (None, "keep"):
        raise refuse("VNC supports connected='keep' only")
    if kind in ("vnc", "rdp", "spice"):
        listens = []
        for listen in graphics.listens:
            if listen.type == "socket" and kind != "vnc" and kind != "spice":
                raise refuse(f"listen type 'socket' is not available for graphics type '{kind}'")
            if listen.type == "none" and kind == "rdp":
                raise refuse(f"listen type 'none' is not available for graphics type '{kind}'")
            if listen.type == "address":
                if graphics.listen and listen is graphics.listens[0]:
                    if listen.address is None:
                        listen = replaced(listen, address=graphics.listen)
                    elif listen.address != graphics.listen:
                        raise refuse(
                            f"graphics 'listen' attribute '{graphics.listen}' must match 'address' "
                            f"attribute of first listen element (found '{listen.address}')"
                        )
            elif (
                listen.type == "socket"
                and graphics.socket
                and listen is graphics.listens[0]
                and listen.socket not in (None, graphics.socket)
            ):
                raise refuse(
                    f"graphics 'socket' attribute '{graphics.socket}' must match 'socket' attribute "
                    f"of first listen element (found '{listen.socket}')"
                )
            if listen.network is not None and listen.type != "network":
                raise xmlError("'network' attribute is valid only for listen type 'network'")
            if listen.socket is not None and listen.type != "socket":
                raise xmlError("'socket' attribute is valid only for listen type 'socket'")
            if listen.type == "network" and context.inactive:
                listen = replaced(listen, address=None)
            listens.append(listen)
        if graphics.socket is not None and kind == "vnc":
            listens = [Listen(type="socket", socket=graphics.socket), *listens[1:]]
        elif not listens:
            listens.append(Listen(type="address", address=graphics.listen))
        if kind == "vnc" and graphics.autoport and context.inactive:
            changes["port"] = None
        if kind == "spice":
            auto = graphics.autoport
            if graphics.port == -1 and graphics.tlsPort == -1:
                auto = True
            changes["autoport"] = auto
            if auto and context.inactive:
                changes.update(port=None, tlsPort=None)
            if (
                not auto
                and not graphics.port
                and not graphics.tlsPort
                and listens[0].type == "address"
            ):
                listens[0] = Listen(type="none")
        changes.update(listens=tuple(listens), listen=None, socket=None)
    return replaced(graphics, **changes) if changes else graphics


def _flag(name: str, value: bool | None) -> str:
    return "" if value is None else f" {name}='{'yes' if value else 'no'}'"


def _word(name: str, value: Any) -> str:
    return "" if value is None else f" {name}='{escape(str(value))}'"


def writeGraphics(value: Graphics, out: list[str], indent: str, tag: str, context: Context) -> None:
    """Write a display server or window."""
    from pyvirt.definitions.schema import writer

    kind = value.type
    if context.migratable and any(each.fromConfig for each in value.listens):
        told = (
            replaced(each, address=None, socket=None) if each.fromConfig else each
            for each in value.listens
        )
        value = replaced(value, listens=tuple(told))
    head = f"{indent}<{tag} type='{kind}'"
    body: list[str] = []
    inner = indent + "  "
    first = value.listens[0] if value.listens else None
    if kind == "vnc":
        if first is not None and first.type == "socket":
            if first.socket is not None:
                head += f" socket='{escape(first.socket)}'"
        elif first is not None and first.type != "none":
            port, auto = _ports(value)
            if port == -1 and not auto:
                port = 0
            if auto and not context.inactive and value.port is not None and value.port > 0:
                port = value.port
            if port == 0:
                head += " autoport='no'"
            else:
                head += f" port='{port}' autoport='{'yes' if auto else 'no'}'"
            if value.websocket:
                head += f" websocket='{value.websocket}'"
                head += _flag("websocketGenerated", value.websocketGenerated)
            if first.address is not None:
                head += f" listen='{escape(first.address)}'"
        head += _word("keymap", value.keymap) + _word("sharePolicy", value.sharePolicy)
        head += _flag("powerControl", value.powerControl)
    elif kind == "sdl":
        head += _word("display", value.display) + _word("xauth", value.xauth)
        if value.fullscreen:
            head += " fullscreen='yes'"
        if value.gl is not None and value.gl.enable is not None:
            body.append(f"{inner}<gl{_flag('enable', value.gl.enable)}/>\n")
    elif kind == "rdp":
        port, auto = _ports(value)
        if port or auto:
            head += f" port='{port}'"
        if auto:
            head += " autoport='yes'"
        if value.replaceUser:
            head += " replaceUser='yes'"
        if value.multiUser:
            head += " multiUser='yes'"
        if first is not None and first.address is not None:
            head += f" listen='{escape(first.address)}'"
    elif kind == "desktop":
        head += _word("display", value.display)
        if value.fullscreen:
            head += " fullscreen='yes'"
    elif kind == "spice":
        if first is not None and first.type not in ("socket", "none"):
            if value.port:
                head += f" port='{value.port}'"
            if value.tlsPort:
                head += f" tlsPort='{value.tlsPort}'"
            head += f" autoport='{'yes' if value.autoport else 'no'}'"
            if first.address is not None:
                head += f" listen='{escape(first.address)}'"
        elif first is not None and first.type == "none" and context.migratable:
            head += " autoport='no'"
        head += _word("keymap", value.keymap) + _word("defaultMode", value.defaultMode)
    elif kind == "egl-headless":
        if value.gl is not None and value.gl.rendernode is not None:
            body.append(f"{inner}<gl rendernode='{escape(value.gl.rendernode)}'/>\n")
    elif kind == "dbus":
        if value.p2p:
            head += " p2p='yes'"
        head += _word("address", value.address)
        if value.gl is not None and value.gl.enable is not None:
            body.append(
                f"{inner}<gl{_flag('enable', value.gl.enable)}"
                f"{_word('rendernode', value.gl.rendernode)}/>\n"
            )
        if value.audio is not None:
            body.append(f"{inner}<audio id='{value.audio}'/>\n")
    if kind in ("vnc", "spice"):
        if context.secure:
            head += _word("passwd", value.passwd)
        if value.passwd is not None:
            head += _word("passwdValidTo", value.passwdValidTo)
            head += _word("connected", value.connected)
    listens = value.listens
    if kind in ("vnc", "rdp", "spice"):
        if context.migratable:
            # Elder hosts know a socket of VNC, and SPICE that nobody can reach, by the attributes alone.
            listens = tuple(
                each
                for each in listens
                if not (kind == "vnc" and each.type == "socket" and each.socket is not None)
                and not (kind == "spice" and each.type == "none")
            )
        body.extend(
            f"{inner}<listen type='{listen.type}'{_word('address', listen.address)}"
            f"{_word('network', listen.network)}{_word('socket', listen.socket)}"
            f"{_word('fromConfig', '1' if listen.fromConfig and context.status else None)}/>\n"
            for listen in listens
        )
    if kind == "spice":
        for channel in value.channels:
            if channel.mode != "any":
                writer(SpiceChannel)(channel, body, inner, "channel", context)
        for name, word in (
            ("image", value.image),
            ("jpeg", value.jpeg),
            ("zlib", value.zlib),
        ):
            if word is not None:
                body.append(f"{inner}<{name} compression='{word}'/>\n")
        if value.playback is not None:
            body.append(f"{inner}<playback compression='{'on' if value.playback else 'off'}'/>\n")
        if value.streaming is not None:
            body.append(f"{inner}<streaming mode='{value.streaming}'/>\n")
        if value.mouse is not None:
            body.append(f"{inner}<mouse mode='{value.mouse}'/>\n")
        if value.clipboard is not None:
            body.append(f"{inner}<clipboard{_flag('copypaste', value.clipboard)}/>\n")
        if value.filetransfer is not None:
            body.append(f"{inner}<filetransfer{_flag('enable', value.filetransfer)}/>\n")
        if value.gl is not None:
            body.append(
                f"{inner}<gl{_flag('enable', value.gl.enable)}"
                f"{_word('rendernode', value.gl.rendernode)}/>\n"
            )
    if kind == "vnc" and value.audio is not None:
        body.append(f"{inner}<audio id='{value.audio}'/>\n")
    if body or (len(listens) < len(value.listens) and kind == "vnc"):
        out.append(head + ">\n")
        out += body
        out.append(f"{indent}</{tag}>\n")
    else:
        out.append(head + "/>\n")


def _ports(value: Graphics) -> tuple[int, bool]:
    """Return the port and whether it is chosen freely."""
    if value.type == "rdp":
        if value.autoport or value.port in (None, -1):
            return (0, True)
        return (value.port or 0, False)
    if value.autoport is not False and value.port in (-1, None):
        return (-1, True)
    if value.autoport:
        return (-1, True)
    return (value.port or 0, False)


@definition
class Acceleration:
    """What is accelerated."""

    xmlOmitEmpty: ClassVar[bool] = True

    accel3d: bool | None = attribute(BOOLEAN)
    accel2d: bool | None = attribute(BOOLEAN)
    rendernode: str | None = attribute()

    def settle(self, node: Node, context: Context) -> Acceleration:
        """Something is said of it."""
        if self.accel3d is None and self.accel2d is None and self.rendernode is None:
            raise unsupported("missing values for acceleration")("", node, "")
        return self


@definition
class Resolution:
    """Dots across and down."""

    x: int | None = attribute(integer(), required=True)
    y: int | None = attribute(integer(), required=True)

    def settle(self, node: Node, context: Context) -> Resolution:
        """Of no dots there is no picture."""
        if not self.x or not self.y:
            raise refuse("video resolution values must be greater than 0")
        return self


def _videoNumber(what: str) -> Kind:
    code = ErrorCode.INTERNAL_ERROR if what == "heads" else ErrorCode.XML_ERROR
    kind = integer(keepZero=False, error=custom(f"cannot parse video {what} '{{text}}'", code))
    if what != "heads":
        return kind
    return Kind(lambda text, node, name: kind.read(text, node, name) if text else None)


def _yes(value: bool) -> str:
    return "yes" if value else "no"


@definition
class VideoModel:
    """The graphics chip; memory in KiB."""

    xmlOrder: ClassVar[str] = "type ram vram vram64 vgamem heads primary"

    type: str = attribute(
        choice(
            dict.fromkeys([""], "default")
            | {
                word: word
                for word in [
                    "default",
                    "vga",
                    "cirrus",
                    "vmvga",
                    "xen",
                    "vbox",
                    "qxl",
                    "parallels",
                    "virtio",
                    "gop",
                    "none",
                    "bochs",
                    "ramfb",
                ]
            },
            error=unsupported("unknown video model '{text}'"),
        ),
        default="default",
    )
    ram: int | None = attribute(_videoNumber("ram"))
    vram: int | None = attribute(_videoNumber("vram"))
    vram64: int | None = attribute(_videoNumber("vram64"))
    vgamem: int | None = attribute(_videoNumber("vgamem"))
    heads: int | None = attribute(_videoNumber("heads"))
    headsGiven: bool = False
    primary: bool | None = attribute(Kind(lambda text, node, name: text == "yes" or None, _yes))
    acceleration: Acceleration | None = element(Acceleration)
    resolution: Resolution | None = element(Resolution)

    def settle(self, node: Node, context: Context) -> VideoModel:
        """Remember that heads were spoken of, if only to have none."""
        if self.heads is None and node.get("heads"):
            return replaced(self, headsGiven=True)
        return self


@definition
class VideoDriver(VirtioDriver):
    """Who does the drawing."""

    xmlOrder: ClassVar[str] = "iommu ats packed page_per_vq vgaconf name"

    # The first of its words, io, is what nothing said is; others are overlooked.
    vgaconf: str | None = attribute(
        Kind(lambda text, node, name: text if text in ("on", "off") else None)
    )
    name: str | None = attribute(choice("qemu vhostuser"))


@definition
class Video(Device):
    """A graphics adapter."""

    xmlOrder: ClassVar[str] = "driver model"

    model: VideoModel = element(VideoModel, default=VideoModel())
    driver: VideoDriver | None = element(VideoDriver)

    def settle(self, node: Node, context: Context) -> Video:
        """Of none nothing more is said."""
        if self.model.type != "none":
            return self
        return Video(model=VideoModel(type="none"), alias=self.alias)


@definition
class Codec:
    """A codec of an HDA sound card."""

    type: str = attribute(
        choice("duplex micro output", error=unsupported("unknown codec type '{text}'")),
        required=True,
        missing=lambda node: refuse("unknown codec type '(null)'"),
    )


def _writeCodecs(value: Any, out: list[str], indent: str, context: Context) -> None:
    for codec in value:
        writer(Codec)(codec, out, indent, "codec", context)


@definition
class Sound(Device):
    """A sound card."""

    xmlOrder: ClassVar[str] = "model codecs audio alias acpiIndex address"

    model: str = attribute(choice("sb16 es1370 pcspk ac97 ich6 ich9 usb ich7"), required=True)
    codecs: tuple[Codec, ...] = special(
        tags="codec",
        read=lambda node, kids, context: (
            tuple(reader(Codec)(child, context) for child in kids.get("codec", ()))
            if node.get("model") in ("ich6", "ich9")
            else ()
        ),
        write=lambda value, out, indent, context: _writeCodecs(value, out, indent, context),
        default=(),
    )
    audio: int | None = elementAttribute("audio", "id", integer(zero=False), required=True)
