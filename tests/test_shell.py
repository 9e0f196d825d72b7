"""
The shell without a daemon: reading command lines, tables, help, event texts, the table of commands.
"""

from __future__ import annotations

import importlib
import io
import os
import pkgutil
import subprocess
import sys
import unicodedata
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from pyvirt.errors import VirtError
from pyvirt.shell import commands, help
from pyvirt.shell.arguments import Ending, Settings, readArguments
from pyvirt.shell.command import Command, CommandError
from pyvirt.shell.commands.builtin import quoteForShell, splitList
from pyvirt.shell.commands.hostresources import ranges
from pyvirt.shell.commands.pools import prettySize
from pyvirt.shell.eventtext import DOMAIN_EVENTS
from pyvirt.shell.options import Kind, alias, data, flag, number, rest, string
from pyvirt.shell.output import Output
from pyvirt.shell.parsing import CommandShape, Invocation, Syntax, parse, splitLine, splitWords
from pyvirt.shell.registry import GROUPS, commandClass, shape
from pyvirt.shell.session import Quit, Session
from pyvirt.shell.table import Table, displayed

PAINT = CommandShape(
    "paint",
    (
        data("thing", "what"),
        string("colour", "which"),
        number("coats", "how many"),
        flag("dry", "wait"),
        string("brush", "with", named=True),
        alias("color", "colour"),
        alias("twice", "coats=2"),
        rest("more", "what else"),
    ),
)


def read(*words: str) -> list[tuple[str, str]]:
    """Read words as a C{paint} command; give its values."""
    (invocation,) = parse(splitWords(["paint", *words]), {"paint": PAINT}.get)
    return [(option.name, value) for option, value in invocation.values]


class LineTests(SynchronousTestCase):
    """Splitting a line into tokens."""

    def test_words(self) -> None:
        """
        Blanks separate, quotes and backslashes keep together, C{;} and newlines end commands.
        """
        for line, tokens in (
            ("", [None]),
            (" a\tb ", ["a", "b", None]),
            ("a;b", ["a", None, "b", None]),
            ("a;", ["a", None, None]),
            ("a\nb", ["a", None, "b", None]),
            ("'a b' \"c ; d\"", ["a b", "c ; d", None]),
            (r"a\ b \; '\'", ["a b", ";", "\\", None]),
            ("a''b", ["ab", None]),
            ("''", ["", None]),
            ("a \\\nb", ["a", "b", None]),
            ("a # b; c\nd", ["a", None, "d", None]),
            ("a#b", ["a#b", None]),
            ("'open", ["open", None]),
        ):
            self.assertEqual(list(splitLine(line)), tokens, line)

    def test_mistakes(self) -> None:
        """
        An open double quote and a last backslash are refused.
        """
        for line, message in (('a "b', 'missing "'), ("a\\", "dangling \\")):
            error = self.assertRaises(Syntax, list, splitLine(line))
            self.assertEqual(error.messages, (message,))

    @given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
    def test_everySplitEnds(self, line: str) -> None:
        """
        Whatever a line holds, it is split or refused.
        """
        try:
            tokens = list(splitLine(line))
        except Syntax:
            return
        self.assertIsNone(tokens[-1])

    @given(st.lists(st.text(alphabet="ab '\"\\;#\n\t$", min_size=1)))
    def test_quotedWordsComeBack(self, words: list[str]) -> None:
        """
        What is quoted by the rules of the shell is split into the same words.
        """
        line = " ".join("'" + word.replace("'", "'\\''") + "'" for word in words)
        self.assertEqual(list(splitLine(line)), [*words, None])


