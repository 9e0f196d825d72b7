"""
Which keys the numbers mean that users send: from each set of codes to QEMU's own.

QEMU numbers keys as the first set of PC keyboards does, with those that have a prefix 0x80 higher.  A key that a set
has and PC keyboards have not is 0, which means nothing to guests.
"""

from __future__ import annotations

from pyvirt.drivers.qemu.refusals import internal, invalidArgument
from pyvirt.errors import ErrorDomain

__all__ = ["qnumCodes"]

_SETS = ["linux", "xt", "atset1", "atset2", "atset3", "os_x", "xt_kbd", "usb", "win32", "qnum"]


def _table(text: str) -> dict[int, int]:
    """Read pairs C{FROM:TO}, or C{FROM-LAST:TO} for runs, which go up unless they are 0; all numbers are hexadecimal."""
    found: dict[int, int] = {}
    for piece in text.split():
        keys, _, first = piece.partition(":")
        begin, _, end = keys.partition("-")
        start, to = int(begin, 16), int(first, 16)
        for number in range(start, int(end or begin, 16) + 1):
            found[number] = to and to + number - start
    return found


_LINUX = _table(
    "0:0 1-54:1 55:76 56-58:56 59:73 5a:78 5b:77 5c:79 5d:70 5e:7b 5f:5c 60-61:9c 62:b5 63:54 64:b8 65:5b 66-68:c7 "
    "69:cb 6a:cd 6b-6f:cf 70:ef 71:a0 72:ae 73:b0 74:de 75:59 76:ce 77:c6 78:8b 79:7e 7a:72 7b:71 7c:7d 7d-7f:db "
    "80:e8 81-83:85 84:8c 85:f8 86-87:64 88:c1 89:bc 8a:f5 8b:9e 8c:a1 8d:66 8e:df 8f:e3 90-92:67 93:93 94:9f 95:97 "
    "96:82 97:6a 98:92 99:6b 9a:a6 9b:ec 9c:e6 9d:eb 9e:ea 9f:e9 a0:a3 a1:6c a2:fd a3:99 a4:a2 a5:90 a6:a4 a7:b1 "
    "a8:98 a9:63 aa:0 ab:81 ac:b2 ad:e7 ae-af:0 b0:88 b1:75 b2:8f b3:f6 b4:fb b5-b6:89 b7-b9:5d ba:55 bb:83 bc:f7 "
    "bd:84 be:5a bf:74 c0:f9 c1:6d c2:6f c3-c4:95 c5-c6:9a c7-c9:a7 ca-cc:ab cd:a5 ce:af cf-d0:b3 d1:b6 d2-d4:b9 "
    "d5-d8:bd d9:e5 da-dd:c2 de:94 df:ca e0:cc e1:d4 e2:ed e3-e7:d6 e8:e4 e9:8e ea:d5 eb-ef:f0 f0-109:0 110-117:0 "
    "120-12b:0 12f-13e:0 140-147:0 14a-151:0 160-1b7:0 1c0-1c3:0 1d0-1e4:0 1f1-1fa:0 200-20c:0"
)

_XT = _table(
    "0:0 1-5f:1 63-6d:63 6f-79:6f 7b:7b 7d-7e:7d e001-e00c:81 e00e-e010:8e e012-e029:92 e02b-e036:ab e038-e05f:b8 "
    "e063-e06d:e3 e06f-e079:ef e07b:fb e07d:fd"
)

