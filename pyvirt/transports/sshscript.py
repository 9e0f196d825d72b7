"""
What is run at the far end of an SSH connection to reach the daemon there.

Source: observed on virsh 9.0.0, whose words for netcat these are.
"""

from __future__ import annotations

import shlex

from pyvirt.transports.endpoints import Address

__all__ = ["classicScript", "helperScript", "netcatScript", "socketPath"]


def _quoted(script: str) -> str:
    return "sh -c " + shlex.quote(script)


def _arguments(address: Address) -> str:
    return ("-r " if address.readOnly else "") + shlex.quote(address.name)


def socketPath(address: Address) -> str:
    """Return the daemon's socket at the far end."""
    given = address.parameters.get("socket")
    return given or "/var/run/libvirt/libvirt-sock" + ("-ro" if address.readOnly else "")


def helperScript(address: Address) -> str:
    """Start the helper that is installed there; ends with 127 if none is."""
    arguments = _arguments(address)
    return _quoted(
        f"which virt-ssh-helper 1>/dev/null 2>&1; if test $? = 0; then virt-ssh-helper {arguments};"
        " else which pyvirt-ssh-helper 1>/dev/null 2>&1; if test $? = 0; then"
        f" pyvirt-ssh-helper {arguments}; else exit 127; fi; fi"
    )


def _netcat(address: Address) -> str:
    program = shlex.quote(address.parameters.get("netcat") or "nc")
    return (
        f'if {program} -q 2>&1 | grep "requires an argument" >/dev/null 2>&1;'
        f" then ARG=-q0;else ARG=;fi;{program} $ARG -U {shlex.quote(socketPath(address))}"
    )


def netcatScript(address: Address) -> str:
    """Start netcat on the daemon's socket."""
    return _quoted(_netcat(address))


def classicScript(address: Address) -> str:
    """Do what is possible in one command, for an ssh program, which is started once."""
    proxy = address.parameters.get("proxy", "auto")
    if proxy == "netcat" or (proxy == "auto" and address.parameters.get("socket")):
        return netcatScript(address)
    if proxy == "native":
        return _quoted(f"virt-ssh-helper {_arguments(address)}")
    arguments = _arguments(address)
    return _quoted(
        "which virt-ssh-helper 1>/dev/null 2>&1; if test $? = 0; then"
        f"     virt-ssh-helper {arguments}; else    {_netcat(address)}; fi"
    )