class OptionTests(SynchronousTestCase):
    """Reading the options of one command."""

    def test_forms(self) -> None:
        """
        Options come with C{=}, with the next word, or by their place.
        """
        self.assertEqual(read("wall"), [("thing", "wall")])
        self.assertEqual(read("wall", "red"), [("thing", "wall"), ("colour", "red")])
        self.assertEqual(read("--colour=red", "wall"), [("colour", "red"), ("thing", "wall")])
        self.assertEqual(
            read("--thing", "wall", "red", "3", "x", "y"),
            [("thing", "wall"), ("colour", "red"), ("coats", "3"), ("more", "x"), ("more", "y")],
        )
        self.assertEqual(read("--", "--dry"), [("thing", "--dry")])
        self.assertEqual(read("-x"), [("thing", "-x")])

    def test_aliases(self) -> None:
        """
        An old name stands for the new one, or for a value of it.
        """
        self.assertEqual(read("w", "--color", "red"), [("thing", "w"), ("colour", "red")])
        self.assertEqual(read("w", "--twice"), [("thing", "w"), ("coats", "2")])

    def test_namedOnly(self) -> None:
        """
        Bare words never fill an option that must be named.
        """
        self.assertNotIn("brush", [name for name, _ in read("a", "b", "3", "d", "e")])
        self.assertIn(("brush", "fine"), read("a", "--brush", "fine"))

    def test_mistakes(self) -> None:
        """
        Each mistake has its message.
        """
        for words, message in (
            (["w", "--no"], "command 'paint' doesn't support option --no"),
            (["w", "--dry", "--dry"], "option --dry already seen"),
            (["w", "--dry=1"], "invalid '=' after option --dry"),
            (["w", "--twice=3"], "invalid '=' after option --twice"),
            (["w", "--colour"], "expected syntax: --colour <string>"),
            (["w", "--coats"], "expected syntax: --coats <number>"),
            ([], "command 'paint' requires <thing> option"),
        ):
            error = self.assertRaises(Syntax, read, *words)
            self.assertEqual(error.messages, (message,))

    def test_tooMuch(self) -> None:
        """
        A word for which no option is left is refused.
        """
        error = self.assertRaises(Syntax, parse, splitWords(["uri", "x"]), shape)
        self.assertEqual(error.messages, ("unexpected data 'x'",))

    def test_everythingMissing(self) -> None:
        """
        Every option that is missing is told of.
        """
        error = self.assertRaises(Syntax, parse, splitWords(["setvcpus"]), shape)
        self.assertEqual(
            error.messages,
            (
                "command 'setvcpus' requires <domain> option",
                "command 'setvcpus' requires --count option",
            ),
        )

    def test_help(self) -> None:
        """
        C{--help} makes any command a question about it, whatever else is missing.
        """
        (invocation,) = parse(splitWords(["dominfo", "--help"]), shape)
        self.assertEqual(invocation.name, "help")
        self.assertEqual([value for _, value in invocation.values], ["dominfo"])

    def test_unknownCommand(self) -> None:
        """
        One wrong command keeps the whole line from being run.
        """
        error = self.assertRaises(Syntax, parse, splitLine("uri; nonsense; uri"), shape)
        self.assertEqual(error.messages, ("unknown command: 'nonsense'",))


class ArgumentTests(SynchronousTestCase):
    """The arguments before the command."""

    def test_settings(self) -> None:
        """
        Letters may be joined, long names shortened, values joined or apart.
        """
        settings = readArguments("x", ["-qtc", "a", "--read", "-d1", "-k", "7", "list", "-q"], {})
        self.assertEqual(
            settings,
            Settings(
                "x",
                uri="a",
                readOnly=True,
                quiet=True,
                timing=True,
                debug=1,
                keepaliveInterval=7,
                words=["list", "-q"],
            ),
        )
        self.assertEqual(readArguments("x", ["--connect=b", "--", "-c"], {}).words, ["-c"])

    def test_environment(self) -> None:
        """
        The environment gives what the arguments do not.
        """
        environment = {"VIRSH_DEFAULT_CONNECT_URI": "e", "VIRSH_DEBUG": "2"}
        settings = readArguments("x", [], environment)
        self.assertEqual((settings.uri, settings.debug), ("e", 2))
        self.assertEqual(readArguments("x", ["-c", "a"], environment).uri, "a")

    def test_endings(self) -> None:
        """
        Help and versions end the reading.
        """
        for word, topic in (
            ("-h", "usage"),
            ("--help", "usage"),
            ("-v", "version"),
            ("-V", "details"),
            ("--version", "version"),
            ("--version=long", "details"),
        ):
            ending = self.assertRaises(Ending, readArguments, "x", [word, "uri"], {})
            self.assertEqual(ending.topic, topic)

    def test_mistakes(self) -> None:
        """
        Each mistake has its message.
        """
        for words, message in (
            (["-x"], "unsupported option '-x'. See --help."),
            (["--xyz"], "unsupported option '--xyz'. See --help."),
            (["--k", "5"], "unsupported option '--k'. See --help."),
            (["--quiet=1"], "unsupported option '-q'. See --help."),
            (["-c"], "option '-c'/'--connect' requires an argument"),
            (["-d", "x"], "option -d takes a numeric argument"),
            (["-k", "x"], "Invalid value for option -k"),
            (["-K", "-1"], "option -K requires a positive integer argument"),
            (["-e", "ab"], "Invalid string 'ab' for escape sequence"),
        ):
            error = self.assertRaises(Syntax, readArguments, "x", words, {})
            self.assertEqual(error.messages, (message,))


