"""Two ways to write an address."""

from starlette.types import ASGIApp, Receive, Scope, Send


class TrailingSlash:
    """`/articles/` is `/articles`: the same answer, no redirect that loses a body or a header on its way."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] != "/" and scope["path"].endswith("/"):
            # A slash that was sent as %2F belongs to the key before it.
            sent = scope.get("raw_path") or scope["path"].encode()
            scope["raw_path"] = sent.rstrip(b"/") or b"/"
            scope["path"] = scope["path"][: len(scope["raw_path"]) - len(sent) or None] or "/"
        await self._app(scope, receive, send)
