"""
What the daemon refuses before it looks at what is asked: counts and sizes beyond what fits a reply.

Source: observed on libvirtd 9.0.0; limits are those of the wire.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from pyvirt.drivers.interfaces.values import TypedParam
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError
from pyvirt.protocols.procedures import Procedure
from pyvirt.protocols.xdr import Array
from pyvirt.routes.kinds import CPUMAPS_MAX, Arguments

Limit = Callable[[Arguments], None]

_VCPUS_MAX: Final = 16384
_BUFFER_MAX: Final = 4194304


def _internal(detail: str) -> VirtError:
    return virtError(ErrorCode.INTERNAL_ERROR, detail, ErrorDomain.RPC)


def _rpc(detail: str) -> VirtError:
    return virtError(ErrorCode.RPC, detail, ErrorDomain.RPC)


def _count(position: int, name: str, limit: int, limitName: str) -> Limit:
    """A number of items wanted, in the texts of calls whose dispatch is uniform."""

    def check(arguments: Arguments) -> None:
        value = arguments[position]
        if value < 0:
            raise _rpc(f"{name} must be non-negative")
        if value > limit:
            raise _rpc(f"{name} > {limitName}")

    return check


def _internalCount(position: int, name: str, limit: int, tooLarge: str | None = None) -> Limit:
    """A number of items wanted, in the texts of calls that are dispatched each in its own way."""
    tooLarge = tooLarge or f"{name} too large"

    def check(arguments: Arguments) -> None:
        value = arguments[position]
        if value < 0:
            raise _internal(f"{name} must be non-negative")
        if value > limit:
            raise _internal(tooLarge)

    return check


def _buffer(position: int) -> Limit:
    def check(arguments: Arguments) -> None:
        if arguments[position] > _BUFFER_MAX:
            raise _internal("size > maximum buffer size")

    return check


def _cpuMaps(name: str, lengthName: str) -> Limit:
    """
    Room for bit maps of CPUs.

    @param lengthName: what libvirtd calls a negative length, by mistake in one place.
    """

    def check(arguments: Arguments) -> None:
        count, length = arguments[1], arguments[2]
        if count < 0:
            raise _internal(f"{name} must be non-negative")
        if length < 0:
            raise _internal(f"{lengthName} must be non-negative")
        if count > _VCPUS_MAX:
            raise _internal(f"{name} > REMOTE_VCPUINFO_MAX")
        if count * length > CPUMAPS_MAX:
            raise _internal("maxinfo * maplen > REMOTE_CPUMAPS_MAX")

    return check


def _emulatorMap(arguments: Arguments) -> None:
    if arguments[1] < 0:
        raise _internal("maplen must be non-negative")


def _cpuStats(arguments: Arguments) -> None:
    _, nparams, _, ncpus, _ = arguments
    if nparams > 16:
        raise _internal("nparams too large")
    if ncpus > 128:
        raise _internal("ncpus too large")


def _freePages(arguments: Arguments) -> None:
    pages, _, cellCount, _ = arguments
    if len(pages) * cellCount > 1024:
        raise _internal("the result won't fit into REMOTE_NODE_MAX_CELLS")


_DOMAINS = (16384, "REMOTE_DOMAIN_LIST_MAX")
_NETWORKS = (16384, "REMOTE_NETWORK_LIST_MAX")
_POOLS = (16384, "REMOTE_STORAGE_POOL_LIST_MAX")
_INTERFACES = (16384, "REMOTE_INTERFACE_LIST_MAX")
_SNAPSHOTS = (16384, "REMOTE_DOMAIN_SNAPSHOT_LIST_MAX")

LIMITS: Final[Mapping[str, Limit]] = {
    "connectListDomains": _count(0, "maxids", *_DOMAINS),
    "connectListDefinedDomains": _count(0, "maxnames", *_DOMAINS),
    "connectListNetworks": _count(0, "maxnames", *_NETWORKS),
    "connectListDefinedNetworks": _count(0, "maxnames", *_NETWORKS),
    "connectListStoragePools": _count(0, "maxnames", *_POOLS),
    "connectListDefinedStoragePools": _count(0, "maxnames", *_POOLS),
    "storagePoolListVolumes": _count(1, "maxnames", 16384, "REMOTE_STORAGE_VOL_LIST_MAX"),
    "connectListInterfaces": _count(0, "maxnames", *_INTERFACES),
    "connectListDefinedInterfaces": _count(0, "maxnames", *_INTERFACES),
    "connectListSecrets": _count(0, "maxuuids", 16384, "REMOTE_SECRET_LIST_MAX"),
    "connectListNWFilters": _count(0, "maxnames", 16384, "REMOTE_NWFILTER_LIST_MAX"),
    "nodeListDevices": _count(1, "maxnames", 65536, "REMOTE_NODE_DEVICE_LIST_MAX"),
    "nodeDeviceListCaps": _count(1, "maxnames", 65536, "REMOTE_NODE_DEVICE_CAPS_LIST_MAX"),
    "domainSnapshotListNames": _count(1, "maxnames", *_SNAPSHOTS),
    "domainSnapshotListChildrenNames": _count(1, "maxnames", *_SNAPSHOTS),
    "nodeGetCellsFreeMemory": _count(1, "maxcells", 1024, "REMOTE_NODE_MAX_CELLS"),
    "domainGetSchedulerParameters": _internalCount(1, "nparams", 16),
    "domainGetSchedulerParametersFlags": _internalCount(1, "nparams", 16),
    "domainGetMemoryParameters": _internalCount(1, "nparams", 16),
    "domainGetBlkioParameters": _internalCount(1, "nparams", 16),
    "domainGetNumaParameters": _internalCount(1, "nparams", 16),
    "domainGetBlockIoTune": _internalCount(2, "nparams", 32),
    "domainGetInterfaceParameters": _internalCount(2, "nparams", 16),
    "domainBlockStatsFlags": _internalCount(2, "nparams", 16),
    "nodeGetCPUStats": _internalCount(1, "nparams", 16),
    "nodeGetMemoryStats": _internalCount(0, "nparams", 16),
    "nodeGetMemoryParameters": _internalCount(0, "nparams", 64),
    "domainMemoryStats": _internalCount(
        1, "maxStats", 1024, "maxStats > REMOTE_DOMAIN_MEMORY_STATS_MAX"
    ),
    "domainGetDiskErrors": _internalCount(1, "maxerrors", 256),
    "domainGetVcpus": _cpuMaps("maxinfo", "maxinfo"),
    "domainGetVcpuPinInfo": _cpuMaps("ncpumaps", "maplen"),
    "domainGetEmulatorPinInfo": _emulatorMap,
    "domainGetCPUStats": _cpuStats,
    "nodeGetFreePages": _freePages,
    "domainBlockPeek": _buffer(3),
    "domainMemoryPeek": _buffer(2),
}
"""Procedure name to its check of the arguments; the rest have none."""


_NAME_MAX: Final = 79


def _parameterNames(position: int) -> Limit:
    """The names of typed parameters fit into the structs that C code keeps them in."""

    def check(arguments: Arguments) -> None:
        for param in arguments[position]:
            if (
                len(param.field) > _NAME_MAX // 4
                and len(param.field.encode(errors="replace")) > _NAME_MAX
            ):
                raise virtError(
                    ErrorCode.INTERNAL_ERROR, f"parameter {param.field} too big for destination"
                )

    return check


def limiter(procedure: Procedure) -> Limit | None:
    """Return what is refused of C{procedure}'s arguments before anything else, or None: nothing."""
    limit = LIMITS.get(procedure.name)
    if limit is not None:
        return limit
    for position, (_, kind) in enumerate(procedure.arguments):
        if isinstance(kind, Array) and getattr(kind.element, "cls", None) is TypedParam:
            return _parameterNames(position)
    return None
