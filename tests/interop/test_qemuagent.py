"""
What guests' agents say and do, and agents that do neither: our QEMU driver beside libvirtd's.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from . import agentemulator
from .agentscripts import ASKING, BAD, DOING, FAILING, GOOD, NESTED, TELLING
from .qemutuningscripts import GUEST
from .qemuworld import LibvirtWorld, PyvirtWorld, World, requireQEMU
from .test_qemutuning import split, squeezed
from .virshsessions import marked

#: What is done before a line: something said to the emulator.
Step = str | dict[str, Any]

_DEADLINE = 60.0


def _port(open_: bool) -> Step:
    """The guest opens or closes its end of the channel."""
    return {"open": open_}


def _agent(answers: dict[str, str | None], sync: str = "right", **more: Any) -> Step:
    """The agent answers like this."""
    return {"answers": answers, "sync": sync, **more}


def _event(name: str, **data: object) -> dict[str, object]:
    """What QEMU tells."""
    return {"event": name, "data": data, "timestamp": agentemulator.WHEN}


def _text(text: str) -> str:
    """Make what an agent says, and what it is told, comparable."""
    return re.sub(r"'\d{9,}'", "'N'", text)


def _wrong(text: str) -> dict[str, str | None]:
    """Answer everything that is looked into with one text."""
    answers: dict[str, str | None] = dict.fromkeys(TELLING, text + "\n")
    if "[" in text:
        # Libvirtd frees disks that it cannot read twice, and comes to its end.
        answers["guest-get-disks"] = GOOD["guest-get-disks"]
    return answers


def _ping(options: str) -> str:
    """The line that asks whether the agent is there."""
    return f"""qemu-agent-command g '{{"execute":"guest-ping"}}' {options}"""


class QEMUAgentTests(SynchronousTestCase):
    """An agent's answers, right and wrong, mean the same to both daemons, which say the same to it."""

    def setUp(self) -> None:
        requireQEMU()
        # What a thread has started ends with that thread.
        self.pool = ThreadPoolExecutor(2)
        self.addCleanup(self.pool.shutdown)
        making = [self.pool.submit(self.world, kind) for kind in (LibvirtWorld, PyvirtWorld)]
        self.worlds = [each.result() for each in making]

    def world(self, kind: type[World]) -> World:
        world = kind()
        self.addCleanup(world.stop)
        for name in ("a", "b"):
            with open(f"{world.folder}/{name}.img", "wb") as file:
                file.truncate(1 << 20)
        shutil.copy(agentemulator.__file__, world.folder)
        emulator = world.write(
            "emulator", f'#!/bin/sh\nexec {sys.executable} {world.folder}/agentemulator.py "$@"\n'
        )
        os.chmod(emulator, 0o755)
        xml = GUEST.replace("FOLDER", world.folder)
        xml = xml.replace("<devices>", f"<devices><emulator>{emulator}</emulator>", 1)
        world.write("keys", "ssh-rsa CCC c\n# nothing\n\nssh-rsa DDD d\n")
        outcome = world.virsh("define", world.write("g.xml", xml))
        self.assertEqual(outcome.status, 0, outcome.stderr)
        return world

    def said(self, world: World, order: dict[str, Any]) -> Any:
        """Say something to the emulator."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(_DEADLINE)
            client.connect(world.folder + "/agent")
            with client.makefile("rwb") as lines:
                lines.write(json.dumps(order).encode() + b"\n")
                lines.flush()
                return json.loads(lines.readline())

    def settled(self, world: World, open_: bool) -> None:
        """Wait until the daemon has met that the guest has opened or closed its end of the channel."""
        ping = """{"execute":"guest-ping"}"""
        end = time.monotonic() + _DEADLINE
        while True:
            errors = world.virsh("qemu-agent-command", "g", ping).stderr
            if ("agent is not connected" in errors) != open_:
                break
            self.assertLess(time.monotonic(), end, errors)
        self.said(world, {"said": True})

    def steps(self, steps: list[Step]) -> None:
        """Do the same on both sides, and compare what virsh says to each line, and what the agent is told."""

        def done(world: World) -> list[tuple[str, list[Any]]]:
            found: list[tuple[str, list[Any]]] = []
            lines: list[str] = []

            def typed() -> None:
                if not lines:
                    return
                text = marked([line.replace("FOLDER", world.folder) for line in lines])
                outcome = world.virsh(input=text, deadline=300.0)
                parts = [split(squeezed(each, world)) for each in (outcome.stdout, outcome.stderr)]
                for number, line in enumerate(lines):
                    answers = [[_text(each) for each in part.get(number, ["?"])] for part in parts]
                    found.append((line, answers))
                lines.clear()

            for step in steps:
                if isinstance(step, str):
                    lines.append(step)
                    continue
                typed()
                if "until" in step:
                    world._wait(
                        lambda state=step["until"]: state in world.virsh("domstate", "g").stdout,
                        step["until"],
                    )
                    continue
                answer = self.said(world, step)
                if "open" in step:
                    self.settled(world, step["open"])
                if step.get("said"):
                    found.append(("what the agent is told", answer))
            typed()
            return found

        theirs, ours = self.pool.map(done, self.worlds)
        context = ""
        for (line, expected), (_, got) in zip(theirs, ours, strict=True):
            if line.startswith("echo "):
                context = line
            if expected == got:
                continue
            if "End of file from agent" in str(expected) and (
                line.startswith("shutdown") or "agent is not connected" in str(got)
            ):
                # Who hangs up: libvirtd's threads meet the end of the channel before what else tells of that, or after.
                continue
            if not line.startswith("what"):
                expected, got = (
                    [text for part in each for text in part] for each in (expected, got)
                )
            both = [[json.dumps(each, sort_keys=True) for each in side] for side in (expected, got)]
            parts = [[each for each in both[0] if each not in both[1]] or both[0]]
            parts.append([each for each in both[1] if each not in both[0]] or both[1])
            self.found.append(f"{context} # {line}\n  libvirtd: {parts[0]}\n  ours:     {parts[1]}")

    def test_agent(self) -> None:
        """
        All that an agent can tell or do, and agents that refuse or tell something else than they should.
        """
        self.found: list[str] = []
        self.steps([*ASKING, *DOING, "start g", *ASKING, *DOING])
        said: Step = {"said": True}
        self.steps([_agent(GOOD), _port(True), *ASKING, *DOING, said])
        self.steps(
            [
                step
                for name, text in BAD.items()
                for step in (
                    _agent(_wrong(text)),
                    f"echo {name}",
                    *ASKING,
                    said,
                )
            ]
        )
        # To all that is refused, the answer is in the words of the agent.
        refused = [line for line in DOING if "command" not in line or '"execute"' in line]
        self.steps(
            [
                step
                for name, text in FAILING.items()
                for step in (_agent({"*": text}), f"echo {name}", *ASKING, *refused, said)
            ]
        )
        self.steps(
            [
                step
                for command, lines, texts in NESTED
                for text in texts
                for step in (
                    _agent({**GOOD, command: f'{{"return": {text}}}\n'}),
                    f"echo '{command} {text}'",
                    *lines,
                    said,
                )
            ]
        )
        if self.found:
            self.fail("\n".join(self.found))

    def test_going(self) -> None:
        """
        Agents that have their guest go or sleep, and do not answer; agents that make no sense, until the guest opens
        its end of the channel again.
        """
        self.found = []
        begin: list[Step] = ["start g", _agent(GOOD), _port(True)]
        ended = [{"until": "shut off"}, "domstate g --reason"]
        steps: list[Step] = []
        shut = _event("SHUTDOWN", guest=True, reason="guest-shutdown")
        reset = _event("RESET", guest=True, reason="guest-reset")
        for command, line, happens in (
            ("guest-shutdown", "shutdown g --mode agent", [shut]),
            ("guest-shutdown", "shutdown g", [shut]),
            ("guest-suspend-disk", "dompmsuspend g disk", [_event("SUSPEND_DISK"), shut]),
        ):
            answers = {**GOOD, command: None}
            steps += [*begin, {"answers": answers, "events": {command: happens}}, line, *ended]
        steps += [*begin, {"answers": {**GOOD, "guest-shutdown": None}}]
        steps += [{"events": {"guest-shutdown": [reset]}}, "reboot g --mode agent"]
        for command, line in (
            ("guest-suspend-ram", "dompmsuspend g mem"),
            ("guest-suspend-hybrid", "dompmsuspend g hybrid"),
        ):
            answers = {**GOOD, command: None}
            steps += [{"answers": answers, "events": {command: [_event("SUSPEND")]}}, line]
            steps += ["domstate g --reason", "domtime g", {"event": _event("WAKEUP")}]
            steps += [{"until": "running"}, "domstate g --reason"]
        for answer in (
            '{"return": 17',
            'garbage\n{"return": 1700000000123456789}\n',
            '{"event": "X"}\n{"return": 1700000000123456789}\n',
            '{"return": 5, "error": {"desc": "x"}}\n',
            '{"id": 3}\n',
            "[1]\n",
            '"x"\n',
            '{"return":\n 1700000000123456789}\n',
            '{"return": 1700000000123456789} {"return": 1}\n',
        ):
            steps += [
                "guest-agent-timeout g --timeout 1",
                _agent({**GOOD, "guest-get-time": answer}),
            ]
            steps += ["domtime g", "domhostname g --source agent", {"said": True}]
            steps += [_port(False), "domtime g", _port(True), _agent(GOOD), "domtime g"]
        for way in ("wrong", "noisy", "gone"):
            steps += [_agent(GOOD, way), "domtime g", "guestinfo g --os", {"said": True}]
        self.steps([*steps, {"said": True}])
        if self.found:
            self.fail("\n".join(self.found))

    def test_silence(self) -> None:
        """
        Agents that say nothing, are late, or hang up.
        """
        self.found = []
        self.steps(["start g", _agent(GOOD), _port(True)])
        hanging: list[Step] = [
            *("domtime g", "domhostname g --source agent"),
            _ping("--timeout 1"),
            _ping("--async"),
            "dumpxml g --xpath //channel/target/@state",
        ]
        self.steps(
            [
                *("guest-agent-timeout g --timeout 1", _agent({"*": None}), *hanging),
                *(_agent(GOOD, "silent"), "domtime g", "guestinfo g --os"),
                *(_agent(GOOD, late=True), "domtime g"),
                *("guest-agent-timeout g --timeout -2", _agent(GOOD)),
                *("domhostname g --source agent", "domtime g"),
            ]
        )
        self.steps(
            [
                *(_agent({"*": ""}), "domtime g", *hanging, "shutdown g --mode agent"),
                *(_port(False), "domtime g", _agent(GOOD), _port(True)),
                *("domtime g", "guestinfo g --os"),
            ]
        )
        if self.found:
            self.fail("\n".join(self.found))
