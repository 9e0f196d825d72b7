"""
What tables of many small classes keep of their annotations.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ForwardRef

__all__ = ["keepAsText"]


def keepAsText(namespace: Mapping[str, Any]) -> None:
    """
    Keep the annotations of a module's named tuples as the text they are written in.

    Each is a compiled L{ForwardRef} otherwise, which in modules of hundreds of fields takes more memory than all else
    of them; C{typing.get_type_hints} reads text as well.

    @param namespace: the module's C{globals()}, at its end.
    """
    for kind in list(namespace.values()):
        if (
            isinstance(kind, type)
            and issubclass(kind, tuple)
            and hasattr(kind, "_fields")
            and kind.__module__ == namespace["__name__"]
        ):
            texts = {
                name: each.__forward_arg__ if isinstance(each, ForwardRef) else each
                for name, each in kind.__annotations__.items()
            }
            kind.__annotations__ = texts
            kind.__new__.__annotations__ = texts
