"""
Displays and graphics adapters, sound cards and where sound goes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pyvirt.definitions.kinds import unsupported
from pyvirt.drivers.qemu.command.arguments import Builder, escaped, jsonText
from pyvirt.drivers.qemu.command.secretobjects import addCertificates
from pyvirt.drivers.qemu.refusals import internal
from pyvirt.errors import ErrorDomain, VirtError

__all__ = ["addAudio", "addGraphics", "addSounds", "addVideos", "autoSocket"]


def _refuse(detail: str) -> VirtError:
    error = unsupported(detail)("", None, "")
    error.domain = ErrorDomain.QEMU
    return error


def addGraphics(b: Builder) -> None:
    """Add the displays."""
    for graphics in b.devices.graphics:
        if graphics.type == "vnc":
            _vnc(b, graphics)
        elif graphics.type == "spice":
            _spice(b, graphics)
        elif graphics.type == "sdl":
            _sdl(b, graphics)
        elif graphics.type == "egl-headless":
            node = graphics.gl.rendernode if graphics.gl is not None else None
            b.option("-display", "egl-headless", f"rendernode={escaped(node)}" if node else None)
        elif graphics.type == "dbus":
            _dbus(b, graphics)
        else:
            raise _refuse(f"unsupported graphics type '{graphics.type}'")


def _sdl(b: Builder, graphics: Any) -> None:
    if graphics.xauth is not None:
        b.environment["XAUTHORITY"] = graphics.xauth
    if graphics.display is not None:
        b.environment["DISPLAY"] = graphics.display
    if graphics.fullscreen:
        b.add("-full-screen")
    parts: list[str | None] = ["sdl"]
    if graphics.gl is not None and graphics.gl.enable is not None:
        parts.append(f"gl={'on' if graphics.gl.enable else 'off'}")
    b.option("-display", *parts)


def _dbus(b: Builder, graphics: Any) -> None:
    parts: list[str | None] = ["dbus"]
    if graphics.p2p:
        parts.append("p2p=on")
    else:
        address = graphics.address
        if address is None:
            short = f"{b.host.id}-{b.definition.name[:20]}"
            address = f"unix:path={b.host.runFolder}/dbus/{short}-dbus.sock"
        parts.append(f"addr={escaped(str(address))}")
    gl = graphics.gl
    if gl is not None and gl.enable is not None:
        parts.append(f"gl={'on' if gl.enable else 'off'}")
    if gl is not None and gl.rendernode is not None:
        parts.append(f"rendernode={escaped(gl.rendernode)}")
    if graphics.audio is not None:
        if all(each.id != graphics.audio for each in b.devices.audios):
            raise internal("unable to find audio backend for sound device")
        parts.append(f"audiodev=audio{graphics.audio}")
    b.option("-display", *parts)


def _listen(graphics: Any) -> Any:
    return graphics.listens[0] if graphics.listens else None


def _where(b: Builder, graphics: Any, setting: str) -> str:
    """Return the address to listen on."""
    listen = _listen(graphics)
    address = listen.address if listen is not None else graphics.listen
    address = address or str(b.host.settings.get(setting, "127.0.0.1"))
    return f"[{address}]" if ":" in address and setting == "vnc_listen" else address


def audioOf(b: Builder, number: int | None) -> Any:
    """Return where sound goes: what is asked for, or the first there is."""
    audios = b.devices.audios
    if number is None:
        return audios[0] if audios else None
    for each in audios:
        if each.id == number:
            return each
    raise _refuse(f"unable to find audio backend for id {number}")


def autoSocket(graphics: Any, settings: Mapping[str, Any]) -> bool:
    """Return whether a display that says no address is reached through a socket, as qemu.conf may have it."""
    listen = _listen(graphics)
    named = listen.address if listen is not None and not listen.fromConfig else None
    return named is None and bool(settings.get(f"{graphics.type}_auto_unix_socket"))


def _vnc(b: Builder, graphics: Any) -> None:
    settings = b.host.settings
    listen = _listen(graphics)
    kind = listen.type if listen is not None else "address"
    parts: list[str | None] = []
    if kind == "socket":
        path = listen.socket or graphics.socket or f"{b.host.guestFolder}/vnc.sock"
        parts.append(f"vnc=unix:{escaped(path)}")
    elif kind == "none":
        parts.append("none")
    elif kind == "address" and autoSocket(graphics, settings):
        parts.append(f"vnc=unix:{escaped(f'{b.host.guestFolder}/vnc.sock')}")
    else:
        port = graphics.port
        if graphics.autoport is not False and (graphics.autoport or port in (None, -1)):
            # Not one of them is given to a guest that is only shown.
            port = 5900 if b.host.shown or port in (None, -1, 0) else port
        port = max(port or 0, 0)
        if not 5900 <= port <= 65535:
            raise _refuse("vnc port must be in range [5900,65535]")
        parts.append(f"{_where(b, graphics, 'vnc_listen')}:{port - 5900}")
        if graphics.websocket:
            parts.append(f"websocket={graphics.websocket}")
    if graphics.sharePolicy is not None:
        parts.append(f"share={graphics.sharePolicy}")
    if graphics.passwd is not None or settings.get("vnc_password") is not None:
        parts.append("password=on")
    if settings.get("vnc_tls"):
        name = addCertificates(
            b,
            "vnc",
            "vnc-tls-creds0",
            "vnc-tls-creds0-secret0",
            server=True,
            verify=bool(settings.get("vnc_tls_x509_verify")),
        )
        parts.append(f"tls-creds={name}")
    if settings.get("vnc_sasl"):
        if settings.get("vnc_sasl_dir"):
            b.environment["SASL_CONF_PATH"] = str(settings["vnc_sasl_dir"])
        parts.append("sasl=on")
    if graphics.powerControl is not None:
        parts.append(f"power-control={'on' if graphics.powerControl else 'off'}")
    audio = audioOf(b, graphics.audio)
    if audio is not None:
        parts.append(f"audiodev=audio{audio.id}")
    b.option("-vnc", *parts)
    if graphics.keymap is not None:
        b.add("-k", graphics.keymap)


def _wantedPorts(graphics: Any, tls: bool) -> tuple[bool, bool]:
    """Return whether a display needs a plain port, and whether one with TLS."""
    modes = {each.mode for each in graphics.channels}
    plain = graphics.defaultMode == "insecure" or "insecure" in modes
    secure = graphics.defaultMode == "secure" or "secure" in modes
    if graphics.defaultMode in (None, "any"):
        plain = True
        secure = secure or tls
    if "any" in modes:
        plain = True
        secure = secure or tls
    return plain, secure


def _secured(graphics: Any, *, plain: bool, secure: bool) -> None:
    """
    Look whether there are connections of the kinds that channels ask for.

    @raise VirtError: there are not.
    """
    missing = [
        (mode, kind)
        for mode, kind, there in (("secure", "TLS", secure), ("insecure", "plain", plain))
        if not there
    ]
    for mode, kind in missing:
        if graphics.defaultMode == mode:
            raise _refuse(
                f"spice defaultMode {mode} requested in XML configuration, but {kind} connection is "
                "not available"
            )
    for mode, kind in missing:
        if any(each.mode == mode for each in graphics.channels):
            raise _refuse(
                f"spice {mode} channels set in XML configuration, but {kind} connection is not "
                "available"
            )


def _spice(b: Builder, graphics: Any) -> None:
    settings = b.host.settings
    listen = _listen(graphics)
    kind = listen.type if listen is not None else "address"
    parts: list[str | None] = []
    tls = bool(settings.get("spice_tls"))
    secure = False
    insecure = False
    if kind == "socket" or (kind == "address" and autoSocket(graphics, settings)):
        path = (listen and listen.socket) or f"{b.host.guestFolder}/spice.sock"
        parts += ["unix", f"addr={escaped(path)}"]
        insecure = True
    elif kind == "none":
        # SPICE wants a port even where it listens nowhere.
        parts.append("port=0")
        insecure = True
    else:
        port, tlsPort = graphics.port, graphics.tlsPort
        if graphics.autoport and port in (None, -1, 0) and tlsPort in (None, -1, 0):
            wantsPlain, wantsTLS = _wantedPorts(graphics, tls)
            port = 5901 if wantsPlain else None
            tlsPort = 5902 if wantsTLS else None
        if port and port > 0:
            parts.append(f"port={port}")
            insecure = True
        if tlsPort and tlsPort > 0:
            if not tls and graphics.tlsPort and graphics.tlsPort > 0:
                raise _refuse(
                    "spice TLS port set in XML configuration, but TLS is disabled in qemu.conf"
                )
            parts.append(f"tls-port={tlsPort}")
            secure = True
        if insecure or secure:
            parts.append(f"addr={_where(b, graphics, 'spice_listen')}")
        else:
            parts.append("port=0")
    _secured(graphics, plain=insecure, secure=secure)
    if settings.get("spice_sasl"):
        if settings.get("spice_sasl_dir"):
            b.environment["SASL_CONF_PATH"] = str(settings["spice_sasl_dir"])
        parts.append("sasl=on")
    if graphics.mouse is not None:
        parts.append(f"agent-mouse={'on' if graphics.mouse == 'client' else 'off'}")
    if graphics.passwd is None and settings.get("spice_password") is None:
        parts.append("disable-ticketing=on")
    if secure:
        parts.append(
            f"x509-dir={escaped(str(settings.get('spice_tls_x509_cert_dir') or settings.get('default_tls_x509_cert_dir', '/etc/pki/qemu')))}"
        )
    if graphics.defaultMode == "secure":
        parts.append("tls-channel=default")
    elif graphics.defaultMode == "insecure":
        parts.append("plaintext-channel=default")
    for channel in graphics.channels:
        if channel.mode == "secure":
            parts.append(f"tls-channel={channel.name}")
        elif channel.mode == "insecure":
            parts.append(f"plaintext-channel={channel.name}")
    for name, key in (
        ("image", "image-compression"),
        ("jpeg", "jpeg-wan-compression"),
        ("zlib", "zlib-glz-wan-compression"),
    ):
        value = getattr(graphics, name)
        if value is not None:
            parts.append(f"{key}={value}")
    if graphics.playback is not None:
        parts.append(f"playback-compression={'on' if graphics.playback else 'off'}")
    if graphics.streaming is not None:
        parts.append(f"streaming-video={graphics.streaming}")
    if graphics.clipboard is False:
        parts.append("disable-copy-paste=on")
    if graphics.filetransfer is False:
        parts.append("disable-agent-file-xfer=on")
    if graphics.gl is not None and graphics.gl.enable:
        parts.append("gl=on")
        if graphics.gl.rendernode is not None:
            parts.append(f"rendernode={escaped(graphics.gl.rendernode)}")
    parts.append("seamless-migration=on")
    b.option("-spice", *parts)
    if graphics.keymap is not None:
        b.add("-k", graphics.keymap)


_PRIMARY = {
    "vga": "VGA",
    "cirrus": "cirrus-vga",
    "vmvga": "vmware-svga",
    "qxl": "qxl-vga",
    "virtio": "virtio-vga",
    "bochs": "bochs-display",
    "ramfb": "ramfb",
}


def addVideos(b: Builder) -> None:
    """Add the graphics adapters."""
    for number, video in enumerate(b.devices.videos):
        model = video.model
        kind = model.type
        if kind == "none":
            continue
        user = video.driver is not None and video.driver.name == "vhostuser"
        primary = bool(model.primary) or number == 0
        values: dict[str, Any]
        accelerated = model.acceleration is not None and model.acceleration.accel3d
        if kind == "virtio":
            base = "vhost-user-vga" if user else "virtio-vga"
            if user:
                b.option(
                    "-chardev", "socket", f"id=chr-vu-{video.alias}", f"fd=\0gpu-{video.alias}\0"
                )
            if primary and b.capabilities.has(base):
                driver = (
                    f"{base}-gl"
                    if accelerated and not user and b.capabilities.has("virtio-vga-gl")
                    else base
                )
                values = b.virtio(base, video, model="")
                values["driver"] = driver
            else:
                gpu = "vhost-user-gpu" if user else "virtio-gpu"
                if accelerated and not user and b.capabilities.has("virtio-gpu-gl-pci"):
                    gpu = "virtio-gpu-gl"
                values = b.virtio(gpu, video, model="")
        else:
            driver = _PRIMARY.get(kind, kind)
            if kind == "qxl" and not primary:
                driver = "qxl"
            values = {"driver": driver}
        values["id"] = video.alias
        if (
            kind == "virtio"
            and accelerated
            and not user
            and not values["driver"].startswith(("virtio-vga-gl", "virtio-gpu-gl"))
        ):
            values["virgl"] = True
        if kind in ("virtio", "qxl") and model.heads:
            values["max_outputs"] = model.heads
        if kind == "qxl":
            values |= {
                "ram_size": (model.ram or 0) * 1024,
                "vram_size": (model.vram or 0) * 1024,
                "vram64_size_mb": (model.vram64 or 0) // 1024,
                "vgamem_mb": (model.vgamem or 0) // 1024,
            }
        elif kind in ("vga", "vmvga") and model.vram:
            values["vgamem_mb"] = model.vram // 1024
        elif kind == "bochs" and model.vram:
            values["vgamem"] = model.vram * 1024
        if user:
            values["chardev"] = f"chr-vu-{video.alias}"
        if model.resolution is not None and kind in ("vga", "qxl", "virtio", "bochs"):
            values |= {"xres": model.resolution.x, "yres": model.resolution.y}
        b.device(values | b.address(video))


_BACKENDS = {"pulseaudio": "pa", "file": "wav", "none": "none"}


def _given(*pairs: tuple[str, Any]) -> dict[str, Any]:
    """Return the properties that have a value."""
    return {key: value for key, value in pairs if value is not None}


def _direction(kind: str, side: Any) -> dict[str, Any]:
    """Return what is said of recording or of playing."""
    found: dict[str, Any] = {}
    if side is None:
        return found
    settings = side.settings
    found |= _given(
        ("mixing-engine", side.mixingEngine),
        ("fixed-settings", side.fixedSettings),
        ("voices", side.voices),
        ("buffer-length", side.bufferLength),
        ("frequency", settings.frequency if settings is not None else None),
        ("channels", settings.channels if settings is not None else None),
        ("format", settings.format if settings is not None else None),
    )
    found |= _given(
        ("name", side.name),
        ("stream-name", side.streamName),
        ("latency", side.latency),
        ("server-name", side.serverName),
        ("client-name", side.clientName),
        ("connect-ports", side.connectPorts),
        ("exact-name", side.exactName),
        ("dev", side.dev),
        ("buffer-count", side.bufferCount),
        ("try-poll", side.tryPoll),
    )
    return found


def addAudio(b: Builder) -> None:
    """Add where sound goes."""
    for audio in b.devices.audios:
        if audio.type == "sdl" and audio.driver is not None:
            b.environment["SDL_AUDIODRIVER"] = audio.driver
        values: dict[str, Any] = {
            "id": f"audio{audio.id}",
            "driver": _BACKENDS.get(audio.type, audio.type),
        }
        values |= _given(
            ("timer-period", audio.timerPeriod),
            ("server", audio.serverName),
            ("path", audio.path),
            ("try-mmap", audio.tryMMap),
            ("exclusive", audio.exclusive),
            ("dsp-policy", audio.dspPolicy),
        )
        for name, side in (("in", audio.input), ("out", audio.output)):
            found = _direction(audio.type, side)
            if found:
                values[name] = found
        b.add("-audiodev", jsonText(values))


_SOUND = {
    "es1370": "ES1370",
    "ac97": "AC97",
    "ich6": "intel-hda",
    "ich9": "ich9-intel-hda",
    "usb": "usb-audio",
    "sb16": "sb16",
}


def addSounds(b: Builder) -> None:
    """Add the sound cards with their codecs."""
    for sound in b.devices.sounds:
        if sound.model == "pcspk":
            b.add("-soundhw", "pcspk")
            continue
        driver = _SOUND.get(sound.model)
        if driver is None:
            raise _refuse(f"sound card model '{sound.model}' is not supported by qemu")
        audio = audioOf(b, sound.audio)
        backend = f"audio{audio.id}" if audio is not None else None
        hda = sound.model in ("ich6", "ich9")
        values: dict[str, Any] = {"driver": driver, "id": sound.alias}
        if not hda:
            values["audiodev"] = backend
        b.device(values | b.address(sound))
        if not hda:
            continue
        codecs = [each.type for each in sound.codecs] or ["duplex"]
        for number, codec in enumerate(codecs):
            b.device(
                {
                    "driver": f"hda-{codec}",
                    "id": f"{sound.alias}-codec{number}",
                    "bus": f"{sound.alias}.0",
                    "cad": number,
                    "audiodev": backend,
                }
            )
