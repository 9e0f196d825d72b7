"""
What interfaces of guests, networks and their ports share: bandwidth, VLANs, virtual ports, MAC addresses.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar

import attrs

from pyvirt.definitions.kinds import (
    BOOLEAN,
    UINT,
    UINT_NZ,
    Kind,
    choice,
    integer,
    xmlError,
)
from pyvirt.definitions.reader import Node
from pyvirt.definitions.schema import Context, attribute, element, elements
from pyvirt.errors import ErrorCode, ErrorDomain, virtError

__all__ = ["Bandwidth", "Limits", "Tag", "VirtualPort", "Vlan", "parseMAC"]

_MAC = re.compile(r"[0-9a-fA-F]{1,2}(?::[0-9a-fA-F]{1,2}){5}\Z").match


def parseMAC(text: str) -> str | None:
    """Return a MAC address in its usual form, or None if the text is none."""
    if not _MAC(text):
        return None
    return ":".join(f"{int(part, 16):02x}" for part in text.split(":"))


@attrs.frozen(kw_only=True)
class Limits:
    """Bounds of one direction: KiB each second, and KiB at once for C{burst}."""

    average: int | None = attribute(integer(bits=64, keepZero=False))
    peak: int | None = attribute(integer(bits=64, keepZero=False))
    floor: int | None = attribute(integer(bits=64, keepZero=False))
    burst: int | None = attribute(integer(bits=64, keepZero=False))


@attrs.frozen(kw_only=True)
class Bandwidth:
    """Quality of service."""

    xmlOmitEmpty: ClassVar[bool] = True

    classId: int | None = attribute(UINT_NZ, "classID")
    inbound: Limits | None = element(Limits)
    outbound: Limits | None = element(Limits)


@attrs.frozen(kw_only=True)
class Tag:
    """One VLAN."""

    id: int = attribute(integer(bits=64), required=True)
    nativeMode: str | None = attribute(choice("default tagged untagged", absent="default"))


@attrs.frozen(kw_only=True)
class Vlan:
    """The VLANs of a port."""

    trunk: bool | None = attribute(BOOLEAN)
    tags: tuple[Tag, ...] = elements(Tag, "tag")


@attrs.frozen(kw_only=True)
class VirtualPortParameters:
    """The parameters of a virtual port; which of them count depends on its type."""

    managerid: int | None = attribute(UINT)
    typeid: int | None = attribute(UINT)
    typeidversion: int | None = attribute(UINT)
    instanceid: str | None = attribute()
    interfaceid: str | None = attribute()
    profileid: str | None = attribute()


@attrs.frozen(kw_only=True)
class VirtualPort:
    """A virtual port of a switch."""

    type: str | None = attribute(
        choice("none 802.1Qbg 802.1Qbh openvswitch midonet", absent="none")
    )
    parameters: VirtualPortParameters | None = element(VirtualPortParameters)
