"""
Access control: policies, the questions that rules ask, and that nothing is done or told before they are answered.
"""

from __future__ import annotations

import io
import os
from typing import Any
from uuid import UUID

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pyvirt import constants as c
from pyvirt.daemon.access import guard as guarding
from pyvirt.daemon.access.command import main
from pyvirt.daemon.access.guard import PolicyError
from pyvirt.daemon.access.objects import PERMISSIONS, Target
from pyvirt.daemon.access.owners import Owners
from pyvirt.daemon.access.policies import FilePolicy
from pyvirt.daemon.access.policy import Policy, readPolicy, subjectsOf
from pyvirt.daemon.access.polkit import Polkit, PolkitPolicy
from pyvirt.daemon.identity import Identity
from pyvirt.drivers.interfaces.events import Event, EventKind
from pyvirt.drivers.interfaces.values import (
    NetworkRef,
    NodeDeviceRef,
    StoragePoolRef,
)
from pyvirt.errors import VirtError
from pyvirt.protocols.procedures import Kind
from pyvirt.protocols.programs.remote import PROGRAM as REMOTE
from pyvirt.testing.memory import memoryConnection
from tests.daemonfixture import DOMAIN, OTHER, World, error

DENIED = error(
    88, 55, "access denied: 'FIXTURE' denied access", "access denied: %s", "'FIXTURE' denied access"
)

POLICY = """
[roles.viewer]
allow = ["*:getattr", "*:read", "connect:search_*"]
[roles.operator]
include = ["viewer"]
allow = ["domain:start", "domain:stop", "domain:suspend"]
[roles.author]
include = ["operator"]
allow = ["domain:*", "connect:write"]
deny = ["domain:read_secure"]
[[grants]]
to = ["user:alice", "group:web"]
roles = ["operator"]
objects = { domain = ["web-*", "test"] }
[[grants]]
to = ["sasl:bob"]
roles = ["author"]
owned = true
[[grants]]
to = ["certificate:CN=all"]
roles = ["author"]
"""


def nobody(target: Target) -> None:
    """No object has an owner."""


