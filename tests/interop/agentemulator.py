"""
An emulator whose guest has an agent that says what a test wants: run as a program, in the place of QEMU.

It runs QEMU, but keeps two sockets of it to itself: that of the guest agent's channel, on which it answers as the agent,
and that of the monitor, into which it puts events that a guest would cause.  What it does is said through the socket
C{agent} beside it, one line of JSON each:

  - C{answers}: by command, the text to answer with; C{null}: nothing; an empty text: hang up.  C{*} is for all others.
  - C{sync}: how to answer those who synchronise: C{right}, C{wrong}, C{silent}, C{noisy}, C{gone}.
  - C{late}: the answer comes only before that to the next synchronisation.
  - C{events}: by command, events of the monitor that it causes.
  - C{event}: an event of the monitor.
  - C{open}: the guest opens or closes its end of the agent's channel.
  - C{said}: answer with what the agent was told since.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import sys
import threading

QEMU = "/usr/bin/qemu-system-x86_64"
AGENT = "org.qemu.guest_agent.0"
WHEN = {"seconds": 1700000000, "microseconds": 0}
NOT_FOUND = '{"error": {"class": "CommandNotFound", "desc": "The command %s has not been found"}}\n'


class Helper:
    """The agent, and what stands between the monitor and its daemon."""

    def __init__(
        self, monitor: socket.socket, agent: socket.socket, qemu: str, channel: str
    ) -> None:
        self.monitor, self.agent, self.qemu, self.channel = monitor, agent, qemu, channel
        self.client: socket.socket | None = None
        self.lock = threading.Lock()
        self.answers: dict[str, str | None] = {}
        self.sync = "right"
        self.late = False
        self.held = b""
        self.events: dict[str, list[object]] = {}
        self.said: list[object] = []

    def monitors(self) -> None:
        """Pass on what the daemon and QEMU say, one daemon after the other."""
        while True:
            client, _ = self.monitor.accept()
            qemu = socket.socket(socket.AF_UNIX)
            try:
                qemu.connect(self.qemu)
            except OSError:
                os._exit(0)
            self.client = client
            threading.Thread(target=self.commands, args=(client, qemu), daemon=True).start()
            with qemu.makefile("rb") as lines:
                for line in lines:
                    self.tell(line)
            with self.lock:
                self.client = None
                client.shutdown(socket.SHUT_RDWR)

    def tell(self, line: bytes) -> None:
        """Say something to the daemon."""
        with self.lock:
            try:
                if self.client is not None:
                    self.client.sendall(line)
            except OSError:
                pass

    @staticmethod
    def commands(client: socket.socket, qemu: socket.socket) -> None:
        """Pass on what the daemon says."""
        try:
            while data := client.recv(1 << 16):
                qemu.sendall(data)
            qemu.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def agents(self) -> None:
        """Answer one daemon after the other."""
        while True:
            client, _ = self.agent.accept()
            with client, client.makefile("rb") as lines:
                try:
                    for line in lines:
                        if not self.answered(client, line):
                            break
                except OSError:
                    pass
                try:
                    client.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def answered(self, client: socket.socket, line: bytes) -> bool:
        """Answer a line; False: hang up."""
        clean = line.rpartition(b"\xff")[2]
        try:
            message = json.loads(clean)
        except ValueError:
            self.said.append(repr(clean))
            return True
        command = message.get("execute") if isinstance(message, dict) else None
        if str(command).startswith("guest-sync"):
            number = message["arguments"]["id"]
            head = b"\xff" if command == "guest-sync-delimited" else b""
            right, self.held = self.held + head + b'{"return": %d}\n' % number, b""
            if self.sync == "gone":
                return False
            if self.sync == "wrong":
                client.sendall(head + b'{"return": %d}\n' % (number + 1))
            elif self.sync == "noisy":
                client.sendall(b'{"return": 7}\nhal{f a line\n{"return": {}}\n' + right)
            elif self.sync == "right":
                client.sendall(right)
            return True
        self.said.append(message)
        text = self.answers.get(str(command), self.answers.get("*", NOT_FOUND % command))
        for event in self.events.get(str(command), []):
            self.tell(json.dumps(event).encode() + b"\r\n")
        if text and self.late:
            self.held = text.encode("latin-1")
        elif text:
            client.sendall(text.encode("latin-1"))
        return text != ""

    def control(self, listening: socket.socket) -> None:
        """Do what the test says."""
        while True:
            client, _ = listening.accept()
            with client, client.makefile("rwb") as lines:
                for line in lines:
                    order = json.loads(line)
                    self.answers = order.get("answers", self.answers)
                    self.sync = order.get("sync", self.sync)
                    self.late = order.get("late", False)
                    self.events = order.get("events", {})
                    if "event" in order:
                        self.tell(json.dumps(order["event"]).encode() + b"\r\n")
                    if "open" in order:
                        data = {"open": order["open"], "id": self.channel}
                        event = {"event": "VSERPORT_CHANGE", "data": data, "timestamp": WHEN}
                        self.tell(json.dumps(event).encode() + b"\r\n")
                    said: object = None
                    if order.get("said"):
                        said, self.said = self.said, []
                    lines.write(json.dumps(said).encode() + b"\n")
                    lines.flush()


def _listening(options: dict[str, str]) -> socket.socket:
    """Take over the socket of a character device."""
    if "fd" in options:
        return socket.socket(fileno=int(options["fd"]))
    made = socket.socket(socket.AF_UNIX)
    made.bind(options["path"])
    made.listen(5)
    return made


def _channel(arguments: list[str]) -> str | None:
    """Find the alias of the agent's channel, whichever place it has among the guest's channels."""
    for each in arguments:
        if AGENT in each and each.startswith("{"):
            return str(json.loads(each)["id"])
    return None


def main(arguments: list[str]) -> None:
    """Be QEMU."""
    channel = _channel(arguments)
    kept: dict[str, socket.socket] = {}
    inner = socket.socket(socket.AF_UNIX)
    inner.bind("")
    for number, each in enumerate(arguments):
        if arguments[number - 1] != "-chardev":
            continue
        options = dict(part.partition("=")[::2] for part in each.split(","))
        name = options.get("id", "")
        if name == "charmonitor":
            kept[name] = _listening(options)
            inner.listen(5)
            inner.set_inheritable(True)
            arguments[number] = f"socket,id={name},fd={inner.fileno()},server=on,wait=off"
        elif channel is not None and name == "char" + channel:
            kept[name] = _listening(options)
            arguments[number] = f"null,id={name}"
    if channel is not None and len(kept) == 2 and os.fork() == 0:
        ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG: end with QEMU
        monitor, agent = (kept[each].dup() for each in ("charmonitor", "char" + channel))
        address = inner.getsockname()
        place = os.path.join(os.path.dirname(os.path.abspath(__file__)), "agent")
        if os.path.exists(place):
            os.unlink(place)
        control = socket.socket(socket.AF_UNIX)
        control.bind(place)
        control.listen(5)
        # Who started QEMU waits for the ends of pipes that it was given.
        mine = {each.fileno() for each in (monitor, agent, control)}
        for descriptor in map(int, os.listdir("/proc/self/fd")):
            if descriptor not in mine:
                try:
                    os.close(descriptor)
                except OSError:
                    pass
        os.open("/dev/null", os.O_RDWR)
        os.dup2(0, 1)
        os.dup2(0, 2)
        os.setsid()
        helper = Helper(monitor, agent, address, channel)
        threading.Thread(target=helper.agents, daemon=True).start()
        threading.Thread(target=helper.control, args=(control,), daemon=True).start()
        helper.monitors()
    for each in kept.values():
        each.close()
    os.execv(QEMU, [QEMU, *arguments[1:]])


if __name__ == "__main__":
    main(sys.argv)
