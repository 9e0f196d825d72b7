"""What a daemon loads before anybody has asked for it: memory that idle hosts would pay for."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile

from twisted.trial.unittest import SynchronousTestCase

_DAEMON = """
import sys
from pyvirt.daemon.tap import Options, makeService
options = Options()
options.parseOptions(["--config", sys.argv[1], "--root", sys.argv[2]])
service = makeService(options)
from twisted.internet import reactor

def started(_):
    print(*sorted(sys.modules))
    if len(sys.argv) > 3:
        opening = service.drivers.open(sys.argv[3])
        opening.addCallback(lambda connection: print(connection.uri, *sorted(sys.modules)))
        opening.addErrback(print)
        opening.addBoth(lambda _: connected())
    else:
        connected()

def connected():
    service.stopService().addBoth(lambda _: reactor.stop())

def failed(reason):
    print(reason)
    reactor.stop()

service.started.addCallbacks(started, failed)
reactor.callWhenRunning(service.startService)
reactor.run()
"""

_REACTOR = """
import sys
from pyvirt.daemon.reactors import daemonReactor
reactor = daemonReactor(encrypted=False)
assert "OpenSSL" not in sys.modules and "cryptography" not in sys.modules
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.ssl import optionsForClientTLS
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.protocols.tls import TLSMemoryBIOFactory
wrapped = wrapClientTLS(optionsForClientTLS("example.org"), HostnameEndpoint(reactor, "example.org", 443))
assert IStreamClientEndpoint.providedBy(wrapped)
assert daemonReactor(encrypted=True) is reactor
print("good")
"""


_GUESTS = """
import sys
from pyvirt.daemon.reactors import daemonReactor
daemonReactor(encrypted=False)
import pyvirt.drivers.qemu.ending
import pyvirt.drivers.qemu.reconnecting
import pyvirt.drivers.qemu.starting
print(*sorted(sys.modules))
"""


def _run(script: str, *arguments: str) -> list[str]:
    environment = {
        **os.environ,
        "PYVIRT_WITHOUT_DRIVERS": "",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        env=environment,
    )
    if done.returncode:
        raise AssertionError(done.stderr)
    return done.stdout.splitlines()


class FootprintTests(SynchronousTestCase):
    """Modules of a daemon of its own."""

    def setUp(self) -> None:
        # Addresses of sockets are short.
        self.root = tempfile.mkdtemp(prefix="pv-", dir="/tmp")
        self.addCleanup(shutil.rmtree, self.root)
        self.config = os.path.join(self.root, "daemon.conf")
        with open(self.config, "w") as file:
            file.write('unix_sock_dir = "/run"\n')

    def test_nothingDefined(self) -> None:
        """Where nothing is defined neither the hypervisor nor the host's drivers nor TLS are loaded."""
        (line,) = _run(_DAEMON, self.config, self.root)
        modules = set(line.split())
        for name in (
            "OpenSSL",
            "cryptography",
            "pyvirt.drivers.remote",
            "pyvirt.drivers.qemu.hypervisor",
            "pyvirt.drivers.host.storage",
            "pyvirt.drivers.host.networks",
            "pyvirt.drivers.host.nwfilters",
        ):
            self.assertNotIn(name, modules)
        self.assertIn("pyvirt.drivers.qemu.driver", modules)

    def test_opened(self) -> None:
        """Who opens the hypervisor gets it all the same."""
        path = "system" if os.geteuid() == 0 else "session"
        _, line = _run(_DAEMON, self.config, self.root, f"qemu:///{path}")
        uri, *modules = line.split()
        self.assertEqual(uri, f"qemu:///{path}")
        self.assertIn("pyvirt.drivers.qemu.hypervisor", modules)

    def test_defined(self) -> None:
        """What starts with the host is read at the start; what is only defined when somebody asks for it."""
        if os.geteuid() != 0:
            folder = os.path.join(self.root, os.environ["HOME"].lstrip("/"), ".config/libvirt")
        else:
            folder = os.path.join(self.root, "etc/libvirt")
        os.makedirs(os.path.join(folder, "storage", "autostart"))
        path = os.path.join(folder, "storage", "p.xml")
        with open(path, "w") as file:
            file.write(
                "<pool type='dir'><name>p</name><uuid>16170e54-d7da-4e4f-a7b5-6c4f5d5bb4dc</uuid>"
                "<target><path>/nowhere</path></target></pool>"
            )
        (line,) = _run(_DAEMON, self.config, self.root)
        self.assertNotIn("pyvirt.drivers.host.storage", line.split())
        os.symlink(path, os.path.join(folder, "storage", "autostart", "p.xml"))
        (line,) = _run(_DAEMON, self.config, self.root)
        modules = set(line.split())
        self.assertIn("pyvirt.drivers.host.storage", modules)
        self.assertNotIn("pyvirt.drivers.host.networks", modules)

    def test_guests(self) -> None:
        """What starts guests, finds them again and talks to them needs no OpenSSL."""
        (line,) = _run(_GUESTS)
        modules = set(line.split())
        self.assertIn("pyvirt.drivers.qemu.connecting", modules)
        for name in ("OpenSSL", "cryptography", "twisted.internet.endpoints"):
            self.assertNotIn(name, modules)

    def test_testDriver(self) -> None:
        """Who opens the default test host waits only for its domain: all else is placed when it is looked at."""
        _, line = _run(_DAEMON, self.config, self.root, "test:///default")
        uri, *modules = line.split()
        self.assertEqual(uri, "test:///default")
        self.assertIn("pyvirt.drivers.test.defaults", modules)
        for name in ("networks", "pools", "hostinterfaces", "nodedevices"):
            self.assertNotIn(f"pyvirt.drivers.test.{name}", modules)

    def test_reactor(self) -> None:
        """A reactor that was made without TLS is no hindrance to those who wrap connections in it."""
        self.assertEqual(_run(_REACTOR), ["good"])
