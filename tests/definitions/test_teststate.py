"""
What the test driver's own elements say of a domain in a file.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pyvirt.definitions.domain import TestState, formatDomain, parseDomain
from tests.definitions.vectors import document

NAMESPACE = "xmlns:t='http://libvirt.org/schemas/domain/test/1.0'"


def stateOf(inner: str) -> TestState | None:
    """Return what stands in a domain."""
    xml = document(inner).replace("<domain", f"<domain {NAMESPACE}")
    definition = parseDomain(xml)
    assert "http" not in formatDomain(definition)
    return definition.test


class StateTests(SynchronousTestCase):
    """The elements of the namespace, whatever its prefix is."""

    def test_absent(self) -> None:
        """
        Where nothing is said there is nothing.
        """
        self.assertIs(stateOf(""), None)
        self.assertIs(stateOf("<runstate>5</runstate>"), None)

    def test_said(self) -> None:
        """
        Of flags it counts that they are there; what is not said is that of a running domain.
        """
        self.assertEqual(stateOf("<t:transient>0</t:transient>"), TestState(transient=True))
        self.assertEqual(
            stateOf("<t:runstate>5</t:runstate><t:hasmanagedsave/>"),
            TestState(runstate=5, hasManagedSave=True),
        )
        self.assertEqual(stateOf("<t:runstate> 3</t:runstate>"), TestState(runstate=3))

    def test_snapshots(self) -> None:
        """
        Snapshots are kept as elements, in their order.
        """
        state = stateOf(
            "<t:domainsnapshot file='a.xml'/><t:domainsnapshot><name>b</name></t:domainsnapshot>"
        )
        assert state is not None
        self.assertEqual([each.get("file") for each in state.snapshots], ["a.xml", None])
        self.assertEqual(state.snapshots[1].findtext("name"), "b")
