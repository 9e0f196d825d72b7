"""
Devices of the host that the guest gets.
"""

from __future__ import annotations

from typing import Any

from pyvirt.definitions.domain._address import DriveAddress
from pyvirt.definitions.domain._source import NetworkSource
from pyvirt.definitions.schema import replaced
from pyvirt.drivers.assigned.pci import pciName
from pyvirt.drivers.qemu.command.arguments import Builder, jsonText
from pyvirt.drivers.qemu.command.disks import numbered
from pyvirt.drivers.qemu.command.nets import romProps
from pyvirt.drivers.qemu.command.secretobjects import addSecret
from pyvirt.drivers.qemu.command.values import Secret, place
from pyvirt.drivers.qemu.passed import passedDevices
from pyvirt.errors import ErrorCode, ErrorDomain, virtError

__all__ = ["addHostDevices", "hostDeviceProps"]


def addHostDevices(b: Builder) -> None:
    """Add every device of the host."""
    nodes = sum(map(len, numbered(b.devices.disks)))
    for passed in passedDevices(b.definition):
        device = passed.device
        boot = b.bootIndex(passed.kind, passed.place, device)
        if device.type == "scsi":
            # Their nodes are counted on from those of disks.
            nodes += 1
            _addSCSI(b, device, nodes, boot)
            continue
        b.device(hostDeviceProps(b, device, boot))


def hostDeviceProps(b: Builder, device: Any, boot: int | None) -> dict[str, Any]:
    """
    Return the properties of a device that is not SCSI.

    @raise VirtError: it is not known well enough.
    """
    source = device.source
    values: dict[str, Any]
    if device.type == "pci":
        pci = source.pci
        driver = device.driver.name if device.driver is not None else None
        if driver in ("kvm", "xen") or (b.host.shown and driver is None):
            raise virtError(
                ErrorCode.INTERNAL_ERROR,
                f"invalid PCI passthrough type '{driver or 'default'}'",
                ErrorDomain.QEMU,
            )
        values = {
            "driver": "vfio-pci",
            "host": pciName(pci),
            "id": device.alias,
        }
        if boot is not None:
            values["bootindex"] = boot
        if device.teaming is not None and device.teaming.persistent is not None:
            values["failover_pair_id"] = device.teaming.persistent
        return values | b.address(device) | romProps(device)
    if device.type == "usb":
        if not (source.bus and source.device) and not source.missing:
            raise virtError(
                ErrorCode.INTERNAL_ERROR,
                "USB host device is missing bus/device information",
                ErrorDomain.QEMU,
            )
        values = {"driver": "usb-host"}
        if not source.missing:
            values["hostdevice"] = f"/dev/bus/usb/{source.bus:03}/{source.device:03}"
        values["id"] = device.alias
        if boot is not None:
            values["bootindex"] = boot
        if source.guestReset is not None:
            values["guest-reset"] = source.guestReset != "off"
            if source.guestReset == "on":
                values["guest-resets-all"] = True
            elif source.guestReset == "uninitialized":
                values["guest-resets-all"] = False
        return values | b.address(device)
    if device.type == "mdev":
        driver = device.model
        if device.ramfb:
            driver = "vfio-pci-nohotplug"
        values = {
            "driver": driver,
            "id": device.alias,
            "sysfsdev": f"/sys/bus/mdev/devices/{source.uuid}",
        }
        if device.display is not None and device.model == "vfio-pci":
            values["display"] = "on" if device.display else "off"
        if device.ramfb is not None:
            values["ramfb"] = device.ramfb
        if boot is not None:
            values["bootindex"] = boot
        return values | b.address(device)
    values = b.virtio("vhost-scsi", device)
    values |= {
        "wwpn": source.wwpn,
        "vhostfd": place(f"vhost-{device.alias}"),
        "id": device.alias,
    }
    return values | b.address(device)


def _addSCSI(b: Builder, device: Any, number: int, boot: int | None) -> None:
    """Add a SCSI device: its node, and its place on a controller."""
    source = device.source
    name = f"libvirt-{number if source.node is None else source.node}-backend"
    if source.protocol == "iscsi":
        from pyvirt.drivers.qemu.command.blockdevs import sourceProps

        network = NetworkSource(
            protocol="iscsi",
            name=source.name,
            hosts=tuple(each if each.port else replaced(each, port="0") for each in source.hosts),
            initiator=source.initiator,
            auth=source.auth,
        )
        secrets: dict[str, str] = {}
        auth = source.auth
        if auth is not None and auth.secret is not None:
            label = f"{name}-auth-secret0"
            secrets["auth"] = addSecret(
                b,
                label,
                Secret(name=label, kind="iscsi", uuid=auth.secret.uuid, usage=auth.secret.usage),
            )
        props = sourceProps(network, secrets)
    else:
        props = {"driver": "host_device", "filename": source.path or place(f"sg-{device.alias}")}
    props |= {"node-name": name, "read-only": device.readonly}
    b.add("-blockdev", jsonText(props))
    address = device.address
    assert isinstance(address, DriveAddress)
    controller = b.controller("scsi", address.controller)
    bus = controller.alias if controller is not None else f"scsi{address.controller}"
    values: dict[str, Any] = {"driver": "scsi-generic"}
    values |= {"drive": name, "id": device.alias}
    if boot is not None:
        values["bootindex"] = boot
    values["bus"] = f"{bus}.0"
    if controller is not None and controller.model in _NARROW:
        values["scsi-id"] = address.unit
    else:
        values |= {"channel": address.bus, "scsi-id": address.target, "lun": address.unit}
    b.device(values)


#: Controllers whose devices are told apart by one number.
_NARROW = ("lsilogic", "ncr53c90", "dc390", "am53c974")
