"""Holds every answer that a test receives against the contract."""

import json
import re
from functools import lru_cache
from http import HTTPStatus
from typing import Any

import httpx
import jsonschema_rs
from fastapi import FastAPI

from app.problems import MEDIA_TYPE

# Those that a client goes on with.
_HEADERS = {"ETag", "Link", "Location", "X-Total-Count"}
_PROBLEM = {"$ref": "#/components/schemas/Problem"}


class ContractTransport(httpx.ASGITransport):
    """Calls the application in this process, and fails the test for an answer that the contract does not describe."""

    def __init__(self, app: FastAPI) -> None:
        super().__init__(app)
        self._contract = _contract_of(app)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await super().handle_async_request(request)
        await response.aread()
        self._contract.check(request, response)
        return response


@lru_cache
def _contract_of(app: FastAPI) -> "Contract":
    return Contract(app)


class Contract:
    """What the application says of its answers."""

    def __init__(self, app: FastAPI) -> None:
        self._description = app.openapi()
        self._validators: dict[str, jsonschema_rs.Validator] = {}

    def check(self, request: httpx.Request, response: httpx.Response) -> None:
        """Raises `AssertionError` when the answer is not as documented."""
        if request.method == "HEAD" or response.status_code == HTTPStatus.NOT_MODIFIED:
            assert not response.content
            return
        path = request.url.raw_path.decode().partition("?")[0].rstrip("/") or "/"
        where = f"{request.method} {path} → {response.status_code}"
        documented = self._documented(request.method.lower(), path, response.status_code)
        if documented is None:
            # No such operation: /docs and the like, or the error that says so.
            schema = _PROBLEM if response.status_code in {404, 405} else {}
            content = {MEDIA_TYPE: {"schema": schema}} if schema else {}
        else:
            content = documented.get("content", {})
            undocumented = {name for name in _HEADERS if name in response.headers} - set(documented.get("headers", ()))
            assert not undocumented, f"{where} has {undocumented}"
        if not content:
            assert response.status_code != 204 or not response.content, f"{where} has a body"
            return
        media_type = response.headers["content-type"].partition(";")[0]
        assert media_type in content, f"{where} is {media_type}, documented is {', '.join(content)}"
        self._validator(content[media_type]["schema"]).validate(response.json())

    def _documented(self, method: str, path: str, status: int) -> dict[str, Any] | None:
        for template, operations in sorted(self._description["paths"].items(), key=lambda item: "{" in item[0]):
            if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path) and method in operations:
                responses: dict[str, dict[str, Any]] = operations[method]["responses"]
                found = responses[str(status)] if str(status) in responses else responses["default"]
                return self._resolved(found)
        return None

    def _resolved(self, response: dict[str, Any]) -> dict[str, Any]:
        name = response.get("$ref", "").rpartition("/")[2]
        shared: dict[str, dict[str, Any]] = self._description["components"]["responses"]
        return shared[name] if name else response

    def _validator(self, schema: dict[str, Any]) -> jsonschema_rs.Validator:
        key = json.dumps(schema)
        if key not in self._validators:
            whole = schema | {"components": self._description["components"]}
            self._validators[key] = jsonschema_rs.validator_for(whole)
        return self._validators[key]
