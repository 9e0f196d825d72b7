"""
Devices of which there is little to say: input, watchdogs, random numbers, TPM, panics, sockets, hubs, cards.
"""

from __future__ import annotations

import os
from typing import Any

from pyvirt.drivers.qemu.command.arguments import Builder, escaped
from pyvirt.drivers.qemu.command.chardevs import addSource
from pyvirt.drivers.qemu.command.values import OpenFile, place
from pyvirt.drivers.qemu.refusals import unsupportedConfig
from pyvirt.errors import ErrorCode, ErrorDomain, virtError

__all__ = [
    "addBalloon",
    "addFilesystems",
    "addHubs",
    "addIOMMU",
    "addInputs",
    "addMemories",
    "addPanics",
    "addRNGs",
    "addRedirections",
    "addShmems",
    "addSmartcards",
    "addTPMs",
    "addVsock",
    "addWatchdogs",
]


def addIOMMU(b: Builder) -> None:
    """Add what translates addresses of devices."""
    iommu = b.devices.iommu
    if iommu is None or iommu.model == "smmuv3":
        return
    if iommu.model == "virtio":
        b.device(
            b.virtio("virtio-iommu", iommu, model="")
            | {"driver": "virtio-iommu", "id": iommu.alias}
            | b.address(iommu)
        )
        return
    values: dict[str, Any] = {"driver": "intel-iommu", "id": iommu.alias}
    driver = iommu.driver
    if driver is not None:
        if driver.intremap is not None:
            values["intremap"] = "on" if driver.intremap else "off"
        if driver.caching_mode is not None:
            values["caching-mode"] = driver.caching_mode
        if driver.eim is not None:
            values["eim"] = "on" if driver.eim else "off"
        if driver.iotlb is not None:
            values["device-iotlb"] = driver.iotlb
        if driver.aw_bits:
            values["aw-bits"] = driver.aw_bits
    b.device(values)


def addHubs(b: Builder) -> None:
    """Add the hubs."""
    for hub in b.devices.hubs:
        b.device({"driver": "usb-hub", "id": hub.alias} | b.address(hub))


def addMemories(b: Builder) -> None:
    """Add memory that is plugged in from the start."""
    from pyvirt.drivers.qemu.command.arguments import jsonText
    from pyvirt.drivers.qemu.command.memorybackends import alignedSize, backend

    for memory in b.devices.memories:
        name = f"mem{memory.alias}"
        target = memory.target
        size = alignedSize(memory) * 1024
        b.add("-object", jsonText(backend(b, name, size, device=memory)))
        driver = {
            "dimm": "pc-dimm",
            "nvdimm": "nvdimm",
            "virtio-pmem": "virtio-pmem-pci",
            "virtio-mem": "virtio-mem-pci",
        }.get(memory.model, memory.model)
        values: dict[str, Any] = {"driver": driver}
        if target.node is not None:
            values["node"] = target.node
        if target.label is not None and target.label.size:
            values["label-size"] = target.label.size * 1024
        if target.block:
            values["block-size"] = target.block * 1024
        if target.requested and memory.model == "virtio-mem":
            values["requested-size"] = target.requested * 1024
        if memory.uuid is not None:
            values["uuid"] = memory.uuid
        if target.readonly:
            values["unarmed"] = True
        values |= {"memdev": name, "id": memory.alias}
        b.device(values | b.address(memory))


def addFilesystems(b: Builder) -> None:
    """Add folders of the host that the guest sees."""
    for fs in b.devices.filesystems:
        if fs.driver is not None and fs.driver.type == "virtiofs":
            name = f"chr-vu-{fs.alias}"
            path = fs.source.socket if fs.source is not None else None
            path = path or f"{b.host.guestFolder}/{fs.alias}-fs.sock"
            b.option("-chardev", "socket", f"id={name}", f"path={escaped(path)}")
            values = b.virtio("vhost-user-fs", fs)
            values |= {"id": fs.alias, "chardev": name}
            if fs.driver.queue is not None:
                values["queue-size"] = fs.driver.queue
            values["tag"] = fs.target
            if fs.boot is not None:
                values["bootindex"] = fs.boot.order
            b.device(values | b.address(fs))
            continue
        handle = fs.driver is not None and fs.driver.type == "handle"
        parts: list[str | None] = ["handle" if handle else "local"]
        model = {"mapped": "mapped", "squash": "none"}.get(
            fs.accessmode or "passthrough", "passthrough"
        )
        if not handle and (fs.accessmode is not None or fs.source.socket is None):
            parts.append(f"security_model={model}")
        if fs.multidevs is not None:
            parts.append(f"multidevs={fs.multidevs}")
        if fs.fmode is not None:
            parts.append(f"fmode={fs.fmode:04o}")
        if fs.dmode is not None:
            parts.append(f"dmode={fs.dmode:04o}")
        if fs.driver is not None and fs.driver.wrpolicy is not None:
            parts.append(f"writeout={fs.driver.wrpolicy}")
        parts += [f"id=fsdev-{fs.alias}", f"path={escaped(fs.source.dir or '')}"]
        if fs.readonly:
            parts.append("readonly")
        b.option("-fsdev", *parts)
        values = b.virtio("virtio-9p", fs)
        values |= {"id": fs.alias, "fsdev": f"fsdev-{fs.alias}", "mount_tag": fs.target}
        b.device(values | b.address(fs))


