"""
Command lines of QEMU read back into definitions (C{virsh domxml-from-native}).
"""

from pyvirt.drivers.qemu.native.reading import readNative

__all__ = ["readNative"]
