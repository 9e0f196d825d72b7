"""
Leases in an etcd store, through its HTTP gateway (/v3), which speaks JSON with keys and values in base 64.

A guest has one etcd lease, which must be kept alive; what it holds are keys that live as long as that lease.  An
exclusive holder has the key C{<prefix>/<resource>/x}, shared ones have C{<prefix>/<resource>/s/<lease>}; a
transaction makes all the keys of a guest or none.

A request that nobody waits for any more may be done yet, and late: so a key is removed only as it was when that was
asked for, and one that is had again becomes another.

A store that knows nothing may have known of guests that run.  C{<prefix>/epoch} says of which cluster the keys are;
where it is missing, or names another, nothing is leased before those guests have found out: C{<prefix>/fresh} lasts so
long.

The standard library alone, for the launcher and the guard of a guest, which it is started with, use it too.
It blocks.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import SplitResult, urlsplit

__all__ = ["EtcdClient", "EtcdError", "Fresh", "Held", "keyOf"]

_LARGEST = 1 << 20

#: Seconds between two looks at a store that leases nothing yet, and how long such a look is worth while.
_LOOK = 0.2
PATIENCE = 30.0


class EtcdError(Exception):
    """No endpoint gave a usable answer."""


class Held(Exception):
    """Somebody else holds what was asked for; the text is the resource's name."""


class Fresh(EtcdError):
    """The store may have forgotten who holds what: nothing is leased yet."""

    def __init__(self) -> None:
        super().__init__("the lock store is new, or has lost what it knew: nothing is leased yet")


class _Unauthorized(ValueError):
    """The token is missing or too old."""


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode()


def keyOf(prefix: str, name: str) -> bytes:
    """Where the keys of a resource begin."""
    return f"{prefix}/{hashlib.sha256(os.fsencode(name)).hexdigest()}".encode()


def _number(answer: Any, *names: str) -> int:
    """Return a number in an answer, 0 where there is none: the gateway leaves zeros out."""
    try:
        for name in names[:-1]:
            answer = answer.get(name, {})
        return int(answer.get(names[-1], 0))
    except (AttributeError, TypeError, ValueError):
        raise EtcdError("the answer makes no sense") from None


