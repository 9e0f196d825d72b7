"""
The test driver answering for another hypervisor, so that a program with a fixed URI can be tested.

What a client looks at to find out where it is (the type of the connection, its version, what guests it can run, the
type of the domains that are there) is the other's; everything else is the test driver's.
"""

from __future__ import annotations

from typing import NamedTuple

from pyvirt.definitions.schema import replaced
from pyvirt.drivers.test.host import Host, hostPart
from pyvirt.drivers.test.world import World

__all__ = ["DISGUISES", "Disguise", "DisguisedHost", "disguise"]


class Disguise(NamedTuple):
    """
    What another hypervisor is known by.

    @ivar type: of the connection, as C{virsh version} shows it.
    @ivar version: C{major * 1000000 + minor * 1000 + release}.
    @ivar guests: types of operating systems, to the types of domains that run them.
    @ivar emulator: what runs them.
    """

    type: str
    version: int
    guests: tuple[tuple[str, tuple[str, ...]], ...]
    emulator: str


DISGUISES = {
    "qemu": Disguise("QEMU", 7002000, (("hvm", ("qemu", "kvm")),), "/usr/bin/qemu-system-x86_64"),
    "xen": Disguise(
        "Xen", 4017000, (("xen", ("xen",)), ("hvm", ("xen",))), "/usr/lib/xen/bin/qemu-system-i386"
    ),
    "lxc": Disguise("LXC", 6001000, (("exe", ("lxc",)),), "/usr/lib/libvirt/libvirt_lxc"),
    "bhyve": Disguise("BHYVE", 13002000, (("hvm", ("bhyve",)),), "/usr/sbin/bhyve"),
    "ch": Disguise("CH", 28000000, (("hvm", ("hyperv",)),), "/usr/bin/cloud-hypervisor"),
    "openvz": Disguise("OpenVZ", 3000000, (("exe", ("openvz",)),), "/usr/sbin/vzctl"),
    "vbox": Disguise("VBOX", 7000000, (("hvm", ("vbox",)),), "/usr/lib/virtualbox/VBoxHeadless"),
    "vz": Disguise("vz", 7000000, (("hvm", ("vz",)), ("exe", ("vz",))), "/usr/bin/prl_vm_app"),
}
"""Schemes that the test driver can answer for."""

_ARCHITECTURES = (("i686", 32), ("x86_64", 64))


class DisguisedHost(Host):
    """Answers for the host in another's name."""

    def __init__(self, world: World, disguise: Disguise) -> None:
        super().__init__(world)
        self._disguise = disguise

    def connectGetType(self) -> str:
        """The name of the other driver."""
        return self._disguise.type

    def connectGetVersion(self) -> int:
        """The version of the other hypervisor."""
        return self._disguise.version

    def connectGetCapabilities(self) -> str:
        """What the host is, and what guests the other could run."""
        out = [hostPart(self._world).replace("<arch>i686</arch>", "<arch>x86_64</arch>")]
        for os, domains in self._disguise.guests:
            for arch, size in _ARCHITECTURES:
                types = "".join(f"      <domain type='{each}'/>\n" for each in domains)
                out.append(
                    f"  <guest>\n    <os_type>{os}</os_type>\n    <arch name='{arch}'>\n"
                    f"      <wordsize>{size}</wordsize>\n"
                    f"      <emulator>{self._disguise.emulator}</emulator>\n"
                    f"{types}    </arch>\n"
                    "    <features>\n      <acpi default='on' toggle='yes'/>\n"
                    "    </features>\n  </guest>\n\n"
                )
        out.append("</capabilities>\n")
        return "".join(out)


def disguise(world: World, disguise: Disguise) -> None:
    """Let a world that was just made be another hypervisor's."""
    world.node = world.node._replace(model="x86_64")
    kind = disguise.guests[0][1][0]
    for domain in world.domains:
        if domain.definition.type == "test":
            settled = domain.pending is domain.definition
            domain.definition = replaced(domain.definition, type=kind)
            if settled:
                domain.pending = domain.definition
        if domain.pending is not None and domain.pending.type == "test":
            domain.pending = replaced(domain.pending, type=kind)
