"""
USB devices of who looks at the guest, and which of them may be.
"""

from __future__ import annotations

from typing import Any, ClassVar

from pyvirt.definitions.domain._address import BootDevice, writeInfo
from pyvirt.definitions.domain._chardev import (
    CHAR_TYPES,
    CharSource,
    readCharSource,
    writeCharSource,
)
from pyvirt.definitions.kinds import (
    BOOLEAN,
    internal,
    invalidAttribute,
    missingAttribute,
    number,
    unsupported,
    xmlError,
)
from pyvirt.definitions.reader import Node
from pyvirt.definitions.schema import Context, elements, reader, replaced
from pyvirt.definitions.values import definition
from pyvirt.errors import ErrorCode, ErrorDomain, virtError

__all__ = ["RedirDev", "RedirFilter", "RedirUSB"]


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
