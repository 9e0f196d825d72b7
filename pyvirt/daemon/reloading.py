"""
Reading the configuration again while the daemon runs: what can change does, of the rest it is said that it cannot.

Everything is read and checked before anything changes; a mistake changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.logger import Logger

from pyvirt.daemon.access.guard import PolicyError
from pyvirt.daemon.access.setup import Access
from pyvirt.daemon.audit import Audit, AuditError
from pyvirt.daemon.config import KEYS, Config, ConfigError, loadConfig
from pyvirt.daemon.logstart import applyLog, isConfigured
from pyvirt.daemon.server import Limits
from pyvirt.errors import VirtError

if TYPE_CHECKING:
    from pyvirt.daemon.service import DaemonService

__all__ = ["reload"]

log = Logger()

_FIXED = frozenset(
    (
        *("listen_tls", "listen_tcp", "tls_port", "tcp_port", "listen_addr"),
        *("unix_sock_group", "unix_sock_ro_perms", "unix_sock_rw_perms", "unix_sock_admin_perms"),
        *("listen_ssh", "ssh_port", "ssh_host_key_file", "ssh_authorized_keys_file"),
        *("unix_sock_dir", "auth_unix_ro", "auth_unix_rw", "auth_tcp", "auth_tls"),
        *("max_queued_clients", "admin_max_queued_clients", "host_uuid", "host_uuid_source"),
        *("key_file", "cert_file", "ca_file", "crl_file", "metrics_address", "metrics_socket"),
        *("tls_no_sanity_certificate", "tls_no_verify_certificate", "tls_allowed_dn_list"),
        "tls_priority",
    )
)
"""Keys that only a restart can change."""


def reload(service: DaemonService) -> bool:
    """
    Read the configuration, the policy and the certificates again.

    @return: False: there was a mistake, which the log tells, and nothing has changed.
    """
    old = service.config
    audit: Audit | None = None
    try:
        config = Config() if old.file is None else loadConfig(old.file, required=True)
        access = Access(config, service.paths, service.reactor)
        credentials = None if service.tls is None else service.tls.prepare()
        audit = service.makeAudit(config)
        if isConfigured(config):
            applyLog(service.administration.log, config, reopen=True)
    except (ConfigError, PolicyError, AuditError, VirtError) as problem:
        log.error("the configuration was not read again: {problem}", problem=problem)
        if audit is not None and audit.kernel is not None:
            audit.kernel.close()
        return False
    if service.tls is not None and credentials is not None:
        service.tls.adopt(credentials)
    for key, field in KEYS.items():
        if key in _FIXED and getattr(config, field.name) != getattr(old, field.name):
            log.warn("'{key}' has changed: that takes a restart", key=key)
    fixed = {field.name: getattr(old, field.name) for key, field in KEYS.items() if key in _FIXED}
    service.config = config.changed(**fixed)
    for remark in config.remarks:
        log.warn("{remark}", remark=remark)
    service.useAccess(access)
    service.useAudit(audit)
    service.useLogins()
    service.configureWorkers()
    service.server.setLimits(Limits.of(config))
    service.admin.setLimits(Limits.ofAdmin(config))
    log.info("the configuration was read again")
    return True
