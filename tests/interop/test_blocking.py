"""
Scripts written for the stock Python binding, run by C{pyvirt.blocking} too: the same output, errors and exit.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from twisted.trial.unittest import SynchronousTestCase

from tests.interop import test_binding
from tests.interop.blockingdata import EVENTS, STREAMS
from tests.interop.blockingscripts import SCRIPTS
from tests.interop.everymethod import HOST, METHODS
from tests.interop.everymethod import SCRIPT as EVERY_METHOD
from tests.interop.support import (
    CHECKOUT,
    Daemon,
    Outcome,
    PyvirtDaemon,
    difference,
    normalised,
    requireBinding,
    run,
    servers,
)

INSTEAD = """
import sys
sys.path.insert(0, %r)
import pyvirt.blocking, pyvirt.blocking.lxc, pyvirt.blocking.qemu
import pyvirt.client.opening, pyvirt.drivertable
pyvirt.drivertable.loadFactories()
sys.modules["libvirt"] = pyvirt.blocking
sys.modules["libvirt_lxc"] = pyvirt.blocking.lxc
sys.modules["libvirt_qemu"] = pyvirt.blocking.qemu
"""
"""What puts our module in the binding's place."""

_ALL = """
import json, libvirt, os, socket, struct, sys
path = sys.argv[1].partition("socket=")[2]

def alone():
    # A daemon forgets its clients, and the host they shared, some time after they are gone.
    busy = True
    while busy:
        with open("/proc/net/unix") as file:
            rows = [line.split() for line in file]
        busy = any(row[-1] == path and row[5] == "03" for row in rows)
    with socket.socket(socket.AF_UNIX) as asked:
        asked.connect(path)
        asked.sendall(struct.pack(">IIIiIII", 28, 0x20008086, 1, 66, 0, 1, 0))
        asked.recv(4)

def act(number, script):
    print("---", number)
    sys.stdout.flush()
    if not "virEventRegister" in script:
        libvirt.virEventRegisterDefaultImpl()
    try:
        exec(script, {"libvirt": libvirt, "URI": sys.argv[1], "__name__": "__main__"})
    except Exception as error:
        print("!!!", type(error).__name__, error)
    sys.stdout.flush()

for number, script in enumerate(json.load(sys.stdin)):
    alone()
    child = os.fork()
    if not child:
        act(number, script)
        sys.exit()
    if os.waitpid(child, 0)[1]:
        print("ended badly")
    sys.stdout.flush()
"""


_GIVEN = """
import libvirt, os, select, sys
handles, timers = {}, {}
def addHandle(fd, events, cb, opaque):
    handles[len(handles) + 1] = (fd, events, cb, opaque)
    return len(handles)
def addTimeout(interval, cb, opaque):
    timers[len(timers) + 1] = [interval, cb, opaque]
    return len(timers)
libvirt.virEventRegisterImpl(
    addHandle, lambda watch, events: None, lambda watch: handles.pop(watch) and 0,
    addTimeout, lambda timer, interval: timers[timer].__setitem__(0, interval), lambda timer: timers.pop(timer) and 0,
)
conn = libvirt.open(sys.argv[1])
happened = []
conn.domainEventRegisterAny(None, 0, lambda conn, dom, event, detail, opaque: happened.append((dom.name(), event, detail)), None)
dom = conn.lookupByName("test")
dom.suspend()
dom.resume()
while len(happened) < 2:
    ready = select.select([each[0] for each in handles.values()], [], [], 0.01)[0]
    for watch, (fd, events, cb, opaque) in list(handles.items()):
        if fd in ready:
            cb(watch, fd, libvirt.VIR_EVENT_HANDLE_READABLE, opaque)
    for timer, (interval, cb, opaque) in list(timers.items()):
        if interval >= 0:
            cb(timer, opaque)
print(happened)
"""


