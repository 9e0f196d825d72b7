"""
Certificates that a running guest's QEMU shows and asks for, as qemu.conf says where they are: L{addCertificates}.
"""

from __future__ import annotations

import base64
import os
from typing import TYPE_CHECKING, Any

from pyvirt.definitions.uuids import parseUUID
from pyvirt.drivers.qemu.guest import Guest
from pyvirt.drivers.qemu.refusals import unsupportedConfig
from pyvirt.drivers.qemu.secretvalues import encrypted, masterKey, secretValue
from pyvirt.errors import VirtError

if TYPE_CHECKING:
    from pyvirt.drivers.qemu.hypervisor import Hypervisor

__all__ = ["addCertificates", "removeCertificates"]

_OWN = "/etc/pki/libvirt-{}"


def _names(kind: str) -> tuple[str, str]:
    credentials = f"objlibvirt_{kind}_tls0"
    password = f"libvirt_{kind}-secret0" if kind == "migrate" else f"{credentials}-secret0"
    return credentials, password


async def addCertificates(hypervisor: Hypervisor, guest: Guest, kind: str, *, server: bool) -> str:
    """
    Have QEMU read certificates, and the password of their key if it has one.

    @param kind: whom they are for in qemu.conf: C{migrate} or C{backup}.
    @return: what QEMU calls them; L{removeCertificates} forgets them.
    @raise VirtError: they are not there, or are not good, or the secret has no value.  Nothing is left then.
    """
    values = hypervisor.config.values
    credentials, password = _names(kind)
    folder = values.get(f"{kind}_tls_x509_cert_dir")
    if not folder and os.path.isdir(_OWN.format(kind)):
        folder = _OWN.format(kind)
    verify = values.get(f"{kind}_tls_x509_verify")
    made: dict[str, Any] = {
        "qom-type": "tls-creds-x509",
        "id": credentials,
        "dir": os.fspath(folder or values["default_tls_x509_cert_dir"]),
        "endpoint": "server" if server else "client",
        "verify-peer": not server
        or bool(values["default_tls_x509_verify"] if verify is None else verify),
    }
    uuid = values.get(f"{kind}_tls_x509_secret_uuid")
    if uuid is not None:
        await guest.execute("object-add", await _secret(hypervisor, guest, str(uuid), password))
        made["passwordid"] = password
    try:
        await guest.execute("object-add", made)
    except VirtError:
        await removeCertificates(guest, kind)
        raise
    return credentials


async def _secret(hypervisor: Hypervisor, guest: Guest, uuid: str, name: str) -> dict[str, Any]:
    if parseUUID(uuid) is None:
        raise unsupportedConfig(f"malformed TLS secret uuid '{uuid}' provided")
    value = await secretValue(hypervisor, "tls", uuid, None)
    vector = hypervisor.random(16)
    return {
        "qom-type": "secret",
        "id": name,
        "data": encrypted(value, masterKey(guest), vector),
        "keyid": "masterKey0",
        "iv": base64.b64encode(vector).decode(),
        "format": "base64",
    }


async def removeCertificates(guest: Guest, kind: str) -> None:
    """Have QEMU forget certificates, if it has any, as far as it still answers."""
    for name in _names(kind):
        try:
            await guest.execute("object-del", {"id": name})
        except VirtError:
            pass
