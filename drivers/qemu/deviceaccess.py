"""
Devices of the host that a guest may open, and that the kernel keeps it from otherwise: L{DeviceAccess}.

A guest may open what C{cgroup_device_acl} of qemu.conf names, terminals, and what its definition is made of.  The rules
belong to the guest's group, where they outlive the daemon (L{pyvirt.drivers.qemu.devicefilters}).  Where nobody lets us
make rules, guests may open what their user may.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from twisted.logger import Logger

from pyvirt.drivers.qemu.devicefilters import Filter
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
        self, filter: Filter, always: Iterable[str] | None, needed: Callable[[], Rules]
    ) -> None:
        """
        @param filter: what keeps it from devices.
        @param always: what guests may open whatever they are made of; None: nobody says.
        @param needed: returns what the guest is made of now.
        """
        self._filter = filter
        self._always = ALWAYS if always is None else tuple(always)
        self._needed = needed

    def begin(self) -> bool:
        """
        Confine a guest that does not run yet.

        @return: False where it cannot be.
        """
        try:
            self._filter.begin()
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
        return self._filter.isThere()

    def allow(self, rules: Rules) -> None:
        """Let the guest open what it is about to get."""
        for device, access in rules.items():
            try:
                self._filter.allow(device, access)
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
                self._filter.deny(device, which)
            except VirtError as error:
                log.warn("{error}", error=error)
