"""
Security labels of running guests: as whom each runs, and whose its files are.
"""

from __future__ import annotations

from pyvirt.definitions.domain import DomainDefinition
from pyvirt.definitions.domain._security import Seclabel
from pyvirt.definitions.schema import replaced

__all__ = ["labelled"]


def labelled(
    definition: DomainDefinition, owner: tuple[int, int] | None, confined: bool
) -> DomainDefinition:
    """
    Say in a definition as whom the guest runs.

    @param owner: user and group of guests; None where the daemon may not choose.
    @param confined: whether a guest of which nothing is said is labelled (C{security_default_confined}).
    """
    if owner is None:
        return definition
    own = "+{}:+{}".format(*owner)
    labels = []
    for label in definition.seclabels:
        if label.model == "dac" and label.type == "dynamic" and label.label is None:
            label = replaced(label, label=own, imagelabel=own if label.relabel else None)
        elif label.model == "dac" and label.type == "static" and label.relabel:
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
