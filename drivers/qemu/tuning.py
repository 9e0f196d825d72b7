"""
How guests share the host's processors: weights, and times of which they may use a part.
"""

from __future__ import annotations

from typing import Any

from pyvirt import constants as c
from pyvirt.definitions.domain._tune import CPUTune
from pyvirt.definitions.schema import replaced
from pyvirt.drivers.interfaces.values import (
    DomainRef,
    SchedulerType,
    SecurityLabel,
    TypedParam,
)
from pyvirt.drivers.qemu import cgrouplimits as limits
from pyvirt.drivers.qemu.cgroups import GuestGroup
from pyvirt.drivers.qemu.changing import IMPACT, READING, Tunables, keepConfig
from pyvirt.drivers.qemu.domain import Domain
from pyvirt.drivers.qemu.hypervisor import Hypervisor
from pyvirt.drivers.qemu.iftuning import InterfaceTuning
from pyvirt.drivers.qemu.iotuning import BlockIOTuning
from pyvirt.drivers.qemu.memorytuning import MemoryTuning
from pyvirt.drivers.qemu.placement import ioThreadIds
from pyvirt.drivers.qemu.refusals import checkFlags, invalidArgument, operationInvalid
from pyvirt.errors import ErrorCode, ErrorDomain, virtError
from pyvirt.params import validateParams

__all__ = ["DomainTuning"]

_ULLONG, _LLONG = c.VIR_TYPED_PARAM_ULLONG, c.VIR_TYPED_PARAM_LLONG
_QUOTAS = (1000, 17592186044415)
_PERIODS = (1000, 1000000)
#: Whose time it is: by the beginning of the parameter's name, the fields of a definition.
_TIMES = {
    "vcpu": ("period", "quota"),
    "emulator": ("emulatorPeriod", "emulatorQuota"),
    "global": ("globalPeriod", "globalQuota"),
    "iothread": ("iothreadPeriod", "iothreadQuota"),
}
_TYPES = {
    "cpu_shares": _ULLONG,
    **{f"{who}_period": _ULLONG for who in _TIMES},
    **{f"{who}_quota": _LLONG for who in _TIMES},
}


def cpuGroup(domain: Domain) -> GuestGroup:
    """
    Return the group in which a guest's time is limited.

    @raise VirtError: there is none.
    """
    group = domain.checkActive().group
    if group is None or not group.has("cpu"):
        raise operationInvalid("cgroup CPU controller is not mounted")
    return group


