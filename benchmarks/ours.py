"""
Our own client in a benchmark, one process per measurement.

Arguments: a URI, how many calls may be outstanding, seconds.  Prints C{ready}, waits for a line, calls
C{domain.info()}, prints calls per second.
"""

from __future__ import annotations

import sys
import time
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import react

import pyvirt


async def measure(uri: str, window: int, seconds: float) -> None:
    """Keep C{window} calls outstanding for C{seconds}."""
    connection = await pyvirt.open(uri)
    domain = await connection.lookupByName("test")
    await domain.info()
    print("ready", flush=True)
    sys.stdin.readline()
    clock = time.perf_counter
    started = clock()
    end = started + seconds

    async def caller() -> int:
        done = 0
        while clock() < end:
            await domain.info()
            done += 1
        return done

    done = sum(await gatherResults([Deferred.fromCoroutine(caller()) for _ in range(window)]))
    print(done / (clock() - started), flush=True)
    await connection.close()


def main(reactor: Any, uri: str, window: str, seconds: str) -> Deferred[None]:
    """What C{react} runs."""
    return Deferred.fromCoroutine(measure(uri, int(window), float(seconds)))


if __name__ == "__main__":
    react(main, sys.argv[1:])
