"""
What only LXC has, under the names of the Python binding's C{libvirt_lxc}.
"""

from pyvirt.client.lxc import lxcEnterCGroup, lxcOpenNamespace

__all__ = ["lxcEnterCGroup", "lxcOpenNamespace"]
