"""
Which commands there are, in which group, and in which module: so that a command line loads only its own command.

The order is the order of the help.  A test compares this table with the classes.
"""

from __future__ import annotations

import importlib
from typing import NamedTuple

from pyvirt.shell.command import Command
from pyvirt.shell.parsing import CommandShape

__all__ = ["GROUPS", "Group", "commandClass", "shape"]


class Group(NamedTuple):
    """
    Commands that helps list together.

    @ivar keyword: what C{help} takes to list them.
    @ivar commands: pairs of name and module, the module below L{pyvirt.shell.commands}.
    """

    title: str
    keyword: str
    commands: tuple[tuple[str, str], ...]


def _group(title: str, keyword: str, commands: str) -> Group:
    """Make a group from lines of C{name module}."""
    pairs = [line.split() for line in commands.strip().splitlines()]
    return Group(title, keyword, tuple((name, module) for name, module in pairs))


GROUPS: tuple[Group, ...] = (
    _group(
        "Domain Management",
        "domain",
        """
        autostart            identity
        create               lifecycle
        define               definitions
        destroy              lifecycle
        domhostname          identity
        domid                identity
        domname              identity
        domrename            identity
        domuuid              identity
        dumpxml              definitions
        managedsave          identity
        managedsave-remove   identity
        reboot               lifecycle
        reset                lifecycle
        resume               lifecycle
        setmaxmem            resources
        setmem               resources
        setvcpus             resources
        shutdown             lifecycle
        start                starting
        suspend              lifecycle
        undefine             undefining
        vcpucount            resources
        vcpuinfo             monitoring
        """,
    ),
    _group(
        "Domain Monitoring",
        "monitor",
        """
        domblklist           monitoring
        domiflist            monitoring
        dominfo              monitoring
        domstate             monitoring
        list                 listing
        """,
    ),
    _group(
        "Domain Events",
        "events",
        """
        event                watching
        """,
    ),
    _group(
        "Host and Hypervisor",
        "host",
        """
        capabilities         hostresources
        domcapabilities      hostresources
        freecell             hostresources
        hostname             host
        maxvcpus             hostresources
        nodecpumap           hostresources
        nodeinfo             hostresources
        sysinfo              hostresources
        uri                  host
        version              host
        """,
    ),
    _group(
        "Interface",
        "interface",
        """
        iface-destroy        interfaces
        iface-dumpxml        interfaces
        iface-list           interfaces
        iface-mac            interfaces
        iface-name           interfaces
        iface-start          interfaces
        iface-undefine       interfaces
        """,
    ),
    _group(
        "Networking",
        "network",
        """
        net-autostart        networks
        net-create           networks
        net-define           networks
        net-destroy          networks
        net-dumpxml          networks
        net-info             networks
        net-list             networks
        net-name             networks
        net-start            networks
        net-undefine         networks
        net-uuid             networks
        """,
    ),
    _group(
        "Storage Pool",
        "pool",
        """
        pool-autostart       pools
        pool-define          pools
        pool-delete          pools
        pool-destroy         pools
        pool-dumpxml         pools
        pool-info            pools
        pool-list            pools
        pool-name            pools
        pool-refresh         pools
        pool-start           pools
        pool-undefine        pools
        pool-uuid            pools
        """,
    ),
    _group(
        "Virsh itself",
        "virsh",
        """
        cd                   builtin
        echo                 builtin
        exit                 builtin
        help                 builtin
        pwd                  builtin
        quit                 builtin
        connect              builtin
        """,
    ),
)

_modules = {name: module for group in GROUPS for name, module in group.commands}


def commandClass(name: str) -> type[Command] | None:
    """Give the class of a command, or None if there is no such command."""
    module = _modules.get(name)
    if module is None:
        return None
    commands: tuple[type[Command], ...] = importlib.import_module(
        f"pyvirt.shell.commands.{module}"
    ).COMMANDS
    for candidate in commands:
        if candidate.name == name:
            return candidate
    raise LookupError(f"pyvirt.shell.commands.{module} has no command {name!r}")


def shape(name: str) -> CommandShape | None:
    """Give what reading a command line needs to know of a command."""
    found = commandClass(name)
    return None if found is None else CommandShape(found.name, found.options)
