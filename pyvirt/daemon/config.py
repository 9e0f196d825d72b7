"""
The daemon's configuration: every key of libvirtd.conf, its type, its default and whether it acts here.

Nothing in the file is passed over in silence.  A key that no libvirtd knows, a value of the wrong type or out
of range and a demand that cannot be met are errors naming file and line.  A key that is understood but acts
on nothing yet becomes one of L{Config.remarks}, which the daemon logs at start.
"""

from __future__ import annotations

import grp
import ipaddress
import re
import socket
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NoReturn
from uuid import UUID

import attrs

from pyvirt.confsyntax import ConfigError, Value, parse
from pyvirt.daemon.logsetup import Filter, Output, parseFilters, parseOutputs
from pyvirt.definitions.values import Field, definition
from pyvirt.errors import VirtError
from pyvirt.sasl import KNOWN, OFFERED

__all__ = ["KEYS", "Config", "ConfigError", "loadConfig", "readConfig"]

_UINT_MAX = 0xFFFFFFFF
_NO_QEMU = "no driver of this daemon uses it yet"
_TLS_KEYS = (
    *("tls_port", "auth_tls", "key_file", "cert_file", "ca_file", "crl_file"),
    *("tls_no_sanity_certificate", "tls_no_verify_certificate", "tls_allowed_dn_list"),
    "tls_priority",
)
_SSH_KEYS = ("ssh_port", "ssh_host_key_file", "ssh_authorized_keys_file")
_RETIRED = "libvirtd has retired this key"

Check = Callable[[str, Value], Any]


class _Wrong(Exception):
    """A value does not suit its key."""


def _string(key: str, value: Value) -> str:
    if not isinstance(value, str):
        raise _Wrong(f"expected a string for '{key}' parameter")
    return value


def _strings(key: str, value: Value) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise _Wrong(f"expected a string list for '{key}' parameter")
    return tuple(str(each) for each in value)


def _unsigned(key: str, value: Value) -> int:
    if not isinstance(value, int) or value < 0:
        raise _Wrong(f"expected an unsigned integer for '{key}' parameter")
    if value > _UINT_MAX:
        raise _Wrong(f"value for '{key}' parameter must be in range 0:{_UINT_MAX}")
    return value


def _positive(key: str, value: Value) -> int:
    if _unsigned(key, value) == 0:
        raise _Wrong(f"value for '{key}' parameter must be greater than 0")
    return _unsigned(key, value)


def _workers(key: str, value: Value) -> int:
    if _unsigned(key, value) == 0:
        raise _Wrong(f"'{key}' must be greater than 0")
    return _unsigned(key, value)


def _signed(key: str, value: Value) -> int:
    if not isinstance(value, int):
        raise _Wrong(f"expected an integer for '{key}' parameter")
    if not -(1 << 31) <= value < 1 << 31:
        raise _Wrong(f"value for '{key}' parameter must be in range {-(1 << 31)}:{(1 << 31) - 1}")
    return value


def _boolean(key: str, value: Value) -> bool:
    if _unsigned(key, value) not in (0, 1):
        raise _Wrong(f"value for '{key}' parameter must be 0 or 1")
    return bool(value)


def _mode(key: str, value: Value) -> int:
    text = _string(key, value)
    if not re.fullmatch("[0-7]{1,4}", text):
        raise _Wrong(f"Failed to parse mode '{text}' of '{key}'")
    return int(text, 8)


def _group(key: str, value: Value) -> int:
    text = _string(key, value)
    try:
        return grp.getgrnam(text).gr_gid
    except KeyError:
        if re.fullmatch(r"\+?[0-9]{1,9}", text):
            return int(text)
        raise _Wrong(f"Failed to parse group '{text}'") from None


def _port(key: str, value: Value) -> int:
    text = _string(key, value)
    if re.fullmatch("[0-9]{1,5}", text) and int(text) <= 65535:
        return int(text)
    try:
        return socket.getservbyname(text, "tcp")
    except OSError:
        raise _Wrong(f"'{text}' for '{key}' is no TCP port") from None


def _auth(key: str, value: Value) -> str:
    text = _string(key, value)
    if text not in ("none", "sasl", "polkit"):
        raise _Wrong(f"{key}: unsupported auth {text}")
    return text


def _loopback(key: str, value: Value) -> tuple[str, int]:
    host, colon, port = _string(key, value).rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not re.fullmatch("[0-9]{1,5}", port) or int(port) > 65535:
        raise _Wrong(f"'{value}' for '{key}' is no ADDRESS:PORT")
    if not _isLoopback(host):
        raise _Wrong(f"'{host}' for '{key}' is not this machine's loopback address")
    return host, int(port)


