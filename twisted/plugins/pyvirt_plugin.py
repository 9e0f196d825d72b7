"""Names the daemon for twistd; loading this file imports nothing of it."""

from twisted.application.service import ServiceMaker

pyvirt = ServiceMaker("pyvirt", "pyvirt.daemon.tap", "Manage virtual machines over RPC.", "pyvirt")
