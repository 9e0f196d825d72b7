"""
qemu.conf: every key that libvirt's QEMU driver knows, with its type, its range and its default.

A value that is wrong is an error that names file and line, and the driver does not start.  A key that is not known,
or that makes no difference here, is passed over as libvirt does, but not in silence.  What the host has to say to a
value is looked up by L{pyvirt.drivers.qemu.confchecks}.
"""

from __future__ import annotations

import grp
import pwd
import re
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from pyvirt.confsyntax import ConfigError, Entry, parse

__all__ = [
    "ConfigError",
    "QEMUConfig",
    "groupNumber",
    "loadQEMUConfig",
    "readQEMUConfig",
    "userNumber",
]

_STRINGS = [
    "default_tls_x509_cert_dir",
    "default_tls_x509_secret_uuid",
    "vnc_listen",
    "vnc_tls_x509_cert_dir",
    "vnc_tls_x509_secret_uuid",
    "vnc_password",
    "vnc_sasl_dir",
    "spice_listen",
    "spice_tls_x509_cert_dir",
    "spice_password",
    "spice_sasl_dir",
    "chardev_tls_x509_cert_dir",
    "chardev_tls_x509_secret_uuid",
    "migrate_tls_x509_cert_dir",
    "migrate_tls_x509_secret_uuid",
    "backup_tls_x509_cert_dir",
    "backup_tls_x509_secret_uuid",
    "vxhs_tls_x509_cert_dir",
    "vxhs_tls_x509_secret_uuid",
    "nbd_tls_x509_cert_dir",
    "nbd_tls_x509_secret_uuid",
    "user",
    "group",
    "save_image_format",
    "dump_image_format",
    "snapshot_image_format",
    "auto_dump_path",
    "bridge_helper",
    "pr_helper",
    "slirp_helper",
    "dbus_daemon",
    "stdio_handler",
    "sched_core",
    "lock_manager",
    "migration_address",
    "migration_host",
    "deprecation_behavior",
    "memory_backing_dir",
    "swtpm_user",
    "swtpm_group",
    "passt_helper",
]
_SWITCHES = [
    "default_tls_x509_verify",
    "vnc_auto_unix_socket",
    "vnc_tls",
    "vnc_tls_x509_verify",
    "vnc_sasl",
    "vnc_allow_host_audio",
    "spice_tls",
    "spice_auto_unix_socket",
    "spice_sasl",
    "chardev_tls",
    "chardev_tls_x509_verify",
    "migrate_tls_x509_verify",
    "migrate_tls_force",
    "backup_tls_x509_verify",
    "vxhs_tls",
    "nbd_tls",
    "nographics_allow_host_audio",
    "security_default_confined",
    "security_require_confined",
    "dynamic_ownership",
    "remember_owner",
    "auto_dump_bypass_cache",
    "auto_start_bypass_cache",
    "set_process_name",
    "dump_guest_core",
    "mac_filter",
    "relaxed_acs_check",
    "allow_disk_format_probing",
    "log_timestamp",
    "virtiofsd_debug",
    "clear_emulator_capabilities",
]
_NUMBERS = [
    "remote_display_port_min",
    "remote_display_port_max",
    "remote_websocket_port_min",
    "remote_websocket_port_max",
    "max_processes",
    "max_files",
    "max_threads_per_process",
    "max_queued",
    "keepalive_count",
    "migration_port_min",
    "migration_port_max",
    "gluster_debug_level",
]
_SIGNED = ["keepalive_interval", "seccomp_sandbox"]
_LISTS = ["cgroup_controllers", "cgroup_device_acl", "namespaces", "nvram", "capability_filters"]
_MIXED = ["hugetlbfs_mount", "security_driver", "max_core"]

