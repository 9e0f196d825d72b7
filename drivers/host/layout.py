"""
Where the host's drivers keep their files: libvirt's own places, so that either daemon finds what the other left.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial

from pyvirt.definitions.values import definition
from pyvirt.folders import configFolder, runFolder, under

__all__ = ["HostLayout"]


@definition
class HostLayout:
    """
    Folders.

    @ivar root: the folder that stands for C{/}.
    @ivar config: definitions, each kind in a folder of its own.
    @ivar run: what is forgotten when the machine stops.
    @ivar lib: what stays.
    """

    root: str
    config: str
    run: str
    lib: str

    @classmethod
    def of(cls, root: str, privileged: bool, environment: Mapping[str, str]) -> HostLayout:
        """Work the folders out: the system's, or those of a user."""

        place = partial(under, root)
        if privileged:
            return cls(
                root=root,
                config=place("/etc/libvirt"),
                run=place("/run/libvirt"),
                lib=place("/var/lib/libvirt"),
            )
        config = place(configFolder(environment))
        return cls(
            root=root,
            config=config,
            run=place(runFolder(environment)),
            lib=os.path.join(config, "lib"),
        )

    @property
    def secrets(self) -> str:
        return os.path.join(self.config, "secrets")

    @property
    def storage(self) -> str:
        return os.path.join(self.config, "storage")

    @property
    def storageState(self) -> str:
        """Definitions of running pools."""
        return os.path.join(self.run, "storage")

    @property
    def networks(self) -> str:
        return os.path.join(self.config, "qemu", "networks")

    @property
    def networkState(self) -> str:
        """Definitions of running networks."""
        return os.path.join(self.run, "network")

    @property
    def active(self) -> dict[str, tuple[str, str]]:
        """
        Where definitions are of what starts with the host, and then of what runs: folders by the scheme of the driver.
        """
        return {
            "storage": (os.path.join(self.storage, "autostart"), self.storageState),
            "network": (os.path.join(self.networks, "autostart"), self.networkState),
        }

    @property
    def folders(self) -> tuple[str, ...]:
        """All folders of definitions, and of what is written of running objects."""
        return (
            self.secrets,
            *(each for pair in self.active.values() for each in pair),
            *(self.storage, self.networks, self.filters, self.filterBindings),
        )

    @property
    def dnsmasq(self) -> str:
        """Configurations of name servers, and the addresses they have lent."""
        return os.path.join(self.lib, "dnsmasq")

    @property
    def filters(self) -> str:
        return os.path.join(self.config, "nwfilter")

    @property
    def filterBindings(self) -> str:
        return os.path.join(self.run, "nwfilter-binding")

    @property
    def hooks(self) -> str:
        """Scripts of the administrator."""
        return os.path.join(self.config, "hooks")
