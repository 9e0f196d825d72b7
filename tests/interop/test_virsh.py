"""
Stock virsh on our daemon and on libvirtd 9.0.0: the same bytes on stdout and stderr, the same exit status.

Single commands run on a connection of their own, so each starts from the fresh state of C{test:///default};
sessions type many commands into one shell.
"""

from __future__ import annotations

from tests.interop.supersets import without
from tests.interop.support import ComparisonCase

#: Connection and host.
HOST = """
list
list --all
list --inactive
list --name
list --uuid
list --all --title
list --all --id --name
list --persistent --with-snapshot
list --transient
list --state-running
list --state-shutoff
list --autostart
list --no-autostart
list --managed-save
list --nonsense
uri
version
version --daemon
hostname
nodeinfo
nodecpustats
nodecpustats --percent
nodecpumap
nodecpumap --pretty
nodememstats
nodesevinfo
freecell
freecell 0
freecell 0 1
freecell --all
freecell 99
freepages --all
freepages 0 4
allocpages 2M 1
maxvcpus
maxvcpus test
maxvcpus nonsense
capabilities
domcapabilities
sysinfo
cpu-models x86_64
cpu-models nonsense
node-memory-tune
node-memory-tune --shm-sleep-millisecs 5
nodesuspend mem 60
nonsense
help list
help nonsense
echo one two
pwd
quit
""".strip().splitlines()

#: Reading the domain that is there.
DOMAIN_READING = """
dominfo test
dominfo 1
dominfo 6695eb01-f6a4-8304-79aa-97f2502e193f
dominfo nonsense
dominfo
dominfo test extra
dominfo 2
domid test
domid nonsense
domname 1
domname 6695eb01-f6a4-8304-79aa-97f2502e193f
domuuid test
domuuid 1
domstate test
domstate test --reason
domstate nonsense
domcontrol test
domhostname test
domtime test
domxml-to-native qemu-argv test
dumpxml test
dumpxml 1
dumpxml test --inactive
dumpxml test --security-info
dumpxml test --migratable
dumpxml test --update-cpu
dumpxml test --xpath //vcpu
dumpxml test --xpath //vcpu --wrap
dumpxml nonsense
domstats
domstats test
domstats --state --balloon
domstats --vcpu test
domstats --interface --block
domstats --list-running
domstats --list-inactive
domstats nonsense
domstats --enforce --perf
dommemstat test
domblklist test
domblklist test --details
domiflist test
domifstat test vnet0
domifaddr test
domifaddr test --source agent
domifaddr test --source nonsense
domif-getlink test vnet0
domblkinfo test vda
domblkstat test vda
domblkstat test
domblkerror test
vcpucount test
vcpucount test --maximum
vcpucount test --maximum --live
vcpucount test --current --config
vcpuinfo test
vcpuinfo test --pretty
vcpupin test
vcpupin test 0
vcpupin test 0 0-1
vcpupin test 0 99
vcpupin test 7 0
emulatorpin test
iothreadinfo test
cpu-stats test
cpu-stats test --total
schedinfo test
schedinfo test --set weight=100
schedinfo test --set nonsense=1
schedinfo test --weight 5
memtune test
memtune test --hard-limit 1000000
blkiotune test
numatune test
blkdeviotune test vda
domiftune test vnet0
perf test
guestvcpus test
guestinfo test
domfsinfo test
domdisplay test
vncdisplay test
ttyconsole test
domjobinfo test
domjobabort test
metadata test urn:a
desc test
desc test --title
desc test --title New title
managedsave-dumpxml test
managedsave-remove test
domblkthreshold test vda 100
get-user-sshkeys test root
domdirtyrate-calc test
domlaunchsecinfo test
qemu-monitor-command test info
qemu-agent-command test {}
""".strip().splitlines()

