"""
Disks that grow or shrink under a running guest.
"""

from __future__ import annotations

from typing import Any

from pyvirt import constants as c
from pyvirt.drivers.interfaces.values import DomainRef
from pyvirt.drivers.qemu.blocks.chain import chain, diskNamed
from pyvirt.drivers.qemu.hypervisor import Hypervisor
from pyvirt.drivers.qemu.iothreads import IOThreads
from pyvirt.drivers.qemu.refusals import checkFlags, invalidArgument
from pyvirt.errors import ErrorCode, ErrorDomain, virtError

__all__ = ["DomainBlockResize"]

_LARGEST = (1 << 64) - 1
#: Images of these formats have sizes in whole sectors.
_SECTORS = ("qcow2", "qed")


class DomainBlockResize(IOThreads):
    """Changes the size of disks."""

    def __init__(self, hypervisor: Hypervisor, connection: Any) -> None:
        self._hypervisor = hypervisor
        self._find = hypervisor.domains.find

    async def domainBlockResize(self, dom: DomainRef, disk: str, size: int, flags: int) -> None:
        """Change the size of a disk that a guest has."""
        inBytes = c.VIR_DOMAIN_BLOCK_RESIZE_BYTES
        checkFlags("qemuDomainBlockResize", flags, inBytes)
        if not flags & inBytes:
            if size > _LARGEST // 1024:
                raise virtError(
                    ErrorCode.OVERFLOW,
                    f"size must be less than {_LARGEST // 1024}",
                    ErrorDomain.QEMU,
                )
            size *= 1024
        domain = self._find(dom)
        async with domain.jobs.change("remoteDispatchDomainBlockResize"):
            guest = domain.checkActive()
            found = diskNamed(domain.definition, disk)
            if found is None:
                raise invalidArgument(f"disk '{disk}' was not found in the domain config")
            images = chain(found)
            if not images or found.readonly:
                raise virtError(
                    ErrorCode.OPERATION_UNSUPPORTED,
                    f"can't resize empty or readonly disk '{found.target.dev}'",
                    ErrorDomain.QEMU,
                )
            if images[0].format in _SECTORS:
                size = (size + 511) // 512 * 512
            await guest.execute(
                "block_resize", {"node-name": images[0].formatName, "size": size}, timeout=None
            )
