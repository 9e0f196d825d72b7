"""
The images that a disk is made of: the one in use, and those below that it was made from.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from pyvirt.definitions.domain._disk import BackingFormat, BackingStore, DiskDriver
from pyvirt.definitions.schema import replaced
from pyvirt.drivers.test.refusals import invalidArgument
from pyvirt.errors import ErrorDomain

__all__ = ["Image", "chain", "find", "withChain"]


class Image(NamedTuple):
    """An image: where it is, and its format."""

    source: Any
    format: str

    @property
    def path(self) -> str:
        """Where it is on the host, in words."""
        for name in ("file", "dev", "dir", "name", "volume"):
            found = getattr(self.source, name, None)
            if found:
                return str(found)
        return ""


def chain(disk: Any) -> list[Image]:
    """Return the images of a disk as far as its definition tells, the one in use first."""
    found: list[Image] = []
    if disk.source is None or disk.source.isEmpty:
        return found
    driver = disk.driver
    found.append(Image(disk.source, (driver.type if driver is not None else None) or "raw"))
    below = disk.backingStore
    while below is not None and below.source is not None:
        kind = below.format.type if below.format is not None else None
        found.append(Image(below.source, kind or "raw"))
        below = below.backingStore
    return found


def withChain(disk: Any, images: list[Image]) -> Any:
    """Return a disk that is made of other images, which are then known to be all."""
    top = images[0]
    below = BackingStore()
    for image in reversed(images[1:]):
        below = BackingStore(
            source=image.source,
            format=BackingFormat(type=image.format),
            backingStore=below,
            index=image.source.index,
        )
    driver = replaced(disk.driver or DiskDriver(), type=top.format)
    return replaced(
        disk, type=top.source.sourceType, source=top.source, driver=driver, backingStore=below
    )


def find(images: list[Image], name: str, disk: Any, below: bool = False) -> int:
    """
    Find an image of a disk by its path, or by its place as in C{vda[1]}.

    @param below: not the one in use.
    @return: its place.
    @raise VirtError: there is no such image.
    """
    target = disk.target.dev
    for place, image in enumerate(images):
        if (image.path == name or name == f"{target}[{place}]") and not (below and place == 0):
            return place
    under = f" beneath '{images[0].path}'" if below and images else ""
    raise invalidArgument(
        f"could not find image '{name}'{under} in chain for '{target}'", ErrorDomain.STORAGE
    )
