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
    first: int = await conn.getHostname()
    second: int = other.getHostname()
    other.lookupByName(5)
    pyvirt.blocking.qemu.qemuMonitorCommand(other, "{}", 0)
"""


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
        programs = {"deferred": DEFERRED, "future": ASYNCIO, "blocks": BLOCKING, "wrong": WRONG}
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
            [line.rpartition("/")[2].split(":")[:2] for line in found],
            [["wrong.py", "8"], ["wrong.py", "9"], ["wrong.py", "10"], ["wrong.py", "11"]],
            done.stdout,
        )
