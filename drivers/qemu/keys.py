"""
Which keys the numbers mean that users send: from each set of codes to QEMU's own.

QEMU numbers keys as the first set of PC keyboards does, with those that have a prefix 0x80 higher.
"""

from __future__ import annotations

from pyvirt.drivers.qemu.refusals import internal, invalidArgument
from pyvirt.errors import ErrorDomain

__all__ = ["qnumCodes"]

_SETS = ["linux", "xt", "atset1", "atset2", "atset3", "os_x", "xt_kbd", "usb", "win32", "qnum"]


def _table(text: str) -> dict[int, int]:
    """Read pairs C{FROM:TO}, or C{FROM-LAST:TO} for runs; all numbers are hexadecimal."""
    found: dict[int, int] = {}
    for piece in text.split():
        keys, _, first = piece.partition(":")
        begin, _, end = keys.partition("-")
        start = int(begin, 16)
        for number in range(start, int(end or begin, 16) + 1):
            found[number] = int(first, 16) + number - start
    return found


_LINUX = _table(
    "1-53:1 55:76 56-58:56 59:73 5a:78 5b:77 5c:79 5d:70 5e:7b 5f:5c 60:9c 61:9d 62:b5 63:54 64:b8 65:5b 66:c7 "
    "67:c8 68:c9 69:cb 6a:cd 6b:cf 6c:d0 6d:d1 6e:d2 6f:d3 70:ef 71:a0 72:ae 73:b0 74:de 75:59 76:ce 77:c6 78:8b "
    "79:7e 7c:7d 7d:db 7e:dc 7f:dd 80:e8 81:85 82:86 83:87 84:8c 85:f8 86:64 87:65 88:c1 89:bc 8a:f5 8b:9e 8c:a1 "
    "8e:df 8f:e3 92:66 93:67 95:93 96:82 9b:ec 9c:e6 9d:eb 9e:ea 9f:e9 a3:99 a4:a2 a5:90 a6:a4 a8:98 ac:b2 ad:e7"
)

_HID_TO_LINUX = _table(
    "4:1e 5:30 6:2e 7:20 8:12 9-b:21 c:17 d-f:24 10:32 11:31 12-13:18 14:10 15:13 16:1f 17:14 18:16 19:2f 1a:11 "
    "1b:2d 1c:15 1d:2c 1e-27:2 28:1c 29:1 2a-2b:e 2c:39 2d-2e:c 2f-30:1a 31:2b 32:2b 33-35:27 36-38:33 39:3a "
    "3a-43:3b 44-45:57 46:63 47:46 48:77 49:6e 4a:66 4b:68 4c:6f 4d:6b 4e:6d 4f:6a 50:69 51:6c 52:67 53:45 54:62 "
    "55:37 56:4a 57:4e 58:60 59-5b:4f 5c-5e:4b 5f-61:47 62:52 63:53 64:56 65:7f 66:74 67:75 e0:1d e1:2a e2:38 "
    "e3:7d e4:61 e5:36 e6:64 e7:7e"
)

_AT2_TO_XT = _table(
    "1:43 3:3f 4:3d 5:3b 6:3c 7:58 9:44 a:42 b:40 c:3e d:f e:29 11:38 12:2a 14:1d 15:10 16:2 1a:2c 1b:1f 1c:1e "
    "1d:11 1e:3 21:2e 22:2d 23:20 24:12 25:5 26:4 29:39 2a:2f 2b:21 2c:14 2d:13 2e:6 31:31 32:30 33:23 34:22 35:15 "
    "36:7 3a:32 3b:24 3c:16 3d:8 3e:9 41:33 42:25 43:17 44:18 45:b 46:a 49:34 4a:35 4b:26 4c:27 4d:19 4e:c 52:28 "
    "54:1a 55:d 58:3a 59:36 5a:1c 5b:1b 5d:2b 61:56 66:e 69:4f 6b:4b 6c:47 70:52 71:53 72:50 73:4c 74:4d 75:48 76:1 "
    "77:45 78:57 79:4e 7a:51 7b:4a 7c:37 7d:49 7e:46 83:41 e011:b8 e014:9d e01f:db e027:dc e02f:dd e04a:b5 e05a:9c "
    "e069:cf e06b:cb e06c:c7 e070:d2 e071:d3 e072:d0 e074:cd e075:c8 e07a:d1 e07d:c9"
)

