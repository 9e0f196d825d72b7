"""
Virtual ports of switches: what a guest's card, its network and its group of ports say of one together.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyvirt.definitions.kinds import xmlError
from pyvirt.definitions.netbits import PORT_PARAMETERS, PortParameters, VirtualPort
from pyvirt.definitions.schema import replaced
from pyvirt.definitions.uuids import formatUUID, randomUUID
from pyvirt.errors import ErrorDomain

__all__ = ["merged"]

#: What two may not say differently, and whether it is written as text.
_PARAMETERS = {
    "managerid": False,
    "typeid": False,
    "typeidversion": False,
    "instanceid": True,
    "profileid": True,
    "interfaceid": True,
}
_MADE_UP = {"802.1Qbg": "instanceid", "openvswitch": "interfaceid"}


def merged(
    own: VirtualPort | None,
    network: VirtualPort | None,
    group: VirtualPort | None,
    random: Callable[[int], bytes],
) -> VirtualPort | None:
    """
    Return what is said of a virtual port; who comes first is heard first, and nobody may be contradicted.

    @param random: makes up what identifies the port where nobody says.
    @raise VirtError: two say different things, or something is missing.
    """
    found: VirtualPort | None = None
    for each in (own, network, group):
        if each is not None:
            found = each if found is None else _joined(found, each)
    if found is None or found.type is None:
        return found
    needed, allowed = PORT_PARAMETERS[found.type]
    said = found.parameters or PortParameters()
    # What belongs to another type, and was said by one who says no type, is not heeded.
    known = {name: getattr(said, name) for name in (*needed, *allowed)}
    missing = next((name for name in _PARAMETERS if name in needed and known[name] is None), None)
    if missing is not None:
        raise xmlError(f"missing {missing} in <virtualport type='{found.type}'>", ErrorDomain.NET)
    name = _MADE_UP.get(found.type)
    if name is not None and known[name] is None:
        known[name] = formatUUID(randomUUID(random))
    return VirtualPort(type=found.type, parameters=PortParameters(**known))


def _joined(one: VirtualPort, other: VirtualPort) -> VirtualPort:
    if one.type and other.type and one.type != other.type:
        raise xmlError(
            f"attempt to merge virtualports with mismatched types ({one.type} and {other.type})",
            ErrorDomain.NET,
        )
    first, second = one.parameters or PortParameters(), other.parameters or PortParameters()
    changes: dict[str, Any] = {}
    for name, text in _PARAMETERS.items():
        mine, yours = getattr(first, name), getattr(second, name)
        if mine is not None and yours is not None and mine != yours:
            said = f"'{mine}' and '{yours}'" if text else f"{mine} and {yours}"
            raise xmlError(
                f"attempt to merge virtualports with mismatched {name}s ({said})", ErrorDomain.NET
            )
        changes[name] = yours if mine is None else mine
    return replaced(one, type=one.type or other.type, parameters=replaced(first, **changes))
