"""
What a domain may use: vcpus, memory, scheduling, placement.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from pyvirt.client.deferring import deferred
from pyvirt.client.domainlifecycle import DomainLifecycle
from pyvirt.client.params import HINTS, byHints, byTypes, needSome
from pyvirt.client.shapes import bitMap, cpuMap, dictionary, zero

__all__ = ["DomainResources"]

PARAMETERS_MAX = 16

VcpuTuple = tuple[int, int, int, int]
Map = tuple[bool, ...]


class DomainResources(DomainLifecycle):
    """Vcpus, memory, scheduling, placement."""

    __slots__ = ()

    async def _withStrings(self, flags: int) -> int:
        return await self._conn._withStrings(flags)

    def maxMemory(self) -> Deferred[int]:
        """Fire with the most memory it may have, in KiB."""
        return self._remote.domainGetMaxMemory(self._ref)

    def setMaxMemory(self, memory: int) -> Deferred[int]:
        """Change the most memory it may have, in KiB; it must not run.  Fires with 0."""
        return self._remote.domainSetMaxMemory(self._ref, memory).addCallback(zero)

    def setMemory(self, memory: int) -> Deferred[int]:
        """Change its memory now, in KiB.  Fires with 0."""
        return self._remote.domainSetMemory(self._ref, memory).addCallback(zero)

    def setMemoryFlags(self, memory: int, flags: int = 0) -> Deferred[int]:
        """Change its memory in KiB, now, at the next start or at most: C{VIR_DOMAIN_MEM_*}.  Fires with 0."""
        return self._remote.domainSetMemoryFlags(self._ref, memory, flags).addCallback(zero)

    def setMemoryStatsPeriod(self, period: int, flags: int = 0) -> Deferred[int]:
        """Have the guest report its memory every C{period} seconds.  Fires with 0."""
        return self._remote.domainSetMemoryStatsPeriod(self._ref, period, flags).addCallback(zero)

    def maxVcpus(self) -> Deferred[int]:
        """Fire with the most vcpus it may have: as it runs, or, stopped, as the hypervisor allows."""
        return self._remote.domainGetMaxVcpus(self._ref)

    def setVcpus(self, nvcpus: int) -> Deferred[int]:
        """Change the number of its vcpus now.  Fires with 0."""
        return self._remote.domainSetVcpus(self._ref, nvcpus).addCallback(zero)

    def setVcpusFlags(self, nvcpus: int, flags: int = 0) -> Deferred[int]:
        """Change the number of its vcpus now, at the next start or at most: C{VIR_DOMAIN_VCPU_*}.  Fires with 0."""
        return self._remote.domainSetVcpusFlags(self._ref, nvcpus, flags).addCallback(zero)

    def vcpusFlags(self, flags: int = 0) -> Deferred[int]:
        """Fire with the number of its vcpus: C{VIR_DOMAIN_VCPU_*}."""
        return self._remote.domainGetVcpusFlags(self._ref, flags)

    def setVcpu(self, vcpumap: str, state: int, flags: int = 0) -> Deferred[int]:
        """Plug vcpus in (C{state} 1) or out (0), by a list such as C{1,3-4}.  Fires with 0."""
        return self._remote.domainSetVcpu(self._ref, vcpumap, state, flags).addCallback(zero)

    async def _hostCPUs(self) -> int:
        return (await self._remote.nodeGetCPUMap(0, 0, 0))[2]

    @deferred
    async def vcpus(self) -> tuple[list[VcpuTuple], list[Map]]:
        """
        Fire with its vcpus and where they may run.

        For each vcpu: number, state (C{VIR_VCPU_*}), CPU time in nanoseconds, host CPU; and one truth value
        for each host CPU.
        """
        cpus = await self._hostCPUs()
        count = (await self._remote.domainGetInfo(self._ref))[3]
        length = (cpus + 7) // 8
        info, maps = await self._remote.domainGetVcpus(self._ref, count, length)
        return (
            [(each[0], each[1], each[2], each[3]) for each in info],
            [
                cpuMap(maps[index * length : (index + 1) * length], cpus)
                for index in range(len(info))
            ],
        )

    @deferred
    async def vcpuPinInfo(self, flags: int = 0) -> list[Map]:
        """Fire with where each vcpu may run: one truth value for each host CPU."""
        cpus = await self._hostCPUs()
        count = (await self._remote.domainGetInfo(self._ref))[3]
        length = (cpus + 7) // 8
        maps, found = await self._remote.domainGetVcpuPinInfo(self._ref, count, length, flags)
        return [cpuMap(maps[index * length : (index + 1) * length], cpus) for index in range(found)]

    @deferred
    async def pinVcpu(self, vcpu: int, cpumap: Map) -> int:
        """Choose where a vcpu may run: one truth value for each host CPU.  Fires with 0."""
        bits = bitMap(cpumap, await self._hostCPUs())
        await self._remote.domainPinVcpu(self._ref, vcpu, bits)
        return 0

    @deferred
    async def pinVcpuFlags(self, vcpu: int, cpumap: Map, flags: int = 0) -> int:
        """As L{pinVcpu}, now or at the next start: C{VIR_DOMAIN_AFFECT_*}."""
        bits = bitMap(cpumap, await self._hostCPUs())
        await self._remote.domainPinVcpuFlags(self._ref, vcpu, bits, flags)
        return 0

    @deferred
    async def emulatorPinInfo(self, flags: int = 0) -> Map:
        """Fire with where the emulator's own threads may run: one truth value for each host CPU."""
        cpus = await self._hostCPUs()
        bits, _ = await self._remote.domainGetEmulatorPinInfo(self._ref, (cpus + 7) // 8, flags)
        return cpuMap(bits, cpus)

    @deferred
    async def pinEmulator(self, cpumap: Map, flags: int = 0) -> int:
        """Choose where the emulator's own threads may run.  Fires with 0."""
        bits = bitMap(cpumap, await self._hostCPUs())
        await self._remote.domainPinEmulator(self._ref, bits, flags)
        return 0

    @deferred
    async def ioThreadInfo(self, flags: int = 0) -> list[tuple[int, list[bool]]]:
        """Fire with each IO thread's id and where it may run."""
        cpus = await self._hostCPUs()
        threads, _ = await self._remote.domainGetIOThreadInfo(self._ref, flags)
        return [(each[0], list(cpuMap(each[1], cpus))) for each in threads]

    @deferred
    async def pinIOThread(self, iothread_val: int, cpumap: Map, flags: int = 0) -> int:
        """Choose where an IO thread may run.  Fires with 0."""
        bits = bitMap(cpumap, await self._hostCPUs())
        await self._remote.domainPinIOThread(self._ref, iothread_val, bits, flags)
        return 0

    def addIOThread(self, iothread_id: int, flags: int = 0) -> Deferred[int]:
        """Add an IO thread.  Fires with 0."""
        return self._remote.domainAddIOThread(self._ref, iothread_id, flags).addCallback(zero)

    def delIOThread(self, iothread_id: int, flags: int = 0) -> Deferred[int]:
        """Remove an IO thread.  Fires with 0."""
        return self._remote.domainDelIOThread(self._ref, iothread_id, flags).addCallback(zero)

    @deferred
    async def setIOThreadParams(
        self, iothread_val: int, params: dict[str, Any], flags: int = 0
    ) -> int:
        """Change how an IO thread polls: C{VIR_DOMAIN_IOTHREAD_*}.  Fires with 0."""
        known = byHints(params, HINTS["domainSetIOThreadParams"], "IOThread polling params")
        await self._remote.domainSetIOThreadParams(self._ref, iothread_val, known, flags)
        return 0

    @deferred
    async def schedulerType(self) -> tuple[str, int]:
        """Fire with the scheduler's name and how many parameters it has."""
        name, count = await self._remote.domainGetSchedulerType(self._ref)
        return name, count

    async def _scheduler(self) -> list[Any]:
        _, count = await self._remote.domainGetSchedulerType(self._ref)
        if not count:
            return []
        return list(await self._remote.domainGetSchedulerParameters(self._ref, count))

    async def _schedulerFlags(self, flags: int) -> list[Any]:
        _, count = await self._remote.domainGetSchedulerType(self._ref)
        if not count:
            return []
        flags = await self._withStrings(flags)
        return list(await self._remote.domainGetSchedulerParametersFlags(self._ref, count, flags))

    @deferred
    async def schedulerParameters(self) -> dict[str, Any]:
        """Fire with the scheduler's parameters by name."""
        return dictionary(await self._scheduler())

    @deferred
    async def schedulerParametersFlags(self, flags: int = 0) -> dict[str, Any]:
        """As L{schedulerParameters}, now or at the next start: C{VIR_DOMAIN_AFFECT_*}."""
        return dictionary(await self._schedulerFlags(flags))

    @deferred
    async def setSchedulerParameters(self, params: dict[str, Any]) -> int:
        """
        Change the scheduler's parameters.  Fires with 0.

        @raise LookupError: there are none, or a name is not known.
        """
        needSome(params)
        known = byTypes(params, await self._scheduler())
        await self._remote.domainSetSchedulerParameters(self._ref, known)
        return 0

    @deferred
    async def setSchedulerParametersFlags(self, params: dict[str, Any], flags: int = 0) -> int:
        """As L{setSchedulerParameters}, now or at the next start: C{VIR_DOMAIN_AFFECT_*}."""
        needSome(params)
        known = byTypes(params, await self._schedulerFlags(flags))
        await self._remote.domainSetSchedulerParametersFlags(self._ref, known, flags)
        return 0

    async def _blkio(self, flags: int) -> list[Any]:
        flags = await self._withStrings(flags)
        return list(
            (await self._remote.domainGetBlkioParameters(self._ref, PARAMETERS_MAX, flags))[0]
        )

    @deferred
    async def blkioParameters(self, flags: int = 0) -> dict[str, Any]:
        """Fire with the weights and limits of its disk traffic by name."""
        return dictionary(await self._blkio(flags))

    @deferred
    async def setBlkioParameters(self, params: dict[str, Any], flags: int = 0) -> int:
        """
        Change the weights and limits of its disk traffic.  Fires with 0.

        @raise LookupError: there are none, or a name is not known.
        """
        needSome(params)
        known = byTypes(params, await self._blkio(flags))
        await self._remote.domainSetBlkioParameters(self._ref, known, flags)
        return 0

    async def _memory(self, flags: int) -> list[Any]:
        flags = await self._withStrings(flags)
        return list(
            (await self._remote.domainGetMemoryParameters(self._ref, PARAMETERS_MAX, flags))[0]
        )

    @deferred
    async def memoryParameters(self, flags: int = 0) -> dict[str, Any]:
        """Fire with the limits of its memory in KiB by name."""
        return dictionary(await self._memory(flags))

    @deferred
    async def setMemoryParameters(self, params: dict[str, Any], flags: int = 0) -> int:
        """
        Change the limits of its memory.  Fires with 0.

        @raise LookupError: there are none, or a name is not known.
        """
        needSome(params)
        known = byTypes(params, await self._memory(flags))
        await self._remote.domainSetMemoryParameters(self._ref, known, flags)
        return 0

    async def _numa(self, flags: int) -> list[Any]:
        flags = await self._withStrings(flags)
        return list(
            (await self._remote.domainGetNumaParameters(self._ref, PARAMETERS_MAX, flags))[0]
        )

    @deferred
    async def numaParameters(self, flags: int = 0) -> dict[str, Any]:
        """Fire with where its memory comes from, by name."""
        return dictionary(await self._numa(flags))

    @deferred
    async def setNumaParameters(self, params: dict[str, Any], flags: int = 0) -> int:
        """
        Change where its memory comes from.  Fires with 0.

        @raise LookupError: there are none, or a name is not known.
        """
        needSome(params)
        known = byTypes(params, await self._numa(flags))
        await self._remote.domainSetNumaParameters(self._ref, known, flags)
        return 0

    async def _interface(self, device: str, flags: int) -> list[Any]:
        flags = await self._withStrings(flags)
        return list(
            (
                await self._remote.domainGetInterfaceParameters(
                    self._ref, device, PARAMETERS_MAX, flags
                )
            )[0]
        )

    @deferred
    async def interfaceParameters(self, device: str, flags: int = 0) -> dict[str, Any]:
        """Fire with the limits of a network interface's traffic by name."""
        return dictionary(await self._interface(device, flags))

    @deferred
    async def setInterfaceParameters(
        self, device: str, params: dict[str, Any], flags: int = 0
    ) -> int:
        """
        Change the limits of a network interface's traffic.  Fires with 0.

        @raise LookupError: there are none, or a name is not known.
        """
        needSome(params)
        known = byTypes(params, await self._interface(device, flags))
        await self._remote.domainSetInterfaceParameters(self._ref, device, known, flags)
        return 0

    @deferred
    async def perfEvents(self, flags: int = 0) -> dict[str, bool]:
        """Fire with which performance events are counted, by name."""
        flags = await self._withStrings(flags)
        return dictionary(await self._remote.domainGetPerfEvents(self._ref, flags))

    @deferred
    async def setPerfEvents(self, params: dict[str, bool], flags: int = 0) -> int:
        """
        Choose which performance events are counted.  Fires with 0.

        @raise LookupError: there are none, or a name is not known.
        """
        needSome(params)
        asked = await self._withStrings(flags)
        known = byTypes(params, await self._remote.domainGetPerfEvents(self._ref, asked))
        await self._remote.domainSetPerfEvents(self._ref, known, flags)
        return 0

    @deferred
    async def setThrottleGroup(self, group: str, params: dict[str, Any], flags: int = 0) -> int:
        """Define a group of limits that disks can share.  Fires with 0."""
        await self._remote.domainSetThrottleGroup(self._ref, group, byHints(params, {}), flags)
        return 0

    def delThrottleGroup(self, group: str, flags: int = 0) -> Deferred[int]:
        """Remove a group of limits.  Fires with 0."""
        return self._remote.domainDelThrottleGroup(self._ref, group, flags).addCallback(zero)