class PolicyTests(SynchronousTestCase):
    """The policy file."""

    def decide(self, subjects: set[str], wanted: str, name: str | None, owner: Any = nobody) -> str:
        policy = readPolicy(POLICY, "f")
        kind, permission = wanted.split(":")
        target = Target(kind=kind, driver="QEMU", name=name)
        decision = policy.decide(subjects, permission, target, owner)
        return f"{decision.allowed}: {decision.reason}"

    def test_decisions(self) -> None:
        """A permission needs a role that has it, given to the caller, for the object; the reason is told."""
        alice, bob, cert = {"user:alice"}, {"sasl:bob"}, {"certificate:CN=all"}
        start = "grant 1 to user:alice: role 'operator' allows 'domain:start'"
        for subjects, wanted, name, expected in (
            (alice, "domain:start", "web-1", f"True: {start}"),
            (
                alice,
                "domain:read",
                "web-1",
                "True: grant 1 to user:alice: role 'operator', which includes 'viewer', allows '*:read'",
            ),
            (
                alice,
                "domain:start",
                "db",
                "False: none of their 1 grants allows domain:start on this object",
            ),
            (
                alice,
                "domain:start",
                None,
                "False: none of their 1 grants allows domain:start on this object",
            ),
            (
                alice,
                "network:read",
                "default",
                "False: none of their 1 grants allows network:read on this object",
            ),
            (
                alice,
                "connect:read",
                None,
                "True: grant 1 to user:alice: role 'operator', which includes 'viewer', allows '*:read'",
            ),
            (
                alice,
                "domain:delete",
                "web-1",
                "False: none of their 1 grants allows domain:delete on this object",
            ),
            ({"user:eve", "anyone"}, "domain:read", "web-1", "False: no grant names them"),
            ({"user:root"}, "domain:delete", "db", "True: root may do everything"),
            (
                bob,
                "domain:start",
                "x",
                "False: none of their 1 grants allows domain:start on this object",
            ),
            (
                cert,
                "domain:delete",
                None,
                "True: grant 3 to certificate:CN=all: role 'author' allows 'domain:*'",
            ),
            (
                cert,
                "domain:read_secure",
                "x",
                "False: grant 3 to certificate:CN=all: role 'author' denies 'domain:read_secure'",
            ),
        ):
            self.assertEqual(self.decide(subjects, wanted, name), expected)
        mine = self.decide(bob, "domain:start", "x", lambda target: "sasl:bob")
        self.assertTrue(mine.startswith("True: grant 2 to sasl:bob"), mine)

    def test_mistakes(self) -> None:
        """What cannot be meant is refused, with its place."""
        for text, problem in (
            ("x = 1", "the top: unknown key 'x'"),
            ("root = 1", "root: it must be true or false"),
            ("roles = 3", "roles: each role must be a table"),
            ("[roles.a]\nalow=[]", "role 'a': unknown key 'alow'"),
            ("[roles.a]\nallow=['domain:fly']", "role 'a': 'domain:fly' is no permission"),
            ("[roles.a]\nallow='*:read'", "role 'a': 'allow' must be a list of strings"),
            ("[roles.a]\ninclude=['b']", "role 'a': it includes 'b', which is no role"),
            ("[roles.a]\ninclude=['a']", "role 'a': it includes itself"),
            ("[[grants]]\nroles=[]", "grant 1: it must say to whom"),
            ("[[grants]]\nto=['joe']", "grant 1: 'joe' is nobody"),
            ("[[grants]]\nto=['user:joe']\nroles=['x']", "grant 1: there is no role 'x'"),
            ("[[grants]]\nto=['anyone']\nobjects={guest=['*']}", "unknown key 'guest'"),
            ("[[grants]]\nto=['anyone']\nowned=1", "'owned' must be true or false"),
            ("[[", "f: "),
            ("a = " + "[" * 100000, "f: "),
        ):
            with self.assertRaises(PolicyError, msg=text) as caught:
                readPolicy(text, "f")
            self.assertIn(problem, str(caught.exception))

    def test_empty(self) -> None:
        """Nothing said, nothing allowed."""
        policy = readPolicy("root = false", "f")
        for kind, names in PERMISSIONS.items():
            for name in names:
                target = Target(kind=kind, driver="Test", name="x")
                self.assertFalse(
                    policy.decide({"user:root", "anyone"}, name, target, nobody).allowed
                )

    def test_subjects(self) -> None:
        """Somebody is known by all that the doors say, and a claim does not make members of groups."""
        identity = Identity(userID=0, groupID=0, saslName="bob", x509Name="CN=x", sshKey="k")
        found = subjectsOf(identity, lambda user: ["wheel"])
        self.assertEqual(
            found,
            {
                *("anyone", "user:root", "user:0", "group:wheel", "group:root"),
                *("sasl:bob", "certificate:CN=x", "key:k"),
            },
        )
        claimed = Identity(userName="joe", userID=77, claimed=True)
        self.assertEqual(subjectsOf(claimed), {"anyone", "user:joe", "user:77"})
        self.assertEqual(subjectsOf(Identity()), {"anyone"})

    def test_command(self) -> None:
        """The command answers who may do what, and why."""
        path = self.mktemp()
        with open(path, "w") as file:
            file.write(POLICY)

        def run(*arguments: str) -> tuple[int, str]:
            output = io.StringIO()
            status = main(["--policy", path, *arguments], output)
            return status, output.getvalue()

        self.assertEqual(run("check")[0], 0)
        status, text = run("why", "--as", "user:alice", "domain:start", "web-1")
        self.assertEqual((status, text.split(":")[0]), (0, "allowed"))
        status, text = run("why", "--as", "user:alice", "domain:start", "db")
        self.assertEqual((status, text.split(":")[0]), (1, "denied"))
        status, text = run("why", "--as", "sasl:bob", "--owner", "sasl:bob", "domain:start", "db")
        self.assertEqual(status, 0)
        status, text = run("who", "domain:start", "web-1")
        self.assertEqual(
            [line.split(": ")[0] for line in text.splitlines()],
            ["user:root", "user:alice", "group:web", "certificate:CN=all"],
        )
        status, text = run("list", "--as", "user:alice", "--kind", "domain", "web-9")
        self.assertIn("domain:start: grant 1", text)
        self.assertNotIn("domain:delete", text)
        self.assertEqual(run("why", "--as", "alice", "domain:start")[0], 2)
        self.assertEqual(run("why", "--as", "user:alice", "domain:fly")[0], 2)


