"""
JSON messages, one to a line, from a peer that is not trusted: L{LineReader}.

QEMU's monitor and the guest agent both speak so.  What comes in is bounded, and nothing is scanned twice, however
small the pieces in which a large message comes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

__all__ = ["LineReader", "Nonsense", "encode"]


class Nonsense(Exception):
    """
    The peer says what no peer says; the text tells what was wrong.

    @ivar line: what it said, None if that was too long.
    """

    def __init__(self, text: str, line: bytes | None = None) -> None:
        super().__init__(text)
        self.line = line


def encode(message: Any) -> bytes:
    """Write one message as a line."""
    return json.dumps(message, separators=(",", ":")).encode() + b"\r\n"


class LineReader:
    """
    Splits bytes into lines and reads a JSON object from each.

    @ivar maximum: the longest line accepted, in bytes.
    """

    def __init__(self, maximum: int) -> None:
        self.maximum = maximum
        self._pieces: list[bytes] = []
        self._size = 0

    def clear(self) -> None:
        """Forget a line that has begun."""
        self._pieces.clear()
        self._size = 0

    def receive(self, data: bytes) -> Iterator[dict[str, Any]]:
        """
        Iterate over the messages that C{data} completes.

        @raise Nonsense: a line is too long, or no JSON object.
        """
        start = 0
        while True:
            end = data.find(b"\n", start)
            if end < 0:
                rest = data[start:]
                self._size += len(rest)
                if self._size > self.maximum:
                    raise Nonsense(f"a message is longer than {self.maximum} bytes")
                if rest:
                    self._pieces.append(rest)
                return
            line = data[start:end]
            start = end + 1
            if self._pieces:
                self._pieces.append(line)
                line = b"".join(self._pieces)
                self.clear()
            if len(line) > self.maximum:
                raise Nonsense(f"a message is longer than {self.maximum} bytes")
            line = line.strip()
            if line:
                yield self._read(line)

    @staticmethod
    def _read(line: bytes) -> dict[str, Any]:
        try:
            message = json.loads(line)
        except (ValueError, RecursionError) as problem:
            raise Nonsense(f"a message is no JSON: {line[:200]!r}", line) from problem
        if not isinstance(message, dict):
            raise Nonsense(f"a message is no object: {line[:200]!r}", line)
        return message
