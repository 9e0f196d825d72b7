"""
Events that the kernel counts for a guest's process: the cycles it takes, the pages it touches.

Source: Linux's perf_event_open(2).
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
from collections.abc import Callable, Iterator
from fcntl import ioctl
from functools import partial
from typing import Any

from pyvirt import constants as c
from pyvirt.definitions.domain import DomainDefinition
from pyvirt.definitions.domain._security import EVENTS, Perf, PerfEvent
from pyvirt.definitions.schema import replaced
from pyvirt.drivers.interfaces.values import DomainRef, TypedParam
from pyvirt.drivers.qemu.changing import IMPACT, READING, keepConfig, keepLive
from pyvirt.drivers.qemu.domain import Domain
from pyvirt.drivers.qemu.guest import Guest
from pyvirt.drivers.qemu.hypervisor import Hypervisor
from pyvirt.drivers.qemu.refusals import checkFlags, systemFailure, unsupportedArgument
from pyvirt.errors import ErrorDomain, VirtError
from pyvirt.params import validateParams

__all__ = ["PerfEvents", "closeEvents", "openEvents", "perfStatistics"]

_NAMES = EVENTS.split()
_HARDWARE, _SOFTWARE = 0, 1
#: By event, the kind that the kernel puts it in and its number there.
_KINDS = {
    "cpu_cycles": (_HARDWARE, 0),
    "instructions": (_HARDWARE, 1),
    "cache_references": (_HARDWARE, 2),
    "cache_misses": (_HARDWARE, 3),
    "branch_instructions": (_HARDWARE, 4),
    "branch_misses": (_HARDWARE, 5),
    "bus_cycles": (_HARDWARE, 6),
    "stalled_cycles_frontend": (_HARDWARE, 7),
    "stalled_cycles_backend": (_HARDWARE, 8),
    "ref_cpu_cycles": (_HARDWARE, 9),
    "cpu_clock": (_SOFTWARE, 0),
    "task_clock": (_SOFTWARE, 1),
    "page_faults": (_SOFTWARE, 2),
    "context_switches": (_SOFTWARE, 3),
    "cpu_migrations": (_SOFTWARE, 4),
    "page_faults_min": (_SOFTWARE, 5),
    "page_faults_maj": (_SOFTWARE, 6),
    "alignment_faults": (_SOFTWARE, 7),
    "emulation_faults": (_SOFTWARE, 8),
}
_CALLS = {"x86_64": 298, "aarch64": 241, "riscv64": 241, "ppc64le": 319, "s390x": 331}
#: The size of what the kernel is told, in its first form; and that it is not to count before it is told to.
_SIZE = 64
_DISABLED, _INHERIT = 1, 2
_CLOSE_ON_EXEC = 8
_ENABLE = 0x2400


def _open(pid: int, kind: int, number: int) -> int:
    call = _CALLS.get(platform.machine())
    if call is None:
        raise OSError(38, os.strerror(38))
    asked = struct.pack("=IIQQQQQ", kind, _SIZE, number, 0, 0, 0, _DISABLED | _INHERIT)
    asked = ctypes.create_string_buffer(asked.ljust(_SIZE, b"\0"), _SIZE).raw
    libc: Any = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(asked, _SIZE)
    fd: int = libc.syscall(
        ctypes.c_long(call),
        buffer,
        ctypes.c_int(pid),
        ctypes.c_int(-1),
        ctypes.c_int(-1),
        ctypes.c_ulong(_CLOSE_ON_EXEC),
    )
    if fd < 0:
        problem = ctypes.get_errno()
        raise OSError(problem, os.strerror(problem))
    try:
        ioctl(fd, _ENABLE, 0)
    except OSError:
        os.close(fd)
        raise
    return fd


def enable(guest: Guest, name: str) -> None:
    """
    Have an event counted.

    @raise VirtError: the kernel or the processor does not count it.
    """
    if name in guest.perf:
        return
    if name not in _KINDS:
        raise unsupportedArgument(f"unable to enable host cpu perf event for {name}")
    try:
        guest.perf[name] = _open(guest.pid, *_KINDS[name])
    except OSError as problem:
        raise systemFailure(
            problem, f"unable to open host cpu perf event for {name}", ErrorDomain.PERF
        ) from None


def disable(guest: Guest, name: str) -> None:
    """Count an event no more."""
    fd = guest.perf.pop(name, None)
    if fd is not None:
        os.close(fd)


def openEvents(definition: DomainDefinition, guest: Guest, *, quietly: bool = False) -> None:
    """
    Have counted what a definition says.

    @param quietly: what cannot be counted is left.
    @raise VirtError: something cannot be counted.
    """
    for event in definition.perf.events if definition.perf is not None else ():
        if event.enabled:
            try:
                enable(guest, event.name)
            except VirtError:
                if not quietly:
                    raise


def closeEvents(guest: Guest) -> None:
    """Count nothing any more."""
    for name in list(guest.perf):
        disable(guest, name)


def perfStatistics(guest: Guest) -> Iterator[TypedParam]:
    """Tell what was counted."""
    for name in _NAMES:
        fd = guest.perf.get(name)
        if fd is None:
            continue
        try:
            data = os.read(fd, 8)
        except OSError:
            continue
        if len(data) == 8:
            (value,) = struct.unpack("=Q", data)
            yield TypedParam(f"perf.{name}", c.VIR_TYPED_PARAM_ULLONG, value)


class PerfEvents:
    """Says which events are counted."""

    _hypervisor: Hypervisor
    _find: Callable[[DomainRef], Domain]

    def domainGetPerfEvents(self, dom: DomainRef, flags: int) -> list[TypedParam]:
        """Tell which performance events are counted."""
        checkFlags("qemuDomainGetPerfEvents", flags, READING)
        domain = self._find(dom)
        perf = domain.one(flags).perf
        live, _ = domain.impact(flags)
        if live:
            enabled = set(domain.checkActive().perf)
        else:
            enabled = {event.name for event in perf.events if event.enabled} if perf else set()
        return [TypedParam(name, c.VIR_TYPED_PARAM_BOOLEAN, name in enabled) for name in _NAMES]

    async def domainSetPerfEvents(
        self, dom: DomainRef, params: list[TypedParam], flags: int
    ) -> None:
        """Say which performance events are counted."""
        checkFlags("qemuDomainSetPerfEvents", flags, IMPACT)
        given = validateParams(params, dict.fromkeys(_NAMES, c.VIR_TYPED_PARAM_BOOLEAN))
        hypervisor = self._hypervisor
        domain = self._find(dom)
        async with domain.jobs.change("remoteDispatchDomainSetPerfEvents"):
            live, config = domain.impact(flags)
            if live:
                guest = domain.checkActive()
                for name, wanted in given.items():
                    if wanted:
                        enable(guest, name)
                    else:
                        disable(guest, name)
                    keepLive(hypervisor, domain, partial(_with, {name: bool(wanted)}))
            if config:
                chosen = {name: bool(value) for name, value in given.items()}
                keepConfig(hypervisor, domain, partial(_with, chosen))


def _with(wanted: dict[str, bool], definition: DomainDefinition) -> DomainDefinition:
    perf = definition.perf
    now = {event.name: event.enabled for event in perf.events} if perf is not None else {}
    now.update(wanted)
    events = tuple(PerfEvent(name=name, enabled=now[name]) for name in _NAMES if name in now)
    return replaced(definition, perf=Perf(events=events))
