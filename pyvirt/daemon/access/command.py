"""
C{pyvirt-policy}: check a policy file, and answer who may do what, and why.
"""

from __future__ import annotations

import argparse
import grp
import pwd
import sys
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import TextIO

from pyvirt.daemon.access.guard import PolicyError
from pyvirt.daemon.access.objects import PERMISSIONS, Target
from pyvirt.daemon.access.policy import Decision, Policy, loadPolicy
from pyvirt.daemon.identity import groupsOf

__all__ = ["main"]

DEFAULT = "/etc/libvirt/pyvirt-policy.toml"


class _Mistake(Exception):
    """The command line cannot be understood."""


def subjects(names: Iterable[str]) -> set[str]:
    """All names by which the policy knows who has C{names}: a user's groups too."""
    found = {"anyone"}
    for name in names:
        kind, _, rest = name.partition(":")
        if kind not in ("user", "group", "certificate", "sasl", "ssh", "key") or not rest:
            raise _Mistake(
                f"'{name}' is nobody: user:NAME, group:NAME, certificate:DN, sasl:NAME, ssh:NAME or"
                " key:FINGERPRINT"
            )
        found.add(name)
        if kind == "user":
            try:
                entry = pwd.getpwuid(int(rest)) if rest.isdigit() else pwd.getpwnam(rest)
            except KeyError:
                continue
            found |= {f"user:{entry.pw_name}", f"user:{entry.pw_uid}"}
            found |= {f"group:{each}" for each in groupsOf(entry.pw_uid)}
    return found


def permission(text: str) -> tuple[str, str]:
    """Take C{domain:start} apart."""
    kind, _, name = text.replace("-", "_").partition(":")
    if name not in PERMISSIONS.get(kind, ()):
        raise _Mistake(f"'{text}' is no permission, such as domain:start or connect:read")
    return kind, name


def people(policy: Policy) -> list[str]:
    """Everybody whom a policy names."""
    found: dict[str, None] = {"user:root": None} if policy.root else {}
    for grant in policy.grants:
        found.update(dict.fromkeys(grant.to))
    return list(found)


class Command:
    """The command, on a policy that was read."""

    def __init__(self, policy: Policy, options: argparse.Namespace, output: TextIO) -> None:
        self.policy = policy
        self.options = options
        self.output = output

    def print(self, text: str) -> None:
        print(text, file=self.output)

    def decide(self, who: set[str], kind: str, name: str) -> Decision:
        """Ask the policy."""
        options = self.options
        target = Target(kind=kind, driver=options.driver, name=options.object)
        return self.policy.decide(who, name, target, lambda _: options.owner)

    def check(self) -> int:
        policy = self.policy
        roles = {role.name for grant in policy.grants for role in grant.roles}
        self.print(
            f"{policy.file}: good; grants: {len(policy.grants)}, roles in use: {len(roles)};"
            f" root {'may do everything' if policy.root else 'has no privilege'}"
        )
        return 0

    def why(self) -> int:
        kind, name = permission(self.options.permission)
        decision = self.decide(subjects(self.options.who), kind, name)
        self.print(f"{'allowed' if decision.allowed else 'denied'}: {decision.reason}")
        return 0 if decision.allowed else 1

    def who(self) -> int:
        kind, name = permission(self.options.permission)
        some = False
        for each in people(self.policy):
            known = {"anyone"} if each == "anyone" else subjects([each])
            if each.startswith("group:"):
                try:
                    members = grp.getgrnam(each.partition(":")[2]).gr_mem
                except KeyError:
                    members = []
                shown = f"{each} ({', '.join(members)})" if members else each
            else:
                shown = each
            decision = self.decide(known, kind, name)
            if decision.allowed:
                some = True
                self.print(f"{shown}: {decision.reason}")
        if not some:
            self.print("nobody")
        return 0 if some else 1

    def list(self) -> int:
        who = subjects(self.options.who)
        some = False
        for kind, names in PERMISSIONS.items():
            if self.options.kind and not fnmatchcase(kind, self.options.kind):
                continue
            for name in names:
                decision = self.decide(who, kind, name)
                if decision.allowed:
                    some = True
                    self.print(f"{kind}:{name}: {decision.reason}")
        if not some:
            self.print("nothing")
        return 0 if some else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pyvirt-policy", description="Check a policy file; tell who may do what, and why."
    )
    parser.add_argument(
        "--policy", metavar="FILE", default=DEFAULT, help=f"the policy file (default: {DEFAULT})"
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, help: str) -> argparse.ArgumentParser:
        each = commands.add_parser(name, help=help)
        each.add_argument("--driver", default="QEMU", help="of the connection (default: QEMU)")
        each.add_argument("--owner", metavar="WHO", help="who has made the object")
        return each

    commands.add_parser("check", help="say whether the file is good")
    whose = "user:NAME, group:NAME, certificate:DN, sasl:NAME, ssh:NAME, key:FINGERPRINT"
    why = add("why", "tell whether somebody may do something, and why")
    why.add_argument("--as", dest="who", action="append", required=True, help=whose)
    why.add_argument("permission", help="such as domain:start")
    why.add_argument("object", nargs="?", help="its name; left out: one that is not known before")
    who = add("who", "list who may do something, and why")
    who.add_argument("permission", help="such as domain:start")
    who.add_argument("object", nargs="?", help="its name")
    what = add("list", "list what somebody may do, and why")
    what.add_argument("--as", dest="who", action="append", required=True, help=whose)
    what.add_argument("--kind", help="of objects only, such as domain; a pattern")
    what.add_argument("object", nargs="?", help="its name")
    return parser


def main(arguments: Sequence[str] | None = None, output: TextIO | None = None) -> int:
    """Run the command; return its exit status: 0 allowed, 1 denied or nobody, 2 it cannot be told."""
    options = _parser().parse_args(arguments)
    try:
        command = Command(loadPolicy(options.policy), options, output or sys.stdout)
        status: int = getattr(command, options.command)()
        return status
    except (PolicyError, _Mistake) as problem:
        print(f"pyvirt-policy: {problem}", file=sys.stderr)
        return 2
