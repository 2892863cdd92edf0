"""Counting attempts: in Redis for all processes together, or in the memory of this one."""

import asyncio
import time
from math import floor
from typing import Any, Final

from limits import RateLimitItem
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from limits.errors import StorageError

from app.dispensable import Dispensable

# Seconds that a request waits for Redis at most, connecting included.
TIMEOUT: Final = 0.5


class Counters:
    """What was counted against which limit.

    A Redis that does not answer is no reason to refuse anybody, nor to let everybody try as often as he likes:
    meanwhile this process counts for itself.
    """

    # Of the strategies of `limits`, the sliding window counter keeps two numbers for each key, however high the limit.
    # The moving window keeps the time of each attempt, and in memory starts a thread for each key to forget them; the
    # fixed window lets twice the limit through around its end.
    _memory: SlidingWindowCounterRateLimiter
    _redis: SlidingWindowCounterRateLimiter | None

    def __init__(self, redis_url: str | None) -> None:
        self._memory = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._redis = None
        self._answers = Dispensable("redis", consequence="each process counts attempts for itself")
        if redis_url:
            from redis.asyncio import BlockingConnectionPool  # noqa: PLC0415  # takes a while to load, and most need not
            from redis.asyncio.retry import Retry  # noqa: PLC0415
            from redis.backoff import NoBackoff  # noqa: PLC0415

            # One more try, because the server may have closed a connection that was idle.
            self._pool = BlockingConnectionPool.from_url(redis_url, max_connections=10, retry=Retry(NoBackoff(), 1))
            to_redis: Any = {"connection_pool": self._pool}  # passed on to redis-py, whatever `limits` expects there
            storage = RedisStorage("redis://", implementation="redispy", wrap_exceptions=True, **to_redis)
            self._redis = SlidingWindowCounterRateLimiter(storage)

    async def attempt(self, limit: RateLimitItem, key: str) -> int:
        """0 if one more attempt is within the limit, which is then counted; else the seconds until one is.

        What is refused does not count.
        """
        if self._redis is not None and self._answers.may_be_asked():
            try:
                async with asyncio.timeout(TIMEOUT):
                    wait = await _attempt(self._redis, limit, key)
            except (StorageError, OSError) as error:
                self._answers.lose(f"{type(error).__name__}: {error.__cause__ or error}")
            else:
                self._answers.find()
                return wait
        return await _attempt(self._memory, limit, key)

    async def aclose(self) -> None:
        """Close the connections to Redis."""
        if self._redis is not None:
            await self._pool.aclose()


async def _attempt(limiter: SlidingWindowCounterRateLimiter, limit: RateLimitItem, key: str) -> int:
    if await limiter.hit(limit, key):
        return 0
    stats = await limiter.get_window_stats(limit, key)
    return max(1, floor(stats.reset_time - time.time()) + 1)  # at the very moment of the reset it is still too early
