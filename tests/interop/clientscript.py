"""
One session, run by the stock Python binding and by our client, and what either says of every step.

Steps are lines C{expression} or C{name := expression}; C{c} is the connection.  This file imports nothing of
ours, for the stock binding's interpreter runs it as it is: C{python3 clientscript.py URI READONLY < steps}.
"""

from __future__ import annotations

import json
import sys
from typing import Any

BIG = 10**12
"""Whole numbers above this are times that pass; their size is not compared."""


def show(value: Any) -> Any:
    """Describe a value so that both libraries' descriptions compare."""
    kind = type(value).__name__
    if kind in ("list", "tuple"):
        return [kind, *[show(each) for each in value]]
    if kind == "dict":
        return ["dict", *sorted([str(name), show(each)] for name, each in value.items())]
    if isinstance(value, bytes):
        return ["bytes", value.hex()]
    if isinstance(value, bool) or value is None or isinstance(value, str | float):
        return [kind, value]
    if isinstance(value, int):
        return [kind, value if abs(value) < BIG else "<big>"]
    for method in ("name", "getName", "UUIDString", "portDev"):
        if hasattr(value, method):
            return [kind.removeprefix("vir"), getattr(value, method)()]
    return [kind.removeprefix("vir")]


def showError(error: Any) -> Any:
    """Describe a failure: of libvirt's own all it carries, of others the kind."""
    if hasattr(error, "get_error_code"):
        return [
            "error",
            error.get_error_code(),
            error.get_error_domain(),
            str(error),
            error.get_error_level(),
            error.get_str1(),
            error.get_str2(),
            error.get_str3(),
            error.get_int1(),
            error.get_int2(),
        ]
    return ["exception", type(error).__name__]


def parse(text: str) -> list[tuple[str, str]]:
    """Return name, empty if there is none, and expression of each step."""
    steps = []
    for line in text.splitlines():
        name, separator, expression = line.partition(" := ")
        steps.append((name, expression) if separator else ("", line))
    return steps


def main() -> None:
    """Run the steps by the stock binding and print what came of them."""
    from importlib import import_module

    libvirt: Any = import_module("libvirt")

    libvirt.registerErrorHandler(lambda context, error: None, None)
    names: dict[str, Any] = {}
    uri, readOnly = sys.argv[1:]
    names["c"] = libvirt.openReadOnly(uri) if readOnly == "1" else libvirt.open(uri)
    found = []
    for name, expression in parse(sys.stdin.read()):
        try:
            value = eval(expression, names)
            if name:
                names[name] = value
            found.append(show(value))
        except Exception as error:
            found.append(showError(error))
        names["c"].isAlive()  # forgets the last error, which the next one would repeat
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