#: Changing domains; each line is one connection.
DOMAIN_CHANGES = """
define guest.xml; list --all; dumpxml web1; dominfo web1
define guest.xml --validate
define minimal.xml; dumpxml small; dominfo small
define lxc.xml
define broken.xml
define nameless.xml
define memoryless.xml
define clash.xml
define wrongroot.xml
define sourceless.xml; create sourceless.xml; list --all
define empty.xml
define absent.xml
define
create guest.xml; list; dominfo web1
create guest.xml --paused; domstate web1 --reason
create guest.xml; create guest.xml
create guest.xml; destroy web1; list --all
create minimal.xml; undefine small; list --all
define guest.xml; start web1; list --all; domid web1
define guest.xml; start web1; start web1
define guest.xml; start web1 --paused; resume web1; domstate web1 --reason
define guest.xml; start web1 --autodestroy
define guest.xml; start web1 --console
define guest.xml; undefine web1; list --all
define guest.xml; undefine web1 --nvram
define guest.xml; undefine web1 --snapshots-metadata
define guest.xml; undefine web1 --remove-all-storage
define guest.xml; undefine web1; undefine web1
define guest.xml; autostart web1; dominfo web1; list --all --autostart
define guest.xml; autostart web1; autostart web1 --disable; dominfo web1
define guest.xml; domrename web1 web2; list --all
define guest.xml; domrename web1 test
define guest.xml; domrename web1 web/2
define guest.xml; setmem web1 16384 --config; dominfo web1
define guest.xml; setmaxmem web1 131072 --config; dominfo web1
define guest.xml; setmem web1 99999999
define guest.xml; setvcpus web1 3 --config; vcpucount web1
define guest.xml; setvcpus web1 3 --maximum --config; vcpucount web1
define guest.xml; setvcpus web1 9 --config
define guest.xml; setvcpus web1 0 --config
define guest.xml; setvcpus web1 3; vcpucount web1
define guest.xml; vcpupin web1 1 0; vcpupin web1; vcpupin web1 --config
define guest.xml; vcpuinfo web1
define guest.xml; desc web1; desc web1 --title; desc web1 --config New words; desc web1
define guest.xml; metadata web1 urn:a --set '<x/>' --key k --config; metadata web1 urn:a; dumpxml web1
define guest.xml; metadata web1 urn:a --remove --config
define guest.xml; domblklist web1 --details; domiflist web1
define guest.xml; start web1; domblkstat web1 vda; domblkinfo web1 vda; domifstat web1 vnet0; domif-getlink web1 vnet0
define guest.xml; domblkinfo web1 vda; domblkinfo web1 --all
define tray.xml; domblkinfo tray hda; start tray; domblkinfo tray hda; domblkinfo tray --all
define guest.xml; start web1; domblkinfo web1; domblkinfo web1 nonsense; domblkstat web1 nonsense
define guest.xml; start web1; domifaddr web1; domiftune web1 vnet0; domiftune web1 vnet0 --inbound 100; domiftune web1 vnet0
define guest.xml; start web1; blkdeviotune web1 vda; blkdeviotune web1 vda --total-bytes-sec 1000; blkdeviotune web1 vda
define guest.xml; start web1; domblkerror web1; domfsinfo web1; guestinfo web1
define guest.xml; start web1; domstats web1
define guest.xml; domstats web1
define guest.xml; start web1; vncdisplay web1; domdisplay web1; ttyconsole web1
define guest.xml; managedsave web1
define guest.xml; start web1; managedsave web1; list --all --managed-save; dominfo web1; start web1; domstate web1 --reason
define guest.xml; start web1; managedsave web1; managedsave-remove web1; dominfo web1
define guest.xml; attach-device web1 disk.xml --config; domblklist web1
define guest.xml; attach-disk web1 /images/x.img vdc --config; domblklist web1
define guest.xml; detach-device web1 disk.xml --config
define guest.xml; detach-disk web1 vda --config; domblklist web1
define guest.xml; attach-interface web1 network default --config
define guest.xml; update-device web1 disk.xml --config
define guest.xml; detach-device-alias web1 nonsense
define guest.xml; change-media web1 vda --eject
define guest.xml; iothreadadd web1 1 --config; iothreadinfo web1
define guest.xml; iothreadadd web1 1 --live
define guest.xml; start web1; iothreadadd web1 1; iothreadinfo web1; iothreadset web1 1 --poll-max-ns 5; iothreaddel web1 1; iothreadinfo web1
define guest.xml; start web1; emulatorpin web1 0; emulatorpin web1
define guest.xml; start web1; memtune web1 --hard-limit 200000; memtune web1
define guest.xml; start web1; numatune web1 --nodeset 0; numatune web1
define guest.xml; start web1; blkiotune web1 --weight 200; blkiotune web1
define guest.xml; start web1; schedinfo web1 --weight 60; schedinfo web1
define guest.xml; start web1; guestvcpus web1; guestvcpus web1 1 --disable
define guest.xml; start web1; perf web1 --enable cmt
define guest.xml; start web1; set-user-password web1 root secret
define guest.xml; start web1; domfsfreeze web1; domfsthaw web1; domfstrim web1
define guest.xml; start web1; domtime web1; domtime web1 --now; domhostname web1
define guest.xml; start web1; send-key web1 KEY_A; send-process-signal web1 1 hup
define guest.xml; start web1; inject-nmi web1
define guest.xml; start web1; set-lifecycle-action web1 poweroff restart; dumpxml web1
define guest.xml; start web1; dommemstat web1; dommemstat web1 --period 5
define guest.xml; start web1; cpu-stats web1; vcpupin web1 0 1; vcpuinfo web1
define guest.xml; start web1; migrate web1 test:///default
define guest.xml; start web1; blockjob web1 vda; blockresize web1 vda 100; blockcommit web1 vda; blockpull web1 vda
define guest.xml; start web1; domif-setlink web1 vnet0 down
define guest.xml; start web1; dompmsuspend web1 mem; dompmwakeup web1
suspend test; domstate test --reason; resume test; domstate test --reason
suspend test; suspend test
resume test
shutdown test; domstate test --reason; list --all
shutdown test; shutdown test
shutdown test --mode acpi
reboot test; domstate test --reason
reset test; domstate test
destroy test; domstate test --reason; list; list --all; domid test
destroy test; destroy test
destroy test --graceful; list --all
destroy test; start test; list
destroy test; suspend test
destroy test; resume test
destroy test; reboot test
destroy test; undefine test; list --all; dominfo test
undefine test; list --all; dominfo test
start test
start nonsense
save test test.save; list --all; restore test.save; list --all
save test test.save; save-image-dumpxml test.save
save test test2.save --running; restore test2.save --paused; domstate test
restore absent.save
restore guest.xml
dump test test.core; domstate test
dump test test.core --crash; domstate test --reason
dump test test.core --memory-only --format elf
dump test test.core --format kdump-zlib --memory-only
screenshot test shot.ppm
screenshot test shot.ppm --screen 5
setmem test 1048576; dominfo test
setmem test 4194304; dominfo test
setmem test 99999999
setmem test nonsense
setmaxmem test 4194304
setvcpus test 1; vcpucount test
setvcpus test 1 --live; vcpuinfo test
setvcpus test 5 --live
setvcpus test 1 --config --live; vcpucount test
autostart test; dominfo test
autostart nonsense
event --list
console test
edit test
inject-nmi test
send-key test KEY_A KEY_B
send-key test nonsense
set-lifecycle-action test reboot destroy
domrename test other
backup-begin test
backup-dumpxml test
snapshot-list test
snapshot-create-as test one; snapshot-list test; snapshot-info test one; snapshot-current test --name
snapshot-create test snapshot.xml; snapshot-dumpxml test first
snapshot-create-as test one; snapshot-create-as test two; snapshot-list test --tree; snapshot-parent test two; snapshot-delete test one --children; snapshot-list test
snapshot-create-as test one; destroy test; snapshot-revert test one; domstate test --reason
snapshot-create-as test one; snapshot-create-as test one
snapshot-create-as test one --disk-only
snapshot-delete test absent
snapshot-current test
snapshot-revert test absent
snapshot-info test --current
checkpoint-list test
checkpoint-create test checkpoint.xml
checkpoint-create-as test mark; checkpoint-list test; checkpoint-info test mark
checkpoint-delete test mark
""".strip().splitlines()

