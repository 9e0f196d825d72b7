"""
The shape of the tree: imports point one way, importing does nothing, and what a wheel brings is the whole of it.
"""

from __future__ import annotations

import ast
import configparser
import email
import os
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterator
from typing import NamedTuple

from twisted.trial.unittest import SynchronousTestCase

CHECKOUT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

#: Tables may be as long as what they list.
TABLES = (
    "pyvirt.protocols.programs.",
    "pyvirt.constants",
    "pyvirt.errorcodes",
    # Descriptions of elements, field by field.
    "pyvirt.definitions.domain._top",
    "pyvirt.definitions.network",
)

#: The longest module of logic, in lines.
LONGEST = 700


class Module(NamedTuple):
    """A module of the product: its name, file, and the names of ours that it imports, at any depth."""

    name: str
    path: str
    imports: frozenset[str]
    docstring: str | None
    lines: int


def modules() -> Iterator[Module]:
    """All modules of the product; files behind the links come once, under the name they import as."""
    for top, package in (
        ("pyvirt", "pyvirt"),
        ("protocols", "pyvirt.protocols"),
        ("drivers", "pyvirt.drivers"),
    ):
        for folder, _, files in os.walk(os.path.join(CHECKOUT, top)):
            for file in sorted(files):
                if file.endswith(".py"):
                    path = os.path.join(folder, file)
                    below = os.path.relpath(path, os.path.join(CHECKOUT, top))[: -len(".py")]
                    name = ".".join([package, *below.split(os.sep)])
                    yield read(name.removesuffix(".__init__"), path)
    yield read(
        "twisted.plugins.pyvirt_plugin",
        os.path.join(CHECKOUT, "twisted", "plugins", "pyvirt_plugin.py"),
    )


