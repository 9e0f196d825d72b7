"""
The routes that need an entry: every procedure that is not simply the contract's method of the same name.

Old and new procedures meet here in one method; what is absent from this table either has a method with the
same name and parameters, belongs to the session (L{SESSION}) or is refused (L{REFUSED}).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from pyvirt import constants as c
from pyvirt.drivers.interfaces.values import (
    DomainRef,
    NodeCPUMap,
    NodeInfo,
    SecurityLabel,
    SecurityModel,
    TypedParam,
    VcpuPlacement,
)
from pyvirt.errors import ErrorCode, ErrorDomain, InvalidArgument
from pyvirt.routes.kinds import (
    Arguments,
    DescriptorAnswer,
    Into,
    Route,
    characters,
    constant,
    counted,
    drop,
    first,
    fitAll,
    howMany,
    legacyCount,
    legacyNames,
    limited,
    listAll,
    names,
    nothing,
    oneMap,
    parameters,
    statisticGetter,
    stream,
    streamAfter,
    typedGetter,
    withDescriptors,
    withStrings,
)

_MAXIMUM_LIVE = c.VIR_DOMAIN_AFFECT_LIVE | c.VIR_DOMAIN_VCPU_MAXIMUM


def _nodeInfo(value: NodeInfo, arguments: Arguments) -> tuple[Any, ...]:
    return (characters(value[0], 32), *value[1:])


def _securityModel(value: SecurityModel, arguments: Arguments) -> tuple[bytes, bytes]:
    return characters(value[0]), characters(value[1])


def _securityLabel(value: SecurityLabel, arguments: Arguments) -> SecurityLabel:
    return SecurityLabel(characters(value[0]), value[1])


def _securityLabels(value: list[SecurityLabel], arguments: Arguments) -> tuple[Any, int]:
    return [_securityLabel(label, arguments) for label in value], len(value)


def _ids(value: list[DomainRef], arguments: Arguments) -> list[int]:
    return [ref.id for ref in value[: arguments[0]]]


def _uuids(value: Sequence[Any], arguments: Arguments) -> list[str]:
    return [str(UUID(bytes=ref.uuid)) for ref in value[: arguments[0]]]


def _vcpus(value: VcpuPlacement, arguments: Arguments) -> tuple[Any, bytes]:
    _, count, length = arguments
    info, cpumaps = value
    return info[:count], fitAll(cpumaps, count, length)


def _vcpuPins(value: list[bytes], arguments: Arguments) -> tuple[bytes, int]:
    _, count, length, _ = arguments
    return fitAll(value, count, length), min(count, len(value))


def _cpuMap(value: NodeCPUMap, arguments: Arguments) -> tuple[bytes, int, int]:
    needMap, needOnline, _ = arguments
    return value[0] if needMap else b"", value[1] if needOnline else 0, value[2]


def _cpuStats(value: list[list[TypedParam]], arguments: Arguments) -> tuple[Any, int]:
    """
    Lay the parameters of several CPUs in one list, and tell how many each has.

    Asked with no room for parameters, it tells how many each CPU has; with no CPUs either, how many CPUs.
    """
    _, nparams, _, ncpus, _ = arguments
    if nparams == 0:
        return [], len(value) if ncpus == 0 else max(map(len, value), default=0)
    cut = [params[:nparams] for params in value]
    return [param for params in cut for param in params], max(map(len, cut), default=0)


def _cpuStatsArguments(arguments: Arguments, fds: Sequence[int]) -> Sequence[Any]:
    """Where only numbers are asked for, the first CPU does not matter."""
    dom, nparams, startCPU, ncpus, flags = arguments
    if nparams == 0 and startCPU > 0:
        startCPU = 0
    return dom, startCPU, ncpus, flags | c.VIR_TYPED_PARAM_STRING_OKAY


def _hasCurrent(value: Any, arguments: Arguments) -> bool:
    return value is not None


NODE_DEVICE_CAPS: Final[Mapping[str, int]] = {
    "system": c.VIR_CONNECT_LIST_NODE_DEVICES_CAP_SYSTEM,
    "pci": c.VIR_CONNECT_LIST_NODE_DEVICES_CAP_PCI_DEV,
    "usb_device": c.VIR_CONNECT_LIST_NODE_DEVICES_CAP_USB_DEV,
    "usb": c.VIR_CONNECT_LIST_NODE_DEVICES_CAP_USB_INTERFACE,
    "net": c.VIR_CONNECT_LIST_NODE_DEVICES_CAP_NET,
    "scsi_host": c.VIR_CONNECT_LIST_NODE_DEVICES_CAP_SCSI_HOST,
    "scsi_target": c.VIR_CONNECT_LIST_NODE_DEVICES_CAP_SCSI_TARGET,
    "scsi": c.VIR_CONNECT_LIST_NODE_DEVICES_CAP_SCSI,
    "storage": c.VIR_CONNECT_LIST_NODE_DEVICES_CAP_STORAGE,
    "fc_host": c.VIR_CONNECT_LIST_NODE_DEVICES_CAP_FC_HOST,
    "vports": c.VIR_CONNECT_LIST_NODE_DEVICES_CAP_VPORTS,
    "scsi_generic": c.VIR_CONNECT_LIST_NODE_DEVICES_CAP_SCSI_GENERIC,
    "drm": c.VIR_CONNECT_LIST_NODE_DEVICES_CAP_DRM,
    "mdev_types": c.VIR_CONNECT_LIST_NODE_DEVICES_CAP_MDEV_TYPES,
    "mdev": c.VIR_CONNECT_LIST_NODE_DEVICES_CAP_MDEV,
    "ccw": c.VIR_CONNECT_LIST_NODE_DEVICES_CAP_CCW_DEV,
    "css": c.VIR_CONNECT_LIST_NODE_DEVICES_CAP_CSS_DEV,
    "vdpa": c.VIR_CONNECT_LIST_NODE_DEVICES_CAP_VDPA,
    "ap_card": c.VIR_CONNECT_LIST_NODE_DEVICES_CAP_AP_CARD,
    "ap_queue": c.VIR_CONNECT_LIST_NODE_DEVICES_CAP_AP_QUEUE,
    "ap_matrix": c.VIR_CONNECT_LIST_NODE_DEVICES_CAP_AP_MATRIX,
    "vpd": c.VIR_CONNECT_LIST_NODE_DEVICES_CAP_VPD,
    "ccwgroup": c.VIR_CONNECT_LIST_NODE_DEVICES_CAP_CCWGROUP_DEV,
    "ccwgroup_member": c.VIR_CONNECT_LIST_NODE_DEVICES_CAP_CCWGROUP_MEMBER,
}
"""A capability's name in XML, and the flag that lists the devices that have it."""


