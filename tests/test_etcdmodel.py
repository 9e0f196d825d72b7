"""
A model of what can happen to leases in etcd: hosts that start, plug, pause and end guests with the disks of others, a
store in memory that forgets, requests and answers that are lost or late, and time.

Whatever the order, no two guests write to one disk: that is asked after every step of many random stories.
"""

from __future__ import annotations

import base64
import random
from collections.abc import Callable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from pyvirt.locking.etcdclient import EtcdClient, EtcdError, Fresh, Held, keyOf
from pyvirt.locking.etcdguard import MARGIN

TTL = 10
DISKS = ("/a", "/b", "/c")


def _decode(text: str) -> bytes:
    return base64.b64decode(text)


class Store:
    """An etcd in memory, as far as leases need one."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._lastLease = 0
        self.cluster = 1
        self.forget()

    def forget(self) -> None:
        """Lose everything."""
        self.revision = 1
        self.keys: dict[bytes, dict[str, Any]] = {}
        self.leases: dict[int, tuple[int, float]] = {}

    def handle(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Answer a request."""
        for lease in [each for each, (_, end) in self.leases.items() if end <= self._now()]:
            self.revoke(lease)
        answer: dict[str, Any] = getattr(self, "_" + path.rpartition("/")[2])(body)
        return {"header": {"cluster_id": str(self.cluster)}, **answer}

    def revoke(self, lease: int) -> None:
        """End a lease."""
        self.leases.pop(lease, None)
        self.keys = {key: each for key, each in self.keys.items() if int(each["lease"]) != lease}

    def _grant(self, body: dict[str, Any]) -> dict[str, Any]:
        self._lastLease += 1
        self.leases[self._lastLease] = (body["TTL"], self._now() + body["TTL"])
        return {"ID": str(self._lastLease), "TTL": str(body["TTL"])}

    def _keepalive(self, body: dict[str, Any]) -> dict[str, Any]:
        lease = int(body["ID"])
        if lease not in self.leases:
            return {"result": {"ID": body["ID"]}}
        ttl = self.leases[lease][0]
        self.leases[lease] = (ttl, self._now() + ttl)
        return {"result": {"ID": body["ID"], "TTL": str(ttl)}}

    def _revoke(self, body: dict[str, Any]) -> dict[str, Any]:
        self.revoke(int(body["ID"]))
        return {}

    def _found(self, body: dict[str, Any]) -> list[tuple[bytes, dict[str, Any]]]:
        first = _decode(body["key"])
        last = _decode(body["range_end"]) if "range_end" in body else first + b"\0"
        return [(key, each) for key, each in sorted(self.keys.items()) if first <= key < last]

    def _range(self, body: dict[str, Any]) -> dict[str, Any]:
        found = self._found(body)
        if body.get("count_only"):
            return {"count": str(len(found))}
        return {"kvs": [{**each} for _, each in found]} if found else {}

    def _txn(self, body: dict[str, Any]) -> dict[str, Any]:
        fields = {
            "CREATE": ("create_revision", "0"),
            "MOD": ("mod_revision", "0"),
            "LEASE": ("lease", "0"),
            "VALUE": ("value", None),
        }
        for each in body["compare"]:
            name, missing = fields[each["target"]]
            found = [kept[name] for _, kept in self._found(each)] or [missing]
            if any(value != each[name] for value in found):
                return {}
        puts = [each["request_put"] for each in body["success"] if "request_put" in each]
        for put in puts:
            if int(put["lease"]) and int(put["lease"]) not in self.leases:
                raise ValueError("requested lease not found")
        if len({put["key"] for put in puts}) != len(puts):
            raise ValueError("duplicate key given in txn request")
        self.revision += 1
        for put in puts:
            key, revision = _decode(put["key"]), str(self.revision)
            created = self.keys.get(key, {}).get("create_revision", revision)
            self.keys[key] = {
                **put,
                "create_revision": created,
                "mod_revision": revision,
            }
        for each in body["success"]:
            if "request_delete_range" in each:
                for key, _ in self._found(each["request_delete_range"]):
                    del self.keys[key]
        return {"succeeded": True}


