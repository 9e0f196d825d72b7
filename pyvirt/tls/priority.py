"""
GnuTLS priority strings, as C{tls_priority} holds them, translated for OpenSSL.

What can be said to OpenSSL is; what it never does anyhow may be switched off; everything else is an error that
names the word, for a demand that is passed over in silence would be a weaker connection than was asked for.

Source: GnuTLS manual, "Priority Strings".
"""

from __future__ import annotations

from typing import Any

import attrs

__all__ = ["Priority", "PriorityError", "parsePriority"]

VERSIONS = ("VERS-TLS1.2", "VERS-TLS1.3")
_CIPHERS = (
    "AES-256-GCM",
    "CHACHA20-POLY1305",
    "AES-256-CCM",
    "AES-256-CBC",
    "AES-128-GCM",
    "AES-128-CCM",
    "AES-128-CBC",
)
_EXCHANGES = ("ECDHE-ECDSA", "ECDHE-RSA", "DHE-RSA", "RSA")
_MACS = ("AEAD", "SHA1", "SHA256", "SHA384")
_NEVER = frozenset(
    (
        *("VERS-SSL3.0", "VERS-TLS1.0", "VERS-TLS1.1", "VERS-DTLS0.9", "VERS-DTLS1.0"),
        *("VERS-DTLS1.2", "VERS-DTLS-ALL"),
        *("3DES-CBC", "ARCFOUR-128", "ARCFOUR-40", "NULL", "DES-CBC", "RC2-40", "AES-192-CBC"),
        *("CAMELLIA-128-CBC", "CAMELLIA-192-CBC", "CAMELLIA-256-CBC", "CAMELLIA-128-GCM"),
        *(
            "CAMELLIA-256-GCM",
            "AES-128-CCM-8",
            "AES-256-CCM-8",
            "SALSA20-256",
            "ESTREAM-SALSA20-256",
        ),
        *("GOST28147-TC26Z-CNT", "RSA-EXPORT"),
        *("DHE-DSS", "ANON-DH", "ANON-ECDH", "PSK", "DHE-PSK", "ECDHE-PSK", "RSA-PSK", "SRP"),
        *("SRP-RSA", "SRP-DSS", "VKO-GOST-12"),
        *("MD5", "UMAC-96", "UMAC-128", "GOST28147-TC26Z-IMIT"),
        *("SIGN-RSA-MD5", "SIGN-RSA-SHA1", "SIGN-DSA-SHA1", "SIGN-DSA-SHA224", "SIGN-DSA-SHA256"),
        *("SIGN-DSA-SHA384", "SIGN-DSA-SHA512", "SIGN-ECDSA-SHA1", "COMP-DEFLATE", "CTYPE-RAWPK"),
        *("CTYPE-OPENPGP",),
    )
)
"""What this side never does: switching it off changes nothing, switching it on is refused."""

_ALWAYS = frozenset(
    ("SIGN-ALL", "GROUP-ALL", "CURVE-ALL", "COMP-NULL", "COMP-ALL", "CTYPE-X509", "CTYPE-X.509")
) | {"CTYPE-ALL", "CTYPE-SRV-ALL", "CTYPE-CLI-ALL"}
"""What this side always does."""

_OPTIONS = frozenset(
    ("COMPAT", "SAFE_RENEGOTIATION", "PARTIAL_RENEGOTIATION", "LATEST_RECORD_VERSION", "NO_TICKETS")
) | {"NO_TICKETS_TLS12", "STATELESS_COMPRESSION", "SSL3_RECORD_VERSION", "FORCE_SESSION_HASH"}
"""Options that OpenSSL does by itself, or that change nothing in TLS 1.2 and 1.3."""

_LEVELS = {"LOW": 1, "LEGACY": 1, "MEDIUM": 2, "HIGH": 3, "FUTURE": 3, "ULTRA": 4}
_STRONG = frozenset(each for each in _CIPHERS if "128" not in each)
_FORWARD = frozenset(("ECDHE-ECDSA", "ECDHE-RSA", "DHE-RSA"))
_BASES: dict[str, tuple[frozenset[str], frozenset[str], int]] = {
    "NORMAL": (frozenset(_CIPHERS), frozenset(_EXCHANGES), 1),
    "PERFORMANCE": (frozenset(_CIPHERS), frozenset(_EXCHANGES), 1),
    "PFS": (frozenset(_CIPHERS), _FORWARD, 1),
    "LEGACY": (frozenset(_CIPHERS), frozenset(_EXCHANGES), 1),
    "SECURE128": (frozenset(_CIPHERS), frozenset(_EXCHANGES), 2),
    "SECURE192": (_STRONG, frozenset(_EXCHANGES), 3),
    "SECURE256": (_STRONG, frozenset(_EXCHANGES), 3),
    "NONE": (frozenset(), frozenset(), 0),
}
_CLASSES = {
    "VERS-ALL": VERSIONS,
    "VERS-TLS-ALL": VERSIONS,
    "CIPHER-ALL": _CIPHERS,
    "KX-ALL": _EXCHANGES,
    "MAC-ALL": _MACS,
}


class PriorityError(ValueError):
    """A priority string cannot be used; the text is the reason."""


