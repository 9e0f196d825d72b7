"""
Controllers, in the order in which QEMU must learn of them: buses first.
"""

from __future__ import annotations

from typing import Any

from pyvirt.definitions.kinds import unsupported
from pyvirt.drivers.qemu.command.arguments import Builder
from pyvirt.drivers.qemu.machine import hasBuiltinIDE, isQ35
from pyvirt.errors import ErrorDomain

__all__ = ["addControllers", "addGlobals"]

_ORDER = ("pci", "usb", "scsi", "ide", "sata", "virtio-serial")

_SCSI = {
    "lsilogic": "lsi",
    "vmpvscsi": "pvscsi",
    "lsisas1068": "mptsas1068",
    "lsisas1078": "megasas",
    "am53c974": "am53c974",
    "dc390": "dc-390",
    "ibmvscsi": "spapr-vscsi",
}

_USB = {
    "piix3-uhci": "piix3-usb-uhci",
    "piix4-uhci": "piix4-usb-uhci",
    "ehci": "usb-ehci",
    "ich9-ehci1": "ich9-usb-ehci1",
    "ich9-uhci1": "ich9-usb-uhci1",
    "ich9-uhci2": "ich9-usb-uhci2",
    "ich9-uhci3": "ich9-usb-uhci3",
    "vt82c686b-uhci": "vt82c686b-usb-uhci",
    "pci-ohci": "pci-ohci",
    "nec-xhci": "nec-usb-xhci",
    "qemu-xhci": "qemu-xhci",
}


def addGlobals(b: Builder) -> None:
    """Add what is said of controllers that are part of the machine."""
    for each in b.devices.controllers:
        if each.type != "pci" or each.index:
            continue
        if each.pcihole64 is not None:
            host = "q35-pcihost" if each.model == "pcie-root" else "i440FX-pcihost"
            b.add("-global", f"{host}.pci-hole64-size={each.pcihole64}K")
        if each.model == "pci-root" and each.target is not None and each.target.hotplug is not None:
            state = "on" if each.target.hotplug else "off"
            b.add("-global", f"PIIX4_PM.acpi-root-pci-hotplug={state}")


def addControllers(b: Builder, kinds: tuple[str, ...] = _ORDER) -> None:
    """Add every controller of some kinds that is not part of the machine."""
    for kind in kinds:
        for each in b.devices.controllers:
            if each.type != kind or builtin(b, each):
                continue
            values = _props(b, each)
            if values is not None:
                b.device(values)


def builtin(b: Builder, controller: Any) -> bool:
    """Return whether a controller is part of the machine."""
    kind, index = controller.type, controller.index or 0
    if kind == "pci":
        return controller.model in ("pci-root", "pcie-root")
    if kind == "ide":
        return index == 0 and hasBuiltinIDE(b.machine, b.arch)
    if kind == "sata":
        return index == 0 and isQ35(b.machine, b.arch)
    return bool(kind == "usb" and controller.model == "none")


def _props(b: Builder, each: Any) -> dict[str, Any] | None:
    kind = each.type
    if kind == "pci":
        values = _pci(each)
    elif kind == "usb":
        values = _usb(b, each)
    elif kind == "scsi":
        values = _scsi(b, each)
    elif kind == "virtio-serial":
        values = b.virtio("virtio-serial", each)
        values["id"] = each.alias
        if each.ports is not None:
            values["max_ports"] = each.ports
        if each.vectors is not None:
            values["vectors"] = each.vectors
    elif kind == "ccid":
        values = {"driver": "usb-ccid", "id": each.alias}
    elif kind == "sata":
        values = {"driver": "ahci", "id": each.alias}
    else:
        return None
    return values | b.address(each)


def _scsi(b: Builder, each: Any) -> dict[str, Any]:
    if each.model in ("virtio-scsi", "virtio-transitional", "virtio-non-transitional"):
        values = b.virtio("virtio-scsi", each)
    else:
        values = {"driver": _SCSI.get(each.model, each.model)}
    driver = each.driver
    if driver is not None and driver.iothread is not None:
        values["iothread"] = f"iothread{driver.iothread}"
    values["id"] = each.alias
    if driver is not None:
        for name, key in (
            ("queues", "num_queues"),
            ("cmd_per_lun", "cmd_per_lun"),
            ("max_sectors", "max_sectors"),
            ("ioeventfd", "ioeventfd"),
        ):
            value = getattr(driver, name)
            if value is not None:
                values[key] = value
    return values


def _usb(b: Builder, each: Any) -> dict[str, Any]:
    driver = _USB.get(each.model or "", each.model)
    if not b.capabilities.has(driver):
        error = unsupported(
            f"USB controller model '{each.model}' not supported in this QEMU binary"
        )("", None, "")
        error.domain = ErrorDomain.QEMU
        raise error
    values: dict[str, Any] = {"driver": driver}
    if each.model in ("nec-xhci", "qemu-xhci") and each.ports is not None:
        values |= {"p2": each.ports, "p3": each.ports}
    if each.master is not None:
        values |= {"masterbus": f"{each.alias}.0", "firstport": each.master}
    else:
        values["id"] = each.alias
    return values


def _pci(each: Any) -> dict[str, Any]:
    target = each.target
    values: dict[str, Any] = {"driver": each.modelName}
    model = each.model
    if model == "pci-bridge":
        values["chassis_nr"] = target.chassisNr
    elif model in ("pci-expander-bus", "pcie-expander-bus"):
        values["bus_nr"] = target.busNr
    elif model in ("pcie-root-port", "pcie-switch-downstream-port"):
        values |= {"port": target.port, "chassis": target.chassis}
    values["id"] = each.alias
    if target is not None:
        if target.node is not None and model in ("pci-expander-bus", "pcie-expander-bus"):
            values["numa_node"] = target.node
        if target.hotplug is not None and model in (
            "pcie-root-port",
            "pcie-switch-downstream-port",
        ):
            values["hotplug"] = target.hotplug
    return values
