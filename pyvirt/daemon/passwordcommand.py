"""
C{pyvirt-passwd}: who may log in with a password.
"""

from __future__ import annotations

import argparse
import getpass
import sys
from collections.abc import Callable, Sequence
from typing import TextIO

from pyvirt.daemon.passwords import (
    ITERATIONS,
    MECHANISMS,
    PasswordFile,
    PasswordFileError,
    checkName,
    makeVerifier,
    verify,
)

__all__ = ["main"]

DEFAULT = "/etc/libvirt/pyvirt-passwd"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pyvirt-passwd",
        description="Keep the file of those who log in with a password. It holds verifiers, no passwords.",
    )
    parser.add_argument("--file", default=DEFAULT, help=f"the file (default: {DEFAULT})")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, help in (
        ("set", "add a user, or set a new password"),
        ("check", "say whether a password is right"),
        ("remove", "remove a user"),
    ):
        each = commands.add_parser(name, help=help)
        each.add_argument("user")
        if name != "remove":
            each.add_argument(
                "--stdin",
                action="store_true",
                help="read the password from a line of standard input",
            )
        if name == "set":
            each.add_argument(
                "--iterations",
                type=int,
                default=ITERATIONS,
                help=f"how much work a guess is (default: {ITERATIONS}, at least 4096)",
            )
    commands.add_parser("list", help="list users")
    return parser


def _password(
    options: argparse.Namespace, input: TextIO, prompt: Callable[[str], str], twice: bool
) -> str:
    if options.stdin:
        return input.readline().rstrip("\n")
    password = prompt("Password: ")
    if twice and prompt("Again: ") != password:
        raise PasswordFileError("they differ")
    return password


def main(
    arguments: Sequence[str] | None = None,
    *,
    input: TextIO | None = None,
    output: TextIO | None = None,
    prompt: Callable[[str], str] = getpass.getpass,
) -> int:
    """Run the command; return its exit status."""
    options = _parser().parse_args(arguments)
    output = output or sys.stdout
    file = PasswordFile(options.file)
    try:
        users = dict(file.users())
        if options.command == "list":
            for user in sorted(users):
                print(user, file=output)
            return 0
        user = checkName(options.user)
        if options.command == "set":
            password = _password(options, input or sys.stdin, prompt, True)
            users[user] = {
                each: makeVerifier(each, password, options.iterations) for each in MECHANISMS
            }
            file.write(users)
            return 0
        if user not in users:
            raise PasswordFileError(f"there is no user '{user}'")
        if options.command == "remove":
            del users[user]
            file.write(users)
            return 0
        password = _password(options, input or sys.stdin, prompt, False)
        mechanism, verifier = next(iter(users[user].items()))
        right = verify(mechanism, verifier, password)
        print("right" if right else "wrong", file=output)
        return 0 if right else 1
    except (PasswordFileError, OSError) as problem:
        print(f"pyvirt-passwd: {problem}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    raise SystemExit(main())
