"""
Older calls of the QEMU driver, where they mean something else than the newer ones without flags.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from zope.interface import implementer

from pyvirt import constants as c
from pyvirt.drivers.interfaces.older import IOlderCalls
from pyvirt.drivers.qemu.hypervisor import Hypervisor
from pyvirt.drivers.qemu.memorytuning import NO_MEMORY
from pyvirt.drivers.refusals import flagsOf
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["OlderCalls"]

_OWN_FLAGS = (
    "domainHasCurrentSnapshot",
    "domainSnapshotListChildrenNames",
    "domainSnapshotListNames",
    "domainSnapshotNum",
    "domainSnapshotNumChildren",
)
"""Functions that look at their flags themselves; others leave that to the newer one."""


@implementer(IOlderCalls)
class OlderCalls:
    """See L{IOlderCalls}."""

    def __init__(self, hypervisor: Hypervisor, connection: Any) -> None:
        """Components are all made alike; nothing is needed here."""

    def adapted(self, procedure: str, arguments: Sequence[Any]) -> Sequence[Any]:
        if procedure == "domainPinVcpu":
            return [*arguments[:-1], c.VIR_DOMAIN_AFFECT_LIVE]
        if procedure in ("domainCreateWithFiles", "domainCreateXMLWithFiles"):
            # A guest's first process inherits descriptors, which only containers have.
            function = f"vir{procedure[0].upper()}{procedure[1:]}"
            raise virtError(ErrorCode.NO_SUPPORT, function, ErrorDomain.DOMAIN)
        return arguments

    def reword(self, procedure: str, arguments: Sequence[Any], error: VirtError) -> VirtError:
        if procedure in _OWN_FLAGS:
            function = f"qemu{procedure[0].upper()}{procedure[1:]}"
            return flagsOf(error, function, ErrorDomain.QEMU)
        return error

    def count(self, procedure: str, error: VirtError) -> int | None:
        if procedure == "domainGetMemoryParameters" and error.str2 == NO_MEMORY:
            return 3
        # How many these are is told before anything is looked at, except flags.
        return 6 if procedure == "domainGetBlkioParameters" and error.int1 != 0 else None