#: Networks, pools, volumes, host interfaces, node devices, secrets and filters.
OTHER_OBJECTS = """
net-list
net-list --all
net-list --name --uuid
net-info default
net-info nonsense
net-uuid default
net-name nonsense
net-dumpxml default
net-dumpxml default --inactive
net-define network.xml; net-list --all; net-info lab; net-dumpxml lab
net-create network.xml; net-list; net-info lab; net-destroy lab; net-list --all
net-define network.xml; net-start lab; net-start lab; net-autostart lab; net-info lab
net-define network.xml; net-undefine lab; net-list --all
net-define guest.xml
net-destroy default; net-list --all; net-destroy default
net-destroy default; net-undefine default; net-list --all
net-start default
net-dhcp-leases default
net-port-list default
net-update default add ip-dhcp-host "<host mac='02:00:00:00:09:01' ip='192.168.122.9'/>"
net-event --list
pool-list
pool-list --all --details
pool-list --type dir
pool-info default-pool
pool-info nonsense
pool-uuid default-pool
pool-name nonsense
pool-dumpxml default-pool
pool-capabilities
pool-define pool.xml; pool-list --all; pool-info images; pool-dumpxml images
pool-create pool.xml; pool-list; pool-destroy images; pool-list --all
pool-define pool.xml; pool-build images; pool-start images; pool-start images; pool-refresh images; pool-autostart images; pool-info images
pool-define pool.xml; pool-undefine images; pool-list --all
pool-define guest.xml
pool-define pool.xml; pool-delete images
pool-define-as x dir --target /x; pool-dumpxml x
find-storage-pool-sources logical
find-storage-pool-sources nonsense
pool-event --list
vol-list default-pool
vol-create default-pool volume.xml; vol-list default-pool --details; vol-info disk1.img --pool default-pool; vol-dumpxml disk1.img --pool default-pool; vol-path disk1.img --pool default-pool; vol-key disk1.img --pool default-pool
vol-create default-pool volume.xml; vol-create default-pool volume.xml
vol-create default-pool volume.xml; vol-delete disk1.img --pool default-pool; vol-list default-pool
vol-create default-pool volume.xml; vol-clone disk1.img disk2.img --pool default-pool; vol-list default-pool
vol-create default-pool volume.xml; vol-resize disk1.img 20M --pool default-pool; vol-wipe disk1.img --pool default-pool
vol-create default-pool volume.xml; vol-pool /default-pool/disk1.img; vol-name /default-pool/disk1.img
vol-create-as default-pool big.img 99999G
vol-info nonsense --pool default-pool
vol-path nonsense
iface-list
iface-list --all
iface-mac eth1
iface-name aa:bb:cc:dd:ee:ff
iface-dumpxml eth1
iface-dumpxml nonsense
iface-define interface.xml; iface-list --all; iface-start eth7; iface-list; iface-destroy eth7; iface-undefine eth7; iface-list --all
iface-destroy eth1; iface-destroy eth1; iface-list --all
iface-begin; iface-define interface.xml; iface-rollback; iface-list --all
iface-begin; iface-begin
iface-begin; iface-commit
iface-commit
iface-rollback
nodedev-list
nodedev-list --tree
nodedev-list --cap system
nodedev-list --cap nonsense
nodedev-dumpxml computer
nodedev-dumpxml scsi_host1
nodedev-dumpxml nonsense
nodedev-info computer
nodedev-create nodedev.xml
nodedev-destroy computer
nodedev-destroy scsi_host1
nodedev-detach computer
nodedev-reset computer
nodedev-event --list
secret-list
secret-get-value 00112233-4455-6677-8899-aabbccddeeff
secret-define guest.xml
nwfilter-list
nwfilter-dumpxml clean-traffic
nwfilter-define guest.xml
nwfilter-binding-list
""".strip().splitlines()

