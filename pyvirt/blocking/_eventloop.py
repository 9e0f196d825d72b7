"""
Event loops of the application: libvirt's default one, run by C{virEventRunDefaultImpl}, or one it brings.

Events come from the reactor's thread and wait here until the application's loop calls their callbacks, so that
callbacks run where they run with the C binding.  A bounded number waits: beyond it the connection's own event
queue holds them, whose overflow policy is the user's.
"""

from __future__ import annotations

import _thread
import contextlib
import os
import select
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from itertools import count
from typing import Any, TypeVar

from twisted.internet.defer import Deferred

from pyvirt.blocking._checking import checked
from pyvirt.blocking._errors import errors, libvirtError, reported
from pyvirt.blocking._reactor import thread
from pyvirt.constants import (
    VIR_EVENT_HANDLE_ERROR,
    VIR_EVENT_HANDLE_HANGUP,
    VIR_EVENT_HANDLE_READABLE,
    VIR_EVENT_HANDLE_WRITABLE,
)
from pyvirt.errors import ErrorCode, ErrorDomain, virtError

__all__ = ["loop"]

AHEAD = 256
"""How many callbacks wait here before those who bring more are slowed down."""

_T = TypeVar("_T")

_TO_POLL = (
    (VIR_EVENT_HANDLE_READABLE, select.POLLIN),
    (VIR_EVENT_HANDLE_WRITABLE, select.POLLOUT),
)
_FROM_POLL = (
    (select.POLLIN, VIR_EVENT_HANDLE_READABLE),
    (select.POLLOUT, VIR_EVENT_HANDLE_WRITABLE),
    (select.POLLNVAL, VIR_EVENT_HANDLE_ERROR),
    (select.POLLERR, VIR_EVENT_HANDLE_ERROR),
    (select.POLLHUP, VIR_EVENT_HANDLE_HANGUP),
)


