"""
The texts of C{help}, C{--help} and C{--version}.
"""

from __future__ import annotations

from collections.abc import Iterator

from pyvirt.shell.command import Command, optionForms
from pyvirt.shell.registry import GROUPS, Group, commandClass

__all__ = [
    "LIBRARY_VERSION",
    "commandHelp",
    "findGroup",
    "groupHelp",
    "overview",
    "usage",
    "versionDetails",
]

#: The version of libvirt whose command line and library this one follows.
LIBRARY_VERSION = "9.0.0"

_USAGE = """
{program} [options]... [<command_string>]
{program} [options]... <command> [args...]

  options:
    -c | --connect=URI      hypervisor connection URI
    -d | --debug=NUM        debug level [0-4]
    -e | --escape <char>    set escape sequence for console
    -h | --help             this help
    -k | --keepalive-interval=NUM
                            keepalive interval in seconds, 0 for disable
    -K | --keepalive-count=NUM
                            number of possible missed keepalive messages
    -l | --log=FILE         output logging to file
    -q | --quiet            quiet mode
    -r | --readonly         connect readonly
    -t | --timing           print timing information
    -v                      short version
    -V                      long version
         --version[=TYPE]   version, TYPE is short or long (default short)
  commands (non interactive mode):

"""

_VERSION = """\
Virsh command line tool of libvirt {version}
See web site at https://libvirt.org/

Compiled with support for:
 Hypervisors: QEMU/KVM LXC LibXL OpenVZ VMware VirtualBox ESX Test
 Networking: Remote Network Bridging Interface udev Nwfilter
 Storage: Dir Disk Filesystem SCSI Multipath iSCSI iSCSI-direct LVM RBD Gluster ZFS
 Miscellaneous: Daemon Nodedev AppArmor SELinux Secrets Debug DTrace Readline
"""


def usage(program: str) -> str:
    """Give the text of C{--help}."""
    parts = [_USAGE.format(program=program)]
    for group in GROUPS:
        parts.append(f" {group.title} (help keyword '{group.keyword}')\n")
        parts.extend(_lines(group))
        parts.append("\n")
    parts.append("\n  (specify help <group> for details about the commands in the group)\n")
    parts.append("\n  (specify help <command> for details about the command)\n\n")
    return "".join(parts)


def overview() -> str:
    """Give the text of C{help} without a word."""
    return "Grouped commands:\n\n" + "".join(f"{groupHelp(group)}\n" for group in GROUPS)


def findGroup(word: str) -> Group | None:
    """Find a group by its keyword or its title."""
    for group in GROUPS:
        if word in (group.keyword, group.title):
            return group
    return None


def groupHelp(group: Group) -> str:
    """List the commands of a group."""
    return f" {group.title} (help keyword '{group.keyword}'):\n" + "".join(_lines(group))


def commandHelp(command: type[Command]) -> str:
    """Explain one command."""
    forms = [(optionForms(option), option.help) for option in command.options]
    shown = [(short, long, text) for (short, long), text in forms if long]
    parts = [f"  NAME\n    {command.name} - {command.brief}\n\n  SYNOPSIS\n    {command.name}"]
    parts.extend(f" {short}" for short, _, _ in shown)
    parts.append("\n")
    if command.description:
        parts.append(f"\n  DESCRIPTION\n    {command.description}\n")
    if shown:
        parts.append("\n  OPTIONS\n")
        parts.extend(f"    {long:<15}  {text}\n" for _, long, text in shown)
    parts.append("\n")
    return "".join(parts)


def versionDetails() -> str:
    """Give the text of C{--version=long}."""
    return _VERSION.format(version=LIBRARY_VERSION)


def _lines(group: Group) -> Iterator[str]:
    for name, _ in group.commands:
        command = commandClass(name)
        assert command is not None
        yield f"    {name:<30} {command.brief}\n"
