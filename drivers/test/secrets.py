"""
Secrets of the test driver, as libvirt's secret driver keeps them.  They are gone with the world.
"""

from __future__ import annotations

from pyvirt.drivers.secretbook import Secret, SecretBook
from pyvirt.drivers.test.world import World

__all__ = ["Secret", "Secrets"]


class Secrets(SecretBook):
    """Keeps secrets as long as the world is there."""

    def __init__(self, world: World) -> None:
        super().__init__(world.secrets, world.hub, world.random)
