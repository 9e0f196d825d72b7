"""
Controllers: what other devices are plugged into.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from pyvirt.definitions.domain._address import Device
from pyvirt.definitions.domain._common import VirtioOptions
from pyvirt.definitions.kinds import (
    SWITCH,
    UINT_NZ,
    choice,
    integer,
    unsupported,
    xmlError,
)
from pyvirt.definitions.reader import Node
from pyvirt.definitions.schema import (
    Context,
    attribute,
    element,
    elementAttribute,
    replaced,
    special,
)
from pyvirt.definitions.units import scaledKiB
from pyvirt.definitions.values import definition
from pyvirt.errors import ErrorCode, ErrorDomain, virtError

__all__ = ["CONTROLLER_MODELS", "Controller", "indexed", "insertController"]

TYPES = "ide fdc scsi sata virtio-serial ccid usb pci xenbus isa"

CONTROLLER_MODELS: dict[str, frozenset[str]] = {
    "scsi": frozenset(
        [
            "auto",
            "buslogic",
            "lsilogic",
            "lsisas1068",
            "vmpvscsi",
            "ibmvscsi",
            "virtio-scsi",
            "lsisas1078",
            "virtio-transitional",
            "virtio-non-transitional",
            "ncr53c90",
            "dc390",
            "am53c974",
        ]
    ),
    "usb": frozenset(
        [
            "piix3-uhci",
            "piix4-uhci",
            "ehci",
            "ich9-ehci1",
            "ich9-uhci1",
            "ich9-uhci2",
            "ich9-uhci3",
            "vt82c686b-uhci",
            "pci-ohci",
            "nec-xhci",
            "qusb1",
            "qusb2",
            "qemu-xhci",
            "none",
        ]
    ),
    "pci": frozenset(
        [
            "pci-root",
            "pcie-root",
            "pci-bridge",
            "dmi-to-pci-bridge",
            "pcie-to-pci-bridge",
            "pcie-root-port",
            "pcie-switch-upstream-port",
            "pcie-switch-downstream-port",
            "pci-expander-bus",
            "pcie-expander-bus",
        ]
    ),
    "ide": frozenset(["piix3", "piix4", "ich6"]),
    "virtio-serial": frozenset(["virtio", "virtio-transitional", "virtio-non-transitional"]),
    "isa": frozenset(),
}


#: What hypervisors call PCI controllers.
MODEL_NAMES = (
    "none pci-bridge i82801b11-bridge ioh3420 x3130-upstream xio3130-downstream pxb pxb-pcie "
    "pcie-root-port spapr-pci-host-bridge pcie-pci-bridge"
)


@definition
class ControllerDriver(VirtioOptions):
    """How the hypervisor handles a controller."""

    xmlOmitEmpty: ClassVar[bool] = True

    queues: int | None = attribute(UINT_NZ)
    cmd_per_lun: int | None = attribute(UINT_NZ)
    max_sectors: int | None = attribute(UINT_NZ)
    ioeventfd: bool | None = attribute(SWITCH)
    iothread: int | None = attribute(UINT_NZ)


@definition
class PCITarget:
    """How a PCI controller shows itself."""

    xmlOmitEmpty: ClassVar[bool] = True

    chassisNr: int | None = attribute(integer(base=0, signed=True, minimum=0))
    chassis: int | None = attribute(integer(base=0, signed=True, minimum=0))
    port: int | None = attribute(integer(base=0, signed=True, minimum=0, form="#x"))
    busNr: int | None = attribute(integer(base=0, signed=True, minimum=0))
    index: int | None = attribute(integer(base=0, signed=True, minimum=0))
    hotplug: bool | None = attribute(SWITCH)
    node: int | None = element(integer())


def _startPort(kids: dict[str, list[Node]]) -> int | None:
    """Read the port of the main USB controller that a companion starts at."""
    if "master" not in kids:
        return None
    node = kids["master"][0]
    text = node.get("startport")
    return 0 if text is None else int(integer().read(text, node, "startport"))


#: Companions of the main USB controller, and the port of it that they start at.
_COMPANIONS = {"ich9-uhci1": 0, "ich9-uhci2": 2, "ich9-uhci3": 4}


def checkUSB(kids: dict[str, list[Node]]) -> None:
    """Complain where USB is both there and not, or companions have no main controller."""
    found = [node for node in kids.get("controller", ()) if node.get("type") == "usb"]
    if len(found) > 1 and any(node.get("model") == "none" for node in found):
        raise virtError(
            ErrorCode.XML_DETAIL,
            "Can't add another USB controller: USB is disabled for this domain",
            ErrorDomain.DOMAIN,
        )
    if found and all(
        node.get("model") in _COMPANIONS
        or (node.find("master") is not None and node.get("model") != "none")
        for node in found
    ):
        raise virtError(
            ErrorCode.XML_DETAIL, "No master USB controller specified", ErrorDomain.DOMAIN
        )


@definition
class Controller(Device):
    """A controller of any type."""

    xmlOrder: ClassVar[str] = (
        "type index model ports vectors maxGrantFrames maxEventChannels modelName target driver "
        "alias master acpiIndex address pcihole64"
    )

    @classmethod
    def prepare(cls, node: Node, context: Context) -> None:
        """What is not there has neither name nor place."""
        if node.get("type") == "usb" and node.get("model") == "none":
            for child in list(node):
                if child.tag in ("master", "alias", "acpi", "address"):
                    node.remove(child)

    type: str = attribute(choice(TYPES), default="ide")
    index: int | None = attribute(integer(signed=True, minimum=0))
    model: str | None = attribute()
    ports: int | None = attribute(integer(signed=True, minimum=0))
    vectors: int | None = attribute(integer(signed=True, minimum=0))
    maxGrantFrames: int | None = attribute(integer(signed=True, minimum=0))
    maxEventChannels: int | None = attribute(integer(signed=True, minimum=0))
    driver: ControllerDriver | None = element(ControllerDriver)
    modelName: str | None = elementAttribute("model", "name", choice(MODEL_NAMES, absent="none"))
    target: PCITarget | None = element(PCITarget)
    master: int | None = special(
        tags="master",
        read=lambda node, kids, context: _startPort(kids),
        write=lambda value, out, indent, context: out.append(
            f"{indent}<master startport='{value}'/>\n"
        ),
    )
    pcihole64: int | None = special(
        tags="pcihole64",
        read=lambda node, kids, context: (
            scaledKiB(kids["pcihole64"][0], "./pcihole64") if "pcihole64" in kids else None
        ),
        write=lambda value, out, indent, context: out.append(
            f"{indent}<pcihole64 unit='KiB'>{value}</pcihole64>\n"
        ),
    )

    def settle(self, node: Node, context: Context) -> Controller:
        """Check the model against the type, and drop what that type does not have."""
        models = CONTROLLER_MODELS.get(self.type)
        if self.model is not None and (models is None or self.model not in models):
            raise unsupported("Unknown model type '{text}'")(self.model, node, "")
        virtio = self.type == "scsi" and (self.model or "").startswith("virtio")
        if self.driver is not None and self.driver.iothread is not None and not virtio:
            raise xmlError("'iothread' attribute only supported for virtio scsi controllers")
        changes: dict[str, Any] = {}
        if self.type == "usb" and self.master is None and self.model in _COMPANIONS:
            changes.update(master=_COMPANIONS[self.model])
        if self.type != "virtio-serial":
            changes.update(vectors=None)
        if self.type not in ("virtio-serial", "usb"):
            changes.update(ports=None)
        if self.type != "xenbus":
            changes.update(maxGrantFrames=None, maxEventChannels=None)
        if self.type != "pci":
            changes.update(modelName=None, target=None)
        if self.type != "pci" or self.model not in ("pci-root", "pcie-root"):
            changes.update(pcihole64=None)
        return replaced(self, **changes)


def insertController(controllers: list[Controller], new: Controller) -> None:
    """Put a controller behind those of its type that have a lower index or none."""
    place = -1
    for position in range(len(controllers) - 1, -1, -1):
        other = controllers[position]
        if other.type != new.type:
            continue
        if (new.index is not None and other.index is not None and other.index > new.index) or (
            new.master is None and other.master is not None and other.index == new.index
        ):
            place = position
        elif place == -1:
            place = position + 1
    controllers.insert(place if place != -1 else len(controllers), new)


#: The parts of a USB 2 controller that share one number.
_USB2 = ("ich9-ehci1", "ich9-uhci1", "ich9-uhci2", "ich9-uhci3")


def _sharedIndex(controller: Controller, done: list[Controller]) -> int | None:
    """Return the number of the USB 2 controller that a companion belongs to."""
    if controller.type != "usb" or controller.model not in _USB2:
        return None
    for other in reversed(done):
        if other.type == "usb" and other.model in _USB2:
            same = [each.model for each in done if each.type == "usb" and each.index == other.index]
            if controller.model not in same:
                return other.index
            return None
    return None


def indexed(controllers: Iterable[Controller]) -> list[Controller]:
    """Give numbers to controllers without: the lowest that are free, or that of the USB 2 controller before."""
    given = list(controllers)
    used = {(other.type, other.index) for other in given}
    done: list[Controller] = []
    for controller in given:
        if controller.index is None:
            index = _sharedIndex(controller, done)
            if index is None:
                index = 0
                while (controller.type, index) in used:
                    index += 1
                used.add((controller.type, index))
            controller = replaced(controller, index=index)
        done.append(controller)
    return done