def _mechanisms(key: str, value: Value) -> tuple[str, ...]:
    found = tuple(each.upper() for each in _strings(key, value))
    for each in found:
        if each not in KNOWN:
            raise _Wrong(f"{key}: there is no mechanism '{each}', only {', '.join(KNOWN)}")
        if each == "GSSAPI":
            from pyvirt.sasl.kerberos import MISSING, isAvailable

            if not isAvailable():
                raise _Wrong(f"{key}: {MISSING}")
    return found


def _level(key: str, value: Value) -> int:
    if _unsigned(key, value) not in (1, 2, 3, 4):
        raise _Wrong(f"Failed to set logging priority, argument '{value}' is invalid")
    return _unsigned(key, value)


def _filters(key: str, value: Value) -> tuple[Filter, ...]:
    try:
        return tuple(parseFilters(_string(key, value)))
    except VirtError as problem:
        raise _Wrong(str(problem.str2)) from None


def _outputs(key: str, value: Value) -> tuple[Output, ...]:
    text = _string(key, value)
    try:
        found = parseOutputs(text)
    except VirtError as problem:
        raise _Wrong(str(problem.str2)) from None
    for each in text.split():
        if each.split(":")[1:2] == ["file"] and not each.split(":")[2].startswith("/"):
            raise _Wrong(f"the file of log output '{each}' is no absolute path")
    return tuple(found)


def _uuid(key: str, value: Value) -> UUID:
    text = _string(key, value)
    try:
        found = UUID(text)
    except ValueError:
        raise _Wrong(f"invalid host UUID: {text}") from None
    if len({*found.bytes}) == 1:
        raise _Wrong(f"invalid host UUID: {text}")
    return found


def _uuidSource(key: str, value: Value) -> str:
    text = _string(key, value)
    if text not in ("smbios", "machine-id"):
        raise _Wrong(f"invalid UUID source: {text}")
    return text


def _minimumSSF(key: str, value: Value) -> int:
    if _unsigned(key, value) < 112:
        raise _Wrong("minimum SSF levels lower than 112 are not supported")
    return _unsigned(key, value)


def _path(key: str, value: Value) -> str:
    text = _string(key, value)
    if not text.startswith("/"):
        raise _Wrong(f"'{text}' for '{key}' is no absolute path")
    return text


def _key(name: str, check: Check, default: Any, idle: str | None = None) -> Any:
    """
    Declare a key.

    @param idle: why setting it acts on nothing yet, if so.
    """
    return Field(default, {"key": name, "check": check, "idle": idle})


