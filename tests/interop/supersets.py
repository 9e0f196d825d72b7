"""
What libvirt's test driver refuses and ours does: the one list of it.

libvirt's driver for QEMU is what these behave like.  Comparisons with libvirtd's test driver leave them out, for the
reason given with each group; each has tests of its own.
"""

from __future__ import annotations

from pyvirt.errors import ErrorCode

__all__ = ["COMMANDS", "METHODS", "PROCEDURES", "isSuperset", "without"]

#: For each reason: commands of virsh, and methods of the binding.
GROUPS: dict[str, tuple[str, str]] = {
    "devices come and go, change, and can be looked into": (
        """
        attach-device attach-disk attach-interface blockresize change-media detach-device detach-device-alias
        detach-disk detach-interface domif-setlink update-device update-memory-device
        """,
        """
        attachDevice attachDeviceFlags blockPeek blockResize detachDevice detachDeviceAlias detachDeviceFlags
        updateDeviceFlags
        """,
    ),
    "disks and whole guests have jobs": (
        """
        backup-begin backup-dumpxml blockcommit blockcopy blockjob blockpull domblkthreshold domdirtyrate-calc
        domjobabort domjobinfo
        """,
        """
        abortJob abortJobFlags backupBegin backupGetXMLDesc blockCommit blockCopy blockJobAbort blockJobInfo
        blockJobSetSpeed blockPull blockRebase jobInfo jobStats setBlockThreshold startDirtyRateCalc
        """,
    ),
    "guests move between two of our hosts": (
        """
        migrate migrate-compcache migrate-getmaxdowntime migrate-getspeed migrate-postcopy migrate-setmaxdowntime
        migrate-setspeed
        """,
        """
        migrate migrate2 migrate3 migrateGetCompressionCache migrateGetMaxDowntime migrateGetMaxSpeed
        migrateSetCompressionCache migrateSetMaxDowntime migrateSetMaxSpeed migrateStartPostCopy migrateToURI
        migrateToURI2 migrateToURI3
        """,
    ),
    "there are secrets": (
        "secret-define secret-dumpxml secret-get-value secret-list secret-set-value secret-undefine",
        """
        listAllSecrets listSecrets numOfSecrets secretDefineXML secretEventRegisterAny secretLookupByUUID
        secretLookupByUUIDString secretLookupByUsage
        """,
    ),
    "there are network filters": (
        """
        nwfilter-binding-create nwfilter-binding-delete nwfilter-binding-dumpxml nwfilter-binding-list
        nwfilter-define nwfilter-dumpxml nwfilter-list nwfilter-undefine
        """,
        """
        listAllNWFilterBindings listAllNWFilters listNWFilters numOfNWFilters nwfilterBindingCreateXML
        nwfilterBindingLookupByPortDev nwfilterDefineXML nwfilterDefineXMLFlags nwfilterLookupByName
        nwfilterLookupByUUID nwfilterLookupByUUIDString
        """,
    ),
    "guests and volumes have bytes in them": (
        "console vol-download vol-resize vol-upload vol-wipe",
        "download openChannel openConsole resize upload wipe wipePattern",
    ),
    "it is waited for what libvirt's driver refuses": ("dom-fd-associate", ""),
}

COMMANDS = frozenset(word for commands, _ in GROUPS.values() for word in commands.split())
METHODS = frozenset(word for _, methods in GROUPS.values() for word in methods.split())

#: The procedures behind these methods, as comparisons call them.
PROCEDURES = frozenset(
    [
        "domainAbortJob",
        "domainAbortJobFlags",
        "domainGetJobInfo",
        "domainGetJobStats",
        "domainGetBlockJobInfo",
        "domainAttachDevice",
        "domainDetachDevice",
        "domainBlockPeek",
        "connectListAllSecrets",
        "connectListSecrets",
        "connectNumOfSecrets",
        "connectListAllNWFilters",
        "connectListNWFilters",
        "connectNumOfNWFilters",
        "connectListAllNWFilterBindings",
        "storageVolUpload",
        "storageVolDownload",
        "storageVolResize",
        "storageVolWipe",
        "storageVolWipePattern",
        "connectSecretEventRegisterAny",
    ]
)


def isSuperset(procedure: str, code: int) -> bool:
    """Whether libvirtd's answer to a procedure is a refusal that ours rightly does not give."""
    return procedure in PROCEDURES and code == ErrorCode.NO_SUPPORT


def without(lines: list[str]) -> list[str]:
    """Leave out the command lines in which one of L{COMMANDS} is typed."""
    return [
        line
        for line in lines
        if not any(part.split()[:1] and part.split()[0] in COMMANDS for part in line.split(";"))
    ]
