"""
What the QEMU driver says when it refuses.
"""

from __future__ import annotations

from pyvirt.drivers.refusals import Refusals
from pyvirt.drivers.refusals import notRunning as notActive
from pyvirt.errors import ErrorDomain, VirtError

__all__ = [
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

_refusals = Refusals(ErrorDomain.QEMU)

checkFlags = _refusals.checkFlags
exclusiveFlags = _refusals.exclusiveFlags
failed = _refusals.failed
internal = _refusals.internal
invalidArgument = _refusals.invalidArgument
operationInvalid = _refusals.operationInvalid
operationUnsupported = _refusals.operationUnsupported
unsupportedArgument = _refusals.unsupportedArgument
unsupportedConfig = _refusals.unsupportedConfig


def alreadyRunning() -> VirtError:
    """Make the error of starting what runs."""
    return operationInvalid("domain is already running")


def systemFailure(problem: OSError, detail: str, domain: int = ErrorDomain.QEMU) -> VirtError:
    """Make the error of something that the system refused."""
    from pyvirt.process import systemError

    return systemError(problem, detail, domain)
