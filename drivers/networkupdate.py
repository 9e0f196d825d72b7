"""
Changing one part of a network's definition: which parts there are, and those that are names.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyvirt import constants as c
from pyvirt.definitions.network import (
    DNS,
    SRV,
    TXT,
    DNSHost,
    NetworkDefinition,
    formatNetwork,
    parseNetwork,
)
from pyvirt.definitions.schema import replaced
from pyvirt.drivers.networkparts import (
    ADD,
    DELETE,
    Update,
    placed,
    refused,
    unsupported,
    without,
)
from pyvirt.errors import ErrorCode, ErrorDomain, virtError

__all__ = ["updated"]

_DOMAIN = ErrorDomain.NETWORK

_FIXED = {
    c.VIR_NETWORK_SECTION_BRIDGE: "bridge",
    c.VIR_NETWORK_SECTION_DOMAIN: "domain",
    c.VIR_NETWORK_SECTION_IP: "ip",
    c.VIR_NETWORK_SECTION_FORWARD: "forward",
    c.VIR_NETWORK_SECTION_FORWARD_PF: "forward pf",
}


class _Update(Update):
    """One change, of names too."""

    def naming(self, **changes: Any) -> NetworkDefinition:
        """Return the network with another name server."""
        dns = replaced(self.definition.dns or DNS(), **changes)
        return replaced(self.definition, dns=None if dns == DNS() else dns)

    def record(
        self,
        tag: str,
        field: str,
        cls: Any,
        matches: Callable[[Any, Any], bool],
        exists: Callable[[Any], str],
        severalText: str,
    ) -> NetworkDefinition:
        """Change a record of the name server."""
        what = tag.upper()
        self.fixed(f"DNS {what} records")
        self.expect(tag)
        adding = self.command in ADD
        given = self.read(cls, ("dns", {}), partial=not adding)
        if not adding:
            self._checkPart(given)
        dns = self.definition.dns or DNS()
        items: tuple[Any, ...] = getattr(dns, field)
        known = [each for each in items if matches(each, given)]
        if adding:
            if known:
                raise refused(exists(given))
            return self.naming(**{field: placed(items, given, self.command)})
        if self.command != DELETE:
            raise self.unknown()
        if not known:
            raise refused(f"couldn't locate a matching DNS {what} record in network {self.name}")
        if len(known) > 1:
            raise refused(f"{severalText} in network {self.name}")
        return self.naming(**{field: without(items, known[0])})

    def _checkPart(self, given: Any) -> None:
        """Refuse what says nothing of which record is meant."""
        if isinstance(given, DNSHost) and given.ip is None and not given.hostnames:
            raise virtError(
                ErrorCode.XML_DETAIL,
                f"Missing ip and hostname in network '{self.name}' DNS HOST record",
                _DOMAIN,
            )
        if isinstance(given, TXT) and given.name is None:
            raise virtError(
                ErrorCode.XML_DETAIL,
                f"missing required name attribute in DNS TXT record of network {self.name}",
                _DOMAIN,
            )

    def dnsHost(self) -> NetworkDefinition:
        """Change the names of an address."""
        return self.record(
            "host",
            "hosts",
            DNSHost,
            lambda own, given: (
                own.ip == given.ip or bool(set(own.hostnames) & set(given.hostnames))
            ),
            lambda given: (
                "there is already at least one DNS HOST record with a matching field in network "
                f"{self.name}"
            ),
            "multiple matching DNS HOST records were found",
        )

    def dnsText(self) -> NetworkDefinition:
        """Change a text."""
        return self.record(
            "txt",
            "txts",
            TXT,
            lambda own, given: own.name == given.name,
            lambda given: (
                f"there is already a DNS TXT record with name '{given.name}' in network {self.name}"
            ),
            "multiple matching DNS TXT records were found",
        )

    def dnsService(self) -> NetworkDefinition:
        """Change where a service is."""
        fields = ("domain", "service", "protocol", "target", "port", "priority", "weight")
        return self.record(
            "srv",
            "srvs",
            SRV,
            lambda own, given: all(
                getattr(given, field) in (None, getattr(own, field)) for field in fields
            ),
            lambda given: (
                "there is already at least one DNS SRV record matching all specified fields in "
                f"network {self.name}"
            ),
            "multiple DNS SRV records matching all specified fields were found",
        )


_SECTIONS: dict[int, Callable[[_Update], NetworkDefinition]] = {
    c.VIR_NETWORK_SECTION_IP_DHCP_HOST: _Update.host,
    c.VIR_NETWORK_SECTION_IP_DHCP_RANGE: _Update.range,
    c.VIR_NETWORK_SECTION_FORWARD_INTERFACE: _Update.interface,
    c.VIR_NETWORK_SECTION_PORTGROUP: _Update.portgroup,
    c.VIR_NETWORK_SECTION_DNS_HOST: _Update.dnsHost,
    c.VIR_NETWORK_SECTION_DNS_TXT: _Update.dnsText,
    c.VIR_NETWORK_SECTION_DNS_SRV: _Update.dnsService,
}


def updated(
    definition: NetworkDefinition, command: int, section: int, index: int, xml: str
) -> NetworkDefinition:
    """
    Return a network with one part changed.

    @param command: C{VIR_NETWORK_UPDATE_COMMAND_*}.
    @param section: C{VIR_NETWORK_SECTION_*}.
    @param index: which of the elements that the part is in, -1: the first that will do.
    @param xml: the part.
    @raise VirtError: it is wrong, does not fit what is there, or the network would not be one any more.
    """
    update = _Update(definition, command, index, xml)
    if section in _FIXED:
        raise unsupported(f"can't update '{_FIXED[section]}' section of network '{update.name}'")
    change = _SECTIONS.get(section)
    if change is None:
        raise unsupported("can't update unrecognized section of network")
    return parseNetwork(formatNetwork(change(update)))
