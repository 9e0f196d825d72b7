"""
Displays that are reached through D-Bus: each guest that has one gets a bus of its own.
"""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from pyvirt.definitions.domain import DomainDefinition
from pyvirt.drivers.qemu.guest import Guest
from pyvirt.drivers.qemu.guestlogs import GuestLog
from pyvirt.drivers.qemu.helpers import Helper, awaitSocket, startHelper
from pyvirt.drivers.qemu.layout import shortName
from pyvirt.drivers.qemu.refusals import internal
from pyvirt.drivers.qemu.store import writeWhole
from pyvirt.folders import makeFolders
from pyvirt.process import Command

if TYPE_CHECKING:
    from pyvirt.drivers.qemu.hypervisor import Hypervisor

__all__ = ["busAddress", "busHelper", "onBus", "startBus"]

_CONF = """\
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
  "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>org.libvirt.qemu</type>
  <listen>unix:path={}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""


def onBus(definition: DomainDefinition) -> Any:
    """Return the display of a guest that is on a bus of ours, or None."""
    for graphics in definition.devices.graphics:
        if graphics.type == "dbus" and not graphics.p2p:
            return graphics
    return None


def _base(hypervisor: Hypervisor, name: str, id: int) -> str:
    short = shortName(id, name).removeprefix("domain-")
    return os.path.join(hypervisor.layout.run, "dbus", f"{short}-dbus")


def busAddress(hypervisor: Hypervisor, name: str, id: int) -> str:
    """Return the address of a guest's bus."""
    return f"unix:path={_base(hypervisor, name, id)}.sock"


def busHelper(hypervisor: Hypervisor, definition: DomainDefinition, id: int) -> Helper:
    """Return what is the bus of a guest."""
    base = _base(hypervisor, definition.name, id)
    return Helper(
        name="dbus-daemon", pidFile=f"{base}.pid", sockets=(f"{base}.sock", f"{base}.conf")
    )


async def startBus(
    hypervisor: Hypervisor, definition: DomainDefinition, guest: Guest, guestLog: GuestLog
) -> None:
    """
    Start the bus of a guest, if its display is on one that is ours.

    @raise VirtError: it cannot be started.
    """
    graphics = onBus(definition)
    if graphics is None or graphics.address != busAddress(hypervisor, definition.name, guest.id):
        return
    binary = hypervisor.config["dbus_daemon"] or "dbus-daemon"
    path = shutil.which(binary)
    if path is None:
        raise internal(f"'{binary}' is not a suitable dbus-daemon")
    helper = busHelper(hypervisor, definition, guest.id)
    folder = os.path.dirname(helper.pidFile)
    makeFolders(folder)
    if hypervisor.owner is not None:
        os.chmod(folder, 0o770)
        os.chown(folder, *hypervisor.owner)
    socket, conf = helper.sockets
    writeWhole(conf, _CONF.format(escape(socket)).encode(), 0o644)
    startHelper(
        hypervisor,
        helper,
        Command(
            argv=(path, f"--config-file={conf}"),
            user=None if hypervisor.owner is None else hypervisor.owner[0],
            group=None if hypervisor.owner is None else hypervisor.owner[1],
        ),
        hypervisor.layout.log(f"{definition.name}-dbus"),
        guestLog,
    )
    await awaitSocket(hypervisor, helper, socket)
