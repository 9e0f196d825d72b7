"""
Leases in an etcd store, through its HTTP gateway (/v3), which speaks JSON with keys and values in base 64.

A guest has one etcd lease, which must be kept alive; what it holds are keys that live as long as that lease.  An
exclusive holder has the key C{<prefix>/<resource>/x}, shared ones have C{<prefix>/<resource>/s/<lease>}; a
transaction makes all the keys of a guest or none.

The standard library alone, for the launcher and the guard of a guest, which it is started with, use it too.
It blocks.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import os
import ssl
from typing import Any
from urllib.parse import urlsplit

__all__ = ["EtcdClient", "EtcdError", "Held", "keyOf"]

_LARGEST = 1 << 20


class EtcdError(Exception):
    """No endpoint gave a usable answer."""


class Held(Exception):
    """Somebody else holds what was asked for; the text is the resource's name."""


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode()


def keyOf(prefix: str, name: str) -> bytes:
    """Where the keys of a resource begin."""
    return f"{prefix}/{hashlib.sha256(os.fsencode(name)).hexdigest()}".encode()


class EtcdClient:
    """The store, at any of its endpoints."""

    def __init__(
        self,
        endpoints: list[str],
        *,
        prefix: str = "/pyvirt/locks",
        timeout: float = 5.0,
        ca: str | None = None,
        certificate: str | None = None,
        key: str | None = None,
    ) -> None:
        """
        @param endpoints: URLs, C{http} or C{https}, tried in order; the one that answered is tried first next.
        @param timeout: seconds that each may take.
        @param ca: file of certificates that an endpoint's must be signed by; None: the system's.
        @param certificate: file of ours, if the store wants one, and C{key} that of its private key.
        @raise ValueError: an endpoint is no such URL.
        """
        for each in endpoints:
            parts = urlsplit(each)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise ValueError(f"endpoint '{each}' is no http or https URL")
        if not endpoints:
            raise ValueError("there are no endpoints")
        self.endpoints = list(endpoints)
        self.prefix = prefix
        self.timeout = timeout
        self._context: ssl.SSLContext | None = None
        if any(each.startswith("https") for each in endpoints):
            self._context = ssl.create_default_context(cafile=ca)
            if certificate:
                self._context.load_cert_chain(certificate, key)

    def ask(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """
        Make one request.

        @raise EtcdError: nobody answers it.
        """
        problems = []
        for endpoint in list(self.endpoints):
            try:
                answer = self._askOne(endpoint, path, body)
            except (OSError, http.client.HTTPException, ValueError) as problem:
                problems.append(f"{endpoint}: {problem}")
                continue
            self.endpoints.remove(endpoint)
            self.endpoints.insert(0, endpoint)
            return answer
        raise EtcdError("; ".join(problems))

    def _askOne(self, endpoint: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        parts = urlsplit(endpoint)
        assert parts.hostname is not None
        connection: http.client.HTTPConnection
        if parts.scheme == "https":
            connection = http.client.HTTPSConnection(
                parts.hostname, parts.port or 2379, timeout=self.timeout, context=self._context
            )
        else:
            connection = http.client.HTTPConnection(
                parts.hostname, parts.port or 2379, timeout=self.timeout
            )
        try:
            connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
            response = connection.getresponse()
            data = response.read(_LARGEST)
        finally:
            connection.close()
        if response.status != 200:
            raise ValueError(f"status {response.status}: {data[:200].decode('utf-8', 'replace')}")
        answer = json.loads(data)
        if not isinstance(answer, dict):
            raise ValueError("the answer is no object")
        return answer

    def grant(self, seconds: int) -> int:
        """Make a lease that ends unless it is kept alive every so many seconds."""
        return int(self.ask("/v3/lease/grant", {"TTL": seconds})["ID"])

    def keepAlive(self, lease: int) -> int:
        """Keep a lease alive; return the seconds it has now, 0: it has ended."""
        answer = self.ask("/v3/lease/keepalive", {"ID": str(lease)})
        return int(answer.get("result", {}).get("TTL", 0))

    def revoke(self, lease: int) -> None:
        """End a lease, and with it all its keys."""
        self.ask("/v3/lease/revoke", {"ID": str(lease)})

    def acquire(self, lease: int, resources: list[tuple[str, bool]], value: str) -> None:
        """
        Make the keys of some resources, all or none; those that hang on the lease already are there.

        @param resources: names, and whether each is shared.
        @param value: what others read who want to know the holder.
        @raise Held: somebody else has one.
        """
        compare, success = [], []
        for name, shared in resources:
            base = keyOf(self.prefix, name)
            exclusive = base + b"/x"
            # Whoever shares minds an exclusive holder; whoever does not minds anybody.
            area = (
                {"key": _encode(exclusive)}
                if shared
                else {"key": _encode(base + b"/"), "range_end": _encode(base + b"0")}
            )
            compare.append({**area, "target": "CREATE", "result": "EQUAL", "create_revision": "0"})
            key = base + b"/s/%x" % lease if shared else exclusive
            success.append(
                {
                    "request_put": {
                        "key": _encode(key),
                        "value": _encode(value.encode()),
                        "lease": str(lease),
                    }
                }
            )
        answer = self.ask("/v3/kv/txn", {"compare": compare, "success": success})
        if answer.get("succeeded"):
            return
        # An answer that did not get here leaves keys behind that nobody knows of.
        missing = [each for each in resources if not self._has(lease, *each)]
        if len(missing) == len(resources):
            raise Held(self._holder(resources))
        if missing:
            self.acquire(lease, missing, value)

    def _has(self, lease: int, name: str, shared: bool) -> bool:
        """Whether a lease has a resource."""
        base = keyOf(self.prefix, name)
        key = base + b"/s/%x" % lease if shared else base + b"/x"
        found = self.ask("/v3/kv/range", {"key": _encode(key)}).get("kvs") or ()
        return any(str(each.get("lease")) == str(lease) for each in found)

    def _holder(self, resources: list[tuple[str, bool]]) -> str:
        """Name the resource that somebody else has; the first one, should that have changed meanwhile."""
        for name, shared in resources:
            base = keyOf(self.prefix, name)
            area = (
                {"key": _encode(base + b"/x")}
                if shared
                else {"key": _encode(base + b"/"), "range_end": _encode(base + b"0")}
            )
            if int(self.ask("/v3/kv/range", {**area, "count_only": True}).get("count", 0)):
                return name
        return resources[0][0]

    def release(self, lease: int, resources: list[tuple[str, bool]]) -> None:
        """Remove the keys of some resources that hang on a lease; others' stay."""
        for name, shared in resources:
            base = keyOf(self.prefix, name)
            key = _encode(base + b"/s/%x" % lease if shared else base + b"/x")
            self.ask(
                "/v3/kv/txn",
                {
                    "compare": [
                        {"key": key, "target": "LEASE", "result": "EQUAL", "lease": str(lease)}
                    ],
                    "success": [{"request_delete_range": {"key": key}}],
                },
            )
