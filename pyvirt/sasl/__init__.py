"""
SASL as libvirt's wire carries it: the mechanisms of the client, and what binds a login to its TLS channel.

Source: RFC 4422 (SASL), 5802 and 7677 (SCRAM), 4616 (PLAIN), 5929 (channel bindings).
"""

from __future__ import annotations

__all__ = ["OFFERED"]

OFFERED = ("SCRAM-SHA-256", "SCRAM-SHA-512", "EXTERNAL", "PLAIN")
"""
The mechanisms that a daemon has, the best one first.

SCRAM is offered with a binding too where there is a channel to bind to.
"""
