"""
The images that a guest really uses, found again: L{recognize}.

A daemon that dies after QEMU has gone on to another image, and before that was written down, knows the wrong one.
What is written to the right one since then would be lost with the guest's next start.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from twisted.logger import Logger

from pyvirt.definitions.domain import DomainDefinition
from pyvirt.drivers.qemu.blocks.backingstrings import localSource
from pyvirt.drivers.qemu.blocks.chain import (
    Image,
    chain,
    diskNamed,
    disksOf,
    withChain,
    withDisk,
)
from pyvirt.drivers.qemu.blocks.jobs import persisted
from pyvirt.drivers.qemu.domain import Domain
from pyvirt.drivers.qemu.guest import Guest
from pyvirt.errors import VirtError

if TYPE_CHECKING:
    from pyvirt.drivers.qemu.hypervisor import Hypervisor

__all__ = ["recognize"]

log = Logger()

#: The node that knows the format of an image that we have given a number.
_NODE = re.compile(r"libvirt-(\d{1,9})-format")


def recognize(hypervisor: Hypervisor, domain: Domain, guest: Guest, reply: Any) -> None:
    """
    Bring a guest's disks up to date with what QEMU says they are made of.

    Disks that QEMU is doing something to are left to whoever looks after that.

    @param reply: to C{query-block}.
    """
    tops = _tops(reply)
    before = domain.definition
    for disk in disksOf(before):
        top = tops.get(disk.alias or "")
        if top is None or disk.target.dev in guest.blockJobs or disk.mirror is not None:
            continue
        found = _NODE.fullmatch(str(top.get("node-name", "")))
        images = chain(disk)
        if found is None or not images or images[0].index is None:
            continue
        number = int(found[1])
        guest.lastNode = max(guest.lastNode, number)
        if images[0].index == number:
            continue
        now = _images(images, number, top)
        if now is None:
            log.error(
                "{name} uses an image of {disk} that is not known",
                name=domain.name,
                disk=disk.target.dev,
            )
            continue
        log.warn(
            "{name} goes on with {path} as {disk}",
            name=domain.name,
            path=now[0].path,
            disk=disk.target.dev,
        )
        changed = withChain(disk, now)
        domain.definition = withDisk(domain.definition, changed)
        pending = _later(domain.pending, disk, changed, now)
        if pending is not None and pending is not domain.pending:
            domain.pending = pending
            try:
                hypervisor.store.saveDefinition(pending)
            except VirtError as error:
                log.error("{name} was not written: {error}", name=domain.name, error=error)


def _tops(reply: Any) -> dict[str, Mapping[str, Any]]:
    """By alias, what QEMU says of the image that each disk has in use."""
    found: dict[str, Mapping[str, Any]] = {}
    for each in reply if isinstance(reply, list) else ():
        inserted = each.get("inserted") if isinstance(each, dict) else None
        if not isinstance(inserted, dict):
            continue
        parts = [
            part for part in str(each.get("qdev") or each.get("device") or "").split("/") if part
        ]
        if len(parts) > 1 and parts[-1] == "virtio-backend":
            parts.pop()
        if parts:
            found[parts[-1]] = inserted
    return found


def _images(images: list[Image], number: int, top: Mapping[str, Any]) -> list[Image] | None:
    """
    Tell what a disk is made of now.

    @param images: what it was made of; C{number}: of the image that is in use; C{top}: what QEMU says of it.
    @return: None: that cannot be told.
    """
    for place, image in enumerate(images):
        if image.index == number:
            return images[place:]
    told = top.get("image")
    if not isinstance(told, dict):
        return None
    path, below = told.get("filename"), told.get("backing-image")
    form = top.get("drv")
    if not isinstance(path, str) or not path.startswith("/") or not isinstance(form, str):
        return None
    new = Image(localSource(path), form, number)
    if not isinstance(below, dict):
        return [new]
    for place, image in enumerate(images):
        if image.path == below.get("filename"):
            return [new, *images[place:]]
    return None


def _later(
    pending: DomainDefinition | None, before: Any, after: Any, images: list[Image]
) -> DomainDefinition | None:
    """Put it into what the domain will be, too."""
    from pyvirt.drivers.qemu.snapshottaking import overlaid

    if pending is None or diskNamed(pending, before.target.dev) is None:
        return pending
    old = chain(before)
    if len(images) > 1 and images[1:] == old:
        changed: DomainDefinition = overlaid(pending, before, images[0])
        return changed
    return persisted(pending, before, after)
