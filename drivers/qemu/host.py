"""
The host that guests run on.
"""

from __future__ import annotations

import socket

from pyvirt.drivers.interfaces.values import SecurityModel, TypedParam
from pyvirt.drivers.qemu.binaries import emulatorFor
from pyvirt.drivers.qemu.hostsysinfo import HostSysinfo
from pyvirt.drivers.qemu.refusals import operationUnsupported

__all__ = ["Host"]

#: The version of libvirt's library that clients are told: the one whose behaviour is meant.
LIBRARY_VERSION = 9000000


#: What the session does not know by itself (C{VIR_DRV_FEATURE_*}): migration peer to peer, its third protocol,
#: protection from changes while it goes on, definitions for other hosts, guests that do not run, parameters.
_FEATURES = frozenset([4, 6, 7, 11, 12, 13])


class Host(HostSysinfo):
    """Answers for the host."""

    def connectGetType(self) -> str:
        """The name of the driver."""
        return "QEMU"

    async def connectGetVersion(self) -> int:
        """The version of QEMU."""
        import platform

        capabilities = await self._hypervisor.binaries.of(emulatorFor(platform.machine()))
        return capabilities.version

    def connectGetLibVersion(self) -> int:
        """The version of the library that this one behaves like."""
        return LIBRARY_VERSION

    def nodeGetSecurityModel(self) -> SecurityModel:
        """Nothing labels guests."""
        return SecurityModel("none", "0")

    def nodeGetSEVInfo(self, flags: int) -> list[TypedParam]:
        """Refuse: no guest here has encrypted memory."""
        raise operationUnsupported("QEMU does not support SEV guest")

    def connectGetHostname(self) -> str:
        """The name of the machine."""
        return socket.gethostname()

    def connectSupportsFeature(self, feature: int) -> bool:
        """Migration: its third protocol, with parameters, of guests that do not run too."""
        return feature in _FEATURES

    def connectIsSecure(self) -> bool:
        """Nothing leaves the machine."""
        return True
