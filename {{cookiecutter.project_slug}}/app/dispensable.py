"""What the application can do without: while it does not answer, it is left alone."""

import time
from typing import Final

import structlog

# Seconds after a failure in which nobody asks. Then one request finds out, at its own expense.
PAUSE: Final = 5.0


class Dispensable:
    """Whether a server answers, as far as is known. The log says when it is lost, with the consequence, and found."""

    def __init__(self, name: str, consequence: str) -> None:
        self._events = {"lost": f"{name}_lost", "found": f"{name}_found"}
        self._consequence = consequence
        self._log = structlog.get_logger(__name__)
        self._lost = False
        self._ask_again_at = 0.0

    def may_be_asked(self) -> bool:
        """Whether to ask it, which is then to be told as `lose` or `find`."""
        if not self._lost:
            return True
        if time.monotonic() < self._ask_again_at:
            return False
        self._ask_again_at = time.monotonic() + PAUSE
        return True

    def lose(self, reason: str) -> None:
        """It has not answered: leave it alone for a while."""
        self._ask_again_at = time.monotonic() + PAUSE
        if not self._lost:
            self._lost = True
            self._log.warning(self._events["lost"], reason=reason, consequence=self._consequence)

    def find(self) -> None:
        """It has answered."""
        if self._lost:
            self._lost = False
            self._log.info(self._events["found"])
