"""
Who may open a host of a file, if the file says so: a name and perhaps a password, asked for when it is opened.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

from pyvirt import constants as c
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["logIn"]

_SECRETS = (c.VIR_CRED_PASSPHRASE, c.VIR_CRED_NOECHOPROMPT)


def _refused(detail: str, domain: int) -> VirtError:
    return virtError(ErrorCode.AUTH_FAILED, detail, domain)


async def _ask(
    auth: Sequence[Any], wanted: Sequence[int], names: str, what: str, prompt: str
) -> str:
    """Ask for one credential of the first wanted type that can be asked for."""
    types, callback, data = auth[0], auth[1], auth[2] if len(auth) > 2 else None
    kind = next((each for each in wanted if each in types), None)
    if kind is None:
        raise _refused(f"Missing {names} credential type", ErrorDomain.AUTH)
    credential = [kind, prompt, "localhost", None, None]
    answer = callback([credential], data)
    if inspect.isawaitable(answer):
        answer = await answer
    if isinstance(answer, int) and answer < 0:
        raise _refused(f"{what} request failed", ErrorDomain.AUTH)
    if credential[4] is None:
        raise VirtError("An error occurred, but the cause is unknown", int1=0, int2=0)
    return str(credential[4])


async def logIn(users: Sequence[tuple[str, str | None]], auth: Sequence[Any]) -> None:
    """
    Ask who is there, and let in who is known.

    @param users: names, with passwords where they have one.
    @param auth: types of credentials, a callable that fills them in and what it is given beside them.
    @raise VirtError: nobody answered, or somebody who is not known.
    """
    name = await _ask(
        auth,
        (c.VIR_CRED_AUTHNAME,),
        "VIR_CRED_AUTHNAME",
        "Username",
        "Enter username for localhost",
    )
    for known, password in users:
        if known == name:
            if password is None:
                return
            break
    given = await _ask(
        auth,
        _SECRETS,
        "VIR_CRED_PASSPHRASE or VIR_CRED_NOECHOPROMPT",
        "Password",
        f"Enter {name}'s password for localhost",
    )
    if (name, given) not in users:
        raise _refused(
            "authentication failed, see test XML for the correct username/password",
            ErrorDomain.TEST,
        )
