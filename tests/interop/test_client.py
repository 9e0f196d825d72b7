"""
Our client and the stock Python binding on the same daemons: every step of one session has the same outcome.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
from inspect import isawaitable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

import pyvirt
from tests.interop import clientscript
from tests.interop.support import CHECKOUT, requireBinding, run, servers

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


def timeless(shown: Any) -> Any:
    """Take out of a step's outcome the second in which it was done."""
    text = re.sub(r"<creationTime>\d+<", "<creationTime><", json.dumps(shown))
    return json.loads(text)


class SameSession(TestCase):
    """The same session by both."""

    timeout = 300

    def compare(self, ours: list[Any], theirs: list[Any]) -> None:
        steps = clientscript.parse(TEXT)
        self.assertEqual(len(theirs), len(steps))
        wrong = []
        for (_, expression), mine, other in zip(steps, ours, theirs, strict=True):
            if other[0] == "error" and other[1] is None:
                # A failure without an error of its own: only its text can be the same.
                mine, other = mine[3:4], other[3:4]
            mine, other = timeless(mine), timeless(other)
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

    def test_pyvirtReadOnly(self) -> Deferred[None]:
        """
        So they do on a read-only connection.
        """
        return Deferred.fromCoroutine(self.both(servers().pyvirt.uri(readOnly=True), True))


FAILURES = (
    "test+unix:///default?socket=/nonexistent/socket",
    "test+tcp://127.0.0.1:1/default",
    "test+tcp://no.such.host.invalid/default",
    "test+bar:///default",
    "foo+bar:///x",
    "test+unix://host/default",
    "test+unix:///default?mode=xx",
    "test+ext:///default",
    "test://[bad",
    "a b",
    "%%",
    "test",
    "///x",
    "test:///nonexistent.xml",
    "test+unix:///nonexistent.xml?socket={socket}",
    "test+unix:///?socket={socket}",
    "foo+unix:///x?socket={socket}",
    "remote+unix:///?socket={socket}",
    "test+unix:///default?auth=sasl&socket={socket}",
    "test+unix:///default?auth=xx&socket={socket}",
    "test+unix:///default?name=foo:///z&socket={socket}",
)
"""URIs that cannot be opened; C{{socket}} is libvirtd's."""

_OPEN = """
import json, sys, libvirt
sys.path.insert(0, sys.argv[1])
from clientscript import showError
libvirt.registerErrorHandler(lambda context, error: None, None)
found = []
for uri in json.load(sys.stdin):
    try:
        libvirt.open(uri)
        found.append("opened")
    except libvirt.libvirtError as error:
        found.append(showError(error))
print(json.dumps(found))
"""


class SameFailures(TestCase):
    """What cannot be opened fails alike."""

    def test_open(self) -> Deferred[None]:
        """
        Code, domain, text and all else of the error are those of libvirt's own client.
        """
        return Deferred.fromCoroutine(self.compare())

    async def compare(self) -> None:
        uris = [each.replace("{socket}", servers().libvirtd.socketPath) for each in FAILURES]
        done = run([requireBinding(), "-c", _OPEN, HERE], json.dumps(uris))
        theirs = json.loads(done.stdout)
        wrong = []
        for uri, expected in zip(uris, theirs, strict=True):
            try:
                conn = await pyvirt.open(uri)
                await conn.close()
                found: Any = "opened"
            except Exception as error:
                found = clientscript.showError(error)
            if found != expected:
                wrong.append(f"{uri}\n  client:  {found}\n  binding: {expected}")
        self.assertEqual(wrong, [])

    def test_permission(self) -> Deferred[None]:
        """
        So is a socket that we may not connect to; and one that a daemon left behind.
        """
        return Deferred.fromCoroutine(self.refused())

    async def refused(self) -> None:
        path = os.path.join(tempfile.mkdtemp(prefix="pv-"), "socket")
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(path)
        uri = f"test+unix:///default?socket={path}"
        done = run([requireBinding(), "-c", _OPEN, HERE], json.dumps([uri]))
        try:
            await pyvirt.open(uri)
        except pyvirt.VirtError as error:
            self.assertEqual(clientscript.showError(error), json.loads(done.stdout)[0])
            self.assertIn("Connection refused", str(error))
        else:
            self.fail("it was opened")
        finally:
            os.unlink(path)
            os.rmdir(os.path.dirname(path))


_ASYNCIO = """
import asyncio
from twisted.internet import asyncioreactor
loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)
asyncioreactor.install(loop)
import sys
import pyvirt

async def main():
    conn = await pyvirt.open(sys.argv[1]).asFuture(loop)
    names = [dom.name() for dom in await conn.listAllDomains().asFuture(loop)]
    infos = await asyncio.gather(*(conn.getType().asFuture(loop) for _ in range(10)))
    await conn.close().asFuture(loop)
    print(names, set(infos))

loop.run_until_complete(main())
"""


class AsyncioTests(TestCase):
    """Under asyncio."""

    def test_futures(self) -> None:
        """
        With Twisted's reactor on asyncio's loop, calls are awaited as futures.
        """
        done = subprocess.run(
            [sys.executable, "-c", _ASYNCIO, servers().libvirtd.uri()],
            capture_output=True,
            text=True,
            timeout=180,
            env={**os.environ, "PYTHONPATH": CHECKOUT},
        )
        self.assertEqual((done.stdout, done.stderr), ("['test'] {'TEST'}\n", ""))


class StreamTests(TestCase):
    """Streams over a real wire."""

    def test_screenshot(self) -> Deferred[None]:
        """
        A picture comes whole; a stream that is given up disturbs nothing.
        """
        return Deferred.fromCoroutine(self.screenshot())

    async def screenshot(self) -> None:
        conn = await pyvirt.open(servers().libvirtd.uri())
        dom = await conn.lookupByName("test")
        parts: list[bytes] = []
        stream = conn.newStream()
        self.assertEqual(await dom.screenshot(stream, 0), "image/png")
        await stream.recvAll(lambda stream, data, opaque: parts.append(data), None)
        self.assertEqual(await stream.finish(), 0)
        picture = b"".join(parts)
        self.assertEqual(picture[:8], b"\x89PNG\r\n\x1a\n")
        again = conn.newStream()
        await dom.screenshot(again, 0)
        self.assertEqual(await again.recv(8), picture[:8])
        self.assertEqual(await again.abort(), 0)
        self.assertEqual(await conn.getType(), "TEST")
        await conn.close()
