"""
Secrets: pass phrases and keys that guests' disks and networks need.
"""

from __future__ import annotations

from zope.interface import Interface

from pyvirt.drivers.interfaces.values import Answer, SecretRef


class ISecrets(Interface):
    """Secrets: pass phrases and keys that guests' disks and networks need."""

    def secretLookupByUUID(uuid: bytes) -> Answer[SecretRef]:
        """virSecretLookupByUUID."""

    def secretDefineXML(xml: str, flags: int) -> Answer[SecretRef]:
        """virSecretDefineXML."""

    def secretGetXMLDesc(secret: SecretRef, flags: int) -> Answer[str]:
        """virSecretGetXMLDesc."""

    def secretSetValue(secret: SecretRef, value: bytes, flags: int) -> Answer[None]:
        """virSecretSetValue."""

    def secretGetValue(secret: SecretRef, flags: int) -> Answer[bytes]:
        """virSecretGetValue."""

    def secretUndefine(secret: SecretRef) -> Answer[None]:
        """virSecretUndefine."""

    def secretLookupByUsage(usageType: int, usageID: str) -> Answer[SecretRef]:
        """virSecretLookupByUsage."""

    def connectListAllSecrets(flags: int) -> Answer[list[SecretRef]]:
        """virConnectListAllSecrets."""
