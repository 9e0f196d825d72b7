"""
qemu.conf: every key that libvirt's QEMU driver knows, with its type and its default.

A key that is not known, or a value of the wrong type, is an error that names file and line, and the driver does
not start: what an administrator wrote is never passed over in silence.
"""

from __future__ import annotations

import grp
import pwd
import re
from collections.abc import Mapping
from typing import Any

import attrs

from pyvirt.confsyntax import ConfigError, Entry, parse

__all__ = ["ConfigError", "QEMUConfig", "loadQEMUConfig", "readQEMUConfig"]

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
    "keepalive_interval",
    "keepalive_count",
    "migration_port_min",
    "migration_port_max",
    "gluster_debug_level",
    "seccomp_sandbox",
]
_LISTS = ["cgroup_controllers", "cgroup_device_acl", "namespaces", "nvram", "capability_filters"]
_MIXED = ["hugetlbfs_mount", "security_driver", "max_core"]

#: What holds where nothing is said.
_DEFAULTS: dict[str, Any] = {
    "default_tls_x509_cert_dir": "/etc/pki/qemu",
    "default_tls_x509_verify": True,
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
    "deprecation_behavior": ("none", "omit", "reject", "crash"),
}


@attrs.frozen(kw_only=True)
class QEMUConfig:
    """
    What qemu.conf says.

    @ivar values: each key that has a value, defaults included.
    @ivar user, group: numbers that guests run as.
    """

    values: Mapping[str, Any] = attrs.field(factory=lambda: dict(_DEFAULTS))
    user: int = 0
    group: int = 0

    def __getitem__(self, key: str) -> Any:
        """Return the value of a key, None where there is no default either."""
        return self.values.get(key)


def _checked(entry: Entry, file: str) -> Any:
    name, value = entry.name, entry.value

    def wrong(what: str) -> ConfigError:
        return ConfigError(file, entry.line, what)

    if name in _STRINGS:
        if not isinstance(value, str):
            raise wrong(f"expected a string for '{name}' parameter")
        if name in _WORDS and value not in _WORDS[name]:
            raise wrong(f"Unknown {name} {value}")
        return value
    if name in _SWITCHES:
        if not isinstance(value, int) or value not in (0, 1):
            raise wrong(f"value for '{name}' parameter must be 0 or 1")
        return bool(value)
    if name in _NUMBERS:
        if not isinstance(value, int):
            raise wrong(f"expected an integer for '{name}' parameter")
        if not (-1 if name in ("seccomp_sandbox", "keepalive_interval") else 0) <= value < 1 << 32:
            raise wrong(f"value for '{name}' parameter is out of range: {value}")
        return value
    if name in _LISTS or (name in _MIXED and isinstance(value, list)):
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise wrong(f"expected a string list for '{name}' parameter")
        return tuple(str(each) for each in value)
    if name in _MIXED:
        if name == "security_driver" or name == "hugetlbfs_mount":
            if not isinstance(value, str):
                raise wrong(f"expected a string or string list for '{name}' parameter")
            return (value,)
        return value
    raise wrong(f"unknown key '{name}'")


def _number(entry: Entry | None, default: str, file: str, what: str) -> int:
    text = str(entry.value) if entry is not None else default
    if re.fullmatch(r"\+?[0-9]{1,9}", text):
        return int(text)
    try:
        return pwd.getpwnam(text).pw_uid if what == "user" else grp.getgrnam(text).gr_gid
    except KeyError:
        if entry is None:
            return 0
        raise ConfigError(file, entry.line, f"Failed to parse {what} '{text}'") from None


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
    for entry in parse(text, file):
        value = _checked(entry, file)
        if entry.name not in entries:
            entries[entry.name] = entry
            values[entry.name] = value
    for least, most in (
        ("remote_display_port_min", "remote_display_port_max"),
        ("remote_websocket_port_min", "remote_websocket_port_max"),
        ("migration_port_min", "migration_port_max"),
    ):
        if values[least] > values[most] or values[most] > 65535:
            line = entries[most].line if most in entries else entries[least].line
            raise ConfigError(file, line, f"{least} must not be above {most}, nor that above 65535")
    for name in values.get("security_driver", ()):
        if name not in ("none", "dac"):
            line = entries["security_driver"].line
            raise ConfigError(file, line, f"security driver '{name}' is not available")
    if privileged:
        ids = (
            _number(entries.get("user"), "libvirt-qemu", file, "user"),
            _number(entries.get("group"), "kvm", file, "group"),
        )
    return QEMUConfig(values=values, user=ids[0], group=ids[1])


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
