"""
What the C binding wants of each method's arguments, as its argument parser checks them.

Source: observed on the binding 9.0.0, by calling each method with each argument of every kind.

A letter stands for each parameter: C{i} int, C{I} unsigned int, C{l} long, C{k} unsigned long, C{L} long long; C{s} text,
C{z} text or None; C{O} anything, which is looked at later.  The name of the C function follows where it is not made of
those of class and method.
"""

from __future__ import annotations

__all__ = ["FORMATS"]

_TEXT = {
    "virConnect": """
        allocPages:OiII baselineCPU:OI baselineHypervisorCPU:zzzzOI changeBegin:I changeCommit:I
        changeRollback:I compareCPU:zI compareHypervisorCPU:zzzzzI createXML:zI:virDomainCreateXML
        createXMLWithFiles:zOI:virDomainCreateXMLWithFiles defineXML:z:virDomainDefineXML
        defineXMLFlags:zI:virDomainDefineXMLFlags domainEventDeregisterAny:i domainEventRegisterAny:OiOO
        domainListGetStats:OII domainXMLFromNative:zzI domainXMLToNative:zzI findStoragePoolSources:zOO
        getAllDomainStats:II getCPUMap:I getCPUModelNames:sI getCPUStats:iI getCellsFreeMemory:ii
        getDomainCapabilities:zzzzi getFreePages:OiII getMaxVcpus:z getMemoryParameters:I getMemoryStats:iI
        getSEVInfo:I getStoragePoolCapabilities:I getSysinfo:I interfaceDefineXML:zI:virInterfaceDefineXML
        interfaceLookupByMACString:z:virInterfaceLookupByMACString
        interfaceLookupByName:z:virInterfaceLookupByName listAllDevices:I listAllDomains:I listAllInterfaces:I
        listAllNWFilterBindings:I listAllNWFilters:I listAllNetworks:I listAllSecrets:I listAllStoragePools:I
        listDevices:zI:virNodeListDevices lookupByID:i lookupByName:z:virDomainLookupByName
        lookupByUUIDString:z:virDomainLookupByUUIDString networkCreateXML:z:virNetworkCreateXML
        networkCreateXMLFlags:zI:virNetworkCreateXMLFlags networkDefineXML:z:virNetworkDefineXML
        networkDefineXMLFlags:zI:virNetworkDefineXMLFlags networkEventDeregisterAny:i
        networkEventRegisterAny:OiOO networkLookupByName:z:virNetworkLookupByName
        networkLookupByUUIDString:z:virNetworkLookupByUUIDString newStream:I
        nodeDeviceCreateXML:zI:virNodeDeviceCreateXML nodeDeviceDefineXML:zI:virNodeDeviceDefineXML
        nodeDeviceEventDeregisterAny:i nodeDeviceEventRegisterAny:OiOO
        nodeDeviceLookupByName:z:virNodeDeviceLookupByName
        nodeDeviceLookupSCSIHostByWWN:zzI:virNodeDeviceLookupSCSIHostByWWN numOfDevices:zI:virNodeNumOfDevices
        nwfilterBindingCreateXML:zI:virNWFilterBindingCreateXML
        nwfilterBindingLookupByPortDev:z:virNWFilterBindingLookupByPortDev
        nwfilterDefineXML:z:virNWFilterDefineXML nwfilterDefineXMLFlags:zI:virNWFilterDefineXMLFlags
        nwfilterLookupByName:z:virNWFilterLookupByName
        nwfilterLookupByUUIDString:z:virNWFilterLookupByUUIDString restore:z:virDomainRestore
        restoreFlags:zzI:virDomainRestoreFlags restoreParams:OI
        saveImageDefineXML:zzI:virDomainSaveImageDefineXML saveImageGetXMLDesc:zI:virDomainSaveImageGetXMLDesc
        secretDefineXML:zI:virSecretDefineXML secretEventDeregisterAny:i secretEventRegisterAny:OiOO
        secretLookupByUUIDString:z:virSecretLookupByUUIDString secretLookupByUsage:iz:virSecretLookupByUsage
        setIdentity:OI setKeepAlive:iI setMemoryParameters:OI storagePoolCreateXML:zI:virStoragePoolCreateXML
        storagePoolDefineXML:zI:virStoragePoolDefineXML storagePoolEventDeregisterAny:i
        storagePoolEventRegisterAny:OiOO storagePoolLookupByName:z:virStoragePoolLookupByName
        storagePoolLookupByTargetPath:z:virStoragePoolLookupByTargetPath
        storagePoolLookupByUUIDString:z:virStoragePoolLookupByUUIDString
        storageVolLookupByKey:z:virStorageVolLookupByKey storageVolLookupByPath:z:virStorageVolLookupByPath
        suspendForDuration:ILI
    """,
    "virDomain": """
        FDAssociate:sOI XMLDesc:I abortJobFlags:I addIOThread:II agentSetResponseTimeout:iI attachDevice:z
        attachDeviceFlags:zI authorizedSSHKeysGet:sI authorizedSSHKeysSet:sOI backupBegin:zzI backupGetXMLDesc:I
        blkioParameters:I blockCommit:zzzlI blockCopy:zzOI blockInfo:zI:virDomainGetBlockInfo
        blockIoTune:zI:virDomainGetBlockIoTune blockJobAbort:zI blockJobInfo:zI:virDomainGetBlockJobInfo
        blockJobSetSpeed:zlI blockPeek:zkkI blockPull:zlI blockRebase:zzlI blockResize:zLI blockStats:z
        blockStatsFlags:zI checkpointCreateXML:zI checkpointLookupByName:zI controlInfo:I coreDump:zI
        coreDumpWithFormat:zII createWithFiles:OI createWithFlags:I delIOThread:II destroyFlags:I detachDevice:z
        detachDeviceAlias:zI detachDeviceFlags:zI diskErrors:I emulatorPinInfo:I fSTrim:zLI fsFreeze:OI fsInfo:I
        fsThaw:OI getCPUStats:OI getTime:I guestInfo:II guestVcpus:I hasCurrentSnapshot:I hasManagedSaveImage:I
        hostname:I injectNMI:I interfaceAddresses:II interfaceParameters:zI:virDomainGetInterfaceParameters
        interfaceStats:z ioThreadInfo:I jobStats:I launchSecurityInfo:I listAllCheckpoints:I listAllSnapshots:I
        managedSave:I managedSaveDefineXML:zI managedSaveGetXMLDesc:I managedSaveRemove:I memoryParameters:I
        memoryPeek:kkI messages:I metadata:izI:virDomainGetMetadata migrate2:Ozlzzl migrate3:OOI migrate:Olzzl
        migrateGetCompressionCache:I migrateGetMaxDowntime:I migrateGetMaxSpeed:I migrateSetCompressionCache:LI
        migrateSetMaxDowntime:LI migrateSetMaxSpeed:lI migrateStartPostCopy:I migrateToURI2:zzzlzl
        migrateToURI3:zOI:virDomainMigrate3 migrateToURI:zlzl numaParameters:I openChannel:zOI openConsole:zOI
        openGraphics:IiI openGraphicsFD:II pMSuspendForDuration:ILI pMWakeup:I perfEvents:I pinEmulator:OI
        pinIOThread:iOI pinVcpu:iO pinVcpuFlags:iOI reboot:I rename:zI reset:I revertToSnapshot:OI save:z
        saveFlags:zzI saveParams:OI schedulerParametersFlags:I screenshot:OII sendKey:iiOII
        sendProcessSignal:LII setAutostart:i setBlkioParameters:OI setBlockIoTune:zOI setBlockThreshold:zLI
        setGuestVcpus:ziI setIOThreadParams:iOI setInterfaceParameters:zOI setLaunchSecurityState:OI
        setLifecycleAction:III setMaxMemory:l setMemory:l setMemoryFlags:lI setMemoryParameters:OI
        setMemoryStatsPeriod:iI setMetadata:izzzI setNumaParameters:OI setPerfEvents:OI
        setSchedulerParametersFlags:OI setTime:OI setUserPassword:zzI setVcpu:ziI setVcpus:I setVcpusFlags:II
        shutdownFlags:I snapshotCreateXML:zI snapshotCurrent:I snapshotListNames:I snapshotLookupByName:zI
        snapshotNum:I startDirtyRateCalc:iI state:I undefineFlags:I updateDeviceFlags:zI vcpuPinInfo:I
        vcpusFlags:I
    """,
    "virDomainCheckpoint": """
        delete:I getParent:I getXMLDesc:I listAllChildren:I
    """,
    "virDomainSnapshot": """
        delete:I getParent:I getXMLDesc:I hasMetadata:I isCurrent:I listAllChildren:I listChildrenNames:I
        numChildren:I
    """,
    "virInterface": """
        XMLDesc:I create:I destroy:I
    """,
    "virNetwork": """
        DHCPLeases:zI:virNetworkGetDHCPLeases XMLDesc:I listAllPorts:I portCreateXML:zI portLookupByUUIDString:z
        setAutostart:i update:IIizI
    """,
    "virNodeDevice": """
        XMLDesc:I create:I detachFlags:zI setAutostart:i undefine:I
    """,
    "virStoragePool": """
        XMLDesc:I build:I create:I createXML:zI:virStorageVolCreateXML
        createXMLFrom:zOI:virStorageVolCreateXMLFrom delete:I listAllVolumes:I refresh:I setAutostart:i
        storageVolLookupByName:z:virStorageVolLookupByName
    """,
    "virStorageVol": """
        XMLDesc:I delete:I download:OLLI infoFlags:I resize:LI upload:OLLI wipe:I wipePattern:II
    """,
    "virStream": """
        eventAddCallback:iOO eventUpdateCallback:i recv:i recvFlags:kI recvHole:I sendHole:LI
    """,
    "virNWFilter": """
        XMLDesc:I
    """,
    "virNWFilterBinding": """
        XMLDesc:I
    """,
    "virSecret": """
        XMLDesc:I setValue:OI value:I
    """,
}


def _read(text: str) -> dict[str, tuple[str, str]]:
    found = {}
    for word in text.split():
        method, letters, *name = word.split(":")
        found[method] = letters, "".join(name)
    return found


FORMATS: dict[str, dict[str, tuple[str, str]]] = {name: _read(text) for name, text in _TEXT.items()}
"""For each class: its methods, to their letters and the C function's name if that does not follow."""