_AT2 = _table(
    "0:0 1:43 3:3f 4:3d 5-6:3b 7:58 9:44 a:42 b:40 c:3e d:f e:29 f:59 11:38 12:2a 13:70 14:1d 15:10 16:2 1a:2c 1b:1f "
    "1c:1e 1d:11 1e:3 21:2e 22:2d 23:20 24:12 25:5 26:4 27:5c 29:39 2a:2f 2b:21 2c:14 2d:13 2e:6 2f:5d 31:31 32:30 "
    "33:23 34:22 35:15 36:7 37:5e 3a:32 3b:24 3c:16 3d-3e:8 3f:5f 41:33 42:25 43-44:17 45:b 46:a 49-4a:34 4b-4c:26 "
    "4d:19 4e:c 51:73 52:28 54:1a 55:d 58:3a 59:36 5a:1c 5b:1b 5d:2b 5f:76 61:56 62-64:77 66:e 67:7b 69:4f 6a:7d "
    "6b:4b 6c:47 6d:7e 70-71:52 72:50 73-74:4c 75:48 76:1 77:45 78:57 79:4e 7a:51 7b:4a 7c:37 7d:49 7e:46 7f:54 83:41 "
    "e010:e5 e011:b8 e012:0 e014:9d e015:90 e018:e6 e01f:db e020:e7 e021:ae e023:a0 e027:dc e028:e8 e02b:a1 e02f:dd "
    "e030:e9 e032:b0 e034:a2 e037:de e038:ea e03a:b2 e03b:a4 e03f:df e040:eb e048:ec e04a:b5 e04d:99 e050:ed e05a:9c "
    "e05e:e3 e069:cf e06b:cb e06c:c7 e06f:ef e070-e071:d2 e072:d0 e074:cd e075:c8 e077:c6 e079:ce e07a:d1 e07d:c9"
)

_AT3 = _table(
    "0:0 7:3b 8:1 9:f5 a:e8 b-c:85 d:f e:29 f:3c 10:87 11:1d 12:2a 13:56 14:3a 15:10 16:2 17:3d 18:f8 19:38 1a:2c "
    "1b:1f 1c:1e 1d:11 1e:3 1f:3e 20:64 21:2e 22:2d 23:20 24:12 25:5 26:4 27:3f 28:65 29:39 2a:2f 2b:21 2c:14 2d:13 "
    "2e:6 2f:40 30:c1 31:31 32:30 33:23 34:22 35:15 36:7 37:41 38:bc 39:b8 3a:32 3b:24 3c:16 3d-3e:8 3f:42 41:33 "
    "42:25 43-44:17 45:b 46:a 47:43 49-4a:34 4b-4c:26 4d:19 4e:c 4f:44 52:28 54:1a 55:d 56:57 57:54 58:9d 59:36 5a:1c "
    "5b:1b 5c:2b 5d:7d 5e:58 5f:46 60:d0 61:cb 62:c6 63:c8 64:d3 65:cf 66:e 67:d2 69:4f 6a:cd 6b:4b 6c:47 6d:d1 6e:c7 "
    "6f:c9 70-71:52 72:50 73-74:4c 75:48 76:45 79:9c 7a:51 7c:4e 7d:49 7e:37 7f-81:5d 82:55 83:83 85:7b 86:79 87:77 "
    "8b-8d:db 8e:ef 91:9e 93:99 94:90 95:b0 96:92 97:b2 98:a4 9a:a3 9b:a6 9c:a0 9d:ae 9e:b1 9f:98 a0:9f a1:97 a2:93 "
    "a3:a1"
)

_MAC = _table(
    "0-3:1e 4:23 5:22 6-9:2c a:0 b:30 c-f:10 10:15 11:14 12-15:2 16:7 17:6 18:d 19:a 1a:8 1b:c 1c:9 1d:b 1e:1b 1f:18 "
    "20:16 21:1a 22:17 23:19 24:1c 25:26 26:24 27:28 28:25 29:27 2a:2b 2b:33 2c:35 2d-2e:31 2f:34 30:f 31:39 32:29 "
    "33:e 35:1 36:dc 37:db 38:2a 39:3a 3a:38 3b:1d 3c:36 3d:b8 3e:9d 3f:0 40:83 41:53 43:37 45:4e 47:45 48:b0 49:ae "
    "4a:a0 4b:b5 4c:9c 4e:4a 4f:f7 50:84 51:59 52:52 53-55:4f 56-58:4b 59:47 5a:5a 5b-5c:48 5d:7d 5e:73 5f:5c "
    "60-62:3f 63:3d 64-65:42 66:71 67:57 68:72 69:5d 6a:55 6b:5e 6d:44 6e:dd 6f:58 71:5f 72:f5 73:c7 74:c9 75:d3 "
    "76:3e 77:cf 78:3c 79:d1 7a:3b 7b:cb 7c:cd 7d:d0 7e:c8 ff:0"
)

