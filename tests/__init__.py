"""The tests: trial finds them below this package, real peers are in L{tests.interop}."""

import os
import sys

# Daemons that tests start leave the guests of the machine they run on alone.
os.environ.setdefault("PYVIRT_WITHOUT_DRIVERS", "host qemu")

# They start hundreds of times: as for any user, what Python has compiled once it keeps.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