class DomainTuning(MemoryTuning, BlockIOTuning, InterfaceTuning):
    """Sets and tells how guests share the host."""

    def __init__(self, hypervisor: Hypervisor, connection: Any) -> None:
        self._hypervisor = hypervisor
        self._find = hypervisor.domains.find

    def _checkSystem(self) -> None:
        if not self._hypervisor.privileged:
            raise virtError(
                ErrorCode.OPERATION_UNSUPPORTED,
                "CPU tuning is not available in session mode",
                ErrorDomain.QEMU,
            )

    def domainGetSchedulerType(self, dom: DomainRef) -> SchedulerType:
        """Name the scheduler, and tell how many parameters it has."""
        domain = self._find(dom)
        self._checkSystem()
        if domain.active:
            cpuGroup(domain)
        return SchedulerType("posix", len(_TYPES))

    def domainGetSchedulerParametersFlags(self, dom: DomainRef, flags: int) -> list[TypedParam]:
        """Tell weights and times."""
        checkFlags("qemuDomainGetSchedulerParametersFlags", flags, READING)
        domain = self._find(dom)
        self._checkSystem()
        definition = domain.one(flags)
        live, _ = domain.impact(flags)
        if live:
            shares, times = self._liveTimes(domain)
        else:
            tune = definition.cputune or CPUTune()
            shares = tune.shares or 0
            times = {
                who: (getattr(tune, period) or 0, getattr(tune, quota) or 0)
                for who, (period, quota) in _TIMES.items()
            }
        found = [TypedParam("cpu_shares", _ULLONG, shares)]
        for who in _TIMES:
            period, quota = times[who]
            found.append(TypedParam(f"{who}_period", _ULLONG, period))
            found.append(TypedParam(f"{who}_quota", _LLONG, quota))
        return found

    @staticmethod
    def _liveTimes(domain: Domain) -> tuple[int, dict[str, tuple[int, int]]]:
        group = cpuGroup(domain)
        guest = domain.checkActive()
        times = {
            "global": limits.bandwidth(group),
            "emulator": limits.bandwidth(group, "emulator"),
            "vcpu": (0, 0),
            # Without threads of their own, IO is done under the limits of all.
            "iothread": limits.bandwidth(group),
        }
        if len(set(guest.vcpuThreads.values())) == len(guest.vcpuThreads) > 0:
            times["vcpu"] = limits.bandwidth(group, f"vcpu{min(guest.vcpuThreads)}")
        else:
            period, quota = limits.bandwidth(group)
            times["vcpu"] = (period, quota // (len(guest.vcpuThreads) or 1) if quota > 0 else quota)
        threads = ioThreadIds(domain.definition)
        if threads:
            times["iothread"] = limits.bandwidth(group, f"iothread{threads[0]}")
        return limits.cpuShares(group), times

    async def domainSetSchedulerParametersFlags(
        self, dom: DomainRef, params: list[TypedParam], flags: int
    ) -> None:
        """Change weights and times."""
        checkFlags("qemuDomainSetSchedulerParametersFlags", flags, IMPACT)
        validateParams(params, _TYPES)
        hypervisor = self._hypervisor
        domain = self._find(dom)
        self._checkSystem()
        async with domain.jobs.change("remoteDispatchDomainSetSchedulerParametersFlags"):
            live, config = domain.impact(flags)
            if live:
                cpuGroup(domain)
            told = Tunables()
            pending: dict[str, int | None] = {}
            try:
                for param in params:
                    self._setOne(domain, param, live, pending, told)
            finally:
                if live:
                    hypervisor.saveStatus(domain)
            told.tell(hypervisor, domain)
            if config:
                keepConfig(
                    hypervisor,
                    domain,
                    lambda definition: replaced(
                        definition, cputune=replaced(definition.cputune or CPUTune(), **pending)
                    ),
                    onCopy=True,
                )

    def _setOne(
        self,
        domain: Domain,
        param: TypedParam,
        live: bool,
        pending: dict[str, int | None],
        told: Tunables,
    ) -> None:
        name, value = param.field, param.value
        if name == "cpu_shares":
            pending["shares"] = value
            if live:
                now = limits.setCPUShares(cpuGroup(domain), value)
                self._became(domain, shares=now)
                told.add("cputune.cpu_shares", now)
            return
        who, _, what = name.partition("_")
        field = _TIMES[who][what == "quota"]
        least, most = _QUOTAS if what == "quota" else _PERIODS
        if value > 0 and not least <= value <= most:
            raise invalidArgument(f"value of '{name}' is out of range [{least}, {most}]")
        pending[field] = value or None
        if live and value:
            period, quota = (0, value) if what == "quota" else (value, 0)
            self._limitTime(domain, who, period, quota)
            self._became(domain, **{field: value})
            told.add(f"cputune.{name}", value, param.type)

    @staticmethod
    def _limitTime(domain: Domain, who: str, period: int, quota: int) -> None:
        group = cpuGroup(domain)
        guest = domain.checkActive()
        if who == "global":
            limits.setBandwidth(group, period, quota)
        elif who == "emulator":
            limits.setBandwidth(group, period, quota, "emulator")
        elif who == "iothread":
            for number in ioThreadIds(domain.definition):
                limits.setBandwidth(group, period, quota, f"iothread{number}")
        elif len(set(guest.vcpuThreads.values())) == len(guest.vcpuThreads):
            for number in sorted(guest.vcpuThreads):
                limits.setBandwidth(group, period, quota, f"vcpu{number}")

    @staticmethod
    def _became(domain: Domain, **changes: int) -> None:
        definition = domain.definition
        domain.definition = replaced(
            definition, cputune=replaced(definition.cputune or CPUTune(), **changes)
        )

    # Labels, and guests whose memory is encrypted

    def domainGetSecurityLabel(self, dom: DomainRef) -> SecurityLabel:
        """Nothing labels guests."""
        self._find(dom)
        return SecurityLabel(b"", 0)

    def domainGetSecurityLabelList(self, dom: DomainRef) -> list[SecurityLabel]:
        """Nothing labels guests but the user and group that they run as."""
        guest = self._find(dom).guest
        if guest is None or guest.owner is None:
            return []
        user, group = guest.owner
        return [SecurityLabel(b"", 0), SecurityLabel(b"+%d:+%d" % (user, group), 0)]

    def domainGetLaunchSecurityInfo(self, dom: DomainRef, flags: int) -> list[TypedParam]:
        """Tell what the owner of a guest with encrypted memory needs; of others there is nothing."""
        self._find(dom)
        return []

    def domainSetLaunchSecurityState(
        self, dom: DomainRef, params: list[TypedParam], flags: int
    ) -> None:
        """Refuse to hand secrets to guests whose memory is not encrypted."""
        checkFlags("qemuDomainSetLaunchSecurityState", flags)
        validateParams(
            params,
            {
                "sev-secret-header": c.VIR_TYPED_PARAM_STRING,
                "sev-secret": c.VIR_TYPED_PARAM_STRING,
                "sev-secret-set-address": _ULLONG,
            },
        )
        self._find(dom)
        raise virtError(
            ErrorCode.OPERATION_UNSUPPORTED,
            "setting a launch secret is only supported in SEV-enabled domains",
            ErrorDomain.QEMU,
        )
