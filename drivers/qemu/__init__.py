"""
The QEMU driver: real virtual machines, run by QEMU and spoken to through its monitor.

The package has a pure part and a part that acts.  Pure: L{command} turns a definition into a command line,
L{capabilities} reads what a binary says of itself, L{complete} fills in what a definition leaves open.  What
acts: L{qmp} and L{agent} speak, L{starting} brings guests to life, L{reconnecting} finds them again, and one
module for each family of operations does what the contracts say.
"""

from pyvirt.drivers.qemu.driver import QEMUConnection, QEMUDriver

__all__ = ["QEMUConnection", "QEMUDriver", "factory"]

factory = QEMUDriver
