"""
The remote driver: the client's side of the wire.

It accepts every URI that no local driver takes and passes all calls on, by the same procedures that libvirt's
own client sends.
"""

from __future__ import annotations

from pyvirt.drivers.remote.connection import RemoteConnection
from pyvirt.drivers.remote.opening import RemoteFactory
from pyvirt.drivers.remote.target import Target, findTarget

__all__ = ["RemoteConnection", "RemoteFactory", "Target", "factory", "findTarget"]


def factory() -> RemoteFactory:
    """Make the driver's factory; the entry point."""
    return RemoteFactory()
