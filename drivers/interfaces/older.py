"""
The words of older calls.

Some procedures are older forms of newer ones, and a driver has one method for both.  Where libvirt's driver of the
same kind complains in other words when it is asked the older way, and the difference should be kept, the
connection provides L{IOlderCalls}.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from zope.interface import Interface

from pyvirt.errors import VirtError


class IOlderCalls(Interface):
    """Says what the newer method complained of as the older function would."""

    def reword(procedure: str, arguments: Sequence[Any], error: VirtError) -> VirtError:
        """
        Reword an error.

        @param procedure: the older one's name; C{arguments}: as it was called.
        @param error: what the newer method failed with.
        @return: what to answer; often the same error.
        """

    def adapted(procedure: str, arguments: Sequence[Any]) -> Sequence[Any]:
        """
        Say with which arguments the newer method is called.

        @param procedure: the older one's name; C{arguments}: those of the newer method, as they would be for any
            driver.
        @return: often the same.
        """

    def count(procedure: str, error: VirtError) -> int | None:
        """
        Say how many parameters there are, to a caller who asked for nothing else.

        @param error: what was answered when they were to be read.
        @return: the number that the caller is told instead, None: the error stands.
        """
