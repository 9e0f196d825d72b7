"""
What calls are called: every name by which a scenario can mean one, for those who check what was written.
"""

from __future__ import annotations

from functools import lru_cache

from pyvirt.protocols.procedures import Kind
from pyvirt.protocols.programs.lxc import PROGRAM as LXC
from pyvirt.protocols.programs.qemu import PROGRAM as QEMU
from pyvirt.protocols.programs.remote import PROGRAM as REMOTE
from pyvirt.routes.outcomes import outcome

__all__ = ["callNames"]

#: What is answered by the session, and can fail all the same.
_SESSIONS = ("connectOpen",)
_SUBSCRIBING = ("EventRegister", "EventCallbackRegister")

#: How contracts call that.
_METHODS = tuple(
    f"{kind}EventSubscribe" for kind in ("domain", "network", "storagePool", "nodeDevice", "secret")
)


@lru_cache(maxsize=1)
def callNames() -> frozenset[str]:
    """
    Return the names of all calls that reach drivers.

    Of each there are the procedure's name (C{domainCreate}), that of the contract's method that answers it
    (C{domainCreateWithFlags}), and that of the C function (C{virDomainCreate}).
    """
    found = set(_METHODS)
    for program in (REMOTE, QEMU, LXC):
        for procedure in program:
            if procedure.kind is not Kind.CALL:
                continue
            name = procedure.name
            known = outcome(procedure)
            if known.session is not None and not (
                name in _SESSIONS or any(each in name for each in _SUBSCRIBING)
            ):
                continue
            found.update((name, f"vir{name[:1].upper()}{name[1:]}"))
            if known.route is not None:
                found.add(known.route.method)
    return frozenset(found)
