"""
The test driver: the whole object model in memory, in the words of libvirt's own test driver.

C{test:///default} is one small host that all its connections share while at least one is open; C{test:///PATH}
is a host described by a file, private to each connection.
"""

from pyvirt.drivers.test.driver import TestConnection, TestDriver

__all__ = ["TestConnection", "TestDriver", "factory"]

factory = TestDriver
