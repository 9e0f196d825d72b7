"""
What follows from the kind of machine: its buses, and what is built into it.
"""

from __future__ import annotations

__all__ = [
    "hasBuiltinIDE",
    "hasPCIRoot",
    "hasPCIeRoot",
    "isI440FX",
    "isMicroVM",
    "isPC",
    "isQ35",
    "isVirt",
    "isX86",
]


def isX86(arch: str | None) -> bool:
    """Return whether the architecture is that of PCs."""
    return arch in ("i686", "x86_64")


def isI440FX(machine: str, arch: str | None) -> bool:
    """Return whether the machine is a PC with PCI."""
    return isX86(arch) and (
        machine == "pc"
        or machine.startswith(("pc-0.", "pc-1.", "pc-i440", "pc-i440fx", "rhel"))
        or machine == "xenfv"
    )


def isQ35(machine: str, arch: str | None) -> bool:
    """Return whether the machine is a PC with PCI Express."""
    return isX86(arch) and (machine == "q35" or machine.startswith("pc-q35"))


def isMicroVM(machine: str) -> bool:
    """Return whether the machine is the small one without PCI."""
    return machine == "microvm" or machine.startswith("microvm-")


def isPC(machine: str, arch: str | None) -> bool:
    """Return whether the machine is a PC with either bus."""
    return isI440FX(machine, arch) or isQ35(machine, arch)


def isVirt(machine: str, arch: str | None) -> bool:
    """Return whether the machine is the virtual board of ARM or RISC-V."""
    return arch in ("armv7l", "aarch64", "riscv32", "riscv64") and (
        machine == "virt" or machine.startswith("virt-")
    )


def hasPCIRoot(machine: str, arch: str | None) -> bool:
    """Return whether the machine has a root bus of PCI."""
    return isI440FX(machine, arch) or (
        arch in ("ppc64", "ppc64le") and machine.startswith("pseries")
    )


def hasPCIeRoot(machine: str, arch: str | None) -> bool:
    """Return whether the machine has a root complex of PCI Express."""
    return isQ35(machine, arch) or isVirt(machine, arch)


def hasBuiltinIDE(machine: str, arch: str | None) -> bool:
    """Return whether an IDE controller is part of the machine."""
    return isI440FX(machine, arch) or machine in ("malta", "sun4u", "g3beige")
