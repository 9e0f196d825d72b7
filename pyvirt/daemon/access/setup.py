"""
Access control as a configuration asks for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyvirt.daemon.access.guard import IPolicy
from pyvirt.daemon.config import Config
from pyvirt.daemon.paths import Paths
from pyvirt.folders import under

if TYPE_CHECKING:
    from pyvirt.daemon.access.policies import FilePolicy
    from pyvirt.daemon.access.polkit import Polkit

__all__ = ["Access"]


class Access:
    """
    What decides about clients of a daemon.

    @ivar policy: who may do what; None: everybody everything.
    @ivar polkit: who may come in, where the configuration leaves that to it; else None.
    @ivar file: the policy file's part of C{policy}, or None.
    """

    def __init__(self, config: Config, paths: Paths, reactor: Any) -> None:
        """
        @raise PolicyError: the policy file cannot be used.
        """
        drivers = [each for each in config.accessDrivers if each != "none"]
        wanted = "polkit" in drivers or "polkit" in (config.authUnixRW, config.authUnixRO)
        self.polkit: Polkit | None = None
        if wanted:
            from pyvirt.daemon.access.polkit import Polkit, PolkitPolicy, runner
            from pyvirt.process import Processes

            self.polkit = Polkit(runner(Processes(reactor)))
        self.file: FilePolicy | None = None
        policies: list[IPolicy] = []
        for driver in drivers:
            if driver == "polkit" and self.polkit is not None:
                policies.append(PolkitPolicy(self.polkit, reactor))
            elif driver == "policy" and config.accessPolicyFile is not None:
                from pyvirt.daemon.access.owners import Owners
                from pyvirt.daemon.access.policies import FilePolicy

                path = under(paths.root, config.accessPolicyFile)
                self.file = FilePolicy(path, Owners(paths.ownersFile))
                policies.append(self.file)
        self.policy: IPolicy | None = None
        if len(policies) > 1:
            from pyvirt.daemon.access.policies import AllOf

            self.policy = AllOf(policies)
        elif policies:
            self.policy = policies[0]

    def reload(self) -> None:
        """
        Read the policy file again.

        @raise PolicyError: it cannot be used; what it said before holds.
        """
        if self.file is not None:
            self.file.reload()
