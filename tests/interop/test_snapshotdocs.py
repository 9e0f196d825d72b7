"""
What documents of snapshots say, what becomes of which disk, and how that is written: as with libvirtd 9.0.0.
"""

from __future__ import annotations

import os
import re

from tests.interop.support import ComparisonCase, Daemon, Outcome, virsh

#: A domain whose disks are of every kind that the rules tell apart.
DOMAIN = """
<domain type='test'><name>snapdocs</name><uuid>1695eb01-f6a4-8304-79aa-97f2502e193f</uuid>
<memory>1024</memory><os><type>hvm</type></os><devices>
<disk type='file' device='disk'><source file='FOLDER/a.b.img'/><target dev='vda'/></disk>
{more}
<disk type='file' device='disk' snapshot='no'><source file='FOLDER/a.b.img'/><target dev='vdc'/></disk>
<disk type='file' device='disk'><source file='FOLDER/plain'/><target dev='vdd'/><readonly/></disk>
<disk type='file' device='disk' snapshot='external'><source file='FOLDER/e.img'/><target dev='vde'/></disk>
<disk type='file' device='cdrom'><target dev='hda' bus='ide'/><readonly/></disk>
</devices></domain>
"""

#: Further disks: none, and those that nothing can be laid over.
MORE = {
    "plain": "",
    "absent": "<disk type='file'><source file='FOLDER/absent.img'/><target dev='vdb'/></disk>",
    "device": "<disk type='block'><source dev='/dev/null'/><target dev='vdb'/></disk>",
    "network": "<disk type='network'><source protocol='nbd' name='n'><host name='h'/></source>"
    "<target dev='vdb'/></disk>",
}

WISHES = [
    *(
        f"<disk name='{name}'{word}/>"
        for name in ("vda", "vdb", "vdc", "vdd", "vde", "hda", "FOLDER/plain", "n")
        for word in ("", *(f" snapshot='{each}'" for each in ("no", "internal", "external")))
    ),
    "<disk name='vda' snapshot='manual'/>",
    "<disk name='vda' snapshot='default'/>",
    "<disk name='vda'><source file='/tmp/q'/></disk>",
    "<disk name='vda' snapshot='external'><source file=''/></disk>",
    "<disk name='vda'><source file='q'/></disk>",
    "<disk name='vda' snapshot='internal'><source file='/tmp/q'/></disk>",
    "<disk name='vdc' snapshot='no'><source file='/tmp/q'/></disk>",
    "<disk name='vda' type='block'><source dev='/dev/q'/></disk>",
    "<disk name='vda' type='block' snapshot='external'/>",
    "<disk name='vda' type='network'><source protocol='nbd' name='q'><host name='h'/></source></disk>",
    "<disk name='vda' type='dir'><source dir='/q'/></disk>",
    "<disk name='vda' type='volume'><source pool='p' volume='v'/></disk>",
    "<disk name='vda' type='odd'><source file='/q'/></disk>",
    *(f"<disk name='vda'><driver type='{each}'/></disk>" for each in ("qcow2", "raw", "none", "x")),
    "<disk name='vda'><driver/></disk>",
    "<disk name='vda' snapshot='internal'><driver type='qcow2'/></disk>",
    "<disk name='hda' snapshot='external'><source file='/tmp/q'/></disk>",
    "<disk name='vda'><source file='FOLDER/plain.t'/></disk><disk name='vdd' snapshot='external'/>",
    "<disk/>",
    "<disk name=''/>",
    "<disk name='vda'/><disk name='vda'/>",
    "<disk name='vda'/>" * 9,
]

MEMORIES = [
    "",
    "<memory/>",
    *(f"<memory snapshot='{each}'/>" for each in ("no", "internal", "external", "manual", "x")),
    *(f"<memory file='{each}'/>" for each in ("/m", "m", "")),
    "<memory snapshot='no' file='/m'/>",
    "<memory snapshot='manual' file='/m'/>",
]

STATES = ("running", "paused", "shutoff", "disk-snapshot", "odd")


def taken(inside: str, domain: str, state: str = "running") -> str:
    """Return the document of a snapshot that was taken."""
    head = f"<name>t</name><creationTime>1</creationTime><state>{state}</state>"
    return f"<domainsnapshot>{head}{inside}{domain}</domainsnapshot>"


def documents(domain: str) -> list[tuple[str, str]]:
    """Return documents, each with the options it is given with."""
    found = []
    for wish in WISHES:
        inside = f"<disks>{wish}</disks>"
        for memory in ("", "<memory file='/m'/>"):
            found.append((f"<domainsnapshot><name>t</name>{memory}{inside}</domainsnapshot>", ""))
            found.append((taken(memory + inside, domain), " --redefine"))
    for memory in MEMORIES:
        found.append((f"<domainsnapshot><name>t</name>{memory}</domainsnapshot>", ""))
        found += [(taken(memory, domain, state), " --redefine") for state in STATES]
    other = domain.replace("<domain ", "<inactiveDomain ").replace("</domain>", "</inactiveDomain>")
    uuid = "<uuid>1695eb01-f6a4-8304-79aa-97f2502e193f</uuid>"
    for last in (
        "",
        domain + other.replace("1024", "2048"),
        domain + "<cookie>\n    <x/>\n  </cookie>",
        f"<domain>{uuid}</domain>",
        "<domain type='test'/>",
        "<domain><name>snapdocs</name></domain>",
        domain.replace("1695", "2695"),
    ):
        found.append((taken("", last), " --redefine"))
    return found


class SnapshotDocumentTests(ComparisonCase):
    """Each document, to be taken and taken before, on domains with disks of all kinds."""

    def test_documents(self) -> None:
        """The snapshot is the same, or the refusal is."""
        folder = os.path.abspath(self.mktemp())
        os.makedirs(folder)
        for name in ("a.b.img", "plain", "e.img"):
            with open(os.path.join(folder, name), "w"):
                pass
        lines = []
        for kind, more in MORE.items():
            domain = DOMAIN.format(more=more)
            for number, (text, options) in enumerate([(domain, ""), *documents(domain)]):
                path = os.path.join(folder, f"{kind}{number}.xml")
                with open(path, "w") as file:
                    file.write(text.replace("FOLDER", folder))
                if not number:
                    lines.append(f"define {path}")
                    continue
                lines.append(f"echo {kind} {number} {options}")
                lines.append(f"snapshot-create snapdocs {path}{options}")
                lines.append("snapshot-dumpxml snapdocs t")
                lines.append("snapshot-delete snapdocs t")
            lines.append("undefine snapdocs --snapshots-metadata")

        def act(daemon: Daemon) -> Outcome:
            return virsh(daemon.uri(), input="\n".join([*lines, ""]), cwd=daemon.folder)

        theirs, ours = (self.parts(each) for each in self.bothSides(act))
        self.assertGreater(len(theirs), 500)
        self.assertEqual(len(theirs), len(ours))
        differences = [
            f"libvirtd {one}\nours {other}"
            for one, other in zip(theirs, ours, strict=True)
            if one != other
        ]
        self.assertEqual(differences, [], "\n\n".join(differences[:20]))

    @staticmethod
    def parts(outcome: Outcome) -> list[str]:
        """Return what was printed for each document, without the time, all errors last."""
        text = re.sub(r"<creationTime>\d{5,}<", "<creationTime><", outcome.stdout)
        return [*re.split(r"virsh # echo ", text), *outcome.stderr.splitlines()]