def _only(answer: dict[str, Any]) -> dict[str, Any] | None:
    """Return the one key in an answer, if there is one."""
    found = answer.get("kvs") or [None]
    if not isinstance(found, list) or not isinstance(found[0], dict | None):
        raise EtcdError("the answer makes no sense")
    first: dict[str, Any] | None = found[0]
    return first


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
        user: str | None = None,
        passwordFile: str | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """
        @param endpoints: URLs, C{http} or C{https}, tried in order; the one that answered is tried first next.
        @param timeout: seconds that each may take for the whole of an answer.
        @param ca: file of certificates that an endpoint's must be signed by; None: the system's.
        @param certificate: file of ours, if the store wants one, and C{key} that of its private key.
        @param user: as whom to log in; None: the store asks nobody who he is.
        @param passwordFile: its first line is the password.
        @param sleep: waits so many seconds.
        @raise ValueError: an endpoint is no such URL.
        @raise OSError: a file cannot be read.
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
        self._sleep = sleep
        self._user = user
        self._password = ""
        if user is not None and passwordFile is not None:
            with open(passwordFile, encoding="utf-8") as file:
                self._password = file.readline().rstrip("\n")
        self._token: str | None = None
        self._cluster: str | None = None
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
                answer = self._askAs(endpoint, path, body)
            except (OSError, http.client.HTTPException, ValueError, RecursionError) as problem:
                problems.append(f"{endpoint}: {problem}")
                continue
            self.endpoints.remove(endpoint)
            self.endpoints.insert(0, endpoint)
            header = answer.get("header")
            if isinstance(header, dict):
                self._cluster = str(header.get("cluster_id"))
            return answer
        raise EtcdError("; ".join(problems))

    def _askAs(self, endpoint: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Make one request as the user, who logs in if that is needed."""
        if self._user is None:
            return self._askOne(endpoint, path, body)
        if self._token is not None:
            try:
                return self._askOne(endpoint, path, body)
            except _Unauthorized:
                self._token = None
        login = {"name": self._user, "password": self._password}
        self._token = str(self._askOne(endpoint, "/v3/auth/authenticate", login).get("token"))
        return self._askOne(endpoint, path, body)

    def _askOne(self, endpoint: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        parts = urlsplit(endpoint)
        headers = {"Content-Type": "application/json"}
        if self._token is not None:
            headers["Authorization"] = self._token
        connection = http.client.HTTPConnection(parts.hostname or "")
        connection.sock = self._connect(parts)
        # Each byte may come in time, and their end never.
        late = threading.Timer(
            self.timeout, socket.socket.shutdown, (connection.sock, socket.SHUT_RDWR)
        )
        late.daemon = True
        late.start()
        try:
            if isinstance(connection.sock, ssl.SSLSocket):
                connection.sock.do_handshake()
            connection.request("POST", path, json.dumps(body), headers)
            response = connection.getresponse()
            data = response.read(_LARGEST)
        finally:
            late.cancel()
            late.join()
            connection.close()
        if response.status != 200:
            text = f"status {response.status}: {data[:200].decode('utf-8', 'replace')}"
            raise _Unauthorized(text) if response.status == 401 else ValueError(text)
        answer = json.loads(data)
        if not isinstance(answer, dict):
            raise ValueError("the answer is no object")
        return answer

    def _connect(self, parts: SplitResult) -> socket.socket:
        assert parts.hostname is not None
        made = socket.create_connection((parts.hostname, parts.port or 2379), self.timeout)
        if parts.scheme == "http":
            return made
        assert self._context is not None
        return self._context.wrap_socket(
            made, server_hostname=parts.hostname, do_handshake_on_connect=False
        )

    def grant(self, seconds: int) -> int:
        """Make a lease that ends unless it is kept alive every so many seconds."""
        lease = _number(self.ask("/v3/lease/grant", {"TTL": seconds}), "ID")
        if not lease:
            raise EtcdError("the store gave no lease")
        return lease

    def keepAlive(self, lease: int) -> int:
        """Keep a lease alive; return the seconds it has now, 0: it has ended."""
        return _number(self.ask("/v3/lease/keepalive", {"ID": str(lease)}), "result", "TTL")

    def revoke(self, lease: int) -> None:
        """End a lease, and with it all its keys."""
        self.ask("/v3/lease/revoke", {"ID": str(lease)})

    def acquire(self, lease: int, resources: list[tuple[str, bool]], value: str) -> None:
        """
        Make the keys of some resources, all or none; those that hang on the lease already are made anew.

        @param resources: names, and whether each is shared.
        @param value: what others read who want to know the holder.
        @raise Held: somebody else has one.
        @raise Fresh: nothing is leased yet; see L{settle}.
        """
        if self._cluster is None:
            self._get(self._epoch)
        compare = [
            {**self._is(self._epoch, "VALUE"), "value": _encode(str(self._cluster).encode())},
            {**self._is(self._fresh, "CREATE"), "create_revision": "0"},
        ]
        general, success = len(compare), []
        resources = list(dict.fromkeys(resources))
        for name, shared in resources:
            base = keyOf(self.prefix, name)
            # Whoever shares minds an exclusive holder; whoever does not minds anybody.
            area = {} if shared else {"range_end": _encode(base + b"0")}
            minded = self._is(base + (b"/x" if shared else b"/"), "CREATE")
            compare.append({**minded, **area, "create_revision": "0"})
            success.append(self._put(self._key(lease, name, shared), value, lease))
        if self._try(compare, success):
            return
        # An answer that did not get here leaves keys behind that nobody knows of.
        missing = [each for each in resources if not self._again(lease, *each, value)]
        if len(missing) == len(resources):
            if not self._try(compare[:general], []):
                raise Fresh
            raise Held(self._holder(resources))
        if missing:
            self.acquire(lease, missing, value)

    def settle(self, seconds: int) -> None:
        """
        Wait until the store leases what it may have forgotten that somebody has: so long after it was new.

        @raise Fresh: that is too long to wait for.
        """
        for _ in range(round(PATIENCE / _LOOK)):
            epoch = self._get(self._epoch)
            if epoch is None or epoch.get("value") != _encode(str(self._cluster).encode()):
                seen = _number(epoch or {}, "mod_revision")
                lease = self.grant(seconds)
                self._try(
                    [{**self._is(self._epoch, "MOD"), "mod_revision": str(seen)}],
                    [
                        self._put(self._epoch, str(self._cluster)),
                        self._put(self._fresh, "", lease),
                    ],
                )
            elif self._get(self._fresh) is None:
                return
            self._sleep(_LOOK)
        raise Fresh

    @property
    def _epoch(self) -> bytes:
        return f"{self.prefix}/epoch".encode()

    @property
    def _fresh(self) -> bytes:
        return f"{self.prefix}/fresh".encode()

    def _key(self, lease: int, name: str, shared: bool) -> bytes:
        return keyOf(self.prefix, name) + (b"/s/%x" % lease if shared else b"/x")

    def _is(self, key: bytes, target: str) -> dict[str, Any]:
        """Begin a comparison."""
        return {"key": _encode(key), "target": target, "result": "EQUAL"}

    def _put(self, key: bytes, value: str, lease: int = 0) -> dict[str, Any]:
        made = {"key": _encode(key), "value": _encode(value.encode()), "lease": str(lease)}
        return {"request_put": made}

    def _get(self, key: bytes) -> dict[str, Any] | None:
        return _only(self.ask("/v3/kv/range", {"key": _encode(key)}))

    def _try(self, compare: list[dict[str, Any]], success: list[dict[str, Any]]) -> bool:
        """Change something if all comparisons say so; return whether they did."""
        answer = self.ask("/v3/kv/txn", {"compare": compare, "success": success})
        return answer.get("succeeded") is True

    def _again(self, lease: int, name: str, shared: bool, value: str) -> bool:
        """Make a key anew that hangs on the lease; return whether there was one."""
        key = self._key(lease, name, shared)
        mine = [{**self._is(key, "LEASE"), "lease": str(lease)}]
        return self._try(mine, [self._put(key, value, lease)])

    def _holder(self, resources: list[tuple[str, bool]]) -> str:
        """Name the resource that somebody else has; the first one, should that have changed meanwhile."""
        for name, shared in resources:
            base = keyOf(self.prefix, name)
            area = (
                {"key": _encode(base + b"/x")}
                if shared
                else {"key": _encode(base + b"/"), "range_end": _encode(base + b"0")}
            )
            if _number(self.ask("/v3/kv/range", {**area, "count_only": True}), "count"):
                return name
        return resources[0][0]

    def release(self, lease: int, resources: list[tuple[str, bool]]) -> None:
        """Remove the keys of some resources that hang on a lease, as they are now; others' stay."""
        for name, shared in resources:
            key = self._key(lease, name, shared)
            found = self._get(key)
            if found is None or _number(found, "lease") != lease:
                continue
            revision = str(_number(found, "mod_revision"))
            self._try(
                [
                    {**self._is(key, "LEASE"), "lease": str(lease)},
                    {**self._is(key, "MOD"), "mod_revision": revision},
                ],
                [{"request_delete_range": {"key": _encode(key)}}],
            )
