"""
Tests for L{pyvirt.drivers.host.secrets}.
"""

from __future__ import annotations

import os
import stat

from twisted.trial.unittest import SynchronousTestCase

from pyvirt import constants as c
from pyvirt.drivers.host.secrets import Secrets
from pyvirt.drivers.interfaces.events import EventKind
from pyvirt.errors import VirtError
from tests.host.support import makeHost

_ID = "11111111-2222-3333-4444-55555555555"


def _xml(number: int, **attributes: str) -> str:
    words = "".join(f" {name}='{value}'" for name, value in attributes.items())
    usage = f"<usage type='ceph'><name>n{number}</name></usage>"
    return f"<secret{words}><uuid>{_ID}{number}</uuid>{usage}</secret>"


class SecretsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.root = self.mktemp()
        self.secrets = self.again()

    def again(self) -> Secrets:
        """Read the folder as a restarted daemon does."""
        self.host = makeHost(self.root)
        self.told: list[tuple[int, tuple[int, ...]]] = []
        for kind in (0, 1):
            self.host.hub.subscribe(
                EventKind.SECRET, kind, None, lambda event: self.told.append(event[1::2])
            )
        secrets = Secrets(self.host)
        secrets.load()
        return secrets

    @property
    def folder(self) -> str:
        return self.host.layout.secrets

    def names(self) -> list[str]:
        return sorted(os.listdir(self.folder))

    def write(self, name: str, data: bytes) -> None:
        with open(os.path.join(self.folder, name), "wb") as file:
            file.write(data)

    def test_kept(self) -> None:
        """
        A secret and its value are found again, in files that nobody else can read.
        """
        ref = self.secrets.secretDefineXML(_xml(1), 0)
        self.secrets.secretSetValue(ref, b"\0\xffvalue", 0)
        self.assertEqual(self.names(), [f"{_ID}1.base64", f"{_ID}1.xml"])
        for name in (*self.names(), "."):
            mode = stat.S_IMODE(os.stat(os.path.join(self.folder, name)).st_mode)
            self.assertEqual(mode & 0o077, 0)
        self.assertEqual(self.told, [(0, (0, 0)), (1, ())])
        again = self.again()
        self.assertEqual(again.connectListAllSecrets(0), [ref])
        self.assertEqual(again.secretGetValue(ref, 0), b"\0\xffvalue")

    def test_ephemeral(self) -> None:
        """
        What is ephemeral is never written; what becomes so is removed, and what no longer is gets written.
        """
        ref = self.secrets.secretDefineXML(_xml(1, ephemeral="yes"), 0)
        self.secrets.secretSetValue(ref, b"x", 0)
        self.assertEqual(self.names(), [])
        self.secrets.secretDefineXML(_xml(1), 0)
        self.assertEqual(self.names(), [f"{_ID}1.base64", f"{_ID}1.xml"])
        self.secrets.secretDefineXML(_xml(1, ephemeral="yes"), 0)
        self.assertEqual(self.names(), [])
        self.assertEqual(self.secrets.secretGetValue(ref, 0), b"x")

    def test_private(self) -> None:
        """
        A private value is told to drivers, by UUID and by usage, and to no client.
        """
        ref = self.secrets.secretDefineXML(_xml(1, private="yes"), 0)
        usage = (c.VIR_SECRET_USAGE_TYPE_CEPH, "n1")
        error = self.assertRaises(VirtError, self.secrets.secretValue, None, *usage)
        self.assertIn("does not have a value", str(error))
        self.secrets.secretSetValue(ref, b"x", 0)
        self.assertRaises(VirtError, self.secrets.secretGetValue, ref, 0)
        self.assertEqual(self.secrets.secretValue(ref.uuid, 0, ""), b"x")
        self.assertEqual(self.secrets.secretValue(None, *usage), b"x")
        self.assertRaises(VirtError, self.secrets.secretValue, bytes(16), 0, "")

    def test_undefine(self) -> None:
        """
        Both files go with a secret.
        """
        ref = self.secrets.secretDefineXML(_xml(1), 0)
        self.secrets.secretSetValue(ref, b"x", 0)
        self.secrets.secretUndefine(ref)
        self.assertEqual(self.names(), [])

    def test_damaged(self) -> None:
        """
        What makes no sense is logged and left alone, and the others are there.
        """
        ref = self.secrets.secretDefineXML(_xml(1), 0)
        self.write(f"{_ID}1.base64", b"?" * 100)
        self.write(f"{_ID}2.xml", _xml(3).encode())
        self.write(f"{_ID}4.xml", b"<secret>")
        self.write(f"{_ID}5.xml", b"\xff")
        self.write(f"{_ID}6.xml", _xml(6).encode())
        self.write(f"{_ID}6.base64", b"A" * 200000)
        again = self.again()
        self.assertEqual(len(again.connectListAllSecrets(0)), 2)
        for each in again.connectListAllSecrets(0):
            self.assertRaises(VirtError, again.secretGetValue, each, 0)
        self.assertEqual(again.secretLookupByUUID(ref.uuid), ref)
        self.assertEqual(len(self.names()), 7)
        self.flushLoggedErrors()

    def test_notWritten(self) -> None:
        """
        Where nothing can be written a definition and a value are refused, and nothing has changed.
        """
        ref = self.secrets.secretDefineXML(_xml(1), 0)
        self.secrets.secretSetValue(ref, b"x", 0)
        os.mkdir(os.path.join(self.folder, f"{_ID}1.base64.new"))
        os.mkdir(os.path.join(self.folder, f"{_ID}1.xml.new"))
        os.mkdir(os.path.join(self.folder, f"{_ID}2.xml.new"))
        self.assertRaises(VirtError, self.secrets.secretSetValue, ref, b"y", 0)
        self.assertRaises(VirtError, self.secrets.secretDefineXML, _xml(1, private="yes"), 0)
        self.assertRaises(VirtError, self.secrets.secretDefineXML, _xml(2), 0)
        self.assertEqual(self.secrets.connectListAllSecrets(0), [ref])
        self.assertEqual(self.secrets.secretGetValue(ref, 0), b"x")
