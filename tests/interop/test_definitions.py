"""
Definitions beside a real libvirtd: the same documents, and the same answers byte for byte.

The documents are the observed ones, so that observations do not grow old unnoticed, and random mixtures of
their devices and top elements, which nobody has looked at before.
"""

from __future__ import annotations

import json
import random
import re
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from pyvirt import constants as c
from pyvirt.definitions.validation import validate
from pyvirt.errors import ErrorCode, VirtError
from tests.definitions.test_domain import defined
from tests.definitions.vectors import HERE, document, domainCases, masked
from tests.interop.support import LibvirtDaemon, requireBinding, requireLibvirtd, run

SCRIPT = """
import json, sys, libvirt
libvirt.registerErrorHandler(lambda context, error: None, None)
connection = libvirt.open(sys.argv[1])
answers = []
for xml in json.load(sys.stdin):
    try:
        domain = connection.defineXMLFlags(xml, int(sys.argv[2]))
        answers.append(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))
        domain.undefine()
    except libvirt.libvirtError as error:
        answers.append([error.get_error_code(), error.get_error_domain(), error.get_error_message()])
print(json.dumps(answers))
"""

#: How many mixtures are tried.
MIXTURES = 300


def mixtures(seed: int, count: int) -> list[str]:
    """Return documents of several of the observed pieces, always the same for one seed."""
    pieces = [
        case[0]
        for case in json.loads((HERE / "domains.json").read_text("utf-8"))["cases"]
        if isinstance(case[3], list)
    ]
    devices = [piece[2:] for piece in pieces if piece.startswith("D ")]
    tops = [piece for piece in pieces if piece[0] == "<" and not piece.startswith("<domain")]
    choose = random.Random(seed)
    found = []
    for _ in range(count):
        inner = "".join(choose.sample(devices, choose.randint(1, 4)))
        # Each element once: a second one of a name is for another test.
        chosen = {re.split("[ />]", piece[1:])[0]: piece for piece in choose.sample(tops, 2)}
        top = "".join(list(chosen.values())[: choose.randint(0, 2)])
        found.append(document(top + "<!-- -->").replace("<devices>", f"<devices>{inner}"))
    return found


class LibvirtdTests(SynchronousTestCase):
    """Documents that both sides are asked to define."""

    maxDiff = None

    def setUp(self) -> None:
        requireLibvirtd()
        self.python = requireBinding()
        self.daemon = LibvirtDaemon()
        self.addCleanup(self.daemon.stop)

    def ask(self, documents: list[str], flags: int = 0) -> list[Any]:
        """Return what libvirtd answers to each document."""
        outcome = run(
            [self.python, "-c", SCRIPT, self.daemon.uri(), str(flags)], json.dumps(documents)
        )
        self.assertEqual(outcome.status, 0, outcome.stderr)
        answers: list[Any] = json.loads(outcome.stdout)
        return answers

    def compare(self, documents: list[str]) -> None:
        for xml, answer in zip(documents, self.ask(documents), strict=True):
            if isinstance(answer, str):
                expected: Any = masked(answer, xml)
            else:
                expected = (answer[0], answer[1], masked(answer[2], xml))
            self.assertEqual(defined(xml), expected, xml)

    def test_observed(self) -> None:
        """
        The observed documents are still answered as they were.
        """
        self.compare([xml for xml, _ in domainCases()])

    def test_mixtures(self) -> None:
        """
        Domains of several devices are answered alike.
        """
        self.compare(mixtures(1, MIXTURES))

    def test_validated(self) -> None:
        """
        The schema refuses the same documents in the same words.
        """
        documents = [xml for xml, _ in domainCases()]
        refused = 0
        answers = self.ask(documents, c.VIR_DOMAIN_DEFINE_VALIDATE)
        for xml, answer in zip(documents, answers, strict=True):
            expected = None
            if isinstance(answer, list) and answer[0] == ErrorCode.XML_INVALID_SCHEMA:
                expected = answer[2]
                refused += 1
            try:
                validate("domain", xml)
                found = None
            except VirtError as error:
                found = error.message if error.code == ErrorCode.XML_INVALID_SCHEMA else None
            self.assertEqual(found, expected, xml)
        self.assertGreater(refused, 100)
