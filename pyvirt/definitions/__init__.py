"""
Definitions: libvirt's XML and the frozen values that it stands for.

Each kind of object has a module of its own (C{domain}, C{network} ...) that parses, checks, completes and
writes it.  L{identify} reads only what names an object, without building the rest.
"""

from pyvirt.definitions.identity import identify

__all__ = ["identify"]
