"""
Older calls of the test driver, in their own words.

Libvirt's test driver looks for a pool by its name where only its volumes are counted or named, and tells the
function that does not know a flag.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from zope.interface import implementer

from pyvirt.drivers.interfaces.older import IOlderCalls
from pyvirt.drivers.refusals import flagsOf
from pyvirt.drivers.test.world import World
from pyvirt.errors import ErrorDomain, NoSuchStoragePool, OperationInvalid, VirtError, virtError

__all__ = ["OlderCalls"]

_OWN_FLAGS = (
    "domainHasCurrentSnapshot",
    "domainSnapshotListChildrenNames",
    "domainSnapshotListNames",
    "domainSnapshotNum",
    "domainSnapshotNumChildren",
    "nodeListDevices",
    "nodeNumOfDevices",
)
"""Functions that look at their flags themselves; others leave that to the newer one."""
_COUNTS = {
    "domainGetMemoryParameters": 3,
    "domainGetBlkioParameters": 6,
    "domainGetNumaParameters": 2,
    "domainGetBlockIoTune": 20,
    "domainGetInterfaceParameters": 7,
}
"""Numbers of parameters that are told before the domain or the device is looked for."""
_BY_NAME = ("storagePoolNumOfVolumes", "storagePoolListVolumes")


@implementer(IOlderCalls)
class OlderCalls:
    """See L{IOlderCalls}."""

    def __init__(self, world: World) -> None:
        """C{world} is what all components are made with; errors need nothing of it."""

    def reword(self, procedure: str, arguments: Sequence[Any], error: VirtError) -> VirtError:
        if procedure in _BY_NAME:
            name = arguments[0].name
            if isinstance(error, NoSuchStoragePool):
                return virtError(
                    error.code, f"no storage pool with matching name '{name}'", ErrorDomain.TEST
                )
            if isinstance(error, OperationInvalid):
                return virtError(
                    error.code, f"storage pool '{name}' is not active", ErrorDomain.TEST
                )
        elif procedure in _OWN_FLAGS:
            function = f"test{procedure[0].upper()}{procedure[1:]}"
            return flagsOf(error, function, ErrorDomain.TEST)
        return error

    def adapted(self, procedure: str, arguments: Sequence[Any]) -> Sequence[Any]:
        return arguments

    def count(self, procedure: str, error: VirtError) -> int | None:
        # Arguments are looked at before, except for some whether flags exclude each other.
        checked = error.int1 == 0
        if checked and (
            procedure not in ("domainGetNumaParameters", "domainGetInterfaceParameters")
            or error.str1 != "virDomainObjGetOneDefState"
        ):
            return None
        return _COUNTS.get(procedure)
