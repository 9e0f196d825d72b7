"""
What makes a driver: a factory that opens URIs, the connections it gives, its state in a daemon.

A driver is found through the entry-point group C{pyvirt.drivers}, which names one L{IDriverFactory} each.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import attrs
from twisted.internet.interfaces import IReactorTime
from zope.interface import Attribute, Interface
from zope.interface.interface import InterfaceClass

from pyvirt.drivers.interfaces.values import Answer
from pyvirt.uri import URI


@attrs.frozen(kw_only=True)
class OpenContext:
    """
    What a driver may need to open a connection.

    @ivar reactor: time, network and processes.
    @ivar readOnly: the caller asked for a read-only connection; refusals are made above drivers.
    @ivar flags: C{VIR_CONNECT_*} as given.
    @ivar auth: answers credential requests, or None: there is nobody to ask.
    @ivar inDaemon: the connection serves a client of the daemon.
    @ivar trusted: whoever asks has all the rights that this process has: the program itself, or a client of the
        daemon that is run by the daemon's own user.  Only then may a URI name files to be read for its sake.
    @ivar companion: returns what does the operations of a contract on this host beside a hypervisor (storage,
        networks, secrets and so on), or None.
    @ivar callNames: returns the names that clients' calls go by, for drivers whose users may name some; None: not known.
    """

    reactor: Any
    readOnly: bool = False
    flags: int = 0
    auth: Any = None
    inDaemon: bool = False
    trusted: bool = True
    companion: Callable[[InterfaceClass], object | None] = lambda interface: None
    callNames: Callable[[], Collection[str]] | None = None

    @property
    def clock(self) -> IReactorTime:
        """The reactor, as something that knows the time."""
        clock: IReactorTime = self.reactor
        return clock


class IConnection(Interface):
    """
    A driver's side of one open connection.

    It provides, itself or through L{component}, those interfaces of this package whose operations it has.
    """

    uri: str = Attribute("The URI that was opened, in canonical form.")

    def component(interface: InterfaceClass) -> object | None:
        """Return what provides C{interface} on this connection, or None: the operations are not supported."""

    def isAlive() -> bool:
        """Whether operations can succeed: nothing it depends on is known to be gone."""

    def isSecure() -> bool:
        """Whether nobody on the way can read or change what is said."""

    def isEncrypted() -> bool:
        """Whether what is said is encrypted on the way."""

    def close() -> Answer[None]:
        """Let go of everything that exists for this connection alone."""


class IClientWatch(Interface):
    """What a connection provides that wants to know at once that its client has left."""

    def clientGone() -> None:
        """
        The client has left while operations for it are under way.

        They go on, and L{IConnection.close} follows behind the last of them; what makes no sense without the client
        can be given up now.
        """


class IDriverFactory(Interface):
    """Opens connections of one driver."""

    name: str = Attribute("What the driver is called in messages and configuration.")
    local: bool = Attribute("False for the driver that reaches other daemons; it is asked last.")

    def accepts(uri: URI | None) -> bool:
        """Whether this driver is the one for C{uri} (None: the user named none).  Declining costs nothing."""

    def open(uri: URI | None, context: OpenContext) -> Answer[IConnection]:
        """
        Open a URI that L{accepts} accepted.

        @raise VirtError: it cannot be opened; no other driver is tried then.
        """


class IStatefulDriver(Interface):
    """A factory whose driver has state in the daemon: definitions to reload, guests to find again."""

    def stateInitialize(context: OpenContext, root: str, privileged: bool) -> Answer[None]:
        """
        Load what is on disk, find running guests again, start what is marked autostart.

        @param root: the folder that stands for C{/}.
        """

    def stateStop() -> Answer[None]:
        """The daemon stops: write down what must be found again.  Guests go on."""


class IReloadingDriver(Interface):
    """A factory whose driver reads again what is on disk when the daemon is asked to, by a hangup."""

    def stateReload() -> Answer[None]:
        """Take over what others have written; what is wrong there is logged and left as it was."""
