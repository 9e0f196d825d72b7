"""
Replies that a driver which tests clients wants broken: the session's half of L{BrokenReply}.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyvirt.daemon.answers import Streaming, closeAll, letGo
from pyvirt.drivers.interfaces.faults import Breakage, BrokenReply
from pyvirt.protocols.message import MessageType, Status, pack
from pyvirt.protocols.procedures import Program
from pyvirt.protocols.xdr import XDRError
from pyvirt.routes import DescriptorAnswer, StreamAnswer

if TYPE_CHECKING:
    from pyvirt.daemon.calls import Call
    from pyvirt.daemon.session import Session

__all__ = ["breakReply"]


def breakReply(
    session: Session, program: Program, call: Call, serial: int, broken: BrokenReply
) -> None:
    """Do to the reply to a call what was asked for."""

    def packed(payload: bytes) -> bytes:
        return pack(
            program.number,
            program.version,
            call.procedure.number,
            MessageType.REPLY,
            serial,
            Status.OK,
            payload,
        )

    value = _plain(broken.value)
    if broken.how is Breakage.GARBLED:
        # What decodes by chance would be no fault: nothing is that begins with so great a length.
        session.send(packed(b"\xff" * 4 + broken.noise if call.hasResult else b"\xff"))
        return
    if broken.how is Breakage.SILENCE:
        _silence(session)
        return
    last = b""
    if broken.how is Breakage.CUT:
        try:
            whole = packed(call.encode((value,)) if call.hasResult else b"")
        except XDRError:
            whole = packed(b"")
        # At least one byte, and never all of them.
        last = whole[: min(max(int(len(whole) * broken.share), 1), len(whole) - 1)]
    elif broken.how is Breakage.NOISE:
        last = broken.noise
    if last:
        session.send(last)
    _endAfter(session)


def _plain(value: Any) -> Any:
    """Return a result without what comes with it, which is let go."""
    if value.__class__ is DescriptorAnswer:
        closeAll(list(value.fds))
        return value.value
    if value.__class__ is StreamAnswer:
        letGo(value.stream)
        return value.value
    if value.__class__ is Streaming:
        letGo(value.end)
        return value.value
    return value


def _endAfter(session: Session) -> None:
    """Send nothing after what was sent, and close."""
    session.closing = True
    session.stopKeepalive()
    # What was answered in this turn leaves at its end.
    session.clock.callLater(0, session.close)
    _mute(session)


def _mute(session: Session) -> None:
    """Let everything that would be sent from now on be lost."""

    def nothing(*data: Any) -> None:
        pass

    setattr(session, "send", nothing)  # noqa: B010
    setattr(session, "writeNow", nothing)  # noqa: B010
    setattr(session, "sendWithDescriptors", nothing)  # noqa: B010


def _silence(session: Session) -> None:
    """Hear nothing and say nothing any more, until the client gives up."""
    session.closing = True
    session.stopKeepalive()
    _mute(session)

    def deaf(data: bytes) -> None:
        pass

    setattr(session, "dataReceived", deaf)  # noqa: B010
