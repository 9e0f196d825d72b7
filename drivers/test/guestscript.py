"""
The guest at the other end of a console: it echoes what is typed, lets anybody log in and knows a few commands.

Pure: bytes in, bytes out; what it does to its machine it asks for by a word.
"""

from __future__ import annotations

__all__ = ["Guest"]

#: The longest line that is kept.
_LONGEST = 4096


class Guest:
    """
    A terminal with a login and a shell.

    @ivar wish: C{poweroff} or C{reboot} once that was typed, else None.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._user: str | None = None
        self._line = bytearray()
        self.wish: str | None = None

    def greeting(self) -> bytes:
        """Return what is on the screen when somebody comes."""
        return b"\r\n" + self._prompt()

    def _prompt(self) -> bytes:
        host = f"{self._name}host"
        if self._user is None:
            return f"{host} login: ".encode()
        return f"{self._user}@{host}:~$ ".encode()

    def typed(self, data: bytes) -> bytes:
        """
        Take keys.

        @return: what appears.
        """
        out = bytearray()
        for byte in data:
            if byte in b"\r\n":
                line = bytes(self._line).decode("utf-8", "replace").strip()
                self._line.clear()
                out += b"\r\n" + self._entered(line).replace("\n", "\r\n").encode()
                out += self._prompt()
            elif byte in (8, 127):
                if self._line:
                    del self._line[-1]
                    out += b"\b \b"
            elif byte == 3:
                self._line.clear()
                out += b"^C\r\n" + self._prompt()
            elif byte == 4 and not self._line:
                self._user = None
                out += b"logout\r\n\r\n" + self._prompt()
            elif byte >= 32 and len(self._line) < _LONGEST:
                self._line.append(byte)
                out.append(byte)
        return bytes(out)

    def _entered(self, line: str) -> str:
        """Do what a line says, and return what it prints."""
        if self._user is None:
            self._user = line or None
            return ""
        command, _, rest = line.partition(" ")
        if command == "echo":
            return rest + "\n"
        if command == "hostname":
            return f"{self._name}host\n"
        if command == "whoami":
            return f"{self._user}\n"
        if command == "uname":
            return "Linux\n"
        if command == "exit":
            self._user = None
            return "logout\n\n"
        if command in ("poweroff", "reboot"):
            self.wish = command
            return ""
        if command == "help":
            return "echo exit help hostname poweroff reboot uname whoami\n"
        return f"{command}: command not found\n" if command else ""
