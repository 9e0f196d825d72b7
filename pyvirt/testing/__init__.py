"""
For tests of programs that use pyvirt: the real client and the real daemon without sockets or processes.
"""

from pyvirt.testing.daemon import MemoryDaemon, memoryDaemon

__all__ = ["MemoryDaemon", "memoryDaemon"]
