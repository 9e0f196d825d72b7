"""
Images that secrets open, in running guests: what QEMU is given with them, and that it goes with them.
"""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.defer import Deferred

from pyvirt.definitions.domain import parseDomain
from pyvirt.drivers.qemu.blocks.chain import Image, prepared
from pyvirt.drivers.qemu.blocks.nodes import addImage, creation, removeImages
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError
from tests.qemu.test_plugging import DISK, DOMAIN, Case

_SECRET = "<encryption format='luks'>{}<secret type='passphrase' usage='{}'/></encryption>"


class _Keeper:
    """Knows one secret."""

    def secretValue(self, uuid: bytes | None, usageType: int, usageID: str) -> bytes:
        """Return it, or complain."""
        if usageID != "vol":
            detail = f"no secret with matching usage '{usageID}'"
            raise virtError(ErrorCode.NO_SECRET, detail, ErrorDomain.SECRET)
        return b"pass"


class SecretImageTests(Case):
    """A secret comes before its image, and goes after it."""

    def setUp(self) -> None:
        super().setUp()
        self.world.hypervisor.companion = lambda interface: _Keeper()
        os.makedirs(self.world.guest.folder)
        with open(os.path.join(self.world.guest.folder, "master-key.aes"), "wb") as file:
            file.write(b"k" * 32)

    def disk(self, usage: str = "vol", form: str = "raw", cipher: str = "") -> str:
        """Describe a disk that a secret opens."""
        xml = DISK.format(self.image("e.luks"), "vdb", "virtio")
        inner = _SECRET.format(cipher, usage)
        xml = xml.replace("'/><target", f"'>{inner}</source><target")
        return xml.replace("<source", f"<driver name='qemu' type='{form}'/><source")

    def source(self, **how: str) -> Any:
        """Return the source of such a disk."""
        xml = DOMAIN.replace(
            "<controller type='sata'", f"{self.disk(**how)}<controller type='sata'"
        )
        return parseDomain(xml).devices.disks[1].source

    def test_plugged(self) -> None:
        """Whatever is refused, nothing is left; what QEMU gets is encrypted, and goes with the disk."""
        before = self.world.state()
        for number in range(1, 20):
            self.qemu.refuse = number
            self.qemu.said.clear()
            outcome: list[Any] = []
            self.world.attach(self.disk()).addBoth(outcome.append)
            if outcome == [None]:
                break
            self.assertEqual(self.world.state(), before)
        self.qemu.refuse = None
        self.assertEqual(
            self.qemu.said[:4], ["object-add", "blockdev-add", "blockdev-add", "device_add"]
        )
        (name,) = self.qemu.kept["objects"]
        given = self.qemu.given[name]
        self.assertEqual(given["keyid"], "masterKey0")
        self.assertEqual(len(given["data"]), 24)
        self.assertNotIn("secret:", given["data"] + given["iv"])
        format = self.qemu.given[name.partition("-encryption")[0]]
        self.assertEqual((format["driver"], format["key-secret"]), ("luks", name))
        self.successResultOf(self.world.detach(self.disk()))
        self.assertEqual(self.qemu.kept["objects"] | self.qemu.kept["nodes"], set())

    def test_missing(self) -> None:
        """A secret that is not there is an error before QEMU hears of the disk."""
        before = self.world.state()
        self.assertEqual(self.refused(self.disk("other")).code, ErrorCode.NO_SECRET)
        self.assertEqual(self.qemu.said, [])
        self.assertEqual(self.world.state(), before)

    def test_images(self) -> None:
        """Images that jobs bring have their secrets too."""
        world = self.world
        for form, key in (("raw", "key-secret"), ("qcow2", "encrypt")):
            image = Image(prepared(self.source(form=form)), form, 77)
            self.assertEqual(image.source.encryption.engine, "qemu")  # type: ignore[union-attr]
            for refuse in (1, 2, 3):
                self.qemu.refuse = refuse
                failed = Deferred.fromCoroutine(
                    addImage(world.hypervisor, world.guest, image, None, readOnly=False)
                )
                self.failureResultOf(failed, VirtError)
                self.assertEqual(self.qemu.kept["objects"] | self.qemu.kept["nodes"], set())
            self.successResultOf(
                Deferred.fromCoroutine(
                    addImage(world.hypervisor, world.guest, image, None, readOnly=False)
                )
            )
            self.assertEqual(self.qemu.kept["objects"], {"libvirt-77-format-encryption-secret0"})
            self.assertIn(key, self.qemu.given["libvirt-77-format"])
            self.successResultOf(
                Deferred.fromCoroutine(removeImages(world.hypervisor, world.guest, image))
            )
            self.assertEqual(self.qemu.kept["objects"] | self.qemu.kept["nodes"], set())

    def test_made(self) -> None:
        """What QEMU is told to make is encrypted as the definition says."""
        cipher = (
            "<cipher name='twofish' size='256' mode='cbc' hash='sha256'/><ivgen name='plain64'/>"
        )
        raw = Image(self.source(cipher=cipher), "raw", 7)
        self.assertEqual(
            creation(raw, 512, None, {"key-secret": "s"}),
            {
                "driver": "luks",
                "file": "libvirt-7-storage",
                "size": 512,
                "key-secret": "s",
                "cipher-alg": "twofish-256",
                "cipher-mode": "cbc",
                "hash-alg": "sha256",
                "ivgen-alg": "plain64",
            },
        )
        made = creation(
            Image(self.source(form="qcow2"), "qcow2", 7),
            512,
            None,
            {"encrypt": {"format": "luks", "key-secret": "s"}},
        )
        self.assertEqual(made["encrypt"], {"format": "luks", "key-secret": "s"})
