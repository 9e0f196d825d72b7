"""
Which contract has which method: the names of L{pyvirt.drivers.interfaces}, turned the other way round.

A route names a contract method only; the interface that a connection is asked for follows from it, because
no method name appears in two interfaces of operations.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module

from zope.interface.interface import InterfaceClass, Method

MODULES = (
    "backup",
    "blockjobs",
    "checkpoints",
    "consoles",
    "definition",
    "devices",
    "guestagent",
    "host",
    "hostinterfaces",
    "hypervisors",
    "jobs",
    "lifecycle",
    "migration",
    "networks",
    "nodedevices",
    "nwfilters",
    "resources",
    "secrets",
    "snapshots",
    "statistics",
    "storage",
    "tuning",
)
"""The modules of C{drivers.interfaces} whose interfaces hold operations that procedures ask for."""


@cache
def interfaces() -> tuple[InterfaceClass, ...]:
    """Return every interface of operations, in the order of their modules."""
    found: list[InterfaceClass] = []
    for name in MODULES:
        module = import_module(f"pyvirt.drivers.interfaces.{name}")
        found += [
            value
            for value in vars(module).values()
            if isinstance(value, InterfaceClass) and value.__module__ == module.__name__
        ]
    return tuple(found)


@cache
def methods() -> dict[str, tuple[InterfaceClass, tuple[str, ...]]]:
    """
    Return every operation: its name, to the interface it is in and its parameters.

    @raise TypeError: a name is in two interfaces.
    """
    table: dict[str, tuple[InterfaceClass, tuple[str, ...]]] = {}
    for interface in interfaces():
        for name, member in interface.namesAndDescriptions():
            if not isinstance(member, Method):
                continue
            if name in table:
                raise TypeError(f"{name} is in {table[name][0].__name__} and {interface.__name__}")
            table[name] = (interface, tuple(member.positional))
    return table
