"""
What secrets must do, to clients and to the drivers beside them.
"""

from __future__ import annotations

from uuid import UUID

from pyvirt import constants as c
from pyvirt.drivers.interfaces.events import ISecretEvents
from pyvirt.drivers.interfaces.inside import ISecretValues
from pyvirt.drivers.interfaces.secrets import ISecrets
from pyvirt.drivers.interfaces.values import SecretRef
from pyvirt.errors import ErrorCode
from pyvirt.testing.suites._suite import NOBODY, UNKNOWN_FLAG, Suite

__all__ = ["SecretValuesContract", "SecretsContract"]


class SecretSuite(Suite):
    """What suites about secrets have in common."""

    def secretXML(self, usage: str, private: bool = False) -> str:
        """Return the definition of a secret for a Ceph cluster."""
        return (
            f"<secret ephemeral='no' private='{'yes' if private else 'no'}'>"
            f"<usage type='ceph'><name>{usage}</name></usage></secret>"
        )

    def define(self, usage: str = "suite one", private: bool = False) -> SecretRef:
        """Define a secret that is gone after the test."""
        ref: SecretRef = self.ask(
            "secretDefineXML", self.secretXML(usage, private), 0, interface=ISecrets
        )
        self.addCleanup(self.tries, ("secretUndefine", ref), interface=ISecrets)
        return ref


class SecretsContract(SecretSuite):
    """Secrets: L{ISecrets}, and L{ISecretEvents} where there are any."""

    contract = ISecrets
    required = (
        "connectListAllSecrets",
        "secretDefineXML",
        "secretGetValue",
        "secretGetXMLDesc",
        "secretLookupByUUID",
        "secretLookupByUsage",
        "secretSetValue",
        "secretUndefine",
    )

    def test_life(self) -> None:
        """A secret is defined, found by UUID and by what it is for, listed, and undefined, and told of."""
        heard = self.hear(ISecretEvents, "secretEventSubscribe", c.VIR_SECRET_EVENT_ID_LIFECYCLE)
        ref = self.define()
        ceph = c.VIR_SECRET_USAGE_TYPE_CEPH
        self.assertEqual((len(ref.uuid), *ref[1:]), (16, ceph, "suite one"))
        self.assertEqual(self.ask("secretLookupByUUID", ref.uuid), ref)
        self.assertEqual(self.ask("secretLookupByUsage", ceph, "suite one"), ref)
        self.assertIn(ref, self.ask("connectListAllSecrets", 0))
        self.assertIn(str(UUID(bytes=ref.uuid)), self.ask("secretGetXMLDesc", ref, 0))
        self.ask("secretUndefine", ref)
        self.assertNotIn(ref, self.ask("connectListAllSecrets", 0))
        self.refuses(ErrorCode.NO_SECRET, "secretLookupByUUID", ref.uuid)
        self.refuses(ErrorCode.NO_SECRET, "secretLookupByUsage", ceph, "suite one")
        if heard is not None:
            told = [each.details[0] for each in heard if each.ref == ref]
            self.assertEqual(told, [c.VIR_SECRET_EVENT_DEFINED, c.VIR_SECRET_EVENT_UNDEFINED])

    def test_value(self) -> None:
        """A value is told as it was set, byte for byte, and told of; without one there is none to tell."""
        heard = self.hear(
            ISecretEvents, "secretEventSubscribe", c.VIR_SECRET_EVENT_ID_VALUE_CHANGED
        )
        ref = self.define()
        self.refuses(ErrorCode.NO_SECRET, "secretGetValue", ref, 0)
        for value in (b"\0\xffvalue\n", b"other"):
            self.ask("secretSetValue", ref, value, 0)
            self.assertEqual(self.ask("secretGetValue", ref, 0), value)
        xml = self.ask("secretGetXMLDesc", ref, 0)
        self.assertNotIn("other", xml)
        self.assertEqual(self.ask("secretDefineXML", xml, 0), ref)
        self.assertEqual(self.ask("secretGetXMLDesc", ref, 0), xml)
        self.assertEqual(self.ask("secretGetValue", ref, 0), b"other")
        self.refuses(None, "secretSetValue", ref, b"third", UNKNOWN_FLAG)
        self.assertEqual(self.ask("secretGetValue", ref, 0), b"other")
        if heard is not None:
            self.assertEqual([each.ref for each in heard], [ref, ref])

    def test_private(self) -> None:
        """The value of a private secret can be set and is never told."""
        ref = self.define(private=True)
        self.ask("secretSetValue", ref, b"hidden", 0)
        self.refuses(ErrorCode.INVALID_SECRET, "secretGetValue", ref, 0)

    def test_nobody(self) -> None:
        """A secret that is not there is refused as such; so is one that was undefined."""
        gone = self.define()
        self.ask("secretUndefine", gone)
        for ref in (gone, SecretRef(NOBODY, c.VIR_SECRET_USAGE_TYPE_CEPH, "nobody")):
            self.refuses(ErrorCode.NO_SECRET, "secretGetXMLDesc", ref, 0)
            self.refuses(ErrorCode.NO_SECRET, "secretGetValue", ref, 0)
            self.refuses(ErrorCode.NO_SECRET, "secretSetValue", ref, b"x", 0)
            self.refuses(ErrorCode.NO_SECRET, "secretUndefine", ref)

    def test_taken(self) -> None:
        """Two secrets are not for the same thing."""
        ref = self.define()
        self.refuses(None, "secretDefineXML", self.secretXML("suite one"), 0)
        self.assertEqual(self.ask("secretLookupByUUID", ref.uuid), ref)

    def test_filters(self) -> None:
        """A list holds what its flags ask for."""
        public, private = self.define("suite one"), self.define("suite two", private=True)
        for flag, wanted, other in (
            (c.VIR_CONNECT_LIST_SECRETS_PRIVATE, private, public),
            (c.VIR_CONNECT_LIST_SECRETS_NO_PRIVATE, public, private),
        ):
            listed = self.ask("connectListAllSecrets", flag)
            self.assertIn(wanted, listed)
            self.assertNotIn(other, listed)
        self.refuses(None, "connectListAllSecrets", UNKNOWN_FLAG)

    def test_badXML(self) -> None:
        """What is no definition is refused, and defines nothing."""
        before = len(self.ask("connectListAllSecrets", 0))
        for xml in ("", "<", "<network/>", "no xml"):
            self.refuses(None, "secretDefineXML", xml, 0)
        self.refuses(None, "secretDefineXML", self.secretXML("suite two"), UNKNOWN_FLAG)
        self.assertEqual(len(self.ask("connectListAllSecrets", 0)), before)


