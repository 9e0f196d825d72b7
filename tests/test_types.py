"""
Types as users of mypy see them: a small program for each face of the client, checked strictly.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from importlib.util import find_spec

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from pyvirt import constants
from tests.interop.support import CHECKOUT
from tools import stubs

DEFERRED = """
from typing import Any

import pyvirt
from twisted.internet.defer import Deferred, gatherResults


async def names(uri: str) -> list[str]:
    def told(conn: pyvirt.Connect, happening: pyvirt.Happening) -> None:
        if isinstance(happening, pyvirt.ConnectionRestored):
            for change in happening.changes:
                print(change.object.name(), change.now)

    async with await pyvirt.open(uri, heal=pyvirt.Healing(onChange=told)) as conn:
        doms: list[pyvirt.Domain] = await conn.listAllDomains(pyvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE)
        infos: list[Any] = await gatherResults([dom.info() for dom in doms])
        waiting: Deferred[str] = doms[0].XMLDesc(0)
        text: str = await waiting
        print(len(infos), text)
        return [dom.name() for dom in doms]
"""
ASYNCIO = """
import asyncio

import pyvirt


async def names(uri: str) -> list[str]:
    loop = asyncio.get_running_loop()
    conn: pyvirt.Connect = await pyvirt.open(uri).asFuture(loop)
    first, second = await asyncio.gather(conn.getType().asFuture(loop), conn.getHostname().asFuture(loop))
    found: list[pyvirt.Domain] = await conn.listAllDomains().asFuture(loop)
    return [first.upper(), second.upper(), *(dom.name() for dom in found)]
"""
BLOCKING = """
import pyvirt.blocking as libvirt
import pyvirt.blocking.lxc as libvirt_lxc
import pyvirt.blocking.qemu as libvirt_qemu


def asked(conn: libvirt.virConnect) -> list[str]:
    dom = conn.lookupByName("test")
    answer: str = libvirt_qemu.qemuMonitorCommand(dom, "{}", libvirt_qemu.VIR_DOMAIN_QEMU_MONITOR_COMMAND_HMP)
    agent: str | None = libvirt_qemu.qemuAgentCommand(dom, "{}", 5, 0)
    descriptors: list[int] = libvirt_lxc.lxcOpenNamespace(dom, 0)
    attached: libvirt.virDomain = libvirt_qemu.qemuAttach(conn, len(descriptors), 0)
    return [answer, agent or "", attached.name()]


def names(uri: str) -> list[str]:
    with libvirt.open(uri) as conn:
        found = conn.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE)
        dom: libvirt.virDomain = conn.lookupByName("test")
        text: str = dom.XMLDesc(0)
        try:
            dom.suspend()
        except libvirt.libvirtError as error:
            if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
                raise
        return [text, *(each.name() for each in found)]
"""
WRONG = """
import pyvirt
import pyvirt.blocking
import pyvirt.blocking.qemu


async def wrong(conn: pyvirt.Connect, other: pyvirt.blocking.Connect) -> None:
    first: int = await conn.getHostname()  # wrong
    second: int = other.getHostname()  # wrong
    other.lookupByName(5)  # wrong
    pyvirt.blocking.qemu.qemuMonitorCommand(other, "{}", 0)  # wrong
