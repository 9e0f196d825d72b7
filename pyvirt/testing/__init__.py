"""
For tests of programs that talk to libvirt, and of drivers.

 - L{memoryConnection}: the real client and the real daemon without sockets or processes, on a clock of the test's.
 - L{DaemonProcess}: a real daemon on a socket of its own, for programs in any language.
 - L{FakeQEMU}: an emulator that runs nothing, and goes wrong when it is told to.
 - L{DryRun}: commands that are written down instead of run.
 - L{pyvirt.testing.suites}: what every driver must do, as test cases to mix in.
 - L{assertContract}: whether a class has what a contract says.

C{docs/testing-your-tool.md} is the guide.
"""

from pyvirt.testing.contracts import assertContract
from pyvirt.testing.daemon import MemoryDaemon, memoryDaemon
from pyvirt.testing.dryrun import DryRun
from pyvirt.testing.fakeqemu import FakeQEMU
from pyvirt.testing.memory import MemoryConnection, memoryConnection
from pyvirt.testing.process import DaemonProcess

__all__ = [
    "DaemonProcess",
    "DryRun",
    "FakeQEMU",
    "MemoryConnection",
    "MemoryDaemon",
    "assertContract",
    "memoryConnection",
    "memoryDaemon",
]
