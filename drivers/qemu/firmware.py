"""
Choosing a firmware by the descriptors that firmware packages install.

A descriptor is a JSON file; who calls this reads the files of all folders, in the order in which libvirt looks at
them, and hands them over as values.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping
from typing import Any

from pyvirt.definitions.domain._features import SMM, Features
from pyvirt.definitions.domain._nvram import NVRAM
from pyvirt.definitions.domain._os import Loader
from pyvirt.definitions.domain._source import FileSource
from pyvirt.definitions.domain._top import DomainDefinition
from pyvirt.definitions.schema import replaced
from pyvirt.definitions.values import definition
from pyvirt.errors import ErrorCode, ErrorDomain, virtError

__all__ = ["FOLDERS", "Descriptor", "chooseFirmware", "ordered", "readDescriptor"]

#: Where descriptors are found; a later folder hides files of the same name in an earlier one.
FOLDERS = ("/usr/share/qemu/firmware", "/etc/qemu/firmware")


@definition
class Descriptor:
    """
    A firmware.

    @ivar path: of the image; C{template} is what its variables start as, None for one without variables.
    @ivar targets: C{(architecture, patterns of machines)}.
    """

    interfaces: tuple[str, ...]
    device: str
    path: str
    mode: str = "split"
    template: str | None = None
    targets: tuple[tuple[str, tuple[str, ...]], ...]
    features: tuple[str, ...] = ()


def readDescriptor(value: Mapping[str, Any]) -> Descriptor | None:
    """
    Read a descriptor.

    @return: None for one that is not of a form that can be used.
    """
    try:
        mapping = value["mapping"]
        device = mapping["device"]
        mode = "split"
        if device == "flash":
            path = mapping["executable"]["filename"]
            mode = mapping.get("mode", "split")
            template = mapping.get("nvram-template", {}).get("filename")
            if mode == "split" and template is None:
                return None
            if mapping["executable"].get("format") != "raw":
                return None
        else:
            path = mapping["filename"]
            template = None
        return Descriptor(
            interfaces=tuple(value["interface-types"]),
            device=device,
            path=path,
            mode=mode,
            template=template,
            targets=tuple(
                (target["architecture"], tuple(target["machines"])) for target in value["targets"]
            ),
            features=tuple(value.get("features", ())),
        )
    except (KeyError, TypeError, AttributeError):
        return None


def ordered(found: Iterable[tuple[str, str]]) -> list[str]:
    """
    Return the paths of descriptors in the order in which they are tried.

    @param found: folder and name of each, the folders in the order of L{FOLDERS}.
    """
    byName = {name: f"{folder}/{name}" for folder, name in found if name.endswith(".json")}
    return [byName[name] for name in sorted(byName)]


def _matches(descriptor: Descriptor, definition: DomainDefinition) -> bool:
    os = definition.os
    if os.firmware == "efi" or (os.firmware is None and descriptor.path == _named(definition)):
        wanted = "uefi"
    elif os.firmware == "bios":
        wanted = "bios"
    else:
        return False
    if wanted not in descriptor.interfaces:
        return False
    arch = {"i686": "i386"}.get(os.type.arch or "", os.type.arch)
    machine = os.type.machine or ""
    if not any(
        target == arch and any(fnmatch.fnmatchcase(machine, pattern) for pattern in patterns)
        for target, patterns in descriptor.targets
    ):
        return False
    has = set(descriptor.features)
    loader = os.loader
    if wanted == "uefi":
        stateless = loader is not None and loader.stateless
        if descriptor.device == "flash" and (descriptor.mode == "stateless") != bool(stateless):
            return False
    pm = definition.pm
    if pm is not None:
        if pm.suspendToMem and "acpi-s3" not in has:
            return False
        if pm.suspendToDisk and "acpi-s4" not in has:
            return False
    if loader is not None and loader.secure and "secure-boot" not in has:
        return False
    asked = (
        {each.name: each.enabled for each in os.firmwareFeatures.features}
        if os.firmwareFeatures
        else {}
    )
    for name in ("secure-boot", "enrolled-keys"):
        if name in asked and asked[name] != (name in has):
            return False
    smm = definition.features.smm if definition.features is not None else None
    if smm is not None and not smm.state and "requires-smm" in has:
        return False
    return not (loader is not None and loader.secure and "requires-smm" not in has)


def _named(definition: DomainDefinition) -> str | None:
    """Return the path of the firmware in flash that a definition names itself."""
    loader = definition.os.loader
    if loader is None or loader.type != "pflash" or not loader.readonly:
        return None
    return loader.path


def chooseFirmware(
    definition: DomainDefinition,
    descriptors: Iterable[Descriptor],
    *,
    nvramFolder: str = "/var/lib/libvirt/qemu/nvram",
) -> DomainDefinition:
    """
    Return the definition with a firmware that has what is asked for, if it leaves the choice to the host.

    @raise VirtError: OPERATION_FAILED: there is none.
    """
    os = definition.os
    if os.firmware is None or os.firmware == "none":
        path = _named(definition)
        for descriptor in descriptors if path is not None else ():
            # What is known of it holds, though somebody else chose it.
            if descriptor.path == path and _matches(descriptor, definition):
                return _chosen(definition, descriptor, nvramFolder)
        return definition
    if os.loader is not None and os.loader.path is not None:
        return definition
    for descriptor in descriptors:
        if _matches(descriptor, definition):
            chosen = _chosen(definition, descriptor, nvramFolder)
            # There is no choice any more.
            return replaced(chosen, os=replaced(chosen.os, firmware=None))
    raise virtError(
        ErrorCode.OPERATION_FAILED,
        f"Unable to find any firmware to satisfy '{os.firmware}'",
        ErrorDomain.QEMU,
    )


def _chosen(definition: DomainDefinition, descriptor: Descriptor, folder: str) -> DomainDefinition:
    os = definition.os
    loader = os.loader or Loader()
    nvram = os.nvram
    if descriptor.device == "flash":
        loader = replaced(loader, type="pflash", readonly=True, path=descriptor.path)
        if descriptor.template is not None:
            nvram = nvram or NVRAM()
            if nvram.template is None:
                nvram = replaced(nvram, template=descriptor.template)
            if nvram.source is None:
                nvram = replaced(
                    nvram, source=FileSource(file=f"{folder}/{definition.name}_VARS.fd")
                )
    else:
        loader = replaced(loader, type="rom", path=descriptor.path)
    features = definition.features or Features()
    if "requires-smm" in descriptor.features:
        loader = replaced(loader, secure=True)
        features = replaced(features, smm=features.smm or SMM(state=True))
    return replaced(definition, os=replaced(os, loader=loader, nvram=nvram), features=features)
