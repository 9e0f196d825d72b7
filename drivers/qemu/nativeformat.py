"""
A definition as the command line that would run it.
"""

from __future__ import annotations

import base64
import os
import re
import time

from pyvirt.definitions.domain import DomainDefinition, formatDomain
from pyvirt.drivers.cpus.tables import cpuMap
from pyvirt.drivers.qemu import hostends
from pyvirt.drivers.qemu.capabilities import BinaryCapabilities
from pyvirt.drivers.qemu.capabilities.hostmodel import withHostModel
from pyvirt.drivers.qemu.command.building import commandLine
from pyvirt.drivers.qemu.command.values import CommandLine, HostSettings
from pyvirt.drivers.qemu.firmware import chooseFirmware
from pyvirt.drivers.qemu.gpuservers import chooseGPUs
from pyvirt.drivers.qemu.hostfacts import firmwares
from pyvirt.drivers.qemu.hypervisor import Hypervisor
from pyvirt.drivers.qemu.layout import shortName
from pyvirt.drivers.qemu.live import encryptingAll
from pyvirt.drivers.qemu.networking import tryScript
from pyvirt.drivers.qemu.networkports import listenOnNetworks
from pyvirt.drivers.qemu.refusals import internal, invalidArgument
from pyvirt.drivers.qemu.secretvalues import secretValue
from pyvirt.drivers.qemu.volumes import withVolumes
from pyvirt.errors import ErrorDomain

__all__ = ["nativeFormat", "quoted", "readNativeFormat"]

_SPECIAL = re.compile(r"[\r\t\n !\"#$&'()*;<>?\[\\\]^`{|}~]")


def quoted(word: str) -> str:
    """Return a word as a shell takes it."""
    if word and not _SPECIAL.search(word):
        return word
    return "'" + word.replace("'", "'\\''") + "'"


class _Stand(dict[str, int]):
    """Numbers for descriptors that nobody opened, and for secrets that nobody looked up."""

    def __init__(self) -> None:
        self._next = 25

    def __missing__(self, name: str) -> int:
        if name.startswith("secret:"):
            return base64.b64encode(os.urandom(16)).decode()  # type: ignore[return-value]
        self._next += 1
        return self._next - 1


def shownSettings(hypervisor: Hypervisor, definition: DomainDefinition) -> HostSettings:
    """Return the settings of a command line that is only shown."""
    short = shortName(-1, definition.name)
    lib = hypervisor.layout.lib
    return HostSettings(
        privileged=hypervisor.privileged,
        guestFolder=os.path.join(lib, short),
        channelFolder=os.path.join(lib, "channel", "target", short),
        runFolder=hypervisor.layout.run,
        sandbox=hypervisor.config["seccomp_sandbox"] != 0,
        settings={
            **hypervisor.config.values,
            "hugetlbfs_mounts": hostends.hugePageMounts(hypervisor.config.values),
            "host_nodes": hostends.hostNodes(),
        },
        shown=True,
    )


async def nativeFormat(hypervisor: Hypervisor, form: str, xml: str) -> str:
    """
    Write the command line of a definition, with its environment, as a shell takes it.

    @raise VirtError: INVALID_ARG: it is another form than C{qemu-argv}.
    """
    if form != "qemu-argv":
        raise invalidArgument(f"unsupported config type {form}")
    definition = await hypervisor.parse(xml)
    capabilities: BinaryCapabilities = await hypervisor.capabilities(definition)
    definition = await withVolumes(hypervisor, definition)
    definition, programs = await chooseGPUs(hypervisor, hostends.chooseDisplays(definition))
    definition = await listenOnNetworks(hypervisor, definition)
    definition = chooseFirmware(
        withHostModel(definition, capabilities, cpuMap()),
        firmwares(),
        nvramFolder=os.path.join(hypervisor.layout.lib, "nvram"),
    )
    settings = shownSettings(hypervisor, definition)
    definition = encryptingAll(definition, hypervisor.config.values)
    line: CommandLine = commandLine(definition, capabilities, settings, time.time())
    for nic in definition.devices.interfaces:
        if nic.script is not None and nic.type != "hostdev":
            await tryScript(hypervisor, nic)
    hostends.checkShown(definition)
    for secret in line.secrets:
        if secret.value is None:
            # Nothing of it is shown, but it has to be there.
            await secretValue(hypervisor, secret.kind or "volume", secret.uuid, secret.usage)
    if programs:
        # libvirt passes a descriptor that it has not opened, and says no more of it.
        raise internal("invalid use of command API", ErrorDomain.NONE)
    home = settings.guestFolder
    environment = {
        "LC_ALL": "C",
        "PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
        "HOME": home,
        "XDG_DATA_HOME": f"{home}/.local/share",
        "XDG_CACHE_HOME": f"{home}/.cache",
        "XDG_CONFIG_HOME": f"{home}/.config",
        **line.environment,
    }
    words = [f"{name}={quoted(value) if value else ''}" for name, value in environment.items()]
    words += [quoted(word) for word in line.placed(_Stand())]
    return " ".join(words)


async def readNativeFormat(hypervisor: Hypervisor, form: str, text: str) -> str:
    """
    Write the definition that a command line is started from, as far as there is one: the rest goes along as it is.

    libvirt could do that until 5.4, and has no words of its own for what makes no sense any more.

    @raise VirtError: INVALID_ARG: it is another form than C{qemu-argv}, or makes no sense.
    """
    if form != "qemu-argv":
        raise invalidArgument(f"unsupported config type {form}")
    from pyvirt.drivers.qemu.native import readNative

    definition = await hypervisor.parse(readNative(text))
    return formatDomain(definition, secure=True, inactive=True)