@definition
class Config:
    """
    What the file says, with libvirtd's defaults for what it does not say.

    @ivar file: where it was read from, None: nowhere, all is default.
    @ivar lines: key to the line that set it.
    @ivar remarks: for the log: what was accepted and acts on nothing.
    """

    file: str | None = None
    lines: Mapping[str, int] = MappingProxyType({})
    remarks: tuple[str, ...] = ()

    listenTLS: bool = _key("listen_tls", _boolean, False)
    listenTCP: bool = _key("listen_tcp", _boolean, False)
    tlsPort: int = _key("tls_port", _port, 16514)
    tcpPort: int = _key("tcp_port", _port, 16509)
    listenSSH: bool = _key("listen_ssh", _boolean, False)
    sshPort: int = _key("ssh_port", _port, 16522)
    sshHostKeyFile: str | None = _key("ssh_host_key_file", _path, None)
    sshAuthorizedKeysFile: str | None = _key("ssh_authorized_keys_file", _path, None)
    listenAddr: str | None = _key("listen_addr", _string, None)
    unixSockGroup: int | None = _key("unix_sock_group", _group, None)
    unixSockROPerms: int | None = _key("unix_sock_ro_perms", _mode, None)
    unixSockRWPerms: int | None = _key("unix_sock_rw_perms", _mode, None)
    unixSockAdminPerms: int | None = _key("unix_sock_admin_perms", _mode, None)
    unixSockDir: str | None = _key("unix_sock_dir", _path, None)
    authUnixRO: str = _key("auth_unix_ro", _auth, "none")
    authUnixRW: str = _key("auth_unix_rw", _auth, "none")
    authTCP: str = _key("auth_tcp", _auth, "sasl")
    authTLS: str = _key("auth_tls", _auth, "none")
    tcpMinSSF: int = _key("tcp_min_ssf", _minimumSSF, 112)
    accessDrivers: tuple[str, ...] = _key("access_drivers", _strings, ())
    saslPasswdFile: str = _key("sasl_passwd_file", _path, "/etc/libvirt/pyvirt-passwd")
    saslKeytabFile: str | None = _key("sasl_keytab_file", _path, None)
    saslMechanisms: tuple[str, ...] = _key("sasl_mechanisms", _mechanisms, OFFERED)
    accessPolicyFile: str | None = _key("access_policy_file", _path, None)
    keyFile: str | None = _key("key_file", _path, None)
    certFile: str | None = _key("cert_file", _path, None)
    caFile: str | None = _key("ca_file", _path, None)
    crlFile: str | None = _key("crl_file", _path, None)
    tlsNoSanityCertificate: bool = _key("tls_no_sanity_certificate", _boolean, False)
    tlsNoVerifyCertificate: bool = _key("tls_no_verify_certificate", _boolean, False)
    tlsAllowedDNList: tuple[str, ...] | None = _key("tls_allowed_dn_list", _strings, None)
    tlsPriority: str | None = _key("tls_priority", _string, None)
    saslAllowedUsernameList: tuple[str, ...] | None = _key(
        "sasl_allowed_username_list", _strings, None
    )
    maxClients: int = _key("max_clients", _positive, 5000)
    maxQueuedClients: int = _key("max_queued_clients", _unsigned, 1000)
    maxAnonymousClients: int = _key("max_anonymous_clients", _unsigned, 20)
    minWorkers: int = _key("min_workers", _unsigned, 5)
    maxWorkers: int = _key("max_workers", _workers, 20)
    prioWorkers: int = _key("prio_workers", _unsigned, 5)
    maxRequests: int = _key("max_requests", _unsigned, 20, _RETIRED)
    maxClientRequests: int = _key("max_client_requests", _positive, 5)
    adminMinWorkers: int = _key("admin_min_workers", _unsigned, 5)
    adminMaxWorkers: int = _key("admin_max_workers", _unsigned, 20)
    adminMaxClients: int = _key("admin_max_clients", _unsigned, 5000)
    adminMaxQueuedClients: int = _key("admin_max_queued_clients", _unsigned, 20)
    adminMaxClientRequests: int = _key("admin_max_client_requests", _unsigned, 5)
    logLevel: int | None = _key("log_level", _level, None)
    logFilters: tuple[Filter, ...] = _key("log_filters", _filters, ())
    logOutputs: tuple[Output, ...] = _key("log_outputs", _outputs, ())
    logBufferSize: int = _key("log_buffer_size", _unsigned, 64, _RETIRED)
    metricsAddress: tuple[str, int] | None = _key("metrics_address", _loopback, None)
    metricsSocket: str | None = _key("metrics_socket", _path, None)
    auditLevel: int = _key("audit_level", _unsigned, 1)
    auditLogging: bool = _key("audit_logging", _boolean, False)
    hostUUID: UUID | None = _key("host_uuid", _uuid, None, _NO_QEMU)
    hostUUIDSource: str = _key("host_uuid_source", _uuidSource, "smbios", _NO_QEMU)
    keepaliveInterval: int = _key("keepalive_interval", _signed, 5)
    keepaliveCount: int = _key("keepalive_count", _unsigned, 5)
    keepaliveRequired: bool = _key("keepalive_required", _boolean, False, _RETIRED)
    adminKeepaliveInterval: int = _key("admin_keepalive_interval", _signed, 5)
    adminKeepaliveCount: int = _key("admin_keepalive_count", _unsigned, 5)
    adminKeepaliveRequired: bool = _key("admin_keepalive_required", _boolean, False, _RETIRED)
    ovsTimeout: int = _key("ovs_timeout", _unsigned, 5, _NO_QEMU)
    mdnsAdv: bool = _key("mdns_adv", _boolean, False, _RETIRED)
    mdnsName: str | None = _key("mdns_name", _string, None, _RETIRED)

    def changed(self, **changes: Any) -> Config:
        """Return the same with other values."""
        same: Any = self
        made: Config = attrs.evolve(same, **changes)
        return made

    def refuse(self, key: str, problem: str) -> NoReturn:
        """Raise the L{ConfigError} of C{key}, at its line if the file sets it."""
        raise ConfigError(self.file or "default configuration", self.lines.get(key, 0), problem)

    def dangers(self) -> list[str]:
        """Say what leaves a door more open than the rest of the file makes one think."""
        found = []
        idle = [key for key in _TLS_KEYS if key in self.lines]
        if idle and not self.listenTLS:
            found.append(
                f"listen_tls is not 1, so nothing is served over TLS: {', '.join(idle)}"
                " cannot take effect"
            )
        idle = [key for key in _SSH_KEYS if key in self.lines]
        if idle and not self.listenSSH:
            found.append(
                f"listen_ssh is not 1, so nothing is served over SSH: {', '.join(idle)}"
                " cannot take effect"
            )
        if self.listenTLS and self.tlsNoVerifyCertificate and self.authTLS == "none":
            found.append(
                'tls_no_verify_certificate = 1 and auth_tls = "none": over TLS anybody may do anything'
            )
        if self.listenTCP and self.authTCP == "sasl" and "GSSAPI" not in self.saslMechanisms:
            found.append(
                'listen_tcp = 1 and auth_tcp = "sasl": nobody can log in, for no mechanism in sasl_mechanisms'
                " encrypts a TCP connection; use TLS, or GSSAPI"
            )
        if "sasl_keytab_file" in self.lines and "GSSAPI" not in self.saslMechanisms:
            found.append(
                "sasl_keytab_file cannot take effect: sasl_mechanisms does not name GSSAPI"
            )
        if self.listenTCP and self.authTCP == "none" and not _isLoopback(self.listenAddr):
            found.append(
                'listen_tcp = 1 and auth_tcp = "none" beyond this machine: over TCP anybody may do'
                " anything, and nothing is encrypted"
            )
        return [f"{self.file}: {each}" for each in found]

    def checkTogether(self) -> None:
        """
        Check what no single value shows.

        @raise ConfigError: the values contradict each other, or ask for what this daemon has not.
        """
        if self.maxClients < self.maxAnonymousClients:
            self.refuse(
                "max_clients" if "max_clients" in self.lines else "max_anonymous_clients",
                f"max_clients ({self.maxClients}) must not be less than max_anonymous_clients"
                f" ({self.maxAnonymousClients}), the clients waiting for authentication",
            )
        for key, value, serving in (
            ("auth_unix_rw", self.authUnixRW, True),
            ("auth_unix_ro", self.authUnixRO, True),
            ("auth_tls", self.authTLS, self.listenTLS),
        ):
            if value == "sasl" and serving and not self.saslMechanisms:
                self.refuse("sasl_mechanisms", f'{key} = "sasl" needs some')
        for key, value, serving in (
            ("auth_tcp", self.authTCP, self.listenTCP),
            ("auth_tls", self.authTLS, self.listenTLS),
        ):
            if value == "polkit" and serving:
                self.refuse(key, f'{key} = "polkit": polkit knows local processes only')
        if self.tlsPriority is not None:
            from pyvirt.tls.priority import PriorityError, parsePriority

            try:
                parsePriority(self.tlsPriority)
            except PriorityError as problem:
                self.refuse(
                    "tls_priority",
                    f"Failed to set TLS session priority to {self.tlsPriority}: {problem}",
                )
        for driver in self.accessDrivers:
            if driver == "policy" and self.accessPolicyFile is None:
                self.refuse("access_drivers", 'access driver "policy" needs access_policy_file')
            if driver not in ("none", "polkit", "policy"):
                self.refuse("access_drivers", f"Cannot find security driver '{driver}'")


