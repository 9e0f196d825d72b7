"""
Everything that C{import pyvirt} offers, but constants.
"""

from pyvirt.client.checkpoint import DomainCheckpoint
from pyvirt.client.connect import Connect
from pyvirt.client.domain import Domain
from pyvirt.client.events import EventOverflow
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
from pyvirt.errors import OutcomeUnknown, VirtError

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
    "Connect",
    "Domain",
    "DomainCheckpoint",
    "DomainSnapshot",
    "DriverTable",
    "EventOverflow",
    "Interface",
    "NWFilter",
    "NWFilterBinding",
    "Network",
    "NetworkPort",
    "NodeDevice",
    "OutcomeUnknown",
    "Secret",
    "StoragePool",
    "StorageVol",
    "Stream",
    "VirtError",
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
