"""
Text to tree: the one place where XML that somebody sent is parsed.

No entity is expanded, nothing is fetched, no DTD is loaded, and size and depth are bounded before a value is
built.  A document that is not well formed is refused in libvirt's own form: the place, the line at fault and
a caret below it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from lxml import etree

from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = [
    "DOCUMENTS",
    "Document",
    "Node",
    "localName",
    "parseDocument",
    "parseTree",
    "parseWhole",
    "xmlText",
]

#: An element of a parsed tree.
Node = Any

#: The longest document taken, in characters: that of a string on the wire.
MAX_LENGTH = 4 * 1024 * 1024
#: The deepest nesting taken.
MAX_DEPTH = 128


class Document(NamedTuple):
    """
    A kind of document.

    @ivar root: the name of its root element.
    @ivar label: how errors call a document that is not well formed.
    @ivar domain: the part of libvirt that reports such errors.
    @ivar schema: the file that says what is valid.
    """

    root: str
    label: str
    domain: int
    schema: str


#: Every kind of document that is asked for by name.
DOCUMENTS: dict[str, Document] = {
    "domain": Document("domain", "(domain_definition)", ErrorDomain.DOMAIN, "domain.rng"),
    "snapshot": Document(
        "domainsnapshot", "(domain_snapshot)", ErrorDomain.DOMAIN_SNAPSHOT, "domainsnapshot.rng"
    ),
    "checkpoint": Document(
        "domaincheckpoint",
        "(domain_checkpoint)",
        ErrorDomain.DOMAIN_CHECKPOINT,
        "domaincheckpoint.rng",
    ),
    "backup": Document("domainbackup", "(domain_backup)", ErrorDomain.DOMAIN, "domainbackup.rng"),
    "network": Document("network", "(network_definition)", ErrorDomain.NETWORK, "network.rng"),
    "networkport": Document(
        "networkport", "(networkport_definition)", ErrorDomain.NETWORK, "networkport.rng"
    ),
    "interface": Document(
        "interface", "(interface_definition)", ErrorDomain.INTERFACE, "interface.rng"
    ),
    "pool": Document("pool", "(storage_pool_definition)", ErrorDomain.STORAGE, "storagepool.rng"),
    "volume": Document(
        "volume", "(storage_volume_definition)", ErrorDomain.STORAGE, "storagevol.rng"
    ),
    "nodedev": Document("device", "(node_device_definition)", ErrorDomain.NODEDEV, "nodedev.rng"),
    "secret": Document("secret", "(definition_of_secret)", ErrorDomain.SECRET, "secret.rng"),
    "nwfilter": Document("filter", "(nwfilter_definition)", ErrorDomain.NWFILTER, "nwfilter.rng"),
    "nwfilterbinding": Document(
        "filterbinding", "(nwfilterbinding_definition)", ErrorDomain.NWFILTER, "nwfilterbinding.rng"
    ),
    "capabilities": Document(
        "capabilities", "(capabilities)", ErrorDomain.CAPABILITIES, "capability.rng"
    ),
    "domaincaps": Document(
        "domainCapabilities", "(domain_capabilities)", ErrorDomain.CAPABILITIES, "domaincaps.rng"
    ),
    "poolcaps": Document(
        "storagepoolCapabilities",
        "(storage_pool_capabilities)",
        ErrorDomain.CAPABILITIES,
        "storagepoolcaps.rng",
    ),
    "cpu": Document("cpu", "(CPU_definition)", ErrorDomain.CPU, "cpu.rng"),
}


def _parser(blanks: bool = False, recover: bool = False) -> etree.XMLParser:
    """Make a parser; its log then holds the errors of one document alone."""
    return etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        huge_tree=False,
        remove_blank_text=not blanks,
        remove_comments=False,
        strip_cdata=False,
        recover=recover,
    )


_sound = _parser()
_whole = _parser(True)


def parseDocument(kind: str, xml: str) -> Node:
    """
    Parse a document of a kind in L{DOCUMENTS}.

    @return: the root element.
    @raise VirtError: as L{parseTree} does.
    """
    found = DOCUMENTS[kind]
    return parseTree(xml, found.root, label=found.label, domain=found.domain)


def parseWhole(xml: str) -> Node:
    """Parse what L{parseTree} has taken once more, with blanks between elements; return its root."""
    return _parse(xml.encode("utf-8", "surrogateescape"), _whole, blanks=True)


def _parse(data: bytes, parser: etree.XMLParser, *, blanks: bool = False) -> Node:
    """
    Parse bytes.

    @raise etree.XMLSyntaxError: they are not well formed; prefixes without a namespace are, to libvirt.
    """
    try:
        return etree.fromstring(data, parser)
    except etree.XMLSyntaxError:
        log = [entry for entry in parser.error_log if entry.level >= etree.ErrorLevels.ERROR]
        if not log or any(entry.domain != etree.ErrorDomains.NAMESPACE for entry in log):
            raise
    return etree.fromstring(data, _parser(blanks, recover=True))


def parseTree(
    xml: str,
    root: str | None,
    *,
    label: str,
    domain: int,
    mismatch: int = ErrorCode.XML_ERROR,
) -> Node:
    """
    Parse a document and check the name of its root.

    @param root: the name that the root element must have, or None for any.
    @param label: how errors call the document, such as C{"(domain_definition)"}.
    @param domain: the part of libvirt that reports errors of well-formedness.
    @return: the root element.
    @raise VirtError: XML_DETAIL where the text is not well formed, XML_ERROR where its root is another.
    """
    if len(xml) > MAX_LENGTH:
        raise virtError(ErrorCode.XML_DETAIL, f"{label}: document is too large", domain)
    if "<!ENTITY" in xml:
        raise virtError(
            ErrorCode.XML_DETAIL, f"{label}: declarations of entities are not taken", domain
        )
    data = xml.encode("utf-8", "surrogateescape")
    try:
        # A declared encoding would contradict that this is text already.
        node = _parse(data, _sound)
    except etree.XMLSyntaxError:
        raise _syntaxError(data, label, domain) from None
    if node is None:
        raise _syntaxError(data, label, domain)
    if root is not None and node.tag != root and localName(node) != root:
        raise virtError(
            ErrorCode.XML_ERROR,
            f"expecting root element of '{root}', not '{localName(node)}'",
            ErrorDomain.XML,
        )
    return node


def localName(node: Node) -> str:
    """Return an element's name whatever its namespace, as libvirt looks at roots of documents."""
    name: str = node.tag.rpartition("}")[2]
    return name


