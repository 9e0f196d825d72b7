"""
Definitions as text, kept for those who ask again: L{Texts}.

A definition never changes: what is changed is another one.  So the text of one holds as long as there is it.
"""

from __future__ import annotations

from collections import OrderedDict

from pyvirt.definitions.domain import DomainDefinition, formatDomain

__all__ = ["Texts"]

#: How many are kept, those asked for last; a text has some thousand bytes.
KEPT = 256

_Key = tuple[int, int | None, bool, bool]

# Which C{id} the parameter of that name hides.
_identity = id


class Texts:
    """The texts of definitions that were asked for last."""

    def __init__(self, kept: int = KEPT) -> None:
        """
        @param kept: how many are kept.
        """
        self._kept = kept
        self._texts: OrderedDict[_Key, tuple[DomainDefinition, str]] = OrderedDict()

    def of(
        self,
        definition: DomainDefinition,
        *,
        id: int | None = None,
        secure: bool = False,
        inactive: bool = False,
        numbered: bool = False,
    ) -> str:
        """Write a definition as C{formatDomain} does; what has secrets in it is not kept."""
        if secure:
            return formatDomain(
                definition, id=id, secure=True, inactive=inactive, numbered=numbered
            )
        key = (_identity(definition), id, inactive, numbered)
        found = self._texts.get(key)
        # The definition is kept with its text, so that no other one can have its identity meanwhile.
        if found is not None:
            self._texts.move_to_end(key)
            return found[1]
        text = formatDomain(definition, id=id, inactive=inactive, numbered=numbered)
        self._texts[key] = definition, text
        if len(self._texts) > self._kept:
            self._texts.popitem(last=False)
        return text
