"""
Access control with stock clients: what a policy does not allow is refused in libvirt's words.

What libvirtd 9.0.0 says was observed with its QEMU driver and polkit, for its test driver checks nothing.
"""

from __future__ import annotations

import os
import stat

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.interop.support import PyvirtDaemon, requireVirsh, run

POLICY = """
[roles.viewer]
allow = ["connect:getattr", "connect:read", "connect:search_domains", "domain:getattr", "domain:read"]
[roles.own]
allow = ["domain:*", "connect:write"]
[[grants]]
to = ["user:65534"]
roles = ["viewer"]
objects = { domain = ["test"] }
[[grants]]
to = ["user:65534"]
roles = ["own"]
owned = true
"""


class VirshTests(SynchronousTestCase):
    """virsh, run by somebody who may do little."""

    def setUp(self) -> None:
        requireVirsh()
        if os.geteuid() != 0:
            raise SkipTest("only root can be another user")

    def start(self, text: str) -> PyvirtDaemon:
        path = os.path.abspath(self.mktemp())
        with open(path, "w") as file:
            file.write(text)
        root = os.path.abspath(self.mktemp())
        os.makedirs(root)
        daemon = PyvirtDaemon(
            [
                'access_drivers = ["policy"]',
                f'access_policy_file = "{path}"',
                'unix_sock_rw_perms = "0777"',
            ]
        )
        self.addCleanup(daemon.stop)
        os.chmod(daemon.folder, stat.S_IMODE(os.stat(daemon.folder).st_mode) | 0o055)
        return daemon

    def ask(self, daemon: PyvirtDaemon, *lines: str) -> list[str]:
        """What virsh says to each line, as another user."""
        found = []
        for line in lines:
            command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
            outcome = run([*command, requireVirsh(), "-c", daemon.uri(), line], cwd=daemon.folder)
            found.append(" ".join((outcome.stdout + outcome.stderr).split()))
        return found

    def test_refusals(self) -> None:
        """Reading is allowed, changing is not; nothing of other objects can be seen."""
        daemon = self.start(POLICY)
        denied = "error: access denied: 'Test' denied access"
        answers = self.ask(
            daemon,
            "list --name",
            "domstate test",
            "destroy test",
            "dumpxml test --security-info",
            "net-list --all",
            "pool-info default-pool",
            "nodesuspend mem 60",
        )
        self.assertEqual(answers[:2], ["test", "running"])
        self.assertEqual(
            answers[2:],
            [
                f"error: Failed to destroy domain 'test' {denied}",
                denied,
                f"error: Failed to list networks {denied}",
                f"error: failed to get pool 'default-pool' {denied}",
                f"error: The host was not suspended {denied}",
            ],
        )

    def test_nothingToSee(self) -> None:
        """Without a grant there is no connection; root needs none."""
        daemon = self.start("")
        self.assertEqual(
            self.ask(daemon, "list"),
            [
                "error: failed to connect to the hypervisor error: access denied: 'Test' denied access"
            ],
        )
        outcome = run([requireVirsh(), "-c", daemon.uri(), "list", "--name"])
        self.assertEqual(outcome.stdout.split(), ["test"])