#: What holds where nothing is said.
_DEFAULTS: dict[str, Any] = {
    "default_tls_x509_cert_dir": "/etc/pki/qemu",
    "vnc_listen": "127.0.0.1",
    "vnc_tls": False,
    "vnc_sasl": False,
    "vnc_auto_unix_socket": False,
    "vnc_allow_host_audio": False,
    "spice_listen": "127.0.0.1",
    "spice_tls": False,
    "spice_sasl": False,
    "spice_auto_unix_socket": False,
    "nographics_allow_host_audio": False,
    "remote_display_port_min": 5900,
    "remote_display_port_max": 65535,
    "remote_websocket_port_min": 5700,
    "remote_websocket_port_max": 65535,
    "security_default_confined": True,
    "security_require_confined": False,
    "dynamic_ownership": True,
    "remember_owner": True,
    "seccomp_sandbox": -1,
    "save_image_format": "raw",
    "dump_image_format": "raw",
    "snapshot_image_format": "raw",
    "auto_dump_bypass_cache": False,
    "auto_start_bypass_cache": False,
    "set_process_name": True,
    "max_processes": 0,
    "max_files": 0,
    "max_threads_per_process": 0,
    "dump_guest_core": False,
    "mac_filter": False,
    "relaxed_acs_check": False,
    "allow_disk_format_probing": False,
    "log_timestamp": True,
    "stdio_handler": "logd",
    "max_queued": 0,
    "keepalive_interval": 5,
    "keepalive_count": 5,
    "migration_address": "0.0.0.0",
    "migration_port_min": 49152,
    "migration_port_max": 49215,
    "gluster_debug_level": 4,
    "virtiofsd_debug": False,
    "chardev_tls": False,
    "clear_emulator_capabilities": True,
    "bridge_helper": "/usr/lib/qemu/qemu-bridge-helper",
    "deprecation_behavior": "none",
    "sched_core": "none",
    "swtpm_user": "tss",
    "swtpm_group": "tss",
}
_WORDS = {
    "stdio_handler": ("logd", "file"),
    "sched_core": ("none", "vcpus", "emulator", "full"),
}
_UNKNOWN_WORD = {
    "stdio_handler": "Unknown stdio handler {}",
    "sched_core": "Unknown sched_core value {}",
}
_NAMESPACES = ("mount",)
_CONTROLLERS: tuple[str, ...] = (
    "cpu",
    "cpuacct",
    "cpuset",
    "memory",
    "devices",
    "freezer",
    "blkio",
)
_CONTROLLERS += ("net_cls", "perf_event", "name=systemd")
_SECURITY = ("none", "dac")
_PORTS = (
    ("remote_display_port_min", "remote_display_port_max", 5900),
    ("remote_websocket_port_min", "remote_websocket_port_max", 5700),
    ("migration_port_min", "migration_port_max", 1),
)

#: Users of certificates, and whether they look at those of their clients where nobody says that.
_TLS = {
    "vnc": False,
    "spice": None,
    "chardev": True,
    "migrate": True,
    "backup": True,
    "vxhs": None,
    "nbd": None,
}

#: Keys that make no difference here, with the values that say what is done anyway.
_UNHEEDED: dict[str, Any] = {
    "bridge_helper": None,
    "pr_helper": None,
    "slirp_helper": None,
    "passt_helper": None,
    "vxhs_tls": False,
    "mac_filter": False,
    "relaxed_acs_check": False,
    "capability_filters": (),
    "vnc_allow_host_audio": False,
    "nographics_allow_host_audio": False,
}


@attrs.frozen(kw_only=True)
class QEMUConfig:
    """
    What qemu.conf says.

    @ivar values: each key that has a value, defaults included.
    @ivar user, group: numbers that guests run as.
    @ivar lines: where each key stands that the file has.
    @ivar warnings: what is passed over, with its place.
    """

    values: Mapping[str, Any] = attrs.field(factory=lambda: _completeTLS(dict(_DEFAULTS)))
    user: int = 0
    group: int = 0
    lines: Mapping[str, int] = attrs.field(factory=dict)
    warnings: tuple[str, ...] = ()

    def __getitem__(self, key: str) -> Any:
        """Return the value of a key, None where there is no default either."""
        return self.values.get(key)


