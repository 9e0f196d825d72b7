# ruff: noqa
# Written by tools/stubs.py from the functions of pyvirt.client.lxc.
from collections.abc import Callable, Sequence
from typing import IO, Any, TypeVar

from pyvirt.blocking import Connect, Domain

_T = TypeVar("_T")

def lxcEnterCGroup(domain: Domain, flags: int) -> int: ...
def lxcOpenNamespace(domain: Domain, flags: int) -> list[int]: ...
