"""
C{make run}: the daemon in the foreground, on the test driver, with all its state in C{.run} of this checkout.

Once the daemon answers, prints the lines by which virsh and our own command reach it.  Control-C ends it.
An argument names another folder for the state.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from urllib.parse import quote

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
STATE = os.path.abspath(sys.argv[1]) if sys.argv[1:] else os.path.join(TOP, ".run")

#: Longest address of a UNIX socket, in bytes, without the zero that ends it.
LONGEST = 107
DEADLINE = 30.0


def rootFolder() -> str:
    """
    The daemon's root: the state folder, or if that makes addresses of sockets too long, a private folder with a short path.

    @raise SystemExit: that folder is somebody else's.
    """
    if len(os.fsencode(os.path.join(STATE, "libvirt-sock-ro"))) <= LONGEST:
        return STATE
    folder = os.path.join(
        tempfile.gettempdir(), f"pyvirt-{os.getuid()}-{zlib.crc32(os.fsencode(STATE)):08x}"
    )
    os.makedirs(folder, mode=0o700, exist_ok=True)
    found = os.lstat(folder)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        sys.exit(f"{folder} is not a private folder of yours: remove it and try again")
    print(f"This folder's path is too long for sockets, so the state is in {folder}")
    return folder


def answers(path: str) -> bool:
    """Whether a daemon answers on a UNIX socket: accepting alone the system does before the daemon can."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(DEADLINE)
        try:
            probe.connect(path)
            # Which authentication is wanted: the first call of every client.
            probe.sendall(struct.pack(">IIIiIII", 28, 0x20008086, 1, 66, 0, 1, 0))
            return bool(probe.recv(4))
        except OSError:
            return False


def main() -> int:
    """Start the daemon, tell how to reach it, wait for its end."""
    os.makedirs(STATE, mode=0o700, exist_ok=True)
    root = rootFolder()
    path = os.path.join(root, "libvirt-sock")
    uri = f"'test+unix:///default?socket={quote(path)}'"
    virsh = f"virsh -c {uri} list --all"
    own = f".venv/bin/pyvirsh -c {uri} list --all"
    if answers(path):
        print(f"A daemon of this checkout is running already.  Try:\n\n    {virsh}\n    {own}\n")
        return 1
    config = os.path.join(STATE, "pyvirt.conf")
    with open(config, "w") as file:
        file.write(
            "# Written anew by every make run.\n"
            "listen_tls = 0\n"
            "listen_tcp = 0\n"
            'auth_unix_ro = "none"\n'
            'auth_unix_rw = "none"\n'
            'unix_sock_dir = "/"\n'
        )
    twistd = os.path.join(os.path.dirname(sys.executable), "twistd")
    command = [twistd, "--nodaemon", "--pidfile=", "pyvirt", "--config", config, "--root", root]
    modules = os.pathsep.join(filter(None, [TOP, os.environ.get("PYTHONPATH")]))
    daemon = subprocess.Popen(command, cwd=TOP, env={**os.environ, "PYTHONPATH": modules})
    # Control-C reaches both of us; the daemon ends in order and we report how.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: daemon.terminate())
    deadline = time.monotonic() + DEADLINE
    while not answers(path):
        if daemon.poll() is not None:
            print(f"The daemon ended with status {daemon.returncode}; see above.")
            return 1
        if time.monotonic() > deadline:
            daemon.terminate()
            daemon.wait()
            print(f"The daemon did not answer on {path} within {DEADLINE:.0f} seconds.")
            return 1
        time.sleep(0.02)
    print(
        f"\nThe daemon answers.  In another terminal, in this folder:\n\n    {virsh}\n    {own}\n"
    )
    if shutil.which("virsh") is None:
        print("(virsh is not installed here: apt install libvirt-clients)\n")
    print("Control-C ends it.", flush=True)
    status = daemon.wait()
    return 0 if status in (0, -signal.SIGINT, -signal.SIGTERM) else 1


if __name__ == "__main__":
    sys.exit(main())
