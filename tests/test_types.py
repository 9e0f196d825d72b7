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


async def wrong(conn: pyvirt.Connect, other: pyvirt.blocking.Connect) -> None:
    first: int = await conn.getHostname()
    second: int = other.getHostname()
    other.lookupByName(5)
"""


class TypeTests(SynchronousTestCase):
    """What a type checker says."""

    def test_stub(self) -> None:
        """
        The stub of the blocking face is what C{python tools/stubs.py} writes.
        """
        with open(stubs.PATH) as file:
            self.assertEqual(ast.dump(ast.parse(file.read())), ast.dump(ast.parse(stubs.stub())))

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
            [["wrong.py", "7"], ["wrong.py", "8"], ["wrong.py", "9"]],
            done.stdout,
        )
