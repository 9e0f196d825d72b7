"""
Definitions as other hosts read them: without what older libvirts do not know, and what every host makes up again.
"""

from __future__ import annotations

from typing import Any

from pyvirt.definitions.domain import DomainDefinition, formatDomain, parseDomain
from pyvirt.definitions.domain._audio import Audio
from pyvirt.definitions.domain._cpu import CPU, CPUFeature
from pyvirt.definitions.domain.stability import checkABIStability
from pyvirt.definitions.schema import replaced
from pyvirt.drivers.qemu.channelpaths import withoutDefaultPath

__all__ = ["checkStable", "formatMigratable"]


def formatMigratable(definition: DomainDefinition, asked: CPU | None = None) -> str:
    """
    Write a definition for another host, or for a file: passwords come along.

    @param asked: the processor that the guest was started with, if it has become another; None: as defined.
    """
    if asked is not None:
        definition = replaced(definition, cpu=asked)
    # Each host says by itself as whom its guests run.
    labels = tuple(each for each in definition.seclabels if not each.implied)
    definition = replaced(definition, seclabels=labels)
    # Reading it again as one that does not run is what leaves out names, ports and states of devices.
    definition = parseDomain(formatDomain(definition, secure=True, inactive=True, migratable=True))
    devices = definition.devices
    definition = replaced(
        definition,
        cpu=_known(definition.cpu),
        devices=replaced(
            devices,
            disks=tuple(map(_raw, devices.disks)),
            channels=tuple(map(withoutDefaultPath, devices.channels)),
            controllers=_controllers(definition),
            inputs=tuple(
                each for each in devices.inputs if (each.type, each.bus) != ("keyboard", "ps2")
            ),
            audios=() if _impliedAudio(devices.audios) else devices.audios,
        ),
    )
    return formatDomain(definition, secure=True, inactive=True, migratable=True)


def _known(cpu: CPU | None) -> CPU | None:
    """Say of one model that it lacks what older libvirts thought it has."""
    if (
        cpu is None
        or cpu.mode != "custom"
        or cpu.model is None
        or cpu.model.name != "Icelake-Server"
        or any(each.name == "pconfig" for each in cpu.features)
    ):
        return cpu
    lacks = CPUFeature(policy="disable", name="pconfig")
    return replaced(cpu, features=(*cpu.features, lacks))


def checkStable(
    definition: DomainDefinition, wanted: DomainDefinition, asked: CPU | None = None
) -> None:
    """
    Complain of the first thing in which a guest would notice that it goes on as something else.

    @param definition: what it runs as.
    @param asked: as with L{formatMigratable}.
    @raise VirtError: CONFIG_UNSUPPORTED, with what differs.
    """
    source, target = (
        parseDomain(each)
        for each in (formatMigratable(definition, asked), formatMigratable(wanted))
    )
    checkABIStability(source, target)


def _controllers(definition: DomainDefinition) -> tuple[Any, ...]:
    """Leave out a lone controller that libvirt once did not write."""
    controllers = definition.devices.controllers
    machine = definition.os.type.machine or ""
    piix = definition.os.type.arch in ("x86_64", "i686") and (
        machine == "pc" or machine.startswith(("pc-i440fx", "pc-0", "pc-1", "rhel"))
    )
    usb = [each for each in controllers if each.type == "usb"]
    pci = [each for each in controllers if each.type == "pci"]
    implied = []
    if piix and len(usb) == 1 and usb[0].index == 0 and usb[0].model in (None, "piix3-uhci"):
        implied += usb
    if len(pci) == 1 and pci[0].index == 0 and pci[0].model == "pci-root":
        implied += pci
    return tuple(each for each in controllers if not any(each is one for one in implied))


def _impliedAudio(audios: tuple[Any, ...]) -> bool:
    return len(audios) == 1 and audios[0] == Audio(id=1, type=audios[0].type)


def _raw(disk: Any) -> Any:
    """An empty drive is told the format that it would be read in; that a server is spoken to without TLS is not told."""
    if getattr(disk.source, "protocol", None) == "nbd" and disk.source.tls is False:
        disk = replaced(disk, source=replaced(disk.source, tls=None))
    if disk.driver is None or disk.driver.type is not None or disk.source is not None:
        return disk
    return replaced(disk, driver=replaced(disk.driver, type="raw"))
