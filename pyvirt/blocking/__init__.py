"""
The client without Deferreds: C{import pyvirt.blocking as libvirt} runs scripts written for the C binding.

The reactor runs in a thread of its own; a call waits for its answer.  Events are told by the event loop that the
application registers and runs, as with the C library.  Any number of threads may call.
"""

from __future__ import annotations

import traceback as _traceback
from typing import Any

from pyvirt import constants as _constants
from pyvirt.blocking._checking import checked as _checked
from pyvirt.blocking._connection import ConnectionBase as _ConnectionBase
from pyvirt.blocking._connection import opened as _opened
from pyvirt.blocking._errors import (
    libvirtError,
    registerErrorHandler,
    virGetLastError,
    virGetLastErrorCode,
    virGetLastErrorDomain,
    virGetLastErrorMessage,
    virResetLastError,
)
from pyvirt.blocking._eventloop import (
    _eventInvokeHandleCallback as _eventInvokeHandleCallback,
)
from pyvirt.blocking._eventloop import (
    _eventInvokeTimeoutCallback as _eventInvokeTimeoutCallback,
)
from pyvirt.blocking._eventloop import (
    virEventAddHandle,
    virEventAddTimeout,
    virEventInvokeFreeCallback,
    virEventRegisterDefaultImpl,
    virEventRegisterImpl,
    virEventRemoveHandle,
    virEventRemoveTimeout,
    virEventRunDefaultImpl,
    virEventUpdateHandle,
    virEventUpdateTimeout,
)
from pyvirt.blocking._objects import DomainBase as _DomainBase
from pyvirt.blocking._objects import DomainPart as _DomainPart
from pyvirt.blocking._objects import NetworkPart as _NetworkPart
from pyvirt.blocking._objects import Object as _Object
from pyvirt.blocking._objects import generate as _generate
from pyvirt.blocking._stream import StreamBase as _StreamBase
from pyvirt.blocking._types import (  # noqa: F401 - the binding has these names too
    _T,
    _BlkioParameter,
    _DomainCB,
    _EventAddHandleFunc,
    _EventAddTimeoutFunc,
    _EventCB,
    _EventRemoveHandleFunc,
    _EventRemoveTimeoutFunc,
    _EventUpdateHandleFunc,
    _EventUpdateTimeoutFunc,
    _MemoryParameter,
    _SchedParameter,
    _TimerCB,
    _TypedParameter,
)
from pyvirt.client import api as _api
from pyvirt.client import errornames as _errornames
from pyvirt.client import opening as _opening
from pyvirt.client.library import getVersion as _getVersion
from pyvirt.client.library import virInitialize
from pyvirt.client.stream import CHUNK as _CHUNK

_BASES: dict[str, type] = {
    "Domain": _DomainBase,
    "DomainCheckpoint": _DomainPart,
    "DomainSnapshot": _DomainPart,
    "NetworkPort": _NetworkPart,
    "Stream": _StreamBase,
}
_LEFT = frozenset(("connect", "deadline", "eventQueue"))

virConnect: Any = _generate(
    _api.Connect, "virConnect", _ConnectionBase, leave=frozenset(("deadline",)), guard="_closed"
)
for _name in (
    "Domain",
    "DomainCheckpoint",
    "DomainSnapshot",
    "Interface",
    "NWFilter",
    "NWFilterBinding",
    "Network",
    "NetworkPort",
    "NodeDevice",
    "Secret",
    "StoragePool",
    "StorageVol",
    "Stream",
):
    globals()[f"vir{_name}"] = globals()[_name] = _generate(
        getattr(_api, _name), f"vir{_name}", _BASES.get(_name, _Object), leave=_LEFT
    )
Connect = virConnect
globals()["virStorageVol"].streamBufSize = _CHUNK
VirtError = libvirtError
globals().update({name: value for name, value in vars(_constants).items() if name[:4] == "VIR_"})
globals().update({name: value for name, value in vars(_errornames).items() if name[:4] == "VIR_"})


def open(name: str | None = None) -> Any:
    """
    Open a connection.

    @param name: a URI or an alias; None: C{LIBVIRT_DEFAULT_URI}, libvirt.conf's C{uri_default}, or what the
        local daemon finds.
    @raise libvirtError: no driver takes the URI, or the daemon cannot be reached.
    """
    (name,) = _checked("virConnectOpen", "z", name)
    return _opened(virConnect, _opening.open, name)


def openReadOnly(name: str | None = None) -> Any:
    """As L{open}, for looking only: whatever could change something is refused."""
    (name,) = _checked("virConnectOpenReadOnly", "z", name)
    return _opened(virConnect, _opening.openReadOnly, name)


def openAuth(uri: str | None, auth: Any, flags: int = 0) -> Any:
    """
    As L{open}, with somebody to ask for credentials.

    @param auth: types of credentials that can be asked for, a callable, and an opaque value for it.
    @param flags: C{VIR_CONNECT_RO}, C{VIR_CONNECT_NO_ALIASES}.
    """
    uri, auth, flags = _checked("virConnectOpenAuth", "zOI", uri, auth, flags)
    if isinstance(auth, list | tuple) and len(auth) > 1 and callable(auth[1]):
        auth = [auth[0], _printing(auth[1]), *auth[2:]]
    return _opened(virConnect, _opening.openAuth, uri, auth, flags)


def getVersion(name: str | None = None) -> Any:
    """
    Return the version of libvirt whose behaviour this library has: major * 1000000 + minor * 1000 + release.

    @param name: of a hypervisor, whose version is then the second of two numbers.
    """
    if name is not None:
        _checked("virGetVersion", "s", name)
    return _getVersion(name)


def _printing(callback: Any) -> Any:
    """Have what a callback raises printed, as the binding does, which then gives up."""

    def answer(wanted: Any, data: Any) -> Any:
        try:
            return callback(wanted, data)
        except Exception as error:
            behind = error.__traceback__
            _traceback.print_exception(error.with_traceback(behind and behind.tb_next))
            return -1

    return answer


__all__ = [
    "getVersion",
    "libvirtError",
    "open",
    "openAuth",
    "openReadOnly",
    "registerErrorHandler",
    "virEventAddHandle",
    "virEventAddTimeout",
    "virEventInvokeFreeCallback",
    "virEventRegisterDefaultImpl",
    "virEventRegisterImpl",
    "virEventRemoveHandle",
    "virEventRemoveTimeout",
    "virEventRunDefaultImpl",
    "virEventUpdateHandle",
    "virEventUpdateTimeout",
    "virGetLastError",
    "virGetLastErrorCode",
    "virGetLastErrorDomain",
    "virGetLastErrorMessage",
    "virInitialize",
    "virResetLastError",
    *(name for name in globals() if name.startswith(("VIR_", "vir"))),
]
