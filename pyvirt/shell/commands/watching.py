"""
C{event}: wait for what happens to domains, and print it.
"""

from __future__ import annotations

import time
from typing import Any

from twisted.internet.defer import Deferred

from pyvirt.errors import VirtError
from pyvirt.shell.command import Command, CommandError
from pyvirt.shell.eventtext import DOMAIN_EVENTS
from pyvirt.shell.lookup import findDomain
from pyvirt.shell.options import flag, number, string

__all__ = ["COMMANDS", "Waiter"]


class Waiter:
    """
    Counts and prints events until there have been enough, time is up or the user interrupts.

    @ivar count: how many were printed.
    """

    def __init__(self, command: Command, loop: bool, timestamps: bool) -> None:
        self._command = command
        self._loop = loop
        self._timestamps = timestamps
        self._ended: Deferred[str] = Deferred()
        self.count = 0

    def happened(self, text: str) -> None:
        """Print an event; without a loop it is the last one."""
        if not self._loop and self.count:
            return
        if self._timestamps:
            text = f"{timestamp(time.time())}: {text}"
        self._command.session.output(text)
        self._command.session.streams.flush()
        self.count += 1
        if not self._loop:
            self._end("")

    async def wait(self, timeout: int | None) -> None:
        """
        Wait for the end, and say why it came if it was not for events.

        @param timeout: seconds, or None for no limit.
        """
        session = self._command.session
        session.streams.flush()
        timer = None
        if timeout is not None:
            timer = session.clock.callLater(timeout, self._end, "event loop timed out\n")
        session.interrupted = lambda: self._end("event loop interrupted\n")
        session.abandoned = lambda: self._end("")
        try:
            session.output(await self._ended)
        finally:
            session.interrupted = session.abandoned = None
            if timer is not None and timer.active():
                timer.cancel()

    def _end(self, reason: str) -> None:
        if not self._ended.called:
            self._ended.callback(reason)


def timestamp(when: float) -> str:
    """Write a time as virsh does, in UTC with milliseconds."""
    parts = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(when))
    return f"{parts}.{int(when * 1000) % 1000:03d}+0000"


class WatchEvents(Command):
    """C{event}: wait for domain events."""

    name = "event"
    brief = "Domain Events"
    description = "List event types, or wait for domain events to occur"
    options = (
        string("domain", "filter by domain name, id or uuid"),
        string("event", "which event type to wait for"),
        flag("all", "wait for all events instead of just one type"),
        flag("loop", "loop until timeout or interrupt, rather than one-shot"),
        number("timeout", "timeout seconds"),
        flag("list", "list valid event types"),
        flag("timestamp", "show timestamp for each printed event"),
    )

    async def run(self) -> None:
        self.exclude("all", "event")
        self.exclude("list", "all")
        self.exclude("list", "event")
        if self.given("list"):
            for kind in DOMAIN_EVENTS:
                self.print(kind.name)
            return
        numbers = self._numbers()
        timeout = self.integer("timeout", 1, ((1 << 31) - 1) // 1000)
        domain = None
        word = self.text("domain")
        if word is not None:
            domain = await findDomain(self, word)
        waiter = Waiter(self, self.given("loop"), self.given("timestamp"))
        registered: list[int] = []
        try:
            for each in numbers:
                try:
                    registered.append(await self._register(domain, each, waiter))
                except VirtError:
                    # A peer may not know the newest kinds, but it must know the first.
                    if not registered:
                        raise
            await waiter.wait(timeout)
            self.print(f"events received: {waiter.count}")
        finally:
            failure = await self._deregister(registered)
        if not waiter.count:
            raise CommandError from failure

    async def _deregister(self, registered: list[int]) -> VirtError | None:
        failure = None
        for callback in registered:
            try:
                await self.connection.domainEventDeregisterAny(callback)
            except VirtError as error:
                # The connection may be gone; what was heard was heard.
                failure = error
        return failure

    def _numbers(self) -> list[int]:
        name = self.text("event")
        if name is not None:
            for at, kind in enumerate(DOMAIN_EVENTS):
                if kind.name == name:
                    return [at]
            raise CommandError(f"unknown event type {name}")
        if not self.given("all"):
            raise CommandError("one of --list, --all, or --event <type> is required")
        return list(range(len(DOMAIN_EVENTS)))

    def _register(self, domain: Any, number: int, waiter: Waiter) -> Any:
        text = DOMAIN_EVENTS[number].text

        def heard(connection: Any, subject: Any, *details: Any) -> None:
            # The last argument is what was registered with the callback.
            waiter.happened(text(subject.name(), *details[:-1]))

        return self.connection.domainEventRegisterAny(domain, number, heard, None)


COMMANDS: tuple[type[Command], ...] = (WatchEvents,)
