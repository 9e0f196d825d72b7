"""The tests: trial finds them below this package, real peers are in L{tests.interop}."""

import os

# Daemons that tests start leave the guests of the machine they run on alone.
os.environ.setdefault("PYVIRT_WITHOUT_DRIVERS", "host qemu")