def addSmartcards(b: Builder) -> None:
    """Add the cards that are read through a card reader."""
    for card in b.devices.smartcards:
        values: dict[str, Any]
        if card.mode == "host":
            values = {"driver": "ccid-card-emulated", "backend": "nss-emulated"}
        elif card.mode == "host-certificates":
            values = {"driver": "ccid-card-emulated", "backend": "certificates"}
            for number, name in enumerate(card.certificates):
                values[f"cert{number + 1}"] = name
            values["db"] = card.database or "/etc/pki/nssdb"
        else:
            name = f"char{card.alias}"
            addSource(b, card.source, name, spice="smartcard")
            values = {"driver": "ccid-card-passthru", "chardev": name}
        values |= {"id": card.alias, "bus": "ccid0.0"}
        b.device(values)


def addTPMs(b: Builder) -> None:
    """Add the TPM."""
    for tpm in b.devices.tpms:
        backend = tpm.backend
        if tpm.model == "spapr-tpm-proxy":
            b.device({"driver": "spapr-tpm-proxy", "id": tpm.alias, "host-path": backend.device})
            continue
        name = f"tpm-{tpm.alias}"
        if backend.type == "passthrough":
            device = backend.device or "/dev/tpm0"
            cancel = f"/sys/class/tpm/{device.rpartition('/')[2]}/device/cancel"
            b.option(
                "-tpmdev",
                "passthrough",
                f"id={name}",
                f"path={escaped(device)}",
                f"cancel-path={escaped(cancel)}",
            )
        else:
            if backend.type == "external" and backend.source is not None:
                addSource(b, backend.source, "chrtpm")
            elif b.host.shown:
                b.add("-chardev", "null,id=chrtpm")
            else:
                path = f"{b.host.runFolder}/swtpm/{b.host.id}-{b.definition.name[:20]}-swtpm.sock"
                b.option("-chardev", "socket", "id=chrtpm", f"path={escaped(path)}")
            b.option("-tpmdev", "emulator", f"id={name}", "chardev=chrtpm")
        b.device({"driver": tpm.model, "tpmdev": name, "id": tpm.alias} | b.address(tpm))


_INPUT_USB = {"mouse": "usb-mouse", "tablet": "usb-tablet", "keyboard": "usb-kbd"}


def addInputs(b: Builder) -> None:
    """Add mice, keyboards and tablets that are not part of the machine."""
    from pyvirt.drivers.qemu.command.arguments import jsonText

    for item in b.devices.inputs:
        if item.type == "evdev":
            source = item.source
            if source is None:
                raise virtError(
                    ErrorCode.INTERNAL_ERROR,
                    "argument key 'evdev' must not have null value",
                    ErrorDomain.NONE,
                )
            values: dict[str, Any] = {
                "qom-type": "input-linux",
                "id": item.alias,
                "evdev": source.dev,
            }
            if source.repeat is not None:
                values["repeat"] = source.repeat
            if source.grab == "all":
                values["grab_all"] = True
            if source.grabToggle is not None:
                values["grab-toggle"] = source.grabToggle
            b.add("-object", jsonText(values))
        elif item.bus == "usb":
            b.device({"driver": _INPUT_USB[item.type], "id": item.alias} | b.address(item))
        elif item.bus == "virtio":
            base = "virtio-input-host" if item.type == "passthrough" else f"virtio-{item.type}"
            values = b.virtio(base, item)
            values["id"] = item.alias
            if item.type == "passthrough":
                values["evdev"] = item.source.evdev if item.source is not None else None
            b.device(values | b.address(item))


def addWatchdogs(b: Builder) -> None:
    """Add the watchdogs and what they do."""
    action = None
    for watchdog in b.devices.watchdogs:
        model = watchdog.model
        action = watchdog.action
        if model == "itco":
            continue
        b.device({"driver": model, "id": watchdog.alias} | b.address(watchdog))
    if action is not None:
        b.add("-watchdog-action", "pause" if action == "dump" else action)


