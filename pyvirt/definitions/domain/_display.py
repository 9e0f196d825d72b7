"""
What a person in front of the guest meets: graphics, video, sound, input.
"""

from __future__ import annotations

from typing import Any, ClassVar

import attrs

from pyvirt.definitions.domain._address import Device
from pyvirt.definitions.domain._common import VirtioDriver, VirtioOptions
from pyvirt.definitions.kinds import (
    BOOLEAN,
    FILLED,
    SWITCH,
    UINT,
    UINT_NZ,
    Kind,
    choice,
    custom,
    integer,
    internal,
    invalidAttribute,
    unsupported,
    xmlError,
)
from pyvirt.definitions.reader import Node
from pyvirt.definitions.schema import (
    Context,
    attribute,
    element,
    elementAttribute,
    elements,
    special,
)

__all__ = ["Graphics", "Input", "Sound", "Video"]


@attrs.frozen(kw_only=True)
class InputSource:
    """The event device of the host that a guest's input comes from."""

    dev: str | None = attribute()
    evdev: str | None = attribute()
    grab: str | None = attribute(choice("default all", absent="default"))
    grabToggle: str | None = attribute(
        choice(
            "default ctrl-ctrl alt-alt shift-shift meta-meta scrolllock ctrl-scrolllock",
            absent="default",
        )
    )
    repeat: bool | None = attribute(SWITCH)


@attrs.frozen(kw_only=True)
class Input(Device):
    """A mouse, tablet, keyboard or other source of input."""

    xmlOrder: ClassVar[str] = "type bus model driver alias acpiIndex address source"

    type: str = attribute(
        choice(
            "mouse tablet keyboard passthrough evdev",
            error=unsupported("unknown input device type '{text}'"),
        ),
        required=True,
        missing=lambda node: xmlError("missing input device type"),
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


@attrs.frozen(kw_only=True)
class Listen:
    """Where a display server listens."""

    type: str = attribute(choice("address network socket none"), required=True)
    address: str | None = attribute(FILLED)
    network: str | None = attribute(FILLED)
    socket: str | None = attribute(FILLED)


@attrs.frozen(kw_only=True)
class Graphics(Device):
    """A display server or window."""

    xmlOrder: ClassVar[str] = "type port autoport listen keymap listens"
    type: str = attribute(choice("sdl vnc rdp desktop spice egl-headless dbus"), required=True)
    port: int | None = attribute(integer(signed=True))
    autoport: bool | None = attribute(BOOLEAN)
    listen: str | None = attribute()
    keymap: str | None = attribute(FILLED)
    listens: tuple[Listen, ...] = elements(Listen, "listen")


@attrs.frozen(kw_only=True)
class VideoModel:
    """The graphics chip."""

    type: str = attribute(
        choice(
            "default vga cirrus vmvga xen vbox qxl parallels virtio gop none bochs ramfb",
            error=unsupported("unknown video model '{text}'"),
        ),
        default="default",
    )
    ram: int | None = attribute(UINT_NZ)
    vram: int | None = attribute(UINT_NZ)
    vram64: int | None = attribute(UINT_NZ)
    vgamem: int | None = attribute(UINT_NZ)
    heads: int | None = attribute(UINT_NZ)
    primary: bool | None = attribute(BOOLEAN)


@attrs.frozen(kw_only=True)
class Video(Device):
    """A graphics adapter."""

    xmlOrder: ClassVar[str] = "driver model"
    model: VideoModel = element(VideoModel, default=VideoModel())
    driver: VirtioDriver | None = element(VirtioDriver)


@attrs.frozen(kw_only=True)
class Sound(Device):
    """A sound card."""

    model: str = attribute(choice("sb16 es1370 pcspk ac97 ich6 ich9 usb ich7"), required=True)
