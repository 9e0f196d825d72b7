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

_refusals = Refusals(ErrorDomain.TEST)

checkFlags = _refusals.checkFlags
exclusiveFlags = _refusals.exclusiveFlags
failed = _refusals.failed
internal = _refusals.internal
invalidArgument = _refusals.invalidArgument
operationInvalid = _refusals.operationInvalid
operationUnsupported = _refusals.operationUnsupported
unsupportedArgument = _refusals.unsupportedArgument
unsupportedConfig = _refusals.unsupportedConfig


def signed(number: int) -> int:
    """See a 32-bit number as libvirt's texts print it: as a signed one."""
    return number - (1 << 32) if number >= 1 << 31 else number
