"""
What only the test driver reads: how a domain is to be found when a file describes a whole host.

These elements have a namespace of their own and are never written back.
"""

from __future__ import annotations

from pyvirt.definitions.kinds import number, xmlError
from pyvirt.definitions.reader import Node, xmlText
from pyvirt.definitions.values import definition
from pyvirt.errors import ErrorDomain

__all__ = ["TEST_NAMESPACE", "TestState"]

TEST_NAMESPACE = "http://libvirt.org/schemas/domain/test/1.0"

_RUNNING, _SHUTOFF, _LAST = 1, 5, 8


@definition
class TestState:
    """
    How a domain of a file is found.

    @ivar runstate: its state, C{VIR_DOMAIN_*}; those that are described otherwise run.
    @ivar transient: whether it is gone when it stops.
    @ivar hasManagedSave: whether its memory was saved.
    @ivar snapshots: its snapshots, as elements; one with the attribute C{file} stands in that file.
    """

    runstate: int = _RUNNING
    transient: bool = False
    hasManagedSave: bool = False
    snapshots: tuple[Node, ...] = ()

    @classmethod
    def read(cls, node: Node) -> TestState | None:
        """
        Read what stands in a domain.

        @return: None if nothing does.
        """
        found: dict[str, list[Node]] = {}
        for child in node.iterchildren(f"{{{TEST_NAMESPACE}}}*"):
            found.setdefault(child.tag.rpartition("}")[2], []).append(child)
        if not found:
            return None
        runstate = _RUNNING
        text = xmlText(found["runstate"][0]) if "runstate" in found else ""
        if text:
            value = number(text)
            if value is None:
                raise _bad("invalid runstate")
            if value >= _LAST:
                raise _bad(f"runstate '{value}' out of range'")
            runstate = value
        state = cls(
            runstate=runstate,
            transient="transient" in found,
            hasManagedSave="hasmanagedsave" in found,
            snapshots=tuple(found.get("domainsnapshot", ())),
        )
        if state.transient and runstate == _SHUTOFF:
            raise _bad("transient domain cannot have runstate 'shutoff'")
        if state.hasManagedSave and runstate != _SHUTOFF:
            raise _bad("domain with managedsave data can only have runstate 'shutoff'")
        return state


def _bad(detail: str) -> Exception:
    return xmlError(detail, ErrorDomain.TEST)
