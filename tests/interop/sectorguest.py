"""
A guest in one sector: what a BIOS boots in a moment, and what does as keys that are pressed say.

It prints C{up} on its first serial port when it has started, and from then on it

  - C{p}: powers off, which it also does when its power button is pressed;
  - C{r}: resets itself;
  - C{c}: panics, as a pvpanic device on ISA is told; C{l}: says that its crash is being looked at in the guest;
  - C{w}: starts a watchdog of the kind ib700 that has no patience;
  - C{s}: sleeps in memory; C{d}: sleeps on disk.

Keys are pressed by C{virsh send-key g KEY_P}.
"""

from __future__ import annotations

__all__ = ["sector"]

_PM = 0x600  # where SeaBIOS puts power management of the machine "pc"


def _out(port: int, value: int, wide: bool = False) -> bytes:
    """Write a value to a port."""
    low = port.to_bytes(2, "little")
    if wide:
        return b"\xba" + low + b"\xb8" + value.to_bytes(2, "little") + b"\xef"
    return b"\xba" + low + b"\xb0" + bytes([value]) + b"\xee"


def _jump(opcode: int, here: int, there: int) -> bytes:
    return bytes([opcode, (there - here - 2) & 0xFF])


def sector() -> bytes:
    """Return the image of a disk from which it boots."""
    code = b"".join(_out(0x3F8, each) for each in b"up\n")
    code += _out(_PM + 2, 0x100, wide=True)  # the power button is to be told
    loop = len(code)
    code += b"\xfb\xf4"  # sti; hlt: until a clock ticks
    code += b"\xba" + _PM.to_bytes(2, "little") + b"\xed"  # in ax, dx
    code += b"\xf6\xc4\x01\x74\x07" + _out(_PM + 4, 0x2000, wide=True)  # was it pressed?
    code += b"\xb4\x01\xcd\x16"  # is there a key?
    code += _jump(0x74, len(code), loop)
    code += b"\x30\xe4\xcd\x16"  # which one?
    for key, action in (
        (b"p", _out(_PM + 4, 0x2000, wide=True)),
        (b"r", _out(0xCF9, 6)),
        (b"c", _out(0x505, 1)),
        (b"l", _out(0x505, 2)),
        (b"w", _out(0x443, 15)),
        (b"s", _out(_PM + 4, 0x2400, wide=True)),
        (b"d", _out(_PM + 4, 0x2800, wide=True)),
    ):
        code += b"\x3c" + key + bytes([0x75, len(action)]) + action  # cmp al; jne
    code += _jump(0xEB, len(code), loop)
    return code.ljust(510, b"\0") + b"\x55\xaa"
