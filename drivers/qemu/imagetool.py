"""
Images that no guest has open, changed by C{qemu-img}.
"""

from __future__ import annotations

import shutil

from pyvirt.drivers.qemu.hypervisor import Hypervisor
from pyvirt.drivers.qemu.refusals import internal
from pyvirt.process import Command

__all__ = ["imageTool"]


async def imageTool(hypervisor: Hypervisor, *arguments: str) -> None:
    """
    Run C{qemu-img}.

    @raise VirtError: it is not there, or fails.
    """
    program = shutil.which("qemu-img")
    if program is None:
        raise internal("unable to find qemu-img")
    await hypervisor.processes.run(Command(argv=(program, *arguments), deadline=None))
