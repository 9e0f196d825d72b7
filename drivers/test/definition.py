"""
What is known of domains: finding them, defining them, their XML, autostart, metadata.
"""

from __future__ import annotations

from collections.abc import Callable

from pyvirt import constants as c
from pyvirt.definitions.domain import formatDomain
from pyvirt.definitions.schema import replaced
from pyvirt.definitions.validation import validate
from pyvirt.drivers.interfaces.values import DomainRef
from pyvirt.drivers.test.domain import Domain
from pyvirt.drivers.test.refusals import checkFlags, operationInvalid
from pyvirt.drivers.test.world import World
from pyvirt.errors import ErrorCode, ErrorDomain, virtError

__all__ = ["DomainDefinitions", "domainFilter"]

_XML_FLAGS = c.VIR_DOMAIN_XML_SECURE | c.VIR_DOMAIN_XML_INACTIVE | c.VIR_DOMAIN_XML_MIGRATABLE
_LIST_FLAGS = 0xFFFF

Test = Callable[[Domain], bool]

_SHOWN = (c.VIR_DOMAIN_RUNNING, c.VIR_DOMAIN_PAUSED, c.VIR_DOMAIN_SHUTOFF)

#: Groups of filters: a domain passes a group if any of the group's flags that are given lets it.
_GROUPS: tuple[dict[int, Test], ...] = (
    {
        c.VIR_CONNECT_LIST_DOMAINS_ACTIVE: lambda domain: domain.active,
        c.VIR_CONNECT_LIST_DOMAINS_INACTIVE: lambda domain: not domain.active,
    },
    {
        c.VIR_CONNECT_LIST_DOMAINS_PERSISTENT: lambda domain: domain.persistent,
        c.VIR_CONNECT_LIST_DOMAINS_TRANSIENT: lambda domain: not domain.persistent,
    },
    {
        c.VIR_CONNECT_LIST_DOMAINS_RUNNING: lambda domain: domain.state == c.VIR_DOMAIN_RUNNING,
        c.VIR_CONNECT_LIST_DOMAINS_PAUSED: lambda domain: domain.state == c.VIR_DOMAIN_PAUSED,
        c.VIR_CONNECT_LIST_DOMAINS_SHUTOFF: lambda domain: domain.state == c.VIR_DOMAIN_SHUTOFF,
        c.VIR_CONNECT_LIST_DOMAINS_OTHER: lambda domain: domain.state not in _SHOWN,
    },
    {
        c.VIR_CONNECT_LIST_DOMAINS_MANAGEDSAVE: lambda domain: domain.managedSave,
        c.VIR_CONNECT_LIST_DOMAINS_NO_MANAGEDSAVE: lambda domain: not domain.managedSave,
    },
    {
        c.VIR_CONNECT_LIST_DOMAINS_AUTOSTART: lambda domain: domain.autostart,
        c.VIR_CONNECT_LIST_DOMAINS_NO_AUTOSTART: lambda domain: not domain.autostart,
    },
    {
        c.VIR_CONNECT_LIST_DOMAINS_HAS_SNAPSHOT: lambda domain: domain.snapshotCount > 0,
        c.VIR_CONNECT_LIST_DOMAINS_NO_SNAPSHOT: lambda domain: not domain.snapshotCount,
    },
    {
        c.VIR_CONNECT_LIST_DOMAINS_HAS_CHECKPOINT: lambda domain: domain.checkpointCount > 0,
        c.VIR_CONNECT_LIST_DOMAINS_NO_CHECKPOINT: lambda domain: not domain.checkpointCount,
    },
)


def domainFilter(flags: int) -> Test | None:
    """
    Make the test that C{VIR_CONNECT_LIST_DOMAINS_*} ask for.

    @return: None if every domain passes.
    """
    groups: list[list[Test]] = []
    for group in _GROUPS:
        given = [test for flag, test in group.items() if flags & flag]
        if given and len(given) < len(group):
            groups.append(given)
    if not groups:
        return None
    if len(groups) == 1 and len(groups[0]) == 1:
        return groups[0][0]
    return lambda domain: all(any(test(domain) for test in group) for group in groups)


