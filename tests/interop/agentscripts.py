"""
What an agent says in answer, and what is asked of it.
"""

from __future__ import annotations

__all__ = ["ASKING", "BAD", "DOING", "FAILING", "GOOD", "NESTED", "TELLING"]

_GOOD = {
    "guest-ping": "{}",
    "guest-get-time": "1700000000123456789",
    "guest-set-time": "{}",
    "guest-get-host-name": '{"host-name": "inside"}',
    "guest-get-users": '[{"user": "root", "login-time": 1700000000.5},'
    ' {"user": "me", "domain": "D", "login-time": 3}]',
    "guest-get-osinfo": '{"id": "debian", "name": "Debian", "pretty-name": "Debian 12",'
    ' "version": "12 (x)", "version-id": "12", "machine": "x86_64", "kernel-release": "6.1",'
    ' "kernel-version": "#1", "variant": "v", "variant-id": "i", "other": 5}',
    "guest-get-timezone": '{"zone": "CET", "offset": -3600}',
    "guest-get-fsinfo": '[{"name": "vda1", "mountpoint": "/", "type": "ext4", "total-bytes": 100,'
    ' "used-bytes": 7, "disk": [{"serial": "abc", "bus-type": "virtio", "bus": 0, "unit": 0,'
    ' "target": 0, "dev": "/dev/vda1", "pci-controller": {"domain": 0, "bus": 4, "slot": 0,'
    ' "function": 0}}]}, {"name": "tmp", "mountpoint": "/tmp", "type": "tmpfs", "disk": []}]',
    "guest-get-disks": '[{"name": "/dev/vda", "partition": false, "dependencies": [], "alias": "x",'
    ' "address": {"serial": "abc", "bus-type": "virtio", "bus": 0, "unit": 0, "target": 0,'
    ' "dev": "/dev/vda", "pci-controller": {"domain": 0, "bus": 4, "slot": 0, "function": 0}}},'
    ' {"name": "/dev/vda1", "partition": true, "dependencies": ["/dev/vda", "/dev/q"]}]',
    "guest-network-get-interfaces": '[{"name": "lo", "ip-addresses": [{"ip-address-type": "ipv4",'
    ' "ip-address": "127.0.0.1", "prefix": 8}, {"ip-address-type": "ipv6", "ip-address": "::1",'
    ' "prefix": 128}], "hardware-address": "00:00:00:00:00:00"}, {"name": "eth0",'
    ' "hardware-address": "52:54:00:00:00:01"}, {"name": "none"}, {"name": "eth0:1",'
    ' "hardware-address": "52:54:00:00:00:01", "ip-addresses": [{"ip-address-type": "ipv4",'
    ' "ip-address": "10.0.0.1", "prefix": 24}]}]',
    "guest-get-vcpus": '[{"online": true, "can-offline": false, "logical-id": 0},'
    ' {"online": true, "can-offline": true, "logical-id": 1},'
    ' {"online": false, "can-offline": true, "logical-id": 2}]',
    "guest-set-vcpus": "1",
    "guest-fsfreeze-freeze": "2",
    "guest-fsfreeze-freeze-list": "1",
    "guest-fsfreeze-thaw": "2",
    "guest-fstrim": '{"paths": []}',
    "guest-set-user-password": "{}",
    "guest-ssh-get-authorized-keys": '{"keys": ["ssh-rsa AAA a", "ssh-ed25519 BBB b"]}',
    "guest-ssh-add-authorized-keys": "{}",
    "guest-ssh-remove-authorized-keys": "{}",
}
#: Answers as they should be, by command.
GOOD: dict[str, str | None] = {name: f'{{"return": {text}}}\n' for name, text in _GOOD.items()}