def both(script: str, daemon: Daemon, input: str = "") -> tuple[Outcome, Outcome]:
    """Run a script by the binding and by us, on hosts of their own."""
    found = []
    for command, first in (
        (requireBinding(), ""),
        (sys.executable, INSTEAD % CHECKOUT),
    ):
        daemon.quiet()
        done = run(
            [command, "-c", first + script, daemon.uri()],
            input,
            cwd=daemon.folder,
            deadline=DEADLINE,
        )
        found.append(
            Outcome(normalised(done.stdout, daemon), normalised(done.stderr, daemon), done.status)
        )
    return found[0], found[1]


class BlockingTests(SynchronousTestCase):
    """The same scripts."""

    def compare(self, script: str, input: str = "", sides: Sequence[Daemon] = ()) -> None:
        sides = sides or servers()[:1]
        with ThreadPoolExecutor(2) as pool:
            pairs = list(pool.map(lambda daemon: both(script, daemon, input), sides))
        wrong = [
            f"on {daemon.label}\n{difference(*pair)}"
            for daemon, pair in zip(sides, pairs, strict=True)
            if difference(*pair)
        ]
        if wrong:
            self.fail("\n".join(wrong).replace("libvirtd std", "binding std"))

    def test_corpus(self) -> None:
        """
        Everyday scripts print the same on stdout and stderr, and the interpreter ends.
        """
        self.compare(_ALL, json.dumps(SCRIPTS), servers())

    def test_data(self) -> None:
        """
        So do scripts that write and read volumes, with and without holes, and that fail in every handler.
        """
        self.compare(_ALL, json.dumps([STREAMS]), servers()[1:])

    def test_events(self) -> None:
        """
        Events of every kind, timers and handles come in the same order with the same values.
        """
        self.compare(_ALL, json.dumps([EVENTS]), servers())

    def test_binding(self) -> None:
        """
        So do lookups and lists, a domain's life, events of all kinds, read-only connections, streams, and events in an
        application's own loop.
        """
        # Metadata of networks change without the C library 9.0.0 knowing of it.
        events = test_binding.EVENTS.replace(
            'attempt("network %d"', 'number == 1 or attempt("network %d"'
        )
        self.assertNotEqual(events, test_binding.EVENTS)
        scripts = [
            test_binding.PROLOGUE + each
            for each in (
                test_binding.LOOKUPS,
                test_binding.LIFECYCLE,
                events,
                test_binding.READ_ONLY,
                test_binding.STREAMS,
            )
        ]
        self.compare(_ALL, json.dumps([*scripts, _GIVEN]))


#: Seconds that a process with many scripts may take on a busy machine.
DEADLINE = 300.0

#: The share of wrong arguments that are tried: 1 tries all of them.
SHARE = 0.15

# Creation times; and what ends a call by mistake in C, which has another reason here.
_PASSING = re.compile(r"<creationTime>\d+</creationTime>")
_MISTAKES = re.compile(r" -> (SystemError|MemoryError)\b")
_OTHERWISE = (
    "virStream.recv nbytes=-1 ",  # a crash of the binding on streams that are open
    "virConnect.networkEventRegisterAny eventID=True ",  # newer than the C library
    "virConnect.getFreePages maxCells=2147483648 ",  # told as a negative number
)


class EveryMethodTests(SynchronousTestCase):
    """Each method and function of the binding."""

    def test_arguments(self) -> None:
        """
        Results and errors are the same with arguments that fit, none, too many, and of any type and size.
        """
        daemon = servers().libvirtd
        methods = run([requireBinding(), "-c", METHODS]).stdout
        path = os.path.join(daemon.folder, "everymethod.xml")
        with open(path, "w") as file:
            file.write(HOST)
        self.addCleanup(os.unlink, path)
        uri = daemon.uri().replace("///default", f"//{path}")

        def call(command: str, first: str) -> list[str]:
            with tempfile.TemporaryDirectory() as folder:
                done = run(
                    [command, "-c", first + EVERY_METHOD, uri, folder, str(SHARE)],
                    methods,
                    deadline=DEADLINE,
                )
                self.assertEqual(done.status, 0, done.stderr)
                return _PASSING.sub("", done.stdout.replace(folder, "<folder>")).splitlines()

        with ThreadPoolExecutor(2) as pool:
            theirs = pool.submit(call, requireBinding(), "")
            ours = call(sys.executable, INSTEAD % CHECKOUT)
        expected = theirs.result()
        self.assertGreater(len(expected), 2000)
        self.assertEqual(len(expected), len(ours))
        wrong = [
            f"binding: {one}\npyvirt:  {other}"
            for one, other in zip(expected, ours, strict=True)
            if one != other and not _MISTAKES.search(one) and not one.startswith(_OTHERWISE)
        ]
        self.assertEqual(wrong, [], "\n".join(wrong))


