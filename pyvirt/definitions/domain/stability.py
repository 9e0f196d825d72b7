"""
Whether a guest could tell one definition from another: what must not change under a guest that goes on.

A saved guest, a snapshot that is gone back to and a guest that moves to another host may get another
definition, of which all that the guest can see must be as it was.  The words are libvirt's.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

from pyvirt.definitions.domain._cpu import CPU
from pyvirt.definitions.domain._features import HYPERV, Features
from pyvirt.definitions.domain._stabledevices import checkDevices, differ
from pyvirt.definitions.domain._top import DomainDefinition
from pyvirt.definitions.uuids import formatUUID
from pyvirt.errors import ErrorDomain

__all__ = ["checkABIStability"]


def _switch(value: bool | None) -> str:
    return "default" if value is None else "on" if value else "off"


def checkABIStability(
    source: DomainDefinition, target: DomainDefinition, *, volatile: bool = False
) -> None:
    """
    Complain of the first thing in which a guest would notice the change.

    Both definitions must be complete.

    @param source: what the guest runs with.
    @param target: what it would go on with.
    @param volatile: whether the memory in use, which the guest itself may change, does not count.
    @raise VirtError: CONFIG_UNSUPPORTED, with what differs.
    """
    if target.type != source.type:
        raise differ(f"Target domain virt type {target.type} does not match source {source.type}")
    _compareIdentity(source, target)
    _compareMemory(source, target, volatile)
    _compareCells(source.cpu, target.cpu)
    _compareProcessors(source, target)
    _compareMachine(source, target)
    _compareFeatures(source.features or Features(), target.features or Features())
    _compareTimers(source, target)
    _compareCPU(source.cpu or CPU(), target.cpu or CPU())
    _compareSysInfo(source, target)
    checkDevices(source.devices, target.devices)


def _compareIdentity(source: DomainDefinition, target: DomainDefinition) -> None:
    if target.uuid != source.uuid:
        raise differ(
            f"Target domain uuid {formatUUID(target.uuid or bytes(16))} does not match source "
            f"{formatUUID(source.uuid or bytes(16))}"
        )
    if target.genid != source.genid:
        raise differ("Target domain VM Generation ID does not match source")
    if target.name != source.name:
        raise differ(f"Target domain name '{target.name}' does not match source '{source.name}'")


def _initialMemory(definition: DomainDefinition) -> int:
    return definition.memory.amount - sum(
        memory.target.size or 0 for memory in definition.devices.memories if memory.target
    )


def _compareMemory(source: DomainDefinition, target: DomainDefinition, volatile: bool) -> None:
    ours, theirs = _initialMemory(target), _initialMemory(source)
    if ours != theirs:
        raise differ(f"Target domain max memory {ours} does not match source {theirs}")
    current = [
        each.memory.amount if each.currentMemory is None else each.currentMemory
        for each in (target, source)
    ]
    if not volatile and current[0] != current[1]:
        raise differ(
            f"Target domain current memory {current[0]} does not match source {current[1]}"
        )
    most, had = target.maxMemory or (0, 0), source.maxMemory or (0, 0)
    if most[0] != had[0]:
        raise differ(f"Target maximum memory size '{most[0]}' doesn't match source '{had[0]}'")
    if most[1] != had[1]:
        raise differ(
            f"Target domain memory slots count '{most[1]}' doesn't match source '{had[1]}'"
        )


def _compareCells(source: CPU | None, target: CPU | None) -> None:
    """Compare the cells of memory and processors."""
    had = source.numa.cells if source is not None and source.numa is not None else ()
    gets = target.numa.cells if target is not None and target.numa is not None else ()
    if len(had) != len(gets):
        raise differ(f"Target NUMA node count '{len(gets)}' doesn't match source '{len(had)}'")
    for number, (one, other) in enumerate(zip(had, gets, strict=True)):
        if one.memory != other.memory:
            raise differ(
                f"Size of target NUMA node {number} ({other.memory}) doesn't match source "
                f"({one.memory})"
            )
        if (one.cpus or frozenset()) != (other.cpus or frozenset()):
            raise differ(f"Processor mask of target NUMA node {number} doesn't match source")


def _online(definition: DomainDefinition) -> list[bool]:
    """Return of each processor whether it is there."""
    if definition.vcpus is not None:
        known = {each.id: each.enabled for each in definition.vcpus.vcpus}
        return [known.get(number, True) for number in range(definition.vcpu.maximum)]
    current = definition.vcpu.current
    return [current is None or number < current for number in range(definition.vcpu.maximum)]


def _compareProcessors(source: DomainDefinition, target: DomainDefinition) -> None:
    had, gets = source.vcpu.maximum, target.vcpu.maximum
    if had != gets:
        raise differ(f"Target domain vCPU max {gets} does not match source {had}")
    for number, (one, other) in enumerate(zip(_online(source), _online(target), strict=True)):
        if one != other:
            raise differ(
                f"State of vCPU '{number}' differs between source and destination definitions"
            )


def _compareMachine(source: DomainDefinition, target: DomainDefinition) -> None:
    had, gets = source.os, target.os
    if had.type.name != gets.type.name:
        raise differ(
            f"Target domain OS type {gets.type.name} does not match source {had.type.name}"
        )
    if had.type.arch != gets.type.arch:
        raise differ(
            f"Target domain architecture {gets.type.arch} does not match source {had.type.arch}"
        )
    if had.type.machine != gets.type.machine:
        raise differ(
            f"Target domain machine type {gets.type.machine or '(null)'} does not match source "
            f"{had.type.machine or '(null)'}"
        )
    if had.smbios != gets.smbios:
        raise differ(
            f"Target domain SMBIOS mode {gets.smbios or 'none'} does not match source "
            f"{had.smbios or 'none'}"
        )


def _state(value: Any) -> str:
    """Return how messages call the state of a feature."""
    if value is None or value is False:
        return "default"
    if value is True:
        return "on"
    state = getattr(value, "state", True)
    return "default" if state is None else "on" if state else "off"


#: Features that are on or not, in libvirt's order, with their names as fields and in messages.
_PLAIN = (
    ("acpi", "acpi"),
    ("pae", "pae"),
    ("hap", "hap"),
    ("viridian", "viridian"),
    ("privnet", "privnet"),
    ("kvm", "kvm"),
    ("pvspinlock", "pvspinlock"),
    ("pmu", "pmu"),
    ("vmport", "vmport"),
    ("smm", "smm"),
    ("vmcoreinfo", "vmcoreinfo"),
    ("htm", "htm"),
    ("nestedHV", "nested-hv"),
    ("ccfAssist", "ccf-assist"),
)
_VALUED = (("cfpc", "value"), ("sbbc", "value"), ("ibs", "value"))


def _feature(name: str, source: str, target: str) -> None:
    if source != target:
        raise differ(
            f"State of feature '{name}' differs: source: '{source}', destination: '{target}'"
        )


def _compareFeatures(source: Features, target: Features) -> None:
    for field, name in _PLAIN[:1]:
        _feature(name, _state(getattr(source, field)), _state(getattr(target, field)))
    apics = [
        f"{'default' if each is None else 'on'},eoi={_switch(None if each is None else each.eoi)}"
        for each in (source.apic, target.apic)
    ]
    _feature("apic", *apics)
    for field, name in _PLAIN[1:5]:
        _feature(name, _state(getattr(source, field)), _state(getattr(target, field)))
    modes = [
        "default" if each is None else "off" if each.mode == "passthrough" else "on"
        for each in (source.hyperv, target.hyperv)
    ]
    _feature("hyperv", *modes)
    for field, name in _PLAIN[5:]:
        _feature(name, _state(getattr(source, field)), _state(getattr(target, field)))
    gics = [
        "default,version=none" if each is None else f"on,version={each.version or 'none'}"
        for each in (source.gic, target.gic)
    ]
    _feature("gic", *gics)
    drivers = [
        f"driver={(each.driver if each is not None else None) or 'none'}"
        for each in (source.ioapic, target.ioapic)
    ]
    _feature("ioapic", *drivers)
    for field, _ in _VALUED:
        values = [f"value={getattr(each, field) or 'none'}" for each in (source, target)]
        _feature(field, *values)
    _compareHyperV(source.hyperv, target.hyperv)
    _compareKVM(source.kvm, target.kvm)


def _compareHyperV(source: Any, target: Any) -> None:
    """Compare what a guest of Microsoft's sees."""
    if source is None or target is None or source.mode == "passthrough":
        return
    for name in HYPERV:
        field = "vendorId" if name == "vendor_id" else name
        one, other = getattr(source, field), getattr(target, field)
        before, after = _state(one), _state(other)
        if name == "spinlocks":
            tries = [
                (getattr(each, "retries", None) or 0) if _state(each) == "on" else 0
                for each in (one, other)
            ]
            if tries[0] != tries[1]:
                raise differ(
                    f"HyperV spinlock retry count differs: source: '{tries[0]}', destination: "
                    f"'{tries[1]}'"
                )
        if name == "vendor_id":
            vendors = [
                getattr(each, "value", None) if _state(each) == "on" else None
                for each in (one, other)
            ]
            if vendors[0] != vendors[1]:
                raise differ(
                    f"HyperV vendor_id differs: source: '{vendors[0] or '(null)'}', destination: "
                    f"'{vendors[1] or '(null)'}'"
                )
        if before != after:
            raise differ(
                f"State of HyperV enlightenment feature '{name}' differs: source: '{before}', "
                f"destination: '{after}'"
            )


