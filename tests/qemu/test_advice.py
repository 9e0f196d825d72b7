"""
What the host's advisor is asked, and what guests do with its answers.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from pyvirt.definitions.domain import DomainDefinition, parseDomain
from pyvirt.drivers.qemu.advice import Advice, adviceFor, readAdvice, withAdvice
from pyvirt.errors import VirtError
from pyvirt.process import Command, Finished
from pyvirt.testing.dryrun import DryRun

_MEMORY = "<numatune><memory mode='strict' placement='auto'/></numatune>"


def definition(head: str) -> DomainDefinition:
    return parseDomain(
        f"<domain type='qemu'><name>g</name><memory>4097</memory>{head}<os><type>hvm</type></os></domain>"
    )


class AdviceTests(SynchronousTestCase):
    """Questions and answers."""

    def ask(self, head: str, answer: str = "0\n", status: int = 0) -> Advice | None:
        def ended(command: Command) -> Finished:
            return Finished(status, answer.encode(), b"")

        self.processes = DryRun(ended)
        asking = Deferred.fromCoroutine(adviceFor(self.processes, definition(head)))
        if status or answer.strip() not in ("0", "0-900"):
            raise self.failureResultOf(asking, VirtError).value
        return self.successResultOf(asking)

    def test_asked(self) -> None:
        """Who says where it runs is not told; others ask for as much as they have now, in MiB."""
        self.assertIsNone(self.ask("<vcpu>2</vcpu>"))
        self.assertEqual(self.processes.commands, [])
        for head, asked in (
            ("<vcpu placement='auto' current='1'>2</vcpu>", "1:5"),
            ("<vcpu>3</vcpu>" + _MEMORY, "3:5"),
        ):
            advice = self.ask(head, " 0-900 \n\n")
            assert advice is not None
            # What the host does not have is no advice.
            self.assertIn(0, advice.nodes)
            self.assertNotIn(900, advice.nodes)
            self.assertTrue(advice.cpus)
            self.assertEqual([each.argv[1:] for each in self.processes.commands], [("-w", asked)])

    def test_refused(self) -> None:
        """Without an advisor, or with one that talks nonsense, the guest does not start."""
        for answer, status, text in (
            ("0\n", 1, "operation failed: Failed to query numad for the advisory nodeset"),
            ("x\n", 0, "invalid argument: Failed to parse bitmap 'x\n'"),
            ("", 0, "invalid argument: Failed to parse bitmap ''"),
            ("900", 0, "cannot set CPU affinity on process "),
        ):
            error = self.assertRaises(VirtError, self.ask, _MEMORY, answer, status)
            self.assertIn(text, str(error))

    def test_used(self) -> None:
        """What is left to the host is as advised, and nothing else."""
        advice = Advice(frozenset([1]), frozenset([4, 5]))
        self.assertEqual(readAdvice("1", "4-5"), advice)
        self.assertIsNone(readAdvice("", "4-5"))
        plain = definition("<vcpu cpuset='0'>2</vcpu>")
        self.assertIs(withAdvice(plain, advice), plain)
        left = definition("<vcpu placement='auto'>2</vcpu>" + _MEMORY)
        self.assertIs(withAdvice(left, None), left)
        placed = withAdvice(left, advice)
        self.assertEqual(placed.vcpu.cpuset, advice.cpus)
        assert placed.numatune is not None and placed.numatune.memory is not None
        self.assertEqual(placed.numatune.memory.nodeset, advice.nodes)
