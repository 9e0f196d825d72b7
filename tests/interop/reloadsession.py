"""
A session in which others write into the folders of the host's drivers while the daemon runs: L{RELOADED}.
"""

__all__ = ["RELOADED"]

_ID = "11111111-2222-3333-4444-5555555555"


def _network(name: str, number: int, inner: str = "") -> str:
    return (
        f"<network><name>{name}</name><uuid>{_ID}{number:02}</uuid><bridge name='rb{number}'/>{inner}"
        f"<ip address='10.77.{number}.1' prefix='24'/></network>"
    )


def _pool(name: str, number: int, path: str) -> str:
    return (
        f"<pool type='dir'><name>{name}</name><uuid>{_ID}{number:02}</uuid>"
        f"<target><path>{path}</path></target></pool>"
    )


def _secret(number: int, inner: str = "") -> str:
    return f"<secret ephemeral='no' private='no'><uuid>{_ID}{number:02}</uuid>{inner}</secret>"


def _domain(name: str, number: int, memory: int) -> str:
    return (
        f"<domain type='qemu'><name>{name}</name><uuid>{_ID}{number:02}</uuid><memory>{memory}</memory>"
        "<os><type arch='x86_64' machine='pc'>hvm</type></os></domain>"
    )


def _filter(name: str, number: int, inner: str = "") -> str:
    return f"<filter name='{name}' chain='root'><uuid>{_ID}{number:02}</uuid>{inner}</filter>"


_SHOW = """
list --all --name
list --all --name --autostart
dumpxml d1 --xpath /domain/memory
dumpxml d2 --xpath /domain/memory
dumpxml d3 --xpath /domain/memory
net-list --all
pool-list --all
secret-list
nwfilter-list
net-dumpxml off
net-dumpxml on
net-dumpxml on --inactive
net-dumpxml gone
net-dumpxml gone --inactive
net-dumpxml new
net-dumpxml started
net-dumpxml transient
net-dumpxml transient --inactive
net-info on
net-info off
net-info gone
pool-info off
pool-info on
pool-info gone
pool-info new
pool-dumpxml off
pool-dumpxml on
pool-dumpxml on --inactive
pool-dumpxml new
pool-dumpxml gone
secret-dumpxml {0}51
secret-dumpxml {0}52
secret-dumpxml {0}53
secret-get-value {0}51
secret-get-value {0}52
secret-get-value {0}53
nwfilter-dumpxml f1
nwfilter-dumpxml f2
nwfilter-dumpxml f3
""".strip().format(_ID)

_RULE = "<rule action='accept' direction='in'><all/></rule>"
_NET, _POOL = "/etc/libvirt/qemu/networks", "/etc/libvirt/storage"