_WIN32_TO_LINUX = _table(
    "8:e 9:f d:1c 10:2a 11:1d 12:38 13:77 14:3a 1b:1 20:39 21:68 22:6d 23:6b 24:66 25:69 26:67 27:6a 28:6c 2c:63 2d:6e "
    "2e:6f 30:b 31-39:2 41:1e 42:30 43:2e 44:20 45:12 46-48:21 49:17 4a-4c:24 4d:32 4e:31 4f-50:18 51:10 52:13 53:1f "
    "54:14 55:16 56:2f 57:11 58:2d 59:15 5a:2c 5b:7d 5c:7e 5d:7f 60:52 61-63:4f 64-66:4b 67-69:47 6a:37 6b:4e 6d:4a "
    "6e:53 6f:62 70-79:3b 7a-7b:57 90:45 91:46 a0:2a a1:36 a3:61 a5:64 ba:27 bb:d bc:33 bd:c be:34 bf:35 c0:29 db:1a "
    "dc:2b dd:1b de:28 e2:56"
)

_MAC_TO_LINUX = _table(
    "0:1e 1:1f 2:20 3:21 4:23 5:22 6-7:2c 8:2e 9:2f b:30 c:10 d:11 e:12 f:13 10:15 11:14 12:2 13:3 14:4 15:5 16:7 17:6 "
    "18:d 19:a 1a:8 1b:c 1c:9 1d:b 1e:1b 1f:18 20:16 21:1a 22:17 23:19 24:1c 25:26 26:24 27:28 28:25 29:27 2a:2b 2b:33 "
    "2c:35 2d:31 2e:32 2f:34 30:f 31:39 32:29 33:e 35:1 37:7d 38:2a 39:3a 3a:38 3b:1d 3c:36 3d:64 3e:61 7b:69 7c:6a "
    "7d:6c 7e:67 7a:3b 78:3c 63:3d 76:3e 60:3f 61-62:40 64-65:42 6d:44 67:57 6f:58 73:66 74:68 75:6f 77:6b 79:6d"
)


def qnumCodes(codeset: int, keycodes: list[int]) -> list[int]:
    """
    Translate keys.

    @param codeset: C{VIR_KEYCODE_SET_*}.
    @raise VirtError: there is no such set, or no such key in it.
    """
    if not 0 <= codeset < len(_SETS):
        raise invalidArgument(f"Unsupported codeset '{codeset}'", ErrorDomain.DOMAIN)
    return [_translate(codeset, each) for each in keycodes]


def _translate(codeset: int, code: int) -> int:
    name = _SETS[codeset]
    found: int | None = None
    if name == "qnum":
        found = code if 0 < code <= 0xFF else None
    elif name == "linux":
        found = _LINUX.get(code)
    elif name in ("xt", "atset1"):
        if 0 < code < 0x80:
            found = code
        elif code >> 8 == 0xE0 and 0 < code & 0xFF < 0x80:
            found = code & 0x7F | 0x80
    elif name == "xt_kbd":
        if 0 < code < 0x80:
            found = code
        elif code >> 8 == 1 and 0 < code & 0xFF < 0x80:
            found = code & 0x7F | 0x80
    elif name == "atset2":
        found = _AT2_TO_XT.get(code)
    else:
        through = {"usb": _HID_TO_LINUX, "win32": _WIN32_TO_LINUX, "os_x": _MAC_TO_LINUX}.get(
            name, {}
        )
        found = _LINUX.get(through.get(code, 0))
    if found is None:
        raise internal(f"cannot translate keycode {code} of {name} codeset to qnum keycode")
    return found
