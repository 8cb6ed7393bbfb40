"""SIGTERM: how a process that must end hands over everything it recorded."""

import _thread
import os
import signal
import threading
import time
from queue import Empty, SimpleQueue
from types import FrameType
from typing import Any, Protocol

LAST_WORDS = 2.0
"""Seconds that a process stays to hand over its records, if the default action of SIGTERM would end it."""

STALL = 0.02
"""Seconds without a call to the store. Then the interrupted code is assumed to hold a lock that sending needs."""

GO_ON = 0.001
"""Seconds for which the interrupted code goes on, before the signal comes again."""


class Sender(Protocol):
    """A thread that hands over, and takes requests without a lock; see `Flusher`."""

    @property
    def calling(self) -> bool:
        """Whether a call to the store is under way."""

    def hurry(self) -> None:
        """Send each record at once from now on."""

    def running(self) -> bool:
        """Whether there is a thread that sends."""

    @property
    def has_work(self) -> bool:
        """Whether something was recorded that the store has not acknowledged."""

    def ask(self, *, last: bool = False) -> "SimpleQueue[None]":
        """A queue that gets one item when everything is in the store, goodbye is said, and nobody records any more."""


class Termination:
    """A SIGTERM handler that takes no lock and does no I/O, and then calls the one that was there before.

    From the signal on the flush thread sends each record at once. If the former action is to end the process, the
    process lives on until everything was sent, or until `LAST_WORDS` are over. Other threads go on until the last batch
    is drained. From then on they wait at their next record, so that no request is answered whose record would be lost.
    The signal may have interrupted code that holds a lock which sending needs. Then the handler returns, and the signal
    comes again a moment later.

    uvicorn restores the default action when it has served its last request, and raises the signal again in its own
    thread, so that no exit handler would run. There that second signal is held back until the exit handler calls
    `release`, or until `LAST_WORDS` are over. The process ends by the signal all the same.
    """

    def __init__(self, sender: Sender) -> None:
        self._held = False
        self._former: Any = None
        self.follow(sender)

    def install(self) -> None:
        """Take the signal; only the main thread of a process can."""
        if threading.current_thread() is threading.main_thread():
            self._former = signal.getsignal(signal.SIGTERM)
            if self._former is not None:  # None means a handler that C code set, which could not be put back
                signal.signal(signal.SIGTERM, self._handle)

    def uninstall(self) -> None:
        """Put the former handler back. If that cannot be done, ours stays and only calls the former one.

        It cannot be done outside the main thread, or if other code has set a handler since.
        """
        in_main_thread = threading.current_thread() is threading.main_thread()
        if in_main_thread and signal.getsignal(signal.SIGTERM) == self._handle:
            signal.signal(signal.SIGTERM, self._former)
        self.release()

    def follow(self, sender: Sender) -> None:
        """Let this sender do the sending. A forked child has one of its own."""
        self._sender = sender
        self._deadline: float | None = None
        self._receipt: SimpleQueue[None] | None = None
        self.release()

    def release(self) -> None:
        """Let a signal through that was held back. The process may end here."""
        if self._held:
            self._held = False
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._former == signal.SIG_IGN:
            return
        self._sender.hurry()
        if callable(self._former):
            if _raises_it_again(self._former) and not self._held:
                self._hold()
            self._former(number, frame)
        elif self._said_all() or not _send_again():
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    def _hold(self) -> None:
        self._held = True
        try:
            _thread.start_new_thread(self._let_go_in_time, ())
        except RuntimeError:  # the system gives no thread
            self._held = False
        else:
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # of this thread; others get it as before

    def _let_go_in_time(self) -> None:
        """End a process that goes on after its server has ended, as the signal would have."""
        while self._held and signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
            time.sleep(STALL)
        deadline = time.monotonic() + LAST_WORDS
        while self._held and time.monotonic() < deadline:
            time.sleep(STALL)
        if self._held:
            os.kill(os.getpid(), signal.SIGTERM)

    def _said_all(self) -> bool:
        """Whether the process can end: everything is in the store, or its time is over."""
        sender = self._sender
        if not sender.running() and not sender.has_work:
            return True
        if self._deadline is None:
            self._deadline = time.monotonic() + LAST_WORDS
        if not sender.running():  # it is being started
            return time.monotonic() >= self._deadline
        if self._receipt is None:
            self._receipt = sender.ask(last=True)
        while time.monotonic() < self._deadline:
            asked_at = time.monotonic()
            try:
                self._receipt.get(timeout=STALL)
            except Empty:
                if not sender.calling or time.monotonic() - asked_at < STALL / 2:  # nobody can wait in gevent's hub
                    return False
            else:
                return True
        return True


def _raises_it_again(handler: object) -> bool:
    return str(getattr(handler, "__module__", "")).partition(".")[0] == "uvicorn"


def _send_again() -> bool:
    """Let the signal come again in a moment; False if the system gives no thread for it."""
    try:
        _thread.start_new_thread(_terminate_self, ())  # `threading` would take locks
    except RuntimeError:
        return False
    return True


def _terminate_self() -> None:
    time.sleep(GO_ON)
    os.kill(os.getpid(), signal.SIGTERM)
