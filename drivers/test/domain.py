"""
One domain of the test driver, and the table of all of them.

A domain is a few words: two definitions, frozen and mostly the same one, and its state.  What only some
domains ever have (snapshots, a saved state, what their guests were told) hangs off C{extra}, made on demand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pyvirt import constants as c
from pyvirt.definitions.domain import DomainDefinition
from pyvirt.definitions.uuids import formatUUID
from pyvirt.drivers.interfaces.values import DomainRef, DomainTime
from pyvirt.drivers.test.refusals import IMPACT, exclusiveFlags, notRunning, operationInvalid
from pyvirt.errors import ErrorCode, ErrorDomain, virtError

if TYPE_CHECKING:
    from pyvirt.drivers.test.extra import Extra, Polling

__all__ = ["Domain", "DomainTable", "Given"]

_LIVE, _CONFIG = c.VIR_DOMAIN_AFFECT_LIVE, c.VIR_DOMAIN_AFFECT_CONFIG

#: A definition, or what makes it.
Given = DomainDefinition | Callable[[], DomainDefinition]

#: What a guest's clock shows until it is set.
GUEST_TIME = DomainTime(627319920, 0)


class Domain:
    """
    A domain.

    @ivar definition: what it is now; of an inactive domain also what it will be.
    @ivar parsed: the definition as it was read, or what makes it, by which is known whether it was changed since.
    @ivar id: a number above 0 while it runs, else -1.
    @ivar state: C{VIR_DOMAIN_*}.
    @ivar reason: why it is in that state.
    @ivar ref: what others know it by; made anew whenever its name or id changes.
    """

    __slots__ = (
        "_definition",
        "_extra",
        "_pending",
        "autostart",
        "id",
        "managedSave",
        "name",
        "parsed",
        "persistent",
        "reason",
        "ref",
        "state",
        "uuid",
    )

    def __init__(self, name: str, uuid: bytes, definition: Given) -> None:
        self._definition = definition
        self.parsed: Given = definition
        self._pending: Given | None = None
        self.name = name
        self.uuid = uuid
        self.id = -1
        self.state = c.VIR_DOMAIN_SHUTOFF
        self.reason = c.VIR_DOMAIN_SHUTOFF_UNKNOWN
        self.persistent = False
        self.autostart = False
        self.managedSave = False
        self._extra: Extra | None = None
        self.ref = DomainRef(self.name, self.uuid, -1)

    @property
    def definition(self) -> DomainDefinition:
        """What it is now; what makes it is called when somebody first wants to know."""
        found = self._definition
        if callable(found):
            made = found()
            if self.parsed is found:
                self.parsed = made
            self._definition = found = made
        return found

    @definition.setter
    def definition(self, value: DomainDefinition) -> None:
        self._definition = value

    @property
    def asRead(self) -> Given | None:
        """The definition, or what makes it, if it is as it was read; None if it was changed since."""
        return self._definition if self._definition is self.parsed else None

    @property
    def pending(self) -> DomainDefinition | None:
        """What a running domain will be when it is started again; None if it is not running."""
        found = self._pending
        if callable(found):
            found = self._pending = found()
        return found

    @pending.setter
    def pending(self, value: Given | None) -> None:
        """
        Say what a running domain will be.

        @param value: a definition, or what makes it: it is not called before somebody wants to know.
        """
        self._pending = value

    @property
    def active(self) -> bool:
        """Whether it runs, paused or not."""
        return self.id != -1

    @property
    def extra(self) -> Extra:
        """What few domains have."""
        found = self._extra
        if found is None:
            from pyvirt.drivers.test.extra import Extra

            found = self._extra = Extra()
        return found

    @property
    def snapshotCount(self) -> int:
        """How many snapshots it has."""
        return len(self._extra.snapshots) if self._extra is not None else 0

    @property
    def guestTime(self) -> DomainTime:
        """What the guest's clock shows."""
        return self._extra.time if self._extra is not None else GUEST_TIME

    @property
    def threads(self) -> Sequence[Polling]:
        """The IO threads that were added."""
        return self._extra.threads if self._extra is not None else ()

    @property
    def checkpointCount(self) -> int:
        """How many checkpoints it has."""
        return len(self._extra.checkpoints) if self._extra is not None else 0

    def identify(self, id: int) -> None:
        """Give it a number, or take it away with -1."""
        self.id = id
        self.ref = DomainRef(self.name, self.uuid, id)

    @property
    def jobs(self) -> Mapping[str, Any]:
        """What disks are busy with, by target."""
        return self._extra.jobs if self._extra is not None else {}

    @property
    def dirtying(self) -> Any:
        """How fast the guest changes its memory, None if that was not asked for."""
        return self._extra.dirtying if self._extra is not None else None

    def diskSize(self, name: str, default: int) -> int:
        """Return the bytes of a disk, by its target: as many as all disks have, until it is resized."""
        return self._extra.sizes.get(name, default) if self._extra is not None else default

    def stopping(self) -> None:
        """The guest ends: let go of what was open or under way for it."""
        if self._extra is not None:
            closing = self._extra.closing
            while closing:
                closing.popitem()[1]()

    def checkActive(self) -> None:
        """
        Refuse what only a running domain takes.

        @raise VirtError: it does not run.
        """
        if self.id == -1:
            raise notRunning()

    @property
    def persistentDefinition(self) -> DomainDefinition:
        """What it will be when it is started again."""
        return self.definition if self.pending is None else self.pending

    def impact(self, flags: int) -> tuple[bool, bool]:
        """
        Say whether C{VIR_DOMAIN_AFFECT_*} flags mean the running domain, its definition, or both.

        @raise VirtError: what is meant does not exist.
        """
        flags &= IMPACT
        if not flags:
            flags = _LIVE if self.active else _CONFIG
        if flags & _LIVE and not self.active:
            raise notRunning()
        if flags & _CONFIG and not self.persistent:
            raise operationInvalid(
                "transient domains do not have any persistent config", ErrorDomain.DOMAIN
            )
        return bool(flags & _LIVE), bool(flags & _CONFIG)

    def impactOfOne(self, flags: int) -> tuple[bool, bool]:
        """As L{impact}, for what is done to the running domain or to its definition but not to both."""
        exclusiveFlags(
            "virDomainObjGetOneDefState",
            flags,
            ("VIR_DOMAIN_AFFECT_LIVE", c.VIR_DOMAIN_AFFECT_LIVE),
            ("VIR_DOMAIN_AFFECT_CONFIG", c.VIR_DOMAIN_AFFECT_CONFIG),
            ErrorDomain.DOMAIN,
        )
        return self.impact(flags)

    def one(self, flags: int) -> DomainDefinition:
        """
        Return the definition that a query is about.

        @raise VirtError: what is meant does not exist, or both are meant.
        """
        live, _ = self.impactOfOne(flags)
        return self.definition if live else self.persistentDefinition

    def change(self, flags: int, changed: Callable[[DomainDefinition], DomainDefinition]) -> None:
        """
        Change the running domain, its definition or both, as flags say; if one fails nothing changes.

        @raise VirtError: what is meant does not exist, or C{changed} refuses.
        """
        live, config = self.impact(flags)
        self.changeBoth(live, config, changed)

    def changeBoth(
        self, live: bool, config: bool, changed: Callable[[DomainDefinition], DomainDefinition]
    ) -> None:
        """As L{change}, once it is known what is meant."""
        if not self.active or self.pending is None:
            self.definition = changed(self.definition)
            return
        definition, pending = self.definition, self.pending
        if config:
            pending = changed(pending)
        if live:
            definition = changed(definition)
        self.definition, self.pending = definition, pending


