"""
Defines documents on a libvirtd and tells what came back: text, or error code, domain and message.

It imports nothing of ours, for the stock binding's interpreter runs it as it is: C{python3 definerscript.py URI},
a line of JSON C{[kind, document]} for each answer.  Kinds that the test driver has no object for are given to
the parsers inside libvirt's library, where that has them under the names of its version 9.0.0.
"""

from __future__ import annotations

import ctypes
import json
import sys
from typing import Any

import libvirt  # type: ignore[import-not-found]

PARSED = {
    # kind: parser, arguments after the document, formatter
    "nodedev": (
        "virNodeDeviceDefParse",
        (None, 0, None, None, None, False),
        "virNodeDeviceDefFormat",
    ),
    "nodedevnew": (
        "virNodeDeviceDefParse",
        (None, 1, None, None, None, False),
        "virNodeDeviceDefFormat",
    ),
    "nwfilter": ("virNWFilterDefParse", (None, 0), "virNWFilterDefFormat"),
    "secret": ("virSecretDefParse", (None, 0), "virSecretDefFormat"),
    "networkport": ("virNetworkPortDefParse", (None, 0), "virNetworkPortDefFormat"),
}


class LastError(ctypes.Structure):
    """The beginning of libvirt's error."""

    _fields_ = (("code", ctypes.c_int), ("domain", ctypes.c_int), ("message", ctypes.c_char_p))


class Library:
    """libvirt's library, called past its public interface."""

    def __init__(self) -> None:
        self.library = ctypes.CDLL("libvirt.so.0")
        self.free = ctypes.CDLL(None).free
        self.free.argtypes = [ctypes.c_void_p]
        self.library.virGetLastError.restype = ctypes.POINTER(LastError)

    def parsed(self, kind: str, xml: str) -> Any:
        """Parse and write a document; None where the library has no such parser."""
        name, arguments, writer = PARSED[kind]
        try:
            parse, write = getattr(self.library, name), getattr(self.library, writer)
        except AttributeError:
            return None
        parse.restype = write.restype = ctypes.c_void_p
        self.library.virResetLastError()
        found = parse(ctypes.c_char_p(xml.encode("utf-8", "surrogateescape")), *arguments)
        text = write(ctypes.c_void_p(found)) if found else None
        if not text:
            error = self.library.virGetLastError()
            if not error:
                return [0, 0, ""]
            message = (error[0].message or b"").decode("utf-8", "surrogateescape")
            return [error[0].code, error[0].domain, message]
        value = ctypes.string_at(text).decode("utf-8", "surrogateescape")
        self.free(text)
        return value


class Definer:
    """Makes objects on a connection, reads them back and removes them."""

    def __init__(self, uri: str) -> None:
        self.connection = libvirt.open(uri)
        self.pool = self.connection.storagePoolLookupByName("default-pool")

    def domain(self, xml: str) -> str:
        made = self.connection.defineXML(xml)
        try:
            text: str = made.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
            return text
        finally:
            made.undefine()

    def network(self, xml: str) -> str:
        return self._read(self.connection.networkDefineXML(xml))

    def pool_(self, xml: str) -> str:
        return self._read(self.connection.storagePoolDefineXML(xml, 0))

    def interface(self, xml: str) -> str:
        return self._read(self.connection.interfaceDefineXML(xml, 0))

    def volume(self, xml: str) -> str:
        made = self.pool.createXML(xml, 0)
        text: str = made.XMLDesc(0)
        made.delete(0)
        return text

    @staticmethod
    def _read(made: Any) -> str:
        text: str = made.XMLDesc(0)
        made.undefine()
        return text


def main() -> None:
    libvirt.registerErrorHandler(lambda context, error: None, None)
    definer, library = Definer(sys.argv[1]), Library()
    for line in sys.stdin:
        kind, xml = json.loads(line)
        answer: Any
        if kind in PARSED:
            answer = library.parsed(kind, xml)
        else:
            try:
                answer = getattr(definer, "pool_" if kind == "pool" else kind)(xml)
            except libvirt.libvirtError as error:
                answer = [
                    error.get_error_code(),
                    error.get_error_domain(),
                    error.get_error_message(),
                ]
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