_MIGRATE = r"""
import sys
import libvirt
libvirt.registerErrorHandler(lambda *a: None, None)
a=libvirt.open(sys.argv[1]); b=libvirt.open(sys.argv[2])
X="<domain type='test'><name>%s</name><uuid>00000000-0000-0000-0000-0000000000%02d</uuid><memory>8192</memory><os><type>hvm</type></os></domain>"
def att(label,f,*x,**k):
    try: r=f(*x,**k); print(label, r.name() if hasattr(r,"name") else r)
    except Exception as e: print(label, type(e).__name__, e, getattr(e,"err",None))
    print(sorted(d.name() for d in a.listAllDomains()), sorted(d.name() for d in b.listAllDomains()), flush=True)
def new(n):
    return a.createXML(X%("g%d"%n,n),0)
att("m", new(1).migrate, b, 1)
att("m dname", new(2).migrate, b, 1, "other")
att("m2", new(3).migrate2, b, X%("g3",3), 1)
att("m3", new(4).migrate3, b, {"destination_name":"x4","bandwidth":3}, 1)
att("u3", new(5).migrateToURI3, sys.argv[2], {}, 1|2)
att("u", new(6).migrateToURI, sys.argv[2], 2)
att("exists", new(1).migrate, b, 1)
att("exists3", a.lookupByName("g1").migrate3, b, {}, 1)
att("unsafe flag", new(7).migrate, b, 1|512)
att("badxml", new(8).migrate2, b, "<x/>", 1)
att("persist", new(9).migrate, b, 1|8)
att("tunnel", new(10).migrate, b, 4)
att("paused", new(12).migrate, b, 1|32)
att("inactive", a.defineXML(X%("d13",13)).migrate, b, 1)
att("offline inactive", a.lookupByName("d13").migrate, b, 1024|8)
for uri in ("nonsense", "", "%%", "test:///default", "test+unix:///default", "test+unix:///default?x=1&socket=/no",
            "test+unix://localhost/default?socket=/no", "test+unix://h/default?socket=/no",
            "x+test+unix:///?socket=/no", "TEST+UNIX:///?socket=/no",
            "test+tcp://localhost:1/default", "test+tcp://localhostess:1/", "test+tcp://127.0.0.1:1/default"):
    for flags in (2, 2|4):
        att("p2p %s %d" % (uri, flags), a.lookupByName("test").migrateToURI3, uri, {}, flags)
    att("p2p uri %s" % uri, a.lookupByName("test").migrate, b, 2, None, uri)
"""


class MigrationTests(SynchronousTestCase):
    """Two daemons."""

    def test_migrate(self) -> None:
        """
        Guests move, or stay where they are, as by the stock binding; so do the errors.
        """
        ways = ((requireBinding(), ""), (sys.executable, INSTEAD % CHECKOUT))
        ends = [PyvirtDaemon() for _ in range(4)]

        def migrate(number: int) -> tuple[list[str], str, int]:
            command, first = ways[number]
            uris = [each.uri() for each in ends[2 * number : 2 * number + 2]]
            done = run([command, "-c", first + _MIGRATE, *uris], deadline=DEADLINE)
            return done.stdout.splitlines(), done.stderr, done.status

        try:
            # A migration takes its time, which both can spend at once.
            with ThreadPoolExecutor(2) as pool:
                found = list(pool.map(migrate, range(2)))
        finally:
            for each in ends:
                each.stop()
        self.assertEqual(found[1], found[0])
        self.assertIn("m g1", found[0][0])
