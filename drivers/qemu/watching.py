"""
Clients that leave in the middle of what they have begun.
"""

from __future__ import annotations

from typing import Any

from twisted.logger import Logger

from pyvirt.drivers.qemu.hypervisor import Hypervisor

__all__ = ["ClientWatch"]

log = Logger()


class ClientWatch:
    """Gives up what nobody would bring to an end: migrations that a client leads."""

    def __init__(self, hypervisor: Hypervisor, connection: Any) -> None:
        self._hypervisor = hypervisor
        self._connection = connection

    def clientGone(self) -> None:
        """Let guests stay that were being sent for this client."""
        for leaver in list(self._hypervisor.leaving.values()):
            if leaver.connection is not self._connection or leaver.sent or leaver.job is None:
                continue
            if leaver.job.cancel is not None:
                leaver.job.aborted = True
                leaver.job.cancel().addErrback(
                    lambda failure: log.warn("{error}", error=failure.value)
                )