class SecretValuesContract(SecretSuite):
    """
    Values of secrets as drivers beside ask for them: L{ISecretValues}.

    The connection has L{ISecrets} too, by which the secrets come to be.
    """

    contract = ISecretValues
    required = ("secretValue",)

    def set(self, ref: SecretRef, value: bytes) -> None:
        """Give a secret a value."""
        self.ask("secretSetValue", ref, value, 0, interface=ISecrets)

    def ways(self, ref: SecretRef) -> tuple[tuple[bytes | None, int, str], ...]:
        """Return what a secret can be asked for by: its UUID, and what it is for."""
        return (ref.uuid, c.VIR_SECRET_USAGE_TYPE_NONE, ""), (None, ref.usageType, ref.usageID)

    def test_value(self) -> None:
        """The value is told, private or not, byte for byte, and always the last that was set."""
        for usage, private in (("suite one", False), ("suite two", True)):
            ref = self.define(usage, private)
            for value in (b"\0\xffvalue\n", b"other"):
                self.set(ref, value)
                for way in self.ways(ref):
                    self.assertEqual(self.ask("secretValue", *way), value)

    def test_noValue(self) -> None:
        """A secret without a value is refused, as one that is not there or is for something else."""
        ref = self.define()
        for way in self.ways(ref):
            self.refuses(ErrorCode.NO_SECRET, "secretValue", *way)
        self.set(ref, b"value")
        self.refuses(ErrorCode.NO_SECRET, "secretValue", NOBODY, c.VIR_SECRET_USAGE_TYPE_NONE, "")
        for kind, name in (
            (c.VIR_SECRET_USAGE_TYPE_CEPH, "nobody"),
            (c.VIR_SECRET_USAGE_TYPE_ISCSI, "suite one"),
        ):
            self.refuses(ErrorCode.NO_SECRET, "secretValue", None, kind, name)

    def test_undefined(self) -> None:
        """The value goes with the secret, and does not come back with another for the same thing."""
        ref = self.define()
        self.set(ref, b"old")
        self.ask("secretUndefine", ref, interface=ISecrets)
        for way in (*self.ways(ref), *self.ways(self.define())):
            self.refuses(ErrorCode.NO_SECRET, "secretValue", *way)
