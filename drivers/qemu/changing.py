"""
Changes of definitions, of the running guest and of what it will be, and telling of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyvirt import constants as c
from pyvirt.definitions.domain import DomainDefinition, formatDomain, parseDomain
from pyvirt.definitions.domain.steps import sortedDisks
from pyvirt.definitions.schema import replaced
from pyvirt.drivers.interfaces.values import TypedParam
from pyvirt.drivers.qemu.domain import Domain
from pyvirt.drivers.qemu.hypervisor import Hypervisor

__all__ = ["IMPACT", "READING", "Tunables", "copied", "keepConfig", "keepLive"]

#: Flags of changes, and those of queries.
IMPACT = c.VIR_DOMAIN_AFFECT_LIVE | c.VIR_DOMAIN_AFFECT_CONFIG
READING = IMPACT | c.VIR_TYPED_PARAM_STRING_OKAY

Change = Callable[[DomainDefinition], DomainDefinition]


def keepLive(hypervisor: Hypervisor, domain: Domain, change: Change) -> None:
    """Change what a running guest is, and write that down."""
    domain.definition = change(domain.definition)
    hypervisor.saveStatus(domain)


def copied(definition: DomainDefinition) -> DomainDefinition:
    """Write a definition and read it again, as libvirt copies one: its devices come in their order."""
    again = parseDomain(formatDomain(definition, secure=True, inactive=True))
    devices = replaced(again.devices, disks=sortedDisks(again.devices.disks))
    return replaced(again, devices=devices)


def keepConfig(
    hypervisor: Hypervisor, domain: Domain, change: Change, onCopy: bool = False
) -> None:
    """
    Change what a domain will be, on disk first.

    @param onCopy: libvirt makes this change to a copy, in which devices come in their order.
    @raise VirtError: it cannot be written; then nothing has changed.
    """
    definition = domain.persistentDefinition
    definition = change(copied(definition) if onCopy else definition)
    hypervisor.store.saveDefinition(definition)
    if domain.pending is not None:
        domain.pending = definition
    else:
        domain.definition = definition


class Tunables:
    """What is told of one change of how a guest shares the host."""

    def __init__(self) -> None:
        self._params: list[TypedParam] = []

    def add(self, name: str, value: Any, kind: int = c.VIR_TYPED_PARAM_ULLONG) -> None:
        """Add something that has changed."""
        self._params.append(TypedParam(name, kind, value))

    def extend(self, others: Tunables) -> None:
        """Add what else has changed."""
        self._params += others._params

    def tell(self, hypervisor: Hypervisor, domain: Domain) -> None:
        """Tell, if anything has changed."""
        if self._params:
            hypervisor.tellDomain(domain, c.VIR_DOMAIN_EVENT_ID_TUNABLE, self._params)
