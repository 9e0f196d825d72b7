"""
Values of secrets that guests need: asked for when a guest starts, encrypted with its master key, kept nowhere.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from pyvirt import constants as c
from pyvirt.definitions.uuids import formatUUID, parseUUID
from pyvirt.drivers.interfaces.inside import ISecretValues
from pyvirt.drivers.qemu.command.values import Secret
from pyvirt.drivers.qemu.networkports import settled
from pyvirt.drivers.qemu.refusals import internal, systemFailure
from pyvirt.errors import ErrorCode, ErrorDomain, virtError

if TYPE_CHECKING:
    from pyvirt.drivers.qemu.guest import Guest
    from pyvirt.drivers.qemu.hypervisor import Hypervisor

__all__ = ["encrypted", "masterKey", "secretPlaces", "secretValue"]

_USAGES = {
    "volume": c.VIR_SECRET_USAGE_TYPE_VOLUME,
    "ceph": c.VIR_SECRET_USAGE_TYPE_CEPH,
    "iscsi": c.VIR_SECRET_USAGE_TYPE_ISCSI,
    "tls": c.VIR_SECRET_USAGE_TYPE_TLS,
    "vtpm": c.VIR_SECRET_USAGE_TYPE_VTPM,
}

KEY_SIZE, _BLOCK = 32, 16


async def secretValue(
    hypervisor: Hypervisor, kind: str, uuid: str | bytes | None, usage: str | None
) -> bytes:
    """
    Ask for the value of a secret.

    @param kind: C{volume}, C{ceph}, C{iscsi}, C{tls} or C{vtpm}.
    @param uuid: which one; None: the one that is for C{usage}.
    @raise VirtError: NO_SECRET: there is none, or it has no value.
    """
    raw = parseUUID(uuid) if isinstance(uuid, str) else uuid
    # mypy takes interfaces for abstract classes.
    keeper = hypervisor.companion(ISecretValues)
    if keeper is None:
        # Where nobody keeps secrets there is none.
        which = f"uuid '{formatUUID(raw)}'" if raw is not None else f"usage '{usage or ''}'"
        raise virtError(ErrorCode.NO_SECRET, f"no secret with matching {which}", ErrorDomain.SECRET)
    value = await settled(keeper.secretValue(raw, _USAGES[kind], usage or ""))  # type: ignore[attr-defined]
    return bytes(value)


def encrypted(value: bytes, key: bytes, vector: bytes) -> str:
    """
    Encrypt a value as QEMU's secrets are: AES-256-CBC, padded, in base64.

    @param vector: 16 random bytes.
    """
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    missing = _BLOCK - len(value) % _BLOCK
    cipher = Cipher(algorithms.AES(key), modes.CBC(vector)).encryptor()
    out = cipher.update(value + bytes([missing]) * missing) + cipher.finalize()
    return base64.b64encode(out).decode()


def masterKey(guest: Guest) -> bytes:
    """
    Return the key that secrets of a run are encrypted with.

    @raise VirtError: it cannot be read.
    """
    path = os.path.join(guest.folder, "master-key.aes")
    try:
        with open(path, "rb") as file:
            key = file.read(KEY_SIZE + 1)
    except OSError as problem:
        raise systemFailure(problem, f"Failed to open file '{path}'") from None
    if len(key) != KEY_SIZE:
        raise internal(f"invalid master key read, size={len(key)}")
    return key


async def secretPlaces(
    hypervisor: Hypervisor, guest: Guest, secrets: Iterable[Secret]
) -> dict[str, str]:
    """
    Fetch and encrypt secrets.

    @return: what goes to their places in the arguments.
    @raise VirtError: one is not there.
    """
    found: dict[str, str] = {}
    key: bytes | None = None
    for secret in secrets:
        if secret.value is not None:
            value = secret.value.encode()
        else:
            value = await secretValue(
                hypervisor, secret.kind or "volume", secret.uuid, secret.usage
            )
        if secret.encoded:
            value = base64.b64encode(value)
        if key is None:
            key = masterKey(guest)
        vector = hypervisor.random(_BLOCK)
        found[f"secret:{secret.name}:data"] = encrypted(value, key, vector)
        found[f"secret:{secret.name}:iv"] = base64.b64encode(vector).decode()
    return found
