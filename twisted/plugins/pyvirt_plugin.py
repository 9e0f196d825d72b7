"""Names the daemons for twistd; loading this file imports nothing of them."""

from twisted.application.service import ServiceMaker

pyvirt = ServiceMaker("pyvirt", "pyvirt.daemon.tap", "Manage virtual machines over RPC.", "pyvirt")
lockd = ServiceMaker(
    "pyvirt-lockd", "pyvirt.locking.tap", "Hold leases on disks, as virtlockd does.", "pyvirt-lockd"
)