def _deviceFlags(function: str) -> Into:
    """Devices with a capability if one is named; the older functions have no flags of their own."""

    def into(arguments: Arguments, fds: Sequence[int]) -> Sequence[Any]:
        cap, flags = arguments[0], arguments[-1]
        if flags:
            raise InvalidArgument(
                f"unsupported flags (0x{flags:x}) in function {function}",
                domain=ErrorDomain.NODEDEV,
                str1=function,
                str2="flags",
                int1=0,
                int2=0,
            )
        return (0 if cap is None else NODE_DEVICE_CAPS.get(cap, 0),)

    return into


def _devices(value: Any, arguments: Arguments) -> Any:
    """Leave out everything if the capability is one that nobody knows."""
    cap = arguments[0]
    return value if cap is None or cap in NODE_DEVICE_CAPS else []


def _begin3(arguments: Arguments, fds: Sequence[int]) -> Sequence[Any]:
    dom, xmlin, flags, dname, bandwidth = arguments
    given = parameters(destination_xml=xmlin, destination_name=dname, bandwidth=bandwidth)
    return dom, given, flags


def _prepare3(arguments: Arguments, fds: Sequence[int]) -> Sequence[Any]:
    cookieIn, uriIn, flags, dname, bandwidth, domXML = arguments
    given = parameters(
        migrate_uri=uriIn, destination_name=dname, destination_xml=domXML, bandwidth=bandwidth
    )
    return given, cookieIn, flags


