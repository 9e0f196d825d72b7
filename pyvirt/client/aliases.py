"""
libvirt.conf, as clients read it: the default URI, and short names for URIs.

Root's file is /etc/libvirt/libvirt.conf, another user's C{libvirt/libvirt.conf} in C{$XDG_CONFIG_HOME}.  A
missing file is an empty one.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

import attrs

from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["ClientConfiguration", "configurationPath", "loadConfiguration"]

_ALIAS = re.compile(r"[A-Za-z0-9_-]*")


@attrs.frozen(kw_only=True)
class ClientConfiguration:
    """
    What libvirt.conf says.

    @ivar uriDefault: the URI to open when none is named, or None.
    @ivar uriAliases: short names and what they stand for, as C{name=URI}.
    """

    uriDefault: str | None = None
    uriAliases: tuple[str, ...] = ()

    def resolve(self, name: str) -> str:
        """
        Return what C{name} stands for; a name that is no alias stands for itself.

        Entries are read in order, and those behind the one that matches not at all.

        @raise VirtError: an entry is malformed (C{CONF_SYNTAX}).
        """
        for entry in self.uriAliases:
            alias, equals, uri = entry.partition("=")
            if not equals:
                raise _malformed(entry, "expected 'alias=uri://host/path'")
            if not _ALIAS.fullmatch(alias):
                raise _malformed(entry, "aliases may only contain 'a-Z, 0-9, _, -'")
            if alias == name:
                return uri
        return name


def _malformed(entry: str, problem: str) -> VirtError:
    return virtError(
        ErrorCode.CONF_SYNTAX,
        f"Malformed 'uri_aliases' config entry '{entry}', {problem}",
        ErrorDomain.URI,
    )


def configurationPath(environment: Mapping[str, str], userID: int) -> str:
    """Return where the user's libvirt.conf is."""
    if userID == 0:
        return "/etc/libvirt/libvirt.conf"
    home = environment.get("HOME") or os.path.expanduser("~")
    folder = environment.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
    return os.path.join(folder, "libvirt", "libvirt.conf")


def loadConfiguration(path: str) -> ClientConfiguration:
    """
    Read libvirt.conf.

    @raise VirtError: it breaks the syntax (C{CONF_SYNTAX}) or a value has the wrong type.
    """
    from pyvirt.confsyntax import ConfigError, parse

    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            text = file.read()
    except OSError:
        return ClientConfiguration()
    values: dict[str, object] = {}
    try:
        for entry in parse(text, path):
            values.setdefault(entry.name, entry.value)
    except ConfigError as problem:
        raise virtError(ErrorCode.CONF_SYNTAX, str(problem), ErrorDomain.CONF) from None
    default = values.get("uri_default")
    if default is not None and not isinstance(default, str):
        raise _wrongType(path, "a string", "uri_default")
    aliases = values.get("uri_aliases", [])
    if not isinstance(aliases, list):
        raise _wrongType(path, "a string list", "uri_aliases")
    for each in aliases:
        if not isinstance(each, str):
            raise virtError(
                ErrorCode.CONF_SYNTAX,
                f"{path}: expected a string list for 'uri_aliases' parameter",
                ErrorDomain.CONF,
            )
    return ClientConfiguration(uriDefault=default, uriAliases=tuple(aliases))


def _wrongType(path: str, wanted: str, name: str) -> VirtError:
    return virtError(
        ErrorCode.INTERNAL_ERROR,
        f"{path}: expected {wanted} for '{name}' parameter",
        ErrorDomain.CONF,
    )
