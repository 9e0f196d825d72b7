"""
Documents that need more than a command line to start, put to libvirtd and to our daemon, and what each makes of them.

L{SCRIPT} runs under libvirt's own binding inside a world: one process does all cases, in order.
"""

from __future__ import annotations

import json
import re
from typing import Any

from tests.interop.qemuworld import World

__all__ = ["SCRIPT", "document", "normal", "play"]

SCRIPT = r"""
import json, subprocess, sys, libvirt
libvirt.registerErrorHandler(lambda *args: None, None)
connection = libvirt.open("qemu:///system")
def shell(line):
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True)
    return done.stdout + done.stderr
for case in json.load(sys.stdin):
    said = []
    for line in case.get("before", ()):
        shell(line)
    domain = None
    try:
        domain = connection.defineXML(case["xml"])
        domain.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)
        said.append(("xml", domain.XMLDesc(libvirt.VIR_DOMAIN_XML_SECURE)))
        with open("/run/libvirt/qemu/%s.pid" % case["name"]) as file:
            pid = file.read()
        with open("/proc/%s/cmdline" % pid) as file:
            said.append(("command", file.read()))
    except libvirt.libvirtError as error:
        said.append(("error", [error.get_error_code(), error.get_error_domain(),
                               error.get_error_level(), error.get_error_message()]))
    for line in case.get("after", ()):
        said.append((line, shell(line)))
    if domain is not None:
        try:
            if domain.isActive():
                domain.destroy()
            domain.undefineFlags(case.get("undefine", libvirt.VIR_DOMAIN_UNDEFINE_NVRAM))
        except libvirt.libvirtError as error:
            said.append(("end", str(error)))
    for line in case.get("left", ()):
        said.append(("left: " + line, shell(line)))
    print(json.dumps([case["name"], said]), flush=True)
"""


def document(name: str, number: int, devices: str, *, top: str = "", os: str = "") -> str:
    """Write a domain with little but the devices that are asked about."""
    return (
        f"<domain type='qemu'><name>{name}</name>"
        f"<uuid>11111111-2222-3333-4444-{number:012d}</uuid><memory>65536</memory>"
        f"<os><type arch='x86_64' machine='pc'>hvm</type>{os}</os>{top}"
        f"<devices>{devices}</devices></domain>"
    )


#: What differs between any two runs, or is none of these tests' business.
_NOISE = (
    (re.compile(r'fd(s?)(=|":")[0-9:]+'), r"fd\1\2N"),
    (re.compile(r"  <resource>.*?</resource>\n", re.S), ""),
    (re.compile(r"  <seclabel.*?</seclabel>\n", re.S), ""),
    (re.compile(r"  <cpu mode.*?</cpu>\n", re.S), ""),
    (re.compile(r'"(data|iv)":"[^"]*"'), r'"\1":"X"'),
    (re.compile(r"\d{4}-\d\d-\d\dT[0-9:.]+Z"), "TIME"),
    (re.compile(r"/dev/pts/\d+"), "/dev/pts/N"),
    (re.compile(r"pwdfd=\d+"), "pwdfd=N"),
    (re.compile(r"--fd=\d+"), "--fd=N"),
    # Which of both it is depends on when QEMU ends.
    (
        re.compile(
            "process exited while connecting to monitor|qemu unexpectedly closed the monitor"
        ),
        "QEMU ended",
    ),
)


def normal(value: Any, folder: str) -> Any:
    """Take out what differs between any two runs."""
    if isinstance(value, str):
        value = value.replace(folder, "FOLDER")
        for pattern, instead in _NOISE:
            value = pattern.sub(instead, value)
        # An error carries what QEMU printed, with or without the last line's end.
        return value.strip()
    if isinstance(value, list):
        return [normal(each, folder) for each in value]
    return value


def play(world: World, python: str, cases: list[dict[str, Any]]) -> dict[str, Any]:
    """
    Do cases in a world.

    @param cases: C{FOLDER} stands for the world's folder.
    @return: what there was to see of each, by its name, without what differs between any two runs.
    """
    text = json.dumps(cases).replace("FOLDER", world.folder)
    done = world.run([python, "-c", SCRIPT], text, deadline=300.0)
    found = {}
    for line in done.stdout.splitlines():
        name, said = json.loads(line)
        found[name] = normal(said, world.folder)
    if len(found) != len(cases):
        raise AssertionError(f"{done} {world.log()}")
    return found
