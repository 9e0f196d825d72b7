"""
The tools of virt-manager's makers on the test driver: guests are installed, cloned and edited as on libvirtd.
"""

from __future__ import annotations

import shutil

from twisted.trial.unittest import SkipTest

from .support import ComparisonCase, Daemon, Outcome, run

COMMANDS = [
    "virt-install --connect URI --name v1 --memory 64 --vcpus 2 --disk none --import --osinfo generic "
    "--noautoconsole --dry-run --print-xml --network network=default,mac=52:54:00:11:22:33",
    "virt-install --connect URI --name v1 --memory 64 --disk none --pxe --osinfo generic "
    "--noautoconsole --network network=default,mac=52:54:00:11:22:33 --graphics vnc",
    "virt-install --connect URI --name test --memory 64 --disk none --pxe --osinfo generic",
    "virt-clone --connect URI --original absent --auto-clone",
    "virt-xml --connect URI test --edit --memory 128 --print-diff",
    "virt-xml --connect URI test --edit --cpu host-model --define",
    "virt-xml --connect URI absent --edit --memory 5",
]


class ToolTests(ComparisonCase):
    """
    Each command line on both sides.
    """

    def test_tools(self) -> None:
        """
        What they print and how they end is the same.
        """
        if shutil.which("virt-install") is None:
            raise SkipTest("virt-install is not installed (virtinst)")
        for command in COMMANDS:

            def act(daemon: Daemon, command: str = command) -> Outcome:
                words = command.replace("URI", daemon.uri()).split()
                return run(words, cwd=daemon.folder)

            self.assertSame(command, act)
