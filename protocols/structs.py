"""
The structs that travel, as named tuples: references to objects, typed parameters, parts of results
and events.

Their fields are in wire order and never change.  References are what drivers, client and daemon pass
around too; C{uuid} is 16 raw bytes.
"""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

from pyvirt.protocols.xdr import (
    UUID,
    Arms,
    Chars,
    Double,
    Hyper,
    Int32,
    Max,
    Opaque,
    String,
    Truth,
    UHyper,
    UInt32,
    WireString,
)
from pyvirt.sharedtuples import lighten


class DomainRef(NamedTuple):
    """A domain: name, UUID (16 bytes) and id (-1 while inactive)."""

    name: WireString
    uuid: UUID
    id: Int32


class NetworkRef(NamedTuple):
    """A virtual network."""

    name: WireString
    uuid: UUID


class NetworkPortRef(NamedTuple):
    """A port of a network."""

    net: NetworkRef
    uuid: UUID


class NWFilterRef(NamedTuple):
    """A network filter."""

    name: WireString
    uuid: UUID


class NWFilterBindingRef(NamedTuple):
    """A filter bound to a device of the host."""

    portdev: WireString
    filtername: WireString


class InterfaceRef(NamedTuple):
    """A network interface of the host."""

    name: WireString
    mac: WireString


class StoragePoolRef(NamedTuple):
    """A storage pool."""

    name: WireString
    uuid: UUID


class StorageVolRef(NamedTuple):
    """A volume: its pool by name, its own name and its key."""

    pool: WireString
    name: WireString
    key: WireString


class NodeDeviceRef(NamedTuple):
    """A device of the host."""

    name: WireString


class SecretRef(NamedTuple):
    """A secret: UUID, what it is used for (a C{VIR_SECRET_USAGE_TYPE_*}) and by whom."""

    uuid: UUID
    usageType: Int32
    usageID: WireString


class DomainCheckpointRef(NamedTuple):
    """A checkpoint of a domain."""

    name: WireString
    dom: DomainRef


class DomainSnapshotRef(NamedTuple):
    """A snapshot of a domain."""

    name: WireString
    dom: DomainRef


class VcpuInfo(NamedTuple):
    """One virtual CPU: C{cpu_time} in nanoseconds, C{cpu} the host CPU it runs on or -1."""

    number: UInt32
    state: Int32
    cpuTime: UHyper
    cpu: Int32


TYPED_VALUE = Arms(
    "typed_param_value",
    {4: UHyper, 2: UInt32, 7: WireString, 1: Int32, 6: Truth, 3: Hyper, 5: Double},
)


class TypedParam(NamedTuple):
    """
    A named value: C{type} is a C{VIR_TYPED_PARAM_*}, and picks how C{value} travels.

    On the wire name first, then the union of type and value.
    """

    field: WireString
    type: Int32
    value: Annotated[Any, TYPED_VALUE]


class NodeCPUStat(NamedTuple):
    """A host CPU counter, in nanoseconds."""

    field: WireString
    value: UHyper


class NodeMemoryStat(NamedTuple):
    """A host memory counter, in KiB."""

    field: WireString
    value: UHyper


class DomainDiskError(NamedTuple):
    """A disk and its C{VIR_DOMAIN_DISK_ERROR_*}."""

    disk: WireString
    error: Int32


class DomainMemoryStat(NamedTuple):
    """A C{VIR_DOMAIN_MEMORY_STAT_*} and its value, mostly KiB."""

    tag: Int32
    val: UHyper


class DomainIOThreadInfo(NamedTuple):
    """An IO thread and the host CPUs it may use."""

    iothreadID: UInt32
    cpumap: Annotated[bytes, Opaque(2048)]


class SecurityLabel(NamedTuple):
    """A security label and whether it is enforced."""

    label: Annotated[bytes, Chars(4097)]
    enforcing: Int32


class DomainEventLifecycleMsg(NamedTuple):
    """The body of an event: lifecycle."""

    dom: DomainRef
    event: Int32
    detail: Int32


class DomainEventRebootMsg(NamedTuple):
    """The body of an event: reboot."""

    dom: DomainRef


class DomainEventRTCChangeMsg(NamedTuple):
    """The body of an event: rtc change."""

    dom: DomainRef
    offset: Hyper


class DomainEventWatchdogMsg(NamedTuple):
    """The body of an event: watchdog."""

    dom: DomainRef
    action: Int32


class DomainEventIOErrorMsg(NamedTuple):
    """The body of an event: io error."""

    dom: DomainRef
    srcPath: WireString
    devAlias: WireString
    action: Int32


