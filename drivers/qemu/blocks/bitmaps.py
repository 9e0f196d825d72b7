"""
Dirty bitmaps: which nodes have which, and what is done to them when a chain grows or a checkpoint goes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyvirt.drivers.qemu.blocks.chain import LAYERED, Image
from pyvirt.drivers.qemu.command.disks import optionsOf
from pyvirt.drivers.qemu.command.values import HostSettings
from pyvirt.drivers.qemu.devicerules import BOTH, imageRules
from pyvirt.drivers.qemu.guest import Guest
from pyvirt.drivers.qemu.plugging.commands import imageSteps

__all__ = [
    "Bitmaps",
    "adding",
    "carryOver",
    "countWrites",
    "merging",
    "overlayActions",
    "removeBitmaps",
]

#: What is written to an image while a guest goes over to it.
_WRITTEN = "libvirt-tmp-activewrite"
#: What merged bitmaps count in where nothing says otherwise, in bytes.
GRANULARITY = 65536


class Bitmaps:
    """The bitmaps of a running guest's nodes, by name of the node and of the bitmap."""

    def __init__(self, reply: Any) -> None:
        self.byNode: dict[str, dict[str, dict[str, Any]]] = {}
        for node in reply if isinstance(reply, list) else ():
            if not isinstance(node, dict) or not isinstance(node.get("node-name"), str):
                continue
            found = node.get("dirty-bitmaps")
            self.byNode[node["node-name"]] = {
                each["name"]: each
                for each in (found if isinstance(found, list) else ())
                if isinstance(each, dict) and isinstance(each.get("name"), str)
            }

    @classmethod
    async def of(cls, guest: Guest) -> Bitmaps:
        """Ask a guest."""
        return cls(await guest.execute("query-named-block-nodes", {"flat": True}))

    def on(self, image: Image) -> dict[str, dict[str, Any]]:
        """Return the bitmaps of an image."""
        return self.byNode.get(image.formatName, {})

    def sources(self, images: Sequence[Image], name: str) -> list[tuple[Image, dict[str, Any]]]:
        """Return the bitmaps of a name in a chain, from the top down to where it was begun."""
        found = []
        for image in images:
            bitmap = self.on(image).get(name)
            if bitmap is None:
                break
            found.append((image, bitmap))
        return found


def adding(node: str, name: str, **options: Any) -> dict[str, Any]:
    """Return the action of a transaction that adds a bitmap."""
    return {"type": "block-dirty-bitmap-add", "data": {"node": node, "name": name, **options}}


def merging(
    node: str, name: str, sources: Sequence[tuple[Image, dict[str, Any]]]
) -> list[dict[str, Any]]:
    """Return the actions that make a bitmap out of those of a chain."""
    granularity = sources[0][1].get("granularity", GRANULARITY) if sources else GRANULARITY
    bitmaps = [{"node": image.formatName, "name": found["name"]} for image, found in sources]
    return [
        adding(node, name, persistent=False, disabled=True, granularity=granularity),
        {
            "type": "block-dirty-bitmap-merge",
            "data": {"node": node, "target": name, "bitmaps": bitmaps},
        },
    ]


def overlayActions(known: Bitmaps | None, below: Image, new: Image) -> list[dict[str, Any]]:
    """
    Return the actions that let checkpoints go on counting in an image laid over another.

    @param known: the bitmaps that there are; None: there is no checkpoint.
    """
    if known is None or new.format not in LAYERED:
        return []
    found = known.on(below)
    return [
        adding(
            new.formatName,
            name,
            persistent=True,
            disabled=False,
            granularity=each.get("granularity", GRANULARITY),
        )
        for name, each in reversed(found.items())
        if each.get("persistent") and each.get("recording") and not each.get("inconsistent")
    ]


async def countWrites(guest: Guest, target: Image) -> None:
    """
    Have QEMU count what is written to an image from now on, for L{carryOver}.

    @raise VirtError: it does not.
    """
    actions = [adding(target.formatName, _WRITTEN, persistent=False, disabled=False)]
    await guest.execute("transaction", {"actions": actions})


def carrying(
    known: Bitmaps, sources: Sequence[Image], target: Image, written: bool
) -> list[dict[str, Any]]:
    """
    Return the actions by which an image gets the bitmaps of others whose data it has got.

    @param sources: the first of a chain down to the last whose data it was.
    @param written: L{countWrites} was called for the image.
    """
    actions: list[dict[str, Any]] = []
    node, own = target.formatName, known.on(target)
    for name, first in known.on(sources[0]).items() if sources else ():
        found = known.sources(sources, name)
        if any(each.get("inconsistent") for _, each in found) or not first.get("persistent"):
            continue
        merged: list[Any] = [
            {"node": image.formatName, "name": name}
            for image, _ in found
            if image.formatName != node
        ]
        if written:
            merged.append(_WRITTEN)
        if not merged:
            continue
        if name not in own:
            options = {
                "persistent": True,
                "disabled": not first.get("recording"),
                "granularity": first.get("granularity", GRANULARITY),
            }
            actions.append(adding(node, name, **options))
        data = {"node": node, "target": name, "bitmaps": merged}
        actions.append({"type": "block-dirty-bitmap-merge", "data": data})
    if written and _WRITTEN in own:
        actions.append(
            {"type": "block-dirty-bitmap-remove", "data": {"node": node, "name": _WRITTEN}}
        )
    return actions


async def carryOver(
    guest: Guest,
    disk: Any,
    sources: Sequence[Image],
    target: Image,
    *,
    written: bool = False,
    within: Sequence[Image] = (),
) -> None:
    """
    Let an image have the bitmaps of others whose data it has got.

    @param sources, written: as for L{carrying}.
    @param within: the chain in which the image is below others, where QEMU does not write it.
    @raise VirtError: it has not got them.
    """
    actions = carrying(await Bitmaps.of(guest), sources, target, written)
    if not actions:
        return
    images = list(within)
    place = images.index(target) if target in images else 0
    if place:
        await _reopen(guest, disk, images, place, False)
    try:
        await guest.execute("transaction", {"actions": actions})
    finally:
        if place:
            await _reopen(guest, disk, images, place, True)


async def removeBitmaps(guest: Guest, disks: Sequence[tuple[Any, list[Image]]], name: str) -> None:
    """
    Remove the bitmaps of a checkpoint from all images of disks.

    Those below the top are written for that moment only.

    @raise VirtError: some are still there.
    """
    known = await Bitmaps.of(guest)
    actions, opened = [], []
    try:
        for disk, images in disks:
            for place, image in enumerate(images):
                if name not in known.on(image):
                    continue
                if place:
                    await _reopen(guest, disk, images, place, False)
                    opened.append((disk, images, place))
                actions.append(
                    {
                        "type": "block-dirty-bitmap-remove",
                        "data": {"node": image.formatName, "name": name},
                    }
                )
        if actions:
            await guest.execute("transaction", {"actions": actions})
    finally:
        for disk, images, place in reversed(opened):
            await _reopen(guest, disk, images, place, True)


async def _reopen(guest: Guest, disk: Any, images: list[Image], place: int, readOnly: bool) -> None:
    access = guest.access
    if access is not None and not readOnly:
        access.allow(imageRules(images[place], BOTH))
    below = images[place + 1].formatName if place + 1 < len(images) else None
    node = images[place].node(readOnly, below is None)
    last = imageSteps(node, below, optionsOf(disk), guest.capabilities, HostSettings())[-1]
    await guest.execute("blockdev-reopen", {"options": [last.arguments]})
    if access is not None and readOnly:
        access.revoke(imageRules(images[place], BOTH))