class DomainDefinitions:
    """Finds domains and answers for what is known of them."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._find = world.domains.find

    def connectListAllDomains(self, flags: int) -> list[DomainRef]:
        """List the domains that pass the filters, in no promised order."""
        checkFlags("testConnectListAllDomains", flags, _LIST_FLAGS)
        test = domainFilter(flags)
        if test is None:
            return [domain.ref for domain in self._world.domains]
        return [domain.ref for domain in self._world.domains if test(domain)]

    def domainLookupByID(self, id: int) -> DomainRef:
        """Find a running domain."""
        return self._world.domains.byID(id).ref

    def domainLookupByName(self, name: str) -> DomainRef:
        """Find a domain."""
        return self._world.domains.byName(name).ref

    def domainLookupByUUID(self, uuid: bytes) -> DomainRef:
        """Find a domain."""
        return self._world.domains.byUUID(uuid).ref

    def domainGetXMLDesc(self, dom: DomainRef, flags: int) -> str:
        """Write a domain's definition: what it is, or with C{VIR_DOMAIN_XML_INACTIVE} what it will be."""
        checkFlags("testDomainGetXMLDesc", flags, _XML_FLAGS)
        domain = self._find(dom)
        inactive = bool(flags & c.VIR_DOMAIN_XML_INACTIVE)
        return formatDomain(
            domain.persistentDefinition if inactive else domain.definition,
            id=None if inactive else domain.id,
            secure=bool(flags & c.VIR_DOMAIN_XML_SECURE),
            inactive=inactive,
            migratable=bool(flags & c.VIR_DOMAIN_XML_MIGRATABLE),
        )

    def domainDefineXMLFlags(self, xml: str, flags: int) -> DomainRef:
        """Define a domain, or redefine one with the same name and UUID."""
        checkFlags("testDomainDefineXMLFlags", flags, c.VIR_DOMAIN_DEFINE_VALIDATE)
        if flags & c.VIR_DOMAIN_DEFINE_VALIDATE:
            validate("domain", xml)
        world = self._world
        definition = world.parse(xml)
        if "\n" in definition.name:
            # Domains that are only started may be called so.
            raise virtError(ErrorCode.XML_DETAIL, "invalid char in name: \n", ErrorDomain.XML)
        domain, old = world.domains.add(definition)
        domain.persistent = True
        world.tell(
            domain,
            c.VIR_DOMAIN_EVENT_DEFINED,
            c.VIR_DOMAIN_EVENT_DEFINED_ADDED if old is None else c.VIR_DOMAIN_EVENT_DEFINED_UPDATED,
        )
        return domain.ref

    def domainGetOSType(self, dom: DomainRef) -> str:
        """Every guest is taken for the same."""
        return "linux"

    def domainGetAutostart(self, dom: DomainRef) -> bool:
        """Whether the domain is started with the host."""
        return self._find(dom).autostart

    def domainSetAutostart(self, dom: DomainRef, autostart: bool) -> None:
        """Say whether the domain is started with the host; nothing else follows from it here."""
        self._find(dom).autostart = autostart

    def domainGetAutostartOnce(self, dom: DomainRef) -> bool:
        """Whether the domain is started when the host boots next."""
        return self._find(dom).extra.autostartOnce

    def domainSetAutostartOnce(self, dom: DomainRef, autostart: bool) -> None:
        """Say whether the domain is started when the host boots next; no host of ours ever does."""
        self._find(dom).extra.autostartOnce = autostart

    def domainIsPersistent(self, dom: DomainRef) -> bool:
        """Whether it stays when it stops."""
        return self._find(dom).persistent

    def domainIsUpdated(self, dom: DomainRef) -> bool:
        """Nothing here marks a domain as changed."""
        return False

    def domainUndefineFlags(self, dom: DomainRef, flags: int) -> None:
        """Forget a definition, and the domain if it does not run."""
        checkFlags(
            "testDomainUndefineFlags",
            flags,
            c.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE | c.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA,
        )
        world = self._world
        domain = self._find(dom)
        if domain.managedSave and not flags & c.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE:
            raise operationInvalid("Refusing to undefine while domain managed save image exists")
        count = domain.snapshotCount
        if count and not domain.active and not flags & c.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA:
            raise operationInvalid(f"cannot delete inactive domain with {count} snapshots")
        domain.managedSave = False
        world.tell(domain, c.VIR_DOMAIN_EVENT_UNDEFINED, c.VIR_DOMAIN_EVENT_UNDEFINED_REMOVED)
        if domain.active:
            domain.persistent = False
        else:
            world.domains.remove(domain)

    def domainRename(self, dom: DomainRef, newName: str | None, flags: int) -> int:
        """Give an inactive domain another name, which must be free."""
        checkFlags("testDomainRename", flags)
        world = self._world
        domain = self._find(dom)
        if domain.active:
            raise operationInvalid("cannot rename active domain")
        assert newName is not None
        if "/" in newName:
            raise virtError(
                ErrorCode.XML_ERROR, f"name {newName} cannot contain '/'", ErrorDomain.TEST
            )
        if newName == domain.name:
            raise operationInvalid("Can't rename domain to itself", ErrorDomain.DOMAIN)
        if world.domains.named(newName) is not None:
            raise operationInvalid(
                f"domain with name '{newName}' already exists", ErrorDomain.DOMAIN
            )
        before = domain.ref
        domain.definition = replaced(domain.definition, name=newName)
        world.domains.rename(domain, newName)
        for ref, event, detail in (
            (before, c.VIR_DOMAIN_EVENT_UNDEFINED, c.VIR_DOMAIN_EVENT_UNDEFINED_RENAMED),
            (domain.ref, c.VIR_DOMAIN_EVENT_DEFINED, c.VIR_DOMAIN_EVENT_DEFINED_RENAMED),
        ):
            world.tell(domain, event, detail, ref)
        return 0