"""

#: What callbacks are told beside connection, object and opaque, by the name of the event.
DETAILS = {
    "DOMAIN_EVENT_ID_LIFECYCLE": "int, int",
    "DOMAIN_EVENT_ID_REBOOT": "",
    "DOMAIN_EVENT_ID_RTC_CHANGE": "int",
    "DOMAIN_EVENT_ID_WATCHDOG": "int",
    "DOMAIN_EVENT_ID_IO_ERROR": "str, str, int",
    "DOMAIN_EVENT_ID_GRAPHICS": "int, dict[str, Any], dict[str, Any], str, list[tuple[str, str]]",
    "DOMAIN_EVENT_ID_IO_ERROR_REASON": "str, str, int, str",
    "DOMAIN_EVENT_ID_CONTROL_ERROR": "",
    "DOMAIN_EVENT_ID_BLOCK_JOB": "str, int, int",
    "DOMAIN_EVENT_ID_DISK_CHANGE": "str | None, str | None, str, int",
    "DOMAIN_EVENT_ID_TRAY_CHANGE": "str, int",
    "DOMAIN_EVENT_ID_PMWAKEUP": "int",
    "DOMAIN_EVENT_ID_PMSUSPEND": "int",
    "DOMAIN_EVENT_ID_BALLOON_CHANGE": "int",
    "DOMAIN_EVENT_ID_PMSUSPEND_DISK": "int",
    "DOMAIN_EVENT_ID_DEVICE_REMOVED": "str",
    "DOMAIN_EVENT_ID_BLOCK_JOB_2": "str, int, int",
    "DOMAIN_EVENT_ID_TUNABLE": "dict[str, Any]",
    "DOMAIN_EVENT_ID_AGENT_LIFECYCLE": "int, int",
    "DOMAIN_EVENT_ID_DEVICE_ADDED": "str",
    "DOMAIN_EVENT_ID_MIGRATION_ITERATION": "int",
    "DOMAIN_EVENT_ID_JOB_COMPLETED": "dict[str, Any]",
    "DOMAIN_EVENT_ID_DEVICE_REMOVAL_FAILED": "str",
    "DOMAIN_EVENT_ID_METADATA_CHANGE": "int, str | None",
    "DOMAIN_EVENT_ID_BLOCK_THRESHOLD": "str, str | None, int, int",
    "DOMAIN_EVENT_ID_MEMORY_FAILURE": "int, int, int",
    "DOMAIN_EVENT_ID_MEMORY_DEVICE_SIZE_CHANGE": "str, int",
    "DOMAIN_EVENT_ID_NIC_MAC_CHANGE": "str, str, str",
    "NETWORK_EVENT_ID_LIFECYCLE": "int, int",
    "NETWORK_EVENT_ID_METADATA_CHANGE": "int, str | None",
    "STORAGE_POOL_EVENT_ID_LIFECYCLE": "int, int",
    "STORAGE_POOL_EVENT_ID_REFRESH": "",
    "NODE_DEVICE_EVENT_ID_LIFECYCLE": "int, int",
    "NODE_DEVICE_EVENT_ID_UPDATE": "",
    "SECRET_EVENT_ID_LIFECYCLE": "int, int",
    "SECRET_EVENT_ID_VALUE_CHANGED": "",
}
_OBJECTS = {
    "DOMAIN": ("domain", "Domain"),
    "NETWORK": ("network", "Network"),
    "STORAGE_POOL": ("storagePool", "StoragePool"),
    "NODE_DEVICE": ("nodeDevice", "NodeDevice"),
    "SECRET": ("secret", "Secret"),
}
_FACES = {
    "events": ("import pyvirt", "pyvirt", "pyvirt.qemu"),
    "blockingEvents": (
        "import pyvirt.blocking as libvirt\nimport pyvirt.blocking.qemu",
        "libvirt",
        "pyvirt.blocking.qemu",
    ),
}

#: More of the same: what is right, and what is wrong in the lines that say so.
OTHERS = """
import pyvirt.qemu

def closed(conn: {m}.Connect, reason: int, opaque: str) -> None: ...
def lived(conn: {m}.Connect, dom: {m}.Domain, event: int, detail: int, opaque: list[int]) -> None: ...
def said(conn: {m}.Connect, dom: {m}.Domain, event: str, s: int, us: int, more: str | None, opaque: None) -> None: ...
def ready(stream: {m}.Stream, events: int, opaque: int) -> None: ...
def took(stream: {m}.Stream, data: bytes, opaque: str) -> None: ...
def gave(stream: {m}.Stream, nbytes: int, opaque: str) -> bytes:
    return b""
def varied(conn: {m}.Connect, dom: {m}.Domain, *details: Any) -> None: ...
def loose(*args: Any) -> None: ...

def more(conn: {m}.Connect, stream: {m}.Stream, number: int, some: Callable[..., Any]) -> None:
    conn.registerCloseCallback(closed, "x")
    conn.registerCloseCallback(closed, 5)  # wrong
    conn.registerCloseCallback(lived, [5])  # wrong
    conn.domainEventRegister(lived, [5])
    conn.domainEventRegister(lived, "x")  # wrong
    conn.domainEventRegister(closed, "x")  # wrong
    {q}.qemuMonitorEventRegister(conn, None, None, said, None)
    {q}.qemuMonitorEventRegister(conn, None, None, lived, [])  # wrong
    stream.eventAddCallback({m}.VIR_STREAM_EVENT_READABLE, ready, 5)
    stream.eventAddCallback({m}.VIR_STREAM_EVENT_READABLE, ready, "x")  # wrong
    stream.recvAll(took, "x")
    stream.recvAll(gave, "x")  # wrong
    stream.sendAll(gave, "x")
    stream.sendAll(took, "x")  # wrong
    conn.domainEventRegisterAny(None, number, varied, None)
    conn.domainEventRegisterAny(None, number, loose, None)
    conn.domainEventRegisterAny(None, number, some, None)
    conn.domainEventRegisterAny(None, number, lived, [])  # wrong
    conn.domainEventRegisterAny(None, {m}.VIR_DOMAIN_EVENT_ID_REBOOT, varied, None)
    conn.domainEventRegisterAny(None, {m}.VIR_DOMAIN_EVENT_ID_REBOOT, lambda conn, dom, opaque: dom.name(), None)
    conn.domainEventRegisterAny(None, {m}.VIR_DOMAIN_EVENT_ID_REBOOT, lambda conn, opaque: 5, None)  # wrong
    conn.domainEventRegisterAny(None, {m}.VIR_DOMAIN_EVENT_ID_REBOOT, lambda conn, dom, o: dom.oops(), None)  # wrong
    for event in ({m}.VIR_DOMAIN_EVENT_ID_PMSUSPEND, {m}.VIR_DOMAIN_EVENT_ID_PMWAKEUP):
        conn.domainEventRegisterAny(None, event, varied, None)