class DomainTable:
    """All domains, by UUID, name and number."""

    __slots__ = ("_ids", "_names", "_uuids")

    def __init__(self) -> None:
        self._uuids: dict[bytes, Domain] = {}
        self._names: dict[str, Domain] = {}
        self._ids: dict[int, Domain] = {}

    def __iter__(self) -> Iterator[Domain]:
        return iter(self._uuids.values())

    def __len__(self) -> int:
        return len(self._uuids)

    def byName(self, name: str) -> Domain:
        """
        Find a domain.

        @raise NoSuchDomain: there is none.
        """
        domain = self._names.get(name)
        if domain is None:
            raise virtError(ErrorCode.NO_DOMAIN, None, ErrorDomain.TEST)
        return domain

    def byUUID(self, uuid: bytes) -> Domain:
        """As L{byName}."""
        domain = self._uuids.get(uuid)
        if domain is None:
            raise virtError(ErrorCode.NO_DOMAIN, None, ErrorDomain.TEST)
        return domain

    def byID(self, id: int) -> Domain:
        """As L{byName}."""
        domain = self._ids.get(id)
        if domain is None:
            raise virtError(ErrorCode.NO_DOMAIN, None, ErrorDomain.TEST)
        return domain

    def find(self, ref: DomainRef) -> Domain:
        """
        Find the domain that a reference means.

        @raise NoSuchDomain: it is gone.
        """
        domain = self._uuids.get(ref.uuid)
        if domain is None:
            raise virtError(
                ErrorCode.NO_DOMAIN,
                f"no domain with matching uuid '{formatUUID(ref.uuid)}' ({ref.name})",
                ErrorDomain.TEST,
            )
        return domain

    def identified(self, uuid: bytes) -> Domain | None:
        """Find a domain, or None."""
        return self._uuids.get(uuid)

    def named(self, name: str) -> Domain | None:
        """Find a domain, or None."""
        return self._names.get(name)

    def add(
        self, definition: DomainDefinition, *, live: bool = False, mustBeInactive: bool = False
    ) -> tuple[Domain, DomainDefinition | None]:
        """
        Add a domain, or give one that is there another definition.

        @param live: it is about to be started.
        @param mustBeInactive: refuse if it runs.
        @return: the domain, and the definition it had before, None for a new one.
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
            return domain, self._assign(domain, definition, live)
        domain = self._names.get(definition.name)
        if domain is not None:
            raise virtError(
                ErrorCode.OPERATION_FAILED,
                f"domain '{definition.name}' already exists with uuid {formatUUID(domain.uuid)}",
                ErrorDomain.DOMAIN,
            )
        domain = Domain(definition.name, definition.uuid, definition)
        self.place(domain)
        return domain, None

    def place(self, domain: Domain) -> None:
        """Add a domain whose name and UUID no other has."""
        self._uuids[domain.uuid] = domain
        self._names[domain.name] = domain

    @staticmethod
    def _assign(
        domain: Domain, definition: DomainDefinition, live: bool
    ) -> DomainDefinition | None:
        """
        Replace what a domain is, or will be if it runs or is about to be started.

        @return: the definition that is forgotten by that, if any.
        """
        if domain.active:
            pending, domain.pending = domain.pending, definition
            return pending
        old, domain.definition = domain.definition, definition
        domain.parsed = definition
        if not live:
            return old
        if domain.pending is None:
            domain.pending = old
        return None

    def remove(self, domain: Domain) -> None:
        """Forget a domain."""
        del self._uuids[domain.uuid]
        del self._names[domain.name]
        self._ids.pop(domain.id, None)

    def identify(self, domain: Domain, id: int) -> None:
        """Give a domain a number, or take it away with -1."""
        self._ids.pop(domain.id, None)
        domain.identify(id)
        if id != -1:
            self._ids[id] = domain

    def rename(self, domain: Domain, name: str) -> None:
        """Give a domain another name, which must be free."""
        del self._names[domain.name]
        domain.name = name
        self._names[name] = domain
        domain.identify(domain.id)
