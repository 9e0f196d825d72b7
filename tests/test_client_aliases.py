"""
Tests for which URI is opened: the environment, libvirt.conf, aliases, the driver table.
"""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pyvirt.client.aliases import ClientConfiguration, configurationPath, loadConfiguration
from pyvirt.client.opening import resolveURI
from pyvirt.constants import VIR_CONNECT_NO_ALIASES
from pyvirt.drivers.interfaces.driver import OpenContext
from pyvirt.drivertable import DriverTable
from pyvirt.errors import VirtError
from pyvirt.uri import URI


class ConfigurationTests(SynchronousTestCase):
    """libvirt.conf; texts and codes are libvirt's own."""

    def load(self, text: str) -> ClientConfiguration:
        self.path = self.mktemp()
        with open(self.path, "w") as file:
            file.write(text)
        return loadConfiguration(self.path)

    def test_absent(self) -> None:
        """
        A file that is not there is an empty one.
        """
        self.assertEqual(loadConfiguration(self.mktemp()), ClientConfiguration())

    def test_values(self) -> None:
        """
        The default URI and aliases are read.
        """
        found = self.load('uri_default = "t"\nuri_aliases = [ "t=test:///default", "bad" ]\n')
        self.assertEqual(found.uriDefault, "t")
        self.assertEqual(found.resolve("t"), "test:///default")
        self.assertEqual(self.load("").resolve("x"), "x")

    def test_malformed(self) -> None:
        """
        An entry that is malformed is an error once the search gets to it.
        """
        for entry, problem in (
            ("bad", "expected 'alias=uri://host/path'"),
            ("b d=x", "aliases may only contain 'a-Z, 0-9, _, -'"),
        ):
            found = self.load(f'uri_aliases = [ "a=x", "{entry}", "t=y" ]\n')
            self.assertEqual(found.resolve("a"), "x")
            error = self.assertRaises(VirtError, found.resolve, "t")
            self.assertEqual((error.code, error.domain), (33, 45))
            self.assertEqual(
                str(error),
                "configuration file syntax error: Malformed 'uri_aliases' config entry "
                f"'{entry}', {problem}",
            )

    def test_errors(self) -> None:
        """
        Wrong types and broken syntax are told with the file's name.
        """
        for text, code, message in (
            (
                "uri_default = 5\n",
                1,
                "internal error: {}: expected a string for 'uri_default' parameter",
            ),
            (
                'uri_aliases = "x"\n',
                1,
                "internal error: {}: expected a string list for 'uri_aliases' parameter",
            ),
            (
                "uri_aliases = [5]\n",
                33,
                "configuration file syntax error: {}: expected a string list for 'uri_aliases' parameter",
            ),
            ("uri_default =\n", 33, "configuration file syntax error: {}:1: expecting a value"),
            ("foo bar\n", 33, "configuration file syntax error: {}:1: expecting an assignment"),
        ):
            error = self.assertRaises(VirtError, self.load, text)
            self.assertEqual(
                (str(error), error.code, error.domain), (message.format(self.path), code, 9)
            )

    def test_path(self) -> None:
        """
        Root's file is the system's, another user's in the configuration folder.
        """
        self.assertEqual(configurationPath({}, 0), "/etc/libvirt/libvirt.conf")
        self.assertEqual(configurationPath({"XDG_CONFIG_HOME": "/c"}, 5), "/c/libvirt/libvirt.conf")
        self.assertEqual(configurationPath({"HOME": "/h"}, 5), "/h/.config/libvirt/libvirt.conf")


class ResolveTests(SynchronousTestCase):
    """L{resolveURI}."""

    def setUp(self) -> None:
        self.folder = self.mktemp()
        os.makedirs(os.path.join(self.folder, "libvirt"))
        self.environment = {"XDG_CONFIG_HOME": self.folder}

    def resolve(self, name: str | None, conf: str = "", flags: int = 0) -> str | None:
        with open(os.path.join(self.folder, "libvirt", "libvirt.conf"), "w") as file:
            file.write(conf)
        return resolveURI(name, flags, self.environment, 5)

    def test_order(self) -> None:
        """
        The argument comes before the environment, and that before the file.
        """
        conf = 'uri_default = "test:///file"\nuri_aliases = [ "t=test:///alias" ]\n'
        self.assertIsNone(self.resolve(None))
        self.assertEqual(self.resolve(None, conf), "test:///file")
        self.environment["LIBVIRT_DEFAULT_URI"] = "t"
        self.assertEqual(self.resolve(None, conf), "test:///alias")
        self.assertEqual(self.resolve("test:///default", conf), "test:///default")
        self.environment["LIBVIRT_DEFAULT_URI"] = ""
        self.assertEqual(self.resolve("", conf), "test:///file")

    def test_noDriver(self) -> None:
        """
        What has no scheme names no driver; the message has the name that the user gave.
        """
        conf = 'uri_default = "u"\nuri_aliases = [ "t=u" ]\n'
        for name, flags, told in (
            ("u", 0, "u"),
            ("t", 0, "t"),
            (None, 0, "(null)"),
            ("///x", VIR_CONNECT_NO_ALIASES, "///x"),
        ):
            error = self.assertRaises(VirtError, self.resolve, name, conf, flags)
            self.assertEqual((error.code, error.domain), (5, 0))
            self.assertEqual(
                str(error),
                f"no connection driver available for URI '{told}' does not include a driver name",
            )


class Factory:
    """A driver that takes one scheme."""

    def __init__(self, name: str, local: bool) -> None:
        self.name = name
        self.local = local

    def accepts(self, uri: URI | None) -> bool:
        return not self.local or (uri is not None and uri.driver == self.name)

    def open(self, uri: URI | None, context: OpenContext) -> Any:
        return self.name


class TableTests(SynchronousTestCase):
    """L{DriverTable}."""

    def opened(self, uri: str | None, remote: bool = True) -> Any:
        factories: Any = [Factory("remote", False), Factory("a", True), Factory("b", True)]
        table = DriverTable(Clock(), factories, remote=remote)
        return table.open(uri)

    def test_order(self) -> None:
        """
        Local drivers are asked first, the remote one last; what names a host or transport is remote.
        """
        for uri, name in (
            ("a:///x", "a"),
            ("b:///x", "b"),
            ("c:///x", "remote"),
            ("a+unix:///x", "remote"),
            ("a://host/x", "remote"),
            (None, "remote"),
        ):
            self.assertEqual(self.successResultOf(self.opened(uri)), name, uri)

    def test_noDriver(self) -> None:
        """
        A table without the remote driver says that nobody takes a URI.
        """
        for uri, told in (("c:///x", "c:///x"), (None, "<null>"), ("a+tcp://h/", "a+tcp://h/")):
            error = self.failureResultOf(self.opened(uri, remote=False), VirtError).value
            self.assertEqual(str(error), f"no connection driver available for {told}")

    def test_installed(self) -> None:
        """
        The drivers that are installed are found, each table making its own.
        """
        first, second = DriverTable(Clock()), DriverTable(Clock())
        self.assertLessEqual({"test", "remote"}, {each.name for each in first.factories})
        self.assertFalse(first.factories[-1].local)
        self.assertFalse(set(first.factories) & set(second.factories))
