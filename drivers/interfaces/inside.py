"""
What drivers ask each other: never reached by a client.

A driver gets at it through C{OpenContext.companion}.
"""

from __future__ import annotations

from zope.interface import Interface
from zope.interface.interface import InterfaceClass

from pyvirt.drivers.interfaces.values import Answer


class ISecretValues(Interface):
    """Tells values of secrets to drivers that need them for guests or storage."""

    def secretValue(uuid: bytes | None, usageType: int, usageID: str) -> Answer[bytes]:
        """
        Tell a value, private or not.

        @param uuid: which secret; None: the one that is for C{usageType} (C{VIR_SECRET_USAGE_TYPE_*}) and
            C{usageID}.
        @raise VirtError: C{NO_SECRET}: there is none, or it has no value.
        """


class IAssignedDevices(Interface):
    """Keeps the devices of the host that guests have: L{pyvirt.drivers.assigned.keeper.AssignedDevices}."""


class ICompanionDriver(Interface):
    """A factory whose driver works beside those of hypervisors: its operations are on their connections too."""

    def companion(interface: InterfaceClass) -> object | None:
        """Return what does the operations of a contract on this host, or None."""
