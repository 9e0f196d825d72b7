"""
Buses of PCI and the slots on them: what fits where, and which slot is the next free one.
"""

from __future__ import annotations

import enum

import attrs

from pyvirt.definitions.domain._address import PCIAddress
from pyvirt.definitions.kinds import xmlError
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["Bus", "Buses", "Connect", "Place"]


class Connect(enum.IntFlag):
    """What a device asks of a bus, and what a bus offers."""

    HOTPLUG = 1 << 0
    AGGREGATE = 1 << 1
    PCI = 1 << 2
    PCIE = 1 << 3
    ROOT_PORT = 1 << 4
    UPSTREAM = 1 << 5
    DOWNSTREAM = 1 << 6
    DMI_BRIDGE = 1 << 7
    EXPANDER = 1 << 8
    PCIE_EXPANDER = 1 << 9
    PCI_BRIDGE = 1 << 10
    PCIE_BRIDGE = 1 << 11

    ENDPOINT = PCI | PCIE
    TYPES = (
        PCI
        | PCIE
        | ROOT_PORT
        | UPSTREAM
        | DOWNSTREAM
        | DMI_BRIDGE
        | EXPANDER
        | PCIE_EXPANDER
        | PCI_BRIDGE
        | PCIE_BRIDGE
    )


C = Connect

#: Model of controller: what its bus offers, its first and its last slot.
_OFFERS: dict[str, tuple[Connect, int, int]] = {
    "pci-root": (C.HOTPLUG | C.PCI | C.PCI_BRIDGE | C.EXPANDER, 1, 31),
    "pci-bridge": (C.HOTPLUG | C.PCI | C.PCI_BRIDGE, 1, 31),
    "pci-expander-bus": (C.PCI | C.PCI_BRIDGE, 0, 31),
    "pcie-root": (C.PCIE | C.ROOT_PORT | C.DMI_BRIDGE | C.PCIE_EXPANDER, 1, 31),
    "dmi-to-pci-bridge": (C.PCI | C.PCI_BRIDGE, 0, 31),
    "pcie-to-pci-bridge": (C.HOTPLUG | C.PCI | C.PCI_BRIDGE, 1, 31),
    "pcie-root-port": (C.HOTPLUG | C.PCIE | C.UPSTREAM | C.PCIE_BRIDGE, 0, 0),
    "pcie-switch-downstream-port": (C.HOTPLUG | C.PCIE | C.UPSTREAM | C.PCIE_BRIDGE, 0, 0),
    "pcie-switch-upstream-port": (C.DOWNSTREAM, 0, 31),
    "pcie-expander-bus": (C.ROOT_PORT | C.DMI_BRIDGE, 0, 31),
}

#: What each model of controller asks of the bus above it.
NEEDS: dict[str, Connect] = {
    "pci-bridge": C.PCI_BRIDGE,
    "dmi-to-pci-bridge": C.DMI_BRIDGE,
    "pcie-to-pci-bridge": C.PCIE_BRIDGE,
    "pcie-root-port": C.ROOT_PORT | C.AGGREGATE,
    "pcie-switch-upstream-port": C.UPSTREAM,
    "pcie-switch-downstream-port": C.DOWNSTREAM,
    "pci-expander-bus": C.EXPANDER,
    "pcie-expander-bus": C.PCIE_EXPANDER,
}


@attrs.frozen
class Place:
    """A function of a slot of a bus."""

    bus: int = 0
    slot: int = 0
    function: int = 0
    domain: int = 0

    @property
    def address(self) -> PCIAddress:
        """The same as a definition has it."""
        return PCIAddress(domain=self.domain, bus=self.bus, slot=self.slot, function=self.function)

    def __str__(self) -> str:
        return f"{self.domain:04x}:{self.bus:02x}:{self.slot:02x}.{self.function:x}"


@attrs.define
class Bus:
    """
    One bus.

    @ivar used: by slot, the functions that are taken.
    @ivar aggregate: slots whose devices do not mind sharing.
    """

    model: str
    offers: Connect
    first: int
    last: int
    used: dict[int, set[int]] = attrs.Factory(dict)
    aggregate: set[int] = attrs.Factory(set)

    @classmethod
    def of(cls, model: str) -> Bus:
        """Make the bus of a model of controller."""
        return cls(model, *_OFFERS[model])

    @property
    def full(self) -> bool:
        """Whether every slot has something in it."""
        return all(self.used.get(slot) for slot in range(self.first, self.last + 1))


