"""HEAD, for every route that answers GET."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Head:
    """HEAD is GET without the body (RFC 9110, section 9.3.2). Monitors and proxies ask so; FastAPI's routes do not."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def send_without_body(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        as_get = {**scope, "method": "GET"}
        try:
            await self._app(as_get, receive, send_without_body)
        finally:
            scope["route"] = as_get.get("route")  # whoever counts requests by route wants to know
