"""
Displays that another process draws (C{<driver name='vhostuser'/>}): one process for each, joined to QEMU by a socket.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from twisted.logger import Logger

from pyvirt.definitions.domain import DomainDefinition
from pyvirt.definitions.domain._display import Acceleration
from pyvirt.definitions.schema import replaced
from pyvirt.drivers.qemu.guest import Guest
from pyvirt.drivers.qemu.guestlogs import GuestLog
from pyvirt.drivers.qemu.helpers import Helper, startHelper
from pyvirt.drivers.qemu.hostends import checkAccess, renderNode
from pyvirt.drivers.qemu.layout import shortName
from pyvirt.drivers.qemu.refusals import failed
from pyvirt.drivers.qemu.vhostuser import vhostUserPrograms
from pyvirt.errors import VirtError
from pyvirt.process import Command, IProcesses

if TYPE_CHECKING:
    from pyvirt.drivers.qemu.hypervisor import Hypervisor

__all__ = ["GPUPrograms", "chooseGPUs", "drawn", "gpuHelpers", "startGPUs"]

log = Logger()

#: By the name of a display, the program that draws it.
GPUPrograms = Mapping[str, str]

_VIRGL, _RENDER_NODE = "virgl", "render-node"
#: Seconds that a program may take to say what it can do, and characters that it may say.
_ASKED, _SAID = 10.0, 1 << 16


def drawn(definition: DomainDefinition) -> list[Any]:
    """Return the displays that other processes draw."""
    return [
        video
        for video in definition.devices.videos
        if video.driver is not None and video.driver.name == "vhostuser"
    ]


async def chooseGPUs(
    hypervisor: Hypervisor, definition: DomainDefinition
) -> tuple[DomainDefinition, GPUPrograms]:
    """
    Find who can draw displays as the definition wants it, and the device that each renders with.

    As libvirt has it a program must know C{virgl} where anything is said of it, be it C{accel3d='no'}.

    @return: the definition with what was chosen, and the programs.
    @raise VirtError: nobody can, or there is no such device.
    """
    programs: dict[str, str] = {}
    videos = list(definition.devices.videos)
    for video in drawn(definition):
        acceleration = video.model.acceleration or Acceleration()
        needed = set()
        if acceleration.accel3d is not None:
            needed.add(_VIRGL)
        if acceleration.rendernode is not None:
            needed.add(_RENDER_NODE)
        for program in vhostUserPrograms("gpu"):
            features = await featuresOf(hypervisor.processes, program)
            if features is not None and needed <= features:
                break
        else:
            raise failed("Unable to find a satisfying vhost-user-gpu")
        if _RENDER_NODE in features and acceleration.rendernode is None:
            acceleration = replaced(acceleration, rendernode=renderNode())
        programs[video.alias] = program
        number = next(at for at, each in enumerate(videos) if each is video)
        model = replaced(video.model, acceleration=acceleration)
        videos[number] = replaced(video, model=model)
    if not programs:
        return definition, programs
    devices = replaced(definition.devices, videos=tuple(videos))
    return replaced(definition, devices=devices), programs


async def featuresOf(processes: IProcesses, program: str) -> set[str] | None:
    """Ask a program what it can do; None: it does not say."""
    try:
        command = Command(
            argv=(program, "--print-capabilities"), deadline=_ASKED, outputLimit=_SAID
        )
        done = await processes.run(command)
        told = json.loads(done.output)["features"]
        return {each for each in told if isinstance(each, str)}
    except (VirtError, ValueError, KeyError, TypeError, RecursionError) as problem:
        log.warn(
            "{program} does not say what it can do: {problem}", program=program, problem=problem
        )
        return None


def gpuHelpers(
    hypervisor: Hypervisor, definition: DomainDefinition, guest: Guest
) -> dict[str, Helper]:
    """Return what draws displays of a guest, by the displays' names."""
    short = shortName(guest.id, definition.name).removeprefix("domain-")
    base = os.path.join(hypervisor.layout.run, short)
    return {
        video.alias: Helper(
            name="vhost-user-gpu",
            title="vhost-user-gpu",
            pidFile=f"{base}-{video.alias}-vhost-user-gpu.pid",
        )
        for video in drawn(definition)
    }


def serverCommand(video: Any, program: str, fd: int) -> tuple[str, ...]:
    """Return the command that draws a display for whoever holds the other end of a socket."""
    argv = [program, f"--fd={fd}"]
    acceleration = video.model.acceleration
    if acceleration is not None:
        if acceleration.accel3d:
            argv.append("--virgl")
        if acceleration.rendernode is not None:
            argv.append(f"--render-node={acceleration.rendernode}")
    return tuple(argv)


def startGPUs(
    hypervisor: Hypervisor,
    definition: DomainDefinition,
    guest: Guest,
    guestLog: GuestLog,
    programs: GPUPrograms,
) -> dict[str, int]:
    """
    Start what draws displays of a guest.

    @return: QEMU's ends of the sockets, by the places where its command names them; they are the caller's.
    @raise VirtError: one cannot be started.
    """
    ends: dict[str, socket.socket] = {}
    helpers = gpuHelpers(hypervisor, definition, guest)
    user, group = guest.owner or (None, None)
    try:
        for video in drawn(definition):
            theirs, ends[f"gpu-{video.alias}"] = socket.socketpair()
            with theirs:
                argv = serverCommand(video, programs[video.alias], theirs.fileno())
                command = Command(
                    argv=argv,
                    descriptors=(theirs.fileno(),),
                    user=user or None,
                    group=group or None,
                )
                startHelper(hypervisor, helpers[video.alias], command, None, guestLog)
            # libvirt looks for it when it lets QEMU open it.
            if video.model.acceleration is not None and video.model.acceleration.rendernode:
                checkAccess(video.model.acceleration.rendernode)
    except BaseException:
        for end in ends.values():
            end.close()
        raise
    return {place: end.detach() for place, end in ends.items()}
