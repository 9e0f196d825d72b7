"""
From words to invocations: the rules by which virsh reads command lines.

Two sources of words exist: the arguments of the process, each a word as it is, and one line of text, which is split
at blanks, C{;} and newlines with quotes and backslashes.  A whole line is read before any of it is run, so a
mistake in its last command keeps the first from running.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from pyvirt.shell.options import Kind, Option

__all__ = ["HELP", "CommandShape", "Invocation", "Syntax", "parse", "splitLine", "splitWords"]

#: Every command accepts C{--help}, without listing it.
HELP = Option("help", Kind.FLAG, "print help for this function")

#: The token that ends one command of a line.
END = None


class Syntax(Exception):
    """
    A command line cannot be read.

    @ivar messages: what to tell, one report each.
    """

    def __init__(self, *messages: str) -> None:
        super().__init__("; ".join(messages))
        self.messages = messages


class CommandShape(NamedTuple):
    """What reading needs to know of a command."""

    name: str
    options: tuple[Option, ...]


class Invocation(NamedTuple):
    """
    One command as it was typed.

    @ivar values: pairs of option and text, in the order given; the text of a flag is empty.
    """

    name: str
    values: tuple[tuple[Option, str], ...]


def splitWords(words: Sequence[str]) -> Iterator[str | None]:
    """Iterate over the tokens of arguments that a shell has already split."""
    yield from words
    yield END


def splitLine(line: str) -> Iterator[str | None]:
    """
    Iterate over the tokens of a line: words, and None for the end of a command.

    Reading is lazy, so a mistake is only met after the words before it.

    @raise Syntax: a double quote stays open, or the last character is a backslash.
    """
    at, end = 0, len(line)
    while True:
        while at < end and line[at] in " \t":
            at += 1
        if at >= end:
            yield END
            return
        if line[at] in ";\n":
            at += 1
            yield END
            continue
        if line[at] == "#":
            while at < end and line[at] != "\n":
                at += 1
            continue
        word: list[str] = []
        single = double = False
        while at < end:
            character = line[at]
            if not single and not double and character in " \t;\n":
                break
            at += 1
            if character == "'" and not double:
                single = not single
                continue
            if character == '"' and not single:
                double = not double
                continue
            if character == "\\" and not single:
                if at >= end:
                    raise Syntax("dangling \\")
                character = line[at]
                at += 1
                if character == "\n":
                    continue
            word.append(character)
        if double:
            raise Syntax('missing "')
        yield "".join(word)


def parse(
    tokens: Iterator[str | None],
    find: Callable[[str], CommandShape | None],
    trace: Callable[[str], None] = lambda text: None,
) -> list[Invocation]:
    """
    Read all commands of a line.

    @param find: gives the shape of a command by its name.
    @param trace: is told of each option as it is read.
    @raise Syntax: the line is wrong; nothing of it may be run.
    """
    invocations = []
    for token in tokens:
        if token is END:
            continue
        assert token is not None
        if token.startswith("#"):
            for word in tokens:
                if word is END:
                    break
            continue
        shape = find(token)
        if shape is None:
            raise Syntax(f"unknown command: '{token}'")
        invocations.append(_Reader(shape, tokens, trace).read())
    return invocations


class _Reader:
    """Read the words of one command."""

    def __init__(
        self, shape: CommandShape, tokens: Iterator[str | None], trace: Callable[[str], None]
    ) -> None:
        self._shape = shape
        self._tokens = tokens
        self._trace = trace
        self._seen: set[str] = set()
        self._values: list[tuple[Option, str]] = []
        self._helpCommand = shape.name == "help"
        # Options that bare words fill, in their order.
        self._waiting = [
            option
            for option in shape.options
            if option.kind not in (Kind.FLAG, Kind.ALIAS) and not option.named
        ]

    def read(self) -> Invocation:
        onlyData = False
        for word in self._tokens:
            if word is END:
                break
            assert word is not None
            if not onlyData and word == "--":
                onlyData = True
            elif not onlyData and word.startswith("--") and word[2].isascii() and word[2].isalnum():
                self._named(word[2:])
            else:
                self._bare(word)
        if any(option is HELP for option, _ in self._values):
            return Invocation("help", ((_COMMAND, self._shape.name),))
        self._checkRequired()
        return Invocation(self._shape.name, tuple(self._values))

    def _named(self, word: str) -> None:
        """Take C{--name}, C{--name=value} or C{--name value}."""
        name, equals, value = word.partition("=")
        given = value if equals else None
        found = self._lookup(name, given)
        if found is None:
            return
        option, given = found
        if option.kind is Kind.FLAG:
            if given is not None:
                raise Syntax(f"invalid '=' after option --{option.name}")
            self._record(option, "")
            return
        if given is None:
            given = next(self._tokens, END)
        if given is None:
            form = "number" if option.kind is Kind.NUMBER else "string"
            raise Syntax(f"expected syntax: --{option.name} <{form}>")
        if option.kind is not Kind.REST and option in self._waiting:
            self._waiting.remove(option)
        self._record(option, given)

    def _lookup(self, name: str, given: str | None) -> tuple[Option, str | None] | None:
        if name == HELP.name:
            return HELP, given
        for option in self._shape.options:
            if option.name != name:
                continue
            if option.kind is Kind.ALIAS:
                target, equals, value = option.help.partition("=")
                if equals:
                    if given is not None:
                        raise Syntax(f"invalid '=' after option --{option.name}")
                    given = value
                return self._lookup(target, given)
            if option.name in self._seen and option.kind is not Kind.REST:
                raise Syntax(f"option --{name} already seen")
            self._seen.add(option.name)
            return option, given
        if self._helpCommand:
            return None
        raise Syntax(f"command '{self._shape.name}' doesn't support option --{name}")

    def _bare(self, word: str) -> None:
        if not self._waiting:
            if self._helpCommand:
                return
            raise Syntax(f"unexpected data '{word}'")
        option = self._waiting[0]
        if option.kind is not Kind.REST:
            del self._waiting[0]
        self._seen.add(option.name)
        self._record(option, word)

    def _record(self, option: Option, value: str) -> None:
        self._values.append((option, value))
        form, shown = ("bool", "(none)") if option.kind is Kind.FLAG else ("optdata", value)
        self._trace(f"{self._shape.name}: {option.name}({form}): {shown}\n")

    def _checkRequired(self) -> None:
        missing = [
            option
            for option in self._shape.options
            if option.required and option.name not in self._seen
        ]
        if missing:
            raise Syntax(
                *(
                    f"command '{self._shape.name}' requires "
                    + (
                        f"<{option.name}> option"
                        if option.kind in (Kind.DATA, Kind.REST)
                        else f"--{option.name} option"
                    )
                    for option in missing
                )
            )


_COMMAND = Option("command", Kind.STRING, "", emptyAllowed=True)
