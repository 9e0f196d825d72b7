"""
Pages of the host's memory: huge ones, equal ones that the kernel merges; and letting the host sleep.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from pyvirt import constants as c
from pyvirt.drivers.interfaces.values import TypedParam
from pyvirt.drivers.qemu.hostnumbers import HostNumbers
from pyvirt.drivers.qemu.refusals import checkFlags, failed, internal
from pyvirt.errors import ErrorCode, ErrorDomain, virtError
from pyvirt.params import validateParams
from pyvirt.process import Command, systemError

__all__ = ["HostMemory"]

_NODES = "/sys/devices/system/node"
_HUGE = "/sys/kernel/mm/hugepages"
_KSM = "/sys/kernel/mm/ksm"
_PAGE = os.sysconf("SC_PAGESIZE") // 1024

#: What is told of merging: each with its type, and whether it can be set.
_MERGING = {
    "pages_to_scan": (c.VIR_TYPED_PARAM_UINT, True),
    "sleep_millisecs": (c.VIR_TYPED_PARAM_UINT, True),
    "pages_shared": (c.VIR_TYPED_PARAM_ULLONG, False),
    "pages_sharing": (c.VIR_TYPED_PARAM_ULLONG, False),
    "pages_unshared": (c.VIR_TYPED_PARAM_ULLONG, False),
    "pages_volatile": (c.VIR_TYPED_PARAM_ULLONG, False),
    "full_scans": (c.VIR_TYPED_PARAM_ULLONG, False),
    "merge_across_nodes": (c.VIR_TYPED_PARAM_UINT, True),
}

#: How the host can sleep: what it is called, what the kernel must know, and what has it sleep.
_SLEEPS = {
    c.VIR_NODE_SUSPEND_TARGET_MEM: ("Suspend-to-RAM", ("mem",), "suspend"),
    c.VIR_NODE_SUSPEND_TARGET_DISK: ("Suspend-to-Disk", ("disk",), "hibernate"),
    c.VIR_NODE_SUSPEND_TARGET_HYBRID: ("Hybrid-Suspend", ("mem", "disk"), "hybrid-sleep"),
}
_SHORTEST = 60
#: Seconds between the answer and the sleep, so that the answer arrives.
_DELAY = 10.0


def _read(path: str) -> str:
    with open(path, errors="replace") as file:
        return file.read().strip()


class HostMemory(HostNumbers):
    """Answers for pages, and has the host sleep."""

    # Huge pages

    def _cellsFrom(self, start: int, count: int) -> Iterator[int]:
        """Iterate over the cells that are asked for, -1: all of them together."""
        last = max(self._cells(), default=0)
        if start > last:
            raise internal(f"start cell {start} out of range (0-{last})", ErrorDomain.NONE)
        yield from range(start, min(last, start + count - 1) + 1)

    def _folder(self, cell: int, size: int) -> str:
        """
        Return where the kernel tells of huge pages of a size, KiB.

        @raise VirtError: it does not have such pages.
        """
        if cell < -1:
            raise failed(f"NUMA node {cell} is not available", ErrorDomain.NONE)
        place = _HUGE if cell == -1 else f"{_NODES}/node{cell}/hugepages"
        found = f"{place}/hugepages-{size}kB"
        if not os.path.isdir(found):
            where = "" if cell == -1 else f" on node {cell}"
            raise failed(f"page size {size} is not available{where}", ErrorDomain.NONE)
        return found

    def nodeGetFreePages(
        self, pages: list[int], startCell: int, cellCount: int, flags: int
    ) -> list[int]:
        """Tell how many pages are free."""
        checkFlags("qemuNodeGetFreePages", flags)
        found = []
        for cell in self._cellsFrom(startCell, cellCount):
            for size in pages:
                if size == _PAGE and cell >= -1:
                    free = self.nodeGetFreeMemory()
                    if cell >= 0:
                        free = self.nodeGetCellsFreeMemory(cell, 1)[0]
                    found.append(free // 1024 // _PAGE)
                else:
                    found.append(int(_read(f"{self._folder(cell, size)}/free_hugepages")))
        return found

    async def nodeAllocPages(
        self,
        pageSizes: list[int],
        pageCounts: list[int],
        startCell: int,
        cellCount: int,
        flags: int,
    ) -> int:
        """Reserve huge pages, or give them back."""
        from twisted.internet.threads import deferToThreadPool

        checkFlags("qemuNodeAllocPages", flags, c.VIR_NODE_ALLOC_PAGES_SET)
        done = 0
        for cell in self._cellsFrom(startCell, cellCount):
            for size, count in zip(pageSizes, pageCounts, strict=True):
                pool = self._hypervisor.clock.getThreadPool()
                await deferToThreadPool(
                    self._hypervisor.clock, pool, self._allocate, cell, size, count, flags
                )
                done += 1
        return done

    def _allocate(self, cell: int, size: int, count: int, flags: int) -> None:
        if size == _PAGE and cell >= -1:
            raise virtError(
                ErrorCode.OPERATION_UNSUPPORTED,
                "system pages pool can't be modified",
                ErrorDomain.NONE,
            )
        path = f"{self._folder(cell, size)}/nr_hugepages"
        before = int(_read(path))
        wanted = count if flags & c.VIR_NODE_ALLOC_PAGES_SET else before + count
        try:
            with open(path, "w") as file:
                file.write(str(wanted))
        except OSError as problem:
            raise systemError(problem, f"Unable to write to {path}", ErrorDomain.NONE) from None
        after = int(_read(path))
        if after != wanted:
            raise failed(
                f"Unable to allocate {wanted - before} pages. Allocated only {after - before}",
                ErrorDomain.NONE,
            )

    # Equal pages

    def nodeGetMemoryParameters(self, flags: int) -> list[TypedParam]:
        """Tell how equal pages are merged."""
        checkFlags(
            "virHostMemGetParameters", flags, c.VIR_TYPED_PARAM_STRING_OKAY, ErrorDomain.NONE
        )
        found = []
        for name, (kind, _) in _MERGING.items():
            try:
                value = int(_read(f"{_KSM}/{name}"))
            except FileNotFoundError:
                continue
            found.append(TypedParam(f"shm_{name}", kind, value))
        return found

    def nodeSetMemoryParameters(self, params: list[TypedParam], flags: int) -> None:
        """Tune how equal pages are merged."""
        checkFlags("virHostMemSetParameters", flags, 0, ErrorDomain.NONE)
        known = {f"shm_{name}": kind for name, (kind, settable) in _MERGING.items() if settable}
        validateParams(params, known)
        for param in params:
            try:
                with open(f"{_KSM}/{param.field.removeprefix('shm_')}", "w") as file:
                    file.write(str(param.value))
            except OSError:
                # Whatever is wrong, libvirt says this.
                detail = f"failed to set {param.field}"
                raise systemError(PermissionError(1, ""), detail, ErrorDomain.NONE) from None

    # Sleep

    async def nodeSuspendForDuration(self, target: int, duration: int, flags: int) -> None:
        """Let the host sleep, and wake after a while."""
        checkFlags("virNodeSuspend", flags, 0, ErrorDomain.NONE)
        sleep = _SLEEPS.get(target)
        if sleep is None:
            raise virtError(ErrorCode.INVALID_ARG, "Invalid suspend target", ErrorDomain.NONE)
        name, states, word = sleep
        try:
            known = _read("/sys/power/state").split()
        except OSError:
            known = []
        if not set(states) <= set(known):
            raise virtError(ErrorCode.ARGUMENT_UNSUPPORTED, name, ErrorDomain.NONE)
        if duration == 0:
            duration = _SHORTEST
        if duration < _SHORTEST:
            raise virtError(
                ErrorCode.INVALID_ARG, "Suspend duration is too short", ErrorDomain.NONE
            )
        processes = self._hypervisor.processes
        await processes.run(Command(argv=("rtcwake", "-m", "no", "-s", str(duration))))
        command = Command(argv=("systemctl", word), deadline=None, statuses=None)

        def begin() -> None:
            processes.run(command).addErrback(lambda _: None)

        self._hypervisor.clock.callLater(_DELAY, begin)
