"""
A daemon that offers what the URI says, does nothing, and notes what it was asked: for clients' ways around what is missing.

    python -m tests.interop.lesserdaemon SOCKET

C{test:///NAME-FEATURES-WORDS} opens the test driver's host.  FEATURES are numbers with dots between, of those in
L{CHOSEN}; WORDS name a procedure that fails, or are C{nouri}: the destination says no address.  What C{NAME} was asked
is written to C{SOCKET.log}, a line each, before it is answered.
"""

from __future__ import annotations

import sys
from typing import Any

from twisted.internet import reactor
from twisted.internet.protocol import Factory

from pyvirt.daemon.calls import OWN
from pyvirt.daemon.server import Server, SessionFactory
from pyvirt.drivers.interfaces.values import DomainRef
from pyvirt.drivers.test import TestDriver
from pyvirt.drivertable import DriverTable
from pyvirt.errors import ErrorCode, ErrorDomain, virtError
from pyvirt.protocols.programs import REMOTE

#: Features that a URI chooses; the others are as ever.
CHOSEN = {1, 3, 4, 5, 6, 7, 11, 12, 13, 14}

_MOVED = DomainRef("moved", bytes(range(16)), 7)
_ANSWERS: dict[str, Any] = {
    "domainMigratePrepare": (b"1", "tcp:one"),
    "domainMigratePerform": None,
    "domainMigrateFinish": _MOVED,
    "domainMigratePrepare2": (b"2", "tcp:two"),
    "domainMigrateFinish2": _MOVED,
    "domainMigrateBegin3": (b"b3", "<domain type='test'/>"),
    "domainMigratePrepare3": (b"p3", "tcp:three"),
    "domainMigratePerform3": b"f3",
    "domainMigrateFinish3": (_MOVED, b"F3"),
    "domainMigrateConfirm3": None,
    "domainMigrateBegin3Params": (b"bp", "<domain type='test'/>"),
    "domainMigratePrepare3Params": (b"pp", "tcp:four"),
    "domainMigratePerform3Params": b"fp",
    "domainMigrateFinish3Params": (_MOVED, b"Fp"),
    "domainMigrateConfirm3Params": None,
}
_WATCHED = (
    "connectDomainEventRegister",
    "connectDomainEventDeregister",
    "connectDomainEventRegisterAny",
    "connectDomainEventDeregisterAny",
    "connectDomainEventCallbackRegisterAny",
    "connectDomainEventCallbackDeregisterAny",
)


class Lesser:
    """What sessions are and do."""

    def __init__(self, path: str) -> None:
        self.log = open(path, "a", buffering=1)  # noqa: SIM115
        self.server = Server(reactor, DriverTable(reactor, [TestDriver()], remote=False))
        self.server.trusting = True
        self._chosen: dict[Any, tuple[str, set[int], str]] = {}
        own = dict(OWN)
        for name in ("connectOpen", "connectSupportsFeature", "connectGetURI"):
            own[REMOTE.byName[name]] = getattr(self, name)
        for name in _ANSWERS:
            own[REMOTE.byName[name]] = self.answering(name)
        for name in _WATCHED:
            own[REMOTE.byName[name]] = self.watching(name)
        self.server.own = own

    def connectOpen(self, session: Any, arguments: Any) -> Any:
        name, features, words = arguments[0].rpartition("/")[2].split("-")
        self._chosen[session] = (name, {int(each) for each in features.split(".") if each}, words)
        return OWN[REMOTE.byName["connectOpen"]](session, ("test:///default", arguments[1]))

    def connectGetURI(self, session: Any, arguments: Any) -> str:
        return f"test:///{self._chosen[session][0]}"

    def connectSupportsFeature(self, session: Any, arguments: Any) -> Any:
        if arguments[0] in CHOSEN:
            return arguments[0] in self._chosen[session][1]
        return OWN[REMOTE.byName["connectSupportsFeature"]](session, arguments)

    def note(self, session: Any, name: str, arguments: Any) -> None:
        said = [tuple(each) if isinstance(each, DomainRef) else each for each in arguments]
        self.log.write(f"{self._chosen[session][0]} {name} {said!r}\n")

    def answering(self, name: str) -> Any:
        def answer(session: Any, arguments: Any) -> Any:
            self.note(session, name, arguments)
            words = self._chosen[session][2]
            if words == name:
                raise virtError(ErrorCode.OPERATION_FAILED, f"no {name}", ErrorDomain.TEST)
            if words == "nouri" and "Prepare" in name:
                return _ANSWERS[name][0], None
            if "Finish3" in name and arguments[-1]:
                code = ErrorCode.MIGRATE_FINISH_OK if words == "finished" else ErrorCode.NO_DOMAIN
                raise virtError(code, f"{name} was cancelled", ErrorDomain.TEST)
            if name == "domainMigrateFinish2" and arguments[-1]:
                raise virtError(ErrorCode.NO_DOMAIN, f"{name} was cancelled", ErrorDomain.TEST)
            if "Perform3" in name and not arguments[-2 if "Params" in name else 2]:
                return b""  # it is the source's own
            return _ANSWERS[name]

        return answer

    def watching(self, name: str) -> Any:
        def answer(session: Any, arguments: Any) -> Any:
            self.note(session, name, arguments)
            return OWN[REMOTE.byName[name]](session, arguments)

        return answer


def main(path: str) -> None:
    """Serve until the end of standard input."""
    lesser = Lesser(f"{path}.log")
    sessions = SessionFactory(lesser.server, auth="none", readOnly=False)
    factory: Any = Factory()
    factory.buildProtocol = lambda address: sessions.buildProtocol(None)
    some: Any = reactor
    some.listenUNIX(path, factory)
    some.callWhenRunning(print, "ready", flush=True)
    some.callInThread(lambda: (sys.stdin.read(), some.callFromThread(some.stop)))
    some.run()


if __name__ == "__main__":
    main(sys.argv[1])
