"""
Where the log goes when the daemon starts: as the command line says, else the configuration, else twistd.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.logger import ILogObserver
from twisted.scripts._twistd_unix import UnixAppLogger

from pyvirt.daemon.config import Config, ConfigError
from pyvirt.daemon.logsetup import WARNING, Log
from pyvirt.errors import VirtError
from pyvirt.folders import under

__all__ = ["applyLog", "configuredLog", "isConfigured"]


def isConfigured(config: Config) -> bool:
    """Whether the configuration says anything about the log."""
    return not (config.logLevel is None and not config.logFilters and not config.logOutputs)


def applyLog(log: Log, config: Config, *, reopen: bool = False) -> None:
    """
    Let the log be as a configuration says.

    @param reopen: also open those files anew that are open already.
    @raise VirtError: an output cannot be opened.
    """
    log.setOutputs(config.logOutputs, reopen=reopen)
    log.setPriority(config.logLevel or WARNING)
    log.setFilters(config.logFilters)


def configuredLog(
    config: Config, root: str, parent: Any, clock: Callable[[], float]
) -> tuple[Log, ILogObserver | None]:
    """
    Make the log.

    @param root: the folder that stands for C{/}.
    @param parent: twistd's options, None: there are none.
    @param clock: the time, in seconds since 1970.
    @return: the log, and what twistd has to give entries to; None: what it chooses itself.
    @raise ConfigError: an output cannot be opened.
    """
    log = Log(clock, resolve=lambda path: under(root, path))
    given = parent is not None and any(parent.get(name) for name in ("logfile", "syslog", "logger"))
    if isConfigured(config) and not given:
        try:
            applyLog(log, config)
        except VirtError as problem:
            outputs = " ".join(map(str, config.logOutputs))
            raise ConfigError(
                config.file or "default configuration",
                config.lines.get("log_outputs", 0),
                f"log output '{outputs}' cannot be opened: {problem}",
            ) from None
        return log, log
    if parent is None or parent.get("logger"):
        return log, None
    # Twistd's own log, until administrators set outputs.
    log.passTo(lambda: UnixAppLogger(parent)._getLogObserver())
    return log, log
