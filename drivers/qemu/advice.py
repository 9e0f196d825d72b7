"""
Where the host's advisor, numad, would have a guest run: asked when a guest starts that leaves it to the host.

Source: numad(8); what libvirtd 9.0.0 asks of it, and says of its answers.
"""

from __future__ import annotations

import errno
import os
from typing import NamedTuple

from pyvirt.definitions.domain import DomainDefinition
from pyvirt.definitions.schema import replaced
from pyvirt.definitions.units import parseSet
from pyvirt.drivers.qemu.hostends import hostNodes
from pyvirt.drivers.qemu.refusals import failed, invalidArgument, systemFailure
from pyvirt.errors import ErrorDomain, VirtError
from pyvirt.process import Command, IProcesses

__all__ = ["Advice", "adviceFor", "withAdvice"]

PROGRAM = "/usr/bin/numad"
_FOLDER = "/sys/devices/system/node"
#: The most nodes that an answer can name.
_NODES = 16384


class Advice(NamedTuple):
    """Nodes of the host, and their CPUs."""

    nodes: frozenset[int]
    cpus: frozenset[int]


def _asks(definition: DomainDefinition) -> bool:
    return definition.vcpu.placement == "auto" or _asksForMemory(definition)


def _asksForMemory(definition: DomainDefinition) -> bool:
    memory = definition.numatune.memory if definition.numatune is not None else None
    return memory is not None and memory.placement == "auto"


async def adviceFor(
    processes: IProcesses, definition: DomainDefinition, program: str = PROGRAM
) -> Advice | None:
    """
    Ask where a guest is to run.

    @return: None: its definition says that.
    @raise VirtError: there is no advisor, or its answer makes no sense here.
    """
    if not _asks(definition):
        return None
    vcpus = definition.vcpu.current or definition.vcpu.maximum
    mebibytes = -(-int(definition.memory.amount) // 1024)
    try:
        done = await processes.run(Command(argv=(program, "-w", f"{vcpus}:{mebibytes}")))
    except VirtError:
        raise failed("Failed to query numad for the advisory nodeset") from None
    answer = done.output.decode(errors="replace")
    advised = parseSet(answer, size=_NODES)
    if advised is None:
        raise invalidArgument(f"Failed to parse bitmap '{answer}'", ErrorDomain.NONE)
    there = hostNodes(_FOLDER)
    nodes = advised if there is None else advised & there
    cpus = frozenset[int]().union(*map(_cpusOf, nodes))
    if not cpus:
        raise systemFailure(
            OSError(errno.EINVAL, os.strerror(errno.EINVAL)),
            f"cannot set CPU affinity on process {os.getpid()}",
            ErrorDomain.NONE,
        )
    return Advice(nodes, cpus)


def _cpusOf(node: int) -> frozenset[int]:
    try:
        with open(f"{_FOLDER}/node{node}/cpulist", encoding="ascii") as file:
            return parseSet(file.read(), size=_NODES) or frozenset()
    except OSError:
        # A host that does not tell has one node.
        return frozenset(range(os.cpu_count() or 1))


def readAdvice(nodes: str, cpus: str) -> Advice | None:
    """Read what was written down of an advice; None: it makes no sense, or there was none."""
    found = parseSet(nodes, size=_NODES), parseSet(cpus, size=_NODES)
    return Advice(*found) if found[0] is not None and found[1] is not None else None  # type: ignore[arg-type]


def withAdvice(definition: DomainDefinition, advice: Advice | None) -> DomainDefinition:
    """Return what a guest would be defined as if its definition said what the advisor did."""
    if advice is None:
        return definition
    if definition.vcpu.placement == "auto":
        definition = replaced(definition, vcpu=replaced(definition.vcpu, cpuset=advice.cpus))
    tune = definition.numatune
    if tune is not None and tune.memory is not None and tune.memory.placement == "auto":
        memory = replaced(tune.memory, placement="static", nodeset=advice.nodes)
        definition = replaced(definition, numatune=replaced(tune, memory=memory))
    return definition
