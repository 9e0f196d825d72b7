"""
What a connection and its host must do.
"""

from __future__ import annotations

from zope.interface.interface import InterfaceClass

from pyvirt.drivers.interfaces.driver import IConnection
from pyvirt.drivers.interfaces.host import IHost
from pyvirt.testing.contracts import assertContract
from pyvirt.testing.suites._suite import Suite

__all__ = ["ConnectionContract", "HostContract"]


class ConnectionContract(Suite):
    """A connection as such: L{IConnection}."""

    contract = IConnection

    def test_contract(self) -> None:
        """A connection leaves nothing out."""
        assertContract(IConnection, type(self.connection), complete=True)

    def test_alive(self) -> None:
        """A connection that was just opened is alive and knows its URI."""
        self.assertTrue(self.connection.isAlive())
        self.assertIn(":", self.connection.uri)
        self.assertIsInstance(self.connection.isSecure(), bool)
        self.assertIsInstance(self.connection.isEncrypted(), bool)

    def test_closeTwice(self) -> None:
        """Closing again changes nothing."""
        self.wait(self.connection.close())
        self.wait(self.connection.close())

    def test_unknownContract(self) -> None:
        """A contract that nobody has ever heard of is not provided."""
        self.assertIsNone(self.connection.component(InterfaceClass("IUnheardOf")))


class HostContract(Suite):
    """The host: L{IHost}."""

    contract = IHost

    def test_identity(self) -> None:
        """Type and versions are what clients can show."""
        if self.has("connectGetType"):
            self.assertRegex(self.ask("connectGetType"), r"^\S+$")
        if self.has("connectGetVersion"):
            self.assertGreater(self.ask("connectGetVersion"), 0)

    def test_node(self) -> None:
        """A host has memory and processors, as many as its parts make."""
        if self.has("nodeGetInfo"):
            info = self.ask("nodeGetInfo")
            self.assertGreater(info.memory, 0)
            self.assertGreater(info.cpus, 0)
            for each in (info.nodes, info.sockets, info.cores, info.threads):
                self.assertGreater(each, 0)
            self.assertLessEqual(len(info.model.encode()), 31)

    def test_capabilities(self) -> None:
        """Capabilities are a document of that name."""
        if self.has("connectGetCapabilities"):
            self.assertTrue(
                self.ask("connectGetCapabilities").lstrip().startswith("<capabilities>")
            )
