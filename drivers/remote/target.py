"""
From a connection URI to a daemon: which transport, which address, and the URI that the daemon is asked for.

Source: observed on libvirt 9.0.0.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

import attrs

from pyvirt.constants import VIR_CONNECT_RO
from pyvirt.errors import ErrorCode, ErrorDomain, virtError
from pyvirt.transports.endpoints import Address
from pyvirt.uri import URI

__all__ = ["Target", "findTarget"]

_TRANSPORTS = frozenset(("tls", "unix", "ssh", "ext", "tcp", "libssh2", "libssh"))
_PORTS = {"tls": 16514, "tcp": 16509, "ssh": 22, "libssh": 22, "libssh2": 22}

_OURS = frozenset(
    (
        "auth",
        "command",
        "keyfile",
        "known_hosts",
        "known_hosts_verify",
        "mode",
        "name",
        "netcat",
        "no_sanity",
        "no_tty",
        "no_verify",
        "pkipath",
        "proxy",
        "socket",
        "sshauth",
        "tls_priority",
    )
)
"""Parameters that are for this side; the daemon does not see them."""

_NUMBERS = frozenset(("no_sanity", "no_tty", "no_verify"))
"""Those that are numbers, 0 or not."""
_NUMBER = re.compile(r"\s*[+-]?[0-9]+", re.ASCII)

SYSTEM_FOLDER = "/var/run/libvirt"


@attrs.frozen(kw_only=True)
class Target:
    """
    What a URI asks for.

    @ivar address: where the daemon is.
    @ivar name: the URI that the daemon is asked to open; empty: whatever it finds.
    @ivar parameters: what the URI says to this side, such as C{auth} and C{pkipath}.
    @ivar authFile: the file of credentials that the URI names, None: the usual places.
    @ivar user: the user to log in as, None if the URI names none.
    """

    address: Address
    name: str
    parameters: Mapping[str, str] = attrs.field(factory=dict)
    user: str | None = None
    authFile: str | None = None


def findTarget(uri: URI | None, flags: int, environment: Mapping[str, str], userID: int) -> Target:
    """
    Find what C{uri} asks for; None: the user named none, so the daemon chooses.

    @param flags: C{VIR_CONNECT_*}; read-only connections have a socket of their own.
    @param environment: of the process.
    @param userID: who we are; all but 0 have a daemon of their own for sessions.
    @raise VirtError: it cannot be understood (C{INVALID_ARG}).
    """
    if uri is None:
        path = _socketPath("libvirt", flags, userID > 0, environment)
        return Target(address=Address(transport="unix", path=path), name="")
    transport = uri.transport or ("tls" if uri.host else "unix")
    if transport not in _TRANSPORTS:
        raise _invalid(
            "remote_open: transport in URL not recognised (should be "
            "tls|unix|ssh|ext|tcp|libssh2|libssh)"
        )
    parameters = {name: value for name, value in uri.parameters if name in _OURS}
    for key, value in uri.parameters:
        if key in _NUMBERS and not (_NUMBER.fullmatch(value) and abs(int(value)) < 1 << 31):
            raise _invalid(f"Failed to parse value of URI component {key}")
    name = parameters.get("name")
    if name is None:
        name = _stripped(uri)
    mode = parameters.get("mode", "auto")
    if mode not in ("auto", "legacy", "direct"):
        raise _invalid(f"Unknown remote mode '{mode}'")
    proxy = parameters.get("proxy", "auto")
    if proxy not in ("auto", "netcat", "native"):
        raise _invalid(
            f"Unnkown proxy type '{proxy}'"
        )  # in libvirt's words, whoever looks for them
    if transport == "ext" and "command" not in parameters:
        raise _invalid("remote_open: for 'ext' transport, command is required")
    if transport == "unix":
        if uri.host:
            raise _invalid(f"using unix socket and remote server '{uri.host}' is not supported.")
        path = parameters.get("socket") or _daemonSocket(uri, mode, flags, environment, userID)
        address = Address(transport="unix", path=path)
    else:
        address = Address(
            transport=transport,
            host=uri.host or "localhost",
            port=uri.port or _PORTS.get(transport, 0),
            portGiven=bool(uri.port),
            user=uri.user,
            name=name,
            readOnly=bool(flags & VIR_CONNECT_RO),
            parameters=parameters,
        )
    return Target(
        address=address,
        name=name,
        parameters=parameters,
        user=uri.user,
        authFile=dict(uri.parameters).get("authfile"),
    )


def _invalid(detail: str) -> Exception:
    return virtError(ErrorCode.INVALID_ARG, detail, ErrorDomain.REMOTE)


def _stripped(uri: URI) -> str:
    """Return the URI without what only matters on this side."""
    if uri.driver == "remote":
        return ""
    rest = tuple(each for each in uri.parameters if each[0] not in _OURS)
    return str(attrs.evolve(uri, scheme=uri.driver, user=None, host="", port=0, parameters=rest))


def _daemonSocket(
    uri: URI, mode: str, flags: int, environment: Mapping[str, str], userID: int
) -> str:
    """Return the default socket for C{uri}: the user's own daemon for sessions, else the system's."""
    own = userID > 0 and (uri.path == "/session" or uri.scheme.startswith("test+"))
    daemon = "libvirt"
    if mode == "direct":
        daemon = f"virt{uri.driver}d"
    return _socketPath(daemon, flags, own, environment)


def _socketPath(daemon: str, flags: int, own: bool, environment: Mapping[str, str]) -> str:
    name = f"{daemon}-sock"
    if own:
        runtime = environment.get("XDG_RUNTIME_DIR")
        folder = (
            os.path.join(runtime, "libvirt")
            if runtime
            else os.path.join(os.path.expanduser("~"), ".cache", "libvirt")
        )
        return os.path.join(folder, name)
    if flags & VIR_CONNECT_RO:
        name += "-ro"
    return os.path.join(SYSTEM_FOLDER, name)