class TableTests(SynchronousTestCase):
    """Tables."""

    def test_layout(self) -> None:
        """
        Columns are as wide as their widest cell, and the last one ends without blanks.
        """
        table = Table("Id", "Name")
        table.add("1", "one")
        table.add("-", "twenty")
        self.assertEqual(table.text(), " Id   Name\n--------------\n 1    one\n -    twenty\n")
        self.assertEqual(table.text(header=False), " 1   one\n -   twenty\n")

    def test_empty(self) -> None:
        """
        Without rows there is a header, or nothing.
        """
        self.assertEqual(Table("A").text(), " A\n----\n")
        self.assertEqual(Table("A").text(header=False), "")

    def test_wide(self) -> None:
        """
        Widths are those of a terminal, and what cannot be printed is escaped.
        """
        self.assertEqual(displayed("日本"), ("日本", 4))
        self.assertEqual(displayed("e\u0301"), ("e\u0301", 1))
        self.assertEqual(displayed("a\x1bb"), ("a\\x1bb", 6))
        self.assertEqual(displayed("\udcff"), ("\\xff", 4))

    @given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
    def test_nothingUnprintable(self, text: str) -> None:
        """
        No control character ever reaches the terminal.
        """
        shown, width = displayed(text)
        self.assertNotIn("Cc", {unicodedata.category(character) for character in shown})
        self.assertLessEqual(width, 16 * len(text))


class RegistryTests(SynchronousTestCase):
    """The table of commands."""

    def test_classes(self) -> None:
        """
        The table names exactly the classes that there are, each in its module.
        """
        named = {pair for group in GROUPS for pair in group.commands}
        existing = set()
        for module in pkgutil.iter_modules(commands.__path__):
            loaded = importlib.import_module(f"{commands.__name__}.{module.name}")
            existing |= {(command.name, module.name) for command in loaded.COMMANDS}
        self.assertEqual(named, existing)

    def test_options(self) -> None:
        """
        What is required comes first among what bare words fill, and aliases stand for something.
        """
        for group in GROUPS:
            for name, _ in group.commands:
                command = commandClass(name)
                assert command is not None
                placed = [
                    option.required
                    for option in command.options
                    if option.kind not in (Kind.FLAG, Kind.ALIAS, Kind.REST) and not option.named
                ]
                self.assertEqual(placed, sorted(placed, reverse=True), name)
                names = {option.name for option in command.options}
                self.assertEqual(len(names), len(command.options), name)
                for option in command.options:
                    if option.kind is Kind.ALIAS:
                        self.assertIn(option.help.partition("=")[0], names)

    def test_helps(self) -> None:
        """
        Every command has a help that begins with its name, and is in the overview.
        """
        overview = help.overview()
        for group in GROUPS:
            for name, _ in group.commands:
                command = commandClass(name)
                assert command is not None
                text = help.commandHelp(command)
                self.assertTrue(text.startswith(f"  NAME\n    {name} - "), name)
                self.assertIn(f"    {name:<30} {command.brief}\n", overview)

    def test_lazy(self) -> None:
        """
        Asking for help loads neither Twisted nor the XML library.
        """
        script = (
            "import sys; sys.argv = ['pyvirsh', 'help', 'dominfo']\n"
            "from pyvirt.shell.main import main\n"
            "status = main()\n"
            "heavy = {'twisted.internet', 'lxml', 'pyvirt.client'} & set(sys.modules)\n"
            "sys.exit(status or repr(heavy) if heavy or status else 0)"
        )
        path = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        done = subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True,
            env={**os.environ, "PYTHONPATH": path},
            timeout=180,
        )
        self.assertEqual((done.returncode, done.stderr), (0, b""))


class RecordedConnection:
    """A connection that can be lost at will, and knows its URI."""

    def __init__(self) -> None:
        self._told: Callable[[int], None] = lambda reason: None

    async def registerCloseCallback(self, callback: Callable[..., None], opaque: object) -> None:
        self._told = lambda reason: callback(self, reason, opaque)

    async def getURI(self) -> str:
        return "test:///x"

    async def getHostname(self) -> str:
        raise ValueError("a fault")

    async def close(self) -> None:
        self._told = lambda reason: None

    def lose(self, reason: int) -> None:
        """Have the peer go away."""
        self._told(reason)


