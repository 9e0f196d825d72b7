"""
The values that cross the contract between drivers and the rest.

References to objects and typed parameters are the very tuples that travel on the wire, so nothing is
converted on the way; results of several values are named tuples in wire order.  Drivers import them from
here and know nothing of C{protocols}.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, NamedTuple, TypeAlias, TypeVar, Union

from twisted.internet.defer import Deferred

from pyvirt.protocols.structs import (
    DomainCheckpointRef,
    DomainDiskError,
    DomainFSInfo,
    DomainInterface,
    DomainIOThreadInfo,
    DomainIPAddr,
    DomainMemoryStat,
    DomainRef,
    DomainSnapshotRef,
    DomainStatsRecord,
    InterfaceRef,
    NetworkDHCPLease,
    NetworkPortRef,
    NetworkRef,
    NodeCPUStat,
    NodeDeviceRef,
    NodeMemoryStat,
    NWFilterBindingRef,
    NWFilterRef,
    SecretRef,
    SecurityLabel,
    StoragePoolRef,
    StorageVolRef,
    TypedParam,
    VcpuInfo,
)
from pyvirt.sharedtuples import lighten

__all__ = [
    "Answer",
    "BlockInfo",
    "BlockJobInfo",
    "BlockStats",
    "ControlInfo",
    "DomainCheckpointRef",
    "DomainDiskError",
    "DomainFSInfo",
    "DomainIOThreadInfo",
    "DomainIPAddr",
    "DomainInfo",
    "DomainInterface",
    "DomainMemoryStat",
    "DomainRef",
    "DomainSnapshotRef",
    "DomainState",
    "DomainStatsRecord",
    "DomainTime",
    "InterfaceRef",
    "InterfaceStats",
    "JobInfo",
    "JobStats",
    "MigrationBegun",
    "MigrationFinished",
    "MigrationPrepared",
    "NWFilterBindingRef",
    "NWFilterRef",
    "NetworkDHCPLease",
    "NetworkPortRef",
    "NetworkRef",
    "NodeCPUMap",
    "NodeCPUStat",
    "NodeDeviceRef",
    "NodeInfo",
    "NodeMemoryStat",
    "SchedulerType",
    "SecretRef",
    "SecurityLabel",
    "SecurityModel",
    "StoragePoolInfo",
    "StoragePoolRef",
    "StorageVolInfo",
    "StorageVolRef",
    "TypedParam",
    "VcpuInfo",
    "VcpuPlacement",
]

_T = TypeVar("_T")

Answer: TypeAlias = Union[_T, Deferred[_T], Coroutine[Deferred[Any], Any, _T]]  # noqa: UP007
"""What a driver's method may return: the value itself where nothing is waited for, or a promise of it."""


class NodeInfo(NamedTuple):
    """The host: C{memory} in KiB, C{mhz} 0 if unknown, sockets per node, cores per socket, threads per core."""

    model: str
    memory: int
    cpus: int
    mhz: int
    nodes: int
    sockets: int
    cores: int
    threads: int


class NodeCPUMap(NamedTuple):
    """Which host CPUs are online: one bit each, lowest first; how many are; how many there are at all."""

    cpumap: bytes
    online: int
    cpus: int


class SecurityModel(NamedTuple):
    """Name of the security model and its domain of interpretation."""

    model: str
    doi: str


class DomainInfo(NamedTuple):
    """C{VIR_DOMAIN_*} state, memory limits in KiB, vcpus, CPU time used in nanoseconds."""

    state: int
    maxMem: int
    memory: int
    nrVirtCpu: int
    cpuTime: int


class DomainState(NamedTuple):
    """C{VIR_DOMAIN_*} state and the reason for it."""

    state: int
    reason: int


class ControlInfo(NamedTuple):
    """C{VIR_DOMAIN_CONTROL_*} state, details of an error, milliseconds since it was entered."""

    state: int
    details: int
    stateTime: int


class DomainTime(NamedTuple):
    """The guest's clock."""

    seconds: int
    nseconds: int


class VcpuPlacement(NamedTuple):
    """Each vcpu, and the host CPUs it may use: one bit map each, lowest CPU first, as long as needed."""

    info: list[VcpuInfo]
    cpumaps: list[bytes]


class SchedulerType(NamedTuple):
    """Name of the scheduler and how many parameters it has."""

    type: str
    nparams: int


class BlockStats(NamedTuple):
    """Requests and bytes of a disk; -1 for what is not known."""

    rdReq: int
    rdBytes: int
    wrReq: int
    wrBytes: int
    errs: int


class InterfaceStats(NamedTuple):
    """Traffic of an interface; -1 for what is not known."""

    rxBytes: int
    rxPackets: int
    rxErrs: int
    rxDrop: int
    txBytes: int
    txPackets: int
    txErrs: int
    txDrop: int


class BlockInfo(NamedTuple):
    """Sizes of a disk in bytes: allocated, as the guest sees it, on the host."""

    allocation: int
    capacity: int
    physical: int


class JobInfo(NamedTuple):
    """A C{VIR_DOMAIN_JOB_*} type; times in milliseconds, sizes in bytes."""

    type: int
    timeElapsed: int
    timeRemaining: int
    dataTotal: int
    dataProcessed: int
    dataRemaining: int
    memTotal: int
    memProcessed: int
    memRemaining: int
    fileTotal: int
    fileProcessed: int
    fileRemaining: int


class JobStats(NamedTuple):
    """A C{VIR_DOMAIN_JOB_*} type and what is known of the job."""

    type: int
    params: list[TypedParam]


class BlockJobInfo(NamedTuple):
    """C{found} 0: there is no job.  Bandwidth in MiB/s (or bytes/s if asked), progress C{cur} of C{end}."""

    found: int
    type: int
    bandwidth: int
    cur: int
    end: int


class StoragePoolInfo(NamedTuple):
    """C{VIR_STORAGE_POOL_*} state; sizes in bytes."""

    state: int
    capacity: int
    allocation: int
    available: int


class StorageVolInfo(NamedTuple):
    """C{VIR_STORAGE_VOL_*} type; sizes in bytes."""

    type: int
    capacity: int
    allocation: int


class MigrationPrepared(NamedTuple):
    """The cookie to hand on, and the URI to migrate to, None if the caller's will do."""

    cookie: bytes
    uri: str | None


class MigrationBegun(NamedTuple):
    """The cookie to hand on, and the definition to send."""

    cookie: bytes
    xml: str


class MigrationFinished(NamedTuple):
    """The domain on its new host, and the cookie to hand back."""

    domain: DomainRef
    cookie: bytes


lighten(globals())
