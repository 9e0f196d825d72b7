"""
What a binary is asked, and how its answers are read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pyvirt.drivers.qemu.capabilities.binary import (
    BinaryCapabilities,
    CPUDefinition,
    Machine,
)

__all__ = ["PROBES", "readCapabilities"]

#: What a binary is asked, in order: QMP commands and their arguments.
PROBES: tuple[tuple[str, Mapping[str, Any] | None], ...] = (
    ("query-version", None),
    ("query-target", None),
    ("query-kvm", None),
    ("query-commands", None),
    ("qom-list-types", {"abstract": False}),
    ("query-machines", None),
    ("query-cpu-definitions", None),
    ("query-tpm-models", None),
    ("query-tpm-types", None),
    ("query-command-line-options", None),
    ("query-qmp-schema", None),
    ("query-cpu-model-expansion", {"type": "full", "model": {"name": "max"}}),
)

#: QEMU's names of architectures that libvirt calls otherwise.
_ARCHES = {"i386": "i686", "arm": "armv7l", "or1k": "or32"}


def readCapabilities(binary: str, replies: Mapping[str, Any]) -> BinaryCapabilities:
    """
    Read the replies to L{PROBES}.

    @param replies: by command; one that failed is absent.
    @raise Exception: C{KeyError} or C{TypeError} where the binary does not even tell its version.
    """
    version = replies["query-version"]["qemu"]
    arch = replies.get("query-target", {}).get("arch", "x86_64")
    schema = replies.get("query-qmp-schema", ())
    return BinaryCapabilities(
        binary=binary,
        version=version["major"] * 1000000 + version["minor"] * 1000 + version["micro"],
        package=replies["query-version"].get("package", ""),
        arch=_ARCHES.get(arch, arch),
        kvm=bool(replies.get("query-kvm", {}).get("enabled")),
        machines=tuple(_machine(each, arch) for each in replies.get("query-machines", ())),
        types=frozenset(each["name"] for each in replies.get("qom-list-types", ())),
        commands=frozenset(each["name"] for each in replies.get("query-commands", ())),
        events=frozenset(
            each["name"] for each in schema if each.get("meta-type") == "event" and "name" in each
        ),
        options=frozenset(_options(replies.get("query-command-line-options", ()))),
        enums=frozenset(_enums(schema)),
        cpus=tuple(_cpu(each) for each in replies.get("query-cpu-definitions", ())),
        tpmModels=tuple(replies.get("query-tpm-models", ())),
        tpmTypes=tuple(replies.get("query-tpm-types", ())),
        expansion=dict(
            replies.get("query-cpu-model-expansion", {}).get("model", {}).get("props", {})
        ),
    )


def _machine(reply: Mapping[str, Any], arch: str) -> Machine:
    cpu = reply.get("default-cpu-type")
    suffix = f"-{arch}-cpu"
    return Machine(
        name=reply["name"],
        alias=reply.get("alias"),
        maxCPUs=reply.get("cpu-max", 0),
        hotplugCPUs=bool(reply.get("hotpluggable-cpus")),
        isDefault=bool(reply.get("is-default")),
        numaMemory=bool(reply.get("numa-mem-supported", True)),
        deprecated=bool(reply.get("deprecated")),
        defaultCPU=cpu.removesuffix(suffix) if cpu else None,
        defaultRAM=reply.get("default-ram-id"),
    )


def _cpu(reply: Mapping[str, Any]) -> CPUDefinition:
    blockers = reply.get("unavailable-features")
    return CPUDefinition(
        name=reply["name"],
        typename=reply.get("typename"),
        blockers=None if blockers is None else tuple(blockers),
        deprecated=bool(reply.get("deprecated")),
    )


def _options(reply: Any) -> list[str]:
    """Name each option and each of its parameters."""
    found = []
    for option in reply:
        found.append(option["option"])
        found += [f"{option['option']}.{each['name']}" for each in option.get("parameters", ())]
    return found


def _enums(schema: Any) -> list[str]:
    """
    Name what block back ends, audio back ends and displays there are, as C{blockdev.nbd}.

    The schema numbers its types; these are found by the arguments of the commands that take them.
    """
    types = {each.get("name"): each for each in schema}
    found: list[str] = []
    for command, prefix in (
        ("blockdev-add", "blockdev"),
        ("netdev_add", "netdev"),
        ("chardev-add", "chardev"),
        ("object-add", "object"),
    ):
        argument = types.get(types.get(command, {}).get("arg-type"), {})
        if command == "chardev-add":
            for member in argument.get("members", ()):
                if member.get("name") == "backend":
                    argument = types.get(member.get("type"), {})
        found += [f"{prefix}.{each['case']}" for each in argument.get("variants", ())]
    return found