RELOADED = rf"""
<off.xml {_network("off", 1)}
<on.xml {_network("on", 2)}
<gone.xml {_network("gone", 3)}
<lost.xml {_network("lost", 4)}
<transient.xml {_network("transient", 5)}
net-define FOLDER/off.xml
net-define FOLDER/on.xml
net-define FOLDER/gone.xml
net-define FOLDER/lost.xml
net-autostart lost
<served.xml {_network("served", 8, "<dns><host ip='10.77.8.2'><hostname>a</hostname></host></dns>")}
net-start on
net-start gone
net-create FOLDER/served.xml
net-create FOLDER/transient.xml
!mkdir /var/lib/libvirt/p0 /var/lib/libvirt/p1 /var/lib/libvirt/p2 /var/lib/libvirt/p3 /var/lib/libvirt/p4 /var/lib/libvirt/p5 /var/lib/libvirt/p6
<poff.xml {_pool("off", 21, "/var/lib/libvirt/off")}
<pon.xml {_pool("on", 22, "/var/lib/libvirt/p2")}
<pgone.xml {_pool("gone", 23, "/var/lib/libvirt/p3")}
<plost.xml {_pool("lost", 24, "/var/lib/libvirt/lost")}
pool-define FOLDER/poff.xml
pool-define FOLDER/pon.xml
pool-define FOLDER/pgone.xml
pool-define FOLDER/plost.xml
pool-start on
pool-start gone
<s1.xml {_secret(51)}
<s2.xml {_secret(52)}
secret-define FOLDER/s1.xml
secret-define FOLDER/s2.xml
secret-set-value {_ID}51 b25l
secret-set-value {_ID}52 dHdv
<f1.xml {_filter("f1", 61)}
<f2.xml {_filter("f2", 62)}
nwfilter-define FOLDER/f1.xml
nwfilter-define FOLDER/f2.xml
<d1.xml {_domain("d1", 81, 8192)}
<d2.xml {_domain("d2", 82, 8192)}
define FOLDER/d1.xml
define FOLDER/d2.xml
autostart d2
RELOAD
{_SHOW}
<d1.xml {_domain("d1", 81, 16384)}
<d3.xml {_domain("d3", 83, 16384)}
<d4.xml {_domain("d4", 81, 16384)}
!cd /etc/libvirt/qemu; cp FOLDER/d1.xml FOLDER/d3.xml FOLDER/d4.xml .; mkdir -p autostart; ln -s $PWD/d1.xml $PWD/d3.xml autostart/; rm d2.xml
<noff.xml {_network("off", 1, "<domain name='off.example'/>")}
<non.xml {_network("on", 2, "<domain name='on.example'/>")}
<nnew.xml {_network("new", 6)}
<nstarted.xml {_network("started", 7)}
<ntransient.xml {_network("transient", 5, "<domain name='t.example'/>")}
<nother.xml {_network("other", 1)}
<nwrong.xml {_network("wrongname", 9)}
<nbroken.xml <network><name>broken
!cd {_NET}; for each in off on new started transient other; do cp FOLDER/n$each.xml $each.xml; done; cp FOLDER/nwrong.xml wrong.xml; cp FOLDER/nbroken.xml broken.xml; rm gone.xml lost.xml; ln -s {_NET}/started.xml autostart/started.xml; ln -s {_NET}/off.xml autostart/off.xml
<poff.xml {_pool("off", 21, "/var/lib/libvirt/p1")}
<pon.xml {_pool("on", 22, "/var/lib/libvirt/p6")}
<pnew.xml {_pool("new", 26, "/var/lib/libvirt/nowhere")}
<pthere.xml {_pool("there", 28, "/var/lib/libvirt/p4")}
<pstarted.xml {_pool("started", 27, "/var/lib/libvirt/p5")}
<pother.xml {_pool("other", 21, "/var/lib/libvirt/p0")}
<pbroken.xml <pool
!cd {_POOL}; mkdir -p autostart; for each in off on new there started other broken; do cp FOLDER/p$each.xml $each.xml; done; rm gone.xml lost.xml; ln -s {_POOL}/started.xml autostart/started.xml
<s1.xml {_secret(51, "<description>changed</description>")}
<s3.xml {_secret(53, "<usage type='volume'><volume>/x</volume></usage>")}
!cd /etc/libvirt/secrets; cp FOLDER/s1.xml {_ID}51.xml; cp FOLDER/s3.xml {_ID}53.xml; printf dGhyZWU= > {_ID}53.base64; printf b3RoZXI= > {_ID}51.base64; rm {_ID}52.*
<f1.xml {_filter("f1", 61, _RULE)}
<f3.xml {_filter("f3", 63, _RULE)}
!cd /etc/libvirt/nwfilter; cp FOLDER/f1.xml f1.xml; cp FOLDER/f3.xml f3.xml; rm f2.xml
RELOAD
{_SHOW}
!iptables -F LIBVIRT_FWI; ip6tables -F LIBVIRT_INP; kill $(cat /run/libvirt/network/served.pid); while [ -e /proc/$(cat /run/libvirt/network/served.pid) ]; do sleep 0.01; done
RELOAD
{_SHOW}
!iptables-save | grep -v '^[#:]' | sort; ip6tables-save | grep -v '^[#:]' | sort
!cat /proc/$(cat /run/libvirt/network/served.pid)/comm
net-start off
net-destroy on
net-dumpxml on
net-destroy gone
net-destroy transient
net-undefine lost
net-undefine gone
pool-destroy on
pool-dumpxml on
pool-destroy gone
pool-undefine lost
pool-undefine gone
secret-undefine {_ID}52
nwfilter-undefine f2
!ls {_NET} {_NET}/autostart {_POOL} {_POOL}/autostart /etc/libvirt/secrets /etc/libvirt/nwfilter
!for each in /etc/libvirt/qemu {_NET} {_POOL} /etc/libvirt/secrets /etc/libvirt/nwfilter; do mount --bind $each $each; mount -o remount,bind,ro $each; done
net-undefine off
net-undefine new
net-autostart new
net-autostart off --disable
net-define FOLDER/non.xml
pool-undefine new
pool-autostart new
pool-define FOLDER/pon.xml
secret-undefine {_ID}51
secret-define FOLDER/s1.xml
secret-set-value {_ID}51 b25l
nwfilter-undefine f1
nwfilter-define FOLDER/f3.xml
undefine reload1
undefine d2
!for each in {_NET} {_POOL} /etc/libvirt/secrets /etc/libvirt/nwfilter /etc/libvirt/qemu; do umount $each; done
!mkdir /etc/libvirt/nwfilter/f9.xml
<f9.xml {_filter("f9", 69)}
nwfilter-define FOLDER/f9.xml
!rmdir /etc/libvirt/nwfilter/f9.xml; mount -t tmpfs -o size=4k full /etc/libvirt/nwfilter; head -c 4096 /dev/zero > /etc/libvirt/nwfilter/fill
nwfilter-define FOLDER/f9.xml
!ls /etc/libvirt/nwfilter; umount /etc/libvirt/nwfilter
!rm {_NET}/other.xml {_POOL}/other.xml /etc/libvirt/qemu/d4.xml
RESTART
{_SHOW}
"""