#: What a read-only connection is refused, and what it may do.
READ_ONLY = """
list --all
dominfo test
dumpxml test
dumpxml test --security-info
suspend test
destroy test
shutdown test
reboot test
start test
define guest.xml
create guest.xml
undefine test
setmem test 1000
setvcpus test 1
autostart test
save test x.save
dump test x.core
screenshot test x.ppm
snapshot-list test
snapshot-create-as test one
managedsave test
domrename test other
vcpupin test 0 0
domxml-from-native qemu-argv empty.xml
domstats
net-list --all
net-dumpxml default
net-destroy default
net-define network.xml
pool-list --all
pool-destroy default-pool
vol-create default-pool volume.xml
vol-list default-pool
iface-list
iface-destroy eth1
nodedev-list
nodedev-destroy computer
capabilities
sysinfo
domifaddr test
domhostname test
domtime test
guestinfo test
""".strip().splitlines()

#: One administrator's half hour: thirty and more commands on one connection.
SESSION = """
list --all
nodeinfo
hostname
dominfo test
dumpxml test
define guest.xml
list --all
dominfo web1
start web1
list
domid web1
domstate web1 --reason
suspend web1
domstate web1 --reason
resume web1
vcpucount web1
setvcpus web1 3
vcpucount web1
vcpuinfo web1
setmem web1 16384
dommemstat web1
domblklist web1
domiflist web1
domifstat web1 vnet0
domblkstat web1 vda
autostart web1
dominfo web1
schedinfo web1
desc web1 --title A new title
list --all --title
start web1
dominfo nonsense
nonsense
reboot web1
shutdown web1
domstate web1 --reason
start web1 --paused
list
destroy web1
managedsave web1
domrename web1 web2
undefine web2
list --all
quit
""".strip().splitlines()


