"""
Write the types of L{pyvirt.blocking} from the client's classes: C{Deferred[T]} becomes C{T}.

C{python tools/stubs.py} writes C{pyvirt/blocking/__init__.pyi}, C{qemu.pyi} and C{lxc.pyi}; a test checks that they are
current.
"""

from __future__ import annotations

import ast
import inspect
import os
import re
import sys
from typing import Any, get_overloads

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from pyvirt import blocking, constants
from pyvirt.blocking import lxc, qemu
from pyvirt.client import api
from pyvirt.client import lxc as clientLXC
from pyvirt.client import qemu as clientQEMU

PATH = os.path.join(os.path.dirname(os.path.abspath(blocking.__file__)), "__init__.pyi")
CLASSES = [
    "Connect",
    "Domain",
    "DomainCheckpoint",
    "DomainSnapshot",
    "Interface",
    "NWFilter",
    "NWFilterBinding",
    "Network",
    "NetworkPort",
    "NodeDevice",
    "Secret",
    "StoragePool",
    "StorageVol",
    "Stream",
]
_KNOWN = {
    *CLASSES,
    *[
        "int",
        "str",
        "bytes",
        "bool",
        "float",
        "None",
        "Any",
        "dict",
        "list",
        "tuple",
        "Sequence",
        "Callable",
        "object",
        "type",
    ],
}
_KNOWN |= {"Literal", "VariedCallback", "_T"}
_KNOWN |= {"Mapping", "Iterable", "BaseException", "TracebackType", "Exception"}
HEAD = """# ruff: noqa
# Written by tools/stubs.py from the classes of pyvirt.client.
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Literal, TypeVar, overload

from pyvirt.blocking._errors import libvirtError as libvirtError
from pyvirt.blocking._types import (
    _BlkioParameter as _BlkioParameter,
    _DomainCB as _DomainCB,
    _EventAddHandleFunc as _EventAddHandleFunc,
    _EventAddTimeoutFunc as _EventAddTimeoutFunc,
    _EventCB as _EventCB,
    _EventRemoveHandleFunc as _EventRemoveHandleFunc,
    _EventRemoveTimeoutFunc as _EventRemoveTimeoutFunc,
    _EventUpdateHandleFunc as _EventUpdateHandleFunc,
    _EventUpdateTimeoutFunc as _EventUpdateTimeoutFunc,
    _MemoryParameter as _MemoryParameter,
    _SchedParameter as _SchedParameter,
    _T as _T,
    _TimerCB as _TimerCB,
    _TypedParameter as _TypedParameter,
)
from pyvirt.client.errornames import *
from pyvirt.client.eventshapes import VariedCallback
from pyvirt.client.library import getVersion as getVersion, virInitialize as virInitialize
from pyvirt.constants import *

VirtError = libvirtError

"""


class _Blocking(ast.NodeTransformer):
    """Take C{Deferred} away, and what is not known in the stub."""

    def visit_Subscript(self, node: ast.Subscript) -> Any:
        if isinstance(node.value, ast.Name) and node.value.id in ("Deferred", "Awaitable"):
            return self.visit(node.slice)
        return self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> Any:
        self.generic_visit(node)
        # What may be waited for and what need not are the same here.
        same = ast.unparse(node.left) == ast.unparse(node.right)
        return node.left if same else node

    def visit_Name(self, node: ast.Name) -> Any:
        return node if node.id in _KNOWN else ast.Name("Any")


def _type(annotation: Any) -> str:
    if annotation is inspect.Signature.empty:
        return "Any"
    text = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", "Any")
    return ast.unparse(_Blocking().visit(ast.parse(text, mode="eval")))


def _method(name: str, function: Any, inClass: bool = True) -> str:
    if name == "__enter__":
        return "def __enter__(self) -> Connect: ..."
    signature = inspect.signature(function)
    parts: list[str] = []
    star = False
    for each in signature.parameters.values():
        if each.name == "self" and inClass:
            parts.append("self")
            continue
        text = f"{each.name}: {_type(each.annotation)}"
        if each.kind is each.VAR_POSITIONAL:
            text, star = f"*{text}", True
        elif each.kind is each.VAR_KEYWORD:
            text = f"**{text}"
        elif each.kind is each.KEYWORD_ONLY and not star:
            parts.append("*")
            star = True
        if each.default is not each.empty:
            text += " = ..."
        parts.append(text)
    if inClass and parts[:1] != ["self"]:
        parts.insert(0, "self")
    return f"def {name}({', '.join(parts)}) -> {_type(signature.return_annotation)}: ..."


def stub() -> str:
    """Return the text of the stub."""
    lines = [HEAD]
    for name in CLASSES:
        made, origin = getattr(blocking, name), getattr(api, name)
        lines.append(f"class {name}:")
        for member in sorted(dir(made)):
            if member.startswith("_") and member not in ("__enter__", "__exit__"):
                continue
            value = inspect.getattr_static(made, member)
            if not inspect.isfunction(value):
                if not callable(value):
                    lines.append(f"    {member}: Any")
                continue
            source = getattr(origin, member, None)
            for each in get_overloads(source) if inspect.isfunction(source) else ():
                lines += ["    @overload", f"    {_method(member, each)}"]
            if not lines[-1].startswith(f"    def {member}("):
                lines.append(
                    f"    {_method(member, source if inspect.isfunction(source) else value)}"
                )
        if name == "Connect":
            lines.append("    domainEventCallbacks: dict[Any, Any]")
        lines += ["", f"vir{name} = {name}", ""]
    for name in sorted(set(blocking.__all__)):
        value = getattr(blocking, name)
        if inspect.isfunction(value) and name not in ("getVersion", "virInitialize"):
            text = _method(name, value, inClass=False)
            if name in ("open", "openAuth", "openReadOnly"):
                text = re.sub(r"-> Any", "-> Connect", text)
            lines.append(text)
        elif inspect.ismethod(value):
            lines.append(_method(name, value, inClass=False))
    return "\n".join(lines) + "\n"


def moduleStub(module: Any, client: Any, part: str) -> str:
    """
    Return the text of the stub of a hypervisor's own functions.

    @param part: what names of its constants have in them.
    """
    names = [name for name in sorted(vars(constants)) if part in name and name.startswith("VIR_")]
    lines = [
        "# ruff: noqa",
        f"# Written by tools/stubs.py from the functions of {client.__name__}.",
        "from collections.abc import Callable, Sequence",
        "from typing import IO, Any, TypeVar",
        "",
        *(f"from pyvirt.constants import {name} as {name}" for name in names),
        "from pyvirt.blocking import Connect, Domain",
        "",
        '_T = TypeVar("_T")',
        "",
    ]
    for name in client.__all__:
        text = _method(name, getattr(client, name), inClass=False)
        own = inspect.signature(getattr(module, name)).return_annotation
        if "IO" in own:  # descriptors become files
            text = f"{text.rpartition(' -> ')[0]} -> {own}: ..."
        lines.append(text)
    return "\n".join(lines) + "\n"


def stubs() -> dict[str, str]:
    """Return the texts of all stubs by path."""
    folder = os.path.dirname(PATH)
    return {
        PATH: stub(),
        os.path.join(folder, "qemu.pyi"): moduleStub(qemu, clientQEMU, "_QEMU_"),
        os.path.join(folder, "lxc.pyi"): moduleStub(lxc, clientLXC, "_LXC_"),
    }


if __name__ == "__main__":
    for path, text in stubs().items():
        with open(path, "w") as file:
            file.write(text)
