"""
Which numbers are keys, in each of the sets of codes that keys can be named by.
"""

from __future__ import annotations

from functools import cache

from pyvirt.drivers.test.refusals import internal

__all__ = ["checkKeys"]

_XT = "0-5f 63-6d 6f-79 7b 7d-7e"
_XT_ESCAPED = "e001-e00c e00e-e010 e012-e029 e02b-e036 e038-e05f e063-e06d e06f-e079 e07b e07d"

#: Names of the sets in the order of their numbers, and their codes as ranges of hexadecimal numbers.
_SETS = (
    (
        "linux",
        "0-109 110-117 120-12b 12f-13e 140-147 14a-151 160-1b7 1c0-1c3 1d0-1e4 1f1-1fa 200-20c",
    ),
    ("xt", f"{_XT} {_XT_ESCAPED}"),
    ("atset1", f"{_XT} {_XT_ESCAPED}"),
    (
        "atset2",
        "0-1 3-7 9-f 11-16 1a-1e 21-27 29-2f 31-37 3a-3f 41-46 49-4e 51-52 54-55 58-5b 5d 5f 61-64 "
        "66-67 69-6d 70-7f 83 e010-e012 e014-e015 e018 e01f-e021 e023 e027-e028 e02b e02f-e030 e032 "
        "e034 e037-e038 e03a-e03b e03f-e040 e048 e04a e04d e050 e05a e05e e069 e06b-e06c e06f-e072 "
        "e074-e075 e077 e079-e07a e07d",
    ),
    (
        "atset3",
        "0 7-3f 41-47 49-4f 52 54-67 69-76 79-7a 7c-83 85-87 8b-8e 91 93-98 9a-a3",
    ),
    ("os_x", "0-33 35-41 43 45 47-4c 4e-6b 6d-6f 71-7e ff"),
    (
        "xt_kbd",
        f"{_XT} 101-10c 10e-110 112-129 12b-136 138-15f 163-16d 16f-179 17b 17d",
    ),
    ("usb", "0 4-30 32-77 79-7d 85 87-8c 90-94 b6-b7 e0-fb"),
    (
        "win32",
        "0-2 4-6 8-9 d 11-16 1a-1d 20-2a 2c-39 41-5d 5f-87 90-91 a0-a1 a3 a5-b4 ba-c0 db-de e2 f2 "
        "fa-fb",
    ),
    (
        "qnum",
        f"{_XT} 81-8c 8e-90 92-a9 ab-b6 b8-df e3-ed ef-f9 fb fd",
    ),
)


@cache
def _codes(codeset: int) -> frozenset[int]:
    found: set[int] = set()
    for piece in _SETS[codeset][1].split():
        first, _, last = piece.partition("-")
        found.update(range(int(first, 16), int(last or first, 16) + 1))
    return frozenset(found)


def checkKeys(codeset: int, keycodes: list[int]) -> None:
    """
    Refuse numbers that are no keys.

    @param codeset: C{VIR_KEYCODE_SET_*}.
    """
    known = _codes(codeset)
    for code in keycodes:
        if code not in known:
            raise internal(f"invalid keycode {code} of {_SETS[codeset][0]} codeset")