_CONFIG: Any = Config
KEYS: dict[str, attrs.Attribute[Any]] = {
    field.metadata["key"]: field for field in attrs.fields(_CONFIG) if "key" in field.metadata
}
"""Each key of the file, and the field of L{Config} that it sets."""


def readConfig(text: str, file: str) -> Config:
    """
    Read a configuration.

    @raise ConfigError: it cannot be used.
    """
    values: dict[str, Any] = {}
    lines: dict[str, int] = {}
    remarks: list[str] = []
    for name, value, line in parse(text, file):
        field = KEYS.get(name)
        if field is None:
            raise ConfigError(file, line, f"unknown key '{name}'{_similar(name)}")
        try:
            checked = field.metadata["check"](name, value)
        except _Wrong as problem:
            raise ConfigError(file, line, str(problem)) from None
        if name in lines:
            remarks.append(f"{file}:{line}: '{name}' is set in line {lines[name]} already; ignored")
            continue
        lines[name] = line
        values[field.name] = checked
        if field.metadata["idle"]:
            remarks.append(
                f"{file}:{line}: '{name}' is accepted but has no effect: {field.metadata['idle']}"
            )
    config = Config(file=file, lines=lines, remarks=tuple(remarks), **values)
    config.checkTogether()
    return config.changed(remarks=(*config.remarks, *config.dangers()))


def _isLoopback(address: str | None) -> bool:
    if address is None:
        return False
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


def _similar(name: str) -> str:
    from difflib import get_close_matches

    found = get_close_matches(name, KEYS, 1)
    return f"; did you mean '{found[0]}'?" if found else ""


def loadConfig(path: str, *, required: bool) -> Config:
    """
    Read a configuration file.

    @param required: whether its absence is an error; else all is default then.
    @raise ConfigError: it cannot be read or used.
    """
    try:
        with open(path, "rb") as file:
            text = file.read(1 << 20).decode()
    except FileNotFoundError:
        if required:
            raise ConfigError(path, 0, "there is no such file") from None
        return Config()
    except UnicodeDecodeError:
        raise ConfigError(path, 0, "it is no UTF-8 text") from None
    except OSError as problem:
        raise ConfigError(path, 0, problem.strerror or str(problem)) from None
    return readConfig(text, path)
