"""
A domain as the driver keeps it, and all of them: L{Domain} and L{DomainTable}.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from twisted.internet.interfaces import IReactorTime

from pyvirt import constants as c
from pyvirt.definitions.domain import DomainDefinition
from pyvirt.definitions.uuids import formatUUID
from pyvirt.drivers.interfaces.values import DomainRef
from pyvirt.drivers.moments import Moments
from pyvirt.drivers.qemu.advice import withAdvice
from pyvirt.drivers.qemu.guest import Guest
from pyvirt.drivers.qemu.jobs import Jobs
from pyvirt.drivers.qemu.refusals import (
    exclusiveFlags,
    invalidArgument,
    notActive,
    operationInvalid,
)
from pyvirt.errors import ErrorCode, ErrorDomain, virtError

if TYPE_CHECKING:
    from pyvirt.drivers.checkpoints import Checkpoint
    from pyvirt.drivers.qemu.fdgroups import FDGroup
    from pyvirt.drivers.snapshots import Snapshot

__all__ = ["Domain", "DomainTable"]

_LIVE, _CONFIG = c.VIR_DOMAIN_AFFECT_LIVE, c.VIR_DOMAIN_AFFECT_CONFIG

#: As fast as it goes: MiB a second.
FASTEST = ((1 << 63) - 1) >> 20


class Domain:
    """
    A domain.

    @ivar definition: what it is now; of an inactive domain also what it will be.
    @ivar pending: what a running domain will be when it is started again; None if it is transient or not running.
    @ivar lastDefined: what it would have been, had it not been undefined while it ran.
    @ivar id: a number above 0 while it runs, else -1.
    @ivar state, reason: C{VIR_DOMAIN_*}.
    @ivar guest: its run, None while it does not run.
    @ivar agentTimeout: how long its agent may take, in seconds, or C{VIR_DOMAIN_AGENT_RESPONSE_TIMEOUT_*}.
    @ivar jobs: the changes made to it.
    @ivar unwritten: what it will be is not on disk as it is here, for want of room.
    @ivar managedSave: whether it was saved where the driver keeps it.
    @ivar migrationSpeed: the limit of its migrations, whenever it runs: MiB a second.
    @ivar updated: its running definition was changed.
    @ivar fdGroups: by name, descriptors that clients have given it.
    @ivar snapshots, checkpoints: what is kept of it.
    @ivar ref: what others know it by; made anew whenever its name or id changes.
    """

    __slots__ = (
        "agentTimeout",
        "autostart",
        "checkpoints",
        "definition",
        "fdGroups",
        "guest",
        "id",
        "jobs",
        "lastDefined",
        "managedSave",
        "migrationSpeed",
        "name",
        "pending",
        "persistent",
        "reason",
        "ref",
        "removed",
        "snapshots",
        "state",
        "unwritten",
        "updated",
        "uuid",
    )

    def __init__(
        self, definition: DomainDefinition, clock: IReactorTime, mostChanges: int = 0
    ) -> None:
        assert definition.uuid is not None
        self.definition = definition
        self.pending: DomainDefinition | None = None
        self.lastDefined: DomainDefinition | None = None
        self.name = definition.name
        self.uuid = definition.uuid
        self.id = -1
        self.state = c.VIR_DOMAIN_SHUTOFF
        self.reason = c.VIR_DOMAIN_SHUTOFF_UNKNOWN
        self.persistent = False
        self.autostart = False
        self.managedSave = False
        self.unwritten = False
        self.migrationSpeed = FASTEST
        self.updated = False
        self.removed = False
        self.guest: Guest | None = None
        self.agentTimeout = c.VIR_DOMAIN_AGENT_RESPONSE_TIMEOUT_BLOCK
        self.jobs = Jobs(clock, mostChanges)
        self.fdGroups: dict[str, FDGroup] = {}
        self.snapshots: Moments[Snapshot] = Moments()
        self.checkpoints: Moments[Checkpoint] = Moments()
        self.ref = DomainRef(self.name, self.uuid, -1)

    @property
    def active(self) -> bool:
        """Whether it runs, paused or not."""
        return self.id != -1

    def checkActive(self) -> Guest:
        """
        Return its run.

        @raise VirtError: it does not run.
        """
        if self.guest is None or self.id == -1:
            raise notActive()
        return self.guest

    @property
    def persistentDefinition(self) -> DomainDefinition:
        """What it will be when it is started again."""
        return self.definition if self.pending is None else self.pending

    def impact(self, flags: int) -> tuple[bool, bool]:
        """
        Say whether C{VIR_DOMAIN_AFFECT_*} flags mean the running domain, its definition, or both.

        @raise VirtError: what is meant does not exist.
        """
        flags &= _LIVE | _CONFIG
        if not flags:
            flags = _LIVE if self.active else _CONFIG
        if flags & _LIVE and not self.active:
            raise notActive()
        if flags & _CONFIG and not self.persistent:
            raise operationInvalid(
                "transient domains do not have any persistent config", ErrorDomain.DOMAIN
            )
        return bool(flags & _LIVE), bool(flags & _CONFIG)

    def one(self, flags: int) -> DomainDefinition:
        """
        Return the definition that a query is about.

        @raise VirtError: what is meant does not exist, or both are meant.
        """
        exclusiveFlags(
            "virDomainObjGetOneDefState",
            flags,
            ("VIR_DOMAIN_AFFECT_LIVE", _LIVE),
            ("VIR_DOMAIN_AFFECT_CONFIG", _CONFIG),
            ErrorDomain.DOMAIN,
        )
        live, _ = self.impact(flags)
        return self.definition if live else self.persistentDefinition

    def onePlaced(self, flags: int) -> DomainDefinition:
        """As L{one}, with what the host was advised where it leaves its place to the host."""
        return withAdvice(self.one(flags), self.guest.advice if self.guest is not None else None)

    def identify(self, id: int) -> None:
        """Give it a number, or take it away with -1."""
        self.id = id
        self.ref = DomainRef(self.name, self.uuid, id)


class DomainTable:
    """All domains, by UUID, name and number."""

    def __init__(self, clock: IReactorTime, mostChanges: int = 0) -> None:
        """
        @param mostChanges: of one domain, at a time; 0: any number.
        """
        self._clock = clock
        self._mostChanges = mostChanges
        self._uuids: dict[bytes, Domain] = {}
        self._names: dict[str, Domain] = {}
        self._ids: dict[int, Domain] = {}

    def __iter__(self) -> Iterator[Domain]:
        return iter(list(self._uuids.values()))

    def __len__(self) -> int:
        return len(self._uuids)

    def byName(self, name: str) -> Domain:
        """
        Find a domain.

        @raise NoSuchDomain: there is none.
        """
        domain = self._names.get(name)
        if domain is None:
            raise _none(f"no domain with matching name '{name}'")
        return domain

    def byUUID(self, uuid: bytes) -> Domain:
        """As L{byName}."""
        domain = self._uuids.get(uuid)
        if domain is None:
            raise _none(f"no domain with matching uuid '{formatUUID(uuid)}'")
        return domain

    def byID(self, id: int) -> Domain:
        """As L{byName}."""
        domain = self._ids.get(id)
        if domain is None:
            raise _none(f"no domain with matching id {id}")
        return domain

    def find(self, ref: DomainRef) -> Domain:
        """
        Find the domain that a reference means.

        @raise NoSuchDomain: it is gone.
        """
        domain = self._uuids.get(ref.uuid)
        if domain is None:
            raise _none(f"no domain with matching uuid '{formatUUID(ref.uuid)}' ({ref.name})")
        return domain

    def running(self, ref: DomainRef) -> tuple[Domain, Guest]:
        """
        Find the domain that a reference means, and its run.

        @raise VirtError: it is gone, or does not run.
        """
        domain = self.find(ref)
        return domain, domain.checkActive()

    def identified(self, uuid: bytes) -> Domain | None:
        """Find a domain, or None."""
        return self._uuids.get(uuid)

    def named(self, name: str) -> Domain | None:
        """Find a domain, or None."""
        return self._names.get(name)

    def check(self, definition: DomainDefinition, *, mustBeInactive: bool = False) -> Domain | None:
        """
        Find the domain that a definition would be of.

        @param mustBeInactive: refuse if it runs.
        @return: None if it is a new one.
        @raise VirtError: its name and its UUID do not fit those of a domain that is there.
        """
        assert definition.uuid is not None
        domain = self._uuids.get(definition.uuid)
        if domain is not None:
            if domain.name != definition.name:
                raise virtError(
                    ErrorCode.OPERATION_FAILED,
                    f"domain '{domain.name}' is already defined with uuid "
                    f"{formatUUID(definition.uuid)}",
                    ErrorDomain.DOMAIN,
                )
            if mustBeInactive and domain.active:
                raise operationInvalid(
                    f"domain '{domain.name}' is already active", ErrorDomain.DOMAIN
                )
            return domain
        domain = self._names.get(definition.name)
        if domain is not None:
            raise virtError(
                ErrorCode.OPERATION_FAILED,
                f"domain '{definition.name}' already exists with uuid {formatUUID(domain.uuid)}",
                ErrorDomain.DOMAIN,
            )
        return None

    def add(self, definition: DomainDefinition) -> Domain:
        """Add a domain, which L{check} has found to be a new one."""
        domain = Domain(definition, self._clock, self._mostChanges)
        self._uuids[domain.uuid] = domain
        self._names[domain.name] = domain
        return domain

    def remove(self, domain: Domain) -> None:
        """Forget a domain."""
        if self._uuids.get(domain.uuid) is domain:
            del self._uuids[domain.uuid]
        if self._names.get(domain.name) is domain:
            del self._names[domain.name]
        self._ids.pop(domain.id, None)
        domain.removed = True
        for group in domain.fdGroups.values():
            group.close()
        domain.fdGroups.clear()

    def identify(self, domain: Domain, id: int) -> None:
        """Give a domain a number, or take it away with -1."""
        self._ids.pop(domain.id, None)
        domain.identify(id)
        if id != -1:
            self._ids[id] = domain

    def rename(self, domain: Domain, name: str) -> None:
        """Give a domain another name, which must be free."""
        if name in self._names:
            raise invalidArgument(f"domain with name '{name}' already exists")
        del self._names[domain.name]
        domain.name = name
        self._names[name] = domain
        domain.identify(domain.id)


Test = Callable[[Domain], bool]


def _none(detail: str) -> Exception:
    return virtError(ErrorCode.NO_DOMAIN, detail, ErrorDomain.QEMU)
