"""
What any lock manager must do, as tests: L{LockManagerContract}.

A guest is C{sleep} here: all that matters of it is when it starts and ends.
"""

from __future__ import annotations

import os
import subprocess
import time
import uuid
from collections.abc import Awaitable, Sequence
from typing import Any

from twisted.internet.task import deferLater

from pyvirt.drivers.interfaces.locking import Guest, ILockManager, Lockable
from pyvirt.errors import ErrorCode, VirtError
from pyvirt.testing.contracts import assertContract

__all__ = ["LockManagerContract"]

#: Seconds that anything may take, and the status of a guest that does not get its leases.
_DEADLINE = 120.0
_REFUSED = 71


class LockManagerContract:
    """
    Mix this into a C{twisted.trial.unittest.TestCase}, and write L{makeManager}.

    Guests that were started end with their test.
    """

    def makeManager(self) -> Any:
        """Return a lock manager; every one of a test's works with the same leases."""
        raise NotImplementedError

    def makeDisk(self, name: str) -> str:
        """Return the path of an empty image."""
        case: Any = self
        folder = os.path.abspath(case.mktemp())
        os.makedirs(folder)
        path = os.path.join(folder, name)
        with open(path, "w"):
            pass
        return path

    async def startGuest(
        self, manager: Any, number: int, resources: Sequence[Lockable]
    ) -> subprocess.Popen[bytes]:
        """Start a guest, and return once it runs or was refused."""
        from twisted.internet import reactor

        case: Any = self
        launch = await settled(manager.launch(guest(number), resources))
        process = subprocess.Popen(
            [*launch.prefix, "/bin/sleep", "1000"],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={**os.environ, **launch.environment},
        )

        def end() -> None:
            process.kill()
            process.wait()
            assert process.stderr is not None
            process.stderr.close()

        case.addCleanup(end)
        deadline = time.monotonic() + _DEADLINE
        while process.poll() is None:
            with open(f"/proc/{process.pid}/comm") as file:
                if file.read() == "sleep\n":
                    break
            if time.monotonic() > deadline:
                raise AssertionError(
                    f"the guest neither runs nor is refused in {_DEADLINE} seconds"
                )
            # A manager may need the reactor meanwhile.
            await deferLater(reactor, 0.01)
        return process

    async def refusal(self, manager: Any, number: int, resources: Sequence[Lockable]) -> VirtError:
        """Start a guest that is refused, and return why."""
        case: Any = self
        process = await self.startGuest(manager, number, resources)
        _, output = process.communicate(timeout=_DEADLINE)
        case.assertEqual(process.returncode, _REFUSED, output)
        error = manager.explain(output)
        case.assertIsInstance(error, VirtError, output)
        found: VirtError = error
        return found

    def test_lockManagerContract(self) -> None:
        """It keeps L{ILockManager}."""
        assertContract(ILockManager, type(self.makeManager()))

    async def test_lockManagerExcludes(self) -> None:
        """One guest has a disk, no second one, which gets nothing at all; what shares shares."""
        case: Any = self
        manager = self.makeManager()
        disk, other = Lockable(self.makeDisk("disk")), Lockable(self.makeDisk("other"))
        both = Lockable(self.makeDisk("both"), shared=True)
        first = await self.startGuest(manager, 1, [disk, both])
        error = await self.refusal(manager, 2, [other, disk])
        case.assertEqual(error.code, ErrorCode.RESOURCE_BUSY)
        second = await self.startGuest(manager, 2, [other, both])
        case.assertIsNone(first.poll())
        case.assertIsNone(second.poll())
        error = await self.refusal(manager, 3, [both._replace(shared=False)])
        case.assertEqual(error.code, ErrorCode.RESOURCE_BUSY)
        case.assertIsNone(manager.explain(b"anything else\n"))

    async def test_lockManagerHandsOver(self) -> None:
        """What is released another guest that runs can have; releasing twice is no error."""
        case: Any = self
        manager = self.makeManager()
        disk = Lockable(self.makeDisk("disk"))
        one = guest(1, (await self.startGuest(manager, 1, [disk])).pid)
        two = guest(2, (await self.startGuest(manager, 2, [])).pid)
        await settled(manager.adopt(one))
        await case.assertFailure(_asked(manager.acquire, two, [disk]), VirtError)
        for _ in range(2):
            await settled(manager.release(one, [disk]))
        await settled(manager.acquire(two, [disk]))
        await case.assertFailure(_asked(manager.acquire, one, [disk]), VirtError)
        await settled(manager.release(two, [disk]))
        await settled(manager.acquire(one, [disk]))

    async def test_lockManagerLetsGo(self) -> None:
        """The leases of a guest that is killed are free after a while."""
        case: Any = self
        manager = self.makeManager()
        disk = Lockable(self.makeDisk("disk"))
        first = await self.startGuest(manager, 1, [disk])
        first.kill()
        first.wait()
        deadline = time.monotonic() + _DEADLINE
        while True:
            process = await self.startGuest(manager, 2, [disk])
            if process.poll() is None or time.monotonic() > deadline:
                break
        case.assertIsNone(process.poll())


def guest(number: int, pid: int = 0) -> Guest:
    """Say who a guest is."""
    return Guest(str(uuid.UUID(int=number)), f"guest{number}", number, pid)


async def settled(answer: Any) -> Any:
    """Wait for an answer, if it has to be waited for."""
    return await answer if isinstance(answer, Awaitable) else answer


def _asked(method: Any, *arguments: Any) -> Any:
    from twisted.internet.defer import maybeDeferred

    return maybeDeferred(method, *arguments)
