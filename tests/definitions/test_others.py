"""
Networks, storage and host interfaces: libvirtd's canonical form and words, from observations of it.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from uuid import UUID

import attrs
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from pyvirt.definitions import (
    backup,
    filterbinding,
    interface,
    network,
    networkport,
    nodedev,
    nwfilter,
    secret,
    storage,
)
from pyvirt.definitions.validation import FOLDER
from pyvirt.errors import VirtError
from tests.definitions.vectors import masked, otherCases

BYTES = random.Random(1).randbytes


def definedNetwork(xml: str) -> str:
    """Return a network as it is written back."""
    return network.formatNetwork(network.completed(network.parseNetwork(xml), random=BYTES))


def definedPool(xml: str) -> str:
    """Return a pool as the test driver writes it back."""
    definition = storage.completedPool(storage.parsePool(xml), random=BYTES)
    return storage.formatPool(definition, capacity=100 << 30, available=100 << 30)


def definedVolume(xml: str) -> str:
    """Return a volume as the test driver writes it back."""
    definition = storage.parseVolume(xml)
    path = f"/default-pool/{definition.name}"
    target = attrs.evolve(definition.target, path=path)
    return storage.formatVolume(attrs.evolve(definition, key=path, target=target))


def definedInterface(xml: str) -> str:
    """Return an interface as it is written back."""
    return interface.formatInterface(interface.parseInterface(xml))


def definedSecret(xml: str) -> str:
    """Return a secret as it is written back; what has no UUID is given one."""
    definition = secret.parseSecret(xml)
    uuid = definition.uuid or bytes(16)
    text = secret.formatSecret(attrs.evolve(definition, uuid=uuid))
    return text if definition.uuid else text.replace(str(UUID(bytes=uuid)), "UUID")


def definedPort(xml: str) -> str:
    """Return a port of a network as it is written back."""
    return networkport.formatNetworkPort(networkport.parseNetworkPort(xml))


def definedBinding(xml: str) -> str:
    """Return the binding of a filter as it is written back."""
    return filterbinding.formatFilterBinding(
        filterbinding.completed(filterbinding.parseFilterBinding(xml))
    )


def definedDevice(xml: str) -> str:
    """Return a device of the host as it is written back."""
    return nodedev.formatNodeDevice(nodedev.parseNodeDevice(xml))


def newDevice(xml: str) -> str:
    """Return a device that is to be made as it is written back."""
    return nodedev.formatNodeDevice(nodedev.parseNodeDevice(xml, new=True))


def definedFilter(xml: str) -> str:
    """Return a network filter as it is written back."""
    return nwfilter.formatFilter(nwfilter.completed(nwfilter.parseFilter(xml), random=BYTES))


def definedBackup(xml: str) -> str:
    """Return a backup as it is written back."""
    return backup.formatBackup(backup.parseBackup(xml))


class ObservedTests(SynchronousTestCase):
    """What libvirtd was seen to answer."""

    maxDiff = None

    def compare(self, kind: str, define: Callable[[str], str], least: int) -> None:
        cases = otherCases(kind)
        self.assertGreaterEqual(len(cases), least)
        for xml, expected in cases:
            answer: str | tuple[int, int, str | None]
            try:
                answer = masked(define(xml), xml)
            except VirtError as error:
                answer = (int(error.code), int(error.domain), error.message)
            self.assertEqual(answer, expected, xml)

    def test_networks(self) -> None:
        """
        Networks are answered byte for byte as libvirtd answers them.
        """
        self.compare("network", definedNetwork, 40)

    def test_pools(self) -> None:
        """
        Pools are answered byte for byte as libvirtd answers them.
        """
        self.compare("pool", definedPool, 40)

    def test_volumes(self) -> None:
        """
        Volumes are answered byte for byte as libvirtd answers them.
        """
        self.compare("volume", definedVolume, 12)

    def test_interfaces(self) -> None:
        """
        Interfaces are answered byte for byte as libvirtd answers them.
        """
        self.compare("interface", definedInterface, 20)

    def test_secrets(self) -> None:
        """
        Secrets are answered byte for byte as libvirtd answers them.
        """
        self.compare("secret", definedSecret, 30)

    def test_networkPorts(self) -> None:
        """
        Ports of networks are answered byte for byte as libvirtd answers them.
        """
        self.compare("networkport", definedPort, 50)

    def test_filterBindings(self) -> None:
        """
        Bindings of filters are answered byte for byte as libvirtd answers them.
        """
        self.compare("nwfilterbinding", definedBinding, 20)

    def test_nodeDevices(self) -> None:
        """
        Devices of the host are answered byte for byte as libvirtd answers them.
        """
        self.compare("nodedev", definedDevice, 70)
        self.compare("nodedevnew", newDevice, 5)

    def test_filters(self) -> None:
        """
        Network filters are answered byte for byte as libvirtd answers them.
        """
        self.compare("nwfilter", definedFilter, 150)

    def test_backups(self) -> None:
        """
        Backups are answered byte for byte as libvirtd answers them, where its schemas are installed.
        """
        if not os.path.isdir(FOLDER):
            raise SkipTest("libvirt's schemas are not installed")
        self.compare("backup", definedBackup, 20)
