"""
What the QEMU driver says when it refuses.
"""

from __future__ import annotations

from pyvirt.drivers.refusals import Refusals
from pyvirt.drivers.refusals import notRunning as notActive
from pyvirt.errors import ErrorDomain, VirtError

__all__ = [
    "REFUSALS",
    "alreadyRunning",
    "checkFlags",
    "exclusiveFlags",
    "failed",
    "internal",
    "invalidArgument",
    "notActive",
    "operationInvalid",
    "operationUnsupported",
    "systemFailure",
    "unsupportedArgument",
    "unsupportedConfig",
]

REFUSALS = Refusals(ErrorDomain.QEMU)

checkFlags = REFUSALS.checkFlags
exclusiveFlags = REFUSALS.exclusiveFlags
failed = REFUSALS.failed
internal = REFUSALS.internal
invalidArgument = REFUSALS.invalidArgument
operationInvalid = REFUSALS.operationInvalid
operationUnsupported = REFUSALS.operationUnsupported
unsupportedArgument = REFUSALS.unsupportedArgument
unsupportedConfig = REFUSALS.unsupportedConfig


def alreadyRunning() -> VirtError:
    """Make the error of starting what runs."""
    return operationInvalid("domain is already running")


def systemFailure(problem: OSError, detail: str, domain: int = ErrorDomain.QEMU) -> VirtError:
    """Make the error of something that the system refused."""
    from pyvirt.process import systemError

    return systemError(problem, detail, domain)
