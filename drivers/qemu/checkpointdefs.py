"""
Checkpoints as they are kept.
"""

from __future__ import annotations

import attrs

from pyvirt.definitions.checkpoint import (
    CheckpointDefinition,
    formatCheckpoint,
    parseCheckpoint,
)
from pyvirt.definitions.schema import replaced
from pyvirt.drivers.moments import Moment

__all__ = ["Checkpoint", "formatStored", "parseStored"]


@attrs.define
class Checkpoint(Moment):
    """
    A checkpoint.

    @ivar definition: all of it but its place among others, which changes.
    """

    definition: CheckpointDefinition

    def whole(self) -> CheckpointDefinition:
        """Return the definition with its place."""
        return replaced(self.definition, name=self.name, parent=self.parent)


def formatStored(checkpoint: Checkpoint) -> str:
    """Write a checkpoint for the driver's own file."""
    return formatCheckpoint(checkpoint.whole(), secure=True)


def parseStored(text: str) -> Checkpoint:
    """
    Read what L{formatStored} wrote.

    @raise VirtError: it makes no sense.
    """
    found = parseCheckpoint(text, redefine=True)
    return Checkpoint(found.name, found.parent, found.creationTime, found)