def _compareKVM(source: Any, target: Any) -> None:
    if source is None or target is None:
        return
    for field, name in (
        ("hidden", "hidden"),
        ("hintDedicated", "hint-dedicated"),
        ("pollControl", "poll-control"),
        ("pvIPI", "pv-ipi"),
    ):
        before, after = _state(getattr(source, field)), _state(getattr(target, field))
        if before != after:
            raise differ(
                f"State of KVM feature '{name}' differs: source: '{before}', destination: '{after}'"
            )


def _yes(value: bool | None) -> str:
    return "default" if value is None else "yes" if value else "no"


def _compareTimers(source: DomainDefinition, target: DomainDefinition) -> None:
    had, gets = source.clock.timers, target.clock.timers
    if len(had) != len(gets):
        raise differ("Target domain timers do not match source")
    for one, other in zip(had, gets, strict=True):
        if one.name != other.name:
            raise differ(f"Target timer {other.name} does not match source {one.name}")
        if one.present != other.present:
            raise differ(
                f"Target timer presence '{_yes(other.present)}' does not match source "
                f"'{_yes(one.present)}'"
            )
        if one.name == "tsc":
            if one.frequency != other.frequency:
                raise differ(
                    f"Target TSC frequency {other.frequency or 0} does not match source "
                    f"{one.frequency or 0}"
                )
            if one.mode != other.mode:
                raise differ(
                    f"Target TSC mode {other.mode or 'auto'} does not match source "
                    f"{one.mode or 'auto'}"
                )


