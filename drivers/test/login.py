"""
Who may open a host of a file, if the file says so: a name and perhaps a password, from C{auth.conf} or from whoever
opens it.

Texts are those of libvirt 9.0.0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyvirt import constants as c
from pyvirt.authfile import findAuthFile, readCredentials
from pyvirt.credentials import Asked
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["logIn"]

_NAMES = (c.VIR_CRED_AUTHNAME,)
_SECRETS = (c.VIR_CRED_PASSPHRASE, c.VIR_CRED_NOECHOPROMPT)


def _refused(detail: str, domain: int) -> VirtError:
    return virtError(ErrorCode.AUTH_FAILED, detail, domain)


def _unknown() -> VirtError:
    return VirtError("An error occurred, but the cause is unknown", int1=0, int2=0)


async def _ask(
    asked: Asked | None, wanted: Sequence[int], names: str, what: str, prompt: str
) -> str:
    """Ask for one credential, of the first type that can be asked for and is wanted."""
    if asked is None or asked.callback is None:
        what = "credentials" if asked is None else "callback"
        raise virtError(ErrorCode.INVALID_ARG, f"Missing authentication {what}", ErrorDomain.AUTH)
    kind = next((each for each in asked.types if each in wanted), None)
    if kind is None:
        raise _refused(f"Missing {names} credential type", ErrorDomain.AUTH)
    credential = [kind, prompt, "localhost", None, None]
    answer = await asked.collect([credential])
    if answer < 0:
        raise _refused(f"{what} request failed", ErrorDomain.AUTH)
    given = credential[4]
    if answer or not isinstance(given, str):
        raise _unknown()
    return given


async def logIn(
    users: Sequence[tuple[str, str | None]],
    asked: Asked | None,
    authFile: str | None,
    environment: Mapping[str, str],
) -> None:
    """
    Find out who opens a host.

    @param users: names and passwords; None: none is needed.
    @param asked: who answers for what no file says; None: nobody.
    @param authFile: the file of credentials that the URI names.
    @param environment: of the process.
    @raise VirtError: nobody answered, or somebody who is not known.
    """
    known: Mapping[str, str] = {}
    path = findAuthFile(authFile, environment)
    if path is not None:
        try:
            known = readCredentials(path, "test", "localhost")
        except VirtError as error:
            raise (
                error if error.code == ErrorCode.CONF_SYNTAX and error.str2 else _unknown()
            ) from None
    name = known.get("username")
    if name is None:
        name = await _ask(
            asked,
            _NAMES,
            "VIR_CRED_AUTHNAME",
            "Username",
            "Enter username for localhost",
        )
    if (name, None) in users:
        return
    given = known.get("password")
    if given is None:
        given = await _ask(
            asked,
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
