"""
The part of a connection that everything else builds on: its session, and its view with or without a deadline.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, fail

from pyvirt.client.session import Session, Stubs
from pyvirt.errors import VirtError, argumentError
from pyvirt.protocols.programs import REMOTE
from pyvirt.routes.checks import readOnlyCheck

if TYPE_CHECKING:
    from pyvirt.client.connect import Connect
    from pyvirt.protocols.programs.remote import Remote

__all__ = ["ConnectBase"]


class ConnectBase:
    """
    A view of a session: the same connection, with a deadline of its own.

    @ivar _session: shared by all views.
    @ivar _stubs: the procedures, called with this view's deadline.
    """

    def __init__(self, _obj: Session, _stubs: Stubs | None = None) -> None:
        self._session = _obj
        self._stubs = _obj.stubs() if _stubs is None else _stubs
        self._remote: Remote = self._stubs.remote

    @property
    def _connect(self) -> Connect:
        """This connection, by the type that handles know."""
        connect: Any = self
        return connect  # type: ignore[no-any-return]

    def _refused(self, name: str, argument: str, problem: str, domain: int) -> Deferred[Any]:
        """Fail as libvirt's own check of an argument does, which comes after that for read-only connections."""
        procedure = REMOTE.byName[name]
        check = readOnlyCheck(procedure) if self._session.readOnly else None
        if check is not None and not procedure.readOnly.allowed:
            try:
                check(())
            except VirtError:
                return fail()
        return fail(argumentError(procedure.api or name, argument, problem, domain))

    def c_pointer(self) -> int:
        """Return a number that tells this connection from others."""
        return id(self._session)
