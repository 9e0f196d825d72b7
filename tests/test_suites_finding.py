"""
A suite that cannot fail is none: each is run on drivers that are wrong in one thing, and has to find it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from types import CodeType, FunctionType
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.reporter import TestResult
from twisted.trial.unittest import SynchronousTestCase

from pyvirt import constants as c
from pyvirt.errors import VirtError
from pyvirt.testing import suites
from tests import test_suites, test_suites_host
from tests.qemu import test_suites as test_suites_qemu

#: The suites' cases, on drivers that are right.
CASES: tuple[Any, ...] = (
    *(
        value
        for name, value in vars(test_suites).items()
        if name.endswith("Tests") and not name.startswith(("Late", "Scenario"))
    ),
    test_suites_host.NetworkPortsTests,
    test_suites_host.SecretValuesTests,
    test_suites_qemu.HypervisorCommandsTests,
    test_suites_qemu.MonitorEventsTests,
)

Wrong = Callable[..., Any]


def broken(case: Any, name: str, make: Callable[[Wrong], Wrong]) -> Any:
    """Return a case whose driver does one operation in another way; C{make} is given the right one."""

    class Broken(case):  # type: ignore[misc]
        # A component that a test's driver wraps is no question here.
        def makeConnection(self) -> Any:
            return self.spoil(super().makeConnection())

        def makeOther(self) -> Any:
            return self.spoil(super().makeOther())

        def spoil(self, connection: Any) -> Any:
            inner = connection.component

            def component(interface: Any) -> Any:
                found = inner(interface)
                right = getattr(found, name, None)
                if right is not None and getattr(right, "wrong", False) is False:
                    wrong: Any = make(right)

                    def act(*arguments: Any) -> Any:
                        return wrong(*arguments)

                    act.wrong = True  # type: ignore[attr-defined]
                    setattr(found, name, act)
                return found

            connection.component = component
            return connection

    return Broken


def names(case: Any) -> list[str]:
    """Return the names of a case's tests, but for the one that looks at classes."""
    return [
        name for name in sorted(dir(case)) if name.startswith("test_") and name != "test_contract"
    ]


def failing(case: Any, tests: list[str]) -> Iterator[str]:
    """Run tests, and say which fail."""
    for name in tests:
        result = TestResult()
        case(name).run(result)
        if not result.wasSuccessful():
            yield name


def words(code: CodeType) -> Iterator[str]:
    """What a function's code names."""
    for each in code.co_consts:
        if isinstance(each, str):
            yield each
        elif isinstance(each, tuple):
            yield from (word for word in each if isinstance(word, str))
        elif isinstance(each, CodeType):
            yield from words(each)


def named(case: Any, test: str) -> set[str]:
    """What a test, or what is not one, of a case names."""
    function = getattr(case, test, None)
    return set(words(function.__code__)) if isinstance(function, FunctionType) else set()


class FindingTests(SynchronousTestCase):
    """Suites on drivers that are wrong."""

    def test_nothingWrong(self) -> None:
        """
        A driver that does what it should by another way passes.
        """
        case = broken(
            test_suites.DomainLifecycleTests,
            "domainSuspend",
            lambda right: lambda *arguments: Deferred.fromCoroutine(later(right, *arguments)),
        )
        self.assertEqual(list(failing(case, names(case))), [])

    def test_noAnswer(self) -> None:
        """
        A driver that never answers fails, and does not hang.
        """
        case = broken(
            test_suites.DomainLifecycleTests,
            "domainGetInfo",
            lambda right: lambda dom: Deferred(),
        )
        self.assertIn("test_info", failing(case, names(case)))

    def test_nothingDone(self) -> None:
        """
        Each operation that a suite is about is missed by one of its tests when the driver does nothing in its place.
        """
        passed = []
        for case in CASES:
            about = {str(each) for each in case.contract.names(all=True)}
            by = {test: named(case, test) & about for test in names(case)}
            connection = case(names(case)[0])
            connection.setUp()
            # Snapshots and checkpoints share tests, which put names together.
            told = about if hasattr(case, "word") else set().union(*by.values())
            operations = [name for name in sorted(told) if connection.has(name)]
            connection.doCleanups()
            for name in operations:
                nothing = broken(case, name, lambda right: lambda *arguments: None)
                first = sorted(by, key=lambda test: name not in by[test])
                if next(failing(nothing, first), None) is None:
                    passed.append(f"{case.__name__} does without {name}")
        self.assertEqual(passed, [])

    def test_mistakes(self) -> None:
        """
        Mistakes that drivers make are found by the tests that are about them.
        """
        self.assertEqual(
            [
                f"{case.__name__}.{test} passes over {name}, which is {make.__name__}"
                for case, name, make, test in MISTAKES
                if not list(failing(broken(case, name, make), [test]))
            ],
            [],
        )


async def later(act: Wrong, *arguments: Any) -> Any:
    """Answer by a coroutine."""
    return act(*arguments)


def anyFlags(right: Wrong) -> Wrong:
    """Take whatever flags there are."""
    return lambda *arguments: right(*arguments[:-1], 0)


