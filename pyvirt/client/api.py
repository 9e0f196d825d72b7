"""
Everything that C{import pyvirt} offers, but constants.
"""

from pyvirt.client.checkpoint import DomainCheckpoint
from pyvirt.client.connect import Connect
from pyvirt.client.domain import Domain
from pyvirt.client.events import EventOverflow
from pyvirt.client.healing import (
    Change,
    ChangeKind,
    ConnectionGivenUp,
    ConnectionLost,
    ConnectionRestored,
    ConnectionRetried,
    Happening,
    Healing,
    WhileAway,
)
from pyvirt.client.interface import Interface
from pyvirt.client.library import getVersion, virEventRegisterDefaultImpl, virInitialize
from pyvirt.client.network import Network, NetworkPort
from pyvirt.client.nodedevice import NodeDevice
from pyvirt.client.nwfilter import NWFilter, NWFilterBinding
from pyvirt.client.opening import open, openAuth, openReadOnly
from pyvirt.client.secret import Secret
from pyvirt.client.snapshot import DomainSnapshot
from pyvirt.client.storage import StoragePool, StorageVol
from pyvirt.client.stream import Stream
from pyvirt.drivertable import DriverTable
from pyvirt.errors import NotConnected, OutcomeUnknown, VirtError

libvirtError = VirtError
virConnect = Connect
virDomain = Domain
virDomainCheckpoint = DomainCheckpoint
virDomainSnapshot = DomainSnapshot
virInterface = Interface
virNWFilter = NWFilter
virNWFilterBinding = NWFilterBinding
virNetwork = Network
virNetworkPort = NetworkPort
virNodeDevice = NodeDevice
virSecret = Secret
virStoragePool = StoragePool
virStorageVol = StorageVol
virStream = Stream

__all__ = [
    "Change",
    "ChangeKind",
    "Connect",
    "ConnectionGivenUp",
    "ConnectionLost",
    "ConnectionRestored",
    "ConnectionRetried",
    "Domain",
    "DomainCheckpoint",
    "DomainSnapshot",
    "DriverTable",
    "EventOverflow",
    "Happening",
    "Healing",
    "Interface",
    "NWFilter",
    "NWFilterBinding",
    "Network",
    "NetworkPort",
    "NodeDevice",
    "NotConnected",
    "OutcomeUnknown",
    "Secret",
    "StoragePool",
    "StorageVol",
    "Stream",
    "VirtError",
    "WhileAway",
    "getVersion",
    "libvirtError",
    "open",
    "openAuth",
    "openReadOnly",
    "virConnect",
    "virDomain",
    "virDomainCheckpoint",
    "virDomainSnapshot",
    "virEventRegisterDefaultImpl",
    "virInitialize",
    "virInterface",
    "virNWFilter",
    "virNWFilterBinding",
    "virNetwork",
    "virNetworkPort",
    "virNodeDevice",
    "virSecret",
    "virStoragePool",
    "virStorageVol",
    "virStream",
]