def _compareCPU(source: CPU, target: CPU) -> None:
    def complain(what: str, before: Any, after: Any) -> Exception:
        return differ(f"Target CPU {what} {after} does not match source {before}", ErrorDomain.CPU)

    modes = [each.mode or "custom" for each in (source, target)]
    if modes[0] != modes[1]:
        raise complain("mode", *modes)
    checks = [each.check or "default" for each in (source, target)]
    if checks[0] != checks[1]:
        raise complain("check", *checks)
    models = [(each.model.name if each.model else None) or "<null>" for each in (source, target)]
    if models[0] != models[1]:
        raise complain("model", *models)
    vendors = [each.vendor or "<null>" for each in (source, target)]
    if vendors[0] != vendors[1]:
        raise complain("vendor", *vendors)
    for name in ("sockets", "dies", "cores", "threads"):
        counts = [
            getattr(each.topology, name) if each.topology is not None else 0
            for each in (source, target)
        ]
        if counts[0] != counts[1]:
            raise complain(name, *counts)
    had, gets = source.features, target.features
    if len(had) != len(gets):
        raise complain("feature count", len(had), len(gets))
    for one, other in zip(had, gets, strict=True):
        if one.name != other.name:
            raise complain("feature", one.name, other.name)
        if one.policy != other.policy:
            raise complain("feature policy", one.policy, other.policy)


_TITLES = {
    ("bios", "vendor"): "BIOS vendor",
    ("bios", "version"): "BIOS version",
    ("bios", "date"): "BIOS date",
    ("bios", "release"): "BIOS release",
}


def _compareSysInfo(source: DomainDefinition, target: DomainDefinition) -> None:
    had, gets = source.sysinfos, target.sysinfos
    if len(had) != len(gets):
        raise differ("Target domain count of sysinfo does not match source")
    for one, other in zip(had, gets, strict=True):
        for name in _groups(one.groups, other.groups):
            before, after = _group(one.groups, name), _group(other.groups, name)
            if (before is None) != (after is None):
                raise differ("Target sysinfo does not match source", ErrorDomain.SYSINFO)
            entries = dict(before or ()), dict(after or ())
            for key in dict.fromkeys(itertools.chain(*entries)):
                texts = [each.get(key) for each in entries]
                if texts[0] != texts[1]:
                    title = _TITLES.get((name, str(key)), f"{name} {key}")
                    raise differ(
                        f"Target sysinfo {title} {texts[1] or '<null>'} does not match source "
                        f"{texts[0] or '<null>'}",
                        ErrorDomain.SYSINFO,
                    )


def _groups(*groups: Any) -> Iterable[str]:
    return dict.fromkeys(name for group in groups for name, _ in group)


def _group(groups: Any, name: str) -> Any:
    return next((values for each, values in groups if each == name), None)
