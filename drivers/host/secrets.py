"""
Secrets on disk: C{UUID.xml} and, apart from it, C{UUID.base64} with the value.  Ephemeral ones are never written.
"""

from __future__ import annotations

import base64
import binascii
import os
from typing import TYPE_CHECKING

from twisted.logger import Logger

from pyvirt.definitions.secret import SecretDefinition, formatSecret, parseSecret
from pyvirt.definitions.uuids import formatUUID
from pyvirt.drivers.filestore import DefinitionFolder, removeFile, writeWhole
from pyvirt.drivers.secretbook import Secret, SecretBook
from pyvirt.errors import ErrorDomain, VirtError
from pyvirt.process import systemError

if TYPE_CHECKING:
    from pyvirt.drivers.host.host import Host

__all__ = ["Secrets"]

log = Logger()

#: The longest file with a value that is read: what the protocol carries, in base64.
_LONGEST = 65536 * 4 // 3 + 16


class Secrets(SecretBook):
    """Keeps the secrets of the host."""

    def __init__(self, host: Host) -> None:
        super().__init__({}, host.hub, host.random)
        self._folder = DefinitionFolder(host.layout.secrets, None)

    def load(self) -> None:
        """
        Read what is on disk.

        @raise OSError: there can be no folder for it.
        """
        self._folder.make()
        self.reload()

    def reload(self) -> None:
        """Read what others have written; what they have removed stays."""
        for name, definition in self._folder.load(parseSecret):
            path = self._folder.file(name)
            if definition.uuid is None or formatUUID(definition.uuid) != name:
                log.error("{path} is of another secret", path=path)
                continue
            try:
                secret = self._fitting(definition)
            except VirtError as error:
                log.error("{path} is left out: {error}", path=path, error=error)
                continue
            if secret is None:
                secret = self._secrets[definition.uuid] = Secret(definition)
            else:
                secret.redefine(definition)
            value = self._read(name)
            if value is not None:
                secret.value = value

    def _path(self, name: str) -> str:
        return os.path.join(self._folder.path, f"{name}.base64")

    def _read(self, name: str) -> bytes | None:
        try:
            with open(self._path(name), "rb") as file:
                text = file.read(_LONGEST + 1)
            if len(text) > _LONGEST:
                raise ValueError("it is too long")
            return base64.b64decode(text, validate=True)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, binascii.Error) as problem:
            log.error("{path} cannot be read: {problem}", path=self._path(name), problem=problem)
            return None

    def _keep(self, secret: Secret, old: SecretDefinition | None) -> None:
        name = formatUUID(secret.ref.uuid)
        if secret.definition.ephemeral:
            if old is not None and not old.ephemeral:
                self._forget(secret)
            return
        self._folder.save(name, formatSecret(secret.definition))
        if old is not None and old.ephemeral and secret.value is not None:
            self._keepValue(secret)

    def _keepValue(self, secret: Secret) -> None:
        if not secret.definition.ephemeral:
            assert secret.value is not None
            path = self._path(formatUUID(secret.ref.uuid))
            writeWhole(path, base64.b64encode(secret.value))

    def _forget(self, secret: Secret) -> None:
        name = formatUUID(secret.ref.uuid)
        try:
            self._folder.erase(name)
        except FileNotFoundError:
            pass
        except OSError as problem:
            detail = f"cannot unlink '{self._folder.file(name)}'"
            raise systemError(problem, detail, ErrorDomain.SECRET) from None
        removeFile(self._path(name))
