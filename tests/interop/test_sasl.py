"""
Logging in by SASL: every door, every mechanism, stock clients and ours, on libvirtd and on pyvirt.
"""

from __future__ import annotations

import glob
import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.certificates import Pki, writePlaces
from tests.interop.support import (
    CHECKOUT,
    Daemon,
    LibvirtDaemon,
    Outcome,
    PyvirtDaemon,
    found,
    freePort,
    requireBinding,
    requireLibvirtd,
    requireVirsh,
    run,
)

_CALLBACK = """
def answer(wanted, opaque):
    for each in wanted:
        each[4] = {2: user, 5: password}[each[0]]
    return 0
"""
STOCK = f"""
import libvirt, sys
uri, user, password = sys.argv[1:]
libvirt.registerErrorHandler(lambda *_: None, None)
{_CALLBACK}
try:
    conn = libvirt.openAuth(uri, [[2, 5], answer, None], 0)
    print([each.name() for each in conn.listAllDomains()])
except libvirt.libvirtError as error:
    print(error.get_error_code(), error.get_error_domain(), error)
"""
OURS = f"""
import sys
from twisted.internet.task import react
from pyvirt import openAuth, VirtError
uri, user, password = sys.argv[1:]
{_CALLBACK}
async def main(reactor):
    try:
        conn = await openAuth(uri, [[2, 5], answer, None], 0)
        print([each.name() for each in await conn.listAllDomains()])
        await conn.close()
    except VirtError as error:
        print(int(error.code), int(error.domain), error)
react(lambda reactor: __import__("twisted.internet.defer").internet.defer.Deferred.fromCoroutine(main(reactor)))
"""
IN = "['test']"
NO_MECHANISM = (
    "45 7 authentication failed: Failed to start SASL negotiation: -4 (SASL(-4): no mechanism"
    " available: )"
)
FAILED = "45 7 authentication failed: authentication failed"


def requireSASL() -> str:
    """Return the program that keeps Cyrus's passwords, or skip."""
    path = found("saslpasswd2")
    if path is None:
        raise SkipTest("saslpasswd2 is not installed (sasl2-bin)")
    if not glob.glob("/usr/lib/*/sasl2/libscram.so"):
        raise SkipTest("Cyrus SASL has no SCRAM (libsasl2-modules)")
    return path


class _Doors:
    """A daemon that wants a login at each of its doors; a mixin."""

    pki: Pki
    places: dict[str, str]
    tlsPort: int

    def settings(self) -> list[str]:
        self.tlsPort = freePort()
        lines = [
            line
            for line in super().settings()  # type: ignore[misc]
            if not line.startswith(("auth_", "listen_tls"))
        ]
        return [
            *lines,
            "listen_tls = 1",
            f'tls_port = "{self.tlsPort}"',
            'auth_unix_rw = "sasl"',
            'auth_unix_ro = "sasl"',
            'auth_tcp = "sasl"',
            'auth_tls = "sasl"',
            'sasl_allowed_username_list = ["joe", "CN=alice*", "*CN=alice*"]',
            *(
                f'{key}_file = "{self.places[name]}"'
                for key, name in (("key", "serverkey"), ("cert", "servercert"), ("ca", "cacert"))
            ),
        ]

    def door(self, name: str, extra: str = "") -> str:
        """The URI of a door."""
        if name == "tls":
            folder = os.path.dirname(self.places["cacert"])
            return f"test+tls://localhost:{self.tlsPort}/default?pkipath={folder}{extra}"
        return self.uri(tcp=name == "tcp") + (extra if name == "unix" else extra.replace("&", "?"))  # type: ignore[attr-defined, no-any-return]


class SASLLibvirtDaemon(_Doors, LibvirtDaemon):
    """libvirtd with Cyrus SASL and its own passwords."""

    def environment(self) -> dict[str, str]:
        folder = os.path.join(self.folder, "sasl")
        os.makedirs(folder)
        database = os.path.join(folder, "db")
        with open(os.path.join(folder, "libvirt.conf"), "w") as file:
            file.write(
                f"mech_list: SCRAM-SHA-256 SCRAM-SHA-512 PLAIN EXTERNAL\nsasldb_path: {database}\n"
                "pwcheck_method: auxprop\nauxprop_plugin: sasldb\n"
            )
        for user in ("joe", "fred"):
            subprocess.run(
                [requireSASL(), "-p", "-f", database, "-a", "libvirt", user],
                input=b"secret\n",
                check=True,
            )
        return {**super().environment(), "SASL_CONF_PATH": folder}


class SASLPyvirtDaemon(_Doors, PyvirtDaemon):
    """Our daemon with a password file."""

    def settings(self) -> list[str]:
        path = os.path.join(self.folder, "passwd")
        for user in ("joe", "fred"):
            subprocess.run(
                [
                    *(sys.executable, "-m", "pyvirt.daemon.passwordcommand"),
                    *("--file", path, "set", user, "--stdin", "--iterations", "4096"),
                ],
                input=b"secret\n",
                check=True,
                cwd=CHECKOUT,
            )
        return [*super().settings(), f'sasl_passwd_file = "{path}"']


