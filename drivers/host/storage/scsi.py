"""
Devices that the kernel knows: pools of types C{scsi} and C{mpath}, whose volumes are there and are not made.
"""

from __future__ import annotations

import os
import re

from twisted.logger import Logger

from pyvirt.definitions.pooladapter import Adapter, ParentAddress
from pyvirt.definitions.schema import replaced
from pyvirt.definitions.storage import VolumeDefinition
from pyvirt.drivers.host.running import found, run
from pyvirt.drivers.host.storage.backends import Backend, Listing, unsupported
from pyvirt.drivers.host.storage.devices import deviceVolume, settled, stable
from pyvirt.drivers.host.storage.pool import Pool
from pyvirt.drivers.refusals import internal
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError
from pyvirt.process import systemError

__all__ = ["SCSI", "Devices", "Multipath"]

log = Logger()

_DOMAIN = ErrorDomain.STORAGE
_HOSTS = "/sys/class/scsi_host"
_UNITS = "/sys/bus/scsi/devices"

#: What the kernel calls disks and CD drives.
_KINDS = ("0", "5")


def _read(path: str) -> str:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read(256).strip()
    except OSError:
        return ""


def _block(unit: str) -> str | None:
    """Return what the block device of a unit is called, as newer and older kernels say it."""
    try:
        for name in sorted(os.listdir(unit)):
            if name == "block":
                return sorted(os.listdir(os.path.join(unit, name)))[0]
            if name.startswith("block:"):
                return name.removeprefix("block:")
    except (OSError, IndexError):
        pass
    return None


def units(host: int, folder: str) -> list[tuple[str, str]]:
    """
    In a thread: return the disks of a SCSI host, by name and path.

    @param folder: where the pool finds them.
    @raise VirtError: the kernel shows none.
    """
    try:
        names = os.listdir(_UNITS)
    except OSError as problem:
        raise systemError(problem, f"cannot open directory '{_UNITS}'", _DOMAIN) from None
    shown = []
    for name in names:
        matched = re.fullmatch(r"(\d+):(\d+):(\d+):(\d+)", name, re.ASCII)
        if matched is None or int(matched[1]) != host:
            continue
        place = os.path.join(_UNITS, name)
        device = _block(place) if _read(f"{place}/type") in _KINDS else None
        path = None if device is None else stable(folder, f"/dev/{device}")
        if path is not None:
            where = tuple(int(each) for each in matched.groups()[1:])
            shown.append((where, path))
    return [("unit:{}:{}:{}".format(*where), path) for where, path in sorted(shown)]


class Devices(Backend):
    """What pools of devices have in common: they hold what there is."""

    files = False
    formats = ""

    async def build(self, pool: Pool, flags: int) -> None:
        """Nothing is to be prepared."""

    async def delete(self, pool: Pool, flags: int) -> None:
        """What is there is not removed."""
        raise unsupported("pool does not support pool deletion")

    async def described(self, found: list[tuple[str, str]]) -> Listing:
        """
        Describe devices as volumes; those that cannot be read are left out.

        @param found: names and paths.
        """
        volumes: list[tuple[str, VolumeDefinition]] = []
        sizes = [0, 0, 0]
        for name, path in found:
            try:
                volume = await self._host.thread(deviceVolume, path, name)
            except VirtError as error:
                log.info("{path} is no volume: {error}", path=path, error=error)
                continue
            volumes.append(("block", replaced(volume, key=await self._key(path))))
            sizes[0] += volume.capacity or 0
            sizes[1] += volume.allocation or 0
        return Listing(volumes, sizes, None)

    async def _key(self, path: str) -> str:
        """Return what a device says that it is; where it says nothing, where it is."""
        program = "/lib/udev/scsi_id"
        if not os.access(program, os.X_OK):
            return path
        words = ("--replace-whitespace", "--whitelisted", "--device", path)
        said = await run(self._host, program, *words, failing=False)
        lines = said.output.decode(errors="replace").splitlines()
        return lines[0] if not said.status and lines and lines[0] else path


