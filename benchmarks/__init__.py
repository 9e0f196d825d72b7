"""
Speed beside libvirtd's, on the same machine in the same run: C{make bench}, or C{python -m benchmarks}.

Absolute numbers depend on the machine and say little; the ratios are what counts.  Sides are measured in turn,
round after round, and the median of each is compared.
"""

import os

# The daemons that are measured serve the test driver.
os.environ.setdefault("PYVIRT_WITHOUT_DRIVERS", "host qemu")
