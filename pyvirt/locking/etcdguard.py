"""
The guard of a guest whose leases are in etcd: it keeps them alive while the guest lives, and ends the guest before
anybody else can have them.

The guest's process starts it before it becomes the guest, as an orphan, so it outlives daemons.  When the store has
not been reached for so long that the lease is about to end, the guest is killed: on another host somebody may start
it in a moment.  When the guest ends the lease is given back.

As a program, C{python -I -S etcdguard.py JSON}, it watches a guest that runs already and has lost its guard.
The standard library alone.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import threading
import time
from typing import Any

try:
    from pyvirt.locking.etcdclient import EtcdClient, EtcdError, Fresh, Held
    from pyvirt.locking.refused import Refused
except ImportError:  # run as a program, away from its package
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    from etcdclient import EtcdClient, EtcdError, Fresh, Held  # type: ignore[import-not-found,no-redef]
    from refused import Refused  # type: ignore[import-not-found,no-redef]

#: Seconds before the end of a lease at which its guest must be gone.
MARGIN = 2.0


def client(options: dict[str, Any]) -> Any:
    """Make the client that some options describe."""
    return EtcdClient(
        options["endpoints"],
        prefix=options["prefix"],
        timeout=options["timeout"],
        ca=options.get("ca"),
        certificate=options.get("certificate"),
        key=options.get("key"),
        user=options.get("user"),
        passwordFile=options.get("password_file"),
    )


def startTime(pid: int) -> int:
    """When a process started, in clock ticks since boot; 0: it has ended."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return 0
    return 0 if fields[0] in (b"Z", b"X") else int(fields[19])


def note(path: str, what: dict[str, Any]) -> None:
    """Write down, whole or not at all, what a driver must find."""
    temporary = f"{path}.new"
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    try:
        with open(fd, "w") as file:
            json.dump(what, file)
            file.flush()
            os.fsync(file.fileno())
        os.rename(temporary, path)
    except OSError:
        os.unlink(temporary)
        raise


def launch(options: dict[str, Any]) -> None:
    """
    Get leases for this process and leave a guard behind.

    @raise Refused: somebody else holds one, or the store cannot be reached.
    """
    resources = [(name, shared) for name, shared in options["resources"]]
    try:
        store = client(options)
        while True:
            began = now()
            lease = store.grant(options["ttl"])
            try:
                if resources:
                    store.acquire(lease, resources, options["value"])
                break
            except Fresh:
                _giveBack(store, lease)
                store.settle(options["ttl"])
            except BaseException:
                _giveBack(store, lease)
                raise
    except Held as held:
        raise Refused(87, 51, f"resource busy: Lockspace resource '{held}' is locked") from None
    except EtcdError as problem:
        raise Refused(38, 42, f"cannot reach the lock store: {problem}") from None
    guest, started = os.getpid(), startTime(os.getpid())
    state = {"lease": lease, "guest": guest, "started": started, "guard": 0, "guardStarted": 0}
    try:
        note(options["state"], state)
    except OSError as problem:
        _giveBack(store, lease)
        text = f"cannot write '{options['state']}': {problem.strerror}"
        raise Refused(38, 42, text) from None
    reading, writing = os.pipe()
    if os.fork() == 0:
        try:
            os.setsid()
            if os.fork() == 0:
                os.close(reading)
                state.update(guard=os.getpid(), guardStarted=startTime(os.getpid()))
                note(options["state"], state)
                os.write(writing, b"1")
                os.close(writing)
                _leaveEverything()
                guard(store, options, guest, started, lease, began)
        finally:
            os._exit(0)
    os.wait()
    os.close(writing)
    ready = os.read(reading, 1)
    os.close(reading)
    if not ready:
        _giveBack(store, lease)
        raise Refused(1, 42, "internal error: the guard of the leases did not start")


def _giveBack(store: Any, lease: int) -> None:
    try:
        store.revoke(lease)
    except EtcdError:
        pass  # it ends by itself


def _leaveEverything() -> None:
    os.chdir("/")
    null = os.open("/dev/null", os.O_RDWR)
    for fd in range(3):
        os.dup2(null, fd)
    os.closerange(3, os.sysconf("SC_OPEN_MAX") if os.sysconf("SC_OPEN_MAX") < 1 << 16 else 1 << 16)
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    try:
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("-1000")
    except OSError:
        pass  # not root


class _Watch:
    """
    What the guard knows of the lease.

    @ivar end: by L{now}, when the guest must be gone unless the store answers before.
    """

    def __init__(self, end: float) -> None:
        self.end = end


def now() -> float:
    """Return seconds that go on while the machine sleeps, as they do for the store."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _keep(store: Any, watch: _Watch, lease: int, ttl: float, wake: int) -> None:
    """Keep the lease alive, for ever; a store that does not answer may hold this up as long as it likes."""
    while True:
        asked = now()
        try:
            left = store.keepAlive(lease)
        except Exception:  # whatever it is that answers, the lease has not been kept alive
            time.sleep(0.2)
            continue
        if left <= 0:
            os.write(wake, b"x")
            return
        watch.end = max(watch.end, asked + min(ttl, left) - MARGIN)
        time.sleep(ttl / 3)


def guard(
    store: Any, options: dict[str, Any], guest: int, started: int, lease: int, began: float
) -> None:
    """
    Watch a guest until it ends.

    @param began: by L{now}, when the lease was last known to have all its time.
    """
    ttl = float(options["ttl"])
    try:
        handle = os.pidfd_open(guest)
    except ProcessLookupError:
        handle = -1
    if handle >= 0 and startTime(guest) == started:
        watch = _Watch(began + ttl - MARGIN)
        waking, wake = os.pipe()
        waiting = select.poll()
        waiting.register(handle, select.POLLIN)
        waiting.register(waking, select.POLLIN)
        # All of the endpoints are to have their turn in time.
        each = ttl / 2 / max(2, len(options["endpoints"]))
        store.timeout = max(0.5, min(store.timeout, each))
        arguments = (store, watch, lease, ttl, wake)
        threading.Thread(target=_keep, args=arguments, daemon=True).start()
        while not waiting.poll(max(0.0, min(watch.end - now(), 1.0)) * 1000):
            if now() >= watch.end:
                break
        # Another host may have what the guest writes to in a moment.
        try:
            signal.pidfd_send_signal(handle, signal.SIGKILL)
        except ProcessLookupError:
            pass
        waiting.unregister(waking)
        waiting.poll()
    try:
        client({**options, "timeout": min(options["timeout"], 1.0)}).revoke(lease)
    except EtcdError:
        pass  # it ends by itself
    try:
        os.unlink(options["state"])
    except OSError:
        pass


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    if os.fork():
        os._exit(0)
    os.setsid()
    _leaveEverything()
    found = given["found"]
    found.update(guard=os.getpid(), guardStarted=startTime(os.getpid()))
    try:
        note(given["state"], found)
    except OSError:
        pass  # better a guard that nobody knows of than none
    guard(client(given), given, found["guest"], found["started"], found["lease"], now())
    os._exit(0)
