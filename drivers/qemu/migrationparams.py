"""
How QEMU is to migrate: capabilities and parameters, from flags and parameters of libvirt.
"""

from __future__ import annotations

from typing import Any

from pyvirt import constants as c
from pyvirt.drivers.qemu.certificates import removeCertificates
from pyvirt.drivers.qemu.guest import Guest
from pyvirt.drivers.qemu.refusals import invalidArgument, operationInvalid
from pyvirt.errors import VirtError

__all__ = ["Tuning", "remembered", "reset", "tuningOf"]

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
#: What is as it was before when a migration is over.
_RESTORED = frozenset(
    (
        *(name for name, _, _ in _TUNED.values()),
        "tls-creds",
        "tls-hostname",
        "max-bandwidth",
        "downtime-limit",
        "block-incremental",
        "max-postcopy-bandwidth",
    )
)
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


def _checkTuned(
    asked: dict[str, Any], on: set[str], capabilities: tuple[str, ...], destination: bool
) -> None:
    """
    Look whether some of what is tuned is on.

    @raise VirtError: it is not.
    """
    for name, (_, capability, both) in _TUNED.items():
        if capability not in capabilities or (destination and not both):
            continue
        if name in asked and capability not in on:
            raise invalidArgument(_TURN_ON[capability])


def tuningOf(flags: int, asked: dict[str, Any], *, destination: bool) -> Tuning:
    """
    Say how QEMU is to migrate.

    @param destination: which end it is.
    @raise VirtError: what is asked for does not fit together.
    """
    on = {"events"}
    on.update(name for name, flag in _FLAGS.items() if flags & flag)
    _checkTuned(asked, on, ("auto-converge", "multifd"), destination)
    on.update(_METHODS[method] for method in methodsOf(flags, asked))
    if flags & c.VIR_MIGRATE_ZEROCOPY and not flags & c.VIR_MIGRATE_PARALLEL:
        raise operationInvalid("zero-copy is only available for parallel migration")
    _checkTuned(asked, on, ("compress", "xbzrle"), destination)
    on.add("late-block-activate" if destination else "pause-before-switchover")
    if destination:
        on -= {"auto-converge", "zero-copy-send"}
    parameters = {
        key: asked[name]
        for name, (key, _, both) in _TUNED.items()
        if name in asked and (both or not destination)
    }
    following = c.VIR_MIGRATE_PARAM_BANDWIDTH_POSTCOPY
    if following in asked and not destination:
        parameters["max-postcopy-bandwidth"] = asked[following] << 20
    return Tuning(on, parameters)


async def remembered(guest: Guest) -> dict[str, Any]:
    """
    Return what QEMU was told of migrations before this one, for L{reset}.

    @raise VirtError: QEMU does not answer.
    """
    found = await guest.execute("query-migrate-parameters")
    known = found.items() if isinstance(found, dict) else ()
    return {name: value for name, value in known if name in _RESTORED}


async def reset(guest: Guest, before: dict[str, Any]) -> None:
    """
    Leave nothing of a migration behind that would change the next one, as far as the guest still answers.

    @param before: what L{remembered} found when it began; empty if that is not known any more.
    """
    try:
        await Tuning({"events"}, {}).apply(guest)
        values = {"tls-creds": "", "tls-hostname": "", **before}
        await guest.execute("migrate-set-parameters", values)
        await removeCertificates(guest, "migrate")
    except VirtError:
        pass
