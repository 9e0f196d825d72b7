"""
Definitions of every kind, each with one part in one of its forms, right or wrong: libvirtd and our daemon say the same.
"""

from __future__ import annotations

import difflib
import json
import os

from tests.interop.support import ComparisonCase, Daemon, Outcome, requireBinding, run

#: One part a line, below the name of where it stands.
CASES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "definitioncases.txt")

_DOMAIN = (
    "<domain type='test'><name>q</name><uuid>00000000-0000-0000-0000-00000000000a</uuid>"
    "<memory>65536</memory><os>%s</os>%s<devices>%s</devices></domain>"
)
_HVM = "<type arch='x86_64' machine='pc'>hvm</type>"
_WHOLE = {
    "devices": lambda part: ("dom", _DOMAIN % (_HVM, "", part)),
    "withThreads": lambda part: ("dom", _DOMAIN % (_HVM, "<iothreads>1</iothreads>", part)),
    "extra": lambda part: ("dom", _DOMAIN % (_HVM, part, "<emulator>/e</emulator>")),
    "os": lambda part: ("dom", _DOMAIN % (part, "", "<emulator>/e</emulator>")),
}
_SCRIPT = r"""
import libvirt, sys, json
libvirt.registerErrorHandler(lambda *given: None, None)
conn = libvirt.open(sys.argv[1])
pool = conn.storagePoolLookupByName("default-pool")
define = {
    "dom": conn.defineXML, "net": conn.networkDefineXML, "pool": conn.storagePoolDefineXML,
    "vol": pool.createXML, "iface": conn.interfaceDefineXML,
}
found = []
for kind, text in json.load(sys.stdin):
    try:
        made = define[kind](text)
        found.append("".join(made.XMLDesc(flags) for flags in ((1, 8) if kind == "dom" else (0,))))
        made.delete() if kind == "vol" else made.undefine()
    except libvirt.libvirtError as error:
        found.append("%s %s" % (error, error.err))
print(json.dumps(found, indent=0))
"""


def cases() -> list[tuple[str, str]]:
    """Return kinds and XML."""
    found, where = [], ""
    with open(CASES) as file:
        for line in file:
            part = line.rstrip("\n")
            if part.startswith("@"):
                where = part[1:]
            else:
                make = _WHOLE.get(where, lambda text, where=where: (where, text))
                found.append(make(part))
    return found


class DefinitionTests(ComparisonCase):
    """What comes back of a definition, or why nothing does."""

    def test_parts(self) -> None:
        """The XML is the same byte for byte, and errors in all their parts."""
        given = cases()

        def define(daemon: Daemon) -> Outcome:
            command = [requireBinding(), "-c", _SCRIPT, daemon.uri()]
            return run(command, json.dumps(given), deadline=300)

        theirs, ours = self.bothSides(define)
        self.assertEqual((theirs.status, theirs.stderr), (0, ""))
        self.assertEqual((ours.status, ours.stderr), (0, ""))
        wrong = []
        for (_, text), one, other in zip(
            given, json.loads(theirs.stdout), json.loads(ours.stdout), strict=True
        ):
            if one != other:
                lines = difflib.unified_diff(one.splitlines(), other.splitlines(), n=0)
                wrong.append("\n".join([text, *lines]))
        self.assertEqual(wrong, [], "\n\n".join(wrong))