#: The commands whose answers are looked into.
TELLING = [
    "guest-get-time", "guest-get-host-name", "guest-get-users", "guest-get-osinfo",
    "guest-get-timezone", "guest-get-fsinfo", "guest-get-disks", "guest-network-get-interfaces",
    "guest-get-vcpus", "guest-set-vcpus", "guest-fsfreeze-freeze", "guest-fsfreeze-thaw",
    "guest-ssh-get-authorized-keys",
]  # fmt: skip
#: Answers of the wrong kind, by name.
BAD = {
    "empty": '{"return": {}}',
    "list": '{"return": [{}]}',
    "number": '{"return": 5}',
    "negative": '{"return": -5}',
    "word": '{"return": "x"}',
    "nothing": '{"return": []}',
    "none": '{"return": null}',
    "numbers": '{"return": [1, 2]}',
}
#: Ways not to do anything, whatever is asked.
FAILING = {
    "unwilling": '{"error": {"class": "GenericError", "desc": "it does not want to"}}\n',
    "unsupported": '{"error": {"class": "Unsupported", "desc": "this command is not supported"}}\n',
    "unknown": '{"error": {"class": "CommandNotFound", "desc": "has not been found"}}\n',
    "disabled": '{"error": {"class": "CommandDisabled", "desc": "has been disabled"}}\n',
    "wordless": '{"error": {"class": "GenericError"}}\n',
    "classless": '{"error": {"desc": "something"}}\n',
    "bare": '{"error": {}}\n',
    "odd": '{"error": "odd"}\n',
}

#: Lines about what an agent tells.
ASKING = [
    *("guestinfo g", "guestinfo g --user", "guestinfo g --os", "guestinfo g --timezone"),
    *("guestinfo g --hostname", "guestinfo g --filesystem", "guestinfo g --disk"),
    *("guestinfo g --interface", "guestinfo g --user --os --hostname", "guestvcpus g"),
    *("domtime g", "domtime g --pretty", "domhostname g --source agent"),
    *("domfsinfo g", "domifaddr g --source agent --full", "get-user-sshkeys g root"),
    *("domifaddr g --source agent", "domifaddr g --source agent eth0"),
    *("domfsfreeze g", "domfsthaw g", "vcpucount g --guest", "setvcpus g 1 --guest"),
]
#: Lines about what it does.
DOING = [
    *("setvcpus g 3 --guest", "setvcpus g 2 --guest", "setvcpus g 9 --guest"),
    *("setvcpus g 0 --guest", "setvcpus g 2 --guest --config", "setvcpus g 4 --guest"),
    *("guestvcpus g --cpulist 1 --disable", "guestvcpus g --cpulist 0-1 --disable"),
    *("guestvcpus g --cpulist 2 --enable", "guestvcpus g --cpulist 7 --enable"),
    *("guestvcpus g --cpulist x --enable", "guestvcpus g --cpulist 0,2 --enable"),
    *("domtime g --time 1600000000", "domtime g --time 99999999999999", "domtime g --sync"),
    *("domtime g --time 0", "domtime g --time -7"),
    *("domfsfreeze g --mountpoint /", "domfsfreeze g --mountpoint / --mountpoint /x"),
    *("domfsthaw g --mountpoint /", "domfstrim g", "domfstrim g --minimum 5"),
    *("domfstrim g --mountpoint /", "domfstrim g --minimum 0"),
    *("set-user-password g root secret", "set-user-password g root ''"),
    *("set-user-password g root secret --encrypted", "set-user-sshkeys g root --reset"),
    *("set-user-sshkeys g root --file FOLDER/keys", "set-user-sshkeys g root"),
    *("set-user-sshkeys g root --reset --file FOLDER/keys",),
    *("set-user-sshkeys g root --remove --file FOLDER/keys",),
    "qemu-agent-command g guest-ping",
    "qemu-agent-command g '[]'",
    "qemu-agent-command g '{}'",
    "qemu-agent-command g ''",
    """qemu-agent-command g '{"execute":5}'""",
    """qemu-agent-command g '{"execute":"guest-ping"}'""",
    """qemu-agent-command g '{"execute":"guest-ping"}' --pretty""",
    """qemu-agent-command g '{"execute":"guest-ping","arguments":{}}' --timeout 60""",
    """qemu-agent-command g '{"execute":"guest-ping","id":4}' --block""",
    """qemu-agent-command g '{"execute":"guest-ping"}' --timeout 0""",
    """qemu-agent-command g '{"execute":"guest-ping"}' --timeout -1""",
    """qemu-agent-command g '{"execute":"guest-ping"}' --timeout -3""",
    """qemu-agent-command g '{"execute":"guest-ping"}' --async --block""",
    "qemu-agent-command g '[1,]'",
    "qemu-agent-command g '[1 2]'",
    """qemu-agent-command g '{"a":1 2}'""",
    """qemu-agent-command g '{"a":1,}'""",
    """qemu-agent-command g '{5:1}'""",
    """qemu-agent-command g '{"a":NaN}'""",
    """qemu-agent-command g '{"a":"b}'""",
    """qemu-agent-command g '{"a":"b\\qb"}'""",
    """qemu-agent-command g '{"execute":"guest-ping","arguments":{"a":[1,2,3,4,5,6,7,8 9,10,11]}}'""",
    """qemu-agent-command g '{"a":'""",
    """qemu-agent-command g '{"a" 1}'""",
    """qemu-agent-command g '{"a":tru}'""",
    """qemu-agent-command g '{"execute":"guest-ping"} x'""",
    """qemu-agent-command g '"guest-ping"'""",
    "qemu-agent-command g 5",
    """qemu-agent-command g '{"execute":"guest-get-osinfo"}'""",
    """qemu-agent-command g '{"execute":"guest-get-time"}'""",
    """qemu-agent-command g '{"execute":"guest-nothing","arguments":{"a":[1,null,2.5]}}'""",
    *("shutdown g --mode agent", "reboot g --mode agent", "dompmsuspend g mem"),
    *("guest-agent-timeout g --timeout 5", "guest-agent-timeout g --timeout -3"),
    *("guest-agent-timeout g --timeout x", "guest-agent-timeout g --timeout -2"),
    *("guest-agent-timeout g x", "guest-agent-timeout g", "dominfo g"),
]