@attrs.frozen(kw_only=True)
class Priority:
    """
    What OpenSSL is told.

    @ivar versions: of L{VERSIONS}.
    @ivar ciphers: suites of TLS 1.2, in OpenSSL's form.
    @ivar suites: suites of TLS 1.3, in OpenSSL's form.
    @ivar serverChooses: whether the server's order of suites counts.
    """

    versions: frozenset[str]
    ciphers: str
    suites: str
    serverChooses: bool = False

    def apply(self, context: Any) -> None:
        """Set up an L{OpenSSL.SSL.Context}."""
        from OpenSSL import SSL

        oldest = SSL.TLS1_2_VERSION if "VERS-TLS1.2" in self.versions else SSL.TLS1_3_VERSION
        newest = SSL.TLS1_3_VERSION if "VERS-TLS1.3" in self.versions else SSL.TLS1_2_VERSION
        context.set_min_proto_version(oldest)
        context.set_max_proto_version(newest)
        if self.ciphers:
            context.set_cipher_list(self.ciphers.encode())
        if self.suites:
            context.set_tls13_ciphersuites(self.suites.encode())
        if self.serverChooses:
            context.set_options(SSL.OP_CIPHER_SERVER_PREFERENCE)


def parsePriority(text: str) -> Priority:
    """
    Translate a priority string.

    @raise PriorityError: it is none, or asks for what cannot be had.
    """
    base, *rest = text.strip().split(":")
    if base.startswith("@"):
        # The system's policy by name, or the next name of the list: what OpenSSL has as default.
        base = "NORMAL"
    if base == "SYSTEM":
        base = "NORMAL"
    if base not in _BASES and base[:1] in "+-!%" and base:
        rest.insert(0, base)
        base = "NONE"
    if base not in _BASES:
        raise PriorityError("The request is invalid.")
    startCiphers, startExchanges, level = _BASES[base]
    on = {*startCiphers, *startExchanges}
    if base != "NONE":
        on.update(VERSIONS, _MACS)
    serverChooses = False
    for word in rest:
        if word == "" or word.startswith("%"):
            option = word[1:]
            if option == "SERVER_PRECEDENCE":
                serverChooses = True
            elif option.startswith("PROFILE_") and option[8:] in _LEVELS:
                level = _LEVELS[option[8:]]
            elif option not in _OPTIONS:
                raise PriorityError(f"'{word}' cannot be had with OpenSSL")
            continue
        if word in _BASES or word.removeprefix("+") in _BASES:
            ciphers, exchanges, least = _BASES[word.removeprefix("+")]
            on.update(ciphers, exchanges, VERSIONS, _MACS)
            level = max(level, least)
            continue
        sign, name = word[0], word[1:]
        if sign not in "+-!":
            raise PriorityError("The request is invalid.")
        names = _CLASSES.get(name, (name,))
        known = names != (name,) or name in {*VERSIONS, *_CIPHERS, *_EXCHANGES, *_MACS}
        if known and sign == "+":
            on.update(names)
        elif known:
            on.difference_update(names)
        elif (sign == "+" and name in _ALWAYS) or (sign != "+" and name in _NEVER):
            continue
        else:
            raise PriorityError(f"'{word}' cannot be had with OpenSSL")
    return _made(on, level, serverChooses)


def _made(on: set[str], level: int, serverChooses: bool) -> Priority:
    versions = {each for each in VERSIONS if each in on}
    twelve = []
    for cipher in (each for each in _CIPHERS if each in on):
        for exchange in (each for each in _EXCHANGES if each in on):
            twelve += _suites(cipher, exchange, on)
    thirteen = [
        suite
        for name, suite in (
            ("AES-256-GCM", "TLS_AES_256_GCM_SHA384"),
            ("CHACHA20-POLY1305", "TLS_CHACHA20_POLY1305_SHA256"),
            ("AES-128-GCM", "TLS_AES_128_GCM_SHA256"),
            ("AES-128-CCM", "TLS_AES_128_CCM_SHA256"),
        )
        if name in on and "AEAD" in on
    ]
    if not twelve:
        versions.discard("VERS-TLS1.2")
    if not thirteen:
        versions.discard("VERS-TLS1.3")
    if not versions:
        raise PriorityError("No or insufficient priorities were set.")
    ciphers = ":".join(twelve) if "VERS-TLS1.2" in versions else ""
    if level:
        ciphers = f"{ciphers or 'DEFAULT'}:@SECLEVEL={level}"
    return Priority(
        versions=frozenset(versions),
        ciphers=ciphers,
        suites=":".join(thirteen) if "VERS-TLS1.3" in versions else "",
        serverChooses=serverChooses,
    )


def _suites(cipher: str, exchange: str, on: set[str]) -> list[str]:
    prefix = "" if exchange == "RSA" else f"{exchange}-"
    if cipher == "CHACHA20-POLY1305":
        return [f"{prefix}{cipher}"] if "AEAD" in on and prefix else []
    _, bits, mode = cipher.split("-")
    if mode == "CBC":
        found = []
        if "SHA384" in on and bits == "256" and exchange.startswith("ECDHE"):
            found.append(f"{prefix}AES256-SHA384")
        if "SHA256" in on and not (bits == "256" and exchange.startswith("ECDHE")):
            found.append(f"{prefix}AES{bits}-SHA256")
        if "SHA1" in on:
            found.append(f"{prefix}AES{bits}-SHA")
        return found
    if "AEAD" not in on:
        return []
    if mode == "CCM":
        return [] if exchange == "ECDHE-RSA" else [f"{prefix}AES{bits}-CCM"]
    return [f"{prefix}AES{bits}-GCM-SHA{'384' if bits == '256' else '256'}"]
