"""
Worlds for real guests: a daemon with QEMU in private mounts, network and pids, and a guest that boots in seconds.

Each world has folders of its own over all places where libvirt keeps things, so two daemons, libvirtd and ours,
run side by side and clients reach each as C{qemu:///system} with no option.
"""

from __future__ import annotations

import functools
import glob
import io
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence

from twisted.trial.unittest import SkipTest

from tests.interop.support import (
    CHECKOUT,
    Outcome,
    _clientEnvironment,
    _diesWithParent,
    _libc,
    found,
    requireLibvirtd,
    requireVirsh,
)

__all__ = ["LibvirtWorld", "PyvirtWorld", "World", "guestFiles", "requireQEMU"]

_FOLDERS = (
    "/run",
    "/var/lib/libvirt",
    "/etc/libvirt",
    "/var/cache/libvirt",
    "/var/log/libvirt",
)

_QEMU_CONF = """\
stdio_handler = "file"
security_driver = "none"
user = "root"
group = "root"
namespaces = []
"""

_INIT = """\
#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /dev /etc/acpi/PWRF /tmp
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sys /sys
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox --install -s /bin
export PATH=/bin
# Which needs which differs from kernel to kernel: what was too early finds what it needs the next time.
for turn in 1 2 3 4; do for module in MODULES; do insmod /modules/$module.ko 2>/dev/null; done; done
printf '#!/bin/sh\\npoweroff -f\\n' > /etc/acpi/PWRF/00000080
chmod +x /etc/acpi/PWRF/00000080
echo 'PWRF/00000080' > /dev/null
printf 'PNP0C0C PWRF\\n' > /dev/null
acpid -d -c /etc/acpi -l /dev/null >/dev/null 2>&1 &
stty -F /dev/ttyS0 -echo 2>/dev/null
echo "guest is up"
i=0
( while :; do i=$((i+1)); echo "tick $i"; sleep 1; done ) &
while read line; do
  case "$line" in
    poweroff) poweroff -f;;
    reboot) reboot -f;;
    crash) echo c > /proc/sysrq-trigger;;
    *) eval "$line" ; echo "done $?";;
  esac
done < /dev/ttyS0
while :; do sleep 60; done
"""

_MODULES = [
    "button",
    "evdev",
    "virtio",
    "virtio_ring",
    "virtio_pci_legacy_dev",
    "virtio_pci_modern_dev",
    "virtio_pci",
    "virtio_blk",
    "virtio_console",
    "virtio_balloon",
    "rng-core",
    "virtio-rng",
    "failover",
    "net_failover",
    "virtio_net",
    "pvpanic",
    "pvpanic-mmio",
    "pvpanic-pci",
]


def _newc(entries: Sequence[tuple[str, int, bytes]]) -> bytes:
    """Write an archive as the kernel unpacks it: name, mode and content of each file."""
    out = io.BytesIO()
    for number, (name, mode, data) in enumerate([*entries, ("TRAILER!!!", 0, b"")], 1):
        raw = name.encode() + b"\0"
        fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(raw), 0)
        out.write(b"070701" + b"".join(b"%08X" % each for each in fields))
        out.write(raw)
        out.write(b"\0" * (-out.tell() % 4))
        out.write(data)
        out.write(b"\0" * (-out.tell() % 4))
    return out.getvalue()


