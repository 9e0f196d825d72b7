"""
The stock binding's work by C{pyvirt.blocking}: the same script with another module in the binding's place.

Arguments, and what it prints, are those of L{benchmarks.stock}.
"""

from __future__ import annotations

import os
import runpy
import sys

import pyvirt.blocking

if __name__ == "__main__":
    sys.modules["libvirt"] = pyvirt.blocking
    runpy.run_path(
        os.path.join(os.path.dirname(os.path.abspath(__file__)), "stock.py"), run_name="__main__"
    )
