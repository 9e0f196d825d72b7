"""
Migrations whose memory and disks are encrypted on their way: what is asked of them, and what QEMU is told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from pyvirt import constants as c
from pyvirt.drivers.qemu.certificates import addCertificates, removeCertificates
from pyvirt.drivers.qemu.guest import Guest
from pyvirt.drivers.qemu.migrationdata import Address
from pyvirt.drivers.qemu.refusals import internal, operationInvalid
from pyvirt.errors import ErrorCode, ErrorDomain, virtError

if TYPE_CHECKING:
    from pyvirt.drivers.qemu.hypervisor import Hypervisor

__all__ = ["Encryption", "checkForced", "receiveEncrypted", "sendEncrypted"]

_KIND = "migrate"


@attrs.frozen
class Encryption:
    """
    How QEMU encrypts.

    @ivar credentials: what it calls the certificates.
    @ivar host: whom the source expects to be there; empty at the destination.
    """

    credentials: str
    host: str = ""

    @property
    def parameters(self) -> dict[str, str]:
        """What QEMU is told of memory, and at the source of each disk."""
        return {"tls-creds": self.credentials, "tls-hostname": self.host}


def checkForced(hypervisor: Hypervisor, flags: int) -> None:
    """
    Refuse what goes unencrypted where qemu.conf allows none of that; daemons see to their own connection.

    @raise VirtError: it does.
    """
    if hypervisor.config["migrate_tls_force"] and not flags & (
        c.VIR_MIGRATE_TLS | c.VIR_MIGRATE_TUNNELLED
    ):
        raise operationInvalid(
            "this libvirtd instance allows migration only with VIR_MIGRATE_TLS flag"
        )


async def receiveEncrypted(hypervisor: Hypervisor, guest: Guest) -> Encryption:
    """
    Have the destination's QEMU take nothing that is not encrypted.

    @raise VirtError: the certificates are not there, or are not good.
    """
    await removeCertificates(guest, _KIND)
    found = Encryption(await addCertificates(hypervisor, guest, _KIND, server=True))
    await guest.execute("migrate-set-parameters", found.parameters)
    return found


async def sendEncrypted(
    hypervisor: Hypervisor, guest: Guest, asked: dict[str, Any], address: Address | None
) -> Encryption:
    """
    Have the source's QEMU encrypt what it sends.

    @param address: where memory goes to, None: through the connection of the daemons.
    @raise VirtError: the certificates are not there, or are not good; or nobody says who is to be there.
    """
    host = asked.get(c.VIR_MIGRATE_PARAM_TLS_DESTINATION)
    if not host and address is not None and address.path is not None:
        raise virtError(
            ErrorCode.OPERATION_UNSUPPORTED,
            "Explicit destination hostname is required for TLS migration over UNIX socket",
            ErrorDomain.QEMU,
        )
    host = host or (address.host.strip("[]") if address is not None else None)
    await removeCertificates(guest, _KIND)
    credentials = await addCertificates(hypervisor, guest, _KIND, server=False)
    if host is None:
        # libvirt's words for that.
        raise internal("failed to convert virJSONValue to yajl data", ErrorDomain.NONE)
    found = Encryption(credentials, host)
    await guest.execute("migrate-set-parameters", found.parameters)
    return found
