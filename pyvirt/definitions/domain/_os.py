"""
What a domain boots: firmware, kernel, the init of a container, the order of devices.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from pyvirt.definitions.kinds import (
    BOOLEAN,
    FILLED,
    UINT,
    Kind,
    choice,
    custom,
    escape,
    integer,
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
    replaced,
    special,
    text,
)
from pyvirt.definitions.values import definition
from pyvirt.errors import VirtError

if TYPE_CHECKING:
    from pyvirt.definitions.domain._nvram import NVRAM

__all__ = ["OS", "BootMenu", "OSType", "Resource"]


def _nvram() -> type:
    from pyvirt.definitions.domain._nvram import NVRAM

    return NVRAM


@definition
class OSType:
    """What the guest is for the hypervisor."""

    xmlOrder: ClassVar[str] = "arch machine name"

    name: str | None = text()
    arch: str | None = attribute()
    machine: str | None = attribute(FILLED)


@definition
class FirmwareFeature:
    """A property that the chosen firmware must have."""

    enabled: bool = attribute(BOOLEAN, required=True)
    name: str = attribute(choice("enrolled-keys secure-boot"), required=True)


@definition
class Firmware:
    """What the firmware is chosen by."""

    xmlOmitEmpty: ClassVar[bool] = True

    features: tuple[FirmwareFeature, ...] = elements(FirmwareFeature, "feature")

    def settle(self, node: Node, context: Context) -> Firmware:
        """Features are in libvirt's order, each once; what chooses nothing is nothing."""
        found = {each.name: each for each in self.features}
        return Firmware(features=tuple(found[name] for name in sorted(found)))


@definition
class InitEnv:
    """A variable in the environment of a container's init."""

    name: str | None = attribute()
    value: str | None = text()

    def settle(self, node: Node, context: Context) -> InitEnv:
        """Complain of a variable without name or value."""
        if self.name is None:
            raise xmlError("No name supplied for <initenv> element")
        if not self.value:
            raise xmlError(f"No value supplied for <initenv name='{self.name}'> element")
        return self


@definition
class Loader:
    """The firmware's image."""

    xmlOmitEmpty: ClassVar[bool] = True

    readonly: bool | None = attribute(BOOLEAN)
    type: str | None = attribute(choice("rom pflash"))
    secure: bool | None = attribute(BOOLEAN)
    stateless: bool | None = attribute(BOOLEAN)
    path: str | None = text()
    xmlOrder: ClassVar[str] = "readonly secure type stateless"

    def settle(self, node: Node, context: Context) -> Loader:
        """An image is a ROM unless something else is said."""
        if self.type is None and self.path is not None:
            return replaced(self, type="rom")
        return self


@definition
class BootMenu:
    """Whether the firmware offers a menu, and for how many milliseconds."""

    enable: bool | None = attribute(BOOLEAN)
    timeout: int | None = attribute(
        Kind(
            lambda text, node, name: (
                UINT.read(text, node, name) if node.get("enable") == "yes" else None
            )
        )
    )

    def settle(self, node: Node, context: Context) -> BootMenu | None:
        """A menu that nothing is said of is none; one that is off has no time."""
        if self.enable is None:
            return None
        return self if self.enable else BootMenu(enable=False)


@definition
class BIOS:
    """Options of the BIOS."""

    xmlOmitEmpty: ClassVar[bool] = True

    useserial: bool | None = attribute(
        Kind(
            lambda text, node, name: text == "yes",
            lambda value: "yes" if value else "no",
        )
    )
    rebootTimeout: int | None = attribute(integer(signed=True))


def _readInitArgs(node: Node, kids: dict[str, list[Node]], context: Context) -> tuple[str, ...]:
    found = []
    for child in kids.get("initarg", ()):
        text = xmlText(child)
        if not text:
            raise xmlError("No data supplied for <initarg> element")
        found.append(text)
    return tuple(found)


def _writeInitArgs(value: tuple[str, ...], out: list[str], indent: str, context: Context) -> None:
    out.extend(f"{indent}<initarg>{escape(word)}</initarg>\n" for word in value)


