"""
Sessions of virsh made up from its own help: any command, any of its options, values that fit and values that do not.

A session is a function of its seed.  Commands that need a terminal, wait for something or leave the connection are
left out, and so is what libvirt's test driver lacks and ours has.
"""

from __future__ import annotations

import functools
import os
import random
import re
import shlex
from typing import NamedTuple

from tests.interop.supersets import COMMANDS
from tests.interop.support import DATA, requireVirsh, run

__all__ = ["marked", "session", "split"]

#: What needs a terminal or an event, tells the time, or is about the shell itself.
LEFT_OUT = """
    cd complete connect console desc echo edit event exit help pwd quit self-test shell checkpoint-edit iface-edit
    managedsave-edit metadata net-edit net-event nodedev-event nodesuspend nwfilter-edit pool-edit pool-event
    save-image-edit secret-edit secret-event snapshot-edit
    """

#: Options that wait, open something or print the time.
WAITING = {"all-if", "console", "edit", "timestamp", "verbose", "wait"}

#: What a session begins with, so that there is something to work on.
PRELUDE = [
    "define guest.xml",
    "define minimal.xml",
    "define tray.xml",
    "start web1",
    "net-define network.xml",
    "pool-define pool.xml",
    "vol-create default-pool volume.xml",
    "iface-define interface.xml",
    "snapshot-create test snapshot.xml",
    "snapshot-create-as web1 one",
]

DOMAINS = ["test", "web1", "small", "tray", "web2", "nonsense", "1", "2"]
VOLUMES = ["disk1.img", "disk2.img", "nonsense", "/default-pool/disk1.img"]
DEVICES = ["vda", "hda", "sda", "computer", "scsi_host1", "nonsense", "/x"]
FILES = [*sorted(os.listdir(DATA)), "absent.xml", "out.save"]

#: Values by the name of an option.
NAMED = {
    "domain": [*DOMAINS, "6695eb01-f6a4-8304-79aa-97f2502e193f"],
    "network": ["default", "lab", "nonsense", "dd8fe884-6c02-601e-7551-cca97df1c5df"],
    "pool": ["default-pool", "images", "nonsense"],
    "vol": VOLUMES,
    "interface": ["eth1", "eth7", "vnet0", "aa:bb:cc:dd:ee:ff", "52:54:00:12:34:56", "nonsense"],
    "snapshotname": ["first", "one", "two", "nonsense"],
    "checkpointname": ["mark", "nonsense"],
    "cpulist": ["0", "0-1", "^0", "0,3", "99", "x", "0-3,^2", ""],
    "device": DEVICES,
    "disk": DEVICES,
    "path": DEVICES,
    "target": DEVICES,
    "file": FILES,
    "xml": FILES,
    "xmldesc": FILES,
}
NUMBERS = ["0", "1", "2", "3", "4", "16", "-1", "1000000", "4294967296", "9" * 20, "x", "0x10"]
WORDS = """
    0 1 100 1000 1M 512 10,20 100,200,50 all x mem one first two nonsense yes on off KEY_A hup restart poweroff dir
    qcow2 raw add-last modify add delete ip-dhcp-host bridge portgroup //vcpu <x/> urn:a default -1
    """


class Option(NamedTuple):
    """An option as virsh's help lists it; C{kind} is bool, number, string or argv."""

    name: str
    kind: str
    required: bool


@functools.cache
def commands() -> dict[str, list[Option]]:
    """The commands to choose from, with their options, from virsh's help."""
    listing = run([requireVirsh(), "help"]).stdout
    names = re.findall(r"(?m)^    ([\w-]+) ", listing)
    return {
        name: options(run([requireVirsh(), "help", name]).stdout)
        for name in names
        if name not in {*LEFT_OUT.split(), *COMMANDS}
    }


def options(text: str) -> list[Option]:
    """Read the options off the help of one command."""
    found = []
    for line in text.partition("OPTIONS\n")[2].splitlines():
        match = re.match(r"    (\[?)(--|<)([\w-]+)[\]>]?(?: <(\w+)>)?  ", line + "  ")
        if match:
            required, mark, name, kind = match.groups()
            found.append(Option(name, "argv" if mark == "<" else kind or "bool", required == "["))
    return found


def value(rng: random.Random, command: str, option: Option) -> str:
    """A value for an option, quoted for virsh's shell."""
    if option.name in ("name", "newname") and command.startswith("vol"):
        choices = VOLUMES
    elif option.name in NAMED:
        choices = NAMED[option.name]
    elif option.kind == "number":
        choices = NUMBERS
    else:
        choices = [*WORDS.split(), "", "a b"]
    return shlex.quote(rng.choice(choices))


def line(rng: random.Random) -> str:
    """One command line."""
    command = rng.choice(list(commands()))
    words = [command]
    for option in commands()[command]:
        if option.name in WAITING:
            continue
        if option.kind == "bool":
            if rng.random() < 0.18:
                words.append(f"--{option.name}")
        elif option.kind == "argv":
            words += [value(rng, command, option) for _ in range(rng.choice([0, 1, 1, 2]))]
        elif rng.random() < (0.97 if option.required else 0.3):
            words += [f"--{option.name}", value(rng, command, option)]
    return " ".join(words)


def session(seed: int, length: int = 40) -> list[str]:
    """The command lines of one session."""
    rng = random.Random(seed)
    return [*PRELUDE, *(line(rng) for _ in range(length))]


def marked(lines: list[str]) -> str:
    """What to type so that the output of each line can be told apart, on both outputs."""
    return "".join(
        f"echo @@{number}\necho --err @@{number}\n{line}\n" for number, line in enumerate(lines)
    )


def split(output: str) -> dict[int, list[str]]:
    """The output of each line of a marked session, sorted, as lists have the order of hash tables."""
    # Of a file that ends too early, libvirtd tells the last error that its thread has met, of whatever it was.
    output = re.sub(r"(failed to read metadata length in '[^']*'): .*", r"\1", output)
    parts = re.split(r"(?m)^(?:virsh # |error: )?@@(\d+)\n", output)
    return {
        int(number): sorted(text.splitlines())
        for number, text in zip(parts[1::2], parts[2::2], strict=True)
    }
