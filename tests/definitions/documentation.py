"""
The examples of libvirt's own documentation, made whole: taken from where it is installed, never copied.

Pages of the documentation show pieces of documents in preformatted blocks.  A piece is put into what it
belongs to: devices into a domain, a forwarder into the DNS of a network.  Dots that stand for more are left
out, and an example that is no XML at all is not one.
"""

from __future__ import annotations

import copy
import pathlib
import re
from collections.abc import Iterator
from typing import NamedTuple

from lxml import etree, html

from tests.definitions.grammar import SCHEMAS

FOLDER = pathlib.Path("/usr/share/doc/libvirt-doc/html")

_NS = "{http://relaxng.org/ns/structure/1.0}"


class Example(NamedTuple):
    """
    An example.

    @ivar kind: what it describes: C{domain}, C{network}, ...
    @ivar whole: whether the page shows the whole document.
    """

    page: str
    number: int
    kind: str
    xml: str
    whole: bool


#: Root elements and what they describe.
ROOTS = {
    "domain": "domain",
    "network": "network",
    "networkport": "networkport",
    "pool": "pool",
    "volume": "volume",
    "interface": "interface",
    "secret": "secret",
    "filter": "nwfilter",
    "device": "nodedev",
    "domainsnapshot": "snapshot",
    "domaincheckpoint": "checkpoint",
    "domainbackup": "backup",
    "capabilities": "capabilities",
    "domainCapabilities": "domaincaps",
    "storagepoolCapabilities": "poolcaps",
    "cpu": "cpu",
}

#: Documents that pieces of a page are put into.
_SHELLS = {
    "formatdomain": "<domain type='test'><name>a</name><memory>8388608</memory><os><type>hvm</type>"
    "</os><devices/></domain>",
    "formatnetwork": "<network><name>a</name></network>",
    "formatnetworkport": "<networkport><uuid>5d744f21-ba4a-4d6e-bdb2-30a35ff3207d</uuid><owner>"
    "<name>a</name><uuid>06578fc1-c686-46fa-bc2c-83893b466a6e</uuid></owner>"
    "<mac address='52:54:00:7b:35:93'/></networkport>",
    "formatstorage": "<pool type='dir'><name>a</name><source/><target><path>/a</path></target></pool>",
    "formatstorageencryption": "<volume><name>a</name><capacity>1</capacity><target/></volume>",
    "formatsecret": "<secret ephemeral='no' private='no'/>",
    "formatnwfilter": "<filter name='a'/>",
    "formatnode": "<device><name>a</name></device>",
    "formatsnapshot": "<domainsnapshot/>",
    "formatcheckpoint": "<domaincheckpoint/>",
    "formatbackup": "<domainbackup/>",
    "formatdomaincaps": "<domainCapabilities/>",
    "formatcaps": "<capabilities/>",
}

#: Where elements stand that do not stand at the top: page, then name of the element.
_PLACES = {
    "formatnetwork": {"forwarder": "dns", "txt": "dns", "srv": "dns", "dhcp": "ip"},
    "formatstorage": {
        "device": "source",
        "adapter": "source",
        "host": "source",
        "path": "target",
        "format": "source",
        "auth": "source",
        "protocol": "source",
        "features": "source",
        "initiator": "source",
    },
    "formatstorageencryption": {"encryption": "target"},
    "formatnwfilter": dict.fromkeys(
        [
            "mac",
            "vlan",
            "stp",
            "arp",
            "rarp",
            "ip",
            "ipv6",
            "tcp",
            "udp",
            "sctp",
            "icmp",
            "igmp",
            "esp",
            "ah",
            "udplite",
            "all",
            "icmpv6",
            "tcp-ipv6",
        ],
        "rule",
    ),
}


def _deviceNames() -> frozenset[str]:
    """Return the names of all elements that stand among the devices of a domain."""
    found: set[str] = set()
    for file in ("domaincommon.rng", "networkcommon.rng", "storagecommon.rng"):
        root = etree.parse(str(SCHEMAS / file)).getroot()
        for node in root.iter(f"{_NS}element"):
            if node.get("name") == "devices":
                names = {each.get("name") for each in node.iter(f"{_NS}ref")}
                for define in root.iter(f"{_NS}define"):
                    if define.get("name") in names:
                        found |= {
                            each.get("name")
                            for each in define
                            if each.tag == f"{_NS}element" and each.get("name")
                        }
    return frozenset(found | _MORE_DEVICES)


