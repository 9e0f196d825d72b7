"""
Damaged documents: whatever is sent, the answer is a definition or a L{VirtError}.
"""

from __future__ import annotations

import random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pyvirt.definitions import (
    backup,
    checkpoint,
    hostcpu,
    identify,
    interface,
    network,
    nodedev,
    nwfilter,
    secret,
    storage,
)
from pyvirt.definitions.domain import check, completed, formatDomain, parseDomain
from pyvirt.errors import VirtError
from tests.definitions.vectors import domainCases, otherCases

DOMAINS = [xml for xml, _ in domainCases()]
KINDS = ("network", "pool", "volume", "interface", "nodedev", "nwfilter", "secret", "backup")
OTHERS = [xml for kind in KINDS for xml, _ in otherCases(kind)]
WORDS = ["", "-1", "0", "x", "yes", "99999999999999999999", "'", "<", "/>", "&", "\0", "é", " "]


@st.composite
def damaged(draw: st.DrawFn, sources: list[str]) -> str:
    """A document of which something was cut out, doubled or replaced."""
    xml = draw(st.sampled_from(sources))
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(xml)))
        end = draw(st.integers(start, min(len(xml), start + 40)))
        kind = draw(st.integers(0, 2))
        middle = (
            draw(st.sampled_from(WORDS)) if kind == 0 else "" if kind == 1 else xml[start:end] * 2
        )
        xml = xml[:start] + middle + xml[end:]
    return xml


class MutationTests(SynchronousTestCase):
    """No damage brings the parser down."""

    @settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(damaged(DOMAINS))
    def test_domains(self, xml: str) -> None:
        """
        A damaged domain is read or refused.
        """
        identify(xml)
        try:
            definition = completed(parseDomain(xml), random=random.Random(1).randbytes)
            check(definition)
        except VirtError:
            return
        text = formatDomain(definition, inactive=True, secure=True)
        self.assertTrue(text.endswith("</domain>\n"))

    @settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(damaged(OTHERS))
    def test_others(self, xml: str) -> None:
        """
        A damaged document of another kind is read or refused, by the parser of any kind.
        """
        for parse in (
            network.parseNetwork,
            storage.parsePool,
            storage.parseVolume,
            interface.parseInterface,
            nodedev.parseNodeDevice,
            nwfilter.parseFilter,
            secret.parseSecret,
            backup.parseBackup,
            checkpoint.parseCheckpoint,
            hostcpu.parseCPU,
        ):
            try:
                parse(xml)
            except VirtError:
                pass