class Matrix(SynchronousTestCase):
    """{unix, tcp, tls} x {none wanted, each mechanism} x {virsh, binding, ours} x {libvirtd, pyvirt}."""

    def setUp(self) -> None:
        requireLibvirtd()
        requireVirsh()
        requireSASL()
        self.folder = os.path.abspath(self.mktemp())
        pki = Pki()
        places = writePlaces(self.folder, ca=pki.ca, server=pki.server, client=pki.client)
        for path in places.values():
            os.chmod(path, 0o600)
        _Doors.places = places
        self.daemons: list[Daemon] = []
        for kind in (SASLLibvirtDaemon, SASLPyvirtDaemon):
            daemon = kind()
            self.addCleanup(daemon.stop)
            self.daemons.append(daemon)
        self.authFiles: dict[str, str] = {}
        for user in ("joe", "fred"):
            for password in ("secret", "wrong"):
                path = f"{self.folder}/{user}-{password}.conf"
                with open(path, "w") as file:
                    file.write(
                        f"[credentials-x]\nauthname={user}\npassword={password}\n"
                        "[auth-libvirt-default]\ncredentials=x\n"
                    )
                self.authFiles[f"{user}-{password}"] = path

    def virsh(self, uri: str, user: str, password: str) -> str:
        joint = "&" if "?" in uri else "?"
        outcome = run(
            [
                requireVirsh(),
                *("-c", f"{uri}{joint}authfile={self.authFiles[f'{user}-{password}']}"),
                *("list", "--name"),
            ]
        )
        return self.said(outcome)

    def said(self, outcome: Outcome) -> str:
        if outcome.status == 0 and outcome.stdout.split() == ["test"]:
            return IN
        text = (outcome.stdout + outcome.stderr).strip()
        text = text.replace("error: failed to connect to the hypervisor\nerror: ", "45 7 ")
        return text

    def stock(self, uri: str, user: str, password: str) -> str:
        return self.script([requireBinding(), "-c", STOCK], uri, user, password)

    def ours(self, uri: str, user: str, password: str) -> str:
        return self.script([sys.executable, "-c", OURS], uri, user, password)

    def script(self, command: Sequence[str], *arguments: str) -> str:
        outcome = run([*command, *arguments], cwd=CHECKOUT)
        return (outcome.stdout + outcome.stderr).strip()

    def cells(
        self,
        clients: Sequence[str],
        daemon: Daemon,
        cases: Sequence[tuple[str, str, str, str, str]],
    ) -> list[str]:
        """Try cases (door, mechanism, user, password, what is expected); return those that differ."""
        wrong = []
        for name in clients:
            client: Callable[[str, str, str], str] = getattr(self, name)
            for door, mechanism, user, password, expected in cases:
                extra = f"&auth=sasl.{mechanism}" if mechanism else ""
                uri = daemon.door(door, extra)  # type: ignore[attr-defined]
                actual = client(uri, user, password)
                # virsh prints no domain: the client's own refusals have another one.
                shown = expected.replace("45 13", "45 7") if name == "virsh" else expected
                if actual != shown:
                    wrong.append(
                        f"{daemon.label} {name} {door} {mechanism} {user}: {actual!r}, not {shown!r}"
                    )
        return wrong

    def test_matrix(self) -> None:
        """Each cell that libvirt allows works, each other is refused in libvirt's words."""
        secret, wrong = ("joe", "secret"), ("joe", "wrong")
        unsupported = "45 13 authentication failed: SASL mechanism {} not supported by server"
        both = [
            ("unix", "", *secret, IN),
            ("unix", "SCRAM-SHA-256", *secret, IN),
            ("unix", "SCRAM-SHA-512", *secret, IN),
            ("unix", "", *wrong, FAILED),
            ("unix", "", "fred", "secret", FAILED),  # may not come in, whatever the password
            ("unix", "SCRAM-SHA-1", *secret, unsupported.format("SCRAM-SHA-1")),
            ("tcp", "", *secret, FAILED),
            ("tcp", "SCRAM-SHA-256", *secret, FAILED),
            ("tls", "", *secret, IN),
            ("tls", "SCRAM-SHA-256", *secret, IN),
            ("tls", "SCRAM-SHA-512", *secret, IN),
            ("tls", "PLAIN", *secret, IN),
            ("tls", "PLAIN", *wrong, FAILED),
            ("tls", "", *wrong, FAILED),
            ("unix", "EXTERNAL", *secret, unsupported.format("EXTERNAL")),
        ]
        found = []
        for daemon in self.daemons:
            for client in ("virsh", "stock", "ours"):
                # Starting a program of ours takes longer: the doors, and one refusal.
                cases = both if client != "ours" else [both[i] for i in (0, 2, 3, 6, 8, 11, 12)]
                found += self.cells([client], daemon, cases)
        # Libvirt offers no EXTERNAL, and its clients cannot speak of their certificate.
        libvirtd, pyvirt = self.daemons
        external = ("tls", "EXTERNAL", *secret)
        unknown = unsupported.format("EXTERNAL")
        found += self.cells(["virsh", "ours"], libvirtd, [(*external, unknown)])
        found += self.cells(["virsh", "stock"], pyvirt, [(*external, NO_MECHANISM)])
        found += self.cells(
            ["virsh"], pyvirt, [("unix", "PLAIN", *secret, unsupported.format("PLAIN"))]
        )
        found += self.cells(
            ["ours"],
            pyvirt,
            [
                ("tls", "SCRAM-SHA-256-PLUS", *secret, IN),
                ("tls", "SCRAM-SHA-512-PLUS", *wrong, FAILED),
                ("tls", "EXTERNAL", *secret, IN),
            ],
        )
        self.assertEqual(found, [], "\n".join(found))
        log = pyvirt.log()
        self.assertNotIn("secret", log)
        self.assertIn("not allowed by ACL", log)
        self.assertIsNotNone(re.search(r"nothing encrypts", log))
