"""What is known of a mail before it is written."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any


@dataclass(frozen=True)
class Mail:
    """A mail to be written. A token comes with the time that it is good for."""

    kind: str
    to: str
    context: Mapping[str, Any]
    token: str | None = None
    lifetime: timedelta | None = None
