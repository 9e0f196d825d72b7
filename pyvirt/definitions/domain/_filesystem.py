"""
Folders of the host in the guest.
"""

from __future__ import annotations

from typing import Any, ClassVar

from pyvirt.definitions.domain._address import BootDevice, readInfoLast
from pyvirt.definitions.domain._common import VirtioOptions
from pyvirt.definitions.kinds import (
    SWITCH,
    Kind,
    choice,
    custom,
    integer,
    number,
    unsupported,
    xmlError,
)
from pyvirt.definitions.reader import Node
from pyvirt.definitions.schema import (
    Context,
    attribute,
    element,
    elementAttribute,
    present,
    reader,
    replaced,
    special,
    writer,
)
from pyvirt.definitions.units import scale
from pyvirt.definitions.values import definition
from pyvirt.errors import ErrorCode, ErrorDomain, virtError

__all__ = ["FS_SOURCES", "FSBinary", "FSDriver", "FSLock", "FSSource", "Filesystem"]


def _readQueue(text: str, node: Node, name: str) -> int | None:
    """Read the size of a queue, which one driver has; a negative number is taken for none."""
    if node.get("type") != "virtiofs" or not text:
        return None
    value = number(text, bits=64, signed=True)
    if value is None:
        raise xmlError(f"cannot parse queue size '{text}' for virtiofs")
    return value & 0xFFFFFFFFFFFFFFFF or None


@definition
class FSDriver(VirtioOptions):
    """How a folder reaches the guest."""

    xmlOmitEmpty: ClassVar[bool] = True
    xmlOrder: ClassVar[str] = "type format wrpolicy queue"

    type: str | None = attribute(
        choice("default path handle loop nbd ploop virtiofs mtp", absent="default")
    )
    name: str | None = None
    format: str | None = attribute(
        choice(
            "none raw dir bochs cloop dmg iso vpc vdi fat vhd ploop cow qcow qcow2 qed vmdk",
            error=unsupported("unknown driver format value '{text}'"),
            absent="none",
        )
    )
    wrpolicy: str | None = attribute(choice("default immediate", absent="default"))
    queue: int | None = attribute(Kind(_readQueue))

    def settle(self, node: Node, context: Context) -> FSDriver:
        """Without a type its attributes do not count."""
        if self.type is None and (self.format is not None or self.wrpolicy is not None):
            return replaced(self, format=None, wrpolicy=None)
        return self


def _readPool(text: str, node: Node, name: str) -> int | None:
    """Read how many threads there are; -1 leaves it open."""
    value: int = integer(
        signed=True, error=custom("cannot parse thread pool size '{text}' for virtiofs")
    ).read(text, node, name)
    return None if value == -1 else value


@definition
class FSLock:
    """Which locks reach the host."""

    xmlOmitEmpty: ClassVar[bool] = True

    posix: bool | None = attribute(SWITCH)
    flock: bool | None = attribute(SWITCH)


@definition
class FSBinary:
    """The server of virtiofs."""

    xmlOmitEmpty: ClassVar[bool] = True

    xmlReadOrder: ClassVar[str] = "threadPool path xattr lock cache sandbox"

    path: str | None = attribute()
    xattr: bool | None = attribute(SWITCH)
    cache: str | None = elementAttribute(
        "cache", "mode", choice("default none always", absent="default")
    )
    sandbox: str | None = elementAttribute(
        "sandbox", "mode", choice("default namespace chroot", absent="default")
    )
    lock: FSLock | None = element(FSLock)
    threadPool: int | None = elementAttribute(
        "thread_pool",
        "size",
        Kind(_readPool),
    )


@definition
class FSSource:
    """What is given to the guest; which attributes count depends on the type."""

    dir: str | None = attribute()
    file: str | None = attribute()
    dev: str | None = attribute()
    name: str | None = attribute()
    socket: str | None = attribute()
    usage: int | None = attribute(Kind(lambda text, node, name: _ramUsage(text, node)))
    units: str | None = attribute()
    pool: str | None = attribute()
    volume: str | None = attribute()