class DomainEventIOErrorReasonMsg(NamedTuple):
    """The body of an event: io error reason."""

    dom: DomainRef
    srcPath: WireString
    devAlias: WireString
    action: Int32
    reason: WireString


class DomainEventGraphicsAddress(NamedTuple):
    """Domain event graphics address."""

    family: Int32
    node: WireString
    service: WireString


class DomainEventGraphicsIdentity(NamedTuple):
    """Domain event graphics identity."""

    type: WireString
    name: WireString


class DomainEventGraphicsMsg(NamedTuple):
    """The body of an event: graphics."""

    dom: DomainRef
    phase: Int32
    local: DomainEventGraphicsAddress
    remote: DomainEventGraphicsAddress
    authScheme: WireString
    subject: Annotated[list[DomainEventGraphicsIdentity], Max(20)]


class DomainEventBlockJobMsg(NamedTuple):
    """The body of an event: block job."""

    dom: DomainRef
    path: WireString
    type: Int32
    status: Int32


class DomainEventDiskChangeMsg(NamedTuple):
    """The body of an event: disk change."""

    dom: DomainRef
    oldSrcPath: WireString | None
    newSrcPath: WireString | None
    devAlias: WireString
    reason: Int32


class DomainEventTrayChangeMsg(NamedTuple):
    """The body of an event: tray change."""

    dom: DomainRef
    devAlias: WireString
    reason: Int32


class DomainEventPmwakeupMsg(NamedTuple):
    """The body of an event: pmwakeup."""

    dom: DomainRef


class DomainEventPmsuspendMsg(NamedTuple):
    """The body of an event: pmsuspend."""

    dom: DomainRef


class DomainEventBalloonChangeMsg(NamedTuple):
    """The body of an event: balloon change."""

    dom: DomainRef
    actual: UHyper


class DomainEventPmsuspendDiskMsg(NamedTuple):
    """The body of an event: pmsuspend disk."""

    dom: DomainRef


class DomainEventControlErrorMsg(NamedTuple):
    """The body of an event: control error."""

    dom: DomainRef


class DomainEventDeviceRemovedMsg(NamedTuple):
    """The body of an event: device removed."""

    dom: DomainRef
    devAlias: WireString


class NetworkDHCPLease(NamedTuple):
    """A DHCP lease; C{expirytime} in seconds since 1970."""

    iface: WireString
    expirytime: Hyper
    type: Int32
    mac: WireString | None
    iaid: WireString | None
    ipaddr: WireString
    prefix: UInt32
    hostname: WireString | None
    clientid: WireString | None


class DomainStatsRecord(NamedTuple):
    """Statistics of one domain."""

    dom: DomainRef
    params: Annotated[list[TypedParam], Max(262144)]


class DomainFSInfo(NamedTuple):
    """A file system of the guest."""

    mountpoint: WireString
    name: WireString
    fstype: WireString
    devAliases: Annotated[list[WireString], Max(256)]


class DomainIPAddr(NamedTuple):
    """An address of a guest interface."""

    type: Int32
    addr: WireString
    prefix: UInt32


class DomainInterface(NamedTuple):
    """An interface of the guest, as the source of addresses sees it."""

    name: WireString
    hwaddr: WireString | None
    addrs: Annotated[list[DomainIPAddr], Max(2048)]


class WireError(NamedTuple):
    """An error as it travels; see L{pyvirt.errors.VirtError}."""

    code: Int32
    domain: Int32
    message: WireString | None
    level: Int32
    dom: DomainRef | None
    str1: WireString | None
    str2: WireString | None
    str3: WireString | None
    int1: Int32
    int2: Int32
    net: NetworkRef | None


class AdminServer(NamedTuple):
    """A server inside the daemon."""

    name: WireString


class AdminClient(NamedTuple):
    """A client of a server; C{timestamp} in seconds since 1970."""

    srv: AdminServer
    id: UHyper
    timestamp: Hyper
    transport: UInt32


class LockOwner(NamedTuple):
    """Who holds locks: UUID, name, id and process id."""

    uuid: UUID
    name: Annotated[str, String(65536)]
    id: UInt32
    pid: UInt32


class LogDomain(NamedTuple):
    """The domain a log belongs to."""

    uuid: UUID
    name: WireString


class LogFilePosition(NamedTuple):
    """A place in a log file."""

    inode: UHyper
    offset: UHyper


class StreamHole(NamedTuple):
    """A hole in a sparse stream, C{length} bytes long."""

    length: Hyper
    flags: UInt32


lighten(globals())
