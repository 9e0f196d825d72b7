"""
What is refused only when a guest starts: it depends on the binary, on the host, or on several devices at once.
"""

from __future__ import annotations

from pyvirt.definitions.kinds import unsupported
from pyvirt.drivers.qemu.blocks.chain import chain
from pyvirt.drivers.qemu.command.arguments import Builder
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["checkStart"]


def _refuse(detail: str) -> VirtError:
    error = unsupported(detail)("", None, "")
    error.domain = ErrorDomain.QEMU
    return error


def _xml(detail: str) -> VirtError:
    return virtError(ErrorCode.XML_ERROR, detail, ErrorDomain.QEMU)


def _internal(detail: str) -> VirtError:
    return virtError(ErrorCode.INTERNAL_ERROR, detail, ErrorDomain.QEMU)


def checkStart(b: Builder) -> None:
    """
    Complain of what keeps a guest from starting.

    @raise VirtError: CONFIG_UNSUPPORTED mostly.
    """
    _advice(b)
    _graphics(b)
    _processor(b)
    _spinlocks(b)
    _smbios(b)
    for disk in b.devices.disks:
        source = disk.source
        if getattr(source, "tls", None) and source.protocol not in ("nbd", "vxhs"):
            raise _refuse(f"TLS transport is not supported for disk protocol '{source.protocol}'")
        for image in chain(disk):
            protocol = getattr(image.source, "protocol", None)
            hosts = getattr(image.source, "hosts", ())
            if protocol in ("http", "https", "ftp", "ftps") and len(hosts) != 1:
                raise _internal(f"protocol '{protocol}' accepts only one host")
    for controller in b.devices.controllers:
        xhci = controller.model in ("nec-xhci", "qemu-xhci")
        if controller.type == "usb" and controller.ports is not None and not xhci:
            raise _refuse(
                f"usb controller type '{controller.model}' doesn't support 'ports' with this QEMU "
                "binary"
            )
    for serial in b.devices.serials:
        if serial.target.model is None:
            raise _internal("Invalid target model for serial device")
    for channel in b.devices.channels:
        name = channel.target.name
        if channel.source.type == "spicevmc" and name not in (None, "com.redhat.spice.0"):
            raise _refuse(f"Unsupported spicevmc target name '{name}'")
    for shmem in b.devices.shmems:
        size = shmem.size
        if size is not None and size < 1 << 20 and not size & (size - 1):
            raise _xml("shmem size must be at least 1 MiB (1024 KiB)")
        if size is not None and (not size or size & (size - 1)):
            raise _xml("shmem size must be a power of two")
    keywrap = b.definition.keywrap
    if keywrap is not None and keywrap.ciphers:
        name = keywrap.ciphers[0].name
        if f"machine.{name}-key-wrap" not in b.capabilities.options or not (
            b.arch or ""
        ).startswith("s390"):
            raise _refuse(f"{name}-key-wrap is not available with this QEMU binary")


def _advice(b: Builder) -> None:
    """Where the host is to place a guest it is asked when the guest starts, not for what is only shown."""
    tune = b.definition.numatune
    memory = tune.memory if tune is not None else None
    if b.host.shown and memory is not None and memory.placement == "auto":
        raise virtError(
            ErrorCode.INTERNAL_ERROR,
            "Advice from numad is needed in case of automatic numa placement",
            ErrorDomain.DOMAIN,
        )


def _graphics(b: Builder) -> None:
    kinds = [each.type for each in b.devices.graphics]
    if any(kinds.count(kind) > 1 for kind in kinds):
        raise _refuse(
            "only 1 graphics device of each type (sdl, vnc, spice, headless, dbus) is supported"
        )
    if any(len(each.listens) > 1 for each in b.devices.graphics):
        raise _refuse("QEMU does not support multiple listens for one graphics device.")


def _processor(b: Builder) -> None:
    cpu = b.definition.cpu
    if cpu is not None and cpu.mode == "host-passthrough" and b.definition.type != "kvm":
        raise _refuse(
            f"CPU mode 'host-passthrough' for {b.arch} {b.definition.type} domain on {b.arch} host "
            "is not supported by hypervisor"
        )


def _spinlocks(b: Builder) -> None:
    """Locks that the host helps with are KVM's; libvirt finds out once QEMU runs."""
    features = b.definition.features
    lock = features.pvspinlock if features is not None else None
    if lock is not None and lock.state and b.definition.type != "kvm" and not b.host.shown:
        raise _refuse("host doesn't support paravirtual spinlocks")


def _smbios(b: Builder) -> None:
    mode = b.definition.os.smbios
    if mode == "host" and not b.host.settings.get("host_smbios"):
        raise _refuse("Host SMBIOS information is not available")
    if mode == "sysinfo" and all(each.type != "smbios" for each in b.definition.sysinfos):
        raise _xml(f"Domain '{b.definition.name}' sysinfo are not available")
