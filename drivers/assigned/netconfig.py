"""
What a network device gives its virtual functions while guests have them, and what it gave them before.

What it gave is kept in C{hostdevmgr/DEVICE_vfNUMBER}, in libvirt's form, so that also a daemon that was started in between
can give it back.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import socket
import struct
import time
from typing import Any

import attrs

from pyvirt.drivers.assigned.functions import Function, Links, functionOf, portReply, statisticsOf
from pyvirt.drivers.assigned.pci import PCIBus
from pyvirt.drivers.filestore import removeFile, writeWhole
from pyvirt.drivers.refusals import internal
from pyvirt.errors import ErrorCode, ErrorDomain, virtError
from pyvirt.folders import makeFolders
from pyvirt.process import systemError

__all__ = ["Card", "FunctionKeeper"]

_DOMAIN = ErrorDomain.NONE
_SIOCGIFFLAGS, _SIOCGIFHWADDR, _IFF_UP = 0x8913, 0x8927, 1
_SWITCH = "802.1Qbh"
_MAC = re.compile("[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}").fullmatch
_ASSOCIATE, _DISASSOCIATE = 2, 3
_SUCCESS, _IN_PROGRESS = 0, 0x101
#: How often, and after how many seconds each time, a switch is asked whether there is a port.
_TRIES, _PAUSE = 80, 0.125


@attrs.frozen(kw_only=True)
class Card:
    """
    What a guest's network card asks of the virtual function that it is.

    @ivar name: the PCI device.
    @ivar mac: the guest's address.
    @ivar vlan: a C{Vlan}, or None.
    @ivar port: a C{VirtualPort}, or None.
    @ivar guest, host: their UUIDs, for switches.
    """

    name: str
    mac: str
    vlan: Any = None
    port: Any = None
    guest: bytes = bytes(16)
    host: bytes = bytes(16)

    @property
    def hasPort(self) -> bool:
        """Whether a switch gives it what else its device would."""
        return self.port is not None and self.port.type not in (None, "none")


class FunctionKeeper:
    """
    Sets virtual functions up and back.  It waits for the kernel, so it is called in a thread.

    @ivar folder: where is kept what they had.
    """

    def __init__(self, bus: PCIBus, folder: str, links: Links | None = None) -> None:
        self._bus = bus
        self._links = Links() if links is None else links
        self.folder = folder

    def place(self, name: str) -> tuple[str, int]:
        """
        Return the network device that a virtual function is of, and its number there.

        @raise VirtError: it is no virtual function, or not of a network device.
        """
        physical = self._bus.physicalFunction(name)
        if physical is None:
            raise virtError(
                ErrorCode.CONFIG_UNSUPPORTED,
                "Interface type hostdev is currently supported on SR-IOV Virtual Functions only",
                _DOMAIN,
            )
        device = self._bus.netName(physical)
        if device is None:
            raise internal(
                f"The PF device for VF {self._bus.sys}/bus/pci/devices/{name} has no network "
                "device name",
                _DOMAIN,
            )
        return device, self._bus.functionNumber(physical, name)

    def _path(self, device: str, number: int) -> str:
        return os.path.join(self.folder, f"{device}_vf{number}")

    # Before a guest has it

    def save(self, card: Card) -> None:
        """
        Keep what a virtual function is given now.

        @raise VirtError: it is none, or nobody says.
        """
        device, number = self.place(card.name)
        if card.hasPort:
            return
        if not _request(device, _SIOCGIFFLAGS, "Cannot get interface flags on") & _IFF_UP:
            raise internal(
                f"Unable to configure VF {number} of PF '{device}' because the PF is not online. "
                "Please change host network config to put the PF online.",
                _DOMAIN,
            )
        now = functionOf(self._links.look(device), number)
        kept: dict[str, Any] = {"adminMac": now.mac, "vlanTag": now.vlan}
        own = self._bus.netName(card.name)
        if own is not None:
            kept["mac"] = _address(own)
        try:
            makeFolders(self.folder)
        except OSError as problem:
            detail = f"cannot create path '{self.folder}'"
            raise systemError(problem, detail, _DOMAIN) from None
        text = json.dumps(kept, indent=2) + "\n"
        writeWhole(self._path(device, number), text.encode())

    def set(self, card: Card) -> None:
        """
        Have a virtual function given what the guest is to have.

        @raise VirtError: it cannot be.
        """
        device, number = self.place(card.name)
        if card.hasPort:
            self._askSwitch(card, device, number, _ASSOCIATE)
            return
        tag = 0
        if card.vlan is not None:
            if card.vlan.trunk or len(card.vlan.tags) != 1:
                raise virtError(
                    ErrorCode.CONFIG_UNSUPPORTED,
                    "vlan trunking is not supported by SR-IOV network devices",
                    _DOMAIN,
                )
            tag = card.vlan.tags[0].id
        self._links.configure(device, number, Function(card.mac, tag))

    # After

    def restore(self, card: Card) -> None:
        """
        Have a virtual function given what it was before.

        @raise VirtError: it cannot be.
        """
        device, number = self.place(card.name)
        if card.hasPort:
            self._askSwitch(card, device, number, _DISASSOCIATE)
            return
        path = self._path(device, number)
        try:
            with open(path, encoding="utf-8") as file:
                kept = json.load(file)
            # What the function's own driver had it call itself is what that is to find again.
            mac = str(kept.get("mac") or kept["adminMac"])
            vlan = int(kept.get("vlanTag", 0))
            if not _MAC(mac) or not 0 <= vlan < 4096:
                raise ValueError(f"{mac} {vlan}")
            before = Function(mac, vlan)
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as problem:
            raise internal(f"invalid JSON in file '{path}': {problem}", _DOMAIN) from None
        self._links.configure(device, number, before)
        removeFile(path)

    def statistics(self, name: str) -> dict[str, int]:
        """
        Return what a virtual function has sent and got, by the names of libvirt's statistics.

        @raise VirtError: nobody says.
        """
        device, number = self.place(name)
        return statisticsOf(self._links.look(device), number)

    # Switches

    def _askSwitch(self, card: Card, device: str, number: int, request: int) -> None:
        port = card.port
        if port.type != _SWITCH:
            raise virtError(
                ErrorCode.CONFIG_UNSUPPORTED,
                f"virtualport type {port.type} is currently not supported on interfaces of type "
                "hostdev",
                _DOMAIN,
            )
        if card.vlan is not None:
            raise virtError(
                ErrorCode.CONFIG_UNSUPPORTED,
                "direct setting of the vlan tag is not allowed for hostdev devices using "
                f"{port.type} mode",
                _DOMAIN,
            )
        profile = "" if port.parameters is None else port.parameters.profileid or ""
        self._links.port(device, number, card.mac, profile, card.guest, card.host, request)
        if request == _DISASSOCIATE:
            return
        for left in reversed(range(_TRIES)):
            said = portReply(self._links.look(device), number).response
            if said == _SUCCESS:
                return
            if said not in (None, _IN_PROGRESS):
                detail = f"error {said} during port-profile setlink on interface {device} (0)"
                raise systemError(OSError(22, ""), detail, _DOMAIN)
            if left:
                time.sleep(_PAUSE)
        raise systemError(OSError(110, ""), "port-profile setlink timed out", _DOMAIN)


def _request(device: str, request: int, detail: str) -> int:
    """Return the first number that the kernel answers of a device."""
    return int.from_bytes(_answer(device, request, detail)[16:18], "little")


def _answer(device: str, request: int, detail: str) -> bytes:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as control:
        try:
            return fcntl.ioctl(control, request, struct.pack("16s24x", device.encode()[:15]))
        except OSError as problem:
            raise systemError(problem, f"{detail} '{device}'", _DOMAIN) from None


def _address(device: str) -> str:
    raw = _answer(device, _SIOCGIFHWADDR, "Cannot get interface MAC on")[18:24]
    return ":".join(f"{each:02x}" for each in raw)
