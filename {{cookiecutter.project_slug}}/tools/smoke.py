"""Call an API from outside, as somebody who has just heard of it: `python -m tools.smoke http://127.0.0.1:8080`.

It waits for the API, registers an account of its own, logs in, writes an article and finds it in the list. CI does so
with each image; the account and the article stay. It takes nothing but the standard library.
"""

import argparse
import http.client
import json
import secrets
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

PATIENCE = 60  # seconds until it has to be ready


class Wrong(Exception):
    """The API did something else than it should; the message says what."""


class Api:
    """An API at an address. Once it has a token, requests are somebody's."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self.headers = {"Accept": "application/json"}

    def __call__(self, method: str, path: str, expected: int, body: bytes | None = None, kind: str = "") -> Any:
        """Send a request and return the JSON of its answer; raise `Wrong` if the status is another."""
        headers = self.headers | ({"Content-Type": kind} if kind else {})
        request = urllib.request.Request(self.url + path, body, headers, method=method)  # noqa: S310  # see main
        try:
            with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310
                status, answer = response.status, response.read()
        except urllib.error.HTTPError as error:
            status, answer = error.code, error.read()
        if status != expected:
            raise Wrong(f"{method} {path}: {status} instead of {expected}: {answer[:500].decode(errors='replace')}")
        return json.loads(answer)

    def send(self, path: str, expected: int, fields: dict[str, object]) -> Any:
        return self("POST", path, expected, json.dumps(fields).encode(), "application/json")

    def send_form(self, path: str, expected: int, fields: dict[str, str]) -> Any:
        form = urllib.parse.urlencode(fields).encode()
        return self("POST", path, expected, form, "application/x-www-form-urlencoded")


def wait(api: Api) -> None:
    """Until it is ready. Whatever stands in front may refuse, or answer for it, while it starts."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            api("GET", "/health/ready", 200)
        except (OSError, http.client.HTTPException, ValueError, Wrong) as error:
            if time.monotonic() > deadline:
                raise Wrong(f"{api.url} is not ready after {PATIENCE} seconds: {error}") from error
            time.sleep(0.5)
        else:
            return


def walk(api: Api) -> None:
    """From nobody to an article in the list."""
    name = f"smoke-{secrets.token_hex(6)}"
    password = secrets.token_urlsafe(24)
    api.send("/auth/register", 201, {"email": f"{name}@example.com", "username": name, "password": password})
    login = api.send_form("/auth/login", 200, {"username": name, "password": password})
    api.headers["Authorization"] = f"Bearer {login['access_token']}"
    article = api.send("/articles", 201, {"title": name, "content": "Written from outside.", "published": True})
    listed = api("GET", f"/articles?{urllib.parse.urlencode({'title': name})}", 200)
    if [row["id"] for row in listed] != [article["id"]]:
        raise Wrong(f"GET /articles does not list the article {article['id']}: {listed}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.smoke", description=__doc__.partition("\n")[0])
    parser.add_argument("url", help="where the API is, with http:// or https://")
    url = parser.parse_args().url
    if urllib.parse.urlsplit(url).scheme not in {"http", "https"}:
        parser.error(f"{url} is no address that begins with http:// or https://")
    api = Api(url)
    try:
        wait(api)
        walk(api)
    except (OSError, http.client.HTTPException, ValueError, Wrong) as error:
        sys.exit(f"✗ {error}")
    print(f"✓ {api.url}: registered, logged in, wrote an article, found it in the list")


if __name__ == "__main__":
    main()
