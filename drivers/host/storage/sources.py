"""
Looking for what pools could be made of.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyvirt.definitions.kinds import escape
from pyvirt.definitions.poolsource import parseSource
from pyvirt.definitions.storage import TYPES
from pyvirt.drivers.host.running import found, run
from pyvirt.drivers.host.storage.iscsi import checkOneHost, targets
from pyvirt.drivers.host.storage.kinds import BACKENDS
from pyvirt.drivers.host.storage.logical import Logical
from pyvirt.drivers.refusals import checkFlags, failed, internal, invalidArgument
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

if TYPE_CHECKING:
    from pyvirt.drivers.host.host import Host

__all__ = ["discovered"]

_DOMAIN = ErrorDomain.STORAGE

_SEARCHERS = {"iscsi": "ISCSI", "logical": "Logical", "netfs": "FileSystemNet"}
"""What libvirt calls those that look for sources; flags are theirs to refuse."""


async def discovered(host: Host, kind: str, specification: str | None, flags: int) -> str:
    """
    Return what pools of a kind could be made of.

    @param specification: a C{source} element, or None.
    @raise VirtError: nobody looks for such a kind, or does not know where to.
    """
    if kind not in TYPES.split():
        raise internal(f"unknown storage pool type {kind}", _DOMAIN)
    if kind not in BACKENDS:
        raise internal(
            f"missing backend for pool type {TYPES.split().index(kind)} ({kind})", _DOMAIN
        )
    searcher = _SEARCHERS.get(kind)
    if searcher is None:
        raise virtError(
            ErrorCode.NO_SUPPORT, f"pool type '{kind}' does not support source discovery", _DOMAIN
        )
    checkFlags(f"virStorageBackend{searcher}FindPoolSources", flags, 0, _DOMAIN)
    if kind == "logical":
        return _groups(await Logical(host).groups())
    if kind == "iscsi":
        return await _served(host, specification)
    if specification is None:
        raise invalidArgument("hostname must be specified for netfs sources", _DOMAIN)
    source = parseSource("netfs", specification)
    checkOneHost(source)
    name = source.hosts[0].name or ""
    paths = await _exported(host, name)
    if not paths:
        raise failed(f"no storage pools were found on host '{name}'", _DOMAIN)
    out = ["<sources>\n"]
    for path in paths:
        out += [
            "  <source>\n",
            f"    <host name='{escape(name)}'/>\n",
            f"    <dir path='{escape(path)}'/>\n",
            "    <format type='nfs'/>\n",
            "  </source>\n",
        ]
    out.append("</sources>\n")
    return "".join(out)


async def _served(host: Host, specification: str | None) -> str:
    """Tell the targets that a server serves."""
    if specification is None:
        raise invalidArgument("hostname must be specified for iscsi sources", _DOMAIN)
    source = parseSource("iscsi", specification)
    initiator = None if source.initiator is None else source.initiator.iqn
    name, port, found = await targets(host, source)
    out = ["<sources>\n"]
    for target in found:
        out += [
            "  <source>\n",
            f"    <host name='{escape(name)}' port='{port}'/>\n",
            f"    <device path='{escape(target)}'/>\n",
        ]
        if initiator is not None:
            out += [
                "    <initiator>\n",
                f"      <iqn name='{escape(initiator)}'/>\n",
                "    </initiator>\n",
            ]
        out.append("  </source>\n")
    out.append("</sources>\n")
    return "".join(out)


def _groups(groups: dict[str, list[str]]) -> str:
    out = ["<sources>\n"]
    for name, devices in groups.items():
        out.append("  <source>\n")
        out += [f"    <device path='{escape(device)}'/>\n" for device in devices]
        out += [
            f"    <name>{escape(name)}</name>\n",
            "    <format type='lvm2'/>\n",
            "  </source>\n",
        ]
    out.append("</sources>\n")
    return "".join(out)


async def _exported(host: Host, name: str) -> list[str]:
    """Ask a server what it exports; one that does not answer exports nothing."""
    if name.startswith("-"):
        return []
    program = found("/usr/sbin/showmount", "/sbin/showmount")
    try:
        said = await run(host, program, "--no-headers", "--exports", name, deadline=60.0)
    except VirtError:
        return []
    lines = said.output.decode(errors="replace").splitlines()
    return [line.split()[0] for line in lines if line.startswith("/")]
