"""
The reactor behind C{pyvirt.blocking}: a private one, in a thread of its own, started by the first call.

It is not the global reactor, which the application may run itself.  The thread and the reactor's own threads end
with the interpreter without being waited for.  A forked child has none of this and starts anew.
"""

from __future__ import annotations

import _thread
import os
import threading
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

__all__ = ["ReactorThread", "thread"]

_allocate = _thread.allocate_lock


class _Waiting:
    """A call that a thread waits for."""

    __slots__ = ("answer", "arguments", "function", "gate", "result")

    def __init__(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        self.function = function
        self.arguments = arguments
        self.gate = _allocate()
        self.gate.acquire()
        self.result: Any = None
        self.answer: Any = None

    def start(self) -> None:
        """Call, in the reactor's thread."""
        try:
            answer = self.function(*self.arguments)
        except BaseException:
            self.result = Failure()
        else:
            if answer.__class__ is Deferred:
                self.answer = answer
                answer.addBoth(self.done)
                return
            self.result = answer
        self.gate.release()

    def done(self, result: Any) -> None:
        """Let the waiting thread go on."""
        self.result = result
        self.gate.release()

    def cancel(self) -> None:
        """The thread waits no more."""
        if self.answer is not None:
            self.answer.cancel()


class ReactorThread:
    """
    Runs calls on a reactor for threads that wait.

    @ivar reactor: the private reactor, None before it is needed.
    """

    def __init__(self) -> None:
        self.reactor: Any = None
        self._ident: int | None = None
        self._lock = threading.Lock()
        os.register_at_fork(after_in_child=self._forked)

    def _forked(self) -> None:
        self.reactor = None
        self._ident = None
        self._lock = threading.Lock()

    @property
    def isCurrent(self) -> bool:
        """Whether this is the reactor's own thread, which can wait for nothing."""
        return self._ident == _thread.get_ident()

    def start(self) -> Any:
        """Return the reactor, running."""
        if self.reactor is None:
            with self._lock:
                if self.reactor is None:
                    self.reactor = self._start()
        return self.reactor

    def _start(self) -> Any:
        from twisted.python import threadable

        threadable.init(1)
        reactor = _newReactor()
        pool = reactor.getThreadPool()
        if pool is not None:
            pool.threadFactory = _daemonThread
        ready = threading.Event()

        def run() -> None:
            self._ident = _thread.get_ident()
            former = threadable.ioThread
            reactor.callWhenRunning(ready.set)
            reactor.startRunning(installSignalHandlers=False)
            if former is not None:
                threadable.ioThread = former  # the application's own reactor is the one that counts
            reactor.mainLoop()

        _daemonThread(target=run, name="pyvirt.blocking").start()
        ready.wait()
        return reactor

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """
        Call C{function} in the reactor's thread and wait for what it returns, or its Deferred fires with.

        An interrupted wait cancels the call.
        """
        if self._ident == _thread.get_ident():
            raise RuntimeError(
                "a call that waits cannot be made from the thread that runs the reactor"
            )
        reactor = self.reactor or self.start()
        waiting = _Waiting(function, arguments)
        reactor.callFromThread(waiting.start)
        try:
            waiting.gate.acquire()
        except BaseException:
            reactor.callFromThread(waiting.cancel)
            raise
        result = waiting.result
        if result.__class__ is Failure:
            assert result.value is not None
            raise result.value.with_traceback(None)
        return result

    def later(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Call C{function} in the reactor's thread, soon, and wait for nothing."""
        self.start().callFromThread(function, *arguments)


def _newReactor() -> Any:
    try:
        from twisted.internet.epollreactor import EPollReactor as Reactor
    except ImportError:  # no epoll here
        from twisted.internet.pollreactor import PollReactor as Reactor  # type: ignore[assignment]
    return Reactor()


def _daemonThread(*args: Any, **kwargs: Any) -> threading.Thread:
    thread = threading.Thread(*args, **kwargs)
    thread.daemon = True
    return thread


thread = ReactorThread()
"""The one of this process."""