def _prepareTunnel3(arguments: Arguments, fds: Sequence[int]) -> Sequence[Any]:
    cookieIn, flags, dname, bandwidth, domXML = arguments
    given = parameters(destination_name=dname, destination_xml=domXML, bandwidth=bandwidth)
    return given, cookieIn, flags


def _perform3(arguments: Arguments, fds: Sequence[int]) -> Sequence[Any]:
    dom, xmlin, cookieIn, dconnuri, uri, flags, dname, bandwidth = arguments
    given = parameters(
        migrate_uri=uri, destination_name=dname, destination_xml=xmlin, bandwidth=bandwidth
    )
    return dom, dconnuri, given, cookieIn, flags


def _finish3(arguments: Arguments, fds: Sequence[int]) -> Sequence[Any]:
    dname, cookieIn, _dconnuri, _uri, flags, cancelled = arguments
    return parameters(destination_name=dname), cookieIn, flags, cancelled


def _confirm3(arguments: Arguments, fds: Sequence[int]) -> Sequence[Any]:
    dom, cookieIn, flags, cancelled = arguments
    return dom, [], cookieIn, flags, cancelled


def _graphicsFD(value: int, arguments: Arguments) -> DescriptorAnswer:
    return DescriptorAnswer(None, [value])


def _resultAndDescriptors(value: tuple[Any, list[int]], arguments: Arguments) -> DescriptorAnswer:
    return DescriptorAnswer(*value)


def _descriptors(value: list[int], arguments: Arguments) -> DescriptorAnswer:
    return DescriptorAnswer(None, value)