def _checked(entry: Entry, file: str) -> Any:
    """
    Check one value by itself.

    @raise ConfigError: it is of the wrong type, or out of range.
    @raise KeyError: the key is not known.
    """
    name, value = entry.name, entry.value

    def wrong(what: str) -> ConfigError:
        return ConfigError(file, entry.line, what)

    if name in _STRINGS:
        if not isinstance(value, str):
            raise wrong(f"expected a string for '{name}' parameter")
        if name in _WORDS and value not in _WORDS[name]:
            raise wrong(_UNKNOWN_WORD[name].format(value))
        return value
    if name in _SWITCHES:
        if not isinstance(value, int) or value < 0:
            raise wrong(f"expected a bool for '{name}' parameter")
        if value > 1:
            raise wrong(f"value for '{name}' parameter must be 0 or 1")
        return bool(value)
    if name in _SIGNED:
        if not isinstance(value, int):
            raise wrong(f"expected an integer for '{name}' parameter")
        if not -(1 << 31) <= value < 1 << 31:
            raise wrong(f"value for '{name}' parameter must be in range -2147483648:2147483647")
        return value
    if name in _NUMBERS:
        if not isinstance(value, int) or value < 0:
            raise wrong(f"expected an unsigned integer for '{name}' parameter")
        if value >= 1 << 32:
            raise wrong(f"value for '{name}' parameter must be in range 0:4294967295")
        return value
    if name == "max_core":
        if isinstance(value, str):
            if value != "unlimited":
                raise wrong(f"Unknown core size '{value}'")
        elif not isinstance(value, int) or value < 0:
            raise wrong(f"expected an unsigned integer for '{name}' parameter")
        return value if isinstance(value, str) else min(value, (1 << 64) - 1)
    if name in _MIXED and isinstance(value, str):
        return (value,)
    if name in _LISTS or name in _MIXED:
        if not isinstance(value, list):
            kind = "a string or string list" if name in _MIXED else "a string list"
            raise wrong(f"expected {kind} for '{name}' parameter")
        if not all(isinstance(each, str) for each in value):
            raise wrong(f"expected a string list for '{name}' parameter")
        words = tuple(str(each) for each in value)
        _checkWords(name, words, wrong)
        return words
    raise KeyError(name)


def _checkWords(name: str, words: tuple[str, ...], wrong: Callable[[str], ConfigError]) -> None:
    known, what = {
        "namespaces": (_NAMESPACES, "Unknown namespace: {}"),
        "cgroup_controllers": (_CONTROLLERS, "Unknown cgroup controller '{}'"),
    }.get(name, (None, ""))
    for at, word in enumerate(words):
        if known is not None and word not in known:
            raise wrong(what.format(word))
        if name == "security_driver" and word in words[:at]:
            raise wrong(f"Duplicate security driver {word}")


def userNumber(text: str) -> int:
    """
    Return the number of a user: a name, a number, or a number after a plus sign.

    @raise ValueError: there is no such user, or the number is out of range.
    """
    return _identity(text, lambda name: pwd.getpwnam(name).pw_uid)


def groupNumber(text: str) -> int:
    """As L{userNumber}, of a group."""
    return _identity(text, lambda name: grp.getgrnam(name).gr_gid)


def _identity(text: str, look: Callable[[str], int]) -> int:
    digits = text.removeprefix("+")
    if digits == text and "\0" not in text:
        try:
            return look(text)
        except (KeyError, UnicodeEncodeError):
            pass
    # The last number stands for nobody in particular, and would leave whoever asks what they are: root.
    if not re.fullmatch(r"[0-9]{1,10}", digits) or int(digits) >= 0xFFFFFFFF:
        raise ValueError(digits)
    return int(digits)


def _number(entry: Entry | None, default: str, file: str, what: str) -> int:
    text = str(entry.value) if entry is not None else default
    try:
        return userNumber(text) if what == "user" else groupNumber(text)
    except ValueError:
        if entry is None:
            return 0
        detail = f"Failed to parse {what} '{text.removeprefix('+')}'"
        raise ConfigError(file, entry.line, detail) from None


