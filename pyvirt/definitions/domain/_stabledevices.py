"""
Whether a guest could tell the devices of one definition from those of another.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyvirt.definitions.domain._net import CARDS
from pyvirt.definitions.domain._top import Devices
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["checkDevices", "differ"]


def differ(detail: str, domain: int = ErrorDomain.DOMAIN) -> VirtError:
    """Make the error of two definitions that are not alike."""
    return virtError(ErrorCode.CONFIG_UNSUPPORTED, detail, domain)


def _mismatch(what: str, before: Any, after: Any, *, quotes: bool = False) -> None:
    """Complain where two values are not the same."""
    if before != after:
        old, new = (_null(value) for value in (before, after))
        if quotes:
            old, new = f"'{old}'", f"'{new}'"
        raise differ(f"Target {what} {new} does not match source {old}")


def _null(value: Any) -> Any:
    return "<null>" if value is None else value


def _switch(value: bool | None) -> str:
    return "default" if value is None else "on" if value else "off"


def _place(source: Any, target: Any) -> None:
    """Compare where two devices are."""
    had, gets = source.address, target.address
    kinds = [each.type if each is not None else "none" for each in (had, gets)]
    if kinds[0] != kinds[1]:
        raise differ(f"Target device address type {kinds[1]} does not match source {kinds[0]}")
    if had is None or kinds[0] in ("unassigned", "virtio-mmio"):
        return
    if kinds[0] == "pci":
        texts = [
            f"{each.domain or 0:04x}:{each.bus or 0:02x}:{each.slot or 0:02x}.{each.function or 0:x}"
            for each in (had, gets)
        ]
        if texts[0] != texts[1]:
            # libvirt leaves the blank out here.
            raise differ(f"Target device PCI address {texts[1]}does not match source {texts[0]}")
        return
    forms: dict[str, tuple[str, tuple[str, ...]]] = {
        "drive": ("drive", ("controller", "bus", "unit")),
        "virtio-serial": ("virtio serial", ("controller", "bus", "port")),
        "ccid": ("ccid", ("controller", "slot")),
        "isa": ("isa", ("iobase", "irq")),
    }
    if kinds[0] in forms:
        name, fields = forms[kinds[0]]
        texts = [
            ":".join(str(getattr(each, field) or 0) for field in fields) for each in (had, gets)
        ]
        if texts[0] != texts[1]:
            raise differ(
                f"Target device {name} address {texts[1]} does not match source {texts[0]}"
            )


def _disk(source: Any, target: Any) -> None:
    _mismatch("disk device", source.device, target.device)
    before, after = source.target, target.target
    _mismatch("disk bus", before.bus, after.bus)
    _mismatch("disk", before.dev, after.dev)
    _mismatch("disk serial", source.serial, target.serial)
    _mismatch("disk wwn", source.wwn, target.wwn, quotes=True)
    _mismatch("disk model", source.model or "default", target.model or "default", quotes=True)
    if source.readonly != target.readonly:
        raise differ("Target disk access mode does not match source")
    _place(source, target)


#: Models of controllers in the order of libvirt's numbers.
_MODELS = {
    "pci": "pci-root pcie-root pci-bridge dmi-to-pci-bridge pcie-to-pci-bridge pcie-root-port "
    "pcie-switch-upstream-port pcie-switch-downstream-port pci-expander-bus pcie-expander-bus",
    "scsi": "auto buslogic lsilogic lsisas1068 vmpvscsi ibmvscsi virtio-scsi lsisas1078 "
    "virtio-transitional virtio-non-transitional ncr53c90 dc390 am53c974",
    "usb": "piix3-uhci piix4-uhci ehci ich9-ehci1 ich9-uhci1 ich9-uhci2 ich9-uhci3 vt82c686b-uhci "
    "pci-ohci nec-xhci qusb1 qusb2 qemu-xhci none",
    "ide": "piix3 piix4 ich6",
    "virtio-serial": "virtio virtio-transitional virtio-non-transitional",
}


def _modelNumber(controller: Any) -> int:
    """Return libvirt's number of a controller's model, which its complaints have."""
    models = _MODELS.get(controller.type, "").split()
    return models.index(controller.model) if controller.model in models else -1


def _controller(source: Any, target: Any) -> None:
    _mismatch("controller type", source.type, target.type)
    _mismatch("controller index", source.index, target.index)
    _mismatch("controller model", _modelNumber(source), _modelNumber(target))
    if source.type == "virtio-serial":
        for name in ("ports", "vectors"):
            counts = [getattr(each, name) for each in (source, target)]
            _mismatch(f"controller {name}", *(-1 if count is None else count for count in counts))
    _place(source, target)


def _filesystem(source: Any, target: Any) -> None:
    if source.model != target.model:
        raise differ("Target filesystem model does not match source")
    _mismatch("filesystem guest target", source.target, target.target)
    _place(source, target)


_CARDS = frozenset(CARDS.values())


def _interface(source: Any, target: Any) -> None:
    macs = [each.mac.address if each.mac is not None else None for each in (source, target)]
    _mismatch("network card mac", *macs)
    # A model that libvirt knows is not text to it.
    texts = [None if each.model in _CARDS else each.model for each in (source, target)]
    _mismatch("network card model", *texts)
    cards = [each.model if each.model in _CARDS else "unknown" for each in (source, target)]
    _mismatch("network card model", *cards)
    _mismatch("network card MTU", source.mtu or 0, target.mtu or 0)
    _place(source, target)


def _input(source: Any, target: Any) -> None:
    _mismatch("input device type", source.type, target.type)
    _mismatch("input device bus", source.bus or "none", target.bus or "none")
    _mismatch("input model", source.model or "default", target.model or "default", quotes=True)
    _place(source, target)


def _sound(source: Any, target: Any) -> None:
    _mismatch("sound card model", source.model, target.model)
    _place(source, target)


def _video(source: Any, target: Any) -> None:
    had, gets = source.model, target.model
    _mismatch("video card model", had.type, gets.type)
    for name in ("vram", "ram", "vgamem", "heads"):
        _mismatch(f"video card {name}", getattr(had, name) or 0, getattr(gets, name) or 0)
    if (had.acceleration is None) != (gets.acceleration is None):
        raise differ("Target video card acceleration does not match source")
    for name, what in (("accel2d", "2d accel"), ("accel3d", "3d accel")):
        if had.acceleration is not None:
            values = [
                0 if value is None else 1 if value else 2
                for value in (getattr(each.acceleration, name) for each in (had, gets))
            ]
            _mismatch(f"video card {what}", *values)
    _place(source, target)


def _hostdev(source: Any, target: Any) -> None:
    _mismatch("host device mode", source.mode, target.mode)
    if source.mode == "subsystem":
        _mismatch("host device subsystem", source.type, target.type)
    _place(source, target)


def _smartcard(source: Any, target: Any) -> None:
    _place(source, target)


def _port(word: str) -> Callable[[Any, Any], None]:
    def compare(source: Any, target: Any) -> None:
        ports = [each.target.port or 0 for each in (source, target)]
        _mismatch(f"{word} port", *ports)
        _place(source, target)

    return compare


def _channel(source: Any, target: Any) -> None:
    had, gets = source.target, target.target
    _mismatch("channel type", had.type, gets.type)
    if had.type in ("virtio", "xen"):
        _mismatch("channel name", had.name, gets.name)
    elif had.type == "guestfwd":
        texts = [f"{each.address}:{each.port}" for each in (had, gets)]
        _mismatch("channel addr", *texts)
    _place(source, target)


def _console(source: Any, target: Any) -> None:
    _mismatch("console type", source.target.type, target.target.type)
    _place(source, target)


def _watchdog(source: Any, target: Any) -> None:
    _mismatch("watchdog model", source.model, target.model)
    _place(source, target)


def _balloon(source: Any, target: Any) -> None:
    _mismatch("balloon model", source.model, target.model)
    for name, what in (
        ("autodeflate", "autodeflate"),
        ("freePageReporting", "freePageReporting"),
    ):
        values = [_switch(getattr(each, name)) for each in (source, target)]
        _mismatch(f"balloon {what} attribute value", *values, quotes=True)
    _place(source, target)


def _hub(source: Any, target: Any) -> None:
    _mismatch("hub device type", source.type, target.type)
    _place(source, target)


def _redirdev(source: Any, target: Any) -> None:
    _mismatch("redirected device bus", source.bus, target.bus)
    kinds = [each.source.type for each in (source, target)]
    if kinds[0] != kinds[1]:
        raise differ(
            f"Target redirected device source type {kinds[1]} does not match source device source "
            f"type {kinds[0]}"
        )


def _tpm(source: Any, target: Any) -> None:
    if source.model != target.model:
        raise differ("Target TPM device model doesn't match source")
    _place(source, target)


def _rng(source: Any, target: Any) -> None:
    _mismatch("RNG model", source.model, target.model, quotes=True)
    _place(source, target)


def _panic(source: Any, target: Any) -> None:
    _mismatch("panic model", source.model or "default", target.model or "default", quotes=True)
    _place(source, target)


def _shmem(source: Any, target: Any) -> None:
    _mismatch("shared memory model", source.model, target.model, quotes=True)
    sizes = [each.size or 0 for each in (source, target)]
    if sizes[0] != sizes[1]:
        raise differ(
            f"Target shared memory size '{sizes[1]}' does not match source size '{sizes[0]}'"
        )
    _place(source, target)


def _memory(source: Any, target: Any) -> None:
    if source.model != target.model:
        raise differ(
            f"Target memory device model '{target.model}' doesn't match source model "
            f"'{source.model}'"
        )
    nodes = [-1 if each.target.node is None else each.target.node for each in (source, target)]
    if nodes[0] != nodes[1]:
        raise differ(
            f"Target memory device targetNode '{nodes[1]}' doesn't match source targetNode "
            f"'{nodes[0]}'"
        )
    sizes = [each.target.size for each in (source, target)]
    if sizes[0] != sizes[1]:
        raise differ(
            f"Target memory device size '{sizes[1]}' doesn't match source memory device size "
            f"'{sizes[0]}'"
        )
    _place(source, target)


def _filter(source: Any, target: Any) -> None:
    """Compare which devices may be redirected."""
    had = source.rules if source is not None else ()
    gets = target.rules if target is not None else ()
    if len(had) != len(gets):
        raise differ(
            f"Target USB redirection filter rule count {len(gets)} does not match source {len(had)}"
        )
    for one, other in zip(had, gets, strict=True):
        for name, what in (
            ("cls", "Class code"),
            ("vendor", "vendor ID"),
            ("product", "product ID"),
            ("version", "version"),
        ):
            if getattr(one, name) != getattr(other, name):
                raise differ(f"Target USB {what} does not match source")
        if one.allow != other.allow:
            words = ["yes" if each.allow else "no" for each in (one, other)]
            raise differ(f"Target USB allow '{words[1]}' does not match source '{words[0]}'")


#: Kinds of devices in libvirt's order: the field, how many are called, how one is compared.
_KINDS: tuple[tuple[str, str, Callable[[Any, Any], None]], ...] = (
    ("disks", "disk count", _disk),
    ("controllers", "controller count", _controller),
    ("filesystems", "filesystem count", _filesystem),
    ("interfaces", "net card count", _interface),
    ("inputs", "input device count", _input),
    ("sounds", "sound card count", _sound),
    ("videos", "video card count", _video),
    ("hostdevs", "host device count", _hostdev),
    ("smartcards", "smartcard count", _smartcard),
    ("serials", "serial port count", _port("serial")),
    ("parallels", "parallel port count", _port("parallel")),
    ("channels", "channel count", _channel),
    ("consoles", "console count", _console),
    ("watchdogs", "watchdog count", _watchdog),
    ("memballoon", "memory balloon count", _balloon),
    ("rngs", "RNG device count", _rng),
    ("hubs", "hub device count", _hub),
    ("redirdevs", "redirected devices count", _redirdev),
    ("redirfilter", "USB redirection filter count", _filter),
    ("panics", "panic device count", _panic),
    ("shmems", "shared memory device count", _shmem),
    ("tpms", "TPM device count", _tpm),
    ("memories", "memory device count", _memory),
)


def checkDevices(source: Devices, target: Devices) -> None:
    """
    Complain of the first device that is not as it was.

    @raise VirtError: CONFIG_UNSUPPORTED, with what differs.
    """
    for field, what, compare in _KINDS:
        groups = [getattr(each, field) for each in (source, target)]
        had, gets = (
            group if isinstance(group, tuple) else () if group is None else (group,)
            for group in groups
        )
        if len(had) != len(gets):
            raise differ(f"Target domain {what} {len(gets)} does not match source {len(had)}")
        for one, other in zip(had, gets, strict=True):
            compare(one, other)
    _iommu(source.iommu, target.iommu)
    _vsock(source.vsock, target.vsock)


def _iommu(source: Any, target: Any) -> None:
    if (source is None) != (target is None):
        raise differ("Target domain IOMMU device count does not match source")
    if source is None:
        return
    _mismatch("domain IOMMU device model", source.model, target.model, quotes=True)
    for name, what in (
        ("intremap", "intremap"),
        ("caching_mode", "caching mode"),
        ("eim", "eim"),
        ("iotlb", "iotlb"),
    ):
        values = [_switch(getattr(each.driver, name, None)) for each in (source, target)]
        _mismatch(f"domain IOMMU device {what} value", *values, quotes=True)
    bits = [getattr(each.driver, "aw_bits", None) or 0 for each in (source, target)]
    _mismatch("domain IOMMU device aw_bits value", *bits, quotes=True)
    _place(source, target)


def _vsock(source: Any, target: Any) -> None:
    if (source is None) != (target is None):
        raise differ("Target domain vsock device count does not match source")
    if source is None:
        return
    models = [each.model or "default" for each in (source, target)]
    _mismatch("domain vsock device model", *models, quotes=True)
    _place(source, target)