def forgiving(right: Wrong) -> Wrong:
    """Refuse nothing."""

    async def act(*arguments: Any) -> Any:
        try:
            return await answered(right(*arguments))
        except VirtError:
            return None

    return act


def vague(right: Wrong) -> Wrong:
    """Refuse with another code."""

    async def act(*arguments: Any) -> Any:
        try:
            return await answered(right(*arguments))
        except VirtError as error:
            raise VirtError(str(error)) from None

    return act


async def answered(answer: Any) -> Any:
    """Wait for what may be an answer already."""
    return await answer if hasattr(answer, "__await__") else answer


def twice(right: Wrong) -> Wrong:
    """Tell each event twice."""

    def subscribe(eventID: int, ref: Any, listener: Wrong) -> Any:
        def told(event: Any) -> None:
            listener(event)
            listener(event)

        return right(eventID, ref, told)

    return subscribe


def everything(right: Wrong) -> Wrong:
    """Tell of all objects, whichever was asked for."""
    return lambda eventID, ref, listener: right(eventID, None, listener)


def deaf(right: Wrong) -> Wrong:
    """Go on telling after the subscription was cancelled."""

    class Kept:
        def cancel(self) -> None:
            pass

    def subscribe(*arguments: Any) -> Any:
        right(*arguments)
        return Kept()

    return subscribe


class Careless:
    """A source that pays no heed to pauses, or ends twice."""

    def __init__(self, source: Any, twice: bool) -> None:
        self.source, self.twice = source, twice

    def start(self, sink: Any) -> None:
        whole = suites.Collected()
        self.source.start(whole)
        sink.write(whole.data[:7])
        sink.write(whole.data[7:])
        sink.finish()
        if self.twice:
            sink.finish()

    def pauseProducing(self) -> None:
        pass

    def resumeProducing(self) -> None:
        pass

    def stopProducing(self) -> None:
        self.source.stopProducing()


def _told(right: Wrong, *arguments: Any) -> Any:
    """Answer what is private, too."""
    try:
        return right(*arguments)
    except VirtError:
        return b"hidden"


def closing(right: Wrong) -> Wrong:
    """Close descriptors that are the caller's."""

    async def act(dom: Any, command: str, flags: int, fds: list[int]) -> Any:
        answer = await answered(right(dom, command, flags, fds))
        for fd in fds:
            os.close(fd)
        return answer

    return act


def raising(right: Wrong) -> Wrong:
    """Fail where there is nothing to do."""

    def act(*arguments: Any) -> None:
        raise VirtError("nothing is under way")

    return act


Mistake = tuple[Any, str, Callable[[Wrong], Wrong], str]

