"""
Asking the user for credentials on behalf of a transport, in the form of libvirt's credential callbacks.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

from pyvirt import constants as c

__all__ = ["Asker"]


class Asker:
    """Somebody to ask, or nobody."""

    def __init__(self, auth: Sequence[Any] | None) -> None:
        """
        @param auth: C{[types, callback, opaque]}, None: there is nobody.
        """
        self._auth = auth

    async def ask(self, kinds: Sequence[int], prompt: str, challenge: str) -> str | None:
        """
        Ask for one thing.

        @param kinds: C{VIR_CRED_*}, the best first.
        @return: None: nobody can be asked, or nobody answered.
        """
        if not self._auth or len(self._auth) < 2 or not callable(self._auth[1]):
            return None
        types, callback = self._auth[0] or (), self._auth[1]
        kind = next((each for each in kinds if each in types), None)
        if kind is None:
            return None
        credential = [kind, prompt, challenge, None, None]
        answer = callback([credential], self._auth[2] if len(self._auth) > 2 else None)
        if inspect.isawaitable(answer):
            answer = await answer
        if (isinstance(answer, int) and answer < 0) or credential[4] is None:
            return None
        return str(credential[4])

    async def secret(self, prompt: str, challenge: str) -> str | None:
        """Ask for a password or passphrase."""
        return await self.ask((c.VIR_CRED_PASSPHRASE, c.VIR_CRED_NOECHOPROMPT), prompt, challenge)

    async def confirm(self, prompt: str, challenge: str) -> bool:
        """Ask whether to go on; no answer is a no."""
        answer = await self.ask((c.VIR_CRED_ECHOPROMPT,), prompt, challenge)
        return answer is not None and answer.strip().lower() in ("y", "yes")
