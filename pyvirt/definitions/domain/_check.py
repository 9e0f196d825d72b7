"""
What makes a well-read definition impossible: the checks that libvirt makes after completing one.

The order is libvirt's: first each device, then the domain, because the first thing wrong decides the error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyvirt.definitions.domain._clock import CatchUp
from pyvirt.definitions.domain._refusals import detail, refuse
from pyvirt.definitions.domain._top import DomainDefinition
from pyvirt.definitions.kinds import xmlError

if TYPE_CHECKING:
    from pyvirt.definitions.domain._checkdevices import Each
    from pyvirt.definitions.domain._disk import Disk
    from pyvirt.definitions.domain._hostdev import HostDev

__all__ = ["check"]


def check(definition: DomainDefinition, also: Each | None = None) -> None:
    """
    Complain of a definition whose parts contradict each other.

    @param also: what a driver looks at of each device besides.
    @raise VirtError: with the first thing wrong.
    """
    checkControllers(definition)
    if definition.devices.any:
        from pyvirt.definitions.domain._checkdevices import checkDevices

        checkDevices(definition, also)
    checkDomain(definition)


def checkControllers(definition: DomainDefinition) -> None:
    """Controllers of a type have numbers of their own."""
    seen: set[tuple[str, int | None]] = set()
    for controller in definition.devices.controllers:
        if controller.type == "usb":
            continue
        place = (controller.type, controller.index)
        if place in seen:
            raise xmlError(
                f"Multiple '{controller.type}' controllers with index '{controller.index}'"
            )
        seen.add(place)


def checkDomain(definition: DomainDefinition) -> None:
    """Check what concerns the domain as a whole."""
    devices, os = definition.devices, definition.os
    targets: dict[str | None, Disk] = {}
    for disk in devices.disks:
        name = disk.target.dev if disk.target is not None else None
        other = targets.setdefault(name, disk)
        if other is not disk:
            raise xmlError(
                f"target '{name}' duplicated for disk sources '{_where(other)}' and "
                f"'{_where(disk)}'"
            )
    for position, host in enumerate(devices.hostdevs):
        if any(sameDevice(other, host) for other in devices.hostdevs[:position]):
            raise xmlError("Hostdev already exists in the domain configuration")
    checkDrives(devices)
    checkAliases(definition)
    checkRemapping(definition)
    cells = 0
    if definition.cpu is not None and definition.cpu.numa is not None:
        cells = len(definition.cpu.numa.cells)
    backing = definition.memoryBacking
    if backing is not None and backing.hugepages is not None:
        backing.hugepages.check(cells)
    checkTimers(definition)
    cpu = definition.cpu
    if cpu is not None and cpu.check is not None and cpu.mode is None:
        raise refuse("check attribute specified for CPU with no model")
    checkLoader(definition)
    tune = definition.cputune
    if tune is not None:
        checkTune(definition)
    if "/" in definition.name:
        raise xmlError(f"name {definition.name} cannot contain '/'")
    menu = os.bootmenu
    if menu is not None and menu.timeout is not None and menu.timeout > 65535:
        raise refuse("invalid value for boot menu timeout, must be in range [0,65535]")
    timeout = os.bios.rebootTimeout if os.bios is not None else None
    if timeout is not None and not -1 <= timeout <= 65535:
        raise refuse("invalid value for rebootTimeout, must be in range [-1,65535]")
    if sum(video.model.primary is True for video in devices.videos) > 1:
        raise refuse("Only one primary video device is supported")
    if definition.idmap is not None:
        definition.idmap.check()
    if cpu is not None and cpu.numa is not None:
        from pyvirt.definitions.domain._cpu import checkLinks

        checkLinks(cpu.numa)
    if definition.iothreadids is not None:
        for thread in definition.iothreadids.threads:
            checkPool(thread)
    if definition.defaultiothread is not None:
        checkPool(definition.defaultiothread)


def checkLoader(definition: DomainDefinition) -> None:
    """Check what is said of a firmware that nobody chooses."""
    os = definition.os
    loader = os.loader
    chosen = os.firmwareFeatures
    if chosen is not None and chosen.features and os.firmware is None:
        raise detail(
            "cannot use feature-based firmware autoselection when firmware autoselection is disabled"
        )
    if (loader is not None or os.nvram is not None) and os.firmware is None:
        if loader is None or loader.path is None:
            raise detail("no loader path specified and firmware auto selection disabled")
        if loader.stateless and os.nvram is not None:
            raise detail("NVRAM is not permitted when loader is stateless")
        if loader.type != "pflash" and loader.stateless is False:
            raise detail("Only pflash loader type permits NVRAM")
    _checkChosen(os)


def _checkChosen(os: Any) -> None:
    """What the firmware is chosen by says nothing of one that is named."""
    if os.firmware is None:
        return
    asked = os.firmwareFeatures
    wanted = {each.name: each.enabled for each in asked.features} if asked is not None else {}
    if wanted.get("enrolled-keys") and wanted.get("secure-boot") is False:
        raise detail(
            "firmware feature 'enrolled-keys' cannot be enabled when firmware feature "
            "'secure-boot' is disabled"
        )
    if os.loader is not None:
        for name in ("readonly", "type", "secure"):
            value = getattr(os.loader, name)
            if value is not None and (name != "secure" or value is False):
                raise detail(
                    f"loader attribute '{name}' cannot be specified when firmware autoselection "
                    "is enabled"
                )
    if os.nvram is not None and os.nvram.template is not None:
        raise detail(
            "nvram attribute 'template' cannot be specified when firmware autoselection is enabled"
        )


def checkRemapping(definition: DomainDefinition) -> None:
    """Interrupts are remapped where QEMU has the controller that they go to."""
    iommu, features = definition.devices.iommu, definition.features
    driver = iommu.driver if iommu is not None else None
    if driver is None:
        return
    ioapic = features.ioapic if features is not None else None
    if driver.intremap and (ioapic is None or ioapic.driver != "qemu"):
        raise refuse("IOMMU interrupt remapping requires split I/O APIC (ioapic driver='qemu')")
    if driver.eim and not driver.intremap:
        raise refuse("IOMMU eim requires interrupt remapping to be enabled")


def checkDrives(devices: Any) -> None:
    """Each place on a bus of drives has one disk."""
    places: dict[Any, Any] = {}
    for disk in devices.disks:
        if disk.address is None or disk.address.type != "drive":
            continue
        at = disk.address
        place = (disk.target.bus, at.controller, at.bus, at.target, at.unit)
        if place in places:
            raise refuse(
                "Found duplicate drive address for disk with target name "
                f"'{places[place]}' controller='{at.controller}' bus='{at.bus}' "
                f"target='{at.target}' unit='{at.unit}'"
            )
        places[place] = disk.target.dev


def sameDevice(one: HostDev, other: HostDev) -> bool:
    """Return whether two devices of the host are one."""
    if (one.mode, one.type) != (other.mode, other.type):
        return False
    if one.type == "usb":
        if one.source.bus and one.source.device:
            return (one.source.bus, one.source.device) == (other.source.bus, other.source.device)
        return (one.source.vendor, one.source.product) == (
            other.source.vendor,
            other.source.product,
        )
    if one.type == "pci":
        return one.source.pci == other.source.pci
    return one.source == other.source


def checkTimers(definition: DomainDefinition) -> None:
    """Each timer has some options and not others."""
    for timer in definition.clock.timers:
        name = timer.name
        if name in ("kvmclock", "hypervclock") and timer.tickpolicy is not None:
            raise refuse(f"timer {name} doesn't support setting of timer tickpolicy")
        if timer.tickpolicy != "catchup" and timer.catchup not in (None, CatchUp()):
            raise xmlError(
                "setting of timer catchup policies is only supported with tickpolicy='catchup'"
            )
        if name != "tsc" and timer.frequency is not None:
            raise refuse(f"timer {name} doesn't support setting of timer frequency")
        if name != "tsc" and timer.mode is not None:
            raise refuse(f"timer {name} doesn't support setting of timer mode")
        if name not in ("platform", "rtc") and timer.track is not None:
            raise refuse(f"timer {name} doesn't support setting of timer track")


_QUOTA = 17592186044415


def checkTune(definition: DomainDefinition) -> None:
    """Shares, periods and quotas have bounds; pins are of threads that are there."""
    tune = definition.cputune
    assert tune is not None
    threads = (
        {each.id for each in definition.iothreadids.threads} if definition.iothreadids else set()
    )
    if not threads:
        threads = set(range(1, (definition.iothreads or 0) + 1))
    if tune.shares and not 2 <= tune.shares <= 262144:
        raise refuse("Value of cputune 'shares' must be in range [2, 262144]")
    for name in ("", "global_", "emulator_", "iothread_"):
        period = getattr(tune, f"{name[:-1]}Period" if name else "period")
        if period is not None and not 1000 <= period <= 1000000:
            raise refuse(f"Value of cputune '{name}period' must be in range [1000, 1000000]")
    for name in ("", "global_", "emulator_", "iothread_"):
        quota = getattr(tune, f"{name[:-1]}Quota" if name else "quota")
        if quota is not None and quota >= 0 and not 1000 <= quota <= _QUOTA:
            raise refuse(f"Value of cputune '{name}quota' must be in range [1000, {_QUOTA}]")


def checkPool(pool: Any) -> None:
    """Check the bounds of a pool of threads."""
    if pool.threadPoolMax == 0:
        raise refuse("thread_pool_max must be a positive integer")
    if pool.threadPoolMin is not None and pool.threadPoolMin > (
        -1 if pool.threadPoolMax is None else pool.threadPoolMax
    ):
        raise refuse("thread_pool_min must be smaller or equal to thread_pool_max")


def _where(disk: Disk) -> str:
    from pyvirt.definitions.domain._disk import imagePath

    source = disk.source
    for name in ("file", "dev", "dir", "name"):
        text = getattr(source, name, None)
        if text:
            return imagePath(getattr(source, "protocol", None), str(text)) or "<null>"
    return "<null>"


def checkAliases(definition: DomainDefinition) -> None:
    """
    An alias that somebody chose names one device.

    Those that drivers give need not be looked at, and may be shared: USB controllers and their companions have one.
    """
    devices = definition.devices
    seen: set[str] = set()
    for group in (
        devices.disks,
        devices.interfaces,
        devices.filesystems,
        devices.sounds,
        devices.hostdevs,
        devices.videos,
        devices.controllers,
        devices.smartcards,
        devices.serials,
        devices.parallels,
        devices.channels,
        devices.inputs,
        devices.shmems,
        devices.hubs,
        devices.watchdogs,
        devices.rngs,
        devices.panics,
        devices.tpms,
        devices.memories,
        devices.redirdevs,
    ):
        for device in group:
            alias = device.alias
            if alias is not None and alias.startswith("ua-"):
                if alias in seen:
                    raise refuse(f"non unique alias detected: {alias}")
                seen.add(alias)