class SessionTests(SynchronousTestCase):
    """Running commands, without a connection."""

    def setUp(self) -> None:
        self.out, self.error = io.BytesIO(), io.BytesIO()
        self.asked: list[tuple[str | None, bool]] = []
        self.session = Session(Settings("pyvirsh"), Output(self.out, self.error), self.refuse)

    async def refuse(self, uri: str | None, readOnly: bool) -> None:
        """Stand for a daemon that is not there."""
        self.asked.append((uri, readOnly))
        raise VirtError("nobody is there")

    def run_(self, line: str) -> bool:
        """Run a line; tell whether its last command succeeded."""
        done = Deferred.fromCoroutine(self.session.execute(self.session.read(line)))
        return self.successResultOf(done)

    def test_output(self) -> None:
        """
        An empty line follows each command, unless the shell is to be quiet.
        """
        self.assertTrue(self.run_("echo a b; echo --xml '<'"))
        self.assertEqual(self.out.getvalue(), b"a b\n&lt;\n")
        self.session.settings.quiet = True
        self.run_("echo c")
        self.assertEqual(self.out.getvalue(), b"a b\n&lt;\nc")

    def test_failureGoesOn(self) -> None:
        """
        After a failure the next command runs, and the last one decides.
        """
        self.assertTrue(self.run_("cd /; echo a"))
        self.assertFalse(self.run_("echo a; cd /"))
        self.assertEqual(
            self.error.getvalue(), b"error: cd: command valid only in interactive mode\n" * 2
        )

    def test_noConnection(self) -> None:
        """
        A command that needs a connection fails with the reason when there is none.
        """
        self.session.uri = "test:///nowhere"
        self.session.readOnly = True
        self.assertFalse(self.run_("uri"))
        self.assertEqual(self.asked, [("test:///nowhere", True)])
        self.assertEqual(
            self.error.getvalue(),
            b"error: failed to connect to the hypervisor\nerror: nobody is there\n",
        )

    def test_lostConnection(self) -> None:
        """
        A connection that is lost is told of, and made again for the next command, which tells how that went.
        """
        opened: list[RecordedConnection] = []

        async def opener(uri: str | None, readOnly: bool) -> RecordedConnection:
            if len(opened) == 1 and not retry:
                raise VirtError("nobody is there")
            opened.append(RecordedConnection())
            return opened[-1]

        for retry, message in (
            (False, b"error: Failed to reconnect to the hypervisor\nerror: nobody is there\n"),
            (True, b"error: Reconnected to the hypervisor\n"),
        ):
            opened.clear()
            error = io.BytesIO()
            settings = Settings("pyvirsh", uri="test:///x", keepaliveInterval=0)
            self.session = Session(settings, Output(self.out, error), opener)  # type: ignore[arg-type]
            self.run_("uri")
            opened[0].lose(1)
            self.assertEqual(self.run_("uri"), retry)
            lost = b"error: Disconnected from test:///x due to end of file\n"
            self.assertEqual(error.getvalue(), lost + message)

    def test_fault(self) -> None:
        """
        A fault of ours is told of, and ends its command alone.
        """

        async def opener(uri: str | None, readOnly: bool) -> RecordedConnection:
            return RecordedConnection()

        settings = Settings("pyvirsh", keepaliveInterval=0)
        self.session = Session(settings, Output(self.out, self.error), opener)  # type: ignore[arg-type]
        self.assertTrue(self.run_("hostname; uri"))
        self.assertEqual(self.error.getvalue(), b"error: internal error: a fault\n")

    def test_quit(self) -> None:
        """
        C{quit} ends a line in its middle.
        """
        done = Deferred.fromCoroutine(self.session.execute(self.session.read("pwd; quit; uri")))
        self.failureResultOf(done, Quit)
        self.assertEqual(self.asked, [])

    def test_causes(self) -> None:
        """
        What a command reports comes before what the library said; nothing at all is an answer too.
        """
        for failure, expected in (
            (CommandError("one", "two"), b"error: one\nerror: two\n"),
            (CommandError(), b""),
            (VirtError("library"), b"error: library\n"),
        ):
            self.error.truncate(0)
            self.error.seek(0)
            self.session.reportFailure(failure) if isinstance(
                failure, CommandError
            ) else self.session.report(str(failure))
            self.assertEqual(self.error.getvalue(), expected)

    def test_debug(self) -> None:
        """
        Each option that is read is told of when debugging.
        """
        self.session = Session(
            Settings("pyvirsh"), Output(self.out, self.error, debug=0), self.refuse
        )
        self.session.readWords(["event", "--list", "--event", "x"])
        self.assertEqual(
            self.out.getvalue(), b"event: list(bool): (none)\nevent: event(optdata): x\n"
        )


