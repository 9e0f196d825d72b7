"""
Secrets: XML to frozen values and back.  The value of a secret is never part of its definition.
"""

from __future__ import annotations

from pyvirt.definitions.kinds import FILLED, Kind, escape, xmlError
from pyvirt.definitions.reader import Node, parseDocument, xmlText
from pyvirt.definitions.schema import Context, attribute, element, reader, special, writer
from pyvirt.definitions.uuids import formatUUID, parseUUID
from pyvirt.definitions.values import definition
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["SecretDefinition", "SecretUsage", "formatSecret", "parseSecret"]

_DOMAIN = ErrorDomain.SECRET

#: Uses: the element that says what it is used for, and how errors call both.
USES: dict[str, tuple[str, str, str]] = {
    "volume": ("volume", "volume", "volume path"),
    "ceph": ("name", "Ceph", "name"),
    "iscsi": ("target", "iSCSI", "target"),
    "tls": ("name", "TLS", "name"),
    "vtpm": ("name", "vTPM", "name"),
}


def internal(detail: str) -> VirtError:
    """Make an internal error about secrets."""
    return virtError(ErrorCode.INTERNAL_ERROR, detail, _DOMAIN)


@definition
class SecretUsage:
    """
    What a secret is for.

    @ivar type: one of L{USES}.
    @ivar id: what tells it from other secrets of that use: a path, a target or a name.
    """

    type: str
    id: str

    @classmethod
    def readElement(cls, node: Node, context: Context) -> SecretUsage | None:
        """Read a use; C{none} is as good as nothing."""
        kind = node.get("type")
        if kind is None:
            raise xmlError("unknown secret usage type", _DOMAIN)
        if kind == "none":
            return None
        if kind not in USES:
            raise virtError(
                ErrorCode.CONFIG_UNSUPPORTED, f"unknown secret usage type {kind}", _DOMAIN
            )
        tag, label, what = USES[kind]
        found = node.find(tag)
        text = "" if found is None else xmlText(found)
        if not text:
            raise internal(f"{label} usage specified, but {what} is missing")
        return cls(type=kind, id=text)

    @staticmethod
    def writeElement(
        value: SecretUsage, out: list[str], indent: str, tag: str, context: Context
    ) -> None:
        """Write a use."""
        inner = USES[value.type][0]
        out.append(f"{indent}<{tag} type='{value.type}'>\n")
        out.append(f"{indent}  <{inner}>{escape(value.id)}</{inner}>\n")
        out.append(f"{indent}</{tag}>\n")


def _flag(text: str, node: Node, name: str) -> bool:
    if text not in ("yes", "no", ""):
        raise xmlError(f"invalid value of '{name}'", _DOMAIN)
    return text == "yes"


_FLAG = Kind(_flag, lambda value: "yes" if value else "no")


def _readUUID(node: Node, kids: dict[str, list[Node]], context: Context) -> bytes | None:
    text = xmlText(kids["uuid"][0]) if "uuid" in kids else ""
    if not text:
        return None
    value = parseUUID(text)
    if value is None:
        raise internal("malformed uuid element")
    return value


def _writeUUID(value: bytes, out: list[str], indent: str, context: Context) -> None:
    out.append(f"{indent}<uuid>{formatUUID(value)}</uuid>\n")


@definition
class SecretDefinition:
    """
    A secret.

    @ivar ephemeral: whether it is kept in memory only.
    @ivar private: whether its value is told to nobody.
    @ivar uuid: 16 bytes, or None before one is made up.
    """

    ephemeral: bool = attribute(_FLAG, default=False)
    private: bool = attribute(_FLAG, default=False)
    uuid: bytes | None = special(tags="uuid", read=_readUUID, write=_writeUUID)
    description: str | None = element(FILLED)
    usage: SecretUsage | None = element(SecretUsage)


def parseSecret(xml: str) -> SecretDefinition:
    """
    Parse a definition.

    @raise VirtError: as libvirt says it.
    """
    found: SecretDefinition = reader(SecretDefinition)(parseDocument("secret", xml), Context())
    return found


def formatSecret(definition: SecretDefinition) -> str:
    """Write a definition in libvirt's canonical form."""
    out: list[str] = []
    writer(SecretDefinition)(definition, out, "", "secret", Context())
    return "".join(out)
