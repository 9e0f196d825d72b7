"""
Having QEMU do the steps that plug something in, and taking them back.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from twisted.logger import Logger

from pyvirt.drivers.qemu.files import openFile
from pyvirt.drivers.qemu.guest import Guest
from pyvirt.drivers.qemu.plugging.commands import Step
from pyvirt.drivers.qemu.refusals import unsupportedConfig
from pyvirt.drivers.qemu.secretvalues import secretPlaces
from pyvirt.errors import VirtError

if TYPE_CHECKING:
    from pyvirt.drivers.qemu.hypervisor import Hypervisor

__all__ = ["run", "takeBack"]

log = Logger()


async def run(hypervisor: Hypervisor, guest: Guest, steps: list[Step], done: list[Step]) -> None:
    """
    Have QEMU do what plugs a device in.

    @param done: gets what has been done.
    @raise VirtError: QEMU refuses something, or a file or a secret is not there.
    """
    for step in steps:
        arguments = step.arguments
        if step.secrets:
            places = await secretPlaces(hypervisor, guest, step.secrets)
            arguments = {key: places.get(str(value), value) for key, value in arguments.items()}
        fds: list[int] = []
        if step.file is not None:
            fds.append(_open(step.file))
        elif step.fd is not None:
            fds.append(os.dup(step.fd))
        try:
            await guest.execute(step.command, arguments, fds=fds, timeout=60.0)
        finally:
            for fd in fds:
                os.close(fd)
        done.append(step)


def _open(file: Any) -> int:
    try:
        return openFile(file)
    except VirtError:
        if file.path == "/dev/vhost-vsock":
            raise unsupportedConfig("unable to open vhost-vsock device") from None
        raise


async def takeBack(guest: Guest, done: list[Step]) -> None:
    """Take back what has been done for a device, the last of it first; what fails is logged."""
    for step in reversed(done):
        # A descriptor that QEMU has used is closed already.
        if step.undo is None:
            continue
        try:
            await guest.execute(*step.undo)
        except VirtError as error:
            log.debug("{what} is not taken back: {error}", what=step.command, error=error)
    done.clear()
