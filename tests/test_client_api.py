"""
Our API beside that of the installed Python binding: every name, every parameter, every default.
"""

from __future__ import annotations

import inspect
import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

import pyvirt
from pyvirt import blocking
from pyvirt.client import api
from tests.interop.support import requireBinding, run

ABSENT = {
    # Nothing happens at once in a client that waits for nobody: there is no "last" error.
    "virGetLastError",
    "virGetLastErrorCode",
    "virGetLastErrorDomain",
    "virGetLastErrorMessage",
    "virResetLastError",
    "virConnect.virConnGetLastError",
    "virConnect.virConnResetLastError",
    # Errors are told to whoever waits for the call, or logged; there is no printing to turn off.
    "registerErrorHandler",
    # The reactor is the event loop.
    "virEventAddHandle",
    "virEventAddTimeout",
    "virEventInvokeFreeCallback",
    "virEventRegisterImpl",
    "virEventRemoveHandle",
    "virEventRemoveTimeout",
    "virEventRunDefaultImpl",
    "virEventUpdateHandle",
    "virEventUpdateTimeout",
    # A connection closes with "async with"; "with" cannot wait.
    "virConnect.__enter__",
    "virConnect.__exit__",
    # Handles need no freeing.
    *(
        f"{name}.__del__"
        for name in (
            "virConnect",
            "virDomain",
            "virDomainCheckpoint",
            "virDomainSnapshot",
            "virInterface",
            "virNWFilter",
            "virNWFilterBinding",
            "virNetwork",
            "virNetworkPort",
            "virNodeDevice",
            "virSecret",
            "virStoragePool",
            "virStorageVol",
            "virStream",
        )
    ),
}
"""What the binding has and we do not, and why."""

ABSENT_BLOCKING = {name for name in ABSENT if name.endswith(".__del__")}
"""What of it the blocking face has not either."""

DIFFERENT = {
    # The message, and what travels with it as keywords.
    "libvirtError.__init__",
    # The session is no option.
    "virConnect.__init__",
}
"""What has other parameters."""

PLAIN = {
    "Connect.c_pointer",
    "Connect.deadline",
    "Connect.eventQueue",
    "Connect.isAlive",
    "Connect.newStream",
    "Domain.deadline",
}
"""What answers at once, beside what every handle knows of itself."""

KNOWN = {
    "connect",
    "c_pointer",
    "name",
    "UUID",
    "UUIDString",
    "ID",
    "getName",
    "getConnect",
    "getDomain",
    "domain",
    "network",
    "key",
    "MACString",
    "usageID",
    "usageType",
    "filterName",
    "portDev",
}
"""What every handle knows of itself."""

_LIST = """
import inspect, json, libvirt
found = {}
def parameters(function):
    return [[each.name, str(each.kind), None if each.default is each.empty else repr(each.default)]
            for each in inspect.signature(function).parameters.values()]
for name, value in vars(libvirt).items():
    if name.startswith("_") or getattr(value, "__module__", "libvirt") != "libvirt":
        continue
    if inspect.isclass(value):
        for member, function in vars(value).items():
            own = member in ("__init__", "__del__", "__enter__", "__exit__")
            if inspect.isfunction(function) and (own or not member.startswith("_")):
                found[name + "." + member] = parameters(function)
    elif inspect.isfunction(value):
        found[name] = parameters(value)
    elif name.startswith("VIR_"):
        found[name] = value
print(json.dumps(found))
"""


def theirs() -> dict[str, Any]:
    """What the binding has: parameters of functions and methods, values of constants."""
    done = run([requireBinding(), "-c", _LIST])
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def ours(name: str) -> Any:
    """What we have by that name, None if nothing."""
    value: Any = pyvirt
    for part in name.split("."):
        value = getattr(value, part, None)
    return value


