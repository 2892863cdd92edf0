"""An end that is announced: first the application says that it is not ready, and only then does the server stop."""

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import structlog

log = structlog.get_logger(__name__)


class Shutdown:
    """Between SIGTERM and the server's own end of it stand `delay` seconds in which every request is still served.

    Whoever sends requests here (a load balancer, Kubernetes) needs that long to learn from /health/ready that it should
    send them elsewhere. Without it, the last ones find nobody who listens.
    """

    def __init__(self, delay: float) -> None:
        self._delay = delay
        self.begun = False

    @contextmanager
    def announced(self) -> Iterator[None]:
        """Put the delay before the handler that the server has installed, while the block runs.

        For any server that handles the signal by `signal.signal` in its main thread, as uvicorn and its workers do. A
        second SIGTERM, or Ctrl-C, is not delayed.
        """
        stop = signal.getsignal(signal.SIGTERM)
        if not self._delay or not callable(stop) or threading.current_thread() is not threading.main_thread():
            yield
            return
        loop = asyncio.get_running_loop()

        def begin(number: int, frame: FrameType | None) -> None:
            if self.begun:
                stop(number, frame)
                return
            self.begun = True
            loop.call_soon_threadsafe(self._wait, loop, lambda: stop(number, None))

        signal.signal(signal.SIGTERM, begin)
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, stop)

    def _wait(self, loop: asyncio.AbstractEventLoop, stop: Callable[[], None]) -> None:
        log.info("shutdown_announced", seconds=self._delay)
        loop.call_later(self._delay, stop)
