"""
An open connection.
"""

from __future__ import annotations

from operator import index
from types import TracebackType
from typing import TYPE_CHECKING

from pyvirt.client.connectdevices import ConnectDevices
from pyvirt.client.connectdomains import ConnectDomains
from pyvirt.client.connectevents import ConnectEvents
from pyvirt.client.connecthost import ConnectHost
from pyvirt.client.connectnetworks import ConnectNetworks
from pyvirt.client.connectstorage import ConnectStorage
from pyvirt.client.deferring import deferred
from pyvirt.client.stream import Stream

if TYPE_CHECKING:
    from pyvirt.client.session import Stubs

__all__ = ["Connect"]


class Connect(
    ConnectHost,
    ConnectDomains,
    ConnectNetworks,
    ConnectStorage,
    ConnectDevices,
    ConnectEvents,
):
    """
    An open connection.

    Calls pipeline: any number may be outstanding, and their answers may come in another order.  When the
    connection is lost, every pending call fails with L{OutcomeUnknown<pyvirt.errors.OutcomeUnknown>}.
    Cancelling a C{Deferred} forgets the answer; the operation may still happen.

    It is an asynchronous context manager that closes itself.
    """

    def deadline(self, seconds: float | None) -> Connect:
        """
        Return this connection with a deadline for the answer to each call, also through what is looked up on it.

        A call whose deadline passes fails with C{VIR_ERR_OPERATION_TIMEOUT}; what it asked for may still happen.

        @param seconds: None: no deadline.
        """
        stubs: Stubs = self._session.stubs(seconds)
        return type(self)(self._session, stubs)

    @deferred
    async def close(self) -> int:
        """
        Close it: no callback is called any more, pending calls fail.  Fires with 0 once it is closed.

        Closing it again does nothing.
        """
        await self._session.close()
        return 0

    def isAlive(self) -> int:
        """Return 1 as long as nothing is known to be broken, else 0."""
        return int(not self._session.closed and self._session.connection.isAlive())

    @deferred
    async def getURI(self) -> str:
        """Fire with the URI that was opened."""
        uri = self._session.connection.uri
        return uri if uri else await self._remote.connectGetURI()

    @deferred
    async def isSecure(self) -> int:
        """Fire with 1 if nobody on the way to the hypervisor can read or change what is said, else 0."""
        secure = await self._remote.connectIsSecure()
        return int(bool(secure) and self._session.connection.isSecure())

    @deferred
    async def isEncrypted(self) -> int:
        """Fire with 1 if what is said is encrypted all the way to the hypervisor, else 0."""
        secure = await self._remote.connectIsSecure()
        return int(bool(secure) and self._session.connection.isEncrypted())

    @deferred
    async def setKeepAlive(self, interval: int, count: int) -> int:
        """
        Give the connection up when the daemon is silent.

        @param interval: seconds of silence before a ping, and between pings; 0 or less: never.
        @param count: pings without an answer that end the connection.
        @return: fires with 0; with 1 if the daemon does not know how.
        """
        return self._session.caller.setKeepAlive(index(interval), index(count))

    def newStream(self, flags: int = 0) -> Stream:
        """Return a stream that a call can open: C{VIR_STREAM_*}."""
        return Stream(self, flags)

    async def __aenter__(self) -> Connect:
        return self

    async def __aexit__(
        self,
        exc_type_: type[BaseException] | None,
        exc_value_: BaseException | None,
        traceback_: TracebackType | None,
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<Connect {self._session.connection.uri}>"
