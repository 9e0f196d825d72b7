"""
The check before a call: which questions a procedure's rules ask for these arguments, put to a policy.

What a call is about is looked up first, for what clients say about an object (its name beside its UUID) proves
nothing.  What is not known before the call is done is a target without a name, which only those may touch who may
touch all of its kind; a call that only looks up is done first and its answer withheld.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from twisted.internet.defer import Deferred

from pyvirt import constants
from pyvirt.daemon.access.objects import Target, targetOf
from pyvirt.daemon.identity import Identity
from pyvirt.definitions.identity import identify
from pyvirt.drivers.interfaces import values
from pyvirt.drivers.interfaces.events import Event, EventKind
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError
from pyvirt.protocols.procedures import Procedure, Rule
from pyvirt.protocols.programs.remote import PROGRAM as REMOTE

__all__ = ["REFS", "XML_ARGUMENTS", "Guard", "IPolicy", "PolicyError", "denied"]


class PolicyError(Exception):
    """A policy cannot be used; the text names the file, the place in it and the problem."""


class IPolicy(Protocol):
    """Answers questions of access."""

    def allows(self, identity: Identity, permission: str, target: Target) -> bool | Deferred[bool]:
        """Whether somebody may do something.  A Deferred never fails with what is not a L{VirtError}."""

    def made(self, identity: Identity, target: Target) -> None:
        """Somebody has made an object."""

    def removed(self, target: Target) -> None:
        """An object is no more."""


def denied(driver: str) -> VirtError:
    """Make the error of what somebody may not do."""
    return virtError(ErrorCode.ACCESS_DENIED, f"'{driver}' denied access", ErrorDomain.ACCESS)


class Finding(NamedTuple):
    """
    How a reference of some kind becomes the real one.

    @ivar byUUID: the procedure that finds it, given what identifies it.
    @ivar byName: likewise, None: there is none.
    """

    byUUID: str | None
    byName: str | None


_FINDING = {
    "domain": Finding("domainLookupByUUID", "domainLookupByName"),
    "network": Finding("networkLookupByUUID", "networkLookupByName"),
    "storage_pool": Finding("storagePoolLookupByUUID", "storagePoolLookupByName"),
    "nwfilter": Finding("nwfilterLookupByUUID", "nwfilterLookupByName"),
    "secret": Finding("secretLookupByUUID", None),
    "node_device": Finding(None, "nodeDeviceLookupByName"),
    "interface": Finding(None, "interfaceLookupByName"),
    "nwfilter_binding": Finding(None, "nwfilterBindingLookupByPortDev"),
}
REFS: dict[type, str] = {
    values.DomainRef: "domain",
    values.DomainSnapshotRef: "domain",
    values.DomainCheckpointRef: "domain",
    values.NetworkRef: "network",
    values.StoragePoolRef: "storage_pool",
    values.StorageVolRef: "storage_vol",
    values.NWFilterRef: "nwfilter",
    values.NWFilterBindingRef: "nwfilter_binding",
    values.SecretRef: "secret",
    values.NodeDeviceRef: "node_device",
    values.InterfaceRef: "interface",
    values.NetworkPortRef: "network_port",
}
_EVENTS = {
    EventKind.DOMAIN: "domain",
    EventKind.MONITOR: "domain",
    EventKind.NETWORK: "network",
    EventKind.STORAGE_POOL: "storage_pool",
    EventKind.NODE_DEVICE: "node_device",
    EventKind.SECRET: "secret",
}
XML_ARGUMENTS = ("xml", "xmlDesc", "domXML", "dxml")
_OPEN_TO_ALL = frozenset(("connectIsSecure", "connectClose"))
_MAKES = {
    "domainDefineXML": "domain",
    "domainDefineXMLFlags": "domain",
    "domainCreateXML": "domain",
    "domainCreateXMLWithFiles": "domain",
    "networkDefineXML": "network",
    "networkDefineXMLFlags": "network",
    "networkCreateXML": "network",
    "networkCreateXMLFlags": "network",
    "storagePoolDefineXML": "storage_pool",
    "storagePoolCreateXML": "storage_pool",
    "nwfilterDefineXML": "nwfilter",
    "nwfilterDefineXMLFlags": "nwfilter",
    "secretDefineXML": "secret",
    "storageVolCreateXML": "storage_vol",
    "storageVolCreateXMLFrom": "storage_vol",
}


@lru_cache(maxsize=2048)
def rulesOf(procedure: Procedure) -> tuple[Rule, ...]:
    """
    The rules of a procedure.

    For one whose rules are not known yet the nearest ones that are no weaker: whoever may change, or read, all of
    what it is about.
    """
    if procedure.access or procedure.name in _OPEN_TO_ALL or not procedure.needsAuthentication:
        return procedure.access
    if procedure.filters and procedure.readOnly.allowed:
        return ()
    permission = "read" if procedure.readOnly.allowed else "write"
    about = "domain" if procedure.parameters[:1] == ("dom",) else "connect"
    return (Rule(about, permission),)


def applies(rule: Rule, procedure: Procedure, arguments: tuple[Any, ...]) -> bool:
    """Whether a rule holds for a call with these arguments."""
    if rule.flags:
        flags = 0
        if "flags" in procedure.parameters:
            flags = int(arguments[procedure.parameters.index("flags")])
        mask = 0
        for name in rule.flags:
            mask |= int(getattr(constants, name))
        return not flags & mask if rule.unless else bool(flags & mask)
    if rule.argument is not None and rule.value is not None:
        if rule.argument not in procedure.parameters:
            return True
        given = arguments[procedure.parameters.index(rule.argument)]
        return bool(given == getattr(constants, rule.value))
    return True


class Guard:
    """
    Checks the calls of one open connection.

    @ivar driver: its driver's name, for messages and policies.
    """

    def __init__(
        self,
        policy: IPolicy,
        identity: Callable[[], Identity],
        driver: str,
        find: Callable[[Procedure, tuple[Any, ...]], Any],
    ) -> None:
        """
        @param identity: who calls.
        @param find: calls a procedure that looks something up, without a check.
        """
        self._policy = policy
        self._identity = identity
        self.driver = driver
        self._find = find

    # Calls

    def run(self, procedure: Procedure, arguments: tuple[Any, ...], call: Callable[[], Any]) -> Any:
        """
        Make a call, if it may be made.

        @return: its answer, or a Deferred of it.
        @raise VirtError: it may not (C{ACCESS_DENIED}), or what it is about is not there.
        """
        rules = [each for each in rulesOf(procedure) if applies(each, procedure, arguments)]
        if not rules and procedure.name not in _MAKES:
            return call()
        steps = _Steps(self, procedure, arguments, rules, call)
        if procedure.name.startswith(("domainUndefine", "networkUndefine", "storagePoolUndefine")):
            steps.removes = True
        return steps.start()

    def ask(self, permission: str, target: Target) -> bool | Deferred[bool]:
        """Ask the policy."""
        return self._policy.allows(self._identity(), permission, target)

    def asked(self, kind: str, permission: str) -> bool | Deferred[bool]:
        """Ask about the connection itself."""
        return self.ask(permission, self.connection)

    @property
    def connection(self) -> Target:
        """The connection, as a target."""
        return Target(kind="connect", driver=self.driver)

    # Lists and events

    def permits(self, procedure: Procedure, item: Any) -> bool | Deferred[bool]:
        """Whether the caller may see an object that a procedure lists; its reference is the driver's own."""
        kind = REFS.get(type(item))
        if kind is None:
            return True
        target = targetOf(self.driver, item)
        for rule in procedure.filters:
            if rule.object == kind:
                return self.ask(rule.permission, target)
        return True

    def sees(self, event: Event) -> bool | Deferred[bool]:
        """Whether the caller may hear of an event."""
        if type(event.ref) not in REFS:
            return True
        return self.ask("getattr", targetOf(self.driver, event.ref))

    # Looking up

    def lookUp(self, ref: Any) -> Any:
        """Return the real target of a reference that a client has sent, or a Deferred of it."""
        if isinstance(ref, values.DomainSnapshotRef | values.DomainCheckpointRef):
            ref = ref.dom
        kind = REFS[type(ref)]
        how = _FINDING.get(kind)
        if how is None:
            if isinstance(ref, values.NetworkPortRef):
                found = self.lookUp(ref.net)
                return _then(found, lambda network: self._port(ref, network))
            return targetOf(self.driver, ref)
        if how.byUUID is not None:
            found = self._find(REMOTE.byName[how.byUUID], (ref.uuid,))
        else:
            assert how.byName is not None
            found = self._find(REMOTE.byName[how.byName], (ref[0],))
        return _then(found, lambda real: targetOf(self.driver, real))

    def _port(self, ref: Any, network: Target) -> Target:
        real = values.NetworkRef(network.name or "", UUID(network.uuid or "").bytes)
        return targetOf(self.driver, ref._replace(net=real))

    def secret(self, text: str | None) -> Any:
        """Return the target of a secret by the text of its UUID: one that is there, or one to be made."""
        fresh = Target(kind="secret", driver=self.driver)
        try:
            uuid = UUID(text or "")
        except ValueError:
            return fresh
        fresh = Target(kind="secret", driver=self.driver, name=str(uuid), uuid=str(uuid))
        return self._orFresh("secretLookupByUUID", uuid.bytes, fresh)

    def _orFresh(self, lookUp: str, what: Any, fresh: Target) -> Any:
        try:
            found = self._find(REMOTE.byName[lookUp], (what,))
        except VirtError:
            return fresh
        if isinstance(found, Deferred):
            return found.addCallbacks(lambda real: targetOf(self.driver, real), lambda _: fresh)
        return targetOf(self.driver, found)

    def named(self, kind: str, name: str) -> Any:
        """
        Return the target of some name: of the object that has it, or of one to be made; or a Deferred of it.
        """
        how = _FINDING.get(kind)
        fresh = Target(
            kind=kind,
            driver=self.driver,
            name=name,
            details=((f"{'pool' if kind == 'storage_pool' else kind}_name", name),),
        )
        if how is None or how.byName is None:
            return fresh
        return self._orFresh(how.byName, name, fresh)