MISTAKES: tuple[Mistake, ...] = (
    # Flags that mean nothing, and codes that say nothing.
    (test_suites.SecretsTests, "secretSetValue", anyFlags, "test_value"),
    (test_suites.SecretsTests, "secretDefineXML", anyFlags, "test_badXML"),
    (test_suites.NetworksTests, "networkDefineXMLFlags", anyFlags, "test_badXML"),
    (test_suites.StorageTests, "storagePoolDefineXML", anyFlags, "test_badXML"),
    (test_suites.VolumesTests, "storageVolResize", anyFlags, "test_resize"),
    (test_suites.TuningTests, "domainSetMemoryParameters", anyFlags, "test_wrong"),
    (test_suites.DevicesTests, "domainAttachDeviceFlags", anyFlags, "test_refused"),
    (test_suites.DevicesTests, "domainDetachDeviceFlags", forgiving, "test_config"),
    (test_suites.SnapshotsTests, "domainSnapshotDelete", anyFlags, "test_children"),
    (test_suites.SnapshotsTests, "domainRevertToSnapshot", anyFlags, "test_revert"),
    (test_suites.SnapshotsTests, "domainSnapshotCurrent", vague, "test_current"),
    (test_suites.CheckpointsTests, "domainCheckpointGetParent", vague, "test_family"),
    (test_suites.CheckpointsTests, "domainListAllCheckpoints", anyFlags, "test_family"),
    (test_suites.BackupTests, "domainBackupGetXMLDesc", vague, "test_backup"),
    (test_suites.BackupTests, "domainBackupBegin", forgiving, "test_refused"),
    (test_suites.BlockJobsTests, "domainBlockJobAbort", anyFlags, "test_early"),
    (test_suites.BlockJobsTests, "domainGetBlockJobInfo", vague, "test_refused"),
    (test_suites.BlockJobsTests, "domainBlockCopy", forgiving, "test_copy"),
    (test_suites.MigrationTests, "domainMigratePrepare3Params", forgiving, "test_taken"),
    (test_suites.AgentTests, "domainFSThaw", vague, "test_notRunning"),
    (test_suites.JobsTests, "domainAbortJobFlags", forgiving, "test_none"),
    (test_suites.ConsolesTests, "domainOpenConsole", vague, "test_refused"),
    (test_suites.NodeDevicesTests, "nodeDeviceGetXMLDesc", vague, "test_nobody"),
    (test_suites.HostInterfacesTests, "interfaceCreate", forgiving, "test_life"),
    (test_suites.HostInterfacesTests, "interfaceLookupByMACString", vague, "test_address"),
    (test_suites.NWFilterBindingsTests, "nwfilterUndefine", forgiving, "test_binding"),
    (test_suites_host.NetworkPortsTests, "networkPortCreateXML", forgiving, "test_badXML"),
    (test_suites_host.NetworkPortsTests, "networkPortDelete", vague, "test_gone"),
    (
        test_suites_qemu.HypervisorCommandsTests,
        "domainQemuMonitorCommand",
        anyFlags,
        "test_refused",
    ),
    (test_suites_qemu.HypervisorCommandsTests, "domainQemuMonitorCommand", vague, "test_inactive"),
    (
        test_suites_qemu.HypervisorCommandsTests,
        "domainQemuMonitorCommandWithFiles",
        closing,
        "test_descriptors",
    ),
    (test_suites_qemu.ClientWatchTests, "clientGone", raising, "test_nothingBegun"),
    (test_suites_host.SecretValuesTests, "secretValue", vague, "test_undefined"),
    # Lists that hold too much, and answers that are somebody else's.
    (test_suites.SecretsTests, "connectListAllSecrets", anyFlags, "test_filters"),
    (test_suites.StorageTests, "connectListAllStoragePools", anyFlags, "test_state"),
    (test_suites.NetworksTests, "connectListAllNetworks", anyFlags, "test_filters"),
    (test_suites.NodeDevicesTests, "connectListAllNodeDevices", anyFlags, "test_filters"),
    (test_suites.HostInterfacesTests, "connectListAllInterfaces", anyFlags, "test_filters"),
    (
        test_suites.StatisticsTests,
        "connectGetAllDomainStats",
        lambda right: lambda doms, stats, flags: right([], stats, flags),
        "test_some",
    ),
    (
        test_suites.SecretsTests,
        "secretGetValue",
        lambda right: lambda *arguments: _told(right, *arguments),
        "test_private",
    ),
    (
        test_suites.ResourcesTests,
        "domainGetVcpusFlags",
        lambda right: lambda dom, flags: right(dom, flags & ~c.VIR_DOMAIN_VCPU_MAXIMUM),
        "test_vcpus",
    ),
    (
        test_suites_host.SecretValuesTests,
        "secretValue",
        lambda right: (
            lambda uuid, kind, name: right(uuid, kind and c.VIR_SECRET_USAGE_TYPE_CEPH, name)
        ),
        "test_noValue",
    ),
    # Events: too many, of others, after the end.
    (test_suites_qemu.MonitorEventsTests, "monitorEventSubscribe", deaf, "test_cancel"),
    (
        test_suites_qemu.MonitorEventsTests,
        "monitorEventSubscribe",
        lambda right: lambda dom, event, flags, listener: right(dom, event, 0, listener),
        "test_names",
    ),
    (
        test_suites_qemu.MonitorEventsTests,
        "monitorEventSubscribe",
        lambda right: lambda dom, event, flags, listener: right(None, event, flags, listener),
        "test_domain",
    ),
    (test_suites.SecretsTests, "secretEventSubscribe", twice, "test_value"),
    (test_suites.StorageTests, "storagePoolEventSubscribe", twice, "test_events"),
    (test_suites.NodeDevicesTests, "nodeDeviceEventSubscribe", twice, "test_made"),
    (test_suites.NetworksTests, "networkEventSubscribe", everything, "test_oneNetwork"),
    (test_suites.NetworksTests, "networkEventSubscribe", deaf, "test_oneNetwork"),
    (test_suites.DomainEventsTests, "domainEventSubscribe", everything, "test_oneDomain"),
    (test_suites.DomainEventsTests, "domainEventSubscribe", deaf, "test_cancel"),
    (test_suites.DevicesTests, "domainEventSubscribe", twice, "test_live"),
    (test_suites.BlockJobsTests, "domainEventSubscribe", twice, "test_abort"),
    (test_suites.MigrationTests, "domainEventSubscribe", twice, "test_whole"),
    # Streams that pay no heed.
    (
        test_suites.VolumeDataTests,
        "storageVolDownload",
        lambda right: lambda *arguments: Careless(right(*arguments), False),
        "test_pace",
    ),
    (
        test_suites.VolumeDataTests,
        "storageVolUpload",
        lambda right: lambda vol, offset, length, flags: right(vol, 0, length, flags),
        "test_data",
    ),
    (
        test_suites.ConsolesTests,
        "domainScreenshot",
        lambda right: lambda *arguments: ("image/png", Careless(right(*arguments)[1], True)),
        "test_screenshot",
    ),
    # A guest that is lost on the way, or is at both places.
    (
        test_suites.MigrationTests,
        "domainMigrateConfirm3Params",
        lambda right: (
            lambda dom, params, cookie, flags, cancelled: right(dom, params, cookie, flags, False)
        ),
        "test_cancelled",
    ),
    (
        test_suites.MigrationTests,
        "domainMigrateConfirm3Params",
        lambda right: lambda dom, params, cookie, flags, cancelled: None,
        "test_move",
    ),
)