def _readBoot(node: Node, kids: dict[str, list[Node]], context: Context) -> tuple[str, ...]:
    kind = node.find("type")
    if kind is None or xmlText(kind) != "hvm":
        return ()
    return tuple([_DEVICE(child) for child in kids.get("boot", ())[:4]])


_DEVICES = choice("fd cdrom hd network")


def _DEVICE(node: Node) -> str:
    from pyvirt.definitions.kinds import missingAttribute

    word = node.get("dev")
    if word is None:
        raise missingAttribute(node, "dev")
    return str(_DEVICES.read(word, node, "dev"))


def _writeBoot(value: tuple[str, ...], out: list[str], indent: str, context: Context) -> None:
    out.extend(f"{indent}<boot dev='{word}'/>\n" for word in value)


def _readTable(kids: dict[str, list[Node]]) -> str | None:
    """Read the one ACPI table that may be given."""
    found = None
    for acpi in kids.get("acpi", ()):
        tables = [child for child in acpi if child.tag == "table"]
        if len(tables) > 1:
            raise xmlError("Only one acpi table is supported")
        for table in tables:
            word = table.get("type")
            if word is None:
                raise xmlError("Missing acpi table type")
            if word != "slic":
                raise xmlError(f"Unknown acpi table type: {word}")
            found = xmlText(table)
    return found


@definition
class OS:
    """How a domain boots."""

    xmlReadOrder: ClassVar[str] = "type"

    firmware: str | None = attribute(
        choice("none bios efi", error=custom("unknown firmware value {text}"), absent="none")
    )
    type: OSType = element(OSType, default=OSType())
    firmwareFeatures: Firmware | None = element(Firmware, "firmware")
    init: str | None = element()
    initargs: tuple[str, ...] = special(
        tags="initarg", read=_readInitArgs, write=_writeInitArgs, default=()
    )
    initenv: tuple[InitEnv, ...] = elements(InitEnv)
    initdir: str | None = element()
    inituser: str | None = element()
    initgroup: str | None = element()
    loader: Loader | None = element(Loader)
    nvram: NVRAM | None = element(_nvram)
    kernel: str | None = element()
    initrd: str | None = element()
    cmdline: str | None = element()
    dtb: str | None = element()
    root: str | None = element()
    acpiTable: str | None = special(
        tags="acpi",
        read=lambda node, kids, context: _readTable(kids),
        write=lambda value, out, indent, context: out.append(
            f"{indent}<acpi>\n{indent}  <table type='slic'>{escape(value)}</table>\n"
            f"{indent}</acpi>\n"
        ),
    )
    boot: tuple[str, ...] = special(tags="boot", read=_readBoot, write=_writeBoot, default=())
    bootmenu: BootMenu | None = element(BootMenu)
    bios: BIOS | None = element(BIOS)
    smbios: str | None = elementAttribute(
        "smbios",
        "mode",
        choice("none emulate host sysinfo", error=unsupported("unknown smbios mode '{text}'")),
    )

    def settle(self, node: Node, context: Context) -> OS:
        """Keep what the type of the guest has."""
        kind = self.type.name
        changes: dict[str, Any] = {}
        if kind != "exe":
            changes.update(
                init=None, initargs=(), initenv=(), initdir=None, inituser=None, initgroup=None
            )
        if kind not in ("xen", "xenpvh", "hvm", "uml"):
            changes.update(
                kernel=None,
                initrd=None,
                cmdline=None,
                dtb=None,
                root=None,
                loader=None,
                nvram=None,
                firmware=None,
                firmwareFeatures=None,
            )
        if kind != "hvm":
            changes.update(boot=(), bootmenu=None, bios=None, acpiTable=None)
        return replaced(self, **changes)


@definition
class Resource:
    """The group of processes that the domain belongs to."""

    partition: str | None = element()
    appid: str | None = elementAttribute("fibrechannel", "appid")

    def settle(self, node: Node, context: Context) -> Resource:
        """There is one."""
        if sum(child.tag == "resource" for child in node.getparent()) > 1:
            raise xmlError("only one resource element is supported")
        if not self.partition and not self.appid:
            raise VirtError("An error occurred, but the cause is unknown", int1=0, int2=0)
        return self
