"""
Devices by which a guest tells that it is stuck or broken.
"""

from __future__ import annotations

from typing import ClassVar

from pyvirt.definitions.domain._address import Device
from pyvirt.definitions.kinds import choice, internal, unsupported
from pyvirt.definitions.schema import attribute
from pyvirt.definitions.values import definition

__all__ = ["Panic", "Watchdog"]


@definition
class Watchdog(Device):
    """A timer that acts when the guest no longer answers."""

    model: str | None = attribute(
        choice("i6300esb ib700 diag288", error=unsupported("unknown watchdog model '{text}'")),
        required=True,
        missing=lambda node: internal("watchdog must contain model name")("", node, ""),
    )
    action: str | None = attribute(
        choice(
            "reset shutdown poweroff pause dump none inject-nmi",
            error=unsupported("unknown watchdog action '{text}'"),
        ),
        default="reset",
    )


@definition
class Panic(Device):
    """A device by which the guest tells that it crashed."""

    xmlOmitEmpty: ClassVar[bool] = True

    model: str | None = attribute(
        choice(
            "default pseries isa hyperv s390",
            error=unsupported("unknown panic model '{text}'"),
            absent="default",
        )
    )