def addRedirections(b: Builder) -> None:
    """Add USB devices that come through a channel."""
    rules = b.devices.redirfilter
    for number, redirection in enumerate(b.devices.redirdevs):
        name = f"char{redirection.alias}"
        addSource(b, redirection.source, name, spice="usbredir")
        values: dict[str, Any] = {
            "driver": "usb-redir",
            "chardev": name,
            "id": redirection.alias,
        }
        if rules is not None and rules.rules:
            values["filter"] = "|".join(_rule(each) for each in rules.rules)
        boot = b.bootIndex("redirdevs", number, redirection)
        if boot is not None:
            values["bootindex"] = boot
        b.device(values | b.address(redirection))


def _rule(rule: Any) -> str:
    parts = []
    for value, form in (
        (rule.cls, "0x{:02X}"),
        (rule.vendor, "0x{:04X}"),
        (rule.product, "0x{:04X}"),
    ):
        parts.append("-1" if value is None or value < 0 else form.format(value))
    version = rule.version
    if version is None or (isinstance(version, int) and version < 0):
        parts.append("-1")
    elif isinstance(version, int):
        parts.append(f"0x{version:04X}")
    else:
        major, _, minor = str(version).partition(".")
        parts.append(f"0x{int(major):02}{int(minor or 0):02}")
    return ":".join([*parts, "1" if rule.allow else "0"])


def addBalloon(b: Builder) -> None:
    """Add the balloon."""
    balloon = b.devices.memballoon
    if balloon is None or balloon.model in ("none", None):
        return
    values = b.virtio("virtio-balloon", balloon)
    values["id"] = balloon.alias
    if balloon.autodeflate is not None:
        values["deflate-on-oom"] = balloon.autodeflate
    if balloon.freePageReporting is not None:
        values["free-page-reporting"] = balloon.freePageReporting
    b.device(values | b.address(balloon))


def addRNGs(b: Builder) -> None:
    """Add sources of random numbers."""
    for rng in b.devices.rngs:
        name = f"obj{rng.alias}"
        backend = rng.backend
        if backend.model == "egd":
            addSource(b, backend.source, f"char{rng.alias}")
            b.object("rng-egd", name, chardev=f"char{rng.alias}")
        elif backend.model == "builtin":
            b.object("rng-builtin", name)
        else:
            b.object("rng-random", name, filename=backend.path)
        values = b.virtio("virtio-rng", rng)
        values |= {"rng": name, "id": rng.alias}
        if rng.rate is not None:
            values["max-bytes"] = rng.rate.bytes
            values["period"] = rng.rate.period or 1000
        b.device(values | b.address(rng))


def addPanics(b: Builder) -> None:
    """Add what tells the host of panics."""
    for panic in b.devices.panics:
        if panic.model == "isa":
            values: dict[str, Any] = {"driver": "pvpanic"}
            if panic.address is not None:
                values["ioport"] = panic.address.iobase or 0
            b.device(values)


def addShmems(b: Builder) -> None:
    """Add memory that guests share."""
    for shmem in b.devices.shmems:
        if shmem.address is not None and shmem.address.type != "pci":
            raise unsupportedConfig(
                "only 'pci' addresses are supported for the shared memory device"
            )
        values: dict[str, Any] = {"driver": shmem.model, "id": shmem.alias}
        server = shmem.server
        if shmem.model == "ivshmem-plain":
            name = f"shmmem-{shmem.alias}"
            b.object(
                "memory-backend-file",
                name,
                mem_path=f"/dev/shm/{shmem.name}",
                size=shmem.size or 0,
                share=True,
            )
            values["memdev"] = name
            if shmem.role is not None:
                values["master"] = "on" if shmem.role == "master" else "off"
        else:
            values["chardev"] = f"char{shmem.alias}"
            if shmem.msi is not None:
                if shmem.msi.vectors:
                    values["vectors"] = shmem.msi.vectors
                if shmem.msi.ioeventfd is not None:
                    values["ioeventfd"] = shmem.msi.ioeventfd
        b.device(values | b.address(shmem))
        if shmem.model != "ivshmem-plain":
            path = (server.path if server is not None else None) or (
                f"/var/lib/libvirt/shmem-{shmem.name}-sock"
            )
            b.option("-chardev", "socket", f"id=char{shmem.alias}", f"path={escaped(path)}")


def addVsock(b: Builder) -> None:
    """Add the socket between host and guest."""
    vsock = b.devices.vsock
    if vsock is None:
        return
    values = b.virtio("vhost-vsock", vsock)
    cid = vsock.cid.address if vsock.cid is not None else None
    values |= {"id": vsock.alias, "guest-cid": cid or 0}
    if b.host.shown:
        values["vhostfd"] = "-1"
    else:
        values["vhostfd"] = place(f"vsock-{vsock.alias}")
        b.files.append(
            OpenFile(name=f"vsock-{vsock.alias}", path="/dev/vhost-vsock", flags=os.O_RDWR)
        )
    b.device(values | b.address(vsock))