class Recorder:
    """
    A policy that allows what its function allows, and remembers what was asked.

    @ivar later: answers wait here, if it is a list.
    """

    def __init__(self, allow: Any) -> None:
        self.allow = allow
        self.asked: list[str] = []
        self.later: list[Any] | None = None
        self.makers: list[str] = []

    def allows(self, identity: Identity, permission: str, target: Target) -> Any:
        question = f"{target.kind}:{permission}:{target.name}"
        self.asked.append(question)
        answer = bool(self.allow(question))
        if self.later is None:
            return answer
        waiting: Deferred[bool] = Deferred()
        self.later.append(lambda: waiting.callback(answer))
        return waiting

    def made(self, identity: Identity, target: Target) -> None:
        self.makers.append(f"{target.kind}:{target.name}")

    def removed(self, target: Target) -> None:
        self.makers.append(f"-{target.kind}:{target.name}")


class RuleTests(SynchronousTestCase):
    """From a procedure and its arguments to questions."""

    def questions(self, name: str, *arguments: Any) -> list[str]:
        memory = memoryConnection()
        policy = Recorder(lambda question: True)
        memory.daemon.server.access = policy
        conn = memory.connect()
        policy.asked.clear()
        self.assertTrue(conn)
        (session,) = memory.daemon.server.sessions
        guard = session.guard
        assert guard is not None
        try:
            guard.run(REMOTE.byName[name], arguments, lambda: None)
        except VirtError:
            pass
        return policy.asked

    def test_flags(self) -> None:
        """Flags and arguments decide which rules hold."""
        dom = DOMAIN._replace(name="lie", uuid=UUID("6695eb01-f6a4-8304-79aa-97f2502e193f").bytes)
        read = ["domain:read:test"]
        secure = ["domain:read:test", "domain:read_secure:test"]
        for flags, expected in (
            (0, read),
            (1, secure),
            (8, secure),
            (2, read),
            (0xFFFFFFFF, secure),
        ):
            self.assertEqual(
                self.questions("domainGetXMLDesc", dom, flags)[: len(expected)], expected
            )
        self.assertEqual(self.questions("domainGetXMLDesc", dom, 2), read)
        write, save = "domain:write:test", "domain:save:test"
        for flags, expected in (
            (0, [write, save]),
            (c.VIR_DOMAIN_AFFECT_LIVE, [write]),
            (c.VIR_DOMAIN_AFFECT_CONFIG, [write, save]),
            (3, [write, save]),
        ):
            found = self.questions("domainAttachDeviceFlags", dom, "<disk/>", flags)
            self.assertEqual(sorted(set(found)), sorted(expected), flags)
        for source, expected in (
            (c.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_LEASE, read),
            (c.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT, [*read, write]),
        ):
            self.assertEqual(self.questions("domainInterfaceAddresses", dom, source, 0), expected)

    def test_names(self) -> None:
        """An object that is to be made is asked for by the name in its definition; a lie about a name helps nobody."""
        xml = "<domain type='test'><name>fresh</name><memory>1</memory></domain>"
        self.assertEqual(
            self.questions("domainDefineXML", xml), ["domain:write:fresh", "domain:save:fresh"]
        )
        self.assertEqual(
            self.questions("domainDefineXML", "<broken"), ["domain:write:None", "domain:save:None"]
        )
        self.assertEqual(
            self.questions("domainRestore", "/file"), ["domain:start:None", "domain:write:None"]
        )
        self.assertEqual(
            self.questions("nodeDeviceDettach", "computer"), ["node_device:detach:computer"]
        )
        self.assertEqual(self.questions("domainDestroy", OTHER), [])

    def test_everyProcedureIsAsked(self) -> None:
        """No call but those of the session itself goes by without a question or a filter."""
        silent = {
            each.name
            for each in REMOTE
            if each.kind is Kind.CALL and not guarding.rulesOf(each) and not each.filters
        }
        self.assertEqual(
            silent,
            {
                *("authList", "authSASLInit", "authSASLStart", "authSASLStep", "authPolkit"),
                *("connectClose", "connectIsSecure"),
            },
        )


