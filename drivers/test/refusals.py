"""
What the test driver says when it refuses.
"""

from __future__ import annotations

from pyvirt import constants as c
from pyvirt.drivers.refusals import Refusals, notRunning
from pyvirt.errors import ErrorDomain

__all__ = [
    "IMPACT",
    "READING",
    "REFUSALS",
    "checkFlags",
    "exclusiveFlags",
    "failed",
    "internal",
    "invalidArgument",
    "notRunning",
    "operationInvalid",
    "operationUnsupported",
    "signed",
    "unsupportedArgument",
    "unsupportedConfig",
]

#: The flags by which a change or a query picks the running domain or its definition.
IMPACT = c.VIR_DOMAIN_AFFECT_LIVE | c.VIR_DOMAIN_AFFECT_CONFIG
#: Those flags, and the one by which callers say that they know of parameters that are strings.
READING = IMPACT | c.VIR_TYPED_PARAM_STRING_OKAY

REFUSALS = Refusals(ErrorDomain.TEST)

checkFlags = REFUSALS.checkFlags
exclusiveFlags = REFUSALS.exclusiveFlags
failed = REFUSALS.failed
internal = REFUSALS.internal
invalidArgument = REFUSALS.invalidArgument
operationInvalid = REFUSALS.operationInvalid
operationUnsupported = REFUSALS.operationUnsupported
unsupportedArgument = REFUSALS.unsupportedArgument
unsupportedConfig = REFUSALS.unsupportedConfig


def signed(number: int) -> int:
    """See a 32-bit number as libvirt's texts print it: as a signed one."""
    return number - (1 << 32) if number >= 1 << 31 else number