@attrs.define
class Buses:
    """
    All buses.

    @ivar dry: buses may be added as they are needed; nothing is decided yet.
    """

    buses: list[Bus | None]
    express: bool = False
    bridges: bool = True
    dry: bool = False

    def inUse(self, place: Place) -> bool:
        """Return whether the slot has anything in it."""
        bus = self.buses[place.bus] if place.bus < len(self.buses) else None
        return bus is None or bool(bus.used.get(place.slot))

    def fits(self, offers: Connect, needs: Connect, *, given: bool, place: str) -> bool:
        """
        Return whether a device may sit on a bus.

        @raise VirtError: it was told to and may not.
        """
        if given:
            if offers & C.ENDPOINT:
                offers |= C.ENDPOINT
            if needs & C.HOTPLUG:
                offers |= C.HOTPLUG
            if needs & C.PCI_BRIDGE:
                needs |= C.PCI
        if not (needs & offers & C.TYPES):
            if given:
                raise self._misfit(offers, needs, place)
            return False
        if needs & C.HOTPLUG and not offers & C.HOTPLUG:
            if given:
                raise xmlError(
                    f"PCI bus is not compatible with the device at {place}. "
                    "Device requires hot-plug capability, which is not provided by the bus"
                )
            return False
        return True

    @staticmethod
    def _misfit(offers: Connect, needs: Connect, place: str) -> VirtError:
        kind = "unknown type"
        for flag, word in (
            (C.PCI, "standard PCI device"),
            (C.PCIE, "PCI Express device"),
            (C.ROOT_PORT, "pcie-root-port"),
            (C.UPSTREAM, "pci-switch-upstream-port"),
            (C.DOWNSTREAM, "pci-switch-downstream-port"),
            (C.DMI_BRIDGE, "dmi-to-pci-bridge"),
            (C.EXPANDER, "pci-expander-bus"),
            (C.PCIE_EXPANDER, "pcie-expander-bus"),
            (C.PCI_BRIDGE, "pci-bridge"),
            (C.PCIE_BRIDGE, "pcie-to-pci-bridge"),
        ):
            if needs & flag:
                kind = word
                break
        return xmlError(
            f"The device at PCI address {place} cannot be plugged into the PCI controller with "
            f"index='{int(place.split(':')[1], 16)}'. It requires a controller that accepts a "
            f"{kind}."
        )

    def reserve(self, place: Place, needs: Connect, *, given: bool = True) -> None:
        """
        Take a place.

        @raise VirtError: it is taken, or there is none, or the device does not fit there.
        """
        text = str(place)
        if not self.buses:
            raise xmlError("No PCI buses available")
        if place.domain:
            raise xmlError(f"Invalid PCI address {text}. Only PCI domain 0 is available")
        if place.bus >= len(self.buses):
            if not self.dry:
                raise xmlError(
                    f"Invalid PCI address {text}. Only PCI buses up to {len(self.buses) - 1} are "
                    "available"
                )
            self.grow(place.bus, needs)
        bus = self.buses[place.bus]
        if bus is None:
            raise xmlError(f"No PCI bus with index {place.bus}")
        self.fits(bus.offers, needs, given=given, place=text)
        if place.slot < bus.first:
            raise xmlError(f"Invalid PCI address {text}. slot must be >= {bus.first}")
        if place.slot > bus.last:
            raise xmlError(f"Invalid PCI address {text}. slot must be <= {bus.last}")
        if place.function > 7:
            raise xmlError(f"Invalid PCI address {text}. function must be <= 7")
        used = bus.used.setdefault(place.slot, set())
        if place.function in used:
            raise xmlError(f"Attempted double use of PCI Address {text}")
        if not used and needs & C.AGGREGATE:
            bus.aggregate.add(place.slot)
        elif not needs & C.AGGREGATE:
            bus.aggregate.discard(place.slot)
        used.add(place.function)

    def reserveNext(self, needs: Connect, function: int | None = None) -> Place:
        """
        Take the next free place that a device fits into.

        @raise VirtError: there is none.
        """
        if not self.buses:
            raise xmlError("No PCI buses available")
        place = self._next(needs, function)
        self.reserve(place, needs, given=False)
        return place

    def _next(self, needs: Connect, function: int | None) -> Place:
        for number, bus in enumerate(self.buses):
            if bus is None or not self.fits(bus.offers, needs, given=False, place=""):
                continue
            for slot in range(bus.first, bus.last + 1):
                used = bus.used.get(slot)
                if not used:
                    return Place(number, slot, function or 0)
                if needs & C.AGGREGATE and slot in bus.aggregate:
                    for each in range(8):
                        if each not in used:
                            return Place(number, slot, each)
        if self.dry:
            number = len(self.buses)
            number = self.grow(number, needs)
            new = self.buses[number]
            assert new is not None
            return Place(number, new.first, function or 0)
        raise virtError(ErrorCode.INTERNAL_ERROR, "No more available PCI slots", ErrorDomain.DEVICE)

    def grow(self, number: int, needs: Connect) -> int:
        """
        Add buses up to a number, the last of which the device fits onto.

        @return: the number of that bus.
        """
        if needs & (C.PCI | C.PCI_BRIDGE):
            model = "pci-bridge"
            if not any(bus is not None and bus.offers & C.PCI_BRIDGE for bus in self.buses):
                # The way down to conventional PCI is a port with a bridge in it.
                if self.bridges:
                    self.buses.append(Bus.of("pcie-root-port"))
                    model = "pcie-to-pci-bridge"
                else:
                    self.buses.append(Bus.of("dmi-to-pci-bridge"))
                number = max(number, len(self.buses))
        elif needs & (C.PCIE | C.UPSTREAM | C.PCIE_BRIDGE):
            model = "pcie-root-port"
        elif needs & C.DOWNSTREAM:
            model = "pcie-switch-upstream-port"
        elif needs & C.EXPANDER and self.express:
            raise virtError(
                ErrorCode.CONFIG_UNSUPPORTED,
                "pci-expander-bus controllers are only supported on 440fx-based machinetypes",
                ErrorDomain.QEMU,
            )
        else:
            for wanted, flags in NEEDS.items():
                if needs and needs == flags:
                    raise virtError(
                        ErrorCode.INTERNAL_ERROR,
                        "a PCI slot is needed to connect a PCI controller "
                        f"model='{wanted}', but none is available, and it cannot be automatically "
                        "added",
                        ErrorDomain.DOMAIN,
                    )
            raise virtError(
                ErrorCode.INTERNAL_ERROR,
                "Cannot automatically add a new PCI bus for a device with connect flags "
                f"{wireFlags(needs):02x}",
                ErrorDomain.DOMAIN,
            )
        while len(self.buses) <= number:
            self.buses.append(Bus.of(model))
        return number


def wireFlags(needs: Connect) -> int:
    """Return what messages call the needs of a device."""
    return int(needs)
