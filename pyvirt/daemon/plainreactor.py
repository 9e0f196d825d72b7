"""
The reactor of a daemon that listens for neither TLS nor SSH: made without OpenSSL, which would be a quarter of its memory.

Twisted's reactor loads OpenSSL if it can, for C{startTLS} and C{connectSSL} of its own transports.  Nothing here uses
those: where a connection is encrypted, by our doors or by HTTP clients, that is done by a protocol between, which
imports OpenSSL when it is first wanted, and still can.
"""

from __future__ import annotations

import sys
from typing import Any

__all__ = ["plainReactor"]


def plainReactor() -> Any:
    """
    Return the reactor.

    One that was chosen on the command line, or is there already, stays what it is.
    """
    if "twisted.internet.tcp" in sys.modules or "OpenSSL" in sys.modules:
        from twisted.internet import reactor
    else:
        sys.modules["OpenSSL"] = None  # type: ignore[assignment]  # importing it fails, as if it were not installed
        try:
            from twisted.internet import reactor
        finally:
            del sys.modules["OpenSSL"]
    return reactor