def read(name: str, path: str) -> Module:
    """Read one module without importing it."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    tree = ast.parse(text)
    package = name if path.endswith("__init__.py") else name.rpartition(".")[0]
    imports = set()
    nodes: list[ast.AST] = [tree]
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            nodes += node.orelse  # what only type checkers import is not imported
            continue
        nodes += ast.iter_child_nodes(node)
        if isinstance(node, ast.Import):
            imports.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = (
                package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            )
            source = ".".join([*base, *([node.module] if node.module else [])])
            # "from a import b" may mean the module a.b: name both.
            imports.update([source, *(f"{source}.{alias.name}" for alias in node.names)])
    ours = frozenset(each for each in imports if each == "pyvirt" or each.startswith("pyvirt."))
    return Module(name, path, ours, ast.get_docstring(tree), text.count("\n"))


def isIn(name: str, *packages: str) -> bool:
    """Whether a module is one of some packages or below."""
    return any(name == each or name.startswith(each + ".") for each in packages)


def python(*arguments: str, executable: str = sys.executable, cwd: str | None = None) -> str:
    """
    Run an interpreter that knows nothing of this process.

    @return: what it printed on both streams.
    @raise AssertionError: it failed; its output is in the message.
    """
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("PYTHON")
    }
    done = subprocess.run(
        [executable, *arguments],
        cwd=cwd,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
    if done.returncode:
        raise AssertionError(f"{arguments[:4]} ended with {done.returncode}:\n{done.stdout}")
    return done.stdout


class ImportTests(SynchronousTestCase):
    """Imports point one way."""

    def setUp(self) -> None:
        self.modules = list(modules())

    def forbid(self, why: str, importers: object, imported: object) -> None:
        """Fail if a module that C{importers} picks imports one that C{imported} picks."""
        assert callable(importers)
        assert callable(imported)
        found = sorted(
            f"{module.name} imports {each}"
            for module in self.modules
            if importers(module.name)
            for each in module.imports
            if imported(each)
        )
        self.assertEqual(found, [], why)

    def test_theWholeTree(self) -> None:
        """The walk sees each top-level part of the tree, so that the rules below are about something."""
        names = {module.name for module in self.modules}
        for name in (
            "pyvirt",
            "pyvirt.errors",
            "pyvirt.protocols.xdr",
            "pyvirt.drivers.interfaces.values",
        ):
            self.assertIn(name, names)
        imports = {module.name: module.imports for module in self.modules}
        self.assertIn("pyvirt.errors", imports["pyvirt.protocols.rpc"])

    def test_driversKnowNoWire(self) -> None:
        """Of the drivers only the remote one knows the protocols; the shared values are the wire's own structs."""
        self.forbid(
            "a driver imports the wire",
            lambda name: (
                isIn(name, "pyvirt.drivers")
                and not isIn(name, "pyvirt.drivers.remote")
                and name != "pyvirt.drivers.interfaces.values"
            ),
            lambda name: isIn(name, "pyvirt.protocols"),
        )

    def test_driversKnowNobodyAbove(self) -> None:
        """Drivers know neither who calls them nor how the call came."""
        self.forbid(
            "a driver imports what stands above it",
            lambda name: isIn(name, "pyvirt.drivers") and not isIn(name, "pyvirt.drivers.remote"),
            lambda name: isIn(
                name,
                "pyvirt.client",
                "pyvirt.routes",
                "pyvirt.transports",
                "pyvirt.shell",
                "pyvirt.testing",
            ),
        )

    def test_nothingImportsTheDaemon(self) -> None:
        """Nothing imports the daemon but the twistd plugin, the public fakes, itself and that of locks."""
        allowed = ("pyvirt.daemon", "pyvirt.testing", "twisted.plugins.pyvirt_plugin")
        locks = ("pyvirt.locking.administered", "pyvirt.locking.tap")
        self.forbid(
            "the daemon is imported",
            lambda name: not isIn(name, *allowed, *locks),
            lambda name: isIn(name, "pyvirt.daemon"),
        )

    def test_theWireIsBelow(self) -> None:
        """Protocols carry values; they know the contracts of values and streams and nothing above."""
        self.forbid(
            "the wire imports what stands above it",
            lambda name: isIn(name, "pyvirt.protocols"),
            lambda name: (
                isIn(
                    name,
                    "pyvirt.client",
                    "pyvirt.routes",
                    "pyvirt.transports",
                    "pyvirt.shell",
                    "pyvirt.testing",
                )
                or (isIn(name, "pyvirt.drivers") and not isIn(name, "pyvirt.drivers.interfaces"))
            ),
        )

    def test_theDaemonIsNoClient(self) -> None:
        """The daemon answers calls by drivers, not through the client."""
        self.forbid(
            "the daemon imports the client",
            lambda name: isIn(name, "pyvirt.daemon", "pyvirt.routes"),
            lambda name: isIn(name, "pyvirt.client", "pyvirt.shell"),
        )

    def test_errorsStandAlone(self) -> None:
        """Errors, constants and definitions can be used without any connection."""
        self.forbid(
            "a foundation imports what stands on it",
            lambda name: isIn(
                name, "pyvirt.errors", "pyvirt.errorcodes", "pyvirt.constants", "pyvirt.definitions"
            ),
            lambda name: (
                name != "pyvirt"
                and not isIn(
                    name,
                    "pyvirt.errors",
                    "pyvirt.errorcodes",
                    "pyvirt.constants",
                    "pyvirt.definitions",
                )
            ),
        )

    def test_importingDoesNothing(self) -> None:
        """No module installs a reactor when it is imported, and each can be imported by itself first."""
        names = [module.name for module in self.modules]
        script = (
            "import importlib, sys\n"
            "guilty = []\n"
            "for name in sys.argv[1:]:\n"
            "    importlib.import_module(name)\n"
            "    if sys.modules.pop('twisted.internet.reactor', None) is not None:\n"
            "        guilty.append(name)\n"
            "print(guilty)\n"
        )
        self.assertEqual(python("-W", "error", "-c", script, *names, cwd=CHECKOUT), "[]\n")

    def test_importingTheLibraryAlone(self) -> None:
        """C{import pyvirt} brings neither a reactor nor the daemon, the shell or TLS."""
        script = (
            "import sys, pyvirt\n"
            "print(sorted(name for name in sys.modules if name == 'twisted.internet.reactor'"
            " or name.startswith(('pyvirt.daemon', 'pyvirt.shell', 'OpenSSL', 'twisted.conch'))))\n"
        )
        self.assertEqual(python("-c", script, cwd=CHECKOUT), "[]\n")

    def test_whatIsPublicExists(self) -> None:
        """Every name in an C{__all__} is there."""
        script = (
            "import importlib, sys\n"
            "for name in sys.argv[1:]:\n"
            "    module = importlib.import_module(name)\n"
            "    for each in getattr(module, '__all__', ()):\n"
            "        if not hasattr(module, each): print(name, each)\n"
        )
        self.assertEqual(
            python("-c", script, *(module.name for module in self.modules), cwd=CHECKOUT), ""
        )


