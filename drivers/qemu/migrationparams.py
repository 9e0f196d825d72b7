"""
How QEMU is to migrate: capabilities and parameters, from flags and parameters of libvirt.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from pyvirt import constants as c
from pyvirt.drivers.qemu.guest import Guest
from pyvirt.drivers.qemu.qmp import CommandFailed
from pyvirt.drivers.qemu.refusals import invalidArgument, operationInvalid
from pyvirt.errors import VirtError

if TYPE_CHECKING:
    from pyvirt.drivers.qemu.hypervisor import Hypervisor

__all__ = ["Tuning", "dropTLS", "reset", "tuningOf", "useTLS"]

_CREDENTIALS = "objlibvirt_migrate_tls0"

#: What QEMU calls a capability that a flag turns on.
_FLAGS = {
    "postcopy-ram": c.VIR_MIGRATE_POSTCOPY,
    "auto-converge": c.VIR_MIGRATE_AUTO_CONVERGE,
    "multifd": c.VIR_MIGRATE_PARALLEL,
    "rdma-pin-all": c.VIR_MIGRATE_RDMA_PIN_ALL,
    "zero-copy-send": c.VIR_MIGRATE_ZEROCOPY,
}
#: Those that both ends must have, or neither.
_METHODS = {"xbzrle": "xbzrle", "mt": "compress"}
#: For each parameter, QEMU's name, the capability it tunes (None: any), and whether the destination is told too.
_TUNED: dict[str, tuple[str, str | None, bool]] = {
    c.VIR_MIGRATE_PARAM_AUTO_CONVERGE_INITIAL: ("cpu-throttle-initial", "auto-converge", False),
    c.VIR_MIGRATE_PARAM_AUTO_CONVERGE_INCREMENT: ("cpu-throttle-increment", "auto-converge", False),
    c.VIR_MIGRATE_PARAM_COMPRESSION_MT_LEVEL: ("compress-level", "compress", True),
    c.VIR_MIGRATE_PARAM_COMPRESSION_MT_THREADS: ("compress-threads", "compress", True),
    c.VIR_MIGRATE_PARAM_COMPRESSION_MT_DTHREADS: ("decompress-threads", "compress", True),
    c.VIR_MIGRATE_PARAM_COMPRESSION_XBZRLE_CACHE: ("xbzrle-cache-size", "xbzrle", True),
    c.VIR_MIGRATE_PARAM_PARALLEL_CONNECTIONS: ("multifd-channels", "multifd", True),
}
_TURN_ON = {
    "auto-converge": "Turn auto convergence on to tune it",
    "compress": "Turn multithread compression on to tune it",
    "xbzrle": "Turn xbzrle compression on to tune it",
    "multifd": "Turn parallel migration on to tune it",
}


class Tuning:
    """
    How QEMU is to migrate.

    @ivar capabilities: names of those that are on.
    @ivar parameters: by QEMU's name.
    """

    def __init__(self, capabilities: set[str], parameters: dict[str, Any]) -> None:
        self.capabilities = capabilities
        self.parameters = parameters

    async def apply(self, guest: Guest) -> None:
        """
        Tell QEMU: also what is off, for an earlier migration may have left it on.

        @raise VirtError: it cannot do what is wanted.
        """
        known = {
            each.get("capability")
            for each in await guest.execute("query-migrate-capabilities")
            if isinstance(each, dict)
        }
        off = [name for name in _OURS if name in known and name not in self.capabilities]
        states = [{"capability": name, "state": False} for name in off]
        states += [{"capability": name, "state": True} for name in sorted(self.capabilities)]
        await guest.execute("migrate-set-capabilities", {"capabilities": states})


_OURS = (*_FLAGS, *_METHODS.values(), "pause-before-switchover", "late-block-activate")


def methodsOf(flags: int, asked: dict[str, Any]) -> list[str]:
    """
    Return how memory is compressed.

    @raise VirtError: in a way that is not known, or twice in the same.
    """
    methods: list[str] = asked.get(c.VIR_MIGRATE_PARAM_COMPRESSION) or []
    for number, method in enumerate(methods):
        if method not in _METHODS:
            raise invalidArgument(f"Unsupported compression method '{method}'")
        if method in methods[:number]:
            raise invalidArgument(f"Compression method '{method}' is specified twice")
    if not methods and flags & c.VIR_MIGRATE_COMPRESSED:
        return ["xbzrle"]
    return methods


def tuningOf(flags: int, asked: dict[str, Any], *, destination: bool) -> Tuning:
    """
    Say how QEMU is to migrate.

    @param destination: which end it is.
    @raise VirtError: what is asked for does not fit together.
    """
    on = {"events"}
    on.update(name for name, flag in _FLAGS.items() if flags & flag)
    on.update(_METHODS[method] for method in methodsOf(flags, asked))
    if flags & c.VIR_MIGRATE_ZEROCOPY and not flags & c.VIR_MIGRATE_PARALLEL:
        raise operationInvalid("zero-copy is only available for parallel migration")
    for name, (_, capability, both) in _TUNED.items():
        if destination and not both:
            continue
        if name in asked and capability is not None and capability not in on:
            raise invalidArgument(_TURN_ON[capability])
    on.add("late-block-activate" if destination else "pause-before-switchover")
    if destination:
        on -= {"auto-converge", "zero-copy-send"}
    parameters = {
        key: asked[name]
        for name, (key, _, both) in _TUNED.items()
        if name in asked and (both or not destination)
    }
    return Tuning(on, parameters)


async def useTLS(hypervisor: Hypervisor, guest: Guest, *, destination: bool, host: str) -> None:
    """
    Have memory encrypted on its way.

    @param host: whom the source expects to be there.
    @raise VirtError: the credentials are not there, or are not good.
    """
    values = hypervisor.config.values
    folder = values.get("migrate_tls_x509_cert_dir") or values["default_tls_x509_cert_dir"]
    verify = values.get("migrate_tls_x509_verify")
    if verify is None:
        verify = values["default_tls_x509_verify"]
    await dropTLS(guest)
    await guest.execute(
        "object-add",
        {
            "qom-type": "tls-creds-x509",
            "id": _CREDENTIALS,
            "dir": os.fspath(folder),
            "endpoint": "server" if destination else "client",
            "verify-peer": bool(verify) if destination else True,
        },
    )
    wanted = {"tls-creds": _CREDENTIALS, "tls-hostname": "" if destination else host}
    await guest.execute("migrate-set-parameters", wanted)


async def dropTLS(guest: Guest) -> None:
    """Forget credentials, if there are any."""
    try:
        await guest.execute("object-del", {"id": _CREDENTIALS})
    except CommandFailed:
        pass


async def reset(guest: Guest, flags: int) -> None:
    """Leave nothing of a migration behind that would change the next one, as far as the guest still answers."""
    try:
        await Tuning({"events"}, {}).apply(guest)
        if flags & c.VIR_MIGRATE_TLS:
            await guest.execute("migrate-set-parameters", {"tls-creds": "", "tls-hostname": ""})
            await dropTLS(guest)
    except VirtError:
        pass