def _then(value: Any, after: Callable[[Any], Any]) -> Any:
    if isinstance(value, Deferred):
        return value.addCallback(after)
    return after(value)


class _Steps:
    """One call on its way: targets are found, questions asked, then it is made; at once as far as possible."""

    removes = False

    def __init__(
        self,
        guard: Guard,
        procedure: Procedure,
        arguments: tuple[Any, ...],
        rules: Sequence[Rule],
        call: Callable[[], Any],
    ) -> None:
        self.guard = guard
        self.procedure = procedure
        self.arguments = arguments
        self.rules = rules
        self.call = call
        self.targets: dict[str, Any] = {}
        self.after: list[Rule] = []

    def start(self) -> Any:
        for rule in self.rules:
            if rule.object not in self.targets:
                self.targets[rule.object] = self.find(rule.object)
        waiting = [each for each in self.targets.values() if isinstance(each, Deferred)]
        if waiting:
            return Deferred.fromCoroutine(self.later())
        return self.question()

    async def later(self) -> Any:
        for kind, each in list(self.targets.items()):
            if isinstance(each, Deferred):
                self.targets[kind] = await each
        answer = self.question()
        return await answer if isinstance(answer, Deferred) else answer

    def find(self, kind: str) -> Any:
        guard, procedure = self.guard, self.procedure
        if kind == "connect":
            return guard.connection
        for value in self.arguments:
            if REFS.get(type(value)) == kind:
                return guard.lookUp(value)
        text: str | None = None
        for name, value in zip(procedure.parameters, self.arguments, strict=True):
            if name in XML_ARGUMENTS and isinstance(value, str):
                text = value
        if kind == "node_device" and procedure.parameters[:1] == ("name",):
            if procedure.name != "nodeDeviceLookupByName":
                return guard.named(kind, self.arguments[0])
        elif procedure.readOnly.allowed:
            return None  # asked when it is found
        if text is not None and kind != "storage_vol":
            found = identify(text)
            if kind == "secret":
                return guard.secret(found.uuid)
            if found.name is not None:
                return guard.named(kind, found.name)
        elif text is not None:
            pool = next(
                (each for each in self.arguments if isinstance(each, values.StoragePoolRef)), None
            )
            volume = identify(text).name
            if pool is not None and volume is not None:
                return _then(
                    guard.lookUp(pool),
                    lambda real: targetOf(
                        guard.driver, values.StorageVolRef(real.name or "", volume, "")
                    ),
                )
        if procedure.readOnly.allowed:
            return None
        return Target(kind=kind, driver=guard.driver)

    def question(self) -> Any:
        asked: list[Deferred[bool]] = []
        for rule in self.rules:
            target = self.targets[rule.object]
            if target is None:
                self.after.append(rule)
                continue
            answer = self.guard.ask(rule.permission, target)
            if isinstance(answer, Deferred):
                asked.append(answer)
            elif not answer:
                for each in asked:
                    each.addErrback(lambda _: None)
                    each.cancel()
                raise denied(self.guard.driver)
        if asked:
            return Deferred.fromCoroutine(self.answered(asked))
        return self.make()

    async def answered(self, asked: Sequence[Deferred[bool]]) -> Any:
        fine = True
        for each in asked:
            fine = await each and fine
        if not fine:
            raise denied(self.guard.driver)
        answer = self.make()
        return await answer if isinstance(answer, Deferred) else answer

    def make(self) -> Any:
        answer = self.call()
        if self.after or self.removes or self.procedure.name in _MAKES:
            return _then(answer, self.done)
        return answer

    def done(self, result: Any) -> Any:
        guard = self.guard
        if self.procedure.name in _MAKES and type(result) in REFS:
            guard._policy.made(guard._identity(), targetOf(guard.driver, result))
        if self.removes:
            for target in self.targets.values():
                if target is not None and target.kind != "connect":
                    guard._policy.removed(target)
        if not self.after:
            return result
        if type(result) not in REFS:
            raise denied(guard.driver)
        target = targetOf(guard.driver, result)
        asked = [guard.ask(rule.permission, target) for rule in self.after]
        if not any(isinstance(each, Deferred) for each in asked):
            if not all(asked):
                raise denied(guard.driver)
            return result
        return Deferred.fromCoroutine(self.withheld(asked, result))

    async def withheld(self, asked: Sequence[Any], result: Any) -> Any:
        fine = True
        for each in asked:
            answer = await each if isinstance(each, Deferred) else each
            fine = bool(answer) and fine
        if not fine:
            raise denied(self.guard.driver)
        return result
