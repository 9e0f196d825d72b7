"""
What the host has to say to qemu.conf: folders that are named must be there, and mounts be what they are taken for.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable

import attrs

from pyvirt.confsyntax import ConfigError
from pyvirt.drivers.qemu.conf import QEMUConfig

__all__ = ["settledOnHost"]

_CERTIFICATES = ("vnc", "spice", "chardev", "migrate", "backup", "vxhs", "nbd")
_HUGETLBFS = 0x958458F6
_PR_SCHED_CORE = 62


def settledOnHost(
    config: QEMUConfig, file: str, *, exists: Callable[[str], bool] = os.path.isdir
) -> QEMUConfig:
    """
    Look at the host for what a configuration names, and say where certificates lie of which it says nothing.

    @param file: its name, for errors.
    @raise ConfigError: something is not there, or not what it should be.
    """

    def wrong(key: str, detail: str) -> ConfigError:
        return ConfigError(file, config.lines.get(key, 0), detail)

    values = dict(config.values)
    for kind in ("default", *_CERTIFICATES):
        key = f"{kind}_tls_x509_cert_dir"
        if key in config.lines:
            if not exists(str(values[key])):
                raise wrong(key, f"{key} directory '{values[key]}' does not exist")
        elif kind != "default":
            own = f"/etc/pki/libvirt-{kind}"
            values[key] = own if exists(own) else values["default_tls_x509_cert_dir"]
    for place in values.get("hugetlbfs_mount") or ():
        _checkMount(place, lambda detail: wrong("hugetlbfs_mount", detail))
    if values["sched_core"] != "none":
        detail = "SCHED_CORE not supported by kernel"
        if _coreScheduling():
            detail = f"sched_core value {values['sched_core']} is not supported"
        raise wrong("sched_core", detail)
    folder = values.get("auto_dump_path")
    if folder is not None:
        try:
            os.makedirs(folder, 0o755, exist_ok=True)
        except OSError as problem:
            detail = f"Failed to create dump dir {folder}: {problem.strerror}"
            raise wrong("auto_dump_path", detail) from None
    return attrs.evolve(config, values=values)


def _checkMount(place: str, wrong: Callable[[str], ConfigError]) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    answer = (ctypes.c_long * 64)()
    try:
        failed = libc.statfs(os.fsencode(place), answer) != 0
    except ValueError:
        failed = True
        ctypes.set_errno(22)
    if failed:
        reason = os.strerror(ctypes.get_errno())
        raise wrong(f"cannot determine filesystem for '{place}': {reason}")
    if answer[0] & 0xFFFFFFFF != _HUGETLBFS:
        raise wrong(f"not a hugetlbfs mount: '{place}'")


def _coreScheduling() -> bool:
    cookie = ctypes.c_ulong()
    return bool(ctypes.CDLL(None).prctl(_PR_SCHED_CORE, 0, 0, 0, ctypes.byref(cookie)) == 0)
