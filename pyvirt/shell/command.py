"""
L{Command}, the base class of every command, and L{CommandError}, the way it fails.

To add a command: write a subclass with C{name}, C{brief}, C{description}, C{options} and C{run} in a module of
L{pyvirt.shell.commands}, and name it in L{pyvirt.shell.registry}.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar

from pyvirt.shell.options import Kind, Option

if TYPE_CHECKING:
    from pyvirt.client.connect import Connect
    from pyvirt.client.domain import Domain
    from pyvirt.shell.session import Session

__all__ = ["Command", "CommandError", "DomainCommand"]

_INTEGER = re.compile(r"[ \t\n\v\f\r]*([+-]?)(0[xX][0-9a-fA-F]+|[0-9]+)\Z")

#: Bytes in the units that sizes may be given in.
_POWERS = {"k": 1, "m": 2, "g": 3, "t": 4, "p": 5, "e": 6}


class CommandError(Exception):
    """
    A command failed.

    The messages are reported one by one; when the error has a L{pyvirt.errors.VirtError} as its cause, the
    library's own message follows them.  Without messages and cause the command just ends with status 1.
    """

    def __init__(self, *messages: str) -> None:
        super().__init__("; ".join(messages))
        self.messages = messages


class Command:
    """
    One invocation of a command.

    @cvar name: what is typed.
    @cvar brief: the line in lists of commands.
    @cvar description: the paragraph in the command's own help; empty for none.
    @cvar needsConnection: a connection is made before L{run} if there is none.
    @cvar needsReactor: L{run} waits for something even without a connection.
    @ivar session: the shell around it: output, connection, settings.
    """

    name: ClassVar[str]
    brief: ClassVar[str]
    description: ClassVar[str] = ""
    options: ClassVar[tuple[Option, ...]] = ()
    needsConnection: ClassVar[bool] = True
    needsReactor: ClassVar[bool] = False

    def __init__(self, session: Session, values: tuple[tuple[Option, str], ...] = ()) -> None:
        self.session = session
        self._values = values

    async def run(self) -> None:
        """
        Do it.

        @raise CommandError: it failed, with what to report.
        @raise VirtError: it failed, and the library's message says it all.
        """
        raise NotImplementedError

    @property
    def connection(self) -> Connect:
        """The connection; only for commands that need one."""
        return self.session.connected

    def print(self, text: str) -> None:
        """Print a line of the result."""
        self.session.output(text + "\n")

    def tell(self, text: str) -> None:
        """Print a line that C{--quiet} suppresses."""
        self.session.remark(text + "\n")

    def given(self, name: str) -> bool:
        """Tell whether an option was given."""
        return any(option.name == name for option, _ in self._values)

    def text(self, name: str) -> str | None:
        """
        Give the text of an option; None if it was not given.

        @raise CommandError: it is empty where that means nothing.
        """
        for option, value in self._values:
            if option.name == name:
                if not value and not option.emptyAllowed:
                    raise CommandError(f"Failed to get option '{name}': Option argument is empty")
                return value
        return None

    def quietText(self, name: str) -> str | None:
        """
        Give the text of an option, as L{text} does.

        @raise CommandError: it is empty; nothing is reported.
        """
        try:
            return self.text(name)
        except CommandError:
            raise CommandError from None

    def requiredText(self, name: str) -> str:
        """Give the text of an option that the command line cannot be without."""
        value = self.text(name)
        assert value is not None
        return value

    def texts(self, name: str) -> list[str]:
        """Give all texts of an option that may be repeated."""
        return [value for option, value in self._values if option.name == name]

    def integer(
        self, name: str, minimum: int = -(1 << 31), maximum: int = (1 << 31) - 1
    ) -> int | None:
        """
        Give an option as a number: decimal, or hexadecimal after C{0x}.

        @raise CommandError: it is not a number from minimum to maximum.
        """
        for option, value in self._values:
            if option.name == name:
                match = _INTEGER.match(value)
                if match is not None:
                    result = int(match[2], 16 if match[2][:2] in ("0x", "0X") else 10)
                    if match[1] == "-":
                        result = -result
                    if minimum <= result <= maximum:
                        return result
                raise CommandError(
                    f"Numeric value '{value}' for <{name}> option is malformed or out of range"
                )
        return None

    def unsigned(self, name: str, maximum: int = (1 << 32) - 1) -> int | None:
        """Give an option as a number from 0."""
        return self.integer(name, 0, maximum)

    def scaled(self, name: str, scale: int, maximum: int) -> int | None:
        """
        Give a size in bytes.

        @param scale: how many bytes a number without unit counts.
        @param maximum: the largest result.
        @raise CommandError: the text is not a number with a known unit, or too large.
        """
        for option, value in self._values:
            if option.name == name:
                size, reason = _scaled(value, scale, maximum)
                if size is None:
                    raise CommandError(
                        f"Scaled numeric value '{value}' for <{name}> option is malformed or out of range",
                        *reason,
                    )
                return size
        return None

    def exclude(self, first: str, second: str) -> None:
        """
        Check that two options are not given both.

        @raise CommandError: they are.
        """
        if self.given(first) and self.given(second):
            raise CommandError(f"Options --{first} and --{second} are mutually exclusive")

    def require(self, option: str, needed: str) -> None:
        """
        Check that an option does not come without another.

        @raise CommandError: it does.
        """
        if self.given(option) and not self.given(needed):
            raise CommandError(f"Option --{needed} is required by option --{option}")

    def flags(self, **bits: int) -> int:
        """Add up the bits whose options are given; C{_} in a keyword stands for C{-} in the option's name."""
        result = 0
        for name, bit in bits.items():
            if self.given(name.rstrip("_").replace("_", "-")):
                result |= bit
        return result

    def readFile(self, path: str) -> str:
        """
        Read a definition.

        @raise CommandError: the file cannot be read, or is longer than 10 MiB.
        """
        from pyvirt.shell.files import readDefinition

        return readDefinition(path)

    def affected(self) -> int:
        """
        Read the options that say which definition of a domain is meant.

        @return: 0 for the current state, 1 for the running one, 2 for the next boot, or both.
        @raise CommandError: C{--current} and one of the others are given.
        """
        self.exclude("current", "live")
        self.exclude("current", "config")
        return self.flags(live=1, config=2)


