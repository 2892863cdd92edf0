"""Passwords: argon2id for new ones; bcrypt hashes of an older system are verified and replaced at login."""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from passlib.context import CryptContext

_COMMON: Final = frozenset(Path(__file__).with_name("common_passwords.txt").read_text(encoding="ascii").split())


# Each takes 19 MiB.
_MOST_AT_ONCE: Final = 8


@lru_cache
def _hashers() -> ThreadPoolExecutor:
    """As many hashes at once as there are CPUs: more only fill the memory and starve the event loop.

    Threads that do nothing else, because the C library keeps the memory of a hash for the thread that made it: spread
    over all the threads of the process, that is many times as much.
    """
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return ThreadPoolExecutor(max_workers=min(cpus, _MOST_AT_ONCE), thread_name_prefix="hash")


@lru_cache
def _context() -> "CryptContext":
    from passlib.context import CryptContext  # noqa: PLC0415  # takes a while to load: the first hash can wait for it

    # OWASP's password storage cheat sheet: argon2id with 19 MiB, two passes, one lane.
    return CryptContext(
        ["argon2", "bcrypt"],
        deprecated="auto",
        argon2__type="ID",
        argon2__memory_cost=19 * 1024,
        argon2__time_cost=2,
        argon2__parallelism=1,
    )


@lru_cache
def _nobodys_hash() -> str:
    return _hash("nobody has this password")


def is_common(password: str) -> bool:
    """Whether it is among the 3,000 that leaks show most often, which are tried first (OWASP ASVS 5.0, 6.2.4)."""
    return password.lower() in _COMMON


async def hash_password(password: str) -> str:
    """The hash to store. Takes some 30 ms of a CPU, in a thread."""
    return await asyncio.get_running_loop().run_in_executor(_hashers(), _hash, password)


async def verify_password(password: str, hashed: str | None) -> tuple[bool, str | None]:
    """Whether the password is right, and a new hash to store when the old one is out of date.

    With `None`, for a user who does not exist, it takes as long as otherwise and says no:
    the time of an answer must not tell who has an account.
    """
    return await asyncio.get_running_loop().run_in_executor(_hashers(), _verify, password, hashed)


def _hash(password: str) -> str:
    return str(_context().hash(password))


def _verify(password: str, hashed: str | None) -> tuple[bool, str | None]:
    try:
        valid, replacement = _context().verify_and_update(password, hashed or _nobodys_hash())
    except ValueError:  # bcrypt takes no NUL, and no more than 72 bytes
        return False, None
    return (valid, replacement) if hashed is not None else (False, None)
