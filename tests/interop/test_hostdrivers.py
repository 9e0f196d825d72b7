"""
The drivers beside QEMU's, secrets, storage and so on, compared with those of libvirtd: the same sessions of virsh in
two worlds, events included.
"""

from __future__ import annotations

from tests.interop.hostsessions import HostSessions

_ID = "11111111-2222-3333-4444-55555555555"

SECRETS = f"""
secret-list
<s1.xml <secret ephemeral='no' private='yes'><uuid>{_ID}1</uuid><description>one</description><usage type='volume'><volume>/a/b</volume></usage></secret>
<s2.xml <secret ephemeral='yes'><uuid>{_ID}2</uuid><usage type='ceph'><name>c</name></usage></secret>
<s3.xml <secret><uuid>{_ID}3</uuid></secret>
<s4.xml <secret><uuid>{_ID}4</uuid><usage type='ceph'><name>c</name></usage></secret>
<s5.xml <secret private='no'><uuid>{_ID}1</uuid><usage type='volume'><volume>/a/b</volume></usage></secret>
<s6.xml <secret><uuid>{_ID}5</uuid><usage type='tls'><name>t</name></usage></secret>
<s7.xml <secret><uuid>{_ID}3</uuid><usage type='tls'><name>t</name></usage></secret>
<s8.xml <secret><uuid>nonsense</uuid></secret>
<s9.xml <secret><usage type='nonsense'/></secret>
<s10.xml <secret><usage type='volume'/></secret>
<s11.xml <secrets/>
<s12.xml <secret ephemeral='maybe'/>
<s13.xml <secret extra='x'/>
secret-define FOLDER/s1.xml
secret-define FOLDER/s2.xml
secret-define FOLDER/s3.xml
secret-define FOLDER/s3.xml --validate
secret-define FOLDER/s4.xml
secret-define FOLDER/s5.xml
secret-define FOLDER/s6.xml
secret-define FOLDER/s7.xml
secret-define FOLDER/s8.xml
secret-define FOLDER/s9.xml
secret-define FOLDER/s10.xml
secret-define FOLDER/s11.xml
secret-define FOLDER/s12.xml
secret-define FOLDER/s13.xml --validate
secret-list
secret-list --ephemeral
secret-list --private
secret-list --no-private --no-ephemeral
secret-dumpxml {_ID}1
secret-dumpxml {_ID}9
secret-get-value {_ID}1
secret-set-value {_ID}1 aGVsbG8=
secret-set-value {_ID}5 --file FOLDER/s3.xml
secret-get-value {_ID}1
secret-get-value {_ID}2
secret-set-value {_ID}2 aGVsbG8=
secret-set-value {_ID}2 nonsense!
secret-get-value {_ID}2
secret-get-value {_ID}3
secret-get-value {_ID}5 --plain
secret-set-value {_ID}9 aGVsbG8=
secret-undefine {_ID}9
secret-undefine nope
!cd /etc/libvirt/secrets; stat -c '%n %a %s' . *; cat *
RESTART
secret-list
secret-get-value {_ID}1
secret-get-value {_ID}5
secret-set-value {_ID}5 d29ybGQ=
secret-get-value {_ID}5
secret-undefine {_ID}5
secret-define FOLDER/s4.xml
!cd /etc/libvirt/secrets; stat -c '%n %a %s' . *
!virsh -c secret:///system secret-list
!virsh -c secret:///system list
!virsh -c secret:///system uri
!virsh -c secret:///nope uri
!virsh -r -c qemu:///system secret-list
!virsh -r -c qemu:///system secret-get-value {_ID}3
"""


class SecretTests(HostSessions):
    """Secrets of the host."""

    def test_session(self) -> None:
        """Secrets are defined, changed, kept over a restart and forgotten, each with its event."""
        self.compare(SECRETS)
