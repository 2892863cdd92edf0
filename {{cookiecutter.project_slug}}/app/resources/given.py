"""The parameters of one query string, taken one after the other.

A function that reads one raises `ValueError` where it is wrong: the message is for the client.
"""

from collections.abc import Iterable, Sequence
from typing import Any


class QueryError(Exception):
    """What is wrong with the query string: a message for each parameter."""

    def __init__(self, problems: dict[str, str]) -> None:
        super().__init__(problems)
        self.problems = problems


class Given:
    """The parameters that nobody has taken yet, and what is wrong with those that were."""

    def __init__(self, parameters: Iterable[tuple[str, str]]) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in parameters:
            self._values.setdefault(name, []).append(value)
        self.problems: dict[str, str] = {}

    def names(self) -> list[str]:
        """Of those that are left."""
        return list(self._values)

    def drop(self, name: str) -> None:
        del self._values[name]

    def take_all(self, name: str) -> list[str]:
        return self._values.pop(name)

    def take(self, name: str, read: Any, default: Any) -> Any:
        """The value of the parameter as this function reads it; the default where it is not there, or wrong."""
        if name not in self._values:
            return default
        values = self._values.pop(name)
        try:
            if len(values) > 1:
                raise ValueError("is given more than once")  # noqa: TRY301  # all that can be wrong is told alike
            return read(values[0])
        except ValueError as error:
            self.problems[name] = str(error)
            return default

    def finish(self) -> None:
        """Raises `QueryError` if anything was wrong, or is left over."""
        unknown = dict.fromkeys(self._values, "is not a parameter of this list")
        if problems := self.problems | unknown:
            raise QueryError(problems)


def whole(text: str, least: int, most: int) -> int:
    """A whole number."""
    # Not more digits than the greatest has: int() of a million digits takes a while.
    if not text.isascii() or not text.isdigit() or len(text) > len(str(most)) or not least <= int(text) <= most:
        raise ValueError(f"must be a whole number from {least} to {most}")
    return int(text)


def one_of(text: str, choices: Sequence[str]) -> str:
    """One of these words."""
    if text not in choices:
        raise ValueError(f"must be {' or '.join(choices)}")
    return text


def some_of(text: str, known: Sequence[str]) -> tuple[str, ...]:
    """Some of these fields, in this order, whatever theirs is."""
    names = text.split(",")
    for name in names:
        if name not in known:
            raise ValueError(f"there is no field {name!r}, only {', '.join(known)}")
    return tuple(name for name in known if name in names)


def plain(text: str) -> str:
    """Text that PostgreSQL can compare with its own."""
    if "\0" in text:
        raise ValueError("must not contain NUL characters")
    return text
