"""
Which reactor a daemon runs on: that of L{pyvirt.daemon.epollreactor}, unless the command line has chosen another.

If the daemon listens for neither TLS nor SSH it is made without OpenSSL, which would be a quarter of its memory.
Twisted's reactor loads OpenSSL if it can, for C{startTLS} and C{connectSSL} of its own transports.  Nothing here uses
those: where a connection is encrypted, by our doors or by HTTP clients, that is done by a protocol between, which
imports OpenSSL when it is first wanted, and still can.
"""

from __future__ import annotations

import sys
from typing import Any

__all__ = ["daemonReactor"]


def daemonReactor(*, encrypted: bool) -> Any:
    """
    Return the reactor.

    One that was chosen on the command line, or is there already, stays what it is.

    @param encrypted: whether OpenSSL is needed anyhow.
    """
    if "twisted.internet.reactor" not in sys.modules:
        hidden = not (
            encrypted or "twisted.internet.tcp" in sys.modules or "OpenSSL" in sys.modules
        )
        if hidden:
            sys.modules["OpenSSL"] = None  # type: ignore[assignment]  # importing it fails, as if it were not installed
        try:
            _install()
        finally:
            if hidden:
                del sys.modules["OpenSSL"]
    from twisted.internet import reactor

    return reactor


def _install() -> None:
    try:
        from pyvirt.daemon.epollreactor import install
    except ImportError:  # another system than Linux
        from twisted.internet.default import install
    install()
