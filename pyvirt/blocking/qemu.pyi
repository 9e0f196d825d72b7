# ruff: noqa
# Written by tools/stubs.py from the functions of pyvirt.client.qemu.
from collections.abc import Callable, Sequence
from typing import IO, Any, TypeVar

from pyvirt.constants import (
    VIR_CONNECT_DOMAIN_QEMU_MONITOR_EVENT_REGISTER_NOCASE as VIR_CONNECT_DOMAIN_QEMU_MONITOR_EVENT_REGISTER_NOCASE,
)
from pyvirt.constants import (
    VIR_CONNECT_DOMAIN_QEMU_MONITOR_EVENT_REGISTER_REGEX as VIR_CONNECT_DOMAIN_QEMU_MONITOR_EVENT_REGISTER_REGEX,
)
from pyvirt.constants import (
    VIR_DOMAIN_QEMU_AGENT_COMMAND_BLOCK as VIR_DOMAIN_QEMU_AGENT_COMMAND_BLOCK,
)
from pyvirt.constants import (
    VIR_DOMAIN_QEMU_AGENT_COMMAND_DEFAULT as VIR_DOMAIN_QEMU_AGENT_COMMAND_DEFAULT,
)
from pyvirt.constants import VIR_DOMAIN_QEMU_AGENT_COMMAND_MIN as VIR_DOMAIN_QEMU_AGENT_COMMAND_MIN
from pyvirt.constants import (
    VIR_DOMAIN_QEMU_AGENT_COMMAND_NOWAIT as VIR_DOMAIN_QEMU_AGENT_COMMAND_NOWAIT,
)
from pyvirt.constants import (
    VIR_DOMAIN_QEMU_AGENT_COMMAND_SHUTDOWN as VIR_DOMAIN_QEMU_AGENT_COMMAND_SHUTDOWN,
)
from pyvirt.constants import (
    VIR_DOMAIN_QEMU_MONITOR_COMMAND_DEFAULT as VIR_DOMAIN_QEMU_MONITOR_COMMAND_DEFAULT,
)
from pyvirt.constants import (
    VIR_DOMAIN_QEMU_MONITOR_COMMAND_HMP as VIR_DOMAIN_QEMU_MONITOR_COMMAND_HMP,
)
from pyvirt.blocking import Connect, Domain

_T = TypeVar("_T")

def qemuAgentCommand(domain: Domain, cmd: str, timeout: int, flags: int) -> str | None: ...
def qemuAttach(conn: Connect, pid_value: int, flags: int) -> Domain: ...
def qemuMonitorCommand(domain: Domain, cmd: str, flags: int) -> str: ...
def qemuMonitorCommandWithFiles(
    domain: Domain, cmd: str, files: Sequence[int] = ..., flags: int = ...
) -> tuple[str, list[IO[Any]]]: ...
def qemuMonitorEventDeregister(conn: Connect, callbackID: int) -> None: ...
def qemuMonitorEventRegister(
    conn: Connect,
    dom: Domain | None,
    event: str | None,
    cb: Callable[[Connect, Domain, str, int, int, str | None, _T], object],
    opaque: _T,
    flags: int = ...,
) -> int: ...
