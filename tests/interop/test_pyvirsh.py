"""
pyvirsh beside virsh 9.0.0, each on a libvirtd of its own: the same bytes on stdout and stderr, the same exit status.

What is compared here is the command line, so both sides talk to the same daemon's code.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from twisted.trial.unittest import SynchronousTestCase

from tests.interop.support import (
    CHECKOUT,
    DATA,
    Daemon,
    LibvirtDaemon,
    Outcome,
    difference,
    normalised,
    requireVirsh,
    run,
    virsh,
)

#: Reading command lines; nothing here needs a daemon to be right.
LINES = """
uri x
nonsense
nonsense --help
list --nonsense
list --nam
list --all --all
list --all=1
list -all
list -- --all
list --help
list --help x
list --help=1
dominfo
dominfo test extra
dominfo --domain
dominfo --domain=test
dominfo --domain=
dominfo ''
dominfo -- test
dominfo test --domain test
dominfo --help
dumpxml test --xpath
event --timeout
event --event lifecycle --event reboot
setvcpus
setvcpus test
setmem
setmem test 1000000 --kilobytes 5
start --help
destroy --help
define --help
undefine --help
dumpxml --help
event --help
uri --help
version --help
hostname --help
cd --help
pwd --help
echo --help
quit --help
exit --help
connect --help
help --help
help list
help --command list
help list dominfo
help --foo list
help events
help nonsense
help list --all
vcpucount --help
net-list --help
pool-list --help
iface-list --help
managedsave --help
'uri; nonsense; uri'
'dominfo nope; uri'
'uri; dominfo nope'
'uri;'
';'
''
' '
'uri;;uri'
'# remark'
'uri # remark; hostname'
'#remark; uri'
'echo "a b" c\\ d '
'echo "a'
'echo a\\'
'help uri; help nonsense'
'dominfo --help; list --name'
'uri; quit; hostname'
'dominfo nope; quit; hostname'
list ; uri
echo
echo 'a b' c
echo --shell 'a b' "it's" ok '' a=b 'x$y' '*' é
echo --xml "<a&\\"'>"
echo --split a,b,,c x
echo --split --shell a
echo --shell --xml a
echo --err hi
echo -- --foo
echo -foo
echo --string a
pwd
cd /
quit
exit
quit x
"""

#: Options of the shell itself, each in front of a command.
OPTIONS = """
-q list
-q list --all --title
-q uri
-q define {folder}/minimal.xml
-r uri
-r destroy test
-r dumpxml test --security-info
-r define guest.xml
-r list --all
-rq uri
-d 0 uri
-d 0 dominfo nope
-d 0 domid 6695eb01-f6a4-8304-79aa-97f2502e193f
-d 0 dominfo 77
-d 1 list --all
-d 2 list --all
-d 9 uri
-d x uri
-d
-k x uri
-k -1 uri
-k 5 uri
-k 0 uri
-K x uri
-k
-e ab uri
-e ^a uri
-x uri
--nonsense uri
--k 5 uri
--quiet=1 uri
--debug=1 uri
--de 1 uri
--deb
-v
-V
--version
--version=short
--version=long
--versio
-c
--connect
-- uri
-c nonsense uri
-c test+nonsense:///default uri
-c test+unix:///default?socket=/no/such/socket uri
-c test+unix:///default?socket=/no/such/socket pwd
-c test+tcp://127.0.0.1:1/default uri
"""

#: The first eleven commands, with their options and mistakes.
COMMANDS = """
list
list --all
list --inactive
list --name
list --uuid
list --id
list --name --uuid --id
list --title
list --title --uuid
list --table --name
list --table --uuid
list --table --id
list --managed-save
list --state-running --state-paused
list --state-shutoff
list --state-other
list --with-snapshot
list --without-checkpoint
list --persistent
list --transient
list --no-autostart
'managedsave test; list --all --managed-save; list --all; list --with-managed-save --all; start test --force-boot'
'define guest.xml; list --all; list --inactive --id; list --inactive --id --uuid; list --all --id --name; list --all --title; -x'
'define guest.xml; list --all; list --inactive --id; list --inactive --id --uuid; list --all --id --name; list --all --title'
dominfo test
dominfo 1
dominfo 01
dominfo 99
dominfo -1
dominfo 1x
dominfo 6695eb01-f6a4-8304-79aa-97f2502e193f
dominfo 6695eb01f6a4830479aa97f2502e193f
'destroy test; dominfo test; destroy test'
'undefine test; dominfo test'
dumpxml test
dumpxml test --inactive
dumpxml test --update-cpu
dumpxml test --xpath //name
dumpxml test --xpath //nosuch
dumpxml test --xpath //@type
dumpxml test --xpath //disk
dumpxml test --xpath /
dumpxml test --xpath '//disk|//name' --wrap
dumpxml test --xpath //@type --wrap
dumpxml test --xpath //name/text()
dumpxml test --xpath 'count(//*)'
dumpxml test --xpath '//['
dumpxml test --xpath '//name[@a='
dumpxml test --xpath 'nofunc()'
dumpxml test --xpath ''
dumpxml test --wrap
dumpxml test x
define guest.xml
define minimal.xml
define /no/such/file
define .
define ''
define broken.xml
define empty.xml
define nameless.xml
define --validate minimal.xml
'define minimal.xml; start minimal; start minimal; destroy minimal; undefine minimal; undefine minimal'
start nope
start test
start 1
'destroy test; start test --paused'
'destroy test; start test --autodestroy'
'destroy test; start test --bypass-cache'
'destroy test; start test --force-boot'
'destroy test; start test --console'
'destroy test; start test --pass-fds x'
'destroy test; start test --pass-fds 99'
'destroy test; start test --reset-nvram'
destroy nope
destroy 1
destroy test --graceful
destroy test --remove-logs
undefine nope
undefine test
undefine test --managed-save --snapshots-metadata --checkpoints-metadata
'managedsave test; undefine test'
'managedsave test; undefine test --managed-save; list --all'
'destroy test; undefine test --nvram; undefine test --keep-nvram'
'destroy test; undefine test --tpm'
'destroy test; undefine test --checkpoints-metadata'
undefine test --nvram --keep-nvram
undefine test --tpm --keep-tpm
undefine test --wipe-storage
undefine test --delete-storage-volume-snapshots
undefine test --remove-all-storage
'destroy test; undefine test --storage vda --remove-all-storage'
'destroy test; undefine test --storage vdz'
'destroy test; undefine test --storage vda,vdz'
'destroy test; undefine test --storage vda --wipe-storage'
'destroy test; undefine test --remove-all-storage'
event
event --list
event --all --event lifecycle
event --list --all
event --event nonsense
event --event lifecycle --timeout 1
event --all --timeout 1 --loop --timestamp
event --event lifecycle --timeout 0
event --event lifecycle --timeout x
event --event lifecycle --domain nope
event nope lifecycle 1
uri
version
version --daemon
hostname
'connect test:///default; uri'
'connect --readonly; destroy test'
connect nonsense
"""

#: The commands after them.
MORE = """
'shutdown test; shutdown test; domstate test --reason; shutdown nope'
shutdown test --mode acpi
shutdown test --mode agent,nonsense
shutdown test --mode ''
'reboot test; reboot nope; reboot test --mode x'
'reset test; reset nope'
'suspend test; suspend test; domstate test --reason; resume test; resume test'
'create minimal.xml; create minimal.xml; create /no/such/file; create nameless.xml'
create minimal.xml --paused
create minimal.xml --autodestroy
'autostart test; list --autostart; autostart test --disable; autostart nope'
'domid test; domid nope; domname 1; domname test; domuuid test; domuuid 1'
domuuid 6695eb01-f6a4-8304-79aa-97f2502e193f
'domblklist test; domblklist test --details; domiflist test; domiflist nope'
'define guest.xml; domblklist guest --details; domiflist guest'
'setmem test 1000000; dominfo test'
'setmem test x; setmem test 1ZB; setmem test 0; setmem test 18446744073709551615'
'setmem test 9G; setmem test 1GB; setmem test 1000 --config; setmem test 1 --live --current'
'setmaxmem test 9000000; destroy test; setmaxmem test 9G; dominfo test; setmem test 1'
'setvcpus test 1; setvcpus test 3; setvcpus test 0; setvcpus test x; setvcpus test 4 --maximum'
'setvcpus test 1 --config; setvcpus test 1 --guest; setvcpus test 4 --maximum --config'
'vcpucount test; vcpucount test --maximum; vcpucount test --guest; vcpucount test --active --maximum'
'destroy test; vcpucount test; vcpucount test --live; vcpuinfo test; vcpuinfo test --pretty'
'vcpuinfo test; vcpuinfo test --pretty'
'nodeinfo; nodecpumap; nodecpumap --pretty; capabilities; sysinfo; domcapabilities'
'freecell; freecell --all; freecell 1; freecell 99; freecell x; maxvcpus; maxvcpus --type qemu'
'net-list; net-list --all --name; net-list --uuid; net-list --inactive; net-list --name --uuid'
'net-info default; net-dumpxml default; net-name default; net-uuid default; net-uuid nope'
'net-dumpxml default --xpath //ip; net-dumpxml nope; net-dumpxml default --inactive'
'net-destroy default; net-list --all; net-start default; net-start default; net-autostart default'
'net-undefine default; net-destroy default; net-undefine default; net-list --all; net-info nope'
'net-define network.xml; net-create network.xml; net-create nameless.xml; net-list --all'
'pool-list; pool-list --details; pool-list --name --uuid; pool-list --type dir; pool-list --type x'
'pool-info default-pool; pool-info default-pool --bytes; pool-dumpxml default-pool; pool-uuid default-pool'
'pool-destroy default-pool; pool-list --all --details; pool-info default-pool; pool-start default-pool'
'pool-start default-pool; pool-start nope; pool-autostart default-pool; pool-refresh default-pool'
'pool-destroy default-pool; pool-delete default-pool; pool-undefine default-pool; pool-list --all'
'pool-define pool.xml; pool-list --all; pool-define nameless.xml; pool-name nope'
'iface-list; iface-list --all; iface-dumpxml eth1; iface-mac eth1; iface-name aa:bb:cc:dd:ee:ff'
'iface-destroy eth1; iface-list --all; iface-start eth1; iface-start eth1; iface-undefine eth1'
'iface-name aa:bb; iface-mac nope; iface-name 00:11:22:33:44:55'
'domrename test x; destroy test; domrename test x; list --all; domhostname x'
'managedsave test; managedsave-remove test; managedsave-remove test; managedsave test'
"""

#: What a user types into the shell, one session each.
SESSIONS = (
    "",
    "list\nuri\n",
    "uri",
    "list --all\nnonsense\n\nuri; hostname\nquit\nuri\n",
    'echo "abc\necho def\n',
    "pwd\ncd /\npwd\ncd /no/such/folder\ncd a b\nexit\n",
    "connect test:///default\nuri\nconnect --readonly\nuri\nlist\n",
    "dominfo nope\nquit\n",
    "   \n# remark\nuri # remark\n",
    "quit x\nexit --foo\n",
    "uri; quit; uri\n",
    "echo a\\\nb\n",
    "!history\nhelp list\n",
    "undefine test\ndestroy test\nlist --all\ndominfo test\n",
)


class CommandLineTests(SynchronousTestCase):
    """Both command lines, side by side."""

    def setUp(self) -> None:
        requireVirsh()
        self.daemons = (LibvirtDaemon(), LibvirtDaemon())
        for daemon in self.daemons:
            self.addCleanup(daemon.stop)
        script = os.path.join(os.path.abspath(self.mktemp()), "virsh")
        os.makedirs(os.path.dirname(script))
        with open(script, "w") as stream:
            # The name of the program is printed in places.
            stream.write(
                f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {CHECKOUT!r})\n"
                "from pyvirt.shell.main import main\nsys.exit(main())\n"
            )
        os.chmod(script, 0o755)
        self.commands = (requireVirsh(), script)

    def compare(self, cases: list[tuple[list[str], str]]) -> None:
        """Run each command line, and what is typed into it, on both sides."""
        differing = []
        with ThreadPoolExecutor(2) as pool:
            for words, typed in cases:
                first, second = pool.map(
                    lambda side: self.outcome(side, words, typed),  # noqa: B023
                    (0, 1),
                )
                found = difference(first, second)
                if found:
                    differing.append(f"{shlex.join(words)} {typed!r}\n{found}")
        self.assertEqual(len(differing), 0, "\n\n".join(differing))

    def outcome(self, side: int, words: list[str], typed: str) -> Outcome:
        """Run one side."""
        daemon: Daemon = self.daemons[side]
        connection = ["-c", daemon.uri()] if "-c" not in words and "--connect" not in words else []
        outcome = run([self.commands[side], *connection, *words], typed, DATA)
        return Outcome(
            normalised(outcome.stdout, daemon).replace(self.commands[side], "virsh"),
            normalised(outcome.stderr, daemon),
            outcome.status,
        )

    def lines(self, text: str) -> list[tuple[list[str], str]]:
        """Give the cases of a list of command lines."""
        return [(shlex.split(line.format(folder=DATA)), "") for line in text.splitlines() if line]

    def test_reading(self) -> None:
        """
        Command lines are read, explained and refused alike.
        """
        self.compare(self.lines(LINES))

    def test_options(self) -> None:
        """
        The shell's own options do the same.
        """
        self.compare(self.lines(OPTIONS))

    def test_commands(self) -> None:
        """
        The basic commands print the same.
        """
        self.compare(self.lines(COMMANDS))

    def test_more(self) -> None:
        """
        Commands about resources, networks, pools and interfaces print the same.
        """
        self.compare(self.lines(MORE))

    def test_events(self) -> None:
        """
        An event that another client causes is told in virsh's words.
        """
        daemon = self.daemons[0]
        waiting = subprocess.Popen(
            [self.commands[1], "-c", daemon.uri(), "event", "--event", "lifecycle"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            deadline = time.monotonic() + 60
            while waiting.poll() is None and time.monotonic() < deadline:
                virsh(daemon.uri(), "suspend test; resume test", cwd=DATA)
            heard = waiting.communicate(timeout=1)[0]
        finally:
            waiting.kill()
        self.assertIn(
            heard,
            {
                f"event 'lifecycle' for domain 'test': {what}\nevents received: 1\n\n"
                for what in ("Suspended Paused", "Resumed Unpaused")
            },
        )
        self.assertEqual(waiting.returncode, 0)

    def test_sessions(self) -> None:
        """
        The shell reads what is piped into it, and answers alike.
        """
        self.compare([([], typed) for typed in SESSIONS])
