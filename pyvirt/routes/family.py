"""
What libvirt calls a procedure when it reports about it: the public function and the error domain of its family.

The domain is that of the part of libvirt's public interface that the function belongs to, whichever driver
serves it.
"""

from __future__ import annotations

from functools import cache

from pyvirt.errors import ErrorDomain
from pyvirt.protocols.procedures import Procedure

_FAMILIES: tuple[tuple[str, int], ...] = (
    ("Checkpoint", ErrorDomain.DOMAIN_CHECKPOINT),
    ("Snapshot", ErrorDomain.DOMAIN_SNAPSHOT),
    ("NWFilter", ErrorDomain.NWFILTER),
    ("Secret", ErrorDomain.SECRET),
    ("Storage", ErrorDomain.STORAGE),
    ("Network", ErrorDomain.NETWORK),
    ("NodeDevice", ErrorDomain.NODEDEV),
    ("virNodeNumOfDevices", ErrorDomain.NODEDEV),
    ("virNodeListDevices", ErrorDomain.NODEDEV),
    ("virInterface", ErrorDomain.INTERFACE),
    ("Interfaces", ErrorDomain.INTERFACE),
    ("Qemu", ErrorDomain.NONE),
    ("Lxc", ErrorDomain.NONE),
)


def function(procedure: Procedure) -> str:
    """Return the name of the C function that C{procedure} carries, public or not."""
    if procedure.api is not None:
        return procedure.api
    return "vir" + procedure.name[0].upper() + procedure.name[1:]


@cache
def domainOf(procedure: Procedure) -> int:
    """Return the C{VIR_FROM_*} of errors about calling C{procedure}."""
    name = function(procedure)
    for part, domain in _FAMILIES:
        if part in name:
            return domain
    return ErrorDomain.DOMAIN
