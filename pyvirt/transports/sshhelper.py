"""
C{pyvirt-ssh-helper}: what SSH clients start to reach the daemon of this host; as C{virt-ssh-helper} of libvirt.

    pyvirt-ssh-helper [-r] URI

It finds the daemon's UNIX socket for the URI and carries bytes between it and its own input and output.
"""

from __future__ import annotations

import argparse
import os
import selectors
import socket
import sys
from collections.abc import Sequence

__all__ = ["carry", "main"]

_CHUNK = 1 << 16


def carry(source: int, sink: int, connection: socket.socket) -> None:
    """Carry bytes from C{source} to the connection and from there to C{sink} until either ends."""
    with selectors.DefaultSelector() as selector:
        selector.register(source, selectors.EVENT_READ)
        selector.register(connection, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is connection:
                    data = connection.recv(_CHUNK)
                    if not data:
                        return
                    while data:
                        data = data[os.write(sink, data) :]
                else:
                    data = os.read(source, _CHUNK)
                    if not data:
                        return
                    connection.sendall(data)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="pyvirt-ssh-helper", description="Reach the virtualization daemon of this host."
    )
    parser.add_argument("-r", "--readonly", action="store_true", help="to look only")
    parser.add_argument("uri", help="the connection URI, such as qemu:///system")
    options = parser.parse_args(arguments)
    from pyvirt.constants import VIR_CONNECT_RO
    from pyvirt.drivers.remote.target import findTarget
    from pyvirt.errors import VirtError
    from pyvirt.uri import parseURI

    flags = VIR_CONNECT_RO if options.readonly else 0
    try:
        uri = parseURI(options.uri) if options.uri else None
        path = findTarget(uri, flags, os.environ, os.geteuid()).address.path
    except VirtError as problem:
        print(f"pyvirt-ssh-helper: {problem}", file=sys.stderr)
        return 1
    if not path:
        print(f"pyvirt-ssh-helper: '{options.uri}' is not on this host", file=sys.stderr)
        return 1
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(path)
            carry(0, 1, connection)
        except BrokenPipeError:
            return 0
        except OSError as problem:
            print(f"pyvirt-ssh-helper: '{path}': {problem.strerror}", file=sys.stderr)
            return 1
    return 0
