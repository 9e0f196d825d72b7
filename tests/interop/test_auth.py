"""
Asking for credentials, and the file that has them: by the stock binding and by our client, with the same outcome.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from shutil import rmtree

from twisted.trial.unittest import SynchronousTestCase

from tests.interop.support import CHECKOUT, requireBinding, run
from tests.interop.test_blocking import INSTEAD

HOST = (
    "<node><auth><user password='123'>jim</user><user>fred</user></auth>"
    "<domain type='test'><name>x</name><memory>8192</memory><os><type>hvm</type></os></domain></node>"
)
GROUP = "[auth-test-localhost]\ncredentials=a\n"
FILES = {
    "ok": f"[credentials-a]\nusername=jim\npassword=123\n{GROUP}",
    "blanks": f"# c\n  [credentials-a] \n  username = jim\npassword=123\n\n{GROUP}",
    "behind": f"[credentials-a]\nusername=jim \npassword=123\n{GROUP}",
    "authname": f"[credentials-a]\nauthname=jim\npassword=123\n{GROUP}",
    "fred": f"[credentials-a]\nusername=fred\n{GROUP}",
    "jim": f"[credentials-a]\nusername=jim\n{GROUP}",
    "wrong": f"[credentials-a]\nusername=jim\npassword=1\n{GROUP}",
    "default": "[credentials-a]\nusername=jim\npassword=123\n[auth-test-default]\ncredentials=a\n",
    "nocredentials": "[auth-test-localhost]\nfoo=a\n",
    "nogroup": GROUP,
    "other": "[credentials-a]\nusername=jim\n[auth-test-elsewhere]\ncredentials=a\n",
    "service": "[credentials-a]\nusername=jim\n[auth-libvirt-localhost]\ncredentials=a\n",
    "garbage": "garbage\n[x\ny",
    "empty": "",
    "quoted": f"[credentials-a]\nusername=\"jim\"\npassword='123'\n{GROUP}",
    "twice": f"[credentials-a]\nusername=joe\nusername=jim\npassword=123\n{GROUP}",
    "novalue": f"[credentials-a]\nusername\npassword=123\n{GROUP}",
    "outside": f"username=jim\n[credentials-a]\nusername=jim\n{GROUP}",
    "semicolon": f"; c\n[credentials-a]\nusername=jim\n{GROUP}",
    "behindPassword": f"[credentials-a]\nusername=jim\npassword=123#x\n{GROUP}",
}
OWN = f"[credentials-a]\nusername=own\n{GROUP}"
SCRIPT = r"""
import json, libvirt, os, sys
D = sys.argv[1]
libvirt.registerErrorHandler(lambda *a: None, None)
ALL = [1, 2, 5, 4, 7, 9]
U = "test://" + D + "/host.xml"

def answers(given, result=0):
    def answer(wanted, data):
        print("  asked", wanted, data)
        for each in wanted:
            if each[0] in given:
                each[4] = given[each[0]]
        return result
    return answer

J = answers({2: "jim", 5: "123", 7: "123"})

def attempt(label, uri, auth, flags=0):
    try:
        conn = libvirt.openAuth(uri, auth, flags)
        print(label, "opened", conn.getURI())
        conn.close()
    except libvirt.libvirtError as error:
        print(label, error, error.err)

def raises(wanted, data):
    raise ValueError("asked in vain")

def second(wanted, data):
    wanted[0][4] = "jim"
    return 0 if wanted[0][0] == 2 else -1

if len(sys.argv) > 2:
    attempt("own", U, [ALL, J, None])
    sys.exit()
for types in (ALL, [2, 5], [2], [5], [], list(range(10)), [2, 7], [7, 5, 2]):
    attempt(types, U, [types, J, "data"])
for given in ({2: "jim", 5: "12"}, {2: "joe", 5: "12"}, {2: "fred"}, {2: "jim"}, {2: ""}, {2: 5}, {2: b"jim"},
              {2: "jim", 5: ""}, {}):
    attempt(given, U, [ALL, answers(given), None])
for result in (-1, -5, 1, True):
    attempt(result, U, [ALL, answers({2: "jim", 5: "123"}, result), None])
attempt("second", U, [ALL, second, None])
attempt("raises", U, [ALL, raises, None])
attempt("nobody", U, [ALL, None, None])
attempt("four", U, [ALL, J, None, 5])
for flags in (1, 2, 99):
    attempt(flags, U, [ALL, J, None], flags)
attempt("not asked", "test:///default", [ALL, raises, None])
for name in json.load(sys.stdin):
    attempt(name, U + "?authfile=" + D + "/" + name, [ALL, J, None])
attempt("folder", U + "?authfile=" + D, [ALL, J, None])
attempt("absent", U + "?authfile=" + D + "/absent", [ALL, J, None])
attempt("emptyName", U + "?authfile=", [ALL, J, None])
attempt("noTypes", U + "?authfile=" + D + "/ok", [[], J, None])
attempt("nobodyButFile", U + "?authfile=" + D + "/ok", [ALL, None, None])
for open in (libvirt.open, libvirt.openReadOnly):
    try:
        open(U)
    except libvirt.libvirtError as error:
        print(error, error.err)
os.environ["LIBVIRT_AUTH_FILE"] = D + "/ok"
attempt("variable", U, [ALL, J, None])
print(libvirt.open(U).getURI())
os.environ["LIBVIRT_AUTH_FILE"] = D + "/wrong"
attempt("both", U + "?authfile=" + D + "/ok", [ALL, J, None])
os.environ["LIBVIRT_AUTH_FILE"] = ""
attempt("emptyVariable", U, [ALL, J, None])
"""


class CredentialsTests(SynchronousTestCase):
    """A host that asks who opens it."""

    def compare(self, *more: str, environment: str = "PV=") -> list[str]:
        """Run the script by both, and return what both print."""
        found = []
        for command, first in ((requireBinding(), ""), (sys.executable, INSTEAD % CHECKOUT)):
            folder = tempfile.mkdtemp(prefix="pv-", dir="/tmp")
            self.addCleanup(rmtree, folder)
            own = os.path.join(folder, "own", "libvirt")
            os.makedirs(own)
            os.makedirs(os.path.join(folder, "h"))
            os.symlink(os.path.dirname(own), os.path.join(folder, "h", ".config"))
            for name, text in {**FILES, "host.xml": HOST, "own/libvirt/auth.conf": OWN}.items():
                with open(os.path.join(folder, name), "w") as file:
                    file.write(text)
            done = run(
                [
                    *("env", "-u", "XDG_CONFIG_HOME", environment.replace("FOLDER", folder)),
                    *(command, "-c", f"{first}{SCRIPT}", folder, *more),
                ],
                json.dumps(sorted(FILES)),
                cwd=folder,
            )
            lines = done.stdout.replace(folder, "FOLDER").splitlines()
            errors = [line for line in done.stderr.splitlines() if not line.startswith(" ")]
            found.append((lines, errors, done.status))
        self.assertEqual(found[1], found[0])
        return found[0][0]

    def test_same(self) -> None:
        """
        What is asked for, in which order, what is taken from which file, and all errors are the binding's.
        """
        self.assertIn("[2, 5] opened test://FOLDER/host.xml", self.compare())

    def test_own(self) -> None:
        """
        So is the user's own file.
        """
        for environment in ("HOME=FOLDER/h", "XDG_CONFIG_HOME=FOLDER/own"):
            self.assertIn("Enter own's password", self.compare("own", environment=environment)[0])
