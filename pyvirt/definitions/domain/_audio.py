"""
Audio back ends: where the sound of a guest goes, and with which settings.
"""

from __future__ import annotations

from typing import Any, ClassVar

from pyvirt.definitions.kinds import BOOLEAN, TEXT, UINT_NZ, Kind, choice, integer, unsupported
from pyvirt.definitions.reader import Node
from pyvirt.definitions.schema import Context, attribute, element, reader, special
from pyvirt.definitions.values import definition

__all__ = ["AUDIO_OPTIONS", "Audio"]


@definition
class AudioSettings:
    """The form of the samples."""

    frequency: int | None = attribute(integer(zero=False))
    channels: int | None = attribute(integer(zero=False))
    format: str | None = attribute(choice("s8 u8 s16 u16 s32 u32 f32"))


@definition
class AudioCommon:
    """How samples go in or out, whatever stands behind."""

    xmlReadOrder: ClassVar[str] = "mixingEngine fixedSettings fixed voices bufferLength settings"

    mixingEngine: bool | None = attribute(BOOLEAN)
    fixedSettings: bool | None = attribute(BOOLEAN)
    fixed: None = special(read=lambda node, kids, context: _checkFixed(node))
    voices: int | None = attribute(integer(zero=False))
    bufferLength: int | None = attribute(integer(zero=False))
    settings: AudioSettings | None = special(
        tags="settings", read=lambda node, kids, context: _readSettings(node, kids, context)
    )


def _refuse(detail: str) -> Exception:
    return unsupported(detail)("", None, "")


def _checkFixed(node: Node) -> None:
    if node.get("fixedSettings") == "yes" and node.get("mixingEngine") != "yes":
        raise _refuse("fixed audio settings requires mixing engine")


def _readSettings(node: Node, kids: dict[str, list[Node]], context: Context) -> Any:
    if node.get("fixedSettings") == "yes":
        found = kids.get("settings")
        return reader(AudioSettings)(found[0], context) if found else AudioSettings()
    if "settings" in kids:
        raise _refuse("audio settings specified without fixed settings flag")
    return None


@definition
class AudioDirection(AudioCommon):
    """How samples go in or out, options of every back end together."""

    xmlOmitEmpty: ClassVar[bool] = True
    xmlOrder: ClassVar[str] = (
        "mixingEngine fixedSettings fixed voices bufferLength serverName clientName connectPorts "
        "exactName dev bufferCount tryPoll name streamName latency settings"
    )

    dev: str | None = attribute()
    bufferCount: int | None = attribute(UINT_NZ)
    tryPoll: bool | None = attribute(BOOLEAN)
    serverName: str | None = attribute()
    clientName: str | None = attribute()
    connectPorts: str | None = attribute()
    exactName: bool | None = attribute(BOOLEAN)
    name: str | None = attribute()
    streamName: str | None = attribute()
    latency: int | None = attribute(integer(zero=False))
    settings: AudioSettings | None = element(AudioSettings)


#: What each back end has of its own: for all of it, and for each direction.
AUDIO_OPTIONS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "alsa": ((), ("dev", "tryPoll")),
    "coreaudio": ((), ("bufferCount",)),
    "jack": ((), ("serverName", "clientName", "connectPorts", "exactName")),
    "oss": (("tryMMap", "exclusive", "dspPolicy"), ("dev", "bufferCount", "tryPoll")),
    "pulseaudio": (("serverName",), ("name", "streamName", "latency")),
    "sdl": (("driver",), ("bufferCount",)),
    "file": (("path",), ()),
}
_AUDIO_KINDS: dict[str, Kind] = {
    "tryPoll": BOOLEAN,
    "exactName": BOOLEAN,
    "tryMMap": BOOLEAN,
    "exclusive": BOOLEAN,
    "bufferCount": UINT_NZ,
    "dspPolicy": integer(signed=True),
    "latency": integer(zero=False),
    "driver": choice("esd alsa arts pulseaudio"),
}


def _options(node: Node, names: tuple[str, ...]) -> dict[str, Any]:
    """Read some attributes."""
    return {
        name: _AUDIO_KINDS.get(name, TEXT).read(text, node, name)
        for name in names
        if (text := node.get(name)) is not None
    }


@definition
class AudioCore:
    """What every back end has."""

    xmlReadOrder: ClassVar[str] = "type"

    id: int = attribute(integer(zero=False), required=True)
    type: str = attribute(
        choice("none alsa coreaudio jack oss pulseaudio sdl spice file dbus"), required=True
    )
    timerPeriod: int | None = attribute(integer(zero=False))


@definition
class Audio:
    """Where the guest's sound goes."""

    xmlOrder: ClassVar[str] = (
        "id type timerPeriod tryMMap exclusive dspPolicy driver serverName path input output"
    )

    id: int = attribute(integer(zero=False), required=True)
    type: str = attribute(
        choice("none alsa coreaudio jack oss pulseaudio sdl spice file dbus"), required=True
    )
    timerPeriod: int | None = attribute(integer(zero=False))
    serverName: str | None = attribute()
    driver: str | None = attribute(choice("esd alsa arts pulseaudio"))
    path: str | None = attribute()
    tryMMap: bool | None = attribute(BOOLEAN)
    exclusive: bool | None = attribute(BOOLEAN)
    dspPolicy: int | None = attribute(integer(signed=True))
    input: AudioDirection | None = element(AudioDirection)
    output: AudioDirection | None = element(AudioDirection)

    @classmethod
    def readElement(cls, node: Node, context: Context) -> Audio:
        """Read what all back ends have, then what this one has."""
        plain: AudioCore = reader(AudioCore)(node, context)
        ways: dict[str, tuple[Node, Any]] = {}
        for name in ("input", "output"):
            found = next((child for child in node if child.tag == name), None)
            if found is not None:
                ways[name] = found, reader(AudioCommon)(found, context)
        whole, each = AUDIO_OPTIONS.get(plain.type, ((), ()))
        values = _options(node, whole)
        for name, (child, common) in ways.items():
            values[name] = AudioDirection(
                mixingEngine=common.mixingEngine,
                fixedSettings=common.fixedSettings,
                voices=common.voices,
                bufferLength=common.bufferLength,
                settings=common.settings,
                **_options(child, each),
            )
        return cls(id=plain.id, type=plain.type, timerPeriod=plain.timerPeriod, **values)
