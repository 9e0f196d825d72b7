"""
The main program: the host, its guests and everything around them.

Each stub is a procedure: its annotations are what travels, its decorator what else the protocol fixes.
A wire table only grows: lines are added at the end, never edited.
"""

from __future__ import annotations

from typing import Annotated, NamedTuple, Protocol

from twisted.internet.defer import Deferred

from pyvirt.protocols.procedures import Program, ReadOnly, event, procedure
from pyvirt.protocols.structs import (
    DomainCheckpointRef,
    DomainDiskError,
    DomainEventBalloonChangeMsg,
    DomainEventBlockJobMsg,
    DomainEventControlErrorMsg,
    DomainEventDeviceRemovedMsg,
    DomainEventDiskChangeMsg,
    DomainEventGraphicsAddress,
    DomainEventGraphicsIdentity,
    DomainEventGraphicsMsg,
    DomainEventIOErrorMsg,
    DomainEventIOErrorReasonMsg,
    DomainEventLifecycleMsg,
    DomainEventPmsuspendDiskMsg,
    DomainEventPmsuspendMsg,
    DomainEventPmwakeupMsg,
    DomainEventRebootMsg,
    DomainEventRTCChangeMsg,
    DomainEventTrayChangeMsg,
    DomainEventWatchdogMsg,
    DomainFSInfo,
    DomainInterface,
    DomainIOThreadInfo,
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
from pyvirt.protocols.xdr import (
    UUID,
    Bool,
    Char,
    Chars,
    Hyper,
    Int32,
    Max,
    Opaque,
    UChar,
    UHyper,
    UInt32,
    UShort,
    WireString,
)
from pyvirt.sharedtuples import lighten


class NodeGetInfoResult(NamedTuple):
    """What L{Remote.nodeGetInfo} answers."""

    model: Annotated[bytes, Chars(32, exact=True)]
    memory: UHyper
    cpus: Int32
    mhz: Int32
    nodes: Int32
    sockets: Int32
    cores: Int32
    threads: Int32


class DomainGetInfoResult(NamedTuple):
    """What L{Remote.domainGetInfo} answers."""

    state: UChar
    maxMem: UHyper
    memory: UHyper
    nrVirtCPU: UShort
    cpuTime: UHyper


class DomainGetVcpusResult(NamedTuple):
    """What L{Remote.domainGetVcpus} answers."""

    info: Annotated[list[VcpuInfo], Max(16384)]
    cpumaps: Annotated[bytes, Opaque(8388608)]


class DomainGetSchedulerTypeResult(NamedTuple):
    """What L{Remote.domainGetSchedulerType} answers."""

    type: WireString
    nparams: Int32


class DomainMigratePrepareResult(NamedTuple):
    """What L{Remote.domainMigratePrepare} answers."""

    cookie: Annotated[bytes, Opaque(4194304)]
    uriOut: WireString | None


class DomainBlockStatsResult(NamedTuple):
    """What L{Remote.domainBlockStats} answers."""

    rdReq: Hyper
    rdBytes: Hyper
    wrReq: Hyper
    wrBytes: Hyper
    errs: Hyper


class DomainInterfaceStatsResult(NamedTuple):
    """What L{Remote.domainInterfaceStats} answers."""

    rxBytes: Hyper
    rxPackets: Hyper
    rxErrs: Hyper
    rxDrop: Hyper
    txBytes: Hyper
    txPackets: Hyper
    txErrs: Hyper
    txDrop: Hyper


class AuthSASLStartResult(NamedTuple):
    """What L{Remote.authSASLStart} answers."""

    complete: Bool
    nil: Bool
    data: Annotated[bytes, Chars(65536)]


class AuthSASLStepResult(NamedTuple):
    """What L{Remote.authSASLStep} answers."""

    complete: Bool
    nil: Bool
    data: Annotated[bytes, Chars(65536)]


class StoragePoolGetInfoResult(NamedTuple):
    """What L{Remote.storagePoolGetInfo} answers."""

    state: UChar
    capacity: UHyper
    allocation: UHyper
    available: UHyper


class StorageVolGetInfoResult(NamedTuple):
    """What L{Remote.storageVolGetInfo} answers."""

    type: Char
    capacity: UHyper
    allocation: UHyper


class DomainMigratePrepare2Result(NamedTuple):
    """What L{Remote.domainMigratePrepare2} answers."""

    cookie: Annotated[bytes, Opaque(4194304)]
    uriOut: WireString | None


class DomainGetSecurityLabelResult(NamedTuple):
    """What L{Remote.domainGetSecurityLabel} answers."""

    label: Annotated[bytes, Chars(4097)]
    enforcing: Int32


class NodeGetSecurityModelResult(NamedTuple):
    """What L{Remote.nodeGetSecurityModel} answers."""

    model: Annotated[bytes, Chars(257)]
    doi: Annotated[bytes, Chars(257)]


class DomainGetJobInfoResult(NamedTuple):
    """What L{Remote.domainGetJobInfo} answers."""

    type: Int32
    timeElapsed: UHyper
    timeRemaining: UHyper
    dataTotal: UHyper
    dataProcessed: UHyper
    dataRemaining: UHyper
    memTotal: UHyper
    memProcessed: UHyper
    memRemaining: UHyper
    fileTotal: UHyper
    fileProcessed: UHyper
    fileRemaining: UHyper


class DomainGetBlockInfoResult(NamedTuple):
    """What L{Remote.domainGetBlockInfo} answers."""

    allocation: UHyper
    capacity: UHyper
    physical: UHyper


class DomainGetMemoryParametersResult(NamedTuple):
    """What L{Remote.domainGetMemoryParameters} answers."""

    params: Annotated[list[TypedParam], Max(16)]
    nparams: Int32


class DomainGetBlkioParametersResult(NamedTuple):
    """What L{Remote.domainGetBlkioParameters} answers."""

    params: Annotated[list[TypedParam], Max(16)]
    nparams: Int32


class DomainGetStateResult(NamedTuple):
    """What L{Remote.domainGetState} answers."""

    state: Int32
    reason: Int32


class DomainMigrateBegin3Result(NamedTuple):
    """What L{Remote.domainMigrateBegin3} answers."""

    cookieOut: Annotated[bytes, Opaque(4194304)]
    xml: WireString


class DomainMigratePrepare3Result(NamedTuple):
    """What L{Remote.domainMigratePrepare3} answers."""

    cookieOut: Annotated[bytes, Opaque(4194304)]
    uriOut: WireString | None


class DomainMigrateFinish3Result(NamedTuple):
    """What L{Remote.domainMigrateFinish3} answers."""

    dom: DomainRef
    cookieOut: Annotated[bytes, Opaque(4194304)]


class NodeGetCPUStatsResult(NamedTuple):
    """What L{Remote.nodeGetCPUStats} answers."""

    params: Annotated[list[NodeCPUStat], Max(16)]
    nparams: Int32


class NodeGetMemoryStatsResult(NamedTuple):
    """What L{Remote.nodeGetMemoryStats} answers."""

    params: Annotated[list[NodeMemoryStat], Max(16)]
    nparams: Int32


class DomainGetControlInfoResult(NamedTuple):
    """What L{Remote.domainGetControlInfo} answers."""

    state: UInt32
    details: UInt32
    stateTime: UHyper


class DomainGetVcpuPinInfoResult(NamedTuple):
    """What L{Remote.domainGetVcpuPinInfo} answers."""

    cpumaps: Annotated[bytes, Opaque(8388608)]
    num: Int32


class DomainGetBlockJobInfoResult(NamedTuple):
    """What L{Remote.domainGetBlockJobInfo} answers."""

    found: Bool
    type: Int32
    bandwidth: UHyper
    cur: UHyper
    end: UHyper


class DomainBlockStatsFlagsResult(NamedTuple):
    """What L{Remote.domainBlockStatsFlags} answers."""

    params: Annotated[list[TypedParam], Max(16)]
    nparams: Int32


class DomainGetBlockIoTuneResult(NamedTuple):
    """What L{Remote.domainGetBlockIoTune} answers."""

    params: Annotated[list[TypedParam], Max(32)]
    nparams: Int32


class DomainGetNumaParametersResult(NamedTuple):
    """What L{Remote.domainGetNumaParameters} answers."""

    params: Annotated[list[TypedParam], Max(16)]
    nparams: Int32


class DomainGetInterfaceParametersResult(NamedTuple):
    """What L{Remote.domainGetInterfaceParameters} answers."""

    params: Annotated[list[TypedParam], Max(16)]
    nparams: Int32


class DomainGetCPUStatsResult(NamedTuple):
    """What L{Remote.domainGetCPUStats} answers."""

    params: Annotated[list[TypedParam], Max(2048)]
    nparams: Int32


class DomainGetDiskErrorsResult(NamedTuple):
    """What L{Remote.domainGetDiskErrors} answers."""

    errors: Annotated[list[DomainDiskError], Max(256)]
    nerrors: Int32


class ConnectListAllDomainsResult(NamedTuple):
    """What L{Remote.connectListAllDomains} answers."""

    domains: Annotated[list[DomainRef], Max(16384)]
    ret: UInt32


class DomainListAllSnapshotsResult(NamedTuple):
    """What L{Remote.domainListAllSnapshots} answers."""

    snapshots: Annotated[list[DomainSnapshotRef], Max(16384)]
    ret: Int32


class DomainSnapshotListAllChildrenResult(NamedTuple):
    """What L{Remote.domainSnapshotListAllChildren} answers."""

    snapshots: Annotated[list[DomainSnapshotRef], Max(16384)]
    ret: Int32


class DomainGetSecurityLabelListResult(NamedTuple):
    """What L{Remote.domainGetSecurityLabelList} answers."""

    labels: Annotated[list[SecurityLabel], Max(64)]
    ret: Int32


class DomainGetEmulatorPinInfoResult(NamedTuple):
    """What L{Remote.domainGetEmulatorPinInfo} answers."""

    cpumaps: Annotated[bytes, Opaque(8388608)]
    ret: Int32


class ConnectListAllStoragePoolsResult(NamedTuple):
    """What L{Remote.connectListAllStoragePools} answers."""

    pools: Annotated[list[StoragePoolRef], Max(16384)]
    ret: UInt32


class StoragePoolListAllVolumesResult(NamedTuple):
    """What L{Remote.storagePoolListAllVolumes} answers."""

    vols: Annotated[list[StorageVolRef], Max(16384)]
    ret: UInt32


class ConnectListAllNetworksResult(NamedTuple):
    """What L{Remote.connectListAllNetworks} answers."""

    nets: Annotated[list[NetworkRef], Max(16384)]
    ret: UInt32


class ConnectListAllInterfacesResult(NamedTuple):
    """What L{Remote.connectListAllInterfaces} answers."""

    ifaces: Annotated[list[InterfaceRef], Max(16384)]
    ret: UInt32


class ConnectListAllNodeDevicesResult(NamedTuple):
    """What L{Remote.connectListAllNodeDevices} answers."""

    devices: Annotated[list[NodeDeviceRef], Max(65536)]
    ret: UInt32


class ConnectListAllNWFiltersResult(NamedTuple):
    """What L{Remote.connectListAllNWFilters} answers."""

    filters: Annotated[list[NWFilterRef], Max(16384)]
    ret: UInt32


class ConnectListAllSecretsResult(NamedTuple):
    """What L{Remote.connectListAllSecrets} answers."""

    secrets: Annotated[list[SecretRef], Max(16384)]
    ret: UInt32


class NodeGetMemoryParametersResult(NamedTuple):
    """What L{Remote.nodeGetMemoryParameters} answers."""

    params: Annotated[list[TypedParam], Max(64)]
    nparams: Int32


class NodeGetCPUMapResult(NamedTuple):
    """What L{Remote.nodeGetCPUMap} answers."""

    cpumap: Annotated[bytes, Opaque(2048)]
    online: UInt32
    ret: Int32


class DomainGetJobStatsResult(NamedTuple):
    """What L{Remote.domainGetJobStats} answers."""

    type: Int32
    params: Annotated[list[TypedParam], Max(64)]


class DomainMigrateBegin3ParamsResult(NamedTuple):
    """What L{Remote.domainMigrateBegin3Params} answers."""

    cookieOut: Annotated[bytes, Opaque(4194304)]
    xml: WireString


class DomainMigratePrepare3ParamsResult(NamedTuple):
    """What L{Remote.domainMigratePrepare3Params} answers."""

    cookieOut: Annotated[bytes, Opaque(4194304)]
    uriOut: WireString | None


class DomainMigrateFinish3ParamsResult(NamedTuple):
    """What L{Remote.domainMigrateFinish3Params} answers."""

    dom: DomainRef
    cookieOut: Annotated[bytes, Opaque(4194304)]


class ConnectGetCPUModelNamesResult(NamedTuple):
    """What L{Remote.connectGetCPUModelNames} answers."""

    models: Annotated[list[WireString], Max(8192)]
    ret: Int32


class DomainGetTimeResult(NamedTuple):
    """What L{Remote.domainGetTime} answers."""

    seconds: Hyper
    nseconds: UInt32


class NetworkGetDHCPLeasesResult(NamedTuple):
    """What L{Remote.networkGetDHCPLeases} answers."""

    leases: Annotated[list[NetworkDHCPLease], Max(65536)]
    ret: UInt32


class DomainGetFSInfoResult(NamedTuple):
    """What L{Remote.domainGetFSInfo} answers."""

    info: Annotated[list[DomainFSInfo], Max(256)]
    ret: UInt32


class DomainGetIOThreadInfoResult(NamedTuple):
    """What L{Remote.domainGetIOThreadInfo} answers."""

    info: Annotated[list[DomainIOThreadInfo], Max(16384)]
    ret: UInt32


class StorageVolGetInfoFlagsResult(NamedTuple):
    """What L{Remote.storageVolGetInfoFlags} answers."""

    type: Char
    capacity: UHyper
    allocation: UHyper


class NodeGetSEVInfoResult(NamedTuple):
    """What L{Remote.nodeGetSEVInfo} answers."""

    params: Annotated[list[TypedParam], Max(64)]
    nparams: Int32


class ConnectListAllNWFilterBindingsResult(NamedTuple):
    """What L{Remote.connectListAllNWFilterBindings} answers."""

    bindings: Annotated[list[NWFilterBindingRef], Max(16384)]
    ret: UInt32


class NetworkListAllPortsResult(NamedTuple):
    """What L{Remote.networkListAllPorts} answers."""

    ports: Annotated[list[NetworkPortRef], Max(16384)]
    ret: UInt32


class NetworkPortGetParametersResult(NamedTuple):
    """What L{Remote.networkPortGetParameters} answers."""

    params: Annotated[list[TypedParam], Max(16)]
    nparams: Int32


class DomainListAllCheckpointsResult(NamedTuple):
    """What L{Remote.domainListAllCheckpoints} answers."""

    checkpoints: Annotated[list[DomainCheckpointRef], Max(16384)]
    ret: Int32


class DomainCheckpointListAllChildrenResult(NamedTuple):
    """What L{Remote.domainCheckpointListAllChildren} answers."""

    checkpoints: Annotated[list[DomainCheckpointRef], Max(16384)]
    ret: Int32


class Remote(Protocol):
    """Program 0x20008086, version 1.  Numbers are never reused; new ones go last."""

    @procedure(
        1,
        api="virConnectOpen",
        priority=True,
        access="connect:getattr",
        readOnly=True,
        since="0.0.3",
    )
    def connectOpen(self, name: WireString | None, flags: UInt32) -> Deferred[None]:
        """virConnectOpen; flags: virConnectFlags."""

    @procedure(2, api="virConnectClose", priority=True, readOnly=True, since="0.0.3")
    def connectClose(self) -> Deferred[None]:
        """virConnectClose."""

    @procedure(
        3,
        api="virConnectGetType",
        priority=True,
        access="connect:getattr",
        readOnly=True,
        since="0.0.3",
    )
    def connectGetType(self) -> Deferred[WireString]:
        """virConnectGetType."""

    @procedure(
        4,
        api="virConnectGetVersion",
        priority=True,
        access="connect:getattr",
        readOnly=True,
        since="0.0.3",
    )
    def connectGetVersion(self) -> Deferred[UHyper]:
        """virConnectGetVersion."""

    @procedure(
        5,
        api="virConnectGetMaxVcpus",
        priority=True,
        access="connect:read",
        readOnly=True,
        since="0.2.1",
    )
    def connectGetMaxVcpus(self, type: WireString | None) -> Deferred[Int32]:
        """virConnectGetMaxVcpus."""

    @procedure(
        6, api="virNodeGetInfo", priority=True, access="connect:read", readOnly=True, since="0.1.0"
    )
    def nodeGetInfo(self) -> Deferred[NodeGetInfoResult]:
        """virNodeGetInfo."""

    @procedure(
        7, api="virConnectGetCapabilities", access="connect:read", readOnly=True, since="0.2.1"
    )
    def connectGetCapabilities(self) -> Deferred[WireString]:
        """virConnectGetCapabilities."""

    @procedure(8, api="virDomainAttachDevice", access="domain:write", since="0.1.9")
    def domainAttachDevice(self, dom: DomainRef, xml: WireString) -> Deferred[None]:
        """virDomainAttachDevice."""

    @procedure(9, api="virDomainCreate", access="domain:start", since="0.1.1")
    def domainCreate(self, dom: DomainRef) -> Deferred[None]:
        """virDomainCreate."""

    @procedure(10, api="virDomainCreateXML", access=("domain:write", "domain:start"), since="0.5.0")
    def domainCreateXML(self, xmlDesc: WireString, flags: UInt32) -> Deferred[DomainRef]:
        """virDomainCreateXML; flags: virDomainCreateFlags."""

    @procedure(
        11,
        api="virDomainDefineXML",
        priority=True,
        access=("domain:write", "domain:save"),
        since="0.1.1",
    )
    def domainDefineXML(self, xml: WireString) -> Deferred[DomainRef]:
        """virDomainDefineXML."""

    @procedure(12, api="virDomainDestroy", priority=True, access="domain:stop", since="0.0.3")
    def domainDestroy(self, dom: DomainRef) -> Deferred[None]:
        """virDomainDestroy."""

    @procedure(13, api="virDomainDetachDevice", access="domain:write", since="0.1.9")
    def domainDetachDevice(self, dom: DomainRef, xml: WireString) -> Deferred[None]:
        """virDomainDetachDevice."""

    @procedure(
        14,
        api="virDomainGetXMLDesc",
        access=(
            "domain:read",
            "domain:read_secure:VIR_DOMAIN_XML_SECURE",
            "domain:read_secure:VIR_DOMAIN_XML_MIGRATABLE",
        ),
        readOnly=ReadOnly(True, 9),
        since="0.0.3",
    )
    def domainGetXMLDesc(self, dom: DomainRef, flags: UInt32) -> Deferred[WireString]:
        """virDomainGetXMLDesc; flags: virDomainXMLFlags."""

    @procedure(
        15,
        api="virDomainGetAutostart",
        priority=True,
        access="domain:read",
        readOnly=True,
        since="0.2.1",
    )
    def domainGetAutostart(self, dom: DomainRef) -> Deferred[Bool]:
        """virDomainGetAutostart."""

    @procedure(16, api="virDomainGetInfo", access="domain:read", readOnly=True, since="0.0.3")
    def domainGetInfo(self, dom: DomainRef) -> Deferred[DomainGetInfoResult]:
        """virDomainGetInfo."""

    @procedure(
        17,
        api="virDomainGetMaxMemory",
        priority=True,
        access="domain:read",
        readOnly=True,
        since="0.0.3",
    )
    def domainGetMaxMemory(self, dom: DomainRef) -> Deferred[UHyper]:
        """virDomainGetMaxMemory."""

    @procedure(
        18,
        api="virDomainGetMaxVcpus",
        priority=True,
        access="domain:read",
        readOnly=True,
        since="0.2.1",
    )
    def domainGetMaxVcpus(self, dom: DomainRef) -> Deferred[Int32]:
        """virDomainGetMaxVcpus."""

    @procedure(
        19,
        api="virDomainGetOSType",
        priority=True,
        access="domain:read",
        readOnly=True,
        since="0.0.3",
    )
    def domainGetOSType(self, dom: DomainRef) -> Deferred[WireString]:
        """virDomainGetOSType."""

    @procedure(
        20,
        api="virDomainGetVcpus",
        priority=True,
        access="domain:read",
        readOnly=True,
        since="0.1.4",
    )
    def domainGetVcpus(
        self, dom: DomainRef, maxinfo: Int32, maplen: Int32
    ) -> Deferred[DomainGetVcpusResult]:
        """virDomainGetVcpus."""

    @procedure(
        21,
        api="virConnectListDefinedDomains",
        priority=True,
        access="connect:search_domains",
        filters="domain:getattr",
        readOnly=True,
        since="0.1.1",
    )
    def connectListDefinedDomains(
        self, maxnames: Int32
    ) -> Deferred[Annotated[list[WireString], Max(16384)]]:
        """virConnectListDefinedDomains."""

    @procedure(
        22,
        api="virDomainLookupByID",
        priority=True,
        access="domain:getattr",
        readOnly=True,
        since="0.0.3",
    )
    def domainLookupByID(self, id: Int32) -> Deferred[DomainRef]:
        """virDomainLookupByID."""

    @procedure(
        23,
        api="virDomainLookupByName",
        priority=True,
        access="domain:getattr",
        readOnly=True,
        since="0.0.3",
    )
    def domainLookupByName(self, name: WireString) -> Deferred[DomainRef]:
        """virDomainLookupByName."""

    @procedure(
        24,
        api="virDomainLookupByUUID",
        priority=True,
        access="domain:getattr",
        readOnly=True,
        since="0.0.5",
    )
    def domainLookupByUUID(self, uuid: UUID) -> Deferred[DomainRef]:
        """virDomainLookupByUUID."""

    @procedure(
        25,
        api="virConnectNumOfDefinedDomains",
        priority=True,
        access="connect:search_domains",
        filters="domain:getattr",
        readOnly=True,
        since="0.1.5",
    )
    def connectNumOfDefinedDomains(self) -> Deferred[Int32]:
        """virConnectNumOfDefinedDomains."""

    @procedure(26, api="virDomainPinVcpu", access="domain:write", since="0.1.4")
    def domainPinVcpu(
        self, dom: DomainRef, vcpu: UInt32, cpumap: Annotated[bytes, Opaque(2048)]
    ) -> Deferred[None]:
        """virDomainPinVcpu."""

    @procedure(
        27,
        api="virDomainReboot",
        access=("domain:init_control", "domain:write:VIR_DOMAIN_REBOOT_GUEST_AGENT"),
        since="0.1.0",
    )
    def domainReboot(self, dom: DomainRef, flags: UInt32) -> Deferred[None]:
        """virDomainReboot; flags: virDomainRebootFlagValues."""

    @procedure(28, api="virDomainResume", access="domain:suspend", since="0.0.3")
    def domainResume(self, dom: DomainRef) -> Deferred[None]:
        """virDomainResume."""

    @procedure(29, api="virDomainSetAutostart", priority=True, access="domain:write", since="0.2.1")
    def domainSetAutostart(self, dom: DomainRef, autostart: Bool) -> Deferred[None]:
        """virDomainSetAutostart."""

    @procedure(30, api="virDomainSetMaxMemory", priority=True, access="domain:write", since="0.0.3")
    def domainSetMaxMemory(self, dom: DomainRef, memory: UHyper) -> Deferred[None]:
        """virDomainSetMaxMemory."""

    @procedure(31, api="virDomainSetMemory", access="domain:write", since="0.1.1")
    def domainSetMemory(self, dom: DomainRef, memory: UHyper) -> Deferred[None]:
        """virDomainSetMemory."""

    @procedure(32, api="virDomainSetVcpus", access="domain:write", since="0.1.4")
    def domainSetVcpus(self, dom: DomainRef, nvcpus: UInt32) -> Deferred[None]:
        """virDomainSetVcpus."""

    @procedure(33, api="virDomainShutdown", access="domain:init_control", since="0.0.3")
    def domainShutdown(self, dom: DomainRef) -> Deferred[None]:
        """virDomainShutdown."""

    @procedure(34, api="virDomainSuspend", access="domain:suspend", since="0.0.3")
    def domainSuspend(self, dom: DomainRef) -> Deferred[None]:
        """virDomainSuspend."""

    @procedure(35, api="virDomainUndefine", priority=True, access="domain:delete", since="0.1.1")
    def domainUndefine(self, dom: DomainRef) -> Deferred[None]:
        """virDomainUndefine."""

    @procedure(
        36,
        api="virConnectListDefinedNetworks",
        priority=True,
        access="connect:search_networks",
        filters="network:getattr",
        readOnly=True,
        since="0.2.0",
    )
    def connectListDefinedNetworks(
        self, maxnames: Int32
    ) -> Deferred[Annotated[list[WireString], Max(16384)]]:
        """virConnectListDefinedNetworks."""

    @procedure(
        37,
        api="virConnectListDomains",
        priority=True,
        access="connect:search_domains",
        filters="domain:getattr",
        readOnly=True,
        since="0.0.3",
    )
    def connectListDomains(self, maxids: Int32) -> Deferred[Annotated[list[Int32], Max(16384)]]:
        """virConnectListDomains."""

    @procedure(
        38,
        api="virConnectListNetworks",
        priority=True,
        access="connect:search_networks",
        filters="network:getattr",
        readOnly=True,
        since="0.2.0",
    )
    def connectListNetworks(
        self, maxnames: Int32
    ) -> Deferred[Annotated[list[WireString], Max(16384)]]:
        """virConnectListNetworks."""

    @procedure(39, api="virNetworkCreate", access="network:start", since="0.2.0")
    def networkCreate(self, net: NetworkRef) -> Deferred[None]:
        """virNetworkCreate."""

    @procedure(
        40, api="virNetworkCreateXML", access=("network:write", "network:start"), since="0.2.0"
    )
    def networkCreateXML(self, xml: WireString) -> Deferred[NetworkRef]:
        """virNetworkCreateXML."""

    @procedure(
        41,
        api="virNetworkDefineXML",
        priority=True,
        access=("network:write", "network:save"),
        since="0.2.0",
    )
    def networkDefineXML(self, xml: WireString) -> Deferred[NetworkRef]:
        """virNetworkDefineXML."""

    @procedure(42, api="virNetworkDestroy", priority=True, access="network:stop", since="0.2.0")
    def networkDestroy(self, net: NetworkRef) -> Deferred[None]:
        """virNetworkDestroy."""

    @procedure(
        43,
        api="virNetworkGetXMLDesc",
        priority=True,
        access="network:read",
        readOnly=True,
        since="0.2.0",
    )
    def networkGetXMLDesc(self, net: NetworkRef, flags: UInt32) -> Deferred[WireString]:
        """virNetworkGetXMLDesc."""

    @procedure(
        44,
        api="virNetworkGetAutostart",
        priority=True,
        access="network:read",
        readOnly=True,
        since="0.2.1",
    )
    def networkGetAutostart(self, net: NetworkRef) -> Deferred[Bool]:
        """virNetworkGetAutostart."""

    @procedure(
        45,
        api="virNetworkGetBridgeName",
        priority=True,
        access="network:read",
        readOnly=True,
        since="0.2.0",
    )
    def networkGetBridgeName(self, net: NetworkRef) -> Deferred[WireString]:
        """virNetworkGetBridgeName."""

    @procedure(
        46,
        api="virNetworkLookupByName",
        priority=True,
        access="network:getattr",
        readOnly=True,
        since="0.2.0",
    )
    def networkLookupByName(self, name: WireString) -> Deferred[NetworkRef]:
        """virNetworkLookupByName."""

    @procedure(
        47,
        api="virNetworkLookupByUUID",
        priority=True,
        access="network:getattr",
        readOnly=True,
        since="0.2.0",
    )
    def networkLookupByUUID(self, uuid: UUID) -> Deferred[NetworkRef]:
        """virNetworkLookupByUUID."""

    @procedure(
        48, api="virNetworkSetAutostart", priority=True, access="network:write", since="0.2.1"
    )
    def networkSetAutostart(self, net: NetworkRef, autostart: Bool) -> Deferred[None]:
        """virNetworkSetAutostart."""

    @procedure(49, api="virNetworkUndefine", priority=True, access="network:delete", since="0.2.0")
    def networkUndefine(self, net: NetworkRef) -> Deferred[None]:
        """virNetworkUndefine."""

    @procedure(
        50,
        api="virConnectNumOfDefinedNetworks",
        priority=True,
        access="connect:search_networks",
        filters="network:getattr",
        readOnly=True,
        since="0.2.0",
    )
    def connectNumOfDefinedNetworks(self) -> Deferred[Int32]:
        """virConnectNumOfDefinedNetworks."""

    @procedure(
        51,
        api="virConnectNumOfDomains",
        priority=True,
        access="connect:search_domains",
        filters="domain:getattr",
        readOnly=True,
        since="0.0.3",
    )
    def connectNumOfDomains(self) -> Deferred[Int32]:
        """virConnectNumOfDomains."""

    @procedure(
        52,
        api="virConnectNumOfNetworks",
        priority=True,
        access="connect:search_networks",
        filters="network:getattr",
        readOnly=True,
        since="0.2.0",
    )
    def connectNumOfNetworks(self) -> Deferred[Int32]:
        """virConnectNumOfNetworks."""

    @procedure(53, api="virDomainCoreDump", access="domain:core_dump", since="0.1.9")
    def domainCoreDump(self, dom: DomainRef, to: WireString, flags: UInt32) -> Deferred[None]:
        """virDomainCoreDump; flags: virDomainCoreDumpFlags."""

    @procedure(54, api="virDomainRestore", access=("domain:start", "domain:write"), since="0.0.3")
    def domainRestore(self, from_: WireString) -> Deferred[None]:
        """virDomainRestore."""

    @procedure(55, api="virDomainSave", access="domain:hibernate", since="0.0.3")
    def domainSave(self, dom: DomainRef, to: WireString) -> Deferred[None]:
        """virDomainSave."""

    @procedure(
        56, api="virDomainGetSchedulerType", access="domain:read", readOnly=True, since="0.2.3"
    )
    def domainGetSchedulerType(self, dom: DomainRef) -> Deferred[DomainGetSchedulerTypeResult]:
        """virDomainGetSchedulerType."""

    @procedure(
        57,
        api="virDomainGetSchedulerParameters",
        access="domain:read",
        readOnly=True,
        since="0.2.3",
    )
    def domainGetSchedulerParameters(
        self, dom: DomainRef, nparams: Int32
    ) -> Deferred[Annotated[list[TypedParam], Max(16)]]:
        """virDomainGetSchedulerParameters."""

    @procedure(58, api="virDomainSetSchedulerParameters", access="domain:read", since="0.2.3")
    def domainSetSchedulerParameters(
        self, dom: DomainRef, params: Annotated[list[TypedParam], Max(16)]
    ) -> Deferred[None]:
        """virDomainSetSchedulerParameters."""

    @procedure(
        59,
        api="virConnectGetHostname",
        priority=True,
        access="connect:getattr",
        readOnly=True,
        since="0.3.0",
    )
    def connectGetHostname(self) -> Deferred[WireString]:
        """virConnectGetHostname."""

    @procedure(60, priority=True, access="connect:getattr", readOnly=True)
    def connectSupportsFeature(self, feature: Int32) -> Deferred[Bool]:
        """Connect supports feature."""

    @procedure(61, access=("domain:migrate", "domain:start", "domain:write"))
    def domainMigratePrepare(
        self, uriIn: WireString | None, flags: UHyper, dname: WireString | None, bandwidth: UHyper
    ) -> Deferred[DomainMigratePrepareResult]:
        """Domain migrate prepare."""

    @procedure(62, access="domain:migrate")
    def domainMigratePerform(
        self,
        dom: DomainRef,
        cookie: Annotated[bytes, Opaque(4194304)],
        uri: WireString,
        flags: UHyper,
        dname: WireString | None,
        bandwidth: UHyper,
    ) -> Deferred[None]:
        """Domain migrate perform."""

    @procedure(63, access="domain:migrate")
    def domainMigrateFinish(
        self,
        dname: WireString,
        cookie: Annotated[bytes, Opaque(4194304)],
        uri: WireString,
        flags: UHyper,
    ) -> Deferred[DomainRef]:
        """Domain migrate finish."""

    @procedure(64, api="virDomainBlockStats", access="domain:read", readOnly=True, since="0.3.2")
    def domainBlockStats(
        self, dom: DomainRef, path: WireString
    ) -> Deferred[DomainBlockStatsResult]:
        """virDomainBlockStats."""

    @procedure(
        65,
        api="virDomainInterfaceStats",
        priority=True,
        access="domain:read",
        readOnly=True,
        since="0.3.2",
    )
    def domainInterfaceStats(
        self, dom: DomainRef, device: WireString
    ) -> Deferred[DomainInterfaceStatsResult]:
        """virDomainInterfaceStats."""

    @procedure(66, priority=True, readOnly=True, needsAuthentication=False)
    def authList(self) -> Deferred[Annotated[list[Int32], Max(20)]]:
        """Auth list."""

    @procedure(67, priority=True, readOnly=True, needsAuthentication=False)
    def authSASLInit(self) -> Deferred[WireString]:
        """Auth sasl init."""

    @procedure(68, priority=True, readOnly=True, needsAuthentication=False)
    def authSASLStart(
        self, mech: WireString, nil: Bool, data: Annotated[bytes, Chars(65536)]
    ) -> Deferred[AuthSASLStartResult]:
        """Auth sasl start."""

    @procedure(69, priority=True, readOnly=True, needsAuthentication=False)
    def authSASLStep(
        self, nil: Bool, data: Annotated[bytes, Chars(65536)]
    ) -> Deferred[AuthSASLStepResult]:
        """Auth sasl step."""

    @procedure(70, priority=True, readOnly=True, needsAuthentication=False)
    def authPolkit(self) -> Deferred[Bool]:
        """Auth polkit."""

    @procedure(
        71,
        api="virConnectNumOfStoragePools",
        priority=True,
        access="connect:search_storage_pools",
        filters="storage_pool:getattr",
        readOnly=True,
        since="0.4.1",
    )
    def connectNumOfStoragePools(self) -> Deferred[Int32]:
        """virConnectNumOfStoragePools."""

    @procedure(
        72,
        api="virConnectListStoragePools",
        priority=True,
        access="connect:search_storage_pools",
        filters="storage_pool:getattr",
        readOnly=True,
        since="0.4.1",
    )
    def connectListStoragePools(
        self, maxnames: Int32
    ) -> Deferred[Annotated[list[WireString], Max(16384)]]:
        """virConnectListStoragePools."""

    @procedure(
        73,
        api="virConnectNumOfDefinedStoragePools",
        priority=True,
        access="connect:search_storage_pools",
        filters="storage_pool:getattr",
        readOnly=True,
        since="0.4.1",
    )
    def connectNumOfDefinedStoragePools(self) -> Deferred[Int32]:
        """virConnectNumOfDefinedStoragePools."""

    @procedure(
        74,
        api="virConnectListDefinedStoragePools",
        priority=True,
        access="connect:search_storage_pools",
        filters="storage_pool:getattr",
        readOnly=True,
        since="0.4.1",
    )
    def connectListDefinedStoragePools(
        self, maxnames: Int32
    ) -> Deferred[Annotated[list[WireString], Max(16384)]]:
        """virConnectListDefinedStoragePools."""

    @procedure(
        75,
        api="virConnectFindStoragePoolSources",
        access="connect:detect_storage_pools",
        since="0.4.5",
    )
    def connectFindStoragePoolSources(
        self, type: WireString, srcSpec: WireString | None, flags: UInt32
    ) -> Deferred[WireString]:
        """virConnectFindStoragePoolSources."""

    @procedure(
        76,
        api="virStoragePoolCreateXML",
        access=("storage_pool:start", "storage_pool:write"),
        since="0.4.1",
    )
    def storagePoolCreateXML(self, xml: WireString, flags: UInt32) -> Deferred[StoragePoolRef]:
        """virStoragePoolCreateXML; flags: virStoragePoolCreateFlags."""

    @procedure(
        77,
        api="virStoragePoolDefineXML",
        priority=True,
        access=("storage_pool:write", "storage_pool:save"),
        since="0.4.1",
    )
    def storagePoolDefineXML(self, xml: WireString, flags: UInt32) -> Deferred[StoragePoolRef]:
        """virStoragePoolDefineXML."""

    @procedure(78, api="virStoragePoolCreate", access="storage_pool:start", since="0.4.1")
    def storagePoolCreate(self, pool: StoragePoolRef, flags: UInt32) -> Deferred[None]:
        """virStoragePoolCreate; flags: virStoragePoolCreateFlags."""

    @procedure(79, api="virStoragePoolBuild", access="storage_pool:format", since="0.4.1")
    def storagePoolBuild(self, pool: StoragePoolRef, flags: UInt32) -> Deferred[None]:
        """virStoragePoolBuild; flags: virStoragePoolBuildFlags."""

    @procedure(
        80, api="virStoragePoolDestroy", priority=True, access="storage_pool:stop", since="0.4.1"
    )
    def storagePoolDestroy(self, pool: StoragePoolRef) -> Deferred[None]:
        """virStoragePoolDestroy."""

    @procedure(81, api="virStoragePoolDelete", access="storage_pool:format", since="0.4.1")
    def storagePoolDelete(self, pool: StoragePoolRef, flags: UInt32) -> Deferred[None]:
        """virStoragePoolDelete; flags: virStoragePoolDeleteFlags."""

    @procedure(
        82, api="virStoragePoolUndefine", priority=True, access="storage_pool:delete", since="0.4.1"
    )
    def storagePoolUndefine(self, pool: StoragePoolRef) -> Deferred[None]:
        """virStoragePoolUndefine."""

    @procedure(83, api="virStoragePoolRefresh", access="storage_pool:refresh", since="0.4.1")
    def storagePoolRefresh(self, pool: StoragePoolRef, flags: UInt32) -> Deferred[None]:
        """virStoragePoolRefresh."""

    @procedure(
        84,
        api="virStoragePoolLookupByName",
        priority=True,
        access="storage_pool:getattr",
        readOnly=True,
        since="0.4.1",
    )
    def storagePoolLookupByName(self, name: WireString) -> Deferred[StoragePoolRef]:
        """virStoragePoolLookupByName."""

    @procedure(
        85,
        api="virStoragePoolLookupByUUID",
        priority=True,
        access="storage_pool:getattr",
        readOnly=True,
        since="0.4.1",
    )
    def storagePoolLookupByUUID(self, uuid: UUID) -> Deferred[StoragePoolRef]:
        """virStoragePoolLookupByUUID."""

    @procedure(
        86,
        api="virStoragePoolLookupByVolume",
        priority=True,
        access="storage_pool:getattr",
        readOnly=True,
        since="0.4.1",
    )
    def storagePoolLookupByVolume(self, vol: StorageVolRef) -> Deferred[StoragePoolRef]:
        """virStoragePoolLookupByVolume."""

    @procedure(
        87,
        api="virStoragePoolGetInfo",
        priority=True,
        access="storage_pool:read",
        readOnly=True,
        since="0.4.1",
    )
    def storagePoolGetInfo(self, pool: StoragePoolRef) -> Deferred[StoragePoolGetInfoResult]:
        """virStoragePoolGetInfo."""

    @procedure(
        88,
        api="virStoragePoolGetXMLDesc",
        priority=True,
        access="storage_pool:read",
        readOnly=True,
        since="0.4.1",
    )
    def storagePoolGetXMLDesc(self, pool: StoragePoolRef, flags: UInt32) -> Deferred[WireString]:
        """virStoragePoolGetXMLDesc; flags: virStorageXMLFlags."""

    @procedure(
        89,
        api="virStoragePoolGetAutostart",
        priority=True,
        access="storage_pool:read",
        readOnly=True,
        since="0.4.1",
    )
    def storagePoolGetAutostart(self, pool: StoragePoolRef) -> Deferred[Bool]:
        """virStoragePoolGetAutostart."""

    @procedure(
        90,
        api="virStoragePoolSetAutostart",
        priority=True,
        access="storage_pool:write",
        since="0.4.1",
    )
    def storagePoolSetAutostart(self, pool: StoragePoolRef, autostart: Bool) -> Deferred[None]:
        """virStoragePoolSetAutostart."""

    @procedure(
        91,
        api="virStoragePoolNumOfVolumes",
        priority=True,
        access="storage_pool:search_storage_vols",
        filters="storage_vol:getattr",
        readOnly=True,
        since="0.4.1",
    )
    def storagePoolNumOfVolumes(self, pool: StoragePoolRef) -> Deferred[Int32]:
        """virStoragePoolNumOfVolumes."""

    @procedure(
        92,
        api="virStoragePoolListVolumes",
        priority=True,
        access="storage_pool:search_storage_vols",
        filters="storage_vol:getattr",
        readOnly=True,
        since="0.4.1",
    )
    def storagePoolListVolumes(
        self, pool: StoragePoolRef, maxnames: Int32
    ) -> Deferred[Annotated[list[WireString], Max(16384)]]:
        """virStoragePoolListVolumes."""

    @procedure(93, api="virStorageVolCreateXML", access="storage_vol:create", since="0.4.1")
    def storageVolCreateXML(
        self, pool: StoragePoolRef, xml: WireString, flags: UInt32
    ) -> Deferred[StorageVolRef]:
        """virStorageVolCreateXML; flags: virStorageVolCreateFlags."""

    @procedure(94, api="virStorageVolDelete", access="storage_vol:delete", since="0.4.1")
    def storageVolDelete(self, vol: StorageVolRef, flags: UInt32) -> Deferred[None]:
        """virStorageVolDelete; flags: virStorageVolDeleteFlags."""

    @procedure(
        95,
        api="virStorageVolLookupByName",
        priority=True,
        access="storage_vol:getattr",
        readOnly=True,
        since="0.4.1",
    )
    def storageVolLookupByName(
        self, pool: StoragePoolRef, name: WireString
    ) -> Deferred[StorageVolRef]:
        """virStorageVolLookupByName."""

    @procedure(
        96,
        api="virStorageVolLookupByKey",
        priority=True,
        access="storage_vol:getattr",
        readOnly=True,
        since="0.4.1",
    )
    def storageVolLookupByKey(self, key: WireString) -> Deferred[StorageVolRef]:
        """virStorageVolLookupByKey."""

    @procedure(
        97,
        api="virStorageVolLookupByPath",
        priority=True,
        access="storage_vol:getattr",
        readOnly=True,
        since="0.4.1",
    )
    def storageVolLookupByPath(self, path: WireString) -> Deferred[StorageVolRef]:
        """virStorageVolLookupByPath."""

    @procedure(
        98,
        api="virStorageVolGetInfo",
        priority=True,
        access="storage_vol:read",
        readOnly=True,
        since="0.4.1",
    )
    def storageVolGetInfo(self, vol: StorageVolRef) -> Deferred[StorageVolGetInfoResult]:
        """virStorageVolGetInfo."""

    @procedure(
        99,
        api="virStorageVolGetXMLDesc",
        priority=True,
        access="storage_vol:read",
        readOnly=True,
        since="0.4.1",
    )
    def storageVolGetXMLDesc(self, vol: StorageVolRef, flags: UInt32) -> Deferred[WireString]:
        """virStorageVolGetXMLDesc."""

    @procedure(
        100,
        api="virStorageVolGetPath",
        priority=True,
        access="storage_vol:read",
        readOnly=True,
        since="0.4.1",
    )
    def storageVolGetPath(self, vol: StorageVolRef) -> Deferred[WireString]:
        """virStorageVolGetPath."""

    @procedure(
        101,
        api="virNodeGetCellsFreeMemory",
        priority=True,
        access="connect:read",
        readOnly=True,
        since="0.3.3",
    )
    def nodeGetCellsFreeMemory(
        self, startCell: Int32, maxcells: Int32
    ) -> Deferred[Annotated[list[UHyper], Max(1024)]]:
        """virNodeGetCellsFreeMemory."""

    @procedure(
        102,
        api="virNodeGetFreeMemory",
        priority=True,
        access="connect:read",
        readOnly=True,
        since="0.3.3",
    )
    def nodeGetFreeMemory(self) -> Deferred[UHyper]:
        """virNodeGetFreeMemory."""

    @procedure(103, api="virDomainBlockPeek", access="domain:block_read", since="0.4.2")
    def domainBlockPeek(
        self, dom: DomainRef, path: WireString, offset: UHyper, size: UInt32, flags: UInt32
    ) -> Deferred[Annotated[bytes, Opaque(4194304)]]:
        """virDomainBlockPeek."""

    @procedure(104, api="virDomainMemoryPeek", access="domain:mem_read", since="0.4.2")
    def domainMemoryPeek(
        self, dom: DomainRef, offset: UHyper, size: UInt32, flags: UInt32
    ) -> Deferred[Annotated[bytes, Opaque(4194304)]]:
        """virDomainMemoryPeek; flags: virDomainMemoryFlags."""

    @procedure(
        105,
        api="virConnectDomainEventRegister",
        priority=True,
        access="connect:search_domains",
        filters="domain:getattr",
        readOnly=True,
        since="0.5.0",
    )
    def connectDomainEventRegister(self) -> Deferred[Bool]:
        """virConnectDomainEventRegister."""

    @procedure(
        106,
        api="virConnectDomainEventDeregister",
        priority=True,
        access="connect:read",
        readOnly=True,
        since="0.5.0",
    )
    def connectDomainEventDeregister(self) -> Deferred[Bool]:
        """virConnectDomainEventDeregister."""

    @event(107)
    def domainEventLifecycle(self, dom: DomainRef, event: Int32, detail: Int32) -> None:
        """VIR_DOMAIN_EVENT_ID_LIFECYCLE. For callbacks registered without an id."""

    @procedure(108, access=("domain:migrate", "domain:start", "domain:write"))
    def domainMigratePrepare2(
        self,
        uriIn: WireString | None,
        flags: UHyper,
        dname: WireString | None,
        bandwidth: UHyper,
        domXML: WireString,
    ) -> Deferred[DomainMigratePrepare2Result]:
        """Domain migrate prepare2."""

    @procedure(109, access="domain:migrate")
    def domainMigrateFinish2(
        self,
        dname: WireString,
        cookie: Annotated[bytes, Opaque(4194304)],
        uri: WireString,
        flags: UHyper,
        retcode: Int32,
    ) -> Deferred[DomainRef]:
        """Domain migrate finish2."""

    @procedure(
        110,
        api="virConnectGetURI",
        priority=True,
        access="connect:getattr",
        readOnly=True,
        since="0.3.0",
    )
    def connectGetURI(self) -> Deferred[WireString]:
        """virConnectGetURI."""

    @procedure(
        111,
        api="virNodeNumOfDevices",
        priority=True,
        access="connect:search_node_devices",
        filters="node_device:getattr",
        readOnly=True,
        since="0.5.0",
    )
    def nodeNumOfDevices(self, cap: WireString | None, flags: UInt32) -> Deferred[Int32]:
        """virNodeNumOfDevices."""

    @procedure(
        112,
        api="virNodeListDevices",
        priority=True,
        access="connect:search_node_devices",
        filters="node_device:getattr",
        readOnly=True,
        since="0.5.0",
    )
    def nodeListDevices(
        self, cap: WireString | None, maxnames: Int32, flags: UInt32
    ) -> Deferred[Annotated[list[WireString], Max(65536)]]:
        """virNodeListDevices."""

    @procedure(
        113,
        api="virNodeDeviceLookupByName",
        priority=True,
        access="node_device:getattr",
        readOnly=True,
        since="0.5.0",
    )
    def nodeDeviceLookupByName(self, name: WireString) -> Deferred[NodeDeviceRef]:
        """virNodeDeviceLookupByName."""

    @procedure(
        114, api="virNodeDeviceGetXMLDesc", access="node_device:read", readOnly=True, since="0.5.0"
    )
    def nodeDeviceGetXMLDesc(self, name: WireString, flags: UInt32) -> Deferred[WireString]:
        """virNodeDeviceGetXMLDesc."""

    @procedure(
        115,
        api="virNodeDeviceGetParent",
        priority=True,
        access="node_device:read",
        readOnly=True,
        since="0.5.0",
    )
    def nodeDeviceGetParent(self, name: WireString) -> Deferred[WireString | None]:
        """virNodeDeviceGetParent."""

    @procedure(
        116,
        api="virNodeDeviceNumOfCaps",
        priority=True,
        access="node_device:read",
        readOnly=True,
        since="0.5.0",
    )
    def nodeDeviceNumOfCaps(self, name: WireString) -> Deferred[Int32]:
        """virNodeDeviceNumOfCaps."""

    @procedure(
        117,
        api="virNodeDeviceListCaps",
        priority=True,
        access="node_device:read",
        readOnly=True,
        since="0.5.0",
    )
    def nodeDeviceListCaps(
        self, name: WireString, maxnames: Int32
    ) -> Deferred[Annotated[list[WireString], Max(65536)]]:
        """virNodeDeviceListCaps."""

    @procedure(118, api="virNodeDeviceDettach", access="node_device:detach", since="0.6.1")
    def nodeDeviceDettach(self, name: WireString) -> Deferred[None]:
        """virNodeDeviceDettach."""

    @procedure(119, api="virNodeDeviceReAttach", access="node_device:detach", since="0.6.1")
    def nodeDeviceReAttach(self, name: WireString) -> Deferred[None]:
        """virNodeDeviceReAttach."""

    @procedure(120, api="virNodeDeviceReset", access="node_device:detach", since="0.6.1")
    def nodeDeviceReset(self, name: WireString) -> Deferred[None]:
        """virNodeDeviceReset."""

    @procedure(
        121,
        api="virDomainGetSecurityLabel",
        priority=True,
        access="domain:read",
        readOnly=True,
        since="0.6.1",
    )
    def domainGetSecurityLabel(self, dom: DomainRef) -> Deferred[DomainGetSecurityLabelResult]:
        """virDomainGetSecurityLabel."""

    @procedure(
        122,
        api="virNodeGetSecurityModel",
        priority=True,
        access="connect:read",
        readOnly=True,
        since="0.6.1",
    )
    def nodeGetSecurityModel(self) -> Deferred[NodeGetSecurityModelResult]:
        """virNodeGetSecurityModel."""

    @procedure(
        123,
        api="virNodeDeviceCreateXML",
        access=("node_device:write", "node_device:start"),
        since="0.6.3",
    )
    def nodeDeviceCreateXML(self, xmlDesc: WireString, flags: UInt32) -> Deferred[NodeDeviceRef]:
        """virNodeDeviceCreateXML; flags: virNodeDeviceCreateXMLFlags."""

    @procedure(
        124, api="virNodeDeviceDestroy", priority=True, access="node_device:stop", since="0.6.3"
    )
    def nodeDeviceDestroy(self, name: WireString) -> Deferred[None]:
        """virNodeDeviceDestroy."""

    @procedure(125, api="virStorageVolCreateXMLFrom", access="storage_vol:create", since="0.6.4")
    def storageVolCreateXMLFrom(
        self, pool: StoragePoolRef, xml: WireString, clonevol: StorageVolRef, flags: UInt32
    ) -> Deferred[StorageVolRef]:
        """virStorageVolCreateXMLFrom; flags: virStorageVolCreateFlags."""

    @procedure(
        126,
        api="virConnectNumOfInterfaces",
        priority=True,
        access="connect:search_interfaces",
        filters="interface:getattr",
        readOnly=True,
        since="0.6.4",
    )
    def connectNumOfInterfaces(self) -> Deferred[Int32]:
        """virConnectNumOfInterfaces."""

    @procedure(
        127,
        api="virConnectListInterfaces",
        priority=True,
        access="connect:search_interfaces",
        filters="interface:getattr",
        readOnly=True,
        since="0.6.4",
    )
    def connectListInterfaces(
        self, maxnames: Int32
    ) -> Deferred[Annotated[list[WireString], Max(16384)]]:
        """virConnectListInterfaces."""

    @procedure(
        128,
        api="virInterfaceLookupByName",
        priority=True,
        access="interface:getattr",
        readOnly=True,
        since="0.6.4",
    )
    def interfaceLookupByName(self, name: WireString) -> Deferred[InterfaceRef]:
        """virInterfaceLookupByName."""

    @procedure(
        129,
        api="virInterfaceLookupByMACString",
        priority=True,
        access="interface:getattr",
        readOnly=True,
        since="0.6.4",
    )
    def interfaceLookupByMACString(self, mac: WireString) -> Deferred[InterfaceRef]:
        """virInterfaceLookupByMACString."""

    @procedure(
        130, api="virInterfaceGetXMLDesc", access="interface:read", readOnly=True, since="0.6.4"
    )
    def interfaceGetXMLDesc(self, iface: InterfaceRef, flags: UInt32) -> Deferred[WireString]:
        """virInterfaceGetXMLDesc."""

    @procedure(
        131,
        api="virInterfaceDefineXML",
        priority=True,
        access=("interface:write", "interface:save"),
        since="0.6.4",
    )
    def interfaceDefineXML(self, xml: WireString, flags: UInt32) -> Deferred[InterfaceRef]:
        """virInterfaceDefineXML."""

    @procedure(
        132, api="virInterfaceUndefine", priority=True, access="interface:delete", since="0.6.4"
    )
    def interfaceUndefine(self, iface: InterfaceRef) -> Deferred[None]:
        """virInterfaceUndefine."""

    @procedure(133, api="virInterfaceCreate", access="interface:start", since="0.6.4")
    def interfaceCreate(self, iface: InterfaceRef, flags: UInt32) -> Deferred[None]:
        """virInterfaceCreate."""

    @procedure(
        134, api="virInterfaceDestroy", priority=True, access="interface:stop", since="0.6.4"
    )
    def interfaceDestroy(self, iface: InterfaceRef, flags: UInt32) -> Deferred[None]:
        """virInterfaceDestroy."""

    @procedure(135, api="virConnectDomainXMLFromNative", access="connect:write", since="0.6.4")
    def connectDomainXMLFromNative(
        self, nativeFormat: WireString, nativeConfig: WireString, flags: UInt32
    ) -> Deferred[WireString]:
        """virConnectDomainXMLFromNative."""

    @procedure(136, api="virConnectDomainXMLToNative", access="connect:write", since="0.6.4")
    def connectDomainXMLToNative(
        self, nativeFormat: WireString, domainXML: WireString, flags: UInt32
    ) -> Deferred[WireString]:
        """virConnectDomainXMLToNative."""

    @procedure(
        137,
        api="virConnectNumOfDefinedInterfaces",
        priority=True,
        access="connect:search_interfaces",
        filters="interface:getattr",
        readOnly=True,
        since="0.7.0",
    )
    def connectNumOfDefinedInterfaces(self) -> Deferred[Int32]:
        """virConnectNumOfDefinedInterfaces."""

    @procedure(
        138,
        api="virConnectListDefinedInterfaces",
        priority=True,
        access="connect:search_interfaces",
        filters="interface:getattr",
        readOnly=True,
        since="0.7.0",
    )
    def connectListDefinedInterfaces(
        self, maxnames: Int32
    ) -> Deferred[Annotated[list[WireString], Max(16384)]]:
        """virConnectListDefinedInterfaces."""

    @procedure(
        139,
        api="virConnectNumOfSecrets",
        priority=True,
        access="connect:search_secrets",
        filters="secret:getattr",
        readOnly=True,
        since="0.7.1",
    )
    def connectNumOfSecrets(self) -> Deferred[Int32]:
        """virConnectNumOfSecrets."""

    @procedure(
        140,
        api="virConnectListSecrets",
        priority=True,
        access="connect:search_secrets",
        filters="secret:getattr",
        readOnly=True,
        since="0.7.1",
    )
    def connectListSecrets(
        self, maxuuids: Int32
    ) -> Deferred[Annotated[list[WireString], Max(16384)]]:
        """virConnectListSecrets."""

    @procedure(
        141,
        api="virSecretLookupByUUID",
        priority=True,
        access="secret:getattr",
        readOnly=True,
        since="0.7.1",
    )
    def secretLookupByUUID(self, uuid: UUID) -> Deferred[SecretRef]:
        """virSecretLookupByUUID."""

    @procedure(
        142,
        api="virSecretDefineXML",
        priority=True,
        access=("secret:write", "secret:save"),
        since="0.7.1",
    )
    def secretDefineXML(self, xml: WireString, flags: UInt32) -> Deferred[SecretRef]:
        """virSecretDefineXML."""

    @procedure(
        143,
        api="virSecretGetXMLDesc",
        priority=True,
        access="secret:read",
        readOnly=True,
        since="0.7.1",
    )
    def secretGetXMLDesc(self, secret: SecretRef, flags: UInt32) -> Deferred[WireString]:
        """virSecretGetXMLDesc."""

    @procedure(144, api="virSecretSetValue", priority=True, access="secret:write", since="0.7.1")
    def secretSetValue(
        self, secret: SecretRef, value: Annotated[bytes, Opaque(65536)], flags: UInt32
    ) -> Deferred[None]:
        """virSecretSetValue."""

    @procedure(
        145, api="virSecretGetValue", priority=True, access="secret:read_secure", since="0.7.1"
    )
    def secretGetValue(
        self, secret: SecretRef, flags: UInt32
    ) -> Deferred[Annotated[bytes, Opaque(65536)]]:
        """virSecretGetValue."""

    @procedure(146, api="virSecretUndefine", priority=True, access="secret:delete", since="0.7.1")
    def secretUndefine(self, secret: SecretRef) -> Deferred[None]:
        """virSecretUndefine."""

    @procedure(
        147,
        api="virSecretLookupByUsage",
        priority=True,
        access="secret:getattr",
        readOnly=True,
        since="0.7.1",
    )
    def secretLookupByUsage(self, usageType: Int32, usageID: WireString) -> Deferred[SecretRef]:
        """virSecretLookupByUsage."""

    @procedure(148, access=("domain:migrate", "domain:start", "domain:write"), stream="write")
    def domainMigratePrepareTunnel(
        self, flags: UHyper, dname: WireString | None, bandwidth: UHyper, domXML: WireString
    ) -> Deferred[None]:
        """Domain migrate prepare tunnel."""

    @procedure(149, api="virConnectIsSecure", priority=True, readOnly=True, since="0.7.3")
    def connectIsSecure(self) -> Deferred[Bool]:
        """virConnectIsSecure."""

    @procedure(
        150,
        api="virDomainIsActive",
        priority=True,
        access="domain:read",
        readOnly=True,
        since="0.7.3",
    )
    def domainIsActive(self, dom: DomainRef) -> Deferred[Bool]:
        """virDomainIsActive."""

    @procedure(
        151,
        api="virDomainIsPersistent",
        priority=True,
        access="domain:read",
        readOnly=True,
        since="0.7.3",
    )
    def domainIsPersistent(self, dom: DomainRef) -> Deferred[Bool]:
        """virDomainIsPersistent."""

    @procedure(
        152,
        api="virNetworkIsActive",
        priority=True,
        access="network:read",
        readOnly=True,
        since="0.7.3",
    )
    def networkIsActive(self, net: NetworkRef) -> Deferred[Bool]:
        """virNetworkIsActive."""

    @procedure(
        153,
        api="virNetworkIsPersistent",
        priority=True,
        access="network:read",
        readOnly=True,
        since="0.7.3",
    )
    def networkIsPersistent(self, net: NetworkRef) -> Deferred[Bool]:
        """virNetworkIsPersistent."""

    @procedure(
        154,
        api="virStoragePoolIsActive",
        priority=True,
        access="storage_pool:read",
        readOnly=True,
        since="0.7.3",
    )
    def storagePoolIsActive(self, pool: StoragePoolRef) -> Deferred[Bool]:
        """virStoragePoolIsActive."""

    @procedure(
        155,
        api="virStoragePoolIsPersistent",
        priority=True,
        access="storage_pool:read",
        readOnly=True,
        since="0.7.3",
    )
    def storagePoolIsPersistent(self, pool: StoragePoolRef) -> Deferred[Bool]:
        """virStoragePoolIsPersistent."""

    @procedure(
        156,
        api="virInterfaceIsActive",
        priority=True,
        access="interface:read",
        readOnly=True,
        since="0.7.3",
    )
    def interfaceIsActive(self, iface: InterfaceRef) -> Deferred[Bool]:
        """virInterfaceIsActive."""

    @procedure(
        157,
        api="virConnectGetLibVersion",
        priority=True,
        access="connect:getattr",
        readOnly=True,
        since="0.7.3",
    )
    def connectGetLibVersion(self) -> Deferred[UHyper]:
        """virConnectGetLibVersion."""

    @procedure(
        158,
        api="virConnectCompareCPU",
        priority=True,
        access="connect:read",
        readOnly=True,
        since="0.7.5",
    )
    def connectCompareCPU(self, xml: WireString, flags: UInt32) -> Deferred[Int32]:
        """virConnectCompareCPU; flags: virConnectCompareCPUFlags."""

    @procedure(159, api="virDomainMemoryStats", access="domain:read", readOnly=True, since="0.7.5")
    def domainMemoryStats(
        self, dom: DomainRef, maxStats: UInt32, flags: UInt32
    ) -> Deferred[Annotated[list[DomainMemoryStat], Max(1024)]]:
        """virDomainMemoryStats."""

    @procedure(
        160,
        api="virDomainAttachDeviceFlags",
        access=(
            "domain:write",
            "domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE",
            "domain:save:VIR_DOMAIN_AFFECT_CONFIG",
        ),
        since="0.7.7",
    )
    def domainAttachDeviceFlags(
        self, dom: DomainRef, xml: WireString, flags: UInt32
    ) -> Deferred[None]:
        """virDomainAttachDeviceFlags."""

    @procedure(
        161,
        api="virDomainDetachDeviceFlags",
        access=(
            "domain:write",
            "domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE",
            "domain:save:VIR_DOMAIN_AFFECT_CONFIG",
        ),
        since="0.7.7",
    )
    def domainDetachDeviceFlags(
        self, dom: DomainRef, xml: WireString, flags: UInt32
    ) -> Deferred[None]:
        """virDomainDetachDeviceFlags."""

    @procedure(
        162, api="virConnectBaselineCPU", access="connect:read", readOnly=True, since="0.7.7"
    )
    def connectBaselineCPU(
        self, xmlCPUs: Annotated[list[WireString], Max(256)], flags: UInt32
    ) -> Deferred[WireString]:
        """virConnectBaselineCPU; flags: virConnectBaselineCPUFlags."""

    @procedure(163, api="virDomainGetJobInfo", access="domain:read", readOnly=True, since="0.7.7")
    def domainGetJobInfo(self, dom: DomainRef) -> Deferred[DomainGetJobInfoResult]:
        """virDomainGetJobInfo."""

    @procedure(164, api="virDomainAbortJob", access="domain:write", since="0.7.7")
    def domainAbortJob(self, dom: DomainRef) -> Deferred[None]:
        """virDomainAbortJob."""

    @procedure(165, api="virStorageVolWipe", access="storage_vol:format", since="0.8.0")
    def storageVolWipe(self, vol: StorageVolRef, flags: UInt32) -> Deferred[None]:
        """virStorageVolWipe."""

    @procedure(166, api="virDomainMigrateSetMaxDowntime", access="domain:migrate", since="0.8.0")
    def domainMigrateSetMaxDowntime(
        self, dom: DomainRef, downtime: UHyper, flags: UInt32
    ) -> Deferred[None]:
        """virDomainMigrateSetMaxDowntime."""

    @procedure(
        167,
        api="virConnectDomainEventRegisterAny",
        priority=True,
        access="connect:search_domains",
        filters="domain:getattr",
        readOnly=True,
        since="0.8.0",
    )
    def connectDomainEventRegisterAny(self, eventID: Int32) -> Deferred[None]:
        """virConnectDomainEventRegisterAny."""

    @procedure(
        168,
        api="virConnectDomainEventDeregisterAny",
        priority=True,
        access="connect:read",
        readOnly=True,
        since="0.8.0",
    )
    def connectDomainEventDeregisterAny(self, eventID: Int32) -> Deferred[None]:
        """virConnectDomainEventDeregisterAny."""

    @event(169)
    def domainEventReboot(self, dom: DomainRef) -> None:
        """VIR_DOMAIN_EVENT_ID_REBOOT. For callbacks registered without an id."""

    @event(170)
    def domainEventRTCChange(self, dom: DomainRef, offset: Hyper) -> None:
        """VIR_DOMAIN_EVENT_ID_RTC_CHANGE. For callbacks registered without an id."""

    @event(171)
    def domainEventWatchdog(self, dom: DomainRef, action: Int32) -> None:
        """VIR_DOMAIN_EVENT_ID_WATCHDOG. For callbacks registered without an id."""

    @event(172)
    def domainEventIOError(
        self, dom: DomainRef, srcPath: WireString, devAlias: WireString, action: Int32
    ) -> None:
        """VIR_DOMAIN_EVENT_ID_IO_ERROR. For callbacks registered without an id."""

    @event(173)
    def domainEventGraphics(
        self,
        dom: DomainRef,
        phase: Int32,
        local: DomainEventGraphicsAddress,
        remote: DomainEventGraphicsAddress,
        authScheme: WireString,
        subject: Annotated[list[DomainEventGraphicsIdentity], Max(20)],
    ) -> None:
        """VIR_DOMAIN_EVENT_ID_GRAPHICS. For callbacks registered without an id."""

    @procedure(
        174,
        api="virDomainUpdateDeviceFlags",
        access=(
            "domain:write",
            "domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE",
            "domain:save:VIR_DOMAIN_AFFECT_CONFIG",
        ),
        since="0.8.0",
    )
    def domainUpdateDeviceFlags(
        self, dom: DomainRef, xml: WireString, flags: UInt32
    ) -> Deferred[None]:
        """virDomainUpdateDeviceFlags; flags: virDomainDeviceModifyFlags."""

    @procedure(
        175,
        api="virNWFilterLookupByName",
        priority=True,
        access="nwfilter:getattr",
        readOnly=True,
        since="0.8.0",
    )
    def nwfilterLookupByName(self, name: WireString) -> Deferred[NWFilterRef]:
        """virNWFilterLookupByName."""

    @procedure(
        176,
        api="virNWFilterLookupByUUID",
        priority=True,
        access="nwfilter:getattr",
        readOnly=True,
        since="0.8.0",
    )
    def nwfilterLookupByUUID(self, uuid: UUID) -> Deferred[NWFilterRef]:
        """virNWFilterLookupByUUID."""

    @procedure(
        177,
        api="virNWFilterGetXMLDesc",
        priority=True,
        access="nwfilter:read",
        readOnly=True,
        since="0.8.0",
    )
    def nwfilterGetXMLDesc(self, nwfilter: NWFilterRef, flags: UInt32) -> Deferred[WireString]:
        """virNWFilterGetXMLDesc."""

    @procedure(
        178,
        api="virConnectNumOfNWFilters",
        priority=True,
        access="connect:search_nwfilters",
        filters="nwfilter:getattr",
        readOnly=True,
        since="0.8.0",
    )
    def connectNumOfNWFilters(self) -> Deferred[Int32]:
        """virConnectNumOfNWFilters."""

    @procedure(
        179,
        api="virConnectListNWFilters",
        priority=True,
        access="connect:search_nwfilters",
        filters="nwfilter:getattr",
        readOnly=True,
        since="0.8.0",
    )
    def connectListNWFilters(
        self, maxnames: Int32
    ) -> Deferred[Annotated[list[WireString], Max(16384)]]:
        """virConnectListNWFilters."""

    @procedure(
        180,
        api="virNWFilterDefineXML",
        priority=True,
        access=("nwfilter:write", "nwfilter:save"),
        since="0.8.0",
    )
    def nwfilterDefineXML(self, xml: WireString) -> Deferred[NWFilterRef]:
        """virNWFilterDefineXML."""

    @procedure(
        181, api="virNWFilterUndefine", priority=True, access="nwfilter:delete", since="0.8.0"
    )
    def nwfilterUndefine(self, nwfilter: NWFilterRef) -> Deferred[None]:
        """virNWFilterUndefine."""

    @procedure(182, api="virDomainManagedSave", access="domain:hibernate", since="0.8.0")
    def domainManagedSave(self, dom: DomainRef, flags: UInt32) -> Deferred[None]:
        """virDomainManagedSave."""

    @procedure(
        183, api="virDomainHasManagedSaveImage", access="domain:read", readOnly=True, since="0.8.0"
    )
    def domainHasManagedSaveImage(self, dom: DomainRef, flags: UInt32) -> Deferred[Bool]:
        """virDomainHasManagedSaveImage."""

    @procedure(184, api="virDomainManagedSaveRemove", access="domain:hibernate", since="0.8.0")
    def domainManagedSaveRemove(self, dom: DomainRef, flags: UInt32) -> Deferred[None]:
        """virDomainManagedSaveRemove."""

    @procedure(
        185,
        api="virDomainSnapshotCreateXML",
        access=("domain:snapshot", "domain:fs_freeze:VIR_DOMAIN_SNAPSHOT_CREATE_QUIESCE"),
        since="0.8.0",
    )
    def domainSnapshotCreateXML(
        self, dom: DomainRef, xmlDesc: WireString, flags: UInt32
    ) -> Deferred[DomainSnapshotRef]:
        """virDomainSnapshotCreateXML."""

    @procedure(
        186,
        api="virDomainSnapshotGetXMLDesc",
        priority=True,
        access=("domain:read", "domain:read_secure:VIR_DOMAIN_SNAPSHOT_XML_SECURE"),
        readOnly=ReadOnly(True, 1),
        since="0.8.0",
    )
    def domainSnapshotGetXMLDesc(
        self, snap: DomainSnapshotRef, flags: UInt32
    ) -> Deferred[WireString]:
        """virDomainSnapshotGetXMLDesc."""

    @procedure(
        187,
        api="virDomainSnapshotNum",
        priority=True,
        access="domain:read",
        readOnly=True,
        since="0.8.0",
    )
    def domainSnapshotNum(self, dom: DomainRef, flags: UInt32) -> Deferred[Int32]:
        """virDomainSnapshotNum."""

    @procedure(
        188,
        api="virDomainSnapshotListNames",
        priority=True,
        access="domain:read",
        readOnly=True,
        since="0.8.0",
    )
    def domainSnapshotListNames(
        self, dom: DomainRef, maxnames: Int32, flags: UInt32
    ) -> Deferred[Annotated[list[WireString], Max(16384)]]:
        """virDomainSnapshotListNames."""

    @procedure(
        189,
        api="virDomainSnapshotLookupByName",
        priority=True,
        access="domain:read",
        readOnly=True,
        since="0.8.0",
    )
    def domainSnapshotLookupByName(
        self, dom: DomainRef, name: WireString, flags: UInt32
    ) -> Deferred[DomainSnapshotRef]:
        """virDomainSnapshotLookupByName."""

    @procedure(
        190, api="virDomainHasCurrentSnapshot", access="domain:read", readOnly=True, since="0.8.0"
    )
    def domainHasCurrentSnapshot(self, dom: DomainRef, flags: UInt32) -> Deferred[Bool]:
        """virDomainHasCurrentSnapshot."""

    @procedure(
        191, api="virDomainSnapshotCurrent", access="domain:read", readOnly=True, since="0.8.0"
    )
    def domainSnapshotCurrent(self, dom: DomainRef, flags: UInt32) -> Deferred[DomainSnapshotRef]:
        """virDomainSnapshotCurrent."""

    @procedure(192, api="virDomainRevertToSnapshot", access="domain:snapshot", since="0.8.0")
    def domainRevertToSnapshot(self, snap: DomainSnapshotRef, flags: UInt32) -> Deferred[None]:
        """virDomainRevertToSnapshot."""

    @procedure(193, api="virDomainSnapshotDelete", access="domain:snapshot", since="0.8.0")
    def domainSnapshotDelete(self, snap: DomainSnapshotRef, flags: UInt32) -> Deferred[None]:
        """virDomainSnapshotDelete; flags: virDomainSnapshotDeleteFlags."""

    @procedure(194, api="virDomainGetBlockInfo", access="domain:read", readOnly=True, since="0.8.1")
    def domainGetBlockInfo(
        self, dom: DomainRef, path: WireString, flags: UInt32
    ) -> Deferred[DomainGetBlockInfoResult]:
        """virDomainGetBlockInfo."""

    @event(195)
    def domainEventIOErrorReason(
        self,
        dom: DomainRef,
        srcPath: WireString,
        devAlias: WireString,
        action: Int32,
        reason: WireString,
    ) -> None:
        """VIR_DOMAIN_EVENT_ID_IO_ERROR_REASON. For callbacks registered without an id."""

    @procedure(196, api="virDomainCreateWithFlags", access="domain:start", since="0.8.2")
    def domainCreateWithFlags(self, dom: DomainRef, flags: UInt32) -> Deferred[DomainRef]:
        """virDomainCreateWithFlags."""

    @procedure(
        197,
        api="virDomainSetMemoryParameters",
        access=(
            "domain:write",
            "domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE",
            "domain:save:VIR_DOMAIN_AFFECT_CONFIG",
        ),
        since="0.8.5",
    )
    def domainSetMemoryParameters(
        self, dom: DomainRef, params: Annotated[list[TypedParam], Max(16)], flags: UInt32
    ) -> Deferred[None]:
        """virDomainSetMemoryParameters."""

    @procedure(
        198, api="virDomainGetMemoryParameters", access="domain:read", readOnly=True, since="0.8.5"
    )
    def domainGetMemoryParameters(
        self, dom: DomainRef, nparams: Int32, flags: UInt32
    ) -> Deferred[DomainGetMemoryParametersResult]:
        """virDomainGetMemoryParameters."""

    @procedure(
        199,
        api="virDomainSetVcpusFlags",
        access=(
            "domain:write",
            "domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE",
            "domain:save:VIR_DOMAIN_AFFECT_CONFIG",
            "domain:write:VIR_DOMAIN_VCPU_GUEST",
        ),
        since="0.8.5",
    )
    def domainSetVcpusFlags(self, dom: DomainRef, nvcpus: UInt32, flags: UInt32) -> Deferred[None]:
        """virDomainSetVcpusFlags."""

    @procedure(
        200,
        api="virDomainGetVcpusFlags",
        access=("domain:read", "domain:write:VIR_DOMAIN_VCPU_GUEST"),
        readOnly=ReadOnly(True, 8),
        since="0.8.5",
    )
    def domainGetVcpusFlags(self, dom: DomainRef, flags: UInt32) -> Deferred[Int32]:
        """virDomainGetVcpusFlags."""

    @procedure(
        201, api="virDomainOpenConsole", access="domain:open_device", stream="read", since="0.8.6"
    )
    def domainOpenConsole(
        self, dom: DomainRef, devName: WireString | None, flags: UInt32
    ) -> Deferred[None]:
        """virDomainOpenConsole."""

    @procedure(
        202,
        api="virDomainIsUpdated",
        priority=True,
        access="domain:read",
        readOnly=True,
        since="0.8.6",
    )
    def domainIsUpdated(self, dom: DomainRef) -> Deferred[Bool]:
        """virDomainIsUpdated."""

    @procedure(
        203,
        api="virConnectGetSysinfo",
        priority=True,
        access="connect:read",
        readOnly=True,
        since="0.8.8",
    )
    def connectGetSysinfo(self, flags: UInt32) -> Deferred[WireString]:
        """virConnectGetSysinfo."""

    @procedure(
        204,
        api="virDomainSetMemoryFlags",
        access=(
            "domain:write",
            "domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE",
            "domain:save:VIR_DOMAIN_AFFECT_CONFIG",
        ),
        since="0.9.0",
    )
    def domainSetMemoryFlags(self, dom: DomainRef, memory: UHyper, flags: UInt32) -> Deferred[None]:
        """virDomainSetMemoryFlags."""

    @procedure(
        205,
        api="virDomainSetBlkioParameters",
        access=(
            "domain:write",
            "domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE",
            "domain:save:VIR_DOMAIN_AFFECT_CONFIG",
        ),
        since="0.9.0",
    )
    def domainSetBlkioParameters(
        self, dom: DomainRef, params: Annotated[list[TypedParam], Max(16)], flags: UInt32
    ) -> Deferred[None]:
        """virDomainSetBlkioParameters."""

    @procedure(
        206, api="virDomainGetBlkioParameters", access="domain:read", readOnly=True, since="0.9.0"
    )
    def domainGetBlkioParameters(
        self, dom: DomainRef, nparams: Int32, flags: UInt32
    ) -> Deferred[DomainGetBlkioParametersResult]:
        """virDomainGetBlkioParameters."""

    @procedure(207, api="virDomainMigrateSetMaxSpeed", access="domain:migrate", since="0.9.0")
    def domainMigrateSetMaxSpeed(
        self, dom: DomainRef, bandwidth: UHyper, flags: UInt32
    ) -> Deferred[None]:
        """virDomainMigrateSetMaxSpeed."""

    @procedure(
        208,
        api="virStorageVolUpload",
        access="storage_vol:data_write",
        stream="write",
        sparse="VIR_STORAGE_VOL_UPLOAD_SPARSE_STREAM",
        since="0.9.0",
    )
    def storageVolUpload(
        self, vol: StorageVolRef, offset: UHyper, length: UHyper, flags: UInt32
    ) -> Deferred[None]:
        """virStorageVolUpload; flags: virStorageVolUploadFlags."""

    @procedure(
        209,
        api="virStorageVolDownload",
        access="storage_vol:data_read",
        stream="read",
        sparse="VIR_STORAGE_VOL_DOWNLOAD_SPARSE_STREAM",
        since="0.9.0",
    )
    def storageVolDownload(
        self, vol: StorageVolRef, offset: UHyper, length: UHyper, flags: UInt32
    ) -> Deferred[None]:
        """virStorageVolDownload; flags: virStorageVolDownloadFlags."""

    @procedure(210, api="virDomainInjectNMI", access="domain:inject_nmi", since="0.9.2")
    def domainInjectNMI(self, dom: DomainRef, flags: UInt32) -> Deferred[None]:
        """virDomainInjectNMI."""

    @procedure(
        211, api="virDomainScreenshot", access="domain:screenshot", stream="read", since="0.9.2"
    )
    def domainScreenshot(
        self, dom: DomainRef, screen: UInt32, flags: UInt32
    ) -> Deferred[WireString | None]:
        """virDomainScreenshot."""

    @procedure(
        212,
        api="virDomainGetState",
        priority=True,
        access="domain:read",
        readOnly=True,
        since="0.9.2",
    )
    def domainGetState(self, dom: DomainRef, flags: UInt32) -> Deferred[DomainGetStateResult]:
        """virDomainGetState."""

    @procedure(213, access="domain:migrate")
    def domainMigrateBegin3(
        self,
        dom: DomainRef,
        xmlin: WireString | None,
        flags: UHyper,
        dname: WireString | None,
        bandwidth: UHyper,
    ) -> Deferred[DomainMigrateBegin3Result]:
        """Domain migrate begin3."""

    @procedure(214, access=("domain:migrate", "domain:start", "domain:write"))
    def domainMigratePrepare3(
        self,
        cookieIn: Annotated[bytes, Opaque(4194304)],
        uriIn: WireString | None,
        flags: UHyper,
        dname: WireString | None,
        bandwidth: UHyper,
        domXML: WireString,
    ) -> Deferred[DomainMigratePrepare3Result]:
        """Domain migrate prepare3."""

    @procedure(215, access=("domain:migrate", "domain:start", "domain:write"), stream="write")
    def domainMigratePrepareTunnel3(
        self,
        cookieIn: Annotated[bytes, Opaque(4194304)],
        flags: UHyper,
        dname: WireString | None,
        bandwidth: UHyper,
        domXML: WireString,
    ) -> Deferred[Annotated[bytes, Opaque(4194304)]]:
        """Domain migrate prepare tunnel3."""

    @procedure(216, access="domain:migrate")
    def domainMigratePerform3(
        self,
        dom: DomainRef,
        xmlin: WireString | None,
        cookieIn: Annotated[bytes, Opaque(4194304)],
        dconnuri: WireString | None,
        uri: WireString | None,
        flags: UHyper,
        dname: WireString | None,
        bandwidth: UHyper,
    ) -> Deferred[Annotated[bytes, Opaque(4194304)]]:
        """Domain migrate perform3."""

    @procedure(217, access="domain:migrate")
    def domainMigrateFinish3(
        self,
        dname: WireString,
        cookieIn: Annotated[bytes, Opaque(4194304)],
        dconnuri: WireString | None,
        uri: WireString | None,
        flags: UHyper,
        cancelled: Bool,
    ) -> Deferred[DomainMigrateFinish3Result]:
        """Domain migrate finish3."""

    @procedure(218, access="domain:migrate")
    def domainMigrateConfirm3(
        self,
        dom: DomainRef,
        cookieIn: Annotated[bytes, Opaque(4194304)],
        flags: UHyper,
        cancelled: Bool,
    ) -> Deferred[None]:
        """Domain migrate confirm3."""

    @procedure(
        219,
        api="virDomainSetSchedulerParametersFlags",
        access=(
            "domain:write",
            "domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE",
            "domain:save:VIR_DOMAIN_AFFECT_CONFIG",
        ),
        since="0.9.2",
    )
    def domainSetSchedulerParametersFlags(
        self, dom: DomainRef, params: Annotated[list[TypedParam], Max(16)], flags: UInt32
    ) -> Deferred[None]:
        """virDomainSetSchedulerParametersFlags."""

    @procedure(
        220, api="virInterfaceChangeBegin", access="connect:interface_transaction", since="0.9.2"
    )
    def interfaceChangeBegin(self, flags: UInt32) -> Deferred[None]:
        """virInterfaceChangeBegin."""

    @procedure(
        221, api="virInterfaceChangeCommit", access="connect:interface_transaction", since="0.9.2"
    )
    def interfaceChangeCommit(self, flags: UInt32) -> Deferred[None]:
        """virInterfaceChangeCommit."""

    @procedure(
        222, api="virInterfaceChangeRollback", access="connect:interface_transaction", since="0.9.2"
    )
    def interfaceChangeRollback(self, flags: UInt32) -> Deferred[None]:
        """virInterfaceChangeRollback."""

    @procedure(
        223,
        api="virDomainGetSchedulerParametersFlags",
        access="domain:read",
        readOnly=True,
        since="0.9.2",
    )
    def domainGetSchedulerParametersFlags(
        self, dom: DomainRef, nparams: Int32, flags: UInt32
    ) -> Deferred[Annotated[list[TypedParam], Max(16)]]:
        """virDomainGetSchedulerParametersFlags."""

    @event(224)
    def domainEventControlError(self, dom: DomainRef) -> None:
        """VIR_DOMAIN_EVENT_ID_CONTROL_ERROR. For callbacks registered without an id."""

    @procedure(
        225,
        api="virDomainPinVcpuFlags",
        access=(
            "domain:write",
            "domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE",
            "domain:save:VIR_DOMAIN_AFFECT_CONFIG",
        ),
        since="0.9.3",
    )
    def domainPinVcpuFlags(
        self, dom: DomainRef, vcpu: UInt32, cpumap: Annotated[bytes, Opaque(2048)], flags: UInt32
    ) -> Deferred[None]:
        """virDomainPinVcpuFlags."""

    @procedure(226, api="virDomainSendKey", access="domain:send_input", since="0.9.3")
    def domainSendKey(
        self,
        dom: DomainRef,
        codeset: UInt32,
        holdtime: UInt32,
        keycodes: Annotated[list[UInt32], Max(16)],
        flags: UInt32,
    ) -> Deferred[None]:
        """virDomainSendKey."""

    @procedure(
        227,
        api="virNodeGetCPUStats",
        priority=True,
        access="connect:read",
        readOnly=True,
        since="0.9.3",
    )
    def nodeGetCPUStats(
        self, cpuNum: Int32, nparams: Int32, flags: UInt32
    ) -> Deferred[NodeGetCPUStatsResult]:
        """virNodeGetCPUStats."""

    @procedure(
        228,
        api="virNodeGetMemoryStats",
        priority=True,
        access="connect:read",
        readOnly=True,
        since="0.9.3",
    )
    def nodeGetMemoryStats(
        self, nparams: Int32, cellNum: Int32, flags: UInt32
    ) -> Deferred[NodeGetMemoryStatsResult]:
        """virNodeGetMemoryStats."""

    @procedure(
        229,
        api="virDomainGetControlInfo",
        priority=True,
        access="domain:read",
        readOnly=True,
        since="0.9.3",
    )
    def domainGetControlInfo(
        self, dom: DomainRef, flags: UInt32
    ) -> Deferred[DomainGetControlInfoResult]:
        """virDomainGetControlInfo."""

    @procedure(
        230, api="virDomainGetVcpuPinInfo", access="domain:read", readOnly=True, since="0.9.3"
    )
    def domainGetVcpuPinInfo(
        self, dom: DomainRef, ncpumaps: Int32, maplen: Int32, flags: UInt32
    ) -> Deferred[DomainGetVcpuPinInfoResult]:
        """virDomainGetVcpuPinInfo."""

    @procedure(
        231, api="virDomainUndefineFlags", priority=True, access="domain:delete", since="0.9.4"
    )
    def domainUndefineFlags(self, dom: DomainRef, flags: UInt32) -> Deferred[None]:
        """virDomainUndefineFlags; flags: virDomainUndefineFlagsValues."""

    @procedure(232, api="virDomainSaveFlags", access="domain:hibernate", since="0.9.4")
    def domainSaveFlags(
        self, dom: DomainRef, to: WireString, dxml: WireString | None, flags: UInt32
    ) -> Deferred[None]:
        """virDomainSaveFlags."""

    @procedure(
        233, api="virDomainRestoreFlags", access=("domain:start", "domain:write"), since="0.9.4"
    )
    def domainRestoreFlags(
        self, from_: WireString, dxml: WireString | None, flags: UInt32
    ) -> Deferred[None]:
        """virDomainRestoreFlags."""

    @procedure(234, api="virDomainDestroyFlags", priority=True, access="domain:stop", since="0.9.4")
    def domainDestroyFlags(self, dom: DomainRef, flags: UInt32) -> Deferred[None]:
        """virDomainDestroyFlags; flags: virDomainDestroyFlagsValues."""

    @procedure(
        235, api="virDomainSaveImageGetXMLDesc", priority=True, access="domain:write", since="0.9.4"
    )
    def domainSaveImageGetXMLDesc(self, file: WireString, flags: UInt32) -> Deferred[WireString]:
        """virDomainSaveImageGetXMLDesc."""

    @procedure(
        236,
        api="virDomainSaveImageDefineXML",
        priority=True,
        access=("domain:write", "domain:hibernate"),
        since="0.9.4",
    )
    def domainSaveImageDefineXML(
        self, file: WireString, dxml: WireString, flags: UInt32
    ) -> Deferred[None]:
        """virDomainSaveImageDefineXML."""

    @procedure(237, api="virDomainBlockJobAbort", access="domain:write", since="0.9.4")
    def domainBlockJobAbort(
        self, dom: DomainRef, path: WireString, flags: UInt32
    ) -> Deferred[None]:
        """virDomainBlockJobAbort; flags: virDomainBlockJobAbortFlags."""

    @procedure(
        238, api="virDomainGetBlockJobInfo", access="domain:read", readOnly=True, since="0.9.4"
    )
    def domainGetBlockJobInfo(
        self, dom: DomainRef, path: WireString, flags: UInt32
    ) -> Deferred[DomainGetBlockJobInfoResult]:
        """virDomainGetBlockJobInfo."""

    @procedure(239, api="virDomainBlockJobSetSpeed", access="domain:write", since="0.9.4")
    def domainBlockJobSetSpeed(
        self, dom: DomainRef, path: WireString, bandwidth: UHyper, flags: UInt32
    ) -> Deferred[None]:
        """virDomainBlockJobSetSpeed; flags: virDomainBlockJobSetSpeedFlags."""

    @procedure(240, api="virDomainBlockPull", access="domain:block_write", since="0.9.4")
    def domainBlockPull(
        self, dom: DomainRef, path: WireString, bandwidth: UHyper, flags: UInt32
    ) -> Deferred[None]:
        """virDomainBlockPull; flags: virDomainBlockPullFlags."""

    @event(241)
    def domainEventBlockJob(
        self, dom: DomainRef, path: WireString, type: Int32, status: Int32
    ) -> None:
        """VIR_DOMAIN_EVENT_ID_BLOCK_JOB. For callbacks registered without an id."""

    @procedure(242, api="virDomainMigrateGetMaxSpeed", access="domain:migrate", since="0.9.5")
    def domainMigrateGetMaxSpeed(self, dom: DomainRef, flags: UInt32) -> Deferred[UHyper]:
        """virDomainMigrateGetMaxSpeed."""

    @procedure(
        243, api="virDomainBlockStatsFlags", access="domain:read", readOnly=True, since="0.9.5"
    )
    def domainBlockStatsFlags(
        self, dom: DomainRef, path: WireString, nparams: Int32, flags: UInt32
    ) -> Deferred[DomainBlockStatsFlagsResult]:
        """virDomainBlockStatsFlags."""

    @procedure(
        244,
        api="virDomainSnapshotGetParent",
        priority=True,
        access="domain:read",
        readOnly=True,
        since="0.9.7",
    )
    def domainSnapshotGetParent(
        self, snap: DomainSnapshotRef, flags: UInt32
    ) -> Deferred[DomainSnapshotRef]:
        """virDomainSnapshotGetParent."""

    @procedure(245, api="virDomainReset", access="domain:reset", since="0.9.7")
    def domainReset(self, dom: DomainRef, flags: UInt32) -> Deferred[None]:
        """virDomainReset."""

    @procedure(
        246,
        api="virDomainSnapshotNumChildren",
        priority=True,
        access="domain:read",
        readOnly=True,
        since="0.9.7",
    )
    def domainSnapshotNumChildren(self, snap: DomainSnapshotRef, flags: UInt32) -> Deferred[Int32]:
        """virDomainSnapshotNumChildren."""

    @procedure(
        247,
        api="virDomainSnapshotListChildrenNames",
        priority=True,
        access="domain:read",
        readOnly=True,
        since="0.9.7",
    )
    def domainSnapshotListChildrenNames(
        self, snap: DomainSnapshotRef, maxnames: Int32, flags: UInt32
    ) -> Deferred[Annotated[list[WireString], Max(16384)]]:
        """virDomainSnapshotListChildrenNames."""

    @event(248)
    def domainEventDiskChange(
        self,
        dom: DomainRef,
        oldSrcPath: WireString | None,
        newSrcPath: WireString | None,
        devAlias: WireString,
        reason: Int32,
    ) -> None:
        """VIR_DOMAIN_EVENT_ID_DISK_CHANGE. For callbacks registered without an id."""

    @procedure(
        249, api="virDomainOpenGraphics", access="domain:open_graphics", fds="call", since="0.9.7"
    )
    def domainOpenGraphics(self, dom: DomainRef, idx: UInt32, flags: UInt32) -> Deferred[None]:
        """virDomainOpenGraphics; flags: virDomainOpenGraphicsFlags."""

    @procedure(250, api="virNodeSuspendForDuration", access="connect:pm_control", since="0.9.8")
    def nodeSuspendForDuration(
        self, target: UInt32, duration: UHyper, flags: UInt32
    ) -> Deferred[None]:
        """virNodeSuspendForDuration."""

    @procedure(251, api="virDomainBlockResize", access="domain:block_write", since="0.9.8")
    def domainBlockResize(
        self, dom: DomainRef, disk: WireString, size: UHyper, flags: UInt32
    ) -> Deferred[None]:
        """virDomainBlockResize; flags: virDomainBlockResizeFlags."""

    @procedure(
        252,
        api="virDomainSetBlockIoTune",
        access=(
            "domain:write",
            "domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE",
            "domain:save:VIR_DOMAIN_AFFECT_CONFIG",
        ),
        since="0.9.8",
    )
    def domainSetBlockIoTune(
        self,
        dom: DomainRef,
        disk: WireString,
        params: Annotated[list[TypedParam], Max(32)],
        flags: UInt32,
    ) -> Deferred[None]:
        """virDomainSetBlockIoTune."""

    @procedure(
        253, api="virDomainGetBlockIoTune", access="domain:read", readOnly=True, since="0.9.8"
    )
    def domainGetBlockIoTune(
        self, dom: DomainRef, disk: WireString | None, nparams: Int32, flags: UInt32
    ) -> Deferred[DomainGetBlockIoTuneResult]:
        """virDomainGetBlockIoTune."""

    @procedure(
        254,
        api="virDomainSetNumaParameters",
        access=(
            "domain:write",
            "domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE",
            "domain:save:VIR_DOMAIN_AFFECT_CONFIG",
        ),
        since="0.9.9",
    )
    def domainSetNumaParameters(
        self, dom: DomainRef, params: Annotated[list[TypedParam], Max(16)], flags: UInt32
    ) -> Deferred[None]:
        """virDomainSetNumaParameters."""

    @procedure(
        255, api="virDomainGetNumaParameters", access="domain:read", readOnly=True, since="0.9.9"
    )
    def domainGetNumaParameters(
        self, dom: DomainRef, nparams: Int32, flags: UInt32
    ) -> Deferred[DomainGetNumaParametersResult]:
        """virDomainGetNumaParameters."""

    @procedure(
        256,
        api="virDomainSetInterfaceParameters",
        access=(
            "domain:write",
            "domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE",
            "domain:save:VIR_DOMAIN_AFFECT_CONFIG",
        ),
        since="0.9.9",
    )
    def domainSetInterfaceParameters(
        self,
        dom: DomainRef,
        device: WireString,
        params: Annotated[list[TypedParam], Max(16)],
        flags: UInt32,
    ) -> Deferred[None]:
        """virDomainSetInterfaceParameters."""

    @procedure(
        257,
        api="virDomainGetInterfaceParameters",
        access="domain:read",
        readOnly=True,
        since="0.9.9",
    )
    def domainGetInterfaceParameters(
        self, dom: DomainRef, device: WireString, nparams: Int32, flags: UInt32
    ) -> Deferred[DomainGetInterfaceParametersResult]:
        """virDomainGetInterfaceParameters; flags: virDomainModificationImpact."""

    @procedure(
        258,
        api="virDomainShutdownFlags",
        access=("domain:init_control", "domain:write:VIR_DOMAIN_SHUTDOWN_GUEST_AGENT"),
        since="0.9.10",
    )
    def domainShutdownFlags(self, dom: DomainRef, flags: UInt32) -> Deferred[None]:
        """virDomainShutdownFlags; flags: virDomainShutdownFlagValues."""

    @procedure(259, api="virStorageVolWipePattern", access="storage_vol:format", since="0.9.10")
    def storageVolWipePattern(
        self, vol: StorageVolRef, algorithm: UInt32, flags: UInt32
    ) -> Deferred[None]:
        """virStorageVolWipePattern."""

    @procedure(260, api="virStorageVolResize", access="storage_vol:resize", since="0.9.10")
    def storageVolResize(
        self, vol: StorageVolRef, capacity: UHyper, flags: UInt32
    ) -> Deferred[None]:
        """virStorageVolResize; flags: virStorageVolResizeFlags."""

    @procedure(261, api="virDomainPMSuspendForDuration", access="domain:pm_control", since="0.9.10")
    def domainPMSuspendForDuration(
        self, dom: DomainRef, target: UInt32, duration: UHyper, flags: UInt32
    ) -> Deferred[None]:
        """virDomainPMSuspendForDuration."""

    @procedure(262, api="virDomainGetCPUStats", access="domain:read", readOnly=True, since="0.9.10")
    def domainGetCPUStats(
        self, dom: DomainRef, nparams: UInt32, startCPU: Int32, ncpus: UInt32, flags: UInt32
    ) -> Deferred[DomainGetCPUStatsResult]:
        """virDomainGetCPUStats; flags: virTypedParameterFlags."""

    @procedure(
        263, api="virDomainGetDiskErrors", access="domain:read", readOnly=True, since="0.9.10"
    )
    def domainGetDiskErrors(
        self, dom: DomainRef, maxerrors: UInt32, flags: UInt32
    ) -> Deferred[DomainGetDiskErrorsResult]:
        """virDomainGetDiskErrors."""

    @procedure(
        264,
        api="virDomainSetMetadata",
        access=(
            "domain:write",
            "domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE",
            "domain:save:VIR_DOMAIN_AFFECT_CONFIG",
        ),
        since="0.9.10",
    )
    def domainSetMetadata(
        self,
        dom: DomainRef,
        type: Int32,
        metadata: WireString | None,
        key: WireString | None,
        uri: WireString | None,
        flags: UInt32,
    ) -> Deferred[None]:
        """virDomainSetMetadata; flags: virDomainModificationImpact."""

    @procedure(265, api="virDomainGetMetadata", access="domain:read", readOnly=True, since="0.9.10")
    def domainGetMetadata(
        self, dom: DomainRef, type: Int32, uri: WireString | None, flags: UInt32
    ) -> Deferred[WireString]:
        """virDomainGetMetadata; flags: virDomainModificationImpact."""

    @procedure(266, api="virDomainBlockRebase", access="domain:block_write", since="0.9.10")
    def domainBlockRebase(
        self,
        dom: DomainRef,
        path: WireString,
        base: WireString | None,
        bandwidth: UHyper,
        flags: UInt32,
    ) -> Deferred[None]:
        """virDomainBlockRebase; flags: virDomainBlockRebaseFlags."""

    @procedure(267, api="virDomainPMWakeup", access="domain:pm_control", since="0.9.11")
    def domainPMWakeup(self, dom: DomainRef, flags: UInt32) -> Deferred[None]:
        """virDomainPMWakeup."""

    @event(268)
    def domainEventTrayChange(self, dom: DomainRef, devAlias: WireString, reason: Int32) -> None:
        """VIR_DOMAIN_EVENT_ID_TRAY_CHANGE. For callbacks registered without an id."""

    @event(269)
    def domainEventPmwakeup(self, dom: DomainRef) -> None:
        """VIR_DOMAIN_EVENT_ID_PMWAKEUP. For callbacks registered without an id."""

    @event(270)
    def domainEventPmsuspend(self, dom: DomainRef) -> None:
        """VIR_DOMAIN_EVENT_ID_PMSUSPEND. For callbacks registered without an id."""

    @procedure(
        271, api="virDomainSnapshotIsCurrent", access="domain:read", readOnly=True, since="0.9.13"
    )
    def domainSnapshotIsCurrent(self, snap: DomainSnapshotRef, flags: UInt32) -> Deferred[Bool]:
        """virDomainSnapshotIsCurrent."""

    @procedure(
        272, api="virDomainSnapshotHasMetadata", access="domain:read", readOnly=True, since="0.9.13"
    )
    def domainSnapshotHasMetadata(self, snap: DomainSnapshotRef, flags: UInt32) -> Deferred[Bool]:
        """virDomainSnapshotHasMetadata."""

    @procedure(
        273,
        api="virConnectListAllDomains",
        priority=True,
        access="connect:search_domains",
        filters="domain:getattr",
        readOnly=True,
        since="0.9.13",
    )
    def connectListAllDomains(
        self, needResults: Bool, flags: UInt32
    ) -> Deferred[ConnectListAllDomainsResult]:
        """virConnectListAllDomains; flags: virConnectListAllDomainsFlags."""

    @procedure(
        274,
        api="virDomainListAllSnapshots",
        priority=True,
        access="domain:read",
        readOnly=True,
        since="0.9.13",
    )
    def domainListAllSnapshots(
        self, dom: DomainRef, needResults: Bool, flags: UInt32
    ) -> Deferred[DomainListAllSnapshotsResult]:
        """virDomainListAllSnapshots."""

    @procedure(
        275,
        api="virDomainSnapshotListAllChildren",
        priority=True,
        access="domain:read",
        readOnly=True,
        since="0.9.13",
    )
    def domainSnapshotListAllChildren(
        self, snapshot: DomainSnapshotRef, needResults: Bool, flags: UInt32
    ) -> Deferred[DomainSnapshotListAllChildrenResult]:
        """virDomainSnapshotListAllChildren."""

    @event(276)
    def domainEventBalloonChange(self, dom: DomainRef, actual: UHyper) -> None:
        """VIR_DOMAIN_EVENT_ID_BALLOON_CHANGE. For callbacks registered without an id."""

    @procedure(277, api="virDomainGetHostname", access="domain:write", since="0.10.0")
    def domainGetHostname(self, dom: DomainRef, flags: UInt32) -> Deferred[WireString]:
        """virDomainGetHostname; flags: virDomainGetHostnameFlags."""

    @procedure(
        278,
        api="virDomainGetSecurityLabelList",
        priority=True,
        access="domain:read",
        readOnly=True,
        since="0.10.0",
    )
    def domainGetSecurityLabelList(
        self, dom: DomainRef
    ) -> Deferred[DomainGetSecurityLabelListResult]:
        """virDomainGetSecurityLabelList."""

    @procedure(
        279,
        api="virDomainPinEmulator",
        access=(
            "domain:write",
            "domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE",
            "domain:save:VIR_DOMAIN_AFFECT_CONFIG",
        ),
        since="0.10.0",
    )
    def domainPinEmulator(
        self, dom: DomainRef, cpumap: Annotated[bytes, Opaque(2048)], flags: UInt32
    ) -> Deferred[None]:
        """virDomainPinEmulator; flags: virDomainModificationImpact."""

    @procedure(
        280, api="virDomainGetEmulatorPinInfo", access="domain:read", readOnly=True, since="0.10.0"
    )
    def domainGetEmulatorPinInfo(
        self, dom: DomainRef, maplen: Int32, flags: UInt32
    ) -> Deferred[DomainGetEmulatorPinInfoResult]:
        """virDomainGetEmulatorPinInfo; flags: virDomainModificationImpact."""

    @procedure(
        281,
        api="virConnectListAllStoragePools",
        priority=True,
        access="connect:search_storage_pools",
        filters="storage_pool:getattr",
        readOnly=True,
        since="0.10.2",
    )
    def connectListAllStoragePools(
        self, needResults: Bool, flags: UInt32
    ) -> Deferred[ConnectListAllStoragePoolsResult]:
        """virConnectListAllStoragePools; flags: virConnectListAllStoragePoolsFlags."""

    @procedure(
        282,
        api="virStoragePoolListAllVolumes",
        priority=True,
        access="storage_pool:search_storage_vols",
        filters="storage_vol:getattr",
        readOnly=True,
        since="0.10.2",
    )
    def storagePoolListAllVolumes(
        self, pool: StoragePoolRef, needResults: Bool, flags: UInt32
    ) -> Deferred[StoragePoolListAllVolumesResult]:
        """virStoragePoolListAllVolumes."""

    @procedure(
        283,
        api="virConnectListAllNetworks",
        priority=True,
        access="connect:search_networks",
        filters="network:getattr",
        readOnly=True,
        since="0.10.2",
    )
    def connectListAllNetworks(
        self, needResults: Bool, flags: UInt32
    ) -> Deferred[ConnectListAllNetworksResult]:
        """virConnectListAllNetworks; flags: virConnectListAllNetworksFlags."""

    @procedure(
        284,
        api="virConnectListAllInterfaces",
        priority=True,
        access="connect:search_interfaces",
        filters="interface:getattr",
        readOnly=True,
        since="0.10.2",
    )
    def connectListAllInterfaces(
        self, needResults: Bool, flags: UInt32
    ) -> Deferred[ConnectListAllInterfacesResult]:
        """virConnectListAllInterfaces; flags: virConnectListAllInterfacesFlags."""

    @procedure(
        285,
        api="virConnectListAllNodeDevices",
        priority=True,
        access="connect:search_node_devices",
        filters="node_device:getattr",
        readOnly=True,
        since="0.10.2",
    )
    def connectListAllNodeDevices(
        self, needResults: Bool, flags: UInt32
    ) -> Deferred[ConnectListAllNodeDevicesResult]:
        """virConnectListAllNodeDevices."""

    @procedure(
        286,
        api="virConnectListAllNWFilters",
        priority=True,
        access="connect:search_nwfilters",
        filters="nwfilter:getattr",
        readOnly=True,
        since="0.10.2",
    )
    def connectListAllNWFilters(
        self, needResults: Bool, flags: UInt32
    ) -> Deferred[ConnectListAllNWFiltersResult]:
        """virConnectListAllNWFilters."""

    @procedure(
        287,
        api="virConnectListAllSecrets",
        priority=True,
        access="connect:search_secrets",
        filters="secret:getattr",
        readOnly=True,
        since="0.10.2",
    )
    def connectListAllSecrets(
        self, needResults: Bool, flags: UInt32
    ) -> Deferred[ConnectListAllSecretsResult]:
        """virConnectListAllSecrets; flags: virConnectListAllSecretsFlags."""

    @procedure(288, api="virNodeSetMemoryParameters", access="connect:write", since="0.10.2")
    def nodeSetMemoryParameters(
        self, params: Annotated[list[TypedParam], Max(64)], flags: UInt32
    ) -> Deferred[None]:
        """virNodeSetMemoryParameters."""

    @procedure(
        289, api="virNodeGetMemoryParameters", access="connect:read", readOnly=True, since="0.10.2"
    )
    def nodeGetMemoryParameters(
        self, nparams: Int32, flags: UInt32
    ) -> Deferred[NodeGetMemoryParametersResult]:
        """virNodeGetMemoryParameters."""

    @procedure(290, api="virDomainBlockCommit", access="domain:block_write", since="0.10.2")
    def domainBlockCommit(
        self,
        dom: DomainRef,
        disk: WireString,
        base: WireString | None,
        top: WireString | None,
        bandwidth: UHyper,
        flags: UInt32,
    ) -> Deferred[None]:
        """virDomainBlockCommit; flags: virDomainBlockCommitFlags."""

    @procedure(
        291,
        api="virNetworkUpdate",
        priority=True,
        access=(
            "network:write",
            "network:save:!VIR_NETWORK_UPDATE_AFFECT_CONFIG|VIR_NETWORK_UPDATE_AFFECT_LIVE",
            "network:save:VIR_NETWORK_UPDATE_AFFECT_CONFIG",
        ),
        since="0.10.2",
    )
    def networkUpdate(
        self,
        net: NetworkRef,
        command: UInt32,
        section: UInt32,
        parentIndex: Int32,
        xml: WireString,
        flags: UInt32,
    ) -> Deferred[None]:
        """virNetworkUpdate; flags: virNetworkUpdateFlags."""

    @event(292)
    def domainEventPmsuspendDisk(self, dom: DomainRef) -> None:
        """VIR_DOMAIN_EVENT_ID_PMSUSPEND_DISK. For callbacks registered without an id."""

    @procedure(293, api="virNodeGetCPUMap", access="connect:read", readOnly=True, since="1.0.0")
    def nodeGetCPUMap(
        self, needMap: Bool, needOnline: Bool, flags: UInt32
    ) -> Deferred[NodeGetCPUMapResult]:
        """virNodeGetCPUMap."""

    @procedure(294, api="virDomainFSTrim", access="domain:fs_trim", since="1.0.1")
    def domainFSTrim(
        self, dom: DomainRef, mountPoint: WireString | None, minimum: UHyper, flags: UInt32
    ) -> Deferred[None]:
        """virDomainFSTrim."""

    @procedure(295, api="virDomainSendProcessSignal", access="domain:send_signal", since="1.0.1")
    def domainSendProcessSignal(
        self, dom: DomainRef, pidValue: Hyper, signum: UInt32, flags: UInt32
    ) -> Deferred[None]:
        """virDomainSendProcessSignal."""

    @procedure(
        296, api="virDomainOpenChannel", access="domain:open_device", stream="read", since="1.0.2"
    )
    def domainOpenChannel(
        self, dom: DomainRef, name: WireString | None, flags: UInt32
    ) -> Deferred[None]:
        """virDomainOpenChannel; flags: virDomainChannelFlags."""

    @procedure(
        297,
        api="virNodeDeviceLookupSCSIHostByWWN",
        priority=True,
        access="node_device:getattr",
        readOnly=True,
        since="1.0.3",
    )
    def nodeDeviceLookupSCSIHostByWWN(
        self, wwnn: WireString, wwpn: WireString, flags: UInt32
    ) -> Deferred[NodeDeviceRef]:
        """virNodeDeviceLookupSCSIHostByWWN."""

    @procedure(298, api="virDomainGetJobStats", access="domain:read", readOnly=True, since="1.0.3")
    def domainGetJobStats(self, dom: DomainRef, flags: UInt32) -> Deferred[DomainGetJobStatsResult]:
        """virDomainGetJobStats; flags: virDomainGetJobStatsFlags."""

    @procedure(
        299,
        api="virDomainMigrateGetCompressionCache",
        access="domain:migrate",
        readOnly=True,
        since="1.0.3",
    )
    def domainMigrateGetCompressionCache(self, dom: DomainRef, flags: UInt32) -> Deferred[UHyper]:
        """virDomainMigrateGetCompressionCache."""

    @procedure(
        300, api="virDomainMigrateSetCompressionCache", access="domain:migrate", since="1.0.3"
    )
    def domainMigrateSetCompressionCache(
        self, dom: DomainRef, cacheSize: UHyper, flags: UInt32
    ) -> Deferred[None]:
        """virDomainMigrateSetCompressionCache."""

    @procedure(301, api="virNodeDeviceDetachFlags", access="node_device:detach", since="1.0.5")
    def nodeDeviceDetachFlags(
        self, name: WireString, driverName: WireString | None, flags: UInt32
    ) -> Deferred[None]:
        """virNodeDeviceDetachFlags."""

    @procedure(302, access="domain:migrate")
    def domainMigrateBegin3Params(
        self, dom: DomainRef, params: Annotated[list[TypedParam], Max(64)], flags: UInt32
    ) -> Deferred[DomainMigrateBegin3ParamsResult]:
        """Domain migrate begin3 params."""

    @procedure(303, access=("domain:migrate", "domain:start", "domain:write"))
    def domainMigratePrepare3Params(
        self,
        params: Annotated[list[TypedParam], Max(64)],
        cookieIn: Annotated[bytes, Opaque(4194304)],
        flags: UInt32,
    ) -> Deferred[DomainMigratePrepare3ParamsResult]:
        """Domain migrate prepare3 params."""

    @procedure(304, access=("domain:migrate", "domain:start", "domain:write"), stream="write")
    def domainMigratePrepareTunnel3Params(
        self,
        params: Annotated[list[TypedParam], Max(64)],
        cookieIn: Annotated[bytes, Opaque(4194304)],
        flags: UInt32,
    ) -> Deferred[Annotated[bytes, Opaque(4194304)]]:
        """Domain migrate prepare tunnel3 params."""

    @procedure(305, access="domain:migrate")
    def domainMigratePerform3Params(
        self,
        dom: DomainRef,
        dconnuri: WireString | None,
        params: Annotated[list[TypedParam], Max(64)],
        cookieIn: Annotated[bytes, Opaque(4194304)],
        flags: UInt32,
    ) -> Deferred[Annotated[bytes, Opaque(4194304)]]:
        """Domain migrate perform3 params; flags: virDomainMigrateFlags."""

    @procedure(306, access="domain:migrate")
    def domainMigrateFinish3Params(
        self,
        params: Annotated[list[TypedParam], Max(64)],
        cookieIn: Annotated[bytes, Opaque(4194304)],
        flags: UInt32,
        cancelled: Bool,
    ) -> Deferred[DomainMigrateFinish3ParamsResult]:
        """Domain migrate finish3 params."""

    @procedure(307, access="domain:migrate")
    def domainMigrateConfirm3Params(
        self,
        dom: DomainRef,
        params: Annotated[list[TypedParam], Max(64)],
        cookieIn: Annotated[bytes, Opaque(4194304)],
        flags: UInt32,
        cancelled: Bool,
    ) -> Deferred[None]:
        """Domain migrate confirm3 params."""

    @procedure(
        308,
        api="virDomainSetMemoryStatsPeriod",
        access=(
            "domain:write",
            "domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE",
            "domain:save:VIR_DOMAIN_AFFECT_CONFIG",
        ),
        since="1.1.1",
    )
    def domainSetMemoryStatsPeriod(
        self, dom: DomainRef, period: Int32, flags: UInt32
    ) -> Deferred[None]:
        """virDomainSetMemoryStatsPeriod; flags: virDomainMemoryModFlags."""

    @procedure(
        309,
        api="virDomainCreateXMLWithFiles",
        access=("domain:write", "domain:start"),
        fds="call",
        since="1.1.1",
    )
    def domainCreateXMLWithFiles(self, xmlDesc: WireString, flags: UInt32) -> Deferred[DomainRef]:
        """virDomainCreateXMLWithFiles; flags: virDomainCreateFlags."""

    @procedure(
        310, api="virDomainCreateWithFiles", access="domain:start", fds="call", since="1.1.1"
    )
    def domainCreateWithFiles(self, dom: DomainRef, flags: UInt32) -> Deferred[DomainRef]:
        """virDomainCreateWithFiles; flags: virDomainCreateFlags."""

    @event(311)
    def domainEventDeviceRemoved(self, dom: DomainRef, devAlias: WireString) -> None:
        """VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED. For callbacks registered without an id."""

    @procedure(
        312, api="virConnectGetCPUModelNames", access="connect:read", readOnly=True, since="1.1.3"
    )
    def connectGetCPUModelNames(
        self, arch: WireString, needResults: Bool, flags: UInt32
    ) -> Deferred[ConnectGetCPUModelNamesResult]:
        """virConnectGetCPUModelNames."""

    @procedure(
        313,
        api="virConnectNetworkEventRegisterAny",
        priority=True,
        access="connect:search_networks",
        filters="network:getattr",
        readOnly=True,
        since="1.2.1",
    )
    def connectNetworkEventRegisterAny(
        self, eventID: Int32, net: NetworkRef | None
    ) -> Deferred[Int32]:
        """virConnectNetworkEventRegisterAny."""

    @procedure(
        314,
        api="virConnectNetworkEventDeregisterAny",
        priority=True,
        access="connect:read",
        readOnly=True,
        since="1.2.1",
    )
    def connectNetworkEventDeregisterAny(self, callbackID: Int32) -> Deferred[None]:
        """virConnectNetworkEventDeregisterAny."""

    @event(315)
    def networkEventLifecycle(
        self, callbackID: Int32, net: NetworkRef, event: Int32, detail: Int32
    ) -> None:
        """VIR_NETWORK_EVENT_ID_LIFECYCLE."""

    @procedure(
        316,
        api="virConnectDomainEventRegisterAny",
        priority=True,
        access="connect:search_domains",
        filters="domain:getattr",
        readOnly=True,
        since="0.8.0",
    )
    def connectDomainEventCallbackRegisterAny(
        self, eventID: Int32, dom: DomainRef | None
    ) -> Deferred[Int32]:
        """virConnectDomainEventRegisterAny."""

    @procedure(
        317,
        api="virConnectDomainEventDeregisterAny",
        priority=True,
        access="connect:read",
        readOnly=True,
        since="0.8.0",
    )
    def connectDomainEventCallbackDeregisterAny(self, callbackID: Int32) -> Deferred[None]:
        """virConnectDomainEventDeregisterAny."""

    @event(318)
    def domainEventCallbackLifecycle(self, callbackID: Int32, msg: DomainEventLifecycleMsg) -> None:
        """VIR_DOMAIN_EVENT_ID_LIFECYCLE. For callbacks registered with an id."""

    @event(319)
    def domainEventCallbackReboot(self, callbackID: Int32, msg: DomainEventRebootMsg) -> None:
        """VIR_DOMAIN_EVENT_ID_REBOOT. For callbacks registered with an id."""

    @event(320)
    def domainEventCallbackRTCChange(self, callbackID: Int32, msg: DomainEventRTCChangeMsg) -> None:
        """VIR_DOMAIN_EVENT_ID_RTC_CHANGE. For callbacks registered with an id."""

    @event(321)
    def domainEventCallbackWatchdog(self, callbackID: Int32, msg: DomainEventWatchdogMsg) -> None:
        """VIR_DOMAIN_EVENT_ID_WATCHDOG. For callbacks registered with an id."""

    @event(322)
    def domainEventCallbackIOError(self, callbackID: Int32, msg: DomainEventIOErrorMsg) -> None:
        """VIR_DOMAIN_EVENT_ID_IO_ERROR. For callbacks registered with an id."""

    @event(323)
    def domainEventCallbackGraphics(self, callbackID: Int32, msg: DomainEventGraphicsMsg) -> None:
        """VIR_DOMAIN_EVENT_ID_GRAPHICS. For callbacks registered with an id."""

    @event(324)
    def domainEventCallbackIOErrorReason(
        self, callbackID: Int32, msg: DomainEventIOErrorReasonMsg
    ) -> None:
        """VIR_DOMAIN_EVENT_ID_IO_ERROR_REASON. For callbacks registered with an id."""

    @event(325)
    def domainEventCallbackControlError(
        self, callbackID: Int32, msg: DomainEventControlErrorMsg
    ) -> None:
        """VIR_DOMAIN_EVENT_ID_CONTROL_ERROR. For callbacks registered with an id."""

    @event(326)
    def domainEventCallbackBlockJob(self, callbackID: Int32, msg: DomainEventBlockJobMsg) -> None:
        """VIR_DOMAIN_EVENT_ID_BLOCK_JOB. For callbacks registered with an id."""

    @event(327)
    def domainEventCallbackDiskChange(
        self, callbackID: Int32, msg: DomainEventDiskChangeMsg
    ) -> None:
        """VIR_DOMAIN_EVENT_ID_DISK_CHANGE. For callbacks registered with an id."""

    @event(328)
    def domainEventCallbackTrayChange(
        self, callbackID: Int32, msg: DomainEventTrayChangeMsg
    ) -> None:
        """VIR_DOMAIN_EVENT_ID_TRAY_CHANGE. For callbacks registered with an id."""

    @event(329)
    def domainEventCallbackPmwakeup(
        self, callbackID: Int32, reason: Int32, msg: DomainEventPmwakeupMsg
    ) -> None:
        """VIR_DOMAIN_EVENT_ID_PMWAKEUP. For callbacks registered with an id."""

    @event(330)
    def domainEventCallbackPmsuspend(
        self, callbackID: Int32, reason: Int32, msg: DomainEventPmsuspendMsg
    ) -> None:
        """VIR_DOMAIN_EVENT_ID_PMSUSPEND. For callbacks registered with an id."""

    @event(331)
    def domainEventCallbackBalloonChange(
        self, callbackID: Int32, msg: DomainEventBalloonChangeMsg
    ) -> None:
        """VIR_DOMAIN_EVENT_ID_BALLOON_CHANGE. For callbacks registered with an id."""

    @event(332)
    def domainEventCallbackPmsuspendDisk(
        self, callbackID: Int32, reason: Int32, msg: DomainEventPmsuspendDiskMsg
    ) -> None:
        """VIR_DOMAIN_EVENT_ID_PMSUSPEND_DISK. For callbacks registered with an id."""

    @event(333)
    def domainEventCallbackDeviceRemoved(
        self, callbackID: Int32, msg: DomainEventDeviceRemovedMsg
    ) -> None:
        """VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED. For callbacks registered with an id."""

    @procedure(334, api="virDomainCoreDumpWithFormat", access="domain:core_dump", since="1.2.3")
    def domainCoreDumpWithFormat(
        self, dom: DomainRef, to: WireString, dumpformat: UInt32, flags: UInt32
    ) -> Deferred[None]:
        """virDomainCoreDumpWithFormat; flags: virDomainCoreDumpFlags."""

    @procedure(335, api="virDomainFSFreeze", access="domain:fs_freeze", since="1.2.5")
    def domainFSFreeze(
        self, dom: DomainRef, mountpoints: Annotated[list[WireString], Max(256)], flags: UInt32
    ) -> Deferred[Int32]:
        """virDomainFSFreeze."""

    @procedure(336, api="virDomainFSThaw", access="domain:fs_freeze", since="1.2.5")
    def domainFSThaw(
        self, dom: DomainRef, mountpoints: Annotated[list[WireString], Max(256)], flags: UInt32
    ) -> Deferred[Int32]:
        """virDomainFSThaw."""

    @procedure(337, api="virDomainGetTime", access="domain:write", since="1.2.5")
    def domainGetTime(self, dom: DomainRef, flags: UInt32) -> Deferred[DomainGetTimeResult]:
        """virDomainGetTime."""

    @procedure(338, api="virDomainSetTime", access="domain:set_time", since="1.2.5")
    def domainSetTime(
        self, dom: DomainRef, seconds: Hyper, nseconds: UInt32, flags: UInt32
    ) -> Deferred[None]:
        """virDomainSetTime; flags: virDomainSetTimeFlags."""

    @event(339)
    def domainEventBlockJob2(
        self, callbackID: Int32, dom: DomainRef, dst: WireString, type: Int32, status: Int32
    ) -> None:
        """VIR_DOMAIN_EVENT_ID_BLOCK_JOB_2. For callbacks registered with an id."""

    @procedure(
        340,
        api="virNodeGetFreePages",
        priority=True,
        access="connect:read",
        readOnly=True,
        since="1.2.6",
    )
    def nodeGetFreePages(
        self,
        pages: Annotated[list[UInt32], Max(1024)],
        startCell: Int32,
        cellCount: UInt32,
        flags: UInt32,
    ) -> Deferred[Annotated[list[UHyper], Max(1024)]]:
        """virNodeGetFreePages."""

    @procedure(
        341, api="virNetworkGetDHCPLeases", access="network:read", readOnly=True, since="1.2.6"
    )
    def networkGetDHCPLeases(
        self, net: NetworkRef, mac: WireString | None, needResults: Bool, flags: UInt32
    ) -> Deferred[NetworkGetDHCPLeasesResult]:
        """virNetworkGetDHCPLeases."""

    @procedure(342, api="virConnectGetDomainCapabilities", access="connect:write", since="1.2.7")
    def connectGetDomainCapabilities(
        self,
        emulatorbin: WireString | None,
        arch: WireString | None,
        machine: WireString | None,
        virttype: WireString | None,
        flags: UInt32,
    ) -> Deferred[WireString]:
        """virConnectGetDomainCapabilities; flags: virConnectGetDomainCapabilitiesFlags."""

    @procedure(
        343,
        api="virDomainOpenGraphicsFD",
        access="domain:open_graphics",
        fds="reply",
        since="1.2.8",
    )
    def domainOpenGraphicsFD(self, dom: DomainRef, idx: UInt32, flags: UInt32) -> Deferred[None]:
        """virDomainOpenGraphicsFD; flags: virDomainOpenGraphicsFlags."""

    @procedure(
        344,
        api="virConnectGetAllDomainStats",
        access="connect:search_domains",
        filters="domain:read",
        readOnly=True,
        since="1.2.8",
    )
    def connectGetAllDomainStats(
        self, doms: Annotated[list[DomainRef], Max(16384)], stats: UInt32, flags: UInt32
    ) -> Deferred[Annotated[list[DomainStatsRecord], Max(16384)]]:
        """virConnectGetAllDomainStats."""

    @procedure(345, api="virDomainBlockCopy", access="domain:block_write", since="1.2.8")
    def domainBlockCopy(
        self,
        dom: DomainRef,
        path: WireString,
        destxml: WireString,
        params: Annotated[list[TypedParam], Max(16)],
        flags: UInt32,
    ) -> Deferred[None]:
        """virDomainBlockCopy; flags: virDomainBlockCopyFlags."""

    @event(346)
    def domainEventCallbackTunable(
        self, callbackID: Int32, dom: DomainRef, params: Annotated[list[TypedParam], Max(2048)]
    ) -> None:
        """VIR_DOMAIN_EVENT_ID_TUNABLE. For callbacks registered with an id."""

    @procedure(347, api="virNodeAllocPages", access="connect:write", since="1.2.9")
    def nodeAllocPages(
        self,
        pageSizes: Annotated[list[UInt32], Max(1024)],
        pageCounts: Annotated[list[UHyper], Max(1024)],
        startCell: Int32,
        cellCount: UInt32,
        flags: UInt32,
    ) -> Deferred[Int32]:
        """virNodeAllocPages; flags: virNodeAllocPagesFlags."""

    @event(348)
    def domainEventCallbackAgentLifecycle(
        self, callbackID: Int32, dom: DomainRef, state: Int32, reason: Int32
    ) -> None:
        """VIR_DOMAIN_EVENT_ID_AGENT_LIFECYCLE. For callbacks registered with an id."""

    @procedure(349, api="virDomainGetFSInfo", access="domain:fs_freeze", since="1.2.11")
    def domainGetFSInfo(self, dom: DomainRef, flags: UInt32) -> Deferred[DomainGetFSInfoResult]:
        """virDomainGetFSInfo."""

    @procedure(
        350,
        api="virDomainDefineXMLFlags",
        priority=True,
        access=("domain:write", "domain:save"),
        since="1.2.12",
    )
    def domainDefineXMLFlags(self, xml: WireString, flags: UInt32) -> Deferred[DomainRef]:
        """virDomainDefineXMLFlags; flags: virDomainDefineFlags."""

    @procedure(
        351, api="virDomainGetIOThreadInfo", access="domain:read", readOnly=True, since="1.2.14"
    )
    def domainGetIOThreadInfo(
        self, dom: DomainRef, flags: UInt32
    ) -> Deferred[DomainGetIOThreadInfoResult]:
        """virDomainGetIOThreadInfo; flags: virDomainModificationImpact."""

    @procedure(
        352,
        api="virDomainPinIOThread",
        access=(
            "domain:write",
            "domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE",
            "domain:save:VIR_DOMAIN_AFFECT_CONFIG",
        ),
        since="1.2.14",
    )
    def domainPinIOThread(
        self,
        dom: DomainRef,
        iothreadsID: UInt32,
        cpumap: Annotated[bytes, Opaque(2048)],
        flags: UInt32,
    ) -> Deferred[None]:
        """virDomainPinIOThread; flags: virDomainModificationImpact."""

    @procedure(
        353,
        api="virDomainInterfaceAddresses",
        access=("domain:read", "domain:write:source=VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT"),
        readOnly=ReadOnly(True, 0, {"source": (1,)}),
        since="1.2.14",
    )
    def domainInterfaceAddresses(
        self, dom: DomainRef, source: UInt32, flags: UInt32
    ) -> Deferred[Annotated[list[DomainInterface], Max(2048)]]:
        """virDomainInterfaceAddresses."""

    @event(354)
    def domainEventCallbackDeviceAdded(
        self, callbackID: Int32, dom: DomainRef, devAlias: WireString
    ) -> None:
        """VIR_DOMAIN_EVENT_ID_DEVICE_ADDED. For callbacks registered with an id."""

    @procedure(
        355,
        api="virDomainAddIOThread",
        access=(
            "domain:write",
            "domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE",
            "domain:save:VIR_DOMAIN_AFFECT_CONFIG",
        ),
        since="1.2.15",
    )
    def domainAddIOThread(
        self, dom: DomainRef, iothreadID: UInt32, flags: UInt32
    ) -> Deferred[None]:
        """virDomainAddIOThread; flags: virDomainModificationImpact."""

    @procedure(
        356,
        api="virDomainDelIOThread",
        access=(
            "domain:write",
            "domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE",
            "domain:save:VIR_DOMAIN_AFFECT_CONFIG",
        ),
        since="1.2.15",
    )
    def domainDelIOThread(
        self, dom: DomainRef, iothreadID: UInt32, flags: UInt32
    ) -> Deferred[None]:
        """virDomainDelIOThread; flags: virDomainModificationImpact."""

    @procedure(357, api="virDomainSetUserPassword", access="domain:set_password", since="1.2.16")
    def domainSetUserPassword(
        self, dom: DomainRef, user: WireString | None, password: WireString | None, flags: UInt32
    ) -> Deferred[None]:
        """virDomainSetUserPassword; flags: virDomainSetUserPasswordFlags."""

    @procedure(358, api="virDomainRename", access=("domain:write", "domain:save"), since="1.2.19")
    def domainRename(
        self, dom: DomainRef, newName: WireString | None, flags: UInt32
    ) -> Deferred[Int32]:
        """virDomainRename."""

    @event(359)
    def domainEventCallbackMigrationIteration(
        self, callbackID: Int32, dom: DomainRef, iteration: Int32
    ) -> None:
        """VIR_DOMAIN_EVENT_ID_MIGRATION_ITERATION. For callbacks registered with an id."""

    @procedure(
        360,
        api="virConnectRegisterCloseCallback",
        priority=True,
        access="connect:getattr",
        readOnly=True,
        since="0.10.0",
    )
    def connectRegisterCloseCallback(self) -> Deferred[None]:
        """virConnectRegisterCloseCallback."""

    @procedure(
        361,
        api="virConnectUnregisterCloseCallback",
        priority=True,
        access="connect:getattr",
        readOnly=True,
        since="0.10.0",
    )
    def connectUnregisterCloseCallback(self) -> Deferred[None]:
        """virConnectUnregisterCloseCallback."""

    @event(362)
    def connectEventConnectionClosed(self, reason: Int32) -> None:
        """Sent by the daemon."""

    @event(363)
    def domainEventCallbackJobCompleted(
        self, callbackID: Int32, dom: DomainRef, params: Annotated[list[TypedParam], Max(64)]
    ) -> None:
        """VIR_DOMAIN_EVENT_ID_JOB_COMPLETED. For callbacks registered with an id."""

    @procedure(364, api="virDomainMigrateStartPostCopy", access="domain:migrate", since="1.3.3")
    def domainMigrateStartPostCopy(self, dom: DomainRef, flags: UInt32) -> Deferred[None]:
        """virDomainMigrateStartPostCopy."""

    @procedure(
        365, api="virDomainGetPerfEvents", access="domain:read", readOnly=True, since="1.3.3"
    )
    def domainGetPerfEvents(
        self, dom: DomainRef, flags: UInt32
    ) -> Deferred[Annotated[list[TypedParam], Max(64)]]:
        """virDomainGetPerfEvents; flags: virDomainModificationImpact."""

    @procedure(366, api="virDomainSetPerfEvents", access="domain:write", since="1.3.3")
    def domainSetPerfEvents(
        self, dom: DomainRef, params: Annotated[list[TypedParam], Max(64)], flags: UInt32
    ) -> Deferred[None]:
        """virDomainSetPerfEvents; flags: virDomainModificationImpact."""

    @event(367)
    def domainEventCallbackDeviceRemovalFailed(
        self, callbackID: Int32, dom: DomainRef, devAlias: WireString
    ) -> None:
        """VIR_DOMAIN_EVENT_ID_DEVICE_REMOVAL_FAILED. For callbacks registered with an id."""

    @procedure(
        368,
        api="virConnectStoragePoolEventRegisterAny",
        priority=True,
        access="connect:search_storage_pools",
        filters="storage_pool:getattr",
        readOnly=True,
        since="2.0.0",
    )
    def connectStoragePoolEventRegisterAny(
        self, eventID: Int32, pool: StoragePoolRef | None
    ) -> Deferred[Int32]:
        """virConnectStoragePoolEventRegisterAny."""

    @procedure(
        369,
        api="virConnectStoragePoolEventDeregisterAny",
        priority=True,
        access="connect:read",
        readOnly=True,
        since="2.0.0",
    )
    def connectStoragePoolEventDeregisterAny(self, callbackID: Int32) -> Deferred[None]:
        """virConnectStoragePoolEventDeregisterAny."""

    @event(370)
    def storagePoolEventLifecycle(
        self, callbackID: Int32, pool: StoragePoolRef, event: Int32, detail: Int32
    ) -> None:
        """VIR_STORAGE_POOL_EVENT_ID_LIFECYCLE."""

    @procedure(371, api="virDomainGetGuestVcpus", access="domain:write", since="2.0.0")
    def domainGetGuestVcpus(
        self, dom: DomainRef, flags: UInt32
    ) -> Deferred[Annotated[list[TypedParam], Max(64)]]:
        """virDomainGetGuestVcpus."""

    @procedure(372, api="virDomainSetGuestVcpus", access="domain:write", since="2.0.0")
    def domainSetGuestVcpus(
        self, dom: DomainRef, cpumap: WireString, state: Int32, flags: UInt32
    ) -> Deferred[None]:
        """virDomainSetGuestVcpus."""

    @event(373)
    def storagePoolEventRefresh(self, callbackID: Int32, pool: StoragePoolRef) -> None:
        """VIR_STORAGE_POOL_EVENT_ID_REFRESH."""

    @procedure(
        374,
        api="virConnectNodeDeviceEventRegisterAny",
        priority=True,
        access="connect:search_node_devices",
        filters="node_device:getattr",
        readOnly=True,
        since="2.2.0",
    )
    def connectNodeDeviceEventRegisterAny(
        self, eventID: Int32, dev: NodeDeviceRef | None
    ) -> Deferred[Int32]:
        """virConnectNodeDeviceEventRegisterAny."""

    @procedure(
        375,
        api="virConnectNodeDeviceEventDeregisterAny",
        priority=True,
        access="connect:read",
        readOnly=True,
        since="2.2.0",
    )
    def connectNodeDeviceEventDeregisterAny(self, callbackID: Int32) -> Deferred[None]:
        """virConnectNodeDeviceEventDeregisterAny."""

    @event(376)
    def nodeDeviceEventLifecycle(
        self, callbackID: Int32, dev: NodeDeviceRef, event: Int32, detail: Int32
    ) -> None:
        """VIR_NODE_DEVICE_EVENT_ID_LIFECYCLE."""

    @event(377)
    def nodeDeviceEventUpdate(self, callbackID: Int32, dev: NodeDeviceRef) -> None:
        """VIR_NODE_DEVICE_EVENT_ID_UPDATE."""

    @procedure(
        378,
        api="virStorageVolGetInfoFlags",
        priority=True,
        access="storage_vol:read",
        readOnly=True,
        since="3.0.0",
    )
    def storageVolGetInfoFlags(
        self, vol: StorageVolRef, flags: UInt32
    ) -> Deferred[StorageVolGetInfoFlagsResult]:
        """virStorageVolGetInfoFlags."""

    @event(379)
    def domainEventCallbackMetadataChange(
        self, callbackID: Int32, dom: DomainRef, type: Int32, nsuri: WireString | None
    ) -> None:
        """VIR_DOMAIN_EVENT_ID_METADATA_CHANGE. For callbacks registered with an id."""

    @procedure(
        380,
        api="virConnectSecretEventRegisterAny",
        priority=True,
        access="connect:search_secrets",
        filters="secret:getattr",
        readOnly=True,
        since="3.0.0",
    )
    def connectSecretEventRegisterAny(
        self, eventID: Int32, secret: SecretRef | None
    ) -> Deferred[Int32]:
        """virConnectSecretEventRegisterAny."""

    @procedure(
        381,
        api="virConnectSecretEventDeregisterAny",
        priority=True,
        access="connect:read",
        readOnly=True,
        since="3.0.0",
    )
    def connectSecretEventDeregisterAny(self, callbackID: Int32) -> Deferred[None]:
        """virConnectSecretEventDeregisterAny."""

    @event(382)
    def secretEventLifecycle(
        self, callbackID: Int32, secret: SecretRef, event: Int32, detail: Int32
    ) -> None:
        """VIR_SECRET_EVENT_ID_LIFECYCLE."""

    @event(383)
    def secretEventValueChanged(self, callbackID: Int32, secret: SecretRef) -> None:
        """VIR_SECRET_EVENT_ID_VALUE_CHANGED."""

    @procedure(
        384,
        api="virDomainSetVcpu",
        access=(
            "domain:write",
            "domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE",
            "domain:save:VIR_DOMAIN_AFFECT_CONFIG",
        ),
        since="3.1.0",
    )
    def domainSetVcpu(
        self, dom: DomainRef, cpumap: WireString, state: Int32, flags: UInt32
    ) -> Deferred[None]:
        """virDomainSetVcpu; flags: virDomainModificationImpact."""

    @event(385)
    def domainEventBlockThreshold(
        self,
        callbackID: Int32,
        dom: DomainRef,
        dev: WireString,
        path: WireString | None,
        threshold: UHyper,
        excess: UHyper,
    ) -> None:
        """VIR_DOMAIN_EVENT_ID_BLOCK_THRESHOLD. For callbacks registered with an id."""

    @procedure(386, api="virDomainSetBlockThreshold", access="domain:write", since="3.1.0")
    def domainSetBlockThreshold(
        self, dom: DomainRef, dev: WireString, threshold: UHyper, flags: UInt32
    ) -> Deferred[None]:
        """virDomainSetBlockThreshold."""

    @procedure(
        387,
        api="virDomainMigrateGetMaxDowntime",
        access="domain:migrate",
        readOnly=True,
        since="3.7.0",
    )
    def domainMigrateGetMaxDowntime(self, dom: DomainRef, flags: UInt32) -> Deferred[UHyper]:
        """virDomainMigrateGetMaxDowntime."""

    @procedure(
        388,
        api="virDomainManagedSaveGetXMLDesc",
        access=("domain:read", "domain:read_secure:VIR_DOMAIN_SAVE_IMAGE_XML_SECURE"),
        readOnly=ReadOnly(True, 1),
        since="3.7.0",
    )
    def domainManagedSaveGetXMLDesc(self, dom: DomainRef, flags: UInt32) -> Deferred[WireString]:
        """virDomainManagedSaveGetXMLDesc; flags: virDomainXMLFlags."""

    @procedure(
        389,
        api="virDomainManagedSaveDefineXML",
        access=("domain:write", "domain:hibernate"),
        since="3.7.0",
    )
    def domainManagedSaveDefineXML(
        self, dom: DomainRef, dxml: WireString | None, flags: UInt32
    ) -> Deferred[None]:
        """virDomainManagedSaveDefineXML; flags: virDomainSaveRestoreFlags."""

    @procedure(390, api="virDomainSetLifecycleAction", access="domain:write", since="3.9.0")
    def domainSetLifecycleAction(
        self, dom: DomainRef, type: UInt32, action: UInt32, flags: UInt32
    ) -> Deferred[None]:
        """virDomainSetLifecycleAction; flags: virDomainModificationImpact."""

    @procedure(
        391,
        api="virStoragePoolLookupByTargetPath",
        priority=True,
        access="storage_pool:getattr",
        readOnly=True,
        since="4.1.0",
    )
    def storagePoolLookupByTargetPath(self, path: WireString) -> Deferred[StoragePoolRef]:
        """virStoragePoolLookupByTargetPath."""

    @procedure(
        392,
        api="virDomainDetachDeviceAlias",
        access=(
            "domain:write",
            "domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE",
            "domain:save:VIR_DOMAIN_AFFECT_CONFIG",
        ),
        since="4.4.0",
    )
    def domainDetachDeviceAlias(
        self, dom: DomainRef, alias: WireString, flags: UInt32
    ) -> Deferred[None]:
        """virDomainDetachDeviceAlias."""

    @procedure(393, api="virConnectCompareHypervisorCPU", access="connect:write", since="4.4.0")
    def connectCompareHypervisorCPU(
        self,
        emulator: WireString | None,
        arch: WireString | None,
        machine: WireString | None,
        virttype: WireString | None,
        xmlcpu: WireString,
        flags: UInt32,
    ) -> Deferred[Int32]:
        """virConnectCompareHypervisorCPU."""

    @procedure(394, api="virConnectBaselineHypervisorCPU", access="connect:write", since="4.4.0")
    def connectBaselineHypervisorCPU(
        self,
        emulator: WireString | None,
        arch: WireString | None,
        machine: WireString | None,
        virttype: WireString | None,
        xmlCPUs: Annotated[list[WireString], Max(256)],
        flags: UInt32,
    ) -> Deferred[WireString]:
        """virConnectBaselineHypervisorCPU."""

    @procedure(395, api="virNodeGetSEVInfo", access="connect:read", since="4.5.0")
    def nodeGetSEVInfo(self, nparams: Int32, flags: UInt32) -> Deferred[NodeGetSEVInfoResult]:
        """virNodeGetSEVInfo."""

    @procedure(396, api="virDomainGetLaunchSecurityInfo", access="domain:read", since="4.5.0")
    def domainGetLaunchSecurityInfo(
        self, dom: DomainRef, flags: UInt32
    ) -> Deferred[Annotated[list[TypedParam], Max(64)]]:
        """virDomainGetLaunchSecurityInfo."""

    @procedure(
        397,
        api="virNWFilterBindingLookupByPortDev",
        priority=True,
        access="nwfilter_binding:getattr",
        readOnly=True,
        since="4.5.0",
    )
    def nwfilterBindingLookupByPortDev(self, name: WireString) -> Deferred[NWFilterBindingRef]:
        """virNWFilterBindingLookupByPortDev."""

    @procedure(
        398,
        api="virNWFilterBindingGetXMLDesc",
        priority=True,
        access="nwfilter_binding:read",
        readOnly=True,
        since="4.5.0",
    )
    def nwfilterBindingGetXMLDesc(
        self, nwfilter: NWFilterBindingRef, flags: UInt32
    ) -> Deferred[WireString]:
        """virNWFilterBindingGetXMLDesc."""

    @procedure(
        399,
        api="virNWFilterBindingCreateXML",
        priority=True,
        access="nwfilter_binding:create",
        since="4.5.0",
    )
    def nwfilterBindingCreateXML(
        self, xml: WireString, flags: UInt32
    ) -> Deferred[NWFilterBindingRef]:
        """virNWFilterBindingCreateXML."""

    @procedure(
        400,
        api="virNWFilterBindingDelete",
        priority=True,
        access="nwfilter_binding:delete",
        since="4.5.0",
    )
    def nwfilterBindingDelete(self, nwfilter: NWFilterBindingRef) -> Deferred[None]:
        """virNWFilterBindingDelete."""

    @procedure(
        401,
        api="virConnectListAllNWFilterBindings",
        priority=True,
        access="connect:search_nwfilter_bindings",
        filters="nwfilter_binding:getattr",
        readOnly=True,
        since="4.5.0",
    )
    def connectListAllNWFilterBindings(
        self, needResults: Bool, flags: UInt32
    ) -> Deferred[ConnectListAllNWFilterBindingsResult]:
        """virConnectListAllNWFilterBindings."""

    @procedure(
        402,
        api="virDomainSetIOThreadParams",
        access=(
            "domain:write",
            "domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE",
            "domain:save:VIR_DOMAIN_AFFECT_CONFIG",
        ),
        since="4.10.0",
    )
    def domainSetIOThreadParams(
        self,
        dom: DomainRef,
        iothreadID: UInt32,
        params: Annotated[list[TypedParam], Max(64)],
        flags: UInt32,
    ) -> Deferred[None]:
        """virDomainSetIOThreadParams."""

    @procedure(
        403,
        api="virConnectGetStoragePoolCapabilities",
        access="connect:read",
        readOnly=True,
        since="5.2.0",
    )
    def connectGetStoragePoolCapabilities(self, flags: UInt32) -> Deferred[WireString]:
        """virConnectGetStoragePoolCapabilities."""

    @procedure(
        404,
        api="virNetworkListAllPorts",
        priority=True,
        access="network:search_ports",
        filters="network_port:getattr",
        readOnly=True,
        since="5.5.0",
    )
    def networkListAllPorts(
        self, network: NetworkRef, needResults: Bool, flags: UInt32
    ) -> Deferred[NetworkListAllPortsResult]:
        """virNetworkListAllPorts."""

    @procedure(
        405,
        api="virNetworkPortLookupByUUID",
        priority=True,
        access="network_port:getattr",
        readOnly=True,
        since="5.5.0",
    )
    def networkPortLookupByUUID(self, network: NetworkRef, uuid: UUID) -> Deferred[NetworkPortRef]:
        """virNetworkPortLookupByUUID."""

    @procedure(406, api="virNetworkPortCreateXML", access="network_port:create", since="5.5.0")
    def networkPortCreateXML(
        self, network: NetworkRef, xml: WireString, flags: UInt32
    ) -> Deferred[NetworkPortRef]:
        """virNetworkPortCreateXML."""

    @procedure(
        407,
        api="virNetworkPortGetParameters",
        access="network_port:read",
        readOnly=True,
        since="5.5.0",
    )
    def networkPortGetParameters(
        self, port: NetworkPortRef, nparams: Int32, flags: UInt32
    ) -> Deferred[NetworkPortGetParametersResult]:
        """virNetworkPortGetParameters."""

    @procedure(408, api="virNetworkPortSetParameters", access="network_port:write", since="5.5.0")
    def networkPortSetParameters(
        self, port: NetworkPortRef, params: Annotated[list[TypedParam], Max(16)], flags: UInt32
    ) -> Deferred[None]:
        """virNetworkPortSetParameters."""

    @procedure(
        409,
        api="virNetworkPortGetXMLDesc",
        access="network_port:read",
        readOnly=True,
        since="5.5.0",
    )
    def networkPortGetXMLDesc(self, port: NetworkPortRef, flags: UInt32) -> Deferred[WireString]:
        """virNetworkPortGetXMLDesc."""

    @procedure(410, api="virNetworkPortDelete", access="network_port:delete", since="5.5.0")
    def networkPortDelete(self, port: NetworkPortRef, flags: UInt32) -> Deferred[None]:
        """virNetworkPortDelete."""

    @procedure(
        411,
        api="virDomainCheckpointCreateXML",
        access=("domain:checkpoint", "domain:fs_freeze:VIR_DOMAIN_CHECKPOINT_CREATE_QUIESCE"),
        since="5.6.0",
    )
    def domainCheckpointCreateXML(
        self, dom: DomainRef, xmlDesc: WireString, flags: UInt32
    ) -> Deferred[DomainCheckpointRef]:
        """virDomainCheckpointCreateXML."""

    @procedure(
        412,
        api="virDomainCheckpointGetXMLDesc",
        access=("domain:read", "domain:read_secure:VIR_DOMAIN_CHECKPOINT_XML_SECURE"),
        readOnly=ReadOnly(True, 1),
        since="5.6.0",
    )
    def domainCheckpointGetXMLDesc(
        self, checkpoint: DomainCheckpointRef, flags: UInt32
    ) -> Deferred[WireString]:
        """virDomainCheckpointGetXMLDesc."""

    @procedure(
        413,
        api="virDomainListAllCheckpoints",
        priority=True,
        access="domain:read",
        readOnly=True,
        since="5.6.0",
    )
    def domainListAllCheckpoints(
        self, dom: DomainRef, needResults: Bool, flags: UInt32
    ) -> Deferred[DomainListAllCheckpointsResult]:
        """virDomainListAllCheckpoints."""

    @procedure(
        414,
        api="virDomainCheckpointListAllChildren",
        priority=True,
        access="domain:read",
        readOnly=True,
        since="5.6.0",
    )
    def domainCheckpointListAllChildren(
        self, checkpoint: DomainCheckpointRef, needResults: Bool, flags: UInt32
    ) -> Deferred[DomainCheckpointListAllChildrenResult]:
        """virDomainCheckpointListAllChildren."""

    @procedure(
        415,
        api="virDomainCheckpointLookupByName",
        priority=True,
        access="domain:read",
        readOnly=True,
        since="5.6.0",
    )
    def domainCheckpointLookupByName(
        self, dom: DomainRef, name: WireString, flags: UInt32
    ) -> Deferred[DomainCheckpointRef]:
        """virDomainCheckpointLookupByName."""

    @procedure(
        416,
        api="virDomainCheckpointGetParent",
        priority=True,
        access="domain:read",
        readOnly=True,
        since="5.6.0",
    )
    def domainCheckpointGetParent(
        self, checkpoint: DomainCheckpointRef, flags: UInt32
    ) -> Deferred[DomainCheckpointRef]:
        """virDomainCheckpointGetParent."""

    @procedure(417, api="virDomainCheckpointDelete", access="domain:checkpoint", since="5.6.0")
    def domainCheckpointDelete(
        self, checkpoint: DomainCheckpointRef, flags: UInt32
    ) -> Deferred[None]:
        """virDomainCheckpointDelete; flags: virDomainCheckpointDeleteFlags."""

    @procedure(418, api="virDomainGetGuestInfo", access="domain:write", since="5.7.0")
    def domainGetGuestInfo(
        self, dom: DomainRef, types: UInt32, flags: UInt32
    ) -> Deferred[Annotated[list[TypedParam], Max(2048)]]:
        """virDomainGetGuestInfo."""

    @procedure(
        419, api="virConnectSetIdentity", access="connect:write", readOnly=True, since="5.8.0"
    )
    def connectSetIdentity(
        self, params: Annotated[list[TypedParam], Max(20)], flags: UInt32
    ) -> Deferred[None]:
        """virConnectSetIdentity."""

    @procedure(420, api="virDomainAgentSetResponseTimeout", access="domain:write", since="5.10.0")
    def domainAgentSetResponseTimeout(
        self, dom: DomainRef, timeout: Int32, flags: UInt32
    ) -> Deferred[Int32]:
        """virDomainAgentSetResponseTimeout."""

    @procedure(
        421,
        api="virDomainBackupBegin",
        access=("domain:checkpoint", "domain:block_write"),
        since="6.0.0",
    )
    def domainBackupBegin(
        self, dom: DomainRef, backupXML: WireString, checkpointXML: WireString | None, flags: UInt32
    ) -> Deferred[None]:
        """virDomainBackupBegin; flags: virDomainBackupBeginFlags."""

    @procedure(
        422,
        api="virDomainBackupGetXMLDesc",
        priority=True,
        access="domain:read",
        readOnly=True,
        since="6.0.0",
    )
    def domainBackupGetXMLDesc(self, dom: DomainRef, flags: UInt32) -> Deferred[WireString]:
        """virDomainBackupGetXMLDesc."""

    @event(423)
    def domainEventMemoryFailure(
        self, callbackID: Int32, dom: DomainRef, recipient: Int32, action: Int32, flags: UInt32
    ) -> None:
        """VIR_DOMAIN_EVENT_ID_MEMORY_FAILURE. For callbacks registered with an id."""

    @procedure(424, api="virDomainAuthorizedSSHKeysGet", access="domain:write", since="6.10.0")
    def domainAuthorizedSSHKeysGet(
        self, dom: DomainRef, user: WireString, flags: UInt32
    ) -> Deferred[Annotated[list[WireString], Max(2048)]]:
        """virDomainAuthorizedSSHKeysGet."""

    @procedure(425, api="virDomainAuthorizedSSHKeysSet", access="domain:write", since="6.10.0")
    def domainAuthorizedSSHKeysSet(
        self,
        dom: DomainRef,
        user: WireString,
        keys: Annotated[list[WireString], Max(2048)],
        flags: UInt32,
    ) -> Deferred[None]:
        """virDomainAuthorizedSSHKeysSet."""

    @procedure(426, api="virDomainGetMessages", access="domain:read", readOnly=True, since="7.1.0")
    def domainGetMessages(
        self, dom: DomainRef, flags: UInt32
    ) -> Deferred[Annotated[list[WireString], Max(2048)]]:
        """virDomainGetMessages."""

    @procedure(427, api="virDomainStartDirtyRateCalc", access="domain:write", since="7.2.0")
    def domainStartDirtyRateCalc(
        self, dom: DomainRef, seconds: Int32, flags: UInt32
    ) -> Deferred[None]:
        """virDomainStartDirtyRateCalc."""

    @procedure(
        428,
        api="virNodeDeviceDefineXML",
        access=("node_device:write", "node_device:save"),
        since="7.3.0",
    )
    def nodeDeviceDefineXML(self, xmlDesc: WireString, flags: UInt32) -> Deferred[NodeDeviceRef]:
        """virNodeDeviceDefineXML; flags: virNodeDeviceDefineXMLFlags."""

    @procedure(
        429, api="virNodeDeviceUndefine", priority=True, access="node_device:delete", since="7.3.0"
    )
    def nodeDeviceUndefine(self, name: WireString, flags: UInt32) -> Deferred[None]:
        """virNodeDeviceUndefine."""

    @procedure(
        430, api="virNodeDeviceCreate", priority=True, access="node_device:start", since="7.3.0"
    )
    def nodeDeviceCreate(self, name: WireString, flags: UInt32) -> Deferred[None]:
        """virNodeDeviceCreate."""

    @procedure(
        431,
        api="virNWFilterDefineXMLFlags",
        priority=True,
        access=("nwfilter:write", "nwfilter:save"),
        since="7.7.0",
    )
    def nwfilterDefineXMLFlags(self, xml: WireString, flags: UInt32) -> Deferred[NWFilterRef]:
        """virNWFilterDefineXMLFlags."""

    @procedure(
        432,
        api="virNetworkDefineXMLFlags",
        priority=True,
        access=("network:write", "network:save"),
        since="7.7.0",
    )
    def networkDefineXMLFlags(self, xml: WireString, flags: UInt32) -> Deferred[NetworkRef]:
        """virNetworkDefineXMLFlags."""

    @procedure(
        433,
        api="virNodeDeviceGetAutostart",
        priority=True,
        access="node_device:read",
        since="7.8.0",
    )
    def nodeDeviceGetAutostart(self, name: WireString) -> Deferred[Bool]:
        """virNodeDeviceGetAutostart."""

    @procedure(
        434,
        api="virNodeDeviceSetAutostart",
        priority=True,
        access="node_device:write",
        since="7.8.0",
    )
    def nodeDeviceSetAutostart(self, name: WireString, autostart: Bool) -> Deferred[None]:
        """virNodeDeviceSetAutostart."""

    @procedure(
        435,
        api="virNodeDeviceIsPersistent",
        priority=True,
        access="node_device:read",
        readOnly=True,
        since="7.8.0",
    )
    def nodeDeviceIsPersistent(self, name: WireString) -> Deferred[Bool]:
        """virNodeDeviceIsPersistent."""

    @procedure(
        436,
        api="virNodeDeviceIsActive",
        priority=True,
        access="node_device:read",
        readOnly=True,
        since="7.8.0",
    )
    def nodeDeviceIsActive(self, name: WireString) -> Deferred[Bool]:
        """virNodeDeviceIsActive."""

    @procedure(
        437,
        api="virNetworkCreateXMLFlags",
        priority=True,
        access=("network:write", "network:start"),
        since="7.8.0",
    )
    def networkCreateXMLFlags(self, xml: WireString, flags: UInt32) -> Deferred[NetworkRef]:
        """virNetworkCreateXMLFlags."""

    @event(438)
    def domainEventMemoryDeviceSizeChange(
        self, callbackID: Int32, dom: DomainRef, alias: WireString, size: UHyper
    ) -> None:
        """VIR_DOMAIN_EVENT_ID_MEMORY_DEVICE_SIZE_CHANGE. For callbacks registered with an id."""

    @procedure(439, api="virDomainSetLaunchSecurityState", access="domain:write", since="8.0.0")
    def domainSetLaunchSecurityState(
        self, dom: DomainRef, params: Annotated[list[TypedParam], Max(64)], flags: UInt32
    ) -> Deferred[None]:
        """virDomainSetLaunchSecurityState."""

    @procedure(440, api="virDomainSaveParams", access="domain:hibernate", since="8.4.0")
    def domainSaveParams(
        self, dom: DomainRef, params: Annotated[list[TypedParam], Max(64)], flags: UInt32
    ) -> Deferred[None]:
        """virDomainSaveParams."""

    @procedure(
        441, api="virDomainRestoreParams", access=("domain:start", "domain:write"), since="8.4.0"
    )
    def domainRestoreParams(
        self, params: Annotated[list[TypedParam], Max(64)], flags: UInt32
    ) -> Deferred[None]:
        """virDomainRestoreParams."""

    @procedure(442, api="virDomainAbortJobFlags", access="domain:write", since="8.5.0")
    def domainAbortJobFlags(self, dom: DomainRef, flags: UInt32) -> Deferred[None]:
        """virDomainAbortJobFlags."""

    @procedure(443, api="virDomainFDAssociate", access="domain:write", fds="call", since="9.0.0")
    def domainFDAssociate(self, dom: DomainRef, name: WireString, flags: UInt32) -> Deferred[None]:
        """virDomainFDAssociate."""

    @procedure(
        444,
        access=(
            "network:write",
            "network:save:!VIR_NETWORK_UPDATE_AFFECT_CONFIG|VIR_NETWORK_UPDATE_AFFECT_LIVE",
            "network:save:VIR_NETWORK_UPDATE_AFFECT_CONFIG",
        ),
        since="9.7.0",
    )
    def networkSetMetadata(
        self,
        network: NetworkRef,
        type: Int32,
        metadata: WireString | None,
        key: WireString | None,
        uri: WireString | None,
        flags: UInt32,
    ) -> Deferred[None]:
        """Network set metadata."""

    @procedure(445, access="network:read", readOnly=True, since="9.7.0")
    def networkGetMetadata(
        self, network: NetworkRef, type: Int32, uri: WireString | None, flags: UInt32
    ) -> Deferred[WireString]:
        """Network get metadata."""

    @event(446, since="9.8.0")
    def networkEventCallbackMetadataChange(
        self, callbackID: Int32, net: NetworkRef, type: Int32, nsuri: WireString | None
    ) -> None:
        """VIR_NETWORK_EVENT_ID_METADATA_CHANGE."""

    @procedure(
        447,
        priority=True,
        access=(
            "node_device:write",
            "node_device:save:!VIR_NODE_DEVICE_UPDATE_AFFECT_CONFIG|VIR_NODE_DEVICE_UPDATE_AFFECT_LIVE",
            "node_device:save:VIR_NODE_DEVICE_UPDATE_AFFECT_CONFIG",
        ),
        since="10.1.0",
    )
    def nodeDeviceUpdate(
        self, name: WireString, xmlDesc: WireString, flags: UInt32
    ) -> Deferred[None]:
        """Node device update; flags: virNodeDeviceUpdateFlags."""

    @procedure(448, access="domain:write", since="10.2.0")
    def domainGraphicsReload(self, dom: DomainRef, type: UInt32, flags: UInt32) -> Deferred[None]:
        """Domain graphics reload."""

    @procedure(449, readOnly=True, since="11.2.0")
    def domainGetAutostartOnce(self, dom: DomainRef) -> Deferred[Bool]:
        """Domain get autostart once."""

    @procedure(450, since="11.2.0")
    def domainSetAutostartOnce(self, dom: DomainRef, autostart: Bool) -> Deferred[None]:
        """Domain set autostart once."""

    @procedure(451, since="11.2.0")
    def domainSetThrottleGroup(
        self,
        dom: DomainRef,
        group: WireString,
        params: Annotated[list[TypedParam], Max(32)],
        flags: UInt32,
    ) -> Deferred[None]:
        """Domain set throttle group."""

    @procedure(452, since="11.2.0")
    def domainDelThrottleGroup(
        self, dom: DomainRef, group: WireString | None, flags: UInt32
    ) -> Deferred[None]:
        """Domain del throttle group."""

    @event(453, since="11.2.0")
    def domainEventNICMACChange(
        self,
        callbackID: Int32,
        dom: DomainRef,
        alias: WireString,
        oldMAC: WireString,
        newMAC: WireString,
    ) -> None:
        """VIR_DOMAIN_EVENT_ID_NIC_MAC_CHANGE. For callbacks registered with an id."""


PROGRAM = Program("remote", 0x20008086, 1, Remote)


lighten(globals())
