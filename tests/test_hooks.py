"""
Scripts of the administrator: which are run, in which order, what they get, and what they may say.

Source: libvirtd 9.0.0, observed; C{tests/interop/test_qemuhooks.py} compares the whole.
"""

from __future__ import annotations

import os

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from pyvirt import hooks
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError
from pyvirt.hooks import Hooks
from pyvirt.process import Processes
from tests.test_process import TimedReactor, watched


class HooksTests(TestCase):
    """Real scripts."""

    timeout = 120

    def setUp(self) -> None:
        self.folder = os.path.abspath(self.mktemp())
        os.makedirs(f"{self.folder}/qemu.d")
        self.heard = f"{self.folder}/heard"

    def script(self, name: str, body: str, mode: int = 0o755) -> None:
        """Make a script that tells what it hears before it does something."""
        path = f"{self.folder}/{name}"
        with open(path, "w") as file:
            file.write(f"#!/bin/sh\necho {name}: $(cat) $* >> {self.heard}\n{body}\n")
        os.chmod(path, mode)

    def told(self) -> list[str]:
        """Return what was heard, once."""
        if not os.path.exists(self.heard):
            return []
        with open(self.heard) as file:
            lines = file.read().splitlines()
        os.unlink(self.heard)
        return lines

    async def call(self, made: Hooks | None = None) -> str | None:
        """Have the scripts called."""
        made = made or Hooks(Processes(reactor), self.folder)
        return await made.call("qemu", "g", "restore", input="in")

    async def refused(self) -> VirtError:
        """Have them called, and return the refusal."""
        error: VirtError = await self.assertFailure(Deferred.fromCoroutine(self.call()), VirtError)
        return error

    async def test_order(self) -> None:
        """The main one, then what can be run of the folder in order of bytes; each hears what was printed last."""
        self.script("qemu", "echo main")
        self.script("qemu.d/b", "printf ' \\n'")
        self.script("qemu.d/Z", "echo zet")
        self.script("qemu.d/.x", "exit 0")
        self.script("qemu.d/off", "exit 1", 0o644)
        os.mkdir(f"{self.folder}/qemu.d/folder")
        os.symlink("/nope", f"{self.folder}/qemu.d/dangling")
        self.assertEqual(await self.call(), "zet\n")
        self.assertEqual(
            self.told(),
            [
                "qemu: in g restore begin -",
                "qemu.d/.x: main g restore begin -",
                "qemu.d/Z: main g restore begin -",
                "qemu.d/b: zet g restore begin -",
            ],
        )

    async def test_failures(self) -> None:
        """All are run whatever fails; the last failure is told, and nobody hears what a failing one prints."""
        self.script("qemu", "echo main; echo one >&2; exit 1")
        self.script("qemu.d/a", "echo a; echo two >&2; exit 2")
        self.script("qemu.d/b", f"rm {self.folder}/qemu.d/c; echo b")
        self.script("qemu.d/c", "exit 0")
        self.script("qemu.d/d", "exit 0")
        error = await self.refused()
        self.assertEqual(
            (error.code, error.domain), (ErrorCode.HOOK_SCRIPT_FAILED, ErrorDomain.HOOK)
        )
        self.assertTrue(
            str(error).endswith(
                f"{self.folder}/qemu.d/c g restore begin -) unexpected exit status 127: libvirt:  error : "
                f"cannot execute binary {self.folder}/qemu.d/c: No such file or directory\n"
            ),
            error,
        )
        self.assertEqual([line.split()[1] for line in self.told()], ["in", "in", "in", "b"])
        os.unlink(f"{self.folder}/qemu.d/b")
        self.assertTrue(str(await self.refused()).endswith("unexpected exit status 2: two\n"))

    async def test_changingFolder(self) -> None:
        """The folder is looked at when the main script has ended; that it is none is an error."""
        self.script("new", "exit 0")
        self.script("qemu", f"mv {self.folder}/new {self.folder}/qemu.d/new")
        await self.call()
        self.assertEqual([line.split(":")[0] for line in self.told()], ["qemu", "new"])
        self.script("qemu", f"rm -r {self.folder}/qemu.d; echo > {self.folder}/qemu.d; exit 1")
        error = await self.refused()
        self.assertEqual(
            str(error), f"cannot open directory '{self.folder}/qemu.d': Not a directory"
        )
        self.assertEqual(error.code, ErrorCode.SYSTEM_ERROR)

    async def test_looking(self) -> None:
        """A driver that had no script is not asked before there is another look; one that had any is."""
        made = Hooks(Processes(reactor), self.folder)
        self.script("qemu", "exit 1")
        self.assertFalse(made.present("qemu"))
        self.assertIsNone(await self.call(made))
        made.look()
        self.assertTrue(made.present("qemu"))
        os.unlink(f"{self.folder}/qemu")
        self.script("qemu.d/late", "echo late")
        self.assertEqual(await self.call(made), "late\n")

    async def test_output(self) -> None:
        """Blanks are nothing, a NUL is the end, other bytes come as they are, and what is too much is dropped."""
        for body, printed in (
            (r"printf ' \n\t\r\f'", None),
            (r"printf '\0a'", None),
            (r"printf 'a\0b'", "a"),
            (r"printf '\v'", "\v"),
            (r"printf '\302\240'", "\xa0"),
            (r"printf 'a\377'", "a\udcff"),
            ("exec >&- 2>&- <&-", None),
            ("head -c 9000000 /dev/zero >&2; echo a", "a\n"),
            ("head -c 9000000 /dev/zero; exit 0", None),
        ):
            self.script("qemu", body)
            self.assertEqual(await self.call(), printed, body)
        self.script("qemu", "yes | head -c 9000000")
        printed = await self.call()
        assert printed is not None
        # More than any document may have.
        self.assertGreater(len(printed), 4 << 20)
        self.assertLess(len(printed), 5 << 20)

    async def test_errorTexts(self) -> None:
        """What it says before it fails is told as it is, up to a NUL."""
        for body, ending in (
            (r"printf 'a\377b\n' >&2; exit 1", "unexpected exit status 1: a\udcffb\n"),
            (r"printf '\0b' >&2; exit 1", "unexpected exit status 1"),
            ("exit 300", "unexpected exit status 44"),
            ("kill -9 $$", "unexpected fatal signal 9"),
        ):
            self.script("qemu", body)
            self.assertTrue(str(await self.refused()).endswith(ending), body)

    async def test_hanging(self) -> None:
        """One that does not end is ended; one that has left something running is not waited for any longer than that."""
        clock = TimedReactor()
        made = Hooks(Processes(clock), self.folder)
        self.script("qemu", "sleep 1000")
        made.look()
        calling = Deferred.fromCoroutine(self.call(made))
        clock.advance(hooks.DEADLINE)
        error = await self.assertFailure(calling, VirtError)
        self.assertIn("did not end in 300 seconds", str(error))
        self.script("qemu", f"setsid sleep 1000 & echo $! > {self.folder}/pid; echo said")
        before = watched()
        calling = Deferred.fromCoroutine(self.call(made))
        while watched() != before + 2:  # what it says, on both streams, and not its end any more
            await deferLater(reactor, 0.005)
        clock.advance(hooks.DEADLINE)
        self.assertEqual(await calling, "said\n")
        with open(f"{self.folder}/pid") as file:
            os.kill(int(file.read()), 9)
