"""
The description of the wire shows real bytes and true numbers.
"""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from pyvirt.protocols.message import FDS_MAX, LENGTH_MAX, LENGTH_MIN, STREAM_CHUNK, pack
from pyvirt.protocols.programs import ALL, REMOTE
from pyvirt.protocols.rpc import RPCClient, RPCServer
from pyvirt.protocols.structs import DomainRef, TypedParam
from pyvirt.protocols.xdr import compileCodec, resolve

PATH = os.path.join(os.path.dirname(__file__), "..", "..", "docs", "wire.md")


class DocumentTests(SynchronousTestCase):
    """docs/wire.md."""

    def setUp(self) -> None:
        with open(PATH, encoding="utf-8") as file:
            self.text = file.read()

    def test_bytes(self) -> None:
        """The packets and the parameter that it shows are what codecs make."""
        lookup = REMOTE.byName["domainLookupByName"]
        ref = DomainRef("web1", bytes.fromhex("6695eb01f6a4830479aa97f2502e193f"), 3)
        for data in (
            pack(REMOTE.number, 1, lookup.number, 0, 7, 0, lookup.argumentCodec.encode(("web1",))),
            pack(REMOTE.number, 1, lookup.number, 1, 7, 0, lookup.resultCodec.encode((ref,))),
            compileCodec([resolve(TypedParam)]).encode((TypedParam("cpu.time", 4, 1000000),)),
        ):
            self.assertIn(f"    {data.hex(' ', 4)}", self.text)

    def test_numbers(self) -> None:
        """Programs and limits."""
        for program in ALL:
            self.assertIn(f"| {program.name} | `0x{program.number:08x}` |", self.text)
        self.assertIn(f"smallest length is {LENGTH_MIN}, the largest {LENGTH_MAX} ", self.text)
        self.assertIn(f"at most {STREAM_CHUNK} bytes", self.text)
        self.assertIn(f"bring open files, {FDS_MAX} at most", self.text)
        for limit, patience, owner in (
            ("1 MiB", "after 10 seconds", RPCServer),
            ("16 MiB", "after 5 seconds", RPCClient),
        ):
            self.assertEqual(limit, f"{owner.streamLimit >> 20} MiB")
            self.assertEqual(patience, f"after {owner.streamPatience:g} seconds")
            self.assertIn(f"| {limit} |", self.text)
            self.assertIn(patience, self.text)
