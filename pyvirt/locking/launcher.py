"""
Run as a program: get leases, then become the guest.

C{python -I -S launcher.py HOW JSON -- PROGRAM ARGUMENT ...}: with HOW C{lockd} the leases hang on a connection
that the guest inherits and never uses; with C{etcd} a guard is left behind that keeps them alive.  What goes
wrong is one line on standard error and status 71.

It imports the standard library alone, and as little of it as it can: it is on the way of every guest's start.
"""

import json
import os
import socket
import struct
import sys

try:
    from pyvirt.locking.refused import Refused
except ImportError:  # run as a program, away from its package
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    from refused import Refused  # type: ignore[import-not-found,no-redef]

#: What the line of an error begins with, and the exit status.
MARK = "pyvirt-lock-error "
STATUS = 71

_PROGRAM = 0x0EA7BEEF
_HEADER = struct.Struct(">7I")


def _string(text: str) -> bytes:
    data = text.encode("utf-8", "surrogateescape")
    return struct.pack(">I", len(data)) + data + bytes(-len(data) % 4)


def _receive(connection: socket.socket, length: int) -> bytes:
    data = b""
    while len(data) < length:
        more = connection.recv(length - len(data))
        if not more:
            raise Refused(38, 0, "the lock daemon hung up")
        data += more
    return data


def _call(connection: socket.socket, number: int, payload: bytes) -> None:
    head = _HEADER.pack(28 + len(payload), _PROGRAM, 1, number, 0, number, 0)
    connection.sendall(head + payload)
    (length,) = struct.unpack(">I", _receive(connection, 4))
    if not 28 <= length <= 1 << 20:
        raise Refused(38, 0, f"the lock daemon sent a packet of {length} bytes")
    reply = _receive(connection, length - 4)
    if struct.unpack_from(">I", reply, 20)[0]:
        code, domain, present = struct.unpack_from(">iiI", reply, 24)
        text = "error"
        if present:
            (size,) = struct.unpack_from(">I", reply, 36)
            text = reply[40 : 40 + size].decode("utf-8", "replace")
        raise Refused(code, domain, text)


def lockd(options: dict) -> None:  # type: ignore[type-arg]
    """Get leases from a lock daemon; the connection stays open across the change of program."""
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(options["timeout"])
    try:
        connection.connect(options["socket"])
    except OSError as problem:
        text = f"Failed to connect socket to '{options['socket']}': {problem.strerror}"
        # What goes wrong before it has asked for anything libvirt only passes on.
        said = f"Process exited prior to exec: libvirt: XML-RPC error : {text}"
        raise Refused(1, 10, f"internal error: {said}") from None
    owner = bytes.fromhex(options["uuid"].replace("-", "")) + _string(options["name"])
    owner += struct.pack(">II", options["id"], os.getpid())
    _call(connection, 1, owner + bytes(4))
    held = []
    try:
        for space, name, flags in options["leases"]:
            lease = _string(space) + _string(name)
            _call(connection, 6, lease + struct.pack(">I", flags))
            held.append(lease)
    except Refused:
        # An owner that hangs up with leases is killed; this one has something to say yet.
        for lease in held:
            _call(connection, 7, lease + bytes(4))
        raise
    _call(connection, 2, bytes(4))
    connection.settimeout(None)
    os.set_inheritable(connection.detach(), True)


def main(arguments: list) -> None:  # type: ignore[type-arg]
    """Do what the command line says; returns only by an exception."""
    how, given, dashes, *program = arguments
    if dashes != "--" or not program:
        raise SystemExit("usage: launcher.py lockd|etcd JSON -- PROGRAM ARGUMENT ...")
    options = json.loads(given)
    try:
        if how == "lockd":
            lockd(options)
        else:
            import etcdguard  # type: ignore[import-not-found]

            etcdguard.launch(options)
    except Refused as refused:
        error = refused.error
    except OSError as problem:
        error = {"code": 38, "domain": 42, "text": f"cannot get leases: {problem}"}
    else:
        try:
            os.execvp(program[0], program)
        except OSError as problem:
            print(f"cannot run {program[0]}: {problem.strerror}", file=sys.stderr)
            raise SystemExit(127) from None
    print(MARK + json.dumps(error), file=sys.stderr, flush=True)
    raise SystemExit(STATUS)


if __name__ == "__main__":
    main(sys.argv[1:])
