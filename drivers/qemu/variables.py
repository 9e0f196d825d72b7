"""
Files in which firmwares keep their variables: made from a template when a guest starts that has none.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from pyvirt.definitions.domain import DomainDefinition
from pyvirt.definitions.domain._source import FileSource
from pyvirt.drivers.qemu.firmware import Descriptor
from pyvirt.drivers.qemu.refusals import systemFailure
from pyvirt.errors import ErrorCode, ErrorDomain, virtError

__all__ = ["makeVariables", "variablesPath"]


def variablesPath(definition: DomainDefinition) -> str | None:
    """Return the file on this host in which a guest's firmware keeps its variables; None: there is none."""
    nvram = definition.os.nvram
    if nvram is None or not isinstance(nvram.source, FileSource):
        return None
    return nvram.source.file


def makeVariables(
    definition: DomainDefinition,
    descriptors: Iterable[Descriptor],
    owner: tuple[int, int] | None,
    *,
    reset: bool = False,
) -> str | None:
    """
    Make the file of a guest's variables if it has one and that is not there.

    @param owner: the user and group that QEMU runs as.
    @param reset: make it anew even if it is there.
    @return: the path of a file that was made.
    @raise VirtError: no template is known, or the file cannot be written.
    """
    loader, nvram = definition.os.loader, definition.os.nvram
    if loader is None or nvram is None or not isinstance(nvram.source, FileSource):
        return None
    path = nvram.source.file
    if not path or (os.path.exists(path) and not reset):
        return None
    template = nvram.template
    if template is None:
        template = next((each.template for each in descriptors if each.path == loader.path), None)
    if template is None:
        raise virtError(
            ErrorCode.OPERATION_FAILED,
            f"unable to find any master var store for loader: {loader.path}",
            ErrorDomain.QEMU,
        )
    made = f"{path}.new"
    try:
        source = os.open(template, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as problem:
        raise systemFailure(problem, f"Failed to open file '{template}'") from None
    failure = f"Failed to create file '{made}'"
    try:
        fd = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        try:
            while True:
                failure = f"Unable to read from file '{template}'"
                data = os.read(source, 1 << 20)
                failure = f"Unable to write to file '{made}'"
                if not data:
                    break
                view = memoryview(data)
                while view:
                    view = view[os.write(fd, view) :]
            os.fsync(fd)
            if owner is not None:
                os.fchown(fd, *owner)
        finally:
            os.close(fd)
        failure = f"Unable to rename file '{made}' to '{path}'"
        os.rename(made, path)
    except OSError as problem:
        try:
            os.unlink(made)
        except OSError:
            pass
        raise systemFailure(problem, failure) from None
    finally:
        os.close(source)
    return path
