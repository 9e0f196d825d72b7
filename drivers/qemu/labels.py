"""
Security labels of running guests: as whom each runs, and whose its files are.
"""

from __future__ import annotations

import grp
import pwd
from collections.abc import Iterable

from pyvirt.definitions.domain import DomainDefinition
from pyvirt.definitions.domain._common import DeviceLabel
from pyvirt.definitions.domain._security import Seclabel
from pyvirt.definitions.schema import replaced
from pyvirt.drivers.qemu.refusals import invalidArgument, unsupportedConfig
from pyvirt.errors import ErrorDomain

__all__ = ["imageOwner", "labelled", "ownerOf", "relabels", "unlabelled"]


def labelled(
    definition: DomainDefinition, owner: tuple[int, int] | None, confined: bool
) -> DomainDefinition:
    """
    Say in a definition as whom the guest runs.

    @param owner: user and group of guests; None where the daemon may not choose.
    @param confined: whether a guest of which nothing is said is labelled (C{security_default_confined}).
    """
    for label in definition.seclabels:
        if label.model not in (None, "none", "dac"):
            raise unsupportedConfig(
                f"Security driver model '{label.model}' is not available", ErrorDomain.SECURITY
            )
    if owner is None:
        return definition
    own = "+{}:+{}".format(*owner)
    labels = []
    for label in definition.seclabels:
        if label.model == "dac" and label.type == "dynamic" and label.label is None:
            label = replaced(label, label=own, imagelabel=own if label.relabel else None)
        elif label.model == "dac" and label.type == "static":
            if label.label is not None:
                parsed(label.label)
            if label.relabel:
                label = replaced(label, imagelabel=label.label)
        labels.append(label)
    if confined and not any(label.model == "dac" for label in labels):
        labels.append(
            Seclabel(
                type="dynamic",
                model="dac",
                relabel=True,
                label=own,
                imagelabel=own,
                implied=True,
            )
        )
    return replaced(definition, seclabels=tuple(labels))


def ownerOf(definition: DomainDefinition, owner: tuple[int, int] | None) -> tuple[int, int] | None:
    """
    Return as whom a guest runs: as its label says, else as all do.

    @param owner: user and group of guests; None where the daemon may not choose.
    @raise VirtError: INVALID_ARG: the label makes no sense.
    """
    if owner is None:
        return None
    label = _own(definition)
    return owner if label is None or label.label is None else parsed(label.label)


def relabels(definition: DomainDefinition) -> bool:
    """Return whether the files of a guest are given to whom it runs as."""
    label = _own(definition)
    return label is None or bool(label.relabel)


def _own(definition: DomainDefinition) -> Seclabel | None:
    return next((each for each in definition.seclabels if each.model == "dac"), None)


def imageOwner(labels: Iterable[DeviceLabel]) -> tuple[bool, tuple[int, int] | None]:
    """
    Return whether one file is given away, and to whom; None: to whom the guest runs as.

    @param labels: of the device or its source.
    @raise VirtError: INVALID_ARG: a label makes no sense.
    """
    for label in labels:
        if label.model in (None, "dac"):
            own = parsed(label.label) if label.label is not None else None
            return bool(label.relabel) and not label.labelskip, own
    return True, None


def parsed(label: str) -> tuple[int, int]:
    """
    Read user and group of a label, each a name or a number.

    @raise VirtError: INVALID_ARG: it makes no sense, or there is none of that name.
    """
    user, colon, group = label.partition(":")
    if not colon:
        raise invalidArgument(f"Failed to parse uid and gid from '{label}'", ErrorDomain.SECURITY)
    try:
        uid = _number(user) if _isNumber(user) else pwd.getpwnam(user).pw_uid
    except (KeyError, ValueError):
        raise invalidArgument(f"Failed to parse user '{user}'", ErrorDomain.SECURITY) from None
    try:
        gid = _number(group) if _isNumber(group) else grp.getgrnam(group).gr_gid
    except (KeyError, ValueError):
        raise invalidArgument(f"Failed to parse group '{group}'", ErrorDomain.SECURITY) from None
    return uid, gid


def _isNumber(text: str) -> bool:
    digits = text.removeprefix("+")
    return digits.isascii() and digits.isdigit() and len(digits) < 11


def _number(text: str) -> int:
    return int(text.removeprefix("+"))


def unlabelled(definition: DomainDefinition) -> DomainDefinition:
    """Take back what L{labelled} has said where nobody else had said it."""
    labels = tuple(
        replaced(label, label=None, imagelabel=None) if label.type == "dynamic" else label
        for label in definition.seclabels
    )
    return replaced(definition, seclabels=labels)
