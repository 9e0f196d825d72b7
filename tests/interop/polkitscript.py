"""
Run in namespaces of its own: a message bus, a polkitd with rules of the test's, both daemons, and clients of four users.

Prints what came of it as JSON: by case, what each client saw at libvirtd and at pyvirt.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from pyvirt.daemon.access.objects import PERMISSIONS
from tests.interop.support import (
    LibvirtDaemon,
    PyvirtDaemon,
    requireBinding,
    requireVirsh,
    run,
)

RULES = """
polkit.addRule(function(action, subject) {
  if (action.id == "org.libvirt.unix.manage") {
    if (subject.user == "nobody") return polkit.Result.YES;
    if (subject.user == "bin") return polkit.Result.NO;
    return polkit.Result.NOT_HANDLED;
  }
  if (action.id == "org.libvirt.unix.monitor" && subject.user == "bin") return polkit.Result.NO;
  if (action.id.indexOf("org.libvirt.api.") != 0) return polkit.Result.NOT_HANDLED;
  if (action.lookup("connect_driver") != "Test") return polkit.Result.NO;
  if (action.lookup("domain_name") == "test")
    return subject.user == "nobody" && action.id == "org.libvirt.api.domain.stop"
      ? polkit.Result.NO : polkit.Result.YES;
  return action.id == "org.libvirt.api.connect.search-networks" ? polkit.Result.NO : polkit.Result.YES;
});
"""
USERS = {"root": 0, "nobody": 65534, "daemon": 1, "bin": 2}
COMMANDS = "list --all; suspend test; destroy test; domname 1; net-list; pool-list; hostname"
STOCK = """
import json, os, sys, libvirt
libvirt.registerErrorHandler(lambda context, error: None, None)
found = {}
for user in sys.argv[1].split(","):
    os.seteuid(int(user))
    for uri in sys.argv[2:]:
        try:
            conn = libvirt.openReadOnly(uri) if uri.endswith("-ro") else libvirt.open(uri)
            found.setdefault(user, []).append(str([each.name() for each in conn.listAllDomains()]))
            conn.close()
        except libvirt.libvirtError as error:
            found.setdefault(user, []).append(f"{error.get_error_code()} {error.get_error_domain()} {error}")
    os.seteuid(0)
print(json.dumps(found))
"""
OURS = """
import json, os, sys
from twisted.internet.task import react
from twisted.internet.defer import Deferred
import pyvirt
async def main(reactor):
    found = {}
    # Root first: all that is needed is read before it is somebody who may not read it.
    for user in sys.argv[1].split(","):
        os.seteuid(int(user))
        for uri in sys.argv[2:]:
            try:
                conn = await (pyvirt.openReadOnly if uri.endswith("-ro") else pyvirt.open)(uri)
                found.setdefault(user, []).append(str([each.name() for each in await conn.listAllDomains()]))
                await conn.close()
            except pyvirt.VirtError as error:
                found.setdefault(user, []).append(f"{int(error.code)} {int(error.domain)} {error}")
        os.seteuid(0)
    print(json.dumps(found))
react(lambda reactor: Deferred.fromCoroutine(main(reactor)))
"""


class _Doors:
    """A daemon whose configuration says only once how clients authenticate; a mixin."""

    auth = "none"

    def settings(self) -> list[str]:
        lines: list[str] = super().settings()  # type: ignore[misc]
        kept = [each for each in lines if not each.startswith("auth_unix")]
        return [*kept, f'auth_unix_rw = "{self.auth}"', f'auth_unix_ro = "{self.auth}"']


class _Libvirtd(_Doors, LibvirtDaemon):
    pass


class _Pyvirt(_Doors, PyvirtDaemon):
    pass


def become(user: str) -> list[str]:
    """What makes a command another user's."""
    number = USERS[user]
    return ["setpriv", f"--reuid={number}", f"--regid={number}", "--clear-groups"] if number else []


