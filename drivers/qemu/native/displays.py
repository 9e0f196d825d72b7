"""
Displays of a command line.
"""

from __future__ import annotations

from pyvirt.drivers.qemu.native.elements import Parts, add
from pyvirt.drivers.qemu.native.words import isOn, properties

__all__ = ["addDisplay", "addSpice", "addVNC"]


def addVNC(p: Parts, value: str) -> None:
    """Add the display that C{-vnc} names."""
    where, *rest = value.removeprefix("vnc=").split(",", 1)
    told = properties(rest[0] if rest else "")
    sound = str(told.get("audiodev", "audio"))
    if told.unread("websocket", "share", "power-control") or not sound.startswith("audio"):
        p.left += ["-vnc", value]
        return
    graphics = p.device("graphics", None, type="vnc")
    if where.startswith("unix:"):
        graphics.set("socket", where.removeprefix("unix:"))
    elif where == "none":
        add(graphics, "listen", type="none")
    else:
        host, _, display = where.rpartition(":")
        found = int(display) + 5900 if display.lstrip("-").isdigit() else -1
        graphics.set("port", str(found if found > 0 else -1))
        graphics.set("autoport", "no" if found > 0 else "yes")
        if host:
            graphics.set("listen", host.strip("[]"))
    if str(told.get("websocket", "")).lstrip("-").isdigit():
        graphics.set("websocket", told["websocket"])
    for name, key in (("share", "sharePolicy"), ("power-control", "powerControl")):
        if name in told:
            graphics.set(key, {"on": "yes", "off": "no"}.get(told[name], told[name]))


#: What is heeded of displays of this kind.
_SPICE = (
    *("unix", "addr", "port", "tls-port", "image-compression", "jpeg-wan-compression"),
    *("zlib-glz-wan-compression", "playback-compression", "streaming-video"),
    *("disable-copy-paste", "disable-agent-file-xfer", "gl", "rendernode", "agent-mouse"),
    *("disable-ticketing", "seamless-migration"),
)


def addSpice(p: Parts, value: str) -> None:
    """Add the display that C{-spice} names."""
    told = properties(value)
    # Whose password nobody tells would be a display for everybody.
    if told.unread(*_SPICE) or not isOn(told.get("disable-ticketing", "off")):
        p.left += ["-spice", value]
        return
    graphics = p.device("graphics", None, type="spice", autoport="no")
    if isOn(told.get("unix", "off")):
        del graphics.attrib["autoport"]
        add(graphics, "listen", type="socket", socket=told.get("addr"))
    else:
        graphics.set("port", told.get("port", "-1"))
        if "tls-port" in told:
            graphics.set("tlsPort", told["tls-port"])
        if told.get("addr"):
            graphics.set("listen", told["addr"])
    compression = {
        "image-compression": "image",
        "jpeg-wan-compression": "jpeg",
        "zlib-glz-wan-compression": "zlib",
    }
    for name, tag in compression.items():
        if name in told:
            add(graphics, tag, compression=told[name])
    if "playback-compression" in told:
        add(graphics, "playback", compression=told["playback-compression"])
    if "streaming-video" in told:
        add(graphics, "streaming", mode=told["streaming-video"])
    if "agent-mouse" in told:
        add(graphics, "mouse", mode="client" if isOn(told["agent-mouse"]) else "server")
    if isOn(told.get("disable-copy-paste", "off")):
        add(graphics, "clipboard", copypaste="no")
    if isOn(told.get("disable-agent-file-xfer", "off")):
        add(graphics, "filetransfer", enable="no")
    if isOn(told.get("gl", "off")):
        add(graphics, "gl", enable="yes", rendernode=told.get("rendernode"))


def addDisplay(p: Parts, value: str) -> None:
    """Add the display that C{-display} names."""
    told = properties(value, "type")
    kind = told.get("type")
    names = {"egl-headless": ("rendernode",), "sdl": ("gl",), "dbus": ("p2p", "addr", "audiodev")}
    if told.unread(*names.get(str(kind), ())):
        p.left += ["-display", value]
    elif kind == "none":
        return
    elif kind == "egl-headless":
        graphics = p.device("graphics", None, type="egl-headless")
        if "rendernode" in told:
            add(graphics, "gl", rendernode=told["rendernode"])
    elif kind == "sdl":
        graphics = p.device("graphics", None, type="sdl")
        if "gl" in told:
            add(graphics, "gl", enable="yes" if isOn(told["gl"]) else "no")
    elif kind == "dbus":
        graphics = p.device("graphics", None, type="dbus")
        if isOn(told.get("p2p", "off")):
            graphics.set("p2p", "yes")
        elif "addr" in told:
            graphics.set("address", told["addr"])
    else:
        p.left += ["-display", value]
