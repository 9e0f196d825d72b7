"""
Programs and maps of the kernel's virtual machine (BPF), as far as rules for devices need them: L{Map}, L{Program}.

Each is a descriptor that is open until it is closed; the kernel keeps the object for as long as a descriptor, a program
or a group of processes refers to it.

Source: bpf(2); the kernel's C{linux/bpf.h}.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
from collections.abc import Iterator, Sequence
from typing import Any, Self

__all__ = ["Map", "Program", "canFilter", "instruction", "programs"]

#: The number of bpf(2), by machine; machines that came later all have the same.
_CALLS = {"x86_64": 321, "ppc64le": 361, "ppc64": 361, "s390x": 351, "armv7l": 386, "i686": 357}
_LATER = 280

_MAP_CREATE, _MAP_LOOKUP, _MAP_UPDATE, _MAP_DELETE, _MAP_NEXT, _PROGRAM_LOAD = range(6)
_ATTACH, _PROGRAM_BY_ID, _MAP_BY_ID, _INFO, _QUERY = 8, 13, 14, 15, 16
#: A map of any keys; a program that decides about devices, and what groups call it.
_HASH, _DEVICES, _DEVICES_OF_GROUP = 1, 15, 6
#: How many programs of a group, or maps of a program, are looked at.
_MOST = 64
#: What the kernel tells of a program or a map: where it lies there.
_INFO_SIZE = 128
_PROGRAM_MAPS, _MAP_SIZES = struct.Struct("=52xIQ"), struct.Struct("=8xIII")


def _bpf(command: int, layout: str, *values: int) -> tuple[int, bytes]:
    """
    Make the system call.

    @param layout: of its argument, as for L{struct.pack}.
    @return: what it returns, and what it has made of its argument.
    @raise OSError: the kernel does not want that, or has no such call.
    """
    argument = struct.pack(f"={layout}", *values)
    buffer = ctypes.create_string_buffer(argument, len(argument))
    libc: Any = ctypes.CDLL(None, use_errno=True)
    result = libc.syscall(
        ctypes.c_long(_CALLS.get(platform.machine(), _LATER)),
        ctypes.c_int(command),
        buffer,
        ctypes.c_uint(len(argument)),
    )
    if result < 0:
        problem = ctypes.get_errno()
        raise OSError(problem, os.strerror(problem))
    return result, buffer.raw


def instruction(code: int, to: int = 0, of: int = 0, offset: int = 0, value: int = 0) -> bytes:
    """
    Make one instruction of a program.

    @param to: the register that is written, or compared; C{of}: the one that is read.
    @param offset: in memory, or how many instructions to skip.
    """
    return struct.pack("=BBhi", code, to | of << 4, offset, value)


class _Object:
    """
    Something that the kernel has for us.

    @ivar fd: its descriptor.
    """

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *problem: object) -> None:
        os.close(self.fd)

    def _info(self) -> bytearray:
        """Return what the kernel tells of it."""
        return self._told(bytearray(_INFO_SIZE))

    def _told(self, info: bytearray) -> bytearray:
        place = ctypes.addressof((ctypes.c_char * len(info)).from_buffer(info))
        _bpf(_INFO, "IIQ", self.fd, len(info), place)
        return info


class Map(_Object):
    """
    Values by keys, which programs read while they are changed.
    """

    @classmethod
    def make(cls, keySize: int, valueSize: int, most: int) -> Self:
        """
        Make a map.

        @param most: how many keys it can have.
        @raise OSError: the kernel does not want that.
        """
        return cls(_bpf(_MAP_CREATE, "IIIII", _HASH, keySize, valueSize, most, 0)[0])

    def sizes(self) -> tuple[int, int, int]:
        """Return the size of a key and of a value in bytes, and how many keys there can be."""
        key, value, most = _MAP_SIZES.unpack_from(self._info())
        return key, value, most

    def get(self, key: bytes) -> bytes | None:
        """Return the value of a key, None if it is not there."""
        value = ctypes.create_string_buffer(self.sizes()[1])
        try:
            self._element(_MAP_LOOKUP, key, value)
        except FileNotFoundError:
            return None
        return value.raw

    def set(self, key: bytes, value: bytes) -> None:
        """
        Set the value of a key, at once for all that read it.

        @raise OSError: the map is full (E2BIG).
        """
        self._element(_MAP_UPDATE, key, ctypes.create_string_buffer(value, len(value)))

    def remove(self, key: bytes) -> None:
        """Remove a key, if it is there."""
        try:
            self._element(_MAP_DELETE, key)
        except FileNotFoundError:
            pass

    def items(self) -> dict[bytes, bytes]:
        """Return all keys with their values; nobody may remove one meanwhile."""
        size, _, most = self.sizes()
        found: dict[bytes, bytes] = {}
        last: bytes | None = None
        for _ in range(most):
            key = ctypes.create_string_buffer(size)
            try:
                self._element(_MAP_NEXT, last, key)
            except FileNotFoundError:
                break
            last = key.raw
            value = self.get(last)
            if value is not None:
                found[last] = value
        return found

    def _element(
        self, command: int, key: bytes | None, other: ctypes.Array[ctypes.c_char] | None = None
    ) -> None:
        held = None if key is None else ctypes.create_string_buffer(key, len(key))
        places = [0 if each is None else ctypes.addressof(each) for each in (held, other)]
        _bpf(command, "IxxxxQQQ", self.fd, *places, 0)


class Program(_Object):
    """
    A program that says which devices the processes of a group may open.
    """

    @classmethod
    def load(cls, instructions: Sequence[bytes]) -> Self:
        """
        Have the kernel check a program and take it.

        @raise OSError: it does not.
        """
        text = b"".join(instructions)
        code = ctypes.create_string_buffer(text, len(text))
        license = ctypes.create_string_buffer(b"GPL")
        places = (ctypes.addressof(code), ctypes.addressof(license))
        return cls(
            _bpf(_PROGRAM_LOAD, "IIQQIIQII", _DEVICES, len(instructions), *places, *(0,) * 5)[0]
        )

    def attach(self, group: int) -> None:
        """
        Have a group obey the program, and no more the one that it has obeyed: no process sees neither or both.

        @param group: a descriptor of the group's folder.
        @raise OSError: the kernel does not want that.
        """
        _bpf(_ATTACH, "IIII", group, self.fd, _DEVICES_OF_GROUP, 0)

    def maps(self) -> Iterator[Map]:
        """Open the maps that the program reads, one after the other."""
        ids = (ctypes.c_uint32 * _MOST)()
        info = bytearray(_INFO_SIZE)
        _PROGRAM_MAPS.pack_into(info, 0, _MOST, ctypes.addressof(ids))
        count, _ = _PROGRAM_MAPS.unpack_from(self._told(info))
        for each in ids[: min(count, _MOST)]:
            yield Map(_byId(_MAP_BY_ID, each))


def _byId(command: int, number: int) -> int:
    return _bpf(command, "III", number, 0, 0)[0]


def programs(group: int) -> Iterator[Program]:
    """
    Open the programs that a group itself obeys, one after the other.

    @param group: a descriptor of the group's folder.
    @raise OSError: the kernel has no such programs, or nobody lets us look.
    """
    ids = (ctypes.c_uint32 * _MOST)()
    _, told = _bpf(_QUERY, "IIIIQI", group, _DEVICES_OF_GROUP, 0, 0, ctypes.addressof(ids), _MOST)
    (count,) = struct.unpack_from("=I", told, 24)
    for each in ids[: min(count, _MOST)]:
        yield Program(_byId(_PROGRAM_BY_ID, each))


def canFilter(place: str) -> bool:
    """
    Whether groups below a folder can have programs, as far as we are let to look.
    """
    try:
        group = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        _bpf(_QUERY, "IIIIQI", group, _DEVICES_OF_GROUP, 0, 0, 0, 0)
    except OSError:
        return False
    finally:
        os.close(group)
    return True