class SingleCommandTests(ComparisonCase):
    """Each command line on a connection of its own."""

    def test_host(self) -> None:
        """Commands about the connection and the host do the same on both sides."""
        self.compareEach(without(HOST))

    def test_domainReading(self) -> None:
        """Commands that read a domain do the same on both sides, refusals included."""
        self.compareEach(without(DOMAIN_READING))

    def test_domainChanges(self) -> None:
        """Commands that define, start, change and end domains do the same on both sides."""
        self.compareEach(without(DOMAIN_CHANGES))

    def test_otherObjects(self) -> None:
        """Networks, storage, interfaces, devices, secrets and filters do the same on both sides."""
        self.compareEach(without(OTHER_OBJECTS))


class TransportTests(ComparisonCase):
    """The ways to the daemon."""

    def test_listOverUNIX(self) -> None:
        """C{virsh list --all} lists the one domain over a UNIX socket."""
        (outcome,) = self.compareEach(["list --all"])
        self.assertEqual(outcome.status, 0)
        self.assertIn(" 1    test   running\n", outcome.stdout)

    def test_listOverTCP(self) -> None:
        """C{virsh list --all} lists the one domain over TCP."""
        (outcome,) = self.compareEach(["list --all"], tcp=True)
        self.assertEqual(outcome.status, 0)
        self.assertIn(" 1    test   running\n", outcome.stdout)

    def test_readOnlyOption(self) -> None:
        """C{virsh --readonly} is allowed and refused the same."""
        self.compareEach(without(READ_ONLY), options=["--readonly"])

    def test_readOnlyOverTCP(self) -> None:
        """So is a read-only connection over TCP, which the client asks for by a flag alone."""
        self.compareEach(READ_ONLY[:12], options=["--readonly"], tcp=True)


class SessionTests(ComparisonCase):
    """Many commands in one shell."""

    def test_longSession(self) -> None:
        """Forty commands typed into one shell print the same."""
        self.compareSession(SESSION)

    def test_longSessionOverTCP(self) -> None:
        """So do they over TCP."""
        self.compareSession(SESSION, tcp=True)

    def test_everythingThatReads(self) -> None:
        """All commands that read, typed into one shell."""
        self.compareSession(without([*HOST[:-1], *DOMAIN_READING]))
