"""
Trusted platform modules.
"""

from __future__ import annotations

from typing import Any

from pyvirt.definitions.domain._address import Device
from pyvirt.definitions.domain._chardev import CHAR_TYPES, CharSource
from pyvirt.definitions.kinds import (
    choice,
    escape,
    internal,
    missingAttribute,
    unsupported,
    xmlError,
)
from pyvirt.definitions.reader import Node
from pyvirt.definitions.schema import Context, attribute, special
from pyvirt.definitions.values import definition

__all__ = ["BANKS", "TPM", "TPMBackend"]


@definition
class TPMBackend:
    """What stands behind a TPM."""

    type: str = "passthrough"
    version: str | None = None
    persistent: bool = False
    device: str | None = None
    encryption: str | None = None
    banks: tuple[str, ...] = ()
    source: CharSource | None = None


BANKS = ("sha1", "sha256", "sha384", "sha512")


@definition
class TPM(Device):
    """A trusted platform module."""

    model: str | None = attribute(choice("tpm-tis tpm-crb tpm-spapr spapr-tpm-proxy"))
    backend: TPMBackend = special(
        tags="backend",
        read=lambda node, kids, context: _readTPMBackend(node, kids, context),
        write=lambda value, out, indent, context: _writeTPMBackend(value, out, indent, context),
    )


def _readTPMBackend(node: Node, kids: dict[str, list[Node]], context: Context) -> TPMBackend:
    found = kids.get("backend", [])
    if len(found) > 1:
        raise xmlError("only one TPM backend is supported")
    if not found:
        raise xmlError("missing TPM device backend")
    node = found[0]
    kind = node.get("type")
    if kind is None:
        raise missingAttribute(node, "type")
    kind = choice("passthrough emulator external").read(kind, node, "type")
    children: dict[str, Node] = {}
    for child in node:
        children.setdefault(child.tag, child)
    if kind == "passthrough":
        device = children["device"].get("path") if "device" in children else None
        return TPMBackend(type=kind, device=device or "/dev/tpm0")
    if kind == "external":
        source = children.get("source")
        if source is None or source.get("type") is None:
            raise xmlError("missing external TPM backend type")
        inner = source.get("type")
        if inner not in CHAR_TYPES:
            raise unsupported("unknown backend type '{text}' for external TPM")(inner, source, "")
        return TPMBackend(type=kind, source=_flatSource(inner, source, context))
    version = node.get("version")
    if version is not None:
        version = choice("default 1.2 2.0", absent="default").read(version, node, "version")
    persistent = node.get("persistent_state")
    if persistent is not None and persistent not in ("yes", "no"):
        raise internal("Invalid persistent_state value, either 'yes' or 'no'")("", node, "")
    secret = None
    if "encryption" in children:
        secret = children["encryption"].get("secret")
        if secret is not None:
            from pyvirt.definitions.uuids import formatUUID, parseUUID

            raw = parseUUID(secret)
            if raw is None:
                raise internal("Unable to parse secret uuid '{text}'")(secret, node, "")
            secret = formatUUID(raw)
    banks: list[str] = []
    if "active_pcr_banks" in children:
        for child in children["active_pcr_banks"]:
            if not isinstance(child.tag, str):
                continue
            if child.tag not in BANKS:
                raise unsupported("Unsupported PCR banks '{text}'")(child.tag, child, "")
            banks.append(child.tag)
    return TPMBackend(
        type=kind,
        version=version,
        persistent=persistent == "yes",
        encryption=secret,
        banks=tuple(bank for bank in BANKS if bank in banks),
    )


def _flatSource(kind: str, node: Node, context: Context) -> CharSource:
    """Read a source whose attributes stand on the element itself."""
    from pyvirt.definitions.domain._chardev import _readOneSource

    values: dict[str, Any] = {}
    _readOneSource(kind, node, values, context)
    return CharSource(type=kind, **values)


def _writeTPMBackend(value: TPMBackend, out: list[str], indent: str, context: Context) -> None:
    head = f"{indent}<backend type='{value.type}'"
    inner = indent + "  "
    body: list[str] = []
    if value.type == "passthrough":
        if value.device is not None:
            body.append(f"{inner}<device path='{escape(value.device)}'/>\n")
    elif value.type == "external":
        source = value.source
        assert source is not None
        line = f"{inner}<source type='{source.type}'"
        if source.mode is not None:
            line += f" mode='{source.mode}'"
        if source.path is not None:
            line += f" path='{escape(source.path)}'"
        body.append(line + "/>\n")
    else:
        if value.version is not None:
            head += f" version='{value.version}'"
        if value.persistent:
            head += " persistent_state='yes'"
        if value.encryption is not None:
            body.append(f"{inner}<encryption secret='{value.encryption}'/>\n")
        if value.banks:
            body.append(f"{inner}<active_pcr_banks>\n")
            body += [f"{inner}  <{bank}/>\n" for bank in value.banks]
            body.append(f"{inner}</active_pcr_banks>\n")
    if body:
        out.append(head + ">\n")
        out += body
        out.append(f"{indent}</backend>\n")
    else:
        out.append(head + "/>\n")
