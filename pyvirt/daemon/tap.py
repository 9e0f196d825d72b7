"""
What C{twistd pyvirt} runs: the options, and the service made of them.

Problems that the user can repair end the program with one line on standard error and status 1, before
anything was touched.
"""

from __future__ import annotations

import gc
import os
import sys
import time
from typing import Any, NoReturn

from twisted.application.service import IService
from twisted.logger import ILogObserver, Logger
from twisted.python import usage

from pyvirt.daemon.config import ConfigError, loadConfig
from pyvirt.daemon.logstart import configuredLog
from pyvirt.daemon.paths import Paths, defaultConfigFile
from pyvirt.daemon.reactors import daemonReactor
from pyvirt.daemon.testmode import testFactories

__all__ = ["Options", "makeService"]

log = Logger()


class Options(usage.Options):
    """What can be said on the command line."""

    synopsis = "[--config FILE] [--root DIR] [--session]"
    longdesc = (
        "Manage virtual machines for any libvirt client: virsh, virt-manager, the bindings. "
        "Root serves qemu:///system at libvirt's own socket paths, any other user "
        "qemu:///session, so that clients find the daemon with no option. "
        "The configuration file has the syntax and the keys of libvirtd.conf. "
        "To stay in the foreground: twistd --nodaemon pyvirt."
    )
    optParameters = [
        [
            "config",
            "f",
            None,
            "Configuration file; default: /etc/libvirt/libvirtd.conf, or the user's own"
            " ~/.config/libvirt/libvirtd.conf, if it exists.",
        ],
        ["root", None, "/", "Folder that stands for /: every path lies beneath it."],
        [
            "pid-file",
            "p",
            None,
            "Pid file; default: /run/libvirtd.pid, or libvirtd.pid beside the sockets when"
            " unix_sock_dir moves them.",
        ],
        [
            "test-driver-for",
            None,
            None,
            "Let the test driver answer for other drivers, to test programs with a fixed URI:"
            " qemu, or several with commas between. Guests of theirs are not touched.",
        ],
        [
            "scenario",
            None,
            None,
            "A scenario file (TOML): what test:///default is, for all clients, until the daemon stops.",
        ],
        [
            "scenarios",
            None,
            None,
            "A folder whose scenario files any client may name that may change something.",
        ],
        [
            "timeout",
            "t",
            0,
            "Seconds without clients and running guests after which the daemon ends; 0: it stays.",
            int,
        ],
    ]
    optFlags = [
        ["session", None, "Serve this user's qemu:///session, also when run by root."],
        ["check", None, "Check the configuration, say what it means, and exit."],
    ]
    compData = usage.Completions(
        optActions={"config": usage.CompleteFiles(), "root": usage.CompleteDirs()}
    )

    def postOptions(self) -> None:
        self["root"] = os.path.abspath(self["root"])
        if not os.path.isdir(self["root"]):
            _end(f"--root {self['root']}: there is no such folder")
        self.session = bool(self["session"]) or os.geteuid() != 0
        given = self["config"]
        self.file = given or defaultConfigFile(self["root"], self.session, os.environ)
        try:
            self.configuration = loadConfig(self.file, required=given is not None)
            self.factories = testFactories(
                self["test-driver-for"], self["scenario"], self["scenarios"]
            )
        except ConfigError as problem:
            _end(problem)
        parent = getattr(self, "parent", None)
        try:
            self.log, self.observer = configuredLog(
                self.configuration, self["root"], parent, time.time
            )
        except ConfigError as problem:
            _end(problem)
        # The daemon claims a pid file of its own; twistd's, in the current folder, would be in the way.
        if parent is not None and parent.get("pidfile") == "twistd.pid":
            parent["pidfile"] = ""


def _complain(problem: object) -> None:
    """Tell the user, past the log, which has taken standard error over once it runs."""
    stream = sys.__stderr__ or sys.stderr
    stream.write(f"pyvirt: {problem}\n")
    stream.flush()


def _end(problem: object) -> NoReturn:
    _complain(problem)
    raise SystemExit(1)


def makeService(options: Options) -> IService:
    """Make the daemon that the options describe."""
    # What is loaded and defined stays for long.  Looking through all of it for garbage stalls every client, and while
    # it is loaded there is none.
    gc.set_threshold(20000, 20, 100)
    config, root = options.configuration, options["root"]
    reactor = daemonReactor(encrypted=bool(config.listenTLS or config.listenSSH))
    paths = Paths.of(
        config,
        root=root,
        session=options.session,
        pidFile=options["pid-file"],
        environment=os.environ,
    )
    if options["check"]:
        for remark in config.remarks:
            print(remark)
        print(f"{options.file}: the configuration is good; clients are served at {paths.socket}")
        raise SystemExit(0)

    from pyvirt.daemon.service import DaemonService, StartError
    from pyvirt.drivertable import DriverTable

    class Main(DaemonService):
        """The daemon as the program's only purpose: when it cannot start the program ends."""

        def setServiceParent(self, parent: Any) -> None:
            if options.observer is not None and hasattr(parent, "setComponent"):
                options.log.begin()
                parent.setComponent(ILogObserver, options.observer)
            super().setServiceParent(parent)

        def startService(self) -> None:
            reactor.callWhenRunning(_reloadOnHangup, self)
            try:
                super().startService()
            except StartError as problem:
                parent = getattr(options, "parent", None)
                if parent is not None and not parent.get("nodaemon"):
                    raise  # in the background: twistd passes it on to the terminal
                _end(problem)

    service: IService = Main(
        config,
        paths,
        reactor=reactor,
        drivers=DriverTable(reactor, options.factories, remote=False),
        environment=os.environ,
        privileged=not options.session,
        failed=_endLater,
        log=options.log,
        timeout=options["timeout"],
        finish=reactor.stop,
    )
    return service


def _reloadOnHangup(service: Any) -> None:
    """A hangup asks for the configuration to be read again."""
    import signal

    from twisted.internet import reactor as running

    reactor: Any = running

    def hangup(number: int, frame: Any) -> None:
        reactor.callFromThread(service.reload)

    signal.signal(signal.SIGHUP, hangup)


def _endLater(problem: BaseException) -> None:
    """Starting failed: stop the reactor as soon as it runs, and end with a status that tells."""
    import atexit

    from twisted.internet import reactor

    _complain(problem)

    def status() -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(1)

    atexit.register(status)
    # Drivers may fail before the reactor runs, which cannot be stopped then.
    reactor.callWhenRunning(reactor.stop)