def _syntaxError(data: bytes, label: str, domain: int) -> VirtError:
    """Describe the first thing wrong with a document, with its line and a caret."""
    parser = _parser()
    try:
        etree.fromstring(data, parser)
    except etree.XMLSyntaxError as failure:
        entries = [
            entry
            for entry in parser.error_log
            if entry.level >= etree.ErrorLevels.ERROR
            and entry.domain != etree.ErrorDomains.NAMESPACE
        ]
        if entries:
            line, column, text = entries[0].line, entries[0].column, entries[0].message.strip()
        else:
            line, column, text = 1, 1, (failure.msg or "Document is empty").split(", line")[0]
    else:
        line, column, text = 1, 1, "Document is empty"
    if text == "Invalid bytes in character encoding":
        text = _improper(data)
    lines = data.decode("utf-8", "surrogateescape").splitlines()
    shown = lines[line - 1] if 0 < line <= len(lines) else ""
    # The pointer's line keeps tabs, so that it points at what stands above; it counts bytes.
    before = shown[: max(0, column - 1)].encode("utf-8", "surrogateescape")
    pointer = "".join("\t" if each == 9 else "-" for each in before)
    if not shown:
        shown = "(null)"
    return virtError(ErrorCode.XML_DETAIL, f"{label}:{line}: {text}\n{shown}\n{pointer}^", domain)


def _improper(data: bytes) -> str:
    """Say what libxml2 said in the times of libvirt 9.0.0 of bytes that are no UTF-8: which, if there are four."""
    text = "Input is not proper UTF-8, indicate encoding !"
    try:
        data.decode()
    except UnicodeDecodeError as failure:
        found = data[failure.start : failure.start + 4]
        if len(found) == 4:
            text += "\nBytes: " + " ".join(f"0x{byte:02X}" for byte in found)
    return text


def xmlText(node: Node) -> str:
    """Return all the text below an element, as XPath's C{string()} does."""
    if len(node):
        return str(node.xpath("string(.)"))
    return node.text or ""