class SessionTests(SynchronousTestCase):
    """Sessions with a policy."""

    def world(self, allow: Any) -> tuple[World, Recorder]:
        world = World()
        policy = Recorder(allow)
        world.server.access = policy
        return world, policy

    def test_opening(self) -> None:
        """Who may not even look at the connection has none."""
        world, _ = self.world(lambda question: False)
        peer = world.peer()
        self.assertEqual(peer.error("connectOpen", "fixture:///default", 0), DENIED)
        self.assertEqual(world.driver.connections, [])
        self.assertEqual(
            peer.error("nodeGetInfo")["message"], "internal error: hypervisor connection not open"
        )
        self.assertEqual(world.server.counters.denied, 1)

    def test_nothingIsDone(self) -> None:
        """A call that is not allowed does not reach the driver, now or later."""
        world, policy = self.world(lambda question: not question.startswith("domain:suspend"))
        peer = world.peer().open()
        policy.later = []
        peer.send(peer.packet("nodeGetInfo"))
        self.assertEqual(peer.received(), [])
        policy.later.pop()()
        self.assertEqual(peer.received()[0].result.cpus, 16)
        policy.allow = lambda question: False
        peer.send(peer.packet("connectGetHostname"))
        policy.later.pop()()
        self.assertEqual(peer.received()[0].error, DENIED)
        peer.send(peer.packet("connectGetHostname"))
        peer.lose()
        policy.later.pop()()
        self.assertEqual(world.server.workers.busy, 0)

    def test_events(self) -> None:
        """Who may not see an object hears nothing of it, whatever was registered; order is kept."""
        world, policy = self.world(lambda question: question != "domain:getattr:other")
        peer = world.peer().open()
        self.assertEqual(peer.call("connectDomainEventCallbackRegisterAny", 0, None), 0)

        def emit(*refs: Any) -> None:
            for detail, ref in enumerate(refs):
                world.driver.emit(Event(EventKind.DOMAIN, 0, ref, (1, detail)))

        emit(OTHER, DOMAIN)
        world.clock.advance(0)
        self.assertEqual([each.body[1].dom.name for each in peer.received()], ["test"])
        policy.later = []
        emit(DOMAIN, OTHER, DOMAIN)
        for answer in reversed(policy.later):
            world.clock.advance(0)
            self.assertEqual(peer.received(), [])
            answer()
        world.clock.advance(0)
        self.assertEqual([each.body[1].detail for each in peer.received()], [0, 2])
        policy.later.clear()
        emit(DOMAIN)
        peer.lose()
        policy.later.pop()()
        self.assertEqual(world.driver.listeners, [])

    def test_everyEvent(self) -> None:
        """Events of every kind of object, asked for by its reference or not, are for those who may see it."""
        network, pool = NetworkRef("n", bytes(16)), StoragePoolRef("p", bytes(16))
        device = NodeDeviceRef("d")
        for name, kind, byObject, ref, details in (
            ("DomainEventCallbackRegisterAny", EventKind.DOMAIN, True, OTHER, (1, 0)),
            ("DomainEventRegisterAny", EventKind.DOMAIN, False, OTHER, (1, 0)),
            ("NetworkEventRegisterAny", EventKind.NETWORK, True, network, (2, 0)),
            ("StoragePoolEventRegisterAny", EventKind.STORAGE_POOL, True, pool, (2, 0)),
            ("NodeDeviceEventRegisterAny", EventKind.NODE_DEVICE, True, device, (0, 0)),
        ):
            for arguments in ((0, None), (0, ref)) if byObject else ((0,),):
                seeing = [False]
                world, _ = self.world(
                    lambda question, s=seeing: (
                        s[0] or ":getattr:" not in question or question.startswith("connect")
                    )
                )
                peer = world.peer().open()
                peer.call(f"connect{name}", *arguments)
                event = Event(kind, 0, ref, details)
                world.driver.emit(event)
                world.clock.advance(0)
                self.assertEqual(peer.received(), [], name)
                seeing[0] = True
                world.driver.emit(event)
                world.clock.advance(0)
                self.assertEqual(len(peer.received()), 1, name)

    def test_lists(self) -> None:
        """Lists and numbers hold what the caller may see, at once or after questions."""
        memory = memoryConnection()
        policy = Recorder(lambda question: question != "network:getattr:default")
        memory.daemon.server.access = policy
        conn = memory.connect()
        self.assertEqual(memory.result(conn.numOfNetworks()), 0)
        self.assertEqual(memory.result(conn.listAllNetworks()), [])
        self.assertEqual(memory.result(conn.numOfDomains()), 1)
        with self.assertRaises(VirtError) as caught:
            memory.result(conn.networkLookupByName("default"))
        self.assertEqual(caught.exception.code, 88)
        policy.later = []
        waiting = conn.listAllNetworks()
        memory.pump()
        policy.later.pop()()  # connect:search_networks
        memory.pump()
        policy.later.pop()()  # network:getattr
        self.assertEqual(memory.result(waiting), [])

    def test_owners(self) -> None:
        """Who makes an object owns it until it is no more, after a restart too."""
        path = os.path.join(self.mktemp(), "owners.json")
        file = self.mktemp()
        with open(file, "w") as out:
            out.write(POLICY)
        policy = FilePolicy(file, Owners(path))
        bob = Identity(saslName="bob")
        mine = Target(kind="domain", driver="Test", name="x", uuid="u")
        self.assertFalse(policy.allows(bob, "start", mine))
        policy.made(bob, mine)
        policy.made(Identity(saslName="eve"), mine)
        again = FilePolicy(file, Owners(path))
        self.assertTrue(again.allows(bob, "start", mine))
        self.assertFalse(again.allows(Identity(saslName="eve"), "start", mine))
        again.removed(mine)
        self.assertFalse(FilePolicy(file, Owners(path)).allows(bob, "start", mine))
        with open(path, "w") as out:
            out.write("{broken")
        self.assertFalse(FilePolicy(file, Owners(path)).allows(bob, "start", mine))
        self.flushLoggedErrors()

    def test_reload(self) -> None:
        """A policy that cannot be read does not replace one that can."""
        file = self.mktemp()
        with open(file, "w") as out:
            out.write(POLICY)
        policy = FilePolicy(file, Owners(None))
        with open(file, "w") as out:
            out.write("[[")
        self.assertRaises(PolicyError, policy.reload)
        self.assertIsInstance(policy.policy, Policy)
        self.assertEqual(len(policy.policy.grants), 3)