REMOTE: Final[Mapping[str, Route]] = {
    # Parameters or results that are shaped by C.
    "nodeGetInfo": Route("nodeGetInfo", None, _nodeInfo),
    "nodeGetSecurityModel": Route("nodeGetSecurityModel", None, _securityModel),
    "domainGetSecurityLabel": Route("domainGetSecurityLabel", None, _securityLabel),
    "domainGetSecurityLabelList": Route("domainGetSecurityLabelList", None, _securityLabels),
    "domainGetVcpus": Route("domainGetVcpus", drop(1, 2), _vcpus),
    "domainGetVcpuPinInfo": Route("domainGetVcpuPinInfo", drop(1, 2), _vcpuPins),
    "domainGetEmulatorPinInfo": Route("domainGetEmulatorPinInfo", drop(1), oneMap),
    "nodeGetCPUMap": Route("nodeGetCPUMap", drop(0, 1), _cpuMap),
    "domainMemoryStats": Route("domainMemoryStats", drop(1), limited(1), empty=1),
    "domainGetDiskErrors": Route(
        "domainGetDiskErrors",
        drop(1),
        lambda value, arguments: (value[: arguments[1]], len(value[: arguments[1]] or value)),
    ),
    "domainGetCPUStats": Route("domainGetCPUStats", _cpuStatsArguments, _cpuStats),
    "nodeGetCPUStats": statisticGetter("nodeGetCPUStats", 1),
    "nodeGetMemoryStats": statisticGetter("nodeGetMemoryStats", 0),
    "domainGetFSInfo": Route("domainGetFSInfo", None, counted),
    "domainGetIOThreadInfo": Route("domainGetIOThreadInfo", None, counted),
    "networkGetDHCPLeases": listAll("networkGetDHCPLeases", 2)._replace(lists=False),
    "connectGetCPUModelNames": listAll("connectGetCPUModelNames", 1)._replace(lists=False),
    "nodeDeviceListCaps": Route("nodeDeviceListCaps", drop(1), limited(1)),
    "nodeDeviceNumOfCaps": Route("nodeDeviceListCaps", None, howMany),
    # Typed parameters, read in two steps.
    "domainGetMemoryParameters": typedGetter("domainGetMemoryParameters", 1),
    "domainGetBlkioParameters": typedGetter("domainGetBlkioParameters", 1),
    "domainGetNumaParameters": typedGetter("domainGetNumaParameters", 1),
    "domainGetBlockIoTune": typedGetter("domainGetBlockIoTune", 2, 20),
    "domainGetInterfaceParameters": typedGetter("domainGetInterfaceParameters", 2, 7),
    "domainBlockStatsFlags": typedGetter("domainBlockStatsFlags", 2),
    "nodeGetMemoryParameters": typedGetter("nodeGetMemoryParameters", 0),
    "nodeGetSEVInfo": typedGetter("nodeGetSEVInfo", 0),
    "networkPortGetParameters": typedGetter("networkPortGetParameters", 1),
    "domainGetPerfEvents": Route("domainGetPerfEvents", withStrings),
    "domainGetLaunchSecurityInfo": Route("domainGetLaunchSecurityInfo", withStrings),
    "domainGetSchedulerParameters": Route(
        "domainGetSchedulerParametersFlags",
        lambda arguments, fds: (arguments[0], c.VIR_DOMAIN_AFFECT_CURRENT),
        limited(1),
    ),
    "domainGetSchedulerParametersFlags": typedGetter(
        "domainGetSchedulerParametersFlags", 1
    )._replace(out=limited(1)),
    "domainSetSchedulerParameters": Route(
        "domainSetSchedulerParametersFlags", first(c.VIR_DOMAIN_AFFECT_CURRENT)
    ),
    # Lists of everything, and the numbers, names and ids of older procedures.
    "connectListAllDomains": listAll("connectListAllDomains", 0),
    "connectListAllNetworks": listAll("connectListAllNetworks", 0),
    "connectListAllStoragePools": listAll("connectListAllStoragePools", 0),
    "connectListAllInterfaces": listAll("connectListAllInterfaces", 0),
    "connectListAllNodeDevices": listAll("connectListAllNodeDevices", 0),
    "connectListAllNWFilters": listAll("connectListAllNWFilters", 0),
    "connectListAllNWFilterBindings": listAll("connectListAllNWFilterBindings", 0),
    "connectListAllSecrets": listAll("connectListAllSecrets", 0),
    "storagePoolListAllVolumes": listAll("storagePoolListAllVolumes", 1),
    "networkListAllPorts": listAll("networkListAllPorts", 1),
    "domainListAllSnapshots": listAll("domainListAllSnapshots", 1),
    "domainSnapshotListAllChildren": listAll("domainSnapshotListAllChildren", 1),
    "domainListAllCheckpoints": listAll("domainListAllCheckpoints", 1),
    "domainCheckpointListAllChildren": listAll("domainCheckpointListAllChildren", 1),
    "connectGetAllDomainStats": Route("connectGetAllDomainStats", lists=True),
    "connectNumOfDomains": legacyCount("connectListAllDomains", c.VIR_CONNECT_LIST_DOMAINS_ACTIVE),
    "connectListDomains": Route(
        "connectListAllDomains", constant(c.VIR_CONNECT_LIST_DOMAINS_ACTIVE), _ids, lists=True
    ),
    "connectNumOfDefinedDomains": legacyCount(
        "connectListAllDomains", c.VIR_CONNECT_LIST_DOMAINS_INACTIVE
    ),
    "connectListDefinedDomains": legacyNames(
        "connectListAllDomains", c.VIR_CONNECT_LIST_DOMAINS_INACTIVE
    ),
    "connectNumOfNetworks": legacyCount(
        "connectListAllNetworks", c.VIR_CONNECT_LIST_NETWORKS_ACTIVE
    ),
    "connectListNetworks": legacyNames(
        "connectListAllNetworks", c.VIR_CONNECT_LIST_NETWORKS_ACTIVE
    ),
    "connectNumOfDefinedNetworks": legacyCount(
        "connectListAllNetworks", c.VIR_CONNECT_LIST_NETWORKS_INACTIVE
    ),
    "connectListDefinedNetworks": legacyNames(
        "connectListAllNetworks", c.VIR_CONNECT_LIST_NETWORKS_INACTIVE
    ),
    "connectNumOfStoragePools": legacyCount(
        "connectListAllStoragePools", c.VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE
    ),
    "connectListStoragePools": legacyNames(
        "connectListAllStoragePools", c.VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE
    ),
    "connectNumOfDefinedStoragePools": legacyCount(
        "connectListAllStoragePools", c.VIR_CONNECT_LIST_STORAGE_POOLS_INACTIVE
    ),
    "connectListDefinedStoragePools": legacyNames(
        "connectListAllStoragePools", c.VIR_CONNECT_LIST_STORAGE_POOLS_INACTIVE
    ),
    "storagePoolNumOfVolumes": Route("storagePoolListAllVolumes", first(0), howMany, lists=True),
    "storagePoolListVolumes": Route(
        "storagePoolListAllVolumes",
        lambda arguments, fds: (arguments[0], 0),
        names(1),
        lists=True,
    ),
    "connectNumOfInterfaces": legacyCount(
        "connectListAllInterfaces", c.VIR_CONNECT_LIST_INTERFACES_ACTIVE
    ),
    "connectListInterfaces": legacyNames(
        "connectListAllInterfaces", c.VIR_CONNECT_LIST_INTERFACES_ACTIVE
    ),
    "connectNumOfDefinedInterfaces": legacyCount(
        "connectListAllInterfaces", c.VIR_CONNECT_LIST_INTERFACES_INACTIVE
    ),
    "connectListDefinedInterfaces": legacyNames(
        "connectListAllInterfaces", c.VIR_CONNECT_LIST_INTERFACES_INACTIVE
    ),
    "connectNumOfSecrets": legacyCount("connectListAllSecrets", 0),
    "connectListSecrets": Route("connectListAllSecrets", constant(0), _uuids, lists=True),
    "connectNumOfNWFilters": legacyCount("connectListAllNWFilters", 0),
    "connectListNWFilters": legacyNames("connectListAllNWFilters", 0),
    "nodeNumOfDevices": Route(
        "connectListAllNodeDevices",
        _deviceFlags("nodeNumOfDevices"),
        lambda value, arguments: len(_devices(value, arguments)),
        lists=True,
    ),
    "nodeListDevices": Route(
        "connectListAllNodeDevices",
        _deviceFlags("nodeListDevices"),
        lambda value, arguments: [ref.name for ref in _devices(value, arguments)[: arguments[1]]],
        lists=True,
    ),
    "domainSnapshotNum": Route("domainListAllSnapshots", None, howMany, lists=True),
    "domainSnapshotListNames": Route("domainListAllSnapshots", drop(1), names(1), lists=True),
    "domainSnapshotNumChildren": Route("domainSnapshotListAllChildren", None, howMany, lists=True),
    "domainSnapshotListChildrenNames": Route(
        "domainSnapshotListAllChildren", drop(1), names(1), lists=True
    ),
    "domainHasCurrentSnapshot": Route("domainSnapshotCurrent", None, _hasCurrent),
    # Older procedures: the newer ones with what the older ones meant.
    "domainCreate": Route("domainCreateWithFlags", first(0, []), nothing),
    "domainCreateWithFlags": Route("domainCreateWithFlags", withDescriptors),
    "domainCreateWithFiles": Route("domainCreateWithFlags", withDescriptors),
    "domainCreateXML": Route("domainCreateXML", withDescriptors),
    "domainCreateXMLWithFiles": Route("domainCreateXML", withDescriptors),
    "domainDefineXML": Route("domainDefineXMLFlags", first(0)),
    "domainUndefine": Route("domainUndefineFlags", first(0)),
    "domainDestroy": Route("domainDestroyFlags", first(0)),
    # Any number but 0 switches it on.
    **{
        name: Route(name, lambda arguments, fds: (arguments[0], bool(arguments[1])))
        for name in (
            "domainSetAutostart",
            "domainSetAutostartOnce",
            "networkSetAutostart",
            "nodeDeviceSetAutostart",
            "storagePoolSetAutostart",
        )
    },
    "domainShutdown": Route("domainShutdownFlags", first(0)),
    "domainSave": Route("domainSaveFlags", first(None, 0)),
    "domainRestore": Route("domainRestoreFlags", first(None, 0)),
    "domainCoreDump": Route(
        "domainCoreDumpWithFormat",
        lambda arguments, fds: (
            arguments[0],
            arguments[1],
            c.VIR_DOMAIN_CORE_DUMP_FORMAT_RAW,
            arguments[2],
        ),
    ),
    "domainAttachDevice": Route("domainAttachDeviceFlags", first(c.VIR_DOMAIN_AFFECT_LIVE)),
    "domainDetachDevice": Route("domainDetachDeviceFlags", first(c.VIR_DOMAIN_AFFECT_LIVE)),
    "domainGetMaxVcpus": Route("domainGetVcpusFlags", first(_MAXIMUM_LIVE)),
    "domainSetVcpus": Route("domainSetVcpusFlags", first(c.VIR_DOMAIN_AFFECT_LIVE)),
    "domainPinVcpu": Route("domainPinVcpuFlags", first(c.VIR_DOMAIN_AFFECT_CURRENT)),
    "domainSetMaxMemory": Route("domainSetMemoryFlags", first(c.VIR_DOMAIN_MEM_MAXIMUM)),
    "domainSetMemory": Route("domainSetMemoryFlags", first(c.VIR_DOMAIN_AFFECT_LIVE)),
    "domainAbortJob": Route("domainAbortJobFlags", first(0)),
    "networkCreateXML": Route("networkCreateXMLFlags", first(0)),
    "networkDefineXML": Route("networkDefineXMLFlags", first(0)),
    "nwfilterDefineXML": Route("nwfilterDefineXMLFlags", first(0)),
    "storageVolWipe": Route(
        "storageVolWipePattern",
        lambda arguments, fds: (
            arguments[0],
            c.VIR_STORAGE_VOL_WIPE_ALG_ZERO,
            arguments[1],
        ),
    ),
    "nodeDeviceDettach": Route("nodeDeviceDetachFlags", first(None, 0)),
    # Streams and descriptors.
    "domainOpenConsole": stream("domainOpenConsole"),
    "domainOpenChannel": stream("domainOpenChannel"),
    "storageVolUpload": stream("storageVolUpload"),
    "storageVolDownload": stream("storageVolDownload"),
    "domainScreenshot": streamAfter("domainScreenshot"),
    "domainMigratePrepareTunnel3Params": streamAfter("domainMigratePrepareTunnel3Params"),
    "domainOpenGraphics": Route("domainOpenGraphics", withDescriptors),
    "domainOpenGraphicsFD": Route("domainOpenGraphicsFD", None, _graphicsFD),
    "domainFDAssociate": Route("domainFDAssociate", withDescriptors),
    # Migration, third protocol: its fixed parameters as typed ones.
    "domainMigrateBegin3": Route("domainMigrateBegin3Params", _begin3),
    "domainMigratePrepare3": Route("domainMigratePrepare3Params", _prepare3),
    "domainMigratePrepareTunnel3": streamAfter("domainMigratePrepareTunnel3Params")._replace(
        into=_prepareTunnel3
    ),
    "domainMigratePerform3": Route("domainMigratePerform3Params", _perform3),
    "domainMigrateFinish3": Route("domainMigrateFinish3Params", _finish3),
    "domainMigrateConfirm3": Route("domainMigrateConfirm3Params", _confirm3),
}

