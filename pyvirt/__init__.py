"""
libvirt's architecture for Twisted.

The client has the names of libvirt's Python binding; what talks to a daemon or driver returns a C{Deferred}::

    conn = await pyvirt.open("qemu:///system")
    for dom in await conn.listAllDomains(pyvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE):
        print(dom.name(), await dom.info())

Names are looked up on first use, so that a daemon or driver does not load the client.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyvirt.client.api import *  # noqa: F403
    from pyvirt.client.errornames import *  # noqa: F403
    from pyvirt.constants import *  # noqa: F403

_ERROR_NAMES = ("VIR_ERR_", "VIR_WAR_", "VIR_FROM_")
_API = ("vir", "open", "lib", "get")


def __getattr__(name: str) -> Any:
    if name.startswith(_ERROR_NAMES):
        module = "pyvirt.client.errornames"
    elif name.startswith("VIR_"):
        module = "pyvirt.constants"
    elif name[:1].isupper() or name.startswith(_API):
        module = "pyvirt.client.api"
    else:
        raise AttributeError(f"module 'pyvirt' has no attribute {name!r}")
    try:
        value = getattr(import_module(module), name)
    except AttributeError:
        raise AttributeError(f"module 'pyvirt' has no attribute {name!r}") from None
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    from pyvirt import constants
    from pyvirt.client import api, errornames

    names = set(globals()) | set(api.__all__)
    names.update(each for each in dir(constants) if each.startswith("VIR_"))
    names.update(each for each in dir(errornames) if each.startswith("VIR_"))
    return sorted(names)
