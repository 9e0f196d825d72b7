"""
What a client of the SSH door may ask for: a connection to the daemon, in the words of libvirt's clients.

They send a line for a shell that looks for a helper program or netcat.  No shell reads it here: a line is one of
the known forms, and then says no more than whether the connection is read-only, or it is refused.

Source: observed on virsh 9.0.0, with each C{proxy} and with sockets and netcats of its own.
"""

from __future__ import annotations

import os
import re
import shlex

import attrs

__all__ = ["CommandRefused", "Wanted", "understand"]

_HELPERS = ("virt-ssh-helper", "pyvirt-ssh-helper")
_NETCATS = ("nc", "netcat", "ncat")
_NETCAT = (
    r"if (?P<program>.+?) -q 2>&1 \| grep \"?requires an argument\"? >/dev/null 2>&1;\s*"
    r"then ARG=-q0;\s*else ARG=;\s*fi;\s*(?P=program) \$ARG -U (?P<socket>.+?)"
)
_SCRIPT = re.compile(
    r"(?:which virt-ssh-helper 1?>/dev/null 2>&1; if test \$\? = 0; then\s+"
    rf"virt-ssh-helper (?P<helped>.*?); else\s+{_NETCAT}; fi)",
    re.DOTALL,
)
_ALONE = re.compile(rf"{_NETCAT}|(?:pyvirt|virt)-ssh-helper (?P<helped>[^;|&<>$`]*)", re.DOTALL)
_DEFAULTS = ("/var/run/libvirt", "/run/libvirt")
_OURS = re.compile(
    r"which virt-ssh-helper 1>/dev/null 2>&1; if test \$\? = 0; then virt-ssh-helper (?P<helped>.*?);"
    r" else which pyvirt-ssh-helper 1>/dev/null 2>&1; if test \$\? = 0; then"
    r" pyvirt-ssh-helper (?P=helped); else exit 127; fi; fi",
    re.DOTALL,
)
_LONGEST = 8192


class CommandRefused(Exception):
    """A command is none of those; the text is for the client."""


@attrs.frozen
class Wanted:
    """
    What a client asks for.

    @ivar readOnly: whether it wants to look only.
    """

    readOnly: bool


def understand(command: bytes, sockets: tuple[str, str | None]) -> Wanted:
    """
    Find out what a command asks for.

    @param sockets: the daemon's own sockets, read-write and read-only, which may be asked for by path.
    @raise CommandRefused: it is none that means a connection.
    """
    if len(command) > _LONGEST:
        raise CommandRefused("the command is too long")
    try:
        words = shlex.split(command.decode())
    except (UnicodeDecodeError, ValueError):
        raise _unknown() from None
    if len(words) == 3 and words[0] in ("sh", "/bin/sh") and words[1] == "-c":
        script = words[2].strip()
        match = _OURS.fullmatch(script) or _SCRIPT.fullmatch(script) or _ALONE.fullmatch(script)
        if match is None:
            raise _unknown()
        if match["helped"] is not None:
            return _helped(_split(match["helped"]))
        return _bySocket(match["socket"], sockets)
    if words and os.path.basename(words[0]) in _HELPERS:
        return _helped(words[1:])
    if len(words) == 3 and os.path.basename(words[0]) in _NETCATS and words[1] == "-U":
        return _bySocket(words[2], sockets)
    raise _unknown()


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        raise _unknown() from None


def _helped(words: list[str]) -> Wanted:
    options = [each for each in words if each.startswith("-")]
    if len(words) - len(options) > 1 or any(
        each not in ("-r", "--readonly", "--") for each in options
    ):
        raise _unknown()
    return Wanted(readOnly="-r" in options or "--readonly" in options)


def _bySocket(path: str, sockets: tuple[str, str | None]) -> Wanted:
    path = path.strip()
    writable, readOnly = sockets
    if path == writable:
        return Wanted(readOnly=False)
    if path == readOnly:
        return Wanted(readOnly=True)
    folder, name = os.path.split(path)
    if folder in _DEFAULTS and name in ("libvirt-sock", "libvirt-sock-ro"):
        return Wanted(readOnly=name.endswith("-ro"))
    raise CommandRefused(f"'{path}' is no socket of this daemon: leave socket= out of the URI")


def _unknown() -> CommandRefused:
    return CommandRefused(
        "this is the SSH door of a virtualization daemon: it gives connections to libvirt's clients"
        " (virsh -c DRIVER+ssh://USER@HOST:PORT/...) and no shell, no file transfer, no other command"
    )
