"""
For tests of programs that use pyvirt: the real client and the real daemon without sockets or processes.
"""

from pyvirt.testing.daemon import MemoryDaemon, memoryDaemon
from pyvirt.testing.memory import MemoryConnection, memoryConnection

__all__ = ["MemoryConnection", "MemoryDaemon", "memoryConnection", "memoryDaemon"]
