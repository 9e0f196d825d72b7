"""
What the test driver knows of CPUs: the names of models, and what several hosts have in common.
"""

from __future__ import annotations

from pyvirt import constants as c
from pyvirt.drivers.cpus.baseline import baseline as hostBaseline
from pyvirt.drivers.test.refusals import checkFlags, invalidArgument
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["baseline", "modelNames"]


def _words(text: str) -> list[str]:
    return text.split()


_X86 = _words(
    "486 pentium pentium2 pentium3 pentiumpro coreduo n270 core2duo qemu32 kvm32 "
    "cpu64-rhel5 cpu64-rhel6 qemu64 kvm64 Conroe Penryn Nehalem Nehalem-IBRS Westmere "
    "Westmere-IBRS SandyBridge SandyBridge-IBRS IvyBridge IvyBridge-IBRS Haswell-noTSX "
    "Haswell-noTSX-IBRS Haswell Haswell-IBRS Broadwell-noTSX Broadwell-noTSX-IBRS Broadwell "
    "Broadwell-IBRS Skylake-Client Skylake-Client-IBRS Skylake-Client-noTSX-IBRS "
    "Skylake-Server Skylake-Server-IBRS Skylake-Server-noTSX-IBRS Cascadelake-Server "
    "Cascadelake-Server-noTSX Icelake-Client Icelake-Client-noTSX Icelake-Server "
    "Icelake-Server-noTSX Cooperlake Snowridge athlon phenom Opteron_G1 Opteron_G2 "
    "Opteron_G3 Opteron_G4 Opteron_G5 EPYC EPYC-IBPB EPYC-Rome EPYC-Milan Dhyana"
)
_POWER = _words("POWER6 POWER7 POWER8 POWER9 POWER10 POWERPC_e5500 POWERPC_e6500")

#: Models by architecture; none where a CPU cannot be picked by its model.
_MODELS: dict[str, list[str]] = {
    "i686": _X86,
    "x86_64": _X86,
    "ppc64": _POWER,
    "ppc64le": _POWER,
    **{name: [] for name in ("armv6l", "armv7l", "armv7b", "aarch64", "s390", "s390x")},
}
_OTHERS = _words(
    "alpha cris ia64 lm32 m68k microblaze microblazeel mips mipsel mips64 mips64el openrisc "
    "parisc parisc64 ppc ppcemb riscv32 riscv64 sh4 sh4eb sparc sparc64 unicore32 xtensa "
    "xtensaeb"
)


def _unknown(arch: str) -> VirtError:
    return virtError(
        ErrorCode.NO_SUPPORT,
        f"'{arch}' architecture is not supported by CPU driver",
        ErrorDomain.CPU,
    )


def modelNames(arch: str) -> list[str]:
    """
    Return the CPU models of an architecture; an empty list where models have no names.

    @raise VirtError: there is no such architecture, or nothing is known of its CPUs.
    """
    models = _MODELS.get(arch)
    if models is None:
        if arch in _OTHERS:
            raise _unknown(arch)
        raise invalidArgument(f"cannot find architecture {arch}")
    return list(models)


def baseline(documents: list[str], flags: int) -> str:
    """
    Return the CPU that all hosts have in common, as a definition for guests.

    @raise VirtError: they have none, or a document is wrong.
    """
    checkFlags("testConnectBaselineCPU", flags, c.VIR_CONNECT_BASELINE_CPU_EXPAND_FEATURES)
    return hostBaseline(documents, expand=bool(flags))
