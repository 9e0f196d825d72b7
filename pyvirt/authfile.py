"""
The file of credentials that users keep for daemons, C{auth.conf}, so that nobody has to be asked.

Source: libvirt's "Connection authentication", the client's configuration file.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from pyvirt.errors import ErrorCode, VirtError, virtError

__all__ = ["findAuthFile", "readCredentials"]

_SIZE = 1 << 20


def findAuthFile(given: str | None, environment: Mapping[str, str]) -> str | None:
    """
    Find the file: as the environment says, as the URI says, the user's own, the machine's.

    @param given: what the URI says.
    @return: None: there is none.  One that is named need not be there.
    """
    for named in (environment.get("LIBVIRT_AUTH_FILE"), given):
        if named is not None:
            return named
    home = environment.get("XDG_CONFIG_HOME") or os.path.join(
        environment.get("HOME", "/"), ".config"
    )
    for path in (os.path.join(home, "libvirt", "auth.conf"), "/etc/libvirt/auth.conf"):
        if os.access(path, os.R_OK):
            return path
    return None


def _groups(path: str) -> dict[str, dict[str, str]]:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            text = file.read(_SIZE)
    except OSError as problem:
        reason = problem.strerror
        raise VirtError(
            f"Failed to open file '{path}': {reason}",
            code=ErrorCode.SYSTEM_ERROR,
            str1="%s",
            str2=f"Failed to open file '{path}': {reason}",
        ) from None
    found: dict[str, dict[str, str]] = {}
    group: dict[str, str] | None = None
    for number, line in enumerate(text.split("\n"), 1):
        line = line.lstrip()
        if not line or line.startswith("#"):
            continue
        if line.startswith("[") and "]" in line:
            group = found.setdefault(line[1:].partition("]")[0], {})
        elif group is not None and "=" in line:
            # Blanks behind a value belong to it.
            name, _, value = line.partition("=")
            group[name.rstrip()] = value.lstrip()
        else:
            raise VirtError(
                f"{path}:{number}: neither a group nor a value in one: '{line[:80]}'",
                code=ErrorCode.CONF_SYNTAX,
            )
    return found


def readCredentials(path: str, service: str, host: str) -> dict[str, str]:
    """
    Read the credentials for a daemon: C{authname}, C{password} and the like.

    @param host: where it is.
    @raise VirtError: the file cannot be read, or names credentials that it has not (C{CONF_SYNTAX}).
    """
    groups = _groups(path)
    for name in (f"auth-{service}-{host}", f"auth-{service}-default"):
        group = groups.get(name)
        if group is None:
            continue
        wanted = group.get("credentials")
        if wanted is None:
            raise virtError(
                ErrorCode.CONF_SYNTAX,
                f"Missing item 'credentials' in group '{name}' in '{path}'",
            )
        credentials = groups.get(f"credentials-{wanted}")
        if credentials is None:
            raise virtError(
                ErrorCode.CONF_SYNTAX,
                f"Missing group 'credentials-{wanted}' referenced from group '{name}' in '{path}'",
            )
        return credentials
    return {}
