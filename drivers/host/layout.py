"""
Where the host's drivers keep their files: libvirt's own places, so that either daemon finds what the other left.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

import attrs

__all__ = ["HostLayout"]


@attrs.frozen(kw_only=True)
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

        def under(path: str) -> str:
            return path if root == "/" else os.path.join(root, path.lstrip("/"))

        if privileged:
            return cls(
                root=root,
                config=under("/etc/libvirt"),
                run=under("/run/libvirt"),
                lib=under("/var/lib/libvirt"),
            )
        home = environment.get("HOME", "/")

        def user(variable: str, fallback: str) -> str:
            given = environment.get(variable, "")
            base = given if given.startswith("/") else os.path.join(home, fallback)
            return under(os.path.join(base, "libvirt"))

        config = user("XDG_CONFIG_HOME", ".config")
        return cls(
            root=root,
            config=config,
            run=user("XDG_RUNTIME_DIR", ".cache"),
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