class Client(EtcdClient):
    """Reaches the store in a story, if it does."""

    def __init__(self, story: Story) -> None:
        super().__init__(["http://store"], prefix="/t", sleep=story.pass_)
        self._story = story

    def _askOne(self, endpoint: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return self._story.deliver(path, body)


class Guest:
    """
    A guest, as its host knows it.

    @ivar writes: the disks that it may write to, as it thinks.
    @ivar owed: what it may have in the store and does not want.
    @ivar end: when its guard kills it, unless the store answers before.
    """

    def __init__(self, client: Client) -> None:
        self.client = client
        self.alive = True
        self.busy = False
        self.paused = False
        self.lease = 0
        self.end = 0.0
        self.disks: list[str] = []
        self.writes: list[str] = []
        self.owed: list[str] = []


class Story:
    """One of the things that can happen."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.time = 0.0
        self.store = Store(lambda: self.time)
        self.clients = [Client(self) for _ in range(2)]
        self.guests: list[Guest] = []
        self.late: list[tuple[str, dict[str, Any]]] = []
        self.started = self.depth = 0
        self.faulty = 0.0
        self.told: list[str] = []

    def pass_(self, seconds: float) -> None:
        """Let time go on, and guards do what they have to."""
        end = self.time + seconds
        for guest in sorted(self.guests, key=lambda each: each.end):
            if guest.alive and guest.end <= end:
                self.time = max(self.time, guest.end)
                self.tell("fenced", guest)
                guest.alive = False
        self.time = end
        self.guests = [each for each in self.guests if each.alive or each.busy]

    def tell(self, what: str, guest: Guest | None = None) -> None:
        """Remember what has happened, for whoever has to find out why."""
        who = "" if guest is None else f" guest {guest.lease} {guest.writes}"
        self.told.append(f"{self.time:.1f} {what}{who}")

    def deliver(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Bring a request to the store, and the answer back; or not."""
        self.pass_(self.chance.random() * 0.2)
        if self.depth < 3 and self.chance.random() < 0.3:
            self.step()  # something else happens meanwhile
        if self.chance.random() >= self.faulty:
            return self.store.handle(path, body)
        self.pass_(self.chance.choice((0.0, 0.1, 1.0)))
        fate = self.chance.choice(("lost", "unanswered", "late"))
        if fate == "unanswered":
            self.store.handle(path, body)
        elif fate == "late":
            self.late.append((path, body))
        raise OSError(fate)

    def step(self) -> None:
        """Let something happen."""
        self.depth += 1
        chance = self.chance.random()
        idle = [each for each in self.guests if each.alive and not each.busy]
        if self.late and chance < 0.25:
            path, body = self.late.pop(self.chance.randrange(len(self.late)))
            try:
                self.store.handle(path, body)
            except ValueError:
                pass
        elif 0.25 < chance < 0.255:
            self.tell("forgotten")
            self.store.forget()
            if self.chance.random() < 0.5:
                self.store.cluster += 1
        elif 0.26 < chance < 0.29:
            self.tell("weather")
            self.faulty = self.chance.choice((0.0, 0.0, 0.2, 0.5, 1.0))
        elif 0.29 < chance < 0.31:
            self.pass_(self.chance.choice((0.1, 1.0, 3.0)))
        elif chance < 0.5 and idle:
            for guest in idle:
                self.keep(guest)
        elif idle and (chance < 0.9 or len(self.guests) > 3):
            guest = self.chance.choice(idle)
            guest.busy = True
            try:
                self.chance.choice((self.plug, self.unplug, self.pause, self.resume, self.stop))(
                    guest
                )
            finally:
                guest.busy = False
        else:
            self.start(self.chance.choice(self.clients))
        self.depth -= 1
        self.check()

    def change(self, guest: Guest) -> None:
        """Do something to a guest."""
        common = (self.pause, self.resume, self.plug, self.unplug) * 3
        self.chance.choice((*common, self.stop))(guest)

    def check(self) -> None:
        """No disk is written to by two, and what a guest thinks it has it has, unless the store has forgotten that."""
        alive = [each for each in self.guests if each.alive]
        writers = [disk for each in alive for disk in each.writes]
        safe = len(set(writers)) == len(writers)
        for each in alive:
            keys = [keyOf("/t", disk) + b"/x" for disk in each.writes]
            if each.lease in self.store.leases:
                held = [self.store.keys.get(key, {}).get("lease") for key in keys]
                safe = safe and all(lease == str(each.lease) for lease in held)
        if not safe:
            raise AssertionError("\n".join(self.told[-60:]))

    def wanted(self) -> list[str]:
        """Some disks."""
        return self.chance.sample(DISKS, self.chance.randrange(1, 3))

    def start(self, client: Client) -> None:
        """As the launcher does it."""
        guest = Guest(client)
        guest.busy, guest.end = True, float("inf")
        disks = self.wanted()
        self.guests.append(guest)
        try:
            while True:
                began = self.time
                guest.lease = client.grant(TTL)
                try:
                    client.acquire(guest.lease, [(each, False) for each in disks], "")
                    break
                except Fresh:
                    client.settle(TTL)
        except (Held, EtcdError):
            guest.alive = False
        else:
            guest.end = began + TTL - MARGIN
            # A guard that starts too late finds that out first.
            guest.alive = guest.end > self.time
            if guest.alive:
                self.started += 1
                guest.disks, guest.writes = disks, list(disks)
            self.tell("started", guest)
        guest.busy = False

    def keep(self, guest: Guest) -> None:
        """As the guard does it."""
        asked = self.time
        try:
            left = guest.client.keepAlive(guest.lease)
        except EtcdError:
            return
        if left <= 0:
            self.tell("ended", guest)
            guest.alive = False
        guest.end = max(guest.end, asked + min(TTL, left) - MARGIN)

    def take(self, guest: Guest, disks: list[str]) -> bool:
        """As the driver acquires."""
        named = [(each, False) for each in disks]
        try:
            if guest.owed:
                guest.client.release(guest.lease, [(each, False) for each in guest.owed])
                guest.owed = []
            guest.client.acquire(guest.lease, named, "")
        except Held:
            return False
        except EtcdError:
            guest.owed += [each for each in disks if each not in guest.writes]
            return False
        if guest.alive:
            guest.writes = [*guest.writes, *disks]
            self.tell("took", guest)
        return True

    def give(self, guest: Guest, disks: list[str]) -> None:
        """As the driver releases."""
        guest.writes = [each for each in guest.writes if each not in disks]
        self.tell(f"gives {disks}", guest)
        guest.owed += disks
        try:
            guest.client.release(guest.lease, [(each, False) for each in guest.owed])
            guest.owed = []
        except EtcdError:
            pass

    def plug(self, guest: Guest) -> None:
        """A disk more."""
        more = [each for each in self.wanted() if each not in guest.disks][:1]
        if more and not guest.paused and self.take(guest, more):
            guest.disks += more

    def unplug(self, guest: Guest) -> None:
        """A disk less."""
        some = guest.disks[:1]
        guest.disks = guest.disks[1:]
        if some and not guest.paused:
            self.give(guest, some)

    def pause(self, guest: Guest) -> None:
        """It writes nothing."""
        if not guest.paused:
            guest.paused = True
            self.give(guest, list(guest.disks))

    def resume(self, guest: Guest) -> None:
        """It writes again."""
        if guest.paused and (not guest.disks or self.take(guest, guest.disks)):
            guest.paused = False

    def stop(self, guest: Guest) -> None:
        """It is gone."""
        guest.alive = False
        self.tell("stopped", guest)
        try:
            guest.client.revoke(guest.lease)
        except EtcdError:
            pass


class ModelTests(SynchronousTestCase):
    """Random stories."""

    def test_stories(self) -> None:
        """No two guests ever write to one disk, and guests do start."""
        started = 0
        for seed in range(300):
            story = Story(random.Random(seed))
            for _ in range(150):
                story.step()
            started += story.started
        self.assertGreater(started, 1000)