_USB = _table(
    "0:0 4:1e 5:30 6:2e 7:20 8:12 9-b:21 c:17 d-f:24 10:32 11:31 12-13:18 14:10 15:13 16:1f 17:14 18:16 19:2f 1a:11 "
    "1b:2d 1c:15 1d:2c 1e-27:2 28:1c 29:1 2a-2b:e 2c:39 2d-2e:c 2f-30:1a 32:2b 33-35:27 36-38:33 39-43:3a 44-45:57 "
    "46:54 47:46 48:c6 49:d2 4a:c7 4b:c9 4c:d3 4d:cf 4e:d1 4f:cd 50:cb 51:d0 52:c8 53:45 54:b5 55:37 56:4a 57:4e "
    "58:9c 59-5b:4f 5c-5e:4b 5f-61:47 62-63:52 64:56 65-66:dd 67:59 68-6a:5d 6b:55 6c:83 6d:f7 6e:84 6f:5a 70:74 "
    "71:f9 72:6d 73:6f 74:64 75:f5 76:9e 77:8c 79:85 7a:87 7b:bc 7c:f8 7d:65 85:7e 87:73 88:70 89:7d 8a:79 8b:7b "
    "8c:5c 90:72 91:71 92:78 93:77 94:76 b6:f6 b7:fb e0:1d e1:2a e2:38 e3:db e4:9d e5:36 e6:b8 e7:dc e8:a2 e9:a4 "
    "ea:90 eb:99 ec:6c ed:b0 ee:ae ef:a0 f0:82 f1:ea f2:e9 f3:e8 f4:c1 f5:75 f6:8f f7:88 f8:df f9:92 fa:e7 fb:a1"
)

_WIN32 = _table(
    "0-2:0 4-6:0 8-9:e d:1c 11:1d 12:38 13:c6 14:3a 15:78 16:72 1a:71 1b:1 1c:79 1d:7b 20:39 21:c9 22:d1 23:cf 24:c7 "
    "25:cb 26:c8 27:cd 28:d0 29:0 2a:b9 2c:54 2d-2e:d2 2f:f5 30:b 31-39:2 41:1e 42:30 43:2e 44:20 45:12 46-48:21 "
    "49:17 4a-4c:24 4d:32 4e:31 4f-50:18 51:10 52:13 53:1f 54:14 55:16 56:2f 57:11 58:2d 59:15 5a:2c 5b-5d:db 5f:df "
    "60:52 61-63:4f 64-66:4b 67-69:47 6a:37 6b:4e 6c:7e 6d:4a 6e:53 6f:b5 70-79:3b 7a-7b:57 7c-7e:5d 7f:55 80:83 "
    "81:f7 82:84 83:5a 84:74 85:f9 86:6d 87:6f 90-91:45 a0:2a a1:36 a3:9d a5:b8 a6:ea a7:e9 a8-a9:e7 aa:e5 ab:0 ac:b2 "
    "ad:a0 ae:ae af:b0 b0:99 b1:90 b2:a4 b3:a2 b4:bf ba:27 bb:d bc:33 bd:c be-bf:34 c0:29 db:1a dc:2b dd:1b de:28 "
    "e2:56 f2:70 fa:b3 fb:0"
)

#: By the name of a set; keys of the kernel's own numbering of XT keyboards have their prefix in another place.
_TABLES = {
    "linux": _LINUX,
    "xt": _XT,
    "atset1": _XT,
    "atset2": _AT2,
    "atset3": _AT3,
    "os_x": _MAC,
    "xt_kbd": {code if code < 0x100 else code & 0xFF | 0x100: to for code, to in _XT.items()},
    "usb": _USB,
    "win32": _WIN32,
}


def qnumCodes(codeset: int, keycodes: list[int]) -> list[int]:
    """
    Translate keys.

    @param codeset: C{VIR_KEYCODE_SET_*}.
    @raise VirtError: there is no such set, or no such key in it.
    """
    if not 0 <= codeset < len(_SETS):
        raise invalidArgument(f"Unsupported codeset '{codeset}'", ErrorDomain.DOMAIN)
    return [_translate(_SETS[codeset], each) for each in keycodes]


def _translate(name: str, code: int) -> int:
    # QEMU's own need no table.
    found = code if name == "qnum" else _TABLES[name].get(code)
    if found is None:
        raise internal(f"cannot translate keycode {code} of {name} codeset to qnum keycode")
    return found
