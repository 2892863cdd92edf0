"""Requests as they go over the wire, and the answer to one."""

from __future__ import annotations

import http.client
import json
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


def request(method: str, path: str, headers: Mapping[str, str] | None = None, body: str = "") -> bytes:
    """The request as bytes."""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body:
        lines += [f"Content-Length: {len(body.encode())}"]
    return "\r\n".join([*lines, "", body]).encode()


def with_json(method: str, path: str, data: object, headers: Mapping[str, str] | None = None) -> bytes:
    return request(method, path, {**(headers or {}), "Content-Type": "application/json"}, json.dumps(data))


def form(path: str, fields: Mapping[str, str]) -> bytes:
    return request("POST", path, {"Content-Type": "application/x-www-form-urlencoded"}, urlencode(fields))


def ask(port: int, raw: bytes) -> Answer:
    """Send one request over a connection of its own."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(raw)
        response = http.client.HTTPResponse(connection)
        response.begin()
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())
