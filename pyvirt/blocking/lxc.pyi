# ruff: noqa
# Written by tools/stubs.py from the functions of pyvirt.client.lxc.
from collections.abc import Callable, Sequence
from typing import IO, Any

from pyvirt.blocking import Connect, Domain

def lxcEnterCGroup(domain: Domain, flags: int) -> int: ...
def lxcOpenNamespace(domain: Domain, flags: int) -> list[int]: ...