@functools.cache
def guestFiles() -> tuple[str, str]:
    """
    Return a kernel and an initrd made for it, whose console is C{ttyS0}.

    The guest prints C{guest is up}, then counts seconds; it does lines that it reads, and powers off when its
    button is pressed.
    """
    kernels = sorted(glob.glob("/boot/vmlinuz-*-cloud-amd64"))
    readable = [each for each in kernels if os.access(each, os.R_OK)]
    if not readable:
        raise SkipTest("no kernel for guests is installed (linux-image-cloud-amd64)")
    busybox = found("busybox")
    if busybox is None:
        raise SkipTest("busybox is not installed (busybox-static)")
    kernel = readable[-1]
    release = os.path.basename(kernel).removeprefix("vmlinuz-")
    entries: list[tuple[str, int, bytes]] = [
        (each, 0o040755, b"") for each in ("bin", "modules", "dev")
    ]
    with open(busybox, "rb") as file:
        entries.append(("bin/busybox", 0o100755, file.read()))
    present = []
    for module in _MODULES:
        for path in glob.glob(f"/lib/modules/{release}/kernel/**/{module}.ko", recursive=True):
            with open(path, "rb") as file:
                entries.append((f"modules/{module}.ko", 0o100644, file.read()))
            present.append(module)
            break
    entries.append(("init", 0o100755, _INIT.replace("MODULES", " ".join(present)).encode()))
    folder = tempfile.mkdtemp(prefix="pv-guest-", dir="/tmp")
    import atexit

    atexit.register(shutil.rmtree, folder, True)
    initrd = os.path.join(folder, "initrd")
    with open(initrd, "wb") as file:
        file.write(_newc(entries))
    os.chmod(folder, 0o755)
    return kernel, initrd


def requireQEMU() -> str:
    """Return the path of QEMU, or skip."""
    if os.geteuid() != 0:
        raise SkipTest("worlds of their own are made by root")
    path = found("qemu-system-x86_64")
    if path is None:
        raise SkipTest("QEMU is not installed (qemu-system-x86)")
    return path


def _killedWithParent() -> None:
    """In a child: be killed when the test process ends; what makes a world does not heed being asked."""
    _libc().prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG


class World:
    """
    A daemon in a world of its own.

    @ivar folder: a short path, the same inside and outside, for images and the like.
    """

    label = ""
    daemonPid = 0
    #: Whether groups of processes are those of version 2 alone, all of them: only there daemons find controllers.
    unified = False

    def __init__(self, qemuConf: str = _QEMU_CONF) -> None:
        requireQEMU()
        requireVirsh()
        unshare = found("unshare")
        if unshare is None:
            raise SkipTest("unshare is not installed (util-linux)")
        self.folder = tempfile.mkdtemp(prefix="pv-world-", dir="/tmp")
        os.chmod(self.folder, 0o755)
        commands = ["set -e"]
        for place in _FOLDERS:
            inside = self.folder + place
            os.makedirs(inside)
            commands += [f"mkdir -p {place}", f"mount --bind {inside} {place}"]
        os.makedirs(self.folder + "/var/lib/libvirt/images", exist_ok=True)
        with open(self.folder + "/etc/libvirt/qemu.conf", "w") as file:
            file.write(qemuConf)
        with open(self.folder + "/etc/libvirt/libvirtd.conf", "w") as file:
            file.write('auth_unix_rw = "none"\nauth_unix_ro = "none"\nlisten_tls = 0\n')
        with open(self.folder + "/nothing", "w"):
            pass
        commands += self._accounts()
        commands += [
            f"if [ -e /dev/kvm ]; then mount --bind -o ro {self.folder}/nothing /dev/kvm; fi",
            # A new network namespace wants a sysfs of its own, which hides the cgroups below the old one.
            f"mkdir {self.folder}/cgroup && mount --rbind /sys/fs/cgroup {self.folder}/cgroup",
            *self._groups(),
            "mount -t sysfs sysfs /sys",
            f"mount --rbind {self.folder}/cgroup /sys/fs/cgroup",
            "ip link set lo up",
            f"touch {self.folder}/ready",
            "while :; do sleep 3600 & wait $!; done",
        ]
        _libc()
        with open(self.folder + "/setup", "wb") as setup:
            self._init = subprocess.Popen(
                [
                    *(unshare, "-m", "-n", "-p", "-f", "--kill-child", "--mount-proc"),
                    *("--propagation", "private", "/bin/sh", "-c", "\n".join(commands)),
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=setup,
                preexec_fn=_killedWithParent,
            )
        self.daemon: subprocess.Popen[bytes] | None = None
        try:
            self._wait(lambda: os.path.exists(self.folder + "/ready"), "the world")
            with open(f"/proc/{self._init.pid}/task/{self._init.pid}/children") as file:
                self.pid = int(file.read().split()[0])
            self.startDaemon()
        except BaseException:
            self.stop()
            raise

    def _accounts(self) -> list[str]:
        """
        Return what makes the user of libvirtd's QEMU driver known where it is not, for the driver looks for it first.

        Debian has it from libvirt-daemon-system, which is not needed for anything else.
        """
        commands = []
        for path, line in (
            ("/etc/passwd", "libvirt-qemu:x:64055:107::/var/lib/libvirt:/usr/sbin/nologin\n"),
            ("/etc/group", "libvirt-qemu:x:64055:libvirt-qemu\n"),
        ):
            with open(path) as file:
                text = file.read()
            if "\nlibvirt-qemu:" not in text:
                with open(self.folder + path, "w") as file:
                    file.write(text + line)
                commands.append(f"mount --bind {self.folder}{path} {path}")
        return commands

    def _groups(self) -> list[str]:
        """
        Make groups of this world's own in each hierarchy, and return what mounts them over the real ones.

        Daemons of two worlds have guests of one name and number, and would share their groups.
        """
        commands: list[str] = []
        self._groupFolders: list[str] = []
        if self.unified:
            return self._onlyUnified()
        name = os.path.basename(self.folder)
        with open("/proc/self/mounts") as file:
            rows = [line.split() for line in file]
        for row in rows:
            if row[2] not in ("cgroup", "cgroup2") or not row[1].startswith("/sys/fs/cgroup"):
                continue
            place = os.path.join(row[1], name)
            try:
                os.mkdir(place)
            except OSError:
                continue
            self._groupFolders.append(place)
            for file in ("cpuset.cpus", "cpuset.mems"):
                try:
                    with open(os.path.join(row[1], file)) as source:
                        value = source.read()
                    with open(os.path.join(place, file), "w") as target:
                        target.write(value)
                except OSError:
                    pass
            inside = self.folder + "/cgroup" + row[1].removeprefix("/sys/fs/cgroup")
            commands.append(f"mount --bind {place} {inside}")
        return commands

    def _onlyUnified(self) -> list[str]:
        """Return what leaves nothing mounted but version 2; guests of all such worlds share one group."""
        with open("/proc/self/mounts") as file:
            rows = [line.split() for line in file]
        places = [row[1] for row in rows if row[2] == "cgroup2"]
        if not places or not os.access(places[-1], os.W_OK):
            raise SkipTest("there is no hierarchy of version 2 that can be written")
        self.groups = places[-1]
        inside = self.folder + "/cgroup"
        return [
            f"umount -R {inside}",
            f"mount --bind {places[-1]} {inside}",
            "umount -R /sys/fs/cgroup",
        ]

    def _removeGroups(self) -> None:
        for place in self._groupFolders:
            for folder, _, _ in os.walk(place, topdown=False):
                end = time.monotonic() + 20
                while os.path.isdir(folder):
                    try:
                        os.rmdir(folder)
                    except OSError:
                        if time.monotonic() > end:
                            break
                        time.sleep(0.01)

    def _wait(self, ready: object, what: str, deadline: float = 180.0) -> None:
        end = time.monotonic() + deadline
        while not ready():  # type: ignore[operator]
            if time.monotonic() > end or self._init.poll() is not None:
                raise AssertionError(f"{what} does not come up: {self.log()}")
            time.sleep(0.01)

    def inside(self, command: Sequence[str]) -> list[str]:
        """Return the command line that runs a command in this world."""
        return [found("nsenter") or "nsenter", "-t", str(self.pid), "-m", "-n", "-p", *command]

    def command(self) -> list[str]:
        """The daemon's command line."""
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        """What its environment has besides ours."""
        return {}

    def startDaemon(self, settled: bool = True) -> None:
        """
        Start the daemon, and return once it answers.

        @param settled: and once it has found its guests again; False: return at once.
        """
        with open(self.folder + "/output", "ab") as output:
            self.daemon = subprocess.Popen(
                self.inside(self.command()),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env={**os.environ, **self.environment()},
                preexec_fn=_diesWithParent,
            )
        if not settled:
            return
        self._wait(lambda: self.virsh("version").status == 0, self.label)
        # Guests are found again one by one, after the daemon answers; questions to the guest itself wait for that.
        for name in self.virsh("list", "--name").stdout.split():
            self.virsh("dommemstat", name)

    def stopDaemon(self, how: int = signal.SIGTERM) -> None:
        """End the daemon and nothing else."""
        assert self.daemon is not None
        # What we started is nsenter, whose child the daemon is.
        with open(f"/proc/{self.daemon.pid}/task/{self.daemon.pid}/children") as file:
            for child in file.read().split():
                os.kill(int(child), how)
        self.daemon.wait(30)

    def reload(self) -> None:
        """Have the daemon read again what is on disk, and return once it has."""
        assert self.daemon is not None
        # Domains are what it reads last.
        self._reloads = getattr(self, "_reloads", 0) + 1
        name = f"reload{self._reloads}"
        path = f"etc/libvirt/qemu/{name}.xml"
        self.write(
            path,
            f"<domain type='qemu'><name>{name}</name>"
            f"<uuid>99999999-9999-4999-8998-{self._reloads:012}</uuid><memory>8192</memory>"
            "<os><type arch='x86_64' machine='pc'>hvm</type></os></domain>",
        )
        with open(f"/proc/{self.daemon.pid}/task/{self.daemon.pid}/children") as file:
            for child in file.read().split():
                os.kill(int(child), signal.SIGHUP)
        self._wait(lambda: self.virsh("domuuid", name).status == 0, "what was written down")

    def run(self, command: Sequence[str], input: str = "", deadline: float = 300.0) -> Outcome:
        """Run a program in this world to its end."""
        try:
            done = subprocess.run(
                self.inside(command),
                input=input.encode(),
                capture_output=True,
                env=_clientEnvironment(),
                cwd=self.folder,
                timeout=deadline,
            )
        except subprocess.TimeoutExpired as late:
            raise AssertionError(f"{self.label}: {late}; {self.log()}") from None
        return Outcome(
            done.stdout.decode(errors="replace"),
            done.stderr.decode(errors="replace"),
            done.returncode,
        )

    def virsh(self, *arguments: str, input: str = "", deadline: float = 300.0) -> Outcome:
        """Run virsh in this world, with no option but the URI."""
        return self.run([requireVirsh(), "-c", "qemu:///system", *arguments], input, deadline)

    def write(self, name: str, text: str) -> str:
        """Write a file in the world's folder, and return its path."""
        path = os.path.join(self.folder, name)
        with open(path, "w") as file:
            file.write(text)
        return path

    def log(self) -> str:
        """What the daemon has printed."""
        out = []
        for name in ("setup", "output"):
            with open(os.path.join(self.folder, name), "a+", errors="replace") as file:
                file.seek(0)
                out.append(file.read()[-6000:])
        return "".join(out)

    def stop(self) -> None:
        """End everything in this world, and remove its folder."""
        if self._init.poll() is None:
            self._init.kill()
        self._init.wait()
        if self.daemon is not None:
            try:
                self.daemon.wait(30)
            except subprocess.TimeoutExpired:
                self.daemon.kill()
                self.daemon.wait()
        self._removeGroups()
        shutil.rmtree(self.folder, ignore_errors=True)


class LibvirtWorld(World):
    """libvirtd with its QEMU driver."""

    label = "libvirtd"

    def command(self) -> list[str]:
        if not glob.glob("/usr/lib/*/libvirt/connection-driver/libvirt_driver_qemu.so"):
            raise SkipTest("libvirtd has no QEMU driver (libvirt-daemon-driver-qemu)")
        # Its usual place is outside of the world.
        return [requireLibvirtd(), "--pid-file", os.path.join(self.folder, "libvirtd.pid")]


class PyvirtWorld(World):
    """Our daemon, run by twistd as an operator would."""

    label = "pyvirt"

    def command(self) -> list[str]:
        return [
            sys.executable,
            *("-c", "from twisted.scripts.twistd import run; run()"),
            *("--nodaemon", "--pidfile=", "pyvirt"),
            *("--pid-file", os.path.join(self.folder, "libvirtd.pid")),
        ]

    def environment(self) -> dict[str, str]:
        path = os.environ.get("PYTHONPATH")
        return {
            "PYTHONPATH": CHECKOUT + (os.pathsep + path if path else ""),
            "PYVIRT_WITHOUT_DRIVERS": "",
        }