class ModuleTests(SynchronousTestCase):
    """What every module has."""

    def test_docstrings(self) -> None:
        """Every module says what lives in it."""
        self.assertEqual([module.name for module in modules() if not module.docstring], [])

    def test_lengths(self) -> None:
        """A module of logic is one thing, and not too long to read."""
        self.assertEqual(
            [
                f"{module.name}: {module.lines} lines"
                for module in modules()
                if module.lines > LONGEST and not module.name.startswith(TABLES)
            ],
            [],
        )

    def test_testsHaveDocstrings(self) -> None:
        """So do the modules of tests, tools and benchmarks."""
        silent = []
        for top in ("tests", "tools", "benchmarks"):
            for folder, _, files in os.walk(os.path.join(CHECKOUT, top)):
                silent += [
                    path
                    for path in (
                        os.path.join(folder, file) for file in files if file.endswith(".py")
                    )
                    if os.path.getsize(path) and not read("any", path).docstring
                ]
        self.assertEqual(silent, [])


class WheelTests(SynchronousTestCase):
    """What a user gets who installs pyvirt."""

    def build(self) -> str:
        """Build the wheel, without a network; return its path."""
        folder = self.mktemp()
        python(
            "-m",
            "hatchling",
            "build",
            "--target",
            "wheel",
            "--directory",
            os.path.abspath(folder),
            cwd=CHECKOUT,
        )
        (name,) = os.listdir(folder)
        return os.path.abspath(os.path.join(folder, name))

    def test_contents(self) -> None:
        """The wheel has every module of the product, its type marker and its licence, and nothing else."""
        with zipfile.ZipFile(self.build()) as wheel:
            names = set(wheel.namelist())
            (metadata,) = [name for name in names if name.endswith(".dist-info/METADATA")]
            folder = os.path.dirname(metadata)
            described = email.message_from_bytes(wheel.read(metadata))
            entries = configparser.ConfigParser()
            entries.read_string(wheel.read(f"{folder}/entry_points.txt").decode())
        expected = set()
        for module in modules():
            package = module.path.endswith("__init__.py")
            expected.add(module.name.replace(".", "/") + ("/__init__.py" if package else ".py"))
        self.assertEqual(expected - names, set())
        beside = {name for name in names - expected if not name.startswith(folder)}
        self.assertEqual({name for name in beside if name.endswith(".py")}, set())
        self.assertIn("pyvirt/py.typed", beside)
        self.assertIn(f"{folder}/licenses/LICENSE", names)
        self.assertEqual(described["Name"], "pyvirt")
        self.assertEqual(described["Requires-Python"], ">=3.11")
        self.assertEqual(described["License-Expression"], "MIT")
        self.assertIn("Framework :: Twisted", described.get_all("Classifier", []))
        self.assertEqual(entries["console_scripts"]["pyvirsh"], "pyvirt.shell.main:main")
        self.assertEqual(entries["pyvirt.drivers"]["test"], "pyvirt.drivers.test:factory")
        self.assertEqual(entries["pyvirt.drivers"]["remote"], "pyvirt.drivers.remote:factory")

    def test_installed(self) -> None:
        """
        In a new environment C{twistd --help} lists pyvirt, every driver loads, and the command line runs.

        What pyvirt depends on comes from this environment by a path file, so no network is needed.
        """
        wheel = self.build()
        environment = os.path.abspath(self.mktemp())
        python("-m", "venv", "--without-pip", environment)
        interpreter = os.path.join(environment, "bin", "python")
        site = python(
            "-c",
            "import sysconfig; print(sysconfig.get_paths()['purelib'])",
            executable=interpreter,
        ).strip()
        pip = ("-m", "pip", "--disable-pip-version-check", "--python", interpreter)
        python(*pip, "install", "--quiet", "--no-deps", "--no-index", wheel)
        with open(os.path.join(site, "dependencies.pth"), "w") as file:
            file.write(
                sysconfig.get_paths()["purelib"] + "\n" + sysconfig.get_paths()["platlib"] + "\n"
            )
        elsewhere = self.mktemp()
        os.mkdir(elsewhere)

        def run(*arguments: str) -> str:
            return python(*arguments, executable=interpreter, cwd=elsewhere)

        self.assertEqual(
            run("-c", "import pyvirt; print(pyvirt.__file__)").strip(),
            os.path.join(site, "pyvirt", "__init__.py"),
        )
        listed = run("-c", "from twisted.scripts.twistd import run; run()", "--help")
        self.assertRegex(listed, r"(?m)^    pyvirt  ")
        loaded = run(
            "-c",
            "from importlib.metadata import distribution\n"
            "for entry in distribution('pyvirt').entry_points:\n"
            "    if entry.group == 'pyvirt.drivers':\n"
            "        print(entry.name, entry.load()().name)\n",
        )
        self.assertEqual(
            {line.split()[0] for line in loaded.splitlines()}, {"test", "host", "qemu", "remote"}
        )
        shown = run(
            os.path.join(environment, "bin", "pyvirsh"), "-c", "test:///default", "list", "--all"
        )
        self.assertRegex(shown, r"(?m)^ 1 +test +running$")