def parameters(function: Any) -> list[list[Any]]:
    """The parameters of a function but those that only we have, which are by keyword."""
    return [
        [each.name, str(each.kind), None if each.default is each.empty else repr(each.default)]
        for each in inspect.signature(function).parameters.values()
        if each.kind is not each.KEYWORD_ONLY
    ]


class BindingTests(SynchronousTestCase):
    """The names of the binding."""

    def test_names(self) -> None:
        """
        Everything that the binding has is here, with the same parameters and defaults; what is not is listed.
        """
        wrong = []
        for name, expected in theirs().items():
            mine = ours(name)
            if name in ABSENT:
                if mine is not None and not name.endswith("__"):
                    wrong.append(f"{name} is here")
            elif mine is None:
                wrong.append(f"{name} is missing")
            elif name.startswith("VIR_"):
                if mine != expected:
                    wrong.append(f"{name} is {mine!r}, not {expected!r}")
            elif name not in DIFFERENT and parameters(mine) != expected:
                wrong.append(f"{name}{inspect.signature(mine)} has not {expected}")
        self.assertEqual(wrong, [])

    def test_lists(self) -> None:
        """
        What is listed as absent or different is in the binding.
        """
        self.assertLessEqual(ABSENT | DIFFERENT, theirs().keys())


class BlockingTests(SynchronousTestCase):
    """The names of the binding, without Deferreds."""

    def test_names(self) -> None:
        """
        Everything that the binding has is here, with the same parameters and defaults; what is not is listed.
        """
        wrong = []
        for name, expected in theirs().items():
            mine: Any = blocking
            for part in name.split("."):
                mine = getattr(mine, part, None)
            if name in ABSENT_BLOCKING or name.endswith(".__init__"):
                continue
            if mine is None:
                wrong.append(f"{name} is missing")
            elif name.startswith("VIR_"):
                if mine != expected:
                    wrong.append(f"{name} is {mine!r}, not {expected!r}")
            elif parameters(mine) != expected:
                wrong.append(f"{name}{inspect.signature(mine)} has not {expected}")
        self.assertEqual(wrong, [])


class OwnTests(SynchronousTestCase):
    """What we say of ourselves."""

    def classes(self) -> dict[str, type]:
        return {
            name: value
            for name, value in vars(api).items()
            if inspect.isclass(value) and value.__module__.startswith("pyvirt.client.")
            if name in api.__all__ and not name.startswith("vir")
        }

    def test_deferreds(self) -> None:
        """
        What talks is declared to return a C{Deferred}; what is known here is not.
        """
        for className, cls in self.classes().items():
            for name, function in inspect.getmembers(cls, inspect.isfunction):
                if name.startswith("_") or cls.__name__ == "EventOverflow":
                    continue
                returns = str(inspect.signature(function).return_annotation)
                wrapped = getattr(function, "__wrapped__", None)
                talks = returns.startswith("Deferred") or inspect.iscoroutinefunction(wrapped)
                plain = name in KNOWN or f"{className}.{name}" in PLAIN
                self.assertNotEqual(talks, plain, f"{className}.{name} -> {returns}")

    def test_documented(self) -> None:
        """
        Every public method says what it does.
        """
        for className, cls in self.classes().items():
            for name, function in inspect.getmembers(cls, inspect.isfunction):
                if not name.startswith("_"):
                    self.assertTrue(function.__doc__, f"{className}.{name}")

    def test_lazy(self) -> None:
        """
        C{dir} tells all names, and each can be had.
        """
        for name in dir(pyvirt):
            getattr(pyvirt, name)
        self.assertLessEqual(
            {"open", "Connect", "VIR_ERR_NO_DOMAIN", "VIR_DOMAIN_RUNNING"}, set(dir(pyvirt))
        )
        self.assertRaises(AttributeError, getattr, pyvirt, "openWide")
        self.assertRaises(AttributeError, getattr, pyvirt, "VIR_NOPE")
        self.assertRaises(AttributeError, getattr, pyvirt, "nope")
