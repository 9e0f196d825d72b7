"""
The suites for authors of drivers, run on the host's own drivers where those need nothing of a host.
"""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from pyvirt.testing import suites
from tests.host.support import makeHost


class OnTheHost:
    """How the suites reach a host in a folder of the test's own."""

    def makeConnection(self) -> Any:
        self.root: str = os.path.abspath(self.mktemp())  # type: ignore[attr-defined]
        return Connection(self.root)


class Alone(Clock):
    """A clock whose threads do at once what they are given."""

    def getThreadPool(self) -> Any:
        return self

    def callInThreadWithCallback(self, told: Any, work: Any, *arguments: Any) -> None:
        try:
            result = work(*arguments)
        except BaseException:
            told(False, Failure())
        else:
            told(True, result)

    def callFromThread(self, work: Any, *arguments: Any) -> None:
        work(*arguments)


class Connection:
    """A host as a connection."""

    def __init__(self, root: str) -> None:
        self.clock = Alone()
        self.host = makeHost(root, reactor=self.clock)

    def component(self, interface: Any) -> Any:
        return self.host.component(interface)

    def close(self) -> None:
        pass


class SecretsTests(OnTheHost, suites.SecretsContract, SynchronousTestCase):
    """Secrets."""


class SecretValuesTests(OnTheHost, suites.SecretValuesContract, SynchronousTestCase):
    """Values of secrets."""


class NWFiltersTests(OnTheHost, suites.NWFiltersContract, SynchronousTestCase):
    """Filters."""


class OnABridge(OnTheHost):
    """Networks that are somebody else's bridges."""

    def networkXML(self, name: str) -> str:
        return f"<network><name>{name}</name><forward mode='bridge'/><bridge name='suitebr0'/></network>"


class NetworksTests(OnABridge, suites.NetworksContract, SynchronousTestCase):
    """Networks."""


class NetworkPortsTests(OnABridge, suites.NetworkPortsContract, SynchronousTestCase):
    """Ports."""


class OnAFolder(OnTheHost):
    """Pools that are folders."""

    def poolXML(self, name: str) -> str:
        path = os.path.join(self.root, "pools", name)
        os.makedirs(path, exist_ok=True)
        return f"<pool type='dir'><name>{name}</name><target><path>{path}</path></target></pool>"


class StorageTests(OnAFolder, suites.StorageContract, SynchronousTestCase):
    """Pools."""


class VolumesTests(OnAFolder, suites.VolumesContract, SynchronousTestCase):
    """Volumes."""


class VolumeDataTests(OnAFolder, suites.VolumeDataContract, SynchronousTestCase):
    """What is in volumes."""
