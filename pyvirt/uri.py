"""
Connection URIs: C{driver[+transport]://[user@][host][:port]/path[?parameters]}.

A URI that names a host or a transport is for the remote driver; any other is opened where we are.
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

import attrs

from pyvirt.errors import ErrorCode, ErrorDomain, virtError

__all__ = ["URI", "parseURI"]

_FORM = re.compile(
    r"""
    (?:(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):)?
    (?:
        //(?:(?P<user>[^/?\#@]*)@)?
        (?P<host>\[[0-9A-Fa-f:.%A-Za-z0-9_-]*\]|[^/?\#:@\[\]]*)
        (?::(?P<port>[0-9]*))?(?=[/?\#]|$)
        | (?!//)
    )
    (?P<path>[^?\#\[\]]*)
    (?:\?(?P<query>[^\#\[\]]*))?
    (?:\#(?P<fragment>.*))?
    """,
    re.VERBOSE | re.DOTALL,
)
_BAD = re.compile(r"[\x00-\x20\"<>\\^`{|}\x7f-\U0010ffff]|%(?![0-9A-Fa-f]{2})")


@attrs.frozen(kw_only=True)
class URI:
    """
    A parsed URI.

    @ivar scheme: the whole scheme, C{test+unix}; empty if there is none.
    @ivar host: the host without brackets; empty if there is none.
    @ivar port: 0 if none was given.
    @ivar path: decoded; with its leading slash.
    @ivar parameters: names and values of the query, decoded, in order.
    """

    scheme: str = ""
    user: str | None = None
    host: str = ""
    port: int = 0
    path: str = ""
    parameters: tuple[tuple[str, str], ...] = ()
    fragment: str | None = None
    text: str = attrs.field(default="", eq=False)

    @property
    def driver(self) -> str:
        """The part of the scheme before C{+}."""
        return self.scheme.partition("+")[0]

    @property
    def transport(self) -> str | None:
        """The part of the scheme after C{+}, None if there is none."""
        return self.scheme.partition("+")[2] or None

    @property
    def isRemote(self) -> bool:
        """Whether another daemon is meant."""
        return bool(self.host or self.transport)

    def parameter(self, name: str) -> str | None:
        """Return the last value given for C{name}, None if there is none."""
        found = None
        for each, value in self.parameters:
            if each == name:
                found = value
        return found

    def __str__(self) -> str:
        """Write the URI."""
        out = f"{self.scheme}:" if self.scheme else ""
        if self.scheme or self.host:
            out += "//"
        if self.user is not None:
            out += quote(self.user, safe="!$&'()*+,;=:") + "@"
        out += f"[{self.host}]" if ":" in self.host else self.host
        if self.port:
            out += f":{self.port}"
        out += quote(self.path, safe="/!$&'()*+,;=:@~")
        if self.parameters:
            out += "?" + "&".join(
                f"{quote(name, safe='')}={quote(value, safe='/:@!$*,~')}"
                for name, value in self.parameters
            )
        if self.fragment is not None:
            out += "#" + quote(self.fragment, safe="/?:@!$&'()*+,;=")
        return out


def parseURI(text: str) -> URI:
    """
    Parse a URI.

    @raise VirtError: it is none (C{INTERNAL_ERROR}, as libvirt calls it).
    """
    match = _FORM.fullmatch(text)
    if (
        match is None
        or _BAD.search(text)
        # Without a scheme, what a colon in the first segment would end is a scheme that is none.
        or (not match["scheme"] and ":" in match["path"].partition("/")[0])
    ):
        raise virtError(ErrorCode.INTERNAL_ERROR, f"Unable to parse URI {text}", ErrorDomain.URI)
    parts = match.groupdict()
    parameters = []
    for pair in re.split("[&;]", parts["query"] or ""):
        if pair:
            name, _, value = pair.partition("=")
            parameters.append((unquote(name), unquote(value)))
    host = parts["host"] or ""
    return URI(
        scheme=parts["scheme"] or "",
        user=None if parts["user"] is None else unquote(parts["user"]),
        host=host[1:-1] if host.startswith("[") else unquote(host),
        port=int(parts["port"]) if parts["port"] else 0,
        path=unquote(parts["path"]),
        parameters=tuple(parameters),
        fragment=parts["fragment"],
        text=text,
    )
