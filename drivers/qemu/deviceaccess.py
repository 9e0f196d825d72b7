"""
Devices of the host that a guest may open, and that the kernel keeps it from otherwise: L{DeviceAccess}.

A guest may open what C{cgroup_device_acl} of qemu.conf names, terminals, and what its definition is made of.  Rules
stand in the controller C{devices} (version 1) of the guest's group, where they outlive the daemon.  Without that
controller, and where nobody lets us make rules, guests may open what their user may.

Source: the kernel's documentation, "Device Whitelist Controller"; C{devices.list} of guests of libvirtd 9.0.0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from twisted.logger import Logger

from pyvirt.drivers.qemu.cgroups import GuestGroup
from pyvirt.drivers.qemu.devicerules import BOTH, Rules, join, ruleOf
from pyvirt.errors import VirtError

__all__ = ["ALWAYS", "DeviceAccess"]

log = Logger()

#: What guests may open where qemu.conf says nothing.
ALWAYS = (
    "/dev/null",
    "/dev/full",
    "/dev/zero",
    "/dev/random",
    "/dev/urandom",
    "/dev/ptmx",
    "/dev/kvm",
)
#: Terminals: consoles of guests that are made while they run.
_TERMINALS = "c 136:*"


class DeviceAccess:
    """
    The rules of one guest that is confined.
    """

    def __init__(
        self, group: GuestGroup, always: Iterable[str] | None, needed: Callable[[], Rules]
    ) -> None:
        """
        @param always: what guests may open whatever they are made of; None: nobody says.
        @param needed: returns what the guest is made of now.
        """
        self._group = group
        self._always = ALWAYS if always is None else tuple(always)
        self._needed = needed

    def begin(self) -> bool:
        """
        Confine a guest that does not run yet.

        @return: False where it cannot be.
        """
        try:
            self._group.write("devices", "devices.deny", "a")
        except VirtError as error:
            log.warn("guests may open all devices: {error}", error=error)
            return False
        rules: Rules = {_TERMINALS: BOTH}
        for path in self._always:
            join(rules, ruleOf(path))
        join(rules, self._needed())
        self.allow(rules)
        return True

    def isThere(self) -> bool:
        """Whether a guest that runs is confined."""
        try:
            listed = self._group.read("devices", "devices.list")
        except VirtError:
            return False
        return not any(line.startswith("a") for line in listed.splitlines())

    def allow(self, rules: Rules) -> None:
        """Let the guest open what it is about to get."""
        for device, access in rules.items():
            try:
                self._group.write("devices", "devices.allow", f"{device} {access}")
            except VirtError as error:
                # A group above has not got it; whoever opens it says so.
                log.warn("{error}", error=error)

    def revoke(self, rules: Rules) -> None:
        """Keep the guest from opening what it has no more, unless something else of it needs that."""
        if not rules:
            return
        kept = self._needed()
        for path in self._always:
            join(kept, ruleOf(path))
        for device, access in rules.items():
            surplus = set(access) - set(kept.get(device, ""))
            if not surplus:
                continue
            # That nobody may make it either is as good as said.
            which = "w" if device in kept else "rwm"
            try:
                self._group.write("devices", "devices.deny", f"{device} {which}")
            except VirtError as error:
                log.warn("{error}", error=error)
