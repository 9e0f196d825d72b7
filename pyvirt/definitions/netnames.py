"""
The name server of a network.
"""

from __future__ import annotations

import re
from typing import ClassVar

from pyvirt.definitions.kinds import (
    BOOLEAN,
    Kind,
    escape,
    number,
)
from pyvirt.definitions.netbits import (
    canonical,
    familyOf,
)
from pyvirt.definitions.neterrors import bad, detail, nameOf
from pyvirt.definitions.reader import Node, xmlText
from pyvirt.definitions.schema import (
    Context,
    attribute,
    elements,
    replaced,
    special,
)
from pyvirt.definitions.values import definition

__all__ = [
    "DNS",
    "SRV",
    "TXT",
    "DNSDomain",
    "DNSHost",
    "Forwarder",
    "checkWord",
    "srvNumber",
]


@definition
class DNSDomain:
    """The domain of the names of guests."""

    xmlOmitEmpty: ClassVar[bool] = True

    name: str | None = attribute()
    localOnly: bool | None = attribute(BOOLEAN)

    def settle(self, node: Node, context: Context) -> DNSDomain | None:
        """A domain without a name is none."""
        return self if self.name is not None else None


@definition
class Forwarder:
    """A server that questions are passed on to."""

    xmlOrder: ClassVar[str] = "domain addr"

    addr: str | None = attribute()
    domain: str | None = attribute()

    def settle(self, node: Node, context: Context) -> Forwarder:
        """One of the two is there."""
        if self.addr is None and self.domain is None:
            raise bad("Invalid forwarder element, must contain at least one of addr or domain")
        if self.addr is not None and familyOf(self.addr) is None:
            raise bad(f"Invalid forwarder IP address '{self.addr}' in network '{nameOf(node)}'")
        return self if self.addr is None else replaced(self, addr=canonical(self.addr))


@definition
class TXT:
    """A text record."""

    name: str | None = attribute()
    value: str | None = attribute()

    def settle(self, node: Node, context: Context) -> TXT:
        """A record has a name without blanks, and a value."""
        where = nameOf(node)
        if self.name is None:
            raise detail(f"missing required name attribute in DNS TXT record of network {where}")
        if " " in self.name or "," in self.name:
            raise detail(
                f"prohibited character in DNS TXT record name '{self.name}' of network {where}"
            )
        if self.value is None:
            raise detail(
                f"missing required value attribute in DNS TXT record named '{self.name}' of "
                f"network {where}"
            )
        return self


def srvNumber(word: str) -> Kind:
    def read(text: str, node: Node, name: str) -> int | None:
        value = number(text)
        place = f"for service '{node.get('service', '(null)')}' in network '{nameOf(node)}'"
        if value is not None and node.get("target") is None:
            raise detail(f"DNS SRV {name} attribute not permitted without target {place}")
        if value is None or value > 65535 or (value == 0 and name == "port"):
            raise detail(f"{word} DNS SRV {name} attribute {place}")
        return value or None

    return Kind(read)


_SRV_WORD = re.compile("[A-Za-z0-9_+/*-]*")


def checkWord(name: str, node: Node, where: str) -> None:
    """
    Complain of a word that says no service or protocol.

    @param name: the attribute.
    """
    word = node.get(name) or ""
    if not _SRV_WORD.fullmatch(word):
        raise detail(
            f"invalid character in {name} attribute '{word}' in DNS SRV record of network '{where}'"
        )


@definition
class SRV:
    """A record of a service."""

    @classmethod
    def prepare(cls, node: Node, context: Context) -> None:
        """A service has a name and a protocol."""
        where = nameOf(node)
        if node.get("service") is None:
            raise detail(
                f"missing required service attribute in DNS SRV record of network '{where}'"
            )
        checkWord("service", node, where)
        if node.get("protocol") is None:
            raise detail(
                f"missing required protocol attribute in DNS SRV record '{node.get('service')}' of "
                f"network '{where}'"
            )
        checkWord("protocol", node, where)

    service: str | None = attribute()
    protocol: str | None = attribute()
    domain: str | None = attribute()
    target: str | None = attribute()
    port: int | None = attribute(srvNumber("invalid"))
    priority: int | None = attribute(srvNumber("Invalid"))
    weight: int | None = attribute(srvNumber("invalid"))


def _hostnames(node: Node, kids: dict[str, list[Node]], context: Context) -> tuple[str, ...]:
    names = tuple(xmlText(child) for child in kids.get("hostname", ()))
    return names


@definition
class DNSHost:
    """Names of an address."""

    ip: str | None = attribute()
    hostnames: tuple[str, ...] = special(
        tags="hostname",
        read=_hostnames,
        write=lambda value, out, indent, context: out.extend(
            f"{indent}<hostname>{escape(name)}</hostname>\n" for name in value
        ),
        default=(),
    )

    def settle(self, node: Node, context: Context) -> DNSHost:
        """An address and a name are there."""
        where = nameOf(node)
        if self.ip is None:
            raise detail(f"Missing IP address in network '{where}' DNS HOST record")
        if familyOf(self.ip) is None:
            raise detail(f"Invalid IP address in network '{where}' DNS HOST record")
        if not self.hostnames or not all(self.hostnames):
            raise detail(f"Missing hostname in network '{where}' DNS HOST record")
        return replaced(self, ip=canonical(self.ip))


@definition
class DNS:
    """The name server of the network."""

    xmlOmitEmpty: ClassVar[bool] = True
    xmlReadOrder: ClassVar[str] = "enable forwardPlainNames forwarders hosts srvs txts"

    enable: bool | None = attribute(BOOLEAN)
    forwardPlainNames: bool | None = attribute(BOOLEAN)
    forwarders: tuple[Forwarder, ...] = elements(Forwarder, "forwarder")
    txts: tuple[TXT, ...] = elements(TXT, "txt")
    srvs: tuple[SRV, ...] = elements(SRV, "srv")
    hosts: tuple[DNSHost, ...] = elements(DNSHost, "host")

    def settle(self, node: Node, context: Context) -> DNS:
        """A server that is off has nothing to serve."""
        if self.enable is False and (self.forwarders or self.txts or self.srvs or self.hosts):
            raise bad(f"Extra data in disabled network '{nameOf(node)}'")
        return self