def _ramUsage(text: str, node: Node) -> int:
    """Read the size of a file system in memory, in KiB."""
    value = number(text, bits=64)
    if value is None:
        raise xmlError(f"cannot parse usage '{text}' for RAM filesystem")
    return scale(value, node.get("units"), 1024) // 1024


FS_SOURCES = {
    "mount": ("dir", "socket"),
    "bind": ("dir",),
    "block": ("dev",),
    "file": ("file",),
    "template": ("name",),
    "ram": ("usage",),
    "volume": ("pool", "volume"),
}


def _mode(name: str) -> Any:
    def read(text: str, node: Node, attr: str) -> int | None:
        value: int = integer(base=8).read(text, node, attr)
        if value > 0o777:
            raise xmlError(f"invalid {name}: '0{value:o}'")
        return value or None

    return attribute(Kind(read, lambda value: f"{value:04o}"))


@definition
class Filesystem(BootDevice):
    """A folder of the host in the guest."""

    xmlOrder: ClassVar[str] = (
        "type accessmode model multidevs fmode dmode driver binary source target readonly "
        "boot alias acpiIndex address spaceHardLimit spaceSoftLimit"
    )

    type: str | None = attribute(
        choice("mount block file template ram bind volume"), default="mount"
    )
    accessmode: str | None = attribute(choice("passthrough mapped squash", empty=True))
    fmode: int | None = _mode("fmode")
    dmode: int | None = _mode("dmode")
    model: str | None = attribute(
        choice("default virtio virtio-transitional virtio-non-transitional", absent="default")
    )
    multidevs: str | None = attribute(choice("default remap forbid warn", absent="default"))
    driver: FSDriver | None = element(FSDriver)
    binary: FSBinary | None = special(
        tags="binary driver",
        read=lambda node, kids, context: (
            reader(FSBinary)(kids["binary"][0], context)
            if "binary" in kids and kids.get("driver", [{}])[0].get("type") == "virtiofs"
            else None
        ),
        write=lambda value, out, indent, context: writer(FSBinary)(
            value, out, indent, "binary", context
        ),
    )
    source: FSSource | None = element(FSSource)
    target: str | None = elementAttribute("target", "dir")
    readonly: bool = present()
    spaceHardLimit: int | None = special(
        tags="space_hard_limit",
        read=lambda node, kids, context: _space(kids, "space_hard_limit"),
        write=lambda value, out, indent, context: out.append(
            f"{indent}<space_hard_limit unit='bytes'>{value}</space_hard_limit>\n"
        ),
    )
    spaceSoftLimit: int | None = special(
        tags="space_soft_limit",
        read=lambda node, kids, context: _space(kids, "space_soft_limit"),
        write=lambda value, out, indent, context: out.append(
            f"{indent}<space_soft_limit unit='bytes'>{value}</space_soft_limit>\n"
        ),
    )

    @classmethod
    def readElement(cls, node: Node, context: Context) -> Filesystem:
        """Read its place and its name last."""
        found: Filesystem = readInfoLast(cls, BootDevice, node, context)
        return found

    def settle(self, node: Node, context: Context) -> Filesystem:
        """Keep what the type has."""
        source = self.source
        changes: dict[str, Any] = {}
        if source is None and self.type == "ram":
            raise xmlError("missing 'usage' attribute for RAM filesystem")
        if source is not None:
            kept = FS_SOURCES[self.type or "mount"]
            source = FSSource(**{name: getattr(source, name) for name in kept})
            if self.type == "ram" and source.usage is None:
                raise xmlError("missing 'usage' attribute for RAM filesystem")
            if self.type == "ram":
                source = replaced(source, units="KiB")
            changes["source"] = source
        if self.type != "volume" and (source is None or source == FSSource()):
            raise virtError(ErrorCode.NO_SOURCE, self.target or None, ErrorDomain.DOMAIN)
        if self.accessmode is None and (source is None or source.socket is None):
            changes["accessmode"] = "passthrough"
        return replaced(self, **changes)


def _space(kids: dict[str, list[Node]], tag: str) -> int | None:
    from pyvirt.definitions.units import scaled

    if tag not in kids:
        return None
    return scaled(kids[tag][0], f"./{tag}[1]", default=1) or None