"""


def eventProgram(face: str) -> str:
    """Write a program that registers a right callback and two wrong ones for every event there is."""
    imported, m, q = _FACES[face]
    lines = ["from collections.abc import Callable", "from typing import Any", "", imported, ""]
    calls = [f"def registering(conn: {m}.Connect) -> None:"]
    for number, (name, details) in enumerate(DETAILS.items()):
        kind, cls = _OBJECTS[name.partition("_EVENT")[0]]
        types = split(details)
        for what, kinds, opaque in (
            ("right", types, "bytes"),
            ("less", types[:-1] if types else ["int"], "bytes"),
            ("other", [*["bytes" for _ in types], "bytes"], "bytes"),
        ):
            args = "".join(f", d{i}: {each}" for i, each in enumerate(kinds))
            lines.append(
                f"def {what}{number}(c: {m}.Connect, o: {m}.{cls}{args}, opaque: {opaque}) -> None: ..."
            )
            wrong = "" if what == "right" else "  # wrong"
            calls.append(
                f"    conn.{kind}EventRegisterAny(None, {m}.VIR_{name}, {what}{number}, b''){wrong}"
            )
        calls.append(
            f"    conn.{kind}EventRegisterAny(None, {m}.VIR_{name}, right{number}, 5)  # wrong"
        )
    return "\n".join([*lines, "", *calls, OTHERS.format(m=m, q=q)])


def split(details: str) -> list[str]:
    """Split types at the commas between them."""
    return [ast.unparse(each) for each in ast.parse(f"[{details}]", mode="eval").body.elts]  # type: ignore[attr-defined]


class TypeTests(SynchronousTestCase):
    """What a type checker says."""

    def test_stub(self) -> None:
        """
        The stubs of the blocking face are what C{python tools/stubs.py} writes.
        """
        for path, text in stubs.stubs().items():
            with open(path) as file:
                self.assertEqual(ast.dump(ast.parse(file.read())), ast.dump(ast.parse(text)), path)

    def test_programs(self) -> None:
        """
        Programs pass C{mypy --strict}; mistakes in them are found.
        """
        if find_spec("mypy") is None:
            raise SkipTest("mypy is not installed")
        folder = self.mktemp()
        os.mkdir(folder)
        programs = {
            "deferred": DEFERRED,
            "future": ASYNCIO,
            "blocks": BLOCKING,
            "wrong": WRONG,
            **{face: eventProgram(face) for face in _FACES},
        }
        for name, text in programs.items():
            with open(os.path.join(folder, f"{name}.py"), "w") as file:
                file.write(text)
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "mypy",
                "--strict",
                "--config-file",
                os.path.join(CHECKOUT, "pyproject.toml"),
            ]
            + [os.path.join(os.path.abspath(folder), f"{name}.py") for name in programs],
            capture_output=True,
            text=True,
            cwd=CHECKOUT,
        )
        found = [line for line in done.stdout.splitlines() if ": error:" in line]
        self.assertEqual(
            sorted({tuple(line.rpartition("/")[2].split(":")[:2]) for line in found}),
            sorted(
                (f"{name}.py", str(number))
                for name, text in programs.items()
                for number, line in enumerate(text.split("\n"), 1)
                if line.endswith("  # wrong")
            ),
            done.stdout,
        )

    def test_everyEvent(self) -> None:
        """
        No event is left out of the table that the programs are made from.
        """
        known = {
            name.removeprefix("VIR_")
            for name, number in vars(constants).items()
            if "_EVENT_ID_" in name and isinstance(number, int)
        }
        self.assertEqual(set(DETAILS), known)
