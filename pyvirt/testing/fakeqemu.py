"""
A QEMU that runs nothing: L{FakeQEMU}, a program that a domain can name as its emulator.

It can be probed and started, talks QMP, and goes wrong where it is told to: it dies, says nothing, talks nonsense or
refuses, at its start, in its greeting or at any command.  What it is told (L{FakeQEMU.plan}) it looks up at each
command, so a test can change its mind while a guest runs; what it was asked is written down (L{FakeQEMU.asked}).
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping

__all__ = ["FakeQEMU"]

_SCRIPT = r'''#!PYTHON -IS
import json, os, signal, socket, sys, threading, time
here = os.path.realpath(sys.argv[0])
words = " ".join(sys.argv)
kind = "probe" if "none,accel" in words else "guest"
state = {"status": "inmigrate" if "-incoming" in sys.argv else "prelaunch"}
# How far a migration is; the descriptor that it goes to or comes from, and what was switched on for it.
moving = {"status": "none", "fd": None, "on": set(), "goes": threading.Event()}
talking = threading.RLock()

def fault(at):
    try:
        with open(here + ".plan") as file:
            return json.load(file).get(kind, {}).get(at)
    except (OSError, ValueError):
        return None

def note(at):
    with open(here + ".asked", "a") as file:
        file.write(kind + " " + str(os.getpid()) + " " + at + "\n")

def die(action):
    if action == "die":
        os.write(2, ("qemu-system-x86_64: " + DEATH + "\n").encode())
        os._exit(1)
    if action == "vanish":
        os._exit(0)
    if action == "crash":
        os.kill(os.getpid(), signal.SIGKILL)

DEATH = "the fake was told to die"
note("start")
die(fault("start"))
if fault("start") == "hang":
    time.sleep(3600)
for word in sys.argv:
    if word.startswith(("socket,id=mon,", "socket,id=charmonitor,")):
        given = socket.socket(fileno=int(word.split(",fd=")[1].split(",")[0]))
        listens = "server=on" in word
        break
monitor = given.accept()[0] if listens else given

def say(message):
    with talking:
        monitor.sendall(json.dumps(message).encode() + b"\r\n")

def event(name, **data):
    now = time.time()
    stamp = {"seconds": int(now), "microseconds": int(now % 1 * 1000000)}
    say({"event": name, "data": data, "timestamp": stamp})

def spoil(action, id):
    die(action)
    if action == "hang":
        while True:
            if not monitor.recv(65536):
                os._exit(0)
    if action == "mute":
        return True
    if action == "nonsense":
        monitor.sendall(b"\x00\xff{{]no\r\n")
        return True
    if action == "endless":
        try:
            while True:
                monitor.sendall(b"[" * 65536)
        except OSError:
            os._exit(0)
    if action == "wrong":
        say({"return": 17, "id": id})
        return True
    if action == "stranger":
        say({"return": {}, "id": "of-somebody-else"})
        return False
    if action == "twice":
        say({"return": {}, "id": id})
        return False
    if action == "bare":
        say({})
        return True
    if action == "cut":
        monitor.sendall(b'{"return": {')
        os._exit(0)
    if action == "refuse":
        say({"error": {"class": "GenericError", "desc": "the fake refuses"}, "id": id})
        return True
    return False

def reach(status):
    """Go on with a migration, and say so; one that was given up does not."""
    note("@" + status)
    spoil(fault("@" + status), None)
    with talking:
        if moving["status"] in ("cancelled", "failed"):
            raise EOFError
        moving["status"] = status
        if "events" in moving["on"]:
            event("MIGRATION", status=status)

def over(status):
    with talking:
        if moving["status"] in ("none", "cancelled", "failed", "completed"):
            return
        moving["status"] = status
        if status != "completed" and state["status"] == "finish-migrate":
            state["status"] = "running"
            event("RESUME")
        if "events" in moving["on"]:
            event("MIGRATION", status=status)

def send(out):
    try:
        reach("setup")
        reach("active")
        os.write(out, b"memory")
        if state["status"] == "running":
            state["status"] = "finish-migrate"
            event("STOP")
        if "pause-before-switchover" in moving["on"]:
            reach("pre-switchover")
            moving["goes"].wait()
            reach("device")
        os.write(out, b"devices")
        os.close(out)
        with talking:
            reach("completed")
            state["status"] = "postmigrate"
    except (OSError, EOFError):
        os.close(out)
        over("failed")

def receive(source):
    try:
        if not isinstance(source, int):
            source = source.accept()[0].detach()
        reach("active")
        come = b""
        while not come.endswith(b"devices"):
            data = os.read(source, 65536)
            if not data:
                raise EOFError
            come += data
        os.close(source)
        with talking:
            state["status"] = "paused"
            reach("completed")
    except (OSError, EOFError):
        os.write(2, b"qemu-system-x86_64: load of migration failed: Input/output error\n")
        os._exit(1)

def opened(uri, listens):
    if uri.startswith("fd:"):
        fd, moving["fd"] = moving["fd"], None
        return fd
    made = socket.socket(socket.AF_UNIX)
    if listens:
        made.bind(uri.removeprefix("unix:"))
        made.listen(1)
        return made
    made.connect(uri.removeprefix("unix:"))
    return made.detach()

def answer(command, arguments):
    if command in REPLIES:
        return REPLIES[command]
    if command == "migrate-set-capabilities":
        for each in arguments["capabilities"]:
            (moving["on"].add if each["state"] else moving["on"].discard)(each["capability"])
    elif command in ("migrate", "migrate-incoming"):
        work = receive if command == "migrate-incoming" else send
        moving["status"] = "none"
        moving["goes"].clear()
        end = opened(arguments["uri"], work is receive)
        threading.Thread(target=work, args=(end,), daemon=True).start()
    elif command == "migrate-continue":
        moving["goes"].set()
    elif command == "migrate_cancel":
        over("cancelled")
        moving["goes"].set()
    elif command == "query-migrate":
        ram = {"transferred": 6, "remaining": 0, "total": 13}
        return {} if moving["status"] == "none" else {"status": moving["status"], "ram": ram}
    if command == "query-status":
        return {"status": state["status"], "running": state["status"] == "running", "singlestep": False}
    if command == "query-cpus-fast":
        return [{"cpu-index": 0, "thread-id": os.getpid(), "qom-path": "/machine/unattached/device[0]",
                 "target": "x86_64", "props": {}}]
    if command == "cont":
        state["status"] = "running"
        event("RESUME")
    elif command == "stop":
        state["status"] = "paused"
        event("STOP")
    elif command == "system_powerdown":
        event("POWERDOWN")
        event("SHUTDOWN", guest=True, reason="guest-shutdown")
        event("STOP")
        state["status"] = "shutdown"
    elif command == "system_reset":
        event("RESET", guest=False, reason="host-qmp-system-reset")
    elif command.startswith(("query-", "qom-list")) or command in ("x-query",):
        return []
    return {}

QEMU = {"qemu": {"major": 7, "minor": 2, "micro": 22}, "package": "fake"}
TYPES = ["i440FX-pcihost", "q35-pcihost", "isa-serial", "virtio-blk-pci", "virtio-net-pci", "virtio-balloon-pci",
         "ide-hd", "ide-cd", "secret", "memory-backend-ram", "qemu64-x86_64-cpu", "piix3-ide", "VGA"]
COMMANDS = ["query-version", "cont", "stop", "quit", "blockdev-add", "device_add", "device_del", "migrate",
            "migrate-set-capabilities", "set-action", "query-hotpluggable-cpus", "netdev_add", "object-add"]
REPLIES = {
    "query-version": QEMU,
    "query-target": {"arch": "x86_64"},
    "query-kvm": {"enabled": False, "present": False},
    "query-commands": [{"name": each} for each in COMMANDS],
    "qom-list-types": [{"name": each, "parent": "object"} for each in TYPES],
    "query-machines": [{"name": "pc-i440fx-7.2", "alias": "pc", "cpu-max": 255, "hotpluggable-cpus": True,
                        "is-default": True, "numa-mem-supported": False, "deprecated": False,
                        "default-cpu-type": "qemu64-x86_64-cpu", "default-ram-id": "pc.ram"}],
    "query-cpu-definitions": [{"name": "qemu64", "typename": "qemu64-x86_64-cpu", "unavailable-features": [],
                               "migration-safe": True, "static": False, "deprecated": False}],
    "query-tpm-models": [], "query-tpm-types": [], "query-command-line-options": [], "query-qmp-schema": [],
    "query-cpu-model-expansion": {"model": {"name": "max", "props": {}}},
}

def talk():
    """Until whoever asks has hung up."""
    note("greeting")
    if not spoil(fault("greeting"), None):
        say({"QMP": {"version": QEMU, "capabilities": []}})
    pending = b""
    while True:
        data, brought, _, _ = socket.recv_fds(monitor, 65536, 4)
        if not data:
            return
        if brought:
            moving["fd"] = brought[-1]
        pending += data
        while b"\n" in pending:
            line, _, pending = pending.partition(b"\n")
            if not line.strip():
                continue
            message = json.loads(line)
            command = message.get("execute") or message.get("exec-oob")
            note(command)
            if not spoil(fault(command), message.get("id")):
                with talking:
                    reply = answer(command, message.get("arguments", {}))
                    say({"return": reply, "id": message.get("id")})
            if command == "quit":
                os._exit(0)

while True:
    try:
        talk()
    except OSError:
        pass
    if not listens:
        os._exit(0)
    # The daemon is gone; the guest goes on, until another one comes.
    monitor.close()
    monitor = given.accept()[0]
'''


class FakeQEMU:
    """
    A program in a folder of the test's.

    Faults are told as C{plan(guest={"cont": "die"})}: at which command, or C{"start"} or C{"greeting"}, what happens:

      - C{die}: it complains and exits; C{vanish}: it exits without a word; C{crash}: it is killed;
      - C{hang}: it stops listening; C{mute}: it gives no answer;
      - C{nonsense}: what it says is no JSON; C{endless}: a message without end; C{bare}: an empty message;
        C{cut}: half a message, then it exits;
      - C{wrong}: an answer of another kind; C{stranger}: an answer that nobody asked for, then the right one;
        C{twice}: two answers; C{refuse}: an error.

    It migrates to another such program through a UNIX socket or a descriptor, and notes how far it is as
    C{"@active"}, C{"@pre-switchover"} and so on, where it can C{die}, C{vanish} or C{crash} too.

    @ivar path: what domains name as their emulator.
    """

    def __init__(self, folder: str, python: str = sys.executable) -> None:
        """
        @param folder: where it is made; there, made if it is not.
        @param python: what runs it.
        """
        os.makedirs(folder, exist_ok=True)
        self.path = os.path.join(os.path.realpath(folder), "qemu-system-x86_64")
        with open(self.path, "w") as file:
            file.write(_SCRIPT.replace("PYTHON", python, 1))
        os.chmod(self.path, 0o755)

    def plan(
        self, guest: Mapping[str, str] | None = None, probe: Mapping[str, str] | None = None
    ) -> None:
        """
        Say what goes wrong from now on, and nothing else does.

        @param guest: of those that run a guest.
        @param probe: of those that are only asked what they can do.
        """
        temporary = self.path + ".plan.new"
        with open(temporary, "w") as file:
            json.dump({"guest": dict(guest or {}), "probe": dict(probe or {})}, file)
        os.rename(temporary, self.path + ".plan")

    def asked(self, kind: str = "guest") -> list[tuple[int, str]]:
        """
        Return what it was asked: the process, and C{"start"}, C{"greeting"} or a command.

        @param kind: C{"guest"}, or C{"probe"}.
        """
        try:
            with open(self.path + ".asked") as file:
                lines = [line.split() for line in file]
        except FileNotFoundError:
            return []
        return [(int(pid), what) for each, pid, what in lines if each == kind]

    def forget(self) -> None:
        """Forget what was asked."""
        with open(self.path + ".asked", "w"):
            pass

    def processes(self) -> list[int]:
        """Return which of those that were started are still there."""
        found = []
        for pid in sorted({pid for kind in ("guest", "probe") for pid, _ in self.asked(kind)}):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    if self.path.encode() in file.read():
                        found.append(pid)
            except OSError:
                continue
        return found