QEMU: Final[Mapping[str, Route]] = {
    "domainMonitorCommand": Route("domainQemuMonitorCommand"),
    "domainMonitorCommandWithFiles": Route(
        "domainQemuMonitorCommandWithFiles", withDescriptors, _resultAndDescriptors
    ),
    "domainAttach": Route("domainQemuAttach"),
    "domainAgentCommand": Route("domainQemuAgentCommand"),
}

LXC: Final[Mapping[str, Route]] = {
    "domainOpenNamespace": Route("domainLxcOpenNamespace", None, _descriptors),
}

FALLBACKS: Final[Mapping[str, tuple[int, Any]]] = {
    "domainHasCurrentSnapshot": (ErrorCode.NO_DOMAIN_SNAPSHOT, None),
}
"""Procedures for which a certain error of the contract's method is an ordinary answer, and which."""

SWALLOWED: Final[Mapping[str, Any]] = {"domainGetSecurityLabelList": ([], -1)}
"""Procedures that a daemon answers with success whatever fails, and what it answers then."""

CONNECTION: Final[Mapping[str, str]] = {
    "connectGetURI": "uri",
    "connectIsSecure": "isSecure",
}
"""Procedures answered by the connection itself: the attribute or the method without parameters."""

SESSION: Final[Mapping[str, str]] = {
    "connectOpen": "opening is what makes a connection",
    "connectClose": "closing ends it",
    "authList": "who the caller is is settled before there is a connection",
    "authSASLInit": "who the caller is is settled before there is a connection",
    "authSASLStart": "who the caller is is settled before there is a connection",
    "authSASLStep": "who the caller is is settled before there is a connection",
    "authPolkit": "who the caller is is settled before there is a connection",
    "connectSetIdentity": "who the caller acts for is what the session keeps",
    "connectRegisterCloseCallback": "the session tells that the connection is lost",
    "connectUnregisterCloseCallback": "the session tells that the connection is lost",
    **dict.fromkeys(
        (
            "connectDomainEventRegister",
            "connectDomainEventDeregister",
            "connectDomainEventRegisterAny",
            "connectDomainEventDeregisterAny",
            "connectDomainEventCallbackRegisterAny",
            "connectDomainEventCallbackDeregisterAny",
            "connectNetworkEventRegisterAny",
            "connectNetworkEventDeregisterAny",
            "connectStoragePoolEventRegisterAny",
            "connectStoragePoolEventDeregisterAny",
            "connectNodeDeviceEventRegisterAny",
            "connectNodeDeviceEventDeregisterAny",
            "connectSecretEventRegisterAny",
            "connectSecretEventDeregisterAny",
            "connectDomainMonitorEventRegister",
            "connectDomainMonitorEventDeregister",
        ),
        "callback numbers belong to the session, which subscribes with the driver's event contracts",
    ),
}
"""Procedures that whoever holds the session answers, and why."""

_OLD_MIGRATION = (
    "the first two migration protocols have no contract: every peer since 2011 speaks the third"
)

REFUSED: Final[Mapping[str, str]] = {
    "domainMigratePrepare": _OLD_MIGRATION,
    "domainMigratePerform": _OLD_MIGRATION,
    "domainMigrateFinish": _OLD_MIGRATION,
    "domainMigratePrepare2": _OLD_MIGRATION,
    "domainMigrateFinish2": _OLD_MIGRATION,
    "domainMigratePrepareTunnel": _OLD_MIGRATION,
}
"""Procedures that no driver is asked for, and why; they answer "not supported"."""
