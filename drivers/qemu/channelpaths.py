"""
Where sockets of channels lie of which nobody says that: in a folder of each run, so that it is never kept.
"""

from __future__ import annotations

import re
from typing import Any

from pyvirt.definitions.schema import replaced

__all__ = ["withoutDefaultPath"]

_DEFAULT = re.compile(r"/channel/target/([^/]+\.|domain-[^/]+/)[^/]+$")


def withoutDefaultPath(channel: Any) -> Any:
    """Leave out the place of a channel's socket that was made up for a run."""
    source = channel.source
    if source.type != "unix" or not _DEFAULT.search(source.path or ""):
        return channel
    return replaced(channel, source=replaced(source, path=None, mode=None))
