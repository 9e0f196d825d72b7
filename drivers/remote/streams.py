"""
Streams over the wire.
"""

from __future__ import annotations

from pyvirt.protocols.streams import openStream

__all__ = ["openStream"]
