"""
A Kerberos realm of the tests' own: a KDC on a loopback port, its users and the keys of this host.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time

from twisted.trial.unittest import SkipTest

from pyvirt.sasl.kerberos import isAvailable
from tests.interop.support import _diesWithParent, found, freePort

REALM = "PYVIRT.EXAMPLE"


class KDC:
    """
    The realm.

    @ivar environment: what programs need to be in it; each user's tickets are in C{tickets(user)}.
    @ivar keytab: the keys of C{libvirt/localhost} and of this host's own name.
    """

    def __init__(self) -> None:
        programs = {}
        for name, package in (
            ("krb5kdc", "krb5-kdc"),
            ("kdb5_util", "krb5-kdc"),
            ("kadmin.local", "krb5-admin-server"),
            ("kinit", "krb5-user"),
        ):
            path = found(name)
            if path is None:
                raise SkipTest(f"{name} is not installed ({package})")
            programs[name] = path
        self._programs = programs
        self.folder = tempfile.mkdtemp(prefix="pv-kdc-", dir="/tmp")
        port = freePort()
        self.keytab = self._path("keytab")
        self._write(
            "krb5.conf",
            f"[libdefaults]\n default_realm = {REALM}\n dns_lookup_kdc = false\n"
            " dns_lookup_realm = false\n dns_canonicalize_hostname = false\n rdns = false\n"
            f" ignore_acceptor_hostname = true\n[realms]\n {REALM} = {{\n  kdc = 127.0.0.1:{port}\n }}\n"
            f"[domain_realm]\n localhost = {REALM}\n 127.0.0.1 = {REALM}\n",
        )
        self._write(
            "kdc.conf",
            f"[kdcdefaults]\n kdc_listen = 127.0.0.1:{port}\n kdc_tcp_listen = 127.0.0.1:{port}\n"
            f"[realms]\n {REALM} = {{\n  database_name = {self._path('principal')}\n"
            f"  key_stash_file = {self._path('stash')}\n  acl_file = {self._path('acl')}\n"
            "  supported_enctypes = aes256-cts:normal\n }\n"
            f"[logging]\n kdc = FILE:{self._path('log')}\n",
        )
        self.environment = {
            "KRB5_CONFIG": self._path("krb5.conf"),
            "KRB5_KDC_PROFILE": self._path("kdc.conf"),
            "KRB5_KTNAME": self.keytab,
            "KRB5RCACHEDIR": self.folder,
        }
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self._start(port)
        except BaseException:
            self.stop()
            raise

    def _path(self, name: str) -> str:
        return os.path.join(self.folder, name)

    def _write(self, name: str, text: str) -> None:
        with open(self._path(name), "w") as file:
            file.write(text)

    def run(self, name: str, *arguments: str, input: str = "", **environment: str) -> None:
        """Run one of Kerberos's programs."""
        done = subprocess.run(
            [self._programs[name], *arguments],
            input=input.encode(),
            capture_output=True,
            env={**os.environ, **self.environment, **environment},
            timeout=180,
        )
        if done.returncode:
            raise AssertionError(f"{name} {arguments}: {done.stdout!r} {done.stderr!r}")

    def _start(self, port: int) -> None:
        self.run("kdb5_util", "create", "-s", "-r", REALM, "-P", "master")
        host = socket.gethostname()
        commands = [f"addprinc -pw secret {user}" for user in ("joe", "fred")]
        names = [f"libvirt/{each}" for each in dict.fromkeys(("localhost", host))]
        commands += [f"addprinc -randkey {each}" for each in names]
        commands.append(f"ktadd -k {self.keytab} {' '.join(names)}")
        self.run("kadmin.local", input="\n".join(commands) + "\n")
        self._process = subprocess.Popen(
            [self._programs["krb5kdc"], "-n"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **self.environment},
            preexec_fn=_diesWithParent,
        )
        end = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 5).close()
                break
            except OSError:
                if self._process.poll() is not None or time.monotonic() > end:
                    raise AssertionError("the KDC does not start") from None
                time.sleep(0.01)
        for user in ("joe", "fred"):
            self.run("kinit", user, input="secret\n", KRB5CCNAME=self.tickets(user))

    def tickets(self, user: str) -> str:
        """Where the tickets of a user are; another name has none."""
        return f"FILE:{self._path(f'tickets-{user}')}"

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)
        shutil.rmtree(self.folder, ignore_errors=True)


def requireGSSAPI() -> None:
    """Skip where the package is absent."""
    if not isAvailable():
        raise SkipTest("the Python package gssapi is not installed")
