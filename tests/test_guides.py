"""
The guides for testers and for authors of drivers keep their word: every example in them runs.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from pyvirt.drivers.test.scenario.reading import readText
from pyvirt.testing import DaemonProcess, memoryConnection
from tests.interop.support import BINDING_PYTHON, requireBinding, requireVirsh

CHECKOUT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BLOCK = re.compile(r"(?ms)^```(\w+)\n(.*?)^```$")


def blocks(name: str) -> list[tuple[str, str]]:
    """The examples of a guide: language and text."""
    with open(os.path.join(CHECKOUT, "docs", name)) as file:
        return BLOCK.findall(file.read())


def environment() -> dict[str, str]:
    """What a user has who installed pyvirt."""
    return {
        **os.environ,
        "PATH": sysconfig.get_path("scripts") + os.pathsep + os.environ["PATH"],
        "PYTHONPATH": CHECKOUT,
    }


class TestingGuideTests(SynchronousTestCase):
    """docs/testing-your-tool.md."""

    def example(self, language: str) -> str:
        """Return the one example in a language."""
        (text,) = [text for each, text in blocks("testing-your-tool.md") if each == language]
        return text

    def folder(self, name: str, text: str) -> str:
        """Put a file into a new folder; return the folder."""
        folder = os.path.abspath(self.mktemp())
        os.mkdir(folder)
        with open(os.path.join(folder, name), "w") as file:
            file.write(text)
        return folder

    def run_(self, *command: str, cwd: str, **more: str) -> str:
        """Run an example, which must succeed; return what it prints."""
        done = subprocess.run(
            command,
            cwd=cwd,
            env={**environment(), **more},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
        )
        self.assertEqual(done.returncode, 0, done.stdout)
        return done.stdout

    def test_languages(self) -> None:
        """There is no example that no test runs."""
        found = [language for language, _ in blocks("testing-your-tool.md")]
        self.assertEqual(sorted(found), ["pytest", "python", "sh", "toml"])

    def test_trial(self) -> None:
        """The example in memory passes."""
        folder = self.folder("test_watchdog.py", self.example("python"))
        printed = self.run_(sys.executable, "-m", "twisted.trial", "test_watchdog", cwd=folder)
        self.assertIn("successes=3", printed)

    def test_pytest(self) -> None:
        """The example for pytest passes, with the stock binding's interpreter where ours lacks the binding."""
        requireBinding()
        try:
            import pytest
        except ImportError:
            raise SkipTest("pytest is not installed") from None
        folder = self.folder("test_tool.py", self.example("pytest"))
        site = os.path.dirname(os.path.dirname(pytest.__file__))
        binding = subprocess.run(
            [BINDING_PYTHON, "-c", "import libvirt, os; print(os.path.dirname(libvirt.__file__))"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        # Our interpreter may be another than the one that the binding was built for.
        interpreter = sys.executable if binding == site else BINDING_PYTHON
        same = subprocess.run(
            [interpreter, "-c", "import sys; print(sys.version_info[:2])"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        if same != str(sys.version_info[:2]):
            raise SkipTest(f"the stock binding is for {same}, not for this Python")
        path = os.pathsep.join([CHECKOUT, site])
        printed = self.run_(
            interpreter,
            *("-m", "pytest", "-q", "-p", "no:cacheprovider", "test_tool.py"),
            cwd=folder,
            PYTHONPATH=path,
        )
        self.assertIn("3 passed", printed)

    def test_shell(self) -> None:
        """The script passes, and virsh shows the fault as libvirt's own."""
        requireVirsh()
        folder = self.folder("script.sh", self.example("sh"))
        printed = self.run_("sh", "script.sh", cwd=folder)
        self.assertTrue(printed.startswith("200\n"), printed)
        self.assertIn(
            "error: Timed out during operation: cannot acquire state change lock", printed
        )
        self.assertIn("is being shutdown", printed)

    def test_scenario(self) -> None:
        """The file with every key is one, makes what it says, and runs."""
        text = self.example("toml")
        self.assertEqual(len(readText(text).faults), 2)
        memory = memoryConnection(scenario=text)
        scenario = memory.scenario
        self.assertEqual(len(scenario.world.domains), 1002)
        self.assertEqual(len(scenario.world.networks), 6)
        scenario.advance(60)
        self.assertGreater(scenario.status()["events"], 40_000)

    def test_keysAreDescribed(self) -> None:
        """Every key that a scenario may have is in the example."""
        import inspect

        from pyvirt.drivers.test.scenario import reading

        source = inspect.getsource(reading)
        keys = set(
            re.findall(
                r"(?:text|one|flag|count|number|time|patterns|tables|take)\(\"(\w+)\"", source
            )
        )
        text = self.example("toml")
        self.assertEqual([key for key in sorted(keys) if not re.search(rf"\b{key}\b", text)], [])


class DriverGuideTests(SynchronousTestCase):
    """docs/write-a-driver.md: the driver is built, installed and driven as the guide says."""

    def setUp(self) -> None:
        languages = [language for language, _ in blocks("write-a-driver.md")]
        self.assertEqual(languages, ["toml", "python", "sh", "python"])
        self.folder = os.path.abspath(self.mktemp())
        self.site = os.path.join(self.folder, "site")
        # Short, for it holds the socket.
        self.work = tempfile.mkdtemp(prefix="pv-", dir="/tmp")
        self.addCleanup(shutil.rmtree, self.work)
        os.mkdir(self.folder)
        names = ("pyproject.toml", "labvirt.py", "drive.sh", "test_labvirt.py")
        for name, (_, text) in zip(names, blocks("write-a-driver.md"), strict=True):
            with open(os.path.join(self.folder, name), "w") as file:
                file.write(text)
        self.run_(
            # pip's own warnings are not ours to repair.
            *(
                sys.executable,
                "-W",
                "ignore",
                "-m",
                "pip",
                "--disable-pip-version-check",
                "install",
                "--quiet",
            ),
            *("--no-deps", "--no-build-isolation", "--no-index", "--target", self.site, "."),
        )
        # Only what was installed counts.
        os.unlink(os.path.join(self.folder, "labvirt.py"))

    def run_(self, *command: str, cwd: str | None = None) -> str:
        """Run something in which the driver is installed; it must succeed."""
        done = subprocess.run(
            command,
            cwd=cwd or self.folder,
            env={**environment(), "PYTHONPATH": os.pathsep.join([self.site, CHECKOUT])},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
        )
        self.assertEqual(done.returncode, 0, done.stdout)
        return done.stdout

    def test_driver(self) -> None:
        """Stock virsh drives it, its own tests pass, and it is about as short as the guide says."""
        requireVirsh()
        printed = self.run_("sh", os.path.join(self.folder, "drive.sh"), cwd=self.work)
        for expected in (
            "Domain 'guest' started",
            " 1    guest   running",
            "Max memory:     65536 KiB",
            "error: this function is not supported by the connection driver: virDomainSuspend",
            "it cannot",
            "Domain 'guest' has been undefined",
        ):
            self.assertIn(expected, printed)
        self.assertEqual(os.listdir(os.path.join(self.work, "lab")), [])
        printed = self.run_(sys.executable, "-m", "twisted.trial", "test_labvirt")
        self.assertIn("PASSED", printed)
        source = blocks("write-a-driver.md")[1][1]
        code = [line for line in source.splitlines() if line.strip() and "import" not in line]
        self.assertLess(len(code), 160)


class DaemonProcessTests(SynchronousTestCase):
    """The daemon for programs in any language, with stock clients."""

    def test_virsh(self) -> None:
        """Stock virsh meets each fault as the wire's own: codes, ends of the connection, silence."""
        virsh = requireVirsh()
        scenario = """
[[domains]]
name = "d-{n}"
count = 5
[[faults]]
calls = "domainGetXMLDesc"
objects = "d-1"
action = "cut"
[[faults]]
calls = "domainGetXMLDesc"
objects = "d-2"
action = "freeze"
[[faults]]
calls = "domainGetXMLDesc"
objects = "d-3"
action = "garble"
[[faults]]
calls = "domainGetXMLDesc"
objects = "d-4"
action = "noise"
[[faults]]
calls = "domainGetXMLDesc"
objects = "d-5"
action = "disconnect"
"""
        with DaemonProcess(scenario) as daemon:
            for name, expected in (
                ("d-1", "error: End of file while reading data: Input/output error"),
                ("d-2", "error: internal error: connection closed due to keepalive timeout"),
                ("d-3", "error: Unable to decode message payload"),
                ("d-4", "received from server too large, want 33554432"),
                ("d-5", "error: End of file while reading data: Input/output error"),
            ):
                done = subprocess.run(
                    [virsh, "-k", "1", "-K", "5", "-c", daemon.uri(), "dumpxml", name],
                    capture_output=True,
                    text=True,
                    timeout=180,
                )
                self.assertEqual((done.returncode, done.stdout), (1, "\n"), name)
                self.assertIn(expected, done.stderr, name)
            done = subprocess.run(
                [virsh, "-r", "-c", daemon.uri(readOnly=True), "dumpxml", "test"],
                capture_output=True,
                text=True,
                timeout=180,
            )
            self.assertEqual(done.returncode, 0, done.stderr)
        self.assertFalse(os.path.exists(daemon.folder))

    def test_mistakes(self) -> None:
        """A daemon that cannot start says why, in one line, and leaves nothing behind."""
        for how, expected in (
            ({"scenario": "sed = 1"}, "sed: there is no such key"),
            ({"scenario": "/nowhere/x.toml"}, "No such file or directory"),
            ({"testDriverFor": ["qemo"]}, "'qemo' is none of"),
        ):
            daemon = DaemonProcess(**how)  # type: ignore[arg-type]
            with self.assertRaises(RuntimeError) as caught:
                daemon.start()
            self.assertIn(expected, str(caught.exception))
            self.assertNotIn("Traceback", str(caught.exception))
            self.assertFalse(os.path.exists(daemon.folder))