_FS = '{"mountpoint": "/", "name": "a", "type": "b", "disk": []}'
_CPU = '{"logical-id": 0, "online": true, "can-offline": true}'


def _address(text: str) -> str:
    """An interface with an address."""
    return f'[{{"name": "a", "ip-addresses": [{text}]}}]'


_PLACES = (
    '{"bus": 0}',
    '{"bus": 0, "target": 0}',
    '{"bus": 0, "target": 0, "unit": 0}',
    '{"bus": 0, "target": 0, "unit": 0, "pci-controller": 5}',
    '{"bus": 0, "target": 0, "unit": 0, "pci-controller": {}}',
    '{"bus": 0, "target": 0, "unit": 0, "pci-controller": {"domain": 0, "bus": 0, "slot": 0}}',
    '{"bus": -1, "target": -1, "unit": -1, "pci-controller": {"domain": -1, "bus": -1,'
    ' "slot": -1, "function": -1}}',
    '{"bus": 0, "target": 0, "unit": 0, "bus-type": 5, "dev": 5, "serial": 5, "pci-controller":'
    ' {"domain": 0, "bus": 4, "slot": 0, "function": 0}}',
    '{"bus": 0, "target": 0, "unit": 0, "bus-type": "sata", "dev": "d", "serial": "s",'
    ' "pci-controller": {"domain": 0, "bus": 0, "slot": 31, "function": 2}, "ccw-address": 5}',
)
#: Answers that are right in part: commands, lines, and what is answered.
NESTED: list[tuple[str, tuple[str, ...], tuple[str, ...]]] = [
    (
        "guest-get-users",
        ("guestinfo g --user",),
        (
            '[{"user": 5}]',
            '[{"user": "a"}]',
            '[{"user": "a", "login-time": "x"}]',
            '[{"user": "a", "login-time": -1}]',
            '[{"user": "a", "login-time": 1.9999}, {"user": "b"}]',
        ),
    ),
    (
        "guest-get-osinfo",
        ("guestinfo g --os",),
        ('{"id": 5, "name": "a"}', '{"id": null}', '{"id": ""}', '{"machine": {}}'),
    ),
    (
        "guest-get-timezone",
        ("guestinfo g --timezone",),
        ('{"zone": 5, "offset": 1}', '{"zone": "a"}', '{"offset": "1"}', '{"offset": 99999999999}'),
    ),
    (
        "guest-get-host-name",
        ("guestinfo g --hostname", "domhostname g --source agent"),
        ('{"host-name": ""}', '{"host-name": 5}'),
    ),
    (
        "guest-get-fsinfo",
        ("guestinfo g --filesystem", "domfsinfo g"),
        (
            f"[{_FS}, 5]",
            '[{"mountpoint": "/"}]',
            '[{"mountpoint": "/", "name": "a"}]',
            '[{"mountpoint": "/", "name": "a", "type": "b"}]',
            _FS.replace("{", "[{").replace("[]}", "5}]"),
            _FS.replace("{", "[{").replace("[]}", "[5]}]"),
            _FS.replace("{", "[{").replace("[]}", "[{}]}]"),
            _FS.replace("{", "[{").replace("[]}", '[{"serial": "a", "dev": 5}]}]'),
            _FS.replace("{", "[{").replace("[]}", '[], "total-bytes": -1, "used-bytes": "1"}]'),
            f"[{_FS}, {_FS}]",
        ),
    ),
    (
        "guest-get-fsinfo",
        ("guestinfo g --filesystem", "domfsinfo g"),
        tuple(_FS.replace("{", "[{").replace("[]}", f"[{each}]}}]") for each in _PLACES),
    ),
    (
        # Of disks that it cannot read libvirtd frees something twice, and comes to its end.
        "guest-get-disks",
        ("guestinfo g --disk",),
        (
            '[{"name": "a", "partition": false, "dependencies": 5}]',
            '[{"name": "a", "partition": false, "dependencies": []}]',
            '[{"name": "a", "partition": true, "alias": 5}]',
            '[{"name": "a", "partition": true}]',
            *(
                f'[{{"name": "a", "partition": true, "dependencies": [], "address": {each}}}]'
                for each in _PLACES[-3:-1]
            ),
        ),
    ),
    (
        "guest-network-get-interfaces",
        ("guestinfo g --interface", "domifaddr g --source agent"),
        (
            '[{"name": 5}]',
            '[{"name": "a:b:c"}, {"name": "a"}]',
            '[{"name": "a", "hardware-address": 5}]',
            '[{"name": "a", "ip-addresses": 5}]',
            '[{"name": "a", "ip-addresses": null}]',
            _address("5"),
            _address("{}"),
            _address('{"ip-address-type": "ipx"}'),
            _address('{"ip-address-type": "ipv4"}'),
            _address('{"ip-address-type": "ipv4", "ip-address": "x"}'),
            _address('{"ip-address-type": "ipv4", "ip-address": "x", "prefix": "5"}'),
            _address('{"ip-address-type": "ipv6", "ip-address": "x", "prefix": 500}'),
            _address('{"ip-address-type": "ipv6", "ip-address": "x", "prefix": -5}'),
        ),
    ),
    (
        "guest-get-vcpus",
        (
            *("guestvcpus g", "vcpucount g --guest", "setvcpus g 1 --guest"),
            *("setvcpus g 2 --guest", "guestvcpus g --cpulist 0 --disable"),
        ),
        (
            f"[{_CPU}]",
            f"[{_CPU}, 5]",
            '[{"logical-id": "0"}]',
            '[{"logical-id": 0}]',
            '[{"logical-id": 0, "online": 1}]',
            '[{"logical-id": 0, "online": true}]',
            '[{"logical-id": 0, "online": true, "can-offline": 5}]',
            '[{"logical-id": 0, "online": false}]',
            '[{"logical-id": -1, "online": true}]',
            f"[{_CPU}, {_CPU.replace('0', '1')}, {_CPU.replace('0', '2')}]",
            f"[{_CPU}, {_CPU.replace('0', '1').replace('true', 'false')}]",
        ),
    ),
    (
        "guest-set-vcpus",
        ("setvcpus g 1 --guest", "guestvcpus g --cpulist 1 --disable"),
        ("0", "-1", "5", "1.5"),
    ),
    (
        "guest-ssh-get-authorized-keys",
        ("get-user-sshkeys g root",),
        ('{"keys": 5}', '{"keys": [5]}', '{"keys": ["a", 5]}', '{"keys": []}', '{"keys": [""]}'),
    ),
    (
        "guest-get-time",
        ("domtime g",),
        (
            "0",
            "1.5",
            "-1",
            "18446744073709551615",
            "18446744073709551616",
            "99999999999999999999999",
        ),
    ),
    (
        "guest-fsfreeze-freeze",
        ("domfsfreeze g",),
        ("0", "-1", "2147483647", "2147483648", "1.5", "99999999999999999999999"),
    ),
]
