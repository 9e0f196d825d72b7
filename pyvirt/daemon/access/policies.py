"""
What answers questions of access in a daemon: the policy file, polkit, or several of them, all of which must agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.logger import Logger

from pyvirt.daemon.access.guard import IPolicy
from pyvirt.daemon.access.objects import Target
from pyvirt.daemon.access.owners import Owners
from pyvirt.daemon.access.policy import Policy, loadPolicy, subjectsOf
from pyvirt.daemon.identity import Identity

__all__ = ["AllOf", "FilePolicy"]

log = Logger()


class FilePolicy:
    """
    Answers from a policy file.

    @ivar policy: what the file says.
    """

    def __init__(self, path: str, owners: Owners) -> None:
        """
        @raise PolicyError: the file cannot be used.
        """
        self.path = path
        self.owners = owners
        self.policy: Policy = loadPolicy(path)
        self._subjects: dict[Identity, frozenset[str]] = {}

    def reload(self) -> None:
        """
        Read the file again.

        @raise PolicyError: it cannot be used; what it said before holds.
        """
        self.policy = loadPolicy(self.path)
        self._subjects.clear()

    def subjects(self, identity: Identity) -> frozenset[str]:
        """The names by which the policy knows somebody."""
        found = self._subjects.get(identity)
        if found is None:
            if len(self._subjects) > 1000:
                self._subjects.clear()
            found = self._subjects[identity] = frozenset(subjectsOf(identity))
        return found

    def allows(self, identity: Identity, permission: str, target: Target) -> bool:
        """Answer from the file."""
        decision = self.policy.decide(
            self.subjects(identity), permission, target, self.owners.ownerOf
        )
        if not decision.allowed:
            log.debug(
                "{who} may not {permission} {target}: {reason}",
                who=identity.describe(),
                permission=permission,
                target=target,
                reason=decision.reason,
            )
        return decision.allowed

    def made(self, identity: Identity, target: Target) -> None:
        """Remember who has made an object."""
        self.owners.made(self.subjects(identity), target)

    def removed(self, target: Target) -> None:
        """Forget who has made it."""
        self.owners.removed(target)


class AllOf:
    """Several policies, each of which must allow it."""

    def __init__(self, policies: Sequence[IPolicy]) -> None:
        self.policies = policies

    def allows(self, identity: Identity, permission: str, target: Target) -> bool | Deferred[bool]:
        """Ask one after the other while they answer at once, and wait for the rest."""
        waiting: list[Deferred[bool]] = []
        for each in self.policies:
            answer = each.allows(identity, permission, target)
            if isinstance(answer, Deferred):
                waiting.append(answer)
            elif not answer:
                for other in waiting:
                    other.addErrback(lambda _: None)
                    other.cancel()
                return False
        if not waiting:
            return True
        together: Deferred[Any] = gatherResults(waiting, consumeErrors=True)
        return together.addCallback(all)

    def made(self, identity: Identity, target: Target) -> None:
        """Tell all of them."""
        for each in self.policies:
            each.made(identity, target)

    def removed(self, target: Target) -> None:
        """Tell all of them."""
        for each in self.policies:
            each.removed(target)