def actions() -> str:
    """What polkit has to know about libvirt: each action, and what holds where no rule says anything."""
    kinds = {"org.libvirt.unix.manage": "auth_admin_keep", "org.libvirt.unix.monitor": "yes"}
    for kind, permissions in PERMISSIONS.items():
        for each in permissions:
            kinds[f"org.libvirt.api.{kind}.{each}".replace("_", "-")] = "no"
    return "\n".join(
        [
            "<policyconfig>",
            *(
                f'<action id="{name}"><description>{name}</description><message>{name}</message><defaults>'
                f"<allow_any>{default}</allow_any><allow_inactive>{default}</allow_inactive>"
                f"<allow_active>{default}</allow_active></defaults></action>"
                for name, default in kinds.items()
            ),
            "</policyconfig>",
        ]
    )


def waitFor(path: str) -> None:
    """Wait for a socket."""
    end = time.monotonic() + 60
    while not os.path.exists(path):
        if time.monotonic() > end:
            raise AssertionError(f"{path} does not come")
        time.sleep(0.01)


def startPolkit(folder: str) -> list[subprocess.Popen[bytes]]:
    """Start the bus and polkitd on places that only this process and its children see."""
    for source, target in (
        ("run", "/run"),
        ("rules", "/etc/polkit-1/rules.d"),
        ("actions", "/usr/share/polkit-1/actions"),
    ):
        os.makedirs(f"{folder}/{source}")
        subprocess.run(["mount", "--bind", f"{folder}/{source}", target], check=True)
        os.chmod(target, 0o755)
    os.makedirs("/run/dbus")
    with open("/etc/polkit-1/rules.d/10.rules", "w") as file:
        file.write(RULES)
    with open("/usr/share/polkit-1/actions/libvirt.policy", "w") as file:
        file.write(actions())
    quiet = {
        "stdin": subprocess.DEVNULL,
        "stdout": subprocess.DEVNULL,
        "stderr": subprocess.DEVNULL,
    }
    bus = subprocess.Popen(["dbus-daemon", "--system", "--nofork", "--nopidfile"], **quiet)  # type: ignore[call-overload]
    waitFor("/run/dbus/system_bus_socket")
    polkit = subprocess.Popen(["/usr/lib/polkit-1/polkitd", "--no-debug"], **quiet)  # type: ignore[call-overload]
    check = ["pkcheck", "--action-id", "org.libvirt.unix.manage", "--process", str(os.getpid())]
    end = time.monotonic() + 60
    while subprocess.run(check, **quiet).returncode:  # type: ignore[call-overload]
        if time.monotonic() > end:
            raise AssertionError("polkitd does not answer")
        time.sleep(0.05)
    return [bus, polkit]


def main() -> None:
    """Do all that, and print the outcome."""
    folder = sys.argv[1]
    os.chmod(folder, 0o755)
    processes = startPolkit(folder)
    found: dict[str, list[object]] = {}
    open = ['unix_sock_rw_perms = "0777"', 'unix_sock_ro_perms = "0777"']
    access = [*open, 'access_drivers = [ "polkit" ]']
    for label, settings in (("login", open), ("access", access)):
        # libvirt's test driver asks nobody, so access to its objects is ours alone.
        _Doors.auth = "polkit" if label == "login" else "none"
        for kind in (_Libvirtd, _Pyvirt)[label == "access" :]:
            daemon = kind(settings)
            os.chmod(daemon.folder, 0o755)
            uris = [daemon.uri(), daemon.uri(readOnly=True)]
            seen: dict[str, object] = {}
            if label == "login":
                numbers = ",".join(map(str, USERS.values()))
                for name, command in (("binding", requireBinding()), ("client", sys.executable)):
                    script = STOCK if name == "binding" else OURS
                    done = run([command, "-c", script, numbers, *uris])
                    if done.status:
                        raise AssertionError(done.stderr)
                    seen[name] = json.loads(done.stdout)
            for user in ("nobody", "bin") if label == "login" else ("root", "nobody", "daemon"):
                said = COMMANDS.replace(";", "\n") if label == "access" else "list --name\n"
                seen[user] = run([*become(user), requireVirsh(), "-c", uris[0]], said)
            found.setdefault(label, []).append(
                json.loads(json.dumps(seen).replace(daemon.folder, "FOLDER"))
            )
            daemon.stop()
    for each in processes:
        each.terminate()
    print(json.dumps(found))


if __name__ == "__main__":
    main()