class SCSI(Devices):
    """The disks of a SCSI host."""

    def _number(self, pool: Pool) -> int:
        """
        In a thread: return the number of the host.

        @raise VirtError: it has none.
        """
        adapter: Adapter | None = pool.definition.source.adapter
        assert adapter is not None
        if adapter.type == "fc_host":
            return self._fibre(adapter)
        where = adapter.parentaddr
        if where is not None:
            return _addressed(where)
        name = adapter.name or ""
        matched = re.fullmatch(r"(?:scsi_host|host|fc_host)([0-9]{1,9})", name)
        if matched is None:
            raise internal(f"Invalid adapter name '{name}' for SCSI pool", _DOMAIN)
        return int(matched[1])

    def _fibre(self, adapter: Adapter) -> int:
        folder = "/sys/class/fc_host"
        try:
            names = os.listdir(folder)
        except OSError:
            names = []
        for name in names:
            port = _read(f"{folder}/{name}/port_name").removeprefix("0x")
            node = _read(f"{folder}/{name}/node_name").removeprefix("0x")
            matched = re.fullmatch(r"host([0-9]{1,9})", name)
            if matched and (node, port) == (adapter.wwnn, adapter.wwpn):
                return int(matched[1])
        if names:
            raise virtError(
                ErrorCode.CONFIG_UNSUPPORTED,
                f"there is no fc_host with wwnn '{adapter.wwnn}' and wwpn '{adapter.wwpn}', and none is made",
                _DOMAIN,
            )
        raise virtError(
            ErrorCode.XML_ERROR,
            "'parent' for vHBA not specified, and cannot find one on this host",
            _DOMAIN,
        )

    async def start(self, pool: Pool) -> None:
        """A host of a fibre is there before its pool is; others are asked when volumes are looked for."""
        adapter = pool.definition.source.adapter
        if adapter is not None and adapter.type == "fc_host":
            await self._host.thread(self._number, pool)

    async def running(self, pool: Pool) -> bool:
        """Whether the host is there."""
        number = await self._host.thread(self._number, pool)
        return os.path.exists(f"{_HOSTS}/host{number}")

    async def listing(self, pool: Pool) -> Listing:
        """Let the host look for disks."""
        await settled(self._host)
        number = await self._host.thread(self._number, pool)
        await self._host.thread(_rescan, number)
        await settled(self._host)
        return await self.described(await self._host.thread(units, number, pool.path))


def _addressed(where: ParentAddress) -> int:
    """Return the number of the host that is a PCI device, or behind one."""
    address, unique = where.address, where.uniqueID or 0
    assert address is not None
    wanted = (
        f"{address.domain or 0:04x}:{address.bus or 0:02x}:{address.slot or 0:02x}"
        f".{address.function or 0:x}"
    )
    try:
        names = os.listdir(_HOSTS)
    except OSError:
        names = []
    for name in names:
        matched = re.fullmatch(r"host([0-9]{1,9})", name)
        place = os.path.realpath(f"{_HOSTS}/{name}")
        if matched and wanted in place.split("/") and _read(f"{place}/unique_id") == str(unique):
            return int(matched[1])
    raise virtError(
        ErrorCode.XML_ERROR,
        f"Failed to find scsi_host using PCI '{wanted}' and unique_id='{unique}'",
        _DOMAIN,
    )


def _rescan(number: int) -> None:
    path = f"{_HOSTS}/host{number}/scan"
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    except OSError as problem:
        detail = f"Could not open '{path}' to trigger host scan"
        raise systemError(problem, detail, _DOMAIN) from None
    try:
        os.write(fd, b"- - -")
    except OSError as problem:
        detail = f"Write to '{path}' to trigger host scan failed"
        raise systemError(problem, detail, _DOMAIN) from None
    finally:
        os.close(fd)


class Multipath(Devices):
    """Disks that several paths lead to."""

    async def running(self, pool: Pool) -> bool:
        """Whether there is a device mapper."""
        return os.path.exists("/dev/mapper") or os.path.exists("/dev/mpath")

    async def listing(self, pool: Pool) -> Listing:
        """Ask the device mapper."""
        program = found("/sbin/dmsetup", "/usr/sbin/dmsetup")
        said = await run(self._host, program, "ls", "--target", "multipath", failing=False)
        if said.status:
            log.info("no multipath devices: {why}", why=said.errors.decode(errors="replace"))
        shown = []
        for line in said.output.decode(errors="replace").splitlines() if not said.status else ():
            matched = re.fullmatch(r"(\S+)\s+\(\d+[:,] ?(\d+)\)\s*", line, re.ASCII)
            if matched is not None and "/" not in matched[1]:
                shown.append((int(matched[2]), f"/dev/mapper/{matched[1]}"))
        return await self.described([(f"dm-{minor}", path) for minor, path in sorted(shown)])
