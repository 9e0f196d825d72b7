"""
What is known of a pool and of its volumes.
"""

from __future__ import annotations

from twisted.internet.defer import DeferredLock

from pyvirt.definitions.schema import replaced
from pyvirt.definitions.storage import PoolDefinition, VolumeDefinition
from pyvirt.drivers.interfaces.values import StoragePoolRef, StorageVolRef
from pyvirt.drivers.refusals import internal, operationInvalid
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["Pool", "Volume", "noVolume"]

_DOMAIN = ErrorDomain.STORAGE


def noVolume(detail: str) -> VirtError:
    """Make the error of a volume that is not there."""
    return virtError(ErrorCode.NO_STORAGE_VOL, detail, _DOMAIN)


class Volume:
    """
    A volume.

    @ivar type: C{file}, C{dir} or C{block}.
    @ivar building: it is being made, and cannot be used yet.
    @ivar users: how many read or write it, or make something of it.
    """

    __slots__ = ("building", "definition", "ref", "type", "users")

    def __init__(self, definition: VolumeDefinition, ref: StorageVolRef, type: str) -> None:
        self.definition = definition
        self.ref = ref
        self.type = type
        self.building = False
        self.users = 0

    @property
    def path(self) -> str:
        """Where it is."""
        path = self.definition.target.path
        assert path is not None
        return path

    def change(self, **changes: object) -> None:
        """Give its definition other fields."""
        self.definition = replaced(self.definition, **changes)

    def checkIdle(self) -> None:
        """
        Refuse what only a volume takes that nobody uses.

        @raise VirtError: somebody does, or it is still being made.
        """
        if self.users:
            raise operationInvalid(f"volume '{self.ref.name}' is still in use.", _DOMAIN)
        self.checkBuilt()

    def checkBuilt(self) -> None:
        """
        Refuse what only a volume takes that is complete.

        @raise VirtError: it is still being made.
        """
        if self.building:
            raise operationInvalid(f"volume '{self.ref.name}' is still being allocated.", _DOMAIN)


class Pool:
    """
    A pool.

    @ivar definition: what it is; redefining an active one changes only C{pending}.
    @ivar sizes: capacity, allocation and what is free, in bytes.
    @ivar free: starts and ends of what is free of the device that it lies on.
    @ivar volumes: by name.
    @ivar jobs: how many things are done to its volumes for which it is not locked.
    @ivar lock: held by whoever changes it and waits meanwhile.
    @ivar gone: it is no more; who waited for the lock finds out.
    """

    __slots__ = (
        "active",
        "autostart",
        "definition",
        "free",
        "gone",
        "jobs",
        "lock",
        "pending",
        "persistent",
        "ref",
        "sizes",
        "volumes",
    )

    def __init__(self, definition: PoolDefinition) -> None:
        assert definition.uuid is not None and definition.name is not None
        self.definition = definition
        self.pending: PoolDefinition | None = None
        self.active = False
        self.persistent = False
        self.autostart = False
        self.gone = False
        self.sizes = [0, 0, 0]
        self.free: tuple[tuple[int, int], ...] = ()
        self.volumes: dict[str, Volume] = {}
        self.jobs = 0
        self.lock = DeferredLock()
        self.ref = StoragePoolRef(definition.name, definition.uuid)

    @property
    def path(self) -> str:
        """Where its volumes are."""
        target = self.definition.target
        path = None if target is None else target.path
        return path or ""

    def checkActive(self) -> None:
        """
        Refuse what only an active pool takes.

        @raise VirtError: it is not active.
        """
        if not self.active:
            raise operationInvalid(f"storage pool '{self.ref.name}' is not active", _DOMAIN)

    def checkInactive(self, still: str = "already") -> None:
        """
        Refuse what only an inactive pool takes.

        @raise VirtError: it is active.
        """
        if self.active:
            raise operationInvalid(f"storage pool '{self.ref.name}' is {still} active", _DOMAIN)

    def checkNoJobs(self) -> None:
        """
        Refuse what cannot be done while volumes are worked on.

        @raise VirtError: some are.
        """
        if self.jobs:
            raise internal(f"pool '{self.ref.name}' has asynchronous jobs running.", _DOMAIN)

    def volume(self, name: str) -> Volume:
        """
        Find a volume.

        @raise VirtError: there is none.
        """
        found = self.volumes.get(name)
        if found is None:
            raise noVolume(f"no storage vol with matching name '{name}'")
        return found

    def take(self, amount: int) -> None:
        """Account for so many bytes that a volume takes; negative: gives back."""
        self.sizes[1] += amount
        self.sizes[2] -= amount
