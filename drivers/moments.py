"""
States of a domain that are kept: a tree of named moments, one of them the current one.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from typing import ClassVar, Generic, TypeVar

import attrs

from pyvirt.drivers.interfaces.values import DomainRef
from pyvirt.drivers.refusals import Refusals, invalidArgument
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["Moment", "MomentLookups", "Moments"]


@attrs.define
class Moment:
    """
    Something that was.

    @ivar parent: the name of the moment before, or None.
    @ivar created: when it was, in seconds since 1970.
    """

    name: str
    parent: str | None
    created: int


M = TypeVar("M", bound=Moment)


class Moments(Generic[M]):
    """
    The moments of one domain.

    @ivar current: the name of the current one, or None.
    """

    __slots__ = ("_byName", "current")

    def __init__(self) -> None:
        self._byName: dict[str, M] = {}
        self.current: str | None = None

    def __len__(self) -> int:
        return len(self._byName)

    def __iter__(self) -> Iterator[M]:
        """Go over all of them, parents before children."""
        return self.below(None)

    def get(self, name: str) -> M | None:
        """Find one by its name, or None."""
        return self._byName.get(name)

    def add(self, moment: M) -> None:
        """
        Add one.

        @raise VirtError: there is one of that name.
        """
        if moment.name in self._byName:
            raise virtError(
                ErrorCode.OPERATION_FAILED,
                f"domain moment {moment.name} already exists",
                ErrorDomain.DOMAIN,
            )
        self._byName[moment.name] = moment

    def checkPlace(self, name: str, parent: str | None) -> None:
        """
        Look whether one may come after another.

        @raise VirtError: it may not: the other is not there, or comes after it.
        """
        if parent is None:
            return
        if parent == name:
            raise invalidArgument(f"cannot set moment {name} as its own parent", ErrorDomain.DOMAIN)
        if parent not in self._byName:
            raise invalidArgument(
                f"parent {parent} for moment {name} not found", ErrorDomain.DOMAIN
            )
        if any(each.name == parent for each in self.below(name)):
            raise invalidArgument(
                f"parent {parent} would create cycle to {name}", ErrorDomain.DOMAIN
            )

    def replace(self, moment: M) -> None:
        """Put one in the place of another of that name."""
        self._byName[moment.name] = moment

    def children(self, name: str | None) -> list[M]:
        """Return those that come right after one; for None those that come after none."""
        return [moment for moment in self._byName.values() if moment.parent == name]

    def below(self, name: str | None) -> Iterator[M]:
        """Go over all that come after one, parents before children."""
        waiting = self.children(name)
        while waiting:
            moment = waiting.pop(0)
            yield moment
            waiting = self.children(moment.name) + waiting

    def consistent(self) -> bool:
        """Whether all come after one that is there, and none after itself."""
        return len(list(self)) == len(self)

    def isLeaf(self, moment: M) -> bool:
        """Whether nothing comes after it."""
        return all(other.parent != moment.name for other in self._byName.values())

    def listed(self, *, roots: bool, leaves: bool, others: bool) -> list[M]:
        """List all, or only those that come after none, as L{among} lets them pass."""
        return self.among(self.children(None) if roots else self, leaves=leaves, others=others)

    def listedBelow(self, name: str, *, deep: bool, leaves: bool, others: bool) -> list[M]:
        """List what comes right after one, or all that comes after it, as L{among} lets them pass."""
        found = self.below(name) if deep else self.children(name)
        return self.among(found, leaves=leaves, others=others)

    def among(self, found: Iterable[M], *, leaves: bool, others: bool) -> list[M]:
        """Let only leaves pass, or only others; with both there is nothing, with neither there are all."""
        passing = list(found)
        if leaves:
            passing = [each for each in passing if self.isLeaf(each)]
        if others:
            passing = [each for each in passing if not self.isLeaf(each)]
        return passing

    def remove(self, moment: M) -> None:
        """Forget one; what came after it comes after its parent."""
        for child in self.children(moment.name):
            child.parent = moment.parent
        del self._byName[moment.name]
        if self.current == moment.name:
            self.current = moment.parent

    def removeBelow(self, moment: M) -> None:
        """Forget all that come after one; it is the current one if any of them was."""
        for each in list(self.below(moment.name)):
            if self.current == each.name:
                self.current = moment.name
            del self._byName[each.name]


D = TypeVar("D")


class MomentLookups(Generic[D, M]):
    """
    Finds the moments of domains.

    @cvar kind: what they are called in texts.
    @cvar missing: C{ErrorCode} of one that is not there.
    @cvar driver: what libvirt's functions of the driver begin with.
    @cvar refusals: the driver's own.
    """

    kind: ClassVar[str]
    missing: ClassVar[ErrorCode]
    driver: str
    refusals: Refusals

    @abstractmethod
    def domainOf(self, dom: DomainRef) -> D:
        """
        Find a domain.

        @raise VirtError: there is none.
        """

    @abstractmethod
    def momentsOf(self, domain: D) -> Moments[M]:
        """Return the moments of a domain."""

    def _check(self, function: str, flags: int, allowed: int = 0) -> None:
        self.refusals.checkFlags(f"{self.driver}Domain{function}", flags, allowed)

    def _missing(self, detail: str) -> VirtError:
        return virtError(self.missing, detail, self.refusals.domain)

    def named(self, domain: D, name: str) -> M:
        """
        Find a moment of a domain.

        @raise VirtError: there is none of that name.
        """
        found = self.momentsOf(domain).get(name)
        if found is None:
            raise self._missing(f"no domain {self.kind} with matching name '{name}'")
        return found
