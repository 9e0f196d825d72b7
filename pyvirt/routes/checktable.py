"""
Which public function checks what, in its order; L{READ_ONLY} marks the place of the read-only refusal if it is
not the first.

Source: observed on libvirtd 9.0.0, where it knows the call; the newest ones check as their siblings do.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from typing import Final

from pyvirt import constants as c
from pyvirt.errors import ErrorCode, ErrorDomain, virtError
from pyvirt.protocols.procedures import Procedure
from pyvirt.routes.checks import (
    READ_ONLY,
    Check,
    Item,
    absent,
    custom,
    equals,
    exclusive,
    given,
    invalid,
    isSet,
    nonNegative,
    nonzero,
    notEmpty,
    positive,
    requires,
    when,
)
from pyvirt.routes.family import domainOf, function
from pyvirt.routes.kinds import Arguments

_LIVE_OR_CONFIG = exclusive("VIR_DOMAIN_AFFECT_LIVE", "VIR_DOMAIN_AFFECT_CONFIG")
_RUNNING_OR_PAUSED = exclusive("VIR_DOMAIN_SAVE_RUNNING", "VIR_DOMAIN_SAVE_PAUSED")
_PARAMS = given("params")
_CPUMAP = given("cpumap")

_MEMORY_MAX = 2**53 - 1
"""KiB of memory from which on its bytes are not counted any more."""


def _memory(procedure: Procedure) -> Check:
    position = procedure.parameters.index("memory")

    def check(arguments: Arguments, fds: Sequence[int] | None = None) -> None:
        if arguments[position] >= _MEMORY_MAX:
            raise virtError(
                ErrorCode.OVERFLOW, f"input too large: {arguments[position]}", domainOf(procedure)
            )

    return check


_MEMORY = (nonzero("memory"), _memory)


def _signed(value: int) -> int:
    """What a C C{int} makes of 32 bits."""
    return value - (1 << 32) if value >= 1 << 31 else value


def _belowMinusOne(parameter: str) -> Item:
    return custom(
        parameter,
        "cpuNum",
        lambda value: value < -1,
        lambda value, name: f"{parameter} in {name} only accepts -1 as a negative value",
    )


_DUMP = (
    exclusive("VIR_DUMP_CRASH", "VIR_DUMP_LIVE"),
    exclusive("VIR_DUMP_CRASH", "VIR_DUMP_RESET"),
    exclusive("VIR_DUMP_LIVE", "VIR_DUMP_RESET"),
)


def _resize(procedure: Procedure) -> Check:
    def check(arguments: Arguments, fds: Sequence[int] | None = None) -> None:
        _, capacity, flags = arguments
        if capacity == 0 and not flags & (
            c.VIR_STORAGE_VOL_RESIZE_DELTA | c.VIR_STORAGE_VOL_RESIZE_SHRINK
        ):
            raise invalid(
                procedure,
                "capacity",
                f"capacity in {function(procedure)} cannot be zero without 'delta' or 'shrink' flags set",
            )

    return check


def _cpuStats(procedure: Procedure) -> Check:
    """One total, or host CPUs from one on; room for parameters goes with CPUs to tell them of."""
    name = function(procedure)

    def check(arguments: Arguments, fds: Sequence[int] | None = None) -> None:
        _, nparams, startCPU, ncpus, _ = arguments
        if startCPU == -1:
            if ncpus != 1:
                raise invalid(procedure, "start_cpu", "ncpus must be 1 when start_cpu is -1")
        elif startCPU < 0:
            raise invalid(procedure, "start_cpu", f"start_cpu in {name} must be zero or greater")
        if nparams and not ncpus:
            raise invalid(procedure, "params", f"params in {name} must not be NULL")

    return check


def _rebase(procedure: Procedure) -> Check:
    """A copy needs a place to go; what qualifies copies needs a copy."""
    copying = (
        c.VIR_DOMAIN_BLOCK_REBASE_SHALLOW
        | c.VIR_DOMAIN_BLOCK_REBASE_REUSE_EXT
        | c.VIR_DOMAIN_BLOCK_REBASE_COPY_RAW
        | c.VIR_DOMAIN_BLOCK_REBASE_COPY_DEV
    )

    def check(arguments: Arguments, fds: Sequence[int] | None = None) -> None:
        _, _, base, _, flags = arguments
        if flags & c.VIR_DOMAIN_BLOCK_REBASE_COPY:
            if base is None:
                raise invalid(procedure, "base", f"base in {function(procedure)} must not be NULL")
        elif flags & copying:
            raise invalid(procedure, "flags", "use of flags requires a copy job")

    return check


def _lifecycle(procedure: Procedure) -> Check:
    def check(arguments: Arguments, fds: Sequence[int] | None = None) -> None:
        _, type_, action, _ = arguments
        problem = None
        if type_ > c.VIR_DOMAIN_LIFECYCLE_CRASH:
            problem = f"invalid lifecycle type '{type_}'"
        elif action > c.VIR_DOMAIN_LIFECYCLE_ACTION_COREDUMP_RESTART:
            problem = f"invalid lifecycle action '{action}'"
        if problem is not None:
            raise virtError(ErrorCode.INVALID_ARG, problem, domainOf(procedure))

    return check


def _socket(procedure: Procedure) -> Check:
    """The first descriptor is there and is a socket."""

    def check(arguments: Arguments, fds: Sequence[int] | None = None) -> None:
        if fds is None:
            return
        if not fds:
            raise virtError(ErrorCode.INTERNAL_ERROR, "No FD available at slot 0", ErrorDomain.RPC)
        if not stat.S_ISSOCK(os.fstat(fds[0]).st_mode):
            raise invalid(procedure, "fd", f"fd {fds[0]} must be a socket")

    return check


def _descriptors(procedure: Procedure) -> Check:
    """There is a descriptor at all."""

    def check(arguments: Arguments, fds: Sequence[int] | None = None) -> None:
        if fds is not None and not fds:
            raise invalid(procedure, "nfds", f"nfds in {function(procedure)} must not be zero")

    return check


_TITLE: Final = custom(
    "metadata",
    "metadata",
    lambda value: value is not None and "\n" in value,
    lambda value, name: "metadata title can't contain newlines",
)
_TEXT_KINDS = (c.VIR_DOMAIN_METADATA_DESCRIPTION, c.VIR_DOMAIN_METADATA_TITLE)

_SET_METADATA = (
    when(equals("type", c.VIR_DOMAIN_METADATA_TITLE), _TITLE),
    when(equals("type", *_TEXT_KINDS), absent("uri"), absent("key")),
    when(
        equals("type", c.VIR_DOMAIN_METADATA_ELEMENT),
        given("uri"),
        when(isSet("metadata"), given("key")),
    ),
)

_GET_METADATA = (
    when(equals("type", *_TEXT_KINDS), absent("uri")),
    when(equals("type", c.VIR_DOMAIN_METADATA_ELEMENT), given("uri")),
)

CHECKS: Final[Mapping[str, Sequence[Item]]] = {
    # The host.
    "nodeGetCellsFreeMemory": (positive("maxcells", "maxCells"), nonNegative("startCell")),
    "nodeGetCPUStats": (_belowMinusOne("cpuNum"),),
    "nodeGetMemoryStats": (_belowMinusOne("cellNum"),),
    "nodeSetMemoryParameters": (READ_ONLY, _PARAMS),
    "nodeGetFreePages": (nonzero("pages", "npages"), nonzero("cellCount")),
    "nodeAllocPages": (
        READ_ONLY,
        nonzero("pageSizes", "npages"),
        given("pageCounts"),
        nonzero("cellCount"),
    ),
    "connectBaselineCPU": (given("xmlCPUs"),),
    "connectBaselineHypervisorCPU": (given("xmlCPUs"), READ_ONLY),
    # Domains.
    "domainLookupByID": (nonNegative("id"),),
    "domainRename": (
        given("newName", "new_name"),
        notEmpty("newName", "new_name"),
        READ_ONLY,
    ),
    "domainSetMetadata": _SET_METADATA,
    "domainGetMetadata": (_LIVE_OR_CONFIG, *_GET_METADATA),
    "domainCoreDump": _DUMP,
    "domainCoreDumpWithFormat": (
        custom(
            "dumpformat",
            "flags",
            lambda value: not 0 <= value <= c.VIR_DOMAIN_CORE_DUMP_FORMAT_WIN_DMP,
            lambda value, name: f"dumpformat '{_signed(value)}' is not supported",
        ),
        *_DUMP,
    ),
    "domainManagedSave": (_RUNNING_OR_PAUSED,),
    "domainManagedSaveDefineXML": (_RUNNING_OR_PAUSED, READ_ONLY),
    "domainSaveFlags": (_RUNNING_OR_PAUSED,),
    "domainSaveParams": (_RUNNING_OR_PAUSED,),
    "domainRestoreFlags": (_RUNNING_OR_PAUSED,),
    "domainRestoreParams": (_RUNNING_OR_PAUSED,),
    "domainSaveImageDefineXML": (_RUNNING_OR_PAUSED,),
    "domainSendKey": (
        given("keycodes"),
        custom(
            "codeset",
            "codeset",
            lambda value: not 0 <= value <= c.VIR_KEYCODE_SET_QNUM,
            lambda value, name: f"Unsupported codeset '{_signed(value)}'",
        ),
    ),
    "domainSendProcessSignal": (nonzero("pidValue", "pid_value"), READ_ONLY),
    "domainSetLifecycleAction": (_lifecycle,),
    "domainAttach": (nonzero("pidValue", "pid_value"), READ_ONLY),
    "domainGetJobStats": (
        requires("VIR_DOMAIN_JOB_STATS_KEEP_COMPLETED", "VIR_DOMAIN_JOB_STATS_COMPLETED"),
    ),
    "domainStartDirtyRateCalc": (
        exclusive("VIR_DOMAIN_DIRTYRATE_MODE_DIRTY_BITMAP", "VIR_DOMAIN_DIRTYRATE_MODE_DIRTY_RING"),
    ),
    # Memory and CPUs.
    "domainSetMaxMemory": _MEMORY,
    "domainSetMemory": _MEMORY,
    "domainSetMemoryFlags": _MEMORY,
    "domainSetMemoryStatsPeriod": (nonNegative("period"),),
    "domainMemoryPeek": (exclusive("VIR_MEMORY_VIRTUAL", "VIR_MEMORY_PHYSICAL"),),
    "domainSetVcpus": (nonzero("nvcpus"),),
    "domainSetVcpusFlags": (
        requires("VIR_DOMAIN_VCPU_MAXIMUM", "VIR_DOMAIN_AFFECT_CONFIG"),
        exclusive("VIR_DOMAIN_VCPU_GUEST", "VIR_DOMAIN_AFFECT_CONFIG"),
        nonzero("nvcpus"),
    ),
    "domainGetVcpusFlags": (READ_ONLY, _LIVE_OR_CONFIG),
    "domainGetVcpus": (given("maxinfo", "info"),),
    "domainPinVcpu": (_CPUMAP,),
    "domainPinVcpuFlags": (_CPUMAP,),
    "domainPinEmulator": (_CPUMAP,),
    "domainPinIOThread": (_CPUMAP,),
    "domainGetVcpuPinInfo": (
        positive("ncpumaps"),
        given("maplen", "cpumaps"),
        _LIVE_OR_CONFIG,
    ),
    "domainGetEmulatorPinInfo": (given("maplen", "cpumap"), _LIVE_OR_CONFIG),
    "domainGetIOThreadInfo": (_LIVE_OR_CONFIG,),
    "domainDelIOThread": (nonzero("iothreadID", "iothread_id"),),
    "domainSetIOThreadParams": (_PARAMS,),
    "domainGetCPUStats": (_cpuStats,),
    # Typed parameters.
    "domainSetSchedulerParameters": (_PARAMS,),
    "domainSetSchedulerParametersFlags": (_PARAMS,),
    "domainGetSchedulerParameters": (given("nparams", "params"),),
    "domainGetSchedulerParametersFlags": (given("nparams", "params"), _LIVE_OR_CONFIG),
    "domainSetMemoryParameters": (_PARAMS,),
    "domainGetMemoryParameters": (_LIVE_OR_CONFIG,),
    "domainSetBlkioParameters": (_PARAMS,),
    "domainGetBlkioParameters": (_LIVE_OR_CONFIG,),
    "domainSetNumaParameters": (_PARAMS,),
    "domainSetInterfaceParameters": (_PARAMS,),
    "domainSetPerfEvents": (_PARAMS,),
    "domainSetLaunchSecurityState": (_PARAMS, READ_ONLY),
    "domainSetBlockIoTune": (positive("params", "nparams"),),
    "domainGetBlockIoTune": (when(isSet("nparams"), given("disk")), _LIVE_OR_CONFIG),
    "domainSetThrottleGroup": (given("group"), positive("params", "nparams")),
    "domainDelThrottleGroup": (given("group"),),
    # Disks.
    "domainBlockPeek": (notEmpty("path", "disk"),),
    "domainGetBlockInfo": (notEmpty("path", "disk"),),
    "domainBlockRebase": (_rebase,),
    # Inside the guest.
    "domainSetUserPassword": (given("user"), given("password")),
    "domainAuthorizedSSHKeysSet": (
        when(
            isSet(
                "flags",
                c.VIR_DOMAIN_AUTHORIZED_SSH_KEYS_SET_APPEND
                | c.VIR_DOMAIN_AUTHORIZED_SSH_KEYS_SET_REMOVE,
            ),
            given("keys"),
        ),
        exclusive(
            "VIR_DOMAIN_AUTHORIZED_SSH_KEYS_SET_APPEND", "VIR_DOMAIN_AUTHORIZED_SSH_KEYS_SET_REMOVE"
        ),
        READ_ONLY,
    ),
    # Descriptors.
    "domainOpenGraphics": (_socket, READ_ONLY),
    "domainFDAssociate": (_descriptors, READ_ONLY),
    # Snapshots and checkpoints.
    "domainSnapshotCreateXML": (
        requires("VIR_DOMAIN_SNAPSHOT_CREATE_CURRENT", "VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE"),
        exclusive("VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE", "VIR_DOMAIN_SNAPSHOT_CREATE_NO_METADATA"),
        exclusive("VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE", "VIR_DOMAIN_SNAPSHOT_CREATE_HALT"),
    ),
    "domainRevertToSnapshot": (
        exclusive("VIR_DOMAIN_SNAPSHOT_REVERT_RUNNING", "VIR_DOMAIN_SNAPSHOT_REVERT_PAUSED"),
    ),
    "domainSnapshotDelete": (
        exclusive(
            "VIR_DOMAIN_SNAPSHOT_DELETE_CHILDREN", "VIR_DOMAIN_SNAPSHOT_DELETE_CHILDREN_ONLY"
        ),
    ),
    "domainCheckpointCreateXML": (
        exclusive("VIR_DOMAIN_CHECKPOINT_CREATE_REDEFINE", "VIR_DOMAIN_CHECKPOINT_CREATE_QUIESCE"),
        requires(
            "VIR_DOMAIN_CHECKPOINT_CREATE_REDEFINE_VALIDATE",
            "VIR_DOMAIN_CHECKPOINT_CREATE_REDEFINE",
        ),
    ),
    "domainCheckpointDelete": (
        exclusive(
            "VIR_DOMAIN_CHECKPOINT_DELETE_CHILDREN", "VIR_DOMAIN_CHECKPOINT_DELETE_CHILDREN_ONLY"
        ),
    ),
    # Networks, storage, secrets.
    "networkSetMetadata": _SET_METADATA,
    "networkGetMetadata": _GET_METADATA,
    "storageVolResize": (_resize,),
    "secretSetValue": (given("value"),),
}
"""Procedure name to its checks, in order."""