class ValueTests(SynchronousTestCase):
    """Reading the values of options."""

    def command(self, kind: object, value: str) -> Command:
        """Make a command with one option."""
        option = kind("it", "")  # type: ignore[operator]
        session = Session(Settings("x"), Output(io.BytesIO(), io.BytesIO()), None)  # type: ignore[arg-type]
        return Command(session, Invocation("x", ((option, value),)).values)

    def test_numbers(self) -> None:
        """
        Numbers are decimal or hexadecimal, in their bounds, and nothing else.
        """
        for value, expected in (
            ("1", 1),
            (" +2", 2),
            ("-3", -3),
            ("0x10", 16),
            ("2147483647", 2**31 - 1),
        ):
            self.assertEqual(self.command(number, value).integer("it"), expected)
        for value in ("", "x", "1x", "1 ", "2147483648", "1.5"):
            error = self.assertRaises(CommandError, self.command(number, value).integer, "it")
            self.assertEqual(
                error.messages,
                (f"Numeric value '{value}' for <it> option is malformed or out of range",),
            )

    def test_sizes(self) -> None:
        """
        Sizes have units of 1000 or 1024; without one they count what the command says.
        """
        for value, expected in (
            ("2", 2048),
            ("2b", 2),
            ("2k", 2048),
            ("2KiB", 2048),
            ("2KB", 2000),
            ("1 G", 1 << 30),
            ("0", 0),
        ):
            self.assertEqual(self.command(data, value).scaled("it", 1024, 1 << 63), expected)
        for value, more in (
            ("x", ()),
            ("-1", ()),
            ("1ZB", ("invalid argument: unknown suffix 'ZB'",)),
            ("9999999E", ("numerical overflow: value too large: 9999999E",)),
        ):
            error = self.assertRaises(
                CommandError, self.command(data, value).scaled, "it", 1024, 1 << 63
            )
            self.assertEqual(error.messages[1:], more)


class TextTests(SynchronousTestCase):
    """Texts made of values."""

    def test_events(self) -> None:
        """
        Each kind of event has its text; numbers that nobody knows are told as unknown.
        """
        address = {"family": 0, "node": "::1", "service": "5900"}
        for at, details, expected in (
            (0, (0, 0), "event 'lifecycle' for domain 'd': Defined Added\n"),
            (0, (5, 6), "event 'lifecycle' for domain 'd': Stopped Snapshot\n"),
            (0, (99, 0), "event 'lifecycle' for domain 'd': unknown unknown\n"),
            (1, (), "event 'reboot' for domain 'd'\n"),
            (2, (-5,), "event 'rtc-change' for domain 'd': -5\n"),
            (3, (6,), "event 'watchdog' for domain 'd': inject-nmi\n"),
            (4, ("s", "v", 1), "event 'io-error' for domain 'd': s (v) pause\n"),
            (
                5,
                (0, address, address, "vnc", [("a", "b")]),
                "event 'graphics' for domain 'd': connect local[IPv4 ::1 5900]"
                " remote[IPv4 ::1 5900] vnc\n\ta=b\n",
            ),
            (8, ("vda", 1, 0), "event 'block-job' for domain 'd': Block Pull for vda completed\n"),
            (
                9,
                (None, "n", "a", 1),
                "event 'disk-change' for domain 'd' disk a: <null> -> n: dropped\n",
            ),
            (11, (0,), "event 'pm-wakeup' for domain 'd'\n"),
            (17, ({"f": 1},), "event 'tunable' for domain 'd':\n\tf: 1\n"),
            (
                23,
                (2, None),
                "event 'metadata-change' for domain 'd': type element, uri <null>\n",
            ),
            (
                25,
                (0, 1, 2),
                "event 'memory-failure' for domain 'd':\nrecipient: hypervisor\n"
                "action: inject\nflags:\n\taction required: 0\n\trecursive: 1\n",
            ),
        ):
            self.assertEqual(DOMAIN_EVENTS[at].text("d", *details), expected)

    def test_small(self) -> None:
        """
        Quoting, lists, ranges and sizes.
        """
        self.assertEqual(quoteForShell("a'b"), "'a'\\''b'")
        self.assertEqual(quoteForShell("a=b"), "a=b")
        self.assertEqual(splitList("a,b,,c"), ["a", "b,c"])
        self.assertEqual(splitList(""), [])
        self.assertEqual(ranges([True, True, False, True]), "0-1,3")
        self.assertEqual(prettySize(0), "0.00 B")
        self.assertEqual(prettySize(100 << 30), "100.00 GiB")
