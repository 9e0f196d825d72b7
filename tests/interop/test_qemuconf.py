"""
qemu.conf: what a file says makes the same command lines here and there.
"""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

from twisted.trial.unittest import TestCase

from tests.interop.qemuworld import LibvirtWorld, PyvirtWorld, World

_SECRET = "11111111-2222-3333-4444-5555555555aa"

#: Keys that libvirtd and we turn into arguments.
CONF = f"""
stdio_handler = "file"
security_driver = "none"
user = "root"
group = "root"
namespaces = []
log_timestamp = 0
seccomp_sandbox = 0
deprecation_behavior = "omit"
gluster_debug_level = 7
dump_guest_core = 1
chardev_tls = 1
chardev_tls_x509_verify = 0
chardev_tls_x509_secret_uuid = "{_SECRET}"
nbd_tls = 1
nbd_tls_x509_cert_dir = "/etc"
vnc_tls = 1
default_tls_x509_verify = 1
vnc_sasl = 1
vnc_sasl_dir = "/tmp/a"
vnc_password = ""
spice_auto_unix_socket = 1
spice_sasl = 1
spice_sasl_dir = "/tmp/b"
no_such_key = "x"
"""

_GUEST = """<domain type='qemu'><name>g</name><uuid>11111111-2222-3333-4444-555555555551</uuid>
<memory unit='MiB'>32</memory><vcpu>1</vcpu><os><type arch='x86_64' machine='pc'>hvm</type></os>
<devices><emulator>/usr/bin/qemu-system-x86_64</emulator>
<disk type='network'><driver type='raw'/><source protocol='nbd' name='x'><host name='h' port='1'/></source><target dev='vda'/></disk>
<disk type='network'><driver type='raw'/><source protocol='nbd' name='x' tls='no'><host name='h' port='1'/></source><target dev='vdb'/></disk>
<disk type='network'><driver type='raw'/><source protocol='gluster' name='v/x'><host name='h' port='1'/></source><target dev='vdd'/></disk>
<serial type='tcp'><source mode='bind' host='127.0.0.1' service='5555'/></serial>
<serial type='tcp'><source mode='connect' host='127.0.0.1' service='5556'/></serial>
<serial type='tcp'><source mode='connect' host='127.0.0.1' service='5557' tls='no'/></serial>
<graphics type='vnc' autoport='yes'/><graphics type='spice' autoport='yes'/>
<controller type='usb' model='none'/><memballoon model='none'/></devices></domain>"""


class ConfTests(TestCase):
    """One file, both daemons."""

    maxDiff = None

    def shown(self, world: World) -> list[str]:
        """Return the command line that a daemon would start the guest with."""
        self.addCleanup(world.stop)
        secret = world.write(
            "secret.xml",
            f"<secret ephemeral='yes'><uuid>{_SECRET}</uuid><usage type='tls'><name>x</name></usage></secret>",
        )
        self.assertEqual(world.virsh("secret-define", secret).status, 0, world.log())
        self.assertEqual(world.virsh("secret-set-value", _SECRET, "aGFsbG8=").status, 0)
        path = world.write("guest.xml", _GUEST)
        outcome = world.virsh("domxml-to-native", "qemu-argv", "--xml", path)
        text = re.sub(r'"(data|iv)":"[^"]*"', r'"\1":"?"', outcome.stdout + outcome.stderr)
        return text.split(" -")

    def test_commandLine(self) -> None:
        """A file with many keys makes one command line."""
        with ThreadPoolExecutor(2) as pool:
            worlds = pool.map(lambda kind: kind(CONF), (LibvirtWorld, PyvirtWorld))
            theirs, ours = pool.map(self.shown, worlds)
        self.assertIn("spice unix,addr", "\n".join(theirs))
        self.assertEqual(ours, theirs)
