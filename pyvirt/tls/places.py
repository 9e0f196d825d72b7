"""
Where certificates lie unless something else is said: libvirt's own places.
"""

from __future__ import annotations

import os

import attrs

__all__ = ["Places", "clientPlaces", "serverPlaces"]


@attrs.frozen(kw_only=True)
class Places:
    """
    The files of one end.

    @ivar authority: certificates of the authorities that it trusts.
    @ivar revocations: certificates that it does not take any more, None: no such list.
    @ivar certificate: its own certificate, and C{key} that one's; both None: it has none.
    """

    authority: str
    revocations: str | None = None
    certificate: str | None = None
    key: str | None = None


def _flat(folder: str, role: str) -> tuple[str, str, str, str]:
    return (
        f"{folder}/cacert.pem",
        f"{folder}/cacrl.pem",
        f"{folder}/{role}cert.pem",
        f"{folder}/{role}key.pem",
    )


def systemFiles(root: str, role: str) -> tuple[str, str, str, str]:
    """Return the paths of authority, revocations, certificate and key that the whole system shares."""
    folder = os.path.join(root, "etc/pki")
    return (
        os.path.join(folder, "CA/cacert.pem"),
        os.path.join(folder, "CA/cacrl.pem"),
        os.path.join(folder, f"libvirt/{role}cert.pem"),
        os.path.join(folder, f"libvirt/private/{role}key.pem"),
    )


def userFolder(home: str) -> str:
    """Return where a user's own certificates lie, all in one folder."""
    return os.path.join(home, ".pki/libvirt")


def _found(role: str, *, root: str, home: str | None) -> tuple[str, str, str, str]:
    """What exists of the user's own, the rest from the system's places; certificate and key are a pair."""
    authority, revocations, certificate, key = systemFiles(root, role)
    if home is not None:
        mine = _flat(userFolder(home), role)
        authority = mine[0] if os.path.exists(mine[0]) else authority
        revocations = mine[1] if os.path.exists(mine[1]) else revocations
        if os.path.exists(mine[2]) and os.path.exists(mine[3]):
            certificate, key = mine[2], mine[3]
    return authority, revocations, certificate, key


def clientPlaces(pkipath: str | None, *, home: str | None, root: str = "/") -> Places:
    """
    Find a client's files.

    @param pkipath: the folder that the URI names, None: the usual places.
    @param home: of a user other than root, None: only the system's places count.
    """
    files = _found("client", root=root, home=home) if pkipath is None else _flat(pkipath, "client")
    authority, revocations, certificate, key = files
    both = os.path.exists(certificate) and os.path.exists(key)
    return Places(
        authority=authority,
        revocations=revocations if os.path.exists(revocations) else None,
        certificate=certificate if both else None,
        key=key if both else None,
    )


def serverPlaces(*, home: str | None, root: str = "/") -> Places:
    """Find a daemon's files, when its configuration names none; as L{clientPlaces}."""
    authority, revocations, certificate, key = _found("server", root=root, home=home)
    return Places(
        authority=authority,
        revocations=revocations if os.path.exists(revocations) else None,
        certificate=certificate,
        key=key,
    )
