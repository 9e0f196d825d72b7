"""
SASL as libvirt's wire carries it: the mechanisms of both sides, and what binds a login to its TLS channel.

Source: RFC 4422 (SASL), 5802 and 7677 (SCRAM), 4616 (PLAIN), 4752 (GSSAPI), 5929 (channel bindings).
"""

from __future__ import annotations

__all__ = ["KNOWN", "OFFERED"]

OFFERED = ("SCRAM-SHA-256", "SCRAM-SHA-512", "EXTERNAL", "PLAIN")
"""
The mechanisms that a daemon has when it is not told which, the best one first.

SCRAM is offered with a binding too where there is a channel to bind to.
"""

KNOWN = ("GSSAPI", *OFFERED)
"""
All mechanisms that a daemon can have.

GSSAPI is for those who have Kerberos: stock clients that know of it and have no ticket try nothing else.
"""
