"""
Our client and the stock Python binding on the same daemons: every step of one session has the same outcome.
"""

from __future__ import annotations

import json
import os
from inspect import isawaitable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

import pyvirt
from tests.interop import clientscript
from tests.interop.support import requireBinding, run, servers

HERE = os.path.dirname(os.path.abspath(__file__))

with open(os.path.join(HERE, "clientsteps.txt")) as file:
    TEXT = file.read()

DIFFERENT = {
    # The binding leaves out the driver's error and returns None.
    "d.guestVcpus()",
    "d.migrateGetMaxDowntime()",
    "d.migrateGetCompressionCache()",
}
"""Steps in which we differ on purpose."""


def byBinding(uri: str, readOnly: bool = False) -> list[Any]:
    """Run the steps by the stock binding."""
    script = os.path.join(HERE, "clientscript.py")
    done = run([requireBinding(), script, uri, str(int(readOnly))], TEXT)
    if done.status:
        raise AssertionError(done.stderr)
    found: list[Any] = json.loads(done.stdout)
    return found


async def byClient(uri: str, readOnly: bool = False) -> list[Any]:
    """Run the steps by our client."""
    conn = await (pyvirt.openReadOnly(uri) if readOnly else pyvirt.open(uri))
    names: dict[str, Any] = {"c": conn}
    found = []
    try:
        for name, expression in clientscript.parse(TEXT):
            try:
                value = eval(expression, names)
                if isawaitable(value):
                    value = await value
                if name:
                    names[name] = value
                found.append(clientscript.show(value))
            except Exception as error:
                found.append(clientscript.showError(error))
    finally:
        await conn.close()
    result: list[Any] = json.loads(json.dumps(found))
    return result


class SameSession(TestCase):
    """The same session by both."""

    timeout = 120

    def compare(self, ours: list[Any], theirs: list[Any]) -> None:
        steps = clientscript.parse(TEXT)
        self.assertEqual(len(theirs), len(steps))
        wrong = []
        for (_, expression), mine, other in zip(steps, ours, theirs, strict=True):
            if other[0] == "error" and other[1] is None:
                # A failure without an error of its own: only its text can be the same.
                mine, other = mine[3:4], other[3:4]
            if mine != other and expression not in DIFFERENT:
                wrong.append(f"{expression}\n  client:  {mine}\n  binding: {other}")
        if wrong:
            self.fail(f"{len(wrong)} steps differ\n" + "\n".join(wrong))

    async def both(self, uri: str, readOnly: bool = False) -> None:
        self.compare(await byClient(uri, readOnly), byBinding(uri, readOnly))

    def test_libvirtd(self) -> Deferred[None]:
        """
        Against libvirtd every step has the outcome that it has by the stock binding.
        """
        return Deferred.fromCoroutine(self.both(servers().libvirtd.uri()))

    def test_libvirtdReadOnly(self) -> Deferred[None]:
        """
        So it has on a read-only connection.
        """
        return Deferred.fromCoroutine(self.both(servers().libvirtd.uri(readOnly=True), True))

    def test_libvirtdTCP(self) -> Deferred[None]:
        """
        So it has over TCP.
        """
        return Deferred.fromCoroutine(self.both(servers().libvirtd.uri(tcp=True)))

    def test_pyvirt(self) -> Deferred[None]:
        """
        Against our own daemon our client and the stock binding see the same.
        """
        return Deferred.fromCoroutine(self.both(servers().pyvirt.uri()))
