"""Reads that ask for little, answered without FastAPI, which solves dependencies for as long as PostgreSQL works.

What FastAPI knows of an endpoint is read once, instead of with each request. The order of calls, what each of them is
given and which errors there are is the same.
"""

from collections.abc import Awaitable, Hashable
from inspect import iscoroutinefunction
from typing import Any, get_type_hints

from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError


def handler_of(endpoint: Dependant) -> "Read | None":
    """What answers a request for this endpoint, if it makes its response itself and is given nothing but the request,
    parts of the path, and dependencies which are coroutines and are given nothing but the request or one another.
    """
    if not _returns_response(endpoint):
        return None
    calls = _Calls()
    if not all(calls.add(one) for one in endpoint.dependencies) or not _asks_for_little(endpoint):
        return None
    return Read(calls.made, calls.of(endpoint), endpoint.path_params)


class _Call:
    """A call of a dependency or of the endpoint, and where its arguments come from."""

    __slots__ = ("arguments", "function", "request")

    def __init__(self, one: Dependant, arguments: list[tuple[str, int]]) -> None:
        self.function: Any = one.call
        self.request = one.request_param_name
        self.arguments = arguments  # names, each with the place of the call that makes the value

    def __call__(self, request: Request, made: list[Any], values: dict[str, Any]) -> Awaitable[Any]:
        if self.request is not None:
            values[self.request] = request
        for name, place in self.arguments:
            values[name] = made[place]
        result: Awaitable[Any] = self.function(**values)
        return result


class _Calls:
    """The dependencies of an endpoint, in the order in which they are called. Each is called once."""

    def __init__(self) -> None:
        self.made: list[_Call] = []
        self._places: dict[Any, int] = {}

    def add(self, one: Dependant) -> bool:
        """Whether this one asks for little, and all that it depends on."""
        if one.scope or one.path_params or not _asks_for_little(one):  # FastAPI calls it once in each scope
            return False
        if one.call in self._places:
            return True
        if not all(self.add(other) for other in one.dependencies):
            return False
        self.made.append(self.of(one))
        self._places[one.call] = len(self.made) - 1
        return True

    def of(self, one: Dependant) -> _Call:
        """The call, after what it depends on."""
        return _Call(one, [(other.name, self._places[other.call]) for other in one.dependencies if other.name])


class Read:
    """A request for it is answered by calling this."""

    def __init__(self, dependencies: list[_Call], endpoint: _Call, keys: list[Any]) -> None:
        self._dependencies = dependencies
        self._endpoint = endpoint
        self._keys = keys

    async def __call__(self, request: Request) -> Response:
        made: list[Any] = []
        for dependency in self._dependencies:
            made.append(await dependency(request, made, {}))
        values = self._read_keys(request) if self._keys else {}
        response: Response = await self._endpoint(request, made, values)
        return response

    def _read_keys(self, request: Request) -> dict[str, Any]:
        values: dict[str, Any] = {}
        problems: list[Any] = []
        for key in self._keys:
            name = key.validation_alias or key.alias
            values[key.name], errors = key.validate(request.path_params[name], values, loc=("path", name))
            problems.extend(errors)
        if problems:
            raise RequestValidationError(problems)
        return values


def _asks_for_little(one: Dependant) -> bool:
    more = (
        one.query_params,
        one.header_params,
        one.cookie_params,
        one.body_params,
        one.websocket_param_name,
        one.http_connection_param_name,
        one.response_param_name,
        one.background_tasks_param_name,
        one.security_scopes_param_name,
        one.own_oauth_scopes,
        one.parent_oauth_scopes,
        one.concurrency,
        not one.use_cache,
    )
    if any(more) or not isinstance(one.call, Hashable):  # FastAPI refuses what it cannot keep the value of
        return False
    return iscoroutinefunction(one.call) or iscoroutinefunction(type(one.call).__call__)


def _returns_response(endpoint: Dependant) -> bool:
    try:
        said = get_type_hints(endpoint.call).get("return")
    except Exception:  # noqa: BLE001  # a name for type checkers only, an object that is called: FastAPI knows of them
        return False
    return isinstance(said, type) and issubclass(said, Response)
