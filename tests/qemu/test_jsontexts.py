"""
Tests for L{pyvirt.drivers.qemu.jsontexts}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pyvirt.drivers.qemu.jsontexts import readJSON
from pyvirt.errors import VirtError

#: Texts, what is said of them, and how many blanks stand before the place.
_WRONG = [
    ("", "parse error: premature EOF", 39),
    ('{"a":', "parse error: premature EOF", 39),
    ('{"a":"b}', "parse error: premature EOF", 39),
    ("guest-ping", "lexical error: invalid char in json text.", 39),
    ('{"a":NaN}', "lexical error: invalid char in json text.", 34),
    ('{"a":tru}', "lexical error: invalid string in json text.", 32),
    ("[1,]", "parse error: unallowed token at this point in JSON text", 36),
    ("[1 2]", "parse error: after array element, I expect ',' or ']'", 36),
    ('{"a":1 2}', "parse error: after key and value, inside map, I expect ',' or '}'", 33),
    ('{"a" 1}', "parse error: object key and value must be separated by a colon (':')", 34),
    ('{"execute":"guest-ping"} x', "parse error: trailing garbage", 14),
]


class ReadTests(SynchronousTestCase):
    """What a client has written is read, or refused in the words that it knows."""

    def test_right(self) -> None:
        """JSON of every kind is read."""
        for text, value in (("[1, null]", [1, None]), ('{"a": "b"}', {"a": "b"}), (" 5 ", 5)):
            self.assertEqual(readJSON(text), value)

    def test_wrong(self) -> None:
        """What is wrong, and where."""
        for text, problem, blanks in _WRONG:
            error = self.assertRaises(VirtError, readJSON, text)
            lines = str(error.message).split("\n")
            self.assertEqual(lines[0], f"internal error: cannot parse json {text}: {problem}")
            self.assertEqual(lines[1:], [" " * blanks + text, f"{'(right here) ------^':>41}", ""])

    def test_hostile(self) -> None:
        """What is deep, long or cut off anywhere is refused, and what is long is not all repeated around the place."""
        for text in (
            "[" * 100_000,
            "{" + " " * 100_000,
            "x" * 1000,
            '"\\',
            '"\\u12',
            '{"a":-',
            "\x00",
        ):
            self.assertRaises(VirtError, readJSON, text)
        whole = '{"execute": "guest-ping", "arguments": {"a": [true, 1.5e3, "\\u0041"]}}'
        for length in range(len(whole)):
            self.assertRaises(VirtError, readJSON, whole[:length])
        error = self.assertRaises(VirtError, readJSON, "[" + "1," * 100 + "}" + ",1" * 100)
        self.assertEqual(len(str(error.message).split("\n")[1]), 70)
