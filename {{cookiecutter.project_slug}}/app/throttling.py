"""How often somebody may try what can be guessed, or what costs others something."""

import hmac
import unicodedata
from collections.abc import Callable
from ipaddress import IPv6Network, ip_address
from typing import Final

import structlog
from limits import parse

from app.config import Settings
from app.counters import Counters
from app.errors import TooManyRequests

# A customer of a provider has all the addresses of such a network, 2^64 of them.
_IPV6_PREFIX: Final = 64

log = structlog.get_logger(__name__)


class Throttling:
    """The limits of the settings, and what was counted against them. `on_refusal` hears the name of the limit."""

    def __init__(self, settings: Settings, on_refusal: Callable[[str], None] | None = None) -> None:
        self._on_refusal = on_refusal
        self._enabled = settings.rate_limit_enabled
        self._secret = settings.secret_key.get_secret_value().encode()
        self._counters = Counters(settings.redis_url.get_secret_value() if settings.redis_url else None)
        self._limits = {
            "login": parse(settings.rate_limit_login),
            "register": parse(settings.rate_limit_register),
            "mail": parse(settings.rate_limit_mail),
            "invitations": parse(settings.rate_limit_invitations),
            "refresh": parse(settings.rate_limit_refresh),
            "per_address": parse(settings.rate_limit_per_address),
        }

    def of(self, address: str) -> "Throttle":
        """What the client at this address may still try."""
        return Throttle(self, _network(address))

    async def count(self, name: str, network: str, *whose: str) -> None:
        """Count an attempt of somebody in this network against the limit of this name, for each `whose` apart.

        Raises `TooManyRequests` if that is one too many.
        """
        if not self._enabled:
            return
        # Keyed with our secret: who can read Redis does not learn who has an account, or who came from where.
        identity = "\0".join([name, *whose]).encode("utf-8", "surrogatepass")
        key = hmac.digest(self._secret, identity, "sha256").hex()
        wait = await self._counters.attempt(self._limits[name], f"{name}/{key}")
        if wait:
            if self._on_refusal:
                self._on_refusal(name)
            log.warning("throttled", limit=name, network=network, retry_after=wait)
            raise TooManyRequests(wait)

    async def aclose(self) -> None:
        """Close what counting needs."""
        await self._counters.aclose()


class Throttle:
    """What one client may still try.

    Every method raises `TooManyRequests`, and comes first in its endpoint: refusing has to cost less than what is
    refused. Of several limits the one that fewer people share is counted first, since what is refused does not count:
    hammering at one account uses up nothing of what the neighbours behind the same address live on.
    """

    def __init__(self, throttling: Throttling, network: str) -> None:
        self._throttling = throttling
        self._network = network

    async def log_in(self, login: str) -> None:
        """A guess at this account. It counts for this client only: others cannot lock the owner out."""
        await self._count("login", _folded(login), self._network)
        await self.attempt()

    async def prove(self, user_id: int) -> None:
        """The password once more, from somebody who is logged in, by whatever name."""
        await self._count("login", f"user {user_id}", self._network)
        await self.attempt()

    async def register(self) -> None:
        """An account to be made."""
        await self._count("register", self._network)
        await self.attempt()

    async def refresh(self) -> None:
        """A session to be continued. Which one is not known before the database is asked, so the address counts."""
        await self._count("refresh", self._network)
        await self.attempt()

    async def invite(self, inviter_id: int, recipient: str) -> None:
        """A mail to somebody who has not asked for it."""
        await self._count("invitations", str(inviter_id))
        await self.mail_to(recipient)

    async def mail_to(self, recipient: str) -> None:
        """A mail that somebody else asks for. All clients count together, because mail bombs come from everywhere."""
        await self.attempt()
        await self._count("mail", _folded(recipient))

    async def attempt(self) -> None:
        """Anything that has no other limit, such as trying a token that came by mail."""
        await self._count("per_address", self._network)

    async def _count(self, name: str, *whose: str) -> None:
        await self._throttling.count(name, self._network, *whose)


def _network(address: str) -> str:
    """What counts as one client."""
    try:
        parsed = ip_address(address)
    except ValueError:  # a socket without addresses
        return address
    return str(parsed if parsed.version == 4 else IPv6Network((parsed, _IPV6_PREFIX), strict=False))  # noqa: PLR2004


def _folded(login: str) -> str:
    """One spelling for all that PostgreSQL's lower() may take for the same, such as `İ` and `i`."""
    decomposed = unicodedata.normalize("NFKD", login.casefold())
    return "".join(character for character in decomposed if not unicodedata.combining(character))
