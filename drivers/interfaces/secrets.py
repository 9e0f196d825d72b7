"""
Secrets: pass phrases and keys that guests' disks and networks need.
"""

from __future__ import annotations

from zope.interface import Interface

from pyvirt.drivers.interfaces.values import Answer, SecretRef


class ISecrets(Interface):
    """Secrets: pass phrases and keys that guests' disks and networks need."""

    def secretLookupByUUID(uuid: bytes) -> Answer[SecretRef]:
        """
        Find a secret by its UUID, 16 bytes.

        @raise VirtError: C{NO_SECRET}: there is none.
        """

    def secretDefineXML(xml: str, flags: int) -> Answer[SecretRef]:
        """
        Define a secret, or redefine the one with the same UUID; its value is set apart.

        @param xml: a C{<secret>} document.
        @param flags: C{VIR_SECRET_DEFINE_VALIDATE}: against the schema.
        """

    def secretGetXMLDesc(secret: SecretRef, flags: int) -> Answer[str]:
        """
        Describe a secret; its value is never in it.

        @param flags: none yet.
        @return: a C{<secret>} document.
        """

    def secretSetValue(secret: SecretRef, value: bytes, flags: int) -> Answer[None]:
        """
        Set a secret's value.

        @param value: 1 to 65536 bytes.
        @param flags: none yet.
        """

    def secretGetValue(secret: SecretRef, flags: int) -> Answer[bytes]:
        """
        Tell a secret's value.

        @param flags: none yet.
        @raise VirtError: C{NO_SECRET}: it has none.  C{INVALID_SECRET}: it is private and never
            told.
        """

    def secretUndefine(secret: SecretRef) -> Answer[None]:
        """Forget a secret and its value."""

    def secretLookupByUsage(usageType: int, usageID: str) -> Answer[SecretRef]:
        """
        Find a secret by what it is for.

        @param usageType: C{VIR_SECRET_USAGE_TYPE_*}.
        @param usageID: such as the path of a volume.
        @raise VirtError: C{NO_SECRET}: there is none.
        """

    def connectListAllSecrets(flags: int) -> Answer[list[SecretRef]]:
        """
        List secrets.

        @param flags: bitwise-OR of C{VIR_CONNECT_LIST_SECRETS_*}, in groups as for domains; 0:
            all.
        @return: in any order; at most 16384.
        """