def _completeTLS(values: dict[str, Any]) -> dict[str, Any]:
    """Say of each user of certificates what holds for it, where that is said of all or of none."""
    verify = values.get("default_tls_x509_verify")
    for kind, default in _TLS.items():
        if default is not None and values.get(f"{kind}_tls_x509_verify") is None:
            values[f"{kind}_tls_x509_verify"] = default if verify is None else verify
        if values.get(f"{kind}_tls_x509_secret_uuid") is None:
            # It opens keys that lie where those of all lie.
            secret = values.get("default_tls_x509_secret_uuid")
            own = values.get(f"{kind}_tls_x509_cert_dir") is not None
            if secret is not None and kind != "spice" and not own:
                values[f"{kind}_tls_x509_secret_uuid"] = secret
    if verify is None:
        values["default_tls_x509_verify"] = True
    return values


def readQEMUConfig(
    text: str, file: str, *, privileged: bool = True, ids: tuple[int, int] = (0, 0)
) -> QEMUConfig:
    """
    Read qemu.conf.

    @param file: its name, for errors.
    @param ids: the user and group of a driver that is not privileged.
    @raise ConfigError: something in it is wrong.
    """
    values = dict(_DEFAULTS)
    entries: dict[str, Entry] = {}
    warnings = []
    for entry in parse(text, file):
        try:
            value = _checked(entry, file)
        except KeyError:
            warnings.append(f"{file}:{entry.line}: unknown key '{entry.name}' is passed over")
            continue
        if entry.name not in entries:
            entries[entry.name] = entry
            values[entry.name] = value
            if entry.name in _UNHEEDED and value != _UNHEEDED[entry.name]:
                warnings.append(f"{file}:{entry.line}: '{entry.name}' makes no difference here")
    lines = {name: entry.line for name, entry in entries.items()}

    def wrong(key: str, detail: str) -> ConfigError:
        return ConfigError(file, lines.get(key, 0), detail)

    _checkPorts(values, wrong)
    if values.get("allow_disk_format_probing"):
        raise wrong("allow_disk_format_probing", "allow_disk_format_probing is no longer supported")
    host = str(values.get("migration_host") or "").removeprefix("[").removesuffix("]")
    if host.startswith("localhost") or host in ("127.0.0.1", "::1"):
        detail = f"migration_host must not be the address of the local machine: {host}"
        raise wrong("migration_host", detail)
    for name in values.get("security_driver", ()):
        if name not in _SECURITY:
            known = name in ("selinux", "apparmor")
            detail = f"Security driver {name} not {'enabled' if known else 'found'}"
            raise wrong("security_driver", detail)
    if values["security_require_confined"]:
        detail = 'Security driver "none" cannot create confined guests'
        raise wrong("security_require_confined", detail)
    for key, what in (("swtpm_user", "user"), ("swtpm_group", "group")):
        if privileged and key in entries:
            _number(entries[key], "", file, what)
    if privileged:
        ids = (
            _number(entries.get("user"), "libvirt-qemu", file, "user"),
            _number(entries.get("group"), "kvm", file, "group"),
        )
    _completeTLS(values)
    return QEMUConfig(
        values=values, user=ids[0], group=ids[1], lines=lines, warnings=tuple(warnings)
    )


def _checkPorts(values: Mapping[str, Any], wrong: Callable[[str, str], ConfigError]) -> None:
    for least, most, lowest in _PORTS:
        if values[least] < lowest:
            than = f"or equal to {lowest}" if lowest > 1 else "0"
            raise wrong(least, f"{least}: port must be greater than {than}")
        if values[least] <= values[most] <= 65535:
            continue
        which = f" {values[least]}" if least == "migration_port_min" else ""
        detail = f"{most}: port must be between the minimal port{which} and 65535"
        raise wrong(least if values[most] == _DEFAULTS[most] else most, detail)


def loadQEMUConfig(
    path: str, *, privileged: bool = True, ids: tuple[int, int] = (0, 0)
) -> QEMUConfig:
    """
    As L{readQEMUConfig}, from a file; one that is not there says nothing.

    @raise ConfigError: it cannot be read, or something in it is wrong.
    """
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except FileNotFoundError:
        text = ""
    except (OSError, UnicodeDecodeError) as problem:
        raise ConfigError(path, 0, str(problem)) from None
    return readQEMUConfig(text, path, privileged=privileged, ids=ids)
