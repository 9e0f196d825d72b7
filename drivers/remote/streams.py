"""
Streams over the wire.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail

from pyvirt.errors import ErrorCode, ErrorDomain, virtError
from pyvirt.protocols.procedures import Procedure, Program
from pyvirt.protocols.rpc import RPCClient

__all__ = ["openStream"]


def openStream(
    protocol: RPCClient, program: Program, procedure: Procedure, arguments: tuple[Any, ...]
) -> Deferred[Any]:
    """Refuse, aloud: the wire's streams are not here yet."""
    return fail(
        virtError(ErrorCode.NO_SUPPORT, procedure.api or procedure.name, ErrorDomain.STREAMS)
    )
