"""
Why a guest does not get its leases, for the launcher and what it uses; the standard library alone.
"""

from __future__ import annotations

__all__ = ["Refused"]


class Refused(Exception):
    """
    An answer of a lock daemon, or what takes its place.

    @ivar error: code, domain and text.
    """

    def __init__(self, code: int, domain: int, text: str) -> None:
        super().__init__(text)
        self.error = {"code": code, "domain": domain, "text": text}
