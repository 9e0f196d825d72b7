"""
Answers that are more than a value: with a stream's end or descriptors, which must be let go if nobody takes them.
"""

from __future__ import annotations

import os
from typing import Any, NamedTuple

from pyvirt.drivers.interfaces.streams import IStreamSink, IStreamSource
from pyvirt.errors import ErrorCode, ErrorDomain, virtError
from pyvirt.routes import DescriptorAnswer, StreamAnswer

__all__ = ["Streaming", "closeAll", "discard", "letGo", "streaming"]


class Streaming(NamedTuple):
    """What a call with a stream answers: its result, the driver's end, and the call's arguments."""

    value: Any
    end: Any
    arguments: tuple[Any, ...]


def streaming(answer: Any, arguments: tuple[Any, ...]) -> Any:
    """Make a L{Streaming} of what the router answers for a call with a stream."""
    if answer.__class__ is not StreamAnswer:
        return answer
    return Streaming(answer.value, answer.stream, arguments)


def discard(outcome: Any) -> None:
    """Let go of what an answer holds that nobody is there to take."""
    if outcome.__class__ is DescriptorAnswer:
        closeAll(list(outcome.fds))
    elif outcome.__class__ is Streaming:
        letGo(outcome.end)


def letGo(end: Any) -> None:
    """End a driver's stream that never began."""
    if end is None:
        return
    if IStreamSink.providedBy(end):
        end.abort(
            virtError(
                ErrorCode.OPERATION_ABORTED, "client closed its connection", ErrorDomain.STREAMS
            )
        )
    if IStreamSource.providedBy(end):
        end.stopProducing()


def closeAll(fds: list[int]) -> None:
    """Close descriptors, and forget them."""
    while fds:
        os.close(fds.pop())
