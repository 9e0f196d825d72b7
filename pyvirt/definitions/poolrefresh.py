"""
How the volumes of a storage pool are looked at when it is refreshed.
"""

from __future__ import annotations

from typing import ClassVar

from pyvirt.definitions.kinds import choice, custom
from pyvirt.definitions.schema import attribute, element
from pyvirt.definitions.values import definition
from pyvirt.errors import ErrorCode, ErrorDomain

__all__ = ["Refresh"]


@definition
class RefreshVolume:
    """How the volumes of a pool are looked at."""

    xmlOmitEmpty: ClassVar[bool] = True

    allocation: str | None = attribute(
        choice(
            "default capacity",
            empty=True,
            error=custom(
                "unknown storage pool volume refresh allocation type {text}",
                ErrorCode.CONFIG_UNSUPPORTED,
                ErrorDomain.STORAGE,
            ),
        )
    )


@definition
class Refresh:
    """How a pool is looked at."""

    xmlOmitEmpty: ClassVar[bool] = True

    volume: RefreshVolume | None = element(RefreshVolume)
