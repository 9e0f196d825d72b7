"""
Routes: the table between the wire and the contracts of drivers.

The client and the daemon both speak in procedures; a L{Router} does for a connection what libvirt's public
functions do: check the arguments, refuse what a read-only connection may not do, call the contract's method,
shape its answer.
"""

from pyvirt.routes.checks import check
from pyvirt.routes.kinds import DescriptorAnswer, StreamAnswer
from pyvirt.routes.outcomes import PROGRAMS, Outcome, outcome
from pyvirt.routes.router import NotRouted, Router

__all__ = [
    "PROGRAMS",
    "DescriptorAnswer",
    "NotRouted",
    "Outcome",
    "Router",
    "StreamAnswer",
    "check",
    "outcome",
]
