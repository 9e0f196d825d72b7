"""
Secrets as libvirt's secret driver keeps them: L{SecretBook}, which drivers share.  A private value is told to no
client; what guests need is asked for with L{SecretBook.secretValue}.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyvirt import constants as c
from pyvirt.definitions.schema import replaced
from pyvirt.definitions.secret import SecretDefinition, formatSecret, parseSecret
from pyvirt.definitions.uuids import formatUUID, randomUUID
from pyvirt.definitions.validation import validate
from pyvirt.drivers.events import EventHub
from pyvirt.drivers.interfaces.events import Event, EventKind
from pyvirt.drivers.interfaces.values import SecretRef
from pyvirt.drivers.refusals import checkFlags, internal
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["USAGES", "Secret", "SecretBook"]

_DOMAIN = ErrorDomain.SECRET

USAGES = {
    "volume": c.VIR_SECRET_USAGE_TYPE_VOLUME,
    "ceph": c.VIR_SECRET_USAGE_TYPE_CEPH,
    "iscsi": c.VIR_SECRET_USAGE_TYPE_ISCSI,
    "tls": c.VIR_SECRET_USAGE_TYPE_TLS,
    "vtpm": c.VIR_SECRET_USAGE_TYPE_VTPM,
}

Test = Callable[[SecretDefinition], bool]

_GROUPS: tuple[dict[int, Test], ...] = (
    {
        c.VIR_CONNECT_LIST_SECRETS_EPHEMERAL: lambda definition: definition.ephemeral,
        c.VIR_CONNECT_LIST_SECRETS_NO_EPHEMERAL: lambda definition: not definition.ephemeral,
    },
    {
        c.VIR_CONNECT_LIST_SECRETS_PRIVATE: lambda definition: definition.private,
        c.VIR_CONNECT_LIST_SECRETS_NO_PRIVATE: lambda definition: not definition.private,
    },
)
_LIST_FLAGS = sum(flag for group in _GROUPS for flag in group)


class Secret:
    """A secret: its definition, what it is known by, and its value if it has one."""

    __slots__ = ("definition", "ref", "value")

    def __init__(self, definition: SecretDefinition) -> None:
        self.value: bytes | None = None
        self.redefine(definition)

    def redefine(self, definition: SecretDefinition) -> None:
        """Let it be something else for the same use."""
        assert definition.uuid is not None
        self.definition = definition
        usage = definition.usage
        kind = c.VIR_SECRET_USAGE_TYPE_NONE if usage is None else USAGES[usage.type]
        self.ref = SecretRef(definition.uuid, kind, "" if usage is None else usage.id)


def _usage(definition: SecretDefinition) -> str:
    return "(null)" if definition.usage is None else definition.usage.id


def _missing(detail: str) -> VirtError:
    return virtError(ErrorCode.NO_SECRET, detail, _DOMAIN)


class SecretBook:
    """Keeps secrets in memory; L{_keep} and the like are for those who keep them elsewhere too."""

    def __init__(
        self, secrets: dict[bytes, Secret], hub: EventHub, random: Callable[[int], bytes]
    ) -> None:
        """
        @param secrets: by UUID.
        """
        self._secrets = secrets
        self._hub = hub
        self._random = random

    def _keep(self, secret: Secret, old: SecretDefinition | None) -> None:
        """
        A secret was defined: keep it for good, if it is to be.

        @param old: what it was before, if it was there.
        @raise VirtError: it cannot be kept; it will be what it was then.
        """

    def _keepValue(self, secret: Secret) -> None:
        """
        A value was set: as L{_keep}.
        """

    def _forget(self, secret: Secret) -> None:
        """A secret was undefined."""

    def secretValue(self, uuid: bytes | None, usageType: int, usageID: str) -> bytes:
        """
        Tell a value for use inside, private or not.

        @param uuid: which secret; None: the one with the usage.
        @raise VirtError: there is none, or it has no value.
        """
        ref = self.secretLookupByUsage(usageType, usageID) if uuid is None else self._find(uuid).ref
        return self._valueOf(self._find(ref.uuid))

    @staticmethod
    def _valueOf(secret: Secret) -> bytes:
        if secret.value is None:
            raise _missing(f"secret '{formatUUID(secret.ref.uuid)}' does not have a value")
        return secret.value

    def _find(self, uuid: bytes) -> Secret:
        found = self._secrets.get(uuid)
        if found is None:
            raise _missing(f"no secret with matching uuid '{formatUUID(uuid)}'")
        return found

    def _tell(self, secret: Secret, eventID: int, *details: Any) -> None:
        ref = secret.ref
        self._hub.emit(Event(EventKind.SECRET, eventID, ref, details), ref.uuid)

    def secretLookupByUUID(self, uuid: bytes) -> SecretRef:
        """Find a secret."""
        return self._find(uuid).ref

    def secretLookupByUsage(self, usageType: int, usageID: str) -> SecretRef:
        """Find a secret by what it is for."""
        for secret in self._secrets.values():
            if secret.definition.usage is not None and secret.ref[1:] == (usageType, usageID):
                return secret.ref
        raise _missing(f"no secret with matching usage '{usageID}'")

    def secretDefineXML(self, xml: str, flags: int) -> SecretRef:
        """Define a secret, or change one; what it is for and that it is private stay."""
        checkFlags("secretDefineXML", flags, c.VIR_SECRET_DEFINE_VALIDATE, _DOMAIN)
        if flags & c.VIR_SECRET_DEFINE_VALIDATE:
            validate("secret", xml)
        definition = parseSecret(xml)
        if definition.uuid is None:
            definition = replaced(definition, uuid=randomUUID(self._random))
        secret = self._fitting(definition)
        if secret is None:
            secret = Secret(definition)
            self._keep(secret, None)
            self._secrets[secret.ref.uuid] = secret
        else:
            old = secret.definition
            secret.redefine(definition)
            try:
                self._keep(secret, old)
            except BaseException:
                secret.redefine(old)
                raise
        self._tell(secret, c.VIR_SECRET_EVENT_ID_LIFECYCLE, c.VIR_SECRET_EVENT_DEFINED, 0)
        return secret.ref

    def _fitting(self, definition: SecretDefinition) -> Secret | None:
        """
        Return the secret that a definition changes, None if it is a new one.

        @raise VirtError: it cannot be among the others, or changes what stays.
        """
        assert definition.uuid is not None
        secret = self._secrets.get(definition.uuid)
        if secret is None:
            for other in self._secrets.values():
                if definition.usage is not None and other.definition.usage == definition.usage:
                    raise internal(
                        f"a secret with UUID {formatUUID(other.ref.uuid)} already defined for use "
                        f"with {definition.usage.id}",
                        _DOMAIN,
                    )
        else:
            old = secret.definition
            if old.usage != definition.usage:
                raise internal(
                    f"a secret with UUID {formatUUID(definition.uuid)} is already defined for use "
                    f"with {_usage(old)}",
                    _DOMAIN,
                )
            if old.private and not definition.private:
                raise internal("cannot change private flag on existing secret", _DOMAIN)
        return secret

    def secretGetXMLDesc(self, secret: SecretRef, flags: int) -> str:
        """Describe a secret without its value."""
        checkFlags("secretGetXMLDesc", flags, 0, _DOMAIN)
        return formatSecret(self._find(secret.uuid).definition)

    def secretSetValue(self, secret: SecretRef, value: bytes, flags: int) -> None:
        """Set a value, and tell that it was set."""
        checkFlags("secretSetValue", flags, 0, _DOMAIN)
        found = self._find(secret.uuid)
        old, found.value = found.value, value
        try:
            self._keepValue(found)
        except BaseException:
            found.value = old
            raise
        self._tell(found, c.VIR_SECRET_EVENT_ID_VALUE_CHANGED)

    def secretGetValue(self, secret: SecretRef, flags: int) -> bytes:
        """Tell a value that is not private."""
        checkFlags("secretGetValue", flags, 0, _DOMAIN)
        found = self._find(secret.uuid)
        if found.definition.private:
            raise virtError(ErrorCode.INVALID_SECRET, "secret is private", _DOMAIN)
        return self._valueOf(found)

    def secretUndefine(self, secret: SecretRef) -> None:
        """Forget a secret."""
        found = self._find(secret.uuid)
        self._forget(found)
        del self._secrets[secret.uuid]
        self._tell(found, c.VIR_SECRET_EVENT_ID_LIFECYCLE, c.VIR_SECRET_EVENT_UNDEFINED, 0)

    def connectListAllSecrets(self, flags: int) -> list[SecretRef]:
        """List the secrets that pass the filters."""
        checkFlags("secretConnectListAllSecrets", flags, _LIST_FLAGS, _DOMAIN)
        groups = [
            [test for flag, test in group.items() if flags & flag]
            for group in _GROUPS
            if any(flags & flag for flag in group)
        ]
        return [
            secret.ref
            for secret in self._secrets.values()
            if all(any(test(secret.definition) for test in group) for group in groups)
        ]
