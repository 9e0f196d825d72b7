"""
Definitions on disk: a folder of C{NAME.xml}, with links to those that start with the host.

Files are written whole: to another name, flushed, renamed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

from lxml import etree
from twisted.logger import Logger

from pyvirt.errors import ErrorDomain, VirtError
from pyvirt.folders import makeFolders
from pyvirt.process import systemError

__all__ = [
    "DefinitionFolder",
    "banner",
    "firstSinceBoot",
    "holdsDefinitions",
    "removeFile",
    "removeUnfinished",
    "wrapped",
    "writeWhole",
]

log = Logger()

_BANNER = """\
<!--
WARNING: THIS IS AN AUTO-GENERATED FILE. CHANGES TO IT ARE LIKELY TO BE
OVERWRITTEN AND LOST. Changes to this xml configuration should be made using:
  virsh {} {}
or other application using the libvirt API.
-->

"""


def banner(command: str, name: str) -> str:
    """Return what files say to those who open them: with which command of virsh they are changed."""
    return _BANNER.format(command, name.replace("--", "- -"))


def writeWhole(path: str, data: bytes, mode: int = 0o600) -> None:
    """
    Write a file so that it is there whole or as it was.

    @param mode: what it has whatever the umask is, which twistd in the background lets nobody else read by.
    @raise VirtError: it cannot be written; nothing is left behind.
    """
    temporary = f"{path}.new"
    complaint = f"Failed to create file '{temporary}'"
    try:
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, mode)
        try:
            complaint = f"cannot write data to file '{temporary}'"
            view = memoryview(data)
            while view:
                view = view[os.write(fd, view) :]
            os.fchmod(fd, mode)
            complaint = f"cannot sync file '{temporary}'"
            os.fsync(fd)
        finally:
            os.close(fd)
        complaint = f"cannot rename file '{temporary}' as '{path}'"
        os.rename(temporary, path)
    except OSError as problem:
        try:
            os.unlink(temporary)
        except OSError:
            pass
        raise systemError(problem, complaint, ErrorDomain.NONE) from None


def removeUnfinished(folder: str, ending: str = ".xml.new") -> None:
    """
    Remove what L{writeWhole} had not finished when the daemon that called it was killed.

    @param ending: what names end with there; C{.new} where nobody but us has files.
    """
    try:
        names = os.listdir(folder)
    except OSError:
        return
    for name in names:
        if name.endswith(ending):
            removeFile(os.path.join(folder, name))


def removeFile(path: str) -> None:
    """Remove a file if it is there; failing to is logged."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
    except OSError as problem:
        log.warn("{path} cannot be removed: {problem}", path=path, problem=problem)


def holdsDefinitions(*folders: str) -> bool:
    """
    Whether any folder has something that a driver would read when it starts.

    A driver that finds nothing loads the code that reads and runs it when it is first asked for something.
    """
    for folder in folders:
        try:
            with os.scandir(folder) as entries:
                if any(each.name.endswith(".xml") for each in entries):
                    return True
        except OSError:
            continue
    return False


def firstSinceBoot(folder: str) -> bool:
    """
    Whether nobody has asked since the host booted.

    @param folder: what the host forgets when it boots; that it was asked is remembered there.
    """
    mark = os.path.join(folder, "autostarted")
    try:
        os.close(os.open(mark, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))
    except FileExistsError:
        return False
    except OSError as problem:
        log.error("{mark} cannot be made: {problem}", mark=mark, problem=problem)
        return False
    return True


class DefinitionFolder:
    """
    A folder of definitions.

    @ivar path: the folder.
    """

    def __init__(
        self, path: str, command: str | None, autostart: str = "autostart", mode: int = 0o700
    ) -> None:
        """
        @param command: of virsh, by which a definition is changed; None: files do not say.
        @param autostart: where the links are, below the folder.
        """
        self.path = path
        self._command = command
        self._autostart = os.path.join(path, autostart)
        self._mode = mode

    def make(self) -> None:
        """
        Make the folder if it is missing.

        @raise OSError: it cannot be made.
        """
        makeFolders(self.path, self._mode)

    def file(self, name: str) -> str:
        """Where a definition is."""
        return os.path.join(self.path, f"{name}.xml")

    def link(self, name: str) -> str:
        """Where the link is by which something starts with the host."""
        return os.path.join(self._autostart, f"{name}.xml")

    def save(self, name: str, xml: str) -> None:
        """
        Write a definition.

        @raise VirtError: it cannot be written.
        """
        try:
            self.make()
        except OSError as problem:
            raise systemError(problem, f"cannot create config directory '{self.path}'") from None
        text = xml if self._command is None else banner(self._command, name) + xml
        writeWhole(self.file(name), text.encode())

    def remove(self, name: str) -> None:
        """Remove a definition, and its link; failing to is logged."""
        removeFile(self.link(name))
        removeFile(self.file(name))

    def erase(self, name: str) -> None:
        """
        Remove a definition, and its link.

        @raise OSError: the definition cannot be removed, or is not there.
        """
        removeFile(self.link(name))
        os.unlink(self.file(name))

    def load(self, parse: Callable[[str], Any]) -> Iterator[tuple[str, Any]]:
        """
        Iterate over names and what C{parse} makes of the definitions, in order of names.

        Those that cannot be read are logged and left alone, as are those that C{parse} refuses with C{ValueError}
        or L{VirtError}.
        """
        try:
            found = sorted(os.listdir(self.path))
        except OSError:
            return
        for each in found:
            if not each.endswith(".xml") or each.startswith("."):
                continue
            name = each[:-4]
            try:
                with open(self.file(name), encoding="utf-8") as file:
                    parsed = parse(file.read())
            except (OSError, ValueError, VirtError) as problem:
                log.error(
                    "the definition {path} cannot be read: {problem}",
                    path=self.file(name),
                    problem=problem,
                )
            else:
                yield name, parsed

    def setAutostart(self, name: str, on: bool, domain: ErrorDomain) -> None:
        """
        Make or remove a link.

        @raise VirtError: it cannot be made.
        """
        link, file = self.link(name), self.file(name)
        removeFile(link)
        if on:
            try:
                makeFolders(self._autostart, 0o700)
                os.symlink(file, link)
            except OSError as problem:
                detail = f"Failed to create symlink '{link}' to '{file}'"
                raise systemError(problem, detail, domain) from None

    def autostarts(self, name: str) -> bool:
        """Whether there is a link."""
        return os.path.islink(self.link(name))


def wrapped(xml: str, outer: str, inner: str) -> str:
    """
    Take the definition out of what was written of a running object.

    @param outer: the root's tag.
    @param inner: the tag of the definition in it.
    @raise ValueError: it is something else.
    """
    parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True)
    try:
        tree = etree.fromstring(xml.encode(), parser)
    except etree.XMLSyntaxError as problem:
        raise ValueError(str(problem)) from None
    found = tree.find(inner)
    if tree.tag != outer or found is None:
        raise ValueError(f"it has no <{inner}> in <{outer}>")
    return etree.tostring(found, encoding="unicode", with_tail=False)
