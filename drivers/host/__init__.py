"""
The drivers beside that of a hypervisor: what the host itself has, secrets, storage and the like.

Their operations are on every connection to a hypervisor of this host, and on connections of their own such as
C{secret:///system}.  L{host} holds what they share, L{components} says which class does the operations of which
contract.
"""

from pyvirt.drivers.host.driver import HostConnection, HostDriver

__all__ = ["HostConnection", "HostDriver", "factory"]

factory = HostDriver