_MORE_DEVICES = frozenset(
    [
        "disk",
        "interface",
        "graphics",
        "sound",
        "video",
        "channel",
        "console",
        "parallel",
        "serial",
        "hostdev",
        "redirdev",
        "redirfilter",
        "smartcard",
        "input",
        "filesystem",
        "watchdog",
        "memballoon",
        "rng",
        "tpm",
        "panic",
        "shmem",
        "memory",
        "iommu",
        "vsock",
        "nvram",
        "hub",
        "lease",
        "controller",
        "emulator",
        "audio",
        "crypto",
    ]
)


def _blocks(page: pathlib.Path) -> Iterator[str]:
    """Give the preformatted blocks of a page that look like XML."""
    for node in html.parse(str(page)).iter("pre"):
        text = node.text_content().strip()
        # Before some stand dots, or a command that shows the file.
        text = re.sub(r"^(\[?(\.\.\.|…)\]?|# cat .*\n)\s*", "", text)
        if text.startswith("<"):
            yield text


def _pieces(text: str) -> list[etree._Element]:
    """Return the elements that a block shows, without dots and comments around them."""
    text = re.sub(r"<\?xml[^>]*\?>", "", text)
    parser = etree.XMLParser(recover=True, resolve_entities=False, remove_comments=True)
    root = etree.fromstring(f"<block>{text}</block>".encode(), parser)
    for node in root.iter():
        if node.text and re.fullmatch(r"[\s.…\[\]]*", node.text):
            node.text = None
        if node.tail and re.fullmatch(r"[\s.…\[\]]*", node.tail):
            node.tail = None
    for node in root:
        node.tail = None
    return [node for node in root if isinstance(node.tag, str)]


def _completed(root: etree._Element) -> None:
    """Add to a domain what every domain must have."""
    if root.tag != "domain":
        return
    if root.get("type") is None:
        root.set("type", "test")
    for tag, text in (("name", "a"), ("memory", "8388608")):
        if root.find(tag) is None and not (tag == "memory" and root.find("cpu/numa") is not None):
            made = etree.Element(tag)
            made.text = text
            root.insert(0, made)
    if root.find("os") is None:
        root.append(etree.fromstring("<os><type>hvm</type></os>"))
    elif root.find("os/type") is None:
        root.find("os").insert(0, etree.fromstring("<type>hvm</type>"))


def examples() -> Iterator[Example]:
    """Give every example of the installed documentation, made whole."""
    devices = _deviceNames()
    for page in sorted(FOLDER.glob("format*.html")):
        name = page.stem
        for number, block in enumerate(_blocks(page)):
            pieces = _pieces(block)
            if (
                len(pieces) == 1
                and pieces[0].tag in ROOTS
                and not (name == "formatdomain" and pieces[0].tag in ("interface", "cpu"))
            ):
                _completed(pieces[0])
                kind = ROOTS[str(pieces[0].tag)]
                yield Example(name, number, kind, _text(pieces[0]), True)
            elif name in _SHELLS:
                root = etree.fromstring(_SHELLS[name])
                for piece in pieces:
                    _put(root, piece, name, devices)
                _completed(root)
                yield Example(name, number, ROOTS[str(root.tag)], _text(root), False)


def _put(root: etree._Element, piece: etree._Element, page: str, devices: frozenset[str]) -> None:
    """Put a piece where it belongs."""
    if piece.tag == root.tag:
        # Several whole documents, or the outside of one: what is inside is what is shown.
        for name, value in piece.attrib.items():
            root.set(name, value)
        for child in list(piece):
            _put(root, child, page, devices)
        return
    where = "devices" if page == "formatdomain" and piece.tag in devices else None
    where = _PLACES.get(page, {}).get(str(piece.tag), where)
    # In a domain some names are both of a device and of something else.
    if page == "formatdomain" and piece.tag in ("memory", "cpu") and piece.get("model") is None:
        where = None
    target = root
    if where is not None:
        found = root.find(where)
        target = etree.SubElement(root, where) if found is None else found
        if where == "rule":
            target.set("action", "accept")
            target.set("direction", "in")
    elif piece.tag not in ("metadata",):
        for same in root.findall(str(piece.tag)):
            if page == "formatdomain" or piece.tag in ("name", "source", "target"):
                root.remove(same)
    target.append(copy.deepcopy(piece))


def _text(root: etree._Element) -> str:
    return etree.tostring(root, encoding="unicode")


def parsed(xml: str) -> etree._Element:
    """Return the root element of a document."""
    return etree.fromstring(xml)


def forTest(xml: str) -> str:
    """Return a domain as one that the test driver can run, whatever it was an example of."""
    root = etree.fromstring(xml)
    root.set("type", "test")
    kind = root.find("os/type")
    if kind is not None:
        kind.attrib.pop("arch", None)
        kind.attrib.pop("machine", None)
        kind.text = "hvm"
    return _text(root)