class _Wakeup:
    """A pipe that makes a poll return."""

    def __init__(self) -> None:
        self.reading, self.writing = os.pipe()
        os.set_blocking(self.reading, False)
        os.set_blocking(self.writing, False)

    def wake(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.write(self.writing, b"x")

    def clear(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while len(os.read(self.reading, 4096)) == 4096:
                pass


class _Delivery:
    """Callbacks on their way from the reactor's thread to the application's loop."""

    def __init__(self) -> None:
        self.waiting: deque[tuple[Callable[[], Any], Deferred[None] | None]] = deque()

    def put(self, deliver: Callable[[], Any], wait: bool = False) -> Deferred[None] | None:
        """
        Queue a callback.

        @param wait: whoever puts it wants to know when it was called.
        @return: None: more may come; otherwise fires when this one was called.
        """
        if not wait and len(self.waiting) < AHEAD:
            self.waiting.append((deliver, None))
            return None
        done: Deferred[None] = Deferred()
        self.waiting.append((deliver, done))
        return done

    def run(self) -> None:
        """Call what waits now; what comes meanwhile is for the next time."""
        for _ in range(len(self.waiting)):
            try:
                deliver, done = self.waiting.popleft()
            except IndexError:
                return
            try:
                deliver()
            except Exception:
                # As in the C binding: what a callback raises is printed, and the loop goes on.
                traceback.print_exc()
            if done is not None:
                thread.later(done.callback, None)


class _Timer:
    __slots__ = ("callback", "due", "interval", "opaque", "place")

    def __init__(
        self, interval: int, callback: Callable[..., Any], opaque: Any, place: int
    ) -> None:
        self.callback = callback
        self.opaque = opaque
        self.place = place
        self.set(interval)

    def set(self, interval: int) -> None:
        self.interval = interval
        self.due = time.monotonic() + interval / 1000 if interval >= 0 else float("inf")


class _DefaultLoop:
    """
    Handles and timers around C{poll}; any thread may change them while one runs.

    Those that are ready are called in the order in which they began to be watched, as in C.
    """

    def __init__(self, delivery: _Delivery) -> None:
        self._delivery = delivery
        self._wakeup = _Wakeup()
        self._lock = threading.RLock()
        self._handles: dict[int, list[Any]] = {}
        self._timers: dict[int, _Timer] = {}
        self._nextHandle = 1
        self._nextTimer = 1
        self._places = count()
        self._runner: int | None = None

    def attach(self) -> None:
        """A connection opens; in C its socket takes a watch."""
        self._nextHandle += 1
        self.wake()

    def detach(self) -> None:
        """A connection has closed."""

    def wake(self) -> None:
        """Have a running iteration return."""
        if self._runner is not None and self._runner != _thread.get_ident():
            self._wakeup.wake()

    def addHandle(self, fd: int, events: int, callback: Any, opaque: Any) -> int:
        with self._lock:
            number = self._nextHandle
            self._nextHandle += 1
            self._handles[number] = [fd, events, callback, opaque, next(self._places)]
        self.wake()
        return number

    def updateHandle(self, watch: int, events: int) -> None:
        with self._lock:
            handle = self._handles.get(watch)
            if handle is not None and handle[1] != events:
                handle[1], handle[4] = events, next(self._places)
        self.wake()

    def removeHandle(self, watch: int) -> int:
        with self._lock:
            found = self._handles.pop(watch, None)
        self.wake()
        return -1 if found is None else 0

    def addTimeout(self, interval: int, callback: Any, opaque: Any) -> int:
        with self._lock:
            number = self._nextTimer
            self._nextTimer += 1
            self._timers[number] = _Timer(interval, callback, opaque, next(self._places))
        self.wake()
        return number

    def updateTimeout(self, timer: int, interval: int) -> None:
        with self._lock:
            found = self._timers.get(timer)
            if found is not None:
                found.set(interval)
                found.place = next(self._places)
        self.wake()

    def removeTimeout(self, timer: int) -> int:
        with self._lock:
            found = self._timers.pop(timer, None)
        self.wake()
        return -1 if found is None else 0

    def run(self) -> None:
        """One iteration: wait until something happens, and call who wants to know."""
        poll = select.poll()
        poll.register(self._wakeup.reading, select.POLLIN)
        self._runner = _thread.get_ident()
        try:
            with self._lock:
                handles = {number: list(each) for number, each in self._handles.items()}
                due = min((timer.due for timer in self._timers.values()), default=float("inf"))
            wanted: dict[int, int] = {}
            for fd, events, _, _, _ in handles.values():
                mask = sum(bit for flag, bit in _TO_POLL if events & flag)
                if events:
                    wanted[fd] = wanted.get(fd, 0) | mask
            for fd, mask in wanted.items():
                poll.register(fd, mask)
            if self._delivery.waiting:
                timeout: float | None = 0
            elif due == float("inf"):
                timeout = None
            else:
                timeout = max(0.0, (due - time.monotonic()) * 1000)
            found = dict(poll.poll(timeout))
        finally:
            self._runner = None
        if found.pop(self._wakeup.reading, None) is not None:
            self._wakeup.clear()
        now = time.monotonic()
        ready: list[tuple[int, Callable[..., None], tuple[Any, ...]]] = [
            (timer.place, self._dispatchTimer, (number, timer))
            for number, timer in list(self._timers.items())
            if timer.due <= now
        ]
        for number, (fd, events, _, _, place) in handles.items():
            happened = found.get(fd, 0)
            if happened and events:
                ready.append((place, self._dispatchHandle, (number, fd, events, happened)))
        ready.sort(key=lambda each: each[0])
        for _, dispatch, arguments in ready:
            dispatch(*arguments)
        self._delivery.run()

    def _dispatchTimer(self, number: int, timer: _Timer) -> None:
        if self._timers.get(number) is timer and timer.interval >= 0:
            timer.set(timer.interval)
            _guarded(timer.callback, number, timer.opaque)

    def _dispatchHandle(self, number: int, fd: int, events: int, happened: int) -> None:
        current = self._handles.get(number)
        if current is None:
            return
        told = 0
        for bit, flag in _FROM_POLL:
            if happened & bit:
                told |= flag
        told &= events | VIR_EVENT_HANDLE_ERROR | VIR_EVENT_HANDLE_HANGUP
        if told:
            _guarded(current[2], number, fd, told, current[3])


def _guarded(callback: Callable[..., Any], *arguments: Any) -> None:
    try:
        callback(*arguments)
    except Exception:
        traceback.print_exc()


class _GivenLoop:
    """The application's own loop, through the six functions that it registered."""

    def __init__(self, delivery: _Delivery, functions: tuple[Callable[..., Any], ...]) -> None:
        self._delivery = delivery
        (
            self._addHandle,
            self.updateHandle,
            self.removeHandle,
            self._addTimeout,
            self.updateTimeout,
            self.removeTimeout,
        ) = functions
        self._wakeup = _Wakeup()
        self._connections = 0
        self._watch: Any = None

    def attach(self) -> None:
        """Have the loop watch for events; done when the first connection opens."""
        self._connections += 1
        if self._watch is None:
            self._watch = self.addHandle(
                self._wakeup.reading, VIR_EVENT_HANDLE_READABLE, self._woken, self._delivery
            )

    def detach(self) -> None:
        """A connection has closed: behind the last one nothing is watched."""
        self._connections -= 1
        if thread.isCurrent:
            self.wake()  # and the loop does it, whose functions are not for our reactor's thread
        else:
            self._unwatch()

    def _unwatch(self) -> None:
        if not self._connections and not self._delivery.waiting and self._watch is not None:
            watch, self._watch = self._watch, None
            self.removeHandle(watch)

    def _woken(self, watch: int, fd: int, events: int, opaque: Any) -> None:
        self._wakeup.clear()
        self._delivery.run()
        self._unwatch()

    def wake(self) -> None:
        self._wakeup.wake()

    def addHandle(self, fd: int, events: int, callback: Any, opaque: Any) -> Any:
        return self._addHandle(
            fd, events, _eventInvokeHandleCallback, (callback, opaque, _nothingToFree)
        )

    def addTimeout(self, interval: int, callback: Any, opaque: Any) -> Any:
        return self._addTimeout(
            interval, _eventInvokeTimeoutCallback, (callback, opaque, _nothingToFree)
        )


def _nothingToFree(opaque: Any) -> None:
    """What C would free is collected."""


class EventLoop:
    """
    The application's loop, once it has registered one.

    @ivar delivery: the callbacks that wait for it.
    """

    def __init__(self) -> None:
        self.delivery = _Delivery()
        self._current: _DefaultLoop | _GivenLoop | None = None
        self._given = False

    @property
    def isRegistered(self) -> bool:
        """Whether there is one: without, no connection tells of events."""
        return self._current is not None

    def registerDefault(self) -> None:
        if self._current is None:
            self._current = _DefaultLoop(self.delivery)

    def register(self, functions: tuple[Callable[..., Any], ...]) -> None:
        if self._given:
            raise RuntimeError("Event loop is already registered")
        if not all(map(callable, functions)):
            raise TypeError("the functions of an event loop must be callable")
        self._given = True
        if self._current is None:
            self._current = _GivenLoop(self.delivery, functions)

    def attach(self) -> None:
        """A connection opens."""
        if self._current is not None:
            self._current.attach()

    def detach(self) -> None:
        """A connection that was attached has closed, or could not be opened."""
        if self._current is not None:
            self._current.detach()

    def wake(self) -> None:
        """Something changed that the loop may wait for."""
        if self._current is not None:
            self._current.wake()

    def put(self, deliver: Callable[[], Any], wait: bool = False) -> Deferred[None] | None:
        """Have C{deliver} called by the loop; see L{_Delivery.put}."""
        answer = self.delivery.put(deliver, wait)
        if self._current is not None:
            self._current.wake()
        return answer

    def implementation(self) -> _DefaultLoop | _GivenLoop | None:
        return self._current

    def run(self) -> None:
        if not isinstance(self._current, _DefaultLoop):
            # The C library waits for ever where nothing was registered; nothing could end that.
            raise reported(
                virtError(
                    ErrorCode.INTERNAL_ERROR,
                    "the default event loop is not registered",
                    ErrorDomain.EVENT,
                )
            )
        self._current.run()


loop = EventLoop()
"""The one of this process."""


def virEventRegisterDefaultImpl() -> int:
    """
    Register libvirt's own event loop, which the application runs by L{virEventRunDefaultImpl}.

    It is done before a connection is opened; doing it again changes nothing.  Returns 0.
    """
    errors.last = None
    loop.registerDefault()
    return 0


def virEventRegisterImpl(
    addHandle: Callable[..., Any],
    updateHandle: Callable[..., Any],
    removeHandle: Callable[..., Any],
    addTimeout: Callable[..., Any],
    updateTimeout: Callable[..., Any],
    removeTimeout: Callable[..., Any],
) -> None:
    """
    Register the application's own event loop.

    @param addHandle: C{addHandle(fd, events, cb, opaque)} returns a number; C{cb(watch, fd, events, opaque)} is
        to be called when something happens.
    @param addTimeout: C{addTimeout(milliseconds, cb, opaque)} returns a number; C{cb(timer, opaque)} is to be called
        each time they have passed; -1: never.
    @raise RuntimeError: it was done before.  A loop of libvirt's that was registered stays.
    @raise TypeError: one of them cannot be called.
    """
    functions = (addHandle, updateHandle, removeHandle, addTimeout, updateTimeout, removeTimeout)
    loop.register(functions)


def virEventRunDefaultImpl() -> int:
    """Run one iteration of the default event loop: wait until something happens.  Returns 0."""
    errors.last = None
    loop.run()
    return 0


def virEventAddHandle(
    fd: int, events: int, cb: Callable[[int, int, int, _T], object], opaque: _T
) -> int:
    """
    Have C{cb(watch, fd, events, opaque)} called when something happens at a descriptor.

    @param events: C{VIR_EVENT_HANDLE_*}.
    @return: the watch's number.
    """
    fd, events = checked("virEventAddHandle", "ii", fd, events)
    current = loop.implementation()
    number = -1 if current is None else current.addHandle(fd, events, cb, opaque)
    if number is None or number == -1:
        raise libvirtError("virEventAddHandle() failed")
    return int(number)


def virEventAddTimeout(timeout: int, cb: Callable[[int, _T], object], opaque: _T) -> int:
    """
    Have C{cb(timer, opaque)} called every so often.

    @param timeout: milliseconds; 0: in each iteration; -1: not now.
    @return: the timer's number.
    """
    (timeout,) = checked("virEventAddTimeout", "i", timeout)
    current = loop.implementation()
    number = -1 if current is None else current.addTimeout(timeout, cb, opaque)
    if number is None or number == -1:
        raise libvirtError("virEventAddTimeout() failed")
    return int(number)


def virEventUpdateHandle(watch: int, events: int) -> None:
    """Change what a watch waits for."""
    watch, events = checked("virEventUpdateHandle", "ii", watch, events)
    current = loop.implementation()
    if current is not None:
        current.updateHandle(watch, events)


def virEventUpdateTimeout(timer: int, timeout: int) -> None:
    """Change a timer's milliseconds; -1: not now."""
    timer, timeout = checked("virEventUpdateTimeout", "ii", timer, timeout)
    current = loop.implementation()
    if current is not None:
        current.updateTimeout(timer, timeout)


def virEventRemoveHandle(watch: int) -> int:
    """Watch a descriptor no more.  Returns 0."""
    (watch,) = checked("virEventRemoveHandle", "i", watch)
    current = loop.implementation()
    if current is None or current.removeHandle(watch) == -1:
        raise libvirtError("virEventRemoveHandle() failed")
    return 0


def virEventRemoveTimeout(timer: int) -> int:
    """Stop a timer.  Returns 0."""
    (timer,) = checked("virEventRemoveTimeout", "i", timer)
    current = loop.implementation()
    if current is None or current.removeTimeout(timer) == -1:
        raise libvirtError("virEventRemoveTimeout() failed")
    return 0


def virEventInvokeFreeCallback(opaque: Any) -> None:
    """Let go of what came with C{addHandle} or C{addTimeout}; an application's loop calls it."""
    opaque[2](opaque[1])


def _eventInvokeHandleCallback(
    watch: int, fd: int, event: int, opaque: Any, opaquecompat: Any = None
) -> None:
    """Call the callback of a handle for an application's loop; both old ways of passing it work."""
    callback, data = (opaque, opaquecompat) if opaquecompat else opaque[:2]
    callback(watch, fd, event, data)


def _eventInvokeTimeoutCallback(timer: int, opaque: Any, opaquecompat: Any = None) -> None:
    """Call the callback of a timer for an application's loop."""
    callback, data = (opaque, opaquecompat) if opaquecompat else opaque[:2]
    callback(timer, data)