class PolkitTests(SynchronousTestCase):
    """Questions to polkit."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.runs: list[tuple[list[str], float, Deferred[tuple[int, bytes]]]] = []
        self.killed = 0
        self.polkit = Polkit(self.run_, "pkcheck")
        self.who = Identity(transport="unix", userID=7, processID=12, processTime=99)

    def run_(self, argv: Any, deadline: float) -> Deferred[tuple[int, bytes]]:
        def kill(_: Any) -> None:
            self.killed += 1

        done: Deferred[tuple[int, bytes]] = Deferred(kill)
        self.runs.append((list(argv), deadline, done))
        return done.addTimeout(deadline, self.clock)

    def test_login(self) -> None:
        """A client of a UNIX socket comes in when polkit says so; the question is bound to its process."""
        world = World()
        world.server.polkit = self.polkit
        for status, code, text in (
            (1, 45, "authentication failed: access denied by policy"),
            (
                2,
                94,
                "authentication unavailable: no polkit agent available to authenticate action"
                " 'org.libvirt.unix.manage'",
            ),
            (3, 79, "authentication cancelled: user cancelled authentication process"),
            (127, 1, "internal error: polkit cannot be asked, the daemon's log tells why"),
            (-9, 1, "internal error: polkit cannot be asked, the daemon's log tells why"),
        ):
            peer = world.peer(auth="polkit")
            peer.session.identity = self.who
            self.assertEqual(peer.call("authList"), [2])
            peer.send(peer.packet("authPolkit"))
            argv, _, done = self.runs.pop()
            self.assertEqual(
                argv,
                [
                    *("pkcheck", "--action-id", "org.libvirt.unix.manage"),
                    *("--process", "12,99,7", "--allow-user-interaction"),
                ],
            )
            done.callback((status, b"why"))
            (answer,) = peer.received()
            self.assertEqual((answer.error["code"], answer.error["message"]), (code, text))
            self.assertFalse(peer.session.authenticated)
            self.assertEqual(peer.error("connectOpen", "fixture:///default", 0)["code"], 39)
        self.assertEqual(world.server.counters.failedLogins, 5)
        peer = world.peer(auth="polkit", readOnly=True)
        peer.session.identity = self.who
        peer.send(peer.packet("authPolkit"))
        argv, _, done = self.runs.pop()
        self.assertIn("org.libvirt.unix.monitor", argv)
        done.callback((0, b""))
        self.assertEqual(peer.received()[0].result, 1)
        peer.open()

    def test_root(self) -> None:
        """Root is let in without a question."""
        world = World()
        world.server.polkit = self.polkit
        peer = world.peer(auth="polkit")
        peer.session.identity = Identity(transport="unix", userID=0, processID=1, processTime=1)
        self.assertEqual(peer.call("authList"), [0])
        peer.open()
        self.assertEqual(self.runs, [])

    def test_lateAndGone(self) -> None:
        """A question that takes too long is a refusal; the program of one is killed."""
        world = World()
        world.server.polkit = self.polkit
        world.server.setLimits(world.server.limits.__class__(authenticationDeadline=1000.0))
        peer = world.peer(auth="polkit")
        peer.session.identity = self.who
        peer.send(peer.packet("authPolkit"))
        self.clock.advance(120)
        self.assertEqual(self.killed, 1)
        (answer,) = peer.received()
        self.assertEqual(answer.error["code"], 1)
        self.assertFalse(peer.session.authenticated)

    def test_noProcess(self) -> None:
        """Who came over a network has no process that polkit could know."""
        self.failureResultOf(self.polkit.logIn(Identity(transport="tls"), False), VirtError)

    def test_questions(self) -> None:
        """A question names the object; the same one is asked once, many at a time wait their turn."""
        policy = PolkitPolicy(self.polkit, self.clock)
        target = Target(kind="storage_vol", driver="QEMU", details=(("vol_name", "a b"),))
        first = policy.allows(self.who, "data_read", target)
        second = policy.allows(self.who, "data_read", target)
        ((argv, _, done),) = self.runs
        self.assertEqual(
            argv[1:],
            [
                *("--action-id", "org.libvirt.api.storage-vol.data-read"),
                *("--process", "12,99,7", "--detail", "connect_driver", "QEMU"),
                *("--detail", "vol_name", "a b"),
            ],
        )
        done.callback((0, b""))
        assert isinstance(first, Deferred) and isinstance(second, Deferred)
        self.assertTrue(self.successResultOf(first) and self.successResultOf(second))
        self.assertIs(policy.allows(self.who, "data_read", target), True)
        self.clock.advance(2)
        self.assertIsInstance(policy.allows(self.who, "data_read", target), Deferred)
        self.runs.clear()
        many = [
            policy.allows(
                self.who, "getattr", Target(kind="domain", driver="QEMU", details=(("n", str(i)),))
            )
            for i in range(30)
        ]
        answered = 0
        while self.runs:
            self.assertLessEqual(len(self.runs), 8)
            self.runs.pop()[2].callback((answered % 2, b""))
            answered += 1
        self.assertEqual(answered, 30)
        self.assertEqual(sum(self.successResultOf(each) for each in many), 15)  # type: ignore[arg-type]
