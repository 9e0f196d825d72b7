"""
What the Python binding offers beside its classes, as far as it means something under a reactor.
"""

from __future__ import annotations

__all__ = ["VERSION", "getVersion", "virEventRegisterDefaultImpl", "virInitialize"]

VERSION = 9_000_000
"""The version of libvirt whose behaviour this library has."""


def getVersion(name: str | None = None) -> int | tuple[int, int]:
    """
    Return the version of libvirt whose behaviour this library has: major * 1000000 + minor * 1000 + release.

    @param name: of a hypervisor, whose version is then the second of two numbers.
    """
    return VERSION if name is None else (VERSION, VERSION)


def virInitialize() -> int:
    """Return 0: there is nothing to initialize."""
    return 0


def virEventRegisterDefaultImpl() -> int:
    """Return 0: the reactor is the event loop, always."""
    return 0
