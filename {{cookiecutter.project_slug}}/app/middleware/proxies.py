"""Who the client is when proxies are in between."""

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

Address = IPv4Address | IPv6Address


class ProxyHeaders:
    """Believes trusted proxies, and nobody else, who the client is and whether it came by https.

    Each proxy adds to `X-Forwarded-For` whom it was called by. Read from the right, the first address that is not a
    trusted proxy's is the client's; what stands left of it the client may have written itself. uvicorn's middleware for
    this takes any text for an address, and does not know IPv4 in the clothes of IPv6.
    """

    def __init__(self, app: ASGIApp, trusted: list[str]) -> None:
        self._app = app
        self._trusted = [ip_network(one) for one in trusted]
        self._trusts = lru_cache(maxsize=1_000)(self._is_trusted)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope.get("client"):
            host, port = scope["client"]
            peer = _parse(host)
            if peer is not None:
                scope["client"] = (_written(peer), port)
                if self._trusts(peer):
                    self._believe(scope, peer)
        await self._app(scope, receive, send)

    def _believe(self, scope: Scope, peer: Address) -> None:
        headers = Headers(scope=scope)
        client = self._client(peer, headers.getlist("x-forwarded-for"))
        if client != peer:
            scope["client"] = (_written(client), 0)
        if headers.get("x-forwarded-proto") in {"http", "https"}:
            scope["scheme"] = headers["x-forwarded-proto"]

    def _client(self, peer: Address, forwarded_for: list[str]) -> Address:
        client = peer
        for hop in reversed(",".join(forwarded_for).split(",")):
            address = _parse(hop.strip()) if self._trusts(client) else None
            if address is None:  # nobody, or nonsense: whoever said so is the last one that is known
                break
            client = address
        return client

    def _is_trusted(self, address: Address) -> bool:
        return any(address in network for network in self._trusted)


@lru_cache(maxsize=1_000)
def _written(address: Address) -> str:
    return str(address)


@lru_cache(maxsize=1_000)
def _parse(text: str) -> Address | None:
    """The address in `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1` or `[2001:db8::1]:80`."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])  # what follows names our own interface
    except ValueError:
        return None
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address
