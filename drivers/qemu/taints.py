"""
What makes a running guest one that nobody supports: found when it starts, and told in sentences for people.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pyvirt import constants as c
from pyvirt.drivers.interfaces.values import DomainRef
from pyvirt.drivers.qemu.refusals import checkFlags

if TYPE_CHECKING:
    from pyvirt.definitions.domain import DomainDefinition
    from pyvirt.drivers.qemu.domain import Domain
    from pyvirt.drivers.qemu.guest import Guest
    from pyvirt.drivers.qemu.hypervisor import Hypervisor

__all__ = ["Messages", "findTaints", "taint"]

#: What is written down, and what people are told, in the order in which it is told.
MESSAGES = {
    "custom-argv": "custom configuration parameters specified",
    "custom-monitor": "custom monitor control commands issued",
    "high-privileges": "running with undesirable elevated privileges",
    "shell-scripts": "network configuration using opaque shell scripts",
    "disk-probing": "potentially unsafe disk format probing",
    "external-launch": "managed externally launched guest process",
    "host-cpu": "potentially unsafe use of host CPU passthrough",
    "hook-script": "configuration potentially modified by hook script",
    "cdrom-passthrough": "use of host cdrom passthrough",
    "custom-dtb": "custom device tree blob used",
    "custom-ga-command": "custom guest agent control commands issued",
    "custom-hypervisor-feature": "hypervisor feature autodetection override",
    "deprecated-config": "use of deprecated configuration settings",
    "custom-device": "custom device configuration",
}


def taint(hypervisor: Hypervisor, domain: Domain, word: str) -> None:
    """Remember something of a running guest, and write it down."""
    guest = domain.guest
    if guest is not None and word not in guest.taints:
        guest.taints.append(word)
        hypervisor.saveStatus(domain)


def findTaints(hypervisor: Hypervisor, definition: DomainDefinition, guest: Guest) -> None:
    """Find out what taints a guest that is being started."""
    config = hypervisor.config
    found = guest.taints
    if hypervisor.privileged and (
        not config["clear_emulator_capabilities"] or config.user == 0 or config.group == 0
    ):
        found.append("high-privileges")
    qemu = definition.qemu
    if qemu is not None:
        if qemu.arguments or qemu.environment:
            found.append("custom-argv")
        if qemu.added or qemu.removed:
            found.append("custom-hypervisor-feature")
        if qemu.overrides:
            found.append("custom-device")
    if definition.cpu is not None and definition.cpu.mode == "host-passthrough":
        found.append("host-cpu")
    if definition.os.dtb:
        found.append("custom-dtb")
    for disk in definition.devices.disks:
        if (
            disk.device == "cdrom"
            and disk.type == "block"
            and str(getattr(disk.source, "dev", "") or "").startswith("/dev/sr")
            and "cdrom-passthrough" not in found
        ):
            found.append("cdrom-passthrough")
    for interface in definition.devices.interfaces:
        if getattr(interface, "script", None) and "shell-scripts" not in found:
            found.append("shell-scripts")
    if deprecations(definition, guest):
        found.append("deprecated-config")


def deprecations(definition: DomainDefinition, guest: Guest) -> list[str]:
    """List what QEMU will not have for long."""
    found = []
    machine = definition.os.type.machine
    if any(each.name == machine and each.deprecated for each in guest.capabilities.machines):
        found.append(f"machine type '{machine}'")
    cpu = definition.cpu
    model = getattr(cpu.model, "name", None) if cpu is not None and cpu.model is not None else None
    if model is not None and any(
        each.name == model and each.deprecated for each in guest.capabilities.cpus
    ):
        found.append(f"CPU model '{model}'")
    return found


class Messages:
    """Tells what is wrong with domains."""

    _find: Callable[[DomainRef], Domain]

    def domainGetMessages(self, dom: DomainRef, flags: int) -> list[str]:
        """Tell what is wrong with a domain, in sentences for people."""
        tainted, old = c.VIR_DOMAIN_MESSAGE_TAINTING, c.VIR_DOMAIN_MESSAGE_DEPRECATION
        checkFlags("qemuDomainGetMessages", flags, tainted | old)
        domain = self._find(dom)
        guest = domain.guest
        found: list[str] = []
        if guest is None or not domain.active:
            return found
        if not flags or flags & tainted:
            found += [f"tainted: {text}" for word, text in MESSAGES.items() if word in guest.taints]
        if not flags or flags & old:
            found += [
                f"deprecated configuration: {each}"
                for each in deprecations(domain.definition, guest)
            ]
        return found
