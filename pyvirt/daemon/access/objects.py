"""
What a question of access is about: an object, as policies and polkit know it.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from pyvirt.definitions.values import definition
from pyvirt.drivers.interfaces import values

__all__ = ["PERMISSIONS", "Target", "driverName", "targetOf"]

_COMMON = "getattr read write"
PERMISSIONS: dict[str, tuple[str, ...]] = {
    kind: tuple(names.split())
    for kind, names in {
        "connect": f"{_COMMON} search_domains search_networks search_storage_pools"
        " search_node_devices search_interfaces search_secrets search_nwfilters"
        " search_nwfilter_bindings detect_storage_pools pm_control interface_transaction",
        "domain": f"{_COMMON} read_secure start stop reset save delete migrate checkpoint snapshot"
        " suspend hibernate core_dump pm_control init_control inject_nmi send_input send_signal"
        " fs_trim fs_freeze block_read block_write mem_read open_graphics open_device screenshot"
        " open_namespace set_time set_password",
        "interface": f"{_COMMON} save delete start stop",
        "network": f"{_COMMON} save delete start stop search_ports",
        "network_port": f"{_COMMON} create delete",
        "node_device": f"{_COMMON} save start stop detach delete",
        "nwfilter": f"{_COMMON} save delete",
        "nwfilter_binding": "getattr read create delete",
        "secret": f"{_COMMON} read_secure save delete",
        "storage_pool": f"{_COMMON} save delete start stop refresh search_storage_vols format",
        "storage_vol": "getattr read create delete format resize data_read data_write",
    }.items()
}
"""Every kind of object, and what may be permitted on it."""


@definition
class Target:
    """
    What somebody wants to do something to.

    @ivar kind: one of L{PERMISSIONS}.
    @ivar name: what patterns are compared with; of a volume C{POOL/VOLUME}, of a port C{NETWORK/UUID}, of a secret
        what uses it, or its UUID; None: not known before it is done.
    @ivar uuid: of those that have one.
    @ivar driver: the name of the connection's driver, C{QEMU} say.
    @ivar details: what polkit's rules are told.
    """

    kind: str
    driver: str
    name: str | None = None
    uuid: str | None = None
    details: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return self.kind if self.name is None else f"{self.kind} '{self.name}'"


_DRIVERS = {"qemu": "QEMU", "test": "Test", "lxc": "LXC", "ch": "CH", "bhyve": "bhyve"}


def driverName(connection: Any) -> str:
    """The name by which messages and policies know the driver of an open connection."""
    scheme = str(connection.uri).partition(":")[0].partition("+")[0]
    return _DRIVERS.get(scheme, scheme.upper())


def _named(kind: str, prefix: str, driver: str, name: str, uuid: bytes | None) -> Target:
    details = [(f"{prefix}_name", name)]
    text = None if uuid is None else str(UUID(bytes=uuid))
    if text is not None:
        details.append((f"{prefix}_uuid", text))
    return Target(kind=kind, driver=driver, name=name, uuid=text, details=tuple(details))


_USAGE = {1: "volume", 2: "ceph", 3: "target", 4: "tls", 5: "vtpm"}
_SECRET_DETAILS = {1: "secret_usage_volume", 2: "secret_usage_ceph", 3: "secret_usage_target"}


def targetOf(driver: str, ref: Any) -> Target:
    """Make the target that a reference names; C{ref} must be true, see L{pyvirt.daemon.access.guard}."""
    if isinstance(ref, values.DomainSnapshotRef | values.DomainCheckpointRef):
        ref = ref.dom
    if isinstance(ref, values.DomainRef):
        return _named("domain", "domain", driver, ref.name, ref.uuid)
    if isinstance(ref, values.NetworkRef):
        return _named("network", "network", driver, ref.name, ref.uuid)
    if isinstance(ref, values.StoragePoolRef):
        return _named("storage_pool", "pool", driver, ref.name, ref.uuid)
    if isinstance(ref, values.NWFilterRef):
        return _named("nwfilter", "nwfilter", driver, ref.name, ref.uuid)
    if isinstance(ref, values.NodeDeviceRef):
        return _named("node_device", "node_device", driver, ref.name, None)
    if isinstance(ref, values.InterfaceRef):
        return Target(
            kind="interface",
            driver=driver,
            name=ref.name,
            details=(("interface_name", ref.name), ("interface_macaddr", ref.mac)),
        )
    if isinstance(ref, values.StorageVolRef):
        return Target(
            kind="storage_vol",
            driver=driver,
            name=f"{ref.pool}/{ref.name}",
            details=(("pool_name", ref.pool), ("vol_name", ref.name), ("vol_key", ref.key)),
        )
    if isinstance(ref, values.SecretRef):
        uuid = str(UUID(bytes=ref.uuid))
        found = [("secret_uuid", uuid)]
        if ref.usageType in _SECRET_DETAILS:
            found.append((_SECRET_DETAILS[ref.usageType], ref.usageID))
        name = f"{_USAGE[ref.usageType]}/{ref.usageID}" if ref.usageType in _USAGE else uuid
        return Target(kind="secret", driver=driver, name=name, uuid=uuid, details=tuple(found))
    if isinstance(ref, values.NWFilterBindingRef):
        return Target(
            kind="nwfilter_binding",
            driver=driver,
            name=ref.portdev,
            details=(("nwfilter_binding_portdev", ref.portdev),),
        )
    if isinstance(ref, values.NetworkPortRef):
        uuid, network = str(UUID(bytes=ref.uuid)), ref.net
        return Target(
            kind="network_port",
            driver=driver,
            name=f"{network.name}/{uuid}",
            uuid=uuid,
            details=(
                ("network_name", network.name),
                ("network_uuid", str(UUID(bytes=network.uuid))),
                ("network_port_uuid", uuid),
            ),
        )
    raise TypeError(f"{type(ref).__name__} is nothing that access is asked for")
