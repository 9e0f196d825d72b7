"""
Speaking to QEMU in its own language.
"""

from __future__ import annotations

import json
import os
from typing import Any

from pyvirt import constants as c
from pyvirt.drivers.interfaces.values import DomainRef
from pyvirt.drivers.qemu.hypervisor import Hypervisor
from pyvirt.drivers.qemu.jsontexts import readJSON
from pyvirt.drivers.qemu.qmp import MonitorLost
from pyvirt.drivers.qemu.refusals import checkFlags, internal
from pyvirt.drivers.qemu.taints import taint

__all__ = ["HypervisorCommands"]

#: Seconds that a command of a user's may take.
DEADLINE = 120.0


class HypervisorCommands:
    """Passes commands of users on to QEMU."""

    def __init__(self, hypervisor: Hypervisor, connection: Any) -> None:
        self._hypervisor = hypervisor
        self._running = hypervisor.domains.running

    async def domainQemuMonitorCommand(self, dom: DomainRef, cmd: str, flags: int) -> str:
        """Say something to QEMU's monitor."""
        answer, _ = await self.domainQemuMonitorCommandWithFiles(dom, cmd, flags, [])
        return answer

    async def domainQemuMonitorCommandWithFiles(
        self, dom: DomainRef, cmd: str, flags: int, fds: list[int]
    ) -> tuple[str, list[int]]:
        """As L{domainQemuMonitorCommand}, with a descriptor."""
        checkFlags(
            "qemuDomainQemuMonitorCommandWithFiles",
            flags,
            c.VIR_DOMAIN_QEMU_MONITOR_COMMAND_HMP,
        )
        domain, _ = self._running(dom)
        if len(fds) > 1:
            raise internal("at most 1 FD can be passed to qemu along with a command")
        kept = [os.dup(fd) for fd in fds]
        try:
            async with domain.jobs.change("qemuDispatchDomainMonitorCommand"):
                guest = domain.checkActive()
                taint(self._hypervisor, domain, "custom-monitor")
                if flags & c.VIR_DOMAIN_QEMU_MONITOR_COMMAND_HMP:
                    said = await guest.execute(
                        "human-monitor-command",
                        {"command-line": cmd},
                        timeout=DEADLINE,
                        fds=kept,
                    )
                    return str(said), []
                if guest.monitor is None:
                    raise MonitorLost()
                message = readJSON(cmd)
                if not isinstance(message, dict):
                    return _NO_OBJECT, []
                if "id" in message:
                    # Ours it has to be, by which the answer is known.
                    raise internal("Unable to append command 'id' string")
                reply = await guest.monitor.pass_(message, timeout=DEADLINE, fds=kept)
                return json.dumps(reply, separators=(",", ":")), []
        finally:
            for fd in kept:
                os.close(fd)


_NO_OBJECT = '{"error":{"class":"GenericError","desc":"QMP input must be a JSON object"}}'
