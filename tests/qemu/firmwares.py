"""
Descriptors of firmwares as Debian's package has them, in the order in which they are tried.
"""

from __future__ import annotations

from pyvirt.drivers.qemu.firmware import Descriptor

_PC = (("x86_64", ("pc-i440fx-*", "pc-q35-*")),)
_Q35 = (("x86_64", ("pc-q35-*",)),)
_SECURE = ("acpi-s3", "amd-sev", "requires-smm", "secure-boot", "verbose-dynamic")


def _uefi(code: str, variables: str, targets: object, features: tuple[str, ...]) -> Descriptor:
    return Descriptor(
        interfaces=("uefi",),
        device="flash",
        path=f"/usr/share/OVMF/{code}",
        template=f"/usr/share/OVMF/{variables}",
        targets=targets,
        features=features,
    )


DESCRIPTORS = (
    _uefi("OVMF_CODE_4M.ms.fd", "OVMF_VARS_4M.ms.fd", _Q35, (*_SECURE, "enrolled-keys")),
    _uefi("OVMF_CODE_4M.secboot.fd", "OVMF_VARS_4M.fd", _Q35, _SECURE),
    _uefi("OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd", _PC, ("acpi-s3", "amd-sev", "verbose-dynamic")),
)
