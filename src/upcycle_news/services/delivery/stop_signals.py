"""Turn SIGTERM, Ctrl-C and a closed terminal into a flag, so that a send ends gently."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def stop_on_signals() -> Iterator[Callable[[], bool]]:
    """Yield a function that returns True once SIGTERM, Ctrl-C or SIGHUP has been received.

    The messages in flight are finished then. A second Ctrl-C interrupts at once. Outside the main
    thread signals are left alone.
    """
    received = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield received.is_set
        return

    def on_signal(number: int, frame: FrameType | None) -> None:
        if received.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        received.set()

    handled = [signal.SIGTERM, signal.SIGINT]
    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:  # nohup(1) has it ignored
        handled.append(signal.SIGHUP)
    previous = {name: signal.signal(name, on_signal) for name in handled}
    try:
        yield received.is_set
    finally:
        for name, handler in previous.items():
            signal.signal(name, handler)
