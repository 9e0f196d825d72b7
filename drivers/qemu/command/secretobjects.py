"""
Objects that hold what is secret: passphrases of disks, passwords of servers, certificates.

The values themselves are none of the command line's business: who starts the guest encrypts each with the guest's
master key and puts it in.  Here they are only named, with a place for the value.
"""

from __future__ import annotations

from typing import Any

from pyvirt.definitions.kinds import unsupported
from pyvirt.definitions.uuids import parseUUID
from pyvirt.drivers.qemu.command.arguments import Builder
from pyvirt.drivers.qemu.command.blockdevs import Node
from pyvirt.drivers.qemu.command.values import Secret, place

__all__ = ["SecretObjects", "addCertificates", "addSecret", "addTLS"]


def addSecret(b: Builder, name: str, secret: Secret) -> str:
    """Add an object for a secret and return its name."""
    b.secrets.append(secret)
    b.object(
        "secret",
        name,
        data=place(f"secret:{secret.name}:data"),
        keyid="masterKey0",
        iv=place(f"secret:{secret.name}:iv"),
        format="base64",
    )
    return name


def addTLS(
    b: Builder,
    name: str,
    folder: str,
    *,
    server: bool,
    verify: bool,
    password: str | None = None,
    priority: str | None = None,
) -> str:
    """Add an object for certificates and return its name."""
    b.object(
        "tls-creds-x509",
        name,
        dir=folder,
        endpoint="server" if server else "client",
        verify_peer=verify,
        priority=priority,
        passwordid=password,
    )
    return name


def addCertificates(
    b: Builder, kind: str, name: str, secret: str, *, server: bool, verify: bool = True
) -> str:
    """
    Add the objects for certificates as qemu.conf has them for one of their users, and return the name.

    @param kind: C{vnc}, C{chardev}, C{nbd} or C{vxhs}.
    @param secret: what the object is called that opens the key, where one is needed.
    @raise VirtError: the secret that qemu.conf names has no UUID.
    """
    settings = b.host.settings
    folder = settings.get(f"{kind}_tls_x509_cert_dir") or settings.get(
        "default_tls_x509_cert_dir", "/etc/pki/qemu"
    )
    password = None
    uuid = settings.get(f"{kind}_tls_x509_secret_uuid")
    if uuid is not None:
        if parseUUID(str(uuid)) is None:
            raise unsupported(f"malformed TLS secret uuid '{uuid}' provided")("", None, "")
        password = addSecret(b, secret, Secret(name=secret, kind="tls", uuid=str(uuid)))
    return addTLS(b, name, str(folder), server=server, verify=verify, password=password)


class SecretObjects:
    """The secrets of one disk."""

    def __init__(self, builder: Builder) -> None:
        self._builder = builder

    def of(self, node: Node) -> dict[str, str]:
        """Add the objects that an image needs, and return their names by purpose."""
        b = self._builder
        found: dict[str, str] = {}
        source: Any = node.source
        auth = node.auth
        if auth is not None and auth.secret is not None:
            name = f"{node.storageName}-auth-secret0"
            found["auth"] = addSecret(
                b,
                name,
                Secret(
                    name=name,
                    kind=auth.secret.type,
                    uuid=auth.secret.uuid,
                    usage=auth.secret.usage,
                    encoded=getattr(source, "protocol", None) == "rbd",
                ),
            )
        encryption = node.encryption
        if encryption is not None:
            for number, secret in enumerate(encryption.secrets):
                name = f"{node.formatName}-encryption-secret{number}"
                key = "encryption-rbd" if encryption.engine == "librbd" else "encryption"
                found[key] = addSecret(
                    b,
                    name,
                    Secret(name=name, kind="volume", uuid=secret.uuid, usage=secret.usage),
                )
        cookies = getattr(source, "cookies", None)
        if cookies is not None and cookies.cookies:
            name = f"{node.storageName}-httpcookie-secret0"
            text = "; ".join(f"{each.name}={each.value}" for each in cookies.cookies)
            found["httpcookie"] = addSecret(b, name, Secret(name=name, value=text))
        protocol = getattr(source, "protocol", None)
        tls = getattr(source, "tls", None)
        if tls is None and protocol == "nbd":
            tls = b.host.settings.get("nbd_tls")
        if tls:
            kind = "vxhs" if protocol == "vxhs" else "nbd"
            name = f"obj{node.storageName}_tls0"
            found["tls"] = addCertificates(b, kind, name, f"{name}-secret0", server=False)
        return found
