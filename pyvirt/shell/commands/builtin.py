"""
Commands about the shell itself: help, the connection, the folder, leaving.
"""

from __future__ import annotations

import os

from pyvirt.shell.command import Command, CommandError
from pyvirt.shell.options import flag, rest, string

__all__ = ["COMMANDS"]


class ChangeDirectory(Command):
    """C{cd}: change the folder that file names start from."""

    name = "cd"
    brief = "change the current directory"
    description = "Change the current directory."
    options = (
        string("dir", "directory to switch to (default: home or else root)", emptyAllowed=True),
    )
    needsConnection = False

    async def run(self) -> None:
        if not self.session.interactive:
            raise CommandError("cd: command valid only in interactive mode")
        folder = self.text("dir")
        if folder is None:
            folder = os.path.expanduser("~")
            if not os.path.isabs(folder):
                folder = "/"
        try:
            os.chdir(os.fsencode(folder))
        except OSError as error:
            raise CommandError(f"cd: {error.strerror}: {folder}") from None


class Echo(Command):
    """C{echo}: print words, to try out quoting."""

    name = "echo"
    brief = "echo arguments. Used for internal testing."
    description = "Echo back arguments, possibly with quoting. Used for internal testing."
    options = (
        flag("shell", "escape for shell use"),
        flag("xml", "escape for XML use"),
        flag("split", "split each argument on ','; ',,' is an escape sequence"),
        flag("err", "output to stderr"),
        rest("string", "arguments to echo", showName=False),
    )
    needsConnection = False

    async def run(self) -> None:
        self.exclude("shell", "xml")
        self.exclude("shell", "split")
        self.exclude("xml", "split")
        words = self.texts("string")
        if self.given("split"):
            words = ["".join(f"{part}\n" for part in splitList(word)) for word in words]
        elif self.given("xml"):
            words = [escapeXML(word) for word in words]
        elif self.given("shell"):
            words = [quoteForShell(word) for word in words]
        line = " ".join(words)
        if self.given("err"):
            self.session.report(line)
        else:
            self.session.output(line)


class Quit(Command):
    """C{quit}: end the shell."""

    name = "quit"
    brief = "quit this interactive terminal"
    needsConnection = False

    async def run(self) -> None:
        from pyvirt.shell.session import Quit as QuitSession

        raise QuitSession


class Exit(Quit):
    """C{exit}: another name of C{quit}."""

    name = "exit"


class Help(Command):
    """C{help}: explain everything, a group or a command."""

    name = "help"
    brief = "print help"
    description = (
        "Prints global help, command specific help, or help for a\n    group of related commands"
    )
    options = (
        string(
            "command",
            "Prints global help, command specific help, or help for a group of related commands",
            emptyAllowed=True,
        ),
    )
    needsConnection = False

    async def run(self) -> None:
        from pyvirt.shell import help
        from pyvirt.shell.registry import commandClass

        word = self.text("command")
        if not word:
            self.session.output(help.overview())
            return
        command = commandClass(word)
        if command is not None:
            self.session.output(help.commandHelp(command))
            return
        group = help.findGroup(word)
        if group is None:
            raise CommandError(f"command or command group '{word}' doesn't exist")
        self.session.output(help.groupHelp(group))


class PrintDirectory(Command):
    """C{pwd}: tell the folder that file names start from."""

    name = "pwd"
    brief = "print the current directory"
    description = "Print the current directory."
    needsConnection = False

    async def run(self) -> None:
        self.print(os.fsdecode(os.getcwdb()))


class Connect(Command):
    """C{connect}: connect to another hypervisor, or again."""

    name = "connect"
    brief = "(re)connect to hypervisor"
    description = "Connect to local hypervisor. This is built-in command after shell start up."
    options = (
        string("name", "hypervisor connection URI", emptyAllowed=True),
        flag("readonly", "read-only connection"),
    )
    needsConnection = False
    needsReactor = True

    async def run(self) -> None:
        name = self.text("name")
        readOnly = self.given("readonly")
        session = self.session
        uri = session.uri if name is None else name
        await session.connect(uri, readOnly)
        session.uri, session.readOnly = uri, readOnly


def quoteForShell(word: str) -> str:
    """Quote a word so that a shell reads it back; words without special characters stay bare."""
    if word and not any(c in "\r\t\n !\"#$&'()*;<>?[\\]^`{|}~" for c in word):
        return word
    return "'" + word.replace("'", "'\\''") + "'"


def escapeXML(text: str) -> str:
    """Replace the five characters that mean something to XML, and drop those that it cannot carry."""
    for character, entity in (
        ("&", "&amp;"),
        ("<", "&lt;"),
        (">", "&gt;"),
        ('"', "&quot;"),
        ("'", "&apos;"),
    ):
        text = text.replace(character, entity)
    return "".join(c for c in text if c >= " " or c in "\t\n\r")


def splitList(text: str) -> list[str]:
    """Split at commas; two commas in a row are one character, and nothing has no parts."""
    if not text:
        return []
    parts = [""]
    at = 0
    while at < len(text):
        if text[at] != ",":
            parts[-1] += text[at]
        elif text[at + 1 : at + 2] == ",":
            parts[-1] += ","
            at += 1
        else:
            parts.append("")
        at += 1
    return parts


COMMANDS: tuple[type[Command], ...] = (
    ChangeDirectory,
    Echo,
    Exit,
    Help,
    PrintDirectory,
    Quit,
    Connect,
)
