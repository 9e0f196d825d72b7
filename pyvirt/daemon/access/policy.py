"""
Our own policy: a file that says who may do what to which objects, deny by default.

It is TOML.  Roles name permissions, in libvirt's words; grants give roles to people, perhaps for some objects only::

    [roles.viewer]
    allow = ["*:getattr", "*:read", "connect:search_*"]

    [roles.operator]
    include = ["viewer"]
    allow = ["domain:start", "domain:stop"]

    [[grants]]
    to = ["group:web", "sasl:joe"]
    roles = ["operator"]
    objects = { domain = ["web-*"] }

What a role denies, it denies whatever else is allowed.  Each answer has its reason.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Collection, Iterable, Mapping
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any, NamedTuple

import attrs

from pyvirt.daemon.access.guard import PolicyError
from pyvirt.daemon.access.objects import PERMISSIONS, Target
from pyvirt.daemon.identity import Identity, groupName, groupsOf

__all__ = ["Decision", "Policy", "loadPolicy", "readPolicy", "subjectsOf"]

_SIZE = 1 << 20
_SUBJECT = re.compile(r"(?:user|group|certificate|sasl|ssh|key):.+|anyone", re.S)

OwnerOf = Callable[[Target], str | None]
"""Tells who made an object, as one of L{subjectsOf}, None: nobody knows."""


class Decision(NamedTuple):
    """An answer, and why."""

    allowed: bool
    reason: str


@attrs.frozen
class Role:
    """Permissions under a name, those of included roles among them; each with the role that says it."""

    name: str
    allow: tuple[tuple[str, str], ...]
    deny: tuple[tuple[str, str], ...]


@attrs.frozen
class Grant:
    """
    Roles given to people.

    @ivar number: in order of the file, from 1.
    @ivar objects: kind to patterns of names; None: every object.
    @ivar owned: only what they have made themselves.
    @ivar drivers: patterns of drivers' names.
    """

    number: int
    to: tuple[str, ...]
    roles: tuple[Role, ...]
    objects: Mapping[str, tuple[str, ...]] | None
    owned: bool
    drivers: tuple[str, ...]

    def covers(self, target: Target, subjects: Collection[str], owner: OwnerOf) -> bool:
        """Whether it is about C{target}."""
        if not any(fnmatchcase(target.driver, each) for each in self.drivers):
            return False
        if target.kind == "connect":
            return True
        if self.owned:
            maker = owner(target)
            if maker is None or maker not in subjects:
                return False
        if self.objects is None:
            return True
        patterns = self.objects.get(target.kind, ())
        if target.name is None:
            # It is not known before it is done: only what is allowed for all may be done.
            return "*" in patterns
        return any(fnmatchcase(target.name, each) or target.uuid == each for each in patterns)


@attrs.frozen
class Policy:
    """
    A policy.

    @ivar file: where it was read from.
    @ivar root: whether the super-user may do everything.
    """

    file: str
    root: bool
    grants: tuple[Grant, ...]

    def decide(
        self, subjects: Collection[str], permission: str, target: Target, owner: OwnerOf
    ) -> Decision:
        """
        Answer whether somebody may do something, and why.

        @param subjects: who it is: any of L{subjectsOf}.
        @param permission: as C{read}, of C{target.kind}.
        """
        wanted = f"{target.kind}:{permission}"
        if self.root and "user:root" in subjects:
            return Decision(True, "root may do everything")
        found: Decision | None = None
        mine = 0
        for grant in self.grants:
            subject = next((each for each in grant.to if each in subjects), None)
            if subject is None:
                continue
            mine += 1
            if not grant.covers(target, subjects, owner):
                continue
            for role in grant.roles:
                for pattern, origin in role.deny:
                    if fnmatchcase(wanted, pattern):
                        return Decision(
                            False,
                            f"grant {grant.number} to {subject}: role '{role.name}'{_via(role, origin)}"
                            f" denies '{pattern}'",
                        )
                for pattern, origin in role.allow:
                    if found is None and fnmatchcase(wanted, pattern):
                        found = Decision(
                            True,
                            f"grant {grant.number} to {subject}: role '{role.name}'{_via(role, origin)}"
                            f" allows '{pattern}'",
                        )
        if found is not None:
            return found
        if not mine:
            return Decision(False, "no grant names them")
        return Decision(False, f"none of their {mine} grants allows {wanted} on this object")


def _via(role: Role, origin: str) -> str:
    return "" if origin == role.name else f", which includes '{origin}',"


def subjectsOf(
    identity: Identity, groups: Callable[[int], Iterable[str]] | None = None
) -> set[str]:
    """Return the names by which a policy may know somebody."""
    found = {"anyone"}
    if identity.user is not None:
        found.add(f"user:{identity.user}")
    if identity.userID is not None:
        found.add(f"user:{identity.userID}")
        if identity.userID == 0:
            found.add("user:root")
        if not identity.claimed:
            found.update(f"group:{each}" for each in (groups or _groups)(identity.userID))
    if identity.groupName is not None:
        found.add(f"group:{identity.groupName}")
    elif identity.groupID is not None:
        found.add(f"group:{groupName(identity.groupID)}")
    for label, value in (
        ("certificate", identity.x509Name),
        ("sasl", identity.saslName),
        ("ssh", identity.sshUser),
        ("key", identity.sshKey),
    ):
        if value:
            found.add(f"{label}:{value}")
    return found


@lru_cache(maxsize=256)
def _groups(user: int) -> tuple[str, ...]:
    return groupsOf(user)


class _Reader:
    """Checks a document and makes a policy of it."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.roles: dict[str, Any] = {}
        self.made: dict[str, Role] = {}

    def fail(self, where: str, problem: str) -> PolicyError:
        return PolicyError(f"{self.file}: {where}: {problem}")

    def read(self, document: Mapping[str, Any]) -> Policy:
        self.known("the top", document, ("root", "roles", "grants"))
        root = document.get("root", True)
        if not isinstance(root, bool):
            raise self.fail("root", "it must be true or false")
        roles = document.get("roles", {})
        if not isinstance(roles, dict) or not all(
            isinstance(each, dict) for each in roles.values()
        ):
            raise self.fail("roles", "each role must be a table, [roles.NAME]")
        self.roles = roles
        for name in roles:
            self.role(name, ())
        grants = document.get("grants", [])
        if not isinstance(grants, list) or not all(isinstance(each, dict) for each in grants):
            raise self.fail("grants", "each grant must be a table, [[grants]]")
        return Policy(
            self.file,
            root,
            tuple(self.grant(number, each) for number, each in enumerate(grants, 1)),
        )

    def known(self, where: str, table: Mapping[str, Any], keys: Iterable[str]) -> None:
        for key in table:
            if key not in keys:
                raise self.fail(where, f"unknown key '{key}', known are {', '.join(keys)}")

    def strings(self, where: str, table: Mapping[str, Any], key: str) -> list[str]:
        value = table.get(key, [])
        if not isinstance(value, list) or not all(isinstance(each, str) and each for each in value):
            raise self.fail(where, f"'{key}' must be a list of strings")
        return value

    def role(self, name: str, path: tuple[str, ...]) -> Role:
        made = self.made.get(name)
        if made is not None:
            return made
        where = f"role '{name}'"
        if name not in self.roles:
            raise self.fail(f"role '{path[-1]}'", f"it includes '{name}', which is no role")
        if name in path:
            raise self.fail(where, f"it includes itself, by {' and '.join(path)}")
        table = self.roles[name]
        self.known(where, table, ("allow", "deny", "include"))
        allow = [(each, name) for each in self.permissions(where, table, "allow")]
        deny = [(each, name) for each in self.permissions(where, table, "deny")]
        for each in self.strings(where, table, "include"):
            other = self.role(each, (*path, name))
            allow += other.allow
            deny += other.deny
        made = self.made[name] = Role(name, tuple(allow), tuple(deny))
        return made

    def permissions(self, where: str, table: Mapping[str, Any], key: str) -> list[str]:
        found = [each.replace("-", "_") for each in self.strings(where, table, key)]
        for each in found:
            if not any(
                fnmatchcase(f"{kind}:{name}", each)
                for kind, names in PERMISSIONS.items()
                for name in names
            ):
                raise self.fail(where, f"'{each}' is no permission, such as domain:start or *:read")
        return found

    def grant(self, number: int, table: Mapping[str, Any]) -> Grant:
        where = f"grant {number}"
        self.known(where, table, ("to", "roles", "objects", "owned", "drivers"))
        to = self.strings(where, table, "to")
        if not to:
            raise self.fail(where, "it must say to whom: 'to'")
        for each in to:
            if not _SUBJECT.fullmatch(each):
                raise self.fail(
                    where,
                    f"'{each}' is nobody: user:NAME, group:NAME, certificate:DN, sasl:NAME, ssh:NAME,"
                    " key:FINGERPRINT or anyone",
                )
        names = self.strings(where, table, "roles")
        for name in names:
            if name not in self.made:
                raise self.fail(where, f"there is no role '{name}'")
        objects = table.get("objects")
        if objects is not None:
            if not isinstance(objects, dict):
                raise self.fail(where, "'objects' must be a table of patterns by kind")
            kinds = [each for each in PERMISSIONS if each != "connect"]
            self.known(f"{where}, objects", objects, kinds)
            objects = {
                kind: tuple(self.strings(f"{where}, objects", objects, kind)) for kind in objects
            }
        owned = table.get("owned", False)
        if not isinstance(owned, bool):
            raise self.fail(where, "'owned' must be true or false")
        return Grant(
            number,
            tuple(to),
            tuple(self.made[name] for name in names),
            objects,
            owned,
            tuple(self.strings(where, table, "drivers") or ["*"]),
        )


def readPolicy(text: str, file: str) -> Policy:
    """
    Read a policy.

    @raise PolicyError: it cannot be used.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        raise PolicyError(f"{file}: {problem}") from None
    except RecursionError:
        raise PolicyError(f"{file}: it is nested too deeply") from None
    return _Reader(file).read(document)


def loadPolicy(path: str) -> Policy:
    """
    Read a policy file.

    @raise PolicyError: it cannot be read or used.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(_SIZE + 1)
    except OSError as problem:
        raise PolicyError(f"{path}: {problem.strerror}") from None
    if len(data) > _SIZE:
        raise PolicyError(f"{path}: it is longer than {_SIZE} bytes")
    try:
        return readPolicy(data.decode(), path)
    except UnicodeDecodeError:
        raise PolicyError(f"{path}: it is no UTF-8 text") from None