class DomainCommand(Command):
    """
    A command whose C{domain} option names one domain.

    @cvar byId: whether that may be its id; C{byUUID} and C{byName} likewise.
    """

    byId: ClassVar[bool] = True
    byUUID: ClassVar[bool] = True
    byName: ClassVar[bool] = True

    async def domain(self) -> Domain:
        """
        Look the domain up: by id when it is a number, by UUID when it could be one, by name else.

        @raise CommandError: there is none.
        """
        from pyvirt.shell.lookup import findDomain

        return await findDomain(self, self.typed, self.byId, self.byUUID, self.byName)

    @property
    def typed(self) -> str:
        """The domain as it was typed."""
        return self.requiredText("domain")


def _scaled(value: str, scale: int, maximum: int) -> tuple[int | None, tuple[str, ...]]:
    """Give a size in bytes, or None and what the library says of it."""
    match = re.match(r"\s*\+?(\d+)\s*(.*)\Z", value, re.DOTALL | re.ASCII)
    if match is None or int(match[1]) >= 1 << 64:
        return None, ()
    number, suffix = int(match[1]), match[2]
    lowered = suffix.lower()
    if not suffix:
        factor = scale
    elif lowered in ("b", "byte", "bytes"):
        factor = 1
    elif lowered[0] in _POWERS and lowered[1:] in ("", "ib"):
        factor = 1024 ** _POWERS[lowered[0]]
    elif lowered[0] in _POWERS and lowered[1:] == "b":
        factor = 1000 ** _POWERS[lowered[0]]
    else:
        return None, (f"invalid argument: unknown suffix '{suffix}'",)
    if number and number > maximum // factor:
        return None, (f"numerical overflow: value too large: {number}{suffix}",)
    return number * factor, ()


def optionForms(option: Option) -> tuple[str, str]:
    """
    Give the two ways in which a help shows an option: in the synopsis, and in the list of options.

    Both are empty for an alias.
    """
    name = option.name
    match option.kind:
        case Kind.FLAG:
            return f"[--{name}]", f"--{name}"
        case Kind.NUMBER:
            if option.required:
                return f"<{name}>", f"[--{name}] <number>"
            return f"[--{name} <number>]", f"--{name} <number>"
        case Kind.STRING:
            text = f"--{name} <string>"
            return (text if option.required else f"[{text}]"), text
        case Kind.DATA:
            return (f"<{name}>" if option.required else f"[<{name}>]"), f"[--{name}] <string>"
        case Kind.REST:
            if option.showName:
                form = f"[--{name}] <string>"
                return (f"{{{form}}}..." if option.required else f"[{form}]..."), form
            return (f"<{name}>..." if option.required else f"[<{name}>]..."), f"<{name}>"
        case _:
            return "", ""
