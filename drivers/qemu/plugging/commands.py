"""
What the monitor is told to plug a device in: the same words that the command line would have, said one by one.

The command line's builder writes the arguments of the one device; here they become commands, each with the command
that takes it back.  Back ends come first, the device itself last.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from pyvirt.definitions.domain import DomainDefinition
from pyvirt.definitions.schema import replaced
from pyvirt.drivers.qemu.command import devices
from pyvirt.drivers.qemu.command.arguments import Builder
from pyvirt.drivers.qemu.command.blockdevs import Node, Options, nodesOf
from pyvirt.drivers.qemu.command.chardevs import (
    addChannels,
    addConsoles,
    addParallels,
    addSerials,
)
from pyvirt.drivers.qemu.command.controllers import addControllers
from pyvirt.drivers.qemu.command.disks import addDisks
from pyvirt.drivers.qemu.command.hostdevs import addHostDevices
from pyvirt.drivers.qemu.command.nets import addInterfaces
from pyvirt.drivers.qemu.command.secretobjects import SecretObjects
from pyvirt.drivers.qemu.command.values import HostSettings, OpenFile, Secret
from pyvirt.drivers.qemu.passed import hostDevice, isPassed
from pyvirt.drivers.qemu.refusals import failed, unsupportedConfig

if TYPE_CHECKING:
    from pyvirt.drivers.qemu.capabilities import BinaryCapabilities

__all__ = ["Anything", "Step", "chardevOf", "imageSteps", "plugSteps", "unplugSteps"]

Command = tuple[str, dict[str, Any]]


@attrs.frozen
class Step:
    """
    One command, and the one that takes it back.

    @ivar file: what is opened and goes with it, None if nothing does.
    @ivar fd: instead of that, a descriptor that is open already.
    @ivar secrets: arguments that are the name of a place of one of these stand for what goes there.
    """

    command: str
    arguments: dict[str, Any]
    undo: Command | None = None
    file: OpenFile | None = None
    fd: int | None = None
    secrets: tuple[Secret, ...] = ()


class Anything(dict[str, int]):
    """Descriptors where only names matter: there is one of any name."""

    def __contains__(self, name: object) -> bool:
        return True


_BUILDERS: dict[str, Callable[[Builder], None]] = {
    "disks": addDisks,
    "controllers": addControllers,
    "filesystems": devices.addFilesystems,
    "interfaces": addInterfaces,
    "serials": addSerials,
    "parallels": addParallels,
    "consoles": addConsoles,
    "channels": addChannels,
    "inputs": devices.addInputs,
    "hostdevs": addHostDevices,
    "redirdevs": devices.addRedirections,
    "watchdogs": devices.addWatchdogs,
    "rngs": devices.addRNGs,
    "shmems": devices.addShmems,
    "memories": devices.addMemories,
    "vsock": devices.addVsock,
}

_PLACE = re.compile("\0([^\0]*)\0")


def plugSteps(
    definition: DomainDefinition,
    kind: str,
    device: Any,
    capabilities: BinaryCapabilities,
    host: HostSettings,
    numbers: Mapping[str, int] | None = None,
) -> list[Step]:
    """
    Return what plugs a device in, in order.

    @param definition: of the running guest, for the buses that are there.
    @param kind: the attribute that keeps such devices.
    @param device: with its alias and its address.
    @param numbers: descriptors that are open already, by name.
    @raise VirtError: it cannot be described to QEMU.
    """
    if kind == "interfaces" and isPassed(device):
        kind, device = "hostdevs", hostDevice(device)
    kept = definition.devices
    if kind == "disks":
        # What it is laid over is there by then, and the builder need not leave it out for that.
        device = replaced(device, transient=None)
    if kind == "hostdevs":
        kept = replaced(kept, interfaces=())
    alone = (device,) if isinstance(getattr(kept, kind), tuple) else device
    builder = Builder(
        definition=replaced(definition, devices=replaced(kept, **{kind: alone})),
        capabilities=capabilities,
        host=host,
    )
    _BUILDERS[kind](builder)
    steps = _stepsOf(builder, {} if numbers is None else numbers)
    last = [step for step in steps if step.command == "device_add"]
    return [step for step in steps if step.command != "device_add"] + last


def imageSteps(
    node: Node,
    below: str | None,
    options: Options,
    capabilities: BinaryCapabilities,
    host: HostSettings,
) -> list[Step]:
    """
    Return what has QEMU open an image: what is secret, what reads and writes, what knows the format.

    @param below: the node of the image that it is laid over.
    @raise VirtError: it cannot be described to QEMU.
    """
    builder = Builder(
        definition=DomainDefinition(name="-", type="qemu"), capabilities=capabilities, host=host
    )
    secrets = SecretObjects(builder).of(node)
    steps = _stepsOf(builder, {})
    for each in nodesOf(node, below, options, secrets):
        undo = ("blockdev-del", {"node-name": each["node-name"]})
        steps.append(Step("blockdev-add", each, undo))
    return steps


def _stepsOf(builder: Builder, numbers: Mapping[str, int]) -> list[Step]:
    files = {each.name: each for each in builder.files}
    words = iter(builder.argv)
    found: list[Step] = []
    sets: dict[str, int] = {}
    for option in words:
        value = next(words)
        if option == "-add-fd":
            found.append(_given(value, files, numbers, sets, builder.host.firstSet))
        else:
            found += _steps(option, value, files, numbers, sets, builder.secrets)
    return found


def _steps(
    option: str,
    value: str,
    files: Mapping[str, OpenFile],
    numbers: Mapping[str, int],
    sets: Mapping[str, int],
    secrets: list[Secret],
) -> list[Step]:
    """
    Return what an argument is on the monitor, with the files that it names before it.

    @param sets: numbers of sets of descriptors that have names.
    """
    found = []

    def opened(match: re.Match[str]) -> str:
        name = match[1]
        if name.startswith("secret:"):
            return name
        if name in sets:
            return str(sets[name])
        if name not in files and name not in numbers:
            raise unsupportedConfig(f"there is nothing to pass as '{name}' to this guest")
        undo = ("closefd", {"fdname": name})
        file, fd = files.get(name), numbers.get(name)
        found.append(Step("getfd", {"fdname": name}, undo, file, fd))
        return name

    value = _PLACE.sub(opened, value)
    if option == "-device":
        made = json.loads(value)
        found.append(Step("device_add", made, ("device_del", {"id": made.get("id")})))
    elif option == "-object":
        made = json.loads(value)
        mine = tuple(each for each in secrets if made.get("data") == f"secret:{each.name}:data")
        undo = ("object-del", {"id": made["id"]})
        found.append(Step("object-add", made, undo, secrets=mine))
    elif option == "-blockdev":
        made = json.loads(value)
        undo = ("blockdev-del", {"node-name": made["node-name"]})
        found.append(Step("blockdev-add", made, undo))
    elif option == "-netdev":
        made = json.loads(value)
        found.append(Step("netdev_add", made, ("netdev_del", {"id": made["id"]})))
    elif option == "-chardev":
        made = chardevOf(value)
        found.append(Step("chardev-add", made, ("chardev-remove", {"id": made["id"]})))
    elif option == "-watchdog-action":
        found.append(Step("set-action", {"watchdog": value}))
    else:
        raise unsupportedConfig(f"'{option}' cannot be given to a running guest")
    return found


def _given(
    value: str,
    files: Mapping[str, OpenFile],
    numbers: Mapping[str, int],
    sets: dict[str, int],
    first: int,
) -> Step:
    """
    Return what gives QEMU a descriptor that is an image, or part of one, or what a port writes to.

    @param sets: gets the number of a set that has a name.
    @param first: the first number that is free.
    """
    parts = dict(part.partition("=")[::2] for part in value.split(",opaque=")[0].split(",", 1))
    name, where = parts["fd"].strip("\0"), parts["set"]
    number = sets.setdefault(name, first + len(sets)) if where.startswith("\0") else int(where)
    arguments = {"fdset-id": number, "opaque": value.rpartition(",opaque=")[2]}
    undo = ("remove-fd", {"fdset-id": number})
    file = files.get(name)
    return Step("add-fd", arguments, undo, file, None if file is not None else numbers.get(name))


def unplugSteps(steps: list[Step]) -> list[Command]:
    """Return what is left to do once the device itself is gone: its back ends go, the last one first."""
    return [
        step.undo
        for step in reversed(steps)
        if step.undo is not None and step.command not in ("device_add", "getfd", "add-fd")
    ]


def _options(text: str) -> tuple[str, dict[str, str]]:
    """Take comma-separated options apart; a comma in a value stands there twice."""
    parts = [part.replace("\0", ",") for part in text.replace(",,", "\0").split(",")]
    return parts[0], dict(part.partition("=")[::2] for part in parts[1:])


def chardevOf(text: str) -> dict[str, Any]:
    """
    Return the arguments of C{chardev-add} for an argument of C{-chardev}.

    @raise VirtError: such an end cannot be given to a running guest.
    """
    kind, options = _options(text)
    data: dict[str, Any] = {}
    if kind in ("null", "pty", "vc"):
        pass
    elif kind == "file":
        data["out"] = options["path"]
        if "append" in options:
            data["append"] = options["append"] == "on"
    elif kind in ("serial", "parallel"):
        # libvirt takes what belongs to a parallel port for a serial one.
        kind = "serial"
        data["device"] = options["path"]
    elif kind == "udp":
        data["remote"] = _inet(options["host"] or "127.0.0.1", options["port"])
        if options.get("localaddr") or options.get("localport", "0") != "0":
            data["local"] = _inet(options.get("localaddr", ""), options.get("localport", "0"))
    elif kind == "socket":
        if "path" in options:
            data["addr"] = {"type": "unix", "data": {"path": options["path"]}}
        else:
            data["addr"] = _inet(options["host"], options["port"])
            data["telnet"] = options.get("telnet") == "on"
        data["server"] = options.get("server") == "on"
        if data["server"]:
            data["wait"] = options.get("wait") != "off"
        elif "reconnect" in options:
            data["reconnect"] = int(options["reconnect"])
        if "tls-creds" in options:
            data["tls-creds"] = options["tls-creds"]
    elif kind == "spicevmc":
        data["type"] = options["name"]
    elif kind == "spiceport":
        data["fqdn"] = options["name"]
    elif kind == "dbus":
        data["name"] = options["name"]
    elif kind == "qemu-vdagent":
        for name in ("clipboard", "mouse"):
            if name in options:
                data[name] = options[name] == "on"
    else:
        raise failed(f"Hotplug unsupported for char device type '{kind}'")
    if "logfile" in options:
        data["logfile"] = options["logfile"]
        if "logappend" in options:
            data["logappend"] = options["logappend"] == "on"
    return {"id": options["id"], "backend": {"type": kind, "data": data}}


def _inet(host: str, port: str) -> dict[str, Any]:
    return {"type": "inet", "data": {"host": host, "port": port}}
